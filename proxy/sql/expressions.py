"""The door for expressions that stand alone: CHECK, DEFAULT, generated columns, index expressions and predicates."""

from __future__ import annotations

from proxy.sql import queries
from proxy.sql.context import Context
from proxy.sql.dispatch import expression
from proxy.sql.flow import Flow, Slot
from proxy.sql.scopes import Scope

HANDLERS = queries.openings  # importing queries is what gives every kind of expression its handler


def analyse_expression(ctx: Context, holder: Slot, scope: Scope) -> Flow:
    """Flow of the expression in `holder`; may edit the tree, and replace the node. Raises Refused."""
    return expression(ctx, holder, scope)
