"""Headers and rounds: both kernels take the same bytes for a round, and make the same of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import Refused
from proxy.kernel import rounds
from proxy.wire import messages
from proxy.wire.frames import SERVER_LENGTHS, lengths_of
from proxy.wire.messages import Bind, Target, build_data_row, message
from tests.kernel.test_twins import mutated

REST = messages.build_describe(Target(b"P", b"")) + messages.build_execute(b"") + messages.SYNC
HEAD = b"\0s\0\0\1\0\1\0\3"  # portal "", statement "s", one format, three values
SERVER_HEAD = b"\0s\0\0\0\0\4"
TAIL = b"\0\2\0\0\0\1"
VALUES = st.none() | st.binary(max_size=20) | st.just(b"no")
DESCRIPTION = message(b"2") + message(b"T", b"\0\0")
SHOWN = message(b"2") + message(b"T", b"\0\0shown")


def cell(value: bytes) -> bytes:
    if value == b"no":
        raise Refused("no")
    return value[::-1] + b"!"


@pytest.fixture(params=["python", "native"])
def kernel(request: pytest.FixtureRequest) -> ModuleType:
    return rounds if request.param == "python" else request.getfixturevalue("native")


def form(
    kernel: ModuleType, params: Sequence[tuple[int, Any]] | None = ((2, cell), (0, None), (0, cell), (1, None))
) -> Any:
    return kernel.BindForm(HEAD, 3, TAIL, REST, SERVER_HEAD, params)


def asked(values: list[bytes | None]) -> bytes:
    return messages.build_bind(Bind(b"", b"s", (1,), values, (0, 1))) + REST


def test_a_bind_is_made_anew_around_its_values(kernel: ModuleType) -> None:
    sent = form(kernel).sealed(asked([b"ab", None, b"cd"]))
    body = SERVER_HEAD + b"\0\0\0\3dc!" + b"\0\0\0\2ab" + b"\0\0\0\3ba!" + b"\xff\xff\xff\xff" + TAIL
    assert sent == message(b"B", body) + REST


def test_a_bind_that_passes_is_itself(kernel: ModuleType) -> None:
    data = asked([b"ab", None, b""])
    assert form(kernel, None).sealed(data) is data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        REST,
        asked([b"ab", b"cd"]),
        asked([b"ab", b"cd", b"ef", b"gh"]),
        asked([b"ab", b"cd", b"ef"])[:-1],
        asked([b"ab", b"cd", b"ef"]) + b"\0",
        asked([b"ab", b"cd", b"ef"]) + messages.SYNC,
        asked([b"ab", b"cd", b"ef"]).replace(b"s\0", b"t\0", 1),
        asked([b"ab", b"cd", b"no"]),
        message(b"B", HEAD, b"\0\0\0\1a" * 2, b"\xff\xff\xff\xfe", TAIL) + REST,
        message(b"B", HEAD, b"\0\0\0\1a" * 2, b"\x7f\xff\xff\xff", TAIL) + REST,
        message(b"B", HEAD, b"\0\0\0\1a" * 2, b"\0\0\0\7a", TAIL) + REST,
    ],
)
def test_what_is_not_of_the_form_is_left(kernel: ModuleType, data: bytes) -> None:
    assert form(kernel).sealed(data) is None


def test_more_values_than_fit_the_stack(kernel: ModuleType) -> None:
    values: list[bytes | None] = [b"%d" % number for number in range(1000)]
    data = messages.build_bind(Bind(b"", b"s", (), values, ())) + messages.SYNC
    many = kernel.BindForm(b"\0s\0\0\0\3\xe8", 1000, b"\0\0", messages.SYNC, b"\0s\0\0\0\0\1", [(999, cell)])
    assert many.sealed(data) == message(b"B", b"\0s\0\0\0\0\1", b"\0\0\0\4999!", b"\0\0") + messages.SYNC


@pytest.mark.parametrize("client", [-1, 3])
def test_a_parameter_must_be_one_of_the_clients(kernel: ModuleType, client: int) -> None:
    with pytest.raises(ValueError, match="none of the client's"):
        form(kernel, [(client, None)])


@given(st.lists(VALUES, min_size=2, max_size=4), st.integers(0, 2**32), st.booleans())
def test_binds_are_made_alike(native: ModuleType, values: list[bytes | None], seed: int, passes: bool) -> None:
    data = mutated(asked(values), seed)
    found = [(form(kernel, None) if passes else form(kernel)).sealed(data) for kernel in (rounds, native)]
    assert found[0] == found[1]


def told(rows: list[list[bytes | None]], status: bytes = b"I", head: bytes = DESCRIPTION) -> bytes:
    done = message(b"C", b"SELECT %d\0" % len(rows)) + message(b"Z", status)
    return head + b"".join(map(build_data_row, rows)) + done


@pytest.mark.parametrize("status", [b"I", b"T", b"E"])
def test_an_answer_is_opened(kernel: ModuleType, status: bytes) -> None:
    answer = kernel.Answer(DESCRIPTION, SHOWN, [None, cell], may_be_rows=True)
    assert answer.opened(told([], status)) == told([], status, SHOWN)
    rows: list[list[bytes | None]] = [[b"a", b"bc"], [None, None]]
    assert answer.opened(told(rows, status)) == told([[b"a", b"cb!"], [None, None]], status, SHOWN)


def test_an_answer_that_passes_is_itself(kernel: ModuleType) -> None:
    data = told([[b"a"], [b"b", None]])
    assert kernel.Answer(DESCRIPTION, DESCRIPTION, None, may_be_rows=True).opened(data) is data
    other = kernel.Answer(DESCRIPTION, SHOWN, None, may_be_rows=True)
    assert other.opened(data) == told([[b"a"], [b"b", None]], head=SHOWN)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        DESCRIPTION,
        told([])[:-1],
        told([]) + b"\0",
        told([], b"X"),
        told([[b"a"]]),
        told([[b"a", b"no"]]),
        told([[b"a", b"b"], [b"a", b"no"]]),
        told([], head=SHOWN),
        DESCRIPTION + message(b"N", b"\0") + told([], head=b""),
        DESCRIPTION + message(b"D", b"\0") + told([], head=b""),
        DESCRIPTION + message(b"C", b"") + message(b"Z", b"I"),
        DESCRIPTION + message(b"C", b"SELECT 0\0") + message(b"Z", b"II"),
        told([]) + message(b"Z", b"I"),
        told([], head=DESCRIPTION + message(b"C", b"SELECT 0\0")),
    ],
)
def test_an_answer_of_another_form_is_left(kernel: ModuleType, data: bytes) -> None:
    assert kernel.Answer(DESCRIPTION, SHOWN, [None, cell], may_be_rows=True).opened(data) is None


def test_where_there_are_no_rows_a_row_is_left(kernel: ModuleType) -> None:
    answer = kernel.Answer(message(b"2"), message(b"2"), None, may_be_rows=False)
    assert answer.opened(told([[b"a"]], head=message(b"2"))) is None
    data = told([], head=message(b"2"))
    assert answer.opened(data) is data


ANSWERS = st.sampled_from(
    [
        (DESCRIPTION, SHOWN, [None, cell], True),
        (DESCRIPTION, DESCRIPTION, None, True),
        (DESCRIPTION, SHOWN, None, True),
        (DESCRIPTION, SHOWN, [cell, cell], False),
        (b"", b"", None, False),
    ]
)


@given(ANSWERS, st.lists(st.lists(VALUES, min_size=1, max_size=2), max_size=3), st.integers(0, 2**32))
def test_answers_are_opened_alike(
    native: ModuleType, answer: tuple[Any, ...], rows: list[list[bytes | None]], seed: int
) -> None:
    *given_, may_be_rows = answer
    data = mutated(told(rows, random.Random(seed).choice([b"I", b"T"]), answer[0]), seed)
    found = [kernel.Answer(*given_, may_be_rows=may_be_rows).opened(data) for kernel in (rounds, native)]
    assert found[0] == found[1]


ROW, DONE = build_data_row([b"a"]), message(b"C", b"SELECT 1\0")
PIECES = [ROW, DONE, build_data_row([b"y"]), message(b"D", b"\0" * 11), message(b"I"), message(b"Z", b"I")]
LENGTHS = lengths_of(SERVER_LENGTHS, "DCI")


def types_of(data: bytes) -> bytes | None:
    """The slow and obvious way: the types of whole messages; None where a part of one is left."""
    found = b""
    while data:
        size = 1 + int.from_bytes(data[1:5])
        if len(data) < max(5, size):
            return None
        found, data = found + data[:1], data[size:]
    return found


@given(st.lists(st.tuples(st.lists(st.sampled_from(PIECES), max_size=5), st.integers(0, 4)), max_size=30))
def test_the_kinds_of_whole_messages_are_told(native: ModuleType, given_: list[tuple[list[bytes], int]]) -> None:
    both = [kernel.Headers(LENGTHS, 4096) for kernel in (rounds, native)]
    for sent, cut in given_:  # one object, so that it meets pieces of a size that it remembers
        data = b"".join(sent)[: -cut or None]
        kinds = types_of(data)
        for headers in both:
            assert headers.kinds(data) == (None if kinds is None or b"Z" in kinds else kinds)


@given(st.binary(max_size=40), st.integers(0, 2**32))
def test_headers_of_anything_are_told_alike(native: ModuleType, noise: bytes, seed: int) -> None:
    both = [kernel.Headers(LENGTHS, 60) for kernel in (rounds, native)]
    chance = random.Random(seed)
    for _ in range(4):
        data = mutated(b"".join(chance.choices([*PIECES, noise], k=3)), chance.getrandbits(32))
        assert both[0].kinds(data) == both[1].kinds(data)


def test_a_piece_of_the_same_size_with_other_borders_is_not_taken_for_the_remembered_one(kernel: ModuleType) -> None:
    headers = kernel.Headers(LENGTHS, 4096)
    short, long = message(b"D", b"\0\1"), DONE
    assert [headers.kinds(short + long), headers.kinds(short + long), headers.kinds(long + short)] == [
        b"DC",
        b"DC",
        b"CD",
    ]
    assert headers.kinds(b"D\0\0\0\x7f" + (short + long)[5:]) is None


def test_more_messages_than_fit_the_stack(kernel: ModuleType) -> None:
    assert kernel.Headers(LENGTHS, 4096).kinds((DONE + ROW) * 100) == b"CD" * 100
    assert kernel.Headers(LENGTHS, len(DONE)).kinds(DONE + ROW) is None


@pytest.mark.parametrize(
    "bad", [b"D\0\0\0\3\0", b"D\xff\xff\xff\xff\0", b"Z\0\0\0\5I", b"C\0\0", b"\0" * 5, b"Z" + bytes(4)]
)
def test_what_is_not_whole_messages_of_these_types_is_left(kernel: ModuleType, bad: bytes) -> None:
    assert kernel.Headers(LENGTHS, 4096).kinds(ROW + bad) is None
