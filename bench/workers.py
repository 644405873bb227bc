"""Row 7: one worker process and two, without a policy and with sealed columns."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from bench.harness import Bench, Contender
from bench.passthrough import DATABASE
from bench.programs import SETTINGS_NOTE, initialize, pgbench, pgbouncer, postgres, sealwire
from bench.sealed import FIRST, POLICY, SEALED, fill_sealed, look

ROW = 7
CLIENTS = 16


def measure(bench: Bench) -> None:
    rows = 20_000 if bench.quick else 200_000
    with ExitStack() as stack:
        server = stack.enter_context(postgres())
        pooler = stack.enter_context(pgbouncer(server))
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bench.note(f"PostgreSQL {server.version}; {SETTINGS_NOTE}; {CLIENTS} clients")
        server.create(DATABASE)
        server.create(SEALED)
        initialize(server.endpoint, DATABASE, 1)
        keys = directory / "keys"
        one = stack.enter_context(sealwire(server, POLICY, init=[SEALED], keys=keys))
        two = stack.enter_context(sealwire(server, POLICY, workers=2, keys=keys))
        fill_sealed(one.dsn(SEALED), rows)
        script = directory / "look.sql"
        script.write_text(look(FIRST, FIRST + rows - 1))
        run = partial(pgbench, clients=CLIENTS, seconds=bench.seconds)
        plain: dict[str, Contender] = {}
        if pooler is not None:
            plain["PgBouncer"] = partial(run, pooler, DATABASE, "-S", "-M", "prepared")
        sealed: dict[str, Contender] = {}
        for name, endpoint in (("1 worker", one), ("2 workers", two)):
            plain[name] = partial(run, endpoint, DATABASE, "-S", "-M", "prepared")
            sealed[name] = partial(run, endpoint, SEALED, "-M", "prepared", "-f", str(script))
        bench.compare(ROW, "pgbench -S -M prepared, no policy", plain, unit="transactions/s", base="1 worker")
        bench.compare(ROW, "sealed point select, prepared", sealed, unit="transactions/s", base="1 worker")
