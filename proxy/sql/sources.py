"""FROM: tables, views, CTEs, subqueries, functions and joins become entries of the namespace.

Source: src/backend/parser/parse_clause.c (transformFromClauseItem).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from pglast import ast, enums

from proxy.sql import ctes, refusals, views
from proxy.sql.calls import is_unnest
from proxy.sql.catalog import Relation
from proxy.sql.context import Context
from proxy.sql.conversions import common_type
from proxy.sql.declared import declared, declared_call
from proxy.sql.dispatch import STATEMENTS, children, each, plain
from proxy.sql.flow import PLAIN, Columns, Flow, Opaque, Open, Plain, Row, Sealed, Slot, fixed
from proxy.sql.meeting import compare, current, use_as_plain, width
from proxy.sql.scopes import Entry, Item, JoinItem, ListItem, RelationItem, Scope
from proxy.sql.spreading import spread
from proxy.sql.terms import condition

# Functions that return a set of one plain column, which takes the function's or the alias's name.
_SCALAR_SETS: Final = frozenset({"generate_series", "generate_subscripts", "regexp_split_to_table", "string_to_table"})
_OUTER: Final = frozenset({enums.JoinType.JOIN_FULL})


def from_clause(ctx: Context, holder: ast.Node, name: str, scope: Scope) -> None:
    """Adds the entries of a FROM or USING list to `scope`."""
    kept = scope.entries
    for index in range(len(getattr(holder, name) or ())):
        entries, _ = source(ctx, Slot(holder, name, index), scope)
        check_names(ctx, scope.entries, entries)
        for entry in entries:
            entry.lateral_only = True
        scope.entries = scope.entries + entries
    for entry in scope.entries:
        if entry not in kept:
            entry.lateral_only = False
            entry.lateral_ok = True


def source(ctx: Context, slot: Slot, scope: Scope) -> tuple[list[Entry], Item]:
    """One item of FROM: its entries, and the item that a join around it takes its columns from."""
    node = slot.get()
    kind = type(node)
    if kind is ast.RangeVar:
        item = range_variable(ctx, node, scope)
    elif kind is ast.RangeSubselect:
        item = _subselect(ctx, node, scope)
    elif kind is ast.JoinExpr:
        return _join(ctx, node, scope)
    elif kind is ast.RangeFunction:
        item = _function(ctx, node, scope)
    elif kind is ast.RangeTableSample:
        entries, item = source(ctx, Slot(node, "relation"), scope)
        for index in range(len(node.args or ())):
            plain(ctx, Slot(node, "args", index), scope, "used in TABLESAMPLE")
        if node.repeatable is not None:
            plain(ctx, Slot(node, "repeatable"), scope, "used in TABLESAMPLE")
        return entries, item
    elif kind in (ast.RangeTableFunc, ast.JsonTable):
        item = _table_function(ctx, node, scope)
    else:
        raise refusals.unsupported(f"{kind.__name__} in FROM", None)
    return [Entry(item)], item


def range_variable(ctx: Context, node: ast.RangeVar, scope: Scope) -> Item:
    """A CTE, table or view. Raises Refused 42P01."""
    name = node.relname or ""
    if not node.schemaname and (cte := scope.cte(name)) is not None:
        columns = ctes.columns_of(ctx, cte, ctx.position(node.location))
        return ListItem(*renamed(columns, node.alias, name))
    relation = find_relation(ctx, node)
    return relation_item(ctx, relation, node.alias)


def find_relation(ctx: Context, node: ast.RangeVar) -> Relation:
    relation = ctx.resolve(node.schemaname, node.relname or "")
    if relation is None:
        raise refusals.no_relation(node.schemaname, node.relname or "", ctx.position(node.location))
    return relation


def relation_item(ctx: Context, relation: Relation, alias: ast.Alias | None) -> Item:
    """A table or view in FROM."""
    columns = views.view_columns(ctx, relation) if relation.kind in ("v", "m") else None
    name = alias.aliasname or relation.name if alias is not None else relation.name
    item = RelationItem(ctx, relation, name, columns, aliased=alias is not None)
    if alias is not None and alias.colnames:
        return ListItem(*renamed(item.expand(), alias, name), relation=relation)
    return item


def renamed(columns: Columns, alias: ast.Alias | None, name: str | None) -> tuple[str | None, Columns]:
    """(name, columns) under an alias with an optional column list. Raises Refused 42P10."""
    if alias is None:
        return name, columns
    names = [part.sval or "" for part in alias.colnames or ()]
    if len(names) > len(columns) and not any(isinstance(flow, Opaque) for _, flow in columns):
        raise refusals.bad_reference(
            f'table "{alias.aliasname}" has {len(columns)} columns available but {len(names)} columns specified', None
        )
    if any(isinstance(flow, Opaque) for _, flow in columns[: len(names)]):
        return alias.aliasname, _after_opaque(columns, names)
    under_alias: Columns = [(new, flow) for new, (_, flow) in zip(names, columns, strict=False)]
    return alias.aliasname, under_alias + columns[len(names) :]


def _after_opaque(columns: Columns, names: list[str]) -> Columns:
    """Names given to columns that are not known: all must be plain."""
    for _, flow in columns:
        if isinstance(flow, Sealed):
            raise refusals.unknown_columns(None)
    return [*((name, PLAIN) for name in names), ("", Opaque())]


def _subselect(ctx: Context, node: ast.RangeSubselect, scope: Scope) -> Item:
    before, scope.is_lateral = scope.is_lateral, bool(node.lateral)
    columns = STATEMENTS[type(node.subquery)](ctx, node.subquery, scope)
    scope.is_lateral = before
    return ListItem(*renamed([(name, fixed(flow)) for name, flow in columns], node.alias, None))


def _function(ctx: Context, node: ast.RangeFunction, scope: Scope) -> Item:
    before, scope.is_lateral = scope.is_lateral, True
    columns: Columns = []
    alias: ast.Alias | None = node.alias
    functions: Any = node.functions or ()
    for index, (call, definitions) in enumerate(functions):
        if isinstance(call, ast.FuncCall) and (function := declared(ctx.policy, ctx.path, call)) is not None:
            if definitions or node.coldeflist:
                raise refusals.unsupported("a column definition list of a declared function", None)
            flow = declared_call(ctx, call, function, scope)
            if isinstance(flow, Row) or flow != PLAIN:
                called = alias.aliasname if alias is not None and len(functions) == 1 else function.name
                columns.extend(flow.fields if isinstance(flow, Row) else [(called or "", flow)])
            else:
                columns.append(("", Opaque()))
            continue
        if not definitions and not node.coldeflist and is_unnest(ctx, call):
            elements = _unnest(ctx, call, scope)
            single = alias is not None and len(functions) == 1 and len(elements) == 1
            called = alias.aliasname or "" if single and alias is not None else "unnest"
            columns.extend((called, flow) for flow in elements)
            continue
        plain(ctx, Slot(node, "functions", index, 0), scope, "passed to a function in FROM")
        named = definitions or (node.coldeflist if len(functions) == 1 else None)
        if named:
            columns.extend((definition.colname or "", PLAIN) for definition in named)
            continue
        name = _function_name(call)
        if name in _SCALAR_SETS:
            single = alias is not None and len(functions) == 1
            columns.append((alias.aliasname or "" if single and alias is not None else name, PLAIN))
        else:
            columns.append(("", Opaque()))
    if node.ordinality:
        columns.append(("ordinality", PLAIN))
    scope.is_lateral = before
    return ListItem(*renamed(columns, alias, _function_name(functions[0][0]) if functions else None))


def _unnest(ctx: Context, call: ast.FuncCall, scope: Scope) -> list[Flow]:
    """A column for each array."""
    columns = []
    for flow in each(ctx, call, "args", scope):
        now = current(flow, ctx.position(call.location))
        elements = spread(now)
        if elements is None:
            use_as_plain(ctx, now, "passed to a function in FROM", ctx.position(call.location))
        columns.append(PLAIN if elements is None else fixed(elements))
    return columns


def _function_name(call: object) -> str:
    return call.funcname[-1].sval or "" if isinstance(call, ast.FuncCall) and call.funcname else ""


def _table_function(ctx: Context, node: ast.Node, scope: Scope) -> Item:
    """XMLTABLE and JSON_TABLE: plain inputs, plain columns."""
    before, scope.is_lateral = scope.is_lateral, True
    children(ctx, node, scope, "used in XMLTABLE or JSON_TABLE")
    scope.is_lateral = before
    alias: ast.Alias | None = getattr(node, "alias", None)
    default = "xmltable" if isinstance(node, ast.RangeTableFunc) else "json_table"
    return ListItem(*renamed([("", Opaque())], alias, default))


def _join(ctx: Context, node: ast.JoinExpr, scope: Scope) -> tuple[list[Entry], Item]:
    left_entries, left = source(ctx, Slot(node, "larg"), scope)
    outer = scope.entries
    sees_left = node.jointype in (enums.JoinType.JOIN_INNER, enums.JoinType.JOIN_LEFT)
    for entry in left_entries:
        entry.lateral_only, entry.lateral_ok = True, sees_left
    scope.entries = outer + left_entries
    right_entries, right = source(ctx, Slot(node, "rarg"), scope)
    scope.entries = outer
    check_names(ctx, left_entries, right_entries)
    entries = left_entries + right_entries
    for entry in left_entries:
        entry.lateral_only, entry.lateral_ok = False, True
    names = [part.sval or "" for part in node.usingClause or ()]
    if node.isNatural:
        if left.is_opaque or right.is_opaque:
            names = _natural_names(left, right)
        else:
            present = {name for name, _ in right.expand()}
            names = [name for name, _ in left.expand() if name in present]
    merged = {name: _merge(ctx, node, left, right, name) for name in names}
    if node.quals is not None:
        level = Scope(scope.parent)
        level.ctes = scope.ctes
        level.entries = entries
        condition(ctx, Slot(node, "quals"), level)
    joined = JoinItem(left, right, merged)
    alias: ast.Alias | None = node.alias
    if alias is not None:
        item: Item = ListItem(*renamed(joined.expand(), alias, None))
        return [Entry(item)], item
    for entry in entries:
        entry.cols_visible = False
    entries = [*entries, Entry(joined, rel_visible=False)]
    using = node.join_using_alias
    if using is not None:
        entries.append(Entry(ListItem(using.aliasname, list(merged.items())), cols_visible=False))
    return entries, joined


def _natural_names(left: Item, right: Item) -> list[str]:
    """NATURAL with a function whose columns are not known: allowed between plain sides only."""
    for _, flow in (*left.expand(), *right.expand()):
        if not isinstance(flow, Plain | Opaque):
            raise refusals.unknown_columns(None)
    return []


def _merge(ctx: Context, node: ast.JoinExpr, left: Item, right: Item, name: str) -> Flow:
    """A column of USING: compared, and shown once."""
    pair: list[Flow] = []
    for side, item in (("left", left), ("right", right)):
        flow = item.lookup(name, None)
        if flow is None:
            if not item.is_opaque:
                raise refusals.not_using_column(name, side, None)
            flow = PLAIN
        pair.append(current(flow, None))
    compare(ctx, "=", pair[0], pair[1], None)
    first, second = (current(flow, None) for flow in pair)
    if isinstance(first, Sealed) and isinstance(second, Sealed):
        common = common_type((first.type, second.type), "JOIN/USING", None) or first.type
        if node.jointype in _OUTER:
            same = first.type == second.type
            wider = max(first.column, second.column, key=width)
            return Sealed(wider, first.type if same else common, carried=first.carried + second.carried)
        kept = second if node.jointype == enums.JoinType.JOIN_RIGHT else first
        return kept if kept.type.oid == common.oid else replace(kept, type=common, origin=None)
    if isinstance(first, Sealed | Open):
        return first
    return second if isinstance(second, Open) else PLAIN


def check_names(ctx: Context, present: list[Entry], added: list[Entry]) -> None:
    """Source: checkNameSpaceConflicts in parse_relation.c."""
    for one in present:
        if not one.rel_visible or one.item.name is None:
            continue
        for other in added:
            if other.rel_visible and other.item.name == one.item.name:
                a, b = one.item.relation, other.item.relation
                if a is not None and b is not None and a is not b:
                    continue  # two tables of one name in different schemas, neither with an alias
                raise refusals.duplicate_table(one.item.name, None)
