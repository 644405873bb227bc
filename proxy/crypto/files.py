"""Secret files: made and replaced whole, readable by their owner only, changed by one process at a time."""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from proxy.errors import KeyringError

_LOCK_LIMIT: Final = 10.0
_LOCK_PAUSE: Final = 0.02


def create_secret(path: Path, content: bytes) -> None:
    """Makes `path` with mode 0600 and `content`, durably and at once: other processes see all of it or no file.

    Raises KeyringError when the file exists, also when another process makes it at the same moment, and when it cannot
    be written.
    """
    try:
        temporary = _write_beside(path, content)
        try:
            os.link(temporary, path)  # unlike a rename, this fails when `path` exists
        finally:
            temporary.unlink(missing_ok=True)
        _sync_directory(path.parent)
    except FileExistsError:
        raise KeyringError("exists already and is not overwritten", path=path) from None
    except OSError as error:
        raise KeyringError(f"cannot be written: {error.strerror}", path=path) from None


def replace_secret(path: Path, content: bytes) -> None:
    """Puts `content` in the place of what `path` holds, durably and at once, with mode 0600 and the owner it had.

    A symbolic link stays one: what it leads to is replaced. Raises KeyringError when it cannot be written, and then
    nothing has changed.
    """
    try:
        target = path.resolve(strict=True)
        before = target.stat()
        temporary = _write_beside(target, content, owner=(before.st_uid, before.st_gid))
        try:
            temporary.rename(target)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_directory(target.parent)
    except OSError as error:
        raise KeyringError(f"cannot be written: {error.strerror}", path=path) from None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock of those who change `path`: an flock on its directory, for the file itself is replaced.

    Raises KeyringError when another holds it for longer than 10 seconds.
    """
    try:
        directory = os.open(path.resolve().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise KeyringError(f"cannot be changed: {error.strerror}", path=path) from None
    try:
        give_up = time.monotonic() + _LOCK_LIMIT
        while True:
            try:
                fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise KeyringError("is being changed by another process; try again", path=path) from None
                time.sleep(_LOCK_PAUSE)
        yield
    finally:
        os.close(directory)


def _write_beside(path: Path, content: bytes, owner: tuple[int, int] | None = None) -> Path:
    """A new file in the directory of `path`, on disk, mode 0600 under any umask. `owner`: (uid, gid), if not ours."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            if owner is not None and owner != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), *owner)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
