"""PgBouncer for the tests: Debian's program, or the one that SEALWIRE_TEST_PGBOUNCER names, in front of any server or
proxy, with one pool mode."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import psycopg

from tests.support.servers import LOGINS, free_port

PROGRAM = os.environ.get("SEALWIRE_TEST_PGBOUNCER") or shutil.which(
    "pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin"
)
VERSION: tuple[int, ...] = (0,)
if PROGRAM is not None:
    _said = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True).stdout
    VERSION = tuple(int(part) for part in _said.split()[1].split("."))
FOLLOWS_STATEMENTS = VERSION >= (1, 21)
"""It carries named statements of the protocol from one server process to another (`max_prepared_statements`)."""
PoolMode = Literal["session", "transaction"]


@contextlib.contextmanager
def pgbouncer(
    host: str, port: int, mode: PoolMode, *, pool_size: int = 2, more: Mapping[str, object] | None = None
) -> Iterator[int]:
    """Pools connections to `host`:`port`, any database, for the SCRAM login; gives its own port on 127.0.0.1.

    Server connections are taken in turn, so that with `pool_size` of at least 2 a session that runs one transaction
    after the other meets another server process each time. `more` are settings of pgbouncer.ini.
    """
    assert PROGRAM is not None
    login = LOGINS["scram-sha-256"]
    directory = Path(tempfile.mkdtemp(prefix="swb-"))
    own_port = free_port()
    (directory / "users.txt").write_text(f'"{login.user}" "{login.password}"\n')
    settings: dict[str, object] = {
        "listen_addr": "127.0.0.1",
        "listen_port": own_port,
        "unix_socket_dir": directory,
        "auth_type": "scram-sha-256",
        "auth_file": directory / "users.txt",
        "pool_mode": mode,
        "default_pool_size": pool_size,
        "max_client_conn": 100,
        "server_round_robin": 1,
        "ignore_startup_parameters": "extra_float_digits,search_path",
        "logfile": directory / "log",
    }
    if FOLLOWS_STATEMENTS:
        settings["max_prepared_statements"] = 200  # the default from 1.24 on
    settings |= more or {}
    lines = ["[databases]", f"* = host={host} port={port}", "[pgbouncer]"]
    lines += [f"{name} = {value}" for name, value in settings.items()]
    (directory / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
    command = [PROGRAM, "-q", str(directory / "pgbouncer.ini")]
    if os.geteuid() == 0:
        for path in (directory, *directory.iterdir()):
            shutil.chown(path, "nobody")
        command[1:1] = ["-u", "nobody"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_until_it_listens(process, own_port, directory / "log")
        yield own_port
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(directory)


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Until it answers; what it answers to a login that it does not know is enough."""
    for _ in range(2000):
        try:
            psycopg.connect(f"host=127.0.0.1 port={port} user=nobody dbname=nothing", connect_timeout=10).close()
        except psycopg.OperationalError as error:
            if "refused" not in str(error) or process.poll() is not None:
                break
    assert process.poll() is None, log.read_text() if log.exists() else "pgbouncer did not start"
