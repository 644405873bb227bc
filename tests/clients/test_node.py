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


def test_node_postgres_reads_binary_as_it_does_without_a_proxy(modules: Path, harness: Harness) -> None:
    shown = harness.run("node", modules / "habits.mjs").stdout
    assert "Ada Canary-Lovelace, née Byron" in shown
    assert "\N{REPLACEMENT CHARACTER}" in shown  # what is not UTF-8
    assert shown == harness.run("node", modules / "habits.mjs", environment=harness.around).stdout
