"""SCRAM-SHA-256 with the proxy in the middle, as bytes: the test is a client on one side and a server on the other."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.config import Policy
from proxy.crypto.scram import Verifier
from proxy.errors import ProtocolViolation
from proxy.session import Session, Shared
from proxy.session.authentication import Authentication
from proxy.session.passthrough import PassThrough, Terms
from proxy.wire import messages
from proxy.wire.frames import Frame
from tests.session.playbook import Sealers, error_fields, split

SALT, ITERATIONS = b"0123456789abcdef", 16
CLIENT_CERT, SERVER_CERT = b"hash of the proxy's", b"hash of the server's"
OK = messages.build_authentication(0)


def keys(password: bytes) -> tuple[bytes, bytes]:
    salted = hashlib.pbkdf2_hmac("sha256", password, SALT, ITERATIONS)
    return tuple(hmac.digest(salted, name, "sha256") for name in (b"Client Key", b"Server Key"))  # type: ignore[return-value]


def verifier(password: bytes = b"pencil", **changes: object) -> Verifier:
    client_key, server_key = keys(password)
    found = Verifier(ITERATIONS, SALT, hashlib.sha256(client_key).digest(), server_key)
    return Verifier(**{name: changes.get(name, getattr(found, name)) for name in Verifier.__slots__})  # type: ignore[arg-type]


def b64(data: bytes) -> bytes:
    return base64.b64encode(data)


def continued(data: bytes) -> bytes:
    return messages.build_authentication(11, data)


def answer(data: bytes) -> bytes:
    return messages.message(b"p", data)


def xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


@dataclass
class Exchange:
    """One log-in. The client and the server below are the RFC's, each with nothing but what its own leg has carried."""

    auth: Authentication
    password: bytes = b"pencil"
    gs2: bytes = b"n,,"
    binding: bytes = b""
    mechanisms: tuple[bytes, ...] = (b"SCRAM-SHA-256-PLUS", b"SCRAM-SHA-256")
    offered: list[bytes] = field(default_factory=list)
    chosen: bytes = b""

    def to_server(self, raw: bytes) -> bytes:
        sent = self.auth.client(Frame(raw[0], raw))
        assert sent is not None
        return sent

    def to_client(self, raw: bytes) -> bytes:
        return self.auth.server(Frame(raw[0], raw))

    def run(self, *, server_password: bytes = b"pencil", server_nonce: bytes = b"SRV") -> bytes:
        """Up to what the client gets of AuthenticationSASLFinal, and its check. Raises PermissionError where the server
        does not accept the proof."""
        self.offered = messages.parse_sasl_mechanisms(self.to_client(messages.build_sasl_mechanisms(self.mechanisms)))
        bare = b"n=,r=CLI"
        mechanism = b"SCRAM-SHA-256-PLUS" if self.gs2.startswith(b"p") else b"SCRAM-SHA-256"
        initial = self.to_server(messages.build_sasl_initial(mechanism, self.gs2 + bare))
        self.chosen, first = messages.parse_sasl_initial(initial)
        assert first is not None
        gs2, _, theirs = first.partition(b",,")
        nonce = theirs.split(b"r=")[1] + server_nonce
        server_first = b"r=" + nonce + b",s=" + b64(SALT) + b",i=%d" % ITERATIONS
        got = self.to_client(continued(server_first))[9:]
        assert got.startswith(b"r=CLI")
        assert got.endswith(server_first[server_first.index(b",s=") :])
        # the client
        client_key, server_key = keys(self.password)
        unproved = b"c=" + b64(self.gs2 + self.binding) + b"," + got.split(b",")[0]
        said = b",".join((bare, got, unproved))
        proof = xor(client_key, hmac.digest(hashlib.sha256(client_key).digest(), said, "sha256"))
        final = self.to_server(answer(unproved + b",p=" + b64(proof)))[5:]
        # the server
        known, known_server_key = keys(server_password)
        bound = b"" if self.chosen == b"SCRAM-SHA-256" else SERVER_CERT
        assert final.startswith(b"c=" + b64(gs2 + b",," + bound) + b",r=" + nonce + b",p=")
        seen = b",".join((theirs, server_first, final.rpartition(b",p=")[0]))
        sent = base64.b64decode(final.rpartition(b",p=")[2])
        stored = hashlib.sha256(known).digest()
        if hashlib.sha256(xor(sent, hmac.digest(stored, seen, "sha256"))).digest() != stored:
            raise PermissionError
        last = self.to_client(
            messages.build_authentication(12, b"v=" + b64(hmac.digest(known_server_key, seen, "sha256")))
        )
        assert last[9:] == b"v=" + b64(hmac.digest(server_key, said, "sha256"))
        return last


