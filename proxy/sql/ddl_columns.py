"""Sealed columns in definitions of tables: declared types, defaults, constraints, partition keys and bounds.

A policy column gets the physical type `sealwire.sealed`; all that PostgreSQL attaches to a column (keys, checks,
defaults, references) is allowed where the column's scheme carries it, and refused with the reason where not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pglast import ast, enums

from proxy.config import Scheme, SealedColumn
from proxy.errors import Refused
from proxy.pgtypes import BYTEA_OID, SqlType
from proxy.sql.catalog import BYTEWISE, SEALED_SCHEMA, SEALED_TYPE, Attribute, Relation
from proxy.sql.conversions import type_of_name
from proxy.sql.expressions import analyse_expression
from proxy.sql.flow import Row, Sealed, Slot
from proxy.sql.meeting import assign
from proxy.sql.refusals import search_hint
from proxy.sql.scopes import Scope, scope_of_relation
from proxy.sql.survey import Tree, children_of
from proxy.sql.task import Task, place

_C = enums.ConstrType
_HARMLESS: Final = frozenset(
    {
        _C.CONSTR_NULL,
        _C.CONSTR_NOTNULL,
        _C.CONSTR_ATTR_DEFERRABLE,
        _C.CONSTR_ATTR_NOT_DEFERRABLE,
        _C.CONSTR_ATTR_DEFERRED,
        _C.CONSTR_ATTR_IMMEDIATE,
        _C.CONSTR_ATTR_ENFORCED,
        _C.CONSTR_ATTR_NOT_ENFORCED,
    }
)


def written(node: Tree) -> str:
    """A type as an error message names it."""
    kind = type_of_name(node)
    return str(kind) if kind is not None else ".".join(part.sval for part in node.names or ())


def sealed_type_name() -> ast.TypeName:
    return ast.TypeName(
        names=(ast.String(sval=SEALED_SCHEMA), ast.String(sval=SEALED_TYPE)), setof=False, pct_type=False, typemod=-1
    )


def is_physical(node: Tree) -> bool:
    """Whether a definition writes the physical type itself, as pg_dump does for a sealed table."""
    return [part.sval for part in node.names or ()] == [SEALED_SCHEMA, SEALED_TYPE] and not node.arrayBounds


def interchangeable(one: SealedColumn, other: SealedColumn) -> bool:
    """True: the values of both columns are interchangeable, byte for byte."""
    return one.domain == other.domain and one.scheme is other.scheme and one.type.family is other.type.family


def sealed_columns(task: Task, relation: Relation) -> dict[str, SealedColumn]:
    """The sealed columns of an existing table. Raises Refused for one that is sealed without being in the policy, or
    in the policy without being sealed."""
    refuse_unlisted(task, relation)
    columns = {}
    for attribute in relation.attributes:
        column = task.catalog.policy_column(relation, attribute.name, task.policy)
        if column is not None and task.catalog.is_sealed(attribute):
            columns[attribute.name] = column
        elif column is not None and not column.pending:
            raise Refused(
                f'column "{column.name}" is in the policy but not sealed yet',
                hint=f'run: {column.command("seal")}, or set "pending: true" for it in columns.yaml',
            )
    return columns


def refuse_unlisted(task: Task, relation: Relation) -> None:
    """Raises Refused for a table with a sealed column that no entry of the policy describes: what would be stored
    into it or compared with it could not be sealed."""
    for attribute in relation.attributes:
        if task.catalog.is_sealed(attribute) and not task.catalog.policy_column(relation, attribute.name, task.policy):
            raise Refused(
                f'column "{relation.qualified}.{attribute.name}" is sealed, but columns.yaml does not list it',
                hint="list it with the type, search and keys that it was sealed with",
            )


class Table:
    """A table being created or altered: its sealed columns by name, and its shape as expressions see it."""

    def __init__(self, task: Task, schema: str, name: str) -> None:
        self.task = task
        self.schema = schema
        self.name = name
        self.sealed: dict[str, SealedColumn] = {}
        self.attributes: dict[str, Attribute] = {}
        self.parents: tuple[int, ...] = ()
        self.oid = 0
        self.policy: Mapping[str, SealedColumn] = task.policy.table(schema, name)
        self._scope: Scope | None = None

    @property
    def qualified(self) -> str:
        return f"{self.schema}.{self.name}"

    def take(self, relation: Relation) -> None:
        """Adds the columns of an existing table: the altered one itself, or one it inherits from."""
        sealed = sealed_columns(self.task, relation)
        for attribute in relation.attributes:
            self.attributes[attribute.name] = attribute
            if (column := sealed.get(attribute.name)) is not None:
                own = self.policy.get(attribute.name)
                if own is not None and not interchangeable(own, column):
                    raise Refused(
                        f'column "{own.name}" would hold values of "{column.name}", but their keys differ',
                        hint='give both the same "join:", "search:" and type in columns.yaml, or leave the child out',
                    )
                self.sealed[attribute.name] = own or column
        self._scope = None

    def add(self, name: str, kind: SqlType | None, column: SealedColumn | None) -> None:
        """Adds a column of its own; `kind` None: a type that Sealwire does not know."""
        number = len(self.attributes) + 1
        if column is not None:
            self.sealed[name] = column
            domain = self.task.catalog.sealed_oid or 0
            facts: tuple[int, int, int, int] = (domain, -1, BYTEA_OID, -1)
        else:
            oid, typmod = (0, -1) if kind is None else (kind.oid, kind.typmod)
            facts = (oid, typmod, oid, typmod)
        self.attributes[name] = Attribute(name, number, *facts, False, False, "", "", "")
        self._scope = None

    def require_domain(self, column: SealedColumn) -> None:
        if self.task.catalog.sealed_oid is None:
            raise Refused(
                f'column "{column.name}" cannot be sealed: this database has no type {SEALED_SCHEMA}.{SEALED_TYPE}',
                hint='run "sealwire init" for this database first',
            )

    def scope(self) -> Scope:
        """What expressions of the definition may name: the columns, bare or with the table's name."""
        if self._scope is None:
            cells = [
                [a.name, a.number, a.type_oid, a.typmod, a.base_oid, a.base_typmod, *([False] * 2), "", "", a.type_name]
                for a in self.attributes.values()
            ]
            row = [self.oid, self.schema, self.name, "r", "p", None, list(self.parents), cells]
            self._scope = scope_of_relation(self.task.context, Relation(row))
        return self._scope

    def plain_expression(self, slot: Slot, what: str) -> None:
        """Analyses an expression over the columns whose result must be plain (CHECK, WHERE, generated values)."""
        if not self.sealed:
            return
        flow = analyse_expression(self.task.context, slot, self.scope())
        if isinstance(flow, (Sealed, Row)):
            raise Refused(
                f"{what} cannot have a sealed value as its result",
                hint="name the column itself, or compare it with something: the result has to be plain",
            )


