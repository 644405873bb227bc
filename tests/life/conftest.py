"""A shop to work on: a fresh database with the schema installed, a keyring, a policy that a test writes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.config import Config, SealedColumn, load_config, load_policy
from proxy.crypto import Keyring
from proxy.ops.database import connect
from proxy.ops.keys import prepare_keys
from proxy.ops.life.fill import Settings
from proxy.ops.life.online import Result
from proxy.ops.life.plan import Before, Plan
from proxy.ops.life.recipe import Operation, open_keyring
from proxy.ops.life.run import Order, give_up, look, run
from proxy.ops.schema import install
from tests.support.servers import Database, Server, fresh_database


class Scene:
    """What the tests of live columns do over and over."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.sql = database.connect()
        (folder / "sealwire.yaml").write_text("columns: columns.yaml\n")
        (folder / "columns.yaml").write_text("{}\n")
        prepare_keys(self.config.keys)

    @property
    def config(self) -> Config:
        return load_config(self.folder / "sealwire.yaml", {})

    @property
    def config_path(self) -> Path:
        return self.folder / "sealwire.yaml"

    @property
    def keyring(self) -> Keyring:
        return open_keyring(self.config.keys)

    def set_policy(self, text: str) -> None:
        body = "".join(f"  {line}\n" for line in text.strip().splitlines())
        (self.folder / "columns.yaml").write_text('"*":\n' + body)

    def column(self, name: str) -> SealedColumn:
        schema, table, column = name.split(".")
        found = load_policy(self.config.columns).for_database("any").column(schema, table, column)
        assert found is not None
        return found

    def rows(self, query: str) -> list[Any]:
        return self.sql.execute(query).fetchall()

    def value(self, query: str) -> Any:
        row = self.sql.execute(query).fetchone()
        assert row is not None
        return row[0]

    def opened(self, name: str, key: str = "id") -> dict[Any, bytes | None]:
        """Key -> opened value of every row."""
        schema, table, column = name.split(".")
        open_value = self.keyring.sealer(self.column(name)).open
        rows = self.rows(f'SELECT {key}, "{column}" FROM "{schema}"."{table}"')
        return {row[0]: None if row[1] is None else open_value(row[1]) for row in rows}

    def order(self, operation: Operation, *columns: str, **options: Any) -> Order:
        return Order(operation, self.database.dbname, columns, **options)

    async def plan(self, operation: Operation, *columns: str, **options: Any) -> Plan:
        return await look(self.config, self.order(operation, *columns, **options), self.database.dsn)

    async def run(
        self, operation: Operation, *columns: str, settings: Settings | None = None, **options: Any
    ) -> Result | None:
        chosen = settings or Settings(self.database.dsn, batch=100)
        _, result = await run(self.config, self.order(operation, *columns, **options), chosen)
        return result

    async def seal(self, *columns: str, **options: Any) -> Result | None:
        return await self.run(Operation.SEAL, *columns, **options)

    async def unseal(self, *columns: str, **options: Any) -> Result | None:
        return await self.run(Operation.UNSEAL, *columns, **options)

    async def reseal(self, *columns: str, before: Before | None = None, **options: Any) -> Result | None:
        return await self.run(Operation.RESEAL, *columns, before=before, **options)

    async def abort(self, operation: Operation, *columns: str) -> bool:
        return await give_up(self.config, self.order(operation, *columns), Settings(self.database.dsn))

    def leftovers(self) -> list[str]:
        """Everything of a job that should be gone when it is done."""
        return [
            row[0]
            for row in self.rows(
                "SELECT 'column ' || attname FROM pg_attribute WHERE attname LIKE 'sealwire\\_%' AND NOT attisdropped"
                " AND attrelid IN (SELECT oid FROM pg_class WHERE relkind = 'r' AND relpersistence = 'p')"
                " UNION ALL SELECT 'index ' || relname FROM pg_class WHERE relname LIKE 'sealwire\\_%'"
                "   AND relpersistence = 'p'"
                " UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgname LIKE '%sealwire%'"
                " UNION ALL SELECT 'constraint ' || conname FROM pg_constraint WHERE conname LIKE 'sealwire\\_%'"
                " UNION ALL SELECT 'function ' || proname FROM pg_proc WHERE proname LIKE 'mark\\_%'"
            )
        ]


@pytest.fixture
def database18(pg18: Server) -> Iterator[Database]:
    with fresh_database(pg18) as fresh:
        yield fresh


@pytest.fixture
async def shop(database18: Database, tmp_path: Path) -> Any:
    """On PostgreSQL 18."""
    async with connect(database18.dsn) as connection:
        await install(connection)
    scene = Scene(database18, tmp_path)
    yield scene
    scene.sql.close()


@pytest.fixture
async def shop16(pg16: Server, tmp_path: Path) -> Any:
    """On PostgreSQL 16."""
    with fresh_database(pg16) as fresh:
        await _install(fresh)
        scene = Scene(fresh, tmp_path)
        yield scene
        scene.sql.close()


@pytest.fixture
async def either(database: Database, tmp_path: Path) -> Any:
    """On PostgreSQL 18 and 16 in turn."""
    async with connect(database.dsn) as connection:
        await install(connection)
    scene = Scene(database, tmp_path)
    yield scene
    scene.sql.close()


@pytest.fixture(scope="module")
def refusal_scene(pg18: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One database for many tests that each leave it unchanged."""
    with fresh_database(pg18) as fresh:
        asyncio.run(_install(fresh))
        scene = Scene(fresh, tmp_path_factory.mktemp("refusals"))
        scene.set_policy(
            """
public.t:
  a: {type: text}
  b: {type: text}
  e: {type: text, search: equality}
  o: {type: "numeric(4,1)", search: order}
"""
        )
        scene.sql.execute("SET client_min_messages = warning")
        yield scene
        scene.sql.close()


async def _install(database: Database) -> None:
    async with connect(database.dsn) as connection:
        await install(connection)
