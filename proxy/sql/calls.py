"""Function calls, aggregates and window functions: the few that carry sealed values, and the rule for all others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from pglast import ast

from proxy.config import Scheme
from proxy.errors import Refused
from proxy.pgtypes import BY_NAME, Family, SqlType
from proxy.sql import refusals
from proxy.sql.catalog import CARRYING_FUNCTIONS, SEALED_SCHEMA
from proxy.sql.context import Context
from proxy.sql.conversions import BIGINT, DOUBLE, INTEGER, NUMBERS, TIMESTAMPTZ
from proxy.sql.declared import declared, declared_call
from proxy.sql.dispatch import each, expression, handles, plain
from proxy.sql.flow import PLAIN, Flow, Kind, Open, Plain, Row, Sealed, Slot
from proxy.sql.meeting import OPERATORS, current, require, unify, use_as_plain
from proxy.sql.plan import TEXT
from proxy.sql.scopes import Scope
from proxy.sql.spreading import spread
from proxy.sql.terms import condition

_PASSING: Final = frozenset({"first_value", "last_value", "nth_value", "any_value"})
_OFFSET: Final = frozenset({"lag", "lead"})
_CONVERSIONS: Final = {
    **{name: SqlType(BY_NAME[full]) for name, full in (("int2", "smallint"), ("int4", "integer"), ("int8", "bigint"))},
    **{name: SqlType(BY_NAME[name]) for name in ("numeric", "text", "date", "uuid", "bytea")},
}
_COUNTS: Final = frozenset({"num_nulls", "num_nonnulls"})
_MEASURES: Final = frozenset({"cardinality", "array_length", "array_ndims", "array_lower", "array_upper"})
"""What they say of an array does not depend on its elements."""
AS_LIKE: Final = "write it as LIKE 'prefix%'"
_RANGE_OFFSET: Final = 0x0002  # FRAMEOPTION_RANGE, nodes/parsenodes.h


@dataclass(slots=True)
class Call:
    """A call with the flows of its arguments, `ordered` those of WITHIN GROUP."""

    node: ast.FuncCall
    name: str
    args: list[Flow]
    ordered: list[Flow]
    position: int | None


@handles(ast.FuncCall)
def function_call(ctx: Context, node: ast.FuncCall, slot: Slot, scope: Scope) -> Flow:
    position = ctx.position(node.location)
    if (function := declared(ctx.policy, ctx.path, node)) is not None:
        return declared_call(ctx, node, function, scope)
    name, is_builtin = _name(ctx, node)
    args = each(ctx, node, "args", scope)
    if is_builtin and (converted := _conversion(ctx, node, name, args, slot)) is not None:
        return converted
    if len(args) == 1 and is_unnest(ctx, node) and (elements := spread(current(args[0], position))) is not None:
        return elements
    if node.agg_filter is not None:
        condition(ctx, Slot(node, "agg_filter"), scope)
    doing = f'sorted in "{name}"'
    ordered = sort_list(ctx, node, "agg_order", scope, doing, position, free=bool(node.agg_within_group))
    if node.over is not None:
        window(ctx, node.over, scope)
    if not any(_holds_sealed(ctx, flow, position) for flow in (*args, *ordered)):
        for flow in (*args, *ordered):
            use_as_plain(ctx, flow, f'passed to function "{name}"', position)
        return Plain(BIGINT) if is_builtin and name == "count" else PLAIN
    call = Call(node, name, args, ordered, position)
    if is_builtin and not node.func_variadic:
        known = None
        if ctx.is_stored and name in ("sealwire.min", "sealwire.max"):
            known = _extreme(ctx, call)
        elif name in CARRYING_FUNCTIONS:
            known = _known(ctx, call)
        if known is not None:
            return known
    hint = f"write pg_catalog.{name} where that is meant" if ctx.is_overloaded(name) else _hint(name)
    for flow in (*args, *ordered):
        use_as_plain(ctx, flow, f'passed to function "{name}"', position, hint=hint)
    return PLAIN


def _conversion(ctx: Context, node: ast.FuncCall, name: str, args: list[Flow], slot: Slot) -> Flow | None:
    """date('2020-01-01'), int4('5'): the call of a type's name with a literal is a cast; so PostgreSQL, where no
    function takes the literal (func_get_detail in parse_func.c). Of date($1) it chooses date(timestamptz)."""
    flow = args[0] if len(args) == 1 and node.over is None and not node.func_variadic else None
    if not isinstance(flow, Open) or not flow.is_direct or name not in _CONVERSIONS:
        return None
    (leaf,) = flow.leaves
    target = _CONVERSIONS[name]
    if leaf.type is not None and not (name == "date" and leaf.type.family in (Family.TIMESTAMP, Family.TIMESTAMPTZ)):
        return None
    if leaf.kind is Kind.PARAM and leaf.type is None:
        if name != "date":
            return None
        leaf.source = TIMESTAMPTZ
    if leaf.type is None:
        leaf.source = target
    else:
        leaf.casts = (*leaf.casts, target)
    leaf.slot = slot
    return Open(flow.leaves, target, is_direct=True)


def is_unnest(ctx: Context, node: object) -> bool:
    """Whether it is a plain call of PostgreSQL's own unnest()."""
    if not isinstance(node, ast.FuncCall) or node.func_variadic or node.over is not None or node.agg_filter is not None:
        return False
    names = [part.sval for part in node.funcname or ()]
    is_named = any(isinstance(arg, ast.NamedArgExpr) for arg in node.args or ())
    is_own = names == ["pg_catalog", "unnest"] or (names == ["unnest"] and not ctx.is_overloaded("unnest"))
    return is_own and not is_named and not node.agg_order


