"""DECLARE, FETCH, MOVE and CLOSE over sealed columns, beside the portals of the protocol."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import asyncpg
import psycopg
import pytest
from psycopg import generators

from tests.support.stack import Stack

BORN = [datetime.date(1990 + year, 2, 1) for year in range(5)]


@pytest.fixture
def connection(stack: Stack) -> Iterator[psycopg.Connection[Any]]:
    """Five customers."""
    with stack.connect() as found:
        for number, born in enumerate(BORN):
            email = stack.canary(f"canary{number}@cursor.example")
            found.execute(
                "INSERT INTO customers (id, email, born) VALUES (%s, %s, %s)", (number, email, born), prepare=False
            )
        yield found


def emails(rows: list[tuple[Any, ...]]) -> list[str]:
    return [row[0] for row in rows]


@pytest.mark.parametrize("cursor", [psycopg.ClientCursor, psycopg.Cursor], ids=["simple", "extended"])
def test_a_cursor_scrolls_over_opened_rows(connection: psycopg.Connection[Any], cursor: Any) -> None:
    at = cursor(connection)
    with connection.transaction():
        at.execute(
            "DECLARE c SCROLL CURSOR FOR SELECT email, born FROM customers WHERE born > '1991-01-01' ORDER BY born"
        )
        assert at.execute("FETCH 2 FROM c").fetchall() == [
            ("canary1@cursor.example", BORN[1]),
            ("canary2@cursor.example", BORN[2]),
        ]
        assert at.execute("MOVE LAST IN c").statusmessage == "MOVE 1"
        assert emails(at.execute("FETCH PRIOR FROM c").fetchall()) == ["canary3@cursor.example"]
        assert emails(at.execute("FETCH ABSOLUTE 1 FROM c").fetchall()) == ["canary1@cursor.example"]
        description = at.execute("FETCH FORWARD 1 FROM c").description
        assert [column.type_code for column in description or ()] == [1043, 1082]
        at.execute("CLOSE c")
        with pytest.raises(psycopg.errors.InvalidCursorName), connection.transaction():
            at.execute("FETCH 1 FROM c")


def test_a_declared_cursor_takes_parameters(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction(), connection.cursor("named") as named:
        named.execute("SELECT email FROM customers WHERE email = %s", ("canary3@cursor.example",))
        assert named.fetchall() == [("canary3@cursor.example",)]


@pytest.mark.parametrize("binary", [False, True])
def test_server_side_cursors_of_psycopg(connection: psycopg.Connection[Any], *, binary: bool) -> None:
    with connection.transaction(), connection.cursor("named", binary=binary, scrollable=True) as named:
        named.itersize = 2
        named.execute("SELECT email, born FROM customers ORDER BY born")
        assert list(named) == [(f"canary{n}@cursor.example", BORN[n]) for n in range(5)]
        named.scroll(0, mode="absolute")
        assert named.fetchone() == ("canary0@cursor.example", BORN[0])


def test_a_cursor_with_hold_outlives_its_transaction(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction():
        connection.execute("DECLARE kept CURSOR WITH HOLD FOR SELECT email FROM customers ORDER BY born")
        connection.execute("DECLARE gone CURSOR FOR SELECT email FROM customers")
    assert emails(connection.execute("FETCH 1 FROM kept").fetchall()) == ["canary0@cursor.example"]
    with pytest.raises(psycopg.errors.InvalidCursorName):
        connection.execute("FETCH 1 FROM gone")
    assert emails(connection.execute("FETCH 1 FROM kept").fetchall()) == ["canary1@cursor.example"]
    connection.execute("CLOSE ALL")
    with pytest.raises(psycopg.errors.InvalidCursorName):
        connection.execute("FETCH 1 FROM kept")


def test_binary_cursors_give_binary_rows(connection: psycopg.Connection[Any]) -> None:
    script = """BEGIN; DECLARE b BINARY CURSOR FOR SELECT born, email FROM customers ORDER BY born;
        FETCH 1 FROM b; COMMIT"""
    connection.pgconn.send_query(script.encode())
    rows = [
        (result.fformat(0), result.get_value(0, 0), result.get_value(0, 1))
        for result in connection.wait(generators.execute(connection.pgconn))
        if result.ntuples
    ]
    days = (BORN[0] - datetime.date(2000, 1, 1)).days
    assert rows == [(1, days.to_bytes(4, "big", signed=True), b"canary0@cursor.example")]


def test_a_name_declared_again_after_a_rollback_has_its_own_columns(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction():
        connection.execute("SAVEPOINT before")
        connection.execute("DECLARE c CURSOR FOR SELECT email FROM customers")
        connection.execute("ROLLBACK TO before")
        connection.execute("DECLARE c CURSOR FOR SELECT id, city FROM customers ORDER BY id")
        assert connection.execute("FETCH 1 FROM c").fetchall() == [(0, None)]
        connection.execute("CLOSE c")
        connection.execute("DECLARE c CURSOR FOR SELECT born FROM customers ORDER BY born")
        assert connection.execute("FETCH 1 FROM c").fetchall() == [(BORN[0],)]


def test_a_string_with_the_whole_life_of_a_cursor(connection: psycopg.Connection[Any]) -> None:
    at = connection.execute(
        "BEGIN; DECLARE c CURSOR FOR SELECT email FROM customers WHERE email = 'canary2@cursor.example';"
        "FETCH ALL FROM c; CLOSE c; COMMIT"
    )
    found = []
    while True:
        if at.description is not None:
            found += at.fetchall()
        if not at.nextset():
            break
    assert found == [("canary2@cursor.example",)]


def test_updates_where_current_of(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction():
        connection.execute("DECLARE c CURSOR FOR SELECT email FROM customers WHERE id = 1 FOR UPDATE")
        connection.execute("FETCH 1 FROM c")
        connection.execute("UPDATE customers SET city = 'Turin' WHERE CURRENT OF c")
    assert connection.execute("SELECT city FROM customers WHERE id = 1").fetchone() == ("Turin",)


async def test_fetch_reads_a_portal_of_bind_and_the_protocol_a_declared_cursor(stack: Stack) -> None:
    connection = await asyncpg.connect(stack.dsn, ssl=False)
    try:
        for number in range(4):
            email = stack.canary(f"portal{number}@cursor.example")
            await connection.execute("INSERT INTO customers (id, email) VALUES ($1, $2)", number, email)
        async with connection.transaction():
            cursor = await connection.cursor("SELECT email FROM customers ORDER BY id")
            assert [row[0] for row in await cursor.fetch(1)] == ["portal0@cursor.example"]
            portal = cursor._portal_name  # asyncpg has no public name for it
            found = await connection.fetch(f'FETCH 1 FROM "{portal}"')
            assert [row[0] for row in found] == ["portal1@cursor.example"]
        async with connection.transaction():
            await connection.execute("DECLARE c CURSOR FOR SELECT email FROM customers WHERE id >= 2 ORDER BY id")
            statement = await connection.prepare("FETCH 1 FROM c")
            assert [attribute.type.name for attribute in statement.get_attributes()] == ["varchar"]
            assert await statement.fetchval() == "portal2@cursor.example"
            assert await statement.fetchval() == "portal3@cursor.example"
            await connection.execute("CLOSE c")
            await connection.execute("DECLARE c CURSOR FOR SELECT id FROM customers ORDER BY id")
            assert await connection.fetchval("FETCH 1 FROM c") == 0
    finally:
        await connection.close()
