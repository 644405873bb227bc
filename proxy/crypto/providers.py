"""Master-key providers: who wraps and unwraps the data keys of a keyring.

A provider is anything with the four members of `MasterKeyProvider`; a key management service fits as well as a file.
The keyring hands it a payload that already names its key id (keyring.py), so a provider needs no associated data.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
import stat
from pathlib import Path
from typing import Final, Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from proxy.config import Keys
from proxy.crypto.files import create_secret
from proxy.crypto.format import PROTOCOL, join_fields
from proxy.errors import KeyringError

KEY_SIZE: Final = 32
_MAX_FILE: Final = 1024
_HEX: Final = re.compile(rb"[0-9A-Fa-f]{64}")


class MasterKeyProvider(Protocol):
    """Holds a master key, or the way to one. Every method raises KeyringError, with one clear line.

    The error's `path` is the provider's own file, where that is at fault; without one, the keyring adds its own.
    """

    @property
    def name(self) -> str:
        """`provider` in sealwire.yaml and in the keyring: `file`."""

    def reference(self) -> str:
        """Which master key `wrap` uses now (a fingerprint, an ARN). Not secret; kept beside what was wrapped."""

    def wrap(self, payload: bytes) -> bytes:
        """Encrypts and authenticates `payload`, whose size is a multiple of 8 and at least 16 bytes."""

    def unwrap(self, wrapped: bytes, reference: str) -> bytes:
        """The payload that was wrapped under the master key `reference`."""


class FileProvider:
    """A master key of 32 random bytes in a file, as base64 or hex; payloads are wrapped by AES-256 key wrap (RFC 3394).

    The file is read at each use and not kept in memory. It must be a regular file that is closed to group and others.
    """

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

    def reference(self) -> str:
        return _fingerprint(self._read())

    def wrap(self, payload: bytes) -> bytes:
        return aes_key_wrap(self._read(), payload)

    def unwrap(self, wrapped: bytes, reference: str) -> bytes:
        master = self._read()
        if (own := _fingerprint(master)) != reference:
            raise KeyringError(f"is master key {own}, but the keyring is wrapped under {reference}", path=self._path)
        try:
            return aes_key_unwrap(master, wrapped)
        except (InvalidUnwrap, ValueError):
            raise KeyringError("what is wrapped is damaged") from None

    def _read(self) -> bytes:
        try:
            # O_NONBLOCK: opening a FIFO must not wait for a writer
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                self._check(os.fstat(descriptor))
                return self._decode(os.read(descriptor, _MAX_FILE).strip())
            finally:
                os.close(descriptor)
        except FileNotFoundError:
            raise KeyringError("master key file does not exist; make it with: sealwire init", path=self._path) from None
        except OSError as error:
            raise KeyringError(f"master key file cannot be read: {error.strerror}", path=self._path) from None

    def _check(self, facts: os.stat_result) -> None:
        if not stat.S_ISREG(facts.st_mode):
            raise KeyringError("master key file is not a regular file", path=self._path)
        if facts.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            mode = stat.S_IMODE(facts.st_mode)
            raise KeyringError(
                f"master key file has mode {mode:04o}, open to group or others; run: chmod 600", path=self._path
            )

    def _decode(self, text: bytes) -> bytes:
        if _HEX.fullmatch(text):
            return bytes.fromhex(text.decode("ascii"))
        try:
            key = base64.b64decode(text, validate=True)
        except binascii.Error:
            key = b""
        if len(key) != KEY_SIZE:
            raise KeyringError("master key file must hold 32 bytes as base64 or hex, and nothing else", path=self._path)
        return key


def _fingerprint(master: bytes) -> str:
    """Names a master key without telling anything about it: 8 bytes, hex, of a key derived for this alone."""
    info = join_fields(PROTOCOL, "master key fingerprint")
    return HKDF(algorithm=SHA256(), length=8, salt=None, info=info).derive(master).hex()


def make_provider(keys: Keys) -> MasterKeyProvider:
    """The provider that `keys:` in sealwire.yaml names. Raises KeyringError for one that does not exist."""
    if keys.provider == FileProvider.name:
        return FileProvider(Path(keys.master_key))
    raise KeyringError(f"unknown master-key provider {keys.provider!r}; supported: {FileProvider.name}")
