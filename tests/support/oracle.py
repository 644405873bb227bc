"""The oracle: one statement on a plain database and on the sealed one, and the comparison of the two answers.

The statements go through libpq itself (`psycopg.pq`), so that everything an application could see is seen: column
names, type OIDs and modifiers, formats, raw values, command tags, SQLSTATEs, hints, COPY data, parameter types.

A `Verdict` is `same`, `refused` (0A000 with a hint, where PostgreSQL itself did not say 0A000) or `wrong`.
"""

from __future__ import annotations

import enum
import re
import select
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import psycopg
from psycopg import pq

from tests.support.statements import Parametrized, Shape

PATIENCE = 10.0
"""Seconds without an answer after which a statement counts as hanging."""
FIRST_NORMAL_OID = 16384
"""FirstNormalObjectId: OIDs from here on belong to one database and are compared by the name of their type."""
OID_ALIASES = frozenset({24, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4089, 4096})
"""regproc ... regnamespace: in binary they are OIDs, which mean nothing in the other database."""
FEATURE_NOT_SUPPORTED = "0A000"
SEALED = re.compile(rb"xe10[123][0-9a-f]{8}|\xe1[\x01-\x03]\0\0")
"""Format byte, scheme, and a key id that is not large, or four bytes of hexadecimal."""


class Mode(enum.StrEnum):
    """How a statement reaches the server."""

    SIMPLE = "simple protocol"
    TEXT = "extended, text results"
    BINARY = "extended, binary results"
    PARAMETERS = "literals as parameters"
    BINARY_PARAMETERS = "literals as binary parameters"


@dataclass(frozen=True, slots=True)
class Parameter:
    """`type` None: undeclared, the server infers it; else a name of a type. `value` None: NULL."""

    value: str | None
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: int | str
    modifier: int
    format: int


@dataclass(frozen=True, slots=True)
class Result:
    """One of the answers to one Query or Execute."""

    tag: str = ""
    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[bytes | None, ...], ...] = ()
    copied: bytes | None = None
    sqlstate: str | None = None
    message: str = ""
    hint: str = ""
    position: int | None = None
    """In characters of the statement, from 1."""


@dataclass(frozen=True, slots=True)
class Answer:
    results: tuple[Result, ...] = ()
    parameters: tuple[int | str, ...] = ()
    """Types that ParameterDescription named."""
    broken: str = ""
    """The connection ended or nothing came: why."""

    @property
    def error(self) -> Result | None:
        return next((result for result in self.results if result.sqlstate), None)


class Outcome(enum.StrEnum):
    SAME = "same"
    REFUSED = "refused"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Verdict:
    outcome: Outcome
    note: str = ""
    """REFUSED: the error's text. WRONG: what differs."""
    sqlstate: str | None = None
    """Of an error of the sealed side that the plain side does not have."""


class Broken(Exception):
    """The connection cannot be used any more."""


