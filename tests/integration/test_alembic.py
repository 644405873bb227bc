"""Alembic reads the schema through the proxy and finds nothing to migrate, or exactly what is missing."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata, produce_migrations
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.operations.ops import ModifyTableOps
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tests.support.servers import Database
from tests.support.stack import Stack, running

POLICY = """\
public.people:
  email:   {type: varchar(120), search: equality, join: emails}
  born:    {type: date, search: order}
  balance: {type: "numeric(12,2)", search: order}
  seen:    {type: timestamptz(3)}
  tags:    {type: "text[]"}
  notes:   {type: text}
  phone:   {type: varchar(24), search: equality}
  active:  {type: boolean, search: equality}
public.cards:
  owner: {type: varchar(120), search: equality, join: emails}
"""


class Base(DeclarativeBase):
    pass


class Person(Base):
    """The application's model: it knows nothing of sealing."""

    __tablename__ = "people"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(sa.String(120), unique=True)
    born: Mapped[datetime.date | None] = mapped_column(index=True)
    balance: Mapped[decimal.Decimal | None] = mapped_column(sa.Numeric(12, 2))
    seen: Mapped[datetime.datetime | None] = mapped_column(sa.dialects.postgresql.TIMESTAMP(True, 3))
    tags: Mapped[list[str] | None] = mapped_column(ARRAY(sa.Text))
    notes: Mapped[str | None] = mapped_column(sa.Text)
    active: Mapped[bool | None]
    city: Mapped[str | None] = mapped_column(sa.String(40))


class Card(Base):
    __tablename__ = "cards"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(sa.ForeignKey("people.email"), type_=sa.String(120))


@pytest.fixture
def stack(database: Database) -> Iterator[Stack]:
    with running(database, POLICY) as running_stack:
        yield running_stack


@pytest.fixture
def engine(stack: Stack) -> Iterator[sa.Engine]:
    engine = sa.create_engine(stack.dsn.replace("postgresql://", "postgresql+psycopg://"))
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def _difference(connection: sa.Connection, metadata: sa.MetaData = Base.metadata) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return list(compare_metadata(context, metadata))


def test_autogenerate_finds_no_difference(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        assert _difference(connection) == []


def test_autogenerate_finds_the_column_that_is_new_and_its_migration_seals_it(stack: Stack, engine: sa.Engine) -> None:
    wanted = sa.MetaData()
    for table in Base.metadata.tables.values():
        table.to_metadata(wanted)
    wanted.tables["people"].append_column(sa.Column("phone", sa.String(24), unique=True))
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        migration = produce_migrations(context, wanted)
        (change,) = migration.upgrade_ops.ops
        assert isinstance(change, ModifyTableOps)
        operations = Operations(context)
        for operation in change.ops:
            operations.invoke(operation)
    with engine.connect() as connection:
        assert _difference(connection, wanted) == []
    with stack.direct() as direct:
        physical = (
            "SELECT atttypid::regtype::text FROM pg_attribute WHERE attrelid = 'people'::regclass AND attname = 'phone'"
        )
        assert direct.execute(physical).fetchone() == ("sealwire.sealed",)


def test_autogenerate_sees_a_type_that_differs(engine: sa.Engine) -> None:
    wanted = sa.MetaData()
    for table in Base.metadata.tables.values():
        table.to_metadata(wanted)
    wanted.tables["people"].c.email.type = sa.String(200)
    wanted.tables["people"].c.balance.type = sa.Numeric(14, 4)
    with engine.connect() as connection:
        found = sorted((change[0][0], change[0][3]) for change in _difference(connection, wanted))
    assert found == [("modify_type", "balance"), ("modify_type", "email")]
