"""One proxy process in front of one server, with a tap between them, and writers that keep a ledger."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from proxy.config import Keys
from proxy.crypto import FileProvider, Keyring, make_provider
from tests.server.programs import Program
from tests.support.servers import Database, free_port
from tests.support.stack import LoopThread, install_schema, write_policy
from tests.support.tap import Canary, Tap

POLICY = "public.ledger:\n  email: {type: text, search: equality}\n"
PATIENCE = 30
SECRET = "ledger.canary@mail.example"

# What PostgreSQL and libpq say of a server that ends, is cut off, starts, stops or is full; None: the socket closed.
SAYABLE = {None, "57P01", "57P02", "57P03", "08006", "08001", "08003", "53300", "57014"}


@dataclass(slots=True)
class Rig:
    """`port` is the proxy's; it stays the same when the proxy is started again."""

    database: Database
    directory: Path
    tap: Tap
    thread: LoopThread
    port: int
    program: Program | None = None

    @property
    def dsn(self) -> str:
        name, user = self.database.dbname, self.database.server.user
        return f"host=127.0.0.1 port={self.port} user={user} dbname={name} sslmode=disable connect_timeout={PATIENCE}"

    @property
    def process(self) -> psutil.Process:
        assert self.program is not None
        return psutil.Process(self.program.process.pid)

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        return psycopg.connect(self.dsn, **{"autocommit": True, **options})

    def serve(self) -> Program:
        self.program = Program("-m", "proxy.cli", "serve", "--config", self.directory / "sealwire.yaml")
        self.program.wait_for("listening")
        return self.program

    def backends(self) -> int:
        """Server processes of this database, the one that is asked not counted."""
        with when_not_full(self.database.connect) as direct:
            query = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            row = direct.execute(query).fetchone()
        assert row is not None
        return int(str(row[0]))

    def assert_nothing_is_stuck(self) -> None:
        """Every connection of the proxy comes to its end once its client is gone."""
        deadline = threading.Event()
        threading.Timer(PATIENCE, deadline.set).start()
        while (left := self.backends()) and not deadline.is_set():
            pass
        assert left == 0

    def assert_no_leak(self) -> None:
        assert self.tap.leaks([Canary(SECRET)]) == []

    def search_and_forget(self) -> None:
        """As `assert_no_leak`, of loads that are too large to be kept: all but the end of what went upstream goes."""
        sent = self.tap.sent
        count = len(sent)  # more may come meanwhile
        seen = b"".join(sent[:count])
        assert Canary(SECRET).found_in(seen) == []
        sent[:count] = [seen[-1024:]]

    def assert_serves(self) -> None:
        """The next honest client is served."""
        with when_not_full(self.connect) as connection:
            assert connection.execute("SELECT email FROM ledger WHERE email = 'nobody'").fetchall() == []


def when_not_full(connect: Callable[[], psycopg.Connection[Any]]) -> psycopg.Connection[Any]:
    """A connection; PostgreSQL may still be starting processes for clients that are gone, which it counts among those
    that it allows."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return connect()
        except psycopg.OperationalError as error:
            if "too many clients" not in str(error) or time.monotonic() > deadline:
                raise


def write_config(directory: Path, port: int, upstream: tuple[str, int]) -> Path:
    path = directory / "sealwire.yaml"
    config = {
        "listen": {"host": "127.0.0.1", "port": port, "tls": "disable", "keepalive": 1},
        "upstream": {"host": upstream[0], "port": upstream[1], "tls": "disable", "keepalive": 1},
        "keys": {"keyring": "keyring.json", "provider": "file", "master_key": "master.key"},
        "columns": "columns.yaml",
    }
    path.write_text(json.dumps(config))
    return path


def make_keys(directory: Path) -> None:
    keys = Keys(keyring=directory / "keyring.json", master_key=str(directory / "master.key"))
    FileProvider.create(Path(keys.master_key))
    Keyring.create(keys.keyring, make_provider(keys))


@contextlib.contextmanager
def make_rig(
    database: Database, policy: str, *, upstream: tuple[str, int] | None = None, arrange: bool = True
) -> Iterator[Rig]:
    """`upstream` puts another server behind the proxy than the one of `database`; `arrange` makes the table."""
    directory = Path(tempfile.mkdtemp(prefix="swf-"))
    thread = LoopThread()
    try:
        make_keys(directory)
        write_policy(directory, database.dbname, policy)
        thread.run(install_schema(database.dsn))
        # By TCP: connecting to a Unix socket fails at once when the server's queue is full.
        tap = Tap(directory, upstream or ("127.0.0.1", database.port))
        thread.run(tap.start())
        rig = Rig(database, directory, tap, thread, free_port())
        write_config(directory, rig.port, (str(directory), Tap.port))
        rig.serve()
        try:
            if arrange:
                with rig.connect() as connection:
                    connection.execute("CREATE TABLE ledger (writer int, number int, email text)")
            yield rig
            rig.assert_no_leak()
        finally:
            if rig.program is not None:
                rig.program.end()
            thread.run(tap.stop())
    finally:
        thread.close()
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def proxy_alone(policy: str, upstream: tuple[str, int]) -> Iterator[tuple[Program, int]]:
    """The program and its port, in front of a server that is none of PostgreSQL's."""
    directory, port = Path(tempfile.mkdtemp(prefix="swf-")), free_port()
    try:
        make_keys(directory)
        write_policy(directory, "shop", policy)
        program = Program("-m", "proxy.cli", "serve", "--config", write_config(directory, port, upstream))
        try:
            program.wait_for("listening")
            yield program, port
        finally:
            program.end()
    finally:
        shutil.rmtree(directory)


