"""TLS on both legs: certificates made for the run, a scripted server that speaks TLS as PostgreSQL does."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import struct
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from structlog.testing import capture_logs

from proxy.config import Auth, Listen, Upstream, UpstreamTlsMode
from proxy.config.model import Negotiation
from proxy.errors import ConfigError
from proxy.server import tls
from proxy.server.edge import Edge
from proxy.server.leg import WRITE_HIGH_WATER
from tests.server.certificates import Authority, Pair
from tests.server.fakes import SSL_REQUEST, START, Script, Sessions, client, echo, make_config, running, scripted_server


def tls_server(pair: Pair, *, answer: bytes = b"S") -> Script:
    """Answers SSLRequest with `answer`, shakes hands after an S, then is `echo`, naming the encryption first."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(8)
        if first == SSL_REQUEST:
            writer.write(answer)
            if answer == b"S":
                await writer.start_tls(pair.server_context())
            elif answer != b"N":
                await reader.read()
                return
            first = await reader.readexactly(8)
        writer.write(b"T" if writer.get_extra_info("ssl_object") else b"P")
        (length,) = struct.unpack_from("!i", first)
        await reader.readexactly(length - 8)
        while data := await reader.read(65536):
            writer.write(data)

    return script


@pytest.fixture(scope="session")
def pair(authority: Authority) -> Pair:
    return authority.issue("127.0.0.1", "localhost")


# -- the client's leg --------------------------------------------------------------------------------------------------


def listening(pair: Pair, mode: str = "prefer") -> Listen:
    assert mode in ("prefer", "require")
    return Listen(port=0, tls="require" if mode == "require" else "prefer", cert=pair.cert, key=pair.key)


@pytest.mark.parametrize("mode", ["prefer", "require"])
async def test_a_client_that_asks_for_tls_gets_it(
    config_file: Path, authority: Authority, pair: Pair, mode: str
) -> None:
    async with (
        running(config_file, echo, listen=listening(pair, mode)) as (edge, _),
        client(edge, START + b"secret", tls=authority.client_context()) as (reader, writer),
    ):
        assert await reader.readexactly(6) == b"secret"
        assert writer.get_extra_info("ssl_object").version() in ("TLSv1.2", "TLSv1.3")
        writer.write(bytes(3_000_000))
        assert await reader.readexactly(3_000_000) == bytes(3_000_000)


async def test_a_slow_tls_client_stops_the_server_and_nothing_piles_up(
    config_file: Path, authority: Authority, pair: Pair
) -> None:
    total, piece = 64 * 1024 * 1024, bytes(1024 * 1024)
    sent = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readexactly(len(START))
        while sent < total:
            writer.write(piece)
            sent += len(piece)
            await writer.drain()
        await reader.read()

    async with (
        running(config_file, script, listen=listening(pair)) as (edge, sessions),
        client(edge, tls=authority.client_context()) as (reader, _),
    ):
        received = highest = 0
        while received < total:
            received += len(await reader.read(1 << 20))
            (connection,) = edge.connections
            assert connection.relay is not None
            highest = max(highest, connection.relay.buffered)
        assert received == total == sessions.all[0].from_server
        assert highest <= 4 * WRITE_HIGH_WATER


async def test_direct_tls_needs_alpn(config_file: Path, authority: Authority, pair: Pair) -> None:
    async with running(config_file, echo, listen=listening(pair, "require")) as (edge, _):
        context = authority.client_context()
        context.set_alpn_protocols(["postgresql"])
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port, ssl=context)
        writer.write(START + b"direct")
        assert await reader.readexactly(6) == b"direct"
        writer.close()

        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port, ssl=authority.client_context())
        writer.write(START)
        assert await reader.read() == b""
        writer.close()


async def test_direct_tls_is_closed_where_no_tls_is_configured(config_file: Path, authority: Authority) -> None:
    async with running(config_file, echo) as (edge, _):
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", edge.port, ssl=authority.client_context())


async def test_a_plain_client_is_let_in_by_prefer_and_refused_by_require(config_file: Path, pair: Pair) -> None:
    async with (
        running(config_file, echo, listen=listening(pair)) as (edge, _),
        client(edge, START + b"hi") as (reader, _),
    ):
        assert await reader.readexactly(2) == b"hi"
    async with running(config_file, echo, listen=listening(pair, "require")) as (edge, sessions):
        async with client(edge, START) as (reader, _):
            assert b"C28000\0Mthis server requires TLS\0" in await reader.read()
        assert sessions.all == []


