"""Messages of the frontend/backend protocol, version 3: bytes -> facts and back.

Names and layouts are those of "Message Formats" in the manual. Every function takes a whole message with its header;
every count, length and terminator is checked, and a body must end where its message ends. A fault raises
ProtocolViolation with PostgreSQL's own text. Strings stay bytes: their encoding is the session's knowledge.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from proxy.errors import MalformedMessage, ProtocolViolation
from proxy.wire.frames import HEADER

_INT16: Final = struct.Struct("!h")
_UINT16: Final = struct.Struct("!H")
_INT32: Final = struct.Struct("!i")
_UINT32: Final = struct.Struct("!I")

SYNC: Final = b"S\0\0\0\x04"
FLUSH: Final = b"H\0\0\0\x04"
TERMINATE: Final = b"X\0\0\0\x04"
COPY_DONE: Final = b"c\0\0\0\x04"


def message(kind: bytes, *parts: bytes) -> bytes:
    """One message of type `kind` around `parts`."""
    body = b"".join(parts)
    return kind + _INT32.pack(len(body) + 4) + body


def insufficient() -> MalformedMessage:
    return MalformedMessage("insufficient data left in message")


class Reader:
    """A cursor over the body of one message."""

    __slots__ = ("_at", "_raw")

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = HEADER

    def string(self) -> bytes:
        end = self._raw.find(b"\0", self._at)
        if end < 0:
            raise MalformedMessage("invalid string in message")
        text = self._raw[self._at : end]
        self._at = end + 1
        return text

    def byte(self) -> bytes:
        if self._at == len(self._raw):
            raise MalformedMessage("no data left in message")
        return self.take(1)

    def int16(self) -> int:
        return int(_INT16.unpack(self.take(2))[0])

    def uint16(self) -> int:
        return int(_UINT16.unpack(self.take(2))[0])

    def int32(self) -> int:
        return int(_INT32.unpack(self.take(4))[0])

    def uint32(self) -> int:
        return int(_UINT32.unpack(self.take(4))[0])

    def take(self, size: int) -> bytes:
        if size < 0 or self._at + size > len(self._raw):
            raise insufficient()
        piece = self._raw[self._at : self._at + size]
        self._at += size
        return piece

    def value(self) -> bytes | None:
        """Int32 length and as many bytes; -1 is NULL."""
        size = self.int32()
        if size == -1:
            return None
        return self.take(size)

    def done(self) -> None:
        if self._at != len(self._raw):
            raise MalformedMessage("invalid message format")


# -- frontend ----------------------------------------------------------------------------------------------------------


def parse_empty(raw: bytes) -> None:
    """A message without a body."""
    Reader(raw).done()


class Parse(NamedTuple):
    statement: bytes
    query: bytes
    types: tuple[int, ...]


class Bind(NamedTuple):
    portal: bytes
    statement: bytes
    formats: tuple[int, ...]
    values: list[bytes | None]
    result_formats: tuple[int, ...]


class Target(NamedTuple):
    """The object of Describe and Close: kind b"S" for a prepared statement, b"P" for a portal."""

    kind: bytes
    name: bytes


def parse_query(raw: bytes) -> bytes:
    reader = Reader(raw)
    text = reader.string()
    reader.done()
    return text


def build_query(text: bytes) -> bytes:
    return message(b"Q", text, b"\0")


def parse_parse(raw: bytes) -> Parse:
    reader = Reader(raw)
    statement, query = reader.string(), reader.string()
    types = tuple(reader.uint32() for _ in range(reader.uint16()))
    reader.done()
    return Parse(statement, query, types)


def build_parse(parse: Parse) -> bytes:
    count = len(parse.types)
    types = struct.pack(f"!H{count}I", count, *parse.types)
    return message(b"P", parse.statement, b"\0", parse.query, b"\0", types)


def bind_names(raw: bytes) -> tuple[bytes, bytes]:
    """Portal and statement of a Bind of which at least the beginning is there."""
    reader = Reader(raw)
    return reader.string(), reader.string()


def parse_bind(raw: bytes) -> Bind:
    reader = Reader(raw)
    portal, statement = reader.string(), reader.string()
    formats = _formats(reader)
    values = [reader.value() for _ in range(reader.uint16())]
    result_formats = _formats(reader)
    reader.done()
    return Bind(portal, statement, formats, values, result_formats)


def emptied_bind(raw: bytes) -> bytes:
    """A Bind with which PostgreSQL finds the same wrong as with `raw`, which is not in its form, but without values.
    Raises MalformedMessage where it is not even up to the number of values: that comes before anything else."""
    reader = Reader(raw)
    names = reader.string() + b"\0" + reader.string() + b"\0"
    head = names + pack_formats(_formats(reader))
    count = reader.uint16()
    head += _UINT16.pack(count)
    try:
        for _ in range(count):
            reader.value()
        results = _formats(reader)
    except MalformedMessage:
        return message(b"B", head)
    return message(b"B", head, _INT32.pack(-1) * count, pack_formats(results), b"\0")


def build_bind(bind: Bind) -> bytes:
    parts = [bind.portal, b"\0", bind.statement, b"\0", pack_formats(bind.formats), _UINT16.pack(len(bind.values))]
    for value in bind.values:
        parts.append(_INT32.pack(-1 if value is None else len(value)))
        if value:
            parts.append(value)
    parts.append(pack_formats(bind.result_formats))
    return message(b"B", *parts)


def _formats(reader: Reader) -> tuple[int, ...]:
    return tuple(reader.int16() for _ in range(reader.uint16()))


def pack_formats(formats: Sequence[int]) -> bytes:
    return struct.pack(f"!H{len(formats)}h", len(formats), *formats)


def spread_formats(formats: Sequence[int], count: int) -> tuple[int, ...] | None:
    """One format per column or parameter: none given means text, one means that one for all. None: wrong number."""
    if len(formats) == count:
        return tuple(formats)
    if len(formats) == 0:
        return (0,) * count
    if len(formats) == 1:
        return (formats[0],) * count
    return None


def check_function_call(raw: bytes) -> None:
    """Raises MalformedMessage. The object's OID, the formats and values of the arguments, the format of the result."""
    reader = Reader(raw)
    reader.uint32()
    _formats(reader)
    for _ in range(reader.uint16()):
        reader.value()
    reader.int16()
    reader.done()


