"""Framing: a stream of bytes -> messages of the frontend/backend protocol, version 3.

Every message after start-up is a type byte, an Int32 length that counts itself, and a body ("Message Formats" in the
manual). The splitter knows no message's meaning. It knows which lengths a type may have, and it is told which types
*pass*: a run of them comes out as one slice, and a large one is handed on as it arrives. All others are collected
whole, up to a bound, because somebody has to look into them.

    Run(bytes)          bytes to forward as they are: whole messages that pass, or a part of one
    Frame(type, raw)    one whole message, header included
    Batch(type, raw)    one or more whole messages of a type that is *gathered*, which somebody looks into together
    Stream(type, raw)   bytes of bodies, without headers, of messages of a type that is *streamed*: where one ends means
                        nothing
    Head(type, ...)     the beginning of a large message of a type in `heads`: pass_frame() lets it through, else it is
                        collected
    Oversized(type)     a message above the bound that would have to be collected; its bytes are skipped

Feeding byte by byte gives the same bytes in the same order as feeding all at once.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final, NamedTuple

from proxy.errors import ProtocolViolation, UnexpectedType

HEADER: Final = 5
BIG: Final = 64 * 1024
"""Bytes above which a message of a type in `heads` is first shown by its head."""
HEAD_BYTES: Final = 4 * 1024
MAX_MESSAGE: Final = 64 * 1024 * 1024
"""Default bound for a message that has to be collected."""

_SMALL: Final = 10_000  # PQ_SMALL_MESSAGE_LIMIT
_LARGE: Final = 0x3FFFFFFF - 1  # PQ_LARGE_MESSAGE_LIMIT
_TOKEN: Final = 65_535  # PG_MAX_AUTH_TOKEN_LENGTH
_ANY: Final = 0x7FFFFFFF

Lengths = Mapping[str, tuple[int, int]]
"""Type -> least and greatest value of the length word."""

CLIENT_LENGTHS: Final[Lengths] = {
    **dict.fromkeys("QPBFd", (4, _LARGE)),
    **dict.fromkeys("DECSHcfX", (4, _SMALL)),
    "p": (4, _TOKEN),
}
"""What a server accepts of a client: SocketBackend() in `src/backend/tcop/postgres.c`. A body that is too short or too
long for its type is an ordinary error, and no violation."""

SERVER_LENGTHS: Final[Lengths] = {
    **dict.fromkeys("123nsIc", (4, 4)),
    "Z": (5, 5),
    "R": (8, _SMALL + _TOKEN),
    "K": (12, 4 + 4 + 256),
    "S": (6, _ANY),
    "v": (12, _ANY),
    **dict.fromkeys("ENC", (5, _ANY)),
    "A": (10, _ANY),
    "T": (6, _ANY),
    "t": (6, _ANY),
    "D": (6, _ANY),
    "d": (4, _ANY),
    "G": (7, _ANY),
    "H": (7, _ANY),
    "W": (7, _ANY),
    "V": (8, _ANY),
}


def lengths_of(lengths: Lengths, types: str) -> dict[int, tuple[int, int]]:
    """Those of some types, which are known by their byte."""
    return {ord(kind): lengths[kind] for kind in types}


class Run(bytes):
    """Bytes to forward as they are."""

    __slots__ = ()


class Frame(NamedTuple):
    """One whole message. `raw` includes type and length; the body begins at HEADER."""

    type: int
    raw: bytes


class Batch(Frame):
    """Whole messages of one type, one behind the other."""

    __slots__ = ()


class Stream(Frame):
    """The next bytes of the bodies of one or more messages of one type; headers are left out."""

    __slots__ = ()


class Head(NamedTuple):
    """The first bytes of a large message; `size` counts the whole of it with its header."""

    type: int
    size: int
    raw: bytes


class Oversized(NamedTuple):
    """A message of `size` bytes that is too large to be collected and was left out."""

    type: int
    size: int


Item = Run | Frame | Head | Oversized

MessageRun = Callable[[bytes, int, int, int, int], int]
"""data, offset, type, least and greatest length word -> where the whole messages end that begin there"""

_LENGTH: Final = struct.Struct("!i")


@cache
def _table(lengths: tuple[tuple[str, tuple[int, int]], ...]) -> tuple[tuple[int, int] | None, ...]:
    """By type; one for all connections."""
    known = {ord(kind): bounds for kind, bounds in lengths}
    return tuple(known.get(kind) for kind in range(256))


class Splitter:
    """One direction of one connection.

    `lengths` names the types that may occur and their lengths. `heads` are the types shown by their head when large.
    Raises ProtocolViolation from `next()`, after everything in front of the fault has come out.
    """

    def __init__(self, lengths: Lengths, *, side: str, heads: str = "", max_message: int = MAX_MESSAGE) -> None:
        self._lengths = _table(tuple(lengths.items()))
        self._side = side
        self._heads = frozenset(heads.encode())
        self._max = max_message
        self._passing = bytearray(256)
        self._gathered = -1
        self._run: MessageRun | None = None
        self._streamed = -1
        self._stream_kind = -1
        self._stream_rest = 0  # bytes of a body still to come of a message of this kind, which is streamed
        self._buffer = b""
        self._at = 0
        self._rest = 0  # bytes still to come of a message that passes or is skipped
        self._skipping = False
        self._pass_next = False
        self._head_shown = False
        self._collected = bytearray()
        self._missing = 0

    def set_passing(self, types: str, *, passing: bool) -> None:
        """Whether messages of these types are forwarded unseen from now on."""
        for kind in types.encode():
            self._passing[kind] = passing

    def gather(self, kind: int | None, run: MessageRun) -> None:
        """Messages of this type come out as a Batch of those that are there; None: of no type."""
        self._gathered, self._run = -1 if kind is None else kind, run

    def stream(self, kind: int | None) -> None:
        """Messages of this type come out as Stream, in part too; None: of no type, but for the rest of one that has
        come out in part."""
        self._streamed = -1 if kind is None else kind

    def pass_frame(self) -> None:
        """Forward the message whose Head was shown last."""
        self._pass_next = True

    @property
    def at_boundary(self) -> bool:
        """True when no byte is held and no message is half-way through."""
        held = self._rest or self._stream_rest or self._missing or self._collected
        return self._at == len(self._buffer) and not held

    @property
    def in_message(self) -> bool:
        """True while a message that passes has come out in part: nothing may be put in between."""
        return self._pass_next or (self._rest > 0 and not self._skipping)

    def feed(self, data: bytes) -> None:
        """Take bytes. The caller takes items until there are none before it feeds again, or lets the buffer grow."""
        if self._missing:
            taken = data[: self._missing]
            self._collected += taken
            self._missing -= len(taken)
            data = data[len(taken) :]
        if self._at == len(self._buffer):
            self._buffer = data
        else:
            self._buffer = self._buffer[self._at :] + data
        self._at = 0

    def next(self) -> Item | None:
        """The next item, or None when more bytes are needed."""
        if self._collected:
            return None if self._missing else self._take_collected()
        if self._rest and (run := self._take_rest()) is not None:
            return run
        start = at = self._at
        buffer, end = self._buffer, len(self._buffer)
        if at < end and (self._stream_rest or buffer[at] == self._streamed):
            stream = self._take_stream()
            if stream is not None:
                return stream
        while end - at >= HEADER:
            kind = buffer[at]
            if not self._passing[kind] and not self._pass_next:
                break
            bounds = self._lengths[kind]
            (length,) = _LENGTH.unpack_from(buffer, at + 1)
            if bounds is None or not bounds[0] <= length <= bounds[1]:
                break
            at += 1 + length
            self._pass_next = self._head_shown = False
            if at > end:
                self._rest = at - end
                at = end
                break
        if at > start:
            self._at = at
            return Run(buffer if start == 0 and at == end else buffer[start:at])
        if at < end and buffer[at] == self._gathered and (batch := self._take_batch()) is not None:
            return batch
        return self._next_seen()

    def _take_batch(self) -> Batch | None:
        """The whole messages of the gathered type that come next; None: there is none that could be collected."""
        bounds, run = self._lengths[self._gathered], self._run
        if bounds is None or run is None:
            raise AssertionError("no type is gathered")
        start = self._at
        end = run(self._buffer, start, self._gathered, bounds[0], min(bounds[1], self._max - 1))
        if end == start:
            return None
        self._at = end
        return Batch(self._gathered, self._buffer[start:end])

    def _take_stream(self) -> Stream | None:
        """What there is of the bodies of the streamed type; None: not a header of one, or not a valid one."""
        buffer, at, end = self._buffer, self._at, len(self._buffer)
        pieces: list[bytes] = []
        while True:
            if self._stream_rest:
                pieces.append(buffer[at : at + self._stream_rest])
                at += len(pieces[-1])
                self._stream_rest -= len(pieces[-1])
            if self._stream_rest or end - at < HEADER or buffer[at] != self._streamed:
                break
            bounds = self._lengths[self._streamed]
            (length,) = _LENGTH.unpack_from(buffer, at + 1)
            if bounds is None or not bounds[0] <= length <= bounds[1]:
                break
            at += HEADER
            self._stream_kind, self._stream_rest = self._streamed, length - 4
        if at == self._at:
            return None
        self._at = at
        return Stream(self._stream_kind, pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def _take_rest(self) -> Run | None:
        """The next piece of the message in progress; None when it is skipped or nothing is there."""
        available = min(self._rest, len(self._buffer) - self._at)
        piece = self._buffer[self._at : self._at + available]
        self._at += available
        self._rest -= available
        if self._skipping:
            self._skipping = self._rest > 0
            return None
        return Run(piece) if piece else None

    def _take_collected(self) -> Frame:
        raw = bytes(self._collected)
        self._collected = bytearray()
        return Frame(raw[0], raw)

    def _next_seen(self) -> Item | None:
        buffer, at = self._buffer, self._at
        available = len(buffer) - at
        if available and self._lengths[buffer[at]] is None:
            raise UnexpectedType(f"invalid {self._side} message type {buffer[at]}", buffer[at])
        if available < HEADER or self._rest:
            return None
        kind = buffer[at]
        (length,) = _LENGTH.unpack_from(buffer, at + 1)
        low, high = self._lengths[kind] or (0, -1)
        if not low <= length <= high:
            raise ProtocolViolation("invalid message length")
        size = 1 + length
        if size > BIG and kind in self._heads and not self._head_shown:
            if available < HEAD_BYTES:
                return None
            self._head_shown = True
            return Head(kind, size, buffer[at : at + HEAD_BYTES])
        self._head_shown = False
        if size > self._max:
            self._rest, self._skipping = size, True
            self._take_rest()
            return Oversized(kind, size)
        if available >= size:
            self._at = at + size
            return Frame(kind, buffer[at : at + size])
        if size > BIG:  # collected apart, so that the buffer is not copied at every feed
            self._collected += buffer[at:]
            self._missing = size - available
            self._buffer, self._at = b"", 0
        return None
