--! theme COPY
--! stateful

--# COPY TO

--! script Text
--! same
COPY customers TO STDOUT;
--! same
COPY customers (id, email, balance) TO STDOUT;
--! same
COPY people TO STDOUT;
--! same
COPY (SELECT email, full_name FROM customers ORDER BY id) TO STDOUT;
--! same
COPY (SELECT id, max(total) FROM orders GROUP BY id ORDER BY id) TO STDOUT;
--! same
COPY (VALUES (1, 'plain')) TO STDOUT;
--! same
COPY countries TO STDOUT;
--! same
COPY kinds_none TO STDOUT;
--! same
COPY customers (remark) TO STDOUT (DELIMITER '|', NULL 'none');
--! same
COPY vault.documents (id, title) TO STDOUT WITH (ENCODING 'UTF8');
--! same
COPY "Invoices" ("Customer Email", "select") TO STDOUT (HEADER);
--! same
COPY (DELETE FROM cards WHERE id > 900 RETURNING number) TO STDOUT;

--! script CSV
--! same
COPY customers (id, email, full_name, remark) TO STDOUT (FORMAT csv);
--! same
COPY customers (id, email, remark) TO STDOUT (FORMAT csv, HEADER, DELIMITER ';', QUOTE '''', ESCAPE '\', NULL 'NULL');
--! same
COPY (SELECT id, remark FROM customers ORDER BY id) TO STDOUT (FORMAT csv, FORCE_QUOTE *);
--! same
COPY orders (id, ship_to, coupon) TO STDOUT (FORMAT csv, FORCE_QUOTE (ship_to));
--! same
COPY kinds_eq TO STDOUT CSV HEADER;
--! same
COPY notes TO STDOUT WITH CSV;

--! script Binary
--! same
COPY (SELECT id, email, balance, born FROM customers ORDER BY id) TO STDOUT (FORMAT binary);
--! same
COPY (SELECT * FROM kinds_none ORDER BY id) TO STDOUT (FORMAT binary);
--! same
COPY (SELECT code FROM countries ORDER BY code) TO STDOUT BINARY;

--! script Refused
--! refused function
COPY (SELECT lower(email) FROM customers) TO STDOUT;

--! script Refused order
--! refused order
COPY (SELECT email FROM customers ORDER BY email) TO STDOUT;

--# COPY FROM

--! script Text into a sealed table
--! same
BEGIN;
--! same
--< 901	c1@quvex.example	nickmark1
--< 902	\N	
--< 903	back\\slash@quvex.example	tab\ttab
COPY people FROM STDIN;
--! same
SELECT * FROM people WHERE id > 900;
--! same
SELECT id FROM people WHERE email = 'c1@quvex.example';
--! same
ROLLBACK;

--! script Text with a column list and WHERE
--! same
BEGIN;
--! same
--< c1@quvex.example|901
--< c2@quvex.example|902
COPY people (email, id) FROM STDIN (DELIMITER '|') WHERE id > 901;
--! same
SELECT * FROM people WHERE id > 900;
--! same
ROLLBACK;

--! script End marker
--! same
BEGIN;
--! same
--< 901	c1@quvex.example	\N
--< \.
COPY people FROM STDIN;
--! same
SELECT * FROM people WHERE id > 900;
--! same
ROLLBACK;

--! script CSV in
--! same
BEGIN;
--! same
--< id,email,full_name,balance,born
--< 901,c1@quvex.example,"Zeltner, ""C""",12.345,1987-03-14
--< 902,,Okonkwo,,
--< 903,"",Lindqvist,-1,infinity
COPY customers (id, email, full_name, balance, born) FROM STDIN (FORMAT csv, HEADER);
--! same
SELECT id, email, full_name, balance, born FROM customers WHERE id > 900;
--! same
ROLLBACK;

--! script CSV with matched header and other quotes
--! same
BEGIN;
--! same
--< id;email;nick
--< 901;'it''s@quvex.example';none
COPY people FROM STDIN (FORMAT csv, HEADER match, DELIMITER ';', QUOTE '''', NULL 'none');
--! same
SELECT * FROM people WHERE id > 900;
--! same
ROLLBACK;

--! script FORCE_NULL and FORCE_NOT_NULL
--! same
BEGIN;
--! same
--< 901,"",
COPY people FROM STDIN (FORMAT csv, FORCE_NULL (email), FORCE_NOT_NULL (nick));
--! same
SELECT id, email IS NULL, nick FROM people WHERE id > 900;
--! same
ROLLBACK;

--! script Defaults
--! same
BEGIN;
--! same
--< 901,Zeltner,\D
COPY customers (id, full_name, status) FROM STDIN (FORMAT csv, DEFAULT '\D');
--! same
SELECT id, status FROM customers WHERE id > 900;
--! same
ROLLBACK;

--! script Binary in
--! same
BEGIN;
--! same
--<from COPY (SELECT id + 900, email, nick FROM people ORDER BY id) TO STDOUT (FORMAT binary)
COPY people FROM STDIN (FORMAT binary);
--! same
SELECT id, email, nick FROM people WHERE id > 900;
--! same
ROLLBACK;

--! script All kinds, text
--! same
BEGIN;
--! same
--<from COPY (SELECT * FROM kinds_none ORDER BY id) TO STDOUT
COPY kinds_none FROM STDIN WHERE id > 900;
--! same
DELETE FROM kinds_none;
--! same
--<from COPY (SELECT * FROM kinds_none) TO STDOUT
COPY kinds_none FROM STDIN;
--! same
SELECT * FROM kinds_none;
--! same
ROLLBACK;

--! script All kinds, binary
--! same
BEGIN;
--! same
DELETE FROM kinds_eq;
--! same
--<from COPY (SELECT * FROM kinds_eq ORDER BY id) TO STDOUT (FORMAT binary)
COPY kinds_eq FROM STDIN BINARY;
--! same
SELECT * FROM kinds_eq;
--! same
SELECT id FROM kinds_eq WHERE t = 'kindmark' AND id < 20;
--! same
ROLLBACK;

--! script A view and a partitioned table
--! same
BEGIN;
--! same
--< 901	2031-04-04	login	c1@quvex.example	5	{}
COPY events FROM STDIN;
--! same
SELECT id, actor FROM events_2031 WHERE actor = 'c1@quvex.example';
--! same
ROLLBACK;

--! script Values that do not fit
--! error 22001
--< 901	Zeltner Zeltner Zeltner Zeltner Zeltner Zeltner
COPY customers (id, full_name) FROM STDIN;

--! script Values that are none
--! error 22008
--< 901	Zeltner	1987-02-30
COPY customers (id, full_name, born) FROM STDIN;

--! script Too few columns
--! error 22P04
--< 901
COPY people FROM STDIN;

--! script Too many columns
--! error 22P04
--< 901	a@quvex.example	x	y
COPY people FROM STDIN;

--! script A duplicate
--! error 23505
--< 901	ann.okonkwo1@quvex.example	Zeltner
COPY customers (id, email, full_name) FROM STDIN;

--! script FREEZE
--! same
BEGIN;
--! same
CREATE TABLE scratch.people (id integer, email text);
--! same
--< 1	c1@quvex.example
COPY scratch.people FROM STDIN (FREEZE);
--! same
SELECT id FROM scratch.people WHERE email = 'c1@quvex.example';
--! same
ROLLBACK;

--! script Plain tables
--! same
BEGIN;
--! same
--< 900	plain@open.example	label
COPY vault.customers FROM STDIN;
--! same
SELECT * FROM vault.customers WHERE id = 900;
--! same
ROLLBACK;

--! script WHERE on a sealed column
--! same
BEGIN;
--! same
--< 901	c1@quvex.example
--< 902	c2@quvex.example
COPY people (id, email) FROM STDIN WHERE email = 'c2@quvex.example';
--! same
SELECT id, email FROM people WHERE id > 900;
--! same
ROLLBACK;

--# COPY options

--! script FREEZE in the transaction that made the table
--! same
BEGIN;
--! same
CREATE TABLE scratch.people (id integer, email text, name varchar(30) COLLATE "C", note text);
--! same
--< 1	f1@quvex.example	Fay	fnote
COPY scratch.people FROM STDIN (FREEZE true, FORMAT text);
--! same
SELECT * FROM scratch.people;
--! same
COMMIT;

--! script Forced quotes, not null and null together
--! same
BEGIN;
--! same
--< id|email|nick
--< 981|""|
--< 982||""
COPY people (id, email, nick) FROM STDIN WITH (FORMAT csv, HEADER true, DELIMITER '|', FORCE_NULL (email, nick));
--! same
--< 983,,
COPY people FROM STDIN WITH (FORMAT csv, FORCE_NOT_NULL (email));
--! same
--< 984,,
COPY people FROM STDIN CSV FORCE NOT NULL nick;
--! same
SELECT id, email, nick, email IS NULL, nick IS NULL FROM people WHERE id > 980;
--! same
COPY (SELECT id, email, nick FROM people WHERE id > 980 ORDER BY id) TO STDOUT (FORMAT csv, FORCE_QUOTE (email, nick), NULL '-');
--! same
ROLLBACK;

--! script Encodings and escapes
--! same
BEGIN;
--! same
--< 985	caf\303\251@quvex.example	a\tb\\c
COPY people FROM STDIN (ENCODING 'UTF8');
--! same
SELECT email, nick FROM people WHERE id = 985;
--! same
COPY (SELECT email, nick FROM people WHERE id = 985) TO STDOUT;
--! same
ROLLBACK;

--! script A default, and a column that is left out
--! same
BEGIN;
--! same
--< 986,Gil Okonkwo,\D,\N
--< 987,Gia Okonkwo,vip,x
COPY customers (id, full_name, status, remark) FROM STDIN (FORMAT csv, DEFAULT '\D', NULL '\N');
--! same
SELECT id, full_name, status, remark, points, region FROM customers WHERE id IN (986, 987);
--! same
ROLLBACK;
