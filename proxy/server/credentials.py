"""What connections need of files, the policy and the keys aside: certificates, authorities, a password."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Self

import structlog

from proxy.config import Config
from proxy.errors import ConfigError
from proxy.server import tls
from proxy.server.verifiers import lookup_password

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Credentials:
    """As they were read at one time."""

    client_tls: ssl.SSLContext | None
    client_binding: bytes | None
    """tls-server-end-point of the certificate that clients see."""
    upstream_tls: ssl.SSLContext | None
    password: str | None = field(repr=False)
    """Of the role that looks SCRAM verifiers up."""

    @classmethod
    def read(cls, config: Config) -> Self:
        """From the files that `config` names. Raises ConfigError."""
        return cls(
            tls.client_leg_context(config),
            tls.client_leg_binding(config),
            tls.upstream_context(config),
            lookup_password(config),
        )

    @classmethod
    def reread(cls, config: Config) -> Self | None:
        """The same for a reload; what comes of it is logged. None: an error, and the old ones are to stay."""
        try:
            found = cls.read(config)
        except ConfigError as error:
            _log.error("certificates not reloaded, the old ones stay", reason=str(error))
            return None
        if found.client_tls or found.upstream_tls or found.password:
            _log.info("certificates reloaded")
        return found
