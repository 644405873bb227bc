"""`serve`: the proxy as a program; and `Proxy`: the same as an asyncio object, for embedding it."""

from __future__ import annotations

import socket
from functools import partial
from typing import Final

import structlog

from proxy.config import Config, load_policy
from proxy.crypto import Keyrings
from proxy.errors import ConfigError, KeyringError
from proxy.server import logs, process
from proxy.server.credentials import Credentials
from proxy.server.edge import Edge
from proxy.session.session import Session
from proxy.session.shared import Shared

MEGABYTE: Final = 1024 * 1024
GRACE: Final = 30.0
"""Seconds that running transactions get after the first SIGTERM."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Proxy(Edge):
    """The edge with real sessions: `async with Proxy(config, shared) as proxy: ... proxy.port`. Raises ConfigError.

    `keyrings` are those that `shared` seals with, where a reload is to read them again. `credentials` None: they are
    read here.
    """

    def __init__(
        self,
        config: Config,
        shared: Shared,
        *,
        keyrings: Keyrings | None = None,
        sockets: list[socket.socket] | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        open_session = partial(Session, shared, max_message=config.limits.sealed_value * MEGABYTE)
        super().__init__(config, open_session, sockets=sockets, credentials=credentials)
        self._reload = partial(reload, config, shared, keyrings)

    async def reload(self) -> bool:
        """Read keyrings, columns.yaml and the certificates again. False: something was wrong; it is logged with file
        and line, and what was in force stays of each: keys, policy, certificates."""
        return all((self._reload(), self.reload_tls()))


def serve(config: Config, *, workers: int | None = None, grace: float = GRACE) -> int:
    """Run the proxy until a signal ends it; the exit code. Blocks; main thread only.

    `workers` None: as configured. `grace`: seconds for running transactions after SIGTERM. What can be wrong with files
    and the address is found before the first client is served: raises ConfigError, KeyringError.
    """
    logs.configure()
    policy = load_policy(config.columns, config.keysets)
    keyrings = Keyrings.load(config)
    shared = Shared(policy, keyrings)
    service = _Service(config, shared, keyrings)
    return process.run(
        config,
        service,
        workers=config.workers if workers is None else workers,
        grace=grace,
        sealed_columns=len(policy.columns),
    )


class _Service:
    """What each process of the program has, workers as the parent has it when it forks them: files that cannot be used
    any more by then are no obstacle."""

    def __init__(self, config: Config, shared: Shared, keyrings: Keyrings) -> None:
        self._config = config
        self._shared = shared
        self._keyrings = keyrings
        self._credentials = Credentials.read(config)

    def make_edge(self, sockets: list[socket.socket]) -> Edge:
        return Proxy(
            self._config, self._shared, keyrings=self._keyrings, sockets=sockets, credentials=self._credentials
        )

    def reload_policy(self) -> None:
        reload(self._config, self._shared, self._keyrings)

    def reload_credentials(self) -> None:
        self._credentials = Credentials.reread(self._config) or self._credentials


def reload(config: Config, shared: Shared, keyrings: Keyrings | None) -> bool:
    """Put keyrings and columns.yaml as they are now into force. False: one of them has an error, which is logged; what
    was in force of it stays."""
    keys_read = True
    if keyrings is not None:
        try:
            keyrings.reload(config)
        except KeyringError as error:
            _log.error("keys not reloaded, the old ones stay", reason=str(error))
            keys_read = False
    try:
        policy = load_policy(config.columns, config.keysets)
    except ConfigError as error:
        _log.error("columns not reloaded, the old policy stays", reason=str(error))
        shared.replace_policy(shared.policy)  # prepared statements look at the keys again
        return False
    shared.replace_policy(policy)
    _log.info("columns reloaded", sealed_columns=len(policy.columns))
    return keys_read
