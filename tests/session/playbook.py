"""A session played without sockets: the test speaks for the client and for the server, message by message.

talk = Talk(analyse)                  authenticated, ready, the catalog not read yet
talk.client(query("SELECT 1"))        what the client sends
assert talk.at_server() == [...]      what reaches the server, as messages
talk.server(ready())                  what the server answers
assert talk.at_client() == [...]      what reaches the client, as messages
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Iterable

from proxy.config import Policy, Scheme, SealedColumn
from proxy.errors import CannotOpen
from proxy.pgtypes import SqlType, parse_type
from proxy.session import Session, Shared
from proxy.session.guarding import NAME as GUARD
from proxy.session.injection import NAME
from proxy.sql.plan import (
    Effect,
    Failure,
    LiteralSlot,
    Opening,
    Plan,
    Sealing,
    ServerParam,
    Statement,
    Use,
)
from proxy.wire import messages
from proxy.wire.frames import CLIENT_LENGTHS, SERVER_LENGTHS, Frame, Splitter
from proxy.wire.messages import Bind, Column, Parse, Target, message

TABLE = 16_385
FILE = 16_390
"""The table's filenode."""
PID = 7
"""The server process, as BackendKeyData and the session's own query give it."""
EMAIL = SealedColumn("*", "public", "customers", "email", parse_type("text"), Scheme.EQUALITY, "public.customers.email")
BORN = SealedColumn("*", "public", "customers", "born", parse_type("date"), Scheme.RANDOM, "public.customers.born")
POLICY = Policy((EMAIL, BORN))
SYSTEM = json.dumps({"version": 180001, "sealed": 16_384, "schemas": ["pg_catalog", "public"], "relations": []})
CATALOG = json.dumps(
    {
        "version": 180001,
        "sealed": 16_384,
        "schemas": ["pg_catalog", "public"],
        "relations": [
            [
                TABLE,
                "public",
                "customers",
                "r",
                "p",
                None,
                None,
                [
                    ["id", 1, 23, -1, 23, -1, True, False, "", "", "int4"],
                    ["email", 2, 16_384, -1, 17, -1, False, False, "", "", "sealed"],
                    ["born", 3, 16_384, -1, 17, -1, False, False, "", "", "sealed"],
                ],
            ]
        ],
    }
)


def facts(
    *,
    schemas: tuple[str, ...] = ("pg_catalog", "public"),
    bytea_output: str = "hex",
    pid: int = PID,
    temporary: list[tuple[int, str]] | None = None,
) -> str:
    return json.dumps(
        {
            "database": "shop",
            "user": "app",
            "schemas": list(schemas),
            "creation": "public",
            "temp": None,
            "bytea_output": bytea_output,
            "extra_float_digits": 1,
            "pid": pid,
            "temporary": temporary,
            "reported": {"TimeZone": "UTC", "DateStyle": "ISO, MDY", "standard_conforming_strings": "on"},
        }
    )


class Xor:
    """A stand-in for a sealer: reversible, deterministic, and the plaintext is not to be found in it."""

    def seal(self, plain: bytes) -> bytes:
        return b"\xe1\x02\0\0\0\x01" + bytes(byte ^ 0x5A for byte in plain)

    def open(self, sealed: bytes) -> bytes:
        if sealed[:6] != b"\xe1\x02\0\0\0\x01":
            raise CannotOpen("not a sealed value")
        return bytes(byte ^ 0x5A for byte in sealed[6:])

    def between(self, floor: bytes | None) -> bytes:
        return b"\xe1\x02\0\0\0\x01probe"

    def prefix_bounds(self, prefix: bytes) -> tuple[bytes, bytes]:
        return self.seal(prefix), self.seal(prefix + b"\xff")


class Sealers:
    def sealer(self, column: SealedColumn, *, key_id: int | None = None) -> Xor:
        return Xor()

    def key_of(self, column: SealedColumn) -> int:
        return 1

    def waits(self, column: SealedColumn) -> bool:
        return False


