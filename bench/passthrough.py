"""Row 1: a database without a policy, pgbench -S: what the proxy costs where it has nothing to do."""

from __future__ import annotations

from functools import partial

from bench.harness import Bench, Contender
from bench.programs import SETTINGS_NOTE, Endpoint, initialize, pgbench, pgbouncer, postgres, sealwire

ROW = 1
DATABASE = "plain"
PROTOCOLS = ("simple", "extended", "prepared")
TARGET = ("PgBouncer", 0.75)


def measure(bench: Bench) -> None:
    with postgres() as server, pgbouncer(server) as pooler, sealwire(server) as proxy:
        bench.note(f"PostgreSQL {server.version}; {SETTINGS_NOTE}")
        server.create(DATABASE)
        initialize(server.endpoint, DATABASE, 1 if bench.quick else 10)
        for clients in (8,) if bench.quick else (1, 8, 64):
            for protocol in PROTOCOLS:
                endpoints = {"direct": server.endpoint, "PgBouncer": pooler, "Sealwire": proxy}
                bench.compare(
                    ROW,
                    f"pgbench -S -M {protocol}, {clients} client{'s' if clients > 1 else ''}, no policy",
                    {
                        name: _contender(endpoint, protocol, clients, bench.seconds)
                        for name, endpoint in endpoints.items()
                        if endpoint is not None
                    },
                    unit="transactions/s",
                    base="direct",
                    targets={"Sealwire": TARGET} if (protocol, clients) == ("prepared", 8) else None,
                )


def _contender(endpoint: Endpoint, protocol: str, clients: int, seconds: float) -> Contender:
    return partial(pgbench, endpoint, DATABASE, "-S", "-M", protocol, clients=clients, seconds=seconds)
