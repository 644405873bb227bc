"""INSERT, UPDATE, DELETE and MERGE: which values are stored into which columns.

Source: src/backend/parser/analyze.c (transformInsertStmt and following), parse_merge.c.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pglast import ast, enums

from proxy.errors import Refused
from proxy.sql import ctes, refusals, select, sources, views
from proxy.sql.catalog import Relation
from proxy.sql.context import Context
from proxy.sql.dispatch import analyses, children, expression
from proxy.sql.flow import PLAIN, Columns, Flow, Opaque, Plain, Sealed, Slot
from proxy.sql.meeting import assign, use_as_plain
from proxy.sql.scopes import Entry, ListItem, Scope, attribute_flow, is_policied
from proxy.sql.select import target_list
from proxy.sql.shadows import require_places
from proxy.sql.terms import condition, subquery_columns

Targets = list[tuple[str, Flow]]


@analyses(ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt, ast.MergeStmt)
def analyse_change(ctx: Context, statement: ast.Node, outer: Scope | None = None) -> Columns:
    """RETURNING's columns, [] without it. Values that go into sealed columns are sealed. Raises Refused."""
    ctx.recursive = None
    scope = Scope(outer)
    if isinstance(statement, ast.InsertStmt):
        return _insert(ctx, statement, scope)
    if isinstance(statement, ast.UpdateStmt):
        return _update(ctx, statement, scope)
    if isinstance(statement, ast.DeleteStmt):
        return _delete(ctx, statement, scope)
    if isinstance(statement, ast.MergeStmt):
        return _merge(ctx, statement, scope)
    raise refusals.unsupported(type(statement).__name__, None)


class Target:
    """The table or view that is changed."""

    def __init__(self, ctx: Context, node: ast.RangeVar) -> None:
        self._ctx = ctx
        self.node = node
        self.relation: Relation = sources.find_relation(ctx, node)
        self.item = sources.relation_item(ctx, self.relation, node.alias)
        is_view = self.relation.kind == "v"
        self._view = views.view_columns(ctx, self.relation) if is_view else None
        self._is_policied = not is_view and is_policied(ctx, self.relation)

    @property
    def names(self) -> list[str]:
        return [attribute.name for attribute in self.relation.attributes]

    def column(self, name: str, position: int | None) -> Flow:
        """Flow of a column as a target. Raises Refused 42703."""
        attribute = self.relation.by_name.get(name)
        if attribute is None:
            raise refusals.no_target_column(self.relation.name, name, position)
        if self._view is not None:
            flow = dict(self._view)[name]
            if isinstance(flow, Sealed):
                if not self._ctx.view_targets.get((self.relation.oid, attribute.number)):
                    raise refusals.not_updatable(self.relation.qualified, name, position)
                return flow
            return PLAIN
        return attribute_flow(self._ctx, self.relation, attribute) if self._is_policied else Plain(attribute.type)


def _insert(ctx: Context, statement: ast.InsertStmt, scope: Scope) -> Columns:
    ctes.with_clause(ctx, statement.withClause, scope)
    target = Target(ctx, _relation(statement))
    targets = _insert_targets(ctx, statement, target)
    source: Any = statement.selectStmt
    if source is not None:
        is_general = source.sortClause or source.limitCount or source.limitOffset or source.withClause
        if source.valuesLists and not is_general:
            for index, row in enumerate(source.valuesLists):
                _insert_row(ctx, source, ("valuesLists", index), row, targets, scope)
        else:
            columns = select.analyse_select(ctx, source, _without_entries(scope))
            _insert_columns(ctx, columns, targets, source.targetList or ())
    if statement.onConflictClause is not None:
        _on_conflict(ctx, statement.onConflictClause, target, scope)
    scope.entries = [Entry(target.item)]
    return _returning(ctx, statement, target, scope)


def _relation(statement: Any) -> ast.RangeVar:
    relation: ast.RangeVar = statement.relation
    return relation


def _without_entries(scope: Scope) -> Scope:
    level = Scope(scope.parent)
    level.ctes = scope.ctes
    return level


def _insert_targets(ctx: Context, statement: ast.InsertStmt, target: Target) -> Targets:
    if statement.cols is None:
        if statement.selectStmt is not None:
            require_places(ctx.catalog, target.relation, "INSERT INTO", ctx.position(target.node.location))
        return [(name, target.column(name, None)) for name in target.names]
    targets: Targets = []
    for column in statement.cols:
        position = ctx.position(column.location)
        targets.append((column.name, _element(ctx, column, target.column(column.name, position), position)))
    return targets


