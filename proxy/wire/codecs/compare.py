"""A value of one type met by a column of another under =, <, BETWEEN...: what PostgreSQL's operators would compare.

The answer is the storable value that is equal, or a Probe that says between which storable values it falls, or a
refusal where neither is certain. Source: operator resolution (manual, section 10.2) over pg_operator; date.c and
timestamp.c for the cross-type operators.
"""

from __future__ import annotations

import math
from datetime import UTC, timezone, tzinfo
from decimal import Decimal
from itertools import pairwise
from typing import Final, cast

from proxy.errors import InvalidValue, Refused
from proxy.pgtypes import Family, SqlType
from proxy.wire.codecs import calendar, floats, ints, numeric
from proxy.wire.codecs.base import Probe, Settings, unsupported
from proxy.wire.codecs.convert import (
    FLOATS,
    INTEGERS,
    JSONS,
    MOMENTS,
    NUMBERS,
    STRINGS,
    canonical,
    convert_number,
    date_to_timestamp,
    timestamp_to_date,
)
from proxy.wire.codecs.texts import strip_padding

_EXACT_INTEGER: Final = 2.0**53
_HOUR: Final = 3_600_000_000


def compare(
    value: bytes, source: SqlType, target: SqlType, settings: Settings, *, max_length: int | None = None
) -> bytes | Probe:
    """`value` of type `source` as a column of type `target` sees it, canonical as for searchable columns.

    No modifier is enforced: what the column cannot hold equals nothing in it. `max_length`: bytes that the column's
    order prefix covers; longer text becomes a Probe. Raises Refused 42883 where PostgreSQL has no operator and 0A000
    where the answer cannot be certain.
    """
    from_, to = source.family, target.family
    if source.is_array or target.is_array or from_ in JSONS or to in JSONS:
        if source.is_array == target.is_array and from_ is to and (source.is_array or to is Family.JSONB):
            raise unsupported(f"comparing values of type {target.unmodified} is not supported", _HINT)
        raise _no_operator(source, target)
    if from_ in STRINGS and to in STRINGS:
        return _string(value, source, target, max_length)
    if from_ in NUMBERS and to in NUMBERS:
        return _number(value, from_, target)
    if from_ in MOMENTS and to in MOMENTS:
        return _moment(value, from_, target, settings)
    if from_ is not to:
        raise _no_operator(source, target)
    return _at_precision(ints.unpack(value), target) if to is Family.TIME else value


_HINT: Final = "cast the value to the column's type, or compare in the application"


def _no_operator(source: SqlType, target: SqlType) -> Refused:
    return Refused(
        f"operator does not exist: {target.unmodified} = {source.unmodified}",
        hint="No operator matches the given name and argument types. You might need to add explicit type casts.",
        sqlstate="42883",
    )


def _uncertain(source: Family, target: SqlType) -> Refused:
    return unsupported(f"comparing type {target.unmodified} with this value of type {source} is not supported", _HINT)


def _string(value: bytes, source: SqlType, target: SqlType, max_length: int | None) -> bytes | Probe:
    """char(n) against varchar compares as char(n), where trailing spaces do not count; against text, as text.

    So text that ends in a space equals no char(n): it is returned as it is, and must be sealed as it is.
    """
    if source.family is Family.CHAR or (target.family is Family.CHAR and source.facts.name == "character varying"):
        if target.facts.name == "character varying":
            raise unsupported("comparing type character varying with type character is not supported", _HINT)
        value = strip_padding(value)
    if max_length is not None and len(value) > max_length:
        return Probe(value[:max_length])
    return value


def _number(value: bytes, from_: Family, target: SqlType) -> bytes | Probe:
    to = target.family
    if to in FLOATS:
        return _float_column(value, from_, to)
    if to is Family.NUMERIC:
        if from_ in FLOATS:
            return _numeric_column_float(_real(value, from_), from_, target)
        return _numeric_column(convert_number(value, from_, Family.NUMERIC), target)
    if from_ in INTEGERS:
        return _clip(ints.unpack(value), to, exact=True)
    if from_ is Family.NUMERIC:
        return _integer_column_numeric(value, to)
    return _integer_column_float(_real(value, from_), from_, target)


