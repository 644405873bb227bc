"""Statements on a table with a column that may be sealed, unsealed or resealed at any moment: what the server says of
it is asked for first, in the statement's own transaction."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from proxy.config import Policy, Scheme, SealedColumn
from proxy.errors import KeyringError
from proxy.session import Shared
from proxy.session.guarding import SealersNow
from proxy.sql.plan import Execution, LiteralSlot, Plan, Preparation, ServerParam
from proxy.wire import messages
from proxy.wire.messages import message
from tests.session.playbook import (
    BORN,
    BOUND,
    CATALOG,
    CLOSED,
    EMAIL,
    FILE,
    NO_DATA,
    PARSED,
    POISONED,
    SYNC,
    TABLE,
    Book,
    Sealers,
    Talk,
    Xor,
    bind,
    columns,
    compare,
    complete,
    error,
    error_fields,
    execute,
    kinds,
    parse,
    query,
    ready,
    row,
    shortly,
)

ASKED = "CPDCCPBECC"
"""A guard's messages about one table."""
PENDING = Policy((replace(EMAIL, pending=True), BORN))
TEXT = "SELECT email FROM customers"
PLAN = Plan(pending=frozenset((TABLE,)), tag="SELECT")
SCRIPT = f"SELECT 1; {TEXT}"
BOOK = {TEXT: PLAN, SCRIPT: [("SELECT 1", Plan(tag="SELECT")), (TEXT, PLAN)]}
THEN = {"id": 1, "email": 2, "born": 3}
MOVED = columns(("id", TABLE, 1, 23), ("email", TABLE, 4, 17), ("born", TABLE, 3, 17))
"""Somebody has sealed the column: it is another attribute now."""


def guarded(book: Book | None = None, policy: Policy = PENDING, sealers: Sealers | None = None) -> Talk:
    return Talk(shared=Shared(policy, sealers or Sealers(), analyse=book or Book(BOOK))).warm()


def block(talk: Talk) -> Talk:
    talk.client(query("BEGIN"))
    talk.server(complete("BEGIN"), ready("T"))
    talk.at_server()
    talk.at_client()
    return talk


def refused(talk: Talk, status: str = "I") -> dict[str, str]:
    """The next thing at the server is the poison; gives the error that the client gets for it."""
    poison, *rest = talk.at_server()
    assert poison[:1] == b"P"
    assert b"sealwire: refused" in poison
    talk.server(POISONED, *([ready(status)] if rest else []))
    return error_fields(next(raw for raw in talk.at_client() if raw[:1] == b"E"))


# -- what is asked, and when -------------------------------------------------------------------------------------------


def test_a_query_is_sent_as_a_script_behind_the_question() -> None:
    talk = guarded()
    talk.client(query(TEXT))
    sent = talk.at_server()
    assert kinds(sent) == ASKED + "H"
    assert messages.parse_parse(sent[1]).query.startswith(b'SELECT * FROM ONLY "public"."customers" /*')
    catalog = messages.parse_parse(sent[5]).query
    assert f"c.oid IN ({TABLE})".encode() in catalog
    assert b"sealwire.jobs" not in catalog  # this database has none
    described = messages.build_parameter_description([]), columns(("id", TABLE, 1, 23), ("email", TABLE, 2, 17))
    talk.server(CLOSED, PARSED, *described)
    assert talk.at_client() == []


def test_in_an_open_transaction_a_query_is_sent_as_it_is_behind_the_question() -> None:
    """There it does not end what the question has begun."""
    talk = block(guarded())
    talk.client(query(TEXT))
    assert talk.serve_guard() == []
    assert kinds(talk.at_server()) == "Q"


def test_in_a_pipeline_a_query_is_sent_as_it_is_behind_the_question() -> None:
    talk = guarded()
    talk.client(parse("INSERT"), bind(), execute(), query(TEXT), query("SELECT 1"))
    assert kinds(talk.at_server()) == "PBEH"
    talk.server(PARSED, BOUND, complete("INSERT 0 1"))
    assert talk.serve_guard() == []
    assert kinds(talk.at_server()) == "QQ"


