"""psycopg 3 (libpq, extended protocol) with sealed columns: text and binary, prepared, pipeline mode, executemany,
server-side cursors, COPY text and binary, asyncio. Settings: PG* variables."""

import asyncio
import datetime
import uuid
from decimal import Decimal

import psycopg
from psycopg import errors, pq
from psycopg.types.json import Jsonb

EMAIL = "ada.canary@mail.example"
BORN = datetime.date(1815, 12, 10)
SEEN = datetime.datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=datetime.UTC)
TOKEN = uuid.UUID("c0ffee00-ca9a-4ee1-8000-0123456789ab")
ADA = (1, "Ada Canary-Lovelace", EMAIL, BORN, Decimal("98765.43"), 4711, SEEN, TOKEN, b"\x00canaryphoto\xff")
ADA += ({"hobby": "canary breeding"}, "met Mr Babbage at the canary soirée", "London")
OIDS = [23, 1043, 1043, 1082, 1700, 23, 1184, 2950, 17, 3802, 25, 25]
INSERT = "INSERT INTO people (id, email, born) VALUES (%s, %s, %s)"

connection = psycopg.connect(autocommit=True)


def error_of(kind: type[psycopg.Error], query: str, value: str) -> psycopg.Error:
    try:
        with connection.transaction():
            connection.execute(query, (value,))
    except kind as error:
        return error
    raise AssertionError("no error")


connection.execute("""
    CREATE TABLE people (
      id integer PRIMARY KEY, name varchar(80), email varchar(120) UNIQUE, born date, balance numeric(12,2),
      visits integer, seen timestamptz, token uuid, photo bytea, profile jsonb, notes text, city text);
    CREATE INDEX ON people (born);
    CREATE TABLE orders (id serial PRIMARY KEY, email varchar(120) REFERENCES people (email), total numeric(12,2))
""")

# Insert with parameters, text and binary by type; with literals, in the simple protocol.
places = ", ".join(["%s"] * 12)
connection.execute(f"INSERT INTO people VALUES ({places})", (*ADA[:9], Jsonb(ADA[9]), *ADA[10:]))
grace = "(2, 'Grace Canary-Hopper', 'grace.canary@mail.example', '1906-12-09', 12.50)"
returned = connection.execute(
    f"INSERT INTO people (id, name, email, born, balance) VALUES {grace} RETURNING name, born", prepare=False
)
assert returned.fetchall() == [("Grace Canary-Hopper", datetime.date(1906, 12, 9))]

# Select by equality and range; every value comes back as it went, in both formats.
for binary in (False, True):
    for style in ("%s", "%t", "%b"):
        for prepare in (True, False):
            query = f"SELECT * FROM people WHERE email = {style}"
            cursor = connection.execute(query, (EMAIL,), binary=binary, prepare=prepare)
            assert cursor.fetchall() == [ADA]
            assert [column.type_code for column in cursor.description] == OIDS
    between = "SELECT id FROM people WHERE born BETWEEN %b AND %b ORDER BY born DESC"
    assert connection.execute(between, (BORN, datetime.date(1950, 1, 1)), binary=binary).fetchall() == [(2,), (1,)]
    exact = "SELECT id FROM people WHERE token = %s AND seen >= %s AND visits > %s"
    assert connection.execute(exact, (TOKEN, SEEN, 4710), binary=binary).fetchall() == [(1,)]
    listed = "SELECT id FROM people WHERE email = ANY(%s)"
    assert connection.execute(listed, ([EMAIL, "nobody.canary@mail.example"],), binary=binary).fetchall() == [(1,)]

# Update and join.
update = "UPDATE people SET balance = %s, notes = NULL WHERE email = %s RETURNING balance"
assert connection.execute(update, (Decimal("31337.25"), EMAIL)).fetchall() == [(Decimal("31337.25"),)]
connection.execute(
    "INSERT INTO orders (email, total) VALUES (%(email)s, 10), (%(email)s, %(total)s)",
    {"email": EMAIL, "total": Decimal("20.25")},
)
joined = "SELECT name, total FROM people JOIN orders USING (email) WHERE total > %s"
assert connection.execute(joined, (15,)).fetchall() == [("Ada Canary-Lovelace", Decimal("20.25"))]

