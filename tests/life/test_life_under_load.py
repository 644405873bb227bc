"""Sealing while others write, and with the command killed: nothing is lost, nothing is left plain."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from proxy.ops.life.fill import Progress, Settings, Stopped
from proxy.ops.life.recipe import Operation
from tests.life.conftest import Scene
from tests.life.ledger_writers import Ledger, ProxiedWriter, Values, Writer, differing

ROOT = Path(__file__).parents[2]
POLICY = "public.t: {v: {type: text, search: equality}}"
WRITERS = 2


def first_value(row: int) -> str | None:
    return None if row % 10 == 0 else "" if row % 10 == 1 else f"row {row}"


def fill(scene: Scene, rows: int) -> None:
    scene.set_policy(POLICY)
    scene.sql.execute("CREATE TABLE t (id integer PRIMARY KEY, v text, n integer NOT NULL DEFAULT 0)")
    scene.sql.execute(
        "INSERT INTO t (id, v) SELECT i, CASE i % 10 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'row ' || i END"
        f" FROM generate_series(1, {rows}) i"
    )


def start_writers(
    scene: Scene, rows: int, *, through: str | None = None, count: int = WRITERS, initial: Values = first_value
) -> list[Writer]:
    """Every other one, from the first, goes through the proxy where `through` leads to one."""
    sealer = scene.keyring.sealer(scene.column("public.t.v"))
    writers: list[Writer] = []
    for number in range(count):
        ledger = Ledger(number, count, rows, initial)
        if number % 2 == 0 and through is not None:
            writers.append(ProxiedWriter(through, number, ledger))
        else:
            writers.append(Writer(scene.database.dsn, number, ledger, sealer.seal, sealer.open))
        writers[-1].start()
    return writers


def stop_writers(writers: list[Writer]) -> list[Ledger]:
    for writer in writers:
        writer.stop()
    return [writer.ledger for writer in writers]


def stored(scene: Scene) -> dict[int, str | None]:
    return {row: None if value is None else value.decode() for row, value in scene.opened("public.t.v").items()}


async def test_every_row_is_what_the_writers_wrote_last(shop: Scene) -> None:
    fill(shop, 6_000)
    writers = start_writers(shop, 6_000)
    await shop.seal("public.t.v", settings=Settings(shop.database.dsn, batch=200, jobs=2))
    enough = threading.Event()
    while not all(writer.sealed for writer in writers):
        enough.wait(0.01)
        assert all(writer.is_alive() for writer in writers), [writer.error for writer in writers]
    assert differing(stop_writers(writers), stored(shop).items()) == 0
    assert min(writer.reads for writer in writers) > 10
    assert sum(writer.writes for writer in writers) > 20
    assert max(writer.longest for writer in writers) < 5
    assert shop.leftovers() == []
    assert await shop.seal("public.t.v") is None


@contextlib.contextmanager
def proxied(scene: Scene) -> Iterator[str]:
    """`sealwire serve` over the scene's files, the column pending; gives the URI of the database behind it."""
    server = scene.database.server
    folder = scene.folder / "proxy"
    folder.mkdir()
    (folder / "columns.yaml").write_text(f'"*":\n  {POLICY.replace("equality", "equality, pending: true")}\n')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "sealwire.yaml").write_text(
        f"listen: {{host: 127.0.0.1, port: {port}, tls: disable}}\n"
        f"upstream: {{host: {scene.database.host}, port: {scene.database.port}, tls: disable}}\n"
        f"keys: {{keyring: {scene.config.keys.keyring}, master_key: {scene.config.keys.master_key}}}\n"
        "columns: columns.yaml\n"
    )
    line = [sys.executable, "-m", "proxy.cli", "serve", "--config", str(folder / "sealwire.yaml")]
    with subprocess.Popen(
        line, stderr=subprocess.PIPE, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}
    ) as process:
        assert process.stderr is not None
        for log in process.stderr:
            if b"listening" in log:
                break
        threading.Thread(target=process.stderr.read, daemon=True).start()
        try:
            yield f"postgresql://{server.user}@127.0.0.1:{port}/{scene.database.dbname}?sslmode=disable"
        finally:
            process.send_signal(signal.SIGINT)


def command(scene: Scene, *arguments: str) -> subprocess.Popen[bytes]:
    line = [sys.executable, "-m", "proxy.cli", *arguments, "--config", str(scene.config_path)]
    environment = os.environ | {"SEALWIRE_DSN": scene.database.dsn, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)


def test_a_command_that_is_killed_again_and_again_ends_well(shop: Scene) -> None:
    fill(shop, 4_000)
    with proxied(shop) as through:
        kill_and_finish(shop, start_writers(shop, 4_000, through=through))


def kill_and_finish(shop: Scene, writers: list[Writer]) -> None:
    seal = ("seal", shop.database.dbname, "public.t.v", "--batch", "100", "--json", "--jobs", "1")
    for phase in ("fill", "build index"):
        process = command(shop, *seal, "--max-rate", "3000")
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event.get("phase", "").startswith(phase):
                break
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert shop.value("SELECT phase FROM sealwire.jobs") == "fill"
    process = command(shop, *seal)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert json.loads(out.splitlines()[-1])["event"] == "done"
    enough = threading.Event()
    while not writers[1].sealed:
        enough.wait(0.01)
        assert all(writer.is_alive() for writer in writers), [writer.error for writer in writers]
    assert differing(stop_writers(writers), stored(shop).items()) == 0
    assert isinstance(writers[0], ProxiedWriter)
    assert min(writers[0].reads, writers[0].writes) > 10
    assert shop.leftovers() == []


