"""The short form: two hundred conversations, the same in every run. `make conversations` goes on from there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from tests.differential.arena import Arena, arena
from tests.differential.grammar import conversation
from tests.differential.shrink import shrunk
from tests.differential.words import SYNC, TERMINATE, Burst, Conversation, Word, word, written
from tests.support.servers import Server

FIRST, COUNT, BLOCK = 1, 100, 25


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


FOUND: Sequence[Sequence[Word]] = (
    [word("query", "SET DateStyle = 'German'; SELECT born FROM customers WHERE id = 4")],
    [word("query", "SET DateStyle = 'SQL, DMY'; UPDATE customers SET born = '01/02/2000' WHERE id = 1 RETURNING born")],
    [
        *(word("parse", "SET DateStyle = 'German'"), word("bind"), word("execute")),
        *(word("parse", "SELECT born FROM customers WHERE id = $1"), word("bind", b"4"), word("execute")),
    ],
    [
        *(word("parse", "SELECT born FROM customers WHERE id < 9", "s"), word("bind", statement="s", portal="p")),
        *(word("execute", "p", 1), word("parse", "SET DateStyle = 'German'"), word("bind"), word("execute")),
        *(word("execute", "p", 1), word("execute", "p")),
    ],
    [
        word("query", "BEGIN; SET LOCAL DateStyle = 'German'; SELECT born FROM customers WHERE id = 4; ROLLBACK"),
        word("query", "SELECT born FROM customers WHERE id = 4"),
    ],
    [
        word(
            "query",
            "BEGIN; SET LOCAL DateStyle = 'German'; SELECT 1; ROLLBACK; SELECT born FROM customers WHERE id = 4",
        )
    ],
    [
        word("query", "BEGIN; SET LOCAL DateStyle = 'German'"),
        word("query", "SELECT born FROM customers WHERE id = 4"),
        word("query", "ROLLBACK; SELECT born FROM customers WHERE id = 4"),
    ],
    [word("parse", ""), word("query", "SELECT email FROM customers WHERE id = 1")],
    [word("parse", "SELECT 5"), SYNC, word("parse", "SELECT x FROM customers"), SYNC, word("bind"), word("execute")],
    [word("describe", "P", "x"), word("query", "SELECT 1"), word("query", "RESET ALL; SELECT * FROM customers")],
    [word("query", "BEGIN"), word("query", "SELECT 1/0"), word("query", "EXECUTE missing")],
    [word("query", "BEGIN"), word("query", "SELECT 1/0"), word("message", b"P", b"\xff\xfe\0SELECT 1\0\0\0")],
    [word("query", "COPY customers (id, email) FROM STDIN"), word("copy_data", b"9\t"), word("query", "SELECT 1")],
    [word("query", "COPY things (id, name) FROM STDIN"), word("copy_data", b"9\t"), TERMINATE],
    [word("query", "COPY things (id, name) FROM STDIN"), word("copy_data", b"9\t"), word("message", b"y", b"why")],
    *(
        [word("message", kind, body), SYNC, word("query", "SELECT 1")]
        for kind in (b"P", b"B", b"D", b"E", b"C", b"H", b"S", b"Q", b"F", b"c", b"f")
        for body in (b"", b"x", b"\0")
    ),
)
"""What differed once."""


@pytest.mark.parametrize("number", range(len(FOUND)))
def test_what_differed_once_does_not(field: Arena, number: int) -> None:
    assert field.compared([Burst(tuple(FOUND[number]), "mark"), Burst((TERMINATE,), "end")]) == (None, False)


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
