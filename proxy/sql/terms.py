"""Parts of an expression other than operators and calls: columns, constants, parameters, casts, CASE, subqueries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from pglast import ast, enums

from proxy.config import Scheme
from proxy.pgtypes import SqlType, type_of_oid
from proxy.sql import refusals
from proxy.sql.catalog import SEALED_SCHEMA, SEALED_TYPE
from proxy.sql.context import Context, bytea_cast
from proxy.sql.conversions import (
    BIGINT,
    BOOLEAN,
    BYTEA,
    INTEGER,
    NUMERIC,
    STRINGS,
    common_type,
    common_typmod,
    keeps,
    type_of_name,
)
from proxy.sql.dispatch import STATEMENTS, children, each, expression, handles
from proxy.sql.flow import (
    PLAIN,
    Columns,
    Flow,
    Kind,
    Leaf,
    Opaque,
    Open,
    Plain,
    Row,
    Sealed,
    Slot,
    Unsealed,
    fixed,
    resolve_unknown,
)
from proxy.sql.meeting import compare, current, require, unify, use_as_plain
from proxy.sql.plan import TEXT, Sealing, Use
from proxy.sql.scopes import Item, Scope
from proxy.sql.survey import place_of

_BYTEWISE: Final = frozenset({"C", "POSIX", "ucs_basic"})
_INT4: range = range(-(2**31), 2**31)
_INT8: range = range(-(2**63), 2**63)


@handles(ast.ColumnRef)
def column_reference(ctx: Context, node: ast.ColumnRef, slot: Slot, scope: Scope) -> Flow:
    """A column, or a whole-row reference. Source: transformColumnRef in parse_expr.c."""
    position = ctx.position(node.location)
    fields = node.fields or ()
    if isinstance(fields[-1], ast.A_Star):
        return _record(qualified_item(ctx, fields[:-1], scope, position).expand())
    name = fields[-1].sval
    if len(fields) > 1:
        item = qualified_item(ctx, fields[:-1], scope, position)
        flow = item.lookup(name, position)
        if flow is None:
            if item.is_opaque:
                return PLAIN
            raise refusals.no_column(fields[-2].sval, name, position)
    else:
        flow = scope.column(name, position)
        if flow is None:
            row = scope.relation(None, name, ctx, position)
            if row is None:
                raise refusals.no_column(None, name, position)
            return _record(row.expand())
    if isinstance(flow, Unsealed):
        raise refusals.unsealed(flow.column, position)
    return _computed(flow) if isinstance(flow, Row) else flow


def _computed(flow: Flow) -> Flow:
    """The value of a subquery or of a row that a subquery has made: no column of a table any more."""
    if isinstance(flow, Sealed):
        return replace(flow, origin=None)
    if isinstance(flow, Row):
        return replace(flow, fields=tuple((name, _computed(part)) for name, part in flow.fields))
    return flow


def qualified_item(ctx: Context, qualifier: tuple[ast.String, ...], scope: Scope, position: int | None) -> Item:
    """The FROM entry that `t`, `s.t` or `db.s.t` names. Raises Refused 42P01, 42601."""
    if not qualifier:
        raise refusals.syntax('row expansion via "*" is not supported here', position)
    if len(qualifier) > 3:
        raise refusals.syntax("improper qualified name (too many dotted names)", position)
    name = qualifier[-1].sval or ""
    schema = qualifier[-2].sval if len(qualifier) > 1 else None
    item = scope.relation(schema, name, ctx, position)
    if item is None:
        raise scope.missing(name, ctx, position)
    return item


def _record(columns: Columns) -> Flow:
    return Row(tuple(columns), is_record=True)


@handles(ast.ParamRef)
def parameter(ctx: Context, node: ast.ParamRef, slot: Slot, scope: Scope) -> Flow:
    number = node.number or 0
    declared = ctx.declared_type(number)
    leaf = Leaf(
        Kind.PARAM,
        slot,
        number=number,
        source=type_of_oid(declared) if declared else None,
        location=node.location,
    )
    ctx.add_param(leaf)
    return Open((leaf,), leaf.type, is_direct=True)


@handles(ast.A_Const)
def constant(ctx: Context, node: ast.A_Const, slot: Slot, scope: Scope) -> Flow:
    """A literal. Numbers have the type that PostgreSQL's scanner and make_const give them."""
    value = node.val
    if node.isnull:
        leaf = Leaf(Kind.NULL, slot)
    elif isinstance(value, ast.String):
        leaf = Leaf(Kind.LITERAL, slot, text=value.sval or "")
    elif isinstance(value, ast.Integer):
        leaf = Leaf(Kind.LITERAL, slot, text=str(value.ival or 0), source=INTEGER)
    elif isinstance(value, ast.Float):
        leaf = _number(slot, value.fval or "")
    elif isinstance(value, ast.Boolean):
        leaf = Leaf(Kind.LITERAL, slot, text="true" if value.boolval else "false", source=BOOLEAN)
    else:
        return PLAIN
    return Open((leaf,), leaf.type, is_direct=True)


