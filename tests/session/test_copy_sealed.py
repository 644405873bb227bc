"""COPY of tables with sealed columns, in its three formats."""

import struct

import pytest

from proxy.sql.plan import CopyFormat, CopyPlan, Plan
from proxy.wire import messages
from proxy.wire.copy import SIGNATURE
from proxy.wire.messages import message
from tests.session.playbook import (
    BORN,
    BOUND,
    EMAIL,
    PARSED,
    SYNC,
    Book,
    Talk,
    bind,
    complete,
    error,
    error_fields,
    execute,
    hexed,
    kinds,
    parse,
    query,
    ready,
    seal,
)

FROM, TO = "COPY customers FROM STDIN", "COPY customers TO STDOUT"
COPY_IN, COPY_OUT = message(b"G", b"\0\0\x03\0\0\0\0\0\0"), message(b"H", b"\0\0\x03\0\0\0\0\0\0")


def talk_of(copy_format: CopyFormat = CopyFormat.TEXT, *, header: bool = False) -> Talk:
    def plan(*, is_from: bool) -> Plan:
        types = (None, EMAIL.type, BORN.type)
        copy = CopyPlan(is_from, copy_format, (None, EMAIL, BORN), types, header=header)
        if copy_format is CopyFormat.CSV:
            copy = CopyPlan(is_from, copy_format, (None, EMAIL, BORN), types, delimiter=",", null="", header=header)
        return Plan(copy=copy, tag="COPY")

    return Talk(Book({FROM: plan(is_from=True), TO: plan(is_from=False)})).warm()


def data(sent: list[bytes]) -> bytes:
    return b"".join(raw[5:] for raw in sent if raw[:1] == b"d")


DAY = seal((1).to_bytes(4, "big"))
TEXT_ROWS = b"7\tann\\tx\t2000-01-02\n8\t\\N\t\\N\n"
SEALED_TEXT = b"7\t\\" + hexed(b"ann\tx") + b"\t\\\\x" + DAY.hex().encode() + b"\n8\t\\N\t\\N\n"


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_rows_are_sealed_however_the_client_cuts_them(size: int) -> None:
    talk = talk_of()
    talk.client(query(FROM))
    talk.server(COPY_IN)
    talk.at_server()
    sent: list[bytes] = []
    for at in range(0, len(TEXT_ROWS), size):
        talk.client(message(b"d", TEXT_ROWS[at : at + size]))
        sent += talk.at_server()
    talk.client(messages.COPY_DONE)
    sent += talk.at_server()
    assert data(sent) == SEALED_TEXT
    assert sent[-1] == messages.COPY_DONE
    talk.server(complete("COPY 2"), ready())
    assert kinds(talk.at_client()) == "GCZ"
    assert b"ann" not in talk.sent


def test_rows_are_opened_one_message_for_one() -> None:
    talk = talk_of()
    talk.client(query(TO))
    rows = SEALED_TEXT.splitlines(keepends=True)
    talk.server(COPY_OUT, *(message(b"d", one) for one in rows), messages.COPY_DONE, complete("COPY 2"), ready())
    received = talk.at_client()
    assert kinds(received) == "HddcCZ"
    assert data(received) == TEXT_ROWS


def test_csv_keeps_its_header_and_its_quotes() -> None:
    talk = talk_of(CopyFormat.CSV, header=True)
    talk.client(query(FROM))
    talk.server(COPY_IN)
    talk.at_server()
    talk.client(message(b"d", b'id,email,born\n7,"a ""b"", c",\n'), messages.COPY_DONE)
    assert data(talk.at_server()) == b"id,email,born\n7," + hexed(b'a "b", c') + b",\n"


def test_binary_rows_are_sealed() -> None:
    def row(*values: bytes | None) -> bytes:
        sized = (b"\xff\xff\xff\xff" if v is None else struct.pack("!i", len(v)) + v for v in values)
        return struct.pack("!h", len(values)) + b"".join(sized)

    number = struct.pack("!i", 7)
    talk = talk_of(CopyFormat.BINARY)
    talk.client(parse(FROM), bind(), execute())
    talk.server(PARSED, BOUND, COPY_IN)
    talk.at_server()
    whole = SIGNATURE + bytes(8) + row(number, b"ann", struct.pack("!i", 1)) + b"\xff\xff"
    talk.client(message(b"d", whole[:25]), message(b"d", whole[25:]), messages.COPY_DONE)
    expected = SIGNATURE + bytes(8) + row(number, seal(b"ann"), DAY) + b"\xff\xff"
    assert data(talk.at_server()) == expected


