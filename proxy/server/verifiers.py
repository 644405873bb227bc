"""Looking SCRAM verifiers up in the server, for `auth.mode: scram`.

A few connections of a role of the operator's run `auth.query` for the user of each client that comes. What it gives is
used for that one log-in and kept nowhere, so a changed password counts at once.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Final, Literal

import asyncpg

from proxy.config import Config
from proxy.crypto.scram import Verifier
from proxy.errors import ConfigError, SealwireError
from proxy.server.upstream import CONNECT_TIMEOUT, reason_of

if TYPE_CHECKING:
    Pool = asyncpg.Pool[asyncpg.Record]

_CONNECTIONS: Final = 4
_IDLE_SECONDS: Final = 60.0


class CannotLookUp(SealwireError):
    """The verifier could not be looked up. The text is for the log."""


def lookup_password(config: Config) -> str | None:
    """`auth.password`, or what `auth.password_file` holds. Raises ConfigError."""
    auth = config.auth
    if auth.mode != "scram" or auth.password_file is None:
        return auth.password
    try:
        if auth.password_file.stat().st_mode & 0o077:
            message = f"{auth.password_file} is open to group or others; chmod 600 it"
            raise ConfigError(message, path=config.path, key="auth.password_file")
        return auth.password_file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot read {auth.password_file}"
        raise ConfigError(message, path=config.path, key="auth.password_file") from error


class Verifiers:
    """The lookups of one process. Connections are made when the first client comes."""

    def __init__(self, config: Config, context: ssl.SSLContext | None, password: str | None) -> None:
        self._config = config
        self._context = context
        self._password = password
        self._pool: Pool | None = None
        self._making = asyncio.Lock()
        self._under_way = 0
        self._is_retired = False

    async def find(self, user: str) -> Verifier | None:
        """The verifier of a role; None where there is no such role, or it has none of SCRAM-SHA-256. Raises
        CannotLookUp."""
        self._under_way += 1
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                found = await (await self._connected()).fetchval(self._config.auth.query, user)
        except TimeoutError as error:
            raise CannotLookUp(f"no answer after {CONNECT_TIMEOUT:g} seconds") from error
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
            raise CannotLookUp(reason_of(error)) from error
        finally:
            self._under_way -= 1
            if self._is_retired and not self._under_way:
                self.close()
        return Verifier.parse(found) if isinstance(found, str) else None

    def retire(self) -> None:
        """Others look up from now on: the connections are cut as soon as no lookup is under way."""
        self._is_retired = True
        if not self._under_way:
            self.close()

    def close(self) -> None:
        """Cut the connections."""
        if self._pool is not None:
            self._pool.terminate()
            self._pool = None

    async def _connected(self) -> Pool:
        async with self._making:
            if self._pool is None:
                self._pool = await self._make_pool()
            return self._pool

    async def _make_pool(self) -> Pool:
        auth, upstream = self._config.auth, self._config.upstream
        tls: ssl.SSLContext | Literal["prefer", False] = self._context or False
        if self._context is not None and upstream.tls == "prefer":
            tls = "prefer"  # goes on without TLS too, as upstream.connect does
        return await asyncpg.create_pool(
            host=upstream.host,
            port=upstream.port,
            user=auth.user,
            password=self._password,
            database=auth.database,
            ssl=tls,
            direct_tls=upstream.negotiation == "direct",
            min_size=0,
            max_size=_CONNECTIONS,
            max_inactive_connection_lifetime=_IDLE_SECONDS,
            statement_cache_size=0,  # PgBouncer in transaction mode is no obstacle
            server_settings={"application_name": "sealwire"},
        )
