"""sealwire.jobs: where each job stands. Names and positions only, so that a command may be killed at any moment and the
next one goes on; what a job has done to a column stays recorded, which is what `verify` reads. It says under which key
and binding a column lies since its last swap, which is what proxies read (session/guarding.py), also while the next job
is under way.

The phases: `fill` (shadow and triggers are installed, values are being converted; nothing is lost by giving up),
`finish` (the swap is committed; constraints are being validated), `done`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.ops.database import DatabaseError
from proxy.ops.life.target import Target, moved, quote_literal
from proxy.sql.catalog import MOVED

if TYPE_CHECKING:
    from proxy.ops.database import Connection
    from proxy.ops.life.plan import Plan

_LOCK: Final = 0x5EA1
"""First key of the advisory locks; the second is the table's OID."""
_LOCK_ATTEMPTS: Final = 120
_LOCK_PAUSE: Final = 0.5

InTurn = Callable[[Callable[[], Awaitable[None]]], Awaitable[None]]

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS sealwire.jobs (
    column_name  text PRIMARY KEY,
    operation    text NOT NULL,
    phase        text NOT NULL,
    columns      text[] NOT NULL,
    terms        text NOT NULL,
    table_oid    oid NOT NULL,
    attnum       smallint NOT NULL,
    high_water   bigint NOT NULL DEFAULT 0,
    later        text[] NOT NULL DEFAULT '{}',
    filenode     oid,
    started      timestamptz NOT NULL DEFAULT pg_catalog.now(),
    updated      timestamptz NOT NULL DEFAULT pg_catalog.now(),
    key_id       bigint,
    binding      text,
    moved        boolean
)
"""
_MOVED: Final = """
SELECT string_agg(format(' %s.%s', j.table_oid, j.attnum), '' ORDER BY j.table_oid, j.attnum) FROM sealwire.jobs j
WHERE j.moved AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = j.table_oid)
"""
_BEGIN: Final = """
INSERT INTO sealwire.jobs AS old (column_name, operation, phase, columns, terms, table_oid, attnum)
VALUES ($1, $2, 'fill', $3, $4, $5::int8::oid, $6)
ON CONFLICT (column_name) DO UPDATE SET operation = EXCLUDED.operation, phase = EXCLUDED.phase,
  columns = EXCLUDED.columns, terms = EXCLUDED.terms, table_oid = EXCLUDED.table_oid, attnum = EXCLUDED.attnum,
  high_water = 0, later = '{}', started = pg_catalog.now(), updated = pg_catalog.now(),
  (key_id, binding, moved, filenode) = (
    SELECT known.key_id, known.binding, known.moved, CASE WHEN EXCLUDED.operation <> 'seal' THEN known.filenode END
    FROM (SELECT old.key_id, old.binding, old.moved, old.filenode
            WHERE (old.table_oid, old.attnum) = (EXCLUDED.table_oid, EXCLUDED.attnum)) AS known)
"""
_GRANT: Final = "GRANT SELECT ON sealwire.jobs TO PUBLIC"


@dataclass(frozen=True, slots=True)
class Job:
    """One column's row."""

    column: str
    """`schema.table.column`."""
    operation: str
    phase: str
    columns: tuple[str, ...]
    """All columns of the same command, which are swapped together."""
    terms: str
    """Under which types, schemes and keys it began: it cannot go on under others."""
    table_oid: int
    attnum: int
    high_water: int
    """Blocks of the table below this one are converted, but for rows that changed since."""
    later: tuple[str, ...]
    """Statements still to run after the swap."""
    filenode: int | None
    """The table's file when the column was sealed: as long as it has this one, it holds the values from before."""


async def prepare_ledger(connection: Connection) -> None:
    """Makes the table where it is missing, for everybody to read: the proxy does so over its clients' connections."""
    if await connection.fetchval("SELECT pg_catalog.to_regclass('sealwire.jobs')") is None:
        await connection.execute(f"{_TABLE}; {_GRANT}")
    elif not await connection.fetchval(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute"
        " WHERE attrelid = 'sealwire.jobs'::regclass AND attname = 'moved')"
    ):
        new = ", ".join(f"ADD IF NOT EXISTS {column}" for column in ("key_id bigint", "binding text", "moved boolean"))
        await connection.execute(f"ALTER TABLE sealwire.jobs {new}; {_GRANT}")


async def read_jobs(connection: Connection) -> dict[str, Job]:
    """Column name -> job; empty where the table is not there."""
    if await connection.fetchval("SELECT pg_catalog.to_regclass('sealwire.jobs')") is None:
        return {}
    rows = await connection.fetch(
        "SELECT column_name, operation, phase, columns, terms, table_oid::int8, attnum, high_water, later,"
        " filenode::int8 FROM sealwire.jobs"
    )
    return {
        row[0]: Job(
            row["column_name"],
            row["operation"],
            row["phase"],
            tuple(row["columns"]),
            row["terms"],
            row["table_oid"],
            row["attnum"],
            row["high_water"],
            tuple(row["later"]),
            row["filenode"],
        )
        for row in rows
    }


