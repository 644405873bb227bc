"""The golden traces, which the fuzzers begin with: what each script sends, and what PostgreSQL answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from proxy.errors import ProtocolViolation
from tests.golden.conversation import play
from tests.golden.scripts import SCRIPTS, SETUP
from tests.session.playbook import split
from tests.support.servers import Database

Trace = Sequence[tuple[bytes, Sequence[bytes]]]
"""Per step what is sent, and the messages that answer it. The first step is the start-up."""
_LONGEST: Final = 2048


def recorded(database: Database) -> list[Trace]:
    """Every script played against an empty database."""
    with database.connect() as connection:
        connection.execute(SETUP.encode())
    traces: list[Trace] = []
    for script in SCRIPTS.values():
        answers = play(database.host, database.port, database.server.user, database.dbname, script)
        sent = (b"", *(step.sent for step in script))
        traces.append([(asked, list(filter(None, told))) for asked, told in zip(sent, answers, strict=True)])
    return traces


def asked(data: bytes) -> list[bytes]:
    """The messages in what a step sends; none where it is no protocol."""
    try:
        return split(data, to_server=True)
    except ProtocolViolation:
        return []


GOLDEN_MESSAGES: Final = tuple(
    dict.fromkeys(
        raw for script in SCRIPTS.values() for step in script for raw in asked(step.sent) if len(raw) < _LONGEST
    )
)
"""Each message that a script sends, once."""
