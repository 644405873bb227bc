"""The cache by shape: literals are cut where PostgreSQL's scanner sees them, and only what nobody reads may differ."""

from __future__ import annotations

import gc
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pglast.error import Error
from pglast.parser import scan

from proxy.errors import Refused
from proxy.session import plans
from proxy.session.plans import Analysis, Plans
from proxy.sql import analyse
from proxy.sql.catalog import SearchPath
from proxy.sql.literals import cut, joined
from proxy.sql.plan import Failure, Plan, Statement
from proxy.sql.shape import fixed_tokens, shape_of
from tests.sql.query_catalog import CATALOG, POLICY
from tests.sql.shape_variants import KINDS, PATH, check

STATEMENTS = [
    line
    for line in (Path(__file__).parent / "queries" / "statements.sql").read_text().splitlines()
    if line and not line.startswith("--")
]
_SCANNED = {"SCONST": "\x01", "ICONST": "\x02", "FCONST": "\x03\x04\x05"}


def run(text: str) -> list[Statement | Failure]:
    return analyse(text, catalog=CATALOG, path=PATH, policy=POLICY)


# -- cutting -----------------------------------------------------------------------------------------------------------

_WORDS = r"""'a' 'it''s' '' E'a\'b' e'x' U&'d\0061' N'x' B'01' x'1F' "q'q" "a""b" U&"d" $$it's$$ $t$'$t$ $1 /*'*/ ' " \
    1 17 007 1.5 .5 1. 1e5 1E-5 0x1F 1_000 2147483647 2147483648 9223372036854775808 a1 t_2 é 1a a.b a.1 :: = - +
    -- /* */ || <> ( ) , ; select from where & U& $ 99999999999999999999""".split()
PIECES = st.sampled_from([*_WORDS, "-- '\n", "/* /* */ ' */", "\n", "\t", "\x01", "\x05"])


@settings(max_examples=500)
@given(st.lists(st.tuples(PIECES, st.sampled_from(["", " ", "\n"])), max_size=12))
def test_what_is_cut_is_what_the_scanner_sees(pieces: list[tuple[str, str]]) -> None:
    text = "".join(piece + gap for piece, gap in pieces)
    given = cut(text)
    if given is None:
        return
    assert joined(*given) == text
    try:
        tokens = scan(text)
    except Error:
        return  # no statement at all, so no shape is ever drawn of it
    seen = {(text[t.start : t.end + 1], t.start): t.name for t in tokens}
    at, left = 0, iter(given.tokens)
    for character in given.shape:
        if character in KINDS:
            token = next(left)
            assert character in _SCANNED[seen.pop((token, at))]
            at += len(token)
        else:
            at += 1
    assert not [name for name in seen.values() if name in ("SCONST", "USCONST", "BCONST", "XCONST", "PARAM")]


@pytest.mark.parametrize(
    "text",
    [
        *("select E'a'", "select 'a' -- b", "select /* 'a' */ 1", "select $$a$$, 1", "select 'a' = $1", "select n'a'"),
        *("select 'a'\n'b'", "select U&'a'", "select 2147483648", "select 007", "select 'a", "select 'a\0'"),
        *('select "a\'b", 1', "select 1e-5, 1"),
    ],
)
def test_what_is_not_certain_is_not_cut(text: str) -> None:
    assert cut(text) is None


def test_the_type_of_a_number_is_part_of_the_shape() -> None:
    shapes = {(cut(f"select {number}") or ("",))[0] for number in ("1", "3000000000", "10000000000000000000", "1.0")}
    assert len(shapes) == 4
    assert cut("select 1, 'a'") == cut("select 2, 'b'")._replace(tokens=("1", "'a'"))  # type: ignore[union-attr]


# -- plans -------------------------------------------------------------------------------------------------------------


def test_every_statement_with_other_literals_has_the_plan_of_a_fresh_analysis() -> None:
    by_shape = [check(statement, run, 5, number) for number, statement in enumerate(STATEMENTS)]
    assert sum(map(bool, by_shape)) > 150


TEMPLATES = [
    "select id, email from customers where email = {0} and id > {1} limit {1}",
    "insert into customers (id, email, points, notes) values ({1}, {0}, {1}, {0}), (-{1}, {0}, -{1}, null)",
    "update customers set email = {0}, points = - {1} where phone in ({0}, {0}) and name <> {0} returning *",
    "select coalesce(email, {0}), case when id = {1} then {0} else email end from customers where nick >= {0}::text",
    "select nick from customers where nick like {0} or name like {0} order by {1}",
    "select nick from customers where nick ~~ {0} and not nick operator(pg_catalog.~~) {0}",
    "select lower({0}), email from customers where email = any({0}) or points between {1} and {1}",
    "with v (e, i) as (values ({0}, {1})) select email from customers join v on email = v.e and id = v.i",
    "select set_config({0}, {0}, false), query_to_xml({0}, true, true, '')",
    "select {0}::varchar(3), email from customers where born = date {0} and balance < {1}.5",
    "delete from customers where email = {0} and exists (select {0} from orders where total > {1} offset {1})",
]
LITERALS = st.tuples(
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12),
    st.integers(0, 2**64) | st.integers(0, 12),
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(TEMPLATES), st.lists(LITERALS, min_size=3, max_size=6))
def test_any_literal_comes_to_what_a_fresh_analysis_makes_of_it(template: str, literals: list[tuple[str, int]]) -> None:
    kept = Plans(lambda text, _types, _path: tuple(run(text)))
    for text, number in literals:
        statement = template.format("'" + text.replace("'", "''") + "'", number)
        assert kept.plan(statement, (), PATH) == tuple(run(statement))


