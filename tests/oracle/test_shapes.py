"""Every statement of the corpus with other literals: the plan by shape is the plan of a fresh analysis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from proxy.config import DatabasePolicy
from proxy.sql import analyse
from proxy.sql.catalog import Catalog
from proxy.sql.plan import Failure, Statement
from tests.oracle import corpus, loading
from tests.oracle.runner import CORPUS
from tests.sql.shape_variants import PATH, Run, check
from tests.support.oracle import Wire
from tests.support.servers import Server, fresh_database
from tests.support.stack import running

VARIANTS = 6


@pytest.fixture(scope="module")
def run(server: Server) -> Iterator[Run]:
    with fresh_database(server) as database, running(database, loading.shop_policy()) as stack:
        wire = Wire(f"{stack.dsn}?sslmode=disable")
        loading.load_shop(wire)
        wire.values("SELECT 1")
        wire.close()
        snapshot = stack.shared.database(database.dbname).snapshot
        assert snapshot is not None
        yield analysis_over(snapshot.catalog, snapshot.policy)


def analysis_over(catalog: Catalog, policy: DatabasePolicy) -> Run:
    def run(text: str) -> list[Statement | Failure]:
        return analyse(text, catalog=catalog, path=PATH, policy=policy)

    return run


@pytest.mark.parametrize("theme", corpus.themes(CORPUS), ids=lambda theme: theme.path.stem)
def test_the_plan_by_shape_is_that_of_a_fresh_analysis(theme: corpus.Theme, run: Run) -> None:
    found = [check(entry.sql, run, VARIANTS, number) for number, entry in enumerate(theme.entries)]
    assert sum(map(bool, found)) >= len(found) // 12, "hardly any statement came by shape"
