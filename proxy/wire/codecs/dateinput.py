"""Text to date, time, timestamp and timestamptz.

PostgreSQL's own reader (ParseDateTime, DecodeDateTime in datetime.c) takes nearly anything. This one takes the formats
that can be told for certain, and answers exactly as PostgreSQL does for them, errors included. Everything else is
refused with 0A000: never guessed. Words that mean the current time need the server's clock and are refused too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from proxy.errors import InvalidValue, Refused
from proxy.wire.codecs import calendar
from proxy.wire.codecs.base import WHITESPACE, Settings, invalid_syntax

_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            ("jan", "january"),
            ("feb", "february"),
            ("mar", "march"),
            ("apr", "april"),
            ("may",),
            ("jun", "june"),
            ("jul", "july"),
            ("aug", "august"),
            ("sep", "sept", "september"),
            ("oct", "october"),
            ("nov", "november"),
            ("dec", "december"),
        ),
        start=1,
    )
    for name in names
}
_MONTH: Final = "|".join(sorted(_MONTHS, key=len, reverse=True))
_WEEKDAYS: Final = r"""(?:(?:sunday|sun|monday|mon|tuesday|tues|tue|wednesday|weds|wed|thursday|thurs|thur|thu
    |friday|fri|saturday|sat)(?:,\s*|\s+))?"""
_DATE: Final = rf"""(?:
      (?P<iso_year>\d{{3,7}})(?P<separator>[-/.])(?P<iso_month>\d{{1,2}})(?P=separator)(?P<iso_day>\d{{1,2}})
    | (?P<first>\d{{1,2}})(?P<mark>[-/.])(?P<second>\d{{1,2}})(?P=mark)(?P<third>\d{{4,7}}|\d\d)
    | (?P<ymd>\d{{8}})
    | j(?P<julian>\d{{1,9}})
    | {_WEEKDAYS}(?P<m_name>{_MONTH})\s+(?P<m_day>\d{{1,2}})(?:,\s*|\s+)(?P<m_year>\d{{4}})
    | (?P<n_name>{_MONTH})-(?P<n_day>\d{{1,2}})-(?P<n_year>\d{{4}})
    | (?P<d_day>\d{{1,2}})(?P<space>\s+|-)(?P<d_name>{_MONTH})(?P=space)(?P<d_year>\d{{4}})
    | (?P<y_year>\d{{4}})(?P<gap>\s+|-)(?P<y_name>{_MONTH})(?P=gap)(?P<y_day>\d{{1,2}})
    )"""
_TIME: Final = r"""(?:(?P<hour>\d{1,2}):(?P<minute>\d{1,2})(?::(?P<second_>\d{1,2})(?:\.(?P<fraction>\d*))?)?
    | (?P<compact>(?:[01]\d|2[0-3])[0-5]\d[0-5]\d)(?:\.(?P<compact_fraction>\d+))?)"""
_HALF: Final = r"(?<!\.)(?:\s*(?P<half>am|pm)\b)"
_ZONE: Final = r"""(?:\s*(?P<offset>[+-]\d{1,7}(?::\d{1,2}){0,2})
    | \s*(?P<utc>z|utc|gmt|zulu)\b
    | \s+(?P<zone>[a-z]+(?:/[a-z_]+)+))"""
_DATE_ZONE: Final = r"(?(iso_year)|(?!))(?:\s+|(?=\+))(?P<date_offset>[+-]\d{1,7}(?::\d{1,2}){0,2})"
_ERA: Final = r"(?:\s+(?P<era>bc|ad))?"
# A zone needs a time before it (but for ISO dates: pgjdbc's setDate writes 2024-01-15 +00) and does not go with AM or
# PM; T joins only ISO's own spellings.
_MOMENT: Final = re.compile(
    rf"""{_DATE}(?:(?:\s+|,\s*|(?<=\d)(?(iso_year)|(?(ymd)|(?!)))t){_TIME}(?:{_HALF}|{_ZONE})?|{_DATE_ZONE})?{_ERA}""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