def exchange(terms: Terms, **options: object) -> Exchange:
    return Exchange(Authentication(terms), **options)  # type: ignore[arg-type]


BOUND = {"gs2": b"p=tls-server-end-point,,", "binding": CLIENT_CERT}
LEGS = {
    "none": (None, None),
    "client": (CLIENT_CERT, None),
    "server": (None, SERVER_CERT),
    "both": (CLIENT_CERT, SERVER_CERT),
}


@pytest.mark.parametrize("legs", LEGS)
@pytest.mark.parametrize("client", ["plain", "bound"])
def test_each_leg_is_bound_to_its_own_certificate(legs: str, client: str) -> None:
    to_client, to_server = LEGS[legs]
    if client == "bound" and to_client is None:
        client = "plain"
    talk = exchange(Terms(verifier(), to_client, to_server), **(BOUND if client == "bound" else {}))
    talk.run()
    assert talk.offered == [b"SCRAM-SHA-256-PLUS", b"SCRAM-SHA-256"][to_client is None :]
    assert talk.chosen == (b"SCRAM-SHA-256-PLUS" if to_server else b"SCRAM-SHA-256")
    assert talk.to_client(OK) == OK
    assert talk.auth.authenticated


def test_a_server_that_was_robbed_of_plus_is_told_so() -> None:
    """gs2 flag y: I could bind, but you did not offer it (RFC 5802, section 6)."""
    talk = exchange(Terms(verifier(), CLIENT_CERT, SERVER_CERT), mechanisms=(b"SCRAM-SHA-256",))
    talk.to_client(messages.build_sasl_mechanisms(talk.mechanisms))
    sent = talk.to_server(messages.build_sasl_initial(b"SCRAM-SHA-256", b"n,,n=,r=CLI"))
    assert messages.parse_sasl_initial(sent)[1].startswith(b"y,,n=,r=")  # type: ignore[union-attr]


def test_a_client_that_could_bind_and_was_offered_nothing_is_let_in_and_one_that_was_robbed_is_not() -> None:
    exchange(Terms(verifier(), None, SERVER_CERT), gs2=b"y,,").run()
    with pytest.raises(ProtocolViolation, match="channel binding negotiation") as caught:
        exchange(Terms(verifier(), CLIENT_CERT, SERVER_CERT), gs2=b"y,,").run()
    assert caught.value.sqlstate == "28000"


def test_a_client_bound_to_another_certificate_is_refused() -> None:
    """Somebody between client and proxy has shown a certificate of his own."""
    with pytest.raises(ProtocolViolation, match="channel binding check failed") as caught:
        exchange(Terms(verifier(), CLIENT_CERT), gs2=BOUND["gs2"], binding=b"another").run()
    assert caught.value.sqlstate == "28000"


@pytest.mark.parametrize(
    "known",
    [None, verifier(b"other"), verifier(salt=b"another salt"), verifier(iterations=17)],
    ids=["no such role", "wrong password", "changed salt", "changed iterations"],
)
def test_who_is_not_known_by_this_password_is_refused_by_the_server(known: Verifier | None) -> None:
    """The client goes through every step, and the server gets a proof that says nothing about the client's."""
    first, second = exchange(Terms(known, CLIENT_CERT, SERVER_CERT)), exchange(Terms(known, CLIENT_CERT, SERVER_CERT))
    for talk in (first, second):
        with pytest.raises(PermissionError):
            talk.run()
        with pytest.raises(ProtocolViolation, match="cannot be right"):
            talk.to_client(messages.build_authentication(12, b"v=" + b64(bytes(32))))


