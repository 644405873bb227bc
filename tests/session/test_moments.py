"""Message sequences that clients are free to send, and what may come in between: each as PostgreSQL would take it."""

from __future__ import annotations

import gc
import struct
import tracemalloc

import pytest

from proxy.config import Policy
from proxy.errors import Refused
from proxy.sql.plan import Effect, Plan
from proxy.wire import messages
from proxy.wire.messages import message
from tests.session.playbook import (
    BOUND,
    CLOSED,
    EMPTY,
    NO_DATA,
    PARSED,
    POISONED,
    SEALED_COLUMNS,
    SELECT,
    SUSPENDED,
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
    hexed,
    kinds,
    parse,
    query,
    ready,
    row,
    seal,
)

FLUSH = messages.FLUSH
EMPTY_POLICY = Policy(())
ANYTIME = (
    message(b"A", b"\0\0\0\x01chan\0payload\0"),
    messages.build_fields(b"N", [(b"S", b"NOTICE"), (b"C", b"00000"), (b"M", b"hi")]),
    message(b"S", b"application_name\0psql\0"),
)
OPENED = row(b"7", b"ann")
SEALED_ROW = row(b"7", hexed(b"ann"))


# -- pipelining without limit ------------------------------------------------------------------------------------------


def test_a_pipeline_without_end_needs_no_memory_once_it_is_answered() -> None:
    """2,000 batches, 100 of them under way at any time: what is kept for them is gone when they are answered."""
    # given
    talk = Talk().warm()
    talk.prepare()
    batch = bind(b"ann", statement="s") + execute() + SYNC
    answer = BOUND + SEALED_ROW + complete() + ready()

    def hundred() -> None:
        talk.client(batch * 100)
        assert kinds(talk.at_server()) == "BES" * 100
        talk.server(answer * 100)
        assert kinds(talk.at_client()) == "2DCZ" * 100
        talk.sent.clear()

    hundred()
    tracemalloc.start()
    hundred()
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    # when
    for _ in range(20):
        hundred()
    # then
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 16 * 1024
    assert talk.session.idle


def test_batches_without_sync_between_them_are_one_transaction_of_any_length() -> None:
    talk = Talk().warm()
    talk.prepare()
    talk.client((bind(b"ann", statement="s") + execute()) * 500)
    assert kinds(talk.at_server()) == "BE" * 500
    talk.server((BOUND + SEALED_ROW + complete()) * 500)
    assert talk.at_client() == [BOUND, OPENED, complete()] * 500
    talk.client(SYNC)
    talk.server(ready())
    assert talk.at_client() == [ready()]


# -- Flush, Sync, Describe ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [None, EMPTY_POLICY], ids=["policy", "no policy"])
def test_flush_is_answered_by_nothing_and_ends_nothing(policy: Policy | None) -> None:
    talk = Talk().warm() if policy is None else Talk(policy=policy)
    talk.client(FLUSH, parse("SELECT 1"), FLUSH, FLUSH)
    assert kinds(talk.at_server()) == "HPHH"
    talk.server(PARSED)
    assert talk.at_client() == [PARSED]
    assert not talk.session.idle
    talk.client(SYNC, FLUSH)
    talk.server(ready())
    assert talk.at_client() == [ready()]


def test_each_sync_is_answered_by_one_ready() -> None:
    talk = Talk().warm()
    talk.client(SYNC, SYNC, SYNC)
    assert talk.at_server() == [SYNC] * 3
    talk.server(ready(), ready("T"), ready())
    assert talk.at_client() == [ready(), ready("T"), ready()]


def test_a_statement_is_described_before_and_after_it_is_bound_and_run() -> None:
    talk = Talk().warm()
    talk.client(
        parse(SELECT, "s"), describe("S", "s"), bind(b"ann", statement="s"), describe("P"), execute(),
        describe("S", "s"), SYNC,
    )  # fmt: skip
    assert kinds(talk.at_server()) == "PDBDEDS"
    wanted = messages.build_parameter_description([17])
    talk.server(
        PARSED, wanted, SEALED_COLUMNS, BOUND, SEALED_COLUMNS, SEALED_ROW, complete(), wanted, SEALED_COLUMNS, ready()
    )
    told = talk.at_client()
    assert kinds(told) == "1tT2TDCtTZ"
    shown = columns(("id", 16_385, 1, 23))[7:]
    assert told[1] == told[7] == messages.build_parameter_description([25])
    assert told[2] == told[4] == told[8]
    assert shown in told[2]
    assert struct.pack("!I", 25) in told[2]
    assert told[5] == OPENED


