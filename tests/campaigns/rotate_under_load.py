"""The campaign of rotation: every statement of the oracle on equality, joins, grouping and uniqueness that has
PostgreSQL's own answer, in every mode, asked without a pause while the equality keys under it are rotated:

    .venv/bin/python -m tests.campaigns.rotate_under_load --rotations 3

Prints one JSON object, and ends with exit code 1 where an answer was wrong. tests/life has the short form.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from tests.life.rotation_oracle import DOMAINS, rotating
from tests.support.servers import shared_server


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rotations", type=int, default=3)
    parser.add_argument("--every", type=int, default=1, help="take every n-th statement only, each in one mode")
    parser.add_argument("--pause", type=int, default=10, help="statements between two steps of a command")
    parser.add_argument("--version", type=int, default=18, choices=(16, 18))
    chosen = parser.parse_args()
    began = time.monotonic()
    with (
        shared_server(Path(tempfile.mkdtemp()), chosen.version) as server,
        rotating(server, every=chosen.every, pause=chosen.pause) as rotation,
    ):
        for number in range(chosen.rotations):
            rotation.rotate(DOMAINS)
            print(f"rotation {number + 1}: {rotation.keys()}", file=sys.stderr)
        keys = rotation.keys()
    askers = rotation.askers
    wrong = [answer for asker in askers for answer in asker.wrong]
    print("\n".join(wrong), file=sys.stderr)
    result = {
        "rotations": chosen.rotations,
        "domains": len(DOMAINS),
        "statements_and_modes": sum(asker.count for asker in askers),
        "asked": sum(asker.asked for asker in askers),
        "asked_again": sum(asker.again for asker in askers),
        "wrong": len(wrong),
        "domains_under_several_keys": sum(count != 1 for count in keys.values()),
        "seconds": round(time.monotonic() - began),
    }
    print(json.dumps(result, indent=2))
    return 1 if wrong or result["domains_under_several_keys"] else 0


if __name__ == "__main__":
    sys.exit(main())
