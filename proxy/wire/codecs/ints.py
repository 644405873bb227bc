"""smallint, integer, bigint: big-endian two's complement; text as PostgreSQL 16 and later read it.

Source: pg_strtoint32_safe() in numutils.c: 0x, 0o, 0b and underscores between digits, whitespace around.
"""

from __future__ import annotations

import re
from typing import Final

from proxy.errors import InvalidValue
from proxy.pgtypes import Family
from proxy.wire.codecs.base import WHITESPACE, Convert, check_length, invalid_syntax, out_of_range

SIZES: Final = {Family.SMALLINT: 2, Family.INTEGER: 4, Family.BIGINT: 8}
_LITERAL: Final = re.compile(
    rb"([+-]?)(?:0[xX]((?:_?[0-9a-fA-F])+)|0[oO]((?:_?[0-7])+)|0[bB]((?:_?[01])+)|([0-9](?:_?[0-9])*))"
)
_BASES: Final = (16, 8, 2, 10)
_MOST_DIGITS: Final = 70  # more than any bigint has in base 2, far below what makes int() slow


def bounds(family: Family) -> tuple[int, int]:
    """Smallest and largest value."""
    half = 1 << (8 * SIZES[family] - 1)
    return -half, half - 1


def pack(family: Family, value: int) -> bytes:
    """Raises InvalidValue 22003 as arithmetic and casts do."""
    try:
        return value.to_bytes(SIZES[family], "big", signed=True)
    except OverflowError:
        raise InvalidValue(f"{family} out of range", sqlstate="22003") from None


def unpack(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def _value(match: re.Match[bytes]) -> int | None:
    """None: too long to be in any range."""
    for base, digits in zip(_BASES, match.groups()[1:], strict=True):
        if digits is not None:
            digits = digits.replace(b"_", b"").lstrip(b"0") or b"0"
            if len(digits) > _MOST_DIGITS:
                return None
            value = int(digits, base)
            return -value if match[1] == b"-" else value
    raise AssertionError("one of the four spellings has matched")


def text_decoder(family: Family) -> Convert:
    size = SIZES[family]
    plain = len(str(bounds(family)[1])) - 1  # so many digits always fit

    def decode(text: bytes) -> bytes:
        if text.isdigit() and len(text) <= plain:
            return int(text).to_bytes(size, "big", signed=True)
        text = text.strip(WHITESPACE)
        match = _LITERAL.match(text)
        if match is None:
            raise invalid_syntax(family)
        value = _value(match)
        if value is not None:
            try:
                packed = value.to_bytes(size, "big", signed=True)
            except OverflowError:
                pass
            else:
                if match.end() < len(text):
                    raise invalid_syntax(family)
                return packed
        # PostgreSQL notices an overflow while it reads, before it sees what follows the digits.
        raise out_of_range(family)

    return decode


def binary_decoder(family: Family) -> Convert:
    size = SIZES[family]

    def decode(data: bytes) -> bytes:
        check_length(data, size)
        return data

    return decode


def encode_text(data: bytes) -> bytes:
    return b"%d" % int.from_bytes(data, "big", signed=True)
