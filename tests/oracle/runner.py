"""Running a corpus against both databases."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.oracle.corpus import Entry, Theme
from tests.oracle.loading import PAST_THE_ROWS
from tests.support.oracle import Answer, Broken, Case, Mode, Outcome, Verdict, Wire, ask, judge
from tests.support.servers import Database

if TYPE_CHECKING:
    from tests.support.stack import Stack

PARAMETER_MODES = (Mode.PARAMETERS, Mode.BINARY_PARAMETERS)
CORPUS = Path(__file__).parent / "corpus"
GAPS = Path(__file__).parent / "gaps.txt"

END_OTHERS = (
    "SELECT pg_catalog.pg_terminate_backend(pid)::text FROM pg_catalog.pg_stat_activity"
    " WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid() AND xact_start IS NOT NULL"
)
SCRATCH = ("DROP SCHEMA IF EXISTS scratch CASCADE", "CREATE SCHEMA scratch")


class Status(enum.StrEnum):
    """What became of one statement of the corpus."""

    SAME = "same"
    REFUSED = "refused"
    GAP = "gap"
    """Refused, in some mode at least, although its tag demands PostgreSQL's answer."""
    DIFFERS = "differs"
    """The text of its rows is known to differ, and its tag says why; nothing else does."""
    WRONG = "wrong"
    STALE = "stale tag"
    """Answered although its tag says that it is refused, or the same although it says that it differs."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An entry with its verdict in every mode."""

    entry: Entry
    verdicts: dict[Mode, Verdict] = field(hash=False)

    @property
    def status(self) -> Status:
        outcomes = {verdict.outcome for verdict in self.verdicts.values()}
        if self.entry.expected == "differs" and Outcome.REFUSED not in outcomes:
            wrong = [verdict for verdict in self.verdicts.values() if verdict.outcome is Outcome.WRONG]
            if all(verdict.note.startswith("row") for verdict in wrong):
                return Status.DIFFERS if wrong else Status.STALE
        if Outcome.WRONG in outcomes:
            return Status.WRONG
        if self.entry.expected == "refused":
            return Status.REFUSED if outcomes == {Outcome.REFUSED} else Status.STALE
        return Status.SAME if outcomes == {Outcome.SAME} else Status.GAP

    @property
    def note(self) -> str:
        """The first thing worth reading."""
        interesting = Outcome.WRONG if self.status is Status.WRONG else Outcome.REFUSED
        return next((v.note for v in self.verdicts.values() if v.outcome is interesting), "")

    def __str__(self) -> str:
        """Statement, then every mode that was not as it should be."""
        lines = [f"{self.status}: {self.entry.theme}, line {self.entry.line}", _indented(self.entry.sql)]
        for mode, verdict in self.verdicts.items():
            if verdict.outcome is not Outcome.SAME:
                lines.append(_indented(f"[{mode}] {verdict.outcome}: {verdict.note}"))
        return "\n".join(lines)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


