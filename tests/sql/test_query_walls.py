"""Nothing fails open: a sealed column planted in any field of any node is seen, and passes only where it may."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pglast import ast, parse_sql

from proxy.errors import Refused
from proxy.sql import terms
from proxy.sql.context import Context
from proxy.sql.dispatch import EXPRESSIONS
from proxy.sql.flow import Flow, Slot
from proxy.sql.queries import analyse_change, analyse_query, openings
from proxy.sql.scopes import Scope
from tests.sql.query_catalog import CATALOG, PATH, POLICY

GROUND = [
    line
    for line in Path(__file__).with_name("queries").joinpath("ground.sql").read_text().splitlines()
    if not line.startswith("--")
]

# What may hold a random-sealed value without being refused, and why.
ALLOWED = {
    ("NullTest", "arg"): "the manual's IS NULL works on any type",
    ("ResTarget", "val"): "selected, and opened",
    ("CaseWhen", "result"): "passed through",
    ("CaseExpr", "defresult"): "passed through",
    ("CoalesceExpr", "args"): "passed through",
    ("GroupingFunc", "args"): "takes no value",
    ("RowExpr", "args"): "an item of ROW, compared or stored one by one",
    ("SelectStmt", "valuesLists"): "passed through",
    ("A_ArrayExpr", "elements"): "passed through",
    ("TypeCast", "arg"): "a cast to text is none",
    ("CollateClause", "arg"): "COLLATE C is the order of sealed text",
    ("MultiAssignRef", "source"): "a copy that the first column's source replaces",
}


def expression_slots(node: Any) -> Iterator[Slot]:
    """Every place below `node` that holds an expression."""
    for name in type(node).__slots__:
        yield from _slots_in(node, name, (), getattr(node, name))


def _slots_in(holder: Any, name: str, path: tuple[int, ...], value: Any) -> Iterator[Slot]:
    if isinstance(value, tuple):
        for index, element in enumerate(value):
            yield from _slots_in(holder, name, (*path, index), element)
    elif isinstance(value, ast.Node):
        if type(value) in EXPRESSIONS and not isinstance(holder, ast.TypeName):
            yield Slot(holder, name, *path)
        if not isinstance(value, ast.TypeName):
            yield from expression_slots(value)


def planted() -> Iterator[tuple[str, int, str]]:
    for text in GROUND:
        for index, slot in enumerate(expression_slots(parse_sql(text)[0].stmt)):
            yield text, index, f"{type(slot.holder).__name__}.{slot.name}"


def run(context: Context, statement: Any) -> None:
    analyse = analyse_query if isinstance(statement, ast.SelectStmt) else analyse_change
    openings(analyse(context, statement))
    context.finish()


@pytest.mark.parametrize("text", GROUND)
def test_the_ground_itself_is_plain(text: str) -> None:
    context = Context(text, CATALOG, PATH, POLICY)
    run(context, parse_sql(text)[0].stmt)
    assert not context.edited


def test_a_sealed_column_planted_anywhere_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[int] = set()

    def watched(ctx: Context, node: Any, slot: Slot, scope: Scope) -> Flow:
        seen.add(id(node))
        return terms.column_reference(ctx, node, slot, scope)

    monkeypatch.setitem(EXPRESSIONS, ast.ColumnRef, watched)
    passed: set[tuple[str, str]] = set()
    places = list(planted())
    for text, index, place in places:
        statement = parse_sql(text)[0].stmt
        slot = list(expression_slots(statement))[index]
        column = ast.ColumnRef(fields=(ast.String(sval="notes"),), location=-1)
        slot.set(column)
        try:
            run(Context(text, CATALOG, PATH, POLICY), statement)
        except Refused:
            continue
        # a row assignment holds one copy of its source for each column; the first one serves for all
        replaced = not any(other.get() is column for other in expression_slots(statement))
        assert id(column) in seen or replaced, (place, text)
        passed.add((type(slot.holder).__name__, slot.name))
    assert passed <= ALLOWED.keys()
    assert len({place for _, _, place in places}) > 60


def test_a_sealed_column_below_an_unknown_node_is_refused() -> None:
    text = "SELECT json_object('a': notes), 1 FROM customers"
    with pytest.raises(Refused, match="JsonObjectConstructor"):
        run(Context(text, CATALOG, PATH, POLICY), parse_sql(text)[0].stmt)


def test_a_statement_that_is_no_query_is_refused() -> None:
    with pytest.raises(Refused, match="not supported"):
        analyse_query(Context("", CATALOG, PATH, POLICY), parse_sql("VACUUM")[0].stmt)
