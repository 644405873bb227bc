--! theme Order

--# Comparison
--! same
SELECT id, balance FROM customers WHERE balance > 100;
--! same
SELECT id, balance FROM customers WHERE balance >= 100.00;
--! same
SELECT id, balance FROM customers WHERE balance < 0;
--! same
SELECT id, balance FROM customers WHERE balance <= -0.01;
--! same
SELECT id, balance FROM customers WHERE 100 < balance;
--! same
SELECT id, balance FROM customers WHERE balance = 48213.77;
--! same
SELECT id, balance FROM customers WHERE balance <> 48213.77;
--! same
SELECT id FROM customers WHERE balance = 48213.770;
--! same
SELECT id FROM customers WHERE NOT balance > 0;
--! same
SELECT id, born FROM customers WHERE born < '1987-03-15';
--! same
SELECT id, born FROM customers WHERE born >= DATE '1987-03-15';
--! same
SELECT id, born FROM customers WHERE born = '0044-03-15 BC';
--! same
SELECT id, born FROM customers WHERE born > 'infinity';
--! same
SELECT id, born FROM customers WHERE born > '-infinity';
--! same
SELECT id FROM customers WHERE born = 'March 14, 1987';
--! same
SELECT id FROM customers WHERE born = '19870314';
--! same
SELECT id, expires FROM cards WHERE expires = 'infinity';
--! same
SELECT id, placed FROM orders WHERE placed >= '2021-01-01' AND placed < '2022-01-01';
--! same
SELECT id, placed FROM orders WHERE placed = '2021-05-15 01:15:00';
--! same
SELECT id FROM orders WHERE placed > '-infinity' AND placed < '0001-01-01';
--! same
SELECT id, written FROM notes WHERE written > '2021-07-01 12:00:00+00';
--! same
SELECT id, written FROM notes WHERE written = '2021-07-01 14:00:00+02';
--! same
SELECT id, name FROM employees WHERE name > 'Chidi';
--! same
SELECT id, name FROM employees WHERE name <= 'Dörte Zeltner';
--! same
SELECT id, full_name FROM customers WHERE full_name = 'Ann Okonkwo';
--! same
SELECT id, title FROM vault.documents WHERE title < 'a';
--! same
SELECT id, title FROM vault.documents WHERE title >= '';
--! same
SELECT id FROM vault.documents WHERE rank > 0;
--! same
SELECT id FROM cards WHERE limit_cents = -5000;
--! same
SELECT id FROM cards WHERE limit_cents <= - 5000;
--! same
SELECT id FROM cards WHERE limit_cents > +0;

--# Ranges
--! same
SELECT id FROM customers WHERE balance BETWEEN 0 AND 7731.45;
--! same
SELECT id FROM customers WHERE balance NOT BETWEEN 0 AND 7731.45;
--! same
SELECT id FROM customers WHERE balance BETWEEN SYMMETRIC 7731.45 AND 0;
--! same
SELECT id FROM customers WHERE balance NOT BETWEEN SYMMETRIC 7731.45 AND -1;
--! same
SELECT id FROM customers WHERE born BETWEEN '1987-03-14' AND '1987-03-15';
--! same
SELECT id FROM orders WHERE placed BETWEEN '2020-01-01' AND '2020-12-31 23:59:59';
--! same
SELECT id FROM employees WHERE name BETWEEN 'A' AND 'C';
--! same
SELECT id FROM customers WHERE balance IN (0, 100, 48213.77);
--! same
SELECT id FROM customers WHERE balance = ANY ('{0,100}');
--! same
SELECT id FROM customers WHERE balance > ANY (ARRAY[100, 5000]);
--! same
SELECT id FROM customers WHERE balance > ALL (ARRAY[100, 5000]);
--! same
SELECT id FROM customers WHERE (born, id) > ('1987-03-15', 10);
--! same
SELECT id FROM customers WHERE (balance, born) <= (7731.45, '1987-03-15');
--! same
SELECT id FROM customers WHERE (points, balance) < (10, 50);
--! same
SELECT id FROM order_lines, orders WHERE order_lines.order_id = orders.id AND qty >= 3;

