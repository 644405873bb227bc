"""Go: pgx and lib/pq."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.conftest import HERE, Harness, fetched, needs

pytestmark = pytest.mark.clients

PROGRAMS = HERE / ".cache" / "go"


@pytest.fixture(scope="module")
def programs() -> Path:
    needs("go")
    fetched(["go", "build", "-o", f"{PROGRAMS}/", "./pgx", "./pq", "./habits"], HERE / "go")
    return PROGRAMS


def test_pgx(programs: Path, harness: Harness) -> None:
    harness.run(programs / "pgx")
    harness.assert_sealed(people=52)


def test_lib_pq(programs: Path, harness: Harness) -> None:
    harness.run(programs / "pq")
    harness.assert_sealed(people=52)


def test_pgx_shows_a_changed_table_as_it_does_without_a_proxy(programs: Path, harness: Harness) -> None:
    shown = harness.run(programs / "habits").stdout
    assert "cache describe 2 08P01 3\n" in shown
    assert shown == harness.run(programs / "habits", environment=harness.around).stdout
