"""Assignment and explicit casts between the supported types, and the canonical form that equality needs.

The matrix is pg_cast's (castcontext i and a for assignment, e too for explicit casts), plus the conversions through
text that PostgreSQL adds: to string types on assignment, from them explicitly. Source: parse_coerce.c, numeric.c,
float.c, int.c, date.c, timestamp.c.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from proxy.errors import InvalidValue, Refused
from proxy.pgtypes import Family, SqlType
from proxy.wire.codecs import arrays, calendar, floats, ints, numeric, registry, texts
from proxy.wire.codecs.base import Settings, unsupported

INTEGERS: Final = frozenset({Family.SMALLINT, Family.INTEGER, Family.BIGINT})
FLOATS: Final = frozenset({Family.REAL, Family.DOUBLE})
NUMBERS: Final = INTEGERS | FLOATS | {Family.NUMERIC}
STRINGS: Final = frozenset({Family.TEXT, Family.CHAR})
JSONS: Final = frozenset({Family.JSON, Family.JSONB})
MOMENTS: Final = frozenset({Family.DATE, Family.TIMESTAMP, Family.TIMESTAMPTZ})


def canonical(type_: SqlType, value: bytes, searchable: bool) -> bytes:
    """The one form of equal values where they are searched: numeric without trailing zeros, -0.0 as 0.0, one NaN.

    numeric(p,s) has its scale in either case, char(n) no padding.
    """
    if type_.is_array:
        return value
    match type_.family:
        case Family.CHAR:
            return texts.strip_padding(value)
        case Family.NUMERIC if type_.precision_scale is not None:
            number = numeric.unpack(value)
            return value if number is None else numeric.pack(numeric.round_to(number, type_.precision_scale[1]))
        case Family.NUMERIC if searchable:
            return numeric.normalize(value)
        case Family.REAL if searchable:
            return floats.canonical_real(value)
        case Family.DOUBLE if searchable:
            return floats.canonical_double(value)
        case _:
            return value


def assign(value: bytes, source: SqlType, target: SqlType, settings: Settings, *, searchable: bool) -> bytes:
    """Assignment cast to `target` and its modifier, in canonical form.

    Raises InvalidValue 22001, 22003, 22008, and Refused 42804 where PostgreSQL has no assignment cast.
    """
    if source.is_array and target.is_array:
        return _each_element(
            value, source, target, lambda item: assign(item, source.element, target.element, settings, searchable=False)
        )
    if not _exists(source, target, explicit=False):
        raise Refused(
            f"column is of type {target.unmodified} but expression is of type {source.unmodified}",
            hint="You will need to rewrite or cast the expression.",
            sqlstate="42804",
        )
    stored = _apply_typmod(_convert(value, source, target, settings), target, explicit=False)
    return stored if target.precision_scale is not None else canonical(target, stored, searchable)


def cast(value: bytes, source: SqlType, target: SqlType, settings: Settings) -> bytes:
    """Explicit cast: as assign(), but varchar(n) and char(n) cut silently and strings go through input functions.

    Raises InvalidValue, Refused 42846 for a cast that does not exist and 0A000 for one that is not offered here.
    """
    if source.is_array and target.is_array:
        return _each_element(value, source, target, lambda item: cast(item, source.element, target.element, settings))
    if not _exists(source, target, explicit=True):
        raise Refused(f"cannot cast type {source.unmodified} to {target.unmodified}", sqlstate="42846")
    return _apply_typmod(_convert(value, source, target, settings), target, explicit=True)


def _each_element(value: bytes, source: SqlType, target: SqlType, convert: Callable[[bytes], bytes]) -> bytes:
    dimensions, elements = arrays.parse_binary(value, source.facts.oid)
    return arrays.print_binary(target.facts.oid, dimensions, arrays.each(convert, elements))


def _exists(source: SqlType, target: SqlType, *, explicit: bool) -> bool:
    """pg_cast, and the I/O conversions around it. Not both are arrays."""
    from_, to = source.family, target.family
    if not target.is_array and to in STRINGS:
        return True
    if not source.is_array and from_ in STRINGS:
        return explicit
    if source.is_array or target.is_array:
        return False
    if from_ is to or (from_ in NUMBERS and to in NUMBERS) or (from_ in JSONS and to in JSONS):
        return True
    if from_ in MOMENTS and (to in MOMENTS or (to is Family.TIME and from_ is not Family.DATE)):
        return True
    if not explicit:
        return False
    if {from_, to} == {Family.INTEGER, Family.BOOLEAN}:
        return True
    return (from_ is Family.JSONB and to in NUMBERS | {Family.BOOLEAN}) or {from_, to} in (
        {family, Family.BYTEA} for family in INTEGERS
    )


def _apply_typmod(value: bytes, target: SqlType, *, explicit: bool) -> bytes:
    if target.typmod < 0 or target.is_array:
        return value
    match target.family:
        case Family.TEXT | Family.CHAR as family:
            length = target.length
            if explicit and length is not None:
                value = texts.truncate(value, length)
            value = texts.fit(value, target)
            return texts.strip_padding(value) if family is Family.CHAR else value
        case Family.NUMERIC:
            return numeric.apply_typmod(value, target.precision_scale)
        case _:
            return _round_seconds(value, target)


def _round_seconds(value: bytes, target: SqlType) -> bytes:
    digits = target.seconds_precision
    if digits is None or not calendar.is_finite_timestamp(usecs := ints.unpack(value)):
        return value
    return ints.pack(Family.BIGINT, calendar.round_usecs(usecs, digits))


def _convert(value: bytes, source: SqlType, target: SqlType, settings: Settings) -> bytes:
    """Between unmodified types; the cast exists."""
    from_, to = source.family, target.family
    if not source.is_array and not target.is_array:
        if from_ is to:
            return value
        if from_ in NUMBERS and to in NUMBERS:
            return convert_number(value, from_, to)
        if from_ in MOMENTS and to in MOMENTS | {Family.TIME}:
            return _moment(value, from_, to, settings)
        if from_ is Family.JSON and to is Family.JSONB:
            return registry.utf8_input(target, settings)(value)
        if from_ is Family.JSONB and to is Family.JSON:
            return value[1:]
        if from_ is Family.BOOLEAN and to in STRINGS:
            return b"false" if value == b"\0" else b"true"
        if from_ is Family.BOOLEAN and to is Family.INTEGER:
            return b"\0\0\0" + value
        if from_ is Family.INTEGER and to is Family.BOOLEAN:
            return b"\0" if value == bytes(4) else b"\1"
    if not target.is_array and to in STRINGS:
        if not source.is_array and from_ in STRINGS:
            return texts.strip_padding(value)
        written = registry.utf8_output(source, settings)(value)
        return texts.strip_padding(written) if to is Family.CHAR else written
    lost_padding = from_ is Family.CHAR and source.length is None and to is Family.BYTEA
    if not source.is_array and from_ in STRINGS and not lost_padding:
        return registry.utf8_input(target, settings)(texts.pad(value, source.length) if from_ is Family.CHAR else value)
    raise unsupported(
        f"casting type {source.unmodified} to {target.unmodified} is not supported for sealed values",
        "cast in the application, and send the result",
    )


def convert_number(value: bytes, from_: Family, to: Family) -> bytes:
    """Between smallint, integer, bigint, numeric, real, double precision. Raises InvalidValue 22003, 0A000."""
    if from_ is to:
        return value
    if to in INTEGERS:
        return ints.pack(to, _to_integer(value, from_, to))
    if to is Family.NUMERIC:
        return _to_numeric(value, from_)
    if from_ in FLOATS:
        if to is Family.DOUBLE:
            return floats.DOUBLE.pack(floats.unpack_real(value))
        return floats.narrow(floats.unpack_double(value))
    text = ints.encode_text(value) if from_ in INTEGERS else numeric.encode_text(value)
    return floats.double_from_text(text) if to is Family.DOUBLE else floats.real_from_text(text)


def _to_integer(value: bytes, from_: Family, to: Family) -> int:
    if from_ in INTEGERS:
        return ints.unpack(value)
    if from_ is Family.NUMERIC:
        number = numeric.unpack(value)
        if number is None:
            what = "NaN" if value == numeric.NAN else "infinity"
            raise InvalidValue(f"cannot convert {what} to {to}", sqlstate="0A000")
        number = numeric.round_to(number, 0)
        if len(number.whole) > 19:
            raise InvalidValue(f"{to} out of range", sqlstate="22003")
        size = int(number.whole or "0")
        return -size if number.negative else size
    real = floats.unpack_real(value) if from_ is Family.REAL else floats.unpack_double(value)
    if not math.isfinite(real):
        raise InvalidValue(f"{to} out of range", sqlstate="22003")
    return round(real)  # rint(): half to even


def _to_numeric(value: bytes, from_: Family) -> bytes:
    if from_ in INTEGERS:
        return numeric.decode_text(ints.encode_text(value))
    # float4_numeric() and float8_numeric() print FLT_DIG and DBL_DIG digits: what extra_float_digits = 0 prints.
    encoder = floats.real_encoder(0) if from_ is Family.REAL else floats.double_encoder(0)
    return numeric.decode_text(encoder(value))


def date_to_timestamp(days: int) -> int:
    """Midnight. Raises InvalidValue 22008 for a date past the timestamps' range."""
    if days in (calendar.DATE_INFINITY, calendar.DATE_MINUS_INFINITY):
        return calendar.TIMESTAMP_INFINITY if days > 0 else calendar.TIMESTAMP_MINUS_INFINITY
    usecs = days * calendar.USECS_PER_DAY
    if usecs >= calendar.END_TIMESTAMP:
        raise InvalidValue("date out of range for timestamp", sqlstate="22008")
    return usecs


