"""The keyring: data keys, wrapped by a master key, in one JSON file; and the sealers that use them.

A key id names exactly one key for ever. One key is primary and seals; the map `domains` lets single domains seal under
another key, which is how a rotation moves one column at a time. Active keys open. A retired key opens nothing more, and
is not even unwrapped. The file itself: keyfile.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from proxy.config import Config, Scheme, SealedColumn
from proxy.crypto.keyfile import (
    KeyEntry,
    KeyFile,
    create_keyfile,
    edit_keyfile,
    new_entry,
    read_keyfile,
    unwrap_key,
)
from proxy.crypto.providers import MasterKeyProvider, make_provider
from proxy.crypto.schemes import GcmKey, Sealer, make_sealer
from proxy.errors import CannotOpen, ConfigError, KeyringError
from proxy.pgtypes import SqlType


class Keyring:
    """The unwrapped data keys of one keyring file, in memory."""

    def __init__(self, path: Path, file: KeyFile, data_keys: Mapping[int, bytes]) -> None:
        self._path = path
        self._data_keys = dict(data_keys)
        self._file = file
        self._sealers: dict[tuple[str, Scheme, SqlType, int | None, int], Sealer] = {}
        self._gcm_keys: dict[tuple[int, str], GcmKey] = {}
        self.keys: Mapping[int, KeyEntry] = MappingProxyType({entry.id: entry for entry in file.keys})
        self.primary: int = file.primary.id

    def __repr__(self) -> str:
        return f"Keyring({str(self._path)!r}, keys={list(self.keys)}, primary={self.primary})"

    @classmethod
    def load(cls, path: Path, provider: MasterKeyProvider) -> Keyring:
        """The keyring in `path`, unwrapped by `provider`; after this, neither is asked again.

        Raises KeyringError, with one clear line: the file is missing, unreadable or not a keyring; the master key is
        missing, unreadable or not the one that wrapped the keys.
        """
        file = read_keyfile(path)
        opened = {entry.id: unwrap_entry(path, entry, provider) for entry in file.keys if entry.state != "retired"}
        return cls(path, file, opened)

    @classmethod
    def create(cls, path: Path, provider: MasterKeyProvider) -> Keyring:
        """Makes `path` (mode 0600, whole or not at all) with one new primary key. Never overwrites: KeyringError."""
        create_keyfile(path, KeyFile(keys=(new_entry(provider, name="first", state="primary"),)))
        return cls.load(path, provider)

    def sealer(self, column: SealedColumn, *, key_id: int | None = None) -> Sealer:
        """The sealer of `column`, made once: it seals under `key_id`, or else under its domain's key, and opens what
        any key of the keyring sealed.

        Raises ConfigError when the scheme does not suit the column's type, and KeyringError for a `key_id` that is
        retired or not there.
        """
        sealing = self.sealing_key(column.domain) if key_id is None else key_id
        which = (column.domain, column.scheme, column.type, column.max_length, sealing)
        found = self._sealers.get(which)
        if found is None:
            self._require_live(sealing)
            found = self._sealers[which] = make_sealer(_Under(self, sealing), column)
        return found

    def key_of(self, column: SealedColumn) -> int:
        """Id of the key that seals the column's values."""
        return self.sealing_key(column.domain)

    def waits(self, column: SealedColumn) -> bool:
        """True: since a rotation, the column's values are to be sealed again under another key."""
        return column.scheme is not Scheme.RANDOM and self.next_key(column.domain) is not None

    def reseal_key(self, column: SealedColumn) -> int:
        """Id of the key that the column's values are to lie under: the one that it waits for, or else its own."""
        waited_for = self.next_key(column.domain) if self.waits(column) else None
        return self.key_of(column) if waited_for is None else waited_for

    def sealing_key(self, domain: str) -> int:
        """Id of the key that seals values of `domain`: its own in `domains`, or the primary."""
        return self._file.domains.get(domain, self.primary)

    def next_key(self, domain: str) -> int | None:
        """Id of the key that the values of `domain` are to be sealed under again, since a rotation; None: there is
        nothing to do."""
        return self._file.next.get(domain)

    def pin(self, domain: str, key_id: int) -> None:
        """From now on, values of `domain` are sealed under `key_id`: in the file at once, and in what `sealer` gives.

        Sealers given out before, here and in other processes, stay with their key until they reload. Raises
        KeyringError when the key is retired or not there, or the file cannot be written.
        """
        self._require_live(key_id)

        def change(file: KeyFile) -> KeyFile:
            waiting = {name: key for name, key in file.next.items() if (name, key) != (domain, key_id)}
            if (entry := file.entry(key_id)) is None or entry.state == "retired":
                raise KeyringError(f"key {key_id} is retired", path=self._path)
            return file.model_copy(update={"domains": file.domains | {domain: key_id}, "next": waiting})

        changed = edit_keyfile(self._path, change)
        # Of what else may have changed, keys among it, nothing is taken over: that is what a reload is for.
        domains = {name: key for name, key in changed.domains.items() if key in self._data_keys}
        waiting = {name: key for name, key in changed.next.items() if key in self._data_keys}
        self._file = self._file.model_copy(update={"domains": domains, "next": waiting})

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

    def take_over_counts(self, before: Keyring) -> None:
        """Goes on counting the messages that `before`, the same keyring as it was, has sealed."""
        for (key_id, domain), key in before._gcm_keys.items():  # one of its own kind
            if self._data_keys.get(key_id) == before._data_keys[key_id]:
                self._gcm_keys[key_id, domain] = key

    def _require_live(self, key_id: int) -> None:
        if key_id not in self._data_keys:
            state = "is retired" if key_id in self.keys else "is not in the keyring"
            raise KeyringError(f"key {key_id} {state}", path=self._path)


