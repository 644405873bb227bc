"""The extended protocol: what is sealed, opened and mapped, and how refusals arrive."""

import pytest

from proxy.errors import Refused
from proxy.pgtypes import parse_type
from proxy.session.refusals import POISON
from proxy.sql.plan import Plan, Sealing, ServerParam, Use
from proxy.wire import messages
from tests.session.playbook import (
    BORN,
    BOUND,
    CLOSED,
    EMAIL,
    LITERAL,
    NO_DATA,
    PARSED,
    POISONED,
    SEALED_COLUMNS,
    SELECT,
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
    describe,
    error,
    error_fields,
    execute,
    hexed,
    kinds,
    parse,
    ready,
    row,
    seal,
)


def test_a_parameter_is_sealed_and_the_result_opened() -> None:
    talk = Talk().warm()
    talk.client(parse(SELECT), bind(b"ann@example.com"), describe("P"), execute(), SYNC)

    sent = talk.at_server()
    assert kinds(sent) == "PBDES"
    assert messages.parse_parse(sent[0]).types == (17,)
    bound = messages.parse_bind(sent[1])
    assert (bound.formats, bound.values) == ((1,), [seal(b"ann@example.com")])
    assert b"ann@example.com" not in talk.sent

    talk.server(PARSED, BOUND, SEALED_COLUMNS, row(b"7", hexed(b"ann@example.com")), complete(), ready())
    received = talk.at_client()
    assert kinds(received) == "12TDCZ"
    described = messages.parse_row_description(received[2])
    assert [column.type for column in described] == [23, 25]
    assert messages.parse_data_row(received[3]) == [b"7", b"ann@example.com"]


@pytest.mark.parametrize(
    ("data_format", "field"), [(0, hexed(b"x")), (1, seal(b"x")), (0, b'\\341\\002\\000\\000\\000\\001"')]
)
def test_a_sealed_field_is_opened_in_the_format_of_its_portal(data_format: int, field: bytes) -> None:
    talk = Talk().warm()
    talk.prepare()
    talk.client(bind(b"x", statement="s", results=(0, data_format)), execute(), SYNC)
    talk.server(BOUND, row(b"7", field), complete(), ready())
    assert messages.parse_data_row(talk.at_client()[1]) == [b"7", b"x"]


def test_null_stays_null_both_ways() -> None:
    talk = Talk().warm()
    talk.prepare()
    talk.client(bind(None, statement="s"), execute(), SYNC)
    assert messages.parse_bind(talk.at_server()[0]).values == [None]
    talk.server(BOUND, row(None, None), complete(), ready())
    assert messages.parse_data_row(talk.at_client()[1]) == [None, None]


def test_a_statement_is_described_with_the_types_of_the_application() -> None:
    talk = Talk().warm()
    talk.prepare()
    talk.client(describe("S", "s"), SYNC)
    talk.server(messages.build_parameter_description([17]), SEALED_COLUMNS, ready())
    received = talk.at_client()
    assert messages.parse_parameter_description(received[0]) == [25]
    assert messages.parse_row_description(received[1])[1].type == 25


def test_one_parameter_that_meets_sealed_and_plain_columns_becomes_two() -> None:
    text = "SELECT 1 FROM customers WHERE email = $1 OR nick = $1 OR id = $2"
    params = (ServerParam(0, compare()), ServerParam(0), ServerParam(1))
    talk = Talk(Book({text: Plan(template=("SELECT 1 ... $1 $2 $3",), params=params)})).warm()
    talk.client(parse(text, "two", 25), bind(b"ann", b"\0\0\0\x07", statement="two", formats=(0, 1)), SYNC)
    sent = talk.at_server()
    assert messages.parse_parse(sent[0]).types == (17, 25, 0)
    bound = messages.parse_bind(sent[1])
    assert bound.values == [seal(b"ann"), b"ann", b"\0\0\0\x07"]
    assert bound.formats == (1, 0, 1)

    talk.server(PARSED, BOUND, ready())
    talk.at_client()
    talk.client(describe("S", "two"), SYNC)
    talk.server(messages.build_parameter_description([17, 25, 23]), NO_DATA, ready())
    assert messages.parse_parameter_description(talk.at_client()[0]) == [25, 23]


def test_the_elements_of_an_array_are_sealed_one_by_one() -> None:
    text = "SELECT 1 FROM customers WHERE email = ANY($1)"
    sealing = Sealing(EMAIL, Use.COMPARE, is_array=True)
    talk = Talk(Book({text: Plan(template=("...",), params=(ServerParam(0, sealing),))})).warm()
    talk.client(parse(text), bind(b"{ann,NULL,bob}"), SYNC)
    sent = talk.at_server()
    assert messages.parse_parse(sent[0]).types == (1001,)
    value = messages.parse_bind(sent[1]).values[0]
    assert value is not None
    assert seal(b"ann") in value
    assert seal(b"bob") in value


