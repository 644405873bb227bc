"""Doubles of key stores: small HTTP servers that answer as the real ones do, with real cryptography behind them.

Only what the providers use is answered. A double keeps its master key to itself, so that a provider which did not ask
would be found out.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import ipaddress
import json
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID

Answer = tuple[int, dict[str, str], object]
"""Status, headers, and what the body is as JSON."""
Handler = Callable[[str, str, dict[str, str], Any], Answer]
"""(method, path without query, headers in lower case, JSON body) -> answer."""


@contextlib.contextmanager
def serving(handle: Handler, tls: tuple[Path, Path] | None = None) -> Iterator[str]:
    """A server on 127.0.0.1 that answers with `handle`; its URL. `tls`: certificate and key."""

    class Requests(BaseHTTPRequestHandler):
        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            path = self.path.partition("?")[0]
            status, extra, content = handle(self.command, path, headers, json.loads(body) if body else None)
            data = json.dumps(content).encode()
            self.send_response(status)
            for name, value in {"content-type": "application/json", "content-length": str(len(data)), **extra}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do  # noqa: N815  # the names that BaseHTTPRequestHandler looks for

        def log_message(self, *args: object) -> None:
            """Not to standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class GoogleKms:
    """cryptoKeys.encrypt and cryptoKeys.decrypt of Google Cloud KMS, REST v1."""

    def __init__(self, key: str) -> None:
        self.path = f"/v1/{key}"
        self.enabled = True
        self._master = AESGCM(os.urandom(32))

    def __call__(self, method: str, path: str, headers: dict[str, str], body: Any) -> Answer:
        name, _, verb = path.rpartition(":")
        if method != "POST" or name != self.path:
            return 404, {}, {"error": {"code": 404, "message": f"{name} not found.", "status": "NOT_FOUND"}}
        if not self.enabled:
            message = f"{name}/cryptoKeyVersions/1 is not enabled, current state is: DISABLED."
            return 400, {}, {"error": {"code": 400, "message": message, "status": "FAILED_PRECONDITION"}}
        data = base64.b64decode(body.get("additionalAuthenticatedData", ""))
        if verb == "encrypt":
            nonce = os.urandom(12)
            sealed = nonce + self._master.encrypt(nonce, base64.b64decode(body["plaintext"]), data)
            return 200, {}, {"name": f"{name}/cryptoKeyVersions/1", "ciphertext": base64.b64encode(sealed).decode()}
        sealed = base64.b64decode(body["ciphertext"])
        try:
            plain = self._master.decrypt(sealed[:12], sealed[12:], data)
        except InvalidTag:
            message = "Decryption failed: the ciphertext is invalid."
            return 400, {}, {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}
        return 200, {}, {"plaintext": base64.b64encode(plain).decode()}


class VaultTransit:
    """transit/encrypt and transit/decrypt of Vault and OpenBao, API v1."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._masters = {"transit/sealwire": AESGCM(os.urandom(32)), "team/transit/other": AESGCM(os.urandom(32))}

    def __call__(self, method: str, path: str, headers: dict[str, str], body: Any) -> Answer:
        if headers.get("x-vault-token") != self._token:
            return 403, {}, {"errors": ["permission denied"]}
        *mount, verb, name = path.removeprefix("/v1/").split("/")
        master = self._masters.get(f"{'/'.join(mount)}/{name}")
        if master is None or method not in ("POST", "PUT"):
            return 400, {}, {"errors": ["encryption key not found"]}
        if verb == "encrypt":
            nonce = os.urandom(12)
            sealed = nonce + master.encrypt(nonce, base64.b64decode(body["plaintext"]), None)
            return 200, {}, {"data": {"ciphertext": f"vault:v1:{base64.b64encode(sealed).decode()}", "key_version": 1}}
        sealed = base64.b64decode(body["ciphertext"].removeprefix("vault:v1:"))
        try:
            plain = master.decrypt(sealed[:12], sealed[12:], None)
        except InvalidTag:
            return 400, {}, {"errors": ["cipher: message authentication failed"]}
        return 200, {}, {"data": {"plaintext": base64.b64encode(plain).decode()}}


class AzureKeyVault:
    """keys/get, wrapkey, unwrapkey, sign and verify of Azure Key Vault for one RSA key with versions; with the
    challenge that a vault answers a first request with."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.url = ""
        self.token = "a token"
        self.versions: dict[str, rsa.RSAPrivateKey] = {}
        self.rotate()

    def rotate(self) -> None:
        """A new version of the key."""
        self.versions[f"{len(self.versions) + 1:032x}"] = rsa.generate_private_key(65537, 2048)

    def __call__(self, method: str, path: str, headers: dict[str, str], body: Any) -> Answer:
        if headers.get("authorization") != f"Bearer {self.token}":
            challenge = 'Bearer authorization="https://login.example/tenant", resource="https://vault.azure.net"'
            return 401, {"www-authenticate": challenge}, {"error": {"code": "Unauthorized", "message": "no token"}}
        parts = path.strip("/").split("/")
        version = parts[2] if len(parts) > 2 and parts[2] else max(self.versions)
        key = self.versions.get(version)
        if parts[:2] != ["keys", self.name] or key is None:
            return 404, {}, {"error": {"code": "KeyNotFound", "message": f"A key with {path} was not found."}}
        identity = f"{self.url}/keys/{self.name}/{version}"
        if method == "GET":
            numbers = key.public_key().public_numbers()
            operations = ["wrapKey", "unwrapKey", "sign", "verify"]
            modulus, exponent = (_base64url(n.to_bytes((n.bit_length() + 7) // 8)) for n in (numbers.n, numbers.e))
            jwk = {"kid": identity, "kty": "RSA", "key_ops": operations, "n": modulus, "e": exponent}
            return 200, {}, {"key": jwk, "attributes": {"enabled": True}}
        value = _from_base64url(body.get("value") or body.get("digest"))
        digest = utils.Prehashed(hashes.SHA256())
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        match parts[3], body["alg"]:
            case "wrapkey", "RSA-OAEP-256":
                result = key.public_key().encrypt(value, oaep)
            case "unwrapkey", "RSA-OAEP-256":
                try:
                    result = key.decrypt(value, oaep)
                except ValueError:
                    return 400, {}, {"error": {"code": "BadParameter", "message": "The parameter is incorrect."}}
            case "sign", "PS256":
                result = key.sign(value, pss, digest)
            case other:
                return 400, {}, {"error": {"code": "BadParameter", "message": f"{other} is not supported"}}
        return 200, {}, {"kid": identity, "value": _base64url(result)}


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key, as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "double.crt", folder / "double.key"
    paths[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    return paths


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
