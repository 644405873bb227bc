"""EXPLAIN prints the literals of the statement: sealed ones are not shown."""

from __future__ import annotations

import pytest

from proxy.session.explaining import blanked
from proxy.sql.plan import LiteralSlot, Plan
from proxy.wire import messages
from tests.session.playbook import (
    BOUND,
    LITERAL,
    LITERAL_PLAN,
    PARSED,
    SYNC,
    Book,
    Talk,
    bind,
    columns,
    compare,
    complete,
    describe,
    execute,
    hexed,
    kinds,
    parse,
    query,
    ready,
    row,
)

EXPLAIN = f"EXPLAIN {LITERAL}"
SLOTS = (LiteralSlot("ann", compare()),)
PLAN = Plan(template=("EXPLAIN SELECT ... = ", "::bytea"), literals=SLOTS, explains=True, tag="EXPLAIN")
DESCRIBED = columns(("QUERY PLAN", 0, 0, 25))
SEALED = hexed(b"ann")
SHOWN = b"  Filter: (email = '(sealed)'::bytea)"


@pytest.mark.parametrize("extended", [False, True])
def test_a_sealed_literal_is_not_shown(extended: bool) -> None:
    talk = Talk(Book({EXPLAIN: PLAN})).warm()
    printed = b"  Filter: (email = '" + SEALED + b"'::bytea)"
    rows = row(b"Seq Scan"), row(printed), row(None), complete("EXPLAIN"), ready()
    if extended:
        talk.client(parse(EXPLAIN), bind(), describe("P"), execute(), SYNC)
        talk.server(PARSED, BOUND, DESCRIBED, *rows)
    else:
        talk.client(query(EXPLAIN))
        talk.server(DESCRIBED, *rows)
    received = [raw for raw in talk.at_client() if raw[:1] in b"TDCZ"]
    assert kinds(received) == "TDDDCZ"
    assert [messages.parse_data_row(raw)[0] for raw in received[1:4]] == [b"Seq Scan", SHOWN, None]


def test_a_statement_that_is_not_explained_may_print_what_it_likes() -> None:
    talk = Talk(Book({LITERAL: LITERAL_PLAN})).warm()
    talk.client(query("SELECT note"))
    rows = columns(("note", 0, 0, 25)), row(SEALED), complete(), ready()
    talk.server(*rows)
    assert talk.at_client() == list(rows)


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        (b"Seq Scan on customers", b"Seq Scan on customers"),
        (b"(email = '\\xe1020000000112ab'::bytea)", b"(email = '(sealed)'::bytea)"),
        (b'"Filter": "a = \'\\\\xe10200000001ab\'::bytea"', b'"Filter": "a = \'(sealed)\'::bytea"'),
        (b"'\\xe10100000001'::bytea < '\\xe10300000002ff'::bytea", b"'(sealed)'::bytea < '(sealed)'::bytea"),
        (rb"a = '\341\002\000\000\000\001x''y'::bytea", b"a = '(sealed)'::bytea"),
        (rb"a = &apos;\341\002\000\000\000\001\\&apos;::bytea", b"a = &apos;(sealed)&apos;::bytea"),
        (b"a = '\\xe1ff'::bytea", b"a = '\\xe1ff'::bytea"),
        (b"a = '\\xe104000000012233'::bytea", b"a = '\\xe104000000012233'::bytea"),
        (rb"a = '\341\004'::bytea and id = 341", rb"a = '\341\004'::bytea and id = 341"),
        (b"width=341 and 'xe10'", b"width=341 and 'xe10'"),
    ],
)
def test_only_what_begins_like_a_sealed_value_is_taken_out(printed: bytes, shown: bytes) -> None:
    assert blanked(printed) == shown
