"""The oracle's own statements, asked again and again while equality keys are rotated under them.

What PostgreSQL answers on the plain database is what the sealed one must answer through the proxy, at every moment.
An error that says that the table has changed (40001, 0A000) is no wrong answer; the statement is asked again then.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pglast import ast

from proxy.ops.life.fill import Progress
from proxy.ops.life.recipe import Operation
from proxy.sql.survey import children_of
from tests.life.test_life_proxied import Live
from tests.oracle import loading, rig, shop_rows
from tests.oracle.corpus import Entry, read
from tests.oracle.runner import CORPUS, Pair
from tests.support.oracle import Case, Mode, Outcome
from tests.support.servers import Server
from tests.support.statements import parse

THEMES: Final = ("equality", "queries", "changes")
DOMAINS: Final[Mapping[str, tuple[str, ...]]] = {
    "join:emails": (
        "public.customers.email",
        "public.cards.owner_email",
        "public.employees.email",
        "vault.documents.owner_email",
        "public.Invoices.Customer Email",
    ),
    "join:phones": ("public.customers.phone", "public.employees.phone"),
    "public.customers.status": ("public.customers.status",),
    "public.cards.number": ("public.cards.number",),
    "public.employees.badge": ("public.employees.badge",),
    "public.employees.active": ("public.employees.active",),
    "public.notes.secret": ("public.notes.secret",),
    "public.Invoices.select": ("public.Invoices.select",),
}
"""Domains that are rotated, with their columns, which are resealed together. Not orders.coupon: a view counts it."""
TABLES: Final = ("customers", "cards", "employees", "vault.documents", '"Invoices"', "notes")
NOT_ALONE: Final = (
    "  actor:   {type: text, search: equality, join: emails}",
    "public.people:\n  email: {type: text, search: equality, join: emails}",
)
"""Of the policy: `reseal` takes no partitioned tables and no inheritance, so these do not share a key with others."""
LEFT_OUT: Final = ("Whole rows", "Row locks and samples")
"""Constructs whose answers show which columns a table has, or who else is at work."""
MOVING: Final = frozenset({"40001", "0A000"})
TRIES: Final = 200


@dataclass(frozen=True, slots=True)
class Question:
    """One statement in one mode."""

    entry: Entry
    case: Case
    mode: Mode


def policy() -> str:
    text = loading.shop_policy()
    for entry in NOT_ALONE:
        assert entry in text
        text = text.replace(entry, entry.replace(", join: emails", ""))
    return text


def names_positions(sql: str) -> bool:
    """Whether the answer depends on which columns a table has, in which order: those change with a shadow."""
    pending: list[object] = list(parse(sql))
    while pending:
        item = pending.pop()
        if isinstance(item, (tuple, list)):
            pending.extend(item)
        elif (
            isinstance(item, ast.A_Star)
            or (isinstance(item, ast.InsertStmt) and not item.cols)
            or (isinstance(item, ast.RangeVar) and item.alias is not None and item.alias.colnames)
        ):
            return True
        elif isinstance(item, ast.Node):
            pending.extend(getattr(item, slot) for slot in children_of(item))
    return False


def questions(live: Live, pair: Pair, version: int, *, every: int) -> list[Question]:
    """Every `every`-th statement of the themes that has the same answer on both sides, and has it also when the rows of
    the sealed side lie in another order; each in one of its modes, or with `every` 1 in all of them."""
    dice = random.Random(7)
    found = []
    entries = [entry for theme in THEMES for entry in read(CORPUS / f"{theme}.sql").entries]
    for entry in entries[::every]:
        if entry.expected not in ("same", "error") or ("pg18" in entry.options and version < 18):
            continue
        if entry.copy_in or entry.copy_from or entry.construct in LEFT_OUT or names_positions(entry.sql):
            continue
        case = entry.case()
        modes = case.applicable()
        found += [Question(entry, case, mode) for mode in (modes if every == 1 else (dice.choice(modes),))]
    for _ in range(2):
        move_rows(live)
        found = [one for one in found if pair.judge(one.case, one.mode).outcome is Outcome.SAME]
    return found


def move_rows(live: Live) -> None:
    """The rows of the sealed side lie in another order afterwards."""
    with live.stack.direct() as direct:
        for table in TABLES:
            key = '"Id"' if table == '"Invoices"' else "id"
            direct.execute(f"UPDATE {table} SET {key} = {key} WHERE random() < 0.5")


class Asker(threading.Thread):
    """Asks its questions in a new order each time, until told to stop."""

    def __init__(self, pair: Pair, asked: Iterable[Question], seed: int) -> None:
        super().__init__(daemon=True)
        self.asked = 0
        self.again = 0
        """Answers that were errors of a changed table."""
        self.wrong: list[str] = []
        self.error: BaseException | None = None
        self._pair, self._questions, self._random = pair, list(asked), random.Random(seed)
        self._stopped = threading.Event()

    @property
    def count(self) -> int:
        """Questions that it has."""
        return len(self._questions)

    def run(self) -> None:
        try:
            while not self._stopped.is_set():
                self._random.shuffle(self._questions)
                for question in self._questions:
                    if self._stopped.is_set():
                        return
                    self._ask(question)
        except BaseException as error:
            self.error = error

    def _ask(self, question: Question) -> None:
        for _ in range(TRIES):
            verdict = self._pair.judge(question.case, question.mode)
            if verdict.sqlstate not in MOVING:
                break
            self.again += 1
        if verdict.outcome is not Outcome.SAME:
            entry = question.entry
            self.wrong.append(f"{entry.theme}, line {entry.line}, {question.mode}: {entry.sql}\n    {verdict.note}")
        self.asked += 1

    def more(self, count: int) -> None:
        """Waits until it has asked so many more."""
        wanted, tick = self.asked + count, threading.Event()
        while self.asked < wanted and self.is_alive():
            tick.wait(0.002)

    def stop(self) -> None:
        self._stopped.set()
        self.join()
        if self.error is not None:
            raise self.error


@dataclass(slots=True)
class Rotation:
    """A loaded pair of databases under the commands."""

    live: Live
    askers: list[Asker]
    version: int
    pause: int
    """Statements that each asker is to ask between two steps of a command."""

    def rotate(self, domains: Iterable[str]) -> None:
        """A new key, and the columns of `domains` sealed under it, domain by domain."""
        self.live.rotate()
        self.live.reload()
        for domain in domains:
            self.live.do(Operation.RESEAL, *DOMAINS[domain], report=self._report, batch=10)
        self.live.reload()
        self._report(None)

    def _report(self, _: Progress | None) -> None:
        for asker in self.askers:
            asker.more(self.pause)

    def keys(self) -> dict[str, int]:
        """Domain -> how many keys its values lie under."""
        found = {}
        with self.live.stack.direct() as direct:
            for domain, columns in DOMAINS.items():
                parts = []
                for name in columns:
                    schema, table, column = name.split(".")
                    parts.append(f'SELECT substr("{column}", 3, 4) AS key FROM "{schema}"."{table}"')
                row = direct.execute(f"SELECT count(DISTINCT key) FROM ({' UNION ALL '.join(parts)}) k").fetchone()
                assert row is not None
                found[domain] = row[0]
        return found


@contextlib.contextmanager
def rotating(server: Server, *, every: int, pause: int) -> Iterator[Rotation]:
    """One asker reads, another one writes too, in transactions that it rolls back."""
    with (
        rig.filled(server, policy(), loading.load_shop, lambda _: shop_rows.CANARIES) as filled,
        contextlib.ExitStack() as pairs,
    ):
        live = Live(filled.stack)
        found = questions(live, filled.pair, server.version, every=every)
        askers = []
        for seed, writes in enumerate((False, True)):
            pair = Pair(filled.pair.plain.dsn, filled.pair.sealed.dsn, filled.stack.database.dsn)
            pairs.callback(pair.close)
            askers.append(Asker(pair, [one for one in found if one.case.shape.writes is writes], seed))
        for asker in askers:
            asker.start()
        yield Rotation(live, askers, server.version, pause)
        for asker in askers:
            asker.stop()
        assert filled.leaks() == []
