"""Functions that columns.yaml declares: their arguments are sealed as if stored, their results opened.

The server's own signature has sealwire.sealed or bytea in these places. Which of several functions of one name is
meant, PostgreSQL decides by types, so a declaration holds for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from pglast import ast

from proxy.config import DatabasePolicy, DeclaredFunction
from proxy.errors import Refused
from proxy.sql import refusals
from proxy.sql.catalog import SearchPath
from proxy.sql.context import Context
from proxy.sql.dispatch import expression
from proxy.sql.flow import PLAIN, Flow, Row, Sealed, Slot, Unsealed
from proxy.sql.meeting import assign, use_as_plain
from proxy.sql.scopes import Scope, attribute_flow


def declared(policy: DatabasePolicy, path: SearchPath, node: ast.FuncCall) -> DeclaredFunction | None:
    """The declaration of the function called, if any."""
    if not policy.functions:
        return None
    names = [part.sval or "" for part in node.funcname or ()]
    if len(names) > 1:
        return policy.functions.get((names[-2], names[-1]))
    return next(
        (found for schema in path.schemas if (found := policy.functions.get((schema, names[0]))) is not None), None
    )


def declared_call(ctx: Context, node: ast.FuncCall, function: DeclaredFunction, scope: Scope) -> Flow:
    """Seals the arguments. Returns the result: a Row for a function that returns rows of several columns."""
    position = ctx.position(node.location)
    if node.func_variadic or node.agg_star or node.agg_order or node.agg_filter is not None or node.over is not None:
        raise refusals.unsupported(f'this way to call the declared function "{function.name}"', position)
    for at, given in enumerate(node.args or ()):
        slot = Slot(node, "args", at)
        name: str | None = None
        if isinstance(given, ast.NamedArgExpr):
            slot, name = Slot(given, "arg"), given.name
        argument, wanted = _argument(function, at, name, position)
        target = _flow(ctx, wanted)
        flow = expression(ctx, slot, scope)
        if isinstance(target, Sealed | Unsealed):
            assign(ctx, flow, target, argument, position)
        else:
            doing = f'passed to plain argument "{argument}" of function "{function.name}"'
            use_as_plain(ctx, flow, doing, position)
    if isinstance(function.result, str):
        return _flow(ctx, function.result)
    return Row(tuple((name, _flow(ctx, wanted)) for name, wanted in function.result), is_record=True)


def _argument(function: DeclaredFunction, at: int, name: str | None, position: int | None) -> tuple[str, str]:
    known: Sequence[tuple[str, str]] = function.arguments
    if name is None and at < len(known):
        return known[at]
    found = next((argument for argument in known if argument[0] == name), None)
    if found is None:
        what = f'argument "{name}"' if name is not None else f"argument {at + 1}"
        raise Refused(
            f'{what} of function "{function.schema}.{function.name}" is not declared',
            hint="list all of its arguments in columns.yaml, under functions",
            position=position,
        )
    return found


def _flow(ctx: Context, wanted: str) -> Flow:
    """A value of the named column, without modifier: functions have none."""
    column = ctx.policy.named(wanted)
    if column is None:
        return PLAIN
    relation = ctx.catalog.by_name.get((column.schema, column.table))
    attribute = None if relation is None else relation.by_name.get(column.column)
    flow: Flow = Unsealed(column) if relation is None or attribute is None else attribute_flow(ctx, relation, attribute)
    if isinstance(flow, Sealed):
        return Sealed(column, column.type.unmodified)
    return flow if isinstance(flow, Unsealed) else PLAIN
