"""Holds the policy against a live database: what is there, whether it suits the scheme, whether it opens.

Everything is read in one read-only transaction. What the catalog says is gathered by proxy/ops/catalog.py; here are
the judgements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.config import DatabasePolicy, Scheme, SealedColumn
from proxy.errors import CannotOpen
from proxy.ops.catalog import (
    ColumnFacts,
    ConstraintFacts,
    IndexFacts,
    count_distinct,
    longest_value,
    read_columns,
    read_constraints,
    read_indexes,
    read_unlisted,
    sample_values,
)
from proxy.pgtypes import Family

if TYPE_CHECKING:
    from proxy.ops.database import Connection

FEW_VALUES: Final = 100
"""A searchable column with fewer different values than this, each in `MANY_ROWS` rows or more on average, is called
out: whoever knows how often each value occurs in the world can tell which ciphertext is which."""
MANY_ROWS: Final = 10
LONG_VALUE: Final = 2_000
"""Bytes of a sealed value above which a btree is risky: it refuses entries of more than 2,704 bytes."""
_UTF8_MAX: Final = 4
_EQUALITY_OVERHEAD: Final = 22

Open = Callable[[bytes], bytes]
"""Opens one sealed value; raises CannotOpen."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that an operator should look at, and the way out."""

    column: str
    """`schema.table.column`; of the policy, or of the database."""
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class ColumnReport:
    """One column of the policy."""

    column: SealedColumn
    state: str
    """`sealed`; `pending`: still plain, as the policy says; `plain`: still plain and not pending; `missing`."""
    sampled: int
    """Values that were read and tried."""
    opened: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What `check` saw in one database."""

    database: str
    columns: tuple[ColumnReport, ...]
    unlisted: tuple[Finding, ...]
    """Columns that hold sealed values and that no entry of the policy names."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(finding for column in self.columns for finding in column.findings) + self.unlisted


async def check(
    connection: Connection, policy: DatabasePolicy, opener: Callable[[SealedColumn], Open], *, samples: int
) -> Report:
    """Looks at every column of `policy`, the policy of the connection's database.

    `opener` gives the function that opens a column's values; with `samples` 0 it is never called. Database errors
    surface as asyncpg raises them (`proxy.ops.database.connect` maps them).
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        listed = [column for table in policy.tables.values() for column in table.values()]
        facts = await read_columns(connection, listed)
        reports = [
            await _check_column(connection, column, facts[column.name], policy, opener, samples) for column in listed
        ]
        unlisted = await read_unlisted(connection)
    known = {column.name for column in listed}
    return Report(
        policy.database,
        tuple(reports),
        tuple(
            Finding(name, "holds sealed values, but the policy does not name it", "add its entry to columns.yaml")
            for name in unlisted
            if name not in known
        ),
    )


async def _check_column(
    connection: Connection,
    column: SealedColumn,
    facts: ColumnFacts,
    policy: DatabasePolicy,
    opener: Callable[[SealedColumn], Open],
    samples: int,
) -> ColumnReport:
    state, problems = judge_presence(column, facts)
    sampled = opened = 0
    if state == "sealed":
        problems += judge_constraints(column, await read_constraints(connection, facts), policy)
        problems += await _judge_indexes(connection, column, facts)
        problems += await _judge_frequencies(connection, column, facts)
        if samples:
            values = await sample_values(connection, facts, samples)
            failures = _failures(opener(column), values)
            sampled, opened = len(values), len(values) - len(failures)
            if failures:
                place, reason = failures[0]
                problems.append(
                    (
                        f"{len(failures)} of {sampled} sampled values do not open; the first, at {place}: {reason}",
                        "restore the keyring that sealed them, or the values from a backup; check id and join",
                    )
                )
    findings = tuple(Finding(column.name, message, hint) for message, hint in problems)
    return ColumnReport(column, state, sampled, opened, findings)


Problems = list[tuple[str, str]]
"""(message, hint)"""


def judge_presence(column: SealedColumn, facts: ColumnFacts) -> tuple[str, Problems]:
    """The column's state, and what is wrong with it."""
    if facts.table_oid is None:
        return "missing", [("the table does not exist", "correct the name, or create it through the proxy")]
    if facts.relkind not in ("r", "p"):
        kind = {"v": "view", "m": "materialized view", "f": "foreign table"}.get(
            facts.relkind, "relation of another kind"
        )
        return "missing", [(f"is a {kind}", "list the columns of the tables behind it")]
    if facts.attnum is None:
        return "missing", [("the column does not exist", "correct the name, or add it through the proxy")]
    if facts.is_sealed:
        if column.pending:
            return "sealed", [("is sealed already", "remove pending: true from its entry")]
        return "sealed", []
    if facts.physical_type == "bytea" and column.type.family is not Family.BYTEA:
        advice = (
            "is bytea, not sealwire.sealed: the database would take plaintext",
            "ALTER its type to sealwire.sealed while it is empty",
        )
        return "plain", [advice]
    problems: Problems = []
    if facts.physical_type != str(column.type):
        problems.append(
            (f"is {facts.physical_type}, but the policy says {column.type}", "correct its type in columns.yaml")
        )
    if column.pending:
        return "pending", problems
    problems.append(
        (
            "is not sealed yet, so statements that touch it are refused",
            "add it through the proxy, or set pending: true to let it pass as plain",
        )
    )
    return "plain", problems