async def test_bytes_sent_ahead_of_the_handshake_never_become_part_of_the_session(
    config_file: Path, pair: Pair
) -> None:
    """CVE-2021-23214."""
    async with running(config_file, echo, listen=listening(pair)) as (edge, sessions):
        async with client(edge, SSL_REQUEST + START) as (reader, _):
            assert await reader.readexactly(1) == b"S"
            with suppress(ConnectionError):
                assert await reader.read() == b"", "the handshake fails"
        assert sessions.all == []


async def test_new_connections_get_the_certificate_that_was_reloaded(
    config_file: Path, tmp_path: Path, authority: Authority, other_authority: Authority
) -> None:
    cert, key = tmp_path / "server.crt", tmp_path / "server.key"

    def install(pair: Pair) -> None:
        cert.write_bytes(pair.cert.read_bytes())
        key.write_bytes(pair.key.read_bytes())

    install(authority.issue("127.0.0.1"))
    async with running(config_file, echo, listen=Listen(port=0, tls="require", cert=cert, key=key)) as (edge, _):
        async with client(edge, START + b"1", tls=authority.client_context()) as (old, old_writer):
            assert await old.readexactly(1) == b"1"
            install(other_authority.issue("127.0.0.1"))
            assert edge.reload_tls()
            async with client(edge, START + b"2", tls=other_authority.client_context()) as (new, _):
                assert await new.readexactly(1) == b"2"
            old_writer.write(b"3")
            assert await old.readexactly(1) == b"3"
        cert.write_text("not a certificate")
        assert not edge.reload_tls()
        async with client(edge, START + b"4", tls=other_authority.client_context()) as (reader, _):
            assert await reader.readexactly(1) == b"4"


# -- the server's leg --------------------------------------------------------------------------------------------------

REFUSED = b"E"
MATRIX: list[tuple[UpstreamTlsMode, str, str, bytes]] = [
    # upstream.tls, CA configured, what the server offers -> T(LS), P(lain) or E(rror)
    ("disable", "none", "tls", b"P"),
    ("prefer", "none", "tls", b"T"),
    ("prefer", "none", "plain", b"P"),
    ("prefer", "right", "tls", b"T"),
    ("prefer", "wrong", "tls", b"P"),
    ("require", "none", "tls", b"T"),
    ("require", "none", "plain", REFUSED),
    ("require", "right", "other name", b"T"),
    ("require", "wrong", "tls", REFUSED),
    ("verify-ca", "right", "other name", b"T"),
    ("verify-ca", "wrong", "tls", REFUSED),
    ("verify-ca", "right", "plain", REFUSED),
    ("verify-full", "right", "tls", b"T"),
    ("verify-full", "right", "other name", REFUSED),
    ("verify-full", "wrong", "tls", REFUSED),
]


@pytest.mark.parametrize(("mode", "ca", "offer", "expected"), MATRIX)
async def test_upstream_modes_mean_what_sslmode_means(
    config_file: Path,
    authority: Authority,
    other_authority: Authority,
    pair: Pair,
    mode: UpstreamTlsMode,
    ca: str,
    offer: str,
    expected: bytes,
) -> None:
    certificate = authority.issue("db.example") if offer == "other name" else pair
    script = tls_server(certificate, answer=b"N" if offer == "plain" else b"S")
    ca_file = {"none": None, "right": authority.ca, "wrong": other_authority.ca}[ca]
    async with (
        running(config_file, script, upstream=Upstream(tls=mode, ca=ca_file)) as (edge, _),
        client(edge, START + b"hello") as (reader, _),
    ):
        assert await reader.readexactly(1) == expected
        if expected == REFUSED:
            assert b"C08001" in await reader.read()
        else:
            assert await reader.readexactly(5) == b"hello"


