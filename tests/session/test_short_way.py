"""The short way of the steady state, case by case: what takes it, what does not, and that both come to the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.config import Policy, SealedColumn
from proxy.session import Shared
from proxy.sql.plan import Effect, Plan
from proxy.wire.messages import message
from tests.session.playbook import (
    BORN,
    BOUND,
    CLOSED,
    EMAIL,
    LITERAL,
    NO_DATA,
    PARSED,
    POISONED,
    POLICY,
    SEALED_COLUMNS,
    SELECT,
    SYNC,
    TABLE,
    Book,
    Sealers,
    Talk,
    bind,
    complete,
    describe,
    error_fields,
    execute,
    hexed,
    kinds,
    parse,
    query,
    ready,
    row,
    shortly,
    split,
)
from tests.session.test_steady import ANSWERS, ROUND, TEMPLATES, TURNS, UNNAMED, long, prepared, short

QUERIED = complete("BEGIN") + ready("T")


def same(one: Talk, other: Talk, to: str, data: bytes) -> bool:
    """`one` takes the short way where there is one, and then `swift` is True."""
    *told, swift = short(one.session, to, data)
    assert tuple(told) == long(other.session, to, data)
    for name in ("idle", "wants_client", "closing"):
        assert getattr(one.session, name) == getattr(other.session, name)
    return swift


def turn(one: Talk, other: Talk, asked: bytes, answer: bytes, cut: int = 0) -> None:
    for to, data in (("server", asked), ("client", answer)):
        for piece in (data[:cut], data[cut:]) if cut else (data,):
            if piece and (to == "client" or other.session.wants_client) and not other.session.closing:
                same(one, other, to, piece)


@pytest.mark.parametrize("cut", [0, 4, 7, 40])
@pytest.mark.parametrize("number", range(len(TURNS)))
def test_a_turn_and_its_answer_come_to_the_same(number: int, cut: int) -> None:
    one, other = prepared(), prepared()
    for at in (0, cut, 0):  # the second time its form is known
        turn(one, other, *TURNS[number], at)


@pytest.mark.parametrize("number", range(len(TURNS)))
def test_what_follows_a_turn_comes_to_the_same(number: int) -> None:
    for after, _ in enumerate(TURNS):
        one, other = prepared(), prepared()
        for at in (number, after, number):
            turn(one, other, *TURNS[at])


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_query_and_its_answer_come_to_the_same(template: str) -> None:
    for cut in (0, 20):
        for answer in ANSWERS:
            one, other = (Talk(shared=Shared(POLICY, Sealers())).warm() for _ in range(2))
            for number, name in enumerate(("ann", "bob", "cyd", "dan", "eve", "fay")):
                at = cut if number == 5 else 0
                turn(one, other, query(template.format(name, number + 2)), b"".join(answer), at)


STRAY = [
    (parse(SELECT) + b"".join(UNNAMED), BOUND + SEALED_COLUMNS + complete() + ready()),
    (b"".join(ROUND), SEALED_COLUMNS + complete() + ready()),
    (b"".join(ROUND), BOUND + complete() + ready()),
    (b"".join(ROUND), BOUND + NO_DATA + row(b"1", None) + complete() + ready()),
    (b"".join(ROUND), BOUND + row(b"1", None) + complete() + ready()),
    (b"".join(ROUND), BOUND + SEALED_COLUMNS + SEALED_COLUMNS + complete() + ready()),
    (b"".join(ROUND), BOUND + SEALED_COLUMNS + complete() + complete() + ready()),
    (b"".join(ROUND), BOUND + SEALED_COLUMNS + complete() + ready("?")),
    (b"".join(ROUND), ready()),
    (query("BEGIN"), NO_DATA + complete() + ready()),
    (query("BEGIN"), PARSED + complete() + ready()),
]


@pytest.mark.parametrize(("asked", "answer"), STRAY, ids=range(len(STRAY)))
def test_an_answer_that_no_server_gives_is_judged_by_the_long_way(asked: bytes, answer: bytes) -> None:
    one, other = prepared(), prepared()
    for talk in (one, other):
        long(talk.session, "server", query("BEGIN"))
        long(talk.session, "client", complete("BEGIN") + ready())
    assert same(one, other, "server", asked)
    assert not same(one, other, "client", answer)


MALFORMED = [
    bind(b"ann", statement="s")[:-2] + b"\0\1" + execute() + SYNC,
    bind(b"ann", statement="s", portal="p") + execute() + SYNC,
    bind(b"ann", statement="s") + execute("p") + SYNC,
    parse(SELECT, "named") + b"".join(UNNAMED),
    parse(SELECT) + b"".join(ROUND),
    parse(SELECT)[:1] + b"\0\0\0\3" + parse(SELECT)[5:] + b"".join(UNNAMED),
    parse(SELECT)[:1] + b"\x7f\0\0\0" + parse(SELECT)[5:] + b"".join(UNNAMED),
    b"B\0\0\0\x10\0no end of the name" + execute() + SYNC,
    query("BEGIN") * 2,
    message(b"C", b"Ss\0") + SYNC,
    SYNC,
]


@pytest.mark.parametrize("asked", MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_not_a_round_is_left_to_the_long_way(asked: bytes) -> None:
    one, other = prepared(), prepared()
    for talk in (one, other):
        for _ in range(2):
            long(talk.session, "server", query("BEGIN"))
            long(talk.session, "client", complete("BEGIN") + ready())
    assert not same(one, other, "server", asked)


def test_a_string_of_statements_and_one_that_changes_settings_take_the_long_way() -> None:
    string, setting = "SELECT 1; SELECT 2", "SELECT set_config('x', 'y', false)"
    pieces = [("SELECT 1", Plan(tag="SELECT")), ("SELECT 2", Plan(tag="SELECT"))]
    talk = Talk(Book({string: pieces, setting: Plan(effects=Effect.SETTINGS)})).warm()
    for text in (string, string, setting):
        assert shortly(talk.session, "client", query(text)) is None
        talk.client(query(text))
        assert kinds(talk.at_server()) == "Q"
        talk.server(complete(), ready())
    talk.client(query("SELECT 1"))  # what was set is read
    talk.serve_reads()
    talk.server(complete(), ready())
    assert shortly(talk.session, "client", query(setting)) is None


# -- queries that differ in literals alone ----------------------------------------------------------------------------

FIND = "SELECT id FROM customers WHERE email = '{}' AND id > {}"


def asked(talk: Talk, text: str) -> bytes:
    """The Query that the server gets, by whatever way; it is answered."""
    sent = shortly(talk.session, "client", query(text))
    if sent is None:
        talk.client(query(text))
        sent = b"".join(talk.session.take_to_server())
    answer = complete("SELECT 0") + ready()
    if shortly(talk.session, "server", answer) is None:
        talk.server(answer)
        talk.at_client()
    return sent


def real() -> Talk:
    return Talk(shared=Shared(POLICY, Sealers())).warm()


def recent(talk: Talk) -> int:
    """Shapes whose statements the kernel takes."""
    assert talk.session._steady is not None
    return len(talk.session._steady._recent)


@pytest.mark.parametrize(
    ("template", "is_taken"),
    [
        ("SELECT id FROM customers WHERE email = '{0}' AND id > {1}", True),
        ("SELECT {1}, '{0}' AS email", True),
        ("SELECT lower('fixed'), {1}", True),
        ("SELECT lower('fixed') FROM customers WHERE email = '{0}'", True),
        ("SELECT id FROM customers WHERE id > {1}0000000000000000000", False),
        ("SELECT id FROM customers WHERE email = ANY('{{ann,bob}}') AND id > {1}", True),
        ("SELECT id FROM customers WHERE email = ANY('{{ann,bob}}'::text[]) AND id > {1}", True),
        ("UPDATE customers SET email = -{1} WHERE id = 1", False),
        ("SELECT id FROM customers WHERE email LIKE 'ann' AND id > {1}", True),
        ("SELECT id FROM customers WHERE email = '{0}' ORDER BY 1", True),
    ],
)
def test_queries_that_differ_in_literals_are_the_kernels_where_it_knows_all_of_them(
    template: str, is_taken: bool
) -> None:
    talk = real()
    for number in range(1, 8):
        text = template.format(f"user{number}", number)
        sent, _ = long(real().session, "server", query(text))
        assert asked(talk, text) == sent
        assert f"user{number}".encode() not in sent or "customers" not in template
    assert recent(talk) == is_taken


def test_in_another_encoding_they_are_not() -> None:
    talk = real()
    talk.server(message(b"S", b"client_encoding\0LATIN1\0"))
    for number in range(1, 8):
        assert f"> {number}".encode() in asked(talk, FIND.format("ann", number))
    assert recent(talk) == 0


def test_some_shapes_are_taken_at_a_time_and_the_last_ones_are_tried_first() -> None:
    talk = real()
    shapes = [FIND.replace("id FROM", f"id AS a{number} FROM") for number in range(10)]
    for _ in range(2):
        for number in range(1, 8):
            for shape in shapes:
                assert f"> {number}".encode() in asked(talk, shape.format("ann", number))
        assert recent(talk) == 8
    for number in range(1, 4):
        for shape in shapes[-2:]:
            assert f"> {number}".encode() in asked(talk, shape.format("ann", number))
    assert recent(talk) == 8


def test_a_shape_of_a_catalog_that_has_changed_is_not_taken() -> None:
    talk = real()
    text = FIND
    for number in range(1, 8):
        asked(talk, text.format("ann", number))
    assert recent(talk) == 1
    talk.shared.database("shop").invalidate()
    talk.client(query("SELECT 1 FROM customers"))
    talk.serve_reads()
    talk.server(complete(), ready())
    assert shortly(talk.session, "client", query(text.format("ann", 9))) is None
    assert b"> 9" in asked(talk, text.format("ann", 9))
    assert recent(talk) == 0


# -- names -------------------------------------------------------------------------------------------------------------


def known(talk: Talk) -> Talk:
    """BEGIN has been sent before, so that its plan is known."""
    talk.client(query("BEGIN"))
    talk.server(complete("BEGIN"), ready())
    talk.at_server()
    talk.at_client()
    return talk


def test_a_query_by_the_short_way_takes_the_unnamed_statement_and_portal_away() -> None:
    talk = known(prepared())
    asked = parse(SELECT) + b"".join(UNNAMED)
    for _ in range(2):
        assert shortly(talk.session, "client", asked) is not None
        answer = PARSED + BOUND + SEALED_COLUMNS + row(b"1", hexed(b"ann")) + complete() + ready("T")
        assert shortly(talk.session, "server", answer) is not None
    assert shortly(talk.session, "client", query("BEGIN")) == query("BEGIN")
    assert shortly(talk.session, "server", QUERIED) == QUERIED
    assert shortly(talk.session, "client", b"".join(UNNAMED)) is None
    talk.client(bind(b"ann"), SYNC)
    assert kinds(talk.at_server()) == "PS"
    talk.server(POISONED, ready("E"))
    assert error_fields(talk.at_client()[0])["C"] == "26000"
    talk.client(execute(), SYNC)
    assert kinds(talk.at_server()) == "CPS"
    talk.server(CLOSED, POISONED, ready("E"))
    assert error_fields(talk.at_client()[0])["C"] == "34000"


def test_what_a_guard_holds_is_let_go_when_the_transaction_ends_by_the_short_way() -> None:
    text = "SELECT email FROM customers"
    policy = Policy((replace(EMAIL, pending=True), BORN))
    talk = known(Talk(Book({text: Plan(pending=frozenset((TABLE,)))}), policy).warm())
    talk.client(query("COMMIT"))
    talk.server(complete("COMMIT"), ready())
    assert shortly(talk.session, "client", query("BEGIN"))
    assert shortly(talk.session, "server", QUERIED)
    for again in (False, True):
        talk.at_server()
        talk.client(parse(text), SYNC)
        talk.serve_guard()
        assert kinds(talk.at_server()) == "PS"
        talk.server(PARSED, ready("T"))
        talk.at_client()
        if not again:
            assert shortly(talk.session, "client", query("COMMIT"))
            assert shortly(talk.session, "server", complete("COMMIT") + ready())


# -- what is kept ------------------------------------------------------------------------------------------------------


def test_molds_and_statements_that_are_kept_are_bounded() -> None:
    talk = Talk(Book({})).warm()
    rest = bind() + execute() + SYNC
    for number in range(600):
        asked = parse(f"SELECT a{number}") + rest
        for _ in range(2):
            if shortly(talk.session, "client", asked) is None:
                talk.client(asked)
            answer = PARSED + BOUND + complete() + ready()
            if shortly(talk.session, "server", answer) is None:
                talk.server(answer)
            talk.at_client()
            talk.at_server()
    steady = talk.session._steady
    assert steady is not None
    assert 0 < len(steady._molds) <= 256
    assert 0 < len(steady._parses) <= 256


def test_a_policy_that_is_replaced_is_looked_at_before_the_short_way() -> None:
    talk = prepared()
    assert shortly(talk.session, "client", b"".join(ROUND)) is not None
    assert shortly(talk.session, "server", BOUND + SEALED_COLUMNS + complete("SELECT 0") + ready()) is not None
    talk.shared.replace_policy(Policy((BORN,)))
    assert shortly(talk.session, "client", b"".join(ROUND)) is None


def test_a_long_statement_is_not_kept_but_takes_the_short_way() -> None:
    talk = Talk(Book({})).warm()
    asked = parse("SELECT 1 -- " + "x" * 20_000) + bind() + execute() + SYNC
    talk.client(asked)
    talk.server(PARSED, BOUND, complete(), ready())
    talk.at_server()
    assert shortly(talk.session, "client", asked) == asked
    assert talk.session._steady is not None
    assert not talk.session._steady._parses


class Rotated(Sealers):
    key = 1

    def key_of(self, column: SealedColumn) -> int:
        return self.key


def test_a_literal_sealed_under_a_key_that_is_not_in_force_is_not_run_by_the_short_way() -> None:
    sealers = Rotated()
    talk = Talk(shared=Shared(POLICY, sealers, analyse=Book())).warm()
    talk.client(parse(LITERAL, "l"), SYNC)
    talk.server(PARSED, ready())
    talk.at_server()
    talk.at_client()
    asked = bind(statement="l") + execute() + SYNC
    sealers.key = 2
    assert shortly(talk.session, "client", asked) is None
    sealers.key = 1
    assert shortly(talk.session, "client", asked) == asked


def test_a_described_round_of_a_statement_without_rows_says_so() -> None:
    talk = prepared()
    asked = bind(b"a", b"2001-02-03", statement="i") + describe("P") + execute() + SYNC
    for _ in range(2):
        sent = shortly(talk.session, "client", asked)
        assert sent is not None
        assert kinds(split(sent, to_server=True)) == "BDES"
        answer = BOUND + NO_DATA + complete("INSERT 0 1") + ready()
        assert shortly(talk.session, "server", answer) == answer
