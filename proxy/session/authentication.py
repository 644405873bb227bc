"""The time between StartupMessage and the first ReadyForQuery: the proxy relays, PostgreSQL decides who enters.

One thing is changed: SCRAM-SHA-256-PLUS is taken from the list of SASL mechanisms. It binds the exchange to the TLS
channel, and client and server are at the ends of two different channels. A client that insists on it
(`channel_binding=require`) fails, as it should.
"""

from __future__ import annotations

from typing import Final

from proxy.errors import ProtocolViolation
from proxy.wire import messages
from proxy.wire.frames import HEADER, Frame, Item

_PLUS: Final = b"-PLUS"


class Authentication:
    """Both directions until the server is ready. `parameters` are those that ParameterStatus has reported."""

    def __init__(self) -> None:
        self.authenticated = False
        self.ready = False
        self.fatal_relayed = False
        self.backend_key: bytes | None = None
        """Body of BackendKeyData: process id and secret key."""
        self.parameters: dict[str, str] = {}
        self._asked = False

    def client(self, item: Item) -> bytes | None:
        """The bytes to forward; None: too early, PostgreSQL would not read it before it has asked or is ready.

        Raises ProtocolViolation for anything but an answer to what was asked.
        """
        if isinstance(item, Frame) and item.raw[:1] == b"X":
            return item.raw
        if not self._asked:
            return None
        if not isinstance(item, Frame) or item.raw[:1] != b"p":
            raise ProtocolViolation("expected an answer to the authentication request")
        self._asked = False
        return item.raw

    def server(self, item: Item) -> bytes:
        """The bytes to forward. Raises ProtocolViolation."""
        if not isinstance(item, Frame):
            raise ProtocolViolation("invalid message length")
        raw = item.raw
        match chr(item.type):
            case "R" if not self.authenticated:
                return self._method(raw)
            case "K" if self.authenticated:
                self.backend_key = raw[HEADER:]
            case "S":
                name, value = messages.parse_parameter_status(raw)
                self.parameters[name.decode(errors="replace")] = value.decode(errors="replace")
            case "E":
                messages.parse_fields(raw)
                self.fatal_relayed = True
            case "N":
                messages.parse_fields(raw)
            case "v" if not self.authenticated:
                pass
            case "Z" if self.authenticated:
                messages.parse_ready(raw)
                self.ready = True
            case other:
                raise ProtocolViolation(f"unexpected server message {other!r} during authentication")
        return raw

    def _method(self, raw: bytes) -> bytes:
        match messages.parse_authentication(raw):
            case messages.AUTHENTICATION_OK:
                self.authenticated = True
            case messages.AUTHENTICATION_SASL:
                self._asked = True
                offered = messages.parse_sasl_mechanisms(raw)
                usable = [name for name in offered if not name.endswith(_PLUS)]
                return messages.build_sasl_mechanisms(usable) if usable != offered else raw
            case 12:  # AuthenticationSASLFinal: nothing is answered
                pass
            case _:
                self._asked = True
        return raw
