"""What describes the schema to applications shows their types, not those of the ciphertext."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import asyncpg
import psycopg
import pytest
import sqlalchemy

from tests.support.servers import Database
from tests.support.stack import Stack, running

POLICY = """\
public.people:
  email:   {type: varchar(120), search: equality}
  born:    {type: date, search: order}
  balance: {type: "numeric(12,2)", search: order}
  seen:    {type: timestamptz(3)}
  tags:    {type: "text[]"}
  notes:   {type: text}
"""
SCHEMA = """
CREATE TABLE people (id integer PRIMARY KEY, email varchar(120) UNIQUE NOT NULL, born date, balance numeric(12,2),
  seen timestamptz(3), tags text[], notes text, city varchar(40));
CREATE VIEW adults AS SELECT id, email, born AS birthday FROM people;
"""
TYPES = {
    "id": "integer",
    "email": "character varying(120)",
    "born": "date",
    "balance": "numeric(12,2)",
    "seen": "timestamp(3) with time zone",
    "tags": "text[]",
    "notes": "text",
    "city": "character varying(40)",
}


@pytest.fixture
def people(database: Database) -> Iterator[Stack]:
    with running(database, POLICY) as stack:
        with stack.connect() as connection:
            connection.execute(SCHEMA)
        yield stack


@pytest.fixture
def plain(server: object, database: Database) -> Iterator[psycopg.Connection]:
    """The same schema, unsealed, in another schema of the same database: what PostgreSQL itself says."""
    with database.connect() as connection:
        connection.autocommit = True
        connection.execute("CREATE SCHEMA reference")
        connection.execute("SET search_path TO reference")
        connection.execute(SCHEMA)
        yield connection


FORMATTED = """SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = 'public.people'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""


@pytest.mark.parametrize(
    "query",
    [
        FORMATTED,
        FORMATTED.replace("pg_catalog.pg_attribute a", "pg_attribute").replace("a.", "pg_attribute."),
        FORMATTED.replace("pg_catalog.pg_attribute a", "pg_catalog.pg_attribute").replace(
            "a.at", "pg_catalog.pg_attribute.at"
        ),
        f"WITH found AS ({FORMATTED}) SELECT * FROM found",
        """SELECT attname, format_type(atttypid, atttypmod) FROM pg_class c JOIN pg_attribute ON attrelid = c.oid
            WHERE relname = 'people' AND relkind = 'r' AND attnum > 0 ORDER BY attnum""",
    ],
    ids=["alias", "name", "qualified", "with", "join"],
)
def test_pg_attribute_has_the_types_of_the_application(people: Stack, query: str) -> None:
    with people.connect() as connection:
        assert dict(connection.execute(query).fetchall()) == TYPES
        with connection.cursor("named") as named, connection.transaction():
            assert dict(named.execute(query).fetchall()) == TYPES


def test_every_column_of_pg_attribute_and_of_information_schema_is_as_on_plain_tables(
    people: Stack, plain: psycopg.Connection
) -> None:
    attributes = """SELECT {columns} FROM pg_attribute a WHERE attrelid = '{schema}.{table}'::regclass AND attnum > 0
        ORDER BY attnum"""
    columns = """SELECT * FROM information_schema.columns WHERE table_schema = '{schema}' AND table_name = '{table}'
        ORDER BY ordinal_position"""
    # atthasmissing and statistics targets are no matter of types; options, privileges and names of schemas differ
    kept = "attname, atttypid, attlen, attnum, attndims, atttypmod, attbyval, attalign, attcollation, attnotnull"
    with people.connect() as connection:
        for table in ("people", "adults"):
            for text in (attributes, columns):
                shown = connection.execute(text.format(columns=kept, schema="public", table=table))
                names = [(column.name, column.type_code) for column in shown.description or ()]
                rows = [[value for value in row if value != "public"] for row in shown.fetchall()]
                expected = plain.execute(text.format(columns=kept, schema="reference", table=table))
                assert names == [(column.name, column.type_code) for column in expected.description or ()]
                assert rows == [[value for value in row if value != "reference"] for row in expected.fetchall()]


