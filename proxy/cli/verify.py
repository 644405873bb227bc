"""`sealwire verify`: every sealed value read and opened, with an inventory of keys, as a table or as JSON."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from proxy.cli.life import DEFAULT_BATCH, DEFAULT_JOBS, Display, Jobs, MaxRate
from proxy.cli.options import ConfigFile, Dsn, read_config
from proxy.config import Config, load_policy
from proxy.ops.database import connect
from proxy.ops.life.fill import Report
from proxy.ops.life.plan import columns_of
from proxy.ops.life.recipe import keys_of, open_keyring
from proxy.ops.verify import Verified
from proxy.ops.verify import verify as run_verify

_WIDTH: Final = 160  # of the table where standard output is not a terminal


def verify(
    config: ConfigFile,
    dsn: Dsn,
    columns: Annotated[
        list[str] | None,
        typer.Argument(help="schema.table.column; none: all of the policy.", metavar="COLUMN..."),
    ] = None,
    jobs: Jobs = DEFAULT_JOBS,
    batch: Annotated[int, typer.Option(min=1, max=1_000_000, help="Rows read at a time, about.")] = DEFAULT_BATCH,
    max_rate: MaxRate = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the inventory as JSON.")] = False,
) -> int:
    """Read and open every sealed value, under ACCESS SHARE. Exit code 0: all well, 1: findings, 2: could not look."""
    loaded = read_config(config)
    if as_json:
        found = asyncio.run(_look(loaded, dsn, columns or [], jobs, batch, max_rate, lambda _: None))
    else:
        with Display(as_json=False) as display:
            found = asyncio.run(_look(loaded, dsn, columns or [], jobs, batch, max_rate, display.show))
    if as_json:
        typer.echo(json.dumps([as_data(one) for one in found], indent=2))
    else:
        print_inventory(found)
    return 1 if any(one.findings for one in found) else 0


async def _look(
    config: Config, dsn: str, names: list[str], jobs: int, batch: int, max_rate: float, report: Report
) -> list[Verified]:
    async with connect(dsn) as connection:
        database = await connection.fetchval("SELECT pg_catalog.current_database()")
    policy = load_policy(config.columns, config.keysets).for_database(database)
    listed = [column for table in policy.tables.values() for column in table.values()]
    columns = columns_of(policy, names) if names else listed
    keys = keys_of(config, columns)
    return await run_verify(
        dsn, columns, keys, open_keyring(keys), jobs=jobs, batch=batch, max_rate=max_rate, report=report
    )


def print_inventory(found: list[Verified]) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH)
    table = Table(title=Text("Sealed values"), title_justify="left")
    for heading in ("Column", "Search", "Rows", "NULL", "Opened", "Failed", "Keys"):
        right = heading in ("Rows", "NULL", "Opened", "Failed")
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for one in found:
        keys = "\n".join(f"{key.key_id} {key.key_name} ({key.state}), {key.scheme}: {key.values:,}" for key in one.keys)
        numbers = (f"{number:,}" for number in (one.rows, one.nulls, one.opened, one.failed))
        table.add_row(*(Text(cell) for cell in (one.column.name, one.column.search, *numbers, keys or "-")))
    console.print(table)
    for finding in (finding for one in found for finding in one.findings):
        console.print(Text.assemble((finding.column, "bold"), f": {finding.message}"), soft_wrap=True)
        console.print(Text(f"    hint: {finding.hint}"), soft_wrap=True)
    for line in what_logs(found):
        console.print(Text(line), soft_wrap=True)
    count = sum(len(one.findings) for one in found)
    console.print(Text(f"{count} finding{'s' if count > 1 else ''}." if count else "No findings."))


def what_logs(found: list[Verified]) -> list[str]:
    """Which logs were searched, and which not and why."""
    if not found:
        return []
    logs = found[0].logs
    values = sum(logs.looked_for.values())
    lines = [f"Searched for {values:,} values: {', '.join(logs.searched)}"] if logs.searched and values else []
    kinds = sorted({str(one.column.type) for one in found if one.column.name not in logs.looked_for})
    if kinds:
        lines.append(f"Not looked for in logs: values of type {', '.join(kinds)}")
    return [*lines, *(f"Not searched: {reason}" for reason in logs.not_searched)]


def as_data(one: Verified) -> dict[str, Any]:
    """For machines; the shape is documented in docs/column-life.md."""
    return {
        "column": one.column.name,
        "type": str(one.column.type),
        "search": one.column.search,
        "rows": one.rows,
        "nulls": one.nulls,
        "opened": one.opened,
        "failed": one.failed,
        "keys": [
            {"id": key.key_id, "name": key.key_name, "state": key.state, "scheme": key.scheme, "values": key.values}
            for key in one.keys
        ],
        "findings": [{"message": finding.message, "hint": finding.hint} for finding in one.findings],
        "logs": {
            "values": one.logs.looked_for.get(one.column.name, 0),
            "searched": one.logs.searched,
            "not_searched": one.logs.not_searched,
        },
    }