# Batches: executemany, and a pipeline with an error in it.
people = [(n, f"batch{n}.canary@mail.example", datetime.date(2000, 1, n - 99)) for n in range(100, 130)]
with connection.cursor() as cursor:
    cursor.executemany(INSERT, people[:15])
    cursor.executemany(f"{INSERT} RETURNING id", people[15:20], returning=True)
    assert cursor.fetchall() == [(115,)]
with connection.pipeline():
    for person in people[20:]:
        connection.execute(INSERT, person)
    pending = [connection.execute("SELECT id FROM people WHERE email = %s", (email,)) for _, email, _ in people]
    assert [cursor.fetchall() for cursor in pending] == [[(n,)] for n, *_ in people]
try:
    with connection.pipeline():
        connection.execute(INSERT, (150, "gone.canary@mail.example", None))
        connection.execute(INSERT, (151, EMAIL, None))
    raise AssertionError("no error")
except errors.UniqueViolation:
    assert connection.execute("SELECT count(*) FROM people WHERE id >= 150").fetchall() == [(0,)]

# Cursors on the server's side.
with connection.transaction(), connection.cursor("reader", scrollable=True) as reader:
    reader.execute("SELECT id, email, born FROM people WHERE id >= %s ORDER BY born", (100,))
    assert reader.fetchmany(7) == people[:7]
    reader.scroll(0, mode="absolute")
    assert reader.fetchall() == people

# COPY in and out.
copied = [(n, f"copy{n}.canary@mail.example", datetime.date(1990, 1, n - 199)) for n in range(200, 220)]
rows = "SELECT id, email, born FROM people WHERE id BETWEEN 200 AND 219 ORDER BY id"
for form in ("text", "binary"):
    connection.execute("DELETE FROM people WHERE id BETWEEN 200 AND 219")
    types = ["int4", "varchar", "date"]
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY people (id, email, born) FROM STDIN (FORMAT {form})") as copy:
            copy.set_types(types)
            for row in copied:
                copy.write_row(row)
        with cursor.copy(f"COPY ({rows}) TO STDOUT (FORMAT {form})") as copy:
            copy.set_types(types)
            assert list(copy.rows()) == copied
try:
    with connection.cursor().copy("COPY people (id, email) FROM STDIN") as copy:
        copy.write_row((300, "gone.canary@mail.example"))
        copy.write_row((301,))
    raise AssertionError("no error")
except errors.BadCopyFileFormat:
    assert connection.execute("SELECT count(*) FROM people WHERE id = 300").fetchall() == [(0,)]

# Errors, savepoints, and a second try.
with connection.transaction():
    twice = error_of(errors.UniqueViolation, "INSERT INTO people (id, email) VALUES (3, %s)", EMAIL)
    assert twice.diag.constraint_name == "people_email_key"
    like = "SELECT id FROM people WHERE notes LIKE %s"
    refused = error_of(errors.FeatureNotSupported, like, "%at the canary soir%")
    assert "public.people.notes" in refused.diag.message_primary
    assert refused.diag.message_hint
    too_long = "INSERT INTO people (id, name) VALUES (3, %s)"
    error_of(errors.StringDataRightTruncation, too_long, "Canary-Hopper" * 10)
    connection.execute("INSERT INTO people (id, email) VALUES (3, 'third.canary@mail.example')")
deleted = connection.execute("DELETE FROM people WHERE email = %s", ("third.canary@mail.example",))
assert deleted.rowcount == 1
assert connection.info.transaction_status == pq.TransactionStatus.IDLE
connection.close()


async def use_asyncio() -> None:
    async with await psycopg.AsyncConnection.connect(autocommit=True) as connection:
        for number, email, _ in people:
            cursor = await connection.execute("SELECT id FROM people WHERE email = %s", (email,), prepare=True)
            assert await cursor.fetchall() == [(number,)]


asyncio.run(use_asyncio())
print("client: psycopg", psycopg.__version__, "libpq", pq.version())
