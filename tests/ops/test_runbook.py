"""docs/operations.md: the runbook, run line by line as it is written there, on a server of its own.

Hosts, the configuration file and the key store are put in; a comment that asks the operator for something is looked up
in `DEEDS`. A line or a comment that this file does not know fails the test, and so does a command whose exit code is
not 0 or the one that its comment names.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from proxy.cli.app import main
from tests.server.programs import ROOT, Program
from tests.support import servers

PAGE = (ROOT / "docs" / "operations.md").read_text()
EMAIL = "{type: text, search: equality, join: mail%s}"
FIRST = "shop:\n  public.customers:\n    email: " + EMAIL
ALL = FIRST + "\n    notes: {type: text%s}\n  public.orders:\n    email: " + EMAIL
PENDING = ", pending: true"
SECRETS = ("ann@mail.example", "bob@mail.example", "likes long walks")
SERVED = "listening"


def lines_of(title: str) -> list[str]:
    """The code under a heading of the runbook."""
    found = PAGE.split(f"\n### {title}\n", 1)[1]
    lines = []
    for line in found.splitlines():
        if line.startswith(("### ", "## ")):
            break
        if line.startswith("    ") and line.strip():
            lines.append(line[4:])
    return lines


class Place:
    """A server with the database `shop`, its files, and the proxies."""

    def __init__(self, server: servers.Server, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.proxies: dict[str, Program] = {}
        self.ports = {name: servers.free_port() for name in ("proxy", "newproxy")}
        self.ids: dict[str, str] = {}
        self.reloads = 0
        self._write_config("sealwire.yaml", "proxy")
        (folder / "columns.yaml").write_text("{}\n")

    def _write_config(self, name: str, proxy: str, master_key: str = "master.key") -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            f"listen: {{host: 127.0.0.1, port: {self.ports[proxy]}, tls: disable}}\n"
            f"upstream: {{host: 127.0.0.1, port: {self.server.port}, tls: disable}}\n"
            f"keys: {{keyring: keyring.json, provider: file, master_key: {master_key}}}\n"
            f"columns: {self.folder / 'columns.yaml'}\n"
        )

    def sql(self, *statements: str, dbname: str = "shop") -> list[tuple[object, ...]]:
        """Around the proxy, as the owner."""
        with psycopg.connect(self.server.dsn(dbname, user="owner", tcp=True), autocommit=True) as connection:
            cursor = [connection.execute(statement) for statement in statements][-1]
            return cursor.fetchall() if cursor.description else []

    def keys_of_emails(self) -> object:
        """Id of the one key that the e-mails lie under."""
        hexadecimal = "encode(substr(email, 3, 4), 'hex')"
        ((key,),) = self.sql(f"SELECT DISTINCT ('x' || {hexadecimal})::bit(32)::bigint FROM customers")
        return key

    def application(self, proxy: str = "proxy") -> psycopg.Connection[tuple[object, ...]]:
        dsn = f"postgresql://owner@127.0.0.1:{self.ports[proxy]}/shop?sslmode=disable"
        return psycopg.connect(dsn, autocommit=True)

    def asked(self, proxy: str = "proxy") -> list[tuple[object, ...]]:
        """What the application gets."""
        with self.application(proxy) as connection:
            return connection.execute(
                "SELECT id, email, notes FROM customers WHERE email = %s", [SECRETS[0]]
            ).fetchall()

    def policy(self, text: str, pending: bool) -> None:
        (self.folder / "columns.yaml").write_text(text.replace("%s", PENDING if pending else ""))

    def leave(self) -> None:
        """The runbook unseals one column as an example: the others of this place too."""
        self._run("sealwire unseal shop public.customers.notes public.orders.email C D", "")
        (self.folder / "columns.yaml").write_text("{}\n")

    def serve(self, name: str = "proxy", config: str = "sealwire.yaml") -> None:
        self.proxies[name] = Program("-m", "proxy.cli", "serve", "--config", self.folder / config)
        self.proxies[name].wait_for(SERVED)
        self.reloads = 0

    def systemctl(self, what: str) -> None:
        running = self.proxies.get("proxy")
        if what == "reload-or-restart" and running is None:
            self.serve()
        elif what == "restart":
            assert running is not None
            self.proxies.pop("proxy").end()
            self.serve()
        else:
            assert running is not None
            assert what in ("reload", "reload-or-restart")
            running.signal(signal.SIGHUP)
            self.reloads += 1
            running.wait_for("columns reloaded", self.reloads)

    def close(self) -> None:
        for proxy in self.proxies.values():
            proxy.end()

    def run(self, title: str, deeds: dict[str, Callable[[], None]]) -> None:
        """The lines of one section; `deeds`: what an operator does where a comment says so, by its beginning."""
        for line in lines_of(title):
            command, _, comment = line.partition("#")
            if not command.strip():
                self._heed(comment.strip(), deeds)
            elif command.startswith("systemctl "):
                self.systemctl(command.split()[1])
            else:
                self._run(command.strip(), comment)

    @staticmethod
    def _heed(comment: str, deeds: dict[str, Callable[[], None]]) -> None:
        known = [deed for beginning, deed in deeds.items() if comment.startswith(beginning)]
        assert known, f"what does the operator do here? {comment}"
        known[0]()

    def _run(self, command: str, comment: str) -> None:
        owner = f"postgresql://owner@127.0.0.1:{self.server.port}"
        for pattern, real in (
            (r"\bC\b", f"--config {self.folder / 'sealwire.yaml'}"),
            (r"\bD\b", f"--dsn {owner}/shop"),
            (r"postgresql://owner@db\.internal", owner),
            (r"postgresql://postgres@db\.internal", f"postgresql://postgres@127.0.0.1:{self.server.port}"),
            (r"postgresql://owner@proxy\.internal:6432", f"postgresql://owner@127.0.0.1:{self.ports['proxy']}"),
            (r"postgresql://owner@newproxy\.internal:6432", f"postgresql://owner@127.0.0.1:{self.ports['newproxy']}"),
            (r"aws-kms:alias/sealwire", f"file:{self.folder / 'second.key'}"),
            (r"\bOLD_ID\b", self.ids.get("old", "?")),
            (r"\bID\b", self.ids.get("old", "?")),
        ):
            command = re.sub(pattern, real, command)
        code, said = self._sealwire(command) if command.startswith("sealwire ") else self._program(command)
        expected = {int(code) for code in re.findall(r"exit code (\d)", comment)} or {0}
        assert code in expected, f"{command}\n{code}\n{said}"
        assert not any(secret in said for secret in SECRETS)

    def _sealwire(self, command: str) -> tuple[int, str]:
        """(exit code, what it said): in this process, which saves its start."""
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), contextlib.chdir(self.folder):
            code = main(shlex.split(command)[1:])
        return code, said.getvalue()

    def _program(self, command: str) -> tuple[int, str]:
        """One of PostgreSQL's own."""
        assert self.server.bin_dir is not None
        path = f"{self.server.bin_dir}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=os.environ | {"PATH": path, "PGSSLMODE": "disable"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    directory = Path(tempfile.mkdtemp(prefix="sealwire-"))
    server = servers.start(directory, servers.POSTGRES_VERSIONS[18], 18)
    try:
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute("CREATE ROLE owner LOGIN")
            connection.execute("CREATE DATABASE shop OWNER owner")
        place = Place(server, tmp_path)
        place.sql(
            "CREATE TABLE customers (id integer PRIMARY KEY, email text UNIQUE, notes text)",
            "CREATE TABLE orders (id integer PRIMARY KEY, email text)",
            f"INSERT INTO customers VALUES (1, '{SECRETS[0]}', '{SECRETS[2]}'), (2, '{SECRETS[1]}', NULL)",
            f"INSERT INTO orders VALUES (1, '{SECRETS[0]}')",
        )
        try:
            yield place
        finally:
            place.close()
    finally:
        servers.stop(server)
        shutil.rmtree(directory)


