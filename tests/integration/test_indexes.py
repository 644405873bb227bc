"""100,000 sealed rows: equality and range use the index."""

from __future__ import annotations

import datetime

import psycopg
import pytest

from tests.support import servers
from tests.support.servers import Server
from tests.support.stack import running

ROWS = 100_000
POLICY = """\
public.big:
  email: {type: text, search: equality}
  age:   {type: smallint, search: order}
  seen:  {type: date, search: order}
"""
EPOCH = datetime.date(2000, 1, 1)


def explain(connection: psycopg.Connection, statement: str) -> str:
    return "\n".join(row[0] for row in connection.execute(f"EXPLAIN (COSTS OFF) {statement}"))


@pytest.fixture
def pg(pg18: Server) -> Server:
    return pg18


def test_equality_and_range_queries_use_the_index(pg: Server) -> None:
    with servers.fresh_database(pg) as database, running(database, POLICY) as stack, stack.connect() as connection:
        connection.execute("CREATE TABLE big (id int PRIMARY KEY, email text, age smallint, seen date)")
        with connection.cursor() as cursor, cursor.copy("COPY big FROM STDIN") as copy:
            for n in range(ROWS):
                copy.write_row((n, f"user{n}@mail.example", n % 90, EPOCH + datetime.timedelta(days=n % 9000)))
        connection.execute("CREATE UNIQUE INDEX big_email ON big (email)")
        connection.execute("CREATE INDEX big_seen ON big (seen)")
        connection.execute("ANALYZE big")

        assert "Index Scan using big_email" in explain(
            connection, "SELECT * FROM big WHERE email = 'user777@mail.example'"
        )
        assert "big_seen" in explain(connection, "SELECT * FROM big WHERE seen BETWEEN '2001-01-01' AND '2001-01-03'")
        assert "big_seen" in explain(connection, "SELECT id, seen FROM big ORDER BY seen DESC LIMIT 5")
        assert "Index Only Scan" in explain(connection, "SELECT max(seen) FROM big")

        assert connection.execute("SELECT id FROM big WHERE email = %s", ("user777@mail.example",)).fetchall() == [
            (777,)
        ]
        (count,) = connection.execute(
            "SELECT count(*) FROM big WHERE seen BETWEEN '2001-01-01' AND '2001-01-03'"
        ).fetchone()
        assert count == sum(
            datetime.date(2001, 1, 1) <= EPOCH + datetime.timedelta(days=n % 9000) <= datetime.date(2001, 1, 3)
            for n in range(ROWS)
        )
        assert connection.execute("SELECT max(seen), min(seen) FROM big").fetchone() == (
            EPOCH + datetime.timedelta(days=8999),
            EPOCH,
        )
