"""One connection to PostgreSQL 18 for each module of codec tests."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.codecs.oracle import Oracle
from tests.support.servers import Server


@pytest.fixture(scope="module")
def oracle(embedded18: Server) -> Iterator[Oracle]:
    with psycopg.connect(embedded18.dsn(), autocommit=True) as connection:
        yield Oracle(connection)
