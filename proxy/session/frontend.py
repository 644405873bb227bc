"""What the client sends: every message is forwarded, changed, replaced by the poison, or held back until it is known
what to do with it.

`handle` returns False for "held back": nothing has been sent, and the same item is to be offered again when the server
has answered something.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace

from proxy.errors import MalformedMessage, ProtocolViolation, Refused, UnexpectedType
from proxy.session import references, rewriting
from proxy.session.admission import Admission
from proxy.session.binding import sealed_bind
from proxy.session.conversation import Conversation, Copy, Expectation, Link, Portal, Prepared
from proxy.session.copy_in import pass_copy_data
from proxy.session.guarding import Again
from proxy.session.names import UNSETTLED
from proxy.session.planner import Basis
from proxy.session.plans import Analysis
from proxy.session.reading import Reader, ReadFailed
from proxy.session.refusals import (
    POISON,
    as_refused,
    is_unknown_name,
    missing_statement,
    plan_changed,
    swapped_statement,
    too_large,
)
from proxy.session.script import Script, needs_script
from proxy.sql import split
from proxy.sql.plan import Failure, Plan, Statement
from proxy.wire import messages
from proxy.wire.frames import HEADER, Head, Item, Oversized, Run
from proxy.wire.replies import Kind


class Frontend:
    """The client's direction of one session under a policy. `inherited`: it has had a life without one, so the server
    may know statements and portals that nobody has analysed."""

    reads_by_query = False
    """The catalog is read by Query, where the server knows nothing else."""

    def __init__(self, conversation: Conversation, *, inherited: bool = False) -> None:
        self._c = conversation
        self._inherited = inherited
        self._reader = Reader(conversation, by_query=self.reads_by_query)
        self._admission = Admission(conversation)
        self._reread = False  # the catalog was read anew on account of the message at hand
        self._script: Script | None = None
        self._flushed = -1  # the batch in front of a script that was asked to be answered
        self._handlers: dict[str, Callable[[bytes], bool]] = {
            "Q": self._query,
            "P": self._parse,
            "B": self._bind,
            "D": self._describe,
            "E": self._execute,
            "C": self._close,
            "S": self._sync,
            "H": self._flush,
            "F": self._function_call,
        }

    @property
    def busy(self) -> bool:
        """A script is under way: it goes on without the client."""
        return self._script is not None

    @property
    def at_rest(self) -> bool:
        """Nothing is under way."""
        return self._script is None and self._reader.at_rest and self._admission.at_rest

    def handle(self, item: Item) -> bool:
        """Deal with one item. False: hold it. Raises ProtocolViolation."""
        c = self._c
        if isinstance(item, Run):
            c.to_server.append(item)
            return True
        kind = chr(item.type)
        if kind == "p":
            raise UnexpectedType("invalid frontend message type 112", item.type)
        if kind == "X" and c.copy is not Copy.PENDING and self.advance():
            c.to_server.append(messages.TERMINATE)
            c.leaving = True
            return True
        if c.copy is Copy.IN:
            return pass_copy_data(c, kind, item)
        if c.copy is Copy.PENDING or not self.advance():
            return False
        if (c.replies.skipping or c.discarding) and kind != "S":
            asked = self._admission.abandon(), self._reader.abandon()
            if kind == "Q" and any(asked):
                self._sync(messages.SYNC)  # nothing else has failed, and the failure is told as the Query's
            c.claim()
            return True  # as the server does, or would do
        if kind in "dcf":
            return True  # the rest of a COPY that has failed; the server ignores it too
        if isinstance(item, Oversized):
            return self._oversized(item)
        if isinstance(item, Head):
            return self._head(item)
        try:
            handled = self._deal(kind, item.raw)
        except ReadFailed as failed:
            self._unreadable(kind, failed.raw)
            handled = True
        except MalformedMessage as malformed:
            self.refuse(kind, Refused(malformed.message, sqlstate=malformed.sqlstate))
            handled = True
        except Refused as error:
            # What is not in its encoding PostgreSQL has refused before it takes it for a Parse.
            self.refuse(kind, error, unnamed=kind == "P" and item.raw[HEADER] == 0 and error.sqlstate != "22021")
            handled = True
        if handled:
            self._reread = False
            self._admission.done()
        return handled

    def _deal(self, kind: str, raw: bytes) -> bool:
        try:
            return self._handlers[kind](raw)
        except Again:
            return self._handlers[kind](raw)

    def advance(self) -> bool:
        """Go on with a script. False: it waits for the server."""
        if self._script is None:
            return True
        # No ReadFailed from here: a reading inside a batch has no Sync of its own, so its failure skips the rest.
        if self._c.copy is Copy.NONE and self._script.run():
            self._script = None
            self._reader.abandon()
            self._admission.abandon()
        return self._script is None

    # -- refusing ------------------------------------------------------------------------------------------------------

    def refuse(self, kind: str, error: Refused, *, unnamed: bool = False) -> None:
        """`unnamed`: a Parse of the unnamed statement."""
        if kind in "QF":
            expectation = Expectation()
            expectation.refuse(kind, error)
            self._send_query(messages.build_query(POISON.encode()), expectation)
        else:
            self._c.poison(error, kind, unnamed=unnamed)

    def _unreadable(self, kind: str, raw: bytes) -> None:
        """The catalog query has failed on its own Sync, so the server is ready; the client sees its message fail."""
        c = self._c
        c.to_client.append(raw)
        if kind == "Q":
            c.to_client.append(messages.build_ready(c.status))
        else:
            c.discarding = True

    def _oversized(self, item: Oversized) -> bool:
        if chr(item.type) not in "QPBF":
            raise ProtocolViolation("invalid message length")
        self.refuse(chr(item.type), too_large(f"a message of {item.size} bytes"))
        return True

    def _head(self, item: Head) -> bool:
        """Large Binds without sealed values and function calls are streamed; all others are collected."""
        c = self._c
        if chr(item.type) == "F":
            try:
                c.planner.sent(rewriting.effects_of_call(item.raw, c.planner.database.policy))
            except Refused:
                return True  # to be met again when the message is whole
            c.client.pass_frame()
            c.send(Kind.FUNCTION_CALL, b"", Expectation())
            return True
        if chr(item.type) != "B":
            return True
        try:
            portal, name = messages.bind_names(item.raw)
            prepared = self._current(name)
        except (Refused, ReadFailed, ProtocolViolation):
            return True  # to be met again when the message is whole
        if prepared is None:
            return False
        plan = prepared.plan
        if self._admission.concerns((plan,)):
            return True
        if plan.params is None and plan.results is None and plan.fetches is None:
            c.client.pass_frame()
            self._send_bind(b"", portal, Portal(plan, (), prepared.text, prepared.basis, prepared.links), plan)
        return True

    # -- analysis ------------------------------------------------------------------------------------------------------

    def analyse(self, text: str, types: tuple[int, ...], *, name: bytes = b"") -> tuple[Analysis, bool] | None:
        """The analysis, and whether it rests on the catalog and the search_path. None: hold the message."""
        c = self._c
        if self._reader.at_rest and (free := c.planner.analyse_free(text, types)) is not None:
            return free, False
        if not self._reader.settled():
            return None
        if c.planner.pooled and not name and c.is_between and c.planner.may_be_alone(text):
            if not self._reader.has_catalog():
                return None
            if (alone := c.planner.analyse_anywhere(text, types)) is not None:
                return alone, False
        if not self._reader.ready():
            return None
        if c.planner.wanted():
            return c.planner.analyse_blind(text, types), True
        found = c.planner.analyse(text, types)
        if not self._reread and any(isinstance(one, Failure) and is_unknown_name(one.error) for one in found):
            self._reread = True
            if not (c.batch_empty and c.status == b"E"):
                c.planner.doubt()
                return self.analyse(text, types, name=name)
        return found, True

    def _current(self, name: bytes) -> Prepared | None:
        """The prepared statement for a Bind or Describe, its plan still true. None: hold it. Raises Refused."""
        c = self._c
        prepared = c.statements.look(name, c.batch)
        if prepared is UNSETTLED:
            return None
        if prepared is None:
            if self._inherited:
                raise plan_changed()
            raise missing_statement(name)
        if prepared.links:
            whole = references.intact(c, prepared.links)
            if whole is None:
                return None
            if not whole:
                raise plan_changed()
        if prepared.basis is not None and not self._reader.ready():
            return None
        if name and (swapped := c.planner.swapped) is not None:
            raise swapped_statement(swapped)
        changed = c.planner.pooled and prepared.turn != c.planner.turn
        if changed and (not name or c.planner.is_foreign(name, prepared.sent)):
            raise missing_statement(name)
        if prepared.basis is None:
            return prepared
        basis = c.planner.basis
        if not basis.same_as(prepared.basis) and not c.planner.wanted():
            found = c.planner.analyse(prepared.text, prepared.types)
            failure = next((one for one in found if isinstance(one, Failure)), None)
            if failure is not None and is_unknown_name(failure.error):
                raise as_refused(failure.error)  # what it names is gone, and PostgreSQL says so
            if failure is not None or self._only_plan(found) != prepared.whole:
                raise plan_changed()
            prepared.basis = basis
            prepared.functions = None  # the keys may be others too
        return prepared

    @staticmethod
    def _only_plan(found: Analysis) -> Plan:
        """The plan of the one statement that Parse may hold. Raises Refused."""
        if len(found) > 1:
            raise Refused("cannot insert multiple commands into a prepared statement", sqlstate="42601")
        if not found:
            return Plan()  # an empty statement
        if isinstance(found[0], Failure):
            raise as_refused(found[0].error)
        return found[0].plan

    # -- simple protocol -----------------------------------------------------------------------------------------------

    def _query(self, raw: bytes) -> bool:
        c = self._c
        query = messages.parse_query(raw)
        text = c.planner.decode(query)
        analysed = self.analyse(text, ())
        if analysed is None:
            return False
        found = analysed[0]
        if not (passes := self._passes(text, found)):
            return passes is False
        expectation = Expectation()
        pieces: list[str] = []
        edited = False
        plans: list[Plan] = []
        for one in found:
            try:
                if isinstance(one, Failure):
                    raise as_refused(one.error)
                resolved = self.resolve(one.plan)
                if resolved is None:  # pragma: no cover - behind what could make a name stale, needs_script() is true
                    raise plan_changed()
                plan = resolved.plan
                piece = rewriting.splice(plan, c.settings, c.sealers)
            except Refused as error:
                expectation.refuse("Q", error)
                pieces.append(POISON)
                edited = True
                break
            edited = edited or piece is not None
            statement = text[one.start : one.end]
            pieces.append(statement if piece is None else piece)
            plans.append(plan)
            expectation.completions.append(self.effects(plan, statement, c.planner.basis))
        expectation.plans = tuple(plans)
        if edited:
            try:
                raw = messages.build_query(c.planner.encode(rewriting.join(pieces)))
            except Refused:
                expectation.abandon()
                raise
        self._send_query(raw, expectation)
        return True

    def _passes(self, text: str, found: Analysis) -> bool | None:
        """True: a Query may be sent as one message. False: a script runs it. None: hold it. Raises Refused, Again."""
        c = self._c
        in_script = c.is_joined or self.needs_script(found)
        settled: Sequence[references.Resolved] = ()
        if not in_script:
            known = self._settled(found)
            if known is None:
                return None
            settled = known
            if not self.needs_guard([one.plan for one in settled]):
                self._admission.require_links(settled)
                return True
        if c.replies:
            # Whether the server skips this Query must be known first: a script's Sync would end the skipping. And in
            # which transaction it would be.
            if not c.batch_empty and self._flushed != c.batch:
                self._flushed = c.batch
                c.to_server.append(messages.FLUSH)
            return None
        if not in_script and len(found) == 1 and c.is_open:
            return self.admits(settled) or None
        # Behind the messages of a guard, a Query would not end the transaction that they begin.
        self._script = Script(c, self, [text[start:end] for start, end in split(text)])
        self.advance()
        return False

    def _settled(self, found: Analysis) -> list[references.Resolved] | None:
        """The statements up to a refusal; None: what one names is not known yet. Asked before any is noted as sent."""
        plans: list[references.Resolved] = []
        with contextlib.suppress(Refused):
            for one in found:
                resolved = self.resolve(one.plan) if isinstance(one, Statement) else None
                if resolved is None:
                    return None if isinstance(one, Statement) else plans
                plans.append(resolved)
        return plans

    def resolve(self, plan: Plan) -> references.Resolved | None:
        """The plan with the names in it looked up. None: hold the message. Raises Refused."""
        return references.resolve(self._c, plan, self._current, inherited=self._inherited)

    def needs_script(self, found: Analysis) -> bool:
        """As `script.needs_script`."""
        return needs_script(self._c, found)

    def admits(self, resolved: Sequence[references.Resolved]) -> bool:
        """As `Admission.admits`."""
        return self._admission.admits(resolved)

    def needs_guard(self, plans: Sequence[Plan]) -> bool:
        """True where one of them names an unsettled table. Raises Refused."""
        return self._admission.concerns(plans)

    def _send_query(self, raw: bytes, expectation: Expectation) -> None:
        c = self._c
        expectation.changes += (c.statements.change(b"", None, c.batch), c.portals.change(b"", None, c.batch))
        if any(rewriting.is_copy(plan) for plan in expectation.plans):
            c.copy = Copy.PENDING
        c.send(Kind.QUERY, raw, expectation)

    def effects(self, plan: Plan, text: str, basis: Basis | None) -> list[rewriting.AnyChange]:
        """A statement goes to the server: what it makes stale now, and the names that it changes once it is done."""
        self._c.planner.sent(plan.effects)
        self._admission.sent(plan)
        return references.changes(self._c, plan, text, basis)

    # -- extended protocol ---------------------------------------------------------------------------------------------

    def _parse(self, raw: bytes) -> bool:
        c = self._c
        parse = messages.parse_parse(raw)
        if c.status == b"E":
            c.planner.decode(parse.statement)  # that it is none is told in a failed transaction too
        text = c.planner.decode(parse.query)
        analysed = self.analyse(text, parse.types, name=parse.statement)
        if analysed is None:
            return False
        found, depends = analysed
        whole = plan = self._only_plan(found)
        links: tuple[Link, ...] = ()
        if plan.executes is not None:  # its arguments are sealed now; a cursor is looked up when it is read
            resolved = self.resolve(replace(plan, fetches=None))
            if resolved is None:
                return False
            plan, links = resolved.plan, resolved.links
        if not self.admits((references.Resolved(plan, links),)):
            return False
        own, sent = rewriting.parsed(parse, text, plan, c.settings, c.sealers, c.planner.encode)
        basis = c.planner.basis if depends and found else None
        keys = rewriting.literal_keys(plan, c.sealers)
        prepared = Prepared(
            text, parse.types, plan, basis, whole=whole, keys=keys, links=links, turn=c.planner.turn, sent=sent
        )
        expectation = Expectation((plan,), [c.statements.change(parse.statement, prepared, c.batch)])
        c.send(Kind.PARSE, raw if own is None else own, expectation)
        return True

    def _bind(self, raw: bytes) -> bool:
        c = self._c
        portal, name = messages.bind_names(raw)
        prepared = self._current(name)
        if prepared is None:
            return False
        resolved = self.resolve(prepared.plan)
        if resolved is None or not self.admits((resolved,)):
            return False
        self._admission.require_keys(prepared)
        plan, links = resolved.plan, prepared.links + resolved.links
        try:
            raw, portal, formats = sealed_bind(raw, prepared, c.settings, c.sealers)
        except MalformedMessage:
            if plan.params is not None:
                raise
            raw, formats = messages.emptied_bind(raw), ()  # what it may have swallowed is nobody's business
        self._send_bind(raw, portal, Portal(plan, formats, prepared.text, prepared.basis, links), plan)
        return True

    def _send_bind(self, raw: bytes, name: bytes, portal: Portal, plan: Plan) -> None:
        c = self._c
        c.send(Kind.BIND, raw, Expectation((plan,), [c.portals.change(name, portal, c.batch)]))

    def _portal(self, name: bytes) -> Portal | None:
        """The portal for a Describe or Execute. None: hold the message. Raises Refused."""
        c = self._c
        portal = c.portals.look(name, c.batch)
        if portal is UNSETTLED:
            return None
        if portal is None:
            if self._inherited:
                raise plan_changed()
            raise Refused(f'portal "{name.decode(errors="replace")}" does not exist', sqlstate="34000")
        return portal

    def _describe(self, raw: bytes) -> bool:
        target = messages.parse_target(raw)
        if target.kind == b"S":
            prepared = self._current(target.name)
            if prepared is None:
                return False
            resolved = self.resolve(prepared.plan)
            if resolved is None:
                return False
            expectation = Expectation((resolved.plan,), prepared=prepared)
            self._c.send(Kind.DESCRIBE_STATEMENT, raw, expectation)
            return True
        try:
            portal = self._portal(target.name)
        except Refused:
            portal = Portal(Plan())  # the server may know one; a sealed column in it would not pass unplanned
        if portal is None:
            return False
        self._c.send(Kind.DESCRIBE_PORTAL, raw, Expectation((portal.plan,), portal=portal))
        return True

    def _execute(self, raw: bytes) -> bool:
        name, _ = messages.parse_execute(raw)
        portal = self._portal(name)
        if portal is None or (whole := references.intact(self._c, portal.links)) is None:
            return False
        if not whole:
            raise plan_changed()
        if portal.plan.results is not None and self._c.planner.is_changed and not self._reader.ready():
            return False  # its rows are written by the settings of now
        self.send_execute(raw, portal)
        return True

    def send_execute(self, raw: bytes, portal: Portal, *, in_script: bool = False) -> None:
        c = self._c
        expectation = Expectation((portal.plan,), portal=portal, in_script=in_script)
        expectation.completions.append(self.effects(portal.plan, portal.text, portal.basis))
        c.send(Kind.EXECUTE, raw, expectation)
        if rewriting.is_copy(portal.plan):
            # Sync means nothing to a server that copies in, so its answer must be known before Sync is sent.
            c.copy = Copy.PENDING
            c.to_server.append(messages.FLUSH)

    def _close(self, raw: bytes) -> bool:
        c = self._c
        target = messages.parse_target(raw)
        if c.batch_empty and c.status == b"I" and not self._reader.ready():
            return False  # what is read before the batch begins does not become a part of its transaction
        names = c.statements if target.kind == b"S" else c.portals
        c.send(Kind.CLOSE, raw, Expectation(changes=[names.change(target.name, None, c.batch)]))
        return True

    def _sync(self, raw: bytes) -> bool:
        c = self._c
        if c.owes_failure and not c.replies.skipping:
            c.poison(None)
        c.owes_failure = c.discarding = False
        # A Sync with a body is an error and a Sync; what the body holds is nobody's business.
        c.send(Kind.SYNC, messages.SYNC if raw == messages.SYNC else messages.message(b"S", b"\0"), Expectation())
        return True

    def _flush(self, raw: bytes) -> bool:
        messages.parse_empty(raw)
        self._c.to_server.append(raw)
        return True

    def _function_call(self, raw: bytes) -> bool:
        messages.check_function_call(raw)
        self._c.planner.sent(rewriting.effects_of_call(raw, self._c.planner.database.policy))
        self._c.send(Kind.FUNCTION_CALL, raw, Expectation())
        return True
