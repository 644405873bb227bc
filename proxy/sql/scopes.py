"""Which names an expression sees: PostgreSQL's namespace of range table entries, level by level.

Source: src/backend/parser/parse_relation.c (colNameToVar, refnameNamespaceItem, scanNSItemForColumn).
"""

from __future__ import annotations

from typing import Final, Protocol

from proxy.sql import refusals
from proxy.sql.catalog import Attribute, Relation
from proxy.sql.context import Context
from proxy.sql.flow import PLAIN, Columns, Flow, Opaque, Plain, Sealed, Unsealed

SYSTEM_COLUMNS: Final = frozenset({"ctid", "xmin", "cmin", "xmax", "cmax", "tableoid"})


class Item(Protocol):
    """One entry of FROM."""

    name: str | None
    """Name by which it is qualified; None for an unnamed join."""
    relation: Relation | None
    """The table, where it may be qualified by its schema too: no alias given."""
    is_opaque: bool
    """True: it may have columns that are not known, all of them plain."""

    def lookup(self, name: str, position: int | None) -> Flow | None:
        """The column's flow, None where there is none; raises Refused 42702 where there are several."""
        ...

    def expand(self) -> Columns:
        """What `*` stands for."""
        ...


class RelationItem:
    """A table or view under its own column names; flows are made when asked for."""

    is_opaque = False

    def __init__(self, ctx: Context, relation: Relation, name: str, columns: Columns | None, *, aliased: bool) -> None:
        self.name: str | None = name
        self.relation: Relation | None = None if aliased else relation
        self._ctx = ctx
        self.table = relation
        self._is_policied = columns is None and is_policied(ctx, relation)
        self._views = dict(columns) if columns is not None else None
        if self._is_policied or columns is not None:
            ctx.tables.add(relation.oid)

    def lookup(self, name: str, position: int | None) -> Flow | None:
        if self._views is not None:
            return self._views.get(name)
        attribute = self.table.by_name.get(name)
        if attribute is None:
            return PLAIN if name in SYSTEM_COLUMNS and self.table.kind != "v" else None
        return self._flow(attribute)

    def expand(self) -> Columns:
        if self._views is not None:
            return list(self._views.items())
        return [(attribute.name, self._flow(attribute)) for attribute in self.table.attributes]

    def _flow(self, attribute: Attribute) -> Flow:
        return attribute_flow(self._ctx, self.table, attribute) if self._is_policied else Plain(attribute.type)


def is_policied(ctx: Context, relation: Relation) -> bool:
    """True where the policy names the table, or one that it inherits from."""
    if (relation.schema, relation.name) in ctx.policy.tables:
        return True
    return any((parent := ctx.catalog.by_oid.get(oid)) and is_policied(ctx, parent) for oid in relation.parents)


def attribute_flow(ctx: Context, relation: Relation, attribute: Attribute) -> Flow:
    """Flow of one column of a table."""
    column = ctx.catalog.policy_column(relation, attribute.name, ctx.policy)
    if column is None:
        return Plain(attribute.type)
    if ctx.catalog.is_sealed(attribute):
        return Sealed(column, column.type, (relation.oid, attribute.number))
    return Plain(attribute.type) if column.pending else Unsealed(column)


class ListItem:
    """Columns under names of their own: a subquery, CTE, VALUES, function, or anything with a column alias list."""

    def __init__(self, name: str | None, columns: Columns, relation: Relation | None = None) -> None:
        self.name = name
        self.relation: Relation | None = None
        self.columns = columns
        self.is_opaque = any(isinstance(flow, Opaque) for _, flow in columns)
        self._has_system_columns = relation is not None and relation.kind != "v"

    def lookup(self, name: str, position: int | None) -> Flow | None:
        found: Flow | None = None
        for column, flow in self.columns:
            if column == name and not isinstance(flow, Opaque):
                if found is not None:
                    raise refusals.ambiguous_column(name, position)
                found = flow
        if found is None and self._has_system_columns and name in SYSTEM_COLUMNS:
            return PLAIN
        return found

    def expand(self) -> Columns:
        return self.columns


class JoinItem:
    """An unnamed join: merged columns first, then the rest of both sides."""

    name: str | None = None
    relation: Relation | None = None

    def __init__(self, left: Item, right: Item, merged: dict[str, Flow]) -> None:
        self._left = left
        self._right = right
        self._merged = merged
        self.is_opaque = left.is_opaque or right.is_opaque

    def lookup(self, name: str, position: int | None) -> Flow | None:
        if name in self._merged:
            return self._merged[name]
        left, right = self._left.lookup(name, position), self._right.lookup(name, position)
        if left is not None and right is not None:
            raise refusals.ambiguous_column(name, position)
        return left if left is not None else right

    def expand(self) -> Columns:
        merged = self._merged
        if not merged:
            return [*self._left.expand(), *self._right.expand()]
        columns: Columns = list(merged.items())
        for side in (self._left, self._right):
            columns.extend((name, flow) for name, flow in side.expand() if name not in merged)
        return columns


