"""One analysis for all statements of a shape: they differ in literals only, and so do their plans.

Which literals may differ? Only those in places of the tree (`_FREE`) where the analysis takes a literal for a value
of its type and does not look at it: beside an operator, among VALUES, in a select list or SET, inside CASE, coalesce,
LIMIT. All others are *fixed*: arguments of functions, LIKE patterns, ORDER BY and GROUP BY positions, arrays for ANY,
modifiers of types, and whatever is not known here. A statement with another fixed literal has a shape of its own. The
type of a number, which PostgreSQL takes from its size, is part of the shape (`literals`).

A shape is found by experiment and then proven by an example: the statement is analysed with marks in place of its
free literals, the marks show where each of them comes out in the plan, and with the statement's own literals filled
in the result must equal the statement's own analysis.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pglast import ast, enums

from proxy.errors import Refused
from proxy.sql.conversions import type_of_name
from proxy.sql.literals import DECIMAL, INT4, INT8, STRING, Cut, joined, value_of
from proxy.sql.parsing import parse
from proxy.sql.plan import Failure, LiteralSlot, Plan, Sealing, Statement
from proxy.sql.splicing import constant_places
from proxy.sql.survey import children_of, constants

Analyse = Callable[[str], Sequence[Statement | Failure]]

_Kind: Final = enums.A_Expr_Kind
_COMPARING: Final = frozenset(
    {
        _Kind.AEXPR_OP,
        _Kind.AEXPR_DISTINCT,
        _Kind.AEXPR_NOT_DISTINCT,
        _Kind.AEXPR_NULLIF,
        _Kind.AEXPR_IN,
        _Kind.AEXPR_BETWEEN,
        _Kind.AEXPR_NOT_BETWEEN,
        _Kind.AEXPR_BETWEEN_SYM,
        _Kind.AEXPR_NOT_BETWEEN_SYM,
    }
)
_OPERATORS: Final = [[name] for name in "= <> < <= > >= + - * / % ||".split()]
"""As PostgreSQL's parser writes them. Not `~~`: it is LIKE, whose pattern the analysis reads."""
_SELECT: Final = (
    "targetList fromClause whereClause havingClause valuesLists limitOffset limitCount withClause larg rarg"
)
_FREE: Final[dict[type, frozenset[str]]] = {
    kind: frozenset(slots.split())
    for kind, slots in {
        ast.SelectStmt: _SELECT,
        ast.InsertStmt: "selectStmt onConflictClause returningClause withClause",
        ast.UpdateStmt: "targetList whereClause fromClause returningClause withClause",
        ast.DeleteStmt: "whereClause usingClause returningClause withClause",
        ast.OnConflictClause: "targetList whereClause",
        ast.ReturningClause: "exprs",
        ast.WithClause: "ctes",
        ast.CommonTableExpr: "ctequery",
        ast.RangeSubselect: "subquery",
        ast.JoinExpr: "larg rarg quals",
        ast.SubLink: "testexpr subselect",
        ast.ResTarget: "val",
        ast.MultiAssignRef: "source",
        ast.A_Expr: "lexpr rexpr",
        ast.TypeCast: "arg",
        ast.BoolExpr: "args",
        ast.NullTest: "arg",
        ast.CaseExpr: "arg args defresult",
        ast.CaseWhen: "expr result",
        ast.CoalesceExpr: "args",
        ast.MinMaxExpr: "args",
        ast.RowExpr: "args",
    }.items()
}
"""Class of a node -> its slots whose literals the analysis does not look into. What is not listed is fixed."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a sealed literal comes from: token `token` with `sign` before it, or always `text` where token is -1."""

    sealing: Sealing
    token: int
    sign: str
    text: str

    def filled(self, tokens: Sequence[str]) -> str:
        if self.token < 0:
            return self.text
        value = value_of(tokens[self.token])
        return value if value == "0" else self.sign + value


@dataclass(frozen=True, slots=True)
class Shape:
    """The plan for statements of one shape and the same fixed literals."""

    plan: Plan
    """Without template and literals, where it has any."""
    start: int
    behind: int
    """Characters behind the statement's end."""
    parts: tuple[str | int, ...] | None
    """The template: text, tokens by their number from 0, and as -1, -2... the sealed literals; None: no template."""
    slots: tuple[Slot, ...]

    def filled(self, tokens: Sequence[str], length: int) -> Statement:
        """The statement with other literals; `length`: characters of its text."""
        plan = self.plan
        if self.parts is not None:
            pieces = [""]
            for part in self.parts:
                if isinstance(part, str):
                    pieces[-1] += part
                elif part >= 0:
                    pieces[-1] += tokens[part]
                else:
                    pieces.append("")
            literals = tuple(LiteralSlot(slot.filled(tokens), slot.sealing) for slot in self.slots)
            plan = replace(plan, template=tuple(pieces), literals=literals)
        return Statement(self.start, length - self.behind, plan)


def shape_of_plan(statement: Statement) -> Shape:
    """A statement without literals that may differ, in the form of a shape."""
    plan = statement.plan
    parts: list[str | int] | None = None
    if plan.template is not None:
        parts = [plan.template[0]]
        for number, piece in enumerate(plan.template[1:], 1):
            parts += (-number, piece)
    slots = tuple(Slot(literal.sealing, -1, "", literal.text) for literal in plan.literals)
    return Shape(plan, statement.start, 0, None if parts is None else tuple(parts), slots)


