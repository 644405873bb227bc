"""Bytes of a fuzzer read as choices, so that one harness serves every driver."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

CLIENT, SERVER = 0, 1
_SHORT = 0x3F


class Source:
    """A cursor over the fuzzer's bytes. Past their end every choice is the first one."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def byte(self) -> int:
        """0 to 255."""
        value = self._data[self._at] if self else 0
        self._at += 1
        return value

    def pick(self, options: Sequence[T]) -> T:
        return options[self.byte() % len(options)]

    def take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken

    def rest(self) -> bytes:
        return self.take(len(self._data))

    def record(self) -> tuple[int, bytes]:
        """Whose bytes, and the bytes: see `pack`."""
        head = self.byte()
        size = head & _SHORT
        if head & 0x40:
            size = size << 8 | self.byte()
        return head >> 7, self.take(size)


def pack(records: Sequence[tuple[int, bytes]]) -> bytes:
    """A conversation as `Source.record` reads it: a byte with the side and the high bits of a length, and the bytes."""
    packed = bytearray()
    for side, data in records:
        for at in range(0, len(data), 0x3FFF):
            piece = data[at : at + 0x3FFF]
            if len(piece) > _SHORT:
                packed += bytes((side << 7 | 0x40 | len(piece) >> 8, len(piece) & 0xFF))
            else:
                packed.append(side << 7 | len(piece))
            packed += piece
    return bytes(packed)


def pieces(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """`data` cut at the given sizes, over and over; a size of 0 counts as 1."""
    cut, at, turn = [], 0, 0
    while at < len(data):
        size = max(1, sizes[turn % len(sizes)]) if sizes else len(data)
        cut.append(data[at : at + size])
        at, turn = at + size, turn + 1
    return cut
