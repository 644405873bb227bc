"""What a conversation is made of: messages that know how they are written in a golden script, and bursts of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from proxy.wire import messages
from proxy.wire.messages import message
from tests.golden.conversation import copy_data, function_call, query
from tests.session.playbook import bind, close, describe, execute, parse


@dataclass(frozen=True, slots=True)
class Word:
    """One message, or what is to be read as one: its bytes, and the expression that gives them."""

    code: str
    raw: bytes


def copy_fail(reason: bytes = b"enough") -> bytes:
    return messages.build_copy_fail(reason)


_VOCABULARY: Final[dict[str, Callable[..., bytes]]] = {
    function.__name__: function
    for function in (bind, close, copy_data, copy_fail, describe, execute, function_call, message, parse, query)
}


def word(name: str, *arguments: object, **options: object) -> Word:
    """A call of one of the functions that golden scripts use."""
    written = [*map(repr, arguments), *(f"{key}={value!r}" for key, value in options.items())]
    return Word(f"{name}({', '.join(written)})", _VOCABULARY[name](*arguments, **options))


SYNC: Final = Word("SYNC", messages.SYNC)
FLUSH: Final = Word("FLUSH", messages.FLUSH)
COPY_DONE: Final = Word("messages.COPY_DONE", messages.COPY_DONE)
TERMINATE: Final = Word("messages.TERMINATE", messages.TERMINATE)

MARK: Final = (word("copy_fail"), SYNC, word("query", ""))
"""Ends whatever is under way: a COPY, the skipping after an error, a batch. An empty Query has an answer in every
state of a transaction, which leaves that state as it is: EmptyQueryResponse, ReadyForQuery."""

Wait = Literal["mark", "nothing", "end"] | frozenset[str]
"""Until when answers are read: the answer to MARK, not at all, the end of the connection, or a message of one of these
types, unless an error has come before which the server skips messages for."""


@dataclass(frozen=True, slots=True)
class Burst:
    """Messages sent without waiting, in pieces that end at `cuts`, and what is waited for then."""

    words: tuple[Word, ...]
    wait: Wait
    cuts: tuple[int, ...] = ()

    @property
    def raw(self) -> bytes:
        mark = MARK if self.wait == "mark" else ()
        return b"".join(one.raw for one in (*self.words, *mark))

    @property
    def pieces(self) -> list[bytes]:
        raw = self.raw
        places = sorted({0, len(raw), *(cut for cut in self.cuts if cut < len(raw))})
        return [raw[start:end] for start, end in pairwise(places)]


Conversation = Sequence[Burst]


def written(conversation: Conversation, traces: Sequence[Sequence[bytes]]) -> str:
    """As steps of a golden script. `traces`: what PostgreSQL answered to each burst, which says for how many
    messages a step waits."""
    lines = []
    for burst, trace in zip(conversation, traces, strict=False):
        mark = MARK if burst.wait == "mark" else ()
        codes = " + ".join(one.code for one in (*burst.words, *mark)) or 'b""'
        until = trace[-1][:1].decode() if trace and trace[-1] else "?"
        times = sum(raw[:1].decode() == until for raw in trace)
        cut = f"  # cut at {burst.cuts}" if burst.cuts else ""
        lines.append(f"Step({codes}, until={until!r}, times={times}),{cut}")
    return "\n".join(lines)
