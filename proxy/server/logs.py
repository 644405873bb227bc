"""How the proxy logs: one event per line on standard error, JSON unless a person is watching.

Logs carry names, addresses, durations and SQLSTATEs. Never statements, parameters or rows, and so never the text of
an unexpected exception, which may quote them: only its type and where it was raised.
"""

from __future__ import annotations

import sys
import traceback

import structlog


def configure() -> None:
    """Set structlog up for a process that serves."""
    watched = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer() if watched else structlog.processors.JSONRenderer(),
        ],
        # One write per line: several processes share standard error.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )


def frames_of(error: BaseException) -> list[str]:
    """Where `error` was raised, outermost call first, as `file:line`."""
    return [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
