"""A small shop behind the proxy, on PostgreSQL 18 and 16, with the tap in between."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.servers import Database
from tests.support.stack import Stack, running

POLICY = """\
public.customers:
  name:    {type: varchar(80)}
  email:   {type: varchar(120), search: equality, join: emails}
  phone:   {type: varchar(24), search: equality}
  born:    {type: date, search: order}
  balance: {type: "numeric(12,2)", search: order}
  notes:   {type: text}
public.orders:
  email:   {type: varchar(120), search: equality, join: emails}
  total:   {type: "numeric(12,2)", search: order}
"""

SCHEMA = """
CREATE TABLE customers (
  id integer PRIMARY KEY, name varchar(80), email varchar(120) UNIQUE, phone varchar(24),
  born date, balance numeric(12,2), notes text, city text);
CREATE INDEX ON customers (born);
CREATE TABLE orders (id integer PRIMARY KEY, email varchar(120) REFERENCES customers (email), total numeric(12,2));
"""


@pytest.fixture
def stack(database: Database) -> Iterator[Stack]:
    """The shop, empty."""
    with running(database, POLICY) as running_stack:
        with running_stack.connect() as connection:
            connection.execute(SCHEMA)
        yield running_stack
