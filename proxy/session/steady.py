"""The steady state of a session under a policy: a batch of the kind that most sessions send all day, seen as one.

    client   Bind, [Describe portal,] Execute, Sync       of the unnamed portal, all in one piece
    server   2, [T or n,] D*, C, Z                        all in one piece

Such a *round* changes nothing that outlives it, so nothing has to be kept for it but itself. What is the same from
round to round, such as names, formats, how each parameter is sealed and each column opened, is made once: the `Mold`.

A round is a short form of what `Frontend` and `Backend` do, never another truth. Whatever is not exactly of this form
is left to them: a client's piece before anything has been noted of it, and a server's piece after `unfold` has written
down the round as the messages that it consists of.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from proxy.errors import ProtocolViolation, Refused
from proxy.session import rewriting
from proxy.session.backend import Backend, is_held
from proxy.session.conversation import Conversation, Copy, Expectation, Portal, Prepared
from proxy.session.frontend import Frontend
from proxy.session.names import UNSETTLED
from proxy.session.planner import Basis
from proxy.session.values import BINARY_FORMAT, Convert, opening_function
from proxy.sql.plan import Effect, Plan
from proxy.wire import messages
from proxy.wire.codecs import Settings
from proxy.wire.frames import HEADER
from proxy.wire.messages import spread_formats
from proxy.wire.replies import Kind

CLIENT_SWIFT: Final = "BDES"
SERVER_SWIFT: Final = "2TnDCZ"
_DESCRIBE: Final = messages.build_describe(messages.Target(b"P", b""))
_EXECUTE: Final = messages.build_execute(b"")
_TAILS: Final = {b"BES": _EXECUTE + messages.SYNC, b"BDES": _DESCRIBE + _EXECUTE + messages.SYNC}
_BOUND: Final = messages.message(b"2")
_STATUS: Final = {ord("I"): b"I", ord("T"): b"T", ord("E"): b"E"}
_MOLDS: Final = 256
_UINT16: Final = struct.Struct("!H")
_INT32: Final = struct.Struct("!i")
_NULL: Final = b"\xff\xff\xff\xff"


class _Unlike(Exception):
    """The bytes are not those of a round."""


@dataclass(slots=True, eq=False)
class Mold:
    """One way to execute one prepared statement: what stays the same from round to round."""

    prepared: Prepared
    portal: Portal
    settings: Settings
    basis: Basis | None
    head: bytes
    """The Bind's body from its names to the number of its values."""
    count: int
    tail: bytes
    """What follows the values: the result formats."""
    server_head: bytes
    params: list[tuple[int, Convert | None]] | None
    """Client's index and sealing function of each of the server's parameters; None: the Bind passes as it is."""
    description: bytes = b""
    """A RowDescription that agrees with the plan, and below it what the client gets for it."""
    shown: bytes = b""
    openers: list[Convert | None] | None = None


@dataclass(slots=True, eq=False)
class _Round:
    mold: Mold
    described: bool


