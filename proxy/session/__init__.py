"""One client connection: joins wire, sql and crypto; free of sockets."""

from proxy.session.session import Session
from proxy.session.shared import Shared

__all__ = ["Session", "Shared"]