def test_describe_of_unknown_names_fails_as_the_server_says() -> None:
    talk = Talk().warm()
    talk.client(describe("P", "nothing"), SYNC)
    assert kinds(talk.at_server()) == "DS"
    missing = error("34000", 'portal "nothing" does not exist')
    talk.server(missing, ready())
    assert talk.at_client() == [missing, ready()]


# -- row limits --------------------------------------------------------------------------------------------------------


def test_a_suspended_portal_goes_on_where_it_stopped_also_in_a_later_batch_of_its_transaction() -> None:
    talk = Talk().warm()
    talk.client(query("BEGIN"))
    talk.server(complete("BEGIN"), ready("T"))
    talk.at_server(), talk.at_client()
    talk.client(parse(SELECT), bind(b"ann", portal="p"), describe("P", "p"), execute("p", 1), execute("p", 1), SYNC)
    talk.at_server()
    talk.server(PARSED, BOUND, SEALED_COLUMNS, SEALED_ROW, SUSPENDED, SEALED_ROW, SUSPENDED, ready("T"))
    told = talk.at_client()
    assert kinds(told) == "12TDsDsZ"
    assert told[3] == told[5] == OPENED
    talk.client(execute("p", 5), close("P", "p"), SYNC)
    assert kinds(talk.at_server()) == "ECS"
    talk.server(SEALED_ROW, complete("SELECT 1"), CLOSED, ready("T"))
    assert talk.at_client() == [OPENED, complete("SELECT 1"), CLOSED, ready("T")]


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["S", "P"])
def test_closing_an_unknown_name_is_no_error(kind: str) -> None:
    talk = Talk().warm()
    talk.client(close(kind, "never"), close(kind), SYNC)
    assert talk.at_server() == [close(kind, "never"), close(kind), SYNC]
    talk.server(CLOSED, CLOSED, ready())
    assert talk.at_client() == [CLOSED, CLOSED, ready()]


def test_a_bind_takes_the_unnamed_statement_that_was_parsed_last() -> None:
    talk = Talk().warm()
    talk.client(
        parse("SELECT 1"), bind(), execute(), parse(SELECT), bind(b"ann"), execute(), parse("SELECT 2"), bind(),
        execute(), SYNC,
    )  # fmt: skip
    sent = talk.at_server()
    assert kinds(sent) == "PBEPBEPBES"
    assert seal(b"ann") in sent[4]
    plain = [PARSED, BOUND, row(b"1"), complete()]
    talk.server(*plain, PARSED, BOUND, SEALED_ROW, complete(), *plain, ready())
    assert talk.at_client() == [*plain, PARSED, BOUND, OPENED, complete(), *plain, ready()]


def test_a_name_whose_parse_failed_can_be_parsed_again() -> None:
    talk = Talk().warm()
    talk.client(parse("SELECT bad", "s"), SYNC)
    talk.at_server()
    talk.server(error("42703"), ready())
    assert kinds(talk.at_client()) == "EZ"
    talk.client(parse(SELECT, "s"), SYNC, bind(b"ann", statement="s"), execute(), SYNC)
    assert kinds(talk.at_server()) == "PS"
    talk.server(PARSED, ready())
    sent = talk.at_server()
    assert kinds(sent) == "BES"
    assert seal(b"ann") in sent[0]


def test_a_name_that_is_taken_keeps_what_it_had_when_it_is_parsed_again_without_close() -> None:
    talk = Talk().warm()
    talk.prepare("s")
    talk.client(parse("SELECT 1", "s"), SYNC)
    talk.at_server()
    taken = error("42P05", 'prepared statement "s" already exists')
    talk.server(taken, ready())
    assert talk.at_client() == [taken, ready()]
    talk.client(bind(b"ann", statement="s"), execute(), SYNC)
    assert seal(b"ann") in talk.at_server()[0]


@pytest.mark.parametrize("text", ["DEALLOCATE ALL", "DISCARD ALL"])
def test_names_that_a_statement_takes_away_amid_a_pipeline_are_gone_behind_it(text: str) -> None:
    talk = Talk(Book({text: Plan(effects=Effect.DEALLOCATE_ALL, tag=text)})).warm()
    talk.prepare("s")
    # when the name is used in the batch behind
    talk.client(parse(text), bind(), execute(), SYNC, bind(b"ann", statement="s"), execute(), SYNC)
    assert kinds(talk.at_server()) == "PBES", "what the first batch does must be known first"
    talk.server(PARSED, BOUND, complete(text), ready())
    assert kinds(talk.at_client()) == "12CZ"
    # then nothing is sealed for a statement that is not there, and the error is the server's
    assert seal(b"ann") not in b"".join(talk.at_server())
    talk.server(POISONED, ready())
    told = talk.at_client()
    assert kinds(told) == "EZ"
    assert error_fields(told[0])["C"] == "26000"


