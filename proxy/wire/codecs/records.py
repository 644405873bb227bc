"""Values of composite types in text and binary: what `SELECT c FROM customers c` and ROW(...) return.

Source: record_out, record_send and their readers in src/backend/utils/adt/rowtypes.c.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from typing import Final

from proxy.errors import InvalidValue

_FIELD: Final = re.compile(rb'(?:"((?:[^"\\]|""|\\.)*)"|([^",()\\\s]*))([,)])', re.DOTALL)
_DOUBLED: Final = re.compile(rb'(["\\])(["\\])')
_QUOTED: Final = re.compile(rb'[\s"\\(),]')
_INT: Final = struct.Struct(">i")
_HEAD: Final = struct.Struct(">Ii")


def _malformed() -> InvalidValue:
    return InvalidValue("malformed record literal", sqlstate="22P02")


def parse_text(data: bytes) -> list[bytes | None]:
    """What record_out prints, `(a,,"b, c")` -> its fields. Raises InvalidValue."""
    if data == b"()":
        return [None]
    if data[:1] != b"(":
        raise _malformed()
    fields: list[bytes | None] = []
    at, ending = 1, b","
    while ending == b",":
        match = _FIELD.match(data, at)
        if match is None:
            raise _malformed()
        quoted, bare, ending = match.groups()
        fields.append(_DOUBLED.sub(rb"\2", quoted) if quoted is not None else bare or None)
        at = match.end()
    if at != len(data):
        raise _malformed()
    return fields


def print_text(fields: Sequence[bytes | None]) -> bytes:
    return b"(" + b",".join(b"" if field is None else _quote(field) for field in fields) + b")"


def _quote(field: bytes) -> bytes:
    if field and not _QUOTED.search(field):
        return field
    return b'"' + field.replace(b"\\", b"\\\\").replace(b'"', b'""') + b'"'


def parse_binary(data: bytes) -> list[tuple[int, bytes | None]]:
    """(type OID, value) of each field. Raises InvalidValue."""
    try:
        (count,) = _INT.unpack_from(data)
        if count < 0:
            raise _malformed()
        fields: list[tuple[int, bytes | None]] = []
        at = _INT.size
        for _ in range(count):
            oid, size = _HEAD.unpack_from(data, at)
            at += _HEAD.size
            end = at + max(size, 0)
            if size < -1 or end > len(data):
                raise _malformed()
            fields.append((oid, None if size < 0 else data[at:end]))
            at = end
    except struct.error:
        raise _malformed() from None
    if at != len(data):
        raise _malformed()
    return fields


def print_binary(fields: Sequence[tuple[int, bytes | None]]) -> bytes:
    parts = [_INT.pack(len(fields))]
    for oid, value in fields:
        parts += (_HEAD.pack(oid, -1 if value is None else len(value)), value or b"")
    return b"".join(parts)
