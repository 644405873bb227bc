"""The programs of pgx, lib/pq and pgjdbc with a PgBouncer in transaction mode that follows prepared statements."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.conftest import HERE, POLICY, SECRETS, Harness
from tests.clients.test_go import programs
from tests.clients.test_jdbc import jar
from tests.support.pgbouncer import FOLLOWS_STATEMENTS, PROGRAM, pgbouncer
from tests.support.pooled import Place
from tests.support.servers import LOGINS, Server, fresh_database
from tests.support.stack import running

__all__ = ["jar", "programs"]

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(PROGRAM is None or not FOLLOWS_STATEMENTS, reason="no PgBouncer from 1.21 on is here"),
]


@pytest.fixture(params=["front", "behind"])
def pooled(request: pytest.FixtureRequest, pg18: Server) -> Iterator[tuple[Harness, dict[str, str]]]:
    """And what leads a program to the PgBouncer, where that is in front."""
    place: Place = request.param
    with contextlib.ExitStack() as layers:
        database = layers.enter_context(fresh_database(pg18))
        with database.connect() as owner:
            owner.execute(f'ALTER DATABASE "{database.dbname}" OWNER TO {LOGINS["scram-sha-256"].user}')
        upstream = "127.0.0.1", database.port
        if place == "behind":
            upstream = "127.0.0.1", layers.enter_context(pgbouncer(*upstream, "transaction"))
        stack = layers.enter_context(running(database, POLICY, upstream=upstream))
        port = (
            stack.port if place == "behind" else layers.enter_context(pgbouncer("127.0.0.1", stack.port, "transaction"))
        )
        for secret in SECRETS:
            stack.canary(secret)
        name = request.node.name.split("[")[0]
        yield Harness(stack, tls=False, test=name), {"PGPORT": str(port), "PGHOST": "127.0.0.1", "POOLED": place}


def test_pgx(programs: Path, pooled: tuple[Harness, dict[str, str]]) -> None:
    harness, where = pooled
    harness.run(programs / "pgx", environment=where)
    harness.assert_sealed(people=52)


def test_lib_pq(programs: Path, pooled: tuple[Harness, dict[str, str]]) -> None:
    harness, where = pooled
    options = {"PQ_OPTIONS": "binary_parameters=yes"}  # else Parse and Bind come in two batches
    harness.run(programs / "pq", environment=where | options)
    harness.assert_sealed(people=52)


def test_pgjdbc(jar: Path, pooled: tuple[Harness, dict[str, str]]) -> None:
    harness, where = pooled
    harness.run("java", "-cp", jar, HERE / "java" / "Shop.java", environment=where)
    harness.assert_sealed(people=52)