@pytest.mark.parametrize("before", [(), (parse("INSERT"), bind(), execute())])
def test_a_query_whose_question_fails_is_answered(before: tuple[bytes, ...]) -> None:
    talk = guarded()
    talk.client(*before, query(TEXT))
    talk.server(*[PARSED, BOUND, complete("INSERT 0 1")][: len(before)])
    talk.at_server()
    talk.server(CLOSED, error("55P03"))
    assert kinds(talk.at_client())[-1] == "E"
    assert talk.at_server() == [SYNC]
    talk.server(ready())
    assert kinds(talk.at_client()) == "Z"


def test_no_two_questions_have_the_same_text() -> None:
    """A PgBouncer would answer the Parse of the second itself, and the table would not be locked."""
    asked = set()
    for talk in (guarded(), guarded()):
        talk.client(query(TEXT))
        asked.add(messages.parse_parse(talk.at_server()[1]).query)
    assert len(asked) == 2


def test_what_the_server_says_agrees_and_the_statement_goes() -> None:
    talk = guarded()
    talk.client(query(TEXT))
    assert talk.serve_guard() == []
    assert kinds(talk.at_server()) == "PBDES"
    talk.server(PARSED, BOUND, NO_DATA, complete(), ready())
    assert talk.at_client() == [complete(), ready()]


def test_a_column_that_is_still_plain_passes_while_it_is() -> None:
    catalog = json.loads(CATALOG)
    catalog["relations"][0][7][1][2:6] = [25, -1, 25, -1]
    talk = Talk(shared=Shared(PENDING, Sealers(), analyse=Book(BOOK)))
    talk.client(parse(TEXT), SYNC)
    talk.serve_reads(catalog=json.dumps(catalog))
    talk.serve_guard(columns_now=columns(("id", TABLE, 1, 23), ("email", TABLE, 2, 25), ("born", TABLE, 3, 17)))
    assert kinds(talk.at_server()) == "PS"


def test_a_batch_asks_once_for_all_its_statements() -> None:
    talk = guarded()
    talk.client(parse(TEXT, "s"), bind(statement="s"), execute(), parse(TEXT), bind(), execute(), SYNC)
    assert talk.serve_guard() == []
    assert kinds(talk.at_server()) == "PBEPBES"
    talk.server(PARSED, BOUND, complete(), PARSED, BOUND, complete(), ready())
    talk.at_client()
    talk.client(bind(statement="s"), execute(), SYNC)  # another transaction
    assert talk.serve_guard() == []
    assert kinds(talk.at_server()) == "BES"


def test_a_transaction_block_asks_once_until_a_part_of_it_may_be_taken_back() -> None:
    talk = block(guarded())
    for text, asks in ((TEXT, True), (TEXT, False), ("ROLLBACK TO SAVEPOINT a", False), (TEXT, True)):
        talk.client(parse(text), bind(), execute(), SYNC)
        assert (kinds(talk.serve_guard()) if asks else "") == ""
        assert kinds(talk.at_server()) == "PBES"
        talk.server(PARSED, BOUND, complete(), ready("T"))
        assert kinds(talk.at_client()) == "12CZ"


def test_a_batch_of_its_own_behind_another_waits_for_it() -> None:
    talk = guarded()
    talk.client(query("SELECT 1"), parse(TEXT), SYNC)
    assert talk.at_server() == [query("SELECT 1")]
    talk.server(complete(), ready())
    assert kinds(talk.at_server()) == ASKED + "H"


def test_in_the_middle_of_a_batch_it_is_asked_in_its_transaction() -> None:
    talk = guarded()
    talk.client(parse("SELECT 1"), bind(), execute(), parse(TEXT), SYNC)
    before = talk.serve_guard(before=(PARSED, BOUND, complete()))
    assert kinds(before) == "PBE"
    assert kinds(talk.at_server()) == "PS"


