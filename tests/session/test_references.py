"""Statements about statements: FETCH and EXECUTE use the plan of what they name."""

import json
from dataclasses import replace

import pytest

from proxy.config import Policy
from proxy.session import Shared
from proxy.session.refusals import POISON
from proxy.sql.plan import (
    Argument,
    CopyFormat,
    CopyPlan,
    Cursor,
    Effect,
    Execution,
    Literal,
    Opening,
    Plan,
    Preparation,
    ServerParam,
)
from proxy.wire import messages
from tests.session.playbook import (
    BORN,
    BOUND,
    CATALOG,
    CLOSED,
    EMAIL,
    NO_DATA,
    PARSED,
    POISONED,
    POLICY,
    SEALED_COLUMNS,
    SELECT,
    SELECT_PLAN,
    SYNC,
    TABLE,
    Book,
    Sealers,
    Talk,
    bind,
    close,
    columns,
    compare,
    complete,
    describe,
    error,
    error_fields,
    execute,
    facts,
    hexed,
    kinds,
    parse,
    query,
    ready,
    row,
    seal,
)

OPENED = Plan(results=(Opening(EMAIL, EMAIL.type, (TABLE, 2)),))
OUTER = "EXECUTE e"
CLOSE_ALL = "CLOSE ALL"
DECLARE, HELD, FETCH, CLOSE = "DECLARE c", "DECLARE c WITH HOLD", "FETCH c", "CLOSE c"
PREPARE, EXECUTE = "PREPARE p", "EXECUTE p('ann@example.com')"
EXECUTION = Execution("p", (Argument("'ann@example.com'", Literal("ann@example.com")),), "EXECUTE p(", ")")
BOOK = {
    DECLARE: Plan(declares=Cursor("c", OPENED)),
    HELD: Plan(declares=Cursor("c", OPENED, is_held=True)),
    FETCH: Plan(fetches="c", tag="FETCH"),
    CLOSE: Plan(closes="c"),
    CLOSE_ALL: Plan(effects=Effect.CLOSE_ALL),
    PREPARE: Plan(prepares=Preparation("p", (), Plan(params=(ServerParam(0, compare()),), results=OPENED.results))),
    EXECUTE: Plan(executes=EXECUTION, tag="EXECUTE"),
    OUTER: Plan(executes=Execution("e"), tag="EXECUTE"),
}
EMAIL_ONLY = columns(("email", TABLE, 2, 17))
ROW = row(hexed(b"ann@example.com"))


def talk_in_block(text: str) -> Talk:
    """`text` has run inside a transaction block."""
    talk = Talk(Book(BOOK)).warm()
    talk.client(query("BEGIN"), query(text))
    talk.server(complete("BEGIN"), ready("T"), complete(text), ready("T"))
    talk.at_server()
    talk.at_client()
    return talk


def fetched(talk: Talk) -> list[bytes]:
    talk.client(query(FETCH))
    assert talk.at_server() == [query(FETCH)]
    talk.server(EMAIL_ONLY, ROW, complete("FETCH 1"), ready("T"))
    return talk.at_client()


def test_fetch_opens_the_rows_of_its_cursor() -> None:
    received = fetched(talk_in_block(DECLARE))
    assert messages.parse_row_description(received[0])[0].type == 25
    assert messages.parse_data_row(received[1]) == [b"ann@example.com"]


@pytest.mark.parametrize("text", [CLOSE, CLOSE_ALL])
def test_a_cursor_that_was_closed_is_not_known(text: str) -> None:
    talk = talk_in_block(DECLARE)
    talk.client(query(text))
    talk.server(complete("CLOSE CURSOR"), ready("T"))
    talk.at_server()
    talk.at_client()
    talk.client(query(FETCH))
    talk.server(EMAIL_ONLY)  # a server that knows it all the same contradicts what is known here
    assert error_fields(talk.at_client()[0])["C"] == "0A000"


def test_only_a_held_cursor_survives_the_commit() -> None:
    for text, survives in ((DECLARE, False), (HELD, True)):
        talk = talk_in_block(text)
        talk.client(query("COMMIT"))
        talk.server(complete("COMMIT"), ready())
        talk.at_client()
        talk.at_server()
        talk.client(query(FETCH))
        talk.at_server()
        talk.server(EMAIL_ONLY)
        assert kinds(talk.at_client()) == ("T" if survives else "E")


