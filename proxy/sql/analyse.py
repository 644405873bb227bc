"""Text of a Query or Parse message -> one Plan for each of its statements: the entry to the analysis.

What a statement class needs is looked up in one table (`RULES`). A class that is not in it passes only when it
mentions no relation with sealed columns. Statements that touch none are forwarded as they are, after one walk over
their tree.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pglast import ast

from proxy.config import DatabasePolicy
from proxy.errors import Refused
from proxy.sql.catalog import Catalog, SearchPath
from proxy.sql.parsing import Parsed, parse, too_deep
from proxy.sql.plan import Failure, Plan, Statement
from proxy.sql.rules import RULES
from proxy.sql.shadows import refuse_dependent
from proxy.sql.task import DDL_AND_PATH, Task

# What may call a declared function; EXECUTE and what makes tables are looked at where they are handled.
_CALLING: Final = (
    ast.SelectStmt,
    ast.InsertStmt,
    ast.UpdateStmt,
    ast.DeleteStmt,
    ast.MergeStmt,
    ast.CallStmt,
    ast.ExplainStmt,
    ast.PrepareStmt,
    ast.DeclareCursorStmt,
    ast.CopyStmt,
)


def analyse(
    text: str,
    *,
    catalog: Catalog,
    path: SearchPath,
    policy: DatabasePolicy,
    param_types: tuple[int, ...] = (),
) -> list[Statement | Failure]:
    """The statements of `text` in order; nothing for an empty one. `param_types` are the OIDs of a Parse message.

    Ends with a Failure at the first statement that is refused or would fail: Refused with PostgreSQL's SQLSTATE
    (42601 covers the whole text, as PostgreSQL then runs none of it; 42P01 where the catalog does not hold a name:
    it may be stale) or 0A000. Positions count characters of `text` from 1.

    All plans hold for the catalog and path given: after a statement with Effect.CATALOG or Effect.SETTINGS the rest
    of the text has to be analysed again.
    """
    try:
        statements = parse(text)
    except Refused as error:
        if not policy and error.sqlstate in ("42601", "54001"):
            return [Statement(0, len(text), Plan(effects=DDL_AND_PATH))]  # nothing to protect: the server judges it
        return [Failure(0, len(text), error)]
    result: list[Statement | Failure] = []
    for parsed in statements:
        try:
            plan = _plan(text, parsed, catalog, path, policy, param_types)
        except Refused as error:
            result.append(Failure(parsed.start, parsed.end, error))
            break
        except RecursionError:
            result.append(Failure(parsed.start, parsed.end, too_deep()))
            break
        result.append(Statement(parsed.start, parsed.end, plan))
    return result


def split(text: str) -> list[tuple[int, int]]:
    """Where the statements of `text` start and end: what `analyse` goes through one by one. Raises Refused."""
    return [(parsed.start, parsed.end) for parsed in parse(text)]


def _plan(
    text: str,
    parsed: Parsed,
    catalog: Catalog,
    path: SearchPath,
    policy: DatabasePolicy,
    param_types: tuple[int, ...],
) -> Plan:
    extent = parsed.start, parsed.end
    task = Task(text, parsed.node, catalog=catalog, path=path, policy=policy, param_types=param_types, extent=extent)
    if policy.functions and not isinstance(parsed.node, _CALLING):
        task.refuse_declared(task.mentions(), "this statement")
    rule = RULES.get(type(parsed.node))
    if rule is None:
        return _unlisted(task)
    task.tag = rule.tag
    task.effects = rule.effects
    if rule.handler is None:
        return task.forward()
    plan = rule.handler(task, parsed.node)
    if task.carriers.has_shadows:
        refuse_dependent(parsed.node, task.mentions().relations)
    return _with_pending(task, plan)


def _with_pending(task: Task, plan: Plan) -> Plan:
    """The plan with the tables noted whose columns may be sealed at any moment. CREATE INDEX CONCURRENTLY is left out:
    it runs in no transaction with anything else."""
    if not task.carriers.has_pending or (isinstance(task.node, ast.IndexStmt) and task.node.concurrent):
        return plan
    named = task.mentions().relations
    pending = frozenset(oid for _, relation in named for oid in task.carriers.pending_in(relation))
    if not pending:
        return plan
    if plan.prepares is not None:
        inner = replace(plan.prepares.plan, pending=pending)
        plan = replace(plan, prepares=replace(plan.prepares, plan=inner))
    return replace(plan, pending=pending)


def _unlisted(task: Task) -> Plan:
    """A class of a newer grammar: it may be anything, so it may change anything."""
    name = type(task.node).__name__
    task.tag = name
    task.effects = DDL_AND_PATH
    found = task.mentions()
    relation = task.sealed_mention(found)
    if relation is not None or task.names_sealed(found.strings):
        raise Refused(
            f"statements of the kind {name} are not supported on relations with sealed columns",
            hint="name only relations without sealed columns in it",
        )
    return task.forward()
