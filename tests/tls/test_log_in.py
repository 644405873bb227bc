"""Who can log in how, with TLS on both legs."""

from __future__ import annotations

import asyncio
import re
import ssl
import subprocess
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest

from proxy.config import Auth
from proxy.config.model import Negotiation
from tests.server.certificates import Authority
from tests.support.servers import LOGINS
from tests.support.stack import LoopThread
from tests.support.tls_servers import DEBIAN_BIN
from tests.tls.conftest import LOGIN, LOOKUP, Door, World, door, reloaded

# -- auth.mode: relay ----------------------------------------------------------------------------------------------


def test_a_relay_lets_in_who_does_not_bind(relaying: Door) -> None:
    assert relaying.whoami(channel_binding="disable") == LOGIN.user
    assert "SCRAM channel binding negotiation error" in relaying.refusal(channel_binding="prefer")
    assert "channel binding" in relaying.refusal(channel_binding="require")


# -- auth.mode: scram ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("binding", ["disable", "prefer", "require"])
def test_with_verifiers_everybody_gets_in_bound_or_not(passing: Door, binding: str) -> None:
    before = passing.world.server.log_size()
    assert passing.whoami(channel_binding=binding) == LOGIN.user
    assert passing.whoami(channel_binding="disable", sslmode="disable") == LOGIN.user
    log = passing.world.server.log_since(before)
    assert LOGIN.password.encode() not in log
    assert b"FATAL" not in log


async def test_asyncpg_and_libpq_15_get_in_too(passing: Door) -> None:
    connection = await asyncpg.connect(
        host="127.0.0.1", port=passing.proxy.port, user=LOGIN.user, password=LOGIN.password, database="postgres",
        ssl=passing.world.authority.client_context(),
    )  # fmt: skip
    assert await connection.fetchval("SELECT current_user") == LOGIN.user
    assert await connection.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") is True
    await connection.close()
    uri = f"host=127.0.0.1 port={passing.proxy.port} dbname=postgres user={LOGIN.user} password={LOGIN.password}"
    if not DEBIAN_BIN.is_dir():
        pytest.skip(f"{DEBIAN_BIN} is not there")
    command = [DEBIAN_BIN / "psql", "-XAt", f"{uri} sslmode=require channel_binding=require", "-c", "SELECT 7"]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr) == ("7\n", "")


@pytest.mark.parametrize(
    ("user", "password"),
    [(LOGIN.user, "wrong"), ("nobody", "pencil"), ("expired", "pencil"), ("passwordless", "pencil")],
)
@pytest.mark.parametrize("binding", ["disable", "require"])
def test_who_may_not_enter_gets_postgresqls_own_refusal(passing: Door, user: str, password: str, binding: str) -> None:
    before = passing.world.server.log_size()
    with pytest.raises(psycopg.OperationalError) as direct:
        psycopg.connect(passing.world.server.dsn(user=user, password=password, tcp=True), sslmode="require")
    refused = passing.refusal(user=user, password=password, channel_binding=binding)
    assert f'password authentication failed for user "{user}"' in str(direct.value)
    assert refused.partition("FATAL")[2] == str(direct.value).partition("FATAL")[2]
    log = passing.world.server.log_since(before)
    assert log.count(f'password authentication failed for user "{user}"'.encode()) == 2


