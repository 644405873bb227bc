"""Signals, workers and cancel: the proxy's processes, started as a program, in front of a real PostgreSQL."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from proxy.config import Listen
from proxy.errors import ConfigError
from proxy.server import listener
from tests.server.fakes import make_config
from tests.server.programs import PATIENCE, Program
from tests.support.servers import Server

PLAIN = "tests.server.plain_program"
Start = Callable[..., tuple[Program, str]]


@pytest.fixture
def start(tmp_path: Path, embedded18: Server) -> Iterator[Start]:
    """Starts the program in front of PostgreSQL 18; gives it and a connection string through it."""
    started: list[Program] = []

    def start(workers: int = 1, grace: float = 60, listen: str = "127.0.0.1") -> tuple[Program, str]:
        program = Program("-m", PLAIN, tmp_path, listen, embedded18.host, embedded18.port, workers, grace)
        started.append(program)
        ready = program.wait_for("listening")
        assert ready["workers"] == workers
        return program, f"host={ready['host']} port={ready['port']} user={embedded18.user} dbname=postgres"

    yield start
    for program in started:
        program.end()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def run_until_released(
    pool: ThreadPoolExecutor, connection: psycopg.Connection[Any], server: Server
) -> tuple[psycopg.Connection[Any], Future[Any]]:
    """A statement that runs until the first of the returned pair is closed: it waits for an advisory lock."""
    holder = psycopg.connect(server.dsn(), autocommit=True)
    key = connection.info.backend_pid
    holder.execute("SELECT pg_advisory_lock(%s)", (key,))
    running = pool.submit(lambda: connection.execute(f"SELECT pg_advisory_lock_shared({key})::text").fetchall())
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = %s"
    while holder.execute(waiting, (key,)).fetchone() == (0,):
        pass
    return holder, running


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_ends_idle_sessions_and_lets_a_running_statement_finish(
    start: Start, pool: ThreadPoolExecutor, embedded18: Server, workers: int
) -> None:
    program, dsn = start(workers)
    idle = psycopg.connect(dsn, autocommit=True)
    busy = psycopg.connect(dsn, autocommit=True)
    holder, running = run_until_released(pool, busy, embedded18)
    program.signal(signal.SIGTERM)
    program.wait_for("stopping", workers)
    program.wait_for("connection closed")
    assert not running.done()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dsn)
    holder.close()
    assert running.result(PATIENCE) == [("",)]
    assert program.exit_code() == 0
    with pytest.raises(psycopg.OperationalError):
        idle.execute("SELECT 1")
    idle.close()
    busy.close()


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("signals", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT,)])
def test_a_second_sigterm_and_sigint_end_at_once(
    start: Start,
    pool: ThreadPoolExecutor,
    embedded18: Server,
    workers: int,
    signals: tuple[signal.Signals, ...],
) -> None:
    program, dsn = start(workers)
    busy = psycopg.connect(dsn, autocommit=True)
    holder, running = run_until_released(pool, busy, embedded18)
    for number in signals:
        program.signal(number)
        program.wait_for("stopping", workers)
    with pytest.raises(psycopg.OperationalError):
        running.result(PATIENCE)
    assert program.exit_code() == 0
    holder.close()
    busy.close()


def test_after_the_grace_period_running_statements_are_cut(
    start: Start, pool: ThreadPoolExecutor, embedded18: Server
) -> None:
    program, dsn = start(grace=0.1)
    busy = psycopg.connect(dsn, autocommit=True)
    holder, running = run_until_released(pool, busy, embedded18)
    program.signal(signal.SIGTERM)
    with pytest.raises(psycopg.OperationalError):
        running.result(PATIENCE)
    assert program.exit_code() == 0
    holder.close()
    busy.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_sighup_reloads_in_every_process(start: Start, tmp_path: Path, workers: int) -> None:
    program, dsn = start(workers)
    everybody = {program.process.pid, *program.children}
    program.signal(signal.SIGHUP)
    reloads = tmp_path / "reloads"
    seen: set[int] = set()
    for _ in range(200):
        psycopg.connect(dsn).close()
        seen = set(map(int, reloads.read_text().split())) if reloads.exists() else set()
        if seen == everybody:
            break
    assert seen == everybody
    program.signal(signal.SIGTERM)
    assert program.exit_code() == 0


@pytest.mark.parametrize("unix", [False, True])
def test_a_worker_that_dies_is_replaced_and_the_others_go_on(start: Start, tmp_path: Path, unix: bool) -> None:
    program, dsn = start(2, listen=str(tmp_path) if unix else "127.0.0.1")
    first, second = program.children
    os.kill(first, signal.SIGKILL)
    assert program.wait_for("worker died, starting another")["pid"] == first
    for _ in range(20):
        with psycopg.connect(dsn) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    while len(program.children) < 2:
        psycopg.connect(dsn).close()
    assert second in program.children
    program.signal(signal.SIGTERM)
    assert program.exit_code() == 0
    assert not (tmp_path / ".s.PGSQL.6432").exists()


def test_workers_do_not_outlive_their_parent(start: Start) -> None:
    program, dsn = start(2)
    children = program.children
    program.process.kill()
    program.process.wait()
    program.wait_for("stopped", 2)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dsn)
    assert len(children) == 2


def test_when_no_worker_can_start_the_program_ends_with_an_error(tmp_path: Path, embedded18: Server) -> None:
    (tmp_path / "broken").touch()
    program = Program("-m", PLAIN, tmp_path, "127.0.0.1", embedded18.host, embedded18.port, 2, 1)
    try:
        program.wait_for("a worker could not start")
        assert program.exit_code() == 1
    finally:
        program.end()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_cancel_request_finds_its_statement_whichever_worker_takes_it(
    start: Start, pool: ThreadPoolExecutor, embedded18: Server, workers: int
) -> None:
    _, dsn = start(workers)
    with psycopg.connect(dsn, autocommit=True) as connection:
        for _ in range(6):
            holder, running = run_until_released(pool, connection, embedded18)
            connection.cancel_safe(timeout=PATIENCE)
            with pytest.raises(psycopg.errors.QueryCanceled):
                running.result(PATIENCE)
            holder.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_what_lives_as_long_as_the_process_is_not_collected(start: Start, tmp_path: Path, workers: int) -> None:
    start(workers)
    frozen = (tmp_path / "frozen").read_text().split()
    assert len(frozen) == workers
    assert min(map(int, frozen)) > 10_000, "the objects of all modules"


def test_no_core_file_can_be_written(start: Start) -> None:
    program, _ = start(2)
    for pid in (program.process.pid, *program.children):
        (line,) = [
            x for x in Path(f"/proc/{pid}/limits").read_text().splitlines() if x.startswith("Max core file size")
        ]
        assert line.split()[4:6] == ["0", "0"]


def test_an_address_that_is_taken_is_one_clear_error(config_file: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = make_config(config_file, Listen(port=taken.getsockname()[1]))
        for shared in (False, True):
            with pytest.raises(ConfigError, match=r"listen\.port: cannot listen on 127\.0\.0\.1 port \d+: Address al"):
                listener.bind(config, shared_port=shared)
    config = make_config(config_file, Listen(str(tmp_path)))
    (first,) = listener.bind(config)
    first.listen()
    with pytest.raises(ConfigError, match=r"listen\.port: cannot listen .*another process is listening"):
        listener.bind(config)
    first.close()
    (second,) = listener.bind(config)
    listener.release([second])
    with pytest.raises(ConfigError, match=r"listen\.host: nowhere\.invalid"):
        listener.bind(make_config(config_file, Listen("nowhere.invalid")))