def test_what_the_transaction_before_has_held_is_not_held_in_the_next_batch() -> None:
    talk = guarded()
    talk.client(parse(TEXT), SYNC)
    talk.serve_guard()
    assert kinds(talk.at_server()) == "PS"  # not answered yet
    talk.client(parse("SELECT 1"), parse(TEXT), SYNC)
    assert kinds(talk.at_server()) == "P" + ASKED + "H"


def test_the_jobs_of_the_commands_are_read_where_there_are_any() -> None:
    catalog = json.loads(CATALOG)
    jobs = [["binding", 1, 25, -1, 25, -1, False, False, "", "", "text"]]
    catalog["relations"].append([TABLE + 10, "sealwire", "jobs", "r", "p", None, None, jobs])
    talk = Talk(shared=Shared(PENDING, Sealers(), analyse=Book(BOOK)))
    talk.client(query(TEXT))
    talk.serve_reads(catalog=json.dumps(catalog))
    assert b"FROM sealwire.jobs" in messages.parse_parse(talk.at_server()[5]).query


def test_in_a_failed_transaction_nothing_is_asked() -> None:
    talk = block(guarded())
    talk.client(query("SELECT bad"))
    talk.server(error("42703"), ready("E"))
    talk.at_server()
    talk.client(parse(TEXT), SYNC)
    assert b"sealwire: refused" in talk.at_server()[0]
    talk.server(error("25P02"), ready("E"))
    assert error_fields(talk.at_client()[-2])["C"] == "25P02"


def test_a_question_is_skipped_with_the_batch_that_has_failed_before_it() -> None:
    talk = guarded()
    talk.client(parse("SELECT bad"), parse(TEXT), SYNC)
    assert kinds(talk.at_server()) == "P" + ASKED + "H"
    talk.server(error("42703"))
    assert talk.at_server() == [SYNC]
    talk.server(ready())
    assert kinds(talk.at_client()) == "EZ"
    talk.client(parse(TEXT), SYNC)  # nothing is known of the table
    talk.serve_reads()
    assert kinds(talk.at_server()) == ASKED + "H"


@pytest.mark.parametrize("script", [False, True])
def test_a_question_that_the_server_does_not_answer_is_the_error_of_the_statement(script: bool) -> None:
    talk = guarded()
    talk.client(query(TEXT) if script else parse(TEXT) + SYNC)
    assert kinds(talk.at_server()) == ASKED + "H"
    talk.server(CLOSED, error("55P03", "canceling statement due to lock timeout"))
    assert talk.at_server() == [SYNC]
    talk.server(ready())
    received = talk.at_client()
    assert kinds(received) == "EZ"
    assert error_fields(received[0])["C"] == "55P03"


@pytest.mark.parametrize("rows", [row(), row(b"1", b"2"), row(b"{"), row(b"[]", b"[]")])
def test_an_answer_that_is_none_ends_the_session(rows: bytes) -> None:
    talk = guarded()
    talk.client(parse(TEXT), SYNC)
    assert kinds(talk.at_server()) == ASKED + "H"
    described = messages.build_parameter_description([]), MOVED
    talk.server(CLOSED, PARSED, *described, CLOSED, CLOSED, PARSED, BOUND, rows)
    assert error_fields(talk.at_client()[0])["C"] == "08P01"
    assert talk.session.closing


@pytest.mark.parametrize("answer", [NO_DATA, message(b"T", b"\0\x09")])
def test_a_table_that_is_not_described_ends_the_session(answer: bytes) -> None:
    talk = guarded()
    talk.client(parse(TEXT), SYNC)
    talk.serve_guard(columns_now=answer)
    assert error_fields(talk.at_client()[0])["C"] == "08P01"
    assert talk.session.closing
    assert TEXT.encode() not in talk.sent.replace(b"SELECT * FROM", b"")


