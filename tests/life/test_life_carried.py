"""What hangs on a column comes along, or is named beforehand."""

from __future__ import annotations

import re

import psycopg
import pytest

from proxy.errors import ConfigError
from proxy.ops.life.plan import CannotWork

POLICY = """
public.people:
  email: {type: text, search: equality, join: mail}
  notes: {type: text}
public.orders:
  email: {type: text, search: equality, join: mail}
"""

SCHEMA = """
CREATE ROLE {reader};
CREATE TABLE people (
    id integer PRIMARY KEY,
    email text NOT NULL CONSTRAINT people_mail UNIQUE,
    notes text DEFAULT 'it''s nothing',
    tenant integer NOT NULL DEFAULT 1,
    CONSTRAINT reachable CHECK (email IS NOT NULL OR tenant > 5),
    CONSTRAINT per_tenant UNIQUE (tenant, email)
);
CREATE TABLE orders (id integer PRIMARY KEY, email text CONSTRAINT buyer REFERENCES people (email) ON DELETE CASCADE);
CREATE INDEX orders_by_mail ON orders (email text_pattern_ops) WHERE email IS NOT NULL;
CREATE INDEX orders_hash ON orders USING hash (email);
CREATE INDEX people_wide ON people (tenant) INCLUDE (notes);
CREATE STATISTICS people_statistics ON tenant, email FROM people;
ALTER TABLE people ALTER email SET STATISTICS 77, ALTER email SET (n_distinct = -1);
COMMENT ON COLUMN people.email IS 'where it''s sent';
COMMENT ON INDEX orders_by_mail IS 'an index';
COMMENT ON CONSTRAINT people_mail ON people IS 'one each';
COMMENT ON CONSTRAINT reachable ON people IS 'somehow';
GRANT SELECT (email), UPDATE (email) ON people TO {reader};
CREATE VIEW mails WITH (security_barrier = true) AS SELECT id, email AS mail FROM people WHERE email IS NOT NULL;
CREATE VIEW buyers AS SELECT m.mail, o.id AS order_id FROM mails m JOIN orders o ON o.email = m.mail;
COMMENT ON VIEW mails IS 'all of them';
COMMENT ON COLUMN mails.mail IS 'one of them';
GRANT SELECT ON mails TO {reader};
GRANT SELECT (mail) ON buyers TO {reader};
INSERT INTO people SELECT i, 'user' || i || '@example.org', CASE WHEN i % 3 > 0 THEN 'note ' || i END, i % 4
FROM generate_series(1, 500) i;
INSERT INTO orders SELECT i, 'user' || (i % 400 + 1) || '@example.org' FROM generate_series(1, 600) i;
INSERT INTO orders VALUES (1000, NULL);
"""

FACTS = {
    "constraints": "SELECT conname, contype::text, replace(pg_get_constraintdef(oid), '::text', ''), convalidated,"
    " obj_description(oid, 'pg_constraint') FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
    " AND contype IN ('p', 'u', 'f', 'c', 'n') ORDER BY conname",
    "indexes": "SELECT indexname, replace(replace(indexdef, ' text_pattern_ops', ''), '::text', ''),"
    " obj_description(indexname::regclass) FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
    "columns": "SELECT attrelid::regclass::text, attname, attnotnull, attstattarget, attoptions,"
    " col_description(attrelid, attnum), array_to_string(attacl, ',') FROM pg_attribute"
    " WHERE attrelid::regclass::text IN ('people', 'orders', 'mails', 'buyers') AND attnum > 0 AND NOT attisdropped"
    " ORDER BY 1, 2",
    "views": "SELECT oid::regclass::text, pg_get_viewdef(oid), reloptions, relowner, array_to_string(relacl, ','),"
    " obj_description(oid) FROM pg_class WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace ORDER BY 1",
    "statistics": "SELECT stxname, pg_get_statisticsobjdef(oid) FROM pg_statistic_ext",
}


