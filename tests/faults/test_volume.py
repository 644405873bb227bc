"""A gigabyte through the proxy, as rows of COPY and as one value, in both directions, without the proxy growing."""

from __future__ import annotations

import hashlib
import socket
import struct
import time
from collections.abc import Callable, Iterator

import pytest

from tests.faults.rig import SECRET, Rig, make_rig, message, startup
from tests.support.servers import Database

pytestmark = pytest.mark.faults

FLAT = 8 << 20
"""Bytes that the proxy's process may grow by: the buffers of both legs and the heap, whatever the load."""
MEGABYTE = 1 << 20
POLICY = "public.wide:\n  email: {type: text, search: equality}\n"


@pytest.fixture
def rig(database: Database) -> Iterator[Rig]:
    """Its table has a sealed column and others, whose values the server keeps as they are: neither in its log, which
    would write a value twice as long, nor compressed. A scan of it begins at its first row."""
    with database.connect() as direct:
        for setting in ("log_statement = none", "synchronize_seqscans = off"):
            direct.execute(f'ALTER DATABASE "{database.dbname}" SET {setting}'.encode())
    with make_rig(database, POLICY, arrange=False) as rig:
        with rig.connect() as connection:
            connection.execute("CREATE UNLOGGED TABLE wide (number int, email text, filler text, body bytea)")
            connection.execute("INSERT INTO wide VALUES (0, 'warm@mail.example', 'warm', 'warm')")
            connection.execute("SELECT * FROM wide").fetchall()
            connection.execute("TRUNCATE wide")
        with database.connect() as direct:
            direct.execute("ALTER TABLE wide ALTER body SET STORAGE EXTERNAL, ALTER filler SET STORAGE EXTERNAL")
        yield rig
        with rig.connect() as connection:
            connection.execute("DROP TABLE wide")


class Growth:
    """Of the proxy's process, at its peak, since this was made."""

    def __init__(self, rig: Rig) -> None:
        assert rig.program is not None
        self._program = rig.program
        self._began = time.monotonic()
        self._resident = rig.process.memory_info().rss

    @property
    def bytes(self) -> int:
        return self._program.peak_rss - self._resident

    def check(self, what: str, size: int) -> None:
        grown, seconds = self.bytes, time.monotonic() - self._began
        before, more = self._resident / MEGABYTE, grown / MEGABYTE
        print(f"{what}: {size >> 20} MB in {seconds:.1f} s, resident set {before:.1f} MB + {more:.1f}")
        assert grown <= FLAT


# -- rows --------------------------------------------------------------------------------------------------------------

FILLER = b"0123456789abcdef" * 60


def text_row(number: int, email: bytes) -> bytes:
    return b"%d\t%b\t%b\t\\N\n" % (number, email, FILLER)


def csv_row(number: int, email: bytes) -> bytes:
    return b"%d,%b,%b,\n" % (number, email, FILLER)


def binary_row(number: int, email: bytes) -> bytes:
    head = struct.pack("!hiii", 4, 4, number, len(email))
    return head + email + struct.pack("!i", len(FILLER)) + FILLER + b"\xff\xff\xff\xff"