# -- what is known is not true any more --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns_now", "then"),
    [
        (MOVED, {**THEN, "email": 4}),
        (columns(("id", TABLE, 1, 23), ("email", TABLE, 2, 25), ("born", TABLE, 3, 17)), THEN),
        (columns(("id", TABLE, 1, 23), ("email", TABLE, 2, 17)), THEN),
        (columns(("id", TABLE, 1, 23)), {"id": 1}),
    ],
    ids=["another attribute", "another type", "another column is gone", "it is gone"],
)
@pytest.mark.parametrize("simple", [True, False], ids=["Query", "Parse"])
def test_the_catalog_is_read_anew_and_the_statement_analysed_anew(
    columns_now: bytes, then: dict[str, int], simple: bool
) -> None:
    talk = guarded()
    talk.client(query(TEXT) if simple else parse(TEXT) + SYNC)
    talk.serve_guard(columns_now=columns_now, state=[TABLE, FILE, FILE, then, None])
    talk.serve_reads()
    talk.serve_guard()
    assert kinds(talk.at_server()) == ("PBDES" if simple else "PS")


def test_a_table_that_is_gone_is_looked_for_in_the_catalog() -> None:
    talk = guarded()
    talk.client(parse(TEXT), SYNC)
    talk.serve_guard(state=[TABLE + 1, FILE, FILE, THEN, None])
    assert talk.serve_reads() == []


def test_a_table_that_was_written_anew_is_looked_for_in_the_catalog() -> None:
    catalog = json.loads(CATALOG)
    catalog["relations"][0] += [None, None, None, FILE + 1]
    talk = Talk(shared=Shared(PENDING, Sealers(), analyse=Book(BOOK)))
    talk.client(parse(TEXT), SYNC)
    talk.serve_reads(catalog=json.dumps(catalog))
    talk.serve_guard()
    assert talk.serve_reads() == []


def test_a_table_that_changes_again_and_again_is_told_as_a_conflict() -> None:
    talk = guarded()
    talk.client(parse(TEXT), SYNC)
    talk.serve_guard(columns_now=MOVED, state=[TABLE, FILE, FILE, {**THEN, "email": 4}, None])
    talk.serve_reads()
    talk.serve_guard(columns_now=MOVED, state=[TABLE, FILE, FILE, {**THEN, "email": 4}, None])
    fields = refused(talk)
    assert fields["C"] == "40001"
    assert fields["H"] == "the transaction might succeed if retried"


# -- a transaction that sees the rows of before ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "state",
    [[TABLE, FILE + 1, FILE, THEN, None], [TABLE, FILE, FILE, {**THEN, "email": 4}, None]],
    ids=["another file", "another attribute"],
)
def test_a_snapshot_from_before_the_swap_is_a_conflict(state: list[object]) -> None:
    talk = guarded()
    talk.client(parse(TEXT), SYNC)
    talk.serve_guard(state=state)
    fields = refused(talk)
    assert fields["C"] == "40001"
    assert 'column "public.customers.email"' in fields["M"]


# -- the key that a column lies under ----------------------------------------------------------------------------------


class Keyed(Xor):
    """Values name their key."""

    def __init__(self, key: int) -> None:
        self.key = key

    def seal(self, plain: bytes) -> bytes:
        return b"\xe1\x02\0\0\0" + bytes([self.key]) + super().seal(plain)[6:]


class TwoKeys(Sealers):
    """The columns' domains wait to be resealed from key 1 to key 2; this keyring says 1."""

    def sealer(self, column: SealedColumn, *, key_id: int | None = None) -> Keyed:
        if key_id not in (None, 1, 2):
            raise KeyringError(f"no key {key_id}")
        return Keyed(key_id or 1)

    def waits(self, column: SealedColumn) -> bool:
        return True


ONE = replace(BORN, scheme=Scheme.EQUALITY)
POLICY = Policy((EMAIL, ONE))
FIND = "SELECT id FROM customers WHERE email = $1"
FIND_PLAN = Plan(template=(FIND,), params=(ServerParam(0, compare()),), tables=frozenset((TABLE,)), tag="SELECT")
NAMED = "SELECT id FROM customers WHERE email = 'ann'"
NAMED_PLAN = Plan(
    template=("SELECT id FROM customers WHERE email = ", ""),
    literals=(LiteralSlot("ann", compare()),),
    tables=frozenset((TABLE,)),
)


