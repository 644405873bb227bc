"""The steady state of a session under a policy: a batch of the kind that most sessions send all day, seen as one.

    client   Bind, [Describe portal,] Execute, Sync       of the unnamed portal, all in one piece
    server   2, [T or n,] D*, C, Z                        all in one piece

    client   Query                                        of one statement whose plan is known, by text or by shape
    server   [T, D*,] C, Z                                all in one piece

Such a *round* changes nothing that outlives it, so nothing has to be kept for it but itself. What is the same from
round to round, such as names, formats, how each parameter or literal is sealed and each column opened, is made once:
the `Mold`.

A round is a short form of what `Frontend` and `Backend` do, never another truth. Whatever is not exactly of this form
is left to them: a client's piece before anything has been noted of it, and a server's piece after `unfold` has written
down the round as the messages that it consists of.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from proxy.errors import ProtocolViolation, Refused
from proxy.session import rewriting
from proxy.session.backend import Backend, is_held
from proxy.session.conversation import Conversation, Copy, Expectation, Portal, Prepared
from proxy.session.frontend import Frontend
from proxy.session.names import UNSETTLED
from proxy.session.planner import Basis
from proxy.session.plans import Analysis
from proxy.session.values import BINARY_FORMAT, Convert, literal_function, opening_function
from proxy.sql.plan import Effect, Plan, Statement
from proxy.sql.shape import Shape, Slot, shape_of_plan
from proxy.wire import messages
from proxy.wire.codecs import Settings
from proxy.wire.frames import HEADER
from proxy.wire.messages import spread_formats
from proxy.wire.replies import Kind

CLIENT_SWIFT: Final = "BDESQ"
SERVER_SWIFT: Final = "2TnDCZ"
_DESCRIBE: Final = messages.build_describe(messages.Target(b"P", b""))
_EXECUTE: Final = messages.build_execute(b"")
_TAILS: Final = {b"BES": _EXECUTE + messages.SYNC, b"BDES": _DESCRIBE + _EXECUTE + messages.SYNC}
_BOUND: Final = messages.message(b"2")
_BIND_COMPLETE: Final = ord("2")
_STATUS: Final = {ord("I"): b"I", ord("T"): b"T", ord("E"): b"E"}
_MOLDS: Final = 256
_UINT16: Final = struct.Struct("!H")
_INT32: Final = struct.Struct("!i")
_NULL: Final = b"\xff\xff\xff\xff"


class _Unlike(Exception):
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
        self._molds: dict[int, Mold] = {}
        """By the id() of their owners, which they keep alive."""
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
        basis = c.planner.standing()
        if not kinds or basis is None:
            return None
        try:
            sent = self._query(data, basis) if kinds == b"Q" else self._execution(kinds, data, basis)
        except (_Unlike, Refused, ProtocolViolation):
            return None
        c.batch += 1
        return sent

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
        if asked.mold.execution is None:
            c.statements.forget(b"")
            c.portals.forget(b"")
        elif status == b"T":
            c.portals.put(b"", asked.mold.execution.portal)
        if status == b"I":
            c.portals.retain(is_held)
            c.planner.transaction_ended(quiet=True)
        return told

    def unfold(self) -> None:
        """The round under way becomes the messages that it consists of: their answers are for `Backend`."""
        asked, c = self._round, self._c
        if asked is None:
            return
        self._round = None
        plan, execution, batch, push = asked.mold.plan, asked.mold.execution, c.batch - 1, c.replies.push
        if execution is None:
            changes: list[rewriting.AnyChange] = [
                c.statements.change(b"", None, batch),
                c.portals.change(b"", None, batch),
            ]
            push(Kind.QUERY, Expectation((plan,), changes, [[]]))
            return
        portal = execution.portal
        push(Kind.BIND, Expectation((plan,), [c.portals.change(b"", portal, batch)]))
        if asked.described:
            push(Kind.DESCRIBE_PORTAL, Expectation((plan,), portal=portal))
        push(Kind.EXECUTE, Expectation((plan,), portal=portal, completions=[[]]))
        push(Kind.SYNC, Expectation())

    # -- client to server ----------------------------------------------------------------------------------------------

    def _execution(self, kinds: bytes, data: bytes, basis: Basis) -> bytes:
        """Bind to Sync for the server. Raises _Unlike, Refused, ProtocolViolation."""
        tail = _TAILS.get(kinds)
        if tail is None or not data.endswith(tail):
            raise _Unlike
        raw = data[: -len(tail)]
        mold, execution = self._prepared(raw, basis)
        sent = data
        if execution.params is not None:
            sent = _sealed(execution, execution.params, _values(execution, raw)) + tail
        elif mold.plan.results is not None:
            _values(execution, raw)
        self._round = _Round(mold, described=kinds == b"BDES")
        return sent

    def _prepared(self, raw: bytes, basis: Basis) -> tuple[Mold, Execution]:
        """The mold that fits a Bind. Raises _Unlike, Refused, ProtocolViolation."""
        c = self._c
        end = raw.find(b"\0", HEADER + 1)
        if raw[HEADER] or end < 0:
            raise _Unlike  # a named portal
        prepared = c.statements.look(raw[HEADER + 1 : end], c.batch)
        if prepared is None or prepared is UNSETTLED:
            raise _Unlike
        mold = self._molds.get(id(prepared))
        if mold is not None and mold.basis is basis and mold.settings is c.settings:
            execution = mold.execution
            if (
                execution is not None
                and prepared.basis is execution.portal.basis
                and raw.startswith(execution.head, HEADER)
                and raw.endswith(execution.tail)
            ):
                return mold, execution
        is_current = prepared.basis is None or basis.same_as(prepared.basis)
        if not _is_simple(prepared.plan) or prepared.links or not is_current:
            raise _Unlike
        execution = self._made(prepared, raw)
        mold = Mold(prepared, prepared.plan, c.settings, basis, execution=execution)
        self._remember(mold)
        return mold, execution

    def _remember(self, mold: Mold) -> None:
        if len(self._molds) >= _MOLDS:
            self._molds.clear()
        self._molds[id(mold.owner)] = mold

    def _made(self, prepared: Prepared, raw: bytes) -> Execution:
        c, plan = self._c, prepared.plan
        bind = messages.parse_bind(raw)
        portal = Portal(plan, bind.result_formats, prepared.text, prepared.basis)
        names = b"\0" + bind.statement + b"\0"
        count = len(bind.values)
        head = names + messages.pack_formats(bind.formats) + _UINT16.pack(count)
        made = Execution(portal, head, count, messages.pack_formats(bind.result_formats), head, None)
        if plan.params is not None:
            functions, formats = rewriting.parameter_functions(bind, prepared, c.settings, c.sealers)
            made.params = [(param.client, seal) for param, seal in zip(plan.params, functions, strict=True)]
            server_formats = [formats[client] if seal is None else BINARY_FORMAT for client, seal in made.params]
            made.server_head = names + messages.pack_formats(server_formats) + _UINT16.pack(len(plan.params))
        return made

    def _query(self, data: bytes, basis: Basis) -> bytes:
        """The Query for the server. Raises _Unlike, Refused, ProtocolViolation."""
        c = self._c
        text = c.planner.decode(messages.parse_query(data))
        tokens: tuple[str, ...] = ()
        known = c.planner.known(text, basis)
        if known is not None:
            mold = self._queried(known, basis)
        elif (shaped := basis.snapshot.plans.shaped(text, (), basis.path)) is not None:
            shape, tokens = shaped
            mold = self._queried(shape, basis)
        else:
            raise _Unlike
        sent = data
        if mold.parts:
            sent = messages.build_query(c.planner.encode(rewriting.join([_spliced(mold, tokens)])))
        self._round = _Round(mold, described=False)
        return sent

    def _queried(self, owner: Shape | Analysis, basis: Basis) -> Mold:
        c = self._c
        mold = self._molds.get(id(owner))
        if mold is not None and mold.basis is basis and mold.settings is c.settings:
            return mold
        if isinstance(owner, Shape):
            shape = owner
        elif len(owner) == 1 and isinstance(owner[0], Statement):
            shape = shape_of_plan(owner[0])
        else:
            raise _Unlike
        if not _is_simple(shape.plan):
            raise _Unlike
        mold = Mold(owner, shape.plan, c.settings, basis)
        if shape.parts is not None:
            mold.parts = [part for part in shape.parts if part != ""]
            mold.slots = [(slot, literal_function(slot.sealing, c.settings, c.sealers)) for slot in shape.slots]
        self._remember(mold)
        return mold

    # -- server to client ----------------------------------------------------------------------------------------------

    def _told(self, asked: _Round, kinds: bytes, data: bytes) -> bytes:
        """The whole answer for the client. Raises _Unlike, Refused, ProtocolViolation."""
        mold = asked.mold
        if mold.settings is not self._c.settings or kinds[-2:] != b"CZ":
            raise _Unlike
        at, rows, parts = 0, len(kinds) - 2, list[bytes]()
        if mold.execution is not None:
            if kinds[0] != _BIND_COMPLETE:
                raise _Unlike
            parts.append(_BOUND)
            at, rows = len(_BOUND), rows - 1
        if asked.described or (mold.execution is None and rows):
            size = 1 + _INT32.unpack_from(data, at + 1)[0]
            raw = data[at : at + size]
            at, rows = at + size, rows - 1
            if raw[:1] == b"T":
                raw = self._description(mold, raw)
            elif raw[:1] != b"n" or rows or mold.execution is None:
                raise _Unlike
            parts.append(raw)
        if rows < 0 or kinds.count(b"D") != rows:
            raise _Unlike
        if mold.plan.results is None:
            return data
        for _ in range(rows):
            size = 1 + _INT32.unpack_from(data, at + 1)[0]
            parts.append(self._row(mold, data[at : at + size]))
            at += size
        parts.append(data[at:])
        return b"".join(parts)

    def _description(self, mold: Mold, raw: bytes) -> bytes:
        if raw != mold.description:
            shown = self._backend.described(raw, mold.plan)
            if shown is None:
                raise _Unlike
            mold.description, mold.shown, mold.openers = raw, shown, None
            mold.formats = tuple(column.format for column in messages.parse_row_description(raw))
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
        c, results = self._c, mold.plan.results or ()
        given = mold.formats if mold.execution is None else mold.execution.portal.formats
        formats = spread_formats(given, count)
        if formats is None or len(results) != count:
            raise _Unlike
        return [
            None if opening is None else opening_function(opening, format_, c.settings, c.sealers)
            for opening, format_ in zip(results, formats, strict=True)
        ]


def _is_simple(plan: Plan) -> bool:
    """True: executing it changes nothing that a session remembers, and its rows are rows."""
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
        and not any(param.more or param.absorbed for param in plan.params or ())
    )


def _values(mold: Execution, raw: bytes) -> list[bytes | None]:
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


def _sealed(mold: Execution, params: list[tuple[int, Convert | None]], values: list[bytes | None]) -> bytes:
    """The server's Bind. Raises Refused for a value that cannot be sealed."""
    parts = [mold.server_head]
    for client, seal in params:
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


def _spliced(mold: Mold, tokens: Sequence[str]) -> str:
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
