"""Row 3: large results: 200,000 rows of ten columns, of which some are sealed, and what the kernel alone opens.

The tables hold the same values, texts, integers and dates in turn. Direct reads the plaintext table without a proxy,
Sealwire a table of which 0, 1, 3 or 10 columns are sealed with search: none. It runs on the kernel that SEALWIRE_KERNEL
says, or else on the native one where it is there: the notes of a run say which.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import asyncpg
import psycopg

from bench.harness import Bench, CpuClock, Sample
from bench.programs import SETTINGS_NOTE, Endpoint, postgres, sealwire
from proxy import kernel
from proxy.wire.messages import build_data_row

ROW = 3
DATABASE: Final = "sealed"
COLUMNS: Final = 10
SEALED: Final = (0, 1, 3, 10)
TYPES: Final = ("text", "integer", "date")
PLAIN: Final = "plain"
DIRECT, SEALWIRE = "direct", "Sealwire"
CELL: Final = 12
"""Bytes of plaintext in a cell of the kernel's own measurement."""


def type_of(column: int) -> str:
    return TYPES[column % len(TYPES)]


def policy(counts: Sequence[int], search: str = "") -> str:
    """columns.yaml: in table sealed_N, the first N columns."""
    tables = (
        f"  public.sealed_{count}:\n"
        + "".join(f"    c{column}: {{type: {type_of(column)}{search}}}\n" for column in range(count))
        for count in counts
        if count
    )
    return f"{DATABASE}:\n" + "".join(tables)


def table(name: str) -> str:
    columns = ", ".join(f"c{column} {type_of(column)}" for column in range(COLUMNS))
    return f"CREATE TABLE {name} ({columns})"


def line(number: int) -> str:
    """A row in COPY's text format."""
    shown = {"text": f"value {number}", "integer": str(number), "date": f"20{number % 90 + 10}-0{number % 9 + 1}-11"}
    return "\t".join(shown[type_of(column)] for column in range(COLUMNS)) + "\n"


def fill(dsn: str, name: str, rows: int) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(table(name))
        with connection.cursor().copy(f"COPY {name} FROM STDIN") as copy:
            for start in range(0, rows, 1000):
                copy.write("".join(map(line, range(start, min(start + 1000, rows)))))
        connection.execute("ANALYZE")


def measure(bench: Bench) -> None:
    rows = 20_000 if bench.quick else 200_000
    bench.note(f"kernel: {kernel.NAME}")
    open_cells(bench)
    with postgres() as server:
        bench.note(f"PostgreSQL {server.version}; {SETTINGS_NOTE}; {rows:,} rows of {COLUMNS} columns")
        server.create(DATABASE)
        with sealwire(server, policy(SEALED), init=[DATABASE]) as proxy:
            fill(server.endpoint.dsn(DATABASE), PLAIN, rows)
            for count in SEALED:
                fill(proxy.dsn(DATABASE), f"sealed_{count}", rows)
            for name, fetch in (
                ("asyncpg, binary", fetch_asyncpg),
                ("psycopg, text", partial(fetch_psycopg, False)),
                ("psycopg, binary", partial(fetch_psycopg, True)),
            ):
                for count in SEALED:
                    bench.compare(
                        ROW,
                        f"{name}: {count} of {COLUMNS} columns sealed",
                        {
                            DIRECT: partial(timed, rows, server.endpoint, PLAIN, fetch),
                            SEALWIRE: partial(timed, rows, proxy, f"sealed_{count}", fetch),
                        },
                        unit="rows/s",
                        base=DIRECT,
                        targets={SEALWIRE: (DIRECT, 0.5)} if count == 3 and "binary" in name else None,
                    )
            beside_an_export(bench, server.endpoint, proxy, rows)


