"""Gregorian days and microseconds as PostgreSQL counts them, and time zones for all of its years.

Dates are days, timestamps microseconds since 2000-01-01. Python's datetime ends at years 1 and 9999; PostgreSQL goes
from 4714 BC to 294276 AD (timestamps) and 5874897 AD (dates). Source: date2j() and j2date() in datetime.c.
"""

from __future__ import annotations

import functools
import re
import zoneinfo
from datetime import UTC, datetime, timedelta, tzinfo
from datetime import timezone as fixed_zone
from typing import Final

from proxy.errors import InvalidValue, Refused

EPOCH_JULIAN: Final = 2_451_545  # 2000-01-01
UNIX_EPOCH: Final = -10_957  # 1970-01-01 in days
USECS_PER_DAY: Final = 86_400_000_000
DATE_INFINITY: Final = 2**31 - 1
DATE_MINUS_INFINITY: Final = -(2**31)
TIMESTAMP_INFINITY: Final = 2**63 - 1
TIMESTAMP_MINUS_INFINITY: Final = -(2**63)
MIN_DATE: Final = -EPOCH_JULIAN
END_DATE: Final = 2_147_483_494 - EPOCH_JULIAN  # exclusive
MIN_TIMESTAMP: Final = -211_813_488_000_000_000
END_TIMESTAMP: Final = 9_223_371_331_200_000_000  # exclusive
MONTH_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def days_of(year: int, month: int, day: int) -> int:
    """Days since 2000-01-01; years count 1 BC as 0."""
    # March is the first month of a computational year, so that the leap day comes last.
    shifted = year - (month <= 2)
    era, year_of_era = divmod(shifted, 400)
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 730_425


def date_of(days: int) -> tuple[int, int, int]:
    """Days since 2000-01-01 -> year (1 BC is 0), month, day."""
    era, day_of_era = divmod(days + 730_425, 146_097)
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_index = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_index + 2) // 5 + 1
    month = month_index + (3 if month_index < 10 else -9)
    return year_of_era + era * 400 + (month <= 2), month, day


def days_in_month(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and leap else MONTH_DAYS[month - 1]


# tz database 2024b gave these the history of a region (EST5EDT is New York since then), so that the answer depends on
# whose copy is older, the server's or this machine's.
_REDEFINED: Final = frozenset("CET CST6CDT EET EST EST5EDT HST MET MST MST7MDT PST8PDT WET".lower().split())


@functools.lru_cache(maxsize=1)
def _zone_names() -> dict[str, str]:
    """PostgreSQL looks zone names up without regard to case."""
    return {name.lower(): name for name in zoneinfo.available_timezones()}


_POSIX: Final = re.compile(r"(<[A-Za-z0-9+-]+>|[A-Za-z]{3,}|)([+-]?)(\d{1,2})(?::(\d{2})(?::(\d{2}))?)?")


@functools.lru_cache(maxsize=256)
def named_zone(name: str) -> tzinfo | None:
    """An IANA zone by its name in any case, or None: unknown, or not the same in all versions of the tz database."""
    if name.lower() in _REDEFINED:
        return None
    if name.upper() == "UTC":
        return UTC
    found = _zone_names().get(name.lower())
    return None if found is None else zoneinfo.ZoneInfo(found)


@functools.lru_cache(maxsize=64)
def session_zone(name: str) -> tzinfo:
    """The TimeZone setting: an IANA name, or POSIX with one fixed offset (`<+03>-03`, west is positive there), which
    PostgreSQL also takes without a name (`+05:30`).

    Raises Refused 0A000 for others, such as POSIX rules with daylight saving.
    """
    zone = named_zone(name)
    if zone is not None:
        return zone
    match = None if name.lower() in _REDEFINED else _POSIX.fullmatch(name)
    if match is None:
        raise Refused(
            f'TimeZone "{name}" is not supported for sealed timestamps',
            hint="SET TIME ZONE to an IANA name such as Europe/Berlin, or to UTC",
        )
    seconds = int(match[3]) * 3600 + int(match[4] or 0) * 60 + int(match[5] or 0)
    return fixed_zone(timedelta(seconds=seconds if match[2] == "-" else -seconds), match[1].strip("<>"))


def _stand_in(year: int) -> int:
    """A year that datetime knows and whose calendar and zone rules are those of `year`.

    The Gregorian calendar repeats every 400 years, and so do the rules after a zone's last transition; before year 2
    every zone is at its first offset (local mean time).
    """
    if year > 9_900:
        return 9_500 + (year - 9_500) % 400
    return year if year >= 2 else 400 + year % 400


def local_offset(zone: tzinfo, local: int) -> int:
    """Seconds east of UTC at a local time (microseconds since 2000-01-01 on the wall clock).

    A time in a gap is read with the offset before it, a repeated time with the one after: so PostgreSQL, see
    DetermineTimeZoneOffsetInternal() in datetime.c.
    """
    days, rest = divmod(local, USECS_PER_DAY)
    year, month, day = date_of(days)
    moment = datetime(_stand_in(year), month, day, tzinfo=zone) + timedelta(microseconds=rest)
    return min(_seconds(moment), _seconds(moment.replace(fold=1)))


def utc_offset(zone: tzinfo, utc: int) -> tuple[int, str]:
    """Seconds east of UTC, and the abbreviation in force, at an instant (microseconds since 2000-01-01 UTC)."""
    days, rest = divmod(utc, USECS_PER_DAY)
    year, month, day = date_of(days)
    moment = (datetime(_stand_in(year), month, day, tzinfo=UTC) + timedelta(microseconds=rest)).astimezone(zone)
    return _seconds(moment), moment.tzname() or ""


def _seconds(moment: datetime) -> int:
    offset = moment.utcoffset() or timedelta()
    return offset.days * 86_400 + offset.seconds


def round_usecs(value: int, digits: int) -> int:
    """Microseconds to `digits` fractional digits, half away from zero (AdjustTimestampForTypmod)."""
    unit: int = 10 ** (6 - digits)
    size = (abs(value) + unit // 2) // unit * unit
    return -size if value < 0 else size


def checked_timestamp(value: int) -> int:
    """Raises InvalidValue 22008."""
    if not MIN_TIMESTAMP <= value < END_TIMESTAMP:
        raise InvalidValue("timestamp out of range", sqlstate="22008")
    return value


def is_finite_timestamp(value: int) -> bool:
    return TIMESTAMP_MINUS_INFINITY < value < TIMESTAMP_INFINITY


def to_utc(zone: tzinfo, local: int) -> int:
    """Wall clock -> instant, infinities as they are. Raises InvalidValue 22008."""
    if not is_finite_timestamp(local):
        return local
    return checked_timestamp(local - local_offset(zone, local) * 1_000_000)


def to_local(zone: tzinfo, utc: int) -> int:
    """Instant -> wall clock, infinities as they are. Near the ends of the range the result may lie past them."""
    return utc + utc_offset(zone, utc)[0] * 1_000_000 if is_finite_timestamp(utc) else utc
