"""The demo's shop: schema, policy and rows. Deterministic, so that a test can look for every plaintext afterwards."""

from __future__ import annotations

import datetime
import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

DATABASE: Final = "shop"

POLICY: Final = """\
# The sealed columns of the demo's shop.
shop:
  public.customers:
    name:  {type: varchar(80)}
    email: {type: varchar(120), search: equality, join: emails}
    phone: {type: varchar(24), search: equality}
    born:  {type: date, search: order}
    notes: {type: text}
  public.cards:
    holder:  {type: varchar(80)}
    number:  {type: varchar(19), search: equality}
    expires: {type: date, search: order}
  public.orders:
    email:   {type: varchar(120), search: equality, join: emails}
    total:   {type: "numeric(12,2)", search: order}
    ship_to: {type: text}
"""

SCHEMA: Final = (
    """CREATE TABLE customers (
         id    integer PRIMARY KEY,
         name  varchar(80) NOT NULL,
         email varchar(120) NOT NULL UNIQUE,
         phone varchar(24),
         born  date,
         notes text)""",
    """CREATE TABLE cards (
         id          integer PRIMARY KEY,
         customer_id integer NOT NULL REFERENCES customers (id),
         holder      varchar(80) NOT NULL,
         number      varchar(19) NOT NULL UNIQUE,
         expires     date NOT NULL)""",
    """CREATE TABLE orders (
         id      integer PRIMARY KEY,
         email   varchar(120) NOT NULL REFERENCES customers (email),
         placed  timestamptz NOT NULL,
         status  text NOT NULL,
         total   numeric(12,2) NOT NULL,
         ship_to text NOT NULL)""",
    "CREATE INDEX customers_born_idx ON customers (born)",
    "CREATE INDEX orders_email_idx ON orders (email)",
    "CREATE INDEX orders_total_idx ON orders (total)",
)

INSERTS: Final = {
    "customers": "INSERT INTO customers (id, name, email, phone, born, notes) VALUES ($1, $2, $3, $4, $5, $6)",
    "cards": "INSERT INTO cards (id, customer_id, holder, number, expires) VALUES ($1, $2, $3, $4, $5)",
    "orders": "INSERT INTO orders (id, email, placed, status, total, ship_to) VALUES ($1, $2, $3, $4, $5, $6)",
}

_FIRST: Final = (
    "Adaeze Bram Chiara Dmitri Eleonora Farid Giulia Hiroshi Ingeborg Joaquín Katarzyna Leopold Mireille Nkechi Ólafur "
    "Priyanka Quentin Rosalind Søren Tatiana Umberto Valentina Wolfgang Ximena Yevgenia Zoltán"
).split()
_LAST: Final = (
    "Achterberg Bianchini Castellanos Dąbrowski Eriksson Fitzgerald Grünwald Hashimoto Iwanowska Jóhannsdóttir "
    "Kowalczyk Lindqvist Montgomery Nakashima Okonkwo Papadopoulos Quarshie Rasmussen Szczepański Takahashi "
    "Underwood Villanueva Wojciechowski Yamaguchi Zimmermann"
).split()
_STREETS: Final = "Lindenallee Kirkegata Harborview Rosenstraat Wisteria Bellevue Foxglove Marienplatz".split()
_TOWNS: Final = "Antwerpen Trondheim Kraków Porto Graz Tampere Ljubljana Galway".split()
_NOTES: Final = (
    "prefers to be called in the evening, hearing impaired",
    "disputed the invoice of March, lawyer involved",
    "diabetic: no sweets in the gift basket",
    "moved in with her sister after the divorce",
    "pays by instalments, was two months late",
)


@dataclass(frozen=True, slots=True)
class Shop:
    """Rows for `INSERTS`, by table, in the order of the columns there."""

    customers: list[tuple[int, str, str, str, datetime.date, str | None]]
    cards: list[tuple[int, int, str, str, datetime.date]]
    orders: list[tuple[int, str, datetime.datetime, str, Decimal, str]]

    def plaintexts(self) -> set[str]:
        """Every sealed text that is long enough to be looked for in megabytes of other bytes."""
        found: set[str] = set()
        for _, name, email, phone, _, notes in self.customers:
            found |= {name, email, phone, *([notes] if notes else [])}
        for _, _, holder, number, _ in self.cards:
            found |= {holder, number}
        found |= {row[5] for row in self.orders}
        return found


def make_shop(customers: int = 1_000, orders: int = 5_000, seed: int = 20_241_105) -> Shop:
    """`customers` people with a card each, and `orders` orders of theirs."""
    rng = random.Random(seed)  # noqa: S311 - made-up people, not secrets
    shop = Shop([], [], [])
    for number in range(1, customers + 1):
        first, last = rng.choice(_FIRST), rng.choice(_LAST)
        name = f"{first} {last}"
        email = f"{first}.{last}.{number}@mail.example".lower()
        phone = f"+{rng.randint(31, 49)} {rng.randint(100, 999)} {rng.randint(1_000_000, 9_999_999)}"
        born = datetime.date(1935, 1, 1) + datetime.timedelta(days=rng.randrange(25_000))
        notes = f"{rng.choice(_NOTES)} (file {number})" if rng.random() < 0.4 else None
        shop.customers.append((number, name, email, phone, born, notes))
        expires = datetime.date(2027, 1, 1) + datetime.timedelta(days=30 * rng.randrange(48))
        shop.cards.append((number, number, name.upper(), _card_number(rng, number), expires))
    start = datetime.datetime(2025, 1, 1, 8, tzinfo=datetime.UTC)
    for number in range(1, orders + 1):
        email = rng.choice(shop.customers)[2]
        placed = start + datetime.timedelta(minutes=rng.randrange(500_000))
        total = Decimal(rng.randrange(500, 250_000)) / 100
        address = f"{rng.randrange(1, 400)} {rng.choice(_STREETS)}, {rng.choice(_TOWNS)} (order {number})"
        status = rng.choice(("open", "paid", "shipped"))
        shop.orders.append((number, email, placed, status, total, address))
    return shop


def _card_number(rng: random.Random, serial: int) -> str:
    """Sixteen digits in an unassigned range, with a valid Luhn check digit."""
    body = f"9000{serial:07d}{rng.randrange(10_000):04d}"
    total = sum(digit if place % 2 else sum(divmod(digit * 2, 10)) for place, digit in enumerate(map(int, body)))
    return body + str(-total % 10)
