"""Operators: comparison, IN, BETWEEN, ANY, LIKE, NULLIF; everything else takes plain values only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from pglast import ast, enums

from proxy.config import Scheme
from proxy.pgtypes import Family
from proxy.sql import refusals
from proxy.sql.arrays import array_elements
from proxy.sql.calls import AS_LIKE
from proxy.sql.context import Context
from proxy.sql.conversions import BOOLEAN, DOUBLE, NUMBERS, compared_type, shared_type, type_of_name
from proxy.sql.dispatch import each, expression, handles
from proxy.sql.flow import PLAIN, Flow, Kind, Leaf, Open, Plain, Row, Sealed, Slot
from proxy.sql.meeting import OPERATORS, compare, compare_any, current, use_as_plain
from proxy.sql.patterns import bad_escape, split_pattern
from proxy.sql.plan import TEXT, Sealing, Use
from proxy.sql.scopes import Scope
from proxy.sql.terms import comparison, subquery_columns

_LIKES: Final = frozenset({"~~", "!~~", "~~*", "!~~*"})
_NEGATED: Final = frozenset({enums.A_Expr_Kind.AEXPR_NOT_BETWEEN, enums.A_Expr_Kind.AEXPR_NOT_BETWEEN_SYM})
_BINARY_TEXT: Final = "use =, LIKE 'prefix%' with search: order, or select the column and compute in the application"


@handles(ast.A_Expr)
def operator_expression(ctx: Context, node: ast.A_Expr, slot: Slot, scope: Scope) -> Flow:
    handler = _KINDS.get(node.kind) if node.kind is not None else None
    if handler is None:
        raise refusals.unsupported("this kind of operator", ctx.position(node.location))
    return handler(ctx, node, slot, scope)


def _operator(node: ast.A_Expr) -> str:
    names = [part.sval or "" for part in node.name or ()]
    return names[-1] if len(names) == 1 or names[0] == "pg_catalog" else ".".join(names)


def _binary(ctx: Context, node: ast.A_Expr, slot: Slot, scope: Scope) -> Flow:
    position = ctx.position(node.location)
    operator = _operator(node)
    if operator in _LIKES and node.lexpr is not None:
        return _like(ctx, node, slot, scope)
    left = None if node.lexpr is None else expression(ctx, Slot(node, "lexpr"), scope)
    right_node = node.rexpr
    if (
        isinstance(left, Row)
        and not left.is_record
        and isinstance(right_node, ast.SubLink)
        and right_node.subLinkType == enums.SubLinkType.EXPR_SUBLINK
    ):
        columns = subquery_columns(ctx, right_node, scope)
        if len(columns) != len(left.fields):
            few = "few" if len(columns) < len(left.fields) else "many"
            raise refusals.syntax(f"subquery has too {few} columns", position)
        compare(ctx, operator, left, Row(tuple(columns)), position)
        return Plain(BOOLEAN)
    right = expression(ctx, Slot(node, "rexpr"), scope)
    if left is not None and operator in OPERATORS:
        compare(ctx, operator, left, right, position)
        return Plain(BOOLEAN)
    if operator == "+" and node.lexpr is None and (signed := _signed(ctx, right, slot)) is not None:
        return signed
    doing = f'used with operator "{operator}"'
    hint = AS_LIKE if operator == "^@" else None
    for flow in (left, right):
        if flow is not None:
            use_as_plain(ctx, flow, doing, position, hint=hint)
    return PLAIN


def _signed(ctx: Context, flow: Flow, slot: Slot) -> Flow | None:
    """`+ number`: the number. What is of unknown type becomes double precision, the preferred type of numbers."""
    if not isinstance(flow, Open) or not flow.is_direct:
        return None
    leaf = flow.leaves[0]
    if leaf.type is None:
        leaf.source = DOUBLE
    elif leaf.type.family not in NUMBERS or leaf.type.is_array:
        return None
    leaf.slot = slot
    return Open(flow.leaves, leaf.type, is_direct=True)


def _any_all(ctx: Context, node: ast.A_Expr, slot: Slot, scope: Scope) -> Flow:
    if _operator(node) in _LIKES and isinstance(node.lexpr, ast.ColumnRef):
        patterns = _patterns(node.rexpr)
        if patterns and isinstance(current(expression(ctx, Slot(node, "lexpr"), scope), None), Sealed):
            return _like_each(ctx, node, slot, scope, patterns)
    left = expression(ctx, Slot(node, "lexpr"), scope)
    right = expression(ctx, Slot(node, "rexpr"), scope)
    compare_any(ctx, _operator(node), left, right, ctx.position(node.location))
    return Plain(BOOLEAN)


def _distinct(ctx: Context, node: ast.A_Expr, slot: Slot, scope: Scope) -> Flow:
    left = expression(ctx, Slot(node, "lexpr"), scope)
    right = expression(ctx, Slot(node, "rexpr"), scope)
    compare(ctx, _operator(node), left, right, ctx.position(node.location))
    return Plain(BOOLEAN)


def _nullif(ctx: Context, node: ast.A_Expr, slot: Slot, scope: Scope) -> Flow:
    position = ctx.position(node.location)
    left = current(expression(ctx, Slot(node, "lexpr"), scope), position)
    right = current(expression(ctx, Slot(node, "rexpr"), scope), position)
    if isinstance(right, Sealed) and not isinstance(left, Sealed):
        raise refusals.cannot(right.column, "the second argument of nullif", position, "write it as CASE")
    other = right.type if isinstance(right, Open | Sealed) else None
    compare(ctx, _operator(node), left, right, position)
    if isinstance(left, Sealed):
        kind = compared_type(left.type, other)
        if kind.family is not left.type.family:
            raise refusals.result_type(left.column, kind, "compared by nullif", position)
        return replace(left, type=kind, origin=None)
    return Plain(left.type) if isinstance(left, Plain) else PLAIN


def _in(ctx: Context, node: ast.A_Expr, slot: Slot, scope: Scope) -> Flow:
    position = ctx.position(node.location)
    left = current(expression(ctx, Slot(node, "lexpr"), scope), position)
    items = each(ctx, node, "rexpr", scope)
    values = [flow for flow in items if isinstance(flow, Open)]
    if len(values) > 1 and isinstance(left, Sealed):
        # several values are compared as one array, whose element type untyped parameters take
        common = shared_type([left.type, *(flow.type for flow in values)])
        for flow in values:
            leaf = flow.leaves[0] if flow.is_direct else None
            if leaf is None or leaf.kind is not Kind.PARAM or leaf.source is not None or common is None:
                continue
            if not ctx.declared_type(leaf.number):
                leaf.source = common
    compare_each(ctx, [(_operator(node), flow) for flow in items], left, position)
    return Plain(BOOLEAN)


def _between(ctx: Context, node: ast.A_Expr, slot: Slot, scope: Scope) -> Flow:
    position = ctx.position(node.location)
    left = expression(ctx, Slot(node, "lexpr"), scope)
    low, high = each(ctx, node, "rexpr", scope)
    operators = ("<", ">") if node.kind in _NEGATED else (">=", "<=")
    compare_each(ctx, [(operators[0], low), (operators[1], high)], left, position)
    return Plain(BOOLEAN)


def compare_each(ctx: Context, others: list[tuple[str, Flow]], left: Flow, position: int | None) -> None:
    """`left` against several values. A literal on the left stands in the tree once: it is sealed by the first sealed
    value that it meets, and the rest must be sealed alike."""
    others = [(operator, current(flow, position)) for operator, flow in others]
    base = next((pair for pair in others if isinstance(pair[1], Sealed)), None)
    if isinstance(left, Open) and base is not None:
        compare(ctx, base[0], left, base[1], position)
        left = base[1]
        others = [pair for pair in others if pair is not base]
    for operator, flow in others:
        compare(ctx, operator, left, flow, position)


def _like(ctx: Context, node: ast.A_Expr, slot: Slot, scope: Scope) -> Flow:
    """LIKE. On a sealed column: a pattern without wildcards is an equality, `x%` a range of an ordered column."""
    position = ctx.position(node.location)
    left = current(expression(ctx, Slot(node, "lexpr"), scope), position)
    is_like = _operator(node) in ("~~", "!~~")
    doing = f"matched with {'LIKE' if is_like else 'ILIKE'}"
    if not isinstance(left, Sealed):
        use_as_plain(ctx, expression(ctx, Slot(node, "rexpr"), scope), doing, position)
        use_as_plain(ctx, left, doing, position)
        return Plain(BOOLEAN)
    column = left.column
    if ctx.is_overloaded(_operator(node)):
        raise refusals.overloaded(column, doing, position)
    if is_like and left.type.family is Family.TEXT and not left.is_array and isinstance(node.lexpr, ast.ColumnRef):
        found = _pattern_parameter(ctx, node, scope)
        if found is not None:
            _like_parameter(ctx, node, slot, left, found, position)
            return Plain(BOOLEAN)
    pattern = _pattern(node.rexpr) if is_like else None
    prefix = split_pattern(*pattern) if pattern is not None else None
    if prefix is None or left.type.family is not Family.TEXT or left.is_array:
        raise refusals.cannot(column, f"{doing} this way", position, _BINARY_TEXT)
    text, is_open = prefix
    negated = _operator(node) == "!~~"
    if not is_open:
        if column.scheme < Scheme.EQUALITY:
            raise refusals.needs(column, Scheme.EQUALITY, doing, position)
        value = ctx.seal_literal(text, Sealing(column, Use.COMPARE))
        ctx.replace(slot, comparison(node.lexpr, "<>" if negated else "=", value))
        return Plain(BOOLEAN)
    if not isinstance(node.lexpr, ast.ColumnRef):
        raise refusals.cannot(column, f"{doing} this way", position, "match the column itself")
    if not text:  # any text matches '%'; NULL gives NULL
        if column.scheme < Scheme.EQUALITY:
            raise refusals.needs(column, Scheme.EQUALITY, doing, position)
        ctx.replace(slot, comparison(node.lexpr, "<>" if negated else "=", node.lexpr))
        return Plain(BOOLEAN)
    if column.scheme < Scheme.ORDER:
        raise refusals.needs(column, Scheme.ORDER, doing, position)
    low = comparison(node.lexpr, "<" if negated else ">=", ctx.seal_literal(text, Sealing(column, Use.PREFIX_LOW)))
    high = comparison(node.lexpr, ">=" if negated else "<", ctx.seal_literal(text, Sealing(column, Use.PREFIX_HIGH)))
    joined = enums.BoolExprType.OR_EXPR if negated else enums.BoolExprType.AND_EXPR
    ctx.replace(slot, ast.BoolExpr(boolop=joined, args=(low, high)))
    return Plain(BOOLEAN)


def _patterns(node: object) -> list[ast.Node]:
    """The elements of ARRAY[...] or of an array literal; [] for any other array."""
    while isinstance(node, ast.TypeCast) and node.typeName is not None:
        kind = type_of_name(node.typeName)
        if kind is None or kind.array.oid != TEXT.array.oid:
            return []
        node = node.arg
    if isinstance(node, ast.A_ArrayExpr):
        return list(node.elements or ())
    elements = array_elements(text) if (text := _text(node)) is not None else None
    return [
        ast.A_Const(isnull=True) if element is None else ast.A_Const(isnull=False, val=ast.String(sval=element))
        for element in elements or ()
    ]


def _like_each(ctx: Context, node: ast.A_Expr, slot: Slot, scope: Scope, patterns: list[ast.Node]) -> Flow:
    """LIKE ANY (...): several LIKEs joined by OR; LIKE ALL, by AND."""
    like = node.name
    kind = enums.A_Expr_Kind.AEXPR_LIKE
    parts = []
    for pattern in patterns:
        part = comparison(node.lexpr, "", pattern)
        part.kind, part.name, part.location = kind, like, node.location
        parts.append(part)
    any_ = node.kind == enums.A_Expr_Kind.AEXPR_OP_ANY
    joined = ast.BoolExpr(boolop=enums.BoolExprType.OR_EXPR if any_ else enums.BoolExprType.AND_EXPR, args=tuple(parts))
    if len(parts) == 1:
        ctx.replace(slot, parts[0])
        return _like(ctx, parts[0], slot, scope)
    ctx.replace(slot, joined)
    return expression(ctx, slot, scope)


@dataclass(frozen=True, slots=True)
class _Pattern:
    """`$1 || '%' ESCAPE $2`: its first parameter, whose parts are the others; the rest as in a Sealing."""

    leaf: Leaf
    pieces: tuple[str | None, ...]
    escape: str | None


def _pattern_parameter(ctx: Context, node: ast.A_Expr, scope: Scope) -> _Pattern | None:
    """The pattern, where parameters are in it; None: there are none, or something else is."""
    slot, escape = Slot(node, "rexpr"), "\\"
    slots: list[Slot] = []
    if isinstance(right := node.rexpr, ast.FuncCall) and _is_escape(right):
        slot, last = Slot(right, "args", 0), Slot(right, "args", 1)
        text = _text(last.get())
        if text is None:
            slots.append(last)
        elif len(text) > 1:
            raise bad_escape()
        else:
            escape = text
    pieces: list[str | None] = []
    for piece in _joined(slot):
        pieces.append(text := _text(piece.get()))
        if text is None:
            slots.insert(pieces.count(None) - 1, piece)
    if pieces.count(None) == 0 or not all(isinstance(_uncast(piece.get()), ast.ParamRef) for piece in slots):
        return None
    leaves: list[Leaf] = []
    for piece in slots:
        flow = expression(ctx, piece, scope)
        if not isinstance(flow, Open) or not flow.is_direct:
            return None
        if flow.type is not None and flow.type.family is not Family.TEXT:
            return None
        (leaf,) = flow.leaves
        if (leaf.source is None and ctx.declared_type(leaf.number)) or (leaves and (leaf.casts or leaf.parts)):
            return None
        leaves.append(leaf)
    leaves[0].parts = tuple(leaves[1:])
    for leaf in leaves[1:]:
        leaf.absorbed = True
    return _Pattern(leaves[0], tuple(pieces), escape if len(leaves) == pieces.count(None) else None)


def _joined(slot: Slot) -> list[Slot]:
    """The places of what `||` joins."""
    node = slot.get()
    if isinstance(node, ast.A_Expr) and node.lexpr is not None and _operator(node) == "||" and _text(node) is None:
        return [*_joined(Slot(node, "lexpr")), *_joined(Slot(node, "rexpr"))]
    return [slot]


def _uncast(node: object) -> object:
    while isinstance(node, ast.TypeCast):
        node = node.arg
    return node


def _is_escape(node: ast.FuncCall) -> bool:
    """The grammar's form of LIKE ... ESCAPE ..."""
    return [part.sval for part in node.funcname or ()] == ["pg_catalog", "like_escape"] and len(node.args or ()) == 2