@pytest.mark.parametrize("mode", ["prefer", "require"])
@pytest.mark.parametrize("answer", [b"SE", b"NR", b"E", b"HTTP", b"\0"])
async def test_a_server_that_says_more_than_s_or_n_before_the_handshake_is_left(
    config_file: Path, pair: Pair, mode: UpstreamTlsMode, answer: bytes
) -> None:
    """CVE-2021-23222."""
    async with (
        running(config_file, tls_server(pair, answer=answer), upstream=Upstream(tls=mode)) as (edge, sessions),
        client(edge) as (reader, _),
    ):
        assert b"C08001" in await reader.read()
        assert sessions.all == []


async def test_a_cancel_request_goes_over_tls_too(config_file: Path, pair: Pair) -> None:
    seen = asyncio.get_running_loop().create_future()
    request = struct.pack("!iiii", 16, 80877102, 99, 7)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(8) == SSL_REQUEST
        writer.write(b"S")
        await writer.start_tls(pair.server_context())
        seen.set_result(await reader.readexactly(16))

    async with running(config_file, script, upstream=Upstream(tls="require")) as (edge, _):
        async with client(edge, request) as (reader, _):
            assert await reader.read() == b""
        assert await seen == request


# -- configuration -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["prefer", "require"])
def test_offering_tls_needs_a_certificate(config_file: Path, mode: str) -> None:
    listen = Listen(tls="prefer" if mode == "prefer" else "require")
    with pytest.raises(ConfigError, match=r"listen\.cert: listen\.tls: .* needs a certificate"):
        tls.client_leg_context(make_config(config_file, listen))


def test_files_that_cannot_be_used_are_named(
    config_file: Path, tmp_path: Path, pair: Pair, authority: Authority
) -> None:
    missing, garbage, other = tmp_path / "missing", tmp_path / "garbage", authority.issue("other")
    garbage.write_text("garbage")
    for cert, key, message in (
        (missing, pair.key, f"listen.cert: cannot read {missing} .No such file or directory."),
        (pair.cert, missing, f"listen.key: cannot read {missing} .No such file or directory."),
        (garbage, pair.key, f"listen.cert: cannot use {garbage}"),
        (pair.cert, garbage, f"listen.cert: cannot use {pair.cert} with key {garbage}"),
        (pair.cert, other.key, f"listen.key: {other.key} is not the private key of {pair.cert}"),
    ):
        with pytest.raises(ConfigError, match=message):
            tls.client_leg_context(make_config(config_file, Listen(tls="prefer", cert=cert, key=key)))
    for ca, message in (
        (None, "upstream.ca: upstream.tls: verify-ca needs a CA certificate"),
        (missing, f"upstream.ca: cannot read {missing}"),
        (garbage, f"upstream.ca: {garbage} holds no CA certificate"),
    ):
        with pytest.raises(ConfigError, match=message):
            tls.upstream_context(make_config(config_file, upstream=Upstream(tls="verify-ca", ca=ca)))


def test_an_encrypted_key_is_an_error_and_no_question(config_file: Path, tmp_path: Path, pair: Pair) -> None:
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    locked = tmp_path / "locked.key"
    locked.write_bytes(key.private_bytes(pem, pkcs8, serialization.BestAvailableEncryption(b"secret")))
    with pytest.raises(ConfigError, match="cannot use"):
        tls.client_leg_context(make_config(config_file, Listen(tls="prefer", cert=pair.cert, key=locked)))


def test_old_tls_is_not_spoken(config_file: Path, pair: Pair) -> None:
    context = tls.client_leg_context(make_config(config_file, listening(pair)))
    assert context is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("section", ["listen", "upstream"])
@pytest.mark.parametrize("fault", ["no certificate", "another key", "no authority"])
def test_what_is_wrong_with_the_files_of_a_leg_is_named(
    config_file: Path, tmp_path: Path, pair: Pair, other_authority: Authority, section: str, fault: str
) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("nothing")
    cert = broken if fault == "no certificate" else pair.cert
    key = other_authority.issue("other").key if fault == "another key" else pair.key
    authority = broken if fault == "no authority" else None
    if section == "listen":
        config = make_config(config_file, Listen(port=0, tls="require", cert=cert, key=key, client_ca=authority))
    else:
        config = make_config(config_file, upstream=Upstream(tls="require", cert=cert, key=key, ca=authority))
    with pytest.raises(ConfigError) as caught:
        Edge(config, Sessions())
    named = {
        "no certificate": "cert",
        "another key": "key",
        "no authority": "client_ca" if section == "listen" else "ca",
    }
    assert caught.value.key == f"{section}.{named[fault]}"


