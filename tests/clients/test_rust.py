"""Rust: tokio-postgres."""

from __future__ import annotations

import os
import shutil
import tomllib
from pathlib import Path

import pytest

from tests.clients.conftest import HERE, VERSIONS, Harness, fetched, needs

pytestmark = pytest.mark.clients

TARGET = HERE / ".cache" / "rust"


def _find_toolchain() -> None:
    """Where cargo is rustup's, it looks for toolchains under HOME; where that is another, they lie beside it."""
    home = Path(str(shutil.which("cargo"))).parent.parent
    rustup = home.parent / ".rustup"
    if home.name == ".cargo" and rustup.is_dir():
        os.environ.setdefault("RUSTUP_HOME", str(rustup))
        os.environ.setdefault("CARGO_HOME", str(home))


@pytest.fixture(scope="module")
def program() -> Path:
    needs("cargo")
    _find_toolchain()
    fetched(["cargo", "build", "--quiet", "--locked", "--target-dir", TARGET], HERE / "rust")
    return TARGET / "debug" / "tokio_postgres"


def test_tokio_postgres(program: Path, harness: Harness) -> None:
    harness.run(program)
    harness.assert_sealed(people=52)
    lock = tomllib.loads((HERE / "rust" / "Cargo.lock").read_text())
    (version,) = [package["version"] for package in lock["package"] if package["name"] == "tokio-postgres"]
    VERSIONS["test_tokio_postgres"] = f"tokio-postgres {version}"
