--! theme Schema changes
--! stateful

--# CREATE TABLE

--! script A sealed table from nothing
--! same
CREATE TABLE scratch.people (id integer PRIMARY KEY, email text UNIQUE, name varchar(30) COLLATE "C" NOT NULL, born date, note text, money numeric(8,2) DEFAULT 5);
--! same
INSERT INTO scratch.people VALUES (1, 'ann@quvex.example', 'Ann Zeltner', '1987-03-14', 'wistful', 7731.45), (2, 'bo@quvex.example', 'Bo Zeltner', NULL, NULL, DEFAULT);
--! same
SELECT * FROM scratch.people;
--! same
SELECT id FROM scratch.people WHERE email = 'ann@quvex.example' AND money > 100;
--! same
SELECT id, money FROM scratch.people ORDER BY money DESC, id;
--! error 23505
INSERT INTO scratch.people (id, email, name) VALUES (3, 'ann@quvex.example', 'Eve Zeltner');
--! error 23502
INSERT INTO scratch.people (id, email) VALUES (3, 'eve@quvex.example');
--! error 22001
INSERT INTO scratch.people (id, name) VALUES (3, 'Zeltner Zeltner Zeltner Zeltner Zeltner');
--! same
DROP TABLE scratch.people;

--! script Keys and references between sealed columns
--! same
CREATE TABLE scratch.people (id integer, email text PRIMARY KEY, name varchar(30) COLLATE "C", UNIQUE (email, name));
--! same
CREATE TABLE scratch.pets (id integer PRIMARY KEY, owner text NOT NULL REFERENCES scratch.people (email) ON DELETE CASCADE ON UPDATE CASCADE, chip uuid UNIQUE);
--! same
INSERT INTO scratch.people VALUES (1, 'ann@quvex.example', 'Ann Zeltner');
--! same
INSERT INTO scratch.pets VALUES (1, 'ann@quvex.example', 'b4d6e001-5ea1-4000-8000-000000000001');
--! error 23503
INSERT INTO scratch.pets VALUES (2, 'bo@quvex.example', NULL);
--! same
UPDATE scratch.people SET email = 'ann2@quvex.example';
--! same
SELECT owner FROM scratch.pets;
--! same
DELETE FROM scratch.people WHERE email = 'ann2@quvex.example';
--! same
SELECT count(*) FROM scratch.pets;

--! script IF NOT EXISTS and quoted definition
--! same
CREATE TABLE IF NOT EXISTS scratch.people ("id" integer GENERATED ALWAYS AS IDENTITY, "email" text, "name" character varying(30) COLLATE "C", "born" date);
--! same
CREATE TABLE IF NOT EXISTS scratch.people (id integer, email text, name varchar(30), born date);
--! same
INSERT INTO scratch.people (email, name) VALUES ('ann@quvex.example', 'Ann Zeltner') RETURNING *;

--! script A default on a sealed column
--! same
CREATE TABLE scratch.people (id integer, email text DEFAULT 'none@quvex.example', money numeric(8,2) DEFAULT -1.5);
--! same
INSERT INTO scratch.people (id) VALUES (1) RETURNING *;
--! same
ALTER TABLE scratch.people ALTER COLUMN email SET DEFAULT 'other@quvex.example';
--! same
INSERT INTO scratch.people (id) VALUES (2) RETURNING email;
--! same
ALTER TABLE scratch.people ALTER email DROP DEFAULT;
--! same
INSERT INTO scratch.people (id) VALUES (3) RETURNING email;

--! script A policy column with another type
--! refused type of another family
CREATE TABLE scratch.people (id integer, email integer);

--! script A default that is no literal
--! refused default expression
CREATE TABLE scratch.people (id integer, born date DEFAULT current_date);

--! script CHECK that the scheme carries
--! same
CREATE TABLE scratch.people (id integer, money numeric(8,2) CHECK (money > 0), email text CHECK (email <> ''));
--! error 23514
INSERT INTO scratch.people VALUES (1, -5, 'x@quvex.example');
--! error 23514
INSERT INTO scratch.people VALUES (1, 5, '');
--! same
INSERT INTO scratch.people VALUES (1, 5, 'x@quvex.example') RETURNING *;

--! script CHECK that it does not carry
--! refused function in CHECK
CREATE TABLE scratch.people (id integer, email text CHECK (lower(email) = email));

--! script Order on an equality column
--! refused CHECK order
CREATE TABLE scratch.people (id integer, email text CHECK (email > 'a'));

