"""psycopg 3 through the proxy: simple and extended protocol, text and binary, prepared, pipelined, sync and async."""

from __future__ import annotations

import datetime
from decimal import Decimal

import psycopg
import pytest
from psycopg import generators, pq

from tests.support.stack import Stack

BORN = datetime.date(1987, 3, 14)


def add_ada(stack: Stack, connection: psycopg.Connection, **options: object) -> tuple[object, ...]:
    row = (
        1,
        stack.canary("Ada Lovelace-Byron"),
        stack.canary("ada.canary@mail.example"),
        stack.canary("+44 20 7946 0958"),
        BORN,
        Decimal("1234.50"),
        stack.canary("met Mr Babbage at the soirée"),
        "London",
    )
    connection.execute("INSERT INTO customers VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", row, **options)
    return row


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize("prepare", [False, True], ids=["unnamed", "prepared"])
def test_a_row_comes_back_as_it_was_written(stack: Stack, *, binary: bool, prepare: bool) -> None:
    with stack.connect() as connection:
        row = add_ada(stack, connection, binary=False, prepare=prepare)
        cursor = connection.cursor(binary=binary)
        assert cursor.execute("SELECT * FROM customers WHERE email = %s", (row[2],), prepare=prepare).fetchall() == [
            row
        ]
        assert cursor.execute("SELECT * FROM customers WHERE email = %b", (row[2],), prepare=prepare).fetchall() == [
            row
        ]
        assert cursor.execute("SELECT * FROM customers WHERE born < %s", (BORN,)).fetchall() == []
        assert cursor.execute("SELECT id FROM customers WHERE born <= %s", (BORN,)).fetchall() == [(1,)]


def test_literals_in_a_simple_query(stack: Stack) -> None:
    email = stack.canary("o'brien.canary@mail.example")
    with stack.connect() as connection:
        connection.execute(
            "INSERT INTO customers (id, email, born) VALUES (1, 'o''brien.canary@mail.example', '1990-02-28')"
        )
        (found,) = connection.execute(
            "SELECT id, email, born FROM customers WHERE email = 'o''brien.canary@mail.example'"
        ).fetchall()
        assert found == (1, email, datetime.date(1990, 2, 28))


def test_the_database_holds_only_sealed_values(stack: Stack) -> None:
    with stack.connect() as connection:
        add_ada(stack, connection)
    with stack.direct() as direct:
        (row,) = direct.execute("SELECT name, email, phone, born, balance, notes FROM customers").fetchall()
    schemes = [(value[0], value[1]) for value in row]
    assert schemes == [(0xE1, 1), (0xE1, 2), (0xE1, 2), (0xE1, 3), (0xE1, 3), (0xE1, 1)]


def test_equality_costs_22_bytes(stack: Stack) -> None:
    with stack.connect() as connection:
        add_ada(stack, connection)
    with stack.direct() as direct:
        assert direct.execute("SELECT length(email) FROM customers").fetchone() == (
            len("ada.canary@mail.example") + 22,
        )


def test_a_bypassing_client_cannot_store_plaintext(stack: Stack) -> None:
    with stack.direct() as direct, pytest.raises(psycopg.errors.CheckViolation):
        direct.execute("INSERT INTO customers (id, email) VALUES (1, 'plain')")


def test_null_and_the_empty_string_stay_apart(stack: Stack) -> None:
    with stack.connect() as connection:
        connection.execute("INSERT INTO customers (id, email, name, notes) VALUES (1, %s, NULL, %s)", ("", ""))
        connection.execute("INSERT INTO customers (id, email, name, notes) VALUES (2, NULL, '', NULL)")
        assert connection.execute("SELECT email, name, notes FROM customers ORDER BY id").fetchall() == [
            ("", None, ""),
            (None, "", None),
        ]
        assert connection.execute("SELECT id FROM customers WHERE email = ''").fetchall() == [(1,)]
        assert connection.execute("SELECT id FROM customers WHERE email IS NULL").fetchall() == [(2,)]


def test_row_description_shows_the_application_types(stack: Stack) -> None:
    with stack.connect() as connection:
        connection.pgconn.send_query(b"SELECT id, name, email, born, balance, notes FROM customers")
        (result,) = connection.wait(generators.execute(connection.pgconn))
        shown = [(result.fname(i), result.ftype(i), result.fmod(i), result.fsize(i)) for i in range(result.nfields)]
    assert shown == [
        (b"id", 23, -1, 4),
        (b"name", 1043, 84, -1),
        (b"email", 1043, 124, -1),
        (b"born", 1082, -1, 4),
        (b"balance", 1700, (12 << 16 | 2) + 4, -1),
        (b"notes", 25, -1, -1),
    ]


