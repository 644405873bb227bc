"""`sealwire check`: the policy held against the live database, as a table or as JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from proxy.cli.options import ConfigFile, Dsn, read_config
from proxy.config import Config, SealedColumn, load_policy
from proxy.crypto import Keyrings
from proxy.ops.check import ColumnReport, Finding, Open, Report
from proxy.ops.check import check as run_check
from proxy.ops.database import connect

_WIDTH = 160  # of the table where standard output is not a terminal


def check(
    config: ConfigFile,
    dsn: Dsn,
    samples: Annotated[int, typer.Option(min=0, help="Values to open in each column; 0 needs no keys.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> int:
    """Hold the policy against the live database. Exit code 0: clean, 1: findings, 2: could not look."""
    report = asyncio.run(_look(read_config(config), dsn, samples))
    if as_json:
        typer.echo(json.dumps(as_data(report), indent=2))
    else:
        print_report(report)
    return 1 if report.findings else 0


async def _look(config: Config, dsn: str, samples: int) -> Report:
    policy = load_policy(config.columns, config.keysets)
    opener = _opener(config) if samples else _no_keys
    async with connect(dsn) as connection:
        database = await connection.fetchval("SELECT pg_catalog.current_database()")
        return await run_check(connection, policy.for_database(database), opener, samples=samples)


def _opener(config: Config) -> Callable[[SealedColumn], Open]:
    keyrings = Keyrings.load(config)
    return lambda column: keyrings.sealer(column).open


def _no_keys(column: SealedColumn) -> Open:
    raise AssertionError(f"no value of {column.name} is opened without samples")


def print_report(report: Report) -> None:
    """One table of all columns, then the findings, each with its way out."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH)
    if not report.columns and not report.unlisted:
        console.print(Text(f"No column of database {report.database} is in the policy, and none is sealed."))
        return
    table = Table(title=Text(f"Policy of database {report.database}"), title_justify="left")
    for heading in ("Column", "Type", "Search", "State", "Opened", "Findings"):
        table.add_column(heading, justify="right" if heading in ("Opened", "Findings") else "left", overflow="fold")
    for entry in report.columns:
        table.add_row(*(Text(cell) for cell in _row(entry)))
    console.print(table)
    for finding in report.findings:
        console.print(Text.assemble((finding.column, "bold"), f": {finding.message}"), soft_wrap=True)
        console.print(Text(f"    hint: {finding.hint}"), soft_wrap=True)
    count = len(report.findings)
    console.print(Text(f"{count} finding{'s' if count > 1 else ''}." if count else "No findings."))


def _row(entry: ColumnReport) -> tuple[str, ...]:
    opened = f"{entry.opened}/{entry.sampled}" if entry.sampled else "-"
    column = entry.column
    return (column.name, str(column.type), column.search, entry.state, opened, str(len(entry.findings) or "-"))


def as_data(report: Report) -> dict[str, Any]:
    """The report for machines; the shape is documented in docs/configuration.md."""
    return {
        "database": report.database,
        "columns": [
            {
                "column": entry.column.name,
                "type": str(entry.column.type),
                "search": entry.column.search,
                "state": entry.state,
                "sampled": entry.sampled,
                "opened": entry.opened,
                "findings": [_finding(finding) for finding in entry.findings],
            }
            for entry in report.columns
        ],
        "unlisted": [_finding(finding) for finding in report.unlisted],
        "findings": len(report.findings),
    }


def _finding(finding: Finding) -> dict[str, str]:
    return {"column": finding.column, "message": finding.message, "hint": finding.hint}