--# Literals that the column cannot hold
--! same
SELECT id FROM customers WHERE balance = 48213.775;
--! same
SELECT id FROM customers WHERE balance > 48213.765;
--! same
SELECT id FROM customers WHERE balance <= 48213.769999;
--! same
SELECT id FROM customers WHERE balance < 1e20;
--! same
SELECT id FROM customers WHERE balance > -1e20;
--! same
SELECT id FROM customers WHERE balance < 'Infinity';
--! same
SELECT id FROM customers WHERE balance > 'NaN';
--! same
SELECT id FROM customers WHERE balance <> 0.001;
--! same
SELECT id FROM customers WHERE balance NOT IN (0.001, 100);
--! same
SELECT id FROM customers WHERE balance BETWEEN -0.015 AND 0.005;
--! same
SELECT id FROM cards WHERE limit_cents > 99999999999;
--! same
SELECT id FROM cards WHERE limit_cents < 99999999999;
--! same
SELECT id FROM cards WHERE limit_cents >= -99999999999;
--! same
SELECT id FROM cards WHERE limit_cents = 0.5;
--! same
SELECT id FROM cards WHERE limit_cents < 0.5;
--! same
SELECT id FROM cards WHERE limit_cents = 250000.0;
--! same
SELECT id FROM cards WHERE limit_cents >= 249999.99;
--! same
SELECT id FROM vault.documents WHERE rank < 40000;
--! same
SELECT id FROM vault.documents WHERE rank = 3.0;
--! same
SELECT id FROM vault.documents WHERE rank <> 3.5;
--! same
SELECT id FROM vault.documents WHERE title > 'titlemark and then many more characters than the column has';
--! same
SELECT id FROM vault.documents WHERE title < 'titlemark 10000000000000000000000000000000000000000000000000000';
--! same
SELECT id FROM employees WHERE name < 'Eve Okonkwo and then many more characters than varchar(40) would take, really many';
--! same
SELECT id FROM employees WHERE name = 'Eve Okonkwo                                                                    ';
--! same
SELECT id FROM orders WHERE placed > '2021-05-15 01:15:00.0000004';
--! same
SELECT id FROM customers WHERE status = 'far too long for varchar(10)';
--! same
SELECT id FROM customers WHERE status <> 'far too long for varchar(10)';
--! same
SELECT id FROM customers WHERE status IN ('far too long for varchar(10)', 'vip');

--# Patterns with a fixed prefix
--! same
SELECT id, full_name FROM customers WHERE full_name LIKE 'Ann%';
--! same
SELECT id FROM customers WHERE full_name LIKE 'Ann O%';
--! same
SELECT id FROM customers WHERE full_name NOT LIKE 'Ann%';
--! same
SELECT id FROM customers WHERE full_name LIKE 'D%';
--! same
SELECT id FROM customers WHERE full_name LIKE 'Dö%';
--! same
SELECT id FROM customers WHERE full_name LIKE '%';
--! same
SELECT id FROM customers WHERE full_name LIKE 'Ann Okonkwo';
--! same
SELECT id FROM customers WHERE full_name ~~ 'Ann%';
--! same
SELECT id FROM customers WHERE full_name !~~ 'Ann%';
--! same
SELECT id FROM vault.documents WHERE title LIKE 'titlemark 1%';
--! same
SELECT id FROM vault.documents WHERE title LIKE 'title\_%';
--! same
SELECT id FROM vault.documents WHERE title LIKE 'titlemark\%%';
--! same
SELECT id FROM vault.documents WHERE title LIKE 'titlemark!_%' ESCAPE '!';
--! same
SELECT id FROM employees WHERE name LIKE 'Bo %' AND hired > '2020-01-01';
--! same
SELECT id FROM customers WHERE full_name LIKE ANY (ARRAY['Ann%', 'Bo%']);

