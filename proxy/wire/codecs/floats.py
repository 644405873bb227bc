"""real and double precision: IEEE 754 big-endian; text as float8in, float8out (shortest round trip) and %g.

Source: float.c; d2s.c and f2s.c, whose shortest digits leave out the boundaries of the rounding interval, where
Python's repr() includes them; strtod(3), which also takes hexadecimal floats, "inf", and "nan(...)".
"""

from __future__ import annotations

import math
import re
import struct
from decimal import Decimal
from fractions import Fraction
from typing import Final

from proxy.errors import InvalidValue
from proxy.wire.codecs.base import WHITESPACE, Convert, check_length, invalid_syntax, out_of_range, unsupported

DOUBLE: Final = struct.Struct(">d")
REAL: Final = struct.Struct(">f")
NAN_DOUBLE: Final = bytes.fromhex("7ff8000000000000")
NAN_REAL: Final = bytes.fromhex("7fc00000")
_REAL_MAX: Final = REAL.unpack(bytes.fromhex("7f7fffff"))[0]
_DECIMAL: Final = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_HEX: Final = re.compile(rb"[+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP][+-]?[0-9]+)?")
_WORD: Final = re.compile(rb"([+-]?)(inf|infinity|nan|nan\([0-9a-z_]*\))", re.IGNORECASE)


def unpack_real(data: bytes) -> float:
    value: float = REAL.unpack(data)[0]
    return value


def unpack_double(data: bytes) -> float:
    value: float = DOUBLE.unpack(data)[0]
    return value


def _nan(sign: bytes, payload: bytes) -> bytes:
    if payload not in (b"", b"()"):
        raise unsupported("a NaN with a payload is not supported", "write NaN")
    return bytes.fromhex("fff8000000000000") if sign == b"-" else NAN_DOUBLE


def _word(text: bytes, name: str) -> bytes:
    """infinity, inf, nan -> double precision."""
    match = _WORD.fullmatch(text)
    if match is None:
        raise invalid_syntax(name)
    if match[2][:1] in b"nN":
        return _nan(match[1], match[2][3:])
    return DOUBLE.pack(-math.inf if match[1] == b"-" else math.inf)


def _is_zero(text: bytes) -> bool:
    """All digits before the exponent are zero."""
    return not re.split(rb"[eE]", text)[0].strip(b"+-0.")


def double_from_text(text: bytes) -> bytes:
    text = text.strip(WHITESPACE)
    name = "double precision"
    number = _DECIMAL.match(text)
    if number is not None and not _HEX.fullmatch(text):
        value = float(number[0])
        # strtod() reports the range before anyone looks at what follows the number.
        if math.isinf(value) or (value == 0 and not _is_zero(number[0])):
            raise out_of_range(name)
        if number.end() < len(text):
            raise invalid_syntax(name)
        return DOUBLE.pack(value)
    if _HEX.fullmatch(text):
        return DOUBLE.pack(_hex(text, name))
    return _word(text, name)


def _hex(text: bytes, name: str) -> float:
    digits = re.split(rb"[pP]", text.lstrip(b"+-")[2:])[0]
    try:
        value = float.fromhex(text.decode())
    except OverflowError:
        raise out_of_range(name) from None
    if value == 0 and digits.strip(b"0."):
        raise out_of_range(name)
    return value


def real_from_text(text: bytes) -> bytes:
    text = text.strip(WHITESPACE)
    number = _DECIMAL.match(text)
    if number is not None and not _HEX.fullmatch(text):
        value = float(number[0])
        if math.isinf(value) or (value == 0 and not _is_zero(number[0])):
            raise out_of_range("real")
        data = _narrow_decimal(value, number[0])
        if number.end() < len(text):
            raise invalid_syntax("real")
        return data
    if _HEX.fullmatch(text):
        if len(re.split(rb"[pP]", text)[0]) > 16:  # 13 hexadecimal digits fit a double, so there is one rounding
            raise unsupported("a hexadecimal real of more than 13 digits is not supported", "write it in decimal")
        return _checked_real(_hex(text, "real"))
    special = _word(text, "real")
    if special == NAN_DOUBLE:
        return NAN_REAL
    return bytes.fromhex("ffc00000") if special[:2] == b"\xff\xf8" else REAL.pack(unpack_double(special))


