"""The client matrix: ordinary programs in their own languages, run as processes against a stack.

Every program does the same things with the same tables and secrets (`POLICY`, `SECRETS`), in its own words: create,
insert, select by equality and range, update, join, batch, COPY where the driver has it, prepared, binary where it has
it, an error and a second try. It takes PGHOST, PGPORT, PGDATABASE, PGUSER, PGPASSWORD and PGSSLMODE from its
environment, ends with status 0 or says what was wrong, and prints `client: <driver> <version>`.

It logs in with SCRAM-SHA-256, once over TLS against PostgreSQL 18 and once without against 16.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from proxy.config import Listen
from tests.server.certificates import Authority
from tests.support import servers
from tests.support.servers import LOGINS, fresh_database
from tests.support.stack import Stack, running

HERE = Path(__file__).parent

POLICY = """\
public.people:
  name:    {type: varchar(80)}
  email:   {type: varchar(120), search: equality, join: emails}
  born:    {type: date, search: order}
  balance: {type: "numeric(12,2)", search: order}
  visits:  {type: integer, search: order}
  seen:    {type: timestamptz, search: order}
  token:   {type: uuid, search: equality}
  photo:   {type: bytea}
  profile: {type: jsonb}
  notes:   {type: text}
public.orders:
  email:   {type: varchar(120), search: equality, join: emails}
  total:   {type: "numeric(12,2)", search: order}
public.django_admin_log:
  object_repr:    {type: varchar(200)}
  change_message: {type: text}
public.pgbench_accounts:
  filler: {type: char(84)}
public.pgbench_history:
  filler: {type: char(22)}
"""

SECRETS = [
    ".canary@mail.example",
    "Canary-Lovelace",
    "Canary-Hopper",
    "at the canary soir",
    "canary breeding",
    "canaryphoto",
    "1815-12-10",
    "1906-12-09",
    "98765.43",
    "31337.25",
    "2024-05-06 07:08:09",
    "2024-05-06T07:08:09",
    "c0ffee00-ca9a-4ee1-8000-0123456789ab",
]
"""What the programs store in sealed columns, or search for there; in the binary form where it is long enough."""

TOKEN_BINARY = bytes.fromhex("c0ffee00ca9a4ee180000123456789ab")

VERSIONS: dict[str, str] = {}
"""Test -> what its program called itself; shown at the end of the run."""


@dataclass(frozen=True, slots=True)
class Harness:
    """Starts programs against `stack`."""

    stack: Stack
    tls: bool
    test: str

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        login = LOGINS["scram-sha-256"]
        return inherited | {
            "PGHOST": self.stack.host,
            "PGPORT": str(self.stack.port),
            "PGDATABASE": self.stack.database.dbname,
            "PGUSER": login.user,
            "PGPASSWORD": login.password,
            "PGSSLMODE": "require" if self.tls else "disable",
        }

    def run(
        self,
        *command: str | Path,
        cwd: Path | None = None,
        stdin: str | None = None,
        environment: Mapping[str, str] | None = None,
        check: bool = True,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a program to its end; what it wrote is part of the failure."""
        try:
            done = subprocess.run(
                [str(part) for part in command],
                cwd=cwd,
                input=stdin,
                env=self.environment | dict(environment or {}),
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as stuck:
            pytest.fail(f"{command[0]} did not end in {timeout} s\n{stuck.stdout!r}\n{stuck.stderr!r}", pytrace=False)
        for line in done.stdout.splitlines():
            if line.startswith("client: "):
                VERSIONS[self.test] = line.removeprefix("client: ")
        if check and done.returncode != 0:
            pytest.fail(
                f"{command[0]} ended with {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-6000:]}", False
            )
        return done

    @property
    def around(self) -> dict[str, str]:
        """What lets a program reach the server itself, as the same role."""
        return {"PGPORT": str(self.stack.database.server.port), "PGSSLMODE": "disable"}

    def assert_sealed(self, *, people: int) -> None:
        """The tables hold what the program wrote, and ciphertext in every sealed column."""
        with self.stack.direct() as direct:
            rows = direct.execute(
                "SELECT name, email, born, balance, visits, seen, token, photo, profile, notes FROM people"
            ).fetchall()
            rows_of_orders = direct.execute("SELECT email, total FROM orders").fetchall()
        assert len(rows) == people
        assert rows_of_orders
        schemes = (1, 2, 3, 3, 3, 3, 2, 1, 1, 1)
        for row in rows:
            assert all(
                value is None or (value[0], value[1]) == (0xE1, s) for value, s in zip(row, schemes, strict=True)
            )
        assert all((email[1], total[1]) == (2, 3) for email, total in rows_of_orders)


def needs(*programs: str) -> None:
    """Skips where a toolchain is missing: the one place where the project's tests may."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} is not installed here")


def fetched(command: list[str | Path], cwd: Path, *, timeout: float = 300) -> None:
    """Fetches or builds what a program needs, once; skips where that does not work, with the tool's last words."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{command[0]} did not prepare {cwd.name} in {timeout:.0f} s")
    if done.returncode != 0:
        pytest.skip(f"{command[0]} cannot prepare {cwd.name}: {(done.stdout + done.stderr)[-600:]}")


@pytest.fixture(params=["tls-18", "plain-16"])
def harness(request: pytest.FixtureRequest) -> Iterator[Harness]:
    """A fresh database behind the proxy, owned by the role that the program logs in as."""
    if servers.TEST_DSN:
        pytest.skip("needs logins that only the embedded servers have")
    tls = request.param == "tls-18"
    server = request.getfixturevalue("pg18" if tls else "pg16")
    directory = Path(tempfile.mkdtemp(prefix="swc-"))
    listen = None
    if tls:
        pair = Authority(directory).issue("127.0.0.1", "localhost")
        listen = Listen(host="127.0.0.1", port=0, tls="prefer", cert=pair.cert, key=pair.key)
    try:
        with fresh_database(server) as database:
            with database.connect() as owner:
                owner.execute(f'ALTER DATABASE "{database.dbname}" OWNER TO {LOGINS["scram-sha-256"].user}')
            with running(database, POLICY, upstream=("127.0.0.1", database.port), listen=listen) as stack:
                for secret in SECRETS:
                    stack.canary(secret, *([TOKEN_BINARY] if secret.startswith("c0ffee") else []))
                yield Harness(stack, tls, request.node.name.split("[")[0])
    finally:
        shutil.rmtree(directory)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for test, version in sorted(VERSIONS.items()):
        terminalreporter.write_line(f"{test}: {version}")
