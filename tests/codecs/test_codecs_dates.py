"""Dates and times in every DateStyle and zone, over PostgreSQL's whole range of years."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.errors import Refused
from proxy.pgtypes import parse_type
from proxy.wire.codecs import Settings, decode_text, encode_text
from proxy.wire.codecs.calendar import END_DATE, END_TIMESTAMP, MIN_DATE, MIN_TIMESTAMP, date_of, days_of
from tests.codecs.oracle import Oracle, ours

BATCH = settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
# "UTC-5" lies five hours east, and <+03>-03 three: POSIX counts west.
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe",
         "Africa/Casablanca", "<+03>-03", "UTC-5"]  # fmt: skip
STYLES = ["ISO, MDY", "ISO, DMY", "SQL, DMY", "Postgres, MDY", "Postgres, DMY", "German, DMY"]

SPELLINGS = """2024-01-15|20240115|1/15/2024|15/1/2024|1/15/24|01.15.2024|January 15, 2024|Jan 15 2024|15-Jan-2024
15 Jan 2024|Jan-15-2024|2024-Jan-15|2024 January 15|Monday, January 15, 2024|2024-01-15T10:20:30.123456Z
2024-01-15 10:20:30+05:30|2024-01-15 10:20:30 +0530|2024-01-15 10:20:30-05:30:15
2024-01-15 10:20 Europe/Berlin|2024-01-15 10:20 europe/berlin|2024-01-15 24:00:00|2024-01-15 24:00:01
2024-01-15 23:59:60|2024-01-15 23:59:60.5|2024-01-15 10:60|2024-01-15 25:00|2024-01-15 10:20:30.1234565
2024-01-15 10:20:30.9999999|0044-03-15 BC|0044-03-15 10:00:00+00 BC|2024-13-01|2024-02-30|2023-02-29
2024-02-29|0000-01-01|10000-01-01|294276-12-31 23:59:59.999999|294277-01-01|4713-11-24 BC|4714-11-24 BC
4714-11-23 BC|infinity|-infinity|+infinity|epoch||hello|inf|J2451187|20240115T102030|20240115 102030Z
2024-01-15 10:20 PM|2024-01-15 12:20 AM|2024-01-15 13:20 PM|2024-1-5|2024-01-15t10:20z|99-01-08
1999-01-08 04:05:06 -8:00|2024-01-15 1:2+16|2024-01-15 10:20:30+5|2024-01-15 10:20:30 UTC
2024-03-31 02:30|2024-10-27 02:30|2024-03-10 02:30|2011-12-30 12:00|1/15/2024 10:20|2024/01/15
2024-01-15   10:20:30|\t2024-01-15\n|2024-01-15 10:20:30.|12024-01-15|2024-01-15 10:20:30+0530
2024-01-15 10:20:30+05300|2024-01-15 10:20:30+05:60|2024-01-15 10:20 +05:30 BC|1850-06-01 12:00
1937-06-30 12:00|2024-01-15 +00|1815-12-10 +01:30|2024-01-15+05|2024-01-15 -08|2024-01-15-08|2024-01-15 +0130
2024-01-15 +16|2024-02-30 +99|0044-03-15 +00 BC|2024-01-15 -08 BC|2024.01.15 +01|2024/01/15 -01|12024-01-15 +01"""
SPELLED = SPELLINGS.replace("\n", "|").replace("\\t", "\t").replace("\\n", "\n").split("|")


def unless_refused(mine: list[object], server: list[object]) -> tuple[list[object], list[object], int]:
    """Both without the values that are refused as unsupported, and how many are left."""
    pairs = [pair for pair in zip(mine, server, strict=True) if pair[0] != "0A000"]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs], len(pairs)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("style", STYLES)
def test_each_spelling_reads_and_prints_as_in_postgresql(oracle: Oracle, zone: str, style: str) -> None:
    oracle.set(timezone=zone, datestyle=style)
    chosen = Settings(timezone=zone, datestyle=style)
    for type_name in ("date", "timestamp", "timestamptz"):
        mine, server, compared = unless_refused(ours(type_name, SPELLED, chosen), oracle.read(type_name, SPELLED))
        assert mine == server
        assert compared > 60, "most of these spellings are offered"


_INSTANTS = st.one_of(st.integers(MIN_TIMESTAMP + 10**12, END_TIMESTAMP - 10**12), st.integers(-5 * 10**15, 3 * 10**15))


@pytest.mark.parametrize("zone", ZONES)
@BATCH
@given(values=st.lists(_INSTANTS, min_size=150, max_size=150))
def test_every_instant_prints_as_in_postgresql_and_reads_back(oracle: Oracle, zone: str, values: list[int]) -> None:
    oracle.set(timezone=zone, datestyle="ISO, MDY")
    chosen, type_ = Settings(timezone=zone), parse_type("timestamptz")
    rows = oracle.connection.execute(
        """select ((timestamp '2000-01-01' + make_interval(days => (v / 86400000000)::int)
                    + (v %% 86400000000 / 1000000) * interval '1 second' + (v %% 1000000) * interval '1 microsecond')
                   at time zone interval '0')::text from unnest(%s::bigint[]) with ordinality u(v, o) order by o""",
        [values],
    ).fetchall()
    packed = [value.to_bytes(8, "big", signed=True) for value in values]
    printed = [encode_text(type_, value, chosen) for value in packed]
    assert [text.decode() for text in printed] == [row[0] for row in rows]
    assert [decode_text(type_, text, chosen) for text in printed] == packed


_TIMES = [
    "10:20", "10:20:30", "10:20:30.1234567", "102030", "24:00:00", "24:00:01", "23:59:60", "23:59:60.1", "10:20 PM", "",
    "10:20:30+05", "10:20:30 UTC", "10:20:30Z", "23:59:59.9999999", "10:20:61", "10:61", "25:00", " 10:20 ", "T10:20",
    "040506.789", "10:20:30-08:00", "13:00 pm", "12:00 am", "x", "1:2",
]  # fmt: skip


def test_times_read_as_in_postgresql(oracle: Oracle) -> None:
    assert ours("time", _TIMES, Settings()) == oracle.read("time", _TIMES)


@given(days=st.integers(MIN_DATE, END_DATE - 1))
def test_days_and_calendar_dates_are_inverse(days: int) -> None:
    assert days_of(*date_of(days)) == days


@pytest.mark.parametrize("word", ["now", "today", "Tomorrow", "yesterday 10:00", "today allballs"])
def test_words_that_need_the_servers_clock_are_refused_with_a_hint(word: str) -> None:
    for type_name in ("date", "timestamp", "timestamptz"):
        with pytest.raises(Refused) as caught:
            decode_text(parse_type(type_name), word.encode(), Settings())
        assert caught.value.sqlstate == "0A000"
        assert caught.value.hint


@pytest.mark.parametrize("zone", ["FOO3BAR,M3.2.0,M11.1.0", "Nowhere/Land", "EST5EDT", "cet"])
def test_a_zone_that_may_differ_from_the_servers_is_refused(zone: str) -> None:
    with pytest.raises(Refused, match="TimeZone"):
        encode_text(parse_type("timestamptz"), bytes(8), Settings(timezone=zone))
