"""One statement being analysed: what it is held against, what has been decided, and the edits of its tree.

The walls (`queries`, `changes`, `expressions`) decide what a literal or parameter is sealed for; here the decision is
carried out. A sealed literal becomes a marker constant that the rewriter cuts out of the printed SQL; a sealed
parameter loses the casts around it, because the server receives bytea.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from pglast import ast

from proxy.config import DatabasePolicy, SealedColumn
from proxy.errors import Refused
from proxy.pgtypes import UNKNOWN_OID, Family, SqlType
from proxy.sql.carrying import settle
from proxy.sql.catalog import Catalog, Relation, SearchPath
from proxy.sql.flow import Columns, Kind, Leaf, Slot, bare
from proxy.sql.naming import column_name
from proxy.sql.plan import TEXT, LiteralSlot, Sealing, ServerParam, Use
from proxy.sql.splicing import Edit
from proxy.sql.survey import constants

if TYPE_CHECKING:
    from proxy.sql.scopes import Cte


class Context:
    """State of the analysis of one statement. `text` is the client's statement, which locations point into."""

    def __init__(
        self,
        text: str,
        catalog: Catalog,
        path: SearchPath,
        policy: DatabasePolicy,
        param_types: tuple[int, ...] = (),
        root: ast.Node | None = None,
    ) -> None:
        self.text = text
        self.catalog = catalog
        self.path = path
        self.policy = policy
        self.param_types = param_types
        self.edited = False
        """True once the tree differs from the client's text."""
        self.edits: list[Edit] = []
        """Edits that the client's own text can follow; others only set `edited`."""
        self.constants: list[ast.A_Const] = []
        """Those of the tree before its first edit, in the order of the nodes' fields."""
        self.tables: set[int] = set()
        """OIDs of the relations with sealed columns that the statement names, views' tables included."""
        self.literals: list[LiteralSlot] = []
        """Slot i stands in the tree as marker(i)."""
        self.is_stored = False
        """True while a view's definition is read: its constants are sealed already."""
        self.view: Relation | None = None
        """The view whose definition is read."""
        self.qualified: frozenset[tuple[str, str]] = frozenset()
        """(schema, name) of the relations that the definition names with their schema."""
        self.views: dict[int, Columns | None] = {}
        """Columns of the views met so far; None: none of its columns can be sealed."""
        self.subquery_names: dict[int, str] = {}
        """id() of a scalar subquery's node -> name of its column, for naming."""
        self.view_targets: dict[tuple[int, int], bool] = {}
        """(view OID, attribute number) of a sealed view column -> True where it is a plain column of a table."""
        self.recursive: Cte | None = None
        """The WITH query whose outermost statement is about to be analysed."""
        self._root = root
        self._grown: list[Slot] = []
        self._sealings: dict[tuple[int, Use], Sealing] = {}
        self._params: list[Leaf] = []
        self.carried: list[Leaf] = []
        """Leaves sealed as Use.CARRY, whose form is settled at the end."""
        self._key = secrets.token_hex(16)

    def marker(self, index: int) -> str:
        """Text of the constant that stands for literal `index`; no client can know it in advance."""
        return f"sealwire:{self._key}:{index}:"

    def resolve(self, schema: str | None, name: str) -> Relation | None:
        """The relation that a name in the statement means; None: it does not exist."""
        if self.view is None:
            return self.catalog.resolve(schema, name, self.path)
        return self.catalog.resolve_in_view(self.view, self.qualified, schema, name, self.path)

    def is_overloaded(self, name: str) -> bool:
        """Whether a function or operator of another schema may be meant where pg_catalog has one of this name. What a
        stored definition means was decided when it was stored."""
        overloads = self.catalog.overloads
        return bool(overloads) and not self.is_stored and any((one, name) in overloads for one in self.path.schemas)

    def position(self, location: int | None) -> int | None:
        """A location of the parser (pglast counts characters from 0) -> the position, from 1, that errors report."""
        return None if location is None or location < 0 or self.is_stored else location + 1

    def replace(self, slot: Slot, node: ast.Node) -> None:
        """Puts another node into a place of the tree."""
        old = slot.get()
        if old is node:
            return
        self.note(old, node)
        slot.set(node)
        if slot.path:
            self._grown.append(slot)

    def note(self, old: ast.Node, new: ast.Node) -> Edit:
        """An edit that is about to be made; old and new are the same node where that is changed itself."""
        if not self.edits and self._root is not None:
            self.constants = constants(self._root)
        self.edited = True
        self.edits.append(edit := Edit(old, new))
        return edit

    def sealing(
        self, column: SealedColumn, use: Use, source: SqlType | None, casts: tuple[SqlType, ...], *, is_array: bool
    ) -> Sealing:
        """A Sealing; the many untyped literals of one column share theirs."""
        if source is not None or casts or is_array:
            return Sealing(column, use, source, casts, is_array)
        key = (id(column), use)
        if (found := self._sealings.get(key)) is None:
            found = self._sealings[key] = Sealing(column, use)
        return found

    def seal_literal(self, text: str, sealing: Sealing, *, is_array: bool = False) -> ast.Node:
        """Registers a literal and returns the node to put in its place: the marker, cast to bytea or bytea[]."""
        index = len(self.literals)
        self.literals.append(LiteralSlot(text, sealing))
        return bytea_cast(ast.A_Const(isnull=False, val=ast.String(sval=self.marker(index))), is_array=is_array)

    def seal(self, leaf: Leaf, sealing: Sealing) -> None:
        """Decides a leaf for a sealed column and edits the tree; the numbers of parameters follow in finish_params."""
        leaf.sealing = sealing
        holder = leaf.slot.holder
        if isinstance(holder, ast.ResTarget) and holder.name is None:
            before = column_name(holder.val, self.subquery_names)
            self._replace(leaf, sealing)
            if column_name(holder.val, self.subquery_names) != before:
                holder.name = before
                self.edits[-1].alias = before
        else:
            self._replace(leaf, sealing)

    def _replace(self, leaf: Leaf, sealing: Sealing) -> None:
        if leaf.kind is Kind.LITERAL:
            leaf.literal = len(self.literals)
            self.replace(leaf.slot, self.seal_literal(leaf.text, sealing))
        elif leaf.kind is Kind.NULL:
            if leaf.casts or leaf.source is not None:
                self.replace(leaf.slot, bytea_cast(ast.A_Const(isnull=True)))
        else:
            self.replace(leaf.slot, bare(leaf.slot.get()))

    def declared_type(self, number: int) -> int:
        """OID that the client declared for parameter `number`; 0: none."""
        oid = self.param_types[number - 1] if 0 < number <= len(self.param_types) else 0
        return 0 if oid == UNKNOWN_OID else oid

    def add_param(self, leaf: Leaf) -> None:
        """Every ParamRef of the statement is registered once, in the order of PostgreSQL's own analysis."""
        self._params.append(leaf)

    def finish(self) -> tuple[ServerParam, ...] | None:
        """The last edits: the server's parameter numbers, and lists that were opened for edits are closed again."""
        settle(self)
        params = self.finish_params()
        for slot in self._grown:
            slot.close()
        self._grown = []
        return params

    def finish_params(self) -> tuple[ServerParam, ...] | None:
        """Assigns the server's parameter numbers; None: no parameter is sealed, all pass as they are.

        The first use of a number (plain or one way of sealing) keeps it. Each different further use gets a number of
        its own after the client's highest one, and its ParamRef is edited.
        """
        if all(leaf.sealing is None for leaf in self._params):
            return None
        for leaf in self._params:
            if leaf.is_neutral:
                self._follow(leaf)
        count = max(len(self.param_types), max(leaf.number for leaf in self._params))
        server: list[ServerParam | None] = [None] * count
        numbers: dict[tuple[int, Sealing | None, tuple[int, ...]], int] = {}
        uses: dict[int, list[Leaf]] = {}
        absorbed = {leaf.number: (leaf.source or TEXT).oid for leaf in self._params if leaf.absorbed}
        for leaf in self._params:
            uses.setdefault(leaf.number, []).append(leaf)
        for number, leaves in uses.items():
            if len(leaves) > 1 and not self.declared_type(number):
                self._agree(number, leaves)
        for leaf in self._params:
            if leaf.absorbed:
                continue
            more = tuple(part.number - 1 for part in leaf.parts)
            key = (leaf.number, leaf.sealing, more)
            if key in numbers:
                number = numbers[key]
            elif server[leaf.number - 1] is None:
                number = leaf.number
                server[number - 1] = ServerParam(number - 1, leaf.sealing, more, leaf.is_joined or bool(more))
            else:
                server.append(ServerParam(leaf.number - 1, leaf.sealing, more, leaf.is_joined or bool(more)))
                number = len(server)
            numbers[key] = number
            if number != leaf.number:
                self._renumber(leaf, number)
        return tuple(
            param or ServerParam(index, absorbed=absorbed.get(index + 1, 0)) for index, param in enumerate(server)
        )

    def _follow(self, leaf: Leaf) -> None:
        first = next(other for other in self._params if other.number == leaf.number)
        if first is leaf and leaf.source is None and not self.declared_type(leaf.number):
            raise Refused(
                f"could not determine data type of parameter ${leaf.number}",
                position=self.position(leaf.location),
                sqlstate="42P08",
            )
        for other in self._params:
            if other.number == leaf.number and other.sealing is not None and not other.is_neutral:
                self.seal(leaf, other.sealing)
                return

    def _renumber(self, leaf: Leaf, number: int) -> None:
        node = bare(leaf.slot.get())
        self.note(node, node)
        node.number = number

    def _agree(self, number: int, leaves: list[Leaf]) -> None:
        """One undeclared parameter, used several times: PostgreSQL infers one type, from the first use, and all
        others convert from it. Raises Refused where the uses could disagree."""
        if all(leaf.sealing is None for leaf in leaves):
            return
        if all(leaf.sealing == leaves[0].sealing for leaf in leaves):
            return
        types = [leaf.sealing.client_type if leaf.sealing else leaf.source or leaf.plain_type for leaf in leaves]
        for index, leaf in enumerate(leaves):
            for other, kind in zip(leaves[:index], types[:index], strict=True):
                mine = types[index]
                if leaf.group and leaf.group == other.group and kind and mine and kind.oid != mine.oid:
                    raise Refused(
                        f"inconsistent types deduced for parameter ${number}",
                        detail=f"{kind.unmodified} versus {mine.unmodified}",
                        position=self.position(leaf.location),
                        sqlstate="42P08",
                    )
        first = types[0]
        if first is None or None in types:
            raise self._undecided(number, leaves)
        for leaf, kind in zip(leaves, types, strict=True):
            assert kind is not None  # noqa: S101  (None was refused above)
            if kind.oid == first.oid:
                continue
            if kind.family is not first.family or kind.is_array != first.is_array or first.family is not Family.TEXT:
                raise self._undecided(number, leaves)
            if leaf.sealing is not None and leaf.sealing.source is None:
                leaf.sealing = replace(leaf.sealing, source=first.unmodified)

    def _undecided(self, number: int, leaves: list[Leaf]) -> Refused:
        column = next(leaf.sealing.column for leaf in leaves if leaf.sealing is not None)
        return Refused(
            f'parameter ${number} meets sealed column "{column.name}" and with values whose type may differ',
            hint=f"cast every use of it to one type, such as ${number}::{column.type.unmodified}, "
            "or send it as two parameters",
            position=self.position(leaves[-1].location),
        )


def _type_name(*, is_array: bool) -> ast.TypeName:
    return ast.TypeName(
        names=(ast.String(sval="pg_catalog"), ast.String(sval="bytea")),
        setof=False,
        pct_type=False,
        typemod=-1,
        arrayBounds=(ast.Integer(ival=-1),) if is_array else None,
    )


# Shared by all trees: making nodes is the dearest part of an edit, and nobody changes a type's name.
BYTEA = _type_name(is_array=False)
BYTEA_ARRAY = _type_name(is_array=True)


def bytea_cast(node: ast.Node, *, is_array: bool = False) -> ast.TypeCast:
    """`node::pg_catalog.bytea`, or bytea[]."""
    return ast.TypeCast(arg=node, typeName=BYTEA_ARRAY if is_array else BYTEA)
