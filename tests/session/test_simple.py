"""The simple protocol: one Query, one statement or several."""

import pytest

from proxy.errors import Refused
from proxy.session.refusals import POISON
from proxy.sql.plan import Effect, LiteralSlot, Plan, Sealing, Use
from proxy.wire import messages
from proxy.wire.messages import message
from tests.session.playbook import (
    BORN,
    BOUND,
    CATALOG,
    CLOSED,
    EMPTY,
    LITERAL,
    LITERAL_PLAN,
    NO_DATA,
    PARSED,
    POISONED,
    SYNC,
    TABLE,
    Book,
    Talk,
    bind,
    columns,
    complete,
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

EMAIL_ONLY = columns(("email", TABLE, 2, 17))
REFUSED = Refused("column is sealed", position=15)


def text_at_server(talk: Talk) -> str:
    (raw,) = talk.at_server()
    return messages.parse_query(raw).decode()


def test_a_literal_is_sealed_and_the_result_opened() -> None:
    talk = Talk().warm()
    talk.client(query(LITERAL))
    assert hexed(b"ann@example.com").decode() in text_at_server(talk).replace("\\\\", "\\")
    assert b"ann@example.com" not in talk.sent
    talk.server(EMAIL_ONLY, row(hexed(b"ann@example.com")), row(None), complete("SELECT 2"), ready())
    received = talk.at_client()
    assert kinds(received) == "TDDCZ"
    assert messages.parse_row_description(received[0])[0].type == 25
    assert messages.parse_data_row(received[1]) == [b"ann@example.com"]


def test_a_plain_query_is_forwarded_as_the_same_bytes() -> None:
    talk = Talk().warm()
    talk.client(query("SELECT 1 -- comment"))
    assert talk.at_server() == [query("SELECT 1 -- comment")]
    rows = columns(("a", 0, 0, 23)), row(b"1"), complete(), ready()
    talk.server(*rows)
    assert talk.at_client() == list(rows)


def test_an_empty_query_passes() -> None:
    talk = Talk(Book({"": []})).warm()
    talk.client(query(""))
    talk.server(EMPTY, ready())
    assert talk.at_client() == [EMPTY, ready()]


def test_each_statement_of_a_string_has_its_own_results() -> None:
    text = f"SELECT 1 /* one */; {LITERAL}; SELECT 2"
    book = Book({text: [("SELECT 1 /* one */", Plan()), (LITERAL, LITERAL_PLAN), ("SELECT 2", Plan())]})
    talk = Talk(book).warm()
    talk.client(query(text))
    sealed = "E'\\\\x" + seal(b"ann@example.com").hex() + "'"
    assert text_at_server(talk) == (
        f"SELECT 1 /* one */\n;SELECT email FROM customers WHERE email = {sealed}::bytea\n;SELECT 2"
    )
    one = columns(("n", 0, 0, 23)), row(b"1"), complete()
    talk.server(*one, EMAIL_ONLY, row(hexed(b"x")), complete(), *one, ready())
    received = talk.at_client()
    assert kinds(received) == "TDCTDCTDCZ"
    assert messages.parse_data_row(received[4]) == [b"x"]
    assert messages.parse_data_row(received[7]) == [b"1"]


def test_a_refused_statement_ends_the_string_where_it_stands() -> None:
    text = "INSERT INTO t VALUES (1); SELECT upper(email) FROM customers; INSERT INTO t VALUES (2)"
    pieces = text.split("; ")
    book = Book({text: [(pieces[0], Plan()), (pieces[1], REFUSED), (pieces[2], Plan())]})
    talk = Talk(book).warm()
    talk.client(query(text))
    assert text_at_server(talk) == f"{pieces[0]}\n;{POISON}"
    talk.server(complete("INSERT 0 1"), POISONED, ready())
    received = talk.at_client()
    assert kinds(received) == "CEZ"
    assert error_fields(received[1])["M"] == "column is sealed"


def test_an_error_of_an_earlier_statement_is_not_taken_for_the_refusal() -> None:
    text = "SELECT nonsense; SELECT upper(email) FROM customers"
    pieces = text.split("; ")
    talk = Talk(Book({text: [(pieces[0], Plan()), (pieces[1], REFUSED)]})).warm()
    talk.client(query(text))
    talk.server(error("42703", "no such column"), ready())
    assert error_fields(talk.at_client()[0])["M"] == "no such column"


def test_a_syntax_error_is_told_even_in_a_failed_transaction() -> None:
    talk = Talk(Book({"SELEC": Refused("syntax error", sqlstate="42601", position=1)})).warm()
    talk.client(query("SELEC"))
    talk.server(error("25P02"), ready("E"))
    assert error_fields(talk.at_client()[0])["C"] == "42601"


def test_a_syntax_error_needs_no_catalog() -> None:
    talk = Talk(Book({"SELEC": Refused("syntax error", sqlstate="42601", position=1)}))
    talk.client(query("SELEC"))
    assert text_at_server(talk) == POISON
    talk.server(POISONED, ready())
    assert error_fields(talk.at_client()[0])["C"] == "42601"


def test_a_literal_that_its_column_cannot_take_is_refused() -> None:
    text = "INSERT INTO customers (born) VALUES ('never')"
    plan = Plan(template=("INSERT ... (", ")"), literals=(LiteralSlot("never", Sealing(BORN, Use.ASSIGN)),))
    talk = Talk(Book({text: plan})).warm()
    talk.client(query(text))
    assert text_at_server(talk) == POISON
    talk.server(POISONED, ready())
    assert error_fields(talk.at_client()[0])["C"] == "22007"


def test_a_value_that_does_not_open_ends_the_query() -> None:
    talk = Talk().warm()
    talk.client(query(LITERAL))
    talk.server(EMAIL_ONLY, row(b"\\xff"), row(hexed(b"x")), complete(), ready())
    received = talk.at_client()
    assert kinds(received) == "TEZ"
    assert error_fields(received[1])["C"] == "XX001"


def test_backslashes_escape_while_standard_conforming_strings_is_off() -> None:
    read = r"SELECT email FROM people WHERE email = E'a\'b'"
    plan = Plan(
        template=("SELECT email FROM people WHERE email = ", ""),
        literals=(LiteralSlot("a'b", LITERAL_PLAN.literals[0].sealing),),
    )
    talk = Talk(Book({read: plan})).warm()
    talk.server(message(b"S", b"standard_conforming_strings\0off\0"))
    talk.at_client()
    talk.client(query(read.replace("E'", "'")))
    assert seal(b"a'b").hex() in text_at_server(talk)


def test_sql_is_read_and_written_in_client_encoding() -> None:
    text = "SELECT 'é', email FROM customers WHERE email = 'é'"
    plan = Plan(
        template=("SELECT 'é', email FROM customers WHERE email = ", ""),
        literals=(LiteralSlot("é", Sealing(BORN, Use.ASSIGN)),),
    )
    plan = Plan(template=plan.template, literals=(LiteralSlot("é", LITERAL_PLAN.literals[0].sealing),))
    talk = Talk(Book({text: plan})).warm()
    talk.server(message(b"S", b"client_encoding\0LATIN1\0"))
    talk.client(messages.build_query(text.encode("latin-1")))
    sent = talk.at_server()[0]
    assert b"SELECT '\xe9', email" in sent
    assert seal("é".encode()).hex().encode() in sent


# -- strings that can only be analysed as they run ---------------------------------------------------------------------

SCRIPT = "CREATE TABLE x (a int); INSERT INTO x VALUES (1)"
SCRIPT_BOOK = {
    SCRIPT: [
        ("CREATE TABLE x (a int)", Plan(effects=Effect.CATALOG, tag="CREATE TABLE")),
        ("INSERT INTO x VALUES (1)", Plan(tag="INSERT")),
    ],
}


def test_statements_behind_ddl_are_analysed_when_it_has_run() -> None:
    talk = Talk(Book(SCRIPT_BOOK)).warm()
    talk.client(query(SCRIPT))
    sent = talk.script()
    assert kinds(sent) == "PBDE" + "CPBECC" * 2 + "H"
    assert talk.session.wants_client
    talk.server(PARSED, BOUND, NO_DATA, complete("CREATE TABLE"))
    assert talk.at_client() == [complete("CREATE TABLE")]


def test_a_script_gives_what_a_query_gives() -> None:
    talk = Talk(Book(SCRIPT_BOOK)).warm()
    talk.client(query(SCRIPT), query("SELECT 1"))
    created = PARSED, BOUND, NO_DATA, complete("CREATE TABLE")
    first = talk.serve_reads(before=created)
    assert kinds(first) == "PBDE"
    assert messages.parse_parse(first[0]).query == b"CREATE TABLE x (a int)"

    rest = talk.at_server()
    assert kinds(rest) == "PBDES"
    assert messages.parse_parse(rest[0]).query == b"INSERT INTO x VALUES (1)"
    talk.server(PARSED, BOUND, NO_DATA, complete("INSERT 0 1"), ready())
    assert kinds(talk.at_client()) == "CCZ"
    assert talk.serve_reads() == []  # it was the transaction's own view of the catalog until then
    assert talk.at_server() == [query("SELECT 1")]


def test_a_script_begins_with_a_statement_that_makes_the_string_a_transaction_block() -> None:
    """So again behind the end of a transaction in it. It takes no snapshot, and nothing of it reaches the client."""
    pieces = [
        ("CREATE TABLE x (a int)", Plan(effects=Effect.CATALOG, tag="CREATE TABLE")),
        ("COMMIT", Plan(effects=Effect.TRANSACTION, tag="COMMIT")),
        ("LOCK TABLE x", Plan(tag="LOCK TABLE")),
    ]
    text = "; ".join(piece for piece, _ in pieces)
    talk = Talk(Book({text: list(pieces), **dict(pieces)})).warm()
    talk.client(query(text))
    first = talk.script()
    assert kinds(first) == "PBDE" * 2 + "CPBECC" * 2 + "H"
    assert messages.parse_parse(first[4]).query == b"COMMIT"
    talk.server(PARSED, BOUND, NO_DATA, complete("CREATE TABLE"), PARSED, BOUND, NO_DATA, complete("COMMIT"))
    for facts_or_catalog in (CATALOG, facts()):
        talk.server(CLOSED, PARSED, BOUND, row(facts_or_catalog.encode()), complete(), CLOSED, CLOSED)
    assert kinds(talk.script()) == "PBDES"
    talk.server(PARSED, BOUND, NO_DATA, complete("LOCK TABLE"), ready())
    assert kinds(talk.at_client()) == "CCCZ"


def test_an_error_ends_a_script() -> None:
    talk = Talk(Book(SCRIPT_BOOK)).warm()
    talk.client(query(SCRIPT))
    talk.script()
    talk.server(error("42P07", "relation exists"))
    assert kinds(talk.at_client()) == "E"
    assert talk.at_server() == [SYNC]
    talk.server(ready())
    assert talk.at_client() == [ready()]
    talk.client(parse("SELECT 2"), bind(), execute(), SYNC)
    assert kinds(talk.serve_reads()) == ""


REFUSALS = [REFUSED, Plan(template=("", ""), literals=(LiteralSlot("never", Sealing(BORN, Use.ASSIGN)),))]


@pytest.mark.parametrize("plan", REFUSALS, ids=["statement", "literal"])
def test_a_refused_statement_ends_a_script(plan: Plan | Refused) -> None:
    texts = [text for text, _ in SCRIPT_BOOK[SCRIPT]]
    plans = {texts[0]: Plan(effects=Effect.CATALOG), texts[1]: plan}
    talk = Talk(Book({SCRIPT: list(plans.items()), **plans})).warm()
    talk.client(query(SCRIPT))
    talk.serve_reads(before=(PARSED, BOUND, NO_DATA, complete("CREATE TABLE")))
    sent = talk.at_server()
    assert kinds(sent) == "PS"
    assert messages.parse_parse(sent[0]).query == POISON.encode()
    talk.server(POISONED, ready())
    created, refused, end = talk.at_client()
    assert (created, end) == (complete("CREATE TABLE"), ready())
    assert error_fields(refused)["C"] == ("0A000" if plan is REFUSED else "22007")


# -- COPY that touches no sealed column --------------------------------------------------------------------------------

COPY_IN = message(b"G", b"\0\0\x01\0\0")


def test_copy_data_is_streamed_and_nothing_overtakes_it() -> None:
    talk = Talk().warm()
    talk.client(query("COPY plain FROM STDIN"))
    talk.at_server()
    talk.client(message(b"d", b"early\n"))
    assert talk.at_server() == []
    assert not talk.session.wants_client
    talk.server(COPY_IN)
    assert talk.at_server() == [message(b"d", b"early\n")]
    talk.client(message(b"d", b"x" * 100_000), messages.SYNC, messages.COPY_DONE, query("SELECT 1"))
    assert kinds(talk.at_server()) == "dSc"
    talk.server(complete("COPY 2"), ready())
    assert talk.at_server() == [query("SELECT 1")]
    assert talk.at_client() == [COPY_IN, complete("COPY 2"), ready()]


def test_rows_that_follow_a_failed_copy_reach_nobody() -> None:
    talk = Talk().warm()
    talk.client(query("COPY plain FROM STDIN"))
    talk.server(COPY_IN)
    talk.at_server()
    talk.server(error("22P04"), ready())
    talk.client(message(b"d", b"late\n"), messages.COPY_DONE, query("SELECT 1"))
    assert talk.at_server() == [query("SELECT 1")]


def test_copy_in_the_extended_protocol_waits_before_sync() -> None:
    talk = Talk().warm()
    talk.client(parse("COPY plain FROM STDIN"), bind(), execute(), SYNC)
    assert kinds(talk.at_server()) == "PBEH"
    talk.server(PARSED, BOUND, COPY_IN)
    assert talk.at_server() == [SYNC]  # means nothing to the server unless the COPY has failed
    talk.client(message(b"d", b"row\n"), messages.COPY_DONE, SYNC)
    assert kinds(talk.at_server()) == "dcH"
    talk.server(complete("COPY 1"))
    assert talk.at_server() == [SYNC]


@pytest.mark.parametrize("text", ["COPY plain TO STDOUT"])
def test_copy_out_is_forwarded(text: str) -> None:
    talk = Talk().warm()
    talk.client(query(text))
    answers = message(b"H", b"\0\0\x01\0\0"), message(b"d", b"1\n"), messages.COPY_DONE, complete("COPY 1"), ready()
    talk.server(*answers)
    assert talk.at_client() == list(answers)


def test_the_end_of_a_failed_transaction_passes_behind_a_script_that_failed_in_it() -> None:
    talk = Talk(Book(SCRIPT_BOOK)).warm()
    talk.client(query("BEGIN"))
    talk.server(complete("BEGIN"), ready("T"))
    talk.client(query(SCRIPT))
    talk.at_server()
    talk.server(error("25P02"))
    talk.server(ready("E"))
    talk.at_server()
    talk.client(parse("ROLLBACK"), bind(), execute(), SYNC)
    assert kinds(talk.at_server()) == "PBES"


def test_whether_a_script_is_skipped_is_known_before_it_begins() -> None:
    talk = Talk(Book(SCRIPT_BOOK)).warm()
    talk.client(parse("SELECT bad"), query(SCRIPT), SYNC)
    assert kinds(talk.at_server()) == "PH"
    talk.server(error("42703"))
    assert talk.at_server() == [SYNC]


def test_a_script_that_waits_asks_once_to_be_answered() -> None:
    talk = Talk(Book(SCRIPT_BOOK)).warm()
    talk.client(parse("SELECT 1"), bind(), query(SCRIPT))
    assert kinds(talk.at_server()) == "PBH"
    talk.server(PARSED)
    assert talk.at_server() == []
    talk.server(BOUND)
    assert kinds(talk.script())[:4] == "PBDE"


CALLS = "CREATE TABLE x (a int); CALL p()"


def called(*answers: bytes) -> list[bytes]:
    """What the client gets for the second statement of CALLS, whose rows the server describes before it runs it."""
    pieces = [("CREATE TABLE x (a int)", Plan(effects=Effect.CATALOG)), ("CALL p()", Plan(tag="CALL"))]
    talk = Talk(Book({CALLS: pieces, **dict(pieces)})).warm()
    talk.client(query(CALLS))
    talk.serve_reads(before=(PARSED, BOUND, NO_DATA, complete("CREATE TABLE")))
    assert kinds(talk.at_server()) == "PBDES"
    talk.at_client()
    talk.server(PARSED, BOUND, columns(("a", 0, 0, 23)))
    assert talk.at_client() == []
    talk.server(*answers)
    return talk.at_client()


def test_the_rows_of_a_call_are_described_when_it_has_run() -> None:
    described = columns(("a", 0, 0, 23))
    assert called(row(b"1"), complete("CALL"), ready()) == [described, row(b"1"), complete("CALL"), ready()]
    assert called(complete("CALL"), ready()) == [described, complete("CALL"), ready()]


def test_the_rows_of_a_call_that_fails_are_not_described() -> None:
    assert called(error("22012"), ready()) == [error("22012"), ready()]


def test_the_rows_of_a_call_behind_a_value_that_does_not_open_are_told_to_nobody() -> None:
    text = f"CREATE TABLE x (a int); {LITERAL}; CALL p()"
    pieces = [
        ("CREATE TABLE x (a int)", Plan(effects=Effect.CATALOG)),
        (LITERAL, LITERAL_PLAN),
        ("CALL p()", Plan(tag="CALL")),
    ]
    talk = Talk(Book({text: pieces, **dict(pieces)})).warm()
    talk.client(query(text))
    talk.serve_reads(before=(PARSED, BOUND, NO_DATA, complete("CREATE TABLE")))
    assert kinds(talk.at_server()) == "PBDEPBDES"
    talk.at_client()
    talk.server(PARSED, BOUND, EMAIL_ONLY, row(b"\\x00"), complete())
    talk.server(PARSED, BOUND, columns(("a", 0, 0, 23)), row(b"1"), complete("CALL"), ready())
    received = talk.at_client()
    assert kinds(received) == "TEZ"
    assert error_fields(received[1])["C"] == "XX001"


# -- Sync amid the rows of a COPY --------------------------------------------------------------------------------------

NEXT_ROW = message(b"d", b"2\n")


def talk_with_strays(*start: bytes, begun: tuple[bytes, ...]) -> Talk:
    """The server has failed the COPY at its first row, and reads the Syncs behind it when it knows."""
    talk = Talk().warm()
    talk.client(*start)
    talk.at_server()
    talk.server(*begun, COPY_IN)
    talk.client(message(b"d", b"bad\n"), SYNC, NEXT_ROW, SYNC)
    assert kinds(talk.at_server()) == "dSdS"
    talk.at_client()
    return talk


@pytest.mark.parametrize("answered", [0, 1, 2])
@pytest.mark.parametrize("simple", [True, False])
def test_a_sync_amid_the_rows_of_a_copy_counts_where_the_copy_has_failed_before_it(
    answered: int, *, simple: bool
) -> None:
    """Each one is answered then. Which they are is asked by a Sync and a Close behind them."""
    copy = "COPY plain FROM STDIN"
    start = (query(copy),) if simple else (parse(copy), bind(), execute())
    talk = talk_with_strays(*start, begun=() if simple else (PARSED, BOUND))
    talk.server(error("22P02"), *((ready(),) if simple else ()))
    assert kinds(talk.at_server()) == "SCH"
    talk.client(NEXT_ROW, parse("SELECT 1"), SYNC)
    assert talk.at_server() == []
    talk.server(*[ready()] * answered, ready(), CLOSED)
    assert kinds(talk.at_client()) == "E" + "Z" * (answered + simple)
    assert kinds(talk.at_server()) == ("PS" if answered or simple else "S")
    talk.server(*((PARSED,) if answered or simple else ()), ready())
    assert kinds(talk.at_client()) == ("1Z" if answered or simple else "Z")


@pytest.mark.parametrize("answered", [0, 2])
def test_what_stands_behind_such_a_copy_in_a_script_is_not_run(answered: int) -> None:
    pieces = [
        ("CREATE TABLE x (a int)", Plan(effects=Effect.CATALOG, tag="CREATE TABLE")),
        ("COPY x FROM STDIN", Plan(tag="COPY")),
        ("INSERT INTO x VALUES (1)", Plan(tag="INSERT")),
    ]
    text = "; ".join(piece for piece, _ in pieces)
    talk = Talk(Book({text: list(pieces), **dict(pieces)})).warm()
    talk.client(query(text))
    talk.serve_reads(before=(PARSED, BOUND, NO_DATA, complete("CREATE TABLE")))
    talk.at_server()
    talk.server(PARSED, BOUND, NO_DATA, COPY_IN)
    talk.client(message(b"d", b"bad\n"), SYNC, SYNC)
    talk.at_server()
    talk.server(error("22P02"))
    assert kinds(talk.at_server()) == "SCH"
    talk.server(*[ready()] * answered, ready(), CLOSED)
    assert talk.at_server() == [SYNC]
    talk.server(ready())
    assert kinds(talk.at_client()) == "CGE" + "Z" * (answered + 1)


def test_syncs_amid_the_rows_of_a_copy_that_is_done_mean_nothing_when_a_later_one_fails() -> None:
    talk = talk_with_strays(query("COPY plain FROM STDIN; COPY plain FROM STDIN"), begun=())
    talk.client(messages.COPY_DONE)
    talk.server(complete("COPY 2"), COPY_IN)
    talk.at_server()
    talk.server(error("22P02"), ready())
    assert talk.at_server() == []
    assert kinds(talk.at_client()) == "CGEZ"


@pytest.mark.parametrize("wrong", [CLOSED, error("57014") + ready()])
def test_a_server_that_does_not_answer_the_sync_behind_them_breaks_the_protocol(wrong: bytes) -> None:
    talk = talk_with_strays(query("COPY plain FROM STDIN"), begun=())
    talk.server(error("22P02"), ready())
    talk.at_client()
    talk.server(wrong)
    assert error_fields(talk.at_client()[-1])["S"] == "FATAL"
    assert talk.session.closing


# -- COPY in a string of several statements ----------------------------------------------------------------------------

COPIES = "CREATE TABLE x (a int); COPY x FROM STDIN"


@pytest.mark.parametrize("last", [True, False])
def test_a_script_goes_on_when_its_copy_is_over(last: bool) -> None:
    pieces = [("CREATE TABLE x (a int)", Plan(effects=Effect.CATALOG)), ("COPY x FROM STDIN", Plan(tag="COPY"))]
    text = COPIES if last else f"{COPIES}; SELECT 1"
    talk = Talk(Book({text: pieces if last else [*pieces, ("SELECT 1", Plan())], **dict(pieces)})).warm()
    talk.client(query(text))
    talk.serve_reads(before=(PARSED, BOUND, NO_DATA, complete("CREATE TABLE")))
    assert kinds(talk.at_server()) == "PBDEH"
    talk.server(PARSED, BOUND, NO_DATA)
    assert talk.at_server() == []
    talk.server(COPY_IN)
    assert talk.at_server() == []
    talk.client(message(b"d", b"1\n"), messages.COPY_DONE)
    assert kinds(talk.at_server()) == "dcH"
    talk.server(complete("COPY 1"))
    if not last:
        assert kinds(talk.at_server()) == "PBDES"
        talk.server(PARSED, BOUND, NO_DATA, complete())
    else:
        assert talk.at_server() == [SYNC]
    talk.server(ready())
    assert kinds(talk.at_client()) == ("CGCZ" if last else "CGCCZ")


def test_a_statement_whose_printed_text_the_client_encoding_cannot_hold_is_refused() -> None:
    text = r"SELECT U&'\20AC' FROM customers WHERE email = 'ann'"
    plan = Plan(template=("SELECT '€' FROM customers WHERE email = ", ""), literals=LITERAL_PLAN.literals[:1])
    talk = Talk(Book({text: plan})).warm()
    talk.server(message(b"S", b"client_encoding\0LATIN1\0"))
    talk.at_client()
    talk.client(query(text))
    assert text_at_server(talk) == POISON
    talk.server(POISONED, ready())
    assert error_fields(talk.at_client()[0])["C"] == "22P05"
    talk.client(query("SELECT 1"))
    assert text_at_server(talk) == "SELECT 1"
