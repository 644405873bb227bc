"""numeric: text, the base-10000 binary form, rounding to a scale.

Works on digit strings: a numeric may have 131,072 digits before the point and 16,383 after it, and Python's int()
both refuses and slows down on such lengths. Source: numeric.c (set_var_from_str, numeric_recv, apply_typmod).
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Final, cast

from proxy.errors import InvalidValue
from proxy.wire.codecs.base import WHITESPACE, invalid_syntax

_POSITIVE, _NEGATIVE, _NAN, _INFINITY, _MINUS_INFINITY = 0x0000, 0x4000, 0xC000, 0xD000, 0xF000
MAX_SCALE: Final = 0x3FFF
MAX_WHOLE_DIGITS: Final = 131_072
_HEADER: Final = struct.Struct(">HhHH")
NAN: Final = bytes.fromhex("00000000c0000000")
INFINITY: Final = bytes.fromhex("00000000d0000020")  # PostgreSQL sends a stray scale of 32 with its infinities
MINUS_INFINITY: Final = bytes.fromhex("00000000f0000020")
SPECIAL: Final = {NAN: b"NaN", INFINITY: b"Infinity", MINUS_INFINITY: b"-Infinity"}
_WORDS: Final = {
    b"nan": NAN,
    **dict.fromkeys((b"inf", b"+inf", b"infinity", b"+infinity"), INFINITY),
    **dict.fromkeys((b"-inf", b"-infinity"), MINUS_INFINITY),
}
_DECIMAL: Final = re.compile(
    rb"([+-]?)(?:([0-9](?:_?[0-9])*)(?:\.([0-9](?:_?[0-9])*)?)?|\.([0-9](?:_?[0-9])*))(?:[eE]([+-]?[0-9](?:_?[0-9])*))?"
)
_NON_DECIMAL: Final = re.compile(rb"([+-]?)0(?:[xX]((?:_?[0-9a-fA-F])+)|[oO]((?:_?[0-7])+)|[bB]((?:_?[01])+))")
_MOST_BITS: Final = 435_412  # of 10 ^ 131072


@dataclass(frozen=True, slots=True)
class Number:
    """A finite numeric: `whole` has no leading zeros (0 is ""), `fraction` has as many digits as the display scale."""

    negative: bool
    whole: str
    fraction: str

    @property
    def is_zero(self) -> bool:
        return not self.whole and not self.fraction.strip("0")


def overflow() -> InvalidValue:
    return InvalidValue("value overflows numeric format", sqlstate="22003")


def make(negative: bool, digits: str, scale: int) -> Number:
    """The number `digits` x 10^-scale; a negative `scale` appends zeros. Raises InvalidValue 22003."""
    if scale > MAX_SCALE:
        raise overflow()
    digits = digits.lstrip("0")
    if scale <= 0:
        if digits and len(digits) - scale > MAX_WHOLE_DIGITS:
            raise overflow()
        return Number(negative and bool(digits), digits and digits + "0" * -scale, "")
    if len(digits) - scale > MAX_WHOLE_DIGITS:
        raise overflow()
    digits = digits.rjust(scale, "0")
    whole, fraction = digits[:-scale].lstrip("0"), digits[-scale:]
    return Number(negative and bool(digits.strip("0")), whole, fraction)


def parse(text: bytes) -> Number | bytes:
    """Input function; NaN and the infinities come back in their binary form."""
    text = text.strip(WHITESPACE)
    match = _DECIMAL.fullmatch(text)
    if match is None:
        special = _WORDS.get(text.lower())
        return special if special is not None else _parse_non_decimal(text)
    sign, whole, after_whole, bare, exponent = match.groups()
    fraction = after_whole or bare or b""
    digits = ((whole or b"") + fraction).replace(b"_", b"").decode()
    scale = len(fraction) - fraction.count(b"_")
    if exponent is not None:
        scale -= _exponent(exponent.replace(b"_", b""))
    return make(sign == b"-", digits, scale)


def _exponent(text: bytes) -> int:
    digits = text.lstrip(b"+-").lstrip(b"0")
    if len(digits) > 10 or int(digits or b"0") > 0x7FFFFFFF // 2:
        raise overflow()
    value = int(digits or b"0")
    return -value if text[:1] == b"-" else value


def _parse_non_decimal(text: bytes) -> Number:
    match = _NON_DECIMAL.fullmatch(text)
    if match is None:
        raise invalid_syntax("numeric")
    for base, digits in zip((16, 8, 2), match.groups()[1:], strict=True):
        if digits is not None:
            value = int(digits.replace(b"_", b""), base)
            if value.bit_length() > _MOST_BITS:
                raise overflow()
            return make(match[1] == b"-", decimal_digits(value), 0)
    raise AssertionError("one of the three spellings has matched")


def decimal_digits(value: int) -> str:
    """str() of a non-negative integer of any length: Python's own stops at 4,300 digits."""
    pieces: list[str] = []
    while value:
        value, rest = divmod(value, 10**4000)
        pieces.append(f"{rest:04000d}" if value else str(rest))
    return "".join(reversed(pieces)) or "0"


def pack(number: Number) -> bytes:
    """numeric_send."""
    whole, fraction = number.whole, number.fraction
    scale = len(fraction)
    whole = "0" * (-len(whole) % 4) + whole
    digits = whole + fraction + "0" * (-scale % 4)
    groups = [int(digits[i : i + 4]) for i in range(0, len(digits), 4)]
    weight = len(whole) // 4 - 1
    start, end = 0, len(groups)
    while start < end and groups[start] == 0:
        start += 1
    while end > start and groups[end - 1] == 0:
        end -= 1
    if start == end:
        return _HEADER.pack(0, 0, _POSITIVE, scale)
    groups = groups[start:end]
    sign = _NEGATIVE if number.negative else _POSITIVE
    return struct.pack(f">HhHH{len(groups)}H", len(groups), weight - start, sign, scale, *groups)