def facts(scene) -> dict[str, list]:
    found = {name: scene.rows(query) for name, query in FACTS.items()}
    found["views"] = [(row[0], re.sub(r"\((\w+\.\w+)\)::bytea", r"\1", row[1]), *row[2:]) for row in found["views"]]
    found["statistics"] = [(name, sorted(re.findall(r"tenant|email", text))) for name, text in found["statistics"]]
    return found


@pytest.fixture
def people(either):
    reader = f"reader_{either.database.dbname}"
    either.set_policy(POLICY)
    either.sql.execute(SCHEMA.format(reader=reader))
    yield either
    either.sql.execute(f"DROP OWNED BY {reader}; DROP ROLE {reader}")


@pytest.mark.parametrize("in_place", [False, True])
async def test_all_that_hangs_on_two_tied_columns_comes_along_and_goes_back(people, in_place: bool) -> None:
    before = facts(people)
    people.sql.execute("ANALYZE people")
    await people.seal("public.people.email", "public.orders.email", "public.people.notes", in_place=in_place)
    assert facts(people) == before
    assert people.leftovers() == []
    assert people.opened("public.people.email")[7] == b"user7@example.org"
    assert people.value("SELECT count(*) FROM buyers") == 600
    position = people.value("SELECT attnum FROM pg_attribute WHERE attrelid = 'people'::regclass AND attname = 'email'")
    assert (position == 2) == in_place

    people.sql.execute("INSERT INTO people (id, email, tenant) SELECT 501, email, 9 FROM people WHERE false")
    sealed = people.keyring.sealer(people.column("public.people.email")).seal
    with pytest.raises(psycopg.errors.UniqueViolation):
        people.sql.execute("INSERT INTO people (id, email) VALUES (501, %s)", [sealed(b"user1@example.org")])
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        people.sql.execute("INSERT INTO orders VALUES (2000, %s)", [sealed(b"nobody@example.org")])
    with pytest.raises(psycopg.errors.NotNullViolation):
        people.sql.execute("INSERT INTO people (id, email) VALUES (502, NULL)")
    with pytest.raises(psycopg.errors.CheckViolation):
        people.sql.execute("INSERT INTO people (id, email) VALUES (503, 'plain@example.org')")
    people.sql.execute("INSERT INTO people (id, email) VALUES (504, %s)", [sealed(b"new@example.org")])
    assert people.opened("public.people.notes")[504] == b"it's nothing"
    plain = "SELECT count(*) FROM pg_stats WHERE concat(most_common_vals, histogram_bounds) LIKE '%example%'"
    assert people.value(plain) == 0

    await people.unseal("public.people.email", "public.orders.email", "public.people.notes", in_place=in_place)
    assert facts(people) == before
    assert people.leftovers() == []
    assert people.value("SELECT email FROM people WHERE id = 504") == "new@example.org"
    assert people.value("SELECT notes FROM people WHERE id = 504") == "it's nothing"
    people.sql.execute("INSERT INTO people (id, email) VALUES (505, 'x')")
    assert people.value("SELECT notes FROM people WHERE id = 505") == "it's nothing"


async def test_a_primary_key_is_sealed_with_what_refers_to_it(shop) -> None:
    shop.set_policy(
        """
public.a: {k: {type: bigint, search: equality, join: k}}
public.b: {k: {type: bigint, search: equality, join: k}}
"""
    )
    shop.sql.execute(
        "CREATE TABLE a (k bigint PRIMARY KEY, v text); CREATE TABLE b (id int, k bigint REFERENCES a);"
        "INSERT INTO a SELECT i, i FROM generate_series(1, 300) i;"
        "INSERT INTO b SELECT i, i FROM generate_series(1, 300) i"
    )
    await shop.seal("public.a.k", "public.b.k")
    assert shop.value("SELECT count(*) FROM a JOIN b USING (k)") == 300
    assert shop.rows(
        "SELECT conname, contype::text FROM pg_constraint WHERE contype IN ('p', 'f')"
        " AND connamespace = 'public'::regnamespace ORDER BY 1"
    ) == [
        ("a_pkey", "p"),
        ("b_k_fkey", "f"),
    ]
    assert shop.leftovers() == []


