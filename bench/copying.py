"""Row 4: writing in bulk: COPY in and out of 1,000,000 rows, INSERT of 1,000 rows at once, executemany.

The tables are those of row 3, plain and with three of ten columns sealed with search: none.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final

import psycopg

from bench.harness import Bench, CpuClock, Sample
from bench.programs import SETTINGS_NOTE, Endpoint, postgres, sealwire
from bench.results import COLUMNS, DATABASE, DIRECT, PLAIN, SEALWIRE, line, policy, table
from proxy import kernel

ROW = 4
SEALED: Final = 3
BATCH: Final = 1_000

Write = Callable[["psycopg.Connection[tuple[object, ...]]", str, int], None]


def measure(bench: Bench) -> None:
    rows = 50_000 if bench.quick else 1_000_000
    few = 5_000 if bench.quick else 20_000
    with postgres() as server:
        bench.note(f"PostgreSQL {server.version}; {SETTINGS_NOTE}; kernel: {kernel.NAME}; {COLUMNS} columns")
        server.create(DATABASE)
        with sealwire(server, policy([SEALED]), init=[DATABASE]) as proxy:
            for endpoint, name in ((server.endpoint, PLAIN), (proxy, "sealed_0"), (proxy, f"sealed_{SEALED}")):
                with psycopg.connect(endpoint.dsn(DATABASE), autocommit=True) as connection:
                    connection.execute(table(name).encode())
            cases: tuple[tuple[str, int, Write, float | None], ...] = (
                (f"COPY in, text, {rows:,} rows", rows, copy_in, 0.4),
                (f"COPY out, text, {rows:,} rows", rows, copy_out, None),
                (f"INSERT of {BATCH:,} rows at a time, {few:,} rows", few, insert, None),
                (f"executemany, {few:,} rows", few, execute_many, None),
            )
            for case, count, write, target in cases:
                bench.compare(
                    ROW,
                    case,
                    {
                        DIRECT: partial(timed, count, server.endpoint, PLAIN, write),
                        f"{SEALWIRE}, 0 sealed": partial(timed, count, proxy, "sealed_0", write),
                        f"{SEALWIRE}, {SEALED} sealed": partial(timed, count, proxy, f"sealed_{SEALED}", write),
                    },
                    unit="rows/s",
                    base=DIRECT,
                    targets=None if target is None else {f"{SEALWIRE}, {SEALED} sealed": (DIRECT, target)},
                )


def timed(rows: int, endpoint: Endpoint, name: str, write: Write) -> Sample:
    """Rows per second in one transaction, and the proxy's CPU time per row. A table is emptied before it is written."""
    with psycopg.connect(endpoint.dsn(DATABASE)) as connection:
        if write is not copy_out:
            connection.execute(f"TRUNCATE {name}".encode())
            connection.commit()
        clock = None if endpoint.pid is None else CpuClock(endpoint.pid)
        start = time.perf_counter()
        write(connection, name, rows)
        connection.commit()
        spent = time.perf_counter() - start
        return Sample(rows / spent, None if clock is None else clock.seconds / rows * 1e6)


_BLOCK = "".join(map(line, range(BATCH))).encode()


def copy_in(connection: psycopg.Connection[tuple[object, ...]], name: str, rows: int) -> None:
    with connection.cursor().copy(f"COPY {name} FROM STDIN".encode()) as copy:
        for _ in range(rows // BATCH):
            copy.write(_BLOCK)


def copy_out(connection: psycopg.Connection[tuple[object, ...]], name: str, rows: int) -> None:
    with connection.cursor().copy(f"COPY {name} TO STDOUT".encode()) as copy:
        found = sum(1 for _ in copy)
    if found != rows:
        raise RuntimeError(f"{found} rows instead of {rows}")


def insert(connection: psycopg.Connection[tuple[object, ...]], name: str, rows: int) -> None:
    values = ", ".join("('" + line(number).strip().replace("\t", "', '") + "')" for number in range(BATCH))
    statement = f"INSERT INTO {name} VALUES {values}".encode()
    for _ in range(rows // BATCH):
        connection.execute(statement)


def execute_many(connection: psycopg.Connection[tuple[object, ...]], name: str, rows: int) -> None:
    statement = f"INSERT INTO {name} VALUES ({', '.join(['%s'] * COLUMNS)})".encode()
    with connection.cursor() as cursor:
        cursor.executemany(statement, [line(number).strip().split("\t") for number in range(rows)])