class Entry:
    """An Item and how it may be named from where it stands."""

    __slots__ = ("cols_visible", "item", "lateral_ok", "lateral_only", "rel_visible")

    def __init__(self, item: Item, *, rel_visible: bool = True, cols_visible: bool = True) -> None:
        self.item = item
        self.rel_visible = rel_visible
        self.cols_visible = cols_visible
        self.lateral_only = False
        self.lateral_ok = True


class Cte:
    """A WITH query; `columns` None while it has not been analysed, or is being."""

    __slots__ = ("columns", "is_recursive", "is_running", "node", "scope")

    def __init__(self, node: object, scope: Scope, *, is_recursive: bool = False) -> None:
        self.node = node
        self.scope = scope
        self.columns: Columns | None = None
        self.is_running = False
        self.is_recursive = is_recursive


class Scope:
    """One query level."""

    __slots__ = ("ctes", "entries", "is_lateral", "parent")

    def __init__(self, parent: Scope | None = None) -> None:
        self.parent = parent
        self.entries: list[Entry] = []
        self.ctes: dict[str, Cte] | None = None
        self.is_lateral = False
        """p_lateral_active: entries to the left in FROM may be seen."""

    def cte(self, name: str) -> Cte | None:
        """The WITH query of this name, of this level or an outer one."""
        level: Scope | None = self
        while level is not None:
            if level.ctes is not None and (found := level.ctes.get(name)) is not None:
                return found
            level = level.parent
        return None

    def column(self, name: str, position: int | None) -> Flow | None:
        """An unqualified column; None: there is none. Raises 42702, 42P01."""
        level: Scope | None = self
        may_be_hidden = False
        while level is not None:
            found: Flow | None = None
            owner: Entry | None = None
            opaque = False
            for entry in level.entries:
                if not entry.cols_visible or (entry.lateral_only and not level.is_lateral):
                    continue
                flow = entry.item.lookup(name, position)
                if flow is not None:
                    if found is not None:
                        raise refusals.ambiguous_column(name, position)
                    found, owner = flow, entry
                elif entry.item.is_opaque:
                    opaque = True
            if found is not None and owner is not None:
                if owner.lateral_only and not owner.lateral_ok:
                    raise refusals.invalid_lateral(owner.item.name or "", position)
                if may_be_hidden and not isinstance(found, Plain):
                    if isinstance(found, Sealed | Unsealed):
                        raise refusals.opaque_name(name, found.column, position)
                    raise refusals.unknown_columns(position)
                return found
            may_be_hidden = may_be_hidden or opaque
            level = level.parent
        return PLAIN if may_be_hidden else None

    def relation(self, schema: str | None, name: str, ctx: Context, position: int | None) -> Item | None:
        """The entry that `name` or `schema.name` qualifies; None: there is none. Raises 42P09, 42P01."""
        wanted = ctx.resolve(schema, name) if schema is not None else None
        level: Scope | None = self
        while level is not None:
            found: Entry | None = None
            for entry in level.entries:
                item = entry.item
                if not entry.rel_visible or (entry.lateral_only and not level.is_lateral):
                    continue
                if item.name == name if schema is None else (wanted is not None and item.relation is wanted):
                    if found is not None:
                        raise refusals.ambiguous_table(name, position)
                    found = entry
            if found is not None:
                if found.lateral_only and not found.lateral_ok:
                    raise refusals.invalid_lateral(name, position)
                return found.item
            level = level.parent
        return None

    def missing(self, name: str, ctx: Context, position: int | None) -> Exception:
        """The error for a qualifier that no entry has: PostgreSQL words it differently where an alias hides it."""
        level: Scope | None = self
        while level is not None:
            for entry in level.entries:
                table = getattr(entry.item, "table", None)
                if (isinstance(table, Relation) and table.name == name) or entry.item.name == name:
                    return refusals.invalid_reference(name, position)
            level = level.parent
        return refusals.no_from_entry(name, position)


def scope_of_relation(ctx: Context, relation: Relation, alias: str | None = None) -> Scope:
    """The columns of one table, as CHECK, DEFAULT and index expressions see them."""
    if relation.kind in ("v", "m"):
        raise refusals.unsupported(f'an expression over view "{relation.name}"', None)
    scope = Scope()
    item = RelationItem(ctx, relation, alias or relation.name, None, aliased=alias is not None)
    scope.entries.append(Entry(item))
    return scope