def define_column(table: Table, node: Tree) -> None:
    """One column of CREATE TABLE or ADD COLUMN: gives it the physical type, without looking at its constraints."""
    name = node.colname
    if node.typeName is not None:
        table.task.refuse_row_types(table.task.mentions(node.typeName))
    kind = None if node.typeName is None else type_of_name(node.typeName)
    column = table.policy.get(name) or table.sealed.get(name)
    if column is None or node.typeName is None:
        if node.typeName is not None:
            table.add(name, kind, None)
        return
    table.require_domain(column)
    if kind != column.type and not is_physical(node.typeName):
        raise Refused(
            f'column "{table.qualified}.{name}" is declared as {written(node.typeName)}, '
            f"but is {column.type} in the policy",
            hint="make both the same: the policy's type is what applications see",
            position=place(node.typeName.location),
        )
    if node.collClause is not None:
        collation = node.collClause.collname[-1].sval
        if collation not in BYTEWISE:
            raise Refused(
                f'sealed column "{column.name}" cannot have collation "{collation}": it compares bytewise',
                hint='use COLLATE "C", or none',
                position=place(node.collClause.location),
            )
        node.collClause = None
    node.typeName = sealed_type_name()
    table.task.context.edited = True
    table.add(name, column.type, column)


def constrain_column(table: Table, node: Tree) -> None:
    """The constraints written behind one column, DEFAULT and GENERATED among them."""
    for constraint in node.constraints or ():
        constrain(table, constraint, node.colname)
    if node.raw_default is not None and node.colname in table.sealed:
        seal_default(table, table.sealed[node.colname], Slot(node, "raw_default"))


def constrain(table: Table, node: Tree, column_name: str | None = None) -> None:
    """One constraint of a table, or of the column `column_name`. Raises Refused where a scheme does not carry it."""
    column = None if column_name is None else table.sealed.get(column_name)
    kind = node.contype
    if kind in _HARMLESS:
        return
    if kind == _C.CONSTR_DEFAULT:
        if column is not None:
            seal_default(table, column, Slot(node, "raw_expr"))
    elif kind == _C.CONSTR_CHECK:
        table.plain_expression(Slot(node, "raw_expr"), "a CHECK constraint")
    elif kind == _C.CONSTR_GENERATED:
        if column is not None:
            raise Refused(
                f'sealed column "{column.name}" cannot be generated by the database',
                hint="compute it in the application",
                position=place(node.location),
            )
        table.plain_expression(Slot(node, "raw_expr"), "a generated column that is not in the policy")
    elif kind == _C.CONSTR_IDENTITY:
        if column is not None:
            raise Refused(
                f'sealed column "{column.name}" cannot be an identity column: the database would number it in plain',
                hint="number it in the application",
                position=place(node.location),
            )
    elif kind in (_C.CONSTR_PRIMARY, _C.CONSTR_UNIQUE):
        _unique(table, node, column_name)
    elif kind == _C.CONSTR_FOREIGN:
        _reference(table, node, column_name)
    elif kind == _C.CONSTR_EXCLUSION:
        _exclusion(table, node)
    elif table.sealed:
        raise Refused(
            f'constraints of this kind are not supported on "{table.qualified}", which has sealed columns',
            hint="use CHECK, UNIQUE, PRIMARY KEY, FOREIGN KEY or NOT NULL",
        )


