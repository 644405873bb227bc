--! theme Edges

--# Names and operators in other spellings
--! same
SELECT id FROM customers WHERE U&"\0065mail" = 'ann.okonkwo1@quvex.example';
--! same
SELECT id FROM U&"\0063ustomers" WHERE email = 'ann.okonkwo1@quvex.example';
--! same
SELECT id FROM customers WHERE email OPERATOR(pg_catalog.=) 'ann.okonkwo1@quvex.example';
--! same
SELECT id FROM customers WHERE email OPERATOR(pg_catalog.=) ANY (ARRAY['ann.okonkwo1@quvex.example']);
--! same
SELECT id FROM customers WHERE (email, status) OPERATOR(pg_catalog.=) ('ann.okonkwo1@quvex.example', 'new');
--! same
SELECT id FROM customers WHERE email OPERATOR(pg_catalog.=) ANY (SELECT email FROM employees);
--! same
SELECT id FROM customers ORDER BY full_name USING OPERATOR(pg_catalog.>), id;
--! same
SELECT id FROM customers WHERE email = 'ann.okonkwo1@quvex.example'::pg_catalog.text;
--! refused operator of another class
SELECT id FROM customers ORDER BY full_name USING ~<~;
--! refused operator
SELECT id FROM customers WHERE full_name ^@ 'Ann Okonkwo';
--! refused operator's function
SELECT id FROM customers WHERE texteq(email, 'ann.okonkwo1@quvex.example');

--# Literals in every corner
--! same
SELECT id FROM customers ORDER BY email = 'ann.okonkwo1@quvex.example', id;
--! same
SELECT count(*) FROM customers GROUP BY email = 'ann.okonkwo1@quvex.example';
--! same
SELECT id FROM customers ORDER BY id LIMIT CASE WHEN (SELECT count(*) FROM customers WHERE email = 'ann.okonkwo1@quvex.example') > 0 THEN 1 ELSE 2 END;
--! same
SELECT sum(CASE WHEN email = 'ann.okonkwo1@quvex.example' THEN 1 ELSE 0 END) FROM customers;
--! same
SELECT count(*) OVER w FROM customers WINDOW w AS (PARTITION BY email = 'ann.okonkwo1@quvex.example');
--! same
SELECT array_agg(id ORDER BY email = 'ann.okonkwo1@quvex.example', id) FROM customers;
--! same
SELECT string_agg(CASE email WHEN 'ann.okonkwo1@quvex.example' THEN 'a' ELSE 'b' END, ',' ORDER BY id) FROM customers;
--! same
SELECT jsonb_build_object('is', email = 'ann.okonkwo1@quvex.example') FROM customers;
--! same
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY (email = 'ann.okonkwo1@quvex.example')::int) FROM customers;
--! same
SELECT count(*) FILTER (WHERE email = 'ann.okonkwo1@quvex.example') OVER (PARTITION BY status ORDER BY id) FROM customers;
--! same
SELECT id FROM customers TABLESAMPLE BERNOULLI ((SELECT CASE WHEN count(*) > 0 THEN 100 ELSE 100 END FROM customers WHERE email = 'ann.okonkwo1@quvex.example'));
--! same
SELECT (ARRAY[10, 20])[CASE WHEN email = 'ann.okonkwo1@quvex.example' THEN 1 ELSE 2 END] FROM customers;
--! same
SELECT c.id, g FROM customers c, generate_series(1, CASE WHEN c.email = 'ann.okonkwo1@quvex.example' THEN 2 ELSE 1 END) g;
--! same
SELECT c.id, k.id FROM customers c JOIN cards k ON k.owner_email = c.email AND c.status = 'vip';
--! same
SELECT id FROM customers WHERE CASE email WHEN 'ann.okonkwo1@quvex.example' THEN true ELSE false END;
--! same
SELECT id FROM customers WHERE (CASE WHEN id > 5 THEN email ELSE 'x@quvex.example' END) = 'ann.okonkwo1@quvex.example';
--! same
SELECT id FROM customers WHERE email = CASE WHEN true THEN 'ann.okonkwo1@quvex.example' END;
--! same
SELECT id FROM customers WHERE email = coalesce(NULL, 'ann.okonkwo1@quvex.example');
--! same
SELECT id FROM customers WHERE email = (VALUES ('ann.okonkwo1@quvex.example'));
--! same
SELECT id FROM customers WHERE email IN (SELECT x FROM (VALUES ('ann.okonkwo1@quvex.example'::text)) v (x));
--! same
SELECT id FROM customers WHERE (SELECT email) = 'ann.okonkwo1@quvex.example';
--! same
SELECT id FROM customers WHERE 'ann.okonkwo1@quvex.example' IN (email, 'z@quvex.example');
--! same
SELECT c.id FROM customers c, LATERAL (VALUES (c.email)) v (e) WHERE v.e = 'ann.okonkwo1@quvex.example';
--! same
SELECT status, count(*) FROM customers GROUP BY ROLLUP (status) HAVING grouping(status) = 0 AND status <> 'vip';
--! same
EXPLAIN (COSTS OFF) SELECT name FROM countries WHERE code = 'DE';
--! refused text of an index
SELECT id FROM customers WHERE email = (ARRAY['ann.okonkwo1@quvex.example', 'x'])[1];
--! refused computed
SELECT id FROM customers WHERE email = trim('ann.okonkwo1@quvex.example');
--! refused computed
SELECT id FROM customers WHERE email = (SELECT max('ann.okonkwo1@quvex.example'));
--! refused type of its own
SELECT id FROM customers WHERE email = 'gold'::tier;
--! refused type that is not known
--$ name ann.okonkwo1@quvex.example
SELECT id FROM customers WHERE email = $1;

