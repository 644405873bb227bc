"""What values at the edges of their types' forms give, held against PostgreSQL."""

from __future__ import annotations

import struct
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import psycopg
import pytest

from proxy.errors import Refused
from proxy.pgtypes import parse_type
from proxy.wire.codecs import (
    Settings,
    arrays,
    binary_decoder,
    canonical,
    cast,
    compare,
    decode_binary,
    decode_text,
    encode_binary,
    encode_text,
)
from proxy.wire.codecs.floats import real_below
from proxy.wire.copy import CopyFields, CopyOptions, CopyReader
from tests.codecs.oracle import Oracle, ours

PLAIN = Settings()

TEXTS = {
    "integer[]": [
        "[2147483647:2147483647]={1}",
        "[1:1][1:1][1:1][1:1][1:1][1:1][1:1]={{{{{{{1}}}}}}}",
        "[1:1000000000]={1}",
        "[1:99999999999999999999999999999999999999999999999999999999999999]={1}",
        "{{{1}},{}}",
        "{{1},{}}",
        "{{},1}",
        "{1,{}}",
    ],
    "real": ["0x1p200", "0x1p-2000", "0x1p2000", "-3.4028235677973366e38", "-3.5e38", "3.5e38", "-1e39"],
    "double precision": ["0x1p2000", "-0x1p2000", "0x1p-2000", "0x0p-2000"],
    "jsonb": [r'"\ud800\n"', r'"\ud800x"', r'"\ud800\ud800"', r'"\ud800A"', r'"\ud83d\ude00"', r'"\ud800A"'],
    "numeric": ["1e131072", "1" + "0" * 131071 + ".0", "1" + "0" * 131072 + ".0", "1" + "0" * 131072],
    "bigint": ["0x" + "1" * 70, "-" + "9" * 80],
    "date": ["1 Jan 00000", "Jan 32 2024", "32 Jan 2024", "01/02/24 BC", "2024-Jan-40"],
    "timestamptz": [
        "2024-01-15 10:20:30 Nowhere/Never",
        "2024-01-15 10:20:30 America/New_York",
        "294277-01-01 00:00:00",
        "320022-04-09 00:00:00",
        "5874897-12-31 00:00:00",
        "4714-11-20 00:00:00 BC",
    ],
}


@pytest.mark.parametrize("type_name", TEXTS)
def test_texts_read_as_in_postgresql(oracle: Oracle, type_name: str) -> None:
    values = TEXTS[type_name]
    expected = oracle.read(type_name, values)
    for value, got, wanted in zip(values, ours(type_name, values, PLAIN), expected, strict=True):
        assert got == wanted or got == "0A000", value
    assert "0A000" not in ours(type_name, values, PLAIN) or type_name in ("real", "timestamptz", "date"), type_name


ARRAY = struct.Struct("!iiI")


def array(dimensions: int, flags: int, *rest: bytes) -> bytes:
    return ARRAY.pack(dimensions, flags, 23) + b"".join(rest)


INT = struct.Struct("!i").pack
DIMENSION = struct.Struct("!ii").pack
NUMERIC = struct.Struct("!HhHH").pack
BINARY = {
    "integer[]": [
        array(7, 0, DIMENSION(1, 1) * 7, INT(4), INT(1)),
        array(1, 2, DIMENSION(1, 1), INT(4), INT(1)),
        array(1, 0, DIMENSION(1, 1)[:6]),
        array(1, 0, DIMENSION(-1, 1)),
        array(1, 0, DIMENSION(1, 2147483647), INT(4), INT(1)),
        array(1, 0, DIMENSION(2, 1), INT(4), INT(1)),
        array(1, 0, DIMENSION(1, 1), INT(-2)),
        array(1, 0, DIMENSION(1, 1), INT(40), INT(1)),
        array(1, 0, DIMENSION(1, 1), INT(4), INT(1), b"x"),
        array(1, 0, DIMENSION(1, 1), INT(4), INT(1)),
        array(1, 1, DIMENSION(1, 1), INT(-1)),
        array(-1, 0),
        array(2, 0, DIMENSION(50_000, 1) * 2),
        array(0, 0)[:11],
        array(0, 0),
    ],
    "boolean": [b"", b"\0", b"\1", b"\2", b"\0\0"],
    "real": [bytes(3), bytes(4), bytes(5), b"\x7f\xc0\0\0"],
    "double precision": [bytes(7), bytes(8), bytes(9)],
    "uuid": [bytes(15), bytes(16), bytes(17)],
    "date": [bytes(3), bytes(4), INT(2145031949 - 1), INT(2145031949), INT(-2451545), INT(-2451546), INT(2**31 - 1)],
    "time": [bytes(4), *(struct.pack("!q", number) for number in (-1, 0, 86_400_000_000, 86_400_000_001))],
    "json": [b"", b"{}", b"{"],
    "jsonb": [b"", b"\1{}", b"\1{", b"\2{}", b"\1"],
    "text": [b"", b"a\0b", "é".encode()],
    "numeric": [
        b"\0\0\0",
        NUMERIC(1, 0, 0x1234, 0) + b"\0\1",
        NUMERIC(1, 0, 0, 0x4000) + b"\0\1",
        NUMERIC(2, 0, 0, 0) + b"\0\1",
        NUMERIC(1, 0, 0, 0) + struct.pack("!H", 10_000),
        NUMERIC(1, 0, 0, 0) + b"\0\1x",
        NUMERIC(1, 0, 0, 0) + b"\0\1",
        NUMERIC(0, 0, 0xC000, 0),
        NUMERIC(0, 0, 0xD000, 0),
    ],
    "timestamp": [struct.pack("!q", number) for number in ((1 << 63) - 1, -(1 << 63), 0, (1 << 63) - 2)],
}


