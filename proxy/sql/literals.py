"""A statement's literals, cut out of its text: what is left is its shape, which statements with other literals share.

A small part of PostgreSQL's lexer ("Lexical Structure" in the manual): quoted names, plain string constants, and
numbers written with digits only or with a point between digits. What else might begin or end a token that matters
(comments, dollar quoting, parameters, prefixed strings, backslashes) makes `cut` give up: whoever called it analyses
the text. It is sound because everything up to the first such sign has been read as PostgreSQL reads it, so that the
sign itself is part of the shape and is found there.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

STRING, INT4, INT8, WHOLE, DECIMAL = "\x01", "\x02", "\x03", "\x04", "\x05"
"""What stands in a shape for a literal: the types that PostgreSQL's make_const gives are part of it."""
_INT4_END: Final = 2**31
_INT8_END: Final = 2**63

# The look around a number comes behind its first digit, so that the search can leap to quotes and digits.
_WORD: Final = r"\w.$\x80-\U0010ffff"
_LITERAL: Final = re.compile(
    "'[^']*+(?:''[^']*+)*+'"
    '|"[^"]*+(?:""[^"]*+)*+"'
    rf"|[0-9](?<![{_WORD}][0-9])[0-9]*+(?:\.[0-9]++)?+(?![{_WORD}])"
)
_UNSURE: Final = re.compile(
    r"--|/\*|[$\\']|&\""
    r"|\x01(?<=[\w$&\x80-\U0010ffff]\x01)|\x01\s*\x01"  # E'', U&'', constants that continue
    r"|[-+][\x02-\x05](?<=[0-9.][eE][-+].)"  # 1e-5
)
_KINDS: Final = (STRING, INT4, INT8, WHOLE, DECIMAL)
_KIND: Final = re.compile("[" + "".join(_KINDS) + "]")


class Cut(NamedTuple):
    """`shape` has one character for each of `tokens`, the literals as they were written, in order."""

    shape: str
    tokens: tuple[str, ...]


def cut(text: str) -> Cut | None:
    """None: the text has no literals, or cannot be read for certain."""
    tokens: list[str] = []
    unsure = False

    def replace(match: re.Match[str]) -> str:
        nonlocal unsure
        token = match[0]
        if token[0] == '"':
            return token
        kind = STRING if token[0] == "'" else number_kind(token)
        unsure = unsure or kind is None
        tokens.append(token)
        return kind or ""

    shape = _LITERAL.sub(replace, text)
    if unsure or not tokens or "\0" in text or sum(map(shape.count, _KINDS)) != len(tokens) or _UNSURE.search(shape):
        return None
    return Cut(shape, tuple(tokens))


def number_kind(token: str) -> str | None:
    """The kind of a number; None where its sign, which is another token, would decide it, or it has leading zeros."""
    if "." in token:
        return DECIMAL
    if len(token) > 1 and token[0] == "0":
        return None
    if len(token) < len(str(_INT4_END)):
        return INT4
    value = int(token) if len(token) <= len(str(_INT8_END)) else _INT8_END + 1
    if value in (_INT4_END, _INT8_END):
        return None
    return INT4 if value < _INT4_END else INT8 if value < _INT8_END else WHOLE


def joined(shape: str, tokens: tuple[str, ...]) -> str:
    """The text that `cut` has cut."""
    pieces = iter(_KIND.split(shape))
    return next(pieces) + "".join(token + piece for token, piece in zip(tokens, pieces, strict=True))


def value_of(token: str) -> str:
    """The value of a literal as the parser reads it: without quotes, without its sign."""
    return token[1:-1].replace("''", "'") if token[0] == "'" else token
