"""What a job is going to do, and everything that speaks against it: found out before the first change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import asyncpg

from proxy.config import DatabasePolicy, Scheme, SealedColumn
from proxy.crypto import Keyring
from proxy.errors import CannotOpen, ConfigError, Refused, SealwireError
from proxy.ops.life.dependents import Dependents, read_dependents
from proxy.ops.life.ledger import Job, read_jobs
from proxy.ops.life.recipe import Operation, Recipe, make_converter
from proxy.ops.life.rewrite import is_constant
from proxy.ops.life.rows import SIGNATURE
from proxy.ops.life.target import Target, firing_triggers, moved, quote_literal, read_targets
from proxy.ops.schema import installed_version
from proxy.pgtypes import Family, SqlType
from proxy.sql.naming import quote_ident
from proxy.wire.codecs import Settings as CodecSettings
from proxy.wire.codecs import text_encoder

if TYPE_CHECKING:
    from proxy.ops.database import Connection

BTREE_LIMIT: Final = 2_600
"""Bytes of a sealed value that a btree certainly takes; it refuses entries of more than 2,704."""
MOVES: Final = (
    "stands last in its table afterwards, so the proxy refuses INSERT and COPY FROM without a column list from then on,"
    " and SELECT * shows another order: let statements name their columns, or keep its position with --in-place"
)
_FIRST_VALUE: Final = len(SIGNATURE) + 24


class CannotWork(SealwireError):
    """The job cannot be done as things are; nothing was changed. One line per objection."""

    def __init__(self, objections: Sequence[str]) -> None:
        super().__init__("; ".join(objections))
        self.objections = tuple(objections)


@dataclass(frozen=True, slots=True)
class Before:
    """How the stored values were sealed, where the policy says something else by now."""

    type: SqlType | None = None
    max_length: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A job. `job` is what the ledger knows of its columns."""

    operation: Operation
    in_place: bool
    targets: tuple[Target, ...]
    recipes: tuple[Recipe, ...]
    terms: tuple[str, ...]
    keys: tuple[int | None, ...]
    """Of each column: the key that its values lie under afterwards."""
    dependents: Dependents
    objections: tuple[str, ...]
    notes: tuple[str, ...]
    """What the operator should know, without being stopped."""
    jobs: Mapping[str, Job]
    quiet_triggers: bool
    search_path: str | None
    """The role's own, for the table's triggers; None where none of them fires."""
    in_rows: bool = False
    """Row by row where the column is, without a shadow: rotation of a random column."""

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(target.column.name for target in self.targets)

    @property
    def phase(self) -> str | None:
        """Of the job under way; None: nothing is under way."""
        phases = {self.jobs[name].phase for name in self.names if name in self.jobs} - {"done"}
        return phases.pop() if len(phases) == 1 else None

    @property
    def is_done(self) -> bool:
        """The columns are in the state that the operation leads to, as far as the catalog knows."""
        if self.operation is Operation.RESEAL or self.phase is not None:
            return False
        return all(target.is_sealed == (self.operation is Operation.SEAL) for target in self.targets)


def columns_of(policy: DatabasePolicy, names: Sequence[str]) -> list[SealedColumn]:
    """`schema.table.column` -> the policy's entries. Raises ConfigError for one that is not listed."""
    listed = {column.name: column for table in policy.tables.values() for column in table.values()}
    missing = [name for name in names if name not in listed]
    if missing:
        raise ConfigError(
            f"is not in the policy of database {policy.database}; list it in columns.yaml first", key=missing[0]
        )
    return [listed[name] for name in dict.fromkeys(names)]


