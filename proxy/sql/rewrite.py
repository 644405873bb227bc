"""Edited syntax tree -> SQL text, proven by parsing it again, and cut at the places of the sealed literals.

The printer is pglast's RawStream. What it prints is parsed again and must equal the edited tree, slot by slot, with
three exceptions that carry no meaning: places in the text, `funcformat` (whether a function was written as a call or
as SQL syntax) and the difference between a missing C value and its zero. A tree that does not survive is refused.
Comments are no part of the tree, so none survives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from pglast import ast, parse_sql
from pglast.parser import ParseError
from pglast.stream import RawStream

from proxy.errors import Refused
from proxy.sql.parsing import too_deep

_PLACES: Final = frozenset({"ParseLoc"})
_IGNORED: Final = frozenset({("FuncCall", "funcformat")})
# C types held by value: the tree that a program builds may leave them unset where the parser writes their zero.
_LISTS: Final = frozenset({"List*"})


def _slots_of(kind: Any) -> tuple[tuple[str, bool], ...]:
    """(slot, is a pointer) of the slots that mean something; the class variable `__slots__` maps names to C types."""
    return tuple(
        (name, info.c_type.endswith("*") and info.c_type not in _LISTS)
        for name, info in kind.__slots__.items()
        if info.c_type not in _PLACES and (kind.__name__, name) not in _IGNORED
    )


_SLOTS: Final[dict[type, tuple[tuple[str, bool], ...]]] = {}


def render(node: ast.Node, markers: Sequence[str]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The statement's text in pieces, and which marker stands between piece i and i+1 (an index into `markers`).

    A marker is the text of a string constant that stands for a sealed literal; its quotes belong to it, so
    `'<marker>'` as a whole disappears from the pieces. A marker may occur several times, not zero times.
    Raises Refused: 0A000 when the printed text does not parse back to the same tree, 54001 when it is nested too deep.
    """
    try:
        text = RawStream()(node)
        printed = parse_sql(text)
        faithful = len(printed) == 1 and same(printed[0].stmt, node)
    except RecursionError:
        raise too_deep() from None
    except (ParseError, NotImplementedError, AttributeError, TypeError, ValueError, KeyError, IndexError):
        faithful = False  # the printer does not know a construct, or prints it wrongly
    if not faithful:
        raise Refused(
            "this statement uses syntax that cannot be rewritten faithfully",
            hint="It touches sealed columns, so its literals or parameters must be replaced: write it simpler",
        )
    return _cut(text, markers, node)


def _cut(text: str, markers: Sequence[str], node: ast.Node) -> tuple[tuple[str, ...], tuple[int, ...]]:
    if not markers:
        return (text,), ()
    index = {marker: number for number, marker in enumerate(markers)}
    parts = re.split("(" + "|".join(re.escape(f"'{marker}'") for marker in markers) + ")", text)
    order = tuple(index[part[1:-1]] for part in parts[1::2])
    pieces = tuple(parts[0::2])
    # Nothing else may look like a marker: each place cut out is a string constant of the tree, and none is left over.
    constants = [value for value in _strings(node) if any(marker in value for marker in markers)]
    remains = any(marker in piece for marker in markers for piece in pieces)
    if remains or sorted(constants) != sorted(markers[number] for number in order) or set(order) != set(index.values()):
        raise Refused("this statement's literals cannot be told apart from Sealwire's own marks")
    return pieces, order


def _strings(node: ast.Node) -> Iterable[str]:
    """The values of all string constants of the tree."""
    pending: list[Any] = [node]
    while pending:
        item = pending.pop()
        if isinstance(item, ast.A_Const):
            if isinstance(item.val, ast.String) and item.val.sval is not None:
                yield item.val.sval
        elif isinstance(item, ast.Node):
            pending.extend(getattr(item, slot) for slot in item)
        elif isinstance(item, (tuple, list)):
            pending.extend(item)


def same(left: Any, right: Any) -> bool:
    """True: both trees mean the same statement."""
    if left is right:
        return True
    if isinstance(left, ast.Node):
        kind = type(left)
        if type(right) is not kind:
            return False
        slots = _SLOTS.get(kind)
        if slots is None:
            slots = _SLOTS[kind] = _slots_of(kind)
        for slot, is_pointer in slots:
            a, b = getattr(left, slot), getattr(right, slot)
            if a is b:
                continue
            if is_pointer:
                if a is None or b is None or not same(a, b):
                    return False
            elif not (same(a, b) or (_is_zero(a) and _is_zero(b))):
                return False
        return True
    if isinstance(left, (tuple, list)):
        return isinstance(right, (tuple, list)) and len(left) == len(right) and all(map(_SAME, left, right))
    return type(left) is type(right) and bool(left == right)


_SAME: Final[Callable[[Any, Any], bool]] = same


def _is_zero(value: Any) -> bool:
    """What C's zero-initialised memory holds: NIL for a list, false, 0, the first member of an enum, no character."""
    return value is None or value == () or value == [] or value == "\0" or (not isinstance(value, str) and value == 0)
