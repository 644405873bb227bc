"""`sealwire demo --once`, and a search of everything the raw database holds afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.cli.demo_data import DATABASE, make_shop
from tests.support import servers

# pg_dump of the embedded server; the demo always runs PostgreSQL 18.
BIN = servers.POSTGRES_VERSIONS[18]


@pytest.fixture(scope="module")
def demo() -> Iterator[tuple[Path, str, float]]:
    """The directory of a finished demo, what it printed, and its seconds."""
    home = Path(tempfile.mkdtemp(prefix="sw-demo-"))
    begun = time.monotonic()
    run = subprocess.run(
        [sys.executable, "-m", "proxy.cli", "demo", "--once", "--directory", str(home)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"COLUMNS": "160", "NO_COLOR": "1"},
        timeout=120,
        check=False,
    )
    seconds = time.monotonic() - begun
    assert run.returncode == 0, run.stdout + run.stderr
    yield home, run.stdout, seconds
    shutil.rmtree(home)


def test_the_demo_verifies_itself_in_time(demo: tuple[Path, str, float]) -> None:
    _, output, seconds = demo
    assert "Verified" in output
    assert "customers_email_key" in output
    assert "HINT" in output
    assert seconds < 30


def test_no_sealed_plaintext_in_the_data_directory_or_the_server_log(
    demo: tuple[Path, str, float], tmp_path: Path
) -> None:
    home, _, _ = demo
    assert b"INSERT INTO customers" in (home / "pgdata" / "log").read_bytes()
    assert_nothing_found(home / "pgdata", tmp_path)


def test_no_sealed_plaintext_in_a_dump(demo: tuple[Path, str, float], tmp_path: Path) -> None:
    home, _, _ = demo
    with servers.restarted(home / "pgdata", 18) as server:
        dump = subprocess.run(
            [BIN / "pg_dump", "--dbname", server.dsn(DATABASE), "--inserts"], capture_output=True, check=True
        ).stdout
    assert dump.count(b"INSERT INTO public.orders") >= 5000
    assert b"'2025-" in dump  # the plain column `placed`: a date that is not sealed is found in this form
    dumped = tmp_path / "dump"
    dumped.mkdir()
    (dumped / "dump.sql").write_bytes(dump)
    assert_nothing_found(dumped, tmp_path)
    shop = make_shop()
    for born in {row[4] for row in shop.customers} | {row[4] for row in shop.cards}:
        assert f"'{born}'".encode() not in dump
    for total in {row[4] for row in shop.orders}:
        assert f", {total:.2f}, ".encode() not in dump


def assert_nothing_found(directory: Path, scratch: Path) -> None:
    """No plaintext, as text or in hexadecimal, in any file below `directory`."""
    plaintexts = [text.encode() for text in make_shop().plaintexts()]
    needles = plaintexts + [text.hex().encode() for text in plaintexts]
    assert files_with(needles, directory, scratch) == []
    # the other direction: what is stored plainly is found
    assert files_with([b"shipped"], directory, scratch) != []


def files_with(needles: list[bytes], directory: Path, scratch: Path) -> list[str]:
    """Files that hold any of many byte strings: grep looks for all of them in one pass."""
    patterns = scratch / "needles"
    patterns.write_bytes(b"\n".join(needles) + b"\n")
    command = ["grep", "-r", "-l", "-a", "-F", "-f", str(patterns), str(directory)]
    found = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"LC_ALL": "C"})
    assert found.returncode in (0, 1), found.stderr
    return found.stdout.splitlines()