@pytest.mark.parametrize("type_name", BINARY)
def test_binary_forms_are_taken_as_by_postgresql(oracle: Oracle, type_name: str) -> None:
    type_ = parse_type(type_name)
    decode = binary_decoder(type_, PLAIN)
    for data in BINARY[type_name]:
        result = oracle.connection.pgconn.exec_params(b"SELECT $1", [data], [type_.oid], [1], 1)
        wanted = result.error_field(psycopg.pq.DiagnosticField.SQLSTATE)
        got = None
        try:
            assert decode(data) == result.get_value(0, 0)
        except Refused as error:
            got = error.sqlstate.encode()
        assert got == wanted, data


def test_more_elements_than_an_array_holds_are_54000(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "MAX_ELEMENTS", 2)
    with pytest.raises(Refused, match=r"array size exceeds the maximum allowed \(2\)") as caught:
        arrays.parse_text(b"{1,2,3}")
    assert caught.value.sqlstate == "54000"


@pytest.mark.parametrize(("type_name", "text"), [("real", "NaN(1)"), ("real", "0x1.00000000000001p0")])
def test_spellings_whose_value_depends_on_the_platform_are_refused(type_name: str, text: str) -> None:
    with pytest.raises(Refused) as caught:
        decode_text(parse_type(type_name), text.encode(), PLAIN)
    assert caught.value.sqlstate == "0A000"
    assert caught.value.hint


def test_an_array_has_one_form() -> None:
    type_ = parse_type("integer[]")
    value = decode_text(type_, b"{1,2}", PLAIN)
    assert canonical(type_, value, True) == value


@pytest.mark.parametrize("type_name", ["time", "timestamp", "timestamptz"])
def test_seconds_are_rounded_to_the_precision_of_the_type(type_name: str) -> None:
    text = b"10:20:30.5678" if type_name == "time" else b"2024-01-15 10:20:30.5678"
    source, target = parse_type(type_name), parse_type(f"{type_name}(2)")
    rounded = cast(decode_text(source, text, PLAIN), source, target, PLAIN)
    assert encode_text(target, rounded, PLAIN).startswith(text[:-2].replace(b".56", b".57"))


@pytest.mark.parametrize("bits", [0x00000000, 0x80000000])
def test_below_zero_is_the_smallest_negative_real(bits: int) -> None:
    assert struct.unpack("!f", real_below(bits.to_bytes(4, "big"))) == (-(2.0**-149),)


def instant(zone: str, *date: int) -> bytes:
    moment = datetime(*date, tzinfo=ZoneInfo(zone)) - datetime(2000, 1, 1, tzinfo=timezone.utc)  # type: ignore[misc, arg-type]  # noqa: UP017
    return int(moment.total_seconds() * 1_000_000).to_bytes(8, "big", signed=True)


def test_a_date_in_a_zone_that_skipped_a_day_is_not_compared_with_instants() -> None:
    source, target = parse_type("timestamptz"), parse_type("date")
    with pytest.raises(Refused, match="comparing type date"):
        compare(instant("Pacific/Apia", 2011, 12, 30), source, target, Settings(timezone="Pacific/Apia"))


def test_an_instant_is_a_wall_clock_time_where_the_offset_does_not_change() -> None:
    source, target = parse_type("timestamptz"), parse_type("timestamp")
    fixed = compare(instant("UTC", 2024, 1, 15), source, target, Settings(timezone="<+03>-03"))
    assert fixed == instant("UTC", 2024, 1, 15, 3)
    with pytest.raises(Refused):
        compare(instant("Europe/Berlin", 2024, 3, 31), source, target, Settings(timezone="Europe/Berlin"))
    with pytest.raises(Refused):  # the wall clock of the last instants is no timestamp
        last = decode_text(source, b"294276-12-31 23:30:00+00", PLAIN)
        compare(last, source, target, Settings(timezone="<+03>-03"))


