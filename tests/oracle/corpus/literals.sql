--! theme Literals and parameters

--# Literal syntaxes
--! same
SELECT id FROM customers WHERE email = E'ann.okonkwo1\x40quvex.example';
--! same
SELECT id FROM customers WHERE full_name = E'Chidi O\'Hanlon';
--! same
SELECT id FROM customers WHERE full_name = 'Chidi O''Hanlon';
--! same
SELECT id FROM customers WHERE full_name = U&'Chidi O\0027Hanlon';
--! same
SELECT id FROM customers WHERE full_name = U&'Bo Y!0131ld!0131r!0131m' UESCAPE '!';
--! same
SELECT id FROM customers WHERE full_name = $$Chidi O'Hanlon$$;
--! same
SELECT id FROM customers WHERE full_name = $x$Ann Okonkwo$x$;
--! same
SELECT id FROM customers WHERE email = 'ann.okonkwo1'
  '@quvex.example';
--! same
SELECT id FROM customers WHERE email = N'ann.okonkwo1@quvex.example';
--! same
SELECT id FROM customers WHERE email = text 'ann.okonkwo1@quvex.example';
--! same
SELECT id FROM customers WHERE email = varchar 'ann.okonkwo1@quvex.example';
--! same
SELECT id FROM customers WHERE email = 'ann.okonkwo1@quvex.example'::text;
--! same
SELECT id FROM customers WHERE email = CAST('ann.okonkwo1@quvex.example' AS text);
--! same
SELECT id FROM customers WHERE email = 'ann.okonkwo1@quvex.example'::varchar(100);
--! same
SELECT id FROM customers WHERE email = 'ann.okonkwo1@quvex.example and more'::varchar(26);
--! same
SELECT id FROM customers WHERE full_name = 'Ann Okonkwo'::text::varchar;
--! same
SELECT id FROM customers WHERE full_name = ('Ann Okonkwo');
--! same
SELECT id FROM customers WHERE born = DATE '1987-03-14';
--! same
SELECT id FROM customers WHERE born = date('1987-03-14');
--! same
SELECT id FROM customers WHERE born = '1987-03-14'::date;
--! same
SELECT id FROM orders WHERE placed = TIMESTAMP '2021-05-15 01:15:00';
--! same
SELECT id FROM orders WHERE placed = timestamp without time zone '2021-05-15 01:15:00';
--! same
SELECT id FROM notes WHERE written = TIMESTAMPTZ '2021-07-01 14:00:00+02';
--! same
SELECT id FROM notes WHERE written = timestamp with time zone '2021-07-01 12:00:00 UTC';
--! same
SELECT id FROM customers WHERE balance = 7731.45;
--! same
SELECT id FROM customers WHERE balance = '7731.45';
--! same
SELECT id FROM customers WHERE balance = 7731.45::numeric;
--! same
SELECT id FROM customers WHERE balance = numeric '7731.45';
--! same
SELECT id FROM customers WHERE balance = '7731.449'::numeric(12,2);
--! same
SELECT id FROM customers WHERE balance = 100::int;
--! same
SELECT id FROM customers WHERE balance = 100::bigint;
--! same
SELECT id FROM customers WHERE balance = 1e2;
--! same
SELECT id FROM customers WHERE balance = 0x64;
--! same
SELECT id FROM customers WHERE balance = 1_00;
--! same
SELECT id FROM customers WHERE balance = -0.01;
--! same
SELECT id FROM customers WHERE balance = - 0.01;
--! same
SELECT id FROM customers WHERE balance = '-0.01';
--! same
SELECT id FROM customers WHERE balance = '-0.01'::numeric;
--! same
SELECT id FROM customers WHERE balance = -(0.01);
--! same
SELECT id FROM cards WHERE limit_cents = '250000';
--! same
SELECT id FROM cards WHERE limit_cents = '250000'::int;
--! same
SELECT id FROM cards WHERE limit_cents = 250000::bigint;
--! same
SELECT id FROM cards WHERE limit_cents = -2147483648;
--! same
SELECT id FROM cards WHERE limit_cents = 2147483648;
--! same
SELECT id FROM cards WHERE limit_cents = 2.5e5;
--! same
SELECT id FROM notes WHERE secret = '\xCAFE1337DEADBEEF'::bytea;
--! same
SELECT id FROM notes WHERE secret = bytea '\xcafe1337deadbeef';
--! same
SELECT id FROM notes WHERE secret = 'a\000b';
--! same
SELECT id FROM employees WHERE active = TRUE AND active <> 'off';
--! same
SELECT id FROM employees WHERE active = bool 'on';
--! same
SELECT id FROM customers WHERE email = NULL::text;
--! same
SELECT id FROM customers WHERE email IS NOT DISTINCT FROM CAST(NULL AS text);
--! same
/* kind */ SELECT id /* secret? */ FROM customers -- trailing;
--! same
SELECT id -- 'quoted comment'
FROM customers WHERE status = 'vip' /* 'vip' */;
--! same
SELECT 1 /* plain stays */;

