"""Where the fuzzers begin: the conversations of the tests and the golden traces, in the form that each target reads."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from proxy.session.startup import CANCEL_REQUEST, GSSENC_REQUEST, SSL_REQUEST
from proxy.wire import messages
from proxy.wire.copy import SIGNATURE
from tests.fuzz.session_targets import HONEST
from tests.fuzz.source import CLIENT, SERVER, pack
from tests.fuzz.traces import GOLDEN_MESSAGES, Trace, asked
from tests.fuzz.wire_targets import PARSERS, ROUND_TRIPS, TYPES
from tests.golden import conversation
from tests.session.playbook import STARTED, Book, Talk, Xor, bind, describe, execute, parse, query
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


class _Recorded(Talk):
    """What the server says is kept."""

    def server(self, *pieces: bytes) -> None:
        self.said = b"".join(pieces)
        super().server(*pieces)


def _first_reading() -> bytes:
    """What the server says to the session's first reading of the catalog."""
    talk = _Recorded(Book())
    talk.client(query("SELECT 1"))
    talk.serve_reads()
    return talk.said


def _choices(messages_: Sequence[bytes]) -> bytes:
    return bytes(HONEST.index(raw) for raw in messages_ if raw in HONEST)


_MOST: Final = 500
"""Bytes of a stream in one input: an execution is to take milliseconds."""


def _cut(pieces: Iterable[bytes]) -> list[bytes]:
    """Streams of whole pieces, each as long as may be."""
    streams = [b""]
    for piece in pieces:
        if len(streams[-1]) + len(piece) > _MOST:
            streams.append(b"")
        streams[-1] += piece[:_MOST]
    return streams


def _golden_values(trace: Trace) -> set[bytes]:
    """The values in the rows of a trace, for the codec of the type that they have."""
    by_oid = {type_.oid: at for at, type_ in enumerate(TYPES)}
    found, columns = set[bytes](), list[messages.Column]()
    for raw in (raw for _, told in trace for raw in told):
        if raw[:1] == b"T":
            columns = messages.parse_row_description(raw)
        if raw[:1] == b"D":
            for column, value in zip(columns, messages.parse_data_row(raw), strict=False):
                if value is not None and column.type in by_oid:
                    found.add(bytes((by_oid[column.type], 0, 4 * column.format, by_oid[column.type])) + value)
    return found


def _golden(traces: Sequence[Trace]) -> Mapping[str, list[bytes]]:
    """Target -> the golden traces as its inputs."""
    starts = [b"".join(told) for trace in traces for _, told in trace[:1]]
    asking = [stream for trace in traces for stream in _cut(sent for sent, _ in trace)]
    telling = [stream for trace in traces for stream in _cut(raw for _, told in trace for raw in told)]
    answers = dict.fromkeys(raw for trace in traces for _, told in trace for raw in told)
    bodies = [(at, raw) for at, (kind, _) in enumerate((*ROUND_TRIPS, *PARSERS))
              for raw in (*GOLDEN_MESSAGES, *answers) if raw[:1] == kind]  # fmt: skip
    copied = {b"".join(raw[5:] for raw in stream if raw[:1] == b"d")
              for trace in traces for sent, told in trace for stream in (asked(sent), told)}  # fmt: skip
    startup = conversation.startup("app", "shop")
    steps = [[((CLIENT, _choices(asked(sent))), (SERVER, b"".join(told))) for sent, told in trace[1:]]
             for trace in traces]  # fmt: skip
    played = [step for trace in steps for step in trace] + [
        [record for step in trace for record in step] for trace in steps
    ]
    return {
        "framing": [bytes((side, 4, 0, 0, 3, 200)) + stream for side, streams in enumerate((asking, telling))
                    for stream in streams],
        "messages": [bytes((at,)) + raw[5:] for at, raw in bodies],
        "codecs": sorted(set().union(*map(_golden_values, traces))),
        "copy": [bytes((at, 1, 5)) + data for at in (0, 2, 5) for data in sorted(copied)],
        "startup": [bytes((flags, 1, 3)) + startup for flags in range(16)],
        "authentication": [bytes((flags,)) + pack([(SERVER, start)]) for flags in (0, 1, 3, 7) for start in starts],
        "server": [b"\0" + pack(records) for records in played],
        "client": [bytes((number, 1 + number, 7)) + stream for number in (0, 3) for stream in asking],
    }  # fmt: skip


def _conversations() -> Mapping[str, list[bytes]]:
    """Target -> the conversations of the tests as its inputs."""
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
        "server": [b"\0" + pack(played),
                   b"\1" + pack([(CLIENT, _choices([query("SELECT 1")])), (SERVER, _first_reading())]),
                   *(b"\0" + pack([(CLIENT, bytes((at,))), (SERVER, raw)]) for at in range(len(CLIENT_MESSAGES))
                     for raw in SERVER_MESSAGES)],
        "client": [bytes((at % 4, 1 + at, 7)) + raw for at, raw in enumerate(client)],
    }  # fmt: skip


def seeds(traces: Sequence[Trace]) -> Mapping[str, list[bytes]]:
    """Target -> inputs: the conversations of the tests, and the golden traces."""
    golden = _golden(traces)
    return {name: [*inputs, *golden[name]] for name, inputs in _conversations().items()}