--# Comments
--! same [simple]
SELECT id FROM customers WHERE email = 'ann.okonkwo1@quvex.example' /* not bo.yldrm9@quvex.example */;
--! same [simple]
SELECT id -- wistful
FROM customers WHERE status = 'vip';
--! same [simple]
SELECT id FROM customers WHERE region <> 'a' -- wistful
  'b' AND status = 'vip';
--! same [simple]
SELECT 1 -- one
; SELECT id FROM customers WHERE status = 'vip';

--# Rows and arrays
--! same
SELECT id FROM customers WHERE ('ann.okonkwo1@quvex.example', 1) = (email, id);
--! same
SELECT id FROM customers WHERE ROW(email) = ROW('ann.okonkwo1@quvex.example');
--! same
SELECT id FROM customers WHERE ('ann.okonkwo1@quvex.example', 1) = (SELECT c.email, c.id FROM customers c WHERE c.id = customers.id);
--! error 42601
SELECT id FROM customers WHERE (email, id, 3) = ('a@quvex.example', 2);
--! same
SELECT id FROM customers WHERE email <> ALL ('{ann.okonkwo1@quvex.example,NULL}');
--! same
SELECT id FROM customers WHERE status = ANY ('{"vip", new}');
--! same
SELECT id FROM customers WHERE status = ANY ('{"NULL", NULL, "a\"b"}');
--! same
SELECT id FROM customers WHERE email = ANY (ARRAY(SELECT email FROM employees));
--! same
SELECT id FROM customers WHERE 'ann.okonkwo1@quvex.example' = ANY (ARRAY(SELECT email FROM employees));
--! same
SELECT id FROM customers WHERE email = ANY (ARRAY[email, 'x@quvex.example']);
--! same
SELECT (array_agg(email ORDER BY id))[1] FROM customers;
--! refused another domain
SELECT id FROM customers WHERE email = ANY (ARRAY(SELECT phone FROM employees));
--! refused another domain
SELECT id FROM customers WHERE email = ANY (ARRAY[phone]);
--! refused array
SELECT id FROM customers WHERE ARRAY[email] = ARRAY['ann.okonkwo1@quvex.example'];
--! refused array
SELECT DISTINCT ARRAY[email] FROM customers;
--! refused array
SELECT num_nulls(VARIADIC ARRAY[email, NULL]) FROM customers;
--! same
SELECT (array_agg(email ORDER BY id))[1:2] FROM customers;
--! refused whole row
SELECT DISTINCT p FROM people p;
--! refused whole row
SELECT count(DISTINCT p) FROM people p;
--! refused whole row
SELECT id FROM people p ORDER BY p;
--! refused row type
SELECT NULL::customers;
--! refused row type
SELECT (jsonb_populate_record(NULL::people, '{"email": "x@quvex.example"}')).email;
--! refused row type
INSERT INTO people SELECT * FROM jsonb_populate_recordset(NULL::people, '[{"id": 900, "email": "x@quvex.example"}]');

--! same
UPDATE notes SET tags = ARRAY[]::text[] WHERE id = 1 RETURNING tags;
--! same
UPDATE notes SET tags = ARRAY['zebra-tag']::text[] WHERE id = 1 RETURNING tags;
--! same
INSERT INTO notes (id, tags) VALUES (900, ARRAY['zebra-tag']), (901, NULL), (902, '{}') RETURNING tags;
--! same
--$ ? zebra-tag
UPDATE notes SET tags = ARRAY[$1] WHERE id = 1 RETURNING tags;
--! same
--$ text[] {zebra-tag,b}
UPDATE notes SET tags = $1 WHERE id = 1 RETURNING tags;

