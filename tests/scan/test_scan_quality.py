"""How much `scan` finds, and how much of what it finds is so: held against labels made by hand."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from proxy.ops.database import connect
from proxy.ops.scan import ScanReport, scan
from proxy.ops.scan_detect import Sample, detect
from proxy.pgtypes import parse_type
from tests.scan.schema40 import CHINOOK, LABELS, TABLES
from tests.support import servers
from tests.support.servers import Server

ROOT = Path(__file__).parents[2]
CHINOOK_FOLDER = Path(os.environ.get("SEALWIRE_CHINOOK", ROOT.parent / "shared" / "chinook"))
ROWS = 100
RECALL = 0.95
PRECISION = 0.90


def measured(found: Mapping[tuple[str, str], str], truth: Mapping[tuple[str, str], str]) -> tuple[float, float]:
    """(recall, precision); a column that is found as something else than it is counts against both."""
    right = sum(truth.get(place) == kind for place, kind in found.items())
    return right / len(truth), right / len(found)


def kinds(report: ScanReport) -> dict[tuple[str, str], str]:
    return {found.column.place[1:]: found.detection.kind for found in report.proposals}


def values_of(table: str) -> list[tuple[object, ...]]:
    source = random.Random(table)
    return [tuple(make(source, number) for _, _, make, _ in TABLES[table]) for number in range(ROWS)]


def literal(value: object) -> str:
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


async def test_a_schema_of_forty_tables(embedded18: Server) -> None:
    with servers.fresh_database(embedded18) as database:
        async with connect(database.dsn) as connection:
            for table, columns in TABLES.items():
                definition = ", ".join(f'"{name}" {kind}' for name, kind, _, _ in columns)
                rows = ", ".join(f"({', '.join(map(literal, row))})" for row in values_of(table))
                await connection.execute(f"CREATE TABLE {table} ({definition}); INSERT INTO {table} VALUES {rows}")
            report = await scan(connection, sample=ROWS)
    recall, precision = measured(kinds(report), LABELS)
    assert len(TABLES) == 40
    assert report.columns == sum(map(len, TABLES.values()))
    assert recall >= RECALL
    assert precision >= PRECISION


async def test_chinook(embedded18: Server) -> None:
    script = CHINOOK_FOLDER / "chinook.sql"
    if not script.exists():
        pytest.skip(f"no Chinook at {script}: set SEALWIRE_CHINOOK to its folder")
    text = script.read_text(encoding="utf-8-sig")
    with servers.fresh_database(embedded18) as database:
        async with connect(database.dsn) as connection:
            await connection.execute(text[text.index("CREATE TABLE") :])
            report = await scan(connection, sample=300)
    recall, precision = measured(kinds(report), CHINOOK)
    assert recall >= RECALL
    assert precision >= PRECISION


def test_what_has_a_form_of_its_own_is_found_without_any_name() -> None:
    """The same values under names that say nothing: c0, c1, ... in table t."""
    formed = {"email", "phone", "card", "iban", "national id", "ip", "secret"}
    found, truth = {}, {}
    for table, columns in TABLES.items():
        rows = values_of(table)
        for index, (name, kind, _, label) in enumerate(columns):
            if label in formed and name != "telefonnummer":  # bare digits are a phone number by their name only
                truth[table, name] = label
            base = "inet" if kind == "inet" else parse_type(kind).facts.name
            values = [str(row[index]) for row in rows if row[index] is not None]
            if (detection := detect(Sample("t", f"c{index}", base, values))) is not None:
                found[table, name] = detection.kind
    recall, precision = measured(found, truth)
    assert recall >= RECALL
    assert precision >= PRECISION
