"""Both kernels, and what is needed to run crypto and session on either.

The native one is `proxy.kernel._native`, or the file that SEALWIRE_TEST_NATIVE names: see `make asan`.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
from collections.abc import Iterator
from types import ModuleType
from typing import Any
from unittest import mock

from proxy.config import SealedColumn
from proxy.crypto import schemes
from proxy.errors import CannotOpen, Refused
from proxy.session import copying, values

KEY = bytes(range(100, 132))


def load_native() -> ModuleType:
    path = os.environ.get("SEALWIRE_TEST_NATIVE")
    if path is None:
        return importlib.import_module("proxy.kernel._native")
    spec = importlib.util.spec_from_file_location("_native", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Source:
    """One key, id 7; every other is unknown."""

    def __init__(self) -> None:
        self.gcm: dict[str, schemes.GcmKey] = {}

    def sealing_key(self, domain: str) -> int:
        return 7

    def data_key(self, key_id: int) -> bytes:
        if key_id != 7:
            raise CannotOpen("sealed under a key that the keyring lacks")
        return KEY

    def gcm_key(self, key_id: int, domain: str) -> schemes.GcmKey:
        if domain not in self.gcm:
            self.gcm[domain] = schemes.GcmKey(self.data_key(key_id), key_id, domain)
        return self.gcm[domain]


class Sealers:
    def __init__(self) -> None:
        self._source, self._made = Source(), dict[SealedColumn, schemes.Sealer]()

    def sealer(self, column: SealedColumn) -> Any:
        if column not in self._made:
            self._made[column] = schemes.make_sealer(self._source, column)
        return self._made[column]


@contextlib.contextmanager
def running(kernel: ModuleType) -> Iterator[Sealers]:
    """Crypto and session work with `kernel` meanwhile; sealers made with it."""
    names = {name: getattr(kernel, name) for name in ("Gcm", "OrderPrefix", "RandomKey", "SearchKey")}
    with (
        mock.patch.multiple(schemes, **names),
        mock.patch.object(values, "kernel", kernel),
        mock.patch.object(copying, "kernel", kernel),
    ):
        yield Sealers()


def outcome(function: Any, *arguments: Any) -> Any:
    """What it returns, or all that a client would see of what it raises."""
    try:
        return function(*arguments)
    except Refused as error:
        return type(error), error.sqlstate, error.message, error.detail, error.hint
    except CannotOpen as error:
        return CannotOpen, str(error)
