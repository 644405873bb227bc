"""SIGHUP to `serve` over TLS: who gets which certificate, with one process, with two, and when these were replaced."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import yaml

from proxy.config import load_config
from proxy.crypto import FileProvider, Keyring
from proxy.session.startup import SSL_REQUEST
from tests.server.certificates import Authority, Pair
from tests.server.programs import PATIENCE, Program
from tests.server.test_serve import SERVE
from tests.support.servers import Database

Install = Callable[[Pair], None]
_TRIES = 20
"""The kernel chooses the worker of a connection: that all of so many come to one of two is one case in 500,000."""


@pytest.fixture
def config_file(tmp_path: Path, database: Database) -> Path:
    """listen.cert and listen.key are server.crt and server.key beside it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    listen = {"host": "127.0.0.1", "port": port, "tls": "require", "cert": "server.crt", "key": "server.key"}
    document = {"listen": listen, "upstream": {"host": database.host, "port": database.port}}
    path = tmp_path / "sealwire.yaml"
    path.write_text(yaml.safe_dump(document))
    (tmp_path / "columns.yaml").write_text("{}\n")
    Keyring.create(tmp_path / "keyring.json", FileProvider.create(tmp_path / "master.key"))
    return path


@pytest.fixture
def install(config_file: Path) -> Install:
    def install(pair: Pair) -> None:
        for name, source in (("server.key", pair.key), ("server.crt", pair.cert)):
            config_file.with_name(name).write_bytes(source.read_bytes())

    return install


@pytest.fixture
def start(config_file: Path) -> Iterator[Callable[[int], Program]]:
    started: list[Program] = []

    def start(workers: int) -> Program:
        document = yaml.safe_load(config_file.read_text()) | {"workers": workers}
        config_file.write_text(yaml.safe_dump(document))
        started.append(program := Program("-c", SERVE, config_file))
        program.wait_for("listening")
        return program

    yield start
    for program in started:
        program.end()


def dsn(config_file: Path, database: Database, authority: Authority) -> str:
    listen = load_config(config_file, {}).listen
    return (
        f"host=127.0.0.1 port={listen.port} user={database.server.user} dbname={database.dbname} "
        f"sslmode=verify-full sslrootcert={authority.ca}"
    )


def shown(config_file: Path) -> set[bytes]:
    """The certificates that new connections see."""
    port = load_config(config_file, {}).listen.port
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    found = set()
    for _ in range(_TRIES):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            sock.sendall(struct.pack("!ii", 8, SSL_REQUEST))
            assert sock.recv(1) == b"S"
            with context.wrap_socket(sock, server_hostname="127.0.0.1") as tls:
                certificate = tls.getpeercert(binary_form=True)
                assert certificate is not None
                found.add(certificate)
    return found


def encoded(pair: Pair) -> set[bytes]:
    return {ssl.PEM_cert_to_DER_cert(pair.cert.read_text())}


def listening(config_file: Path) -> int:
    """How many sockets accept at the port."""
    port = load_config(config_file, {}).listen.port
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(local.endswith(f":{port:04X}") and state == "0A" for _, local, _, state, *_ in lines)


def replace_workers(program: Program, config_file: Path) -> None:
    """Kill both and wait for two others."""
    killed = set(program.children)
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while killed & set(program.children) or listening(config_file) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("workers", [1, 2])
def test_new_connections_see_the_new_certificate_and_old_ones_stay_open(
    config_file: Path,
    database: Database,
    install: Install,
    start: Callable[[int], Program],
    authority: Authority,
    other_authority: Authority,
    workers: int,
) -> None:
    first, second = authority.issue("127.0.0.1"), other_authority.issue("127.0.0.1")
    install(first)
    program = start(workers)
    assert shown(config_file) == encoded(first)
    with psycopg.connect(dsn(config_file, database, authority)) as old:
        install(second)
        program.signal(signal.SIGHUP)
        program.wait_for("certificates reloaded", workers + (workers > 1))
        assert shown(config_file) == encoded(second)
        assert old.execute("SELECT 'old'").fetchone() == ("old",)
    with psycopg.connect(dsn(config_file, database, other_authority)) as new:
        assert new.execute("SELECT 'new'").fetchone() == ("new",)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_certificate_that_cannot_be_used_leaves_the_one_before(
    config_file: Path, install: Install, start: Callable[[int], Program], authority: Authority, workers: int
) -> None:
    pair = authority.issue("127.0.0.1")
    install(pair)
    program = start(workers)
    config_file.with_name("server.crt").write_text("not a certificate")
    program.signal(signal.SIGHUP)
    told = program.wait_for("certificates not reloaded, the old ones stay", workers + (workers > 1))
    assert "listen.cert: cannot use" in told["reason"]
    assert shown(config_file) == encoded(pair)


def test_a_worker_that_was_replaced_serves_what_the_last_reload_took_over(
    config_file: Path,
    database: Database,
    install: Install,
    start: Callable[[int], Program],
    authority: Authority,
    other_authority: Authority,
) -> None:
    """Not what the files hold by then, which may not be usable, and not what they held at the start."""
    first, second = authority.issue("127.0.0.1"), other_authority.issue("127.0.0.1")
    columns = config_file.with_name("columns.yaml")
    install(first)
    program = start(2)
    install(second)
    columns.write_text(f"{database.dbname}:\n  public.t:\n    a: {{type: text, search: none}}\n")
    program.signal(signal.SIGHUP)
    program.wait_for("certificates reloaded", 3)
    config_file.with_name("server.crt").write_text("not a certificate")
    columns.write_text("shop: 7\n")
    config_file.with_name("keyring.json").write_text("{}")
    replace_workers(program, config_file)
    assert shown(config_file) == encoded(second)
    program.signal(signal.SIGHUP)
    program.wait_for("certificates not reloaded, the old ones stay", 3)
    replace_workers(program, config_file)
    assert shown(config_file) == encoded(second)
    with database.connect() as direct:
        direct.execute("CREATE TABLE t (a text)")
    with (
        psycopg.connect(dsn(config_file, database, other_authority)) as through,
        pytest.raises(psycopg.errors.FeatureNotSupported, match="sealed"),
    ):
        through.execute("INSERT INTO t VALUES ('the column is plain, which the policy forbids')")
