"""`sealwire unseal`: the way back; sealed columns become plaintext while applications go on."""

from __future__ import annotations

from proxy.cli import life
from proxy.cli.options import ConfigFile, Dsn
from proxy.ops.life.recipe import Operation
from proxy.ops.life.run import Order


def unseal(
    database: life.Database,
    columns: life.Columns,
    config: ConfigFile,
    dsn: Dsn,
    in_place: life.InPlace = False,
    batch: life.Batch = life.DEFAULT_BATCH,
    max_rate: life.MaxRate = 0,
    jobs: life.Jobs = life.DEFAULT_JOBS,
    dry_run: life.DryRun = False,
    as_json: life.AsJson = False,
    vacuum_full: life.VacuumFull = False,
    fire_triggers: life.FireTriggers = False,
    abort: life.Abort = False,
) -> int:
    """Turn sealed columns back into plaintext of the policy's type. Safe to stop; the same command goes on."""
    order = Order(Operation.UNSEAL, database, tuple(columns), in_place, vacuum_full, fire_triggers)
    return life.do(
        config,
        dsn,
        order,
        batch=batch,
        max_rate=max_rate,
        jobs=jobs,
        dry_run=dry_run,
        as_json=as_json,
        abort=abort,
    )