--# Literals that are no value of the type
--! error 22007
SELECT id FROM customers WHERE born = 'not a date';
--! error 22008
SELECT id FROM customers WHERE born = '2021-02-30';
--! error 22P02
SELECT id FROM customers WHERE balance = 'much';
--! error 22P02
SELECT id FROM cards WHERE limit_cents = 'x';
--! error 22P02
SELECT id FROM cards WHERE limit_cents = '';
--! error 22003
SELECT id FROM cards WHERE limit_cents = '99999999999';
--! error 22P02
SELECT id FROM employees WHERE badge = 'b4d6e001';
--! error 22P02
SELECT id FROM employees WHERE active = 'perhaps';
--! error 22023
SELECT id FROM notes WHERE secret = '\xzz';
--! error 22P02
SELECT id FROM notes WHERE secret = '\q';
--! error 22007
SELECT id FROM orders WHERE placed = 'soon';
--! error 42883
SELECT id FROM customers WHERE born = 5;
--! error 42883
SELECT id FROM customers WHERE email = 5;
--! error 42883
SELECT id FROM employees WHERE badge = 5;
--! error 42883
SELECT id FROM employees WHERE active = 1;
--! error 22P02
SELECT id FROM customers WHERE balance = ANY ('{1,x}');
--! error 22P02
SELECT id FROM customers WHERE email = ANY ('not an array');

--# Parameters of undeclared type
--! same
--$ ? ann.okonkwo1@quvex.example
SELECT id, email FROM customers WHERE email = $1;
--! same
--$ ? NULL
SELECT id, email FROM customers WHERE email = $1;
--! same
--$ ? 100
SELECT id FROM customers WHERE balance > $1;
--! same
--$ ? 100.005
SELECT id FROM customers WHERE balance > $1;
--! same
--$ ? 1987-03-14
--$ ? 1987-03-15
SELECT id, born FROM customers WHERE born BETWEEN $1 AND $2;
--! same
--$ ? {ann.okonkwo1@quvex.example,bo.yldrm9@quvex.example,NULL}
SELECT id FROM customers WHERE email = ANY ($1);
--! same
--$ ? {}
SELECT id FROM customers WHERE email <> ALL ($1);
--! same
--$ ? {0,100,7731.45}
SELECT id FROM customers WHERE balance = ANY ($1);
--! same
--$ ? Ann%
SELECT id FROM customers WHERE full_name LIKE $1;
--! same
--$ ? vip
--$ ? 5
SELECT id FROM customers WHERE status = $1 AND points > $2 ORDER BY id;
--! same
--$ ? vip
SELECT id, $1 AS given FROM customers WHERE status = $1;
--! same
--$ ? b4d6e001-5ea1-4000-8000-000000000003
SELECT id FROM employees WHERE badge = $1;
--! same
--$ ? t
SELECT id FROM employees WHERE active = $1;
--! same
--$ ? none@quvex.example
SELECT id, coalesce(email, $1) FROM customers;
--! same
--$ ? 3
SELECT id, email FROM customers ORDER BY balance, id LIMIT $1;
--! same
--$ ? ann.okonkwo1@quvex.example
--$ ? +49-711-55003
SELECT id FROM customers WHERE email = $1 OR phone = $2;
--! same
--$ ? ann.okonkwo1@quvex.example
SELECT c.id FROM customers c WHERE EXISTS (SELECT 1 FROM employees e WHERE e.email = $1) OR c.email = $1;

