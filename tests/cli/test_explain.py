"""`sealwire explain`: what would be sent, what is sealed and opened, or why it is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from proxy.cli import main
from tests.support import servers
from tests.support.servers import Database, Server

POLICY = """\
"*":
  public.customers:
    email: {type: varchar(120), search: equality}
    born:  {type: date, search: order}
    notes: {type: text}
"""


@pytest.fixture(scope="module")
def database(pg18: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with servers.fresh_database(pg18) as fresh, psycopg.connect(fresh.dsn, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA sealwire; CREATE DOMAIN sealwire.sealed AS bytea")
        connection.execute(
            "CREATE TABLE customers"
            " (id int, email sealwire.sealed, born sealwire.sealed, notes sealwire.sealed, city text)"
        )
        yield fresh


@pytest.fixture
def arguments(tmp_path: Path, database: Database) -> list[str]:
    (tmp_path / "sealwire.yaml").write_text("workers: 1\n")
    (tmp_path / "columns.yaml").write_text(POLICY)
    return ["explain", "--config", str(tmp_path / "sealwire.yaml"), "--dsn", database.dsn]


def test_what_is_sealed_and_opened(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    statement = "SELECT id, email FROM customers WHERE email = 'a@b.example' AND born > $1"
    assert main([*arguments, statement]) == 0
    output = capsys.readouterr().out
    assert "<sealed 1>" in output
    assert "a@b.example" not in output
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.splitlines() if line.startswith("│")]
    assert ["literal 1", "public.customers.email", "equality", "text", "compare"] in lines
    assert ["$1, sent as $1", "public.customers.born", "order", "date", "compare"] in lines
    assert ["2", "public.customers.email", "equality", "character varying(120)"] in lines


def test_a_refusal_with_its_place(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "SELECT city FROM customers WHERE lower(email) = 'x'"]) == 1
    output = capsys.readouterr().out
    assert "ERROR:  0A000: " in output
    assert "public.customers.email" in output
    assert "HINT:" in output
    at, caret = output.splitlines()[-3:-1]
    assert at[caret.index("^") :].startswith(("lower(email)", "email"))


def test_what_meets_no_sealed_value_is_sent_as_it_is(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "SELECT city /* mine */ FROM customers"]) == 0
    output = capsys.readouterr().out
    assert "SELECT city /* mine */ FROM customers" in output
    assert "It meets no sealed value." in output


def test_a_database_that_is_not_there(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments[:-1], "postgresql://127.0.0.1:1/none", "SELECT 1"]) == 2
    assert capsys.readouterr().err.startswith("sealwire: error: cannot connect to the database")
