"""ALTER TABLE in all its forms, RENAME and SET SCHEMA, as far as they concern sealed columns.

Two questions for every form: does it carry a literal or an expression that meets a sealed column, and does the column
have the same keys afterwards as before. The second is about the policy: a column that is renamed, moved or detached
must be in it under its new name, with the domain it was sealed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from pglast import ast, enums

from proxy.config import SealedColumn
from proxy.errors import Refused
from proxy.sql.catalog import Relation
from proxy.sql.conversions import type_of_name
from proxy.sql.ddl_columns import (
    Table,
    constrain,
    constrain_column,
    define_column,
    interchangeable,
    partition_bound,
    require_relation,
    seal_default,
    sealed_columns,
    sealed_type_name,
    written,
)
from proxy.sql.ddl_create import naming_hint
from proxy.sql.ddl_index import existing
from proxy.sql.flow import Slot
from proxy.sql.plan import Plan
from proxy.sql.survey import Tree
from proxy.sql.task import Task, place

_AT = enums.AlterTableType
_OBJECT = enums.ObjectType

# Names, flags and storage only; constraints that exist already, and what drops or switches something.
_HARMLESS: Final = frozenset(
    {
        _AT.AT_DropColumn,
        _AT.AT_SetNotNull,
        _AT.AT_DropNotNull,
        _AT.AT_SetStatistics,
        _AT.AT_SetOptions,
        _AT.AT_ResetOptions,
        _AT.AT_SetStorage,
        _AT.AT_SetCompression,
        _AT.AT_DropConstraint,
        _AT.AT_ValidateConstraint,
        _AT.AT_AlterConstraint,
        _AT.AT_ChangeOwner,
        _AT.AT_ClusterOn,
        _AT.AT_DropCluster,
        _AT.AT_SetLogged,
        _AT.AT_SetUnLogged,
        _AT.AT_SetAccessMethod,
        _AT.AT_SetTableSpace,
        _AT.AT_SetRelOptions,
        _AT.AT_ResetRelOptions,
        _AT.AT_ReplaceRelOptions,
        _AT.AT_EnableTrig,
        _AT.AT_EnableAlwaysTrig,
        _AT.AT_EnableReplicaTrig,
        _AT.AT_DisableTrig,
        _AT.AT_EnableTrigAll,
        _AT.AT_DisableTrigAll,
        _AT.AT_EnableTrigUser,
        _AT.AT_DisableTrigUser,
        _AT.AT_EnableRule,
        _AT.AT_EnableAlwaysRule,
        _AT.AT_EnableReplicaRule,
        _AT.AT_DisableRule,
        _AT.AT_EnableRowSecurity,
        _AT.AT_DisableRowSecurity,
        _AT.AT_ForceRowSecurity,
        _AT.AT_NoForceRowSecurity,
        _AT.AT_ReplicaIdentity,
        _AT.AT_DetachPartitionFinalize,
        _AT.AT_DropOf,
        _AT.AT_GenericOptions,
        _AT.AT_AlterColumnGenericOptions,
        _AT.AT_DropExpression,
        _AT.AT_DropIdentity,
        _AT.AT_SetIdentity,
    }
)


def alter_table(task: Task, node: Tree) -> Plan:
    """ALTER TABLE and its namesakes for views, indexes, sequences and composite types."""
    if not task.policy or node.objtype in (_OBJECT.OBJECT_INDEX, _OBJECT.OBJECT_SEQUENCE):
        return task.forward()
    task.refuse_row_types(task.mentions(node.cmds))
    if node.objtype == _OBJECT.OBJECT_TYPE:
        return task.forward()
    relation = task.resolve(node.relation)
    if relation is None:
        if node.missing_ok and not task.mentions(node.cmds).strings:
            return task.forward()
        relation = require_relation(task, node.relation)
    if relation.kind not in ("r", "p", "f"):
        _alter_view(task, relation, node.cmds)
        return task.forward()
    table = _shape(task, relation)
    for command in node.cmds:
        # A new column may be named by the constraints of the commands beside it.
        if command.subtype == _AT.AT_AddColumn:
            define_column(table, command.def_)
    for command in node.cmds:
        _command(table, relation, command)
    return task.plan(node)


def _shape(task: Task, relation: Relation) -> Table:
    if task.carries(relation):
        return existing(task, relation)
    table = Table(task, relation.schema, relation.name)
    table.oid = relation.oid
    table.parents = relation.parents
    for attribute in relation.attributes:
        table.attributes[attribute.name] = attribute
    return table


def _alter_view(task: Task, relation: Relation, commands: Iterable[Tree]) -> None:
    for command in commands:
        if command.subtype == _AT.AT_ColumnDefault and command.def_ is not None and task.carries(relation):
            raise Refused(
                f'a default on "{relation.qualified}" is not supported: it shows sealed columns',
                hint="set the default on the table below it",
            )


def _command(table: Table, relation: Relation, command: Tree) -> None:
    if command.subtype in _HARMLESS:
        return
    handler = _COMMANDS.get(command.subtype)
    if handler is not None:
        handler(table, relation, command)
    elif table.sealed:
        raise Refused(
            f'this form of ALTER TABLE is not supported on "{table.qualified}", which has sealed columns',
            hint="run it while the columns are not sealed, between sealwire unseal and sealwire seal",
        )


def _add_column(table: Table, relation: Relation, command: Tree) -> None:
    if (column := table.sealed.get(command.def_.colname)) is not None:
        for child in table.task.catalog:
            if relation.oid in child.parents:
                own = table.task.policy.column(child.schema, child.name, column.column)
                if own is not None and not interchangeable(own, column):
                    raise _not_alike(child, column.column, column)
    constrain_column(table, command.def_)


def _add_constraint(table: Table, relation: Relation, command: Tree) -> None:
    constrain(table, command.def_)


def _default(table: Table, relation: Relation, command: Tree) -> None:
    column = table.sealed.get(command.name)
    if column is not None and command.def_ is not None:
        seal_default(table, column, Slot(command, "def_"))


def _expression(table: Table, relation: Relation, command: Tree) -> None:
    table.plain_expression(Slot(command, "def_"), "a generated column that is not in the policy")


def _identity(table: Table, relation: Relation, command: Tree) -> None:
    if (column := table.sealed.get(command.name)) is not None:
        raise Refused(
            f'sealed column "{column.name}" cannot be an identity column: the database would number it in plain',
            hint="number it in the application",
        )


def _type(table: Table, relation: Relation, command: Tree) -> None:
    """ALTER COLUMN TYPE. Inside the family nothing moves on disk: the policy's type alone says what is seen."""
    definition: Tree = command.def_
    column = table.sealed.get(command.name)
    if column is None:
        if definition.raw_default is not None:
            table.plain_expression(Slot(definition, "raw_default"), "the USING of a plain column")
        return
    wanted = type_of_name(definition.typeName)
    position = place(definition.typeName.location)
    if wanted is None or wanted.family is not column.type.family or wanted.is_array != column.type.is_array:
        raise Refused(
            f'sealed column "{column.name}" cannot change its type from {column.type} to '
            f"{written(definition.typeName)} in place",
            hint="add a new column, copy the values through the application, and drop the old one",
            position=position,
        )
    if wanted != column.type:
        raise Refused(
            f'sealed column "{column.name}" is {column.type} in the policy, not {wanted}',
            hint=f'change its type in columns.yaml to "{wanted}": no other change is needed',
            position=position,
        )
    if definition.raw_default is not None and not _is_same_column(definition.raw_default, command.name):
        raise Refused(
            f'USING cannot compute new values of sealed column "{column.name}"',
            hint="compute them in the application",
            position=position,
        )
    definition.raw_default = None
    definition.collClause = None
    definition.typeName = sealed_type_name()
    table.task.context.edited = True