def _number(slot: Slot, text: str) -> Leaf:
    digits = text.replace("_", "")
    try:
        whole = int(digits, 0) if not digits.lstrip("-").startswith("0") or "x" in digits.lower() else int(digits)
    except ValueError:
        try:
            whole = int(digits, 0)
        except ValueError:
            return Leaf(Kind.LITERAL, slot, text=digits, source=NUMERIC)
    kind = INTEGER if whole in _INT4 else BIGINT if whole in _INT8 else NUMERIC
    return Leaf(Kind.LITERAL, slot, text=str(whole), source=kind)


@handles(ast.TypeCast)
def cast(ctx: Context, node: ast.TypeCast, slot: Slot, scope: Scope) -> Flow:
    """`expression::type`, `CAST(...)`, `type 'literal'`."""
    position = ctx.position(node.location)
    kind = Slot(node, "typeName").get()
    target = type_of_name(kind, position)
    if target is not None and (leaf := _bits(node, target, slot)) is not None:
        return Open((leaf,), target, is_direct=True)
    if target is None and ctx.is_stored and _is_sealed_type(kind):
        target = BYTEA.array if kind.arrayBounds else BYTEA
    inner = Slot(node, "arg")
    if isinstance(node.arg, ast.A_ArrayExpr) and target is not None and target.is_array:
        flows = each(ctx, node.arg, "elements", scope)
        if all(isinstance(flow, Open) and flow.is_direct for flow in flows):
            leaves = tuple(leaf for flow in flows if isinstance(flow, Open) for leaf in flow.leaves)
            for leaf in leaves:
                _add_cast(leaf, target.element)
            return Open(leaves, None if ctx.is_stored else target, is_array=True, slot=slot)
        flow: Flow = _array(ctx, flows, inner, position)
    else:
        flow = expression(ctx, inner, scope)
    flow = current(flow, position)
    name = ".".join(part.sval or "" for part in kind.names or ())
    if isinstance(flow, Sealed):
        return _cast_sealed(ctx, node, slot, flow, target, name, position)
    if isinstance(flow, Open) and flow.is_direct and target is not None:
        leaf = flow.leaves[0]
        if leaf.source is not None or leaf.kind is not Kind.PARAM or not ctx.declared_type(leaf.number):
            _add_cast(leaf, target)
            leaf.slot = slot
            # the bytea constants of a stored definition take the type of the sealed side that they meet
            known = None if ctx.is_stored and target.family is BYTEA.family else target
            return Open(flow.leaves, known, is_direct=True)
    if isinstance(flow, Open) and not flow.is_direct and target is not None and not (flow.is_array or target.is_array):
        casts, wraps = (*flow.casts, target), (*flow.wraps, slot)
        return replace(flow, type=target, casts=casts, wraps=wraps)
    use_as_plain(ctx, flow, f"cast to {name}", position)
    return Plain(target)


def _bits(node: ast.TypeCast, target: SqlType, slot: Slot) -> Leaf | None:
    """B'101' or X'1F', cast to text or to an integer; None: anything else."""
    if not isinstance(node.arg, ast.A_Const) or not isinstance(node.arg.val, ast.BitString):
        return None
    form, digits = (node.arg.val.bsval or "b")[0], (node.arg.val.bsval or "b")[1:]
    if form == "x":
        digits = "".join(f"{int(digit, 16):04b}" for digit in digits)
    if target.family is TEXT.family and not target.is_array:
        leaf = Leaf(Kind.LITERAL, slot, text=digits, source=TEXT)
    elif target in (INTEGER, BIGINT) and 0 < len(digits) < (32 if target == INTEGER else 64):
        leaf = Leaf(Kind.LITERAL, slot, text=str(int(digits, 2)), source=target)
    else:
        return None
    if target != leaf.source:
        leaf.casts = (target,)
    return leaf


