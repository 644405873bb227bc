"""The state that both directions of one session share, and the words for it.

`Frontend` acts on what the client sends, `Backend` on what the server sends; this is where they meet.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from proxy.config import SealedColumn
from proxy.errors import Refused
from proxy.session.copying import CopyTransform
from proxy.session.guarding import Guard, Held, SealersNow
from proxy.session.injection import NAME, Injection
from proxy.session.names import Change, Names
from proxy.session.planner import Basis, Planner
from proxy.session.refusals import POISON, POISON_NAME, outranks_transaction
from proxy.session.values import Convert, Sealers
from proxy.sql.plan import Plan
from proxy.wire import messages
from proxy.wire.codecs import Settings
from proxy.wire.frames import BIG, MAX_MESSAGE, Splitter
from proxy.wire.replies import ENDED_BY_READY, Kind, Replies

if TYPE_CHECKING:
    from proxy.session.binding import Bound

LiteralKeys = tuple[tuple[SealedColumn, int], ...]

ENDS_TRANSACTION: Final = frozenset(("COMMIT", "ROLLBACK", "PREPARE TRANSACTION"))
"""Tags of statements that end a transaction, or a part of it."""


@dataclass(frozen=True, slots=True)
class Link:
    """A name that a plan was completed with, and what it meant then."""

    kind: Literal["statement", "portal"]
    name: bytes
    value: object


@dataclass(slots=True, eq=False)
class Prepared:
    """A prepared statement. `basis` None: its plan rests on nothing that could change."""

    text: str
    types: tuple[int, ...]
    """As declared in Parse; 0 or left out: undeclared."""
    plan: Plan
    basis: Basis | None
    functions: tuple[object, list[Convert | None]] | None = None
    """What seals its parameters, and the settings and formats it was made for."""
    bound: Bound | None = None
    """Its last Bind."""
    whole: Plan | None = None
    """Made by PREPARE: the plan of that, of which `text` is the statement."""
    keys: LiteralKeys = ()
    """Under which its literals were sealed, which are in the text that the server has."""
    links: tuple[Link, ...] = ()
    """An EXECUTE that Parse has made: what its arguments were sealed for."""
    turn: int = 0
    """The planner's when it was sent."""
    sent: str = ""
    """Made by Parse: the text that the server has."""

    @property
    def parameter_count(self) -> int:
        """Parameters as the client counts them; only where the plan maps them."""
        return max((param.client + 1 for param in self.plan.params or ()), default=0)


@dataclass(slots=True, eq=False)
class Portal:
    """A portal of the protocol, or a cursor of DECLARE. `formats` as given in Bind."""

    plan: Plan
    formats: tuple[int, ...] = ()
    text: str = ""
    basis: Basis | None = None
    """What its plan rests on."""
    links: tuple[Link, ...] = ()
    is_held: bool = False
    """WITH HOLD: it outlives its transaction."""
    is_binary: bool = False


@dataclass(slots=True, eq=False)
class Expectation:
    """What is known of a message that was sent, until it is answered."""

    plans: tuple[Plan, ...] = ()
    """Query: one per statement, in order. Otherwise at most one."""
    changes: list[Change[Prepared] | Change[Portal]] = field(default_factory=list)
    """Come true when the message is acknowledged; for Query with its first answer."""
    completions: list[list[Change[Prepared] | Change[Portal]]] = field(default_factory=list)
    """Come true when statement i completes."""
    refusal: Refused | None = None
    """The message, or of a Query the statement behind `plans`, is the poison in place of what is refused."""
    outranks_transaction: bool = False
    """The refusal is told in a failed transaction too."""
    injection: Injection | Guard | None = None
    swallow: bool = False
    """No answer reaches the client; but errors do where `in_script`."""
    prepared: Prepared | None = None
    portal: Portal | None = None
    index: int = 0
    """Query: statements completed."""
    started: bool = False
    formats: tuple[int, ...] = ()
    """Query: formats of the row description in force."""
    openers: list[Convert | None] | None = None
    in_script: bool = False
    is_late: bool = False
    """Describe in a script: the row description is told with the first row, and not at all in front of an error."""
    copy: CopyTransform | None = None
    """Seals or opens the rows of the COPY under way."""
    has_strays: bool = False
    """Sync was sent amid the rows of that COPY."""
    is_skipping: bool = False
    """STRAYS: the server ignored what it read up to the first of them."""
    copy_error: Refused | None = None
    """What is wrong with the client's rows; the server was told by CopyFail."""

    @property
    def plan(self) -> Plan | None:
        """The plan of the statement that answers now."""
        return self.plans[self.index] if self.index < len(self.plans) else None

    def refuse(self, kind: str, error: Refused) -> None:
        """The poison stands in place of a message of type `kind`, or of the statement of a Query behind `plans`."""
        self.refusal, self.outranks_transaction = error, outranks_transaction(kind, error)

    @property
    def rewritten(self) -> bool:
        return any(plan.template is not None for plan in self.plans)

    def settle(self, *, happened: bool) -> None:
        for change in self.changes:
            change.settle(happened=happened)
        self.changes = []

    def complete(self) -> None:
        """Statement `index` is done."""
        if self.index < len(self.completions):
            for change in self.completions[self.index]:
                change.settle(happened=True)
            self.completions[self.index] = []
        self.index += 1
        self.openers = None
        self.copy = None
        self.has_strays = False

    def abandon(self) -> None:
        """Nothing of it will happen any more."""
        self.settle(happened=False)
        for changes in self.completions:
            for change in changes:
                change.settle(happened=False)
        self.completions = []


