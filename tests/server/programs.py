"""Programs that the tests start and talk to by signals, with their log."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE = 20


class Program:
    """A running program, its log read line by line as it comes."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, *map(str, arguments)]
        self.process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.output: list[str] = []
        self._log: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.output.append(line)
            with suppress(ValueError):
                self._events.put(json.loads(line))
        self._events.put(None)

    def wait_for(self, event: str, times: int = 1) -> dict[str, Any]:
        """The last of the first `times` events of that name that the program has logged since it was started."""
        while len(found := [entry for entry in self._log if entry["event"] == event]) < times:
            entry = self._events.get(timeout=PATIENCE)
            assert entry is not None, f"the program ended without {event!r}"
            self._log.append(entry)
        return found[times - 1]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def exit_code(self) -> int:
        return self.process.wait(timeout=PATIENCE)

    @property
    def children(self) -> list[int]:
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    @property
    def peak_rss(self) -> int:
        """The most memory that the process has held since it began, in bytes (VmHWM)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        (line,) = [line for line in status if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join(PATIENCE)
        assert self.process.stderr is not None
        self.process.stderr.close()
