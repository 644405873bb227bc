--! theme Queries

--# Inner joins
--! same
SELECT c.id, k.number FROM customers c JOIN cards k ON k.customer_id = c.id;
--! same
SELECT c.full_name, o.total FROM customers c INNER JOIN orders o ON o.customer_id = c.id WHERE o.total > 1000;
--! same
SELECT c.id, k.id FROM customers c JOIN cards k ON k.owner_email = c.email;
--! same
SELECT c.id, e.id FROM customers AS c JOIN employees AS e ON (c.email = e.email AND c.phone IS NOT NULL);
--! same
SELECT c.email, o.coupon, l.qty FROM customers c JOIN orders o ON o.customer_id = c.id JOIN order_lines l ON l.order_id = o.id WHERE l.product = 'lamp';
--! same
SELECT c.id, d.title FROM customers c, vault.documents d WHERE d.owner_email = c.email;
--! same
SELECT a.id, b.id FROM customers a JOIN customers b ON a.status = b.status AND a.id < b.id WHERE a.id < 8 AND b.id < 12;
--! same
SELECT a.id, b.id FROM customers a JOIN customers b ON a.balance < b.balance WHERE a.id < 6;
--! same
SELECT a.id, b.id FROM orders a JOIN orders b ON a.total BETWEEN b.total AND b.total WHERE a.id < 9 AND b.id < 9;
--! same
SELECT c.id, e.nick FROM customers c JOIN ONLY people e ON e.email = c.email;
--! same
SELECT * FROM customers c CROSS JOIN countries WHERE c.id = 1;
--! same
SELECT c.email, k.name FROM customers c JOIN countries k ON k.code = c.country;

--# Outer joins
--! same
SELECT c.id, c.email, k.number FROM customers c LEFT JOIN cards k ON k.owner_email = c.email;
--! same
SELECT c.id, c.email FROM customers c LEFT JOIN cards k ON k.owner_email = c.email WHERE k.id IS NULL;
--! same
SELECT c.id, k.number FROM customers c RIGHT OUTER JOIN cards k ON k.owner_email = c.email;
--! same
SELECT c.email, e.email FROM customers c FULL JOIN employees e ON c.email = e.email;
--! same
SELECT coalesce(c.email, e.email) AS email FROM customers c FULL OUTER JOIN employees e ON c.email = e.email;
--! same
SELECT c.id, o.total FROM customers c LEFT JOIN (SELECT * FROM orders WHERE total > 5000) o ON o.customer_id = c.id;
--! same
SELECT c.id, count(k.number) FROM customers c LEFT JOIN cards k ON k.customer_id = c.id GROUP BY c.id;
--! same
SELECT c.id, x.n FROM customers c LEFT JOIN (VALUES (1, 'a'), (2, 'b')) AS x (id, n) ON x.id = c.id WHERE c.status = 'vip';

--# USING and NATURAL
--! same
SELECT email, c.id, e.id FROM customers c JOIN employees e USING (email);
--! same
SELECT email FROM customers JOIN employees USING (email, phone);
--! same
SELECT * FROM people JOIN employees USING (email);
--! same
SELECT email, customers.email, employees.email FROM customers FULL JOIN employees USING (email);
--! same
SELECT email FROM customers LEFT JOIN employees USING (email) WHERE email = 'gl.kowalczyk4@quvex.example';
--! same
SELECT u.email FROM customers JOIN employees USING (email) AS u;
--! same
SELECT p.id, email FROM people p NATURAL JOIN (SELECT email FROM customers) c;
--! same
SELECT * FROM (SELECT email, phone FROM customers) a NATURAL JOIN (SELECT email, salary FROM employees) b;
--! same
SELECT * FROM (SELECT id, email FROM customers) a NATURAL FULL JOIN (SELECT id, nick FROM people) b;
--! same
SELECT count(*) FROM people NATURAL LEFT JOIN (SELECT email, number FROM cards JOIN customers ON owner_email = email) k;
--! refused NATURAL over different domains
SELECT * FROM (SELECT phone AS x FROM customers) a NATURAL JOIN (SELECT email AS x FROM employees) b;
--! refused USING over a plain column
SELECT id FROM customers JOIN vault.customers USING (id, email);

--# LATERAL
--! same
SELECT c.id, o.total FROM customers c, LATERAL (SELECT total FROM orders WHERE customer_id = c.id ORDER BY total DESC NULLS LAST, id LIMIT 1) o;
--! same
SELECT c.id, o.n FROM customers c CROSS JOIN LATERAL (SELECT count(*) AS n FROM cards k WHERE k.owner_email = c.email) o;
--! same
SELECT c.id, k.number FROM customers c LEFT JOIN LATERAL (SELECT number FROM cards WHERE owner_email = c.email ORDER BY id LIMIT 1) k ON true;
--! same
SELECT c.id, x.e FROM customers c, LATERAL (SELECT c.email AS e) x WHERE x.e = 'ann.okonkwo1@quvex.example';
--! same
SELECT c.id, s FROM customers c, generate_series(1, 2) s WHERE c.status = 'vip';
--! same
SELECT c.id, g FROM customers c, LATERAL generate_series(1, c.points / 10) g WHERE c.email IS NOT NULL;

