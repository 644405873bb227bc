"""`make fuzz`: the targets under atheris, which keeps the inputs that reach new code, one after the other.

    python -m tests.fuzz                       every target for 600 seconds
    python -m tests.fuzz client --seconds 60   one target
    python -m tests.fuzz client --repeat FILE  one input again, such as the crash-... that a run has left

What was found to be worth keeping is in .fuzz/<target>, and the next run begins with it.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
from pathlib import Path

NAMES = ("framing", "messages", "codecs", "copy", "startup", "authentication", "server", "client")
MAX_BYTES = 4096


def run(name: str, seconds: int, corpus: Path) -> None:
    """Does not return: libFuzzer ends the process, with 77 where a target has failed."""
    import atheris  # type: ignore[import-not-found, unused-ignore]

    with atheris.instrument_imports(include=["proxy", "tests.fuzz"], enable_loader_override=False):
        from tests.fuzz.seeds import seeds
        from tests.fuzz.targets import TARGETS
    for data in seeds()[name]:
        (corpus / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)
    arguments = [sys.argv[0], f"-max_total_time={seconds}", f"-max_len={MAX_BYTES}", "-timeout=20", "-rss_limit_mb=0",
                 f"-artifact_prefix={corpus.parent}/{name}-", "-print_final_stats=1", str(corpus)]  # fmt: skip
    atheris.Setup(arguments, TARGETS[name])
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("targets", nargs="*", choices=[*NAMES, []], default=[], metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=600, help="for each target")
    parser.add_argument("--corpus", type=Path, default=Path(".fuzz"))
    parser.add_argument("--repeat", type=Path, help="run one input, without atheris")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    names = given.targets or list(NAMES)
    if given.repeat:
        from tests.fuzz.targets import TARGETS

        TARGETS[names[0]](given.repeat.read_bytes())
        return 0
    if given.here:
        corpus = given.corpus / names[0]
        corpus.mkdir(parents=True, exist_ok=True)
        run(names[0], given.seconds, corpus)
    failed = []
    for name in names:
        print(f"-- {name}: {given.seconds} s", flush=True)
        command = [sys.executable, "-m", "tests.fuzz", name, "--here", "--seconds", str(given.seconds)]
        if subprocess.run([*command, "--corpus", str(given.corpus)], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}; the inputs are in {given.corpus}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
