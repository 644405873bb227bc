"""Printing an edited tree: faithful or refused, and cut exactly at the marks of sealed literals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pglast import ast, enums, parse_sql

from proxy.errors import Refused
from proxy.sql.context import Context
from proxy.sql.queries import analyse_query
from proxy.sql.rewrite import render, same
from tests.sql.query_catalog import CATALOG, PATH, POLICY

CORPUS = [
    line
    for line in (Path(__file__).parent / "rewrite_corpus.sql").read_text().splitlines()
    if line and not line.startswith("--")
]
# What pglast 8.8 prints wrongly, or cannot print: it must be refused, not sent.
UNPRINTABLE = (
    "FOR NO KEY UPDATE SKIP LOCKED FOR SHARE OF x",
    "ENABLE ALWAYS RULE r",
    "NULLS NOT DISTINCT WITH (fillfactor = 70) TABLESPACE ts WHERE",
    "check_option = 'local'",
    'DECLARE "C d" ASENSITIVE',
    "REJECT_LIMIT 3",
    "FORCE QUOTE *",
)


def parsed(sql: str) -> ast.Node:
    return parse_sql(sql)[0].stmt


@pytest.mark.parametrize("sql", CORPUS)
def test_a_statement_is_printed_faithfully_or_refused(sql: str) -> None:
    node = parsed(sql)
    if any(part in sql for part in UNPRINTABLE):
        with pytest.raises(Refused):
            render(node, [])
        return
    (text,), order = render(node, [])
    assert order == ()
    assert same(parsed(text), node)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT 1", "SELECT 2"),
        ("SELECT a FROM t", "SELECT b FROM t"),
        ("SELECT a FROM t", "SELECT DISTINCT a FROM t"),
        ("SELECT a AND b OR c", "SELECT a AND (b OR c)"),
        ("SELECT 'a'", "SELECT 'A'"),
        ("SELECT ''", "SELECT NULL"),
        ("SELECT f(a)", "SELECT f(DISTINCT a)"),
        ("SELECT a FROM t ORDER BY a", "SELECT a FROM t ORDER BY a DESC"),
        ("SELECT a FROM t LIMIT 1", "SELECT a FROM t LIMIT 2"),
        ("SELECT a UNION SELECT b", "SELECT a UNION ALL SELECT b"),
        ("CREATE TABLE t (a int)", "CREATE TABLE t (a bigint)"),
        ("CREATE TABLE t (a int)", "CREATE TABLE IF NOT EXISTS t (a int)"),
        ("DELETE FROM t", "DELETE FROM ONLY t"),
        ("SELECT 1", "VALUES (1)"),
    ],
)
def test_trees_that_mean_something_else_differ(one: str, other: str) -> None:
    assert not same(parsed(one), parsed(other))
    assert not same(parsed(other), parsed(one))


def test_places_and_the_way_a_function_is_written_do_not_matter() -> None:
    assert same(parsed("SELECT   a ,b /* c */ FROM t"), parsed("SELECT a, b FROM t"))
    assert same(parsed("SELECT extract(year FROM a)"), parsed("SELECT pg_catalog.extract('year', a)"))


def test_pieces_are_cut_at_the_marks_in_the_order_of_the_text() -> None:
    pieces, order = render(
        parsed("SELECT * FROM t WHERE a = 'mark:1:'::bytea AND b IN ('mark:0:'::bytea, 'plain')"),
        ["mark:0:", "mark:1:"],
    )
    assert order == (1, 0)
    assert pieces == ("SELECT * FROM t WHERE a = CAST(", " AS bytea) AND b IN (CAST(", " AS bytea), 'plain')")


def test_a_mark_that_occurs_twice_is_cut_twice() -> None:
    pieces, order = render(parsed("SELECT 'mark:0:', 'mark:0:'"), ["mark:0:"])
    assert order == (0, 0)
    assert len(pieces) == 3


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'mark:0:', 'x ''mark:0:'' y'",
        "SELECT 'mark:0:', \"'mark:0:'\"",
        "SELECT 'mark:0:' AS \"mark:0:\"",
        "SELECT 'mark:0:', 'xmark:0:'",
        "SELECT 1",
    ],
)
def test_text_that_looks_like_a_mark_is_refused(sql: str) -> None:
    with pytest.raises(Refused):
        render(parsed(sql), ["mark:0:"])


def test_a_tree_too_deep_to_print_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        render(parsed("SELECT " + "+".join("1" * 1 for _ in range(5000))), [])
    assert refused.value.sqlstate == "54001"


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=20))
def test_constants_and_names_of_any_characters_survive(text: str) -> None:
    literal = "'" + text.replace("'", "''") + "'"
    name = '"' + (text.replace('"', '""') or "x") + '"'
    node = parsed(f"SELECT {literal} AS {name} FROM {name} WHERE 'mark:0:' = $1")
    pieces, order = render(node, ["mark:0:"])
    assert order == (0,)
    assert same(parsed("'mark:0:'".join(pieces)), node)


def test_the_brackets_of_a_chain_of_and_do_not_matter_where_the_grammar_drops_them() -> None:
    inner = ast.BoolExpr(boolop=enums.BoolExprType.AND_EXPR, args=parsed("SELECT a AND b").targetList[0].val.args)
    outer = parsed("SELECT a AND c")
    outer.targetList[0].val.args = (inner, outer.targetList[0].val.args[1])
    assert same(outer, parsed("SELECT (a AND b) AND c"))
    assert not same(outer, parsed("SELECT (a OR b) AND c"))
    assert not same(outer, parsed("SELECT a AND b"))


@pytest.mark.parametrize(
    "where",
    [
        "nick LIKE 'a%' AND id > 1 AND nick LIKE 'ab%'",
        "id = 2 AND nick LIKE 'a%' OR nick NOT LIKE 'a%' OR id = 3",
        "NOT (nick LIKE 'a%' AND id > 1) AND (nick NOT LIKE 'a%' OR active)",
        "id = 1 AND (nick LIKE 'a%' AND (id < 5 AND nick > 'A'))",
        "nick LIKE '%' AND nick NOT LIKE '%'",
    ],
)
def test_a_prefix_match_among_other_conditions_can_be_printed(where: str) -> None:
    context = Context("", CATALOG, PATH, POLICY)
    node: Any = parsed(f"SELECT id FROM customers WHERE {where}")
    analyse_query(context, node)
    _, order = render(node, [context.marker(index) for index in range(len(context.literals))])
    assert sorted(order) == list(range(len(context.literals)))


def test_merge_is_printed_as_servers_before_17_read_it() -> None:
    node = parsed("MERGE INTO t USING u ON t.id = u.id WHEN NOT MATCHED THEN INSERT (id) VALUES (1)")
    (text,), _ = render(node, [])
    assert "BY TARGET" not in text
    node = parsed("MERGE INTO t USING u ON t.a = 'WHEN NOT MATCHED BY TARGET' WHEN NOT MATCHED THEN DO NOTHING")
    (text,), _ = render(node, [])
    assert "'WHEN NOT MATCHED BY TARGET'" in text
