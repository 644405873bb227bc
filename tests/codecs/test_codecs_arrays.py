"""Arrays as PostgreSQL reads and writes them, whole and element by element."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from proxy.errors import InvalidValue
from proxy.pgtypes import parse_type
from proxy.wire.codecs import (
    Dimensions,
    Settings,
    decode_binary,
    decode_text,
    join_array,
    join_bytea_array,
    split_array,
    split_bytea_array,
)
from tests.codecs.oracle import Oracle, ours

PLAIN = Settings()
SPELLED = [
    "{}", "{1,2,3}", "{ 1 , 2 }", "{1,NULL,null}", '{"a b","\\"",""}', '{"NULL",a\\ b, x y }', "{{1,2},{3,4}}",
    "{{1},{2}}", "[2:4]={1,2,3}",
    "[0:1][-1:0]={{1,2},{3,4}}", "[2]={1,2}", "[1:2]={1}", "[3:2]={}", "[3: 2]={1}", "[1:1]={{1}}", "",
    "{", "{,}", "{1,}", "{{1},2}", "{1,{2}}", "{{1,2},{3}}", "{{},{}}", "{{}}", "{{1},{}}", "{{{{{{{1}}}}}}}", "{1}x",
    "x{1}", '{"a"x}',
    '{x"a"}', "[2147483647:2147483647]={1}", "[2147483646:2147483646]={1}", "[9999999999:1]={1}", "{\\",
    "[-2147483648:2147483646]={1}", "{a\\", "[1:1]{1}", "{a\\ }", "{1\\}}",
]  # fmt: skip


@pytest.mark.parametrize("type_name", ["text[]", "integer[]"])
def test_each_spelling_reads_as_in_postgresql(oracle: Oracle, type_name: str) -> None:
    mine = ours(type_name, SPELLED, PLAIN)
    assert dict(zip(SPELLED, mine, strict=True)) == dict(zip(SPELLED, oracle.read(type_name, SPELLED), strict=True))


_ELEMENT = st.one_of(
    st.sampled_from(["1", "NULL", '"a b"', '""', "a\\,b", " a ", '"NULL"']), st.text('ab,"\\{} ', max_size=4)
)
_ARRAY = st.recursive(
    _ELEMENT, lambda inner: st.lists(inner, max_size=3).map(lambda items: "{" + ",".join(items) + "}"), max_leaves=6
)  # fmt: skip


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(values=st.lists(_ARRAY, min_size=100, max_size=150))
def test_generated_arrays_read_as_in_postgresql(oracle: Oracle, values: list[str]) -> None:
    assert ours("text[]", values, PLAIN) == oracle.read("text[]", values)


@given(elements=st.lists(st.one_of(st.none(), st.binary(max_size=20)), min_size=1, max_size=6))
@example(elements=[b"\xe1\x02", None])
def test_sealed_elements_come_back_from_both_formats(elements: list[bytes | None]) -> None:
    dimensions = Dimensions((len(elements),), (1,))
    assert split_bytea_array(join_bytea_array(dimensions, elements), 0) == (dimensions, elements)
    assert split_bytea_array(join_array(17, dimensions, elements), 1) == (dimensions, elements)


def test_a_slice_keeps_the_flag_of_its_array_and_a_value_to_seal_does_not(oracle: Oracle) -> None:
    sent = "select encode(array_send((array[1, 2, null])[1:2]), 'hex')"
    flagged = bytes.fromhex(oracle.attempt([sent])[0])
    assert flagged[4:8] == b"\0\0\0\1"
    dimensions, elements = split_bytea_array(flagged, 1)
    assert join_array(23, dimensions, elements) == flagged
    type_ = parse_type("integer[]")
    assert decode_binary(type_, flagged, PLAIN) == decode_text(type_, b"{1,2}", PLAIN)


def test_the_text_of_sealed_elements_is_what_bytea_array_input_takes(oracle: Oracle) -> None:
    literal = join_bytea_array(Dimensions((2,), (1,)), [b"\xe1\x02", None]).decode()
    assert literal == '{"\\\\xe102",NULL}'
    assert oracle.attempt([f"select ('{literal}'::bytea[])::text"]) == [literal]


def test_parameters_of_any_are_split_into_canonical_elements() -> None:
    type_ = parse_type("integer[]")
    dimensions, elements = split_array(type_, b"{7,NULL}", 0, PLAIN)
    assert (dimensions, elements) == (Dimensions((2,), (1,)), [b"\0\0\0\7", None])
    assert split_array(type_, decode_text(type_, b"{7,NULL}", PLAIN), 1, PLAIN) == (dimensions, elements)


def test_an_array_of_another_element_type_is_42804() -> None:
    with pytest.raises(InvalidValue) as caught:
        decode_binary(parse_type("integer[]"), decode_text(parse_type("bigint[]"), b"{1}", PLAIN), PLAIN)
    assert caught.value.sqlstate == "42804"
