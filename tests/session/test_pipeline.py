"""Pipelines: names, batches, errors in the middle, and the catalog read in between."""

import pytest

from proxy.errors import Refused
from proxy.session.refusals import missing_statement
from proxy.sql.plan import Cursor, Effect, Plan
from proxy.wire import messages
from proxy.wire.messages import message
from tests.session.playbook import (
    BOUND,
    CLOSED,
    LITERAL,
    LITERAL_PLAN,
    PARSED,
    POISONED,
    SELECT,
    SYNC,
    Book,
    Talk,
    bind,
    close,
    columns,
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


def test_an_error_in_the_middle_takes_back_the_names_of_its_batch() -> None:
    talk = Talk().warm()
    talk.client(parse("SELECT bad", "a"), parse(SELECT, "b"), bind(b"x", statement="b"), SYNC)
    assert kinds(talk.at_server()) == "PPBS"
    talk.server(error("42703"), ready())
    assert kinds(talk.at_client()) == "EZ"
    talk.client(bind(b"x", statement="b"), SYNC)
    talk.server(POISONED, ready())
    assert error_fields(talk.at_client()[0])["C"] == "26000"
    assert seal(b"x") not in talk.sent[talk.sent.rindex(SYNC) :]


def test_a_name_that_an_earlier_batch_changes_is_not_used_before_the_server_has_answered() -> None:
    talk = Talk().warm()
    talk.client(parse(SELECT, "s"), SYNC, bind(b"x", statement="s"), execute(), SYNC)
    assert kinds(talk.at_server()) == "PS"
    assert not talk.session.wants_client
    talk.server(PARSED, ready())
    assert kinds(talk.at_server()) == "BES"
    assert talk.session.wants_client


def test_the_unnamed_portal_of_an_earlier_batch_waits_too() -> None:
    talk = Talk().warm()
    talk.prepare()
    talk.client(query("BEGIN"))
    talk.server(complete("BEGIN"), ready("T"))
    talk.at_server()
    talk.client(bind(b"x", statement="s"), SYNC, execute(), SYNC)
    assert kinds(talk.at_server()) == "BS"
    talk.server(BOUND, ready("T"))
    assert kinds(talk.at_server()) == "ES"
    talk.server(row(b"1", hexed(b"x")), complete(), ready("T"))
    assert messages.parse_data_row(talk.at_client()[-3]) == [b"1", b"x"]


def test_many_batches_may_be_under_way_at_once() -> None:
    talk = Talk().warm()
    talk.prepare()
    one = bind(b"x", statement="s"), execute(), SYNC
    talk.client(*one * 3)
    assert kinds(talk.at_server()) == "BES" * 3
    answer = BOUND, row(b"1", hexed(b"x")), complete(), ready()
    talk.server(*answer, *answer, *answer)
    assert kinds(talk.at_client()) == "2DCZ" * 3


def test_query_inside_a_failed_batch_is_skipped_as_the_server_does() -> None:
    talk = Talk().warm()
    talk.client(parse("SELECT bad"))
    talk.at_server()
    talk.server(error("42703"))
    talk.client(query("SELECT 1"), SYNC)
    assert kinds(talk.at_server()) == "S"
    talk.server(ready())
    assert kinds(talk.at_client()) == "EZ"


def test_query_destroys_the_unnamed_statement() -> None:
    talk = Talk().warm()
    talk.client(parse(SELECT), SYNC, query("SELECT 1"), bind(b"x"), SYNC)
    assert kinds(talk.at_server()) == "PSQ"
    talk.server(PARSED, ready(), complete(), ready())
    assert kinds(talk.at_server()) == "PS"
    talk.server(POISONED, ready())
    assert error_fields(talk.at_client()[-2])["M"] == "unnamed prepared statement does not exist"


def test_a_parse_that_fails_destroys_the_unnamed_statement_before_it() -> None:
    talk = Talk().warm()
    talk.client(parse(SELECT), SYNC)
    talk.server(PARSED, ready())
    talk.client(parse("SELECT bad"), SYNC)
    talk.server(error("42703"), ready())
    talk.at_client()
    talk.client(bind(b"x"), SYNC)
    talk.server(POISONED, ready())
    assert error_fields(talk.at_client()[0])["C"] == "26000"


def test_portals_end_with_their_transaction() -> None:
    talk = Talk().warm()
    talk.prepare()
    talk.client(bind(b"x", statement="s", portal="p"), SYNC)
    talk.server(BOUND, ready())
    talk.at_client()
    talk.client(execute("p"), SYNC)
    talk.server(POISONED, ready())
    assert error_fields(talk.at_client()[0])["M"] == 'portal "p" does not exist'


def test_a_portal_is_read_in_portions_inside_a_transaction() -> None:
    talk = Talk().warm()
    talk.prepare()
    talk.client(query("BEGIN"))
    talk.server(complete("BEGIN"), ready("T"))
    talk.client(bind(b"x", statement="s", portal="p"), execute("p", 1), SYNC)
    talk.server(BOUND, row(b"1", hexed(b"x")), message(b"s"), ready("T"))
    talk.at_client()
    talk.client(execute("p", 1), SYNC)
    talk.server(row(b"2", hexed(b"y")), complete(), ready("T"))
    assert messages.parse_data_row(talk.at_client()[0]) == [b"2", b"y"]


def test_deallocate_takes_the_name_away() -> None:
    text = "DEALLOCATE s"
    talk = Talk(Book({text: Plan(deallocates="s")})).warm()
    talk.prepare()
    talk.client(query(text))
    talk.server(complete("DEALLOCATE"), ready())
    talk.at_client()
    talk.client(bind(b"x", statement="s"), SYNC)
    talk.server(POISONED, ready())
    assert error_fields(talk.at_client()[0])["C"] == "26000"


def test_deallocate_all_that_fails_takes_nothing_away() -> None:
    plan = Plan(effects=Effect.DEALLOCATE_ALL, tag="DEALLOCATE ALL")
    talk = Talk(Book({"DEALLOCATE ALL": plan})).warm()
    talk.prepare()
    talk.client(query("DEALLOCATE ALL"))
    talk.server(error("25P02"), ready("E"))
    talk.client(bind(b"x", statement="s"), SYNC)
    assert messages.parse_bind(talk.at_server()[-2]).values == [seal(b"x")]


def test_names_are_compared_as_the_server_compares_them() -> None:
    talk = Talk().warm()
    talk.client(parse(SELECT, "n" * 63 + "one"), SYNC)
    talk.server(PARSED, ready())
    talk.client(bind(b"x", statement="n" * 63 + "two"), SYNC)
    assert messages.parse_bind(talk.at_server()[-2]).values == [seal(b"x")]


def test_a_cursor_of_declare_is_a_portal_of_the_protocol() -> None:
    talk = Talk(Book({"DECLARE c CURSOR FOR SELECT 1": Plan(declares=Cursor("c", Plan()))})).warm()
    talk.client(query("BEGIN"), query("DECLARE c CURSOR FOR SELECT 1"))
    talk.server(complete("BEGIN"), ready("T"), complete("DECLARE CURSOR"), ready("T"))
    talk.at_server()
    talk.client(describe("P", "c"), execute("c", 5), close("P", "c"), SYNC)
    assert kinds(talk.at_server()) == "DECS"


# -- the catalog -------------------------------------------------------------------------------------------------------


def test_the_catalog_is_read_at_the_border_of_a_batch_with_a_sync_of_its_own() -> None:
    talk = Talk()
    talk.client(parse(SELECT), bind(b"x"), execute(), SYNC)
    sent = talk.at_server()
    assert kinds(sent) == "CPBECC" * 3 + "S"
    assert not talk.session.wants_client
    assert b"" not in {messages.parse_parse(raw).statement for raw in sent if raw[:1] == b"P"}


def test_what_waited_for_the_catalog_goes_on_in_order() -> None:
    talk = Talk()
    talk.client(parse(SELECT), bind(b"x"), execute(), SYNC)
    assert talk.serve_reads() == []
    assert kinds(talk.at_server()) == "PBES"
    assert talk.at_client() == []


def test_in_the_middle_of_a_batch_the_catalog_is_read_without_ending_it() -> None:
    text = "CREATE TABLE t (a int)"
    talk = Talk().warm()
    talk.client(parse(text), bind(), execute(), parse(SELECT, "s"), SYNC)
    sent = talk.at_server()
    assert kinds(sent) == "PBE" + "CPBECC" * 2 + "H"
    talk.server(PARSED, BOUND, complete("CREATE TABLE"))
    assert kinds(talk.at_client()) == "12C"


def test_the_failure_of_a_batch_before_a_read_is_told_once() -> None:
    talk = Talk().warm()
    talk.client(parse("CREATE TABLE t (a int)"), bind(), execute(), parse(SELECT, "s"), SYNC)
    talk.at_server()
    talk.server(error("42501", "permission denied"))
    assert talk.at_server() == [SYNC]
    talk.server(ready())
    assert kinds(talk.at_client()) == "EZ"
    talk.client(parse(SELECT, "s"), SYNC)
    assert talk.serve_reads() == []  # the effect counts as soon as it is sent
    assert kinds(talk.at_server()) == "PS"


def test_a_read_that_fails_is_the_error_of_the_statement() -> None:
    talk = Talk()
    talk.client(parse(SELECT), bind(b"x"), execute(), SYNC)
    talk.at_server()
    talk.server(CLOSED, PARSED, BOUND, error("57014", "canceling statement due to statement timeout"), ready())
    assert talk.at_server() == [SYNC]
    talk.server(ready())
    received = talk.at_client()
    assert kinds(received) == "EZ"
    assert error_fields(received[0])["C"] == "57014"


def test_a_read_that_fails_ends_a_query_with_ready() -> None:
    talk = Talk()
    talk.client(query("SELECT 1"))
    talk.at_server()
    talk.server(CLOSED, PARSED, error("57014"), ready())
    assert kinds(talk.at_client()) == "EZ"
    assert talk.at_server() == []
    assert talk.session.wants_client


def test_a_read_that_fails_in_the_middle_of_a_batch_fails_the_batch() -> None:
    talk = Talk().warm()
    talk.client(parse("SET x = 1"), bind(), execute(), parse(SELECT, "s"), SYNC)
    talk.at_server()
    talk.server(PARSED, BOUND, complete("SET"), CLOSED, error("57014"))
    assert talk.at_server() == [SYNC]
    talk.server(ready())
    assert kinds(talk.at_client()) == "12CEZ"


def test_in_a_failed_transaction_nothing_is_read_and_only_its_end_passes() -> None:
    talk = Talk()
    talk.client(query("BEGIN"))
    talk.server(complete("BEGIN"), ready("T"))
    talk.client(query("BEGIN"))
    talk.server(error("25001"), ready("E"))
    talk.at_server()
    talk.at_client()
    talk.client(query("SELECT 'secret'"))
    assert b"secret" not in b"".join(talk.at_server())
    talk.server(error("25P02"), ready("E"))
    assert error_fields(talk.at_client()[0])["C"] == "25P02"
    talk.client(query("ROLLBACK"))
    assert talk.at_server() == [query("ROLLBACK")]


def test_set_transaction_comes_before_any_read() -> None:
    talk = Talk()
    talk.client(query("BEGIN"), query("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"))
    assert kinds(talk.at_server()) == "QQ"


def test_an_unknown_name_is_looked_up_again_before_it_is_told() -> None:
    book = Book({"SELECT * FROM fresh": Refused('relation "fresh" does not exist', sqlstate="42P01")})
    talk = Talk(book).warm()
    talk.client(query("SELECT * FROM fresh"))
    book.plans.clear()
    assert talk.serve_reads() == []
    assert talk.at_server() == [query("SELECT * FROM fresh")]


def test_a_name_that_stays_unknown_is_told_after_one_look() -> None:
    book = Book({"SELECT * FROM never": Refused('relation "never" does not exist', sqlstate="42P01")})
    talk = Talk(book).warm()
    talk.client(query("SELECT * FROM never"))
    talk.serve_reads()
    assert kinds(talk.at_server()) == "Q"
    talk.server(POISONED, ready())
    assert error_fields(talk.at_client()[0])["C"] == "42P01"


def test_a_second_session_takes_the_catalog_of_the_first() -> None:
    talk = Talk().warm()
    other = Talk(shared=talk.shared)
    other.client(query("SELECT 1"))
    sent = other.at_server()
    assert kinds(sent) == "CPBECCS"  # only what belongs to the session itself
    assert b"current_schemas" in sent[1]


def test_a_changed_search_path_makes_prepared_statements_look_again() -> None:
    book = Book()
    talk = Talk(book).warm()
    talk.prepare()
    talk.client(query("SET search_path = other"))
    talk.server(complete("SET"), ready())
    talk.at_server()
    talk.at_client()
    book.plans[SELECT] = Plan()  # in that schema the table is another, and plain
    talk.client(bind(b"x", statement="s"), SYNC)
    talk.serve_reads(session_facts=facts(schemas=("pg_catalog", "other")))
    assert seal(b"x") not in b"".join(talk.at_server())
    talk.server(POISONED, ready())
    assert error_fields(talk.at_client()[0])["M"] == "cached plan must not change result type"


def test_after_ddl_has_committed_the_shared_catalog_is_gone() -> None:
    talk = Talk().warm()
    talk.client(query("CREATE TABLE t (a int)"))
    talk.server(complete("CREATE TABLE"), ready())
    assert talk.shared.database("shop").snapshot is None
    talk.at_server()
    talk.client(query("SELECT 1"))
    assert talk.serve_reads() == []
    assert talk.shared.database("shop").snapshot is not None


def test_inside_the_transaction_of_ddl_the_catalog_is_the_sessions_own() -> None:
    talk = Talk().warm()
    before = talk.shared.database("shop").snapshot
    talk.client(query("BEGIN"), query("CREATE TABLE t (a int)"))
    talk.server(complete("BEGIN"), ready("T"), complete("CREATE TABLE"), ready("T"))
    talk.at_server()
    talk.client(query("SELECT 1"))
    talk.serve_reads(status="T")
    assert talk.shared.database("shop").snapshot is before
    assert talk.at_server() == [query("SELECT 1")]


@pytest.mark.parametrize("code", ["42P01", "42883"])
def test_a_planned_statement_that_the_server_does_not_understand_renews_the_catalog(code: str) -> None:
    talk = Talk().warm()
    talk.prepare()
    talk.client(bind(b"x", statement="s"), execute(), SYNC)
    talk.at_server()
    talk.server(error(code), ready())
    talk.client(bind(b"x", statement="s"), execute(), SYNC)
    assert talk.serve_reads() == []


def test_ddl_of_another_session_renews_catalog_and_search_path() -> None:
    talk = Talk().warm()
    other = Talk(shared=talk.shared).warm()
    other.client(query("CREATE SCHEMA app"))
    other.server(complete("CREATE SCHEMA"), ready())
    talk.client(query("SELECT 1"))
    assert kinds(talk.at_server()) == "CPBECC" * 2 + "S"


def test_ddl_under_way_in_a_pipeline_is_still_ddl_when_an_earlier_batch_ends() -> None:
    talk = Talk().warm()
    talk.client(query("CREATE TABLE a (a int)"), query("CREATE TABLE b (a int)"))
    assert kinds(talk.at_server()) == "Q"  # the second waits: what it rests on is being changed
    talk.server(complete("CREATE TABLE"), ready())
    assert talk.serve_reads() == []
    assert talk.at_server() == [query("CREATE TABLE b (a int)")]


def test_binds_of_one_statement_are_sealed_whatever_differs_between_them() -> None:
    talk = Talk().warm()
    talk.prepare()
    cases: list[tuple[bytes | None, str, tuple[int, ...], tuple[int, ...]]] = [
        (b"ann", "", (), ()),
        (b"bob", "", (), ()),
        (None, "", (), ()),
        (b"", "", (), ()),
        (b"a much longer value", "", (1,), ()),
        (b"cid", "", (1,), (0, 1)),
        (b"dot", "p", (1,), (0, 1)),
        (b"eve", "p", (0,), (1,)),
        (b"fay", "", (), ()),
    ]
    for value, portal, formats, results in cases * 2:
        talk.client(bind(value, statement="s", portal=portal, formats=formats, results=results), execute(portal))
        sealed = None if value is None else seal(value)
        assert talk.at_server()[0] == bind(sealed, statement="s", portal=portal, formats=(1,), results=results)
    talk.client(SYNC)
    talk.server(*(BOUND, complete("SELECT 0")) * 2 * len(cases), ready())
    assert kinds(talk.at_client()) == "2C" * 2 * len(cases) + "Z"


def test_a_bind_like_the_last_one_is_sealed_under_the_settings_of_now() -> None:
    talk = Talk().warm()
    talk.prepare()
    for encoding, value in (("UTF8", "é".encode()), ("LATIN1", b"\xe9"), ("LATIN1", b"\xe9"), ("UTF8", "é".encode())):
        talk.server(message(b"S", b"client_encoding\0" + encoding.encode() + b"\0"))
        talk.client(bind(value, statement="s"), bind(value, statement="s"), SYNC)
        assert talk.at_server()[:2] == [bind(seal("é".encode()), statement="s", formats=(1,))] * 2
        talk.server(BOUND, BOUND, ready())


def test_the_first_bad_value_among_binds_of_one_form_is_the_one_told() -> None:
    talk = Talk().warm()
    talk.prepare()
    one, bad = bind(b"ann", statement="s"), bind(b"\xff", statement="s")
    talk.client(one, execute(), one, execute(), bad, execute(), one, execute(), SYNC)
    assert kinds(talk.at_server()) == "BEBEPS"
    talk.server(BOUND, complete("SELECT 0"), BOUND, complete("SELECT 0"), POISONED, ready())
    received = talk.at_client()
    assert kinds(received) == "2C2CEZ"
    assert error_fields(received[4])["C"] == "22021"
    for values in ((), (b"x", b"y")):
        talk.client(bind(*values, statement="s"), SYNC)
        assert kinds(talk.at_server()) == "CPS"
        talk.server(CLOSED, POISONED, ready())
        assert error_fields(talk.at_client()[0])["C"] == "08P01"
    talk.client(one[:4] + bytes((one[4] + 1,)) + one[5:] + b"\0", SYNC)
    assert kinds(talk.at_server()) == "CPS", "a byte too many"
    talk.server(CLOSED, POISONED, ready())
    assert error_fields(talk.at_client()[0])["M"] == "invalid message format"


@pytest.mark.parametrize("executed", [False, True])
def test_a_query_ends_the_transaction_that_a_reading_in_its_batch_has_begun(executed: bool) -> None:
    """PostgreSQL keeps the implicit transaction of a pipeline in which something was executed, beyond a Query. Where
    only the proxy has executed anything, the Query goes as a batch, whose Sync ends it."""
    talk = Talk()
    first = parse("") + bind() + execute() + (parse("SET a = 1", "s") + bind(statement="s") + execute()) * executed
    talk.client(first + query("SELECT id FROM plain"))
    told = (PARSED, BOUND, message(b"I"), *((PARSED, BOUND, complete("SET")) if executed else ()))
    talk.serve_reads(before=told)
    if not executed:
        assert kinds(talk.at_server()) == "PBDES"
        talk.server(PARSED, BOUND, columns(("id", 5, 1, 23)), complete("SELECT 0"), ready())
        assert kinds(talk.at_client()[-3:]) == "TCZ"
    else:
        assert talk.at_server() == [query("SELECT id FROM plain")]


def talk_in_pipeline(*behind: bytes) -> Talk:
    """A Query behind an Execute has left the implicit transaction open, and the catalog stale."""
    talk = Talk().warm()
    talk.client(parse("CREATE TABLE t (a int)"), bind(), execute(), query("CREATE TABLE u (a int)"), *behind)
    talk.serve_reads(before=(PARSED, BOUND, complete("CREATE TABLE")))
    assert kinds(talk.at_server()) == "Q" + "S" * len(behind)
    talk.server(complete("CREATE TABLE"), ready("T"), *[ready("T")] * len(behind))
    talk.at_client()
    return talk


@pytest.mark.parametrize("behind", [(), (SYNC,)])
def test_behind_a_query_in_a_pipeline_the_catalog_is_read_without_a_sync(behind: tuple[bytes, ...]) -> None:
    """Only a Sync of the client may end what is open there. What is still open behind that is a block."""
    talk = talk_in_pipeline(*behind)
    talk.client(query(LITERAL))
    assert kinds(talk.at_server()) == "CPBECC" * 2 + ("S" if behind else "H")


@pytest.mark.parametrize("sent", [query(LITERAL), parse(LITERAL)])
def test_a_reading_that_fails_behind_a_query_in_a_pipeline_fails_the_message_that_waits(sent: bytes) -> None:
    talk = talk_in_pipeline()
    talk.client(sent, query("SELECT 2"))
    talk.at_server()
    talk.server(CLOSED, PARSED, error("57014"))
    assert kinds(talk.at_client()) == "E"
    if sent == query(LITERAL):
        assert talk.at_server() == [SYNC]
        talk.server(ready())
        assert kinds(talk.at_client()) == "Z"
        assert talk.serve_reads() == []
        assert talk.at_server() == [query("SELECT 2")]
    else:
        assert talk.at_server() == [], "skipped, as the server would skip it"
        talk.client(SYNC)
        assert talk.at_server() == [SYNC]


def test_a_query_whose_reading_fails_behind_the_clients_own_messages_ends_in_ready() -> None:
    """The server skips what it gets then, but for the client the Query has failed, and is answered."""
    talk = Talk().warm()
    talk.client(parse("CREATE TABLE t (a int)"), bind(), execute(), query(LITERAL), query("SELECT 2"))
    assert kinds(talk.at_server()) == "PBE" + "CPBECC" * 2 + "H"
    talk.server(PARSED, BOUND, complete("CREATE TABLE"), CLOSED, error("57014"))
    assert kinds(talk.at_client()) == "12CE"
    assert talk.at_server() == [SYNC]
    talk.server(ready())
    assert kinds(talk.at_client()) == "Z"
    assert talk.serve_reads() == []
    assert talk.at_server() == [query("SELECT 2")]


def test_a_query_behind_messages_that_fail_is_skipped_with_its_reading() -> None:
    talk = Talk().warm()
    talk.client(parse("CREATE TABLE t (a int)"), bind(), execute(), query(LITERAL), SYNC)
    talk.at_server()
    talk.server(PARSED, BOUND, error("42P07"))
    assert kinds(talk.at_client()) == "12E"
    assert talk.at_server() == [SYNC]
    talk.server(ready())
    assert kinds(talk.at_client()) == "Z"


def test_what_a_transaction_has_changed_is_not_taken_for_granted_behind_its_end() -> None:
    """SET LOCAL is undone, and a commit may fail: a message behind Sync waits until that is answered."""
    change = "SET LOCAL DateStyle = 'German'"
    talk = Talk(Book({change: Plan(effects=Effect.SETTINGS, tag="SET")})).warm()
    talk.client(parse(change), bind(), execute(), parse(SELECT, "s"), SYNC, query(LITERAL))
    talk.serve_reads(before=(PARSED, BOUND, complete("SET")))
    assert kinds(talk.at_server()) == "PS"
    talk.server(PARSED, ready())
    assert talk.serve_reads() == []
    assert kinds(talk.at_server()) == "Q"


def code_in_a_failed_transaction(talk: Talk, sent: bytes) -> str:
    """SQLSTATE that the client gets for `sent`, where the server says 25P02 to what it gets."""
    talk.client(query("BEGIN"))
    talk.at_server()
    talk.server(complete("BEGIN"), ready("E"))
    talk.at_client()
    talk.client(sent + SYNC * (sent[:1] == b"P"))
    talk.at_server()
    talk.server(error("25P02"), ready("E"))
    return error_fields(talk.at_client()[0])["C"]


@pytest.mark.parametrize("sent", [query("EXECUTE missing"), parse("EXECUTE missing")])
def test_in_a_failed_transaction_a_name_in_sql_is_not_looked_up(sent: bytes) -> None:
    talk = Talk(Book({"EXECUTE missing": missing_statement(b"missing")})).warm()
    assert code_in_a_failed_transaction(talk, sent) == "25P02"


def test_the_formats_of_a_bind_are_counted_by_its_values_first() -> None:
    talk = Talk().warm()
    talk.prepare()
    talk.client(bind(b"a", b"b", statement="s", formats=(0, 0, 0)), SYNC)
    talk.at_server()
    talk.server(POISONED, ready())
    told = error_fields(talk.at_client()[0])
    assert told["M"] == "bind message has 3 parameter formats but 2 parameters"


def test_a_refused_parse_of_the_unnamed_statement_destroys_the_one_before_it() -> None:
    """As in PostgreSQL. The one before it would else run in its place."""
    refused = Refused("refused")
    talk = Talk(Book({"SELECT refused": refused})).warm()
    talk.client(parse("SELECT 1"), SYNC)
    talk.at_server()
    talk.server(PARSED, ready())
    talk.at_client()
    talk.client(parse("SELECT refused"), SYNC)
    poison, _ = talk.at_server()
    assert messages.parse_parse(poison).statement == b""
    talk.server(POISONED, ready())
    assert error_fields(talk.at_client()[0])["M"] == "refused"
    talk.client(bind(), execute(), SYNC)
    assert kinds(talk.at_server()) == "PS"
    talk.server(POISONED, ready())
    assert error_fields(talk.at_client()[0])["C"] == "26000"


@pytest.mark.parametrize("sent", [message(b"Q", b"SELECT '\xff'\0"), message(b"P", b"\xff\0SELECT 1\0\0\0")])
def test_a_text_that_is_not_in_its_encoding_is_told_in_a_failed_transaction_too(sent: bytes) -> None:
    talk = Talk().warm()
    assert code_in_a_failed_transaction(talk, sent) == "22021"


@pytest.mark.parametrize("between", [b"", query("SELECT 1"), SYNC])
def test_a_script_waits_where_the_server_may_be_skipping(between: bytes) -> None:
    """Its Sync would end that. A Query in between is skipped as well; a Sync is not, but what status follows it?"""
    text = f"SET a = 1; {LITERAL}"
    pieces = [("SET a = 1", Plan(effects=Effect.SETTINGS, tag="SET")), (LITERAL, LITERAL_PLAN)]
    talk = Talk(Book({text: pieces, "SET a = 1": pieces[0][1]})).warm()
    talk.client(describe("P", "missing") + between + query(text))
    assert kinds(talk.at_server()) == {b"": "DH", SYNC: "DS"}.get(between, "DQ")
    talk.server(error("34000"))
    if between == SYNC:
        assert talk.at_server() == []
        talk.server(ready())
        assert kinds(talk.at_server()) == "CPBECC" + "PBDE" + "CPBECC" + "H"
    else:
        assert talk.at_server() == []
