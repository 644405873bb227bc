"""`pkcs11`: the master key is an AES key in a hardware security module and never leaves it.

The key is named by an RFC 7512 URI. What is wrapped is nonce (12) || ciphertext || tag (16) of AES-GCM (PKCS#11 3.1
section 6.13.3), because the payload is not a key object that C_WrapKey could wrap.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from proxy.crypto.providers.base import ask, library
from proxy.errors import KeyringError

PIN_VARIABLE: Final = "SEALWIRE_PKCS11_PIN"
_NONCE: Final = 12
_TAG: Final = 16
_ASSOCIATED: Final = b"sealwire keyring 1"
_MAX_PIN: Final = 1024
_PATH: Final = {"token", "serial", "object", "id"}
_QUERY: Final = {"module-path", "pin-source"}


class Pkcs11Provider:
    """`key` is `pkcs11:token=<label>;object=<label>?module-path=<library>&pin-source=file:<path>`.

    `serial` and `id` may stand for, or beside, `token` and `object`. Without `pin-source` the user PIN is taken from
    the environment variable SEALWIRE_PKCS11_PIN; `pin-value` is refused, for a PIN has no place in a configuration.
    """

    __slots__ = ("_key", "_parts", "_shown")

    name: Final = "pkcs11"

    def __init__(self, key: str) -> None:
        self._key = key
        self._shown = key.partition("?")[0]
        self._parts = _parse(key)

    def __repr__(self) -> str:
        return f"Pkcs11Provider({self._shown!r})"

    def reference(self) -> str:
        """The URI without its query, which says where the library is and not which key."""
        return self._shown

    def wrap(self, payload: bytes) -> bytes:
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._with_key("wrap", lambda key, gcm: key.encrypt(payload, **gcm), nonce)

    def unwrap(self, wrapped: bytes, reference: str) -> bytes:
        if len(wrapped) < _NONCE + _TAG:
            raise KeyringError("what is wrapped is damaged")
        what = f"unwrap what was wrapped under {reference}"
        return self._with_key(what, lambda key, gcm: key.decrypt(wrapped[_NONCE:], **gcm), wrapped[:_NONCE])

    def _with_key(self, what: str, use: Any, nonce: bytes) -> bytes:  # use(key, mechanism) -> bytes
        parts, pin = self._parts, self._pin()

        def call() -> bytes:
            pkcs11 = library("pkcs11", self.name, "pkcs11")
            token = _open_module(pkcs11, parts["module-path"]).get_token(
                token_label=parts.get("token"), token_serial=_bytes(parts.get("serial"))
            )
            gcm = {
                "mechanism": pkcs11.Mechanism.AES_GCM,
                "mechanism_param": pkcs11.GCMParams(nonce, _ASSOCIATED, 8 * _TAG),
            }
            with token.open(user_pin=pin) as session:
                key = session.get_key(
                    object_class=pkcs11.ObjectClass.SECRET_KEY, label=parts.get("object"), id=_bytes(parts.get("id"))
                )
                return bytes(use(key, gcm))

        return ask(f"{self.name}, key {self._shown}", what, call)

    def _pin(self) -> str:
        source = self._parts.get("pin-source")
        if source is None:
            pin = os.environ.get(PIN_VARIABLE, "")
            if not pin:
                raise KeyringError(f"{self.name}: environment variable {PIN_VARIABLE} is not set; it holds the PIN")
            return pin
        return _read_pin(Path(source.removeprefix("file://").removeprefix("file:")))


_loaded_by: dict[str, int] = {}
"""Library -> id of the process that initialised it."""


def _open_module(pkcs11: Any, path: str) -> Any:
    """The token's library; initialised anew in a process that was forked, as PKCS#11 section 6.7.1 demands."""
    module = pkcs11.lib(path)
    if _loaded_by.setdefault(path, os.getpid()) != os.getpid():
        module.reinitialize()
        _loaded_by[path] = os.getpid()
    return module


def _parse(uri: str) -> dict[str, str]:
    """The attributes of an RFC 7512 URI, decoded. Raises KeyringError; never shows `pin-value`."""
    scheme, _, rest = uri.partition(":")
    path, _, query = rest.partition("?")
    parts: dict[str, str] = {}
    for text, known in ((part, _PATH) for part in path.split(";") if part):
        _add(parts, text, known)
    for text, known in ((part, _QUERY) for part in query.split("&") if part):
        _add(parts, text, known)
    if scheme != "pkcs11" or not {"token", "serial"} & set(parts) or not {"object", "id"} & set(parts):
        raise KeyringError("pkcs11: the key is named pkcs11:token=<label>;object=<label>?module-path=<library>")
    if "module-path" not in parts:
        raise KeyringError("pkcs11: the key's URI must end with ?module-path=<the token's PKCS#11 library>")
    return parts


def _add(parts: dict[str, str], text: str, known: set[str]) -> None:
    name, mark, value = text.partition("=")
    if name == "pin-value":
        raise KeyringError(f"pkcs11: pin-value is not taken; use pin-source=file:<path>, or {PIN_VARIABLE}")
    if name not in known or not mark or name in parts:
        raise KeyringError(f"pkcs11: {name!r} is unknown here or stands twice; known: {', '.join(sorted(known))}")
    parts[name] = unquote(value, encoding="latin-1" if name in ("id", "serial") else "utf-8")


def _bytes(value: str | None) -> bytes | None:
    return None if value is None else value.encode("latin-1")


def _read_pin(path: Path) -> str:
    """The PIN in a regular file that is closed to group and others."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode) or facts.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise KeyringError("PIN file must be a regular file with mode 0600", path=path)
            pin = os.read(descriptor, _MAX_PIN).decode(errors="replace").strip()
        finally:
            os.close(descriptor)
    except OSError as error:
        raise KeyringError(f"PIN file cannot be read: {error.strerror}", path=path) from None
    if not pin:
        raise KeyringError("PIN file is empty", path=path)
    return pin
