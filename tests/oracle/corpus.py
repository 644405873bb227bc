"""The corpus format: plain .sql files by theme, each statement under a tag line that says what should come out.

    --! theme Joins                      first line of every file
    --! stateful                         optional: the file consists of scripts, each run in order on new connections
    --# Inner joins                      the construct, a row of docs/sql-support.md
    --! same                             PostgreSQL's answer; or `refused why`, `differs why`, `error SQLSTATE`
    --$ text ann@example.com             a parameter: its declared type (? for undeclared) and value (NULL for none)
    --< a line of COPY data              backslash escapes stay as they are; `--<from COPY ...` takes what that prints
    SELECT ...;
    --! script Temporary table           stateful files only: what follows starts anew

Options in brackets follow the tag: [pg18] runs on PostgreSQL 18 only; [simple] not over the extended protocol;
[ordered] the order of rows counts though the text does not order; [columns] rows are not compared; [once] only in the
first applicable mode; [ciphertext] the answer may show sealed bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from tests.support.oracle import Case, Mode, Parameter
from tests.support.statements import parametrized, shape_of

OPTIONS = frozenset({"pg18", "simple", "ordered", "columns", "once", "ciphertext"})
_TAG = re.compile(r"--! (same|refused|differs|error)\b *(?:([^\[]*?) *)?((?:\[\w+\] *)*)$")


class CorpusError(Exception):
    """A corpus file that cannot be read; str() names file and line."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One statement with what is expected of it."""

    theme: str
    construct: str
    expected: str
    """same, refused, differs (the text of the rows, knowingly) or error."""
    detail: str
    """refused, differs: why. error: the SQLSTATE."""
    sql: str
    line: int
    options: frozenset[str] = frozenset()
    given: tuple[Parameter, ...] = ()
    copy_in: str = ""
    copy_from: str = ""
    """A COPY ... TO STDOUT whose output, taken on the plain side, is the data."""
    script: str = ""
    repeat: int = 0
    """How often the same words came before in this script."""

    @property
    def key(self) -> str:
        """Stays when lines move: the theme, the script and a digest of the words."""
        words = " ".join(
            [self.script, str(self.repeat or ""), *self.sql.split(), *(f"{p.type} {p.value}" for p in self.given)]
        )
        return f"{self.theme}:{hashlib.sha256(words.encode()).hexdigest()[:10]}"

    def case(self, copy_in: bytes = b"") -> Case:
        modes = frozenset({Mode.SIMPLE}) if "simple" in self.options else frozenset(Mode)
        return Case(
            self.sql,
            shape_of(self.sql),
            self.given,
            copy_in or self.copy_in.encode(),
            parametrized(self.sql),
            "columns" in self.options,
            "ordered" in self.options,
            modes,
            "ciphertext" in self.options,
        )


@dataclass(frozen=True, slots=True)
class Theme:
    """One file."""

    name: str
    path: Path
    stateful: bool
    entries: tuple[Entry, ...] = field(repr=False)

    def scripts(self) -> dict[str, list[Entry]]:
        found: dict[str, list[Entry]] = {}
        for entry in self.entries:
            found.setdefault(entry.script, []).append(entry)
        return found


def themes(directory: Path) -> list[Theme]:
    """All files of a directory, by name."""
    found = [read(path) for path in sorted(directory.glob("*.sql"))]
    if not found:
        raise CorpusError(f"{directory}: no corpus files")
    return found


@lru_cache
def read(path: Path) -> Theme:
    """Raises CorpusError."""
    lines = path.read_text().splitlines()
    if not lines or not (head := re.fullmatch(r"--! theme (.+)", lines[0])):
        raise CorpusError(f"{path}:1: the first line must be `--! theme NAME`")
    stateful = len(lines) > 1 and lines[1] == "--! stateful"
    entries = tuple(_entries(path, head[1], stateful, lines))
    if stateful:
        entries = tuple(_numbered(entries))
    seen: dict[str, int] = {}
    for entry in entries:
        if entry.key in seen:
            raise CorpusError(f"{path}:{entry.line}: the same statement as in line {seen[entry.key]}")
        seen[entry.key] = entry.line
    return Theme(head[1], path, stateful, entries)


