"""`make fuzz`: the targets under atheris, which keeps the inputs that reach new code, two at a time.

    python -m tests.fuzz                                 every target for 600 seconds
    python -m tests.fuzz --seconds 60 --only client      one target
    python -m tests.fuzz --only client --repeat FILE     one input again, such as the client-crash-... that a run left

Per target one line: seconds, executions, findings. What was found to be worth keeping is in .fuzz/<target>,
and the next run begins with it; .fuzz/<target>.log is what libFuzzer said.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

NAMES = ("framing", "messages", "codecs", "copy", "startup", "authentication", "server", "client")
MAX_BYTES = dict.fromkeys(NAMES, 4096) | {"framing": 2048, "server": 2048, "client": 512}
"""Of an input. Those of whole conversations are short, so that there are hundreds of executions a second."""
AT_A_TIME = 2
_EXECUTIONS = re.compile(r"^(?:#|stat::number_of_executed_units: )(\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one target has fared."""

    name: str
    seconds: float
    processor: float
    """Seconds of processor time, which tell on a machine that others use too."""
    executions: int
    findings: Sequence[Path]
    """The inputs that it has failed with."""
    status: int
    """Of its process: 0 where nothing was found."""

    @property
    def clean(self) -> bool:
        return not self.findings and self.status == 0

    def __str__(self) -> str:
        line = f"{self.name:<15}{self.seconds:6.0f} s ({self.processor:.0f} s of processor time)"
        line += f"{self.executions:>12,} executions{len(self.findings):4} findings"
        return line if self.clean else f"{line}, exit status {self.status}: {' '.join(map(str, self.findings))}"


def run(name: str, seconds: int, corpus: Path) -> None:
    """The target, in this process. Does not return: libFuzzer ends the process, with 77 where a target has failed."""
    import atheris  # type: ignore[import-not-found, unused-ignore]

    with atheris.instrument_imports(include=["proxy", "tests.fuzz"], enable_loader_override=False):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]

    def keeping(data: bytes) -> None:
        """libFuzzer keeps what fails too, unless an alarm of its own ends it while it says so."""
        try:
            target(data)
        except BaseException:
            digest = hashlib.sha1(data, usedforsecurity=False).hexdigest()
            (corpus.parent / f"{name}-crash-{digest}").write_bytes(data)
            raise

    limits = [f"-max_total_time={seconds}", f"-max_len={MAX_BYTES[name]}", "-timeout=20", "-rss_limit_mb=0"]
    output = [f"-artifact_prefix={corpus.parent}/{name}-", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *limits, *output, str(corpus)], keeping)
    atheris.Fuzz()


def run_apart(name: str, seconds: int, corpora: Path) -> Outcome:
    """The target, in a process of its own."""
    command = [sys.executable, "-m", "tests.fuzz", "--here", "--only", name, "--seconds", str(seconds)]
    log, before, began = corpora / f"{name}.log", set(corpora.iterdir()), time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen([*command, "--corpus", str(corpora)], stdout=out, stderr=subprocess.STDOUT)
        _, waited, usage = os.wait4(process.pid, 0)
    process.returncode = status = os.waitstatus_to_exitcode(waited)
    executions = _EXECUTIONS.findall(log.read_text(errors="replace"))
    found = sorted(path for path in set(corpora.iterdir()) - before if path.name.startswith(f"{name}-"))
    count = int(executions[-1]) if executions else 0
    return Outcome(name, time.monotonic() - began, usage.ru_utime + usage.ru_stime, count, found, status)


def sow(corpora: Path, names: Sequence[str]) -> None:
    """The seeds as files, the golden traces recorded anew."""
    from tests.fuzz.seeds import seeds
    from tests.fuzz.traces import recorded
    from tests.support import servers

    with (
        tempfile.TemporaryDirectory() as root,
        servers.shared_server(Path(root), 18) as server,
        servers.fresh_database(server) as database,
    ):
        inputs = seeds(recorded(database))
    for name in names:
        (corpora / name).mkdir(parents=True, exist_ok=True)
        for data in inputs[name]:
            (corpora / name / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=NAMES, default=list(NAMES), metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=600, help="for each target")
    parser.add_argument("--corpus", type=Path, default=Path(".fuzz"))
    parser.add_argument("--repeat", type=Path, help="run one input, without atheris")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.repeat:
        from tests.fuzz.targets import TARGETS

        TARGETS[given.only[0]](given.repeat.read_bytes())
        return 0
    if given.here:
        run(given.only[0], given.seconds, given.corpus / given.only[0])
    sow(given.corpus, given.only)
    clean = True
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for done in as_completed(pool.submit(run_apart, name, given.seconds, given.corpus) for name in given.only):
            print(done.result(), flush=True)
            clean = clean and done.result().clean
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
