"""A literal that meets a sealed column in a definition, wherever one can stand: cut out, or else refused."""

from __future__ import annotations

import pytest

from proxy.sql import analyse
from proxy.sql.catalog import Relation
from proxy.sql.plan import Failure
from tests.sql.ddl_server import column, policy_of
from tests.sql.test_analyse import PATH, SEALED, catalog_of, relation

POLICY = policy_of(
    *(
        column(f"public.{table}.email", "text", "equality", domain="mail")
        for table in ("t", "parted", "v", "n", "made")
    ),
    *(column(f"public.{table}.born", "text", "order", domain="born") for table in ("t", "ranged", "n")),
    column("public.t.notes", "text"),
    column("public.n.notes", "text"),
)


def partitioned(oid: int, name: str, **columns: int) -> Relation:
    made = relation(oid, name, "p", **columns)
    made.partition_key = (2,)
    return made


CATALOG = catalog_of(
    relation(1, "t", id=23, email=SEALED, born=SEALED, notes=SEALED),
    relation(2, "plain", id=23, name=25, email=25),
    relation(3, "seen", "v", " SELECT email, id FROM t;", email=SEALED, id=23),
    partitioned(4, "parted", id=23, email=SEALED),
    partitioned(5, "ranged", id=23, born=SEALED),
)

