"""SSLRequest and GSSENCRequest in every order, with and without bytes behind them: what the server itself answers."""

from __future__ import annotations

import contextlib
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import replace

import pytest

from proxy.config import Config, Listen, Upstream
from tests.golden.conversation import agree, comparable
from tests.support.stack import LoopThread
from tests.tls.conftest import World, door
from tests.tls.negotiation import GSS, SSL, Client, Place, Script, scripts, spelled

_BODY = b"user\0postgres\0database\0postgres\0application_name\0negotiation\0\0"
START = struct.pack("!ii", 8 + len(_BODY), 0x30000) + _BODY
Item = bytes | str


@contextlib.contextmanager
def places(world: World, thread: LoopThread, transport: str) -> Iterator[tuple[Place, Place]]:
    """The server, and a proxy before it that is reached in the same way."""
    config = world.config()
    with contextlib.ExitStack() as stack:
        direct = Place("127.0.0.1", world.server.port)
        if transport == "unix":
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="swt-"))
            config = replace(
                config, listen=Listen(host=directory, port=6432), upstream=plain(config, world.server.host)
            )
            direct = Place(world.server.host, world.server.port)
        elif transport == "plain":
            config = replace(config, listen=Listen(port=0), upstream=plain(config, "127.0.0.1"))
            stack.enter_context(world.setting("ssl", "off"))
        opened = stack.enter_context(door(world, thread, config))
        yield direct, Place(opened.proxy.host, opened.proxy.port)


def plain(config: Config, host: str) -> Upstream:
    return replace(config.upstream, host=host, tls="disable", ca=None)


def heard(place: Place, script: Script, **how: bool) -> list[Item]:
    """The trace of a script, messages one by one and without what is another in every connection."""
    found: list[Item] = []
    for item in Client(place, **how).play(script):
        if isinstance(item, str):
            found.append(item)
            continue
        while item:
            end = 1 + int.from_bytes(item[1:5], "big")
            found.append(comparable(item[:end]))
            item = item[end:]
    return found


def same(golden: list[Item], through: list[Item]) -> bool:
    return len(golden) == len(through) and all(map(_same, golden, through))


_OLDER, _NEWEST = b"server supports 3.0 to 3.0", b"server supports 3.0 to 3.2"


def _same(golden: Item, through: Item) -> bool:
    if isinstance(golden, str) or isinstance(through, str):
        return golden == through
    # Before 18 the newest version is 3.0; the proxy does not know yet what stands behind it.
    return agree(golden.replace(_OLDER, _NEWEST), through)


@pytest.mark.parametrize("transport", ["tls", "plain", "unix"])
def test_requests_in_every_order_get_the_servers_own_answers(world: World, thread: LoopThread, transport: str) -> None:
    differing = {}
    compared = 0
    with places(world, thread, transport) as (server, proxy):
        for script in scripts(START, 3):
            golden, through = heard(server, script), heard(proxy, script)
            if "G" in golden:  # built with GSSAPI: the proxy has none
                at = golden.index("G")
                assert same([*golden[:at], "N"], through[: at + 1]), spelled(script)
                continue
            if world.server.version < 17 and transport == "tls" and pushed_ahead(script):
                # It keeps those bytes apart until after the handshake, and refuses them then.
                assert golden[-4:-2] == ["S", "TLS"]
                assert b"received unencrypted data after SSL request" in golden[-2]  # type: ignore[operator]
                golden[-3:] = ["cut"]
            if world.server.version < 17 and golden[:2] == ["N", "N"] and through[:3] == ["N", "N", "N"]:
                # It takes each request once, not in turns.
                assert b"C0A000\0Munsupported frontend protocol 1234.56" in golden[2]  # type: ignore[operator]
                continue
            compared += 1
            if not same(golden, through):
                differing[spelled(script)] = golden, through
    assert differing == {}
    assert compared > 80


def pushed_ahead(script: Script) -> bool:
    """Whether the first SSLRequest has bytes behind it, and comes in its turn."""
    for write in script:
        if write[0] == SSL:
            return len(write) > 1
        if write != (GSS,):
            return False
    return False


