"""CREATE INDEX and CREATE STATISTICS on sealed columns: what the scheme carries natively."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from pglast import ast

from proxy.errors import Refused
from proxy.sql.catalog import BYTEWISE, Relation
from proxy.sql.ddl_columns import Table, column_names, require_equality, require_relation
from proxy.sql.flow import Slot
from proxy.sql.plan import Plan
from proxy.sql.survey import Tree, constants
from proxy.sql.task import Task, place

_PATTERNS: Final = frozenset({"text_pattern_ops", "varchar_pattern_ops", "bpchar_pattern_ops"})


def is_bytewise(element: Tree) -> bool:
    """Whether an operator class of strings compares bytes, as the index on their ciphertexts does. Django gives every
    unique string a second index of that kind."""
    names = [part.sval for part in element.opclass]
    return names[-1] in _PATTERNS and names[:-1] in ([], ["pg_catalog"]) and not element.opclassopts


def create_index(task: Task, node: Tree) -> Plan:
    """CREATE INDEX: equality and order take btree and hash; predicates and expressions are analysed."""
    if not task.policy:
        return task.forward()
    relation = require_relation(task, node.relation)
    if node.concurrent:
        _refuse_unguarded(task, node, relation)
    if not task.carries(relation):
        return task.forward()
    table = existing(task, relation)
    if not table.sealed:
        return task.forward()
    for element in node.indexParams or ():
        if element.expr is not None:
            table.plain_expression(Slot(element, "expr"), "an index expression")
        elif (column := table.sealed.get(element.name)) is not None:
            require_equality(column, "an index", node.relation.location)
            if node.accessMethod not in ("btree", "hash"):
                raise Refused(
                    f'sealed column "{column.name}" cannot be indexed by {node.accessMethod}',
                    hint="use btree or hash",
                )
            if element.opclass and not is_bytewise(element):
                raise Refused(
                    f'sealed column "{column.name}" cannot be indexed with operator class "{element.opclass[-1].sval}"',
                    hint="leave the operator class out: sealed values are compared bytewise",
                )
            if element.opclass:
                element.opclass = None
                task.context.edited = True
            if element.collation is not None:
                if element.collation[-1].sval not in BYTEWISE:
                    raise Refused(
                        f'sealed column "{column.name}" cannot be indexed with another collation: it compares bytewise',
                        hint='use COLLATE "C", or none',
                    )
                element.collation = None
                task.context.edited = True
    if node.whereClause is not None:
        table.plain_expression(Slot(node, "whereClause"), "the predicate of an index")
    plan = task.plan(node)
    return replace(plan, tables=frozenset()) if node.concurrent and not plan.literals else plan


def _refuse_unguarded(task: Task, node: Tree, relation: Relation) -> None:
    """CREATE INDEX CONCURRENTLY runs in no transaction with anything else, so nobody can make sure beforehand that a
    column that may be sealed at any moment is still what it was. Without a literal of it there is nothing to hide, and
    nothing to make sure of."""
    pending = {
        name: column for name, column in task.policy.table(relation.schema, relation.name).items() if column.pending
    }
    settled = relation.by_name.keys() - pending.keys()
    for part in (node.whereClause, *(element.expr for element in node.indexParams or ())):
        literals = [constant for constant in constants(part) if not constant.isnull]
        if pending and literals and not settled.issuperset(column_names(part)):
            raise Refused(
                "CREATE INDEX CONCURRENTLY cannot be checked against columns that are being sealed:"
                f' "{next(iter(pending.values())).name}" may be sealed at any moment',
                hint="remove pending: true once the column is sealed, or use CREATE INDEX without CONCURRENTLY",
                position=place(node.relation.location),
            )


def existing(task: Task, relation: Relation) -> Table:
    """The shape of a table that exists. Raises Refused for a materialized view that shows sealed columns."""
    if relation.kind not in ("r", "p", "f"):
        raise Refused(
            f'"{relation.qualified}" shows sealed columns and cannot be indexed or altered here',
            hint="index the tables below it",
        )
    table = Table(task, relation.schema, relation.name)
    table.oid = relation.oid
    table.parents = relation.parents
    table.take(relation)
    return table


def create_statistics(task: Task, node: Tree) -> Plan:
    """CREATE STATISTICS: frequencies of sealed values are those of their plaintexts under equality and order."""
    if not task.policy:
        return task.forward()
    for name in node.relations or ():
        relation = require_relation(task, name) if isinstance(name, ast.RangeVar) else None
        if relation is None or not task.carries(relation):
            continue
        table = existing(task, relation)
        elements: tuple[Any, ...] = node.exprs or ()
        for element in elements:
            for column_name in column_names(element):
                if (column := table.sealed.get(column_name)) is not None:
                    require_equality(column, "statistics", name.location)
            if element.expr is not None:
                table.plain_expression(Slot(element, "expr"), "an expression of CREATE STATISTICS")
    return task.plan(node)
