"""When an analysis may rest on what the planner knows, and the reading of what it does not know.

Between batches the queries have a Sync of their own, and the client's message is sent when they are answered. But they
begin the client's batch, without a Sync,

- where a pooler lends out server processes (`Planner.pooled`): that message could meet another process than they have
  met, but for the transaction that they begin, for which the pooler keeps the process. A statement that cannot run in
  it, and comes to the same in every process, is sent without;
- behind a Query in a pipeline: the Sync would end the implicit transaction, which goes on behind the Query.
"""

from __future__ import annotations

from proxy.errors import ProtocolViolation
from proxy.session.conversation import Conversation
from proxy.session.injection import Injection
from proxy.session.planner import Wanted
from proxy.wire import messages


class ReadFailed(Exception):
    """The catalog could not be read; the server's ErrorResponse goes to the client."""

    def __init__(self, raw: bytes) -> None:
        super().__init__()
        self.raw = raw


class Reader:
    """One session's readings, one at a time. `by_query`: of a replication connection, to which a pooler, where it lets
    one through at all, gives one server process for good."""

    def __init__(self, conversation: Conversation, *, by_query: bool = False) -> None:
        self._c = conversation
        self._by_query = by_query
        self._injection: Injection | None = None
        self._batch = -1  # the one for which the planner was told that the server process may be another

    @property
    def at_rest(self) -> bool:
        return self._injection is None

    @property
    def _pooled(self) -> bool:
        return self._c.planner.pooled and not self._by_query

    def abandon(self) -> bool:
        """Nobody waits for the reading any more. True: it has failed itself."""
        injection, self._injection = self._injection, None
        return injection is not None and injection.error is not None

    def settled(self) -> bool:
        """What was read is known. False: something is being read. Raises ReadFailed."""
        if self._injection is None:
            return True
        if not self._injection.finished:
            return False
        injection, self._injection = self._injection, None
        if injection.error is not None:
            raise ReadFailed(injection.error)
        if not injection.complete:
            raise ProtocolViolation("unexpected answer to a catalog query")  # asking again would not end
        self._c.planner.take(injection.wanted, injection.values, injection.epoch)
        return True

    def has_catalog(self) -> bool:
        """The catalog is known, whichever process has told it. False: it is being read. To be asked between batches."""
        wanted = tuple(want for want in self._c.planner.wanted() if want is not Wanted.SESSION)
        if wanted:
            self._read(wanted, own_sync=True)
        return not wanted

    def ready(self) -> bool:
        """Whether an analysis may rest on what is known. False: something is being read. Raises ReadFailed."""
        if not self.settled():
            return False
        c, planner = self._c, self._c.planner
        if planner.is_changed and c.replies.awaits_ready:
            return False  # the end of a transaction may take that back
        if self._pooled and self._batch != c.batch:
            if c.batch_empty and c.replies:
                return False
            if c.status != b"T" or not (c.batch_empty or c.is_unclaimed):
                planner.distrust()
            self._batch = c.batch
        wanted = planner.wanted()
        if not wanted:
            return True
        if c.batch_empty:
            if c.replies:
                return False  # what comes before decides whether anything can be read
            if c.status == b"E":
                return True
        joins = self._pooled and c.status == b"I"
        self._read(wanted, own_sync=self._by_query or (c.batch_empty and not joins and not c.may_be_pipeline))
        return False

    def _read(self, wanted: tuple[Wanted, ...], *, own_sync: bool) -> None:
        c, planner = self._c, self._c.planner
        if self._pooled and Wanted.SESSION in wanted:
            wanted += (Wanted.STATEMENTS,)
        self._injection = Injection(
            wanted,
            epoch=planner.database.epoch,
            own_sync=own_sync,
            as_query=self._by_query,
            unnamed=self._pooled,
            names=c.statements.named(),
        )
        c.inject(self._injection)
        if not own_sync:
            c.to_server.append(messages.FLUSH)
