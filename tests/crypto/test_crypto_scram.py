"""SCRAM-SHA-256: RFC 7677's own example, PostgreSQL's verifiers, and the channel binding of RFC 5929."""

from __future__ import annotations

import base64
import datetime
import hashlib
import hmac

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from proxy.crypto import scram
from proxy.crypto.scram import Verifier

# RFC 7677, section 3: user "user", password "pencil".
SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
AUTH_MESSAGE = (
    b"n=user,r=rOprNGfwEbeRWgbNEkqO,"
    b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
)
PROOF = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
SIGNATURE = base64.b64decode("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
SALTED = hashlib.pbkdf2_hmac("sha256", b"pencil", SALT, 4096)
CLIENT_KEY = hmac.digest(SALTED, b"Client Key", "sha256")
SERVER_KEY = hmac.digest(SALTED, b"Server Key", "sha256")
VERIFIER = Verifier(4096, SALT, hashlib.sha256(CLIENT_KEY).digest(), SERVER_KEY)


def test_the_example_of_rfc_7677() -> None:
    assert scram.client_proof(CLIENT_KEY, AUTH_MESSAGE) == PROOF
    assert scram.server_signature(SERVER_KEY, AUTH_MESSAGE) == SIGNATURE
    assert scram.recover_client_key(VERIFIER, PROOF, AUTH_MESSAGE) == CLIENT_KEY


@pytest.mark.parametrize("proof", [b"", PROOF[:-1], PROOF + b"\0", bytes(32), PROOF[:-1] + bytes((PROOF[-1] ^ 1,))])
def test_a_proof_of_another_password_gives_no_key(proof: bytes) -> None:
    assert scram.recover_client_key(VERIFIER, proof, AUTH_MESSAGE) is None
    assert scram.recover_client_key(VERIFIER, PROOF, AUTH_MESSAGE + b"x") is None


def written(iterations: object = 4096, salt: bytes = SALT, stored: bytes = VERIFIER.stored_key) -> str:
    parts = (base64.b64encode(part).decode() for part in (salt, stored, SERVER_KEY))
    return "SCRAM-SHA-256${}:{}${}:{}".format(iterations, *parts)


def test_a_verifier_is_read_as_postgresql_writes_it_and_never_printed() -> None:
    assert Verifier.parse(written()) == VERIFIER
    assert repr(VERIFIER) == "Verifier()"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "md5c0ffee00ca9a4ee180000123456789ab",
        "pencil",
        written("x"),
        written(-1),
        written(stored=b"short"),
        written() + "\n",
        written().replace("=", "?"),
        written().replace("==$", "=$"),
        written().removeprefix("SCRAM-"),
    ],
)
def test_what_is_no_verifier_is_none(text: str) -> None:
    assert Verifier.parse(text) is None


def test_nonces_are_fresh_and_fit_into_a_message() -> None:
    assert scram.nonce() != scram.nonce()
    assert len(base64.b64decode(scram.nonce())) == scram.NONCE_BYTES
    assert b"," not in scram.nonce()


@pytest.mark.parametrize(
    ("signed_with", "bound_by"),
    [
        (hashes.SHA256(), "sha256"),
        (hashes.SHA384(), "sha384"),
        (hashes.SHA512(), "sha512"),
        (hashes.SHA224(), "sha224"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_a_certificate_is_bound_to_by_the_hash_of_its_signature(
    signed_with: hashes.HashAlgorithm, bound_by: str
) -> None:
    der = certificate(ec.generate_private_key(ec.SECP256R1()), signed_with)
    assert scram.endpoint_binding(der) == hashlib.new(bound_by, der).digest()


def test_what_rfc_5929_does_not_define_is_not_bound_to() -> None:
    assert scram.endpoint_binding(certificate(ed25519.Ed25519PrivateKey.generate(), None)) is None
    assert scram.endpoint_binding(b"no certificate") is None


def certificate(key, signed_with: hashes.HashAlgorithm | None) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "proxy")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    return builder.sign(key, signed_with).public_bytes(serialization.Encoding.DER)
