"""The kernel in Python, continued: a *round* of a session as one comparison and one walk.

What is the same from round to round is compared as bytes, so nothing is taken for a round that differs in a single one
of them; only the values in between are walked, each length checked. See `proxy.session.steady` for what a round is.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from proxy.errors import Refused
from proxy.kernel.reference import Convert, open_rows

_HEADER: Final = 5
_TYPE_AND_LENGTH: Final = struct.Struct("!BI")
_INT32: Final = struct.Struct("!i")
_UINT32: Final = struct.Struct("!I")
_BIND: Final = ord("B")
_DATA_ROW: Final = ord("D")
_COMMAND_COMPLETE: Final = ord("C")
_READY: Final = b"Z\0\0\0\x05"
_STATUSES: Final = b"ITE"
_NULL: Final = b"\xff\xff\xff\xff"
_LEAST_ROW: Final = 6


class BindForm:
    """A Bind and the messages behind it, which differ from time to time in the values alone.

    `head`: the Bind's body from its names to the number of its values, `count`. `tail`: what follows the values in it.
    `rest`: the messages behind it. `server_head`: as `head`, for the server. `params`: index of the client's value and
    cell of each of the server's; None: all passes as it is.
    """

    __slots__ = ("_count", "_end", "_head", "_params", "_rest", "_server_head", "_tail")

    def __init__(
        self,
        head: bytes,
        count: int,
        tail: bytes,
        rest: bytes,
        server_head: bytes,
        params: Sequence[tuple[int, Convert | None]] | None,
    ) -> None:
        if params is not None and not all(0 <= client < count for client, _ in params):
            raise ValueError("a parameter of the server is none of the client's")
        self._head, self._count, self._tail, self._rest = head, count, tail, rest
        self._server_head, self._params, self._end = server_head, params, tail + rest

    def sealed(self, data: bytes) -> bytes | None:
        """What the server gets; None: `data` is not of this form, or a cell raised Refused."""
        size, rest = len(data), len(self._rest)
        if not data.startswith(self._head, _HEADER) or not data.endswith(self._end):
            return None
        kind, length = _TYPE_AND_LENGTH.unpack_from(data)
        at, end = _HEADER + len(self._head), size - len(self._end)
        if kind != _BIND or 1 + length + rest != size:
            return None
        values: list[bytes | None] = []
        for _ in range(self._count):
            if at + 4 > end:
                return None
            (width,) = _INT32.unpack_from(data, at)
            at += 4
            if width == -1:
                values.append(None)
                continue
            if width < 0 or width > end - at:
                return None
            values.append(data[at : at + width])
            at += width
        if at != end:
            return None
        return data if self._params is None else self._made(self._params, values)

    def _made(self, params: Sequence[tuple[int, Convert | None]], values: list[bytes | None]) -> bytes | None:
        parts = [b"", self._server_head]
        try:
            for client, cell in params:
                value = values[client]
                if value is None:
                    parts.append(_NULL)
                    continue
                if cell is not None:
                    value = cell(value)
                parts += (_INT32.pack(len(value)), value)
        except Refused:
            return None
        parts += (self._tail, self._rest)
        parts[0] = _TYPE_AND_LENGTH.pack(_BIND, 4 + sum(map(len, parts)) - len(self._rest))
        return b"".join(parts)


class Answer:
    """The whole answer to a round: `head`, DataRows where there `may_be_rows`, CommandComplete, ReadyForQuery.

    `shown`: what the client gets in place of `head`. `cells`: of the columns, as for `open_rows`; None: rows pass.
    """

    __slots__ = ("_cells", "_head", "_may_be_rows", "_same", "_shown")

    def __init__(self, head: bytes, shown: bytes, cells: Sequence[Convert | None] | None, *, may_be_rows: bool) -> None:
        self._head, self._shown, self._cells, self._may_be_rows = head, shown, cells, may_be_rows
        self._same = head == shown and cells is None

    def opened(self, data: bytes) -> bytes | None:
        """What the client gets; None: `data` is not of this form, or a row is not one that `open_rows` opens."""
        if not data.startswith(self._head):
            return None
        start, size, opened = len(self._head), len(data), b""
        at = start
        if self._may_be_rows and data[at : at + 1] == b"D":
            if self._cells is None:
                at = _behind_rows(data, at)
                opened = data[start:at]
            else:
                opened, at = open_rows(data, at, self._cells)
        if size - at < _HEADER:
            return None
        kind, length = _TYPE_AND_LENGTH.unpack_from(data, at)
        ready = at + 1 + length
        if kind != _COMMAND_COMPLETE or length < _HEADER or size - ready != _HEADER + 1:
            return None
        if not data.startswith(_READY, ready) or data[-1] not in _STATUSES:
            return None
        return data if self._same else b"".join((self._shown, opened, data[at:]))


def _behind_rows(data: bytes, at: int) -> int:
    """Where the first message begins that is not a whole DataRow."""
    size = len(data)
    while size - at >= _HEADER and data[at] == _DATA_ROW:
        (length,) = _UINT32.unpack_from(data, at + 1)
        if length < _LEAST_ROW or 1 + length > size - at:
            break
        at += 1 + length
    return at
