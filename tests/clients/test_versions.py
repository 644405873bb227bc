"""docs/clients.md names the versions that the matrix pins, and those are what runs. What Debian packages and toolchains
are has no pin: the page says so."""

from __future__ import annotations

import importlib.metadata
import json
import re
import tomllib

import pytest

from tests.clients import test_jdbc
from tests.clients.conftest import HERE
from tests.clients.test_python_drivers import installed

ROOT = HERE.parents[1]
TESTED = (ROOT / "docs" / "clients.md").read_text().split("\n## ")[1]

DISTRIBUTIONS = {
    "asyncpg": "asyncpg",
    "psycopg 3": "psycopg",
    "psycopg2": "psycopg2-binary",
    "pg8000": "pg8000",
    "SQLAlchemy": "SQLAlchemy",
    "Django": "Django",
}
"""Row of the page -> distribution of PyPI."""


def shown(client: str) -> str:
    """The version beside `client` in the page's table."""
    (row,) = re.findall(rf"^\| {re.escape(client)} \| ([^ ,|]+)", TESTED, re.MULTILINE)
    return row


def pins() -> dict[str, str]:
    """Row of the page -> version that a file of the matrix pins."""
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["clients"]
    exact = dict(re.findall(r"^([\w-]+)(?:\[\w+\])?==(.+)$", "\n".join(extra), re.MULTILINE))
    node = json.loads((HERE / "node" / "package.json").read_text())["dependencies"]
    go = dict(re.findall(r"^\t(\S+) v(\S+)$", (HERE / "go" / "go.mod").read_text(), re.MULTILINE))
    crates = tomllib.loads((HERE / "rust" / "Cargo.lock").read_text())["package"]
    return {client: exact[distribution] for client, distribution in DISTRIBUTIONS.items()} | {
        "node-postgres (`pg`)": node["pg"],
        "`postgres` (npm)": node["postgres"],
        "pgjdbc": test_jdbc.VERSION,
        "pgx": go["github.com/jackc/pgx/v5"],
        "lib/pq": go["github.com/lib/pq"],
        "tokio-postgres": next(crate["version"] for crate in crates if crate["name"] == "tokio-postgres"),
    }


@pytest.mark.parametrize(("client", "version"), pins().items())
def test_the_page_names_what_is_pinned(client: str, version: str) -> None:
    assert shown(client) == version


@pytest.mark.clients
@pytest.mark.parametrize(("client", "distribution"), DISTRIBUTIONS.items())
def test_what_is_pinned_is_installed(client: str, distribution: str) -> None:
    installed({"psycopg2-binary": "psycopg2"}.get(distribution, distribution.lower()))
    assert importlib.metadata.version(distribution) == shown(client)