def _like_parameter(
    ctx: Context, node: ast.A_Expr, slot: Slot, left: Sealed, found: _Pattern, position: int | None
) -> None:
    """LIKE with a pattern that is only known when the statement is executed."""
    column, leaf = left.column, found.leaf
    negated = _operator(node) == "!~~"

    def sealing(use: Use) -> Sealing:
        return Sealing(column, use, leaf.source or TEXT, leaf.casts, pieces=found.pieces, escape=found.escape)

    if column.scheme < Scheme.EQUALITY:
        raise refusals.needs(column, Scheme.EQUALITY, "matched with LIKE", position)
    if column.scheme < Scheme.ORDER:
        ctx.seal(leaf, sealing(Use.LIKE))
        ctx.replace(slot, comparison(node.lexpr, "<>" if negated else "=", leaf.slot.get()))
        return
    ctx.seal(leaf, sealing(Use.LIKE_LOW))
    low = comparison(node.lexpr, "<" if negated else ">=", leaf.slot.get())
    leaf.slot = Slot(low, "rexpr")
    high = comparison(node.lexpr, ">=" if negated else "<", ast.ParamRef(number=leaf.number))
    other = Leaf(Kind.PARAM, Slot(high, "rexpr"), number=leaf.number, source=leaf.source, location=leaf.location)
    other.parts = leaf.parts
    ctx.add_param(other)
    ctx.seal(other, sealing(Use.LIKE_HIGH))
    joined = enums.BoolExprType.OR_EXPR if negated else enums.BoolExprType.AND_EXPR
    ctx.replace(slot, ast.BoolExpr(boolop=joined, args=(low, high)))


