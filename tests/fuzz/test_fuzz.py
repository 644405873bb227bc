"""The fuzz targets under a plain random driver: the seeds, and mutations of them. `make fuzz` is the long form."""

from __future__ import annotations

import random

import pytest

from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS

SEEDS = seeds()
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


def test_every_target_has_seeds_and_a_number_of_runs() -> None:
    assert set(SEEDS) == set(RUNS) == set(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_mutations_give_a_typed_error_or_success(name: str) -> None:
    rng = random.Random(name)
    target, inputs = TARGETS[name], SEEDS[name]
    for data in rng.sample(inputs, min(MOST_SEEDS, len(inputs))):
        target(data)
    for _ in range(RUNS[name]):
        target(mutated(rng, rng.choice(inputs)))
