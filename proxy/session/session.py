"""One client connection joined to one server connection, without sockets.

Bytes go in with `client_data` and `server_data`; what is to be written comes out of `take_to_client` and
`take_to_server`, which the caller empties after every call. A session begins when the StartupMessage has been sent to
the server, and lives in three stages: authentication, which is relayed; then either *transparent*, where the database
has no policy, or *under a policy*, where `Frontend` and `Backend` meet in a `Conversation`.

A peer that breaks the protocol ends the session: one FATAL ErrorResponse to the client, Terminate to the server. Where
it is the client, what it has asked before is answered first: the server is sent a type that it does not know either, in
the place of the violation, and answers all that came before, as it would have done without a proxy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from proxy.errors import ProtocolViolation, UnexpectedType
from proxy.session.authentication import Authentication
from proxy.session.backend import Backend
from proxy.session.conversation import Conversation, Copy, sealed_bound
from proxy.session.frontend import Frontend
from proxy.session.passthrough import Terms
from proxy.session.planner import Planner
from proxy.session.refusals import fatal
from proxy.session.replication import Replication, ReplicationFrontend, asked_for
from proxy.session.shared import Shared
from proxy.session.startup import Lowered
from proxy.session.steady import Steady
from proxy.session.transparent import Transparent
from proxy.wire import messages
from proxy.wire.frames import CLIENT_LENGTHS, MAX_MESSAGE, SERVER_LENGTHS, Frame, Item, Splitter

_ERROR: Final = ord("E")
_UNKNOWN: Final = b"\xff"
"""A message type of no version of the protocol; the server looks no further than this."""


def _is_violation(item: Item) -> bool:
    """Whether the server ends the connection on account of what it was sent."""
    if not isinstance(item, Frame) or item.type != _ERROR:
        return False
    fields = messages.parse_fields(item.raw)
    return messages.severity(fields) == b"FATAL" and messages.field(fields, b"C") == b"08P01"


Swift = Callable[[bytes], bytes | None]


class Session:
    """See above. `parameters` are those of the StartupMessage. `max_message` bounds, in bytes, what is collected of
    one message; messages that pass unchanged may be of any size. With `scram` the proxy takes part in SCRAM-SHA-256;
    `lowered` is what the client asked for and the server was not."""

    def __init__(
        self,
        shared: Shared,
        *,
        database: str,
        user: str,
        parameters: Mapping[str, str],
        max_message: int = MAX_MESSAGE,
        scram: Terms | None = None,
        lowered: Lowered | None = None,
    ) -> None:
        self.user = user
        self._shared = shared
        self._database = database
        self._replication = asked_for(parameters)
        self._client = Splitter(CLIENT_LENGTHS, side="frontend", heads="QFB", max_message=max_message)
        self._server = Splitter(SERVER_LENGTHS, side="backend", max_message=sealed_bound(max_message))
        self._max_message = max_message
        self._authentication = Authentication(scram, lowered)
        self._transparent: Transparent | None = None
        self._conversation: Conversation | None = None
        self._frontend: Frontend | None = None
        self._backend: Backend | None = None
        self._steady: Steady | None = None
        self._to_client: list[bytes] = []
        self._to_server: list[bytes] = []
        self._held: Item | None = None
        self._leaving = False  # the client has sent Terminate; what it asked before is still answered
        self._waiting = False
        self._closing = False
        self._offence: ProtocolViolation | None = None
        """The client has broken the protocol; it is not read any more."""
        self._offence_sent = False
        self._told_by_server = False
        """The client hears of it in the server's own words."""

    # -- what the server layer asks ------------------------------------------------------------------------------------

    @property
    def authenticated(self) -> bool:
        return self._authentication.authenticated

    @property
    def backend_key(self) -> bytes | None:
        """Body of BackendKeyData: process id and secret key, as a CancelRequest repeats them."""
        return self._authentication.backend_key

    @property
    def wants_client(self) -> bool:
        """False: the client is not to be read until the server has answered."""
        if self._closing or self._held is not None or self._waiting or self._offence is not None:
            return False
        return self._client.at_boundary or not self._copy_pending

    @property
    def closing(self) -> bool:
        """Write what is there to both, then close both."""
        return self._closing

    @property
    def idle(self) -> bool:
        """Between transactions, with nothing under way in either direction: a good moment to end."""
        if not self._authentication.ready or self._held is not None or not self._client.at_boundary:
            return False
        if self._transparent is not None:
            return self._transparent.idle
        c, frontend = self._conversation, self._frontend
        return (
            c is not None
            and frontend is not None
            and (self._steady is None or not self._steady.busy)
            and not c.replies
            and c.batch_empty
            and c.status == b"I"
            and not frontend.busy
        )

    def take_to_client(self) -> list[bytes]:
        """What is to be written to the client, in order; the session forgets it."""
        taken, self._to_client = self._to_client, []
        if self._conversation is not None:
            taken += self._conversation.to_client
            self._conversation.to_client = []
        return taken

    def take_to_server(self) -> list[bytes]:
        """What is to be written to the server, in order; the session forgets it."""
        taken, self._to_server = self._to_server, []
        if self._conversation is not None:
            taken += self._conversation.to_server
            self._conversation.to_server = []
        return [piece for piece in taken if piece]

    # -- what happens --------------------------------------------------------------------------------------------------

    @property
    def swift_client(self) -> Swift | None:
        """The short way of bytes from the client, which holds until another method is called: what takes them and
        gives what goes to the server, or None where they are for `client_data`. There is one only while
        `wants_client`, and it is to be used only with nothing left to take."""
        if self._leaving or not self.wants_client:
            return None
        if self._steady is not None:
            return self._steady.client
        transparent = self._transparent
        return None if transparent is None or not transparent.is_swift else transparent.swift_client

    @property
    def swift_server(self) -> Swift | None:
        """The same for bytes from the server."""
        if self._closing or self._waiting or self._offence is not None:
            return None
        if self._steady is not None:
            return self._steady.server
        transparent = self._transparent
        return None if transparent is None or not transparent.is_swift else transparent.swift_server

    def client_data(self, data: bytes) -> None:
        """Bytes from the client; to be called only while `wants_client`."""
        if self._closing or self._leaving or self._offence is not None:
            return
        if self._steady is not None:
            self._steady.unfold()
        self._client.feed(data)
        self._run_client()

    def server_data(self, data: bytes) -> None:
        """Bytes from the server."""
        if self._closing:
            return
        if self._steady is not None:
            self._steady.unfold()
        try:
            self._server.feed(data)
            if self._backend is not None:
                self._backend.regulate()
            while (item := self._server.next()) is not None:
                self._server_item(item)
            if self._frontend is not None:
                self._frontend.advance()
        except ProtocolViolation as violation:
            self._end(violation.sqlstate, violation.message)
            return
        self._run_client()

    def shutdown(self) -> None:
        """End now, as PostgreSQL's pg_terminate_backend() does."""
        if not self._closing:
            self._end("57P01", "terminating connection due to administrator command")

    def server_lost(self) -> None:
        """The server's side has ended. The client is told, unless the server has told it why."""
        if self._closing:
            return
        if self._leaving:
            self._closing = True
            return
        parts = (self._authentication, self._transparent, self._conversation)
        if any(part is not None and part.fatal_relayed for part in parts):
            self._closing = True
        elif self._offence is not None:
            self._end(self._offence.sqlstate, self._offence.message)
        else:
            self._end("08006", "the server closed the connection unexpectedly")

    # -- inside --------------------------------------------------------------------------------------------------------

    @property
    def _copy_pending(self) -> bool:
        """What the client sends next means one thing to a server that copies in and another to one that does not:
        until it is known which, it is not even split, for large CopyData may pass."""
        c = self._conversation
        if c is None or c.copy is not Copy.PENDING or self._client.in_message:
            return False
        head = c.replies.head
        return head is None or head[1].copy_error is None

    def _run_client(self) -> None:
        """Take what the client has sent, until it has to be held."""
        if self._offence is not None:
            self._pass_offence(self._offence)
            return
        try:
            while not self.closing and not self._leaving and not self._is_waiting():
                if self._held is None and self._copy_pending:
                    return
                item = self._held if self._held is not None else self._client.next()
                if item is None:
                    return
                self._held = None if self._client_item(item) else item
                if self._held is not None:
                    return
        except ProtocolViolation as violation:
            self._held, self._offence = None, violation
            self._pass_offence(violation)

    def _pass_offence(self, offence: ProtocolViolation) -> None:
        """The client's violation takes its place behind what is still to be answered. A server that reads rows would
        take it for one of them: it has answered all else."""
        transparent, c, frontend = self._transparent, self._conversation, self._frontend
        if self._offence_sent:
            return
        is_asked = transparent is not None and not transparent.settled
        if isinstance(offence, UnexpectedType) and (self._copying_in or is_asked):
            # The server looks no further than the type. Where it copies in, first the COPY fails, then the connection.
            self._offence_sent = self._told_by_server = True
            (self._to_server if c is None else c.to_server).append(bytes((offence.type,)))
            return
        if transparent is not None:
            asked = not transparent.copying and (transparent.is_open or not transparent.settled)
        elif c is not None and frontend is not None:
            if c.copy is Copy.PENDING or frontend.busy:
                return
            asked = bool(c.replies) and c.copy is Copy.NONE
        else:
            asked = False
        if not asked:
            self._end(offence.sqlstate, offence.message)
            return
        self._offence_sent = True
        (self._to_server if c is None else c.to_server).append(_UNKNOWN)

    @property
    def _copying_in(self) -> bool:
        """The server reads rows of the client."""
        if self._conversation is not None:
            return self._conversation.copy is Copy.IN
        return self._transparent is not None and self._transparent.copying

    def _is_waiting(self) -> bool:
        """A policy has come for a database that had none: it holds from the next batch on, and a batch that was sent
        without it has to be answered first."""
        transparent = self._transparent
        self._waiting = False
        if transparent is None or self._shared.policy is transparent.unaffected:
            return False
        if not self._shared.database(self._database).policy:
            transparent.unaffected = self._shared.policy
        elif not transparent.is_open and not self._client.in_message:
            self._waiting = not transparent.settled
            if not self._waiting:
                transparent.leave()
                self._begin_policy(transparent.status, inherited=True)
        return self._waiting

    def _client_item(self, item: Item) -> bool:
        """Deal with one item. False: it has to be held."""
        if not self._authentication.ready:
            raw = self._authentication.client(item)
            if raw is None:
                return False
            self._to_server.append(raw)
            self._leaving = raw[:1] == b"X"
            return True
        if self._transparent is not None:
            self._to_server.append(self._transparent.client(item))
            self._leaving = self._transparent.leaving
            return True
        assert self._frontend is not None and self._conversation is not None  # noqa: S101, PT018  (as in _server_item)
        handled = self._frontend.handle(item)
        self._leaving = self._conversation.leaving
        return handled

    def _server_item(self, item: Item) -> None:
        if self._offence is not None and self._offence_sent and not self._told_by_server and _is_violation(item):
            self._end(self._offence.sqlstate, self._offence.message)
        elif not self._authentication.ready:
            self._to_client.append(self._authentication.server(item))
            self._begin()
        elif self._transparent is not None:
            self._to_client.append(self._transparent.server(item))
        else:
            assert self._backend is not None  # noqa: S101  (one of the stages has begun)
            self._backend.handle(item)

    def _begin(self) -> None:
        """Once the server is ready: the stage for the rest of the session."""
        if not self._authentication.ready:
            return
        if not self._shared.database(self._database).policy:
            self._transparent = Transparent(self._shared, self._client, self._server, self._authentication.parameters)
        else:
            self._begin_policy(b"I", inherited=False)

    def _begin_policy(self, status: bytes, *, inherited: bool) -> None:
        self._transparent = None
        planner = Planner(self._shared, self._database, backend_pid=self._authentication.backend_pid)
        for name, value in self._authentication.parameters.items():
            planner.reported(name, value)
        conversation = Conversation(
            planner, self._shared.sealers, self._client, self._server, max_row=self._max_message
        )
        conversation.status = status
        self._conversation = conversation
        if self._replication is Replication.NONE:
            self._frontend = Frontend(conversation, inherited=inherited)
        else:
            # A value that the server does not take ends the connection there; until then nothing but commands passes.
            kind = self._replication or Replication.PHYSICAL
            self._frontend = ReplicationFrontend(conversation, kind, inherited=inherited)
        self._backend = Backend(conversation)
        self._steady = Steady(conversation, self._frontend, self._backend)

    def _end(self, sqlstate: str, message: str) -> None:
        """FATAL to the client, Terminate to the server. Nothing is put inside a message that has come out in part."""
        if not self._server.in_message:
            encoding = "UTF8" if self._conversation is None else self._conversation.settings.client_encoding
            (self._conversation.to_client if self._conversation else self._to_client).append(
                fatal(sqlstate, message, encoding)
            )
        if not self._client.in_message and not self._offence_sent:
            (self._conversation.to_server if self._conversation else self._to_server).append(messages.TERMINATE)
        self._held = None
        self._closing = True
