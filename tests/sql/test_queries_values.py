"""The same rows, plain and sealed: a rewritten statement gives the answer of the original.

Sealing is played by an encoding that keeps equality and order, which is all that the server may use.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from proxy.errors import Refused
from proxy.pgtypes import Family, SqlType, parse_type
from proxy.sql.plan import Opening, Use
from proxy.wire.codecs import records
from tests.sql.query_catalog import TABLES, analyse
from tests.sql.query_server import Pair, fresh_pair
from tests.support.servers import Server

DAY = datetime.date
ROWS: dict[str, list[tuple[Any, ...]]] = {
    "customers": [
        (1, "n1", "a", "p1", DAY(2000, 1, 1), "x1", Decimal("5.00"), "ab", True, "ab", 5),
        (2, "n2", "b", "p2", DAY(2000, 6, 1), "x1", Decimal("-7.25"), "abc", False, "a", 6),
        (3, "x", "x", None, None, None, None, "x%y", None, None, None),
        (4, "a", "a@b", "p2", DAY(2001, 1, 1), "none", Decimal("10.50"), "b", True, "cd", -7),
        (5, None, None, "x", DAY(1999, 1, 1), "a", Decimal("0.00"), None, False, "ab", 99999999999),
        (7, "y", "y", "", DAY(2000, 1, 1), None, Decimal("5.50"), "a", True, "z", 6),
    ],
    "contacts": [
        (1, 1, "p1", "e1", "l1", "p2"),
        (2, 2, "p2", "x", "x", "p1"),
        (3, 1, None, None, None, None),
        (4, 5, "x", "a", "a", "x"),
        (5, 3, "", "b", "b", None),
    ],
    "orders": [
        (1, 1, Decimal("9.50"), DAY(2000, 1, 1)),
        (2, 2, Decimal("1.00"), DAY(2000, 2, 2)),
        (3, 1, None, None),
    ],
    "plain_mail": [(1, "a"), (2, "x")],
    "raw": [(1, "s")],
    "later": [(1, "x")],
}
# Without an answer to compare: random ones, physical ones, ones that need parameters; `filtered` holds constants that
# are no values here; 5.5 next to numeric(12,2) is refused when it is sealed (Use.CARRY).
UNFIT = re.compile(r"\$1|random\(\)|tablesample|now\(\)|current_date|ctid|filtered|greatest\(balance, 5\.5\)")
STATEMENTS = [
    line
    for line in Path(__file__).with_name("queries").joinpath("statements.sql").read_text().splitlines()
    if line and not line.startswith("--") and not UNFIT.search(line)
]
_ZERO = 10**12


def seal(value: Any, kind: SqlType) -> bytes | None:
    if value is None:
        return None
    text = str(value)
    if kind.family is Family.CHAR:
        text = text.rstrip()
    elif kind.family is Family.DATE:
        text = text[:10]
    elif kind.family is Family.BOOLEAN:
        text = "t" if text.lower() in ("t", "true") else "f"
    elif kind.family is Family.NUMERIC:
        text = f"{int(Decimal(text) * 100) + _ZERO:015d}"
    elif kind.family is Family.BIGINT:
        text = f"{int(text) + _ZERO:015d}"
    return b"\xe1" + text.encode()


def kind_of(opening: Opening | None) -> Any:
    """What a result column is revealed as; a tuple for a record."""
    if opening is None:
        return None
    return opening.type if opening.fields is None else tuple(map(kind_of, opening.fields))


def reveal(value: Any, kind: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, tuple) and isinstance(value, str):  # a composite type that the driver does not know
        fields = [None if field is None else field.decode() for field in records.parse_text(value.encode())]
        shown = [None if field is None else field.encode() for field in reveal(fields, kind)]
        return records.print_text(shown).decode()
    if isinstance(kind, tuple):  # the driver gives the fields of a record as text
        return tuple(
            written(reveal(bytes.fromhex(field[2:]), one)) if one and field else field
            for field, one in zip(value, kind, strict=True)
        )
    if kind.is_array:  # of a domain, which the driver gives as text
        parts = [] if value == "{}" else value[1:-1].split(",")
        element = kind.element
        return [None if p == "NULL" else reveal(bytes.fromhex(p.strip('"').lstrip("\\")[1:]), element) for p in parts]
    text = bytes(value)[1:].decode()
    if kind.family is Family.CHAR:
        return text.ljust(4)
    if kind.family is Family.DATE:
        return DAY.fromisoformat(text)
    if kind.family is Family.BOOLEAN:
        return text == "t"
    if kind.family is Family.NUMERIC:
        return Decimal(int(text) - _ZERO).scaleb(-2)
    return int(text) - _ZERO if kind.family is Family.BIGINT else text


def written(value: Any) -> str:
    return "ft"[value] if isinstance(value, bool) else str(value)


def sealed_type(column: tuple[str, ...]) -> SqlType | None:
    is_sealed = len(column) > 2 and column[2] in ("none", "equality", "order")
    return parse_type(column[1]) if is_sealed else None


@pytest.fixture(scope="module")
def pair(embedded18: Server) -> Iterator[Pair]:
    with fresh_pair(embedded18) as fresh:
        for table, rows in ROWS.items():
            insert = f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(TABLES[table]))})"
            kinds = [sealed_type(column) for column in TABLES[table]]
            for row in rows:
                fresh.plain.execute(insert, row)
                fresh.sealed.execute(insert, [seal(v, k) if k else v for v, k in zip(row, kinds, strict=True)])
        yield fresh


def outcome(connection: psycopg.Connection, sql: str, kinds: list[Any] | None, *, is_sealed: bool) -> Any:
    """Rows, row count and what the tables hold afterwards; or the SQLSTATE. Everything is rolled back."""
    connection.execute("BEGIN")
    try:
        cursor = connection.execute(sql.encode())
        rows = cursor.fetchall() if cursor.description else []
        if kinds:
            rows = [tuple(reveal(v, k) if k else v for v, k in zip(row, kinds, strict=True)) for row in rows]
        held = {}
        for table, columns in TABLES.items():
            types = [sealed_type(column) if is_sealed else None for column in columns]
            content = connection.execute(f"SELECT * FROM {table}").fetchall()
            held[table] = sorted(
                repr([reveal(v, k) if k else v for v, k in zip(row, types, strict=True)]) for row in content
            )
    except psycopg.Error as error:
        return error.sqlstate
    else:
        return rows, cursor.rowcount, held
    finally:
        connection.execute("ROLLBACK")


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_rewritten_statement_gives_the_same_answer(statement: str, pair: Pair) -> None:
    try:
        analysed = analyse(statement)
    except Refused:
        return  # held against PostgreSQL in test_queries_server.py
    sql = analysed.tree if analysed.sql is not None else statement
    for index, slot in enumerate(analysed.literals):
        value = seal(slot.text, slot.sealing.column.type)
        assert value is not None
        if slot.sealing.use is Use.PREFIX_HIGH:
            value += b"\xff" * 4
        sql = sql.replace(analysed.context.marker(index), f"\\x{value.hex()}")
    kinds = [kind_of(opening) for opening in analysed.results] if analysed.results else None
    expected = outcome(pair.plain, statement, None, is_sealed=False)
    found = outcome(pair.sealed, sql, kinds, is_sealed=True)
    if "order by" not in statement or " over " in statement:
        expected, found = unordered(expected), unordered(found)
    assert found == expected


def unordered(result: Any) -> Any:
    return result if isinstance(result, str) else (sorted(map(repr, result[0])), *result[1:])
