"""psql 15 or newer: queries, \\d in all its variants, \\copy, \\gdesc, \\watch, \\gset, \\crosstabview,
\\bind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.clients.conftest import Harness, needs

pytestmark = pytest.mark.clients

SCHEMA = """
CREATE TABLE people (
  id integer PRIMARY KEY, name varchar(80), email varchar(120) UNIQUE, born date, balance numeric(12,2),
  visits integer, seen timestamptz, token uuid, photo bytea, profile jsonb, notes text, city text);
CREATE INDEX ON people (born);
CREATE TABLE orders (id serial PRIMARY KEY, email varchar(120) REFERENCES people (email), total numeric(12,2));
CREATE VIEW londoners AS SELECT id, name, email, born FROM people WHERE city = 'London';
INSERT INTO people (id, name, email, born, balance, city) VALUES
  (1, 'Ada Canary-Lovelace', 'ada.canary@mail.example', '1815-12-10', 98765.43, 'London'),
  (2, 'Grace Canary-Hopper', 'grace.canary@mail.example', '1906-12-09', 12.50, 'New York');
INSERT INTO orders (email, total) VALUES ('ada.canary@mail.example', 10), ('ada.canary@mail.example', 20.25);
"""


@pytest.fixture
def psql(harness: Harness) -> Harness:
    needs("psql")
    harness.run("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", stdin=SCHEMA)
    version = harness.run("psql", "--version").stdout.split()[2]
    harness.run("sh", "-c", f"echo client: psql {version}")
    return harness


def say(harness: Harness, script: str, *options: str) -> str:
    return harness.run("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *options, stdin=script).stdout.strip()


def test_psql_queries(psql: Harness) -> None:
    assert say(psql, "SELECT name, born FROM people WHERE email = 'ada.canary@mail.example'") == (
        "Ada Canary-Lovelace|1815-12-10"
    )
    assert say(psql, "SELECT id FROM people WHERE born >= '1815-12-10' ORDER BY born DESC") == "2\n1"
    assert say(psql, "SELECT name, total FROM people JOIN orders USING (email) WHERE total > 15") == (
        "Ada Canary-Lovelace|20.25"
    )
    assert say(psql, "UPDATE people SET balance = 31337.25 WHERE id = 2 RETURNING balance") == "31337.25"
    assert say(psql, "SELECT email FROM londoners") == "ada.canary@mail.example"
    psql.assert_sealed(people=2)


def test_psql_variables_and_more_than_one_result(psql: Harness) -> None:
    script = """
        SELECT email, born FROM people WHERE id = 1 \\gset found_
        \\echo :found_email :found_born
        SELECT id FROM people WHERE email = :'found_email' \\; SELECT name FROM people WHERE id = 2;
        SELECT format('SELECT name FROM people WHERE id = %s', id) FROM people ORDER BY id \\gexec
    """
    assert say(psql, script).splitlines() == [
        "ada.canary@mail.example 1815-12-10",
        "1",
        "Grace Canary-Hopper",
        "Ada Canary-Lovelace",
        "Grace Canary-Hopper",
    ]


def test_psql_gdesc_shows_the_types_of_the_application(psql: Harness) -> None:
    shown = say(psql, "SELECT name, email, born, balance, notes, city FROM people \\gdesc")
    assert shown.splitlines() == [
        "name|character varying(80)",
        "email|character varying(120)",
        "born|date",
        "balance|numeric(12,2)",
        "notes|text",
        "city|text",
    ]


def test_psql_bind(psql: Harness) -> None:
    """Debian's has none yet: PostgreSQL's own, beside the embedded server, which is built without TLS."""
    directory = psql.stack.database.server.bin_dir
    assert directory is not None
    script = """
        SELECT id, name FROM people WHERE email = $1 AND born >= $2 \\bind ada.canary@mail.example 1815-12-10 \\g
        UPDATE people SET notes = $1 WHERE id = $2 RETURNING notes \\bind 'at the canary soiree' 2 \\g
    """
    command = (directory / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1")
    done = psql.run(*command, stdin=script, environment={"PGSSLMODE": "disable"})
    assert done.stdout.splitlines() == ["1|Ada Canary-Lovelace", "at the canary soiree"]
    psql.assert_sealed(people=2)


def test_psql_watch(psql: Harness) -> None:
    needs("timeout")
    script = "SELECT email FROM people WHERE email = 'ada.canary@mail.example' \\watch 0.2"
    done = psql.run("timeout", "2", "psql", "-X", "-q", "-A", "-t", stdin=script, check=False)
    assert done.stdout.count("ada.canary@mail.example") >= 2, done.stderr


def test_psql_crosstabview(psql: Harness) -> None:
    assert say(psql, "SELECT email, city, balance FROM people ORDER BY id \\crosstabview").splitlines() == [
        "ada.canary@mail.example|98765.43|",
        "grace.canary@mail.example||12.50",
    ]


def test_psql_copies(psql: Harness, tmp_path: Path) -> None:
    lines = "".join(f"{n},copy{n}.canary@mail.example,1990-01-{n - 199:02}\n" for n in range(200, 220))
    file = tmp_path / "people.csv"
    file.write_text("id,email,born\n" + lines)
    out = tmp_path / "out.csv"
    say(psql, f"\\copy people (id, email, born) FROM '{file}' CSV HEADER")
    say(psql, f"\\copy (SELECT id, email, born FROM people WHERE id >= 200 ORDER BY id) TO '{out}' CSV HEADER")
    assert out.read_text() == file.read_text()
    say(psql, "COPY people (id, email) FROM STDIN;\n300\tstdin.canary@mail.example\n\\.\n")
    assert say(psql, "COPY (SELECT email FROM people WHERE id = 300) TO STDOUT") == "stdin.canary@mail.example"
    # An error half way: nothing of it stays, and the session lives on.
    script = "COPY people (id, email) FROM STDIN;\n301\tone.canary@mail.example\nx\ttwo.canary@mail.example\n\\.\n"
    done = psql.run(
        "psql", "-X", "-q", "-A", "-t", stdin=f"{script}SELECT count(*) FROM people WHERE id > 300;", check=False
    )
    assert 'invalid input syntax for type integer: "x"' in done.stderr
    assert done.stdout.strip() == "0"
    psql.assert_sealed(people=23)


def test_psql_an_error_shows_its_place_and_way_out(psql: Harness) -> None:
    done = psql.run("psql", "-X", "-c", "SELECT id FROM people WHERE notes LIKE '%at the canary soir%'", check=False)
    assert done.returncode == 1
    assert 'ERROR:  column "public.people.notes"' in done.stderr
    assert "LINE 1: SELECT id FROM people WHERE notes LIKE" in done.stderr
    assert "HINT:" in done.stderr


@pytest.mark.parametrize("row_by_row", ["1", "0"])
def test_psql_a_script_with_a_failed_transaction(psql: Harness, row_by_row: str) -> None:
    script = f"""
        \\set ON_ERROR_ROLLBACK {"on" if row_by_row == "1" else "off"}
        BEGIN;
        INSERT INTO people (id, email) VALUES (9, 'ada.canary@mail.example');
        INSERT INTO people (id, email) VALUES (10, 'tenth.canary@mail.example');
        COMMIT;
        SELECT count(*) FROM people;
    """
    done = psql.run("psql", "-X", "-q", "-A", "-t", stdin=script, check=False)
    assert 'duplicate key value violates unique constraint "people_email_key"' in done.stderr
    assert done.stdout.strip() == ("3" if row_by_row == "1" else "2")


def letters_of(options: str) -> list[str]:
    """[S+] -> none, S, +, S+."""
    letters = re.sub(r"[\[\]]", "", options)
    return list(dict.fromkeys(("", *letters, letters)))


def describing(psql: Harness) -> list[str]:
    """Every command that psql's help has for describing: bare, with each of its letters, and with all of them."""
    listed = psql.run("psql", "--help=commands").stdout
    found = re.findall(r"^  \\(d\w*|l|z)((?:\[[\w+]+\])*) ", listed, re.MULTILINE)
    return [f"\\{name}{letters}" for name, options in found for letters in letters_of(options)]


