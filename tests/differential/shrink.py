"""A shorter conversation that still differs: bursts are left out, then messages, then cuts (Zeller and Hildebrandt's
delta debugging, 2002, over halves, quarters and so on)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from tests.differential.words import Burst, Conversation

T = TypeVar("T")


def shrunk(conversation: Conversation, differs: Callable[[Conversation], bool]) -> Conversation:
    """`differs` of what comes back is true, as it is of `conversation`."""
    marked = [replace(burst, wait="mark") if isinstance(burst.wait, frozenset) else burst for burst in conversation]
    if differs(marked):
        conversation = marked  # the mark is answered whatever is left out
    while True:
        found = _fewer(conversation, differs)
        for at in range(len(found)):
            found = _with_fewer_words(found, at, differs)
        if found == conversation:
            return found
        conversation = found


def _with_fewer_words(conversation: Conversation, at: int, differs: Callable[[Conversation], bool]) -> Conversation:
    burst = conversation[at]

    def put(words: Sequence[object], cuts: tuple[int, ...] = burst.cuts) -> Conversation:
        changed: Burst = replace(burst, words=tuple(words), cuts=cuts)  # type: ignore[arg-type]
        return [*conversation[:at], changed, *conversation[at + 1 :]]

    if burst.cuts and differs(put(burst.words, ())):
        return _with_fewer_words(put(burst.words, ()), at, differs)
    return put(_fewer(burst.words, lambda words: differs(put(words))))


def _fewer(parts: Sequence[T], differs: Callable[[Sequence[T]], bool]) -> Sequence[T]:
    size = len(parts)
    while size:
        at = 0
        while at < len(parts):
            fewer = [*parts[:at], *parts[at + size :]]
            if differs(fewer):
                parts = fewer
            else:
                at += size
        size //= 2
    return parts
