"""The server's leg: which servers the proxy leaves, and what a server sees of the proxy."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from proxy.config import UpstreamTlsMode
from tests.server.certificates import Authority
from tests.support.stack import LoopThread
from tests.tls.conftest import LOGIN, LOOKUP, Door, World, door, reloaded

NOT_REACHED = "could not connect to the PostgreSQL server behind Sealwire"
SEEN = """
SELECT ssl, version, bits, client_dn, issuer_dn, gss_authenticated, principal, encrypted
FROM pg_stat_ssl JOIN pg_stat_gssapi USING (pid) JOIN pg_stat_activity USING (pid)
"""
INSISTING = pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])


def reason(attempt: Callable[[], str]) -> str:
    """Why the proxy left the server, from its log. The client is told that it did, and not where the server is."""
    with capture_logs() as log:
        assert NOT_REACHED in (said := attempt())
        assert "127.0.0.1" not in said.partition("FATAL")[2]
    (found,) = [entry for entry in log if entry["event"] == "cannot reach the PostgreSQL server"]
    assert found["sqlstate"] == "08001"
    return str(found["reason"])


# -- servers that are left ---------------------------------------------------------------------------------------------


@INSISTING
def test_a_server_whose_certificate_names_another_host(world: World, thread: LoopThread, mode: UpstreamTlsMode) -> None:
    for negotiation in world.negotiations:
        config = world.config()
        upstream = replace(config.upstream, tls=mode, negotiation=negotiation)
        with (
            world.showing(world.authority.issue("db.example", "192.0.2.7")),
            door(world, thread, replace(config, upstream=upstream)) as opened,
        ):
            if mode == "verify-full":
                before = world.server.log_size()
                why = reason(partial(opened.refusal, channel_binding="disable"))
                assert re.search("TLS with the server failed: .*(IP address|Hostname) mismatch", why)
                assert LOGIN.user.encode() not in world.server.log_since(before)
            else:
                assert opened.whoami(channel_binding="disable") == LOGIN.user


@INSISTING
def test_a_server_of_another_authority(world: World, thread: LoopThread, tmp_path: Path, mode: UpstreamTlsMode) -> None:
    """With `upstream.ca`, `require` looks at it too."""
    for negotiation in world.negotiations:
        config = world.config()
        upstream = replace(config.upstream, tls=mode, negotiation=negotiation)
        with (
            world.showing(Authority(tmp_path).issue("127.0.0.1")),
            door(world, thread, replace(config, upstream=upstream)) as closed,
        ):
            why = reason(partial(closed.refusal, channel_binding="disable"))
            assert "TLS with the server failed: " in why
            assert "certificate verify failed" in why


def test_require_without_an_authority_takes_any_certificate(world: World, thread: LoopThread, tmp_path: Path) -> None:
    """And binds the log-in to it all the same, so that the server would notice another one in between."""
    for negotiation in world.negotiations:
        config = world.config(LOOKUP)
        upstream = replace(config.upstream, tls="require", ca=None, negotiation=negotiation)
        with (
            world.showing(Authority(tmp_path).issue("elsewhere.example")),
            door(world, thread, replace(config, upstream=upstream)) as opened,
        ):
            assert opened.whoami(channel_binding="require") == LOGIN.user


@INSISTING
def test_a_server_without_tls(world: World, thread: LoopThread, mode: UpstreamTlsMode) -> None:
    for negotiation in world.negotiations:
        config = world.config()
        upstream = replace(config.upstream, tls=mode, negotiation=negotiation)
        with world.setting("ssl", "off"), door(world, thread, replace(config, upstream=upstream)) as closed:
            why = reason(partial(closed.refusal, channel_binding="disable"))
            if negotiation == "direct":
                assert why.startswith("direct TLS with the server failed: ")
                assert why.endswith(", as by servers before 17 and by those with ssl = off")
            else:
                assert why == f"the server does not speak TLS, but upstream.tls is {mode}"


def test_prefer_goes_on_without_tls_where_there_is_none(world: World, thread: LoopThread) -> None:
    config = world.config(LOOKUP)
    config = replace(config, upstream=replace(config.upstream, tls="prefer", ca=None))
    with door(world, thread, config) as opened:
        assert seen(opened, channel_binding="require")[0] is True
        with world.setting("ssl", "off"):
            assert seen(opened, channel_binding="require")[0] is False


# -- what the server sees ----------------------------------------------------------------------------------------------


def seen(opened: Door, **more: Any) -> tuple[Any, ...]:
    """`SEEN` of a session through the proxy."""
    with psycopg.connect(**opened.options(**more)) as connection:
        row = connection.execute(f"{SEEN} WHERE pid = pg_backend_pid()").fetchone()
    assert row is not None
    return row


@pytest.mark.parametrize("client", ["TLSv1.2", "TLSv1.3"])
@pytest.mark.parametrize("server", ["TLSv1.2", "TLSv1.3"])
def test_each_leg_has_its_own_version_of_tls(world: World, thread: LoopThread, client: str, server: str) -> None:
    only = {"ssl_min_protocol_version": client, "ssl_max_protocol_version": client, "channel_binding": "require"}
    bound = "max" if server == "TLSv1.2" else "min"
    for negotiation in world.negotiations:
        config = world.config(LOOKUP)
        upstream = replace(config.upstream, negotiation=negotiation)
        expected = (True, server, 256, None, None, False, None, False)
        with (
            world.setting(f"ssl_{bound}_protocol_version", server),
            door(world, thread, replace(config, upstream=upstream)) as opened,
        ):
            assert seen(opened, **only) == expected
            # The connection that looked the verifier up is encrypted in the same way.
            with psycopg.connect(world.server.dsn()) as owner:
                assert expected in owner.execute(f"{SEEN} WHERE usename = 'lookup'").fetchall()


def test_a_server_that_speaks_only_tls_1_1_is_left(world: World, thread: LoopThread) -> None:
    for negotiation in world.negotiations:
        config = world.config()
        upstream = replace(config.upstream, negotiation=negotiation)
        with (
            world.setting("ssl_min_protocol_version", "TLSv1.1"),
            world.setting("ssl_max_protocol_version", "TLSv1.1"),
            door(world, thread, replace(config, upstream=upstream)) as closed,
        ):
            assert "TLS with the server failed" in reason(closed.refusal)


def test_the_server_sees_the_proxys_certificate_and_never_the_clients(world: World, thread: LoopThread) -> None:
    badge = world.authority.issue("proxy.example")
    issuer = f"/CN=CA of {world.authority.ca.parent.name}"
    shown = {"sslcert": str(world.client_pair.cert), "sslkey": str(world.client_pair.key)}
    for negotiation in world.negotiations:
        config = world.config(LOOKUP)
        listen = replace(config.listen, tls="require", client_ca=world.authority.ca)
        upstream = replace(config.upstream, cert=badge.cert, key=badge.key, negotiation=negotiation)
        with door(world, thread, replace(config, listen=listen, upstream=upstream)) as opened:
            found = seen(opened, channel_binding="require", **shown)
        assert found == (True, "TLSv1.3", 256, "/CN=proxy.example", issuer, False, None, False)


def test_hostssl_lets_in_with_tls_on_the_servers_leg_only(world: World, thread: LoopThread) -> None:
    """Whether the client's leg has TLS is not the server's to know."""
    who = {"user": "encrypted", "password": "pencil"}
    config = world.config(LOOKUP)
    with door(world, thread, config) as opened:
        assert opened.whoami(**who) == opened.whoami(sslmode="disable", **who) == "encrypted"
    with door(world, thread, replace(config, upstream=replace(config.upstream, tls="disable"))) as plain:
        for mode in ("verify-full", "disable"):
            said = plain.refusal(sslmode=mode, **who)
            assert 'pg_hba.conf rejects connection for host "127.0.0.1", user "encrypted"' in said
            assert "no encryption" in said


def test_clientcert_is_about_the_proxys_own_certificate(world: World, thread: LoopThread) -> None:
    """verify-ca: any of the authority, beside the password. verify-full: only that of the role itself."""
    pair = world.authority.issue("fitting")
    config = world.config(LOOKUP)
    for negotiation in world.negotiations:
        upstream = replace(config.upstream, negotiation=negotiation)
        with door(world, thread, replace(config, upstream=upstream)) as bare:
            for user in ("badge", "fitting"):
                refused = bare.refusal(user=user, password="pencil")
                assert "connection requires a valid client certificate" in refused
        upstream = replace(upstream, cert=pair.cert, key=pair.key)
        with door(world, thread, replace(config, upstream=upstream)) as opened:
            for user in ("badge", "fitting"):
                assert opened.whoami(user=user, password="pencil", channel_binding="require") == user
                assert "password authentication failed" in opened.refusal(user=user, password="wrong")
            assert 'authentication failed for user "misfit"' in opened.refusal(user="misfit", password="pencil")


# -- certificates that are renewed -------------------------------------------------------------------------------------


def test_the_servers_certificate_may_be_renewed_by_its_authority_at_any_time(world: World, thread: LoopThread) -> None:
    for negotiation in world.negotiations:
        config = world.config(LOOKUP)
        upstream = replace(config.upstream, negotiation=negotiation)
        with door(world, thread, replace(config, upstream=upstream)) as opened:
            renewed = world.authority.issue("127.0.0.1")
            with psycopg.connect(**opened.options()) as old, world.showing(renewed):
                assert opened.whoami(channel_binding="require") == LOGIN.user
                assert old.execute("SELECT 7").fetchone() == (7,)
            assert opened.whoami(channel_binding="require") == LOGIN.user


def test_another_authority_is_brought_in_beside_the_old_one(world: World, thread: LoopThread, tmp_path: Path) -> None:
    """Both stand in `upstream.ca` until the server has its new certificate: nobody is refused in between."""
    successor = Authority(tmp_path)
    ca = tmp_path / "upstream.crt"
    ca.write_bytes(world.authority.ca.read_bytes())
    config = world.config(LOOKUP)
    with door(world, thread, replace(config, upstream=replace(config.upstream, ca=ca))) as opened:
        assert opened.whoami(channel_binding="require") == LOGIN.user
        ca.write_bytes(world.authority.ca.read_bytes() + successor.ca.read_bytes())
        thread.run(reloaded(opened.proxy))
        assert opened.whoami(channel_binding="require") == LOGIN.user
        with world.showing(successor.issue("127.0.0.1")):
            assert opened.whoami(channel_binding="require") == LOGIN.user
            ca.write_bytes(successor.ca.read_bytes())
            thread.run(reloaded(opened.proxy))
            assert opened.whoami(channel_binding="require") == LOGIN.user
        # Back at its old certificate, whose authority is not trusted any more. The lookup's connection is still there.
        assert "certificate verify failed" in reason(opened.refusal)
