--! theme Data changes

--# INSERT
--! same
INSERT INTO customers (email, full_name) VALUES ('new1@quvex.example', 'New Zeltner');
--! same
INSERT INTO customers (email, full_name) VALUES ('new1@quvex.example', 'New Zeltner') RETURNING *;
--! same
INSERT INTO customers (full_name, email, balance, born) VALUES ('A Okonkwo', 'a@quvex.example', 1.005, '1987-03-14'), ('B Okonkwo', NULL, -5, NULL) RETURNING email, balance, born;
--! same
INSERT INTO customers VALUES (901, 'c@quvex.example', 'C Okonkwo') RETURNING id, email, full_name, phone, status;
--! same
INSERT INTO customers (full_name) VALUES ('D Okonkwo') RETURNING status, remark, email;
--! error 23502
INSERT INTO customers (full_name, status) VALUES ('E Okonkwo', DEFAULT), (DEFAULT, 'x') RETURNING 1;
--! same
INSERT INTO customers (full_name, status) VALUES ('E Okonkwo', DEFAULT), ('F Okonkwo', 'vip') RETURNING full_name, status;
--! error 23502
INSERT INTO notes DEFAULT VALUES;
--! same
INSERT INTO orders DEFAULT VALUES RETURNING id, total, coupon, state;
--! same
INSERT INTO customers (id, full_name) OVERRIDING SYSTEM VALUE VALUES (902, 'G Okonkwo') RETURNING id, full_name;
--! same
INSERT INTO customers (id, full_name) OVERRIDING USER VALUE VALUES (902, 'G Okonkwo') RETURNING full_name;
--! same
INSERT INTO customers AS c (full_name, email) VALUES ('H Okonkwo', '') RETURNING c.email, c.full_name AS name;
--! same
INSERT INTO kinds_none (id, t, j, jb, ta, ia, by, b, u) VALUES (900, 'kindmark', '{"a":  1}', '{"a":  1}', '{a,NULL}', '{1,2}', '\xcafe1337deadbeef', true, 'b4d6e001-5ea1-4000-8000-000000000009') RETURNING *;
--! same
INSERT INTO kinds_none (id, ta, ia) VALUES (900, ARRAY['kindmark', 'b'], ARRAY[1, 2, 3]) RETURNING ta, ia;
--! same
INSERT INTO kinds_eq (id, c, v, n, r, d, tm, ts, tz) VALUES (900, 'kindmark', 'kindmark', 1.5, 1.5, -2.5, '12:00', '1987-03-14 12:00', '1987-03-14 12:00+02') RETURNING *;
--! same
INSERT INTO kinds_ord (id, i2, i4, i8, nm, r, d, b, dt) VALUES (900, -5, '7', 8, 1.239, 1, 2, 'no', 'infinity') RETURNING *;
--! same
INSERT INTO "Invoices" ("Id", "Customer Email", "Total", "select") VALUES (900, 'x@quvex.example', 7731.45, 'kindmark') RETURNING "Customer Email", "Total", "select";
--! same
INSERT INTO vault.documents (id, owner_email, title, rank) VALUES (900, 'x@quvex.example', 'titlemark new', -1) RETURNING *;
--! same
INSERT INTO events (id, day, actor, amount) VALUES (900, '2031-05-05', 'x@quvex.example', 3), (901, '2039-01-01', NULL, 4) RETURNING id, actor, amount;
--! same
INSERT INTO customers (full_name, born) VALUES ('I Okonkwo', DATE '1987-03-14'), ('J Okonkwo', '1987-03-15'::date) RETURNING born;
--! same
INSERT INTO customers (full_name, balance) VALUES ('K Okonkwo', 5::int), ('L Okonkwo', '6'), ('M Okonkwo', -7.5) RETURNING balance;
--! same
INSERT INTO customers (full_name, phone) VALUES ('N Okonkwo', '+49-711-55999             ') RETURNING phone;
--! same
INSERT INTO countries VALUES ('XX', 'Nowhere', 1.5) RETURNING *;
--! same
INSERT INTO customers (full_name, email) SELECT 'O Okonkwo', 'o@quvex.example' RETURNING email;
--! refused plain expression
INSERT INTO customers (full_name, email) VALUES ('P Okonkwo', lower('P@quvex.example'));
--! refused plain expression
INSERT INTO customers (full_name, balance) VALUES ('Q Okonkwo', 5 + 5);
--! refused plain expression
INSERT INTO customers (full_name, born) VALUES ('R Okonkwo', current_date);
--! refused concatenation
INSERT INTO customers (full_name) VALUES ('S ' || 'Okonkwo');

