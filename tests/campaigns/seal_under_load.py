"""The campaign: millions of rows sealed online while readers and writers are at work through the proxy and around it,
the command killed at random; then every row is held against the writers' own ledger. Too long for every test run:

    .venv/bin/python -m tests.campaigns.seal_under_load --rows 5000000 --kills 5 --jobs 2 --writers 4

Prints one JSON object, and ends with exit code 1 where one of `BOUNDS` is not kept. `*_rows_per_second` are of an
undisturbed run. The time that a writer is kept waiting is measured three ways: its longest statement; the same under
the same load beside plain UPDATEs of another table, so without anything that could keep it waiting; and the longest
wait for a lock that the server shows.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from proxy.ops.database import connect
from proxy.ops.schema import install
from tests.campaigns.watching import LockWatch, Noise, Starters, Timeline, seal_and_kill
from tests.life.conftest import Scene
from tests.life.ledger_writers import BIG, ProxiedWriter, Writer, differing
from tests.life.test_life_under_load import POLICY, command, proxied, start_writers
from tests.support import servers
from tests.support.servers import Database, fresh_database

BIG_ROWS = 20
BATCH = 5_000
LONGEST_BLOCK = 1.0
"""Seconds."""
LEAST_RATE = 50_000
"""Rows a second."""

Figures = dict[str, Any]


def make_table(scene: Scene, rows: int) -> None:
    scene.sql.execute("CREATE TABLE t (id integer PRIMARY KEY, v text, n integer NOT NULL DEFAULT 0)")
    scene.sql.execute(
        "INSERT INTO t (id, v) SELECT i, CASE i % 20 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'it''s ' || i"
        " WHEN 3 THEN '🦭' || i ELSE 'user' || i || '@example.org' END"
        f" FROM generate_series(1, {rows}) i"
    )
    scene.sql.execute(f"UPDATE t SET v = repeat('ab', {len(BIG) // 2}) WHERE id % {big_every(rows)} = 5")
    scene.sql.execute("VACUUM ANALYZE t")


def big_every(rows: int) -> int:
    return max(rows // BIG_ROWS, 20)


def first_value(row: int, every: int) -> str | None:
    """What `make_table` has written, worked out anew."""
    if row % every == 5:
        return BIG
    special = {0: None, 1: "", 2: f"it's {row}", 3: f"🦭{row}"}
    return special.get(row % 20, f"user{row}@example.org")


def seal_line(scene: Scene, jobs: int) -> tuple[str, ...]:
    return "seal", scene.database.dbname, "public.t.v", "--json", "--jobs", str(jobs), "--batch", str(BATCH)


def command_line(scene: Scene, *arguments: str) -> tuple[str, ...]:
    line = (sys.executable, "-m", "proxy.cli", *arguments, "--config", str(scene.config_path))
    return *line, "--dsn", scene.database.dsn


def measure(scene: Scene, rows: int, jobs: int) -> Figures:
    """Nobody else writes: a plain UPDATE of every row, then sealing the same rows."""
    make_table(scene, rows)
    began = time.monotonic()
    scene.sql.execute("UPDATE t SET n = n + 1")
    update = rows / (time.monotonic() - began)
    scene.sql.execute("VACUUM FULL t")
    process = command(scene, *seal_line(scene, jobs))
    out, err = process.communicate()
    if process.returncode:
        raise SystemExit(err.decode())
    done = json.loads(out.splitlines()[-1])
    scene.sql.execute("DELETE FROM sealwire.jobs")
    return {
        "plain_update_rows_per_second": round(update),
        "seal_rows_per_second_filling": done["rate"],
        "seal_rows_per_second": round(done["rows"] / done["seconds"]),
        "seal_seconds_under_lock": done["locked"],
    }


def campaign(scene: Scene, rows: int, jobs: int, kills: int, count: int, quiet: float) -> Figures:
    """Sealing under load, killed `kills` times. `quiet`: seconds for which the load runs beside plain UPDATEs first.

    Takes the table that `measure` has left for those.
    """
    scene.sql.execute("ALTER TABLE t RENAME TO other; ALTER INDEX t_pkey RENAME TO other_pkey")
    make_table(scene, rows)
    every = big_every(rows)
    with proxied(scene) as through, Starters([*command_line(scene, *seal_line(scene, jobs))], kills + 1) as starters:
        writers = start_writers(scene, rows, through=through, count=count, initial=lambda row: first_value(row, every))
        with LockWatch(scene.database.dsn, writers) as locks:
            with Noise(scene.database.dsn, "other", rows, jobs, BATCH):
                work_on(writers, quiet)
            noise = take_longest(writers)
            timeline = Timeline()
            locks.longest = 0.0
            killed = seal_and_kill(starters.start, rows, kills, timeline)
            seconds = timeline.seconds
            work_on(writers, min(quiet, 3.0))
            slowest = max(writers, key=lambda writer: writer.longest)
            ledgers = [stopped(writer) for writer in writers]
    through_proxy = [writer for writer in writers if isinstance(writer, ProxiedWriter)]
    around = [writer for writer in writers if not isinstance(writer, ProxiedWriter)]
    return {
        "rows": sum(map(len, ledgers)),
        "kills": len(killed),
        "killed_in": killed,
        "seconds_under_load": round(seconds, 1),
        "writes_through_the_proxy": sum(writer.writes for writer in through_proxy),
        "reads_through_the_proxy": sum(writer.reads for writer in through_proxy),
        "writes_around": sum(writer.writes for writer in around),
        "reads_around": sum(writer.reads for writer in around),
        "writes_around_after_the_swap": sum(writer.sealed for writer in around),
        "statements_to_retry": sum(writer.retries for writer in through_proxy),
        "longest_statement_seconds": round(slowest.longest, 3),
        "longest_statement_in": timeline.phase_at(slowest.longest_at),
        "longest_statement_beside_plain_updates_seconds": round(noise, 3),
        "longest_lock_wait_seconds": round(locks.longest, 3),
        "longest_lock_wait_in": timeline.phase_at(locks.longest_at),
        "leftovers": len(scene.leftovers()),
        "rows_that_differ": differing(ledgers, stored(scene)),
    }


def work_on(writers: list[Writer], seconds: float) -> None:
    """Lets the writers work; raises what one of them has met."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.1)
        for writer in writers:
            if writer.error is not None:
                raise writer.error


