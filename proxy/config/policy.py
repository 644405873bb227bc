"""columns.yaml -> `Policy`.

    database -> schema.table -> column -> {type, search, join, id, max_length, pending, keyset}

Beside the tables of a database may stand `functions` (`proxy.config.functions`).

`keyset` may also stand beside the tables of a database and beside the columns of a table, for all below. Where it is
text there, it is that; where it is a mapping, it is a column of that name.

What a type can be searched by follows from what its ciphertext can do: equality needs one byte string per value (json
and jsonb have none, an array's elements are not compared here), order needs a bound on the width of the prefix.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

import yaml

from proxy.config.functions import FUNCTIONS, load_functions
from proxy.config.model import DEFAULT_KEYSET, DeclaredFunction, Policy, Scheme, SealedColumn
from proxy.config.nodes import Entry, read_document, require_known, suggestion
from proxy.pgtypes import Family, SqlType, parse_type

ANY_DATABASE: Final = "*"
MAX_ORDER_DIGITS: Final = 38
"""Precision of numeric(p,s) up to which search: order goes: 10^38 fits 128 bits, a prefix of some 256 bytes."""
MAX_ORDER_BYTES: Final = 64
"""Highest max_length of an ordered text column, in bytes: each byte of text costs 16 bytes of prefix."""

_KEYS: Final = ("type", "search", "join", "id", "max_length", "pending", "keyset")
_KEYSET: Final = "keyset"
_SEARCHES: Final = {"none": Scheme.RANDOM, "equality": Scheme.EQUALITY, "order": Scheme.ORDER}
_MAX_IDENTIFIER: Final = 63  # NAMEDATALEN - 1, in bytes
_MAX_ID: Final = 255
_JOIN_PREFIX: Final = "join:"
_SYSTEM_COLUMNS: Final = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
_NO_EQUALITY: Final = frozenset({Family.JSON, Family.JSONB})
_NO_ORDER: Final = _NO_EQUALITY | {Family.BYTEA}
_TEXTUAL: Final = frozenset({Family.TEXT, Family.CHAR})


def load_policy(path: Path, keysets: Collection[str] | None = None) -> Policy:
    """The policy in `path`; an empty file is an empty policy. `keysets` are the names that `keyset` may take; without
    them any is taken, and whoever looks for its keys finds out (`proxy.crypto.Keyrings.sealer`).

    Raises ConfigError with file, line and key: unreadable file, unknown key or type, a `search` that the type does not
    support, a key or an id that stands twice, names that PostgreSQL does not have, columns of one join that could not
    be compared.
    """
    columns: dict[str, list[tuple[SealedColumn, str, Entry]]] = {}
    functions: dict[str, Entry] = {}
    for database, tables in read_document(path).mapping("a mapping: database -> schema.table -> column").items():
        if database != ANY_DATABASE:
            _require_identifier(database, "database", tables)
        entries = columns.setdefault(database, [])
        bodies, outer = _keyset(tables.mapping("a mapping: schema.table -> column"), "", keysets)
        if FUNCTIONS in bodies:
            functions[database] = bodies.pop(FUNCTIONS)
        for table, body in bodies.items():
            schema, name = _split(table, body)
            listed, inner = _keyset(body.mapping("a mapping: column -> {type: ...}"), outer, keysets)
            for column, attributes in listed.items():
                entries.append(_column(database, schema, name, column, attributes, inner, keysets))
    for database in columns or {}:
        _require_consistent(database, columns)
    declared: list[DeclaredFunction] = []
    for database, entry in functions.items():
        in_force = {column.name: column for at in (ANY_DATABASE, database) for column, _, _ in columns.get(at, ())}
        declared += load_functions(database, entry, in_force)
    return Policy(tuple(column for entries in columns.values() for column, _, _ in entries), path, tuple(declared))


def _keyset(entries: dict[str, Entry], outer: str, known: Collection[str] | None) -> tuple[dict[str, Entry], str]:
    """`entries` without their `keyset`, and the keyset that holds for them: theirs, or else `outer`."""
    entry = entries.get(_KEYSET)
    if entry is None or isinstance(entry.node, yaml.MappingNode):
        return entries, outer
    name = entry.text()
    if name == DEFAULT_KEYSET:
        name = ""
    elif known is not None and name not in known:
        raise entry.error(f"unknown keyset{suggestion(name, known)}; keysets are made in sealwire.yaml, under keysets")
    return {key: value for key, value in entries.items() if key != _KEYSET}, name


def _split(table: str, entry: Entry) -> tuple[str, str]:
    """`schema.table` -> (schema, table)."""
    schema, dot, name = table.partition(".")
    if not dot:
        raise entry.error(f'the table is named without its schema; write "public.{table}" if that is where it is')
    if "." in name:
        raise entry.error("a table is written schema.table, with one dot")
    _require_identifier(schema, "schema", entry)
    _require_identifier(name, "table", entry)
    if schema.startswith("pg_") or schema in ("information_schema", "sealwire"):
        raise entry.error(f'columns of schema "{schema}" cannot be sealed')
    return schema, name


def _require_identifier(name: str, what: str, entry: Entry) -> None:
    if not name.strip() or "\0" in name:
        raise entry.error(f"the {what} name is empty")
    if '"' in name:
        raise entry.error(f"write the {what} name as pg_class holds it: case as it is, without double quotes")
    if name != name.strip():
        raise entry.error(f"the {what} name starts or ends with a space")
    if (size := len(name.encode())) > _MAX_IDENTIFIER:
        raise entry.error(f"the {what} name has {size} bytes; PostgreSQL's names end at {_MAX_IDENTIFIER}")


def _column(
    database: str, schema: str, table: str, column: str, entry: Entry, keyset: str, keysets: Collection[str] | None
) -> tuple[SealedColumn, str, Entry]:
    """The column, its id, and the entry for errors about both."""
    _require_identifier(column, "column", entry)
    if column in _SYSTEM_COLUMNS:
        raise entry.error("is a system column")
    attributes = entry.mapping('a mapping such as {type: text, search: equality}; "type" is required')
    for name, attribute in attributes.items():
        if name.endswith(")") and attribute.is_null:
            raise attribute.error('put a type with a comma in quotes: type: "numeric(12,2)"')
    require_known(attributes, _KEYS)
    if "type" not in attributes:
        raise entry.error('"type" is missing: the type that the application sees')
    try:
        kind = parse_type(attributes["type"].text())
    except ValueError as error:
        raise attributes["type"].error(str(error)) from None

    scheme = Scheme.RANDOM
    if "search" in attributes:
        scheme = _SEARCHES[attributes["search"].choice(_SEARCHES)]
        if (reason := unsupported_search(kind, scheme)) is not None:
            raise attributes["search"].error(reason)
    identity = _identity(attributes.get("id"), f"{schema}.{table}.{column}")
    domain = identity
    if (join := attributes.get("join")) is not None:
        if scheme is Scheme.RANDOM:
            raise join.error('needs "search: equality" or "search: order": a random ciphertext equals no other')
        domain = _JOIN_PREFIX + _require_word(join)
    sealed = SealedColumn(
        database=database,
        schema=schema,
        table=table,
        column=column,
        type=kind,
        scheme=scheme,
        domain=domain,
        max_length=_max_length(kind, scheme, attributes.get("max_length"), entry),
        pending="pending" in attributes and attributes["pending"].boolean(),
        line=entry.line,
        keyset=_keyset(attributes, keyset, keysets)[1],
    )
    return sealed, identity, attributes.get("id", entry)


def unsupported_search(kind: SqlType, scheme: Scheme) -> str | None:
    """Why values of `kind` cannot be sealed under `scheme`; None: they can."""
    if scheme is Scheme.RANDOM:
        return None
    word = "equality" if scheme is Scheme.EQUALITY else "order"
    if kind.is_array or kind.family in (_NO_EQUALITY if scheme is Scheme.EQUALITY else _NO_ORDER):
        alternative = "none or equality" if scheme is Scheme.ORDER and kind.family is Family.BYTEA else "none"
        return f'{kind} does not support "{word}"; use {"none" if kind.is_array else alternative}'
    if scheme is Scheme.ORDER and kind.family is Family.NUMERIC:
        number = kind.precision_scale
        if number is None or number[0] > MAX_ORDER_DIGITS:
            return f'{kind} does not support "order": numeric(p,s) with a precision up to {MAX_ORDER_DIGITS} does'
    return None


def _identity(entry: Entry | None, default: str) -> str:
    if entry is None:
        return default
    name = _require_word(entry)
    if name.startswith(_JOIN_PREFIX):
        raise entry.error(f'must not start with "{_JOIN_PREFIX}"')
    return name


def _require_word(entry: Entry) -> str:
    """Text that ends up in key derivation: no white space at its ends that an eye would miss, and of bounded length."""
    name = entry.text()
    if name != name.strip() or not name.isprintable() or len(name.encode()) > _MAX_ID:
        raise entry.error(f"must be printable, at most {_MAX_ID} bytes, without spaces at its ends")
    return name


def _max_length(kind: SqlType, scheme: Scheme, entry: Entry | None, column: Entry) -> int | None:
    if scheme is Scheme.ORDER and kind.family in _TEXTUAL:
        if entry is None:
            raise column.error(
                f'"max_length" is missing: {kind} with "search: order" needs the most bytes of UTF-8 a value may have,'
                f" 1 to {MAX_ORDER_BYTES}"
            )
        return entry.integer(1, MAX_ORDER_BYTES)
    if entry is not None:
        raise entry.error('is for text, varchar(n) and char(n) with "search: order" only')
    return None


def _require_consistent(database: str, columns: dict[str, list[tuple[SealedColumn, str, Entry]]]) -> None:
    """Ids are unique and joins comparable among the columns that are in force in `database`."""
    in_force = {column.name: (column, identity, entry) for column, identity, entry in columns.get(ANY_DATABASE, [])}
    in_force |= {column.name: (column, identity, entry) for column, identity, entry in columns[database]}
    ids: dict[str, SealedColumn] = {}
    joins: dict[str, SealedColumn] = {}
    for column, identity, entry in in_force.values():
        if (other := ids.setdefault(identity, column)) is not column:
            raise entry.error(f'id "{identity}" is that of {other.name} in line {other.line} already')
        if not column.domain.startswith(_JOIN_PREFIX):
            continue
        first = joins.setdefault(column.domain, column)
        for what, mine, its in (
            ("type family", column.type.family.value, first.type.family.value),
            ("search", column.search, first.search),
            ("precision and scale", column.type.precision_scale, first.type.precision_scale),
            ("max_length", column.max_length, first.max_length),
            ("keyset", column.keyset or DEFAULT_KEYSET, first.keyset or DEFAULT_KEYSET),
        ):
            if mine != its:
                name = column.domain.removeprefix(_JOIN_PREFIX)
                raise entry.error(
                    f'join "{name}" needs one {what}: {mine} here, {its} for {first.name} in line {first.line}'
                )
