"""Literals and parameters beside sealed values: coalesce(balance, 0), CASE, UNION ALL, VALUES.

PostgreSQL shows such a value as it was written (0, not 0.00), but compares it by its value and stores it in the form of
its column. One sealed value cannot do all three, so it is sealed once it is known what becomes of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from proxy.config import Scheme, SealedColumn
from proxy.sql.flow import Flow, Sealed, Uses
from proxy.sql.plan import LiteralSlot, Sealing, Use

if TYPE_CHECKING:
    from proxy.sql.context import Context
    from proxy.sql.flow import Leaf


def used(flow: Flow, how: Uses, column: SealedColumn | None = None) -> None:
    """Notes what becomes of the values that `flow` carries; `column`: the one that they are stored into."""
    if not isinstance(flow, Sealed):
        return
    for leaf in flow.carried:
        if column is not None and leaf.stored_in not in (None, column):
            how = Uses.STRICT
        leaf.stored_in = column or leaf.stored_in
        leaf.uses |= how


def settle(ctx: Context) -> None:
    """Gives every carried value the form that its uses need; the strict one where they differ or are not known."""
    for leaf in ctx.carried:
        uses = leaf.uses | (Uses.COMPARED if leaf.needs > Scheme.RANDOM else Uses.NONE)
        old = leaf.sealing
        if old is None or old.use is not Use.CARRY:
            continue
        if uses is Uses.SHOWN:
            new = replace(old, use=Use.SHOW)
        elif uses is Uses.COMPARED:
            new = replace(old, use=Use.RANK)
        elif uses is Uses.STORED and leaf.stored_in is not None:
            new = replace(old, use=Use.ASSIGN, column=leaf.stored_in)
        else:
            continue
        _reseal(ctx, leaf, new)


def _reseal(ctx: Context, leaf: Leaf, sealing: Sealing) -> None:
    leaf.sealing = sealing
    if leaf.literal is not None:
        ctx.literals[leaf.literal] = LiteralSlot(ctx.literals[leaf.literal].text, sealing)
