"""Queries, changes, and the statements that are about other statements or about the session.

EXPLAIN is analysed through to its inner statement. PREPARE and DECLARE say what they make; EXECUTE and FETCH name it,
and the session, which knows the names, completes their plans.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pglast import ast, enums

from proxy.errors import Refused
from proxy.sql import ddl_derived, introspection
from proxy.sql.changes import analyse_change
from proxy.sql.context import BYTEA, BYTEA_ARRAY
from proxy.sql.conversions import type_of_name
from proxy.sql.ddl_columns import refuse_unlisted
from proxy.sql.execution import execution, refuse_joined
from proxy.sql.expressions import analyse_expression
from proxy.sql.flow import Columns, Row, Slot
from proxy.sql.plan import Cursor, Effect, ExecuteUse, Plan, Preparation, ServerParam
from proxy.sql.queries import analyse_query, openings
from proxy.sql.scopes import Scope
from proxy.sql.survey import Tree
from proxy.sql.task import DDL_AND_PATH, Task, matters, place

_UNDO: Final = Effect.TRANSACTION | Effect.SETTINGS | Effect.CATALOG
_CURSOR_BINARY: Final = 0x0001  # CURSOR_OPT_BINARY and CURSOR_OPT_HOLD, nodes/parsenodes.h
_CURSOR_HOLD: Final = 0x0020
_OTHER_OID: Final = 2276  # "any": stands for a declared type that Sealwire does not know
_UNKNOWN: Final = ast.TypeName(names=(ast.String(sval="unknown"),), setof=False, pct_type=False, typemod=-1)


_TAGS: Final = {
    enums.TransactionStmtKind.TRANS_STMT_BEGIN: "BEGIN",
    enums.TransactionStmtKind.TRANS_STMT_START: "START TRANSACTION",
    enums.TransactionStmtKind.TRANS_STMT_COMMIT: "COMMIT",
    enums.TransactionStmtKind.TRANS_STMT_ROLLBACK: "ROLLBACK",
    enums.TransactionStmtKind.TRANS_STMT_SAVEPOINT: "SAVEPOINT",
    enums.TransactionStmtKind.TRANS_STMT_RELEASE: "RELEASE",
    enums.TransactionStmtKind.TRANS_STMT_ROLLBACK_TO: "ROLLBACK",
    enums.TransactionStmtKind.TRANS_STMT_PREPARE: "PREPARE TRANSACTION",
    enums.TransactionStmtKind.TRANS_STMT_COMMIT_PREPARED: "COMMIT PREPARED",
    enums.TransactionStmtKind.TRANS_STMT_ROLLBACK_PREPARED: "ROLLBACK PREPARED",
}


def analysed(task: Task, node: Tree) -> Columns | None:
    """The columns that a query or change returns; None: it mentions no sealed relation and passes as it is.

    Raises Refused: 42P01 for a relation that the catalog does not hold, 0A000 for what may not be done.
    """
    found = task.mentions(node)
    task.require_known(found)
    if task.policy:
        task.refuse_text_runners(found)
    task.refuse_row_types(found)
    if task.sealed_mention(found) is None and not task.calls_declared(found):
        introspection.disguise(task, node, found)
        return None
    for _, relation in found.relations:
        if relation.kind in ("r", "p", "f") and task.carries(relation):
            refuse_unlisted(task, relation)
    analyse = analyse_query if isinstance(node, ast.SelectStmt) else analyse_change
    columns = analyse(task.context, node)
    for place_of, relation in found.relations:
        if relation.kind in ("v", "m") and task.carries(relation) and task.context.views.get(relation.oid) is None:
            raise Refused(
                f'view "{relation.qualified}" shows tables with sealed columns, '
                "but under this search_path its definition does not lead to them",
                hint="use the search_path that the view was made with",
                position=place(place_of.location),
            )
    introspection.disguise(task, node, found)
    return columns


def query(task: Task, node: Tree) -> Plan:
    """SELECT, VALUES, TABLE, and SELECT INTO, which is CREATE TABLE AS."""
    first = leftmost(node)
    if first.intoClause is not None:
        task.effects |= DDL_AND_PATH
        return ddl_derived.select_into(task, node, first)
    return change(task, node)


def change(task: Task, node: Tree) -> Plan:
    """INSERT, UPDATE, DELETE, MERGE."""
    columns = analysed(task, node)
    return task.plain(node) if columns is None else task.plan(node, results=openings(columns))


def explain(task: Task, node: Tree) -> Plan:
    """EXPLAIN [ANALYZE]: its own result is plain text, whatever the inner statement returns."""
    return replace(_explained(task, node), explains=bool(task.policy))


def _explained(task: Task, node: Tree) -> Plan:
    inner = node.query
    if isinstance(inner, ast.ExecuteStmt):
        return task.forward(executes=execution(task, inner, node, ExecuteUse.EXPLAIN))
    if isinstance(inner, ast.CreateTableAsStmt):
        task.effects |= DDL_AND_PATH
        return ddl_derived.create_table_as(task, inner, whole=node)
    if isinstance(inner, ast.DeclareCursorStmt):
        inner = inner.query
    elif isinstance(inner, ast.RefreshMatViewStmt):
        return task.forward()
    if isinstance(inner, ast.SelectStmt) and (first := leftmost(inner)).intoClause is not None:
        task.effects |= DDL_AND_PATH
        return ddl_derived.select_into(task, inner, first)
    return task.forward() if analysed(task, inner) is None else task.plan(node)


def leftmost(node: Tree) -> Tree:
    """The first query of a set operation: the one that holds the INTO."""
    while node.larg is not None:
        node = node.larg
    return node


def prepare(task: Task, node: Tree) -> Plan:
    """PREPARE: what is sealed in its text is sealed once; parameters and results are for EXECUTE and Bind to map."""
    types = tuple(_declared(name) for name in node.argtypes or ())
    task.context.param_types = types
    columns = analysed(task, node.query)
    inner_effects, task.effects = task.effects, Effect.NONE
    known = tuple(0 if oid == _OTHER_OID else oid for oid in types)
    if columns is None:
        inner = Plan(effects=inner_effects, tag=_inner_tag(node.query))
        return replace(task.plain(node), prepares=Preparation(node.name, known, inner))
    results = openings(columns)
    params = task.context.finish()
    if params is not None:
        for param in params:
            if param.is_joined:
                raise refuse_joined(param)
        node.argtypes = tuple(_server_type(param, node.argtypes or ()) for param in params)
        task.context.edited = True
    whole = task.assemble(node, params)
    inner = Plan(params=params, results=results, effects=inner_effects, tables=whole.tables, tag=_inner_tag(node.query))
    return replace(whole, params=None, prepares=Preparation(node.name, known, inner))


def _declared(name: ast.TypeName) -> int:
    if [part.sval for part in name.names or ()] in (["unknown"], ["pg_catalog", "unknown"]):
        return 0
    kind = type_of_name(name)
    return _OTHER_OID if kind is None else kind.oid


def _server_type(param: ServerParam, declared: Sequence[ast.TypeName]) -> ast.TypeName:
    """A type that is declared as unknown is inferred, as if it were not declared."""
    if param.sealing is not None:
        return BYTEA_ARRAY if param.sealing.is_array else BYTEA
    return declared[param.client] if param.client < len(declared) else _UNKNOWN


def _inner_tag(node: Tree) -> str:
    return type(node).__name__.removesuffix("Stmt").upper()


def declare(task: Task, node: Tree) -> Plan:
    """DECLARE: its query may have parameters, as far as it is sent by the extended protocol."""
    columns = analysed(task, node.query)
    results = None if columns is None else openings(columns)
    plan = task.plain(node) if columns is None else task.plan(node)
    options = node.options or 0
    cursor = Cursor(
        node.portalname,
        Plan(results=results, effects=task.effects, tables=plan.tables, tag="SELECT"),
        is_held=bool(options & _CURSOR_HOLD),
        is_binary=bool(options & _CURSOR_BINARY),
    )
    return replace(plan, declares=cursor)


def execute(task: Task, node: Tree) -> Plan:
    return task.forward(executes=execution(task, node, node, ExecuteUse.RUN))


def fetch(task: Task, node: Tree) -> Plan:
    """MOVE gives no rows."""
    return task.forward(fetches=None if node.ismove else node.portalname)


def close(task: Task, node: Tree) -> Plan:
    if node.portalname is None:
        task.effects |= Effect.CLOSE_ALL
    return task.forward(closes=node.portalname)


def deallocate(task: Task, node: Tree) -> Plan:
    if node.isall:
        task.effects |= Effect.DEALLOCATE_ALL
    return task.forward(deallocates=node.name)


def transaction(task: Task, node: Tree) -> Plan:
    """ROLLBACK TO may undo DDL and settings; what the end of a transaction undoes, the session knows."""
    task.tag = _TAGS.get(node.kind, task.tag)
    if node.kind in (
        enums.TransactionStmtKind.TRANS_STMT_ROLLBACK_TO,
        enums.TransactionStmtKind.TRANS_STMT_COMMIT_PREPARED,
    ):
        task.effects = _UNDO
    return task.forward()


def variable_set(task: Task, node: Tree) -> Plan:
    """SET, RESET, SET ROLE, SET SESSION AUTHORIZATION; SET TRANSACTION changes no setting that matters."""
    kinds = enums.VariableSetKind
    if node.kind == kinds.VAR_RESET_ALL or (node.kind != kinds.VAR_SET_MULTI and matters(node.name or "")):
        task.effects |= Effect.SETTINGS
    return task.forward()


def discard(task: Task, node: Tree) -> Plan:
    if node.target == enums.DiscardMode.DISCARD_ALL:
        task.effects |= DDL_AND_PATH | Effect.DEALLOCATE_ALL | Effect.CLOSE_ALL
    elif node.target == enums.DiscardMode.DISCARD_TEMP:
        task.effects |= DDL_AND_PATH
    return task.forward()


def call(task: Task, node: Tree) -> Plan:
    """CALL: procedures take plaintext, but for declared ones; what they do inside is refused when they are created."""
    found = task.mentions(node)
    if (relation := task.sealed_mention(found)) is not None:
        raise Refused(
            f'"{relation.qualified}" has sealed columns and cannot be an argument of CALL',
            hint="select the values first, and send them as arguments",
        )
    if not task.calls_declared(found):
        return task.forward()
    flow = analyse_expression(task.context, Slot(node, "funccall"), Scope())
    fields: Columns = list(flow.fields) if isinstance(flow, Row) else [("", flow)]
    return task.plan(node, results=openings(fields))


def do(task: Task, node: Tree) -> Plan:
    """DO: refused when its text names a relation with sealed columns."""
    texts = [item.arg.sval or "" for item in node.args if isinstance(item.arg, ast.String)]
    if (name := task.names_sealed(texts)) is not None:
        raise Refused(
            f'a DO block cannot name "{name}", which takes or has sealed values: its text cannot be rewritten',
            hint="run its statements one by one from the application",
        )
    return task.forward()
