"""Queries of our own in the client's stream: sent in the extended protocol, their answers kept from the client.

Not as Query, which would commit the implicit transaction of an open pipeline and destroy the unnamed statement. At
the border of a batch the queries end with their own Sync; in the middle of one with Flush, so that the pipeline's
transaction goes on. Only in replication connections they are one Query: these know neither the extended protocol nor
pipelines of it.

A pooler that follows prepared statements (PgBouncer from 1.21 on) answers a Parse that it has seen, and runs what the
server process has under the name that it once gave to that text. Anybody who shares the process can have put another
statement there, by SQL's DEALLOCATE and PREPARE, and so could answer what is asked here. So behind a pooler the
statement is the unnamed one, with which no pooler meddles; and since it takes a first answer to know of a pooler, the
text of a named one is new each time.
"""

from __future__ import annotations

from typing import Final

from proxy.session.guarding import once
from proxy.session.planner import Wanted
from proxy.sql.catalog import unexpected_answer
from proxy.wire import messages
from proxy.wire.messages import Bind, Parse, Target
from proxy.wire.replies import Kind

NAME: Final = b"sealwire.catalog"
"""Statement and portal. Closed before and after use: one that failed half-way may have left them."""


class Injection:
    """One group of queries under way. `epoch` is the catalog's when they were asked for; `names` are the prepared
    statements that Wanted.STATEMENTS asks for. `unnamed`: they take the unnamed statement, and so destroy it."""

    def __init__(
        self,
        wanted: tuple[Wanted, ...],
        *,
        epoch: int,
        own_sync: bool,
        as_query: bool = False,
        unnamed: bool = False,
        names: frozenset[bytes] = frozenset(),
    ) -> None:
        self.wanted = wanted
        self.epoch = epoch
        self._names = names
        self.own_sync = own_sync
        self.values: list[bytes] = []
        self.error: bytes | None = None
        """The server's ErrorResponse, if it failed."""
        self.finished = False
        """All answers have come, or will never come."""
        self._as_query = as_query
        self.unnamed = unnamed
        self._open = 1 if as_query else (4 if unnamed else 6) * len(wanted) + (1 if own_sync else 0)

    @property
    def complete(self) -> bool:
        return self.finished and self.error is None and len(self.values) == len(self.wanted)

    def messages(self) -> list[tuple[Kind, bytes]]:
        """What to send, in order; Flush is to follow where `own_sync` is False."""
        if self._as_query:
            return [(Kind.QUERY, messages.build_query(";\n".join(want.value for want in self.wanted).encode("ascii")))]
        name = b"" if self.unnamed else NAME
        close = [] if self.unnamed else [(Kind.CLOSE, messages.build_close(Target(b"S", NAME)))]
        sent: list[tuple[Kind, bytes]] = []
        for want in self.wanted:
            values: list[bytes | None] = [_array(self._names)] if want is Wanted.STATEMENTS else []
            text = want.value.encode("ascii") if self.unnamed else once(want.value)
            sent += (
                *close,
                (Kind.PARSE, messages.build_parse(Parse(name, text, ()))),
                (Kind.BIND, messages.build_bind(Bind(NAME, name, (), values, ()))),
                (Kind.EXECUTE, messages.build_execute(NAME)),
                (Kind.CLOSE, messages.build_close(Target(b"P", NAME))),
                *close,
            )
        if self.own_sync:
            sent.append((Kind.SYNC, messages.SYNC))
        return sent

    def answered(self, raw: bytes, *, ends: bool) -> None:
        """An answer other than an error; `ends`: the last one of its message."""
        if raw[:1] == b"D":
            row = messages.parse_data_row(raw)
            if len(row) != 1 or row[0] is None:
                raise unexpected_answer()
            self.values.append(row[0])
        if ends:
            self._open -= 1
            self.finished = self._open == 0

    def failed(self, raw: bytes) -> None:
        """The server's ErrorResponse. With an own Sync, the ReadyForQuery is still to come."""
        self.error = raw
        self._open = 1
        self.finished = not self.own_sync

    def dropped(self) -> None:
        """Skipped by the server, because something before it failed."""
        self.finished = not self.own_sync


def _array(names: frozenset[bytes]) -> bytes | None:
    """The text form of an array of names."""
    quoted = (b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"' for name in names)
    return b"{" + b",".join(quoted) + b"}"
