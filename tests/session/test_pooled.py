"""A pooler between proxy and server: the process that answers is not the one of BackendKeyData, and may be another one
for each transaction. What is known of it is read in the client's own transaction."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from proxy.config import Policy
from proxy.errors import Refused
from proxy.sql.plan import Execution, Plan, Preparation
from proxy.wire import messages
from tests.session.playbook import (
    BORN,
    BOUND,
    CLOSED,
    EMAIL,
    FILE,
    LITERAL,
    NO_DATA,
    PARSED,
    PID,
    POISONED,
    POLICY,
    SELECT,
    SYNC,
    TABLE,
    Book,
    Talk,
    bind,
    close,
    columns,
    complete,
    error,
    error_fields,
    execute,
    facts,
    kinds,
    parse,
    query,
    ready,
    row,
    split,
)

OTHER = PID + 1
READ = "PBECPBEC"
"""The messages of a reading: of the session, and of the prepared statements."""


def pooled(book: Book | None = None, policy: Policy = POLICY) -> Talk:
    """After a first statement, which has shown that there is a pooler."""
    talk = Talk(book or Book(), policy)
    talk.client(query("SELECT 'warm'"))
    talk.serve_reads(session_facts=facts(pid=OTHER))
    talk.serve_reads(session_facts=facts(pid=OTHER))
    assert kinds(talk.at_server()) == "PBDES"
    talk.server(PARSED, BOUND, NO_DATA, complete(), ready())
    assert kinds(talk.at_client()) == "CZ"
    return talk


def test_what_is_known_of_the_process_is_read_in_the_transaction_of_each_statement() -> None:
    talk = pooled()
    for _ in range(2):
        talk.client(parse(SELECT), SYNC)
        talk.serve_reads(session_facts=facts(pid=OTHER))  # no Sync: it begins the batch of the client
        assert kinds(talk.at_server()) == "PS"
        talk.server(PARSED, ready())
        assert talk.at_client() == [PARSED, ready()]


def test_within_a_transaction_block_it_is_read_once() -> None:
    talk = pooled()
    talk.client(query("BEGIN"))
    assert kinds(talk.at_server()) == "Q"
    talk.server(complete("BEGIN"), ready("T"))
    talk.at_client()
    talk.client(query(LITERAL))
    talk.serve_reads(session_facts=facts(pid=OTHER), status="T")
    assert kinds(talk.at_server()) == "Q"
    talk.server(complete(), ready("T"))
    talk.client(query(LITERAL))
    assert kinds(talk.at_server()) == "Q"


def test_a_batch_waits_until_the_one_before_it_has_ended() -> None:
    talk = pooled()
    talk.client(parse(SELECT), SYNC, parse(SELECT), SYNC)
    talk.serve_reads(session_facts=facts(pid=OTHER))
    assert kinds(talk.at_server()) == "PS"
    talk.server(PARSED, ready())
    assert kinds(talk.at_server()) == READ + "H"


def test_a_reading_that_fails_is_the_error_of_a_query() -> None:
    talk = pooled()
    talk.client(query(LITERAL))
    assert kinds(talk.at_server()) == READ + "H"
    talk.server(error("57014"))
    assert kinds(talk.at_server()) == "S"
    assert error_fields(talk.at_client()[0])["C"] == "57014"
    talk.server(ready())
    assert talk.at_client() == [ready()]
    talk.client(query(LITERAL))
    assert kinds(talk.at_server()) == READ + "H"


def test_a_reading_that_fails_is_the_error_of_a_batch() -> None:
    talk = pooled()
    talk.client(parse(SELECT), bind(b"x"), execute(), close("S"))
    talk.at_server()
    talk.server(error("57014"))
    assert kinds(talk.at_server()) == ""
    talk.client(SYNC)
    assert talk.at_server() == [SYNC]
    talk.server(ready())
    assert kinds(talk.at_client()) == "EZ"


def test_the_unnamed_statement_does_not_outlive_its_transaction() -> None:
    talk = pooled()
    talk.client(parse(SELECT), SYNC)
    talk.serve_reads(session_facts=facts(pid=OTHER))
    talk.server(PARSED, ready())
    talk.at_server()
    talk.at_client()
    talk.client(bind(b"x"), execute(), SYNC)
    talk.serve_reads(session_facts=facts(pid=OTHER))
    assert kinds(talk.at_server()) == "PS"
    talk.server(error("42703"), ready())
    refused, _ = talk.at_client()
    assert error_fields(refused)["C"] == "26000"


def test_nor_does_one_that_names_nothing() -> None:
    """In the next transaction the process may have the unnamed statement of another session."""
    talk = pooled()
    talk.client(parse("SHOW all"), SYNC)
    assert kinds(talk.at_server()) == "PS"
    talk.server(PARSED, ready())
    talk.at_client()
    talk.client(bind(), execute(), SYNC)
    assert refusal(talk)["C"] == "26000"


def test_what_is_asked_before_a_pooler_is_known_of_is_a_new_text_each_time() -> None:
    """Else PgBouncer would run what another session has put under the name that it gave to that text."""
    asked = []
    for _ in range(2):
        talk = Talk(Book())
        talk.client(query(LITERAL))
        sent = split(b"".join(talk.session.take_to_server()), to_server=True)
        asked.append([messages.parse_parse(raw).query for raw in sent if raw[:1] == b"P"])
    assert len(asked[0]) == len(asked[1]) == 3
    assert set(asked[0]).isdisjoint(asked[1])


def test_what_is_asked_behind_a_pooler_takes_the_unnamed_statement() -> None:
    """With its name it would run what another session has put there; so the one of the client is gone."""
    talk = pooled()
    talk.client(query("BEGIN"))
    talk.at_server()
    talk.server(complete("BEGIN"), ready("T"))
    talk.client(parse(SELECT), parse("CREATE TABLE t ()", "ddl"), bind(statement="ddl"), execute(), SYNC)
    talk.serve_reads(session_facts=facts(pid=OTHER), status="T")
    assert kinds(talk.at_server()) == "PPBES"
    talk.server(PARSED, PARSED, BOUND, complete("CREATE TABLE"), ready("T"))
    talk.at_client()
    talk.client(parse(SELECT, "s"), bind(b"x"), SYNC)
    talk.serve_reads(session_facts=facts(pid=OTHER), status="T")
    assert kinds(talk.at_server()) == "PPS"
    talk.server(PARSED, POISONED, ready("E"))
    parsed, refused, _ = talk.at_client()
    assert parsed == PARSED
    assert error_fields(refused)["C"] == "26000"


def test_no_close_of_our_own_follows_a_parse() -> None:
    """PgBouncer 1.24 answers a Parse of a text that it knows and a Close by itself, and the Close first."""
    talk = pooled(Book({"bad": Refused("no")}))
    for name in ("s", "t"):
        talk.client(parse("SELECT 1", name), parse("bad", "bad"), SYNC)
        talk.serve_reads(session_facts=facts(pid=OTHER))
        sent = talk.at_server()
        assert kinds(sent) == "PPS"
        assert messages.parse_parse(sent[1]).statement == b""
        talk.server(PARSED, POISONED, ready())
        assert kinds(talk.at_client()) == "1EZ"


def test_the_questions_about_an_unsettled_table_take_the_unnamed_statement() -> None:
    policy = Policy((replace(EMAIL, pending=True), BORN))
    text = "SELECT email FROM customers"
    talk = pooled(Book({text: Plan(pending=frozenset((TABLE,)), tag="SELECT")}), policy)
    talk.client(parse(text, "s"), SYNC)
    talk.serve_reads(session_facts=facts(pid=OTHER))
    sent = talk.at_server()
    assert kinds(sent) == "PDPBECH"
    assert {messages.parse_parse(raw).statement for raw in sent if raw[:1] == b"P"} == {b""}
    described = columns(("id", TABLE, 1, 23), ("email", TABLE, 2, 17), ("born", TABLE, 3, 17))
    shown = json.dumps([[TABLE, FILE, FILE, {"id": 1, "email": 2, "born": 3}, None]])
    talk.server(PARSED, messages.build_parameter_description([]), described)
    talk.server(PARSED, BOUND, row(shown.encode()), complete(), CLOSED)
    assert kinds(talk.at_server()) == "PS"


# -- what SQL has prepared ---------------------------------------------------------------------------------------------

POOLERS = "PGBOUNCER_5"
RUN, MAKE, DROP = "EXECUTE s", f'PREPARE "{POOLERS}" AS SELECT 1', f'DEALLOCATE "{POOLERS}"'
BOOK = Book(
    {
        RUN: Plan(executes=Execution("s"), tag="EXECUTE"),
        MAKE: Plan(prepares=Preparation(POOLERS, (), Plan()), tag="PREPARE"),
        DROP: Plan(deallocates=POOLERS, tag="DEALLOCATE"),
    }
)


def refusal(talk: Talk) -> dict[str, str]:
    """What the client is told, where the server got the poison, in a string of its own or in a batch."""
    assert kinds(talk.at_server()) in ("PS", "PPS", "Q")
    talk.server(POISONED, ready())
    return error_fields(next(raw for raw in talk.at_client() if raw[:1] == b"E"))


def test_no_named_statement_is_run_where_sql_has_made_one_of_the_poolers() -> None:
    talk = pooled()
    talk.client(parse(SELECT, "s"), SYNC)
    talk.serve_reads(session_facts=facts(pid=OTHER))
    talk.at_server()
    talk.server(PARSED, ready())
    talk.at_client()
    swapped = json.dumps({POOLERS: "SQL", "mine": "SQL"})
    talk.client(bind(b"x", statement="s"), execute(), SYNC)
    talk.serve_reads(session_facts=facts(pid=OTHER), statements=swapped)
    told = refusal(talk)
    assert told["C"] == "0A000"
    assert POOLERS in told["M"]
    assert "RECONNECT" in told["H"]
    talk.client(parse(SELECT), bind(b"x"), execute(), SYNC)  # no pooler has an unnamed one
    talk.serve_reads(session_facts=facts(pid=OTHER), statements=swapped)
    assert kinds(talk.at_server()) == "PBES"


@pytest.mark.parametrize("text", [MAKE, DROP])
def test_sql_does_not_name_statements_of_the_pooler(text: str) -> None:
    talk = Talk(BOOK)
    talk.client(query(text))  # the first one of the session: nothing is known of a pooler yet
    talk.serve_reads(session_facts=facts(pid=OTHER))
    talk.serve_reads(session_facts=facts(pid=OTHER))
    told = refusal(talk)
    assert told["C"] == "0A000"
    assert POOLERS in told["M"]
    assert told["H"]


@pytest.mark.parametrize("text", [MAKE, DROP])
def test_without_a_pooler_such_names_are_like_others(text: str) -> None:
    talk = Talk(BOOK)
    talk.client(query(text))
    talk.serve_reads()
    assert talk.at_server() == [query(text)]


def test_execute_does_not_run_what_other_sessions_have_left_under_a_name() -> None:
    talk = pooled(BOOK)
    talk.client(query(RUN))
    talk.serve_reads(session_facts=facts(pid=OTHER), statements='{"s":"SQL"}')
    assert refusal(talk)["C"] == "26000"
    talk.client(query("BEGIN"))
    talk.at_server()
    talk.server(complete("BEGIN"), ready("T"))
    talk.at_client()
    talk.client(parse("SELECT 1", "s"), SYNC)  # the pooler gives that another name
    talk.serve_reads(session_facts=facts(pid=OTHER), statements='{"s":"SQL"}', status="T")
    assert kinds(talk.at_server()) == "PS"
    talk.server(PARSED, ready("T"))
    talk.at_client()
    talk.client(query(RUN))
    assert refusal(talk)["C"] == "26000"
