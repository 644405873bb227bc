"""Runs the mutants: `python -m tests.mutation [--only WORDS;WORDS] [--jobs N] [--list]`.

Each mutant gets a process and two fresh databases of its own, filled as the oracle fills them, and runs the themes that
it names until the first statement turns red: a wrong answer, a plaintext canary upstream, an answer where a refusal is
due, a refusal that gaps.txt does not list. First the same statements run without a mutant, and none may be red.
Exit code 0: every mutant was noticed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from multiprocessing.connection import Connection, wait
from pathlib import Path

from tests.mutation.mutant import Mutant, Rotten
from tests.mutation.mutants import MUTANTS
from tests.oracle import corpus
from tests.oracle.corpus import Theme
from tests.support.servers import Server, shared_server

# What the processes share is imported before they fork: all but the proxy itself, and what imports it.
for library in ("asyncpg", "cryptography.hazmat.primitives.ciphers.aead", "pydantic", "structlog", "uvloop", "yaml"):
    import_module(library)

CORPUS = Path(__file__).parents[1] / "oracle" / "corpus"
PATIENCE = 180.0
"""Seconds after which a mutant counts as one that never ends."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one mutant. `red`: what noticed it; empty: it survived. `broken`: it could not be run."""

    red: str = ""
    broken: str = ""
    seconds: float = 0.0
    statements: int = 0


def chosen(wanted: str) -> Iterator[Theme]:
    """The parts of the corpus that a mutant names. Raises Rotten for a name that matches nothing."""
    for name in wanted.split():
        stem, _, word = name.partition("/")
        path = CORPUS / f"{stem}.sql"
        if not path.exists():
            raise Rotten(f"no corpus file {path.name}")
        theme = corpus.read(path)
        if word:
            words = {word, word.replace("_", " ")}
            entries = tuple(e for e in theme.entries if any(w in (e.script or e.construct).lower() for w in words))
            if not entries:
                raise Rotten(f"{path.name} has no construct or script with {word!r}")
            theme = replace(theme, entries=entries)
        yield theme


def _run(mutant: Mutant | None, themes: Sequence[Theme], server: Server) -> Verdict:
    """In a process of its own."""
    started = time.monotonic()
    if mutant is not None:
        mutant.install()
    try:
        from tests.oracle import rig
        from tests.oracle.runner import Status, listed_gaps
    except Exception:
        return Verdict(broken=f"it cannot be imported:\n{traceback.format_exc()}")
    listed = listed_gaps()
    count = 0
    red = ""
    try:
        with rig.shop(server) as filled:
            try:
                for theme in themes:
                    for finding in filled.each(theme):
                        count += 1
                        status = finding.status
                        leaks = filled.leaks()
                        if leaks:
                            red = f"LEAK {leaks[0]}\n{finding}"
                        elif status in (Status.WRONG, Status.STALE) or (
                            status is Status.GAP and finding.entry.key not in listed
                        ):
                            red = str(finding)
                        if red:
                            return Verdict(red, "", time.monotonic() - started, count)
            finally:
                filled.stack.canaries.clear()
    except Exception as error:  # whatever it is, tests would see it too
        red = red or f"the databases: {type(error).__name__}: {error}"
    return Verdict(red, "", time.monotonic() - started, count)


def _child(mutant: Mutant | None, themes: Sequence[Theme], server: Server, answer: Connection) -> None:
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    warnings.simplefilter("ignore")
    try:
        answer.send(_run(mutant, themes, server))
    except BaseException:
        answer.send(Verdict(broken=traceback.format_exc()))
    os._exit(0)  # threads of a proxy that was broken may never end


def run_all(mutants: Iterable[Mutant | None], server: Server, jobs: int) -> Iterator[tuple[Mutant | None, Verdict]]:
    """Verdicts as they come. None stands for the proxy as it is, on all that the mutants name."""
    context = multiprocessing.get_context("fork")
    waiting = list(mutants)
    named = dict.fromkeys(name for mutant in waiting if mutant for name in mutant.themes.split())
    every = " ".join(name for name in named if name.partition("/")[0] == name or name.partition("/")[0] not in named)
    running: dict[Connection, tuple[Mutant | None, multiprocessing.process.BaseProcess, float]] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant = waiting.pop(0)
            try:
                themes = list(chosen(every if mutant is None else mutant.themes))
            except Rotten as error:
                yield mutant, Verdict(broken=str(error))
                continue
            here, there = context.Pipe(duplex=False)
            process = context.Process(target=_child, args=(mutant, themes, server, there), daemon=True)
            process.start()
            there.close()
            running[here] = mutant, process, time.monotonic()
        for ready in wait(list(running), timeout=1):
            assert isinstance(ready, Connection)
            mutant, process, _ = running.pop(ready)
            try:
                verdict = ready.recv()
            except EOFError:
                verdict = Verdict(broken="its process died")
            process.join()
            yield mutant, verdict
        for late in [key for key, (_, _, since) in running.items() if time.monotonic() - since > PATIENCE]:
            mutant, process, _ = running.pop(late)
            process.kill()
            process.join()
            yield mutant, Verdict(broken=f"no end within {PATIENCE:.0f} s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="words separated by semicolons: the mutants whose rule has one of them")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="print the mutants and run none")
    parser.add_argument("--verbose", action="store_true", help="print what noticed each mutant")
    parser.add_argument("--unchecked", action="store_true", help="do not run the statements without a mutant first")
    wanted = parser.parse_args()
    mutants = [m for m in MUTANTS if wanted.only is None or any(w in m.rule for w in wanted.only.split(";"))]
    if wanted.list:
        for mutant in mutants:
            print(f"{mutant.rule}  ({mutant.file}; {mutant.themes})")
        return 0
    started = time.monotonic()
    counts: Counter[str] = Counter()
    for version in sorted({mutant.version for mutant in mutants}, reverse=True):
        here: list[Mutant | None] = [mutant for mutant in mutants if mutant.version == version]
        with shared_server(Path(tempfile.mkdtemp()), version) as server:
            for mutant, verdict in run_all([None] * (not wanted.unchecked) + here, server, wanted.jobs):
                word = judged(mutant, verdict)
                counts[word] += 1
                name = f"(no mutant, PostgreSQL {version})" if mutant is None else mutant.rule
                print(f"{word:8} {verdict.seconds:5.1f} s {verdict.statements:4} statements  {name}", flush=True)
                if verdict.broken or (verdict.red and (wanted.verbose or mutant is None)):
                    print(f"    {verdict.broken or verdict.red}".replace("\n", "\n    "), flush=True)
    seconds = time.monotonic() - started
    shown = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
    print(f"{len(mutants)} mutants in {seconds:.0f} s: {shown}")
    return 1 if counts["SURVIVED"] or counts["BROKEN"] else 0


def judged(mutant: Mutant | None, verdict: Verdict) -> str:
    """One word: what is written in capitals fails the run."""
    if verdict.broken or (mutant is None and verdict.red):
        return "BROKEN"
    if mutant is None:
        return "green"
    return "red" if verdict.red else "wall" if mutant.second_wall else "SURVIVED"


if __name__ == "__main__":
    sys.exit(main())
