"""The generated corpus: random worlds and statements, compared like the written ones. Nothing may be wrong.

The seed is fixed, so that a run says something about the change at hand; SEALWIRE_ORACLE_SEED takes another (`random`
draws one), SEALWIRE_ORACLE_STATEMENTS makes it longer. A finding is shrunk by leaving parts
of the statement out, and reported with its seed.
"""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest

from tests.oracle import rig, worlds
from tests.oracle.generate import Author, Part, shrink
from tests.oracle.loading import insert_rows
from tests.oracle.runner import Pair
from tests.support.oracle import Case, Mode, Outcome, Verdict, Wire
from tests.support.servers import Server
from tests.support.statements import parametrized, shape_of

pytestmark = pytest.mark.oracle

_WANTED = os.environ.get("SEALWIRE_ORACLE_SEED", "1815")
SEED = random.SystemRandom().randrange(10**9) if _WANTED == "random" else int(_WANTED)
STATEMENTS = int(os.environ.get("SEALWIRE_ORACLE_STATEMENTS", "2600"))
"""On each server."""
WORLDS = 12
REPORTED = 12
"""Findings that are shrunk and shown; with more, the rest are counted."""
LITERAL_MODES = (Mode.SIMPLE, Mode.TEXT, Mode.BINARY)
PARAMETER_MODES = (Mode.PARAMETERS, Mode.BINARY_PARAMETERS)


def test_random_statements_answer_as_postgresql_does(server: Server) -> None:
    print(f"SEALWIRE_ORACLE_SEED={SEED}")
    draw = random.Random(f"{SEED} {server.version}")
    made = [worlds.world(number, draw) for number in range(WORLDS)]
    counts: Counter[str] = Counter()
    wrong: dict[str, str] = {}
    policy = "".join(world.policy() for world in made)

    def load(wire: Wire) -> None:
        for world in made:
            wire.command(f"CREATE SCHEMA {world.schema}")
            for table in world.tables:
                wire.command(table.ddl())
                insert_rows(wire, table.qualified, [c.name for c in table.columns], table.rows)

    with rig.filled(server, policy, load, lambda _: worlds.CANARIES) as filled:
        authors = [Author(world, draw) for world in made]
        for number in range(STATEMENTS):
            statement = authors[number % WORLDS].statement()
            sql = statement.render()
            for mode in (draw.choice(LITERAL_MODES), draw.choice(PARAMETER_MODES)):
                verdict = _verdict(filled.pair, sql, mode)
                counts[verdict.outcome] += 1
                first = verdict.note.split("\n")[0]
                if verdict.outcome is Outcome.WRONG and first not in wrong:
                    wrong[first] = _small(filled.pair, statement, mode) if len(wrong) < REPORTED else sql
        assert filled.leaks() == []
    print(dict(counts))
    assert not wrong, f"seed {SEED}: {counts}\n\n" + "\n\n".join(wrong.values())
    assert counts[Outcome.SAME] >= 0.6 * counts.total(), f"seed {SEED}: too much is refused: {counts}"


def _verdict(pair: Pair, sql: str, mode: Mode) -> Verdict:
    case = Case(sql, shape_of(sql), parametrized=parametrized(sql), modes=frozenset({mode}))
    if mode not in case.applicable():
        return Verdict(Outcome.SAME)
    return pair.judge(case, mode)


def _small(pair: Pair, statement: Part, mode: Mode) -> str:
    """The finding, as small as it gets, ready to be copied into a corpus file."""

    def still_fails(sql: str) -> bool:
        return _verdict(pair, sql, mode).outcome is Outcome.WRONG

    smallest = shrink(statement, still_fails)
    case = Case(smallest, shape_of(smallest), parametrized=parametrized(smallest))
    sent = case.parametrized if mode in PARAMETER_MODES and case.parametrized else smallest
    return f"[{mode}] {smallest}\n    sent: {sent}\n    {_verdict(pair, smallest, mode).note}"
