"""json, kept as typed after validation, and jsonb, normalised to what jsonb_out() prints.

One tokenizer, no recursion: a hostile value may nest deeply. Sources: RFC 8259; jsonapi.c, jsonb.c, jsonb_util.c
(object keys are ordered by length, then bytewise; the last of equal keys wins).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, cast

from proxy.errors import InvalidValue
from proxy.wire.codecs import numeric
from proxy.wire.codecs.base import invalid_syntax

MAX_DEPTH: Final = 6_000
"""Levels of nesting; PostgreSQL's own limit is max_stack_depth (2 MB: some 6,400 levels)."""
JSONB_VERSION: Final = b"\1"

_TOKEN: Final = re.compile(
    rb"""[ \t\n\r]*(?:
        "((?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+)"
      | (-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
      | (true|false|null)
      | ([\[{])
      | ([\]}])
      | ([,:])
    )""",
    re.VERBOSE,
)
_STRING, _NUMBER, _WORD, _OPEN, _CLOSE, _MARK = range(1, 7)
_ESCAPE: Final = re.compile(rb'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_UNESCAPED: Final = {
    b'"': b'"',
    b"\\": b"\\",
    b"/": b"/",
    b"b": b"\b",
    b"f": b"\f",
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
}
_TO_ESCAPE: Final = re.compile(rb'[\x00-\x1f"\\]')
_ESCAPED: Final = {
    bytes((code,)): b"\\u%04x" % code for code in range(32)
} | {raw: b"\\" + short for short, raw in _UNESCAPED.items() if short != b"/"}  # fmt: skip


@dataclass(slots=True)
class _Container:
    """An array or object being read: `items` are its values, printed; `keys` the object's keys, unescaped."""

    is_object: bool
    items: list[bytes] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)


def _syntax_error() -> InvalidValue:
    return invalid_syntax("json")


def _unescape(content: bytes) -> bytes:
    """The string a JSON string literal stands for, in UTF-8. Raises InvalidValue 22P02, 22P05."""
    if b"\\" not in content:
        return content
    pieces: list[bytes] = []
    end = 0
    high = 0
    for match in _ESCAPE.finditer(content):
        if high and (match.start() != end or match[1] is None):
            raise _surrogate("Unicode low surrogate must follow a high surrogate.")
        pieces.append(content[end : match.start()])
        end = match.end()
        if match[1] is None:
            pieces.append(_UNESCAPED[match[2]])
            continue
        code = int(match[1], 16)
        if high and not 0xD800 <= code < 0xE000:
            raise _surrogate("Unicode low surrogate must follow a high surrogate.")
        if code == 0:
            raise InvalidValue(
                "unsupported Unicode escape sequence", detail="\\u0000 cannot be converted to text.", sqlstate="22P05"
            )
        if 0xD800 <= code < 0xDC00:
            if high:
                raise _surrogate("Unicode high surrogate must not follow a high surrogate.")
            high = code
            continue
        if 0xDC00 <= code < 0xE000:
            if not high:
                raise _surrogate("Unicode low surrogate must follow a high surrogate.")
            code = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00)
            high = 0
        pieces.append(chr(code).encode())
    if high:
        raise _surrogate("Unicode low surrogate must follow a high surrogate.")
    return b"".join((*pieces, content[end:]))


def _surrogate(detail: str) -> InvalidValue:
    return invalid_syntax("json", detail=detail)


def _quote(text: bytes) -> bytes:
    return b'"' + _TO_ESCAPE.sub(lambda match: _ESCAPED[match[0]], text) + b'"'


def _print(container: _Container) -> bytes:
    if not container.is_object:
        return b"[" + b", ".join(container.items) + b"]"
    members = dict(zip(container.keys, container.items, strict=True))
    ordered = sorted(members, key=lambda key: (len(key), key))
    return b"{" + b", ".join(_quote(key) + b": " + members[key] for key in ordered) + b"}"


def _scalar(match: re.Match[bytes], normalise: bool) -> bytes:
    if not normalise:
        return b""
    if match.lastindex == _STRING:
        return _quote(_unescape(match[_STRING]))
    if match.lastindex == _NUMBER:
        return numeric.to_text(cast("numeric.Number", numeric.parse(match[_NUMBER])))
    return match[_WORD]


def _read(text: bytes, normalise: bool) -> bytes:
    """Checks `text` against the grammar; with `normalise` returns it as jsonb prints it."""
    stack: list[_Container] = []
    result = b""
    position = 0
    state = "value"  # value, first (of an array), key, first key, colon, after
    while True:
        match = _TOKEN.match(text, position)
        if match is None:
            break
        position = match.end()
        kind = match.lastindex
        done: bytes | None = None
        if state == "colon":
            if match[_MARK] != b":":
                raise _syntax_error()
            state = "value"
        elif state == "after":
            if not stack:
                raise _syntax_error()
            top = stack[-1]
            if match[_MARK] == b",":
                state = "key" if top.is_object else "value"
            elif kind == _CLOSE and (match[_CLOSE] == b"}") == top.is_object:
                done = _print(stack.pop())
            else:
                raise _syntax_error()
        elif state in ("key", "first key") and kind == _STRING:
            if normalise:
                stack[-1].keys.append(_unescape(match[_STRING]))
            state = "colon"
        elif (state == "first key" and match[_CLOSE] == b"}") or (state == "first" and match[_CLOSE] == b"]"):
            done = _print(stack.pop())
        elif state in ("key", "first key"):
            raise _syntax_error()
        elif kind == _OPEN:
            if len(stack) >= MAX_DEPTH:
                raise InvalidValue("stack depth limit exceeded", sqlstate="54001")
            stack.append(_Container(match[_OPEN] == b"{"))
            state = "first key" if stack[-1].is_object else "first"
        elif kind in (_STRING, _NUMBER, _WORD):
            done = _scalar(match, normalise)
        else:
            raise _syntax_error()
        if done is not None:
            state = "after"
            if stack:
                if normalise:
                    stack[-1].items.append(done)
            else:
                result = done
    if state != "after" or stack or text[position:].strip(b" \t\n\r"):
        raise _syntax_error()
    return result


def check_json(text: bytes) -> bytes:
    """`text` itself, UTF-8. Raises InvalidValue 22P02."""
    _read(text, normalise=False)
    return text


def jsonb_from_text(text: bytes) -> bytes:
    """Input function -> jsonb_send form. Raises InvalidValue 22P02, 22P05, 22003."""
    return JSONB_VERSION + _read(text, normalise=True)


def jsonb_to_text(data: bytes) -> bytes:
    return data[1:]


def split_jsonb_version(data: bytes) -> bytes:
    """The text in a binary jsonb. Raises InvalidValue XX000, as jsonb_recv() does for any version but 1."""
    if not data:
        raise InvalidValue("no data left in message", sqlstate="08P01")
    if data[:1] != JSONB_VERSION:
        raise InvalidValue("unsupported jsonb version number", sqlstate="XX000")
    return data[1:]
