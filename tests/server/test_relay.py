"""The relay between a client, a session that passes bytes on, and a server that follows a script."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from proxy.config import Listen, Upstream
from proxy.server import leg
from proxy.server.edge import Edge
from proxy.server.relay import Relay
from tests.server.fakes import (
    SSL_REQUEST,
    START,
    PlainSession,
    Sessions,
    client,
    echo,
    make_config,
    running,
    scripted_server,
    startup_message,
)


async def test_the_startup_message_reaches_the_server_as_it_came(config_file: Path) -> None:
    seen = asyncio.get_running_loop().create_future()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.set_result(await reader.readexactly(len(message)))

    message = startup_message(user="app", database="shop", options="-c x=y")
    async with running(config_file, script) as (edge, sessions), client(edge, message):
        assert await seen == message
        (session,) = sessions.all
        assert (session.user, session.database, session.parameters["options"]) == ("app", "shop", "-c x=y")


async def test_bytes_go_both_ways_also_those_that_came_with_the_start(config_file: Path) -> None:
    async with running(config_file, echo) as (edge, _), client(edge, START + b"early") as (reader, writer):
        assert await reader.readexactly(5) == b"early"
        writer.write(b"late")
        assert await reader.readexactly(4) == b"late"


async def test_the_client_is_not_heard_while_the_session_waits_for_the_server(config_file: Path) -> None:
    go = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(START))
        assert await reader.readexactly(5) == b"first"
        await go.wait()
        writer.write(b"answer")
        assert await reader.readexactly(6) == b"second"
        writer.write(b"done")
        await reader.read()

    class Waits(PlainSession):
        def client_data(self, data: bytes) -> None:
            super().client_data(data)
            self.wants_client = False

        def server_data(self, data: bytes) -> None:
            super().server_data(data)
            self.wants_client = True

    async with running(config_file, script, session=Waits) as (edge, _), client(edge) as (reader, writer):
        writer.write(b"first")
        await writer.drain()
        writer.write(b"second")
        await writer.drain()
        go.set()
        assert await reader.readexactly(6) == b"answer"
        assert await reader.readexactly(4) == b"done"


async def test_a_client_that_ends_its_side_still_gets_its_answers(config_file: Path) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"all of: " + (await reader.read(-1))[len(START) :])

    async with running(config_file, script) as (edge, _), client(edge, START + b"question") as (reader, writer):
        writer.write_eof()
        assert await reader.read() == b"all of: question"


async def test_a_client_that_ends_its_side_is_let_go_where_the_server_cannot_be_told(
    config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard, leg_eof = asyncio.Event(), Relay.leg_eof

    def hear(relay: Relay, ended: leg.Leg) -> None:
        leg_eof(relay, ended)
        heard.set()

    monkeypatch.setattr(Relay, "leg_eof", hear)
    monkeypatch.setattr(leg.Leg, "write_eof", lambda _: False)  # as over TLS

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(START))
        await heard.wait()
        writer.write(b"answer")
        await reader.read()

    class Asks(PlainSession):
        """Has a short way for the answer as well."""

        def __init__(self, *, database: str, user: str, parameters: Mapping[str, str]) -> None:
            super().__init__(database=database, user=user, parameters=parameters)
            self.idle = False
            self.swift_server = self.answered

        def answered(self, data: bytes) -> bytes:
            self.idle = True
            return data

        def server_data(self, data: bytes) -> None:
            super().server_data(self.answered(data))

    async with running(config_file, script, session=Asks) as (edge, _), client(edge) as (reader, writer):
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 20) == b"answer"


async def test_a_client_that_vanishes_ends_the_server_side_without_a_made_up_terminate(config_file: Path) -> None:
    got = asyncio.get_running_loop().create_future()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(START))
        writer.write(b"hello")
        got.set_result(await reader.read())

    async with running(config_file, script) as (edge, _):
        async with client(edge) as (reader, writer):
            assert await reader.readexactly(5) == b"hello"
            writer.write(b"Q\0\0\0\x20select 'cut sho")
        assert await got == b"Q\0\0\0\x20select 'cut sho"


async def test_when_the_server_goes_the_session_says_so_and_the_client_is_closed(config_file: Path) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(START))
        writer.write(b"last words, ")

    async with running(config_file, script) as (edge, sessions), client(edge) as (reader, _):
        assert await reader.read() == b"last words, server lost"
        assert sessions.all[0].server_is_lost


async def test_an_error_inside_the_session_cuts_both_sides_and_logs_no_payload(
    config_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    got = asyncio.get_running_loop().create_future()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(START))
        writer.write(b"hello")
        try:
            got.set_result(await reader.read())
        except ConnectionError:
            got.set_result(b"")

    async with running(config_file, script) as (edge, sessions), client(edge) as (reader, writer):
        await reader.readexactly(5)
        sessions.all[0].fail_on = b"canary"
        writer.write(b"a canary")
        with_reset = asyncio.create_task(reader.read())
        await asyncio.wait([with_reset])
        assert with_reset.exception() is not None or with_reset.result() == b""
        assert await got == b""
    output = "".join(capfd.readouterr())
    assert "ZeroDivisionError" in output
    assert "canary" not in output


async def test_a_slow_client_stops_the_server_and_nothing_piles_up(config_file: Path) -> None:
    total, piece = 200 * 1024 * 1024, bytes(1024 * 1024)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(START))
        for _ in range(total // len(piece)):
            writer.write(piece)
            await writer.drain()
        await reader.read()

    async with running(config_file, script) as (edge, sessions):
        loop = asyncio.get_running_loop()
        with socket.create_connection(("127.0.0.1", edge.port)) as sock:
            sock.setblocking(False)
            await loop.sock_sendall(sock, START)
            received = highest = 0
            while received < total:
                received += len(await loop.sock_recv(sock, 1 << 20))
                (connection,) = edge.connections
                assert connection.relay is not None
                highest = max(highest, connection.relay.buffered)
            assert received == total == sessions.all[0].from_server
            assert highest <= 2 * leg.WRITE_HIGH_WATER


async def test_a_slow_server_stops_the_client(config_file: Path) -> None:
    go = asyncio.Event()
    total = 64 * 1024 * 1024

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(START))
        writer.write(b"ready")
        await go.wait()
        left = total
        while left:
            left -= len(await reader.read(1 << 20))
        writer.write(b"done")
        await reader.read()

    async with running(config_file, script) as (edge, sessions), client(edge) as (reader, writer):
        await reader.readexactly(5)
        writer.transport.set_write_buffer_limits(high=0)
        writer.write(bytes(total))
        (connection,) = edge.connections
        assert connection.relay is not None
        before = -1
        while before != sessions.all[0].from_client or not before:
            before = sessions.all[0].from_client
            await asyncio.wait([asyncio.create_task(writer.drain())], timeout=0.2)
        assert connection.relay.buffered <= 2 * leg.WRITE_HIGH_WATER
        assert before < total
        go.set()
        assert await reader.readexactly(4) == b"done"


async def test_a_server_that_cannot_be_reached_is_one_fatal_error_without_addresses(config_file: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        config = make_config(config_file, upstream=Upstream("127.0.0.1", port, "disable"))
        async with Edge(config, Sessions()) as edge, client(edge) as (reader, _):
            answer = await reader.read()
    assert answer[:1] == b"E"
    assert struct.unpack_from("!i", answer, 1) == (len(answer) - 1,)
    assert b"C08001\0Mcould not connect to the PostgreSQL server behind Sealwire\0" in answer
    assert b"127.0.0.1" not in answer
    assert str(port).encode() not in answer


async def test_unix_sockets_on_both_sides(config_file: Path, tmp_path: Path) -> None:
    (tmp_path / "up").mkdir()
    config = make_config(
        config_file, Listen(str(tmp_path), 6432, tls="require"), Upstream(str(tmp_path / "up"), 5432, "verify-full")
    )
    async with scripted_server(echo, tmp_path / "up" / ".s.PGSQL.5432"):
        async with Edge(config, Sessions()):
            reader, writer = await asyncio.open_unix_connection(tmp_path / ".s.PGSQL.6432")
            writer.write(START + b"over sockets")
            assert await reader.readexactly(12) == b"over sockets"
            writer.close()
        assert not (tmp_path / ".s.PGSQL.6432").exists()


async def test_a_cancel_request_gets_a_connection_of_its_own_and_its_bytes_arrive_unchanged(config_file: Path) -> None:
    seen = asyncio.get_running_loop().create_future()
    request = struct.pack("!iii", 12 + 32, 80877102, 99) + bytes(range(32))

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.set_result(await reader.readexactly(len(request)))

    async with running(config_file, script) as (edge, sessions), client(edge, request) as (reader, _):
        assert await reader.read() == b""
        assert await seen == request
        assert sessions.all == []


async def test_shutdown_ends_idle_sessions_and_waits_for_the_others(config_file: Path) -> None:
    async with running(config_file, echo) as (edge, sessions), client(edge) as (idle, _):
        await sessions.opened.wait()
        async with client(edge, START + b"x") as (busy, busy_writer):
            assert await busy.readexactly(1) == b"x"
            sessions.all[1].idle = False
            port = edge.port
            ending = asyncio.create_task(edge.shutdown(30))
            assert await idle.read() == b"shut down"
            busy_writer.write(b"commit")
            assert await busy.readexactly(6) == b"commit"
            assert not ending.done()
            sessions.all[1].idle = True
            busy_writer.write(b"next")
            assert await busy.read() in (b"nextshut down", b"shut down")
            await ending
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", port)


async def test_a_second_shutdown_without_grace_cuts_what_still_runs(config_file: Path) -> None:
    async with running(config_file, echo) as (edge, sessions), client(edge, START + b"x") as (reader, _):
        await reader.readexactly(1)
        sessions.all[0].idle = False
        graceful = asyncio.create_task(edge.shutdown(600))
        await edge.shutdown(0)
        await graceful
        assert edge.connections == frozenset()


async def test_garbage_at_the_listener_harms_nobody(config_file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(2021)
    seeds = [START, SSL_REQUEST, struct.pack("!iiii", 16, 80877102, 1, 2), b"\x16\x03\x01\x02\x00\x01", b""]

    def mutated() -> bytes:
        data = bytearray(chance.choice(seeds) + chance.randbytes(chance.randrange(12)))
        for _ in range(chance.randrange(4)):
            if data:
                data[chance.randrange(len(data))] = chance.randrange(256)
        return bytes(data)

    async def knock(edge: Edge, data: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        writer.write(data)
        writer.write_eof()
        with suppress(ConnectionError):
            await reader.read()
        writer.close()

    async with running(config_file, echo) as (edge, _):
        for _ in range(40):
            await asyncio.gather(*(knock(edge, mutated()) for _ in range(25)))
        async with client(edge, START + b"still here") as (reader, _):
            assert await reader.readexactly(10) == b"still here"
        assert len(edge.connections) == 1
    assert "internal error" not in "".join(capfd.readouterr())