def fixed_tokens(text: str, given: Cut) -> frozenset[int] | None:
    """Which of the tokens may not differ within a shape; None: the statement has no shape. Raises Refused."""
    statements = parse(text)
    if len(statements) != 1:
        return None
    root = statements[0].node
    found = constants(root)
    places = constant_places(text)
    if len(found) != len(places):
        return None
    free = set(map(id, _free_constants(root)))
    at_place = {place: node for node, place in zip(found, places, strict=True) if id(node) in free}
    fixed: set[int] = set()
    for number, start in enumerate(_starts(given)):
        before = text[:start].rstrip()
        node = at_place.get(start) or (at_place.get(len(before) - 1) if before.endswith("-") else None)
        if node is None:
            fixed.add(number)
    return frozenset(fixed)


def _starts(given: Cut) -> Iterator[int]:
    """Characters before each token."""
    at, tokens = 0, iter(given.tokens)
    for character in given.shape:
        if STRING <= character <= DECIMAL:
            yield at
            at += len(next(tokens))
        else:
            at += 1


def _free_constants(root: Any) -> Iterator[ast.A_Const]:
    pending: list[Any] = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, tuple | list):
            pending.extend(node)
        elif isinstance(node, ast.A_Const):
            yield node
        elif isinstance(node, ast.Node) and _is_open(node):
            slots = _FREE[type(node)]
            pending.extend(getattr(node, name) for name in children_of(node) if name in slots)


def _is_open(node: ast.Node) -> bool:
    if isinstance(node, ast.A_Expr):
        return node.kind in _COMPARING and (
            node.kind is not _Kind.AEXPR_OP or [part.sval for part in node.name or ()] in _OPERATORS
        )
    if isinstance(node, ast.TypeCast):
        try:
            kind = None if node.typeName is None else type_of_name(node.typeName)
        except Refused:
            return False
        return kind is not None and not kind.is_array
    return type(node) in _FREE


def shape_of(text: str, given: Cut, fixed: Iterable[int], analyse: Analyse, own: Sequence[Any]) -> Shape | None:
    """The shape of `text`, whose literals are `given` and whose analysis is `own`; None: it has none."""
    keep = frozenset(fixed)
    marks = _marks(given, keep)
    tokens = tuple(token if number in keep else marks[number] for number, token in enumerate(given.tokens))
    marked = joined(given.shape, tokens)
    analysis = analyse(marked)
    if len(analysis) != 1 or not isinstance(analysis[0], Statement):
        return None
    shape = _drawn(analysis[0], len(marked), marks)
    return shape if shape is not None and [shape.filled(given.tokens, len(text))] == list(own) else None


def _marks(given: Cut, fixed: frozenset[int]) -> dict[int, str]:
    """Token number -> a literal of the same kind that occurs nowhere else."""
    kinds = [character for character in given.shape if STRING <= character <= DECIMAL]
    marks: dict[int, str] = {}
    taken: set[str] = set()
    for number, kind in enumerate(kinds):
        if number not in fixed:
            mark = _mark(kind)
            while mark in taken:
                mark = _mark(kind)
            marks[number] = mark
            taken.add(mark)
    return marks


_LIKE_A_MARK: Final = re.compile(r"'sw[0-9a-f]{16}'|[0-9]+(?:\.[0-9]+)?")


def _mark(kind: str) -> str:
    if kind == STRING:
        return f"'sw{secrets.token_hex(8)}'"
    if kind == INT4:
        return str(1_000_000_000 + secrets.randbelow(1_000_000_000))
    if kind == INT8:
        return str(10**17 + secrets.randbelow(10**17))
    if kind == DECIMAL:
        return f"{10**9 + secrets.randbelow(10**9)}.{10**9 + secrets.randbelow(10**9)}"
    return str(10**24 + secrets.randbelow(10**24))


def _drawn(statement: Statement, length: int, marks: dict[int, str]) -> Shape | None:
    """The shape that a statement with marks shows; None where a mark does not come out whole, exactly once."""
    plan = statement.plan
    number_of = {value_of(mark): number for number, mark in marks.items()}
    written = {mark: number for number, mark in marks.items()}
    slots: list[Slot] = []
    seen: set[int] = set()
    for literal in plan.literals:
        number = number_of.get(literal.text)
        sign = ""
        if number is None and literal.text.startswith("-"):
            number, sign = number_of.get(literal.text[1:]), "-"
        if number is None and any(value in literal.text for value in number_of):
            return None
        slots.append(Slot(literal.sealing, -1 if number is None else number, sign, literal.text))
        if number is not None:
            seen.add(number)
    if plan.template is None:
        return Shape(plan, statement.start, length - statement.end, None, ())
    parts: list[str | int] = []
    for at, piece in enumerate(plan.template):
        if at:
            parts.append(-at)
        done = 0
        for match in _LIKE_A_MARK.finditer(piece):
            number = written.get(match[0])
            if number is None:
                continue
            if number in seen:
                return None
            parts += (piece[done : match.start()], number)
            seen.add(number)
            done = match.end()
        parts.append(piece[done:])
    if seen != set(marks):
        return None
    return Shape(
        replace(plan, template=None, literals=()), statement.start, length - statement.end, tuple(parts), tuple(slots)
    )
