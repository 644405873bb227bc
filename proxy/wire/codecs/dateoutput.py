"""date, time, timestamp and timestamptz as text in the four styles of DateStyle, and their binary recv checks.

Source: EncodeDateOnly(), EncodeTimeOnly(), EncodeDateTime() and EncodeTimezone() in datetime.c.
"""

from __future__ import annotations

from typing import Final

from proxy.errors import InvalidValue
from proxy.wire.codecs import calendar
from proxy.wire.codecs.base import Convert, Settings, check_length
from proxy.wire.codecs.dateinput import field_order

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WEEKDAYS: Final = ("Sat", "Sun", "Mon", "Tue", "Wed", "Thu", "Fri")  # 2000-01-01 was a Saturday
_LONGEST_ZONE: Final = 10  # MAXTZLEN


def _style(datestyle: str) -> str:
    return datestyle.partition(",")[0].strip().upper()


def _time(usecs: int) -> str:
    minutes, rest = divmod(usecs, 60_000_000)
    seconds, fraction = divmod(rest, 1_000_000)
    text = f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"
    return f"{text}.{fraction:06d}".rstrip("0") if fraction else text


def _calendar_date(days: int) -> tuple[int, int, int, str]:
    """Year to print, month, day, and the suffix of the era."""
    year, month, day = calendar.date_of(days)
    return (year, month, day, "") if year > 0 else (1 - year, month, day, " BC")


def _date(days: int, style: str, day_first: bool) -> tuple[str, str]:
    """The date, and the suffix that goes behind everything else."""
    year, month, day, era = _calendar_date(days)
    if style == "ISO":
        return f"{year:04d}-{month:02d}-{day:02d}", era
    if style == "GERMAN":
        return f"{day:02d}.{month:02d}.{year:04d}", era
    first, second = (day, month) if day_first else (month, day)
    mark = "/" if style == "SQL" else "-"
    return f"{first:02d}{mark}{second:02d}{mark}{year:04d}", era


def date_encoder(settings: Settings) -> Convert:
    style, day_first = _style(settings.datestyle), field_order(settings.datestyle) == "DMY"

    def encode(data: bytes) -> bytes:
        days = int.from_bytes(data, "big", signed=True)
        if days == calendar.DATE_INFINITY:
            return b"infinity"
        if days == calendar.DATE_MINUS_INFINITY:
            return b"-infinity"
        return "".join(_date(days, style, day_first)).encode()

    return encode


def encode_time(data: bytes) -> bytes:
    return _time(int.from_bytes(data, "big", signed=True)).encode()


def _iso_offset(seconds: int) -> str:
    minutes, second = divmod(abs(seconds), 60)
    text = f"{'-' if seconds < 0 else '+'}{minutes // 60:02d}"
    if second:
        return f"{text}:{minutes % 60:02d}:{second:02d}"
    return f"{text}:{minutes % 60:02d}" if minutes % 60 else text


def timestamp_encoder(settings: Settings, *, with_zone: bool) -> Convert:
    style, day_first = _style(settings.datestyle), field_order(settings.datestyle) == "DMY"
    zone = calendar.session_zone(settings.timezone) if with_zone else None

    def encode(data: bytes) -> bytes:
        value = int.from_bytes(data, "big", signed=True)
        if not calendar.is_finite_timestamp(value):
            return b"infinity" if value > 0 else b"-infinity"
        suffix = ""
        if zone is not None:
            offset, abbreviation = calendar.utc_offset(zone, value)
            value += offset * 1_000_000
            suffix = _iso_offset(offset) if style == "ISO" else f" {abbreviation[:_LONGEST_ZONE]}"
        days, usecs = divmod(value, calendar.USECS_PER_DAY)
        if style == "POSTGRES":
            year, month, day, era = _calendar_date(days)
            named = f"{day:02d} {_MONTHS[month - 1]}" if day_first else f"{_MONTHS[month - 1]} {day:02d}"
            return f"{_WEEKDAYS[days % 7]} {named} {_time(usecs)} {year:04d}{suffix}{era}".encode()
        date, era = _date(days, style, day_first)
        return f"{date} {_time(usecs)}{suffix}{era}".encode()

    return encode


def date_from_binary(data: bytes) -> bytes:
    check_length(data, 4)
    days = int.from_bytes(data, "big", signed=True)
    if calendar.MIN_DATE <= days < calendar.END_DATE or days in (calendar.DATE_INFINITY, calendar.DATE_MINUS_INFINITY):
        return data
    raise InvalidValue("date out of range", sqlstate="22008")


def time_from_binary(data: bytes) -> bytes:
    check_length(data, 8)
    if not 0 <= int.from_bytes(data, "big", signed=True) <= calendar.USECS_PER_DAY:
        raise InvalidValue("time out of range", sqlstate="22008")
    return data


def timestamp_from_binary(data: bytes) -> bytes:
    check_length(data, 8)
    value = int.from_bytes(data, "big", signed=True)
    if calendar.is_finite_timestamp(value):
        calendar.checked_timestamp(value)
    return data
