"""`sealwire reseal`: another key, another search, another type modifier."""

from __future__ import annotations

from typing import Annotated

import typer

from proxy.cli import life
from proxy.cli.options import ConfigFile, Dsn
from proxy.ops.life.plan import Before
from proxy.ops.life.recipe import Operation
from proxy.ops.life.run import Order
from proxy.pgtypes import parse_type


def reseal(
    database: life.Database,
    columns: life.Columns,
    config: ConfigFile,
    dsn: Dsn,
    from_type: Annotated[
        str | None, typer.Option(help="The type under which an ordered column was sealed, where the policy changed it.")
    ] = None,
    from_max_length: Annotated[
        int | None, typer.Option(help="The max_length under which an ordered column was sealed, likewise.")
    ] = None,
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
    """Seal sealed columns anew, under the policy and the keyring as they are now. Safe to stop."""
    try:
        before = Before(None if from_type is None else parse_type(from_type), from_max_length)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--from-type") from None
    order = Order(Operation.RESEAL, database, tuple(columns), in_place, vacuum_full, fire_triggers, before)
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
