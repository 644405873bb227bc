"""The parts that need no database: rows in COPY's format, judgements about SQL text."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.config import Scheme
from proxy.errors import InvalidValue
from proxy.ops.life.rewrite import CannotCarry, check_looks_inside, follow_view, index_for, index_keys, is_constant
from proxy.ops.life.rows import SIGNATURE, TRAILER, convert_rows
from tests.life.ledger_writers import Ledger, differing

EMAIL = frozenset({"email"})


def row(block: int, offset: int, xmin: int, value: bytes) -> bytes:
    version = (6).to_bytes(4, "big") + block.to_bytes(4, "big") + offset.to_bytes(2, "big")
    version += (4).to_bytes(4, "big") + xmin.to_bytes(4, "big")
    return (3).to_bytes(2, "big") + version + len(value).to_bytes(4, "big") + value


rows_of = st.lists(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 2**16 - 1), st.integers(3, 2**32 - 1), st.binary(max_size=40)),
    max_size=20,
)


@given(rows_of)
def test_rows_keep_their_versions_and_their_order(rows: list[tuple[int, int, int, bytes]]) -> None:
    data = SIGNATURE + b"".join(row(*cells) for cells in rows) + TRAILER
    done = convert_rows(data, lambda value: b"<" + value + b">")
    expected = b"".join(row(block, offset, xmin, b"<" + value + b">") for block, offset, xmin, value in rows)
    assert (done.data, done.rows, done.failures) == (SIGNATURE + expected + TRAILER, len(rows), ())


def test_a_value_that_cannot_be_converted_is_named_by_its_place_only() -> None:
    def refuse(value: bytes) -> bytes:
        if value == b"secret":
            raise InvalidValue("value too long")
        return value

    done = convert_rows(SIGNATURE + row(7, 9, 3, b"secret") + row(7, 10, 3, b"fine") + TRAILER, refuse)
    (failure,) = done.failures
    assert (failure.place, failure.reason, done.rows) == ("(7,9)", "value too long", 1)


@pytest.mark.parametrize(
    ("expression", "constant"),
    [
        ("'a'::text", True),
        ("'-1'::integer", True),
        ("(-1.5)", True),
        ("NULL::text", True),
        ("ARRAY['a'::text, 'b'::text]", True),
        ("'2020-01-01'::date", True),
        ("now()", False),
        ("CURRENT_DATE", False),
        ("('now'::text)::date", False),
        ("nextval('s'::regclass)", False),
        ("lower('A'::text)", False),
        ("'a'::text || 'b'::text", False),
    ],
)
def test_a_default_is_carried_when_it_is_one_value(expression: str, constant: bool) -> None:
    assert is_constant(expression) == constant


def test_an_index_is_written_for_the_shadow_without_what_belonged_to_the_old_type() -> None:
    definition = 'CREATE UNIQUE INDEX i ON public.t USING btree (email COLLATE "C" text_pattern_ops DESC, n)'
    definition += " INCLUDE (email) WHERE (email IS NOT NULL)"
    options = {"concurrently": True, "keep": False, "tablespace": None}
    assert index_for(definition, "x", {"email": "shadow"}, **options) == (
        "CREATE UNIQUE INDEX CONCURRENTLY x ON public.t (shadow DESC, n) INCLUDE (shadow) WHERE shadow IS NOT NULL"
    )
    assert index_keys(definition) == {"email", "n"}
    for bad in ("(lower(email))", "(n) WHERE (email > 'a'::text)"):
        with pytest.raises(CannotCarry):
            index_for(f"CREATE INDEX i ON public.t USING btree {bad}", "x", {"email": "shadow"}, **options)


def test_a_check_may_ask_for_null_and_no_more() -> None:
    assert not check_looks_inside("CHECK (((email IS NOT NULL) OR (n > 1)))", EMAIL)
    assert check_looks_inside("CHECK (((email <> ''::text) OR (n > 1)))", EMAIL)
    assert check_looks_inside("CHECK (((t.email IS NULL) OR (length(t.email) > 1)))", EMAIL)


EQUALITY, RANDOM, ORDER = (Scheme.EQUALITY, "d"), (Scheme.RANDOM, "d"), (Scheme.ORDER, "d")


@pytest.mark.parametrize(
    ("query", "allowed"),
    [
        ("SELECT email AS e FROM t WHERE email IS NULL", {RANDOM, EQUALITY, ORDER}),
        ("SELECT email AS e FROM t GROUP BY email", {EQUALITY, ORDER}),
        ("SELECT DISTINCT email AS e FROM t", {EQUALITY, ORDER}),
        ("SELECT email AS e FROM t UNION SELECT email FROM u", {EQUALITY, ORDER}),
        ("SELECT email AS e FROM t UNION ALL SELECT email FROM u", {RANDOM, EQUALITY, ORDER}),
        ("SELECT a.email AS e FROM t a JOIN t b ON a.email = b.email", {EQUALITY, ORDER}),
        ("SELECT a.email AS e FROM t a JOIN t b ON (a.email)::bytea = (b.email)::bytea", {EQUALITY, ORDER}),
        ("SELECT email AS e FROM t ORDER BY email", {ORDER}),
        ("SELECT lower(email) AS e FROM t", set()),
        ("SELECT email::text AS e FROM t", set()),
        ("SELECT 1 AS e FROM t WHERE email = 'a'::text", set()),
        ("SELECT n AS e FROM t JOIN u ON t.email = u.other", set()),
    ],
)
def test_a_view_may_do_with_a_column_what_its_scheme_carries(query: str, allowed: set) -> None:
    for comparable in (RANDOM, EQUALITY, ORDER):
        if comparable in allowed:
            definition, outputs = follow_view(query, {"email": comparable})
            assert "e" in outputs
            assert "bytea" not in definition
        else:
            with pytest.raises(CannotCarry):
                follow_view(query, {"email": comparable})


def test_columns_of_different_domains_do_not_meet_in_a_view() -> None:
    with pytest.raises(CannotCarry):
        follow_view("SELECT a.x FROM a JOIN b ON a.x = b.y", {"x": EQUALITY, "y": (Scheme.EQUALITY, "other")})


def test_the_ledger_of_the_writers_knows_every_row_and_notices_each_that_differs() -> None:
    ledgers = [Ledger(number, 3, 10, str) for number in range(3)]
    assert [len(ledger) for ledger in ledgers] == [3, 4, 3]
    assert differing(ledgers, [(row, str(row)) for row in range(1, 11)]) == 0
    one = ledgers[1]
    one.write(one.next, "new")
    one.write(4, None)
    one.delete(7)
    held = {row: str(row) for row in range(1, 11)} | {13: "new", 4: None}
    del held[7]
    assert differing(ledgers, held.items()) == 0
    assert {one.pick(random.Random(seed)) for seed in range(200)} == {1, 4, 10, 13}
    assert differing(ledgers, (held | {4: "4"}).items()) == 1
    assert differing(ledgers, (held | {7: "7"}).items()) == 2
    assert differing(ledgers, [row for row in held.items() if row[0] != 13]) == 1