--# Values that are read twice
--! refused cast for one use only
SELECT count(*) FROM customers, (VALUES ('Ann Okonkwo'), ('Ann Ode')) v (e) WHERE full_name <> v.e::varchar(3) GROUP BY v.e;
--! same
SELECT c.id, v.e FROM customers c JOIN (VALUES ('ann.okonkwo1@quvex.example'), ('x')) v (e) ON v.e = c.email;
--! same
SELECT c.id FROM customers c JOIN (VALUES ('ann.okonkwo1@quvex.example')) v (e) ON v.e::varchar(30) = c.email;
--! same
WITH v (e) AS (SELECT 'ann.okonkwo1@quvex.example') SELECT c.id, v.e FROM customers c JOIN v ON v.e = c.email;
--! same
SELECT v.e, count(*) FROM (VALUES ('ann.okonkwo1@quvex.example'), ('x')) v (e) JOIN customers c ON c.email = v.e GROUP BY v.e;
--! refused plain and sealed
SELECT c.id FROM customers c JOIN (VALUES ('ann.okonkwo1@quvex.example')) v (e) ON upper(v.e) = 'X' OR v.e = c.email;
--! refused sealed and plain
SELECT c.id, upper(v.e) FROM customers c JOIN (VALUES ('ann.okonkwo1@quvex.example')) v (e) ON v.e = c.email;
--! refused mixed and sealed
SELECT coalesce(v.e, 'z') FROM (VALUES ('ann.okonkwo1@quvex.example')) v (e), customers c WHERE v.e = c.email;
--! refused two domains
SELECT v.e FROM (VALUES ('ann.okonkwo1@quvex.example')) v (e), customers c WHERE v.e = c.email AND v.e = c.phone;
--! refused stored and compared
MERGE INTO customers c USING (VALUES (1::int, 48213.775::numeric)) v (id, b) ON c.id = v.id WHEN MATCHED AND c.id < 0 THEN UPDATE SET balance = v.b WHEN MATCHED AND c.balance = v.b THEN DELETE;
--! refused grouped and stored without search
INSERT INTO notes (id, body) SELECT DISTINCT 900, v.e FROM (VALUES ('wistful'), ('wistful')) v (e);
--! error 42883
SELECT c.id FROM customers c, (SELECT '100' AS b) v WHERE c.balance = v.b;

--# Texts that differ in their literals
--! same
SELECT id, full_name FROM customers WHERE full_name ~~ 'Ann Okonkwo';
--! same
SELECT id, full_name FROM customers WHERE full_name ~~ 'Bo Yıldırım';
--! same
SELECT id, full_name FROM customers WHERE full_name ~~ 'Ann%';
--! same
SELECT id, full_name FROM customers WHERE full_name ~~ 'Bo%';
--! same
SELECT id FROM customers WHERE full_name LIKE 'Ann Okonkwo' AND points >= 0;
--! same
SELECT id FROM customers WHERE full_name LIKE 'Bo Yıldırım' AND points >= 1;
--! same
SELECT id FROM customers WHERE full_name LIKE 'Ann%' AND points >= 2;
--! same
SELECT id FROM customers WHERE status = ANY ('{vip}') AND points > 1;
--! same
SELECT id FROM customers WHERE status = ANY ('{new,vip}') AND points > 2;
--! same
SELECT id FROM customers WHERE status = ANY ('{NULL}') AND points > 3;
--! same
SELECT id, balance FROM customers WHERE points > 1 ORDER BY 2, 1;
--! same
SELECT id, balance FROM customers WHERE points > 2 ORDER BY 1, 2;
--! same
SELECT id, balance FROM customers WHERE points > 3 ORDER BY 2, 1;
--! error 22P02
SELECT id FROM customers WHERE balance = 'none' AND points > 4;
--! error 22P02
SELECT id FROM customers WHERE balance = 'some' AND points > 5;
--! same
SELECT id FROM customers WHERE balance = '100' AND points > 5;
--! error 22P02
SELECT id FROM customers WHERE balance = 'most' AND points > 6;
--! same
SELECT id, coalesce(balance, 1.5) FROM customers WHERE points > 1;
--! same
SELECT id, coalesce(balance, 2.5) FROM customers WHERE points > 2;
--! same
SELECT id, coalesce(balance, 3.555) FROM customers WHERE points > 3;
--! same
SELECT id FROM customers WHERE email = 'ann.okonkwo1@quvex.example' OR region = 'DE/0';
--! same
SELECT id FROM customers WHERE email = 'bo.yldrm9@quvex.example' OR region = 'FR/0';
--! same
SELECT id FROM customers WHERE email = '' OR region = 'it''s';

