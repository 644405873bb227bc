"""The start of a client connection, as bytes: what PostgreSQL does (checked against 18), plus what Sealwire refuses."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.session.startup import Answer, Cancel, Event, Failed, Lowered, NeedTls, Start, StartUp, is_direct_tls

SSL = struct.pack("!ii", 8, 80877103)
GSS = struct.pack("!ii", 8, 80877104)


def packet(code: int, body: bytes) -> bytes:
    return struct.pack("!iI", 8 + len(body), code) + body


def startup_message(version: int = 0x30000, /, **parameters: str) -> bytes:
    pairs = b"".join(f"{name}\0{value}\0".encode() for name, value in parameters.items())
    return packet(version, pairs + b"\0")


def cancel_request(key: bytes = b"\1\2\3\4") -> bytes:
    return packet(80877102, struct.pack("!i", 4242) + key)


def whole(machine: StartUp, *reads: bytes) -> list[Event]:
    return [event for read in reads for event in machine.receive(read)]


def failure(events: list[Event]) -> tuple[str, str]:
    failed = events[-1]
    assert isinstance(failed, Failed)
    return failed.sqlstate, failed.message


START = startup_message(user="app", database="shop", application_name="tests")
CONVERSATIONS = {
    "start": [START],
    "cancel": [cancel_request()],
    "tls not offered, then start": [SSL, START],
    "gss, then start": [GSS, START],
    "tls, gss, start": [SSL, GSS, START],
    "gss, tls, cancel": [GSS, SSL, cancel_request(b"k" * 256)],
}


@pytest.mark.parametrize("reads", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_a_conversation_reads_the_same_byte_by_byte(reads: list[bytes]) -> None:
    at_once = whole(StartUp(offer_tls=False), *reads)
    machine = StartUp(offer_tls=False)
    assert [event for read in reads for byte in read for event in machine.receive(bytes((byte,)))] == at_once
    assert at_once[:-1] == [Answer(b"N")] * (len(reads) - 1)
    assert isinstance(at_once[-1], Start | Cancel)
    assert at_once[-1].packet == reads[-1]


def test_a_startup_message_names_user_database_and_parameters() -> None:
    message = startup_message(0x30002, user="app", database="shop", options="-c search_path=x", replication="false")
    (event,) = StartUp(offer_tls=True).receive(message)
    assert isinstance(event, Start)
    assert (event.user, event.database) == ("app", "shop")
    assert event.parameters["options"] == "-c search_path=x"
    assert event.packet == message


@pytest.mark.parametrize("version", [0x30000, 0x30001, 0x30002])
def test_a_version_that_is_spoken_goes_to_the_server_as_it_came(version: int) -> None:
    message = startup_message(version, user="app")
    (event,) = StartUp(offer_tls=False).receive(message)
    assert isinstance(event, Start)
    assert (event.packet, event.lowered) == (message, None)


@pytest.mark.parametrize(
    ("version", "asked"), [(0x3270F, 0x30002), (0x30003, 0x30002), (0x30002, 0x30002), (0x30000, 0x30000)]
)
def test_the_server_is_asked_for_nothing_that_the_proxy_does_not_speak(version: int, asked: int) -> None:
    """3.9999 is what libpq greases with: it must be negotiated, not refused. A newer server could speak 3.3."""
    message = packet(version, b"user\0app\0_pq_.novelty\0on\0options\0-c a=b\0_pq_.other\0\0\0")
    (event,) = StartUp(offer_tls=False).receive(message)
    assert isinstance(event, Start)
    assert event.packet == packet(asked, b"user\0app\0options\0-c a=b\0\0")
    assert event.lowered == Lowered(asked, (b"_pq_.novelty", b"_pq_.other"))
    assert event.parameters["_pq_.novelty"] == "on"


@pytest.mark.parametrize("parameters", [{"user": "app"}, {"user": "app", "database": ""}])
def test_the_database_defaults_to_the_user(parameters: dict[str, str]) -> None:
    (event,) = StartUp(offer_tls=False).receive(startup_message(**parameters))
    assert isinstance(event, Start)
    assert event.database == "app"


def test_a_user_and_a_database_may_be_called_replication() -> None:
    (event,) = StartUp(offer_tls=False).receive(
        startup_message(user="replication", database="replication", replication="true")
    )
    assert isinstance(event, Start)
    assert (event.user, event.database, event.parameters["replication"]) == ("replication", "replication", "true")


def test_of_a_name_given_twice_the_last_counts() -> None:
    (event,) = StartUp(offer_tls=False).receive(packet(0x30000, b"user\0a\0user\0b\0\0"))
    assert isinstance(event, Start)
    assert event.user == "b"


def test_names_are_cut_to_63_bytes_as_the_server_cuts_them() -> None:
    (event,) = StartUp(offer_tls=False).receive(startup_message(user="u" * 70, database="d" * 64))
    assert isinstance(event, Start)
    assert (event.user, event.database) == ("u" * 63, "d" * 63)


@pytest.mark.parametrize("name", [b"user", b"database"])
def test_names_that_the_policy_could_not_be_compared_with_are_refused(name: bytes) -> None:
    events = StartUp(offer_tls=False).receive(packet(0x30000, b"user\0app\0" + name + b"\0caf\xe9\0\0"))
    assert failure(events) == ("22021", "user and database names must be valid UTF-8")


def test_other_parameters_may_hold_any_bytes() -> None:
    (event,) = StartUp(offer_tls=False).receive(packet(0x30000, b"user\0app\0application_name\0caf\xe9\0\0"))
    assert isinstance(event, Start)
    assert event.parameters["application_name"].encode(errors="surrogateescape") == b"caf\xe9"


def test_bytes_behind_the_startup_message_are_kept_for_the_session() -> None:
    machine = StartUp(offer_tls=False)
    assert len(machine.receive(START + b"p\0\0\0")) == 1
    assert machine.trailing == b"p\0\0\0"


def test_tls_is_asked_for_and_the_start_follows_inside_it() -> None:
    machine = StartUp(offer_tls=True, require_tls=True)
    assert machine.receive(SSL) == [NeedTls()]
    machine.tls_started()
    (event,) = machine.receive(START)
    assert isinstance(event, Start)
    assert machine.encrypted


def test_bytes_sent_with_a_request_for_tls_that_is_not_granted_are_an_attack() -> None:
    """CVE-2021-23214."""
    machine = StartUp(offer_tls=False)
    events = machine.receive(SSL + START)
    assert events[0] == Answer(b"N")
    assert failure(events) == ("08P01", "received unencrypted data after SSL request")
    assert machine.trailing == b""


@pytest.mark.parametrize("reads", [[SSL + START], [SSL[:5], SSL[5:] + START], [GSS, SSL + START]], ids=len)
def test_bytes_behind_a_request_for_tls_are_the_handshakes(reads: list[bytes]) -> None:
    """Never a part of what is said in it: CVE-2021-23214."""
    machine = StartUp(offer_tls=True)
    events = whole(machine, *reads)
    assert events == [*[Answer(b"N")] * (len(events) - 1), NeedTls()]
    assert (machine.unread, machine.trailing) == (len(START), b"")
    machine.tls_started()
    assert machine.unread == 0
    (event,) = machine.receive(startup_message(user="inside"))
    assert isinstance(event, Start)
    assert (event.user, machine.trailing) == ("inside", b"")


def test_bytes_sent_with_the_request_for_gss_are_an_attack() -> None:
    events = StartUp(offer_tls=True).receive(GSS + b"x")
    assert failure(events) == ("08P01", "received unencrypted data after GSSAPI encryption request")


@pytest.mark.parametrize(("second", "minor"), [(SSL, 5679), (GSS, 5680)])
def test_no_encryption_is_negotiated_inside_tls(second: bytes, minor: int) -> None:
    machine = StartUp(offer_tls=True)
    machine.receive(SSL)
    machine.tls_started()
    message = f"unsupported frontend protocol 1234.{minor}: server supports 3.0 to 3.2"
    assert failure(machine.receive(second)) == ("0A000", message)


@pytest.mark.parametrize("request_", [SSL, GSS])
def test_a_request_may_not_come_twice_in_a_row(request_: bytes) -> None:
    events = whole(StartUp(offer_tls=False), request_, request_)
    assert events[0] == Answer(b"N")
    assert failure(events)[0] == "0A000"


@pytest.mark.parametrize("requests", [[SSL, GSS, SSL], [GSS, SSL, GSS, SSL]], ids=len)
def test_requests_may_take_turns(requests: list[bytes]) -> None:
    *answers, last = whole(StartUp(offer_tls=False), *requests, START)
    assert answers == [Answer(b"N")] * len(requests)
    assert isinstance(last, Start)


def test_a_direct_tls_connection_needs_no_request_and_is_told_no() -> None:
    assert is_direct_tls(b"\x16")
    assert not is_direct_tls(SSL)
    machine = StartUp(offer_tls=True, require_tls=True, encrypted=True)
    events = whole(machine, SSL, START)
    assert events[0] == Answer(b"N")
    assert isinstance(events[1], Start)


def test_where_tls_is_required_a_plain_start_is_refused_and_a_cancel_is_not() -> None:
    events = StartUp(offer_tls=True, require_tls=True).receive(START)
    assert failure(events) == ("28000", "this server requires TLS")
    (event,) = StartUp(offer_tls=True, require_tls=True).receive(cancel_request())
    assert isinstance(event, Cancel)


@pytest.mark.parametrize(
    ("data", "packet_of"),
    [
        (struct.pack("!i", 7), "startup"),
        (struct.pack("!i", 10_005), "startup"),
        (struct.pack("!i", -1), "startup"),
        (b"GET / HTTP/1.1\r\n", "startup"),
        (cancel_request(b"123"), "cancel request"),
        (cancel_request(b"k" * 257), "cancel request"),
    ],
)
def test_whose_length_is_wrong_is_told_nothing(data: bytes, packet_of: str) -> None:
    events = StartUp(offer_tls=False).receive(data)
    assert events == [Failed(b"", "08P01", f"invalid length of {packet_of} packet")]


@pytest.mark.parametrize(
    ("data", "sqlstate", "message"),
    [
        (packet(0, b""), "0A000", "unsupported frontend protocol 0.0: server supports 3.0 to 3.2"),
        (
            startup_message(0x40000, user="a"),
            "0A000",
            "unsupported frontend protocol 4.0: server supports 3.0 to 3.2",
        ),
        (packet(0x30000, b""), "08P01", "invalid startup packet layout: expected terminator as last byte"),
        (packet(0x30000, b"user\0"), "08P01", "invalid startup packet layout: expected terminator as last byte"),
        (packet(0x30000, b"user\0a\0"), "08P01", "invalid startup packet layout: expected terminator as last byte"),
        (
            packet(0x30000, b"user\0a\0replication\0database\0replication\0true\0\0"),
            "08P01",
            "invalid startup packet: replication is given more than once",
        ),
        (packet(0x30000, b"user\0a\0\0\0"), "08P01", "invalid startup packet layout: expected terminator as last byte"),
        (startup_message(database="shop"), "28000", "no PostgreSQL user name specified in startup packet"),
        (startup_message(user=""), "28000", "no PostgreSQL user name specified in startup packet"),
    ],
)
def test_what_postgresql_refuses_is_refused_in_its_words(data: bytes, sqlstate: str, message: str) -> None:
    events = StartUp(offer_tls=False).receive(data)
    assert failure(events) == (sqlstate, message)
    (failed,) = events
    assert isinstance(failed, Failed)
    fields = failed.packet[5:].split(b"\0")
    assert failed.packet[0:1] == b"E"
    assert struct.unpack_from("!i", failed.packet, 1) == (len(failed.packet) - 1,)
    assert fields[:4] == [b"SFATAL", b"VFATAL", b"C" + sqlstate.encode(), b"M" + message.encode()]


@pytest.mark.parametrize(("version", "spelled"), [(0x20000, "2.0"), (0x10000, "1.0"), (1, "0.1")])
def test_a_client_of_an_old_protocol_is_told_so_in_its_own_format(version: int, spelled: str) -> None:
    (failed,) = StartUp(offer_tls=False).receive(startup_message(version, user="a"))
    assert isinstance(failed, Failed)
    assert failed.packet == f"EFATAL:  unsupported frontend protocol {spelled}: server supports 3.0 to 3.2\n\0".encode()


@given(
    reads=st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from([SSL, GSS, START, cancel_request(), START[:-1]]),
            st.builds(packet, st.sampled_from([0x30000, 0x30002, 80877102]), st.binary(max_size=60)),
        ),
        max_size=6,
    ),
    offer=st.booleans(),
    require=st.booleans(),
)
def test_whatever_comes_ends_in_a_start_a_cancel_a_failure_or_waiting(
    reads: list[bytes], offer: bool, require: bool
) -> None:
    machine = StartUp(offer_tls=offer, require_tls=require)
    for read in reads:
        events = machine.receive(read)
        for event in events[:-1]:
            assert isinstance(event, Answer)
        last = events[-1] if events else None
        if isinstance(last, NeedTls):
            machine.tls_started()
        elif isinstance(last, Start | Cancel):
            assert offer is False or not require or machine.encrypted or isinstance(last, Cancel)
            return
        elif isinstance(last, Failed):
            assert last.sqlstate in {"08P01", "0A000", "28000", "22021"}
            return
        assert len(machine.trailing) <= 10_004


def test_bytes_are_not_fed_while_a_handshake_is_due_nor_behind_the_end() -> None:
    machine = StartUp(offer_tls=True)
    assert machine.receive(SSL) == [NeedTls()]
    with pytest.raises(RuntimeError, match="handshake is due"):
        machine.receive(START)
    machine.tls_started()
    assert isinstance(machine.receive(START)[0], Start)
    with pytest.raises(RuntimeError, match="after the end"):
        machine.receive(b"Q")


def test_a_handshake_that_nobody_asked_for_does_not_make_a_connection_encrypted() -> None:
    machine = StartUp(offer_tls=True)
    with pytest.raises(RuntimeError, match="no TLS handshake"):
        machine.tls_started()
    assert not machine.encrypted