--! script UNIQUE on a column without search
--! refused UNIQUE without search
CREATE TABLE scratch.people (id integer, note text UNIQUE);

--! script Generated from a sealed column
--! refused generated
CREATE TABLE scratch.people (id integer, email text, domain_part text GENERATED ALWAYS AS (split_part(email, '@', 2)) STORED);

--! script A sealed column that is generated
--! refused generated
CREATE TABLE scratch.people (id integer, note text GENERATED ALWAYS AS ('x' || id::text) STORED);

--! script Partitions by hash of a sealed column
--! same
CREATE TABLE scratch.parted (id integer, email text, amount integer) PARTITION BY HASH (email);
--! same
CREATE TABLE scratch.parted_0 PARTITION OF scratch.parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
--! same
CREATE TABLE scratch.parted_1 PARTITION OF scratch.parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
--! same
INSERT INTO scratch.parted SELECT id, email, 5 FROM customers;
--! same
SELECT id FROM scratch.parted WHERE email = 'ann.okonkwo1@quvex.example';
--! same
SELECT count(*), max(amount) FROM scratch.parted;

--! script Partitions by range of a sealed order column
--! same
CREATE TABLE scratch.parted (id integer, email text, amount integer) PARTITION BY RANGE (amount);
--! same
CREATE TABLE scratch.parted_low PARTITION OF scratch.parted FOR VALUES FROM (MINVALUE) TO (100);
--! same
CREATE TABLE scratch.parted_high PARTITION OF scratch.parted FOR VALUES FROM (100) TO (MAXVALUE);
--! same
INSERT INTO scratch.parted VALUES (1, NULL, 5), (2, NULL, 500), (3, NULL, 100);
--! same
SELECT id, amount FROM scratch.parted_high;

--! script Attached and inherited
--! same
CREATE TABLE scratch.people (id integer, email text);
--! same
CREATE TABLE scratch.heirs (extra text) INHERITS (scratch.people);
--! same
INSERT INTO scratch.heirs VALUES (1, 'heir@quvex.example', 'plain');
--! same
SELECT email FROM scratch.people WHERE email = 'heir@quvex.example';
--! same
DROP TABLE scratch.heirs;

--# CREATE TABLE AS, SELECT INTO, LIKE

--! script CTAS of plain columns
--! same
CREATE TABLE scratch.plain AS SELECT id, region FROM customers;
--! same
SELECT count(*) FROM scratch.plain;

--! script CTAS into a table of the policy
--! same
CREATE TABLE scratch.copied AS SELECT id, email FROM customers;
--! same
SELECT id, email FROM scratch.copied WHERE email = 'ann.okonkwo1@quvex.example';

--! script CTAS of a sealed column into none
--! refused column in no policy
CREATE TABLE scratch.plain AS SELECT id, email FROM customers;

--! script SELECT INTO of a sealed column
--! refused column in no policy
SELECT id, email INTO scratch.plain FROM customers;

--! script SELECT INTO of plain columns
--! same
SELECT id, points INTO scratch.plain FROM customers WHERE email IS NOT NULL;
--! same
SELECT count(*) FROM scratch.plain;

--! script LIKE of a sealed table
--! refused column in no policy
CREATE TABLE scratch.plain (LIKE customers);

--! script Materialized view of a sealed column
--! same
CREATE MATERIALIZED VIEW scratch.plain_view AS SELECT id, points FROM customers WHERE status = 'vip';
--! same
SELECT count(*) FROM scratch.plain_view;
--! same
REFRESH MATERIALIZED VIEW scratch.plain_view;

--! script Temporary table of a sealed column
--! refused column in no policy
CREATE TEMP TABLE t AS SELECT email FROM customers;

--# Views

--! script Views over sealed columns
--! same
CREATE VIEW scratch.v AS SELECT id, email AS mail, balance FROM customers WHERE balance > 0;
--! same
SELECT mail FROM scratch.v WHERE mail = 'ann.okonkwo1@quvex.example';
--! same
CREATE VIEW scratch.w (number, contact) AS SELECT id, mail FROM scratch.v;
--! same
SELECT contact FROM scratch.w WHERE number < 10;
--! same
CREATE OR REPLACE VIEW scratch.w (number, contact) AS SELECT id, mail FROM scratch.v WHERE id > 5;
--! same
SELECT contact FROM scratch.w WHERE number < 10;
--! same
ALTER VIEW scratch.w RENAME COLUMN contact TO address;
--! same
SELECT address FROM scratch.w WHERE number < 10;
--! same
DROP VIEW scratch.w, scratch.v;

