"""A server that speaks the protocol correctly and knows three tables' worth of SQL: it answers what it is asked, no
sooner than a Flush or Sync has asked for it. An error it tells at once, as EmitErrorReport() of PostgreSQL does."""

from __future__ import annotations

import json
import re
from typing import Final

from proxy.errors import ProtocolViolation, Refused
from proxy.session.injection import NAME
from proxy.session.refusals import POISON, missing_statement
from proxy.sql import split
from proxy.wire import messages
from proxy.wire.frames import CLIENT_LENGTHS, Frame, Splitter
from proxy.wire.messages import message
from tests.session.playbook import (
    BOUND,
    CATALOG,
    CLOSED,
    EMPTY,
    NO_DATA,
    PARSED,
    POISONED,
    SEALED_COLUMNS,
    SYSTEM,
    complete,
    error,
    facts,
    hexed,
    ready,
    row,
)


def _table(oid: int, name: str, *columns: tuple[str, int, str]) -> list[object]:
    cells = [
        [label, at, kind, -1, kind, -1, False, False, "", "", word] for at, (label, kind, word) in enumerate(columns, 1)
    ]
    return [oid, "public", name, "r", "p", None, None, cells]


_CUSTOMERS = json.loads(CATALOG)
KNOWN: Final = json.dumps({
    **_CUSTOMERS,
    "relations": [
        *_CUSTOMERS["relations"],
        _table(16_386, "things", ("id", 23, "int4"), ("name", 25, "text"), ("price", 1700, "numeric"),
               ("seen", 1184, "timestamptz"), ("data", 17, "bytea")),
        _table(16_387, "empty", ("a", 23, "int4"), ("b", 25, "text")),
    ],
})  # fmt: skip
"""The catalog: also with the tables of the golden traces."""
_SEALED = re.compile(r"select id, email from customers\b", re.IGNORECASE)
_COPY_IN = re.compile(r"\s*copy\b.*\bfrom stdin\b", re.IGNORECASE | re.DOTALL)
_COPY_IN_ANSWER = message(b"G", b"\0\0\x01\0\0")
_ROW = row(b"7", hexed(b"ann"))


def _no_statement(name: bytes) -> bytes:
    missing = missing_statement(name)
    return error(missing.sqlstate, missing.message)


def _no_portal(name: bytes) -> bytes:
    return error("34000", f'portal "{name.decode(errors="replace")}" does not exist')