seal = Xor().seal


# -- plans -------------------------------------------------------------------------------------------------------------

INTEGER = parse_type("integer")


def compare(column: SealedColumn = EMAIL, source: SqlType | None = None) -> Sealing:
    return Sealing(column, Use.COMPARE, source)


SELECT = "SELECT id, email FROM customers WHERE email = $1"
SELECT_PLAN = Plan(
    template=("SELECT id, email FROM customers WHERE email = $1",),
    params=(ServerParam(0, compare()),),
    results=(None, Opening(EMAIL, EMAIL.type, (TABLE, 2))),
    tag="SELECT",
)
LITERAL = "SELECT email FROM customers WHERE email = 'ann@example.com'"
LITERAL_PLAN = Plan(
    template=("SELECT email FROM customers WHERE email = ", "::bytea"),
    literals=(LiteralSlot("ann@example.com", compare()),),
    results=(Opening(EMAIL, EMAIL.type, (TABLE, 2)),),
    tag="SELECT",
)
PLAIN_PLAN = Plan(tag="SELECT")

Analyser = Callable[..., list[Statement | Failure]]


class Book:
    """An analysis made of texts and their plans; unknown texts are one plain statement. `calls` counts."""

    def __init__(self, plans: dict[str, Plan | Exception | list[tuple[str, Plan | Exception]]] | None = None) -> None:
        self.plans = {SELECT: SELECT_PLAN, LITERAL: LITERAL_PLAN, **(plans or {})}
        self.calls: list[str] = []

    def __call__(self, text: str, **_: object) -> list[Statement | Failure]:
        self.calls.append(text)
        found = self.plans.get(text, effects(text))
        if not isinstance(found, list):
            return [self._one(0, len(text), found)]
        at, made = 0, []
        for piece, plan in found:
            at = text.index(piece, at)
            made.append(self._one(at, at + len(piece), plan))
        return made

    @staticmethod
    def _one(start: int, end: int, plan: Plan | Exception) -> Statement | Failure:
        return Failure(start, end, plan) if isinstance(plan, Exception) else Statement(start, end, plan)


def effects(text: str) -> Plan:
    word = text.split(" ")[0].upper().rstrip(";")
    kinds = {
        "BEGIN": Effect.TRANSACTION,
        "COMMIT": Effect.TRANSACTION,
        "ROLLBACK": Effect.TRANSACTION,
        "CREATE": Effect.CATALOG,
        "SET": Effect.SETTINGS,
    }
    return Plan(effects=kinds.get(word, Effect.NONE), tag=word)


# -- messages ----------------------------------------------------------------------------------------------------------


def query(text: str) -> bytes:
    return messages.build_query(text.encode())


def parse(text: str, name: str = "", *types: int) -> bytes:
    return messages.build_parse(Parse(name.encode(), text.encode(), types))


def bind(
    *values: bytes | None,
    statement: str = "",
    portal: str = "",
    formats: tuple[int, ...] = (),
    results: tuple[int, ...] = (),
) -> bytes:
    return messages.build_bind(Bind(portal.encode(), statement.encode(), formats, list(values), results))


def describe(kind: str, name: str = "") -> bytes:
    return messages.build_describe(Target(kind.encode(), name.encode()))


def close(kind: str, name: str = "") -> bytes:
    return messages.build_close(Target(kind.encode(), name.encode()))


def execute(portal: str = "", limit: int = 0) -> bytes:
    return messages.build_execute(portal.encode(), limit)


SYNC = messages.SYNC
PARSED, BOUND, CLOSED = (message(kind) for kind in (b"1", b"2", b"3"))
NO_DATA, EMPTY, SUSPENDED = (message(kind) for kind in (b"n", b"I", b"s"))


def complete(tag: str = "SELECT 1") -> bytes:
    return message(b"C", tag.encode(), b"\0")


