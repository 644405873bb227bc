--! theme Sessions
--! stateful

--# search_path

--! script SET search_path
--! same
SET search_path = vault, public;
--! same
SHOW search_path;
--! same
SELECT email FROM customers ORDER BY id;
--! same
SELECT title FROM documents WHERE rank > 3;
--! same
SELECT email FROM public.customers WHERE id = 1;
--! same
SELECT id FROM cards WHERE number = '4929-1103-7791';
--! same
RESET search_path;
--! same
SELECT email FROM customers WHERE email = 'ann.okonkwo1@quvex.example';
--! error 42P01
SELECT * FROM documents;

--! script SET LOCAL
--! same
BEGIN;
--! same
SET LOCAL search_path TO vault;
--! same
SELECT email FROM customers ORDER BY id;
--! same
COMMIT;
--! same
SELECT email FROM customers WHERE status = 'vip';

--! script SET and rollback
--! same
BEGIN;
--! same
SET search_path = vault;
--! same
SELECT label FROM customers ORDER BY id;
--! same
ROLLBACK;
--! same
SELECT email FROM customers WHERE id < 4;

--! script SET and savepoint
--! same
BEGIN;
--! same
SAVEPOINT s;
--! same
SET search_path = vault;
--! same
SELECT email FROM customers ORDER BY id;
--! same
ROLLBACK TO s;
--! same
SELECT email FROM customers WHERE id < 4;
--! same
COMMIT;

--! script set_config
--! same
SELECT set_config('search_path', 'vault', false);
--! same
SELECT email FROM customers ORDER BY id;
--! same
SELECT set_config('search_path', 'public', false);
--! same
SELECT email FROM customers WHERE id < 4;

--! script set_config inside a query
--! same
BEGIN;
--! same
SELECT set_config('search_path', 'vault', true) FROM generate_series(1, 1);
--! same
SELECT email FROM customers ORDER BY id;
--! same
ROLLBACK;
--! same
SELECT email FROM customers WHERE id < 4;

--! script Empty search_path
--! same
SET search_path = '';
--! error 42P01
SELECT email FROM customers;
--! same
SELECT email FROM public.customers WHERE id = 1;
--! same
DISCARD ALL;
--! same
SELECT email FROM customers WHERE id = 1;

--# Temporary tables

--! script A temporary table shadows
--! same
CREATE TEMP TABLE customers (id integer, email text);
--! same
INSERT INTO customers VALUES (1, 'plain temporary');
--! same
SELECT email FROM customers WHERE email LIKE '%temp%';
--! same
SELECT email FROM public.customers WHERE id = 1;
--! same
SELECT email FROM pg_temp.customers;
--! same
DROP TABLE customers;
--! same
SELECT email FROM customers WHERE email = 'ann.okonkwo1@quvex.example';

--! script A temporary table that goes at commit
--! same
BEGIN;
--! same
CREATE TEMPORARY TABLE people (id integer, email text) ON COMMIT DROP;
--! same
INSERT INTO people VALUES (1, 'plain') RETURNING *;
--! same
COMMIT;
--! same
SELECT email FROM people WHERE id = 3;

--! script A temporary table rolled back
--! same
BEGIN;
--! same
CREATE TEMP TABLE people (id integer, email text);
--! same
ROLLBACK;
--! same
SELECT email FROM people WHERE email IS NOT NULL AND id < 4;

--# Output settings

--! script DateStyle
--! same
SET datestyle = 'German';
--! same
SELECT id, born, placed FROM customers c JOIN orders o USING (id) WHERE id < 9;
--! same
SELECT id FROM customers WHERE born = '14.03.1987';
--! same
SET datestyle = 'SQL, DMY';
--! same
SELECT born FROM customers WHERE born = '14/03/1987';

--! script TimeZone
--! same
SET timezone = 'America/New_York';
--! same
SELECT id, written FROM notes;
--! same
SELECT id FROM notes WHERE written = '2021-07-01 08:00:00';
--! same
SET timezone = '+05:30';
--! same
SELECT id, tz FROM kinds_none;

