--! theme Equality

--# Comparison with a literal
--! same
SELECT id, email FROM customers WHERE email = 'ann.okonkwo1@quvex.example';
--! same
SELECT id, email FROM customers WHERE 'ann.okonkwo1@quvex.example' = email;
--! same
SELECT * FROM customers WHERE email = 'nobody@quvex.example';
--! same
SELECT id FROM customers WHERE email <> 'ann.okonkwo1@quvex.example';
--! same
SELECT id FROM customers WHERE email != 'ann.okonkwo1@quvex.example';
--! same
SELECT id FROM customers WHERE NOT email = 'ann.okonkwo1@quvex.example';
--! same
SELECT id FROM customers WHERE email = '';
--! same
SELECT id, status FROM customers WHERE status = 'vip' AND points > 5;
--! same
SELECT id, status FROM customers WHERE status = 'vip' OR email = 'bo.yldrm9@quvex.example';
--! same
SELECT id FROM customers WHERE (status = 'vip') IS NOT TRUE;
--! same
SELECT id FROM customers WHERE (email = 'bo.yldrm9@quvex.example') = (status = 'active');
--! same
SELECT id, email = 'bo.yldrm9@quvex.example' AS is_bo FROM customers;
--! same
SELECT id, (status = 'vip')::int AS vip FROM customers;
--! same
SELECT id FROM customers WHERE email = NULL;
--! same
SELECT id, number FROM cards WHERE number = '4929-1103-7791';
--! same
SELECT id FROM orders WHERE coupon = 'SPRING-QX1' AND state = 'paid';
--! same
SELECT id FROM orders WHERE coupon = '';
--! same
SELECT id FROM employees WHERE badge = 'b4d6e001-5ea1-4000-8000-000000000003';
--! same
SELECT id FROM employees WHERE badge = 'B4D6E001-5EA1-4000-8000-000000000003';
--! same
SELECT id FROM employees WHERE badge = '{b4d6e0015ea14000-8000000000000003}';
--! same
SELECT id FROM employees WHERE badge = uuid 'b4d6e001-5ea1-4000-8000-000000000003';
--! same
SELECT id FROM notes WHERE secret = '\xcafe1337deadbeef';
--! same
SELECT id FROM notes WHERE secret = '\x';
--! same
SELECT id FROM notes WHERE secret = E'\\377';
--! same
SELECT count(*) FROM customers WHERE email = 'ANN.OKONKWO1@quvex.example';
--! same
SELECT count(*) FROM customers WHERE phone = '+49-711-55001';
--! same
SELECT count(*) FROM customers WHERE phone = '+49-711-55001                                              ';
--! same
SELECT id, nick FROM people WHERE nick = 'nickmark1';

--# Booleans
--! same
SELECT id FROM employees WHERE active = true;
--! same
SELECT id FROM employees WHERE active = 't';
--! same
SELECT id FROM employees WHERE active <> false;
--! same
SELECT id FROM employees WHERE active;
--! same
SELECT id FROM employees WHERE NOT active;
--! same
SELECT id FROM employees WHERE active IS TRUE;
--! same
SELECT id FROM employees WHERE active IS NOT FALSE;
--! same
SELECT id FROM employees WHERE active IS UNKNOWN;
--! same
SELECT id, active FROM employees WHERE active = 'yes';

--# IN
--! same
SELECT id FROM customers WHERE email IN ('ann.okonkwo1@quvex.example', 'bo.yldrm9@quvex.example');
--! same
SELECT id FROM customers WHERE email IN ('ann.okonkwo1@quvex.example');
--! same
SELECT id FROM customers WHERE email NOT IN ('ann.okonkwo1@quvex.example', 'bo.yldrm9@quvex.example');
--! same
SELECT id FROM customers WHERE status IN ('vip', 'new', NULL);
--! same
SELECT id FROM customers WHERE status NOT IN ('vip', NULL);
--! same
SELECT id FROM customers WHERE email IN ('ann.okonkwo1@quvex.example', email);
--! same
SELECT id FROM employees WHERE badge IN ('b4d6e001-5ea1-4000-8000-000000000003', 'b4d6e001-5ea1-4000-8000-000000000004');

--# ANY and ALL over arrays
--! same
SELECT id FROM customers WHERE email = ANY (ARRAY['ann.okonkwo1@quvex.example', 'bo.yldrm9@quvex.example']);
--! same
SELECT id FROM customers WHERE email = ANY ('{ann.okonkwo1@quvex.example,bo.yldrm9@quvex.example}');
--! same
SELECT id FROM customers WHERE email = ANY ('{}');
--! same
SELECT id FROM customers WHERE email <> ALL (ARRAY['ann.okonkwo1@quvex.example', 'bo.yldrm9@quvex.example']);
--! same
SELECT id FROM customers WHERE email <> ALL ('{}');
--! same
SELECT id FROM customers WHERE status = ANY (ARRAY['vip', NULL]);
--! same
SELECT id FROM customers WHERE status = SOME (ARRAY['vip', 'new']);
--! same
SELECT id FROM customers WHERE email = ANY ('{ann.okonkwo1@quvex.example}'::text[]);
--! same
SELECT id FROM employees WHERE badge = ANY ('{b4d6e001-5ea1-4000-8000-000000000003}'::uuid[]);

