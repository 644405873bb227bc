"""One side of a connection: a transport that is read only when asked, and that tells when it is full.

Before a relay is attached the leg is read with `receive()`, one piece at a time; afterwards it calls back. Either way
it never holds more than what one read brought in. What a large read brought in is delivered in slices, by turns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, Protocol, cast

from proxy.server import turns
from proxy.server.turns import SMALL, Pace

WRITE_HIGH_WATER: Final = 256 * 1024
"""Bytes queued for one peer above which the other is not read. Also about what one read brings in on uvloop."""

Swift = Callable[[bytes], bytes | None]


class LegOwner(Protocol):
    """What a relay wants to be told about one of its legs."""

    def leg_data(self, leg: Leg, data: bytes) -> None: ...
    def leg_eof(self, leg: Leg) -> None: ...
    def leg_lost(self, leg: Leg) -> None: ...
    def leg_flow(self, leg: Leg) -> None:
        """`leg.full` has changed."""

    def leg_failed(self, error: Exception) -> None:
        """The short way has raised."""


class Leg(asyncio.Protocol):
    """The asyncio protocol of one side. `lost` is done when its transport is closed."""

    def __init__(self) -> None:
        self.full = False
        self.eof = False
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._owner: LegOwner | None = None
        self._swift: Swift | None = None
        self._peer: Leg | None = None
        self._reading = True
        self._backlog = b""  # of a large read, which is not read on from until it is delivered
        self._delivered = 0  # bytes of the backlog
        self._pace = Pace()
        self._turns = turns.turns()
        self._write_ended = False
        self._received = bytearray()
        self._waiter: asyncio.Future[None] | None = None

    @property
    def transport(self) -> asyncio.Transport:
        if self._transport is None:
            raise RuntimeError("the leg is not connected")
        return self._transport

    @property
    def queued(self) -> int:
        """Bytes written and not yet taken by the peer's kernel."""
        return 0 if self.lost.done() else self.transport.get_write_buffer_size()

    @property
    def undelivered(self) -> int:
        """Bytes read and not yet delivered."""
        return len(self._backlog) - self._delivered

    # -- used by the relay ---------------------------------------------------------------------------------------------

    async def receive(self) -> bytes:
        """The next bytes, at least one, or b"" when the peer has ended. Only before `attach`."""
        if not self._received and not self.eof:
            self._waiter = asyncio.get_running_loop().create_future()
            self.set_reading(True)
            await self._waiter
        data = bytes(self._received)
        self._received.clear()
        return data

    def attach(self, owner: LegOwner) -> None:
        """From here on `owner` is told. What was received before is delivered first."""
        self._owner = owner
        if self._received:
            data = bytes(self._received)
            self._received.clear()
            owner.leg_data(self, data)
        if self.eof:
            owner.leg_eof(self)
        if self.lost.done():
            owner.leg_lost(self)

    def shorten(self, swift: Swift | None, peer: Leg) -> None:
        """Until this is called again: what `swift` makes of what is read is written to `peer`, unless it is None; then,
        and where there is no `swift`, the owner gets what is read."""
        self._swift, self._peer = swift, peer

    def set_reading(self, wanted: bool) -> None:
        """Start or stop reading. Idempotent; nothing is lost, the peer's kernel waits."""
        if wanted == self._reading or self.lost.done() or self.transport.is_closing():
            return
        self._reading = wanted
        if self._backlog:
            if wanted:
                self._turns.join(self)
        elif wanted:
            self.transport.resume_reading()
        else:
            self.transport.pause_reading()

    def write(self, pieces: Iterable[bytes]) -> None:
        """Queue; what is written to a closed leg, or behind its end, goes nowhere."""
        if not (self._write_ended or self.transport.is_closing()):
            self.transport.writelines(pieces)

    def write_one(self, piece: bytes) -> None:
        """`write` for a single piece, without the list."""
        transport = self._transport
        if transport is not None and not (self._write_ended or transport.is_closing()):
            transport.write(piece)

    def write_eof(self) -> bool:
        """End the writing direction and keep reading. False: this transport (TLS) cannot, nothing was done."""
        if self.transport.is_closing() or not self.transport.can_write_eof():
            return False
        self._write_ended = True
        self.transport.write_eof()
        return True

    def close(self) -> None:
        """Send what is queued, then close."""
        self.transport.close()

    def abort(self) -> None:
        """Close at once; what is queued is dropped."""
        self.transport.abort()

    # -- called by the loop --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_HIGH_WATER)

    def data_received(self, data: bytes) -> None:
        if self._owner is None:
            self._received += data
            self.set_reading(False)
            self._wake()
        elif len(data) <= SMALL and not self._backlog:
            self._hand_over(self._owner, data)
        elif len(data) <= self._pace.size and not self._backlog:
            self._deliver(self._owner, data)
        else:
            if self._reading and not self._backlog and not self.transport.is_closing():
                self.transport.pause_reading()
            self._backlog += data
            if self._reading:
                self._turns.join(self)

    def take_turn(self) -> bool:
        """Deliver a slice of the backlog, and read on behind the last one. True: there is more, and it is wanted."""
        if not (self._backlog and self._reading and self._owner is not None):
            return False
        start, self._delivered = self._delivered, self._delivered + self._pace.size
        piece = self._backlog[start : self._delivered]
        if self._delivered < len(self._backlog):
            self._deliver(self._owner, piece)
        else:
            self._backlog, self._delivered = b"", 0
            self._deliver(self._owner, piece)
            if self._reading and not self.lost.done() and not self.transport.is_closing():
                self.transport.resume_reading()
        return bool(self._backlog) and self._reading

    def _hand_over(self, owner: LegOwner, data: bytes) -> None:
        """To the peer by the short way, where there is one and it is for these bytes; else to the owner."""
        swift, peer = self._swift, self._peer
        if swift is None or peer is None:
            owner.leg_data(self, data)
            return
        try:
            piece = swift(data)
        except Exception as error:
            owner.leg_failed(error)
            return
        if piece is None:
            owner.leg_data(self, data)
        else:
            peer.write_one(piece)

    def _deliver(self, owner: LegOwner, data: bytes) -> None:
        begun = turns.clock()
        self._hand_over(owner, data)
        self._pace.spent(len(data), turns.clock() - begun)

    def _deliver_all(self) -> None:
        """The peer has ended, and what it has said comes before that."""
        rest, self._backlog, self._delivered = self._backlog[self._delivered :], b"", 0
        if rest and self._owner is not None:
            self._hand_over(self._owner, rest)

    def eof_received(self) -> bool:
        self.eof = True
        self._wake()
        self._deliver_all()
        if self._owner is not None:
            self._owner.leg_eof(self)
        return self._transport is not None and self._transport.can_write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        self.eof = True
        self._wake()
        self._deliver_all()
        if not self.lost.done():
            self.lost.set_result(None)
        if self._owner is not None:
            self._owner.leg_lost(self)

    def pause_writing(self) -> None:
        self._set_full(True)

    def resume_writing(self) -> None:
        self._set_full(False)

    def _set_full(self, full: bool) -> None:
        self.full = full
        if self._owner is not None:
            self._owner.leg_flow(self)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
