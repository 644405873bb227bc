"""A job on a table in use: shadow column, triggers that mark what changes, batches, indexes, then a short lock.

At every moment the column is either as it was or all new: the swap is one transaction, and it begins by converting the
last rows under its lock. Killed before the swap, the job goes on where it was; killed after it, only validations
are left.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import asyncpg

from proxy.config import Keys, Scheme
from proxy.crypto import Keyring
from proxy.ops.database import DatabaseError
from proxy.ops.life import swap as sql
from proxy.ops.life.dependents import Dependents, read_dependents
from proxy.ops.life.fill import ROW_WAIT, Pace, Progress, Settings, Writer, catch_up, fill, writer_for
from proxy.ops.life.ledger import begin_job, finish_job, forget_job, prepare_ledger, read_jobs, record_swap
from proxy.ops.life.plan import CannotWork, Plan, new_defaults, qualified
from proxy.ops.life.recipe import Crew

if TYPE_CHECKING:
    from proxy.ops.database import Connection

LOCK_WAIT: Final = "300ms"
"""How long writers may have to queue behind a lock that the job does not get."""
_VACUUM_WAIT: Final = "30s"
_GIVE_UP_AFTER: Final = 900.0
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 5.0
_UNDER_LOCK: Final = 2_000
"""Rows that may be left when the lock is there; more, and it is let go to catch up first."""
_SMALL: Final = 20_000
"""Rows below which worker processes take longer to start than they save."""
_FED_BY_ONE: Final = 2


@dataclass(frozen=True, slots=True)
class Result:
    """What a job did. `locked` is how long the swap kept others out, in seconds."""

    rows: int
    seconds: float
    fill_rate: float
    """Rows a second while the table was being filled; 0 where it was full."""
    locked: float


class _Again(Exception):
    """The lock was there, but too much was left to do under it."""


async def run_online(
    connection: Connection, plan: Plan, settings: Settings, keys: Keys, keyring: Keyring, *, vacuum_full: bool = False
) -> Result:
    """Does the job of `plan`, or what is left of it. `connection` holds the claim on the tables.

    Raises Stopped, CannotWork, DatabaseError, SealwireError; whatever happens, running it again goes on.
    """
    began = time.monotonic()
    written, rate, locked = 0, 0.0, 0.0
    await prepare_ledger(connection)
    if plan.phase != "finish":
        if plan.phase is None:
            await _install(connection, plan, settings, keyring)
        with Crew(plan.recipes, keys, keyring, crew_size(plan, settings)) as crew:
            written, rate, locked = await _convert(connection, plan, settings, keyring, crew)
    await in_turn_until_done(connection, plan, settings)
    if vacuum_full:
        await vacuum(connection, plan)
    return Result(written, time.monotonic() - began, rate, locked)


def crew_size(plan: Plan, settings: Settings) -> int:
    """Processes for the conversion; 1 is this one.

    An order prefix costs so much that each connection keeps a process busy. The other schemes take some 6 microseconds
    a value: one process feeds two connections, and starting others would take longer than it saves.
    """
    ordered = any(Scheme.ORDER in (recipe.column.scheme, recipe.before.scheme) for recipe in plan.recipes)
    is_small = sum(max(target.rows, 0.0) for target in plan.targets) < _SMALL
    return settings.jobs if not is_small and (ordered or settings.jobs > _FED_BY_ONE) else 1


async def in_turn_until_done(connection: Connection, plan: Plan, settings: Settings) -> None:
    settings.report(Progress("finish", plan.names[0], 0, 0, 0))
    await finish_job(connection, plan.names, lambda work: in_turn(connection, settings, work))


async def in_turn(connection: Connection, settings: Settings, work: Callable[[], Awaitable[None]]) -> None:
    """`work` in a transaction that gets its locks at once or lets those go that it has, and tries again later.

    Raises DatabaseError when it does not get them for 15 minutes.
    """
    pause, deadline = _FIRST_PAUSE, time.monotonic() + _GIVE_UP_AFTER
    while True:
        settings.check_stop()
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")
                await work()
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            if time.monotonic() > deadline:
                raise DatabaseError(
                    "a long transaction keeps the table's lock; end it and run the same command again to go on"
                ) from None
        else:
            return
        settings.report(Progress("wait for lock", "", 0, 0, 0))
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


async def take_locks(connection: Connection, plan: Plan) -> None:
    """ACCESS EXCLUSIVE on the job's tables, in the transaction of `in_turn`.

    A vacuum lets go only for one who waits longer than LOCK_WAIT. So the mode that vacuums hold and applications never
    ask for comes first: waiting for it keeps no writer waiting.
    """
    tables = ", ".join(sorted({target.table for target in plan.targets}))
    await connection.execute(f"SET LOCAL lock_timeout = '{_VACUUM_WAIT}'")
    await connection.execute(f"LOCK TABLE {tables} IN SHARE UPDATE EXCLUSIVE MODE")
    await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")
    await connection.execute(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")


async def domain_check(connection: Connection) -> str:
    """The domain's own constraint, as ALTER DOMAIN takes it. Raises CannotWork where somebody took it away."""
    found = await connection.fetchval(
        "SELECT pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint"
        " WHERE contypid = 'sealwire.sealed'::regtype AND conname = 'sealed_header'"
    )
    if found is None:
        raise CannotWork(["the type sealwire.sealed has lost its constraint sealed_header, which keeps plaintext out"])
    return str(found)


