"""`make bench`: every row, or those asked for, as a table on screen and as JSON.

make bench ARGS='--row 1 --row 2'     these rows
make bench ARGS='--quick'             fewer rounds, shorter samples, smaller tables: to see that it works
make bench ARGS='--json FILE'         where the figures go (default: bench/results/<commit>.json)
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Final

from bench.harness import Bench, conditions

ROWS: Final = {
    1: "bench.passthrough",
    2: "bench.sealed",
    3: "bench.results",
    4: "bench.copying",
    5: "bench.analysis",
    6: "bench.memory",
    7: "bench.workers",
}
"""Number of a row -> the module whose `measure(bench)` measures it."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--row", type=int, action="append", choices=sorted(ROWS), help="measure this row only")
    parser.add_argument("--only", default="", metavar="WORDS", help="comparisons with these words in their title only")
    parser.add_argument("--quick", action="store_true", help="short and imprecise")
    parser.add_argument("--json", type=Path, help="where the figures are written")
    arguments = parser.parse_args()
    bench = Bench(quick=arguments.quick, only=arguments.only)
    for name, value in conditions().items():
        bench.console.print(f"{name}: {value}")
    for row in arguments.row or sorted(ROWS):
        importlib.import_module(ROWS[row]).measure(bench)
    commit = conditions()["commit"].split()[0]
    path = arguments.json or Path(__file__).parent / "results" / f"{commit}.json"
    path.parent.mkdir(exist_ok=True)
    bench.write(path)
    bench.console.print(f"figures: {path}; load now: {conditions()['load']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