def describe(connection: psycopg.Connection, name: bytes, statement: bytes) -> pq.abc.PGresult:
    """Parse and Describe over libpq, waiting in Python: libpq's own waiting would stop the proxy's thread."""
    connection.pgconn.send_prepare(name, statement)
    connection.wait(generators.execute(connection.pgconn))
    connection.pgconn.send_describe_prepared(name)
    (described,) = connection.wait(generators.execute(connection.pgconn))
    return described


def test_parameter_description_shows_the_application_types(stack: Stack) -> None:
    with stack.connect() as connection:
        described = describe(
            connection, b"p1", b"INSERT INTO customers (id, name, email, born, balance) VALUES ($1, $2, $3, $4, $5)"
        )
        assert [described.param_type(i) for i in range(described.nparams)] == [23, 1043, 1043, 1082, 1700]
        described = describe(
            connection, b"p2", b"SELECT id, born FROM customers WHERE email = $1 AND born > $2 AND id = $3"
        )
        assert [described.param_type(i) for i in range(described.nparams)] == [25, 1082, 23]
        assert [described.ftype(i) for i in range(described.nfields)] == [23, 1082]


def test_pipeline_mode(stack: Stack) -> None:
    with stack.connect() as connection, connection.pipeline() as pipeline:
        cursors = []
        for number in range(50):
            email = stack.canary(f"pipeline.canary.{number}@mail.example")
            connection.execute("INSERT INTO customers (id, email) VALUES (%s, %s)", (number, email))
            cursors.append(connection.execute("SELECT id FROM customers WHERE email = %s", (email,)))
        pipeline.sync()
        assert [cursor.fetchone() for cursor in cursors] == [(number,) for number in range(50)]


def test_an_error_in_a_pipeline_skips_to_the_next_sync(stack: Stack) -> None:
    with stack.connect() as connection:
        add_ada(stack, connection)
        with pytest.raises(psycopg.errors.UniqueViolation), connection.pipeline():
            connection.execute("INSERT INTO customers (id) VALUES (%s)", (1,))
            connection.execute("INSERT INTO customers (id) VALUES (%s)", (2,))
        assert connection.execute("SELECT count(*) FROM customers").fetchone() == (1,)


def test_a_refusal_in_a_transaction_fails_it_as_an_error_does(stack: Stack) -> None:
    with stack.connect(autocommit=False) as connection:
        add_ada(stack, connection)
        with pytest.raises(psycopg.errors.FeatureNotSupported) as refused:
            connection.execute("SELECT * FROM customers WHERE notes LIKE '%Babbage%'")
        assert "public.customers.notes" in str(refused.value)
        assert refused.value.diag.message_hint
        assert connection.info.transaction_status == pq.TransactionStatus.INERROR
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            connection.execute("SELECT email FROM customers WHERE email = 'secret.canary@mail.example'")
        connection.rollback()
        assert connection.execute("SELECT count(*) FROM customers").fetchone() == (0,)
    stack.canary("secret.canary@mail.example")


def test_the_connection_lives_on_after_a_refusal(stack: Stack) -> None:
    stack.canary("needle.canary")
    with stack.connect() as connection:
        for _ in range(3):
            with pytest.raises(psycopg.errors.FeatureNotSupported):
                connection.execute("SELECT * FROM customers WHERE name = 'needle.canary'")
            with pytest.raises(psycopg.errors.FeatureNotSupported):
                connection.execute("SELECT * FROM customers WHERE lower(email) = %s", ("needle.canary",))
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_values_are_checked_as_postgresql_checks_them(stack: Stack) -> None:
    with stack.connect() as connection:
        with pytest.raises(psycopg.errors.StringDataRightTruncation):
            connection.execute("INSERT INTO customers (id, phone) VALUES (1, %s)", ("0" * 25,))
        with pytest.raises(psycopg.errors.NumericValueOutOfRange):
            connection.execute("INSERT INTO customers (id, balance) VALUES (1, %s)", (Decimal("1e10"),))
        with pytest.raises(psycopg.errors.InvalidDatetimeFormat):
            connection.execute("INSERT INTO customers (id, born) VALUES (1, 'not a date')")
        with pytest.raises(psycopg.errors.DatetimeFieldOverflow):
            connection.execute("INSERT INTO customers (id, born) VALUES (1, '2023-02-30')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO customers (id, email) VALUES (1, 'a@b.example'), (2, 'a@b.example')")
        connection.execute("INSERT INTO customers (id, balance) VALUES (9, 12.345)")
        assert connection.execute("SELECT balance FROM customers").fetchone() == (Decimal("12.35"),)