def test_a_role_that_does_not_exist_has_the_same_salt_every_time(passing: Door) -> None:
    """As in PostgreSQL: an answer that changes would tell that there is no such role."""

    async def salt(user: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", passing.proxy.port)
        body = b"\0\3\0\0user\0" + user.encode() + b"\0database\0postgres\0\0"
        writer.write((len(body) + 4).to_bytes(4, "big") + body)
        assert b"SCRAM-SHA-256\0" in await reader.read(100)
        first = b"SCRAM-SHA-256\0\0\0\0\x0bn,,n=,r=CLI"
        writer.write(b"p" + (len(first) + 4).to_bytes(4, "big") + first)
        challenge = await reader.read(300)
        writer.close()
        return challenge.split(b",s=")[1]

    found = [asyncio.run(salt(user)) for user in ("nobody", "nobody", "passwordless", LOGIN.user)]
    assert found[0] == found[1]
    assert len(set(found)) == 3
    assert all(len(one) == len(found[0]) for one in found)


def test_a_password_that_was_changed_counts_at_once(passing: Door) -> None:
    with psycopg.connect(passing.world.server.dsn(), autocommit=True) as owner:
        owner.execute("CREATE ROLE changing LOGIN PASSWORD 'first'")
        owner.execute(f"GRANT changing TO {LOGIN.user}")
    with passing.world.server.data_dir.joinpath("pg_hba.conf").open("r+") as hba:  # type: ignore[union-attr]
        rules = hba.read()
        hba.seek(0)
        hba.write("host all changing 127.0.0.1/32 scram-sha-256\n" + rules)
    with psycopg.connect(passing.world.server.dsn(), autocommit=True) as owner:
        owner.execute("SELECT pg_reload_conf()")
        assert passing.whoami(user="changing", password="first", channel_binding="require") == "changing"
        owner.execute("ALTER ROLE changing PASSWORD 'second'")
        assert passing.whoami(user="changing", password="second", channel_binding="require") == "changing"
        assert "password authentication failed" in passing.refusal(user="changing", password="first")


@pytest.mark.parametrize(
    "auth",
    [
        replace(LOOKUP, password="wrong"),
        replace(LOOKUP, query="SELECT nothing FROM nowhere WHERE $1 = ''"),
        replace(LOOKUP, query="SELECT rolpassword FROM pg_authid WHERE rolname = $1"),
    ],
    ids=["cannot log in", "cannot be run", "may not read"],
)
def test_a_lookup_that_fails_lets_nobody_in(world: World, thread: LoopThread, auth: Auth) -> None:
    with door(world, thread, world.config(auth)) as closed:
        refused = closed.refusal()
        assert "could not look up how to authenticate the user" in refused
        assert "pg_authid" not in refused


def test_an_md5_role_has_no_verifier_and_is_relayed(world: World, thread: LoopThread) -> None:
    """The server asks for MD5 there, not for SCRAM."""
    login = LOGINS["md5"]
    with door(world, thread, world.config(LOOKUP)) as opened:
        assert opened.whoami(user=login.user, password=login.password) == login.user


# -- certificates ----------------------------------------------------------------------------------------------------


def test_the_proxy_shows_its_own_certificate_to_the_server(world: World, thread: LoopThread) -> None:
    """`cert` in pg_hba.conf authenticates the proxy, and whoever the proxy lets in."""
    config = world.config()
    upstream = replace(config.upstream, cert=world.client_pair.cert, key=world.client_pair.key)
    with door(world, thread, replace(config, upstream=upstream)) as opened:
        assert opened.whoami(user="certified", password=None) == "certified"
    with door(world, thread, config) as opened:
        assert "valid client certificate" in opened.refusal(user="certified", password=None)


def test_clients_show_a_certificate_where_one_is_demanded(world: World, thread: LoopThread) -> None:
    config = world.config(LOOKUP)
    listen = replace(config.listen, tls="require", client_ca=world.authority.ca)
    shown = {"sslcert": str(world.client_pair.cert), "sslkey": str(world.client_pair.key)}
    with door(world, thread, replace(config, listen=listen)) as opened:
        assert opened.whoami(**shown) == LOGIN.user
        assert opened.whoami(channel_binding="require", **shown) == LOGIN.user
        before = world.server.log_size()
        # TLS 1.3 tells the client behind the handshake; what the client has sent by then may cut that off.
        assert re.search("SSL error|server closed the connection", opened.refusal())
        assert "requires TLS" in opened.refusal(sslmode="disable")
        assert world.server.log_since(before) == b""


def test_a_certificate_of_another_authority_is_not_taken(world: World, thread: LoopThread, tmp_path: Path) -> None:
    stranger = Authority(tmp_path).issue("certified")
    config = world.config(LOOKUP)
    listen = replace(config.listen, tls="require", client_ca=world.authority.ca)
    with door(world, thread, replace(config, listen=listen)) as opened:
        before = world.server.log_size()
        assert "connection failed" in opened.refusal(sslcert=str(stranger.cert), sslkey=str(stranger.key))
        assert world.server.log_since(before) == b""


# -- direct TLS ------------------------------------------------------------------------------------------------------


def test_tls_without_sslrequest_on_every_leg_of_two_proxies(world: World, thread: LoopThread) -> None:
    with door(world, thread, world.config(LOOKUP)) as inner:
        config = world.config()
        upstream = replace(config.upstream, port=inner.proxy.port, negotiation="direct")
        # The inner proxy's certificate is bound to by the outer one, and the outer's by the client.
        with door(world, thread, replace(config, upstream=upstream, auth=LOOKUP)) as outer:
            assert outer.whoami(sslnegotiation="direct", channel_binding="require") == LOGIN.user


def test_tls_without_sslrequest_with_the_server(world: World, thread: LoopThread) -> None:
    config = world.config(LOOKUP)
    with door(world, thread, replace(config, upstream=replace(config.upstream, negotiation="direct"))) as opened:
        if world.server.version < 17:
            assert "server" in opened.refusal()
            return
        assert opened.whoami(sslnegotiation="direct", channel_binding="require") == LOGIN.user
        with psycopg.connect(**opened.options()) as connection:
            row = connection.execute("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone()
            assert row == (True, "TLSv1.3")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_both_versions_of_tls_can_be_bound_to(passing: Door, version: ssl.TLSVersion) -> None:
    spelled = version.name.replace("_", ".")
    options = {"ssl_min_protocol_version": spelled, "ssl_max_protocol_version": spelled}
    assert await asyncio.to_thread(passing.whoami, channel_binding="require", **options) == LOGIN.user


# -- cancelling ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["3.0", "latest"])
@pytest.mark.parametrize("client", ["postgres", "direct"])
def test_a_cancel_request_goes_over_tls_on_both_legs(
    world: World, thread: LoopThread, client: str, protocol: str
) -> None:
    """libpq 17 and later encrypts it; with protocol 3.2 its key is long."""
    config = world.config(LOOKUP)
    negotiation: Negotiation = "direct" if client == "direct" and world.server.version >= 17 else "postgres"
    config = replace(config, listen=replace(config.listen, tls="require"))
    with door(world, thread, replace(config, upstream=replace(config.upstream, negotiation=negotiation))) as opened:
        options = opened.options(sslnegotiation=client, max_protocol_version=protocol)
        with psycopg.connect(**options) as connection, psycopg.connect(**options) as other:
            is_long = protocol == "latest" and world.server.version >= 18
            assert connection.pgconn.full_protocol_version == (30002 if is_long else 30000)
            cancelling = threading.Thread(target=cancel_when_asleep, args=(world, connection))
            cancelling.start()
            with pytest.raises(psycopg.errors.QueryCanceled):
                connection.execute("SELECT pg_sleep(60)")
            cancelling.join()
            assert other.execute("SELECT 7").fetchone() == (7,)


def cancel_when_asleep(world: World, connection: psycopg.Connection[Any]) -> None:
    with psycopg.connect(world.server.dsn(), autocommit=True) as watcher:
        watcher.execute(
            "DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep') LOOP"
            " PERFORM pg_stat_clear_snapshot(); END LOOP; END $$"
        )
    connection.cancel_safe(timeout=20)


# -- files that are replaced -----------------------------------------------------------------------------------------


def test_certificates_of_both_legs_may_be_renewed_while_it_serves(world: World, thread: LoopThread) -> None:
    config = world.config(LOOKUP)
    place = Path(tempfile.mkdtemp(prefix="swt-", dir=world.proxy_pair.cert.parent))
    stranger = Authority(place)
    new_ca = place / "upstream.crt"
    new_ca.write_bytes(world.authority.ca.read_bytes())
    listening = place / "listen.crt", place / "listen.key"
    for path, content in zip(listening, (world.proxy_pair.cert, world.proxy_pair.key), strict=True):
        path.write_bytes(content.read_bytes())
    listen = replace(config.listen, cert=listening[0], key=listening[1])
    upstream = replace(config.upstream, ca=new_ca)
    with door(world, thread, replace(config, listen=listen, upstream=upstream)) as opened:
        assert opened.whoami(channel_binding="require") == LOGIN.user
        renewed = stranger.issue("127.0.0.1")
        for path, content in zip(listening, (renewed.cert, renewed.key), strict=True):
            path.write_bytes(content.read_bytes())
        thread.run(reloaded(opened.proxy))
        assert "certificate verify failed" in opened.refusal()
        assert opened.whoami(sslrootcert=str(stranger.ca), channel_binding="require") == LOGIN.user
        new_ca.write_bytes(stranger.ca.read_bytes())
        thread.run(reloaded(opened.proxy))
        assert "could not look up how to authenticate the user" in opened.refusal(sslrootcert=str(stranger.ca))


def test_connections_that_look_verifiers_up_do_not_outlive_a_reload(passing: Door, thread: LoopThread) -> None:
    looking = "SELECT pid FROM pg_stat_activity WHERE usename = 'lookup'"
    with psycopg.connect(passing.world.server.dsn(), autocommit=True) as watcher:
        assert passing.whoami() == LOGIN.user
        (before,) = watcher.execute(looking).fetchall()
        thread.run(reloaded(passing.proxy))
        assert passing.whoami() == LOGIN.user
        while before in (found := watcher.execute(looking).fetchall()):
            pass
        assert len(found) == 1
