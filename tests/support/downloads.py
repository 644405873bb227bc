"""Files of Maven Central that tests need, kept between runs."""

from __future__ import annotations

import hashlib
import os
import urllib.request
from pathlib import Path

import pytest

CACHE = Path(__file__).parents[1] / "clients" / ".cache"
_REPOSITORY = "https://repo1.maven.org/maven2"


def artifact(group: str, name: str, version: str, sha256: str) -> Path:
    """A jar. Skips where it cannot be had."""
    file = f"{name}-{version}.jar"
    path = CACHE / file
    if not path.exists():
        url = "/".join((_REPOSITORY, group.replace(".", "/"), name, version, file))
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                content = answer.read()
        except OSError as error:
            pytest.skip(f"Maven Central cannot be reached: {error}")
        assert hashlib.sha256(content).hexdigest() == sha256, f"{url} is not what it was"
        CACHE.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_bytes(content)
        partial.replace(path)  # several test processes may come here at once
    return path
