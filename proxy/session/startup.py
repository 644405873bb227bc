"""The start of a client connection: everything that comes before, and up to, the StartupMessage.

A client may ask for TLS (SSLRequest) and for GSSAPI encryption (GSSENCRequest), in either order and in turns, but not
twice for the same, then it sends a CancelRequest or a StartupMessage. PostgreSQL's own rules are kept,
`ProcessStartupPacket` in `src/backend/tcop/backend_startup.c` and "SSL Session Encryption" in the manual's chapter on
the protocol, among them the one behind CVE-2021-23214: what was received before the TLS handshake must never be taken
for what came after it. As in PostgreSQL 17, bytes behind a request that is granted are the handshake's.

Server and client speak one version of the protocol, 3.2 at most, and no protocol option (`_pq_.`): a newer server might
understand what the proxy would not. So the packet for the server asks for no more, and what was taken from it is told
to the client in NegotiateProtocolVersion, as a server does.

Bytes in, events out; sockets and handshakes are the caller's:

    event                the caller
    Answer(b"N")         sends it
    NeedTls              sends b"S", performs the handshake with `unread` as its first bytes, calls tls_started()
    Cancel, Start        the conversation is over; `trailing` holds what the client sent behind the packet
    Failed               sends `packet` and closes
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from proxy.wire import messages

SSL_REQUEST: Final = 80877103
GSSENC_REQUEST: Final = 80877104
CANCEL_REQUEST: Final = 80877102
ALPN_PROTOCOL: Final = "postgresql"

_TLS_HANDSHAKE_RECORD: Final = 0x16
_MAX_STARTUP_PACKET: Final = 10_000  # MAX_STARTUP_PACKET_LENGTH; the length word is not counted
_MAX_NAME_BYTES: Final = 63  # NAMEDATALEN - 1
_CANCEL_KEY_BYTES: Final = range(4, 257)  # 4 before protocol 3.2, up to 256 since
_EARLIEST_MAJOR = _LATEST_MAJOR = 3
_LATEST: Final = 3 << 16 | 2
_OPTION: Final = b"_pq_."
_REPLICATION: Final = b"replication"


@dataclass(frozen=True, slots=True)
class Answer:
    """Bytes for the client; the conversation goes on."""

    data: bytes


@dataclass(frozen=True, slots=True)
class NeedTls:
    """The client asked for TLS and this listener speaks it."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """A CancelRequest, whole, as it came: process id and secret key are the server's own."""

    packet: bytes


@dataclass(frozen=True, slots=True)
class Lowered:
    """The client asked for more than the proxy speaks."""

    newest: int
    """The version that the server was asked for, major and minor in 16 bits each."""
    options: tuple[bytes, ...]
    """Names of protocol options that were left out."""


