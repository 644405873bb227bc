"""A session of a database without a policy: every byte passes; only the borders of transactions are watched."""

from __future__ import annotations

from collections import deque
from typing import Final

from proxy import kernel
from proxy.config import Policy
from proxy.errors import ProtocolViolation
from proxy.session.shared import Shared
from proxy.wire import messages
from proxy.wire.frames import CLIENT_LENGTHS, SERVER_LENGTHS, Head, Item, Oversized, Run, Splitter, lengths_of

CLIENT_PASSING: Final = "PBDECHd"
SERVER_PASSING: Final = "123nsIcTtDCAdHV"
_LONGEST: Final = 4 * 1024
"""A larger piece is likely to end within a message; then the look would be lost, and splitting it costs little more."""
_ANSWERED: Final = frozenset(b"QSF")
_UNANSWERED: Final = b"PBDECH"
_ASKING: Final = kernel.Headers(lengths_of(CLIENT_LENGTHS, "PBDECHQSF"), _LONGEST).kinds
_ANSWERING: Final = kernel.Headers(lengths_of(SERVER_LENGTHS, "123nsITtDCAZN"), _LONGEST).kinds
_READY: Final = ord("Z")
_STATUS: Final = {ord("I"): b"I", ord("T"): b"T", ord("E"): b"E"}


class Transparent:
    """Both directions. `parameters` is kept up to date with what ParameterStatus reports."""

    def __init__(self, shared: Shared, client: Splitter, server: Splitter, parameters: dict[str, str]) -> None:
        self.status = b"I"
        self.fatal_relayed = False
        self.leaving = False
        self.unaffected: Policy | None = None
        """The policy that was last seen to leave this session alone."""
        self._shared = shared
        self._client = client
        self._server = server
        self.is_open = False
        """Something was sent since the last message that ReadyForQuery answers."""
        self._parameters = parameters
        self._outstanding: deque[int] = deque()  # types of the messages that ReadyForQuery will answer
        self._copying = False
        self._streaming = 0  # bytes to come of a large Query or FunctionCall
        client.set_passing(CLIENT_PASSING, passing=True)
        server.set_passing(SERVER_PASSING, passing=True)

    def leave(self) -> None:
        """Messages are to be seen again: a policy has come."""
        self._client.set_passing(CLIENT_PASSING, passing=False)
        self._server.set_passing(SERVER_PASSING, passing=False)

    @property
    def settled(self) -> bool:
        """Every message that asks for ReadyForQuery has got it."""
        return not self._outstanding and not self._copying

    @property
    def copying(self) -> bool:
        """The server reads or sends what is copied in or both ways."""
        return self._copying

    @property
    def idle(self) -> bool:
        return self.settled and not self.is_open and self.status == b"I"

    # -- what came in is forwarded as one piece ------------------------------------------------------------------------

    @property
    def is_swift(self) -> bool:
        """What comes in now may be given to `swift_client` and `swift_server`, until an item comes."""
        return (
            not self._copying
            and not self._streaming
            and not self.leaving
            and self._client.at_boundary
            and self._server.at_boundary
        )

    def swift_client(self, data: bytes) -> bytes | None:
        """`data`: it is to be forwarded as it is, and has been noted. None: it is to be split."""
        kinds = _ASKING(data)
        if not kinds or self._shared.policy is not self.unaffected:
            return None
        self._outstanding.extend(kinds.translate(None, _UNANSWERED))
        self.is_open = kinds[-1] not in _ANSWERED
        return data

    def swift_server(self, data: bytes) -> bytes | None:
        """As `swift_client`."""
        kinds = _ANSWERING(data)
        if not kinds:
            return None
        ready = kinds.count(b"Z")
        if ready:
            status = _STATUS.get(data[-1])
            if kinds[-1] != _READY or status is None or ready > len(self._outstanding):
                return None
            self.status = status
            for _ in range(ready):
                self._outstanding.popleft()
        return data

    # -- item by item --------------------------------------------------------------------------------------------------

    def client(self, item: Item) -> bytes:
        """The bytes to forward."""
        if isinstance(item, Run):
            streamed = min(self._streaming, len(item))
            self._streaming -= streamed
            self.is_open = self.is_open or len(item) > streamed
            return item
        if isinstance(item, Oversized):
            raise ProtocolViolation("invalid message length")
        if isinstance(item, Head):
            self._client.pass_frame()
            self._streaming = item.size
        kind = item.type
        if kind in b"cf":
            self._copying = False
        elif kind in b"QF" or (kind in b"S" and not self._copying):
            self._outstanding.append(kind)
            self.is_open = False
        elif kind in b"X":
            self.leaving = True
        return b"" if isinstance(item, Head) else item.raw

    def server(self, item: Item) -> bytes:
        """The bytes to forward."""
        if isinstance(item, Run):
            return item
        if isinstance(item, (Oversized, Head)):
            raise ProtocolViolation("invalid message length")
        kind, raw = item.type, item.raw
        if kind in b"Z":
            self.status = messages.parse_ready(raw)
            self._copying = False
            if self._outstanding:
                self._outstanding.popleft()
        elif kind in b"GW":
            self._copying = True
            if self._outstanding and self._outstanding[0] in b"S":
                self._outstanding.popleft()  # a server that copies in ignores Sync
        elif kind in b"S":
            name, value = messages.parse_parameter_status(raw)
            self._parameters[name.decode(errors="replace")] = value.decode(errors="replace")
        elif kind in b"E":
            self._copying = False
            self.fatal_relayed = messages.severity(messages.parse_fields(raw)) in (b"FATAL", b"PANIC")
        return raw
