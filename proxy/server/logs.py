"""How the proxy logs: one event per line on standard error, JSON unless a person is watching.

Logs carry names, addresses, durations and SQLSTATEs. Never statements, parameters or rows, and so never the text of
an unexpected exception, which may quote them: only its type and where it was raised.
"""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from typing import Final

import structlog

_STANDARD_ERROR: Final = 2


class _Log:
    """Standard error, one write a line: several processes share it. Where it is full, closed or its reader is gone, the
    line is lost and the proxy goes on. Nothing is kept back in a buffer, which would fail again later."""

    def msg(self, line: str) -> None:
        if sys.stderr is None:
            return  # closed when the program was started: its number may since be that of a connection
        with suppress(OSError):
            os.write(_STANDARD_ERROR, line.encode(errors="backslashreplace") + b"\n")

    debug = info = warning = error = critical = msg


def configure() -> None:
    """Set structlog up for a process that serves."""
    _occupy_standard_descriptors()
    log = _Log()
    watched = sys.stderr is not None and os.isatty(_STANDARD_ERROR)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer() if watched else structlog.processors.JSONRenderer(),
        ],
        logger_factory=lambda *_: log,
    )


def _occupy_standard_descriptors() -> None:
    """Where the program was started without one of them, the next socket would get its number: libuv ends a process
    that closes such a socket, and whatever a library writes to standard error would go to a peer."""
    for descriptor in range(_STANDARD_ERROR + 1):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def flush() -> None:
    """What Python has buffered for the standard streams, as far as they take it."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # None where the program was started without one
            stream.flush()


def frames_of(error: BaseException) -> list[str]:
    """Where `error` was raised, outermost call first, as `file:line`."""
    return [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