def seal_default(table: Table, column: SealedColumn, slot: Slot) -> None:
    """DEFAULT of a sealed column: a literal, sealed once; NULL is none."""
    store(table.task, column, slot, table.scope())


def store(task: Task, column: SealedColumn, slot: Slot, scope: Scope) -> None:
    """Seals the literal at `slot` as PostgreSQL would store it into `column`."""
    position = place(getattr(slot.get(), "location", None))
    flow = analyse_expression(task.context, slot, scope)
    assign(task.context, flow, Sealed(column, column.type), column.column, position)


def require_equality(column: SealedColumn, what: str, location: int | None = None) -> None:
    if column.scheme is Scheme.RANDOM:
        raise Refused(
            f'column "{column.name}" is sealed with search: none and cannot be part of {what}',
            hint=search_hint(column, Scheme.EQUALITY),
            position=place(location),
        )


def _unique(table: Table, node: Tree, column_name: str | None) -> None:
    keys = [key.sval for key in node.keys or ()] or ([column_name] if column_name and not node.indexname else [])
    what = "a PRIMARY KEY" if node.contype == _C.CONSTR_PRIMARY else "a UNIQUE constraint"
    for number, key in enumerate(keys):
        if (column := table.sealed.get(key)) is not None:
            require_equality(column, what, node.location)
            if node.without_overlaps and number == len(keys) - 1:
                raise Refused(
                    f'sealed column "{column.name}" cannot be used WITHOUT OVERLAPS',
                    hint="leave the range's column out of columns.yaml",
                )


def _reference(table: Table, node: Tree, column_name: str | None) -> None:
    names = [key.sval for key in node.fk_attrs or ()] or ([column_name] if column_name else [])
    target, target_sealed = _referenced(table, node.pktable)
    wanted = [key.sval for key in node.pk_attrs or ()]
    if not wanted:
        wanted = target
    for number, name in enumerate(names):
        column = table.sealed.get(name)
        other = target_sealed.get(wanted[number]) if number < len(wanted) else None
        if column is None and other is None:
            continue
        if column is None or other is None or not interchangeable(column, other):
            mine = column.name if column else f"{table.qualified}.{name}"
            yours = other.name if other else f"{node.pktable.relname}.{wanted[number] if number < len(wanted) else '?'}"
            raise Refused(
                f'column "{mine}" cannot reference "{yours}": only sealed columns of one domain can be compared',
                hint='give both the same "join:", "search:" and type in columns.yaml',
                position=place(node.location),
            )
        require_equality(column, "a FOREIGN KEY", node.location)
        if node.fk_with_period and number == len(names) - 1:
            raise Refused(
                f'sealed column "{column.name}" cannot be used with PERIOD',
                hint="leave the range's column out of columns.yaml",
            )


def _referenced(table: Table, name: Tree) -> tuple[list[str], dict[str, SealedColumn]]:
    """Primary key and sealed columns of the referenced table, which may be the one being defined."""
    if _is_itself(table, name):
        return _own_key(table), table.sealed
    relation = require_relation(table.task, name)
    if not table.task.carries(relation):
        return [], {}
    by_number = {attribute.number: attribute.name for attribute in relation.attributes}
    return [by_number.get(number, "?") for number in relation.primary_key], sealed_columns(table.task, relation)


def _is_itself(table: Table, name: Tree) -> bool:
    """Whether a name in the definition means the table being defined, which may hide, or be hidden by, another."""
    found = table.task.resolve(name)
    if table.oid:
        return found is not None and found.oid == table.oid
    if name.relname != table.name:
        return False
    if name.schemaname is not None:
        return bool(name.schemaname == table.schema)
    if name.relname == table.name and table.schema.startswith("pg_temp"):
        return True
    for schema in table.task.path.schemas:
        if schema == table.schema:
            return True
        if found is not None and found.schema == schema:
            return False
    return False


