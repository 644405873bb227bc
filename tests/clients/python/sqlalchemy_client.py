"""SQLAlchemy 2: Core and ORM over psycopg2 and psycopg 3, and the asyncio extension over asyncpg. Settings: PG*."""

import asyncio
import datetime
import os
import uuid
from decimal import Decimal
from typing import Any

import asyncpg
import psycopg
import psycopg2
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload

EMAIL = "ada.canary@mail.example"
BORN = datetime.date(1815, 12, 10)
SEEN = datetime.datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=datetime.UTC)
TOKEN = uuid.UUID("c0ffee00-ca9a-4ee1-8000-0123456789ab")


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "people"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str | None] = mapped_column(sa.String(80))
    email: Mapped[str] = mapped_column(sa.String(120), unique=True)
    born: Mapped[datetime.date | None] = mapped_column(index=True)
    balance: Mapped[Decimal | None] = mapped_column(sa.Numeric(12, 2))
    visits: Mapped[int | None]
    seen: Mapped[datetime.datetime | None] = mapped_column(sa.DateTime(timezone=True))
    token: Mapped[uuid.UUID | None]
    photo: Mapped[bytes | None]
    profile: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    notes: Mapped[str | None] = mapped_column(sa.Text)
    city: Mapped[str | None] = mapped_column(sa.Text)
    orders: Mapped[list["Order"]] = relationship(back_populates="person", order_by="Order.total")


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(sa.ForeignKey("people.email"))
    total: Mapped[Decimal] = mapped_column(sa.Numeric(12, 2))
    person: Mapped[Person] = relationship(back_populates="orders")


def people() -> list[Person]:
    ada = Person(
        id=1,
        name="Ada Canary-Lovelace",
        email=EMAIL,
        born=BORN,
        balance=Decimal("98765.43"),
        visits=4711,
        seen=SEEN,
        token=TOKEN,
        photo=b"\x00canaryphoto\xff",
        profile={"hobby": "canary breeding"},
        notes="met Mr Babbage at the canary soirée",
        city="London",
    )
    grace = Person(id=2, name="Grace Canary-Hopper", email="grace.canary@mail.example", born=datetime.date(1906, 12, 9))
    return [ada, grace]


def use_core(connection: sa.Connection) -> None:
    table = Person.__table__
    day = datetime.date(2000, 1, 1)
    rows = [{"id": n, "email": f"batch{n}.canary@mail.example", "born": day} for n in range(100, 130)]
    connection.execute(sa.insert(table), rows)
    returned = connection.execute(
        sa.insert(table).returning(table.c.id, table.c.email),
        [{"id": n, "email": f"copy{n}.canary@mail.example"} for n in range(200, 220)],
    ).all()
    assert sorted(returned) == [(n, f"copy{n}.canary@mail.example") for n in range(200, 220)]
    in_list = sa.select(table.c.id).where(table.c.email.in_([row["email"] for row in rows[:5]])).order_by(table.c.id)
    assert connection.scalars(in_list).all() == [100, 101, 102, 103, 104]
    between = sa.select(table.c.id).where(table.c.born.between(BORN, datetime.date(1950, 1, 1))).order_by(table.c.born)
    assert connection.scalars(between).all() == [1, 2]
    on_conflict = insert(table).values(id=100, email="x.canary@mail.example").on_conflict_do_nothing()
    connection.execute(on_conflict)
    upsert = insert(table).values(id=100, email="batch100.canary@mail.example", born=day)
    upsert = upsert.on_conflict_do_update(index_elements=["id"], set_={"email": upsert.excluded.email})
    connection.execute(upsert)
    found = connection.execute(sa.select(sa.func.count(), sa.func.max(table.c.born)).where(table.c.id >= 100)).one()
    assert found == (50, day)
    exists = sa.select(sa.exists().where(table.c.email == EMAIL))
    assert connection.scalar(exists) is True
    assert connection.scalar(sa.select(table.c.email).order_by(table.c.born.desc().nulls_last()).limit(1)) is not None


