"""The two families of errors, and what configuration and keys raise.

`ProtocolViolation` is the peer's fault and ends the connection. `Refused` is about one statement: it carries what a
PostgreSQL ErrorResponse carries, and the session lives on. Library exceptions are mapped to these at the edge.
Messages carry names and SQLSTATEs, never literals, parameters, plaintext or key material.
"""

from __future__ import annotations

from pathlib import Path


class SealwireError(Exception):
    """Root of everything that Sealwire raises on purpose."""


class ProtocolViolation(SealwireError):
    """A peer broke the frontend/backend protocol: one ErrorResponse, then the connection ends.

    `sqlstate` is 08P01 (protocol_violation) unless the manual names another.
    """

    def __init__(self, message: str, *, sqlstate: str = "08P01") -> None:
        super().__init__(message)
        self.message = message
        self.sqlstate = sqlstate


class UnexpectedType(ProtocolViolation):
    """A message of a type that has no place where it stands, or none at all; `type` is its first byte."""

    def __init__(self, message: str, kind: int) -> None:
        super().__init__(message)
        self.type = kind


class MalformedMessage(ProtocolViolation):
    """A message of the right length whose body is not in its form. The stream goes on behind it: a client is told by an
    ordinary error, as PostgreSQL does; a server's ends the connection."""


class Refused(SealwireError):
    """A statement, or one value in it, that does not pass; the session lives on.

    `sqlstate` is 0A000 (feature_not_supported) for what Sealwire refuses, and PostgreSQL's own code where PostgreSQL
    would raise the same error (42P01, 22001, ...). `position` counts characters of the client's statement from 1.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        detail: str | None = None,
        position: int | None = None,
        sqlstate: str = "0A000",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail
        self.position = position
        self.sqlstate = sqlstate


class InvalidValue(Refused):
    """A value that PostgreSQL would not accept for its type either: 22P02, 22001, 22003, 22007, 22008, 22021, 22P03."""


class CannotOpen(SealwireError):
    """A sealed value that does not open: tampered, cut short, moved from another column, or sealed under a key that
    the keyring does not hold. The session turns it into XX001 (data_corrupted), naming the column."""


class KeyringError(SealwireError):
    """Master key or keyring missing, unreadable, wrong, or without the key that is needed. `path` names the file."""

    def __init__(self, message: str, *, path: Path | None = None) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.message = message
        self.path = path


class ConfigError(SealwireError):
    """A configuration that cannot be used; str() gives `file:line: key: message`, with what is known of it."""

    def __init__(
        self, message: str, *, path: Path | None = None, line: int | None = None, key: str | None = None
    ) -> None:
        where = "" if path is None else f"{path}:{line}: " if line else f"{path}: "
        super().__init__(where + (f"{key}: " if key else "") + message)
        self.message = message
        self.path = path
        self.line = line
        self.key = key
