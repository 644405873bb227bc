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


def test_asyncpg(harness: Harness) -> None:
    installed("asyncpg")
    harness.run(sys.executable, HERE / "python" / "asyncpg_client.py")
    harness.assert_sealed(people=52)


def test_psycopg(harness: Harness) -> None:
    installed("psycopg")
    harness.run(sys.executable, HERE / "python" / "psycopg_client.py")
    harness.assert_sealed(people=52)


def test_psycopg2(harness: Harness) -> None:
    installed("psycopg2")
    harness.run(sys.executable, HERE / "python" / "psycopg2_client.py")
    harness.assert_sealed(people=52)


def test_sqlalchemy(harness: Harness) -> None:
    for module in ("sqlalchemy", "greenlet", "psycopg2", "psycopg", "asyncpg"):
        installed(module)
    harness.run(sys.executable, HERE / "python" / "sqlalchemy_client.py")
    harness.assert_sealed(people=52)


def test_pg8000(harness: Harness) -> None:
    installed("pg8000")
    harness.run(sys.executable, HERE / "python" / "pg8000_client.py")
    harness.assert_sealed(people=52)
