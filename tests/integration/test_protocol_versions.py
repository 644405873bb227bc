"""One protocol version for both legs: the answers are those of the server behind, byte for byte."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.support.raw_client import CANCEL, Raw
from tests.support.servers import Database
from tests.support.stack import Stack, running

POLICY = "public.people:\n  email: {type: text, search: equality}\n"


@pytest.fixture(params=[POLICY, ""], ids=["policy", "no policy"])
def stack(request: pytest.FixtureRequest, database: Database) -> Iterator[Stack]:
    with running(database, request.param) as running_stack:
        yield running_stack


@contextmanager
def through(stack: Stack, version: int, *options: str) -> Iterator[Raw]:
    with socket.create_connection((stack.host, stack.port)) as sock:
        yield Raw(sock, stack.database.server.user, stack.database.dbname, version, *options)


@contextmanager
def directly(stack: Stack, version: int, *options: str) -> Iterator[Raw]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(f"{stack.database.host}/.s.PGSQL.{stack.database.port}")
        yield Raw(sock, stack.database.server.user, stack.database.dbname, version, *options)


@pytest.mark.parametrize("version", [0x30000, 0x30001, 0x30002, 0x3270F])
@pytest.mark.parametrize("options", [(), ("_pq_.grease",), ("_pq_.one", "_pq_.two")], ids=len)
def test_the_negotiation_is_that_of_the_server(stack: Stack, version: int, options: tuple[str, ...]) -> None:
    with directly(stack, version, *options) as direct, through(stack, version, *options) as proxied:
        assert [message for message in proxied.start if message[0] != b"K"] == [
            message for message in direct.start if message[0] != b"K"
        ]
        assert len(proxied.key) == len(direct.key)
        longer = stack.database.server.version >= 18 and version >= 0x30002
        assert (len(proxied.key) > 8) is longer
        proxied.query("SELECT 1")
        assert [kind for kind, _ in proxied.until(b"Z")] == [b"T", b"D", b"C", b"Z"]


@pytest.mark.parametrize("version", [0x30000, 0x30002])
def test_a_cancel_key_of_any_length_reaches_the_right_backend(stack: Stack, version: int) -> None:
    with through(stack, version) as client:
        client.query("SELECT pg_sleep(60)")
        with stack.direct() as watcher:
            watcher.execute(
                "DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
                f" AND datname = '{stack.database.dbname}' AND wait_event = 'PgSleep') LOOP"
                " PERFORM pg_stat_clear_snapshot(); END LOOP; END $$"
            )
        with socket.create_connection((stack.host, stack.port)) as canceller:
            canceller.sendall(struct.pack("!ii", 8 + len(client.key), CANCEL) + client.key)
            assert canceller.recv(1) == b""
        (error,) = [body for kind, body in client.until(b"Z") if kind == b"E"]
        assert b"C57014\0" in error


@pytest.mark.parametrize("version", ["3.0", "3.2", "latest"])
def test_libpq_18_gets_the_version_it_may_have(stack: Stack, version: str) -> None:
    with stack.connect(max_protocol_version=version) as connection:
        wanted = 30002 if stack.database.server.version >= 18 and version != "3.0" else 30000
        assert connection.pgconn.full_protocol_version == wanted
        assert connection.execute("SELECT %s::int", (7,)).fetchone() == (7,)
    if stack.database.server.version < 18:
        with pytest.raises(psycopg.OperationalError, match=r"3\.0"):
            stack.connect(min_protocol_version="3.2", max_protocol_version="3.2")