def test_a_cursor_that_could_not_be_declared_is_not_known() -> None:
    talk = Talk(Book(BOOK)).warm()
    talk.client(query(DECLARE))
    talk.server(error("25P01", "DECLARE CURSOR can only be used in transaction blocks"), ready())
    talk.at_client()
    talk.client(query(FETCH))
    talk.at_server()
    refused = error("34000", 'cursor "c" does not exist')
    talk.server(refused, ready())
    assert talk.at_client() == [refused, ready()]


def test_fetch_waits_until_an_earlier_batch_has_declared() -> None:
    talk = Talk(Book(BOOK)).warm()
    talk.client(query(DECLARE), query(FETCH))
    assert talk.at_server() == [query(DECLARE)]
    talk.server(complete("DECLARE CURSOR"), ready("T"))
    assert talk.at_server() == [query(FETCH)]


def test_fetch_reads_a_portal_of_bind() -> None:
    talk = talk_in_block("SELECT 1")
    talk.client(parse("SELECT id, email FROM customers WHERE email = $1"), bind(b"x", portal="c"), execute("c", 1))
    talk.client(query(FETCH))
    talk.at_server()
    described = columns(("id", TABLE, 1, 23), ("email", TABLE, 2, 17))
    talk.server(PARSED, BOUND, row(b"1", hexed(b"a")), messages.message(b"s"))
    talk.server(described, row(b"2", hexed(b"b")), complete("FETCH 1"), ready("T"))
    rows = [messages.parse_data_row(raw) for raw in talk.at_client() if raw[:1] == b"D"]
    assert rows == [[b"1", b"a"], [b"2", b"b"]]
    assert SELECT_PLAN.results is not None


def test_a_bound_fetch_does_not_run_on_another_cursor() -> None:
    talk = talk_in_block(DECLARE)
    talk.client(parse(FETCH), bind(), close("P", "c"), execute(), SYNC)
    assert kinds(talk.at_server()) == "PBCPS"  # the poison stands in for Execute
    talk.server(PARSED, BOUND, CLOSED, error("42703", "poison"), ready("E"))
    assert error_fields(talk.at_client()[3])["C"] == "0A000"


def prepared() -> Talk:
    talk = Talk(Book(BOOK)).warm()
    talk.client(query(PREPARE))
    talk.server(complete("PREPARE"), ready())
    talk.at_server()
    talk.at_client()
    return talk


def test_execute_seals_its_arguments() -> None:
    talk = prepared()
    talk.client(query(EXECUTE))
    text = "EXECUTE p(E'\\\\x" + seal(b"ann@example.com").hex() + "')"
    assert talk.at_server() == [query(text)]
    assert b"ann@example.com" not in talk.sent
    talk.server(EMAIL_ONLY, ROW, complete(), ready())
    assert messages.parse_data_row(talk.at_client()[1]) == [b"ann@example.com"]


def test_bind_takes_what_prepare_has_made() -> None:
    talk = prepared()
    talk.client(bind(b"ann@example.com", statement="p"), execute(), SYNC)
    assert messages.parse_bind(talk.at_server()[0]).values == [seal(b"ann@example.com")]


def test_the_arguments_for_an_unknown_statement_do_not_leave() -> None:
    talk = Talk(Book(BOOK)).warm()
    talk.client(query(EXECUTE))
    talk.at_server()
    assert b"ann@example.com" not in talk.sent


def test_the_server_judges_the_name_of_an_execute_without_arguments() -> None:
    plain = "EXECUTE q"
    talk = Talk(Book({plain: Plan(executes=Execution("q"), tag="EXECUTE")})).warm()
    talk.client(query(plain))
    assert talk.at_server() == [query(plain)]
    unknown = error("26000", 'prepared statement "q" does not exist')
    talk.server(unknown, ready())
    assert talk.at_client() == [unknown, ready()]


@pytest.mark.parametrize("by_parse", [False, True], ids=["Query", "Parse"])
def test_execute_waits_until_an_earlier_batch_has_prepared(by_parse: bool) -> None:
    talk = Talk(Book(BOOK)).warm()
    talk.client(query(PREPARE))
    assert talk.at_server() == [query(PREPARE)]
    talk.client(parse(EXECUTE, "e") + SYNC if by_parse else query(EXECUTE))
    assert talk.at_server() == []
    assert not talk.session.wants_client
    talk.server(complete("PREPARE"), ready())
    (sent, *_) = talk.at_server()
    assert seal(b"ann@example.com").hex().encode() in sent
    assert b"ann@example.com" not in talk.sent


