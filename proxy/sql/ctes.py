"""WITH: queries under a name, recursive ones and data changes among them."""

from __future__ import annotations

from pglast import ast

from proxy.sql import refusals
from proxy.sql.context import Context
from proxy.sql.dispatch import STATEMENTS, children
from proxy.sql.flow import PLAIN, Columns, Opaque, Sealed, fixed
from proxy.sql.scopes import Cte, Scope


def with_clause(ctx: Context, clause: ast.WithClause | None, scope: Scope) -> None:
    """Makes the queries of WITH known in `scope`; each is analysed once. With RECURSIVE they may refer to each other
    in any order, so they are analysed when first named."""
    if clause is None:
        return
    if not clause.recursive:
        for node in clause.ctes or ():
            # a query sees those before it, and never itself
            level = Scope(scope)
            level.ctes = dict(scope.ctes or {})
            cte = Cte(node, level)
            columns_of(ctx, cte, ctx.position(node.location))
            scope.ctes = {**(scope.ctes or {}), node.ctename: cte}
        return
    scope.ctes = {node.ctename: Cte(node, scope, is_recursive=True) for node in clause.ctes or ()}
    for cte in scope.ctes.values():
        columns_of(ctx, cte, None)


def columns_of(ctx: Context, cte: Cte, position: int | None) -> Columns:
    """The columns of a WITH query, under its alias list."""
    if cte.columns is not None:
        return cte.columns
    node = cte.node
    if cte.is_running or not isinstance(node, ast.CommonTableExpr):
        raise refusals.unsupported("mutual recursion between WITH items", position)
    cte.is_running = True
    query = node.ctequery
    handler = STATEMENTS.get(type(query))
    if handler is None:
        raise refusals.unsupported("this statement in WITH", position)
    ctx.recursive = cte if cte.is_recursive else None
    columns = handler(ctx, query, cte.scope)
    cte.columns = _finished(ctx, node, columns, position)
    cte.is_running = False
    return cte.columns


def start_recursion(ctx: Context, cte: Cte, columns: Columns) -> None:
    """Called between the two arms of the UNION: the recursive one sees the columns of the first."""
    node = cte.node
    if isinstance(node, ast.CommonTableExpr):
        cte.columns = _finished(ctx, node, columns, None)


def _finished(ctx: Context, node: ast.CommonTableExpr, columns: Columns, position: int | None) -> Columns:
    columns = [(name, fixed(flow)) for name, flow in columns]
    names = [part.sval or "" for part in node.aliascolnames or ()]
    if len(names) > len(columns):
        if not any(isinstance(flow, Opaque) for _, flow in columns):
            raise refusals.bad_reference(
                f'WITH query "{node.ctename}" has {len(columns)} columns available but {len(names)} columns specified',
                position,
            )
        if any(isinstance(flow, Sealed) for _, flow in columns):
            raise refusals.unknown_columns(position)
    columns = [(new, flow) for new, (_, flow) in zip(names, columns, strict=False)] + columns[len(names) :]
    return columns + _added(ctx, node, columns)


def _added(ctx: Context, node: ast.CommonTableExpr, columns: Columns) -> Columns:
    """The columns that SEARCH and CYCLE add; both compare values, SEARCH sorts by them."""
    added: Columns = []
    search, cycle = node.search_clause, node.cycle_clause
    for clause, listed in ((search, "search_col_list"), (cycle, "cycle_col_list")):
        for part in getattr(clause, listed, None) or ():
            for name, flow in columns:
                if name == part.sval and isinstance(flow, Sealed):
                    raise refusals.cannot(flow.column, "listed in SEARCH or CYCLE", ctx.position(node.location))
    if search is not None:
        added.append((search.search_seq_column or "", PLAIN))
    if cycle is not None:
        children(ctx, cycle, Scope(), "used in CYCLE")
        added.append((cycle.cycle_mark_column or "", PLAIN))
        added.append((cycle.cycle_path_column or "", PLAIN))
    return added
