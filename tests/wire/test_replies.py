"""The reply queue: the rules of its header, one scenario each."""

import pytest

from proxy.errors import ProtocolViolation
from proxy.wire.replies import Kind, Replies


def queue(*kinds: Kind) -> Replies[int]:
    replies: Replies[int] = Replies()
    for number, kind in enumerate(kinds):
        replies.push(kind, number)
    return replies


def answers(replies: Replies[int], types: str) -> list[tuple[int, bool]]:
    found = []
    for type_ in types:
        _, number, ends = replies.answer(ord(type_))
        found.append((number, ends))
    return found


BATCH = (Kind.PARSE, Kind.BIND, Kind.DESCRIBE_PORTAL, Kind.EXECUTE, Kind.SYNC)


def test_each_answer_belongs_to_the_oldest_question() -> None:
    replies = queue(*BATCH)
    assert answers(replies, "12TDDCZ") == [
        (0, True), (1, True), (2, True), (3, False), (3, False), (3, True), (4, True),
    ]  # fmt: skip
    assert not replies


def test_an_error_drops_what_comes_before_the_next_sync() -> None:
    replies = queue(*BATCH, *BATCH)
    assert answers(replies, "1E") == [(0, True), (1, True)]
    assert replies.drop_to_sync() == [2, 3]
    assert not replies.skipping
    assert answers(replies, "Z12nCZ")[0] == (4, True)


def test_without_a_sync_the_server_skips_until_one_is_sent() -> None:
    replies = queue(Kind.PARSE, Kind.BIND)
    answers(replies, "E")
    assert replies.drop_to_sync() == [1]
    assert replies.skipping
    with pytest.raises(RuntimeError):
        replies.push(Kind.QUERY, 9)
    replies.push(Kind.SYNC, 7)
    assert not replies.skipping
    assert answers(replies, "Z") == [(7, True)]


@pytest.mark.parametrize(("kind", "types"), [(Kind.QUERY, "TDCTDE"), (Kind.FUNCTION_CALL, "E"), (Kind.SYNC, "E")])
def test_an_error_inside_query_function_call_and_sync_is_followed_by_ready(kind: Kind, types: str) -> None:
    replies = queue(kind, Kind.SYNC)
    assert all(not ends for _, ends in answers(replies, types))
    assert answers(replies, "ZZ") == [(0, True), (1, True)]


def test_an_error_before_a_query_without_sync_drops_the_query() -> None:
    replies = queue(Kind.PARSE, Kind.QUERY, Kind.SYNC)
    answers(replies, "E")
    assert replies.drop_to_sync() == [1]
    assert answers(replies, "Z") == [(2, True)]


@pytest.mark.parametrize(
    ("kind", "type_"),
    [(Kind.PARSE, "2"), (Kind.BIND, "1"), (Kind.EXECUTE, "T"), (Kind.SYNC, "C"), (Kind.QUERY, "1"), (Kind.CLOSE, "n")],
)
def test_an_answer_that_fits_no_question_is_a_violation(kind: Kind, type_: str) -> None:
    with pytest.raises(ProtocolViolation):
        queue(kind).answer(ord(type_))


def test_an_answer_to_nothing_is_a_violation() -> None:
    with pytest.raises(ProtocolViolation):
        queue().answer(ord("C"))


def test_statement_descriptions_take_two_messages() -> None:
    replies = queue(Kind.DESCRIBE_STATEMENT, Kind.DESCRIBE_STATEMENT)
    assert answers(replies, "tTtn") == [(0, False), (0, True), (1, False), (1, True)]


def test_a_batch_is_complete_when_something_in_it_awaits_ready() -> None:
    assert not queue(Kind.PARSE, Kind.BIND).awaits_ready
    assert queue(Kind.PARSE, Kind.SYNC).awaits_ready


def test_the_next_answer_belongs_to_the_head() -> None:
    replies = queue(Kind.PARSE, Kind.SYNC)
    assert len(replies) == 2
    assert replies.head == (Kind.PARSE, 0)
    answers(replies, "1Z")
    assert len(replies) == 0
    assert replies.head is None
