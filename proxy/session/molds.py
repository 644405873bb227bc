"""What stays the same between the rounds of one plan (see `steady`): made once, then only filled."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from proxy import kernel
from proxy.session.conversation import Portal, Prepared
from proxy.session.planner import Basis
from proxy.session.values import Convert
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
    formats: tuple[int, ...] = ()
    """Query: of the columns, as described."""
    description: bytes = b""
    """A RowDescription that agrees with the plan, and below it what the client gets for it."""
    shown: bytes = b""
    openers: list[Convert | None] | None = None
    execution: Execution | None = None
    """None: a Query."""
    query_round: Round | None = None


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