--! script A view with a sealed literal
--! same
CREATE VIEW scratch.vips AS SELECT id, full_name FROM customers WHERE status = 'vip' AND full_name LIKE 'Ann%';
--! same
SELECT * FROM scratch.vips;

--! script A view that computes
--! refused function
CREATE VIEW scratch.v AS SELECT lower(email) AS e FROM customers;

--# ALTER TABLE

--! script Add and drop
--! same
CREATE TABLE scratch.people (id integer);
--! same
INSERT INTO scratch.people VALUES (1);
--! same
ALTER TABLE scratch.people ADD COLUMN email text, ADD COLUMN other text;
--! same
INSERT INTO scratch.people VALUES (2, 'ann@quvex.example', 'plain');
--! same
SELECT * FROM scratch.people;
--! same
SELECT id FROM scratch.people WHERE email = 'ann@quvex.example';
--! same
ALTER TABLE scratch.people DROP COLUMN email;
--! same
SELECT * FROM scratch.people;
--! error 42703
SELECT email FROM scratch.people;

--! script Add with a default
--! same
CREATE TABLE scratch.people (id integer);
--! same
INSERT INTO scratch.people VALUES (1);
--! same
ALTER TABLE scratch.people ADD COLUMN email text DEFAULT 'old@quvex.example' NOT NULL;
--! same
SELECT id FROM scratch.people WHERE email = 'old@quvex.example';

--! script Constraints and indexes
--! same
CREATE TABLE scratch.people (id integer, email text, name varchar(30) COLLATE "C", money numeric(8,2), note text);
--! same
INSERT INTO scratch.people VALUES (1, 'ann@quvex.example', 'Ann Zeltner', 5, 'wistful');
--! same
ALTER TABLE scratch.people ADD CONSTRAINT one UNIQUE (email);
--! same
ALTER TABLE scratch.people ALTER COLUMN name SET NOT NULL;
--! same
ALTER TABLE scratch.people ADD CHECK (money >= 0);
--! same
CREATE INDEX ON scratch.people (name);
--! same
CREATE INDEX people_money ON scratch.people (money DESC NULLS LAST) WHERE money > 100;
--! same
CREATE UNIQUE INDEX people_both ON scratch.people (email, name);
--! same
CREATE INDEX people_hash ON scratch.people USING hash (email);
--! error 23505
INSERT INTO scratch.people VALUES (2, 'ann@quvex.example', 'Eve Zeltner', 5);
--! error 23514
INSERT INTO scratch.people VALUES (2, 'eve@quvex.example', 'Eve Zeltner', -5);
--! same
INSERT INTO scratch.people VALUES (2, 'ann@quvex.example', 'Eve Zeltner', 5) ON CONFLICT ON CONSTRAINT one DO UPDATE SET name = excluded.name RETURNING name;
--! same
ALTER TABLE scratch.people DROP CONSTRAINT one;
--! same
ALTER TABLE scratch.people ALTER name DROP NOT NULL;
--! same
DROP INDEX scratch.people_money;

--! script An expression index
--! same
CREATE TABLE scratch.people (id integer, email text);
--! refused expression index
CREATE INDEX ON scratch.people (lower(email));

--! script An index on a column without search
--! same
CREATE TABLE scratch.people (id integer, note text);
--! refused index without search
CREATE INDEX ON scratch.people (note);

--! script Type changes within the family
--! same
CREATE TABLE scratch.people (id integer, email text, name varchar(30) COLLATE "C");
--! same
INSERT INTO scratch.people VALUES (1, 'ann@quvex.example', 'Ann Zeltner');
--! refused type of another family
ALTER TABLE scratch.people ALTER COLUMN name TYPE integer USING 1;

--! script Renaming
--! same
CREATE TABLE scratch.people (id integer, email text, extra text);
--! same
INSERT INTO scratch.people VALUES (1, 'ann@quvex.example', 'plain');
--! same
ALTER TABLE scratch.people RENAME COLUMN extra TO more;
--! same
SELECT id, email, more FROM scratch.people;
--! error 42704
ALTER TABLE scratch.people RENAME CONSTRAINT nothing TO something;

--! script Renaming a sealed column away from the policy
--! same
CREATE TABLE scratch.people (id integer, email text);
--! refused leaves the policy
ALTER TABLE scratch.people RENAME COLUMN email TO mail;