def test_a_row_that_its_column_cannot_take_fails_the_copy() -> None:
    talk = talk_of()
    talk.client(query(FROM))
    talk.server(COPY_IN)
    talk.at_server()
    talk.client(message(b"d", b"7\tann\tsecret day\n"))
    (failed,) = talk.at_server()
    assert failed[:1] == b"f"
    assert b"secret" not in talk.sent
    talk.server(error("57014", "COPY from stdin failed"), ready())
    received = talk.at_client()
    assert kinds(received) == "GEZ"
    assert error_fields(received[1])["C"] == "22007"
    talk.client(message(b"d", b"8\tbob\t\\N\n"), messages.COPY_DONE, query("SELECT 1"))
    assert talk.at_server() == [query("SELECT 1")]


def test_a_copy_that_fails_in_the_extended_protocol_is_skipped_to_sync() -> None:
    talk = talk_of()
    talk.client(parse(FROM), bind(), execute())
    talk.server(PARSED, BOUND, COPY_IN)
    talk.at_server()
    talk.client(message(b"d", b"only one column\n"), messages.COPY_DONE, SYNC)
    assert kinds(talk.at_server()) == "f"
    talk.server(error("57014"))
    assert talk.at_server() == [SYNC]
    talk.server(ready())
    received = talk.at_client()
    assert kinds(received) == "12GEZ"
    assert error_fields(received[3])["C"] == "22P04"


def test_a_value_that_does_not_open_ends_the_copy() -> None:
    talk = talk_of()
    talk.client(query(TO))
    talk.server(
        COPY_OUT, message(b"d", b"7\t\\\\x00\t\\N\n"), message(b"d", b"8\t\\N\t\\N\n"), messages.COPY_DONE,
        complete("COPY 2"), ready(),
    )  # fmt: skip
    received = talk.at_client()
    assert kinds(received) == "HEZ"
    assert error_fields(received[1])["C"] == "XX001"


def test_a_copy_that_the_client_gives_up_is_given_up() -> None:
    talk = talk_of()
    talk.client(query(FROM))
    talk.server(COPY_IN)
    talk.at_server()
    talk.client(message(b"d", TEXT_ROWS), messages.build_copy_fail(b"no more"))
    assert kinds(talk.at_server()) == "df"
    talk.server(error("57014", "COPY from stdin failed: no more"), ready())
    assert error_fields(talk.at_client()[1])["M"] == "COPY from stdin failed: no more"


def test_a_sync_sent_with_the_copy_itself_is_swallowed_as_the_server_swallows_it() -> None:
    """tokio-postgres's copy_in: Bind, Execute and Sync at once, and a second Sync behind CopyDone."""
    talk = talk_of()
    talk.client(parse(FROM, "s1"), SYNC)
    talk.server(PARSED, ready())
    talk.at_server()
    talk.at_client()
    talk.client(bind(statement="s1"), execute(), SYNC)
    assert kinds(talk.at_server()) == "BEH"
    talk.server(BOUND, COPY_IN)
    assert talk.at_server() == [SYNC]
    assert kinds(talk.at_client()) == "2G"
    talk.client(message(b"d", TEXT_ROWS), messages.COPY_DONE, SYNC)
    sent = talk.at_server()
    assert kinds(sent) == "dcH"
    assert data(sent) == SEALED_TEXT
    talk.server(complete("COPY 2"))
    assert talk.at_server() == [SYNC]
    talk.server(ready())
    assert kinds(talk.at_client()) == "CZ"


def test_sync_and_flush_between_the_rows_mean_nothing() -> None:
    talk = talk_of()
    talk.client(query(FROM))
    talk.server(COPY_IN)
    talk.at_server()
    for piece in (TEXT_ROWS[:7], TEXT_ROWS[7:]):
        talk.client(messages.FLUSH, message(b"d", piece), SYNC, messages.FLUSH, SYNC)
    talk.client(messages.COPY_DONE)
    sent = talk.at_server()
    assert set(kinds(sent)) == {"d", "S", "c"}
    assert data(sent) == SEALED_TEXT
    talk.server(complete("COPY 2"), ready())
    assert kinds(talk.at_client()) == "GCZ"
    talk.client(query("SELECT 1"))
    assert talk.at_server() == [query("SELECT 1")]


