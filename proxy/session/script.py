"""A Query string whose later statements can only be analysed when earlier ones have run: DDL scripts, SET search_path.

It is sent as one batch of the extended protocol: Parse, Bind, Describe and Execute for each statement, one Sync at the
end. That gives what Query gives, one implicit transaction that the first error ends, and lets the catalog be read in
between, inside that transaction. The client sees the answers of a Query.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from proxy.errors import Refused
from proxy.session import rewriting
from proxy.session.conversation import Conversation, Copy, Expectation, Portal
from proxy.session.guarding import Again
from proxy.session.plans import Analysis
from proxy.session.references import Resolved
from proxy.session.refusals import as_refused
from proxy.session.values import BINARY_FORMAT
from proxy.sql.plan import Failure, Plan
from proxy.wire import messages
from proxy.wire.messages import Bind, Parse, Target
from proxy.wire.replies import Kind


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
        if resolved is None or not self._sender.admits((resolved,)):
            return False
        plan = resolved.plan
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
