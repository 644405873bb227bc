"""`sealwire scan`: looks through a database for columns that should be sealed, and says how.

Reads the catalog and a bounded sample of each table, in read-only transactions with a time limit. Values are looked at
and dropped: nothing here returns one.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import asyncpg

from proxy.config import Scheme
from proxy.ops.scan_detect import TEXTUAL, Detection, Sample, detect
from proxy.pgtypes import Family, SqlType, type_of_oid
from proxy.sql.naming import quote_ident

if TYPE_CHECKING:
    from proxy.ops.database import Connection

STATEMENT_TIMEOUT: Final = 10_000
"""Milliseconds for the sample of one table."""
SAMPLED_PAGES: Final = 50
"""Pages of a large table that are looked into, at least."""
LOOKED_AT: Final = 512
"""Characters of a value that are looked at."""
FEW_VALUES: Final = 20

Place = tuple[str, str, str]
"""(schema, table, column)."""


@dataclass(frozen=True, slots=True)
class ScannedColumn:
    """A column as the catalog has it."""

    place: Place
    format_type: str
    base_type: str
    """Without modifier and []; of a domain, the type under it."""
    type: SqlType | None
    """None: a type that cannot be sealed."""
    is_indexed: bool
    is_unique: bool


@dataclass(frozen=True, slots=True)
class Proposal:
    """A column that should be sealed."""

    column: ScannedColumn
    detection: Detection
    search: Scheme
    search_reason: str
    join: str | None = None
    obstacle: str | None = None
    """Why it cannot stand in columns.yaml; None: it can."""


@dataclass(frozen=True, slots=True)
class ScanReport:
    database: str
    columns: int
    """Looked at."""
    proposals: tuple[Proposal, ...]
    unread: tuple[tuple[str, str], ...]
    """(table, reason) of those whose values could not be read: only names were judged."""


async def scan(connection: Connection, *, sample: int, others: Sequence[Connection] = ()) -> ScanReport:
    """Looks at every column of every user table, at up to `sample` rows of each. `others`: further connections, to look
    at several tables at once."""
    database = await connection.fetchval("SELECT pg_catalog.current_database()")
    columns = await _read_columns(connection)
    edges = await _read_foreign_keys(connection)
    tables: dict[tuple[str, str], list[ScannedColumn]] = {}
    for column in columns:
        tables.setdefault(column.place[:2], []).append(column)
    found: dict[Place, Proposal] = {}
    unread = []
    sampled = await _sampled((connection, *others), tables, sample)
    for table, members in tables.items():
        values, problem = sampled[table]
        if problem is not None:
            unread.append((".".join(table), problem))
        for column in members:
            seen = values.get(column.place, [])
            detection = detect(Sample(table[1], column.place[2], column.base_type, seen))
            if detection is not None:
                found[column.place] = _propose(column, detection, seen)
    linked = _link(found, {column.place: column for column in columns}, edges)
    return ScanReport(database, len(columns), tuple(linked[place] for place in sorted(linked)), tuple(unread))


async def _sampled(
    connections: Sequence[Connection], tables: Mapping[tuple[str, str], Sequence[ScannedColumn]], sample: int
) -> dict[tuple[str, str], tuple[dict[Place, list[str]], str | None]]:
    """What `_sample` says of each table."""
    found, left = {}, iter(tables.items())

    async def work(connection: Connection) -> None:
        for table, members in left:
            found[table] = await _sample(connection, members, sample)

    try:
        async with asyncio.TaskGroup() as group:
            for connection in connections:
                group.create_task(work(connection))
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return found


async def _read_columns(connection: Connection) -> list[ScannedColumn]:
    """The columns of all tables, partitions and inherited ones left out, and those that are sealed already."""
    rows = await connection.fetch(
        """
        WITH RECURSIVE base AS (
            SELECT t.oid AS domain, t.oid, t.typtype, t.typbasetype, t.typtypmod FROM pg_catalog.pg_type t
            UNION ALL
            SELECT b.domain, t.oid, t.typtype, t.typbasetype, t.typtypmod
            FROM base b JOIN pg_catalog.pg_type t ON b.typtype = 'd' AND t.oid = b.typbasetype
        )
        SELECT n.nspname, c.relname, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) AS format_type,
               a.atttypid::int8 AS type_oid, a.atttypmod::int4 AS typmod,
               pg_catalog.format_type(CASE WHEN bt.typcategory = 'A' THEN bt.typelem ELSE bt.oid END, NULL)
                   AS base_type,
               EXISTS (SELECT FROM pg_catalog.pg_index i
                       WHERE i.indrelid = c.oid AND i.indkey[0] = a.attnum) AS is_indexed,
               EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisunique
                       AND a.attnum = ANY (i.indkey::int2[])) AS is_unique
        FROM pg_catalog.pg_attribute a
        JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        JOIN base ON base.domain = t.oid AND base.typtype <> 'd'
        JOIN pg_catalog.pg_type bt ON bt.oid = base.oid
        LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace
        WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attinhcount = 0 AND c.relpersistence <> 't'
          AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'sealwire')
          AND NOT (tn.nspname = 'sealwire' AND t.typname = 'sealed')
        ORDER BY n.nspname, c.relname, a.attnum
        """
    )
    return [
        ScannedColumn(
            (row["nspname"], row["relname"], row["attname"]),
            row["format_type"],
            row["base_type"],
            type_of_oid(row["type_oid"], row["typmod"]),
            row["is_indexed"],
            row["is_unique"],
        )
        for row in rows
    ]


async def _read_foreign_keys(connection: Connection) -> list[tuple[Place, Place]]:
    """(referencing, referenced) column, one pair for each column of a foreign key."""
    rows = await connection.fetch(
        """
        SELECT n1.nspname, c1.relname, a1.attname, n2.nspname, c2.relname, a2.attname
        FROM pg_catalog.pg_constraint k
        CROSS JOIN LATERAL unnest(k.conkey, k.confkey) AS pair(near, far)
        JOIN pg_catalog.pg_class c1 ON c1.oid = k.conrelid
        JOIN pg_catalog.pg_namespace n1 ON n1.oid = c1.relnamespace
        JOIN pg_catalog.pg_attribute a1 ON a1.attrelid = k.conrelid AND a1.attnum = pair.near
        JOIN pg_catalog.pg_class c2 ON c2.oid = k.confrelid
        JOIN pg_catalog.pg_namespace n2 ON n2.oid = c2.relnamespace
        JOIN pg_catalog.pg_attribute a2 ON a2.attrelid = k.confrelid AND a2.attnum = pair.far
        WHERE k.contype = 'f' AND k.conparentid = 0
        """
    )
    return [((row[0], row[1], row[2]), (row[3], row[4], row[5])) for row in rows]


async def _sample(
    connection: Connection, columns: Sequence[ScannedColumn], sample: int
) -> tuple[dict[Place, list[str]], str | None]:
    """Up to `sample` values of each column of one table, NULL left out; or why they could not be read."""
    if not sample:
        return {}, None
    schema, table, _ = columns[0].place
    source = f"{quote_ident(schema)}.{quote_ident(table)}"
    cells = [f"pg_catalog.left({quote_ident(c.place[2])}::pg_catalog.text, {LOOKED_AT})" for c in columns]
    try:
        async with connection.transaction(readonly=True):
            await connection.execute(f"SET LOCAL statement_timeout = {STATEMENT_TIMEOUT}")
            rows = await _rows(connection, source, cells, sample)
            values: dict[Place, list[str]] = {}
            for index, column in enumerate(columns):
                seen = [value for row in rows if (value := row[index]) is not None]
                if not seen and len(rows) == sample:  # sparse: look for the few values that there are
                    name = quote_ident(column.place[2])
                    query = f"SELECT {cells[index]} FROM {source} WHERE {name} IS NOT NULL LIMIT $1"  # noqa: S608
                    seen = [row[0] for row in await connection.fetch(query, sample)]
                values[column.place] = _elements(seen) if column.format_type.endswith("[]") else seen
    except (asyncpg.InsufficientPrivilegeError, asyncpg.QueryCanceledError, asyncpg.DataError) as error:
        reason = type(error).__name__.removesuffix("Error")
        return {}, f"{re.sub('(?<=[a-z])(?=[A-Z])', ' ', reason).lower()} ({error.sqlstate})"
    return values, None


async def _rows(connection: Connection, source: str, cells: Sequence[str], sample: int) -> list[tuple[str | None, ...]]:
    """From all over a table that is large by the catalog's estimate, or else its first.

    Rows of one page were often written together, so a few rows are taken of many pages, not many rows of a few.
    """
    sizes = await connection.fetchrow(
        "SELECT reltuples::float8, relpages FROM pg_catalog.pg_class WHERE oid = $1::text::pg_catalog.regclass", source
    )
    estimate, pages = sizes or (0.0, 0)
    query = f"SELECT {', '.join(cells)} FROM {source} %s LIMIT $1"  # noqa: S608
    found = []
    if pages and estimate > 20 * sample:
        share = min(1.0, max(4 * sample / estimate, SAMPLED_PAGES / pages))
        thinned = min(1.0, 2 * sample / (share * estimate))
        spread = f"TABLESAMPLE SYSTEM ({100 * share:.6f}) WHERE pg_catalog.random() < {thinned:.6f}"
        found = await connection.fetch(query % f"{spread} ORDER BY pg_catalog.random()", sample)
    if len(found) < sample:
        found = await connection.fetch(query % "", sample)
    return [tuple(row) for row in found]


def _elements(arrays: Sequence[str]) -> list[str]:
    """The elements of arrays as array_out prints them; nested ones too, quotes taken off."""
    return [part.strip('"') for array in arrays for part in array.strip("{}").split(",") if part not in ("", "NULL")]


def _propose(column: ScannedColumn, detection: Detection, values: Sequence[str]) -> Proposal:
    search, reason = suggest_search(column, detection.kind, values)
    return Proposal(column, detection, search, reason, obstacle=obstacle_of(column))


def obstacle_of(column: ScannedColumn) -> str | None:
    """Why the column cannot stand in columns.yaml."""
    if column.type is None:
        return f"{column.format_type} is not a type that can be sealed; change its type first"
    if any("." in name or '"' in name or name != name.strip() for name in column.place[:2]) or '"' in column.place[2]:
        return "its name, or its table's, cannot be written in columns.yaml; rename it first"
    return None


def suggest_search(column: ScannedColumn, kind: str, values: Sequence[str]) -> tuple[Scheme, str]:
    """The search mode to begin with, and why: as little as the schema gives reason for."""
    if column.type is not None and column.type.is_array:
        return Scheme.RANDOM, "arrays cannot be searched"
    if column.base_type in ("json", "jsonb"):
        return Scheme.RANDOM, f"{column.base_type} cannot be searched"
    if column.is_unique:
        return Scheme.EQUALITY, "it is in a unique index: equality keeps that"
    if len(values) >= 5 * FEW_VALUES and len(set(values)) <= FEW_VALUES:
        return Scheme.RANDOM, "few different values: equality would show which rows are equal"
    if any(len(value.encode()) >= LOOKED_AT for value in values):
        return Scheme.RANDOM, "long texts: nothing suggests that they are searched whole"
    if column.is_indexed and column.type is not None and column.type.family in _ORDERED:
        return Scheme.ORDER, "it has an index, so ranges are searched; order tells how far apart values are"
    if column.is_indexed:
        return Scheme.EQUALITY, "it has an index, so it is searched"
    if kind == "email" and column.base_type in TEXTUAL:
        return Scheme.EQUALITY, "people are looked up by it; none if you never do"
    return Scheme.RANDOM, "no index on it, nothing suggests that it is searched"


_ORDERED: Final = frozenset({Family.DATE, Family.TIMESTAMP, Family.TIMESTAMPTZ})


def _link(
    found: Mapping[Place, Proposal], columns: Mapping[Place, ScannedColumn], edges: Sequence[tuple[Place, Place]]
) -> dict[Place, Proposal]:
    """Both ends of a foreign key are sealed, for equality and with one join, as soon as one of them is."""
    linked = dict(found)
    group = {place: place for edge in edges for place in edge}
    for near, far in edges:  # groups are few and small: name each by its least member
        least = min(group[near], group[far])
        joined = {group[near], group[far]}
        group.update({place: least for place, name in group.items() if name in joined})
    for name in set(group.values()):
        members = [place for place, its in group.items() if its == name and place in columns]
        first = next((found[place] for place in sorted(members) if place in found), None)
        if first is None or len(members) < 2:
            continue
        proposals = {place: linked.get(place) or _beside(columns[place], first) for place in members}
        obstacle = next((each.obstacle for each in proposals.values() if each.obstacle is not None), None)
        types = {(kind.family, kind.precision_scale) for place in members if (kind := columns[place].type) is not None}
        if len(types) > 1:
            obstacle = "a foreign key joins it to a column of another type"
        for place, proposal in proposals.items():
            linked[place] = replace(
                proposal,
                search=Scheme.EQUALITY,
                search_reason="a foreign key compares it: both ends need equality and one join",
                join=_join_name(name),
                obstacle=obstacle,
            )
    return linked


def _beside(column: ScannedColumn, other: Proposal) -> Proposal:
    """A column that was not found for itself, but is compared with one that was."""
    reason = f"foreign key with {'.'.join(other.column.place)}"
    return _propose(column, Detection(other.detection.kind, other.detection.confidence, (reason,)), ())


def _join_name(place: Place) -> str:
    name = re.sub(r"[^\w.-]", "_", ".".join(place))
    return name if len(name.encode()) <= 200 else name.encode()[:200].decode(errors="ignore")
