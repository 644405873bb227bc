"""docs/keys.md says what is so: providers, extras, and examples that load."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from proxy.config import PROVIDERS, load_config, load_policy

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "keys.md").read_text()


def test_every_provider_is_described_and_says_how_it_was_tested() -> None:
    rows = re.findall(r"^\| ((?:`[a-z0-9-]+`(?:, )?)+) \|", PAGE, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([a-z0-9-]+)`", row)]
    assert sorted(named) == sorted([*PROVIDERS, "provider", *PROVIDERS]), "one row in each of the two tables"


def test_the_extras_that_it_names_are_those_of_the_distribution() -> None:
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    assert set(re.findall(r"`sealwire\[(\w+)\]`", PAGE)) == extras - {"dev", "demo", "clients", "fuzz"}


def test_the_example_of_keysets_loads(tmp_path: Path) -> None:
    for name, text in re.findall(r"^```yaml\n# (\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        (tmp_path / name).write_text(text)
    config = load_config(tmp_path / "sealwire.yaml", {})
    policy = load_policy(tmp_path / "columns.yaml", config.keysets)
    assert [column.keyset for column in policy.columns] == ["north", "south", ""]
