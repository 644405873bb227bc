"""Two databases with the tables of query_catalog: one plain, one as Sealwire stores it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import psycopg
from psycopg import pq

from tests.sql.query_catalog import TABLES, VIEWS
from tests.support.servers import Server, fresh_database

SEALWIRE = r"""
CREATE SCHEMA sealwire;
CREATE DOMAIN sealwire.sealed AS bytea CHECK (substr(VALUE, 1, 1) = '\xe1'::bytea);
CREATE FUNCTION sealwire.smaller(bytea, bytea) RETURNS bytea IMMUTABLE STRICT
    RETURN CASE WHEN $1 < $2 THEN $1 ELSE $2 END;
CREATE FUNCTION sealwire.larger(bytea, bytea) RETURNS bytea IMMUTABLE STRICT
    RETURN CASE WHEN $1 > $2 THEN $1 ELSE $2 END;
CREATE AGGREGATE sealwire.min(bytea) (SFUNC = sealwire.smaller, STYPE = bytea, SORTOP = <);
CREATE AGGREGATE sealwire.max(bytea) (SFUNC = sealwire.larger, STYPE = bytea, SORTOP = >);
"""
UNIQUE = {"customers": "email", "contacts": "phone"}


class Pair(NamedTuple):
    """Connections to the plain and to the sealed database; OIDs of the sealed one -> OIDs in query_catalog."""

    plain: psycopg.Connection
    sealed: psycopg.Connection
    oids: dict[int, int]


@contextmanager
def fresh_pair(server: Server) -> Iterator[Pair]:
    """Both databases with their tables, empty; dropped afterwards."""
    with ExitStack() as stack:
        plain, sealed = (stack.enter_context(stack.enter_context(fresh_database(server)).connect()) for _ in range(2))
        _create(plain, sealed=False)
        yield Pair(plain, sealed, _create(sealed, sealed=True))


def _create(connection: psycopg.Connection, *, sealed: bool) -> dict[int, int]:
    """Makes tables and views; returns server OID -> OID in query_catalog."""
    if sealed:
        connection.execute(SEALWIRE)
    oids: dict[int, int] = {}
    for oid, (table, columns) in enumerate(TABLES.items(), 1000):
        parts = []
        for name, spelling, *rest in columns:
            is_sealed = sealed and bool(rest) and rest[0] not in ("unsealed", "pending")
            parts.append(f"{name} {'sealwire.sealed' if is_sealed else spelling}")
        if table in UNIQUE:
            parts.append(f"UNIQUE ({UNIQUE[table]})")
        connection.execute(f"CREATE TABLE {table} ({', '.join(parts)})")
        oids[_oid_of(connection, table)] = oid
    for oid, (view, (definition, _)) in enumerate(VIEWS.items(), 2000):
        if view in ("filtered", "broken") and not sealed:
            definition = "SELECT email, id FROM customers" if view == "filtered" else "SELECT 1 AS size"
        connection.execute(f"CREATE VIEW {view} AS {definition}")
        oids[_oid_of(connection, view)] = oid
    return oids


def _oid_of(connection: psycopg.Connection, name: str) -> int:
    row = connection.execute("SELECT %s::regclass::oid::int8", (name,)).fetchone()
    assert row is not None
    return int(row[0])


class Described:
    """What Parse and Describe of a statement tell."""

    def __init__(self, connection: psycopg.Connection, sql: str, param_types: list[int]) -> None:
        pg = connection.pgconn
        self.sqlstate: str | None = None
        self.message = ""
        result = pg.prepare(b"", sql.encode(), param_types)
        if result.status == pq.ExecStatus.COMMAND_OK:
            result = pg.describe_prepared(b"")
        if result.status != pq.ExecStatus.COMMAND_OK:
            state = result.error_field(pq.DiagnosticField.SQLSTATE)
            self.sqlstate = state.decode() if state else "?"
            self.message = result.error_message.decode()
            position = result.error_field(pq.DiagnosticField.STATEMENT_POSITION)
            self.position = int(position) if position else None
            return
        self.params = [result.param_type(i) for i in range(result.nparams)]
        count = range(result.nfields)
        self.names = [(result.fname(i) or b"").decode() for i in count]
        self.types = [result.ftype(i) for i in count]
        self.typmods = [result.fmod(i) for i in count]
        self.origins = [(result.ftable(i), result.ftablecol(i)) for i in count]
