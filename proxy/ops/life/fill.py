"""Batches: read rows that have no value in the shadow yet, convert them, write them back unless they changed meanwhile.

A job never makes an application wait for longer than one batch's UPDATE, and never waits long for one itself: a row
that somebody holds is left for later. So it cannot be part of a deadlock either (deadlock_timeout is longer than its
own lock_timeout).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import asyncpg

from proxy.errors import SealwireError
from proxy.ops.database import connect
from proxy.ops.life.ledger import set_high_water
from proxy.ops.life.recipe import Crew, Operation
from proxy.ops.life.rows import Converted
from proxy.ops.life.target import Target

if TYPE_CHECKING:
    from proxy.ops.database import Connection

BATCH: Final = 5_000
ROW_WAIT: Final = "50ms"
"""How long a job waits for a row that somebody else has locked before it goes on without it."""
_BATCH_BYTES: Final = 8 * 1024 * 1024
_HOLD: Final = 0.1
"""Seconds for which a batch should hold its rows at most: who writes one of them waits that long."""
_MAX_BLOCKS: Final = 1 << 16
_SAVE_EVERY: Final = 1.0
_FEW: Final = 200
"""Rows left that are few enough to be done under the lock of the swap."""
_CATCH_UP_PAUSE: Final = 0.1


_SET_SEARCH_PATH: Final = "SELECT pg_catalog.set_config('search_path', $1, true)"


class Stopped(SealwireError):
    """SIGINT: everything done so far is safe, and the same command goes on."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a job says of itself."""

    phase: str
    column: str
    rows: int
    """Written so far by this run."""
    total: float
    """Estimate; 0 where there is none."""
    rate: float
    """Rows a second since this phase began."""


Report = Callable[[Progress], None]


@dataclass(slots=True)
class Pace:
    """Holds all workers of a job to `rate` rows a second; 0 is no limit."""

    rate: float
    _next: float = 0.0

    async def wait(self, rows: int) -> None:
        if not self.rate:
            return
        now = time.monotonic()
        self._next = max(self._next, now) + rows / self.rate
        if self._next > now:
            await asyncio.sleep(self._next - now)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a job runs; the same for all its columns."""

    dsn: str
    batch: int = BATCH
    max_rate: float = 0.0
    jobs: int = 1
    quiet_triggers: bool = False
    """Write under session_replication_role = replica, so that the table's own triggers do not fire."""
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    report: Report = lambda _: None

    def check_stop(self) -> None:
        if self.stop.is_set():
            raise Stopped("stopped; nothing is lost, and the same command goes on")


async def prepare_session(connection: Connection, *, quiet_triggers: bool = False) -> None:
    """What every connection of a job is set to."""
    for name, value in (
        ("search_path", "pg_catalog"),
        ("row_security", "off"),
        ("standard_conforming_strings", "on"),
        ("statement_timeout", "0"),
        ("idle_in_transaction_session_timeout", "0"),
        ("client_connection_check_interval", "2s"),
        ("lock_timeout", ROW_WAIT),
        # The rows of a batch are found by their ctids, whatever the planner believes about temporary tables.
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("enable_material", "off"),
    ):
        await connection.execute("SELECT pg_catalog.set_config($1, $2, false)", name, value)
    if quiet_triggers:
        await connection.execute("SET session_replication_role = replica")


