"""The targets by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tests.fuzz.session_targets import authentication, client_side, server_side, startup
from tests.fuzz.wire_targets import codecs, copy_data, framing, message_bodies

TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "framing": framing,
    "messages": message_bodies,
    "codecs": codecs,
    "copy": copy_data,
    "startup": startup,
    "authentication": authentication,
    "server": server_side,
    "client": client_side,
}