def test_execute_waits_until_the_plan_of_its_statement_is_known_to_be_true() -> None:
    talk = prepared()
    talk.client(query("SET search_path = other"))
    talk.server(complete("SET"), ready())
    talk.at_server()
    talk.at_client()
    talk.client(bind(b"ann@example.com", statement="p"), SYNC)  # its statement rests on the search_path
    assert talk.serve_reads() == []
    assert messages.parse_bind(talk.at_server()[0]).values == [seal(b"ann@example.com")]


def parsed_execute() -> Talk:
    """EXECUTE p(...) is itself a prepared statement, `e`."""
    talk = prepared()
    talk.client(parse(EXECUTE, "e"), SYNC)
    (sent, _) = talk.at_server()
    assert seal(b"ann@example.com").hex().encode() in sent
    talk.server(PARSED, ready())
    talk.at_client()
    return talk


def test_an_execute_that_was_parsed_runs_while_its_statement_is_the_same() -> None:
    talk = parsed_execute()
    talk.client(bind(statement="e"), execute(), SYNC)
    assert kinds(talk.at_server()) == "BES"
    talk.server(BOUND, ROW, complete(), ready())
    assert messages.parse_data_row(talk.at_client()[1]) == [b"ann@example.com"]


def test_an_execute_that_was_parsed_does_not_run_another_statement() -> None:
    talk = parsed_execute()
    talk.client(close("S", "p"), SYNC)
    talk.server(CLOSED, ready())
    talk.at_client()
    talk.at_server()
    talk.client(bind(statement="e"), execute(), SYNC)
    assert kinds(talk.at_server()) == "PS"
    talk.server(POISONED, ready())
    assert error_fields(talk.at_client()[0])["M"] == "cached plan must not change result type"


def test_an_execute_that_was_parsed_waits_while_its_statement_is_being_closed() -> None:
    talk = parsed_execute()
    talk.client(close("S", "p"), SYNC, bind(statement="e"), execute(), SYNC)
    assert kinds(talk.at_server()) == "CS"
    talk.server(error("57014"), ready())  # it was not closed
    assert kinds(talk.at_server()) == "BES"


def test_an_execute_of_an_execute_waits_while_what_that_runs_is_being_closed() -> None:
    talk = parsed_execute()
    talk.client(close("S", "p"), SYNC, query(OUTER))
    assert kinds(talk.at_server()) == "CS"
    talk.server(CLOSED, ready())
    assert talk.at_server() == [query(POISON)]
    talk.at_client()
    talk.server(POISONED, ready())
    assert error_fields(talk.at_client()[0])["M"] == "cached plan must not change result type"


def test_a_fetch_that_was_parsed_is_described_once_its_cursor_is_settled() -> None:
    talk = talk_in_block("SELECT 1")
    talk.client(parse(FETCH, "f"), SYNC)
    talk.server(PARSED, ready("T"))
    talk.at_server()
    talk.at_client()
    talk.client(query(DECLARE), describe("S", "f"), SYNC)
    assert talk.at_server() == [query(DECLARE)]
    talk.server(complete("DECLARE CURSOR"), ready("T"))
    assert kinds(talk.at_server()) == "DS"
    talk.at_client()
    talk.server(messages.build_parameter_description([]), EMAIL_ONLY, ready("T"))
    assert messages.parse_row_description(talk.at_client()[1])[0].type == 25


def test_a_fetch_that_was_parsed_is_bound_once_its_cursor_is_settled() -> None:
    talk = talk_in_block("SELECT 1")
    talk.client(parse(FETCH, "f"), SYNC)
    talk.server(PARSED, ready("T"))
    talk.at_server()
    talk.client(query(DECLARE), bind(statement="f"), execute(), SYNC)
    assert talk.at_server() == [query(DECLARE)]
    talk.at_client()
    talk.server(complete("DECLARE CURSOR"), ready("T"))
    assert kinds(talk.at_server()) == "BES"
    talk.server(BOUND, ROW, complete("FETCH 1"), ready("T"))
    assert messages.parse_data_row(talk.at_client()[-3]) == [b"ann@example.com"]


