"""A PgBouncer from 1.21 on in transaction mode, in front of the proxy and behind it, with prepared statements.

It gives what clients prepare names of its own (PGBOUNCER_1), one for each text whichever clients have it, prepares it
where a server process has not got it, and answers Parse and Close itself where it can.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import date

import asyncpg
import psycopg
import pytest
from psycopg.generators import execute
from psycopg.pq import DiagnosticField, ExecStatus

from tests.support.pgbouncer import FOLLOWS_STATEMENTS, PROGRAM, VERSION
from tests.support.pooled import ANN, BOB, POLICY, Place, Pooled, pooled_by, processes
from tests.support.servers import LOGINS, Server

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed here"),
    pytest.mark.skipif(
        PROGRAM is not None and not FOLLOWS_STATEMENTS,
        reason=f"PgBouncer {'.'.join(map(str, VERSION))} does not follow prepared statements: 1.21 does",
    ),
]

PLACES: tuple[Place, ...] = ("front", "behind")
ADMIN = {"admin_users": LOGINS["scram-sha-256"].user}


@pytest.fixture(params=PLACES)
def pooled(request: pytest.FixtureRequest, pg18: Server) -> Iterator[Pooled]:
    with pooled_by(pg18, request.param, "transaction", more=ADMIN) as pooled:
        yield pooled


@pytest.fixture(params=PLACES)
def cramped(request: pytest.FixtureRequest, pg18: Server) -> Iterator[Pooled]:
    """A server process keeps two statements only: it drops one for almost every other."""
    with pooled_by(pg18, request.param, "transaction", more={"max_prepared_statements": 2}) as pooled:
        yield pooled


def prepare(connection: psycopg.Connection[tuple[object, ...]], name: bytes, text: str) -> None:
    assert connection.pgconn.prepare(name, text.encode()).status == ExecStatus.COMMAND_OK


def outcome(connection: psycopg.Connection[tuple[object, ...]], name: bytes, *values: bytes) -> object:
    """The first column's values, or the SQLSTATE."""
    result = connection.pgconn.exec_prepared(name, values)
    if (sqlstate := result.error_field(DiagnosticField.SQLSTATE)) is not None:
        return sqlstate.decode()
    return [value.decode() for row in range(result.ntuples) if (value := result.get_value(row, 0)) is not None]


def close(connection: psycopg.Connection[tuple[object, ...]], name: bytes) -> None:
    """Not `close_prepared`, which keeps the interpreter, and so the proxy, from going on."""
    connection.pgconn.send_close_prepared(name)
    (result,) = connection.wait(execute(connection.pgconn))
    assert result.status == ExecStatus.COMMAND_OK


# -- drivers -----------------------------------------------------------------------------------------------------------


async def work(dsn: str, number: int, rounds: int) -> None:
    """One client of asyncpg with its statement cache, whose rows are its own."""
    connection = await asyncpg.connect(dsn, statement_cache_size=100)
    born, first = date(2000 + number, 1, 1), 1000 * number
    ids = range(first, first + rounds)
    for id_ in ids:
        await connection.execute("INSERT INTO people VALUES ($1, $2, $3)", id_, f"{id_}{BOB}", born)
        assert await connection.fetchval("SELECT id FROM people WHERE email = $1", f"{id_}{BOB}") == id_
        async with connection.transaction():
            await connection.execute("UPDATE people SET email = $2 WHERE id = $1", id_, f"{id_}{ANN}")
            assert await connection.fetchval("SELECT email FROM people WHERE id = $1", id_) == f"{id_}{ANN}"
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute("INSERT INTO people VALUES ($1, $2, $3)", id_, ANN, born)
        with pytest.raises(asyncpg.FeatureNotSupportedError):
            await connection.fetch("SELECT upper(email) FROM people WHERE id = $1", id_)
    rows = await connection.fetch(
        "SELECT id, email FROM people WHERE born BETWEEN $1 AND $2 ORDER BY id", born, date(2000 + number, 12, 31)
    )
    assert [tuple(row) for row in rows] == [(id_, f"{id_}{ANN}") for id_ in ids]
    await connection.close()


async def work_together(dsn: str, clients: int = 6, rounds: int = 5) -> None:
    await asyncio.gather(*(work(dsn, number, rounds) for number in range(1, clients + 1)))