def _real(value: bytes, family: Family) -> float:
    return floats.unpack_real(value) if family is Family.REAL else floats.unpack_double(value)


def _clip(value: int, to: Family, *, exact: bool) -> bytes | Probe:
    """`value` itself, or with exact=False the values just above it, in an integer column."""
    least, most = ints.bounds(to)
    if value < least:
        return Probe(None)
    if value > most:
        return Probe(ints.pack(to, most))
    return ints.pack(to, value) if exact else Probe(ints.pack(to, value))


def _integer_column_numeric(value: bytes, to: Family) -> bytes | Probe:
    number = numeric.unpack(value)
    if number is None:  # NaN is above all numbers
        return Probe(None) if value == numeric.MINUS_INFINITY else Probe(ints.pack(to, ints.bounds(to)[1]))
    low = numeric.floor_to(number, 0)
    size = int(low.whole[:20] or "0")  # 20 digits are past every integer type's range, whatever follows
    return _clip(-size if low.negative else size, to, exact=not number.fraction.strip("0"))


def _integer_column_float(value: float, from_: Family, target: SqlType) -> bytes | Probe:
    """The column's integers become double precision, which is exact up to 2^53."""
    to = target.family
    if math.isnan(value) or value > 2.0**63:
        return Probe(ints.pack(to, ints.bounds(to)[1]))
    if value < -(2.0**63):
        return Probe(None)
    if to is Family.BIGINT and abs(value) >= _EXACT_INTEGER:
        raise _uncertain(from_, target)
    return _clip(math.floor(value), to, exact=value.is_integer())


def _largest(precision: int, scale: int) -> numeric.Number:
    return numeric.make(False, "9" * precision, scale)


def _numeric_column(value: bytes, target: SqlType) -> bytes | Probe:
    if target.precision_scale is None or value == numeric.NAN:
        return canonical(target, value, searchable=True)
    precision, scale = target.precision_scale
    number = numeric.unpack(value)
    if number is None:
        return Probe(None) if value == numeric.MINUS_INFINITY else Probe(numeric.pack(_largest(precision, scale)))
    low = numeric.floor_to(number, scale)
    if not low.is_zero and not numeric.fits(low, precision, scale):
        return Probe(None) if low.negative else Probe(numeric.pack(_largest(precision, scale)))
    packed = numeric.pack(low)
    same = numeric.normalize(packed) == numeric.normalize(value)
    return packed if same else Probe(packed)


def _numeric_column_float(value: float, from_: Family, target: SqlType) -> bytes | Probe:
    """The column's numbers become double precision: one to one, and in order, while they have 15 digits or fewer."""
    if target.precision_scale is None or target.precision_scale[0] > 15 or abs(target.precision_scale[1]) > 280:
        raise _uncertain(from_, target)
    if math.isnan(value):
        return numeric.NAN
    if math.isinf(value):
        special = numeric.INFINITY if value > 0 else numeric.MINUS_INFINITY
        return _numeric_column(special, target)
    exact = numeric.decode_text(format(Decimal(value), "f").encode())
    scale = target.precision_scale[1]
    number = cast("numeric.Number", numeric.unpack(exact))
    # The only numbers that can become `value` are the storable ones next to it; rounding finds the nearer of them.
    near = numeric.round_to(number, scale)
    if float(numeric.to_text(near)) == value and numeric.fits(near, *target.precision_scale):
        return numeric.pack(near)
    return _numeric_column(exact, target)


def _float_column(value: bytes, from_: Family, to: Family) -> bytes | Probe:
    if from_ is to:
        return floats.canonical_real(value) if to is Family.REAL else floats.canonical_double(value)
    wide = floats.canonical_double(convert_number(value, from_, Family.DOUBLE))
    if to is Family.DOUBLE:
        return wide
    number = floats.unpack_double(wide)
    near = floats.nearest_real(number)
    if math.isnan(number) or floats.unpack_real(near) == number:
        return floats.canonical_real(near)
    return Probe(floats.canonical_real(near if floats.unpack_real(near) < number else floats.real_below(near)))


