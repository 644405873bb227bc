"""The time between StartupMessage and the first ReadyForQuery: the proxy relays, PostgreSQL decides who enters.

SCRAM-SHA-256-PLUS binds the exchange to the TLS channel, and client and server are at the ends of two different
channels. So it is taken from the list of SASL mechanisms, and a client that insists on it (`channel_binding=require`)
fails, as it should; unless the proxy takes part in the exchange (`PassThrough`), and offers -PLUS for its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from proxy.errors import ProtocolViolation
from proxy.session.passthrough import SCRAM, PassThrough, Terms
from proxy.session.startup import Lowered
from proxy.wire import messages
from proxy.wire.frames import HEADER, Frame, Item

_PLUS: Final = b"-PLUS"


class Authentication:
    """Both directions until the server is ready. `parameters` are those that ParameterStatus has reported. With
    `terms` the proxy takes part in SCRAM-SHA-256. `lowered`: what the client has still to be told of the protocol."""

    def __init__(self, terms: Terms | None = None, lowered: Lowered | None = None) -> None:
        self._lowered = lowered
        self._terms = terms
        self._scram: PassThrough | None = None  # from the moment when the server has asked for SCRAM
        self.authenticated = False
        self.ready = False
        self.fatal_relayed = False
        self.backend_key: bytes | None = None
        """Body of BackendKeyData: process id and secret key."""
        self.parameters: dict[str, str] = {}
        self._asked = False
        self._chosen = False  # the client has named its SASL mechanism

    @property
    def backend_pid(self) -> int | None:
        """The process id in BackendKeyData: the server's own, or what a pooler gives in its place."""
        return None if self.backend_key is None else int.from_bytes(self.backend_key[:4])

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
        scram = self._scram
        if scram is None:
            return item.raw
        if not self._chosen:
            self._chosen = True
            return scram.parse_initial(item.raw)
        return messages.message(b"p", scram.client_final(item.raw[HEADER:])) if scram.started else item.raw

    def server(self, item: Item) -> bytes:
        """The bytes to forward. Raises ProtocolViolation."""
        if not isinstance(item, Frame):
            raise ProtocolViolation("invalid message length")
        raw = item.raw
        match chr(item.type):
            case "R" if not self.authenticated:
                return self._negotiation() + self._method(raw)
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
                return self._negotiation(*messages.parse_negotiation(raw))
            case "Z" if self.authenticated:
                messages.parse_ready(raw)
                self.ready = True
            case other:
                raise ProtocolViolation(f"unexpected server message {other!r} during authentication")
        return raw

    def _negotiation(self, newest: int | None = None, options: Sequence[bytes] = ()) -> bytes:
        """NegotiateProtocolVersion for the client, where server or proxy speak less than it asked for."""
        lowered, self._lowered = self._lowered, None
        if lowered is not None:
            newest, options = lowered.newest if newest is None else newest, (*options, *lowered.options)
        return b"" if newest is None else messages.build_negotiation(newest, options)

    def _method(self, raw: bytes) -> bytes:
        code, scram = messages.parse_authentication(raw), self._scram
        started = scram is not None and scram.started
        match code:
            case messages.AUTHENTICATION_OK:
                if scram is not None and started and not scram.finished:
                    raise ProtocolViolation("the server did not prove that it knows the password")
                self.authenticated = True
            case messages.AUTHENTICATION_SASL:
                self._asked = True
                return self._offer(raw)
            case messages.AUTHENTICATION_SASL_CONTINUE if scram is not None and started:
                self._asked = True
                return messages.build_authentication(code, scram.server_first(messages.authentication_data(raw)))
            case messages.AUTHENTICATION_SASL_FINAL:  # nothing is answered
                if scram is not None and started:
                    return messages.build_authentication(code, scram.server_final(messages.authentication_data(raw)))
            case _ if started:
                raise ProtocolViolation("unexpected authentication request")
            case _:
                self._asked = True
        return raw

    def _offer(self, raw: bytes) -> bytes:
        """The server's list of SASL mechanisms as the client gets it."""
        offered = messages.parse_sasl_mechanisms(raw)
        if self._scram is not None:
            raise ProtocolViolation("unexpected authentication request")
        if self._terms is not None and SCRAM in offered:
            self._scram = PassThrough(self._terms)
            return messages.build_sasl_mechanisms(self._scram.offered(offered))
        usable = [name for name in offered if not name.endswith(_PLUS)]
        return messages.build_sasl_mechanisms(usable) if usable != offered else raw
