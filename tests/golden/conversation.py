"""Byte-level conversations: a script of what a client sends, played against an address, gives a trace."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from proxy.wire import messages
from proxy.wire.messages import message

TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Step:
    """Bytes to send, in one piece or byte by byte, and the answer that is waited for before the next step: a message
    of type `until`, for the `times`-th time."""

    sent: bytes
    until: str = "Z"
    times: int = 1
    bytewise: bool = False


Script = Sequence[Step]


def startup(user: str, database: str, *more: str) -> bytes:
    words = ("user", user, "database", database, "application_name", "golden", *more)
    body = struct.pack("!i", 196608) + b"".join(word.encode() + b"\0" for word in words) + b"\0"
    return struct.pack("!i", len(body) + 4) + body


class Player:
    """One connection. Messages are read whole, up to the one that a step waits for."""

    def __init__(self, host: str, port: int, timeout: float = TIMEOUT) -> None:
        if host.startswith("/"):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(timeout)
            self._socket.connect(f"{host}/.s.PGSQL.{port}")
        else:
            self._socket = socket.create_connection((host, port), timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self._socket.makefile("rb")

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def step(self, step: Step) -> list[bytes]:
        """The messages that answer it. An end of the stream is b""."""
        width = 1 if step.bytewise else max(len(step.sent), 1)
        self.send(*(step.sent[at : at + width] for at in range(0, len(step.sent), width)))
        got: list[bytes] = []
        left = step.times
        while left:
            raw = self.message()
            got.append(raw)
            if not raw:
                break
            left -= raw[:1] == step.until.encode()
        return got

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self._socket.sendall(piece)

    def message(self) -> bytes:
        """The next message; an end of the stream is b""."""
        head = self._stream.read(5)
        if not head:
            return b""
        (length,) = struct.unpack("!i", head[1:])
        return head + self._stream.read(length - 4)


def play(host: str, port: int, user: str, database: str, script: Script) -> list[list[bytes]]:
    """Start-up and every step: the messages that came, with what differs from one connection to the next named."""
    player = Player(host, port)
    try:
        return [[comparable(raw) for raw in player.step(step)] for step in (Step(startup(user, database)), *script)]
    finally:
        player.close()


def comparable(raw: bytes) -> bytes:
    """The message without what is another in every connection: process id and secret key of BackendKeyData, and the
    process id in a notification. All else must be the same."""
    if raw[:1] == b"K":
        return raw[:5] + bytes(len(raw) - 5)
    if raw[:1] == b"A":
        return raw[:5] + bytes(4) + raw[9:]
    return raw


def agree(golden: bytes, through: bytes) -> bool:
    """Whether a message is the golden one. An error that the proxy raises in the server's place, word for word, does
    not name a place in PostgreSQL's source (fields F, L and R)."""
    if golden == through or golden[:1] != b"E" or through[:1] != b"E":
        return golden == through
    expected, got = messages.parse_fields(golden), messages.parse_fields(through)
    return messages.field(got, b"F") is None and [one for one in expected if one[0] not in _PLACE] == got


_PLACE = (b"F", b"L", b"R")

# -- words for scripts -------------------------------------------------------------------------------------------------

SYNC, FLUSH = messages.SYNC, messages.FLUSH


def query(text: str) -> bytes:
    return messages.build_query(text.encode())


def copy_data(*pieces: bytes) -> bytes:
    return b"".join(message(b"d", piece) for piece in pieces)


def function_call(oid: int, *arguments: bytes | None, binary: bool = True) -> bytes:
    packed = b"".join(struct.pack("!i", -1) if one is None else struct.pack("!i", len(one)) + one for one in arguments)
    head = struct.pack("!iHHH", oid, 1, int(binary), len(arguments))
    return message(b"F", head, packed, struct.pack("!H", int(binary)))
