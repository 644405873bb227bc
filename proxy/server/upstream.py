"""Connections to the PostgreSQL server: Unix socket or TCP, TLS negotiated as libpq does, and CancelRequest.

`sslmode` as in libpq: prefer takes TLS when the server offers it and goes on without it when it does not, or when the
handshake fails; require and above insist. Bytes that arrive together with the server's answer to SSLRequest came
before the encryption and may be an attacker's (CVE-2021-23222): they end the attempt.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from contextlib import suppress
from typing import Final

import structlog

from proxy.config import Upstream
from proxy.errors import SealwireError
from proxy.server.leg import Leg
from proxy.server.tls import is_socket_directory
from proxy.session.startup import ALPN_PROTOCOL, SSL_REQUEST

CONNECT_TIMEOUT: Final = 10.0
"""Seconds for name lookup, connection and TLS together."""

_PROBES: Final = 6
_TCP_KEEPIDLE: Final[int] = getattr(socket, "TCP_KEEPIDLE", 0x10)  # on macOS TCP_KEEPALIVE

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class CannotConnect(SealwireError):
    """The server cannot be reached as configured. The text is for the log: it may name internal addresses."""


class _HandshakeFailed(Exception):
    """The server said S, then the handshake failed."""


async def connect(upstream: Upstream, context: ssl.SSLContext | None) -> Leg:
    """A connection on which nothing but the TLS negotiation has been said. Raises CannotConnect."""
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            if context is None:
                return await _leg(await _socket(upstream))
            if upstream.negotiation == "direct":
                return await _connect_direct(upstream, context)
            try:
                return await _connect_tls(upstream, context)
            except _HandshakeFailed as error:
                if upstream.tls != "prefer":
                    raise CannotConnect(f"TLS with the server failed: {error}") from error
                _log.warning("upstream TLS failed, going on without it as tls: prefer demands", reason=str(error))
                return await _leg(await _socket(upstream))
    except TimeoutError as error:
        raise CannotConnect(f"no connection after {CONNECT_TIMEOUT:g} seconds") from error
    except OSError as error:
        raise CannotConnect(reason_of(error)) from error


async def cancel(upstream: Upstream, context: ssl.SSLContext | None, packet: bytes) -> None:
    """Deliver a CancelRequest over a connection of its own and wait until the server has taken it, which it shows by
    closing. Raises CannotConnect."""
    leg = await connect(upstream, context)
    try:
        leg.write([packet])
        with suppress(TimeoutError):
            async with asyncio.timeout(CONNECT_TIMEOUT):
                while await leg.receive():
                    pass
    finally:
        leg.close()


def reason_of(error: Exception) -> str:
    """What the log says of `error`: one of a connection that ends amid the TLS handshake has no text of its own."""
    return str(error) or "the connection was closed"


def set_socket_options(sock: socket.socket, keepalive: int) -> None:
    """No waiting for full packets, and a peer that has vanished is noticed: asked after `keepalive` seconds of silence,
    given up after about as many without an answer. With 0 the system's own times hold, two hours on Linux."""
    if sock.family == socket.AF_UNIX:
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if keepalive:
        sock.setsockopt(socket.IPPROTO_TCP, _TCP_KEEPIDLE, keepalive)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, keepalive // _PROBES))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)


async def _connect_direct(upstream: Upstream, context: ssl.SSLContext) -> Leg:
    """TLS without SSLRequest, as PostgreSQL 17 and later take it: only with ALPN, on both sides."""
    sock = await _socket(upstream)
    try:
        leg = await _leg(sock, context, upstream.host)
    except OSError as error:  # ssl.SSLError is one
        hint = ", as by servers before 17 and by those with ssl = off" if isinstance(error, ConnectionError) else ""
        raise CannotConnect(f"direct TLS with the server failed: {reason_of(error)}{hint}") from error
    tls: ssl.SSLObject | None = leg.transport.get_extra_info("ssl_object")
    if tls is None or tls.selected_alpn_protocol() != ALPN_PROTOCOL:
        leg.abort()
        raise CannotConnect("direct TLS: the server did not choose the protocol postgresql (ALPN)")
    return leg


async def _connect_tls(upstream: Upstream, context: ssl.SSLContext) -> Leg:
    loop = asyncio.get_running_loop()
    sock = await _socket(upstream)
    try:
        await loop.sock_sendall(sock, struct.pack("!ii", 8, SSL_REQUEST))
        answer = await loop.sock_recv(sock, 2)
    except BaseException:
        sock.close()
        raise
    if answer == b"S":
        try:
            return await _leg(sock, context, upstream.host)
        except OSError as error:  # ssl.SSLError is one
            raise _HandshakeFailed(reason_of(error)) from error
    if answer == b"N" and upstream.tls == "prefer":
        return await _leg(sock)
    sock.close()
    if answer == b"N":
        raise CannotConnect(f"the server does not speak TLS, but upstream.tls is {upstream.tls}")
    if answer[:1] in (b"S", b"N") and len(answer) > 1:
        raise CannotConnect("the server sent unencrypted data after its answer to the request for TLS")
    raise CannotConnect("the server's answer to the request for TLS was neither S nor N")


async def _leg(sock: socket.socket, context: ssl.SSLContext | None = None, hostname: str | None = None) -> Leg:
    """`sock` as a Leg, after the handshake where there is a context. The socket is closed on failure."""
    leg = Leg()
    try:
        await asyncio.get_running_loop().create_connection(
            lambda: leg, sock=sock, ssl=context, server_hostname=hostname if context else None
        )
    except BaseException:
        sock.close()
        raise
    return leg


async def _socket(upstream: Upstream) -> socket.socket:
    """The first address of `upstream` that answers. Raises OSError, that of the last address."""
    loop = asyncio.get_running_loop()
    if is_socket_directory(upstream.host):
        return await _try_address(socket.AF_UNIX, f"{upstream.host}/.s.PGSQL.{upstream.port}", upstream.keepalive)
    failure: OSError = OSError("the host name has no address")
    for family, _, _, _, address in await loop.getaddrinfo(upstream.host, upstream.port, type=socket.SOCK_STREAM):
        try:
            return await _try_address(family, address, upstream.keepalive)
        except OSError as error:
            failure = error
    raise failure


async def _try_address(family: int, address: object, keepalive: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        set_socket_options(sock, keepalive)
        await asyncio.get_running_loop().sock_connect(sock, address)  # type: ignore[arg-type]  # getaddrinfo's own
    except BaseException:
        sock.close()
        raise
    return sock