--# INSERT errors
--! error 23505
INSERT INTO customers (email, full_name) VALUES ('ann.okonkwo1@quvex.example', 'x Okonkwo');
--! error 23502
INSERT INTO customers (email) VALUES ('x@quvex.example');
--! error 23503
INSERT INTO cards (id, number, owner_email) VALUES (900, '4929-11', 'nobody@quvex.example');
--! error 22001
INSERT INTO customers (full_name) VALUES ('Okonkwo Okonkwo Okonkwo Okonkwo Okonkwo Okonkwo');
--! error 22001
INSERT INTO customers (full_name, phone) VALUES ('T Okonkwo', '+49-711-55000000000000000000000');
--! error 22003
INSERT INTO customers (full_name, balance) VALUES ('U Okonkwo', 99999999999.5);
--! error 22003
INSERT INTO customers (full_name, balance) VALUES ('U Okonkwo', 'Infinity');
--! error 22003
INSERT INTO cards (id, number, limit_cents) VALUES (900, '4929-11', 2147483648);
--! error 22003
INSERT INTO vault.documents (id, rank) VALUES (900, 40000);
--! error 22007
INSERT INTO customers (full_name, born) VALUES ('V Okonkwo', 'someday');
--! error 22008
INSERT INTO customers (full_name, born) VALUES ('W Okonkwo', '2021-02-29');
--! error 22P02
INSERT INTO employees (id, badge) VALUES (900, 'nonsense');
--! error 22P02
INSERT INTO notes (id, meta) VALUES (900, '{bad');
--! error 22P02
INSERT INTO notes (id, tags) VALUES (900, '{bad');
--! error 42804
INSERT INTO customers (full_name, born) VALUES ('X Okonkwo', 5);
--! error 42601
INSERT INTO customers (email) VALUES ('x@quvex.example', 'y');
--! error 42703
INSERT INTO customers (nothing) VALUES ('x@quvex.example');
--! error 428C9
INSERT INTO customers (full_name, region) VALUES ('Y Okonkwo', 'x');

--# INSERT ... SELECT
--! same
INSERT INTO vault.documents (id, owner_email) SELECT id + 900, email FROM customers WHERE status = 'vip' RETURNING owner_email;
--! same
INSERT INTO people (id, email) SELECT id + 900, owner_email FROM cards RETURNING email;
--! same
INSERT INTO people (id, email) SELECT c.id + 900, coalesce(c.email, e.email) FROM customers c LEFT JOIN employees e ON e.id = c.id RETURNING email;
--! same
INSERT INTO people (id, email) SELECT 900, 'lit@quvex.example' UNION ALL SELECT 901, email FROM customers WHERE id = 1 RETURNING email;
--! same
INSERT INTO people (id, email) WITH x AS (SELECT email FROM customers WHERE id = 1) SELECT 900, email FROM x RETURNING email;
--! same
WITH x AS (SELECT email FROM customers WHERE id = 1) INSERT INTO people (id, email) SELECT 900, email FROM x RETURNING email;
--! error 42601
INSERT INTO people (id, email) TABLE people;
--! same
INSERT INTO staff (id, email, nick, role) SELECT id + 900, email, nick, 'x' FROM people WHERE id < 5 RETURNING *;
--! same
INSERT INTO people (id, email) VALUES (900, (SELECT email FROM customers WHERE id = 1)) RETURNING email;
--! same
INSERT INTO customers (full_name, balance) SELECT full_name, balance FROM customers WHERE id < 4 RETURNING full_name, balance;
--! refused another domain
INSERT INTO people (id, email) SELECT id + 900, phone FROM customers;
--! refused another domain
INSERT INTO orders (total) SELECT balance FROM customers;
--! refused plain column
INSERT INTO people (id, email) SELECT id + 900, label FROM vault.customers;
--! refused into a plain column
INSERT INTO vault.customers (id, email) SELECT id + 900, email FROM customers;
--! refused into a plain column
INSERT INTO countries (code, name) SELECT 'YY', email FROM customers WHERE id = 1;

