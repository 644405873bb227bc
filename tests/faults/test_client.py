"""The client goes: at any byte of what it sends, by FIN or RST, in one direction only, or without a word."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from tests.faults.rig import SECRET, Rig, message, reset, startup, vanish

pytestmark = pytest.mark.faults

ROW = b"INSERT INTO ledger VALUES (1, 1, '" + SECRET.encode() + b"')\0"
PARSE = message(b"P", b"\0INSERT INTO ledger VALUES (1, $1, $2)\0\0\0")
BIND = message(b"B", b"\0\0\0\0\0\2\0\0\0\1" + b"2" + len(SECRET).to_bytes(4) + SECRET.encode() + b"\0\0")
EXECUTE = message(b"E", b"\0\0\0\0\0")
CONVERSATIONS = {
    "simple": message(b"Q", ROW),
    "extended": PARSE + BIND + EXECUTE + message(b"S"),
    "copy": message(b"Q", b"COPY ledger FROM STDIN\0")
    + message(b"d", b"1\t3\t" + SECRET.encode() + b"\n")
    + message(b"c"),
    "transaction": message(b"Q", b"BEGIN\0") + message(b"Q", ROW) + message(b"Q", b"COMMIT\0"),
}


@pytest.mark.parametrize("ending", ["fin", "rst"])
@pytest.mark.parametrize("kind", CONVERSATIONS)
def test_a_client_that_goes_at_any_byte_leaves_nothing_behind(
    rig: Rig, kind: str, ending: str, sizes: Callable[[int, int], int]
) -> None:
    """What is written down has been sent whole, and what was sent whole before a FIN is written once."""
    head, sent = startup(rig.database.dbname), CONVERSATIONS[kind]
    step = sizes(17, 1)
    whole = 0
    for end in [*range(0, len(head) + len(sent), step), len(head) + len(sent)]:
        client = socket.create_connection(("127.0.0.1", rig.port), timeout=30)
        client.sendall((head + sent)[:end])
        if ending == "rst":
            reset(client)
            continue
        client.shutdown(socket.SHUT_WR)  # half-open: what was asked for is still answered
        received = b""
        while piece := client.recv(65536):
            received += piece
        client.close()
        complete = end == len(head) + len(sent)
        whole += complete
        if complete:
            assert received.endswith(message(b"Z", b"I"))
    rig.assert_nothing_is_stuck()
    with rig.database.connect() as direct:
        row = direct.execute("SELECT count(*) FROM ledger").fetchone()
    assert row is not None
    # An unfinished Sync is no reason to commit; a RST may overtake what was sent in front of it.
    assert row[0] == whole if ending == "fin" else row[0] in (0, 1)
    rig.assert_serves()


def test_a_client_that_vanishes_in_a_transaction_gives_its_locks_back(rig: Rig) -> None:
    """A lock held by nobody would stop everybody else until the system's own keepalive, two hours later."""
    client = socket.create_connection(("127.0.0.1", rig.port), timeout=30)
    client.sendall(startup(rig.database.dbname) + message(b"Q", b"BEGIN; LOCK TABLE ledger\0"))
    received = b""
    while not received.endswith(message(b"Z", b"T")):
        received += client.recv(65536)
    assert rig.backends() == 1
    vanish(client)
    with rig.connect() as other:
        other.execute("SET lock_timeout = '30s'")
        other.execute("INSERT INTO ledger VALUES (1, 1, %s)", (SECRET,))
    rig.assert_nothing_is_stuck()
