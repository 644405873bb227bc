"""EXPLAIN of statements with sealed literals can be read, and stays what its format says."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import Any

import psycopg
import pytest
import yaml

from tests.support.stack import Stack

QUERY = """SELECT * FROM customers WHERE email IN ('a.canary@explain.example', 'b.canary@explain.example')
    AND phone = '+39 011 555 canary'"""


def explained(connection: psycopg.Connection[Any], options: str, query: str = QUERY) -> str:
    rows = psycopg.ClientCursor(connection).execute(f"EXPLAIN ({options}) {query}".encode()).fetchall()
    shown = "\n".join(row[0] if isinstance(row[0], str) else json.dumps(row[0]) for row in rows)
    assert "xe1" not in shown
    assert "341" not in shown
    assert "(sealed)" in shown
    return shown


@pytest.mark.parametrize("output", ["hex", "escape"])
def test_every_format_stays_whole(stack: Stack, output: str) -> None:
    for text in ("a.canary@explain.example", "b.canary@explain.example", "+39 011 555 canary"):
        stack.canary(text)
    with stack.connect() as connection:
        connection.execute(f"SET bytea_output TO {output}".encode())
        connection.execute("SET enable_seqscan TO off")
        plain = explained(connection, "COSTS off, VERBOSE")
        assert "'(sealed)'::bytea" in plain
        if output == "hex":
            assert """'{"(sealed)","(sealed)"}'::bytea[]""" in plain
        (plan,) = json.loads(explained(connection, "COSTS off, FORMAT json"))
        assert "Plan" in plan
        (plan,) = yaml.safe_load(explained(connection, "COSTS off, FORMAT yaml"))
        assert "Plan" in plan
        tree = ET.fromstring(explained(connection, "COSTS off, FORMAT xml"))  # our own server's
        assert tree.tag.endswith("explain")


def test_explain_analyze_and_execute(stack: Stack) -> None:
    with stack.connect() as connection:
        explained(connection, "ANALYZE, TIMING off, SUMMARY off")
        connection.execute("PREPARE p AS SELECT id FROM customers WHERE phone = $1")
        explained(connection, "COSTS off", f"EXECUTE p ('{stack.canary('+39 canary 2')}')")
        rows = connection.execute(f"EXPLAIN (COSTS off) {QUERY}", binary=True).fetchall()
        assert any("(sealed)" in row[0] for row in rows)


def test_other_literals_stay(stack: Stack) -> None:
    with stack.connect() as connection:
        connection.execute("CREATE TABLE blobs (data bytea, name text)")
        (filtered,) = (
            row[0]
            for row in connection.execute(
                r"EXPLAIN (COSTS off) SELECT * FROM blobs WHERE data = '\xe2ff' AND name = 'xe1'"
            ).fetchall()
            if "Filter" in row[0]
        )
        assert r"'\xe2ff'::bytea" in filtered
        assert "'xe1'::text" in filtered
