"""Judgements about SQL text that the catalog prints: may it stay as it is when a column's type changes, and an index
definition rewritten for another column.

The rule is the same everywhere: whether a column is NULL may be asked, anything that looks at its value may not. Views
may also return it, and group, join and order by it where the scheme of both sides carries that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pglast
from pglast import ast
from pglast.enums import A_Expr_Kind, SetOperation
from pglast.stream import RawStream

from proxy.config import Scheme

_PLAIN_NODES: Final = (
    ast.A_Const,
    ast.TypeCast,
    ast.TypeName,
    ast.CollateClause,
    ast.A_ArrayExpr,
    ast.String,
    ast.Integer,
    ast.Float,
    ast.Boolean,
    ast.BitString,
)
_VOLATILE_WORDS: Final = frozenset({"now", "today", "tomorrow", "yesterday", "allballs"})


class CannotCarry(Exception):
    """Its text says why, about the object that was looked at."""


def _parse(text: str) -> Any:
    """The one statement in `text`; Any, because the grammar decides which nodes have which fields."""
    (raw,) = pglast.parse_sql(text)
    return raw.stmt


def _children(node: Any) -> Iterator[Any]:
    if isinstance(node, ast.Node):
        for name in node:
            yield getattr(node, name)
    elif isinstance(node, (tuple, list)):
        yield from node


def _walk(node: Any) -> Iterator[Any]:
    yield node
    for child in _children(node):
        yield from _walk(child)


def column_of(node: object) -> str | None:
    """The column's name where `node` is a reference to one, qualified or not."""
    if not isinstance(node, ast.ColumnRef):
        return None
    last = (node.fields or (None,))[-1]
    return last.sval if isinstance(last, ast.String) else None


def _operator(node: Any) -> str:
    return str(node.name[-1].sval)


def looks_inside(node: object, names: frozenset[str]) -> bool:
    """True where an expression asks more of a column among `names` than whether it is NULL."""
    if isinstance(node, ast.NullTest) and column_of(node.arg) in names:
        return False
    if column_of(node) in names:
        return True
    return any(looks_inside(child, names) for child in _children(node))


def check_looks_inside(definition: str, names: frozenset[str]) -> bool:
    """The same of a CHECK constraint as pg_get_constraintdef prints it."""
    root = _parse(f"ALTER TABLE t ADD {definition}")
    return looks_inside(root.cmds[0].def_.raw_expr, names)


def index_for(
    definition: str,
    new_name: str,
    columns: Mapping[str, str],
    *,
    concurrently: bool,
    keep: bool,
    tablespace: str | None,
) -> str:
    """CREATE INDEX of pg_get_indexdef, as `new_name` and on other columns (old name -> new name).

    Operator classes and collations of those columns go, unless `keep`: they belong to the old type. Raises CannotCarry
    where an expression or predicate looks inside a column.
    """
    root = _parse(definition)
    statement = root
    names = frozenset(columns)
    for element in (*statement.indexParams, *(statement.indexIncludingParams or ())):
        if element.name in columns:
            element.name = columns[element.name]
            if not keep:
                element.collation = element.opclass = element.opclassopts = None
        elif element.expr is not None and looks_inside(element.expr, names):
            raise CannotCarry("has it in an expression, which would see other bytes")
        _rename(element.expr, columns)
    if statement.whereClause is not None:
        if looks_inside(statement.whereClause, names):
            raise CannotCarry("has a predicate that looks inside it")
        _rename(statement.whereClause, columns)
    statement.idxname = new_name
    statement.concurrent = concurrently
    statement.tableSpace = tablespace
    return str(RawStream()(statement))


def _rename(node: object, columns: Mapping[str, str]) -> None:
    for found in _walk(node):
        if (name := column_of(found)) in columns and isinstance(found, ast.ColumnRef):
            found.fields = (ast.String(sval=columns[str(name)]),)


def index_keys(definition: str) -> frozenset[str]:
    """Names of the columns that are keys; not those that are only included."""
    root = _parse(definition)
    return frozenset(element.name for element in root.indexParams if element.name is not None)


