"""Memory of the proxy's process: of connections that do nothing, and under a reader that is slow."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests.faults.rig import Rig, message, proxy_alone, startup

pytestmark = pytest.mark.faults

BYTES_PER_CONNECTION = 40 * 1024
GREETING = b"".join(
    (
        message(b"R", struct.pack("!i", 0)),
        *(
            message(b"S", f"{name}\0{value}\0".encode())
            for name, value in {
                "client_encoding": "UTF8",
                "DateStyle": "ISO, MDY",
                "IntervalStyle": "postgres",
                "TimeZone": "Etc/UTC",
                "application_name": "",
                "default_transaction_read_only": "off",
                "in_hot_standby": "off",
                "integer_datetimes": "on",
                "is_superuser": "on",
                "scram_iterations": "4096",
                "search_path": '"$user", public',
                "server_encoding": "UTF8",
                "server_version": "18.1",
                "session_authorization": "postgres",
                "standard_conforming_strings": "on",
            }.items()
        ),
        message(b"K", struct.pack("!ii", 1, 2)),
        message(b"Z", b"I"),
    )
)


class Greeter(threading.Thread):
    """A server that answers the start-up as PostgreSQL 18 does, and says no more."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.selector = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self.listener.getsockname()[1]
        self.selector.register(self.listener, selectors.EVENT_READ)

    def run(self) -> None:
        while self.listener.fileno() >= 0:
            for key, _ in self.selector.select(timeout=0.2):
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                if sock is self.listener:
                    with contextlib.suppress(OSError):
                        self.selector.register(sock.accept()[0], selectors.EVENT_READ)
                elif sock.recv(4096):
                    sock.sendall(GREETING)
                else:
                    self._close(sock)
        for key in list(self.selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                self._close(key.fileobj)

    def _close(self, sock: socket.socket) -> None:
        self.selector.unregister(sock)
        sock.close()


@pytest.fixture
def greeter() -> Iterator[int]:
    """Its port."""
    server = Greeter()
    server.start()
    yield server.port
    server.selector.unregister(server.listener)
    server.listener.close()
    server.join(30)


@pytest.mark.parametrize(
    "policy", ["", "public.ledger:\n  email: {type: text, search: equality}\n"], ids=["none", "policy"]
)
def test_an_idle_connection_costs_little(
    greeter: int, policy: str, sizes: Callable[[int, int], int], record_property: Callable[[str, object], None]
) -> None:
    clients: list[socket.socket] = []
    with proxy_alone(policy, ("127.0.0.1", greeter)) as (program, port):
        process = psutil.Process(program.process.pid)
        try:
            connect(clients, port, 100)  # what the first connections bring in is not theirs
            before, count = process.memory_info().rss, sizes(500, 5000)
            connect(clients, port, count)
            each = (process.memory_info().rss - before) / count
            record_property("bytes per idle connection", each)
            print(f"{count} idle connections: {each / 1024:.1f} KB each")
            assert each <= BYTES_PER_CONNECTION
        finally:
            for client in clients:
                client.close()


def connect(clients: list[socket.socket], port: int, count: int) -> None:
    """So many more, a hundred at a time, each up to its ReadyForQuery."""
    while count > 0:
        new = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(min(count, 100))]
        count -= len(new)
        for client in new:
            client.sendall(startup("shop"))
        for client in new:
            received = b""
            while not received.endswith(message(b"Z", b"I")):
                received += client.recv(4096)
        clients += new


QUERIES = {
    "plain": ("SELECT g FROM generate_series(1, {rows}) g", 500_000, 10_000_000),
    "sealed": ("SELECT email FROM ledger CROSS JOIN generate_series(1, {rows}) g", 30_000, 500_000),
}


@pytest.mark.parametrize("kind", QUERIES)
def test_a_slow_reader_of_many_rows_makes_the_proxy_no_bigger(
    rig: Rig, kind: str, sizes: Callable[[int, int], int]
) -> None:
    text, short, long = QUERIES[kind]
    rows = sizes(short, long)
    with rig.connect() as connection:
        connection.execute("INSERT INTO ledger VALUES (1, 1, %s)", ("x" * 200,))
    rig.tap.sent.clear()
    with contextlib.closing(socket.socket()) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 * 1024)
        client.settimeout(60)
        client.connect(("127.0.0.1", rig.port))
        client.sendall(startup(rig.database.dbname) + message(b"Q", text.format(rows=rows).encode() + b"\0"))
        start = peak = 0
        tail, size = b"", 0
        while not (tail.endswith(message(b"Z", b"I")) and size > 1000):
            piece = client.recv(16 * 1024)
            assert piece, "the connection ended early"
            size += len(piece)
            tail = (tail + piece)[-64:]
            if size >> 17 != (size - len(piece)) >> 17:
                resident = rig.process.memory_info().rss
                start = start or resident
                peak = max(peak, resident)
        assert f"SELECT {rows}".encode() in tail
    print(f"{rows} rows, {size >> 20} MB: resident set from {start >> 20} to {peak >> 20} MB")
    assert start > 0
    assert peak - start < 8 << 20
