"""--in-place: the column keeps its position. One transaction under ACCESS EXCLUSIVE: every value is read, converted and
loaded into a temporary table, then one rewrite of the table looks them up by ctid. For small tables, or a quiet hour.

Killed or stopped before its commit, nothing has happened.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import asyncpg

from proxy.config import Keys
from proxy.crypto import Keyring
from proxy.ops.life import swap as sql
from proxy.ops.life.dependents import Dependents, read_dependents
from proxy.ops.life.fill import Progress, Settings, Writer
from proxy.ops.life.ledger import begin_job, prepare_ledger, record_swap
from proxy.ops.life.online import Result, crew_size, in_turn, in_turn_until_done, take_locks, vacuum
from proxy.ops.life.plan import CannotWork, Plan, new_defaults
from proxy.ops.life.recipe import Crew, Operation
from proxy.ops.life.target import Target
from proxy.sql.naming import quote_ident

if TYPE_CHECKING:
    from proxy.ops.database import Connection


async def run_in_place(
    connection: Connection, plan: Plan, settings: Settings, keys: Keys, keyring: Keyring, *, vacuum_full: bool = False
) -> Result:
    """Does the job of `plan` under a lock. `connection` holds the claim on the tables.

    Raises Stopped, CannotWork, DatabaseError, SealwireError.
    """
    began = time.monotonic()
    await prepare_ledger(connection)
    result = Result(0, 0.0, 0.0, 0.0)
    if plan.phase != "finish":
        with Crew(plan.recipes, keys, keyring, crew_size(plan, settings)) as crew:
            result = await _convert(connection, plan, settings, keyring, crew)
    await in_turn_until_done(connection, plan, settings)
    if vacuum_full:
        await vacuum(connection, plan)
    return Result(result.rows, time.monotonic() - began, result.fill_rate, result.locked)


async def _convert(connection: Connection, plan: Plan, settings: Settings, keyring: Keyring, crew: Crew) -> Result:
    defaults = await new_defaults(connection, plan, keyring)
    outcome = Result(0, 0.0, 0.0, 0.0)

    async def work() -> None:
        nonlocal outcome
        await take_locks(connection, plan)
        began = time.monotonic()
        dependents = await read_dependents(connection, plan.operation, plan.targets, in_place=True)
        if dependents.objections:
            raise CannotWork(dependents.objections)
        rows = 0
        for number, target in enumerate(plan.targets):
            rows += await _stage(connection, plan, number, target, settings, crew)
        filled = time.monotonic()
        settings.report(Progress("rewrite", plan.names[0], rows, rows, 0))
        try:
            for statement in _statements(plan, dependents, defaults):
                await connection.execute(statement)
        except asyncpg.LockNotAvailableError:
            raise
        except asyncpg.PostgresError as error:
            raise CannotWork([f"what hangs on the column cannot be carried: {error}"]) from None
        await begin_job(connection, plan.operation, plan.targets, plan.terms)
        await record_swap(connection, plan, [s for constraint in dependents.constraints for s in constraint.validate()])
        outcome = Result(rows, 0.0, rows / max(filled - began, 1e-3), time.monotonic() - began)

    await in_turn(connection, settings, work)
    return outcome


def _statements(plan: Plan, dependents: Dependents, defaults: dict[str, str]) -> list[str]:
    statements = sql.release(dependents)
    statements += [constraint.drop() for constraint in dependents.checks]
    for index in dependents.indexes:
        if index.constraint is None:
            statements.append(f"DROP INDEX {index.schema}.{quote_ident(index.name)}")
        else:
            statements.append(f"ALTER TABLE {index.table} DROP CONSTRAINT {quote_ident(index.constraint)}")
    for target in plan.targets:
        if target.default is not None:
            statements.append(f"ALTER TABLE {target.table} ALTER COLUMN {target.name} DROP DEFAULT")
    for table in dict.fromkeys(target.table for target in plan.targets):
        statements += sql.retype(plan.operation, [target for target in plan.targets if target.table == table])
    for target in plan.targets:
        if (default := defaults.get(target.column.name)) is not None:
            statements.append(f"ALTER TABLE {target.table} ALTER COLUMN {target.name} SET DEFAULT {default}")
    for index in dependents.indexes:
        statements += [index.new_definition, *index.attach()]
    return statements + sql.restore(dependents)


async def _stage(
    connection: Connection, plan: Plan, number: int, target: Target, settings: Settings, crew: Crew
) -> int:
    """Fills the temporary table of values by ctid. Returns the rows."""
    stage = f"sealwire_values_{target.suffix}"
    base = str(target.column.type) if plan.operation is Operation.UNSEAL else "bytea"
    await connection.execute(f"DROP TABLE IF EXISTS pg_temp.{stage}")
    await connection.execute(f"CREATE TEMPORARY TABLE {stage} (c tid PRIMARY KEY, x xid, v {base})")
    writer = Writer(connection, crew, number, target.table, target.name, target.name, base, target.column.name)
    end = int(await connection.fetchval("SELECT pg_relation_size($1::int8::regclass) / 8192", target.table_oid))
    step = max(1, int(settings.batch * end / target.rows)) if target.rows > 0 else 64
    rows, began = 0, time.monotonic()
    for block in range(0, end, step):
        settings.check_stop()
        where = f"ctid >= '({block},0)' AND ctid < '({block + step},0)' AND {target.name} IS NOT NULL"
        done = await writer.convert(await writer.read(where))

        async def source(data: bytes = done.data) -> AsyncIterator[bytes]:
            yield data

        await connection.copy_to_table(stage, schema_name="pg_temp", source=source(), format="binary")
        rows += done.rows
        rate = rows / max(time.monotonic() - began, 1e-3)
        settings.report(Progress("fill", target.column.name, rows, max(target.rows, 0.0), rate))
    return rows
