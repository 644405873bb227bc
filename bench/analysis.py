"""Row 5: what it costs to analyse a statement: cold, from the cache by its text, and per literal of a bulk INSERT.

Every figure is the median of many runs of CPU time, of this process alone, without a server.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from bench.harness import Bench
from proxy.config import DatabasePolicy, Scheme, SealedColumn
from proxy.crypto import FileProvider, Keyring
from proxy.pgtypes import parse_type
from proxy.session.rewriting import splice
from proxy.session.shared import Snapshot
from proxy.sql import analyse
from proxy.sql.catalog import Catalog, SearchPath
from proxy.sql.plan import Plan, Statement
from proxy.wire.codecs import Settings

ROW = 5
CASE = "analysis of a statement"
_SEALED_OID = 90_000
_TABLES = {
    "customers": ("id", "name", "email=equality", "phone=equality", "born=order", "notes=random", "city", "active"),
    "orders": ("id", "customer_id", "total", "placed", "state", "note"),
    "items": ("id", "order_id", "product_id", "quantity", "price"),
    "products": ("id", "name", "price", "stock"),
}
_TYPICAL = """SELECT c.id, c.name, c.email, c.phone, c.born, c.notes, c.city, c.active, o.id AS order_id, o.total,
       o.placed, o.state, o.note, i.id AS item_id, i.quantity, i.price, p.id AS product_id, p.name AS product,
       p.price AS list_price, p.stock
  FROM customers c JOIN orders o ON o.customer_id = c.id
  JOIN items i ON i.order_id = o.id JOIN products p ON p.id = i.product_id
 WHERE c.email = {} AND o.total > {} ORDER BY o.placed DESC LIMIT 50"""
_ROWS = 1000


def shop() -> tuple[Catalog, DatabasePolicy]:
    """Four tables, one of which has sealed columns."""
    relations: list[list[object]] = []
    columns: dict[str, SealedColumn] = {}
    for oid, (table, names) in enumerate(_TABLES.items(), 1000):
        rows: list[list[object]] = []
        for number, spelling in enumerate(names, 1):
            name, _, search = spelling.partition("=")
            kind = parse_type("date" if name in ("born", "placed") else "text" if search else "integer")
            if search:
                domain = f"public.{table}.{name}"
                columns[name] = SealedColumn("shop", "public", table, name, kind, Scheme[search.upper()], domain)
            rows.append([name, number, _SEALED_OID if search else kind.oid, -1, 17 if search else kind.oid, -1,
                         False, False, "", "", "x"])  # fmt: skip
        relations.append([oid, "public", table, "r", "p", None, None, rows])
    document = {"version": 180000, "sealed": _SEALED_OID, "schemas": ["public"], "relations": relations}
    tables = MappingProxyType({("public", "customers"): MappingProxyType(columns)})
    return Catalog(document, {}), DatabasePolicy("shop", tables)


def microseconds(run: Callable[[], object], times: int, *, each: int = 1) -> float:
    """Median CPU time of one run; `each` calls are timed together where one is too short for the clock."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        for _ in range(each):
            run()
        taken.append((time.process_time() - start) / each)
    return statistics.median(taken) * 1e6


def bulk(rows: int) -> str:
    values = ", ".join(f"('user{n}@example.com', '+49 30 {n}', '1970-01-{n % 28 + 1:02}')" for n in range(rows))
    return f"INSERT INTO customers (email, phone, born) VALUES {values}"


def measure(bench: Bench) -> None:
    with tempfile.TemporaryDirectory() as directory:
        provider = FileProvider.create(Path(directory, "master.key"))
        figures = _figures(Keyring.create(Path(directory, "keyring.json"), provider))
    for what, cost, target in figures:
        bench.state(ROW, CASE, what, cost, unit="µs", at_most=target)
    bench.show(ROW, CASE)


def _figures(keyring: Keyring) -> list[tuple[str, float, float | None]]:
    """(what, microseconds, target or None)"""
    catalog, policy = shop()
    snapshot = Snapshot(catalog, policy, analyse, 0, keyring)
    path = SearchPath()

    def planned(text: str) -> Plan:
        (found,) = analyse(text, catalog=catalog, path=path, policy=policy)
        assert isinstance(found, Statement), found
        return found.plan

    with_params, with_literals = _TYPICAL.format("$1", "$2"), _TYPICAL.format("'a@example.com'", "10")
    others = (_TYPICAL.format(f"'user{n}@example.com'", n) for n in itertools.count())
    for _ in range(2):
        snapshot.plans.plan(next(others), (), path)
    large = bulk(_ROWS)
    plan = planned(large)

    figures: list[tuple[str, float, float | None]] = [
        ("typical statement, 2 parameters: cold", microseconds(lambda: planned(with_params), 101), 2000),
        ("typical statement, 2 literals: cold", microseconds(lambda: planned(with_literals), 101), 2000),
        ("typical statement: by text, kept",
         microseconds(lambda: snapshot.plans.plan(with_params, (), path), 51, each=1000), 5),
        ("typical statement: by shape, kept, other literals each time",
         microseconds(lambda: snapshot.plans.plan(next(others), (), path), 51, each=100), 40),
        (f"INSERT of {_ROWS} x 3 literals: analysis, per literal",
         microseconds(lambda: planned(large), 7) / _ROWS / 3, 60),
        (f"INSERT of {_ROWS // 10} x 3 literals: analysis, per literal",
         microseconds(lambda: planned(bulk(_ROWS // 10)), 21) / (_ROWS // 10) / 3, 60),
        ("sealing and splicing that INSERT, per literal",
         microseconds(lambda: splice(plan, Settings(), keyring), 5) / _ROWS / 3, None),
    ]  # fmt: skip
    for column in policy.tables["public", "customers"].values():
        only = tuple(slot for slot in plan.literals if slot.sealing.column is column)
        if only:
            part = replace(plan, literals=only, template=("",) * (len(only) + 1))
            cost = microseconds(lambda part=part: splice(part, Settings(), keyring), 5) / len(only)  # type: ignore[misc]
            figures.append((f"  of which scheme {column.scheme.name.lower()}, {column.type}", cost, None))
    return figures