def _checked_real(value: float) -> bytes:
    try:
        data = REAL.pack(value)
    except OverflowError:
        raise out_of_range("real") from None
    if value != 0 and unpack_real(data) == 0:
        raise out_of_range("real")
    return data


def _narrow_decimal(value: float, text: bytes) -> bytes:
    """`text` to float4 in one rounding: `value`, its nearest double, may have landed on a tie between two float4."""
    low, high = (_pack_or_inf(math.nextafter(value, towards)) for towards in (-math.inf, math.inf))
    if low != high:
        exact, seen = Decimal(text.decode()), Decimal(value)
        # Only a value that *is* the tie is moved: its neighbours already lie on the right side of it.
        if exact != seen and _is_tie(value, low, high):
            value = math.nextafter(value, math.inf if exact > seen else -math.inf)
    return _checked_real(value)


def _pack_or_inf(value: float) -> bytes:
    try:
        return REAL.pack(value)
    except OverflowError:
        return REAL.pack(math.copysign(math.inf, value))


def _is_tie(value: float, low: bytes, high: bytes) -> bool:
    below, above = unpack_real(low), unpack_real(high)
    # An overflow rounds as if the exponent had no end.
    if math.isinf(above):
        above = 2.0**128
    if math.isinf(below):
        below = -(2.0**128)
    return (below + above) / 2 == value


def real_from_binary(data: bytes) -> bytes:
    check_length(data, 4)
    return data


def double_from_binary(data: bytes) -> bytes:
    check_length(data, 8)
    return data


def _layout(mantissa: str, exponent: int, widest: int) -> bytes:
    """Digits d.ddd x 10^exponent as to_chars() of d2s.c lays them out: scientific outside -4 <= exponent < widest."""
    if not -4 <= exponent < widest:
        point = f".{mantissa[1:]}" if len(mantissa) > 1 else ""
        return f"{mantissa[0]}{point}e{exponent:+03d}".encode()
    if exponent < 0:
        return b"0." + b"0" * (-exponent - 1) + mantissa.encode()
    if len(mantissa) <= exponent + 1:
        return mantissa.ljust(exponent + 1, "0").encode()
    return f"{mantissa[: exponent + 1]}.{mantissa[exponent + 1 :]}".encode()


def _digits(text: str) -> tuple[str, int]:
    """repr() or %e of a positive float -> significant digits without trailing zeros, and the exponent of the first."""
    head, _, power = text.partition("e")
    whole, _, fraction = head.partition(".")
    exponent = int(power or "0") + len(whole) - 1
    digits = whole + fraction
    stripped = digits.lstrip("0")
    return stripped.rstrip("0"), exponent - (len(digits) - len(stripped))


def _shortest(value: float, low: Fraction, high: Fraction, most: int) -> tuple[str, int]:
    """Fewest digits strictly between `low` and `high`, and of those the ones nearest to `value` > 0."""
    exact = Fraction(value)
    for places in range(most + 1):
        near = f"{value:.{places}e}"
        if low < Fraction(near) < high:
            return _digits(near)
        # At a power of two the interval is lopsided: the nearest may fall out below and the next one up be inside.
        head, _, power = near.partition("e")
        up = Fraction(near) + Fraction(10) ** (int(power) - places)
        if Fraction(near) < exact and low < up < high:
            whole = int(head.replace(".", "")) + 1
            return _digits(f"{whole}e{int(power) - places}")
    raise AssertionError("17 digits tell any two doubles apart")