def test_a_name_taken_away_in_its_own_batch_is_gone_for_the_rest_of_it() -> None:
    talk = Talk(Book({"DEALLOCATE ALL": Plan(effects=Effect.DEALLOCATE_ALL, tag="DEALLOCATE ALL")})).warm()
    talk.prepare("s")
    talk.client(parse("DEALLOCATE ALL"), bind(), execute(), bind(b"ann", statement="s"), execute(), SYNC)
    assert seal(b"ann") not in b"".join(talk.at_server())
    talk.server(PARSED, BOUND, complete("DEALLOCATE ALL"), POISONED, ready())
    told = talk.at_client()
    assert kinds(told) == "12CEZ"
    assert error_fields(told[3])["C"] == "26000"


# -- what the server says that nobody has asked for --------------------------------------------------------------------


@pytest.mark.parametrize("policy", [None, EMPTY_POLICY], ids=["policy", "no policy"])
def test_notices_notifications_and_settings_come_between_any_two_messages(policy: Policy | None) -> None:
    talk = Talk().warm() if policy is None else Talk(policy=policy)
    conversation: list[tuple[bytes, list[bytes]]] = [
        (parse("SELECT 1", "s") + describe("S", "s"), []),
        (FLUSH, [PARSED, messages.build_parameter_description([]), columns(("n", 0, 0, 23))]),
        (bind(statement="s") + execute(limit=1) + execute() + close("S", "s") + SYNC,
         [BOUND, row(b"1"), SUSPENDED, complete(), CLOSED, ready()]),
        (query("SELECT 1; SELECT 2"), [columns(("n", 0, 0, 23)), row(b"1"), complete()] * 2 + [ready()]),
        (query("COPY t TO STDOUT"), [message(b"H", b"\0\0\x01\0\0"), message(b"d", b"1\n"), messages.COPY_DONE,
                                     complete("COPY 1"), ready()]),
        (query("LISTEN chan"), [complete("LISTEN"), ready()]),
    ]  # fmt: skip
    if policy is None:
        conversation[3] = (query("SELECT 1"), [columns(("n", 0, 0, 23)), row(b"1"), complete(), ready()])
    for sent, answers in conversation:
        talk.server(*ANYTIME)
        assert talk.at_client() == list(ANYTIME)
        talk.client(sent)
        assert b"".join(talk.at_server()) == sent
        expected = [*ANYTIME, *(piece for answer in answers for piece in (answer, *ANYTIME))]
        talk.server(*expected)
        assert talk.at_client() == expected
    assert talk.session.idle


def test_they_come_while_the_proxy_asks_for_itself() -> None:
    """Between the answers to its own queries, which the client does not see, as anywhere else."""
    talk = Talk()
    talk.client(query("SELECT id FROM customers"))
    asked = talk.at_server()
    for raw in asked:
        talk.server(*ANYTIME)
        assert talk.at_client() == list(ANYTIME)
        if raw[:1] == b"P":
            talk.server(PARSED)
            break
        talk.server(CLOSED)
    assert talk.at_client() == []


def test_while_the_client_copies_in() -> None:
    talk = Talk().warm()
    talk.client(query("COPY t FROM STDIN"))
    talk.at_server()
    begins = message(b"G", b"\0\0\x01\0\0")
    talk.server(*ANYTIME, begins, *ANYTIME)
    assert talk.at_client() == [*ANYTIME, begins, *ANYTIME]
    talk.client(message(b"d", b"1\n"))
    talk.server(*ANYTIME)
    assert talk.at_client() == list(ANYTIME)
    talk.client(messages.COPY_DONE)
    talk.server(*ANYTIME, complete("COPY 1"), *ANYTIME, ready())
    assert talk.at_client() == [*ANYTIME, complete("COPY 1"), *ANYTIME, ready()]


# -- empty queries, function calls, large objects ----------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "  ", ";", "-- nothing"])
def test_empty_statements_are_answered_as_empty(text: str) -> None:
    talk = Talk(Book({text: []})).warm()
    talk.client(query(text), parse(text), bind(), describe("P"), execute(), SYNC)
    assert kinds(talk.at_server()) == "QPBDES"
    answers = [EMPTY, ready(), PARSED, BOUND, NO_DATA, EMPTY, ready()]
    talk.server(*answers)
    assert talk.at_client() == answers


