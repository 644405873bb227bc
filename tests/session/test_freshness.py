"""What a session knows of the server (settings, search_path, temporary tables, prepared statements), and when it looks
again."""

from __future__ import annotations

import hashlib
import json

import pytest

from proxy.errors import Refused
from proxy.session import Shared
from proxy.session.planner import Planner
from proxy.session.refusals import POISON
from proxy.sql.plan import Effect, Plan
from proxy.wire import messages
from proxy.wire.messages import message
from tests.session.playbook import (
    BOUND,
    CATALOG,
    LITERAL,
    LITERAL_PLAN,
    NO_DATA,
    PARSED,
    PID,
    POISONED,
    POLICY,
    SELECT,
    SYNC,
    TABLE,
    Book,
    Sealers,
    Talk,
    bind,
    complete,
    describe,
    error,
    error_fields,
    execute,
    facts,
    kinds,
    parse,
    query,
    ready,
    split,
)

OTHER = PID + 1
NAME = 's"\\'
"""Of a statement; quoted in an array."""


def reported(name: str, value: str) -> bytes:
    return message(b"S", name.encode(), b"\0", value.encode(), b"\0")


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "setting", "known"),
    [
        ("client_encoding", "LATIN1", "client_encoding", "LATIN1"),
        ("TimeZone", "Europe/Berlin", "timezone", "Europe/Berlin"),
        ("DateStyle", "SQL, DMY", "datestyle", "SQL, DMY"),
        ("IntervalStyle", "iso_8601", "intervalstyle", "iso_8601"),
        ("standard_conforming_strings", "off", "standard_conforming_strings", False),
        ("standard_conforming_strings", "on", "standard_conforming_strings", True),
    ],
)
def test_settings_that_shape_values_follow_the_servers_reports(
    name: str, value: str, setting: str, known: object
) -> None:
    planner = Planner(Shared(POLICY, Sealers(), analyse=Book()), "shop")
    planner.reported(name, value)
    assert getattr(planner.settings, setting) == known


def test_other_reports_change_nothing() -> None:
    planner = Planner(Shared(POLICY, Sealers(), analyse=Book()), "shop")
    before = planner.settings
    planner.reported("application_name", "psql")
    assert planner.settings == before


def test_a_search_path_that_the_server_reports_is_read_again() -> None:
    """From PostgreSQL 18 on it does, also where a trigger has set it."""
    talk = Talk().warm()
    talk.client(query("SELECT 1"))
    talk.at_server()
    talk.server(reported("search_path", "other"), complete(), ready())
    talk.at_client()
    talk.client(query(LITERAL))
    assert talk.serve_reads(session_facts=facts(schemas=("other",))) == []
    assert kinds(talk.at_server()) == "Q"


# -- temporary tables --------------------------------------------------------------------------------------------------


def test_temporary_tables_that_a_function_has_made_are_looked_for_in_the_catalog() -> None:
    call = "SELECT f()"
    talk = Talk(Book({call: Plan(effects=Effect.SETTINGS)})).warm()
    talk.client(query(call))
    talk.server(complete(), ready())
    talk.at_server()
    talk.client(parse(SELECT), SYNC)
    talk.serve_reads(session_facts=facts(temporary=[(TABLE + 5, "customers")]))
    catalog = json.loads(CATALOG)
    catalog["relations"].append([TABLE + 5, "pg_temp_3", "customers", "r", "t", None, None, []])
    sent = talk.at_server()
    assert b"NOT false" in messages.parse_parse(sent[1]).query  # the catalog, and no facts again
    assert kinds(sent) == "CPBECCS"


