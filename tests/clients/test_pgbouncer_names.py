"""A PgBouncer from 1.21 on in transaction mode behind the proxy, and somebody who gives the names that it gives.

It calls what is prepared PGBOUNCER_1 and so on, in every server process, and knows by these names what is there. SQL's
DEALLOCATE and PREPARE, and code that runs on the server, can put another statement under such a name.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg
import pytest

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
