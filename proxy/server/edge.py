"""The proxy of one process as an asyncio object: listeners, connections, reload, shutdown."""

from __future__ import annotations

import asyncio
import socket
from types import TracebackType
from typing import Final, Self

import structlog

from proxy.config import Config
from proxy.server import listener
from proxy.server.connection import Connection, Environment, OpenSession
from proxy.server.credentials import Credentials
from proxy.server.upstream import set_socket_options
from proxy.server.verifiers import Verifiers

FLUSH_TIME: Final = 2.0
"""Seconds that connections which are already closing keep for it when the others are cut."""
_ACCEPT_PAUSE: Final = 0.5  # seconds, after an accept that failed for want of file descriptors or memory

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Edge:
    """Accepts clients and runs a session for each. Used as `async with`, it is stopped at once on leaving.

    `open_session` makes the session of a connection. `sockets`, bound but not yet listening, replace those that
    `config.listen` names and stay the caller's to remove. `credentials` None: they are read here, raises ConfigError.
    """

    def __init__(
        self,
        config: Config,
        open_session: OpenSession,
        *,
        sockets: list[socket.socket] | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self._environment = _environment(config, open_session, credentials or Credentials.read(config))
        self._sockets = sockets
        self._close_sockets = listener.release if sockets is None else listener.close_all
        self._accepting: list[asyncio.Task[None]] = []
        self._connections: dict[Connection, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shutdown(grace=0)

    @property
    def host(self) -> str:
        return self._environment.config.listen.host

    @property
    def port(self) -> int:
        """The port that is listened on, also where the configuration says 0."""
        if self._sockets and self._sockets[0].family != socket.AF_UNIX:
            port: int = self._sockets[0].getsockname()[1]
            return port
        return self._environment.config.listen.port

    @property
    def connections(self) -> frozenset[Connection]:
        return frozenset(self._connections)

    async def start(self) -> None:
        """Listen and accept. Raises ConfigError when the address cannot be listened on."""
        if self._sockets is None:
            self._sockets = listener.bind(self._environment.config)
        for sock in self._sockets:
            sock.setblocking(False)
            sock.listen(listener.BACKLOG)
            self._accepting.append(asyncio.get_running_loop().create_task(self._accept(sock)))

    def reload_tls(self) -> bool:
        """Read certificates, keys and the lookup's password again, for connections from now on. False: they have an
        error; it is logged, the old ones stay."""
        before = self._environment
        credentials = Credentials.reread(before.config)
        if credentials is None:
            return False
        self._environment = _environment(before.config, before.open_session, credentials)
        if before.verifiers is not None:
            before.verifiers.retire()
        return True

    async def shutdown(self, grace: float) -> None:
        """Stop accepting, end each session when it is between transactions, and after `grace` seconds cut the others.

        May be called again while it runs: the shorter grace counts. Returns when all connections are closed.
        """
        await self._stop_accepting()
        for connection in self.connections:
            connection.drain()
        await self._wait(grace)
        for connection in self.connections:
            if not connection.ending:
                connection.abort()
        await self._wait(FLUSH_TIME)
        for connection in self.connections:
            connection.abort()
        await self._wait(None)
        if self._environment.verifiers is not None:
            self._environment.verifiers.close()

    async def _stop_accepting(self) -> None:
        tasks, self._accepting = self._accepting, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._close_sockets(self._sockets or [])

    async def _wait(self, seconds: float | None) -> None:
        if self._connections:
            await asyncio.wait(self._connections.values(), timeout=seconds)

    async def _accept(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(sock)
            except ConnectionError:
                continue  # the client left the queue
            except OSError as error:
                _log.error("cannot accept a connection", reason=error.strerror)
                await asyncio.sleep(_ACCEPT_PAUSE)
                continue
            set_socket_options(accepted, self._environment.config.listen.keepalive)
            connection = Connection(self._environment, accepted)
            self._connections[connection] = connection.start(self._forget)

    def _forget(self, connection: Connection) -> None:
        del self._connections[connection]


def _environment(config: Config, open_session: OpenSession, credentials: Credentials) -> Environment:
    upstream_tls = credentials.upstream_tls
    return Environment(
        config=config,
        client_tls=credentials.client_tls,
        upstream_tls=upstream_tls,
        open_session=open_session,
        client_binding=credentials.client_binding,
        verifiers=Verifiers(config, upstream_tls, credentials.password) if config.auth.mode == "scram" else None,
    )