async def make_plan(
    connection: Connection,
    operation: Operation,
    columns: Sequence[SealedColumn],
    keyring: Keyring,
    *,
    in_place: bool = False,
    before: Before | None = None,
    fire_triggers: bool = False,
) -> Plan:
    """Reads the catalog; changes nothing. `connection` is set up by `fill.prepare_session`."""
    if await installed_version(connection) is None:
        raise CannotWork(["the schema sealwire is not installed in this database; run: sealwire init --dsn ..."])
    targets, objections = await read_targets(connection, columns)
    jobs = await read_jobs(connection)
    recipes = tuple(_recipe(operation, column, before or Before()) for column in columns)
    terms = tuple(_terms(recipe, keyring) for recipe in recipes)
    objections += _judge_keys(recipes, keyring)
    objections += _judge_jobs(operation, columns, terms, jobs)
    for target in targets:
        objections += _judge_type(operation, target)
    dependents = await read_dependents(connection, operation, targets, in_place=in_place)
    objections += dependents.objections
    for target in targets:
        if target.default is not None and not is_constant(target.default):
            objections.append(f"{target.column.name}: its DEFAULT is not a constant, so it cannot be carried")
    objections += await _judge_rights(connection, operation)
    if operation is Operation.SEAL and not objections:
        objections += await _judge_lengths(connection, targets, dependents)
    quiet = False
    firing = await firing_triggers(connection, targets)
    notes = _notes(operation, targets, dependents, in_place=in_place)
    if firing and not in_place:
        quiet = not fire_triggers and await _may_silence(connection)
        if not quiet and not fire_triggers:
            objections.append(
                f"writing the shadow would fire triggers ({', '.join(firing)}); use a role that may set"
                " session_replication_role, or accept it with --fire-triggers"
            )
    if firing:
        notes.append(f"the table's own triggers will see the column's new form: {', '.join(firing)}")
    return Plan(
        operation,
        in_place,
        tuple(targets),
        recipes,
        terms,
        tuple(recipe.key(keyring) for recipe in recipes),
        dependents,
        tuple(dict.fromkeys(objections)),
        tuple(notes),
        jobs,
        quiet,
        await _own_search_path(connection) if firing and fire_triggers else None,
    )


def _recipe(operation: Operation, column: SealedColumn, before: Before) -> Recipe:
    old = column if before.type is None else replace(column, type=before.type)
    return Recipe(operation, column, old if before.max_length is None else replace(old, max_length=before.max_length))


def _terms(recipe: Recipe, keyring: Keyring) -> str:
    column, before = recipe.column, recipe.before
    parts = [f"type {column.type}", f"search {column.search}", f"domain {column.domain}"]
    if column.max_length is not None:
        parts.append(f"max_length {column.max_length}")
    if (key := recipe.key(keyring)) is not None:
        parts.append(f"key {key}")
    if before != column:
        parts.append(f"from {before.type} {before.max_length or ''}".rstrip())
    return ", ".join(parts)


def _judge_keys(recipes: Sequence[Recipe], keyring: Keyring) -> list[str]:
    objections = []
    for recipe in recipes:
        try:
            make_converter(recipe, keyring)
        except (CannotOpen, SealwireError) as error:
            objections.append(f"{recipe.column.name}: {error}")
    return objections


def _judge_jobs(
    operation: Operation, columns: Sequence[SealedColumn], terms: Sequence[str], jobs: Mapping[str, Job]
) -> list[str]:
    """A job under way can only be gone on with, or given up."""
    names = [column.name for column in columns]
    objections = []
    for name, its in zip(names, terms, strict=True):
        job = jobs.get(name)
        if job is None or job.phase == "done":
            continue
        if set(job.columns) != set(names):
            objections.append(f"{name}: is being worked on together with {', '.join(job.columns)}; name all of them")
        elif job.operation != operation.value:
            objections.append(f"{name}: sealwire {job.operation} is under way; let it finish, or --abort it")
        elif job.phase == "fill" and job.terms != its:
            objections.append(f"{name}: was begun with {job.terms}; now it is {its}; --abort it and begin anew")
    return objections


def _judge_type(operation: Operation, target: Target) -> list[str]:
    column, name = target.column, target.column.name
    if operation is Operation.SEAL:
        if not target.is_sealed and target.physical_type != str(column.type):
            return [f"{name}: is {target.physical_type}, but the policy says {column.type}"]
    elif not target.is_sealed and operation is Operation.RESEAL:
        return [f"{name}: is {target.physical_type}, not sealed; run: sealwire seal"]
    return []