class Pair:
    """Both databases: `plain` and `sealed` as the application sees them, and spare connections for arranging."""

    def __init__(self, plain_dsn: str, sealed_dsn: str, sealed_direct_dsn: str) -> None:
        self.plain = Wire(plain_dsn)
        self.sealed = Wire(sealed_dsn)
        self.converter = Wire(plain_dsn)
        self._behind = Wire(sealed_direct_dsn)

    def close(self) -> None:
        for wire in (self.plain, self.sealed, self.converter, self._behind):
            wire.close()

    def renew(self) -> None:
        self.plain.renew()
        self.sealed.renew()

    def make_scratch(self) -> None:
        """An empty schema `scratch` on both sides, whatever sessions a script that went wrong has left behind."""
        for wire in (self.plain, self.sealed):
            for statement in SCRATCH:
                try:
                    wire.command(statement)
                except Broken:
                    self._behind.values(END_OTHERS)
                    wire.renew()
                    wire.command(statement)

    def judge(self, case: Case, mode: Mode) -> Verdict:
        """One statement in one mode, inside a transaction that is rolled back where it may write."""
        if not case.shape.writes:
            return self._judged(case, mode)
        if case.shape.inserts:
            self.converter.values(PAST_THE_ROWS)
            self._behind.values(PAST_THE_ROWS)
        try:
            self.plain.command("BEGIN")
            self.sealed.command("BEGIN")
            verdict = self._judged(case, mode)
            self.plain.command("ROLLBACK")
            self.sealed.command("ROLLBACK")
        except Broken as error:
            self.renew()
            return Verdict(Outcome.WRONG, f"around the statement: {error}")
        return verdict

    def _judged(self, case: Case, mode: Mode) -> Verdict:
        plain, sealed = self._plain(case, mode), ask(self.sealed, case, mode, self.converter)
        verdict = judge(plain, sealed, case)
        if verdict.note.startswith("columns:") and len(plain.results) == 1:
            # The planner may have changed a modifier on the way; the analysed statement's own are right as well.
            sent = (
                case.parametrized.sql if case.parametrized and mode in PARAMETER_MODES and not case.given else case.sql
            )
            modifiers = self.plain.analysed_modifiers(sent)
            (result,) = plain.results
            if len(modifiers) == len(result.columns):
                pairs = zip(result.columns, modifiers, strict=True)
                columns = tuple(replace(column, modifier=modifier) for column, modifier in pairs)
                verdict = judge(replace(plain, results=(replace(result, columns=columns),)), sealed, case)
        return verdict

    def in_script(self, case: Case, mode: Mode, expected: str) -> Verdict:
        """One statement of a script: nothing is rolled back, and what is refused does not happen on the plain side."""
        sealed = ask(self.sealed, case, mode, self.converter)
        error = sealed.error
        if expected == "refused" and error is not None and error.sqlstate == "0A000" and error.hint:
            return Verdict(Outcome.REFUSED, f"{error.message} | {error.hint}")
        return judge(self._plain(case, mode), sealed, case)

    def _plain(self, case: Case, mode: Mode) -> Answer:
        return ask(self.plain, case, mode, self.converter)


@contextlib.contextmanager
def pair_over(plain: Database, stack: Stack) -> Iterator[Pair]:
    pair = Pair(plain.dsn, f"{stack.dsn}?sslmode=disable", stack.database.dsn)
    try:
        yield pair
    finally:
        pair.close()


def findings_of(theme: Theme, pair: Pair, version: int) -> Iterator[Finding]:
    """Every statement that this version knows, in every mode that it can be sent in, as the answers come."""
    if theme.stateful:
        for script in theme.scripts().values():
            yield from _run_script(script, pair, version)
        return
    for entry in (entry for entry in theme.entries if "pg18" not in entry.options or version >= 18):
        case = entry.case(copied(pair.converter, entry))
        yield Finding(entry, {mode: pair.judge(case, mode) for mode in _modes(entry, case)})


def _run_script(script: list[Entry], pair: Pair, version: int) -> list[Finding]:
    """The whole script once per protocol; after a refusal that was not expected the two sides no longer agree, so the
    rest of it counts as refused with it."""
    findings = {entry.key: Finding(entry, {}) for entry in script if "pg18" not in entry.options or version >= 18}
    for mode in (Mode.SIMPLE, Mode.TEXT, Mode.BINARY, Mode.PARAMETERS):
        pair.renew()
        pair.make_scratch()
        blocked: Verdict | None = None
        for entry in (finding.entry for finding in findings.values()):
            case = entry.case(copied(pair.converter, entry))
            possible = case.applicable()
            chosen = mode if mode in possible else Mode.SIMPLE if Mode.SIMPLE in possible else possible[0]
            verdict = blocked or pair.in_script(case, chosen, entry.expected)
            findings[entry.key].verdicts[mode] = verdict
            is_expected = entry.expected == "differs" or verdict.outcome.value == entry.expected
            if verdict.outcome is not Outcome.SAME and not is_expected and blocked is None:
                first = entry.sql.split("\n")[0]
                blocked = Verdict(Outcome.REFUSED, f"follows a statement that did not pass ({first}): {verdict.note}")
    pair.renew()
    return list(findings.values())


