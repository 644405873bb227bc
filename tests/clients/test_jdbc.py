"""Java: pgjdbc."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.conftest import HERE, Harness, needs
from tests.support.downloads import artifact

pytestmark = pytest.mark.clients

VERSION = "42.7.14"
SHA256 = "73914527305a40cce504b0d3d90b23caf565136912d607ae8ae7c5895512332c"


@pytest.fixture(scope="module")
def jar() -> Path:
    needs("java", "javac")
    return artifact("org.postgresql", "postgresql", VERSION, SHA256)


def test_pgjdbc(jar: Path, harness: Harness) -> None:
    harness.run("java", "-cp", jar, HERE / "java" / "Shop.java")
    harness.assert_sealed(people=52)
