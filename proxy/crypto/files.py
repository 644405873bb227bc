"""Secret files: created once, whole, readable by their owner only."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from proxy.errors import KeyringError


def create_secret(path: Path, content: bytes) -> None:
    """Makes `path` with mode 0600 and `content`, durably and at once: other processes see all of it or no file.

    Raises KeyringError when the file exists, also when another process makes it at the same moment, and when it cannot
    be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, path)  # unlike a rename, this fails when `path` exists
        finally:
            temporary.unlink(missing_ok=True)
        _sync_directory(path.parent)
    except FileExistsError:
        raise KeyringError("exists already and is not overwritten", path=path) from None
    except OSError as error:
        raise KeyringError(f"cannot be written: {error.strerror}", path=path) from None


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
