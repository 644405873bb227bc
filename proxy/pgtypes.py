"""PostgreSQL facts about the types that a column may be sealed as: OIDs, modifiers, families.

The bottom of the house: configuration, crypto, wire and sql all speak of `SqlType`. The OIDs are those of
`src/include/catalog/pg_type.dat`; they never change between PostgreSQL versions.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, replace
from typing import Final


class Family(enum.StrEnum):
    """Types whose sealed values are interchangeable: a cast inside a family does not touch the ciphertext.

    The value is written into the associated data of every sealed value, so it never changes.
    """

    TEXT = "text"  # text and varchar(n)
    CHAR = "char"  # char(n), sealed without its padding
    SMALLINT = "smallint"
    INTEGER = "integer"
    BIGINT = "bigint"
    NUMERIC = "numeric"
    REAL = "real"
    DOUBLE = "double precision"
    BOOLEAN = "boolean"
    DATE = "date"
    TIME = "time"
    TIMESTAMP = "timestamp"
    TIMESTAMPTZ = "timestamptz"
    UUID = "uuid"
    JSON = "json"
    JSONB = "jsonb"
    BYTEA = "bytea"


@dataclass(frozen=True, slots=True)
class TypeFacts:
    """One row of pg_type: `oid` of the type, `array_oid` of its array, `size` is typlen (-1: variable)."""

    name: str  # as format_type() prints it
    family: Family
    oid: int
    array_oid: int
    size: int


FACTS: Final = tuple(
    TypeFacts(*row)
    for row in (
        ("text", Family.TEXT, 25, 1009, -1),
        ("character varying", Family.TEXT, 1043, 1015, -1),
        ("character", Family.CHAR, 1042, 1014, -1),
        ("smallint", Family.SMALLINT, 21, 1005, 2),
        ("integer", Family.INTEGER, 23, 1007, 4),
        ("bigint", Family.BIGINT, 20, 1016, 8),
        ("numeric", Family.NUMERIC, 1700, 1231, -1),
        ("real", Family.REAL, 700, 1021, 4),
        ("double precision", Family.DOUBLE, 701, 1022, 8),
        ("boolean", Family.BOOLEAN, 16, 1000, 1),
        ("date", Family.DATE, 1082, 1182, 4),
        ("time without time zone", Family.TIME, 1083, 1183, 8),
        ("timestamp without time zone", Family.TIMESTAMP, 1114, 1115, 8),
        ("timestamp with time zone", Family.TIMESTAMPTZ, 1184, 1185, 8),
        ("uuid", Family.UUID, 2950, 2951, 16),
        ("json", Family.JSON, 114, 199, -1),
        ("jsonb", Family.JSONB, 3802, 3807, -1),
        ("bytea", Family.BYTEA, 17, 1001, -1),
    )
)
BY_OID: Final = {facts.oid: facts for facts in FACTS}
BY_ARRAY_OID: Final = {facts.array_oid: facts for facts in FACTS}
BY_NAME: Final = {facts.name: facts for facts in FACTS}

# Spellings that the grammar, or people, use for the names above. Keys are lower case with single spaces.
ALIASES: Final = {
    "varchar": "character varying",
    "char": "character",
    "bpchar": "character",
    "int2": "smallint",
    "int": "integer",
    "int4": "integer",
    "int8": "bigint",
    "decimal": "numeric",
    "float4": "real",
    "float8": "double precision",
    "float": "double precision",
    "bool": "boolean",
    "time": "time without time zone",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
}

BYTEA_OID: Final = 17
UNKNOWN_OID: Final = 705
RECORD_OID: Final = 2249
FIRST_NORMAL_OID: Final = 16384  # from here on OIDs are those of objects that a database's users have made
MAX_CHAR_LENGTH: Final = 10_485_760  # MaxAttrSize: the n of varchar(n) and char(n)
MAX_NUMERIC_PRECISION: Final = 1000
_VARHDRSZ: Final = 4


@dataclass(frozen=True, slots=True)
class SqlType:
    """A type as an application sees it: a base type, its modifier, and whether it is a one-dimensional-or-more array.

    `typmod` is pg_attribute.atttypmod: -1 for none; n+4 for varchar(n)/char(n); ((p << 16) | (s & 0x7ff)) + 4 for
    numeric(p,s); the fractional digits for time and timestamps.
    """

    facts: TypeFacts
    typmod: int = -1
    is_array: bool = False

    @property
    def family(self) -> Family:
        return self.facts.family

    @property
    def oid(self) -> int:
        return self.facts.array_oid if self.is_array else self.facts.oid

    @property
    def size(self) -> int:
        return -1 if self.is_array else self.facts.size

    @property
    def length(self) -> int | None:
        """n of varchar(n) or char(n), in characters."""
        if self.typmod < 0 or self.facts.name not in ("character varying", "character"):
            return None
        return self.typmod - _VARHDRSZ

    @property
    def precision_scale(self) -> tuple[int, int] | None:
        """(p, s) of numeric(p,s); s may be negative (PostgreSQL 15 and later)."""
        if self.typmod < 0 or self.family is not Family.NUMERIC:
            return None
        packed = self.typmod - _VARHDRSZ
        scale = packed & 0x7FF
        return packed >> 16, (scale ^ 1024) - 1024

    @property
    def seconds_precision(self) -> int | None:
        """Fractional digits, 0..6, of time(n) and timestamp(n)."""
        if self.typmod < 0 or self.family not in (Family.TIME, Family.TIMESTAMP, Family.TIMESTAMPTZ):
            return None
        return self.typmod

    @property
    def element(self) -> SqlType:
        return replace(self, is_array=False)

    @property
    def array(self) -> SqlType:
        return replace(self, is_array=True)

    @property
    def unmodified(self) -> SqlType:
        return replace(self, typmod=-1)

    def __str__(self) -> str:
        """The name that format_type(oid, typmod) prints."""
        name = self.facts.name
        if self.length is not None:
            name = f"{name}({self.length})"
        elif (number := self.precision_scale) is not None:
            name = f"{name}({number[0]},{number[1]})"
        elif (digits := self.seconds_precision) is not None:
            head, _, tail = name.partition(" ")
            name = f"{head}({digits}) {tail}"
        return name + "[]" if self.is_array else name


_SPELLING: Final = re.compile(
    r"""^\s*(?P<name>[a-z][a-z0-9_]*(?:\ (?!with)[a-z]+)*)\s*
        (?:\(\s*(?P<first>\d+)\s*(?:,\s*(?P<second>-?\d+)\s*)?\))?
        (?P<zone>\s+with(?:out)?\s+time\s+zone)?
        \s*(?P<array>(?:\[\d*\]\s*)*)$""",
    re.VERBOSE,
)


def parse_type(text: str) -> SqlType:
    """`varchar(24)`, `numeric(12,2)`, `timestamp with time zone`, `text[]` -> SqlType.

    Raises ValueError with a message for people when the name is unknown or its modifier is not one PostgreSQL takes.
    """
    match = _SPELLING.match(" ".join(text.lower().split()))
    if match is None:
        raise ValueError(f"{text!r} is not a type name")
    name = match["name"] + (" " + " ".join(match["zone"].split()) if match["zone"] else "")
    facts = BY_NAME.get(ALIASES.get(name, name))
    if facts is None:
        raise ValueError(f"unknown type {text!r}; supported: {', '.join(sorted(BY_NAME))}, and arrays of them")
    modifiers = tuple(int(part) for part in (match["first"], match["second"]) if part is not None)
    if name == "float" and modifiers:
        if len(modifiers) != 1 or not 1 <= modifiers[0] <= 53:
            raise ValueError("float(n) takes 1 to 53")
        facts, modifiers = BY_NAME["real" if modifiers[0] <= 24 else "double precision"], ()
    if name in ("char", "character") and not modifiers:
        modifiers = (1,)
    return SqlType(facts, typmod_of(facts, modifiers), bool(match["array"].strip()))


def typmod_of(facts: TypeFacts, modifiers: tuple[int, ...]) -> int:
    """The atttypmod that the type's typmodin function makes of `modifiers`. Raises ValueError."""
    if not modifiers:
        return -1
    if facts.name in ("character varying", "character"):
        if len(modifiers) != 1 or not 1 <= modifiers[0] <= MAX_CHAR_LENGTH:
            raise ValueError(f"{facts.name}(n) takes one length from 1 to {MAX_CHAR_LENGTH}")
        return modifiers[0] + _VARHDRSZ
    if facts.family is Family.NUMERIC:
        precision, scale = modifiers if len(modifiers) == 2 else (modifiers[0], 0)
        if len(modifiers) > 2 or not 1 <= precision <= MAX_NUMERIC_PRECISION or not -1000 <= scale <= 1000:
            raise ValueError("numeric(p,s) takes a precision from 1 to 1000 and a scale from -1000 to 1000")
        return ((precision << 16) | (scale & 0x7FF)) + _VARHDRSZ
    if facts.family in (Family.TIME, Family.TIMESTAMP, Family.TIMESTAMPTZ):
        if len(modifiers) != 1 or not 0 <= modifiers[0] <= 6:
            raise ValueError(f"{facts.name} takes one precision from 0 to 6")
        return modifiers[0]
    raise ValueError(f"{facts.name} takes no modifier")


def type_of_oid(oid: int, typmod: int = -1) -> SqlType | None:
    """The supported type behind a pg_type OID, or None (enum, composite, interval, ... are not supported)."""
    if (facts := BY_OID.get(oid)) is not None:
        return SqlType(facts, typmod)
    if (facts := BY_ARRAY_OID.get(oid)) is not None:
        return SqlType(facts, typmod, is_array=True)
    return None
