"""DDL through the analysis, executed by PostgreSQL 18: what comes out runs, and does what it should."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from proxy.errors import Refused
from proxy.sql.plan import Effect
from tests.sql.ddl_server import Database, column, policy_of, rolled_back, seal
from tests.support.servers import Server, fresh_database

POLICY = policy_of(
    column("public.customers.email", "text", "equality"),
    column("public.customers.phone", "varchar(24)", "equality", domain="join:phones"),
    column("public.customers.born", "date", "order"),
    column("public.customers.notes", "text"),
    column("public.customers.balance", "numeric(12,2)", "order"),
    column("public.calls.phone", "varchar(24)", "equality", domain="join:phones"),
    column("public.people.email", "text", "equality", domain="public.customers.email"),
    column("public.copied.email", "text", "equality", domain="public.customers.email"),
    column("public.ranged.born", "date", "order"),
    column("public.listed.state", "text", "equality"),
    column("public.other.email", "text", "equality"),
    column("archive.customers.email", "text", "equality", domain="public.customers.email"),
)
CUSTOMERS = """CREATE TABLE customers (
  id int PRIMARY KEY, email text, phone varchar(24), born date, notes text, balance numeric(12,2))"""


@pytest.fixture(scope="module")
def dsn(embedded18: Server) -> Iterator[str]:
    with fresh_database(embedded18) as fresh:
        yield fresh.dsn


@pytest.fixture
def database(dsn: str) -> Iterator[Database]:
    with rolled_back(dsn, POLICY) as opened:
        yield opened


@pytest.fixture
def shop(database: Database) -> Database:
    database.run(CUSTOMERS)
    return database


def test_create_table_gives_policy_columns_the_sealed_type_and_leaves_the_others(database: Database) -> None:
    plan = database.run(CUSTOMERS)
    assert plan.effects == Effect.CATALOG
    assert plan.tables == frozenset()
    assert database.types("customers") == {
        "id": "integer",
        "email": "sealwire.sealed",
        "phone": "sealwire.sealed",
        "born": "sealwire.sealed",
        "notes": "sealwire.sealed",
        "balance": "sealwire.sealed",
    }


@pytest.mark.parametrize(
    "declared", ["email varchar", "email varchar(30)", "email int", "email serial", "email citext", "email text[]"]
)
def test_a_declared_type_other_than_the_policys_is_refused_with_both_names(database: Database, declared: str) -> None:
    with pytest.raises(Refused, match=r"is declared as .*, but is text in the policy"):
        database.run(f"CREATE TABLE customers (id int, {declared})")


def test_without_the_sealed_type_the_hint_is_init(database: Database) -> None:
    database.query("DROP SCHEMA sealwire CASCADE")
    with pytest.raises(Refused) as refused:
        database.run(CUSTOMERS)
    assert "sealwire init" in (refused.value.hint or "")


def test_a_default_is_sealed_once_and_rows_get_it(database: Database) -> None:
    plan = database.run(
        "CREATE TABLE customers (id int, email text DEFAULT 'nobody@example.org', born date DEFAULT NULL)"
    )
    assert [slot.text for slot in plan.literals] == ["nobody@example.org"]
    assert "nobody" not in database.sent[-1]
    database.query("INSERT INTO customers (id) VALUES (1)")
    assert database.value("SELECT get_byte(email, 0) FROM customers") == 0xE1


@pytest.mark.parametrize("default", ["now()::text", "lower('X')", "current_user", "'a' || 'b'"])
def test_a_default_that_the_server_would_compute_is_refused(database: Database, default: str) -> None:
    with pytest.raises(Refused):
        database.run(f"CREATE TABLE customers (id int, email text DEFAULT {default})")


def test_keys_and_references_between_columns_of_one_domain(shop: Database) -> None:
    shop.run("ALTER TABLE customers ADD UNIQUE (phone)")
    shop.run("CREATE TABLE calls (id int, phone varchar(24) REFERENCES customers (phone))")
    with pytest.raises(Refused, match="cannot reference"):
        shop.run("ALTER TABLE calls ADD FOREIGN KEY (phone) REFERENCES customers (email)")
    with pytest.raises(Refused, match="cannot reference"):
        shop.run("ALTER TABLE calls ADD FOREIGN KEY (id) REFERENCES customers (email)")


def test_a_reference_without_columns_means_the_primary_key(database: Database) -> None:
    database.run("CREATE TABLE customers (phone varchar(24) PRIMARY KEY)")
    database.run("CREATE TABLE calls (phone varchar(24) REFERENCES customers)")
    with pytest.raises(Refused, match="cannot reference"):
        database.run("CREATE TABLE other (email text REFERENCES customers)")


def test_uniqueness_of_a_random_column_is_refused_with_the_way_out(shop: Database) -> None:
    for statement in (
        "ALTER TABLE customers ADD UNIQUE (notes)",
        "ALTER TABLE customers ADD CONSTRAINT k PRIMARY KEY (id, notes)",
        "CREATE INDEX ON customers (notes)",
        "CREATE UNIQUE INDEX ON customers (id, notes)",
    ):
        with pytest.raises(Refused) as refused:
            shop.run(statement)
        assert "search: equality" in (refused.value.hint or "")


def test_checks_are_analysed_and_hold_for_sealed_values(shop: Database) -> None:
    plan = shop.run("ALTER TABLE customers ADD CONSTRAINT k CHECK (email <> 'root@example.org' AND id > 0)")
    (slot,) = plan.literals
    with pytest.raises(psycopg.errors.CheckViolation):
        shop.query(f"INSERT INTO customers (id, email) VALUES (1, '\\x{seal(slot).hex()}')")


@pytest.mark.parametrize(
    "check", ["notes = 'x'", "length(email) > 3", "email LIKE '%@%'", "email > 'a'", "email = phone"]
)
def test_checks_that_the_scheme_does_not_carry_are_refused(shop: Database, check: str) -> None:
    with pytest.raises(Refused):
        shop.run(f"ALTER TABLE customers ADD CHECK ({check})")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE customers (id int, email text GENERATED ALWAYS AS ('x') STORED)",
        "CREATE TABLE customers (id int, email text, copy bytea GENERATED ALWAYS AS (email) STORED)",
        "CREATE TABLE customers (id int, email text, up text GENERATED ALWAYS AS (upper(email)) STORED)",
        'CREATE TABLE customers (id int, email text COLLATE "de-x-icu")',
        "CREATE TABLE customers (id int, email text, EXCLUDE USING btree (email WITH =))",
        "CREATE TABLE customers (born date, email text) PARTITION BY RANGE (email)",
        "CREATE TABLE customers (born date, notes text) PARTITION BY LIST (notes)",
        "CREATE TABLE customers (born date, email text) PARTITION BY LIST ((lower(email)))",
    ],
)
def test_definitions_that_cannot_be_sealed_are_refused(database: Database, statement: str) -> None:
    with pytest.raises(Refused):
        database.run(statement)


def test_generated_columns_may_depend_on_whether_a_sealed_value_is_there(database: Database) -> None:
    database.run(
        'CREATE TABLE customers (id int, email text COLLATE "C", '
        "has_email boolean GENERATED ALWAYS AS (email IS NOT NULL) STORED)"
    )
    assert database.types("customers")["has_email"] == "boolean"


def test_partitions_by_sealed_values(database: Database) -> None:
    database.run("CREATE TABLE listed (id int, state text) PARTITION BY LIST (state)")
    plan = database.run("CREATE TABLE listed_a PARTITION OF listed FOR VALUES IN ('AL', 'AK', NULL)")
    assert [slot.text for slot in plan.literals] == ["AL", "AK"]
    database.run("CREATE TABLE ranged (id int, born date) PARTITION BY RANGE (born)")
    plan = database.run("CREATE TABLE ranged_1 PARTITION OF ranged FOR VALUES FROM (MINVALUE) TO ('2000-01-01')")
    assert [slot.text for slot in plan.literals] == ["2000-01-01"]
    plan = database.run("CREATE TABLE ranged_2 PARTITION OF ranged FOR VALUES FROM ('2000-01-01') TO (MAXVALUE)")
    assert database.types("ranged_2") == {"id": "integer", "born": "sealwire.sealed"}
    database.run("CREATE TABLE customers (id int, email text) PARTITION BY HASH (email)")
    database.run("CREATE TABLE customers_0 PARTITION OF customers FOR VALUES WITH (MODULUS 2, REMAINDER 0)")
    database.run("CREATE TABLE other (id int, email text) PARTITION BY RANGE (id)")
    assert database.run("CREATE TABLE other_1 PARTITION OF other FOR VALUES FROM (1) TO (10)").template is None


def test_attaching_and_detaching_needs_the_same_keys(database: Database) -> None:
    database.run("CREATE TABLE customers (id int, email text) PARTITION BY RANGE (id)")
    database.run("CREATE TABLE people (id int, email text)")
    database.run("CREATE TABLE other (id int, email text)")
    database.run("ALTER TABLE customers ATTACH PARTITION people FOR VALUES FROM (1) TO (9)")
    database.run("ALTER TABLE customers DETACH PARTITION people")
    with pytest.raises(Refused, match="not sealed alike"):
        database.run("ALTER TABLE customers ATTACH PARTITION other FOR VALUES FROM (1) TO (9)")
    database.run("CREATE TABLE part PARTITION OF customers FOR VALUES FROM (10) TO (20)")
    with pytest.raises(Refused) as refused:
        database.run("ALTER TABLE customers DETACH PARTITION part")
    assert '"id: public.customers.email"' in (refused.value.hint or "")


def test_inheritance_passes_the_policy_on(shop: Database) -> None:
    shop.run("CREATE TABLE vip (level int, CHECK (email <> 'x')) INHERITS (customers)")
    assert shop.types("vip")["email"] == "sealwire.sealed"
    shop.run("ALTER TABLE vip ALTER email SET DEFAULT 'vip'")
    with pytest.raises(Refused):
        shop.run("ALTER TABLE vip NO INHERIT customers")


def test_like_and_create_table_as_need_a_policy_for_the_copy(shop: Database) -> None:
    with pytest.raises(Refused) as refused:
        shop.run("CREATE TABLE twin (LIKE customers INCLUDING ALL)")
    assert 'list "public.twin" with column "email"' in (refused.value.hint or "")
    with pytest.raises(Refused, match="other"):
        shop.run("CREATE TABLE other (email text, LIKE customers)")


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE customers ADD COLUMN extra text DEFAULT 'plain', DROP COLUMN notes",
        "ALTER TABLE customers ALTER email SET NOT NULL, ALTER email SET STATISTICS 50, ALTER email SET STORAGE PLAIN",
        "ALTER TABLE customers RENAME COLUMN id TO number",
        "ALTER TABLE customers OWNER TO CURRENT_USER, ENABLE ROW LEVEL SECURITY, DISABLE TRIGGER USER",
        "ALTER TABLE IF EXISTS nothing ADD COLUMN a int",
    ],
)
def test_harmless_alterations_are_forwarded_as_they_are(shop: Database, statement: str) -> None:
    assert shop.run(statement).template is None


def test_renaming_and_moving_follow_the_policy(database: Database) -> None:
    database.run("CREATE TABLE customers (id int, email text)")
    database.run("ALTER TABLE customers RENAME TO people")
    database.run("ALTER TABLE people RENAME TO customers")
    database.query("CREATE SCHEMA archive")
    database.run("ALTER TABLE customers SET SCHEMA archive")
    database.run("ALTER TABLE archive.customers SET SCHEMA public")
    with pytest.raises(Refused, match="gives that name other keys"):
        database.run("ALTER TABLE customers RENAME TO other")
    with pytest.raises(Refused) as refused:
        database.run("ALTER TABLE customers RENAME COLUMN email TO mail")
    assert '"id: public.customers.email"' in (refused.value.hint or "")


def test_set_type_within_the_family_is_a_question_of_the_policy(shop: Database) -> None:
    shop.run("ALTER TABLE customers ALTER phone TYPE varchar(24) USING phone::varchar(24)")
    assert shop.types("customers")["phone"] == "sealwire.sealed"
    with pytest.raises(Refused) as refused:
        shop.run("ALTER TABLE customers ALTER phone TYPE varchar(60)")
    assert "change its type in columns.yaml" in (refused.value.hint or "")
    with pytest.raises(Refused, match="cannot change its type"):
        shop.run("ALTER TABLE customers ALTER phone TYPE bigint USING phone::bigint")


def test_adding_a_policy_column_with_default_and_check_in_one_statement(database: Database) -> None:
    database.query("CREATE TABLE customers (id int)")
    plan = database.run(
        "ALTER TABLE customers ADD COLUMN email text NOT NULL DEFAULT 'x' CHECK (email <> 'y'), "
        "ADD CHECK (email <> 'z')"
    )
    assert sorted(slot.text for slot in plan.literals) == ["x", "y", "z"]
    assert database.types("customers") == {"id": "integer", "email": "sealwire.sealed"}


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX ON customers (email)",
        "CREATE UNIQUE INDEX ON customers USING btree (email DESC, id) INCLUDE (notes) WHERE id > 3",
        "CREATE INDEX ON customers USING hash (email)",
        "CREATE INDEX ON customers (born) WHERE email IS NOT NULL",
        "CREATE INDEX ON customers ((email IS NULL))",
        "CREATE INDEX ON customers (email text_pattern_ops, phone pg_catalog.varchar_pattern_ops DESC)",
        "CREATE INDEX ON customers ((lower('a')), id)",
        "CREATE STATISTICS s (ndistinct) ON email, phone FROM customers",
    ],
)
def test_indexes_that_the_schemes_carry(shop: Database, statement: str) -> None:
    shop.run(statement)


def test_the_predicate_of_a_partial_index_is_sealed(shop: Database) -> None:
    plan = shop.run("CREATE INDEX ON customers (id) WHERE email = 'a@b' OR born < '2000-01-01'")
    assert [slot.text for slot in plan.literals] == ["a@b", "2000-01-01"]
    assert "a@b" not in shop.sent[-1]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX ON customers (lower(email))",
        "CREATE INDEX ON customers (email gin_trgm_ops)",
        "CREATE INDEX ON customers (email own.text_pattern_ops)",
        "CREATE INDEX ON customers USING gin (email)",
        'CREATE INDEX ON customers (email COLLATE "de-x-icu")',
        "CREATE INDEX ON customers (id) WHERE notes = 'x'",
        "CREATE INDEX ON customers (coalesce(email, 'x'))",
        "CREATE STATISTICS s ON notes, email FROM customers",
    ],
)
def test_indexes_that_they_do_not(shop: Database, statement: str) -> None:
    with pytest.raises(Refused):
        shop.run(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT count(*)::int FROM Customers $$",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'BEGIN EXECUTE ''TABLE \"customers\"''; RETURN 1; END'",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.email := 'x'; RETURN NEW; END $$",
        "CREATE FUNCTION f(c customers) RETURNS int LANGUAGE sql RETURN 1",
        "CREATE PROCEDURE f() LANGUAGE sql BEGIN ATOMIC DELETE FROM customers; END",
        "DO $$ BEGIN UPDATE customers SET email = 'x'; END $$",
        "CREATE RULE r AS ON INSERT TO customers DO ALSO NOTIFY x",
        "CREATE TRIGGER t BEFORE UPDATE ON customers FOR EACH ROW WHEN (NEW.email = 'x') EXECUTE FUNCTION g()",
        "CREATE TRIGGER t BEFORE UPDATE ON customers FOR EACH ROW WHEN (OLD.* <> NEW.*) EXECUTE FUNCTION g()",
        "CREATE POLICY p ON customers USING (email = current_user)",
        "CREATE POLICY p ON customers USING (customers IS NOT NULL)",
        "CREATE TRIGGER t AFTER UPDATE ON customers FOR EACH ROW WHEN (NEW IS DISTINCT FROM OLD) EXECUTE FUNCTION g()",
        "CREATE POLICY p ON customers WITH CHECK (id IN (SELECT id FROM customers))",
        "CREATE PUBLICATION p FOR TABLE customers WHERE (email = 'x')",
        "CREATE SCHEMA archive CREATE TABLE customers (email text)",
        "CREATE FOREIGN TABLE other (email text) SERVER s",
    ],
)
def test_code_that_the_server_would_run_on_sealed_columns_is_refused(shop: Database, statement: str) -> None:
    with pytest.raises(Refused) as refused:
        shop.run(statement)
    assert refused.value.sqlstate == "0A000"
    assert refused.value.hint


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.id := 1; RETURN NEW; END $$",
        "CREATE POLICY p ON customers USING (customers.id = 1)",
        "DO $$ BEGIN RAISE NOTICE 'x'; END $$",
        "COMMENT ON COLUMN customers.email IS 'where to write'",
        "GRANT SELECT ON customers TO PUBLIC",
        "TRUNCATE customers",
        "LOCK TABLE customers",
        "ANALYZE customers",
        "DROP TABLE customers",
        "DROP TABLE IF EXISTS nothing",
        "CREATE TEMP TABLE customers (email text DEFAULT 'temporary')",
        "CREATE TABLE orders (id int, customer int REFERENCES customers, CHECK (id > 0))",
        "CREATE TYPE pair AS (a int, email text)",
    ],
)
def test_what_concerns_no_sealed_value_is_forwarded_as_it_is(shop: Database, statement: str) -> None:
    assert shop.run(statement).template is None


def test_a_reference_by_bare_name_means_the_table_that_the_path_finds(shop: Database) -> None:
    shop.run("ALTER TABLE customers ADD UNIQUE (email)")
    shop.query("CREATE SCHEMA archive")
    shop.run("CREATE TABLE archive.customers (email text REFERENCES customers (email), CHECK (customers.email <> 'x'))")
    assert shop.types("archive.customers") == {"email": "sealwire.sealed"}
    shop.query("SET LOCAL search_path = archive, public")
    with pytest.raises(Refused, match="cannot reference"):
        shop.run("CREATE TABLE calls (phone varchar(24) REFERENCES customers (email))")


def test_a_new_column_must_suit_the_children_too(database: Database) -> None:
    database.query("CREATE TABLE customers (id int)")
    database.query("CREATE TABLE other () INHERITS (customers)")
    with pytest.raises(Refused, match="not sealed alike"):
        database.run("ALTER TABLE customers ADD COLUMN email text")