def _numbered(entries: Iterable[Entry]) -> Iterator[Entry]:
    before: Counter[str] = Counter()
    for entry in entries:
        yield replace(entry, repeat=before[entry.key])
        before[entry.key] += 1


def _entries(path: Path, theme: str, stateful: bool, lines: list[str]) -> Iterator[Entry]:
    construct = script = ""
    tag: tuple[str, str, frozenset[str]] | None = None
    body: list[str] = []
    given: list[Parameter] = []
    copy_in: list[str] = []
    copy_from = ""
    started = 0
    scripts: set[str] = set()

    def finished() -> Iterator[Entry]:
        nonlocal tag, copy_from
        if tag is None:
            if any(line.strip() for line in body):
                raise CorpusError(f"{path}:{started}: a statement without a tag line before it")
            return
        sql = "\n".join(body).strip()
        if not sql.endswith(";"):
            raise CorpusError(f"{path}:{started}: the statement under this tag does not end with a semicolon")
        data = "".join(line + "\n" for line in copy_in)
        expected, detail, options = tag
        yield Entry(
            theme, construct, expected, detail, sql[:-1], started, options, tuple(given), data, copy_from, script
        )
        tag, copy_from = None, ""
        body.clear(), given.clear(), copy_in.clear()

    for number, line in enumerate(lines, 1):
        if number <= 1 + stateful:
            continue
        if line.startswith("--#"):
            yield from finished()
            construct = line[3:].strip()
        elif line.startswith("--! script "):
            yield from finished()
            if not stateful:
                raise CorpusError(f"{path}:{number}: scripts need `--! stateful` in the second line")
            script = line.removeprefix("--! script ").strip()
            if script in scripts:
                raise CorpusError(f"{path}:{number}: a second script called {script!r}")
            scripts.add(script)
        elif line.startswith("--!"):
            yield from finished()
            if not construct:
                raise CorpusError(f"{path}:{number}: a `--# construct` line must come before the first statement")
            tag, started = _tag(path, number, line), number
        elif line.startswith("--$"):
            kind, _, value = line[3:].strip().partition(" ")
            given.append(Parameter(None if value == "NULL" else value, None if kind == "?" else kind))
        elif line.startswith("--<from "):
            copy_from = line.removeprefix("--<from ")
        elif line.startswith("--<"):
            copy_in.append(line[3:].removeprefix(" "))
        else:
            started = started or number
            body.append(line)
    yield from finished()


def _tag(path: Path, number: int, line: str) -> tuple[str, str, frozenset[str]]:
    match = _TAG.fullmatch(line)
    if match is None:
        raise CorpusError(
            f"{path}:{number}: expected `--! same`, `--! refused why`, `--! differs why` or `--! error SQLSTATE`,"
            f" not {line!r}"
        )
    expected, detail, options = match[1], match[2] or "", frozenset(re.findall(r"\w+", match[3]))
    if unknown := options - OPTIONS:
        raise CorpusError(
            f"{path}:{number}: unknown option {sorted(unknown)[0]!r}; known: {', '.join(sorted(OPTIONS))}"
        )
    if expected == "error" and not re.fullmatch(r"[0-9A-Z]{5}", detail):
        raise CorpusError(f"{path}:{number}: `error` needs a SQLSTATE")
    if expected in ("refused", "differs") and not detail:
        raise CorpusError(f"{path}:{number}: `{expected}` needs a few words that say why")
    if expected == "same" and detail:
        raise CorpusError(f"{path}:{number}: `same` takes options in brackets only")
    return expected, detail, options
