"""PostgreSQL's rules for types, as far as Sealwire's types go: type names, common types, what compares with what.

Source: "Type Conversion" in the manual; select_common_type in src/backend/parser/parse_coerce.c.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pglast import ast

from proxy.errors import Refused
from proxy.pgtypes import BY_NAME, Family, SqlType, typmod_of
from proxy.sql import refusals
from proxy.sql.plan import TEXT

INTEGER: Final = SqlType(BY_NAME["integer"])
BIGINT: Final = SqlType(BY_NAME["bigint"])
NUMERIC: Final = SqlType(BY_NAME["numeric"])
BOOLEAN: Final = SqlType(BY_NAME["boolean"])
BYTEA: Final = SqlType(BY_NAME["bytea"])
DOUBLE: Final = SqlType(BY_NAME["double precision"])
TIMESTAMPTZ: Final = SqlType(BY_NAME["timestamp with time zone"])

# Names as the catalog has them: what the grammar writes for its own spellings, and what people write themselves.
# `"char"` (pg_catalog.char) is another type than char(n) and is not in the list.
_INTERNAL: Final = {
    name: BY_NAME[full]
    for name, full in (
        ("text", "text"),
        ("varchar", "character varying"),
        ("bpchar", "character"),
        ("int2", "smallint"),
        ("int4", "integer"),
        ("int8", "bigint"),
        ("numeric", "numeric"),
        ("float4", "real"),
        ("float8", "double precision"),
        ("bool", "boolean"),
        ("date", "date"),
        ("time", "time without time zone"),
        ("timestamp", "timestamp without time zone"),
        ("timestamptz", "timestamp with time zone"),
        ("uuid", "uuid"),
        ("json", "json"),
        ("jsonb", "jsonb"),
        ("bytea", "bytea"),
    )
}

TYPE_NAMES: Final = tuple(_INTERNAL)
STRINGS: Final = (Family.TEXT, Family.CHAR)
NUMBERS: Final = (Family.SMALLINT, Family.INTEGER, Family.BIGINT, Family.NUMERIC, Family.REAL, Family.DOUBLE)
_MOMENTS: Final = (Family.DATE, Family.TIMESTAMP, Family.TIMESTAMPTZ)
_CATEGORY: Final[dict[Family, str]] = {
    **dict.fromkeys(NUMBERS, "N"),
    **dict.fromkeys(STRINGS, "S"),
    **dict.fromkeys((*_MOMENTS, Family.TIME), "D"),
    Family.BOOLEAN: "B",
}
_PREFERRED: Final = frozenset({25, 701, 1184, 16})  # text, double precision, timestamptz, boolean
_VARCHAR_OID: Final = 1043
_WHOLE: Final = frozenset({Family.SMALLINT, Family.INTEGER, Family.BIGINT})


def type_of_name(name: ast.TypeName, position: int | None = None) -> SqlType | None:
    """The type that a cast or declaration names; None: one that Sealwire does not support.

    Raises Refused 22023 for a modifier that the type does not take.
    """
    parts = name.names
    if name.setof or name.pct_type or parts is None or len(parts) > 2:
        return None
    if len(parts) == 2 and parts[0].sval != "pg_catalog":
        return None
    facts = _INTERNAL.get(parts[-1].sval)
    if facts is None:
        return None
    modifiers: list[int] = []
    for modifier in name.typmods or ():
        if not isinstance(modifier, ast.A_Const) or not isinstance(modifier.val, ast.Integer):
            return None
        modifiers.append(modifier.val.ival or 0)
    try:
        return SqlType(facts, typmod_of(facts, tuple(modifiers)), bool(name.arrayBounds))
    except ValueError as error:
        raise Refused(str(error), position=position, sqlstate="22023") from None


def category(kind: SqlType) -> str:
    """typcategory, as far as common types go."""
    return "A" if kind.is_array else _CATEGORY.get(kind.family, kind.family.value)


def converts_implicitly(source: SqlType, target: SqlType) -> bool:
    """True where pg_cast has an implicit cast between two types of one category."""
    if source.oid == target.oid:
        return True
    if source.is_array or target.is_array:
        return False
    for chain in (NUMBERS, _MOMENTS):
        if source.family in chain and target.family in chain:
            return chain.index(source.family) < chain.index(target.family)
    return source.family in STRINGS and target.family in STRINGS


def common_type(kinds: Iterable[SqlType | None], construct: str, position: int | None) -> SqlType | None:
    """The type that PostgreSQL chooses for coalesce, CASE, UNION, VALUES..., without a modifier; None: all unknown.

    Raises Refused 42804 where types cannot be matched.
    """
    chosen: SqlType | None = None
    for kind in kinds:
        if kind is None or (chosen is not None and kind.oid == chosen.oid):
            continue
        if chosen is None:
            chosen = kind
        elif category(kind) != category(chosen):
            raise refusals.unmatched_types(construct, chosen, kind, position)
        elif (
            chosen.oid not in _PREFERRED and converts_implicitly(chosen, kind) and not converts_implicitly(kind, chosen)
        ):
            chosen = kind
    return chosen.unmodified if chosen is not None else None


def shared_type(kinds: Iterable[SqlType | None]) -> SqlType | None:
    """common_type, or None where there is none: IN then compares its items one by one."""
    try:
        return common_type(kinds, "IN", None)
    except Refused:
        return None


def common_typmod(kinds: Iterable[SqlType | None], common: SqlType) -> SqlType:
    """`common` with the modifier that all inputs share, or without one (select_common_typmod)."""
    found: SqlType | None = None
    for kind in kinds:
        if kind is None or kind.oid != common.oid or (found is not None and kind.typmod != found.typmod):
            return common
        found = kind
    return found or common


def comparable(left: SqlType, right: SqlType) -> bool:
    """True where PostgreSQL has comparison operators for two types, directly or over implicit casts."""
    if left.is_array or right.is_array:
        return left.oid == right.oid
    if left.family is right.family:
        return True
    return any(left.family in group and right.family in group for group in (NUMBERS, STRINGS, _MOMENTS))


def compared_type(left: SqlType, right: SqlType | None) -> SqlType:
    """The type that the left input of a comparison has once the operator is found: what NULLIF returns."""
    if left.facts.name == "character varying":
        return TEXT
    if right is None or left.family is right.family:
        return left
    if {left.family, right.family} <= _WHOLE or {left.family, right.family} <= set(_MOMENTS):
        return left
    common = common_type((left, right), "NULLIF", None)
    return left if common is None or common.oid == left.oid else common


def operand_type(kind: SqlType | None) -> SqlType | None:
    """The type that an untyped parameter takes from the other side of an operator: varchar has no operators."""
    return TEXT if kind is not None and kind.oid == _VARCHAR_OID else kind


def keeps(source: SqlType, target: SqlType) -> bool:
    """True where a cast within a family changes no value of type `source`, and no text of one."""
    if target.typmod == -1 or (source.oid == target.oid and source.typmod == target.typmod):
        return True
    if source.typmod == -1 or source.family is Family.CHAR or source.is_array:
        return False
    if source.family is Family.NUMERIC:
        (p, s), (wider, same) = source.precision_scale or (0, 0), target.precision_scale or (0, 0)
        return s == same and p <= wider
    return source.typmod <= target.typmod


def assignable(source: SqlType, target: SqlType) -> bool:
    """True where a value of one type can be stored in a column of the other (assignment casts of pg_cast)."""
    if source.is_array or target.is_array:
        return source.is_array == target.is_array and assignable(source.element, target.element)
    if source.family is target.family or target.family in STRINGS:
        return True
    pair = {source.family, target.family}
    if pair == {Family.JSON, Family.JSONB}:
        return True
    if target.family is Family.TIME:
        return source.family in (Family.TIMESTAMP, Family.TIMESTAMPTZ)
    return pair <= set(NUMBERS) or pair <= set(_MOMENTS)
