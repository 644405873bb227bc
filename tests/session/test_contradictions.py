"""The server answers otherwise than was planned: the statement fails, and its bytes reach nobody."""

from __future__ import annotations

import pytest

from proxy.sql.plan import CopyFormat, CopyPlan, Opening, Plan, Sealing, ServerParam, Use
from proxy.wire import messages
from proxy.wire.messages import message
from tests.session.playbook import (
    BOUND,
    CLOSED,
    EMAIL,
    NO_DATA,
    PARSED,
    POISONED,
    SEALED_COLUMNS,
    SELECT,
    SYNC,
    TABLE,
    Book,
    Talk,
    bind,
    columns,
    complete,
    describe,
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

CHANGED = "cached plan must not change result type"


# -- parameters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reported", [[17, 23], [], [25]])
def test_parameters_that_are_not_those_of_the_plan(reported: list[int]) -> None:
    talk = Talk().warm()
    talk.prepare()
    talk.client(describe("S", "s"), SYNC)
    talk.at_server()
    talk.server(messages.build_parameter_description(reported), SEALED_COLUMNS, ready())
    received = talk.at_client()
    assert kinds(received) == "EZ"
    assert error_fields(received[0])["M"] == CHANGED
    talk.client(bind(b"x", statement="s"), SYNC)  # and the catalog is read anew
    talk.serve_reads()


def test_parameters_of_a_plain_statement_pass() -> None:
    talk = Talk().warm()
    talk.client(parse("SELECT $1", "p"), describe("S", "p"), SYNC)
    answers = PARSED, messages.build_parameter_description([25]), NO_DATA, ready()
    talk.server(*answers)
    assert talk.at_client() == list(answers)


# -- rows --------------------------------------------------------------------------------------------------------------


def test_a_row_of_another_width_than_the_first() -> None:
    talk = Talk().warm()
    talk.prepare()
    talk.client(bind(b"x", statement="s"), execute(), SYNC)
    talk.server(BOUND, row(b"1", hexed(b"x")), row(hexed(b"x")), complete(), ready())
    received = talk.at_client()
    assert kinds(received) == "2DEZ"
    assert error_fields(received[2])["M"] == CHANGED


RECORD = "SELECT (id, email) FROM customers"
RECORD_PLAN = Plan(results=(Opening(EMAIL, EMAIL.type, fields=(None, Opening(EMAIL, EMAIL.type))),))


@pytest.mark.parametrize("type_oid", [2249, TABLE + 2])
def test_the_sealed_field_of_a_record_is_opened(type_oid: int) -> None:
    talk = Talk(Book({RECORD: RECORD_PLAN})).warm()
    talk.client(query(RECORD))
    described = columns(("row", 0, 0, type_oid))
    value = b'(7,"\\' + hexed(b"ann").replace(b"\\", b"\\") + b'")'
    talk.server(described, row(value), complete(), ready())
    received = talk.at_client()
    assert kinds(received) == "TDCZ"
    assert received[0] == described
    assert messages.parse_data_row(received[1]) == [b"(7,ann)"]


def test_what_was_planned_as_a_record_and_is_none() -> None:
    talk = Talk(Book({RECORD: RECORD_PLAN})).warm()
    talk.client(query(RECORD))
    talk.server(columns(("row", 0, 0, 25)), row(b"(7,x)"), complete(), ready())
    received = talk.at_client()
    assert kinds(received) == "EZ"
    assert error_fields(received[0])["M"] == CHANGED


# -- a failure on the proxy's side while the client is sending a message that streams ----------------------------------


def test_a_row_that_does_not_open_while_a_large_bind_is_on_its_way_fails_the_batch_at_its_end() -> None:
    talk = Talk().warm()
    talk.client(parse("INSERT INTO blobs VALUES ($1)", "i"), SYNC)
    talk.at_server()
    talk.server(PARSED, ready())
    talk.prepare()
    large = bind(b"y" * 200_000, statement="i")
    talk.client(bind(b"x", statement="s"), execute(), messages.FLUSH, large[:100_000])
    talk.server(BOUND, row(b"1", b"\\x00"))
    assert kinds(talk.at_client()) == "2E"
    talk.client(large[100_000:], execute(), SYNC)
    sent = talk.at_server()
    assert kinds(sent) == "BEHBPS"  # the poison stands where the batch ends: what it did is taken back
    assert sent[3] == large
    talk.server(complete(), BOUND, POISONED, ready())
    assert talk.at_client() == [ready()]


def test_a_batch_that_the_server_has_failed_by_itself_need_not_be_failed_again() -> None:
    talk = Talk().warm()
    talk.client(parse("INSERT INTO blobs VALUES ($1)", "i"), SYNC)
    talk.server(PARSED, ready())
    talk.prepare()
    large = bind(b"y" * 200_000, statement="i")
    talk.client(bind(b"x", statement="s"), execute(), messages.FLUSH, large[:100_000])
    talk.server(BOUND, row(b"1", b"\\x00"), error("22012"))
    talk.client(large[100_000:], SYNC)
    assert kinds(talk.at_server()) == "BEHBS"
    talk.server(ready())
    assert kinds(talk.at_client()) == "2EZ"


# -- COPY whose rows cannot be converted -------------------------------------------------------------------------------

FROM, TO = "COPY customers FROM STDIN", "COPY customers TO STDOUT"


def copying(*, is_from: bool) -> Talk:
    copy = CopyPlan(is_from, CopyFormat.TEXT, (EMAIL,), (EMAIL.type,), encoding="MULE_INTERNAL")
    return Talk(Book({FROM if is_from else TO: Plan(copy=copy, tag="COPY")})).warm()


def test_a_copy_in_whose_encoding_is_not_known_is_refused_by_copyfail() -> None:
    talk = copying(is_from=True)
    talk.client(query(FROM))
    talk.at_server()
    talk.server(message(b"G", b"\0\0\1\0\0"))
    talk.client(message(b"d", b"ann@example.com\n"), messages.COPY_DONE)
    assert kinds(talk.at_server()) == "f"
    talk.server(error("57014", "COPY from stdin failed"), ready())
    received = talk.at_client()
    assert kinds(received) == "GEZ"
    assert "MULE_INTERNAL" in error_fields(received[1])["M"]
    assert b"ann@example.com" not in talk.sent


def test_a_copy_out_whose_encoding_is_not_known_gives_no_rows() -> None:
    talk = copying(is_from=False)
    talk.client(query(TO))
    talk.server(
        message(b"H", b"\0\0\1\0\0"), message(b"d", hexed(b"x") + b"\n"), messages.COPY_DONE, complete(), ready()
    )
    received = talk.at_client()
    assert kinds(received) == "HEZ"
    assert "MULE_INTERNAL" in error_fields(received[1])["M"]


# -- several values for one sealed parameter ---------------------------------------------------------------------------


def test_a_pattern_and_its_escape_character_become_one_value() -> None:
    text = "SELECT 1 FROM customers WHERE email LIKE $1 ESCAPE $2 AND id = $3"
    sealing = Sealing(EMAIL, Use.LIKE, pieces=(None,), escape=None)
    params = (ServerParam(0, sealing, more=(1,), is_joined=True), ServerParam(1, absorbed=25), ServerParam(2))
    talk = Talk(Book({text: Plan(template=("...",), params=params)})).warm()
    talk.client(parse(text, "j"), bind(b"a+_b", b"+", b"7", statement="j"), SYNC)
    sent = talk.at_server()
    assert messages.parse_parse(sent[0]).types == (17, 25, 0)
    bound = messages.parse_bind(sent[1])
    assert bound.values == [seal(b"a_b"), None, b"7"]
    assert bound.formats == (1, 1, 0)
    talk.server(PARSED, BOUND, ready())
    talk.at_client()
    talk.client(describe("S", "j"), SYNC)
    talk.server(messages.build_parameter_description([17, 25, 23]), NO_DATA, ready())
    assert messages.parse_parameter_description(talk.at_client()[0]) == [25, 25, 23]


# -- the catalog itself ------------------------------------------------------------------------------------------------


def test_a_server_that_gives_no_row_for_the_catalog_ends_the_session() -> None:
    talk = Talk()
    talk.client(parse(SELECT), SYNC)
    sent = talk.at_server()
    answer = {b"P": PARSED, b"B": BOUND, b"C": CLOSED, b"E": complete("SELECT 0"), b"S": ready()}
    talk.server(*(answer[raw[:1]] for raw in sent))
    assert error_fields(talk.at_client()[0])["C"] == "08P01"
    assert talk.session.closing


@pytest.mark.parametrize("values", [(None,), (b"{}", b"{}")])
def test_a_row_for_the_catalog_that_is_none_ends_the_session(values: tuple[bytes | None, ...]) -> None:
    talk = Talk()
    talk.client(parse(SELECT), SYNC)
    assert kinds(talk.at_server()[:4]) == "CPBE"
    talk.server(CLOSED, PARSED, BOUND, row(*values))
    assert error_fields(talk.at_client()[0])["C"] == "08P01"
    assert talk.session.closing
