"""Between two sockets and one Session: bytes in, bytes out, and nobody gets more than he can take.

Back-pressure, both ways, with bounded buffers only:

    the client is not read while    the server's leg is full, or the session waits for the server (wants_client False)
    the server is not read while    the client's leg is full

What a read had already brought in when the session stopped wanting it is held here, one read's worth, and delivered
when it wants it again. Each wake-up ends in at most one `writelines` per leg.

Ends: a session that is `closing` is flushed and both legs are closed. A client that only ends its writing direction
still gets its answers. No Terminate is ever made up for a client that vanished: it may have died inside a message,
whose missing bytes the Terminate would then become. The server sees the connection end, as without a proxy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from proxy.server.leg import Leg, Swift
from proxy.server.logs import frames_of

LINGER: Final = 10.0
"""Seconds that a closing connection may take to flush."""


class RelaySession(Protocol):
    """What a relay needs of `proxy.session.session.Session`."""

    @property
    def wants_client(self) -> bool: ...
    @property
    def closing(self) -> bool: ...
    @property
    def idle(self) -> bool: ...
    @property
    def swift_client(self) -> Swift | None: ...
    @property
    def swift_server(self) -> Swift | None: ...
    def client_data(self, data: bytes) -> None: ...
    def server_data(self, data: bytes) -> None: ...
    def take_to_client(self) -> list[bytes]: ...
    def take_to_server(self) -> list[bytes]: ...
    def shutdown(self) -> None: ...
    def server_lost(self) -> None: ...


class Relay:
    """Runs one session until both legs are closed."""

    def __init__(
        self, client: Leg, server: Leg, session: RelaySession, log: structlog.typing.FilteringBoundLogger
    ) -> None:
        self._client = client
        self._server = server
        self._session = session
        self._log = log
        self._held: list[bytes] = []
        self._client_ended = False
        self._server_told = False
        self._draining = False
        self.ending = False
        """True once both legs are on their way to being closed."""

    @property
    def buffered(self) -> int:
        """Bytes that the relay and its transports hold at this moment."""
        legs = self._client, self._server
        return sum(leg.queued + leg.undelivered for leg in legs) + sum(map(len, self._held))

    async def run(self, startup_packet: bytes, first: bytes) -> None:
        """Send the StartupMessage, then relay to the end. `first`: what the client sent behind it."""
        self._server.write([startup_packet])
        if first:
            self._held.append(first)
        self._server.attach(self)
        self._client.attach(self)
        self._step(None)
        try:
            await asyncio.wait((self._client.lost, self._server.lost))
        finally:
            self.abort()

    def drain(self) -> None:
        """End the session as soon as it is between transactions."""
        self._draining = True
        self._step(None)

    def abort(self) -> None:
        """Close both legs at once."""
        self.ending = True
        self._shorten()
        self._client.abort()
        self._server.abort()

    # -- LegOwner ------------------------------------------------------------------------------------------------------

    def leg_data(self, leg: Leg, data: bytes) -> None:
        if self.ending:
            return
        session = self._session
        try:
            if leg is self._server:
                session.server_data(data)
                self._pump()
            elif self._held or not session.wants_client:
                self._held.append(data)
                self._regulate()
            else:
                session.client_data(data)
                self._pump()
        except Exception as error:
            self._give_up(error)

    def leg_failed(self, error: Exception) -> None:
        self._give_up(error)

    def leg_eof(self, leg: Leg) -> None:
        if leg is self._client:
            self._client_ended = True
            self._step(None)
        elif not self.ending:
            self._lose_server()
        else:
            leg.close()

    def leg_lost(self, leg: Leg) -> None:
        if leg is self._client:
            self._client_ended = True
            self._step(None)
        elif not self.ending:
            self._lose_server()

    def leg_flow(self, leg: Leg) -> None:
        if not self.ending:
            self._regulate()

    # -- the work ------------------------------------------------------------------------------------------------------

    def _step(self, action: Callable[[], None] | None) -> None:
        """Let the session act, then move everything that can move."""
        if self.ending:
            return
        try:
            if action is not None:
                action()
            self._pump()
        except Exception as error:
            self._give_up(error)

    def _pump(self) -> None:
        session = self._session
        while True:
            self._flush()
            if session.closing:
                self._end()
                return
            if self._held and session.wants_client:
                data = b"".join(self._held)
                self._held.clear()
                session.client_data(data)
            elif self._draining and session.idle and not self._held:
                self._draining = False
                session.shutdown()
            else:
                break
        if self._client_ended and not self._held and session.wants_client:
            self._pass_on_end()
        if not self.ending:
            self._regulate()

    def _flush(self) -> None:
        if pieces := self._session.take_to_server():
            self._server.write(pieces)
        if pieces := self._session.take_to_client():
            self._client.write(pieces)

    def _regulate(self) -> None:
        self._client.set_reading(self._session.wants_client and not self._held and not self._server.full)
        self._server.set_reading(not self._client.full)
        self._shorten()

    def _shorten(self) -> None:
        """The legs by themselves, while nothing has to be looked at between what comes in and what goes out."""
        session, is_steady = self._session, not (self.ending or self._draining or self._client_ended or self._held)
        self._client.shorten(session.swift_client if is_steady else None, self._server)
        self._server.shorten(session.swift_server if is_steady else None, self._client)

    def _pass_on_end(self) -> None:
        """All that the client said has been said to the server; now the client's silence is."""
        if self._client.lost.done():
            self._end()
        elif not self._server_told:
            self._server_told = self._server.write_eof()
            if not self._server_told and self._session.idle:
                self._end()

    def _lose_server(self) -> None:
        def tell() -> None:
            self._session.server_lost()
            self._flush()

        # A server that was told of the client's end, and has answered everything, closes without a word.
        if not (self._server_told and self._session.idle):
            self._step(tell)
        self._end()

    def _end(self) -> None:
        """Flush and close both legs. The server is let finish what it was sent, and shows it by closing."""
        if self.ending:
            return
        self.ending = True
        self._shorten()
        self._client.close()
        self._server.set_reading(True)
        if self._server.eof or not (self._server_told or self._server.write_eof()):
            self._server.close()
        timer = asyncio.get_running_loop().call_later(LINGER, self.abort)
        self._server.lost.add_done_callback(lambda _: self._client.lost.add_done_callback(lambda _: timer.cancel()))

    def _give_up(self, error: Exception) -> None:
        """The session raised, which it never should: nothing that it has queued can be trusted. Both legs are cut, and
        nothing is sent to the client, who may be in the middle of a message."""
        self._log.error("internal error, connection cut", error=type(error).__name__, frames=frames_of(error))
        self.abort()
