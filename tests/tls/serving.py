"""The proxy as a program with TLS on both legs, whose files the tests replace while it serves."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import ssl
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
import yaml

from proxy.crypto import FileProvider, Keyring
from tests.server.certificates import Pair
from tests.server.programs import PATIENCE, Program
from tests.support.servers import free_port
from tests.tls.conftest import LOGIN, LOOKUP, World

RELOADED = "certificates reloaded"
NOT_RELOADED = "certificates not reloaded, the old ones stay"


@dataclass(frozen=True)
class Served:
    """`sealwire serve` before the server of `world`, its files in `directory`."""

    world: World
    program: Program
    directory: Path
    port: int
    workers: int
    dbname: str
    _heard: Counter[str] = field(default_factory=Counter)

    @property
    def processes(self) -> int:
        """How many read the files on SIGHUP: one, or the workers and their parent."""
        return 1 if self.workers == 1 else self.workers + 1

    @property
    def columns(self) -> Path:
        return self.directory / "columns.yaml"

    def install(self, pair: Pair) -> None:
        """What the proxy shows to its clients from the next SIGHUP on."""
        (self.directory / "listen.crt").write_bytes(pair.cert.read_bytes())
        (self.directory / "listen.key").write_bytes(pair.key.read_bytes())

    def reload(self, event: str = RELOADED) -> dict[str, Any]:
        """SIGHUP; the log's last entry when all processes have logged `event`."""
        self._heard[event] += self.processes
        self.program.signal(signal.SIGHUP)
        return self.program.wait_for(event, self._heard[event])

    def options(self, **more: Any) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": self.port, "dbname": self.dbname, "user": LOGIN.user,
                "password": LOGIN.password, "sslmode": "verify-full", "sslrootcert": str(self.world.authority.ca),
                "channel_binding": "require", **more}  # fmt: skip

    def connect(self, **more: Any) -> psycopg.Connection[Any]:
        return psycopg.connect(**self.options(**more), autocommit=True)

    def shown(self, times: int = 12) -> set[bytes]:
        """The certificates that so many new connections see, as DER: enough of them to meet every worker."""
        where = ("127.0.0.1", self.port)
        return {ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(where, timeout=PATIENCE)) for _ in range(times)}

    def replace_workers(self) -> None:
        """Kill all workers, and wait until those that the parent starts in their place listen."""
        before = self.program.children
        assert len(before) == self.workers > 1
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while len(found := set(self.program.children) - set(before)) < self.workers or not all(map(_listens, found)):
            assert time.monotonic() < deadline, "".join(self.program.output[-5:])


def _listens(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return any(one.status == psutil.CONN_LISTEN for one in psutil.Process(pid).net_connections("tcp"))
    return False


def certificate(pair: Pair) -> bytes:
    """As DER."""
    return ssl.PEM_cert_to_DER_cert(pair.cert.read_text())


@contextlib.contextmanager
def serving(world: World, workers: int, *, dbname: str = "postgres", columns: str = "") -> Iterator[Served]:
    """The program, with `columns` as its columns.yaml; it looks verifiers up with a password from a file."""
    directory = Path(tempfile.mkdtemp(prefix="swt-"))
    try:
        port = free_port()
        Keyring.create(directory / "keyring.json", FileProvider.create(directory / "master.key"))
        (directory / "ca.crt").write_bytes(world.authority.ca.read_bytes())
        (directory / "columns.yaml").write_text(columns)
        secret = directory / "auth.password"
        secret.touch(mode=0o600)
        secret.write_text(f"{LOOKUP.password}\n")
        config = {
            "listen": {"port": port, "tls": "require", "cert": "listen.crt", "key": "listen.key"},
            "upstream": {"host": "127.0.0.1", "port": world.server.port, "tls": "verify-full", "ca": "ca.crt"},
            "auth": {"mode": "scram", "user": LOOKUP.user, "password_file": secret.name, "query": LOOKUP.query},
            "workers": workers,
        }
        (directory / "sealwire.yaml").write_text(yaml.safe_dump(config))
        (directory / "listen.crt").write_bytes(world.proxy_pair.cert.read_bytes())
        (directory / "listen.key").write_bytes(world.proxy_pair.key.read_bytes())
        program = Program("-m", "proxy.cli", "serve", "--config", directory / "sealwire.yaml")
        try:
            assert program.wait_for("listening")["workers"] == workers
            yield Served(world, program, directory, port, workers, dbname)
        finally:
            program.end()
    finally:
        shutil.rmtree(directory)
