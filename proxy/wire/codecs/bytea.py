"""bytea: hex and escape text. Sealed values travel as bytea too, so both directions are as direct as they can be.

Source: byteain() and byteaout() in varlena.c (bytea.c from PostgreSQL 19).
"""

from __future__ import annotations

import binascii
import re
from typing import Final

from proxy.errors import InvalidValue
from proxy.wire.codecs.base import invalid_syntax

_ESCAPE: Final = re.compile(rb"\\(?:(\\)|([0-3][0-7][0-7]))?")
_HEX_SPACE: Final = re.compile(rb"[ \n\t\r]+")
_HEX_PAIRS: Final = re.compile(rb"(?:[ \n\t\r]*[0-9a-fA-F]{2})*[ \n\t\r]*")
_NOT_HEX: Final = re.compile(rb"[^0-9a-fA-F \n\t\r]")
_UNPRINTABLE: Final = re.compile(rb"[^\x20-\x5b\x5d-\x7e]")


def parse_bytea_text(data: bytes) -> bytes:
    """Either text form -> bytes. Raises InvalidValue 22023 (hex digits) or 22P02 (escapes)."""
    if data[:2] == b"\\x":
        try:
            return binascii.unhexlify(data[2:])
        except binascii.Error:
            return _spaced_hex(data[2:])
    return _ESCAPE.sub(_unescape, data) if b"\\" in data else data


def _spaced_hex(data: bytes) -> bytes:
    """Whitespace may stand between pairs, not inside one."""
    if _HEX_PAIRS.fullmatch(data):
        return binascii.unhexlify(_HEX_SPACE.sub(b"", data))
    if _NOT_HEX.search(data) or _HEX_PAIRS.match(data).end() + 1 < len(data):  # type: ignore[union-attr]  # matches ""
        raise InvalidValue("invalid hexadecimal digit", sqlstate="22023")
    raise InvalidValue("invalid hexadecimal data: odd number of digits", sqlstate="22023")


def _unescape(match: re.Match[bytes]) -> bytes:
    if match[1] is not None:
        return b"\\"
    if match[2] is not None:
        return bytes((int(match[2], 8),))
    raise invalid_syntax("bytea")


def bytea_hex(data: bytes) -> bytes:
    """bytea_output = hex."""
    return b"\\x" + binascii.hexlify(data)


def bytea_escape(data: bytes) -> bytes:
    """bytea_output = escape: printable ASCII as it is, a backslash doubled, the rest in octal."""
    return _UNPRINTABLE.sub(lambda m: b"\\\\" if m[0] == b"\\" else b"\\%03o" % m[0][0], data)
