"""What `check` reads from a database: facts from the catalog and the statistics, and a few values.

pg_catalog is qualified everywhere, so the role's search_path has no say. Identifiers go into SQL through
`quote_ident`; everything else is a parameter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.config import SealedColumn
from proxy.sql.naming import quote_ident

if TYPE_CHECKING:
    from proxy.ops.database import Connection

LOOKED_AT: Final = 10_000
"""Rows read where the statistics do not have the answer."""


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """A column of the policy as the catalog knows it; `table_oid` and `attnum` are None where it does not."""

    column: SealedColumn
    table_oid: int | None
    relkind: str
    attnum: int | None
    physical_type: str
    is_sealed: bool
    rows: float
    """pg_class.reltuples: an estimate; below 0 where the table was never analysed."""

    @property
    def sql_table(self) -> str:
        return f"{quote_ident(self.column.schema)}.{quote_ident(self.column.table)}"

    @property
    def sql_column(self) -> str:
        return quote_ident(self.column.column)


@dataclass(frozen=True, slots=True)
class ConstraintFacts:
    """A constraint that names the column. `kind` is pg_constraint.contype."""

    name: str
    kind: str
    other: tuple[str, str, str] | None
    """(schema, table, column) at the other end of a foreign key, whichever end the column is."""
    looks_inside: bool
    """A CHECK that asks more of the column than whether it is NULL."""


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """An index that has the column among its keys, or looks inside it."""

    name: str
    method: str
    is_unique: bool
    is_constraint: bool
    is_key: bool
    in_expression: bool
    """An indexed expression asks more of the column than whether it is NULL."""
    in_predicate: bool
    """So does the predicate of a partial index."""


def looks_inside(expression: str | None, column: str) -> bool:
    """True when `expression`, as pg_get_expr prints it, uses `column` other than in IS NULL and IS NOT NULL."""
    name = rf'(?<![\w"])(?:{re.escape(quote_ident(column))}|{re.escape(column)})(?![\w"])'
    rest = re.sub(name + r" IS (?:NOT )?NULL", "", expression or "")
    return re.search(name, rest) is not None


async def read_columns(connection: Connection, columns: Iterable[SealedColumn]) -> dict[str, ColumnFacts]:
    """`schema.table.column` -> facts, for every one of `columns`."""
    wanted = list(columns)
    rows = await connection.fetch(
        """
        SELECT c.oid::int8 AS table_oid, c.relkind::text, c.reltuples::float8, a.attnum::int4,
               pg_catalog.format_type(a.atttypid, a.atttypmod) AS physical_type,
               COALESCE(a.atttypid = (SELECT t.oid FROM pg_catalog.pg_type t
                                      JOIN pg_catalog.pg_namespace s ON s.oid = t.typnamespace
                                      WHERE s.nspname = 'sealwire' AND t.typname = 'sealed'), false) AS is_sealed
        FROM ROWS FROM (unnest($1::text[], $2::text[], $3::text[])) WITH ORDINALITY
             AS w(nspname, relname, attname, position)
        LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = w.nspname
        LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.relname
        LEFT JOIN pg_catalog.pg_attribute a
               ON a.attrelid = c.oid AND a.attname = w.attname AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY w.position
        """,
        [column.schema for column in wanted],
        [column.table for column in wanted],
        [column.column for column in wanted],
    )
    return {
        column.name: ColumnFacts(
            column,
            row["table_oid"],
            row["relkind"] or "",
            row["attnum"],
            row["physical_type"] or "",
            row["is_sealed"],
            -1.0 if row["reltuples"] is None else row["reltuples"],
        )
        for column, row in zip(wanted, rows, strict=True)
    }


async def read_unlisted(connection: Connection) -> list[str]:
    """`schema.table.column` of every table's own column of type sealwire.sealed (inherited ones are their parent's)."""
    rows = await connection.fetch(
        """
        SELECT n.nspname || '.' || c.relname || '.' || a.attname
        FROM pg_catalog.pg_attribute a
        JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_type t ON t.oid = a.atttypid AND t.typname = 'sealed'
        JOIN pg_catalog.pg_namespace s ON s.oid = t.typnamespace AND s.nspname = 'sealwire'
        WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attinhcount = 0
        ORDER BY 1
        """
    )
    return [row[0] for row in rows]


async def read_constraints(connection: Connection, facts: ColumnFacts) -> list[ConstraintFacts]:
    """Constraints of the table on the column, and foreign keys of other tables that refer to it."""
    rows = await connection.fetch(
        """
        SELECT k.conname, k.contype::text, pg_catalog.pg_get_expr(k.conbin, k.conrelid) AS expression,
               n.nspname, c.relname, a.attname
        FROM pg_catalog.pg_constraint k
        CROSS JOIN LATERAL unnest(k.conkey, k.confkey) AS pair(near, far)
        LEFT JOIN pg_catalog.pg_class c
               ON k.contype = 'f' AND c.oid = CASE WHEN k.conrelid = $1::int8::oid AND pair.near = $2::int4
                                                   THEN k.confrelid ELSE k.conrelid END
        LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_catalog.pg_attribute a
               ON a.attrelid = c.oid AND a.attnum = CASE WHEN k.conrelid = $1::int8::oid AND pair.near = $2::int4
                                                         THEN pair.far ELSE pair.near END
        WHERE k.contype IN ('p', 'u', 'f', 'c', 'x')
          AND ((k.conrelid = $1::int8::oid AND pair.near = $2::int4)
               OR (k.contype = 'f' AND k.confrelid = $1::int8::oid AND pair.far = $2::int4))
        ORDER BY k.conname
        """,
        facts.table_oid,
        facts.attnum,
    )
    return [
        ConstraintFacts(
            row["conname"],
            row["contype"],
            None if row["relname"] is None else (row["nspname"], row["relname"], row["attname"]),
            looks_inside(row["expression"], facts.column.column),
        )
        for row in rows
    ]


async def read_indexes(connection: Connection, facts: ColumnFacts) -> list[IndexFacts]:
    """Indexes that have the column as a key or look inside it; not those that only INCLUDE it."""
    rows = await connection.fetch(
        """
        SELECT c.relname, m.amname, i.indisunique,
               EXISTS (SELECT FROM pg_catalog.pg_constraint k
                       WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')) AS is_constraint,
               $2::int2 = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]) AS is_key,
               pg_catalog.pg_get_expr(i.indexprs, i.indrelid) AS expressions,
               pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS predicate
        FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
        JOIN pg_catalog.pg_am m ON m.oid = c.relam
        WHERE i.indrelid = $1::int8::oid
        ORDER BY c.relname
        """,
        facts.table_oid,
        facts.attnum,
    )
    indexes = [
        IndexFacts(
            row["relname"],
            row["amname"],
            row["indisunique"],
            row["is_constraint"],
            row["is_key"],
            looks_inside(row["expressions"], facts.column.column),
            looks_inside(row["predicate"], facts.column.column),
        )
        for row in rows
    ]
    return [index for index in indexes if index.is_key or index.in_expression or index.in_predicate]


async def longest_value(connection: Connection, facts: ColumnFacts) -> int:
    """Bytes of the longest of the first `LOOKED_AT` values; 0 where there is none."""
    longest = await connection.fetchval(
        f"SELECT max(pg_catalog.octet_length(v)) FROM (SELECT {facts.sql_column} AS v FROM {facts.sql_table}"  # noqa: S608
        f" WHERE {facts.sql_column} IS NOT NULL LIMIT {LOOKED_AT}) s"
    )
    return int(longest or 0)


async def count_distinct(connection: Connection, facts: ColumnFacts) -> tuple[int, int]:
    """(different values, rows that have one): estimates from pg_stats, or counted in the first `LOOKED_AT` rows."""
    statistics = await connection.fetchrow(
        "SELECT n_distinct::float8, null_frac::float8 FROM pg_catalog.pg_stats"
        " WHERE schemaname = $1 AND tablename = $2 AND attname = $3 ORDER BY inherited DESC LIMIT 1",
        facts.column.schema,
        facts.column.table,
        facts.column.column,
    )
    if statistics is not None and facts.rows > 0:
        rows = facts.rows * (1 - statistics["null_frac"])
        distinct = statistics["n_distinct"]
        # pg_stats: below 0, n_distinct is minus the number of different values divided by the number of rows.
        return round(distinct if distinct >= 0 else -distinct * facts.rows), round(rows)
    ((distinct, rows),) = await connection.fetch(
        f"SELECT count(DISTINCT v), count(v) FROM (SELECT {facts.sql_column} AS v FROM {facts.sql_table}"  # noqa: S608
        f" WHERE {facts.sql_column} IS NOT NULL LIMIT {LOOKED_AT}) s"
    )
    return distinct, rows


async def sample_values(connection: Connection, facts: ColumnFacts, samples: int) -> dict[str, bytes]:
    """Up to `samples` values that are not NULL, by `table/ctid`; from all over a large table, or else its first."""
    query = (
        f"SELECT tableoid::regclass::text || ' ' || ctid::text, {facts.sql_column} FROM {facts.sql_table} %s"  # noqa: S608
        f" WHERE {facts.sql_column} IS NOT NULL LIMIT $1"
    )
    found = []
    if facts.rows > samples * 20:
        percent = min(100.0, 400.0 * samples / facts.rows)
        found = await connection.fetch(query % f"TABLESAMPLE SYSTEM ({percent:.6f})", samples)
    if len(found) < samples:
        found = await connection.fetch(query % "", samples)
    return {row[0]: bytes(row[1]) for row in found}
