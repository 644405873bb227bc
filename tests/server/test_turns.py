"""Large reads are delivered in slices, and between two slices all others have a turn. What is counted is not time."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from proxy.server import turns
from proxy.server.turns import Pace, Turns
from tests.server.fakes import START, PlainSession, client, running

EXPORT = 8 * 1024 * 1024
SECONDS_PER_BYTE = 1e-7
"""What a byte costs in the tests that have a clock of their own: a slice is to take 1 ms."""


class Ticks:
    """Counts the turns of the loop."""

    def __init__(self) -> None:
        self.now = 0
        self._loop = asyncio.get_running_loop()
        self._handle = self._loop.call_soon(self._tick)

    def _tick(self) -> None:
        self.now += 1
        self._handle = self._loop.call_soon(self._tick)

    def stop(self) -> None:
        self._handle.cancel()


class Work:
    """A clock that goes on by the bytes that sessions are given; which of them, and in which turn of the loop."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.ticks: Ticks | None = None
        self.pieces: list[tuple[int, int]] = []
        """Turn of the loop, bytes."""

    def clock(self) -> float:
        return self.seconds

    def do(self, data: bytes) -> None:
        self.seconds += len(data) * SECONDS_PER_BYTE
        if self.ticks is not None:
            self.pieces.append((self.ticks.now, len(data)))


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    made = Work()
    monkeypatch.setattr(turns, "clock", made.clock)
    return made


def session_of(work: Work) -> type[PlainSession]:
    class Works(PlainSession):
        def server_data(self, data: bytes) -> None:
            work.do(data)
            super().server_data(data)

        def client_data(self, data: bytes) -> None:
            work.do(data)
            super().client_data(data)

    return Works


async def export(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends EXPORT bytes for each byte `x`, and itself for any other."""
    await reader.readexactly(len(START))
    while asked := await reader.read(1):
        writer.write(os.urandom(1024) * (EXPORT // 1024) if asked == b"x" else asked)
        await writer.drain()


@pytest.mark.parametrize("exports", [1, 3])
async def test_a_turn_of_the_loop_does_one_slice_of_work(config_file: Path, work: Work, exports: int) -> None:
    async with AsyncExitStack() as stack:
        edge, _ = await stack.enter_async_context(running(config_file, export, session=session_of(work)))
        clients = [await stack.enter_async_context(client(edge)) for _ in range(exports)]
        work.ticks = Ticks()
        for _, writer in clients:
            writer.write(b"x")
        await asyncio.gather(*(reader.readexactly(EXPORT) for reader, _ in clients))
        work.ticks.stop()
    assert sum(size for _, size in work.pieces) == exports * (EXPORT + 1)
    in_turn: Counter[int] = Counter()
    for turn, size in work.pieces:
        if size > turns.SMALL:
            in_turn[turn] += size
    aimed = turns.AIM / SECONDS_PER_BYTE
    # The first slice of each is of a size that was guessed; those after it cost what a slice should.
    assert len(in_turn) > EXPORT // aimed
    assert sum(size > aimed for size in in_turn.values()) <= exports
    assert max(in_turn.values()) <= max(turns.FIRST, aimed)


async def test_a_small_question_is_answered_within_a_few_slices_of_the_exports(config_file: Path, work: Work) -> None:
    async with AsyncExitStack() as stack:
        edge, _ = await stack.enter_async_context(running(config_file, export, session=session_of(work)))
        clients = [await stack.enter_async_context(client(edge)) for _ in range(3)]
        asking, asked = await stack.enter_async_context(client(edge))
        asked.write(b"?")
        assert await asking.readexactly(1) == b"?"
        for _, writer in clients:
            writer.write(b"x")
        reads = [asyncio.ensure_future(reader.readexactly(EXPORT)) for reader, _ in clients]
        waits = []
        work.ticks = Ticks()
        while not any(read.done() for read in reads):
            before, turn = work.seconds, work.ticks.now
            asked.write(b"?")
            assert await asking.readexactly(1) == b"?"
            waits.append((work.seconds - before) / max(1, work.ticks.now - turn))
        work.ticks.stop()
        await asyncio.gather(*reads)
    assert len(waits) > 10
    # By its way through client, proxy and server the question takes some turns; each of them is one slice.
    assert sorted(waits)[len(waits) // 2] <= 1.1 * turns.AIM


async def test_the_end_comes_behind_what_was_said_before(config_file: Path, work: Work) -> None:
    said = os.urandom(1024) * 1024

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(START))
        writer.write(said)

    async with running(config_file, script, session=session_of(work)) as (edge, _), client(edge) as (reader, _):
        assert await reader.read() == said + b"server lost"


def test_the_pace_follows_what_a_slice_costs() -> None:
    pace = Pace()
    assert pace.size == turns.FIRST
    pace.spent(turns.FIRST, 8 * turns.AIM)
    assert pace.size == turns.FIRST // 8
    pace.spent(turns.FIRST, 1000 * turns.AIM)
    assert pace.size == turns.LEAST
    for _ in range(20):
        pace.spent(pace.size, 0)
    assert pace.size == turns.MOST
    pace.spent(1024, 0.9 * turns.AIM)
    assert pace.size == turns.MOST, "a small piece says nothing about a large one"


async def test_those_who_wait_take_turns() -> None:
    loop = asyncio.get_running_loop()
    queue, done, ticks = Turns(loop), list[tuple[str, int]](), Ticks()

    class Waits:
        def __init__(self, name: str, slices: int) -> None:
            self.name, self.slices = name, slices

        def take_turn(self) -> bool:
            self.slices -= 1
            done.append((self.name, ticks.now))
            return self.slices > 0

    for name, slices in (("a", 3), ("b", 1), ("c", 2)):
        waits = Waits(name, slices)
        queue.join(waits)
        queue.join(waits)
    while len(done) < 6:
        await asyncio.sleep(0)
    ticks.stop()
    assert "".join(name for name, _ in done) == "abcaca"
    assert len({tick for _, tick in done}) == 6, "one slice for each turn of the loop"