async def test_clients_of_asyncpg_share_two_server_processes(pooled: Pooled) -> None:
    await work_together(pooled.dsn)


async def test_clients_of_asyncpg_share_processes_that_keep_two_statements(cramped: Pooled) -> None:
    await work_together(cramped.dsn)


@pytest.mark.parametrize("threshold", [0, 1])
def test_clients_of_psycopg_share_two_server_processes(pooled: Pooled, threshold: int) -> None:
    clients = [pooled.connect(prepare_threshold=threshold) for _ in range(4)]
    for number in range(3):
        for client, connection in enumerate(clients):
            id_ = 100 * (client + 1) + number
            connection.execute(
                "INSERT INTO people VALUES (%s, %s, %s)", (id_, f"{id_}{BOB}", date(1990 + number, 1, 1))
            )
            with connection.cursor(binary=True) as cursor:
                found = cursor.execute("SELECT id FROM people WHERE email = %s", (f"{id_}{BOB}",)).fetchall()
                assert found == [(id_,)]
            connection.execute("UPDATE people SET born = %s WHERE id = %s", (date(2010 + client, 1, 1), id_))
            between = "SELECT count(*) FROM people WHERE born >= %s AND born < %s"
            ten, year = date(2010 + client, 1, 1), date(2011 + client, 1, 1)
            assert connection.execute(between, (ten, year)).fetchall() == [(number + 1,)]
            with connection.cursor().copy("COPY people (id, email) FROM STDIN") as copy:
                copy.write_row((10_000 + id_, ANN))
            with connection.cursor().copy(
                f"COPY (SELECT email FROM people WHERE id = {10_000 + id_}) TO STDOUT"
            ) as copy:
                assert [bytes(row) for row in copy] == [ANN.encode() + b"\n"]
    for connection in clients:
        connection.close()


def test_a_pipeline_of_prepared_statements_with_errors_in_it(pooled: Pooled) -> None:
    with pooled.connect(prepare_threshold=0) as connection, connection.pipeline() as pipeline:
        for number in range(6):
            inserted = connection.execute("INSERT INTO people (id, email) VALUES (%s, %s)", (10 + number, BOB))
            pipeline.sync()
            assert inserted.rowcount == 1
            doubled = connection.execute("INSERT INTO people (id, email) VALUES (%s, %s)", (10 + number, ANN))
            connection.execute("INSERT INTO people (id, email) VALUES (%s, %s)", (500 + number, BOB))  # is skipped
            with pytest.raises(psycopg.errors.UniqueViolation):
                pipeline.sync()
                doubled.fetchall()
            refused = connection.execute("SELECT upper(email) FROM people WHERE id = %s", (number,))
            with pytest.raises(psycopg.errors.FeatureNotSupported):
                pipeline.sync()
                refused.fetchall()
            found = connection.execute("SELECT count(*) FROM people WHERE email = %s", (BOB,))
            pipeline.sync()
            assert found.fetchall() == [(number + 1,)]


# -- statements that come and go ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", ["DEALLOCATE ALL", "DISCARD ALL"])
def test_statements_are_prepared_anew_behind_one_that_drops_all(pooled: Pooled, ends: str) -> None:
    with pooled.connect() as session, pooled.connect() as other:
        for connection in (session, other):
            prepare(connection, b"find", "SELECT id FROM people WHERE email = $1")
        for _ in range(3):
            for connection in (session, other, session, other):
                assert outcome(connection, b"find", ANN.encode()) == ["1"]
            session.execute(ends.encode())
            prepare(session, b"find", "SELECT email FROM people WHERE id = $1")
            assert outcome(session, b"find", b"1") == [ANN]
            session.execute(ends.encode())
            prepare(session, b"find", "SELECT id FROM people WHERE email = $1")


def test_a_name_that_was_closed_is_given_to_another_statement(pooled: Pooled) -> None:
    with pooled.connect() as session:
        for _ in range(3):
            prepare(session, b"s", "SELECT id FROM people WHERE email = $1")
            assert outcome(session, b"s", ANN.encode()) == ["1"]
            close(session, b"s")
            prepare(session, b"s", "SELECT email FROM people WHERE id = $1")
            assert outcome(session, b"s", b"1") == [ANN]
            close(session, b"s")


