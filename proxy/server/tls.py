"""TLS contexts of both legs, made from the configuration before anything listens.

Towards clients: `listen.cert` and `listen.key`, TLS 1.2 at least, ALPN "postgresql" (direct TLS demands it).
Towards the server: `upstream.tls` means what `sslmode` means in libpq ("SSL Support" in its chapter of the manual):
without a CA file the server's certificate is not looked at, with one it is, in every mode; verify-full also compares
host names.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

from proxy.config import Config
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
    _check_readable(config, "listen.cert", listen.cert)
    if listen.key is not None:
        _check_readable(config, "listen.key", listen.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([ALPN_PROTOCOL])
    try:
        # A password that is never right: an encrypted key must be an error, not a question on the terminal.
        context.load_cert_chain(listen.cert, listen.key, password=b"")
    except (ssl.SSLError, OSError) as error:
        if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
            message, key = f"{listen.key} is not the private key of {listen.cert}", "listen.key"
        else:
            message, key = f"cannot use {listen.cert} with key {listen.key or listen.cert}", "listen.cert"
        raise ConfigError(f"{message} ({_reason(error)})", path=config.path, key=key) from error
    return context


def upstream_context(config: Config) -> ssl.SSLContext | None:
    """The context for the server, or None where no TLS is tried. Raises ConfigError naming upstream.ca."""
    upstream = config.upstream
    if upstream.tls == "disable" or is_socket_directory(upstream.host):
        return None
    if upstream.ca is None and upstream.tls in _VERIFYING:
        raise ConfigError(f"upstream.tls: {upstream.tls} needs a CA certificate", path=config.path, key="upstream.ca")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([ALPN_PROTOCOL])
    context.check_hostname = upstream.tls == "verify-full"
    if upstream.ca is None:
        context.verify_mode = ssl.CERT_NONE
        return context
    _check_readable(config, "upstream.ca", upstream.ca)
    try:
        context.load_verify_locations(upstream.ca)
    except (ssl.SSLError, OSError) as error:
        message = f"{upstream.ca} holds no CA certificate ({_reason(error)})"
        raise ConfigError(message, path=config.path, key="upstream.ca") from error
    return context


def _check_readable(config: Config, key: str, path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise ConfigError(f"cannot read {path} ({error.strerror})", path=config.path, key=key) from error


def _reason(error: OSError) -> str:
    return (error.reason if isinstance(error, ssl.SSLError) else error.strerror) or type(error).__name__
