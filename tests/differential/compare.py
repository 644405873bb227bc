"""One conversation on PostgreSQL directly and through the proxy; what differs, and what may.

What may differ, and why:

- BackendKeyData and the process id in a notification: another process (`comparable` of the golden tests).
- The place in PostgreSQL's source, where the proxy raises an error word for word (`agree` of the golden tests).
- OIDs of tables in RowDescription: those of two databases, or of two temporary tables. They are numbered in the order
  in which they come, so that the same table has to be named in the same places.
- Errors about a statement that was rewritten: see `_agree_sealed`.
- A name that does not exist, or the number and values of an EXECUTE's arguments, is looked at where the proxy
  analyses the statement, as for any SELECT; of a utility statement PostgreSQL does so when it runs. Only an error of
  the proxy's own is that; it ends the comparison.
- A Query string that the proxy sends one statement at a time is a pipeline to PostgreSQL up to 17, and as such no
  transaction block to LOCK TABLE and DECLARE, which fail with 25P01 where one of them comes first, and SET LOCAL warns
  there; to VACUUM and its like it is one, but they say so in other words (25001). It ends the comparison.
- A Query that fails in a transaction block leaves an unnamed portal there or not, as far as PostgreSQL came with it.
  Describe finds it (34000 where not), and Execute is 25P02 or 34000. It ends the comparison.
- Of a statement with two faults of its types (42804), the one about a sealed column is told first. It ends the
  comparison.
- A refusal: an error 0A000 of the proxy's own, which fails closed. The conversation ends there for the comparison, and
  refusals are counted, so that a grammar which only produces refusals is noticed.
"""

from __future__ import annotations

import contextlib
import enum
import re
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final

from proxy.wire import messages
from tests.differential.words import Burst, Conversation
from tests.golden.conversation import Player, Step, agree, comparable, startup

PATIENCE: Final = 10.0
"""Seconds for the next message; a difference where only one side lets them pass."""
_FIRST_USER_OID: Final = 16_384
_SILENCE: Final = b"silence"
_PLACE: Final = (b"F", b"L", b"R")
_BLOCKS: Final = (b"25P01", b"25001")
_WRONG_TYPE: Final = b"42804"
_ENDS: Final = (b"0A000", b"42P01", b"26000", b"42601")
_HIDDEN: Final = re.compile(rb"\(sealed\)(?:\.\.\.)?")  # PostgreSQL cuts a long value in DETAIL
_POSITIONS: Final = (b"P", b"p", b"q")

Trace = list[list[bytes]]
"""By burst, the messages that were read behind it; b"" is the end of the connection."""


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int
    user: str
    database: str


@dataclass(slots=True)
class _Reader:
    """Answers of one connection, made comparable."""

    player: Player
    failed: bool = False
    """The server skips messages until Sync."""
    over: bool = False
    tables: dict[int, int] = field(default_factory=dict)

    def read(self, burst: Burst) -> list[bytes]:
        got: list[bytes] = []
        if burst.wait == "nothing" or (isinstance(burst.wait, frozenset) and self.failed and "Z" not in burst.wait):
            return got
        while not self.over:
            try:
                raw = self.player.message()
            except ConnectionResetError:
                raw = b""
            except TimeoutError:
                raw = _SILENCE
            got.append(self._numbered(comparable(raw)))
            if raw in (b"", _SILENCE):
                self.over = True
                break
            kind = raw[:1].decode()
            if kind in "EZ":
                self.failed = kind == "E"
            if burst.wait == "mark":
                if kind == "Z" and len(got) > 1 and got[-2][:1] == b"I":
                    break
            elif kind in burst.wait and burst.wait != "end":
                break
        return got

    def _numbered(self, raw: bytes) -> bytes:
        if raw[:1] != b"T":
            return raw
        columns = messages.parse_row_description(raw)
        return messages.build_row_description(
            [
                column if column.table < _FIRST_USER_OID else column._replace(table=self._number(column.table))
                for column in columns
            ]
        )

    def _number(self, table: int) -> int:
        return self.tables.setdefault(table, _FIRST_USER_OID + len(self.tables))


