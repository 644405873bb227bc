"""The stages of a session: authentication, transparent or under a policy, and its end."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.config import Policy
from proxy.session import Session, Shared
from proxy.session.startup import Lowered
from proxy.wire import messages
from proxy.wire.messages import message
from tests.session.playbook import (
    BOUND,
    PARSED,
    POISONED,
    POLICY,
    SELECT,
    STARTED,
    SYNC,
    Book,
    Sealers,
    Talk,
    bind,
    complete,
    error,
    error_fields,
    execute,
    kinds,
    parse,
    query,
    ready,
    row,
    seal,
    shortly,
    split,
)

EMPTY = Policy()


def begin(policy: Policy = EMPTY, **parameters: str) -> Session:
    shared = Shared(policy, Sealers(), analyse=Book())
    return Session(shared, database="shop", user="app", parameters=parameters)


def authentication(code: int, rest: bytes = b"") -> bytes:
    return message(b"R", struct.pack("!i", code), rest)


def test_authentication_is_relayed_without_channel_binding() -> None:
    session = begin()
    session.server_data(authentication(10, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"))
    assert session.take_to_client() == [authentication(10, b"SCRAM-SHA-256\0\0")]
    session.client_data(message(b"p", b"SCRAM-SHA-256\0\0\0\0\0"))
    assert kinds(session.take_to_server()) == "p"
    session.server_data(authentication(11, b"challenge"))
    session.client_data(message(b"p", b"proof"))
    session.server_data(authentication(12, b"final") + STARTED)
    assert session.authenticated
    assert session.idle
    assert session.backend_key == struct.pack("!ii", 7, 99)
    assert kinds(split(b"".join(session.take_to_client()), to_server=False)) == "RRRSSSSSKZ"


@pytest.mark.parametrize("early", [query("SELECT 1"), SYNC])
def test_what_comes_before_the_server_is_ready_waits_for_it(early: bytes) -> None:
    session = begin()
    session.client_data(early)
    assert not session.wants_client
    assert session.take_to_server() == []
    session.server_data(STARTED)
    assert session.take_to_server() == [early]
    assert session.wants_client


@pytest.mark.parametrize("sent", [query("SELECT 1"), SYNC])
def test_only_an_answer_is_taken_when_the_server_has_asked(sent: bytes) -> None:
    session = begin()
    session.server_data(authentication(3))
    session.take_to_client()
    session.client_data(sent)
    assert error_fields(session.take_to_client()[0])["C"] == "08P01"
    assert session.closing
    assert session.take_to_server() == [messages.TERMINATE]


def test_a_password_after_authentication_is_a_violation() -> None:
    talk = Talk()
    talk.client(message(b"p", b"x\0"))
    assert error_fields(talk.at_client()[0])["S"] == "FATAL"


def test_a_login_that_fails_ends_with_the_servers_words() -> None:
    session = begin()
    failure = error("28P01", "password authentication failed", "FATAL")
    session.server_data(failure)
    session.server_lost()
    assert session.take_to_client() == [failure]
    assert session.closing


def test_a_client_may_leave_before_it_has_answered() -> None:
    session = begin()
    session.server_data(authentication(3))
    session.take_to_client()
    session.client_data(messages.TERMINATE + query("SELECT 1"))
    assert session.take_to_server() == [messages.TERMINATE]
    session.server_lost()
    assert session.closing
    assert session.take_to_client() == []


def test_a_notice_may_come_before_the_server_is_ready() -> None:
    session = begin()
    notice = messages.message(b"N", error("01000", "the password expires soon")[5:])
    session.server_data(notice + STARTED)
    assert split(b"".join(session.take_to_client()), to_server=False)[0] == notice
    assert session.idle


def test_a_malformed_notice_before_the_server_is_ready_ends_the_session() -> None:
    session = begin()
    session.server_data(message(b"N", b"Mno end"))
    assert error_fields(session.take_to_client()[0])["C"] == "08P01"
    assert session.closing


@pytest.mark.parametrize("whole", [True, False])
def test_only_what_belongs_to_a_login_is_taken_from_the_server_meanwhile(whole: bool) -> None:
    for stray in (complete(), ready(), message(b"K", bytes(8)), authentication(0) * 2):
        session = begin()
        if whole:
            assert session.swift_server is None
        session.server_data(stray)
        assert error_fields(split(b"".join(session.take_to_client()), to_server=False)[-1])["C"] == "08P01"
        assert session.closing
        assert session.swift_server is None


def test_a_false_replication_parameter_asks_for_nothing() -> None:
    session = begin(POLICY, replication="off")
    session.server_data(STARTED)
    assert not session.closing


# -- without a policy --------------------------------------------------------------------------------------------------


def test_without_a_policy_every_byte_passes() -> None:
    talk = Talk(policy=EMPTY)
    sent = parse("SELEC nonsense", "x", 1, 2), bind(b"\0" * 100_000), execute(), SYNC, query("y" * 200_000)
    talk.client(*sent)
    assert b"".join(talk.session.take_to_server()) == b"".join(sent)
    notice = message(b"N", error("00000", "hello")[5:])
    answers = error("42601", "\\xe1 stays"), notice, ready(), row(b"z" * 200_000), complete(), ready()
    talk.server(*answers)
    assert b"".join(talk.session.take_to_client()) == b"".join(answers)
    assert talk.session.idle


CONVERSATION = [
    (query("SELECT 1"), [row(b"1"), complete("SELECT 1"), ready()]),
    (parse("", "SELECT 1") + bind() + execute() + SYNC, [PARSED, BOUND, row(b"1"), complete("SELECT 1"), ready()]),
    (parse("", "SELECT 1") + bind() + execute(), [PARSED, BOUND, row(b"1"), complete("SELECT 1")]),
    (SYNC, [ready("T")]),
    (SYNC + query("BEGIN"), [ready("T"), complete("BEGIN"), ready("T")]),
    (query("nonsense"), [error("42601"), ready("E")]),
    (query("COPY t FROM STDIN"), [message(b"G", b"\0\0\1\0\0")]),
    (message(b"d", b"1\n") + SYNC + message(b"c"), [complete("COPY 1"), ready()]),
    (query("SET x = 1"), [message(b"S", b"x\0001\0"), complete("SET"), ready()]),
]


@given(st.lists(st.sampled_from(CONVERSATION), max_size=12), st.integers(3, 60))
def test_the_short_way_of_a_piece_that_passes_comes_to_the_same(
    turns: list[tuple[bytes, list[bytes]]], step: int
) -> None:
    short, long = begin(), begin()
    for session in (short, long):
        session.server_data(STARTED)
        session.take_to_client()

    def give(data: bytes, to: str) -> None:
        for at in range(0, len(data), step):
            piece = data[at : at + step]
            getattr(long, f"{to}_data")(piece)
            passes = shortly(short, to, piece)
            if passes is None:
                getattr(short, f"{to}_data")(piece)
            taken = (
                [passes]
                if passes is not None
                else getattr(short, f"take_to_{'server' if to == 'client' else 'client'}")()
            )
            assert b"".join(taken) == b"".join(getattr(long, f"take_to_{'server' if to == 'client' else 'client'}")())
            assert (short.idle, short.closing, short.wants_client) == (long.idle, long.closing, long.wants_client)

    for asked, answers in turns:
        give(asked, "client")
        give(b"".join(answers), "server")


def test_a_piece_that_passes_takes_the_short_way_until_a_policy_comes() -> None:
    shared = Shared(EMPTY, Sealers(), analyse=Book())
    session = Session(shared, database="shop", user="app", parameters={})
    session.server_data(STARTED)
    assert shortly(session, "client", query("SELECT 1"))
    assert not session.idle
    assert shortly(session, "server", complete("SELECT 1") + ready())
    assert session.idle
    shared.replace_policy(POLICY)
    assert shortly(session, "client", query("SELECT 1")) is None


def test_answers_that_are_not_seen_at_a_glance_are_split() -> None:
    session = begin()
    session.server_data(STARTED)
    session.take_to_client()
    assert session.swift_server(ready()) is None  # nothing was asked
    assert session.swift_client(query("SELECT 1")) == query("SELECT 1")
    for piece in (ready() + row(b"1"), ready("?"), ready() + ready()):
        assert session.swift_server(piece) is None
    assert session.swift_server(row(b"1") + ready("T")) == row(b"1") + ready("T")
    assert not session.idle


def test_without_a_policy_a_session_knows_when_it_is_idle() -> None:
    talk = Talk(policy=EMPTY)
    talk.client(parse("BEGIN"))
    assert not talk.session.idle
    talk.client(SYNC)
    assert not talk.session.idle
    talk.server(PARSED, ready("T"))
    assert not talk.session.idle
    talk.client(query("COMMIT"))
    talk.server(complete("COMMIT"), ready())
    assert talk.session.idle


@pytest.mark.parametrize("side", ["client", "server"])
def test_without_a_policy_a_message_that_has_to_be_collected_has_a_bound(side: str) -> None:
    talk = Talk(policy=EMPTY, max_message=1000)
    if side == "client":
        talk.client(message(b"f", b"x" * 2000 + b"\0"))
    else:
        talk.server(error("XX000", "x" * 200_000))
    assert error_fields(talk.at_client()[0])["C"] == "08P01"
    assert talk.at_server() == [messages.TERMINATE]
    assert talk.session.closing


def test_without_a_policy_an_answer_that_nobody_asked_for_passes() -> None:
    talk = Talk(policy=EMPTY)
    talk.server(ready("T"))
    assert talk.at_client() == [ready("T")]
    assert not talk.session.idle


def test_a_policy_that_comes_later_holds_from_the_next_batch_on() -> None:
    talk = Talk(policy=EMPTY)
    talk.client(parse(SELECT, "old"), SYNC, query("SELECT 1"))
    talk.session.take_to_server()
    talk.shared.replace_policy(POLICY)
    talk.client(parse(SELECT, "new"), SYNC)
    assert talk.at_server() == []
    assert not talk.session.wants_client
    talk.server(PARSED, ready(), complete(), ready())
    assert talk.serve_reads() == []
    assert messages.parse_parse(talk.at_server()[0]).types == (17,)
    talk.server(PARSED, ready())
    talk.at_client()

    talk.client(bind(b"secret", statement="old"), SYNC)  # prepared when nobody looked
    talk.server(POISONED, ready())
    assert error_fields(talk.at_client()[0])["M"] == "cached plan must not change result type"
    talk.at_server()
    assert b"secret" not in talk.sent


def test_a_batch_begun_without_a_policy_is_finished_without_it() -> None:
    talk = Talk(policy=EMPTY)
    talk.client(parse("SELECT 1"))
    talk.shared.replace_policy(POLICY)
    talk.client(bind(), execute(), SYNC)
    assert b"".join(talk.session.take_to_server()) == parse("SELECT 1") + bind() + execute() + SYNC
    talk.server(PARSED, BOUND, complete(), ready())
    assert kinds(talk.at_client()) == "12CZ"
    talk.client(query("SELECT 2"))
    assert talk.serve_reads() == []


def test_a_prepared_statement_survives_a_policy_that_does_not_concern_it() -> None:
    talk = Talk().warm()
    talk.prepare()
    talk.shared.replace_policy(Policy(POLICY.columns))
    talk.client(bind(b"x", statement="s"), SYNC)
    talk.serve_reads()
    assert messages.parse_bind(talk.at_server()[0]).values == [seal(b"x")]


# -- ends --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [EMPTY, POLICY])
def test_terminate_is_passed_on(policy: Policy) -> None:
    talk = Talk(policy=policy)
    talk.client(messages.TERMINATE)
    assert talk.session.take_to_server() == [messages.TERMINATE]
    assert not talk.session.closing
    talk.session.server_lost()
    assert talk.session.closing
    assert talk.session.take_to_client() == []


def test_what_was_asked_before_terminate_is_still_answered() -> None:
    talk = Talk().warm()
    talk.client(query("SELECT 1"), messages.TERMINATE)
    talk.at_server()
    talk.server(complete("SELECT 1"), ready())
    assert talk.at_client() == [complete("SELECT 1"), ready()]


@pytest.mark.parametrize("policy", [EMPTY, POLICY])
def test_shutdown_tells_both(policy: Policy) -> None:
    talk = Talk(policy=policy)
    talk.session.shutdown()
    assert error_fields(talk.at_client()[0])["C"] == "57P01"
    assert talk.session.take_to_server() == [messages.TERMINATE]
    assert talk.session.closing


def test_a_session_ends_once() -> None:
    talk = Talk()
    talk.session.shutdown()
    talk.session.shutdown()
    talk.session.server_lost()
    assert kinds(talk.at_client()) == "E"
    assert talk.session.take_to_server() == [messages.TERMINATE]


def test_nothing_is_put_inside_a_message_that_has_come_out_in_part() -> None:
    talk = Talk(policy=EMPTY)
    begun = query("x" * 200_000)[:100_000]
    talk.client(begun)
    talk.session.shutdown()
    assert b"".join(talk.session.take_to_server()) == begun
    assert error_fields(talk.at_client()[0])["C"] == "57P01"
    assert talk.session.closing


def test_a_server_that_is_lost_without_a_word_is_reported() -> None:
    talk = Talk()
    talk.session.server_lost()
    assert error_fields(talk.at_client()[0])["C"] == "08006"


@pytest.mark.parametrize("policy", [EMPTY, POLICY])
def test_a_server_that_said_why_is_not_explained_again(policy: Policy) -> None:
    talk = Talk(policy=policy)
    farewell = error("57P01", "terminating connection", "FATAL")
    talk.server(farewell)
    talk.session.server_lost()
    assert talk.at_client() == [farewell]


@pytest.mark.parametrize(
    "garbage", [b"\xff\0\0\0\x04", b"Q\0\0\0\x02", b"Q\0\0\0\x06ab", b"P\0\0\0\x08\0\0\0\x01", b"y"]
)
def test_garbage_from_the_client_ends_the_session_with_one_error(garbage: bytes) -> None:
    talk = Talk().warm()
    talk.client(garbage)
    (told,) = talk.at_client()
    assert error_fields(told)["S"] == "FATAL"
    assert error_fields(told)["C"] == "08P01"
    assert talk.session.closing
    talk.session.client_data(query("SELECT 1"))
    assert talk.at_server() == [messages.TERMINATE]


@pytest.mark.parametrize("garbage", [b"\xff\0\0\0\x04", PARSED, ready("?"), message(b"T", b"\0\x09"), complete()])
def test_garbage_from_the_server_ends_the_session_with_one_error(garbage: bytes) -> None:
    talk = Talk().warm()
    talk.client(parse("SELECT 1"), SYNC) if garbage != PARSED else None
    talk.at_server()
    talk.server(garbage)
    assert error_fields(talk.at_client()[0])["C"] == "08P01"
    assert talk.session.closing


def test_idle_means_nothing_is_under_way() -> None:
    talk = Talk().warm()
    assert talk.session.idle
    talk.client(b"Q\0\0")
    assert not talk.session.idle
    talk.client(query("SELECT 1")[3:])
    assert not talk.session.idle
    talk.server(complete(), ready("T"))
    assert not talk.session.idle


def test_notifications_and_notices_come_at_any_moment() -> None:
    talk = Talk().warm()
    anytime = message(b"A", b"\0\0\0\x01chan\0\0"), messages.build_fields(b"N", [(b"M", b"hi")])
    talk.server(*anytime)
    assert talk.at_client() == list(anytime)
    talk.client(parse(SELECT), bind(b"x"), SYNC)
    talk.server(PARSED, *anytime, BOUND, *anytime, ready())
    assert kinds(talk.at_client()) == "1AN2ANZ"


def test_messages_that_are_too_large_to_be_looked_into_are_refused() -> None:
    talk = Talk(max_message=100_000).warm()
    talk.client(query("SELECT '" + "x" * 200_000 + "'"))
    assert kinds(talk.at_server()) == "Q"
    talk.server(POISONED, ready())
    assert error_fields(talk.at_client()[0])["C"] == "54000"


def test_a_large_bind_without_sealed_values_is_streamed() -> None:
    talk = Talk(max_message=100_000).warm()
    talk.client(parse("INSERT INTO blobs VALUES ($1)", "i"), SYNC)
    talk.server(PARSED, ready())
    talk.at_server()
    large = bind(b"x" * 5_000_000, statement="i")
    for at in range(0, len(large), 65_536):
        talk.client(large[at : at + 65_536])
        if at:
            assert len(b"".join(talk.session.take_to_server())) >= min(65_536, len(large) - at)
    talk.client(execute(), SYNC)
    assert kinds(talk.at_server()) == "ES"
    talk.server(BOUND, complete("INSERT 0 1"), ready())
    assert talk.session.idle


def test_a_large_bind_with_sealed_values_is_refused() -> None:
    talk = Talk(max_message=100_000).warm()
    talk.prepare()
    talk.client(bind(b"x" * 200_000, statement="s"), execute(), SYNC)
    assert kinds(talk.at_server()) == "PS"
    talk.server(POISONED, ready())
    assert error_fields(talk.at_client()[-2])["C"] == "54000"


def test_a_row_too_large_to_be_opened_fails_the_statement() -> None:
    talk = Talk(max_message=100_000).warm()
    talk.prepare()
    talk.client(bind(b"x", statement="s"), execute(), SYNC)
    talk.server(BOUND, row(b"1", b"\\x" + b"e1" * 140_000), complete(), ready())
    assert kinds(talk.at_client()) == "2EZ"


def test_large_rows_without_sealed_values_are_streamed() -> None:
    talk = Talk(max_message=100_000).warm()
    talk.client(query("SELECT big"))
    large = row(b"x" * 1_000_000)
    talk.server(large[:500_000])
    assert b"".join(talk.session.take_to_client()) == large[:500_000]
    talk.server(large[500_000:], complete(), ready())
    assert b"".join(talk.session.take_to_client()) == large[500_000:] + complete() + ready()


# -- protocol negotiation ----------------------------------------------------------------------------------------------

LOWERED = Lowered(0x30002, (b"_pq_.novelty",))
REQUEST = messages.build_authentication(0)


@pytest.mark.parametrize(
    ("lowered", "answers", "shown"),
    [
        (None, [REQUEST], [REQUEST]),
        (LOWERED, [REQUEST], [messages.build_negotiation(0x30002, [b"_pq_.novelty"]), REQUEST]),
        (
            LOWERED,
            [messages.build_negotiation(0x30000, []), REQUEST],
            [messages.build_negotiation(0x30000, [b"_pq_.novelty"]), REQUEST],
        ),
        (
            None,
            [messages.build_negotiation(0x30000, [b"_pq_.other"]), REQUEST],
            [messages.build_negotiation(0x30000, [b"_pq_.other"]), REQUEST],
        ),
        (LOWERED, [error("53300")], [error("53300")]),
    ],
)
def test_the_client_is_told_once_what_proxy_and_server_do_not_speak(
    lowered: Lowered | None, answers: list[bytes], shown: list[bytes]
) -> None:
    session = Session(Shared(POLICY, Sealers()), database="shop", user="app", parameters={}, lowered=lowered)
    session.server_data(b"".join(answers))
    assert split(b"".join(session.take_to_client()), to_server=False) == shown


@pytest.mark.parametrize("body", [b"", bytes(4), b"\0\3\0\0\0\0\0\1", b"\0\3\0\0\xff\xff\xff\xff", bytes(8) + b"x"])
def test_a_malformed_negotiation_ends_the_session(body: bytes) -> None:
    session = Session(Shared(POLICY, Sealers()), database="shop", user="app", parameters={})
    session.server_data(messages.message(b"v", body))
    assert session.closing


def test_behind_a_part_of_a_message_there_is_no_short_way() -> None:
    session = begin()
    session.server_data(STARTED)
    session.take_to_client()
    asked = parse("SELECT 1") + query("SELECT 1")
    session.client_data(asked[:-4])
    assert session.swift_client is None
    session.client_data(asked[-4:])
    assert b"".join(session.take_to_server()) == asked
    assert session.swift_client is not None
