"""CREATE TABLE and what contains it: policy columns get their physical type, and their constraints are looked at."""

from __future__ import annotations

from pglast import ast

from proxy.config import SealedColumn
from proxy.errors import Refused
from proxy.sql.catalog import Relation
from proxy.sql.ddl_columns import (
    Table,
    constrain,
    constrain_column,
    define_column,
    interchangeable,
    partition_bound,
    partition_by,
    require_relation,
    sealed_columns,
)
from proxy.sql.plan import Plan
from proxy.sql.survey import Tree
from proxy.sql.task import Task, place


def create_table(task: Task, node: Tree) -> Plan:
    """CREATE TABLE, INHERITS, LIKE, PARTITION OF and OF included."""
    if not task.policy:
        return task.forward()
    table = Table(task, created_in(task, node.relation), node.relation.relname)
    parents = [require_relation(task, name) for name in node.inhRelations or ()]
    if node.ofTypename is not None and (table.policy or task.mentions(node.ofTypename).row_types):
        _refuse_typed(table)
    for parent in parents:
        if task.carries(parent):
            table.take(parent)
    table.parents = tuple(parent.oid for parent in parents)
    elements = node.tableElts or ()
    for element in elements:
        if isinstance(element, ast.ColumnDef):
            define_column(table, element)
        elif isinstance(element, ast.TableLikeClause):
            _like(table, element)
    for element in elements:
        if isinstance(element, ast.ColumnDef):
            constrain_column(table, element)
        elif isinstance(element, ast.Constraint):
            constrain(table, element)
    for constraint in node.constraints or ():
        constrain(table, constraint)
    if node.partspec is not None:
        partition_by(table, node.partspec)
    if node.partbound is not None and parents:
        partition_bound(task, parents[0], node.partbound)
    for column in table.sealed.values():
        table.require_domain(column)
    return task.plan(node)


def created_in(task: Task, name: Tree) -> str:
    """The schema that a new relation of this name goes to; "" where there is none to create it in."""
    if name.relpersistence == "t" or name.schemaname == "pg_temp":
        return task.path.temp or "pg_temp"
    return name.schemaname or task.path.creation or ""


def _refuse_typed(table: Table) -> None:
    raise Refused(
        f'"{table.qualified}" cannot be created OF a type: columns of the policy need their own definition',
        hint="write the columns out",
    )


def _like(table: Table, node: Tree) -> None:
    source = require_relation(table.task, node.relation)
    sealed: dict[str, SealedColumn] = {}
    if table.task.carries(source):
        if source.kind not in ("r", "p", "f"):
            raise Refused(
                f'LIKE "{source.qualified}" is not supported: it shows sealed columns', hint="write the columns out"
            )
        sealed = sealed_columns(table.task, source)
    for attribute in source.attributes:
        column = sealed.get(attribute.name)
        own = table.policy.get(attribute.name)
        if column is not None:
            require_cover(table, attribute.name, column, place(node.relation.location))
        elif own is not None and not own.pending:
            raise Refused(
                f'column "{own.name}" is in the policy, but LIKE would make it plain, as it is in "{source.qualified}"',
                hint="write the column out",
                position=place(node.relation.location),
            )
        table.add(attribute.name, attribute.type, own if column is not None else None)


def require_cover(table: Table, name: str, column: SealedColumn, position: int | None) -> None:
    """Raises Refused unless the policy names the new table's column as one that holds the same sealed values."""
    own = table.policy.get(name)
    if own is None or not interchangeable(own, column) or own.type != column.type:
        raise Refused(
            f'column "{table.qualified}.{name}" would hold sealed values of "{column.name}", '
            + ("but is in no policy" if own is None else "but its policy differs"),
            hint="a temporary table is in no policy: make an ordinary table that columns.yaml lists"
            if table.schema.startswith("pg_temp")
            else f'list "{table.qualified}" with column "{name}" in columns.yaml: same type and search, and '
            + naming_hint(column),
            position=position,
        )


def naming_hint(column: SealedColumn) -> str:
    """How an entry of columns.yaml gets the keys of an existing column."""
    if column.domain.startswith("join:"):
        return f'"join: {column.domain.removeprefix("join:")}"'
    return f'"id: {column.domain}"'


def create_foreign_table(task: Task, node: Tree) -> Plan:
    """CREATE FOREIGN TABLE: what its server holds is not known, so it cannot be in the policy."""
    base: Tree = node.base
    if not task.policy:
        return task.forward()
    table = Table(task, created_in(task, base.relation), base.relation.relname)
    names = [element.colname or "" for element in base.tableElts or () if isinstance(element, ast.ColumnDef)]
    covered = [column for name in names if (column := table.policy.get(name)) and not column.pending]
    parents: list[Relation] = [require_relation(task, name) for name in base.inhRelations or ()]
    if covered or any(task.carries(parent) for parent in parents):
        raise Refused(
            f'foreign table "{table.qualified}" cannot have sealed columns',
            hint="seal the columns in the database that holds them",
        )
    return task.forward()


def create_schema(task: Task, node: Tree) -> Plan:
    """CREATE SCHEMA with elements: they are created one after the other, and refer to each other."""
    if task.policy and node.schemaElts:
        schema = node.schemaname or (node.authrole.rolename if node.authrole is not None else None)
        named = any(policy_schema == schema for policy_schema, _ in task.policy.tables)
        if named or schema is None or task.sealed_mention(task.mentions(node.schemaElts)) is not None:
            raise Refused(
                "CREATE SCHEMA with elements is not supported where the policy names tables of that schema",
                hint="create the schema first, then its tables by statements of their own",
            )
    return task.forward()
