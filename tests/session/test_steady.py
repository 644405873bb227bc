"""The steady state takes a short way; it must come to the same as the long one, whatever is said before and after."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxy.config import Policy
from proxy.session import Session, Shared
from proxy.sql.plan import Effect, Opening, Plan, ServerParam
from proxy.wire.messages import message
from tests.session.playbook import (
    BORN,
    BOUND,
    CLOSED,
    EMAIL,
    NO_DATA,
    PARSED,
    POLICY,
    SEALED_COLUMNS,
    SELECT,
    SUSPENDED,
    SYNC,
    TABLE,
    Book,
    Sealers,
    Talk,
    bind,
    close,
    columns,
    compare,
    complete,
    describe,
    error,
    execute,
    hexed,
    parse,
    query,
    ready,
    row,
    seal,
    shortly,
)

INSERT = "INSERT INTO customers (email, born) VALUES ($1, $2)"
INSERT_PLAN = Plan(template=(INSERT,), params=(ServerParam(0, compare()), ServerParam(1, compare(BORN))), tag="INSERT")
SHOW = "SELECT email FROM customers"
SHOW_PLAN = Plan(results=(Opening(EMAIL, EMAIL.type, (TABLE, 2)),), tag="SELECT")
PATH = "SELECT set_config('search_path', $1, false)"
PLANS = {INSERT: INSERT_PLAN, SHOW: SHOW_PLAN, PATH: Plan(effects=Effect.SETTINGS, tag="SELECT")}
SHOWN = columns(("email", TABLE, 2, 17))
CONTRADICTED = columns(("id", TABLE, 1, 23), ("email", TABLE, 3, 17))
NOTICE = error("00000", "hello").replace(b"E", b"N", 1)

Turn = tuple[bytes, bytes]


def turn(*asked: bytes, answer: tuple[bytes, ...]) -> Turn:
    return b"".join(asked), b"".join(answer)


ROUND = (bind(b"ann", statement="s"), describe("P"), execute(), SYNC)
DONE = complete() + ready()
UNNAMED = (bind(b"ann"), describe("P"), execute(), SYNC)
ANSWER = (BOUND, SEALED_COLUMNS, row(b"1", hexed(b"ann")), complete(), ready())
BEGINS = turn(parse("BEGIN"), bind(), execute(), SYNC, answer=(PARSED, BOUND, complete("BEGIN"), ready("T")))
AGAIN = turn(query("BEGIN"), answer=(complete("BEGIN"), ready("T")))
TURNS = [
    turn(*ROUND, answer=ANSWER),
    turn(*ROUND, answer=(BOUND, SEALED_COLUMNS, complete("SELECT 0"), ready("T"))),
    turn(*ROUND, answer=(BOUND, CONTRADICTED, row(b"1", hexed(b"ann")), complete(), ready())),
    turn(*ROUND, answer=(BOUND, SEALED_COLUMNS, row(b"1", b"\\x00"), complete(), ready())),
    turn(*ROUND, answer=(BOUND, SEALED_COLUMNS, row(b"1"), complete(), ready())),
    turn(*ROUND, answer=(BOUND, SEALED_COLUMNS, NOTICE, row(b"1", None), complete(), ready())),
    turn(*ROUND, answer=(error("22012"), ready())),
    turn(*ROUND, answer=(BOUND, SEALED_COLUMNS, error("22012"), ready("E"))),
    turn(*ROUND, answer=(BOUND, SEALED_COLUMNS, message(b"S", b"client_encoding\0UTF8\0"), complete(), ready())),
    turn(*ROUND, *ROUND, answer=ANSWER + ANSWER),
    turn(bind(b"ann", b"bob", statement="s"), *ROUND[1:], answer=(error("42703", P="8"), ready())),
    turn(bind(b"\xff", statement="s"), execute(), SYNC, answer=(error("42703", P="8"), ready())),
    turn(bind(None, statement="s"), execute(), SYNC, answer=(BOUND, row(None, hexed(b"x")), complete(), ready("T"))),
    turn(
        bind(b"ann", statement="s", results=(1,)),
        *ROUND[1:],
        answer=(BOUND, SEALED_COLUMNS, row(b"\0\0\0\1", seal(b"ann")), complete(), ready()),
    ),
    turn(bind(b"ann", statement="s", formats=(1,)), execute(), SYNC, answer=(BOUND, complete(), ready())),
    turn(bind(b"ann", statement="s"), execute(limit=1), SYNC, answer=(BOUND, row(b"1", None), SUSPENDED, ready("T"))),
    turn(execute(), SYNC, answer=(row(b"1", hexed(b"again")), complete(), ready("T"))),
    turn(bind(b"ann", statement="s", portal="p"), execute("p"), SYNC, answer=(BOUND, complete(), ready())),
    turn(bind(statement="show"), *ROUND[1:], answer=(BOUND, SHOWN, row(hexed(b"x")) * 3, complete(), ready())),
    turn(
        bind(statement="show", results=(0, 0)), execute(), SYNC, answer=(BOUND, row(hexed(b"x")), complete(), ready())
    ),
    turn(bind(b"ann", b"2001-02-03", statement="i"), *ROUND[1:], answer=(BOUND, NO_DATA, complete("INSERT"), ready())),
    turn(bind(b"ann", b"no date", statement="i"), *ROUND[1:], answer=(error("42703", P="8"), ready())),
    turn(bind(b"ann", statement="other"), *ROUND[1:], answer=(error("42703", P="8"), ready())),
    turn(bind(b"x", statement="path"), execute(), SYNC, answer=(BOUND, row(b"x"), complete(), ready())),
    turn(close("S", "s"), SYNC, answer=(CLOSED, ready())),
    turn(parse(SELECT, "s"), SYNC, answer=(PARSED, ready())),
    turn(parse(SELECT), *UNNAMED, answer=(PARSED, *ANSWER)),
    turn(parse(SELECT), *UNNAMED, answer=(PARSED, BOUND, SEALED_COLUMNS, complete("SELECT 0"), ready("T"))),
    turn(parse(SELECT), *UNNAMED, answer=(error("42P01"), ready())),
    turn(parse(SELECT), *UNNAMED, answer=(PARSED, BOUND, CONTRADICTED, complete(), ready())),
    turn(parse(SELECT), *UNNAMED, answer=(PARSED, error("22012"), ready("E"))),
    turn(parse(SHOW), bind(), execute(), SYNC, answer=(PARSED, BOUND, row(hexed(b"x")), complete(), ready())),
    turn(
        parse(INSERT, "", 25),
        bind(b"a", b"2001-02-03"),
        *ROUND[1:],
        answer=(PARSED, BOUND, NO_DATA, complete(), ready()),
    ),
    turn(parse(SELECT), *ROUND, answer=(PARSED, *ANSWER)),
    BEGINS,
    turn(*UNNAMED, answer=ANSWER),
    AGAIN,
    turn(query("ROLLBACK"), answer=(complete("ROLLBACK"), ready())),
]


def prepared(policy: Policy = POLICY) -> Talk:
    talk = Talk(Book(PLANS), policy).warm()
    for name, text in (("s", SELECT), ("i", INSERT), ("show", SHOW), ("path", PATH)):
        talk.client(parse(text, name), SYNC)
        talk.at_server()
        talk.server(PARSED, ready())
        talk.at_client()
    return talk


def short(session: Session, to: str, data: bytes) -> tuple[bytes, bytes, bool]:
    """What goes to the server and to the client, by the short way where there is one."""
    swift = shortly(session, "client" if to == "server" else "server", data)
    if swift is not None:
        return (swift, b"", True) if to == "server" else (b"", swift, True)
    return *long(session, to, data), False


def long(session: Session, to: str, data: bytes) -> tuple[bytes, bytes]:
    (session.client_data if to == "server" else session.server_data)(data)
    # Two sessions ask the same in texts that are new each time.
    to_server = re.sub(rb"(?<=/\* )[0-9a-f]{16}(?= \*/\0)", bytes(16), b"".join(session.take_to_server()))
    return to_server, b"".join(session.take_to_client())


@settings(max_examples=300)
@example([(one, False, cut) for one, cut in ((TURNS[0], 2), (BEGINS, 2), (AGAIN, 11), (TURNS[0], 2))], "replace", 3)
@given(
    st.lists(st.tuples(st.sampled_from(TURNS), st.booleans(), st.integers(2, 80)), max_size=14),
    st.sampled_from(["replace", "invalidate", ""]),
    st.integers(0, 13),
)
def test_the_short_way_comes_to_the_same(turns: list[tuple[Turn, bool, int]], event: str, at: int) -> None:
    one, other = prepared(), prepared()
    for number, ((asked, answer), whole, cut) in enumerate(turns):
        if number == at and event:
            for talk in (one, other):
                if event == "replace":
                    talk.shared.replace_policy(Policy((EMAIL, BORN)))
                else:
                    talk.shared.database("shop").invalidate()
        for to, data in (("server", asked), ("client", answer)):
            for piece in (data,) if whole else (data[:cut], data[cut:]):
                if not piece or (to == "server" and not other.session.wants_client):
                    continue
                *told, _ = short(one.session, to, piece)
                assert tuple(told) == long(other.session, to, piece)
                assert one.session.idle == other.session.idle
                assert one.session.wants_client == other.session.wants_client
                assert one.session.closing == other.session.closing
        if one.session.closing:
            return


DESCRIBED = columns(("id", TABLE, 1, 23), ("email", TABLE, 2, 17))
VALUES = st.sampled_from(["ann", "bob", "it''s", "", "%", "2001-02-03", "no date", "a -- b", "é", "\\"])
TEMPLATES = [
    "SELECT id, email FROM customers WHERE email = '{0}' AND id > {1}",
    "SELECT id, email FROM customers WHERE email IN ('{0}', 'x', '{0}') LIMIT {1};",
    "INSERT INTO customers (id, email, born) VALUES ({1}, '{0}', '{0}')",
    "UPDATE customers SET email = '{0}' WHERE id = -{1}",
    "SELECT {1}, 'y' AS email",
    "SELECT id, email FROM customers WHERE email LIKE '{0}'",
    "BEGIN",
    "COMMIT",
    "SELECT id, email FROM customers",
    "SET work_mem = {1}",
    "SELECT 1; SELECT email FROM customers WHERE email = '{0}'",
]
TEXTS = st.builds(
    lambda text, value, number: text.format(value, number),
    st.sampled_from(TEMPLATES),
    VALUES,
    st.integers(0, 40) | st.just(2**31) | st.just(2**40),
)
ANSWERS = [
    (DESCRIBED, row(b"1", hexed(b"ann")), complete(), ready()),
    (DESCRIBED, row(b"1", hexed(b"ann")), row(b"2", None), complete(), ready("T")),
    (DESCRIBED, row(b"1", b"\\x00"), complete(), ready()),
    (complete("INSERT 0 1"), ready()),
    (complete("BEGIN"), ready("T")),
    (error("22012"), ready("E")),
    (DESCRIBED, NOTICE, complete(), ready()),
    (CONTRADICTED, complete(), ready()),
    (columns(("?column?", 0, 0, 23), ("email", 0, 0, 25)), row(b"1", b"y"), complete(), ready()),
]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(TEXTS, st.sampled_from(ANSWERS), st.booleans(), st.integers(2, 80)), max_size=16))
def test_the_short_way_of_a_query_comes_to_the_same(turns: list[tuple[str, tuple[bytes, ...], bool, int]]) -> None:
    one, other = (Talk(shared=Shared(POLICY, Sealers())).warm() for _ in range(2))
    for text, answer, whole, cut in turns:
        for to, data in (("server", query(text)), ("client", b"".join(answer))):
            for piece in (data,) if whole else (data[:cut], data[cut:]):
                if not piece or (to == "server" and not other.session.wants_client):
                    continue
                *told, _ = short(one.session, to, piece)
                assert tuple(told) == long(other.session, to, piece)
                assert one.session.idle == other.session.idle
                assert one.session.wants_client == other.session.wants_client
                assert one.session.closing == other.session.closing
        if one.session.closing:
            return


def test_a_query_with_other_literals_takes_the_short_way_from_the_third_on() -> None:
    session = Talk(shared=Shared(POLICY, Sealers())).warm().session
    ways = []
    for name in ("ann", "bob", "cyd", "dan"):
        sent, _, swift = short(session, "server", query(f"SELECT id, email FROM customers WHERE email = '{name}'"))
        assert seal(name.encode()).hex().encode() in sent
        assert name.encode() not in sent
        told = short(session, "client", DESCRIBED + row(b"1", hexed(name.encode())) + complete() + ready())
        assert row(b"1", name.encode()) in told[1]
        ways.append((swift, told[2]))
    assert ways == [(False, False), (False, False), (True, True), (True, True)]


SHAPES = [
    "SELECT id, email FROM customers WHERE email = '{0}' AND id > {1} ; ",
    "SELECT id, email FROM customers WHERE email IN ('{0}', 'x', '{2}') AND id < {1}.5 LIMIT {3}",
    "INSERT INTO customers (id, email, born) VALUES (-{1}, '{0}', '2001-02-03')",
    "SELECT {1}, 'y' AS email, '{0}', 12345678901{1}",
    "SELECT email FROM customers WHERE email LIKE 'a' OR id = {1} ORDER BY 1",
]


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(SHAPES),
    st.lists(
        st.tuples(VALUES | st.text(max_size=8), st.integers(0, 99), VALUES, st.integers(0, 2**34)),
        min_size=4,
        max_size=8,
    ),
)
def test_literals_that_vary_come_to_the_same_by_the_short_way(
    shape: str, values: list[tuple[str, int, str, int]]
) -> None:
    one, other = (Talk(shared=Shared(POLICY, Sealers())).warm() for _ in range(2))
    for value in [("ann", 1, "bob", 2), ("bob", 2, "cyd", 3)] * 3 + values:
        for to, data in (("server", query(shape.format(*value))), ("client", complete() + ready())):
            if to == "server" and not other.session.wants_client:
                continue
            *told, _ = short(one.session, to, data)
            assert tuple(told) == long(other.session, to, data)
            assert one.session.idle == other.session.idle


@pytest.mark.parametrize(
    ("asked", "answer"), [TURNS[0], TURNS[1], *(one for one in TURNS if one[0].startswith((bind(statement="show"),)))]
)
def test_an_ordinary_round_takes_the_short_way(asked: bytes, answer: bytes) -> None:
    session = prepared().session
    for _ in range(3):
        *_, swift = short(session, "server", asked)
        assert swift
        assert not session.idle
        *_, swift = short(session, "client", answer)
        assert swift


def test_parse_in_front_of_a_round_takes_the_short_way_once_its_text_is_known() -> None:
    session = prepared().session
    asked = parse(SELECT) + b"".join(UNNAMED)
    for _ in range(2):
        *_, swift = short(session, "server", asked)
        assert swift
        *_, swift = short(session, "client", PARSED + b"".join(ANSWER))
        assert swift
    *_, swift = short(session, "server", b"".join(UNNAMED))  # the statement is there now
    assert swift


def test_no_value_of_a_round_reaches_the_server_in_the_clear() -> None:
    sent = shortly(prepared().session, "client", b"".join(ROUND))
    assert sent is not None
    assert b"ann" not in sent
    assert seal(b"ann") in sent


def test_what_a_transaction_has_changed_is_left_to_the_long_way() -> None:
    talk = prepared()
    asked = bind(b"other", statement="path") + execute() + SYNC
    assert shortly(talk.session, "client", asked) is None
    talk.client(asked)
    talk.server(BOUND, row(b"other"), complete(), ready("T"))
    talk.at_client()
    assert shortly(talk.session, "client", b"".join(ROUND)) is None
