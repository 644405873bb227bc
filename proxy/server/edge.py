"""The proxy of one process as an asyncio object: listeners, connections, reload, shutdown."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import Final, Self

import structlog

from proxy.config import Config, Policy
from proxy.errors import ConfigError
from proxy.server import listener, tls
from proxy.server.connection import Connection, Environment, OpenSession
from proxy.server.upstream import set_socket_options

FLUSH_TIME: Final = 2.0
"""Seconds that connections which are already closing keep for it when the others are cut."""
_ACCEPT_PAUSE: Final = 0.5

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