@dataclass(frozen=True, slots=True)
class Start:
    """A StartupMessage. `packet` is what is for the server; the rest is what PostgreSQL would read from what came.

    `user` and `database` are cut to 63 bytes as the server cuts them, so that a policy cannot be walked round with a
    longer name for the same database. Values of `parameters` that are not UTF-8 carry their bytes as lone surrogates.
    """

    packet: bytes
    user: str
    database: str
    parameters: Mapping[str, str]
    lowered: Lowered | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The connection ends. `packet` is the ErrorResponse for the client; empty where it is told nothing, as by
    PostgreSQL where a length is wrong and who is there may speak something else."""

    packet: bytes
    sqlstate: str
    message: str


Event = Answer | NeedTls | Cancel | Start | Failed


class _State(enum.Enum):
    PACKET = enum.auto()
    HANDSHAKE = enum.auto()
    DONE = enum.auto()


class StartUp:
    """One client's start.

    `offer_tls`: SSLRequest is answered with S. `require_tls`: a StartupMessage without encryption is refused.
    `encrypted`: the connection began with a TLS handshake (see `is_direct_tls`).
    """

    def __init__(self, *, offer_tls: bool, require_tls: bool = False, encrypted: bool = False) -> None:
        self._offer_tls = offer_tls and not encrypted
        self._require_tls = require_tls
        self._encrypted = encrypted
        self._ssl_done = False
        self._gss_done = False
        self._buffer = bytearray()
        self._unread = 0
        self._state = _State.PACKET

    @property
    def unread(self) -> int:
        """How many of the last bytes that were fed stand behind the request for TLS: none was looked at."""
        return self._unread

    @property
    def trailing(self) -> bytes:
        """What the client sent behind its last packet; the first bytes for the session."""
        return bytes(self._buffer)

    @property
    def encrypted(self) -> bool:
        return self._encrypted

    def tls_started(self) -> None:
        """The handshake that NeedTls asked for is done; from here on only decrypted bytes may be fed."""
        if self._state is not _State.HANDSHAKE:
            raise RuntimeError("no TLS handshake was asked for")
        self._encrypted = True
        self._unread = 0
        self._state = _State.PACKET

    def receive(self, data: bytes) -> list[Event]:
        """Take bytes from the client. Buffers at most one packet and what came in the same read."""
        if self._state is not _State.PACKET:
            raise RuntimeError("bytes were fed while a handshake is due, or after the end")
        self._buffer += data
        events: list[Event] = []
        while self._state is _State.PACKET and (packet := self._next_packet(events)) is not None:
            self._take(packet, events)
        return events

    def _next_packet(self, events: list[Event]) -> bytes | None:
        if len(self._buffer) < 4:
            return None
        (length,) = struct.unpack_from("!i", self._buffer)
        if not 8 <= length <= _MAX_STARTUP_PACKET + 4:
            self._fail(events, "08P01", "invalid length of startup packet", silent=True)
            return None
        if len(self._buffer) < length:
            return None
        packet = bytes(self._buffer[:length])
        del self._buffer[:length]
        return packet

    def _take(self, packet: bytes, events: list[Event]) -> None:
        (code,) = struct.unpack_from("!I", packet, 4)
        if code == CANCEL_REQUEST:
            if len(packet) - 12 not in _CANCEL_KEY_BYTES:
                self._fail(events, "08P01", "invalid length of cancel request packet", silent=True)
                return
            self._end(events, Cancel(packet))
        elif code == SSL_REQUEST and not self._ssl_done:
            self._take_ssl_request(events)
        elif code == GSSENC_REQUEST and not self._gss_done:
            self._ssl_done, self._gss_done = False, True
            events.append(Answer(b"N"))
            self._refuse_early_bytes(events, "received unencrypted data after GSSAPI encryption request")
        else:
            self._take_startup_message(packet, code, events)

    def _take_ssl_request(self, events: list[Event]) -> None:
        self._ssl_done = True
        self._gss_done = self._offer_tls  # no second layer of encryption inside the first
        if not self._offer_tls:
            events.append(Answer(b"N"))
            self._refuse_early_bytes(events, "received unencrypted data after SSL request")
            return
        self._unread = len(self._buffer)
        self._buffer.clear()
        self._state = _State.HANDSHAKE
        events.append(NeedTls())

    def _refuse_early_bytes(self, events: list[Event], message: str) -> None:
        """An honest client waits for the answer; bytes in front of it may be an attacker's (CVE-2021-23214)."""
        if self._buffer:
            detail = "This could be either a client-software bug or evidence of an attempted man-in-the-middle attack."
            self._fail(events, "08P01", message, detail=detail)

    def _take_startup_message(self, packet: bytes, code: int, events: list[Event]) -> None:
        major, minor = code >> 16, code & 0xFFFF
        if not _EARLIEST_MAJOR <= major <= _LATEST_MAJOR:
            message = f"unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.2"
            self._fail(events, "0A000", message, version=code)
            return
        pairs = _pairs(packet)
        if pairs is None:
            message = "invalid startup packet layout: expected terminator as last byte"
            self._fail(events, "08P01", message)
            return
        raw = dict(pairs)  # of a name given twice the last counts
        if sum(name == _REPLICATION for name, _ in pairs) > 1:
            # The server keeps a part of each: after "database" and "true" it takes SQL, though the last says otherwise.
            self._fail(events, "08P01", "invalid startup packet: replication is given more than once")
            return
        if not raw.get(b"user"):
            self._fail(events, "28000", "no PostgreSQL user name specified in startup packet")
            return
        try:
            user = raw[b"user"][:_MAX_NAME_BYTES].decode()
            database = (raw.get(b"database") or raw[b"user"])[:_MAX_NAME_BYTES].decode()
        except UnicodeDecodeError:
            # The policy knows databases by their UTF-8 names; what cannot be compared with it must not pass it.
            self._fail(events, "22021", "user and database names must be valid UTF-8")
            return
        if self._require_tls and not self._encrypted:
            self._fail(events, "28000", "this server requires TLS", hint="Connect with sslmode=require.")
            return
        parameters = {
            key.decode(errors="surrogateescape"): value.decode(errors="surrogateescape") for key, value in raw.items()
        }
        packet, lowered = _spoken(packet, code, raw)
        self._end(events, Start(packet, user, database, MappingProxyType(parameters), lowered))

    def _end(self, events: list[Event], event: Event) -> None:
        self._state = _State.DONE
        events.append(event)

    def _fail(
        self,
        events: list[Event],
        sqlstate: str,
        message: str,
        *,
        detail: str | None = None,
        hint: str | None = None,
        version: int = _LATEST,
        silent: bool = False,
    ) -> None:
        self._buffer.clear()
        if silent:
            packet = b""
        elif 0 < version < _EARLIEST_MAJOR << 16:
            packet = f"EFATAL:  {message}\n\0".encode()  # the ErrorResponse of protocol 2, all that such a client reads
        else:
            packet = fatal_response(sqlstate, message, detail=detail, hint=hint)
        self._end(events, Failed(packet, sqlstate, message))


