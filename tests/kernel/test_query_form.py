"""Queries whose literals vary: both kernels take the same texts for one form, and make the same of them."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.kernel import rounds
from proxy.wire import messages
from tests.kernel.test_rounds import cell
from tests.kernel.test_twins import mutated

PIECES = [b"SELECT \xc3\xa9 FROM t WHERE e = ", b" AND n < ", b" AND b = ", b" OR d > ", b";"]
PARTS = [b"SELECT E = ", (0, cell), b" AND ", 1, b", ", 2, b", ", 3, b", ", (1, cell), b", ", (b"k", cell)]
LITERALS = [b"'it''s'", b"42", b"12345678901", b"007.50"]


@pytest.fixture(params=["python", "native"])
def kernel(request: pytest.FixtureRequest) -> ModuleType:
    return rounds if request.param == "python" else request.getfixturevalue("native")


def form(kernel: ModuleType, *, passes: bool = False) -> Any:
    return kernel.QueryForm(PIECES, "sild", None if passes else PARTS)


def spelled(literals: Sequence[bytes]) -> bytes:
    text = b"".join(piece + literal for piece, literal in zip(PIECES, (*literals, b""), strict=True))
    return messages.build_query(text)


def test_a_query_is_made_anew_around_its_literals(kernel: ModuleType) -> None:
    sealed = [b"E'\\\\x%b'" % cell(value).hex().encode() for value in (b"it's", b"42", b"k")]
    text = b"SELECT E = %b AND 42, 12345678901, 007.50, %b, %b" % tuple(sealed)
    assert form(kernel).sealed(spelled(LITERALS)) == messages.build_query(text)
    data = spelled([b"''", b"0", b"999999999999999999", b"0.0"])
    assert form(kernel, passes=True).sealed(data) is data


@pytest.mark.parametrize(
    ("at", "literal"),
    [
        (0, b"'no'"),
        (0, b"'a"),
        (0, b"a'"),
        (0, b"'a''"),
        (0, b"'a'b'"),
        (0, b"'\0'"),
        (0, b"'\xff'"),
        (0, b"'\xed\xa0\x80'"),
        (0, b""),
        (0, b"1"),
        (1, b""),
        (1, b"01"),
        (1, b"1000000000"),
        (1, b"1.5"),
        (1, b"-1"),
        (1, b"'1'"),
        (1, b"1 "),
        (2, b"1234567890"),
        (2, b"01234567890"),
        (2, b"1234567890123456789"),
        (3, b"1"),
        (3, b".5"),
        (3, b"5."),
        (3, b"1.5.5"),
    ],
)
def test_a_literal_of_another_kind_is_left(kernel: ModuleType, at: int, literal: bytes) -> None:
    assert form(kernel).sealed(spelled([*LITERALS[:at], literal, *LITERALS[at + 1 :]])) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"Q\0\0\0\4",
        spelled(LITERALS)[:-1],
        spelled(LITERALS) + b"\0",
        spelled(LITERALS) + messages.SYNC,
        b"P" + spelled(LITERALS)[1:],
        messages.build_query(spelled(LITERALS)[5:-1] + b";"),
        messages.build_query(spelled(LITERALS)[5:-2]),
    ],
)
def test_a_query_of_another_form_is_left(kernel: ModuleType, data: bytes) -> None:
    assert form(kernel).sealed(data) is None


def test_more_literals_than_fit_the_stack(kernel: ModuleType) -> None:
    many = kernel.QueryForm([b"", *[b","] * 199, b""], "i" * 200, [199, b" ", (0, cell)])
    text = b",".join(b"%d" % number for number in range(200))
    assert many.sealed(messages.build_query(text)) == messages.build_query(b"199 E'\\\\x3021'")


@pytest.mark.parametrize(
    ("pieces", "kinds", "parts"),
    [([b""], "s", None), ([b"", b""], "x", None), ([b"", b""], "s", [1]), ([b"", b""], "s", [(-1, cell)])],
)
def test_a_form_must_be_consistent(kernel: ModuleType, pieces: list[bytes], kinds: str, parts: Any) -> None:
    with pytest.raises(ValueError, match="literal"):
        kernel.QueryForm(pieces, kinds, parts)


ODD = st.from_regex(rb"\A('([^']|''){0,5}'|[0-9]{1,20}|[0-9]{0,3}\.[0-9]{0,3})\Z")
SPELLINGS = st.tuples(*[st.just(literal) | ODD for literal in LITERALS])


@given(SPELLINGS, st.integers(0, 2**32), st.booleans())
def test_queries_are_made_alike(native: ModuleType, literals: Sequence[bytes], seed: int, passes: bool) -> None:
    data = mutated(spelled(literals), seed)
    found = [form(kernel, passes=passes).sealed(data) for kernel in (rounds, native)]
    assert found[0] == found[1]