def _is_same_column(node: Any, name: str) -> bool:
    while isinstance(node, ast.TypeCast):
        node = node.arg
    return isinstance(node, ast.ColumnRef) and [getattr(part, "sval", None) for part in node.fields or ()] == [name]


def _attach(table: Table, relation: Relation, command: Tree) -> None:
    partition: Tree = command.def_
    child = require_relation(table.task, partition.name)
    _require_child(table, table.sealed, child)
    if partition.bound is not None:
        partition_bound(table.task, relation, partition.bound)


def _detach(table: Table, relation: Relation, command: Tree) -> None:
    child = require_relation(table.task, command.def_.name)
    _require_names(table.task, child, child.schema, child.name, "detached")


def _inherit(table: Table, relation: Relation, command: Tree) -> None:
    parent = require_relation(table.task, command.def_)
    if table.task.carries(parent):
        _require_child(table, sealed_columns(table.task, parent), relation)


def _disinherit(table: Table, relation: Relation, command: Tree) -> None:
    _require_names(table.task, relation, relation.schema, relation.name, "detached")


def _require_child(table: Table, parent: dict[str, SealedColumn], child: Relation) -> None:
    """A child's values are read through its parent: both must hold the same."""
    own = sealed_columns(table.task, child) if table.task.carries(child) else {}
    for name in {*parent, *own}:
        above, below = parent.get(name), own.get(name)
        if above is None or below is None or not interchangeable(above, below):
            raise _not_alike(child, name, above or below)