@dataclass(slots=True)
class Writer:
    """One connection that moves rows of one column from `source` to `shadow` (SQL names; the same for `rotate`)."""

    connection: Connection
    crew: Crew
    number: int
    """Of the column's recipe."""
    table: str
    source: str
    shadow: str
    stage_type: str
    column: str
    search_path: str | None = None
    """Of whoever wrote the table's triggers; None where they do not fire."""
    held: float = 0.0
    """Seconds for which the last batch held its rows."""

    @property
    def _stage(self) -> str:
        return f"sealwire_stage_{self.number}"

    async def open(self) -> None:
        """The temporary table that a batch passes through; it is empty outside of a transaction."""
        await self.connection.execute(f"DROP TABLE IF EXISTS pg_temp.{self._stage}")
        await self.connection.execute(
            f"CREATE TEMPORARY TABLE {self._stage} (c tid, x xid, v {self.stage_type}) ON COMMIT DELETE ROWS"
        )
        if self.stage_type == "bytea":  # ciphertext does not compress
            await self.connection.execute(f"ALTER TABLE pg_temp.{self._stage} ALTER v SET STORAGE EXTERNAL")

    async def read(self, condition: str) -> bytes:
        """Rows that meet `condition` (SQL), as COPY's binary format."""
        pieces: list[bytes] = []

        async def take(chunk: bytes) -> None:
            pieces.append(bytes(chunk))

        await self.connection.copy_from_query(
            f"SELECT ctid, xmin, {self.source} FROM {self.table} WHERE {condition}",  # noqa: S608
            output=take,
            format="binary",
        )
        return b"".join(pieces)

    async def convert(self, data: bytes) -> Converted:
        """Raises SealwireError naming the first row whose value cannot be converted."""
        done = await self.crew.convert(self.number, data)
        if done.failures:
            first = done.failures[0]
            raise SealwireError(
                f"{self.column}: {len(done.failures)} of {done.rows + len(done.failures)} values cannot be converted;"
                f" the first, in row {first.place}: {first.reason}"
            )
        return done

    async def batch(self, condition: str) -> tuple[int, int, int]:
        """(rows read, rows written, bytes) of those that meet `condition`. Rows that changed meanwhile, or that
        somebody holds, are not written. Raises SealwireError naming the first row that cannot be converted."""
        data = await self.read(condition)
        done = await self.convert(data)
        if not done.rows:
            return 0, 0, len(data)
        return done.rows, await self.write(done.data), len(data)

    async def try_batch(self, condition: str) -> tuple[int, int, int] | None:
        """`batch`; None: somebody held the table, or a part of it, for longer than ROW_WAIT."""
        try:
            return await self.batch(condition)
        except asyncpg.LockNotAvailableError:
            return None

    async def write(self, data: bytes) -> int:
        """Rows written. Inside a transaction of the caller's it waits for locks as that says."""
        if self.connection.is_in_transaction():
            return await self._update(data, skip_locked=False)
        began = time.monotonic()
        try:
            async with self.connection.transaction():
                return await self._update(data, skip_locked=False)
        except asyncpg.LockNotAvailableError:
            async with self.connection.transaction():
                return await self._update(data, skip_locked=True)
        finally:
            self.held = time.monotonic() - began

    async def _update(self, data: bytes, *, skip_locked: bool) -> int:
        async def source() -> AsyncIterator[bytes]:
            yield data

        await self.connection.copy_to_table(self._stage, schema_name="pg_temp", source=source(), format="binary")
        if self.search_path is None:
            return await self._swap_in(skip_locked=skip_locked)
        await self.connection.execute(_SET_SEARCH_PATH, self.search_path)
        written = await self._swap_in(skip_locked=skip_locked)
        await self.connection.execute(_SET_SEARCH_PATH, "pg_catalog")
        return written

    async def _swap_in(self, *, skip_locked: bool) -> int:
        if skip_locked:
            tag = await self.connection.execute(
                f"WITH free AS MATERIALIZED (SELECT t.ctid AS c, s.v FROM pg_temp.{self._stage} s"  # noqa: S608
                f" JOIN {self.table} t ON t.ctid = s.c AND t.xmin = s.x FOR UPDATE OF t SKIP LOCKED)"
                f" UPDATE {self.table} t SET {self.shadow} = free.v FROM free WHERE t.ctid = free.c"
            )
        else:
            tag = await self.connection.execute(
                f"UPDATE {self.table} t SET {self.shadow} = s.v FROM pg_temp.{self._stage} s"  # noqa: S608
                f" WHERE t.ctid = s.c AND t.xmin = s.x"
            )
        return int(tag.rpartition(" ")[2])


