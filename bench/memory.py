"""Row 6: what the proxy keeps in memory: for an idle connection, for a plan, and while a large result passes."""

from __future__ import annotations

import gc
import tracemalloc

import psycopg

from bench.analysis import shop
from bench.harness import Bench
from bench.programs import peak, postgres, reset_peak, resident, sealwire
from proxy.session.shared import Snapshot
from proxy.sql import analyse
from proxy.sql.catalog import SearchPath

ROW = 6
CASE = "memory"
DATABASE = "sealed"
_COLUMNS = ", ".join(f"c{number} text" for number in range(10))
_POLICY = f"""{DATABASE}:
  public.wide:
    c0: {{type: text}}
    c1: {{type: text, search: equality}}
    c2: {{type: text}}
"""
_PLANS = 300


def measure(bench: Bench) -> None:
    connections, rows = (50, 20_000) if bench.quick else (500, 200_000)
    with postgres() as server:
        server.create(DATABASE)
        with sealwire(server, _POLICY, init=[DATABASE]) as proxy:
            pid = proxy.pid
            assert pid is not None
            _warm(proxy.dsn(DATABASE))
            for name, dsn in (
                ("under a policy", proxy.dsn(DATABASE)),
                ("without a policy", proxy.dsn("postgres")),
            ):
                grown = _connections(dsn, connections, pid)
                bench.state(ROW, CASE, f"an idle connection {name}", grown / connections / 1024, unit="KiB")
            _fill(proxy.dsn(DATABASE), rows)
            for sealed, columns in ((0, "c3, c4, c5"), (3, "c0, c1, c2")):
                reset_peak(pid)
                before = peak(pid)
                _read(proxy.dsn(DATABASE), columns)
                what = f"peak above idle: {rows:,} rows x 3 columns, {sealed} of them sealed"
                bench.state(ROW, CASE, what, max(0, peak(pid) - before) / 1024, unit="KiB")
    for name, text in (("by text", "SELECT email, {0} AS c FROM customers WHERE email = '{0}' -- {0}"),
                       ("by shape", "SELECT email AS c{0} FROM customers WHERE email = '{1}'")):  # fmt: skip
        bench.state(ROW, CASE, f"a plan kept {name}, as measured", _plan(text)[0] / 1024, unit="KiB")
        bench.state(ROW, CASE, f"a plan kept {name}, as counted for the bound", _plan(text)[1] / 1024, unit="KiB")
    bench.show(ROW, CASE)


def _warm(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE wide ({_COLUMNS})")
        connection.execute("SELECT c0 FROM wide")


def _connections(dsn: str, count: int, pid: int) -> int:
    """Bytes by which `count` connections, each of which has run a statement, make the proxy grow."""
    before = resident(pid)
    opened = [psycopg.connect(dsn, autocommit=True) for _ in range(count)]
    for connection in opened:
        connection.execute("SELECT 1")
    grown = resident(pid) - before
    for connection in opened:
        connection.close()
    return grown


def _fill(dsn: str, rows: int) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection, connection.cursor().copy("COPY wide FROM STDIN") as copy:
        for start in range(0, rows, 1000):
            copy.write(
                "".join("\t".join(f"value {n} {c}" for c in range(10)) + "\n" for n in range(start, start + 1000))
            )


def _read(dsn: str, columns: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection, connection.cursor(binary=True) as cursor:
        for _ in cursor.stream(f"SELECT {columns} FROM wide", size=1):
            pass


class _Settled:
    """Sealers of which the plans ask one thing: no column waits for another key."""

    def waits(self, _column: object) -> bool:
        return False


def _plan(text: str) -> tuple[float, float]:
    """Bytes for a plan: as Python allocates them, and as the cache counts them."""
    catalog, policy = shop()
    plans = Snapshot(catalog, policy, analyse, 0, _Settled()).plans
    path = SearchPath()
    plans.plan(text.format(0, 0), (), path)
    tracemalloc.start()
    gc.collect()
    before, counted = tracemalloc.get_traced_memory()[0], plans.size
    for number in range(1, _PLANS + 1):
        for value in ("a", "b"):
            plans.plan(text.format(number, value), (), path)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return grown / _PLANS, (plans.size - counted) / _PLANS