--# ON CONFLICT
--! same
INSERT INTO customers (email, full_name) VALUES ('ann.okonkwo1@quvex.example', 'Z Okonkwo') ON CONFLICT DO NOTHING;
--! same
INSERT INTO customers (email, full_name) VALUES ('ann.okonkwo1@quvex.example', 'Z Okonkwo') ON CONFLICT (email) DO NOTHING RETURNING id;
--! same
INSERT INTO customers (email, full_name) VALUES ('ann.okonkwo1@quvex.example', 'Z Okonkwo') ON CONFLICT (email) DO UPDATE SET full_name = excluded.full_name RETURNING id, full_name;
--! same
INSERT INTO customers (email, full_name) VALUES ('ann.okonkwo1@quvex.example', 'Z Okonkwo') ON CONFLICT (email) DO UPDATE SET full_name = 'Set Okonkwo', status = 'vip' RETURNING *;
--! same
INSERT INTO customers (email, full_name) VALUES ('ann.okonkwo1@quvex.example', 'Z Okonkwo') ON CONFLICT ON CONSTRAINT customers_email_key DO UPDATE SET phone = excluded.phone RETURNING phone;
--! same
INSERT INTO customers AS c (email, full_name) VALUES ('ann.okonkwo1@quvex.example', 'Z Okonkwo') ON CONFLICT (email) DO UPDATE SET full_name = excluded.full_name WHERE c.status = 'new' RETURNING c.id;
--! same
INSERT INTO customers AS c (email, full_name) VALUES ('ann.okonkwo1@quvex.example', 'Z Okonkwo') ON CONFLICT (email) DO UPDATE SET full_name = excluded.full_name WHERE c.full_name <> excluded.full_name RETURNING c.full_name;
--! same
INSERT INTO customers (id, full_name, balance) VALUES (1, 'Z Okonkwo', 5) ON CONFLICT (id) DO UPDATE SET balance = excluded.balance, points = customers.points + 1 RETURNING balance, points;
--! same
INSERT INTO customers (id, full_name, balance) VALUES (1, 'Z Okonkwo', 5) ON CONFLICT (id) DO UPDATE SET (balance, full_name) = (excluded.balance, excluded.full_name) RETURNING balance, full_name;
--! same
INSERT INTO customers (id, full_name) VALUES (1, 'Z Okonkwo') ON CONFLICT (id) DO UPDATE SET (email, phone) = (SELECT email, phone FROM employees WHERE id = 1) RETURNING email, phone;
--! refused arithmetic
INSERT INTO customers (id, full_name, balance) VALUES (1, 'Z Okonkwo', 5) ON CONFLICT (id) DO UPDATE SET balance = customers.balance + excluded.balance;