--# Aliases and column lists
--! same
SELECT x.a, x.b FROM customers AS x (a, b, d) WHERE x.b = 'ann.okonkwo1@quvex.example';
--! same
SELECT b FROM customers AS x (a, b) WHERE b IS NOT NULL ORDER BY a;
--! same
SELECT email AS "E-Mail", full_name "select", phone AS phone FROM customers;
--! same
SELECT t.* FROM customers t WHERE t.id < 4;
--! same
SELECT c.*, c.email FROM customers c WHERE id = 3;
--! same
SELECT c.email, k.* FROM customers c JOIN cards k ON k.customer_id = c.id;
--! same
SELECT * FROM customers, countries WHERE code = country AND id < 5;
--! same
SELECT public.customers.email FROM public.customers WHERE public.customers.id = 1;
--! same
SELECT customers.email FROM customers;
--! same
SELECT y.e FROM (SELECT email AS e FROM customers) AS y;
--! same
SELECT y.q FROM (SELECT id, email FROM customers) AS y (p, q) WHERE p < 5;
--! same
SELECT j.* FROM (customers c JOIN cards k ON k.customer_id = c.id) AS j (a, b, d) WHERE j.a < 10;
--! same
SELECT FROM customers WHERE status = 'vip';
--! same
TABLE people;
--! same
SELECT ALL email FROM customers;

--# Whole rows
--! differs a record in binary holds the OIDs of the database's own types
SELECT c FROM customers c WHERE c.id = 1;
--! same
SELECT p FROM people p;
--! same
SELECT k.* AS k, k FROM kinds_none k;
--! same
SELECT d FROM vault.documents d ORDER BY d.title;
--! same
SELECT ROW(n.tags, n.secret, n.body, ROW(n.written, 1), 'x', NULL) FROM notes n;
--! same
SELECT s FROM (SELECT email, 1 AS n FROM customers) s;
--! same
SELECT (SELECT o FROM cards o WHERE o.owner_email = c.email LIMIT 1) FROM customers c WHERE id < 3;
--! same
SELECT (c).email FROM customers c WHERE (c).id < 4;
--! same
SELECT (c.*).email FROM customers c WHERE c.id < 4;
--! same
SELECT (c).* FROM customers c WHERE c.id < 4;
--! same
SELECT count(c) FROM customers c;
--! same
SELECT c.id FROM customers c WHERE c IS NOT NULL;
--! same
SELECT c.id FROM customers c WHERE c.* IS NULL;
--! same
SELECT ROW(id, email) FROM customers WHERE id < 4;
--! same
SELECT (s.r).email FROM (SELECT c AS r FROM customers c WHERE id < 4) s;
--! same
SELECT p.id FROM people p JOIN people q ON p.* IS NOT DISTINCT FROM q.*;

--# System columns
--! same
SELECT tableoid::regclass::text, email FROM people;
--! same
SELECT email FROM customers WHERE ctid IS NOT NULL;
--! same
SELECT xmin IS NOT NULL AS has, email FROM customers WHERE id < 3;

--# Scalar subqueries
--! same
SELECT (SELECT email FROM customers WHERE id = 1);
--! same
SELECT id, (SELECT full_name FROM customers c WHERE c.id = o.customer_id) AS who FROM orders o;
--! same
SELECT id FROM cards WHERE owner_email = (SELECT email FROM customers WHERE id = 4);
--! same
SELECT id FROM cards WHERE limit_cents > (SELECT min(limit_cents) FROM cards WHERE brand = 'visa');
--! same
SELECT (SELECT count(*) FROM customers WHERE status = 'vip') AS vips, (SELECT max(total) FROM orders) AS most;
--! same
SELECT id, (SELECT max(o.total) FROM orders o WHERE o.customer_id = c.id) AS best FROM customers c ORDER BY best DESC NULLS LAST, id;
--! same
SELECT coalesce((SELECT email FROM customers WHERE id = 11), 'none@quvex.example');
--! same
SELECT (SELECT (SELECT email FROM customers WHERE id = 2)) AS e;
--! error 21000
SELECT id FROM cards WHERE owner_email = (SELECT email FROM customers);

--# EXISTS
--! same
SELECT id FROM customers c WHERE EXISTS (SELECT 1 FROM cards k WHERE k.owner_email = c.email);
--! same
SELECT id FROM customers c WHERE NOT EXISTS (SELECT * FROM orders o WHERE o.customer_id = c.id AND o.coupon = 'SPRING-QX1');
--! same
SELECT EXISTS (SELECT FROM customers WHERE email = 'ann.okonkwo1@quvex.example') AS known;
--! same
SELECT id FROM customers WHERE EXISTS (SELECT 1 WHERE status = 'vip');
--! same
SELECT id FROM customers c WHERE EXISTS (SELECT 1 FROM employees e WHERE e.phone = c.phone AND EXISTS (SELECT 1 FROM cards k WHERE k.owner_email = c.email));