def test_psql_describes_as_it_does_without_a_proxy(psql: Harness) -> None:
    commands = describing(psql)
    assert {"\\d", "\\dS+", "\\da", "\\dP", "\\dPi", "\\drds", "\\dRp+", "\\l", "\\z"} <= set(commands)
    script = "".join(f"\\echo {name[1:]}\n{name}\n" for name in commands) + "\\sf pg_catalog.lower(text)\n\\echo END\n"
    through = psql.run("psql", "-X", stdin=script)
    direct = psql.run("psql", "-X", stdin=script, environment=psql.around)
    assert through.stdout.splitlines()[-1] == "END"
    assert (through.stdout, through.stderr) == (direct.stdout, direct.stderr)


def test_psql_d_of_a_table_shows_the_types_of_the_application(psql: Harness) -> None:
    types = [
        "id|integer",
        "name|character varying(80)",
        "email|character varying(120)",
        "born|date",
        "balance|numeric(12,2)",
        "visits|integer",
        "seen|timestamp with time zone",
        "token|uuid",
        "photo|bytea",
        "profile|jsonb",
        "notes|text",
        "city|text",
    ]
    for command in ("\\d people", "\\d+ people"):
        assert ["|".join(line.split("|")[:2]) for line in say(psql, command).splitlines()] == types


def test_psql_d_of_what_hangs_on_a_table(psql: Harness) -> None:
    for command in ("\\d orders", "\\d+ londoners", "\\d people_email_key", "\\sv londoners"):
        shown = psql.run("psql", "-X", "-v", "ON_ERROR_STOP=1", "-c", command).stdout
        assert re.search("people|orders|londoners|email", shown), shown
