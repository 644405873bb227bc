"""PostgreSQL, a proxy whose policy is empty and one whose policy seals columns, for many conversations."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from tests.differential import compare
from tests.differential.compare import Address, Trace, Verdict
from tests.differential.grammar import conversation
from tests.differential.shrink import shrunk
from tests.differential.statements import POLICY, RESET, SCHEMA
from tests.differential.words import Conversation, written
from tests.support import servers
from tests.support.servers import Server
from tests.support.stack import Stack, running

_IMPATIENCE: Final = 2.0
"""Seconds for the next message, where a conversation is shortened."""


@dataclass(frozen=True, slots=True)
class Side:
    """Where conversations are played, and a connection that puts the rows back."""

    address: Address
    keeper: psycopg.Connection[Any]
    sealed: bool = False

    def play(self, talk: Conversation, patience: float = compare.PATIENCE) -> Trace:
        self.keeper.execute(RESET)
        return compare.play(self.address, talk, patience)


@dataclass(frozen=True, slots=True)
class Difference:
    """`script` is the shortest conversation found that shows it, as steps of a golden script."""

    seed: int
    what: str
    script: str


@dataclass(frozen=True, slots=True)
class Arena:
    """`through` are the proxies; `direct` is what they are held against."""

    direct: Side
    through: tuple[Side, ...]
    version: int

    def run(self, seed: int) -> tuple[Difference | None, bool]:
        """The difference that the conversation of this number shows, if any, and whether a proxy has refused."""
        return self.compared(conversation(seed), seed)

    def compared(self, talk: Conversation, seed: int = 0) -> tuple[Difference | None, bool]:
        """As `run`, for a conversation written by hand."""
        golden = self.direct.play(talk)
        refused = False
        for side in self.through:
            verdict, what = compare.judge(golden, side.play(talk), sealed=side.sealed, version=self.version)
            refused = refused or verdict is Verdict.REFUSED
            if verdict is Verdict.DIFFERENT:
                return self._shortened(seed, talk, side, what), refused
        return None, refused

    def _shortened(self, seed: int, talk: Conversation, side: Side, what: str) -> Difference:
        def difference(one: Conversation) -> str:
            golden = self.direct.play(one, _IMPATIENCE)
            if compare.is_silent(golden):
                return ""  # it waits for what was left out
            verdict, found = compare.judge(
                golden, side.play(one, _IMPATIENCE), sealed=side.sealed, version=self.version
            )
            return found if verdict is Verdict.DIFFERENT else ""

        short = shrunk(talk, lambda one: bool(difference(one)))
        name = "with the policy" if side.sealed else "with an empty policy"
        return Difference(seed, f"{name}, {difference(short) or what}", written(short, self.direct.play(short)))


@contextlib.contextmanager
def arena(server: Server) -> Iterator[Arena]:
    with contextlib.ExitStack() as exits:
        enter = exits.enter_context
        plain, sealed = enter(servers.fresh_database(server)), enter(servers.fresh_database(server))
        empty, policy = enter(running(plain, "")), enter(running(sealed, POLICY))
        keeper = enter(plain.connect())
        keeper.execute(SCHEMA)
        own = Side(Address(plain.host, plain.port, server.user, plain.dbname), keeper)
        over = Side(_through(empty), keeper)
        sealing = Side(_through(policy), enter(policy.connect()), sealed=True)
        sealing.keeper.execute(SCHEMA)
        yield Arena(own, (over, sealing), server.version)


def _through(stack: Stack) -> Address:
    return Address(stack.host, stack.port, stack.database.server.user, stack.database.dbname)
