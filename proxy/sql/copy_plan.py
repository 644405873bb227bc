"""COPY: which of the copied columns are sealed, and how the stream between client and server is written.

The options reach the server unchanged, so what it would reject, it rejects before any data flows; here they are read
for the codec that opens and seals the fields in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pglast import ast

from proxy.config import SealedColumn
from proxy.errors import Refused
from proxy.pgtypes import SqlType
from proxy.sql import refusals, utility
from proxy.sql.carrying import used
from proxy.sql.catalog import Relation
from proxy.sql.ddl_columns import require_relation, sealed_columns
from proxy.sql.ddl_index import existing
from proxy.sql.flow import Slot, Uses
from proxy.sql.meeting import current
from proxy.sql.plan import CopyFormat, CopyPlan, Plan
from proxy.sql.queries import openings
from proxy.sql.shadows import require_places
from proxy.sql.survey import Tree
from proxy.sql.task import Task, place


def copy(task: Task, node: Tree) -> Plan:
    """COPY of a table or of a query."""
    if not task.policy:
        return task.forward()
    return _copy_query(task, node) if node.relation is None else _copy_table(task, node)


def _copy_query(task: Task, node: Tree) -> Plan:
    columns = utility.analysed(task, node.query)
    if columns is None:
        return task.plain(node)
    results = openings(columns)
    if results is None:
        return task.plan(node)
    names = [name for name, _ in columns]
    sealed = [None if opening is None else opening.column for opening in results]
    _refuse_file(node, next(column for column in sealed if column is not None))
    for opening in results:
        if opening is not None and opening.fields is not None:
            raise refusals.whole_row(opening.column, None)
        if opening is not None and opening.type.is_array and not opening.column.type.is_array:
            raise Refused(
                f'COPY of an array of sealed column "{opening.column.name}" is not supported',
                hint="copy its values one by one, or SELECT the array",
            )
    for _, flow in columns:
        used(current(flow, None), Uses.STRICT)
    types = [None if opening is None else opening.type for opening in results]
    return task.plan(node, copy=_stream(node, names, sealed, types))


def _copy_table(task: Task, node: Tree) -> Plan:
    relation = require_relation(task, node.relation)
    task.refuse_declared(task.mentions(node), "the WHERE of COPY")
    if not task.carries(relation):
        return task.forward()
    if relation.kind not in ("r", "p", "f"):
        raise Refused(
            f'COPY of "{relation.qualified}" is not supported: it shows sealed columns',
            hint="use COPY (SELECT ...) TO STDOUT, or copy the table below it",
            position=place(node.relation.location),
        )
    names = _names(relation, node)
    found = sealed_columns(task, relation)
    sealed = [found.get(name) for name in names]
    first = next((column for column in sealed if column is not None), None)
    if node.whereClause is not None:
        existing(task, relation).plain_expression(Slot(node, "whereClause"), "the WHERE of COPY")
    if node.is_from and node.attlist is None:
        require_places(task.catalog, relation, "COPY", place(node.relation.location))
    if first is None:
        return task.plan(node)
    _refuse_file(node, first)
    task.context.tables.add(relation.oid)
    types = [None if column is None else column.type for column in sealed]
    return task.plan(node, copy=_stream(node, names, sealed, types))


def _names(relation: Relation, node: Tree) -> list[str]:
    """The copied columns in order; all but the generated ones where there is no list."""
    if node.attlist is None:
        return [attribute.name for attribute in relation.attributes if not attribute.generated]
    names = [name.sval for name in node.attlist]
    for name in names:
        if name not in relation.by_name:
            raise Refused(
                f'column "{name}" of relation "{relation.name}" does not exist',
                position=place(node.relation.location),
                sqlstate="42703",
            )
    return names


def _refuse_file(node: Tree, column: SealedColumn) -> None:
    if node.filename is not None or node.is_program:
        way = "FROM" if node.is_from else "TO"
        raise Refused(
            f'COPY {way} a file or program of the server is not possible with sealed column "{column.name}"',
            hint=f"use COPY ... {way} {'STDIN' if node.is_from else 'STDOUT'} (psql: \\copy)",
        )


def _stream(
    node: Tree,
    names: Sequence[str],
    columns: Sequence[SealedColumn | None],
    types: Sequence[SqlType | None],
) -> CopyPlan:
    options = {option.defname: option.arg for option in node.options or ()}
    try:
        form = CopyFormat(_text(options, "format", "text"))
    except ValueError:
        form = CopyFormat.TEXT  # the server refuses the name
    for name in ("on_error", "convert_selectively"):
        if name in options and _text(options, name, "stop").lower() != "stop":
            raise Refused(
                f"COPY with {name.upper()} is not supported on sealed columns",
                hint="values of sealed columns are checked before they reach the server, and the first bad one ends it",
            )
    is_csv = form is CopyFormat.CSV
    quote = _text(options, "quote", '"')
    return CopyPlan(
        is_from=bool(node.is_from),
        format=form,
        columns=tuple(columns),
        types=tuple(types),
        delimiter=_text(options, "delimiter", "," if is_csv else "\t"),
        null=_text(options, "null", "" if is_csv else "\\N"),
        quote=quote,
        escape=_text(options, "escape", quote),
        header=_flag(options, "header"),
        encoding=_text(options, "encoding", "") or None,
        force_quote=_forced(options, "force_quote", names),
        force_not_null=_forced(options, "force_not_null", names),
        force_null=_forced(options, "force_null", names),
        default=_text(options, "default", "") if "default" in options else None,
    )


def _text(options: Mapping[str, Any], name: str, otherwise: str) -> str:
    value = options.get(name)
    if isinstance(value, ast.String):
        return value.sval or ""
    if isinstance(value, (tuple, list)):
        return "list"
    return otherwise


def _flag(options: Mapping[str, Any], name: str) -> bool:
    """defGetBoolean: present means true; `match` is a header too."""
    if name not in options:
        return False
    value = options[name]
    if value is None:
        return True
    if isinstance(value, ast.Boolean):
        return bool(value.boolval)
    if isinstance(value, ast.Integer):
        return bool(value.ival)
    return isinstance(value, ast.String) and (value.sval or "").lower() in ("true", "on", "match")


def _forced(options: Mapping[str, Any], name: str, names: Sequence[str]) -> frozenset[int]:
    """FORCE_QUOTE, FORCE_NULL, FORCE_NOT_NULL: a list of columns, or `*`."""
    value = options.get(name)
    if isinstance(value, ast.A_Star):
        return frozenset(range(len(names)))
    wanted = {part.sval for part in value or ()}
    return frozenset(index for index, column in enumerate(names) if column in wanted)
