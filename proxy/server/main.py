"""`serve`: the proxy as a program; and `Proxy`: the same as an asyncio object, for embedding it."""

from __future__ import annotations

import socket
from functools import partial
from typing import Final

import structlog

from proxy.config import Config, load_policy
from proxy.crypto import Keyring, make_provider
from proxy.errors import ConfigError
from proxy.server import logs, process, tls
from proxy.server.edge import Edge
from proxy.session.session import Session
from proxy.session.shared import Shared

GRACE: Final = 30.0
"""Seconds that running transactions get after the first SIGTERM."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Proxy(Edge):
    """The edge with real sessions: `async with Proxy(config, shared) as proxy: ... proxy.port`. Raises ConfigError."""

    def __init__(self, config: Config, shared: Shared, *, sockets: list[socket.socket] | None = None) -> None:
        super().__init__(config, partial(Session, shared), sockets=sockets)
        self._reload_policy = partial(reload_policy, config, shared)

    async def reload(self) -> bool:
        """Read columns.yaml and the certificates again. False: something was wrong; it is logged with file and line,
        and what was in force stays: the policy, the certificates, or both."""
        return all((self._reload_policy(), self.reload_tls()))


def serve(config: Config, *, workers: int | None = None, grace: float = GRACE) -> int:
    """Run the proxy until a signal ends it; the exit code. Blocks; main thread only.

    `workers` None: as configured. `grace`: seconds for running transactions after SIGTERM. What can be wrong with files
    and the address is found before the first client is served: raises ConfigError, KeyringError.
    """
    logs.configure()
    policy = load_policy(config.columns)
    shared = Shared(policy, Keyring.load(config.keys.keyring, make_provider(config.keys)))
    tls.client_leg_context(config)
    tls.upstream_context(config)
    return process.run(
        config,
        lambda sockets: Proxy(config, shared, sockets=sockets),
        partial(reload_policy, config, shared),
        workers=config.workers if workers is None else workers,
        grace=grace,
        sealed_columns=len(policy.columns),
    )


def reload_policy(config: Config, shared: Shared) -> bool:
    """Put columns.yaml as it is now into force. False: it has an error, which is logged; the old policy stays."""
    try:
        policy = load_policy(config.columns)
    except ConfigError as error:
        _log.error("columns not reloaded, the old policy stays", reason=str(error))
        return False
    shared.replace_policy(policy)
    _log.info("columns reloaded", sealed_columns=len(policy.columns))
    return True
