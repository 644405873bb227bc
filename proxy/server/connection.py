"""One client connection from accept to close: start-up, TLS, the server's side, then the relay."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from proxy.config import Config
from proxy.crypto.scram import Verifier
from proxy.server import tls, upstream
from proxy.server.leg import Leg
from proxy.server.logs import frames_of
from proxy.server.relay import Relay, RelaySession
from proxy.server.verifiers import CannotLookUp, Verifiers
from proxy.session import startup
from proxy.session.passthrough import Terms
from proxy.session.startup import (
    ALPN_PROTOCOL,
    Answer,
    Cancel,
    Failed,
    Lowered,
    NeedTls,
    Start,
    StartUp,
    fatal_response,
)

STARTUP_TIMEOUT: Final = 60.0
"""Seconds for start-up including TLS, as PostgreSQL's authentication_timeout; later the server's own limit holds."""
_READ_SIZE: Final = 16 * 1024


class OpenSession(Protocol):
    """Makes the session of one connection; `Session` bound to its `Shared`."""

    def __call__(
        self,
        *,
        database: str,
        user: str,
        parameters: Mapping[str, str],
        scram: Terms | None,
        lowered: Lowered | None,
    ) -> RelaySession: ...


@dataclass(frozen=True, slots=True)
class Environment:
    """What a connection needs of the proxy, as it is when the connection begins."""

    config: Config
    client_tls: ssl.SSLContext | None
    upstream_tls: ssl.SSLContext | None
    open_session: OpenSession
    client_binding: bytes | None = None
    """tls-server-end-point of the certificate that clients see."""
    verifiers: Verifiers | None = None
    """Where SCRAM verifiers are looked up; None: authentication is relayed."""


class _Ended(Exception):
    """The connection is over before there is anything to relay; all has been said."""


class Connection:
    """Serves one accepted socket and closes it."""

    def __init__(self, environment: Environment, sock: socket.socket) -> None:
        self._environment = environment
        self._sock = sock
        self._leg: Leg | None = None
        self._trailing = b""
        self._encrypted = False
        self._relay: Relay | None = None
        self._task: asyncio.Task[None] | None = None
        self._log: structlog.typing.FilteringBoundLogger = structlog.get_logger().bind(peer=_peer_name(sock))

    @property
    def relay(self) -> Relay | None:
        return self._relay

    @property
    def ending(self) -> bool:
        return self._relay is not None and self._relay.ending

    def start(self, done: Callable[[Connection], None]) -> asyncio.Task[None]:
        """Begin; `done` is called when the connection is closed."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(lambda _: done(self))
        return self._task

    def drain(self) -> None:
        """End as soon as no transaction is under way: a session through its relay, a start at once."""
        if self._relay is not None:
            self._relay.drain()
        else:
            self.abort()

    def abort(self) -> None:
        """Close at once."""
        if self._relay is not None:
            self._relay.abort()
        elif self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            await self._serve()
        except _Ended:
            pass
        except asyncio.CancelledError:
            if self._leg is not None:
                self._leg.abort()
        except (OSError, TimeoutError) as error:
            self._log.info("connection failed before it began", error=type(error).__name__)
        except Exception as error:
            self._log.error("internal error, connection cut", error=type(error).__name__, frames=frames_of(error))
        finally:
            if self._leg is not None:
                self._leg.close()
            else:
                self._sock.close()

    async def _serve(self) -> None:
        async with asyncio.timeout(STARTUP_TIMEOUT):
            event = await self._start_up()
        if isinstance(event, Cancel):
            await self._cancel(event)
            return
        began = time.monotonic()
        log = self._log = self._log.bind(database=event.database, user=event.user)
        verifier = await self._look_up(event.user)
        server = await self._connect_upstream()
        try:
            client = await self._client_leg()
            session = self._environment.open_session(
                database=event.database,
                user=event.user,
                parameters=event.parameters,
                scram=self._terms(verifier, server),
                lowered=event.lowered,
            )
        except BaseException:
            server.abort()
            raise
        self._relay = Relay(client, server, session, log)
        log.info("connection opened", tls=self._encrypted)
        try:
            await self._relay.run(event.packet, self._trailing)
        finally:
            log.info("connection closed", seconds=round(time.monotonic() - began, 3))

    # -- start-up ------------------------------------------------------------------------------------------------------

    async def _start_up(self) -> Start | Cancel:
        context = self._environment.client_tls
        direct = startup.is_direct_tls(await self._peek())
        if direct:
            await self._direct_tls(context)
        machine = StartUp(
            offer_tls=context is not None,
            require_tls=context is not None and self._environment.config.listen.tls == "require",
            encrypted=direct,
        )
        while True:
            data = await self._look()
            if not data:
                raise _Ended
            events = machine.receive(data)
            self._take(len(data) - machine.unread)
            for event in events:
                match event:
                    case Answer(answer):
                        await self._send(answer)
                    case NeedTls():
                        await self._send(b"S")
                        await self._client_leg(context)
                        machine.tls_started()
                    case Failed(packet, sqlstate, message):
                        self._log.info("connection refused", sqlstate=sqlstate, reason=message)
                        if packet:
                            await self._send(packet)
                        raise _Ended
                    case Start() | Cancel():
                        self._trailing = machine.trailing
                        self._encrypted = machine.encrypted
                        return event

    async def _peek(self) -> bytes:
        """What the client has sent, left where it is: a TLS engine wants the socket untouched. b"" at its end."""
        loop = asyncio.get_running_loop()
        while True:
            with suppress(BlockingIOError):
                return self._sock.recv(_READ_SIZE, socket.MSG_PEEK)
            readable: asyncio.Future[None] = loop.create_future()
            loop.add_reader(self._sock, _settle, readable)
            try:
                await readable
            finally:
                loop.remove_reader(self._sock)

    async def _direct_tls(self, context: ssl.SSLContext | None) -> None:
        """TLS without SSLRequest. As in PostgreSQL 17 it needs ALPN, so that no other protocol's client gets in."""
        if context is None:
            self._log.info("connection refused", reason="direct TLS, but listen.tls is disable")
            raise _Ended
        leg = await self._client_leg(context)
        ssl_object = leg.transport.get_extra_info("ssl_object")
        if ssl_object is None or ssl_object.selected_alpn_protocol() != ALPN_PROTOCOL:
            self._log.info("connection refused", reason="direct TLS without ALPN postgresql")
            raise _Ended

    async def _client_leg(self, context: ssl.SSLContext | None = None) -> Leg:
        """The client's side as a Leg, from the first moment that needs one."""
        if self._leg is None:
            leg = Leg()
            await asyncio.get_running_loop().connect_accepted_socket(lambda: leg, self._sock, ssl=context)
            self._leg = leg
        return self._leg

    async def _look(self) -> bytes:
        """The next bytes; those of a bare socket are taken from it by `_take` only."""
        return await (self._peek() if self._leg is None else self._leg.receive())

    def _take(self, size: int) -> None:
        if self._leg is None:
            while size and (taken := self._sock.recv(size)):
                size -= len(taken)

    async def _send(self, data: bytes) -> None:
        if self._leg is not None:
            self._leg.write([data])
        else:
            await asyncio.get_running_loop().sock_sendall(self._sock, data)

    # -- the server's side ---------------------------------------------------------------------------------------------

    async def _connect_upstream(self) -> Leg:
        try:
            return await upstream.connect(self._environment.config.upstream, self._environment.upstream_tls)
        except upstream.CannotConnect as error:
            self._log.error("cannot reach the PostgreSQL server", sqlstate="08001", reason=str(error))
            # Where the server is, is the operator's knowledge: the client learns only that it did not answer.
            message = "could not connect to the PostgreSQL server behind Sealwire"
            await self._send(fatal_response("08001", message))
            raise _Ended from error

    async def _look_up(self, user: str) -> Verifier | None:
        if self._environment.verifiers is None:
            return None
        try:
            return await self._environment.verifiers.find(user)
        except CannotLookUp as error:
            self._log.error("cannot look up the SCRAM verifier", sqlstate="58000", reason=str(error))
            await self._send(fatal_response("58000", "could not look up how to authenticate the user"))
            raise _Ended from error

    def _terms(self, verifier: Verifier | None, server: Leg) -> Terms | None:
        if self._environment.verifiers is None:
            return None
        client_binding = self._environment.client_binding if self._encrypted else None
        return Terms(verifier, client_binding, tls.peer_binding(server.transport.get_extra_info("ssl_object")))

    async def _cancel(self, event: Cancel) -> None:
        """The client's connection is closed after the server has taken the request: that is the only answer it gets."""
        with suppress(ConnectionError):
            try:
                config = self._environment.config.upstream
                await upstream.cancel(config, self._environment.upstream_tls, event.packet)
                self._log.info("cancel request passed on")
            except upstream.CannotConnect as error:
                self._log.error("cancel request not passed on", sqlstate="08001", reason=str(error))


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _peer_name(sock: socket.socket) -> str:
    if sock.family == socket.AF_UNIX:
        return "[local]"
    try:
        host, port, *_ = sock.getpeername()
    except OSError:
        return "[gone]"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
