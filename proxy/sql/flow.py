"""What an expression is to the analysis: plain, sealed, or a literal or parameter that has yet to take a side.

A `Flow` is the answer to "may this value be sealed, and as which column". `Leaf` is one literal or parameter as it
stands in the tree; several flows may hold the same leaf (a VALUES column that is read twice), and the first side it
meets decides it for all of them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from pglast import ast

from proxy.config import Scheme, SealedColumn
from proxy.pgtypes import SqlType
from proxy.sql.plan import TEXT, Sealing


class Slot:
    """The place of a node in its tree, so that it can be replaced: attribute `name` of `holder`, and the path of
    indices below it where that attribute is a tuple, possibly of tuples."""

    __slots__ = ("holder", "name", "path")

    def __init__(self, holder: ast.Node, name: str, *path: int) -> None:
        self.holder = holder
        self.name = name
        self.path = path

    def get(self) -> Any:
        value = getattr(self.holder, self.name)
        for index in self.path:
            value = value[index]
        return value

    def set(self, node: ast.Node) -> None:
        """Constant time: the tuples on the path become lists once, since a VALUES list may have many thousand rows."""
        if not self.path:
            setattr(self.holder, self.name, node)
            return
        value = getattr(self.holder, self.name)
        if not isinstance(value, list):
            value = list(value)
            setattr(self.holder, self.name, value)
        for index in self.path[:-1]:
            inner = value[index]
            if not isinstance(inner, list):
                inner = value[index] = list(inner)
            value = inner
        value[self.path[-1]] = node

    def close(self) -> None:
        """Tuples again, as the parser makes them and the printer wants them."""
        value = getattr(self.holder, self.name)
        if isinstance(value, list):
            setattr(self.holder, self.name, _closed(value))


def _closed(value: list[Any]) -> tuple[Any, ...]:
    return tuple(_closed(part) if isinstance(part, list) else part for part in value)


def bare(node: Any) -> Any:
    """The literal or parameter inside all that may be written around a leaf: casts, COLLATE, +, and date(...)."""
    while True:
        if isinstance(node, ast.TypeCast | ast.CollateClause):
            node = node.arg
        elif isinstance(node, ast.A_Expr):
            node = node.rexpr
        elif isinstance(node, ast.FuncCall):
            (node,) = node.args or ()
        else:
            return node


class Kind(enum.Enum):
    """What a leaf is."""

    NULL = "null"
    LITERAL = "literal"
    PARAM = "parameter"


class Uses(enum.Flag):
    """What becomes of a value that stands beside sealed ones: it decides the form that it is sealed in."""

    NONE = 0
    SHOWN = enum.auto()
    """It may be a result."""
    COMPARED = enum.auto()
    """Compared, grouped or sorted with stored values."""
    STORED = enum.auto()
    """Stored into `Leaf.stored_in`."""
    STRICT = enum.auto()
    """Anything else: only the form that shows, compares and is stored alike will do."""


class Leaf:
    """One NULL, literal or parameter with the casts written around it; `slot` is the place of the outermost cast."""

    __slots__ = (
        "absorbed",
        "casts",
        "group",
        "is_cast",
        "is_joined",
        "is_neutral",
        "is_plain",
        "kind",
        "literal",
        "location",
        "needs",
        "number",
        "parts",
        "plain_type",
        "sealing",
        "slot",
        "source",
        "stored_in",
        "text",
        "uses",
    )

    def __init__(
        self,
        kind: Kind,
        slot: Slot,
        *,
        text: str = "",
        number: int = 0,
        source: SqlType | None = None,
        location: int | None = None,
    ) -> None:
        self.kind = kind
        self.slot = slot
        self.text = text
        """Input text of a literal."""
        self.number = number
        """Number of a parameter, from 1."""
        self.source = source
        """As Sealing.source."""
        self.casts: tuple[SqlType, ...] = ()
        """As Sealing.casts."""
        self.location = location
        """Location in the statement, for error positions."""
        self.sealing: Sealing | None = None
        """Set once it is decided for a sealed column."""
        self.is_plain = False
        """True once it is decided for the plain side; then it may not become sealed any more."""
        self.group = 0
        """Not 0: assigned as it is in this list of assignments."""
        self.is_cast = False
        """Sealed with the casts of one reference to its column: no other reference may read it."""
        self.is_neutral = False
        """True where only NULL or not matters (`$1 IS NULL`): it may be sealed like another use of the parameter."""
        self.needs = Scheme.RANDOM
        """The weakest scheme that carries what has been done with it so far: grouped, sorted..."""
        self.plain_type: SqlType | None = None
        """Type of the plain side it met, where known."""
        self.parts: tuple[Leaf, ...] = ()
        """Parameters whose values become part of this one's; their own places have left the tree."""
        self.is_joined = False
        """True: it has parts, or is the only element of an array."""
        self.absorbed = False
        """True for such a part."""
        self.literal: int | None = None
        """Index in Context.literals of a sealed literal."""
        self.uses = Uses.NONE
        """What becomes of it where it is sealed as Use.CARRY."""
        self.stored_in: SealedColumn | None = None
        """The column that it is stored into."""

    @property
    def type(self) -> SqlType | None:
        return self.casts[-1] if self.casts else self.source


