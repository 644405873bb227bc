"""PREPARE, EXECUTE and DEALLOCATE over sealed columns, mixed with the prepared statements of the protocol."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import generators, pq

from tests.support.stack import Stack

ADA = ("ada.canary@prepare.example", datetime.date(1987, 3, 14), Decimal("12.50"))


@pytest.fixture
def connection(stack: Stack) -> Iterator[psycopg.Connection[Any]]:
    stack.canary(ADA[0])
    with stack.connect() as found:
        found.execute("INSERT INTO customers (id, email, born, balance) VALUES (1, %s, %s, %s)", ADA)
        yield found


def run(connection: psycopg.Connection[Any], statement: str) -> list[tuple[Any, ...]]:
    """In the simple protocol."""
    return psycopg.ClientCursor(connection).execute(statement.encode()).fetchall()


def test_execute_seals_its_arguments_and_opens_the_rows(connection: psycopg.Connection[Any]) -> None:
    connection.execute("PREPARE p AS SELECT email, born, balance FROM customers WHERE email = $1 AND id = $2")
    assert run(connection, f"EXECUTE p ('{ADA[0]}', 1)") == [ADA]
    assert run(connection, f"EXECUTE p ('{ADA[0]}'::varchar(80), 2 - 1)") == [ADA]
    assert run(connection, "EXECUTE p (NULL, 1)") == []
    assert connection.execute(f"EXECUTE p ('{ADA[0]}', 1)").fetchall() == [ADA]  # extended protocol


def test_declared_types_convert_the_arguments(stack: Stack, connection: psycopg.Connection[Any]) -> None:
    connection.execute("PREPARE p (numeric, date) AS UPDATE customers SET balance = $1, born = $2 WHERE id = 1")
    connection.execute("EXECUTE p (77, '2001-02-03')")
    assert run(connection, "SELECT balance, born FROM customers") == [(Decimal("77.00"), datetime.date(2001, 2, 3))]
    with pytest.raises(psycopg.errors.DatatypeMismatch, match=r"parameter \$2 of type boolean cannot be coerced"):
        connection.execute("EXECUTE p (1, true)")
    with pytest.raises(psycopg.errors.InvalidDatetimeFormat):
        connection.execute("EXECUTE p (1, 'someday')")


def test_one_parameter_for_sealed_and_plain_columns_is_split(stack: Stack, connection: psycopg.Connection[Any]) -> None:
    connection.execute("PREPARE p (text) AS INSERT INTO customers (id, email, city) VALUES (2, $1, $1)")
    connection.execute("EXECUTE p ('both@prepare.example')")
    assert run(connection, "SELECT email, city FROM customers WHERE id = 2") == [("both@prepare.example",) * 2]


def test_arrays_and_every_match(connection: psycopg.Connection[Any]) -> None:
    connection.execute("PREPARE p AS SELECT id FROM customers WHERE email = ANY ($1)")
    assert run(connection, f"EXECUTE p ('{{nobody,{ADA[0]}}}')") == [(1,)]


def test_what_is_not_a_literal_cannot_be_sealed(connection: psycopg.Connection[Any]) -> None:
    connection.execute("PREPARE p AS SELECT id FROM customers WHERE email = $1")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="argument 1 of EXECUTE") as refused:
        connection.execute("EXECUTE p (upper('x'))")
    assert refused.value.diag.message_hint
    with pytest.raises(psycopg.errors.SyntaxError, match="wrong number of parameters") as wrong:
        connection.execute("EXECUTE p ('x', 'y')")
    assert wrong.value.diag.message_detail == "Expected 1 parameters but got 2."


def test_unknown_names_are_the_servers(stack: Stack, connection: psycopg.Connection[Any]) -> None:
    secret = stack.canary("nobody.knows.this")
    for statement in ("EXECUTE nothing", f"EXECUTE nothing ('{secret}')", "DEALLOCATE nothing"):
        with pytest.raises(psycopg.errors.InvalidSqlStatementName, match='prepared statement "nothing" does not exist'):
            run(connection, statement)


def test_explain_execute_gives_the_plan(connection: psycopg.Connection[Any]) -> None:
    connection.execute("PREPARE p AS SELECT email FROM customers WHERE email = $1")
    lines = run(connection, f"EXPLAIN (COSTS off) EXECUTE p ('{ADA[0]}')")
    assert "customers" in lines[0][0]


def test_a_table_of_execute_is_refused(connection: psycopg.Connection[Any]) -> None:
    connection.execute("PREPARE p AS SELECT id, email FROM customers")
    connection.execute("PREPARE plain (int) AS SELECT id, city FROM customers WHERE id = $1")
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="CREATE TABLE AS EXECUTE"):
        connection.execute("CREATE TABLE copied AS EXECUTE p")
    connection.execute("CREATE TABLE copied AS EXECUTE plain (1)")
    assert run(connection, "SELECT * FROM copied") == [(1, None)]


def test_a_name_prepared_again_has_its_own_plan(connection: psycopg.Connection[Any]) -> None:
    connection.execute("PREPARE p AS SELECT email FROM customers")
    with pytest.raises(psycopg.errors.DuplicatePreparedStatement):
        connection.execute("PREPARE p AS SELECT id FROM customers")
    assert run(connection, "EXECUTE p") == [(ADA[0],)]
    connection.execute("DEALLOCATE p")
    connection.execute("PREPARE p AS SELECT born FROM customers WHERE born < $1")
    assert run(connection, "EXECUTE p ('2000-01-01')") == [(ADA[1],)]
    connection.execute("DEALLOCATE ALL")
    with pytest.raises(psycopg.errors.InvalidSqlStatementName):
        run(connection, "EXECUTE p ('2000-01-01')")


def test_one_string_prepares_and_executes(connection: psycopg.Connection[Any]) -> None:
    at = psycopg.ClientCursor(connection).execute(
        b"PREPARE p (text) AS SELECT born FROM customers WHERE email = $1;"
        b"EXECUTE p ('ada.canary@prepare.example'); DEALLOCATE p"
    )
    assert at.nextset()
    assert at.fetchall() == [(ADA[1],)]


def test_a_script_prepares_on_a_table_of_its_own(connection: psycopg.Connection[Any]) -> None:
    at = psycopg.ClientCursor(connection).execute(
        b"CREATE TABLE more (id int); PREPARE p AS SELECT email FROM customers, more WHERE customers.id = more.id;"
        b"INSERT INTO more VALUES (1); EXECUTE p"
    )
    while at.nextset():
        pass
    assert at.fetchall() == [(ADA[0],)]


def protocol(connection: psycopg.Connection[Any], send: str, *args: Any) -> pq.abc.PGresult:
    """One message group of the extended protocol, by its name in libpq."""
    getattr(connection.pgconn, f"send_{send}")(*args)
    (result,) = connection.wait(generators.execute(connection.pgconn))
    return result


def test_both_protocols_share_the_names(stack: Stack, connection: psycopg.Connection[Any]) -> None:
    connection.execute("PREPARE by_sql (text) AS SELECT born FROM customers WHERE email = $1")
    result = protocol(connection, "query_prepared", b"by_sql", [ADA[0].encode()])
    assert result.get_value(0, 0) == b"1987-03-14"
    described = protocol(connection, "describe_prepared", b"by_sql")
    assert described.status == pq.ExecStatus.COMMAND_OK, described.error_message
    assert described.param_type(0) == 25
    assert described.ftype(0) == 1082

    protocol(connection, "prepare", b"by_parse", b"SELECT email FROM customers WHERE born = $1")
    assert run(connection, "EXECUTE by_parse ('1987-03-14')") == [(ADA[0],)]
    protocol(connection, "prepare", b"outer", b"EXECUTE by_parse ('1987-03-14')")
    assert protocol(connection, "query_prepared", b"outer", []).get_value(0, 0) == ADA[0].encode()
    connection.execute("DEALLOCATE by_parse")
    connection.execute("PREPARE by_parse (int) AS SELECT city FROM customers WHERE id = $1")
    result = protocol(connection, "query_prepared", b"outer", [])
    assert result.error_field(pq.DiagnosticField.SQLSTATE) == b"0A000"


def test_ddl_after_prepare_is_noticed(connection: psycopg.Connection[Any]) -> None:
    connection.execute("PREPARE p AS SELECT email, city FROM customers WHERE email = $1")
    connection.execute("ALTER TABLE customers ADD COLUMN age int")
    assert run(connection, f"EXECUTE p ('{ADA[0]}')") == [(ADA[0], None)]
    connection.execute("ALTER TABLE customers DROP COLUMN email CASCADE")
    with pytest.raises(psycopg.Error):
        run(connection, f"EXECUTE p ('{ADA[0]}')")
