"""The protocol version that libpq 18 and the server agree on with TLS on both legs: the same as without a proxy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from proxy.config import Auth
from tests.support.servers import LOGINS
from tests.support.stack import LoopThread
from tests.tls.conftest import LOGIN, LOOKUP, Door, World, door

VERSIONS = [
    {"min_protocol_version": "3.2", "max_protocol_version": "3.2"},
    {"min_protocol_version": "3.2", "max_protocol_version": "latest"},
    {"min_protocol_version": "3.0", "max_protocol_version": "latest"},
    {"min_protocol_version": "3.0", "max_protocol_version": "3.0"},
    {},
]
AUTHS = pytest.mark.parametrize("auth", [None, LOOKUP], ids=["relayed", "bound"])


def outcome(**options: Any) -> tuple[int, str]:
    """The version that was agreed on and who is logged in; or 0 and what libpq says of the server's answer."""
    try:
        with psycopg.connect(**options) as connection:
            row = connection.execute("SELECT current_user").fetchone()
            assert row is not None
            return connection.pgconn.full_protocol_version, str(row[0])
    except psycopg.OperationalError as error:
        return 0, str(error).rpartition(" failed: ")[2]


def doors(world: World, thread: LoopThread, auth: Auth | None) -> Iterator[Door]:
    """A proxy for each of the ways in which TLS may begin with the server."""
    for negotiation in world.negotiations:
        config = world.config(auth)
        config = replace(config, listen=replace(config.listen, tls="require"))
        with door(world, thread, replace(config, upstream=replace(config.upstream, negotiation=negotiation))) as opened:
            yield opened


@AUTHS
@pytest.mark.parametrize("versions", VERSIONS, ids=lambda one: "-".join(one.values()) or "default")
def test_libpq_gets_the_version_that_the_server_gives_it(
    world: World, thread: LoopThread, auth: Auth | None, versions: dict[str, str]
) -> None:
    with_tls = {"sslmode": "verify-full", "sslrootcert": str(world.authority.ca), "dbname": "postgres"}
    bound = "require" if auth else "disable"
    who = {"user": LOGIN.user, "password": LOGIN.password, "channel_binding": bound}
    direct = outcome(host="127.0.0.1", port=world.server.port, **with_tls, **who, **versions)
    for opened in doors(world, thread, auth):
        for sslnegotiation in ("postgres", "direct"):
            options = opened.options(sslnegotiation=sslnegotiation, channel_binding=bound, **versions)
            assert outcome(**options) == direct
    if world.server.version >= 18 and versions.get("max_protocol_version", "3.0") != "3.0":
        assert direct == (30002, LOGIN.user)
    elif versions.get("min_protocol_version") == "3.2":
        assert direct[0] == 0
        assert "3.0" in direct[1]
    else:
        assert direct == (30000, LOGIN.user)


def test_a_server_that_asks_for_a_password_in_another_way_too(world: World, thread: LoopThread) -> None:
    """NegotiateProtocolVersion comes before the question."""
    for method in ("md5", "password"):
        login = LOGINS[method]
        for opened in doors(world, thread, None):
            options = opened.options(user=login.user, password=login.password, max_protocol_version="latest")
            assert outcome(**options) == (30002 if world.server.version >= 18 else 30000, login.user)