--# UPDATE
--! same
UPDATE customers SET email = 'moved@quvex.example' WHERE id = 3 RETURNING id, email;
--! same
UPDATE customers SET email = NULL, balance = 0 WHERE status = 'closed';
--! same
UPDATE customers SET status = DEFAULT WHERE id < 5 RETURNING id, status;
--! same
UPDATE customers SET status = 'vip', points = points + 1 WHERE balance > 1000 RETURNING id, status, points;
--! same
UPDATE customers SET (email, phone) = ('x@quvex.example', '+49-711-55998') WHERE id = 1 RETURNING email, phone;
--! same
UPDATE customers SET (email, phone) = ROW ('x@quvex.example', DEFAULT) WHERE id = 1 RETURNING email, phone;
--! same
UPDATE customers SET (email, phone) = (SELECT email, phone FROM employees WHERE id = 1) WHERE id = 1 RETURNING email, phone;
--! same
UPDATE customers SET email = (SELECT email FROM employees WHERE id = 1) WHERE id = 1 RETURNING email;
--! same
UPDATE customers c SET phone = e.phone FROM employees e WHERE e.email = c.email RETURNING c.id, c.phone, e.id;
--! same
UPDATE customers AS c SET full_name = 'New Okonkwo' FROM cards k WHERE k.owner_email = c.email AND k.brand = 'visa' RETURNING c.full_name;
--! same
UPDATE customers SET email = email WHERE id < 5 RETURNING email;
--! same
UPDATE customers SET remark = remark, balance = balance WHERE id < 5 RETURNING remark, balance;
--! same
UPDATE customers SET status = CASE WHEN balance > 1000 THEN 'vip' ELSE status END WHERE id < 10 RETURNING id, status;
--! same
UPDATE customers SET status = coalesce(status, 'new') RETURNING id, status;
--! same
UPDATE customers SET status = nullif(status, 'new') RETURNING id, status;
--! same
UPDATE customers SET points = 7 WHERE email = 'ann.okonkwo1@quvex.example';
--! same
UPDATE customers SET points = 7 WHERE email IN (SELECT owner_email FROM cards);
--! same
UPDATE ONLY people SET nick = 'nickmark9' RETURNING id, nick;
--! same
UPDATE people SET nick = 'nickmark9' WHERE nick = 'nickmark1' RETURNING id, nick;
--! same
UPDATE events SET amount = 9 WHERE amount = 5 RETURNING id, amount;
--! same
UPDATE events SET day = '2032-06-06' WHERE day < '2031-01-01' RETURNING id, actor;
--! same
UPDATE order_lines SET qty = 4 WHERE unit_price < 1 RETURNING order_id, line_no, qty, label;
--! same
UPDATE "Invoices" SET "select" = 'kindmark three' WHERE "Total" > 0 RETURNING "Id", "select";
--! same
UPDATE notes SET tags = '{zebra-tag}', meta = '[]', body = '' WHERE id = 1 RETURNING *;
--! same
UPDATE notes SET tags = ARRAY['zebra-tag', 'b'] WHERE id = 1 RETURNING tags;
--! same
WITH x AS (SELECT id FROM customers WHERE status = 'vip') UPDATE orders SET coupon = 'SPRING-QX9' FROM x WHERE customer_id = x.id RETURNING orders.id, coupon;
--! error 23505
UPDATE customers SET email = 'ann.okonkwo1@quvex.example' WHERE id = 2;
--! error 22001
UPDATE customers SET status = 'eleven chars';
--! error 22003
UPDATE customers SET balance = 1e11 WHERE id = 1;
--! error 23502
UPDATE customers SET full_name = NULL WHERE id = 1;
--! refused arithmetic
UPDATE customers SET balance = balance + 10 WHERE id = 1;
--! refused arithmetic
UPDATE order_lines SET qty = qty + 1 WHERE order_id = 1;
--! refused function
UPDATE customers SET email = lower(email);
--! refused concatenation
UPDATE customers SET remark = remark || '!';
--! refused another domain
UPDATE customers SET phone = email WHERE false;
--! refused another domain
UPDATE notes SET body = c.remark FROM customers c WHERE c.id = notes.customer_id;
--! refused plain column
UPDATE customers SET email = region WHERE id = 1;
--! refused array element
UPDATE notes SET tags[1] = 'zebra-tag' WHERE id = 1;
--! refused json subscript
UPDATE notes SET meta['k'] = '"wistful"' WHERE id = 900;

--# DELETE
--! same
DELETE FROM cards WHERE number = '4929-1103-7791';
--! same
DELETE FROM cards WHERE expires < '2000-01-01' RETURNING *;
--! same
DELETE FROM cards USING customers c WHERE c.email = cards.owner_email AND c.status = 'vip' RETURNING cards.id, c.email;
--! same
DELETE FROM cards AS k USING customers c, employees e WHERE c.email = k.owner_email AND e.email = c.email RETURNING k.number;
--! same
DELETE FROM customers WHERE id = 60;
--! same
DELETE FROM events WHERE actor IN (SELECT email FROM employees) RETURNING id;
--! same
DELETE FROM notes WHERE secret = '\xff' OR written > '2022-01-01' RETURNING id, secret;
--! same
DELETE FROM ONLY people WHERE nick = '' RETURNING id;
--! same
WITH gone AS (SELECT number FROM cards WHERE limit_cents < 0) DELETE FROM cards WHERE number IN (SELECT number FROM gone) RETURNING id;
--! refused pattern
DELETE FROM cards WHERE number LIKE '%-7791';

