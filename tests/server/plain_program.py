"""The proxy's process machinery with sessions that only pass bytes on; started by the tests as a program.

`python -m tests.server.plain_program DIRECTORY LISTEN_HOST UPSTREAM_HOST UPSTREAM_PORT WORKERS GRACE`; each reload adds
the process id to the file `reloads` in DIRECTORY, and each process that serves the number of objects that its garbage
collector leaves alone to the file `frozen`. A file `broken` there makes workers fail as soon as they start.
"""

from __future__ import annotations

import gc
import os
import socket
import sys
from pathlib import Path

from proxy.config import Config, Listen, Upstream
from proxy.server import logs, process
from proxy.server.edge import Edge
from proxy.session.startup import fatal_response
from tests.server.fakes import PlainSession, Sessions, make_config


class WatchingSession(PlainSession):
    """Idle when the last that the server said was ReadyForQuery outside a transaction."""

    farewell = fatal_response("57P01", "terminating connection due to administrator command")

    def server_data(self, data: bytes) -> None:
        super().server_data(data)
        self.idle = data.endswith(b"Z\0\0\0\5I")

    def client_data(self, data: bytes) -> None:
        super().client_data(data)
        self.idle = False


class Plain:
    """The service."""

    def __init__(self, directory: Path, config: Config) -> None:
        self._directory = directory
        self._config = config

    def make_edge(self, sockets: list[socket.socket]) -> Edge:
        if (self._directory / "broken").exists():
            raise RuntimeError
        with (self._directory / "frozen").open("a") as file:
            file.write(f"{gc.get_freeze_count()}\n")
        return Edge(self._config, Sessions(WatchingSession), sockets=sockets)  # type: ignore[arg-type]

    def reload_policy(self) -> None:
        with (self._directory / "reloads").open("a") as file:
            file.write(f"{os.getpid()}\n")

    def reload_credentials(self) -> None:
        """There are none."""


def main(directory: Path, listen_host: str, upstream_host: str, upstream_port: int, workers: int, grace: float) -> int:
    config: Config = make_config(
        directory / "sealwire.yaml",
        Listen(listen_host, 6432 if listen_host.startswith("/") else 0),
        Upstream(upstream_host, upstream_port, "disable"),
    )
    logs.configure()
    return process.run(config, Plain(directory, config), workers=workers, grace=grace, sealed_columns=0)


if __name__ == "__main__":
    where, listen, host, port, count, seconds = sys.argv[1:]
    sys.exit(main(Path(where), listen, host, int(port), int(count), float(seconds)))
