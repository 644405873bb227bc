"""unnest(): an array of literals, or one that is a parameter, whose elements become rows.

`INSERT ... SELECT * FROM unnest($1::text[], $2::int[])` and `JOIN unnest(...) AS v (email) USING (email)` are how many
values are sent at once. The elements are open values like those of a VALUES list: the array is sealed element by
element once they meet a sealed column.
"""

from __future__ import annotations

from dataclasses import replace

from pglast import ast

from proxy.sql.context import Context, bytea_cast
from proxy.sql.flow import Flow, Kind, Leaf, Open, Sealed
from proxy.sql.plan import Sealing


def spread(flow: Flow) -> Flow | None:
    """The elements of an array, one a row; None: the array is neither sealed nor open, or ARRAY[] of nothing."""
    if isinstance(flow, Sealed):
        return replace(flow, type=flow.type.element, origin=None) if flow.is_array else None
    if not isinstance(flow, Open) or flow.type is None or not flow.type.is_array or not flow.leaves:
        return None
    if flow.is_array:
        return Open(flow.leaves, flow.type.element, is_shared=flow.is_shared, spread=flow.slot)
    return Open(flow.leaves, flow.type.element, spread=flow.leaves[0].slot) if flow.is_direct else None


def is_whole(leaf: Leaf, flow: Open) -> bool:
    """Whether the leaf is the array itself, rather than an element of ARRAY[...]."""
    return leaf.slot is flow.spread


def seal_spread(ctx: Context, leaf: Leaf, flow: Open, sealing: Sealing) -> None:
    """As Context.seal, for a leaf of `flow`, whose array becomes a bytea[]."""
    if not is_whole(leaf, flow):
        ctx.seal(leaf, sealing)
        array = leaf.slot.holder
        if flow.spread is not None and leaf is flow.leaves[-1]:
            ctx.replace(flow.spread, bytea_cast(array, is_array=True))
    elif leaf.kind is Kind.PARAM:
        ctx.seal(leaf, sealing)
    elif leaf.kind is Kind.NULL:
        leaf.sealing = sealing
        ctx.replace(leaf.slot, bytea_cast(ast.A_Const(isnull=True), is_array=True))
    else:
        leaf.sealing, leaf.literal = sealing, len(ctx.literals)
        ctx.replace(leaf.slot, ctx.seal_literal(leaf.text, sealing, is_array=True))
