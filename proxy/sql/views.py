"""Views: the definition that pg_get_viewdef() prints is analysed like a query, its constants being sealed already."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pglast import ast, parse_sql

from proxy.errors import Refused
from proxy.sql import refusals
from proxy.sql.catalog import Relation
from proxy.sql.context import Context
from proxy.sql.dispatch import STATEMENTS
from proxy.sql.flow import PLAIN, Columns, Flow, Plain, Row, Sealed, Unsealed
from proxy.sql.meeting import current, use_as_plain
from proxy.sql.scopes import is_policied
from proxy.sql.survey import named


def view_columns(ctx: Context, view: Relation) -> Columns | None:
    """Columns of a view under its own names; None: none of its tables has sealed columns.

    Raises Refused where sealed columns are used in a way that cannot be followed.
    """
    if view.oid in ctx.views:
        return ctx.views[view.oid]
    ctx.views[view.oid] = None  # a view cannot name itself; this ends the walk if it seems to
    columns: Columns | None = None
    if view.definition is not None and not view.is_system:
        statement: Any = parse_sql(view.definition)[0].stmt
        if _is_concerned(ctx, view, set()):
            columns = _analysed(ctx, view, statement)
    ctx.views[view.oid] = columns
    return columns


def _analysed(ctx: Context, view: Relation, statement: ast.Node) -> Columns:
    stored = Context(view.definition or "", ctx.catalog, ctx.path, ctx.policy)
    stored.is_stored = True
    stored.view = view
    stored.qualified = frozenset((name.schemaname, name.relname or "") for name in named(statement) if name.schemaname)
    stored.views = ctx.views
    stored.view_targets = ctx.view_targets
    stored.tables = ctx.tables
    try:
        columns = STATEMENTS[type(statement)](stored, statement, None)
        flows = [_stored_flow(stored, flow) for _, flow in columns]
    except Refused as error:
        raise refusals.view(view.qualified, error) from None
    if len(flows) != len(view.attributes):
        raise refusals.unsupported(f'view "{view.qualified}", whose columns cannot be told apart,', None)
    result: Columns = []
    for attribute, flow in zip(view.attributes, flows, strict=True):
        if isinstance(flow, Sealed):
            # through a view below, a column may be written if it may be written there
            is_target = flow.origin is not None and ctx.view_targets.get(flow.origin, True)
            ctx.view_targets[view.oid, attribute.number] = is_target
            flow = Sealed(flow.column, flow.type, (view.oid, attribute.number))
        elif isinstance(flow, Plain):
            flow = Plain(attribute.type)
        result.append((attribute.name, flow))
    return result


def _stored_flow(ctx: Context, flow: Flow) -> Flow:
    if isinstance(flow, Unsealed):
        return flow
    flow = current(flow, None)
    if isinstance(flow, Row):
        use_as_plain(ctx, flow, "selected as a record", None)
    return flow if isinstance(flow, Plain | Sealed) else PLAIN


def _is_concerned(ctx: Context, relation: Relation, seen: set[int]) -> bool:
    """True where a table of the policy stands behind the relation, at any depth."""
    if relation.oid in seen:
        return False
    seen.add(relation.oid)
    if relation.kind not in ("v", "m") or relation.definition is None or relation.is_system:
        return is_policied(ctx, relation)
    below: Iterable[Relation | None]
    if relation.depends is not None:
        below = [ctx.catalog.by_oid.get(oid) for oid in relation.depends]
        if None in below:
            return True  # the catalog cannot tell
    else:
        names = named(parse_sql(relation.definition))
        below = [ctx.catalog.resolve(name.schemaname, name.relname or "", ctx.path) for name in names]
    return any(other is not None and _is_concerned(ctx, other, seen) for other in below)