@pytest.mark.parametrize(
    ("template", "harmless", "harmful"),
    [
        ("select query_to_xml('{}', true, true, ''), 'x{}'", ["select 1", "select 2", "select 3"], "table customers"),
        ("select nick, born from customers where id <> {} order by {}", ["1", "2", "1"], "3"),
        ("select nick from customers where nick like '{0}' and nick <> '{0}'", ["a%", "b%", "c%"], "%a"),
        ("select 1 from customers where nick < 'a'::varchar({0}) and id = {0}", ["3", "4", "5"], "0"),
    ],
)
def test_a_literal_that_is_read_is_not_taken_for_another(template: str, harmless: list[str], harmful: str) -> None:
    kept = Plans(lambda text, _types, _path: tuple(run(text)))
    for value in harmless:
        assert isinstance(kept.plan(template.format(value, value), (), PATH)[0], Statement)
    (found,) = kept.plan(template.format(harmful, harmful), (), PATH)
    assert isinstance(found, Failure)
    assert isinstance(found.error, Refused)


class Counting:
    """Analyses, and counts how often."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, text: str, types: tuple[int, ...], path: SearchPath) -> Analysis:
        self.texts.append(text)
        return tuple(run(text))


def test_from_the_third_statement_on_nothing_is_analysed() -> None:
    counting = Counting()
    kept = Plans(counting)
    for number in range(50):
        kept.plan(f"select email from customers where email = 'user{number}' and id = {number + 1}", (), PATH)
    assert len(counting.texts) == 3  # the first, the second, and the second with marks
    assert "user2" not in "".join(counting.texts)


def test_the_time_to_draw_a_shape_grows_with_its_literals() -> None:
    def cost(count: int) -> float:
        """Seconds of CPU for each literal, the best of three, without the garbage collector and any analysis."""
        text = "SELECT " + ", ".join(f"'{n}', {n + 1}" for n in range(count))
        given = cut(text)
        assert given is not None

        def analysed(text: str) -> list[Statement | Failure]:
            return [Statement(0, len(text), Plan(template=(text,)))]

        best = float("inf")
        gc.disable()
        try:
            for _ in range(3):
                start = time.process_time()
                assert shape_of(text, given, (), analysed, analysed(text)) is not None
                best = min(best, time.process_time() - start)
        finally:
            gc.enable()
        return best / (2 * count)

    assert cost(8000) < 3 * cost(400)


def test_path_and_types_are_part_of_what_is_looked_for() -> None:
    counting = Counting()
    kept = Plans(counting)
    for number in range(3):
        kept.plan(f"select email from customers where email = '{number}'", (), PATH)
    before = len(counting.texts)
    kept.plan("select email from customers where email = 'x'", (), SearchPath(schemas=("other",)))
    kept.plan("select email from customers where email = 'y'", (25,), PATH)
    assert len(counting.texts) == before + 2


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "SHAPE_BYTES", 50_000)
    monkeypatch.setattr(plans, "TEXT_BYTES", 50_000)
    kept = Plans(lambda text, _types, _path: tuple(run(text)))
    for number in range(60):
        for value in ("a", "b"):
            kept.plan(f"select email as c{number} from customers where email = '{value}'", (), PATH)
    assert kept.size <= 100_000
    assert len(kept._texts) + len(kept._families) < 60


@pytest.mark.parametrize("reason", ["it cannot be looked into", "its plan depends on the literal"])
def test_a_statement_without_a_shape_is_analysed_each_time_its_literals_differ(reason: str) -> None:
    """The analysis is taken at its word: that a text has a plan does not mean that a shape can be drawn of it."""
    text = "select email from customers where email = '{}'" if "plan" in reason else "selec email where email = '{}'"
    calls: list[str] = []

    def analysis(given: str, _types: tuple[int, ...], _path: SearchPath) -> Analysis:
        calls.append(given)
        known = len(given) == len(text) - 1  # a marked one is longer
        return (Statement(0, len(given), Plan(tag=given)) if known else Failure(0, len(given), Refused("marked")),)

    kept = Plans(analysis)
    for value in "abcab":
        (found,) = kept.plan(text.format(value), (), PATH)
        assert found == Statement(0, len(text) - 1, Plan(tag=text.format(value)))
    asked = [text.format(value) for value in "abc"]
    assert [one for one in calls if one in asked] == asked


def test_fixed_literals_that_vary_do_not_fill_the_memory() -> None:
    kept = Plans(lambda text, _types, _path: tuple(run(text)))
    for number in range(plans.MOST_SHAPES + 40):
        kept.plan(f"select lower('{number}') from customers where email = 'a{number}'", (), PATH)
    assert len(kept._families) == 1
    (family,) = kept._families.values()
    assert len(family.shapes) == plans.MOST_SHAPES


@pytest.mark.parametrize("operator", ["~~", "!~~", "~~*", "!~~*", "^@", "OPERATOR(pg_catalog.~~)"])
def test_a_pattern_is_looked_into_so_it_may_not_differ(operator: str) -> None:
    text = f"SELECT 1 FROM people WHERE name {operator} 'abc' AND name <> 'abc'"
    given = cut(text)
    assert given is not None
    assert fixed_tokens(text, given) == {1}