--# IN, ANY and ALL over subqueries
--! same
SELECT id FROM customers WHERE email IN (SELECT owner_email FROM cards);
--! same
SELECT id FROM customers WHERE email NOT IN (SELECT owner_email FROM cards WHERE owner_email IS NOT NULL);
--! same
SELECT id FROM customers WHERE email NOT IN (SELECT owner_email FROM cards);
--! same
SELECT id FROM customers WHERE email = ANY (SELECT email FROM employees);
--! same
SELECT id FROM customers WHERE email <> ALL (SELECT email FROM employees);
--! same
SELECT id FROM orders WHERE total >= ALL (SELECT total FROM orders WHERE total IS NOT NULL);
--! same
SELECT id FROM orders WHERE total < ANY (SELECT total FROM orders WHERE state = 'open');
--! same
SELECT id FROM customers WHERE (email, phone) IN (SELECT email, phone FROM employees);
--! same
SELECT id FROM customers WHERE (id, email) NOT IN (SELECT id, email FROM employees WHERE email IS NOT NULL);
--! same
SELECT id FROM customers WHERE (email, id) = (SELECT owner_email, customer_id FROM cards WHERE id = 6);
--! same
SELECT id FROM customers WHERE email IN (SELECT email FROM people UNION SELECT owner_email FROM vault.documents);
--! same
SELECT id FROM customers WHERE 'vip' IN (SELECT s.status FROM customers s WHERE s.country = customers.country);
--! same
SELECT id FROM customers WHERE email IN (VALUES ('ann.okonkwo1@quvex.example'), ('bo.yldrm9@quvex.example'));
--! same
SELECT id, email IN (SELECT owner_email FROM cards) AS has_card FROM customers;
--! refused another domain
SELECT id FROM customers WHERE email IN (SELECT phone FROM employees);
--! refused order
SELECT id FROM customers WHERE email > ALL (SELECT email FROM employees);

--# Derived tables
--! same
SELECT s.email FROM (SELECT email, status FROM customers) s WHERE s.status = 'vip';
--! same
SELECT s.e FROM (SELECT * FROM (SELECT email AS e, id FROM customers) t WHERE t.e IS NOT NULL) s WHERE s.e = 'bo.yldrm9@quvex.example';
--! same
SELECT s.n, s.e FROM (SELECT count(*) AS n, email AS e FROM people GROUP BY email) s WHERE s.n > 1;
--! same
SELECT s.m FROM (SELECT max(balance) AS m FROM customers) s WHERE s.m > 0;
--! same
SELECT a.email FROM (SELECT email FROM customers) a JOIN (SELECT owner_email FROM cards) b ON a.email = b.owner_email;
--! same
SELECT s.email, s.row_number FROM (SELECT email, row_number() OVER (ORDER BY balance, id) FROM customers) s WHERE s.row_number <= 3;
--! same
SELECT x.e FROM (SELECT 'plain literal' AS t, email AS e FROM customers WHERE false) x;

--# VALUES as a table
--! same
SELECT c.id, v.n FROM customers c JOIN (VALUES ('ann.okonkwo1@quvex.example', 1), ('bo.yldrm9@quvex.example', 2)) AS v (e, n) ON v.e = c.email;
--! same
SELECT c.id FROM customers c, (VALUES (100), (0)) v (b) WHERE c.balance = v.b;
--! same
SELECT v.x FROM (VALUES (1, 'a'), (2, 'b')) v (x, y) WHERE EXISTS (SELECT 1 FROM customers WHERE id = v.x AND email IS NOT NULL);
--! same
VALUES (1, 'a'), (2, 'b');
--! same
VALUES ((SELECT email FROM customers WHERE id = 1));

--# CTEs
--! same
WITH v AS (SELECT id, email FROM customers WHERE status = 'vip') SELECT * FROM v;
--! same
WITH v (a, b) AS (SELECT id, email FROM customers) SELECT b FROM v WHERE a < 5;
--! same
WITH v AS (SELECT * FROM customers), w AS (SELECT email FROM v WHERE id < 9) SELECT w.email FROM w JOIN cards k ON k.owner_email = w.email;
--! same
WITH v AS MATERIALIZED (SELECT email FROM customers) SELECT * FROM v WHERE email = 'ann.okonkwo1@quvex.example';
--! same
WITH v AS NOT MATERIALIZED (SELECT email FROM customers) SELECT count(*) FROM v a JOIN v b USING (email);
--! same
WITH customers AS (SELECT 1 AS id, 'plain' AS email) SELECT email FROM customers;
--! same
WITH customers AS (SELECT id, email FROM vault.customers) SELECT email FROM customers WHERE email = 'plain1@open.example';
--! same
WITH vault AS (SELECT email FROM customers) SELECT email FROM vault WHERE email = 'ann.okonkwo1@quvex.example';
--! same
WITH a AS (WITH b AS (SELECT email FROM customers WHERE id < 4) SELECT * FROM b) SELECT * FROM a;
--! same
SELECT (WITH x AS (SELECT email FROM customers WHERE id = 1) SELECT email FROM x) AS e;
--! same
WITH x AS (SELECT email FROM customers) SELECT id FROM cards WHERE owner_email IN (SELECT email FROM x);
--! same
WITH t AS (SELECT balance AS b FROM customers) SELECT max(b), min(b) FROM t;
--! same
WITH a AS (SELECT email FROM customers), b AS (SELECT email FROM employees) SELECT email FROM a INTERSECT SELECT email FROM b;

