--! theme Edges of sessions and schemas
--! stateful

--# Names that shadow PostgreSQL's own

--! script An operator of another schema by its name
--! same
CREATE FUNCTION scratch.ci(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT pg_catalog.lower($1) OPERATOR(pg_catalog.=) pg_catalog.lower($2)';
--! same
CREATE OPERATOR scratch.= (LEFTARG = text, RIGHTARG = text, FUNCTION = scratch.ci);
--! refused another operator
SELECT id FROM customers WHERE email OPERATOR(scratch.=) 'ANN.OKONKWO1@quvex.example';

--! script An operator of a schema before pg_catalog
--! same
CREATE FUNCTION scratch.ci(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT pg_catalog.lower($1) OPERATOR(pg_catalog.=) pg_catalog.lower($2)';
--! same
CREATE OPERATOR scratch.= (LEFTARG = text, RIGHTARG = text, FUNCTION = scratch.ci);
--! same
SET search_path = scratch, public;
--! same
SELECT id FROM customers WHERE email = 'ANN.OKONKWO1@quvex.example';
--! same
SET search_path = scratch, public, pg_catalog;
--! refused another operator
SELECT id FROM customers WHERE email = 'ANN.OKONKWO1@quvex.example';
--! refused another operator
SELECT id FROM customers WHERE email IN ('ANN.OKONKWO1@quvex.example');
--! same
SELECT code FROM countries WHERE name = 'germany';
--! same
SET search_path = public, pg_catalog;
--! same
SELECT max(born), count(DISTINCT email) FROM customers WHERE email <> 'ANN.OKONKWO1@quvex.example';

--! script A function of a schema before pg_catalog
--! same
CREATE FUNCTION scratch.max(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
--! same
SET search_path = scratch, public, pg_catalog;
--! refused another function
SELECT max(full_name) FROM customers WHERE id = 1;
--! same
SELECT max(name) FROM countries WHERE code = 'DE';

--! script A type of a schema before pg_catalog
--! same
CREATE DOMAIN scratch.date AS pg_catalog.date CHECK (VALUE > '2000-01-01');
--! same
SET search_path = scratch, public, pg_catalog;
--! refused another type
SELECT id FROM customers WHERE born = '2007-03-14'::date;

--! script A collation of a schema before pg_catalog
--! same
CREATE COLLATION scratch."C" (locale = 'C');
--! same
SET search_path = scratch, public, pg_catalog;
--! refused another collation
SELECT id FROM customers ORDER BY full_name COLLATE "C", id;

--! script A temporary table with the name of a type
--! same
CREATE TEMP TABLE date (d integer);
--! same
DROP TABLE pg_temp.date;
--! same
SELECT id FROM customers WHERE born = '1987-03-14'::date;

--# What functions do to the session

--! script A function that sets the search_path
--! same
CREATE FUNCTION scratch.tenant(p text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('search_path', p, false); END $$;
--! same
SELECT scratch.tenant('vault');
--! same
SELECT email FROM customers ORDER BY id;
--! same
SELECT count(*) FROM customers WHERE email = 'plain1@open.example';
--! same
SELECT scratch.tenant('public');
--! same
UPDATE customers SET email = 'y@quvex.example' WHERE id = -1;
--! same
SELECT id FROM customers WHERE email = 'ann.okonkwo1@quvex.example';

--! script A function that makes and drops a temporary table
--! same
CREATE FUNCTION scratch.make() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'CREATE TEMP TABLE custo' || 'mers (id integer, email text)'; END $$;
--! same
CREATE FUNCTION scratch.drop() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DROP TABLE pg_temp.custo' || 'mers'; END $$;
--! same
SELECT scratch.make();
--! same
INSERT INTO customers VALUES (1, 'plain');
--! same
SELECT email FROM customers WHERE email = 'plain';
--! same
SELECT scratch.drop();
--! same
UPDATE customers SET email = 'y@quvex.example' WHERE id = -1;
--! same
SELECT id FROM customers WHERE email = 'ann.okonkwo1@quvex.example';

--! script set_config in a statement of its own kind
--! same
PREPARE s AS SELECT set_config('search_path', $1, false);
--! same
EXECUTE s ('vault');
--! same
SELECT count(*) FROM customers WHERE email = 'plain1@open.example';
--! same
EXECUTE s ('public');
--! same
SELECT count(*) FROM customers WHERE email = 'ann.okonkwo1@quvex.example';
--! same
BEGIN;
--! same
DECLARE c CURSOR FOR SELECT set_config('search_path', 'vault', false);
--! same
SELECT count(*) FROM customers WHERE email = 'ann.okonkwo1@quvex.example';
--! same
FETCH c;
--! same
SELECT count(*) FROM customers WHERE email = 'plain1@open.example';
--! same
ROLLBACK;

--! script DISCARD
--! same
SET search_path = vault;
--! same
SELECT count(*) FROM customers WHERE email = 'plain1@open.example';
--! same
DISCARD ALL;
--! same
SELECT count(*) FROM customers WHERE email = 'ann.okonkwo1@quvex.example';
--! same
CREATE TEMP TABLE customers (id integer, email text);
--! same
SELECT count(*) FROM customers WHERE email = 'plain';
--! same
DISCARD TEMP;
--! same
UPDATE customers SET email = 'y@quvex.example' WHERE id = -1;

--! script A view under another search_path
--! same
SELECT contact FROM customer_names WHERE id = 1;
--! same
SET search_path = vault;
--! same
SELECT contact FROM public.customer_names WHERE contact = 'ann.okonkwo1@quvex.example';
--! same
SELECT name FROM public.german_customers WHERE name LIKE 'Ann%';

--# Scripts in one Query string

--! script Changes of the path
--! same [simple]
SET search_path = vault; SELECT count(*) FROM customers WHERE email = 'plain1@open.example'; SET search_path = public; SELECT count(*) FROM customers WHERE email = 'ann.okonkwo1@quvex.example';
--! same [simple]
CREATE TEMP TABLE customers (id integer, email text); INSERT INTO customers VALUES (1, 'plain'); SELECT email FROM customers WHERE email = 'plain'; DROP TABLE customers; SELECT count(*) FROM customers WHERE email = 'ann.okonkwo1@quvex.example';
--! same [simple]
BEGIN; CREATE TABLE scratch.people (id integer, email text); INSERT INTO scratch.people VALUES (1, 'x@quvex.example'); ROLLBACK; CREATE TABLE scratch.people (email text, id integer); INSERT INTO scratch.people VALUES ('x@quvex.example', 1); SELECT * FROM scratch.people;
--! same [simple]
PREPARE pp AS SELECT id FROM customers WHERE email = $1; EXECUTE pp ('ann.okonkwo1@quvex.example'); DEALLOCATE pp;
--! same [simple]
BEGIN; DECLARE c CURSOR FOR SELECT email FROM customers ORDER BY id; FETCH 2 FROM c; COMMIT;
--! same [simple]
BEGIN; CREATE TEMP TABLE x (a integer); DECLARE b BINARY CURSOR FOR SELECT id, email, born FROM customers ORDER BY id; FETCH 2 FROM b; ROLLBACK;

--# PREPARE and EXECUTE

--! script Types are decided when the statement is prepared
--! error 42883
PREPARE p (integer) AS SELECT id FROM customers WHERE email = $1;
--! error 42883
PREPARE p (integer[]) AS SELECT id FROM customers WHERE born = ANY ($1);
--! error 42804
PREPARE p (integer) AS INSERT INTO customers (full_name, born) VALUES ('Zeltner', $1);

--! script An argument becomes the parameter's type
--! same
PREPARE p (integer) AS SELECT id FROM customers WHERE balance = $1;
--! same
EXECUTE p (99.5);
--! same
EXECUTE p ('100');
--! refused computed argument
EXECUTE p (50 + 50);

--! script A table made of a sealed prepared statement
--! same
PREPARE p AS SELECT email FROM customers WHERE status = 'vip';
--! refused column in no policy
CREATE TEMP TABLE t AS EXECUTE p;

--! script A table of the policy made by EXECUTE
--! same
PREPARE p AS SELECT 1 AS id, 'x' AS email;
--! refused in the policy
CREATE TABLE scratch.copied AS EXECUTE p;

--! script EXPLAIN of everything
--! same
PREPARE p AS SELECT id FROM customers WHERE email = $1;
--! differs EXPLAIN prints (sealed) for a sealed literal
EXPLAIN (COSTS OFF) EXECUTE p ('ann.okonkwo1@quvex.example');
--! differs EXPLAIN prints (sealed) for a sealed literal
EXPLAIN (COSTS OFF) CREATE TABLE scratch.x AS SELECT id FROM customers WHERE email = 'ann.okonkwo1@quvex.example';
--! differs EXPLAIN prints (sealed) for a sealed literal
EXPLAIN (COSTS OFF) DECLARE c CURSOR FOR SELECT id FROM customers WHERE email = 'ann.okonkwo1@quvex.example';
--! differs EXPLAIN prints (sealed) for a sealed literal
EXPLAIN (COSTS OFF, FORMAT JSON) SELECT id FROM customers WHERE status = 'vip';

--# Row types of sealed tables

--! script In a table
--! refused row type
CREATE TABLE scratch.x (c customers);

--! script In an array
--! refused row type
CREATE TABLE scratch.x (c customers[]);

--! script In a composite type
--! refused row type
CREATE TYPE scratch.x AS (c customers, d integer);

--! script In a domain
--! refused row type
CREATE DOMAIN scratch.x AS customers;

--! script Added to a type
--! same
CREATE TYPE scratch.x AS (d integer);
--! refused row type
ALTER TYPE scratch.x ADD ATTRIBUTE c public.customers;

--! script Added to a table
--! same
CREATE TABLE scratch.x (d integer, c countries);
--! same
INSERT INTO scratch.x VALUES (1, ROW ('XX', 'X', 1.0, false));
--! same
SELECT (c).name FROM scratch.x;
--! refused row type
ALTER TABLE scratch.x ADD COLUMN e public.customers;

--! script In a function
--! refused row type
CREATE FUNCTION scratch.f(c customers) RETURNS integer LANGUAGE sql RETURN c.id;

--# Columns of one domain that hold different values

--! script Wide and narrow
--! same
CREATE TABLE scratch.twins (id integer, short varchar(10), long varchar(30), code4 char(4), code8 char(8), coarse timestamp(0), fine timestamp);
--! same
INSERT INTO scratch.twins VALUES (1, 'wistful', 'wistful', 'ab', 'ab', '2021-05-15 01:15:00.6', '2021-05-15 01:15:01'), (2, 'a', 'wistful and more', 'abcd', 'abcdefgh', NULL, '2021-05-15 01:15:00.6');
--! same
SELECT id FROM scratch.twins WHERE short = long;
--! same
SELECT id FROM scratch.twins WHERE code4 = code8;
--! same
SELECT id FROM scratch.twins WHERE coarse = fine;
--! same
UPDATE scratch.twins SET long = short, fine = coarse;
--! same
SELECT coalesce(long, short) FROM scratch.twins;
--! same
SELECT short FROM scratch.twins UNION ALL SELECT long FROM scratch.twins;
--! refused wide into narrow
UPDATE scratch.twins SET short = long;
--! refused fine into coarse
UPDATE scratch.twins SET coarse = fine;
--! refused lengths of char
SELECT coalesce(code4, code8) FROM scratch.twins;

--# Constraints, partitions and indexes

--! script Expressions over a sealed column
--! same
CREATE TABLE scratch.people (id integer, email text, name varchar(30) COLLATE "C", born date, note text, money numeric(8,2));
--! same
INSERT INTO scratch.people VALUES (1, 'ann@quvex.example', 'Ann Zeltner', '1987-03-14', 'wistful', 5);
--! same
ALTER TABLE scratch.people ADD COLUMN flag boolean GENERATED ALWAYS AS (email = 'ann@quvex.example') STORED;
--! same
SELECT flag FROM scratch.people;
--! same
ALTER TABLE scratch.people ADD COLUMN size bigint;
--! same
ALTER TABLE scratch.people ALTER COLUMN size TYPE integer USING CASE WHEN email = 'ann@quvex.example' THEN 7 ELSE 8 END;
--! same
SELECT size FROM scratch.people;
--! same
CREATE STATISTICS scratch.st ON (email = 'ann@quvex.example'), id FROM scratch.people;
--! same
CREATE STATISTICS scratch.st2 ON email, born FROM scratch.people;
--! same
CREATE INDEX ON scratch.people (id) WHERE email = 'ann@quvex.example';
--! same
CREATE INDEX ON scratch.people ((email = 'ann@quvex.example'));
--! same
CREATE INDEX ON scratch.people (id) INCLUDE (note, email);
--! same
CREATE INDEX ON scratch.people (name text_pattern_ops);
--! same
ALTER TABLE scratch.people ADD CONSTRAINT c1 CHECK (email <> 'bad@quvex.example') NOT VALID;
--! same
ALTER TABLE scratch.people ADD CONSTRAINT c2 CHECK (name LIKE 'Ann%' OR born > '1900-01-01');
--! error 23514
INSERT INTO scratch.people (id, email) VALUES (2, 'bad@quvex.example');
--! same
ALTER TABLE scratch.people ADD COLUMN extra text DEFAULT 'plain' CHECK (email IS NOT NULL);
--! same
SELECT email FROM scratch.people WHERE email = 'ann@quvex.example';
--! refused computed statistics
CREATE STATISTICS scratch.st3 ON (lower(email)), id FROM scratch.people;
--! refused statistics without search
CREATE STATISTICS scratch.st4 ON note, id FROM scratch.people;
--! refused another index
CREATE INDEX ON scratch.people USING brin (money);

--! script The type of a sealed column
--! same
CREATE TABLE scratch.people (id integer, email text, name varchar(30) COLLATE "C");
--! same
INSERT INTO scratch.people VALUES (1, 'ann@quvex.example', 'Ann Zeltner');
--! same
ALTER TABLE scratch.people ALTER COLUMN email TYPE text COLLATE "C" USING email;
--! same
ALTER TABLE scratch.people ALTER COLUMN email TYPE text;
--! same
SELECT id FROM scratch.people WHERE email = 'ann@quvex.example';
--! refused the policy comes first
ALTER TABLE scratch.people ALTER COLUMN name TYPE varchar(60);
--! refused computed values
ALTER TABLE scratch.people ALTER COLUMN email TYPE text USING 'x@quvex.example';

--! script Triggers with a condition
--! same
CREATE TABLE scratch.people (id integer, email text, money numeric(8,2));
--! same
CREATE TRIGGER t BEFORE UPDATE OF email ON scratch.people FOR EACH ROW WHEN (old.id > 5) EXECUTE FUNCTION suppress_redundant_updates_trigger();
--! refused trigger condition
CREATE TRIGGER u BEFORE UPDATE OF email ON scratch.people FOR EACH ROW WHEN (old.money > 5) EXECUTE FUNCTION suppress_redundant_updates_trigger();

--! script A trigger function
--! refused sealed field
CREATE FUNCTION scratch.f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.email := 'x@quvex.example'; RETURN NEW; END $$;

--! script A rule on a plain table
--! same
CREATE TABLE scratch.log (id integer, what text);
--! refused rule
CREATE RULE r AS ON INSERT TO scratch.log DO ALSO UPDATE people SET email = 'x@quvex.example';
--! refused row security
CREATE POLICY p ON scratch.log USING (EXISTS (SELECT 1 FROM customers WHERE email = 'x@quvex.example'));

--! script Partitions by list
--! same
CREATE TABLE scratch.parted (id integer, email text, amount integer) PARTITION BY LIST (email);
--! same
CREATE TABLE scratch.parted_a PARTITION OF scratch.parted FOR VALUES IN ('a@quvex.example', NULL, 'b@quvex.example');
--! same
INSERT INTO scratch.parted VALUES (1, 'a@quvex.example', 5), (2, NULL, 6);
--! error 23514
INSERT INTO scratch.parted VALUES (3, 'c@quvex.example', 5);
--! same
SELECT id FROM scratch.parted_a WHERE email = 'a@quvex.example';

--! script A plain table as a partition
--! same
CREATE TABLE scratch.parted (id integer, email text) PARTITION BY LIST (id);
--! same
CREATE TABLE scratch.plain (id integer, email text);
--! refused not sealed alike
ALTER TABLE scratch.parted ATTACH PARTITION scratch.plain FOR VALUES IN (1);

--! script Partitions by a range of an equality column
--! refused order
CREATE TABLE scratch.parted (id integer, email text COLLATE "C") PARTITION BY RANGE (email);

--! script Partitions by an expression
--! refused expression
CREATE TABLE scratch.parted (id integer, email text) PARTITION BY LIST (lower(email));

--! script A reference to a plain column
--! refused another domain
CREATE TABLE scratch.people (id integer, email text REFERENCES countries (name));

--! script A reference to another domain
--! refused another domain
CREATE TABLE scratch.pets (owner text REFERENCES cards (number));

--! script EXCLUDE
--! refused EXCLUDE
CREATE TABLE scratch.people (id integer, email text, EXCLUDE USING hash (email WITH =));

--! script Another collation
--! same
CREATE COLLATION scratch.other (locale = 'C');
--! refused collation
CREATE TABLE scratch.people (id integer, email text COLLATE scratch.other);
--! same
SET search_path = scratch, public;
--! refused collation
SELECT id FROM customers ORDER BY full_name COLLATE other, id;

--! script Moved out of the policy
--! same
CREATE TABLE scratch.people (id integer, email text);
--! refused leaves the policy
ALTER TABLE scratch.people SET SCHEMA vault;

--# Views and derived tables

--! script A view with a check
--! same
CREATE TABLE scratch.people (id integer, email text);
--! same
CREATE VIEW scratch.v AS SELECT id, email FROM scratch.people WHERE email <> 'none@quvex.example' WITH CHECK OPTION;
--! error 44000
INSERT INTO scratch.v VALUES (1, 'none@quvex.example');
--! same
INSERT INTO scratch.v VALUES (1, 'ok@quvex.example');
--! refused default of a view
ALTER VIEW scratch.v ALTER COLUMN email SET DEFAULT 'x@quvex.example';

--! script A view that mixes
--! same
CREATE VIEW scratch.v AS SELECT id, coalesce(email, 'none@quvex.example') AS e FROM customers;
--! same
SELECT id, e FROM scratch.v WHERE e = 'none@quvex.example';

--! script A materialized view
--! same
CREATE MATERIALIZED VIEW scratch.m AS SELECT id, email FROM customers WHERE email <> 'none@quvex.example';
--! same
SELECT id FROM scratch.m WHERE email = 'ann.okonkwo1@quvex.example';
--! refused index of a view
CREATE INDEX ON scratch.m ((email = 'x@quvex.example'));

--! script Tables made of literals
--! refused in no policy
CREATE TABLE scratch.x AS SELECT 'x@quvex.example' AS email UNION ALL SELECT email FROM customers;

--! script A table of the policy made of literals
--! refused plain values
CREATE TABLE scratch.copied (id, email) AS VALUES (1, 'x@quvex.example');

--! script A table of the policy made by SELECT INTO
--! refused plain values
SELECT 1 AS id, 'x@quvex.example' AS email INTO scratch.copied;

--! script A comparison as a column
--! same
CREATE TABLE scratch.x AS SELECT id, email = 'ann.okonkwo1@quvex.example' AS is_ann FROM customers;
--! same
SELECT count(*) FROM scratch.x WHERE is_ann;

--# COPY

--! script WHERE that computes
--! refused function
COPY customers (id, full_name) FROM STDIN WHERE lower(full_name) = 'x';

--! script Errors that are ignored
--! refused ON_ERROR [pg18]
COPY customers (id, full_name) FROM STDIN (ON_ERROR ignore);

--! script Functions of the names of pg_catalog's, for one type
--! same
CREATE FUNCTION scratch.unnest(text[]) RETURNS SETOF text LANGUAGE sql IMMUTABLE AS 'SELECT ''another''::text';
--! same
CREATE FUNCTION scratch.both(text[], text) RETURNS text[] LANGUAGE sql IMMUTABLE AS 'SELECT ARRAY[''another'']';
--! same
CREATE AGGREGATE scratch.array_agg(text) (sfunc = scratch.both, stype = text[], initcond = '{}');
--! same
SELECT c.id FROM customers c JOIN unnest(ARRAY['ann.okonkwo1@quvex.example']) x ON x = c.email;
--! same
SELECT array_agg(email ORDER BY id) FROM customers;
--! same
SET search_path = public, scratch;
--! same
SELECT unnest(ARRAY['plain']), array_agg('plain'::text);
--! refused which unnest
SELECT c.id FROM customers c JOIN unnest(ARRAY['ann.okonkwo1@quvex.example']) x ON x = c.email;
--! refused which unnest
SELECT c.id FROM customers c WHERE email IN (SELECT unnest(ARRAY['ann.okonkwo1@quvex.example']));
--! refused which array_agg
SELECT array_agg(email ORDER BY id) FROM customers;
--! same
SELECT c.id FROM customers c JOIN pg_catalog.unnest(ARRAY['ann.okonkwo1@quvex.example']) x ON x = c.email;
--! same
SELECT pg_catalog.array_agg(email ORDER BY id) FROM customers;

--! script Operators of the names of pg_catalog's, for one type
--! same
CREATE FUNCTION scratch.never(varchar, varchar) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT false';
--! same
CREATE OPERATOR scratch.= (leftarg = varchar, rightarg = varchar, function = scratch.never);
--! same
CREATE OPERATOR scratch.~~ (leftarg = varchar, rightarg = varchar, function = scratch.never);
--! same
SELECT id FROM customers WHERE status = 'vip' AND full_name LIKE 'A%' ORDER BY id;
--! same
SET search_path = public, scratch;
--! refused which =
SELECT id FROM customers WHERE phone = '+49-711-55001'::varchar;
--! refused which =
SELECT a.id FROM customers a JOIN employees b USING (phone);
--! refused which LIKE
SELECT id FROM customers WHERE full_name LIKE 'A%'::varchar;
--! same
SELECT status, count(*) FROM customers GROUP BY status;
