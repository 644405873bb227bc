"""TLS contexts of both legs, made from the configuration before anything listens.

Towards clients: `listen.cert` and `listen.key`, TLS 1.2 at least, ALPN "postgresql" (direct TLS demands it); with
`listen.client_ca` clients show a certificate. Towards the server: `upstream.tls` means what `sslmode` means in libpq
("SSL Support" in its chapter of the manual): without a CA file the server's certificate is not looked at, with one it
is, in every mode; verify-full also compares host names. `upstream.cert` is shown to a server that asks for one.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

from proxy.config import Config
from proxy.crypto.scram import endpoint_binding
from proxy.errors import ConfigError
from proxy.session.startup import ALPN_PROTOCOL

_VERIFYING: Final = ("verify-ca", "verify-full")


def is_socket_directory(host: str) -> bool:
    """True when `host` of listen or upstream names a directory for a Unix socket; TLS is never used on those."""
    return host.startswith("/")


def client_leg_context(config: Config) -> ssl.SSLContext | None:
    """The context for clients, or None where no TLS is spoken. Raises ConfigError naming listen.cert or listen.key."""
    listen = config.listen
    if listen.tls == "disable" or is_socket_directory(listen.host):
        return None
    if listen.cert is None:
        raise ConfigError(f"listen.tls: {listen.tls} needs a certificate", path=config.path, key="listen.cert")
    context = _context(ssl.PROTOCOL_TLS_SERVER)
    _load_pair(config, context, "listen", listen.cert, listen.key)
    if listen.client_ca is not None:
        _load_authority(config, context, "listen.client_ca", listen.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_leg_binding(config: Config) -> bytes | None:
    """tls-server-end-point of `listen.cert`; None without TLS, or where such a certificate cannot be bound to. Raises
    ConfigError."""
    listen = config.listen
    if listen.cert is None or listen.tls == "disable" or is_socket_directory(listen.host):
        return None
    _check_readable(config, "listen.cert", listen.cert)
    try:
        certificate = ssl.PEM_cert_to_DER_cert(_first_certificate(listen.cert.read_text(encoding="latin-1")))
    except ValueError as error:
        message = f"{listen.cert} holds no certificate"
        raise ConfigError(message, path=config.path, key="listen.cert") from error
    return endpoint_binding(certificate)


def _first_certificate(pem: str) -> str:
    begin, end = pem.find(ssl.PEM_HEADER), pem.find(ssl.PEM_FOOTER)
    return pem[begin : end + len(ssl.PEM_FOOTER)] if 0 <= begin < end else ""


def peer_binding(tls: ssl.SSLObject | None) -> bytes | None:
    """tls-server-end-point of the certificate that the server has shown on this connection; None without TLS."""
    certificate = tls.getpeercert(binary_form=True) if tls is not None else None
    return endpoint_binding(certificate) if certificate is not None else None


def upstream_context(config: Config) -> ssl.SSLContext | None:
    """The context for the server, or None where no TLS is tried. Raises ConfigError naming upstream.ca."""
    upstream = config.upstream
    if upstream.tls == "disable" or is_socket_directory(upstream.host):
        return None
    if upstream.ca is None and upstream.tls in _VERIFYING:
        raise ConfigError(f"upstream.tls: {upstream.tls} needs a CA certificate", path=config.path, key="upstream.ca")
    context = _context(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = upstream.tls == "verify-full"
    if upstream.cert is not None:
        _load_pair(config, context, "upstream", upstream.cert, upstream.key)
    if upstream.ca is None:
        context.verify_mode = ssl.CERT_NONE
        return context
    _load_authority(config, context, "upstream.ca", upstream.ca)
    return context


def _context(protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([ALPN_PROTOCOL])
    return context


def _load_pair(config: Config, context: ssl.SSLContext, section: str, cert: Path, key: Path | None) -> None:
    """The certificate and private key of one leg."""
    _check_readable(config, f"{section}.cert", cert)
    if key is not None:
        _check_readable(config, f"{section}.key", key)
    try:
        # A password that is never right: an encrypted key must be an error, not a question on the terminal.
        context.load_cert_chain(cert, key, password=b"")
    except (ssl.SSLError, OSError) as error:
        if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
            message, name = f"{key} is not the private key of {cert}", f"{section}.key"
        else:
            message, name = f"cannot use {cert} with key {key or cert}", f"{section}.cert"
        raise ConfigError(f"{message} ({_reason(error)})", path=config.path, key=name) from error


def _load_authority(config: Config, context: ssl.SSLContext, key: str, path: Path) -> None:
    _check_readable(config, key, path)
    try:
        context.load_verify_locations(path)
    except (ssl.SSLError, OSError) as error:
        message = f"{path} holds no CA certificate ({_reason(error)})"
        raise ConfigError(message, path=config.path, key=key) from error


def _check_readable(config: Config, key: str, path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise ConfigError(f"cannot read {path} ({error.strerror})", path=config.path, key=key) from error


def _reason(error: OSError) -> str:
    return (error.reason if isinstance(error, ssl.SSLError) else error.strerror) or type(error).__name__
