"""COPY's binary format with three fields: ctid, xmin, one value. Rows come from the server and go back in this form.

(ctid, xmin) names one version of a row: whoever changes the row makes another version, at another ctid or by another
transaction. So an UPDATE that demands both is a compare-and-swap, also on a table without a primary key.
Source: manual, COPY, "Binary Format"; tidsend and xidsend in src/backend/utils/adt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from proxy.config import Scheme
from proxy.crypto import parse_header
from proxy.errors import CannotOpen, Refused, SealwireError

SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""Signature, no flags, no header extension."""
TRAILER: Final = b"\xff\xff"
_VERSION: Final = 20  # bytes before the value's length: field count 2, ctid 4 + 6, xmin 4 + 4
_LENGTH: Final = 4

Convert = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Failure:
    """A value that could not be converted: where it is, and why; never what it is."""

    place: str
    """ctid."""
    reason: str


@dataclass(frozen=True, slots=True)
class Converted:
    """Rows for `COPY ... FROM STDIN (FORMAT binary)`."""

    data: bytes
    rows: int
    failures: tuple[Failure, ...] = ()


@dataclass(slots=True)
class Inventory:
    """What a set of sealed values consists of."""

    counts: Counter[tuple[Scheme, int]] = field(default_factory=Counter)
    """(scheme, key id) -> values that opened."""
    failed: int = 0
    failures: list[Failure] = field(default_factory=list)
    """The first of those that did not open."""

    def add(self, other: Inventory, keep: int) -> None:
        self.counts.update(other.counts)
        self.failed += other.failed
        self.failures = (self.failures + other.failures)[:keep]


def convert_rows(data: bytes, convert: Convert) -> Converted:
    """Every value through `convert`, with the version in front of it as it was."""
    position = len(SIGNATURE)
    pieces = [SIGNATURE]
    append, from_bytes = pieces.append, int.from_bytes  # this loop is what bounds a fill on the client's side
    failures = []
    rows = 0
    while data[position : position + 2] != TRAILER:
        value_at = position + _VERSION + _LENGTH
        end = value_at + from_bytes(data[value_at - _LENGTH : value_at], "big")
        try:
            value = convert(data[value_at:end])
        except (CannotOpen, Refused) as error:
            failures.append(Failure(_place(data, position), _reason(error)))
        else:
            append(data[position : position + _VERSION])
            append(len(value).to_bytes(_LENGTH, "big"))
            append(value)
            rows += 1
        position = end
    pieces.append(TRAILER)
    return Converted(b"".join(pieces), rows, tuple(failures))


def inspect_rows(data: bytes, open_value: Convert, keep: int) -> Inventory:
    """Opens every value and counts them by scheme and key; keeps the first `keep` failures."""
    found = Inventory()
    position = len(SIGNATURE)
    while data[position : position + 2] != TRAILER:
        value_at = position + _VERSION + _LENGTH
        end = value_at + int.from_bytes(data[value_at - _LENGTH : value_at], "big")
        value = data[value_at:end]
        try:
            header = parse_header(value)
            open_value(value)
            found.counts[header] += 1
        except (CannotOpen, Refused) as error:
            found.failed += 1
            if len(found.failures) < keep:
                found.failures.append(Failure(_place(data, position), _reason(error)))
        position = end
    return found


def _reason(error: SealwireError) -> str:
    return error.message if isinstance(error, Refused) else str(error)


def _place(data: bytes, position: int) -> str:
    block = int.from_bytes(data[position + 6 : position + 10], "big")
    return f"({block},{int.from_bytes(data[position + 10 : position + 12], 'big')})"