class Wire:
    """One connection, one statement at a time."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.connection = _connect(dsn)
        self._type_names: dict[int, str] = {}
        self._type_oids: dict[str, int] = {}
        self._looker: Wire | None = None

    def close(self) -> None:
        self.connection.finish()
        if self._looker is not None:
            self._looker.close()

    def renew(self) -> None:
        self.connection.finish()
        self.connection = _connect(self.dsn)

    @property
    def in_transaction(self) -> bool:
        return self.connection.transaction_status != pq.TransactionStatus.IDLE

    def simple(self, sql: str, copy_in: bytes = b"") -> Answer:
        self.connection.send_query(sql.encode())
        return self._answer(copy_in)

    def extended(self, sql: str, *, result_format: int = 0, copy_in: bytes = b"") -> Answer:
        self.connection.send_query_params(sql.encode(), None, result_format=result_format)
        return self._answer(copy_in)

    def parameters(
        self, sql: str, given: Sequence[Parameter], *, result_format: int = 0, converter: Wire | None = None
    ) -> Answer:
        """Parse, Describe, Bind, Execute. With `converter`, a plain connection, values travel in binary."""
        types = [0 if p.type is None else self._oid_of(p.type) for p in given]
        self.connection.send_prepare(b"", sql.encode(), types)
        prepared = self._answer(b"")
        if prepared.error or prepared.broken:
            return prepared
        self.connection.send_describe_prepared(b"")
        described = self._collect()
        failed = [self._result(raw) for raw in described if not isinstance(raw, tuple)]
        if any(result.sqlstate for result in failed):
            return Answer(tuple(failed))
        oids = [described[0].param_type(i) for i in range(described[0].nparams)] if described else []
        named = tuple(self._type(oid) for oid in oids)
        if len(oids) != len(given):
            return Answer((), named, f"{len(given)} parameters were given and {len(oids)} described")
        if converter is None:
            values = [None if p.value is None else p.value.encode() for p in given]
            formats = [pq.Format.TEXT] * len(given)
        else:
            try:
                values = [
                    p.value and p.value.encode() if oid in OID_ALIASES else converter.binary(p.value, oid)
                    for p, oid in zip(given, oids, strict=True)
                ]
            except ValueError as error:  # no driver could send it either
                return Answer((Result(sqlstate="no binary form", message=str(error)),), named)
            formats = [pq.Format.TEXT if oid in OID_ALIASES else pq.Format.BINARY for oid in oids]
        self.connection.send_query_prepared(b"", values, formats, result_format)
        return replace(self._answer(b""), parameters=named)

    def analysed_modifiers(self, sql: str) -> tuple[int, ...]:
        """The modifiers that Describe of the statement reports. What runs may show others: the planner turns
        `coalesce(x, NULL)` into `x`, and set operations take what their first step happens to have."""
        self.connection.send_prepare(b"", sql.encode(), [])
        self._collect()
        self.connection.send_describe_prepared(b"")
        (described,) = self._collect()
        return () if isinstance(described, tuple) else tuple(described.fmod(i) for i in range(described.nfields))

    def binary(self, value: str | None, oid: int) -> bytes | None:
        """A value in the binary form of its type, as this server sends it. Raises ValueError when it is none."""
        if value is None:
            return None
        self.connection.send_query_params(b"SELECT $1", [value.encode()], [oid], result_format=1)
        (result,) = self._collect()
        if result.status != pq.ExecStatus.TUPLES_OK:
            raise ValueError(f"{value!r} is no value of type {oid}")
        return result.get_value(0, 0)

    def command(self, sql: str) -> None:
        """For what must work: BEGIN, ROLLBACK, arranging. Raises Broken with the server's message."""
        answer = self.simple(sql)
        if answer.broken or answer.error:
            raise Broken(f"{sql[:80]}: {answer.broken or (answer.error and answer.error.message)}")

    def values(self, sql: str) -> list[str]:
        """First column of a query, as text."""
        answer = self.simple(sql)
        if answer.broken or answer.error:
            raise Broken(f"{sql}: {answer.broken or (answer.error and answer.error.message)}")
        return [(row[0] or b"").decode() for row in answer.results[-1].rows]

    def _answer(self, copy_in: bytes) -> Answer:
        try:
            return Answer(tuple(self._result(raw) for raw in self._collect(copy_in)))
        except (Broken, psycopg.OperationalError) as error:
            self.renew()
            return Answer(broken=str(error) or "broken")

    def _collect(self, copy_in: bytes = b"") -> list[pq.PGresult | tuple[pq.PGresult, bytes]]:
        """Everything up to the end of the command. COPY data comes beside its result."""
        found: list[pq.PGresult | tuple[pq.PGresult, bytes]] = []
        connection = self.connection
        while True:
            self._wait()
            raw = connection.get_result()
            if raw is None:
                return found
            if raw.status == pq.ExecStatus.COPY_OUT:
                found.append((raw, self._copy_out()))
            elif raw.status == pq.ExecStatus.COPY_IN:
                connection.put_copy_data(copy_in)
                connection.put_copy_end()
            elif raw.status == pq.ExecStatus.FATAL_ERROR and connection.status == pq.ConnStatus.BAD:
                raise Broken(f"connection lost: {raw.error_message.decode(errors='replace').strip()}")
            else:
                found.append(raw)

    def _copy_out(self) -> bytes:
        pieces = []
        while True:
            size, data = self.connection.get_copy_data(1)
            if size > 0:
                pieces.append(bytes(data))
            elif size == 0:
                self._readable()
            else:
                return b"".join(pieces)

    def _wait(self) -> None:
        while self.connection.flush():
            select.select([], [self.connection.socket], [], PATIENCE)
        while self.connection.is_busy():
            self._readable()

    def _readable(self) -> None:
        if not select.select([self.connection.socket], [], [], PATIENCE)[0]:
            raise Broken(f"no answer within {PATIENCE:.0f} s")
        try:
            self.connection.consume_input()
        except psycopg.OperationalError as error:
            raise Broken(" ".join(str(error).split())) from None

    def _result(self, raw: pq.PGresult | tuple[pq.PGresult, bytes]) -> Result:
        if isinstance(raw, tuple):
            return Result(tag="COPY OUT", copied=raw[1], columns=(Column("", "", -1, raw[0].binary_tuples),))
        if raw.status == pq.ExecStatus.FATAL_ERROR:
            return Result(
                sqlstate=_text(raw.error_field(pq.DiagnosticField.SQLSTATE)) or "no SQLSTATE",
                message=_text(raw.error_field(pq.DiagnosticField.MESSAGE_PRIMARY)),
                hint=_text(raw.error_field(pq.DiagnosticField.MESSAGE_HINT)),
                position=int(_text(raw.error_field(pq.DiagnosticField.STATEMENT_POSITION)) or 0) or None,
            )
        columns = tuple(
            Column((raw.fname(i) or b"").decode(), self._type(raw.ftype(i)), raw.fmod(i), raw.fformat(i))
            for i in range(raw.nfields)
        )
        rows = tuple(tuple(raw.get_value(i, j) for j in range(raw.nfields)) for i in range(raw.ntuples))
        return Result(tag=(raw.command_status or b"").decode(), columns=columns, rows=rows)

    def _type(self, oid: int) -> int | str:
        """An OID, or the name where the OID is this database's own."""
        if oid < FIRST_NORMAL_OID:
            return oid
        if oid not in self._type_names:
            found = self._look(f"SELECT {oid}::pg_catalog.regtype")
            if found.isdigit():
                return oid  # a type that an open transaction has made
            self._type_names[oid] = found
        return self._type_names[oid]

    def _oid_of(self, name: str) -> int:
        if name not in self._type_oids:
            self._type_oids[name] = int(self._look(f"SELECT '{name}'::pg_catalog.regtype::pg_catalog.oid"))
        return self._type_oids[name]

    def _look(self, sql: str) -> str:
        """On a second connection: this one may be in the middle of something, or in a failed transaction."""
        if self._looker is None:
            self._looker = Wire(self.dsn)
        return self._looker.values(sql)[0]


