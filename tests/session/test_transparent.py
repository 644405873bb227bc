"""A database without a policy: every byte passes, until a policy comes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.config import Policy
from proxy.session import Session, Shared
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
)

EMPTY = Policy()


def begin(policy: Policy = EMPTY, **parameters: str) -> Session:
    shared = Shared(policy, Sealers(), analyse=Book())
    return Session(shared, database="shop", user="app", parameters=parameters)


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
@example(CONVERSATION * 2, 3)
@example(CONVERSATION * 2, 1000)
@example([*CONVERSATION[2:4], *CONVERSATION[6:], *CONVERSATION], 1000)
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
    assert shortly(session, "server", ready()) is None  # nothing was asked
    assert shortly(session, "client", query("SELECT 1")) == query("SELECT 1")
    for piece in (ready() + row(b"1"), ready("?"), ready() + ready()):
        assert shortly(session, "server", piece) is None
    assert shortly(session, "server", row(b"1") + ready("T")) == row(b"1") + ready("T")
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


def test_a_sync_behind_a_copy_means_nothing_to_a_server_that_copies_in() -> None:
    session = begin()
    session.server_data(STARTED)
    session.client_data(parse("COPY t FROM STDIN") + bind() + execute() + SYNC)
    session.server_data(PARSED + BOUND + message(b"G", b"\0\0\1\0\0"))
    assert shortly(session, "client", message(b"d", b"1\n")) is None
    assert shortly(session, "server", complete()) is None
    session.client_data(message(b"d", b"1\n") + messages.COPY_DONE + SYNC)
    session.server_data(complete("COPY 1"))
    assert not session.idle
    session.server_data(ready())
    assert session.idle
