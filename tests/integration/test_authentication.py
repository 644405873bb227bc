"""Authentication is relayed: PostgreSQL decides who enters, by every method, and the proxy holds no passwords."""

from __future__ import annotations

import asyncpg
import psycopg
import pytest

from tests.support import servers
from tests.support.servers import LOGINS, Database
from tests.support.stack import running

pytestmark = pytest.mark.skipif(servers.TEST_DSN is not None, reason="needs logins that only the embedded servers have")

POLICY = "public.people:\n  email: {type: text, search: equality}\n"


@pytest.mark.parametrize("method", LOGINS)
async def test_a_password_is_checked_by_postgresql(database: Database, method: str) -> None:
    login = LOGINS[method]
    over_tcp = ("127.0.0.1", database.port)
    with running(database, POLICY, upstream=over_tcp) as stack:
        options = {"host": stack.host, "port": stack.port, "dbname": database.dbname, "user": login.user}
        with psycopg.connect(**options, password=login.password, sslmode="disable") as connection:
            assert connection.execute("SELECT current_user").fetchone() == (login.user,)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(**options, password="wrong", sslmode="disable")

        connection = await asyncpg.connect(
            host=stack.host, port=stack.port, database=database.dbname, user=login.user, password=login.password
        )
        assert await connection.fetchval("SELECT current_user") == login.user
        await connection.close()
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(
                host=stack.host, port=stack.port, database=database.dbname, user=login.user, password="wrong"
            )


def test_an_unknown_database_is_postgresqls_error(database: Database) -> None:
    with running(database, POLICY) as stack, pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(stack.dsn.replace(database.dbname, "nowhere"), sslmode="disable")
