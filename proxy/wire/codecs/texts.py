"""text, varchar(n) and char(n), all UTF-8 inside. char(n) is kept without its padding, which carries no meaning."""

from __future__ import annotations

from proxy.errors import InvalidValue
from proxy.pgtypes import SqlType


def character_length(data: bytes) -> int:
    """Characters, not bytes, of valid UTF-8."""
    return len(data) if data.isascii() else len(data.decode())


def strip_padding(data: bytes) -> bytes:
    return data.rstrip(b" ")


def pad(data: bytes, length: int | None) -> bytes:
    """char(n) as it is sent, in text and in binary: filled up to n characters. None: n is not known."""
    missing = 0 if length is None else length - character_length(data)
    return data + b" " * missing if missing > 0 else data


def truncate(data: bytes, length: int) -> bytes:
    """The first `length` characters."""
    return data[:length] if data.isascii() else data.decode()[:length].encode()


def fit(data: bytes, target: SqlType) -> bytes:
    """Assignment to varchar(n) and char(n). Raises InvalidValue 22001 unless only trailing spaces are cut off."""
    length = target.length
    if length is None or len(data) <= length or character_length(data) <= length:
        return data
    kept = truncate(data, length)
    if data[len(kept) :].strip(b" "):
        raise InvalidValue(f"value too long for type {target.element}", sqlstate="22001")
    return kept