--# Values beside sealed ones
--! same
UPDATE customers SET balance = coalesce(balance, 1.005) WHERE id < 20 RETURNING balance, coalesce(balance, 7);
--! same
INSERT INTO customers (full_name, balance) SELECT full_name, coalesce(balance, 1.005) FROM customers WHERE id < 20 RETURNING balance;
--! same
SELECT count(DISTINCT coalesce(balance, 0)), count(DISTINCT coalesce(balance, 0.00)) FROM customers;
--! same
SELECT id, rank() OVER (ORDER BY coalesce(balance, 0)) FROM customers;
--! same
SELECT id FROM customers WHERE coalesce(balance, 0) IN (0, 100);
--! same
WITH t AS (SELECT id, coalesce(balance, 0) AS b FROM customers) SELECT id FROM t WHERE b = 0;
--! same
SELECT coalesce(balance, 0) FROM customers UNION ALL SELECT balance FROM customers;
--! same
SELECT (s.c).email, s.c FROM (SELECT c FROM people c WHERE id < 4) s;
--! same
SELECT c, d FROM people c LEFT JOIN people d ON false WHERE c.id < 4;
--! same
SELECT ROW(email, ROW(nick, id)) FROM people WHERE id < 4;
--! same
UPDATE people p SET nick = 'nickmark9' WHERE id < 3 RETURNING p, p.email, ROW(email, nick);
--! refused shown and compared
SELECT DISTINCT coalesce(balance, 0) FROM customers;
--! refused shown and compared
SELECT balance FROM customers EXCEPT SELECT 100;

--# Names of WITH
--! same
WITH customers AS (SELECT id, email FROM customers WHERE status = 'vip') SELECT email FROM customers WHERE email <> 'ann.okonkwo1@quvex.example';
--! same
WITH customers AS (SELECT 6 AS id, 'plain' AS email) SELECT c.email, k.number FROM customers c JOIN cards k ON k.id = c.id WHERE c.email = 'plain';
--! same
WITH people AS (SELECT 900 AS id) INSERT INTO people (id, email) VALUES (900, 'x@quvex.example');
--! same
WITH people AS (SELECT 900 AS id, 'x@quvex.example' AS email) INSERT INTO people SELECT id, email FROM people RETURNING email;
--! same
WITH people AS (SELECT 1 AS id) UPDATE people SET email = 'x@quvex.example' WHERE id = 1;
--! same
WITH people AS (SELECT 1 AS id) DELETE FROM people WHERE email = 'ann.okonkwo1@quvex.example';
--! same
WITH people AS (SELECT 1 AS id) MERGE INTO people USING people AS s ON people.id = s.id WHEN MATCHED THEN UPDATE SET email = 'x@quvex.example';
--! same
WITH RECURSIVE t AS (SELECT id, email FROM employees WHERE id = 1 UNION ALL SELECT e.id, coalesce(e.email, t.email) FROM employees e JOIN t ON e.manager_id = t.id) SELECT id, email FROM t;
--! same
WITH RECURSIVE t AS (SELECT id, email FROM employees WHERE id = 1 UNION ALL SELECT e.id, 'x@quvex.example' FROM employees e JOIN t ON e.manager_id = t.id) SELECT id, email FROM t;
--! refused compares
WITH RECURSIVE t AS (SELECT id, email FROM employees WHERE id = 1 UNION ALL SELECT e.id, e.email FROM employees e JOIN t ON e.manager_id = t.id) SEARCH DEPTH FIRST BY email SET o SELECT id FROM t ORDER BY o;
--! refused compares
WITH RECURSIVE t AS (SELECT id, email FROM employees WHERE id = 1 UNION ALL SELECT e.id, e.email FROM employees e JOIN t ON e.manager_id = t.id) CYCLE email SET seen USING path SELECT id, seen FROM t;