--! script bytea_output
--! same
SET bytea_output = 'escape';
--! same
SELECT id, secret FROM notes;
--! same
SELECT id FROM notes WHERE secret = '\xcafe1337deadbeef';
--! same
SELECT by FROM kinds_none;

--! script extra_float_digits
--! same
SET extra_float_digits = 0;
--! same
SELECT id, r, d FROM kinds_none;
--! same
SET extra_float_digits = -3;
--! same
SELECT r, d FROM kinds_eq;

--! script standard_conforming_strings
--! same
SET standard_conforming_strings = off;
--! same
SELECT id FROM customers WHERE full_name = 'Chidi O\'Hanlon';
--! same
SELECT id FROM customers WHERE email = 'ann.okonkwo1\100quvex.example';

--! script client_encoding
--! same
SET client_encoding = 'LATIN1';
--! same
SELECT id FROM customers WHERE email = 'ann.okonkwo1@quvex.example';
--! same
SELECT full_name FROM customers WHERE id = 2;
--! error 22P05
SELECT full_name FROM customers WHERE id = 9;

--# Transactions

--! script Commit and rollback
--! same
BEGIN;
--! same
UPDATE customers SET email = 'tx@quvex.example' WHERE id = 1;
--! same
SELECT id FROM customers WHERE email = 'tx@quvex.example';
--! same
ROLLBACK;
--! same
SELECT count(*) FROM customers WHERE email = 'tx@quvex.example';

--! script Savepoints
--! same
START TRANSACTION ISOLATION LEVEL REPEATABLE READ;
--! same
SAVEPOINT a;
--! same
UPDATE customers SET status = 'vip';
--! same
SAVEPOINT b;
--! same
DELETE FROM cards WHERE expires < '2028-01-01';
--! same
ROLLBACK TO b;
--! same
SELECT count(*) FROM cards;
--! same
SELECT count(*) FROM customers WHERE status = 'vip';
--! same
ROLLBACK TO a;
--! same
SELECT count(*) FROM customers WHERE status = 'vip';
--! same
ABORT;

--! script A failed transaction
--! same
BEGIN;
--! error 22012
SELECT 1 / 0;
--! error 25P02
SELECT email FROM customers;
--! error 25P02
SELECT email FROM customers WHERE email = 'ann.okonkwo1@quvex.example';
--! same
ROLLBACK;
--! same
SELECT email FROM customers WHERE id = 1;

--! script A refusal fails the transaction as an error does
--! same
BEGIN;
--! refused function
SELECT lower(email) FROM customers;
--! same
ROLLBACK;
--! same
SELECT email FROM customers WHERE id = 1;

--! script Read only
--! same
BEGIN READ ONLY;
--! same
SELECT email FROM customers WHERE status = 'vip';
--! error 25006
UPDATE customers SET email = 'x@quvex.example' WHERE id = 1;
--! same
ROLLBACK;

--! script Chained
--! same
BEGIN;
--! same
UPDATE customers SET points = points WHERE status = 'vip';
--! same
ROLLBACK AND CHAIN;
--! same
SELECT email FROM customers WHERE id = 2;
--! same
COMMIT;

--# PREPARE and EXECUTE

--! script PREPARE with sealed parameters
--! same
PREPARE find (text) AS SELECT id, email FROM customers WHERE email = $1;
--! same
EXECUTE find ('ann.okonkwo1@quvex.example');
--! same
EXECUTE find (NULL);
--! same
DEALLOCATE find;
--! error 26000
EXECUTE find ('x@quvex.example');

--! script PREPARE without types
--! same
PREPARE ranged AS SELECT id FROM customers WHERE balance BETWEEN $1 AND $2 ORDER BY id;
--! same
EXECUTE ranged (0, 100);
--! same
EXECUTE ranged ('-300', 0.005);
--! same
DEALLOCATE ALL;

