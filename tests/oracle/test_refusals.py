"""Every refusal of the corpus reads like an error of PostgreSQL and names a way out that is true."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.oracle import corpus, rig
from tests.oracle.corpus import Entry, Theme
from tests.oracle.rig import Rig
from tests.oracle.runner import CORPUS, copied
from tests.support.oracle import Result
from tests.support.servers import Server

pytestmark = pytest.mark.oracle

TYPES_OWN = frozenset({"22001", "22003", "22007", "22008", "22023", "22P02"})
# PostgreSQL gives no place either: it is the whole statement, a text inside it, or names that stand nowhere.
WHOLE = re.compile(r"(ALTER|CREATE|COPY|DO|EXECUTE)\b|.*(NATURAL JOIN|USING \()", re.DOTALL)
NOWHERE = ("is before pg_catalog on the search_path", "does not have the form of its type")
"""A setting; a value, which is looked at when the statement is sent."""


@pytest.fixture(scope="module")
def shop(pg18: Server) -> Iterator[Rig]:
    with rig.shop(pg18) as filled:
        yield filled
        filled.stack.canaries.clear()


def _refused(theme: Theme, filled: Rig) -> Iterator[tuple[Entry, Result | None]]:
    """The statements that are tagged as refused, each sent once through the proxy, with its error."""
    wire = filled.pair.sealed
    for script in theme.scripts().values():
        wire.renew()
        if theme.stateful:
            filled.pair.make_scratch()
        for entry in script:
            if entry.expected != "refused" and not theme.stateful:
                continue
            data = copied(filled.pair.converter, entry) or entry.copy_in.encode()
            answer = wire.parameters(entry.sql, entry.given) if entry.given else wire.simple(entry.sql, data)
            if entry.expected == "refused":
                yield entry, answer.error


@pytest.mark.parametrize("theme", corpus.themes(CORPUS), ids=lambda theme: theme.path.stem)
def test_a_refusal_names_what_is_refused_where_it_stands_and_what_to_do(theme: Theme, shop: Rig) -> None:
    bad = []
    for entry, error in _refused(theme, shop):
        if error is None:
            bad.append(f"not refused: {entry.sql}")
            continue
        named = re.search(r'"[^"]+"|\w+\(\)|COPY with \w+', error.message)
        place = error.position
        may_be_anywhere = WHOLE.match(entry.sql) or any(words in error.message for words in NOWHERE)
        problems = [
            error.sqlstate != "0A000" and error.sqlstate not in TYPES_OWN and f"SQLSTATE {error.sqlstate}",
            not named and "names nothing",
            not error.hint and "no way out",
            place is None and not may_be_anywhere and "no position",
            place is not None and not 1 <= place <= len(entry.sql) and f"position {place} is outside",
        ]
        bad += [f"{problem}: {entry.sql}\n    {error.message}\n    {error.hint}" for problem in problems if problem]
    assert not bad, "\n".join(bad)
