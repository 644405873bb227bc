"""The keyring: data keys, wrapped by a master key, in one JSON file; and the sealers that use them.

A key id names exactly one key for ever. One key is primary and seals; the map `domains` lets single domains seal under
another key, which is how a rotation moves one column at a time. Active keys open. A retired key opens nothing more, and
is not even unwrapped. File format: docs/value-format.md section 6.
"""

from __future__ import annotations

import base64
import datetime
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Literal

import pydantic

from proxy.config import Scheme, SealedColumn
from proxy.crypto.files import create_secret
from proxy.crypto.format import MAX_KEY_ID
from proxy.crypto.providers import KEY_SIZE, MasterKeyProvider
from proxy.crypto.schemes import GcmKey, Sealer, make_sealer
from proxy.errors import CannotOpen, KeyringError
from proxy.pgtypes import SqlType

_PAYLOAD_MARK: Final = b"SWK1"
_MAX_FILE: Final = 16 * 1024 * 1024


def _strict_base64(text: object) -> bytes:
    if not isinstance(text, str):
        raise ValueError("must be text")  # noqa: TRY004  # pydantic turns ValueError into its own, TypeError it lets pass
    return base64.b64decode(text, validate=True)


KeyId = Annotated[int, pydantic.Field(strict=True, ge=1, le=MAX_KEY_ID)]
Base64 = Annotated[bytes, pydantic.BeforeValidator(_strict_base64)]


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class KeyEntry(_Strict):
    """One data key as the file records it: everything but the key itself."""

    id: KeyId
    name: str
    state: Literal["primary", "active", "retired"]
    created: datetime.datetime
    provider: str
    provider_key: str
    """The provider's name for the master key that wrapped this one."""
    wrapped: Base64 = pydantic.Field(repr=False)


class _File(_Strict):
    format: Literal["sealwire keyring 1"]
    keys: tuple[KeyEntry, ...]
    domains: dict[str, KeyId] = {}


class Keyring:
    """The unwrapped data keys of one keyring file, in memory."""

    def __init__(self, path: Path, file: _File, data_keys: Mapping[int, bytes]) -> None:
        self._path = path
        self._data_keys = dict(data_keys)
        self._domains = file.domains
        self._sealers: dict[tuple[str, Scheme, SqlType, int | None], Sealer] = {}
        self._gcm_keys: dict[tuple[int, str], GcmKey] = {}
        self.keys: Mapping[int, KeyEntry] = MappingProxyType({entry.id: entry for entry in file.keys})
        self.primary: int = next(entry.id for entry in file.keys if entry.state == "primary")

    def __repr__(self) -> str:
        return f"Keyring({str(self._path)!r}, keys={list(self.keys)}, primary={self.primary})"

    @classmethod
    def load(cls, path: Path, provider: MasterKeyProvider) -> Keyring:
        """The keyring in `path`, unwrapped by `provider`.

        Raises KeyringError, with one clear line: the file is missing, unreadable or not a keyring; the master key is
        missing, unreadable or not the one that wrapped the keys.
        """
        file = _parse(path, _read(path))
        opened = {entry.id: _unwrap(path, entry, provider) for entry in file.keys if entry.state != "retired"}
        return cls(path, file, opened)

    @classmethod
    def create(cls, path: Path, provider: MasterKeyProvider) -> Keyring:
        """Makes `path` (mode 0600, whole or not at all) with one new primary key. Never overwrites: KeyringError.

        The key id is random: a value that meets another installation's keyring is told that the key is not there,
        instead of failing as if it had been altered.
        """
        key_id = secrets.randbelow(MAX_KEY_ID) + 1
        entry = {
            "id": key_id,
            "name": "first",
            "state": "primary",
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "provider": provider.name,
            "provider_key": provider.reference(),
            "wrapped": base64.b64encode(provider.wrap(_payload(key_id) + secrets.token_bytes(KEY_SIZE))).decode(),
        }
        content = {"format": "sealwire keyring 1", "keys": [entry], "domains": {}}
        create_secret(path, json.dumps(content, indent=2).encode() + b"\n")
        return cls.load(path, provider)

    def sealer(self, column: SealedColumn) -> Sealer:
        """The sealer of `column`, made once. Raises ConfigError when the scheme does not suit the column's type."""
        which = (column.domain, column.scheme, column.type, column.max_length)
        found = self._sealers.get(which)
        if found is None:
            found = self._sealers[which] = make_sealer(self, column)
        return found

    def sealing_key(self, domain: str) -> int:
        """Id of the key that seals values of `domain`: its own in `domains`, or the primary."""
        return self._domains.get(domain, self.primary)

    def data_key(self, key_id: int) -> bytes:
        """The 32 bytes of a key that may open. Raises CannotOpen."""
        found = self._data_keys.get(key_id)
        if found is None:
            known = key_id in self.keys
            raise CannotOpen("sealed under a retired key" if known else "sealed under a key that the keyring lacks")
        return found

    def gcm_key(self, key_id: int, domain: str) -> GcmKey:
        """The random scheme's key of `domain` under `key_id`: one object, so that it counts all messages."""
        found = self._gcm_keys.get((key_id, domain))
        if found is None:
            found = self._gcm_keys[key_id, domain] = GcmKey(self.data_key(key_id), key_id, domain)
        return found


def _payload(key_id: int) -> bytes:
    """What stands before a data key when it is wrapped, so that it unwraps under its own id only."""
    return _PAYLOAD_MARK + key_id.to_bytes(4, "big")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE + 1)
    except FileNotFoundError:
        raise KeyringError("keyring does not exist; make it with: sealwire init", path=path) from None
    except OSError as error:
        raise KeyringError(f"keyring cannot be read: {error.strerror}", path=path) from None
    if len(content) > _MAX_FILE:
        raise KeyringError("is too large for a keyring", path=path)
    return content


def _parse(path: Path, content: bytes) -> _File:
    try:
        file = _File.model_validate_json(content)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise KeyringError("is not a keyring: it is not JSON", path=path) from None
        where = ".".join(str(part) for part in first["loc"])
        raise KeyringError(f"is not a keyring: {where and f'{where}: '}{first['msg']}", path=path) from None
    states = {entry.id: entry.state for entry in file.keys}
    if len(states) != len(file.keys):
        raise KeyringError("is not a keyring: two keys have the same id", path=path)
    if list(states.values()).count("primary") != 1:
        raise KeyringError("is not a keyring: exactly one key must be primary", path=path)
    for domain, key_id in file.domains.items():
        if states.get(key_id, "retired") == "retired":
            raise KeyringError(f"domain {domain!r} names key {key_id}, which is retired or missing", path=path)
    return file


def _unwrap(path: Path, entry: KeyEntry, provider: MasterKeyProvider) -> bytes:
    if entry.provider != provider.name:
        raise KeyringError(f"key {entry.id} needs provider {entry.provider!r}, not {provider.name!r}", path=path)
    try:
        payload = provider.unwrap(entry.wrapped, entry.provider_key)
    except KeyringError as error:
        if error.path is not None:
            raise
        raise KeyringError(f"key {entry.id}: {error.message}", path=path) from None
    expected = _payload(entry.id)
    if len(payload) != len(expected) + KEY_SIZE or not payload.startswith(expected):
        raise KeyringError(f"key {entry.id} is damaged: what is wrapped belongs to another key", path=path)
    return payload[len(expected) :]
