"""Random schemas, policies and rows for the generated corpus: a `World` is one schema with a few tables.

Every table has a plain integer key `id` and a plain `k`; the other columns are plain or sealed under a random type and
search mode. Sealed text carries the mark `genmark`, which no plain column and no literal beside a plain column has.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.support.tap import Canary

CANARIES = (Canary("genmark"), Canary("1987-07-1"), Canary("91357.2"))

_TEXTS = ("genmark a", "genmark b", "genmark B", "", "genmark 'q'", "genmark é", "genmark\\")
POOLS: dict[str, tuple[str, ...]] = {
    "text": _TEXTS,
    "varchar(20)": _TEXTS,
    "varchar(30)": _TEXTS,
    "integer": ("0", "1", "-1", "7", "2147483647", "-2147483648"),
    "bigint": ("0", "5", "-5", "9223372036854775807"),
    "smallint": ("0", "3", "-3", "32767"),
    "numeric(10,2)": ("0.00", "91357.25", "91357.20", "-1.50", "7.00"),
    "date": ("1987-07-11", "1987-07-12", "2000-02-29", "infinity", "0044-03-15 BC"),
    "timestamp": ("1987-07-11 10:00:00", "1987-07-11 10:00:00.5", "-infinity", "2000-02-29 00:00:00"),
    "timestamptz": ("1987-07-11 10:00:00+00", "2000-02-29 00:00:00+02"),
    "boolean": ("true", "false"),
    "uuid": ("b4d6e001-5ea1-4000-8000-00000000000a", "b4d6e001-5ea1-4000-8000-00000000000b"),
    "double precision": ("0", "1.5", "-2.25", "Infinity", "1e300"),
    "bytea": ("\\x", "\\xcafe1337", "\\x00ff"),
    "jsonb": ('{"genmark": 1}', "[1, 2]", "null"),
}
NUMBERS = frozenset({"integer", "bigint", "smallint", "numeric(10,2)", "double precision"})
NO_ORDER = frozenset({"bytea", "jsonb"})
NO_SEARCH = frozenset({"jsonb"})
PLAIN_POOLS = {"integer": ("0", "1", "2", "5", "-3"), "text": ("plain x", "plain y", "Plain", "")}


@dataclass(frozen=True, slots=True)
class Column:
    """`search`: plain, none, equality or order. `domain`: columns of one domain may meet."""

    name: str
    type: str
    search: str
    domain: str

    @property
    def sealed(self) -> bool:
        return self.search != "plain"

    @property
    def pool(self) -> tuple[str, ...]:
        return POOLS[self.type] if self.sealed else PLAIN_POOLS[self.type]

    @property
    def is_text(self) -> bool:
        return self.type == "text" or self.type.startswith("varchar")


@dataclass(frozen=True, slots=True)
class Table:
    schema: str
    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str | None, ...], ...]
    unique: str | None
    """A column with a UNIQUE constraint beside the key."""

    @property
    def qualified(self) -> str:
        return f"{self.schema}.{self.name}"

    def ddl(self) -> str:
        defined = []
        for column in self.columns:
            collation = ' COLLATE "C"' if column.is_text and column.search == "order" else ""
            key = " PRIMARY KEY" if column.name == "id" else " UNIQUE" if column.name == self.unique else ""
            defined.append(f"{column.name} {column.type}{collation}{key}")
        return f"CREATE TABLE {self.qualified} ({', '.join(defined)})"

    def policy(self) -> str:
        lines = [f"{self.qualified}:"]
        for column in self.columns:
            if column.sealed:
                settings = [f'type: "{column.type}"']
                if column.search != "none":
                    settings.append(f"search: {column.search}")
                if not column.domain.startswith("own "):
                    settings.append(f"join: {column.domain}")
                if column.search == "order" and column.is_text:
                    settings.append("max_length: 24")
                lines.append(f"  {column.name}: {{{', '.join(settings)}}}")
        return "\n".join(lines) + "\n" if len(lines) > 1 else ""


@dataclass(frozen=True, slots=True)
class World:
    schema: str
    tables: tuple[Table, ...]

    def policy(self) -> str:
        return "".join(table.policy() for table in self.tables)


def world(number: int, draw: random.Random) -> World:
    """One schema: three or four tables that share two domains, and columns of their own."""
    schema = f"w{number}"
    kinds = [name for name in POOLS if name not in ("varchar(20)", "varchar(30)")]
    shared_order = draw.choice([kind for kind in kinds if kind not in NO_ORDER and kind != "boolean"])
    tables = []
    for index in range(draw.randint(3, 4)):
        columns = [Column("id", "integer", "plain", "plain"), Column("k", "integer", "plain", "plain")]
        columns.append(Column("e", draw.choice(("text", "varchar(20)", "varchar(30)")), "equality", f"{schema}_e"))
        columns.append(Column("o", shared_order, "order", f"{schema}_o"))
        if draw.random() < 0.6:
            columns.append(Column("p", "text", "plain", "plain"))
        for extra in range(draw.randint(1, 4)):
            kind = draw.choice(kinds)
            modes = ("none", "equality", "equality", "order")
            search = draw.choice(modes[:1] if kind in NO_SEARCH else modes[:2] if kind in NO_ORDER else modes)
            name = f"c{extra}"
            columns.append(Column(name, kind, search, f"own {schema} {index} {name}"))
        tables.append(_filled(schema, f"t{index}", tuple(columns), draw))
    return World(schema, tuple(tables))


def _filled(schema: str, name: str, columns: tuple[Column, ...], draw: random.Random) -> Table:
    unique = "e" if draw.random() < 0.3 else None
    rows, used = [], set()
    for number in range(1, draw.randint(6, 14)):
        row: list[str | None] = [str(number)]
        for column in columns[1:]:
            value = None if draw.random() < 0.15 else draw.choice(column.pool)
            if column.name == unique and value is not None:
                value = f"genmark {number}" if value in used else value
                used.add(value)
            row.append(value)
        rows.append(tuple(row))
    return Table(schema, name, columns, tuple(rows), unique)