def waiting(policy: Policy = POLICY) -> Talk:
    return guarded(Book({FIND: FIND_PLAN, NAMED: NAMED_PLAN}), policy, TwoKeys())


def under(email: int, born: int = 1, binding: str = EMAIL.binding) -> dict[str, list[object]]:
    """The ledger: `sealwire reseal` has put the columns under these keys."""
    return {EMAIL.name: [2, email, binding], BORN.name: [3, born, ONE.binding]}


def test_a_value_is_sealed_under_the_key_that_the_ledger_names() -> None:
    talk = waiting()
    for key in (1, 2):
        talk.client(parse(FIND), bind(b"ann"), execute(), SYNC)
        talk.serve_guard(ledger=under(key))
        sent = talk.at_server()
        assert kinds(sent) == "PBES"
        assert messages.parse_bind(sent[1]).values == [Keyed(key).seal(b"ann")]
        talk.server(PARSED, BOUND, complete(), ready())


def test_a_column_that_no_command_has_touched_lies_under_the_keyrings_own_key() -> None:
    talk = waiting()
    talk.client(parse(FIND), bind(b"ann"), SYNC)
    talk.serve_guard(ledger={EMAIL.name: [9, 2, EMAIL.binding]})  # of an attribute that is gone
    assert messages.parse_bind(talk.at_server()[1]).values == [Keyed(1).seal(b"ann")]


def test_the_key_holds_for_the_transaction_and_no_longer() -> None:
    talk = block(waiting())
    talk.client(parse(FIND, "s"), bind(b"ann", statement="s"), SYNC)
    talk.serve_guard(ledger=under(2))
    talk.at_server()
    talk.server(PARSED, BOUND, ready("T"))
    for _ in range(2):
        talk.client(bind(b"bob", statement="s"), SYNC)
        assert messages.parse_bind(talk.at_server()[0]).values == [Keyed(2).seal(b"bob")]
        talk.server(BOUND, ready("T"))
    talk.client(query("COMMIT"))
    talk.server(complete("COMMIT"), ready())
    talk.at_server()
    talk.client(bind(b"bob", statement="s"), SYNC)
    talk.serve_guard(ledger=under(1))
    assert messages.parse_bind(talk.at_server()[0]).values == [Keyed(1).seal(b"bob")]


def test_a_literal_that_was_sealed_under_another_key_is_not_used_again() -> None:
    talk = waiting()
    talk.client(parse(NAMED, "n"), SYNC)
    talk.serve_guard(ledger=under(1))
    assert Keyed(1).seal(b"ann").hex().encode() in messages.parse_parse(talk.at_server()[0]).query
    talk.server(PARSED, ready())
    talk.at_client()
    talk.client(bind(statement="n"), SYNC)
    talk.serve_guard(ledger=under(2))
    assert refused(talk)["M"] == "cached plan must not change result type"


@pytest.mark.parametrize(
    ("ledger", "message_part"),
    [
        (under(2, binding="search: order"), "this proxy's policy says search: equality"),
        (under(7), "is sealed under key 7, which this proxy does not have"),
    ],
    ids=["another scheme", "a key that is not there"],
)
def test_what_the_files_of_this_proxy_do_not_fit_is_refused(ledger: dict[str, list[object]], message_part: str) -> None:
    talk = waiting()
    talk.client(parse(FIND), SYNC)
    talk.serve_guard(ledger=ledger)
    fields = refused(talk)
    assert fields["C"] == "0A000"
    assert 'column "public.customers.email"' in fields["M"]
    assert message_part in fields["M"]
    assert "reload" in fields["H"]


def test_columns_of_one_domain_under_two_keys_are_refused() -> None:
    joined = replace(ONE, domain=EMAIL.domain)
    talk = waiting(Policy((EMAIL, joined)))
    talk.client(parse(FIND), SYNC)
    ledger = under(1)
    ledger[BORN.name] = [3, 2, joined.binding]
    talk.serve_guard(ledger=ledger)
    fields = refused(talk)
    assert "lies under another key than the other columns of its domain" in fields["M"]
    assert fields["H"] == "reseal all columns of the domain in one command"


