"""Whatever comes from either side: the session answers, or ends with one FATAL error. It raises nothing."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.session import Session, Shared
from proxy.wire import messages
from proxy.wire.messages import message
from tests.session.playbook import (
    BOUND,
    LITERAL,
    PARSED,
    POLICY,
    SEALED_COLUMNS,
    SELECT,
    STARTED,
    SYNC,
    Book,
    Sealers,
    Talk,
    bind,
    close,
    complete,
    describe,
    error,
    execute,
    hexed,
    kinds,
    parse,
    query,
    ready,
    row,
    split,
)

CANARY = b"canary-7261"

CLIENT = [
    parse(SELECT),
    parse(SELECT, "s"),
    parse(LITERAL, "l"),
    parse("SELECT 1", "plain"),
    parse("COPY t FROM STDIN", "copy"),
    bind(statement="plain"),
    bind(statement="copy"),
    bind(CANARY),
    bind(CANARY, statement="s", portal="p"),
    bind(CANARY, statement="s", formats=(1,), results=(1,)),
    describe("S"),
    describe("S", "s"),
    describe("P", "p"),
    execute(),
    execute("p", 1),
    close("S", "s"),
    close("P", "p"),
    SYNC,
    messages.FLUSH,
    query("SELECT 1"),
    query("BEGIN"),
    query("ROLLBACK"),
    query("CREATE TABLE t (a int)"),
    query("SET a = 1"),
    query("COPY t FROM STDIN"),
    query(LITERAL),
    message(b"d", b"1\n"),
    messages.COPY_DONE,
    messages.build_copy_fail(b"no"),
    message(b"F", b"\0\0\0\x01\0\0\0\0\0\0"),
]
SERVER = [
    PARSED,
    BOUND,
    message(b"3"),
    message(b"n"),
    message(b"I"),
    message(b"s"),
    SEALED_COLUMNS,
    messages.build_parameter_description([17]),
    row(b"1", hexed(CANARY)),
    row(b"1", b"\\x00"),
    complete(),
    complete("COPY 1"),
    error("42703"),
    error("25P02"),
    error("57P01", "bye", "FATAL"),
    ready("I"),
    ready("T"),
    ready("E"),
    message(b"G", b"\0\0\x01\0\0"),
    message(b"H", b"\0\0\x01\0\0"),
    message(b"d", b"1\n"),
    messages.COPY_DONE,
    message(b"S", b"TimeZone\0Europe/Rome\0"),
    message(b"N", b"Mhello\0\0"),
    message(b"A", b"\0\0\0\x01a\0b\0"),
    message(b"V", b"\0\0\0\x01x"),
]


def mutated(rng: random.Random, raw: bytes) -> bytes:
    data = bytearray(raw)
    for _ in range(rng.choice((0, 0, 0, 1, 3))):
        at = rng.randrange(len(data))
        match rng.randrange(3):
            case 0:
                data[at] = rng.randrange(256)
            case 1:
                del data[at:]
            case _:
                data[at:at] = rng.randbytes(rng.randrange(5))
        if not data:
            break
    return bytes(data)


def play(talk: Talk, rng: random.Random, *, honest: bool) -> None:
    """Random messages from both sides until the session ends, or some time has passed."""
    for _ in range(60):
        if talk.session.closing:
            break
        if talk.session.wants_client and rng.random() < 0.5:
            raw = rng.choice(CLIENT)
            talk.session.client_data(raw if honest else mutated(rng, raw))
        elif honest and talk.session._conversation is not None and talk.session._conversation.replies:
            talk.session.server_data(fitting(talk, rng))
        else:
            raw = rng.choice(SERVER)
            talk.session.server_data(raw if honest else mutated(rng, raw))
        talk.sent += b"".join(talk.session.take_to_server())
        for piece in talk.session.take_to_client():
            assert isinstance(piece, bytes)


def fitting(talk: Talk, rng: random.Random) -> bytes:
    """A message that may answer what is at the head of the queue, most of the time."""
    head = talk.session._conversation.replies.head  # type: ignore[union-attr]
    assert head is not None
    allowed = {
        "PARSE": "1E",
        "BIND": "2E",
        "DESCRIBE_STATEMENT": "tTnE",
        "DESCRIBE_PORTAL": "TnE",
        "EXECUTE": "DCIsGHdcE",
        "CLOSE": "3",
        "SYNC": "Z",
        "QUERY": "TDCIGHdcEZ",
        "FUNCTION_CALL": "VEZ",
    }[head[0].name]
    return rng.choice([raw for raw in SERVER if chr(raw[0]) in allowed])


@pytest.mark.parametrize("honest", [True, False])
@pytest.mark.parametrize("warm", [True, False])
def test_random_and_mutated_messages_from_both_sides(honest: bool, warm: bool) -> None:
    for seed in range(400):
        rng = random.Random(seed)
        talk = Talk()
        if warm:
            talk.warm()
        play(talk, rng, honest=honest)
        assert CANARY not in talk.sent or not honest


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80), st.binary(max_size=80))
def test_random_bytes_from_both_sides(from_client: bytes, from_server: bytes) -> None:
    for talk in (Talk().warm(), Talk()):
        talk.session.client_data(from_client)
        talk.session.server_data(from_server)
        assert kinds(split(b"".join(talk.session.take_to_client()), to_server=False)).count("E") <= 1


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.binary(max_size=60), st.integers(0, len(STARTED)))
def test_random_bytes_before_authentication_has_ended(from_client: bytes, from_server: bytes, at: int) -> None:
    session = Session(Shared(POLICY, Sealers(), analyse=Book()), database="shop", user="app", parameters={})
    session.server_data(STARTED[:at] + from_server)
    session.client_data(from_client)
    session.server_data(from_server)


def whole_conversation() -> list[tuple[str, bytes]]:
    return [
        ("client", parse(SELECT, "s") + bind(b"ann", statement="s") + describe("P") + execute() + SYNC),
        ("server", PARSED + BOUND + SEALED_COLUMNS + row(b"1", hexed(b"ann")) + row(b"2", None) + complete() + ready()),
        ("client", query(LITERAL) + query("SELECT 1")),
        ("server", error("22012", P="3") + ready() + row(b"1") + row(b"2") + complete() + ready()),
        ("client", parse("SELECT bad") + bind() + SYNC + close("S", "s") + SYNC),
        ("server", error("42703") + ready() + message(b"3") + ready()),
        ("client", messages.TERMINATE),
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_fed_in_pieces_the_same_bytes_come_out(size: int) -> None:
    def run(step: int) -> tuple[bytes, bytes]:
        talk = Talk().warm()
        to_client, to_server = b"", b""
        for side, data in whole_conversation():
            feed = talk.session.client_data if side == "client" else talk.session.server_data
            for at in range(0, len(data), step):
                feed(data[at : at + step])
                to_client += b"".join(talk.session.take_to_client())
                to_server += b"".join(talk.session.take_to_server())
        return to_client, to_server

    assert run(size) == run(1 << 20)
