"""The steady state of a session under a policy: a batch of the kind that most sessions send all day, seen as one.

    client   [Parse,] Bind, [Describe portal,] Execute, Sync      of the unnamed portal, all in one piece
    server   [1,] 2, [T or n,] D*, C, Z                           all in one piece

    client   Query                                of one statement whose plan is known, by text or by shape
    server   [T, D*,] C, Z                        all in one piece

Parse is that of the unnamed statement, its plan known by its text.

Such a *round* changes nothing that outlives it, so nothing has to be kept for it but itself. What is the same from
round to round, such as names, formats, how each parameter or literal is sealed and each column opened, is made once:
the `Mold`.

A round is a short form of what `Frontend` and `Backend` do, never another truth. Whatever is not exactly of this form
is left to them: a client's piece before anything has been noted of it, and a server's piece after `unfold` has written
down the round as the messages that it consists of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from proxy import kernel
from proxy.errors import ProtocolViolation, Refused
from proxy.session import rewriting
from proxy.session.backend import Backend, is_held
from proxy.session.conversation import Conversation, Copy, Expectation, Portal, Prepared
from proxy.session.frontend import Frontend
from proxy.session.guarding import named_tables
from proxy.session.molds import (
    INT32,
    UINT16,
    Execution,
    Mold,
    Unlike,
    bound_values,
    is_simple,
    sealed_bind,
    spliced_query,
)
from proxy.session.names import UNSETTLED
from proxy.session.planner import Basis, is_free
from proxy.session.plans import Analysis
from proxy.session.values import BINARY_FORMAT, Convert, literal_function, opening_function
from proxy.sql.plan import Effect, Plan, Statement
from proxy.sql.shape import Shape, shape_of_plan
from proxy.wire import messages
from proxy.wire.codecs import Settings
from proxy.wire.frames import HEADER
from proxy.wire.messages import spread_formats
from proxy.wire.replies import Kind

CLIENT_SWIFT: Final = "PBDESQ"
SERVER_SWIFT: Final = "12TnDCZ"
SWIFT_BYTES: Final = 32 * 1024
"""A result above that comes in several pieces."""
_DESCRIBE: Final = messages.build_describe(messages.Target(b"P", b""))
_EXECUTE: Final = messages.build_execute(b"")
_TAILS: Final = {b"BES": _EXECUTE + messages.SYNC, b"BDES": _DESCRIBE + _EXECUTE + messages.SYNC}
_BOUND: Final = messages.message(b"2")
_PARSED: Final = messages.message(b"1")
_PARSE_COMPLETE: Final = ord("1")
_COMMAND_COMPLETE: Final = ord("C")
_BIND_COMPLETE: Final = ord("2")
_STATUS: Final = {ord("I"): b"I", ord("T"): b"T", ord("E"): b"E"}
_MOLDS: Final = 256
_LONGEST_PARSE: Final = 16 * 1024


@dataclass(slots=True, eq=False)
class _Round:
    mold: Mold
    described: bool
    parsed: Prepared | None = None
    """The unnamed statement that the round begins with."""


@dataclass(slots=True, eq=False)
class _Parsed:
    """A Parse that came before: what it makes, and what the server gets for it."""

    prepared: Prepared
    raw: bytes
    settings: Settings
    basis: Basis


class Steady:
    """Both directions of one session."""

    def __init__(self, conversation: Conversation, frontend: Frontend, backend: Backend) -> None:
        self._c = conversation
        self._frontend = frontend
        self._backend = backend
        self._molds: dict[int, Mold] = {}
        """By the id() of their owners, which they keep alive."""
        self._parses: dict[bytes, _Parsed] = {}
        self._round: _Round | None = None
        self._calm = False
        conversation.client.set_swift(CLIENT_SWIFT, most=SWIFT_BYTES)
        conversation.server.set_swift(SERVER_SWIFT, most=SWIFT_BYTES)

    @property
    def busy(self) -> bool:
        """A round has been asked and not answered."""
        return self._round is not None

    def client(self, data: bytes) -> bytes | None:
        """What the server gets for `data`, where that is a round; None: it is for `Frontend`."""
        c = self._c
        if self._round is not None or not (self._calm or self._is_calm()):
            return None
        kinds = c.client.swift(data)
        basis = c.planner.standing()
        if not kinds or basis is None:
            return None
        try:
            sent = self._query(data, basis) if kinds == b"Q" else self._execution(kinds, data, basis)
        except (Unlike, Refused, ProtocolViolation):
            return None
        c.batch += 1
        return sent

    def _is_calm(self) -> bool:
        """Everything that was asked has been answered, and nothing is under way."""
        c = self._c
        self._calm = (
            not c.replies
            and c.batch_empty
            and c.status != b"E"
            and c.copy is Copy.NONE
            and not c.discarding
            and not c.muted
            and self._frontend.at_rest
        )
        return self._calm

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
        except (Unlike, Refused, ProtocolViolation):
            return None
        self._round = None
        c.status = status
        self._calm = status != b"E"
        if asked.parsed is not None:
            c.statements.put(b"", asked.parsed)
        if asked.mold.execution is None:
            c.statements.forget(b"")
            c.portals.forget(b"")
        elif status == b"T":
            c.portals.put(b"", asked.mold.execution.portal)
        if status == b"I" or Effect.TRANSACTION in asked.mold.plan.effects:
            c.held.release()
        if status == b"I":
            c.portals.retain(is_held)
            c.planner.transaction_ended(quiet=True)
        return told

    def unfold(self) -> None:
        """The long way is taken: the round under way becomes the messages that it consists of, and their answers are
        for `Backend`."""
        asked, c = self._round, self._c
        self._calm = False
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
        if asked.parsed is not None:
            push(Kind.PARSE, Expectation((plan,), [c.statements.change(b"", asked.parsed, batch)]))
        push(Kind.BIND, Expectation((plan,), [c.portals.change(b"", portal, batch)]))
        if asked.described:
            push(Kind.DESCRIBE_PORTAL, Expectation((plan,), portal=portal))
        push(Kind.EXECUTE, Expectation((plan,), portal=portal, completions=[[]]))
        push(Kind.SYNC, Expectation())

    # -- client to server ----------------------------------------------------------------------------------------------

    def _execution(self, kinds: bytes, data: bytes, basis: Basis) -> bytes:
        """[Parse,] Bind to Sync for the server. Raises Unlike, Refused, ProtocolViolation."""
        if kinds[:1] == b"P":
            return self._parse_and_execution(kinds, data, basis)
        sent, self._round = self._execution_of(None, kinds, data, basis)
        return sent

    def _parse_and_execution(self, kinds: bytes, data: bytes, basis: Basis) -> bytes:
        size = 1 + INT32.unpack_from(data, 1)[0]
        parsed = self._parse(data[:size], basis)
        sent, asked = self._execution_of(parsed.prepared, kinds[1:], data[size:], basis)
        asked.parsed = parsed.prepared
        self._round = asked
        return parsed.raw + sent

    def _parse(self, raw: bytes, basis: Basis) -> _Parsed:
        c = self._c
        found = self._parses.get(raw)
        if found is not None and found.basis is basis and found.settings is c.settings:
            return found
        parse = messages.parse_parse(raw)
        text = c.planner.decode(parse.query)
        known = None if parse.statement or is_free(text) else c.planner.known(text, basis, parse.types)
        if known is None or len(known) != 1 or not isinstance(known[0], Statement) or not is_simple(known[0].plan):
            raise Unlike
        plan = known[0].plan
        own, sent = rewriting.parsed(parse, text, plan, c.settings, c.sealers, c.planner.encode)
        prepared = Prepared(text, parse.types, plan, basis, whole=plan, turn=c.planner.turn, sent=sent)
        found = _Parsed(prepared, raw if own is None else own, c.settings, basis)
        if len(self._parses) >= _MOLDS:
            self._parses.clear()
        if len(raw) <= _LONGEST_PARSE:
            self._parses[raw] = found
        return found

    def _execution_of(self, prepared: Prepared | None, kinds: bytes, data: bytes, basis: Basis) -> tuple[bytes, _Round]:
        """`prepared`: what the Bind's statement, the unnamed one, will be by then."""
        tail = _TAILS.get(kinds)
        if tail is None or not data.endswith(tail):
            raise Unlike
        raw = data[: -len(tail)]
        mold, execution = self._prepared(prepared, raw, basis)
        sent = data
        if execution.params is not None:
            sent = sealed_bind(execution, execution.params, bound_values(execution, raw)) + tail
        elif mold.plan.results is not None:
            bound_values(execution, raw)
        return sent, _Round(mold, described=kinds == b"BDES")

    def _prepared(self, prepared: Prepared | None, raw: bytes, basis: Basis) -> tuple[Mold, Execution]:
        """The mold that fits a Bind. Raises Unlike, Refused, ProtocolViolation."""
        c = self._c
        end = raw.find(b"\0", HEADER + 1)
        if raw[HEADER] or end < 0:
            raise Unlike  # a named portal
        name = raw[HEADER + 1 : end]
        if prepared is None:
            known = c.statements.look(name, c.batch)
            if known is None or known is UNSETTLED:
                raise Unlike
            prepared = known
        elif name:
            raise Unlike
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
        if not is_simple(prepared.plan) or prepared.links or not is_current:
            raise Unlike
        self._require_settled(prepared.plan, basis)
        if not rewriting.are_in_force(prepared.keys, c.sealers):
            raise Unlike
        execution = self._made(prepared, raw)
        mold = Mold(prepared, prepared.plan, c.settings, basis, execution=execution)
        self._remember(mold)
        return mold, execution

    @staticmethod
    def _require_settled(plan: Plan, basis: Basis) -> None:
        """Raises Unlike where the statement needs a guard."""
        if not basis.snapshot.unsettled.keys().isdisjoint(named_tables(plan)):
            raise Unlike

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
        head = names + messages.pack_formats(bind.formats) + UINT16.pack(count)
        made = Execution(portal, head, count, messages.pack_formats(bind.result_formats), head, None)
        if plan.params is not None:
            functions, formats = rewriting.parameter_functions(bind, prepared, c.settings, c.sealers)
            made.params = [(param.client, seal) for param, seal in zip(plan.params, functions, strict=True)]
            server_formats = [formats[client] if seal is None else BINARY_FORMAT for client, seal in made.params]
            made.server_head = names + messages.pack_formats(server_formats) + UINT16.pack(len(plan.params))
        return made

    def _query(self, data: bytes, basis: Basis) -> bytes:
        """The Query for the server. Raises Unlike, Refused, ProtocolViolation."""
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
            raise Unlike
        sent = data
        if mold.parts:
            sent = messages.build_query(c.planner.encode(rewriting.join([spliced_query(mold, tokens)])))
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
            raise Unlike
        if not is_simple(shape.plan):
            raise Unlike
        self._require_settled(shape.plan, basis)
        mold = Mold(owner, shape.plan, c.settings, basis)
        if shape.parts is not None:
            mold.parts = [part for part in shape.parts if part != ""]
            mold.slots = [(slot, literal_function(slot.sealing, c.settings, c.sealers)) for slot in shape.slots]
        self._remember(mold)
        return mold

    # -- server to client ----------------------------------------------------------------------------------------------

    def _told(self, asked: _Round, kinds: bytes, data: bytes) -> bytes:
        """The whole answer for the client. Raises Unlike, Refused, ProtocolViolation."""
        mold = asked.mold
        if mold.settings is not self._c.settings or kinds[-2:] != b"CZ":
            raise Unlike
        at, rows, parts = 0, len(kinds) - 2, list[bytes]()
        if asked.parsed is not None:
            if kinds[0] != _PARSE_COMPLETE:
                raise Unlike
            parts.append(_PARSED)
            at, rows, kinds = len(_PARSED), rows - 1, kinds[1:]
        if mold.execution is not None:
            if kinds[0] != _BIND_COMPLETE:
                raise Unlike
            parts.append(_BOUND)
            at, rows = at + len(_BOUND), rows - 1
        if asked.described or (mold.execution is None and rows):
            size = 1 + INT32.unpack_from(data, at + 1)[0]
            raw = data[at : at + size]
            at, rows = at + size, rows - 1
            if raw[:1] == b"T":
                raw = self._description(mold, raw)
            elif raw[:1] != b"n" or rows or mold.execution is None:
                raise Unlike
            parts.append(raw)
        if rows < 0 or kinds.count(b"D") != rows:
            raise Unlike
        if mold.plan.results is None:
            return data
        if rows:
            openers = mold.openers
            if openers is None:
                openers = mold.openers = self._openers(mold, UINT16.unpack_from(data, at + HEADER)[0])
            opened, at = kernel.open_rows(data, at, openers)
            if data[at] != _COMMAND_COMPLETE:
                raise Unlike
            parts.append(opened)
        parts.append(data[at:])
        return b"".join(parts)

    def _description(self, mold: Mold, raw: bytes) -> bytes:
        if raw != mold.description:
            shown = self._backend.described(raw, mold.plan)
            if shown is None:
                raise Unlike
            mold.description, mold.shown, mold.openers = raw, shown, None
            mold.formats = tuple(column.format for column in messages.parse_row_description(raw))
        return mold.shown

    def _openers(self, mold: Mold, count: int) -> list[Convert | None]:
        c, results = self._c, mold.plan.results or ()
        given = mold.formats if mold.execution is None else mold.execution.portal.formats
        formats = spread_formats(given, count)
        if formats is None or len(results) != count:
            raise Unlike
        return [
            None if opening is None else opening_function(opening, format_, c.settings, c.sealers)
            for opening, format_ in zip(results, formats, strict=True)
        ]
