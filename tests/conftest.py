"""Fixtures: PostgreSQL servers and fresh databases; hypothesis settings. See tests/support/servers.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.support import servers
from tests.support.servers import Database, Server

# On a loaded machine an example may take long; that says nothing about the code.
hypothesis.settings.register_profile("shared machine", deadline=None)
hypothesis.settings.load_profile("shared machine")


@pytest.fixture(scope="session")
def shared_root(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A directory that all pytest-xdist workers of this run see."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


@pytest.fixture(scope="session")
def embedded18(shared_root: Path) -> Iterator[Server]:
    """The embedded PostgreSQL 18, whatever SEALWIRE_TEST_DSN says."""
    with servers.shared_server(shared_root, 18) as server:
        yield server


@pytest.fixture(scope="session")
def embedded16(shared_root: Path) -> Iterator[Server]:
    with servers.shared_server(shared_root, 16) as server:
        yield server


@pytest.fixture(scope="session")
def pg18(request: pytest.FixtureRequest) -> Server:
    """PostgreSQL 18, or the server of SEALWIRE_TEST_DSN."""
    return _external_or(request, "embedded18")


@pytest.fixture(scope="session")
def pg16(request: pytest.FixtureRequest) -> Server:
    """PostgreSQL 16, or the server of SEALWIRE_TEST_DSN."""
    return _external_or(request, "embedded16")


@pytest.fixture(scope="session", params=["pg18"] if servers.TEST_DSN else ["pg18", "pg16"])
def server(request: pytest.FixtureRequest) -> Server:
    """Each server in turn."""
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    """A fresh, empty database on `server`."""
    with servers.fresh_database(server) as fresh:
        yield fresh


def _external_or(request: pytest.FixtureRequest, embedded: str) -> Server:
    if servers.TEST_DSN:
        return servers.external_server(servers.TEST_DSN)
    found: Server = request.getfixturevalue(embedded)
    return found