@dataclass(slots=True)
class _Blocks:
    """Hands out ranges of a table's blocks and knows below which block all are done."""

    next: int
    end: int
    size: float
    """Blocks in the next range: what held `batch` rows lately."""
    batch: int
    active: set[int] = field(default_factory=set)

    def take(self) -> tuple[int, int] | None:
        if self.next >= self.end:
            return None
        start = self.next
        self.next = min(self.end, start + max(1, int(self.size)))
        self.active.add(start)
        return start, self.next

    def give_back(self, start: int, stop: int, rows: int, size: int, held: float) -> None:
        """`held`: seconds for which the batch of `rows` rows and `size` bytes held them."""
        self.active.discard(start)
        factor = min(self.batch / max(rows, 1), _BATCH_BYTES / max(size, 1), _HOLD / max(held, 1e-3), 2.0)
        self.size = min(max((stop - start) * factor, 1.0), _MAX_BLOCKS)

    @property
    def done_below(self) -> int:
        return min(self.active, default=self.next)


def writer_for(
    connection: Connection,
    crew: Crew,
    number: int,
    target: Target,
    operation: Operation,
    search_path: str | None,
) -> Writer:
    """The writer of a job with a shadow."""
    stage = str(target.column.type) if operation is Operation.UNSEAL else "bytea"
    return Writer(
        connection, crew, number, target.table, target.name, target.shadow, stage, target.column.name, search_path
    )


async def fill(
    settings: Settings,
    make_writer: Callable[[Connection], Writer],
    condition: str,
    *,
    phase: str,
    start_block: int,
    total: float,
    pace: Pace,
) -> int:
    """One pass over the table, `settings.jobs` connections at a time: every row that was there when it began and meets
    `condition` is converted, but for those that somebody changed or held. Returns the rows written.

    Progress is saved under the writer's column. Raises Stopped after the batches that were running.
    """
    began = time.monotonic()
    written = 0
    async with connect(settings.dsn) as first:
        probe = make_writer(first)
        relation = probe.table
        end = int(await first.fetchval("SELECT pg_catalog.pg_relation_size($1::text::regclass) / 8192", relation))
        whole = int(await first.fetchval("SELECT pg_catalog.pg_table_size($1::text::regclass)", relation))
    guess = settings.batch * end / total if total > 0 else 16.0
    per_block = whole / max(end, 1)
    blocks = _Blocks(start_block, end, max(1.0, min(guess, _BATCH_BYTES / max(per_block, 1.0))), settings.batch)
    saved = began

    async def work() -> None:
        nonlocal written, saved
        async with connect(settings.dsn) as connection:
            await prepare_session(connection, quiet_triggers=settings.quiet_triggers)
            writer = make_writer(connection)
            await writer.open()
            while not settings.stop.is_set() and (span := blocks.take()) is not None:
                where = f"ctid >= '({span[0]},0)' AND ctid < '({span[1]},0)' AND {condition}"
                read, wrote, size = await writer.try_batch(where) or (settings.batch, 0, 0)
                blocks.give_back(*span, read, size, writer.held)
                written += wrote
                now = time.monotonic()
                settings.report(Progress(phase, writer.column, written, total, written / max(now - began, 1e-3)))
                if now - saved >= _SAVE_EVERY:
                    saved = now
                    with contextlib.suppress(asyncpg.LockNotAvailableError):  # another worker is saving its own
                        await set_high_water(connection, writer.column, blocks.done_below)
                await pace.wait(read)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(settings.jobs):
                group.create_task(work())
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    settings.check_stop()
    return written


async def catch_up(settings: Settings, writer: Writer, condition: str, pace: Pace) -> int:
    """Converts what changed meanwhile, until few rows are left. Returns the rows written."""
    began = time.monotonic()
    written, batch = 0, settings.batch
    while True:
        settings.check_stop()
        read, wrote, _ = await writer.try_batch(f"{condition} LIMIT {batch}") or (batch, 0, 0)
        written += wrote
        batch = max(_FEW + 1, min(settings.batch, int(batch * min(_HOLD / max(writer.held, 1e-3), 2.0))))
        now = time.monotonic()
        settings.report(Progress("catch up", writer.column, written, 0, written / max(now - began, 1e-3)))
        if read <= _FEW:
            return written
        if wrote < read:
            await asyncio.sleep(_CATCH_UP_PAUSE)
        await pace.wait(read)