@dataclass(frozen=True, slots=True)
class Plain:
    """Not sealed. `type` is None where the analysis does not know it or Sealwire does not support it."""

    type: SqlType | None = None


@dataclass(frozen=True, slots=True)
class Sealed:
    """Holds sealed values of `column`'s domain; all of them could be stored in `column` as they are."""

    column: SealedColumn
    type: SqlType
    """What the application sees; is_array (and not column.type.is_array): an array of sealed values."""
    origin: tuple[int, int] | None = None
    """(relation OID, attribute number) while it is a plain reference: what RowDescription shows."""
    carried: tuple[Leaf, ...] = ()
    """Literals and parameters that may be this value. Whoever derives a flow from this one hands them on."""

    @property
    def is_array(self) -> bool:
        """True for bytea[]: an array whose elements are sealed one by one."""
        return self.type.is_array and not self.column.type.is_array


@dataclass(frozen=True, slots=True)
class Open:
    """Literals and parameters only, not yet decided. `type` None: unknown, as PostgreSQL calls it."""

    leaves: tuple[Leaf, ...]
    type: SqlType | None = None
    is_direct: bool = False
    """True: the expression is the leaf itself, so that casts around it belong to the leaf."""
    is_shared: bool = False
    """True: a column of a closed query, which other expressions may read as well."""
    is_array: bool = False
    """True: ARRAY[...] of the leaves."""
    slot: Slot | None = None
    """Place of the ARRAY[...], with casts around it, where is_array."""
    casts: tuple[SqlType, ...] = ()
    """Casts around a shared column or a combination, innermost first; they follow those of its leaves."""
    wraps: tuple[Slot, ...] = ()
    """Places of those casts: they leave the tree once the value is sealed."""
    inner: tuple[Slot, ...] = ()
    """Places of casts around a combination inside the query whose column it is; its leaves have them too."""
    spread: Slot | None = None
    """Place of the array, with casts around it, whose elements unnest() has made these rows of."""


@dataclass(frozen=True, slots=True)
class Row:
    """ROW(...), a whole-row reference, or a subquery of several columns."""

    fields: tuple[tuple[str, Flow], ...]
    is_record: bool = False
    """True: a whole-row reference, which compares and prints as one value."""


@dataclass(frozen=True, slots=True)
class Unsealed:
    """A policy column whose physical type is not sealwire.sealed: whoever uses it is refused."""

    column: SealedColumn


@dataclass(frozen=True, slots=True)
class Opaque:
    """Stands in a column list for any number of plain columns whose names are not known (`f.*` of a function)."""


Flow: TypeAlias = Plain | Sealed | Open | Row | Unsealed | Opaque
Columns: TypeAlias = list[tuple[str, Flow]]

PLAIN: Final = Plain()


def fixed(flow: Flow) -> Flow:
    """The flow of a column once its query is closed: what is still of unknown type becomes text, as PostgreSQL does
    for subqueries, CTEs and VALUES (resolveTargetListUnknowns)."""
    if isinstance(flow, Open) and not flow.is_shared:
        if flow.casts and flow.spread is None:
            for leaf in flow.leaves:
                leaf.casts += flow.casts
            flow = replace(flow, casts=(), wraps=(), inner=flow.wraps)
        resolve_unknown(flow, TEXT)
        return replace(flow, type=flow.type or TEXT, is_shared=True, is_direct=False)
    return flow


def resolve_unknown(flow: Open, kind: SqlType) -> None:
    """What is of unknown type is read as `kind`."""
    for leaf in flow.leaves:
        if leaf.source is None:
            leaf.source = kind.unmodified
