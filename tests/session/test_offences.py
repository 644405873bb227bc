"""A client that breaks the protocol: it gets the answers to what it had asked before, then the error, then the end."""

from __future__ import annotations

import pytest

from proxy.config import Policy
from proxy.session.replication import Replication, ReplicationFrontend
from proxy.sql.plan import Effect, Plan
from proxy.wire import messages
from proxy.wire.messages import message
from tests.golden.conversation import function_call
from tests.session.playbook import (
    BOUND,
    LITERAL,
    NO_DATA,
    PARSED,
    PLAIN_PLAN,
    POISONED,
    POLICY,
    SYNC,
    Book,
    Talk,
    bind,
    close,
    columns,
    complete,
    describe,
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

UNKNOWN = b"\xff\0\0\0\x04"
BATCH = (parse("SELECT 1"), bind(), execute())
SERVERS_OWN = error("08P01", "invalid frontend message type 255", "FATAL")
OFFENCES = {
    "an unknown type": (UNKNOWN, "invalid frontend message type 255"),
    "a wrong length": (b"S\0\0\0\x03", "invalid message length"),
    "a password out of place": (message(b"p", b"x\0"), "invalid frontend message type 112"),
}


@pytest.fixture(params=[POLICY, Policy(())], ids=["policy", "no policy"])
def talk(request: pytest.FixtureRequest) -> Talk:
    talk = Talk(policy=request.param)
    return talk.warm() if request.param is POLICY else talk


def at_server(talk: Talk) -> bytes:
    return b"".join(talk.session.take_to_server())


def assert_ended(talk: Talk, text: str, before: str) -> None:
    *answers, last = talk.at_client()
    assert kinds(answers) == before
    fields = error_fields(last)
    assert (fields["V"], fields["C"], fields["M"]) == ("FATAL", "08P01", text)
    assert talk.session.closing
    assert at_server(talk) == b""


@pytest.mark.parametrize("offence", ["an unknown type", "a wrong length"])
def test_what_was_asked_before_is_answered_first(talk: Talk, offence: str) -> None:
    raw, text = OFFENCES[offence]
    talk.client(query("SELECT 1"), *BATCH, SYNC, *BATCH, raw, query("SELECT 'never'"))
    sent = query("SELECT 1") + b"".join((*BATCH, SYNC, *BATCH))
    assert at_server(talk) == sent + b"\xff"
    assert not talk.session.wants_client
    assert not talk.session.idle
    talk.server(complete(), ready(), PARSED, BOUND, complete(), ready())
    talk.server(PARSED, BOUND, complete(), SERVERS_OWN)
    talk.session.server_lost()
    assert_ended(talk, text, "CZ12CZ12C")


def test_a_password_out_of_place_is_an_offence_under_a_policy_too() -> None:
    raw, text = OFFENCES["a password out of place"]
    talk = Talk().warm()
    talk.client(query("SELECT 1"), raw)
    assert at_server(talk) == query("SELECT 1") + b"\xff"
    talk.server(complete(), ready(), SERVERS_OWN)
    assert_ended(talk, text, "CZ")


MALFORMED = {
    "P": (message(b"P", b"name\0SELECT"), "invalid string in message"),
    "B": (message(b"B", b"\0s\0\0\1\0\0\0\5"), "insufficient data left in message"),
    "D": (message(b"D", b"X\0"), "invalid DESCRIBE message subtype 88"),
    "C": (message(b"C", b"P\0xx"), "invalid message format"),
    "E": (message(b"E", b"abc\0\0"), "insufficient data left in message"),
    "P empty": (message(b"P"), "invalid string in message"),
    "B empty": (message(b"B"), "invalid string in message"),
    "B short": (message(b"B", b"\0s\0\0"), "insufficient data left in message"),
    "E short": (message(b"E", b"\0"), "insufficient data left in message"),
    "H": (message(b"H", b"x"), "invalid message format"),
    "D empty": (message(b"D"), "no data left in message"),
    "C empty": (message(b"C"), "no data left in message"),
}


@pytest.mark.parametrize(("raw", "text"), MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("status", ["T", "E"])
def test_a_body_that_is_not_in_its_form_is_an_error_like_others(raw: bytes, text: str, status: str) -> None:
    """As in PostgreSQL, which sees it before it looks at the transaction."""
    talk = Talk().warm()
    talk.prepare()
    talk.client(query("BEGIN"))
    at_server(talk)
    talk.server(complete("BEGIN"), ready(status))
    talk.at_client()
    talk.client(raw, execute(), SYNC)
    assert kinds(talk.at_server()) == "PS"  # what fails in its place
    talk.server(POISONED if status == "T" else error("25P02"), ready("E"))
    told, after = talk.at_client()
    fields = error_fields(told)
    assert (fields["V"], fields["C"], fields["M"]) == ("ERROR", "08P01", text)
    assert after == ready("E")
    assert talk.session.wants_client


@pytest.mark.parametrize("replication", [False, True])
def test_a_query_without_an_end_is_an_error_like_others(replication: bool) -> None:
    talk = Talk().warm()
    if replication:
        talk.session._frontend = ReplicationFrontend(talk.session._conversation, Replication.DATABASE)
    talk.client(message(b"Q", b"SELECT 1"))
    assert kinds(talk.at_server()) == "Q"
    talk.server(POISONED, ready())
    told, _ = talk.at_client()
    assert error_fields(told)["M"] == "invalid string in message"


def test_the_answers_are_opened_as_ever() -> None:
    talk = Talk().warm()
    talk.client(query(LITERAL), UNKNOWN)
    at_server(talk)
    talk.server(columns(("email", 16_385, 2, 17)), row(hexed(b"ann@example.com")), complete(), ready(), SERVERS_OWN)
    assert row(b"ann@example.com") in talk.at_client()


def test_where_nothing_is_open_the_end_comes_at_once(talk: Talk) -> None:
    talk.client(UNKNOWN)
    assert [error_fields(raw)["V"] for raw in talk.at_client()] == ["FATAL"]
    assert talk.session.closing
    assert at_server(talk) == messages.TERMINATE


def test_a_server_that_goes_without_a_word_ends_it_too(talk: Talk) -> None:
    talk.client(query("SELECT 1"), UNKNOWN)
    at_server(talk)
    talk.server(complete(), ready())
    talk.session.server_lost()
    assert_ended(talk, "invalid frontend message type 255", "CZ")


def test_a_server_that_ends_it_for_another_reason_is_believed(talk: Talk) -> None:
    talk.client(query("SELECT 1"), UNKNOWN)
    at_server(talk)
    talk.server(error("57P01", "going down", "FATAL"))
    talk.session.server_lost()
    (last,) = talk.at_client()
    assert error_fields(last)["C"] == "57P01"
    assert talk.session.closing


def test_nothing_that_comes_later_is_taken_from_the_client(talk: Talk) -> None:
    talk.client(query("SELECT 1"), UNKNOWN)
    at_server(talk)
    talk.session.client_data(query("SELECT 2"))
    assert at_server(talk) == b""


def test_an_error_of_the_batch_is_told_before_the_end() -> None:
    talk = Talk().warm()
    talk.client(*BATCH, UNKNOWN)
    at_server(talk)
    talk.server(error("42601"), SERVERS_OWN)
    assert_ended(talk, "invalid frontend message type 255", "E")


def test_a_script_runs_to_its_end_first() -> None:
    script = "CREATE TABLE t (a int); SELECT * FROM t"
    made = [
        ("CREATE TABLE t (a int)", Plan(effects=Effect.CATALOG, tag="CREATE TABLE")),
        ("SELECT * FROM t", PLAIN_PLAN),
    ]
    talk = Talk(Book({script: made, "CREATE TABLE t (a int)": made[0][1], "SELECT * FROM t": PLAIN_PLAN})).warm()
    talk.client(query(script), UNKNOWN)
    talk.serve_reads(before=(PARSED, BOUND, NO_DATA, complete("CREATE TABLE")))
    assert at_server(talk).endswith(SYNC + b"\xff")
    talk.server(PARSED, BOUND, columns(("a", 1, 1, 23)), complete("SELECT 0"), ready(), SERVERS_OWN)
    assert_ended(talk, "invalid frontend message type 255", "CTCZ")


COPY_FAILS = (
    error("08P01", "unexpected message type 0xFF during COPY from stdin"),
    error("08P01", "terminating connection because protocol synchronization was lost", "FATAL"),
)


def test_behind_a_copy_that_begins_the_server_fails_it_and_ends() -> None:
    talk = Talk().warm()
    talk.client(query("COPY plain FROM STDIN"), UNKNOWN)
    assert at_server(talk) == query("COPY plain FROM STDIN")
    talk.server(message(b"G", b"\0\0\x01\0\0"))
    assert at_server(talk) == b"\xff"
    talk.server(*COPY_FAILS)
    talk.session.server_lost()
    assert talk.at_client()[1:] == [*COPY_FAILS]
    assert talk.session.closing


def test_behind_a_copy_that_fails_the_error_is_told_first() -> None:
    talk = Talk().warm()
    talk.client(query("COPY plain FROM STDIN"), UNKNOWN)
    at_server(talk)
    talk.server(error("42P01"), ready())
    assert kinds(talk.at_client()) == "EZE"
    assert talk.session.closing


def test_amid_the_rows_of_a_copy_the_server_fails_it_and_ends(talk: Talk) -> None:
    talk.client(query("COPY plain FROM STDIN"))
    talk.server(message(b"G", b"\0\0\x01\0\0"))
    at_server(talk)
    talk.client(message(b"d", b"1\n"), UNKNOWN)
    assert at_server(talk) == message(b"d", b"1\n") + b"\xff"
    talk.server(*COPY_FAILS)
    talk.session.server_lost()
    assert talk.at_client()[1:] == [*COPY_FAILS]
    assert talk.session.closing


def test_a_wrong_length_amid_the_rows_of_a_copy_ends_the_session_at_once(talk: Talk) -> None:
    talk.client(query("COPY plain FROM STDIN"))
    talk.server(message(b"G", b"\0\0\x01\0\0"))
    at_server(talk)
    talk.client(message(b"d", b"1\n"), b"S\0\0\0\x03")
    assert kinds(talk.at_client()) == "GE"
    assert talk.session.closing


def test_what_a_server_said_before_it_broke_the_protocol_is_told(talk: Talk) -> None:
    talk.client(query("SELECT 1"), query("SELECT 2"))
    at_server(talk)
    talk.server(complete(), ready(), complete("SELECT 2"), b"\xfe\0\0\0\x04")
    *answers, last = talk.at_client()
    assert kinds(answers) == "CZC"
    assert error_fields(last)["C"] == "08P01"
    assert talk.session.closing


@pytest.mark.parametrize("size", [1, 3])
def test_however_the_client_cuts_it(talk: Talk, size: int) -> None:
    stream = query("SELECT 1") + b"".join(BATCH) + describe("P") + UNKNOWN
    for at in range(0, len(stream), size):
        if talk.session.wants_client:
            talk.client(stream[at : at + size])
    assert at_server(talk) == stream[: -len(UNKNOWN)] + b"\xff"


@pytest.mark.parametrize(
    "raw",
    [bind(statement="s"), execute(), describe("S", "s"), close("S", "s"), SYNC, messages.FLUSH, function_call(1)],
    ids=lambda raw: raw[:1].decode(),
)
def test_what_a_message_of_a_wrong_length_swallows_never_leaves(raw: bytes) -> None:
    """Such as the next Bind, with a value of a sealed column: the server is told of the damage, and not of that."""
    talk = Talk(Book({"SELECT 1": Plan(tag="SELECT")})).warm()
    talk.client(parse("SELECT 1", "s"), bind(statement="s"), SYNC)
    talk.at_server()
    talk.server(PARSED, BOUND, ready())
    talk.at_client()
    talk.client(message(raw[:1], raw[5:], bind(b"ann@mail.example", statement="sealed")), SYNC)
    assert kinds(talk.at_server()) in ("PS", "SS", "QS", "BS")
    assert b"ann@" not in talk.sent


def test_a_bind_that_ends_within_a_value_of_the_next_message_never_leaves() -> None:
    talk = Talk(Book({"SELECT 1": Plan(tag="SELECT")})).warm()
    talk.client(parse("SELECT 1", "s"), message(b"B", b"\0s\0\0\0\0\2", b"\0\0\0\7ann@mail.example"), SYNC)
    assert talk.at_server()[1:] == [message(b"B", b"\0s\0\0\0\0\2"), SYNC]


def test_a_sync_with_a_body_is_answered_by_the_server(talk: Talk) -> None:
    """An error and ReadyForQuery: nothing is skipped."""
    long = message(b"S", b"\0")
    talk.client(long, query("SELECT 1"))
    assert at_server(talk) == long + query("SELECT 1")
    answers = error("08P01", "invalid message format"), ready(), complete(), ready()
    talk.server(*answers)
    assert talk.at_client() == [*answers]
    assert talk.session.idle
