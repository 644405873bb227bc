"""The hot kernel: what is done once per value or row, from bytes to bytes, in two implementations that cannot be told
apart by their results.

    reference.py    in Python: readable, and always there; rounds.py continues it
    _native.pyx     its compiled twin in Cython over OpenSSL's libcrypto: there where the installation could compile it

A bottom room of the house, because speed wants both halves of the work in one place: `crypto` takes its ciphers from
here, `session` hands runs of rows to it together with the *cells* that convert their fields. The kernel knows layouts
and algorithms, but no SQL, no policy, no keyring and no socket, and it decides nothing: a cell is made with its
reference, a callable in Python that defines what is right, and is only a quicker way to the same bytes. Whatever is
not the common case (another spelling, an unknown key, a value that does not open, a malformed row) goes to the
reference, so that there is one place where errors are made.

The native kernel is taken where it can be imported; the environment variable SEALWIRE_KERNEL=python|native overrides.
"""

from __future__ import annotations

import importlib
import os
from types import ModuleType
from typing import TYPE_CHECKING, Final

from proxy.kernel import reference, rounds
from proxy.kernel.reference import CopyRows


def _chosen(wanted: str) -> tuple[ModuleType, str | None]:
    """The implementation, and why it is not the native one. Raises ImportError where that was demanded."""
    if wanted == "python":
        return reference, None
    if wanted not in ("", "native"):
        raise ImportError(f"SEALWIRE_KERNEL must be python or native, not {wanted!r}")
    try:
        return importlib.import_module("proxy.kernel._native"), None
    except ImportError as error:
        if wanted == "native":
            raise ImportError(f"SEALWIRE_KERNEL=native, but the native kernel cannot be imported: {error}") from error
        return reference, str(error)


_chosen_module, MISSING = _chosen(os.environ.get("SEALWIRE_KERNEL", ""))
"""MISSING: why the native kernel is not there although nobody declined it; else None."""
NAME: Final[str] = _chosen_module.NAME
"""`python` or `native`."""

if TYPE_CHECKING:
    from proxy.kernel.reference import (
        Gcm,
        OrderPrefix,
        RandomKey,
        SearchKey,
        copy_rows,
        message_run,
        open_rows,
        opener,
        sealing,
    )
    from proxy.kernel.rounds import Answer, BindForm, Headers, QueryForm
else:
    _rounds = rounds if _chosen_module is reference else _chosen_module
    Answer = _rounds.Answer
    BindForm = _rounds.BindForm
    Headers = _rounds.Headers
    QueryForm = _rounds.QueryForm
    Gcm = _chosen_module.Gcm
    OrderPrefix = _chosen_module.OrderPrefix
    RandomKey = _chosen_module.RandomKey
    SearchKey = _chosen_module.SearchKey
    copy_rows = _chosen_module.copy_rows
    message_run = _chosen_module.message_run
    open_rows = _chosen_module.open_rows
    opener = _chosen_module.opener
    sealing = _chosen_module.sealing

__all__ = [
    "MISSING",
    "NAME",
    "Answer",
    "BindForm",
    "CopyRows",
    "Gcm",
    "Headers",
    "OrderPrefix",
    "QueryForm",
    "RandomKey",
    "SearchKey",
    "copy_rows",
    "message_run",
    "open_rows",
    "opener",
    "sealing",
]