def _name(ctx: Context, node: ast.FuncCall) -> tuple[str, bool]:
    """The function's name, and whether it is PostgreSQL's own; a schema before pg_catalog with one of the same name is
    refused as a whole."""
    names = [part.sval or "" for part in node.funcname or ()]
    if len(names) == 1:
        return names[0], not ctx.is_overloaded(names[0])
    if names[0] == "pg_catalog":
        return names[-1], True
    return ".".join(names), ctx.is_stored and names[0] == SEALED_SCHEMA


def _holds_sealed(ctx: Context, flow: Flow, position: int | None) -> bool:
    flow = current(flow, position)
    if isinstance(flow, Row):
        return any(_holds_sealed(ctx, part, position) for _, part in flow.fields)
    return isinstance(flow, Sealed)


def _hint(name: str) -> str | None:
    if name in ("sum", "avg", "stddev", "variance", "percentile_cont"):
        return "select the values and compute in the application"
    if name in ("lower", "upper", "trim", "btrim"):
        return "store the folded form in a sealed column of its own, and compare that"
    if name == "starts_with":
        return AS_LIKE
    return None


def _known(ctx: Context, call: Call) -> Flow | None:
    """The call's flow where the function carries sealed values; None: treat it like any other function."""
    name, node = call.name, call.node
    if name == "count" and len(call.args) == 1:
        if node.agg_distinct:
            require(ctx, call.args[0], Scheme.EQUALITY, 'counted with "DISTINCT"', call.position)
        return Plain(BIGINT)
    if name in _COUNTS:
        return None if any(isinstance(flow, Row) for flow in call.args) else Plain(INTEGER)
    if name in ("mode", "percentile_disc"):
        return _ordered_set(ctx, call)
    first = current(call.args[0], call.position) if call.args else PLAIN
    if isinstance(first, Sealed) and first.is_array and name in _MEASURES:
        for flow in call.args[1:]:
            use_as_plain(ctx, flow, f'passed to function "{name}"', call.position, INTEGER)
        return Plain(INTEGER)
    if not isinstance(first, Sealed) or first.is_array:
        return None
    result = replace(first, type=first.type.unmodified, origin=None)
    if name in _OFFSET:
        return _offset(ctx, call, first)
    for flow in call.args[1:]:
        use_as_plain(ctx, flow, f'passed to function "{name}"', call.position, INTEGER)
    if name in ("min", "max") and len(call.args) == 1:
        return _extreme(ctx, call)
    if name == "array_agg" and len(call.args) == 1:
        if node.agg_distinct:
            require(ctx, first, Scheme.EQUALITY, 'aggregated with "DISTINCT"', call.position)
            if first.column.scheme < Scheme.ORDER:
                # DISTINCT sorts, and the array comes out sorted
                raise refusals.needs(first.column, Scheme.ORDER, 'aggregated with "DISTINCT"', call.position)
        return None if first.type.is_array else replace(result, type=result.type.array)
    return result if name in _PASSING else None


def _extreme(ctx: Context, call: Call) -> Flow | None:
    """min and max: on bytea they exist from PostgreSQL 18 only, so the ones of the schema sealwire are called."""
    first = current(call.args[0], call.position)
    if not isinstance(first, Sealed) or first.is_array:
        return None
    name = call.name.rpartition(".")[2]
    require(ctx, first, Scheme.ORDER, f"used with {name}()", call.position)
    kind: SqlType = first.type.unmodified
    if kind.family in (Family.BOOLEAN, Family.JSON, Family.JSONB, Family.UUID) or (
        kind.family is Family.BYTEA and ctx.catalog.version < 180000
    ):
        raise Refused(
            f"function {name}({kind}) does not exist",
            hint="No function matches the given name and argument types. You might need to add explicit type casts.",
            position=call.position,
            sqlstate="42883",
        )
    if not ctx.is_stored:
        ctx.note(call.node, call.node)
        call.node.funcname = (ast.String(sval=SEALED_SCHEMA), ast.String(sval=name))
    kind = TEXT if kind.facts.name == "character varying" else kind
    return replace(first, type=kind, origin=None)


