"""The proxy as a program: one process or several, commands by signal, readiness, exit code.

SIGHUP    read columns.yaml and the certificates again
SIGTERM   stop accepting, let transactions finish for the grace period; the second time: end at once
SIGINT    end at once
"""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import socket
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

import structlog
import uvloop

from proxy import kernel
from proxy.config import Config
from proxy.server import listener
from proxy.server.edge import Edge
from proxy.server.supervisor import READY, Command, Supervisor

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

_YOUNG: Final = 10_000
"""New objects after which the garbage collector looks at them: about a millisecond. An analysis makes thousands, few of
which lie in cycles; Python's 700 would have it look at the growing tree again and again."""


class Service(Protocol):
    """What is served. The reloads log what went wrong and do not raise."""

    def make_edge(self, sockets: list[socket.socket]) -> Edge:
        """The edge of a process that serves, over sockets that are bound."""

    def reload_policy(self) -> None:
        """Read columns.yaml and the keys again; called in each process, the parent of workers included."""

    def reload_credentials(self) -> None:
        """Read again what edges that are made from now on begin with; called in the parent of workers."""


def run(
    config: Config,
    service: Service,
    *,
    workers: int,
    grace: float,
    sealed_columns: int,
) -> int:
    """Listen, serve until told to stop, and return the exit code. Main thread only. Raises ConfigError."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold keys and plaintext
    # Modules, classes and code live as long as the process: to look at them in every full collection takes 20 ms, and
    # would give each worker a copy of them.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG)
    sockets = listener.bind(config, shared_port=workers > 1)
    announce = partial(_announce, config, sockets, workers, sealed_columns)
    try:
        if workers == 1:
            return _serve(service, sockets, grace, announce, None)
        work = partial(_work, service, grace, sockets)
        return Supervisor(work, workers, on_ready=announce, on_reload=partial(_reload, service)).run()
    finally:
        listener.release(sockets)


def _reload(service: Service) -> None:
    """In the parent of workers, which serves nobody."""
    service.reload_policy()
    service.reload_credentials()


def _work(service: Service, grace: float, sockets: list[socket.socket], control: socket.socket) -> int:
    """A worker process: TCP sockets of its own on the port that the parent holds, or the parent's Unix socket."""
    if sockets[0].family != socket.AF_UNIX:
        reserved, sockets = sockets, listener.bind_shared(sockets)
        listener.close_all(reserved)
    return _serve(service, sockets, grace, partial(control.send, READY), control)


def _serve(
    service: Service,
    sockets: list[socket.socket],
    grace: float,
    on_ready: Callable[[], object],
    control: socket.socket | None,
) -> int:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve_until_told(service, service.make_edge(sockets), grace, on_ready, control))
    return 0


async def _serve_until_told(
    service: Service,
    edge: Edge,
    grace: float,
    on_ready: Callable[[], object],
    control: socket.socket | None,
) -> None:
    """Serve until told to stop and until all connections are closed."""
    loop = asyncio.get_running_loop()
    commands: asyncio.Queue[Command] = asyncio.Queue()
    loop.add_signal_handler(signal.SIGHUP, commands.put_nowait, Command.RELOAD)
    loop.add_signal_handler(signal.SIGTERM, commands.put_nowait, Command.DRAIN)
    if control is None:
        loop.add_signal_handler(signal.SIGINT, commands.put_nowait, Command.STOP)
    else:
        control.setblocking(False)
        loop.add_reader(control, _hear_parent, control, commands)
    await edge.start()
    on_ready()

    stopping: list[asyncio.Task[None]] = []
    while not any(task.done() for task in stopping):
        next_command = loop.create_task(commands.get())
        await asyncio.wait((next_command, *stopping), return_when=asyncio.FIRST_COMPLETED)
        if not next_command.done():
            next_command.cancel()
            break
        command = next_command.result()
        # Without a parent that counts, a second SIGTERM means: now.
        if command is Command.DRAIN and stopping and control is None:
            command = Command.STOP
        if command is Command.RELOAD:
            service.reload_policy()
            edge.reload_tls()
        elif command is Command.STOP or not stopping:
            _log.info("stopping", at_once=command is Command.STOP, connections=len(edge.connections))
            stopping.append(loop.create_task(edge.shutdown(grace if command is Command.DRAIN else 0)))
    await asyncio.gather(*stopping)
    _log.info("stopped")


def _hear_parent(control: socket.socket, commands: asyncio.Queue[Command]) -> None:
    try:
        said = control.recv(64)
    except OSError:
        said = b""
    if not said:  # the parent is gone
        asyncio.get_running_loop().remove_reader(control)
        commands.put_nowait(Command.STOP)
    for byte in said:
        commands.put_nowait(Command(bytes((byte,))))


def _announce(config: Config, sockets: list[socket.socket], workers: int, columns: int) -> None:
    port = config.listen.port if sockets[0].family == socket.AF_UNIX else sockets[0].getsockname()[1]
    if kernel.MISSING is not None:
        _log.info("no native kernel, values are sealed and opened in Python", reason=kernel.MISSING)
    _log.info(
        "listening", kernel=kernel.NAME, host=config.listen.host, port=port, workers=workers, sealed_columns=columns
    )
