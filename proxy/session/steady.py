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
from proxy.session.binding import heads_of
from proxy.session.conversation import Conversation, Copy, Expectation, Portal, Prepared
from proxy.session.frontend import Frontend
from proxy.session.guarding import named_tables
from proxy.session.molds import (
    DESCRIBED,
    INT32,
    PARSED,
    UINT16,
    Execution,
    Mold,
    Round,
    Unlike,
    is_simple,
    query_form,
    spliced_query,
)
from proxy.session.names import UNSETTLED
from proxy.session.planner import Basis, is_free
from proxy.session.plans import Analysis, Shaped
from proxy.session.values import Convert, literal_function, opening_function
from proxy.sql.plan import Effect, Plan, Statement
from proxy.sql.shape import Shape, shape_of_plan
from proxy.wire import messages
from proxy.wire.codecs import Settings
from proxy.wire.frames import HEADER, SERVER_LENGTHS, lengths_of
from proxy.wire.messages import spread_formats
from proxy.wire.replies import Kind

_LONGEST: Final = 32 * 1024
"""Bytes of a piece; a result above that comes in several pieces."""
_ANSWERS: Final = kernel.Headers(lengths_of(SERVER_LENGTHS, "12TnDCZ"), _LONGEST)
_DESCRIBE: Final = messages.build_describe(messages.Target(b"P", b""))
_EXECUTE: Final = messages.build_execute(b"")
_REST: Final = _EXECUTE + messages.SYNC
"""What stands behind Bind."""
_DESCRIBED_REST: Final = _DESCRIBE + _REST
_LEAST: Final = len(messages.build_query(b""))
_BIND: Final = ord("B")
_PARSE: Final = ord("P")
_QUERY: Final = ord("Q")
_BOUND: Final = messages.message(b"2")
_PARSED: Final = messages.message(b"1")
_PARSE_COMPLETE: Final = ord("1")
_COMMAND_COMPLETE: Final = ord("C")
_BIND_COMPLETE: Final = ord("2")
_STATUS: Final = {ord("I"): b"I", ord("T"): b"T", ord("E"): b"E"}
_MOLDS: Final = 256
_RECENT: Final = 8
_LONGEST_PARSE: Final = 16 * 1024


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
        self._recent: list[Mold] = []
        """Of queries in the kernel's form, the last one first."""
        self._round: Round | None = None
        self._calm = False

    @property
    def busy(self) -> bool:
        """A round has been asked and not answered."""
        return self._round is not None

    def client(self, data: bytes) -> bytes | None:
        """What the server gets for `data`, where that is a round; None: it is for `Frontend`."""
        if self._round is not None or not (self._calm or self._is_calm()) or not _LEAST <= len(data) <= _LONGEST:
            return None
        c, kind = self._c, data[0]
        basis = c.planner.standing()
        if basis is None:
            return None
        try:
            if kind == _BIND:
                sent = self._execution(None, data, basis)
            elif kind == _QUERY:
                sent = self._query(data, basis)
            elif kind == _PARSE:
                sent = self._parse_and_execution(data, basis)
            else:
                return None
        except (Unlike, Refused, ProtocolViolation):
            return None
        c.end_batch(by_sync=kind != _QUERY)
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
            and c.client.at_boundary
            and c.server.at_boundary
        )
        return self._calm

    def server(self, data: bytes) -> bytes | None:
        """What the client gets for `data`, where that is the whole answer to the round; None: it is for `Backend`.

        The settings are still those of the mold: only what the server says changes them, and that unfolds the round.
        """
        asked, c = self._round, self._c
        if asked is None:
            return None
        mold, answer = asked.mold, asked.answer
        told = None if answer is None else answer.opened(data)
        if told is None:
            told = self._learned(asked, data)
            if told is None:
                return None
        self._round = None
        c.status = status = _STATUS[data[-1]]
        self._calm = status != b"E"
        if asked.parsed is not None:
            c.statements.put(b"", asked.parsed)
        if mold.execution is None:
            if b"" in c.statements.known:
                c.statements.forget(b"")
            if b"" in c.portals.known:
                c.portals.forget(b"")
        elif status == b"T":
            c.portals.put(b"", mold.execution.portal)
        if c.held.tables and (status == b"I" or Effect.TRANSACTION in mold.plan.effects):
            c.held.release()
        if status == b"I" and c.portals.known:
            c.portals.retain(is_held)
        # The planner need not be told of a transaction's end: after one that may have changed anything is no round.
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

    def _execution(self, parsed: Prepared | None, data: bytes, basis: Basis) -> bytes:
        """Bind to Sync for the server. `parsed`: what the Bind's statement, the unnamed one, will be by then. Raises
        Unlike, Refused, ProtocolViolation."""
        c = self._c
        end = data.find(b"\0", HEADER + 1)
        if data[HEADER] or end < 0:
            raise Unlike  # a named portal
        name = data[HEADER + 1 : end]
        prepared = parsed
        if prepared is None:
            known = c.statements.look(name, c.batch)
            if known is None or known is UNSETTLED:
                raise Unlike
            prepared = known
        elif name:
            raise Unlike
        kind = data.endswith(_DESCRIBED_REST) * DESCRIBED + (parsed is not None) * PARSED
        mold, sent = self._molds.get(id(prepared)), None
        if (
            mold is not None
            and (execution := mold.execution) is not None
            and mold.basis is basis
            and mold.settings is c.planner.settings
            and prepared.basis is execution.portal.basis
        ):
            asked = execution.rounds.get(kind) or self._new_round(mold, execution, prepared, kind)
            sent = asked.form.sealed(data)  # type: ignore[union-attr]
        if sent is None:
            asked = self._molded(prepared, kind, data, basis)
            sent = asked.form.sealed(data)  # type: ignore[union-attr]
        if sent is None:
            raise Unlike
        self._round = asked
        return sent

    @staticmethod
    def _new_round(mold: Mold, execution: Execution, prepared: Prepared, kind: int) -> Round:
        rest = _DESCRIBED_REST if kind & DESCRIBED else _REST
        form = kernel.BindForm(
            execution.head, execution.count, execution.tail, rest, execution.server_head, execution.params
        )
        parsed = prepared if kind & PARSED else None
        asked = execution.rounds[kind] = Round(mold, bool(kind & DESCRIBED), parsed, form)
        return asked

    def _parse_and_execution(self, data: bytes, basis: Basis) -> bytes:
        size = 1 + INT32.unpack_from(data, 1)[0]
        if not HEADER < size <= len(data) - _LEAST:
            raise Unlike
        parsed = self._parse(data[:size], basis)
        return parsed.raw + self._execution(parsed.prepared, data[size:], basis)

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

    def _molded(self, prepared: Prepared, kind: int, data: bytes, basis: Basis) -> Round:
        """A mold that fits a Bind. Raises Unlike, Refused, ProtocolViolation."""
        c = self._c
        is_current = prepared.basis is None or basis.same_as(prepared.basis)
        if not is_simple(prepared.plan) or prepared.links or not is_current:
            raise Unlike
        self._require_settled(prepared.plan, basis)
        if not rewriting.are_in_force(prepared.keys, c.sealers):
            raise Unlike
        execution = self._made(prepared, data[: 1 + INT32.unpack_from(data, 1)[0]])
        mold = Mold(prepared, prepared.plan, c.settings, basis, execution=execution)
        self._remember(mold)
        return self._new_round(mold, execution, prepared, kind)

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
        heads = heads_of(bind, prepared, c.settings, c.sealers)
        tail = messages.pack_formats(bind.result_formats)
        return Execution(portal, heads.client, len(bind.values), tail, heads.server, heads.params)

    def _query(self, data: bytes, basis: Basis) -> bytes:
        """The Query for the server. Raises Unlike, Refused, ProtocolViolation."""
        for at, mold in enumerate(self._recent):
            if mold.basis is not basis or mold.settings is not self._c.planner.settings:
                self._recent.clear()
                break
            if (sent := mold.query_form.sealed(data)) is not None:  # type: ignore[union-attr]
                if at:
                    self._recent.insert(0, self._recent.pop(at))
                self._round = mold.query_round
                return sent
        return self._query_by_text(data, basis)

    def _query_by_text(self, data: bytes, basis: Basis) -> bytes:
        c = self._c
        if 1 + INT32.unpack_from(data, 1)[0] != len(data):
            raise Unlike
        text = c.planner.decode(messages.parse_query(data))
        tokens: tuple[str, ...] = ()
        known = c.planner.known(text, basis)
        if known is not None:
            mold = self._queried(known, basis)
        elif (shaped := basis.snapshot.plans.shaped(text, (), basis.path)) is not None:
            mold, tokens = self._queried(shaped.shape, basis), shaped.given.tokens
            if mold.is_known:
                self._remember_form(mold, shaped)
            mold.is_known = True
        else:
            raise Unlike
        sent = data
        if mold.parts:
            sent = messages.build_query(c.planner.encode(rewriting.join([spliced_query(mold, tokens)])))
        if mold.query_round is None:
            mold.query_round = Round(mold)
        self._round = mold.query_round
        return sent

    def _remember_form(self, mold: Mold, shaped: Shaped) -> None:
        """The kernel takes the statements of this shape from now on, while there are few others in between."""
        if mold.query_form is None and not mold.has_no_form:
            mold.query_form = query_form(mold, shaped, self._c.sealers)
            mold.has_no_form = mold.query_form is None
        if mold.query_form is not None and mold not in self._recent:
            self._recent.insert(0, mold)
            del self._recent[_RECENT:]

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

    def _learned(self, asked: Round, data: bytes) -> bytes | None:
        """As `server`, for an answer of another form than the last one, which then is the known form."""
        kinds = _ANSWERS.kinds(data)
        if kinds is None or kinds[-2:] != b"CZ" or data[-1] not in _STATUS:
            return None
        try:
            answer = self._form(asked, kinds, data)
        except (Unlike, Refused, ProtocolViolation):
            return None
        asked.answer = answer
        return answer.opened(data)

    def _form(self, asked: Round, kinds: bytes, data: bytes) -> kernel.Answer:
        """What an answer like this one is like. Raises Unlike, Refused, ProtocolViolation."""
        mold = asked.mold
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
        may_be_rows = mold.execution is not None
        if asked.described or (mold.execution is None and rows):
            size = 1 + INT32.unpack_from(data, at + 1)[0]
            raw = data[at : at + size]
            at, rows, may_be_rows = at + size, rows - 1, raw[:1] == b"T"
            if may_be_rows:
                raw = self._description(mold, raw)
            elif raw[:1] != b"n" or rows or mold.execution is None:
                raise Unlike
            parts.append(raw)
        if rows < 0 or kinds.count(b"D") != rows:
            raise Unlike
        cells = None
        if mold.plan.results is not None and may_be_rows:
            count = UINT16.unpack_from(data, at + HEADER)[0] if rows else len(mold.plan.results)
            if mold.openers is None:
                mold.openers = self._openers(mold, count)
            cells = mold.openers
        return kernel.Answer(data[:at], b"".join(parts), cells, may_be_rows=may_be_rows)

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
