"""A database with the type sealwire.sealed, and the analysis run against its real catalog.

Sealed literals are replaced by recognisable stand-ins: header, then a digest of domain and text (scheme order: the
text itself first), so that the database can compare and check them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from proxy.config import DatabasePolicy, Policy, Scheme, SealedColumn
from proxy.pgtypes import parse_type
from proxy.sql import analyse
from proxy.sql.catalog import (
    CATALOG_QUERY,
    SESSION_QUERY,
    SYSTEM_QUERY,
    Catalog,
    SearchPath,
    load_catalog,
    load_session,
    load_system,
)
from proxy.sql.plan import Failure, LiteralSlot, Plan, Statement

DOMAIN = """
CREATE SCHEMA IF NOT EXISTS sealwire;
CREATE DOMAIN sealwire.sealed AS bytea CHECK (
  length(VALUE) > 6 AND get_byte(VALUE, 0) = 225 AND get_byte(VALUE, 1) BETWEEN 1 AND 3);
"""

_SCHEMES = {"none": Scheme.RANDOM, "equality": Scheme.EQUALITY, "order": Scheme.ORDER}


def column(
    name: str, kind: str, search: str = "none", *, domain: str | None = None, pending: bool = False
) -> SealedColumn:
    """`schema.table.column` with its policy."""
    schema, table, attribute = name.split(".")
    scheme = _SCHEMES[search]
    length = 8 if scheme is Scheme.ORDER and kind == "text" else None
    return SealedColumn(
        "*", schema, table, attribute, parse_type(kind), scheme, domain or name, max_length=length, pending=pending
    )


def policy_of(*columns: SealedColumn) -> DatabasePolicy:
    return Policy(columns).for_database("shop")


def seal(slot: LiteralSlot) -> bytes:
    """What stands in for the sealed literal."""
    target = slot.sealing.column
    body = hashlib.sha256(f"{target.domain}|{slot.text}".encode()).digest()[:16]
    if target.scheme is Scheme.ORDER:
        body = slot.text.encode().ljust(16, b"\0") + body
    return bytes((0xE1, target.scheme, 0, 0, 0, 1)) + body


def spliced(plan: Plan) -> str:
    """The SQL that a session would send for a rewritten statement."""
    assert plan.template is not None
    pieces = [plan.template[0]]
    for slot, piece in zip(plan.literals, plan.template[1:], strict=True):
        pieces += [f"E'\\\\x{seal(slot).hex()}'", piece]
    return "".join(pieces)


class Database:
    """One connection inside one transaction, and the policy that statements are held against."""

    def __init__(self, connection: psycopg.Connection[Any], policy: DatabasePolicy) -> None:
        self.connection = connection
        self.policy = policy
        self.sent: list[str] = []

    def query(self, sql: str) -> list[Any]:
        """Straight to the server."""
        cursor = self.connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []

    def value(self, sql: str) -> Any:
        return self.query(sql)[0][0]

    def catalog(self) -> tuple[Catalog, SearchPath]:
        system = load_system(self.value(SYSTEM_QUERY))
        return load_catalog(self.value(CATALOG_QUERY), system), load_session(self.value(SESSION_QUERY)).path

    def analyse(self, sql: str) -> list[Statement | Failure]:
        catalog, path = self.catalog()
        return analyse(sql, catalog=catalog, path=path, policy=self.policy)

    def plan(self, sql: str) -> Plan:
        """The plan of a single statement; raises its refusal."""
        (outcome,) = self.analyse(sql)
        if isinstance(outcome, Failure):
            raise outcome.error
        return outcome.plan

    def run(self, sql: str) -> Plan:
        """Analyses one statement and executes what comes of it."""
        plan = self.plan(sql)
        text = sql if plan.template is None else spliced(plan)
        self.sent.append(text)
        self.query(text)
        return plan

    def types(self, table: str) -> dict[str, str]:
        """Column name -> type as format_type() prints it."""
        return dict(
            self.query(
                "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
                f"WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
            )
        )


@contextmanager
def rolled_back(dsn: str, policy: DatabasePolicy) -> Iterator[Database]:
    """A Database whose changes are gone afterwards; the type sealwire.sealed is there."""
    with psycopg.connect(dsn) as connection:
        connection.execute(DOMAIN.encode())
        yield Database(connection, policy)
        connection.rollback()
