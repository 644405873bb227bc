"""What `sealwire keys` does to a keyring: new keys, rotation, another master key, retirement.

Data is never touched here. Every command asks the key store first and then changes the file at once, or not at all.

A rotation is seen at once only where that gives no wrong answer. Values with `search: none` may lie under several keys
side by side, so their domains take the new key with the next write. Values that are compared with each other must lie
under one key: an equality or order domain stays pinned to its key until its values have been sealed again
(`Keyring.next_key` says under which, `Keyring.pin` ends it).
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from proxy.config import Keys, Policy, Scheme
from proxy.crypto import KeyEntry, MasterKeyProvider, make_provider
from proxy.crypto.keyfile import (
    MAX_NAME,
    KeyFile,
    Wrap,
    edit_keyfile,
    new_entry,
    read_keyfile,
    unwrap_key,
    wrap_key,
)
from proxy.crypto.keyring import unwrap_entry
from proxy.errors import KeyringError


class Move(enum.Enum):
    """What a rotation means for one domain."""

    NOW = "the new key seals from the next reload on; the old key opens"
    RESEAL = "stays under its key until resealed"


@dataclass(frozen=True, slots=True)
class Rotation:
    """What `rotate` did."""

    key: KeyEntry
    moves: Mapping[str, Move]
    """Domain -> what becomes of it; the domains of the policy, or those that were asked for."""


def domains_of(policy: Policy, keyset: str) -> dict[str, bool]:
    """Domain -> whether its values are compared with each other, for the columns whose keys are in `keyset`."""
    found: dict[str, bool] = {}
    for column in policy.columns:
        if column.keyset == keyset:
            found[column.domain] = found.get(column.domain, False) or column.scheme is not Scheme.RANDOM
    return found


def create_key(keys: Keys, name: str) -> KeyEntry:
    """Adds a key that opens and does not seal yet, so that every proxy can know it before the first value needs it."""
    file = read_keyfile(keys.keyring)
    _refuse_while_rewrapping(keys, file)
    entry = _make(keys, file, name)
    edit_keyfile(keys.keyring, lambda current: _added(keys, current, entry))
    return entry


def rotate(
    keys: Keys, domains: Mapping[str, bool], *, name: str, key_id: int | None = None, only: Collection[str] = ()
) -> Rotation:
    """Makes a new key, or the active key `key_id`, the one that seals: for all domains, or for those in `only`.

    `domains` as `domains_of` gives them. Raises KeyringError: a key or domain that is not there, a rewrap under way.
    """
    for domain in only:
        if domain not in domains:
            known = ", ".join(sorted(domains)) or "none"
            raise KeyringError(f"domain {domain!r} is not in the policy; its domains: {known}", path=keys.keyring)
    file = read_keyfile(keys.keyring)
    _refuse_while_rewrapping(keys, file)
    if key_id is None:
        entry = _make(keys, file, name)
    else:
        entry = _entry(keys, file, key_id)
        unwrap_entry(keys.keyring, entry, make_provider(keys))
    moved = {domain: domains[domain] for domain in (only or domains)}

    def change(current: KeyFile) -> KeyFile:
        if key_id is None:
            current = _added(keys, current, entry)
        elif _entry(keys, current, key_id).state == "retired":
            raise KeyringError(f"key {key_id} is retired", path=keys.keyring)
        return _moved(current, entry.id, moved) if only else _promoted(current, entry.id, moved)

    changed = edit_keyfile(keys.keyring, change)
    moves = {domain: Move.RESEAL if compared else Move.NOW for domain, compared in moved.items()}
    return Rotation(_entry(keys, changed, entry.id), moves)


def _promoted(file: KeyFile, key_id: int, domains: Mapping[str, bool]) -> KeyFile:
    """Key `key_id` is primary; domains whose values are compared stay pinned to what seals them now, and wait."""
    before = file.primary.id
    pins = {domain: key for domain, key in file.domains.items() if domains.get(domain, True)}
    waiting = {domain: key for domain, key in file.next.items() if domain not in domains}
    for domain, compared in domains.items():
        if compared and pins.setdefault(domain, before) != key_id:
            waiting[domain] = key_id
    states = {before: "active", key_id: "primary"}
    entries = tuple(entry.model_copy(update={"state": states.get(entry.id, entry.state)}) for entry in file.keys)
    return file.model_copy(update={"keys": entries, "domains": pins, "next": waiting})


def _moved(file: KeyFile, key_id: int, domains: Mapping[str, bool]) -> KeyFile:
    """`domains` alone go to key `key_id`: at once, or when they are resealed."""
    now = {domain: key_id for domain, compared in domains.items() if not compared}
    waiting = {domain: key for domain, key in file.next.items() if domain not in domains}
    for domain, compared in domains.items():
        if compared and file.domains.get(domain, file.primary.id) != key_id:
            waiting[domain] = key_id
    return file.model_copy(update={"domains": file.domains | now, "next": waiting})


def settle(keys: Keys, domains: Collection[str]) -> dict[str, int]:
    """Domain -> the key that seals from now on: the one that it has waited for. Raises KeyringError where one of
    `domains` does not wait; then nothing has changed."""
    settled: dict[str, int] = {}

    def change(file: KeyFile) -> KeyFile:
        for domain in domains:
            if domain not in file.next:
                waiting = ", ".join(sorted(file.next)) or "none"
                raise KeyringError(
                    f"domain {domain!r} does not wait to be resealed; waiting: {waiting}", path=keys.keyring
                )
            settled[domain] = file.next[domain]
        left = {domain: key for domain, key in file.next.items() if domain not in settled}
        return file.model_copy(update={"domains": file.domains | settled, "next": left})

    edit_keyfile(keys.keyring, change)
    return settled


def retire(keys: Keys, key_id: int, *, holders: Collection[str] | None, force: bool = False) -> KeyEntry:
    """Values under key `key_id` open no more. `holders` are the columns that hold some; None: nobody has looked.

    Raises KeyringError: the key seals, or values under it may still be there and `force` is not given.
    """
    file = read_keyfile(keys.keyring)
    _entry(keys, file, key_id)
    if not force and holders is None:
        raise KeyringError(
            f"values under key {key_id} may still exist, and would never open again: name every database that may hold"
            " some with --dsn, or use --force",
            path=keys.keyring,
        )
    if not force and holders:
        raise KeyringError(
            f"values under key {key_id} still exist in {', '.join(sorted(holders))}: reseal these columns first",
            path=keys.keyring,
        )

    def change(current: KeyFile) -> KeyFile:
        if _entry(keys, current, key_id).state == "primary":
            raise KeyringError(f"key {key_id} is primary: rotate first", path=keys.keyring)
        users = {domain for domain, key in [*current.domains.items(), *current.next.items()] if key == key_id}
        if users:
            raise KeyringError(
                f"key {key_id} seals, or is to seal, {', '.join(sorted(users))}: reseal first", path=keys.keyring
            )
        return _with_state(current, key_id, "retired")

    return _entry(keys, edit_keyfile(keys.keyring, change), key_id)


def restore(keys: Keys, key_id: int) -> KeyEntry:
    """A retired key opens again. Raises KeyringError when it is not retired, or does not unwrap any more."""
    entry = _entry(keys, read_keyfile(keys.keyring), key_id)
    if entry.state != "retired":
        raise KeyringError(f"key {key_id} is {entry.state}, not retired", path=keys.keyring)
    unwrap_entry(keys.keyring, entry, make_provider(keys))
    changed = edit_keyfile(keys.keyring, lambda current: _with_state(current, key_id, "active"))
    return _entry(keys, changed, key_id)


def begin_rewrap(keys: Keys, target: MasterKeyProvider) -> list[int]:
    """Wraps every data key a second time, by `target`; from now on either master key opens the keyring.

    Returns the ids of retired keys that do not unwrap and so keep the wrap they have. Raises KeyringError; then
    nothing has changed.
    """
    file = read_keyfile(keys.keyring)
    _refuse_while_rewrapping(keys, file)
    provider = make_provider(keys)
    reference = target.reference()
    if all((entry.provider, entry.provider_key) == (target.name, reference) for entry in file.keys):
        raise KeyringError(f"is wrapped by {target.name}, key {reference} already", path=keys.keyring)
    wraps: dict[int, Wrap] = {}
    left: list[int] = []
    for entry in file.keys:
        try:
            data_key = unwrap_entry(keys.keyring, entry, provider)
        except KeyringError:
            if entry.state != "retired":
                raise
            left.append(entry.id)
        else:
            wraps[entry.id] = wrap_key(target, entry.id, data_key)

    def change(current: KeyFile) -> KeyFile:
        _refuse_while_rewrapping(keys, current)
        if {entry.id for entry in current.keys} != {entry.id for entry in file.keys}:
            raise KeyringError("was changed by another process meanwhile; run it again", path=keys.keyring)
        return _with_entries(current, {key_id: {"next": wrap} for key_id, wrap in wraps.items()})

    edit_keyfile(keys.keyring, change)
    return left


def confirm_rewrap(keys: Keys) -> None:
    """Ends a rewrap: the old wraps go. Refuses unless `keys` names the new master key and it opens every data key."""
    file = read_keyfile(keys.keyring)
    wraps = _second_wraps(keys, file)
    provider = make_provider(keys)
    for key_id, wrap in wraps.items():
        reason = _why_closed(key_id, wrap, provider)
        if reason is not None:
            raise KeyringError(
                f"the master key that sealwire.yaml names does not open the new wrap of key {key_id}; put the new one"
                f" there before you confirm ({reason})",
                path=keys.keyring,
            )

    def change(current: KeyFile) -> KeyFile:
        if _second_wraps(keys, current) != wraps:
            raise KeyringError("was changed by another process meanwhile; run it again", path=keys.keyring)
        return _with_entries(
            current,
            {
                key_id: {
                    "provider": wrap.provider,
                    "provider_key": wrap.provider_key,
                    "wrapped": wrap.wrapped,
                    "next": None,
                }
                for key_id, wrap in wraps.items()
            },
        )

    edit_keyfile(keys.keyring, change)


def abort_rewrap(keys: Keys) -> None:
    """Undoes a rewrap that is not confirmed. Refuses unless the master key that `keys` names opens the old wraps."""
    file = read_keyfile(keys.keyring)
    _second_wraps(keys, file)
    provider = make_provider(keys)
    for entry in file.keys:
        if entry.state != "retired":
            unwrap_entry(keys.keyring, entry.model_copy(update={"next": None}), provider)
    edit_keyfile(
        keys.keyring, lambda current: _with_entries(current, {entry.id: {"next": None} for entry in current.keys})
    )


def _why_closed(key_id: int, wrap: Wrap, provider: MasterKeyProvider) -> str | None:
    """None: `provider` unwraps `wrap`."""
    if wrap.provider != provider.name:
        return f"it is wrapped by {wrap.provider}"
    try:
        unwrap_key(key_id, wrap, provider)
    except KeyringError as error:
        return str(error)
    return None


def _second_wraps(keys: Keys, file: KeyFile) -> dict[int, Wrap]:
    """Key id -> its second wrap. Raises KeyringError when no rewrap is under way, or a live key has none."""
    wraps = {entry.id: entry.next for entry in file.keys if entry.next is not None}
    if not wraps:
        raise KeyringError("no rewrap is under way", path=keys.keyring)
    for entry in file.keys:
        if entry.state != "retired" and entry.id not in wraps:
            raise KeyringError(f"key {entry.id} has no second wrap: use --abort", path=keys.keyring)
    return wraps


def _refuse_while_rewrapping(keys: Keys, file: KeyFile) -> None:
    if any(entry.next is not None for entry in file.keys):
        raise KeyringError(
            "is being rewrapped: end that first, with keys rewrap --confirm or --abort", path=keys.keyring
        )


def _make(keys: Keys, file: KeyFile, name: str) -> KeyEntry:
    if not name.strip() or not name.isprintable() or len(name) > MAX_NAME:
        raise KeyringError(f"a key's name is printable and has 1 to {MAX_NAME} characters")
    provider = make_provider(keys)
    # A new key under another master key than the old ones would leave a keyring that neither opens.
    unwrap_entry(keys.keyring, file.primary, provider)
    return new_entry(provider, name=name, state="active", taken={entry.id for entry in file.keys})


def _added(keys: Keys, file: KeyFile, entry: KeyEntry) -> KeyFile:
    _refuse_while_rewrapping(keys, file)
    return file.model_copy(update={"keys": (*file.keys, entry)})


def _entry(keys: Keys, file: KeyFile, key_id: int) -> KeyEntry:
    entry = file.entry(key_id)
    if entry is None:
        known = ", ".join(str(entry.id) for entry in file.keys)
        raise KeyringError(f"there is no key {key_id}; its keys: {known}", path=keys.keyring)
    return entry


def _with_state(file: KeyFile, key_id: int, state: str) -> KeyFile:
    return _with_entries(file, {key_id: {"state": state}})


def _with_entries(file: KeyFile, updates: Mapping[int, Mapping[str, object]]) -> KeyFile:
    entries = tuple(entry.model_copy(update=dict(updates.get(entry.id, {}))) for entry in file.keys)
    return file.model_copy(update={"keys": entries})
