"""The two databases of one oracle run, filled: used by the tests and by the report."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.oracle import chinook, loading, shop_rows
from tests.oracle.corpus import Theme
from tests.oracle.runner import Finding, Pair, findings_of
from tests.support import stack
from tests.support.oracle import Wire
from tests.support.servers import Server, fresh_database
from tests.support.tap import Canary

OVERLAP = 4096
"""Bytes of the last search that the next one sees again: more than any canary's longest spelling."""


@dataclass(slots=True)
class Rig:
    """A loaded pair of databases and the tap between proxy and server."""

    server: Server
    pair: Pair
    stack: stack.Stack
    canaries: Sequence[Canary]
    searched: int = 0
    tail: bytes = b""

    def run(self, theme: Theme) -> list[Finding]:
        return list(self.each(theme))

    def each(self, theme: Theme) -> Iterator[Finding]:
        return findings_of(theme, self.pair, self.server.version)

    def leaks(self) -> list[str]:
        """Canaries in what went upstream since the last call."""
        chunks = self.stack.tap.sent[self.searched :]
        self.searched += len(chunks)
        haystack = self.tail + b"".join(chunks)
        self.tail = haystack[-OVERLAP:]
        return [f"{c.text!r} as {form}" for c in self.canaries for form in c.found_in(haystack)]


@contextlib.contextmanager
def filled(
    server: Server, policy: str, load: Callable[[Wire], None], canaries: Callable[[Wire], Sequence[Canary]]
) -> Iterator[Rig]:
    """Two fresh databases on `server`, the second behind the proxy, both filled by `load`."""
    with (
        fresh_database(server) as plain,
        fresh_database(server) as sealed,
        stack.running(sealed, policy) as running,
    ):
        pair = Pair(plain.dsn, f"{running.dsn}?sslmode=disable", sealed.dsn)
        try:
            load(pair.plain)
            load(pair.sealed)
            yield Rig(server, pair, running, canaries(pair.plain))
        finally:
            pair.close()


def shop(server: Server) -> contextlib.AbstractContextManager[Rig]:
    return filled(server, loading.shop_policy(), loading.load_shop, lambda _: shop_rows.CANARIES)


def chinook_rig(server: Server) -> contextlib.AbstractContextManager[Rig]:
    place = chinook.directory()
    assert place is not None
    return filled(server, chinook.policy(place), lambda wire: chinook.load(wire, place), chinook.canaries)