def _element(ctx: Context, node: ast.ResTarget, flow: Flow, position: int | None) -> Flow:
    """A target such as `a[1]` or `c.field`: parts of a sealed value cannot be changed."""
    if not node.indirection:
        return flow
    for step in node.indirection:
        children(ctx, step, Scope(), "used as a subscript")
    use_as_plain(ctx, flow, "changed in part", position, hint="store the whole value")
    return PLAIN


def _insert_row(
    ctx: Context, holder: ast.Node, path: tuple[str, int], row: tuple[Any, ...], targets: Targets, scope: Scope
) -> None:
    level = _without_entries(scope)
    if len(row) > len(targets):
        raise refusals.syntax("INSERT has more expressions than target columns", None)
    for index, value in enumerate(row):
        if isinstance(value, ast.SetToDefault):
            continue
        name, flow = targets[index]
        slot = Slot(holder, *path, index)
        position = ctx.position(getattr(value, "location", None))
        assign(ctx, expression(ctx, slot, level), flow, name, position, id(row))


def _insert_columns(ctx: Context, columns: Columns, targets: Targets, written: Sequence[Any]) -> None:
    """`written`: the query's target list, for the places of its columns."""
    places = [ctx.position(node.location) for node in written] if len(written) == len(columns) else []
    opaque = next((index for index, (_, flow) in enumerate(columns) if isinstance(flow, Opaque)), None)
    if opaque is not None:
        # from there on it is not known which column goes where
        rest = [flow for _, flow in (*columns[opaque:], *targets[opaque:])]
        if not all(isinstance(flow, Plain | Opaque) for flow in rest):
            raise refusals.unknown_columns(None)
        columns = columns[:opaque]
    elif len(columns) > len(targets):
        raise refusals.syntax("INSERT has more expressions than target columns", None)
    for index, ((_, flow), (name, target)) in enumerate(zip(columns, targets, strict=False)):
        assign(ctx, flow, target, name, places[index] if index < len(places) else None)


def _on_conflict(ctx: Context, clause: ast.OnConflictClause, target: Target, outer: Scope) -> None:
    scope = _without_entries(outer)
    scope.entries = [Entry(target.item)]
    infer = clause.infer
    if infer is not None:
        for element in infer.indexElems or ():
            if element.expr is not None:
                flow = expression(ctx, Slot(element, "expr"), scope)
                use_as_plain(ctx, flow, "used in an index expression", ctx.position(infer.location))
        if infer.whereClause is not None:
            condition(ctx, Slot(infer, "whereClause"), scope)
    excluded = ListItem("excluded", target.item.expand() if target.node.alias is None else _own_names(ctx, target))
    scope.entries = [Entry(target.item), Entry(excluded, cols_visible=False)]
    _set_list(ctx, clause, target, scope)
    if clause.whereClause is not None:
        condition(ctx, Slot(clause, "whereClause"), scope)


def _own_names(ctx: Context, target: Target) -> Columns:
    return sources.relation_item(ctx, target.relation, None).expand()


def _set_list(ctx: Context, holder: Any, target: Target, scope: Scope) -> None:
    """SET a = 1, (b, c) = (...), (d, e) = (SELECT ...)."""
    row: list[Flow] = []
    shared: ast.Node | None = None
    for node in holder.targetList or ():
        position = ctx.position(node.location)
        flow = _element(ctx, node, target.column(node.name, position), position)
        value = node.val
        if not isinstance(value, ast.MultiAssignRef):
            if not isinstance(value, ast.SetToDefault):
                assign(ctx, expression(ctx, Slot(node, "val"), scope), flow, node.name, position, id(holder))
            continue
        # Each of the row's columns holds a copy of the same source; the first one is analysed and serves all.
        if value.colno == 1:
            row = _row(ctx, value, scope, position)
            shared = value.source
        elif shared is not None:
            value.source = shared
        if value.ncolumns != len(row):
            raise refusals.syntax("number of columns does not match number of values", position)
        source = row[(value.colno or 1) - 1]
        if not isinstance(source, Opaque):
            assign(ctx, source, flow, node.name, position)


def _row(ctx: Context, value: ast.MultiAssignRef, scope: Scope, position: int | None) -> list[Flow]:
    source = value.source
    if isinstance(source, ast.SubLink) and source.subLinkType == enums.SubLinkType.EXPR_SUBLINK:
        return [flow for _, flow in subquery_columns(ctx, source, scope)]
    if not isinstance(source, ast.RowExpr):
        raise Refused(
            "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression",
            position=position,
            sqlstate="0A000",
        )
    flows: list[Flow] = []
    for index, part in enumerate(source.args or ()):
        if isinstance(part, ast.SetToDefault):
            flows.append(Opaque())
        else:
            flows.append(expression(ctx, Slot(source, "args", index), scope))
    return flows


