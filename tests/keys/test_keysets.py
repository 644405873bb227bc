"""Keysets: tenants with master keys of their own, in both configuration files and in the sealers."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.config import Config, Policy, load_config, load_policy
from proxy.crypto import Keyrings, parse_header
from proxy.errors import CannotOpen, ConfigError, KeyringError
from proxy.ops.keys import prepare_keys
from proxy.ops.rotation import rotate

KEYSETS = """
keysets:
  north: {master_key: north.key}
  south: {keyring: other/south.json, provider: env, master_key: SOUTH_MASTER}
"""


def config_of(folder: Path, text: str) -> Config:
    (folder / "sealwire.yaml").write_text(text)
    return load_config(folder / "sealwire.yaml", {})


def policy_of(folder: Path, text: str, keysets: object = ("north", "south")) -> Policy:
    (folder / "columns.yaml").write_text(text)
    return load_policy(folder / "columns.yaml", keysets)  # type: ignore[arg-type]


def test_a_keyset_has_what_the_section_keys_has(tmp_path: Path) -> None:
    config = config_of(tmp_path, KEYSETS)
    assert list(config.all_keys) == ["", "north", "south"]
    assert config.keysets["north"].keyring == tmp_path / "north.json"
    assert config.keysets["north"].master_key == str(tmp_path / "north.key")
    south = config.keysets["south"]
    assert (south.keyring, south.provider, south.master_key) == (tmp_path / "other/south.json", "env", "SOUTH_MASTER")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("keysets:\n  a b: {master_key: k}\n", 2, "a keyset is named by letters"),
        ("keysets:\n  default: {master_key: k}\n", 2, '"default" is the section keys'),
        ("keysets:\n  a:\n", 2, "is empty"),
        ("keysets:\n  a: {provider: file}\n", 2, "needs master_key"),
        ("keysets:\n  a: {master_key: k, colour: red}\n", 2, "unknown key"),
        ("keysets:\n  a: {master_key: k, keyring: keyring.json}\n", 2, "has the keyring of keys"),
        ("keysets:\n  a: {master_key: k}\n  b: {master_key: l, keyring: ./a.json}\n", 3, "the keyring of keysets.a"),
        ("keysets:\n  a: {provider: vault}\n", 2, "vault needs master_key: MOUNT/KEY"),
        ("keysets:\n  a: {provider: valut, master_key: k}\n", 2, 'did you mean "vault"?'),
        ("keys: {provider: aws-kms}\n", 1, "aws-kms needs master_key: a key ARN"),
        ("keys: {provider: drawer}\n", 1, "must be one of file, env, aws-kms"),
        ("keysets: 7\n", 1, "must be a mapping"),
    ],
)
def test_a_keyset_that_cannot_be_is_refused_with_its_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_of(tmp_path, text)
    assert caught.value.line == line
    assert message in str(caught.value)


def test_a_master_key_in_the_environment_has_a_variable_by_default(tmp_path: Path) -> None:
    assert config_of(tmp_path, "keys: {provider: env}").keys.master_key == "SEALWIRE_MASTER_KEY"


def test_a_keyset_holds_for_all_below_unless_they_name_another(tmp_path: Path) -> None:
    policy = policy_of(
        tmp_path,
        """
shop:
  keyset: north
  public.a:
    x: {type: text}
    y: {type: text, keyset: south}
    keyset: {type: text}
  public.b:
    keyset: south
    x: {type: text}
    y: {type: text, keyset: default}
"*":
  public.c:
    x: {type: text}
