"""The bytes that every sealed value starts with, and the encoding of what its keys and its tag are bound to.

docs/value-format.md is the specification; the names and numbers here are its normative constants.
"""

from __future__ import annotations

import struct
from typing import Final

from proxy.config import Scheme
from proxy.errors import CannotOpen
from proxy.pgtypes import SqlType

FORMAT: Final = 0xE1
"""Byte 0: format 1. 0xE1 alone is never valid UTF-8, so no text is mistaken for a sealed value."""
HEADER_SIZE: Final = 6
MAX_KEY_ID: Final = 0xFFFF_FFFF
PROTOCOL: Final = "sealwire/1"

_HEADER: Final = struct.Struct(">BBI")
_SCHEMES: Final = {int(scheme): scheme for scheme in Scheme}


def build_header(scheme: Scheme, key_id: int) -> bytes:
    """The first `HEADER_SIZE` bytes of a value sealed with `scheme` under data key `key_id` (1 to 2**32 - 1)."""
    if not 1 <= key_id <= MAX_KEY_ID:
        raise ValueError("a key id is a number from 1 to 4294967295")
    return _HEADER.pack(FORMAT, scheme, key_id)


def parse_header(sealed: bytes) -> tuple[Scheme, int]:
    """(scheme, key id) of a sealed value. Raises CannotOpen when `sealed` does not start with a format 1 header."""
    if len(sealed) < HEADER_SIZE:
        raise CannotOpen("not a sealed value")
    marker, number, key_id = _HEADER.unpack_from(sealed)
    scheme = _SCHEMES.get(number)
    if marker != FORMAT or scheme is None or key_id == 0:
        raise CannotOpen("not a sealed value")
    return scheme, key_id


def is_sealed(value: bytes) -> bool:
    """True when `value` starts with a format 1 header. Says nothing about whether it opens."""
    try:
        parse_header(value)
    except CannotOpen:
        return False
    return True


def scheme_name(scheme: Scheme) -> str:
    """`random`, `equality` or `order`, as written into HKDF info and associated data."""
    return scheme.name.lower()


def family_name(kind: SqlType) -> str:
    """The type family as written into associated data: `text`, `double precision`, `integer[]`."""
    return f"{kind.family.value}[]" if kind.is_array else kind.family.value


def join_fields(*fields: bytes | str) -> bytes:
    """Fields as an injective byte string: each preceded by its length in bytes, 4 bytes big-endian; str as UTF-8."""
    encoded = (field.encode() if isinstance(field, str) else field for field in fields)
    return b"".join(len(field).to_bytes(4, "big") + field for field in encoded)


def associated_data(scheme: Scheme, key_id: int, domain: str, family: str) -> bytes:
    """What a value's tag covers beside the value, so that it opens nowhere but where it was sealed."""
    return join_fields(PROTOCOL, scheme_name(scheme), key_id.to_bytes(4, "big"), domain, family)


def key_info(purpose: str, scheme: Scheme, domain: str) -> bytes:
    """HKDF info (RFC 5869 section 3.2) of a column key; `purpose` is `seal` or `order`."""
    return join_fields(PROTOCOL, purpose, scheme_name(scheme), domain)