async def begin_job(connection: Connection, operation: str, targets: Sequence[Target], terms: Sequence[str]) -> None:
    """Records the job of `targets`, which go together, in phase `fill`. What is known of the columns as they are stays:
    under which key and binding they lie, and which file still holds the values from before they were sealed."""
    names = [target.column.name for target in targets]
    for target, its in zip(targets, terms, strict=True):
        await connection.execute(_BEGIN, target.column.name, operation, names, its, target.table_oid, target.attnum)


async def set_high_water(connection: Connection, column: str, block: int) -> None:
    await connection.execute(
        "UPDATE sealwire.jobs SET high_water = $2, updated = pg_catalog.now()"
        " WHERE column_name = $1 AND high_water < $2",
        column,
        block,
    )


async def record_swap(connection: Connection, plan: Plan, later: Sequence[str]) -> None:
    """Phase `finish`. `later` stays with the first column. Part of the transaction that swaps."""
    columns = plan.names
    elsewhere = () if plan.in_place else moved(plan.targets)
    for target, key in zip(plan.targets, plan.keys, strict=True):
        await connection.execute(
            "UPDATE sealwire.jobs SET key_id = $2, binding = $3, attnum = (SELECT a.attnum"
            " FROM pg_catalog.pg_attribute a WHERE a.attrelid = table_oid AND a.attname = $4 AND NOT a.attisdropped),"
            " moved = moved IS TRUE OR $5 WHERE column_name = $1",
            target.column.name,
            key,
            target.column.binding,
            target.column.column,
            target in elsewhere,
        )
    await connection.execute(
        "UPDATE sealwire.jobs SET phase = 'finish', later = CASE WHEN column_name = $2 THEN $3::text[] ELSE '{}' END,"
        " filenode = CASE operation WHEN 'seal' THEN pg_catalog.pg_relation_filenode(table_oid) ELSE filenode END,"
        " updated = pg_catalog.now()"
        " WHERE column_name = ANY ($1)",
        list(columns),
        columns[0],
        list(later),
    )
    await _tell_moved(connection)


async def _tell_moved(connection: Connection) -> None:
    """Which columns stand elsewhere than before: as the table's comment, which proxies read with the catalog whether
    the table is there or not (`moved` of proxy/sql/catalog.py)."""
    await connection.execute("LOCK TABLE sealwire.jobs IN SHARE UPDATE EXCLUSIVE MODE")
    places = await connection.fetchval(_MOVED)
    comment = "NULL" if places is None else quote_literal(MOVED + places)
    await connection.execute(f"COMMENT ON TABLE sealwire.jobs IS {comment}")


async def finish_job(connection: Connection, columns: Sequence[str], in_turn: InTurn) -> None:
    """Runs what is left for after the swap, each statement in one transaction with its being crossed out.

    `in_turn` runs a transaction's work, again and again until it gets its locks.
    """
    while True:
        left = await connection.fetchrow(
            "SELECT column_name, later[1] AS statement FROM sealwire.jobs"
            " WHERE column_name = ANY ($1) AND pg_catalog.cardinality(later) > 0 LIMIT 1",
            list(columns),
        )
        if left is None:
            break
        statement, column = left["statement"], left["column_name"]

        async def work(statement: str = statement, column: str = column) -> None:
            await connection.execute(statement)
            await connection.execute("UPDATE sealwire.jobs SET later = later[2:] WHERE column_name = $1", column)

        await in_turn(work)
    await connection.execute(
        "UPDATE sealwire.jobs SET phase = 'done', updated = pg_catalog.now() WHERE column_name = ANY ($1)",
        list(columns),
    )


async def forget_job(connection: Connection, columns: Sequence[str]) -> None:
    """The job is given up: what is known of the columns from before it stays."""
    await connection.execute(
        "DELETE FROM sealwire.jobs WHERE column_name = ANY ($1) AND key_id IS NULL AND moved IS NOT TRUE", list(columns)
    )
    await connection.execute(
        "UPDATE sealwire.jobs SET phase = 'done', later = '{}', updated = pg_catalog.now()"
        " WHERE column_name = ANY ($1)",
        list(columns),
    )


async def claim_tables(connection: Connection, targets: Sequence[Target]) -> None:
    """Holds the tables for this connection's life against other jobs, not against applications.

    A command that was killed may leave a server process that has yet to notice: so it waits a while.
    Raises DatabaseError when another command keeps them.
    """
    for oid in sorted({target.table_oid for target in targets}):
        for _ in range(_LOCK_ATTEMPTS):
            if await connection.fetchval(
                "SELECT pg_catalog.pg_try_advisory_lock($1, $2::int8::bit(32)::int4)", _LOCK, oid
            ):
                break
            await asyncio.sleep(_LOCK_PAUSE)
        else:
            name = next(target.table for target in targets if target.table_oid == oid)
            raise DatabaseError(f"another sealwire command is working on table {name}")
