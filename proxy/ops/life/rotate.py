"""Resealing a column with search: none where it is: row by row, a compare-and-swap each, without shadow and lock.

No search depends on a random value's key, so old and new may stand beside each other for as long as it takes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from proxy.config import Keys
from proxy.crypto import Keyring, build_header
from proxy.errors import SealwireError
from proxy.ops.life.fill import Pace, Progress, Settings, Writer, fill
from proxy.ops.life.ledger import begin_job, finish_job, prepare_ledger
from proxy.ops.life.online import Result, crew_size, in_turn
from proxy.ops.life.plan import Plan
from proxy.ops.life.recipe import Crew
from proxy.ops.life.target import Target

if TYPE_CHECKING:
    from proxy.ops.database import Connection

_PASSES: Final = 10


async def run_rotation(connection: Connection, plan: Plan, settings: Settings, keys: Keys, keyring: Keyring) -> Result:
    """Seals every value anew that is not under the key and scheme of the policy.

    Passes follow until one finds nothing: proxies that have not reloaded the keyring write under the old key meanwhile.
    Raises Stopped, DatabaseError, and SealwireError where values under the old key keep coming.
    """
    began = time.monotonic()
    await prepare_ledger(connection)
    if plan.phase is None:

        async def record() -> None:
            await begin_job(connection, plan.operation, plan.targets, plan.terms)

        await in_turn(connection, settings, record)
    written = 0
    pace = Pace(settings.max_rate)
    with Crew(plan.recipes, keys, keyring, crew_size(plan, settings)) as crew:
        for number, target in enumerate(plan.targets):
            written += await _rotate(connection, plan, number, target, settings, keyring, crew, pace)
    seconds = time.monotonic() - began
    await finish_job(connection, plan.names, lambda work: in_turn(connection, settings, work))
    return Result(written, seconds, written / max(seconds, 1e-3), 0.0)


async def _rotate(
    connection: Connection,
    plan: Plan,
    number: int,
    target: Target,
    settings: Settings,
    keyring: Keyring,
    crew: Crew,
    pace: Pace,
) -> int:
    column = target.column
    header = build_header(column.scheme, keyring.reseal_key(column)).hex()
    stale = f"substr({target.name}::bytea, 1, 6) <> '\\x{header}'::bytea"
    start = plan.jobs[column.name].high_water if plan.phase == "fill" else 0

    def make(other: Connection) -> Writer:
        return Writer(
            other, crew, number, target.table, target.name, target.name, "bytea", column.name, plan.search_path
        )

    written = 0
    for _ in range(_PASSES):
        written += await fill(
            settings, make, stale, phase="reseal", start_block=start, total=max(target.rows, 0.0), pace=pace
        )
        await connection.execute("UPDATE sealwire.jobs SET high_water = 0 WHERE column_name = $1", column.name)
        start = 0
        settings.report(Progress("look for old keys", column.name, written, 0, 0))
        if not await connection.fetchval(f"SELECT EXISTS (SELECT FROM {target.table} WHERE {stale})"):  # noqa: S608
            return written
    raise SealwireError(
        f"{column.name}: values under another key keep coming, or rows stay locked: reload every proxy, then run the"
        " same command again"
    )