def sealed_bound(bound: int) -> int:
    """What a message from the server may weigh, in bytes, where one from the client may weigh `bound`: a value that
    could be stored can be read again, also in hexadecimal."""
    return 2 * bound + BIG


class Copy(enum.Enum):
    """Where the session stands with COPY."""

    NONE = enum.auto()
    PENDING = enum.auto()
    """A COPY was sent, or its data ended: what the client sends next depends on the server's answer."""
    IN = enum.auto()
    """The server reads CopyData; Sync and Flush mean nothing to it now."""
    STREAMING = enum.auto()
    """A replication command reads CopyData, or reads and writes it; all of it passes."""


class Conversation:
    """Both directions' state. See `Session` for how it is driven."""

    def __init__(
        self, planner: Planner, sealers: Sealers, client: Splitter, server: Splitter, *, max_row: int = MAX_MESSAGE
    ) -> None:
        self._max_row = max_row
        self.planner = planner
        self.held = Held()
        self._sealers = sealers
        self._sealers_now: SealersNow | None = None
        self.client = client
        self.server = server
        self.to_client: list[bytes] = []
        self.to_server: list[bytes] = []
        self.replies: Replies[Expectation] = Replies()
        self.statements: Names[Prepared] = Names()
        self.portals: Names[Portal] = Names()
        self.status = b"I"
        """Transaction status of the last ReadyForQuery."""
        self.batch = 0
        self.batch_empty = True
        """Nothing was sent since the last message that ReadyForQuery answers."""
        self._joined = self._executed = -1
        """The last batch in which something was executed since a transaction ended: of our own, and of the client's."""
        self._clients = -1
        """The last batch in which something is of the client."""
        self._synced = True
        """What ended the batch before the one at hand was Sync."""
        self.discarding = False
        """The batch has failed, or will when the server gets there: what the client sends up to Sync is dropped."""
        self.owes_failure = False
        """The batch has failed for the client while a message was on its way: the server is to fail at its end."""
        self.muted = False
        """The client was told of an error that the server does not know of: what the server answers up to ReadyForQuery
        is dropped."""
        self._poisoned = False
        """`POISON_NAME` has been sent."""
        self.copy = Copy.NONE
        self.fatal_relayed = False
        self.leaving = False
        """The client has sent Terminate."""

    @property
    def settings(self) -> Settings:
        return self.planner.settings

    @property
    def sealers(self) -> Sealers:
        """What seals in the transaction of now."""
        keys = self.held.keys
        if not keys:
            return self._sealers
        if self._sealers_now is None or self._sealers_now.keys != keys:
            self._sealers_now = SealersNow(self._sealers, keys)
        return self._sealers_now

    def start_copy(self, expectation: Expectation) -> bool:
        """The server begins to copy. True: the rows have sealed columns and go through `expectation.copy`."""
        plan = expectation.plan
        if plan is None or plan.copy is None:
            return False
        max_row = self._max_row if plan.copy.is_from else sealed_bound(self._max_row)
        expectation.copy = CopyTransform(plan.copy, self.settings, self.sealers, max_row=max_row)
        return True

    def send(self, kind: Kind, raw: bytes, expectation: Expectation) -> None:
        """A message that will be answered goes to the server."""
        self.replies.push(kind, expectation)
        if expectation.injection is None:
            self._clients = self.batch
        if kind is Kind.EXECUTE:
            if expectation.injection is not None:
                self._joined = self.batch
            elif expectation.plan is not None and expectation.plan.tag in ENDS_TRANSACTION:
                self._joined = self._executed = -1
            elif expectation.plan is not None and expectation.plan.tag:  # an empty statement begins nothing
                self._executed = self.batch
        self.to_server.append(raw)
        if kind in ENDED_BY_READY:
            self.end_batch(by_sync=kind in (Kind.SYNC, Kind.STRAYS))
        else:
            self.batch_empty = False

    def end_batch(self, *, by_sync: bool) -> None:
        """What ReadyForQuery answers has been sent."""
        self.batch += 1
        self.batch_empty = True
        self._synced = by_sync

    def inject(self, injection: Injection | Guard) -> None:
        """Our own queries go to the server."""
        changes: list[Change[Prepared] | Change[Portal]] = []
        if injection.unnamed:
            changes = [self.statements.change(b"", None, self.batch)]
        for kind, raw in injection.messages():
            self.send(kind, raw, Expectation(changes=changes, injection=injection))
            changes = []

    @property
    def is_joined(self) -> bool:
        """Of what the batch at hand executes, all is our own, outside of a transaction. That begins an implicit
        transaction block, which a Query would not end (XACT_FLAGS_PIPELINING in `src/backend/tcop/postgres.c`), and
        which but for us would not be."""
        return self.status == b"I" and self._joined == self.batch != self._executed

    @property
    def is_open(self) -> bool:
        """The transaction goes on behind a Query of one statement: a block, or what a pipeline has begun. To be asked
        where all has been answered."""
        return self.status == b"T" or self._executed == self.batch

    @property
    def is_between(self) -> bool:
        """Outside of a transaction, with nothing under way."""
        return self.status == b"I" and self.batch_empty and not self.replies

    @property
    def may_be_pipeline(self) -> bool:
        """The transaction that is open may be the implicit one of a pipeline, which only a Sync of the client may end:
        what came last was a Query, which does not end it."""
        return self.status == b"T" and not self._synced

    @property
    def is_unclaimed(self) -> bool:
        """What the batch at hand consists of is our own, sent on account of a message of the client's that waits."""
        return not self.batch_empty and self._clients != self.batch

    def claim(self) -> None:
        """The message that waited is skipped."""
        self._clients = self.batch

    def count_strays(self, *, in_script: bool) -> None:
        """A COPY with Syncs amid its rows has failed: hold the client until it is known how many of them count."""
        self.copy = Copy.PENDING
        unknown = messages.build_close(messages.Target(b"S", NAME))
        expectation = Expectation(is_skipping=self.replies.skipping, in_script=in_script)
        self.send(Kind.STRAYS, messages.SYNC + unknown + messages.FLUSH, expectation)

    def fail_copy(self, error: Refused) -> None:
        """End the client's COPY with an error: the server gets CopyFail, and what it says to that becomes `error`."""
        head = self.replies.head
        if head is None:
            raise AssertionError("no COPY is under way")
        head[1].copy_error = error
        self.copy = Copy.PENDING
        self.to_server.append(messages.build_copy_fail(b"refused by Sealwire"))

    def poison(self, refusal: Refused | None, kind: str = "Q", *, unnamed: bool = False) -> None:
        """Make the server fail here, as the message of type `kind` would have in whose place this goes; `unnamed`: a
        Parse of the unnamed statement, which destroys the one before it. None: unseen by the client.
        What follows up to Sync would be skipped by the server, so it need not be sent.

        PgBouncer from 1.21 takes the name for given although the Parse has failed, and ends a connection that gives a
        name twice. A Close of it may be answered in front of a Parse that came before (1.24: both answers are its own).
        So behind a pooler it is the unnamed statement; else, for one that is not known of yet, the name is closed."""
        name = b"" if unnamed or self.planner.pooled else POISON_NAME
        if name and self._poisoned:
            self.send(Kind.CLOSE, messages.build_close(messages.Target(b"S", name)), Expectation(swallow=True))
        self._poisoned = self._poisoned or name != b""
        raw = messages.build_parse(messages.Parse(name, POISON.encode(), ()))
        expectation = Expectation(swallow=refusal is None)
        if refusal is not None:
            expectation.refuse(kind, refusal)
        if not name:
            expectation.changes.append(self.statements.change(b"", None, self.batch))
        self.send(Kind.PARSE, raw, expectation)
        self.discarding = True
