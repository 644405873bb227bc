"""C: libpq, with pipeline mode."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.conftest import HERE, Harness, fetched, needs

pytestmark = pytest.mark.clients

INCLUDE = Path("/usr/include/postgresql")


@pytest.fixture(scope="module")
def program() -> Path:
    needs("gcc")
    (HERE / ".cache").mkdir(exist_ok=True)
    built = HERE / ".cache" / "libpq_pipeline"
    fetched(["gcc", "-Wall", "-O1", f"-I{INCLUDE}", "pipeline.c", "-o", built, "-lpq"], HERE / "libpq")
    return built


def test_libpq(program: Path, harness: Harness) -> None:
    harness.run(program)
    harness.assert_sealed(people=72)
