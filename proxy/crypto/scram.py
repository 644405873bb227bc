"""The arithmetic of SCRAM-SHA-256 (RFC 5802, RFC 7677) and of its channel binding (RFC 5929), for a proxy that takes
part in the exchange without knowing the password.

PostgreSQL stores a verifier, StoredKey = H(ClientKey) and ServerKey. A client's proof is ClientKey XOR HMAC(StoredKey,
AuthMessage): whoever knows StoredKey and AuthMessage recovers ClientKey from it, and can prove the same towards the
server in an exchange of its own. So the server still decides, and no password is stored or seen anywhere.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 18  # SCRAM_RAW_NONCE_LEN of PostgreSQL

_VERIFIER: Final = re.compile(r"SCRAM-SHA-256\$([0-9]{1,9}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)")
_WEAK: Final = ("md5", "sha1")


@dataclass(frozen=True, slots=True)
class Verifier:
    """What a server stores of a password (`pg_authid.rolpassword`). Nothing of it is printed."""

    iterations: int = field(repr=False)
    salt: bytes = field(repr=False)
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Verifier | None:
        """`SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`; None for anything else, an MD5 hash, say."""
        found = _VERIFIER.fullmatch(text)
        if found is None:
            return None
        salt, stored_key, server_key = (decode(part.encode()) for part in found.groups()[1:])
        if salt is None or stored_key is None or server_key is None:
            return None
        if len(stored_key) != KEY_BYTES or len(server_key) != KEY_BYTES:
            return None
        return cls(int(found[1]), salt, stored_key, server_key)


def nonce() -> bytes:
    """A fresh nonce, printable, without a comma."""
    return base64.b64encode(secrets.token_bytes(NONCE_BYTES))


def encode(data: bytes) -> bytes:
    return base64.b64encode(data)


def decode(text: bytes) -> bytes | None:
    """Base64, strictly; None where it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None


def recover_client_key(verifier: Verifier, proof: bytes, auth_message: bytes) -> bytes | None:
    """The ClientKey that `proof` was made with; None: it was not made with the password of `verifier`."""
    if len(proof) != KEY_BYTES:
        return None
    client_key = _xor(proof, _hmac(verifier.stored_key, auth_message))
    return client_key if hmac.compare_digest(hashlib.sha256(client_key).digest(), verifier.stored_key) else None


def client_proof(client_key: bytes, auth_message: bytes) -> bytes:
    """ClientProof of RFC 5802, section 3."""
    return _xor(client_key, _hmac(hashlib.sha256(client_key).digest(), auth_message))


def server_signature(server_key: bytes, auth_message: bytes) -> bytes:
    """ServerSignature of RFC 5802, section 3."""
    return _hmac(server_key, auth_message)


def endpoint_binding(certificate: bytes) -> bytes | None:
    """tls-server-end-point of a certificate in DER (RFC 5929, section 4.1): its hash by the hash function of its
    signature, SHA-256 in place of MD5 and SHA-1. None where the signature has no such function, as Ed25519's."""
    try:
        algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        return None
    if algorithm is None:
        return None
    digest = hashes.Hash(hashes.SHA256() if algorithm.name in _WEAK else algorithm)
    digest.update(certificate)
    return digest.finalize()


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