class Steady:
    """Both directions of one session."""

    def __init__(self, conversation: Conversation, frontend: Frontend, backend: Backend) -> None:
        self._c = conversation
        self._frontend = frontend
        self._backend = backend
        self._molds: dict[Prepared, Mold] = {}
        self._round: _Round | None = None
        conversation.client.set_swift(CLIENT_SWIFT)
        conversation.server.set_swift(SERVER_SWIFT)

    @property
    def busy(self) -> bool:
        """A round has been asked and not answered."""
        return self._round is not None

    def client(self, data: bytes) -> bytes | None:
        """What the server gets for `data`, where that is a round; None: it is for `Frontend`."""
        c = self._c
        if (
            self._round is not None
            or c.replies
            or not c.batch_empty
            or c.status == b"E"
            or c.copy is not Copy.NONE
            or c.discarding
            or c.muted
            or not self._frontend.at_rest
        ):
            return None
        kinds = c.client.swift(data)
        tail = None if kinds is None else _TAILS.get(kinds)
        if tail is None or not data.endswith(tail):
            return None
        basis = c.planner.standing()
        if basis is None:
            return None
        try:
            raw = data[: -len(tail)]
            mold = self._mold(raw, basis)
            if mold.params is not None or mold.portal.plan.results is not None:
                values = _values(mold, raw)
            if mold.params is not None:
                raw = _sealed(mold, values)
        except (_Unlike, Refused, ProtocolViolation):
            return None
        self._round = _Round(mold, described=kinds == b"BDES")
        c.batch += 1
        return data if mold.params is None else raw + tail

    def server(self, data: bytes) -> bytes | None:
        """What the client gets for `data`, where that is the whole answer to the round; None: it is for `Backend`."""
        asked, c = self._round, self._c
        if asked is None:
            return None
        kinds = c.server.swift(data)
        if kinds is None:
            return None
        status = _STATUS.get(data[-1])
        if status is None:
            return None
        try:
            told = self._told(asked, kinds, data)
        except (_Unlike, Refused, ProtocolViolation):
            return None
        self._round = None
        c.status = status
        if status == b"I":
            c.portals.retain(is_held)
            c.planner.transaction_ended(quiet=True)
        elif status == b"T":
            c.portals.put(b"", asked.mold.portal)
        return told

    def unfold(self) -> None:
        """The round under way becomes the messages that it consists of: their answers are for `Backend`."""
        asked, c = self._round, self._c
        if asked is None:
            return
        self._round = None
        plan, portal = asked.mold.portal.plan, asked.mold.portal
        batch = c.batch - 1
        push = c.replies.push
        push(Kind.BIND, Expectation((plan,), [c.portals.change(b"", portal, batch)]))
        if asked.described:
            push(Kind.DESCRIBE_PORTAL, Expectation((plan,), portal=portal))
        push(Kind.EXECUTE, Expectation((plan,), portal=portal, completions=[[]]))
        push(Kind.SYNC, Expectation())

    # -- client to server ----------------------------------------------------------------------------------------------

    def _mold(self, raw: bytes, basis: Basis) -> Mold:
        """The mold that fits a Bind. Raises _Unlike, Refused, ProtocolViolation."""
        c = self._c
        end = raw.find(b"\0", HEADER + 1)
        if raw[HEADER] or end < 0:
            raise _Unlike  # a named portal
        prepared = c.statements.look(raw[HEADER + 1 : end], c.batch)
        if prepared is None or prepared is UNSETTLED:
            raise _Unlike
        mold = self._molds.get(prepared)
        if (
            mold is not None
            and mold.basis is basis
            and mold.settings is c.settings
            and prepared.basis is mold.portal.basis
            and raw.startswith(mold.head, HEADER)
            and raw.endswith(mold.tail)
        ):
            return mold
        if not _is_simple(prepared.plan) or prepared.links or not self._is_current(prepared, basis):
            raise _Unlike
        mold = self._made(prepared, raw, basis)
        if len(self._molds) >= _MOLDS:
            self._molds.clear()
        self._molds[prepared] = mold
        return mold

    @staticmethod
    def _is_current(prepared: Prepared, basis: Basis) -> bool:
        return prepared.basis is None or basis.same_as(prepared.basis)

    def _made(self, prepared: Prepared, raw: bytes, basis: Basis) -> Mold:
        c, plan = self._c, prepared.plan
        bind = messages.parse_bind(raw)
        portal = Portal(plan, bind.result_formats, prepared.text, prepared.basis)
        names = b"\0" + bind.statement + b"\0"
        count = len(bind.values)
        head = names + messages.pack_formats(bind.formats) + _UINT16.pack(count)
        tail = messages.pack_formats(bind.result_formats)
        mold = Mold(prepared, portal, c.settings, basis, head, count, tail, head, None)
        if plan.params is not None:
            functions, formats = rewriting.parameter_functions(bind, prepared, c.settings, c.sealers)
            mold.params = [(param.client, made) for param, made in zip(plan.params, functions, strict=True)]
            server_formats = [
                formats[param.client] if made is None else BINARY_FORMAT
                for param, made in zip(plan.params, functions, strict=True)
            ]
            mold.server_head = names + messages.pack_formats(server_formats) + _UINT16.pack(len(plan.params))
        return mold

    # -- server to client ----------------------------------------------------------------------------------------------

    def _told(self, asked: _Round, kinds: bytes, data: bytes) -> bytes:
        """The whole answer for the client. Raises _Unlike, Refused, ProtocolViolation."""
        mold, plan = asked.mold, asked.mold.portal.plan
        if mold.settings is not self._c.settings or not data.startswith(_BOUND):
            raise _Unlike
        at = len(_BOUND)
        rows = len(kinds) - 3
        parts = [_BOUND]
        if asked.described:
            rows -= 1
            size = 1 + _INT32.unpack_from(data, at + 1)[0]
            if kinds[1:2] == b"T":
                parts.append(self._description(mold, data[at : at + size]))
            elif kinds[1:2] == b"n" and not rows:
                parts.append(data[at : at + size])
            else:
                raise _Unlike
            at += size
        if rows < 0 or kinds[-2:] != b"CZ" or kinds.count(b"D") != rows:
            raise _Unlike
        if plan.results is None:
            return data
        for _ in range(rows):
            size = 1 + _INT32.unpack_from(data, at + 1)[0]
            parts.append(self._row(mold, data[at : at + size]))
            at += size
        parts.append(data[at:])
        return b"".join(parts)

    def _description(self, mold: Mold, raw: bytes) -> bytes:
        if raw != mold.description:
            shown = self._backend.described(raw, mold.portal.plan)
            if shown is None:
                raise _Unlike
            mold.description, mold.shown = raw, shown
        return mold.shown

    def _row(self, mold: Mold, raw: bytes) -> bytes:
        values = messages.parse_data_row(raw)
        openers = mold.openers
        if openers is None:
            openers = mold.openers = self._openers(mold, len(values))
        if len(openers) != len(values):
            raise _Unlike
        for at, opener in enumerate(openers):
            if opener is not None and (value := values[at]) is not None:
                values[at] = opener(value)
        return messages.build_data_row(values)

    def _openers(self, mold: Mold, count: int) -> list[Convert | None]:
        c, results = self._c, mold.portal.plan.results or ()
        formats = spread_formats(mold.portal.formats, count)
        if formats is None or len(results) != count:
            raise _Unlike
        return [
            None if opening is None else opening_function(opening, format_, c.settings, c.sealers)
            for opening, format_ in zip(results, formats, strict=True)
        ]


