"""Names of prepared statements and portals: what the server has, and what it has been asked to have.

State changes when the server acknowledges. Between asking and acknowledging a change is *pending*. Within the batch
(the messages up to a Sync) that asked for it, a pending change may be relied on: if it fails, the server skips the rest
of that batch as well. A later batch may not rely on it, so looking such a name up gives `UNSETTLED`, and the caller
waits.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

V = TypeVar("V")

_NAMEDATALEN: Final = 64


class Unsettled(enum.Enum):
    """The state of a name that an earlier batch changes and the server has not answered for."""

    UNSETTLED = enum.auto()


UNSETTLED: Final = Unsettled.UNSETTLED


class Change(Generic[V]):
    """`name` gets `value`; None takes it away; a name of None takes all names away."""

    __slots__ = ("batch", "name", "names", "number", "value")

    def __init__(self, names: Names[V], name: bytes | None, value: V | None, batch: int) -> None:
        self.names = names
        self.name = name
        self.value = value
        self.batch = batch
        self.number = 0
        """Greater than that of every change asked for before."""

    def settle(self, *, happened: bool) -> None:
        """The server has carried the change out, or will never do so."""
        self.names._settle(self, happened=happened)  # noqa: SLF001  # one thing in two classes


class Names(Generic[V]):
    """One namespace of one session."""

    def __init__(self) -> None:
        self.known: dict[bytes, V] = {}
        """What the server has; to be read only."""
        self._pending: dict[bytes | None, deque[Change[V]]] = {}
        """By name, in the order asked for; no entry is empty. A pipeline may have thousands under way."""
        self._number = 0

    def change(self, name: bytes | None, value: V | None, batch: int) -> Change[V]:
        """Ask for a change. The server compares no more than 63 bytes of a name."""
        change = Change(self, None if name is None else name[: _NAMEDATALEN - 1], value, batch)
        self._number = change.number = self._number + 1
        self._pending.setdefault(change.name, deque()).append(change)
        return change

    def look(self, name: bytes, batch: int) -> V | Unsettled | None:
        """What a message of batch `batch` finds under `name`."""
        name = name[: _NAMEDATALEN - 1]
        own, of_all = self._pending.get(name), self._pending.get(None)
        last = own[-1] if own else None
        if of_all and (last is None or of_all[-1].number > last.number):
            last = of_all[-1]
        if last is None:
            return self.known.get(name)
        return last.value if last.batch == batch else UNSETTLED

    def put(self, name: bytes, value: V) -> None:
        """The server has acknowledged it already."""
        self.known[name] = value

    def named(self) -> frozenset[bytes]:
        """All names that are known or asked for, the unnamed one excepted."""
        return frozenset(filter(None, (*self.known, *self._pending)))

    def retain(self, is_kept: Callable[[V], bool]) -> None:
        """The server has dropped every name but those that are kept; pending changes come after that."""
        if self.known:
            self.known = {name: value for name, value in self.known.items() if is_kept(value)}

    def forget(self, name: bytes) -> None:
        self.known.pop(name[: _NAMEDATALEN - 1], None)

    def _settle(self, change: Change[V], *, happened: bool) -> None:
        pending = self._pending[change.name]
        if pending[0] is change:
            pending.popleft()
        else:
            pending.remove(change)
        if not pending:
            del self._pending[change.name]
        if not happened:
            return
        if change.name is None:
            self.known.clear()
        elif change.value is None:
            self.known.pop(change.name, None)
        else:
            self.known[change.name] = change.value