--# IS DISTINCT FROM, IS NULL
--! same
SELECT id FROM customers WHERE email IS NULL;
--! same
SELECT id FROM customers WHERE email IS NOT NULL AND phone IS NULL;
--! same
SELECT id FROM customers WHERE email IS DISTINCT FROM 'ann.okonkwo1@quvex.example';
--! same
SELECT id FROM customers WHERE status IS NOT DISTINCT FROM 'vip';
--! same
SELECT id FROM customers WHERE email IS NOT DISTINCT FROM NULL;
--! same
SELECT id, remark IS NULL AS none, email IS NOT NULL AS some FROM customers;
--! same
SELECT id FROM notes WHERE body IS NULL OR tags IS NULL OR meta IS NOT NULL;
--! same
SELECT id FROM customers WHERE (email, phone) IS NULL;
--! same
SELECT id FROM customers WHERE ROW(email, phone) IS NOT NULL;

--# Rows
--! same
SELECT id FROM customers WHERE (email, status) = ('ann.okonkwo1@quvex.example', 'new');
--! same
SELECT id FROM customers WHERE (email, points) = ('ann.okonkwo1@quvex.example', 0);
--! same
SELECT id FROM customers WHERE (status, country) IN (('vip', 'DE'), ('new', 'FR'));
--! same
SELECT id FROM customers WHERE ROW(status, id) <> ROW('vip', 2);
--! same
SELECT id FROM customers WHERE (status, phone) IS NOT DISTINCT FROM ('vip', '+49-711-55002');

--# Columns with each other
--! same
SELECT c.id, e.id FROM customers c, employees e WHERE c.email = e.email;
--! same
SELECT c.id, e.id FROM customers c, employees e WHERE c.phone = e.phone AND c.id < 10;
--! same
SELECT id FROM customers WHERE email = email;
--! same
SELECT o.id, p.id FROM orders o JOIN orders p ON o.coupon = p.coupon AND o.id < p.id WHERE o.id < 20;
--! same
SELECT id FROM employees WHERE active = active;
--! same
SELECT count(*) FROM customers a WHERE a.status = (SELECT b.status FROM customers b WHERE b.id = 2);

--# CASE and friends
--! same
SELECT id, CASE status WHEN 'vip' THEN 1 WHEN 'new' THEN 2 ELSE 3 END AS rank FROM customers;
--! same
SELECT id, CASE WHEN status = 'vip' THEN 'important' ELSE 'usual' END AS kind FROM customers;
--! same
SELECT id, CASE WHEN points > 5 THEN email END AS contact FROM customers;
--! same
SELECT id, CASE WHEN points > 5 THEN email ELSE 'hidden@quvex.example' END AS contact FROM customers;
--! same
SELECT id, CASE WHEN points > 5 THEN email ELSE NULL END FROM customers;
--! same
SELECT id, coalesce(email, 'none@quvex.example') AS email FROM customers;
--! same
SELECT id, coalesce(email, NULL) FROM customers;
--! same
SELECT id, coalesce(remark, '') FROM customers;
--! same
SELECT id, coalesce(c.email, e.email) FROM customers c FULL JOIN employees e USING (id);
--! same
SELECT id, nullif(status, 'new') FROM customers;
--! same
SELECT id, nullif(email, '') AS email FROM customers;
--! same
SELECT id FROM customers WHERE coalesce(status, 'new') = 'new';
--! same
SELECT id FROM customers WHERE nullif(status, 'vip') IS NULL;