def test_a_literal_is_sealed_when_the_statement_is_parsed() -> None:
    talk = Talk().warm()
    talk.client(parse(LITERAL, "lit"), SYNC)
    text = messages.parse_parse(talk.at_server()[0]).query
    assert (
        text
        == b"SELECT email FROM customers WHERE email = E'\\\\x" + seal(b"ann@example.com").hex().encode() + b"'::bytea"
    )


def test_a_plain_statement_is_forwarded_as_the_same_bytes() -> None:
    talk = Talk().warm()
    conversation = parse("SELECT $1::int", "", 23), bind(b"1"), describe("P"), execute(), close("S", "x"), SYNC
    talk.client(*conversation)
    assert talk.at_server() == list(conversation)


# -- refusals ----------------------------------------------------------------------------------------------------------

REFUSED = Refused("column is sealed", hint="seal it otherwise", position=8)


def test_a_refused_parse_fails_in_the_server_and_reads_as_the_refusal() -> None:
    talk = Talk(Book({"SELECT upper(email) FROM customers": REFUSED})).warm()
    talk.client(parse("SELECT upper(email) FROM customers"), bind(), execute(), SYNC)
    sent = talk.at_server()
    assert kinds(sent) == "PS"  # a Bind to what was never prepared is not passed on
    assert messages.parse_parse(sent[0]).query == POISON.encode()

    talk.server(POISONED, ready())
    received = talk.at_client()
    assert kinds(received) == "EZ"
    fields = error_fields(received[0])
    assert fields == {
        "S": "ERROR",
        "V": "ERROR",
        "C": "0A000",
        "M": "column is sealed",
        "H": "seal it otherwise",
        "P": "8",
    }


def test_in_a_failed_transaction_a_refused_statement_gets_postgresqls_own_error() -> None:
    talk = Talk(Book({"SELECT upper(email) FROM customers": REFUSED})).warm()
    talk.client(parse("SELECT upper(email) FROM customers"), SYNC)
    talk.server(error("25P02", "current transaction is aborted"), ready("E"))
    assert error_fields(talk.at_client()[0])["C"] == "25P02"


def test_a_value_that_the_column_cannot_take_refuses_the_bind() -> None:
    text = "INSERT INTO customers (born) VALUES ($1)"
    plan = Plan(template=("...",), params=(ServerParam(0, Sealing(BORN, Use.ASSIGN)),))
    talk = Talk(Book({text: plan})).warm()
    talk.client(parse(text, "i"), SYNC)
    talk.at_server()
    talk.server(PARSED, ready())
    talk.at_client()

    talk.client(bind(b"no date", statement="i"), execute(), SYNC)
    sent = talk.at_server()
    assert b"no date" not in b"".join(sent)
    talk.server(POISONED, ready())
    received = talk.at_client()
    assert kinds(received) == "EZ"
    assert error_fields(received[0])["C"] == "22007"

    talk.client(bind(b"1999-12-31", statement="i"), execute(), SYNC)  # the statement lives on
    assert kinds(talk.at_server()) == "BES"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (bind(statement="s"), "08P01"),
        (bind(b"a", b"b", statement="s"), "08P01"),
        (bind(b"a", statement="s", formats=(0, 0)), "08P01"),
        (bind(b"a", statement="s", formats=(7,)), "22023"),
        (bind(b"a", statement="never"), "26000"),
        (describe("S", "never"), "26000"),
        (execute("never"), "34000"),
    ],
)
def test_a_message_that_does_not_fit_its_statement_fails_as_in_postgresql(sent: bytes, code: str) -> None:
    talk = Talk().warm()
    talk.prepare()
    talk.client(sent, SYNC)
    talk.server(POISONED, ready())
    received = talk.at_client()
    assert kinds(received) == "EZ"
    assert error_fields(received[0])["C"] == code


def test_several_statements_in_one_parse_are_refused() -> None:
    talk = Talk(Book({"SELECT 1; SELECT 2": [("SELECT 1", Plan()), ("SELECT 2", Plan())]})).warm()
    talk.client(parse("SELECT 1; SELECT 2"), SYNC)
    talk.server(POISONED, ready())
    assert error_fields(talk.at_client()[0])["C"] == "42601"


# -- the server's view contradicts the plan ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "described",
    [
        columns(("id", TABLE, 1, 23)),
        columns(("id", TABLE, 1, 23), ("email", TABLE, 2, 25)),
        columns(("id", TABLE, 1, 23), ("email", TABLE, 3, 17)),
        columns(("born", TABLE, 3, 17), ("email", TABLE, 2, 17)),
    ],
)
def test_a_row_description_that_contradicts_the_plan_fails_the_statement(described: bytes) -> None:
    talk = Talk().warm()
    talk.client(parse(SELECT), bind(b"x"), describe("P"), execute(), SYNC)
    talk.server(PARSED, BOUND, described, row(b"7", hexed(b"x")), complete(), ready())
    received = talk.at_client()
    assert kinds(received) == "12EZ"
    assert error_fields(received[2])["C"] == "0A000"
    assert error_fields(received[2])["M"] == "cached plan must not change result type"


