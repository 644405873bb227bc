"""Relations made of queries: CREATE TABLE AS, SELECT INTO, materialized views, views.

A view is followed down to its tables whenever it is used, so its sealed columns need no entry in the policy. A table
made of a query is a new table: each of its columns is sealed exactly where the policy says so.
"""

from __future__ import annotations

from pglast import ast, enums

from proxy.errors import Refused
from proxy.sql.ddl_columns import Table
from proxy.sql.ddl_create import created_in, require_cover
from proxy.sql.execution import execution
from proxy.sql.flow import Columns, Opaque, Open, Plain, Sealed
from proxy.sql.plan import ExecuteUse, Plan
from proxy.sql.queries import analyse_query
from proxy.sql.survey import Tree
from proxy.sql.task import Task, place


def create_table_as(task: Task, node: Tree, whole: Tree = None) -> Plan:
    """CREATE TABLE AS and CREATE MATERIALIZED VIEW; `whole` is the EXPLAIN around it."""
    query = node.query
    if isinstance(query, ast.ExecuteStmt):
        table = Table(task, created_in(task, node.into.rel), node.into.rel.relname)
        if any(not column.pending for column in table.policy.values()):
            raise Refused(
                f'"{table.qualified}" is in the policy and cannot be made by EXECUTE',
                hint="create the table first, then INSERT ... SELECT",
            )
        return task.forward(executes=execution(task, query, None, ExecuteUse.TABLE))
    return _derive(task, query, node.into, whole or node, node.objtype == enums.ObjectType.OBJECT_MATVIEW)


def select_into(task: Task, node: Tree, first: Tree) -> Plan:
    """SELECT INTO; `first` is the leftmost query of a set operation, which holds the INTO."""
    into = first.intoClause
    first.intoClause = None  # the analysis of queries knows none
    try:
        return _derive(task, node, into, None, is_view=False)
    finally:
        first.intoClause = into


def _derive(task: Task, query: Tree, into: Tree, whole: Tree, is_view: bool) -> Plan:
    table = Table(task, created_in(task, into.rel), into.rel.relname)
    found = task.mentions(query)
    task.require_known(found)
    if task.policy:
        task.refuse_text_runners(found)
    task.refuse_declared(found, "a statement that makes a table or view")
    if not any(not column.pending for column in table.policy.values()) and task.sealed_mention(found) is None:
        return task.forward()
    columns = analyse_query(task.context, query)
    if is_view:
        for name, flow in columns:
            if isinstance(flow, Sealed) and not _is_stored_as_sealed(task, flow):
                raise _cannot_follow(table, name)
    else:
        _require_policy(table, _renamed(columns, into), place(into.rel.location))
    if whole is None:
        if task.context.edited:
            raise Refused(
                "SELECT INTO is not supported where literals or parameters meet sealed columns",
                hint="write it as CREATE TABLE ... AS SELECT",
            )
        whole = query
    return task.plan(whole)


def _renamed(columns: Columns, into: Tree) -> Columns:
    names = [name.sval for name in into.colNames or ()]
    return [(names[i] if i < len(names) else name, flow) for i, (name, flow) in enumerate(columns)]


def _require_policy(table: Table, columns: Columns, position: int | None) -> None:
    for name, flow in columns:
        own = table.policy.get(name)
        if isinstance(flow, Sealed):
            require_cover(table, name, flow.column, position)
            if not _is_stored_as_sealed(table.task, flow):
                raise Refused(
                    f'column "{table.qualified}.{name}" would be computed from sealed values',
                    hint="create the table first, then INSERT ... SELECT",
                    position=position,
                )
        elif isinstance(flow, Opaque) and table.policy:
            raise Refused(
                f'the columns of "{table.qualified}" are not known here, and some are in the policy',
                hint="name the columns of the query",
                position=position,
            )
        elif own is not None and not own.pending:
            raise Refused(
                f'column "{own.name}" is in the policy and would be filled with plain values',
                hint="create the table first, then INSERT ... SELECT",
                position=position,
            )
        elif not isinstance(flow, (Plain, Opaque)) and not (isinstance(flow, Open) and _is_plain(flow)):
            raise Refused(
                f'column "{table.qualified}.{name}" cannot be made of sealed values',
                hint="select columns and values one by one: a row or an array of sealed values cannot be stored",
                position=position,
            )


def _is_stored_as_sealed(task: Task, flow: Sealed) -> bool:
    """Whether the new column would have the type sealwire.sealed: what coalesce() and the like return is bytea."""
    if flow.origin is None or flow.is_array:
        return False
    relation = task.catalog.by_oid.get(flow.origin[0])
    return relation is not None and any(
        attribute.number == flow.origin[1] and task.catalog.is_sealed(attribute) for attribute in relation.attributes
    )


def _is_plain(flow: Open) -> bool:
    return all(leaf.sealing is None for leaf in flow.leaves)


def create_view(task: Task, node: Tree) -> Plan:
    """CREATE VIEW: sealed literals become part of the stored definition."""
    found = task.mentions(node.query)
    task.require_known(found)
    if task.policy:
        task.refuse_text_runners(found)
    if task.sealed_mention(found) is None:
        return task.forward()
    name = node.view.relname
    if any(item.relname == name and item.location == -1 for item in found.unknown):
        raise Refused(
            "a recursive view over sealed columns is not supported",
            hint="write WITH RECURSIVE in the statements that would use it",
        )
    columns = analyse_query(task.context, node.query)
    table = Table(task, created_in(task, node.view), name)
    for column, flow in columns:
        if not isinstance(flow, (Plain, Sealed)) and not (isinstance(flow, Open) and _is_plain(flow)):
            raise _cannot_follow(table, column)
    return task.plan(node)


def _cannot_follow(table: Table, name: str) -> Refused:
    return Refused(
        f'column "{name}" of view "{table.qualified}" is made of sealed values in a way that cannot be followed',
        hint="let the view show the sealed column itself",
    )
