"""Keyrings whose keys are known, so that sealed bytes can be foretold."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from proxy.config import Scheme, SealedColumn
from proxy.crypto import Keyring
from proxy.pgtypes import parse_type

DATA_KEY = bytes(range(32))
OTHER_KEY = bytes(range(32, 64))


class BareProvider:
    """Wraps nothing: what the keyring file holds is the payload itself."""

    name = "bare"

    def reference(self) -> str:
        return "none"

    def wrap(self, payload: bytes) -> bytes:
        return payload

    def unwrap(self, wrapped: bytes, reference: str) -> bytes:
        return wrapped


def entry(key_id: int, state: str, key: bytes) -> dict[str, object]:
    return {
        "id": key_id,
        "name": f"key {key_id}",
        "state": state,
        "created": "2026-01-01T00:00:00+00:00",
        "provider": "bare",
        "provider_key": "none",
        "wrapped": base64.b64encode(b"SWK1" + key_id.to_bytes(4, "big") + key).decode(),
    }


def keyring_of(path: Path, *keys: dict[str, object], domains: dict[str, int] | None = None) -> Keyring:
    path.write_text(json.dumps({"format": "sealwire keyring 1", "keys": keys, "domains": domains or {}}))
    return Keyring.load(path, BareProvider())


@pytest.fixture(scope="session")
def make_entry() -> Callable[[int, str, bytes], dict[str, object]]:
    return entry


@pytest.fixture(scope="session")
def make_keyring(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Keyring]:
    def make(*keys: dict[str, object], domains: dict[str, int] | None = None) -> Keyring:
        return keyring_of(tmp_path_factory.mktemp("keyring") / "keyring.json", *keys, domains=domains)

    return make


@pytest.fixture(scope="session")
def keyring(make_keyring: Callable[..., Keyring]) -> Keyring:
    """Key 0x01020304 is primary."""
    return make_keyring(entry(0x01020304, "primary", DATA_KEY))


def column_of(kind: str, search: str, *, domain: str = "public.t.c", max_length: int | None = None) -> SealedColumn:
    return SealedColumn("*", "public", "t", "c", parse_type(kind), Scheme[search.upper()], domain, max_length)


@pytest.fixture(scope="session")
def column() -> Callable[..., SealedColumn]:
    """(type, scheme name, domain=, max_length=) -> SealedColumn."""
    return column_of
