"""Views, CREATE TABLE AS, COPY, cursors and EXPLAIN over sealed columns, against PostgreSQL 18."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from proxy.errors import Refused
from proxy.sql import analyse
from proxy.sql.catalog import SearchPath
from proxy.sql.plan import CopyFormat, Effect, Failure, Plan, Statement
from tests.sql.ddl_server import Database, column, policy_of, rolled_back
from tests.support.servers import Server, fresh_database

POLICY = policy_of(
    column("public.customers.email", "text", "equality"),
    column("public.customers.born", "date", "order"),
    column("public.customers.notes", "text"),
    column("public.copied.email", "text", "equality", domain="public.customers.email"),
    column("public.other.email", "text", "equality"),
    column("public.late.email", "text", "equality", pending=True),
)


@pytest.fixture(scope="module")
def dsn(embedded18: Server) -> Iterator[str]:
    with fresh_database(embedded18) as fresh:
        yield fresh.dsn


@pytest.fixture
def shop(dsn: str) -> Iterator[Database]:
    with rolled_back(dsn, POLICY) as opened:
        opened.run("CREATE TABLE customers (id int PRIMARY KEY, email text, born date, notes text)")
        opened.query("CREATE TABLE plain (id int, name text)")
        yield opened


def test_a_view_keeps_sealed_literals_in_its_definition(shop: Database) -> None:
    plan = shop.run("CREATE VIEW v (number, mail) AS SELECT id, email /* who */ FROM customers WHERE email <> 'a@b'")
    assert [slot.text for slot in plan.literals] == ["a@b"]
    assert "a@b" not in shop.sent[-1]
    assert "who" not in shop.sent[-1]
    assert shop.types("v") == {"number": "integer", "mail": "sealwire.sealed"}


def test_a_view_is_followed_down_when_it_is_used(shop: Database) -> None:
    shop.run("CREATE VIEW v AS SELECT id, email AS mail FROM customers WHERE born < '2000-01-01'")
    shop.run("CREATE VIEW w AS SELECT mail FROM v WHERE mail <> 'a@b'")
    plan = shop.run("SELECT mail FROM w WHERE mail = 'c@d'")
    assert [slot.text for slot in plan.literals] == ["c@d"]
    assert plan.results is not None
    assert plan.results[0] is not None
    assert plan.results[0].column.name == "public.customers.email"


def test_a_view_over_plain_tables_is_forwarded(shop: Database) -> None:
    assert shop.run("CREATE VIEW v AS SELECT name FROM plain WHERE name = 'x'").template is None


def test_a_materialized_view_may_show_sealed_columns(shop: Database) -> None:
    shop.run("CREATE MATERIALIZED VIEW m AS SELECT id, email FROM customers")
    plan = shop.run("SELECT email FROM m WHERE email = 'a@b'")
    assert plan.literals
    with pytest.raises(Refused):
        shop.run("CREATE MATERIALIZED VIEW n AS SELECT coalesce(email, 'x') AS e FROM customers")


def test_create_table_as_needs_the_policy_to_cover_the_new_table(shop: Database) -> None:
    plan = shop.run("CREATE TABLE copied AS SELECT id, email FROM customers WHERE email <> 'a@b'")
    assert plan.effects & Effect.CATALOG
    assert shop.types("copied")["email"] == "sealwire.sealed"
    for statement in (
        "CREATE TABLE uncovered AS SELECT email FROM customers",
        "CREATE TABLE other AS SELECT email FROM customers",
        "CREATE TABLE other AS SELECT name AS email FROM plain",
        "CREATE TABLE other (email) AS VALUES ('x')",
        "SELECT email INTO uncovered FROM customers",
        "SELECT name AS email INTO other FROM plain UNION SELECT 'x'",
        "CREATE TABLE other AS EXECUTE p",
        "CREATE TEMP TABLE mine AS SELECT email FROM customers",
        "EXPLAIN ANALYZE CREATE TABLE other AS SELECT name AS email FROM plain",
    ):
        with pytest.raises(Refused) as refused:
            shop.run(statement)
        assert refused.value.hint, statement


def test_create_table_as_of_plain_columns_is_forwarded(shop: Database) -> None:
    assert shop.run("CREATE TABLE numbers AS SELECT id FROM customers").template is None
    assert shop.run("SELECT id INTO TEMP numbers2 FROM customers").template is None
    assert shop.run("CREATE TABLE late AS SELECT name AS email FROM plain").template is None


def test_like_of_a_covered_table(shop: Database) -> None:
    with pytest.raises(Refused):
        shop.run("CREATE TABLE copied (LIKE customers)")
    shop.run("ALTER TABLE customers DROP COLUMN born, DROP COLUMN notes")
    shop.run("CREATE TABLE copied (LIKE customers INCLUDING ALL)")
    assert shop.types("copied") == {"id": "integer", "email": "sealwire.sealed"}


def test_copy_from_a_client_knows_its_columns_and_options(shop: Database) -> None:
    plan = shop.plan(
        "COPY customers (email, id, notes) FROM STDIN WITH (FORMAT csv, HEADER match, DELIMITER ';', NULL '-', "
        "FORCE_NULL (notes), FORCE_NOT_NULL *, ENCODING 'LATIN1', DEFAULT '@')"
    )
    copy = plan.copy
    assert copy is not None
    assert plan.template is None
    assert [entry and entry.name for entry in copy.columns] == [
        "public.customers.email",
        None,
        "public.customers.notes",
    ]
    assert [str(kind) for kind in copy.types] == ["text", "None", "text"]
    assert (copy.is_from, copy.format, copy.delimiter, copy.null, copy.quote, copy.escape) == (
        True,
        CopyFormat.CSV,
        ";",
        "-",
        '"',
        '"',
    )
    assert (copy.header, copy.encoding, copy.default) == (True, "LATIN1", "@")
    assert (copy.force_null, copy.force_not_null) == (frozenset({2}), frozenset({0, 1, 2}))


def test_copy_to_a_client_of_a_table_and_of_a_query(shop: Database) -> None:
    copy = shop.plan("COPY customers TO STDOUT (FORMAT binary)").copy
    assert copy is not None
    assert copy.format is CopyFormat.BINARY
    assert [entry is not None for entry in copy.columns] == [False, True, True, True]
    plan = shop.plan("COPY (SELECT born, id FROM customers WHERE email = 'a@b') TO STDOUT")
    assert plan.copy is not None
    assert [str(kind) for kind in plan.copy.types] == ["date", "None"]
    assert (plan.copy.delimiter, plan.copy.null) == ("\t", "\\N")
    assert [slot.text for slot in plan.literals] == ["a@b"]
    assert shop.plan("COPY customers (id) TO STDOUT").copy is None
    assert shop.plan("COPY plain FROM STDIN").copy is None
    assert shop.plan("COPY (SELECT count(*) FROM customers) TO STDOUT").copy is None


def test_the_where_of_copy_is_sealed(shop: Database) -> None:
    plan = shop.plan("COPY customers FROM STDIN WHERE email <> 'a@b'")
    assert [slot.text for slot in plan.literals] == ["a@b"]
    with pytest.raises(Refused):
        shop.plan("COPY customers FROM STDIN WHERE notes <> 'a@b'")


@pytest.mark.parametrize(
    "statement",
    [
        "COPY customers FROM '/tmp/x'",
        "COPY customers TO PROGRAM 'cat'",
        "COPY (SELECT email FROM customers) TO '/tmp/x'",
        "COPY customers FROM STDIN (ON_ERROR ignore)",
    ],
)
def test_copy_past_the_proxy_is_refused(shop: Database, statement: str) -> None:
    with pytest.raises(Refused) as refused:
        shop.plan(statement)
    assert refused.value.hint


def test_copy_of_a_column_that_is_not_there(shop: Database) -> None:
    with pytest.raises(Refused) as refused:
        shop.plan("COPY customers (nothing) FROM STDIN")
    assert refused.value.sqlstate == "42703"


def test_explain_is_rewritten_and_returns_plain_text(shop: Database) -> None:
    plan = shop.run("EXPLAIN (COSTS off) SELECT email FROM customers WHERE email = 'a@b'")
    assert plan.results is None
    assert [slot.text for slot in plan.literals] == ["a@b"]


def test_declare_seals_its_literals_and_says_what_the_cursor_gives(shop: Database) -> None:
    plan = shop.run("DECLARE c BINARY CURSOR WITH HOLD FOR SELECT id, email FROM customers WHERE email = 'a@b'")
    assert [slot.text for slot in plan.literals] == ["a@b"]
    assert plan.results is None
    assert plan.declares is not None
    assert (plan.declares.name, plan.declares.is_held, plan.declares.is_binary) == ("c", True, True)
    assert [opening and opening.column.column for opening in plan.declares.plan.results or ()] == [None, "email"]


def test_prepare_declares_bytea_for_sealed_parameters_and_leaves_the_others_open(shop: Database) -> None:
    plan = shop.plan("PREPARE p AS SELECT email FROM customers WHERE id = $1 AND email = $2 AND email = ANY($3)")
    assert plan.template is not None
    assert plan.template[0].startswith("PREPARE p(unknown, pg_catalog.bytea, pg_catalog.bytea[]) AS")
    assert plan.params is None
    assert plan.prepares is not None
    assert plan.prepares.types == ()
    assert [param.sealing is not None for param in plan.prepares.plan.params or ()] == [False, True, True]
    plan = shop.plan("PREPARE p (int, varchar) AS SELECT email FROM customers WHERE id = $1 AND email = $2")
    assert plan.template is not None
    assert plan.template[0].startswith("PREPARE p(integer, pg_catalog.bytea) AS")
    assert plan.prepares is not None
    assert plan.prepares.types == (23, 1043)


def test_execute_keeps_its_arguments_for_the_session_to_seal(shop: Database) -> None:
    plan = shop.plan("EXPLAIN (COSTS off) EXECUTE p (1, 'a@b', 'c'::varchar, NULL, 1 + 2)")
    assert plan.executes is not None
    assert (plan.executes.head, plan.executes.tail) == ("EXPLAIN (costs off) EXECUTE p(", ")")
    literals = [argument.literal for argument in plan.executes.arguments]
    assert [literal and literal.text for literal in literals] == ["1", "a@b", "c", None, None]
    assert literals[3] is not None
    assert literals[4] is None
    assert plan.executes.arguments[4].text == "1 + 2"


def test_statements_about_plain_ones_are_forwarded_as_they_are(shop: Database) -> None:
    shop.run("DECLARE c CURSOR FOR SELECT id FROM customers")
    assert shop.run("FETCH ALL FROM c").fetches == "c"
    assert shop.run("CLOSE c").closes == "c"
    shop.run("PREPARE p (int) AS SELECT id FROM customers WHERE id = $1")
    executes = shop.run("EXECUTE p (1)").executes
    assert executes is not None
    assert executes.name == "p"
    assert shop.run("DEALLOCATE p").deallocates == "p"


def test_a_view_read_under_another_search_path_is_never_taken_for_plain(shop: Database) -> None:
    """pg_get_viewdef() leaves out the schemas that its reader's search_path finds."""
    shop.query("CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.customers (id int, email text)")
    shop.query("CREATE VIEW v AS SELECT id, email FROM public.customers")
    shop.query("CREATE VIEW w AS SELECT id, email FROM elsewhere.customers")
    catalog, _ = shop.catalog()
    path = SearchPath(("pg_catalog", "elsewhere"), "elsewhere")

    def outcome(sql: str) -> Statement | Failure:
        return analyse(sql, catalog=catalog, path=path, policy=POLICY)[0]

    found = outcome("SELECT id FROM public.v WHERE email = 'a@b'")
    assert isinstance(found, Failure) or found.plan.literals
    found = outcome("SELECT id FROM public.w WHERE email = 'a@b'")
    assert isinstance(found, Statement)
    assert found.plan.template is None


