"""Edits of a syntax tree -> the same edits in the client's own text, so that the rest of it stays as it was written.

The place of a node in the text is found by its location and PostgreSQL's scanner. What is found here is a proposal:
`rewrite` parses the text again and compares it with the edited tree, so a wrong guess costs time and nothing else. What
no tree shows is taken out here: all comments, those inside a continued string constant included.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from pglast import ast
from pglast.error import Error
from pglast.parser import parse_sql_json, scan
from pglast.stream import RawStream

from proxy.sql.naming import quote_ident

_COMMENTS: Final = frozenset({"SQL_COMMENT", "C_COMMENT"})
_STRINGS: Final = frozenset({"SCONST", "USCONST", "XCONST", "BCONST"})
_NUMBERS: Final = frozenset({"ICONST", "FCONST"})
_CONSTANTS: Final = frozenset({"SCONST", "USCONST", "TRUE_P", "FALSE_P", "NULL_P"}) | _NUMBERS
_CONTINUED: Final = re.compile(r"'\s*--")
_WHOLE: Final = re.compile("'[^']*+(?:''[^']*+)*+'")
_MINUS, _OPEN, _CLOSE, _DOT = "ASCII_45", "ASCII_40", "ASCII_41", "ASCII_46"
_PAIRS: Final = {_OPEN: _CLOSE, "ASCII_91": "ASCII_93"}

# pglast leaves out the locations of constants, libpg_query's JSON has them, in the order of the nodes' fields.
# Quotes inside strings are escaped there, so that the name of a node cannot occur in one.
_TEXT: Final = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_CONSTANT: Final = re.compile(
    r'"A_Const":\{(?:"isnull":true|"\w+":\{(?:"\w+":(?:' + _TEXT + r'|[-\w]+))?\}),"location":(\d+)\}'
)


class Edit:
    """`old` was taken out of the tree and `new` put in its place; where both are one node, it was changed itself."""

    __slots__ = ("alias", "new", "old")

    def __init__(self, old: Any, new: Any) -> None:
        self.old = old
        self.new = new
        self.alias: str | None = None
        """Name that the result column got because it would have lost its own."""


def splice(text: str, offset: int, constants: Sequence[ast.A_Const], edits: Sequence[Edit]) -> str | None:
    """`text`, which starts at character `offset` of what was parsed, with all edits made; None: a place is not clear.

    `constants` are those of the tree before it was edited, in the order of the nodes' fields.
    """
    try:
        source = _Source(text, offset, constants)
        changes = [change for edit in edits for change in source.changes(edit)]
        return source.changed(changes)
    except (_Unclear, Error):
        return None


class _Unclear(Exception):
    """The place of a node in the text cannot be told."""


Change = tuple[int, int, str]
"""Characters from, to (exclusive), and what comes in their place."""


class _Source:
    """The text with its tokens. Tokens are counted from 0, comments left out."""

    def __init__(self, text: str, offset: int, constants: Sequence[ast.A_Const]) -> None:
        self._text = text
        self._offset = offset
        tokens = scan(text)
        self._comments = [(token.start, token.end + 1) for token in tokens if token.name in _COMMENTS]
        self._tokens = tokens = [token for token in tokens if token.name not in _COMMENTS]
        for token in tokens:
            if (
                token.name in _STRINGS
                and _CONTINUED.search(text, token.start, token.end + 1)
                and not _WHOLE.fullmatch(text, token.start, token.end + 1)
            ):
                raise _Unclear
        self._index = {token.start: number for number, token in enumerate(tokens)}
        places = constant_places(text)
        if len(places) != len(constants):
            raise _Unclear
        self._constants = {id(node): place for node, place in zip(constants, places, strict=True)}

    def changed(self, changes: list[Change]) -> str:
        """The text with the changes made and the comments gone."""
        changes += [(start, end, " ") for start, end in self._comments]
        parts: list[str] = []
        done = 0
        for start, end, new in sorted(set(changes)):
            if start < done:
                raise _Unclear
            before = self._text[done:start]
            parts.append(before)
            last = before[-1:] or (parts[-2][-1:] if len(parts) > 1 else "")
            if new[:1] == "'" and (_is_word(last) or last in ("'", '"')):
                parts.append(" ")
            parts.append(new)
            if _is_word(new[-1:]) and _is_word(self._text[end : end + 1]):
                parts.append(" ")
            done = end
        parts.append(self._text[done:])
        return "".join(parts)

    def changes(self, edit: Edit) -> list[Change]:
        old, new = edit.old, edit.new
        if old is new:
            return [self._renamed(old)]
        layers, node = [], old
        while node is not new and isinstance(node, ast.TypeCast):
            layers.append(node)
            node = node.arg
        if node is new:
            changes = [change for layer in layers for change in self._without_cast(layer)]
            if edit.alias is not None:
                end = self._end(self._extent(old)[1])
                changes.append((end, end, _named(edit.alias)))
            return changes
        first, last = self._extent(old)
        written = _written(new) + ("" if edit.alias is None else _named(edit.alias))
        return [(self._start(first), self._end(last), written)]

    def _renamed(self, node: Any) -> Change:
        if isinstance(node, ast.ParamRef):
            at = self._at(node.location, "PARAM")
            return self._start(at), self._end(at), f"${node.number}"
        if isinstance(node, ast.FuncCall):
            first = last = self._at(node.location)
            while self._name(last + 1) == _DOT:
                last += 2
            name = ".".join(quote_ident(part.sval) for part in node.funcname or ())
            return self._start(first), self._end(last), name
        raise _Unclear

    def _without_cast(self, node: ast.TypeCast) -> list[Change]:
        if node.location is None or node.location < 0:  # type 'literal'
            first, last = self._at(node.typeName.location if node.typeName else None), self._extent(node.arg)[0]
            return [(self._start(first), self._start(last), "")]
        at = self._at(node.location)
        if self._name(at) == "TYPECAST":
            return [(self._start(at), self._end(self._type_end(at + 1)), "")]
        close = self._closing(at + 1)
        depth, end = 0, at + 1
        while depth != 1 or self._name(end) != "AS":
            depth += (self._name(end) == _OPEN) - (self._name(end) == _CLOSE)
            end += 1
        return [(self._start(at), self._end(at), " "), (self._start(end), self._start(close), "")]

    # -- places --------------------------------------------------------------------------------------------------------

    def _extent(self, node: Any) -> tuple[int, int]:
        """First and last token of an expression."""
        if isinstance(node, ast.A_Const):
            return self._constant(node)
        if isinstance(node, ast.ParamRef):
            at = self._at(node.location, "PARAM")
            return at, at
        if isinstance(node, ast.ColumnRef):
            first = last = self._at(node.location)
            while self._name(last + 1) == _DOT:
                last += 2
            return first, last
        if isinstance(node, ast.TypeCast):
            return self._cast(node)
        if (
            isinstance(node, ast.A_Expr)
            and isinstance(node.lexpr, ast.ColumnRef)
            and isinstance(node.rexpr, ast.A_Const)
        ):
            return self._extent(node.lexpr)[0], self._extent(node.rexpr)[1]
        raise _Unclear

    def _constant(self, node: ast.A_Const) -> tuple[int, int]:
        place = self._constants.get(id(node))
        first = last = self._at(None if place is None else place + self._offset)
        if self._name(first) == _MINUS:
            last += 1
            if self._name(last) not in _NUMBERS:
                raise _Unclear
        elif self._name(first) not in _CONSTANTS or self._name(last + 1) == "UESCAPE":
            raise _Unclear
        return first, last

    def _cast(self, node: ast.TypeCast) -> tuple[int, int]:
        if node.location is None or node.location < 0:
            return self._at(node.typeName.location if node.typeName else None), self._extent(node.arg)[1]
        at = self._at(node.location)
        if self._name(at) == "CAST":
            return at, self._closing(at + 1)
        first, last = self._extent(node.arg)
        while last + 1 < at and first > 0 and self._name(first - 1) == _OPEN and self._name(last + 1) == _CLOSE:
            first, last = first - 1, last + 1
        if last + 1 != at:
            raise _Unclear
        return first, self._type_end(at + 1)

    def _type_end(self, at: int) -> int:
        """The last token of a type's name that begins at token `at`."""
        while True:
            following = self._name(at + 1)
            if following == _DOT:
                at += 2
            elif following in _PAIRS:
                at = self._closing(at + 1)
            elif following in ("PRECISION", "VARYING", "ARRAY"):
                at += 1
            elif following.startswith("WITH") and self._name(at + 2) == "TIME" and self._name(at + 3) == "ZONE":
                at += 3
            else:
                return at

    def _closing(self, at: int) -> int:
        """The token that closes the bracket at token `at`."""
        opening = self._name(at)
        closing = _PAIRS.get(opening)
        depth = 0
        while closing is not None:
            name = self._name(at)
            depth += (name == opening) - (name == closing)
            if depth == 0:
                return at
            at += 1
        raise _Unclear

    def _at(self, location: int | None, name: str | None = None) -> int:
        at = None if location is None else self._index.get(location - self._offset)
        if at is None or (name is not None and self._name(at) != name):
            raise _Unclear
        return at

    def _name(self, at: int) -> str:
        if at < len(self._tokens):
            name: str = self._tokens[at].name
            return name
        return ""

    def _start(self, at: int) -> int:
        start: int = self._tokens[at].start
        return start

    def _end(self, at: int) -> int:
        end: int = self._tokens[at].end + 1
        return end


def constant_places(text: str) -> list[int]:
    """Characters before each constant, in the order of the nodes' fields."""
    places = [int(place) for place in _CONSTANT.findall(parse_sql_json(text))]
    if text.isascii():
        return places
    encoded = text.encode()
    characters: dict[int, int] = {}
    done = count = 0
    for place in sorted(set(places)):
        count += len(encoded[done:place].decode())
        done = place
        characters[place] = count
    return [characters[place] for place in places]


def _written(node: Any) -> str:
    if isinstance(node, ast.TypeCast) and isinstance(node.arg, ast.A_Const):
        value = node.arg.val
        if isinstance(value, ast.String) and not node.typeName.arrayBounds:  # type: ignore[union-attr]
            return f"'{value.sval}'::pg_catalog.bytea"
    return f"({RawStream()(node)})"


def _is_word(character: str) -> bool:
    return character.isalnum() or character in ("_", "$")


def _named(name: str) -> str:
    return f" AS {quote_ident(name)}"