def test_a_server_that_does_not_know_the_verifier_is_found_out() -> None:
    terms = Terms(verifier(server_key=bytes(32)))
    with pytest.raises(ProtocolViolation, match="incorrect server signature"):
        exchange(terms).run()


@pytest.mark.parametrize(
    "early", [OK, messages.build_authentication(3), messages.build_sasl_mechanisms([b"SCRAM-SHA-256"])]
)
def test_a_server_cannot_leave_the_exchange_once_it_has_begun(early: bytes) -> None:
    """It may be anybody's server that would rather have the password in clear text."""
    talk = exchange(Terms(verifier()))
    talk.to_client(messages.build_sasl_mechanisms(talk.mechanisms))
    talk.to_server(messages.build_sasl_initial(b"SCRAM-SHA-256", b"n,,n=,r=CLI"))
    with pytest.raises(ProtocolViolation):
        talk.to_client(early)
    assert not talk.auth.authenticated


@pytest.mark.parametrize("method", [OK, messages.build_authentication(3), messages.build_authentication(5, b"salt")])
def test_other_methods_are_relayed(method: bytes) -> None:
    talk = exchange(Terms(verifier()))
    assert talk.to_client(method) == method
    if method != OK:
        assert talk.to_server(answer(b"secret\0")) == answer(b"secret\0")


def test_another_sasl_mechanism_is_relayed() -> None:
    talk = exchange(Terms(verifier()), mechanisms=(b"SCRAM-SHA-256", b"OAUTHBEARER"))
    shown = talk.to_client(messages.build_sasl_mechanisms(talk.mechanisms))
    assert messages.parse_sasl_mechanisms(shown) == [b"SCRAM-SHA-256", b"OAUTHBEARER"]
    initial = messages.build_sasl_initial(b"OAUTHBEARER", b"n,,\1auth=Bearer t\1\1")
    assert talk.to_server(initial) == initial
    assert talk.to_client(continued(b"{}")) == continued(b"{}")
    assert talk.to_server(answer(b"\1")) == answer(b"\1")
    only = exchange(Terms(verifier()), mechanisms=(b"OAUTHBEARER",))
    raw = messages.build_sasl_mechanisms(only.mechanisms)
    assert only.to_client(raw) == raw


BAD_FIRST = {
    "empty": b"",
    "no binding flag": b"x,,n=,r=CLI",
    "an authorization identity": b"n,a=boss,n=,r=CLI",
    "an extension that must be understood": b"n,,m=x,n=,r=CLI",
    "no nonce": b"n,,n=,r=",
    "a nonce that is not printable": b"n,,n=,r=\x07",
    "a binding in the mechanism without": b"p=tls-server-end-point,,n=,r=CLI",
    "an endless nonce": b"n,,n=,r=" + b"x" * 1025,
}


@pytest.mark.parametrize("data", [*BAD_FIRST.values(), None], ids=[*BAD_FIRST, "nothing"])
def test_a_malformed_first_message_ends_the_connection(data: bytes | None) -> None:
    talk = exchange(Terms(verifier(), CLIENT_CERT))
    talk.to_client(messages.build_sasl_mechanisms(talk.mechanisms))
    raw = messages.build_sasl_initial(b"SCRAM-SHA-256", data or b"")
    if data is None:
        raw = messages.message(b"p", b"SCRAM-SHA-256\0", struct.pack("!i", -1))
    with pytest.raises(ProtocolViolation):
        talk.to_server(raw)


