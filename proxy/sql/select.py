"""SELECT, VALUES and set operations: clauses in the order in which PostgreSQL analyses them.

Source: src/backend/parser/analyze.c (transformSelectStmt, transformSetOperationStmt, transformValuesClause).
"""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Any, Final

from pglast import ast, enums

from proxy.config import Scheme
from proxy.sql import calls, ctes, minmax, operators, refusals, sources
from proxy.sql.context import Context, bytea_cast
from proxy.sql.dispatch import analyses, expression, plain
from proxy.sql.flow import Columns, Flow, Opaque, Row, Sealed, Slot, Unsealed, Uses
from proxy.sql.meeting import current, require, unify, use_as_plain
from proxy.sql.naming import column_name
from proxy.sql.scopes import Cte, Entry, ListItem, Scope
from proxy.sql.survey import place_of
from proxy.sql.terms import condition, qualified_item

_SET_NAMES: Final = {
    enums.SetOperation.SETOP_UNION: "UNION",
    enums.SetOperation.SETOP_INTERSECT: "INTERSECT",
    enums.SetOperation.SETOP_EXCEPT: "EXCEPT",
}
# Named here so that importing this module is enough for every expression to have its handler.
HANDLERS: Final[tuple[Callable[..., Any], ...]] = (
    operators.operator_expression,
    calls.function_call,
    minmax.greatest_least,
)


@analyses(ast.SelectStmt)
def analyse_select(ctx: Context, statement: ast.SelectStmt, outer: Scope | None) -> Columns:
    """Columns of a query; literals and parameters that met a sealed side are sealed on the way."""
    recursive, ctx.recursive = ctx.recursive, None
    scope = Scope(outer)
    ctes.with_clause(ctx, statement.withClause, scope)
    if statement.op is not None and statement.op != enums.SetOperation.SETOP_NONE:
        columns = _set_operation(ctx, statement, scope, recursive)
        scope.entries = [Entry(ListItem(None, columns))]
        _sort(ctx, statement, scope, columns)
    elif statement.valuesLists:
        columns = _values(ctx, statement, scope)
        scope.entries = [Entry(ListItem("*VALUES*", columns))]
        _sort(ctx, statement, scope, columns)
    else:
        columns = _select(ctx, statement, scope)
    for name in ("limitOffset", "limitCount"):
        if getattr(statement, name) is not None:
            where = place_of(getattr(statement, name))
            plain(ctx, Slot(statement, name), scope, "used in LIMIT or OFFSET", where)
    return columns


def _select(ctx: Context, statement: ast.SelectStmt, scope: Scope) -> Columns:
    carried = len(ctx.carried)
    sources.from_clause(ctx, statement, "fromClause", scope)
    columns = target_list(ctx, statement, "targetList", scope)
    pinned = _pinned(statement.whereClause) if statement.whereClause is not None and statement.sortClause else set()
    if statement.whereClause is not None:
        condition(ctx, Slot(statement, "whereClause"), scope)
    if statement.havingClause is not None:
        condition(ctx, Slot(statement, "havingClause"), scope)
    _sort(ctx, statement, scope, columns, pinned)
    for index in range(len(statement.groupClause or ())):
        _group(ctx, Slot(statement, "groupClause", index), scope, columns)
    for definition in statement.windowClause or ():
        calls.window(ctx, definition, scope)
    distinct = statement.distinctClause
    if distinct:
        if distinct == (None,):
            for index, (_, flow) in enumerate(columns):
                position = _target_position(ctx, statement, index, columns)
                require(ctx, flow, Scheme.EQUALITY, "used with DISTINCT", position)
        else:
            for index in range(len(distinct)):
                position = ctx.position(place_of(distinct[index]))
                flow = _named_or(ctx, Slot(statement, "distinctClause", index), scope, columns, "DISTINCT ON")
                require(ctx, flow, Scheme.EQUALITY, "used in DISTINCT ON", position)
    if distinct or statement.groupClause:
        for leaf in ctx.carried[carried:]:  # PostgreSQL must find the same expression in several clauses
            leaf.uses |= Uses.STRICT
    return columns


def target_list(ctx: Context, holder: ast.Node, name: str, scope: Scope) -> Columns:
    """The columns of SELECT or RETURNING. An expression whose name sealing would change keeps its name by an alias."""
    columns: Columns = []
    for target in getattr(holder, name) or ():
        value = target.val
        star = _star(ctx, value, scope)
        if star is not None:
            for _, flow in star:
                if isinstance(flow, Unsealed):
                    raise refusals.unsealed(flow.column, ctx.position(target.location))
            columns.extend(star)
            continue
        before = target.name or (None if isinstance(value, ast.SubLink) else column_name(value, ctx.subquery_names))
        was_edited, ctx.edited = ctx.edited, False
        flow = expression(ctx, Slot(target, "val"), scope)
        renames = ctx.edited and target.name is None and before is not None
        if renames and column_name(target.val, ctx.subquery_names) != before:
            target.name = before
        ctx.edited = ctx.edited or was_edited
        columns.append((before or column_name(target.val, ctx.subquery_names), flow))
    return columns