--# MERGE
--! same
MERGE INTO people p USING customers c ON p.email = c.email WHEN MATCHED THEN UPDATE SET nick = 'nickmark7' WHEN NOT MATCHED THEN DO NOTHING;
--! same
MERGE INTO people p USING customers c ON p.id = c.id WHEN MATCHED AND c.status = 'vip' THEN DELETE WHEN MATCHED THEN UPDATE SET email = c.email WHEN NOT MATCHED AND c.status = 'vip' THEN INSERT (id, email, nick) VALUES (c.id, c.email, 'nickmark8') WHEN NOT MATCHED THEN INSERT (id) VALUES (c.id);
--! same
MERGE INTO people p USING (VALUES (1, 'm1@quvex.example'), (900, 'm2@quvex.example')) v (id, email) ON p.id = v.id WHEN MATCHED THEN UPDATE SET email = v.email WHEN NOT MATCHED THEN INSERT (id, email) VALUES (v.id, v.email);
--! same
MERGE INTO people p USING (SELECT email FROM customers WHERE balance > 0) s ON p.email = s.email WHEN MATCHED THEN DELETE;
--! same
MERGE INTO customers c USING employees e ON c.email = e.email WHEN MATCHED AND c.balance < 0 THEN UPDATE SET balance = 0, phone = e.phone;
--! same
MERGE INTO people p USING customers c ON p.id = c.id WHEN NOT MATCHED THEN INSERT VALUES (c.id, c.email, DEFAULT);
--! same
MERGE INTO people p USING customers c ON p.id = c.id AND p.nick = 'nickmark1' WHEN MATCHED THEN UPDATE SET (email, nick) = (c.email, 'nickmark2');
--! same [pg18]
MERGE INTO people p USING customers c ON p.id = c.id WHEN MATCHED THEN UPDATE SET email = c.email WHEN NOT MATCHED THEN INSERT (id, email) VALUES (c.id, c.email) RETURNING merge_action(), p.id, p.email, c.email;
--! same [pg18]
MERGE INTO people p USING customers c ON p.id = c.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED BY SOURCE THEN UPDATE SET nick = 'nickmark6' RETURNING merge_action(), old.email, new.nick;
--! same [pg18]
WITH m AS (MERGE INTO people p USING customers c ON p.id = c.id WHEN MATCHED THEN UPDATE SET email = c.email RETURNING p.email) SELECT email FROM m;
--! refused another domain
MERGE INTO people p USING customers c ON p.email = c.phone WHEN MATCHED THEN DELETE;
--! refused another domain
MERGE INTO people p USING customers c ON p.id = c.id WHEN MATCHED THEN UPDATE SET email = c.phone;

--# RETURNING
--! same
INSERT INTO people (id, email) VALUES (900, 'r@quvex.example') RETURNING email AS e, id + 1 AS next, email IS NULL;
--! same
UPDATE people SET email = 'r@quvex.example' WHERE id = 1 RETURNING people.*, (SELECT count(*) FROM customers WHERE email = people.email) AS n;
--! same
DELETE FROM people WHERE id < 4 RETURNING id, email, CASE WHEN nick = 'nickmark1' THEN 1 ELSE 0 END AS one;
--! same
DELETE FROM people WHERE id < 4 RETURNING *;
--! same [pg18]
UPDATE people SET email = 'r@quvex.example' WHERE id < 4 RETURNING old.email, new.email;
--! same [pg18]
UPDATE people SET nick = 'nickmark5' WHERE id < 4 RETURNING old.*, new.nick;
--! same [pg18]
UPDATE people SET nick = 'nickmark5' WHERE id < 4 RETURNING WITH (OLD AS o, NEW AS n) o.nick, n.nick, o.nick = n.nick AS kept;
--! same [pg18]
INSERT INTO customers (id, full_name, balance) VALUES (1, 'Z Okonkwo', 5) ON CONFLICT (id) DO UPDATE SET balance = excluded.balance RETURNING old.balance, new.balance;
--! same [pg18]
DELETE FROM people WHERE id = 1 RETURNING old.email, new.email;
--! refused function
UPDATE people SET email = 'r@quvex.example' WHERE id = 1 RETURNING upper(email);

