"""The programs of pgx, lib/pq and pgjdbc with a PgBouncer in transaction mode that follows prepared statements."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.conftest import HERE, POLICY, SECRETS, Harness
from tests.clients.test_go import programs
from tests.clients.test_jdbc import jar
from tests.support.pgbouncer import FOLLOWS_STATEMENTS, PROGRAM
from tests.support.pooled import Place, with_pooler
from tests.support.servers import Server

__all__ = ["jar", "programs"]

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(PROGRAM is None or not FOLLOWS_STATEMENTS, reason="no PgBouncer from 1.21 on is here"),
]


@pytest.fixture(params=["front", "behind"])
def pooled(request: pytest.FixtureRequest, pg18: Server) -> Iterator[tuple[Harness, dict[str, str]]]:
    """And what leads a program to the PgBouncer, where that is in front."""
    place: Place = request.param
    with with_pooler(pg18, place, "transaction", POLICY) as made:
        for secret in SECRETS:
            made.stack.canary(secret)
        name = request.node.name.split("[")[0]
        yield (
            Harness(made.stack, tls=False, test=name),
            {"PGPORT": str(made.port), "PGHOST": "127.0.0.1", "POOLED": place},
        )


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