def _is_simple(plan: Plan) -> bool:
    """True: executing it changes nothing that a session remembers, its rows are rows, and each parameter is a value."""
    return (
        not plan.effects & ~Effect.TRANSACTION
        and not any(param.more or param.absorbed for param in plan.params or ())
        and plan.copy is None
        and plan.executes is None
        and plan.prepares is None
        and plan.fetches is None
        and plan.declares is None
        and plan.deallocates is None
        and plan.closes is None
        and not plan.explains
        and plan.tag != "COPY"
    )


def _values(mold: Mold, raw: bytes) -> list[bytes | None]:
    """The values of a Bind that begins like the mold. Raises _Unlike where it does not end like it."""
    at, end = HEADER + len(mold.head), len(raw) - len(mold.tail)
    values: list[bytes | None] = []
    for _ in range(mold.count):
        if at + 4 > end:
            raise _Unlike
        (size,) = _INT32.unpack_from(raw, at)
        at += 4
        if size == -1:
            values.append(None)
            continue
        if size < 0 or at + size > end:
            raise _Unlike
        values.append(raw[at : at + size])
        at += size
    if at != end:
        raise _Unlike
    return values


def _sealed(mold: Mold, values: list[bytes | None]) -> bytes:
    """The server's Bind. Raises Refused for a value that cannot be sealed."""
    parts = [mold.server_head]
    for client, seal in mold.params or ():
        value = values[client]
        if value is None:
            parts.append(_NULL)
            continue
        if seal is not None:
            value = seal(value)
        parts.append(_INT32.pack(len(value)))
        parts.append(value)
    parts.append(mold.tail)
    return messages.message(b"B", *parts)