def _offset(ctx: Context, call: Call, first: Sealed) -> Flow | None:
    """lag and lead: the third argument stands beside the column's values."""
    if len(call.args) > 3:
        return None
    if len(call.args) > 1:
        use_as_plain(ctx, call.args[1], f'passed to function "{call.name}"', call.position, INTEGER)
    if len(call.args) < 3:
        return replace(first, type=first.type.unmodified, origin=None)
    doing = f'combined by function "{call.name}"'
    flow = unify(ctx, [first, call.args[2]], call.name.upper(), doing, call.position)
    return replace(flow, type=flow.type.unmodified) if isinstance(flow, Sealed) else None


def _ordered_set(ctx: Context, call: Call) -> Flow | None:
    """mode() and percentile_disc() WITHIN GROUP return one of the sorted values."""
    if not call.node.agg_within_group or len(call.ordered) != 1:
        return None
    flow = current(call.ordered[0], call.position)
    if not isinstance(flow, Sealed):
        return None
    for arg in call.args:
        use_as_plain(ctx, arg, f'passed to function "{call.name}"', call.position)
    # The manual lets mode() choose among equally frequent values, so equality suffices.
    wanted = Scheme.EQUALITY if call.name == "mode" else Scheme.ORDER
    require(ctx, flow, wanted, f"used with {call.name}()", call.position)
    fraction = call.args[0] if call.args else None
    if call.name == "percentile_disc":
        if not isinstance(fraction, Open) or not (fraction.is_direct or fraction.is_array):
            return None
        if fraction.is_array or (fraction.type is not None and fraction.type.is_array):
            return replace(flow, type=flow.type.unmodified.array, origin=None)
        if fraction.type is None and flow.type.family in NUMBERS:
            fraction.leaves[0].plain_type = DOUBLE
            name = ast.TypeName(names=(ast.String(sval="pg_catalog"), ast.String(sval="float8")), typemod=-1)
            ctx.replace(Slot(call.node, "args", 0), ast.TypeCast(arg=Slot(call.node, "args", 0).get(), typeName=name))
    return replace(flow, type=flow.type.unmodified, origin=None)


def sort_list(
    ctx: Context,
    holder: ast.Node,
    name: str,
    scope: Scope,
    doing: str,
    position: int | None,
    *,
    free: bool = False,
) -> list[Flow]:
    """ORDER BY inside a call or window. `free`: what the order needs is for the caller to say."""
    flows = []
    for sort in getattr(holder, name) or ():
        flow = expression(ctx, Slot(sort, "node"), scope)
        check_using(ctx, sort, flow)
        if not free:
            require(ctx, flow, Scheme.ORDER, doing, position or ctx.position(sort.location))
        flows.append(flow)
    return [] if not free else flows


def check_using(ctx: Context, sort: ast.SortBy, flow: Flow) -> None:
    """`ORDER BY x USING op`."""
    if sort.useOp and sort.useOp[-1].sval not in OPERATORS:
        use_as_plain(ctx, flow, f'sorted with operator "{sort.useOp[-1].sval}"', ctx.position(sort.location))


def window(ctx: Context, node: ast.WindowDef, scope: Scope) -> None:
    """OVER (...) or one entry of WINDOW."""
    position = ctx.position(node.location)
    for flow in each(ctx, node, "partitionClause", scope):
        require(ctx, flow, Scheme.EQUALITY, "used in PARTITION BY", position)
    is_range = bool((node.frameOptions or 0) & _RANGE_OFFSET)
    offsets = [name for name in ("startOffset", "endOffset") if getattr(node, name) is not None]
    for sort in node.orderClause or ():
        flow = expression(ctx, Slot(sort, "node"), scope)
        check_using(ctx, sort, flow)
        require(ctx, flow, Scheme.ORDER, "sorted in a window", position)
        flow = current(flow, position)
        if is_range and offsets and isinstance(flow, Sealed):
            raise refusals.cannot(flow.column, "used in a RANGE frame with an offset", position, "use a ROWS frame")
    for name in offsets:
        plain(ctx, Slot(node, name), scope, "used as a frame offset", node.location)
