"""Java: pgjdbc."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.clients.conftest import HERE, Harness, needs

pytestmark = pytest.mark.clients

CACHE = HERE / ".cache"
VERSION = "42.7.14"
JAR = f"https://repo1.maven.org/maven2/org/postgresql/postgresql/{VERSION}/postgresql-{VERSION}.jar"
SHA256 = "73914527305a40cce504b0d3d90b23caf565136912d607ae8ae7c5895512332c"


@pytest.fixture(scope="module")
def jar() -> Path:
    needs("java", "javac")
    path = CACHE / JAR.rsplit("/", 1)[1]
    if not path.exists():
        CACHE.mkdir(exist_ok=True)
        try:
            with urllib.request.urlopen(JAR, timeout=60) as answer:
                content = answer.read()
        except urllib.error.URLError as error:
            pytest.skip(f"Maven Central cannot be reached: {error}")
        assert hashlib.sha256(content).hexdigest() == SHA256
        path.write_bytes(content)
    return path


def test_pgjdbc(jar: Path, harness: Harness) -> None:
    harness.run("java", "-cp", jar, HERE / "java" / "Shop.java")
    harness.assert_sealed(people=52)
