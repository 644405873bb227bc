"""The doors of the analysis of queries: a SELECT, its result columns."""

from __future__ import annotations

from pglast import ast

from proxy.sql import changes, refusals, select
from proxy.sql.carrying import used
from proxy.sql.context import Context
from proxy.sql.flow import Columns, Flow, Opaque, Open, Row, Sealed, Uses
from proxy.sql.meeting import current
from proxy.sql.plan import TEXT, Opening
from proxy.sql.scopes import Scope

analyse_change = changes.analyse_change


def analyse_query(ctx: Context, statement: ast.Node, outer: Scope | None = None) -> Columns:
    """Result columns (name, flow) of a SelectStmt: SELECT, VALUES, set operations, WITH. May edit the tree.

    INTO is not looked at. Raises Refused.
    """
    if not isinstance(statement, ast.SelectStmt):
        raise refusals.unsupported(type(statement).__name__, None)
    return select.analyse_select(ctx, statement, outer)


def openings(columns: Columns) -> tuple[Opening | None, ...] | None:
    """What to open in the result; None: nothing. To be called once the whole statement has been analysed, and before
    Context.finish().

    Raises Refused where sealed values would come back next to columns that are not known.
    """
    found = [_opening(flow) for _, flow in columns]
    if not any(found):
        return None
    if any(isinstance(flow, Opaque) for _, flow in columns):
        raise refusals.unknown_columns(None)
    return tuple(found)


def _opening(flow: Flow) -> Opening | None:
    flow = current(flow, None)
    if isinstance(flow, Sealed):
        used(flow, Uses.SHOWN)
        return Opening(flow.column, flow.type, flow.origin, is_mixed=bool(flow.carried))
    if isinstance(flow, Row):
        parts = tuple(_opening(part) for _, part in flow.fields)
        first = next((part for part in parts if part is not None), None)
        if first is None:
            return None
        if any(isinstance(part, Opaque) for _, part in flow.fields):
            raise refusals.whole_row(first.column, None)
        return Opening(first.column, first.type, fields=parts)
    if isinstance(flow, Open):
        for leaf in flow.leaves:
            leaf.plain_type = leaf.plain_type or leaf.source or TEXT
    return None
