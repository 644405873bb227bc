"""pgbench in all query modes: its own tables, whose fillers are sealed, and a script over sealed columns."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.clients.conftest import Harness

pytestmark = pytest.mark.clients

WITHOUT_TLS = {"PGSSLMODE": "disable"}
"""The embedded server's programs are built without TLS."""

SCRIPT = r"""
\set id random(1, 10)
\set year random(1900, 1999)
\set cents random(1, 999999)
BEGIN;
UPDATE people SET balance = :cents, visits = :cents WHERE id = :id;
SELECT name, email, balance FROM people WHERE email = 'bench.canary@mail.example';
SELECT id FROM people WHERE visits BETWEEN 1 AND :cents ORDER BY visits LIMIT 5;
INSERT INTO orders (email, total) VALUES ('bench.canary@mail.example', :cents);
END;
"""

SCHEMA = """
CREATE TABLE people (
  id integer PRIMARY KEY, name varchar(80), email varchar(120) UNIQUE, born date, balance numeric(12,2),
  visits integer, seen timestamptz, token uuid, photo bytea, profile jsonb, notes text, city text);
CREATE TABLE orders (id serial PRIMARY KEY, email varchar(120) REFERENCES people (email), total numeric(12,2));
INSERT INTO people (id, email) VALUES (1, 'bench.canary@mail.example');
"""


@pytest.fixture
def pgbench(harness: Harness) -> Path:
    """PostgreSQL's own, beside the embedded server."""
    directory = harness.stack.database.server.bin_dir
    assert directory is not None
    version = harness.run(directory / "pgbench", "--version").stdout.split()[2]
    harness.run("sh", "-c", f"echo client: pgbench {version}")
    return directory / "pgbench"


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_pgbench_over_sealed_columns(harness: Harness, pgbench: Path, mode: str, tmp_path: Path) -> None:
    with harness.stack.connect() as connection:
        connection.execute(SCHEMA)
        login = harness.environment["PGUSER"]
        connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {login}")
        connection.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {login}")
    script = tmp_path / "script.sql"
    script.write_text(SCRIPT)
    done = harness.run(
        pgbench, "-n", "-M", mode, "-c", "4", "-j", "2", "-t", "25", "-f", script, environment=WITHOUT_TLS
    )
    assert processed(done.stdout) == 100, done.stdout + done.stderr
    harness.assert_sealed(people=1)


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_pgbench_its_own_benchmark(harness: Harness, pgbench: Path, mode: str) -> None:
    harness.run(pgbench, "-i", "-q", "-s", "1", environment=WITHOUT_TLS)
    done = harness.run(pgbench, "-M", mode, "-c", "4", "-j", "2", "-t", "25", environment=WITHOUT_TLS)
    assert processed(done.stdout) == 100, done.stdout + done.stderr
    with harness.stack.direct() as direct:
        assert direct.execute("SELECT count(*) FROM pgbench_history").fetchone() == (100,)
        fillers = direct.execute("SELECT filler FROM pgbench_accounts").fetchall()
    assert len(fillers) == 100_000
    assert {(filler[0], filler[1]) for (filler,) in fillers} == {(0xE1, 1)}


@pytest.mark.parametrize("mode", ["extended", "prepared"])
def test_pgbench_pipelines(harness: Harness, pgbench: Path, mode: str, tmp_path: Path) -> None:
    with harness.stack.connect() as connection:
        connection.execute(SCHEMA)
        connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {harness.environment['PGUSER']}")
    script = tmp_path / "script.sql"
    script.write_text(
        "\\startpipeline\n"
        + "SELECT id FROM people WHERE email = 'bench.canary@mail.example';\n" * 20
        + "\\endpipeline\n"
    )
    done = harness.run(pgbench, "-n", "-M", mode, "-c", "2", "-t", "20", "-f", script, environment=WITHOUT_TLS)
    assert processed(done.stdout) == 40, done.stdout + done.stderr


def processed(report: str) -> int:
    found = re.search(r"actually processed: (\d+)", report)
    assert found is not None, report
    assert "number of failed transactions: 0 " in report
    return int(found[1])