@pytest.mark.parametrize("reader", ["public", "elsewhere", "public, elsewhere", "elsewhere, public", "pg_catalog"])
@pytest.mark.parametrize("user", [("public",), ("elsewhere",), ("elsewhere", "public"), ("public", "elsewhere"), ()])
def test_a_view_means_the_tables_that_it_was_made_of(shop: Database, reader: str, user: tuple[str, ...]) -> None:
    shop.query("CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.customers (id int, email text)")
    shop.query("CREATE VIEW public.v AS SELECT id, email FROM public.customers")
    shop.query("CREATE VIEW elsewhere.v AS SELECT id, email FROM elsewhere.customers")
    shop.query(
        "CREATE VIEW public.both AS SELECT a.id, a.email, b.email AS shown FROM public.customers a "
        "JOIN elsewhere.customers b USING (id) JOIN elsewhere.v USING (id) "
        "WHERE EXISTS (SELECT FROM pg_class WHERE relname = ' public.customers ')"
    )
    shop.query(f"SET search_path TO {reader}")
    catalog, _ = shop.catalog()
    path = SearchPath(("pg_catalog", *user), user[0] if user else None)

    def outcome(sql: str) -> Plan:
        (found,) = analyse(sql, catalog=catalog, path=path, policy=POLICY)
        assert isinstance(found, Statement), found.error
        return found.plan

    plan = outcome("SELECT id FROM public.v WHERE email = 'a@b'")
    assert [slot.sealing.column.name for slot in plan.literals] == ["public.customers.email"]
    assert outcome("SELECT id FROM elsewhere.v WHERE email = 'a@b'").template is None
    plan = outcome("SELECT email, shown FROM public.both WHERE email = 'a@b' AND shown = 'c@d'")
    assert [slot.text for slot in plan.literals] == ["a@b"]
    assert plan.results is not None
    assert [opening is not None for opening in plan.results] == [True, False]
