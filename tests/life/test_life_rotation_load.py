"""An equality key is rotated while statements whose answers depend on it run through the proxy without a pause."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from proxy.ops.life.recipe import Operation
from tests.life.rotation_oracle import rotating
from tests.life.test_life_proxied import COLUMN, Live
from tests.support.servers import Database, Server
from tests.support.stack import running

ROWS = 400
POLICY = """public.people: {email: {type: text, search: equality, join: mail}}
public.orders: {email: {type: text, search: equality, join: mail}}"""
QUESTIONS: tuple[tuple[str, tuple[Any, ...], list[tuple[Any, ...]]], ...] = (
    ("SELECT id FROM people WHERE email = %s", ("user7",), [(7,)]),
    ("SELECT id FROM people WHERE email IN (%s, %s) ORDER BY id", ("user8", "user9"), [(8,), (9,)]),
    ("SELECT count(*) FROM people WHERE email <> %s", ("user7",), [(ROWS - 1,)]),
    ("SELECT count(*) FROM people p JOIN orders o ON o.email = p.email", (), [(2 * ROWS,)]),
    ("SELECT count(*) FROM orders o WHERE EXISTS (SELECT FROM people p WHERE p.email = o.email AND p.email = %s)",
     ("user11",), [(2,)]),
    ("SELECT count(*), max(n) FROM (SELECT email, count(*) AS n FROM orders GROUP BY email) g", (), [(ROWS, 2)]),
    ("SELECT count(DISTINCT email) FROM orders", (), [(ROWS,)]),
    ("SELECT p.id FROM people p LEFT JOIN orders o USING (email) WHERE o.email IS NULL", (), []),
    ("INSERT INTO people (id, email) VALUES (-1, %s) ON CONFLICT (email) DO NOTHING RETURNING id", ("user12",), []),
)  # fmt: skip


@pytest.fixture
def live(database18: Database) -> Iterator[Live]:
    with running(database18, "") as stack:
        with stack.direct() as direct:
            direct.execute(
                "CREATE TABLE people (id integer PRIMARY KEY, email text UNIQUE); CREATE TABLE orders (email text);"
                f"INSERT INTO people SELECT i, 'user' || i FROM generate_series(1, {ROWS}) i;"
                "INSERT INTO orders SELECT email FROM people UNION ALL SELECT email FROM people"
            )
        live = Live(stack)
        live.set_policy(POLICY)
        live.do(Operation.SEAL, COLUMN, "public.orders.email")
        live.reload()
        yield live


class Asker(threading.Thread):
    """Asks all questions again and again, by one protocol."""

    def __init__(self, live: Live, cursor: type[psycopg.Cursor[Any]]) -> None:
        super().__init__(daemon=True)
        self._live, self._cursor = live, cursor
        self._stopped = threading.Event()
        self.rounds = 0
        self.wrong: list[str] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            with self._live.stack.connect(cursor_factory=self._cursor, prepare_threshold=2) as connection:
                while not self._stopped.is_set():
                    self._ask(connection)
                    self.rounds += 1
        except BaseException as error:
            self.error = error

    def _ask(self, connection: psycopg.Connection[Any]) -> None:
        for text, values, answer in QUESTIONS:
            try:
                found = connection.execute(text, values).fetchall()
            except (psycopg.errors.FeatureNotSupported, psycopg.errors.SerializationFailure) as error:
                if "sealwire" in str(error) or error.sqlstate == "40001" or "cached plan" in str(error):
                    continue  # an error that says so is no wrong answer
                raise
            if found != answer:
                self.wrong.append(f"{text}: {found}")
        try:
            connection.execute("INSERT INTO people (id, email) VALUES (-1, %s)", ["user13"])
        except psycopg.errors.UniqueViolation:
            return
        self.wrong.append("a second row with the same unique value was accepted")

    def more(self, rounds: int) -> None:
        """Waits until it has asked so many rounds more."""
        wanted, tick = self.rounds + rounds, threading.Event()
        while self.rounds < wanted and self.is_alive():
            tick.wait(0.01)

    def stop(self) -> None:
        self._stopped.set()
        self.join()
        if self.error is not None:
            raise self.error


def test_no_answer_is_wrong_while_an_equality_key_is_rotated(live: Live) -> None:
    askers = [Asker(live, psycopg.Cursor), Asker(live, psycopg.ClientCursor)]
    for asker in askers:
        asker.start()
    askers[0].more(2)
    for _ in range(2):
        live.rotate()
        live.reload()
        askers[0].more(2)
        live.do(Operation.RESEAL, COLUMN, "public.orders.email")
        for asker in askers:
            asker.more(2)
        live.reload()
        askers[1].more(2)
    for asker in askers:
        asker.stop()
    assert [asker.wrong for asker in askers] == [[], []]
    assert min(asker.rounds for asker in askers) >= 8
    with live.stack.direct() as direct:
        assert direct.execute("SELECT count(DISTINCT substr(email, 1, 6)) FROM people").fetchone() == (1,)


def test_the_oracles_statements_have_their_answers_while_keys_are_rotated(pg18: Server) -> None:
    with rotating(pg18, every=7, pause=2) as rotation:
        rotation.rotate(["join:emails", "public.customers.status"])
        keys = rotation.keys()
    reader, writer = rotation.askers
    assert [asker.wrong for asker in rotation.askers] == [[], []]
    assert (keys["join:emails"], keys["public.customers.status"]) == (1, 1)
    assert min(reader.asked, writer.asked) > 50
