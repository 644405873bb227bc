"""Node class -> the function that analyses it; and the rule for every class that has none.

A class without a handler is opaque but not invisible: all of its fields are walked, and a sealed value anywhere below
is refused. So a node that PostgreSQL adds to its grammar can make Sealwire refuse, never leak.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from pglast import ast

from proxy.sql.context import Context
from proxy.sql.flow import PLAIN, Columns, Flow, Slot
from proxy.sql.meeting import use_as_plain
from proxy.sql.scopes import Scope

Handler = Callable[[Context, Any, Slot, Scope], Flow]
StatementHandler = Callable[[Context, Any, Scope | None], Columns]
_H = TypeVar("_H", bound=Callable[..., Any])

EXPRESSIONS: Final[dict[type, Handler]] = {}
STATEMENTS: Final[dict[type, StatementHandler]] = {}
"""Queries and data changes: what may stand in WITH."""


def handles(*classes: type) -> Callable[[_H], _H]:
    """Registers an expression's handler."""

    def register(function: _H) -> _H:
        for kind in classes:
            EXPRESSIONS[kind] = function
        return function

    return register


def analyses(*classes: type) -> Callable[[_H], _H]:
    """Registers a statement's handler."""

    def register(function: _H) -> _H:
        for kind in classes:
            STATEMENTS[kind] = function
        return function

    return register


def expression(ctx: Context, slot: Slot, scope: Scope) -> Flow:
    """What the expression in `slot` is. May edit the tree below the slot, and replace the node in it."""
    node = slot.get()
    handler = EXPRESSIONS.get(type(node))
    if handler is None:
        children(ctx, node, scope, f"used in {type(node).__name__}")
        return PLAIN
    return handler(ctx, node, slot, scope)


def plain(ctx: Context, slot: Slot, scope: Scope, doing: str, location: int | None = None) -> None:
    """Analyses an expression that may not be sealed."""
    use_as_plain(ctx, expression(ctx, slot, scope), doing, ctx.position(location))


def children(ctx: Context, node: ast.Node, scope: Scope, doing: str) -> None:
    """Walks every field of `node`: all expressions below it must be plain."""
    for name in slots(node):
        value = getattr(node, name)
        if isinstance(value, ast.Node | tuple | list):
            _walk(ctx, Slot(node, name), value, scope, doing)


def slots(node: ast.Node) -> Iterable[str]:
    """Names of the node's fields."""
    names: Iterable[str] = type(node).__slots__  # type: ignore[attr-defined]  # pglast's stubs leave it out
    return names


def _walk(ctx: Context, slot: Slot, value: Any, scope: Scope, doing: str) -> None:
    if isinstance(value, tuple | list):
        for index, element in enumerate(value):
            if isinstance(element, ast.Node | tuple | list):
                _walk(ctx, Slot(slot.holder, slot.name, *slot.path, index), element, scope, doing)
    elif type(value) in EXPRESSIONS:
        use_as_plain(ctx, expression(ctx, slot, scope), doing, ctx.position(getattr(value, "location", None)))
    elif type(value) in STATEMENTS:
        for _, flow in STATEMENTS[type(value)](ctx, value, scope):
            use_as_plain(ctx, flow, doing, None)
    else:
        children(ctx, value, scope, doing)


def each(ctx: Context, holder: ast.Node, name: str, scope: Scope) -> list[Flow]:
    """Flows of the expressions in a list field; [] for an absent one."""
    count = len(getattr(holder, name) or ())
    return [expression(ctx, Slot(holder, name, index), scope) for index in range(count)]
