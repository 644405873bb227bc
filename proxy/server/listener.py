"""Listening sockets: TCP, alone or shared by processes through SO_REUSEPORT, and Unix sockets named as PostgreSQL's."""

from __future__ import annotations

import errno
import socket
from pathlib import Path
from typing import Final

from proxy.config import Config, Listen
from proxy.errors import ConfigError
from proxy.server.tls import is_socket_directory

BACKLOG: Final = 512
# localhost may name ::1 on a machine without IPv6; one address that is there is enough, as for PostgreSQL.
_NO_SUCH_ADDRESS: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def socket_path(listen: Listen) -> Path:
    """The Unix socket of a listener whose host is a directory, named as PostgreSQL names it."""
    return Path(listen.host) / f".s.PGSQL.{listen.port}"


def bind(config: Config, *, shared_port: bool = False) -> list[socket.socket]:
    """Sockets bound to listen.host and listen.port, not yet listening: one for each address of the host name.

    `shared_port`: further processes will bind the same TCP port with `bind_shared`; another program's listener on it is
    still noticed. Port 0 takes a free port, the same for all addresses. Raises ConfigError naming listen.host or
    listen.port.
    """
    listen = config.listen
    try:
        if is_socket_directory(listen.host):
            return [_bind_unix(socket_path(listen))]
        if shared_port and listen.port:
            close_all(_bind_tcp(listen, reuse_port=False))
        return _bind_tcp(listen, reuse_port=shared_port)
    except socket.gaierror as error:
        raise ConfigError(f"{listen.host}: {error.strerror}", path=config.path, key="listen.host") from error
    except OSError as error:
        message = f"cannot listen on {listen.host} port {listen.port}: {error.strerror or error}"
        raise ConfigError(message, path=config.path, key="listen.port") from error


def bind_shared(reserved: list[socket.socket]) -> list[socket.socket]:
    """A worker's own sockets beside the TCP sockets that its parent holds the port with. Raises OSError.

    Each worker listens on sockets of its own, so the kernel stops giving connections to a worker that has died.
    """
    return [_bind_address(sock.family, sock.getsockname(), reuse_port=True) for sock in reserved]


def release(sockets: list[socket.socket]) -> None:
    """Close listening sockets for good: the file of a Unix socket goes too."""
    for sock in sockets:
        if sock.family == socket.AF_UNIX and sock.fileno() >= 0:
            Path(sock.getsockname()).unlink(missing_ok=True)
        sock.close()


def close_all(sockets: list[socket.socket]) -> None:
    for sock in sockets:
        sock.close()


def _bind_tcp(listen: Listen, *, reuse_port: bool) -> list[socket.socket]:
    port = listen.port
    bound: list[socket.socket] = []
    missing: OSError | None = None
    for family, _, _, _, address in socket.getaddrinfo(
        listen.host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    ):
        try:
            sock = _bind_address(family, (address[0], port, *address[2:]), reuse_port=reuse_port)
        except OSError as error:
            if error.errno in _NO_SUCH_ADDRESS:
                missing = error
                continue
            close_all(bound)
            raise
        bound.append(sock)
        port = sock.getsockname()[1]
    if missing is not None and not bound:
        raise missing
    return bound


def _bind_address(family: int, address: tuple[object, ...], *, reuse_port: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def _bind_unix(path: Path) -> socket.socket:
    """A socket file that no process answers on is left over from a crash and is replaced."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        sock.bind(str(path))
        path.chmod(0o777)  # PostgreSQL's unix_socket_permissions: who may connect is the directory's matter
    except OSError:
        sock.close()
        raise
    return sock


def _remove_stale(path: Path) -> None:
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        if probe.connect_ex(str(path)) == 0:
            raise OSError(errno.EADDRINUSE, "another process is listening on this socket")
    path.unlink()
