"""Edits in the client's own text: what it wrote stays, literals and comments go; doubt leaves it to the printer."""

from __future__ import annotations

import gc
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.sql import analyse
from proxy.sql.plan import Plan, Statement
from tests.sql.query_catalog import CATALOG, PATH, POLICY

BYTEA = "::pg_catalog.bytea"


def plan(text: str) -> Plan:
    (found,) = analyse(text, catalog=CATALOG, path=PATH, policy=POLICY)
    assert isinstance(found, Statement), found.error
    return found.plan


def spliced(text: str) -> str:
    """The template with its literals as <text>."""
    made = plan(text)
    assert made.template is not None
    parts = [made.template[0]]
    for slot, piece in zip(made.literals, made.template[1:], strict=True):
        parts += [f"<{slot.text}>", piece]
    return "".join(parts).replace(BYTEA, "#")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select  ID\nFROM customers where email='a'", "select  ID\nFROM customers where email=<a>#"),
        ("select id from customers where email='a'and id=1", "select id from customers where email=<a># and id=1"),
        ("select id from customers where points = - 5", "select id from customers where points = <-5>#"),
        ("select id from customers where points in ((1),2)", "select id from customers where points in ((<1>#),<2>#)"),
        ("select id from customers where email = 'a'::text", "select id from customers where email = <a>#"),
        ("select id from customers where email = ('a')::text", "select id from customers where email = <a>#"),
        ("select id from customers where email = CAST(('a') AS text)", "select id from customers where email = <a>#"),
        (
            "select id from customers where phone = 'a'::character varying(3) or id=1",
            "select id from customers where phone = <a># or id=1",
        ),
        ("select id from customers where born=date'2000-01-01'", "select id from customers where born=<2000-01-01>#"),
        ("select id from customers where email = E'\\u00e9\\'' --", "select id from customers where email = <é'>#  "),
        ("select id from customers where email = $x$a'b$x$", "select id from customers where email = <a'b>#"),
        ("select id from customers where email = 'a'\n'b'", "select id from customers where email = <ab>#"),
        ("select 'é', id from customers where email = 'ü'", "select 'é', id from customers where email = <ü>#"),
        ("select email::text from customers", 'select email from customers'),
        ("select id from customers where CAST(email AS text) = $1", "select id from customers where  (email ) = $1"),
        ("select id from customers where email = $1::text", "select id from customers where email = $1"),
        (
            "select id from customers where name = $1 and email = $1::text",
            "select id from customers where name = $1 and email = $2",
        ),
        ("select max(born) from customers", 'select "sealwire"."max"(born) from customers'),
        ("select 'x' union select email from customers", 'select <x># AS "?column?" union select email from customers'),
        (
            "update customers set (email, phone) = ('a', 'b') where id = 1",
            "update customers set (email, phone) = (<a>#, <b>#) where id = 1",
        ),
        (
            "with w as (select 1 as n limit 2) select id from customers where email = 'a' limit 5 offset 1",
            "with w as (select 1 as n limit 2) select id from customers where email = <a># limit 5 offset 1",
        ),
        (
            "select id from customers where email = 'a' for no key update skip locked",
            "select id from customers where email = <a># for no key update skip locked",
        ),
        (
            "insert into customers (email, name, active) values ('a', 'b', true), (null, '', false)",
            "insert into customers (email, name, active) values (<a>#, 'b', <true>#), (null, '', <false>#)",
        ),
    ],
)  # fmt: skip
def test_the_clients_text_stays_as_it_was_written(text: str, expected: str) -> None:
    assert spliced(text) == expected


def test_several_locking_clauses_pass_though_the_printer_cannot_write_them() -> None:
    text = (
        "select c.id from customers c, orders o where c.email = 'a' for no key update of c skip locked for share of o"
    )
    assert spliced(text) == text.replace("'a'", "<a>#")