async def _judge_rights(connection: Connection, operation: Operation) -> list[str]:
    row = await connection.fetchrow(
        "SELECT has_schema_privilege('sealwire', 'CREATE') AS may_create,"
        " pg_has_role((SELECT typowner FROM pg_type WHERE oid = 'sealwire.sealed'::regtype), 'USAGE') AS owns_type"
    )
    assert row is not None  # noqa: S101  # a SELECT without FROM
    objections = []
    if not row["may_create"]:
        objections.append("the role may not create in schema sealwire: GRANT CREATE ON SCHEMA sealwire to it")
    if operation is not Operation.UNSEAL and not row["owns_type"]:
        objections.append("the role does not own the type sealwire.sealed: use the role that ran sealwire init")
    return objections


async def _judge_lengths(connection: Connection, targets: Sequence[Target], dependents: Dependents) -> list[str]:
    """Values that a btree would refuse once they are sealed."""
    objections = []
    for target in targets:
        column = target.column
        if column.scheme is not Scheme.EQUALITY or column.type.size > 0 or target.is_sealed:
            continue
        for index in dependents.indexes:
            if index.table != target.table or index.method != "btree":
                continue
            value = target.name if column.type.family is Family.BYTEA else f"{target.name}::text"
            too_long = await connection.fetchval(
                f"SELECT EXISTS (SELECT FROM {target.table} WHERE octet_length({value}) > {BTREE_LIMIT})"  # noqa: S608
            )
            if too_long:
                objections.append(
                    f"{column.name}: index {index.name} is a btree, which refuses sealed values of more than 2,704"
                    " bytes, and there are such; use a hash index"
                )
    return objections


async def _may_silence(connection: Connection) -> bool:
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL session_replication_role = replica")
    except asyncpg.InsufficientPrivilegeError:
        return False
    return True


async def _own_search_path(connection: Connection) -> str:
    """What a new connection of this role has; a job's connections have another."""
    return str(await connection.fetchval("SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'search_path'"))


def _notes(operation: Operation, targets: Sequence[Target], dependents: Dependents, *, in_place: bool) -> list[str]:
    notes = []
    names = [] if in_place else [target.column.name for target in moved(targets)]
    if names:
        notes.append(f"{', '.join(names)}: {MOVES}")
    carried = (
        ("index", [index.name for index in dependents.indexes]),
        ("constraint", [constraint.name for constraint in dependents.constraints]),
        ("view", [view.name for view in dependents.views]),
        ("statistics", [name for name, _ in dependents.statistics]),
    )
    notes += [f"{what} {name} is carried" for what, names in carried for name in names]
    if operation is not Operation.RESEAL and dependents.indexes:
        notes.append("operator classes and collations of indexes become the new type's default")
    return notes


async def new_defaults(connection: Connection, plan: Plan, keyring: Keyring) -> dict[str, str]:
    """Column name -> its DEFAULT in the column's new form, as an expression. Never logged: of a plain column it is a
    value."""
    found: dict[str, str] = {}
    for target, recipe in zip(plan.targets, plan.recipes, strict=True):
        if target.default is None:
            continue
        pieces: list[bytes] = []

        async def take(chunk: bytes, pieces: list[bytes] = pieces) -> None:
            pieces.append(bytes(chunk))

        kind = "bytea" if target.is_sealed else str(target.column.type)
        value = f"({target.default})::{kind}"
        query = f"SELECT '(0,1)'::tid, '3'::xid, {value} WHERE {value} IS NOT NULL"
        await connection.copy_from_query(query, output=take, format="binary")
        data = b"".join(pieces)
        if len(data) <= _FIRST_VALUE:
            continue
        try:
            new = make_converter(recipe, keyring)(data[_FIRST_VALUE:-2])
        except (CannotOpen, Refused):
            raise CannotWork([f"{target.column.name}: its DEFAULT cannot be converted"]) from None
        if plan.operation is Operation.UNSEAL:
            text = text_encoder(target.column.type, CodecSettings())(new).decode()
            found[target.column.name] = f"{quote_literal(text)}::{target.column.type}"
        else:
            found[target.column.name] = f"'\\x{new.hex()}'::sealwire.sealed"
    return found


def qualified(target: Target, name: str) -> str:
    """An object of the target's schema, as SQL."""
    return f"{quote_ident(target.column.schema)}.{quote_ident(name)}"