def test_a_portal_is_described_once_an_earlier_batch_has_bound_it() -> None:
    talk = talk_in_block("SELECT 1")
    talk.client(parse(SELECT), bind(b"x", portal="c"), SYNC, describe("P", "c"), SYNC)
    assert kinds(talk.at_server()) == "PBS"
    talk.server(PARSED, BOUND, ready("T"))
    assert kinds(talk.at_server()) == "DS"
    talk.at_client()
    talk.server(SEALED_COLUMNS, ready("T"))
    assert messages.parse_row_description(talk.at_client()[0])[1].type == 25


def test_an_execute_behind_a_name_that_is_being_closed_waits() -> None:
    """What a portal reads is looked up again when it runs: an earlier batch may be about to change it."""
    talk = talk_in_block(DECLARE)
    talk.client(parse(FETCH), bind(portal="f"), SYNC)
    talk.server(PARSED, BOUND, ready("T"))
    talk.at_server()
    talk.at_client()
    talk.client(query(CLOSE), execute("f"), SYNC)
    assert talk.at_server() == [query(CLOSE)]
    talk.server(complete("CLOSE CURSOR"), ready("T"))
    assert kinds(talk.at_server()) == "PS"
    talk.at_client()
    talk.server(POISONED, ready("E"))
    assert error_fields(talk.at_client()[0])["M"] == "cached plan must not change result type"


def test_a_copy_of_sealed_columns_cannot_be_read_by_fetch() -> None:
    text = "COPY customers TO STDOUT"
    plan = Plan(copy=CopyPlan(False, CopyFormat.TEXT, (EMAIL,), (EMAIL.type,)), tag="COPY")
    talk = Talk(Book({**BOOK, text: plan})).warm()
    talk.client(parse(text), bind(portal="c"), messages.FLUSH)
    talk.server(PARSED, BOUND)
    talk.at_server()
    talk.at_client()
    talk.client(parse(FETCH), bind(), SYNC)
    sent = talk.at_server()
    assert kinds(sent) == "PPS"
    talk.server(PARSED, POISONED, ready())
    fields = error_fields(talk.at_client()[1])
    assert fields["M"] == 'portal "c" is a COPY of sealed columns and cannot be read by FETCH'
    assert fields["H"] == "execute the portal by the protocol"


CALLS = "SELECT set_config('search_path', 'other', false)"
DECLARES, PREPARES = f"DECLARE s CURSOR FOR {CALLS}", f"PREPARE p AS {CALLS}"


@pytest.mark.parametrize(
    ("before", "string"),
    [
        ([PREPARES], "EXECUTE p"),
        ([], f"{PREPARES}; EXECUTE p"),
        (["PREPARE p AS SELECT 1"], f"DEALLOCATE p; {PREPARES}; EXECUTE p"),
        (["PREPARE p AS SELECT 1"], f"DEALLOCATE ALL; {PREPARES}; EXECUTE p"),
        (["BEGIN"], f"CLOSE s; CLOSE ALL; {DECLARES}; FETCH s"),
        (["BEGIN", DECLARES], "FETCH s"),
        ([], f"BEGIN; {DECLARES}; FETCH s"),
    ],
)
def test_a_statement_behind_one_that_runs_another_is_analysed_when_that_has_run(before: list[str], string: str) -> None:
    """What is run may set the search_path, and the table of that name be another one then."""
    catalog = json.dumps({**json.loads(CATALOG), "schemas": ["pg_catalog", "public", "other"]})
    catalog = catalog.replace('"public", "customers"', '"other", "customers"')
    policy = Policy((replace(EMAIL, schema="other"), replace(BORN, schema="other")))
    talk = Talk(shared=Shared(policy, Sealers()))
    talk.client(query("SELECT 'warm'"))
    talk.serve_reads(catalog=catalog)
    talk.at_server()
    talk.server(complete(), ready())
    for text in before:
        talk.client(query(text))
        assert kinds(talk.at_server()) == "Q"
        talk.server(complete(text), ready("T" if "BEGIN" in before else "I"))
    talk.at_client()
    talk.client(query(f"{string}; INSERT INTO customers (email) VALUES ('ann@example.com')"))
    moved = facts(schemas=("other", "pg_catalog"))
    while b"INSERT" not in talk.sent:
        sent = bytes(talk.sent)
        _answer(talk, moved, catalog, "T" if "BEGIN" in before else "I")
        assert talk.sent != sent
    assert b"ann@example.com" not in talk.sent
    assert seal(b"ann@example.com").hex().encode() in talk.sent