--# ORDER BY
--! same
SELECT id, balance FROM customers ORDER BY balance, id;
--! same
SELECT id, balance FROM customers ORDER BY balance DESC, id DESC;
--! same
SELECT id, balance FROM customers ORDER BY balance NULLS FIRST, id;
--! same
SELECT id, balance FROM customers ORDER BY balance DESC NULLS LAST, id;
--! same
SELECT id, born FROM customers ORDER BY 2, 1;
--! same
SELECT id, born AS birthday FROM customers ORDER BY birthday DESC, id;
--! same
SELECT id, full_name FROM customers ORDER BY full_name, id LIMIT 10;
--! same
SELECT id, full_name FROM customers ORDER BY full_name, id OFFSET 50;
--! same
SELECT id FROM orders ORDER BY placed, total DESC, id FETCH FIRST 7 ROWS ONLY;
--! same
SELECT balance FROM customers ORDER BY balance FETCH FIRST 3 ROWS WITH TIES;
--! same
SELECT id, total FROM orders ORDER BY total USING >, id;
--! same
SELECT id, title FROM vault.documents ORDER BY title, id;
--! same
SELECT id, written FROM notes ORDER BY written DESC NULLS FIRST, id;
--! same
SELECT id FROM customers ORDER BY CASE WHEN points > 5 THEN balance END, id;
--! same
SELECT id FROM customers ORDER BY coalesce(balance, 0), id;
--! same
SELECT id FROM customers ORDER BY balance IS NULL, balance, id;
--! same
SELECT DISTINCT balance FROM customers ORDER BY balance;
--! same
SELECT DISTINCT born, balance FROM customers ORDER BY born, balance DESC NULLS LAST;
--! same
SELECT DISTINCT ON (born) born, id FROM customers ORDER BY born, id;
--! same
SELECT DISTINCT ON (status) status, id FROM customers WHERE status = 'vip' ORDER BY status, id;
--! same
SELECT born, count(*) FROM customers GROUP BY born ORDER BY born;
--! same
SELECT id FROM customers ORDER BY full_name COLLATE "C", id;

--# min, max, greatest, least
--! same
SELECT min(balance), max(balance) FROM customers;
--! same
SELECT min(born) AS oldest, max(born) AS youngest FROM customers;
--! same
SELECT status = 'vip' AS vip, max(balance) FROM customers GROUP BY status = 'vip';
--! same
SELECT country, min(full_name), max(full_name) FROM customers GROUP BY country;
--! same
SELECT max(placed), min(placed) FROM orders WHERE false;
--! same
SELECT max(balance) FILTER (WHERE points > 5) FROM customers;
--! same
SELECT country FROM customers GROUP BY country HAVING max(balance) > 8000;
--! same
SELECT customer_id, max(total) AS most FROM orders GROUP BY customer_id ORDER BY most DESC NULLS LAST, customer_id NULLS LAST;
--! same
SELECT id, greatest(balance, 100) FROM customers;
--! same
SELECT id, least(balance, 100, 0) FROM customers;
--! same
SELECT id, greatest(born, '1980-01-01') FROM customers;
--! same
SELECT id, greatest(balance, NULL) FROM customers;
--! same
SELECT min(name) FROM employees WHERE active = true;
--! same
SELECT min(written) FROM notes;
--! same
SELECT id FROM orders WHERE total = (SELECT max(total) FROM orders);
--! same
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY balance) FROM customers;
--! same
SELECT percentile_disc(0) WITHIN GROUP (ORDER BY born DESC) FROM customers;

