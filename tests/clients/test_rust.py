"""Rust: tokio-postgres."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.clients.conftest import HERE, VERSIONS, Harness, fetched, needs

pytestmark = pytest.mark.clients

TARGET = HERE / ".cache" / "rust"


@pytest.fixture(scope="module")
def program() -> Path:
    needs("cargo")
    fetched(["cargo", "build", "--quiet", "--locked", "--target-dir", TARGET], HERE / "rust", timeout=1200)
    return TARGET / "debug" / "tokio_postgres"


def test_tokio_postgres(program: Path, harness: Harness) -> None:
    harness.run(program)
    harness.assert_sealed(people=52)
    lock = tomllib.loads((HERE / "rust" / "Cargo.lock").read_text())
    (version,) = [package["version"] for package in lock["package"] if package["name"] == "tokio-postgres"]
    VERSIONS["test_tokio_postgres"] = f"tokio-postgres {version}"
