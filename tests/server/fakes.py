"""A session that only passes bytes on, servers that follow a script, and an edge between them."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from proxy.config import Config, Keys, Listen, Upstream
from proxy.server.edge import Edge

CANCEL_CODE = 80877102
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def startup_message(**parameters: str) -> bytes:
    body = b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items()) + b"\0"
    return struct.pack("!ii", len(body) + 8, 0x30000) + body


START = startup_message(user="app", database="shop")


class PlainSession:
    """Passes everything on. Its states are set by the test."""

    farewell = b"shut down"

    def __init__(self, *, database: str, user: str, parameters: Mapping[str, str], **_: object) -> None:
        self.database, self.user, self.parameters = database, user, parameters
        self.wants_client = True
        self.closing = False
        self.idle = True
        self.from_client = 0
        self.from_server = 0
        self.server_is_lost = False
        self.fail_on: bytes | None = None
        self._to_client: list[bytes] = []
        self._to_server: list[bytes] = []

        self.swift_client: Callable[[bytes], bytes | None] | None = None
        self.swift_server: Callable[[bytes], bytes | None] | None = None

    def client_data(self, data: bytes) -> None:
        assert self.wants_client, "fed while it does not want to be"
        assert data
        if self.fail_on is not None and self.fail_on in data:
            raise ZeroDivisionError(data)
        self.from_client += len(data)
        self._to_server.append(data)

    def server_data(self, data: bytes) -> None:
        self.from_server += len(data)
        self._to_client.append(data)

    def take_to_client(self) -> list[bytes]:
        taken, self._to_client = self._to_client, []
        return taken

    def take_to_server(self) -> list[bytes]:
        taken, self._to_server = self._to_server, []
        return taken

    def shutdown(self) -> None:
        self._to_client.append(self.farewell)
        self._to_server.append(b"X\0\0\0\4")
        self.closing = True

    def server_lost(self) -> None:
        self.server_is_lost = True
        self._to_client.append(b"server lost")
        self.closing = True


class Sessions:
    """Makes PlainSessions and remembers them."""

    def __init__(self, kind: type[PlainSession] = PlainSession) -> None:
        self._kind = kind
        self.all: list[PlainSession] = []
        self.opened = asyncio.Event()

    def __call__(self, *, database: str, user: str, parameters: Mapping[str, str], **_: object) -> PlainSession:
        session = self._kind(database=database, user=user, parameters=parameters)
        self.all.append(session)
        self.opened.set()
        return session


def make_config(path: Path, listen: Listen | None = None, upstream: Upstream | None = None) -> Config:
    return Config(
        path=path,
        listen=listen or Listen(port=0),
        upstream=upstream or Upstream(tls="disable"),
        keys=Keys(path.with_name("keyring.json")),
        columns=path.with_name("columns.yaml"),
    )


@asynccontextmanager
async def scripted_server(script: Script, path: Path | None = None) -> AsyncIterator[int]:
    """A server on 127.0.0.1, or on the Unix socket `path`, that runs `script` for each connection; yields its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        finally:
            writer.close()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.ensure_future(serve(reader, writer)))

    if path is None:
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
    else:
        server = await asyncio.start_unix_server(connected, path)
    try:
        yield 0 if path else server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def running(
    config_file: Path,
    script: Script,
    *,
    listen: Listen | None = None,
    upstream: Upstream | None = None,
    session: type[PlainSession] = PlainSession,
) -> AsyncIterator[tuple[Edge, Sessions]]:
    """An edge in front of a scripted server; only the port of `upstream` is replaced."""
    sessions = Sessions(session)
    async with scripted_server(script) as port:
        wanted = upstream or Upstream(tls="disable")
        config = make_config(config_file, listen, replace(wanted, host="127.0.0.1", port=port))
        async with Edge(config, sessions) as edge:
            yield edge, sessions


@asynccontextmanager
async def client(
    edge: Edge, first: bytes = START, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client that has sent `first`; with `tls` it asks for TLS before, as libpq does."""
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    try:
        if tls is not None:
            writer.write(SSL_REQUEST)
            assert await reader.readexactly(1) == b"S"
            await writer.start_tls(tls, server_hostname="127.0.0.1")
        writer.write(first)
        yield reader, writer
    finally:
        writer.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Swallows the StartupMessage, then sends back what it gets. Closes after a CancelRequest, as PostgreSQL does."""
    length, code = struct.unpack("!ii", await reader.readexactly(8))
    await reader.readexactly(length - 8)
    if code == CANCEL_CODE:
        return
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
