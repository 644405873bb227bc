"""pg8000 (pure Python, its own protocol code; text and binary) with sealed columns. Settings: PG* variables."""

import datetime
import io
import os
import ssl
import uuid
from decimal import Decimal

import pg8000.dbapi
import pg8000.native

EMAIL = "ada.canary@mail.example"
BORN = datetime.date(1815, 12, 10)
SEEN = datetime.datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=datetime.UTC)
TOKEN = uuid.UUID("c0ffee00-ca9a-4ee1-8000-0123456789ab")
ADA = [1, "Ada Canary-Lovelace", EMAIL, BORN, Decimal("98765.43"), 4711, SEEN, TOKEN, b"\x00canaryphoto\xff"]
ADA += [{"hobby": "canary breeding"}, "met Mr Babbage at the canary soirée", "London"]

context = None
if os.environ["PGSSLMODE"] == "require":
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
where = {
    "user": os.environ["PGUSER"],
    "password": os.environ["PGPASSWORD"],
    "host": os.environ["PGHOST"],
    "port": int(os.environ["PGPORT"]),
    "database": os.environ["PGDATABASE"],
    "ssl_context": context,
}
connection = pg8000.native.Connection(**where)
run = connection.run


def error_of(sql: str, **parameters: object) -> dict[str, str]:
    try:
        run(sql, **parameters)
    except pg8000.native.DatabaseError as error:
        return error.args[0]
    raise AssertionError("no error")


run("""CREATE TABLE people (
  id integer PRIMARY KEY, name varchar(80), email varchar(120) UNIQUE, born date, balance numeric(12,2),
  visits integer, seen timestamptz, token uuid, photo bytea, profile jsonb, notes text, city text)""")
run("CREATE TABLE orders (id serial PRIMARY KEY, email varchar(120) REFERENCES people (email), total numeric(12,2))")

names = "id name email born balance visits seen token photo profile notes city".split()
run(f"INSERT INTO people VALUES ({', '.join(':' + name for name in names)})", **dict(zip(names, ADA, strict=True)))
assert run(
    "INSERT INTO people (id, name, email, born, balance) VALUES "
    "(2, 'Grace Canary-Hopper', 'grace.canary@mail.example', '1906-12-09', 12.50) RETURNING born"
) == [[datetime.date(1906, 12, 9)]]

assert run("SELECT * FROM people WHERE email = :email", email=EMAIL) == [ADA]
oids = [column["type_oid"] for column in connection.columns]
assert oids == [23, 1043, 1043, 1082, 1700, 23, 1184, 2950, 17, 3802, 25, 25]
later = datetime.date(1950, 1, 1)
found = run("SELECT id FROM people WHERE born BETWEEN :a AND :b ORDER BY born DESC", a=BORN, b=later)
assert found == [[2], [1]]
assert run("SELECT id FROM people WHERE token = :t AND seen >= :s AND visits > :v", t=TOKEN, s=SEEN, v=4710) == [[1]]
assert run("SELECT id FROM people WHERE email = ANY(:emails)", emails=[EMAIL]) == [[1]]
assert run("UPDATE people SET balance = :b, notes = NULL WHERE email = :e RETURNING balance", b=31337.25, e=EMAIL) == [
    [Decimal("31337.25")]
]
for total in (10, Decimal("20.25")):
    run("INSERT INTO orders (email, total) VALUES (:email, :total)", email=EMAIL, total=total)
assert run("SELECT name, total FROM people JOIN orders USING (email) WHERE total > :t", t=15) == [
    ["Ada Canary-Lovelace", Decimal("20.25")]
]

add = connection.prepare("INSERT INTO people (id, email, born) VALUES (:id, :email, :born)")
for n in range(100, 130):
    add.run(id=n, email=f"batch{n}.canary@mail.example", born=datetime.date(2000, 1, 1))
add.close()
lines = "".join(f"{n}\tcopy{n}.canary@mail.example\t1990-01-{n - 199:02}\n" for n in range(200, 220))
run("COPY people (id, email, born) FROM STDIN", stream=io.StringIO(lines))
out = io.StringIO()
run("COPY (SELECT id, email, born FROM people WHERE id BETWEEN 200 AND 219 ORDER BY id) TO STDOUT", stream=out)
assert out.getvalue() == lines
by_email = connection.prepare("SELECT id FROM people WHERE email = :email")
for n in range(200, 210):
    assert by_email.run(email=f"copy{n}.canary@mail.example") == [[n]]

run("START TRANSACTION")
assert error_of("INSERT INTO people (id, email) VALUES (3, :email)", email=EMAIL)["C"] == "23505"
run("ROLLBACK")
refused = error_of("SELECT id FROM people WHERE notes LIKE :pattern", pattern="%at the canary soir%")
assert refused["C"] == "0A000"
assert "public.people.notes" in refused["M"]
assert error_of("INSERT INTO people (id, name) VALUES (3, :name)", name="Canary-Hopper" * 10)["C"] == "22001"
run("INSERT INTO people (id, email) VALUES (3, 'third.canary@mail.example')")
run("ALTER TABLE people ADD COLUMN extra text")
run("DELETE FROM people WHERE email = :email", email="third.canary@mail.example")
assert connection.row_count == 1
connection.close()

dbapi = pg8000.dbapi.connect(**where)
cursor = dbapi.cursor()
people = [(n, f"dbapi{n}.canary@mail.example") for n in range(300, 310)]
cursor.executemany("INSERT INTO people (id, email) VALUES (%s, %s)", people)
cursor.execute("SELECT id, email FROM people WHERE id >= %s ORDER BY id", (300,))
assert [tuple(row) for row in cursor.fetchall()] == people
dbapi.rollback()
dbapi.close()
print("client: pg8000", pg8000.__version__)