def test_copyfail_in_the_middle_of_a_row_keeps_the_rest_of_it_back() -> None:
    talk = talk_of()
    talk.client(query(FROM))
    talk.server(COPY_IN)
    talk.at_server()
    talk.client(message(b"d", TEXT_ROWS + b"9\thalf a sec"), messages.build_copy_fail(b"given up"))
    sent = talk.at_server()
    assert kinds(sent) == "df"
    assert data(sent) == SEALED_TEXT
    talk.server(error("57014", "COPY from stdin failed: given up"), ready())
    assert kinds(talk.at_client()) == "GEZ"
    assert b"half" not in talk.sent


@pytest.mark.parametrize("extended", [False, True])
def test_an_error_of_the_server_amid_the_rows_ends_the_copy_and_what_is_still_coming_is_dropped(extended: bool) -> None:
    """A unique violation, say, while the client goes on sending."""
    talk = talk_of()
    talk.client(*((parse(FROM), bind(), execute()) if extended else (query(FROM),)))
    talk.server(*((PARSED, BOUND, COPY_IN) if extended else (COPY_IN,)))
    talk.at_server()
    talk.client(message(b"d", TEXT_ROWS))
    talk.at_server()
    talk.server(error("23505"), *(() if extended else (ready(),)))
    talk.client(message(b"d", TEXT_ROWS), message(b"d", b"half a row"), messages.COPY_DONE)
    assert talk.at_server() == []
    if extended:
        talk.client(SYNC)
        assert talk.at_server() == [SYNC]
        talk.server(ready())
    talk.client(query("SELECT 1"))
    assert talk.at_server() == [query("SELECT 1")]
    assert kinds(talk.at_client()) == ("12GEZ" if extended else "GEZ")


@pytest.mark.parametrize("stray", [query("SELECT 1"), parse("SELECT 1"), bind(), execute()])
def test_anything_else_during_a_copy_fails_it_and_ends_the_session(stray: bytes) -> None:
    talk = talk_of()
    talk.client(query(FROM))
    talk.server(COPY_IN)
    talk.at_server()
    talk.client(message(b"d", TEXT_ROWS[:9]), stray)
    assert not talk.session.wants_client
    sent = b"".join(talk.session.take_to_server())
    assert sent == stray[:1], "the server looks no further"
    assert b"ann" not in talk.sent + sent
    own = error("08P01", "unexpected message type"), error("08P01", "synchronization was lost", "FATAL")
    talk.server(*own)
    talk.session.server_lost()
    assert talk.at_client()[-2:] == [*own]
    assert talk.session.closing


@pytest.mark.parametrize("size", [1, 3, 4096])
def test_rows_the_server_cuts_anywhere_are_opened(size: int) -> None:
    talk = talk_of()
    talk.client(query(TO))
    pieces = (message(b"d", SEALED_TEXT[at : at + size]) for at in range(0, len(SEALED_TEXT), size))
    talk.server(COPY_OUT, *pieces, messages.COPY_DONE, complete("COPY 2"), ready())
    received = talk.at_client()
    assert kinds(received).strip("d").replace("d", "") == "HcCZ"
    assert data(received) == TEXT_ROWS