def _connect(dsn: str) -> pq.PGconn:
    """Polls: PQconnectdb would hold the interpreter's lock, and the proxy may run in a thread of this process."""
    connection = pq.PGconn.connect_start(dsn.encode())
    readiness = pq.PollingStatus.WRITING
    while readiness in (pq.PollingStatus.READING, pq.PollingStatus.WRITING):
        waiting = [connection.socket]
        reading = readiness is pq.PollingStatus.READING
        if not any(select.select(waiting if reading else [], [] if reading else waiting, [], PATIENCE)):
            raise Broken(f"no connection within {PATIENCE:.0f} s")
        readiness = connection.connect_poll()
    if connection.status != pq.ConnStatus.OK:
        raise Broken(connection.error_message.decode(errors="replace").strip())
    connection.notice_handler = None
    connection.nonblocking = 1
    return connection


def _text(field_: bytes | None) -> str:
    return (field_ or b"").decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Case:
    """A statement as both sides get it."""

    sql: str
    shape: Shape
    given: tuple[Parameter, ...] = ()
    copy_in: bytes = b""
    parametrized: Parametrized | None = None
    columns_only: bool = False
    """Rows are not compared (EXPLAIN: costs and widths differ)."""
    ordered: bool = False
    """Rows are compared in order although the statement's text does not show an order (FETCH)."""
    modes: frozenset[Mode] = field(default_factory=lambda: frozenset(Mode))
    shows_ciphertext: bool = False
    """Sealed bytes in the answer are known and harmless."""

    def applicable(self) -> tuple[Mode, ...]:
        """The modes in which this statement can be sent."""
        possible = [Mode.SIMPLE, Mode.TEXT, Mode.BINARY]
        if self.given:
            possible = [Mode.PARAMETERS, Mode.BINARY_PARAMETERS]
        elif self.parametrized is not None:
            possible += [Mode.PARAMETERS, Mode.BINARY_PARAMETERS]
        return tuple(mode for mode in possible if mode in self.modes)


def ask(wire: Wire, case: Case, mode: Mode, converter: Wire) -> Answer:
    """Sends it; `converter` is the plain side's spare connection."""
    match mode:
        case Mode.SIMPLE:
            return wire.simple(case.sql, case.copy_in)
        case Mode.TEXT:
            return wire.extended(case.sql, copy_in=case.copy_in)
        case Mode.BINARY:
            return wire.extended(case.sql, result_format=1, copy_in=case.copy_in)
    sql, given = case.sql, case.given
    if not given:
        assert case.parametrized is not None
        sql = case.parametrized.sql
        given = tuple(Parameter(value) for value in case.parametrized.values)
    if mode is Mode.PARAMETERS:
        return wire.parameters(sql, given)
    return wire.parameters(sql, given, result_format=1, converter=converter)