@pytest.mark.parametrize(
    ("terms", "mechanism", "gs2"),
    [
        (Terms(verifier()), b"SCRAM-SHA-256-PLUS", b"p=tls-server-end-point,,"),
        (Terms(verifier(), CLIENT_CERT), b"SCRAM-SHA-256-PLUS", b"n,,"),
        (Terms(verifier(), CLIENT_CERT), b"SCRAM-SHA-256-PLUS", b"p=tls-unique,,"),
    ],
)
def test_plus_needs_its_offer_and_its_binding(terms: Terms, mechanism: bytes, gs2: bytes) -> None:
    talk = exchange(terms)
    talk.to_client(messages.build_sasl_mechanisms(talk.mechanisms))
    with pytest.raises(ProtocolViolation):
        talk.to_server(messages.build_sasl_initial(mechanism, gs2 + b"n=,r=CLI"))


def begun() -> tuple[PassThrough, bytes]:
    scram = PassThrough(Terms(verifier()))
    scram.offered([b"SCRAM-SHA-256"])
    _, first = scram.client_first(b"SCRAM-SHA-256", b"n,,n=,r=CLI")
    return scram, first.split(b"r=")[1]


@pytest.mark.parametrize("data", [b"", b"r=other,s=AAAA,i=1", b"r=%s,s=AAAA,i=1", b"r=%sS,s=AAAA,i=x", b"r=%sS,i=1"])
def test_a_malformed_challenge_ends_the_connection(data: bytes) -> None:
    scram, nonce = begun()
    with pytest.raises(ProtocolViolation):
        scram.server_first(data.replace(b"%s", nonce))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"c=biws,r=%s",
        b"c=biws,r=CLIother,p=AAAA",
        b"c=eSws,r=%s,p=AAAA",
        b"c=,r=%s,p=AAAA",
        b"c=biws,r=%s,p=",
    ],
)
def test_a_malformed_proof_ends_the_connection(data: bytes) -> None:
    scram, nonce = begun()
    with pytest.raises(ProtocolViolation, match="unexpected SASL response|malformed"):
        scram.client_final(b"c=biws,r=CLI" + nonce + b",p=" if data == b"" else b"c=biws,r=CLI,p=AAAA")
    challenge = scram.server_first(b"r=" + nonce + b"S,s=AAAA,i=1")
    with pytest.raises(ProtocolViolation):
        scram.client_final(data.replace(b"%s", challenge.split(b",")[0][2:]))


def test_each_step_is_taken_once() -> None:
    scram, nonce = begun()
    challenge = b"r=" + nonce + b"S,s=AAAA,i=1"
    ours = scram.server_first(challenge).split(b",")[0][2:]
    with pytest.raises(ProtocolViolation):
        scram.server_first(challenge)
    scram.client_final(b"c=biws,r=" + ours + b",p=AAAA")
    with pytest.raises(ProtocolViolation):
        scram.client_final(b"c=biws,r=" + ours + b",p=AAAA")
    with pytest.raises(ProtocolViolation):
        scram.server_final(b"e=other-error")


def test_a_session_ends_with_the_sqlstate_of_the_fault() -> None:
    shared = Shared(Policy(), Sealers())
    session = Session(shared, database="shop", user="app", parameters={}, scram=Terms(verifier(), CLIENT_CERT))
    session.server_data(messages.build_sasl_mechanisms([b"SCRAM-SHA-256"]))
    session.client_data(messages.build_sasl_initial(b"SCRAM-SHA-256", b"y,,n=,r=CLI"))
    assert session.closing
    assert error_fields(split(b"".join(session.take_to_client()), to_server=False)[-1])["C"] == "28000"
    assert session.take_to_server() == [messages.TERMINATE]


@given(client=st.binary(max_size=200), server=st.binary(max_size=200))
def test_garbage_on_either_side_is_a_violation_or_passes_as_a_wrong_proof(client: bytes, server: bytes) -> None:
    scram = PassThrough(Terms(verifier(), CLIENT_CERT, SERVER_CERT))
    scram.offered([b"SCRAM-SHA-256-PLUS"])
    for step, data in (
        (lambda data: scram.client_first(b"SCRAM-SHA-256", data), client),
        (scram.server_first, server),
        (scram.client_final, client),
        (scram.server_final, server),
    ):
        with pytest.raises(ProtocolViolation):
            step(data)
    assert not scram.finished