async def _execute(connection: Connection, statements: list[str]) -> None:
    for statement in statements:
        await connection.execute(statement)


async def _install(connection: Connection, plan: Plan, settings: Settings, keyring: Keyring) -> None:
    defaults = await new_defaults(connection, plan, keyring)

    async def work() -> None:
        # Two commands that replace the domain's constraint at once take turns, as `sealwire init` does.
        await connection.execute("SELECT pg_catalog.pg_advisory_xact_lock($1)", 0x5EA1_0001)
        await take_locks(connection, plan)
        await _execute(connection, sql.install(plan.operation, plan.targets, await domain_check(connection)))
        await begin_job(connection, plan.operation, plan.targets, plan.terms)
        rehearsal = connection.transaction()
        await rehearsal.start()
        try:
            await _execute(
                connection, sql.swap(plan.operation, plan.targets, plan.dependents, defaults, rehearsal=True)
            )
            await rehearsal.rollback()
        except asyncpg.LockNotAvailableError:
            raise
        except asyncpg.PostgresError as error:
            raise CannotWork([f"what hangs on the column cannot be carried: {error}"]) from None

    await in_turn(connection, settings, work)


async def _convert(
    connection: Connection, plan: Plan, settings: Settings, keyring: Keyring, crew: Crew
) -> tuple[int, float, float]:
    """(rows written, rows a second while filling, seconds under the lock)."""
    pace = Pace(settings.max_rate)
    known = await read_jobs(connection)
    written, began = 0, time.monotonic()
    for number, target in enumerate(plan.targets):

        def make(other: Connection, number: int = number) -> Writer:
            return writer_for(other, crew, number, plan.targets[number], plan.operation, plan.search_path)

        written += await fill(
            settings,
            make,
            target.todo,
            phase="fill",
            start_block=known[target.column.name].high_water,
            total=max(target.rows, 0.0),
            pace=pace,
        )
    rate = written / max(time.monotonic() - began, 1e-3) if written else 0.0
    await connection.execute("SET enable_seqscan = off")
    if plan.quiet_triggers:
        await connection.execute("SET session_replication_role = replica")
    writers = [
        writer_for(connection, crew, number, target, plan.operation, plan.search_path)
        for number, target in enumerate(plan.targets)
    ]
    for writer in writers:
        await writer.open()
    while True:
        dependents = await _judge_again(connection, plan)
        await _build_indexes(connection, plan, dependents, settings)
        for writer, target in zip(writers, plan.targets, strict=True):
            written += await catch_up(settings, writer, target.todo, pace)
        try:
            rows, locked = await _swap(connection, plan, dependents, settings, keyring, writers)
        except _Again:
            continue
        if plan.quiet_triggers:
            await connection.execute("RESET session_replication_role")
        return written + rows, rate, locked


async def _judge_again(connection: Connection, plan: Plan) -> Dependents:
    dependents = await read_dependents(connection, plan.operation, plan.targets, in_place=False)
    if dependents.objections:
        raise CannotWork(dependents.objections)
    return dependents


