"""The documentation says what is so: keys and defaults, links, and a first screen with two commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from proxy.config import load_config, load_policy
from proxy.config.functions import FUNCTION_KEYS
from proxy.config.policy import _KEYS
from proxy.config.process import _SECTIONS, _TOP
from proxy.ops.schema import SCHEMA_VERSION

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
REFERENCE = (ROOT / "docs" / "configuration.md").read_text()


def test_every_key_of_both_files_stands_in_the_reference() -> None:
    keys = [f"`{section}.{key}`" for section, readers in _SECTIONS.items() for key in readers]
    keys += [f"| `{key}` |" for key in (*_TOP, *_KEYS, *FUNCTION_KEYS)]
    assert [key for key in keys if key not in REFERENCE] == []


def test_the_defaults_in_the_reference_are_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "sealwire.yaml").touch()
    config = load_config(tmp_path / "sealwire.yaml", {})
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \| `([^`]+)` \|", REFERENCE, re.MULTILINE))
    assert {key: rows.get(key) for key in rows if "." in key or key in _TOP} == {
        "listen.host": config.listen.host,
        "listen.port": str(config.listen.port),
        "listen.tls": config.listen.tls,
        "listen.keepalive": str(config.listen.keepalive),
        "upstream.host": config.upstream.host,
        "upstream.port": str(config.upstream.port),
        "upstream.tls": config.upstream.tls,
        "upstream.negotiation": config.upstream.negotiation,
        "upstream.keepalive": str(config.upstream.keepalive),
        "auth.mode": config.auth.mode,
        "auth.database": config.auth.database,
        "auth.query": config.auth.query,
        "limits.sealed_value": str(config.limits.sealed_value),
        "keys.keyring": config.keys.keyring.name,
        "keys.provider": config.keys.provider,
        "keys.master_key": Path(config.keys.master_key).name,
        "columns": config.columns.name,
        "workers": str(config.workers),
    }


def test_the_policy_in_the_readme_is_a_policy(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    path = tmp_path / "columns.yaml"
    path.write_text(example)
    assert len(load_policy(path).columns) == 5


def test_the_first_screen_of_the_readme_has_two_commands() -> None:
    first = (ROOT / "README.md").read_text().split("\n## ")[0]
    commands = [line.strip() for line in first.splitlines() if line.startswith("    ")]
    assert commands[:2] == ["make demo", "make test"]
    assert [line[:1] for line in commands[2:]] == ["-", "+"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_schema_says_its_version_in_one_voice() -> None:
    sql = (ROOT / "proxy" / "ops" / "schema.sql").read_text()
    assert f"AS 'SELECT {SCHEMA_VERSION}'" in sql
    assert f"-- The schema `sealwire`, version {SCHEMA_VERSION}:" in sql
    assert f"`sealwire.version()` | the version of the schema, {SCHEMA_VERSION} |" in REFERENCE
