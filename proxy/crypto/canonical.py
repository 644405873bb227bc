"""One binary form per value, so that equal values seal to equal bytes.

PostgreSQL's binary send form is already unique for most types. Where it is not (`-0` and `0`, the payloads of NaN, 1.5
and 1.50, the padding of char(n)) this module chooses one. The equality and order schemes pass every value through here,
whatever the codec did before; the random scheme seals what it is given.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from proxy.errors import InvalidValue
from proxy.pgtypes import Family, SqlType

Canonical = Callable[[bytes], bytes]

NUMERIC_NAN: Final = bytes.fromhex("00000000c0000000")
NUMERIC_INFINITY: Final = bytes.fromhex("00000000d0000020")  # numeric_send gives infinities a dscale of 32
NUMERIC_MINUS_INFINITY: Final = bytes.fromhex("00000000f0000020")
_SPECIAL: Final = {0xC000: NUMERIC_NAN, 0xD000: NUMERIC_INFINITY, 0xF000: NUMERIC_MINUS_INFINITY}
_NEGATIVE: Final = 0x4000
_MAX_DSCALE: Final = 0x3FFF
_NUMERIC_HEAD: Final = struct.Struct(">HhHH")
_FLOATS: Final = {
    Family.REAL: (struct.Struct(">f"), bytes.fromhex("7fc00000")),
    Family.DOUBLE: (struct.Struct(">d"), bytes.fromhex("7ff8000000000000")),
}


@dataclass(frozen=True, slots=True)
class Numeric:
    """A finite numeric: sign * sum(digits[k] * 10000**(weight - k)); no zero digit at either end; 0 has no digits."""

    negative: bool
    weight: int
    digits: tuple[int, ...]


def malformed() -> InvalidValue:
    """22P03, as a recv function raises it."""
    return InvalidValue("incorrect binary data format", sqlstate="22P03")


def parse_numeric(plain: bytes) -> Numeric | bytes:
    """numeric_send's form -> its number, or one of the `NUMERIC_*` constants for NaN and infinities.

    Raises InvalidValue 22P03. Source: numeric_recv in src/backend/utils/adt/numeric.c.
    """
    if len(plain) < _NUMERIC_HEAD.size:
        raise malformed()
    count, weight, sign, dscale = _NUMERIC_HEAD.unpack_from(plain)
    if len(plain) != _NUMERIC_HEAD.size + 2 * count or dscale > _MAX_DSCALE:
        raise malformed()
    if sign in _SPECIAL:
        return _SPECIAL[sign]
    digits: tuple[int, ...] = struct.unpack_from(f">{count}H", plain, _NUMERIC_HEAD.size)
    if sign not in (0, _NEGATIVE) or any(digit > 9999 for digit in digits):
        raise malformed()
    first, last = 0, count
    while first < last and digits[first] == 0:
        first += 1
    while last > first and digits[last - 1] == 0:
        last -= 1
    if first == last:
        return Numeric(False, 0, ())
    return Numeric(sign == _NEGATIVE, weight - first, digits[first:last])


def _fraction_digits(number: Numeric) -> int:
    """Decimal digits after the point that the value needs; 0 for integers."""
    if not number.digits:
        return 0
    groups = len(number.digits) - 1 - number.weight
    last, zeros = number.digits[-1], 0
    while last % 10 == 0:
        last //= 10
        zeros += 1
    return max(4 * groups - zeros, 0)


def _numeric(scale: int | None) -> Canonical:
    def canonical(plain: bytes) -> bytes:
        number = parse_numeric(plain)
        if isinstance(number, bytes):
            return number
        needed = _fraction_digits(number)
        if needed > _MAX_DSCALE:
            raise malformed()
        if scale is not None and needed > scale:
            raise InvalidValue("value has more fractional digits than its column", sqlstate="22003")
        count = len(number.digits)
        sign = _NEGATIVE if number.negative else 0
        head = _NUMERIC_HEAD.pack(count, number.weight, sign, needed if scale is None else scale)
        return head + struct.pack(f">{count}H", *number.digits)

    return canonical


def _float(family: Family) -> Canonical:
    layout, nan = _FLOATS[family]
    zero = bytes(layout.size)

    def canonical(plain: bytes) -> bytes:
        if len(plain) != layout.size:
            raise malformed()
        (number,) = layout.unpack(plain)
        if number == 0:
            return zero
        return nan if math.isnan(number) else plain

    return canonical


def _fixed(size: int) -> Canonical:
    def canonical(plain: bytes) -> bytes:
        if len(plain) != size:
            raise malformed()
        return plain

    return canonical


def _boolean(plain: bytes) -> bytes:
    if len(plain) != 1:
        raise malformed()
    return b"\x01" if plain[0] else b"\x00"


def _char(plain: bytes) -> bytes:
    return plain.rstrip(b" ")


def _unchanged(plain: bytes) -> bytes:
    return plain


def canonical_form(kind: SqlType) -> Canonical:
    """The function that brings a value of `kind`, in binary send form, into its one canonical binary form.

    It raises InvalidValue: 22P03 for bytes that the type's recv function would not take, 22003 for a numeric with more
    fractional digits than its column's scale. Idempotent.
    """
    if kind.is_array:
        return _unchanged
    if kind.family in _FLOATS:
        return _float(kind.family)
    if kind.family is Family.NUMERIC:
        fixed = kind.precision_scale
        return _numeric(None if fixed is None else max(fixed[1], 0))
    if kind.family is Family.BOOLEAN:
        return _boolean
    if kind.family is Family.CHAR:
        return _char
    return _fixed(kind.size) if kind.size > 0 else _unchanged
