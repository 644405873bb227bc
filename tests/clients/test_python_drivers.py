"""Python's drivers and frameworks; tests/integration goes further into asyncpg and psycopg 3."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from tests.clients.conftest import HERE, Harness

pytestmark = pytest.mark.clients


def installed(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed here: make clients does that")


def use(harness: Harness, driver: str, *more: str) -> None:
    """Runs the program of `driver`, which needs `more` modules beside it."""
    for module in (driver, *more):
        installed(module)
    harness.run(sys.executable, HERE / "python" / f"{driver}_client.py")
    harness.assert_sealed(people=52)


def test_asyncpg(harness: Harness) -> None:
    use(harness, "asyncpg")


def test_psycopg(harness: Harness) -> None:
    use(harness, "psycopg")


def test_psycopg2(harness: Harness) -> None:
    use(harness, "psycopg2")


def test_sqlalchemy(harness: Harness) -> None:
    use(harness, "sqlalchemy", "greenlet", "psycopg2", "psycopg", "asyncpg")


def test_pg8000(harness: Harness) -> None:
    use(harness, "pg8000")