--# Refused on equality columns
--! refused order
SELECT id FROM customers WHERE email < 'b';
--! refused order
SELECT id FROM customers WHERE email >= 'ann.okonkwo1@quvex.example';
--! refused order
SELECT id FROM customers WHERE status BETWEEN 'a' AND 'b';
--! refused order
SELECT id, email FROM customers ORDER BY email;
--! refused order
SELECT email FROM customers ORDER BY 1;
--! refused order
SELECT email AS e FROM customers ORDER BY e DESC;
--! refused order
SELECT min(email) FROM customers;
--! refused order
SELECT max(status), count(*) FROM customers;
--! refused order
SELECT greatest(email, 'x') FROM customers;
--! refused order
SELECT least(email, status) FROM customers;
--! refused order
SELECT rank() OVER (ORDER BY status) FROM customers;
--! refused pattern
SELECT id FROM customers WHERE email LIKE 'ann%';
--! refused pattern
SELECT id FROM customers WHERE email LIKE '%quvex%';
--! refused pattern
SELECT id FROM customers WHERE email ILIKE 'ANN%';
--! refused pattern
SELECT id FROM customers WHERE email ~ '^ann';
--! refused pattern
SELECT id FROM customers WHERE email SIMILAR TO 'ann%';
--! refused function
SELECT id FROM customers WHERE lower(email) = 'ann.okonkwo1@quvex.example';
--! refused function
SELECT upper(email) FROM customers;
--! refused function
SELECT length(email) FROM customers;
--! refused function
SELECT id FROM customers WHERE substr(phone, 1, 3) = '+49';
--! refused function
SELECT split_part(email, '@', 1) FROM customers;
--! refused function
SELECT md5(email) FROM customers;
--! refused function
SELECT concat(email, '!') FROM customers;
--! refused function
SELECT format('%s', email) FROM customers;
--! refused function
SELECT trim(email) FROM customers;
--! refused function
SELECT position('@' IN email) FROM customers;
--! refused function
SELECT encode(secret, 'hex') FROM notes;
--! refused function
SELECT octet_length(secret) FROM notes;
--! refused concatenation
SELECT email || '!' FROM customers;
--! refused concatenation
SELECT 'x' || status || 'y' FROM customers;
--! refused cast
SELECT email::bytea FROM customers;
--! refused cast
SELECT status::integer FROM customers WHERE false;
--! refused cast
SELECT badge::text FROM employees;
--! refused cast
SELECT active::int FROM employees;
--! refused cast
SELECT secret::text FROM notes;
--! refused another domain
SELECT id FROM customers WHERE email = phone;
--! refused another domain
SELECT c.id FROM customers c JOIN cards k ON c.email = k.number;
--! refused another domain
SELECT c.id FROM customers c JOIN orders o ON c.status = o.coupon;
--! refused plain column
SELECT c.id FROM customers c JOIN vault.customers v ON c.email = v.email;
--! refused plain column
SELECT id FROM customers WHERE status = level;
--! refused plain expression
SELECT id FROM customers WHERE email = lower('ANN.OKONKWO1@quvex.example');
--! refused plain expression
SELECT id FROM customers WHERE email = 'ann' || '@quvex.example';
--! refused plain subquery
SELECT id FROM customers WHERE email IN (SELECT label FROM vault.customers);
--! refused plain value
SELECT id FROM customers WHERE email = current_user;
--! refused coalesce of two domains
SELECT coalesce(email, phone) FROM customers;
--! refused coalesce with a plain column
SELECT coalesce(email, level) FROM customers;
--! refused case of two domains
SELECT CASE WHEN id > 5 THEN email ELSE status END FROM customers;

--# Refused on columns without search
--! refused equality
SELECT id FROM customers WHERE remark = 'wistful 1';
--! refused equality
SELECT id FROM customers WHERE remark <> 'wistful 1';
--! refused equality
SELECT id FROM customers WHERE remark IN ('wistful 1', 'wistful 2');
--! refused equality
SELECT id FROM customers WHERE remark IS DISTINCT FROM 'wistful 1';
--! refused equality
SELECT id FROM customers WHERE remark = remark;
--! refused equality
SELECT DISTINCT remark FROM customers;
--! refused equality
SELECT remark, count(*) FROM customers GROUP BY remark;
--! refused equality
SELECT count(DISTINCT remark) FROM customers;
--! refused equality
SELECT remark FROM customers UNION SELECT ship_to FROM orders;
--! refused equality
SELECT remark FROM customers INTERSECT SELECT remark FROM customers;
--! refused equality
SELECT nullif(remark, '') FROM customers;
--! refused equality
SELECT id FROM notes WHERE body = ANY ('{x}');
--! refused order
SELECT id FROM customers ORDER BY remark;
--! refused order
SELECT max(remark) FROM customers;
--! refused pattern
SELECT id FROM customers WHERE remark LIKE '%wistful%';
--! refused full text
SELECT id FROM notes WHERE to_tsvector('simple', body) @@ to_tsquery('simple', 'wistful');
--! refused json
SELECT meta ->> 'k' FROM notes;
--! refused json
SELECT meta -> 'a' -> 'b' FROM notes;
--! refused json
SELECT id FROM notes WHERE meta @> '{"n": 1}';
--! refused json
SELECT id FROM notes WHERE meta ? 'k';
--! refused json
SELECT jsonb_typeof(meta) FROM notes;
--! refused array
SELECT tags[1] FROM notes;
--! refused array
SELECT unnest(tags) FROM notes;
--! refused array
SELECT array_length(tags, 1) FROM notes;
--! refused array
SELECT id FROM notes WHERE 'zebra-tag' = ANY (tags);
--! refused array
SELECT id FROM notes WHERE tags && '{zebra-tag}';
--! refused array
SELECT cardinality(tags) FROM notes;
