"""asyncpg (binary only, its own protocol code) with sealed columns: cached and explicit statements, executemany, a
cursor, COPY text, CSV and binary, savepoints, a pool. Settings: PG* variables."""

import asyncio
import datetime
import io
import json
import uuid
from decimal import Decimal

import asyncpg

EMAIL = "ada.canary@mail.example"
BORN = datetime.date(1815, 12, 10)
SEEN = datetime.datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=datetime.UTC)
TOKEN = uuid.UUID("c0ffee00-ca9a-4ee1-8000-0123456789ab")
ADA = (1, "Ada Canary-Lovelace", EMAIL, BORN, Decimal("98765.43"), 4711, SEEN, TOKEN, b"\x00canaryphoto\xff")
ADA += ({"hobby": "canary breeding"}, "met Mr Babbage at the canary soirée", "London")
OIDS = [23, 1043, 1043, 1082, 1700, 23, 1184, 2950, 17, 3802, 25, 25]
SCHEMA = """
CREATE TABLE people (
  id integer PRIMARY KEY, name varchar(80), email varchar(120) UNIQUE, born date, balance numeric(12,2),
  visits integer, seen timestamptz, token uuid, photo bytea, profile jsonb, notes text, city text);
CREATE INDEX ON people (born);
CREATE TABLE orders (id serial PRIMARY KEY, email varchar(120) REFERENCES people (email), total numeric(12,2))
"""


async def ids(connection: asyncpg.Connection, where: str, *values: object) -> list[int]:
    return [row["id"] for row in await connection.fetch(f"SELECT id FROM people WHERE {where}", *values)]


async def use(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
    await connection.execute(SCHEMA)
    places = ", ".join(f"${n}" for n in range(1, 13))
    await connection.execute(f"INSERT INTO people VALUES ({places})", *ADA)
    grace = await connection.fetchrow(
        "INSERT INTO people (id, name, email, born, balance) VALUES "
        "(2, 'Grace Canary-Hopper', 'grace.canary@mail.example', '1906-12-09', 12.50) RETURNING name, born"
    )
    assert tuple(grace) == ("Grace Canary-Hopper", datetime.date(1906, 12, 9))

    statement = await connection.prepare("SELECT * FROM people WHERE email = $1")
    assert [attribute.type.oid for attribute in statement.get_attributes()] == OIDS
    for _ in range(3):
        assert [tuple(row) for row in await statement.fetch(EMAIL)] == [ADA]
    until = datetime.date(1950, 1, 1)
    assert await ids(connection, "born BETWEEN $1 AND $2 ORDER BY born DESC", BORN, until) == [2, 1]
    assert await ids(connection, "token = $1 AND seen >= $2 AND visits > $3", TOKEN, SEEN, 4710) == [1]
    assert await ids(connection, "email = ANY($1)", [EMAIL, "nobody.canary@mail.example"]) == [1]

    update = "UPDATE people SET balance = $1, notes = NULL WHERE email = $2 RETURNING balance"
    assert await connection.fetchval(update, Decimal("31337.25"), EMAIL) == Decimal("31337.25")
    await connection.execute("INSERT INTO orders (email, total) VALUES ($1, 10), ($1, $2)", EMAIL, Decimal("20.25"))
    joined = "SELECT name, total FROM people JOIN orders USING (email) WHERE total > $1"
    assert tuple(await connection.fetchrow(joined, Decimal(15))) == ("Ada Canary-Lovelace", Decimal("20.25"))


async def batches(connection: asyncpg.Connection) -> None:
    insert = "INSERT INTO people (id, email, born) VALUES ($1, $2, $3)"
    people = [(n, f"batch{n}.canary@mail.example", datetime.date(2000, 1, n - 99)) for n in range(100, 130)]
    await connection.executemany(insert, people[:20])
    returned = await connection.fetchmany(f"{insert} RETURNING id", people[20:])
    assert [row["id"] for row in returned] == [n for n, *_ in people[20:]]
    async with connection.transaction():
        portions = connection.cursor("SELECT id, email, born FROM people WHERE id >= 100 ORDER BY born", prefetch=7)
        assert [tuple(row) async for row in portions] == people


async def copies(connection: asyncpg.Connection) -> None:
    columns = ["id", "email", "born"]
    people = [(n, f"copy{n}.canary@mail.example", datetime.date(1990, 1, n - 199)) for n in range(200, 220)]
    assert await connection.copy_records_to_table("people", records=people, columns=columns) == "COPY 20"
    query = "SELECT id, email, born FROM people WHERE id BETWEEN 200 AND 219 ORDER BY id"
    got = {}
    for name in ("text", "csv", "binary"):
        out = io.BytesIO()
        await connection.copy_from_query(query, output=out, format=name)
        got[name] = out.getvalue()
    assert got["text"].decode() == "".join(f"{n}\t{email}\t{born}\n" for n, email, born in people)
    assert got["csv"] == got["text"].replace(b"\t", b",")
    for name, content in got.items():
        await connection.execute("DELETE FROM people WHERE id BETWEEN 200 AND 219")
        source = io.BytesIO(content)
        assert await connection.copy_to_table("people", source=source, columns=columns, format=name) == "COPY 20"
    assert [tuple(row) for row in await connection.fetch(query)] == people


async def failures(connection: asyncpg.Connection) -> None:
    async def error_of(kind: type[asyncpg.PostgresError], query: str, value: str) -> asyncpg.PostgresError:
        try:
            async with connection.transaction():
                await connection.execute(query, value)
        except kind as error:
            return error
        raise AssertionError("no error")

    async with connection.transaction():
        twice = await error_of(asyncpg.UniqueViolationError, "INSERT INTO people (id, email) VALUES (3, $1)", EMAIL)
        assert twice.constraint_name == "people_email_key"
        refused = await error_of(
            asyncpg.FeatureNotSupportedError, "SELECT id FROM people WHERE notes LIKE $1", "%at the canary soir%"
        )
        assert "public.people.notes" in str(refused)
        assert refused.hint
        long = "Canary-Hopper" * 10
        await error_of(asyncpg.StringDataRightTruncationError, "INSERT INTO people (id, name) VALUES (3, $1)", long)
        await connection.execute("INSERT INTO people (id, email) VALUES (3, 'third.canary@mail.example')")
    star = "SELECT * FROM people WHERE id = $1"
    assert len(await connection.fetchrow(star, 3)) == 12
    await connection.execute("ALTER TABLE people ADD COLUMN extra text")
    assert len(await connection.fetchrow(star, 3)) == 13  # the driver prepares again by itself
    await connection.execute("ALTER TABLE people DROP COLUMN extra")
    deleted = "DELETE FROM people WHERE email = $1"
    assert await connection.execute(deleted, "third.canary@mail.example") == "DELETE 1"


async def main() -> None:
    connection = await asyncpg.connect()
    for part in (use, batches, copies, failures):
        await part(connection)
    await connection.close()
    async with asyncpg.create_pool(min_size=2, max_size=4) as pool:
        by_email = "SELECT id FROM people WHERE email = $1"
        wanted = range(100, 130)
        found = await asyncio.gather(*(pool.fetchval(by_email, f"batch{n}.canary@mail.example") for n in wanted))
        assert found == list(wanted)
        try:
            await pool.execute("SELECT pg_sleep(30)", timeout=0.2)
            raise AssertionError("not cancelled")
        except TimeoutError:
            assert await pool.fetchval("SELECT 1") == 1
    print("client: asyncpg", asyncpg.__version__)


asyncio.run(main())
