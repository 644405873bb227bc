"""A client in bytes that asks for encryption in any order, with or without waiting for the answers."""

from __future__ import annotations

import contextlib
import itertools
import socket
import ssl
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SSL = struct.pack("!ii", 8, 80877103)
GSS = struct.pack("!ii", 8, 80877104)
CANCEL = struct.pack("!iiii", 16, 80877102, 1, 1)
PATIENCE = 20
_WORDS = {SSL: "SSL", GSS: "GSS", CANCEL: "cancel", b"": "end"}

Script = tuple[tuple[bytes, ...], ...]
"""Writes, each of one packet or of several; the answer to one is read before the next."""


@dataclass(frozen=True)
class Place:
    """Where to connect: an address, or the directory of a Unix socket."""

    host: str
    port: int

    def connect(self) -> socket.socket:
        if self.host.startswith("/"):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(str(Path(self.host) / f".s.PGSQL.{self.port}"))
        else:
            sock = socket.create_connection((self.host, self.port))
        sock.settimeout(PATIENCE)
        return sock


def scripts(start: bytes, longest: int) -> Iterator[Script]:
    """Every row of at most `longest` requests before a StartupMessage, a CancelRequest or nothing, cut into writes in
    every way."""
    for length in range(longest + 1):
        for requests in itertools.product((SSL, GSS), repeat=length):
            for last in ((start,), (CANCEL,), ()):
                packets = (*requests, *last)
                for cuts in itertools.product((False, True), repeat=max(0, len(packets) - 1)):
                    writes: list[tuple[bytes, ...]] = []
                    for packet, apart in zip(packets, (True, *cuts), strict=False):
                        if apart:
                            writes.append((packet,))
                        else:
                            writes[-1] += (packet,)
                    yield tuple(writes)


def spelled(script: Script) -> str:
    """'SSL+GSS, start': what is written at once is joined by +."""
    return ", ".join("+".join(_WORDS.get(packet, "start") for packet in write) for write in script) or "nothing"


class Client:
    """Plays one script. `trace` is what came: answers to requests, "TLS" where it began, messages as bytes, and how it
    ended. `slow` writes every byte on its own; `eager` sends the first of the handshake without waiting for S;
    `hang_up` ends the writing direction behind the last write."""

    def __init__(self, place: Place, *, slow: bool = False, eager: bool = False, hang_up: bool = False) -> None:
        self._sock = place.connect()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["postgresql"])
        self._context = context
        self._tls: ssl.SSLObject | None = None
        self._slow, self._eager, self._hang_up = slow, eager, hang_up
        self._ended = False
        self.trace: list[bytes | str] = []

    def play(self, script: Script) -> list[bytes | str]:
        with self._sock:
            for write in script:
                self._write(b"".join(write) + (self._hello() if self._eager and write == (SSL,) else b""))
                if write[0] in (SSL, GSS):
                    answer = self._take_answer()
                    if answer == b"G":
                        return self.trace  # what follows is not for us
                    if answer == b"S":
                        self._shake_hands()
                    if answer == b"E" or len(write) > 1:
                        break
                if self._ended:
                    break
            else:
                if self._hang_up or not script or script[-1][-1] in (SSL, GSS):
                    self._say_no_more()
                elif script[-1][-1] != CANCEL:
                    self._read_until_ready()
                    return self.trace
            while self._read(4096):
                pass
        return self.trace

    def _write(self, data: bytes) -> None:
        if self._tls is not None:
            self._tls.write(data)
            data = self._outgoing.read()
        pieces = [data[at : at + 1] for at in range(len(data))] if self._slow else [data]
        try:
            for piece in pieces:
                self._sock.sendall(piece)
        except OSError:
            self._end("cut")

    def _take_answer(self) -> bytes:
        """S, N or G; or what an error begins with."""
        if self._tls is not None:
            return self._read(1)
        answer = b"" if self._ended else self._receive(1)
        if answer:
            self.trace.append(answer if answer == b"E" else answer.decode())
        return answer

    def _hello(self) -> bytes:
        self._begin_tls()
        with contextlib.suppress(ssl.SSLWantReadError):
            self._handshake.do_handshake()
        return self._outgoing.read()

    def _begin_tls(self) -> None:
        self._handshake = self._context.wrap_bio(self._incoming, self._outgoing)

    def _read(self, size: int) -> bytes:
        """At most so many bytes of the server's, b"" at the end."""
        while not self._ended:
            if self._tls is None:
                data = self._receive(size)
            else:
                try:
                    data = self._tls.read(size)
                except ssl.SSLWantReadError:
                    self._feed()
                    continue
                except ssl.SSLError as error:
                    self._end(error.reason or "?")
                    return b""
                if not data:
                    self._end("close_notify")
            if data:
                if self.trace and isinstance(self.trace[-1], bytes):
                    self.trace[-1] += data
                else:
                    self.trace.append(data)
            return data
        return b""

    def _receive(self, size: int) -> bytes:
        try:
            data = self._sock.recv(size)
        except ConnectionError:  # as where the peer closes with bytes unread
            data = b""
        if not data:
            self._end("cut")
        return data

    def _feed(self) -> None:
        data = self._receive(4096)
        if data:
            self._incoming.write(data)

    def _end(self, how: str) -> None:
        self._ended = True
        self.trace.append(how)

    def _shake_hands(self) -> None:
        if not self._eager:
            self._begin_tls()
        while not self._ended:
            try:
                self._handshake.do_handshake()
            except ssl.SSLWantReadError:
                self._sock.sendall(self._outgoing.read())
                self._feed()
            except ssl.SSLError as error:
                self._end(error.reason or "?")
            else:
                self._sock.sendall(self._outgoing.read())
                self._tls = self._handshake
                self.trace.append("TLS")
                return

    def _say_no_more(self) -> None:
        if self._ended:
            return
        try:
            if self._tls is not None:
                with contextlib.suppress(ssl.SSLWantReadError):
                    self._tls.unwrap()
                self._sock.sendall(self._outgoing.read())
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._end("cut")

    def _read_until_ready(self) -> None:
        """To ReadyForQuery, or to the end."""
        said = b""
        while data := self._read(4096):
            said += data
            at = 0
            while len(said) >= at + 5 and len(said) >= (end := at + 1 + int.from_bytes(said[at + 1 : at + 5], "big")):
                if said[at : at + 1] == b"Z":
                    return
                at = end