@dataclass(slots=True)
class Ledger:
    """What the writers know of their rows: (writer, number) -> certain to be there, or certain not to be."""

    committed: set[tuple[int, int]] = field(default_factory=set)
    absent: set[tuple[int, int]] = field(default_factory=set)
    errors: list[psycopg.Error] = field(default_factory=list)

    def assert_kept(self, database: Database) -> None:
        """Held against the server itself."""
        with database.connect() as direct:
            rows = direct.execute("SELECT writer, number, count(*) FROM ledger GROUP BY 1, 2").fetchall()
        counts: Mapping[tuple[object, object], object] = {(row[0], row[1]): row[2] for row in rows}
        assert {key for key, count in counts.items() if count != 1} == set(), "written twice"
        assert self.committed - counts.keys() == set(), "lost"
        assert self.absent & counts.keys() == set(), "written though it had failed"

    def assert_sayable(self) -> None:
        assert {error.sqlstate for error in self.errors} <= SAYABLE, self.errors


class Writers:
    """Threads that write rows one transaction at a time and connect again when they are cut off."""

    def __init__(self, rig: Rig, count: int = 4) -> None:
        self.ledger = Ledger()
        self._rig = rig
        self._lock = threading.Lock()
        self._progress = threading.Condition(self._lock)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(number,), daemon=True) for number in range(count)]

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in self._threads), "a writer is stuck"

    def wait_for(self, more: int) -> None:
        """Until that many further rows are committed."""
        with self._progress:
            wanted = len(self.ledger.committed) + more
            assert self._progress.wait_for(lambda: len(self.ledger.committed) >= wanted, PATIENCE), self.ledger.errors[
                -3:
            ]

    def _write(self, writer: int) -> None:
        number = 0
        while not self._stop.is_set():
            try:
                with contextlib.closing(self._rig.connect(autocommit=False)) as connection:
                    while not self._stop.is_set():
                        number += 1
                        self._transaction(connection, writer, number)
            except psycopg.OperationalError as error:
                with self._lock:
                    self.ledger.errors.append(error)

    def _transaction(self, connection: psycopg.Connection[Any], writer: int, number: int) -> None:
        known = False
        try:
            connection.execute(
                "INSERT INTO ledger VALUES (%s, %s, %s)", (writer, number, f"{writer}.{number}.{SECRET}")
            )
            connection.execute("SELECT count(*) FROM ledger WHERE email = %s", (f"{writer}.{number}.{SECRET}",))
            known = True
            connection.commit()
        except psycopg.Error:
            if not known:
                with self._lock:
                    self.ledger.absent.add((writer, number))
            raise
        with self._progress:
            self.ledger.committed.add((writer, number))
            self._progress.notify_all()


def startup(database: str, user: str = "postgres") -> bytes:
    body = b"user\0" + user.encode() + b"\0database\0" + database.encode() + b"\0\0"
    return (len(body) + 8).to_bytes(4) + (196608).to_bytes(4) + body


def message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + (len(body) + 4).to_bytes(4) + body


def vanish(peer: socket.socket) -> None:
    """Ends the connection without a word: no FIN, no RST, as a machine that has lost its power. Needs CAP_NET_ADMIN."""
    try:
        peer.setsockopt(socket.IPPROTO_TCP, 19, 1)  # TCP_REPAIR
    except PermissionError:
        pytest.skip("only root can let a peer vanish")
    peer.close()


def reset(client: socket.socket) -> None:
    """Ends the connection with RST instead of FIN."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
