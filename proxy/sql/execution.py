"""EXECUTE: its arguments, and what becomes of them once the prepared statement is known.

PostgreSQL converts an argument to its parameter's type as an assignment does (EvaluateParams in
src/backend/commands/prepare.c). An argument for a sealed parameter is sealed here, so it has to be a literal.
"""

from __future__ import annotations

from dataclasses import replace

from pglast import ast

from proxy.errors import Refused
from proxy.sql.conversions import assignable
from proxy.sql.dispatch import expression
from proxy.sql.flow import Kind, Open, Slot
from proxy.sql.plan import Argument, ExecuteUse, Execution, Literal, LiteralSlot, Plan, Sealing, ServerParam
from proxy.sql.rewrite import render
from proxy.sql.scopes import Scope
from proxy.sql.survey import Tree
from proxy.sql.task import Task

_SELECT = "SELECT "


def execution(task: Task, node: Tree, whole: Tree, use: ExecuteUse) -> Execution:
    """The arguments of an ExecuteStmt; `whole` is the statement around it, None where it is never rewritten."""
    task.refuse_declared(task.mentions(node), "the arguments of EXECUTE")
    params = node.params or ()
    if not params or whole is None:
        return Execution(node.name, tuple(Argument(None, None) for _ in params), use=use)
    arguments = tuple(Argument(_printed(param), _literal(task, node, at)) for at, param in enumerate(params))
    mark = task.context.marker(0)
    node.params = (ast.A_Const(isnull=False, val=ast.String(sval=mark)),)
    try:
        (head, tail), _ = render(whole, [mark])
    finally:
        node.params = params
    return Execution(node.name, arguments, head, tail, use)


def _printed(node: ast.Node) -> str | None:
    try:
        (text,), _ = render(ast.SelectStmt(targetList=(ast.ResTarget(val=node),)), ())
    except Refused:
        return None
    return text.removeprefix(_SELECT)


def _literal(task: Task, node: Tree, at: int) -> Literal | None:
    try:
        flow = expression(task.context, Slot(node, "params", at), Scope())
    except Refused:
        return None  # the server judges it, or it meets a sealed parameter and is refused there
    if not isinstance(flow, Open) or not flow.is_direct:
        return None
    leaf = flow.leaves[0]
    if leaf.kind is Kind.PARAM:
        return None
    return Literal(None if leaf.kind is Kind.NULL else leaf.text, leaf.source, leaf.casts)


def complete(plan: Plan, prepared: Plan, count: int) -> Plan:
    """The plan of an EXECUTE whose prepared statement has the plan `prepared` and `count` parameters, as the client
    counts them. Raises Refused."""
    execute = plan.executes
    if execute is None:
        raise AssertionError("not an EXECUTE")
    if execute.use is ExecuteUse.TABLE and (prepared.params or prepared.results):
        raise Refused(
            f'CREATE TABLE AS EXECUTE is not supported: prepared statement "{execute.name}" touches sealed columns',
            hint="create the table first, then INSERT ... SELECT",
        )
    if prepared.copy is not None:
        raise Refused(
            f'prepared statement "{execute.name}" is a COPY of sealed columns and cannot be run by EXECUTE',
            hint="run the COPY itself",
        )
    template, literals = plan.template, plan.literals
    if prepared.params is not None:
        template, literals = _fill(execute, prepared.params, count)
    return replace(
        prepared,
        template=template,
        literals=literals,
        params=None,
        results=prepared.results if execute.use is ExecuteUse.RUN else None,
        effects=prepared.effects | plan.effects,
        explains=plan.explains or prepared.explains,
        tag=prepared.tag if execute.use is ExecuteUse.RUN else plan.tag,
    )


def _fill(
    execute: Execution, params: tuple[ServerParam, ...], count: int
) -> tuple[tuple[str, ...], tuple[LiteralSlot, ...]]:
    given = execute.arguments
    if len(given) != count:
        raise Refused(
            f'wrong number of parameters for prepared statement "{execute.name}"',
            detail=f"Expected {count} parameters but got {len(given)}.",
            sqlstate="42601",
        )
    pieces: list[str] = []
    literals: list[LiteralSlot] = []
    piece = execute.head
    for at, param in enumerate(params):
        piece += ", " if at else ""
        if param.is_joined:
            raise refuse_joined(param)
        argument, sealing = given[param.client], param.sealing
        if sealing is None:
            if argument.text is None:
                raise Refused(
                    f"argument {param.client + 1} of EXECUTE uses syntax that cannot be rewritten faithfully",
                    hint="write it simpler, or send it as a parameter of the protocol",
                )
            piece += argument.text
        elif argument.literal is None:
            raise Refused(
                f'argument {param.client + 1} of EXECUTE meets sealed column "{sealing.column.name}" and is not a '
                "plain literal",
                hint="write the value as a literal, or run the prepared statement by the protocol (Bind)",
            )
        elif argument.literal.text is None:
            piece += "NULL"
        else:
            pieces.append(piece)
            literals.append(LiteralSlot(argument.literal.text, _for(argument.literal, sealing, param.client + 1)))
            piece = ""
    return (*pieces, piece + execute.tail), tuple(literals)


def refuse_joined(param: ServerParam) -> Refused:
    """A value that is made of several parameters is made by Bind only."""
    return Refused(
        f"the value that parameter ${param.client + 1} becomes part of cannot be made in a prepared statement of SQL",
        hint="send the array, or the whole pattern, as one parameter, or prepare the statement by the protocol",
    )


def _for(literal: Literal, sealing: Sealing, number: int) -> Sealing:
    """How the literal is sealed: as the value of the parameter's type that PostgreSQL would make of it."""
    kind, target = literal.type, sealing.client_type
    if kind is None:
        return sealing
    casts = literal.casts
    if kind.oid != target.oid:
        if not assignable(kind, target):
            raise Refused(
                f"parameter ${number} of type {kind.unmodified} cannot be coerced to the expected type {target}",
                hint="You will need to rewrite or cast the expression.",
                sqlstate="42804",
            )
        casts = (*casts, target)
    return replace(sealing, source=literal.source, casts=(*casts, *sealing.casts))
