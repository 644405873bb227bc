"""LIKE patterns: which of them are an equality or a prefix, which is all that sealed values can be matched with."""

from __future__ import annotations

from proxy.errors import Refused


def split_pattern(pattern: str, escape: str) -> tuple[str, bool] | None:
    """`abc` -> ("abc", False); `abc%` -> ("abc", True); None for every other LIKE pattern."""
    text: list[str] = []
    index = 0
    while index < len(pattern):
        character = pattern[index]
        if escape and character == escape:
            index += 1
            if index == len(pattern):
                return None  # 22025 in PostgreSQL
            text.append(pattern[index])
        elif character == "%":
            return ("".join(text), True) if not pattern[index:].strip("%") else None
        elif character == "_":
            return None
        else:
            text.append(character)
        index += 1
    return "".join(text), False


def bad_escape() -> Refused:
    hint = "Escape string must be empty or one character."
    return Refused("invalid escape string", hint=hint, sqlstate="22025")


def ends_with_escape(pattern: str, escape: str) -> bool:
    """True for a pattern that ends in a lone escape character, for which PostgreSQL raises 22025 once it gets there."""
    return bool(escape) and (len(pattern) - len(pattern.rstrip(escape))) % 2 == 1
