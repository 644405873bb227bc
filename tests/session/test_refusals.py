"""Errors on their way to the client: in its encoding, and without what must not be shown."""

from __future__ import annotations

import pytest

from proxy.errors import Refused
from proxy.session import Shared
from proxy.session.refusals import redact
from proxy.sql.plan import Failure, Statement
from proxy.wire import messages
from proxy.wire.messages import message
from tests.session.playbook import (
    BOUND,
    CLOSED,
    POISONED,
    POLICY,
    SYNC,
    Book,
    Sealers,
    Talk,
    bind,
    error,
    error_fields,
    execute,
    kinds,
    parse,
    query,
    ready,
    seal,
)

TEXT = "SELECT upper(email) FROM customers WHERE email = 'ann@example.com'"


def told(talk: Talk, text: str = TEXT) -> bytes:
    """The refusal of a statement, as it reaches the client."""
    talk.client(parse(text), SYNC)
    talk.at_server()
    talk.server(POISONED, ready())
    return talk.at_client()[-2]


def test_the_name_of_what_stands_in_for_a_refused_statement_is_closed_before_it_is_given_again() -> None:
    """PgBouncer from 1.21 ends a connection that gives a name twice, whatever became of the first Parse."""
    talk = Talk(Book({TEXT: NAMED})).warm()
    for stands_in in ("PS", "CPS", "CPS"):
        talk.client(parse(TEXT, "mine"), SYNC)
        sent = talk.at_server()
        assert kinds(sent) == stands_in
        name = messages.parse_parse(sent[-2]).statement
        assert all(messages.parse_target(close) == messages.Target(b"S", name) for close in sent[:-2])
        talk.server(*[CLOSED] * len(sent[:-2]), POISONED, ready())
        assert kinds(talk.at_client()) == "EZ"


# -- in the client's encoding ------------------------------------------------------------------------------------------

NAMED = Refused('column "Größe in €" is sealed', hint="€")


@pytest.mark.parametrize(
    ("encoding", "message_field", "hint"),
    [
        ("UTF8", 'column "Größe in €" is sealed'.encode(), "€".encode()),
        ("WIN1252", b'column "Gr\xf6\xdfe in \x80" is sealed', b"\x80"),
        ("LATIN1", b'column "Gr??e in ?" is sealed', b"?"),
        ("MULE_INTERNAL", b'column "Gr??e in ?" is sealed', b"?"),
    ],
)
def test_a_refusal_is_told_in_the_clients_encoding(encoding: str, message_field: bytes, hint: bytes) -> None:
    talk = Talk(Book({TEXT: NAMED})).warm()
    talk.client(parse(TEXT), SYNC)
    talk.at_server()
    talk.server(message(b"S", b"client_encoding\0", encoding.encode(), b"\0"), POISONED, ready())
    fields = dict(messages.parse_fields(talk.at_client()[-2]))
    assert (fields[b"M"], fields[b"H"]) == (message_field, hint)


# -- faults of the analysis --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "code", "text"),
    [
        (Refused("not so", sqlstate="0A000"), "0A000", "not so"),
        (RecursionError("maximum recursion depth exceeded"), "54001", "statement is nested too deeply"),
        (KeyError("ann@example.com"), "XX000", "the statement could not be analysed (KeyError)"),
    ],
)
def test_a_fault_of_the_analysis_refuses_the_statement_and_tells_nothing_of_it(
    fault: Exception, code: str, text: str
) -> None:
    def analyse(given: str, **_: object) -> list[Statement | Failure]:
        if given == TEXT:
            raise fault
        return Book()(given)

    talk = Talk(shared=Shared(POLICY, Sealers(), analyse=analyse)).warm()
    fields = error_fields(told(talk))
    assert (fields["C"], fields["M"]) == (code, text)
    assert b"ann@example.com" not in talk.sent
    talk.client(query("SELECT 1"))  # the session lives on
    assert talk.at_server() == [query("SELECT 1")]


# -- the server's own errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "left"),
    [
        (f"Key (email)=(\\x{seal(b'ann').hex()}) exists", "Key (email)=((sealed)) exists"),
        (f"Key (email)=(\\xE102{'AB' * 9}) exists", "Key (email)=((sealed)) exists"),
        (r"Key (email)=(\341\002\000\000\000\001;44) exists", "Key (email)=((sealed)"),
        ("Key (id)=(7) exists", "Key (id)=(7) exists"),
    ],
    ids=["hex", "HEX", "escape", "no sealed value"],
)
def test_a_sealed_value_in_an_error_is_not_shown(shown: str, left: str) -> None:
    talk = Talk().warm()
    talk.prepare()
    talk.client(bind(b"x", statement="s"), execute(), SYNC)
    talk.server(BOUND, error("23505", "duplicate key", D=shown), ready())
    assert error_fields(talk.at_client()[1])["D"] == left


def test_an_error_without_a_sealed_value_is_passed_on_as_the_same_bytes() -> None:
    raw = error("23505", "duplicate key", D="Key (id)=(7)", P="7")
    assert redact(raw, rewritten=False) is raw