def _is_sealed_type(name: ast.TypeName) -> bool:
    return [part.sval for part in name.names or ()] == [SEALED_SCHEMA, SEALED_TYPE]


def _add_cast(leaf: Leaf, target: SqlType) -> None:
    if leaf.source is None:
        leaf.source = target.unmodified
        if target.typmod == -1:
            return
    leaf.casts = (*leaf.casts, target)


def _cast_sealed(
    ctx: Context,
    node: ast.TypeCast,
    slot: Slot,
    flow: Sealed,
    target: SqlType | None,
    name: str,
    position: int | None,
) -> Flow:
    if ctx.is_stored and target is not None and target.family is BYTEA.family and target.is_array == flow.is_array:
        return flow  # domain to base type: how PostgreSQL prints what it compares
    if (
        target is None
        or target.family is not flow.type.family
        or target.is_array != flow.type.is_array
        or not keeps(flow.type, target)
    ):
        raise refusals.cast_of_sealed(flow.column, str(target) if target else name, position)
    if target.typmod != -1 and target != flow.type:
        _unwrap(ctx, slot, Slot(node, "arg").get())
        return replace(flow, type=target, origin=None)
    ctx.replace(slot, Slot(node, "arg").get())
    return replace(flow, type=target)


def _unwrap(ctx: Context, slot: Slot, inner: Any) -> None:
    """Takes away what means nothing on ciphertext; a result column stays an expression, of no table."""
    ctx.replace(slot, bytea_cast(inner) if isinstance(slot.holder, ast.ResTarget) else inner)


@handles(ast.NullTest)
def null_test(ctx: Context, node: ast.NullTest, slot: Slot, scope: Scope) -> Flow:
    flow = expression(ctx, Slot(node, "arg"), scope)
    if isinstance(flow, Open) and flow.is_direct:
        flow.leaves[0].is_neutral = True
    return Plain(BOOLEAN)


@handles(ast.BoolExpr)
def boolean_expression(ctx: Context, node: ast.BoolExpr, slot: Slot, scope: Scope) -> Flow:
    given = node.args or ()
    for index in range(len(given)):
        condition(ctx, Slot(node, "args", index), scope)
    if node.args != given:
        node.args = tuple(_flattened(node, given))
    return Plain(BOOLEAN)


def _flattened(node: ast.BoolExpr, given: tuple[ast.Node, ...]) -> Iterator[ast.Node]:
    """LIKE 'x%' has become `a AND b`: among the terms of an AND it is two terms, as the parser reads it."""
    for before, after in zip(given, node.args or (), strict=True):
        if after is not before and isinstance(after, ast.BoolExpr) and after.boolop == node.boolop:
            yield from after.args or ()
        else:
            yield after


@handles(ast.BooleanTest)
def boolean_test(ctx: Context, node: ast.BooleanTest, slot: Slot, scope: Scope) -> Flow:
    condition(ctx, Slot(node, "arg"), scope)
    return Plain(BOOLEAN)


def condition(ctx: Context, slot: Slot, scope: Scope) -> None:
    """An expression that the server evaluates as true or false; a sealed boolean is compared with true instead."""
    flow = expression(ctx, slot, scope)
    position = ctx.position(getattr(slot.get(), "location", None))
    flow = current(flow, position)
    if isinstance(flow, Sealed) and flow.type.family is BOOLEAN.family and not flow.type.is_array and not ctx.is_stored:
        require(ctx, flow, Scheme.EQUALITY, "used as a condition", position)
        truth = ctx.seal_literal("true", Sealing(flow.column, Use.COMPARE, BOOLEAN))
        ctx.replace(slot, comparison(slot.get(), "=", truth))
        return
    use_as_plain(ctx, flow, "used as a condition", position, BOOLEAN)


def comparison(left: ast.Node | None, operator: str, right: ast.Node) -> ast.A_Expr:
    """A new node: `left operator right`."""
    return ast.A_Expr(
        kind=enums.A_Expr_Kind.AEXPR_OP,
        name=(ast.String(sval=operator),),
        lexpr=left,
        rexpr=right,
        rexpr_list_start=0,
        rexpr_list_end=0,
    )


