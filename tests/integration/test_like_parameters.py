"""LIKE whose pattern is a parameter: what ORMs send for startswith()."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.support.servers import Database
from tests.support.stack import Stack, running

NAMES = ("canary-ann", "canary-anna", "canary-an%x", "canary-bob", "Canary-ann", "", None)
POLICY = """\
public.people:
  name: {type: text, search: order, max_length: 20}
  nick: {type: varchar(20), search: equality}
"""


@contextlib.contextmanager
def people(stack: Stack) -> Iterator[psycopg.Connection[Any]]:
    with stack.connect() as connection:
        connection.execute('CREATE TABLE people (id integer, name text COLLATE "C", nick varchar(20))')
        for number, name in enumerate(NAMES):
            connection.execute("INSERT INTO people VALUES (%s, %s, %s)", (number, name, name))
        for name in NAMES[:4]:
            stack.canary(str(name))
        yield connection


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with running(database, POLICY) as stack, people(stack) as connection:
        yield connection


def ids(connection: psycopg.Connection[Any], where: str, *values: Any, binary: bool = False) -> list[int]:
    cursor = connection.execute(f"SELECT id FROM people WHERE {where} ORDER BY id", values, binary=binary)
    return [row[0] for row in cursor]


@pytest.mark.parametrize("mark", ["%s", "%b", "%t::text", "%s::varchar"])
def test_prefixes_and_whole_values(connection: psycopg.Connection[Any], mark: str) -> None:
    assert ids(connection, f"name LIKE {mark}", "canary-ann%") == [0, 1]
    assert ids(connection, f"name LIKE {mark}", "canary-ann") == [0]
    assert ids(connection, f"name LIKE {mark}", r"canary-an\%%") == [2]
    assert ids(connection, f"name LIKE {mark}", r"canary-an\%x") == [2]
    assert ids(connection, f"name LIKE {mark}", "%") == [0, 1, 2, 3, 4, 5]
    assert ids(connection, f"name LIKE {mark}", "") == [5]
    assert ids(connection, f"name LIKE {mark}", "canary-a name that is longer than any that fits") == []
    assert ids(connection, f"name NOT LIKE {mark}", "canary-ann%") == [2, 3, 4, 5]
    assert ids(connection, f"name NOT LIKE {mark}", "canary-ann") == [1, 2, 3, 4, 5]
    assert ids(connection, f"name LIKE {mark}", None) == []
    assert ids(connection, f"nick LIKE {mark} AND id < 3", "canary-ann") == [0]
    assert ids(connection, f"nick NOT LIKE {mark}", "canary-ann") == [1, 2, 3, 4, 5]


def test_a_suffix_in_the_statement_belongs_to_the_pattern(connection: psycopg.Connection[Any]) -> None:
    assert ids(connection, "name LIKE %s || '%%'", "canary-ann") == [0, 1]
    assert ids(connection, "name LIKE %s::varchar || 'nn%%' AND id > 0", "canary-a") == [1]
    assert ids(connection, "name::text LIKE %s AND (name LIKE %s OR id = %s)", "c%", "canary-b%", 1) == [1, 3]


def test_other_patterns_are_refused_when_they_come(connection: psycopg.Connection[Any]) -> None:
    for where, pattern in (("name LIKE %s", "%x"), ("name LIKE %s", "a_"), ("nick LIKE %s", "canary-%")):
        with pytest.raises(psycopg.errors.FeatureNotSupported) as caught:
            ids(connection, where, pattern)
        assert caught.value.diag.message_hint is not None
        assert "canary" not in str(caught.value)
    with pytest.raises(psycopg.errors.InvalidEscapeSequence):
        ids(connection, "name LIKE %s", "x\\")


def test_a_pattern_of_execute_is_an_argument_like_any_other(connection: psycopg.Connection[Any]) -> None:
    connection.execute("PREPARE by_name AS SELECT id FROM people WHERE name LIKE $1 || 'nn%' ORDER BY id")
    assert connection.execute("EXECUTE by_name('canary-a')").fetchall() == [(0,), (1,)]
    assert connection.execute("EXECUTE by_name('canary-b')").fetchall() == []
