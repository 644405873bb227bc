"""Array literals as text: taken apart to be sealed element by element, and put together from ARRAY[...]."""

from __future__ import annotations

from collections.abc import Sequence


def array_elements(text: str) -> list[str | None] | None:
    """The elements of a one-dimensional array literal, `{a,"b c",NULL}`; None where it is malformed, has several
    dimensions or bounds of its own. Source: the manual, "Array Input and Output Syntax"."""
    body = text.strip(" \t\n\r\v\f")
    if len(body) < 2 or body[0] != "{" or body[-1] != "}":
        return None
    body = body[1:-1]
    if not body.strip():
        return []
    elements: list[str | None] = []
    index, size = 0, len(body)
    while True:
        while index < size and body[index].isspace():
            index += 1
        piece: list[str] = []
        quoted = index < size and body[index] == '"'
        if quoted:
            index += 1
            while index < size and body[index] != '"':
                if body[index] == "\\":
                    index += 1
                    if index == size:
                        return None
                piece.append(body[index])
                index += 1
            if index == size:
                return None
            index += 1
            while index < size and body[index].isspace():
                index += 1
            elements.append("".join(piece))
        else:
            while index < size and body[index] != ",":
                if body[index] in '{}"\\':
                    return None
                piece.append(body[index])
                index += 1
            word = "".join(piece).strip()
            if not word:
                return None
            elements.append(None if word.lower() == "null" else word)
        if index == size:
            return elements
        if body[index] != ",":
            return None
        index += 1


def array_literal(elements: Sequence[str | None]) -> str:
    """`{"a","b c",NULL}`."""
    quoted = (
        "NULL" if element is None else '"' + element.replace("\\", "\\\\").replace('"', '\\"') + '"'
        for element in elements
    )
    return "{" + ",".join(quoted) + "}"
