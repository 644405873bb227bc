"""May a statement be sent as it is planned? Asks the guard (guarding.py) where it names an unsettled table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from proxy.errors import Refused
from proxy.session import rewriting
from proxy.session.conversation import Conversation, Prepared
from proxy.session.guarding import Again, Guard, named_tables, snapshot_too_old
from proxy.session.references import Resolved
from proxy.session.refusals import plan_changed
from proxy.sql.plan import Effect, Plan
from proxy.wire import messages

_ABORTED: Final = "current transaction is aborted, commands ignored until end of transaction block"


class Admission:
    """One session's part."""

    def __init__(self, conversation: Conversation) -> None:
        self._c = conversation
        self._guard: Guard | None = None
        self._doubted = False  # the catalog was read anew on account of the message at hand

    @property
    def at_rest(self) -> bool:
        """Nothing is being asked."""
        return self._guard is None

    def concerns(self, plans: Iterable[Plan]) -> bool:
        """True where one of them names an unsettled table, whatever the transaction holds."""
        unsettled = self._c.planner.basis.snapshot.unsettled
        return bool(unsettled) and any(not unsettled.keys().isdisjoint(named_tables(plan)) for plan in plans)

    def admits(self, resolved: Iterable[Resolved]) -> bool:
        """True: the plans are true until the transaction ends. False: that is being asked; hold the message.

        Raises Again where they are not true, and Refused: 40001, or a statement that was prepared under other keys.
        """
        resolved = tuple(resolved)
        if not self._settle() or not self._ask([one.plan for one in resolved]):
            return False
        self.require_links(resolved)
        return True

    def require_links(self, resolved: Iterable[Resolved]) -> None:
        """As `require_keys`, for the statements that an EXECUTE names."""
        for one in resolved:
            for link in one.links:
                if isinstance(link.value, Prepared):
                    self.require_keys(link.value)

    def require_keys(self, prepared: Prepared) -> None:
        """Raises Refused where literals of the statement were sealed under a key that is not in force now."""
        if not rewriting.are_in_force(prepared.keys, self._c.sealers):
            raise plan_changed()

    def done(self) -> None:
        """The message at hand has been dealt with."""
        self._doubted = False

    def abandon(self) -> bool:
        """The server skips the message at hand, or it has failed. True: because what was asked has failed."""
        guard, self._guard = self._guard, None
        if guard is None:
            return False
        self._c.planner.doubt()
        return guard.has_failed

    def _settle(self) -> bool:
        """Takes over what was answered. False: not all has been."""
        c, guard = self._c, self._guard
        if guard is None:
            return True
        if not guard.finished:
            return False
        self._guard = None
        keys = guard.verdict(c.sealers)
        if keys is not None:
            c.held.add(guard.tables, keys)
            return True
        if self._doubted:
            raise snapshot_too_old(guard.tables[0].columns[0])
        self._doubted = True
        c.planner.doubt()
        raise Again

    def _ask(self, plans: list[Plan]) -> bool:
        """False: something is being asked, or has to be answered first."""
        c = self._c
        if not self.concerns(plans):
            return True
        held = c.held
        if held.batch != c.batch:
            if c.replies:
                if c.batch_empty:
                    return False  # what comes before decides in which transaction this will be
                held.release()
            held.batch = c.batch
        snapshot = c.planner.basis.snapshot
        names = frozenset[int]().union(*map(named_tables, plans)) - held.tables
        wanted = [snapshot.unsettled[oid] for oid in sorted(names) if oid in snapshot.unsettled]
        if not wanted:
            return True
        if c.status == b"E" and c.batch_empty:
            raise Refused(_ABORTED, sqlstate="25P02")
        self._guard = Guard(wanted, snapshot.catalog, unnamed=c.planner.pooled)
        c.inject(self._guard)
        c.to_server.append(messages.FLUSH)
        return False

    def sent(self, plan: Plan) -> None:
        """A statement goes to the server. The end of a transaction, or of a part of it, may let locks go."""
        if Effect.TRANSACTION in plan.effects:
            self._c.held.release()
