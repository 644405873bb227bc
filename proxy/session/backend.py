"""What the server sends: each message is matched with what was asked, changed where sealed columns are in it, and told
to the client, unless the question was our own.

A failure that only the proxy sees (a value that does not open, a row description that contradicts the plan) is told to
the client as the statement's error. What the server still answers in that batch is dropped up to ReadyForQuery. Where
the batch is still open, the server is made to fail too, so its transaction fails as it should; where it is complete and
a transaction block is open, the block is made to fail before the client hears of it. A statement that has committed by
itself by then stays committed.
"""

from __future__ import annotations

from proxy import kernel
from proxy.errors import ProtocolViolation, Refused
from proxy.pgtypes import BYTEA_OID, FIRST_NORMAL_OID, RECORD_OID
from proxy.session import rewriting
from proxy.session.conversation import Conversation, Copy, Expectation, Portal
from proxy.session.copying import CopyTransform
from proxy.session.explaining import blanked
from proxy.session.refusals import POISON_SQLSTATE, plan_changed, redact, refusal, too_large
from proxy.session.values import BYTEA_ARRAY_OID, Convert, opening_function, opens_elements
from proxy.sql.plan import Plan
from proxy.wire import messages
from proxy.wire.frames import HEADER, Batch, Item, Oversized, Run
from proxy.wire.messages import Column, spread_formats
from proxy.wire.replies import Kind

_ASYNCHRONOUS = frozenset(b"NSA")
_DATA_ROW, _COPY_DATA = ord("D"), ord("d")
_FAILED_TRANSACTION = b"25P02"
_COPY_FAILED = b"57014"  # query_canceled, the answer to CopyFail
# What a rewritten statement fails with where its tables are not what the catalog says: undefined table, column and
# function (or operator), datatype mismatch.
_STALE = frozenset((b"42P01", b"42703", b"42883", b"42804"))


def is_held(portal: Portal) -> bool:
    """True: it outlives its transaction."""
    return portal.is_held