@handles(ast.CaseExpr)
def case(ctx: Context, node: ast.CaseExpr, slot: Slot, scope: Scope) -> Flow:
    position = ctx.position(node.location)
    subject: Flow | None = None
    if node.arg is not None:
        subject = expression(ctx, Slot(node, "arg"), scope)
        if isinstance(subject, Open):
            resolve_unknown(subject, TEXT)
    results: list[Flow] = []
    for branch in node.args or ():
        if subject is None:
            condition(ctx, Slot(branch, "expr"), scope)
        else:
            compare(ctx, "=", subject, expression(ctx, Slot(branch, "expr"), scope), position)
        results.append(expression(ctx, Slot(branch, "result"), scope))
    default: Flow = Open(()) if node.defresult is None else expression(ctx, Slot(node, "defresult"), scope)
    return unify(ctx, [default, *results], "CASE", "combined by CASE", position)


@handles(ast.CoalesceExpr)
def coalesce(ctx: Context, node: ast.CoalesceExpr, slot: Slot, scope: Scope) -> Flow:
    return unify(ctx, each(ctx, node, "args", scope), "COALESCE", "combined by coalesce", ctx.position(node.location))


@handles(ast.A_ArrayExpr)
def array(ctx: Context, node: ast.A_ArrayExpr, slot: Slot, scope: Scope) -> Flow:
    return _array(ctx, each(ctx, node, "elements", scope), slot, ctx.position(node.location))


def _array(ctx: Context, flows: list[Flow], slot: Slot, position: int | None) -> Flow:
    if flows and all(isinstance(flow, Open) and flow.is_direct for flow in flows):
        opens = [element for element in flows if isinstance(element, Open)]
        kinds = [element.type for element in opens]
        common = common_type(kinds, "ARRAY", position) or TEXT
        for element in opens:
            resolve_unknown(element, common)
        if not common.is_array:
            leaves = tuple(leaf for element in opens for leaf in element.leaves)
            kind = None if ctx.is_stored else common_typmod(kinds, common).array
            return Open(leaves, kind, is_array=True, slot=slot)
    if any(isinstance(current(flow, position), Sealed) for flow in flows):
        flow = unify(ctx, flows, "ARRAY", "put into an array", position)
        if isinstance(flow, Sealed) and not flow.type.is_array:
            return replace(flow, type=flow.type.array)
        if isinstance(flow, Sealed):
            raise refusals.cannot(flow.column, "nested in another array", position)
        return PLAIN
    for flow in flows:
        use_as_plain(ctx, flow, "put into an array", position)
    return PLAIN


@handles(ast.RowExpr)
def row(ctx: Context, node: ast.RowExpr, slot: Slot, scope: Scope) -> Flow:
    fields: list[tuple[str, Flow]] = []
    for index, part in enumerate(node.args or ()):
        names = part.fields or () if isinstance(part, ast.ColumnRef) else ()
        if names and isinstance(names[-1], ast.A_Star):
            fields.extend(qualified_item(ctx, names[:-1], scope, ctx.position(part.location)).expand())
        else:
            fields.append((f"f{len(fields) + 1}", expression(ctx, Slot(node, "args", index), scope)))
    return Row(tuple(fields))


@handles(ast.A_Indirection)
def indirection(ctx: Context, node: ast.A_Indirection, slot: Slot, scope: Scope) -> Flow:
    """`(row).column` and `array[n]`."""
    flow = expression(ctx, Slot(node, "arg"), scope)
    steps = node.indirection or ()
    for step in steps:
        if isinstance(step, ast.A_Indices):
            children(ctx, step, scope, "used as a subscript")
    position = ctx.position(place_of(node.arg))
    flow = current(flow, position)
    if len(steps) == 1:
        step = steps[0]
        if isinstance(flow, Row) and flow.is_record and isinstance(step, ast.String):
            found = [part for name, part in flow.fields if name == step.sval and not isinstance(part, Opaque)]
            if len(found) == 1:
                if isinstance(found[0], Unsealed):
                    raise refusals.unsealed(found[0].column, None)
                return found[0]
        if isinstance(flow, Sealed) and flow.is_array and isinstance(step, ast.A_Indices):
            return replace(flow, type=flow.type if step.is_slice else flow.type.element, origin=None)
    use_as_plain(ctx, flow, "subscripted", position)
    return PLAIN


