"""psycopg2 (libpq, simple protocol only) with sealed columns. Connection settings come from the PG* environment."""

import datetime
import io
import json
import uuid
from decimal import Decimal

import psycopg2
import psycopg2.extras
from psycopg2 import errors, sql

BORN = datetime.date(1815, 12, 10)
SEEN = datetime.datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=datetime.UTC)
TOKEN = uuid.UUID("c0ffee00-ca9a-4ee1-8000-0123456789ab")
ADA = (
    1,
    "Ada Canary-Lovelace",
    "ada.canary@mail.example",
    BORN,
    Decimal("98765.43"),
    4711,
    SEEN,
    TOKEN,
    b"\x00canaryphoto\xff",
    {"hobby": "canary breeding"},
    "met Mr Babbage at the canary soirée",
    "London",
)

psycopg2.extras.register_uuid()
psycopg2.extensions.register_adapter(dict, psycopg2.extras.Json)
connection = psycopg2.connect("")
cursor = connection.cursor()

# Create.
cursor.execute("""
    CREATE TABLE people (
      id integer PRIMARY KEY, name varchar(80), email varchar(120) UNIQUE, born date, balance numeric(12,2),
      visits integer, seen timestamptz, token uuid, photo bytea, profile jsonb, notes text, city text);
    CREATE INDEX ON people (born);
    CREATE TABLE orders (id serial PRIMARY KEY, email varchar(120) REFERENCES people (email), total numeric(12,2));
""")
connection.commit()

# Insert with parameters and with literals.
cursor.execute("INSERT INTO people VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)", ADA)
cursor.execute(
    "INSERT INTO people (id, name, email, born, balance) "
    "VALUES (2, 'Grace Canary-Hopper', 'grace.canary@mail.example', '1906-12-09', 12.50) RETURNING id, name, born"
)
assert cursor.fetchall() == [(2, "Grace Canary-Hopper", datetime.date(1906, 12, 9))]
connection.commit()

# Select by equality and range; every value comes back as it went.
cursor.execute("SELECT * FROM people WHERE email = %s", (ADA[2],))
(row,) = cursor.fetchall()
assert (*row[:8], bytes(row[8]), *row[9:]) == ADA, row
assert [column.name for column in cursor.description][:4] == ["id", "name", "email", "born"]
assert [column.type_code for column in cursor.description][:9] == [23, 1043, 1043, 1082, 1700, 23, 1184, 2950, 17]
cursor.execute(
    "SELECT id FROM people WHERE born BETWEEN %s AND %s ORDER BY born DESC", (BORN, datetime.date(1950, 1, 1))
)
assert cursor.fetchall() == [(2,), (1,)]
cursor.execute("SELECT id FROM people WHERE token = %s AND seen >= %s AND visits > %s", (TOKEN, SEEN, 4710))
assert cursor.fetchall() == [(1,)]
cursor.execute("SELECT id FROM people WHERE email IN %s ORDER BY id", ((ADA[2], "grace.canary@mail.example"),))
assert cursor.fetchall() == [(1,), (2,)]
cursor.execute("SELECT id FROM people WHERE email = ANY(%s)", ([ADA[2]],))
assert cursor.fetchall() == [(1,)]

# Update and join.
cursor.execute("UPDATE people SET balance = %s, notes = NULL WHERE email = %s RETURNING balance", (31337.25, ADA[2]))
assert cursor.fetchall() == [(Decimal("31337.25"),)]
cursor.execute("INSERT INTO orders (email, total) VALUES (%s, %s), (%s, %s)", (ADA[2], 10, ADA[2], Decimal("20.25")))
cursor.execute("""
    SELECT email, count(*), max(o.total) FROM people p JOIN orders o USING (email) GROUP BY email
""")
assert cursor.fetchall() == [(ADA[2], 2, Decimal("20.25"))]
connection.commit()

# Batches, in psycopg2's three ways.
people = [
    (n, f"batch.canary{n}.canary@mail.example", datetime.date(2000, 1, 1) + datetime.timedelta(n))
    for n in range(100, 130)
]
insert = "INSERT INTO people (id, email, born) VALUES "
cursor.executemany(insert + "(%s, %s, %s)", people[:10])
psycopg2.extras.execute_batch(cursor, insert + "(%s, %s, %s)", people[10:20])
psycopg2.extras.execute_values(cursor, insert + "%s", people[20:])
cursor.execute("SELECT id, email, born FROM people WHERE id >= 100 ORDER BY born")
assert cursor.fetchall() == people
connection.commit()

# COPY in and out.
lines = "".join(f"{n}\tcopy.canary{n}.canary@mail.example\t1990-01-{n - 199:02}\n" for n in range(200, 220))
cursor.copy_expert("COPY people (id, email, born) FROM STDIN", io.StringIO(lines))
out = io.StringIO()
cursor.copy_expert("COPY (SELECT id, email, born FROM people WHERE id BETWEEN 200 AND 219 ORDER BY id) TO STDOUT", out)
assert out.getvalue() == lines
connection.commit()

# Errors, savepoints, and a second try.
cursor.execute("SAVEPOINT before")
try:
    cursor.execute("INSERT INTO people (id, email) VALUES (3, %s)", (ADA[2],))
    raise AssertionError("no error")
except errors.UniqueViolation as error:
    assert error.diag.constraint_name == "people_email_key"
cursor.execute("ROLLBACK TO before")
try:
    cursor.execute("SELECT id FROM people WHERE notes LIKE %s", ("%at the canary soir%",))
    raise AssertionError("no error")
except errors.FeatureNotSupported as error:
    assert "public.people.notes" in error.diag.message_primary
    assert error.diag.message_hint
cursor.execute("ROLLBACK TO before")
try:
    cursor.execute("INSERT INTO people (id, name) VALUES (3, %s)", ("Canary-Hopper" * 10,))
    raise AssertionError("no error")
except errors.StringDataRightTruncation:
    connection.rollback()
cursor.execute("INSERT INTO people (id, email) VALUES (3, 'third.canary@mail.example')")
cursor.execute("SELECT count(*), json_agg(id ORDER BY id) FROM people WHERE id < 10")
assert cursor.fetchall() == [(3, [1, 2, 3])]
cursor.execute(sql.SQL("ALTER TABLE people ADD COLUMN {} text").format(sql.Identifier("Extra Column")))
cursor.execute("DELETE FROM people WHERE email = %s RETURNING *", ("third.canary@mail.example",))
assert cursor.rowcount == 1
connection.commit()
assert json.loads(json.dumps(connection.get_dsn_parameters()))["host"] == "127.0.0.1"
connection.close()
print("client: psycopg2", psycopg2.__version__, "libpq", psycopg2.__libpq_version__)
