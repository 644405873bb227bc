"""Input and output functions give PostgreSQL's own bytes, text and SQLSTATEs."""

from __future__ import annotations

import struct

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from proxy.errors import InvalidValue, Refused
from proxy.pgtypes import parse_type
from proxy.wire.codecs import Settings, decode_binary, decode_text, encode_binary, encode_text
from proxy.wire.codecs.encodings import ENCODINGS, from_utf8, to_utf8
from tests.codecs.oracle import Oracle, ours

PLAIN = Settings()
BATCH = settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))

NUMBERS = (
    """0 -0 1 +1 -1 007 1_000 1__0 _1 1_ 0x1F 0X_1f 0x 0o17 0b101 -0x8000 - 1|| 1 |32767|32768|2147483648
-2147483648 9223372036854775807 9223372036854775808 99999999999999999999x 99999999999999999999 1.5 .5 5. . 1e3 1.e5 1e
1e1_0 1e_1 1.5e-3 1e131071 1e131072 1e-16383 1e-16384 1e2147483648 1e99999999999 0e1000000 0.1e131072 -nan nan NaN inf
-Infinity +inf infinit inf1 1e400 1e-400 4e-324 2e-324 0e-400 1e-323 1e38 4e38 3.4028235677973366e38 1e-46 7e-46 7.1e-46
0x1p3 0x1p-149 1e5f 1e999x 0.30000000000000004 5e-324 1.7976931348623157e308 100000000000000 1000000000000000 0.0001
0.00001 123456.7 1234567 9007199254740993 18014398509481986""".replace("\n", " ")
    .replace("|", " | ")
    .split(" ")
)

VALUES: dict[str, list[str]] = {
    **{
        name: [*NUMBERS, "\v1\f", ""]
        for name in ("smallint", "integer", "bigint", "numeric", "real", "double precision")
    },
    "boolean": [
        word[:length]
        for word in ("true", "FALSE", "yes", "no", "on", "off", "1", "0", "x", " tr", "truex")
        for length in range(len(word) + 1)
    ],
    "uuid": [
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "A0EEBC999C0B4EF8BB6D6BB9BD380A11",
        "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
        "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
        "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-",
        "a0e-ebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        " a0eebc999c0b4ef8bb6d6bb9bd380a11",
        "",
    ],
    "bytea": [r"\x", r"\x 12 34 ", r"\x1 2", r"\x123", r"\xzz", r"\X12", r"a\\b\001\377", r"\400", "\\", "é", "plain"],
    "json": [
        *('{"a":1]', "[1}", '{"a":1e}', r'"\ud800"', r'"\u0000"', '"\t"', "[1", ""),
        *(" [1 , 2] ", "nul", "01", "[1,]", '{"a"}', "1 2"),
    ],
    "jsonb": [
        '{"b": 1, "a": 2, "aa": 3, "b": 4, "": 0}',
        r'{"a":1e3,"b":-0,"c":-0.0,"d":1.50,"e":1.5E-3,"f":"\u001f\/\u00e9\ud83d\ude00\u007f"}',
        r'"\ud800"',
        r'"\udc00"',
        r'"\ud800\u0000"',
        r'"\u0000"',
        "1e200000",
        "[]",
        "{}",
        " [ null , true , false , [ ] , { } ] ",
        "",
        "[[1]",
        "{1:2}",
    ],
    "text": ["", "é😀", "a b"],
}  # fmt: skip


@pytest.mark.parametrize("type_name", VALUES)
def test_each_spelling_reads_as_in_postgresql(oracle: Oracle, type_name: str) -> None:
    values = VALUES[type_name]
    assert dict(zip(values, ours(type_name, values, PLAIN), strict=True)) == dict(
        zip(values, oracle.read(type_name, values), strict=True)
    )


_DIGITS = st.text("0123456789_", max_size=9)
_NUMBER = st.tuples(
    st.sampled_from(["", "-", "+", " "]), _DIGITS, st.sampled_from(["", "."]), _DIGITS,
    st.sampled_from(["", "e", "E-"]), st.text("0123456789", max_size=3), st.sampled_from(["", "", " ", "x"]),
).map("".join)  # fmt: skip


@pytest.mark.parametrize("type_name", ["integer", "numeric", "real", "double precision"])
@BATCH
@given(values=st.lists(_NUMBER, min_size=150, max_size=150))
def test_generated_numbers_read_as_in_postgresql(oracle: Oracle, type_name: str, values: list[str]) -> None:
    assert ours(type_name, values, PLAIN) == oracle.read(type_name, values)


@BATCH
@given(values=st.lists(st.floats(), min_size=300, max_size=300))
def test_shortest_doubles_are_postgresqls(oracle: Oracle, values: list[float]) -> None:
    spelled = [repr(value) for value in values]
    assert ours("double precision", spelled, PLAIN) == oracle.read("double precision", spelled)


@BATCH
@given(values=st.lists(st.integers(2**48, 2**62), min_size=300, max_size=300), scale=st.sampled_from([1, 5, 1000]))
@example(values=[755206612922664000, 4499417068785968000, 55355716703002100, 2904146544799744], scale=1)
def test_doubles_whose_decimal_may_be_a_boundary_are_postgresqls(oracle: Oracle, values: list[int], scale: int) -> None:
    spelled = [str(value * scale) for value in values]
    assert ours("double precision", spelled, PLAIN) == oracle.read("double precision", spelled)


