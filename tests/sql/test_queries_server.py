"""What the analysis makes of a statement, held against PostgreSQL 18.

Each statement of queries/statements.sql is described on plain tables as it is, and on sealed tables as rewritten. Both
must agree in column names, types, modifiers, parameter types and SQLSTATEs; and the rewritten one must run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import pq

from proxy.errors import Refused
from proxy.pgtypes import BY_NAME, BYTEA_OID
from tests.sql.query_catalog import Analysed, analyse
from tests.sql.query_server import Described, Pair, fresh_pair
from tests.support.servers import Server

STATEMENTS = [
    line
    for line in Path(__file__).with_name("queries").joinpath("statements.sql").read_text().splitlines()
    if line and not line.startswith("--")
]


@pytest.fixture(scope="module")
def pair(embedded18: Server) -> Iterator[Pair]:
    with fresh_pair(embedded18) as fresh:
        yield fresh


def rewritten(statement: str, analysed: Analysed) -> tuple[str, list[int]]:
    """SQL with fake sealed bytes for its literals, and the parameter types for Parse."""
    sql = analysed.tree if analysed.sql is not None else statement
    for index in range(len(analysed.literals)):
        sql = sql.replace(analysed.context.marker(index), f"\\xe1{index:02x}")
    array = BY_NAME["bytea"].array_oid
    types = [
        0 if param.sealing is None else array if param.sealing.is_array else BYTEA_OID
        for param in analysed.params or ()
    ]
    return sql, types


def check_refusal(error: Refused, expected: Described) -> None:
    if error.sqlstate != "0A000":
        assert error.sqlstate == expected.sqlstate, expected.message
        assert error.position in (None, expected.position)
    else:
        assert "sealed" in error.message
        assert error.hint is not None


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_statement_is_described_as_on_plain_tables(statement: str, pair: Pair) -> None:
    expected = Described(pair.plain, statement, [])
    try:
        analysed = analyse(statement)
    except Refused as error:
        check_refusal(error, expected)
        return
    sql, types = rewritten(statement, analysed)
    described = Described(pair.sealed, sql, types)
    assert (described.sqlstate, described.message and sql) == (expected.sqlstate, expected.message and sql)
    if expected.sqlstate is not None:
        return
    assert described.names == expected.names
    results = analysed.results or (None,) * len(described.names)
    for index, opening in enumerate(results):
        wanted = (expected.types[index], expected.typmods[index])
        if opening is None:
            assert (described.types[index], described.typmods[index]) == wanted
            continue
        if opening.fields is not None:  # a composite type's OID is each database's own
            assert min(described.types[index], 16384) == min(wanted[0], 16384)
            continue
        assert (opening.type.oid, opening.type.typmod) == wanted
        table, number = described.origins[index]
        assert (opening.origin or (0, 0)) == (pair.oids.get(table, table), number)
    for index, param in enumerate(analysed.params or ()):
        kind = described.params[index] if param.sealing is None else param.sealing.client_type.oid
        assert kind == expected.params[param.client]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_rewritten_statement_runs(statement: str, pair: Pair) -> None:
    try:
        analysed = analyse(statement)
    except Refused:
        return
    sql, types = rewritten(statement, analysed)
    described = Described(pair.sealed, sql, types)
    if described.sqlstate is not None:
        return  # PostgreSQL refuses it on plain tables too, as the test above shows
    pair.sealed.execute("BEGIN")
    values = [None] * len(described.params)
    result = pair.sealed.pgconn.exec_params(sql.encode(), values, types or [0] * len(values))
    pair.sealed.execute("ROLLBACK")
    assert result.status in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK), result.error_message