def parse_target(raw: bytes) -> Target:
    reader = Reader(raw)
    target = Target(reader.byte(), reader.string())
    reader.done()
    if target.kind not in (b"S", b"P"):
        word = "DESCRIBE" if raw[:1] == b"D" else "CLOSE"
        raise MalformedMessage(f"invalid {word} message subtype {target.kind[0]}")
    return target


def build_describe(target: Target) -> bytes:
    return message(b"D", target.kind, target.name, b"\0")


def build_close(target: Target) -> bytes:
    return message(b"C", target.kind, target.name, b"\0")


def parse_execute(raw: bytes) -> tuple[bytes, int]:
    """Portal, and the most rows to return (0: all)."""
    reader = Reader(raw)
    portal, limit = reader.string(), reader.int32()
    reader.done()
    return portal, limit


def build_execute(portal: bytes, limit: int = 0) -> bytes:
    return message(b"E", portal, b"\0", _INT32.pack(limit))


def build_copy_fail(reason: bytes) -> bytes:
    return message(b"f", reason, b"\0")


# -- backend -----------------------------------------------------------------------------------------------------------


class Column(NamedTuple):
    """One field of RowDescription."""

    name: bytes
    table: int
    attribute: int
    type: int
    size: int
    typmod: int
    format: int


_COLUMN: Final = struct.Struct("!IhIhih")


def parse_row_description(raw: bytes) -> list[Column]:
    reader = Reader(raw)
    columns = []
    for _ in range(reader.uint16()):
        name = reader.string()
        columns.append(Column(name, *_COLUMN.unpack(reader.take(_COLUMN.size))))
    reader.done()
    return columns


def build_row_description(columns: Sequence[Column]) -> bytes:
    parts = [_UINT16.pack(len(columns))]
    for column in columns:
        parts += (column.name, b"\0", _COLUMN.pack(*column[1:]))
    return message(b"T", *parts)


def parse_parameter_description(raw: bytes) -> list[int]:
    reader = Reader(raw)
    types = [reader.uint32() for _ in range(reader.uint16())]
    reader.done()
    return types


def build_parameter_description(types: Sequence[int]) -> bytes:
    return message(b"t", struct.pack(f"!H{len(types)}I", len(types), *types))


