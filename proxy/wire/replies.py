"""The reply queue: which of the messages sent does the server's next message answer?

The theory, once ("Message Flow" in the manual):

- The server answers in the order in which it was asked. Each forwarded message that has an answer gets one entry.

      Parse                1                        Describe statement   t, then T or n
      Bind                 2                        Describe portal      T or n
      Close                3                        Execute              D* then C, I or s; or a COPY, then C
      Sync                 Z                        Query                anything, and at its end Z
      FunctionCall         V, and at its end Z      Flush, Terminate, CopyData: no entry
      a replication command, which is sent as Query: anything, CopyBothResponse too, and at its end Z

- ErrorResponse to a message of the extended protocol ends that message; the server then ignores what it reads until a
  Sync, so the entries up to the next Sync, it not included, will never be answered: they are dropped. Where that Sync
  has not been sent yet, `skipping` is set until it is. Inside Query, FunctionCall and Sync itself (a commit may fail
  there) an error drops nothing: ReadyForQuery follows in any case.
- NoticeResponse, ParameterStatus and NotificationResponse may come at any moment, and are not answers.
- COPY FROM STDIN swallows every Sync until CopyDone or CopyFail. So whoever sends must not send a Sync behind a COPY
  before it knows whether copying began; the queue takes that as given. A Sync amid the rows gets no entry. Should the
  COPY have failed before the server came to it, it is answered after all; how many are, is not known. So when the
  error comes, an entry "strays" is made for them, and a Sync and a Close are sent behind them: Z* of theirs, Z, 3.

A server message that fits no entry is a violation.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import Final, Generic, TypeVar

from proxy.errors import ProtocolViolation

T = TypeVar("T")


class Kind(enum.Enum):
    """What was sent."""

    PARSE = enum.auto()
    BIND = enum.auto()
    DESCRIBE_STATEMENT = enum.auto()
    DESCRIBE_PORTAL = enum.auto()
    EXECUTE = enum.auto()
    CLOSE = enum.auto()
    SYNC = enum.auto()
    QUERY = enum.auto()
    FUNCTION_CALL = enum.auto()
    REPLICATION = enum.auto()
    """A Query that holds a replication command."""
    STRAYS = enum.auto()
    """Syncs amid the rows of a COPY that has failed, with a Sync and a Close behind them."""


ENDED_BY_READY: Final = frozenset((Kind.SYNC, Kind.QUERY, Kind.FUNCTION_CALL, Kind.REPLICATION, Kind.STRAYS))
"""What ReadyForQuery answers."""


_MORE: Final[dict[Kind, frozenset[int]]] = {
    Kind.PARSE: frozenset(),
    Kind.BIND: frozenset(),
    Kind.DESCRIBE_STATEMENT: frozenset(b"t"),
    Kind.DESCRIBE_PORTAL: frozenset(),
    Kind.EXECUTE: frozenset(b"DGHdc"),
    Kind.CLOSE: frozenset(),
    Kind.SYNC: frozenset(b"E"),
    Kind.QUERY: frozenset(b"TDCIGHdcE"),
    Kind.FUNCTION_CALL: frozenset(b"VE"),
    Kind.REPLICATION: frozenset(b"TDCGHWdcE"),
    Kind.STRAYS: frozenset(b"Z"),
}
_LAST: Final[dict[Kind, frozenset[int]]] = {
    Kind.PARSE: frozenset(b"1"),
    Kind.BIND: frozenset(b"2"),
    Kind.DESCRIBE_STATEMENT: frozenset(b"Tn"),
    Kind.DESCRIBE_PORTAL: frozenset(b"Tn"),
    Kind.EXECUTE: frozenset(b"CIs"),
    Kind.CLOSE: frozenset(b"3"),
    Kind.SYNC: frozenset(b"Z"),
    Kind.QUERY: frozenset(b"Z"),
    Kind.FUNCTION_CALL: frozenset(b"Z"),
    Kind.REPLICATION: frozenset(b"Z"),
    Kind.STRAYS: frozenset(b"3"),
}
_ERROR: Final = ord("E")


class Replies(Generic[T]):
    """Entries (kind, context) in the order sent; `context` is the caller's own."""

    def __init__(self) -> None:
        self._entries: deque[tuple[Kind, T]] = deque()
        self.skipping = False
        """The server has failed and ignores everything until a Sync that has not been sent yet."""

    def __bool__(self) -> bool:
        return bool(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def head(self) -> tuple[Kind, T] | None:
        """What the next answer belongs to."""
        return self._entries[0] if self._entries else None

    @property
    def awaits_ready(self) -> bool:
        """Something that ReadyForQuery answers has been sent: whatever is at the head, its batch is complete."""
        return any(kind in ENDED_BY_READY for kind, _ in self._entries)

    def push(self, kind: Kind, context: T) -> None:
        """A message was sent. While skipping only Sync is sent: all else would be ignored by the server."""
        if self.skipping:
            if kind not in (Kind.SYNC, Kind.STRAYS):
                raise RuntimeError("only Sync is answered now")
            self.skipping = False
        self._entries.append((kind, context))

    def answer(self, reply: int) -> tuple[Kind, T, bool]:
        """The server sent a message of type `reply`: the entry that it belongs to, and whether it ends that entry.

        An ErrorResponse that ends an entry is to be followed by `drop_to_sync`. Raises ProtocolViolation.
        """
        if not self._entries:
            raise ProtocolViolation(f"unexpected server message {chr(reply)!r}")
        kind, context = self._entries[0]
        if reply in _LAST[kind] or (reply == _ERROR and reply not in _MORE[kind]):
            self._entries.popleft()
            return kind, context, True
        if reply in _MORE[kind]:
            return kind, context, False
        raise ProtocolViolation(f"unexpected server message {chr(reply)!r} in reply to {kind.name}")

    def drop_to_sync(self) -> list[T]:
        """After an error in the extended protocol: the contexts that will never be answered, in order."""
        dropped: list[T] = []
        while self._entries:
            kind, context = self._entries[0]
            if kind is Kind.SYNC:
                return dropped
            dropped.append(context)
            self._entries.popleft()
        self.skipping = True
        return dropped
