"""What the catalog says about the columns that a job works on, and what speaks against working on them at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.config import SealedColumn
from proxy.sql.catalog import SHADOW_PREFIX
from proxy.sql.naming import quote_ident

if TYPE_CHECKING:
    import asyncpg

    from proxy.ops.database import Connection


def quote_literal(text: str) -> str:
    """Under standard_conforming_strings = on, which every connection of a job has."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True, slots=True)
class Target:
    """One column to be worked on, as it is in the catalog."""

    column: SealedColumn
    table_oid: int
    attnum: int
    physical_type: str
    """As format_type() prints it."""
    is_sealed: bool
    not_null: str | None
    """None: nullable; otherwise the name of its NOT NULL constraint, empty before PostgreSQL 18."""
    default: str | None
    comment: str | None
    grants: tuple[tuple[str, str, bool], ...]
    """(privilege, grantee as SQL, with grant option) on the column alone."""
    statistics_target: int
    """-1: the default."""
    options: tuple[str, ...]
    """attoptions, such as n_distinct=-1."""
    rows: float
    """pg_class.reltuples; below 0 where the table was never analysed."""
    in_primary_key: bool
    behind: frozenset[int]
    """Attribute numbers of the columns that come after it."""

    @property
    def table(self) -> str:
        return f"{quote_ident(self.column.schema)}.{quote_ident(self.column.table)}"

    @property
    def name(self) -> str:
        return quote_ident(self.column.column)

    @property
    def shadow_name(self) -> str:
        """Of the column that takes this one's place. No two tables have one in common, for NATURAL JOIN to find."""
        return f"{SHADOW_PREFIX}{self.suffix}"

    @property
    def shadow(self) -> str:
        return quote_ident(self.shadow_name)

    @property
    def suffix(self) -> str:
        """Tells apart what belongs to the jobs of different columns."""
        return f"{self.table_oid}_{self.attnum}"

    @property
    def mark_function(self) -> str:
        return f"sealwire.mark_{self.suffix}"

    @property
    def mark_triggers(self) -> tuple[str, str]:
        """Names of the triggers on INSERT and UPDATE. BEFORE triggers fire in the order of their names: these last."""
        return f"zzzz_sealwire_insert_{self.attnum}", f"zzzz_sealwire_update_{self.attnum}"

    @property
    def todo_index(self) -> str:
        return f"sealwire_todo_{self.suffix}"

    @property
    def todo(self) -> str:
        """The rows that have no value in the shadow yet."""
        return f"{self.shadow} IS NULL AND {self.name} IS NOT NULL"


def moved(targets: Sequence[Target]) -> list[Target]:
    """Those that stand elsewhere among the columns of their table when each has been replaced by one at its end."""
    return [
        target
        for at, target in enumerate(targets)
        if target.behind - {later.attnum for later in targets[at:] if later.table_oid == target.table_oid}
    ]


async def read_targets(connection: Connection, columns: Sequence[SealedColumn]) -> tuple[list[Target], list[str]]:
    """Those of `columns` that exist in ordinary tables, and an objection for each other thing that stops a job."""
    targets, objections = [], []
    for column in columns:
        row = await connection.fetchrow(_COLUMN, column.schema, column.table, column.column)
        if row is None:
            objections.append(f"{column.name}: the column does not exist")
            continue
        found = [message for wrong, message in _objections(row) if wrong]
        objections += [f"{column.name}: {message}" for message in found]
        targets.append(
            Target(
                column=column,
                table_oid=row["table_oid"],
                attnum=row["attnum"],
                physical_type=row["physical_type"],
                is_sealed=row["is_sealed"],
                not_null=(row["not_null_name"] or "") if row["attnotnull"] else None,
                default=row["default_text"],
                comment=row["comment"],
                grants=tuple(zip(row["privileges"], row["grantees"], row["grantable"], strict=True)),
                statistics_target=row["statistics_target"],
                options=tuple(row["attoptions"] or ()),
                rows=row["reltuples"],
                in_primary_key=row["in_primary_key"],
                behind=frozenset(row["behind"]),
            )
        )
    objections += await _trigger_objections(connection, targets)
    return targets, objections


def _objections(row: asyncpg.Record) -> list[tuple[bool, str]]:
    return [
        (row["relkind"] == "p", "is in a partitioned table; work on a table without partitions"),
        (row["relkind"] not in ("r", "p"), "is not in a table"),
        (row["inherits"], "its table has parents, children or partitions by inheritance"),
        (row["relpersistence"] == "t", "is in a temporary table"),
        (not row["owns"], "the role does not own the table"),
        (row["relforcerowsecurity"] and not row["bypasses"], "row level security is forced on the table's owner"),
        (row["has_rules"], "its table has rules, which rewrite what a job does"),
        (row["attidentity"] != "" or row["attgenerated"] != "", "is generated or an identity column"),
        (not row["deterministic"], "has a nondeterministic collation, which calls different texts equal"),
        (row["in_replica_identity"], "is in the index that is the table's replica identity"),
        (row["cannot_publish"], "its table is published but has no replica identity, so its rows cannot be updated"),
        (row["has_label"], "has a security label"),
    ]