REFUSALS = [
    ("a text", "is not in the policy", "public.t.unlisted"),
    ("a varchar(9)", "is character varying(9), but the policy says text", None),
    ("a text", "the column does not exist", "public.t.b"),
    ("a text GENERATED ALWAYS AS ('x') STORED", "is generated or an identity column", None),
    ("a text DEFAULT current_user", "its DEFAULT is not a constant", None),
    ("a text PRIMARY KEY", "with search: none no two ciphertexts are equal", None),
    ("a text, CHECK (length(a) > 1)", "check constraint t_a_check looks inside it; drop", None),
    ("a text CHECK (a <> '')", "check constraint t_a_check looks inside it", None),
    ("a text, b text GENERATED ALWAYS AS (lower(a)) STORED", "cannot be carried", None),
    ("a text, e text REFERENCES parent", "ties it to public.parent; name both columns", "public.t.e"),
    ("a text; CREATE INDEX ON t (lower(a))", "has it in an expression", None),
    ("a text; CREATE INDEX ON t (a)", "is useless", None),
    ("e text; CREATE INDEX ON t USING brin (e)", "of no use on ciphertext", "public.t.e"),
    ("e text; CREATE INDEX ON t (e) WHERE e > 'm'", "has a predicate that looks inside it", "public.t.e"),
    ("e text; CREATE UNIQUE INDEX ON t (e) NULLS NOT DISTINCT", "use --in-place", "public.t.e"),
    ("e text; CREATE INDEX ON t (e); INSERT INTO t SELECT repeat('x', 3000)", "use a hash index", "public.t.e"),
    ("a text; CREATE VIEW v AS SELECT upper(a) FROM t", 'view public.v looks inside "a"', None),
    ("a text; CREATE VIEW v AS SELECT DISTINCT a FROM t", "view public.v compares whole rows", None),
    ("a text; CREATE VIEW v AS SELECT a b FROM t; CREATE VIEW w AS SELECT b || '' FROM v", "view public.w looks", None),
    ("a text; CREATE MATERIALIZED VIEW v AS SELECT a FROM t", "materialized view public.v holds a copy", None),
    ("a text; CREATE RULE r AS ON UPDATE TO t DO INSTEAD NOTHING", "its table has rules", None),
    ("a text; CREATE TABLE u () INHERITS (t)", "parents, children or partitions", None),
    ("a text) PARTITION BY HASH (a", "is in a partitioned table", None),
    (
        "a text; ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a = current_user)",
        "policy p on table public.t depends on it",
        None,
    ),
    (
        (
            "a text; CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
            "CREATE TRIGGER g AFTER UPDATE OF a ON t FOR EACH ROW EXECUTE FUNCTION f()"
        ),
        "trigger g on table",
        None,
    ),
    (
        (
            "a text; CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
            "CREATE TRIGGER zzzzz BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()"
        ),
        "fires after the job's own",
        None,
    ),
    ("a text, k int; CREATE PUBLICATION p_{name} FOR TABLE t", "has no replica identity", None),
    (
        "o numeric(4,1) NOT NULL, UNIQUE (o); ALTER TABLE t REPLICA IDENTITY USING INDEX t_o_key",
        "is in the index that is the table's replica identity",
        "public.t.o",
    ),
]


@pytest.mark.parametrize(("table", "reason", "column"), REFUSALS, ids=[case[1] for case in REFUSALS])
async def test_what_cannot_be_carried_is_said_before_anything_is_changed(
    refusal_scene, table: str, reason: str, column: str | None
) -> None:
    scene = refusal_scene
    scene.sql.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE parent (e text PRIMARY KEY)")
    head, _, rest = table.partition(";")
    scene.sql.execute(f"CREATE TABLE t ({head});{rest}".replace("{name}", scene.database.dbname))
    before = scene.rows("SELECT attname::text FROM pg_attribute WHERE attrelid = 't'::regclass")
    with pytest.raises((CannotWork, ConfigError)) as raised:
        await scene.seal(column or "public.t.a")
    assert reason in str(raised.value)
    assert "ERROR" not in str(raised.value)
    assert scene.rows("SELECT attname::text FROM pg_attribute WHERE attrelid = 't'::regclass") == before
    assert scene.leftovers() == []