def ready(status: str = "I") -> bytes:
    return messages.build_ready(status.encode())


def error(code: str, text: str = "boom", severity: str = "ERROR", **more: str) -> bytes:
    fields = [
        (b"S", severity),
        (b"V", severity),
        (b"C", code),
        (b"M", text),
        *((k.encode(), v) for k, v in more.items()),
    ]
    return messages.build_fields(b"E", ((k, v.encode()) for k, v in fields))


POISONED = error("42703", 'column "sealwire: refused" does not exist', P="8")


def columns(*described: tuple[str, int, int, int], data_format: int = 0) -> bytes:
    """(name, table, attribute, type OID)..."""
    return messages.build_row_description(
        [Column(name.encode(), table, at, oid, -1, -1, data_format) for name, table, at, oid in described]
    )


SEALED_COLUMNS = columns(("id", TABLE, 1, 23), ("email", TABLE, 2, 17))


def row(*values: bytes | None) -> bytes:
    return messages.build_data_row(list(values))


def hexed(plain: bytes) -> bytes:
    return b"\\x" + seal(plain).hex().encode()


def split(data: bytes, *, to_server: bool) -> list[bytes]:
    splitter = Splitter(CLIENT_LENGTHS if to_server else SERVER_LENGTHS, side="peer", max_message=1 << 30)
    splitter.feed(data)
    found = []
    while (item := splitter.next()) is not None:
        assert isinstance(item, Frame)
        found.append(item.raw)
    assert splitter.at_boundary
    return found


def error_fields(raw: bytes) -> dict[str, str]:
    assert raw[:1] == b"E", raw
    return {code.decode(): value.decode() for code, value in messages.parse_fields(raw)}


def as_known(raw: bytes) -> bytes:
    """A Parse of our own without what makes its text a new one each time."""
    if raw[:1] != b"P" or messages.parse_parse(raw).statement != NAME:
        return raw
    text, found = re.subn(rb" /\* [0-9a-f]{16} \*/$", b"", messages.parse_parse(raw).query)
    assert found == 1
    return messages.build_parse(Parse(NAME, text, ()))


STARTED = b"".join(
    (
        message(b"R", struct.pack("!i", 0)),
        *(
            message(b"S", name, b"\0", value, b"\0")
            for name, value in (
                (b"client_encoding", b"UTF8"),
                (b"server_version", b"18.1"),
                (b"TimeZone", b"UTC"),
                (b"DateStyle", b"ISO, MDY"),
                (b"standard_conforming_strings", b"on"),
            )
        ),
        message(b"K", struct.pack("!ii", PID, 99)),
        ready(),
    )
)


def is_reading(raw: bytes) -> bool:
    """The first message of what is read: behind a pooler it takes the unnamed statement."""
    return raw == close("S", NAME.decode()) or (raw[:1] == b"P" and b"pg_catalog." in messages.parse_parse(raw).query)


BEGINNING = (CLOSED, PARSED, BOUND, row(b"read committed"), complete("SHOW"), CLOSED, CLOSED)
BEGINS = parse("SHOW transaction_isolation", NAME.decode())
"""What the server says to the statement of our own in front of a script, which is sent as CPBECC; and its Parse."""


