"""The corpora on both databases: every statement gives PostgreSQL's answer, or a refusal with a hint.

A statement that should run and is refused is a gap: listed in gaps.txt, which must hold exactly the gaps there are.
`python -m tests.oracle.report` writes docs/sql-support.md and gaps.txt anew.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.oracle import chinook, corpus, report, rig
from tests.oracle.corpus import Theme
from tests.oracle.rig import Rig
from tests.oracle.runner import CORPUS, summarize
from tests.support.servers import Server

pytestmark = pytest.mark.oracle


@pytest.fixture(scope="module")
def shop(server: Server) -> Iterator[Rig]:
    with rig.shop(server) as filled:
        yield filled


@pytest.fixture(scope="module")
def music(server: Server) -> Iterator[Rig]:
    with rig.chinook_rig(server) as filled:
        yield filled


def _hold(theme: Theme, filled: Rig) -> None:
    findings = filled.run(theme)
    summary = summarize(theme, findings)
    assert not summary, str(summary)
    assert filled.leaks() == []
    if filled.server.version >= 18:
        assert report.section(theme, findings) in report.PAGE.read_text(), "docs/sql-support.md is stale"


@pytest.mark.parametrize("theme", corpus.themes(CORPUS), ids=lambda theme: theme.path.stem)
def test_the_shop_answers_as_postgresql_does(theme: Theme, shop: Rig) -> None:
    _hold(theme, shop)


@pytest.mark.skipif(chinook.directory() is None, reason="Chinook is not beside this checkout")
@pytest.mark.parametrize("theme", corpus.themes(chinook.CORPUS), ids=lambda theme: theme.path.stem)
def test_chinook_answers_as_postgresql_does(theme: Theme, music: Rig) -> None:
    _hold(theme, music)
