"""PgBouncer behind the proxy and in front of it, in session and in transaction mode, with ordinary drivers.

Behind the proxy in transaction mode, every transaction may meet another server process, with another search_path,
other temporary tables and other prepared statements than the one before. Whatever the application does with them: no
plaintext of a sealed column goes upstream (the tap sees to that), and no answer is another than it should be.
"""

from __future__ import annotations

from collections.abc import Iterator

import asyncpg
import psycopg
import pytest
from psycopg.pq import DiagnosticField, ExecStatus

from tests.support.pgbouncer import FOLLOWS_STATEMENTS
from tests.support.pooled import ANN, BOB, Pooled, pooled_by, processes
from tests.support.servers import Server

pytestmark = pytest.mark.clients


@pytest.fixture(params=["behind-session", "behind-transaction", "front-session", "front-transaction"])
def pooled(request: pytest.FixtureRequest, pg18: Server) -> Iterator[Pooled]:
    place, _, mode = request.param.partition("-")
    with pooled_by(pg18, place, mode) as pooled:
        yield pooled


@pytest.fixture
def behind(pg18: Server) -> Iterator[Pooled]:
    """In transaction mode: the one in which server processes change."""
    with pooled_by(pg18, "behind", "transaction") as pooled:
        yield pooled


# -- ordinary work -----------------------------------------------------------------------------------------------------


async def test_asyncpg(pooled: Pooled) -> None:
    cached = 100 if pooled.mode == "session" or FOLLOWS_STATEMENTS else 0
    first, second = [await asyncpg.connect(pooled.dsn, statement_cache_size=cached) for _ in range(2)]
    for number, connection in enumerate((first, second, first, second)):
        async with connection.transaction():
            await connection.execute("INSERT INTO people VALUES ($1, $2)", 10 + number, f"{number}{BOB}")
        assert await connection.fetchval("SELECT id FROM people WHERE email = $1", f"{number}{BOB}") == 10 + number
        assert await connection.fetchval("SELECT email FROM people WHERE id = $1", 1) == ANN
    with pytest.raises(asyncpg.UniqueViolationError):
        await first.execute("INSERT INTO people VALUES (1)")
    with pytest.raises(asyncpg.FeatureNotSupportedError):
        await first.fetch("SELECT lower(email) FROM people")
    await first.executemany("UPDATE people SET email = $2 WHERE id = $1", [(10, ANN), (11, ANN)])
    assert await second.fetchval("SELECT count(*) FROM people WHERE email = $1", ANN) == 3
    await first.close()
    await second.close()


@pytest.mark.parametrize("prepared", [False, True])
def test_psycopg(pooled: Pooled, prepared: bool) -> None:
    # PgBouncer before 1.21 does not carry prepared statements from one server process to another.
    prepare = 0 if prepared and (pooled.mode == "session" or FOLLOWS_STATEMENTS) else None
    with pooled.connect(prepare_threshold=prepare) as first, pooled.connect(prepare_threshold=prepare) as second:
        for number, connection in enumerate((first, second) * 3):
            with connection.transaction():
                connection.execute("INSERT INTO people VALUES (%s, %s)", (10 + number, BOB))
                connection.execute("UPDATE people SET born = %s WHERE id = %s", ("1999-09-09", 10 + number))
            with connection.cursor(binary=True) as cursor:
                cursor.execute("SELECT email FROM people WHERE email = %s", (BOB,))
                assert cursor.fetchall() == [(BOB,)] * (number + 1)
        with first.cursor().copy("COPY people (id, email) FROM STDIN") as copy:
            copy.write_row((99, BOB))
        assert second.execute("SELECT email FROM people WHERE id = 99").fetchall() == [(BOB,)]
        with first.pipeline():
            cursors = [first.execute("SELECT %s::int, email FROM people WHERE id = %s", (n, 1)) for n in range(5)]
            assert [cursor.fetchone() for cursor in cursors] == [(n, ANN) for n in range(5)]


def test_a_query_string_of_several_statements_and_errors_in_it(pooled: Pooled) -> None:
    with pooled.connect() as connection:
        for _ in range(3):
            cursor = connection.execute("SELECT 1; SELECT email FROM people WHERE id = 1")
            cursor.nextset()
            assert cursor.fetchall() == [(ANN,)]
            with pytest.raises(psycopg.errors.UndefinedTable):
                connection.execute("SELECT * FROM nowhere")
            with pytest.raises(psycopg.errors.FeatureNotSupported):
                connection.execute("SELECT upper(email) FROM people")
            connection.execute("CREATE TABLE more (a int); SELECT * FROM more; DROP TABLE more")


# -- what one transaction leaves behind for another session's ----------------------------------------------------------


def run(connection: psycopg.Connection[tuple[object, ...]], protocol: str, text: str, *values: object) -> list[object]:
    """One statement in a transaction of its own; the first column of its rows."""
    cursor = (psycopg.ClientCursor if protocol == "simple" else psycopg.Cursor)(connection)
    cursor.execute(text.encode(), values)
    return [row[0] for row in cursor.fetchall()] if cursor.description else []


INSERT, SELECT = "INSERT INTO people (id, email) VALUES (%s, %s)", "SELECT email FROM people WHERE email = %s"


