"""`sealwire explain`: what would be sent for a statement, what is sealed and opened, or why it is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import chain, zip_longest
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from proxy.cli.options import ConfigFile, Dsn, read_config
from proxy.config import Config, load_policy
from proxy.errors import Refused
from proxy.ops.database import connect
from proxy.ops.explain import explain as run_explain
from proxy.sql.plan import Failure, Opening, Plan, Sealing, Statement

_WIDTH = 160  # of the tables where standard output is not a terminal


def explain(
    config: ConfigFile,
    dsn: Dsn,
    statement: Annotated[str, typer.Argument(help="One SQL statement, or several.", metavar="SQL")],
) -> int:
    """Show what would be sent for a statement, what is sealed and opened, or why it is refused. Executes nothing.

    Exit code 0: it would be sent, 1: it is refused, 2: could not look.
    """
    found = asyncio.run(_look(read_config(config), dsn, statement))
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH)
    for one in found:
        if isinstance(one, Failure):
            _print_failure(console, one, statement)
        else:
            _print_plan(console, one.plan, statement[one.start : one.end].strip())
    return 1 if any(isinstance(one, Failure) for one in found) else 0


async def _look(config: Config, dsn: str, text: str) -> list[Statement | Failure]:
    policy = load_policy(config.columns, config.keysets)
    async with connect(dsn) as connection:
        return await run_explain(connection, policy, text)


def _print_plan(console: Console, plan: Plan, text: str) -> None:
    if plan.template is None:
        console.print(Text("Sent as it is", style="bold"))
        console.print(Text(text), soft_wrap=True)
    else:
        console.print(Text("Sent", style="bold"))
        slots = (f"<sealed {number}>" for number in range(1, len(plan.literals) + 1))
        pieces = chain.from_iterable(zip_longest(plan.template, slots, fillvalue=""))
        console.print(Text("".join(pieces)), soft_wrap=True)
    sealed: list[tuple[str, Sealing]] = [
        (f"literal {number}", slot.sealing) for number, slot in enumerate(plan.literals, 1)
    ]
    sealed += [
        (f"${param.client + 1}, sent as ${number}", param.sealing)
        for number, param in enumerate(plan.params or (), 1)
        if param.sealing is not None
    ]
    opened = [(number, opening) for number, opening in enumerate(plan.results or (), 1) if opening is not None]
    if sealed:
        _print_table(console, "Sealed", ("Value", "Column", "Search", "Type", "Use"), map(_sealing_row, sealed))
    if opened:
        _print_table(console, "Opened", ("Result column", "Column", "Search", "Type"), map(_opening_row, opened))
    if plan.copy is not None:
        copied = [column for column in plan.copy.columns if column is not None]
        verb = "Sealed in each row" if plan.copy.is_from else "Opened in each row"
        rows = ((column.name, column.search, str(column.type)) for column in copied)
        _print_table(console, verb, ("Column", "Search", "Type"), rows)
    if not plan.touches_sealed:
        console.print(Text("It meets no sealed value."))
    console.print()


def _sealing_row(entry: tuple[str, Sealing]) -> tuple[str, ...]:
    value, sealing = entry
    return (value, sealing.column.name, sealing.column.search, str(sealing.client_type), sealing.use.value)


def _opening_row(entry: tuple[int, Opening]) -> tuple[str, ...]:
    number, opening = entry
    return (str(number), opening.column.name, opening.column.search, str(opening.type))


def _print_table(console: Console, title: str, headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    table = Table(title=Text(title, style="bold"), title_justify="left")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def _print_failure(console: Console, failure: Failure, text: str) -> None:
    error = failure.error
    if not isinstance(error, Refused):
        raise error
    console.print(Text("Refused", style="bold red"))
    console.print(Text(text[failure.start : failure.end].strip()), soft_wrap=True)
    console.print(Text(f"ERROR:  {error.sqlstate}: {error.message}"), soft_wrap=True)
    if error.detail:
        console.print(Text(f"DETAIL: {error.detail}"), soft_wrap=True)
    if error.hint:
        console.print(Text(f"HINT:   {error.hint}"), soft_wrap=True)
    if error.position:
        line_start = text.rfind("\n", 0, error.position - 1) + 1
        line = text[line_start:].split("\n", 1)[0]
        console.print(Text(f"AT:     {line}"), soft_wrap=True)
        console.print(Text(" " * (8 + error.position - 1 - line_start) + "^"), soft_wrap=True)
    console.print()