def judge(plain: Answer, sealed: Answer, case: Case) -> Verdict:
    """Holds the sealed side's answer against the plain one's."""
    if plain.broken:
        return Verdict(Outcome.WRONG, f"the plain side itself failed: {plain.broken}")
    if sealed.broken:
        return Verdict(Outcome.WRONG, sealed.broken)
    expected, got = plain.error, sealed.error
    if got is not None and (expected is None or expected.sqlstate != got.sqlstate):
        if got.sqlstate == FEATURE_NOT_SUPPORTED:
            if got.hint:
                return Verdict(Outcome.REFUSED, f"{got.message} | {got.hint}", got.sqlstate)
            return Verdict(Outcome.WRONG, f"refused without a hint: {got.message}", got.sqlstate)
        wanted = "no error" if expected is None else f"{expected.sqlstate} {expected.message}"
        return Verdict(Outcome.WRONG, f"expected {wanted}, got {got.sqlstate} {got.message}", got.sqlstate)
    if expected is not None and got is None:
        return Verdict(Outcome.WRONG, f"expected {expected.sqlstate} {expected.message}, got no error")
    if expected is None and plain.parameters != sealed.parameters:
        return Verdict(Outcome.WRONG, f"parameter types: expected {plain.parameters}, got {sealed.parameters}")
    if len(plain.results) != len(sealed.results):
        return Verdict(Outcome.WRONG, f"expected {len(plain.results)} results, got {len(sealed.results)}")
    for number, (one, other) in enumerate(zip(plain.results, sealed.results, strict=True)):
        if not case.shows_ciphertext and _ciphertext(other) > _ciphertext(one):
            return Verdict(Outcome.WRONG, "the answer shows sealed bytes")
        ordered = case.ordered or case.shape.is_ordered(number)
        if difference := _difference(one, other, ordered, case.columns_only):
            return Verdict(Outcome.WRONG, difference)
    return Verdict(Outcome.SAME)


def _ciphertext(result: Result) -> int:
    """How many values look sealed, as hexadecimal text or as they are."""
    values = (value for row in result.rows for value in row if value)
    return sum(SEALED.search(value) is not None for value in values)


def _difference(expected: Result, got: Result, ordered: bool, columns_only: bool) -> str:
    if expected.columns != got.columns:
        return f"columns:\n  expected {_columns(expected)}\n  got      {_columns(got)}"
    if expected.tag != got.tag and not columns_only:
        return f"command tag: expected {expected.tag!r}, got {got.tag!r}" + _rows(expected, got)
    if expected.sqlstate != got.sqlstate:
        return f"SQLSTATE: expected {expected.sqlstate}, got {got.sqlstate}"
    if columns_only:
        return ""
    if expected.copied is not None or got.copied is not None:
        one, other = expected.copied or b"", got.copied or b""
        if ordered or one.startswith(b"PGCOPY"):
            return "" if one == other else f"COPY data:\n  expected {one[:400]!r}\n  got      {other[:400]!r}"
        one_lines, other_lines = Counter(one.split(b"\n")), Counter(other.split(b"\n"))
        return _only(one_lines, other_lines, "COPY lines")
    if ordered:
        for number, (row, other_row) in enumerate(zip(expected.rows, got.rows, strict=False)):
            if row != other_row:
                return f"row {number + 1}:\n  expected {row}\n  got      {other_row}"
        return "" if len(expected.rows) == len(got.rows) else f"{len(expected.rows)} rows expected, {len(got.rows)} got"
    return _only(Counter(expected.rows), Counter(got.rows), "rows")


def _rows(expected: Result, got: Result) -> str:
    difference = _only(Counter(expected.rows), Counter(got.rows), "rows")
    return f"; {difference}" if difference else ""


def _only(expected: Counter[object], got: Counter[object], what: str) -> str:
    missing, extra = list((expected - got).elements()), list((got - expected).elements())  # type: ignore[operator]
    if not missing and not extra:
        return ""
    lines = [f"{what}: {len(missing)} missing, {len(extra)} unexpected"]
    lines += [f"  expected {row}" for row in missing[:3]] + [f"  got      {row}" for row in extra[:3]]
    return "\n".join(lines)


def _columns(result: Result) -> str:
    return ", ".join(f"{c.name} {c.type}({c.modifier}) format {c.format}" for c in result.columns)
