"""Edited syntax tree -> SQL text, proven by parsing it again, and cut at the places of the sealed literals.

The text is the client's own with the edits made in it (`splicing`), or else what pglast's RawStream prints. Either is
parsed again and must equal the edited tree, slot by slot, with four exceptions that carry no meaning: places in the
text, `funcformat` (whether a function was written as a call or as SQL syntax), the difference between a missing C
value and its zero, and the brackets of `(a AND b) AND c`. A tree that does not survive is refused. Comments are no
part of the tree, and none survives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from pglast import ast, parse_sql
from pglast.parser import ParseError
from pglast.stream import RawStream

from proxy.errors import Refused
from proxy.sql.parsing import too_deep

_PLACES: Final = frozenset({"ParseLoc"})
_IGNORED: Final = frozenset({("FuncCall", "funcformat")})
# C types held by value: the tree that a program builds may leave them unset where the parser writes their zero.
_NOT_MATCHED: Final = "WHEN NOT MATCHED"
_BY_TARGET: Final = f"{_NOT_MATCHED} BY TARGET"
_LISTS: Final = frozenset({"List*"})


def _slots_of(kind: Any) -> tuple[tuple[str, bool], ...]:
    """(slot, is a pointer) of the slots that mean something; the class variable `__slots__` maps names to C types."""
    return tuple(
        (name, info.c_type.endswith("*") and info.c_type not in _LISTS)
        for name, info in kind.__slots__.items()
        if info.c_type not in _PLACES and (kind.__name__, name) not in _IGNORED
    )


_SLOTS: Final[dict[type, tuple[tuple[str, bool], ...]]] = {}


def render(
    node: ast.Node, markers: Sequence[str], proposal: str | None = None
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The statement's text in pieces, and which marker stands between piece i and i+1 (an index into `markers`).

    `proposal` is taken for the text where it parses to the same tree. A marker is the text of a string constant that
    stands for a sealed literal; its quotes belong to it, so `'<marker>'` as a whole disappears from the pieces. A
    marker may occur several times, not zero times.
    Raises Refused: 0A000 when no text parses back to the same tree, 54001 when it is nested too deep.
    """
    try:
        if proposal is not None and _is_faithful(proposal, node):
            return _cut(proposal, markers)
        text = _printed(node)
        if text is not None and _BY_TARGET in text:
            # PostgreSQL before 17 does not know the words, and nobody needs them. Only where they are no literal's.
            shorter = text.replace(_BY_TARGET, _NOT_MATCHED)
            text = shorter if _is_faithful(shorter, node) else text
        faithful = text is not None and _is_faithful(text, node)
    except RecursionError:
        raise too_deep() from None
    if text is None or not faithful:
        raise Refused(
            "this statement uses syntax that cannot be rewritten faithfully",
            hint="It touches sealed columns, so its literals or parameters must be replaced: write it simpler",
        )
    return _cut(text, markers)


def _printed(node: ast.Node) -> str | None:
    try:
        text: str = RawStream()(node)
    except (NotImplementedError, AttributeError, TypeError, ValueError, KeyError, IndexError):
        return None  # the printer does not know a construct
    return text


def _is_faithful(text: str, node: ast.Node) -> bool:
    try:
        statements = parse_sql(text)
    except ParseError:
        return False
    return len(statements) == 1 and same(statements[0].stmt, node)


def _cut(text: str, markers: Sequence[str]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """In one pass over the text, split at its quotes: statements may hold many thousand literals."""
    if not markers:
        return (text,), ()
    index = {marker: number for number, marker in enumerate(markers)}
    shared = _shared_start(min(markers), max(markers))
    parts = text.split("'")
    pieces: list[str] = []
    order: list[int] = []
    start = 0
    for place, part in enumerate(parts):
        number = index.get(part)
        if number is not None and _stands_alone(parts, place):
            pieces.append("'".join(parts[start:place]))
            order.append(number)
            start = place + 1
        elif shared in part:
            raise _mistakable()
    if len(set(order)) != len(index):
        raise _mistakable()
    return (*pieces, "'".join(parts[start:])), tuple(order)


def _shared_start(one: str, other: str) -> str:
    different = (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return one[: next(different, min(len(one), len(other)))]


def _stands_alone(parts: Sequence[str], place: int) -> bool:
    """A constant of its own has no prefix (E'', X'') and is no part of a longer constant or quoted name, whose quotes
    would stand doubled or beside it."""
    if not 0 < place < len(parts) - 1:
        return False
    before, after = parts[place - 1], parts[place + 1]
    if not before or before[-1].isalnum() or before[-1] in '_$"':
        return False
    return not after.startswith('"') if after else place + 2 == len(parts)


def _mistakable() -> Refused:
    return Refused(
        "this statement's literals cannot be told apart from Sealwire's own marks", hint="send the values as parameters"
    )


def same(left: Any, right: Any) -> bool:
    """True: both trees mean the same statement."""
    if left is right:
        return True
    kind = type(left)
    if kind is tuple or kind is list:
        return isinstance(right, (tuple, list)) and len(left) == len(right) and all(map(_SAME, left, right))
    if type(right) is not kind:
        return False
    if kind is ast.BoolExpr:
        return bool(left.boolop == right.boolop) and same(_flat(left), _flat(right))
    if not isinstance(left, ast.Node):
        return bool(left == right)
    slots = _SLOTS.get(kind)
    if slots is None:
        slots = _SLOTS[kind] = _slots_of(kind)
    for slot, is_pointer in slots:
        a, b = getattr(left, slot), getattr(right, slot)
        if a is b or (type(a) is str and type(b) is str and a == b):
            continue
        if is_pointer:
            if a is None or b is None or not same(a, b):
                return False
        elif not (same(a, b) or (_is_zero(a) and _is_zero(b))):
            return False
    return True


_SAME: Final[Callable[[Any, Any], bool]] = same


def _flat(node: Any) -> tuple[Any, ...]:
    """What AND or OR joins: the grammar makes one node of `(a AND b) AND c`, an edit may leave two."""
    args: tuple[Any, ...] = tuple(node.args)
    while len(args) > 1 and isinstance(args[0], ast.BoolExpr) and args[0].boolop == node.boolop:
        args = (*(args[0].args or ()), *args[1:])
    return args


def _is_zero(value: Any) -> bool:
    """What C's zero-initialised memory holds: NIL for a list, false, 0, the first member of an enum, no character."""
    return value is None or value == () or value == [] or value == "\0" or (not isinstance(value, str) and value == 0)
