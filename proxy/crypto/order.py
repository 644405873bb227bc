"""The order scheme's numbers: a type's values as n-bit numbers in the type's order.

`proxy.kernel.OrderPrefix` makes comparable digits of them; docs/value-format.md section 5 specifies every byte of both
and says what this leaks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from proxy.config import SealedColumn
from proxy.crypto.canonical import (
    NUMERIC_INFINITY,
    NUMERIC_MINUS_INFINITY,
    NUMERIC_NAN,
    Numeric,
    canonical_form,
    parse_numeric,
)
from proxy.errors import ConfigError, InvalidValue
from proxy.pgtypes import Family, SqlType

DIGIT_SIZE: Final = 2
_UTF8_MAX: Final = 4
_DAY_MICROSECONDS: Final = 86_400_000_000
_SIGNED_BITS: Final = {
    Family.SMALLINT: 16,
    Family.INTEGER: 32,
    Family.BIGINT: 64,
    Family.DATE: 32,
    Family.TIMESTAMP: 64,
    Family.TIMESTAMPTZ: 64,
}
_FLOAT_BITS: Final = {Family.REAL: 32, Family.DOUBLE: 64}


@dataclass(frozen=True, slots=True)
class Numbering:
    """Values of one column <-> numbers of `bits` bits, in the order of the type."""

    bits: int
    exact: Callable[[bytes], int]
    """Number of a value in canonical form. InvalidValue when the column cannot hold the value."""
    floor: Callable[[bytes], int | None]
    """Number of the greatest value that the column can hold and that is not above the given one, which need not fit;
    None when there is none."""
    text_bytes: int | None = None
    """Declared maximum in bytes of a text column."""


def numbering(column: SealedColumn) -> Numbering:
    """The numbering of an order column. Raises ConfigError for a type that has none."""
    kind = column.type
    if kind.is_array:
        raise _unordered(column)
    if kind.family in _SIGNED_BITS:
        return _same(kind, _SIGNED_BITS[kind.family], _signed(_SIGNED_BITS[kind.family]))
    if kind.family in _FLOAT_BITS:
        return _same(kind, _FLOAT_BITS[kind.family], _ieee754(_FLOAT_BITS[kind.family]))
    if kind.family is Family.BOOLEAN:
        return _same(kind, 1, _unsigned)
    if kind.family is Family.UUID:
        return _same(kind, 128, _unsigned)
    if kind.family is Family.TIME:
        return _same(kind, 40, _time)
    if kind.precision_scale is not None:
        return _numeric(*kind.precision_scale)
    if kind.family in (Family.TEXT, Family.CHAR):
        size = column.max_length or (kind.length or 0) * _UTF8_MAX
        if size:
            return _text(kind, size)
    raise _unordered(column)


def _unordered(column: SealedColumn) -> ConfigError:
    return ConfigError(f"{column.type} cannot be sealed with search: order", line=column.line, key=column.name)


def _same(kind: SqlType, bits: int, exact: Callable[[bytes], int]) -> Numbering:
    canonical = canonical_form(kind)
    return Numbering(bits, exact, lambda plain: exact(canonical(plain)))


def _unsigned(plain: bytes) -> int:
    return int.from_bytes(plain, "big")


def _signed(bits: int) -> Callable[[bytes], int]:
    offset = 1 << (bits - 1)  # flipping the sign bit of two's complement: the least value becomes 0
    return lambda plain: int.from_bytes(plain, "big") ^ offset


def _ieee754(bits: int) -> Callable[[bytes], int]:
    sign, every = 1 << (bits - 1), (1 << bits) - 1

    def exact(plain: bytes) -> int:
        image = int.from_bytes(plain, "big")
        return image ^ every if image & sign else image | sign

    return exact


def _time(plain: bytes) -> int:
    number = int.from_bytes(plain, "big", signed=True)
    if not 0 <= number <= _DAY_MICROSECONDS:
        raise InvalidValue("time out of range", sqlstate="22008")
    return number


def _numeric(precision: int, scale: int) -> Numbering:
    limit: int = 10**precision
    special = {NUMERIC_NAN: 2 * limit, NUMERIC_INFINITY: 2 * limit - 1, NUMERIC_MINUS_INFINITY: None}

    def scaled(number: Numeric) -> tuple[int, bool]:
        """(floor of number * 10**scale, is that exact); beyond the precision, `limit` or `-limit`."""
        if not number.digits:
            return 0, True
        if 4 * number.weight + 1 + scale > precision:
            return (-limit if number.negative else limit), True
        exponent = 4 * (number.weight - len(number.digits) + 1) + scale
        magnitude = 0
        for digit in number.digits:
            magnitude = magnitude * 10_000 + digit
        value = -magnitude if number.negative else magnitude
        if exponent >= 0:
            return value * 10**exponent, True
        whole, rest = divmod(value, 10**-exponent)
        return whole, rest == 0

    def exact(plain: bytes) -> int:
        number = parse_numeric(plain)
        if number == NUMERIC_NAN:
            return 2 * limit
        if isinstance(number, bytes):
            raise InvalidValue("numeric field overflow", sqlstate="22003")
        value, is_exact = scaled(number)
        if not -limit < value < limit or not is_exact:
            raise InvalidValue("numeric field overflow", sqlstate="22003")
        return value + limit

    def floor(plain: bytes) -> int | None:
        number = parse_numeric(plain)
        if isinstance(number, bytes):
            return special[number]
        value = min(scaled(number)[0], limit - 1)
        return None if value <= -limit else value + limit

    return Numbering((2 * limit).bit_length(), exact, floor)


def _text(kind: SqlType, size: int) -> Numbering:
    canonical = canonical_form(kind)

    def padded(plain: bytes) -> int:
        if b"\x00" in plain:  # the padding; PostgreSQL has no such text
            raise InvalidValue('invalid byte sequence for encoding "UTF8": 0x00', sqlstate="22021")
        return int.from_bytes(plain, "big") << 8 * (size - len(plain))

    def exact(plain: bytes) -> int:
        if len(plain) > size:
            raise InvalidValue(f"value is longer than the {size} bytes that its column orders", sqlstate="22001")
        return padded(plain)

    def floor(plain: bytes) -> int:
        return padded(canonical(plain)[:size])

    return Numbering(8 * size, exact, floor, size)