--# Recursive CTEs
--! same
WITH RECURSIVE t AS (SELECT id, manager_id, email, 1 AS depth FROM employees WHERE manager_id IS NULL UNION ALL SELECT e.id, e.manager_id, e.email, t.depth + 1 FROM employees e JOIN t ON e.manager_id = t.id) SELECT id, email, depth FROM t;
--! same
WITH RECURSIVE t (i, n) AS (SELECT id, name FROM employees WHERE id = 20 UNION SELECT e.id, e.name FROM employees e, employees c, t WHERE c.id = t.i AND e.id = c.manager_id) SELECT n FROM t;
--! same
WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT c.email FROM n JOIN customers c ON c.id = n.i;
--! same
WITH RECURSIVE t AS (SELECT id, salary FROM employees WHERE id = 1 UNION ALL SELECT e.id, e.salary FROM employees e JOIN t ON e.manager_id = t.id) SELECT max(salary) FROM t;
--! same
WITH RECURSIVE t AS (SELECT id, email FROM employees WHERE id = 1 UNION ALL SELECT e.id, e.email FROM employees e JOIN t ON e.manager_id = t.id) SEARCH DEPTH FIRST BY id SET o SELECT id, email FROM t ORDER BY o;
--! same
WITH RECURSIVE t AS (SELECT id, email FROM employees WHERE id = 1 UNION ALL SELECT e.id, e.email FROM employees e JOIN t ON e.manager_id = t.id) CYCLE id SET seen USING path SELECT id, email, seen FROM t;

--# Set operations
--! same
SELECT email FROM customers UNION SELECT email FROM employees;
--! same
SELECT email FROM customers UNION ALL SELECT email FROM employees;
--! same
SELECT email FROM customers INTERSECT SELECT email FROM employees;
--! same
SELECT owner_email FROM cards INTERSECT ALL SELECT email FROM people;
--! same
SELECT email FROM customers EXCEPT SELECT owner_email FROM cards;
--! same
SELECT owner_email FROM cards EXCEPT ALL SELECT email FROM people;
--! same
(SELECT email FROM customers UNION SELECT email FROM people) EXCEPT SELECT email FROM employees;
--! same
SELECT email, 1 AS n FROM customers UNION ALL SELECT email, 2 FROM employees;
--! same
SELECT id, email FROM customers WHERE id < 3 UNION ALL SELECT 0, 'literal@quvex.example';
--! same
SELECT 0 AS id, 'literal@quvex.example' AS email UNION ALL SELECT id, email FROM customers WHERE id < 3;
--! same
SELECT id, email FROM customers WHERE id < 3 UNION ALL SELECT 0, NULL;
--! same
SELECT NULL AS email UNION SELECT email FROM customers;
--! same
SELECT remark FROM customers UNION ALL SELECT remark FROM customers;
--! same
SELECT balance FROM customers UNION SELECT balance FROM customers ORDER BY balance;
--! same
SELECT balance FROM customers UNION ALL SELECT balance FROM customers ORDER BY 1 DESC NULLS LAST LIMIT 5;
--! same
(SELECT id, email FROM customers ORDER BY balance, id LIMIT 3) UNION ALL (SELECT id, email FROM employees ORDER BY salary, id LIMIT 3);
--! same
SELECT s.email FROM (SELECT email FROM customers UNION ALL SELECT email FROM people) s WHERE s.email = 'ann.okonkwo1@quvex.example';
--! same
SELECT total FROM orders EXCEPT SELECT total FROM orders WHERE total < 1000;
--! same
SELECT phone FROM customers UNION SELECT phone FROM employees;
--! refused different domains
SELECT email FROM customers UNION SELECT phone FROM employees;
--! refused different domains
SELECT balance FROM customers UNION ALL SELECT total FROM orders;
--! refused with a plain column
SELECT email FROM customers UNION ALL SELECT email FROM vault.customers;
--! refused order
SELECT email FROM customers UNION SELECT email FROM employees ORDER BY email;
--! error 42601
SELECT id, email FROM customers UNION SELECT email FROM employees;

