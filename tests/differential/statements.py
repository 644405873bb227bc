"""Statements for conversations. `customers` and `extra` have columns that a policy seals; `things` has none.

Whatever reads rows says in which order, and what fails for one row reads no table: the two databases need neither
store rows in the same order nor make the same plan.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

RESET: Final = """
SELECT lo_unlink(oid) FROM pg_largeobject_metadata;
DROP TABLE IF EXISTS extra;
DELETE FROM things;
DELETE FROM customers;
INSERT INTO things VALUES
  (1, 'one', 1.5, '\\x01'), (2, NULL, -2, '\\x'), (3, 'drei', NULL, NULL), (4, 'é', 0, '\\x00ff');
INSERT INTO customers (id, email, born, note, rank) VALUES
  (1, 'ada@secret.example', '1815-12-10', 'first secret note', 10),
  (2, 'bob@secret.example', NULL, 'second secret note', 20),
  (3, NULL, '2000-02-29', NULL, 30),
  (4, 'eve@secret.example', '1999-12-31', '', NULL)
"""
SCHEMA: Final = """
CREATE TABLE things (id integer PRIMARY KEY, name text, price numeric(10,2), data bytea);
CREATE TABLE customers (id integer PRIMARY KEY, email text UNIQUE, born date, note text, rank integer);
"""
POLICY: Final = """\
public.customers:
  email: {type: text, search: equality}
  born:  {type: date, search: order}
  note:  {type: text}
public.extra:
  secret: {type: text, search: equality}
