"""String constants of a session with standard_conforming_strings = off, in which backslashes escape.

The parser reads them as the standard does. So a constant with a backslash is written as E'...', which means the same in
either setting. Source: src/backend/parser/scan.l.
"""

from __future__ import annotations

import re
from typing import Final

from proxy.errors import Refused

_CONTINUED: Final = r"'(?:[ \t\f\v]|--[^\r\n]*)*[\r\n](?:\s|--[^\r\n]*[\r\n])*'"
_ESCAPING: Final = rf"'(?:[^'\\]|\\.|''|{_CONTINUED})*'"
_TOKEN: Final = re.compile(
    rf"""--[^\r\n]* | (?P<comment>/\*) | "(?:[^"]|"")*"
    | (?<![\w$\x80-\U0010ffff]) (?: (?P<national>[nN]{_ESCAPING}) | (?P<dollar>\$(?:[^\W\d]\w*)?\$) | [bBxX]'[^']*'
        | (?P<unicode>[uU]&') | [eE]{_ESCAPING} )
    | (?P<string>{_ESCAPING})""",
    re.VERBOSE | re.DOTALL,
)
_COMMENT: Final = re.compile(r"/\*|\*/")


def conforming(text: str) -> str:
    """`text` as it would be written under standard_conforming_strings = on. Raises Refused for U&'...'."""
    pieces: list[str] = []
    done = at = 0
    while (token := _TOKEN.search(text, at)) is not None:
        at = token.end()
        if token["unicode"] is not None:
            raise Refused(
                "unsafe use of string constant with Unicode escapes",
                hint="SET standard_conforming_strings TO on, or write E'...'",
                position=token.start() + 1,
            )
        if token["comment"] is not None:
            at = _comment_end(text, at)
        elif (mark := token["dollar"]) is not None:
            end = text.find(mark, at)
            at = len(text) if end < 0 else end + len(mark)
        elif (national := token["national"]) is not None and "\\" in national:
            pieces += (text[done : token.start()], "NCHAR E")
            done = token.start() + 1
        elif (string := token["string"]) is not None and "\\" in string:
            start = token.start()
            word = "" if start == 0 else text[start - 1]
            pieces += (text[done:start], " " if word.isalnum() or word in ("_", "$") else "", "E")
            done = start
    return "".join(pieces) + text[done:]


def _comment_end(text: str, at: int) -> int:
    """Comments nest."""
    depth = 1
    while depth and (mark := _COMMENT.search(text, at)) is not None:
        depth += 1 if mark[0] == "/*" else -1
        at = mark.end()
    return at if depth == 0 else len(text)
