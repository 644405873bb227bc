"""Which conversions the kernel knows, by its names of forms: None is left to the codecs of `proxy.wire`."""

from __future__ import annotations

from typing import Final

from proxy.pgtypes import Family, SqlType
from proxy.sql.plan import Sealing, Use
from proxy.wire.codecs import Settings

_UTF8: Final = frozenset(("UTF8", "UNICODE", "SQL_ASCII"))
_ALIKE: Final = frozenset((Family.SMALLINT, Family.INTEGER, Family.BIGINT, Family.BOOLEAN, Family.UUID))
"""Types whose text no setting shapes, beside numeric."""
_TEXTS: Final = frozenset((Family.TEXT, Family.JSON, Family.JSONB))
_FIXED: Final = frozenset((Family.SMALLINT, Family.INTEGER, Family.BIGINT, Family.UUID))
"""Types of which any bytes of the right number are a value, in its one form."""


def is_utf8(client_encoding: str) -> bool:
    """True: the client speaks UTF-8, by one of its names as PostgreSQL reports them."""
    return client_encoding in _UTF8


def output_form(type_: SqlType, settings: Settings, *, is_text: bool) -> str | None:
    """What a column of `type_` is sent to the client as."""
    family = type_.family
    if not is_text:
        unlike = family is Family.CHAR or (family in _TEXTS and settings.client_encoding not in _UTF8)
        return None if unlike else "same"
    if type_.is_array:
        return None
    is_iso = settings.datestyle.partition(",")[0].strip().upper() == "ISO"
    if family in _ALIKE or family is Family.NUMERIC:
        return family.value
    if family in _TEXTS:
        named = "jsonb" if family is Family.JSONB else "text"
        return named if settings.client_encoding in _UTF8 else None
    if family is Family.BYTEA:
        return "bytea" if settings.bytea_output.lower() == "hex" else None
    if family in (Family.DATE, Family.TIMESTAMP):
        return family.value if is_iso else None
    if family is Family.TIMESTAMPTZ:
        return "timestamptz" if is_iso and settings.timezone.upper() == "UTC" else None
    return None


def input_form(sealing: Sealing, settings: Settings, *, is_text: bool) -> str | None:
    """What a value from the client is stored or looked for as: only where sealing it is all that happens to it."""
    column = sealing.column.type
    source, family = sealing.client_type, column.family
    if sealing.use not in (Use.ASSIGN, Use.COMPARE) or sealing.casts or source.is_array or column.is_array:
        return None
    if source.family is not family or source.typmod >= 0:
        return None
    if family is Family.TEXT:
        return "text" if settings.client_encoding in _UTF8 else None
    if column.typmod >= 0:
        return None
    if not is_text:
        return family.value if family in _FIXED else None
    return family.value if family in _ALIKE or family in (Family.DATE, Family.TIMESTAMP) else None
