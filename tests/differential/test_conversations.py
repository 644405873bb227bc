"""The short form: two hundred conversations, the same in every run. `make conversations` goes on from there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from tests.differential.arena import Arena, arena
from tests.differential.grammar import conversation
from tests.differential.shrink import shrunk
from tests.differential.words import COPY_DONE, FLUSH, SYNC, TERMINATE, Burst, Conversation, Word, word, written
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


def _run(text: str) -> tuple[Word, Word, Word]:
    return word("parse", text), word("bind"), word("execute")


_COPY = "COPY things (id, name) FROM STDIN"

FOUND: Sequence[Sequence[Word]] = (
    [word("query", "SET DateStyle = 'German'; SELECT born FROM customers WHERE id = 4")],
    [word("query", "SET DateStyle = 'SQL, DMY'; UPDATE customers SET born = '01/02/2000' WHERE id = 1 RETURNING born")],
    [
        *(word("parse", "SET DateStyle = 'German'"), word("bind"), word("execute")),
        *(word("parse", "SELECT born FROM customers WHERE id = $1"), word("bind", b"4"), word("execute")),
    ],
    [
        *(
            word("parse", "SELECT born FROM customers WHERE id < 9 ORDER BY id", "s"),
            word("bind", statement="s", portal="p"),
        ),
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
    [*_run("CREATE TEMP TABLE more (id int)"), word("query", "SELECT 1"), word("query", "SELECT email FROM customers")],
    [
        *(*_run("CREATE TEMP TABLE more (id int)"), word("query", "SELECT 1")),
        *(word("query", "SELECT email FROM customers; SELECT 2"), word("query", "ROLLBACK; TABLE more")),
    ],
    [
        *(*_run("CREATE TEMP TABLE more (id int)"), word("query", "SELECT 1"), *_run("SELECT email FROM customers")),
        *(word("query", "ROLLBACK"), word("query", "TABLE more")),
    ],
    *(
        [
            *(
                word("query", f"SET search_path = public; {_COPY}; INSERT INTO things (id, name) VALUES (12, 'on')"),
                SYNC,
            ),
            *(word("copy_data", row), SYNC, SYNC, COPY_DONE, word("query", "SELECT count(*) FROM things")),
        ]
        for row in (b"9\tnew\n", b"x\tbad\n")
    ),
    *(
        [*start, *rows, SYNC, *more, SYNC, SYNC, *end]
        for start in ([word("query", _COPY)], [*_run(_COPY)], [*_run("BEGIN"), *_run(_COPY)])
        for rows in ([word("copy_data", b"9\tnew\n")], [word("copy_data", b"x\tbad\n")], [])
        for more in ([], [word("copy_data", b"y\tbad\n")], [FLUSH, word("copy_data", b"8\tmore\n")])
        for end in (
            [COPY_DONE, SYNC, word("query", "SELECT count(*) FROM things")],
            [word("copy_fail"), word("query", "SELECT 2"), SYNC, word("query", "SELECT count(*) FROM things")],
        )
    ),
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


_REST = "SET search_path = public; SELECT email FROM customers WHERE id = 1"
IN_FAILED: Sequence[Sequence[Word]] = (
    [word("close", "S", "s"), word("query", "SET search_path = public; SELECT email FROM customers")],
    [word("close", "S", "s"), word("query", "SELECT email FROM customers"), word("query", "ROLLBACK")],
    [word("parse", "-- none"), word("describe", "S", ""), word("bind"), word("execute"), SYNC],
)


@pytest.mark.parametrize("number", range(len(IN_FAILED)))
def test_in_a_failed_transaction_that_may_have_changed_the_catalog(field: Arena, number: int) -> None:
    failing = word("function_call", 964, (77001).to_bytes(4, "big"))  # lo_unlink of none
    begun = [Burst((word("query", "BEGIN"),), "mark"), Burst((failing,), "mark")]
    assert field.compared([*begun, Burst(tuple(IN_FAILED[number]), "mark"), Burst((TERMINATE,), "end")]) == (
        None,
        False,
    )


BEGINNINGS = (
    *("SAVEPOINT s", "COMMIT AND CHAIN", "BEGIN ISOLATION LEVEL SERIALIZABLE; SET TRANSACTION READ ONLY"),
    *("DISCARD ALL", "VACUUM things", "CREATE TEMP TABLE more (id int); ROLLBACK; VACUUM customers"),
    *("LOCK TABLE customers", "DECLARE c CURSOR FOR SELECT email FROM customers", "SET LOCAL DateStyle = 'German'"),
    *("CREATE TEMP TABLE more (id int); COMMIT; LOCK TABLE more", "ROLLBACK; LOCK TABLE customers"),
)


@pytest.mark.parametrize("first", BEGINNINGS)
@pytest.mark.parametrize("failed", [False, True])
def test_a_string_of_statements_is_a_transaction_block_from_its_first_one(
    server: Server, field: Arena, first: str, *, failed: bool
) -> None:
    """PostgreSQL up to 17 does not take what a pipeline has begun for one, or says so in other words."""
    before = [word("query", "BEGIN"), word("query", "SELECT 1/0")] if failed else []
    words = [*before, word("query", f"{first}; {_REST}"), word("query", "SELECT born FROM customers WHERE id = 4")]
    found = field.compared([Burst(tuple(words), "mark"), Burst((TERMINATE,), "end")])
    is_noticed = first not in BEGINNINGS[:3] if not failed else first == BEGINNINGS[-1]
    assert (found != (None, False)) is (is_noticed and server.version < 18)


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