@pytest.mark.parametrize("protocol", ["simple", "extended"])
def test_a_search_path_that_one_server_process_has_and_the_other_has_not(behind: Pooled, protocol: str) -> None:
    with processes(behind) as (first, second), behind.connect() as session:
        for number in range(3):
            with first():
                session.execute("SET search_path TO other, public")
                run(session, protocol, INSERT, number, "plain")
                assert run(session, protocol, SELECT, "plain") == ["plain"] * (number + 1)
            with second():
                run(session, protocol, INSERT, 10 + number, BOB)
                assert run(session, protocol, SELECT, BOB) == [BOB] * (number + 1)


@pytest.mark.parametrize("protocol", ["simple", "extended"])
def test_a_temporary_table_that_hides_a_sealed_one_in_one_server_process(behind: Pooled, protocol: str) -> None:
    with processes(behind) as (first, second), behind.connect() as session, behind.connect() as stray:
        with first():
            stray.execute("CREATE TEMPORARY TABLE people (id int, email text)")
        for number in range(3):
            with first():
                run(session, protocol, INSERT, number, "plain")
                assert run(session, protocol, SELECT, "plain") == ["plain"] * (number + 1)
            with second():
                run(session, protocol, INSERT, 10 + number, BOB)
                assert run(session, protocol, SELECT, BOB) == [BOB] * (number + 1)


SETTINGS = [
    "SET DateStyle TO 'SQL, DMY'",
    "SET bytea_output TO 'escape'",
    "DO $$ BEGIN PERFORM set_config('datestyle', 'German, DMY', false); END $$",
]


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_that_another_session_has_left_shape_sealed_values_as_they_do_others(
    behind: Pooled, setting: str
) -> None:
    with processes(behind) as (first, second), behind.connect() as session, behind.connect() as stray:
        with first():
            stray.execute(setting.encode())
        for number in range(3):
            for process in (first, second):
                with process():
                    shown = []
                    for table in ("public.people", "other.people"):
                        given = f"VALUES ({10 + number}, 'plain', '01/02/2000') RETURNING email, born"
                        with session.cursor() as cursor:
                            cursor.execute(f"BEGIN; INSERT INTO {table} {given}".encode())
                            cursor.nextset()
                            assert cursor.pgresult is not None
                            shown.append([cursor.pgresult.get_value(0, column) for column in range(2)])
                        session.execute("ROLLBACK")
                    assert shown[0] == shown[1]


def prepare(connection: psycopg.Connection[tuple[object, ...]], name: bytes, text: str) -> None:
    assert connection.pgconn.prepare(name, text.encode()).status == ExecStatus.COMMAND_OK


def execute(connection: psycopg.Connection[tuple[object, ...]], name: bytes, *values: bytes) -> str | None:
    """The SQLSTATE, or None."""
    sqlstate = connection.pgconn.exec_prepared(name, values).error_field(DiagnosticField.SQLSTATE)
    return None if sqlstate is None else sqlstate.decode()


SEALED = "INSERT INTO public.people (id, email) VALUES ($1, $2)"
PLAIN = "INSERT INTO other.people (id, email) VALUES ($1, $2)"


@pytest.mark.parametrize("name", [b"s", b"", b'o"d\\d'])
def test_a_prepared_statement_that_is_another_one_in_another_server_process(behind: Pooled, name: bytes) -> None:
    # PgBouncer from 1.21 brings each session's own statement along; before, a name is what the process has under it.
    follows = FOLLOWS_STATEMENTS and name != b""
    elsewhere, at_home = None if follows else "26000", None if name else "26000"
    with processes(behind) as (first, second), behind.connect() as session, behind.connect() as stray:
        with first():
            prepare(stray, name, SEALED)
        with second():
            prepare(session, name, PLAIN)
        with first():
            assert execute(session, name, b"50", b"plain") == elsewhere
        with second():
            assert execute(session, name, b"51", b"plain") == at_home
        with first():
            assert execute(stray, name, b"52", BOB.encode()) == at_home
        with second():
            assert execute(stray, name, b"53", BOB.encode()) == elsewhere
    with behind.stack.direct() as direct:
        sealed = direct.execute("SELECT id FROM people WHERE id > 1 ORDER BY id").fetchall()
        plain = direct.execute("SELECT id FROM other.people ORDER BY id").fetchall()
    assert sealed == [(52,)] * (name != b"") + [(53,)] * follows
    assert plain == [(50,)] * follows + [(51,)] * (name != b"")


def test_a_statement_of_prepare_runs_in_its_transaction_only(behind: Pooled) -> None:
    with processes(behind) as (first, second), behind.connect() as session, behind.connect() as stray:
        with first():
            stray.execute("PREPARE q (int, text) AS INSERT INTO public.people (id, email) VALUES ($1, $2)")
        with second(), session.transaction():
            session.execute("PREPARE q (int, text) AS INSERT INTO other.people (id, email) VALUES ($1, $2)")
            session.execute("EXECUTE q (60, 'plain')")
        for process in (first, second):
            with process(), pytest.raises(psycopg.errors.InvalidSqlStatementName):
                session.execute("EXECUTE q (61, 'plain')")
    with behind.stack.direct() as direct:
        assert direct.execute("SELECT id FROM people").fetchall() == [(1,)]
        assert direct.execute("SELECT id FROM other.people").fetchall() == [(60,)]


def test_batches_that_are_sent_without_waiting(behind: Pooled) -> None:
    with behind.connect() as session, session.pipeline() as pipeline:
        for number in range(20):
            inserted = session.execute(INSERT, (70 + number, f"{number}{BOB}"))
            pipeline.sync()
            found = session.execute("SELECT email FROM people WHERE id = %s", (70 + number,))
            pipeline.sync()
            assert (inserted.rowcount, found.fetchall()) == (1, [(f"{number}{BOB}",)])
