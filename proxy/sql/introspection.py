"""Introspection shows the application's types: pg_attribute and information_schema.columns as if nothing were sealed.

A query that reads one of the two directly gets a subquery in its place, with the same columns of the same types in the
same order, where the rows of sealed columns carry the type that the policy gives them. What format_type(), a join with
pg_type or the functions of information_schema then make of it is right by itself. Where the replacement could change
what a query means, the query is left as it is: it shows the physical type then, which gives nothing away.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pglast import ast, parse_sql

from proxy.errors import Refused
from proxy.pgtypes import SqlType
from proxy.sql.catalog import Relation
from proxy.sql.context import Context
from proxy.sql.flow import Sealed, Slot
from proxy.sql.scopes import SYSTEM_COLUMNS
from proxy.sql.survey import Mentions, Tree, children_of
from proxy.sql.task import Task
from proxy.sql.views import view_columns

Key = tuple[str, str]
Shown = list[tuple[int, int, SqlType]]
"""(relation OID, attribute number, type for the application)"""

_ATTRIBUTE: Final = {
    "atttypid": "v.typid",
    "atttypmod": "v.typmod",
    "attndims": "v.ndims",
    "attlen": "t.typlen",
    "attbyval": "t.typbyval",
    "attalign": "t.typalign",
    "attstorage": "t.typstorage",
    "attcollation": "t.typcollation",
}
_COLUMNS: Final = {
    "data_type": "CASE WHEN v.ndims > 0 THEN 'ARRAY' ELSE pg_catalog.format_type(v.typid, NULL) END",
    "character_maximum_length": "information_schema._pg_char_max_length(v.typid, v.typmod)",
    "character_octet_length": "information_schema._pg_char_octet_length(v.typid, v.typmod)",
    "numeric_precision": "information_schema._pg_numeric_precision(v.typid, v.typmod)",
    "numeric_precision_radix": "information_schema._pg_numeric_precision_radix(v.typid, v.typmod)",
    "numeric_scale": "information_schema._pg_numeric_scale(v.typid, v.typmod)",
    "datetime_precision": "information_schema._pg_datetime_precision(v.typid, v.typmod)",
    "domain_catalog": "NULL",
    "domain_schema": "NULL",
    "domain_name": "NULL",
    "udt_schema": "'pg_catalog'",
    "udt_name": "t.typname",
}
_REPLACED: Final = {("pg_catalog", "pg_attribute"): _ATTRIBUTE, ("information_schema", "columns"): _COLUMNS}
_KEY: Final = frozenset({"attrelid", "attnum"})
_FROM: Final = frozenset(
    {
        (ast.SelectStmt, "fromClause"),
        (ast.JoinExpr, "larg"),
        (ast.JoinExpr, "rarg"),
        (ast.UpdateStmt, "fromClause"),
        (ast.DeleteStmt, "usingClause"),
        (ast.MergeStmt, "sourceRelation"),
    }
)


def disguise(task: Task, node: Tree, found: Mentions) -> None:
    """Edits the tree where it reads pg_attribute or information_schema.columns and sealed columns exist."""
    targets = {id(name): relation for name, relation in found.relations if _key(relation) in _REPLACED}
    if not targets or task.catalog.sealed_oid is None or not task.policy:
        return
    look = _Look(node, targets)
    for slot, select in look.places:
        name = slot.get()
        relation = targets[id(name)]
        if not look.permits(name, relation, select):
            continue
        shown = _shown(task)
        if not shown:
            return
        if name.alias is None:
            look.shorten(relation)
        task.context.replace(slot, _replacement(name, relation, shown))


def _key(relation: Relation) -> Key:
    return relation.schema, relation.name


class _Look:
    """One walk over a statement: where the targets stand, and how columns are named."""

    def __init__(self, node: Tree, targets: dict[int, Relation]) -> None:
        self.places: list[tuple[Slot, Tree]] = []
        """Where a target stands, and the query whose FROM it is in."""
        self._references: list[tuple[str | None, ...]] = []
        """Every column reference by its parts; None stands for `*`."""
        self._nodes: list[Any] = []
        self._names: list[str] = []
        """Aliases, and names of CTEs and of other relations: what could be taken for a target."""
        self._locks = False
        pending: list[tuple[Any, Tree]] = [(node, None)]
        while pending:
            item, select = pending.pop()
            if isinstance(item, ast.SelectStmt | ast.UpdateStmt | ast.DeleteStmt | ast.MergeStmt):
                select = item
            self._note(item, targets)
            for name in children_of(item):
                for slot, child in _children(item, name):
                    if isinstance(child, ast.RangeVar) and id(child) in targets and (type(item), name) in _FROM:
                        self.places.append((slot, select))
                    pending.append((child, select))

    def _note(self, item: Any, targets: dict[int, Relation]) -> None:
        if isinstance(item, ast.ColumnRef):
            self._nodes.append(item)
            self._references.append(
                tuple(part.sval if isinstance(part, ast.String) else None for part in item.fields or ())
            )
        elif isinstance(item, ast.Alias):
            self._names.append(item.aliasname or "")
        elif isinstance(item, ast.CommonTableExpr):
            self._names.append(item.ctename or "")
        elif isinstance(item, ast.RangeVar) and id(item) not in targets:
            self._names.append(item.relname or "")
        elif isinstance(item, ast.LockingClause):
            self._locks = True

    def permits(self, name: Tree, relation: Relation, select: Tree) -> bool:
        """False where nothing would change, or where a subquery does not give what the table gives: its system
        columns, its row locks, what depends on its primary key, references with more parts than an alias has."""
        alias = relation.name if name.alias is None else name.alias.aliasname
        wanted = _REPLACED[_key(relation)]
        of_interest = name.alias is not None and bool(name.alias.colnames)
        for parts in self._references:
            last = parts[-1]
            of_interest = of_interest or last is None or last in wanted or last == alias
            if last in SYSTEM_COLUMNS and (len(parts) == 1 or alias in parts[:-1]):
                return False
            if len(parts) > 3 or (len(parts) == 3 and relation.name in parts[1:2] and relation.name in self._names):
                return False
        if not of_interest or self._locks or not name.inh:
            return False
        grouped = {part.fields[-1].sval for part in _columns_of(getattr(select, "groupClause", None))}
        return not grouped >= _KEY

    def shorten(self, relation: Relation) -> None:
        """`schema.table.column` -> `table.column`, which is what the subquery is called."""
        for node in self._nodes:
            fields = node.fields
            if len(fields) == 3 and (fields[0].sval, fields[1].sval) == _key(relation):
                node.fields = fields[1:]


def _children(item: Any, name: str) -> Iterator[tuple[Slot, Any]]:
    value = getattr(item, name)
    if isinstance(value, ast.Node):
        yield Slot(item, name), value
    elif isinstance(value, tuple | list):
        pending: list[tuple[tuple[int, ...], Any]] = [((at,), child) for at, child in enumerate(value)]
        while pending:
            path, child = pending.pop()
            if isinstance(child, ast.Node):
                yield Slot(item, name, *path), child
            elif isinstance(child, tuple | list):
                pending.extend(((*path, at), inner) for at, inner in enumerate(child))


def _columns_of(clause: Any) -> Iterator[Any]:
    for part in clause or ():
        if isinstance(part, ast.ColumnRef) and part.fields and isinstance(part.fields[-1], ast.String):
            yield part


def _shown(task: Task) -> Shown:
    """Every sealed column of tables, and of views where they can be followed."""
    catalog, policy = task.catalog, task.policy
    shown = [(oid, number, column.type) for (oid, number), column in catalog.sealed_attributes(policy).items()]
    context = Context("", catalog, task.path, policy)
    for relation in catalog:
        if relation.kind not in ("v", "m") or not task.carries(relation):
            continue
        try:
            columns = view_columns(context, relation)
        except Refused:
            continue
        for attribute, (_, flow) in zip(relation.attributes, columns or (), strict=False):
            if isinstance(flow, Sealed):
                shown.append((relation.oid, attribute.number, flow.type))
    return shown


def _replacement(name: Tree, relation: Relation, shown: Shown) -> ast.RangeSubselect:
    rows = ", ".join(
        f"({oid}::pg_catalog.oid, {number}::pg_catalog.int2, {kind.oid}::pg_catalog.oid, "
        f"{kind.typmod}::pg_catalog.int4, {int(kind.is_array)}::pg_catalog.int2)"
        for oid, number, kind in shown
    )
    values = f"(VALUES {rows}) AS v (relid, number, typid, typmod, ndims)"
    wanted = _REPLACED[_key(relation)]
    targets = []
    for attribute in relation.attributes:
        column = f'"{attribute.name}"'
        if attribute.name not in wanted:
            targets.append(f"a.{column}")
        elif wanted is _ATTRIBUTE:
            targets.append(f"COALESCE({wanted[attribute.name]}, a.{column}) AS {column}")
        else:
            own = f'CAST({wanted[attribute.name]} AS information_schema."{attribute.type_name}")'
            targets.append(f"CASE WHEN v.typid IS NULL THEN a.{column} ELSE {own} END AS {column}")
    if wanted is _ATTRIBUTE:
        source = f"pg_catalog.pg_attribute AS a LEFT JOIN {values} ON v.relid = a.attrelid AND v.number = a.attnum"
    else:
        named = (
            f"{values} JOIN pg_catalog.pg_class AS c ON c.oid = v.relid "
            "JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
        )
        source = (
            f"information_schema.columns AS a LEFT JOIN ({named}) "
            "ON n.nspname = a.table_schema AND c.relname = a.table_name AND v.number = a.ordinal_position"
        )
    # made of numbers and of the names of system columns only
    text = f"SELECT {', '.join(targets)} FROM {source} LEFT JOIN pg_catalog.pg_type AS t ON t.oid = v.typid"  # noqa: S608
    alias = ast.Alias(aliasname=relation.name) if name.alias is None else name.alias
    subquery = parse_sql(text)[0].stmt
    return ast.RangeSubselect(lateral=False, subquery=subquery, alias=alias)
