"""JavaScript: node-postgres and postgres.js."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.conftest import HERE, Harness, fetched, needs

pytestmark = pytest.mark.clients

NODE = HERE / "node"


@pytest.fixture(scope="module")
def modules() -> Path:
    needs("node", "npm")
    fetched(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"], NODE)
    return NODE


def test_node_postgres(modules: Path, harness: Harness) -> None:
    harness.run("node", modules / "pg.mjs")
    harness.assert_sealed(people=52)


def test_postgres_js(modules: Path, harness: Harness) -> None:
    harness.run("node", modules / "postgres.mjs")
    harness.assert_sealed(people=52)
