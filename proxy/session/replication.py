"""Replication connections (`replication=` in the StartupMessage) to a database with a policy.

Such a connection takes replication commands, and nothing else but Query. What the commands stream is the database as it
is, so sealed columns arrive as ciphertext; they pass in both directions as they are. A command is recognised by a
grammar of its own, `repl_gram.y` in PostgreSQL's sources, which decides as the server does by the first word, and takes
nothing behind it that the server's would not.

    replication=true        no database, no SQL: in place of what is no command goes a statement that the server refuses
    replication=database    SQL too, analysed as in any session; but COPY TO gives ciphertext, so that an initial copy
                            matches the stream that follows it

See "Streaming Replication Protocol" in the manual and `src/backend/replication/walsender.c`.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from proxy.errors import MalformedMessage, ProtocolViolation, Refused
from proxy.session.conversation import Conversation, Copy, Expectation
from proxy.session.frontend import Frontend
from proxy.session.plans import Analysis
from proxy.session.references import Resolved
from proxy.sql.plan import Plan
from proxy.wire import messages
from proxy.wire.frames import Frame, Head, Item, Run
from proxy.wire.replies import Kind

_TRUE: Final = frozenset(("1", "on", "t", "tr", "tru", "true", "y", "ye", "yes"))
_FALSE: Final = frozenset(("", "0", "off", "of", "false", "fals", "fal", "fa", "f", "no", "n"))

_NAME: Final = rb"(?:[A-Za-z_][A-Za-z0-9_$]*|\"(?:[^\"\0]|\"\")+\")"
_STRING: Final = rb"'(?:[^'\0]|'')*'"
_POSITION: Final = rb"[0-9A-Fa-f]+/[0-9A-Fa-f]+"
_OPTION: Final = rb"%s(?:\s+(?:%s|%s|[0-9]+))?" % (_NAME, _STRING, _NAME)
_OPTIONS: Final = rb"\(\s*%s(?:\s*,\s*%s)*\s*\)" % (_OPTION, _OPTION)
_COMMANDS: Final = (
    rb"IDENTIFY_SYSTEM",
    rb"SHOW\s+%s(?:\.%s)*" % (_NAME, _NAME),
    rb"TIMELINE_HISTORY\s+[0-9]+",
    rb"READ_REPLICATION_SLOT\s+%s" % _NAME,
    rb"DROP_REPLICATION_SLOT\s+%s(?:\s+WAIT)?" % _NAME,
    rb"ALTER_REPLICATION_SLOT\s+%s\s*%s" % (_NAME, _OPTIONS),
    rb"CREATE_REPLICATION_SLOT\s+%s(?:\s+TEMPORARY)?\s+(?:PHYSICAL|LOGICAL\s+%s)" % (_NAME, _NAME)
    + rb"(?:(?:\s+(?:RESERVE_WAL|EXPORT_SNAPSHOT|NOEXPORT_SNAPSHOT|USE_SNAPSHOT|TWO_PHASE))*|\s*%s)" % _OPTIONS,
    rb"START_REPLICATION(?:\s+SLOT\s+%s)?(?:\s+PHYSICAL)?\s+%s(?:\s+TIMELINE\s+[0-9]+)?" % (_NAME, _POSITION),
    rb"START_REPLICATION\s+SLOT\s+%s\s+LOGICAL\s+%s(?:\s*%s)?" % (_NAME, _POSITION, _OPTIONS),
    rb"BASE_BACKUP(?:\s*%s)?" % _OPTIONS,
    rb"BASE_BACKUP(?:\s+(?:LABEL\s+%s|PROGRESS|FAST|WAL|NOWAIT|MAX_RATE\s+[0-9]+|TABLESPACE_MAP" % _STRING
    + rb"|NOVERIFY_CHECKSUMS|MANIFEST\s+%s|MANIFEST_CHECKSUMS\s+%s))*" % (_STRING, _STRING),
    rb"UPLOAD_MANIFEST",
)
_COMMAND: Final = re.compile(rb"\s*(?:" + rb"|".join(_COMMANDS) + rb")\s*;?\s*", re.ASCII)


class Replication(enum.Enum):
    """What `replication` in the StartupMessage asks for."""

    NONE = enum.auto()
    PHYSICAL = enum.auto()
    DATABASE = enum.auto()


def asked_for(parameters: Mapping[str, str]) -> Replication | None:
    """The kind of connection, as `ProcessStartupPacket` reads it; None: a value that the server does not take."""
    value = parameters.get("replication", "")
    if value == "database":
        return Replication.DATABASE
    if value.lower() in _FALSE:
        return Replication.NONE
    return Replication.PHYSICAL if value.lower() in _TRUE else None


def is_command(query: bytes) -> bool:
    """Whether a Query string is one replication command and nothing else."""
    return _COMMAND.fullmatch(query) is not None


class ReplicationFrontend(Frontend):
    """The client's direction of a replication connection."""

    reads_by_query = True

    def __init__(self, conversation: Conversation, kind: Replication, *, inherited: bool = False) -> None:
        super().__init__(conversation, inherited=inherited)
        self._is_physical = kind is Replication.PHYSICAL

    def handle(self, item: Item) -> bool:
        c = self._c
        if isinstance(item, Run):
            return super().handle(item)
        kind = chr(item.type)
        if c.copy is Copy.STREAMING and kind != "X":
            return self._stream(kind, item)
        if c.copy is not Copy.NONE or c.replies.skipping or c.discarding or kind not in "QPBDECF":
            return super().handle(item)
        if isinstance(item, Head):
            return True  # nothing is streamed unseen here
        if kind != "Q":
            return self._refuse_kind(kind)
        if isinstance(item, Frame):
            try:
                query = messages.parse_query(item.raw)
            except MalformedMessage as malformed:
                self.refuse("Q", Refused(malformed.message, sqlstate=malformed.sqlstate))
                return True
            if is_command(query):
                if c.replies:
                    return False
                c.send(Kind.REPLICATION, item.raw, Expectation())
                return True
            if self._is_physical:
                message = "cannot execute SQL commands in WAL sender for physical replication"
                self.refuse("Q", Refused(message, sqlstate="0A000"))
                return True
        return super().handle(item)

    def _stream(self, kind: str, item: Item) -> bool:
        """The end of the client's stream; its data passes unseen."""
        if kind not in "cf" or not isinstance(item, Frame):
            raise ProtocolViolation(f'invalid standby message type "{kind}"')
        c = self._c
        c.to_server.append(item.raw)
        c.copy = Copy.PENDING
        c.client.set_passing("d", passing=False)
        return True

    def _refuse_kind(self, kind: str) -> bool:
        """As `forbidden_in_wal_sender` in `postgres.c` does, before anything of the message is sent."""
        if kind == "F":
            message = "fastpath function calls not supported in a replication connection"
            self.refuse("Q", Refused(message, sqlstate="08P01"))
        else:
            message = "extended query protocol not supported in a replication connection"
            self.refuse(kind, Refused(message, sqlstate="08P01"))
        return True

    def needs_script(self, found: Analysis) -> bool:
        if super().needs_script(found):
            raise Refused(
                "several statements, one of which changes the catalog or settings, in a replication connection",
                hint="Send them one by one.",
            )
        return False

    def needs_guard(self, plans: Sequence[Plan]) -> bool:
        """A guard needs the extended protocol. COPY takes no values, and its rows are as the stream's."""
        if super().needs_guard([plan for plan in plans if plan.tag != "COPY"]):
            raise Refused(
                "a column of the table is pending, or waits to be resealed: not in a replication connection",
                hint="use an ordinary connection",
            )
        return False

    def resolve(self, plan: Plan) -> Resolved | None:
        resolved = super().resolve(plan)
        if resolved is not None and resolved.plan.copy is not None and not resolved.plan.copy.is_from:
            return replace(resolved, plan=replace(resolved.plan, copy=None))
        return resolved
