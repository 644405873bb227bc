"""Replication connections under a policy, message by message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.config import Policy
from proxy.session import Session, Shared
from proxy.session.refusals import POISON
from proxy.session.replication import Replication, asked_for, is_command
from proxy.sql.plan import CopyFormat, CopyPlan, Plan
from proxy.wire import messages
from proxy.wire.messages import message
from tests.session.playbook import (
    CATALOG,
    EMAIL,
    LITERAL,
    POISONED,
    POLICY,
    SEALED_COLUMNS,
    STARTED,
    SYNC,
    SYSTEM,
    TABLE,
    Book,
    Sealers,
    Talk,
    bind,
    close,
    columns,
    complete,
    describe,
    effects,
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
)

BOTH, COPY_IN, COPY_OUT = (message(kind, b"\0\0\0") for kind in (b"W", b"G", b"H"))
TO = "COPY customers TO STDOUT"
COPY_PLAN = Plan(copy=CopyPlan(False, CopyFormat.TEXT, (EMAIL,), (EMAIL.type,)), tag="COPY")
NO_EXTENDED = error("08P01", "extended query protocol not supported in a replication connection")


class Walsender(Talk):
    """A session of a replication connection."""

    def __init__(
        self,
        value: str = "database",
        max_message: int = 1 << 26,
        policy: Policy = POLICY,
        **plans: Plan | list[tuple[str, Plan | Exception]],
    ) -> None:
        super().__init__(Book({TO: COPY_PLAN, **plans}), policy)
        parameters = {"user": "app", "replication": value}
        self.session = Session(self.shared, database="shop", user="app", parameters=parameters, max_message=max_message)
        self.server(STARTED)
        self.at_client()

    def read(self) -> None:
        """Answer the one Query with which the catalog is read."""
        (sent,) = self.at_server()
        assert sent[:1] == b"Q"
        text = messages.parse_query(sent).decode()
        answers = []
        for one in text.split(";\n"):
            value = facts() if "current_schemas" in one else CATALOG if "NOT false" in one else SYSTEM
            answers += [columns(("json", 0, 0, 25)), row(value.encode()), complete()]
        self.server(*answers, ready())


# -- the grammar -----------------------------------------------------------------------------------------------------

COMMANDS = [
    "IDENTIFY_SYSTEM",
    "IDENTIFY_SYSTEM;",
    " IDENTIFY_SYSTEM ; ",
    "SHOW wal_segment_size",
    "SHOW data_directory_mode",
    "SHOW pg_stat_statements.max",
    "TIMELINE_HISTORY 2",
    "READ_REPLICATION_SLOT s1",
    "DROP_REPLICATION_SLOT s1",
    'DROP_REPLICATION_SLOT "s 1" WAIT',
    "ALTER_REPLICATION_SLOT s (FAILOVER true, TWO_PHASE false)",
    'CREATE_REPLICATION_SLOT "s" PHYSICAL',
    'CREATE_REPLICATION_SLOT "s" PHYSICAL RESERVE_WAL',
    'CREATE_REPLICATION_SLOT "s" PHYSICAL ( RESERVE_WAL)',
    'CREATE_REPLICATION_SLOT "s" TEMPORARY PHYSICAL',
    'CREATE_REPLICATION_SLOT "s" LOGICAL "test_decoding" NOEXPORT_SNAPSHOT TWO_PHASE',
    "CREATE_REPLICATION_SLOT s LOGICAL pgoutput (SNAPSHOT 'nothing', TWO_PHASE)",
    "START_REPLICATION 0/0",
    "START_REPLICATION SLOT s PHYSICAL 16/B374D848 TIMELINE 1",
    'START_REPLICATION SLOT "s" 0/3000000 TIMELINE 1',
    "START_REPLICATION SLOT s LOGICAL 0/0",
    "START_REPLICATION SLOT \"s\" LOGICAL 0/0 (proto_version '4', publication_names '\"p\",\"it''s\"')",
    "BASE_BACKUP",
    "BASE_BACKUP ( LABEL 'pg_basebackup base backup', PROGRESS, CHECKPOINT 'fast', WAIT 0, MANIFEST 'yes')",
    "BASE_BACKUP LABEL 'l' PROGRESS FAST NOWAIT MAX_RATE 32 TABLESPACE_MAP NOVERIFY_CHECKSUMS MANIFEST 'yes'",
    "UPLOAD_MANIFEST",
]
NO_COMMANDS = [
    "",
    "SELECT 1",
    "identify_system",  # the server's scanner, too, knows capitals only
    "IDENTIFY_SYSTEM; SELECT 'ann@example.com'",
    "IDENTIFY_SYSTEM SELECT 1",
    "IDENTIFY_SYSTEM -- ann@example.com",
    "IDENTIFY_SYSTEM /* ann@example.com */",
    "IDENTIFY_SYSTEMS",
    "SHOW 'ann@example.com'",
    "SHOW",
    "TIMELINE_HISTORY two",
    "DROP_REPLICATION_SLOT",
    "DROP_REPLICATION_SLOT 'ann@example.com'",
    "START_REPLICATION",
    "START_REPLICATION SLOT s LOGICAL 0/0 ()",
    "START_REPLICATION SLOT s LOGICAL 0/0 (a 'b'; SELECT 1)",
    "START_REPLICATION SLOT s LOGICAL 0/0 (a 'b' 'c')",
    "START_REPLICATION SLOT s LOGICAL 0/0 (a 'b",
    "BASE_BACKUP LABEL ann@example.com",
    "BASE_BACKUP (LABEL 'l') SELECT 1",
    "UPLOAD_MANIFEST 'x'",
    "\ufeffIDENTIFY_SYSTEM",
    "INSERT INTO customers VALUES (1, 'ann@example.com')",
]


@pytest.mark.parametrize("text", COMMANDS)
def test_commands_are_recognised(text: str) -> None:
    assert is_command(text.encode())


@pytest.mark.parametrize("text", NO_COMMANDS)
def test_nothing_else_is_a_command(text: str) -> None:
    assert not is_command(text.encode())


@given(st.sampled_from(COMMANDS), st.text(alphabet=" '\"();,-/*\nSELECT\0a1"))
def test_what_is_put_behind_a_command_never_hides_in_it(command: str, more: str) -> None:
    """Outside of its quotes a command has no place for a second statement or a comment."""
    text = f"{command}{more}".encode()
    if is_command(text):
        bare = b"".join(text.split(b"'")[::2])
        assert b"--" not in bare
        assert b"/*" not in bare
        assert bare.rstrip().count(b";") <= bare.rstrip().endswith(b";")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((value, Replication.NONE) for value in ("", "false", "OFF", "0", "no", "f")),
        *((value, Replication.PHYSICAL) for value in ("true", "ON", "1", "yes", "t", "True")),
        ("database", Replication.DATABASE),
        ("Database", None),
        (" true", None),
        ("o", None),
        ("2", None),
    ],
)
def test_the_parameter_is_read_as_the_server_reads_it(value: str, expected: Replication | None) -> None:
    parameters: Mapping[str, str] = {"replication": value}
    assert asked_for(parameters) is expected
    assert asked_for({}) is Replication.NONE


# -- commands --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["true", "database"])
def test_a_command_and_its_answer_pass_as_they_are(value: str) -> None:
    talk = Walsender(value)
    talk.client(query("IDENTIFY_SYSTEM"))
    assert talk.at_server() == [query("IDENTIFY_SYSTEM")]
    answer = [columns(("systemid", 0, 0, 25)), row(b"7"), complete("IDENTIFY_SYSTEM"), ready()]
    talk.server(*answer)
    assert talk.at_client() == answer


@pytest.mark.parametrize("value", ["true", "database"])
def test_both_directions_stream_until_both_have_ended(value: str) -> None:
    talk = Walsender(value)
    command = query("START_REPLICATION SLOT s LOGICAL 0/0")
    talk.client(command)
    assert talk.at_server() == [command]
    data = [message(b"d", b"w" + hexed(b"ann")), message(b"d", bytes(100_000))]
    talk.server(BOTH, *data)
    assert talk.at_client() == [BOTH, *data]
    feedback = [message(b"d", b"r" + bytes(33)), message(b"d", b"r" + bytes(80_000))]
    talk.client(*feedback)
    assert talk.at_server() == feedback
    talk.client(messages.COPY_DONE)
    assert talk.at_server() == [messages.COPY_DONE]
    talk.server(data[0], messages.COPY_DONE, complete("COPY 0"), ready())
    assert kinds(talk.at_client()) == "dcCZ"
    talk.client(query("IDENTIFY_SYSTEM"))
    assert talk.at_server() == [query("IDENTIFY_SYSTEM")]


def test_the_server_may_end_a_stream_with_an_error_and_the_session_goes_on() -> None:
    talk = Walsender()
    talk.client(query("START_REPLICATION SLOT s LOGICAL 0/0"))
    talk.at_server()
    failure = error("58P01", "requested WAL segment has already been removed")
    talk.server(BOTH, failure, ready())
    assert talk.at_client() == [BOTH, failure, ready()]
    talk.client(message(b"d", b"late"), messages.COPY_DONE, query("IDENTIFY_SYSTEM"))
    assert talk.at_server() == [query("IDENTIFY_SYSTEM")]


def test_a_command_that_fails_at_once_fails() -> None:
    talk = Walsender()
    talk.client(query("DROP_REPLICATION_SLOT s"))
    talk.at_server()
    talk.server(error("42704"), ready())
    assert kinds(talk.at_client()) == "EZ"


def test_a_backup_streams_out_and_a_manifest_in() -> None:
    talk = Walsender("true")
    talk.client(query("UPLOAD_MANIFEST"))
    talk.at_server()
    talk.server(COPY_IN)
    talk.client(message(b"d", b"{}"), messages.COPY_DONE)
    assert kinds(talk.at_server()) == "dc"
    talk.server(complete("UPLOAD_MANIFEST"), ready())
    talk.client(query("BASE_BACKUP"))
    talk.at_server()
    answer = [columns(("recptr", 0, 0, 25)), row(b"0/1"), complete(), COPY_OUT, message(b"d", b"n"), messages.COPY_DONE]
    talk.server(*answer, complete(), ready())
    assert kinds(talk.at_client()) == "GCZTDCHdcCZ"


def test_what_is_no_standby_message_ends_the_session() -> None:
    talk = Walsender()
    talk.client(query("START_REPLICATION SLOT s LOGICAL 0/0"))
    talk.at_server()
    talk.server(BOTH)
    talk.client(query("INSERT INTO customers VALUES (1, 'ann@example.com')"))
    assert talk.session.closing
    assert error_fields(talk.at_client()[-1])["C"] == "08P01"
    assert b"ann" not in talk.sent + b"".join(talk.session.take_to_server())


def test_a_client_may_leave_in_the_middle_of_a_stream() -> None:
    talk = Walsender()
    talk.client(query("START_REPLICATION SLOT s LOGICAL 0/0"))
    talk.at_server()
    talk.server(BOTH)
    talk.client(messages.TERMINATE)
    assert talk.at_server() == [messages.TERMINATE]


def test_a_command_behind_another_waits_for_its_end() -> None:
    talk = Walsender()
    talk.client(query("IDENTIFY_SYSTEM"), query("SHOW wal_level"))
    assert talk.at_server() == [query("IDENTIFY_SYSTEM")]
    assert not talk.session.wants_client
    talk.server(complete(), ready())
    assert talk.at_server() == [query("SHOW wal_level")]


# -- SQL -------------------------------------------------------------------------------------------------------------


def test_sql_is_analysed_and_the_catalog_read_by_query() -> None:
    talk = Walsender()
    talk.client(query(LITERAL))
    talk.read()
    (sent,) = talk.at_server()
    assert b"ann" not in talk.sent
    assert hexed(b"ann@example.com") in sent
    talk.server(columns(("email", 16_385, 2, 17)), row(hexed(b"ann@example.com")), complete(), ready())
    received = talk.at_client()
    assert kinds(received) == "TDCZ"
    assert messages.parse_data_row(received[1]) == [b"ann@example.com"]


def test_a_catalog_that_cannot_be_read_fails_the_statement() -> None:
    talk = Walsender()
    talk.client(query(LITERAL))
    talk.at_server()
    talk.server(error("57014"), ready())
    assert kinds(talk.at_client()) == "EZ"
    assert b"ann" not in talk.sent


def test_an_initial_copy_gives_the_ciphertext_that_the_stream_goes_on_with() -> None:
    talk = Walsender()
    talk.client(query(TO))
    talk.read()
    assert talk.at_server() == [query(TO)]
    line = message(b"d", b"\\" + hexed(b"ann") + b"\n")
    talk.server(COPY_OUT, line, messages.COPY_DONE, complete("COPY 1"), ready())
    assert talk.at_client() == [COPY_OUT, line, messages.COPY_DONE, complete("COPY 1"), ready()]


def test_a_physical_connection_takes_no_sql() -> None:
    talk = Walsender("true")
    talk.client(query(LITERAL))
    (sent,) = talk.at_server()
    assert b"refused" in sent
    own = error("XX000", "cannot execute SQL commands in WAL sender for physical replication")
    talk.server(own, ready())
    assert talk.at_client() == [own, ready()]
    assert b"ann" not in talk.sent


@pytest.mark.parametrize("value", ["true", "database"])
@pytest.mark.parametrize(
    "raw",
    [parse(LITERAL), bind(b"ann@example.com"), describe("S"), execute(), close("S", "ann@example.com")],
    ids=["parse", "bind", "describe", "execute", "close"],
)
def test_the_extended_protocol_is_refused_before_anything_of_it_is_sent(value: str, raw: bytes) -> None:
    talk = Walsender(value)
    talk.client(raw, parse(LITERAL), SYNC)
    sent = talk.at_server()
    assert kinds(sent) == "PS"
    assert b"ann" not in talk.sent
    talk.server(NO_EXTENDED, ready())
    received = talk.at_client()
    assert kinds(received) == "EZ"
    assert error_fields(received[0])["C"] == "08P01"
    talk.client(query("IDENTIFY_SYSTEM"))
    assert talk.at_server() == [query("IDENTIFY_SYSTEM")]


@pytest.mark.parametrize("size", [15, 200_000])
@pytest.mark.parametrize("value", ["true", "database"])
def test_function_calls_and_large_messages_are_not_streamed_either(value: str, size: int) -> None:
    talk = Walsender(value)
    secret = b"ann@example.com".ljust(size)
    talk.client(message(b"F", bytes(10) + secret))
    (sent,) = talk.at_server()
    assert sent[:1] == b"Q"
    talk.server(error("42703", "refused"), ready())
    assert error_fields(talk.at_client()[0])["C"] == "08P01"
    talk.client(bind(secret), SYNC)
    assert kinds(talk.at_server()) == "PS"
    talk.server(NO_EXTENDED, ready())
    assert b"ann" not in talk.sent
    assert kinds(talk.at_client()) == "EZ"


@pytest.mark.parametrize("value", ["true", "database"])
@pytest.mark.parametrize("kind", ["Q", "P", "B"])
def test_a_message_beyond_the_limit_is_refused(value: str, kind: str) -> None:
    talk = Walsender(value, max_message=100_000)
    talk.client(message(kind.encode(), b"ann@example.com" * 10_000 + b"\0"))
    sent = talk.at_server()
    assert kinds(sent) == ("Q" if kind == "Q" else "P")
    assert b"ann" not in talk.sent
    talk.server(error("42703", "refused"))
    assert error_fields(talk.at_client()[0])["C"] == ("54000" if kind == "Q" else "08P01")


def test_a_script_that_needs_the_extended_protocol_is_refused() -> None:
    text = "CREATE TABLE t (); SELECT 1"
    talk = Walsender(**{text: [("CREATE TABLE t ()", effects("CREATE")), ("SELECT 1", effects("SELECT"))]})
    talk.client(query(text))
    talk.read()
    (sent,) = talk.at_server()
    assert b"CREATE" not in sent
    talk.server(error("42703", "refused"), ready())
    assert error_fields(talk.at_client()[0])["C"] == "0A000"


def test_an_unknown_value_lets_nothing_but_commands_pass() -> None:
    """The server ends such a connection itself; one that did not would be no PostgreSQL."""
    talk = Walsender("perhaps")
    talk.client(query(LITERAL))
    talk.at_server()
    assert b"ann" not in talk.sent


def test_a_policy_that_comes_later_holds_for_replication_connections_too() -> None:
    shared = Shared(Policy(), Sealers(), analyse=Book())
    talk = Talk(shared=shared)
    talk.session = Session(shared, database="shop", user="app", parameters={"replication": "database"})
    talk.server(STARTED)
    talk.at_client()
    shared.replace_policy(POLICY)
    talk.client(parse(LITERAL), SYNC)
    assert kinds(talk.at_server()) == "PS"
    assert b"ann" not in talk.sent


def test_results_are_checked_against_the_plan_as_ever() -> None:
    talk = Walsender()
    talk.client(query("SELECT 1"))
    talk.read()
    talk.at_server()
    talk.server(SEALED_COLUMNS, row(b"1", hexed(b"ann")), complete(), ready())
    assert kinds(talk.at_client()) == "EZ"


def test_a_statement_on_a_table_that_may_change_at_any_moment_is_refused() -> None:
    """What would be asked of the server about it cannot be asked here."""
    policy = Policy((replace(EMAIL, pending=True),))
    pending = Plan(pending=frozenset((TABLE,)), tag="SELECT")
    talk = Walsender(policy=policy, find=pending)
    talk.client(query("find"))
    talk.read()
    assert talk.at_server() == [query(POISON)]
    talk.server(POISONED, ready())
    refused = error_fields([raw for raw in talk.at_client() if raw[:1] == b"E"][-1])
    assert refused["C"] == "0A000"
    assert "pending, or waits to be resealed" in refused["M"]
    assert refused["H"] == "use an ordinary connection"