def test_information_schema_in_part(people: Stack) -> None:
    with people.connect() as connection:
        found = connection.execute(
            "SELECT column_name, data_type, character_maximum_length, numeric_precision, udt_name, domain_name "
            "FROM information_schema.columns WHERE table_name = %s AND column_name IN ('email', 'balance', 'tags') "
            "ORDER BY 1",
            ("people",),
        ).fetchall()
    assert found == [
        ("balance", "numeric", None, 12, "numeric", None),
        ("email", "character varying", 120, None, "varchar", None),
        ("tags", "ARRAY", None, None, "_text", None),
    ]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT ctid IS NULL FROM pg_attribute WHERE atttypid > 0 LIMIT 1",
        "SELECT a.attname FROM pg_attribute a WHERE a.tableoid = 0 AND a.atttypid = 25",
        "SELECT attname, atttypid FROM pg_attribute GROUP BY attrelid, attnum LIMIT 1",
        "SELECT count(*) FROM pg_attribute TABLESAMPLE SYSTEM (10) WHERE atttypid = 25",
        "SELECT atttypid FROM ONLY pg_attribute LIMIT 1",
    ],
)
def test_what_a_subquery_does_not_give_is_left_as_it_is(people: Stack, query: str) -> None:
    with people.connect() as connection:
        connection.execute(query).fetchall()


def test_sqlalchemy_inspects(people: Stack) -> None:
    engine = sqlalchemy.create_engine(people.dsn.replace("postgresql://", "postgresql+psycopg://"))
    inspector = sqlalchemy.inspect(engine)
    for table, names in (("people", list(TYPES)), ("adults", ["id", "email", "birthday"])):
        columns = inspector.get_columns(table)
        assert [column["name"] for column in columns] == names
    kinds = {column["name"]: column["type"].compile(engine.dialect) for column in inspector.get_columns("people")}
    assert kinds == {
        "id": "INTEGER",
        "email": "VARCHAR(120)",
        "born": "DATE",
        "balance": "NUMERIC(12, 2)",
        "seen": "TIMESTAMP(3) WITH TIME ZONE",
        "tags": "TEXT[]",
        "notes": "TEXT",
        "city": "VARCHAR(40)",
    }
    reflected = sqlalchemy.Table("people", sqlalchemy.MetaData(), autoload_with=engine)
    assert isinstance(reflected.c.balance.type, sqlalchemy.Numeric)
    engine.dispose()


@pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not installed")
def test_psql_describes(people: Stack) -> None:
    command = ["psql", "-X", "-A", "-t", "-d", people.dsn + "?sslmode=disable", "-c", r"\d people", "-c", r"\d adults"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env={**os.environ, "LC_ALL": "C"})
    assert done.returncode == 0, done.stderr
    for name, kind in TYPES.items():
        assert f"{name}|{kind}|" in done.stdout
    assert "birthday|date|" in done.stdout
    assert "sealed" not in done.stdout


async def test_asyncpg_introspects(people: Stack) -> None:
    connection = await asyncpg.connect(people.dsn, ssl=False)
    try:
        statement = await connection.prepare("SELECT * FROM people")
        shown = {attribute.name: attribute.type.name for attribute in statement.get_attributes()}
        assert shown["tags"] == "text[]"
        assert shown["balance"] == "numeric"
        types = await connection.fetch(
            "SELECT attname::text, atttypid::regtype::text FROM pg_attribute WHERE attrelid = $1::regclass",
            "people",
        )
        assert {row[0]: row[1] for row in types}["born"] == "date"
    finally:
        await connection.close()


def test_psycopg_looks_up_types(people: Stack) -> None:
    with people.connect() as connection:
        info = psycopg.types.TypeInfo.fetch(connection, "numeric")
        assert info is not None
        assert info.oid == 1700
