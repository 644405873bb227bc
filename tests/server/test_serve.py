"""`serve` as the command runs it: configuration files, real sessions, ordinary drivers; no column is sealed here."""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psycopg
import pytest
import yaml

from proxy.config import load_config, load_policy
from proxy.crypto import FileProvider, Keyring, make_provider
from proxy.server.main import Proxy
from proxy.session.shared import Shared
from tests.server.certificates import Authority
from tests.server.programs import PATIENCE, Program
from tests.support.servers import Database

SERVE = """
import sys
from pathlib import Path
from proxy.config import load_config
from proxy.errors import SealwireError
from proxy.server.main import serve
try:
    sys.exit(serve(load_config(Path(sys.argv[1]), {})))
except SealwireError as error:
    print(error, file=sys.stderr)
    sys.exit(2)
"""
Configure = Callable[..., Path]


@pytest.fixture
def configure(tmp_path: Path, database: Database) -> Configure:
    """Writes sealwire.yaml and what it names; keyword arguments add to its sections."""

    def configure(workers: int = 1, upstream: dict[str, object] | None = None, **listen: object) -> Path:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        path = tmp_path / "sealwire.yaml"
        document = {
            "listen": {"host": "127.0.0.1", "port": port, **listen},
            "upstream": {"host": database.host, "port": database.port, **(upstream or {})},
            "workers": workers,
        }
        path.write_text(yaml.safe_dump(document))
        (tmp_path / "columns.yaml").write_text("{}\n")
        if not (tmp_path / "master.key").exists():
            Keyring.create(tmp_path / "keyring.json", FileProvider.create(tmp_path / "master.key"))
        return path

    return configure


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    started: list[Program] = []
    yield started
    for program in started:
        program.end()


def dsn(config_file: Path, database: Database, **extra: object) -> str:
    listen = load_config(config_file, {}).listen
    parts = {"host": listen.host, "port": listen.port, "user": database.server.user, "dbname": database.dbname} | extra
    return " ".join(f"{key}={value}" for key, value in parts.items())


@pytest.mark.parametrize("workers", [1, 2])
def test_drivers_and_psql_work_through_it(
    configure: Configure, database: Database, programs: list[Program], workers: int
) -> None:
    config_file = configure(workers)
    programs.append(program := Program("-c", SERVE, config_file))
    assert program.wait_for("listening")["sealed_columns"] == 0
    with psycopg.connect(dsn(config_file, database)) as connection:
        connection.execute("CREATE TABLE t (a int, b text)")
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO t VALUES (%s, %s)", [(n, "x" * n) for n in range(50)])
            assert cursor.execute("SELECT count(*), sum(length(b)) FROM t").fetchone() == (50, 1225)
            assert cursor.execute("SELECT a FROM t WHERE a = %s", (7,), binary=True).fetchone() == (7,)
    command = ["psql", "-XAtc", "SELECT 6 * 7", dsn(config_file, database)]
    assert subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout == "42\n"
    program.signal(signal.SIGTERM)
    assert program.exit_code() == 0
    assert all(word not in "".join(program.output) for word in ("xxxx", "INSERT", "SELECT"))


async def test_the_proxy_as_an_asyncio_object(configure: Configure, database: Database) -> None:
    config = load_config(configure(), {})
    shared = Shared(load_policy(config.columns), Keyring.load(config.keys.keyring, make_provider(config.keys)))
    async with Proxy(config, shared) as proxy:
        connection = await asyncpg.connect(
            host="127.0.0.1", port=proxy.port, user=database.server.user, database=database.dbname
        )
        assert await connection.fetchval("SELECT $1::int + 1", 41) == 42
        async with connection.transaction():
            rows = await connection.fetch("SELECT g, repeat('y', 1000) FROM generate_series(1, 20000) AS g")
        assert len(rows) == 20_000
        await connection.close()
        config.columns.write_text("{}\n")
        assert await proxy.reload()
        config.columns.write_text("not: [valid\n")
        assert not await proxy.reload()


async def test_drivers_work_over_tls(
    configure: Configure, database: Database, tmp_path: Path, authority: Authority
) -> None:
    pair = authority.issue("127.0.0.1")
    config = load_config(configure(tls="require", cert=str(pair.cert), key=str(pair.key)), {})
    shared = Shared(load_policy(config.columns), Keyring.load(config.keys.keyring, make_provider(config.keys)))
    where = {"host": "127.0.0.1", "user": database.server.user}
    async with Proxy(config, shared) as proxy:
        tls = f"port={proxy.port} dbname={database.dbname} sslmode=verify-full sslrootcert={authority.ca}"
        target = " ".join([*(f"{key}={value}" for key, value in where.items()), tls])
        async with await psycopg.AsyncConnection.connect(target) as connection:
            assert await (await connection.execute("SELECT 'tls'")).fetchone() == ("tls",)
        context = ssl.create_default_context(cafile=authority.ca)
        other = await asyncpg.connect(port=proxy.port, database=database.dbname, ssl=context, **where)
        assert await other.fetchval("SELECT 'tls'") == "tls"
        await other.close()
        with pytest.raises(psycopg.OperationalError, match="this server requires TLS"):
            await psycopg.AsyncConnection.connect(f"{target} sslmode=disable")


def test_sighup_with_a_bad_file_keeps_the_old_policy_and_says_where(
    configure: Configure, database: Database, programs: list[Program]
) -> None:
    config_file = configure()
    columns = config_file.with_name("columns.yaml")
    programs.append(program := Program("-c", SERVE, config_file))
    program.wait_for("listening")
    columns.write_text(f"{database.dbname}:\n  public.t:\n    a: {{type: text}}\n")
    program.signal(signal.SIGHUP)
    assert program.wait_for("columns reloaded")["sealed_columns"] == 1
    columns.write_text(f"{database.dbname}:\n  public.t:\n    a: {{type: txet}}\n")
    program.signal(signal.SIGHUP)
    assert f"{columns}:3: " in program.wait_for("columns not reloaded, the old policy stays")["reason"]
    with psycopg.connect(dsn(config_file, database)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def break_columns(config_file: Path) -> str:
    config_file.with_name("columns.yaml").write_text("shop: 7\n")
    return "columns.yaml:1: "


def lose_master_key(config_file: Path) -> str:
    config_file.with_name("master.key").unlink()
    return "master.key: "


def break_keyring(config_file: Path) -> str:
    config_file.with_name("keyring.json").write_text("{}")
    return "keyring.json: "


def break_certificate(config_file: Path) -> str:
    garbage = config_file.with_name("garbage.pem")
    garbage.write_text("garbage")
    document = yaml.safe_load(config_file.read_text())
    document["listen"] |= {"tls": "prefer", "cert": str(garbage), "key": str(garbage)}
    config_file.write_text(yaml.safe_dump(document))
    return "listen.cert: cannot use "


@pytest.mark.parametrize("damage", [break_columns, lose_master_key, break_keyring, break_certificate])
def test_a_file_that_cannot_be_used_is_one_line_and_exit_code_2(
    configure: Configure, programs: list[Program], damage: Callable[[Path], str]
) -> None:
    config_file = configure()
    expected = damage(config_file)
    programs.append(program := Program("-c", SERVE, config_file))
    assert program.exit_code() == 2
    program.end()
    (line,) = program.output
    assert expected in line
