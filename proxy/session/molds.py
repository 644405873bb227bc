"""What stays the same between the rounds of one plan (see `steady`): made once, then only filled."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from proxy import kernel
from proxy.session import rewriting
from proxy.session.conversation import Portal, Prepared
from proxy.session.forms import is_utf8
from proxy.session.planner import Basis
from proxy.session.plans import Shaped
from proxy.session.values import Convert, Sealers, literal_cell
from proxy.sql.literals import DECIMAL, INT4, INT8, STRING
from proxy.sql.plan import Effect, Plan
from proxy.sql.shape import Slot
from proxy.wire.codecs import Settings

UINT16: Final = struct.Struct("!H")
INT32: Final = struct.Struct("!i")


class Unlike(Exception):
    """The bytes are not those of a round."""


@dataclass(slots=True, eq=False)
class Mold:
    """One plan: what stays the same from round to round."""

    owner: object
    """The prepared statement, shape or analysis: where it is another one, so is this."""
    plan: Plan
    settings: Settings
    basis: Basis
    parts: Sequence[str | int] = ()
    """Query: as `Shape.parts`; none where it passes as it is."""
    slots: Sequence[tuple[Slot, Callable[[str], str]]] = ()
    """Query: the literals to seal, and what seals them."""
    is_known: bool = False
    """Query: it has come again."""
    formats: tuple[int, ...] = ()
    """Query: of the columns, as described."""
    description: bytes = b""
    """A RowDescription that agrees with the plan, and below it what the client gets for it."""
    shown: bytes = b""
    openers: list[Convert | None] | None = None
    execution: Execution | None = None
    """None: a Query."""
    query_round: Round | None = None
    query_form: kernel.QueryForm | None = None
    """Query: where literals alone differ, and the kernel knows them."""
    has_no_form: bool = False


@dataclass(slots=True, eq=False)
class Execution:
    """One way to execute one prepared statement."""

    portal: Portal
    head: bytes
    """The Bind's body from its names to the number of its values."""
    count: int
    tail: bytes
    """What follows the values: the result formats."""
    server_head: bytes
    params: list[tuple[int, Convert | None]] | None
    """Client's index and sealing function of each of the server's parameters; None: the Bind passes as it is."""
    rounds: dict[int, Round] = field(default_factory=dict)
    """By what is around Bind and Execute: DESCRIBED and PARSED, added up."""


DESCRIBED: Final = 1
PARSED: Final = 2


@dataclass(slots=True, eq=False)
class Round:
    """What is asked, and how the answer begins."""

    mold: Mold
    described: bool = False
    parsed: Prepared | None = None
    """The unnamed statement that the round begins with."""
    form: kernel.BindForm | None = None
    """None: a Query."""
    answer: kernel.Answer | None = None
    """None: not seen yet."""


def is_simple(plan: Plan) -> bool:
    """True: executing it changes nothing that a session remembers, its rows are rows, and each parameter is a value."""
    return (
        not plan.effects & ~Effect.TRANSACTION
        and plan.copy is None
        and plan.executes is None
        and plan.prepares is None
        and plan.fetches is None
        and plan.declares is None
        and plan.deallocates is None
        and plan.closes is None
        and not plan.explains
        and plan.tag != "COPY"
        and not any(param.is_joined or param.absorbed for param in plan.params or ())
    )


def spliced_query(mold: Mold, tokens: Sequence[str]) -> str:
    """The statement for the server. Raises Refused for a literal that cannot be sealed."""
    out: list[str] = []
    for part in mold.parts:
        if isinstance(part, str):
            out.append(part)
        elif part >= 0:
            out.append(tokens[part])
        else:
            slot, seal = mold.slots[-1 - part]
            out.append(seal(slot.filled(tokens)))
    return "".join(out)


_LETTERS: Final = {STRING: "s", INT4: "i", INT8: "l", DECIMAL: "d"}


def query_form(mold: Mold, shaped: Shaped, sealers: Sealers) -> kernel.QueryForm | None:
    """What the kernel needs to know of the statements of a shape; None: not all of it is for the kernel."""
    settings = mold.settings
    if not (settings.standard_conforming_strings and is_utf8(settings.client_encoding)):
        return None
    pieces, kinds, index = [""], list[str](), dict[int, int]()
    number = 0
    for character in shaped.given.shape:
        if not STRING <= character <= DECIMAL:
            pieces[-1] += character
            continue
        if number in shaped.fixed:
            pieces[-1] += shaped.given.tokens[number]
        elif character in _LETTERS:
            index[number] = len(kinds)
            kinds.append(_LETTERS[character])
            pieces.append("")
        else:
            return None
        number += 1
    parts = None
    if mold.parts:
        parts = _query_parts(mold, shaped, index, sealers)
        if parts is None:
            return None
    return kernel.QueryForm([piece.encode() for piece in pieces], "".join(kinds), parts)


def _query_parts(
    mold: Mold, shaped: Shaped, index: Mapping[int, int], sealers: Sealers
) -> list[bytes | int | tuple[int | bytes, Convert]] | None:
    """As `QueryForm` takes them: the text is as `rewriting.join` would leave it."""
    texts, made = "", list[bytes | int | tuple[int | bytes, Convert]]()
    for part in mold.parts:
        if isinstance(part, str):
            texts += part
            continue
        if part >= 0 and part not in index:
            texts += shaped.given.tokens[part]
            continue
        if texts:
            made.append(texts.encode())
            texts = ""
        if part >= 0:
            made.append(index[part])
            continue
        slot, _ = mold.slots[-1 - part]
        cell = literal_cell(slot.sealing, mold.settings, sealers)
        if cell is None or slot.sign:
            return None
        made.append((index[slot.token] if slot.token in index else slot.filled(shaped.given.tokens).encode(), cell))
    texts = rewriting.join([texts])
    return [*made, texts.encode()] if texts else made
