"""Writers that change a plain column while it is being sealed, and an independent ledger of what they wrote.

Each writer owns the rows whose id leaves its own remainder, so the ledger needs no locks: what it has committed last is
what the row must hold. From the swap on, plain writes are refused by the database; then a writer goes on sealed.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import psycopg

Seal = Callable[[bytes], bytes]

EVEN_ODDER = ["", "it's", 'say "hi"', "🦭", "a\\b", "x" * 3_000]
"""Values that a careless program would lose or change."""


class Writer(threading.Thread):
    """Inserts, updates and deletes until told to stop. `ledger`: id -> value, None for NULL."""

    def __init__(self, dsn: str, number: int, writers: int, seal: Seal, ledger: dict[int, str | None]) -> None:
        super().__init__(daemon=True)
        self.ledger = ledger
        self.longest = 0.0
        """Seconds that its slowest statement took."""
        self.writes = 0
        self.sealed = 0
        """Writes after the swap."""
        self.error: BaseException | None = None
        self._dsn, self._number, self._writers, self._seal = dsn, number, writers, seal
        self._stopped = threading.Event()
        self._random = random.Random(number)
        self._next = max(ledger, default=number)
        self._is_sealed = False

    def stop(self) -> None:
        self._stopped.set()
        self.join()
        if self.error is not None:
            raise self.error

    def run(self) -> None:
        try:
            with psycopg.connect(self._dsn, autocommit=True, prepare_threshold=None) as connection:
                while not self._stopped.is_set():
                    self._write(connection)
        except BaseException as error:
            self.error = error

    def _write(self, connection: psycopg.Connection) -> None:
        value = self._value()
        chance = self._random.random()
        if chance < 0.3 or not self.ledger:
            self._next += self._writers
            row = self._next
            query = "INSERT INTO t (id, v) VALUES (%(id)s, %(v)s)"
        elif chance < 0.95:
            row = self._random.choice(list(self.ledger))
            query = "UPDATE t SET v = %(v)s, n = n + 1 WHERE id = %(id)s"
        else:
            row = self._random.choice(list(self.ledger))
            query = "DELETE FROM t WHERE id = %(id)s"
        began = time.monotonic()
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
            if query.startswith("INSERT"):
                self._next -= self._writers
            return
        finally:
            self.longest = max(self.longest, time.monotonic() - began)
        self.writes += 1
        self.sealed += self._is_sealed
        if query.startswith("DELETE"):
            del self.ledger[row]
        else:
            self.ledger[row] = value

    def _form(self, value: str | None) -> str | bytes | None:
        return self._seal(value.encode()) if self._is_sealed and value is not None else value

    def _value(self) -> str | None:
        chance = self._random.random()
        if chance < 0.1:
            return None
        if chance < 0.2:
            return self._random.choice(EVEN_ODDER)
        return f"value {self._random.random()} of {self._number}"


class ProxiedWriter(Writer):
    """The same through the proxy, plain from beginning to end; and every other statement reads a row of its own, by its
    id and its value, and compares it with the ledger."""

    def __init__(self, dsn: str, number: int, writers: int, ledger: dict[int, str | None]) -> None:
        super().__init__(dsn, number, writers, lambda value: value, ledger)
        self.reads = 0
        self.retries = 0
        """Statements that failed with 40001 or 0A000, as a changed table may make them."""

    def _write(self, connection: psycopg.Connection) -> None:
        try:
            if self._random.random() < 0.5:
                self._read(connection)
            else:
                super()._write(connection)
        except (psycopg.errors.SerializationFailure, psycopg.errors.FeatureNotSupported):
            self.retries += 1
        if self._is_sealed:
            raise AssertionError("the proxy has sent a plain value to a sealed column")

    def _read(self, connection: psycopg.Connection) -> None:
        row = self._random.choice(list(self.ledger))
        value = self.ledger[row]
        began = time.monotonic()
        if value is None:
            found = connection.execute("SELECT id, v FROM t WHERE id = %s AND v IS NULL", [row]).fetchall()
        else:
            found = connection.execute("SELECT id, v FROM t WHERE id = %s AND v = %s", [row, value]).fetchall()
        self.longest = max(self.longest, time.monotonic() - began)
        if found != [(row, value)]:
            raise AssertionError(f"row {row} is not what was written last: {len(found)} rows found")
        self.reads += 1
