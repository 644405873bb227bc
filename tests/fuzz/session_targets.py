"""Targets of a session: start-up, authentication, and both directions of a conversation."""

from __future__ import annotations

from functools import cache
from typing import Final

from proxy.config import Policy
from proxy.crypto.scram import Verifier
from proxy.session import Session, Shared
from proxy.session.passthrough import Terms
from proxy.session.planner import Wanted
from proxy.session.startup import Answer, Cancel, Failed, NeedTls, Start, StartUp
from proxy.sql import analyse
from tests.fuzz.server import KNOWN, HonestServer
from tests.fuzz.source import SERVER, Source, pieces
from tests.fuzz.traces import GOLDEN_MESSAGES
from tests.session.playbook import POLICY, STARTED, Analyser, Book, Sealers, Talk, facts, kinds, query, shortly, split
from tests.session.test_session_fuzz import CANARY, CLIENT

# -- before a session --------------------------------------------------------------------------------------------------


def startup(data: bytes) -> None:
    """Any bytes in any pieces lead to one end, and never further."""
    source = Source(data)
    flags = source.byte()
    start = StartUp(offer_tls=bool(flags & 1), require_tls=bool(flags & 2), encrypted=bool(flags & 4))
    sizes = [source.byte(), source.byte()]
    for piece in pieces(source.rest(), sizes if flags & 8 else []):
        events = start.receive(piece)
        assert [type(event) for event in events].count(Answer) <= 2
        for event in events:
            if isinstance(event, NeedTls):
                assert not start.encrypted
                start.tls_started()
            elif isinstance(event, (Start, Cancel, Failed)):
                assert event is events[-1]
                if isinstance(event, Start):
                    assert event.user
                    assert event.database
                return


VERIFIER = Verifier.parse("SCRAM-SHA-256$1:MDEyMzQ1Njc4OWFiY2RlZg==$" + ":".join(["A" * 43 + "="] * 2))
assert VERIFIER is not None


def authentication(data: bytes) -> None:
    """Bytes of both sides before the server is ready: whatever they are, one FATAL at most."""
    source = Source(data)
    flags = source.byte()
    binding = b"proxy" if flags & 2 else None
    terms = Terms(VERIFIER, binding, b"server" if flags & 4 else None) if flags & 1 else None
    shared = Shared(POLICY, Sealers(), analyse=Book())
    session = Session(shared, database="shop", user="app", parameters={"user": "app"}, scram=terms)
    to_client = b""
    while source and not session.closing and not session.authenticated:
        side, piece = source.record()
        if side == SERVER:
            session.server_data(piece)
        elif session.wants_client:
            session.client_data(piece)
        to_client += b"".join(session.take_to_client())
        session.take_to_server()
    assert to_client.count(b"VFATAL\0C08P01") <= 1 + data.count(b"VFATAL\0C08P01")


# -- a session ---------------------------------------------------------------------------------------------------------


# A canary bound to another statement of the names that the client uses would be no sealed column's.
_GOLDEN: Final = [raw for raw in GOLDEN_MESSAGES if raw[:1] != b"P" or not raw[5:].startswith((b"\0", b"s\0"))]
HONEST: Final = tuple(dict.fromkeys((*CLIENT, *_GOLDEN)))
"""What the honest client chooses from, by a byte."""
assert len(HONEST) <= 256
MOST_ASKED: Final = 48
"""Messages of the honest client in one execution: what more of them cost finds nothing that fewer do not."""


@cache
def _known(analyse: Analyser) -> Shared:
    """An analysis with the catalog read and its plans kept: nothing in them changes."""
    shared = Shared(POLICY, Sealers(), analyse=analyse)
    talk = Talk(shared=shared)
    talk.client(query("SELECT 1"))
    talk.serve_reads(catalog=KNOWN)
    return shared


def _fresh(analyse: Analyser) -> Shared:
    known = _known(analyse)
    shared = Shared(POLICY, Sealers(), analyse=analyse)
    shared.systems.update(known.systems)
    shared.database("shop").snapshot = known.database("shop").snapshot
    return shared


_BOOK: Final = Book()


def server_side(data: bytes) -> None:
    """An honest client and any server: the client hears of one FATAL at most, and whatever the server does, it does
    not get a plaintext of a sealed column."""
    source = Source(data)
    if source.byte() & 1:  # what the server says to the first reading of the catalog is the fuzzer's too
        session = Talk(Book()).session
    else:
        session = Talk(shared=_fresh(_BOOK)).session
        assert session._conversation is not None
        session._conversation.planner.take((Wanted.SESSION,), [facts().encode()], 0)
    sent, left = bytearray(), MOST_ASKED
    while source and not session.closing:
        side, piece = source.record()
        if side == SERVER:
            swift = shortly(session, "server", piece)
            if swift is None:
                session.server_data(piece)
        else:
            for choice in piece[:left]:
                if not session.wants_client:
                    break
                left -= 1
                raw = HONEST[choice % len(HONEST)]
                if (swift := shortly(session, "client", raw)) is not None:
                    sent += swift
                else:
                    session.client_data(raw)
        session.take_to_client()
        sent += b"".join(session.take_to_server())
    assert CANARY not in sent
    assert CANARY.hex().encode() not in sent
    if session.closing:
        assert not session.wants_client


def _conversation(chunks: list[bytes], *, swift: bool, policy: Policy | None = None) -> tuple[bytes, bytes]:
    """What reaches the client and the server when a client's bytes come in these pieces."""
    shared = _fresh(analyse) if policy is None else Shared(policy, Sealers(), analyse=analyse)
    session = Session(shared, database="shop", user="app", parameters={"user": "app"}, max_message=1 << 20)
    session.server_data(STARTED)
    session.take_to_client()
    server = HonestServer()
    to_client, to_server, waiting = bytearray(), bytearray(), list(reversed(chunks))
    while not session.closing:
        sent = b""
        if waiting and session.wants_client:
            piece = waiting.pop()
            passed = shortly(session, "client", piece) if swift else None
            if passed is None:
                session.client_data(piece)
            sent = passed or b""
        sent += b"".join(session.take_to_server())
        to_server += sent
        to_client += b"".join(session.take_to_client())
        answer = server.receive(sent)
        if answer:
            passed = shortly(session, "server", answer) if swift else None
            if passed is None:
                session.server_data(answer)
            to_client += passed or b""
        if server.gone:
            session.server_lost()
        elif not answer and not sent and (not waiting or not session.wants_client):
            break
    to_client += b"".join(session.take_to_client())
    to_server += b"".join(session.take_to_server())
    return bytes(to_client), bytes(to_server)


def client_side(data: bytes) -> None:
    """Any client and an honest server: nothing is raised, the client gets whole messages and one FATAL at most, and
    how its bytes are cut makes no difference to it."""
    source = Source(data)
    policy = source.pick((None, None, None, Policy(())))
    sizes = [source.byte(), source.byte()]
    stream = source.rest()
    whole, _ = _conversation([stream], swift=True, policy=policy)
    cut, _ = _conversation(pieces(stream, sizes), swift=False, policy=policy)
    assert whole == cut
    told = split(whole, to_server=False)
    assert sum(b"VFATAL\0" in raw for raw in told if raw[:1] == b"E") <= 1
    assert kinds(told).count("Z") <= sum(stream.count(kind) for kind in b"QSF")
