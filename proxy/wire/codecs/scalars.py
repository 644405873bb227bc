"""boolean and uuid.

Sources: parse_bool_with_len() in bool.c, string_to_uuid() in uuid.c.
"""

from __future__ import annotations

import re
from typing import Final

from proxy.wire.codecs.base import WHITESPACE, check_length, invalid_syntax

_BOOLEANS: Final = {
    word[:length]: value
    for word, least, value in (
        (b"true", 1, b"\1"),
        (b"false", 1, b"\0"),
        (b"yes", 1, b"\1"),
        (b"no", 1, b"\0"),
        (b"on", 2, b"\1"),
        (b"off", 2, b"\0"),
        (b"1", 1, b"\1"),
        (b"0", 1, b"\0"),
    )
    for length in range(least, len(word) + 1)
}
# Sixteen byte pairs, a hyphen allowed after every second one but the last; braces around all of it.
_UUID: Final = re.compile(rb"(\{)?((?:[0-9a-fA-F]{4}-?){7}[0-9a-fA-F]{4})(?(1)\})")


def boolean_from_text(text: bytes) -> bytes:
    value = _BOOLEANS.get(text.strip(WHITESPACE).lower())
    if value is None:
        raise invalid_syntax("boolean")
    return value


def boolean_from_binary(data: bytes) -> bytes:
    """Any byte but zero is true."""
    check_length(data, 1)
    return b"\0" if data == b"\0" else b"\1"


def boolean_to_text(data: bytes) -> bytes:
    return b"f" if data == b"\0" else b"t"


def uuid_from_text(text: bytes) -> bytes:
    match = _UUID.fullmatch(text)
    if match is None:
        raise invalid_syntax("uuid")
    return bytes.fromhex(match[2].replace(b"-", b"").decode())


def uuid_from_binary(data: bytes) -> bytes:
    check_length(data, 16)
    return data


def uuid_to_text(data: bytes) -> bytes:
    text = data.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}".encode()