--# Refused on order columns
--! refused arithmetic
SELECT balance + 1 FROM customers;
--! refused arithmetic
SELECT -balance FROM customers;
--! refused arithmetic
SELECT id FROM order_lines, orders WHERE orders.id = order_id AND qty * 2 > 3;
--! refused arithmetic
SELECT unit_price * qty FROM order_lines;
--! refused arithmetic
SELECT id FROM customers WHERE balance * 2 > 100;
--! refused arithmetic
SELECT total / 2 FROM orders;
--! refused arithmetic
SELECT limit_cents % 10 FROM cards;
--! refused arithmetic
SELECT born + 1 FROM customers;
--! refused arithmetic
SELECT current_date - born FROM customers;
--! refused arithmetic
SELECT placed + interval '1 day' FROM orders;
--! refused aggregate
SELECT sum(balance) FROM customers;
--! refused aggregate
SELECT avg(total) FROM orders;
--! refused aggregate
SELECT stddev(salary) FROM employees;
--! refused aggregate
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY limit_cents) FROM cards;
--! refused aggregate
SELECT sum(qty) FROM order_lines GROUP BY product;
--! refused function
SELECT round(balance) FROM customers;
--! refused function
SELECT abs(balance) FROM customers;
--! refused function
SELECT extract(year FROM born) FROM customers;
--! refused function
SELECT date_trunc('month', placed) FROM orders;
--! refused function
SELECT to_char(born, 'YYYY') FROM customers;
--! refused function
SELECT age(born) FROM customers;
--! refused function
SELECT id FROM customers WHERE date_part('month', born) = 3;
--! refused function
SELECT id FROM employees ORDER BY lower(name);
--! refused function
SELECT left(full_name, 3) FROM customers;
--! refused function
SELECT width_bucket(balance, 0, 100, 4) FROM customers;
--! refused cast
SELECT balance::integer FROM customers WHERE balance < 1000;
--! refused cast
SELECT balance::text FROM customers;
--! refused cast
SELECT born::timestamp FROM customers;
--! refused cast
SELECT placed::date FROM orders;
--! refused cast
SELECT written AT TIME ZONE 'UTC' FROM notes;
--! refused cast
SELECT limit_cents::bigint FROM cards;
--! refused cast that rounds
SELECT balance::numeric(6,1) FROM customers WHERE balance < 10;
--! refused cast that cuts
SELECT full_name::varchar(3) FROM customers;
--! refused concatenation
SELECT full_name || '!' FROM customers;
--! refused pattern
SELECT id FROM customers WHERE full_name LIKE '%Okonkwo';
--! refused pattern
SELECT id FROM customers WHERE full_name LIKE 'Ann%o';
--! refused pattern
SELECT id FROM customers WHERE full_name LIKE 'A_n%';
--! refused pattern
SELECT id FROM customers WHERE full_name ILIKE 'ann%';
--! refused pattern
SELECT id FROM customers WHERE full_name ~ 'Ann.*';
--! refused another domain
SELECT c.id FROM customers c JOIN orders o ON c.balance = o.total;
--! refused another domain
SELECT c.id FROM customers c JOIN orders o ON c.balance > o.total;
--! refused another domain
SELECT greatest(balance, total) FROM customers c JOIN orders o ON c.id = o.customer_id;
--! refused plain column
SELECT id FROM customers WHERE balance > points;
--! refused plain column
SELECT id FROM customers WHERE born < created;
--! refused plain expression
SELECT id FROM customers WHERE born < current_date;
--! refused plain expression
SELECT id FROM notes WHERE written < now();
--! refused plain expression
SELECT id FROM customers WHERE balance > 50 + 50;
--! refused window range
SELECT count(*) OVER (ORDER BY balance RANGE BETWEEN 10 PRECEDING AND CURRENT ROW) FROM customers;
--! refused function
SELECT generate_series(1, qty) FROM order_lines;
--! refused limit
SELECT id FROM customers LIMIT (SELECT max(qty) FROM order_lines);
--# Values beside columns
--! same
SELECT id, coalesce(balance, 0) FROM customers;
--! same
SELECT id, coalesce(balance, 0) AS b FROM customers ORDER BY id;
--! same
SELECT id FROM customers ORDER BY coalesce(balance, 0) DESC, id;
--! same
SELECT id FROM customers WHERE coalesce(balance, 0) > 10;
--! same
SELECT id FROM customers WHERE coalesce(balance, 0) = 0;
--! same
SELECT balance FROM customers UNION ALL SELECT 0;
--! same
SELECT id, lag(balance, 1, 0) OVER (ORDER BY id) FROM customers;
--! same
SELECT b FROM (SELECT coalesce(balance, 0) AS b FROM customers) s;
--! same
SELECT array_agg(coalesce(balance, 0) ORDER BY id) FROM customers;
--! same
SELECT id, coalesce(balance, 0)::numeric FROM customers;
--! same
SELECT count(DISTINCT coalesce(balance, 0)) FROM customers;
--! same
SELECT max(coalesce(balance, '0.00')) FROM customers;
--! same
SELECT id FROM customers WHERE CASE WHEN id < 5 THEN 0 ELSE balance END = 0;
--! same
SELECT id, coalesce(status, 'a far too long value for it') FROM customers;
--! same
COPY (SELECT id, coalesce(email, 'none') FROM customers ORDER BY id) TO STDOUT;
--! same
SELECT id, greatest(100, balance) FROM customers;
--! same
SELECT id, least(balance, 0.005) FROM customers;
--! same
--$ ? NULL
SELECT id, greatest(balance, 0, $1) FROM customers;
--! same
SELECT id FROM customers ORDER BY greatest(balance, 100), id;
--! same
UPDATE customers SET balance = coalesce(balance, 5) RETURNING id, balance;
--! same
UPDATE customers SET balance = greatest(balance, 100) RETURNING id, balance;
--! same
UPDATE customers SET balance = CASE WHEN id = 1 THEN 5 WHEN id = 2 THEN 6.257 ELSE balance END WHERE id < 4 RETURNING id, balance;
--! same
UPDATE customers SET email = (CASE WHEN ("customers"."id" = 1) THEN 'a@quvex.example' WHEN ("customers"."id" = 2) THEN 'b@quvex.example' ELSE NULL END)::varchar(254), balance = (CASE WHEN ("customers"."id" = 1) THEN 1.5 WHEN ("customers"."id" = 2) THEN 7 ELSE NULL END)::numeric(12, 2) WHERE "customers"."id" IN (1, 2) RETURNING id, email, balance;
--! same
UPDATE customers SET status = coalesce(nullif(status, 'vip'), 'none') RETURNING id, status;
--! error 22001
UPDATE customers SET status = coalesce(nullif(status, 'vip'), 'much too long for this') RETURNING id, status;
--! refused shown and sorted
SELECT coalesce(balance, 0) AS b FROM customers ORDER BY b;
--# COLLATE "C", patterns by operator, casts that keep the value
--! same
SELECT full_name COLLATE "C" FROM customers ORDER BY 1 DESC;
--! same
SELECT id FROM customers WHERE full_name COLLATE "C" < 'C' OR email = 'ann.okonkwo1@quvex.example' COLLATE "C";
--! same
SELECT percentile_disc(ARRAY[0.1, 0.5]) WITHIN GROUP (ORDER BY born DESC) FROM customers;
--! same
SELECT id FROM customers WHERE full_name NOT LIKE ALL (ARRAY['Ann%', 'Bo%']) AND id > 0;
--! same
SELECT id FROM customers WHERE email LIKE ANY (ARRAY['ann.okonkwo1@quvex.example']);
--! same
SELECT full_name::varchar(60), balance::numeric(14,2) FROM customers;
--! same
SELECT id FROM customers WHERE born < date(timestamp '2020-01-01 10:00:00');
--! same
--$ ? titlemark!_%
SELECT id FROM vault.documents WHERE title LIKE $1 ESCAPE '!';
--! error 22025
--$ ? titlemark_%
SELECT id FROM vault.documents WHERE title LIKE $1 ESCAPE 'no';
--! refused a scale that shows other digits
SELECT balance::numeric(14,3) FROM customers;
--! refused a collation that may be another
SELECT id FROM customers ORDER BY full_name COLLATE "default", id;
--! same
SELECT id, full_name FROM customers WHERE full_name = 'Ann Okonkwo' ORDER BY full_name, id;
