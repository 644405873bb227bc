"""asyncpg through the proxy: binary everywhere, prepared statements, cursors, transactions, executemany."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from decimal import Decimal

import asyncpg
import pytest

from tests.support.stack import Stack


@pytest.fixture
async def connection(stack: Stack) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(stack.dsn)
    yield connection
    await connection.close()


async def test_rows_come_back_as_written(stack: Stack, connection: asyncpg.Connection) -> None:
    rows = [
        (
            number,
            f"Name {number}",
            stack.canary(f"asyncpg.canary.{number}@mail.example"),
            None,
            datetime.date(1950 + number, 1, 1),
            Decimal(number * 100 - 950) / 8,
            None if number % 2 else "ünïcödé ✓",
            "Graz",
        )
        for number in range(20)
    ]
    rounded = [(*row[:5], row[5].quantize(Decimal("0.01"), "ROUND_HALF_UP"), *row[6:]) for row in rows]
    await connection.executemany("INSERT INTO customers VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", rows)
    assert [tuple(row) for row in await connection.fetch("SELECT * FROM customers ORDER BY id")] == rounded
    by_balance = await connection.fetch(
        "SELECT id FROM customers WHERE balance BETWEEN $1 AND $2 ORDER BY balance", -50, 50
    )
    assert [row["id"] for row in by_balance] == [n for n, *_ in rows if -50 <= rounded[n][5] <= 50]


async def test_prepared_statement_metadata(connection: asyncpg.Connection) -> None:
    statement = await connection.prepare(
        "UPDATE customers SET notes = $2, born = $3 WHERE email = $1 RETURNING id, name, born, balance"
    )
    assert [parameter.name for parameter in statement.get_parameters()] == ["text", "text", "date"]
    assert [(a.name, a.type.name) for a in statement.get_attributes()] == [
        ("id", "int4"),
        ("name", "varchar"),
        ("born", "date"),
        ("balance", "numeric"),
    ]


async def test_one_prepared_statement_many_times(stack: Stack, connection: asyncpg.Connection) -> None:
    insert = await connection.prepare("INSERT INTO customers (id, email) VALUES ($1, $2)")
    select = await connection.prepare("SELECT id FROM customers WHERE email = ANY($1) ORDER BY id")
    emails = [stack.canary(f"again.canary.{number}@mail.example") for number in range(10)]
    for number, email in enumerate(emails):
        await insert.fetch(number, email)
    assert [row["id"] for row in await select.fetch(emails[2:5])] == [2, 3, 4]
    assert await select.fetch([]) == []


async def test_a_cursor_reads_in_portions(stack: Stack, connection: asyncpg.Connection) -> None:
    rows = [(number, stack.canary(f"cursor.canary.{number}@mail.example")) for number in range(25)]
    await connection.executemany("INSERT INTO customers (id, email) VALUES ($1, $2)", rows)
    async with connection.transaction():
        read = [
            tuple(row) async for row in connection.cursor("SELECT id, email FROM customers ORDER BY id", prefetch=4)
        ]
    assert read == rows


async def test_transactions_and_savepoints(stack: Stack, connection: asyncpg.Connection) -> None:
    email = stack.canary("savepoint.canary@mail.example")
    async with connection.transaction():
        await connection.execute("INSERT INTO customers (id, email) VALUES (1, $1)", email)
        with pytest.raises(asyncpg.UniqueViolationError):
            async with connection.transaction():
                await connection.execute("INSERT INTO customers (id, email) VALUES (2, $1)", email)
        assert await connection.fetchval("SELECT id FROM customers WHERE email = $1", email) == 1


async def test_a_refusal_names_the_way_out(stack: Stack, connection: asyncpg.Connection) -> None:
    stack.canary("refused.canary")
    with pytest.raises(asyncpg.FeatureNotSupportedError) as refused:
        await connection.fetch("SELECT id FROM customers WHERE notes = $1", "refused.canary")
    assert "public.customers.notes" in str(refused.value)
    assert "columns.yaml" in (refused.value.hint or "")


async def test_ddl_then_dml_in_one_transaction(stack: Stack, connection: asyncpg.Connection) -> None:
    stack.set_policy("public.fresh:\n  secret: {type: text, search: equality}")
    secret = stack.canary("fresh table canary")
    async with connection.transaction():
        await connection.execute("CREATE TABLE fresh (id int, secret text)")
        await connection.execute("INSERT INTO fresh VALUES (1, $1)", secret)
        assert await connection.fetchval("SELECT id FROM fresh WHERE secret = $1", secret) == 1
    assert await connection.fetchval("SELECT secret FROM fresh") == secret