async def test_statements_go_on_behind_ddl_and_a_new_policy(pooled: Pooled) -> None:
    connections = [await asyncpg.connect(pooled.dsn) for _ in range(3)]

    async def ask() -> None:
        for connection in connections * 2:
            assert await connection.fetchval("SELECT id FROM people WHERE email = $1", ANN) == 1
            assert await connection.fetchval("SELECT email FROM people WHERE id = $1", 1) == ANN

    await ask()
    await connections[0].execute("ALTER TABLE people ADD COLUMN more int")
    await ask()
    await connections[1].execute("CREATE INDEX ON people (email)")
    pooled.stack.set_policy(POLICY + "public.notes:\n  body: {type: text}\n")
    await ask()
    await connections[2].execute("CREATE TABLE notes (id int, body text)")
    for number, connection in enumerate(connections):
        await connection.execute("INSERT INTO notes VALUES ($1, $2)", number, f"{number}{BOB}")
        assert await connection.fetchval("SELECT body FROM notes WHERE id = $1", number) == f"{number}{BOB}"
    await ask()
    for connection in connections:
        await connection.close()


async def test_a_result_of_another_type_wants_reconnect_as_without_a_proxy(pooled: Pooled) -> None:
    """PgBouncer keeps the statement on the server process, so preparing it again does not help."""
    asking = await asyncpg.connect(pooled.dsn)
    for _ in range(4):
        assert (await asking.fetchrow("SELECT * FROM people WHERE id = $1", 1))["email"] == ANN
    await asking.execute("ALTER TABLE people ADD COLUMN more int")
    with pytest.raises(asyncpg.InvalidCachedStatementError):
        await asking.fetchrow("SELECT * FROM people WHERE id = $1", 1)
    with pooled.admin() as admin:
        admin.execute("RECONNECT")
    for _ in range(4):
        assert tuple(await asking.fetchrow("SELECT * FROM people WHERE id = $1", 1)) == (
            1,
            ANN,
            date(1987, 3, 14),
            None,
        )
    await asking.close()


# -- whose search_path -------------------------------------------------------------------------------------------------

INSERT = "INSERT INTO people (id, email) VALUES ($1, $2)"
SELECT = "SELECT email FROM people WHERE email = $1"


@pytest.mark.parametrize("tracked", [True, False])
def test_one_text_under_the_search_paths_of_two_server_processes(pg18: Server, tracked: bool) -> None:
    """What a session has prepared where `people` is one table is not run where it is another one."""
    more = {"track_extra_parameters": "IntervalStyle,search_path"} if tracked else {}
    with pooled_by(pg18, "behind", "transaction", more=more) as behind, processes(behind) as (first, second):
        with behind.connect() as sealed, behind.connect() as plain:
            with first():
                plain.execute("SET search_path TO other, public")
                for name, text in ((b"insert", INSERT), (b"select", SELECT)):
                    prepare(plain, name, text)
                assert outcome(plain, b"insert", b"1", b"plain") == []
            with second():
                for name, text in ((b"insert", INSERT), (b"select", SELECT)):
                    prepare(sealed, name, text)
                assert outcome(sealed, b"insert", b"10", BOB.encode()) == []
                assert outcome(sealed, b"select", BOB.encode()) == [BOB]
            told = [] if tracked else "0A000"
            for number in range(3):
                with first():
                    assert outcome(plain, b"select", b"plain") == ["plain"] * (1 + number * tracked)
                    assert outcome(sealed, b"insert", b"%d" % (20 + number), BOB.encode()) == told
                with second():
                    assert outcome(plain, b"insert", b"%d" % (30 + number), b"plain") == told
                    assert outcome(sealed, b"select", BOB.encode()) == [BOB] * (1 + (number + 1) * tracked)
        with behind.stack.direct() as direct:
            ids = [row[0] for row in direct.execute("SELECT id FROM people WHERE id > 1 ORDER BY id").fetchall()]
            assert ids == ([10, 20, 21, 22] if tracked else [10])
            ids = [row[0] for row in direct.execute("SELECT id FROM other.people ORDER BY id").fetchall()]
            assert ids == ([1, 30, 31, 32] if tracked else [1])
