"""SCRAM-SHA-256 with the proxy in the middle, where a plain relay would break channel binding.

Two exchanges run in step, one message of one for one message of the other: the client's with the proxy, bound to the
proxy's certificate where the client can, and the proxy's with the server, bound to the server's certificate where the
server can. Salt and iterations are always those that the server sends, and for users that do not exist it makes them
up, so the client sees what it would see of PostgreSQL. The client's proof gives the proxy ClientKey (see
`proxy.crypto.scram`), with which it makes its own. Where that fails, because the password is wrong or the role has no
verifier, the proxy sends a proof that cannot be right, and the server refuses in its own words and its own log.

Sources: RFC 5802, RFC 7677, RFC 5929; "SASL Authentication" in the manual; `src/backend/libpq/auth-scram.c`.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from proxy.crypto import scram
from proxy.crypto.scram import Verifier
from proxy.errors import ProtocolViolation
from proxy.wire import messages

SCRAM: Final = b"SCRAM-SHA-256"
SCRAM_PLUS: Final = SCRAM + b"-PLUS"

_NONCE: Final = rb"[\x21-\x2b\x2d-\x7e]{1,1024}"
_CLIENT_FIRST: Final = re.compile(
    rb"(?P<gs2>(?:n|y|p=(?P<type>[A-Za-z0-9.-]+)),,)(?P<bare>n=[^,]*,r=(?P<nonce>" + _NONCE + rb")(?:,[^\0]*)?)"
)
_SERVER_FIRST: Final = re.compile(rb"r=(?P<nonce>" + _NONCE + rb"),(?P<rest>s=(?P<salt>[^,]+),i=(?P<count>[0-9]{1,9}))")
_CLIENT_FINAL: Final = re.compile(
    rb"(?P<unproved>c=(?P<binding>[^,]+),r=(?P<nonce>" + _NONCE + rb")(?:,[^\0]*)?),p=(?P<proof>[^,]+)"
)
_SERVER_FINAL: Final = re.compile(rb"v=([^,]+)")
_BINDING_TYPE: Final = b"tls-server-end-point"
_REFUSED: Final = "28000"  # invalid_authorization_specification


@dataclass(frozen=True, slots=True)
class Terms:
    """What one connection brings: the role's verifier, None where it has none; and tls-server-end-point of the
    certificates of both legs, None where the leg has no TLS or its certificate cannot be bound to."""

    verifier: Verifier | None = field(repr=False)
    client_binding: bytes | None = None
    server_binding: bytes | None = None


class PassThrough:
    """Both exchanges of one connection. Every method takes the body of one message and gives that of the other leg's;
    all raise ProtocolViolation."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._server_offers_plus = False
        self._nonce = scram.nonce()
        """The proxy's part, in both exchanges."""
        self._server_gs2 = self._client_gs2 = b""
        self._client_bare = self._client_nonce = b""
        self._server_first: re.Match[bytes] | None = None
        self._client_said = self._server_said = b""  # AuthMessage of each exchange
        self._proved = False
        self.started = False
        """The client has chosen SCRAM."""
        self.finished = False
        """The server has proved that it knows the verifier."""

    def offered(self, mechanisms: Sequence[bytes]) -> list[bytes]:
        """What the client is offered in place of the server's list."""
        self._server_offers_plus = SCRAM_PLUS in mechanisms
        ours = [SCRAM_PLUS, SCRAM] if self._terms.client_binding is not None else [SCRAM]
        return ours + [name for name in mechanisms if name not in (SCRAM, SCRAM_PLUS)]

    def client_first(self, mechanism: bytes, data: bytes) -> tuple[bytes, bytes]:
        """SASLInitialResponse: mechanism and client-first-message."""
        said = _match(_CLIENT_FIRST, data)
        if mechanism == SCRAM_PLUS and self._terms.client_binding is None:
            raise ProtocolViolation("client selected an invalid SASL authentication mechanism")
        if (said["type"] is not None) is not (mechanism == SCRAM_PLUS):
            raise ProtocolViolation("malformed SCRAM message: channel binding does not suit the mechanism")
        if said["type"] not in (None, _BINDING_TYPE):
            raise ProtocolViolation("unsupported SCRAM channel-binding type")
        if said["gs2"] == b"y,," and self._terms.client_binding is not None:
            # Somebody in between has taken -PLUS from the list.
            raise ProtocolViolation("SCRAM channel binding negotiation error", sqlstate=_REFUSED)
        self.started = True
        self._client_gs2, self._client_bare, self._client_nonce = said["gs2"], said["bare"], said["nonce"]
        binds = self._server_offers_plus and self._terms.server_binding is not None
        # "y" tells a server that does bind that its -PLUS was taken away on the way.
        self._server_gs2 = (
            b"p=" + _BINDING_TYPE + b",," if binds else b"n,," if self._terms.server_binding is None else b"y,,"
        )
        return (SCRAM_PLUS if binds else SCRAM), self._server_gs2 + b"n=,r=" + self._nonce

    def server_first(self, data: bytes) -> bytes:
        """AuthenticationSASLContinue: server-first-message."""
        said = _match(_SERVER_FIRST, data)
        if self._server_first is not None:
            raise ProtocolViolation("unexpected authentication request")
        self._server_first = said
        if not said["nonce"].startswith(self._nonce) or said["nonce"] == self._nonce:
            raise ProtocolViolation("malformed SCRAM message: the server's nonce does not continue the proxy's")
        return b"r=" + self._client_nonce + self._nonce + b"," + said["rest"]

    def client_final(self, data: bytes) -> bytes:
        """SASLResponse: client-final-message."""
        said, first = _match(_CLIENT_FINAL, data), self._server_first
        if first is None or self._client_said:
            raise ProtocolViolation("unexpected SASL response")
        if not hmac.compare_digest(said["nonce"], self._client_nonce + self._nonce):
            raise ProtocolViolation("invalid SCRAM response: nonce does not match")
        binding = self._terms.client_binding if self._client_gs2.startswith(b"p") else None
        if not hmac.compare_digest(said["binding"], scram.encode(self._client_gs2 + (binding or b""))):
            if binding is not None:
                raise ProtocolViolation("SCRAM channel binding check failed", sqlstate=_REFUSED)
            raise ProtocolViolation("unexpected SCRAM channel-binding attribute in client-final-message")
        self._client_said = b",".join(
            (self._client_bare, b"r=" + self._client_nonce + self._nonce, first["rest"], said["unproved"])
        )
        binding = self._terms.server_binding if self._server_gs2.startswith(b"p") else None
        unproved = b"c=" + scram.encode(self._server_gs2 + (binding or b"")) + b",r=" + first["nonce"]
        self._server_said = b",".join((b"n=,r=" + self._nonce, first[0], unproved))
        return unproved + b",p=" + scram.encode(self._proof(said["proof"], first))

    def _proof(self, proof: bytes, first: re.Match[bytes]) -> bytes:
        """The proxy's own proof; one that cannot be right where the client's is not."""
        verifier = self._terms.verifier
        if (
            verifier is not None
            and scram.decode(first["salt"]) == verifier.salt
            and int(first["count"]) == verifier.iterations
            and (client_key := scram.recover_client_key(verifier, scram.decode(proof) or b"", self._client_said))
        ):
            self._proved = True
            return scram.client_proof(client_key, self._server_said)
        return secrets.token_bytes(scram.KEY_BYTES)

    def server_final(self, data: bytes) -> bytes:
        """AuthenticationSASLFinal: server-final-message."""
        said, verifier = _match(_SERVER_FINAL, data), self._terms.verifier
        if not self._proved or verifier is None:
            raise ProtocolViolation("the server accepted a proof that cannot be right")
        expected = scram.server_signature(verifier.server_key, self._server_said)
        if not hmac.compare_digest(scram.decode(said[1]) or b"", expected):
            raise ProtocolViolation("incorrect server signature")
        self.finished = True
        return b"v=" + scram.encode(scram.server_signature(verifier.server_key, self._client_said))

    def parse_initial(self, raw: bytes) -> bytes:
        """The client's SASLInitialResponse -> the one for the server; as it is where the mechanism is not SCRAM."""
        mechanism, data = messages.parse_sasl_initial(raw)
        if mechanism not in (SCRAM, SCRAM_PLUS):
            return raw
        if data is None:
            raise ProtocolViolation("malformed SCRAM message")
        return messages.build_sasl_initial(*self.client_first(mechanism, data))


def _match(pattern: re.Pattern[bytes], data: bytes) -> re.Match[bytes]:
    found = pattern.fullmatch(data)
    if found is None:
        raise ProtocolViolation("malformed SCRAM message")
    return found
