"""Framing: whole, in pieces, large, and wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import ProtocolViolation
from proxy.kernel.reference import message_run
from proxy.wire.frames import (
    CLIENT_LENGTHS,
    HEAD_BYTES,
    SERVER_LENGTHS,
    Batch,
    Frame,
    Head,
    Item,
    Oversized,
    Run,
    Splitter,
    Stream,
    lengths_of,
)
from proxy.wire.messages import message


def drain(splitter: Splitter) -> list[Item]:
    found = []
    while (item := splitter.next()) is not None:
        found.append(item)
    return found


def server(*, passing: str = "", max_message: int = 1 << 20) -> Splitter:
    splitter = Splitter(SERVER_LENGTHS, side="backend", heads="T", max_message=max_message)
    splitter.set_passing(passing, passing=True)
    return splitter


ROW, DONE = message(b"D", b"\0\x01\0\0\0\x01x"), message(b"C", b"SELECT 1\0")


def test_a_run_of_messages_that_pass_is_one_slice() -> None:
    splitter = server(passing="D")
    splitter.feed(ROW * 5 + DONE + ROW)
    assert drain(splitter) == [ROW * 5, Frame(0x43, DONE), ROW]
    assert splitter.at_boundary


def test_what_passes_can_change_between_two_messages() -> None:
    splitter = server(passing="D")
    splitter.feed(ROW + DONE + ROW)
    assert splitter.next() == ROW
    assert splitter.next() == Frame(0x43, DONE)
    splitter.set_passing("D", passing=False)
    assert splitter.next() == Frame(0x44, ROW)


@given(st.lists(st.sampled_from([ROW, DONE, message(b"D", b"y" * 300)]), max_size=6), st.integers(1, 40))
def test_in_pieces_the_same_bytes_come_out(sent: list[bytes], step: int) -> None:
    splitter, data = server(passing="D"), b"".join(sent)
    out = b""
    for at in range(0, len(data), step):
        splitter.feed(data[at : at + step])
        for item in drain(splitter):
            out += item if isinstance(item, Run) else item.raw if isinstance(item, Frame) else b"?"
    assert out == data
    assert splitter.at_boundary


def test_a_large_message_that_passes_is_not_collected() -> None:
    splitter = server(passing="D", max_message=1000)
    large = message(b"D", b"x" * 500_000)
    splitter.feed(large[:7])
    assert drain(splitter) == [large[:7]]
    assert splitter.in_message
    splitter.feed(large[7:] + DONE)
    assert drain(splitter) == [large[7:], Frame(0x43, DONE)]
    assert not splitter.in_message


def test_a_large_message_that_does_not_pass_is_collected() -> None:
    splitter, large = server(), message(b"D", b"x" * 500_000)
    for at in range(0, len(large), 70_000):
        splitter.feed(large[at : at + 70_000])
        if at + 70_000 < len(large):
            assert drain(splitter) == []
            assert not splitter.at_boundary
    splitter.feed(DONE)
    assert drain(splitter) == [Frame(0x44, large), Frame(0x43, DONE)]


def test_a_message_above_the_bound_is_skipped_and_reported() -> None:
    splitter, large = server(max_message=1000), message(b"D", b"x" * 5000)
    splitter.feed(large[:100])
    assert drain(splitter) == [Oversized(0x44, len(large))]
    splitter.feed(large[100:200])
    assert drain(splitter) == []
    splitter.feed(large[200:] + DONE)
    assert drain(splitter) == [Frame(0x43, DONE)]


@pytest.mark.parametrize("passes", [True, False])
def test_a_large_message_shows_its_head_first(passes: bool) -> None:
    splitter, large = server(), message(b"T", b"x" * 100_000)
    splitter.feed(large[:5000])
    head = splitter.next()
    assert isinstance(head, Head)
    assert head.size == len(large)
    assert large.startswith(head.raw)
    if passes:
        splitter.pass_frame()
        assert drain(splitter) == [large[:5000]]
        splitter.feed(large[5000:])
        assert drain(splitter) == [large[5000:]]
    else:
        assert drain(splitter) == []
        splitter.feed(large[5000:])
        assert drain(splitter) == [Frame(0x54, large)]


@pytest.mark.parametrize(
    "bad",
    [
        b"\0\0\0\0\x04",
        b"Z\0\0\0\x04",
        b"Z\0\0\0\x06",
        b"D\xff\xff\xff\xff",
        b"D\0\0\0\x03",
        b"1\0\0\0\x05",
        b"Q\0\0\0\x09",
    ],
)
def test_a_wrong_type_or_length_is_a_violation_after_what_came_before_it(bad: bytes) -> None:
    splitter = server(passing="D")
    splitter.feed(ROW + bad)
    assert splitter.next() == ROW
    with pytest.raises(ProtocolViolation):
        splitter.next()


@pytest.mark.parametrize("kind", "QPBF")
def test_a_client_may_send_a_gigabyte_but_not_more(kind: str) -> None:
    low, high = CLIENT_LENGTHS[kind]
    splitter = Splitter(CLIENT_LENGTHS, side="frontend")
    splitter.feed(kind.encode() + (high + 1).to_bytes(4, "big"))
    with pytest.raises(ProtocolViolation, match="invalid message length"):
        splitter.next()
    assert low < high < 1 << 30


DATA, END = message(b"d", b"1\tada\n2\t"), message(b"c")


def client() -> Splitter:
    splitter = Splitter(CLIENT_LENGTHS, side="frontend", heads="QFB", max_message=1 << 20)
    splitter.stream(ord("d"))
    return splitter


@given(st.lists(st.sampled_from([DATA, message(b"d"), message(b"d", b"y" * 300)]), max_size=6), st.integers(1, 40))
def test_the_bodies_of_what_is_streamed_come_out_as_they_come_in(sent: list[bytes], step: int) -> None:
    splitter, data, out = client(), b"".join(sent) + END, b""
    for at in range(0, len(data), step):
        splitter.feed(data[at : at + step])
        for item in drain(splitter):
            assert isinstance(item, Frame)
            out += item.raw
            assert isinstance(item, Stream) is (item.type == ord("d"))
            assert item.type != ord("d") or len(item.raw) <= step, "no more than has come in"
        assert not splitter.in_message, "something may be put in between"
    assert out == b"".join(one[5:] for one in sent) + END
    assert splitter.at_boundary


def test_bodies_that_are_there_come_out_together() -> None:
    splitter = client()
    splitter.feed(DATA * 3 + END)
    assert drain(splitter) == [Stream(0x64, DATA[5:] * 3), Frame(0x63, END)]


def test_what_has_begun_as_a_stream_ends_as_one() -> None:
    splitter = client()
    splitter.feed(DATA + DATA[:9])
    assert drain(splitter) == [Stream(0x64, DATA[5:] + DATA[5:9])]
    assert not splitter.at_boundary
    splitter.stream(None)
    splitter.feed(DATA[9:] + DATA + END)
    assert drain(splitter) == [Stream(0x64, DATA[9:]), Frame(0x64, DATA), Frame(0x63, END)]


def test_the_lengths_of_what_is_streamed_are_checked() -> None:
    splitter = client()
    splitter.feed(DATA + b"d\0\0\0\3" + DATA)
    assert splitter.next() == Stream(0x64, DATA[5:])
    with pytest.raises(ProtocolViolation, match="invalid message length"):
        splitter.next()


def test_what_is_gathered_comes_out_as_the_whole_messages_that_are_there() -> None:
    splitter = server()
    splitter.gather(ord("D"), message_run)
    splitter.feed(ROW[:3])
    assert drain(splitter) == []
    splitter.feed(ROW[3:] + ROW * 2 + ROW[:9])
    assert drain(splitter) == [Batch(0x44, ROW * 3)]
    splitter.feed(ROW[9:] + DONE)
    assert drain(splitter) == [Batch(0x44, ROW), Frame(0x43, DONE)]
    splitter.gather(None, message_run)
    splitter.feed(ROW + ROW)
    assert drain(splitter) == [Frame(0x44, ROW), Frame(0x44, ROW)]


def test_a_gathered_message_above_the_bound_is_skipped_and_reported() -> None:
    splitter, large = server(max_message=1000), message(b"D", b"x" * 1000)
    splitter.gather(ord("D"), message_run)
    splitter.feed(ROW + large + ROW)
    assert drain(splitter) == [Batch(0x44, ROW), Oversized(0x44, len(large)), Batch(0x44, ROW)]


def test_the_beginning_of_a_large_message_is_awaited() -> None:
    splitter, large = server(), message(b"T", b"x" * 100_000)
    splitter.feed(large[:100])
    assert drain(splitter) == []
    assert not splitter.at_boundary
    splitter.feed(large[100:])
    head, whole = drain(splitter)
    assert head == Head(0x54, len(large), large[:HEAD_BYTES])
    assert whole == Frame(0x54, large)


def test_the_lengths_of_some_types_are_known_by_their_byte() -> None:
    assert lengths_of(CLIENT_LENGTHS, "SP") == {0x53: (4, 10_000), 0x50: (4, 0x3FFFFFFE)}