def test_a_sealed_column_in_an_unplanned_result_fails_the_statement_and_renews_the_catalog() -> None:
    talk = Talk().warm()
    talk.client(parse("SELECT * FROM v"), bind(), describe("P"), execute(), SYNC)
    talk.at_server()
    talk.server(PARSED, BOUND, columns(("email", TABLE, 2, 17)), row(hexed(b"x")), complete(), ready())
    assert kinds(talk.at_client()) == "12EZ"
    talk.client(parse("SELECT * FROM v"), SYNC)
    assert kinds(talk.serve_reads()) == ""


# -- values that do not open -------------------------------------------------------------------------------------------


def test_a_value_that_does_not_open_fails_the_statement_and_names_the_column() -> None:
    talk = Talk().warm()
    talk.prepare()
    talk.client(bind(b"x", statement="s"), execute(), SYNC)
    talk.server(BOUND, row(b"1", hexed(b"x")), row(b"2", b"\\x00"), row(b"3", hexed(b"x")), complete(), ready())
    received = talk.at_client()
    assert kinds(received) == "2DEZ"
    assert error_fields(received[2])["C"] == "XX001"
    assert "public.customers.email" in error_fields(received[2])["M"]


def test_inside_a_transaction_block_a_value_that_does_not_open_fails_the_block() -> None:
    talk = Talk().warm()
    talk.prepare()
    talk.client(bind(b"x", statement="s"), execute(), SYNC)
    talk.at_server()
    talk.server(BOUND, row(b"2", b"\\x00"), complete(), ready("T"))
    assert kinds(talk.at_client()) == "2E"
    assert kinds(talk.at_server()) == "PS"
    talk.server(POISONED, ready("E"))
    assert talk.at_client() == [ready("E")]


def test_in_an_open_batch_a_value_that_does_not_open_fails_the_batch() -> None:
    talk = Talk().warm()
    talk.prepare()
    talk.client(bind(b"x", statement="s"), execute(), messages.FLUSH)
    talk.at_server()
    talk.server(BOUND, row(b"2", b"\\x00"), complete())
    assert kinds(talk.at_client()) == "2E"
    assert kinds(talk.at_server()) == "P"
    talk.client(bind(b"y", statement="s"), execute(), SYNC)
    assert kinds(talk.at_server()) == "S"
    talk.server(POISONED, ready())
    assert talk.at_client() == [ready()]


# -- the server's own errors -------------------------------------------------------------------------------------------


def test_sealed_bytes_and_positions_in_the_rewritten_text_are_taken_from_errors() -> None:
    talk = Talk().warm()
    talk.prepare()
    talk.client(bind(b"x", statement="s"), execute(), SYNC)
    detail = f"Key (email)=({hexed(b'x').decode()}) already exists."
    talk.server(BOUND, error("23505", "duplicate key", D=detail, P="40"), ready())
    fields = error_fields(talk.at_client()[1])
    assert fields["D"] == "Key (email)=((sealed)) already exists."
    assert "P" not in fields


def test_positions_in_the_clients_own_text_stay() -> None:
    talk = Talk().warm()
    talk.client(parse("SELECT nonsense"), SYNC)
    failure = error("42703", "no such column", P="8")
    talk.server(failure, ready())
    assert talk.at_client() == [failure, ready()]


def test_a_statement_of_types_declared_by_the_client_is_read_in_them() -> None:
    text = "INSERT INTO customers (born) VALUES ($1)"
    sealing = Sealing(BORN, Use.ASSIGN, parse_type("timestamp"))
    talk = Talk(Book({text: Plan(template=("...",), params=(ServerParam(0, sealing),))})).warm()
    talk.client(parse(text, "", 1114), bind(b"2000-01-02 03:04:05"), SYNC)
    assert messages.parse_bind(talk.at_server()[1]).values == [seal((1).to_bytes(4, "big"))]


def test_close_takes_the_name_away() -> None:
    talk = Talk().warm()
    talk.prepare()
    talk.client(close("S", "s"), SYNC)
    talk.server(CLOSED, ready())
    talk.at_client()
    talk.client(bind(b"x", statement="s"), SYNC)
    talk.server(POISONED, ready())
    assert error_fields(talk.at_client()[0])["M"] == 'prepared statement "s" does not exist'


def test_the_same_plan_serves_many_executions() -> None:
    book = Book()
    talk = Talk(book).warm()
    talk.prepare()
    for _ in range(3):
        talk.client(bind(b"x", statement="s"), execute(), SYNC)
        talk.server(BOUND, row(b"7", hexed(b"x")), complete(), ready())
    assert book.calls.count(SELECT) == 1
    assert SELECT_PLAN.touches_sealed
