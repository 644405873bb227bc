"""The servers that the other tests stand on."""

from __future__ import annotations

import asyncpg
import psycopg
import pytest

from tests.support.servers import LOGINS, Database, Server


def test_a_fresh_database_is_empty_and_its_statements_are_logged(database: Database) -> None:
    with database.connect() as connection:
        tables = connection.execute("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        assert tables.fetchone() == (0,)
        assert connection.info.server_version // 10000 == database.server.version


def test_every_statement_is_in_the_log_of_an_embedded_server(embedded18: Server) -> None:
    offset = embedded18.log_size()
    with psycopg.connect(embedded18.dsn()) as connection:
        connection.execute("SELECT 'canary-4711'")
    assert b"canary-4711" in embedded18.log_since(offset)


@pytest.mark.parametrize("method", LOGINS)
async def test_over_tcp_the_login_decides_the_authentication_method(embedded18: Server, method: str) -> None:
    login = LOGINS[method]
    dsn = embedded18.dsn(user=login.user, password=login.password, tcp=True)
    connection = await asyncpg.connect(dsn)
    assert await connection.fetchval("SELECT session_user") == login.user
    await connection.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(embedded18.dsn(user=login.user, password="wrong", tcp=True))