@pytest.mark.parametrize(
    ("type_name", "powers"), [("double precision", range(-1074, 1024)), ("real", range(-149, 128))]
)
def test_powers_of_two_print_as_in_postgresql(oracle: Oracle, type_name: str, powers: range) -> None:
    spelled = [repr(2.0**power) for power in powers]
    assert ours(type_name, spelled, PLAIN) == oracle.read(type_name, spelled)


@BATCH
@given(values=st.lists(st.binary(min_size=4, max_size=4), min_size=300, max_size=300))
def test_shortest_reals_are_postgresqls(oracle: Oracle, values: list[bytes]) -> None:
    spelled = [repr(struct.unpack(">f", value)[0]) for value in values]
    assert ours("real", spelled, PLAIN) == oracle.read("real", spelled)


@pytest.mark.parametrize("digits", [-15, -5, 0, 1, 3])
def test_extra_float_digits_rounds_as_in_postgresql(oracle: Oracle, digits: int) -> None:
    values = ["0.1", "1e20", "123456.789", "1e-5", "-0", "NaN", "-Infinity", "3.14159265358979", "1e300"]
    oracle.set(extra_float_digits=digits)
    try:
        chosen = Settings(extra_float_digits=digits)
        for type_name in ("real", "double precision"):
            assert ours(type_name, values, chosen) == oracle.read(type_name, values)
    finally:
        oracle.set(extra_float_digits=1)


def test_a_decimal_beside_a_tie_is_rounded_once_to_real(oracle: Oracle) -> None:
    tie = "1.00000005960464477539062500"
    values = [tie, tie + "0" * 40 + "1", "1.0000000596046447753906249999999999999999999999"]
    assert ours("real", values, PLAIN) == oracle.read("real", values)


_JSON = st.recursive(
    st.sampled_from(["null", "true", "1", "-0", "1.50", "1e5", "2.5E-3", '"a"', r'"\u00e9\n"', "01",
                     '"é"', r'"\ud83d\ude00"']),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]"),
        st.lists(st.tuples(st.sampled_from(["a", "b", "aa", "", "é"]), inner), max_size=4).map(
            lambda items: "{" + ",".join(f'"{key}" : {value}' for key, value in items) + "}"
        ),
    ),
    max_leaves=8,
)  # fmt: skip


@BATCH
@given(values=st.lists(_JSON, min_size=40, max_size=60))
def test_generated_json_reads_as_in_postgresql(oracle: Oracle, values: list[str]) -> None:
    damaged = [value[: len(value) // 2] + value[len(value) // 2 + 1 :] for value in values]
    for type_name in ("json", "jsonb"):
        assert ours(type_name, values + damaged, PLAIN) == oracle.read(type_name, values + damaged)


def test_escape_output_of_bytea_is_postgresqls(oracle: Oracle) -> None:
    values = [r"\x" + bytes(range(256)).hex()]
    oracle.set(bytea_output="escape")
    try:
        assert ours("bytea", values, Settings(bytea_output="escape")) == oracle.read("bytea", values)
    finally:
        oracle.set(bytea_output="hex")


@pytest.mark.parametrize("encoding", [name for name, (_, codec) in ENCODINGS.items() if codec is not None])
def test_client_encodings_convert_as_in_postgresql(oracle: Oracle, encoding: str) -> None:
    server_name = ENCODINGS[encoding][0]
    for code in range(128, 256):
        try:
            expected = to_utf8(encoding)(bytes((code,))).hex()
        except InvalidValue as error:
            expected = f"!{error.sqlstate}"
        statement = rf"select encode(convert_to(convert_from('\x{code:02x}', '{server_name}'), 'UTF8'), 'hex')"
        assert oracle.attempt([statement]) == [expected]
        if expected[0] != "!":
            assert from_utf8(encoding)(bytes.fromhex(expected)) == bytes((code,))


def test_an_encoding_without_a_known_table_is_refused() -> None:
    with pytest.raises(Refused, match="EUC_JP"):
        decode_text(parse_type("text"), b"a", Settings(client_encoding="EUC_JP"))


def test_text_that_the_client_cannot_show_is_22p05() -> None:
    with pytest.raises(InvalidValue) as caught:
        encode_text(parse_type("text"), "€".encode(), Settings(client_encoding="LATIN1"))
    assert caught.value.sqlstate == "22P05"
    assert encode_binary(parse_type("jsonb"), b'\1"\xc3\xa9"', Settings(client_encoding="LATIN1")) == b'\1"\xe9"'


@pytest.mark.parametrize("data", [b"\xff", b"a\0b", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80"])
def test_bad_utf8_and_nul_are_22021(data: bytes) -> None:
    for read in (decode_text, decode_binary):
        with pytest.raises(InvalidValue) as caught:
            read(parse_type("text"), data, PLAIN)
        assert caught.value.sqlstate == "22021"


def test_char_is_kept_bare_and_sent_padded_to_characters() -> None:
    char = parse_type("char(4)")
    canonical = decode_text(char, "éa  ".encode(), PLAIN)
    assert canonical == "éa".encode()
    assert encode_text(char, canonical, PLAIN) == encode_binary(char, canonical, PLAIN) == "éa  ".encode()
