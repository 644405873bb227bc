--! theme Names and relations

--# Quoted and mixed-case names
--! same
SELECT * FROM "Invoices";
--! same
SELECT "Id", "Customer Email" FROM "Invoices" WHERE "Customer Email" = 'ann.lindqvist5@quvex.example';
--! same
SELECT i."select" AS "from" FROM "Invoices" i WHERE i."select" = 'kindmark one';
--! same
SELECT "Total" FROM public."Invoices" ORDER BY "Total" DESC NULLS LAST, "Id";
--! same
SELECT max("Total") AS "Max Total" FROM "Invoices";
--! same
SELECT c.id FROM customers c JOIN "Invoices" i ON i."Customer Email" = c.email;
--! same
SELECT EMAIL, "email" FROM CUSTOMERS WHERE Id = 1;
--! error 42P01
SELECT * FROM Invoices;
--! error 42703
SELECT "Email" FROM customers;
--! refused function
SELECT lower("Customer Email") FROM "Invoices";
--! refused order
SELECT "Id" FROM "Invoices" ORDER BY "Customer Email";

--# Schemas
--! same
SELECT owner_email, title FROM vault.documents WHERE owner_email = 'ann.lindqvist5@quvex.example';
--! same
SELECT id, email, label FROM vault.customers ORDER BY lower(email);
--! same
SELECT p.id, v.id FROM public.customers p JOIN vault.customers v ON v.id = p.id WHERE p.status = 'vip';
--! same
SELECT vault.documents.title FROM vault.documents;
--! error 42P01
SELECT * FROM documents;
--! error 3F000
CREATE TABLE nowhere.t (a int);
--! error 42P01
SELECT * FROM nowhere.customers;

--# Partitioned tables
--! same
SELECT id, actor, amount FROM events WHERE actor = 'ann.lindqvist5@quvex.example';
--! same
SELECT id, actor FROM events_2031 WHERE amount = 5;
--! same
SELECT kind, max(amount) FROM events GROUP BY kind;
--! same
SELECT id FROM events WHERE day >= '2031-01-01' AND day < '2033-01-01' AND amount > 0 ORDER BY amount, id;
--! same
SELECT e.id, c.id FROM events e JOIN customers c ON c.email = e.actor;
--! same
SELECT r.id, e.actor FROM events_rest r JOIN events e ON e.actor = r.actor AND e.id <> r.id;
--! same
SELECT actor FROM events_2031 UNION SELECT actor FROM events_2032;
--! refused function
SELECT upper(actor) FROM events_2032;
--! refused json
SELECT payload ->> 'p' FROM events;

--# Inheritance
--! same
SELECT id, email, nick FROM people;
--! same
SELECT id, email, nick FROM ONLY people;
--! same
SELECT * FROM staff WHERE nick = 'nickmark1';
--! same
SELECT * FROM people * WHERE nick = 'nickmark3';
--! same
SELECT p.email FROM people p JOIN staff s ON s.email = p.email AND s.id <> p.id;
--! same
SELECT nick, count(*) FROM people GROUP BY nick;
--! refused order
SELECT nick FROM staff ORDER BY nick;

--# Views
--! same
SELECT * FROM customer_names;
--! same
SELECT name, contact FROM customer_names WHERE contact = 'ann.okonkwo1@quvex.example';
--! same
SELECT * FROM german_customers ORDER BY name, id;
--! same
SELECT name FROM german_customers WHERE name LIKE 'Bo%';
--! same
SELECT who, amount FROM order_facts WHERE amount > 100 ORDER BY amount DESC, order_no;
--! same
SELECT who, max(amount), count(*) FROM order_facts GROUP BY who;
--! same
SELECT f.order_no FROM order_facts f JOIN cards k ON k.owner_email = f.who WHERE f.day > '2021-01-01';
--! same
SELECT n.name, c.orders FROM customer_names n JOIN order_counts c ON c.customer_id = n.id;
--! same
SELECT * FROM plain_states ORDER BY state;
--! same
SELECT v.a FROM german_customers AS v (z, a);
--! same
INSERT INTO customer_names (name, contact) VALUES ('View Okonkwo', 'v@quvex.example') RETURNING name, contact;
--! same
UPDATE customer_names SET contact = 'v@quvex.example' WHERE name = 'Ann Okonkwo' RETURNING id, contact;
--! same
DELETE FROM german_customers WHERE name = 'Nobody' RETURNING contact;
--! same
UPDATE german_customers SET name = 'Changed Okonkwo' WHERE id = 4 RETURNING *;
--! refused function
SELECT lower(contact) FROM customer_names;
--! refused order
SELECT * FROM customer_names ORDER BY contact;
--! refused another domain
SELECT 1 FROM german_customers JOIN order_facts ON name = who;

