"""The keyring file and the master key: made once, refused clearly, and nothing of them is shown."""

from __future__ import annotations

import base64
import json
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from proxy.config import Keys, SealedColumn
from proxy.crypto import FileProvider, Keyring, make_provider, parse_header
from proxy.errors import CannotOpen, KeyringError

Columns = Callable[..., SealedColumn]


@pytest.fixture
def master(tmp_path: Path) -> FileProvider:
    return FileProvider.create(tmp_path / "master.key")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keyring.json"


def edited(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def one_line(error: KeyringError, path: Path) -> str:
    assert str(error).startswith(f"{path}: ")
    assert "\n" not in str(error)
    return str(error)


def test_a_keyring_is_made_and_read_again(path: Path, master: FileProvider, column: Columns) -> None:
    made = Keyring.create(path, master)
    sealed = made.sealer(column("text", "equality")).seal(b"ada")
    again = Keyring.load(path, master)
    assert again.sealer(column("text", "equality")).open(sealed) == b"ada"
    assert again.primary == parse_header(sealed)[1]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir() if entry.name.startswith(".")] == []


def test_files_are_private_under_any_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        FileProvider.create(tmp_path / "open.key")
        os.umask(0o777)
        FileProvider.create(tmp_path / "closed.key")
    finally:
        os.umask(before)
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("open.key", "closed.key")} == {0o600}


def test_nothing_is_overwritten(path: Path, master: FileProvider, tmp_path: Path) -> None:
    Keyring.create(path, master)
    before = path.read_bytes(), (tmp_path / "master.key").read_bytes()
    with pytest.raises(KeyringError, match="exists already"):
        Keyring.create(path, master)
    with pytest.raises(KeyringError, match="exists already"):
        FileProvider.create(tmp_path / "master.key")
    assert before == (path.read_bytes(), (tmp_path / "master.key").read_bytes())


def test_of_many_that_create_at_once_one_succeeds(path: Path, master: FileProvider) -> None:
    def attempt(_: int) -> int | None:
        try:
            return Keyring.create(path, master).primary
        except KeyringError:
            return None

    with ThreadPoolExecutor(8) as pool:
        made = [key_id for key_id in pool.map(attempt, range(16)) if key_id is not None]
    assert made == [Keyring.load(path, master).primary]


def test_a_keyring_cannot_be_made_where_there_is_no_directory(tmp_path: Path, master: FileProvider) -> None:
    path = tmp_path / "missing" / "keyring.json"
    with pytest.raises(KeyringError) as caught:
        Keyring.create(path, master)
    assert "cannot be written: No such file" in one_line(caught.value, path)


def test_a_missing_keyring_is_said_to_be_missing(path: Path, master: FileProvider) -> None:
    with pytest.raises(KeyringError) as caught:
        Keyring.load(path, master)
    assert "does not exist; make it with: sealwire init" in one_line(caught.value, path)


def test_an_unreadable_keyring_is_said_to_be_unreadable(path: Path, master: FileProvider) -> None:
    path.mkdir()
    with pytest.raises(KeyringError) as caught:
        Keyring.load(path, master)
    assert "cannot be read: Is a directory" in one_line(caught.value, path)


def first_key(**facts: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: content["keys"][0].update(facts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.update(format="sealwire keyring 2"), "format: "),
        (lambda content: content.update(extra=1), "extra: "),
        (lambda content: content.pop("keys"), "keys: "),
        (lambda content: content["keys"].clear(), "exactly one key must be primary"),
        (lambda content: content["keys"].append(content["keys"][0]), "two keys have the same id"),
        (first_key(id=0), "keys.0.id: "),
        (first_key(id=2**32), "keys.0.id: "),
        (first_key(id="1"), "keys.0.id: "),
        (first_key(id=True), "keys.0.id: "),
        (first_key(state="active"), "exactly one key must be primary"),
        (first_key(state="lost"), "keys.0.state: "),
        (first_key(wrapped="***"), "keys.0.wrapped: "),
        (first_key(wrapped=7), "keys.0.wrapped: "),
        (first_key(created="yesterday"), "keys.0.created: "),
        (first_key(provider="aws-kms"), "needs provider 'aws-kms', not 'file'"),
        (lambda content: content.update(domains={"join:a": 99}), "domain 'join:a' names key 99"),
    ],
)
def test_a_file_that_is_no_keyring_is_named_with_the_place(
    path: Path, master: FileProvider, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    Keyring.create(path, master)
    edited(path, change)
    with pytest.raises(KeyringError) as caught:
        Keyring.load(path, master)
    assert message in one_line(caught.value, path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"null", b"[]", b"7", b"{}"])