@handles(ast.CollateClause)
def collate(ctx: Context, node: ast.CollateClause, slot: Slot, scope: Scope) -> Flow:
    """COLLATE "C" is how sealed text compares anyway."""
    position = ctx.position(node.location)
    flow = current(expression(ctx, Slot(node, "arg"), scope), position)
    names = [part.sval for part in node.collname or ()]
    if names[-1] in _BYTEWISE and names[:-1] in ([], ["pg_catalog"]):
        if isinstance(flow, Sealed) and flow.type.family in STRINGS and not flow.type.is_array:
            _unwrap(ctx, slot, node.arg)
            return _computed(flow)
        if isinstance(flow, Open) and flow.is_direct and (flow.type is None or flow.type.family in STRINGS):
            flow.leaves[0].slot = slot
            return flow
    hint = 'leave out COLLATE, or write COLLATE "C": sealed text compares by its bytes'
    use_as_plain(ctx, flow, "given a collation", position, hint=hint)
    return flow if isinstance(flow, Plain) else PLAIN


@handles(ast.GroupingFunc)
def grouping(ctx: Context, node: ast.GroupingFunc, slot: Slot, scope: Scope) -> Flow:
    each(ctx, node, "args", scope)  # only names the grouping expressions, takes no values
    return Plain(INTEGER)


@handles(ast.SQLValueFunction, ast.MergeSupportFunc)
def value_function(ctx: Context, node: ast.Node, slot: Slot, scope: Scope) -> Flow:
    return PLAIN


@handles(ast.SubLink)
def subquery(ctx: Context, node: ast.SubLink, slot: Slot, scope: Scope) -> Flow:
    kind = node.subLinkType
    position = ctx.position(node.location)
    if kind in (enums.SubLinkType.ANY_SUBLINK, enums.SubLinkType.ALL_SUBLINK):
        left = expression(ctx, Slot(node, "testexpr"), scope)
        columns = subquery_columns(ctx, node, scope)
        _compare_columns(ctx, node, left, columns, position)
        return Plain(BOOLEAN)
    columns = subquery_columns(ctx, node, scope)
    if kind == enums.SubLinkType.EXISTS_SUBLINK:
        return Plain(BOOLEAN)
    if any(isinstance(flow, Opaque) for _, flow in columns):
        for _, flow in columns:
            use_as_plain(ctx, flow, "selected next to columns that are not known", position)
        return PLAIN
    if len(columns) != 1:
        raise refusals.syntax("subquery must return only one column", position)
    ctx.subquery_names[id(node)] = columns[0][0]
    flow = _computed(current(columns[0][1], position))
    if kind == enums.SubLinkType.EXPR_SUBLINK:
        return flow
    if kind != enums.SubLinkType.ARRAY_SUBLINK:
        raise refusals.unsupported("this kind of subquery", position)
    if isinstance(flow, Sealed) and not flow.type.is_array:
        return replace(flow, type=flow.type.array)
    use_as_plain(ctx, flow, "put into an array", position)
    return PLAIN


def subquery_columns(ctx: Context, node: ast.SubLink, scope: Scope) -> Columns:
    """The columns of a subquery inside an expression, its own literals of unknown type read as text."""
    handler = STATEMENTS.get(type(node.subselect))
    if handler is None:
        raise refusals.unsupported("this kind of subquery", ctx.position(node.location))
    return [(name, fixed(flow)) for name, flow in handler(ctx, node.subselect, scope)]


def _compare_columns(ctx: Context, node: ast.SubLink, left: Flow, columns: Columns, position: int | None) -> None:
    if any(isinstance(flow, Opaque) for _, flow in columns) or (isinstance(left, Row) and left.is_record):
        for _, flow in (("", left), *columns):
            use_as_plain(ctx, flow, "compared with columns that are not known", position)
        return
    operator = node.operName[-1].sval or "" if node.operName else "="
    if node.operName and len(node.operName) > 1 and node.operName[0].sval != "pg_catalog":
        operator = ".".join(part.sval or "" for part in node.operName)
    width = len(left.fields) if isinstance(left, Row) and not left.is_record else 1
    if len(columns) != width:
        few = len(columns) < width
        raise refusals.syntax(f"subquery has too {'few' if few else 'many'} columns", position)
    if width == 1 and not isinstance(left, Row):
        compare(ctx, operator, left, columns[0][1], position)
    else:
        compare(ctx, operator, left, Row(tuple(columns)), position)