def judge_constraints(column: SealedColumn, constraints: list[ConstraintFacts], policy: DatabasePolicy) -> Problems:
    """What random ciphertexts cannot carry, and foreign keys between columns whose ciphertexts never meet."""
    problems: Problems = []
    needs_equality = {"p": "primary key", "u": "unique constraint", "f": "foreign key", "x": "exclusion constraint"}
    for constraint in constraints:
        what = needs_equality.get(constraint.kind)
        if column.scheme is Scheme.RANDOM and what is not None:
            problems.append(
                (
                    f"{what} {constraint.name} compares it, but with search: none no two ciphertexts are equal",
                    'set "search: equality" for it, or drop the constraint',
                )
            )
        elif constraint.kind == "f" and constraint.other is not None:
            schema, table, name = constraint.other
            other = policy.column(schema, table, name)
            if other is None:
                problems.append(
                    (
                        f"foreign key {constraint.name} ties it to {schema}.{table}.{name}, which is not in the policy",
                        "add that column, with the same join",
                    )
                )
            elif other.domain != column.domain:
                problems.append(
                    (
                        f"foreign key {constraint.name} ties it to {other.name}, which has another key",
                        "give both columns the same join before they hold data",
                    )
                )
        elif constraint.kind == "c" and column.scheme is Scheme.RANDOM and constraint.looks_inside:
            problems.append(
                (f"check constraint {constraint.name} looks at its ciphertext", "drop it, or test for NULL only")
            )
    return problems


def judge_index(column: SealedColumn, index: IndexFacts) -> tuple[str, str] | None:
    """Why an index on the column helps nothing; None: it may."""
    if index.in_expression:
        return f"index {index.name} has it in an expression, which sees ciphertext", "drop the index"
    if index.in_predicate and column.scheme is Scheme.RANDOM:
        return f"the predicate of index {index.name} looks at its ciphertext", "drop the index, or test for NULL only"
    if not index.is_key:
        return None
    if column.scheme is Scheme.RANDOM:
        if index.is_constraint:
            return None  # said of the constraint
        return (
            f"index {index.name} is useless: with search: none no query can use it",
            'drop it, or set "search: equality" or "search: order"',
        )
    supported = ("btree", "hash") if column.scheme is Scheme.EQUALITY else ("btree", "hash", "brin")
    if index.method not in supported:
        return (
            f"{index.method} index {index.name} is useless: the ciphertexts carry equality, not order"
            if column.scheme is Scheme.EQUALITY
            else f"{index.method} index {index.name} is useless on ciphertext",
            f"use {' or '.join(supported[:2])}",
        )
    return None


async def _judge_indexes(connection: Connection, column: SealedColumn, facts: ColumnFacts) -> Problems:
    problems: Problems = []
    longest: int | None = None
    for index in await read_indexes(connection, facts):
        if (problem := judge_index(column, index)) is not None:
            problems.append(problem)
        elif index.is_key and index.method == "btree" and column.scheme is Scheme.EQUALITY and not _is_short(column):
            if longest is None:
                longest = await longest_value(connection, facts)
            if longest > LONG_VALUE:
                problems.append(
                    (
                        f"btree index {index.name} meets sealed values of {longest:,} bytes; above 2,704 it refuses",
                        "a unique index has no other method: limit the type's length"
                        if index.is_unique
                        else "use a hash index instead",
                    )
                )
    return problems


def _is_short(column: SealedColumn) -> bool:
    """No value of the type can come near the limit of a btree."""
    if column.type.family in (Family.TEXT, Family.CHAR):
        length = column.type.length
        return length is not None and length * _UTF8_MAX + _EQUALITY_OVERHEAD <= LONG_VALUE
    return column.type.family not in (Family.BYTEA, Family.NUMERIC)


async def _judge_frequencies(connection: Connection, column: SealedColumn, facts: ColumnFacts) -> Problems:
    if column.scheme is Scheme.RANDOM:
        return []
    hint = "accept it, or use search: none"
    if column.type.family is Family.BOOLEAN:
        return [("has two values at most: the database sees which rows share one, and how often each occurs", hint)]
    distinct, rows = await count_distinct(connection, facts)
    if 0 < distinct < FEW_VALUES and rows >= distinct * MANY_ROWS:
        values = f"{distinct} different value{'s' if distinct > 1 else ''}"
        return [(f"has about {values} in {rows:,} rows: the database sees how often each occurs", hint)]
    return []


def _failures(open_value: Open, values: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """(ctid, reason) of the values that do not open."""
    failures = []
    for place, value in values.items():
        try:
            open_value(value)
        except CannotOpen as error:
            failures.append((place, str(error)))
    return failures
