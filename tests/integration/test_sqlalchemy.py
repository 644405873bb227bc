"""SQLAlchemy's ORM through the proxy: create_all, add, query, update, a relationship joined on sealed columns."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal

import pytest
from sqlalchemy import Date, ForeignKey, Numeric, String, Text, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from tests.support.servers import Database
from tests.support.stack import Stack, running


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "people"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(120), unique=True)
    name: Mapped[str | None] = mapped_column(String(80))
    born: Mapped[datetime.date | None] = mapped_column(Date, index=True)
    notes: Mapped[str | None] = mapped_column(Text)
    purchases: Mapped[list[Purchase]] = relationship(back_populates="person", order_by="Purchase.total")


class Purchase(Base):
    __tablename__ = "purchases"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(120), ForeignKey("people.email"))
    total: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    person: Mapped[Person] = relationship(back_populates="purchases")


POLICY = """\
public.people:
  email: {type: varchar(120), search: equality, join: emails}
  name:  {type: varchar(80)}
  born:  {type: date, search: order}
  notes: {type: text}
public.purchases:
  email: {type: varchar(120), search: equality, join: emails}
  total: {type: "numeric(12,2)", search: order}
"""


@pytest.fixture
def stack(database: Database) -> Iterator[Stack]:
    with running(database, POLICY) as running_stack:
        yield running_stack


@pytest.mark.parametrize("driver", ["psycopg"])
def test_the_orm_does_not_notice(stack: Stack, driver: str) -> None:
    engine = create_engine(stack.dsn.replace("postgresql:", f"postgresql+{driver}:"))
    Base.metadata.create_all(engine)
    ada, bob = stack.canary("ada.orm.canary@mail.example"), stack.canary("bob.orm.canary@mail.example")

    with Session(engine) as session:
        session.add_all(
            [
                Person(
                    email=ada,
                    name=stack.canary("Ada of the ORM"),
                    born=datetime.date(1815, 12, 10),
                    notes=stack.canary("counts to a million"),
                    purchases=[Purchase(total=Decimal("19.90")), Purchase(total=Decimal("5.25"))],
                ),
                Person(email=bob, name=None, born=datetime.date(1990, 5, 5)),
            ]
        )
        session.commit()

    with Session(engine) as session:
        person = session.scalars(select(Person).where(Person.email == ada)).one()
        assert person.name == "Ada of the ORM"
        assert [purchase.total for purchase in person.purchases] == [Decimal("5.25"), Decimal("19.90")]
        assert session.scalars(select(Person.email).order_by(Person.born)).all() == [ada, bob]
        assert session.scalars(select(Person.id).where(Person.email.in_([ada, bob]))).all() == [1, 2]
        joined = session.execute(
            select(Person.email, func.count(), func.max(Purchase.total)).join(Purchase.person).group_by(Person.email)
        ).all()
        assert joined == [(ada, 2, Decimal("19.90"))]
        person.notes = stack.canary("changed her mind entirely")
        person.born = datetime.date(1816, 1, 1)
        session.commit()

    with Session(engine) as session:
        person = session.scalars(select(Person).where(Person.born < datetime.date(1900, 1, 1))).one()
        assert (person.notes, person.born) == ("changed her mind entirely", datetime.date(1816, 1, 1))
        session.delete(session.scalars(select(Person).where(Person.email == bob)).one())
        session.commit()
        assert session.scalar(select(func.count()).select_from(Person)) == 1
    engine.dispose()