def play(address: Address, conversation: Conversation, patience: float = PATIENCE) -> Trace:
    player = Player(address.host, address.port, patience)
    try:
        player.step(Step(startup(address.user, address.database)))
        reader = _Reader(player)
        trace: Trace = []
        for burst in conversation:
            with contextlib.suppress(ConnectionError):  # who has ended the connection is seen by reading
                player.send(*burst.pieces)
            trace.append(reader.read(burst))
            if reader.over:
                break
        return trace
    finally:
        player.close()


def is_silent(trace: Trace) -> bool:
    """What was waited for did not come."""
    return any(got and got[-1] == _SILENCE for got in trace)


class Verdict(enum.Enum):
    SAME = enum.auto()
    REFUSED = enum.auto()
    DIFFERENT = enum.auto()


def judge(golden: Trace, through: Trace, *, sealed: bool, version: int) -> tuple[Verdict, str]:
    """The verdict and, for a difference, what it is. `sealed`: the proxy seals columns of what was talked about.
    `version`: PostgreSQL's."""
    for number, (expected, got) in enumerate(zip_longest(golden, through, fillvalue=())):
        for one, other in zip_longest(expected, got):
            if one is not None and other is not None and (agree(one, other) or (sealed and _agree_sealed(one, other))):
                continue
            if sealed and (
                _is_refusal(other)
                or (version < 18 and _code(other) in _BLOCKS)
                or (_code(one) == _code(other) == _WRONG_TYPE and _is_own(other))
            ):
                return Verdict.REFUSED, _shown(other)
            return Verdict.DIFFERENT, f"burst {number}:\n  direct:  {_shown(one)}\n  through: {_shown(other)}"
    return Verdict.SAME, ""


def _code(raw: bytes | None) -> bytes | None:
    """The SQLSTATE of an error or notice; None: it is none."""
    return messages.field(messages.parse_fields(raw), b"C") if raw and raw[:1] in (b"E", b"N") else None


def _is_refusal(raw: bytes | None) -> bool:
    """An error of the proxy's own, which names no place in PostgreSQL's source, or one of those named above."""
    code = _code(raw)
    if raw is None or code is None or raw[:1] == b"N":
        return False
    return code == b"34000" or ((code in _ENDS or code[:2] == b"22") and _is_own(raw))


def _is_own(raw: bytes | None) -> bool:
    """An error or notice that names no place in PostgreSQL's source."""
    return raw is not None and messages.field(messages.parse_fields(raw), b"F") is None


def _agree_sealed(golden: bytes, through: bytes) -> bool:
    """Errors and notices about what the proxy has rewritten or has raised itself. They differ in

    - the place in PostgreSQL's source, where a script was sent one statement at a time, and the place in the statement,
      whose text is another;
    - `(sealed)` in place of a value;
    - the value, which an error of the proxy never repeats, and the line of a COPY, which counts the rows that the
      server has: a row that is not complete is held back;
    - which fault is told of a row or a Bind with two of them: one of class 22 (data exception) or 08P01 in any case.
    """
    if golden[:1] not in (b"E", b"N") or golden[:1] != through[:1]:
        return False
    expected, got = dict(messages.parse_fields(golden)), dict(messages.parse_fields(through))
    if b"F" not in got:  # raised by the proxy
        expected.pop(b"W", None)
        if all(one[b"C"][:2] == b"22" or one[b"C"] == b"08P01" for one in (expected, got)):
            got[b"M"], got[b"C"] = expected[b"M"], expected[b"C"]
    for code in (*_PLACE, *_POSITIONS):
        expected.pop(code, None)
        got.pop(code, None)
    if got.get(b"W", b"").startswith(b"COPY ") and expected.get(b"W", b"").startswith(b"COPY "):
        del got[b"W"], expected[b"W"]
    return expected.keys() == got.keys() and all(_covers(got[code], expected[code]) for code in got)


def _covers(shown: bytes, told: bytes) -> bool:
    pattern = b".*".join(map(re.escape, _HIDDEN.split(shown)))
    return re.fullmatch(pattern, told, re.DOTALL) is not None


def _shown(raw: bytes | None) -> str:
    if raw is None:
        return "nothing"
    if raw[:1] in (b"E", b"N"):
        return " ".join(f"{code.decode()}={value!r}" for code, value in messages.parse_fields(raw))
    return repr(raw if len(raw) < 200 else raw[:200] + b"...")