def parse_data_row(raw: bytes) -> list[bytes | None]:
    end = len(raw)
    if end < HEADER + 2:
        raise insufficient()
    (count,) = _UINT16.unpack_from(raw, HEADER)
    at = HEADER + 2
    values: list[bytes | None] = []
    unpack = _INT32.unpack_from
    for _ in range(count):
        if at + 4 > end:
            raise insufficient()
        (size,) = unpack(raw, at)
        at += 4
        if size == -1:
            values.append(None)
            continue
        if size < 0 or at + size > end:
            raise insufficient()
        values.append(raw[at : at + size])
        at += size
    if at != end:
        raise MalformedMessage("invalid message format")
    return values


def build_data_row(values: Sequence[bytes | None]) -> bytes:
    parts = [_UINT16.pack(len(values))]
    pack = _INT32.pack
    for value in values:
        if value is None:
            parts.append(b"\xff\xff\xff\xff")
        else:
            parts.append(pack(len(value)))
            parts.append(value)
    return message(b"D", *parts)


Fields = list[tuple[bytes, bytes]]
"""Fields of an ErrorResponse or NoticeResponse: one-byte code and value ("Error and Notice Message Fields")."""


def parse_fields(raw: bytes) -> Fields:
    reader = Reader(raw)
    fields: Fields = []
    while (code := reader.byte()) != b"\0":
        fields.append((code, reader.string()))
    reader.done()
    return fields


def build_fields(kind: bytes, fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """`kind` is b"E" or b"N"."""
    return message(kind, *(code + value + b"\0" for code, value in fields), b"\0")


def field(fields: Fields, code: bytes) -> bytes | None:
    return next((value for name, value in fields if name == code), None)


def severity(fields: Fields) -> bytes:
    """Field V, which is never localised, or S of a server older than 9.6."""
    return field(fields, b"V") or field(fields, b"S") or b""


def parse_ready(raw: bytes) -> bytes:
    """b"I" idle, b"T" in a transaction block, b"E" in a failed one."""
    status = raw[HEADER:]
    if status not in (b"I", b"T", b"E"):
        raise ProtocolViolation("invalid transaction status in ReadyForQuery")
    return status


def build_ready(status: bytes) -> bytes:
    return message(b"Z", status)


def parse_parameter_status(raw: bytes) -> tuple[bytes, bytes]:
    reader = Reader(raw)
    name, value = reader.string(), reader.string()
    reader.done()
    return name, value


def parse_negotiation(raw: bytes) -> tuple[int, list[bytes]]:
    """NegotiateProtocolVersion: the newest version that is spoken, and the `_pq_.` options that are not known."""
    reader = Reader(raw)
    newest, count = reader.uint32(), reader.uint32()
    options = [reader.string() for _ in range(count)]
    reader.done()
    return newest, options


def build_negotiation(newest: int, options: Sequence[bytes]) -> bytes:
    return message(b"v", struct.pack("!II", newest, len(options)), *(option + b"\0" for option in options))


AUTHENTICATION_OK: Final = 0
AUTHENTICATION_SASL: Final = 10


def parse_authentication(raw: bytes) -> int:
    """The code of an Authentication message; what follows it belongs to the method."""
    return Reader(raw).int32()


AUTHENTICATION_SASL_CONTINUE: Final = 11
AUTHENTICATION_SASL_FINAL: Final = 12


def authentication_data(raw: bytes) -> bytes:
    """What follows the code of an Authentication message."""
    return raw[HEADER + 4 :]


def build_authentication(code: int, data: bytes = b"") -> bytes:
    return message(b"R", _INT32.pack(code), data)


def parse_sasl_initial(raw: bytes) -> tuple[bytes, bytes | None]:
    """SASLInitialResponse: mechanism and the client's first data, None where there are none."""
    reader = Reader(raw)
    mechanism, data = reader.string(), reader.value()
    reader.done()
    return mechanism, data


def build_sasl_initial(mechanism: bytes, data: bytes) -> bytes:
    return message(b"p", mechanism, b"\0", _INT32.pack(len(data)), data)


def parse_sasl_mechanisms(raw: bytes) -> list[bytes]:
    reader = Reader(raw)
    reader.int32()
    mechanisms = []
    while name := reader.string():
        mechanisms.append(name)
    reader.done()
    return mechanisms


def build_sasl_mechanisms(mechanisms: Iterable[bytes]) -> bytes:
    return build_authentication(AUTHENTICATION_SASL, b"".join(name + b"\0" for name in mechanisms) + b"\0")
