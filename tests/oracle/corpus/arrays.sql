--! theme Arrays
--# Changes with unnest
--! same
INSERT INTO people (id, email) SELECT * FROM unnest(ARRAY[901,902], ARRAY['a@quvex.example', NULL]) RETURNING *;
--! same
INSERT INTO people (id, email) SELECT * FROM unnest('{901,902}'::int[], '{a@quvex.example,NULL}'::text[]) RETURNING *;
--! same
INSERT INTO people (id, email, nick) SELECT unnest(ARRAY[901,902]), unnest(ARRAY['a@quvex.example', 'b']), unnest(ARRAY['n','m']::varchar[]) RETURNING *;
--! refused two domains
INSERT INTO people (id, email, nick) SELECT u.i, u.e, u.e FROM unnest(ARRAY[901,902], ARRAY['a@quvex.example', 'b']) AS u (i, e) RETURNING *;
--! same
INSERT INTO customers (full_name, balance, born) SELECT * FROM unnest(ARRAY['Al', 'Be'], '{1.5,NULL}'::numeric[], '{1980-01-01,NULL}'::date[]) RETURNING full_name, balance, born;
--! same
INSERT INTO people (id, email) SELECT o + 900, e FROM unnest(ARRAY['a','b']) WITH ORDINALITY AS t(e, o) ON CONFLICT (id) DO UPDATE SET email = excluded.email RETURNING *;
--! same
UPDATE people SET email = v.e FROM unnest(ARRAY[1,2], ARRAY['a','b']) AS v(id, e) WHERE v.id = people.id RETURNING people.id, people.email;
--! same
UPDATE people SET email = v.e FROM (SELECT unnest(ARRAY[1,2]) AS id, unnest(ARRAY['a','b']) AS e) v WHERE v.id = people.id RETURNING people.id, people.email, v.e;
--! same
MERGE INTO people p USING (SELECT * FROM unnest(ARRAY[1, 901], ARRAY['m1', 'm2']) AS t(id, e)) s ON p.id = s.id WHEN MATCHED THEN UPDATE SET email = s.e WHEN NOT MATCHED THEN INSERT (id, email) VALUES (s.id, s.e);
--! same
WITH v AS (SELECT * FROM unnest(ARRAY[901, 902], ARRAY['m1', 'm2']) AS t(id, e)) INSERT INTO people (id, email) SELECT id, e FROM v RETURNING *;
--! same
DELETE FROM people USING unnest(ARRAY['ann.okonkwo1@quvex.example']) x WHERE x = people.email RETURNING people.id;
--! error 42804
INSERT INTO kinds_none (id, t, i2, b, j, ta) SELECT 990, * FROM unnest(ARRAY['x'], ARRAY[3]::smallint[], ARRAY[true], ARRAY['{"a": 1}']::json[], ARRAY['{q}']) RETURNING t, i2, b, j;
--# Joins with unnest
--! same
SELECT c.id, v.e FROM customers c JOIN unnest(ARRAY['ann.okonkwo1@quvex.example','x']) AS v(e) ON c.email = v.e;
--! same
SELECT c.id, v FROM customers c JOIN unnest(ARRAY['ann.okonkwo1@quvex.example','x']) v ON c.email = v;
--! same
SELECT c.id, e FROM customers c RIGHT JOIN unnest('{ann.okonkwo1@quvex.example,x}'::text[]) e ON c.email = e ORDER BY c.id;
--! same
SELECT c.id, unnest FROM customers c JOIN unnest('{ann.okonkwo1@quvex.example,x}'::text[]) ON c.email = unnest;
--! same
SELECT c.id FROM customers c WHERE email IN (SELECT unnest(ARRAY['ann.okonkwo1@quvex.example','x']));
--! same
SELECT c.id FROM customers c WHERE email IN (SELECT * FROM unnest('{ann.okonkwo1@quvex.example,NULL}'::text[]));
--! same
SELECT c.id FROM customers c WHERE email = ANY (SELECT unnest('{ann.okonkwo1@quvex.example}'::varchar(30)[]));
--! same
SELECT c.id FROM customers c WHERE NOT EXISTS (SELECT 1 FROM unnest(ARRAY['ann.okonkwo1@quvex.example']) x WHERE x = c.email);
--! same
SELECT c.id, v.* FROM customers c JOIN unnest(ARRAY['ann.okonkwo1@quvex.example','x'], ARRAY[1,2]) AS v(email, n) USING (email);
--! same
SELECT c.id FROM customers c JOIN unnest(NULL::text[]) AS v(e) ON c.email = v.e;
--! same
SELECT c.id FROM customers c JOIN unnest(ARRAY[NULL, NULL]::text[]) AS v(e) ON c.email = v.e;
--! same
SELECT c.id FROM customers c JOIN unnest(ARRAY[NULL, NULL]) AS v(e) ON c.email = v.e;
--! refused form of the column
SELECT c.id, v.e FROM customers c JOIN unnest('{1,2.50}'::numeric[]) AS v(e) ON c.balance >= v.e ORDER BY 1, 2;
--! same
SELECT v.e, count(c.id) FROM unnest(ARRAY['new','vip']) v(e) LEFT JOIN customers c ON c.status = v.e GROUP BY v.e;
--! same
SELECT unnest(ARRAY['a','b'])::varchar(1) = 'a';
--! same
SELECT c.id FROM customers c JOIN (SELECT unnest(ARRAY['newest','vip'])::varchar(3) AS s) v ON c.status = v.s ORDER BY 1;
--! same
SELECT c.id FROM customers c JOIN (SELECT s::varchar(3) AS s FROM unnest(ARRAY['newest','vip']) s) v ON c.status = v.s ORDER BY 1;
--! same
SELECT unnest(ARRAY['a','b']) UNION SELECT email FROM people;
--! error 0A000
SELECT coalesce(unnest(ARRAY['a','b']), 'x');
--! same
SELECT * FROM unnest('{{a,b},{c,d}}'::text[]) x;
--! same
SELECT c.id FROM customers c JOIN unnest('{{a,ann.okonkwo1@quvex.example},{c,d}}'::text[]) x ON x = c.email;
--! same
SELECT c.id FROM customers c JOIN unnest(ARRAY['{x}','y"','a,b\c']) x ON x = c.email;
--! same
SELECT * FROM unnest(ARRAY['a','b']) x, unnest(ARRAY[1]) y;
--! same
SELECT x, upper(x) FROM unnest(ARRAY['a','b']) x;
--! same
SELECT x FROM unnest(ARRAY['a','b']) x JOIN countries ON x = name;
--! refused also plain
SELECT x, upper(x) FROM unnest(ARRAY['a','b']) x JOIN customers c ON c.email = x;
--! refused also plain
SELECT x FROM unnest(ARRAY['ann.okonkwo1@quvex.example','b']) x JOIN customers c ON c.email = x JOIN countries d ON d.name = x;
--! refused order
SELECT x FROM unnest(ARRAY['ann.okonkwo1@quvex.example','b']) x JOIN customers c ON c.email = x ORDER BY x;
--! same
SELECT x FROM unnest(ARRAY['ann.okonkwo1@quvex.example','b']) x LEFT JOIN customers c ON c.email = x GROUP BY x;
--! same
SELECT DISTINCT x FROM unnest(ARRAY['ann.okonkwo1@quvex.example','b']) x LEFT JOIN people c ON c.email = x;
--! same
SELECT x, c.email FROM unnest(ARRAY['2030-01-01']::date[]) x LEFT JOIN customers c ON c.born < x ORDER BY c.id;
--! same
SELECT a.x FROM unnest(ARRAY['a']) a(x) NATURAL JOIN unnest(ARRAY['a']) b(x);
--! same
SELECT c.email FROM customers c NATURAL JOIN unnest(ARRAY['ann.okonkwo1@quvex.example']) b(email);
--! same
SELECT * FROM ROWS FROM (unnest(ARRAY['ann.okonkwo1@quvex.example']), generate_series(1,2)) t(e, n) LEFT JOIN customers c ON c.email = t.e;
--! same
SELECT e.badge FROM employees e JOIN unnest('{b4d6e001-5ea1-4000-8000-00000000000a}'::uuid[]) u ON u = e.badge;
--! same
SELECT c.id FROM customers c JOIN unnest('{}'::text[]) x ON x = c.email;
--! same
SELECT x FROM unnest('{"a,b","c\"d",NULL,"NULL"}'::text[]) x LEFT JOIN customers c ON x = c.email;
--! error 22P02
SELECT c.id FROM customers c WHERE email IN (SELECT x FROM unnest('{ann.okonkwo1@quvex.example,b'::text[]) x);
--! same
SELECT v.a, c.id FROM (SELECT ARRAY['ann.okonkwo1@quvex.example', 'b'] AS a) v CROSS JOIN unnest(v.a) x JOIN customers c ON c.email = x;
--! same
SELECT c.id FROM (SELECT ARRAY['ann.okonkwo1@quvex.example', 'b'] AS a) v JOIN customers c ON c.email IN (SELECT unnest(v.a));
--! refused computed
SELECT c.id FROM (SELECT '{ann.okonkwo1@quvex.example}'::text[] AS a) v CROSS JOIN unnest(v.a) x JOIN customers c ON c.email = x;
--# Arrays of sealed values
--! same
SELECT unnest(array_agg(email ORDER BY id)) FROM customers;
--! same
SELECT * FROM unnest(ARRAY(SELECT email FROM customers ORDER BY id)) WITH ORDINALITY AS t(e, n) ORDER BY n;
--! same
SELECT cardinality(array_agg(email)), array_length(array_agg(email), 1), array_upper(array_agg(email), 1) FROM customers;
--! same
SELECT (array_agg(email ORDER BY id))[1:2], (array_agg(email ORDER BY id))[:1] FROM customers;
--! refused two domains
SELECT unnest(ARRAY[email, phone]) FROM customers;
--! same
SELECT id, unnest(ARRAY[email, 'ann.okonkwo1@quvex.example']) FROM customers ORDER BY id;
--! same
SELECT t.e FROM customers c, unnest(ARRAY[c.email, c.email]) t(e) WHERE c.id = 1;
--# Casts of combined values
--! same
SELECT c.id FROM (SELECT coalesce('ann.okonkwo1@quvex.example','b')::varchar(30) AS e) v JOIN customers c ON c.email = v.e;
--! same
SELECT c.id, v.e FROM (SELECT (CASE WHEN true THEN 'ann.okonkwo1@quvex.example' ELSE 'b' END)::varchar(10) AS e) v LEFT JOIN customers c ON c.email = v.e;
--! same
SELECT c.id FROM customers c WHERE email = coalesce(NULL, 'ann.okonkwo1@quvex.example')::varchar(5);
--! same
SELECT v.e, w.e FROM (SELECT coalesce('ann.okonkwo1', 'b')::varchar(30)::text AS e) v, LATERAL (SELECT v.e::varchar(3) AS e) w;
--! same
SELECT c.id, v.e FROM (SELECT (CASE WHEN false THEN NULL ELSE 'newest' END)::varchar(3) AS e) v JOIN customers c ON c.status = v.e AND c.status = v.e::text;
--! same
SELECT c.id, v.e::text FROM (SELECT (CASE WHEN false THEN NULL ELSE 'newest' END)::varchar(3) AS e) v JOIN customers c ON c.status = v.e;
--! same
INSERT INTO people (id, email) SELECT 901, v.e FROM (SELECT coalesce(NULL, 'abcdef')::varchar(3) AS e) v RETURNING email;
--! same
SELECT (SELECT coalesce(NULL, 'abcdef')::varchar(3)) FROM customers WHERE status = (SELECT coalesce(NULL, 'newest')::varchar(3));
--! same
INSERT INTO people (id, email) SELECT 901, coalesce(NULL, 'abcdef')::varchar(3) RETURNING email;
--# Arrays as parameters
--! same
--$ int4[] {901,902}
--$ text[] {a,NULL}
INSERT INTO people (id, email) SELECT * FROM unnest($1::int[], $2::text[]) RETURNING *;
--! same
--$ ? {901,902}
--$ ? {a,NULL}
INSERT INTO people (id, email) SELECT * FROM unnest($1::int[], $2::text[]) RETURNING *;
--! same
--$ ? {901,902}
--$ ? {a,NULL}
INSERT INTO people (id, email, nick) SELECT unnest($1::int[]), unnest($2::text[]), unnest($2::text[]) RETURNING *;
--! same
--$ ? {ann.okonkwo1@quvex.example,NULL}
SELECT c.id, v FROM unnest($1::text[]) v JOIN customers c ON c.email = v;
--! same
--$ ? {ann.okonkwo1@quvex.example,NULL}
SELECT c.id, v FROM unnest($1::text[]) v LEFT JOIN customers c ON c.email = v WHERE c.email <> ALL ($1);
--! same
--$ ? {{ann.okonkwo1@quvex.example,b},{c,d}}
SELECT c.id, v FROM unnest($1::text[]) v LEFT JOIN customers c ON c.email = v;
--! same
--$ ? NULL
SELECT c.id, v FROM unnest($1::text[]) v LEFT JOIN customers c ON c.email = v;
--! same
--$ ? {}
SELECT c.id, v FROM unnest($1::text[]) v LEFT JOIN customers c ON c.email = v;
--! refused form of the column
--$ ? {10.5,20}
SELECT c.id, v FROM unnest($1::numeric[]) v JOIN customers c ON c.balance > v ORDER BY 1, 2;
--! same
--$ text a@quvex.example
--$ text b
INSERT INTO people (id, email) SELECT 900 + n, e FROM unnest(ARRAY[$1, $2]) WITH ORDINALITY u(e, n) RETURNING *;
--! same
--$ ? {10.50,20.00}
SELECT c.id, v FROM unnest($1::numeric[]) v JOIN customers c ON c.balance > v ORDER BY 1, 2;