def test_a_message_of_any_size_is_sealed_as_it_comes_in() -> None:
    talk = talk_of()
    talk.client(query(FROM))
    talk.server(COPY_IN)
    talk.at_server()
    rows = 100_000
    large, sent = message(b"d", b"7\tann\\tx\t2000-01-02\n" * rows), b""
    for at in range(0, len(large), 16_384):
        talk.client(large[at : at + 16_384])
        piece = data(talk.at_server())
        assert piece, "nothing is collected"
        sent += piece
    talk.client(messages.COPY_DONE)
    assert talk.at_server() == [messages.COPY_DONE]
    assert sent == b"7\t\\" + hexed(b"ann\tx") + b"\t\\\\x" + DAY.hex().encode() + b"\n" + sent[len(sent) // rows :]
    assert sent.count(b"\n") == rows
    assert b"ann" not in talk.sent


def test_what_follows_a_fault_in_the_same_message_is_dropped() -> None:
    talk = talk_of()
    talk.client(query(FROM))
    talk.server(COPY_IN)
    talk.at_server()
    wrong = message(b"d", b"7\tann\t2000-02-30\n" + b"8\tbob\t2000-01-01\n" * 100)
    talk.client(wrong[:60])
    assert kinds(talk.at_server()) == "f"
    talk.client(wrong[60:100])
    assert not talk.session.wants_client, "what the server says to that comes first"
    talk.server(error("57014"), ready())
    received = talk.at_client()
    assert kinds(received) == "GEZ"
    assert error_fields(received[1])["C"] == "22008"
    talk.client(wrong[100:], messages.COPY_DONE)
    assert talk.at_server() == []
    assert talk.session.idle
    talk.client(query(FROM))
    assert kinds(talk.at_server()) == "Q"
    assert b"ann" not in talk.sent
    assert b"bob" not in talk.sent


def test_a_copy_may_be_sent_behind_a_query_that_is_not_answered_yet() -> None:
    talk = talk_of()
    talk.client(query("SELECT 1"), query(FROM), message(b"d", TEXT_ROWS), messages.COPY_DONE, query("SELECT 2"))
    talk.at_server()
    talk.server(complete(), ready())
    assert talk.at_server() == []  # the rows wait for the server to begin copying
    talk.server(COPY_IN)
    sent = talk.at_server()
    assert kinds(sent) == "dc"
    assert data(sent) == SEALED_TEXT
    talk.server(complete("COPY 2"), ready())
    assert talk.at_server() == [query("SELECT 2")]
    assert kinds(talk.at_client()) == "CZGCZ"


@pytest.mark.parametrize("fails", [False, True])
def test_a_copy_may_be_sent_behind_an_execute_that_is_not_answered_yet(fails: bool) -> None:
    talk = talk_of()
    first, copying = (parse("SELECT 1"), bind(), execute()), (parse(FROM, "c"), bind(statement="c"), execute())
    talk.client(*first, *((SYNC,) if fails else ()), *copying)
    talk.at_server()
    talk.server(PARSED, BOUND, *((error("22012"), ready()) if fails else (complete(),)))
    talk.client(message(b"d", TEXT_ROWS), messages.COPY_DONE, SYNC)
    assert talk.at_server() == []
    talk.server(PARSED, BOUND, COPY_IN)
    sent = talk.at_server()
    assert kinds(sent) == "dcH"
    assert data(sent) == SEALED_TEXT
    talk.server(complete("COPY 2"))
    assert talk.at_server() == [SYNC]


def test_a_copy_behind_a_query_that_fails_still_copies() -> None:
    talk = talk_of()
    talk.client(query("SELECT 1/0"), query(FROM))
    talk.at_server()
    talk.server(error("22012"))
    talk.client(message(b"d", TEXT_ROWS), messages.COPY_DONE)
    assert talk.at_server() == []
    talk.server(ready(), COPY_IN)
    assert data(talk.at_server()) == SEALED_TEXT
    talk.server(complete("COPY 2"), ready())
    assert kinds(talk.at_client()) == "EZGCZ"


def test_large_rows_of_a_plain_copy_pass_also_where_they_come_with_the_copy_itself() -> None:
    talk = Talk(max_message=1000).warm()
    large = message(b"d", b"x" * 200_000 + b"\n")
    talk.client(query("COPY plain FROM STDIN"), large, messages.COPY_DONE)
    assert kinds(talk.at_server()) == "Q"
    assert not talk.session.wants_client
    talk.server(COPY_IN)
    assert b"".join(talk.session.take_to_server()) == large + messages.COPY_DONE


def test_what_a_message_without_a_body_holds_all_the_same_never_leaves() -> None:
    """A wrong length makes one message of several, values of sealed columns among them."""
    talk = talk_of()
    talk.client(query(FROM))
    talk.server(COPY_IN)
    talk.client(message(b"c", b"ann@mail.example"), message(b"S", b"ann@mail.example"))
    talk.at_server()
    talk.server(error("22P04"), ready())
    talk.client(message(b"S", b"ann@mail.example"), message(b"H", b"ann@mail.example"), SYNC)
    talk.at_server()
    assert b"ann@" not in talk.sent
    assert messages.COPY_DONE in talk.sent