def _star(ctx: Context, value: Any, scope: Scope) -> Columns | None:
    """What `*`, `t.*` or `(row).*` stands for; None for every other target."""
    if isinstance(value, ast.ColumnRef) and value.fields and isinstance(value.fields[-1], ast.A_Star):
        position = ctx.position(value.location)
        if len(value.fields) > 1:
            return qualified_item(ctx, value.fields[:-1], scope, position).expand()
        visible = [entry.item for entry in scope.entries if entry.cols_visible and not entry.lateral_only]
        if not visible:
            raise refusals.syntax("SELECT * with no tables specified is not valid", position)
        return [column for item in visible for column in item.expand()]
    if isinstance(value, ast.A_Indirection) and value.indirection and isinstance(value.indirection[-1], ast.A_Star):
        if len(value.indirection) > 1:
            raise refusals.unsupported("this expansion of a row", None, "name the columns")
        flow = expression(ctx, Slot(value, "arg"), scope)
        if isinstance(flow, Row):
            return list(flow.fields)
        use_as_plain(ctx, flow, "expanded as a row", None)
        return [("", Opaque())]
    return None


def _pinned(node: Any) -> set[tuple[str, ...]]:
    """The columns, as they are written, that WHERE makes equal to a literal or parameter: all rows have one value."""
    if isinstance(node, ast.BoolExpr) and node.boolop == enums.BoolExprType.AND_EXPR:
        return {name for part in node.args or () for name in _pinned(part)}
    if not isinstance(node, ast.A_Expr) or node.kind != enums.A_Expr_Kind.AEXPR_OP:
        return set()
    if [part.sval for part in node.name or ()] != ["="]:
        return set()
    for column, value in ((node.lexpr, node.rexpr), (node.rexpr, node.lexpr)):
        while isinstance(value, ast.TypeCast):
            value = value.arg
        if isinstance(column, ast.ColumnRef) and isinstance(value, ast.A_Const | ast.ParamRef):
            return {_written(column)}
    return set()


def _written(node: Any) -> tuple[str, ...]:
    """The parts of a column's name; () for anything else."""
    if not isinstance(node, ast.ColumnRef):
        return ()
    parts = [part.sval or "" for part in node.fields or () if isinstance(part, ast.String)]
    return tuple(parts) if len(parts) == len(node.fields or ()) else ()


def _sort(
    ctx: Context, statement: ast.SelectStmt, scope: Scope, columns: Columns, pinned: Set[tuple[str, ...]] = frozenset()
) -> None:
    for sort in statement.sortClause or ():
        name = _written(sort.node)
        if name and name in pinned:
            flow = _named_or(ctx, Slot(sort, "node"), scope, columns, "ORDER BY")
            own = expression(ctx, Slot(sort, "node"), scope)
            if isinstance(own, Sealed) and own == flow and not sort.useOp:
                continue  # nothing to sort
        position = ctx.position(place_of(sort.node))
        number = sort.node.val.ival if _is_number(sort.node) else None
        if number:
            position = _target_position(ctx, statement, number - 1, columns)
        flow = _named_or(ctx, Slot(sort, "node"), scope, columns, "ORDER BY")
        calls.check_using(ctx, sort, flow)
        require(ctx, flow, Scheme.ORDER, "sorted", position)


def _is_number(node: Any) -> bool:
    return isinstance(node, ast.A_Const) and isinstance(node.val, ast.Integer)


def _target_position(ctx: Context, statement: Any, index: int, columns: Columns) -> int | None:
    """Where the expression of an output column stands; None where it comes from a `*` or from another query."""
    targets = statement.targetList or ()
    return ctx.position(targets[index].location) if len(targets) == len(columns) and index < len(targets) else None


def _named_or(ctx: Context, slot: Slot, scope: Scope, columns: Columns, clause: str) -> Flow:
    """ORDER BY, DISTINCT ON: an output column by name or number, or else an expression over the input columns.

    Source: findTargetlistEntrySQL92 in parse_clause.c.
    """
    node = slot.get()
    if isinstance(node, ast.ColumnRef) and node.fields and len(node.fields) == 1:
        part = node.fields[0]
        if isinstance(part, ast.String):
            found = [flow for name, flow in columns if name == part.sval and not isinstance(flow, Opaque)]
            if len(found) > 1:
                # Equal entries are allowed, others are ambiguous: the server knows which. All must carry the clause.
                for flow in found[1:]:
                    require(ctx, flow, Scheme.ORDER, f"used in {clause}", ctx.position(node.location))
            if found:
                return found[0]
    return _numbered(ctx, node, columns, clause) or expression(ctx, slot, scope)


