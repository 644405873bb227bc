"""The plans made under one catalog and policy, found by a statement's text or by its shape.

By text serves prepared statements and texts that repeat themselves. By shape serves statements that differ in their
literals: a shape is drawn when a second statement of it comes, and from then on such statements are neither parsed
nor kept by text. Both are bounded by bytes; the least recently used go first. Keys are strings from outside: Python's
hash of them is keyed at random for each process, so that nobody can choose colliding ones.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from proxy.errors import Refused
from proxy.sql.catalog import SearchPath
from proxy.sql.literals import Cut, cut
from proxy.sql.plan import Failure, Statement
from proxy.sql.shape import Shape, fixed_tokens, shape_of

Analysis = tuple[Statement | Failure, ...]
Run = Callable[[str, tuple[int, ...], SearchPath], Analysis]
_Key = tuple[str, tuple[int, ...], SearchPath]

TEXT_BYTES: Final = 24 * 1024 * 1024
SHAPE_BYTES: Final = 8 * 1024 * 1024
LONGEST: Final = 256 * 1024
"""Characters of a statement whose shape is looked for."""
MOST_SHAPES: Final = 64
"""Shapes that differ in fixed literals only: where there are more, those are what varies."""
_PLAN_BYTES: Final = 4096
"""What a plan is taken to occupy, beside its text and its literals."""
_LITERAL_BYTES: Final = 320
_SIGHTED_BYTES: Final = 512


class _Family:
    """All statements of one shape but for their fixed literals."""

    __slots__ = ("cost", "fixed", "is_fit", "shapes")

    def __init__(self, cost: int) -> None:
        self.cost = cost
        self.is_fit = True
        """False: such statements have no shape."""
        self.fixed: tuple[int, ...] | None = None
        """The tokens that do not vary, ascending; None: not looked at yet."""
        self.shapes: dict[tuple[str, ...], Shape | None] = {}
        """By the fixed tokens; None: it has none."""

    def shape(self, tokens: Sequence[str]) -> Shape | None:
        if self.fixed is None:
            return None
        return self.shapes.get(tuple([tokens[at] for at in self.fixed]))


class Shaped(NamedTuple):
    """`fixed`: the numbers of those of the literals, ascending, that are the same in all statements of the shape."""

    shape: Shape
    given: Cut
    fixed: tuple[int, ...]


class Plans:
    """`run` analyses; it does not raise."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._texts: OrderedDict[_Key, Analysis] = OrderedDict()
        self._families: OrderedDict[_Key, _Family] = OrderedDict()
        self._text_bytes = 0
        self._shape_bytes = 0

    @property
    def size(self) -> int:
        """Bytes that they are taken to occupy."""
        return self._text_bytes + self._shape_bytes

    def plan(self, text: str, types: tuple[int, ...], path: SearchPath) -> Analysis:
        """The analysis of a text, made now where it is not known."""
        found = self.known(text, types, path)
        if found is not None:
            return found
        given = cut(text) if len(text) <= LONGEST else None
        shape = None if given is None else self._shape(given, types, path)
        if shape is not None and given is not None:
            return (shape.filled(given.tokens, len(text)),)
        found = self._run(text, types, path)
        if given is None or not self._learn(text, given, found, types, path):
            self._keep(text, types, path, found)
        return found

    def known(self, text: str, types: tuple[int, ...], path: SearchPath) -> Analysis | None:
        """The analysis of a text that is kept by text."""
        key = (text, types, path)
        found = self._texts.get(key)
        if found is not None:
            self._texts.move_to_end(key)
        return found

    def shaped(self, text: str, types: tuple[int, ...], path: SearchPath) -> Shaped | None:
        """The shape of a text, where it is known, and the text's own literals."""
        given = cut(text) if len(text) <= LONGEST else None
        if given is None:
            return None
        shape = self._shape(given, types, path)
        family = self._families.get((given.shape, types, path))
        return None if shape is None or family is None else Shaped(shape, given, family.fixed or ())

    def _shape(self, given: Cut, types: tuple[int, ...], path: SearchPath) -> Shape | None:
        key = (given.shape, types, path)
        family = self._families.get(key)
        if family is None:
            return None
        self._families.move_to_end(key)
        return family.shape(given.tokens)

    def _keep(self, text: str, types: tuple[int, ...], path: SearchPath, found: Analysis) -> None:
        self._texts[text, types, path] = found
        self._text_bytes += _cost(text, found)
        while self._text_bytes > TEXT_BYTES and len(self._texts) > 1:
            (oldest, _, _), dropped = self._texts.popitem(last=False)
            self._text_bytes -= _cost(oldest, dropped)

    def _learn(self, text: str, given: Cut, found: Analysis, types: tuple[int, ...], path: SearchPath) -> bool:
        """A statement that no shape is known for. True: now one is."""
        if len(found) != 1 or not isinstance(found[0], Statement):
            return False
        key = (given.shape, types, path)
        family = self._families.get(key)
        if family is None:
            self._families[key] = family = _Family(_SIGHTED_BYTES + 4 * len(given.shape))
            self._charge(family.cost)
            return False
        if not family.is_fit:
            return False
        try:
            return self._draw(family, text, given, found, types, path)
        except (Refused, RecursionError):
            family.is_fit = False
            return False

    def _draw(
        self, family: _Family, text: str, given: Cut, found: Analysis, types: tuple[int, ...], path: SearchPath
    ) -> bool:
        if family.fixed is None:
            fixed = fixed_tokens(text, given)
            if fixed is None or len(fixed) == len(given.tokens):
                family.is_fit = False
                return False
            family.fixed = tuple(sorted(fixed))
        values = tuple([given.tokens[at] for at in family.fixed])
        if values in family.shapes or len(family.shapes) >= MOST_SHAPES:
            return False
        shape = shape_of(text, given, family.fixed, lambda marked: self._run(marked, types, path), found)
        family.shapes[values] = shape
        cost = 4 * sum(map(len, values)) + _SIGHTED_BYTES
        if shape is not None:
            cost += _PLAN_BYTES + 4 * len(given.shape) + _LITERAL_BYTES * len(given.tokens)
        family.cost += cost
        self._charge(cost)
        return shape is not None

    def _charge(self, cost: int) -> None:
        self._shape_bytes += cost
        while self._shape_bytes > SHAPE_BYTES and len(self._families) > 1:
            _, dropped = self._families.popitem(last=False)
            self._shape_bytes -= dropped.cost


def _cost(text: str, analysis: Analysis) -> int:
    literals = sum(len(one.plan.literals) for one in analysis if isinstance(one, Statement))
    return 4 * len(text) + _PLAN_BYTES + _LITERAL_BYTES * literals