--! script Renaming a sealed table away from the policy
--! same
CREATE TABLE scratch.people (id integer, email text);
--! refused leaves the policy
ALTER TABLE scratch.people RENAME TO humans;

--! script Other changes
--! same
CREATE TABLE scratch.people (id integer, email text);
--! same
ALTER TABLE scratch.people OWNER TO CURRENT_USER;
--! same
ALTER TABLE scratch.people ALTER COLUMN email SET STATISTICS 50;
--! same
ALTER TABLE scratch.people ENABLE ROW LEVEL SECURITY;
--! same
ALTER TABLE scratch.people SET (fillfactor = 90);
--! same
COMMENT ON COLUMN scratch.people.email IS 'sealed';
--! same
TRUNCATE scratch.people;
--! same
DROP TABLE IF EXISTS scratch.people, scratch.never;

--# DDL in transactions

--! script DDL and DML in one transaction
--! same
BEGIN;
--! same
CREATE TABLE scratch.people (id integer, email text, money numeric(8,2));
--! same
INSERT INTO scratch.people VALUES (1, 'ann@quvex.example', 5);
--! same
SELECT email FROM scratch.people WHERE email = 'ann@quvex.example';
--! same
ALTER TABLE scratch.people ADD COLUMN born date;
--! same
UPDATE scratch.people SET born = '1987-03-14';
--! same
SELECT * FROM scratch.people WHERE born < '2000-01-01';
--! same
COMMIT;
--! same
SELECT count(*) FROM scratch.people WHERE born = '1987-03-14';

--! script Rolled back
--! same
BEGIN;
--! same
CREATE TABLE scratch.people (id integer, email text);
--! same
ROLLBACK;
--! error 42P01
SELECT email FROM scratch.people;
--! same
CREATE TABLE scratch.people (email text, id integer);
--! same
INSERT INTO scratch.people VALUES ('ann@quvex.example', 1) RETURNING *;

--! script DDL and savepoints
--! same
BEGIN;
--! same
CREATE TABLE scratch.people (id integer, email text);
--! same
SAVEPOINT a;
--! same
ALTER TABLE scratch.people DROP COLUMN email;
--! error 42703
SELECT email FROM scratch.people;
--! same
ROLLBACK TO SAVEPOINT a;
--! same
INSERT INTO scratch.people VALUES (1, 'ann@quvex.example') RETURNING email;
--! same
RELEASE SAVEPOINT a;
--! same
COMMIT;
--! same
SELECT email FROM scratch.people;

--! script DDL and DML in one Query string
--! same [simple]
CREATE TABLE scratch.people (id integer, email text); INSERT INTO scratch.people VALUES (1, 'ann@quvex.example'); SELECT email FROM scratch.people WHERE email = 'ann@quvex.example';
--! same
SELECT * FROM scratch.people;

--# Domains and types

--! script A plain column of a domain
--! same
CREATE DOMAIN scratch.code AS text CHECK (VALUE ~ '^[A-Z]+$');
--! same
CREATE TABLE scratch.people (id integer, email text, code scratch.code);
--! same
INSERT INTO scratch.people VALUES (1, 'ann@quvex.example', 'AB') RETURNING *;
--! error 23514
INSERT INTO scratch.people VALUES (1, 'ann@quvex.example', 'ab');

--! script A sealed column of a domain with a CHECK
--! same
CREATE DOMAIN scratch.code AS text CHECK (VALUE ~ '@');
--! refused domain
CREATE TABLE scratch.people (id integer, email scratch.code);

--# Dropping

--! script Drop and come back
--! same
CREATE TABLE scratch.people (id integer, email text);
--! same
INSERT INTO scratch.people VALUES (1, 'ann@quvex.example');
--! same
DROP TABLE scratch.people;
--! same
CREATE TABLE scratch.people (email text, id integer, note text);
--! same
INSERT INTO scratch.people VALUES ('ann@quvex.example', 1, 'wistful');
--! same
SELECT * FROM scratch.people WHERE email = 'ann@quvex.example';
--! same
DROP SCHEMA scratch CASCADE;
--! same
CREATE SCHEMA scratch;

--# Generated, identity and domain columns beside sealed ones

