"""Several worker processes: fork them, restart the ones that die, pass commands on.

The parent serves nobody. It holds one end of a socket pair per worker and speaks over it, one byte a command, instead
of sending signals: service managers and terminals signal every process of a group, and a worker must not take the
parent's echo of a signal for a second one. A worker whose end reads EOF has lost its parent and stops.

Forking happens while there are no threads and no event loop, and a worker that is restarted is forked from the same
parent, which has meanwhile reloaded whatever the others reloaded.
"""

from __future__ import annotations

import enum
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from proxy.server import logs
from proxy.server.logs import frames_of

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
_FIRST_DELAY: Final = 0.1
_LONGEST_DELAY: Final = 10.0
_STEADY: Final = 60.0
"""Seconds after which a worker counts as having started well, so that its next death is a first one again."""
_STOP_TIMEOUT: Final = 10.0
"""Seconds that a worker may take to stop at once before it is killed."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Command(bytes, enum.Enum):
    """What the parent says to a worker."""

    RELOAD = b"H"
    DRAIN = b"T"
    STOP = b"Q"


READY: Final = b"R"
"""What a worker says when it listens."""


@dataclass(eq=False, slots=True)
class _Worker:
    pid: int
    control: socket.socket
    started: float
    failures: int
    ready: bool = False


class Supervisor:
    """Keeps `count` processes running `work`, which is given its end of the socket pair and returns an exit code.

    `on_ready` is called once, when all workers listen; `on_reload` in the parent before the workers are told.
    """

    def __init__(
        self,
        work: Callable[[socket.socket], int],
        count: int,
        *,
        on_ready: Callable[[], None],
        on_reload: Callable[[], object],
    ) -> None:
        self._work = work
        self._count = count
        self._on_ready = on_ready
        self._on_reload = on_reload
        self._workers: dict[int, _Worker] = {}
        self._due: list[tuple[float, int]] = []  # (when, failures so far) of workers to be started again
        self._announced = False
        self._stopping: Command | None = None
        self._kill_at = float("inf")
        self._exit_code = 0
        self._selector = selectors.DefaultSelector()

    def run(self) -> int:
        """Blocks until all workers have ended; their exit code, 0 when all ended as told. Main thread only."""
        receive, send = socket.socketpair()
        send.setblocking(False)
        self._selector.register(receive, selectors.EVENT_READ)
        old = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
        old_wakeup = signal.set_wakeup_fd(send.fileno())
        try:
            self._due = [(0.0, 0)] * self._count
            while self._workers or (self._due and self._stopping is None):
                self._start_due()
                for key, _ in self._selector.select(self._timeout()):
                    if key.fileobj is receive:
                        for number in receive.recv(4096):
                            self._take_signal(signal.Signals(number))
                    else:
                        self._hear(key.data)
                if time.monotonic() >= self._kill_at:
                    self._kill()
        finally:
            signal.set_wakeup_fd(old_wakeup)
            for number, handler in old.items():
                signal.signal(number, handler)
            self._selector.close()
            receive.close()
            send.close()
        return self._exit_code

    def _timeout(self) -> float | None:
        times = [self._kill_at] if self._stopping else [when for when, _ in self._due]
        soonest = min(times, default=float("inf"))
        return None if soonest == float("inf") else max(0.0, soonest - time.monotonic())

    def _take_signal(self, number: signal.Signals) -> None:
        if number == signal.SIGCHLD:
            self._reap()
        elif number == signal.SIGHUP:
            self._on_reload()
            self._tell(Command.RELOAD)
        elif number == signal.SIGINT or self._stopping is not None:
            self._stop(Command.STOP)
        else:
            self._stop(Command.DRAIN)

    def _stop(self, command: Command) -> None:
        self._stopping = command
        if command is Command.STOP:
            self._kill_at = min(self._kill_at, time.monotonic() + _STOP_TIMEOUT)
        self._tell(command)

    def _tell(self, command: Command) -> None:
        for worker in self._workers.values():
            try:
                worker.control.send(command.value)
            except OSError:
                continue  # it is dying; SIGCHLD follows

    def _hear(self, worker: _Worker) -> None:
        try:
            said = worker.control.recv(16)
        except OSError:
            said = b""
        if not said:
            self._deafen(worker)
            return
        worker.ready = True
        if not self._announced and len(self._workers) == self._count and all(w.ready for w in self._workers.values()):
            self._announced = True
            self._on_ready()

    def _deafen(self, worker: _Worker) -> None:
        """Stop listening to a worker that has nothing more to say. Its death and its EOF come in either order."""
        if worker.control.fileno() >= 0:
            self._selector.unregister(worker.control)
            worker.control.close()

    def _kill(self) -> None:
        self._kill_at = float("inf")
        for worker in self._workers.values():
            _log.error("worker does not stop, killing it", pid=worker.pid)
            os.kill(worker.pid, signal.SIGKILL)

    # -- births and deaths ---------------------------------------------------------------------------------------------

    def _start_due(self) -> None:
        now = time.monotonic()
        if self._stopping is None:
            ripe = [failures for when, failures in self._due if when <= now]
            self._due = [(when, failures) for when, failures in self._due if when > now]
            for failures in ripe:
                self._fork(failures)

    def _fork(self, failures: int) -> None:
        ours, theirs = socket.socketpair()
        logs.flush()
        # A signal that arrives in the child before it has let go of the parent's wake-up socket would reach the parent.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if pid == 0:
            self._be_worker(ours, theirs)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        theirs.close()
        worker = _Worker(pid, ours, time.monotonic(), failures)
        self._workers[pid] = worker
        self._selector.register(ours, selectors.EVENT_READ, worker)

    def _be_worker(self, ours: socket.socket, theirs: socket.socket) -> None:
        """The child's whole life; never returns."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the parent says what it means
            # The parent's ends, or no worker would ever notice that the parent is gone.
            ours.close()
            for worker in self._workers.values():
                worker.control.close()
            self._selector.close()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            code = self._work(theirs)
        except Exception as error:
            _log.error("internal error, worker ends", error=type(error).__name__, frames=frames_of(error))
        finally:
            logs.flush()
            os._exit(code)

    def _reap(self) -> None:
        for worker in list(self._workers.values()):
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                del self._workers[pid]
                self._bury(worker, os.waitstatus_to_exitcode(status))

    def _bury(self, worker: _Worker, code: int) -> None:
        self._hear(worker)  # it may have said that it was ready before it died
        self._deafen(worker)
        if self._stopping is not None:
            self._exit_code = self._exit_code or (code if code > 0 else 1 if code < 0 else 0)
            return
        if not self._announced and not worker.ready:
            _log.error("a worker could not start", pid=worker.pid, exit_code=code)
            self._exit_code = code if code > 0 else 1
            self._stop(Command.STOP)
            return
        now = time.monotonic()
        failures = 0 if now - worker.started >= _STEADY else worker.failures
        delay = min(_FIRST_DELAY * 2**failures, _LONGEST_DELAY)
        _log.error("worker died, starting another", pid=worker.pid, exit_code=code, delay=delay)
        self._due.append((now + delay, failures + 1))