def test_a_large_object_is_written_and_read_by_function_calls_in_a_transaction() -> None:
    """lo_open, lowrite and loread as libpq calls them: by OID, in a block, each answered by its own ready."""

    def call(oid: int, *arguments: bytes) -> bytes:
        packed = b"".join(struct.pack("!i", len(one)) + one for one in arguments)
        return message(b"F", struct.pack("!iHHH", oid, 1, 1, len(arguments)), packed, struct.pack("!H", 1))

    lo_open, loread, lowrite = 952, 954, 955
    talk = Talk().warm()
    talk.client(query("BEGIN"))
    talk.server(complete("BEGIN"), ready("T"))
    talk.at_server(), talk.at_client()
    calls = (
        (call(lo_open, b"\0\0\x40\1", b"\0\6\0\0"), b"\0\0\0\0"),
        (call(lowrite, b"\0\0\0\0", b"x" * 10_000), b"\0\0\x27\x10"),
        (call(loread, b"\0\0\0\0", b"\0\0\1\0"), b"x" * 256),
    )
    for sent, result in calls:
        talk.client(sent)
        assert b"".join(talk.at_server()) == sent
        answer = message(b"V", struct.pack("!i", len(result)), result)
        talk.server(answer, ready("T"))
        assert talk.at_client() == [answer, ready("T")]
    talk.client(call(loread, b"\0\0\0\1", b"\0\0\1\0"))
    talk.at_server()
    talk.server(error("42704", "invalid large-object descriptor: 1"), ready("E"))
    assert kinds(talk.at_client()) == "EZ"


# -- the retry of drivers ----------------------------------------------------------------------------------------------


def _change_the_schema(talk: Talk) -> None:
    """DDL, behind which the plan of a statement may be another."""
    talk.client(query("CREATE TABLE t ()"))
    talk.at_server()
    talk.server(complete("CREATE TABLE"), ready())
    talk.at_client()


def test_a_stale_plan_is_told_so_that_drivers_prepare_again() -> None:
    """pgjdbc and asyncpg go by SQLSTATE and the routine that PostgreSQL names, not by the text."""
    book = Book()
    talk = Talk(book).warm()
    talk.prepare("s")
    _change_the_schema(talk)
    book.plans[SELECT] = Plan(tag="SELECT")
    # when the driver executes
    talk.client(bind(b"ann", statement="s"), describe("P"), execute(), SYNC)
    talk.serve_reads()
    assert seal(b"ann") not in b"".join(talk.at_server())
    talk.server(POISONED, ready())
    # then it is told as PostgreSQL would tell it
    told = talk.at_client()
    assert kinds(told) == "EZ"
    fields = error_fields(told[0])
    assert (fields["C"], fields["R"]) == ("0A000", "RevalidateCachedQuery")
    # and its retry, Close and Parse under the same name, works in the same connection
    talk.client(close("S", "s"), parse(SELECT, "s"), bind(b"ann", statement="s"), execute(), SYNC)
    assert kinds(talk.at_server()) == "CPBES"
    talk.server(CLOSED, PARSED, BOUND, row(b"7", b"x"), complete(), ready())
    assert kinds(talk.at_client()) == "312DCZ"


def test_a_policy_that_changes_what_a_prepared_statement_means_is_told_in_the_same_way() -> None:
    book = Book()
    talk = Talk(book).warm()
    talk.prepare("s")
    talk.shared.replace_policy(Policy(talk.shared.policy.columns[:1]))
    book.plans[SELECT] = Plan(tag="SELECT")
    talk.client(bind(b"ann", statement="s"), execute(), SYNC)
    talk.serve_reads()
    talk.at_server()
    talk.server(POISONED, ready())
    fields = error_fields(talk.at_client()[0])
    assert (fields["C"], fields["R"]) == ("0A000", "RevalidateCachedQuery")


def test_a_statement_whose_table_is_gone_says_that() -> None:
    book = Book()
    talk = Talk(book).warm()
    talk.prepare("s")
    _change_the_schema(talk)
    book.plans[SELECT] = Refused('relation "customers" does not exist', sqlstate="42P01", position=24)
    talk.client(bind(b"ann", statement="s"), execute(), SYNC)
    talk.serve_reads()
    talk.at_server()
    talk.server(POISONED, ready())
    fields = error_fields(talk.at_client()[0])
    assert (fields["C"], fields["P"]) == ("42P01", "24")


def test_other_refusals_do_not_name_that_routine() -> None:
    talk = Talk().warm()
    talk.client(bind(statement="never"), SYNC)
    talk.at_server()
    talk.server(POISONED, ready())
    assert "R" not in error_fields(talk.at_client()[0])