""",
    )
    assert {(column.name, column.keyset) for column in policy.columns} == {
        ("public.a.x", "north"),
        ("public.a.y", "south"),
        ("public.a.keyset", "north"),
        ("public.b.x", "south"),
        ("public.b.y", ""),
        ("public.c.x", ""),
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("shop:\n  keyset: nort\n  public.a:\n    x: {type: text}\n", 2),
        ("shop:\n  public.a:\n    keyset: nort\n    x: {type: text}\n", 3),
        ("shop:\n  public.a:\n    x: {type: text, keyset: nort}\n", 3),
    ],
)
def test_an_unknown_keyset_is_refused_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(ConfigError, match='unknown keyset; did you mean "north"?') as caught:
        policy_of(tmp_path, text)
    assert caught.value.line == line


def test_columns_of_one_join_have_one_keyset(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='join "j" needs one keyset: north here, default for public.a.x in line 3'):
        policy_of(
            tmp_path,
            "shop:\n  public.a:\n    x: {type: text, search: equality, join: j}\n"
            "    y: {type: text, search: equality, join: j, keyset: north}\n",
        )


def test_each_column_is_sealed_with_the_keys_of_its_keyset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("SOUTH_MASTER", "5a" * 32)
    config = config_of(tmp_path, KEYSETS)
    for keys in config.all_keys.values():
        prepare_keys(keys)
    keyrings = Keyrings.load(config)
    policy = policy_of(
        tmp_path,
        'shop:\n  public.a:\n    x: {type: text, id: "1"}\n    y: {type: text, keyset: north, id: "2"}\n'
        "    z: {type: text, keyset: south, id: '3'}\n    w: {type: text, keyset: west}\n",
        None,
    )
    x, y, z, w = policy.columns
    for column in (x, y, z):
        sealer = keyrings.sealer(column)
        assert sealer is keyrings.keyring(column.keyset).sealer(column)
        assert sealer.open(sealer.seal(b"value")) == b"value"
    with pytest.raises(CannotOpen, match="the keyring lacks"):
        keyrings.sealer(x).open(keyrings.sealer(y).seal(b"value"))
    with pytest.raises(ConfigError, match="unknown keyset 'west'") as caught:
        keyrings.sealer(w)
    assert caught.value.line == w.line
    assert keyrings.sealer(y, key_id=keyrings.keyring("north").primary).seal(b"value")


def test_a_keyset_that_does_not_open_is_named(tmp_path: Path) -> None:
    config = config_of(tmp_path, "keysets:\n  north: {master_key: north.key}\n")
    prepare_keys(config.keys)
    with pytest.raises(KeyringError, match=r"^keyset north: .*north\.json: keyring does not exist"):
        Keyrings.load(config)


def test_a_reload_takes_over_what_changed_and_goes_on_counting(tmp_path: Path) -> None:
    config = config_of(tmp_path, "")
    prepare_keys(config.keys)
    keyrings = Keyrings.load(config)
    (column,) = policy_of(tmp_path, "shop:\n  public.a:\n    x: {type: text}\n").columns
    before = keyrings.keyring()
    value = keyrings.sealer(column).seal(b"value")
    counted = before.gcm_key(before.primary, column.domain)
    done = rotate(config.keys, {column.domain: False}, name="second")

    keyrings.reload(config)
    assert keyrings.generation == 1
    after = keyrings.keyring()
    assert after.primary == done.key.id
    assert after.gcm_key(before.primary, column.domain) is counted
    assert keyrings.sealer(column).open(value) == b"value"
    assert parse_header(keyrings.sealer(column).seal(b"value"))[1] == done.key.id


def test_a_key_store_that_is_lost_at_a_reload_leaves_what_was_there(tmp_path: Path) -> None:
    config = config_of(tmp_path, "keysets:\n  north: {master_key: north.key}\n")
    for keys in config.all_keys.values():
        prepare_keys(keys)
    keyrings = Keyrings.load(config)
    rotate(config.keys, {}, name="second")
    before = keyrings.keyring(), keyrings.keyring("north")
    (tmp_path / "north.key").unlink()
    with pytest.raises(KeyringError, match=r"^keyset north: .*north\.key: master key file does not exist"):
        keyrings.reload(config)
    assert (keyrings.keyring(), keyrings.keyring("north")) == before
    assert keyrings.generation == 0
