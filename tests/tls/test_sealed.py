"""Sealed columns with TLS on both legs: the application sees what it wrote, the server holds and logs ciphertext."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest

from proxy.config import Auth, Config, load_policy
from proxy.crypto import FileProvider, Keyring
from proxy.session.shared import Shared
from tests.support.servers import Database, fresh_database
from tests.support.stack import LoopThread, install_schema
from tests.support.tap import Canary
from tests.tls.conftest import LOGIN, LOOKUP, World, door

POLICY = """\
{}:
  public.people:
    email: {{type: text, search: equality}}
    born:  {{type: date, search: order}}
    notes: {{type: text}}
"""
PEOPLE = [
    (number, f"person{number}.canary@example.com", f"19{60 + number}-04-05", f"canary {number}") for number in range(8)
]
BINDINGS = pytest.mark.parametrize(
    ("auth", "binding"), [(None, "disable"), (LOOKUP, "require")], ids=["relayed", "bound"]
)


@dataclass(frozen=True)
class Place:
    """A database with a policy for `people`, which no proxy serves yet."""

    database: Database
    world: World
    shared: Shared
    logged: int

    def configs(self, auth: Auth | None) -> Iterator[Config]:
        """TLS on both legs, in each of the ways in which it may begin with the server."""
        config = self.world.config(auth)
        for negotiation in self.world.negotiations:
            yield replace(
                config,
                listen=replace(config.listen, tls="require"),
                upstream=replace(config.upstream, negotiation=negotiation),
            )

    def assert_sealed(self) -> None:
        """All that lies in `people` is ciphertext, and nothing else has come to the server."""
        log = self.world.server.log_since(self.logged)
        assert b"INSERT INTO" in log
        for _, email, born, notes in PEOPLE:
            assert [Canary(text).found_in(log) for text in (email, born, notes)] == [[], [], []]
        with self.database.connect() as owner:
            types = "SELECT DISTINCT pg_typeof(email)::text, pg_typeof(born)::text, pg_typeof(notes)::text FROM people"
            assert owner.execute(types).fetchall() == [("sealwire.sealed",) * 3]
            heads = "SELECT DISTINCT substr(email, 1, 2), substr(born, 1, 2), substr(notes, 1, 2) FROM people"
            assert owner.execute(heads).fetchall() == [(b"\xe1\2", b"\xe1\3", b"\xe1\1")]


@pytest.fixture
def place(world: World, thread: LoopThread, tmp_path: Path) -> Iterator[Place]:
    with fresh_database(world.server) as database:
        thread.run(install_schema(database.dsn))
        with database.connect() as owner:
            owner.execute("GRANT USAGE ON SCHEMA sealwire TO PUBLIC; GRANT CREATE ON SCHEMA public TO PUBLIC")
        columns = tmp_path / "columns.yaml"
        columns.write_text(POLICY.format(database.dbname))
        keyring = Keyring.create(tmp_path / "keyring.json", FileProvider.create(tmp_path / "master.key"))
        yield Place(database, world, Shared(load_policy(columns), keyring), world.server.log_size())


@BINDINGS
def test_what_is_written_comes_back_and_the_server_holds_ciphertext(
    place: Place, thread: LoopThread, auth: Auth | None, binding: str
) -> None:
    for config in place.configs(auth):
        with door(place.world, thread, config, place.shared) as opened:
            options = opened.options(dbname=place.database.dbname, channel_binding=binding, autocommit=True)
            with psycopg.connect(**options) as connection:
                write_and_read(connection)
            place.assert_sealed()
            with psycopg.connect(**options) as connection:
                connection.execute("DROP TABLE people")


def write_and_read(connection: psycopg.Connection[Any]) -> None:
    """By both protocols and COPY, with literals and with parameters, as text and in binary."""
    connection.execute("CREATE TABLE people (id integer, email text UNIQUE, born date, notes text)")
    cursor = connection.cursor()
    number, email, born, notes = PEOPLE[0]
    connection.execute(f"INSERT INTO people VALUES ({number}, '{email}', '{born}', '{notes}')".encode())
    cursor.executemany("INSERT INTO people VALUES (%s, %s, %s, %s)", PEOPLE[1:5])
    with cursor.copy("COPY people (id, email, born, notes) FROM STDIN") as copy:
        for row in PEOPLE[5:]:
            copy.write_row(row)
    for number, email, born, notes in PEOPLE:
        for binary in (False, True):
            found = cursor.execute("SELECT * FROM people WHERE email = %s", (email,), binary=binary).fetchall()
            assert found == [(number, email, date.fromisoformat(born), notes)]
        query = f"SELECT id FROM people WHERE email = '{email}' OR born = '{born}'"
        assert cursor.execute(query.encode()).fetchall() == [(number,)]
    later = cursor.execute("SELECT id FROM people WHERE born > %s ORDER BY born DESC", (PEOPLE[3][2],)).fetchall()
    assert later == [(number,) for number in range(7, 3, -1)]
    with cursor.copy("COPY people TO STDOUT") as copy:
        rows = sorted(tuple(bytes(line).decode().rstrip("\n").split("\t")) for line in copy)
    assert rows == [(str(number), *rest) for number, *rest in PEOPLE]
    with pytest.raises(psycopg.errors.UniqueViolation):
        cursor.execute("INSERT INTO people (email) VALUES (%s)", (PEOPLE[0][1],))


async def test_asyncpg_writes_and_reads(place: Place, thread: LoopThread) -> None:
    """In binary, with prepared statements; it does not bind."""
    for config in place.configs(None):
        with door(place.world, thread, config, place.shared) as opened:
            connection = await asyncpg.connect(
                host="127.0.0.1", port=opened.proxy.port, user=LOGIN.user, password=LOGIN.password,
                database=place.database.dbname, ssl=place.world.authority.client_context(),
            )  # fmt: skip
            await connection.execute("CREATE TABLE people (id integer, email text, born date, notes text)")
            rows = [(number, email, date.fromisoformat(born), notes) for number, email, born, notes in PEOPLE]
            await connection.executemany("INSERT INTO people VALUES ($1, $2, $3, $4)", rows[:4])
            await connection.copy_records_to_table("people", records=rows[4:])
            for row in rows:
                assert await connection.fetch("SELECT * FROM people WHERE email = $1", row[1]) == [row]
            place.assert_sealed()
            await connection.execute("DROP TABLE people")
            await connection.close()