--# DISTINCT
--! same
SELECT DISTINCT status FROM customers;
--! same
SELECT DISTINCT email, phone FROM customers;
--! same
SELECT DISTINCT country, status FROM customers;
--! same
SELECT count(*) FROM (SELECT DISTINCT coupon FROM orders) s;
--! same
SELECT DISTINCT ON (country) country, email FROM customers ORDER BY country, id;
--! same
SELECT DISTINCT ON (status) status, country IS NULL AS x FROM customers WHERE status = 'vip' AND country = 'DE';
--! same
SELECT DISTINCT active FROM employees;
--! same
SELECT DISTINCT secret FROM notes;
--! same
SELECT DISTINCT qty FROM order_lines ORDER BY qty DESC;

--# GROUP BY and HAVING
--! same
SELECT status, count(*) FROM customers GROUP BY status;
--! same
SELECT status AS s, count(*) AS n FROM customers GROUP BY s;
--! same
SELECT status, country, count(*) FROM customers GROUP BY 1, 2;
--! same
SELECT status, count(*) FROM customers GROUP BY status HAVING count(*) > 10;
--! same
SELECT status FROM customers GROUP BY status HAVING status = 'vip';
--! same
SELECT status, count(*) FROM customers GROUP BY status HAVING status IS NOT NULL AND max(points) > 5;
--! same
SELECT email, count(*) FROM people GROUP BY email HAVING count(*) > 1;
--! same
SELECT c.email, count(k.id) FROM customers c LEFT JOIN cards k ON k.owner_email = c.email GROUP BY c.email;
--! same
SELECT c.id, c.email, c.full_name, count(*) FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY c.id;
--! same
SELECT coupon, max(total) FROM orders GROUP BY coupon;
--! same
SELECT state, min(placed), max(placed), count(coupon), count(*) FROM orders GROUP BY state;
--! same
SELECT coalesce(status, 'new') AS s, count(*) FROM customers GROUP BY coalesce(status, 'new');
--! same
SELECT status = 'vip' AS v, count(*) FROM customers GROUP BY v;
--! same
SELECT balance, count(*) FROM customers GROUP BY balance ORDER BY count(*) DESC, balance NULLS LAST;
--! same
SELECT DISTINCT count(*) FROM customers GROUP BY status;
--! same
SELECT avg(points), sum(points) FROM customers GROUP BY status;
--! same
SELECT status, count(*) FROM customers WHERE balance > 0 GROUP BY status;
--! error 42803
SELECT email, count(*) FROM customers;
--! error 42803
SELECT status, email FROM customers GROUP BY status;

--# GROUPING SETS, ROLLUP, CUBE
--! same
SELECT status, country, count(*) FROM customers GROUP BY GROUPING SETS ((status), (country), ());
--! same
SELECT status, country, count(*) FROM customers GROUP BY ROLLUP (status, country);
--! same
SELECT status, country, count(*), grouping(status, country) FROM customers GROUP BY CUBE (status, country);
--! same
SELECT coupon, state, max(total) FROM orders GROUP BY state, ROLLUP (coupon);
--! same
SELECT status, count(*) FROM customers GROUP BY DISTINCT ROLLUP (status), ROLLUP (status);

--# Aggregates
--! same
SELECT count(*), count(email), count(remark) FROM customers;
--! same
SELECT count(DISTINCT status), count(DISTINCT email) FROM customers;
--! same
SELECT count(DISTINCT (status, country)) FROM customers;
--! same
SELECT count(*) FILTER (WHERE status = 'vip') AS vip, count(*) FROM customers;
--! same
SELECT sum(points) FILTER (WHERE status IN ('vip', 'new')) FROM customers;
--! same
SELECT array_agg(email ORDER BY id) FROM customers;
--! same
SELECT array_agg(balance ORDER BY balance, id) FROM customers WHERE id < 20;
--! same
SELECT country, array_agg(email ORDER BY id) FROM customers GROUP BY country;
--! same
SELECT array_agg(email ORDER BY id) FILTER (WHERE status = 'vip') FROM customers;
--! same
SELECT array_agg(remark ORDER BY id) FROM customers;
--! same
SELECT array_agg(DISTINCT balance ORDER BY balance) FROM customers;
--! same
SELECT ARRAY(SELECT email FROM customers ORDER BY id);
--! same
SELECT ARRAY[email, 'x@quvex.example'] FROM customers WHERE id < 3;
--! same
SELECT mode() WITHIN GROUP (ORDER BY coupon) FROM orders WHERE coupon = 'SPRING-QX1';
--! same
SELECT mode() WITHIN GROUP (ORDER BY status) FROM customers WHERE status = 'vip' OR id = 1;
--! same
SELECT bool_or(status = 'vip'), bool_and(email IS NOT NULL), every(points > 0) FROM customers;
--! same
SELECT any_value(email) FROM customers WHERE id = 1;
--! refused order inside
SELECT array_agg(email ORDER BY email) FROM customers;
--! refused order inside
SELECT array_agg(DISTINCT email) FROM customers;
--! refused function
SELECT string_agg(email, ',') FROM customers;
--! refused function
SELECT json_agg(email) FROM customers;
--! refused function
SELECT jsonb_object_agg(id, email) FROM customers;
--! refused function
SELECT bool_or(active) FROM employees WHERE dept = lower(dept);
--! refused function
SELECT json_build_object('email', email) FROM customers;
--! refused function
SELECT row_to_json(c) FROM customers c;
--! refused function
SELECT to_jsonb(c) FROM customers c;
--! refused function
SELECT to_json(email) FROM customers;
--! refused cast
SELECT c::text FROM customers c;
--! refused cast
SELECT array_agg(email)::text FROM customers;
--! refused function
SELECT array_to_string(array_agg(email), ',') FROM customers;
--! refused function
SELECT hashtext(email) FROM customers;
--! refused function
SELECT pg_column_size(email) FROM customers;
--! refused function
SELECT JSON_OBJECT('e': email) FROM customers;