# All names qualified; the connections of a job have search_path = pg_catalog, so that everything prints qualified too.
_COLUMN = """
SELECT c.oid::int8 AS table_oid, c.relkind::text, c.relpersistence::text, c.reltuples::float8,
       c.relforcerowsecurity, a.attnum::int4, format_type(a.atttypid, a.atttypmod) AS physical_type,
       t.typname = 'sealed' AND tn.nspname = 'sealwire' AS is_sealed,
       a.attnotnull, a.attidentity::text, a.attgenerated::text, a.attoptions,
       COALESCE(a.attstattarget, -1)::int4 AS statistics_target,
       (SELECT k.conname FROM pg_constraint k
         WHERE k.conrelid = c.oid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum]) AS not_null_name,
       pg_get_expr(d.adbin, d.adrelid) AS default_text, col_description(c.oid, a.attnum) AS comment,
       ARRAY(SELECT x.privilege_type FROM aclexplode(a.attacl) x ORDER BY x.grantee, x.privilege_type) AS privileges,
       ARRAY(SELECT CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END
               FROM aclexplode(a.attacl) x ORDER BY x.grantee, x.privilege_type) AS grantees,
       ARRAY(SELECT x.is_grantable FROM aclexplode(a.attacl) x ORDER BY x.grantee, x.privilege_type) AS grantable,
       EXISTS (SELECT FROM pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent)) AS inherits,
       pg_has_role(c.relowner, 'USAGE') AS owns,
       ARRAY(SELECT n.attnum::int4 FROM pg_attribute n WHERE n.attrelid = c.oid AND n.attnum > a.attnum
                AND NOT n.attisdropped AND NOT starts_with(n.attname::text, 'sealwire_shadow_')) AS behind,
       (SELECT r.rolsuper OR r.rolbypassrls FROM pg_roles r WHERE r.rolname = current_user) AS bypasses,
       EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN') AS has_rules,
       COALESCE(l.collisdeterministic, true) AS deterministic,
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary
                  AND a.attnum = ANY (i.indkey)) AS in_primary_key,
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident
                  AND a.attnum = ANY (i.indkey)) AS in_replica_identity,
       (c.relreplident = 'n' OR c.relreplident = 'd'
          AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary))
       AND EXISTS (SELECT FROM pg_publication_tables p JOIN pg_publication b ON b.pubname = p.pubname AND b.pubupdate
                    WHERE p.schemaname = n.nspname AND p.tablename = c.relname) AS cannot_publish,
       EXISTS (SELECT FROM pg_seclabel s WHERE s.classoid = 'pg_class'::regclass AND s.objoid = c.oid
                  AND s.objsubid = a.attnum) AS has_label
FROM pg_namespace n
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = $2
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = $3 AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_namespace tn ON tn.oid = t.typnamespace
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
LEFT JOIN pg_collation l ON l.oid = a.attcollation
WHERE n.nspname = $1
"""


async def _trigger_objections(connection: Connection, targets: Sequence[Target]) -> list[str]:
    """A BEFORE trigger that fires after ours might change the column unseen."""
    objections = []
    for target in targets:
        later = await connection.fetch(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = $1::int8::oid AND NOT tgisinternal AND tgtype & 2 = 2"
            " AND tgname::text COLLATE \"C\" > $2 AND tgname NOT LIKE 'zzzz\\_sealwire\\_%'",
            target.table_oid,
            target.mark_triggers[0],
        )
        objections += [
            f"{target.column.name}: BEFORE trigger {row['tgname']} fires after the job's own; rename it"
            for row in later
        ]
    return objections


async def firing_triggers(connection: Connection, targets: Sequence[Target]) -> list[str]:
    """`table: trigger` of those that would fire when a job writes into the shadow."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT t.tgrelid::regclass::text || ': ' || t.tgname
        FROM pg_trigger t
        WHERE t.tgrelid = ANY ($1::int8[]::oid[]) AND NOT t.tgisinternal AND t.tgtype & 16 = 16
          AND t.tgenabled <> 'D' AND t.tgattr = '' AND t.tgname NOT LIKE 'zzzz\\_sealwire\\_%'
        ORDER BY 1
        """,
        [target.table_oid for target in targets],
    )
    return [row[0] for row in rows]
