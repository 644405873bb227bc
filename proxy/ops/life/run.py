"""One command over live data, from the connection to the result: what `seal`, `unseal` and `reseal` share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from proxy.config import Config, DatabasePolicy, Keys, Policy, Scheme, load_policy
from proxy.crypto import Keyring
from proxy.ops.catalog import read_columns
from proxy.ops.database import DatabaseError, connect
from proxy.ops.life.fill import Settings, prepare_session
from proxy.ops.life.inplace import run_in_place
from proxy.ops.life.ledger import claim_tables
from proxy.ops.life.online import Result, abort, run_online, vacuum
from proxy.ops.life.plan import MOVES, Before, CannotWork, Plan, columns_of, make_plan
from proxy.ops.life.recipe import Operation, keys_of, open_keyring
from proxy.ops.life.rotate import run_rotation

if TYPE_CHECKING:
    from proxy.ops.database import Connection


@dataclass(frozen=True, slots=True)
class Order:
    """What the operator asked for."""

    operation: Operation
    database: str
    columns: tuple[str, ...]
    in_place: bool = False
    vacuum_full: bool = False
    fire_triggers: bool = False
    before: Before | None = None


@asynccontextmanager
async def _opened(config: Config, order: Order, dsn: str) -> AsyncIterator[tuple[Connection, Plan, Keyring, Keys]]:
    """A connection that holds the tables of the order, and the plan."""
    whole = load_policy(config.columns, config.keysets)
    policy = whole.for_database(order.database)
    columns = columns_of(policy, order.columns)
    keys = keys_of(config, columns)
    keyring = open_keyring(keys)
    async with connect(dsn) as connection:
        await prepare_session(connection)
        actual = await connection.fetchval("SELECT pg_catalog.current_database()")
        if actual != order.database:
            raise DatabaseError(f"the connection string leads to database {actual}, not {order.database}")
        await _require_whole_domains(connection, order, policy, keyring)
        plan = await make_plan(
            connection,
            order.operation,
            columns,
            keyring,
            in_place=order.in_place,
            before=order.before,
            fire_triggers=order.fire_triggers,
        )
        yield connection, plan, keyring, keys


async def look(config: Config, order: Order, dsn: str) -> Plan:
    """--dry-run: the plan, with its objections. Changes nothing."""
    async with _opened(config, order, dsn) as (connection, plan, _, _):
        return await _settled(connection, plan)


async def run(
    config: Config, order: Order, settings: Settings, announce: Callable[[Plan], None] = lambda _: None
) -> tuple[Plan, Result | None]:
    """Does what is ordered, or goes on with it; None where the columns are in that state already. `announce` hears the
    plan before its first lock is taken.

    Raises CannotWork (nothing was changed), Stopped and DatabaseError (running it again goes on), SealwireError.
    """
    async with _opened(config, order, settings.dsn) as (connection, plan, keyring, keys):
        if len(plan.targets) < len(plan.recipes):
            raise CannotWork(plan.objections)
        await claim_tables(connection, plan.targets)
        plan = await _planned_again(connection, plan, order, keyring)
        if plan.is_done:
            if order.vacuum_full:
                await vacuum(connection, plan)
            return plan, None
        if plan.objections and plan.phase != "finish":
            raise CannotWork(plan.objections)
        settings = replace(settings, quiet_triggers=plan.quiet_triggers)
        if plan.phase == "fill" and order.in_place:
            raise CannotWork([f"{plan.names[0]}: was begun online; go on without --in-place, or --abort it"])
        plan = await _settled(connection, plan)
        announce(plan)
        if plan.in_rows:
            return plan, await run_rotation(connection, plan, settings, keys, keyring)
        job = run_in_place if order.in_place else run_online
        result = await job(connection, plan, settings, keys, keyring, vacuum_full=order.vacuum_full)
        if order.operation is Operation.RESEAL:
            settle_keys(plan, load_policy(config.columns, config.keysets), keyring)
        return plan, result


def settle_keys(plan: Plan, policy: Policy, keyring: Keyring) -> None:
    """Ends the rotation of the domains of `plan`, whose columns lie under the new key by now. A domain that may have
    columns elsewhere, in another database or in any, goes on waiting: see `sealwire keys settle`."""
    done = {target.column for target in plan.targets}
    for domain in {target.column.domain for target in plan.targets if keyring.waits(target.column)}:
        members = {
            column for column in policy.columns if column.domain == domain and column.scheme is not Scheme.RANDOM
        }
        key = keyring.next_key(domain)
        if key is not None and members <= done and all(column.database != "*" for column in members):
            keyring.pin(domain, key)


async def _require_whole_domains(
    connection: Connection, order: Order, policy: DatabasePolicy, keyring: Keyring
) -> None:
    """Columns that are compared with each other go to another key together. Raises CannotWork."""
    if order.operation is not Operation.RESEAL:
        return
    chosen = [policy.named(name) for name in order.columns]
    moving = {(column.keyset, column.domain) for column in chosen if column is not None and keyring.waits(column)}
    left = [
        column
        for table in policy.tables.values()
        for column in table.values()
        if (column.keyset, column.domain) in moving and column not in chosen and column.scheme is not Scheme.RANDOM
    ]
    facts = await read_columns(connection, left)
    sealed = [name for name, its in facts.items() if its.is_sealed]
    if sealed:
        names, others = ", ".join(order.columns), ", ".join(sealed)
        raise CannotWork([f"{names}: shares its key with {others}; name all of them, they are swapped together"])


async def give_up(config: Config, order: Order, settings: Settings) -> bool:
    """--abort: undoes a job that has not swapped yet. False: there was none."""
    async with _opened(config, order, settings.dsn) as (connection, plan, keyring, _):
        await claim_tables(connection, plan.targets)
        return await abort(connection, await _planned_again(connection, plan, order, keyring), settings)


async def _planned_again(connection: Connection, plan: Plan, order: Order, keyring: Keyring) -> Plan:
    """The plan as it is now that no other command works on the tables."""
    return await make_plan(
        connection,
        order.operation,
        [recipe.column for recipe in plan.recipes],
        keyring,
        in_place=order.in_place,
        before=order.before,
        fire_triggers=order.fire_triggers,
    )


async def _settled(connection: Connection, plan: Plan) -> Plan:
    """The plan, with what only the values tell."""
    if len(plan.targets) < len(plan.recipes) or not await _is_rotation(connection, plan):
        return plan
    return replace(plan, in_rows=True, notes=tuple(note for note in plan.notes if MOVES not in note))


async def _is_rotation(connection: Connection, plan: Plan) -> bool:
    """A column that was and stays random is resealed where it is. One with values of another scheme is not: while it
    was changing, the proxy could not open one half of it."""
    if plan.operation is not Operation.RESEAL or plan.in_place:
        return False
    for target in plan.targets:
        if target.column.scheme is not Scheme.RANDOM:
            return False
        if await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = $1::int8::oid AND attname = $2)",
            target.table_oid,
            target.shadow_name,
        ):
            return False
        query = f"SELECT EXISTS (SELECT FROM {target.table} WHERE get_byte({target.name}, 1) <> {Scheme.RANDOM:d})"  # noqa: S608
        if await connection.fetchval(query):
            return False
    return True