class HonestServer:
    """See above."""

    def __init__(self) -> None:
        self._splitter = Splitter(CLIENT_LENGTHS, side="frontend", max_message=1 << 31)
        self._statements: dict[bytes, str] = {}
        self._portals: dict[bytes, str] = {}
        self._status = "I"
        self._skipping = False
        self._copying: str | None = None
        self._out = bytearray()
        self._failed = False
        self.gone = False

    def receive(self, data: bytes) -> bytes:
        """What the proxy has sent -> the answers that are due."""
        self._splitter.feed(data)
        due = b""
        while not self.gone:
            try:
                item = self._splitter.next()
            except ProtocolViolation as violation:
                self.gone = True
                return due + bytes(self._out) + error(violation.sqlstate, violation.message, "FATAL")
            if item is None:
                break
            assert isinstance(item, Frame)
            self._failed = False
            try:
                is_due = self._take(chr(item.type), item.raw)
            except ProtocolViolation as violation:  # of the body of a message: an error like others
                self._fail(error(violation.sqlstate))
                is_due = item.type in b"QF"
                self._skipping = not is_due
                if is_due:
                    self._ready()
            if is_due or self._failed:
                due += bytes(self._out)
                self._out.clear()
        return due

    def _take(self, kind: str, raw: bytes) -> bool:
        """One message; True: what has been answered so far is sent."""
        if kind == "X":
            self.gone = True
            return True
        if self._copying is not None:
            return self._copy(kind)
        if self._skipping and kind != "S":
            return False
        match kind:
            case "Q":
                self._query(messages.parse_query(raw).decode(errors="replace"))
            case "F":
                self._fail(error("0A000"))
                self._ready()
            case "S":
                self._skipping = False
                self._ready()
            case "d" | "c" | "f" | "H":
                pass
            case _:
                self._extended(kind, raw)
        return kind in "QFSH" or self._copying is not None

    def _ready(self) -> None:
        if self._status == "I":
            self._portals.clear()
        self._out += ready(self._status)

    def _fail(self, raw: bytes) -> None:
        self._out += raw
        self._failed = True
        if self._status == "T":
            self._status = "E"

    def _query(self, text: str) -> None:
        self._statements.pop(b"", None)
        self._portals.pop(b"", None)
        try:
            statements = split(text) or [(0, 0)]
        except Refused as syntax:
            self._fail(error(syntax.sqlstate))
            statements = []
        for start, end in statements:
            self._run(text[start:end], described=False)
            if self._failed or self._copying is not None:
                break
        if self._copying is not None:
            self._copying = "Q"
        else:
            self._ready()

    def _run(self, text: str, *, described: bool) -> None:
        word = text.strip().split(" ")[0].upper().rstrip(";")
        if self._status == "E" and word not in ("ROLLBACK", "COMMIT", "END", "ABORT"):
            self._fail(error("25P02"))
        elif POISON in text:
            self._fail(POISONED)
        elif not text.strip():
            self._out += EMPTY
        elif _COPY_IN.match(text):
            self._copying = "E"
            self._out += _COPY_IN_ANSWER
        elif _SEALED.match(text):
            self._out += (b"" if described else SEALED_COLUMNS) + _ROW + complete()
        else:
            self._status = {"BEGIN": "T", "ROLLBACK": "I", "COMMIT": "I"}.get(word, self._status)
            self._out += complete(word)

    def _copy(self, kind: str) -> bool:
        if kind not in "cf":
            return False
        query, self._copying = self._copying == "Q", None
        if kind == "c":
            self._out += complete("COPY 1")
        else:
            self._fail(error("57014"))
            self._skipping = not query
        if query:
            self._ready()
        return query

    def _extended(self, kind: str, raw: bytes) -> None:
        before = len(self._out)
        match kind:
            case "P":
                parse = messages.parse_parse(raw)
                text = parse.query.decode(errors="replace")
                if POISON in text or (self._status == "E" and not text.strip().upper().startswith(("ROLL", "COMMIT"))):
                    self._fail(POISONED if self._status != "E" else error("25P02"))
                else:
                    self._statements[parse.statement] = text
                    self._out += PARSED
            case "B":
                bind = messages.parse_bind(raw)
                if bind.statement not in self._statements:
                    self._fail(_no_statement(bind.statement))
                else:
                    self._portals[bind.portal] = self._statements[bind.statement]
                    self._out += BOUND
            case "D":
                target = messages.parse_target(raw)
                known = (self._statements if target.kind == b"S" else self._portals).get(target.name)
                if known is None:
                    self._fail((_no_statement if target.kind == b"S" else _no_portal)(target.name))
                else:
                    if target.kind == b"S":
                        self._out += messages.build_parameter_description([17] * known.count("$1"))
                    self._out += SEALED_COLUMNS if _SEALED.match(known) else NO_DATA
            case "E":
                name, _ = messages.parse_execute(raw)
                if name not in self._portals:
                    self._fail(_no_portal(name))
                elif name == NAME:
                    text = self._portals[name]
                    value = facts() if "current_schemas" in text else KNOWN if "NOT false" in text else SYSTEM
                    self._out += row(value.encode()) + complete()
                else:
                    self._run(self._portals[name], described=True)
            case "C":
                target = messages.parse_target(raw)
                (self._statements if target.kind == b"S" else self._portals).pop(target.name, None)
                self._out += CLOSED
        self._skipping = self._out[before : before + 1] == b"E"