--# Results of mixed sides
--! same
SELECT 'x@quvex.example' UNION ALL SELECT email FROM customers WHERE id < 3;
--! same
VALUES ('x@quvex.example') UNION SELECT email FROM customers WHERE id < 3;
--! same
(SELECT 'x@quvex.example' UNION SELECT 'y@quvex.example') UNION SELECT email FROM customers WHERE id < 3;
--! same
SELECT email, c.email, e.email FROM customers c RIGHT JOIN employees e USING (email);
--! same
SELECT * FROM customers c RIGHT JOIN employees e USING (email);
--! same
SELECT email FROM people p NATURAL RIGHT JOIN (SELECT email, 1 AS one FROM employees) e;
--! same
SELECT email FROM customers c FULL JOIN (VALUES ('ann.okonkwo1@quvex.example'), ('x')) v (email) USING (email);
--! refused another type [simple]
SELECT coalesce(limit_cents, 2.0) FROM cards;
--! refused another type [simple]
SELECT CASE WHEN id > 5 THEN limit_cents ELSE 2.0 END FROM cards;
--! refused another type [simple]
SELECT nullif(limit_cents, 2.0) FROM cards;
--! refused a literal's null
SELECT nullif('ann.okonkwo1@quvex.example', email) FROM customers;
--! refused input column of that name
SELECT max(points) AS remark, count(*) FROM customers GROUP BY remark;

--# Blanks of char(n)
--! same
SELECT id FROM customers WHERE email = 'ann.okonkwo1@quvex.example'::char(40);
--! same
SELECT id FROM customers WHERE email = CAST('ann.okonkwo1@quvex.example   ' AS char(40));
--! refused varchar and char
SELECT id FROM customers WHERE full_name = 'Ann Okonkwo'::char(20);

--# What the scheme does not carry
--! refused equality
SELECT count(*) OVER (PARTITION BY remark) FROM customers;
--! refused equality
SELECT count(*) OVER w FROM customers WINDOW w AS (PARTITION BY remark);
--! refused equality
SELECT DISTINCT ON (remark) remark IS NULL FROM customers;
--! refused equality
SELECT mode() WITHIN GROUP (ORDER BY remark) FROM customers;
--! refused equality
SELECT id FROM customers WHERE remark LIKE 'wistful 1';
--! refused order
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY email) FROM customers;
--! refused hypothetical row
SELECT rank(100) WITHIN GROUP (ORDER BY balance) FROM customers;

--# Functions that see everything
--! refused as LIKE
SELECT id FROM customers WHERE starts_with(full_name, 'Ann');
--! refused as LIKE
SELECT id FROM customers WHERE full_name ^@ 'Ann';
--! same
SELECT * FROM unnest(ARRAY(SELECT email FROM customers)) t (a);
--! same
SELECT * FROM ROWS FROM (unnest(ARRAY(SELECT email FROM customers)), generate_series(1, 2)) t (a, b);
--! refused JSON_TABLE [pg18]
SELECT notes.id FROM notes, JSON_TABLE(meta, '$' COLUMNS (k text PATH '$.k')) j WHERE j.k = 'wistful';
--! refused JSON [pg18]
SELECT JSON_VALUE(meta, '$.k') FROM notes;
--! refused JSON
SELECT JSON_ARRAY(email) FROM customers;
--! refused JSON
SELECT JSON_ARRAYAGG(email) FROM customers;
--! refused JSON
SELECT JSON_OBJECTAGG(id : email) FROM customers;
--! refused JSON
SELECT meta IS JSON FROM notes;
--! refused text is run
SELECT * FROM ts_stat('SELECT to_tsvector(full_name) FROM customers WHERE false');
--! refused text is run
SELECT query_to_xml('SELECT email FROM customers WHERE false', true, false, '');
--! refused overlaps
SELECT (placed, placed) OVERLAPS (placed, placed) FROM orders;

--# Parameters that are used twice
--! same
--$ ? ann.okonkwo1@quvex.example
SELECT id FROM customers WHERE email = $1 OR $1 IS NULL;
--! same
--$ text ann.okonkwo1@quvex.example
SELECT id FROM customers WHERE $1 IS NULL OR email = $1;
--! same
--$ ? ann.okonkwo1@quvex.example
SELECT id FROM customers WHERE $1::text IS NULL OR email = $1;
--! same
--$ ? 250000.0
SELECT id FROM cards WHERE limit_cents IN ($1, 1.5);
--! same
--$ ? NULL
SELECT id, greatest(balance, $1) FROM customers;
--! same
--$ numeric 100
--$ numeric NULL
SELECT id, greatest(balance, $1, $2), least($1, balance) FROM customers;
--! refused types may differ
--$ ? 5
SELECT id FROM customers WHERE balance = $1 OR points = $1;
