"""The Chinook sample database: a published schema with 15,600 rows, sealed as a real shop would seal it.

It lies beside the checkout (`../shared/chinook`) or where SEALWIRE_CHINOOK says; without it, its tests are skipped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pglast
import yaml

from tests.support.oracle import Wire
from tests.support.tap import Canary

CORPUS = Path(__file__).parent / "chinook"
CANARY_COLUMNS = {"customer": ("email", "phone", "address"), "employee": ("email",)}


def directory() -> Path | None:
    """Where chinook.sql and columns.yaml are; None when absent."""
    told = os.environ.get("SEALWIRE_CHINOOK")
    places = [Path(told)] if told else [parent / "shared" / "chinook" for parent in Path(__file__).resolve().parents]
    return next((place for place in places if (place / "chinook.sql").exists()), None)


def policy(place: Path) -> str:
    """The published policy, as `stack.running` takes it."""
    tables = yaml.safe_load((place / "columns.yaml").read_text())["chinook"]
    return yaml.safe_dump(tables, allow_unicode=True)


def statements(place: Path) -> Iterator[str]:
    """The script without what is psql's or makes databases."""
    lines = (place / "chinook.sql").read_text().splitlines()
    script = "\n".join(line for line in lines if not line.startswith(("\\", "DROP DATABASE", "CREATE DATABASE")))
    yield from pglast.split(script)


def load(wire: Wire, place: Path) -> None:
    for statement in statements(place):
        wire.command(statement)
    wire.command("ANALYZE")


def canaries(plain: Wire) -> list[Canary]:
    """Values of sealed columns that no plain column holds."""
    return [
        Canary(value)
        for table, columns in CANARY_COLUMNS.items()
        for column in columns
        for value in plain.values(
            f"SELECT DISTINCT {column} FROM {table} WHERE length({column}) > 12 ORDER BY 1 LIMIT 20"
        )
    ]
