"""Code that the server keeps and runs by itself: functions, triggers, rules, row security, publications.

None of it passes the proxy when it runs, so its literals would meet sealed values unsealed. What names a sealed
column, or runs text that may, is refused when it is created.
"""

from __future__ import annotations

import re
from typing import Any, Final

from proxy.errors import Refused
from proxy.sql.ddl_columns import column_names, sealed_columns
from proxy.sql.plan import Plan
from proxy.sql.survey import Tree
from proxy.sql.task import Task, place

_COMPILED: Final = frozenset({"c", "internal"})


def create_function(task: Task, node: Tree) -> Plan:
    """CREATE FUNCTION and CREATE PROCEDURE, with a body as text or as statements."""
    if not task.policy:
        return task.forward()
    language = ""
    texts: list[str] = []
    for option in node.options or ():
        if option.defname == "language":
            language = option.arg.sval.lower()
        elif option.defname == "as":
            texts.extend(part.sval for part in option.arg)
    found = task.mentions(node)
    name: str | None = None
    if (relation := task.sealed_mention(found)) is not None:
        name = relation.qualified
    elif language not in _COMPILED:
        name = task.names_sealed([*texts, *found.strings])
        if name is None and _is_trigger(node.returnType):
            name = _sealed_field(task, texts)
    if name is not None:
        kind = "procedure" if node.is_procedure else "function"
        raise Refused(
            f'the {kind} "{node.funcname[-1].sval}" names "{name}", which is sealed or has sealed columns: '
            "its body cannot be rewritten",
            hint="keep what touches sealed columns in the application, or take the table's other columns through a "
            "view that leaves the sealed ones out",
        )
    return task.forward()


def _is_trigger(kind: Tree) -> bool:
    return kind is not None and kind.names[-1].sval == "trigger"


def _sealed_field(task: Task, texts: list[str]) -> str | None:
    """A trigger function reads the row as NEW and OLD, without naming its table."""
    words = {word for text in texts for word in re.findall(r"\w+", text.lower())}
    for columns in task.policy.tables.values():
        for column in columns.values():
            if not column.pending and column.column.lower() in words:
                return column.column
    return None


def create_type(task: Task, node: Tree) -> Plan:
    """CREATE TYPE ... AS (...) and CREATE DOMAIN: sealed columns have no place in a value of theirs."""
    if task.policy:
        task.refuse_row_types(task.mentions(node))
    return task.forward()


def create_trigger(task: Task, node: Tree) -> Plan:
    """CREATE TRIGGER: its WHEN is an expression over the row."""
    if task.policy and node.whenClause is not None:
        _refuse_expression(task, node.relation, node.whenClause, "the WHEN of a trigger")
    return task.forward()


def row_policy(task: Task, node: Tree) -> Plan:
    """CREATE POLICY and ALTER POLICY: USING and WITH CHECK are expressions over the row."""
    if task.policy:
        for expression in (node.qual, node.with_check):
            if expression is not None:
                _refuse_expression(task, node.table, expression, "a row security policy")
    return task.forward()


def publication(task: Task, node: Tree) -> Plan:
    """CREATE PUBLICATION and ALTER PUBLICATION: a table's WHERE is an expression over the row."""
    if task.policy:
        for item in node.pubobjects or ():
            if item.pubtable is not None and item.pubtable.whereClause is not None:
                _refuse_expression(task, item.pubtable.relation, item.pubtable.whereClause, "a publication")
    return task.forward()


def _refuse_expression(task: Task, name: Tree, expression: Any, what: str) -> None:
    found = task.mentions(expression)
    if (relation := task.sealed_mention(found)) is not None:
        raise _names(what, relation.qualified, name)
    relation = task.resolve(name)
    if relation is None:
        if found.strings or task.names_sealed([name.relname]):
            raise Refused(f'relation "{name.relname}" does not exist', position=place(name.location), sqlstate="42P01")
        return
    if not task.carries(relation):
        return
    sealed = sealed_columns(task, relation) if relation.kind in ("r", "p", "f") else relation.by_name
    for column in column_names(expression):
        if column in sealed or column in ("*", "new", "old", relation.name):
            raise _names(what, f"{relation.qualified}.{column}", name)


def _names(what: str, column: str, name: Tree) -> Refused:
    return Refused(
        f'{what} cannot name "{column}", which is sealed: the server would compare it with plain values',
        hint="check it in the application, or compare other columns",
        position=place(name.location),
    )


def create_rule(task: Task, node: Tree) -> Plan:
    """CREATE RULE: it rewrites statements after they have passed the proxy."""
    if task.policy:
        found = task.mentions(node)
        if (relation := task.sealed_mention(found)) is not None:
            raise Refused(
                f'a rule cannot involve "{relation.qualified}", which has sealed columns: '
                "it would change statements after they were sealed",
                hint="use a view, or do it in the application",
                position=place(node.relation.location),
            )
        task.require_known(found)
    return task.forward()