def double_to_text(value: float) -> bytes:
    """extra_float_digits > 0."""
    if value == 0 or not math.isfinite(value):
        return _special(value)
    size = abs(value)
    digits, exponent = _digits(repr(size))
    # Only here can a decimal of 17 digits or fewer be the boundary between two doubles.
    if 2.0**49 <= size < 2.0**131:
        exact = Fraction(size)
        low, high = (exact + Fraction(math.nextafter(size, to)) for to in (0.0, math.inf))
        found = 2 * Fraction(f"{digits[0]}.{digits[1:] or '0'}e{exponent}")
        if not low < found < high:
            digits, exponent = _shortest(size, low / 2, high / 2, 17)
    return (b"-" if value < 0 else b"") + _layout(digits, exponent, 15)


def real_to_text(value: float) -> bytes:
    """extra_float_digits > 0; `value` is exactly a float4."""
    if value == 0 or not math.isfinite(value):
        return _special(value)
    size = abs(value)
    bits = int.from_bytes(REAL.pack(size), "big")
    below = unpack_real((bits - 1).to_bytes(4, "big"))
    above = 2.0**128 if size == _REAL_MAX else unpack_real((bits + 1).to_bytes(4, "big"))
    low, high = (below + size) / 2, (size + above) / 2  # exact: one bit more than a float4
    least, most = 0, 8
    while least < most:
        middle = (least + most) // 2
        if low < float(f"{size:.{middle}e}") < high:
            most = middle
        else:
            least = middle + 1
    near = f"{size:.{least}e}"
    lopsided = bits & 0x7FFFFF == 0
    if lopsided or float(near) in (low, high):
        digits, exponent = _shortest(size, Fraction(low), Fraction(high), 9)
    else:
        digits, exponent = _digits(near)
    return (b"-" if value < 0 else b"") + _layout(digits, exponent, 6)


def _special(value: float) -> bytes:
    if math.isnan(value):
        return b"NaN"
    if value == 0:
        return b"-0" if math.copysign(1, value) < 0 else b"0"
    return b"Infinity" if value > 0 else b"-Infinity"


def _rounded(value: float, digits: int) -> bytes:
    """extra_float_digits <= 0: printf's %.*g."""
    return f"{value:.{max(digits, 1)}g}".encode() if math.isfinite(value) else _special(value)


def real_encoder(extra_float_digits: int) -> Convert:
    if extra_float_digits > 0:
        return lambda data: real_to_text(unpack_real(data))
    return lambda data: _rounded(unpack_real(data), 6 + extra_float_digits)


def double_encoder(extra_float_digits: int) -> Convert:
    if extra_float_digits > 0:
        return lambda data: double_to_text(unpack_double(data))
    return lambda data: _rounded(unpack_double(data), 15 + extra_float_digits)


def canonical_real(data: bytes) -> bytes:
    """One zero, one NaN."""
    value = unpack_real(data)
    return bytes(4) if value == 0 else NAN_REAL if math.isnan(value) else data


def canonical_double(data: bytes) -> bytes:
    value = unpack_double(data)
    return bytes(8) if value == 0 else NAN_DOUBLE if math.isnan(value) else data


def narrow(value: float) -> bytes:
    """Cast of double precision to real. Raises InvalidValue 22003 as check_float8_val()'s callers do."""
    try:
        data = REAL.pack(value)
    except OverflowError:
        raise InvalidValue("value out of range: overflow", sqlstate="22003") from None
    if value != 0 and unpack_real(data) == 0:
        raise InvalidValue("value out of range: underflow", sqlstate="22003")
    return data


def nearest_real(value: float) -> bytes:
    """The float4 next to `value`; what is past the largest becomes infinity."""
    return _pack_or_inf(value)


def real_below(data: bytes) -> bytes:
    """The next smaller float4 than `data`, which is neither NaN nor -Infinity."""
    bits = int.from_bytes(data, "big")
    if bits & 0x7FFFFFFF == 0:
        return bytes.fromhex("80000001")
    return (bits + 1 if bits >> 31 else bits - 1).to_bytes(4, "big")