--! script Generated and identity
--! same
CREATE TABLE scratch.people (id integer GENERATED ALWAYS AS IDENTITY (START WITH 5), n integer, twice integer GENERATED ALWAYS AS (n * 2) STORED, email text, born date);
--! same
INSERT INTO scratch.people (n, email, born) VALUES (1, 'gen@quvex.example', '1987-03-14'), (2, NULL, DEFAULT) RETURNING id, twice, email, born;
--! error 428C9
INSERT INTO scratch.people (id, email) VALUES (1, 'gen@quvex.example');
--! same
INSERT INTO scratch.people (id, email) OVERRIDING SYSTEM VALUE VALUES (1, 'gen2@quvex.example') RETURNING *;
--! same
UPDATE scratch.people SET n = 7, email = 'gen3@quvex.example' WHERE email = 'gen@quvex.example' RETURNING *;
--! same
ALTER TABLE scratch.people ALTER COLUMN id RESTART WITH 100;
--! same
ALTER TABLE scratch.people ALTER COLUMN id DROP IDENTITY;
--! same
TRUNCATE scratch.people RESTART IDENTITY;
--! same
SELECT count(email) FROM scratch.people;

--! script Statements about tables
--! same
CREATE TABLE scratch.people (id integer PRIMARY KEY, email text, name varchar(30) COLLATE "C", born date, note text);
--! same
INSERT INTO scratch.people VALUES (1, 'st@quvex.example', 'Stu', '1987-03-14', 'snote');
--! same
COMMENT ON COLUMN scratch.people.email IS 'where to write';
--! refused the policy says otherwise
ALTER TABLE scratch.people ALTER COLUMN name TYPE text;
--! same
ALTER TABLE scratch.people ALTER COLUMN name TYPE varchar(30);
--! same
ALTER TABLE scratch.people ALTER COLUMN email SET NOT NULL, ALTER COLUMN born SET DEFAULT '2000-01-01';
--! same
INSERT INTO scratch.people (id, email) VALUES (2, 'st2@quvex.example') RETURNING born;
--! same
ALTER TABLE scratch.people ALTER COLUMN born DROP DEFAULT, ALTER COLUMN email DROP NOT NULL;
--! same
ALTER TABLE scratch.people ADD CONSTRAINT one_email UNIQUE (email), ADD CONSTRAINT some_name CHECK (name IS NOT NULL OR note IS NULL);
--! error 23505
INSERT INTO scratch.people (id, email) VALUES (3, 'st2@quvex.example');
--! same
ALTER TABLE scratch.people DROP CONSTRAINT one_email;
--! same
CREATE INDEX ON scratch.people (born DESC NULLS LAST) WHERE email IS NOT NULL;
--! same
CREATE INDEX CONCURRENTLY people_email ON scratch.people USING hash (email);
--! same
REINDEX TABLE scratch.people;
--! same
ANALYZE scratch.people;
--! same
VACUUM scratch.people;
--! same
ALTER TABLE scratch.people SET (fillfactor = 70), CLUSTER ON people_pkey;
--! same
CLUSTER scratch.people;
--! same
ALTER TABLE scratch.people ENABLE ROW LEVEL SECURITY;
--! same
CREATE POLICY mine ON scratch.people USING (id > 0);
--! same
SELECT id, email, born FROM scratch.people ORDER BY born DESC, id;
--! same
ALTER TABLE scratch.people DROP COLUMN note, DROP COLUMN IF EXISTS nothing;
--! same
SELECT * FROM scratch.people WHERE born < '1990-01-01';
--! same
DROP INDEX scratch.people_email;
--! same
DROP TABLE IF EXISTS scratch.people, scratch.nothing CASCADE;

--! script Derived tables and views
--! same
CREATE TABLE scratch.copied AS SELECT id, email FROM customers WHERE id < 4 WITH NO DATA;
--! same
INSERT INTO scratch.copied SELECT id, email FROM customers WHERE id < 4;
--! same
SELECT * FROM scratch.copied;
--! same
CREATE VIEW scratch.v (who, n) AS SELECT email, count(*) FROM scratch.copied GROUP BY email;
--! same
CREATE OR REPLACE VIEW scratch.w AS SELECT v.who AS mail FROM scratch.v v JOIN customers c ON c.email = v.who;
--! same
SELECT mail FROM scratch.w WHERE mail <> 'nobody@quvex.example';
--! same
ALTER VIEW scratch.w RENAME COLUMN mail TO address;
--! same
SELECT w.* FROM scratch.w WHERE address = 'ann.okonkwo1@quvex.example';
--! same
CREATE MATERIALIZED VIEW scratch.m AS SELECT id, status FROM orders o JOIN (SELECT id AS cid, points AS status FROM customers) c ON c.cid = o.customer_id;
--! same
REFRESH MATERIALIZED VIEW scratch.m;
--! same
DROP VIEW scratch.w, scratch.v;
