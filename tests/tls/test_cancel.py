"""Cancel requests among several sessions over TLS, before two workers: they reach the one that is meant, or none."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.support.raw_client import CANCEL, Raw
from tests.tls.conftest import World
from tests.tls.negotiation import SSL
from tests.tls.serving import PATIENCE, Served, serving

SESSIONS = 6
WAITING = """
SELECT objid::integer FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY 1
"""


@pytest.fixture
def served(world: World) -> Iterator[Served]:
    with serving(world, 2) as found:
        yield found


@contextlib.contextmanager
def encrypted(served: Served) -> Iterator[ssl.SSLSocket]:
    with socket.create_connection(("127.0.0.1", served.port), PATIENCE) as sock:
        sock.sendall(SSL)
        assert sock.recv(1) == b"S"
        with served.world.authority.client_context().wrap_socket(sock, server_hostname="127.0.0.1") as wrapped:
            yield wrapped


def request(served: Served, key: bytes, *, tls: bool = True) -> None:
    """A CancelRequest with `key` (process id and secret), and its end, which is the only answer."""
    with encrypted(served) if tls else socket.create_connection(("127.0.0.1", served.port), PATIENCE) as sock:
        sock.sendall(struct.pack("!ii", 8 + len(key), CANCEL) + key)
        assert sock.recv(1) == b""


class Crowd:
    """Sessions that wait for locks which `owner` holds."""

    def __init__(self, served: Served, owner: psycopg.Connection[tuple[object, ...]], version: int) -> None:
        self._owner = owner
        self._stack = contextlib.ExitStack()
        self.sessions = [
            Raw(self._stack.enter_context(encrypted(served)), "postgres", "postgres", version) for _ in range(SESSIONS)
        ]
        owner.execute("SELECT pg_advisory_lock(n) FROM generate_series(0, %s) AS n", (SESSIONS - 1,))

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def ask(self, number: int) -> None:
        self.sessions[number].query(f"SELECT pg_advisory_xact_lock({number})::text")

    def wait_for(self, numbers: list[int]) -> None:
        """Until those and no others wait."""
        while [number for (number,) in self._owner.execute(WAITING).fetchall()] != numbers:
            pass

    def answer(self, number: int) -> bytes:
        """CommandComplete, or the error."""
        return next(body for kind, body in self.sessions[number].until(b"Z") if kind in (b"C", b"E"))


@pytest.fixture(params=[0x30000, 0x30002], ids=["3.0", "3.2"])
def crowd(served: Served, request: pytest.FixtureRequest) -> Iterator[Crowd]:
    with (
        psycopg.connect(served.world.server.dsn(), autocommit=True) as owner,
        Crowd(served, owner, request.param) as found,
    ):
        everybody = list(range(SESSIONS))
        for number in everybody:
            found.ask(number)
        found.wait_for(everybody)
        is_long = request.param == 0x30002 and served.world.server.version >= 18
        assert {len(one.key) for one in found.sessions} == {4 + (32 if is_long else 4)}
        yield found
        found.wait_for(everybody)
        owner.execute("SELECT pg_advisory_unlock_all()")
        for number in everybody:
            assert found.answer(number) == b"SELECT 1\0"


def test_each_reaches_its_own_session_and_no_other(served: Served, crowd: Crowd) -> None:
    """Often enough to be taken by either worker."""
    for turn in range(3):
        for number in range(SESSIONS):
            request(served, crowd.sessions[number].key, tls=turn < 2)
            assert b"C57014\0" in crowd.answer(number)
            crowd.wait_for([other for other in range(SESSIONS) if other != number])
            crowd.ask(number)
            crowd.wait_for(list(range(SESSIONS)))


def test_one_with_another_key_does_nothing(served: Served, crowd: Crowd) -> None:
    before = served.world.server.log_size()
    first, second = (one.key for one in crowd.sessions[:2])
    pid, secret = first[:4], first[4:]
    wrong = [secret[:-1] + bytes((secret[-1] ^ 1,)), second[4:], bytes(len(secret))]
    nobody = struct.pack("!i", 2**31 - 1) + secret
    other_sizes = [pid, pid + secret[:-1], pid + secret + b"x", pid + b"k" * 256, pid + b"k" * 257]
    for tls in (True, False):
        for key in (*(pid + one for one in wrong), nobody, *other_sizes):
            request(served, key, tls=tls)
    log = served.world.server.log_since(before)
    refused = b"wrong key in cancel request for process %d" % int.from_bytes(pid, "big")
    assert log.count(refused) >= 2 * len(wrong)


def test_psycopg_cancels_several_at_once(served: Served) -> None:
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(SESSIONS) as pool:
        owner = stack.enter_context(psycopg.connect(served.world.server.dsn(), autocommit=True))
        owner.execute("SELECT pg_advisory_lock(7)")
        connections = [stack.enter_context(served.connect()) for _ in range(SESSIONS)]
        query = "SELECT pg_advisory_xact_lock(7)::text"
        running = [pool.submit(connection.execute, query) for connection in connections]
        while len(owner.execute(WAITING).fetchall()) < SESSIONS:
            pass
        for connection in connections[1::2]:
            connection.cancel_safe(timeout=PATIENCE)
        for one in running[1::2]:
            assert isinstance(one.exception(PATIENCE), psycopg.errors.QueryCanceled)
        assert len(owner.execute(WAITING).fetchall()) == SESSIONS // 2
        owner.execute("SELECT pg_advisory_unlock(7)")
        for one in running[::2]:
            assert one.result(PATIENCE).fetchall() == [("",)]