class Talk:
    """One session with the test at both ends."""

    def __init__(
        self,
        analyse: Analyser | None = None,
        policy: Policy = POLICY,
        *,
        shared: Shared | None = None,
        max_message: int = 1 << 26,
    ) -> None:
        self.shared = shared or Shared(policy, Sealers(), analyse=analyse or Book())
        self.session = Session(
            self.shared, database="shop", user="app", parameters={"user": "app"}, max_message=max_message
        )
        self.sent = bytearray()
        """Everything that ever went to the server."""
        self.server(STARTED)
        self.at_client()

    def client(self, *pieces: bytes) -> None:
        assert self.session.wants_client
        self.session.client_data(b"".join(pieces))

    def server(self, *pieces: bytes) -> None:
        self.session.server_data(b"".join(pieces))

    def at_client(self) -> list[bytes]:
        return split(b"".join(self.session.take_to_client()), to_server=False)

    def at_server(self) -> list[bytes]:
        sent = [as_known(raw) for raw in split(b"".join(self.session.take_to_server()), to_server=True)]
        self.sent += b"".join(sent)
        return sent

    def serve_reads(
        self,
        *,
        session_facts: str = "",
        catalog: str = CATALOG,
        statements: str = "{}",
        status: str = "I",
        before: Iterable[bytes] = (),
    ) -> list[bytes]:
        """Answer the queries of our own that have just been sent; gives what was sent in front of them, which the
        server answers with `before`. Where a script begins, what begins it is answered, and not among them."""
        sent = self.at_server()
        answers = list(before)
        if len(sent) > 1 and sent[1] == BEGINS:
            sent, answers = sent[6:], [*BEGINNING, *answers]
        at = next(i for i, raw in enumerate(sent) if is_reading(raw))
        for raw in sent[at:]:
            if raw[:1] == b"P":
                text = messages.parse_parse(raw).query.decode()
            if raw[:1] == b"E":
                value = (session_facts or facts()) if "current_schemas" in text else SYSTEM
                value = catalog if "NOT false" in text else statements if "pg_prepared_statements" in text else value
                answers.append(row(value.encode()) + complete())
            else:
                answers.append({b"P": PARSED, b"B": BOUND, b"C": CLOSED, b"S": ready(status), b"H": b""}[raw[:1]])
        self.server(*answers)
        return sent[:at]

    def serve_guard(
        self,
        *,
        columns_now: bytes = b"",
        state: list[object] | None = None,
        ledger: dict[str, list[object]] | None = None,
        before: Iterable[bytes] = (),
    ) -> list[bytes]:
        """Answer the questions of a guard about the one table; as `serve_reads`. `columns_now`: its RowDescription,
        `state`: what the transaction's snapshot shows; both as in CATALOG where left out."""
        sent = self.at_server()
        at = next(i for i, raw in enumerate(sent) if raw == close("S", GUARD.decode()))
        described = columns_now or columns(("id", TABLE, 1, 23), ("email", TABLE, 2, 17), ("born", TABLE, 3, 17))
        shown = state or [TABLE, FILE, FILE, {"id": 1, "email": 2, "born": 3}, ledger]
        answers = list(before)
        for raw in sent[at:]:
            match raw[:1]:
                case b"D":
                    answers += [messages.build_parameter_description([]), described]
                case b"E":
                    answers += [row(json.dumps([shown]).encode()), complete()]
                case kind:
                    answers.append({b"P": PARSED, b"B": BOUND, b"C": CLOSED, b"H": b""}[kind])
        self.server(*answers)
        return sent[:at]

    def script(self) -> list[bytes]:
        """`at_server` where a script begins: what follows the statement that begins it, which is answered."""
        sent = self.at_server()
        assert sent[1] == BEGINS
        self.server(*BEGINNING)
        return sent[6:]

    def warm(self) -> Talk:
        """Read the catalog, so that what follows is the conversation itself."""
        self.client(query("SELECT 'warm'"))
        self.serve_reads()
        self.at_server()
        self.server(complete(), ready())
        self.at_client()
        return self

    def prepare(self, name: str = "s") -> None:
        """The sealed SELECT as a prepared statement."""
        self.client(parse(SELECT, name), SYNC)
        self.at_server()
        self.server(PARSED, ready())
        self.at_client()


def shortly(session: Session, side: str, data: bytes) -> bytes | None:
    """What becomes of `data` from `side`, client or server, by the short way; None: it is not for that."""
    way = session.swift_client if side == "client" else session.swift_server
    return None if way is None else way(data)


def kinds(sent: Iterable[bytes]) -> str:
    """The types of messages, as one word."""
    return b"".join(raw[:1] for raw in sent).decode()