def timed(rows: int, endpoint: Endpoint, name: str, fetch: Callable[[str, str], int]) -> Sample:
    """Rows per second from the query to the last row, and the proxy's CPU time per row."""
    clock = None if endpoint.pid is None else CpuClock(endpoint.pid)
    start = time.perf_counter()
    found = fetch(endpoint.dsn(DATABASE), f"SELECT * FROM {name}")
    spent = time.perf_counter() - start
    if found != rows:
        raise RuntimeError(f"{found} rows instead of {rows}")
    return Sample(rows / spent, None if clock is None else clock.seconds / rows * 1e6)


def fetch_asyncpg(dsn: str, query: str) -> int:
    async def fetch() -> int:
        connection = await asyncpg.connect(dsn)
        try:
            return len(await connection.fetch(query))
        finally:
            await connection.close()

    return asyncio.run(fetch())


def fetch_psycopg(binary: bool, dsn: str, query: str) -> int:
    with psycopg.connect(dsn) as connection, connection.cursor(binary=binary) as cursor:
        return len(cursor.execute(query.encode()).fetchall())


def open_cells(bench: Bench) -> None:
    """What the kernel opens in one second of one core, inside DataRows of ten columns of which three are sealed."""
    key = kernel.RandomKey(kernel.Gcm(bytes(32)), b"\xe1\x01\0\0\0\1", b"associated data of sixty bytes or so")
    cells, count, sealed = 3, 2_000, key.seal(bytes(CELL), bytes(12))
    cell = kernel.opener({b"\xe1\x01\0\0\0\1": key}, is_hex=False, form="same", reference=key.open)
    data = build_data_row([sealed] * cells + [b"plain text"] * (COLUMNS - cells)) * count
    openers = [cell] * cells + [None] * (COLUMNS - cells)
    rates = []
    for _ in range(bench.rounds * 5):
        start = time.process_time()
        kernel.open_rows(data, 0, openers)
        rates.append(count * cells / (time.process_time() - start))
    bench.state(
        ROW, "kernel alone", f"{kernel.NAME}: cells opened", statistics.median(rates), unit="cells/s of CPU time"
    )
    bench.show(ROW, "kernel alone")


def beside_an_export(bench: Bench, server: Endpoint, proxy: Endpoint, rows: int) -> None:
    """How long a point select waits while another connection reads a table of sealed rows as often as it can. Asked at
    the same moments of the server directly, it shows what the machine itself adds."""
    psql = shutil.which("psql")
    if psql is None:
        bench.note("psql is not installed: no point select beside an export")
        return
    dsn, repeats = proxy.dsn(DATABASE), max(1, 1_000_000 // rows)
    with (
        psycopg.connect(dsn, autocommit=True) as through,
        psycopg.connect(server.dsn(DATABASE), autocommit=True) as direct,
    ):
        direct.execute("CREATE TABLE single (id integer PRIMARY KEY, note text)")
        direct.execute("INSERT INTO single SELECT n, 'note' FROM generate_series(1, 1000) n")
        script = "SELECT * FROM sealed_3;" * repeats
        waits: dict[str, list[float]] = {SEALWIRE: [], DIRECT: []}
        with subprocess.Popen([psql, "-q", "-o", "/dev/null", "-v", "FETCH_COUNT=1000", "-c", script, dsn]) as export:
            while export.poll() is None:
                for name, connection in ((SEALWIRE, through), (DIRECT, direct)):
                    start = time.perf_counter()
                    connection.execute("SELECT note FROM single WHERE id = 7").fetchone()
                    waits[name].append((time.perf_counter() - start) * 1e3)
                time.sleep(0.002)
    case = f"point select beside an export of {repeats * rows:,} rows, 3 of {COLUMNS} columns sealed"
    for name, taken in waits.items():
        taken.sort()
        bench.state(ROW, case, f"{name}: median of {len(taken)}", statistics.median(taken), unit="ms")
        at_most = 20 if name == SEALWIRE else None
        bench.state(ROW, case, f"{name}: p99", taken[len(taken) * 99 // 100], unit="ms", at_most=at_most)
    bench.show(ROW, case)
