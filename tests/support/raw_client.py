"""A client in bytes, for what drivers do not let a test do."""

from __future__ import annotations

import socket
import struct

CANCEL = 80877102


class Raw:
    """One session, from its StartupMessage on. Without a password: the server must trust `user`."""

    def __init__(self, sock: socket.socket, user: str, dbname: str, version: int, *options: str) -> None:
        self._sock = sock
        self._data = b""
        pairs = ("user", user, "database", dbname, *(part for option in options for part in (option, "on")))
        body = b"".join(part.encode() + b"\0" for part in pairs) + b"\0"
        sock.settimeout(20)
        sock.sendall(struct.pack("!iI", len(body) + 8, version) + body)
        self.start = self.until(b"Z")

    def until(self, kind: bytes) -> list[tuple[bytes, bytes]]:
        """Messages (type, body) up to the first of `kind`."""
        found = []
        while not found or found[-1][0] != kind:
            while len(self._data) < 5 or len(self._data) < 1 + int.from_bytes(self._data[1:5], "big"):
                piece = self._sock.recv(65536)
                assert piece, "the connection has ended"
                self._data += piece
            end = 1 + int.from_bytes(self._data[1:5], "big")
            found.append((self._data[:1], self._data[5:end]))
            self._data = self._data[end:]
        return found

    def query(self, text: str) -> None:
        body = text.encode() + b"\0"
        self._sock.sendall(b"Q" + struct.pack("!i", len(body) + 4) + body)

    @property
    def key(self) -> bytes:
        """Body of BackendKeyData."""
        return next(body for kind, body in self.start if kind == b"K")
