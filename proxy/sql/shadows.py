"""Statements that would depend on what `seal`, `unseal` and `reseal` do to the columns of a table.

While they run there is a shadow, the column that they are preparing. `SELECT *` shows it, which is no more than ALTER
TABLE ADD COLUMN does. But a comparison of whole rows, DISTINCT and set operations over `*`, and NATURAL JOIN of a table
with itself would go by values that are there for some rows only.

Afterwards the shadow has taken the column's place, but at the end of the table. INSERT and COPY FROM without a column
list would put the values of that column into others, where they would lie in plain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pglast import ast, enums

from proxy.sql import refusals
from proxy.sql.catalog import Catalog, Relation
from proxy.sql.survey import Tree, children_of


def refuse_dependent(node: ast.Node, named: Sequence[tuple[ast.RangeVar, Relation]]) -> None:
    """`named`: the relations that the statement names. Raises Refused."""
    relations = [relation for _, relation in named]
    shadowed = [relation for relation in relations if relation.has_shadow]
    if not shadowed:
        return
    columns = {attribute.name for relation in relations for attribute in relation.attributes}
    rows = {name for item in _items(node) for name in _names(item)} - columns
    for item in _items(node):
        construct = None
        if isinstance(item, ast.JoinExpr):
            twice = [relation for relation in shadowed if relations.count(relation) > 1]
            construct = "NATURAL JOIN" if item.isNatural and twice else None
        elif isinstance(item, ast.SelectStmt):
            if item.op != enums.SetOperation.SETOP_NONE and (_has_star(item.larg) or _has_star(item.rarg)):
                construct = "a set operation over *"
            elif item.distinctClause and _has_star(item):
                construct = "DISTINCT over *"
        elif isinstance(item, ast.ColumnRef):
            construct = "a whole-row value" if _is_row(item, rows) else None
        if construct is not None:
            raise refusals.shadows(construct, shadowed[0].qualified)


def require_places(catalog: Catalog, relation: Relation, statement: str, position: int | None) -> None:
    """`statement` goes by the places of the table's columns. Raises Refused where they are not those of before."""
    moved = catalog.moved(relation)
    if moved is not None:
        raise refusals.moved_column(statement, relation.qualified, moved.name, position)


def _items(node: Any) -> Iterator[Tree]:
    """All nodes of a tree, but for the columns of a SELECT list: what they show is not compared there."""
    pending: list[Any] = [node]
    while pending:
        item = pending.pop()
        if isinstance(item, (tuple, list)):
            pending.extend(item)
        elif isinstance(item, ast.ResTarget) and isinstance(item.val, ast.ColumnRef):
            continue
        elif isinstance(item, ast.Node):
            yield item
            pending.extend(getattr(item, slot) for slot in children_of(item))


def _names(item: Tree) -> Iterator[str]:
    """Names under which an entry of FROM may be taken as a row."""
    if isinstance(item, ast.RangeVar) and item.alias is None:
        yield item.relname or ""
    elif isinstance(item, ast.Alias):
        yield item.aliasname or ""


def _is_row(reference: ast.ColumnRef, rows: set[str]) -> bool:
    fields = reference.fields or ()
    return isinstance(fields[-1], ast.A_Star) or (len(fields) == 1 and (fields[0].sval or "") in rows)


def _has_star(select: Tree) -> bool:
    """In the SELECT list, or in that of an arm of a set operation."""
    if select.op != enums.SetOperation.SETOP_NONE:
        return _has_star(select.larg) or _has_star(select.rarg)
    values = [target.val for target in select.targetList or ()]
    return any(
        isinstance(value, ast.ColumnRef) and isinstance((value.fields or (None,))[-1], ast.A_Star) for value in values
    )