async def _build_indexes(connection: Connection, plan: Plan, dependents: Dependents, settings: Settings) -> None:
    """CREATE INDEX CONCURRENTLY of all that are not there yet; what a killed command left half built goes first."""
    wanted = [(target.todo_index, target, sql.todo_index(target)) for target in plan.targets]
    by_table = {target.table: target for target in plan.targets}
    wanted += [(index.new_name, by_table[index.table], index.new_definition) for index in dependents.indexes]
    built = False
    for name, target, definition in wanted:
        valid = await connection.fetchval(
            "SELECT i.indisvalid FROM pg_catalog.pg_index i WHERE i.indexrelid = pg_catalog.to_regclass($1)",
            qualified(target, name),
        )
        if valid:
            continue
        settings.report(Progress(f"build index {name}", target.column.name, 0, 0, 0))
        await connection.execute("SET lock_timeout = 0")
        if valid is not None:
            await interruptible(connection.execute(f"DROP INDEX CONCURRENTLY {qualified(target, name)}"), settings)
        await interruptible(connection.execute(definition), settings)
        await connection.execute(f"SET lock_timeout = '{ROW_WAIT}'")
        built = True
    if built:
        await connection.execute("SET lock_timeout = 0")
        for target in plan.targets:
            settings.report(Progress("analyze", target.column.name, 0, 0, 0))
            await interruptible(connection.execute(f"ANALYZE {target.table} ({target.shadow})"), settings)
        await connection.execute(f"SET lock_timeout = '{ROW_WAIT}'")


async def interruptible(work: Awaitable[object], settings: Settings) -> None:
    """Awaits a long statement; SIGINT cancels it on the server. Raises Stopped."""
    task = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(settings.stop.wait())
    try:
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))
            settings.check_stop()
        await task
    finally:
        stopped.cancel()


async def _swap(
    connection: Connection,
    plan: Plan,
    dependents: Dependents,
    settings: Settings,
    keyring: Keyring,
    writers: list[Writer],
) -> tuple[int, float]:
    """(rows written under the lock, seconds under it). Raises _Again where too many are left."""
    defaults = await new_defaults(connection, plan, keyring)
    version = int(await connection.fetchval("SELECT pg_catalog.current_setting('server_version_num')"))
    outcome = (0, 0.0)

    async def work() -> None:
        nonlocal outcome
        rows = 0
        await take_locks(connection, plan)
        began = time.monotonic()
        for writer, target in zip(writers, plan.targets, strict=True):
            read, wrote, _ = await writer.batch(f"{target.todo} LIMIT {_UNDER_LOCK + 1}")
            if read > _UNDER_LOCK or wrote != read:
                raise _Again
            rows += wrote
        # Nobody can have changed what hangs on the columns since the lock; before it, somebody can.
        if await read_dependents(connection, plan.operation, plan.targets, in_place=False) != dependents:
            raise _Again
        for target in plan.targets:
            left = await connection.fetchval(f"SELECT EXISTS (SELECT FROM {target.table} WHERE {target.todo})")  # noqa: S608
            if left:
                raise _Again
        await _execute(connection, sql.swap(plan.operation, plan.targets, dependents, defaults))
        await record_swap(connection, plan, sql.later(plan.targets, dependents, version))
        outcome = rows, time.monotonic() - began

    settings.report(Progress("swap", plan.names[0], 0, 0, 0))
    await in_turn(connection, settings, work)
    return outcome


async def abort(connection: Connection, plan: Plan, settings: Settings) -> bool:
    """Gives a job up that has not swapped yet: shadow, triggers and indexes go. False: there was none."""
    if plan.phase != "fill":
        return False

    async def work() -> None:
        await take_locks(connection, plan)
        await _execute(connection, sql.give_up(plan.targets))
        await forget_job(connection, plan.names)

    await in_turn(connection, settings, work)
    return True


async def vacuum(connection: Connection, plan: Plan) -> None:
    """VACUUM FULL of the tables, which also makes dropped columns' values go. Keeps everybody out meanwhile."""
    await connection.execute("SET lock_timeout = 0")
    for table in sorted({target.table for target in plan.targets}):
        await connection.execute(f"VACUUM (FULL, ANALYZE) {table}")