def test_what_is_not_json_or_not_an_object_is_no_keyring(path: Path, master: FileProvider, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(KeyringError) as caught:
        Keyring.load(path, master)
    assert "is not a keyring" in one_line(caught.value, path)


def test_a_wrong_master_key_is_told_from_a_damaged_keyring(path: Path, master: FileProvider, tmp_path: Path) -> None:
    Keyring.create(path, master)
    other = FileProvider.create(tmp_path / "other.key")
    with pytest.raises(KeyringError) as caught:
        Keyring.load(path, other)
    said = one_line(caught.value, tmp_path / "other.key")
    assert other.reference() in said
    assert master.reference() in said
    edited(path, lambda content: content["keys"][0].update(wrapped=base64.b64encode(bytes(48)).decode()))
    with pytest.raises(KeyringError, match=r"keyring\.json: key \d+: what is wrapped is damaged"):
        Keyring.load(path, master)


def test_a_wrapped_key_opens_under_its_own_id_only(path: Path, master: FileProvider) -> None:
    made = Keyring.create(path, master)
    edited(path, first_key(id=made.primary % 1000 + 1))
    with pytest.raises(KeyringError, match="belongs to another key"):
        Keyring.load(path, master)


@pytest.mark.parametrize("length", [0, 1, 24, 40, 47, 56])
def test_a_wrapped_key_of_another_size_is_refused(path: Path, master: FileProvider, length: int) -> None:
    Keyring.create(path, master)
    edited(path, first_key(wrapped=base64.b64encode(bytes(length)).decode()))
    with pytest.raises(KeyringError):
        Keyring.load(path, master)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o777])
def test_a_master_key_open_to_others_is_refused(tmp_path: Path, master: FileProvider, mode: int) -> None:
    (tmp_path / "master.key").chmod(mode)
    with pytest.raises(KeyringError) as caught:
        master.reference()
    assert f"has mode {mode:04o}" in one_line(caught.value, tmp_path / "master.key")


def test_a_master_key_file_may_be_hex_or_base64_and_read_only(tmp_path: Path) -> None:
    key, references = bytes(range(32)), set()
    texts = (key.hex(), key.hex().upper() + "\n", base64.b64encode(key).decode() + "\n")
    for number, text in enumerate(texts):
        file = tmp_path / f"{number}.key"
        file.write_text(text)
        file.chmod(0o400)
        references.add(FileProvider(file).reference())
    assert len(references) == 1


@pytest.mark.parametrize("content", [b"", b"secret-canary", b"00" * 31, b"00" * 33, bytes(32), b"A" * 43, b"\xff" * 44])
def test_a_master_key_of_another_shape_is_refused_unseen(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "bad.key"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(KeyringError) as caught:
        FileProvider(file).wrap(bytes(40))
    assert "must hold 32 bytes as base64 or hex" in one_line(caught.value, file)
    assert "canary" not in str(caught.value)


def test_a_master_key_that_is_missing_or_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyringError, match="does not exist; make it with: sealwire init"):
        FileProvider(tmp_path / "none.key").reference()
    os.mkfifo(tmp_path / "pipe.key", 0o600)
    for place in (tmp_path, tmp_path / "pipe.key"):
        with pytest.raises(KeyringError, match="not a regular file"):
            FileProvider(place).reference()
    (tmp_path / "loop.key").symlink_to("loop.key")
    with pytest.raises(KeyringError, match="cannot be read: Too many levels"):
        FileProvider(tmp_path / "loop.key").reference()