def test_temporary_tables_of_a_process_that_may_be_another_are_forgotten() -> None:
    catalog = json.loads(CATALOG)
    catalog["relations"].append([TABLE + 5, "pg_temp_3", "scratch", "r", "t", None, None, []])
    talk = Talk(Book())
    talk.client(query("BEGIN"))
    talk.server(complete("BEGIN"), ready("T"))
    talk.at_server()
    pooled = facts(pid=OTHER, temporary=[(TABLE + 5, "scratch")])
    talk.client(parse(SELECT), SYNC)
    talk.serve_reads(session_facts=pooled, catalog=json.dumps(catalog), status="T")
    assert kinds(talk.at_server()) == "PS"
    talk.server(PARSED, ready("T"))
    talk.client(query("COMMIT"))
    talk.server(complete("COMMIT"), ready())
    talk.at_server()
    talk.client(parse(SELECT), SYNC)
    asked = b"".join(talk.at_server())
    assert b"current_schemas" in asked
    assert b"NOT false" in asked  # the catalog with those tables was of the process before


# -- prepared statements behind a pooler -------------------------------------------------------------------------------


def named() -> Talk:
    """Behind a pooler, which has shown itself; the statement NAME is prepared."""
    talk = Talk(Book())
    talk.client(query("SELECT 'warm'"))
    talk.serve_reads(session_facts=facts(pid=OTHER))
    talk.serve_reads(session_facts=facts(pid=OTHER))
    talk.at_server()
    talk.server(PARSED, BOUND, NO_DATA, complete(), ready())
    talk.client(parse(SELECT, NAME), SYNC)
    talk.serve_reads(session_facts=facts(pid=OTHER))
    assert kinds(talk.at_server()) == "PS"
    talk.server(PARSED, ready())
    talk.at_client()
    return talk


@pytest.mark.parametrize("process", ["has it not", "has the same", "has another"])
def test_a_name_is_used_where_the_process_has_no_other_statement_under_it(process: str) -> None:
    talk = named()
    there = {
        "has it not": {},
        "has the same": {NAME: hashlib.sha256(SELECT.encode()).hexdigest()},
        "has another": {NAME: hashlib.sha256(b"SELECT secret").hexdigest()},
    }[process]
    talk.sent.clear()
    talk.client(bind(b"x", statement=NAME), execute(), SYNC)
    talk.serve_reads(session_facts=facts(pid=OTHER), statements=json.dumps(there))
    asked = [messages.parse_bind(raw).values for raw in split(bytes(talk.sent), to_server=True) if raw[:1] == b"B"]
    assert [rb'{"s\"\\"}'] in asked
    sent = talk.at_server()
    if process == "has another":
        assert kinds(sent) == "PS"
        talk.server(POISONED, ready())
        assert error_fields(talk.at_client()[0])["C"] == "26000"
    else:
        assert kinds(sent) == "BES"


# -- a failed transaction ----------------------------------------------------------------------------------------------

CREATE = "CREATE TABLE x (a int)"


def failed(strings: dict[str, list[tuple[str, Plan]]]) -> Talk:
    """In a failed transaction whose DDL has made the catalog stale; nothing can be read."""
    talk = Talk(Book({LITERAL: LITERAL_PLAN, **strings})).warm()
    talk.client(query("BEGIN"), query(CREATE))
    talk.server(complete("BEGIN"), ready("T"), error("42P07"), ready("E"))
    talk.at_server()
    talk.at_client()
    return talk


def test_in_a_failed_transaction_a_string_of_its_end_and_a_beginning_passes() -> None:
    string = "ROLLBACK; BEGIN"
    pieces = [(one, Plan(effects=Effect.TRANSACTION, tag=one)) for one in string.split("; ")]
    talk = failed({string: pieces})
    talk.client(query(string))
    assert talk.at_server() == [query(string)]