def take_longest(writers: list[Writer]) -> float:
    """Seconds of the longest statement so far; from now on, it counts anew."""
    longest = max(writer.longest for writer in writers)
    for writer in writers:
        writer.longest = 0.0
    return longest


def stopped(writer: Writer) -> Any:
    writer.stop()
    return writer.ledger


def stored(scene: Scene) -> Iterator[tuple[int, str | None]]:
    """Every row of the table as it is now, opened."""
    open_value = scene.keyring.sealer(scene.column("public.t.v")).open
    with (
        scene.database.connect() as connection,
        connection.transaction(),
        connection.cursor("all_rows", binary=True) as cursor,
    ):
        cursor.itersize = 50_000
        for row, value in cursor.execute("SELECT id, v::bytea FROM t"):
            yield row, None if value is None else open_value(value).decode()  # type: ignore[misc, attr-defined]


def broken_bounds(found: Figures, kills: int) -> list[str]:
    """What the campaign promises and `found` does not keep."""
    bounds = {
        f"{kills} kills within the sealing": found["kills"] == kills,
        "no row differs": found["rows_that_differ"] == 0,
        "nothing of the job is left": found["leftovers"] == 0,
        f"no writer waits {LONGEST_BLOCK} s": found["longest_statement_seconds"] < LONGEST_BLOCK,
        f"{LEAST_RATE} rows a second": found["seal_rows_per_second"] >= LEAST_RATE,
    }
    return [bound for bound, kept in bounds.items() if not kept]


async def _install(database: Database) -> None:
    async with connect(database.dsn) as connection:
        await install(connection)


@contextlib.contextmanager
def arranged(version: int) -> Iterator[Scene]:
    """A server of its own with a database, the schema and the policy."""
    directory = Path(tempfile.mkdtemp(prefix="sealwire-"))
    server = servers.start(
        directory,
        servers.POSTGRES_VERSIONS[version],
        version,
        {"log_statement": "none", "shared_buffers": "512MB", "max_wal_size": "4GB", "autovacuum": "on"},
    )
    try:
        with fresh_database(server) as database:
            asyncio.run(_install(database))
            (directory / "scene").mkdir()
            scene = Scene(database, directory / "scene")
            scene.set_policy(POLICY)
            yield scene
            scene.sql.close()
    finally:
        servers.stop(server)
        shutil.rmtree(directory)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--quiet", type=float, default=20.0, help="seconds of load beside plain UPDATEs")
    parser.add_argument("--seed", type=int, default=None, help="of the places at which the command is killed")
    parser.add_argument("--version", type=int, default=18, choices=(16, 18))
    chosen = parser.parse_args()
    random.seed(chosen.seed)
    began = time.monotonic()
    with arranged(chosen.version) as scene:
        result = measure(scene, chosen.rows, chosen.jobs)
        print(json.dumps(result), file=sys.stderr)
        result |= campaign(scene, chosen.rows, chosen.jobs, chosen.kills, chosen.writers, chosen.quiet)
    result |= {"seconds": round(time.monotonic() - began), "load_average": os.getloadavg()[1]}
    result["bounds_not_kept"] = broken_bounds(result, chosen.kills)
    print(json.dumps(result, indent=2))
    return 1 if result["bounds_not_kept"] else 0


if __name__ == "__main__":
    sys.exit(main())
