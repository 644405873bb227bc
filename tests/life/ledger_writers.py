"""Readers and writers at work on a plain column while it is being sealed, and an independent ledger of what they wrote.

Each writer owns the rows whose id leaves its own remainder, so the ledger needs no locks: what it has committed last is
what the row must hold. From the swap on, plain writes around the proxy are refused by the database; then a writer goes
on sealed.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable

import psycopg

Seal = Callable[[bytes], bytes]
Values = Callable[[int], str | None]

EVEN_ODDER = ["", "it's", 'say "hi"', "🦭", "a\\b", "x" * 3_000]
"""Values that a careless program would lose or change."""
BIG = "ab" * 50_000
_BIG_ONE_IN = 2_000


class Ledger:
    """What the rows of one writer hold: at first what `initial` says of the ids 1 to `rows`, then what it wrote.

    Holds only what has changed, and picks a row without looking at the others.
    """

    def __init__(self, number: int, writers: int, rows: int, initial: Values) -> None:
        self._step, self._initial = writers, initial
        self._first = number or writers
        self._count = max(0, (rows - self._first) // writers + 1)
        self._written: dict[int, str | None] = {}
        self._deleted: set[int] = set()

    def __len__(self) -> int:
        return self._count - len(self._deleted)

    def __getitem__(self, row: int) -> str | None:
        """Raises KeyError where there is no such row."""
        if row in self._written:
            return self._written[row]
        if row in self._deleted or not self._owns(row):
            raise KeyError(row)
        return self._initial(row)

    def _owns(self, row: int) -> bool:
        return row % self._step == self._first % self._step and self._first <= row < self.next

    @property
    def next(self) -> int:
        """The id that the next row gets."""
        return self._first + self._count * self._step

    def pick(self, dice: random.Random) -> int:
        """A row that exists; most do."""
        while True:
            row = self._first + dice.randrange(self._count) * self._step
            if row not in self._deleted:
                return row

    def write(self, row: int, value: str | None) -> None:
        if row == self.next:
            self._count += 1
        self._written[row] = value

    def delete(self, row: int) -> None:
        self._written.pop(row, None)
        self._deleted.add(row)


def differing(ledgers: list[Ledger], stored: Iterable[tuple[int, str | None]]) -> int:
    """Rows that are missing, too many, or not what was written last. The ledger of number n is `ledgers[n]`."""
    wrong = seen = 0
    for row, value in stored:
        seen += 1
        try:
            wrong += ledgers[row % len(ledgers)][row] != value
        except KeyError:
            wrong += 1
    return wrong + abs(sum(map(len, ledgers)) - seen)


class Writer(threading.Thread):
    """Inserts, updates, deletes and reads rows of its own, around the proxy, until told to stop."""

    def __init__(self, dsn: str, number: int, ledger: Ledger, seal: Seal, open_value: Seal) -> None:
        super().__init__(daemon=True)
        self.ledger = ledger
        self.longest = 0.0
        """Seconds that its slowest statement took."""
        self.longest_at = 0.0
        """When that ended, on the monotonic clock."""
        self.reads = 0
        self.writes = 0
        self.sealed = 0
        """Writes after the swap."""
        self.pid = 0
        """Of its server process; 0 until it is connected."""
        self.error: BaseException | None = None
        self._dsn, self._number, self._seal, self._open = dsn, number, seal, open_value
        self._stopped = threading.Event()
        self._random = random.Random(number)
        self._is_sealed = False
        self.cursor: type[psycopg.Cursor] = psycopg.Cursor
        """psycopg.ClientCursor: the simple protocol."""

    def stop(self) -> None:
        self._stopped.set()
        self.join()
        if self.error is not None:
            raise self.error

    def run(self) -> None:
        try:
            with psycopg.connect(
                self._dsn, autocommit=True, prepare_threshold=None, cursor_factory=self.cursor
            ) as connection:
                self.pid = connection.info.backend_pid
                while not self._stopped.is_set():
                    began = time.monotonic()
                    self._step(connection)
                    ended = time.monotonic()
                    if ended - began > self.longest:
                        self.longest, self.longest_at = ended - began, ended
        except BaseException as error:
            self.error = error

    def _step(self, connection: psycopg.Connection) -> None:
        if self._random.random() < 0.5:
            self._read(connection)
        else:
            self._write(connection)

    def _write(self, connection: psycopg.Connection) -> None:
        value = self._value()
        chance = self._random.random()
        if chance < 0.3 or not self.ledger:
            row, query = self.ledger.next, "INSERT INTO t (id, v) VALUES (%(id)s, %(v)s)"
        elif chance < 0.95:
            row, query = self.ledger.pick(self._random), "UPDATE t SET v = %(v)s, n = n + 1 WHERE id = %(id)s"
        else:
            row, query = self.ledger.pick(self._random), "DELETE FROM t WHERE id = %(id)s"
        try:
            connection.execute(query, {"id": row, "v": self._form(value)})
        except (
            psycopg.errors.CheckViolation,
            psycopg.errors.InvalidTextRepresentation,
            psycopg.errors.DatatypeMismatch,
        ):
            if self._is_sealed:
                raise
            self._is_sealed = True
            return
        self.writes += 1
        self.sealed += self._is_sealed
        if query.startswith("DELETE"):
            self.ledger.delete(row)
        else:
            self.ledger.write(row, value)

    def _read(self, connection: psycopg.Connection) -> None:
        row = self.ledger.pick(self._random)
        found = connection.execute("SELECT v FROM t WHERE id = %s", [row]).fetchall()
        values = [self._open(value).decode() if isinstance(value, bytes) else value for (value,) in found]
        self._compare(row, values, [self.ledger[row]])

    def _compare(self, row: int, found: list[object], wanted: list[object]) -> None:
        if found != wanted:
            raise AssertionError(f"row {row} is not what was written last: {len(found)} rows found")
        self.reads += 1

    def _form(self, value: str | None) -> str | bytes | None:
        return self._seal(value.encode()) if self._is_sealed and value is not None else value

    def _value(self) -> str | None:
        chance = self._random.random()
        if chance < 0.1:
            return None
        if chance < 0.2:
            return BIG if self._random.randrange(_BIG_ONE_IN) == 0 else self._random.choice(EVEN_ODDER)
        return f"value {self._random.random()} of {self._number}"


class ProxiedWriter(Writer):
    """The same through the proxy, plain from beginning to end; it finds rows by their id and their value."""

    def __init__(self, dsn: str, number: int, ledger: Ledger) -> None:
        super().__init__(dsn, number, ledger, bytes, bytes)
        self.retries = 0
        """Statements that failed with 40001 or 0A000, as a changed table may make them."""

    def _step(self, connection: psycopg.Connection) -> None:
        try:
            super()._step(connection)
        except (psycopg.errors.SerializationFailure, psycopg.errors.FeatureNotSupported):
            self.retries += 1
        if self._is_sealed:
            raise AssertionError("the proxy has sent a plain value to a sealed column")

    def _read(self, connection: psycopg.Connection) -> None:
        row = self.ledger.pick(self._random)
        value = self.ledger[row]
        if value is None:
            found = connection.execute("SELECT id, v FROM t WHERE id = %s AND v IS NULL", [row]).fetchall()
        else:
            found = connection.execute("SELECT id, v FROM t WHERE id = %s AND v = %s", [row, value]).fetchall()
        self._compare(row, [*found], [(row, value)])