def _numbered(ctx: Context, node: Any, columns: Columns, clause: str) -> Flow | None:
    if not _is_number(node):
        return None
    number = node.val.ival or 0
    opaque = next((index for index, (_, flow) in enumerate(columns) if isinstance(flow, Opaque)), None)
    if opaque is not None and number > opaque:
        for _, flow in columns[opaque:]:
            if isinstance(flow, Sealed):
                raise refusals.unknown_columns(None)
        return columns[opaque][1]
    if not 1 <= number <= len(columns):
        raise refusals.bad_reference(f"{clause} position {number} is not in select list", None)
    return columns[number - 1][1]


def _group(ctx: Context, slot: Slot, scope: Scope, columns: Columns) -> None:
    """GROUP BY: an input column before an output name; sets, ROLLUP and CUBE nest."""
    node = slot.get()
    if isinstance(node, ast.GroupingSet):
        for index in range(len(node.content or ())):
            _group(ctx, Slot(node, "content", index), scope, columns)
        return
    if isinstance(node, ast.RowExpr) and node.row_format == enums.CoercionForm.COERCE_IMPLICIT_CAST:
        for index in range(len(node.args or ())):
            _group(ctx, Slot(node, "args", index), scope, columns)
        return
    position = ctx.position(getattr(node, "location", None))
    flow = _numbered(ctx, node, columns, "GROUP BY")
    if flow is None and isinstance(node, ast.ColumnRef) and node.fields and len(node.fields) == 1:
        name = node.fields[0].sval
        flow = scope.column(name, position)
        if flow is None:
            found = [output for column, output in columns if column == name and not isinstance(output, Opaque)]
            if len(found) > 1:
                for output in found[1:]:
                    require(ctx, output, Scheme.ORDER, "used in GROUP BY", position)
            flow = found[0] if found else None
    if flow is None:
        flow = expression(ctx, slot, scope)
    require(ctx, flow, Scheme.EQUALITY, "used in GROUP BY", position)


def _values(ctx: Context, statement: ast.SelectStmt, scope: Scope) -> Columns:
    rows = []
    for index, row in enumerate(statement.valuesLists or ()):
        rows.append([expression(ctx, Slot(statement, "valuesLists", index, at), scope) for at in range(len(row))])
        if len(row) != len(rows[0]):
            raise refusals.syntax("VALUES lists must all be the same length", None)
    return [
        (f"column{at + 1}", unify(ctx, [row[at] for row in rows], "VALUES", "combined by VALUES", None))
        for at in range(len(rows[0]))
    ]


def _set_operation(ctx: Context, statement: ast.SelectStmt, scope: Scope, recursive: Cte | None) -> Columns:
    name = _SET_NAMES[statement.op] if statement.op is not None else ""
    left = _arm(ctx, statement.larg, scope)
    if recursive is not None:
        ctes.start_recursion(ctx, recursive, left)
    right = _arm(ctx, statement.rarg, scope)
    if any(isinstance(flow, Opaque) for _, flow in (*left, *right)):
        for _, flow in (*left, *right):
            if isinstance(current(flow, None), Sealed):
                raise refusals.unknown_columns(None)
        return [*left, ("", Opaque())]
    if len(left) != len(right):
        raise refusals.syntax(f"each {name} query must have the same number of columns", None)
    columns: Columns = []
    for (column, a), (_, b) in zip(left, right, strict=True):
        position = _target_position(ctx, statement.rarg, len(columns), right)
        flow = unify(ctx, [a, b], name, f"combined by {name}", position)
        if recursive is not None and isinstance(a, Sealed) and not (isinstance(b, Sealed) and b.origin):
            _widen(ctx, statement.larg, len(columns), len(left))
        if not statement.all:
            require(ctx, flow, Scheme.EQUALITY, f"used with {name}", position)
        columns.append((column, flow))
    return columns


def _widen(ctx: Context, arm: Any, index: int, width: int) -> None:
    """The recursive arm gives bytea where the first one gives the domain over it; PostgreSQL wants them equal."""
    targets = arm.targetList or ()
    if len(targets) == width:
        targets[index].val = bytea_cast(targets[index].val)
        ctx.edited = True


def _arm(ctx: Context, statement: Any, scope: Scope) -> Columns:
    return analyse_select(ctx, statement, scope)
