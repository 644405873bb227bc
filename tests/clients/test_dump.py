"""pg_dump and pg_restore: through the proxy they carry plaintext, around it ciphertext; both come back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.conftest import TOKEN_BINARY, Harness

pytestmark = pytest.mark.clients

TABLES = """
CREATE TABLE people (
  id integer PRIMARY KEY, name varchar(80), email varchar(120) UNIQUE, born date, balance numeric(12,2),
  visits integer, seen timestamptz, token uuid, photo bytea, profile jsonb, notes text, city text);
CREATE INDEX people_born ON people (born);
CREATE TABLE orders (id serial PRIMARY KEY, email varchar(120) REFERENCES people (email), total numeric(12,2));
CREATE VIEW londoners AS SELECT id, name, email, born FROM people WHERE city = 'London';
"""
ROWS = r"""
INSERT INTO people VALUES
  (1, 'Ada Canary-Lovelace', 'ada.canary@mail.example', '1815-12-10', 98765.43, 4711, '2024-05-06 07:08:09.123456+00',
   'c0ffee00-ca9a-4ee1-8000-0123456789ab', '\x0063616e61727970686f746fff', '{"hobby": "canary breeding"}',
   E'met Mr Babbage\nat the canary soir\\ée\t!', 'London'),
  (2, 'Grace Canary-Hopper', 'grace.canary@mail.example', '1906-12-09', 12.50, NULL, NULL, NULL, NULL, NULL, '', '\N');
INSERT INTO orders (email, total) VALUES ('ada.canary@mail.example', 10), ('ada.canary@mail.example', 20.25);
"""
EVERYTHING = "SELECT p.*, o.* FROM people p LEFT JOIN orders o ON o.email = p.email ORDER BY p.id, o.id"


class Tools:
    """pg_dump, pg_restore and psql of the server's own version, through the proxy or around it."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        directory = harness.stack.database.server.bin_dir
        assert directory is not None
        self.directory = directory
        version = harness.run(directory / "pg_dump", "--version").stdout.split()[2]
        harness.run("sh", "-c", f"echo client: pg_dump {version}")

    def __call__(self, program: str, *arguments: str | Path, around: bool = False, stdin: str | None = None) -> str:
        environment = {"PGSSLMODE": "disable"}  # these programs are built without TLS
        if around:
            environment["PGPORT"] = str(self.harness.stack.database.server.port)
        command = (self.directory / program, *arguments)
        return self.harness.run(*command, environment=environment, stdin=stdin).stdout

    def psql(self, script: str, *, around: bool = False) -> None:
        self("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", around=around, stdin=script)

    def rows(self) -> list[tuple[object, ...]]:
        with self.harness.stack.connect() as connection:
            return connection.execute(EVERYTHING).fetchall()

    def empty(self) -> None:
        self.psql("DROP VIEW londoners; DROP TABLE orders, people")


@pytest.fixture
def tools(harness: Harness) -> Tools:
    return Tools(harness)


@pytest.mark.parametrize("form", ["plain", "custom", "directory"])
def test_a_dump_through_the_proxy_is_plaintext_and_restores_through_it(
    tools: Tools, harness: Harness, form: str, tmp_path: Path
) -> None:
    tools.psql(TABLES + ROWS)
    before = tools.rows()
    file = tmp_path / "dump"
    tools("pg_dump", "-N", "sealwire", f"--format={form}", "-f", file)
    if form == "plain":
        assert "ada.canary@mail.example" in file.read_text()
    tools.empty()
    if form == "plain":
        tools.psql(file.read_text())
    else:
        tools("pg_restore", "--exit-on-error", "-d", harness.stack.database.dbname, file)
    assert tools.rows() == before
    harness.assert_sealed(people=2)


@pytest.mark.parametrize("form", ["plain", "custom"])
def test_a_dump_around_the_proxy_is_ciphertext_and_restores_around_it(
    tools: Tools, harness: Harness, form: str, tmp_path: Path
) -> None:
    tools.psql(TABLES + ROWS)
    before = tools.rows()
    file = tmp_path / "dump"
    tools("pg_dump", "-N", "sealwire", f"--format={form}", "-f", file, around=True)
    content = file.read_bytes()
    assert not [canary for canary in harness.stack.canaries if canary.found_in(content)]
    tools.empty()
    if form == "plain":
        tools.psql(file.read_text(), around=True)
    else:
        tools("pg_restore", "--exit-on-error", "-d", harness.stack.database.dbname, file, around=True)
    assert tools.rows() == before
    harness.assert_sealed(people=2)


@pytest.mark.parametrize("form", ["plain", "custom"])
def test_a_plaintext_database_moves_in_by_dump_and_restore(
    tools: Tools, harness: Harness, form: str, tmp_path: Path
) -> None:
    tools.psql(TABLES + ROWS, around=True)
    file = tmp_path / "dump"
    tools("pg_dump", "-N", "sealwire", f"--format={form}", "-f", file, around=True)
    with harness.stack.direct() as direct:
        before = direct.execute(EVERYTHING).fetchall()
        direct.execute("DROP VIEW londoners; DROP TABLE orders, people")
    assert TOKEN_BINARY.hex() == str(before[0][7]).replace("-", "")
    if form == "plain":
        tools.psql(file.read_text())
    else:
        tools("pg_restore", "--exit-on-error", "-d", harness.stack.database.dbname, file)
    assert tools.rows() == before
    harness.assert_sealed(people=2)
