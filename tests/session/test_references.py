"""Statements about statements: FETCH and EXECUTE use the plan of what they name."""

from proxy.sql.plan import Argument, Cursor, Execution, Literal, Opening, Plan, Preparation, ServerParam
from proxy.wire import messages
from tests.session.playbook import (
    BOUND,
    CLOSED,
    EMAIL,
    PARSED,
    SELECT_PLAN,
    SYNC,
    TABLE,
    Book,
    Talk,
    bind,
    close,
    columns,
    compare,
    complete,
    error,
    error_fields,
    execute,
    hexed,
    kinds,
    parse,
    query,
    ready,
    row,
    seal,
)

OPENED = Plan(results=(Opening(EMAIL, EMAIL.type, (TABLE, 2)),))
DECLARE, HELD, FETCH, CLOSE = "DECLARE c", "DECLARE c WITH HOLD", "FETCH c", "CLOSE c"
PREPARE, EXECUTE = "PREPARE p", "EXECUTE p('ann@example.com')"
EXECUTION = Execution("p", (Argument("'ann@example.com'", Literal("ann@example.com")),), "EXECUTE p(", ")")
BOOK = {
    DECLARE: Plan(declares=Cursor("c", OPENED)),
    HELD: Plan(declares=Cursor("c", OPENED, is_held=True)),
    FETCH: Plan(fetches="c", tag="FETCH"),
    CLOSE: Plan(closes="c"),
    PREPARE: Plan(prepares=Preparation("p", (), Plan(params=(ServerParam(0, compare()),), results=OPENED.results))),
    EXECUTE: Plan(executes=EXECUTION, tag="EXECUTE"),
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


def test_a_cursor_that_was_closed_is_not_known() -> None:
    talk = talk_in_block(DECLARE)
    talk.client(query(CLOSE))
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