def test_the_provider_is_the_one_that_the_configuration_names(tmp_path: Path) -> None:
    made = make_provider(Keys(tmp_path / "keyring.json", "file", str(tmp_path / "master.key")))
    assert made.name == "file"
    with pytest.raises(KeyringError, match="unknown master-key provider 'drawer'; supported: file, env, aws-kms"):
        make_provider(Keys(tmp_path / "keyring.json", "drawer", "key"))


@pytest.mark.parametrize("search", ["random", "equality", "order"])
def test_after_a_rotation_old_values_open_and_new_ones_use_the_new_key(
    search: str, make_keyring: Callable[..., Keyring], make_entry: Callable[..., Any], column: Columns
) -> None:
    old = make_keyring(make_entry(1, "primary", bytes(32)))
    value = old.sealer(column("integer", search, domain="d")).seal(bytes(4))
    both = make_entry(1, "active", bytes(32)), make_entry(2, "primary", bytes([7] * 32))

    rotated = make_keyring(*both).sealer(column("integer", search, domain="d"))
    assert rotated.open(value) == bytes(4)
    assert parse_header(rotated.seal(bytes(4)))[1] == 2

    pinned = make_keyring(*both, domains={"d": 1})
    assert parse_header(pinned.sealer(column("integer", search, domain="d")).seal(bytes(4)))[1] == 1
    assert parse_header(pinned.sealer(column("integer", search, domain="e")).seal(bytes(4)))[1] == 2

    with pytest.raises(CannotOpen, match="keyring lacks"):
        old.sealer(column("integer", search, domain="d")).open(rotated.seal(bytes(4)))


@pytest.mark.parametrize("search", ["random", "equality", "order"])
def test_a_retired_key_opens_nothing_and_is_not_unwrapped(
    search: str, make_keyring: Callable[..., Keyring], make_entry: Callable[..., Any], column: Columns
) -> None:
    value = make_keyring(make_entry(1, "primary", bytes(32))).sealer(column("date", search)).seal(bytes(4))
    retired = make_entry(1, "retired", bytes(32)) | {"provider": "gone", "wrapped": ""}
    keyring = make_keyring(retired, make_entry(2, "primary", bytes([7] * 32)))
    with pytest.raises(CannotOpen, match="retired key"):
        keyring.sealer(column("date", search)).open(value)


def test_sealers_are_made_once(keyring: Keyring, column: Columns) -> None:
    assert keyring.sealer(column("text", "equality")) is keyring.sealer(column("text", "equality"))
    assert keyring.sealer(column("text", "equality")) is not keyring.sealer(column("text", "equality", domain="x"))


def test_no_key_material_is_shown(path: Path, master: FileProvider, tmp_path: Path, column: Columns) -> None:
    keyring = Keyring.create(path, master)
    data_key = keyring.data_key(keyring.primary)
    secret = base64.b64decode((tmp_path / "master.key").read_bytes())
    shown = [repr(thing) for thing in (keyring, master, keyring.gcm_key(keyring.primary, "d"), *keyring.keys.values())]
    for search in ("random", "equality", "order"):
        sealer = keyring.sealer(column("integer", search))
        shown += [repr(sealer), str(sealer), repr(sealer._keys), repr(sealer._keys.sealing)]
    edited(path, first_key(wrapped=base64.b64encode(bytes(48)).decode()))
    with pytest.raises(KeyringError) as caught:
        Keyring.load(path, master)
    shown.append(repr(caught.value) + str(caught.value))
    text = " ".join(shown) + path.read_text()
    for key in (data_key, secret):
        for form in (key.hex(), base64.b64encode(key).decode(), repr(key)[2:-1]):
            assert form not in text