def _answer(talk: Talk, session_facts: str, catalog: str, status: str) -> None:
    """Whatever is asked succeeds; the session's facts are always the same."""
    text, answers = "", []
    for raw in talk.at_server():
        match raw[:1]:
            case b"P":
                text = messages.parse_parse(raw).query.decode()
                answers.append(PARSED)
            case b"E" if "json" in text:
                value = session_facts if "current_schemas" in text else catalog
                answers += [row(value.encode()), complete()]
            case b"E":
                answers.append(complete(text))
            case b"D":
                answers.append(NO_DATA)
            case kind:
                answers.append({b"B": BOUND, b"C": CLOSED, b"S": ready(status), b"H": b""}[kind])
    talk.server(*answers)
    talk.at_client()


def test_a_portal_that_nobody_has_analysed_is_not_run() -> None:
    talk = Talk(policy=Policy())
    talk.client(query("BEGIN"), parse(SELECT), bind(b"x", portal="old"), SYNC)
    talk.session.take_to_server()
    talk.server(complete("BEGIN"), ready("T"), PARSED, BOUND, ready("T"))
    talk.at_client()
    talk.shared.replace_policy(POLICY)
    talk.client(execute("old"), SYNC)
    assert kinds(talk.at_server()) == "PS"
    talk.server(POISONED, ready("E"))
    assert error_fields(talk.at_client()[0])["M"] == "cached plan must not change result type"


@pytest.mark.parametrize(
    "string",
    [
        "EXECUTE q; SELECT 1",
        "PREPARE p AS SELECT 1; EXECUTE p; SELECT 1",
        f"{PREPARES}; DEALLOCATE p; EXECUTE p; SELECT 1",
        f"{PREPARES}; DEALLOCATE ALL; EXECUTE p; SELECT 1",
        "DECLARE s CURSOR FOR SELECT 1; FETCH s; CLOSE s; SELECT 1",
        "FETCH s; SELECT 1",
    ],
)
def test_a_string_that_runs_nothing_that_changes_settings_stays_one_query(string: str) -> None:
    talk = Talk(shared=Shared(POLICY, Sealers())).warm()
    talk.client(query(string))
    assert talk.at_server() == [query(string)]


def test_a_string_that_runs_a_name_waits_until_it_is_settled() -> None:
    string = "EXECUTE p; SELECT 1"
    pieces = [("EXECUTE p", Plan(executes=Execution("p"), tag="EXECUTE")), ("SELECT 1", Plan(tag="SELECT"))]
    talk = Talk(Book({string: pieces, **dict(pieces)})).warm()
    talk.client(parse(PREPARES, "p"), SYNC, query(string))
    assert kinds(talk.at_server()) == "PS"
    talk.server(PARSED, ready())
    assert talk.at_server() == [query(string)]


def test_a_fetch_that_an_execute_runs_is_of_the_cursor() -> None:
    """The cursor reads a function that sets the search_path."""
    string = "EXECUTE f; SELECT 1"
    pieces = [("EXECUTE f", Plan(executes=Execution("f"), tag="EXECUTE")), ("SELECT 1", Plan(tag="SELECT"))]
    calls = Plan(declares=Cursor("c", Plan(effects=Effect.SETTINGS)))
    talk = Talk(Book({**BOOK, DECLARE: calls, string: pieces, **dict(pieces)})).warm()
    talk.client(query("BEGIN"), query(DECLARE), parse(FETCH, "f"), SYNC)
    talk.server(complete("BEGIN"), ready("T"), complete("DECLARE CURSOR"), ready("T"))
    talk.server(PARSED, ready("T"))
    talk.at_server()
    talk.client(query(string))
    assert kinds(talk.at_server()) == "PBDE" + "CPBECC" + "H"


@pytest.mark.parametrize("text", ["EXECUTE old", "FETCH old"])
def test_what_nobody_has_analysed_is_not_run_by_its_name(text: str) -> None:
    """Made before there was a policy: it could return sealed values, or set the search_path."""
    talk = Talk(Book({text: Plan(executes=Execution("old")) if "EXEC" in text else Plan(fetches="old")}), Policy())
    talk.client(query("PREPARE old AS SELECT 1"))
    talk.server(complete("PREPARE"), ready())
    talk.session.take_to_server()
    talk.session.take_to_client()
    talk.shared.replace_policy(POLICY)
    talk.client(query(text))
    talk.serve_reads()
    assert talk.at_server() == [query(POISON)]
    talk.server(POISONED, ready())
    assert error_fields(talk.at_client()[0])["M"] == "cached plan must not change result type"
