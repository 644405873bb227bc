"""10,000 random and mutated frames at each of the two sockets, before and after authentication.

Demanded each time: no crash, no hang, no plaintext upstream, and the proxy serves the next honest client.
"""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.support import servers
from tests.support.servers import Server
from tests.support.stack import Stack, running

FRAMES = 10_000
PER_CONNECTION = 100
SECRET = "hostile.canary@mail.example"
POLICY = "public.people:\n  email: {type: text, search: equality}\n  born: {type: date, search: order}\n"


def frame(kind: bytes, payload: bytes) -> bytes:
    return kind + struct.pack("!i", len(payload) + 4) + payload


def cstr(text: str) -> bytes:
    return text.encode() + b"\0"


def startup(database: str) -> bytes:
    payload = struct.pack("!i", 196608) + cstr("user") + cstr("postgres") + cstr("database") + cstr(database) + b"\0"
    return struct.pack("!i", len(payload) + 4) + payload


SECRET_BYTES = SECRET.encode()
INSERT = "INSERT INTO people (id, email, born) VALUES ($1, $2, $3)"
CLIENT_FRAMES = [
    frame(b"Q", cstr(f"SELECT * FROM people WHERE email = '{SECRET}'")),
    frame(b"Q", cstr(f"UPDATE people SET email = '{SECRET}', born = '1987-03-14'; SELECT 1")),
    frame(b"P", cstr("s1") + cstr(INSERT) + struct.pack("!h3i", 3, 23, 25, 1082)),
    frame(b"P", cstr("") + cstr("SELECT id FROM people WHERE email = $1") + struct.pack("!h", 0)),
    frame(b"B", cstr("") + cstr("") + struct.pack("!hhi", 0, 1, len(SECRET)) + SECRET_BYTES + struct.pack("!h", 0)),
    frame(
        b"B",
        cstr("p1")
        + cstr("s1")
        + struct.pack("!hhhhh", 3, 1, 0, 1, 3)
        + struct.pack("!ii", 4, 7)
        + struct.pack("!i", len(SECRET))
        + SECRET_BYTES
        + struct.pack("!ii", 4, -4676)
        + struct.pack("!hh", 1, 1),
    ),
    frame(b"D", b"S" + cstr("s1")),
    frame(b"D", b"P" + cstr("")),
    frame(b"E", cstr("") + struct.pack("!i", 0)),
    frame(b"E", cstr("p1") + struct.pack("!i", 2)),
    frame(b"C", b"S" + cstr("s1")),
    frame(b"C", b"P" + cstr("p1")),
    frame(b"S", b""),
    frame(b"H", b""),
    frame(b"d", SECRET_BYTES),
    frame(b"c", b""),
    frame(b"f", cstr("no more")),
    frame(b"F", struct.pack("!ihhh", 1, 0, 0, 0)),
    frame(b"p", cstr("password")),
]
SERVER_FRAMES = [
    frame(b"R", struct.pack("!i", 0)),
    frame(b"R", struct.pack("!i", 10) + cstr("SCRAM-SHA-256-PLUS") + cstr("SCRAM-SHA-256") + b"\0"),
    frame(b"S", cstr("client_encoding") + cstr("UTF8")),
    frame(b"S", cstr("TimeZone") + cstr("Europe/Berlin")),
    frame(b"K", struct.pack("!ii", 1, 2)),
    frame(b"Z", b"I"),
    frame(b"Z", b"T"),
    frame(b"Z", b"E"),
    frame(b"1", b""),
    frame(b"2", b""),
    frame(b"3", b""),
    frame(b"n", b""),
    frame(b"s", b""),
    frame(b"I", b""),
    frame(b"t", struct.pack("!hii", 2, 17, 17)),
    frame(b"T", struct.pack("!h", 1) + cstr("email") + struct.pack("!ihihih", 16400, 2, 17, -1, -1, 0)),
    frame(b"D", struct.pack("!hi", 1, 6) + b"\xe1\x02\x00\x00\x00\x01"),
    frame(b"D", struct.pack("!hi", 1, -1)),
    frame(b"C", cstr("SELECT 1")),
    frame(b"E", b"S" + cstr("ERROR") + b"C" + cstr("42P01") + b"M" + cstr("no") + b"\0"),
    frame(b"N", b"S" + cstr("NOTICE") + b"C" + cstr("00000") + b"M" + cstr("hm") + b"\0"),
    frame(b"A", struct.pack("!i", 5) + cstr("channel") + cstr("payload")),
    frame(b"G", struct.pack("!bhh", 0, 1, 0)),
    frame(b"H", struct.pack("!bhh", 0, 1, 0)),
    frame(b"d", b"a\tb\n"),
    frame(b"c", b""),
    frame(b"V", struct.pack("!i", -1)),
    frame(b"v", struct.pack("!ii", 0, 0)),
]