FORMATS: dict[str, tuple[bytes, Callable[[int, bytes], bytes], bytes]] = {
    "text": (b"", text_row, b""),
    "csv": (b"", csv_row, b""),
    "binary": (b"PGCOPY\n\xff\r\n\0" + bytes(8), binary_row, b"\xff\xff"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_rows_by_copy_make_the_proxy_no_bigger(rig: Rig, name: str, sizes: Callable[[int, int], int]) -> None:
    head, row, end = FORMATS[name]
    wanted, rows, size = sizes(20 * MEGABYTE, 1024 * MEGABYTE), 0, 0
    sent, received = hashlib.sha256(), hashlib.sha256()
    with rig.connect() as connection:
        growth = Growth(rig)
        with connection.cursor().copy(f"COPY wide FROM STDIN (FORMAT {name})") as copy:
            while size < wanted:
                block = b"".join(row(number, f"{number}.{SECRET}".encode()) for number in range(rows, rows + 1000))
                block = block if rows else head + block
                copy.write(block)
                sent.update(block)
                rows, size = rows + 1000, size + len(block)
                if rows % 32_000 == 0:
                    rig.search_and_forget()
            copy.write(end)
            sent.update(end)
        growth.check(f"COPY FROM STDIN, {name}", size)
        assert connection.execute("SELECT count(*) FROM wide").fetchall() == [(rows,)]
        growth = Growth(rig)
        with connection.cursor().copy(f"COPY wide TO STDOUT (FORMAT {name})") as copy:
            for piece in copy:
                received.update(piece)
        growth.check(f"COPY TO STDOUT, {name}", size)
    assert received.digest() == sent.digest(), "the rows of a table that was written once come in their order"


# -- one value ---------------------------------------------------------------------------------------------------------

BLOCKS = {"text": bytes(range(0x20, 0x60)) * 16384, "binary": bytes(range(256)) * 4096}
"""Format -> a megabyte that may stand in it."""
LARGEST = 0x3FFFFFFF - 24 - 24 - 4
"""Bytes of the largest value that PostgreSQL 18 stores: a row is made in one piece of memory, of MaxAllocSize at most,
behind HeapTupleData (24), its own header with the bitmap of nulls (24) and the header of the value (4). One byte more
is its error XX000."""


LARGEST_LITERAL = (1 << 29) - 1
"""Bytes of the largest literal that PostgreSQL takes."""


class Client:
    """The protocol by hand: a value is sent and received in pieces, and never held."""

    def __init__(self, rig: Rig) -> None:
        self._socket = socket.create_connection(("127.0.0.1", rig.port), timeout=300)
        self._socket.sendall(startup(rig.database.dbname))
        self.answers()

    def close(self) -> None:
        self._socket.close()

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self, size: int) -> bytes:
        pieces = b""
        while len(pieces) < size:
            piece = self._socket.recv(size - len(pieces))
            assert piece, "the connection ended early"
            pieces += piece
        return pieces

    def header(self) -> tuple[bytes, int]:
        """Type of the next message, and the bytes of its body."""
        kind, length = struct.unpack("!ci", self.read(5))
        return kind, length - 4

    def answers(self) -> list[tuple[bytes, bytes]]:
        """Type and body of all messages up to ReadyForQuery."""
        found = []
        while not found or found[-1][0] != b"Z":
            kind, size = self.header()
            found.append((kind, self.read(size)))
        return found

    def digest(self, size: int) -> bytes:
        """SHA-256 of the next bytes."""
        found, view = hashlib.sha256(), memoryview(bytearray(MEGABYTE))
        while size:
            count = self._socket.recv_into(view, min(size, len(view)))
            assert count, "the connection ended early"
            found.update(view[:count])
            size -= count
        return found.digest()


def parse(text: str, *types: int) -> bytes:
    return message(b"P", b"\0" + text.encode() + b"\0" + struct.pack(f"!h{len(types)}i", len(types), *types))


EXECUTE = message(b"E", b"\0" + bytes(4)) + message(b"S")


def test_a_value_that_is_held_to_be_sealed_would_be_noticed(rig: Rig) -> None:
    with rig.connect() as connection:
        growth = Growth(rig)
        connection.execute("INSERT INTO wide (email) VALUES (%b)", ("x" * 10 * MEGABYTE,))
    assert growth.bytes > FLAT


@pytest.mark.parametrize(("form", "column", "oid"), [("binary", "body", 17), ("text", "filler", 25)])
def test_a_value_as_large_as_postgresql_takes_makes_the_proxy_no_bigger(
    rig: Rig, form: str, column: str, oid: int, sizes: Callable[[int, int], int]
) -> None:
    size, sent, code, block = sizes(20 * MEGABYTE, LARGEST), hashlib.sha256(), int(form == "binary"), BLOCKS[form]
    client = Client(rig)
    try:
        growth = Growth(rig)
        client.write(parse(f"INSERT INTO wide ({column}) VALUES ($1)", oid))
        head = b"\0\0" + struct.pack("!hhhi", 1, code, 1, size)
        client.write(b"B" + struct.pack("!i", 4 + len(head) + size + 2) + head)
        for at in range(0, size, len(block)):
            piece = block[: size - at]
            client.write(piece)
            sent.update(piece)
            if at % (32 * MEGABYTE) == 0:
                rig.search_and_forget()
        client.write(b"\0\0" + EXECUTE)
        assert client.answers() == [(b"1", b""), (b"2", b""), (b"C", b"INSERT 0 1\0"), (b"Z", b"I")]
        growth.check(f"INSERT of one value, {form}", size)

        growth = Growth(rig)
        bind = message(b"B", bytes(6) + struct.pack("!hh", 1, code))
        client.write(parse(f"SELECT {column} FROM wide") + bind + EXECUTE)
        assert client.read(10) == message(b"1") + message(b"2")
        assert client.header() == (b"D", 6 + size)
        assert client.read(6) == struct.pack("!hi", 1, size)
        assert client.digest(size) == sent.digest()
        assert client.answers() == [(b"C", b"SELECT 1\0"), (b"Z", b"I")]
        growth.check(f"SELECT of one value, {form}", size)
    finally:
        client.close()


@pytest.mark.parametrize("query", ["INSERT INTO wide (filler) VALUES ('", "INSERT INTO wide (email) VALUES ('"])
def test_a_literal_beyond_the_limit_is_an_error_and_makes_the_proxy_no_bigger(
    rig: Rig, query: str, sizes: Callable[[int, int], int]
) -> None:
    """A Query must be held to be understood, whichever column it is about: PostgreSQL itself takes a literal of
    536,870,911 bytes at most, because its scanner doubles what holds it."""
    size, block = sizes(65 * MEGABYTE, LARGEST_LITERAL), BLOCKS["text"].replace(b"'", b" ")
    client = Client(rig)
    try:
        growth = Growth(rig)
        client.write(b"Q" + struct.pack("!i", 4 + len(query) + size + 3) + query.encode())
        for at in range(0, size, len(block)):
            client.write(block[: size - at])
        client.write(b"')\0")
        (kind, error), ready = client.answers()
        assert (kind, ready) == (b"E", (b"Z", b"I"))
        assert b"\0C54000\0" in error
        assert b"Parameters, rows and COPY without sealed values have none." in error
        growth.check("a literal that is refused", size)
        client.write(message(b"Q", b"SELECT count(*) FROM wide\0"))
        assert (b"D", struct.pack("!hi", 1, 1) + b"0") in client.answers()
    finally:
        client.close()
