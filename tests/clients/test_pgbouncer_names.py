"""A PgBouncer from 1.21 on in transaction mode behind the proxy, and somebody who gives the names that it gives.

It calls what is prepared PGBOUNCER_1 and so on, in every server process, and knows by these names what is there. SQL's
DEALLOCATE and PREPARE, and code that runs on the server, can put another statement under such a name.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg
import pytest

from tests.clients.test_pgbouncer_statements import outcome, prepare
from tests.support.pgbouncer import FOLLOWS_STATEMENTS, PROGRAM
from tests.support.pooled import ANN, BOB, Pooled, pooled_by
from tests.support.servers import LOGINS, Server

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(
        PROGRAM is None or not FOLLOWS_STATEMENTS, reason="no PgBouncer that follows statements is here"
    ),
]

Connection = psycopg.Connection[tuple[object, ...]]
SWAP = """
DO $do$ DECLARE one record; BEGIN
  FOR one IN SELECT name, statement FROM pg_prepared_statements WHERE {which} LOOP
    EXECUTE format('DEALLOCATE %I', one.name);
    EXECUTE format($as$PREPARE %I{types} AS {what}$as$, one.name, one.statement);
  END LOOP;
END $do$
"""
"""Puts another statement in place of some that the server process has. In `what`, %2$s stands for the one it had."""


@pytest.fixture
def pooled(pg18: Server) -> Iterator[Pooled]:
    """One server process for all."""
    with pooled_by(pg18, "behind", "transaction", pool_size=1) as pooled:
        yield pooled


@contextlib.contextmanager
def around(pooled: Pooled) -> Iterator[Connection]:
    """A client of the pooler itself, which shares its server processes with the proxy."""
    login = LOGINS["scram-sha-256"]
    dsn = f"postgresql://{login.user}:{login.password}@127.0.0.1:{pooled.pooler}/{pooled.stack.database.dbname}"
    with psycopg.connect(f"{dsn}?sslmode=disable", autocommit=True, prepare_threshold=None) as connection:
        yield connection


def swap(connection: Connection, which: str, what: str, types: str = "") -> None:
    connection.execute(SWAP.format(which=which, what=what, types=types).encode())


def test_what_the_proxy_asks_cannot_be_answered_by_another_statement(pooled: Pooled) -> None:
    """A search_path that is not the one of the process would have the proxy take `people` for a table in plain."""
    with pooled.connect() as client, around(pooled) as attacker:
        assert client.execute("SELECT email FROM people").fetchall() == [(ANN,)]
        swap(attacker, "statement LIKE '%current_schemas%'", """SELECT replace((%2$s), '"public"', '"other"')""")
        for _ in range(2):
            client.execute("INSERT INTO people (id, email) VALUES (2, %s)", (BOB,))
            assert client.execute("DELETE FROM people WHERE email = %s RETURNING email", (BOB,)).fetchall() == [(BOB,)]
        with pooled.connect() as other:
            assert other.execute("SELECT email FROM people").fetchall() == [(ANN,)]


# -- somebody else's statement under the name of one's own -------------------------------------------------------------

INSERT = "INSERT INTO people (id, email) VALUES ($1, $2)"
OF_INSERT = "statement LIKE 'INSERT INTO peop%'"  # a DO block that names the table is refused


def caught(pooled: Pooled) -> int:
    with pooled.stack.direct() as direct:
        return direct.execute("SELECT count(*) FROM catcher").fetchone()[0]  # type: ignore[index]


@pytest.mark.parametrize("place", ["around", "through"])
def test_a_statement_that_was_swapped_is_not_run(pooled: Pooled, place: str) -> None:
    """Code on the server can do it whatever the analysis sees of it."""
    with pooled.connect() as client, pooled.connect() as other, around(pooled) as outside:
        attacker = outside if place == "around" else other
        prepare(client, b"insert", INSERT)
        assert outcome(client, b"insert", b"2", BOB.encode()) == []
        attacker.execute("CREATE TABLE catcher (id int, what bytea)")
        swap(attacker, OF_INSERT, "INSERT INTO catcher VALUES ($1, $2)", "(int, bytea)")
        assert outcome(client, b"insert", b"3", BOB.encode()) == "0A000"
        prepare(client, b"again", INSERT)  # PgBouncer answers, and takes the statement for prepared
        assert outcome(client, b"again", b"4", BOB.encode()) == "0A000"
        with pooled.connect() as newcomer:
            prepare(newcomer, b"insert", INSERT)
            assert outcome(newcomer, b"insert", b"5", BOB.encode()) == "0A000"
            assert newcomer.execute("SELECT id FROM people WHERE email = %s", (BOB,)).fetchall() == [(2,)]
        assert caught(pooled) == 0
        attacker.execute("DISCARD ALL")
        assert outcome(client, b"insert", b"6", BOB.encode()) == []
        assert caught(pooled) == 0


def test_names_of_the_pooler_are_not_given_or_taken_away_by_sql(pooled: Pooled) -> None:
    with pooled.connect() as client, pooled.connect() as attacker:
        prepare(client, b"insert", INSERT)
        assert attacker.execute("SELECT 1").fetchall() == [(1,)]
        for text in (
            'PREPARE "PGBOUNCER_5" (int, text) AS SELECT $1, $2',
            'DEALLOCATE "PGBOUNCER_5"',
            'BEGIN; DEALLOCATE "PGBOUNCER_5"; COMMIT',
        ):
            with pytest.raises(psycopg.errors.FeatureNotSupported, match="PGBOUNCER_5") as refused:
                attacker.execute(text.encode())
            assert refused.value.diag.message_hint
            attacker.rollback()
        assert outcome(client, b"insert", b"2", BOB.encode()) == []


def test_a_name_of_the_pooler_in_the_protocol_is_one_like_others(pooled: Pooled) -> None:
    """PgBouncer gives it another one; and it is what a PgBouncer in front of the proxy says."""
    with pooled.connect() as client, pooled.connect() as other:
        prepare(client, b"insert", INSERT)
        for number in range(1, 12):
            prepare(other, b"PGBOUNCER_%d" % number, f"SELECT {number}")
        assert outcome(client, b"insert", b"2", BOB.encode()) == []
        assert client.execute("SELECT id FROM people WHERE email = %s", (BOB,)).fetchall() == [(2,)]


@pytest.mark.parametrize("ends", ["DEALLOCATE ALL", "DISCARD ALL"])
def test_what_drops_all_statements_drops_those_of_others_and_runs_no_other(pooled: Pooled, ends: str) -> None:
    with pooled.connect() as client, pooled.connect() as other:
        prepare(client, b"insert", INSERT)
        for number in range(2, 5):
            assert outcome(client, b"insert", b"%d" % number, BOB.encode()) == []
            other.execute(ends.encode())
        assert outcome(client, b"insert", b"9", BOB.encode()) == []


def test_statements_that_are_gone_are_told_as_such(pooled: Pooled) -> None:
    """As by PgBouncer alone, which goes on to take them for prepared."""
    with pooled.connect() as client, around(pooled) as attacker:
        prepare(client, b"insert", INSERT)
        assert outcome(client, b"insert", b"2", BOB.encode()) == []
        gone = "DO $$ BEGIN EXECUTE (SELECT format('DEALLOCATE %I', name) FROM pg_prepared_statements WHERE"
        attacker.execute(f"{gone} {OF_INSERT}); END $$".encode())
        for _ in range(3):
            assert outcome(client, b"insert", b"3", BOB.encode()) == "26000"
            assert client.execute("SELECT email FROM people WHERE id = 2").fetchall() == [(BOB,)]
        attacker.execute("DISCARD ALL")
        assert outcome(client, b"insert", b"3", BOB.encode()) == []


# -- statements of SQL that another session has left -------------------------------------------------------------------


def test_execute_runs_what_the_session_itself_has_prepared(pooled: Pooled) -> None:
    with pooled.connect() as one, pooled.connect() as other:
        one.execute("PREPARE mine AS SELECT max(born) FROM people")
        one.execute("CREATE TABLE catcher (id int, what bytea)")
        one.execute("PREPARE insert (int, bytea) AS INSERT INTO catcher VALUES ($1, $2)")
        for text in ("EXECUTE mine", "EXECUTE insert(2, 'bob')", "BEGIN; EXECUTE mine; COMMIT"):
            with pytest.raises(psycopg.errors.InvalidSqlStatementName):
                other.execute(text.encode())
            other.rollback()
        with other.transaction():
            prepare(other, b"insert", INSERT)
            with pytest.raises(psycopg.errors.InvalidSqlStatementName):
                other.execute(f"EXECUTE insert(2, '{BOB}')".encode())
            raise psycopg.Rollback
        assert caught(pooled) == 0
