"""Assignment, explicit casts and comparisons between all pairs of types, against PostgreSQL's own answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.errors import InvalidValue, Refused
from proxy.pgtypes import SqlType, parse_type
from proxy.wire.codecs import Probe, Settings, assign, canonical, cast, compare, decode_text, encode_text
from tests.codecs.oracle import Oracle

ZONE = "America/New_York"
HERE = Settings(timezone=ZONE)

VALUES: dict[str, list[str]] = {
    "smallint": ["-32768", "-1", "0", "7", "32767"],
    "integer": ["-2147483648", "0", "1", "16777217", "2147483647", "32768"],
    "bigint": ["-9223372036854775808", "-9007199254740993", "0", "5", "9007199254740993", "9223372036854775807"],
    "numeric": ["NaN", "Infinity", "-Infinity", "0", "0.5", "1.00", "-1.5", "2.5", "1e20", "-1e20", "1e-20", "16777217",
                "0.1", "9223372036854775808", "123.45", "99999.994", "99999.995", "-99999.995"],
    "numeric(7,2)": ["NaN", "0", "0.1", "-1.5", "99999.99", "-99999.99", "123.45", "2.50", "0.01"],
    "numeric(3,-2)": ["0", "100", "99900", "-99900", "1200"],
    "numeric(2,4)": ["0", "0.0099", "-0.0001", "0.0050"],
    "real": ["NaN", "Infinity", "-Infinity", "-0", "0.1", "0.5", "-1.5", "16777216", "3.4028235e38", "1e-45", "1e10"],
    "double precision": ["NaN", "Infinity", "-Infinity", "-0", "0.1", "0.5", "-1.5", "16777217", "1e300", "-1e300",
                         "1e-300", "0.10000000149011612", "2.5", "123.45", "9007199254740992", "9223372036854775807",
                         "99999.99", "1e10"],
    "boolean": ["t", "f"],
    "date": ["infinity", "-infinity", "2024-03-10", "1970-01-01", "0001-01-01 BC", "294277-01-01", "5874897-12-31",
             "4714-11-24 BC", "2024-11-03", "2024-06-02"],
    "time": ["00:00", "24:00:00", "12:34:56.789012", "12:34:56.789"],
    "time(3)": ["00:00", "24:00:00", "12:34:56.789", "12:34:56.788"],
    "timestamp": ["infinity", "-infinity", "2024-03-10 02:30", "2024-03-10 03:30", "2024-11-03 01:30", "1970-01-01",
                  "2024-06-01 12:00:00.123456", "4714-11-24 00:00 BC", "294276-12-31 23:59:59.999999"],
    "timestamp(0)": ["infinity", "2024-06-01 12:00", "2024-06-01 12:00:01", "1969-12-31 23:59:59"],
    "timestamptz": ["infinity", "-infinity", "2024-03-10 07:30Z", "2024-11-03 05:30Z", "2024-11-03 06:30Z",
                    "2024-06-01 16:00:00.5Z", "1970-01-01 05:00Z", "294276-12-31 23:00Z", "2024-06-02 04:00Z"],
    "uuid": ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    "bytea": ["\\x", "\\x00ff"],
    "json": ['{"a": 1}', "1"],
    "jsonb": ['{"a": 1}', "1.0"],
    "text": ["", "a", "b", "abcd  ", "abcde ", "12", " 7 ", "true", "2024-01-01", "1.5",
             "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "{}", "ééééé"],
    "varchar": ["", "a", "a ", "12"],
    "varchar(4)": ["", "a", "a ", "12", "abc "],
    "char(4)": ["", "a", "12", "éa"],
}  # fmt: skip


@pytest.fixture(autouse=True)
def _here(oracle: Oracle) -> None:
    oracle.set(timezone=ZONE)


def quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def value_of(type_: SqlType, text: str) -> bytes:
    return cast(decode_text(type_, text.encode(), HERE), type_.unmodified, type_, HERE)


def pairs(target: str) -> list[tuple[str, str]]:
    return [(source, text) for source, texts in VALUES.items() for text in texts]


@pytest.mark.parametrize("target", VALUES)
@pytest.mark.parametrize("kind", ["assign", "cast"])
def test_conversions_give_postgresqls_value_or_sqlstate(oracle: Oracle, target: str, kind: str) -> None:
    type_ = parse_type(target)
    shown = "case when x then 't' else 'f' end" if target == "boolean" else "x::text"
    if target == "char(4)":
        shown = "convert_from(bpcharsend(x), 'UTF8')"
    oracle.connection.execute(f"drop table if exists pg_temp.t; create temp table t (x {target})")
    mine, statements = [], []
    for source, text in pairs(target):
        from_ = parse_type(source)
        try:
            if kind == "assign":
                result = assign(value_of(from_, text), from_, type_, HERE, searchable=False)
            else:
                result = cast(value_of(from_, text), from_, type_, HERE)
            got = encode_text(type_, result, HERE).decode()
        except Refused as error:
            if error.sqlstate == "0A000":
                continue
            got = f"!{error.sqlstate}"
        value = f"{quoted(text)}::{source}"
        statements.append(
            f"insert into t values ({value}) returning {shown}"
            if kind == "assign"
            else f"select {shown} from (select ({value})::{target} x) q"
        )
        mine.append((source, text, got))
    assert len(mine) > 80
    assert mine == [(*case[:2], answer) for case, answer in zip(mine, oracle.attempt(statements), strict=True)]


@pytest.mark.parametrize("target", VALUES)
def test_comparisons_order_the_value_among_stored_ones_as_postgresql_does(oracle: Oracle, target: str) -> None:
    type_ = parse_type(target)
    base = target.split("(")[0].replace("char", "bpchar").replace("varbpchar", "varchar")
    stored = "unnest(array[" + ", ".join(quoted(text) for text in VALUES[target]) + "]) t"
    statements, cases = [], []
    for source, text in pairs(target):
        from_ = parse_type(source)
        value = f"{quoted(text)}::{source}"
        try:
            found = compare(value_of(from_, text), from_, type_, HERE)
        except Refused as error:
            if error.sqlstate != "0A000":
                statements.append(f"select (t::{target} = {value})::text from {stored} limit 1")
                cases.append((source, text, f"!{error.sqlstate}"))
            continue
        floor = found.floor if isinstance(found, Probe) else found
        if floor is None:
            expected = f"t::{target} < {value} or t::{target} = {value}"
        else:
            seen = quoted(encode_text(type_.unmodified, floor, HERE).decode()) + f"::{base}"
            below = f"t::{target} <= {seen}" if isinstance(found, Probe) else f"t::{target} < {seen}"
            equal = "false" if isinstance(found, Probe) else f"t::{target} = {seen}"
            expected = f"(t::{target} < {value}) <> ({below}) or (t::{target} = {value}) <> ({equal})"
        statements.append(f"select coalesce(string_agg(t, ','), 'as expected') from {stored} where {expected}")
        cases.append((source, text, "as expected"))
    assert cases == [(*case[:2], answer) for case, answer in zip(cases, oracle.attempt(statements), strict=True)]


def test_text_longer_than_the_order_prefix_becomes_a_probe() -> None:
    text = parse_type("text")
    assert compare(b"abcdef", text, text, HERE, max_length=4) == Probe(b"abcd")
    assert compare(b"abcd", text, text, HERE, max_length=4) == b"abcd"


def test_a_varchar_is_compared_without_its_length() -> None:
    assert compare(b"x" * 30, parse_type("text"), parse_type("varchar(24)"), HERE) == b"x" * 30


def test_varchar_against_char_is_refused_because_its_own_trailing_spaces_would_not_count() -> None:
    with pytest.raises(Refused) as caught:
        compare(b"a", replace(parse_type("char(4)"), typmod=-1), parse_type("varchar(9)"), HERE)
    assert caught.value.sqlstate == "0A000"


def test_assignment_names_postgresqls_types() -> None:
    with pytest.raises(Refused, match="column is of type date but expression is of type text") as caught:
        assign(b"x", parse_type("text"), parse_type("date"), HERE, searchable=True)
    assert caught.value.sqlstate == "42804"


def test_numeric_overflow_carries_postgresqls_detail() -> None:
    number = parse_type("numeric")
    with pytest.raises(InvalidValue, match="numeric field overflow") as caught:
        assign(decode_text(number, b"1234.5", HERE), number, parse_type("numeric(5,3)"), HERE, searchable=True)
    assert caught.value.detail == "A field with precision 5, scale 3 must round to an absolute value less than 10^2."


@pytest.mark.parametrize(
    ("type_name", "first", "second"),
    [
        ("numeric", "1.50", "1.5"),
        ("numeric", "100", "1e2"),
        ("numeric(9,2)", "1.5", "1.500"),
        ("real", "-0", "0"),
        ("double precision", "-0", "0"),
        ("double precision", "nan", "-nan"),
        ("char(4)", "a", "a  "),
    ],
)
def test_equal_values_have_one_searchable_form(type_name: str, first: str, second: str) -> None:
    type_ = parse_type(type_name)
    forms = {canonical(type_, decode_text(type_, text.encode(), HERE), searchable=True) for text in (first, second)}
    assert len(forms) == 1


def test_random_columns_keep_the_display_scale_and_the_sign_of_zero() -> None:
    for type_name, text in (("numeric", b"1.50"), ("double precision", b"-0")):
        type_ = parse_type(type_name)
        kept = assign(decode_text(type_, text, HERE), type_, type_, HERE, searchable=False)
        assert encode_text(type_, kept, HERE) == text


def test_arrays_convert_element_by_element() -> None:
    source, target = parse_type("integer[]"), parse_type("numeric(5,2)[]")
    value = assign(decode_text(source, b"{1,NULL}", HERE), source, target, HERE, searchable=False)
    assert encode_text(target, value, HERE) == b"{1.00,NULL}"
