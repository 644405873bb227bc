"""Filling both databases of the oracle: the same statements, directly and through the proxy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pglast

from tests.oracle import shop_rows
from tests.support.oracle import Parameter, Wire

SHOP = Path(__file__).parent / "shop"
BATCH = 10
PAST_THE_ROWS = (
    "SELECT pg_catalog.setval(c.oid::pg_catalog.regclass, 1000)"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind = 'S' AND n.nspname IN ('public', 'vault')"
)
"""Sets every sequence to where both databases continue; no rollback takes a sequence back."""


def shop_policy() -> str:
    """The policy, as `stack.running` takes it."""
    return (SHOP / "policy.yaml").read_text()


def load_shop(wire: Wire) -> None:
    """Schema and rows. Even batches go as literals of a multi-row INSERT, odd ones as parameters, row by row."""
    for statement in pglast.split((SHOP / "schema.sql").read_text()):
        wire.command(statement)
    for table, columns, rows in shop_rows.tables():
        insert_rows(wire, table, columns, rows)
    wire.values(PAST_THE_ROWS)
    wire.command("ANALYZE")


def insert_rows(wire: Wire, table: str, columns: Sequence[str], rows: Iterable[shop_rows.Row]) -> None:
    """Raises Broken where an INSERT fails."""
    head = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "
    slots = "(" + ", ".join(f"${n}" for n in range(1, len(columns) + 1)) + ")"
    waiting = list(rows)
    for number, start in enumerate(range(0, len(waiting), BATCH)):
        batch = waiting[start : start + BATCH]
        if number % 2 == 0:
            wire.command(head + ", ".join("(" + ", ".join(map(literal, row)) + ")" for row in batch))
            continue
        for row in batch:
            answer = wire.parameters(head + slots, [Parameter(value) for value in row])
            if answer.broken or answer.error:
                what = answer.broken or (answer.error.message if answer.error else "")
                raise RuntimeError(f"{head}: {what}")


def literal(value: str | None) -> str:
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"
