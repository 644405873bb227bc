"""`sealwire` from the outside: exit codes, and one line for whatever goes wrong."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from proxy import __version__
from proxy.cli import main
from tests.support.servers import Database

NOWHERE = "postgresql://127.0.0.1:1/none"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a configuration in it, without keys."""
    (tmp_path / "sealwire.yaml").write_text("workers: 1\n")
    (tmp_path / "columns.yaml").write_text("")
    return tmp_path


@pytest.fixture
def config(folder: Path) -> str:
    return str(folder / "sealwire.yaml")


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error, when that is all there is."""
    output, error = capsys.readouterr()
    assert error.startswith("sealwire: error: ")
    assert error.count("\n") == 1
    assert error.endswith("\n")
    assert "Traceback" not in output + error
    return error.removeprefix("sealwire: error: ").rstrip("\n")


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"sealwire {__version__}\n"


def test_the_module_behind_the_entry_point_returns_the_exit_code() -> None:
    program = "import sys; from proxy.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, "check", "--config", "/gone.yaml", "--dsn", NOWHERE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "sealwire: error: /gone.yaml: no such file\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing command"),
        (["sevre"], "No such command 'sevre'"),
        (["check"], "--config"),
        (["check", "--config", "x.yaml"], "--dsn"),
        (["check", "--config", "x.yaml", "--dsn", NOWHERE, "--samples", "-1"], "--samples"),
        (["serve", "--config", "x.yaml", "--workers", "many"], "--workers"),
        (["serve", "--config", "x.yaml", "--wrokers", "1"], "--wrokers"),
    ],
)
def test_a_wrong_command_line_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.delenv("SEALWIRE_DSN", raising=False)
    assert main(arguments) == 2
    line = complaint(capsys)
    assert message in line
    assert line.endswith("; see sealwire --help")


@pytest.mark.parametrize("command", ["init", "check", "serve"])
def test_a_wrong_configuration_is_one_line_with_file_line_and_key(
    capsys: pytest.CaptureFixture[str], folder: Path, config: str, command: str
) -> None:
    Path(config).write_text("\nlisten: {prot: 1}\n")
    arguments = [command, "--config", config] + (["--dsn", NOWHERE] if command == "check" else [])
    assert main(arguments) == 2
    assert complaint(capsys) == f'{config}:2: listen.prot: unknown key; did you mean "port"?'


def test_init_makes_keys_that_only_their_owner_reads_and_never_again(
    capsys: pytest.CaptureFixture[str], folder: Path, config: str
) -> None:
    assert main(["init", "--config", config]) == 0
    files = [folder / "master.key", folder / "keyring.json"]
    assert capsys.readouterr().out == f"master key {files[0]}: made\nkeyring {files[1]}: made\n"
    before = [file.read_bytes() for file in files]
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600, 0o600]

    assert main(["init", "--config", config]) == 0
    assert capsys.readouterr().out == f"master key {files[0]}: already there\nkeyring {files[1]}: already there\n"
    assert [file.read_bytes() for file in files] == before


def test_init_makes_no_master_key_for_a_keyring_that_another_one_wrapped(
    capsys: pytest.CaptureFixture[str], folder: Path, config: str
) -> None:
    main(["init", "--config", config])
    (folder / "master.key").unlink()
    capsys.readouterr()
    assert main(["init", "--config", config]) == 2
    assert "opens under no other: restore it" in complaint(capsys)
    assert not (folder / "master.key").exists()


def test_init_names_a_master_key_that_does_not_open_the_keyring(
    capsys: pytest.CaptureFixture[str], folder: Path, config: str
) -> None:
    main(["init", "--config", config])
    (folder / "keyring.json").rename(folder / "kept.json")
    (folder / "master.key").unlink()
    main(["init", "--config", config])
    (folder / "kept.json").rename(folder / "keyring.json")
    capsys.readouterr()
    assert main(["init", "--config", config]) == 2
    assert complaint(capsys).startswith(f"{folder / 'master.key'}: ")


def test_init_names_a_folder_that_is_not_there(capsys: pytest.CaptureFixture[str], folder: Path, config: str) -> None:
    Path(config).write_text("keys: {master_key: gone/master.key}\n")
    assert main(["init", "--config", config]) == 2
    assert complaint(capsys) == f"{folder / 'gone/master.key'}: cannot be written: No such file or directory"


def test_init_with_a_dsn_installs_the_schema(
    capsys: pytest.CaptureFixture[str], database: Database, config: str
) -> None:
    assert main(["init", "--config", config, "--dsn", database.dsn]) == 0
    installed = f"schema sealwire version 1 in database {database.dbname}: "
    assert capsys.readouterr().out.splitlines()[-1] == installed + "installed"
    assert main(["init", "--config", config, "--dsn", database.dsn]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == installed + "already there"


def test_check_needs_a_database_that_answers_and_keys(
    capsys: pytest.CaptureFixture[str], database: Database, folder: Path, config: str
) -> None:
    assert main(["check", "--config", config, "--dsn", database.dsn]) == 2
    assert complaint(capsys).startswith(f"{folder / 'keyring.json'}: ")
    assert main(["check", "--config", config, "--dsn", NOWHERE, "--samples", "0"]) == 2
    assert complaint(capsys).startswith("cannot connect to the database: ")
    assert main(["check", "--config", config, "--dsn", "http://no", "--samples", "0"]) == 2
    assert complaint(capsys).startswith("the connection string is not a postgresql:// URI")


def test_check_says_what_is_missing_and_that_all_is_well(
    capsys: pytest.CaptureFixture[str], database: Database, folder: Path, config: str
) -> None:
    (folder / "columns.yaml").write_text(f"{database.dbname}:\n  public.t:\n    c: {{type: text}}\n")
    assert main(["init", "--config", config, "--dsn", database.dsn]) == 0
    capsys.readouterr()

    assert main(["check", "--config", config, "--dsn", database.dsn]) == 1
    output = capsys.readouterr().out
    assert "public.t.c: the table does not exist" in output
    assert "hint: correct the name" in output

    with database.connect() as connection:
        connection.execute("CREATE TABLE t (c sealwire.sealed)")
    assert main(["check", "--config", config, "--dsn", database.dsn]) == 0
    assert "No findings." in capsys.readouterr().out

    assert main(["check", "--config", config, "--dsn", database.dsn, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "database": database.dbname,
        "columns": [
            {
                "column": "public.t.c",
                "type": "text",
                "search": "none",
                "state": "sealed",
                "sampled": 0,
                "opened": 0,
                "findings": [],
            }
        ],
        "unlisted": [],
        "findings": 0,
    }


def test_check_of_a_database_without_policy_is_clean(
    capsys: pytest.CaptureFixture[str], database: Database, config: str
) -> None:
    assert main(["check", "--config", config, "--dsn", database.dsn, "--samples", "0"]) == 0
    assert f"No column of database {database.dbname} is in the policy" in capsys.readouterr().out


def test_no_command_leaves_a_core_file() -> None:
    """Also where the limit was lifted before."""
    code = (
        "import resource; from proxy.cli.app import main; main(['--version']);"
        " print(*resource.getrlimit(resource.RLIMIT_CORE))"
    )
    done = subprocess.run(
        ["bash", "-c", 'ulimit -S -c "$(ulimit -H -c)"; exec "$0" -c "$1"', sys.executable, code],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "0 0"