# Nearly all values in practice; what it does not match, or matches with a field out of range, goes the long way.
_ISO: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d(?::?\d\d)?)?)?", re.ASCII
)
_TIME_OF_DAY: Final = re.compile(
    rf"t?{_TIME}(?:{_HALF}|\s*(?P<offset>[+-]\d{{1,7}}(?::\d{{1,2}}){{0,2}})|\s*(?P<utc>z|utc|gmt)\b)?",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_CLOCK_WORD: Final = re.compile(r"now|today|tomorrow|yesterday", re.IGNORECASE)
_OTHER_WORD: Final = re.compile(r"allballs|epoch|infinity", re.IGNORECASE)
_SPECIAL: Final = {
    "infinity": calendar.TIMESTAMP_INFINITY,
    "+infinity": calendar.TIMESTAMP_INFINITY,
    "-infinity": calendar.TIMESTAMP_MINUS_INFINITY,
}


# One number, which is a year or a day and no date. Two digits, and zero, may also be out of range (22008).
_TOO_FEW_FIELDS: Final = re.compile(r"(?!0+$)(\d|\d{3,5})")


@dataclass(frozen=True, slots=True)
class Moment:
    """A date and time as written: days and microseconds on the wall clock, and the zone, if one was given."""

    days: int
    usecs: int
    offset: int | None = None
    """Seconds east of UTC."""
    zone: tzinfo | None = None


def _field_overflow(*, datestyle: bool = False) -> InvalidValue:
    hint = 'Perhaps you need a different "DateStyle" setting.' if datestyle else None
    return InvalidValue("date/time field value out of range", hint=hint, sqlstate="22008")


def _unknown_format(name: str, text: str) -> Refused:
    if _CLOCK_WORD.search(text):
        return Refused(
            f"input of type {name} relative to the current time is not supported for sealed values",
            hint="use now() or current_date in the application, and send the result",
        )
    if name != "time" and _TOO_FEW_FIELDS.fullmatch(text):
        return invalid_syntax(name, "22007")
    if not any(character.isdigit() for character in text) and not _OTHER_WORD.search(text):
        return invalid_syntax(name, "22007")
    return Refused(
        f"this spelling of type {name} is not supported for sealed values",
        hint="write it in ISO 8601, as in 2024-01-15 or 2024-01-15 10:20:30+00",
    )


def _decode(data: bytes) -> str:
    return data.strip(WHITESPACE).decode("ascii", "replace")


def _usecs(match: re.Match[str]) -> int:
    """Microseconds of the day, 0 to 24:00:00. Raises InvalidValue 22008."""
    groups = match.groupdict()
    if groups["compact"] is not None:
        digits, fraction = groups["compact"], groups["compact_fraction"]
        hour, minute, second = int(digits[:2]), int(digits[2:4]), int(digits[4:])
    elif groups["hour"] is not None:
        hour, minute, second = int(groups["hour"]), int(groups["minute"]), int(groups["second_"] or 0)
        fraction = groups["fraction"]
    else:
        return 0
    if groups["half"] is not None:
        if hour > 12:
            raise _field_overflow()
        hour = hour % 12 + (12 if groups["half"].lower() == "pm" else 0)
    # rint() of a double, as ParseFractionalSecond() does it: half to even, after binary rounding.
    usecs = round(float(f"0.{fraction}") * 1_000_000) if fraction else 0
    total = ((hour * 60 + minute) * 60 + second) * 1_000_000 + usecs
    if hour > 24 or minute > 59 or second > 60 or total > calendar.USECS_PER_DAY:
        raise _field_overflow()
    return total


def _offset(text: str) -> int:
    """+05, +0530, +05:30, +05:30:15 -> seconds east. Raises InvalidValue 22009."""
    sign, (hour_text, *rest) = text[0], text[1:].split(":")
    minute, second = (*(int(part) for part in rest), 0, 0)[:2]
    if not rest and len(hour_text) > 2:
        hour, minute = int(hour_text[:-2]), int(hour_text[-2:])
    else:
        hour = int(hour_text)
    if hour > 15 or minute > 59 or second > 59:
        raise InvalidValue("time zone displacement out of range", sqlstate="22009")
    seconds = (hour * 60 + minute) * 60 + second
    return -seconds if sign == "-" else seconds


def _two_digit_year(text: str) -> int:
    year = int(text)
    if len(text) > 2:
        return year
    return year + (2000 if year < 70 else 1900)


def _date_fields(groups: dict[str, str | None], order: str, name: str, text: str) -> tuple[int, int, int]:
    """Year, month, day as written."""
    if groups["iso_year"] is not None:
        return int(groups["iso_year"]), int(groups["iso_month"] or 0), int(groups["iso_day"] or 0)
    if groups["ymd"] is not None:
        return int(groups["ymd"][:4]), int(groups["ymd"][4:6]), int(groups["ymd"][6:])
    if groups["first"] is not None:
        one, two, year = int(groups["first"]), int(groups["second"] or 0), _two_digit_year(groups["third"] or "")
        if order == "YMD" or (len(groups["third"] or "") == 2 and groups["era"] is not None):
            raise _unknown_format(name, text)
        return (year, two, one) if order == "DMY" else (year, one, two)
    for kind in "mndy":
        if (month := groups[f"{kind}_name"]) is not None:
            day = int(groups[f"{kind}_day"] or 0)
            if not 1 <= day <= 31:
                raise _unknown_format(name, text)
            return int(groups[f"{kind}_year"] or 0), _MONTHS[month.lower()], day
    raise AssertionError("one of the date formats has matched")


def _days(groups: dict[str, str | None], order: str, name: str, text: str) -> int:
    if groups["julian"] is not None:
        return int(groups["julian"]) - calendar.EPOCH_JULIAN
    year, month, day = _date_fields(groups, order, name, text)
    if year == 0:
        raise _field_overflow()
    if (groups["era"] or "").lower() == "bc":
        year = 1 - year
    if not 1 <= month <= 12 or not 1 <= day <= 31:
        raise _field_overflow(datestyle=True)
    if day > calendar.days_in_month(year, month):
        raise _field_overflow()
    return calendar.days_of(year, month, day)


def _iso_moment(text: str) -> Moment | None:
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    year_text, month_text, day_text, hour, minute, second, fraction, zone = match.groups()
    year, month, day = int(year_text), int(month_text), int(day_text)
    if year == 0 or not 1 <= month <= 12 or not 1 <= day <= calendar.days_in_month(year, month):
        return None
    days = calendar.days_of(year, month, day)
    if hour is None:
        return Moment(days, 0)
    if hour > "23" or minute > "59" or second > "59":
        return None
    usecs = (int(hour) * 3600 + int(minute) * 60 + int(second)) * 1_000_000 + int((fraction or "").ljust(6, "0"))
    return Moment(days, usecs, None if zone is None else 0 if zone == "Z" else _offset(zone))


def _moment(text: str, order: str, name: str) -> Moment:
    if (plain := _iso_moment(text)) is not None:
        return plain
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise _unknown_format(name, text)
    groups = match.groupdict()
    usecs = _usecs(match)
    offset = 0 if groups["utc"] is not None else None
    if (written := groups["offset"] or groups["date_offset"]) is not None:
        offset = _offset(written)
    zone = None if groups["zone"] is None else calendar.named_zone(groups["zone"])
    if groups["zone"] is not None and zone is None:
        raise _unknown_format(name, text)
    # Checked last, as PostgreSQL does: a bad time or offset is reported before a bad date.
    return Moment(_days(groups, order, name, text), usecs, offset, zone)


def field_order(datestyle: str) -> str:
    """MDY, DMY or YMD out of DateStyle ("ISO, MDY")."""
    return datestyle.rpartition(",")[2].strip().upper()


def date_decoder(settings: Settings) -> Callable[[bytes], bytes]:
    order = field_order(settings.datestyle)

    def decode(data: bytes) -> bytes:
        text = _decode(data)
        word = text.lower()
        if word in _SPECIAL:
            return (calendar.DATE_INFINITY if _SPECIAL[word] > 0 else calendar.DATE_MINUS_INFINITY).to_bytes(
                4, "big", signed=True
            )
        days = calendar.UNIX_EPOCH if word == "epoch" else _moment(text, order, "date").days
        if not calendar.MIN_DATE <= days < calendar.END_DATE:
            raise InvalidValue("date out of range", sqlstate="22008")
        return days.to_bytes(4, "big", signed=True)

    return decode


def decode_time(data: bytes) -> bytes:
    text = _decode(data)
    match = _TIME_OF_DAY.fullmatch(text)
    if match is None:
        raise _unknown_format("time", text)
    if match["offset"] is not None:
        _offset(match["offset"])  # checked, and without meaning for a time
    return _usecs(match).to_bytes(8, "big", signed=True)


def timestamp_decoder(settings: Settings, *, with_zone: bool) -> Callable[[bytes], bytes]:
    order = field_order(settings.datestyle)
    name = "timestamp with time zone" if with_zone else "timestamp"
    # A POSIX TimeZone may give UTC or GMT a meaning of its own, which PostgreSQL 18 follows and older ones do not.
    own_names = re.search("utc|gmt", settings.timezone, re.IGNORECASE) and re.search("[0-9]", settings.timezone)

    def read(text: str) -> int:
        word = text.lower()
        if word in _SPECIAL:
            return _SPECIAL[word]
        if word == "epoch":
            return calendar.UNIX_EPOCH * calendar.USECS_PER_DAY
        moment = _moment(text, order, name)
        local = moment.days * calendar.USECS_PER_DAY + moment.usecs
        if not with_zone:
            return calendar.checked_timestamp(local)
        if moment.offset is not None:
            if own_names and re.search("utc|gmt", text, re.IGNORECASE):
                raise _unknown_format(name, text)
            return calendar.checked_timestamp(local - moment.offset * 1_000_000)
        if (
            not calendar.MIN_TIMESTAMP - calendar.USECS_PER_DAY
            <= local
            < calendar.END_TIMESTAMP + calendar.USECS_PER_DAY
        ):
            raise InvalidValue("timestamp out of range", sqlstate="22008")
        return calendar.to_utc(moment.zone or calendar.session_zone(settings.timezone), local)

    return lambda data: read(_decode(data)).to_bytes(8, "big", signed=True)
