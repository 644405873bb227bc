"""COPY FROM STDIN: what the client sends while the server reads rows."""

from __future__ import annotations

from proxy.errors import Refused, UnexpectedType
from proxy.session.conversation import Conversation, Copy
from proxy.session.refusals import too_large
from proxy.wire import messages
from proxy.wire.frames import HEADER, Frame, Head, Oversized, Stream
from proxy.wire.replies import Kind


def pass_copy_data(c: Conversation, kind: str, item: Frame | Head | Oversized) -> bool:
    """The server is copying in, or was: a Sync counts where the COPY has failed before the server comes to it. A pooler
    in between would keep an account of its own, so there it is taken to be ignored."""
    head = c.replies.head
    if kind in "SH":
        if kind == "S" and head is not None and not c.planner.pooled:
            head[1].has_strays = True
            c.to_server.append(messages.SYNC)
        return True
    if kind not in "dcf":
        raise UnexpectedType(f"unexpected message type 0x{item.type:02X} during COPY from stdin", item.type)
    if isinstance(item, Oversized):
        c.fail_copy(too_large(f"a message of {item.size} bytes"))
        return True
    transform = None if head is None else head[1].copy
    data = item.raw if isinstance(item, Stream) else item.raw[HEADER:]
    try:
        if kind == "c":
            data = b""  # PostgreSQL does not look at it
        if transform is None or kind == "f":
            c.to_server.append(messages.message(kind.encode(), data))
        elif sealed := transform.feed(data) if kind == "d" else transform.finish():
            c.to_server.append(messages.message(b"d", sealed))
        if transform is not None and kind == "c":
            c.to_server.append(messages.COPY_DONE)
    except Refused as error:
        c.fail_copy(error)
        return True
    if kind != "d":
        c.copy = Copy.PENDING
        c.client.set_passing("d", passing=False)
        c.client.stream(None)
        if head is not None and head[0] is Kind.EXECUTE:
            c.to_server.append(messages.FLUSH)  # the answer is waited for, and Sync waits with it
    return True