--# Window functions
--! same
SELECT id, row_number() OVER (ORDER BY balance, id) FROM customers;
--! same
SELECT id, rank() OVER (ORDER BY balance), dense_rank() OVER (ORDER BY balance DESC) FROM customers;
--! same
SELECT id, rank() OVER (PARTITION BY status ORDER BY id) FROM customers;
--! same
SELECT id, count(*) OVER (PARTITION BY status) FROM customers;
--! same
SELECT id, lag(email) OVER (ORDER BY id) FROM customers;
--! same
SELECT id, lag(email, 2) OVER (ORDER BY id) FROM customers;
--! same
SELECT id, lag(email, 1, 'none@quvex.example') OVER (ORDER BY id) FROM customers;
--! same
SELECT id, lead(balance) OVER (PARTITION BY country ORDER BY balance, id) FROM customers;
--! same
SELECT id, first_value(email) OVER (PARTITION BY country ORDER BY id) FROM customers;
--! same
SELECT id, last_value(full_name) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM customers;
--! same
SELECT id, nth_value(email, 2) OVER (ORDER BY id) FROM customers;
--! same
SELECT id, ntile(4) OVER (ORDER BY balance, id) FROM customers;
--! same
SELECT id, cume_dist() OVER (ORDER BY balance), percent_rank() OVER (ORDER BY balance) FROM customers;
--! same
SELECT id, max(balance) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM customers;
--! same
SELECT id, min(total) OVER w, count(*) OVER w FROM orders WINDOW w AS (PARTITION BY coupon ORDER BY id);
--! same
SELECT id, count(*) OVER (ORDER BY balance GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM customers;
--! same
SELECT id, count(*) OVER (ORDER BY balance RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM customers;
--! same
SELECT id, sum(points) OVER (PARTITION BY status ORDER BY id ROWS 3 PRECEDING EXCLUDE CURRENT ROW) FROM customers;
--! same
SELECT status, rank() OVER (ORDER BY count(*) DESC) FROM customers GROUP BY status;
--! same
SELECT id, count(*) FILTER (WHERE status = 'vip') OVER (ORDER BY id) FROM customers;
--! same
SELECT id, email FROM customers ORDER BY row_number() OVER (ORDER BY balance DESC, id);
--! refused order
SELECT id, row_number() OVER (ORDER BY email) FROM customers;
--! refused function
SELECT id, sum(balance) OVER (ORDER BY id) FROM customers;

--# LIMIT, OFFSET, FETCH
--! same
SELECT id, email FROM customers ORDER BY id LIMIT 3;
--! same
SELECT id, email FROM customers ORDER BY id LIMIT 3 OFFSET 2;
--! same
SELECT id, email FROM customers ORDER BY id LIMIT ALL OFFSET 55;
--! same
SELECT id, email FROM customers ORDER BY points FETCH FIRST ROW WITH TIES;
--! same
SELECT id, full_name FROM customers ORDER BY id FETCH NEXT 2 ROWS ONLY;
--! same
SELECT id, email FROM customers ORDER BY id LIMIT (SELECT count(*) FROM customers WHERE status = 'vip');
--! same
SELECT email FROM customers LIMIT 0;
--! error 2201W
SELECT email FROM customers LIMIT -1;

--# Row locks and samples
--! same
SELECT email FROM customers WHERE id = 1 FOR UPDATE;
--! same
SELECT email FROM customers WHERE status = 'vip' FOR NO KEY UPDATE SKIP LOCKED;
--! same
SELECT c.email FROM customers c JOIN cards k ON k.customer_id = c.id FOR SHARE OF c NOWAIT;
--! same
SELECT email FROM customers WHERE email = 'ann.okonkwo1@quvex.example' FOR KEY SHARE;
--! same
SELECT count(*) FROM customers TABLESAMPLE BERNOULLI (100) WHERE status = 'vip';
--! same
SELECT id, email FROM customers TABLESAMPLE SYSTEM (100) REPEATABLE (1);

--# Casts inside the family
--! same
SELECT email::text FROM customers;
--! same
SELECT phone::text, status::text FROM customers;
--! same
SELECT CAST(email AS varchar) FROM customers;
--! same
SELECT email::varchar AS e FROM customers WHERE email::text = 'ann.okonkwo1@quvex.example';
--! same
SELECT id FROM customers WHERE phone::text = '+49-711-55001';
--! same
SELECT id FROM customers WHERE balance::numeric > 100;
--! same
SELECT balance::numeric FROM customers;
--! same
SELECT born::date FROM customers;
--! same
SELECT full_name::varchar(60) FROM customers;
--! same
SELECT full_name::text FROM customers ORDER BY full_name::text, id;
--! same
SELECT limit_cents::int4 FROM cards;
--! same
SELECT badge::uuid FROM employees;

--# Plain beside sealed
--! same
SELECT points + 1, upper(country::text), email FROM customers;
--! same
SELECT lower(name), code FROM countries ORDER BY name;
--! same
SELECT id, email FROM customers WHERE lower(region) LIKE 'de%' AND points * 2 >= 10;
--! same
SELECT region, level, feeling, created FROM customers WHERE email IS NOT NULL;
--! same
SELECT level, count(*) FROM customers GROUP BY level ORDER BY level;
--! same
SELECT string_agg(label, ',' ORDER BY id) FROM vault.customers;
--! same
SELECT label, email FROM vault.customers WHERE email LIKE 'plain%';
--! same
SELECT row_to_json(c) FROM countries c ORDER BY code;
--! same
SELECT 1 AS one, 'text' AS two, NULL AS three, 1.5 AS four, current_date IS NOT NULL AS five;
--! same
SELECT count(*) FROM generate_series(1, 10);
--! error 42P01
SELECT * FROM no_such_table;
--! error 42703
SELECT no_such_column FROM customers;
--! error 42703
SELECT c.nothing FROM customers c WHERE c.email = 'ann.okonkwo1@quvex.example';
--! error 42702
SELECT email FROM customers, employees;
--! error 42601
SELEC email FROM customers;
--! error 42883
SELECT no_such_function(id) FROM customers;
--! error 22012
SELECT id / 0 FROM customers WHERE email = 'ann.okonkwo1@quvex.example';
--! error 42712
SELECT c.email FROM customers c, cards c;
--! error 42P01
SELECT x.email FROM customers c;

--# Sampling, ties and modes
--! same
SELECT id, email FROM customers TABLESAMPLE BERNOULLI (100) REPEATABLE (7) WHERE email IS NOT NULL;
--! same
SELECT c.email FROM customers AS c TABLESAMPLE SYSTEM (100) JOIN cards k ON k.owner_email = c.email;
--! same
SELECT id, balance FROM customers ORDER BY balance DESC NULLS LAST FETCH FIRST 2 ROWS WITH TIES;
--! same
SELECT born FROM customers WHERE born IS NOT NULL ORDER BY born FETCH FIRST 1 ROW WITH TIES;
--! same
SELECT mode() WITHIN GROUP (ORDER BY status) FROM customers WHERE status = 'vip';
--! same
SELECT country, mode() WITHIN GROUP (ORDER BY born) FILTER (WHERE id = 1) FROM customers GROUP BY country;
--# Windows with frames
--! same
SELECT id, lead(email) OVER w, first_value(born) OVER w, nth_value(email, 2) OVER w FROM customers WINDOW w AS (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING);
--! same
SELECT id, last_value(balance) OVER (ORDER BY balance, id GROUPS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE TIES) FROM customers;
--! same
SELECT id, count(*) OVER (PARTITION BY status ORDER BY balance RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW) FROM customers;
--! same
SELECT id, rank() OVER (ORDER BY balance), dense_rank() OVER (ORDER BY born DESC NULLS LAST), ntile(3) OVER (ORDER BY full_name, id), percent_rank() OVER (ORDER BY balance) FROM customers;
--! same
SELECT any_value(status) FROM customers WHERE status = 'vip';
--! same
SELECT status, count(*) FILTER (WHERE email IS NOT NULL), count(DISTINCT email) FILTER (WHERE balance > 10) FROM customers GROUP BY status;
--! same
SELECT num_nulls(email, born, balance), num_nonnulls(email, points) FROM customers;
--# Grouping sets
--! same
SELECT status, country, count(*), grouping(status, country) FROM customers GROUP BY GROUPING SETS ((status), (country), ());
--! same
SELECT status, born, count(*) FROM customers GROUP BY ROLLUP (status, born) HAVING count(*) > 1;
--! same
SELECT status, max(balance) FROM customers GROUP BY CUBE (status);
--! same
SELECT status, country, count(*) FROM customers GROUP BY DISTINCT ROLLUP (status), CUBE (country);
--# Row comparisons and quantifiers
--! same
SELECT id FROM customers WHERE (email, status) IN (SELECT email, status FROM customers WHERE id < 4);
--! same
SELECT id FROM customers WHERE (born, id) > ('1985-01-01', 2);
--! same
SELECT id FROM customers WHERE email = SOME (SELECT owner_email FROM cards);
--! same
SELECT id FROM customers WHERE email <> ALL (SELECT owner_email FROM cards WHERE owner_email IS NOT NULL);
--! same
SELECT id FROM customers WHERE balance >= ALL (SELECT balance FROM customers WHERE balance IS NOT NULL);
--! same
SELECT id FROM customers WHERE balance BETWEEN SYMMETRIC 500 AND 10;
--! same
SELECT id FROM customers WHERE balance NOT BETWEEN SYMMETRIC 500 AND 10;
--! same
SELECT id FROM customers WHERE (email, phone) IS NOT NULL;
--! same
SELECT id FROM customers c WHERE c.* IS NULL OR c IS NOT NULL;
--# Recursion
--! same
WITH RECURSIVE t AS (SELECT id, manager_id, email, 0 AS depth FROM employees WHERE manager_id IS NULL UNION ALL SELECT e.id, e.manager_id, e.email, depth + 1 FROM employees e JOIN t ON e.manager_id = t.id) SEARCH DEPTH FIRST BY id SET ord SELECT id, email, depth FROM t ORDER BY ord;
--! same
WITH RECURSIVE t AS (SELECT id, manager_id, name FROM employees UNION ALL SELECT e.id, e.manager_id, e.name FROM employees e JOIN t ON e.manager_id = t.id) CYCLE id SET is_cycle USING path SELECT count(name) FROM t;
--! same
WITH m AS MATERIALIZED (SELECT email FROM customers WHERE id < 5), n AS NOT MATERIALIZED (SELECT owner_email FROM cards) SELECT m.email FROM m JOIN n ON n.owner_email = m.email;
--! same
WITH customers AS (SELECT email, id FROM people) SELECT email FROM customers;
--! same
WITH gone AS (DELETE FROM cards WHERE owner_email = 'ann.okonkwo1@quvex.example' RETURNING number, owner_email), put AS (INSERT INTO people (id, email) SELECT 950, owner_email FROM gone LIMIT 1 RETURNING email) SELECT gone.number, put.email FROM gone LEFT JOIN put ON put.email = gone.owner_email;
--# Joins
--! same
SELECT email FROM customers NATURAL JOIN (SELECT email FROM people) p;
--! same
SELECT email, c.id, p.id FROM customers c FULL JOIN people p USING (email);
--! same
SELECT email, j.email FROM customers c LEFT JOIN people p USING (email) AS j;
--! same
SELECT c.id, l.number FROM customers c CROSS JOIN LATERAL (SELECT number FROM cards k WHERE k.owner_email = c.email ORDER BY id LIMIT 1) l;
--! same
SELECT a.id, b.id FROM customers a RIGHT JOIN employees b ON a.phone = b.phone AND a.email IS DISTINCT FROM b.email;
--! same
SELECT x, n FROM customers AS t (n, x, y) WHERE x = 'ann.okonkwo1@quvex.example';
--! same
SELECT id FROM customers EXCEPT ALL SELECT id FROM customers WHERE email IS NULL;
--! same
SELECT email FROM customers INTERSECT ALL SELECT owner_email FROM cards;
--! same
(SELECT email FROM customers UNION SELECT email FROM people) EXCEPT SELECT owner_email FROM cards;
--! same
SELECT email FROM customers WHERE id < 6 FOR NO KEY UPDATE NOWAIT;
--! same
SELECT c.email FROM customers c JOIN cards k ON k.customer_id = c.id FOR SHARE OF c;
--# Other sources
--! same
SELECT c.email, g FROM customers c, generate_series(1, 2) WITH ORDINALITY AS s (g, o) WHERE c.id < 3;
--! same
SELECT c.email, j.a FROM customers c, jsonb_to_recordset('[{"a": 1}, {"a": 2}]') AS j (a integer) WHERE c.id = j.a;
--! same
SELECT c.email, u.n FROM customers c JOIN unnest(ARRAY[1, 2], ARRAY['x', 'y']) AS u (id, n) ON u.id = c.id;
--! same
SELECT c.email, x.v FROM customers c, LATERAL (VALUES (c.status, 1), ('new', 2)) AS x (v, n) WHERE c.id < 3 AND x.v = 'new';
--! same
SELECT c.email FROM customers c, ROWS FROM (generate_series(1, 2), generate_series(3, 4)) AS r (a, b) WHERE c.id = r.a;
--! same
SELECT email, xmin IS NOT NULL, tableoid IS NOT NULL, ctid IS NOT NULL FROM customers WHERE id = 1;