--# Data-modifying CTEs
--! same
WITH d AS (DELETE FROM cards WHERE expires < '2027-06-01' RETURNING owner_email, number) SELECT d.number, c.full_name FROM d LEFT JOIN customers c ON c.email = d.owner_email;
--! same
WITH i AS (INSERT INTO people (id, email) VALUES (900, 'i@quvex.example') RETURNING email) SELECT email FROM i;
--! same
WITH u AS (UPDATE customers SET balance = 1 WHERE balance < 0 RETURNING id, balance) SELECT max(balance), count(*) FROM u;
--! same
WITH m AS (DELETE FROM people WHERE id < 5 RETURNING *) INSERT INTO staff (id, email, nick, role) SELECT id, email, nick, 'moved' FROM m RETURNING *;
--! same
WITH a AS (INSERT INTO people (id, email) SELECT id + 900, email FROM customers WHERE id < 3 RETURNING email) UPDATE cards SET owner_email = NULL FROM a WHERE cards.owner_email = a.email RETURNING cards.id;

--# Sealed foreign keys
--! same
DELETE FROM customers WHERE id IN (SELECT c.id FROM customers c WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id) AND NOT EXISTS (SELECT 1 FROM cards k WHERE k.customer_id = c.id) AND NOT EXISTS (SELECT 1 FROM notes n WHERE n.customer_id = c.id));
--! same
UPDATE customers SET email = 'cascade@quvex.example' WHERE email = 'chidi.ohanlon3@quvex.example';

--# RETURNING and MERGE
--! same [pg18]
UPDATE customers SET email = 'neu@quvex.example' WHERE id = 1 RETURNING old.email, new.email, old.status = new.status;
--! same [pg18]
INSERT INTO people (id, email) VALUES (1, 'neu@quvex.example') ON CONFLICT (id) DO UPDATE SET email = excluded.email RETURNING WITH (OLD AS o, NEW AS n) o.email, n.email;
--! same [pg18]
DELETE FROM notes WHERE id = 1 RETURNING old.body, new.body IS NULL;
--! same [pg18]
MERGE INTO people p USING (VALUES (1, 'm1@quvex.example'), (960, 'm2@quvex.example')) v (id, email) ON p.id = v.id WHEN MATCHED AND p.email IS NOT NULL THEN UPDATE SET email = v.email WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.email) RETURNING merge_action(), old.email, new.email, v.email;
--! same
MERGE INTO cards k USING customers c ON k.owner_email = c.email WHEN MATCHED AND c.status = 'vip' THEN UPDATE SET expires = '2033-01-01' WHEN MATCHED THEN DO NOTHING;
--! same
MERGE INTO people p USING customers c ON p.email = c.email WHEN MATCHED AND c.born < '1985-01-01' THEN DELETE WHEN NOT MATCHED AND c.id < 3 THEN INSERT (id, email, nick) VALUES (970 + c.id, c.email, 'm');
--! same
INSERT INTO customers OVERRIDING USER VALUE SELECT 9999, 'ov@quvex.example', 'Ov Okonkwo' FROM people LIMIT 1 RETURNING email;
--! same
INSERT INTO customers (id, full_name) OVERRIDING SYSTEM VALUE VALUES (990, 'Sys Okonkwo') RETURNING id, full_name, status;
--! error 23502
INSERT INTO people (id) VALUES (991), (DEFAULT) ON CONFLICT DO NOTHING;
--! same
INSERT INTO customers (full_name, email) VALUES ('Con Okonkwo', 'ann.okonkwo1@quvex.example') ON CONFLICT ON CONSTRAINT customers_email_key DO UPDATE SET full_name = excluded.full_name, balance = 1 WHERE customers.status <> excluded.status OR true RETURNING full_name, balance;
--! same
UPDATE customers c SET (email, phone) = (SELECT e.email, e.phone FROM employees e WHERE e.id = 1), born = DEFAULT WHERE c.id = 1 RETURNING c.email, c.phone, c.born;
--! error 23505
UPDATE customers c SET email = k.owner_email FROM cards k JOIN people p ON p.email = k.owner_email WHERE k.customer_id = c.id RETURNING c.id, c.email, p.nick;
--! same
DELETE FROM cards k USING customers c, people p WHERE k.owner_email = c.email AND p.email = c.email RETURNING k.number;
