"""The statements that install a shadow, that put it into its column's place, and that give up; as lists of SQL.

Each list runs in one transaction. Nothing here touches the database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from proxy.ops.life.dependents import Dependents
from proxy.ops.life.recipe import Operation
from proxy.ops.life.target import Target, quote_literal
from proxy.sql.naming import quote_ident

SEALED: Final = "sealwire.sealed"
NAMED_NOT_NULL: Final = 180_000
"""server_version_num from which NOT NULL is a constraint with a name."""


def shadow_type(operation: Operation, target: Target) -> str:
    return str(target.column.type) if operation is Operation.UNSEAL else SEALED


def install(operation: Operation, targets: Sequence[Target], domain_check: str) -> list[str]:
    """Shadow and triggers. `domain_check` is the definition of the domain's constraint sealed_header.

    ADD COLUMN of a domain that has constraints rewrites the whole table. So the constraint is away while the columns
    are added, inside the transaction, where nobody sees it away; NOT VALID means that what is stored is not read again.
    """
    statements = []
    if operation is not Operation.UNSEAL:
        statements.append(f"ALTER DOMAIN {SEALED} DROP CONSTRAINT sealed_header")
    for target in targets:
        kind = shadow_type(operation, target)
        statements.append(f"ALTER TABLE {target.table} ADD COLUMN {target.shadow} {kind}")
        if kind == SEALED:
            statements.append(f"ALTER TABLE {target.table} ALTER COLUMN {target.shadow} SET STORAGE EXTERNAL")
        statements.append(
            f"COMMENT ON COLUMN {target.table}.{target.shadow} IS"
            f" {quote_literal(f'sealwire {operation}: takes the place of {target.column.column}')}"
        )
        statements += _marking(target)
    if operation is not Operation.UNSEAL:
        text = domain_check.removesuffix(" NOT VALID")
        statements.append(f"ALTER DOMAIN {SEALED} ADD CONSTRAINT sealed_header {text} NOT VALID")
    return statements


def _marking(target: Target) -> list[str]:
    """Whoever writes the column, by whichever way, empties the shadow: an empty shadow is work to do.

    The images of the values are compared, not the values: 1.0 and 1.00 are different values to a random scheme, and
    json has no equality.
    """
    on_insert, on_update = target.mark_triggers
    old, new = f"ROW(OLD.{target.name})", f"ROW(NEW.{target.name})"
    body = f"BEGIN NEW.{target.shadow} := NULL; RETURN NEW; END"
    function = f"{target.mark_function}()"
    inserted, changed = f"NEW.{target.shadow} IS NOT NULL", f"pg_catalog.record_image_ne({old}, {new})"
    head, tail = f"ON {target.table} FOR EACH ROW", f"EXECUTE FUNCTION {function}"
    return [
        f"CREATE OR REPLACE FUNCTION {function} RETURNS trigger LANGUAGE plpgsql AS {quote_literal(body)}",
        f"CREATE TRIGGER {on_insert} BEFORE INSERT {head} WHEN ({inserted}) {tail}",
        f"CREATE TRIGGER {on_update} BEFORE UPDATE {head} WHEN ({changed}) {tail}",
        f"ALTER TABLE {target.table} ENABLE ALWAYS TRIGGER {on_insert}",
        f"ALTER TABLE {target.table} ENABLE ALWAYS TRIGGER {on_update}",
    ]


def uninstall(target: Target) -> list[str]:
    """The triggers and the index of what is to do; not the shadow."""
    return [
        *(f"DROP TRIGGER IF EXISTS {name} ON {target.table}" for name in target.mark_triggers),
        f"DROP FUNCTION IF EXISTS {target.mark_function}()",
        f"DROP INDEX IF EXISTS {quote_ident(target.column.schema)}.{target.todo_index}",
    ]


def give_up(targets: Sequence[Target]) -> list[str]:
    """Back to before the job. New indexes go with the shadow."""
    statements = []
    for target in targets:
        statements += uninstall(target)
        statements.append(f"ALTER TABLE {target.table} DROP COLUMN IF EXISTS {target.shadow}")
    return statements


def release(dependents: Dependents) -> list[str]:
    """Takes off what would keep a column from being dropped or retyped."""
    return [
        *(foreign_key.drop() for foreign_key in dependents.foreign_keys),
        *(f"DROP VIEW {view.name}" for view in reversed(dependents.views)),
        *(f"DROP STATISTICS {name}" for name, _ in dependents.statistics),
    ]


def swap(
    operation: Operation,
    targets: Sequence[Target],
    dependents: Dependents,
    defaults: Mapping[str, str],
    *,
    rehearsal: bool = False,
) -> list[str]:
    """The shadow takes the column's place. `defaults`: column name -> new DEFAULT expression.

    A rehearsal is rolled back: it shows whether what hangs on the columns can be made again on their new type. It has
    no values, so it leaves out indexes and foreign keys.
    """
    statements = release(dependents)
    for target in targets:
        statements += uninstall(target)
        statements.append(f"ALTER TABLE {target.table} DROP COLUMN {target.name}")
        statements.append(f"ALTER TABLE {target.table} RENAME COLUMN {target.shadow} TO {target.name}")
        statements += attributes(target, defaults)
        if target.not_null is not None and not target.in_primary_key and not rehearsal:
            statements.append(
                f"ALTER TABLE {target.table} ADD CONSTRAINT {_not_null_check(target)}"
                f" CHECK ({target.name} IS NOT NULL) NOT VALID"
            )
    if not rehearsal:
        for index in sorted(dependents.indexes, key=lambda index: index.constraint is None):
            statements += index.attach()
    statements += restore(dependents, with_foreign_keys=not rehearsal)
    return statements


def attributes(target: Target, defaults: Mapping[str, str]) -> list[str]:
    """What belongs to the column itself: default, comment, grants, statistics target, options."""
    alter = f"ALTER TABLE {target.table} ALTER COLUMN {target.name}"
    comment = "NULL" if target.comment is None else quote_literal(target.comment)
    statements = [f"COMMENT ON COLUMN {target.table}.{target.name} IS {comment}"]
    if (default := defaults.get(target.column.name)) is not None:
        statements.append(f"{alter} SET DEFAULT {default}")
    if target.statistics_target >= 0:
        statements.append(f"{alter} SET STATISTICS {target.statistics_target}")
    if target.options:
        statements.append(f"{alter} SET ({', '.join(target.options)})")
    for privilege, grantee, with_option in target.grants:
        option = " WITH GRANT OPTION" if with_option else ""
        statements.append(f"GRANT {privilege} ({target.name}) ON {target.table} TO {grantee}{option}")
    return statements


def restore(dependents: Dependents, *, with_foreign_keys: bool = True) -> list[str]:
    """Constraints (not validated yet), statistics, views."""
    statements = []
    for constraint in dependents.constraints:
        if constraint.kind != "f" or with_foreign_keys:
            statements += constraint.add()
    statements += [definition for _, definition in dependents.statistics]
    for view in dependents.views:
        statements += view.restore
    return statements


def later(targets: Sequence[Target], dependents: Dependents, version: int) -> list[str]:
    """What is left for after the swap: it reads the table without keeping writers out, or takes a lock for an instant.

    SET NOT NULL does not read the table again where a valid CHECK says the same (manual, ALTER TABLE).
    """
    statements = []
    for target in targets:
        if target.not_null is None or target.in_primary_key:
            continue
        check = _not_null_check(target)
        table = f"ALTER TABLE {target.table}"
        statements.append(f"{table} VALIDATE CONSTRAINT {check}")
        if target.not_null and version >= NAMED_NOT_NULL:
            statements.append(f"{table} ADD CONSTRAINT {quote_ident(target.not_null)} NOT NULL {target.name}")
        else:
            statements.append(f"{table} ALTER COLUMN {target.name} SET NOT NULL")
        statements.append(f"{table} DROP CONSTRAINT {check}")
    for constraint in dependents.constraints:
        statements += constraint.validate()
    return statements


def _not_null_check(target: Target) -> str:
    return f"sealwire_not_null_{target.attnum}"


def todo_index(target: Target) -> str:
    """On a constant: it finds the rows that are to do, and holds no value."""
    return f"CREATE INDEX CONCURRENTLY {target.todo_index} ON {target.table} ((1)) WHERE {target.todo}"


def retype(operation: Operation, targets: Sequence[Target]) -> list[str]:
    """--in-place: one rewrite of a table, with the values from temporary tables by ctid. Old defaults are gone by then.

    `targets` are columns of one table: after a rewrite, the ctids are others.
    """
    before, changes, after = [], [], []
    for target in targets:
        look_up = f"pg_temp.sealwire_look_up_{target.suffix}"
        stage = f"pg_temp.sealwire_values_{target.suffix}"
        kind = shadow_type(operation, target)
        base = "bytea" if kind == SEALED else kind
        body = quote_literal(f"SELECT v FROM {stage} WHERE c = $1")  # noqa: S608  # both names are ours
        before += [
            f"ANALYZE {stage}",
            f"CREATE FUNCTION {look_up}(tid) RETURNS {base} LANGUAGE sql STABLE AS {body}",
        ]
        changes.append(f"ALTER COLUMN {target.name} TYPE {kind} USING {look_up}(ctid)::{kind}")
        after += [f"DROP FUNCTION {look_up}(tid)", f"DROP TABLE {stage}"]
    return [*before, f"ALTER TABLE {targets[0].table} {', '.join(changes)}", *after]
