"""Targets of a session: start-up, authentication, and both directions of a conversation."""

from __future__ import annotations

from functools import cache

from proxy.config import Policy
from proxy.crypto.scram import Verifier
from proxy.errors import ProtocolViolation
from proxy.session import Session, Shared
from proxy.session.passthrough import Terms
from proxy.session.startup import Answer, Cancel, Failed, NeedTls, Start, StartUp
from proxy.sql import analyse
from tests.fuzz.server import HonestServer
from tests.fuzz.source import SERVER, Source, pieces
from tests.session.playbook import POLICY, STARTED, Book, Sealers, Talk, kinds, shortly, split
from tests.session.test_session_fuzz import CANARY
from tests.session.test_session_fuzz import CLIENT as HONEST

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


def server_side(data: bytes) -> None:
    """An honest client and any server: the client hears of one FATAL at most, and whatever the server does, it does
    not get a plaintext of a sealed column."""
    source = Source(data)
    talk = Talk(Book()).warm()
    talk.sent.clear()
    session = talk.session
    while source and not session.closing:
        side, piece = source.record()
        if side == SERVER:
            swift = shortly(session, "server", piece)
            if swift is None:
                session.server_data(piece)
        else:
            for choice in piece:
                if not session.wants_client:
                    break
                raw = HONEST[choice % len(HONEST)]
                if (swift := shortly(session, "client", raw)) is not None:
                    talk.sent += swift
                else:
                    session.client_data(raw)
        session.take_to_client()
        talk.sent += b"".join(session.take_to_server())
    assert CANARY not in talk.sent
    assert CANARY.hex().encode() not in talk.sent
    if session.closing:
        assert not session.wants_client


@cache
def _catalog_shared() -> Shared:
    """The real analysis, its catalog read and its plans kept: nothing in them changes."""
    shared = Shared(POLICY, Sealers(), analyse=analyse)
    Talk(shared=shared).warm()
    return shared


def _fresh() -> Shared:
    known = _catalog_shared().database("shop").snapshot
    shared = Shared(POLICY, Sealers(), analyse=analyse)
    shared.database("shop").snapshot = known
    return shared


def _conversation(chunks: list[bytes], *, swift: bool, policy: Policy | None = None) -> tuple[bytes, bytes]:
    """What reaches the client and the server when a client's bytes come in these pieces."""
    shared = _fresh() if policy is None else Shared(policy, Sealers(), analyse=analyse)
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
        try:
            answer = server.receive(sent)
        except ProtocolViolation:  # what passes a transparent session unseen
            assert policy is not None
            break
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
    # A violation ends the session at once, so what is answered before it is a matter of time.
    assert whole == cut or (b"VFATAL\0" in whole and b"VFATAL\0" in cut)
    told = split(whole, to_server=False)
    assert sum(b"VFATAL\0" in raw for raw in told if raw[:1] == b"E") <= 1
    assert kinds(told).count("Z") <= sum(stream.count(kind) for kind in b"QSF")
