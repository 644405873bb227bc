"""Master keys that are at hand: in a file (`file`) or in an environment variable (`env`).

Both hold 32 random bytes as base64 or hex, and wrap by AES-256 key wrap (RFC 3394). The key is read at each use and not
kept in memory.
"""

from __future__ import annotations

import abc
import base64
import binascii
import os
import re
import secrets
import stat
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from proxy.crypto.files import create_secret
from proxy.crypto.format import PROTOCOL, join_fields
from proxy.crypto.providers.base import KEY_SIZE
from proxy.errors import KeyringError

_MAX_FILE: Final = 1024
_HEX: Final = re.compile(rb"[0-9A-Fa-f]{64}")


class _LocalProvider(abc.ABC):
    """AES key wrap under a master key that `_read` gives."""

    __slots__ = ()

    @abc.abstractmethod
    def _read(self) -> bytes:
        """The 32 bytes of the master key."""

    @abc.abstractmethod
    def _error(self, message: str) -> KeyringError:
        """`message` about where the master key is kept."""

    def reference(self) -> str:
        return _fingerprint(self._read())

    def wrap(self, payload: bytes) -> bytes:
        return aes_key_wrap(self._read(), payload)

    def unwrap(self, wrapped: bytes, reference: str) -> bytes:
        master = self._read()
        if (own := _fingerprint(master)) != reference:
            raise self._error(f"is master key {own}, but the keyring is wrapped under {reference}")
        try:
            return aes_key_unwrap(master, wrapped)
        except (InvalidUnwrap, ValueError):
            raise KeyringError("what is wrapped is damaged") from None


class FileProvider(_LocalProvider):
    """A master key in a regular file that is closed to group and others."""

    __slots__ = ("_path",)

    name: Final = "file"

    def __init__(self, path: Path) -> None:
        self._path = path

    def __repr__(self) -> str:
        return f"FileProvider({str(self._path)!r})"

    @classmethod
    def create(cls, path: Path) -> FileProvider:
        """Makes the file with a new key, base64, mode 0600. Never overwrites: KeyringError."""
        create_secret(path, base64.b64encode(secrets.token_bytes(KEY_SIZE)) + b"\n")
        return cls(path)

    def _read(self) -> bytes:
        try:
            # O_NONBLOCK: opening a FIFO must not wait for a writer
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                self._check(os.fstat(descriptor))
                key = _decode(os.read(descriptor, _MAX_FILE).strip())
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            raise self._error("master key file does not exist; make it with: sealwire init") from None
        except OSError as error:
            raise self._error(f"master key file cannot be read: {error.strerror}") from None
        if key is None:
            raise self._error("master key file must hold 32 bytes as base64 or hex, and nothing else")
        return key

    def _check(self, facts: os.stat_result) -> None:
        if not stat.S_ISREG(facts.st_mode):
            raise self._error("master key file is not a regular file")
        if facts.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            mode = stat.S_IMODE(facts.st_mode)
            raise self._error(f"master key file has mode {mode:04o}, open to group or others; run: chmod 600")

    def _error(self, message: str) -> KeyringError:
        return KeyringError(message, path=self._path)


class EnvProvider(_LocalProvider):
    """A master key in an environment variable, as container platforms hand secrets over."""

    __slots__ = ("_variable",)

    name: Final = "env"

    def __init__(self, variable: str) -> None:
        self._variable = variable

    def __repr__(self) -> str:
        return f"EnvProvider({self._variable!r})"

    def _read(self) -> bytes:
        text = os.environ.get(self._variable, "").strip()
        if not text:
            raise self._error("is not set; it holds the master key, 32 random bytes as base64 or hex")
        key = _decode(text.encode(errors="surrogateescape"))
        if key is None:
            raise self._error("must hold 32 bytes as base64 or hex, and nothing else")
        return key

    def _error(self, message: str) -> KeyringError:
        return KeyringError(f"environment variable {self._variable} {message}")


def _decode(text: bytes) -> bytes | None:
    """The 32 bytes that `text` writes as base64 or hex, or None."""
    if _HEX.fullmatch(text):
        return bytes.fromhex(text.decode("ascii"))
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return key if len(key) == KEY_SIZE else None


def _fingerprint(master: bytes) -> str:
    """Names a master key without telling anything about it: 8 bytes, hex, of a key derived for this alone."""
    info = join_fields(PROTOCOL, "master key fingerprint")
    return HKDF(algorithm=SHA256(), length=8, salt=None, info=info).derive(master).hex()