--# Parameters of declared type
--! same
--$ text ann.okonkwo1@quvex.example
SELECT id FROM customers WHERE email = $1;
--! same
--$ varchar ann.okonkwo1@quvex.example
SELECT id FROM customers WHERE email = $1;
--! same
--$ int4 100
SELECT id FROM customers WHERE balance >= $1;
--! same
--$ int8 250000
SELECT id FROM cards WHERE limit_cents = $1;
--! same
--$ int2 3
SELECT id FROM vault.documents WHERE rank = $1;
--! same
--$ numeric 7731.45
SELECT id FROM customers WHERE balance = $1;
--! same
--$ numeric 250000.5
SELECT id FROM cards WHERE limit_cents < $1;
--! same
--$ date 1987-03-14
SELECT id FROM customers WHERE born = $1;
--! same
--$ timestamp 2021-05-15 01:15:00
SELECT id FROM orders WHERE placed >= $1;
--! same
--$ timestamptz 2021-07-01 14:00:00+02
SELECT id FROM notes WHERE written = $1;
--! same
--$ uuid b4d6e001-5ea1-4000-8000-000000000003
SELECT id FROM employees WHERE badge = $1;
--! same
--$ bool false
SELECT id FROM employees WHERE active = $1;
--! same
--$ bytea \xcafe1337deadbeef
SELECT id FROM notes WHERE secret = $1;
--! same
--$ text[] {ann.okonkwo1@quvex.example,NULL}
SELECT id FROM customers WHERE email = ANY ($1);
--! same
--$ date[] {1987-03-14,1987-03-16}
SELECT id FROM customers WHERE born = ANY ($1);
--! same
--$ int4[] {-5000,250000}
SELECT id FROM cards WHERE limit_cents = ANY ($1);
--! same
--$ text vip
--$ text new
SELECT id FROM customers WHERE status IN ($1, $2);
--! same
--$ text ann.okonkwo1@quvex.example
SELECT id FROM customers WHERE email = $1::varchar;

--# Parameters with casts
--! same
--$ ? ann.okonkwo1@quvex.example
SELECT id FROM customers WHERE email = $1::text;
--! same
--$ ? 1987-03-14
SELECT id FROM customers WHERE born = $1::date;
--! same
--$ ? 7731.449
SELECT id FROM customers WHERE balance = $1::numeric(12,2);
--! same
--$ ? 250000
SELECT id FROM cards WHERE limit_cents = CAST($1 AS integer);
--! same
--$ ? {ann.okonkwo1@quvex.example}
SELECT id FROM customers WHERE email = ANY ($1::text[]);
--! same
--$ ? 42
SELECT id FROM cards WHERE limit_cents > $1::int::bigint;

--# One parameter in several places
--! same
--$ ? 5
SELECT id FROM customers WHERE points = $1::int AND id > $1::int;
--! same
--$ text both sealed and plain
SELECT id FROM customers WHERE email = $1 OR region = $1;
--! same
--$ ? ann.okonkwo1@quvex.example
SELECT c.id, k.id FROM customers c LEFT JOIN cards k ON k.owner_email = $1 WHERE c.email = $1;
--! same
--$ text x
SELECT id FROM customers WHERE $1 = 'x' AND status = 'vip';
--! same
--$ text sealed and plain
SELECT count(*) FROM customers c, vault.customers v WHERE c.status = $1 OR v.label = $1;

--# Parameters that are no value of the type
--! error 22007
--$ ? not a date
SELECT id FROM customers WHERE born = $1;
--! error 22P02
--$ ? x
SELECT id FROM cards WHERE limit_cents = $1;

--# Parameters in data changes
--! same
--$ ? 900
--$ ? new900@quvex.example
--$ ? Nia Zeltner
--$ ? 1987-03-14
--$ ? 12.345
INSERT INTO customers (id, email, full_name, born, balance) VALUES ($1, $2, $3, $4, $5) RETURNING *;
--! same
--$ text new900@quvex.example
--$ int4 1
UPDATE customers SET email = $1 WHERE id = $2 RETURNING id, email;
--! same
--$ ? vip
--$ ? ann.okonkwo1@quvex.example
UPDATE customers SET status = $1 WHERE email = $2 AND status <> $1 RETURNING id, status;
--! same
--$ ? NULL
UPDATE customers SET remark = $1 WHERE id < 4 RETURNING remark;
--! same
--$ ? 4929-1103-7791
DELETE FROM cards WHERE number = $1 RETURNING id, number;
--! same
--$ ? {zebra-tag,"x y",NULL}
--$ ? {"k": "wistful"}
INSERT INTO notes (id, tags, meta) VALUES (900, $1, $2) RETURNING tags, meta;
--# Bit strings
--! same
SELECT B'101', X'1F', email FROM customers WHERE id = 1;
--! same
SELECT id FROM cards WHERE limit_cents > B'101'::int AND limit_cents <> X'7fffffff'::bigint;
--! same
INSERT INTO people (id, email, nick) VALUES (901, B'101'::text, X'1F'::varchar(3)) RETURNING email, nick;
--! same
SELECT coalesce(email, B'1'::text) FROM customers WHERE email IS DISTINCT FROM B''::text;
--! same
UPDATE order_lines SET qty = X'0F'::int WHERE order_id = 1 AND qty < B'1111111'::int RETURNING qty;
--! refused a bit string as it is
INSERT INTO people (id, email) VALUES (901, B'101'::bit(3));
--! refused too many bits
SELECT id FROM cards WHERE limit_cents > X'ffffffff'::int;
