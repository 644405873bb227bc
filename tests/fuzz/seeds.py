"""Where the fuzzers begin: the conversations of the tests, in the form that each target reads."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from proxy.session.startup import CANCEL_REQUEST, GSSENC_REQUEST, SSL_REQUEST
from proxy.wire import messages
from proxy.wire.copy import SIGNATURE
from tests.fuzz.source import CLIENT, SERVER, pack
from tests.fuzz.wire_targets import PARSERS, ROUND_TRIPS, TYPES
from tests.session.playbook import STARTED, Xor, bind, describe, execute, parse, query
from tests.session.test_session_fuzz import CLIENT as CLIENT_MESSAGES
from tests.session.test_session_fuzz import SERVER as SERVER_MESSAGES
from tests.session.test_session_fuzz import whole_conversation

STATEMENTS = (
    "SELECT id, email FROM customers WHERE email = 'ann@example.com'",
    "SELECT id, email FROM customers",
    "INSERT INTO customers (id, email, born) VALUES (1, 'ann@example.com', '1987-03-14')",
    "UPDATE customers SET email = 'bob@example.com' WHERE id = 1; SELECT 1",
    "BEGIN; CREATE TABLE t (a int); SELECT * FROM t; COMMIT",
    "COPY customers (id, email) FROM STDIN",
    "DECLARE c CURSOR FOR SELECT id, email FROM customers",
    "PREPARE p AS SELECT id, email FROM customers WHERE email = $1",
    "EXECUTE p('ann@example.com')",
    "DEALLOCATE ALL",
    "DISCARD ALL",
    "SET search_path = public",
    "SELECT lower(email) FROM customers",
    "",
    "SELEC",
)
VALUES = (b"1", b"-1.5e10", b"NaN", b"2024-02-29", b"24:00:00", b"2024-01-15 10:20:30.5+02", b"Infinity", b'{"a": [1]}',
          b"{1,NULL,3}", b"[0:1]={a,b}", b"\\xe101", b"0b1", b"true", b"1234.5000", b"a\\b", b"\0\0\0\0",
          b"\x7f\xf8\0\0\0\0\0\0", b"550e8400-e29b-41d4-a716-446655440000", b'(1,"a b",)')  # fmt: skip
COPY_TEXT = (b"1\tann\n2\t\\N\n", b'1,"a ""b"""\r\n2,\r\n', b"a|b\n\\.\n", b"'x\\'y';NA\n",
             b"\0\x02\0\0\0\x011\xff\xff\xff\xff\xff\xff", SIGNATURE + bytes(8) + b"\xff\xff")  # fmt: skip


def _startups() -> list[bytes]:
    parameters = b"user\0app\0database\0shop\0options\0-c a=b\0_pq_.x\0y\0\0"
    packets = [struct.pack("!ii", 8, code) for code in (SSL_REQUEST, GSSENC_REQUEST)]
    packets.append(struct.pack("!iiii", 16, CANCEL_REQUEST, 7, 99))
    packets += [struct.pack("!iI", 8 + len(parameters), v << 16 | m) + parameters for v, m in ((3, 0), (3, 2), (2, 0))]
    return [bytes((flags, 1, 3)) + b"".join(packets[at:]) for flags in range(16) for at in range(len(packets))]


def _authentications() -> list[bytes]:
    offers = messages.build_sasl_mechanisms([b"SCRAM-SHA-256-PLUS", b"SCRAM-SHA-256"])
    initial = messages.build_sasl_initial(b"SCRAM-SHA-256", b"n,,n=,r=CLI")
    first = messages.build_authentication(11, b"r=CLISRV,s=MDEyMzQ1Njc4OWFiY2RlZg==,i=1")
    final = messages.message(b"p", b"c=biws,r=CLISRV,p=" + b"A" * 43 + b"=")
    last = messages.build_authentication(12, b"v=" + b"A" * 43 + b"=")
    asked = messages.build_authentication(5, b"salt")
    conversations: Sequence[Sequence[tuple[int, bytes]]] = (
        [(SERVER, offers), (CLIENT, initial), (SERVER, first), (CLIENT, final), (SERVER, last + STARTED)],
        [(SERVER, asked), (CLIENT, messages.message(b"p", b"md5abc\0")), (SERVER, STARTED)],
        [(SERVER, messages.build_negotiation(196608, [b"_pq_.x"]) + STARTED)],
    )
    return [bytes((flags,)) + pack(one) for one in conversations for flags in (0, 1, 3, 7)]


def seeds() -> Mapping[str, list[bytes]]:
    """Target -> inputs."""
    client = [query(text) for text in STATEMENTS]
    client += [parse(text) + bind() + describe("P") + execute() + messages.SYNC for text in STATEMENTS]
    client += [
        query(STATEMENTS[5]) + messages.message(b"d", b"1\tann\n") + messages.COPY_DONE + query(""),
        parse(STATEMENTS[1], "s") + messages.SYNC + bind(statement="s") + execute(limit=1) + messages.SYNC,
        parse(STATEMENTS[7][13:], "s", 25) + messages.SYNC + bind(b"ann", statement="s") + execute() + messages.SYNC,
        b"".join(data for side, data in whole_conversation() if side == "client"),
        *CLIENT_MESSAGES,
    ]
    played = [(SERVER, data) if side == "server" else (CLIENT, bytes(range(20))) for side, data in whole_conversation()]
    sealed = Xor().seal(b"ann")
    return {
        "framing": [bytes((side, 4, 0, 0, 3, 200)) + raw for side, stream in enumerate((client, SERVER_MESSAGES))
                    for raw in (*stream, b"".join(stream))],
        "messages": [bytes((at,)) + raw[5:] for at in range(len(ROUND_TRIPS) + len(PARSERS))
                     for raw in (*CLIENT_MESSAGES, *SERVER_MESSAGES)],
        "codecs": [bytes((at, at % 4, choice, (at * 7) % 256)) + value for at in range(len(TYPES))
                   for choice in (0, 4, 6, 7) for value in (*VALUES, sealed)],
        "copy": [bytes((at, 1, 5)) + data for at in range(7) for data in COPY_TEXT],
        "startup": _startups(),
        "authentication": _authentications(),
        "server": [pack(played), *(pack([(CLIENT, bytes((at,))), (SERVER, raw)]) for at in range(len(CLIENT_MESSAGES))
                                   for raw in SERVER_MESSAGES)],
        "client": [bytes((at % 4, 1 + at, 7)) + raw for at, raw in enumerate(client)],
    }  # fmt: skip