--! script PREPARE of a change
--! same
BEGIN;
--! same
PREPARE put (int, text, text) AS INSERT INTO people (id, email, nick) VALUES ($1, $2, $3) RETURNING *;
--! same
EXECUTE put (900, 'p@quvex.example', 'nickmark1');
--! same
EXECUTE put (901, NULL, '');
--! same
SELECT count(*) FROM people WHERE nick = 'nickmark1';
--! same
ROLLBACK;

--! script PREPARE without parameters
--! same
PREPARE vips AS SELECT email FROM customers WHERE status = 'vip';
--! same
EXECUTE vips;
--! differs EXPLAIN prints (sealed) for a sealed literal
EXPLAIN (COSTS OFF) EXECUTE vips;
--! same
DEALLOCATE PREPARE vips;

--! script PREPARE that is refused
--! refused function
PREPARE bad AS SELECT lower(email) FROM customers;

--! script Plain PREPARE
--! same
PREPARE p AS SELECT code FROM countries WHERE vat > $1 ORDER BY code;
--! same
EXECUTE p (18.5);
--! same
CREATE TEMP TABLE held AS EXECUTE p (19.5);
--! same
SELECT * FROM held ORDER BY 1;

--# Cursors

--! script DECLARE and FETCH
--! same
BEGIN;
--! same
DECLARE c CURSOR FOR SELECT id, email, balance FROM customers ORDER BY id;
--! same [ordered]
FETCH 3 FROM c;
--! same [ordered]
FETCH NEXT FROM c;
--! same
MOVE 5 IN c;
--! same [ordered]
FETCH FORWARD 2 FROM c;
--! same
CLOSE c;
--! same
COMMIT;

--! script SCROLL
--! same
BEGIN;
--! same
DECLARE s SCROLL CURSOR FOR SELECT id, full_name FROM customers WHERE status = 'vip' ORDER BY balance, id;
--! same [ordered]
FETCH ABSOLUTE 2 FROM s;
--! same [ordered]
FETCH PRIOR FROM s;
--! same [ordered]
FETCH LAST FROM s;
--! same [ordered]
FETCH BACKWARD 2 FROM s;
--! same [ordered]
FETCH RELATIVE 1 FROM s;
--! same
MOVE FIRST IN s;
--! same [ordered]
FETCH ALL FROM s;
--! same
COMMIT;

--! script WITH HOLD
--! same
BEGIN;
--! same
DECLARE h CURSOR WITH HOLD FOR SELECT email FROM customers ORDER BY id;
--! same
COMMIT;
--! same [ordered]
FETCH 2 FROM h;
--! same
CLOSE ALL;
--! error 34000
FETCH 1 FROM h;

--! script BINARY
--! same
BEGIN;
--! same
DECLARE b BINARY CURSOR FOR SELECT id, email, born, balance FROM customers ORDER BY id;
--! same [ordered]
FETCH 4 FROM b;
--! same
COMMIT;

--! script WHERE CURRENT OF
--! same
BEGIN;
--! same
DECLARE u CURSOR FOR SELECT id, email FROM customers WHERE id = 1 FOR UPDATE;
--! same
FETCH u;
--! same
UPDATE customers SET email = 'current@quvex.example' WHERE CURRENT OF u;
--! same
SELECT email FROM customers WHERE id = 1;
--! same
ROLLBACK;

--! script A refused cursor
--! same
BEGIN;
--! refused function
DECLARE c CURSOR FOR SELECT upper(email) FROM customers;
--! same
ROLLBACK;

--! script A plain cursor
--! same
BEGIN;
--! same
DECLARE p CURSOR FOR SELECT code, name FROM countries ORDER BY code;
--! same [ordered]
FETCH ALL p;
--! same
COMMIT;

--# LISTEN, roles and the rest

--! script Things that touch no table
--! same
LISTEN channel;
--! same
UNLISTEN *;
--! same
SET ROLE NONE;
--! same
SET application_name = 'oracle';
--! same
SHOW application_name;
--! same
DISCARD PLANS;
--! same
CHECKPOINT;
--! same
VALUES (1);
