"""Installs the schema `sealwire` (schema.sql) into a database, as an ordinary role with CREATE on it."""

from __future__ import annotations

import enum
from importlib import resources
from typing import TYPE_CHECKING, Final

from proxy.ops.database import DatabaseError

if TYPE_CHECKING:
    from proxy.ops.database import Connection

SCHEMA_VERSION: Final = 1
"""What `sealwire.version()` of schema.sql returns."""
_LOCK: Final = 0x5EA1_0001  # any number of our own: two `sealwire init` at once take turns


class Installation(enum.Enum):
    """What `install` did."""

    INSTALLED = "installed"
    UPGRADED = "upgraded"
    CURRENT = "already there"


async def installed_version(connection: Connection) -> int | None:
    """`sealwire.version()` of the connection's database; None: not installed."""
    known = await connection.fetchval(
        "SELECT count(*) FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"
        " WHERE n.nspname = 'sealwire' AND p.proname = 'version' AND p.pronargs = 0"
    )
    if not known:
        return None
    return int(await connection.fetchval("SELECT sealwire.version()"))


async def install(connection: Connection) -> Installation:
    """Brings the schema to SCHEMA_VERSION in one transaction; does nothing where it is.

    Raises DatabaseError when the database holds a newer one than this program knows.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_catalog.pg_advisory_xact_lock($1)", _LOCK)
        version = await installed_version(connection)
        if version == SCHEMA_VERSION:
            return Installation.CURRENT
        if version is not None and version > SCHEMA_VERSION:
            raise DatabaseError(
                f"the schema sealwire is version {version}, this program knows up to {SCHEMA_VERSION}: upgrade Sealwire"
            )
        await connection.execute(resources.files("proxy.ops").joinpath("schema.sql").read_text(encoding="utf-8"))
    return Installation.INSTALLED if version is None else Installation.UPGRADED
