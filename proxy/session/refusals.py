"""Errors on their way to the client: refusals as ErrorResponse, the statement that stands in for a refused one, and
what of the server's own errors must not be shown.

A refusal is delivered through the server: in place of the refused statement goes `POISON`, which parses and then fails
in analysis, without side effects. So the transaction fails where it would have failed, the rest of a pipeline is
skipped, and what the server says is replaced by the refusal. In a transaction that has failed already the server
answers 25P02 to it, as to any statement.
"""

from __future__ import annotations

import re
from typing import Final

from proxy.errors import InvalidValue, Refused
from proxy.wire import messages
from proxy.wire.codecs.encodings import from_utf8

POISON: Final = 'SELECT "sealwire: refused"'
POISON_NAME: Final = b"sealwire.refused"
POISON_SQLSTATE: Final = b"42703"  # undefined_column
SYNTAX_ERROR: Final = "42601"

_REVALIDATE: Final = "RevalidateCachedQuery"
"""The function of PostgreSQL that finds a cached plan stale. pgjdbc, asyncpg and postgres.js tell by it, and not by the
SQLSTATE alone, that preparing the statement again will help."""

_OF_FORM: Final = frozenset((SYNTAX_ERROR, "08P01"))
_OF_NAMES: Final = frozenset(("26000", "34000"))
_UNKNOWN: Final = frozenset(("42P01", "42703", "3F000", "42704"))

_SEALED_HEX: Final = re.compile(rb"\\\\?xe1(?:[0-9a-f]{2})*[0-9a-f]?", re.IGNORECASE)
_SEALED_ESCAPED: Final = re.compile(rb"\\\\?341\\")
_REDACTED: Final = b"(sealed)"
_POSITIONS: Final = frozenset((b"P", b"p", b"q"))


def missing_statement(name: bytes) -> Refused:
    """What PostgreSQL says where nothing is prepared under a name; b"" for the unnamed statement."""
    shown = f'prepared statement "{name.decode(errors="replace")}"' if name else "unnamed prepared statement"
    return Refused(f"{shown} does not exist", sqlstate="26000")


def swapped_statement(name: str) -> Refused:
    """Where the server process has a statement of this name that is not the pooler's."""
    return Refused(
        f'prepared statements of this server process cannot be trusted: SQL has made one called "{name}", '
        "as the pooler calls those of its clients",
        hint="have the pooler open new connections to the server: RECONNECT on PgBouncer's console",
    )


def name_of_pooler(name: str) -> Refused:
    """SQL names a statement of the pooler's."""
    return Refused(
        f'"{name}" is how the pooler between Sealwire and the server calls prepared statements of its clients',
        hint="give the statement another name; close those of the protocol by the protocol",
    )


def depends_on_path() -> Refused:
    """Of a statement that runs outside of a transaction block only: in which nothing can be read in front of it."""
    return Refused(
        "CONCURRENTLY behind a pooler cannot be checked against the search_path of the server process that it meets",
        hint="name the table with its schema",
        sqlstate="25001",
    )


def outranks_transaction(kind: str, error: Refused) -> bool:
    """Whether PostgreSQL raises an error in place of a message of type `kind` in a failed transaction too: it parses,
    and looks names up that the protocol gives it, before it looks at the transaction; a FunctionCall, after that."""
    if error.sqlstate in _OF_NAMES:
        return kind in "BDE"
    if error.sqlstate == "22021":
        return kind in "PQ"  # the text is not in its encoding; of a Bind, a value
    return kind != "F" and error.sqlstate in _OF_FORM


class PlanChanged(Refused):
    """A prepared statement no longer fits."""


def client_text(text: str, client_encoding: str) -> bytes:
    """A message in the client's encoding; what that cannot express becomes a question mark."""
    try:
        return from_utf8(client_encoding)(text.encode())
    except (Refused, InvalidValue):
        return text.encode("ascii", "replace")


def refusal(error: Refused, client_encoding: str) -> bytes:
    """ErrorResponse of severity ERROR."""
    return _response(
        "ERROR",
        error.sqlstate,
        error.message,
        client_encoding,
        error.detail,
        error.hint,
        error.position,
        _REVALIDATE if isinstance(error, PlanChanged) else None,
    )


def fatal(sqlstate: str, message: str, client_encoding: str = "UTF8") -> bytes:
    """ErrorResponse of severity FATAL: the connection ends after it."""
    return _response("FATAL", sqlstate, message, client_encoding)


def _response(
    severity: str,
    sqlstate: str,
    message: str,
    client_encoding: str,
    detail: str | None = None,
    hint: str | None = None,
    position: int | None = None,
    routine: str | None = None,
) -> bytes:
    fields = [("S", severity), ("V", severity), ("C", sqlstate), ("M", message), ("D", detail), ("H", hint)]
    if position is not None:
        fields.append(("P", str(position)))
    if routine is not None:
        fields.append(("R", routine))
    return messages.build_fields(
        b"E",
        ((c.encode(), client_text(v.replace("\0", ""), client_encoding)) for c, v in fields if v is not None),
    )


def as_refused(error: Exception) -> Refused:
    """What analysis reports, as a refusal; anything but a refusal is told without its text."""
    if isinstance(error, Refused):
        return error
    return Refused(f"the statement could not be analysed ({type(error).__name__})", sqlstate="XX000")


def is_unknown_name(error: Exception) -> bool:
    """A failure that a fresh catalog may heal."""
    return isinstance(error, Refused) and error.sqlstate in _UNKNOWN


def plan_changed() -> Refused:
    """What PostgreSQL says when a prepared statement no longer fits; drivers prepare it again."""
    return PlanChanged("cached plan must not change result type", sqlstate="0A000")


def too_large(what: str) -> Refused:
    """More than may be held at once in order to seal or open it."""
    return Refused(
        f"{what} is more than Sealwire seals or opens",
        sqlstate="54000",
        hint="The limit is limits.sealed_value in sealwire.yaml. "
        "Parameters, rows and COPY without sealed values have none.",
    )


def redact(raw: bytes, *, rewritten: bool) -> bytes:
    """A server's ErrorResponse or NoticeResponse without sealed bytes; positions in a rewritten text are dropped."""
    sealed = b"xe1" in raw or b"xE1" in raw or b"341" in raw
    if not sealed and not rewritten:
        return raw
    fields = []
    for code, value in messages.parse_fields(raw):
        if rewritten and code in _POSITIONS:
            continue
        if _SEALED_ESCAPED.search(value):  # the escape format has no end that could be found
            value = _SEALED_ESCAPED.split(value, maxsplit=1)[0] + _REDACTED
        fields.append((code, _SEALED_HEX.sub(_REDACTED, value)))
    return messages.build_fields(raw[:1], fields)
