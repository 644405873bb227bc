"""The start of a connection with a real server: sockets of both legs, parameters of the StartupMessage."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from proxy.config import Auth, Listen
from tests.support import servers
from tests.support.servers import LOGINS, Database
from tests.support.stack import Stack, running

POLICY = "public.people:\n  email: {type: text, search: equality}\n"
LOGIN = LOGINS["scram-sha-256"]


@pytest.fixture
def stack(database: Database) -> Iterator[Stack]:
    with running(database, POLICY) as running_stack:
        yield running_stack


def test_options_and_parameters_reach_the_server_as_without_a_proxy(stack: Stack) -> None:
    options = "-c search_path=nowhere,public -c DateStyle=German -c custom.setting=a\\ b"
    with stack.connect(options=options, application_name="a tool") as connection:
        connection.execute("CREATE TABLE people (id integer, email text)")
        connection.execute("INSERT INTO people VALUES (1, 'ann@example.com')")
        assert connection.execute("SELECT email FROM people").fetchone() == ("ann@example.com",)
        shown = [connection.execute(f"SHOW {name}").fetchone() for name in ("custom.setting", "application_name")]
        assert shown == [("a b",), ("a tool",)]
        assert connection.execute("SHOW DateStyle").fetchone() == ("German, DMY",)


@pytest.mark.parametrize("options", ["-c no_such_setting=1", "-c work_mem=lots", "--nonsense"])
def test_what_the_server_does_not_take_is_its_own_error(stack: Stack, options: str) -> None:
    with pytest.raises(psycopg.OperationalError) as direct:
        stack.database.connect(options=options)
    with pytest.raises(psycopg.OperationalError) as proxied:
        stack.connect(options=options)
    assert str(proxied.value).partition("FATAL")[2] == str(direct.value).partition("FATAL")[2]


def test_a_startup_packet_may_have_postgresqls_ten_thousand_bytes_and_no_more(stack: Stack) -> None:
    def setting(size: int) -> str:
        return f"-c custom.long={'x' * size}"

    with stack.connect(options=setting(9_000)) as connection:
        assert connection.execute("SELECT length(current_setting('custom.long'))").fetchone() == (9_000,)
    for connect in (stack.database.connect, stack.connect):
        with pytest.raises(psycopg.OperationalError, match="server closed the connection unexpectedly"):
            connect(options=setting(10_000))


@pytest.mark.skipif(servers.TEST_DSN is not None, reason="needs logins that only the embedded servers have")
def test_unix_sockets_on_both_legs(database: Database) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="sw-") as directory,
        running(database, POLICY, listen=Listen(host=directory, port=6432)) as stack,
    ):
        assert (Path(directory) / ".s.PGSQL.6432").is_socket()
        options = {"host": directory, "port": 6432, "dbname": database.dbname, "user": database.server.user}
        with psycopg.connect(**options, autocommit=True) as connection:
            connection.execute("CREATE TABLE people (id integer, email text)")
            stack.canary("ann.canary@example.com")
            connection.execute("INSERT INTO people VALUES (1, %s)", ("ann.canary@example.com",))
            found = connection.execute("SELECT id FROM people WHERE email = %s", ("ann.canary@example.com",)).fetchall()
        assert found == [(1,)]


@pytest.mark.skipif(servers.TEST_DSN is not None, reason="needs logins that only the embedded servers have")
def test_verifiers_are_of_use_without_tls_too(database: Database) -> None:
    """Nothing is bound; the password is still never seen."""
    auth = Auth(mode="scram", user=database.server.user)
    with running(database, POLICY, upstream=("127.0.0.1", database.port), auth=auth) as stack:
        options = {"host": stack.host, "port": stack.port, "dbname": database.dbname, "user": LOGIN.user}
        stack.canary(LOGIN.password)
        with psycopg.connect(**options, password=LOGIN.password, sslmode="disable") as connection:
            assert connection.execute("SELECT current_user").fetchone() == (LOGIN.user,)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(**options, password="wrong", sslmode="disable")
        with pytest.raises(psycopg.OperationalError, match="channel binding"):
            psycopg.connect(**options, password=LOGIN.password, sslmode="disable", channel_binding="require")