--# Introspection
--! same
SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale, is_nullable FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'customers' ORDER BY ordinal_position;
--! same
SELECT udt_name FROM information_schema.columns WHERE table_name = 'cards' ORDER BY ordinal_position;
--! same
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute a WHERE a.attrelid = 'customers'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;
--! same
SELECT attname, atttypid::regtype::text, atttypmod FROM pg_attribute WHERE attrelid = 'vault.documents'::regclass AND attnum > 0 ORDER BY attnum;
--! same
SELECT t.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = 'employees'::regclass AND a.attnum > 0 ORDER BY a.attnum;
--! same
SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'vault' ORDER BY 1;
--! same
SELECT conname, contype FROM pg_constraint WHERE conrelid = 'customers'::regclass AND contype <> 'n' ORDER BY conname;
--! same
SELECT indexname FROM pg_indexes WHERE tablename = 'orders' ORDER BY 1;
--! same
SELECT count(*) FROM pg_class WHERE relname = 'customers';
--! same
SELECT to_regclass('public.customers') IS NOT NULL, 'customers'::regclass::text;
--! differs a default is shown as the sealed literal that it is [ciphertext]
SELECT column_name, column_default FROM information_schema.columns WHERE table_name = 'customers' AND column_name = 'status';
--! same
SHOW search_path;
--! same
SHOW server_version;

--# EXPLAIN
--! same [columns]
EXPLAIN SELECT id FROM customers WHERE email = 'ann.okonkwo1@quvex.example';
--! same [columns]
EXPLAIN (COSTS OFF) SELECT id FROM customers WHERE balance > 100 ORDER BY balance;
--! same [columns]
EXPLAIN (ANALYZE, TIMING OFF) SELECT c.id FROM customers c JOIN cards k ON k.owner_email = c.email;
--! same [columns]
EXPLAIN (FORMAT JSON) SELECT id FROM customers WHERE status = 'vip';
--! same [columns]
EXPLAIN (FORMAT XML, VERBOSE) SELECT email FROM customers WHERE status = 'vip';
--! same [columns]
EXPLAIN (FORMAT YAML) SELECT id FROM customers WHERE status IN ('vip', 'new');
--! same [columns]
EXPLAIN (ANALYZE, FORMAT JSON) UPDATE customers SET email = 'x@quvex.example' WHERE id = 1;
--! same [columns]
EXPLAIN INSERT INTO people (id, email) VALUES (900, 'x@quvex.example');
--! same
EXPLAIN (COSTS OFF) SELECT * FROM countries WHERE code = 'DE';
--! refused function
EXPLAIN SELECT lower(email) FROM customers;

--# TRUNCATE, ANALYZE, LOCK, comments
--! same
TRUNCATE cards;
--! same
TRUNCATE TABLE events, notes;
--! same
ANALYZE customers;
--! same
ANALYZE customers (email, balance);
--! same
LOCK TABLE customers IN SHARE MODE;
--! same
COMMENT ON COLUMN customers.email IS 'contact address';
--! same
COMMENT ON TABLE customers IS NULL;
--! same
GRANT SELECT ON customers TO PUBLIC;

--# Several statements in one Query
--! same
SELECT 1; SELECT email FROM customers WHERE email = 'ann.okonkwo1@quvex.example';
--! error 42703
SELECT id FROM customers WHERE id = 1; SELECT nothing FROM customers; SELECT 3;
--! same
UPDATE customers SET status = 'vip' WHERE id = 1; SELECT status FROM customers WHERE id = 1;
--! same
INSERT INTO people (id, email) VALUES (900, 'x@quvex.example'); DELETE FROM people WHERE email = 'x@quvex.example'; SELECT count(*) FROM people;
--! refused the second statement [simple]
SELECT 1; SELECT lower(email) FROM customers;
--! refused the first statement [simple]
SELECT lower(email) FROM customers; SELECT 1;

--# Can never be safe
--! refused DO block
DO $$ BEGIN UPDATE customers SET email = 'x@quvex.example' WHERE id = 1; END $$;
--! refused function body
CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT email FROM customers WHERE id = 1';
--! refused function body
CREATE FUNCTION f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM customers WHERE email IS NOT NULL; END;
--! refused procedure body
CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN DELETE FROM cards WHERE number = 'x'; END $$;
--! refused rule
CREATE RULE r AS ON UPDATE TO customers DO ALSO UPDATE people SET email = new.email;
--! refused trigger condition
CREATE TRIGGER t BEFORE UPDATE ON customers FOR EACH ROW WHEN (new.email = 'x@quvex.example') EXECUTE FUNCTION suppress_redundant_updates_trigger();
--! refused policy text
CREATE POLICY p ON customers USING (email = 'x@quvex.example');
--! refused file
COPY customers TO '/dev/null';
--! refused program
COPY customers (email) TO PROGRAM 'cat > /dev/null';
--! refused program
COPY customers (full_name) FROM PROGRAM 'echo x';
--! same
CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a + 1';
--! same
DO $$ BEGIN PERFORM 1; END $$;
