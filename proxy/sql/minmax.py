"""GREATEST and LEAST.

PostgreSQL compares a value written beside the columns by its value and shows it as it was written: `greatest(total, 5)`
is 5, not 5.00. One sealed value cannot do both, so for numerics the call is written as a CASE over two of them.
"""

from __future__ import annotations

from pglast import ast, enums

from proxy.config import Scheme
from proxy.pgtypes import Family
from proxy.sql.context import Context
from proxy.sql.dispatch import each, handles
from proxy.sql.flow import Flow, Kind, Leaf, Open, Sealed, Slot
from proxy.sql.meeting import current, require, unify
from proxy.sql.plan import Sealing, Use
from proxy.sql.scopes import Scope
from proxy.sql.terms import comparison


@handles(ast.MinMaxExpr)
def greatest_least(ctx: Context, node: ast.MinMaxExpr, slot: Slot, scope: Scope) -> Flow:
    position = ctx.position(node.location)
    name = "GREATEST" if node.op == enums.MinMaxOp.IS_GREATEST else "LEAST"
    flows = each(ctx, node, "args", scope)
    apart = _apart(ctx, node, flows)
    flow = unify(ctx, flows, name, f"compared by {name}", position)
    if apart is not None and isinstance(flow, Sealed) and flow.column.scheme >= Scheme.ORDER:
        _spell_out(ctx, node, slot, flow, *apart)
        return flow
    require(ctx, flow, Scheme.ORDER, f"compared by {name}", position)
    return flow


def _apart(ctx: Context, node: ast.MinMaxExpr, flows: list[Flow]) -> tuple[list[ast.Node], list[Leaf], bool] | None:
    """The numeric columns, the values written beside them, and whether the columns come first; None: not so simple."""
    columns: list[ast.Node] = []
    leaves: list[Leaf] = []
    kinds = []
    for part, flow in zip(node.args or (), flows, strict=True):
        now = current(flow, None)
        if isinstance(now, Sealed):
            if not isinstance(part, ast.ColumnRef) or now.type.family is not Family.NUMERIC or now.carried:
                return None
            columns.append(part)
        elif isinstance(now, Open) and now.is_direct and now.leaves[0].kind is not Kind.NULL:
            leaves.append(now.leaves[0])
        else:
            return None
        kinds.append(isinstance(now, Sealed))
    is_sorted = kinds in (sorted(kinds), sorted(kinds, reverse=True))
    return (columns, leaves, kinds[0]) if columns and leaves and is_sorted and not ctx.is_stored else None


def _spell_out(
    ctx: Context,
    node: ast.MinMaxExpr,
    slot: Slot,
    flow: Sealed,
    columns: list[ast.Node],
    leaves: list[Leaf],
    columns_first: bool,
) -> None:
    """CASE WHEN column >= value THEN column ELSE value END: of equal ones the first is shown, and NULL is passed over.

    The slots of `leaves` move with their nodes.
    """
    wins = ">" if node.op == enums.MinMaxOp.IS_GREATEST else "<"
    best = columns[0] if len(columns) == 1 else ast.MinMaxExpr(op=node.op, args=tuple(columns))
    use = Use.COMPARE if len(leaves) == 1 else Use.RANK
    shown = [leaf.slot.get() for leaf in leaves]
    terms = [_beats(ctx, best, wins + "=" * columns_first, flow, leaf, use) for leaf in leaves]
    branches = [ast.CaseWhen(expr=_all(terms), result=best)]
    for at, leaf in enumerate(leaves[:-1]):
        others = [
            _beats(ctx, _copy(ctx, flow, leaf, use), wins + "=" * (at < other), flow, leaves[other], use)
            for other in range(len(leaves))
            if other != at
        ]
        branches.append(ast.CaseWhen(expr=_all(others), result=shown[at]))
        leaf.slot = Slot(branches[-1], "result")
    made = ast.CaseExpr(args=tuple(branches), defresult=shown[-1])
    leaves[-1].slot = Slot(made, "defresult")
    ctx.replace(slot, made)


def _all(terms: list[ast.Node]) -> ast.Node:
    if len(terms) == 1:
        return terms[0]
    return ast.BoolExpr(boolop=enums.BoolExprType.AND_EXPR, args=tuple(terms))


def _beats(ctx: Context, best: ast.Node, operator: str, flow: Sealed, leaf: Leaf, use: Use) -> ast.Node:
    """`best operator value`; a parameter may be NULL, which everything beats."""
    test = comparison(best, operator, _copy(ctx, flow, leaf, use))
    if leaf.kind is not Kind.PARAM:
        return test
    null = ast.NullTest(
        arg=_copy(ctx, flow, leaf, use), nulltesttype=enums.NullTestType.IS_NULL, argisrow=False, location=-1
    )
    return ast.BoolExpr(boolop=enums.BoolExprType.OR_EXPR, args=(test, null))


def _copy(ctx: Context, flow: Sealed, leaf: Leaf, use: Use) -> ast.Node:
    """The value of `leaf` once more, to be compared."""
    sealing = Sealing(flow.column, use, leaf.source, leaf.casts)
    if leaf.kind is Kind.LITERAL:
        return ctx.seal_literal(leaf.text, sealing)
    node = ast.ParamRef(number=leaf.number, location=-1)
    holder = ast.NullTest(arg=node)
    copy = Leaf(Kind.PARAM, Slot(holder, "arg"), number=leaf.number, source=leaf.source, location=leaf.location)
    copy.sealing = sealing
    ctx.add_param(copy)
    return node