def _own_key(table: Table) -> list[str]:
    """The primary key that the definition at hand, or the existing table, declares."""
    if (relation := table.task.catalog.by_oid.get(table.oid)) is not None:
        by_number = {attribute.number: attribute.name for attribute in relation.attributes}
        return [by_number.get(number, "?") for number in relation.primary_key]
    elements: Sequence[Any] = getattr(table.task.node, "tableElts", None) or ()
    for element in elements:
        own = [element] if isinstance(element, ast.Constraint) else getattr(element, "constraints", None) or ()
        for constraint in own:
            if constraint.contype == _C.CONSTR_PRIMARY:
                return [key.sval for key in constraint.keys or ()] or [element.colname]
    return []


def _exclusion(table: Table, node: Tree) -> None:
    for element, _ in node.exclusions or ():
        for name in column_names(element):
            if name in table.sealed or (table.sealed and name in ("*", table.name)):
                raise Refused(
                    f'sealed column "{table.qualified}.{name}" cannot be part of an EXCLUDE constraint',
                    hint="use UNIQUE where equality is meant",
                    position=place(node.location),
                )
    if node.where_clause is not None:
        table.plain_expression(Slot(node, "where_clause"), "the WHERE of an EXCLUDE constraint")


def column_names(node: Any) -> Iterator[str]:
    """Every name in an expression or index element that may be a column, a whole row ("*", or the table's name)."""
    pending = [node]
    while pending:
        item = pending.pop()
        if isinstance(item, ast.ColumnRef):
            yield _part((item.fields or ("",))[-1])
        elif isinstance(item, (ast.IndexElem, ast.StatsElem, ast.PartitionElem)) and item.name is not None:
            yield item.name
        elif isinstance(item, ast.A_Indirection):
            yield _part((item.indirection or ("",))[-1])
            pending.append(item.arg)
        elif isinstance(item, ast.Node):
            pending.extend(getattr(item, slot) for slot in children_of(item))
        elif isinstance(item, (tuple, list)):
            pending.extend(item)


def _part(node: Any) -> str:
    return node.sval or "" if isinstance(node, ast.String) else "*"


def require_relation(task: Task, name: Tree) -> Relation:
    """Raises Refused 42P01 where the catalog does not hold the name."""
    found = task.resolve(name)
    if found is None:
        label = f"{name.schemaname}.{name.relname}" if name.schemaname else name.relname
        raise Refused(f'relation "{label}" does not exist', position=place(name.location), sqlstate="42P01")
    return found


def partition_by(table: Table, node: Tree) -> None:
    """PARTITION BY: hash and list on equality, range on order."""
    strategy = enums.PartitionStrategy
    for element in node.partParams:
        names = [element.name] if element.name is not None else list(column_names(element.expr))
        for name in names:
            column = table.sealed.get(name)
            if column is None:
                continue
            if element.name is None or element.opclass:
                raise Refused(
                    f'sealed column "{column.name}" can be a partition key by its name only',
                    hint="partition by the column itself, without an expression or operator class",
                    position=place(element.location),
                )
            require_equality(column, "a partition key", element.location)
            if node.strategy == strategy.PARTITION_STRATEGY_RANGE and column.scheme is not Scheme.ORDER:
                raise Refused(
                    f'column "{column.name}" is sealed with search: equality and cannot be partitioned by range',
                    hint=search_hint(column, Scheme.ORDER),
                    position=place(element.location),
                )
            if element.collation is not None:
                if element.collation[-1].sval not in BYTEWISE:
                    raise Refused(
                        f'sealed column "{column.name}" compares bytewise and takes no other collation',
                        hint='leave out COLLATE, or write COLLATE "C"',
                    )
                element.collation = None
                table.task.context.edited = True


def partition_bound(task: Task, parent: Relation, node: Tree) -> None:
    """FOR VALUES ...: the literals that stand for a sealed key column are sealed."""
    if node.is_default or node.strategy == "h" or not task.carries(parent):
        return
    sealed = sealed_columns(task, parent)
    if not sealed:
        return
    by_number = {attribute.number: attribute.name for attribute in parent.attributes}
    key = [sealed.get(by_number.get(number, "")) for number in parent.partition_key]
    if not key:
        raise Refused(
            f'the partition key of "{parent.qualified}" is not known',
            hint="partition by columns, not by expressions over sealed ones",
        )
    scope = scope_of_relation(task.context, parent)
    if (column := key[0]) is not None:
        for index in range(len(node.listdatums or ())):
            store(task, column, Slot(node, "listdatums", index), scope)
    for name in ("lowerdatums", "upperdatums"):
        for index, datum in enumerate(getattr(node, name) or ()):
            column = key[index] if index < len(key) else None
            if column is not None and not isinstance(datum, ast.ColumnRef):  # MINVALUE and MAXVALUE are
                store(task, column, Slot(node, name, index), scope)
