"""The mutants can be run: their fragments are there, and a few of them are noticed. `make mutation` runs all."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from importlib import import_module

import pytest

from tests.mutation.mutant import ROOT, Mutant, Rotten
from tests.mutation.mutants import MUTANTS

SAMPLE = (
    "columns compare in one domain only",
    "a WITH query does not see itself",
    "a parameter that meets sealed and plain becomes two",
    "comments of a rewritten statement are dropped",
    "a function may make and drop temporary tables",
    "what shadows pg_catalog is not trusted",
)
"""One of each kind: what may meet, what is mentioned, parameters, rewriting, freshness, names."""


def test_there_are_as_many_as_there_have_to_be() -> None:
    assert len(MUTANTS) >= 50
    assert [name for name, count in Counter(mutant.rule for mutant in MUTANTS).items() if count > 1] == []
    assert {mutant.rule for mutant in MUTANTS} >= set(SAMPLE)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.rule)
def test_a_mutant_finds_its_fragment_and_its_statements(mutant: Mutant) -> None:
    chosen = import_module("tests.mutation.__main__").chosen
    broken = mutant.source()
    assert broken != (ROOT / "proxy" / mutant.file).read_text()
    compile(broken, mutant.file, "exec")
    assert all(theme.entries for theme in chosen(mutant.themes))


def test_a_fragment_that_is_gone_is_an_error() -> None:
    with pytest.raises(Rotten, match="0 times"):
        Mutant("nothing", "sql/meeting.py", "no such words", "", "equality").source()


@pytest.mark.oracle
def test_a_sample_of_the_mutants_turns_the_oracle_red() -> None:
    command = [sys.executable, "-m", "tests.mutation", "--only", ";".join(SAMPLE)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(SAMPLE)} red" in done.stdout
