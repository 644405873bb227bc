"""The campaign: millions of rows sealed online under a load of reads and writes through the proxy and of writes around
it, the command killed at random; then every row is held against the writers' own ledger. Too long for every test run:

    .venv/bin/python -m tests.campaigns.seal_under_load --rows 5000000 --kills 5 --jobs 2 --writers 4

Prints one JSON object: rows, seconds, rows a second of an undisturbed seal and of a plain UPDATE beside it, kills, the
longest time that a writer was kept waiting, and the number of rows that differ, which must be 0 (else exit code 1).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from proxy.ops.database import connect
from proxy.ops.schema import install
from tests.life.conftest import Scene
from tests.life.ledger_writers import ProxiedWriter, Writer
from tests.life.test_life_under_load import POLICY, command, proxied, stored
from tests.support import servers
from tests.support.servers import Database, fresh_database

BIG = 100_000
"""Bytes of a few values."""


def make_table(scene: Scene, rows: int) -> None:
    scene.sql.execute("DROP TABLE IF EXISTS t")
    scene.sql.execute("CREATE TABLE t (id integer PRIMARY KEY, v text, n integer NOT NULL DEFAULT 0)")
    scene.sql.execute(
        "INSERT INTO t (id, v) SELECT i, CASE i % 20 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'it''s ' || i"
        " WHEN 3 THEN '🦭' || i ELSE 'user' || i || '@example.org' END"
        f" FROM generate_series(1, {rows}) i"
    )
    scene.sql.execute(f"UPDATE t SET v = repeat('ab', {BIG // 2}) WHERE id % greatest({rows} / 20, 1) = 5")
    scene.sql.execute("VACUUM ANALYZE t")


def seal_line(scene: Scene, jobs: int) -> tuple[str, ...]:
    return "seal", scene.database.dbname, "public.t.v", "--json", "--jobs", str(jobs)


def run_quietly(scene: Scene, jobs: int) -> dict[str, float]:
    process = command(scene, *seal_line(scene, jobs))
    out, err = process.communicate()
    if process.returncode:
        raise SystemExit(err.decode())
    found: dict[str, float] = json.loads(out.splitlines()[-1])
    return found


def measure(scene: Scene, rows: int, jobs: int) -> dict[str, float]:
    """Nobody else writes: a plain UPDATE of every row, then sealing the same rows."""
    make_table(scene, rows)
    began = time.monotonic()
    scene.sql.execute("UPDATE t SET n = n + 1")
    update = rows / (time.monotonic() - began)
    scene.sql.execute("VACUUM FULL t")
    done = run_quietly(scene, jobs)
    return {
        "plain_update_rows_per_second": round(update),
        "seal_rows_per_second_filling": done["rate"],
        "seal_rows_per_second_overall": round(done["rows"] / done["seconds"]),
        "seal_seconds_under_lock": done["locked"],
    }


def campaign(scene: Scene, rows: int, jobs: int, kills: int, writer_count: int, seconds: float) -> dict[str, float]:
    """Sealing under load; killed `kills` times, each within `seconds`, what an undisturbed run takes."""
    make_table(scene, rows)
    ledger = dict(scene.rows("SELECT id, v FROM t"))
    seal = scene.keyring.sealer(scene.column("public.t.v")).seal
    with proxied(scene) as through:
        writers: list[Writer] = []
        for number in range(writer_count):
            mine = {row: value for row, value in ledger.items() if row % writer_count == number}
            if number % 2:
                writers.append(Writer(scene.database.dsn, number, writer_count, seal, mine))
            else:
                writers.append(ProxiedWriter(through, number, writer_count, mine))
        for writer in writers:
            writer.start()
        elapsed, killed = seal_and_kill(scene, jobs, kills, seconds)
        ledger = {}
        for writer in writers:
            writer.stop()
            ledger |= writer.ledger
    found = stored(scene)
    differ = sum(ledger.get(row, row) != found.get(row, row) for row in ledger.keys() | found.keys())
    through_proxy = [writer for writer in writers if isinstance(writer, ProxiedWriter)]
    return {
        "rows": len(ledger),
        "kills": killed,
        "seconds_under_load": round(elapsed, 1),
        "writes": sum(writer.writes for writer in writers),
        "writes_through_the_proxy": sum(writer.writes for writer in through_proxy),
        "reads_through_the_proxy": sum(writer.reads for writer in through_proxy),
        "statements_to_retry": sum(writer.retries for writer in through_proxy),
        "writes_around_after_the_swap": sum(writer.sealed for writer in writers),
        "longest_wait_of_a_writer": round(max(writer.longest for writer in writers), 3),
        "leftovers": len(scene.leftovers()),
        "rows_that_differ": differ,
    }


def seal_and_kill(scene: Scene, jobs: int, kills: int, seconds: float) -> tuple[float, int]:
    """(seconds until it was sealed, kills)."""
    began, killed = time.monotonic(), 0
    while True:
        process = command(scene, *seal_line(scene, jobs))
        wait = random.uniform(1.5, 1.5 + seconds) if killed < kills else None
        try:
            _, err = process.communicate(timeout=wait)
        except Exception:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed += 1
            continue
        if process.returncode:
            raise SystemExit(err.decode())
        return time.monotonic() - began, killed


async def _install(database: Database) -> None:
    async with connect(database.dsn) as connection:
        await install(connection)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--version", type=int, default=18, choices=(16, 18))
    chosen = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="sealwire-"))
    server = servers.start(
        directory,
        servers.POSTGRES_VERSIONS[chosen.version],
        chosen.version,
        {"log_statement": "none", "shared_buffers": "512MB", "max_wal_size": "4GB", "autovacuum": "on"},
    )
    try:
        with fresh_database(server) as database:
            asyncio.run(_install(database))
            (directory / "scene").mkdir()
            scene = Scene(database, directory / "scene")
            scene.set_policy(POLICY)
            result = measure(scene, chosen.rows, chosen.jobs)
            seconds = chosen.rows / max(result["seal_rows_per_second_overall"], 1)
            scene.sql.execute("DELETE FROM sealwire.jobs")
            result |= campaign(scene, chosen.rows, chosen.jobs, chosen.kills, chosen.writers, seconds)
            scene.sql.close()
    finally:
        servers.stop(server)
        shutil.rmtree(directory)
    result["load_average"] = os.getloadavg()[1]
    print(json.dumps(result, indent=2))
    return 1 if result["rows_that_differ"] or result["leftovers"] else 0


if __name__ == "__main__":
    sys.exit(main())
