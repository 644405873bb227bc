"""What PostgreSQL runs only outside of a transaction block, with a PgBouncer behind the proxy: nothing of the proxy's
own may begin a transaction in front of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import psycopg
import pytest

from tests.support.pgbouncer import PROGRAM, PoolMode
from tests.support.pooled import ANN, BOB, Pooled, pooled_by, processes
from tests.support.servers import LOGINS, Server

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed here"),
]

STATEMENTS = [
    "VACUUM",
    "VACUUM (ANALYZE) people",
    "CREATE INDEX CONCURRENTLY ON people (email)",
    "CREATE UNIQUE INDEX CONCURRENTLY ids ON plain (x)",
    f"CREATE INDEX CONCURRENTLY part_of ON public.people (id) WHERE email <> '{BOB}'",
    "REINDEX INDEX CONCURRENTLY part_of",
    "REINDEX TABLE CONCURRENTLY people",
    "DROP INDEX CONCURRENTLY part_of",
    "ALTER TABLE parts DETACH PARTITION part CONCURRENTLY",
    "CLUSTER",
    "CALL commits()",
    "DO $$ BEGIN PERFORM 1; COMMIT; END $$",
    "CREATE DATABASE {name}",
    "DROP DATABASE {name}",
    "DISCARD ALL",
]


@pytest.fixture(params=["session", "transaction"])
def behind(request: pytest.FixtureRequest, pg18: Server) -> Iterator[Pooled]:
    mode: PoolMode = request.param
    with pooled_by(pg18, "behind", mode) as pooled:
        with pooled.stack.database.connect() as owner:
            owner.execute(f"ALTER ROLE {LOGINS['scram-sha-256'].user} CREATEDB")
        with pooled.connect() as connection:
            connection.execute("CREATE TABLE plain (x int); CREATE TABLE parts (x int) PARTITION BY LIST (x)")
            connection.execute("CREATE TABLE part PARTITION OF parts FOR VALUES IN (1)")
            connection.execute("CREATE PROCEDURE commits() LANGUAGE plpgsql AS 'BEGIN COMMIT; END'")
        yield pooled
        with pooled.stack.database.connect() as owner:
            owner.execute(f"ALTER ROLE {LOGINS['scram-sha-256'].user} NOCREATEDB")


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("extended", [False, True])
def test_it_runs_as_without_a_proxy(behind: Pooled, extended: bool, is_first: bool) -> None:
    """The first statement of a session, or one behind others."""
    name = f"alone_{uuid.uuid4().hex[:8]}"
    with behind.connect() as connection:
        for text in STATEMENTS:
            with behind.connect() as other:
                (other if is_first else connection).execute(text.format(name=name).encode(), binary=extended)
            assert connection.execute("SELECT email FROM people WHERE email = %s", (ANN,)).fetchall() == [(ANN,)]
        connection.execute("ALTER TABLE people ADD more int")  # so the catalog is to be read
        connection.execute("CREATE INDEX CONCURRENTLY ON people (email, more)", binary=extended)
    with behind.stack.direct() as direct:
        indexes = direct.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'people'").fetchall()
    assert len(indexes) == 3


def test_where_it_depends_on_the_server_process_it_is_told_with_its_schema(pg18: Server) -> None:
    """Without, nobody knows for which table a value in it would have to be sealed: so nothing is sent alone."""
    texts = "CREATE INDEX CONCURRENTLY {name} ON {table} (id) WHERE email = '{value}'"
    with pooled_by(pg18, "behind", "transaction") as behind, processes(behind) as (first, second):
        with behind.connect() as sealed, behind.connect() as plain:
            with first():
                plain.execute("SET search_path TO other, public")
            for lend in (first, second, first, second):
                with lend(), pytest.raises(psycopg.errors.ActiveSqlTransaction, match="search_path"):
                    value = "plain" if lend is first else BOB
                    sealed.execute(texts.format(name="i", table="people", value=value).encode())
            for lend, name in ((first, "i1"), (second, "i2")):
                with lend():
                    sealed.execute(texts.format(name=name, table="public.people", value=BOB).encode())
                    sealed.execute(texts.format(name=name, table="other.people", value="plain").encode())
        with behind.stack.direct() as direct:
            found = direct.execute("SELECT indexdef FROM pg_indexes WHERE indexname ~ '^i[12]$'").fetchall()
    assert len(found) == 4
    assert sum("'plain'" in definition for (definition,) in found) == 2
