"""How large a message may be: what is sealed or opened has a bound, all else passes with flat memory."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from proxy.config import DeclaredFunction, Policy
from proxy.session.refusals import POISON
from proxy.sql.plan import CopyFormat, CopyPlan, Plan
from proxy.wire import messages
from proxy.wire.messages import message
from tests.session.playbook import (
    BORN,
    EMAIL,
    LITERAL,
    PARSED,
    POISONED,
    SEALED_COLUMNS,
    SYNC,
    TABLE,
    Book,
    Talk,
    bind,
    complete,
    error,
    error_fields,
    execute,
    hexed,
    kinds,
    parse,
    query,
    ready,
    row,
)

LIMIT = 100_000
PIECE = 256 * 1024  # what one read brings in
MEGABYTE = 1024 * 1024
FROM, TO = "COPY customers FROM STDIN", "COPY customers TO STDOUT"
COPY_IN, COPY_OUT = message(b"G", b"\0\0\1\0\0"), message(b"H", b"\0\0\1\0\0")


def talk_of(limit: int = LIMIT) -> Talk:
    def plan(*, is_from: bool) -> Plan:
        return Plan(copy=CopyPlan(is_from, CopyFormat.TEXT, (EMAIL,), (EMAIL.type,)), tag="COPY")

    return Talk(Book({FROM: plan(is_from=True), TO: plan(is_from=False)}), max_message=limit).warm()


def assert_limit(raw: bytes) -> None:
    fields = error_fields(raw)
    assert fields["C"] == "54000"
    assert "limits.sealed_value" in fields["H"]


def test_a_query_beyond_the_limit() -> None:
    talk = talk_of()
    talk.client(query(LITERAL + " " * LIMIT))
    talk.at_server()
    talk.server(POISONED, ready())
    assert_limit(talk.at_client()[0])


def test_a_parameter_beyond_the_limit() -> None:
    talk = talk_of()
    talk.prepare()
    talk.client(bind(b"x" * LIMIT, statement="s"), execute(), SYNC)
    talk.at_server()
    talk.server(POISONED, ready())
    assert_limit(talk.at_client()[0])


@pytest.mark.parametrize("whole", [True, False], ids=["in one message", "in many"])
def test_a_row_of_copy_beyond_the_limit(whole: bool) -> None:
    talk = talk_of()
    talk.client(query(FROM))
    talk.server(COPY_IN)
    talk.at_server()
    piece = LIMIT + 1 if whole else 1000
    for _ in range(0, LIMIT + 1, piece):
        talk.client(message(b"d", b"x" * piece))
    assert kinds(talk.at_server()) == "f"
    talk.server(error("57014"), ready())
    assert_limit(talk.at_client()[-2])


def test_a_result_beyond_the_limit_that_was_not_stored_through_this_proxy() -> None:
    talk = talk_of()
    talk.client(query(LITERAL))
    talk.at_server()
    talk.server(SEALED_COLUMNS[:0], row(hexed(b"x" * 3 * LIMIT)), complete(), ready())
    assert_limit(talk.at_client()[0])


@pytest.mark.parametrize("data_format", [0, 1])
def test_what_could_be_stored_can_be_read_in_either_format(data_format: int) -> None:
    """In hexadecimal the sealed value is more than twice as long as it was as a parameter."""
    talk = talk_of()
    talk.prepare()
    value = b"x" * (LIMIT - 100)
    talk.client(bind(value, statement="s"), execute(), SYNC)
    (sent, *_) = talk.at_server()
    (stored,) = messages.parse_bind(sent).values
    assert stored is not None
    talk.server(message(b"2"), complete("INSERT 0 1"), ready())
    talk.at_client()
    talk.client(bind(b"", statement="s", results=(0, data_format)), execute(), SYNC)
    talk.at_server()
    shown = stored if data_format else b"\\x" + stored.hex().encode()
    talk.server(message(b"2"), row(b"1", shown), complete(), ready())
    received = talk.at_client()
    assert kinds(received) == "2DCZ"
    assert messages.parse_data_row(received[1]) == [b"1", value]


def test_rows_of_copy_that_could_be_stored_can_be_read() -> None:
    talk = talk_of()
    value = b"x" * (LIMIT - 100)
    talk.client(query(FROM))
    talk.server(COPY_IN)
    talk.at_server()
    talk.client(message(b"d", value + b"\n"), messages.COPY_DONE)
    stored = talk.at_server()[0]
    talk.server(complete("COPY 1"), ready())
    talk.client(query(TO))
    talk.at_client()
    talk.server(COPY_OUT, stored, messages.COPY_DONE, complete("COPY 1"), ready())
    received = talk.at_client()
    assert kinds(received) == "HdcCZ"
    assert received[1] == message(b"d", value + b"\n")


def test_any_other_message_beyond_the_limit_is_a_violation() -> None:
    talk = Talk(max_message=1000).warm()
    talk.client(messages.build_close(messages.Target(b"S", b"x" * 2000)))
    assert error_fields(talk.at_client()[0])["C"] == "08P01"
    assert talk.session.closing


# -- large messages that are not collected -----------------------------------------------------------------------------

LARGE = b"y" * 2 * LIMIT


def function_call(oid: int) -> bytes:
    return message(b"F", struct.pack(">iHHHi", oid, 1, 0, 1, len(LARGE)), LARGE, b"\0\0")


def test_a_large_function_call_is_streamed() -> None:
    talk = talk_of()
    raw = function_call(952)
    talk.client(raw[:LIMIT])
    assert b"".join(talk.session.take_to_server()) == raw[:LIMIT]
    talk.client(raw[LIMIT:], query("SELECT 1"))
    assert b"".join(talk.session.take_to_server()) == raw[LIMIT:] + query("SELECT 1")
    talk.server(message(b"V", b"\xff\xff\xff\xff"), ready())
    assert kinds(talk.at_client()) == "VZ"


def test_a_large_function_call_that_may_meet_a_declared_function_is_refused() -> None:
    declared = DeclaredFunction("*", "public", "put", (("email", EMAIL.name),))
    talk = Talk(policy=Policy((EMAIL, BORN), functions=(declared,)), max_message=LIMIT).warm()
    talk.client(function_call(16_500))
    assert talk.at_server() == [query(POISON)]
    talk.server(POISONED, ready())
    assert_limit(talk.at_client()[0])


def test_a_large_bind_to_an_unknown_statement_fails_as_a_small_one() -> None:
    talk = Talk(max_message=4 * LIMIT).warm()
    talk.client(bind(LARGE, statement="never"), SYNC)
    assert kinds(talk.at_server()) == "PS"
    talk.server(POISONED, ready())
    assert error_fields(talk.at_client()[0])["C"] == "26000"


def test_a_large_bind_waits_until_its_statement_is_settled() -> None:
    talk = talk_of()
    raw = bind(LARGE, statement="plain")
    talk.client(parse("INSERT INTO blobs VALUES ($1)", "plain"), SYNC, raw, SYNC)
    assert kinds(talk.at_server()) == "PS"
    talk.server(PARSED, ready())
    assert b"".join(talk.session.take_to_server()) == raw + SYNC


def test_a_large_bind_whose_table_is_unsettled_is_collected() -> None:
    """What it names may be sealed at any moment, so the server is asked before a byte of it is sent."""
    pending = Policy((replace(EMAIL, pending=True), BORN))
    text = "UPDATE customers SET email = $1"
    plan = Plan(pending=frozenset((TABLE,)))
    talk = Talk(Book({text: plan}), pending, max_message=4 * LIMIT).warm()
    talk.client(parse(text, "u"))
    talk.serve_guard()
    assert kinds(talk.at_server()) == "P"
    talk.client(SYNC)
    talk.server(PARSED, ready())
    talk.at_server()
    raw = bind(LARGE, statement="u")
    talk.client(raw, execute(), SYNC)
    assert LARGE not in talk.sent
    talk.serve_guard()
    assert talk.at_server() == [raw, execute(), SYNC]


# -- memory ----------------------------------------------------------------------------------------------------------


@contextmanager
def flat(limit: int) -> Iterator[None]:
    """What the block holds at any moment beyond what it began with, in bytes of Python's allocator."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < limit, f"{peak} bytes"