class Backend:
    """The server's direction of one session under a policy."""

    def __init__(self, conversation: Conversation) -> None:
        self._c = conversation
        self._passing = False
        self._gathered: int | None = None
        self._late: bytes | None = None  # a row description that is still to be told
        self._fail_block = False
        self._strays: list[bytes] = []

    def handle(self, item: Item) -> None:
        """Deal with one item. Raises ProtocolViolation."""
        c = self._c
        if isinstance(item, Run):
            self._tell_late()
            c.to_client.append(item)
            return
        if isinstance(item, Batch):
            self._batch(item.type, item.raw)
        elif isinstance(item, Oversized):
            self._oversized(item)
        elif item.type in _ASYNCHRONOUS:
            self._asynchronous(item.type, item.raw)
        elif item.type == 0x45:  # E
            self._error(item.raw)
        else:
            self._answer(item.type, item.raw)
        self.regulate()

    def regulate(self) -> None:
        """Rows that nobody has to look into are forwarded in runs, and those with sealed columns are opened in batches.
        To be called when questions have been asked."""
        c = self._c
        head = c.replies.head
        passing, gathered = head is not None and head[0] is Kind.REPLICATION, None
        if head is not None and not c.muted and head[0] in (Kind.EXECUTE, Kind.QUERY):
            expectation = head[1]
            plan = expectation.plan
            if plan is not None and not plan.explains:
                passing = plan.results is None and plan.copy is None
                if expectation.injection is None and expectation.refusal is None and expectation.started:
                    gathered = _DATA_ROW if plan.results is not None else _COPY_DATA if expectation.copy else None
        if passing is not self._passing:
            self._passing = passing
            c.server.set_passing("Dd", passing=passing)
        if gathered != self._gathered:
            self._gathered = gathered
            c.server.gather(gathered, kernel.message_run)

    def _batch(self, type_: int, raw: bytes) -> None:
        """Messages of one type in a row, DataRow or CopyData. What the kernel leaves is answered one by one."""
        c = self._c
        at, end = 0, len(raw)
        while at < end:
            head = c.replies.head
            if head is not None and not c.muted:
                expectation = head[1]
                opened = b""
                if expectation.copy is not None:
                    opened, at = expectation.copy.open_messages(raw, at)
                elif expectation.openers is not None:
                    opened, at = kernel.open_rows(raw, at, expectation.openers)
                if opened:
                    self._tell(expectation, opened)
            if at < end:
                size = 1 + int.from_bytes(raw[at + 1 : at + HEADER], "big")
                self._answer(type_, raw[at : at + size])
                at += size

    # -- any time ------------------------------------------------------------------------------------------------------

    def _asynchronous(self, kind: int, raw: bytes) -> None:
        c = self._c
        if kind == 0x53:  # S
            name, value = messages.parse_parameter_status(raw)
            c.planner.reported(name.decode(errors="replace"), value.decode(errors="replace"))
        elif kind == 0x4E:  # N
            head = c.replies.head
            raw = redact(raw, rewritten=head is not None and head[1].rewritten)
        c.to_client.append(raw)

    # -- answers -------------------------------------------------------------------------------------------------------

    def _answer(self, type_: int, raw: bytes) -> None:
        c = self._c
        kind, expectation, ends = c.replies.answer(type_)
        self._tell_late()
        if not expectation.started:
            expectation.started = True
            if kind is Kind.QUERY:
                expectation.settle(happened=True)
        if expectation.injection is not None:
            expectation.injection.answered(raw, ends=ends)
            if ends:
                expectation.settle(happened=True)
            if type_ == 0x5A:
                self._ready(raw)
            return
        if kind is Kind.REPLICATION and not ends:
            self._streaming(type_, raw)
            return
        if kind is Kind.STRAYS:
            self._stray(expectation, raw, ends=ends)
            return
        if expectation.refusal is not None and kind is Kind.PARSE:
            raise ProtocolViolation("a statement that must fail did not")
        match chr(type_):
            case "D":
                self._row(kind, expectation, raw)
                return
            case "T":
                self._row_description(kind, expectation, raw)
            case "t":
                self._parameter_description(expectation, raw)
            case "C" | "I":
                self._completed(kind, expectation)
                self._tell(expectation, raw)
            case "G":
                self._copy_in(kind, expectation)
                self._tell(expectation, raw)
            case "H":
                self._tell(expectation, raw)
                self._copy_out(expectation)
            case "d" | "c" if expectation.copy is not None:
                self._copy_data(expectation, expectation.copy, raw)
            case "Z":
                self._end(expectation, raw)
                return
            case "n" if expectation.in_script:
                pass
            case _:
                self._tell(expectation, raw)
        if ends:
            expectation.settle(happened=True)

    def _tell_late(self) -> None:
        if self._late is not None:
            if not self._c.muted:
                self._c.to_client.append(self._late)
            self._late = None

    def _tell(self, expectation: Expectation, raw: bytes) -> None:
        if not (expectation.swallow or self._c.muted):
            self._c.to_client.append(raw)

    def _completed(self, kind: Kind, expectation: Expectation) -> None:
        if kind is Kind.QUERY and expectation.index >= len(expectation.plans) and expectation.plans:
            raise ProtocolViolation("the server completed more statements than were sent")
        if kind is Kind.EXECUTE:
            self._copy_over(behind=len(self._c.replies))
        expectation.complete()

    def _copy_in(self, kind: Kind, expectation: Expectation) -> None:
        c = self._c
        if c.copy is not Copy.PENDING or len(c.replies) > 1:
            raise ProtocolViolation(f"unexpected server message 'G' in reply to {kind.name}")
        c.copy = Copy.IN
        try:
            is_sealed = c.start_copy(expectation)
            c.client.set_passing("d", passing=not is_sealed)
            c.client.stream(_COPY_DATA if is_sealed else None)
        except Refused as error:
            c.fail_copy(error)

    def _copy_out(self, expectation: Expectation) -> None:
        try:
            self._c.start_copy(expectation)
        except Refused as error:
            self._fail(error)

    def _copy_data(self, expectation: Expectation, transform: CopyTransform, raw: bytes) -> None:
        """CopyData or CopyDone from the server. One message stays one message: clients take it for a row."""
        if self._c.muted:
            return
        try:
            opened = transform.finish() if raw[:1] == b"c" else transform.feed(raw[HEADER:])
        except Refused as error:
            self._fail(error)
            return
        if opened:
            self._tell(expectation, messages.message(b"d", opened))
        if raw[:1] == b"c":
            self._tell(expectation, raw)

    def _streaming(self, kind: int, raw: bytes) -> None:
        """An answer to a replication command; what the server copies in or both ways passes."""
        c = self._c
        if kind in b"GW":
            c.copy = Copy.STREAMING
            c.client.set_passing("d", passing=True)
        c.to_client.append(raw)

    def _stray(self, expectation: Expectation, raw: bytes, *, ends: bool) -> None:
        """An answer to Syncs amid the rows of a COPY that has failed. The last one is to ours."""
        c = self._c
        if not ends:
            self._ready(raw)
            self._strays.append(raw)
            return
        if not self._strays:
            raise ProtocolViolation("unexpected answer to Sync")
        c.to_client += self._strays[:-1]
        # The Sync of a script is still to come, however many count.
        c.discarding = expectation.is_skipping and (len(self._strays) == 1 or expectation.in_script)
        self._strays = []
        self._copy_over(behind=len(c.replies))

    # -- ends ----------------------------------------------------------------------------------------------------------

    def _end(self, expectation: Expectation, raw: bytes) -> None:
        """ReadyForQuery for Sync, Query or FunctionCall."""
        c = self._c
        expectation.abandon()
        self._ready(raw)
        if self._fail_block:
            self._fail_block = False
            if c.status == b"T" and not c.replies and c.batch_empty and not c.client.in_message:
                c.poison(None)
                c.discarding = False
                c.send(Kind.SYNC, messages.SYNC, Expectation())
                return
        c.muted = False
        c.to_client.append(raw)

    def _ready(self, raw: bytes) -> None:
        c = self._c
        c.status = messages.parse_ready(raw)
        self._copy_over(behind=len(c.replies))
        if c.status == b"I":
            c.held.release()
            c.portals.retain(is_held)
            c.planner.transaction_ended(quiet=not c.replies and c.batch_empty)

    def _copy_over(self, *, behind: int) -> None:
        """A message was answered, and `behind` it others wait. Nothing is sent behind a COPY before its answer, so
        where something waits, the COPY that is pending is that and not this."""
        if behind and self._c.copy is Copy.PENDING:
            return
        self._c.copy = Copy.NONE
        self._c.client.set_passing("d", passing=False)
        self._c.client.stream(None)

    # -- errors --------------------------------------------------------------------------------------------------------

    def _error(self, raw: bytes) -> None:
        c = self._c
        fields = messages.parse_fields(raw)
        if messages.severity(fields) in (b"FATAL", b"PANIC"):
            c.fatal_relayed = True
            c.to_client.append(redact(raw, rewritten=False))
            return
        kind, expectation, ends = c.replies.answer(0x45)
        self._late = None
        if kind is Kind.QUERY and not expectation.started:
            expectation.started = True
            expectation.settle(happened=True)
        if expectation.injection is not None:
            expectation.injection.failed(raw)
            if not expectation.injection.own_sync:
                self._tell(expectation, raw)
        elif not c.muted and (expectation.in_script or not expectation.swallow):
            c.to_client.append(self._shown(expectation, fields, raw))
        if not ends:
            self._copy_over(behind=len(c.replies) - 1)
            if expectation.has_strays:
                c.count_strays(in_script=expectation.in_script)
            return
        if kind is Kind.PARSE and expectation.changes:
            # A Parse of the unnamed statement has destroyed the one before it, whether it succeeds or not.
            change = expectation.changes[0]
            if change.name == b"":
                c.statements.forget(b"")
        expectation.abandon()
        for dropped in c.replies.drop_to_sync():
            dropped.abandon()
            if dropped.injection is not None and dropped.injection is not expectation.injection:
                dropped.injection.dropped()
        self._copy_over(behind=len(c.replies))
        if expectation.has_strays:
            c.count_strays(in_script=expectation.in_script)

    def _shown(self, expectation: Expectation, fields: messages.Fields, raw: bytes) -> bytes:
        """The error as the client gets it: the refusal where the poison has failed, else the server's own."""
        error, code = expectation.refusal, messages.field(fields, b"C")
        if expectation.copy_error is not None and code == _COPY_FAILED:
            return refusal(expectation.copy_error, self._c.settings.client_encoding)
        if error is not None and expectation.index == len(expectation.plans):
            overrides = code == _FAILED_TRANSACTION and expectation.outranks_transaction
            if code == POISON_SQLSTATE or overrides:
                return refusal(error, self._c.settings.client_encoding)
        if expectation.rewritten and code in _STALE:
            self._c.planner.doubt()
        return redact(raw, rewritten=expectation.rewritten or expectation.in_script)

    def _fail(self, error: Refused) -> None:
        """The statement at hand fails on the proxy's side."""
        c = self._c
        if c.muted:
            return
        c.to_client.append(refusal(error, c.settings.client_encoding))
        c.muted = True
        self._fail_block = True
        if c.replies.awaits_ready:
            return
        c.discarding = True
        if c.client.in_message:
            c.owes_failure = True
        else:
            c.poison(None)

    def _oversized(self, item: Oversized) -> None:
        head = self._c.replies.head
        if item.type not in b"Dd" or head is None or head[1].injection is not None:
            raise ProtocolViolation("invalid message length")
        self._c.replies.answer(item.type)
        self._fail(too_large(f"a row of {item.size} bytes"))

    # -- results -------------------------------------------------------------------------------------------------------

    def _parameter_description(self, expectation: Expectation, raw: bytes) -> None:
        prepared = expectation.prepared
        if prepared is not None and prepared.plan.params is not None:
            reported = messages.parse_parameter_description(raw)
            try:
                types = rewriting.client_types(prepared, prepared.plan.params, reported)
            except Refused:
                self._contradicted()
                return
            raw = messages.build_parameter_description(types)
        self._tell(expectation, raw)

    def _row_description(self, kind: Kind, expectation: Expectation, raw: bytes) -> None:
        columns = messages.parse_row_description(raw)
        if kind is Kind.QUERY:
            expectation.formats = tuple(column.format for column in columns)
            expectation.openers = None
        shown = self._shown_columns(raw, columns, expectation.plan or Plan())
        if shown is None:
            self._contradicted()
        elif expectation.is_late:
            self._late = shown
        else:
            self._tell(expectation, shown)

    def described(self, raw: bytes, plan: Plan) -> bytes | None:
        """A RowDescription as the client gets it; None: it contradicts the plan."""
        return self._shown_columns(raw, messages.parse_row_description(raw), plan)

    def _shown_columns(self, raw: bytes, columns: list[Column], plan: Plan) -> bytes | None:
        mapped = self._mapped(columns, plan)
        if mapped is None:
            return None
        return raw if mapped is columns else messages.build_row_description(mapped)

    def _contradicted(self) -> None:
        """The server does not see the statement as it was planned: the catalog has changed behind the snapshot."""
        self._c.planner.doubt()
        self._fail(plan_changed())

    def _mapped(self, columns: list[Column], plan: Plan) -> list[Column] | None:
        """The row description for the client; None: it contradicts the plan."""
        snapshot = self._c.planner.basis.snapshot
        sealed, catalog = snapshot.sealed, snapshot.catalog
        if plan.results is None:
            hit = sealed and any((column.table, column.attribute) in sealed for column in columns)
            return None if hit else columns
        if len(plan.results) != len(columns):
            return None
        mapped = []
        for column, opening in zip(columns, plan.results, strict=True):
            origin = (column.table, column.attribute)
            if opening is None:
                if origin in sealed:
                    return None
                mapped.append(column)
                continue
            if opening.fields is not None:
                if column.type != RECORD_OID and column.type < FIRST_NORMAL_OID:
                    return None
                mapped.append(column)
                continue
            wanted = (BYTEA_ARRAY_OID, catalog.sealed_array_oid) if opens_elements(opening) else (BYTEA_OID,)
            if column.type not in wanted or (opening.origin is not None and origin != opening.origin):
                return None
            mapped.append(column._replace(type=opening.type.oid, size=opening.type.size, typmod=opening.type.typmod))
        return mapped

    def _row(self, kind: Kind, expectation: Expectation, raw: bytes) -> None:
        c = self._c
        if c.muted:
            return
        values = messages.parse_data_row(raw)
        try:
            openers = expectation.openers
            if openers is None:
                openers = expectation.openers = self._openers(kind, expectation, len(values))
            if len(openers) != len(values):
                raise plan_changed()
            for at, opener in enumerate(openers):
                if opener is not None and (value := values[at]) is not None:
                    values[at] = opener(value)
        except Refused as error:
            self._fail(error)
            return
        self._tell(expectation, messages.build_data_row(values))

    def _openers(self, kind: Kind, expectation: Expectation, count: int) -> list[Convert | None]:
        """What opens each field of a row, or None. Raises Refused where the row contradicts the plan."""
        c, plan = self._c, expectation.plan
        if plan is None:
            raise ProtocolViolation("unexpected server message 'D'")
        results = plan.results
        if results is None:
            return [blanked if plan.explains else None] * count
        given = expectation.formats if kind is Kind.QUERY or expectation.portal is None else expectation.portal.formats
        formats = spread_formats(given, count)
        if formats is None or len(results) != count:
            raise plan_changed()
        return [
            None if opening is None else opening_function(opening, format_, c.settings, c.sealers)
            for opening, format_ in zip(results, formats, strict=True)
        ]
