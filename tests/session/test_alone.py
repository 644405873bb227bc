"""Behind a pooler what is known of the server process is read in the client's own transaction; but for statements that
run outside of a transaction block only."""

from __future__ import annotations

import json

import pytest

from proxy.errors import Refused
from proxy.sql.catalog import SearchPath
from proxy.sql.plan import Effect, Failure, LiteralSlot, Plan, Statement
from tests.session.playbook import (
    BOUND,
    CATALOG,
    CLOSED,
    NO_DATA,
    PARSED,
    PID,
    POISONED,
    SYNC,
    Book,
    Talk,
    bind,
    compare,
    complete,
    describe,
    error_fields,
    execute,
    facts,
    hexed,
    kinds,
    parse,
    query,
    ready,
    row,
)

OTHER = PID + 1
INDEX = "CREATE INDEX CONCURRENTLY ON customers (id) WHERE email = 'ann'"
CALL = "CALL p('ann')"
PLAIN, SEALED = (
    Plan(effects=Effect.CATALOG, tag="CREATE INDEX"),
    Plan(("CREATE INDEX x WHERE email = ", ""), (LiteralSlot("ann", compare()),), tag="CREATE INDEX"),
)
UNKNOWN = Refused("no such table", sqlstate="42P01")


class ByPath(Book):
    """One statement, with a plan for each schema that may come first; `nowhere`: on a path without any."""

    def __init__(self, nowhere: Plan | Refused, **plans: Plan | Refused) -> None:
        super().__init__({"VACUUM customers": Plan(tag="VACUUM")})
        self._nowhere = nowhere
        self._by_schema = plans

    def __call__(self, text: str, *, path: SearchPath | None = None, **rest: object) -> list[Statement | Failure]:
        if text not in (INDEX, CALL) or path is None:
            return super().__call__(text, **rest)
        first = [name for name in path.schemas if name != "pg_catalog"]
        plan = self._by_schema[first[0]] if first else self._nowhere
        return [self._one(0, len(text), plan)]


def catalog(*schemas: str) -> str:
    return json.dumps(json.loads(CATALOG) | {"schemas": ["pg_catalog", "pg_temp_3", "information_schema", *schemas]})


def pooled(book: Book, *schemas: str) -> Talk:
    """After a first statement, which has shown that there is a pooler, with a catalog of `schemas`."""
    talk = Talk(book)
    talk.client(query("SELECT 'warm'"))
    talk.serve_reads(session_facts=facts(pid=OTHER), catalog=catalog(*schemas))
    talk.serve_reads(session_facts=facts(pid=OTHER))
    talk.at_server()
    talk.server(PARSED, BOUND, NO_DATA, complete(), ready())
    talk.at_client()
    return talk


def test_what_comes_to_the_same_everywhere_is_sent_alone() -> None:
    talk = pooled(ByPath(UNKNOWN, public=PLAIN, other=PLAIN), "public", "other")
    talk.client(query(INDEX))
    assert talk.at_server() == [query(INDEX)]
    talk.server(complete("CREATE INDEX"), ready())
    assert kinds(talk.at_client()) == "CZ"


def test_so_is_a_batch_of_the_extended_protocol() -> None:
    talk = pooled(ByPath(UNKNOWN, public=PLAIN), "public")
    talk.client(parse(INDEX), bind(), describe("P"), execute(), SYNC)
    assert kinds(talk.at_server()) == "PBDES"


def test_with_a_name_it_would_outlive_what_its_plan_rests_on() -> None:
    talk = pooled(ByPath(UNKNOWN, public=PLAIN), "public")
    talk.client(parse(INDEX, "s"), SYNC)
    talk.serve_reads(session_facts=facts(pid=OTHER))
    assert kinds(talk.at_server()) == "PS"


def test_a_catalog_that_is_not_known_is_read_beforehand() -> None:
    talk = pooled(ByPath(UNKNOWN, public=PLAIN), "public")
    talk.shared.databases["shop"].invalidate()
    talk.client(query(INDEX))
    sent = talk.at_server()
    assert kinds(sent) == "PBECS"  # a batch of its own
    talk.server(PARSED, BOUND)
    assert talk.at_server() == []
    talk.server(*_answers(catalog("public")))
    assert talk.at_server() == [query(INDEX)]


def _answers(value: str) -> list[bytes]:
    return [row(value.encode()), complete(), CLOSED, ready()]


@pytest.mark.parametrize("schemas", [("public",), ()])
def test_what_is_sealed_is_sent_alone_where_no_name_depends_on_the_path(schemas: tuple[str, ...]) -> None:
    talk = pooled(ByPath(SEALED, public=SEALED), *schemas)
    talk.client(query(INDEX))
    (sent,) = talk.at_server()
    assert hexed(b"ann")[2:] in sent


DEPENDS = [
    (UNKNOWN, SEALED, SEALED),  # a temporary table may hide it
    (UNKNOWN, SEALED, PLAIN),
    (UNKNOWN, PLAIN, SEALED),
    (PLAIN, SEALED, SEALED),
]


@pytest.mark.parametrize(("nowhere", "public", "other"), DEPENDS)
@pytest.mark.parametrize("text", [INDEX, CALL])
def test_what_depends_on_the_process_is_not_sent_alone(
    text: str, nowhere: Plan | Refused, public: Plan | Refused, other: Plan | Refused
) -> None:
    """A procedure is called in the transaction in which the path is read; what runs in none is refused."""
    talk = pooled(ByPath(nowhere, public=public, other=other), "public", "other")
    talk.client(query(text))
    if text == CALL:
        talk.serve_reads(session_facts=facts(pid=OTHER))
        assert "Q" not in kinds(talk.at_server())
        return
    assert kinds(talk.at_server()) == "Q"
    talk.server(POISONED, ready())
    told = error_fields(talk.at_client()[0])
    assert told["C"] == "25001"
    assert told["H"] == "name the table with its schema"
    assert b"'ann'" not in talk.sent


def test_what_is_not_known_is_told_in_its_transaction() -> None:
    talk = pooled(ByPath(UNKNOWN, public=UNKNOWN), "public")
    talk.client(query(INDEX))
    talk.serve_reads(session_facts=facts(pid=OTHER))
    assert "Q" not in kinds(talk.at_server())


@pytest.mark.parametrize(
    ("text", "nowhere", "is_alone"), [(INDEX, SEALED, True), (INDEX, UNKNOWN, False), (CALL, SEALED, False)]
)
def test_with_many_schemas_only_what_names_its_table_by_one(text: str, nowhere: Plan | Refused, is_alone: bool) -> None:
    names = [f"s{number}" for number in range(65)]
    talk = pooled(ByPath(nowhere, public=PLAIN, **dict.fromkeys(names, PLAIN)), *names)
    talk.client(query(text))
    if not is_alone:
        talk.serve_reads(session_facts=facts(pid=OTHER))
    assert ("Q" in kinds(talk.at_server())) is is_alone


def test_in_a_transaction_block_it_is_like_others() -> None:
    talk = pooled(ByPath(UNKNOWN, public=PLAIN), "public")
    talk.client(query("BEGIN"))
    talk.at_server()
    talk.server(complete("BEGIN"), ready("T"))
    talk.client(query(INDEX))
    talk.serve_reads(session_facts=facts(pid=OTHER), status="T")
    assert talk.at_server() == [query(INDEX)]


def test_a_statement_in_which_no_name_is_looked_up_needs_no_reading() -> None:
    talk = Talk(ByPath(UNKNOWN))
    talk.client(query("VACUUM customers"))
    assert talk.at_server() == [query("VACUUM customers")]
