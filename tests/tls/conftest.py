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
from proxy.config.model import Negotiation
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
CREATE ROLE encrypted LOGIN PASSWORD 'pencil';
CREATE ROLE badge LOGIN PASSWORD 'pencil';
CREATE ROLE fitting LOGIN PASSWORD 'pencil';
CREATE ROLE misfit LOGIN PASSWORD 'pencil';
"""
RULES = """\
hostssl all encrypted 127.0.0.1/32 scram-sha-256
host all encrypted 127.0.0.1/32 reject
hostssl all badge 127.0.0.1/32 scram-sha-256 clientcert=verify-ca
hostssl all fitting,misfit 127.0.0.1/32 scram-sha-256 clientcert=verify-full
host all lookup 127.0.0.1/32 scram-sha-256
host all expired,passwordless,nobody 127.0.0.1/32 scram-sha-256
hostssl all certified 127.0.0.1/32 cert
"""


@dataclass(frozen=True)
class World:
    """A server with TLS, and the certificates of both legs."""

    server: Server
    authority: Authority
    server_pair: Pair
    proxy_pair: Pair
    client_pair: Pair

    @property
    def negotiations(self) -> tuple[Negotiation, ...]:
        """How TLS may begin with this server."""
        return ("postgres", "direct") if self.server.version >= 17 else ("postgres",)

    @contextlib.contextmanager
    def setting(self, name: str, value: str) -> Iterator[None]:
        """The server with another setting, for connections from now on."""
        with psycopg.connect(self.server.dsn(), autocommit=True) as owner:
            owner.execute(f"ALTER SYSTEM SET {name} = '{value}'")
            owner.execute("SELECT pg_reload_conf()")
            try:
                yield
            finally:
                owner.execute(f"ALTER SYSTEM RESET {name}")
                owner.execute("SELECT pg_reload_conf()")

    @contextlib.contextmanager
    def showing(self, pair: Pair) -> Iterator[None]:
        """The server with another certificate, for connections from now on."""
        self._install(pair)
        try:
            yield
        finally:
            self._install(self.server_pair)

    def _install(self, pair: Pair) -> None:
        data = self.server.data_dir
        assert data is not None
        (data / "server.crt").write_bytes(pair.cert.read_bytes())
        (data / "server.key").write_bytes(pair.key.read_bytes())
        with psycopg.connect(self.server.dsn(), autocommit=True) as owner:
            owner.execute("SELECT pg_reload_conf()")

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
            yield World(server, authority, pair, authority.issue("127.0.0.1"), authority.issue("certified"))
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
def door(world: World, thread: LoopThread, config: Config, shared: Shared | None = None) -> Iterator[Door]:
    """A proxy with `config`, and no sealed columns unless `shared` has some."""
    proxy = Proxy(config, shared or Shared(Policy(), Sealers()))
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


async def reloaded(proxy: Proxy) -> None:
    assert proxy.reload_tls()
