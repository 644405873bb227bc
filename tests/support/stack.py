"""Everything between an application and its database, for one test: database <- tap <- proxy.

The proxy runs in a thread of its own with its own event loop, so that blocking drivers can be tested as well. When the
stack closes, the tap is searched for every canary that the test declared; a hit fails the test.
"""

from __future__ import annotations

import asyncio
import contextlib
import selectors
import shutil
import tempfile
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from proxy.config import Auth, Config, Keys, Limits, Listen, Upstream, load_policy
from proxy.crypto import FileProvider, Keyring, make_provider
from proxy.ops.database import connect
from proxy.ops.schema import install
from proxy.server.main import Proxy
from proxy.session.shared import Shared
from tests.support.servers import Database
from tests.support.tap import Canary, Tap

T = TypeVar("T")


class LoopThread:
    """An event loop in a thread; `run` hands it a coroutine and waits."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.loop: asyncio.AbstractEventLoop = asyncio.SelectorEventLoop(self._selector)
        self._thread = threading.Thread(target=self.loop.run_forever, name="stack", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], timeout: float = 30) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout)

    def close(self) -> None:
        self.run(self._take_leave())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()

    async def _take_leave(self) -> None:
        """TLS closes when the peer has answered its farewell: a log-in that was refused has not waited for that."""
        deadline = self.loop.time() + 1
        while len(self._selector.get_map()) > 1 and self.loop.time() < deadline:  # one is the loop's own
            await asyncio.sleep(0)


@dataclass(slots=True)
class Stack:
    """One database, reached directly or through the proxy."""

    database: Database
    directory: Path
    tap: Tap
    proxy: Proxy
    shared: Shared
    keyring: Keyring
    thread: LoopThread
    canaries: list[Canary] = field(default_factory=list)

    @property
    def host(self) -> str:
        return "127.0.0.1"

    @property
    def port(self) -> int:
        return self.proxy.port

    @property
    def dsn(self) -> str:
        """URI of the database as the application reaches it: through the proxy."""
        return f"postgresql://{self.database.server.user}@{self.host}:{self.port}/{self.database.dbname}"

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        """psycopg through the proxy, autocommit unless told otherwise."""
        return psycopg.connect(self.dsn, **{"autocommit": True, "sslmode": "disable", **options})

    def direct(self) -> psycopg.Connection[Any]:
        return self.database.connect()

    def canary(self, text: str, *binary: bytes) -> str:
        """Declares `text` a secret of this test and returns it."""
        self.canaries.append(Canary(text, binary))
        return text

    def set_policy(self, yaml: str) -> None:
        self.shared.replace_policy(load_policy(write_policy(self.directory, self.database.dbname, yaml)))

    def assert_no_leak(self) -> None:
        assert self.tap.leaks(self.canaries) == []


async def install_schema(dsn: str) -> None:
    async with connect(dsn) as connection:
        await install(connection)


def write_policy(directory: Path, dbname: str, tables: str) -> Path:
    """columns.yaml with the given `schema.table:` entries for one database."""
    path = directory / "columns.yaml"
    body = "".join(f"  {line}\n" if line.strip() else "\n" for line in tables.splitlines())
    path.write_text(f"{dbname}:\n{body}" if tables.strip() else "")
    return path


@contextlib.contextmanager
def running(
    database: Database,
    tables: str,
    *,
    upstream: tuple[str, int] | None = None,
    listen: Listen | None = None,
    limits: Limits | None = None,
    auth: Auth | None = None,
) -> Iterator[Stack]:
    """A stack over `database` whose policy is `tables` (YAML of `schema.table:` entries), keys and schema installed.
    `upstream` puts another server behind the proxy than the one that holds `database`; `listen` is for TLS."""
    directory = Path(tempfile.mkdtemp(prefix="sw-"))
    thread = LoopThread()
    try:
        keys = Keys(keyring=directory / "keyring.json", master_key=str(directory / "master.key"))
        FileProvider.create(Path(keys.master_key))
        provider = make_provider(keys)
        keyring = Keyring.create(keys.keyring, provider)
        thread.run(install_schema(database.dsn))
        tap = Tap(directory, upstream or (database.host, database.port))
        thread.run(tap.start())
        policy = write_policy(directory, database.dbname, tables)
        config = Config(
            path=directory / "sealwire.yaml",
            listen=listen or Listen(host="127.0.0.1", port=0),
            upstream=Upstream(host=str(directory), port=Tap.port, tls="disable"),
            keys=keys,
            columns=policy,
            limits=limits or Limits(),
            auth=auth or Auth(),
        )
        shared = Shared(load_policy(policy), keyring)
        proxy = Proxy(config, shared)
        thread.run(proxy.start())
        try:
            stack = Stack(database, directory, tap, proxy, shared, keyring, thread)
            yield stack
            stack.assert_no_leak()
        finally:
            thread.run(proxy.shutdown(0))
            thread.run(tap.stop())
    finally:
        thread.close()
        shutil.rmtree(directory, ignore_errors=True)
