"""What the oracle must know of a statement's text: whether it orders, whether it writes, and the same statement with
its literals as parameters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pglast
from pglast import ast
from pglast.parser import ParseError, parse_sql_json, scan

PARAMETRIZABLE = (ast.SelectStmt, ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt, ast.MergeStmt)
READING = (ast.SelectStmt, ast.ExplainStmt, ast.VariableShowStmt)


@dataclass(frozen=True, slots=True)
class Shape:
    """Facts of a Query string, one entry per statement."""

    ordered: tuple[bool, ...]
    writes: bool
    """It may leave something behind: run it inside a transaction that is rolled back."""
    inserts: bool
    """It may take values from sequences, which no rollback gives back."""

    def is_ordered(self, number: int) -> bool:
        return number < len(self.ordered) and self.ordered[number]


@dataclass(frozen=True, slots=True)
class Parametrized:
    sql: str
    values: tuple[str, ...]


@lru_cache(maxsize=20_000)
def parse(sql: str) -> tuple[Any, ...]:
    """Raw statements; () when libpg_query does not take the text."""
    try:
        return tuple(pglast.parse_sql(sql))
    except ParseError:
        return ()


def shape_of(sql: str) -> Shape:
    statements = [raw.stmt for raw in parse(sql)]
    words = sql.lower()
    writes = not statements or any(not isinstance(s, READING) or _into(s) for s in statements)
    changing = any(word in words for word in ("insert", "update", "delete", "merge", "analyze"))
    return Shape(
        tuple(_orders(statement) for statement in statements),
        writes or changing or len(statements) > 1,
        any(word in words for word in ("insert", "merge", "copy", "nextval", "execute", "create")),
    )


def _into(statement: Any) -> bool:
    return isinstance(statement, ast.SelectStmt) and statement.intoClause is not None


def _orders(statement: Any) -> bool:
    if isinstance(statement, ast.SelectStmt):
        return bool(statement.sortClause)
    if isinstance(statement, ast.CopyStmt) and statement.query is not None:
        return _orders(statement.query)
    return False


def parametrized(sql: str) -> Parametrized | None:
    """The statement with every literal in an expression turned into $1, $2, ...; None where there is none, or where
    it is not one statement of a kind that takes parameters.

    What is no expression stays: ORDER BY 1, modifiers of types, options. A typed literal (date '2024-01-01') becomes a
    cast of a parameter.
    """
    raw = parse(sql)
    if len(raw) != 1 or not isinstance(raw[0].stmt, PARAMETRIZABLE) or "$1" in sql:
        return None
    tokens = {token.start: token for token in scan(sql)}
    edits: list[tuple[int, int, str, str]] = []  # start, end (exclusive), text with {} for the number, value
    encoded = sql.encode()

    def characters(offset: int) -> int:  # the parser counts bytes, the scanner characters
        return len(encoded[:offset].decode())

    for constant, cast in _constants(json.loads(parse_sql_json(sql))["stmts"][0]["stmt"]):
        value = _value(constant)
        if value is None:
            continue
        start = characters(constant.get("location", 0))
        if start not in tokens:  # a literal that the grammar made up: FETCH FIRST ROW
            continue
        end = tokens[start].end + 1
        if sql[start:end] == "-":
            end = tokens[min(other for other in tokens if other > start)].end + 1
        if cast is None:
            edits.append((start, end, "{}", value))
            continue
        type_start = characters(cast["typeName"].get("location", 0))
        if "typmods" not in cast["typeName"]:
            kind = sql[type_start:start].strip()
            edits.append((type_start, end, f"CAST({{}} AS {'bpchar' if kind in ('N', 'n') else kind})", value))
    if not edits:
        return None
    pieces, values, position = [], [], 0
    for start, end, text, value in sorted(edits):
        values.append(value)
        pieces += [sql[position:start], text.format(f"${len(values)}")]
        position = end
    return Parametrized("".join(pieces) + sql[position:], tuple(values))


def _value(constant: dict[str, Any]) -> str | None:
    """The literal as text input of its type; None: it stays (NULL, booleans, bit strings)."""
    if "sval" in constant:
        return str(constant["sval"].get("sval", ""))
    if "ival" in constant:
        return str(constant["ival"].get("ival", 0))
    if "fval" in constant:
        return str(constant["fval"]["fval"])
    return None


_OPAQUE = frozenset({"typeName", "DefElem", "JsonTable", "options", "returning"})
_POSITIONAL = frozenset({"groupClause", "distinctClause"})


def _constants(node: Any, field: str = "") -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    """(A_Const, the TypeCast of a typed literal or None) for every literal that may become a parameter."""
    if isinstance(node, list):
        for item in node:
            if not (field in _POSITIONAL and "A_Const" in item):
                yield from _constants(item)
        return
    if not isinstance(node, dict):
        return
    for name, child in node.items():
        if name in _OPAQUE:
            continue
        if name == "A_Const":
            yield child, None
        elif name == "TypeCast" and child.get("location") == -1 and "A_Const" in child["arg"]:
            yield child["arg"]["A_Const"], child
        elif name == "SortBy" and "A_Const" in child["node"]:
            continue
        else:
            yield from _constants(child, name)
