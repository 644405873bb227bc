"""The server goes: killed in a transaction, in a COPY, in a result; down, starting up, full, half-open."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from proxy.session.startup import fatal_response
from tests.faults.rig import POLICY, SAYABLE, SECRET, Rig, Writers, make_rig, message, proxy_alone, startup, vanish
from tests.support.servers import Database, Server

pytestmark = pytest.mark.faults

QUICK = 3.0
"""Seconds within which a client knows that there is no server."""


def kill(server: Server) -> None:
    """A server process dies; when this returns the server has told the others to end, with 57P02, and recovers."""
    direct = psycopg.connect(server.dsn(), autocommit=True)
    row = direct.execute("SELECT pid FROM pg_stat_activity WHERE datname LIKE 't\\_%' LIMIT 1").fetchone()
    assert row is not None
    os.kill(row[0], signal.SIGKILL)
    assert select.select([direct], [], [], 30)[0], "nobody was told"
    direct.close()


def wait_until_up(server: Server) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(server.dsn()).close()
            return
    pytest.fail("the server has not recovered")


def test_server_processes_die_under_load(rig: Rig, own_server: Server, sizes: Callable[[int, int], int]) -> None:
    with Writers(rig) as writers:
        for _ in range(sizes(2, 10)):
            writers.wait_for(20)
            kill(own_server)
            wait_until_up(own_server)
        writers.wait_for(20)
    writers.ledger.assert_kept(rig.database)
    writers.ledger.assert_sayable()
    assert writers.ledger.errors
    rig.assert_nothing_is_stuck()
    rig.assert_serves()


def test_the_server_dies_in_a_copy(rig: Rig, own_server: Server) -> None:
    with (
        rig.connect() as connection,
        pytest.raises(psycopg.OperationalError) as caught,
        connection.cursor().copy("COPY ledger FROM STDIN") as copy,
    ):
        copy.write_row((1, 1, SECRET))
        kill(own_server)
        while True:
            copy.write_row((1, 2, SECRET))
    assert caught.value.sqlstate in SAYABLE
    wait_until_up(own_server)
    with rig.connect() as connection:
        assert connection.execute("SELECT count(*) FROM ledger").fetchone() == (0,)
    rig.assert_nothing_is_stuck()


def test_the_server_dies_in_a_result(rig: Rig, own_server: Server) -> None:
    with rig.connect() as connection:
        connection.execute("INSERT INTO ledger VALUES (1, 1, %s)", (SECRET,))
        seen = 0
        with pytest.raises(psycopg.OperationalError) as caught:
            for row in connection.cursor().stream("SELECT email FROM ledger, generate_series(1, 10000000)"):
                assert row == (SECRET,)
                seen += 1
                if seen == 100:
                    kill(own_server)
        assert caught.value.sqlstate in SAYABLE
        assert connection.closed
    wait_until_up(own_server)
    rig.assert_nothing_is_stuck()
    rig.assert_serves()


def test_a_server_that_is_down_is_a_quick_error_and_one_that_is_back_is_served(rig: Rig) -> None:
    rig.thread.run(rig.tap.stop())
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", rig.port), timeout=30) as client:
        client.sendall(startup(rig.database.dbname))
        received = client.recv(4096)
        assert received[:1] == b"E"
        assert b"C08001\0" in received
        assert client.recv(1) == b""
    assert time.monotonic() - began < QUICK
    rig.thread.run(rig.tap.start())
    rig.assert_serves()


@contextlib.contextmanager
def answering(*answers: bytes) -> Iterator[int]:
    """A server that gives the same answer to every StartupMessage and ends its direction, but goes on reading."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer = listener.accept()[0]
                    with peer, contextlib.suppress(OSError):
                        peer.settimeout(30)
                        peer.recv(4096)
                        peer.sendall(b"".join(answers))
                        peer.shutdown(socket.SHUT_WR)
                        while peer.recv(4096):
                            pass

        pool.submit(serve)
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)


REFUSALS = {
    "57P03": "the database system is starting up",
    "57P01": "terminating connection due to administrator command",
    "53300": "sorry, too many clients already",
    "3D000": 'database "shop" does not exist',
    "28000": "no pg_hba.conf entry",
}


@pytest.mark.parametrize("sqlstate", REFUSALS)
def test_what_a_server_says_in_place_of_a_greeting_reaches_the_client(database: Database, sqlstate: str) -> None:
    said = fatal_response(sqlstate, REFUSALS[sqlstate])
    with answering(said) as port:
        assert through(database, port, b"") == said


def through(database: Database, port: int, sent: bytes) -> bytes:
    """All that a client gets from the proxy in front of the server at `port`."""
    with make_rig(database, POLICY, upstream=("127.0.0.1", port), arrange=False) as rig:
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", rig.port), timeout=30) as client:
            client.sendall(startup(database.dbname) + sent)
            received = b""
            while piece := client.recv(4096):
                received += piece
        assert time.monotonic() - began < QUICK
        return received


def test_a_server_that_ends_its_direction_ends_the_client(database: Database) -> None:
    greeting = message(b"R", b"\0\0\0\0") + message(b"K", b"\0\0\0\1\0\0\0\2") + message(b"Z", b"I")
    with answering(greeting) as port:
        received = through(database, port, message(b"Q", b"SELECT 1\0"))
    assert received.startswith(greeting)
    assert b"C08006\0" in received[len(greeting) :]


def test_a_server_that_vanishes_ends_the_client() -> None:
    """As one that is cut off from the network while its client waits for an answer."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        proxy_alone("", ("127.0.0.1", listener.getsockname()[1])) as (_, port),
        socket.create_connection(("127.0.0.1", port), timeout=30) as client,
    ):
        client.sendall(startup("shop"))
        server = listener.accept()[0]
        assert server.recv(4096)
        vanish(server)
        received = b""
        while piece := client.recv(4096):
            received += piece
    assert received[:1] == b"E"
    assert b"C08006\0" in received


def test_a_full_server_refuses_in_its_own_words_and_a_storm_passes(rig: Rig, sizes: Callable[[int, int], int]) -> None:
    """Far more clients at once than the server takes: each gets in or is told 53300, and none is left over."""

    def come(_: int) -> str | None:
        try:
            with rig.connect() as connection:
                connection.execute("SELECT email FROM ledger WHERE email = %s", (SECRET,))
        except psycopg.OperationalError as error:
            # libpq gives no SQLSTATE for a connection that did not come about
            return (
                "53300"
                if "too many clients" in str(error) or "remaining connection slots" in str(error)
                else str(error)
            )
        return None

    with ThreadPoolExecutor(100) as pool:
        outcomes = list(pool.map(come, range(sizes(300, 3000))))
    assert set(outcomes) <= {None, "53300"}
    assert None in outcomes
    rig.assert_nothing_is_stuck()
    rig.assert_serves()