STATEMENTS = """
CREATE TABLE n (id int, email text DEFAULT 'CANARY')
CREATE TABLE n (id int, email text DEFAULT ('CANARY'))
CREATE TABLE n (id int, email text DEFAULT 'CANARY'::varchar(3))
CREATE TABLE n (id int, email text DEFAULT lower('CANARY'))
CREATE TABLE n (id int, email text DEFAULT 'CANARY' || '')
CREATE TABLE n (id int, email text CHECK (email = 'CANARY'))
CREATE TABLE n (id int CHECK (email = 'CANARY'), email text)
CREATE TABLE n (id int, email text, CHECK (n.email IN ('CANARY', 'CANARY2')))
CREATE TABLE n (id int, email text, CHECK (public.n.email IN ('CANARY')))
CREATE TABLE n (id int, email text, CHECK ('CANARY' = ANY (ARRAY[email])))
CREATE TABLE n (id int, notes text, CHECK (notes = 'CANARY'))
CREATE TABLE n (id int, email text, CHECK (ROW(n.*) = ROW(1, 'CANARY')))
CREATE TABLE n (id int, email text, CHECK (n = ROW(1, 'CANARY')::n))
CREATE TABLE n (id int, email text, CHECK (CASE WHEN id > 1 THEN email ELSE 'CANARY' END = 'CANARY'))
CREATE TABLE n (id int, email text, g boolean GENERATED ALWAYS AS (email = 'CANARY') STORED)
CREATE TABLE n (id int, email text, EXCLUDE USING gist (id WITH =) WHERE (email = 'CANARY'))
CREATE TABLE n (id int, email text, EXCLUDE USING gist ((email = 'CANARY') WITH =))
CREATE TABLE n (id int, email text) PARTITION BY LIST ((email = 'CANARY'))
CREATE TABLE n (LIKE plain, notes text DEFAULT 'CANARY')
CREATE TABLE n () INHERITS (t) WITH (fillfactor = 70)
CREATE TABLE c (email text DEFAULT 'CANARY') INHERITS (t)
CREATE TABLE c (CHECK (email = 'CANARY')) INHERITS (t)
CREATE TABLE c PARTITION OF parted (email DEFAULT 'CANARY') DEFAULT
CREATE TABLE c PARTITION OF parted (CHECK (email <> 'CANARY')) FOR VALUES IN ('CANARY')
CREATE TABLE c PARTITION OF parted FOR VALUES IN ('x', 'CANARY'::text)
CREATE TABLE c PARTITION OF ranged FOR VALUES FROM ('CANARY') TO (MAXVALUE)
CREATE TABLE c PARTITION OF ranged FOR VALUES FROM (MINVALUE) TO ('CANARY')
CREATE TABLE IF NOT EXISTS n (email text NOT NULL DEFAULT 'CANARY' UNIQUE)
CREATE TABLE n (email text CONSTRAINT k CHECK (email <> 'CANARY') NOT ENFORCED)
CREATE SCHEMA public CREATE TABLE n (email text DEFAULT 'CANARY')
CREATE SCHEMA AUTHORIZATION public CREATE TABLE n (email text DEFAULT 'CANARY')
CREATE FOREIGN TABLE n (email text DEFAULT 'CANARY') SERVER s
CREATE FOREIGN TABLE c PARTITION OF parted FOR VALUES IN ('CANARY') SERVER s
CREATE TABLE n OF pair (email WITH OPTIONS DEFAULT 'CANARY')
ALTER TABLE t ADD COLUMN x int CHECK (email = 'CANARY')
ALTER TABLE t ADD CHECK (email = 'CANARY') NOT VALID
ALTER TABLE t ADD CONSTRAINT k CHECK (born > 'CANARY')
ALTER TABLE t ADD COLUMN x boolean GENERATED ALWAYS AS (email = 'CANARY') VIRTUAL
ALTER TABLE t ALTER id SET EXPRESSION AS (email = 'CANARY')
ALTER TABLE t ALTER email SET DEFAULT 'CANARY'
ALTER TABLE IF EXISTS ONLY public.t ALTER COLUMN notes SET DEFAULT 'CANARY'
ALTER TABLE t ALTER email TYPE text USING 'CANARY'
ALTER TABLE t ALTER id TYPE int USING CASE email WHEN 'CANARY' THEN 1 END
ALTER TABLE t ADD EXCLUDE USING btree (id WITH =) WHERE (email = 'CANARY')
ALTER TABLE parted ATTACH PARTITION v FOR VALUES IN ('CANARY')
ALTER TABLE parted ATTACH PARTITION plain FOR VALUES IN ('CANARY')
ALTER VIEW seen ALTER email SET DEFAULT 'CANARY'
ALTER TABLE seen ALTER email SET DEFAULT 'CANARY'
ALTER TABLE IF EXISTS gone ALTER email SET DEFAULT 'CANARY'
ALTER TABLE gone ADD CHECK (email = 'CANARY')
CREATE INDEX ON t (id) WHERE email = 'CANARY'
CREATE INDEX ON t ((email = 'CANARY'))
CREATE INDEX ON t (coalesce(email, 'CANARY'))
CREATE INDEX ON gone (id) WHERE email = 'CANARY'
CREATE STATISTICS s ON (email = 'CANARY'), id FROM t
CREATE STATISTICS s ON (coalesce(notes, 'CANARY')), id FROM t
CREATE VIEW w AS SELECT id FROM t WHERE email = 'CANARY'
CREATE VIEW w AS SELECT coalesce(email, 'CANARY') FROM t
CREATE VIEW w AS SELECT id FROM seen WHERE email = 'CANARY'
CREATE RECURSIVE VIEW w (a) AS SELECT email FROM t WHERE email = 'CANARY' UNION SELECT a FROM w
CREATE MATERIALIZED VIEW w AS SELECT id, email = 'CANARY' AS x FROM t
CREATE TABLE made AS SELECT email FROM t WHERE email = 'CANARY'
CREATE TABLE made AS SELECT 'CANARY' AS email
CREATE TABLE made (email) AS VALUES ('CANARY')
CREATE TABLE other AS SELECT id FROM t WHERE email = 'CANARY'
SELECT 'CANARY' AS email INTO made
SELECT id INTO other FROM t WHERE email = 'CANARY'
EXPLAIN SELECT 'CANARY' AS email INTO made
EXPLAIN ANALYZE CREATE TABLE made AS SELECT 'CANARY' AS email
EXPLAIN UPDATE t SET email = 'CANARY'
EXPLAIN (FORMAT json) DECLARE c CURSOR FOR SELECT id FROM t WHERE email = 'CANARY'
PREPARE p AS UPDATE t SET email = 'CANARY'
DECLARE c CURSOR FOR SELECT id FROM t WHERE email = 'CANARY'
COPY t FROM STDIN WHERE email = 'CANARY'
COPY (SELECT id FROM t WHERE email = 'CANARY') TO STDOUT
COPY (UPDATE t SET email = 'CANARY' RETURNING id) TO STDOUT
COPY (SELECT id FROM t WHERE email = 'CANARY') TO PROGRAM 'cat'
CREATE RULE r AS ON DELETE TO plain DO ALSO UPDATE t SET email = 'CANARY'
CREATE RULE r AS ON INSERT TO t DO INSTEAD INSERT INTO plain VALUES (1, 'CANARY')
CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW WHEN (NEW.email = 'CANARY') EXECUTE FUNCTION f()
CREATE TRIGGER g BEFORE INSERT ON seen FOR EACH ROW WHEN (NEW.email = 'CANARY') EXECUTE FUNCTION f()
CREATE POLICY p ON t USING (email = 'CANARY')
CREATE POLICY p ON plain USING (id IN (SELECT id FROM t WHERE email = 'CANARY'))
ALTER POLICY p ON t WITH CHECK (t.email = 'CANARY')
CREATE PUBLICATION p FOR TABLE plain, t WHERE (email = 'CANARY')
ALTER PUBLICATION p SET TABLE t WHERE (email = 'CANARY')
CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'UPDATE T SET email = ''CANARY'''
CREATE OR REPLACE FUNCTION f(a text DEFAULT 'CANARY') RETURNS t LANGUAGE sql RETURN NULL
CREATE PROCEDURE f() BEGIN ATOMIC UPDATE t SET email = 'CANARY'; END
DO $do$ BEGIN UPDATE public."t" SET email = 'CANARY'; END $do$
CALL f(ROW(1, 'CANARY')::t)
SELECT ROW(1, 'CANARY')::t
WITH plain AS (UPDATE t SET email = 'CANARY' RETURNING id) SELECT * FROM plain
"""


@pytest.mark.parametrize("text", STATEMENTS.strip().splitlines())
def test_no_literal_of_a_sealed_column_stays_in_what_is_sent(text: str) -> None:
    (found,) = analyse(text, catalog=CATALOG, path=PATH, policy=POLICY)
    if isinstance(found, Failure):
        return
    if "CANARY" in text:
        assert found.plan.template is not None, "forwarded"
        assert "CANARY" not in "".join(found.plan.template)
        assert all("CANARY" in slot.text or slot.text == "x" for slot in found.plan.literals)