"""
PLAIN: Final = (
    "SELECT 1",
    "SELECT 1 AS a, 'x' AS b, NULL AS c",
    "SELECT * FROM things ORDER BY id",
    "SELECT",
    "VALUES (1), (2)",
    "SELECT id, name FROM things WHERE id > 1 ORDER BY id DESC LIMIT 2",
    "TABLE things LIMIT 0",
    "SELECT 1/0",
    "SELECT 1 / (n - 2) FROM generate_series(1, 4) n",
    "SELECT missing FROM things",
    "SELECT * FROM missing",
    "SELEC",
    "SELECT 'unended",
    "SELECT (",
    "INSERT INTO things (id, name) VALUES (9, 'neun') RETURNING id, name",
    "INSERT INTO things (id) VALUES (1)",
    "UPDATE things SET name = 'zwei' WHERE id = 2 RETURNING *",
    "DELETE FROM things WHERE id = 3",
    "DELETE FROM things WHERE id = 99 RETURNING id",
    "/* only */ -- a comment",
    "SELECT count(*), sum(price) FROM things",
    "SELECT generate_series(1, 5)",
    "SHOW TimeZone",
    "SHOW missing",
    "SET TimeZone = 'Asia/Tokyo'",
    "SET DateStyle = 'German'",
    "RESET ALL",
    "RESET TimeZone",
    "SET LOCAL work_mem = '1MB'",
    "SET missing = 1",
    "SELECT '2024-02-29 10:00Z'::timestamptz",
    "LISTEN a",
    "UNLISTEN *",
    "NOTIFY a, 'payload'",
    "NOTIFY a",
    "DO $$ BEGIN RAISE NOTICE 'told'; END $$",
    "DO $$ BEGIN RAISE WARNING 'told %', 1; RAISE EXCEPTION 'raised'; END $$",
    "DROP TABLE IF EXISTS no_such_table",
    "EXPLAIN (COSTS off) SELECT * FROM things",
    "DEALLOCATE ALL",
    "DEALLOCATE s",
    "DEALLOCATE missing",
    "DISCARD ALL",
    "DISCARD PLANS",
    "PREPARE s AS SELECT 5 AS five",
    "EXECUTE s",
    "EXECUTE missing(1)",
    "PREPARE t(int) AS SELECT id, name FROM things WHERE id = $1",
    "EXECUTE t(2)",
    "EXECUTE t(1, 2)",
    "EXECUTE t('x')",
    "CREATE TEMP TABLE scratch (a int, b text)",
    "INSERT INTO scratch VALUES (1, 'x'), (2, 'y')",
    "SELECT * FROM scratch ORDER BY a",
    "ALTER TABLE scratch ADD c int DEFAULT 7",
    "ALTER TABLE scratch ALTER b TYPE varchar(5)",
    "DROP TABLE scratch",
    "LOCK TABLE things",
    "SELECT pg_notify('a', 'x')",
    "SELECT set_config('DateStyle', 'SQL, DMY', true)",
    "SET client_min_messages = warning",
    "RESET client_min_messages",
    "SELECT lo_creat(-1) IS NULL",
    "SELECT repeat('long ', 1000)",
    "SELECT '" + "y" * 6000 + "' AS wide",
    "SET search_path = pg_catalog",
    "RESET search_path",
    "SET bytea_output = 'escape'",
    "SELECT data FROM things ORDER BY id",
    "SELECT current_setting('search_path')",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "RESET default_transaction_read_only",
    "SET statement_timeout = 0",
)

CONTROL: Final = (
    "BEGIN",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "ROLLBACK",
    "END",
    "SAVEPOINT p",
    "ROLLBACK TO p",
    "RELEASE p",
    "START TRANSACTION READ ONLY",
    "BEGIN ISOLATION LEVEL SERIALIZABLE",
    "ABORT",
    "COMMIT AND CHAIN",
    "SET TRANSACTION READ ONLY",
    "SET CONSTRAINTS ALL IMMEDIATE",
)

CURSORS: Final = (
    "DECLARE c CURSOR FOR SELECT id, name FROM things ORDER BY id",
    "DECLARE c SCROLL CURSOR FOR SELECT 1 / (n - 3) FROM generate_series(1, 4) n",
    "DECLARE h CURSOR WITH HOLD FOR SELECT id FROM things ORDER BY id",
    "FETCH c",
    "FETCH 2 FROM c",
    "FETCH ALL c",
    "MOVE c",
    "MOVE 2 IN c",
    "FETCH BACKWARD 1 FROM c",
    "CLOSE c",
    "CLOSE ALL",
    "FETCH h",
    "CLOSE h",
    "FETCH missing",
    "FETCH 0 FROM c",
    "DECLARE k CURSOR FOR SELECT id, email, born FROM customers ORDER BY id",
    "FETCH 1 FROM k",
    "FETCH ALL FROM k",
    "MOVE 1 FROM k",
    "CLOSE k",
    "DECLARE k BINARY CURSOR FOR SELECT email, born FROM customers ORDER BY id",
)

SEALED: Final = (
    "SELECT * FROM customers ORDER BY id",
    "SELECT id, email FROM customers WHERE email = 'ada@secret.example'",
    "SELECT id, born FROM customers WHERE born > '1900-01-01' ORDER BY born",
    "SELECT count(*) FROM customers WHERE email IS NULL",
    "SELECT email, count(*) FROM customers GROUP BY email ORDER BY count(*), min(id)",
    "SELECT id FROM customers WHERE email IN ('bob@secret.example', 'x') ORDER BY id",
    "INSERT INTO customers (id, email, born, note) VALUES (7, 'new@secret.example', '2001-01-01', 'third') RETURNING *",
    "INSERT INTO customers (id, email) VALUES (8, 'ada@secret.example')",
    "INSERT INTO customers (id, born) VALUES (9, 'no date')",
    (
        "INSERT INTO customers (id, email) VALUES (1, 'new@secret.example') "
        "ON CONFLICT (id) DO UPDATE SET email = EXCLUDED.email RETURNING email"
    ),
    "UPDATE customers SET email = 'new@secret.example', rank = rank + 1 WHERE id = 2 RETURNING id, email",
    "UPDATE customers SET note = NULL WHERE id = 1",
    "UPDATE customers SET born = '1999-02-30' WHERE id = 1",
    "DELETE FROM customers WHERE email = 'eve@secret.example' RETURNING note",
    "SELECT c.email, t.name FROM customers c JOIN things t USING (id) ORDER BY c.id",
    "SELECT a.id, b.email FROM customers a JOIN customers b USING (email) ORDER BY a.id",
    "SELECT born FROM customers WHERE born BETWEEN '1800-01-01' AND '1999-12-31' ORDER BY born DESC LIMIT 2",
    "SELECT 1/0 FROM customers WHERE email = 'ada@secret.example'",
    "SELECT missing, email FROM customers",
    "SELECT email AS e, note AS n, rank FROM customers WHERE id = 3",
    "WITH w AS (SELECT email, id FROM customers) SELECT * FROM w ORDER BY id",
    "CREATE TABLE extra (id integer, secret text)",
    "ALTER TABLE extra ADD more integer DEFAULT 3",
    "INSERT INTO extra (id, secret) VALUES (1, 'new@secret.example')",
    "SELECT * FROM extra",
    "DROP TABLE extra",
    "EXPLAIN (COSTS off) SELECT id FROM customers LIMIT 1",
    "SELECT id FROM customers WHERE id = 'x'",
    "PREPARE s AS SELECT email FROM customers WHERE id = 1",
    "PREPARE t(text) AS SELECT id FROM customers WHERE email = $1",
    "EXECUTE t('ada@secret.example')",
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """Its type, and values in both formats."""

    oid: int
    texts: tuple[bytes, ...]
    binaries: tuple[bytes, ...]


INTEGER: Final = Parameter(23, (b"1", b"2", b"-7", b" 3 "), tuple(map(struct.Struct("!i").pack, (1, 2, -7))))
TEXT: Final = Parameter(25, ("é".encode(), b"one", b"x" * 3000), ("é".encode(), b"one"))
EMAIL: Final = Parameter(
    25, (b"ada@secret.example", b"new@secret.example"), (b"ada@secret.example", b"new@secret.example")
)
BORN: Final = Parameter(1082, (b"1815-12-10", b"2001-02-03"), tuple(map(struct.Struct("!i").pack, (-67227, 400))))
DATA: Final = Parameter(17, (b"\\x0102", b"abc"), (b"\1\2", b""))

PREPARABLE: Final[tuple[tuple[str, tuple[Parameter, ...]], ...]] = (
    ("SELECT id, name, price, data FROM things WHERE id >= $1 ORDER BY id", (INTEGER,)),
    ("SELECT $1::int + 1 AS next, $2::text AS same", (INTEGER, TEXT)),
    ("INSERT INTO things (id, name, data) VALUES ($1, $2, $3) RETURNING *", (INTEGER, TEXT, DATA)),
    ("UPDATE things SET name = $2 WHERE id = $1", (INTEGER, TEXT)),
    ("DELETE FROM things WHERE id = $1", (INTEGER,)),
    ("SELECT generate_series(1, $1)", (INTEGER,)),
    ("SELECT * FROM scratch WHERE a >= $1 ORDER BY a", (INTEGER,)),
    ("SELECT 6 / $1::int", (INTEGER,)),
    ("", ()),
    ("SELECT id, email, born, note FROM customers WHERE id >= $1 ORDER BY id", (INTEGER,)),
    ("SELECT id, email FROM customers WHERE email = $1 ORDER BY id", (EMAIL,)),
    ("SELECT id, born FROM customers WHERE born <= $1 ORDER BY born", (BORN,)),
    ("SELECT id FROM customers WHERE email = $1 AND id = $2", (EMAIL, INTEGER)),
    ("INSERT INTO customers (id, email, born) VALUES ($1, $2, $3) RETURNING id, email, born", (INTEGER, EMAIL, BORN)),
    ("UPDATE customers SET email = $2, rank = $3 WHERE id = $1 RETURNING email, rank", (INTEGER, EMAIL, INTEGER)),
    ("DELETE FROM customers WHERE email = $1", (EMAIL,)),
    ("SELECT * FROM extra WHERE secret = $1", (EMAIL,)),
)

COPY_IN: Final[tuple[tuple[str, tuple[bytes, ...]], ...]] = (
    ("COPY things (id, name) FROM STDIN", (b"101\ta\n10", b"2\t\\N\n", b"103\tc\n", b"x\ty\n", b"1\tdup\n", b"\\.\n")),
    ("COPY things (id, name) FROM STDIN (FORMAT csv, HEADER)", (b"id,name\n", b'105,"a ""b"""\n', b"106,\n", b"bad\n")),
    (
        "COPY things (id) FROM STDIN (FORMAT binary)",
        (b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\0\1\0\0\0\4\0\0\0\x6b", b"\xff\xff", b"\0\2"),
    ),
    (
        "COPY customers (id, email) FROM STDIN",
        (b"101\tnew@secr", b"et.example\n", b"102\t\\N\n", b"x\ty\n", b"103\tada@secret.example\n"),
    ),
    (
        "COPY customers (id, born) FROM STDIN (FORMAT csv)",
        (b"111,2001-02-03\n", b"112,\n", b'113,"1999', b'-12-31"\n', b"114,no date\n"),
    ),
    ("COPY missing FROM STDIN", (b"1\n",)),
)
COPY_OUT: Final = (
    "COPY (SELECT id, name FROM things ORDER BY id) TO STDOUT",
    "COPY (SELECT id, data FROM things ORDER BY id) TO STDOUT (FORMAT csv, HEADER)",
    "COPY (SELECT id, price FROM things ORDER BY id) TO STDOUT (FORMAT binary)",
    "COPY (SELECT 1 / (3 - n) FROM generate_series(1, 4) n) TO STDOUT",
    "COPY (SELECT id, email, born FROM customers ORDER BY id) TO STDOUT",
    "COPY (SELECT email, note FROM customers ORDER BY id) TO STDOUT (FORMAT csv)",
    "COPY (SELECT id, born FROM customers ORDER BY id) TO STDOUT (FORMAT binary)",
)