LATIN = Settings(client_encoding="LATIN1")
IN_LATIN = {
    "text": [b"\xe9t\xe9", b"plain", b"a\0b"],
    "char(4)": [b"\xe9   ", b"ab  ", b"\0"],
    "json": [b'"\xe9"', b'"\0"'],
    "jsonb": [b'\1"\xe9"', b"\1[1]", b'\1"\0"'],
    "text[]": [ARRAY.pack(1, 0, 25) + DIMENSION(2, 1) + INT(1) + b"\xe9" + INT(-1)],
    "char(4)[]": [ARRAY.pack(1, 0, 1042) + DIMENSION(1, 1) + INT(4) + b"\xe9   "],
    "integer[]": [array(1, 0, DIMENSION(1, 1), INT(4), INT(1))],
}


@pytest.mark.parametrize("type_name", IN_LATIN)
def test_binary_forms_in_another_encoding_are_taken_and_given_as_by_postgresql(oracle: Oracle, type_name: str) -> None:
    type_ = parse_type(type_name)
    oracle.set(client_encoding="LATIN1")
    try:
        for data in IN_LATIN[type_name]:
            result = oracle.connection.pgconn.exec_params(b"SELECT $1", [data], [type_.oid], [1], 1)
            wanted = result.error_field(psycopg.pq.DiagnosticField.SQLSTATE)
            got = None
            try:
                assert encode_binary(type_, decode_binary(type_, data, LATIN), LATIN) == result.get_value(0, 0)
            except Refused as error:
                got = error.sqlstate.encode()
            assert got == wanted, data
    finally:
        oracle.set(client_encoding="UTF8")


def test_text_goes_out_in_the_encoding_of_the_client() -> None:
    text = parse_type("text")
    assert encode_text(text, "é".encode(), LATIN) == b"\xe9"
    assert encode_text(text, b"e", LATIN) == b"e"
    with pytest.raises(Refused) as caught:
        encode_text(text, "€".encode(), LATIN)
    assert caught.value.sqlstate == "22P05"


@pytest.mark.parametrize(
    "text",
    ["'{a,b}'::text[]::varchar(1)[]", "'{abc,d}'::text[]::varchar(2)[]", "'{1.25,NULL}'::numeric[]::numeric(3,1)[]",
     "'{1.5}'::numeric[]::integer[]", "'{70000}'::integer[]::smallint[]", "'{1}'::integer[]::date[]",
     "'{1}'::integer[]::integer", "'1'::integer::integer[]", "'{t}'::boolean[]::integer[]"],
)  # fmt: skip
def test_arrays_are_cast_as_in_postgresql(oracle: Oracle, text: str) -> None:
    literal, source, target = (parse_type(part) if at else part for at, part in enumerate(text.split("::")))
    assert isinstance(literal, str)
    assert not isinstance(source, str)
    assert not isinstance(target, str)
    try:
        value = cast(decode_text(source, literal.strip("'").encode(), PLAIN), source, target, PLAIN)
        got = encode_text(target, value, PLAIN).decode()
    except Refused as error:
        got = f"!{error.sqlstate}"
    assert [got] == oracle.attempt([f"select ({text})::text"])


# -- COPY --------------------------------------------------------------------------------------------------------------


def test_a_header_of_text_format_is_escaped() -> None:
    assert CopyFields(CopyOptions("text", 2)).header(b"a\tb\\") == b"a\\tb\\\\"


def test_what_follows_the_end_of_binary_rows_is_22p04() -> None:
    reader = CopyReader(CopyOptions("binary", 1))
    assert reader.feed(b"PGCOPY\n\xff\r\n\0" + bytes(8) + b"\xff\xff") == []
    assert reader.feed(b"") == []
    with pytest.raises(Refused, match="received copy data after EOF marker") as caught:
        reader.feed(b"x")
    assert caught.value.sqlstate == "22P04"


def test_what_follows_the_end_of_text_rows_is_left_out() -> None:
    reader = CopyReader(CopyOptions("text", 1))
    assert reader.feed(b"1\n\\.\n") == [[b"1"]]
    assert reader.feed(b"2\n") == []


@pytest.mark.parametrize("text", [b'"a"b"\n', b'"a\n'])
def test_a_quote_that_is_not_closed_is_22p04(text: bytes) -> None:
    reader = CopyReader(CopyOptions("csv", 1, delimiter=",", null=""))
    with pytest.raises(Refused, match="unterminated CSV quoted field") as caught:
        reader.feed(text)
        reader.finish()
    assert caught.value.sqlstate == "22P04"