def timestamp_to_date(usecs: int) -> int:
    if calendar.is_finite_timestamp(usecs):
        return usecs // calendar.USECS_PER_DAY
    return calendar.DATE_INFINITY if usecs > 0 else calendar.DATE_MINUS_INFINITY


def _moment(value: bytes, from_: Family, to: Family, settings: Settings) -> bytes:
    zone = calendar.session_zone(settings.timezone)
    usecs = date_to_timestamp(ints.unpack(value)) if from_ is Family.DATE else ints.unpack(value)
    if from_ is Family.TIMESTAMPTZ:
        usecs = calendar.to_local(zone, usecs)
    match to:
        case Family.DATE:
            return ints.pack(Family.INTEGER, timestamp_to_date(usecs))
        case Family.TIME:
            if not calendar.is_finite_timestamp(usecs):
                raise unsupported("the time of an infinite timestamp is null, which is not supported here", "send null")
            return ints.pack(Family.BIGINT, usecs % calendar.USECS_PER_DAY)
        case Family.TIMESTAMPTZ:
            return ints.pack(Family.BIGINT, calendar.to_utc(zone, usecs))
        case _:
            return ints.pack(
                Family.BIGINT, calendar.checked_timestamp(usecs) if calendar.is_finite_timestamp(usecs) else usecs
            )
