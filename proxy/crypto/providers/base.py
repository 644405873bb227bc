"""What a master-key provider is, and what those that ask a service have in common.

A service's library is imported when it is first needed, so that nobody installs five clouds to use one; its exceptions
become KeyringError here and nowhere else; and no question waits for an answer longer than `TIME_LIMIT`.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from typing import Any, Final, Protocol, TypeVar

from proxy.errors import KeyringError

KEY_SIZE: Final = 32
CONNECT_TIMEOUT: Final = 5
"""Seconds for a connection to a key store, where its library takes such a limit."""
READ_TIMEOUT: Final = 10
"""Seconds for one answer of a key store, where its library takes such a limit."""
TIME_LIMIT: Final = 30.0
"""Seconds for one question to a key store, with everything that its library does for it: log in, resolve, retry."""
_MAX_REASON: Final = 300

T = TypeVar("T")


class MasterKeyProvider(Protocol):
    """Holds a master key, or the way to one. Every method raises KeyringError, with one clear line.

    The error's `path` is the provider's own file, where that is at fault; without one, the keyring adds its own.
    """

    @property
    def name(self) -> str:
        """`provider` in sealwire.yaml and in the keyring: `file`, `aws-kms`."""

    def reference(self) -> str:
        """Which master key `wrap` uses now (a fingerprint, an ARN). Not secret; kept beside what was wrapped."""

    def wrap(self, payload: bytes) -> bytes:
        """Encrypts and authenticates `payload`, whose size is a multiple of 8 and at least 16 bytes."""

    def unwrap(self, wrapped: bytes, reference: str) -> bytes:
        """The payload that was wrapped under the master key `reference`."""


def library(module: str, provider: str, extra: str) -> Any:  # a module: its attributes are its own
    """The client library of `provider`. Raises KeyringError that names the extra where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise KeyringError(
            f"provider {provider} needs a library that is not installed; run: pip install 'sealwire[{extra}]'"
        ) from None


def ask(who: str, what: str, call: Callable[[], T], *, limit: float = TIME_LIMIT) -> T:
    """The answer of `call`, which uses a key store's library. Raises KeyringError for every failure, and after `limit`
    seconds without an answer: `who` ("aws-kms, key alias/x") cannot `what` ("unwrap").

    The call runs in a thread of its own, because not every library bounds all that it waits for; one that is given up
    ends with the process.
    """
    answers: list[T] = []
    failures: list[Exception] = []

    def run() -> None:
        try:
            answers.append(call())
        except Exception as error:  # whatever the library raises is a failure of the key store
            failures.append(error)

    thread = threading.Thread(target=run, name=f"ask {who}", daemon=True)
    thread.start()
    thread.join(limit)
    if answers:
        return answers[0]
    if not failures:
        raise KeyringError(f"{who} cannot {what}: no answer within {limit:g} seconds")
    if isinstance(failures[0], KeyringError):
        raise failures[0]
    raise KeyringError(f"{who} cannot {what}: {_reason(failures[0])}")


def _reason(error: Exception) -> str:
    """One line that says what happened: many library exceptions have several, and some have none."""
    text = " ".join(str(error).split())
    if len(text) > _MAX_REASON:
        text = text[: _MAX_REASON - 3] + "..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