def mutate(rng: random.Random, frames: list[bytes]) -> bytes:
    """A frame as it is, damaged, or made of noise."""
    choice = rng.random()
    if choice < 0.25:
        return rng.choice(frames)
    if choice < 0.35:
        return frame(bytes([rng.randrange(256)]), rng.randbytes(rng.randrange(40)))
    if choice < 0.45:
        return rng.randbytes(rng.randrange(1, 60))
    data = bytearray(rng.choice(frames))
    for _ in range(rng.randrange(1, 4)):
        place = rng.randrange(len(data)) if data else 0
        what = rng.randrange(5)
        if what == 0 and data:
            data[place] = rng.randrange(256)
        elif what == 1:
            data[place:place] = rng.randbytes(rng.randrange(1, 5))
        elif what == 2 and data:
            del data[place : place + rng.randrange(1, 5)]
        elif what == 3 and len(data) >= 5:
            data[1:5] = struct.pack(
                "!i", rng.choice([0, 3, 4, 5, -1, 2**31 - 1, 1 << 20, len(data), rng.randrange(200)])
            )
        else:
            data = data[: max(1, place)]
    return bytes(data)


def talk(address: tuple[str, int], chunks: list[bytes]) -> bytes:
    """Sends, half-closes, and reads to the end. A hang is a time-out, and so a failure."""
    with socket.create_connection(address, timeout=20) as client:
        with contextlib.suppress(OSError):
            for chunk in chunks:
                client.sendall(chunk)
            client.shutdown(socket.SHUT_WR)
        received = b""
        with contextlib.suppress(ConnectionError):
            while data := client.recv(65536):
                received += data
        return received


@pytest.fixture(scope="module")
def stack(pg18: Server) -> Iterator[Stack]:
    with servers.fresh_database(pg18) as database, running(database, POLICY) as stack:
        with stack.connect() as connection:
            connection.execute("CREATE TABLE people (id int, email text, born date)")
        stack.canary(SECRET)
        yield stack
        with stack.connect() as connection:
            assert connection.execute("SELECT count(*) >= 0 FROM people WHERE email = %s", (SECRET,)).fetchone() == (
                True,
            )


def test_noise_before_authentication(stack: Stack) -> None:
    rng = random.Random(1)
    first = [startup(stack.database.dbname), struct.pack("!ii", 8, 80877103), struct.pack("!ii", 8, 80877104)]
    for _ in range(FRAMES // PER_CONNECTION):
        opening = [] if rng.random() < 0.5 else [mutate(rng, first)]
        talk((stack.host, stack.port), opening + [mutate(rng, CLIENT_FRAMES + first) for _ in range(PER_CONNECTION)])


def test_mutated_frames_after_authentication(stack: Stack) -> None:
    rng = random.Random(2)
    for _ in range(FRAMES // 10):
        frames = [mutate(rng, CLIENT_FRAMES) for _ in range(10)]
        answer = talk((stack.host, stack.port), [startup(stack.database.dbname), *frames])
        assert answer[:1] in (b"R", b"E")  # E: the damage was seen before the server had answered the start-up


@pytest.mark.parametrize("authenticated", [False, True], ids=["before authentication", "after authentication"])
def test_a_hostile_server(pg18: Server, *, authenticated: bool) -> None:
    rng = random.Random(3)
    welcome = frame(b"R", struct.pack("!i", 0)) + frame(b"K", struct.pack("!ii", 1, 2)) + frame(b"Z", b"I")

    def script() -> list[bytes]:
        return [welcome] * authenticated + [mutate(rng, SERVER_FRAMES) for _ in range(PER_CONNECTION)]

    with (
        servers.fresh_database(pg18) as database,
        hostile_server(script) as port,
        running(database, POLICY, upstream=("127.0.0.1", port)) as stack,
    ):
        stack.canary(SECRET)
        for _ in range(FRAMES // PER_CONNECTION):
            questions = [rng.choice(CLIENT_FRAMES) for _ in range(5)] if authenticated else []
            talk((stack.host, stack.port), [startup(database.dbname), *questions])


@contextlib.contextmanager
def hostile_server(script: Callable[[], list[bytes]]) -> Iterator[int]:
    """Accepts, waits for the first bytes, says what `script` gives, half-closes, and reads to the end."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer, contextlib.suppress(OSError):
                peer.settimeout(20)
                peer.recv(65536)
                for chunk in script():
                    peer.sendall(chunk)
                peer.shutdown(socket.SHUT_WR)
                while peer.recv(65536):
                    pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)