@pytest.mark.parametrize("literal", ["'-- no comment'", "'it''s -- none'", "'''--'", "''"])
def test_a_literal_that_looks_like_a_comment_is_none(literal: str) -> None:
    text = f"select  id from customers where name = {literal} and email = 'a'"
    assert spliced(text) == text.replace("'a'", "<a>#")


@pytest.mark.parametrize(
    "text",
    [
        "select id /* secret */ from customers -- secret\n where email = 'a' /* /* secret */ secret */",
        "-- secret\nselect id from customers where email = 'a'",
        "select id, 'x' -- secret\n 'y' from customers where email = 'a'",
        "select id from customers where email = 'a' -- secret\n 'secret'",
    ],
)
def test_no_comment_survives(text: str) -> None:
    made = plan(text)
    assert made.template is not None
    assert "secret" not in "".join(made.template)


@pytest.mark.parametrize(
    "text",
    [
        "select id from customers where points = -(5)",
        "select id from customers where email = U&'d!0061t' UESCAPE '!'",
        "select id from customers where coalesce(active, $1)",
    ],
)
def test_what_is_not_clear_is_printed(text: str) -> None:
    made = plan(text)
    assert made.template is not None
    assert made.template[0].startswith("SELECT id FROM customers WHERE ")


def test_each_statement_of_a_script_is_cut_from_its_own_part() -> None:
    found = analyse(
        "select 'é'; select id from customers where email = 'a' ;\n update customers set email='b'",
        catalog=CATALOG,
        path=PATH,
        policy=POLICY,
    )
    templates = [one.plan.template for one in found if isinstance(one, Statement)]
    assert templates[0] is None
    assert templates[1:] == [
        ("select id from customers where email = ", f"{BYTEA} "),
        ("update customers set email=", BYTEA),
    ]


_TERMS = st.sampled_from(
    ["'a'", "'a'::text", "E'b\\\\'", "('c')", "$$d$$", "CAST('e' AS text)", "text 'f'", "('g'::text)", "'h' /* x */"]
)
_CONDITIONS = st.sampled_from(
    ["email = {}", "{} = email", "email in ({}, {})", "nick between {} and {}", "nick like 'p%'", "phone <> {}",
     "coalesce(email, {}) = {}", "id = 3 and name = 'plain'", "not active", "email = any(array[{}, {}])",
     "case when id > 1 then email else {} end = {}", "exists (select 1 from contacts where contacts.email = {})"]
)  # fmt: skip


@given(st.lists(_CONDITIONS, min_size=1, max_size=4), st.data())
@settings(max_examples=150, deadline=None)
def test_every_literal_of_a_sealed_column_leaves_the_text(conditions: list[str], data: st.DataObject) -> None:
    where = " and\n ".join(
        condition.format(*(data.draw(_TERMS) for _ in range(condition.count("{}")))) for condition in conditions
    )
    made = plan(f"SELECT id FROM customers WHERE {where}")
    if made.template is None:
        assert where.replace(" and\n ", "").replace("id = 3 and name = 'plain'", "") == ""
        return
    left = "".join(made.template)
    assert left.count("'") == 2 * left.count("'plain'")
    assert "$$" not in left


def test_the_time_for_a_bulk_insert_grows_with_its_rows() -> None:
    def cost(rows: int) -> float:
        """Seconds of CPU for each literal, the best of three, without the garbage collector: its share depends on what
        else the process holds."""
        values = ", ".join(f"('{n}@example.com', '+49 {n}', '2001-02-03')" for n in range(rows))
        text = f"INSERT INTO customers (email, phone, born) VALUES {values}"
        best = float("inf")
        gc.disable()
        try:
            for _ in range(3):
                start = time.process_time()
                assert len(plan(text).literals) == 3 * rows
                best = min(best, time.process_time() - start)
        finally:
            gc.enable()
        return best / (3 * rows)

    assert cost(2000) < 3 * cost(100)
