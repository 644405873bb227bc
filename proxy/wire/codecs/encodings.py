"""client_encoding: between the client's bytes and UTF-8, as pg_client_to_server() and pg_server_to_client() convert.

Only encodings whose conversion tables in Python equal PostgreSQL's are offered; tests hold every one of them against
the server. The database is taken to be in UTF8, so SQL_ASCII clients speak UTF-8 unconverted, as in PostgreSQL.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from proxy.errors import InvalidValue, Refused
from proxy.wire.codecs.base import Convert

# PostgreSQL's name, letters and digits only -> (name in messages, Python codec); None: UTF-8 itself.
ENCODINGS: Final[dict[str, tuple[str, str | None]]] = {
    "UTF8": ("UTF8", None),
    "UNICODE": ("UTF8", None),
    "SQLASCII": ("UTF8", None),
    **{f"LATIN{n}": (f"LATIN{n}", codec) for n, codec in ((1, "latin-1"), *((n, f"iso8859-{n}") for n in (2, 3, 4)))},
    "LATIN5": ("LATIN5", "iso8859-9"),
    "LATIN6": ("LATIN6", "iso8859-10"),
    "LATIN7": ("LATIN7", "iso8859-13"),
    "LATIN8": ("LATIN8", "iso8859-14"),
    "LATIN9": ("LATIN9", "iso8859-15"),
    "LATIN10": ("LATIN10", "iso8859-16"),
    **{f"ISO8859{n}": (f"ISO_8859_{n}", f"iso8859-{n}") for n in (5, 6, 7, 8)},
    "ISO88591": ("LATIN1", "latin-1"),
    **{f"WIN{n}": (f"WIN{n}", f"cp{n}") for n in range(1250, 1259)},
    "WIN866": ("WIN866", "cp866"),
    "WIN874": ("WIN874", "cp874"),
    "KOI8R": ("KOI8R", "koi8-r"),
    "KOI8U": ("KOI8U", "koi8-u"),
}


def _lookup(client_encoding: str) -> tuple[str, str | None]:
    entry = ENCODINGS.get(re.sub("[^A-Z0-9]", "", client_encoding.upper()))
    if entry is None:
        raise Refused(
            f'client_encoding "{client_encoding}" is not supported for sealed values',
            hint="SET client_encoding TO 'UTF8'",
        )
    return entry


def check_utf8(data: bytes) -> bytes:
    """`data` itself. Raises InvalidValue 22021 for what is not UTF-8, and for NUL, which no text may hold."""
    try:
        if b"\0" not in data:
            data.decode()
            return data
    except UnicodeDecodeError:
        pass
    raise InvalidValue('invalid byte sequence for encoding "UTF8"', sqlstate="22021")


@functools.lru_cache(maxsize=64)
def to_utf8(client_encoding: str) -> Convert:
    """Client bytes -> UTF-8. The callable raises InvalidValue 22021, and 22P05 for what UTF-8 has no character for."""
    name, codec = _lookup(client_encoding)
    if codec is None:
        return check_utf8

    def convert(data: bytes) -> bytes:
        if b"\0" in data:
            raise InvalidValue(f'invalid byte sequence for encoding "{name}"', sqlstate="22021")
        if data.isascii():
            return data
        try:
            return data.decode(codec).encode()
        except UnicodeDecodeError:
            raise InvalidValue(
                f'character in encoding "{name}" has no equivalent in encoding "UTF8"', sqlstate="22P05"
            ) from None

    return convert


@functools.lru_cache(maxsize=64)
def from_utf8(client_encoding: str) -> Convert:
    """UTF-8 -> the client's bytes. The callable raises InvalidValue 22P05 for what the encoding cannot express."""
    name, codec = _lookup(client_encoding)
    if codec is None:
        return bytes

    def convert(data: bytes) -> bytes:
        if data.isascii():
            return data
        try:
            return data.decode().encode(codec)
        except UnicodeEncodeError:
            raise InvalidValue(
                f'character in encoding "UTF8" has no equivalent in encoding "{name}"', sqlstate="22P05"
            ) from None

    return convert
