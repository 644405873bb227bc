"""`sealwire keys` and `sealwire scan` from the outside: what they print, exit codes, one line for mistakes."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from proxy.cli import main
from proxy.config import load_policy
from proxy.crypto import FileProvider, Keyring
from proxy.ops.schema import install
from tests.support.servers import Database


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sealwire.yaml").write_text("keysets:\n  north: {master_key: north.key}\n")
    (tmp_path / "columns.yaml").write_text(
        "shop:\n  public.people:\n    notes: {type: text}\n    email: {type: text, search: equality}\n"
        "    city: {type: text, search: equality, keyset: north}\n"
    )
    assert main(["init", "--config", str(tmp_path / "sealwire.yaml")]) == 0
    return tmp_path


def keys(folder: Path, *arguments: str) -> int:
    return main(["keys", arguments[0], "--config", str(folder / "sealwire.yaml"), *arguments[1:]])


def listed(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    capsys.readouterr()
    assert keys(folder, "list", "--json", *arguments) == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    error = capsys.readouterr().err
    assert error.startswith("sealwire: error: ")
    assert error.count("\n") == 1
    return error


def test_init_makes_the_keys_of_every_keyset(folder: Path) -> None:
    for name in ("keyring.json", "master.key", "north.json", "north.key"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


def test_a_rotation_with_several_proxies_step_by_step(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (first,) = listed(folder, capsys)
    assert keys(folder, "create", "--name", "autumn") == 0
    second = listed(folder, capsys)[1]
    assert (second["state"], second["name"]) == ("active", "autumn")
    assert keys(folder, "rotate", "--key", str(second["id"])) == 0
    said = capsys.readouterr().out
    assert "public.people.notes: the new key seals from the next reload on" in said
    assert "public.people.email: stays under its key until resealed" in said
    assert "city" not in said
    after = listed(folder, capsys)
    assert [(key["id"], key["state"]) for key in after] == [(first["id"], "active"), (second["id"], "primary")]
    assert after[0]["domains"] == after[1]["reseal"] == ["public.people.email"]


def test_a_keyset_is_rotated_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert keys(folder, "rotate", "--keyset", "north", "--domain", "public.people.city") == 0
    assert len(listed(folder, capsys)) == 1
    assert [key["reseal"] for key in listed(folder, capsys, "--keyset", "north")] == [[], ["public.people.city"]]


def test_the_list_is_a_table_without_key_material(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (key,) = listed(folder, capsys)
    assert keys(folder, "list") == 0
    shown = capsys.readouterr().out
    assert str(key["id"]) in shown
    assert "primary" in shown
    assert "all others" in shown
    assert json.loads((folder / "keyring.json").read_text())["keys"][0]["wrapped"] not in shown


def test_moving_to_another_master_key(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = folder / "new.key"
    assert keys(folder, "rewrap", "--to", f"file:{new}") == 0
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    assert keys(folder, "verify", "--to", f"file:{new}") == 0
    capsys.readouterr()
    assert keys(folder, "rewrap", "--confirm") == 2
    assert "put the new one there before you confirm" in complaint(capsys)
    with (folder / "sealwire.yaml").open("a") as file:
        file.write("keys: {master_key: new.key}\n")
    assert keys(folder, "rewrap", "--confirm") == 0
    (folder / "master.key").unlink()
    assert keys(folder, "verify") == 0
    Keyring.load(folder / "keyring.json", FileProvider(new))


def test_verify_says_what_does_not_unwrap(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "master.key").unlink()
    FileProvider.create(folder / "master.key")
    capsys.readouterr()
    assert keys(folder, "verify", "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["keys"][0]["unwrapped"] is False
    assert "is master key" in report["problems"][0]
    assert keys(folder, "verify") == 1
    assert "does NOT unwrap" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rewrap"], "give one of --to PROVIDER:KEY, --confirm, --abort"),
        (["rewrap", "--confirm", "--abort"], "give one of"),
        (["rewrap", "--to", "file"], "written provider:master_key"),
        (["rewrap", "--to", "drawer:x"], "unknown master-key provider 'drawer'"),
        (["rewrap", "--abort"], "no rewrap is under way"),
        (["list", "--keyset", "west"], "there is no keyset 'west'; keysets: north"),
        (["rotate", "--domain", "x"], "domain 'x' is not in the policy"),
        (["retire", "7"], "there is no key 7"),
        (["create", "--name", ""], "a key's name is printable"),
    ],
)
def test_a_mistake_is_one_line(
    folder: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert keys(folder, *arguments) == 2
    assert message in complaint(capsys)


def test_a_key_is_not_retired_while_a_database_holds_values_under_it(
    folder: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    import asyncio

    from proxy.ops.database import connect

    (first,) = listed(folder, capsys)
    keyring = Keyring.load(folder / "keyring.json", FileProvider(folder / "master.key"))
    (column, _, _) = load_policy(folder / "columns.yaml").columns

    async def fill() -> None:
        async with connect(database.dsn) as connection:
            await install(connection)
            await connection.execute("CREATE TABLE people (notes sealwire.sealed)")
            await connection.execute("INSERT INTO people VALUES ($1)", keyring.sealer(column).seal(b"note"))

    asyncio.run(fill())
    assert keys(folder, "rotate") == 0
    again = Keyring.load(folder / "keyring.json", FileProvider(folder / "master.key"))
    again.pin("public.people.email", again.primary)
    capsys.readouterr()
    assert keys(folder, "retire", str(first["id"])) == 2
    assert "name every database that may hold some with --dsn, or use --force" in complaint(capsys)
    assert keys(folder, "retire", str(first["id"]), "--dsn", database.dsn) == 2
    assert f"still exist in {database.dbname}: public.people.notes" in complaint(capsys)
    with database.connect() as connection:
        connection.execute("DELETE FROM people")
    assert keys(folder, "retire", str(first["id"]), "--dsn", database.dsn) == 0
    assert listed(folder, capsys)[0]["state"] == "retired"
    assert keys(folder, "retire", str(first["id"]), "--undo") == 0
    assert listed(folder, capsys)[0]["state"] == "active"


def test_scan_prints_a_table_json_and_a_policy_and_no_value(
    tmp_path: Path, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    with database.connect() as connection:
        connection.execute(
            "CREATE TABLE people (email text);"
            "INSERT INTO people SELECT 'canary' || n || '@example.org' FROM generate_series(1, 20) n"
        )
    target = tmp_path / "proposed.yaml"
    assert main(["scan", "--dsn", database.dsn, "--write", str(target)]) == 0
    table = capsys.readouterr().out
    assert "public.people.email" in table
    assert "1 of 1 columns should be sealed." in table
    assert [column.name for column in load_policy(target).columns] == ["public.people.email"]
    assert main(["scan", "--dsn", database.dsn, "--json"]) == 0
    printed = capsys.readouterr().out
    report = json.loads(printed)
    assert [(each["column"], each["kind"], each["search"]) for each in report["found"]] == [
        ("public.people.email", "email", "equality")
    ]
    assert "canary" not in table + printed + target.read_text()
    assert main(["scan", "--dsn", database.dsn, "--write", str(target)]) == 2
    assert "exists already and is not overwritten" in complaint(capsys)


def test_a_master_key_in_the_environment_serves_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sealwire.yaml").write_text("keys: {provider: env}\n")
    (tmp_path / "columns.yaml").touch()
    config = str(tmp_path / "sealwire.yaml")
    assert main(["init", "--config", config]) == 2
    assert "environment variable SEALWIRE_MASTER_KEY is not set" in complaint(capsys)
    monkeypatch.setenv("SEALWIRE_MASTER_KEY", os.urandom(32).hex())
    assert main(["init", "--config", config]) == 0
    assert main(["keys", "rotate", "--config", config]) == 0
    assert main(["keys", "verify", "--config", config]) == 0
