"""`sealwire init`: master key, keyring and the schema `sealwire`."""

from __future__ import annotations

import asyncio

import typer

from proxy.cli.options import ConfigFile, OptionalDsn, read_config
from proxy.ops.database import connect
from proxy.ops.keys import prepare_keys
from proxy.ops.schema import SCHEMA_VERSION, install


def init(config: ConfigFile, dsn: OptionalDsn = None) -> int:
    """Make master key and keyring where missing; with --dsn, install the schema sealwire. Overwrites nothing."""
    for keys in read_config(config).all_keys.values():
        for line in prepare_keys(keys):
            typer.echo(line)
    if dsn is not None:
        typer.echo(asyncio.run(_install(dsn)))
    return 0


async def _install(dsn: str) -> str:
    async with connect(dsn) as connection:
        database = await connection.fetchval("SELECT pg_catalog.current_database()")
        result = await install(connection)
    return f"schema sealwire version {SCHEMA_VERSION} in database {database}: {result.value}"