ROW = [(1, SECRETS[0], SECRETS[2])]


def test_the_runbook_does_what_it_says(place: Place) -> None:
    def nothing() -> None:
        pass

    several = {"several proxies": nothing}

    # -- first sealing
    place.run(
        "First sealing",
        {
            "back up keyring.json": nothing,
            "columns.yaml: the columns, each with pending: true": lambda: place.policy(FIRST, True),
            "columns.yaml: remove pending: true": lambda: place.policy(FIRST, False),
            "take a new base backup": nothing,
        },
    )
    assert place.asked() == ROW
    place.policy(ALL, True)
    place.systemctl("reload")
    place._run("sealwire seal shop public.customers.notes public.orders.email C D --vacuum-full", "")
    place.policy(ALL, False)
    place.systemctl("reload")
    place._run("pg_dump -Fc -d postgresql://owner@db.internal/shop -f shop.dump", "")
    place.ids["old"] = str(place.keys_of_emails())

    # -- rotation
    place.run("Rotating a data key", several)
    assert place.asked() == ROW
    assert str(place.keys_of_emails()) != place.ids["old"]

    # -- a backup from before
    def restored() -> None:
        place._write_config("restored/sealwire.yaml", "proxy", str(place.folder / "master.key"))
        text = (place.folder / "restored/sealwire.yaml").read_text()
        text = text.replace("keyring: keyring.json", f"keyring: {place.folder / 'keyring.json'}")
        text = text.replace(str(place.folder / "columns.yaml"), "columns.yaml")
        (place.folder / "restored/sealwire.yaml").write_text(text)
        (place.folder / "restored/columns.yaml").write_text(ALL.replace("%s", "").replace("shop:", "shop_restored:"))

    place.run(
        "Restoring a backup",
        {
            "1. keyring.json and master key": nothing,
            "2. the database": nothing,
            "3. columns.yaml of that time": restored,
        },
    )

    # -- another key store
    place.run(
        "Moving to another key store",
        {
            "several proxies: copy keyring.json to each. Then": lambda: place._write_config(
                "sealwire.yaml", "proxy", "second.key"
            ),
            **several,
        },
    )
    assert place.asked() == ROW

    # -- the master key is lost
    def new_proxy() -> None:
        place.serve("newproxy", "new/sealwire.yaml")
        place.sql("TRUNCATE customers")

    place._write_config("new/sealwire.yaml", "newproxy")
    place.run(
        "The master key is lost",
        {
            "1. look for the master key": nothing,
            "Azure:": nothing,
            "2. if it is gone for good": nothing,
            "then make new keys": nothing,
            "start a proxy with new/sealwire.yaml": new_proxy,
        },
    )
    assert place.asked("newproxy") == ROW
    assert place.sql("SELECT count(*) FROM customers WHERE get_byte(email, 0) = 225") == [(2,)]
    place.sql("TRUNCATE customers")
    with place.application() as application:
        application.execute("INSERT INTO customers (id, email, notes) VALUES (%s, %s, %s)", ROW[0])

    # -- leaving
    place.run(
        "Leaving Sealwire",
        {
            "columns.yaml: pending: true for the columns": lambda: place.policy(ALL, True),
            "columns.yaml: remove the entries": lambda: place.leave(),
            "point the applications": nothing,
        },
    )
    assert place.sql("SELECT id, email, notes FROM customers WHERE email = 'ann@mail.example'") == ROW
    assert place.sql("SELECT to_regnamespace('sealwire')::text") == [(None,)]
