"""`verify`: reads every sealed value. Each must open under a key that is alive, and nothing plain may be left: not in
the column, not in what its table's files still hold of a dropped column, not in what a job left behind, and not in the
logs that the role may read.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.config import Keys, SealedColumn
from proxy.crypto import Keyring
from proxy.errors import CannotOpen, Refused
from proxy.ops.catalog import ColumnFacts, read_columns, sample_values
from proxy.ops.check import Finding
from proxy.ops.database import connect
from proxy.ops.life.fill import BATCH, Pace, Progress, Report, Writer, prepare_session
from proxy.ops.life.ledger import Job, read_jobs
from proxy.ops.life.recipe import FAILURES_KEPT, Crew, Operation, Recipe, make_opener
from proxy.ops.life.rows import Inventory
from proxy.ops.logs import SAMPLES, LogSearch, is_telling, search_logs
from proxy.wire.codecs import Settings, text_encoder

if TYPE_CHECKING:
    from proxy.ops.database import Connection

_BLOCKS: Final = 64
_MAX_BLOCKS: Final = 1024
_ROWS_OF_A_BLOCK: Final = 100
"""For the first read; how many there are is known behind it."""
_UTF8: Final = Settings()


@dataclass(frozen=True, slots=True)
class KeyCount:
    """Values under one key and scheme."""

    scheme: str
    key_id: int
    key_name: str
    state: str
    values: int


@dataclass(frozen=True, slots=True)
class Verified:
    """One column, read whole."""

    column: SealedColumn
    rows: int
    nulls: int
    opened: int
    failed: int
    keys: tuple[KeyCount, ...]
    findings: tuple[Finding, ...]
    logs: LogSearch
    """Of all columns together."""


async def verify(
    dsn: str,
    columns: Sequence[SealedColumn],
    keys: Keys,
    keyring: Keyring,
    *,
    jobs: int = 1,
    batch: int = BATCH,
    max_rate: float = 0.0,
    report: Report = lambda _: None,
) -> list[Verified]:
    """Reads every value of `columns`, some `batch` rows at a time by each of `jobs` connections and `max_rate` rows a
    second at most (0: no limit). Values that change meanwhile are looked at as they are then.

    Raises DatabaseError, KeyringError.
    """
    recipes = [Recipe(Operation.UNSEAL, column, column) for column in columns]
    async with connect(dsn) as connection:
        await prepare_session(connection)
        facts = await read_columns(connection, columns)
        ledger = await read_jobs(connection)
        logs = await search_logs(connection, await _known_values(connection, facts, keyring))
        found = []
        pace = Pace(max_rate)
        with Crew(recipes, keys, keyring, jobs) as crew:
            for number, column in enumerate(columns):
                its = facts[column.name]
                findings = _not_sealed(its)
                inventory, rows, nulls = Inventory(), 0, 0
                if not findings:
                    findings += await _leftovers(connection, its, ledger.get(column.name))
                    for table in await _tables(connection, its):
                        counted = await _read(dsn, crew, number, its, table, jobs, batch, pace, report)
                        inventory.add(counted[0], FAILURES_KEPT)
                        rows, nulls = rows + counted[1], nulls + counted[2]
                    findings += _judge(column, inventory, keyring)
                    findings += _in_logs(column, logs)
                found.append(_verified(column, inventory, rows, nulls, keyring, findings, logs))
    return found


def _not_sealed(facts: ColumnFacts) -> list[Finding]:
    name = facts.column.name
    if facts.attnum is None:
        return [Finding(name, "does not exist", "correct the name in columns.yaml")]
    if not facts.is_sealed:
        return [Finding(name, f"is {facts.physical_type}: every value is plain", "run: sealwire seal")]
    return []


async def _known_values(
    connection: Connection, facts: Mapping[str, ColumnFacts], keyring: Keyring
) -> dict[str, set[bytes]]:
    """Column -> some of its values as text: those at the end of the table, which are the newest, and others."""
    found: dict[str, set[bytes]] = {}
    for name, its in facts.items():
        if not its.is_sealed or not is_telling(its.column.type):
            continue
        open_value, to_text = make_opener(its.column, keyring), text_encoder(its.column.type, _UTF8)
        sealed = list((await sample_values(connection, its, SAMPLES)).values())
        for table in await _tables(connection, its):
            sealed += await _newest(connection, table, its.sql_column)
        found[name] = set()
        for value in sealed[: 2 * SAMPLES]:
            with contextlib.suppress(CannotOpen, Refused):
                found[name].add(to_text(open_value(value)))
    return found


async def _newest(connection: Connection, table: str, column: str) -> list[bytes]:
    blocks = int(await connection.fetchval("SELECT pg_relation_size($1::text::regclass) / 8192", table))
    last = f"ctid >= '({max(0, blocks - 4)},0)'"
    query = f"SELECT {column} FROM {table} WHERE {last} AND {column} IS NOT NULL LIMIT {SAMPLES}"  # noqa: S608
    rows = await connection.fetch(query)
    return [bytes(row[0]) for row in rows]


def _in_logs(column: SealedColumn, logs: LogSearch) -> list[Finding]:
    return [
        Finding(
            column.name,
            f"{source} holds values of it in plain ({count} of {logs.looked_for[column.name]} that were looked for)",
            "from before it was sealed: delete the log, reset the statistics or end the session; from later: somebody"
            " writes around the proxy",
        )
        for source, count in logs.hits.get(column.name, {}).items()
    ]


async def _tables(connection: Connection, facts: ColumnFacts) -> list[str]:
    """The table, or its partitions and children with it, as SQL."""
    rows = await connection.fetch(
        """
        WITH RECURSIVE family AS (
            SELECT $1::int8::oid AS oid
            UNION SELECT i.inhrelid FROM pg_inherits i JOIN family f ON i.inhparent = f.oid)
        SELECT format('%I.%I', n.nspname, c.relname) FROM family f
        JOIN pg_class c ON c.oid = f.oid AND c.relkind = 'r' JOIN pg_namespace n ON n.oid = c.relnamespace
        """,
        facts.table_oid,
    )
    return [row[0] for row in rows]


async def _read(
    dsn: str,
    crew: Crew,
    number: int,
    facts: ColumnFacts,
    table: str,
    jobs: int,
    batch: int,
    pace: Pace,
    report: Report,
) -> tuple[Inventory, int, int]:
    """(what was found, rows, NULLs) of one table."""
    inventory, rows, nulls, next_block, begun = Inventory(), 0, 0, 0, time.monotonic()
    size = min(_BLOCKS, max(1, batch // _ROWS_OF_A_BLOCK))
    column = facts.sql_column

    async def work(end: int) -> None:
        nonlocal rows, nulls, next_block, size
        async with connect(dsn) as connection:
            await prepare_session(connection)
            reader = Writer(connection, crew, number, table, column, column, "bytea", facts.column.name)
            while next_block < end:
                start, stop = next_block, next_block + size
                next_block = stop
                where = f"ctid >= '({start},0)' AND ctid < '({stop},0)'"
                data = await reader.read(f"{where} AND {column} IS NOT NULL")
                empty = await connection.fetchval(f"SELECT count(*) FROM {table} WHERE {where} AND {column} IS NULL")  # noqa: S608
                found = await crew.inspect(number, data)
                inventory.add(found, FAILURES_KEPT)
                values = found.counts.total() + found.failed
                size = min(_MAX_BLOCKS, max(1, int(size * batch / max(values, 1)))) if values else size
                rows, nulls = rows + values + empty, nulls + empty
                expected = rows * end / min(next_block, end)
                rate = rows / max(time.monotonic() - begun, 1e-6)
                report(Progress("verify", facts.column.name, rows, expected, rate))
                await pace.wait(values + empty)

    async with connect(dsn) as connection:
        end = int(await connection.fetchval("SELECT pg_relation_size($1::text::regclass) / 8192", table))
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(jobs):
                group.create_task(work(end))
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return inventory, rows, nulls


async def _leftovers(connection: Connection, facts: ColumnFacts, job: Job | None) -> list[Finding]:
    """What of the old values, or of a job, is still there."""
    name = facts.column.name
    findings = []
    if job is not None and job.phase != "done":
        findings.append(
            Finding(name, f"sealwire {job.operation} is not finished (phase {job.phase})", "run the same command again")
        )
    if job is not None and job.filenode is not None:
        current = await connection.fetchval("SELECT pg_relation_filenode($1::int8::oid)", facts.table_oid)
        if current == job.filenode:
            findings.append(
                Finding(
                    name,
                    "the table's files, TOAST included, still hold the values from before sealing in dead space",
                    "run: VACUUM FULL (sealwire seal ... --vacuum-full)",
                )
            )
    whole = await connection.fetchval(
        "SELECT count(*) FROM pg_constraint WHERE contypid = 'sealwire.sealed'::regtype AND conname = 'sealed_header'"
    )
    if not whole:
        findings.append(
            Finding(name, "its type has lost the constraint that keeps plaintext out", "run: sealwire init")
        )
    invalid = await connection.fetch(
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE i.indrelid = $1::int8::oid AND NOT i.indisvalid",
        facts.table_oid,
    )
    findings += [Finding(name, f"index {row['relname']} is invalid", "drop it, or REINDEX it") for row in invalid]
    # Statistics on a sealed column are ciphertext; those gathered before its type changed would not be.
    plain = await connection.fetchval(
        "SELECT count(*) FROM pg_stats s,"
        " unnest(s.most_common_vals::text::text[] || s.histogram_bounds::text::text[]) v"
        " WHERE schemaname = $1 AND tablename = $2 AND attname = $3 AND NOT starts_with(v, '\\xe1')",
        facts.column.schema,
        facts.column.table,
        facts.column.column,
    )
    if plain:
        findings.append(Finding(name, "its statistics hold values that are not sealed", "run: ANALYZE"))
    return findings


def _judge(column: SealedColumn, inventory: Inventory, keyring: Keyring) -> list[Finding]:
    findings = []
    if inventory.failed:
        places = ", ".join(failure.place for failure in inventory.failures[:5])
        findings.append(
            Finding(
                column.name,
                f"{inventory.failed:,} values do not open, in rows {places}: {inventory.failures[0].reason}",
                "restore them from a backup, or the key that they were sealed under",
            )
        )
    others = sum(count for (scheme, _), count in inventory.counts.items() if scheme is not column.scheme)
    if others:
        findings.append(
            Finding(
                column.name,
                f"{others:,} values are sealed with another search than the policy's",
                f"run: {column.command('reseal')}",
            )
        )
    current = keyring.sealing_key(column.domain)
    old = sum(count for (_, key_id), count in inventory.counts.items() if key_id != current)
    if old and len({key_id for _, key_id in inventory.counts}) > 1 and column.search != "none":
        findings.append(
            Finding(
                column.name,
                f"{old:,} values are under another key, so searches miss them",
                f"run: {column.command('reseal')}",
            )
        )
    return findings


def _verified(
    column: SealedColumn,
    inventory: Inventory,
    rows: int,
    nulls: int,
    keyring: Keyring,
    findings: Sequence[Finding],
    logs: LogSearch,
) -> Verified:
    keys = tuple(
        KeyCount(scheme.name.lower(), key_id, keyring.keys[key_id].name, keyring.keys[key_id].state, count)
        for (scheme, key_id), count in sorted(inventory.counts.items())
    )
    return Verified(column, rows, nulls, inventory.counts.total(), inventory.failed, keys, tuple(findings), logs)