def test_the_certificate_that_clients_see_can_be_bound_to(config_file: Path, tmp_path: Path, pair: Pair) -> None:
    """tls-server-end-point (RFC 5929): the hash of the first certificate in the file."""
    der = ssl.PEM_cert_to_DER_cert(pair.cert.read_text())
    chain = tmp_path / "chain.pem"
    chain.write_text("Subject: a comment\n" + pair.cert.read_text() + pair.cert.read_text())
    for cert in (pair.cert, chain):
        config = make_config(config_file, Listen(port=0, tls="prefer", cert=cert, key=pair.key))
        assert tls.client_leg_binding(config) == hashlib.sha256(der).digest()
    assert tls.client_leg_binding(make_config(config_file, Listen(port=0, cert=pair.cert, key=pair.key))) is None
    chain.write_text("-----END CERTIFICATE-----")
    with pytest.raises(ConfigError, match=r"listen\.cert: .* holds no certificate"):
        tls.client_leg_binding(make_config(config_file, Listen(port=0, tls="prefer", cert=chain, key=pair.key)))


async def direct_server(pair: Pair, alpn: list[str]) -> asyncio.Server:
    """Speaks TLS at once, as PostgreSQL 17 does, and is then an echo that names the protocol first."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (length,) = struct.unpack("!i", await reader.readexactly(4))
        await reader.readexactly(length - 4)
        writer.write((writer.get_extra_info("ssl_object").selected_alpn_protocol() or "none").encode())
        await reader.read()
        writer.close()

    context = pair.server_context()
    if alpn:
        context.set_alpn_protocols(alpn)
    return await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)


@pytest.mark.parametrize(("alpn", "trusted", "expected"), [
    (["postgresql"], True, b"postgresql"),
    ([], True, b"C08001"),
    (["postgresql"], False, b"C08001"),
])  # fmt: skip
async def test_direct_tls_with_the_server_needs_its_alpn_and_its_certificate(
    config_file: Path,
    authority: Authority,
    other_authority: Authority,
    pair: Pair,
    alpn: list[str],
    trusted: bool,
    expected: bytes,
) -> None:
    server = await direct_server(pair, alpn)
    ca = authority.ca if trusted else other_authority.ca
    upstream = Upstream(port=server.sockets[0].getsockname()[1], tls="verify-full", ca=ca, negotiation="direct")
    async with (
        server,
        Edge(make_config(config_file, upstream=upstream), Sessions()) as edge,
        client(edge) as (reader, _),
    ):
        assert expected in await reader.read(200)


async def test_direct_tls_never_goes_on_without_tls(config_file: Path) -> None:
    """A server that does not speak it, such as PostgreSQL 16, ends the attempt."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async with (
        running(config_file, script, upstream=Upstream(tls="require", negotiation="direct")) as (edge, sessions),
        client(edge) as (reader, _),
    ):
        assert b"C08001" in await reader.read()
        assert sessions.all == []


@pytest.mark.parametrize(
    ("negotiation", "auth", "expected"),
    [
        ("postgres", Auth(), "TLS with the server failed: the connection was closed"),
        ("direct", Auth(), "direct TLS with the server failed: the connection was closed, as by servers before 17"),
        ("direct", Auth(mode="scram", user="lookup"), "the connection was closed"),
    ],
)
async def test_the_log_says_why_where_the_server_closes_instead_of_shaking_hands(
    config_file: Path, negotiation: Negotiation, auth: Auth, expected: str
) -> None:
    """asyncio has no text for that."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.read(8) == SSL_REQUEST:
            writer.write(b"S")
            await reader.read(1)

    async with scripted_server(script) as port:
        upstream = Upstream(port=port, tls="require", negotiation=negotiation)
        config = replace(make_config(config_file, upstream=upstream), auth=auth)
        with capture_logs() as log:
            async with Edge(config, Sessions()) as edge, client(edge) as (reader, _):
                assert await reader.read()
    (reason,) = [entry["reason"] for entry in log if "reason" in entry]
    assert reason.startswith(expected)