def pieces(first: bytes, size: int) -> Iterable[bytes]:
    """`first` and then zeros, `size` bytes altogether, as they are read."""
    yield first
    for at in range(len(first), size, PIECE):
        yield bytes(min(PIECE, size - at))


def test_a_large_unsealed_parameter_takes_no_memory() -> None:
    talk = talk_of(64 * MEGABYTE)
    talk.client(parse("INSERT INTO blobs VALUES ($1)", "i"), SYNC)
    talk.server(PARSED, ready())
    talk.at_server()
    size = 200 * MEGABYTE
    head = bind(bytes(8192), statement="i", formats=(1,))[:8000]
    head = head[:1] + (size - 1).to_bytes(4, "big") + head[5:]
    passed = 0
    with flat(4 * MEGABYTE):
        for piece in pieces(head, size):
            talk.client(piece)
            passed += sum(map(len, talk.session.take_to_server()))
    assert passed == size
    assert talk.session.wants_client


def test_a_large_unsealed_value_in_a_result_takes_no_memory() -> None:
    talk = talk_of(64 * MEGABYTE)
    talk.client(query("SELECT big FROM blobs"))
    talk.at_server()
    size = 200 * MEGABYTE
    passed = 0
    with flat(4 * MEGABYTE):
        for piece in pieces(b"D" + (size - 1).to_bytes(4, "big") + b"\0\1" + (size - 11).to_bytes(4, "big"), size):
            talk.server(piece)
            passed += sum(map(len, talk.session.take_to_client()))
    assert passed == size


@pytest.mark.parametrize("cut", [PIECE, 1000])
def test_a_long_copy_with_sealed_columns_takes_no_memory(cut: int) -> None:
    talk = talk_of(64 * MEGABYTE)
    talk.client(query(FROM))
    talk.server(COPY_IN)
    talk.at_server()
    rows = b"".join(b"%0100d\n" % n for n in range(cut // 101 + 1))
    data = message(b"d", rows[:cut])
    passed = 0
    with flat(4 * MEGABYTE):
        for _ in range(3 * MEGABYTE // cut):
            talk.client(data)
            passed += sum(map(len, talk.session.take_to_server()))
    assert passed > 6 * MEGABYTE  # in hexadecimal