def use_orm(session: Session) -> None:
    ada = session.scalars(sa.select(Person).where(Person.email == EMAIL)).one()
    assert (ada.born, ada.balance, ada.visits, ada.seen, ada.token) == (BORN, Decimal("98765.43"), 4711, SEEN, TOKEN)
    assert (ada.photo, ada.profile, ada.city) == (b"\x00canaryphoto\xff", {"hobby": "canary breeding"}, "London")
    ada.balance = Decimal("31337.25")
    ada.notes = None
    ada.orders = [Order(total=Decimal(10)), Order(total=Decimal("20.25"))]
    session.commit()
    assert ada.balance == Decimal("31337.25")
    with_orders = sa.select(Person).options(selectinload(Person.orders)).where(Person.id == 1)
    assert [order.total for order in session.scalars(with_orders).one().orders] == [Decimal(10), Decimal("20.25")]
    joined = sa.select(Person.name, Order.total).join(Person.orders).where(Order.total > 15)
    assert session.execute(joined).all() == [("Ada Canary-Lovelace", Decimal("20.25"))]
    session.add(Person(id=3, email=EMAIL))
    try:
        session.commit()
        raise AssertionError("no error")
    except sa.exc.IntegrityError:
        session.rollback()
    try:
        session.scalars(sa.select(Person).where(Person.notes.contains("at the canary soir"))).all()
        raise AssertionError("no error")
    except (sa.exc.NotSupportedError, sa.exc.DBAPIError) as error:
        assert "public.people.notes" in str(error)
        session.rollback()
    session.add(Person(id=3, email="third.canary@mail.example"))
    session.commit()
    session.delete(session.get_one(Person, 3))
    session.commit()
    session.execute(sa.delete(Order))
    ada.balance, ada.notes = Decimal("98765.43"), "met Mr Babbage at the canary soirée"
    session.commit()


async def use_asyncio(url: str) -> None:
    ssl = os.environ["PGSSLMODE"]
    engine = create_async_engine(url, connect_args={"ssl": ssl})
    async with engine.begin() as connection:
        await connection.execute(sa.delete(Person).where(Person.id >= 100))
        await connection.run_sync(use_core)
        streamed = await connection.stream(sa.select(Person.id).where(Person.city.is_(None)).order_by(Person.id))
        assert len([row async for row in streamed]) == 51
    async with AsyncSession(engine) as session:
        await session.run_sync(use_orm)
        session.add(Order(email=EMAIL, total=Decimal(10)))
        await session.commit()
    await engine.dispose()


def main() -> None:
    where = "{PGUSER}:{PGPASSWORD}@{PGHOST}:{PGPORT}/{PGDATABASE}".format(**os.environ)
    for driver in ("psycopg2", "psycopg"):
        engine = sa.create_engine(f"postgresql+{driver}://{where}")
        Base.metadata.drop_all(engine)
        Base.metadata.create_all(engine)
        Base.metadata.create_all(engine)  # finds that it is all there
        with Session(engine) as session:
            session.add_all(people())
            session.commit()
        with engine.begin() as connection:
            use_core(connection)
        with Session(engine) as session:
            use_orm(session)
        inspector = sa.inspect(engine)
        assert sorted(inspector.get_table_names()) == ["orders", "people"]
        assert [column["name"] for column in inspector.get_columns("people")][:3] == ["id", "name", "email"]
        assert inspector.get_foreign_keys("orders")[0]["referred_columns"] == ["email"]
        engine.dispose()
    asyncio.run(use_asyncio(f"postgresql+asyncpg://{where}"))
    drivers = (
        f"psycopg2 {psycopg2.__version__.split()[0]}, psycopg {psycopg.__version__}, asyncpg {asyncpg.__version__}"
    )
    print(f"client: SQLAlchemy {sa.__version__} over {drivers}")


main()
