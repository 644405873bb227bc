"""`sealwire scan`: what in a database should be sealed, as a table, as JSON, and as a proposed columns.yaml."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from proxy.cli.options import Dsn
from proxy.config import load_policy
from proxy.errors import ConfigError
from proxy.ops.database import connect
from proxy.ops.scan import ScanReport
from proxy.ops.scan import scan as run_scan
from proxy.ops.scan_policy import SEARCH, as_policy

_WIDTH = 160  # of the table where standard output is not a terminal


def scan(
    dsn: Dsn,
    sample: Annotated[
        int, typer.Option(min=0, max=100_000, help="Rows to look at in each table; 0: names only.")
    ] = 500,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Connections, each for a table at a time.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    write: Annotated[
        Path | None,
        typer.Option("--write", help="Write a proposed columns.yaml, which must not exist.", metavar="FILE"),
    ] = None,
) -> int:
    """Find the columns that should be sealed. Reads only, and shows no value."""
    report = asyncio.run(_look(dsn, sample, jobs))
    if write is not None:
        _write(write, report)
    if as_json:
        typer.echo(json.dumps(as_data(report), indent=2))
    else:
        print_report(report)
        if write is not None:
            typer.echo(f"{write}: written. Look through it, then: sealwire check")
    return 0


async def _look(dsn: str, sample: int, jobs: int) -> ScanReport:
    async with contextlib.AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(connect(dsn)) for _ in range(jobs)]
        return await run_scan(connections[0], sample=sample, others=connections[1:])


def _write(path: Path, report: ScanReport) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(as_policy(report))
    except FileExistsError:
        raise ConfigError("exists already and is not overwritten", path=path) from None
    load_policy(path)


def print_report(report: ScanReport) -> None:
    """One table of what was found, the likeliest reasons beside it."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH)
    if report.proposals:
        table = Table(title=Text(f"Database {report.database}"), title_justify="left")
        for heading in ("Column", "Type", "Holds", "Sure", "Because", "Search"):
            table.add_column(heading, overflow="fold", justify="right" if heading == "Sure" else "left")
        for found in report.proposals:
            place, detection = ".".join(found.column.place), found.detection
            because = "; ".join([*detection.reasons, *([found.obstacle] if found.obstacle else [])])
            cells = (place, found.column.format_type, detection.kind, f"{detection.confidence:.0%}", because)
            table.add_row(*(Text(cell) for cell in (*cells, SEARCH[found.search])))
        console.print(table)
    for name, reason in report.unread:
        console.print(Text(f"{name}: its values could not be read, only names were judged: {reason}"), soft_wrap=True)
    console.print(Text(f"{len(report.proposals)} of {report.columns} columns should be sealed."))


def as_data(report: ScanReport) -> dict[str, Any]:
    """The report for machines; the shape is documented in docs/configuration.md."""
    return {
        "database": report.database,
        "columns": report.columns,
        "found": [
            {
                "column": ".".join(found.column.place),
                "type": found.column.format_type,
                "kind": found.detection.kind,
                "confidence": round(found.detection.confidence, 2),
                "reasons": list(found.detection.reasons),
                "search": SEARCH[found.search],
                "search_reason": found.search_reason,
                "join": found.join,
                "obstacle": found.obstacle,
            }
            for found in report.proposals
        ],
        "unread": [{"table": name, "reason": reason} for name, reason in report.unread],
    }
