"""What all type codecs share: the session settings that shape text, the probe, and PostgreSQL's error messages.

A codec converts between what clients read and write and the *canonical binary form*: PostgreSQL's binary send form in
UTF-8, whatever client_encoding says. Messages are PostgreSQL's with the value left out: they may end up in logs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from proxy.errors import InvalidValue, Refused

Convert = Callable[[bytes], bytes]

WHITESPACE: Final = b" \t\n\v\f\r"
"""isspace() in the C locale: what input functions skip around a value."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What shapes text, by PostgreSQL's names; built from ParameterStatus and current_setting()."""

    client_encoding: str = "UTF8"
    timezone: str = "UTC"
    datestyle: str = "ISO, MDY"
    intervalstyle: str = "postgres"
    bytea_output: str = "hex"
    extra_float_digits: int = 1
    standard_conforming_strings: bool = True


@dataclass(frozen=True, slots=True)
class Probe:
    """COMPARE only: the value lies strictly between `floor` and the next storable value; floor None: below all."""

    floor: bytes | None


def invalid_syntax(name: str, sqlstate: str = "22P02", *, detail: str | None = None) -> InvalidValue:
    return InvalidValue(f"invalid input syntax for type {name}", sqlstate=sqlstate, detail=detail)


def out_of_range(name: str) -> InvalidValue:
    """22003 of an input function; PostgreSQL's message begins with the value, this one with the word."""
    return InvalidValue(f"value is out of range for type {name}", sqlstate="22003")


def check_length(data: bytes, size: int) -> None:
    """A recv function that reads `size` bytes: too few break the message format, too many are left over."""
    if len(data) < size:
        raise InvalidValue("insufficient data left in message", sqlstate="08P01")
    if len(data) > size:
        raise InvalidValue("incorrect binary data format", sqlstate="22P03")


def unsupported(message: str, hint: str) -> Refused:
    return Refused(message, hint=hint)
