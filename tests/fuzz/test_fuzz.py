"""The fuzz targets under a plain random driver: the seeds, and mutations of them. `make fuzz` is the long form."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.fuzz.__main__ import NAMES, Outcome
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS
from tests.fuzz.traces import recorded
from tests.support import servers
from tests.support.servers import Server

RUNS = {"framing": 3000, "messages": 3000, "codecs": 3000, "copy": 3000, "startup": 2000, "authentication": 1000,
        "server": 300, "client": 150}  # fmt: skip
"""Executions beside the seeds: a few seconds each."""
MOST_SEEDS = 400


def mutated(rng: random.Random, data: bytes) -> bytes:
    """One to four changes: a byte replaced, a stretch removed, doubled or moved, or random bytes put in."""
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(changed) + 1)
        end = min(len(changed), at + rng.randrange(1, 9))
        match rng.randrange(5):
            case 0 if at < len(changed):
                changed[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
            case 1:
                del changed[at:end]
            case 2:
                changed[at:at] = changed[at:end]
            case 3:
                changed[at:at] = rng.randbytes(rng.randrange(1, 5))
            case _:
                changed += changed[at:end]
    return bytes(changed)


@pytest.fixture(scope="module")
def inputs(pg18: Server) -> Iterator[Mapping[str, list[bytes]]]:
    with servers.fresh_database(pg18) as database:
        yield seeds(recorded(database))


def test_every_target_has_seeds_and_a_number_of_runs(inputs: Mapping[str, list[bytes]]) -> None:
    assert set(inputs) == set(RUNS) == set(TARGETS) == set(NAMES)
    assert all(inputs.values())


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_mutations_give_a_typed_error_or_success(inputs: Mapping[str, list[bytes]], name: str) -> None:
    rng = random.Random(name)
    target, known = TARGETS[name], inputs[name]
    for data in rng.sample(known, min(MOST_SEEDS, len(known))):
        target(data)
    for _ in range(RUNS[name]):
        target(mutated(rng, rng.choice(known)))


def test_a_finding_is_told_and_keeps_its_input(tmp_path: Path) -> None:
    failed, clean = tmp_path / "copy-crash-1", Outcome("copy", 60, 12, 12_345, [], 0)
    assert clean.clean
    assert str(clean).split() == "copy 60 s (12 s of processor time) 12,345 executions 0 findings".split()
    assert not Outcome("copy", 60, 12, 12_345, [], 77).clean
    told = Outcome("copy", 1, 1, 10, [failed], 77)
    assert not told.clean
    assert str(failed) in str(told)
