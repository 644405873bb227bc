"""Value in, value out: what a job does to each value, in this process or in several.

A worker process makes its own keyring from the configuration, so no key travels between processes. It ends when its
parent does, however that ends.
"""

from __future__ import annotations

import asyncio
import enum
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, TypeVar

from proxy.config import Config, Keys, Scheme, SealedColumn
from proxy.crypto import Keyring, make_provider, parse_header
from proxy.errors import CannotOpen, ConfigError, InvalidValue, SealwireError
from proxy.ops.life.rows import Convert, Converted, Inventory, convert_rows, inspect_rows
from proxy.pgtypes import Family, SqlType
from proxy.wire.codecs import Settings, assign, binary_encoder, canonical
from proxy.wire.codecs import binary_decoder as decoder

FAILURES_KEPT: Final = 20
"""Values that do not open, named one by one by `verify`."""
_Result = TypeVar("_Result")
_UTF8: Final = Settings()
_SHAPED: Final = (Family.CHAR, Family.NUMERIC, Family.REAL, Family.DOUBLE)


class Operation(enum.StrEnum):
    SEAL = "seal"
    UNSEAL = "unseal"
    RESEAL = "reseal"


@dataclass(frozen=True, slots=True)
class Recipe:
    """One column's conversion. `column` is the policy's entry."""

    operation: Operation
    column: SealedColumn
    before: SealedColumn
    """How the stored values were sealed, where type or max_length changed; its scheme is not looked at: every value
    names its own."""

    def key(self, keyring: Keyring) -> int | None:
        """Id of the key that the values lie under afterwards; None: under none."""
        match self.operation:
            case Operation.SEAL:
                return keyring.key_of(self.column)
            case Operation.RESEAL:
                return keyring.reseal_key(self.column)
            case Operation.UNSEAL:
                return None


def keys_of(config: Config, columns: Iterable[SealedColumn]) -> Keys:
    """The key store of all `columns`. Raises ConfigError where they are of several keysets: one at a time then."""
    keysets = {column.keyset for column in columns}
    if len(keysets) > 1:
        raise ConfigError("columns of different keysets: name those of one keyset only", path=config.columns)
    return config.all_keys[keysets.pop() if keysets else ""]


def open_keyring(keys: Keys) -> Keyring:
    """The keyring of the configuration. Raises KeyringError."""
    return Keyring.load(keys.keyring, make_provider(keys))


def make_converter(recipe: Recipe, keyring: Keyring) -> Convert:
    """The function over one value in binary send form (plain) or sealed. It raises CannotOpen, and InvalidValue where
    the policy's type does not hold the value."""
    kind = recipe.column.type
    match recipe.operation:
        case Operation.SEAL:
            seal = keyring.sealer(recipe.column).seal
            shape = _shape(kind, searchable=recipe.column.scheme is not Scheme.RANDOM)
            return seal if shape is None else lambda value: seal(shape(value))
        case Operation.UNSEAL:
            opened, fit, send = make_opener(recipe.before, keyring), _fit(kind), binary_encoder(kind, _UTF8)
            return lambda value: send(fit(opened(value)))
        case Operation.RESEAL:
            opened, fit = make_opener(recipe.before, keyring), _fit(kind)
            again = keyring.sealer(recipe.column, key_id=recipe.key(keyring)).seal
            final = _shape(kind, searchable=recipe.column.scheme is not Scheme.RANDOM) or bytes
            return lambda value: again(final(fit(opened(value))))


def make_opener(column: SealedColumn, keyring: Keyring) -> Convert:
    """Opens a value of `column` under the scheme that its header names."""
    found: dict[Scheme, Convert] = {}

    def open_value(value: bytes) -> bytes:
        scheme, _ = parse_header(value)
        known = found.get(scheme)
        if known is None:
            try:
                known = found[scheme] = keyring.sealer(replace(column, scheme=scheme)).open
            except (SealwireError, ValueError):
                raise CannotOpen("sealed with a scheme that its type does not have") from None
        return known(value)

    return open_value


def _shape(kind: SqlType, *, searchable: bool) -> Convert | None:
    """What the server sends -> the form that the proxy seals; None: as sent."""
    if kind.is_array:
        return decoder(kind, _UTF8) if kind.family is Family.CHAR else None
    if kind.family not in _SHAPED:
        return None
    return lambda value: canonical(kind, value, searchable)


def _fit(kind: SqlType) -> Convert:
    """An opened value as it is, or InvalidValue where the type's modifier would cut, round or refuse it."""
    if kind.typmod < 0:
        return bytes
    loose = kind.unmodified

    def fit(value: bytes) -> bytes:
        stored = assign(value, loose, kind, _UTF8, searchable=False)
        if _same_form(loose, stored) != _same_form(loose, value):
            raise InvalidValue(f"value does not fit type {kind} without being changed", sqlstate="22003")
        return stored

    return fit


def _same_form(kind: SqlType, value: bytes) -> bytes:
    return canonical(kind, value, True)


class Crew:
    """Converts the rows of several columns, in this process (jobs 1) or in `jobs` others."""

    def __init__(self, recipes: Sequence[Recipe], keys: Keys, keyring: Keyring, jobs: int) -> None:
        self.converters = [make_converter(recipe, keyring) for recipe in recipes]
        self.openers = [make_opener(recipe.before, keyring) for recipe in recipes]
        self._pool: ProcessPoolExecutor | None = None
        if jobs > 1:
            self._pool = ProcessPoolExecutor(
                jobs, multiprocessing.get_context("spawn"), initializer=_enlist, initargs=(tuple(recipes), keys)
            )

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    async def convert(self, column: int, data: bytes) -> Converted:
        """The rows in `data`, each value converted as recipe number `column` says."""
        if self._pool is None:
            return convert_rows(data, self.converters[column])
        return await self._send(_convert, column, data)

    async def inspect(self, column: int, data: bytes) -> Inventory:
        if self._pool is None:
            return inspect_rows(data, self.openers[column], FAILURES_KEPT)
        return await self._send(_inspect, column, data)

    async def _send(self, function: Callable[[int, bytes], _Result], column: int, data: bytes) -> _Result:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, function, column, data)
        except BrokenProcessPool:
            raise SealwireError("a worker process ended; run the same command again to go on") from None


_crew: Crew | None = None
"""Of a worker process."""


def _enlist(recipes: tuple[Recipe, ...], keys: Keys) -> None:
    """A worker process begins: it leaves SIGINT to its parent, and ends when the parent is gone."""
    global _crew  # a pool gives its workers no other place
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.join,), daemon=True).start()
    _crew = Crew(recipes, keys, open_keyring(keys), 1)


def _end_with(wait: Callable[[], None]) -> None:
    wait()
    os._exit(1)


def _convert(column: int, data: bytes) -> Converted:
    assert _crew is not None  # noqa: S101  # set by the initializer
    return convert_rows(data, _crew.converters[column])


def _inspect(column: int, data: bytes) -> Inventory:
    assert _crew is not None  # noqa: S101
    return inspect_rows(data, _crew.openers[column], FAILURES_KEPT)
