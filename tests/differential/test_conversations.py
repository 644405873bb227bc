"""The short form: three hundred conversations, the same in every run. `make conversations` goes on from there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.differential.arena import Arena, arena
from tests.differential.grammar import conversation
from tests.differential.shrink import shrunk
from tests.differential.words import Burst, Conversation, word, written
from tests.support.servers import Server

FIRST, COUNT, BLOCK = 1, 150, 25


@pytest.fixture(scope="module")
def field(server: Server) -> Iterator[Arena]:
    with arena(server) as found:
        yield found


@pytest.mark.parametrize("first", range(FIRST, FIRST + COUNT, BLOCK))
def test_a_conversation_goes_as_with_postgresql(field: Arena, first: int) -> None:
    refusals = 0
    for seed in range(first, first + BLOCK):
        difference, refused = field.run(seed)
        assert difference is None, f"seed {seed}, {difference.what}\n{difference.script}"
        refusals += refused
    assert refusals < BLOCK // 2, "the grammar is about what the proxy takes"


def test_a_seed_names_a_conversation() -> None:
    assert conversation(7) == conversation(7) != conversation(8)


def test_a_difference_is_shortened_to_what_shows_it() -> None:
    culprit = word("query", "SELECT 2")
    talk: Conversation = [
        Burst((word("query", f"SELECT {number}"), word("query", "SELECT 2")), "mark", (3,)) for number in range(9)
    ]
    short = shrunk(talk, lambda one: any(culprit in burst.words for burst in one))
    assert short == [Burst((culprit,), "mark")]
    assert written(short, [[b"C", b"Z", b"Z", b"I", b"Z"]]).startswith("Step(query('SELECT 2') + copy_fail() + SYNC")
