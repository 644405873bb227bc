"""What a campaign sees of the command and of the server meanwhile, and how it kills."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

import psycopg

from tests.life.ledger_writers import Writer

AFTER_FILL = 0.1
"""Share of the places to kill at that are in what follows the filling of the shadow."""
_LOOK_EVERY = 0.02
_LINES_EVERY = 0.5  # seconds between two lines of progress


class Timeline:
    """In which phase the command was when."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._phases: list[tuple[float, str]] = []

    def note(self, phase: str) -> None:
        if not self._phases or self._phases[-1][1] != phase:
            self._phases.append((time.monotonic(), phase))

    def phase_at(self, moment: float) -> str:
        earlier = [phase for since, phase in self._phases if since <= moment]
        return earlier[-1] if earlier else "before"

    @property
    def seconds(self) -> float:
        """From the beginning to the last phase that was noted."""
        return self._phases[-1][0] - self._began


class Starters:
    """Processes that wait for a word to become the command. A fork would hold up the writers, which are threads of this
    process, and look like a wait that the command has caused."""

    def __init__(self, line: Sequence[str], count: int) -> None:
        self._waiting = [
            subprocess.Popen(
                ["sh", "-c", 'read go; exec "$@"', "sh", *line],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            for _ in range(count)
        ]

    def __enter__(self) -> Starters:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._waiting:
            process.kill()
            process.communicate()

    def start(self) -> subprocess.Popen[bytes]:
        process = self._waiting.pop()
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
        return process


def seal_and_kill(start: Callable[[], subprocess.Popen[bytes]], rows: int, kills: int, timeline: Timeline) -> list[str]:
    """Runs the command until it is done, killed at `kills` random places on the way; where they were.

    The places are drawn over the work, not over the time, which nobody knows beforehand: at so many rows written by all
    runs together, or after the last row. Fewer come back where the command was faster.
    """
    places = sorted(random.uniform(0.0, 1.0 + AFTER_FILL) for _ in range(kills))
    killed: list[str] = []
    written_before = 0
    while True:
        process = start()
        assert process.stdout is not None
        written = 0
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] != "progress":
                continue
            timeline.note(event["phase"])
            is_filling = event["phase"] == "fill"
            written = event["rows"] if is_filling else written
            done = (written_before + written) / rows if is_filling else 1.0
            if len(killed) < kills and done >= min(places[len(killed)], 1.0):
                time.sleep(random.uniform(0.0, _LINES_EVERY))
                process.send_signal(signal.SIGKILL)
                if process.wait() == -signal.SIGKILL:
                    killed.append(f"{event['phase']}, {done:.0%}" if is_filling else event["phase"])
                    print(f"killed: {killed[-1]}", file=sys.stderr)
                break
        written_before += written
        _, err = process.communicate()
        if process.returncode == 0:
            timeline.note("done")
            return killed
        if process.returncode != -signal.SIGKILL:
            raise SystemExit(err.decode())
        timeline.note("killed")


class LockWatch:
    """Looks again and again how long writers have been waiting for a lock, to some 20 ms."""

    def __init__(self, dsn: str, writers: Sequence[Writer]) -> None:
        self.longest = 0.0
        """Seconds."""
        self.longest_at = 0.0
        self._dsn, self._writers = dsn, writers
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> LockWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        query = (
            "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - waitstart)), 0)::float8 FROM pg_locks"
            " WHERE NOT granted AND pid = ANY (%s)"
        )
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            while not self._stopped.wait(_LOOK_EVERY):
                row = connection.execute(query, [[writer.pid for writer in self._writers]]).fetchone()
                assert row is not None
                if row[0] > self.longest:
                    self.longest, self.longest_at = row[0], time.monotonic()


class Noise:
    """Plain UPDATEs of another table, `jobs` at a time: as much work for the machine, and no lock that others need."""

    def __init__(self, dsn: str, table: str, rows: int, jobs: int, batch: int) -> None:
        self._dsn, self._table, self._rows, self._batch = dsn, table, rows, batch
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n, jobs), daemon=True) for n in range(jobs)]

    def __enter__(self) -> Noise:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int, jobs: int) -> None:
        query = f"UPDATE {self._table} SET n = n + 1 WHERE id BETWEEN %s AND %s"
        first = number * self._batch
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            while not self._stopped.is_set():
                connection.execute(query, [first + 1, first + self._batch])
                first = (first + jobs * self._batch) % self._rows
