"""search_path as roles, start-up options, functions and rollbacks set it: names mean what they mean to the server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.support.servers import Database
from tests.support.stack import Stack, running

POLICY = """\
public.people:
  email: {type: text, search: equality}
"""
PUBLIC, VAULT, LATE = "canary-public@example.com", "plain-vault", "canary-late@example.com"
SET_INSIDE = (
    "CREATE FUNCTION public.go(text) RETURNS text LANGUAGE plpgsql AS $$"
    " BEGIN RETURN pg_catalog.set_config('search_path', $1, false); END $$"
)


@pytest.fixture
def stack(database: Database) -> Iterator[Stack]:
    """public.people is sealed, vault.people is not."""
    with running(database, POLICY) as stack:
        with stack.connect() as connection:
            connection.execute("CREATE SCHEMA vault")
            for schema, value in (("public", PUBLIC), ("vault", VAULT)):
                connection.execute(f"CREATE TABLE {schema}.people (email text)")
                connection.execute(f"INSERT INTO {schema}.people VALUES (%s)", (value,))
        stack.canary(PUBLIC)
        stack.canary(LATE)
        yield stack


def emails(connection: psycopg.Connection[Any]) -> list[str]:
    return [row[0] for row in connection.execute("SELECT email FROM people")]


@pytest.mark.parametrize("options", ["-c search_path=vault", "-csearch_path=vault,public", "--search-path=vault"])
def test_options_of_the_start_up_message(stack: Stack, options: str) -> None:
    with stack.connect(options=options) as connection:
        assert emails(connection) == [VAULT]
        connection.execute("SET search_path = public")
        assert emails(connection) == [PUBLIC]
        connection.execute("RESET search_path")
        assert emails(connection) == [VAULT]


def test_settings_of_a_role_and_of_a_database_hold_for_later_sessions(stack: Stack) -> None:
    with stack.connect() as first, stack.direct() as behind:
        role, database = first.info.user, first.info.dbname
        first.execute(f'ALTER ROLE "{role}" IN DATABASE "{database}" SET search_path = vault')
        try:
            assert emails(first) == [PUBLIC]
            with stack.connect() as second:
                assert emails(second) == [VAULT]
                first.execute(f'ALTER ROLE "{role}" IN DATABASE "{database}" RESET search_path')
                assert emails(second) == [VAULT]
            with stack.connect() as third:
                assert emails(third) == [PUBLIC]
            first.execute(f'ALTER DATABASE "{database}" SET search_path = vault, public')
            with stack.connect() as fourth:
                assert emails(fourth) == [VAULT]
        finally:
            behind.execute(f'ALTER ROLE "{role}" IN DATABASE "{database}" RESET ALL')


def test_a_function_that_sets_it(stack: Stack) -> None:
    with stack.connect() as connection:
        connection.execute(SET_INSIDE)
        connection.execute("SELECT go('vault')")
        assert emails(connection) == [VAULT]
        connection.execute("SELECT public.go('public')")
        connection.execute("INSERT INTO people VALUES (%s)", (LATE,))
        assert emails(connection) == [PUBLIC, LATE]


def test_a_function_that_sets_it_and_calls_itself_stable(stack: Stack) -> None:
    with stack.connect() as connection:
        connection.execute(SET_INSIDE.replace("AS $$", "STABLE AS $$"))
        connection.execute("SET search_path = vault, public")
        assert connection.execute("SELECT go('public')").fetchone() == ("public",)
        connection.execute(f"INSERT INTO people VALUES ('{LATE}')")
        assert emails(connection) == [PUBLIC, LATE]


def test_a_function_that_sets_it_among_the_values_of_another_statement(stack: Stack) -> None:
    with stack.connect() as connection:
        connection.execute(SET_INSIDE)
        connection.execute("SET search_path = vault, public")
        assert emails(connection) == [VAULT]
        connection.execute("INSERT INTO vault.people SELECT go('public')")
        connection.execute(f"INSERT INTO people VALUES ('{LATE}')")
        assert emails(connection) == [PUBLIC, LATE]


def test_a_procedure_and_a_block_that_set_it(stack: Stack) -> None:
    with stack.connect() as connection:
        connection.execute(
            "CREATE PROCEDURE move() LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_catalog.set_config('search_path', 'vault, public', false); END $$"
        )
        connection.execute("CALL move()")
        assert emails(connection) == [VAULT]
        connection.execute("DO $$ BEGIN PERFORM pg_catalog.set_config('search_path', 'public', false); END $$")
        connection.execute("INSERT INTO people VALUES (%s)", (LATE,))
        assert emails(connection) == [PUBLIC, LATE]


def test_a_function_whose_own_setting_ends_with_it(stack: Stack) -> None:
    with stack.connect() as connection:
        connection.execute(
            "CREATE FUNCTION inside() RETURNS text LANGUAGE sql SET search_path = vault"
            " AS 'SELECT current_schema()::text'"
        )
        assert connection.execute("SELECT inside()").fetchone() == ("vault",)
        assert emails(connection) == [PUBLIC]


def test_what_a_rollback_takes_back(stack: Stack) -> None:
    with stack.connect() as connection:
        connection.execute(SET_INSIDE)
        with pytest.raises(ZeroDivisionError), connection.transaction():
            connection.execute("SELECT public.go('vault')")
            assert emails(connection) == [VAULT]
            raise ZeroDivisionError
        assert emails(connection) == [PUBLIC]
        with connection.transaction():
            with pytest.raises(psycopg.errors.DivisionByZero), connection.transaction():
                connection.execute("SET search_path = vault")
                assert emails(connection) == [VAULT]
                connection.execute("SELECT 1 / 0")
            assert emails(connection) == [PUBLIC]
            connection.execute("INSERT INTO people VALUES (%s)", (LATE,))
        assert emails(connection) == [PUBLIC, LATE]


def test_the_schema_of_the_user_follows_the_role(stack: Stack) -> None:
    with stack.connect() as connection:
        connection.execute("CREATE ROLE vault")
        try:
            connection.execute("GRANT ALL ON SCHEMA vault, public TO vault")
            connection.execute("GRANT ALL ON ALL TABLES IN SCHEMA vault, public TO vault")
            connection.execute("SET ROLE vault")
            assert emails(connection) == [VAULT]
            connection.execute("RESET ROLE")
            assert emails(connection) == [PUBLIC]
        finally:
            connection.execute("DROP OWNED BY vault")
            connection.execute("DROP ROLE vault")