@pytest.mark.parametrize("script", [(START,), (SSL, START), (GSS, START), (GSS, SSL, START), (SSL, SSL)], ids=len)
@pytest.mark.parametrize("transport", ["tls", "unix"])
def test_byte_by_byte_it_is_the_same(
    world: World, thread: LoopThread, transport: str, script: tuple[bytes, ...]
) -> None:
    apart = tuple((packet,) for packet in script)
    with places(world, thread, transport) as (_, proxy):
        assert same(heard(proxy, apart), heard(proxy, apart, slow=True))


def test_the_handshake_may_begin_before_the_answer(world: World, thread: LoopThread) -> None:
    """As PostgreSQL 17 and later take it."""
    with places(world, thread, "tls") as (server, proxy):
        patient = heard(proxy, ((SSL,), (START,)))
        assert patient[:2] == ["S", "TLS"]
        assert heard(proxy, ((SSL,), (START,)), eager=True) == patient
        if world.server.version >= 17:
            assert same(heard(server, ((SSL,), (START,)), eager=True), patient)


def packet(code: int, body: bytes) -> bytes:
    return struct.pack("!iI", 8 + len(body), code) + body


def startup(version: int, *words: bytes) -> bytes:
    return packet(version, b"".join(word + b"\0" for word in (b"user", b"postgres", *words)) + b"\0")


CANCEL_CODE = 80877102
LONGEST = startup(0x30000, b"application_name", b"x" * (10_004 - 41))
FIRST = {
    "a length of 0": struct.pack("!i", 0),
    "a length of 7": struct.pack("!i", 7),
    "a length below 0": struct.pack("!i", -1),
    "another protocol": b"GET / HTTP/1.1\r\n\r\n",
    "10,000 bytes": LONGEST,
    "10,001 bytes": startup(0x30000, b"application_name", b"x" * (10_005 - 41)),
    "a length of 10,001 bytes": struct.pack("!i", 10_005),
    "a megabyte": startup(0x30000, b"application_name", b"x" * 1_000_000),
    "a part of a length": b"\0\0\0",
    "a part of a packet": LONGEST[:-1],
    "a cancel request without a key": packet(CANCEL_CODE, b"\0\0\0\1"),
    "a cancel request with a short key": packet(CANCEL_CODE, b"\0\0\0\1abc"),
    "a cancel request with too long a key": packet(CANCEL_CODE, b"\0\0\0\1" + b"k" * 257),
    "bytes behind a cancel request": packet(CANCEL_CODE, b"\0\0\0\1abcd") + b"Q\0\0\0\4",
    "version 0": packet(0, b""),
    "version 0.1": packet(1, b""),
    "version 1": startup(0x10000),
    "version 2": startup(0x20000),
    "version 3.1": startup(0x30001),
    "version 3.2": startup(0x30002),
    "version 3.3": startup(0x30003),
    "version 3.9999": startup(0x3270F),
    "version 4": startup(0x40000),
    "grease": startup(0x3270F, b"_pq_.test_protocol_negotiation", b""),
    "options at version 3.0": startup(0x30000, b"_pq_.one", b"1", b"_pq_.two", b"2"),
    "options at version 3.2": startup(0x30002, b"_pq_.one", b"1", b"_pq_", b"no option", b"_pq_x", b"neither"),
    "nothing": packet(0x30000, b""),
    "no end": packet(0x30000, b"user\0postgres\0"),
    "too much at the end": packet(0x30000, b"user\0postgres\0\0\0"),
    "no user": packet(0x30000, b"database\0postgres\0\0"),
    "no such database": startup(0x30000, b"database", b"nowhere"),
    "no such parameter": startup(0x30000, b"no_such_parameter", b"1"),
}


@pytest.mark.parametrize("transport", ["tls", "plain", "unix"])
def test_the_first_packet_gets_the_servers_own_answer(world: World, thread: LoopThread, transport: str) -> None:
    """In the clear, and inside TLS where that is to be had."""
    assert len(LONGEST) == 10_004
    differing = {}
    with places(world, thread, transport) as (server, proxy):
        for name, first in FIRST.items():
            is_cut_off = name.startswith("a part")
            for before in ((), (SSL,)):
                script = (*((packet,) for packet in before), (first,))
                golden, through = (heard(place, script, hang_up=is_cut_off) for place in (server, proxy))
                if not same(golden, through):
                    differing[name, bool(before)] = golden, through
    assert differing == {}
