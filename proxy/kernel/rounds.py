"""The kernel in Python, continued: pieces of whole messages, and a *round* of a session as one comparison and one walk.

What is the same from round to round is compared as bytes, so nothing is taken for a round that differs in a single one
of them; only the values in between are walked, each length checked. See `proxy.session.steady` for what a round is.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
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
_QUERY: Final = ord("Q")
_LITERALS: Final = {
    "s": rb"'[^']*+(?:''[^']*+)*+'",
    "i": rb"(?:0|[1-9][0-9]{0,8}+)(?![0-9])",
    "l": rb"[1-9][0-9]{10,17}+(?![0-9])",
    "d": rb"[0-9]++\.[0-9]++",
}
"""Kind of a literal -> how it is written: a string, a number that is an integer, a bigint, a numeric for certain."""
_REMEMBERED: Final = 1024
_LONGEST: Final = 64


class Headers:
    """Looks at the headers of the messages in a piece of at most `most` bytes. `lengths`: type -> least and greatest
    value of the length word; another type is none to be looked at."""

    __slots__ = ("_lengths", "_most", "_seen")

    def __init__(self, lengths: Mapping[int, tuple[int, int]], most: int) -> None:
        self._lengths, self._most = dict(lengths), most
        self._seen: dict[int, tuple[struct.Struct, tuple[int, ...], bytes]] = {}

    def kinds(self, data: bytes) -> bytes | None:
        """The types of the messages in `data`, in order; None: it is longer, or not whole messages of those types."""
        end = len(data)
        # Peers repeat themselves: where all headers that a piece of this size once had are there again, nothing else
        # can be there.
        if (seen := self._seen.get(end)) is not None and seen[0].unpack(data) == seen[1]:
            return seen[2]
        if end > self._most:
            return None
        at, kinds, headers = 0, bytearray(), list[int]()
        while end - at >= _HEADER:
            kind, length = _TYPE_AND_LENGTH.unpack_from(data, at)
            bounds = self._lengths.get(kind)
            if bounds is None or not bounds[0] <= length <= bounds[1]:
                return None
            kinds.append(kind)
            headers += (kind, length)
            at += 1 + length
        if at != end:
            return None
        found = bytes(kinds)
        if seen is None and len(kinds) <= _LONGEST and len(self._seen) < _REMEMBERED:
            layout = "!" + "".join(f"BI{length - 4}x" for length in headers[1::2])
            self._seen[end] = struct.Struct(layout), tuple(headers), found
        return found


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


Part = bytes | int | tuple[int | bytes, Convert]


class QueryForm:
    """A Query in UTF-8 whose statement differs from time to time in some literals alone.

    `pieces`: the text around them, one more than there are `kinds`, one letter of "sild" each: string; number that is
    an integer, a bigint, a numeric for certain. `parts`: of the text for the server, each a text, a literal by its
    index as it is written, or what is to be sealed and the cell: the value of a literal by its index, or a value; it
    becomes a bytea constant. None: the statement passes as it is.
    """

    __slots__ = ("_parts", "_pattern")

    def __init__(self, pieces: Sequence[bytes], kinds: str, parts: Sequence[Part] | None) -> None:
        if len(pieces) != len(kinds) + 1:
            raise ValueError("pieces stand around the literals")
        if not _LITERALS.keys() >= set(kinds):
            raise ValueError("no kind of literal")
        for part in parts or ():
            index = part[0] if isinstance(part, tuple) else part
            if isinstance(index, int) and not 0 <= index < len(kinds):
                raise ValueError("there is no such literal")
        groups = (b"(" + _LITERALS[kind] + b")" for kind in kinds)
        pattern = re.escape(pieces[0]) + b"".join(
            group + re.escape(piece) for group, piece in zip(groups, pieces[1:], strict=True)
        )
        self._pattern, self._parts = re.compile(pattern), parts

    def sealed(self, data: bytes) -> bytes | None:
        """What the server gets; None: `data` is not of this form, or a cell raised Refused."""
        end = len(data) - 1
        if end < _HEADER or _TYPE_AND_LENGTH.unpack_from(data) != (_QUERY, end) or data.find(b"\0", _HEADER) != end:
            return None
        found = self._pattern.fullmatch(data, _HEADER, end)
        if found is None:
            return None
        if not data.isascii():
            try:
                data[_HEADER:end].decode()
            except UnicodeDecodeError:
                return None
        return data if self._parts is None else self._made(self._parts, found.groups())

    @staticmethod
    def _made(parts: Sequence[Part], literals: Sequence[bytes]) -> bytes | None:
        out = [b""]
        try:
            for part in parts:
                if isinstance(part, bytes):
                    out.append(part)
                elif isinstance(part, int):
                    out.append(literals[part])
                else:
                    value, cell = part
                    sealed = cell(_value_of(literals[value]) if isinstance(value, int) else value)
                    out.append(b"E'\\\\x%b'" % sealed.hex().encode())
        except Refused:
            return None
        out.append(b"\0")
        out[0] = _TYPE_AND_LENGTH.pack(_QUERY, 4 + sum(map(len, out)))
        return b"".join(out)


def _value_of(literal: bytes) -> bytes:
    return literal[1:-1].replace(b"''", b"'") if literal[:1] == b"'" else literal


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