def test_several_statements_in_one_query(stack: Stack) -> None:
    with stack.connect() as connection:
        cursor = connection.execute(
            "INSERT INTO customers (id, email) VALUES (1, 'multi.canary@mail.example');"
            "SELECT email FROM customers; SELECT 42 AS answer"
        )
        stack.canary("multi.canary@mail.example")
        assert cursor.statusmessage == "INSERT 0 1"
        assert cursor.nextset()
        assert cursor.fetchall() == [("multi.canary@mail.example",)]
        assert cursor.nextset()
        assert cursor.fetchall() == [(42,)]


def test_executemany_returning(stack: Stack) -> None:
    rows = [(n, stack.canary(f"many.canary.{n}@mail.example"), Decimal(n) / 4) for n in range(20)]
    with stack.connect() as connection:
        cursor = connection.cursor()
        cursor.executemany(
            "INSERT INTO customers (id, email, balance) VALUES (%s, %s, %s) RETURNING email, balance",
            rows,
            returning=True,
        )
        returned = []
        while True:
            returned += cursor.fetchall()
            if not cursor.nextset():
                break
        assert returned == [(email, balance) for _, email, balance in rows]
        assert connection.execute("SELECT max(balance), min(balance) FROM customers").fetchone() == (
            Decimal("4.75"),
            Decimal("0.00"),
        )


async def test_async_connection(stack: Stack) -> None:
    email = stack.canary("async.canary@mail.example")
    async with await psycopg.AsyncConnection.connect(stack.dsn, sslmode="disable") as connection:
        await connection.execute("INSERT INTO customers (id, email, born) VALUES (%s, %s, %s)", (1, email, BORN))
        async with connection.cursor(binary=True) as cursor:
            await cursor.execute("SELECT email, born FROM customers WHERE email = %s AND born = %s", (email, BORN))
            assert await cursor.fetchall() == [(email, BORN)]


def test_a_join_on_two_sealed_columns(stack: Stack) -> None:
    email = stack.canary("join.canary@mail.example")
    with stack.connect() as connection:
        connection.execute("INSERT INTO customers (id, email) VALUES (1, %s)", (email,))
        connection.execute("INSERT INTO orders VALUES (10, %s, 5.00), (11, %s, 7.25)", (email, email))
        assert connection.execute(
            "SELECT c.id, c.email, sum(o.id), max(o.total) FROM customers c JOIN orders o ON o.email = c.email"
            " GROUP BY c.id, c.email HAVING max(o.total) > %s",
            (Decimal(7),),
        ).fetchall() == [(1, email, 21, Decimal("7.25"))]
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            connection.execute("INSERT INTO orders VALUES (12, 'nobody@mail.example', 1)")


def test_a_tampered_value_fails_the_statement_and_names_the_column(stack: Stack) -> None:
    with stack.connect() as connection:
        add_ada(stack, connection)
        with stack.direct() as direct:
            direct.execute("UPDATE customers SET notes = set_byte(notes, 30, get_byte(notes, 30) # 1)")
        with pytest.raises(psycopg.errors.DataCorrupted, match="public.customers.notes"):
            connection.execute("SELECT notes FROM customers")
        with pytest.raises(psycopg.errors.DataCorrupted, match="public.customers.notes"):
            connection.execute("SELECT notes FROM customers WHERE id = %s", (1,))
        assert connection.execute("SELECT id, city FROM customers").fetchall() == [(1, "London")]


def test_arrays_of_sealed_values(stack: Stack) -> None:
    emails = [stack.canary(f"array.canary.{number}@mail.example") for number in range(3)]
    with stack.connect() as connection:
        for number, email in enumerate(emails):
            connection.execute("INSERT INTO customers (id, email) VALUES (%s, %s)", (number, email))
        connection.execute("INSERT INTO customers (id) VALUES (9)")
        for binary in (False, True):
            cursor = connection.cursor(binary=binary)
            cursor.execute(
                "SELECT array_agg(email ORDER BY id), ARRAY(SELECT email FROM customers ORDER BY id) FROM customers"
            )
            assert cursor.fetchall() == [([*emails, None], [*emails, None])]
            assert cursor.description is not None
            assert [column.type_code for column in cursor.description] == [1015, 1015]
            cursor.execute("SELECT id FROM customers WHERE email = ANY(%s) ORDER BY id", (emails[1:],))
            assert cursor.fetchall() == [(1,), (2,)]
