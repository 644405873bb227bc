"""The parser without pglast's checks: the same trees, in linear time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pglast import ast, parse_sql

from proxy.sql.parsing import parse

CORPUS = Path(__file__).parent / "rewrite_corpus.sql"
# Values with their types, of every node in the order of its slots.
DUMP = """
import sys
from pglast import ast, parse_sql

def dump(value):
    if isinstance(value, ast.Node):
        return [type(value).__name__, *((slot, dump(getattr(value, slot))) for slot in type(value).__slots__)]
    if isinstance(value, (tuple, list)):
        return [type(value).__name__, *map(dump, value)]
    return type(value).__name__, repr(value)

for line in open(sys.argv[1]):
    if line.strip() and not line.startswith("--"):
        print(dump(parse_sql(line)))
"""


def test_trees_are_those_that_pglast_makes_with_its_checks() -> None:
    assert "__setattr__" not in vars(ast.Node)
    checked, unchecked = (
        subprocess.run(
            [sys.executable, "-c", start + DUMP, str(CORPUS)], capture_output=True, text=True, check=True
        ).stdout
        for start in ("", "import proxy.sql.parsing\n")
    )
    assert len(checked.splitlines()) > 100
    assert checked == unchecked


def test_places_count_characters() -> None:
    one, other = parse("SELECT 'é'; SELECT 2")
    assert (one.start, one.end, other.end) == (0, 10, 20)
    assert parse_sql("") == ()