def _modes(entry: Entry, case: Case) -> tuple[Mode, ...]:
    possible = case.applicable()
    return possible[:1] if "once" in entry.options else possible


def copied(wire: Wire, entry: Entry) -> bytes:
    """The data that `--<from` asks for."""
    if not entry.copy_from:
        return b""
    answer = wire.simple(entry.copy_from)
    if answer.broken or answer.error or answer.results[0].copied is None:
        raise Broken(f"line {entry.line}: --<from does not copy out: {answer}")
    return answer.results[0].copied


def plain_scripts(theme: Theme, dsn: str, version: int) -> Iterator[tuple[Entry, str]]:
    """A stateful theme on plain PostgreSQL alone: what does not do as tagged. Statements tagged `refused` are tried and
    taken back."""
    for script in theme.scripts().values():
        wire = Wire(dsn)
        for statement in SCRATCH:
            wire.command(statement)
        for entry in script:
            if "pg18" in entry.options and version < 18:
                continue
            taken_back = entry.expected == "refused" and not wire.in_transaction
            if taken_back:
                wire.command("BEGIN")
            elif entry.expected == "refused":
                wire.command("SAVEPOINT refused")
            data = copied(wire, entry) or entry.copy_in.encode()
            answer = wire.parameters(entry.sql, entry.given) if entry.given else wire.simple(entry.sql, data)
            got = answer.broken or (answer.error.sqlstate if answer.error else None)
            if got != (entry.detail if entry.expected == "error" else None):
                why = answer.error.message if answer.error else ""
                yield entry, f"tagged {entry.expected} {entry.detail}, got {got} {why}"
            if taken_back:
                wire.command("ROLLBACK")
            elif entry.expected == "refused":
                wire.command("ROLLBACK TO SAVEPOINT refused")
        wire.close()


@dataclass(frozen=True, slots=True)
class Summary:
    """What a test asserts on."""

    wrong: list[Finding]
    stale: list[Finding]
    new_gaps: list[Finding]
    closed_gaps: list[str]

    def __str__(self) -> str:
        parts = [f"{len(self.wrong)} wrong, {len(self.stale)} stale tags, {len(self.new_gaps)} new gaps"]
        parts += [str(finding) for finding in (*self.wrong, *self.stale, *self.new_gaps)]
        parts += [f"closed gap, take it out of gaps.txt: {key}" for key in self.closed_gaps]
        return "\n".join(parts)

    def __bool__(self) -> bool:
        return bool(self.wrong or self.stale or self.new_gaps or self.closed_gaps)


def listed_gaps(path: Path = GAPS) -> dict[str, str]:
    """key -> the rest of its line."""
    if not path.exists():
        return {}
    lines = (line.strip() for line in path.read_text().splitlines())
    pairs = (line.partition("  ") for line in lines if line and not line.startswith("#"))
    return {key: rest for key, _, rest in pairs}


def summarize(theme: Theme, findings: Iterable[Finding]) -> Summary:
    """Holds the findings of one theme against its tags and against gaps.txt."""
    by_status: dict[Status, list[Finding]] = {}
    ran = set()
    for finding in findings:
        by_status.setdefault(finding.status, []).append(finding)
        ran.add(finding.entry.key)
    gaps = {finding.entry.key: finding for finding in by_status.get(Status.GAP, [])}
    skipped = {entry.key for entry in theme.entries} - ran  # what this version does not know
    listed = {key for key in listed_gaps() if key.rpartition(":")[0] == theme.name}
    return Summary(
        by_status.get(Status.WRONG, []),
        by_status.get(Status.STALE, []),
        [finding for key, finding in gaps.items() if key not in listed],
        sorted(listed - gaps.keys() - skipped),
    )