def _pattern(node: object) -> tuple[str, str] | None:
    """(pattern, escape character or "") where both are literals; None otherwise."""
    if isinstance(node, ast.FuncCall):
        args = node.args or ()
        if not _is_escape(node):
            return None
        pattern, escape = _text(args[0]), _text(args[1])
        return None if pattern is None or escape is None or len(escape) > 1 else (pattern, escape)
    pattern = _text(node)
    return None if pattern is None else (pattern, "\\")


def _text(node: object) -> str | None:
    """The text of a literal, or of several joined by `||`: psycopg2 writes startswith() as LIKE 'x' || '%'."""
    if isinstance(node, ast.TypeCast) and node.typeName is not None:
        kind = type_of_name(node.typeName)
        return _text(node.arg) if kind == TEXT else None
    if isinstance(node, ast.A_Expr) and node.kind == enums.A_Expr_Kind.AEXPR_OP and _operator(node) == "||":
        left, right = _text(node.lexpr), _text(node.rexpr)
        return None if left is None or right is None else left + right
    return node.val.sval or "" if isinstance(node, ast.A_Const) and isinstance(node.val, ast.String) else None


def _similar(ctx: Context, node: ast.A_Expr, slot: Slot, scope: Scope) -> Flow:
    position = ctx.position(node.location)
    for name in ("lexpr", "rexpr"):
        flow = expression(ctx, Slot(node, name), scope)
        use_as_plain(ctx, flow, "matched with SIMILAR TO", position, hint=_BINARY_TEXT)
    return Plain(BOOLEAN)


_KINDS: Final[dict[int, Callable[[Context, ast.A_Expr, Slot, Scope], Flow]]] = {
    enums.A_Expr_Kind.AEXPR_OP: _binary,
    enums.A_Expr_Kind.AEXPR_OP_ANY: _any_all,
    enums.A_Expr_Kind.AEXPR_OP_ALL: _any_all,
    enums.A_Expr_Kind.AEXPR_DISTINCT: _distinct,
    enums.A_Expr_Kind.AEXPR_NOT_DISTINCT: _distinct,
    enums.A_Expr_Kind.AEXPR_NULLIF: _nullif,
    enums.A_Expr_Kind.AEXPR_IN: _in,
    enums.A_Expr_Kind.AEXPR_LIKE: _like,
    enums.A_Expr_Kind.AEXPR_ILIKE: _like,
    enums.A_Expr_Kind.AEXPR_SIMILAR: _similar,
    enums.A_Expr_Kind.AEXPR_BETWEEN: _between,
    enums.A_Expr_Kind.AEXPR_NOT_BETWEEN: _between,
    enums.A_Expr_Kind.AEXPR_BETWEEN_SYM: _between,
    enums.A_Expr_Kind.AEXPR_NOT_BETWEEN_SYM: _between,
}
