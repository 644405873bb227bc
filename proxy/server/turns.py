"""Whose turn it is: what a large read has brought in is delivered in slices, one slice for each turn of the loop.

In every turn the loop looks at all sockets. So a connection with a small question waits for one slice, however many
large results or COPYs are under way, and they share what is left by taking turns.

How long a slice takes depends on what is in it: bytes that pass cost next to nothing, values of an order column on the
Python kernel some 20 µs each. So its size follows the processor time that the last one took.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Final, Protocol
from weakref import WeakKeyDictionary

SMALL: Final = 4 * 1024
"""Bytes of a read below which it is delivered at once, and nobody looks at the clock."""
FIRST: Final = 16 * 1024
LEAST: Final = 1024
MOST: Final = 128 * 1024
"""Bytes of a slice: before anything is known, and the bounds."""
AIM: Final = 0.001
"""Seconds of processor time that a slice should take."""

clock = time.thread_time


class Pace:
    """The size of the next slice, in bytes."""

    def __init__(self) -> None:
        self.size = FIRST

    def spent(self, size: int, seconds: float) -> None:
        """`size` bytes took `seconds`."""
        if seconds > AIM:
            self.size = max(LEAST, min(self.size, int(size * AIM / seconds)))
        elif size >= self.size and 2 * seconds < AIM:
            self.size = min(MOST, 2 * self.size)


class Waiting(Protocol):
    """Who has something to deliver."""

    def take_turn(self) -> bool:
        """Deliver one slice. True: there is more to deliver."""


class Turns:
    """The queue of one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._queue: deque[Waiting] = deque()

    def join(self, waiting: Waiting) -> None:
        """Queue up, once."""
        if waiting not in self._queue:
            self._queue.append(waiting)
            if len(self._queue) == 1:
                self._loop.call_soon(self._next)

    def _next(self) -> None:
        waiting = self._queue[0]
        try:
            more = waiting.take_turn()
        finally:
            self._queue.popleft()
            if self._queue:
                self._loop.call_soon(self._next)
        if more:
            self.join(waiting)


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, Turns] = WeakKeyDictionary()


def turns() -> Turns:
    """Those of the running loop."""
    loop = asyncio.get_running_loop()
    found = _turns.get(loop)
    if found is None:
        found = _turns[loop] = Turns(loop)
    return found
