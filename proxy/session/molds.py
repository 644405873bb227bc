"""What stays the same between the rounds of one plan (see `steady`): made once, then only filled."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from proxy.session.conversation import Portal
from proxy.session.planner import Basis
from proxy.session.values import Convert
from proxy.sql.plan import Effect, Plan
from proxy.sql.shape import Slot
from proxy.wire import messages
from proxy.wire.codecs import Settings
from proxy.wire.frames import HEADER

UINT16: Final = struct.Struct("!H")
INT32: Final = struct.Struct("!i")
_NULL: Final = b"\xff\xff\xff\xff"


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


def bound_values(mold: Execution, raw: bytes) -> list[bytes | None]:
    """The values of a Bind that begins like the mold. Raises Unlike where it does not end like it."""
    at, end = HEADER + len(mold.head), len(raw) - len(mold.tail)
    values: list[bytes | None] = []
    for _ in range(mold.count):
        if at + 4 > end:
            raise Unlike
        (size,) = INT32.unpack_from(raw, at)
        at += 4
        if size == -1:
            values.append(None)
            continue
        if size < 0 or at + size > end:
            raise Unlike
        values.append(raw[at : at + size])
        at += size
    if at != end:
        raise Unlike
    return values


def sealed_bind(mold: Execution, params: list[tuple[int, Convert | None]], values: list[bytes | None]) -> bytes:
    """The server's Bind. Raises Refused for a value that cannot be sealed."""
    parts = [mold.server_head]
    for client, seal in params:
        value = values[client]
        if value is None:
            parts.append(_NULL)
            continue
        if seal is not None:
            value = seal(value)
        parts.append(INT32.pack(len(value)))
        parts.append(value)
    parts.append(mold.tail)
    return messages.message(b"B", *parts)


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
