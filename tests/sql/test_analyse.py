"""The entry of the analysis: splitting, places, the quick path, what is refused before anything is looked at."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pglast import ast

from proxy.errors import Refused
from proxy.sql import analyse
from proxy.sql.catalog import Catalog, Relation, SearchPath
from proxy.sql.plan import Effect, Execution, Failure, Plan, Statement
from proxy.sql.rules import RULES
from tests.sql.ddl_server import column, policy_of

SEALED = 90000
POLICY = policy_of(
    column("public.customers.email", "text", "equality"),
    column("public.customers.notes", "text"),
    column("public.drafts.body", "text", pending=True),
    column("public.waiting.body", "text"),
)
NOTHING = policy_of()


def relation(oid: int, label: str, kind: str = "r", definition: str | None = None, **columns: int) -> Relation:
    """A relation of schema public; columns by name with the OID of their type."""
    cells = [
        [attribute, number, kind_oid, -1, 17 if kind_oid == SEALED else kind_oid, -1, False, False, "", "", ""]
        for number, (attribute, kind_oid) in enumerate(columns.items(), 1)
    ]
    return Relation([oid, "public", label, kind, "p", definition, None, cells])


def catalog_of(*relations: Relation) -> Catalog:
    document: dict[str, Any] = {"version": 180000, "sealed": SEALED, "schemas": ["public"], "relations": []}
    catalog = Catalog(document, {})
    catalog.by_oid = {item.oid: item for item in relations}
    catalog.by_name = {(item.schema, item.name): item for item in relations}
    return catalog


CATALOG = catalog_of(
    relation(1, "customers", id=23, email=SEALED, notes=SEALED),
    relation(2, "plain", id=23, name=25),
    relation(3, "drafts", id=23, body=25),
    relation(4, "waiting", id=23, body=25),
    relation(5, "shown", "v", " SELECT email FROM customers;", email=SEALED),
    relation(6, "shown_again", "v", " SELECT email FROM public.shown;", email=SEALED),
    relation(7, "harmless", "v", " SELECT name FROM plain;", name=25),
    relation(8, "Odd Name", id=23),
)
PATH = SearchPath()


def run(text: str, *, policy: Any = POLICY, param_types: tuple[int, ...] = ()) -> list[Statement | Failure]:
    return analyse(text, catalog=CATALOG, path=PATH, policy=policy, param_types=param_types)


def plan(text: str, **more: Any) -> Plan:
    (outcome,) = run(text, **more)
    assert isinstance(outcome, Statement), getattr(outcome, "error", None)
    return outcome.plan


def refusal(text: str, **more: Any) -> Refused:
    outcome = run(text, **more)[-1]
    assert isinstance(outcome, Failure), outcome
    assert isinstance(outcome.error, Refused)
    return outcome.error


@pytest.mark.parametrize("text", ["", "   ", ";", ";;  ;", "-- only a comment", "/* é */ ; -- x"])
def test_nothing_to_run_gives_no_statement(text: str) -> None:
    assert run(text) == []


def test_statements_keep_their_places_in_the_text_whatever_its_characters() -> None:
    text = "SELECT 'é€😀' ; ; /* ü */ SELECT name FROM plain WHERE name = 'ñ'; INSERT INTO plain VALUES (1)"
    parts = [text[found.start : found.end].strip() for found in run(text)]
    assert parts[0] == "SELECT 'é€😀'"
    assert parts[1] == "SELECT name FROM plain WHERE name = 'ñ'"
    assert parts[2] == "INSERT INTO plain VALUES (1)"


def test_a_syntax_error_anywhere_means_that_nothing_runs() -> None:
    (failure,) = run("SELECT 1; SELECT 'é' FROM FROM")
    assert isinstance(failure, Failure)
    assert (failure.start, failure.end) == (0, 30)
    error = failure.error
    assert isinstance(error, Refused)
    assert (error.sqlstate, error.message) == ("42601", 'syntax error at or near "FROM"')
    assert error.position == 27


def test_a_syntax_error_at_the_end_points_behind_the_text() -> None:
    assert refusal("SELECT * FROM").position == 14


def test_without_a_policy_the_server_judges_what_cannot_be_parsed() -> None:
    assert plan("FROBNICATE ALL", policy=NOTHING).template is None
    assert plan("SELECT * FROM nowhere", policy=NOTHING).template is None


def test_a_nul_character_is_refused_even_then() -> None:
    assert refusal("SELECT 1\0", policy=NOTHING).sqlstate == "22021"


def test_the_first_failure_ends_the_list_and_those_before_it_stay() -> None:
    found = run("SELECT 1; SELECT * FROM nowhere; SELECT 2")
    assert [type(item) for item in found] == [Statement, Failure]
    failure = found[1]
    assert isinstance(failure, Failure)
    error = failure.error
    assert isinstance(error, Refused)
    assert (error.sqlstate, error.message, error.position) == ("42P01", 'relation "nowhere" does not exist', 25)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT name FROM plain WHERE name = 'x' AND id = $1",
        "SELECT * FROM harmless",
        "WITH customers AS (SELECT 1 AS id) SELECT * FROM customers",
        "WITH RECURSIVE a AS (SELECT 1 UNION SELECT * FROM b), b AS (SELECT 2) SELECT * FROM a",
        "WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT * FROM b, (WITH c AS (TABLE b) SELECT * FROM c) AS d",
        "SELECT body FROM drafts WHERE body = 'x'",
        "INSERT INTO plain VALUES (1, 'x') RETURNING *",
        'SELECT * FROM "Odd Name"',
        "TABLE plain",
        "SELECT * FROM pg_toast.pg_toast_1",
        "SELECT set_config('app.user', 'x', true)",
    ],
)
def test_what_touches_no_sealed_column_is_forwarded_byte_for_byte(text: str) -> None:
    found = plan(text)
    assert found.template is None
    assert not found.touches_sealed
    assert found.effects is Effect.NONE


@pytest.mark.parametrize(
    "text",
    [
        "WITH a AS (SELECT * FROM b), b AS (SELECT 2) SELECT * FROM a",
        "WITH gone AS (SELECT 1) INSERT INTO gone VALUES (1)",
        "SELECT * FROM (WITH inside AS (SELECT 1) SELECT * FROM inside) x, inside",
        "EXPLAIN SELECT * FROM nowhere WHERE a = 'x'",
        "PREPARE p AS SELECT * FROM nowhere",
        "COPY nowhere FROM STDIN",
        "CREATE VIEW v AS SELECT * FROM nowhere",
        "CREATE TABLE t AS SELECT * FROM nowhere",
        "CREATE INDEX ON nowhere (a) WHERE b = 'x'",
    ],
)
def test_a_name_that_the_catalog_does_not_hold_is_never_forwarded(text: str) -> None:
    assert refusal(text).sqlstate == "42P01"


@pytest.mark.parametrize("text", ["SELECT body FROM waiting", "UPDATE waiting SET body = 'x'"])
def test_a_policy_column_that_is_not_sealed_yet_is_refused(text: str) -> None:
    assert "not sealed yet" in refusal(text).message


@pytest.mark.parametrize(
    "text",
    [
        "SELECT NULL::customers",
        "SELECT (ROW(1, 'a', 'b')::public.customers).*",
        "SELECT ARRAY[]::customers[]",
        "SELECT * FROM json_populate_record(NULL::customers, '{}')",
        "SELECT query_to_xml('SELECT * FROM customers', true, false, '')",
        "SELECT table_to_xml('customers'::regclass, true, false, '')",
        "SELECT query_to_xml($1, true, false, '')",
        "SELECT database_to_xml(true, false, '')",
        "SELECT * FROM ts_stat('SELECT notes FROM customers')",
        "SELECT pg_catalog.query_to_xml('SELECT * FROM customers', true, false, '')",
        "SELECT * FROM extensions.dblink('dbname=shop', 'DELETE FROM customers') AS t(a text)",
        "SELECT public.dblink_exec('dbname=shop', $1)",
        "SELECT * FROM connectby('customers', 'id', 'email', 'x', 0) AS t(a text)",
        "SELECT cron.schedule('nightly', '0 3 * * *', $$DELETE FROM customers WHERE email = 'x'$$)",
    ],
)
def test_ways_around_the_analysis_are_refused(text: str) -> None:
    assert refusal(text).sqlstate == "0A000"


def test_text_that_runs_on_plain_tables_passes() -> None:
    assert plan("SELECT query_to_xml('SELECT * FROM plain', true, false, '')").template is None
    assert plan("SELECT cron.schedule('nightly', '0 3 * * *', 'DELETE FROM plain')").template is None
    assert plan("SELECT app.query_to_xml($1), schedule($2)").template is None


@pytest.mark.parametrize("view", ["shown", "shown_again"])
def test_views_over_sealed_tables_are_analysed(view: str) -> None:
    found = plan(f"SELECT email FROM {view} WHERE email = 'a@b'")
    assert [slot.text for slot in found.literals] == ["a@b"]
    assert found.results is not None


def test_every_statement_class_of_the_grammar_has_a_rule() -> None:
    classes = {
        kind
        for name, kind in inspect.getmembers(ast, inspect.isclass)
        if name.endswith("Stmt") and issubclass(kind, ast.Node)
    }
    assert classes == set(RULES)


@pytest.mark.parametrize(
    ("text", "effects"),
    [
        ("BEGIN", Effect.TRANSACTION),
        ("COMMIT", Effect.TRANSACTION),
        ("ROLLBACK", Effect.TRANSACTION),
        ("SAVEPOINT a", Effect.TRANSACTION),
        ("ROLLBACK TO a", Effect.TRANSACTION | Effect.SETTINGS | Effect.CATALOG),
        ("SET search_path = a", Effect.SETTINGS),
        ("SET LOCAL search_path TO a", Effect.SETTINGS),
        ("SET SCHEMA 'a'", Effect.SETTINGS),
        ("SET ROLE bob", Effect.SETTINGS),
        ("SET SESSION AUTHORIZATION bob", Effect.SETTINGS),
        ("RESET ALL", Effect.SETTINGS),
        ("RESET search_path", Effect.SETTINGS),
        ("SET statement_timeout = 5", Effect.NONE),
        ("SET app.tenant = 'x'", Effect.NONE),
        ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", Effect.NONE),
        ("ALTER ROLE bob SET search_path = a", Effect.SETTINGS),
        ("SELECT set_config('search_path', 'a', false)", Effect.SETTINGS),
        ("SELECT id FROM plain WHERE set_config($1, 'a', false) <> ''", Effect.SETTINGS),
        ("SELECT id, set_config('role', 'a', false) FROM customers", Effect.SETTINGS),
        (
            "DISCARD ALL",
            Effect.SETTINGS | Effect.CATALOG | Effect.DEALLOCATE_ALL | Effect.CLOSE_ALL,
        ),
        ("DISCARD PLANS", Effect.NONE),
        ("DEALLOCATE ALL", Effect.DEALLOCATE_ALL),
        ("CLOSE ALL", Effect.CLOSE_ALL),
        ("CREATE TABLE t (a int)", Effect.CATALOG),
        ("CREATE TEMP TABLE t (a int)", Effect.CATALOG),
        ("DROP TABLE plain", Effect.CATALOG | Effect.SETTINGS),
        ("TRUNCATE plain", Effect.NONE),
        ("SELECT 1 INTO x", Effect.CATALOG | Effect.SETTINGS),
        ("CALL f('x')", Effect.CATALOG | Effect.SETTINGS),
        ("DO 'BEGIN END'", Effect.CATALOG | Effect.SETTINGS),
        ("LISTEN a", Effect.NONE),
        ("SHOW search_path", Effect.NONE),
    ],
)
def test_effects_on_later_statements(text: str, effects: Effect) -> None:
    assert plan(text).effects == effects


@pytest.mark.parametrize(
    ("text", "attribute", "name"),
    [
        ("EXECUTE p (1)", "executes", "p"),
        ("EXPLAIN ANALYZE EXECUTE p", "executes", "p"),
        ("CREATE TABLE t AS EXECUTE p", "executes", "p"),
        ("FETCH NEXT FROM c", "fetches", "c"),
        ("MOVE 3 IN c", "fetches", None),
        ("DEALLOCATE p", "deallocates", "p"),
        ("CLOSE c", "closes", "c"),
    ],
)
def test_names_that_may_be_the_protocols(text: str, attribute: str, name: str | None) -> None:
    found = getattr(plan(text), attribute)
    assert (found.name if isinstance(found, Execution) else found) == name


def test_a_statement_of_any_depth_on_plain_tables_passes() -> None:
    assert plan("SELECT " + "+".join(["1"] * 20_000)).template is None


def test_a_deep_statement_on_a_sealed_table_is_refused_not_crashed() -> None:
    error = refusal("SELECT id FROM customers WHERE email = 'x' AND id = " + "+".join(["1"] * 20_000))
    assert error.sqlstate == "54001"


def test_literals_are_cut_out_and_comments_do_not_survive() -> None:
    found = plan("SELECT id /* a@b */ FROM customers WHERE email = 'a@b' -- a@b")
    assert found.template is not None
    assert len(found.template) == 2
    assert "a@b" not in "".join(found.template)
    assert found.tables == frozenset({1})
    assert found.tag == "SELECT"


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="'\"é;-/*$ \\aE\n", max_size=25))
def test_any_text_gives_statements_within_it_or_one_failure(text: str) -> None:
    end = 0
    for found in run(text):
        assert end <= found.start <= found.end <= len(text)
        end = found.end


def test_a_sealed_column_that_the_policy_does_not_list_is_not_taken_for_plain() -> None:
    catalog = catalog_of(relation(1, "forgotten", id=23, secret=SEALED))
    for text in (
        "INSERT INTO forgotten VALUES (1, 'x')",
        "SELECT id FROM forgotten",
        "ALTER TABLE forgotten ADD a int",
    ):
        (found,) = analyse(text, catalog=catalog, path=PATH, policy=POLICY)
        assert isinstance(found, Failure)
        assert "does not list it" in str(found.error)


SURROUNDED = catalog_of(
    *(relation(number, label, id=23, a=SEALED, b=SEALED, c=25, d=23) for number, label in enumerate("tuvw", 1)),
    *(relation(number, label, a=25, b=25) for number, label in enumerate(("x", "q", "p", "parent"), 10)),
)
EVERYWHERE = policy_of(
    *(column(f"public.{label}.a", "text", "equality", domain="one") for label in "tuvw"),
    *(column(f"public.{label}.b", "integer", "order", domain="two") for label in "tuvw"),
)


@pytest.mark.parametrize("text", (Path(__file__).parent / "rewrite_corpus.sql").read_text().splitlines())
def test_any_statement_over_sealed_tables_gives_a_plan_or_a_refusal(text: str) -> None:
    for found in analyse(text, catalog=SURROUNDED, path=PATH, policy=EVERYWHERE):
        if isinstance(found, Failure):
            assert isinstance(found.error, Refused)
        elif found.plan.template is not None:
            assert len(found.plan.template) == len(found.plan.literals) + 1
