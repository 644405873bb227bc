"""Functions of the server that take and return sealed values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import asyncpg
import psycopg
import pytest

from tests.support.servers import Database
from tests.support.stack import Stack, running

POLICY = """\
public.people:
  email: {type: varchar(40), search: equality}
  notes: {type: text}
functions:
  public.add_person:
    arguments: {id: plain, email: public.people.email, city: plain}
    result: public.people.email
  public.find_people:
    arguments: {email: public.people.email}
    result: {id: plain, email: public.people.email}
  public.note:
    arguments: {id: plain, notes: public.people.notes, old: plain}
    result: {old: public.people.notes}
"""
FUNCTIONS = """
CREATE FUNCTION add_person(id int, email sealwire.sealed, city text DEFAULT 'Turin') RETURNS sealwire.sealed
  LANGUAGE sql AS 'INSERT INTO people (id, email, city) VALUES ($1, $2, $3) RETURNING email';
CREATE FUNCTION find_people(email sealwire.sealed) RETURNS TABLE (id int, email sealwire.sealed)
  LANGUAGE sql AS 'SELECT p.id, p.email FROM people p WHERE p.email = $1';
CREATE PROCEDURE note(id int, notes bytea, INOUT old bytea) LANGUAGE plpgsql AS $$
  BEGIN SELECT p.notes INTO old FROM people p WHERE p.id = $1;
        UPDATE people p SET notes = $2 WHERE p.id = $1; END $$;
"""


@pytest.fixture
def people(database: Database) -> Iterator[Stack]:
    with running(database, POLICY) as stack:
        with stack.connect() as connection:
            connection.execute("CREATE TABLE people (id int PRIMARY KEY, email varchar(40), notes text, city text)")
        with stack.direct() as direct:
            direct.execute(FUNCTIONS)
        yield stack


@pytest.fixture
def connection(people: Stack) -> Iterator[psycopg.Connection[Any]]:
    with people.connect() as found:
        yield found


@pytest.mark.parametrize("cursor", [psycopg.ClientCursor, psycopg.Cursor], ids=["literals", "parameters"])
def test_arguments_are_sealed_and_results_opened(
    people: Stack, connection: psycopg.Connection[Any], cursor: Any
) -> None:
    ada, bob = people.canary("ada.canary@function.example"), people.canary("bob.canary@function.example")
    at = cursor(connection)
    assert at.execute("SELECT add_person(1, %s, 'Pisa')", (ada,)).fetchone() == (ada,)
    assert at.execute("SELECT public.add_person(2, email => %s)", (bob,)).fetchall() == [(bob,)]
    assert at.execute("SELECT id, email, city FROM people ORDER BY id").fetchall() == [
        (1, ada, "Pisa"),
        (2, bob, "Turin"),
    ]
    assert at.execute("SELECT * FROM find_people(%s)", (ada,)).fetchall() == [(1, ada)]
    assert [column.type_code for column in at.description] == [23, 1043]
    found = at.execute("SELECT p.city, f.email FROM find_people(%s) AS f JOIN people p ON p.email = f.email", (bob,))
    assert found.fetchall() == [("Turin", bob)]
    assert at.execute("SELECT (find_people(%s)).email", (bob,)).fetchone() == (bob,)
    assert at.execute("SELECT f FROM find_people(%s) f", (bob,)).fetchone() == (("2", bob),)


def test_procedures_take_and_give_sealed_values(people: Stack, connection: psycopg.Connection[Any]) -> None:
    first, second = people.canary("canary: a first note"), people.canary("canary: a second note")
    connection.execute("INSERT INTO people (id) VALUES (1)")
    at = psycopg.ClientCursor(connection)
    assert at.execute("CALL note(1, %s, NULL)", (first,)).fetchone() == (None,)
    assert connection.execute("CALL note(1, %s, NULL)", (second,)).fetchone() == (first,)
    assert connection.execute("SELECT notes FROM people").fetchone() == (second,)


def test_a_sealed_argument_may_come_from_its_column(people: Stack, connection: psycopg.Connection[Any]) -> None:
    connection.execute("SELECT add_person(1, %s)", (people.canary("eve.canary@function.example"),))
    assert connection.execute("SELECT f.id FROM people p, find_people(p.email) f").fetchall() == [(1,)]
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="people.notes"):
        connection.execute("SELECT find_people(notes) FROM people")


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELECT find_people(lower('CANARY'))", "people.email"),
        ("SELECT add_person(1, 'CANARY', email)  FROM people", 'argument "city"'),
        ("SELECT find_people('a', 'CANARY')", "argument 2"),
        ("SELECT find_people(who => 'CANARY')", 'argument "who"'),
        ("SELECT f::text FROM find_people('CANARY') f", "cannot be cast to text"),
        ("CREATE VIEW v AS SELECT find_people('CANARY')", "declared"),
        ("CREATE TABLE t AS SELECT * FROM find_people('CANARY')", "declared"),
        ("EXPLAIN CREATE TABLE t AS SELECT * FROM find_people('CANARY')", "declared"),
        ("CREATE TABLE t (a text DEFAULT add_person(1, 'CANARY'))", "declared"),
        ("SELECT * INTO t FROM find_people('CANARY')", "declared"),
        ("EXECUTE nothing (find_people('CANARY'))", "declared"),
        ("DO $$ BEGIN PERFORM find_people('CANARY'); END $$", "DO block"),
        ("CREATE FUNCTION g() RETURNS void LANGUAGE sql AS $$ SELECT find_people('CANARY') $$", "names"),
        ("SELECT add_person(1, 'a value that is longer than forty characters')", "too long"),
    ],
)
def test_what_cannot_be_sealed_is_refused(
    people: Stack, connection: psycopg.Connection[Any], statement: str, message: str
) -> None:
    people.canary("CANARY")
    people.canary("a value that is longer than forty")
    with pytest.raises(psycopg.Error, match=message):
        connection.execute(statement.encode())


async def test_asyncpg_prepares_a_call(people: Stack) -> None:
    connection = await asyncpg.connect(people.dsn, ssl=False)
    try:
        statement = await connection.prepare("SELECT add_person($1, $2, $3)")
        assert [kind.name for kind in statement.get_parameters()] == ["int4", "varchar", "text"]
        email = people.canary("zoe.canary@function.example")
        assert await statement.fetchval(1, email, "Rome") == email
    finally:
        await connection.close()