def test_a_random_column_may_lie_under_any_key() -> None:
    joined = replace(BORN, domain=EMAIL.domain)
    talk = waiting(Policy((EMAIL, joined)))
    talk.client(parse(FIND), bind(b"ann"), SYNC)
    ledger = under(2)
    ledger[BORN.name] = [3, 9, joined.binding]
    talk.serve_guard(ledger=ledger)
    assert messages.parse_bind(talk.at_server()[1]).values == [Keyed(2).seal(b"ann")]


def test_a_second_table_of_the_domain_under_another_key_is_refused() -> None:
    second = replace(EMAIL, table="people")
    catalog = json.loads(CATALOG)
    catalog["relations"].append([TABLE + 1, "public", "people", *catalog["relations"][0][3:]])
    both = {FIND: FIND_PLAN, TEXT: Plan(tables=frozenset((TABLE + 1,)))}
    talk = Talk(shared=Shared(Policy((EMAIL, second, ONE)), TwoKeys(), analyse=Book(both)))
    talk.client(parse(FIND), parse(TEXT), SYNC)
    talk.serve_reads(catalog=json.dumps(catalog))
    talk.serve_guard(ledger=under(1))
    second_ledger = {second.name: [2, 2, second.binding]}
    sent = talk.serve_guard(state=[TABLE + 1, FILE, FILE, THEN, second_ledger], before=(PARSED,))
    assert kinds(sent) == "P"
    fields = refused(talk)
    assert fields["M"] == "columns of one domain lie under different keys"
    assert fields["H"] == "reseal all of them"


def test_an_execute_of_a_statement_whose_literals_lie_under_another_key_is_refused() -> None:
    prepare, run = "PREPARE p", "EXECUTE p"
    plans = {
        prepare: replace(NAMED_PLAN, prepares=Preparation("p", (), replace(NAMED_PLAN, template=None, literals=()))),
        run: Plan(executes=Execution("p"), tag="EXECUTE"),
    }
    talk = guarded(Book(plans), POLICY, TwoKeys())
    talk.client(parse(prepare), bind(), execute(), SYNC)
    talk.serve_guard(ledger=under(1))
    assert kinds(talk.at_server()) == "PBES"
    talk.server(PARSED, BOUND, complete("PREPARE"), ready())
    talk.at_client()
    talk.client(parse(run), bind(), execute(), SYNC)
    talk.serve_guard(ledger=under(1))
    assert kinds(talk.at_server()) == "PBES"
    talk.server(PARSED, BOUND, complete(), ready())
    talk.at_client()
    talk.client(parse(run), SYNC)
    talk.serve_guard(ledger=under(2))
    assert refused(talk)["M"] == "cached plan must not change result type"


def test_a_value_sealed_under_a_given_key_is_what_the_sealers_make_of_it() -> None:
    now = SealersNow(TwoKeys(), {(EMAIL.keyset, EMAIL.domain): 2})
    assert [now.key_of(EMAIL), now.key_of(ONE)] == [2, 1]
    assert [now.sealer(column).seal(b"x") for column in (EMAIL, ONE)] == [Keyed(2).seal(b"x"), Keyed(1).seal(b"x")]
    assert now.sealer(EMAIL, key_id=1).seal(b"x") == Keyed(1).seal(b"x")
    assert now.waits(EMAIL)


# -- where it cannot be asked ------------------------------------------------------------------------------------------


def test_an_unsettled_table_is_not_for_a_round_of_the_short_way() -> None:
    talk = guarded()
    talk.client(parse(TEXT, "s"), SYNC)
    talk.serve_guard()
    talk.at_server()
    talk.server(PARSED, ready())
    talk.at_client()
    assert shortly(talk.session, "client", bind(statement="s") + execute() + SYNC) is None
    assert shortly(talk.session, "client", query(TEXT)) is None