def is_direct_tls(first_byte: bytes) -> bool:
    """True when a connection's first byte begins a TLS handshake (PostgreSQL 17's `sslnegotiation=direct`).

    No startup packet begins so: its length would be above 2^28.
    """
    return first_byte[:1] == bytes((_TLS_HANDSHAKE_RECORD,))


def fatal_response(sqlstate: str, message: str, *, detail: str | None = None, hint: str | None = None) -> bytes:
    """An ErrorResponse of severity FATAL, for a client that no session serves."""
    fields = (("S", "FATAL"), ("V", "FATAL"), ("C", sqlstate), ("M", message), ("D", detail), ("H", hint))
    return messages.build_fields(b"E", ((code.encode(), text.encode()) for code, text in fields if text is not None))


def _spoken(packet: bytes, code: int, raw: Mapping[bytes, bytes]) -> tuple[bytes, Lowered | None]:
    """The StartupMessage for the server, with nothing in it that the proxy does not speak."""
    options = tuple(name for name in raw if name.startswith(_OPTION))
    if code <= _LATEST and not options:
        return packet, None
    version = min(code, _LATEST)
    kept = b"".join(name + b"\0" + value + b"\0" for name, value in raw.items() if name not in options) + b"\0"
    return struct.pack("!iI", 8 + len(kept), version) + kept, Lowered(version, options)


def _pairs(packet: bytes) -> list[tuple[bytes, bytes]] | None:
    """Name/value pairs of a StartupMessage, in order. None: not terminated as it must."""
    end = len(packet)
    at = 8
    found: list[tuple[bytes, bytes]] = []
    while at < end and packet[at] != 0:
        name_end = packet.find(b"\0", at)
        value_end = packet.find(b"\0", name_end + 1) if name_end >= 0 else -1
        if value_end < 0:
            return None
        found.append((packet[at:name_end], packet[name_end + 1 : value_end]))
        at = value_end + 1
    return found if at == end - 1 else None
