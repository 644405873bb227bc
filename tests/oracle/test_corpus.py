"""The corpus on plain PostgreSQL: every statement does there what its tag says, before anything is held against it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.oracle import chinook, corpus, loading
from tests.oracle.corpus import CorpusError, Entry
from tests.oracle.runner import CORPUS, copied, plain_scripts
from tests.support.oracle import Wire
from tests.support.servers import Server, fresh_database

pytestmark = pytest.mark.oracle


@pytest.fixture(scope="module")
def shop(server: Server) -> Iterator[Wire]:
    with fresh_database(server) as database:
        wire = Wire(database.dsn)
        loading.load_shop(wire)
        yield wire
        wire.close()


def test_the_corpus_is_as_large_as_it_has_to_be() -> None:
    assert sum(len(theme.entries) for theme in corpus.themes(CORPUS)) >= 600


@pytest.mark.parametrize("theme", corpus.themes(CORPUS), ids=lambda theme: theme.path.stem)
def test_plain_postgresql_does_what_every_tag_says(theme: corpus.Theme, shop: Wire, server: Server) -> None:
    wrong = []
    for entry in (e for e in theme.entries if "pg18" not in e.options or server.version >= 18):
        if not theme.stateful:
            shop.command("BEGIN")
            wrong += _check(shop, entry, server)
            shop.command("ROLLBACK")
    if theme.stateful:
        for entry, problem in plain_scripts(theme, shop.dsn, server.version):
            wrong.append(f"{theme.path.name}:{entry.line}: {problem}\n  {entry.sql}")
    assert not wrong, "\n".join(wrong)


def _check(wire: Wire, entry: Entry, server: Server) -> list[str]:
    data = copied(wire, entry)
    if entry.given:
        answer = wire.parameters(entry.sql, entry.given)
    else:
        answer = wire.simple(entry.sql, data or entry.copy_in.encode())
    problem = answer.broken
    expected = entry.detail if entry.expected == "error" else None
    if not problem and (answer.error.sqlstate if answer.error else None) != expected:
        got = f"{answer.error.sqlstate} {answer.error.message}" if answer.error else "no error"
        problem = f"tagged {entry.expected} {entry.detail}, got {got}"
    return [f"line {entry.line}: {problem}\n  {entry.sql}"] if problem else []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 1;\n", ":1: the first line must be"),
        ("--! theme X\nSELECT 1;\n", ":2: a statement without a tag"),
        ("--! theme X\n--# a\n--! sane\nSELECT 1;\n", ":3: expected `--! same`"),
        ("--! theme X\n--# a\n--! same [fast]\nSELECT 1;\n", "unknown option 'fast'"),
        ("--! theme X\n--# a\n--! same\nSELECT 1\n", ":3: the statement under this tag does not end"),
        ("--! theme X\n--# a\n--! error 42\nSELECT 1;\n", "needs a SQLSTATE"),
        ("--! theme X\n--# a\n--! refused\nSELECT 1;\n", "say why"),
        ("--! theme X\n--! same\nSELECT 1;\n", "a `--# construct` line"),
        ("--! theme X\n--# a\n--! script s\nSELECT 1;\n", "scripts need"),
        ("--! theme X\n--# a\n--! same\nSELECT 1;\n--! same\nSELECT  1;\n", ":5: the same statement as in line 3"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "x.sql"
    path.write_text(text)
    with pytest.raises(CorpusError) as raised:
        corpus.read(path)
    assert message in str(raised.value)


@pytest.mark.skipif(chinook.directory() is None, reason="Chinook is not beside this checkout")
def test_the_chinook_corpus_does_on_plain_postgresql_what_every_tag_says(server: Server) -> None:
    place = chinook.directory()
    assert place is not None
    themes = corpus.themes(chinook.CORPUS)
    entries = [entry for theme in themes for entry in theme.entries]
    assert len(entries) >= 150
    assert sum(entry.expected == "refused" for entry in entries) <= 0.15 * len(entries)
    with fresh_database(server) as database:
        wire = Wire(database.dsn)
        chinook.load(wire, place)
        wrong = []
        for entry in entries:
            wire.command("BEGIN")
            wrong += _check(wire, entry, server)
            wire.command("ROLLBACK")
        wire.close()
    assert not wrong, "\n".join(wrong)