def unpack(data: bytes) -> Number | None:
    """The canonical binary form -> Number; None for NaN and the infinities."""
    if data in SPECIAL:
        return None
    count, weight, sign, scale = _HEADER.unpack_from(data)
    digits = "%04d" * count % struct.unpack_from(f">{count}H", data, 8)
    if weight >= 0:
        point = 4 * (weight + 1)
        digits = digits.ljust(point, "0")
    else:
        digits = "0" * (-4 * (weight + 1)) + digits
        point = 0
    fraction = digits[point : point + scale].ljust(scale, "0")
    return Number(sign == _NEGATIVE, digits[:point].lstrip("0"), fraction)


def to_text(number: Number) -> bytes:
    sign = "-" if number.negative else ""
    point = "." if number.fraction else ""
    return f"{sign}{number.whole or '0'}{point}{number.fraction}".encode()


def decode_text(text: bytes) -> bytes:
    number = parse(text)
    return number if isinstance(number, bytes) else pack(number)


def encode_text(data: bytes) -> bytes:
    number = unpack(data)
    return SPECIAL[data] if number is None else to_text(number)


def decode_binary(data: bytes) -> bytes:
    """numeric_recv: digits that the display scale would hide are cut off. Raises InvalidValue 22P03, 08P01."""
    if len(data) < 8:
        raise InvalidValue("insufficient data left in message", sqlstate="08P01")
    count, _, sign, scale = _HEADER.unpack_from(data)
    if sign not in (_POSITIVE, _NEGATIVE, _NAN, _INFINITY, _MINUS_INFINITY):
        raise InvalidValue('invalid sign in external "numeric" value', sqlstate="22P03")
    if scale > MAX_SCALE:
        raise InvalidValue('invalid scale in external "numeric" value', sqlstate="22P03")
    if len(data) < 8 + 2 * count:
        raise InvalidValue("insufficient data left in message", sqlstate="08P01")
    groups = struct.unpack_from(f">{count}H", data, 8)
    if count and max(groups) > 9999:
        raise InvalidValue('invalid digit in external "numeric" value', sqlstate="22P03")
    if len(data) > 8 + 2 * count:
        raise InvalidValue("incorrect binary data format", sqlstate="22P03")
    if sign >= _NAN:
        return {_NAN: NAN, _INFINITY: INFINITY}.get(sign, MINUS_INFINITY)
    number = cast("Number", unpack(data))
    return pack(make(number.negative, number.whole + number.fraction, scale))


def round_to(number: Number, scale: int) -> Number:
    """Half away from zero; `scale` may be negative. The result's display scale is max(scale, 0)."""
    have = len(number.fraction)
    if scale >= have:
        return Number(number.negative, number.whole, number.fraction + "0" * (scale - have))
    digits = number.whole + number.fraction
    keep = len(digits) - (have - scale)
    rounded = "" if keep < 0 else _increment(digits[:keep]) if digits[keep] >= "5" else digits[:keep]
    return make(number.negative, (rounded + "0" * -scale) if scale < 0 else rounded, max(scale, 0))


def floor_to(number: Number, scale: int) -> Number:
    """The largest number of that scale that is not above `number`."""
    have = len(number.fraction)
    if scale >= have:
        return round_to(number, scale)
    digits = number.whole + number.fraction
    keep = len(digits) - (have - scale)
    kept, cut = (digits[:keep], digits[keep:]) if keep > 0 else ("", digits)
    if number.negative and cut.strip("0"):
        kept = _increment(kept)
    return make(number.negative, (kept + "0" * -scale) if scale < 0 else kept, max(scale, 0))


def _increment(digits: str) -> str:
    head = digits.rstrip("9")
    nines = len(digits) - len(head)
    return (head[:-1] + chr(ord(head[-1]) + 1) if head else "1") + "0" * nines


def fits(number: Number, precision: int, scale: int) -> bool:
    """|number| < 10^(precision - scale); the number is rounded to the scale already."""
    limit = precision - scale
    if limit >= 0:
        return len(number.whole) <= limit
    return not number.whole and not number.fraction[:-limit].strip("0")


def apply_typmod(data: bytes, precision_scale: tuple[int, int] | None) -> bytes:
    """Assignment to numeric(p,s). Raises InvalidValue 22003 with PostgreSQL's detail."""
    if precision_scale is None or data == NAN:
        return data
    precision, scale = precision_scale
    number = unpack(data)
    subject = f"A field with precision {precision}, scale {scale}"
    if number is None:
        raise InvalidValue(
            "numeric field overflow", detail=f"{subject} cannot hold an infinite value.", sqlstate="22003"
        )
    if len(number.fraction) == scale and fits(number, precision, scale):
        return data
    rounded = round_to(number, scale)
    if not rounded.is_zero and not fits(rounded, precision, scale):
        power = f"10^{precision - scale}" if precision != scale else "1"
        detail = f"{subject} must round to an absolute value less than {power}."
        raise InvalidValue("numeric field overflow", detail=detail, sqlstate="22003")
    return pack(rounded)


def normalize(data: bytes) -> bytes:
    """Without trailing zeros: equal numbers get equal bytes."""
    number = unpack(data)
    return data if number is None else pack(Number(number.negative, number.whole, number.fraction.rstrip("0")))