def is_constant(expression: str) -> bool:
    """True for a DEFAULT that is one value for ever: literals and casts of them, nothing that reads a clock."""
    root = _parse(f"SELECT {expression}")
    value = root.targetList[0].val
    for node in _walk(value):
        if isinstance(node, ast.A_Expr):
            if node.kind != A_Expr_Kind.AEXPR_OP or node.lexpr is not None or _operator(node) not in ("-", "+"):
                return False
        elif isinstance(node, ast.Node) and not isinstance(node, _PLAIN_NODES):
            return False
        if isinstance(node, ast.TypeCast) and isinstance(node.arg, ast.TypeCast) and _reads_clock(node.arg):
            return False
    return True


def _reads_clock(cast: Any) -> bool:
    """'now'::text::date is evaluated anew each time; 'now'::date was when it was stored, and prints as that day."""
    for node in _walk(cast):
        if isinstance(node, ast.A_Const) and isinstance(node.val, ast.String):
            return any(word in (node.val.sval or "").lower() for word in _VOLATILE_WORDS)
    return False


Comparable = tuple[Scheme, str]
"""Scheme and domain: sealed values with the same ones may be compared, as far as the scheme goes."""


def follow_view(definition: str, columns: Mapping[str, Comparable]) -> tuple[str, dict[str, Comparable]]:
    """(definition for the columns' new type, names under which the view returns `columns`).

    Raises CannotCarry where the view does more with them than returning them, asking whether they are NULL, and what
    their schemes carry. Names stand for columns of any table in the view, so another table's column of the same name
    counts too.
    """
    root = _parse(definition)
    edited = _drop_relabeling(root, columns)
    outputs: dict[str, Comparable] = {}
    allowed = set(map(id, _allowed_places(root, columns, outputs)))

    def refuse(node: Any) -> None:
        if id(node) in allowed:
            return
        if isinstance(node, ast.NullTest) and column_of(node.arg) in columns:
            return
        if (name := column_of(node)) in columns:
            raise CannotCarry(f'looks inside "{name}"')
        for child in _children(node):
            refuse(child)

    refuse(root)
    return str(RawStream()(root)) if edited else definition, outputs


def _drop_relabeling(root: Any, columns: Mapping[str, Comparable]) -> bool:
    """PostgreSQL prints `a = b` of domains over bytea as `a::bytea = b::bytea`, of varchar as `a::text = b::text`.
    On the new type those casts would be real ones."""
    edited = False
    for node in _walk(root):
        if not isinstance(node, ast.A_Expr):
            continue
        for side in ("lexpr", "rexpr"):
            operand = getattr(node, side)
            if isinstance(operand, ast.TypeCast) and column_of(operand.arg) in columns:
                kind = operand.typeName
                if kind is not None and (kind.names or ())[-1].sval in ("bytea", "text") and not kind.arrayBounds:
                    setattr(node, side, operand.arg)
                    edited = True
    return edited


def _allowed_places(root: Any, columns: Mapping[str, Comparable], outputs: dict[str, Comparable]) -> Iterator[Any]:
    """References that may stay; what the statement returns goes into `outputs`."""

    def scheme_of(node: Any) -> Scheme | None:
        known = columns.get(str(column_of(node)))
        return None if known is None else known[0]

    for node in _walk(root):
        if isinstance(node, ast.SelectStmt):
            compares = node.distinctClause or (node.op != SetOperation.SETOP_NONE and not node.all)
            if compares and any(scheme is Scheme.RANDOM for scheme, _ in columns.values()):
                raise CannotCarry("compares whole rows, which random ciphertexts do not carry")
            for item in node.targetList or ():
                if isinstance(item, ast.ResTarget) and (name := column_of(item.val)) in columns:
                    outputs[item.name or str(name)] = columns[str(name)]
                    yield item.val
            yield from (item for item in node.groupClause or () if scheme_of(item) in (Scheme.EQUALITY, Scheme.ORDER))
            yield from (item.node for item in node.sortClause or () if scheme_of(item.node) is Scheme.ORDER)
        elif isinstance(node, ast.A_Expr) and node.kind == A_Expr_Kind.AEXPR_OP and _operator(node) in ("=", "<>"):
            left, right = column_of(node.lexpr), column_of(node.rexpr)
            known = columns.get(str(left))
            if known is not None and known == columns.get(str(right)) and known[0] is not Scheme.RANDOM:
                yield from (node.lexpr, node.rexpr)
