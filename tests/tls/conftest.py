"""TLS towards the client and towards the server, whose PostgreSQL is built with it: Debian's 15, and 17 and 18."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from proxy.config import Auth, Config, Keys, Limits, Listen, Policy, Upstream
from proxy.server.main import Proxy
from proxy.session.shared import Shared
from tests.server.certificates import Authority, Pair
from tests.session.playbook import Sealers
from tests.support.servers import LOGINS, Server
from tests.support.stack import LoopThread
from tests.support.tls_servers import VERSIONS, tls_server

LOGIN = LOGINS["scram-sha-256"]
LOOKUP = Auth(
    mode="scram", user="lookup", password="looking glass", query="SELECT verifier FROM auth.find($1)"
)  # fmt: skip
LOOKUP_SQL = """
CREATE ROLE lookup LOGIN PASSWORD 'looking glass';
CREATE SCHEMA auth;
GRANT USAGE ON SCHEMA auth TO lookup;
CREATE FUNCTION auth.find(role_name text) RETURNS TABLE (verifier text) LANGUAGE sql SECURITY DEFINER
  SET search_path = pg_catalog AS 'SELECT rolpassword FROM pg_authid WHERE rolname = role_name AND rolcanlogin';
REVOKE ALL ON FUNCTION auth.find(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION auth.find(text) TO lookup;
CREATE ROLE certified LOGIN;
CREATE ROLE expired LOGIN PASSWORD 'pencil' VALID UNTIL '2001-01-01';
CREATE ROLE passwordless LOGIN;
"""
RULES = """\
host all lookup 127.0.0.1/32 scram-sha-256
host all expired,passwordless,nobody 127.0.0.1/32 scram-sha-256
hostssl all certified 127.0.0.1/32 cert
"""


@dataclass(frozen=True)
class World:
    """A server with TLS, and the certificates of both legs."""

    server: Server
    authority: Authority
    proxy_pair: Pair
    client_pair: Pair

    def config(self, auth: Auth | None = None) -> Config:
        directory = self.proxy_pair.cert.parent
        return Config(
            path=directory / "sealwire.yaml",
            listen=Listen(port=0, tls="prefer", cert=self.proxy_pair.cert, key=self.proxy_pair.key),
            upstream=Upstream(port=self.server.port, tls="verify-full", ca=self.authority.ca),
            keys=Keys(directory / "keyring.json"),
            columns=directory / "columns.yaml",
            auth=auth or Auth(),
            limits=Limits(),
        )


# PostgreSQL 17 and 18 with TLS are fetched, so they belong to `make clients`.
@pytest.fixture(
    scope="session", params=[pytest.param(one, marks=pytest.mark.clients if one > 15 else ()) for one in VERSIONS]
)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    directory = Path(tempfile.mkdtemp(prefix="swt-"))
    try:
        authority = Authority(directory)
        pair = authority.issue("127.0.0.1")
        settings = {"ssl": "on", "ssl_cert_file": "server.crt", "ssl_key_file": "server.key", "ssl_ca_file": "ca.crt"}
        files = {
            "server.crt": pair.cert.read_bytes(),
            "server.key": pair.key.read_bytes(),
            "ca.crt": authority.ca.read_bytes(),
        }
        with tls_server(request.param, settings, files, RULES) as server:
            with psycopg.connect(server.dsn(), autocommit=True) as owner:
                owner.execute(LOOKUP_SQL)
            yield World(server, authority, authority.issue("127.0.0.1"), authority.issue("certified"))
    finally:
        shutil.rmtree(directory)


@dataclass(frozen=True)
class Door:
    """A running proxy."""

    world: World
    proxy: Proxy

    def options(self, **more: Any) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": self.proxy.port, "dbname": "postgres", "user": LOGIN.user,
                "password": LOGIN.password, "sslmode": "verify-full", "sslrootcert": str(self.world.authority.ca),
                **more}  # fmt: skip

    def whoami(self, **more: Any) -> str:
        with psycopg.connect(**self.options(**more)) as connection:
            row = connection.execute("SELECT current_user").fetchone()
        assert row is not None
        return str(row[0])

    def refusal(self, **more: Any) -> str:
        with pytest.raises(psycopg.OperationalError) as caught:
            psycopg.connect(**self.options(**more))
        return str(caught.value)


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    thread = LoopThread()
    yield thread
    thread.close()


@contextlib.contextmanager
def door(world: World, thread: LoopThread, config: Config) -> Iterator[Door]:
    """A proxy with `config` and no sealed columns."""
    proxy = Proxy(config, Shared(Policy(), Sealers()))
    thread.run(proxy.start())
    try:
        yield Door(world, proxy)
    finally:
        thread.run(proxy.shutdown(0))


@pytest.fixture
def relaying(world: World, thread: LoopThread) -> Iterator[Door]:
    with door(world, thread, world.config()) as opened:
        yield opened


@pytest.fixture
def passing(world: World, thread: LoopThread) -> Iterator[Door]:
    with door(world, thread, world.config(LOOKUP)) as opened:
        yield opened