def _not_alike(child: Relation, name: str, column: SealedColumn | None) -> Refused:
    return Refused(
        f'column "{name}" of "{child.qualified}" and of its parent are not sealed alike',
        hint="give both the same type, search and keys in columns.yaml"
        + (f": {naming_hint(column)}" if column is not None else ""),
    )


def _refuse_of(table: Table, relation: Relation, command: Tree) -> None:
    if table.sealed:
        raise Refused(
            f'"{table.qualified}" has sealed columns and cannot be made a table OF a type',
            hint="a composite type has no sealed fields: keep the table as it is",
        )


_COMMANDS: Final[dict[Any, Callable[[Table, Relation, Tree], None]]] = {
    _AT.AT_AddColumn: _add_column,
    _AT.AT_AddConstraint: _add_constraint,
    _AT.AT_ColumnDefault: _default,
    _AT.AT_SetExpression: _expression,
    _AT.AT_AddIdentity: _identity,
    _AT.AT_AlterColumnType: _type,
    _AT.AT_AttachPartition: _attach,
    _AT.AT_DetachPartition: _detach,
    _AT.AT_AddInherit: _inherit,
    _AT.AT_DropInherit: _disinherit,
    _AT.AT_AddOf: _refuse_of,
}


def rename(task: Task, node: Tree) -> Plan:
    """ALTER ... RENAME: a sealed column keeps its keys only if the policy knows it under its new name."""
    if not task.policy:
        return task.forward()
    if node.renameType == _OBJECT.OBJECT_SCHEMA:
        for relation in task.catalog:
            if relation.schema == node.subname and relation.kind in ("r", "p", "f") and task.carries(relation):
                _require_names(task, relation, node.newname, relation.name, "renamed")
        return task.forward()
    if node.relation is None:
        return task.forward()
    found = task.resolve(node.relation)
    if found is None or found.kind not in ("r", "p", "f") or not task.carries(found):
        return task.forward()
    if node.renameType in (_OBJECT.OBJECT_TABLE, _OBJECT.OBJECT_FOREIGN_TABLE):
        _require_names(task, found, found.schema, node.newname, "renamed")
    elif node.renameType == _OBJECT.OBJECT_COLUMN:
        column = sealed_columns(task, found).get(node.subname)
        if column is not None:
            _require_name(task, column, found.schema, found.name, node.newname, "renamed")
    return task.forward()


def set_schema(task: Task, node: Tree) -> Plan:
    """ALTER TABLE ... SET SCHEMA; other objects have no columns."""
    if task.policy and node.relation is not None:
        relation = task.resolve(node.relation)
        if relation is not None and relation.kind in ("r", "p", "f") and task.carries(relation):
            _require_names(task, relation, node.newschema, relation.name, "moved")
    return task.forward()


def _require_names(task: Task, relation: Relation, schema: str, table: str, doing: str) -> None:
    if not task.carries(relation):
        return
    for name, column in sealed_columns(task, relation).items():
        _require_name(task, column, schema, table, name, doing)


def _require_name(task: Task, column: SealedColumn, schema: str, table: str, name: str, doing: str) -> None:
    after = task.policy.column(schema, table, name)
    if after is None or not interchangeable(after, column) or after.type != column.type:
        raise Refused(
            f'column "{column.name}" cannot be {doing} to "{schema}.{table}.{name}": '
            + ("the policy does not know that name" if after is None else "the policy gives that name other keys"),
            hint=f'list "{schema}.{table}" with column "{name}" in columns.yaml, with {naming_hint(column)}, first',
        )