class _Under:
    """The keyring as a source for one sealer, which seals under a key that is given."""

    __slots__ = ("_key_id", "_keyring", "data_key", "gcm_key")

    def __init__(self, keyring: Keyring, key_id: int) -> None:
        self._key_id = key_id
        self.data_key = keyring.data_key
        self.gcm_key = keyring.gcm_key

    def sealing_key(self, domain: str) -> int:  # the same for every domain
        return self._key_id


class Keyrings:
    """The keyrings of all keysets. `sealer` takes the one that the column's entry names."""

    def __init__(self, keyrings: Mapping[str, Keyring]) -> None:
        self._keyrings = dict(keyrings)
        self.generation = 0
        """Counts the reloads: sealers that were given out under another one may seal under a key of yesterday."""

    def __repr__(self) -> str:
        return f"Keyrings({self._keyrings!r})"

    @classmethod
    def load(cls, config: Config) -> Keyrings:
        """`keys` and all `keysets` of `config`, unwrapped. Raises KeyringError, which names the keyset."""
        return cls(_load_all(config))

    def reload(self, config: Config) -> None:
        """Takes the keyrings as they are now, all of them or none. Raises KeyringError; then what was there stays,
        so a key store that is lost does not stop a proxy that runs."""
        fresh = _load_all(config)
        for name, keyring in fresh.items():
            if (before := self._keyrings.get(name)) is not None:
                keyring.take_over_counts(before)
        self._keyrings = fresh
        self.generation += 1

    def keyring(self, keyset: str = "") -> Keyring:
        """The keyring of `keyset`; "" is that of the section `keys`. Raises KeyError."""
        return self._keyrings[keyset]

    def sealer(self, column: SealedColumn, *, key_id: int | None = None) -> Sealer:
        """As `Keyring.sealer`. Raises ConfigError also for a keyset that sealwire.yaml does not have."""
        return self._of(column).sealer(column, key_id=key_id)

    def key_of(self, column: SealedColumn) -> int:
        """As `Keyring.key_of`. Raises ConfigError as `sealer` does."""
        return self._of(column).key_of(column)

    def waits(self, column: SealedColumn) -> bool:
        """As `Keyring.waits`."""
        found = self._keyrings.get(column.keyset)
        return found is not None and found.waits(column)

    def _of(self, column: SealedColumn) -> Keyring:
        found = self._keyrings.get(column.keyset)
        if found is None:
            raise ConfigError(f"unknown keyset {column.keyset!r}", line=column.line or None, key=column.name)
        return found


def _load_all(config: Config) -> dict[str, Keyring]:
    keyrings = {}
    for name, keys in config.all_keys.items():
        try:
            keyrings[name] = Keyring.load(keys.keyring, make_provider(keys))
        except KeyringError as error:
            raise KeyringError(f"keyset {name}: {error}" if name else str(error)) from None
    return keyrings


def unwrap_entry(path: Path, entry: KeyEntry, provider: MasterKeyProvider) -> bytes:
    """The data key of `entry`, by whichever of its wraps is `provider`'s. Raises KeyringError."""
    mine = [wrap for wrap in entry.wraps if wrap.provider == provider.name]
    if not mine:
        needed = " or ".join(repr(wrap.provider) for wrap in entry.wraps)
        raise KeyringError(f"key {entry.id} needs provider {needed}, not {provider.name!r}", path=path)
    failures = []
    for wrap in mine:
        try:
            return unwrap_key(entry.id, wrap, provider)
        except KeyringError as error:
            failures.append(error)
    first = failures[0]
    if first.path is not None:
        raise first
    message = first.message if first.message.startswith(f"key {entry.id} ") else f"key {entry.id}: {first.message}"
    raise KeyringError(message, path=path)
