"""A Query string whose later statements can only be analysed when earlier ones have run: DDL scripts, SET search_path.

It is sent as one batch of the extended protocol: Parse, Bind, Describe and Execute for each statement, one Sync at the
end. That gives what Query gives, one implicit transaction that the first error ends, and lets the catalog be read in
between, inside that transaction. The client sees the answers of a Query.

The statements of a string with several are in a transaction block from the first on, those of a batch from the second
on; so a statement of our own goes in front of the first, and of what follows the end of a transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from proxy.errors import Refused
from proxy.session import references, rewriting
from proxy.session.conversation import ENDS_TRANSACTION, Conversation, Copy, Expectation, Portal
from proxy.session.guarding import Again
from proxy.session.injection import Injection
from proxy.session.planner import Wanted
from proxy.session.plans import Analysis
from proxy.session.references import Resolved
from proxy.session.refusals import as_refused
from proxy.session.values import BINARY_FORMAT
from proxy.sql.plan import Effect, Failure, Plan, Statement
from proxy.wire import messages
from proxy.wire.messages import Bind, Parse, Target
from proxy.wire.replies import Kind

# Plans whose statements neither name a relation nor depend on the search_path.
_INDEPENDENT_TAGS: Final = frozenset(
    ("SET", "RESET", "SHOW", "LISTEN", "UNLISTEN", "NOTIFY", "DEALLOCATE", "DEALLOCATE ALL", "DISCARD ALL", "DISCARD")
)
_LATER_BATCH: Final = Effect.CATALOG | Effect.SETTINGS


def needs_script(conversation: Conversation, found: Analysis) -> bool:
    """A statement behind one that changes catalog or settings can only be analysed when that one has run."""
    changed = False
    plans = [one.plan if isinstance(one, Statement) else Plan() for one in found]
    for plan, effects in zip(plans, references.effects_in_order(conversation, plans), strict=True):
        independent = Effect.TRANSACTION in plan.effects or plan.tag in _INDEPENDENT_TAGS
        if changed and not independent:
            return True
        undone = Effect.TRANSACTION in effects and conversation.planner.is_changed
        changed = changed or undone or bool(effects & _LATER_BATCH)
    return False


class Sender(Protocol):
    """What a script needs of the frontend."""

    def analyse(self, text: str, types: tuple[int, ...]) -> tuple[Analysis, bool] | None: ...
    def resolve(self, plan: Plan) -> Resolved | None: ...
    def admits(self, resolved: Sequence[Resolved]) -> bool: ...
    def send_execute(self, raw: bytes, portal: Portal, *, in_script: bool = False) -> None: ...


class Script:
    """The statements of one Query string on their way."""

    def __init__(self, conversation: Conversation, sender: Sender, statements: Sequence[str]) -> None:
        self._c = conversation
        self._sender = sender
        self._statements = statements
        self._next = 0
        self._begins = len(statements) > 1 and conversation.status == b"I"  # the next one would begin a transaction

    def run(self) -> bool:
        """Send what can be sent. True: all is sent, or an error has ended it; the closing Sync is on its way."""
        c = self._c
        while self._next < len(self._statements):
            if c.replies.skipping or c.discarding:
                break
            if c.copy is not Copy.NONE:
                return False
            analysed = self._sender.analyse(self._statements[self._next], ())
            if analysed is None:
                return False
            try:
                if not self._send(self._statements[self._next], analysed[0]):
                    return False
            except Again:
                continue
            except Refused as error:
                c.poison(error)
                break
            self._next += 1
        if c.copy is not Copy.NONE:
            return False
        c.discarding = False
        c.send(Kind.SYNC, messages.SYNC, Expectation())
        return True

    def _send(self, text: str, found: Analysis) -> bool:
        """False: it has to wait. Raises Refused."""
        c = self._c
        plan = Plan()
        for one in found:
            if isinstance(one, Failure):
                raise as_refused(one.error)
            plan = one.plan
        # What these run comes to an end before the description of its rows is sent (PORTAL_UTIL_SELECT in pquery.c).
        is_late = plan.executes is not None or plan.fetches is not None or plan.explains or plan.tag == "CALL"
        resolved = self._sender.resolve(plan)
        if resolved is None:  # pragma: no cover - all that may change a name was answered when the script began
            return False
        if self._begins:
            self._begins = False
            epoch, pooled = c.planner.database.epoch, c.planner.pooled
            c.inject(Injection((Wanted.NOTHING,), epoch=epoch, own_sync=False, unnamed=pooled))
        if not self._sender.admits((resolved,)):
            return False
        plan = resolved.plan
        self._begins = len(self._statements) > 1 and plan.tag in ENDS_TRANSACTION
        formats = (BINARY_FORMAT,) if resolved.is_binary else ()
        piece = rewriting.splice(plan, c.settings, c.sealers)
        query = c.planner.encode(text if piece is None else piece)
        # Query destroys the unnamed statement and portal; so do the ones used here, and they are not to be found later.
        destroyed: list[rewriting.AnyChange] = [
            c.statements.change(b"", None, c.batch),
            c.portals.change(b"", None, c.batch),
        ]
        parse = messages.build_parse(Parse(b"", query, ()))
        c.send(Kind.PARSE, parse, Expectation((plan,), destroyed, swallow=True, in_script=True))
        bind = messages.build_bind(Bind(b"", b"", (), [], formats))
        c.send(Kind.BIND, bind, Expectation((plan,), swallow=True, in_script=True))
        portal = Portal(plan, formats, text, c.planner.basis, resolved.links)
        describe = messages.build_describe(Target(b"P", b""))
        described = Expectation((plan,), portal=portal, in_script=True, is_late=is_late)
        c.send(Kind.DESCRIBE_PORTAL, describe, described)
        self._sender.send_execute(messages.build_execute(b""), portal, in_script=True)
        return True