def test_what_follows_the_end_of_a_failed_transaction_in_one_string_is_analysed_behind_it() -> None:
    string = f"ROLLBACK; {LITERAL}"
    pieces = [("ROLLBACK", Plan(effects=Effect.TRANSACTION, tag="ROLLBACK")), (LITERAL, LITERAL_PLAN)]
    talk = failed({string: pieces})
    talk.client(query(string))
    before = talk.serve_reads(before=(PARSED, BOUND, NO_DATA, complete("ROLLBACK")))
    assert kinds(before) == "PBDE"
    assert messages.parse_parse(before[0]).query == b"ROLLBACK"
    assert kinds(talk.script()) == "PBDES"
    assert b"ann@example.com" not in talk.sent
    talk.server(PARSED, BOUND, NO_DATA, complete(), ready())
    assert talk.at_client() == [complete("ROLLBACK"), complete(), ready()]


def test_in_a_failed_transaction_an_unknown_name_is_not_looked_for() -> None:
    unknown = "SELECT nowhere"
    missing = Refused('relation "nowhere" does not exist', sqlstate="42P01")
    talk = Talk(Book({unknown: missing})).warm()
    talk.client(query("BEGIN"), query("SELECT bad"))
    talk.server(complete("BEGIN"), ready("T"), error("42703"), ready("E"))
    talk.at_server()
    talk.at_client()
    talk.client(query(unknown))
    assert talk.at_server() == [query(POISON)]
    aborted = error("25P02", "current transaction is aborted")
    talk.server(aborted, ready("E"))
    assert talk.at_client() == [aborted, ready("E")]


def test_what_stands_behind_the_end_of_a_transaction_is_analysed_with_the_settings_from_before_it() -> None:
    text = f"ROLLBACK; {LITERAL}"
    undone = [("ROLLBACK", Plan(effects=Effect.TRANSACTION, tag="ROLLBACK")), (LITERAL, LITERAL_PLAN)]
    talk = Talk(Book({text: undone, "ROLLBACK": undone[0][1]})).warm()
    for sent in ("BEGIN", "SET search_path = other"):
        talk.client(query(sent))
        talk.at_server()
        talk.server(complete(), ready("T"))
    talk.client(query(text))
    assert talk.serve_reads(session_facts=facts(schemas=("other",)), status="T") == []
    before = talk.serve_reads(before=(PARSED, BOUND, NO_DATA, complete("ROLLBACK")))
    assert kinds(before) == "PBDE"
    assert kinds(talk.script()) == "PBDES"


def test_a_statement_that_is_none_rests_on_nothing() -> None:
    """PostgreSQL takes one in a failed transaction too, where nothing can be read."""
    talk = Talk(Book({"-- none": []})).warm()
    talk.client(query("BEGIN"), query("CREATE TABLE t (a int)"))
    talk.server(complete("BEGIN"), ready("T"), error("42P07"), ready("E"))
    talk.at_server()
    talk.client(parse("-- none"), describe("S"), SYNC)
    assert kinds(talk.at_server()) == "PDS"


def test_rows_of_a_portal_are_written_by_the_settings_that_hold_when_it_is_executed() -> None:
    change = "SET DateStyle = 'German'"
    talk = Talk(Book({change: Plan(effects=Effect.SETTINGS, tag="SET")})).warm()
    talk.prepare()
    talk.client(bind(b"a", statement="s", portal="p"), parse(change), bind(), execute(), execute("p"), SYNC)
    assert kinds(talk.serve_reads(before=(BOUND, PARSED, BOUND, complete("SET")))) == "BPBE"
    assert kinds(talk.at_server()) == "ES"


def test_what_a_string_has_set_is_undone_with_it_when_it_fails() -> None:
    text, change = f"SET search_path = other; {LITERAL}", Plan(effects=Effect.SETTINGS, tag="SET")
    pieces = [("SET search_path = other", change), (LITERAL, LITERAL_PLAN)]
    talk = Talk(Book({text: pieces, "SET search_path = other": change})).warm()
    talk.client(query(text))
    talk.serve_reads(session_facts=facts(schemas=("other",)), before=(PARSED, BOUND, NO_DATA, complete("SET")))
    talk.at_server()
    talk.server(error("22012"), ready())
    talk.client(query(LITERAL))
    assert any(b"current_schemas" in raw for raw in talk.at_server())
