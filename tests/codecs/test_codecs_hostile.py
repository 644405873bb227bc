"""Whatever the bytes: a value or a typed error, and never the value in the error."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.errors import Refused
from proxy.pgtypes import FACTS, SqlType
from proxy.wire.codecs import (
    Settings,
    binary_decoder,
    cast,
    compare,
    decode_text,
    encode_binary,
    encode_text,
    parse_bytea_text,
    split_array,
    split_bytea_array,
    text_decoder,
)

TYPES = [SqlType(facts, is_array=is_array) for facts in FACTS for is_array in (False, True)]
ANY = st.one_of(st.binary(max_size=40), st.text('0123456789{}[]":,.-+eE\\xTZ aNfnul/', max_size=24).map(str.encode))
VARIED = Settings(timezone="Europe/Berlin", datestyle="SQL, DMY", bytea_output="escape", extra_float_digits=0)


@pytest.mark.parametrize("type_", TYPES, ids=str)
@settings(max_examples=60, deadline=None)
@given(data=ANY)
def test_every_decoder_accepts_or_raises_a_typed_error(type_: SqlType, data: bytes) -> None:
    for chosen in (Settings(), VARIED):
        for decoder in (text_decoder(type_, chosen), binary_decoder(type_, chosen)):
            try:
                canonical = decoder(data)
            except Refused:
                continue
            encode_text(type_, canonical, chosen)
            assert binary_decoder(type_, chosen)(encode_binary(type_, canonical, chosen)) == canonical


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=40), type_=st.sampled_from(TYPES))
def test_array_splitting_accepts_or_raises_a_typed_error(data: bytes, type_: SqlType) -> None:
    for attempt in (
        lambda: split_array(type_.array, data, 0, Settings()),
        lambda: split_array(type_.array, data, 1, Settings()),
        lambda: split_bytea_array(data, 0),
        lambda: split_bytea_array(data, 1),
        lambda: parse_bytea_text(data),
    ):
        try:
            attempt()
        except Refused:
            continue


CANARY = "canary7731"


@pytest.mark.parametrize("type_", TYPES, ids=str)
@pytest.mark.parametrize(
    "template",
    ["{}", "1{}", "{{{}", '{{"{}"x', "2024-01-15 {}", "2024-01-15 10:20 {}/x", "\\x{}", "[{}", '"{}',
     "99999999999999999999{}"],
)  # fmt: skip
def test_no_error_repeats_the_value(type_: SqlType, template: str) -> None:
    data = template.format(CANARY).encode()
    errors: list[Refused] = []
    for decoder in (text_decoder(type_, Settings()), binary_decoder(type_, Settings())):
        try:
            decoder(data)
        except Refused as error:
            errors.append(error)
    text = SqlType(FACTS[0])
    for convert in (cast, compare):
        try:
            convert(data, text, type_, Settings())
        except Refused as error:
            errors.append(error)
    for error in errors:
        assert "canary" not in f"{error.message} {error.detail} {error.hint}".lower()
        assert error.__cause__ is None


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_nesting_without_end_is_54001_and_not_a_crash(opening: str) -> None:
    for name in ("json", "jsonb"):
        kind = next(SqlType(facts) for facts in FACTS if facts.name == name)
        with pytest.raises(Refused) as caught:
            decode_text(kind, opening.encode() * 100_000, Settings())
        assert caught.value.sqlstate == "54001"


def test_numbers_of_any_length_are_read_quickly_or_refused() -> None:
    number = next(SqlType(facts) for facts in FACTS if facts.name == "numeric")
    longest = b"9" * 131_072 + b"." + b"9" * 16_383
    assert encode_text(number, decode_text(number, longest, Settings()), Settings()) == longest
    for text in (b"9" * 131_073, b"0x" + b"f" * 110_000, b"1e" + b"9" * 100_000):
        with pytest.raises(Refused) as caught:
            decode_text(number, text, Settings())
        assert caught.value.sqlstate == "22003"