def _update(ctx: Context, statement: ast.UpdateStmt, scope: Scope) -> Columns:
    ctes.with_clause(ctx, statement.withClause, scope)
    target = _changed(ctx, statement, "fromClause", scope)
    # In PostgreSQL's order: the first use of an untyped parameter gives it its type.
    if statement.whereClause is not None:
        condition(ctx, Slot(statement, "whereClause"), scope)
    columns = _returning(ctx, statement, target, scope)
    _set_list(ctx, statement, target, scope)
    return columns


def _changed(ctx: Context, statement: Any, clause: str, scope: Scope) -> Target:
    """The target table and FROM or USING, whose subqueries may not see the target."""
    target = Target(ctx, _relation(statement))
    entry = Entry(target.item)
    entry.lateral_only, entry.lateral_ok = True, False
    scope.entries = [entry]
    sources.from_clause(ctx, statement, clause, scope)
    entry.lateral_only, entry.lateral_ok = False, True
    return target


def _delete(ctx: Context, statement: ast.DeleteStmt, scope: Scope) -> Columns:
    ctes.with_clause(ctx, statement.withClause, scope)
    target = _changed(ctx, statement, "usingClause", scope)
    if statement.whereClause is not None:
        condition(ctx, Slot(statement, "whereClause"), scope)
    return _returning(ctx, statement, target, scope)


def _merge(ctx: Context, statement: ast.MergeStmt, scope: Scope) -> Columns:
    ctes.with_clause(ctx, statement.withClause, scope)
    target = Target(ctx, _relation(statement))
    entries, _ = sources.source(ctx, Slot(statement, "sourceRelation"), scope)
    own = Entry(target.item)
    sources.check_names(ctx, [own], entries)
    scope.entries = [own, *entries]
    condition(ctx, Slot(statement, "joinCondition"), scope)
    columns = _returning(ctx, statement, target, scope)
    for clause in statement.mergeWhenClauses or ():
        level = _without_entries(scope)
        if clause.matchKind == enums.MergeMatchKind.MERGE_WHEN_MATCHED:
            level.entries = scope.entries
        elif clause.matchKind == enums.MergeMatchKind.MERGE_WHEN_NOT_MATCHED_BY_SOURCE:
            level.entries = [own]
        else:
            level.entries = entries
        if clause.condition is not None:
            condition(ctx, Slot(clause, "condition"), level)
        if clause.commandType == enums.CmdType.CMD_UPDATE:
            _set_list(ctx, clause, target, level)
        elif clause.commandType == enums.CmdType.CMD_INSERT:
            _merge_insert(ctx, clause, target, level)
    return columns


def _merge_insert(ctx: Context, clause: ast.MergeWhenClause, target: Target, scope: Scope) -> None:
    names = [(node.name, node) for node in clause.targetList or ()] or [(name, None) for name in target.names]
    values = clause.values or ()
    if values and not clause.targetList:
        require_places(ctx.catalog, target.relation, "INSERT of MERGE INTO", ctx.position(target.node.location))
    if len(values) > len(names):
        raise refusals.syntax("INSERT has more expressions than target columns", None)
    for index, value in enumerate(values):
        name, node = names[index]
        flow = target.column(name, None)
        if node is not None:
            flow = _element(ctx, node, flow, None)
        if not isinstance(value, ast.SetToDefault):
            assign(ctx, expression(ctx, Slot(clause, "values", index), scope), flow, name, None)


def _returning(ctx: Context, statement: Any, target: Target, scope: Scope) -> Columns:
    """RETURNING, with PostgreSQL 18's OLD and NEW."""
    clause = statement.returningClause
    if clause is None:
        return []
    kinds = enums.ReturningOptionKind
    names = {kinds.RETURNING_OPTION_OLD: "old", kinds.RETURNING_OPTION_NEW: "new"}
    for option in clause.options or ():
        names[option.option] = option.value
    level = _without_entries(scope)
    level.entries = list(scope.entries)
    if ctx.catalog.version >= 180000:
        taken = {entry.item.name for entry in level.entries}
        for name in names.values():
            if name not in taken:
                level.entries.append(Entry(ListItem(name, target.item.expand()), cols_visible=False))
    return target_list(ctx, clause, "exprs", level)