def _moment(value: bytes, from_: Family, target: SqlType, settings: Settings) -> bytes | Probe:
    to = target.family
    number = ints.unpack(value)
    if from_ is to:
        return value if to is Family.DATE else _at_precision(number, target)
    zone = UTC if Family.TIMESTAMPTZ not in (from_, to) else calendar.session_zone(settings.timezone)
    if to is Family.DATE:
        return _date_column(number, from_, target, zone)
    if from_ is Family.DATE:
        try:
            number = date_to_timestamp(number)
        except InvalidValue:
            return Probe(ints.pack(Family.BIGINT, calendar.END_TIMESTAMP - 1))
    if to is Family.TIMESTAMPTZ:
        try:
            return _at_precision(calendar.to_utc(zone, number), target)
        except InvalidValue:
            floor = calendar.END_TIMESTAMP - 1 if number > 0 else calendar.TIMESTAMP_MINUS_INFINITY
            return Probe(ints.pack(Family.BIGINT, floor))
    if from_ is Family.TIMESTAMPTZ and calendar.is_finite_timestamp(number):
        if not _steady(zone, number):
            raise _uncertain(from_, target)
        number += calendar.utc_offset(zone, number)[0] * 1_000_000
        if not calendar.MIN_TIMESTAMP <= number < calendar.END_TIMESTAMP:
            raise _uncertain(from_, target)
    return _at_precision(number, target)


def _steady(zone: tzinfo, utc: int) -> bool:
    """No change of offset within 30 hours, so wall clock and instant run in step around `utc`."""
    if isinstance(zone, timezone):
        return True
    seen = {calendar.utc_offset(zone, utc + hours * _HOUR)[0] for hours in range(-30, 31, 3)}
    return len(seen) == 1


def _date_column(usecs: int, from_: Family, target: SqlType, zone: tzinfo) -> bytes | Probe:
    """The column's dates become midnights, in the session's zone where an instant is met."""
    if not calendar.is_finite_timestamp(usecs):
        return ints.pack(Family.INTEGER, timestamp_to_date(usecs))
    if from_ is Family.TIMESTAMP:
        days, rest = divmod(usecs, calendar.USECS_PER_DAY)
        packed = ints.pack(Family.INTEGER, days)
        return Probe(packed) if rest else packed
    # An offset is less than a day, so the last midnight not after `usecs` is one of these.
    around = usecs // calendar.USECS_PER_DAY
    midnights = [
        (day, day * calendar.USECS_PER_DAY - calendar.local_offset(zone, day * calendar.USECS_PER_DAY) * 1_000_000)
        for day in range(around - 2, around + 3)
    ]
    if any(first >= second for (_, first), (_, second) in pairwise(midnights)):
        raise _uncertain(from_, target)  # a zone that skipped a whole day: two dates are one instant
    if around - 2 < calendar.MIN_DATE or (around + 3) * calendar.USECS_PER_DAY > calendar.END_TIMESTAMP:
        raise _uncertain(from_, target)
    day, instant = max(pair for pair in midnights if pair[1] <= usecs)
    packed = ints.pack(Family.INTEGER, day)
    return packed if instant == usecs else Probe(packed)


def _at_precision(usecs: int, target: SqlType) -> bytes | Probe:
    """A time, timestamp or timestamptz in a column that may keep fewer digits."""
    packed = ints.pack(Family.BIGINT, usecs)
    digits = target.seconds_precision
    if digits is None or (target.family is not Family.TIME and not calendar.is_finite_timestamp(usecs)):
        return packed
    unit: int = 10 ** (6 - digits)
    return packed if usecs % unit == 0 else Probe(ints.pack(Family.BIGINT, usecs // unit * unit))
