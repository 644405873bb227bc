"""schema.sql on real servers, installed by a role that may do nothing but CREATE in the database."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import asyncpg
import psycopg
import pytest

from proxy.ops.database import DatabaseError, connect
from proxy.ops.schema import SCHEMA_VERSION, Installation, install, installed_version
from tests.support.servers import Database

KEY = b"\x00\x00\x00\x01"
RANDOM = b"\xe1\x01" + KEY + bytes(12 + 16)
EQUALITY = b"\xe1\x02" + KEY + bytes(16)
ORDER = b"\xe1\x03" + KEY + bytes(2 + 16)


@pytest.fixture
def plain_role(database: Database) -> Iterator[str]:
    """A role with CREATE on the database and nothing else."""
    name = f"r_{uuid4().hex[:8]}"
    with database.connect() as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'pencil'")
        connection.execute(f'GRANT CREATE ON DATABASE "{database.dbname}" TO {name}')
        yield name
        connection.execute(f"DROP OWNED BY {name}")
        connection.execute(f"DROP ROLE {name}")


@pytest.fixture
def plain_dsn(database: Database, plain_role: str) -> str:
    return database.server.dsn(database.dbname, user=plain_role, password="pencil")


async def test_an_ordinary_role_installs_it_once_and_anybody_may_find_it_current(
    database: Database, plain_dsn: str
) -> None:
    async with connect(plain_dsn) as connection:
        assert await installed_version(connection) is None
        assert await install(connection) is Installation.INSTALLED
        assert await install(connection) is Installation.CURRENT
        assert await installed_version(connection) == SCHEMA_VERSION
    async with connect(database.dsn) as connection:
        assert await install(connection) is Installation.CURRENT


async def test_an_older_version_is_upgraded_without_losing_the_data(plain_dsn: str) -> None:
    async with connect(plain_dsn) as connection:
        await install(connection)
        await connection.execute("CREATE SCHEMA app CREATE TABLE t (c sealwire.sealed)")
        await connection.execute("INSERT INTO app.t VALUES ($1)", RANDOM)
        await connection.execute(
            "CREATE OR REPLACE FUNCTION sealwire.version() RETURNS integer LANGUAGE sql AS 'SELECT 0'"
        )
        assert await install(connection) is Installation.UPGRADED
        assert await installed_version(connection) == SCHEMA_VERSION
        assert await connection.fetchval("SELECT c FROM app.t") == RANDOM


async def test_a_newer_version_is_left_alone(plain_dsn: str) -> None:
    async with connect(plain_dsn) as connection:
        await install(connection)
        await connection.execute(
            "CREATE OR REPLACE FUNCTION sealwire.version() RETURNS integer LANGUAGE sql AS 'SELECT 99'"
        )
        with pytest.raises(DatabaseError, match="version 99, this program knows up to 1: upgrade Sealwire"):
            await install(connection)


async def test_without_create_on_the_database_the_error_is_postgresqls_own(database: Database, plain_role: str) -> None:
    with database.connect() as owner:
        owner.execute(f'REVOKE CREATE ON DATABASE "{database.dbname}" FROM {plain_role}')
    dsn = database.server.dsn(database.dbname, user=plain_role, password="pencil")
    with pytest.raises(DatabaseError, match="permission denied for database") as caught:
        async with connect(dsn) as connection:
            await install(connection)
    assert caught.value.sqlstate == "42501"


@pytest.fixture
async def installed(database: Database):
    async with connect(database.dsn) as connection:
        await install(connection)
        yield connection


@pytest.mark.parametrize("value", [None, RANDOM, EQUALITY, ORDER, RANDOM + b"x", EQUALITY + b"x", ORDER + b"x"])
async def test_the_domain_takes_sealed_values_and_null(installed: asyncpg.Connection, value: bytes | None) -> None:
    assert await installed.fetchval("SELECT $1::sealwire.sealed", value) == value


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xe1",
        b"ada@example.org",
        b"a text that is longer than any header is, but a text all the same",
        RANDOM[:-1],
        EQUALITY[:-1],
        ORDER[:-1],
        b"\xe2" + RANDOM[1:],
        b"\xe1\x00" + RANDOM[2:],
        b"\xe1\x04" + RANDOM[2:],
    ],
)
async def test_the_domain_refuses_everything_else(installed: asyncpg.Connection, value: bytes) -> None:
    with pytest.raises(asyncpg.CheckViolationError) as caught:
        await installed.fetchval("SELECT $1::sealwire.sealed", value)
    assert caught.value.constraint_name == "sealed_header"


@pytest.mark.parametrize(("aggregate", "expected"), [("min", 1), ("max", 50_000)])
async def test_min_and_max_come_from_the_index(installed: asyncpg.Connection, aggregate: str, expected: int) -> None:
    await installed.execute("CREATE TABLE t (indexed sealwire.sealed, bare sealwire.sealed, empty sealwire.sealed)")
    await installed.execute(
        "INSERT INTO t SELECT v, v FROM (SELECT $1::bytea || int4send(i) AS v FROM generate_series(1, 50000) i) s",
        ORDER,
    )
    await installed.execute("INSERT INTO t SELECT NULL FROM generate_series(1, 10)")
    await installed.execute("CREATE INDEX ON t (indexed)")
    await installed.execute("VACUUM ANALYZE t")
    value = ORDER + expected.to_bytes(4, "big")
    row = await installed.fetchrow(f"SELECT sealwire.{aggregate}(indexed) FROM t")
    assert row[0] == value
    assert await installed.fetchval(f"SELECT sealwire.{aggregate}(bare) FROM t") == value
    assert await installed.fetchval(f"SELECT sealwire.{aggregate}(empty) FROM t") is None
    window = f"SELECT DISTINCT sealwire.{aggregate}(bare) OVER () FROM t"
    assert await installed.fetch(window) == [(value,)]
    explained = [r[0] for r in await installed.fetch(f"EXPLAIN SELECT sealwire.{aggregate}(indexed) FROM t")]
    assert any("Index Only Scan" in line for line in explained)
    assert not any("Seq Scan" in line for line in explained)


def test_the_aggregates_report_bytea_in_row_description(database: Database) -> None:
    import asyncio

    async def prepare() -> None:
        async with connect(database.dsn) as connection:
            await install(connection)

    asyncio.run(prepare())
    with psycopg.connect(database.dsn) as connection:
        cursor = connection.execute("SELECT sealwire.min(x), NULL::sealwire.sealed FROM (SELECT NULL::bytea AS x) s")
        assert [column.type_code for column in cursor.description or ()] == [17, 17]


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://127.0.0.1:1/none",
        "postgresql:///none?host=/nowhere/at/all",
        "postgresql://h:port/none",
        "mysql://localhost/none",
        "postgresql://[::1/none",
    ],
)
async def test_a_database_that_cannot_be_reached_is_one_typed_error(dsn: str) -> None:
    with pytest.raises(DatabaseError):
        async with connect(dsn):
            raise AssertionError


@pytest.mark.parametrize("password", ["hunter2/x", "hunter2#x", "hunter2?x", "hunter2[x"])
async def test_a_password_with_special_characters_does_not_end_up_in_the_error(password: str) -> None:
    with pytest.raises(DatabaseError) as caught:
        async with connect(f"postgresql://owner:{password}@127.0.0.1:1/shop"):
            raise AssertionError
    assert "hunter2" not in str(caught.value)
    assert "percent-encode" in str(caught.value)
    assert caught.value.__cause__ is None