def test_an_interrupted_command_says_so_and_goes_on(shop: Scene) -> None:
    fill(shop, 1_500)
    seal = ("seal", shop.database.dbname, "public.t.v", "--batch", "50", "--json", "--jobs", "1")
    process = command(shop, *seal, "--max-rate", "1000")
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line).get("phase") == "fill":
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err.decode().count("\n")) == (130, 1), err
    assert "goes on" in err.decode()
    again = command(shop, *seal)
    again.communicate(timeout=60)
    assert again.returncode == 0
    assert len(stored(shop)) == 1_500


async def test_a_job_can_be_given_up_before_its_swap_and_only_gone_on_with_under_its_own_terms(shop: Scene) -> None:
    fill(shop, 500)

    def stop_soon(_: Progress) -> None:
        settings.stop.set()

    settings = Settings(shop.database.dsn, batch=50, report=stop_soon)
    with pytest.raises(Stopped):
        await shop.seal("public.t.v", settings=settings)
    oid = shop.value("SELECT 't'::regclass::oid")
    assert shop.value(f"SELECT count(sealwire_shadow_{oid}_2) FROM t") > 0
    assert (await shop.plan(Operation.SEAL, "public.t.v")).phase == "fill"
    shop.set_policy(POLICY.replace("equality", "none"))
    with pytest.raises(Exception, match="was begun with type text, search equality"):
        await shop.seal("public.t.v")
    assert await shop.abort(Operation.SEAL, "public.t.v")
    assert shop.leftovers() == []
    assert shop.value("SELECT count(v) FROM t") == 450
    await shop.seal("public.t.v")
    assert len(stored(shop)) == 500


async def test_rows_that_somebody_holds_are_waited_for_without_keeping_others_waiting(shop: Scene) -> None:
    fill(shop, 3_001)
    oid = shop.value("SELECT 't'::regclass::oid")
    seen = set()
    with psycopg.connect(shop.database.dsn) as holder:

        def report(progress: Progress) -> None:
            if progress.phase == "fill" and "fill" not in seen:
                holder.execute("UPDATE t SET v = 'held' WHERE id = 2999")
            if progress.phase.startswith("build") and holder.info.transaction_status:
                left = shop.rows(f"SELECT id FROM t WHERE v IS NOT NULL AND sealwire_shadow_{oid}_2 IS NULL")
                assert left == [(2999,)]
                holder.commit()
            seen.add(progress.phase.split()[0])

        await shop.seal("public.t.v", settings=Settings(shop.database.dsn, batch=100, report=report))
    assert stored(shop)[2999] == "held"
    assert {"fill", "build", "swap"} <= seen


async def test_a_table_or_a_ledger_that_somebody_locks_for_a_while_stops_no_job(shop: Scene) -> None:
    fill(shop, 2_000)
    shop.sql.execute("ANALYZE t")
    seen: list[str] = []
    with psycopg.connect(shop.database.dsn) as holder:

        def report(progress: Progress) -> None:
            seen.append(progress.phase)
            if seen == ["fill"]:
                holder.execute("UPDATE t SET n = n + 1 WHERE id <= 300")
                holder.execute("LOCK TABLE t, sealwire.jobs IN ACCESS EXCLUSIVE MODE")
            elif len(seen) == 4:
                holder.rollback()

        await shop.seal("public.t.v", settings=Settings(shop.database.dsn, batch=100, report=report))
    assert len(seen) > 4
    assert len(stored(shop)) == 2_000
    assert shop.leftovers() == []


async def test_a_long_transaction_keeps_the_swap_waiting_but_not_the_writers(shop: Scene) -> None:
    fill(shop, 300)
    waited = []
    with psycopg.connect(shop.database.dsn) as reader:

        def report(progress: Progress) -> None:
            if progress.phase == "swap":
                reader.execute("SELECT count(*) FROM t")
            if progress.phase == "wait for lock":
                shop.sql.execute("SET statement_timeout = '1s'; UPDATE t SET v = 'meanwhile' WHERE id = 8")
                waited.append(progress)
                if len(waited) == 2:
                    reader.commit()

        await shop.seal("public.t.v", settings=Settings(shop.database.dsn, batch=100, report=report))
    assert len(waited) >= 2
    assert stored(shop)[8] == "meanwhile"


async def test_the_tables_own_triggers_do_not_fire_for_the_job(shop: Scene) -> None:
    fill(shop, 200)
    shop.sql.execute(
        "CREATE TABLE log (id integer); CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO log VALUES (NEW.id); RETURN NEW; END';"
        "CREATE TRIGGER noted BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION note()"
    )
    await shop.seal("public.t.v")
    assert shop.value("SELECT count(*) FROM log") == 0
    await shop.unseal("public.t.v", fire_triggers=True)
    assert shop.value("SELECT count(*) FROM log") == 180
