"""keyring.json: what stands in it, what must hold of it, and how it is changed. Format: docs/value-format.md section 6.

A change is a function from one content to the next. It runs under a lock, on what the file holds at that moment, and
what it gives is checked as a file that is read is checked.
"""

from __future__ import annotations

import base64
import datetime
import json
import secrets
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Final, Literal

import pydantic

from proxy.crypto.files import create_secret, locked, replace_secret
from proxy.crypto.format import MAX_KEY_ID
from proxy.crypto.providers.base import KEY_SIZE, MasterKeyProvider
from proxy.errors import KeyringError

State = Literal["primary", "active", "retired"]
MAX_NAME: Final = 100
_PAYLOAD_MARK: Final = b"SWK1"
_MAX_FILE: Final = 16 * 1024 * 1024


def _strict_base64(text: object) -> bytes:
    if not isinstance(text, str):
        raise ValueError("must be text")  # noqa: TRY004  # pydantic turns ValueError into its own, TypeError it lets pass
    return base64.b64decode(text, validate=True)


KeyId = Annotated[int, pydantic.Field(strict=True, ge=1, le=MAX_KEY_ID)]
Base64 = Annotated[
    bytes,
    pydantic.BeforeValidator(_strict_base64),
    pydantic.PlainSerializer(lambda value: base64.b64encode(value).decode(), return_type=str),
]


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Wrap(_Strict):
    """A data key as one master key wrapped it."""

    provider: str
    provider_key: str
    """The provider's name for the master key."""
    wrapped: Base64 = pydantic.Field(repr=False)


class KeyEntry(_Strict):
    """One data key as the file records it: everything but the key itself."""

    id: KeyId
    name: str
    state: State
    created: datetime.datetime
    provider: str
    provider_key: str
    """The provider's name for the master key that wrapped this one."""
    wrapped: Base64 = pydantic.Field(repr=False)
    next: Wrap | None = None
    """The same data key under the master key that a rewrap leads to, until that is confirmed: either opens it."""

    @property
    def wraps(self) -> tuple[Wrap, ...]:
        """All that the data key can be unwrapped from, the older first."""
        own = Wrap.model_construct(provider=self.provider, provider_key=self.provider_key, wrapped=self.wrapped)
        return (own,) if self.next is None else (own, self.next)


class KeyFile(_Strict):
    """The whole file."""

    format: Literal["sealwire keyring 1"] = "sealwire keyring 1"
    keys: tuple[KeyEntry, ...]
    domains: dict[str, KeyId] = {}
    """Domain -> the key that seals its values, where that is not (or must not become) the primary."""
    next: dict[str, KeyId] = {}
    """Domain -> the key that its values are to be sealed under again, since a rotation."""

    def entry(self, key_id: int) -> KeyEntry | None:
        return next((entry for entry in self.keys if entry.id == key_id), None)

    @property
    def primary(self) -> KeyEntry:
        return next(entry for entry in self.keys if entry.state == "primary")


def new_entry(provider: MasterKeyProvider, *, name: str, state: State, taken: Collection[int] = ()) -> KeyEntry:
    """An entry with a new random data key, wrapped by `provider`, and unwrapped once to be sure of it.

    The key id is random: a value that meets another installation's keyring is told that the key is not there, instead
    of failing as if it had been altered.
    """
    key_id = secrets.randbelow(MAX_KEY_ID) + 1
    while key_id in taken:
        key_id = secrets.randbelow(MAX_KEY_ID) + 1
    wrap = wrap_key(provider, key_id, secrets.token_bytes(KEY_SIZE))
    return KeyEntry(
        id=key_id,
        name=name,
        state=state,
        created=datetime.datetime.now(datetime.UTC).replace(microsecond=0),
        provider=wrap.provider,
        provider_key=wrap.provider_key,
        wrapped=base64.b64encode(wrap.wrapped).decode(),  # type: ignore[arg-type]  # as it stands in the file
    )


def wrap_key(provider: MasterKeyProvider, key_id: int, data_key: bytes) -> Wrap:
    """`data_key` wrapped by `provider`; unwrapped again before anybody relies on it. Raises KeyringError."""
    reference = provider.reference()
    payload = _payload(key_id) + data_key
    wrapped = provider.wrap(payload)
    if provider.unwrap(wrapped, reference) != payload:
        raise KeyringError(f"{provider.name}, key {reference}: gave back something else than it wrapped")
    return Wrap.model_construct(provider=provider.name, provider_key=reference, wrapped=wrapped)


def unwrap_key(key_id: int, wrap: Wrap, provider: MasterKeyProvider) -> bytes:
    """The data key `key_id` in `wrap`. Raises KeyringError, also when it holds a key of another id."""
    payload = provider.unwrap(wrap.wrapped, wrap.provider_key)
    expected = _payload(key_id)
    if len(payload) != len(expected) + KEY_SIZE or not payload.startswith(expected):
        raise KeyringError(f"key {key_id} is damaged: what is wrapped belongs to another key")
    return payload[len(expected) :]


def _payload(key_id: int) -> bytes:
    """What stands before a data key when it is wrapped, so that it unwraps under its own id only."""
    return _PAYLOAD_MARK + key_id.to_bytes(4, "big")


def read_keyfile(path: Path) -> KeyFile:
    """Raises KeyringError: missing, unreadable, not a keyring, or one that contradicts itself."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE + 1)
    except FileNotFoundError:
        raise KeyringError("keyring does not exist; make it with: sealwire init", path=path) from None
    except OSError as error:
        raise KeyringError(f"keyring cannot be read: {error.strerror}", path=path) from None
    if len(content) > _MAX_FILE:
        raise KeyringError("is too large for a keyring", path=path)
    return _parse(path, content)


def create_keyfile(path: Path, file: KeyFile) -> None:
    """Makes `path` (mode 0600, whole or not at all). Never overwrites: KeyringError."""
    create_secret(path, _serialise(file))


def edit_keyfile(path: Path, change: Callable[[KeyFile], KeyFile]) -> KeyFile:
    """Replaces what `path` holds by what `change` makes of it, at once, and returns that; others wait meanwhile.

    `change` should be quick: what asks a key store is done before. Raises KeyringError, and whatever `change` raises;
    then the file is as it was.
    """
    with locked(path):
        content = _serialise(change(read_keyfile(path)))
        changed = _parse(path, content)
        replace_secret(path, content)
    return changed


def _serialise(file: KeyFile) -> bytes:
    """What is empty is left out, so that a program which knows no rewrap reads a keyring that has none."""
    content = file.model_dump(mode="json", exclude_none=True)
    if not file.next:
        del content["next"]
    return json.dumps(content, indent=2).encode() + b"\n"


def _parse(path: Path, content: bytes) -> KeyFile:
    try:
        file = KeyFile.model_validate_json(content)
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
    for domain, key_id in [*file.domains.items(), *file.next.items()]:
        if states.get(key_id, "retired") == "retired":
            raise KeyringError(f"domain {domain!r} names key {key_id}, which is retired or missing", path=path)
    return file
