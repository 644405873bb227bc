"""Large values with a real server: the limit of what is sealed, and the memory of the proxy's process for the rest."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from proxy.config import Limits
from tests.server.programs import Program
from tests.support.servers import Database, Server, free_port, fresh_database
from tests.support.stack import Stack, running, write_policy

POLICY = "public.files:\n  body: {type: bytea}\n"
TABLE = "CREATE TABLE files (id integer, body bytea, plain bytea)"
MEGABYTE = 1024 * 1024


@pytest.fixture
def small(database: Database) -> Iterator[Stack]:
    """A stack whose limit is one megabyte."""
    with running(database, POLICY, limits=Limits(sealed_value=1)) as stack:
        with stack.connect() as connection:
            connection.execute(TABLE)
        yield stack


@pytest.mark.parametrize("binary", [True, False])
def test_a_value_up_to_the_limit_comes_back_and_one_beyond_it_is_refused(small: Stack, binary: bool) -> None:
    fits, too_large = os.urandom(400_000 if not binary else MEGABYTE - 200), os.urandom(MEGABYTE)
    style = "%b" if binary else "%t"
    insert = f"INSERT INTO files (id, body) VALUES (1, {style})"
    with small.connect() as connection:
        connection.execute(insert, (fits,))
        with pytest.raises(psycopg.errors.ProgramLimitExceeded) as caught:
            connection.execute(insert, (too_large,))
        assert "limits.sealed_value" in str(caught.value.diag.message_hint)
        with (
            pytest.raises(psycopg.errors.ProgramLimitExceeded),
            connection.cursor() as cursor,
            cursor.copy("COPY files (id, body) FROM STDIN") as copy,
        ):
            copy.write_row((2, too_large))
        for result_binary in (True, False):
            cursor = connection.execute("SELECT body FROM files", binary=result_binary)
            assert cursor.fetchall() == [(fits,)]
        with connection.cursor() as cursor, cursor.copy("COPY files (body) TO STDOUT") as copy:
            assert b"".join(copy) == b"\\\\x" + fits.hex().encode() + b"\n"


@pytest.mark.parametrize("extended", [True, False])
def test_a_literal_beyond_the_limit_is_refused(small: Stack, extended: bool) -> None:
    fits, too_large = os.urandom(400_000), os.urandom(600_000)  # two digits a byte
    with small.connect() as connection, connection.cursor() as cursor:
        insert = b"INSERT INTO files (id, body) VALUES (1, '\\x%b')"
        cursor.execute(insert % fits.hex().encode(), binary=extended)
        with pytest.raises(psycopg.errors.ProgramLimitExceeded) as caught:
            cursor.execute(insert % too_large.hex().encode(), binary=extended)
        assert "limits.sealed_value" in str(caught.value.diag.message_hint)
        assert cursor.execute("SELECT body FROM files", binary=extended).fetchall() == [(fits,)]


@pytest.mark.parametrize("form", ["text", "csv", "binary"])
def test_a_row_of_copy_beyond_the_limit_is_refused(small: Stack, form: str) -> None:
    fits, too_large = os.urandom(400_000), os.urandom(MEGABYTE)

    def row(number: int, body: bytes) -> bytes:
        if form == "binary":
            return struct.pack("!hiii", 2, 4, number, len(body)) + body
        before = b"%d\t\\\\x" if form == "text" else b"%d,\\x"
        return before % number + body.hex().encode() + b"\n"

    head = b"PGCOPY\n\xff\r\n\0" + bytes(8) if form == "binary" else b""
    end = b"\xff\xff" if form == "binary" else b""
    query = f"COPY files (id, body) FROM STDIN (FORMAT {form})"
    with small.connect() as connection, connection.cursor() as cursor:
        with pytest.raises(psycopg.errors.ProgramLimitExceeded) as caught, cursor.copy(query) as copy:
            copy.write(head + row(1, fits))
            copy.write(row(2, too_large) + end)
        assert "limits.sealed_value" in str(caught.value.diag.message_hint)
        assert cursor.execute("SELECT count(*) FROM files").fetchall() == [(0,)]
        with cursor.copy(query) as copy:
            copy.write(head + row(1, fits) + end)
        assert cursor.execute("SELECT body FROM files").fetchall() == [(fits,)]


def test_what_is_not_sealed_has_no_limit(small: Stack) -> None:
    plain = os.urandom(5 * MEGABYTE)
    with small.connect() as connection:
        connection.execute("INSERT INTO files (id, plain) VALUES (1, %b)", (plain,))
        assert connection.execute("SELECT plain FROM files", binary=True).fetchone() == (plain,)


def test_large_plain_values_pass_through_the_proxys_process_with_flat_memory(pg18: Server, tmp_path: Path) -> None:
    """64 MB up and down, and as much by COPY; the process may grow by 16 MB: buffers of both legs, and the heap."""
    with fresh_database(pg18) as database:
        grown = growth(database, tmp_path, 64 * MEGABYTE)
    assert grown < 16 * MEGABYTE, f"{grown / MEGABYTE:.1f} MB"


def growth(database: Database, tmp_path: Path, size: int) -> int:
    """Bytes that the proxy's process has grown by at most, while values of `size` bytes passed."""
    config = tmp_path / "sealwire.yaml"
    write_policy(tmp_path, database.dbname, POLICY)
    port = free_port()
    config.write_text(
        f"listen: {{port: {port}}}\nupstream: {{host: {database.host}, port: {database.port}, tls: disable}}\n"
    )
    cli = ["-m", "proxy.cli"]
    subprocess.run(
        [sys.executable, *cli, "init", "--config", str(config), "--dsn", database.dsn], check=True, capture_output=True
    )
    program = Program(*cli, "serve", "--config", config)
    try:
        program.wait_for("listening")
        dsn = f"postgresql://{database.server.user}@127.0.0.1:{port}/{database.dbname}"
        with psycopg.connect(dsn, autocommit=True, sslmode="disable") as connection:
            connection.execute(TABLE)
            connection.execute("INSERT INTO files (id, plain) VALUES (0, %b)", (b"warm",))
            connection.execute("SELECT plain FROM files", binary=True)
            process = psutil.Process(program.process.pid)
            before = process.memory_info().rss
            connection.execute("INSERT INTO files (id, plain) VALUES (1, %b)", (bytes(size),))
            connection.execute("CREATE TABLE lines (line text)")
            line = b"x" * 1023 + b"\n"
            with connection.cursor() as cursor, cursor.copy("COPY lines FROM STDIN") as copy:
                for _ in range(size // (64 * len(line))):
                    copy.write(64 * line)
            found = connection.execute("SELECT plain FROM files WHERE id = 1", binary=True).fetchone()
            assert found == (bytes(size),)
            return program.peak_rss - before
    finally:
        program.end()
