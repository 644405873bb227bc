"""What hangs on the columns of a job: read from the catalog, judged, and turned into statements that bring it back.

Definitions are PostgreSQL's own (pg_get_indexdef and its kin, printed under search_path = pg_catalog, so fully
qualified). They name the column as before, so after the swap the same text fits, except for indexes, which are built
beforehand on the shadow.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Final

from proxy.config import Scheme
from proxy.ops.life.recipe import Operation
from proxy.ops.life.rewrite import CannotCarry, Comparable, check_looks_inside, follow_view, index_for, index_keys
from proxy.ops.life.target import Target, quote_literal
from proxy.sql.naming import quote_ident

if TYPE_CHECKING:
    import asyncpg

    from proxy.ops.database import Connection


@dataclass(frozen=True, slots=True)
class Index:
    """An index that has a column of the job among its own. `table` and `schema` are SQL."""

    oid: int
    name: str
    schema: str
    table: str
    definition: str
    method: str
    is_unique: bool
    constraint: str | None
    """Name of the PRIMARY KEY or UNIQUE constraint that it stands for."""
    constraint_clause: str
    """`PRIMARY KEY` or `UNIQUE`, and what follows the index in ADD CONSTRAINT."""
    tablespace: str | None
    clustered: bool
    index_comment: str | None
    constraint_comment: str | None
    new_definition: str = ""
    """On the shadow, or without its old operator classes."""

    @property
    def new_name(self) -> str:
        """While the old index is there."""
        return f"sealwire_index_{self.oid}"

    def attach(self) -> list[str]:
        """Statements that give the new index its place once the old one is gone."""
        new = f"{self.schema}.{quote_ident(self.new_name)}"
        if self.constraint is None:
            statements = [f"ALTER INDEX {new} RENAME TO {quote_ident(self.name)}"]
        else:
            kind, _, rest = self.constraint_clause.partition("|")
            add = f"ALTER TABLE {self.table} ADD CONSTRAINT {quote_ident(self.constraint)} {kind}"
            statements = [f"{add} USING INDEX {quote_ident(self.new_name)}{rest}"]
        if self.index_comment is not None:
            name = f"{self.schema}.{quote_ident(self.name)}"
            statements.append(f"COMMENT ON INDEX {name} IS {quote_literal(self.index_comment)}")
        if self.constraint_comment is not None and self.constraint is not None:
            statements.append(_comment_on_constraint(self.constraint, self.table, self.constraint_comment))
        if self.clustered:
            statements.append(f"ALTER TABLE {self.table} CLUSTER ON {quote_ident(self.name)}")
        return statements


@dataclass(frozen=True, slots=True)
class Constraint:
    """A CHECK or FOREIGN KEY. `table` and `other` are SQL."""

    name: str
    table: str
    kind: str
    definition: str
    validated: bool
    comment: str | None
    other: str | None
    """The table that a foreign key refers to."""

    def add(self) -> list[str]:
        """Not yet validated: that is done later, without keeping writers out."""
        text = self.definition.removesuffix(" NOT VALID")
        statements = [f"ALTER TABLE {self.table} ADD CONSTRAINT {quote_ident(self.name)} {text} NOT VALID"]
        if self.comment is not None:
            statements.append(_comment_on_constraint(self.name, self.table, self.comment))
        return statements

    def validate(self) -> list[str]:
        if not self.validated:
            return []
        return [f"ALTER TABLE {self.table} VALIDATE CONSTRAINT {quote_ident(self.name)}"]

    def drop(self) -> str:
        return f"ALTER TABLE {self.table} DROP CONSTRAINT {quote_ident(self.name)}"


@dataclass(frozen=True, slots=True)
class View:
    """A view that reads a column of the job, directly or through another. In order: read views before their readers."""

    oid: int
    name: str
    """SQL."""
    restore: tuple[str, ...]
    """Statements that make it again: definition, options, owner, comments, grants."""


@dataclass(frozen=True, slots=True)
class Dependents:
    indexes: tuple[Index, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    views: tuple[View, ...] = ()
    statistics: tuple[tuple[str, str], ...] = ()
    """(name as SQL, definition) of extended statistics."""
    objections: tuple[str, ...] = field(default=())

    @property
    def foreign_keys(self) -> tuple[Constraint, ...]:
        return tuple(constraint for constraint in self.constraints if constraint.kind == "f")

    @property
    def checks(self) -> tuple[Constraint, ...]:
        return tuple(constraint for constraint in self.constraints if constraint.kind == "c")


def _comment_on_constraint(name: str, table: str, comment: str) -> str:
    return f"COMMENT ON CONSTRAINT {quote_ident(name)} ON {table} IS {quote_literal(comment)}"


async def read_dependents(
    connection: Connection, operation: Operation, targets: Sequence[Target], *, in_place: bool
) -> Dependents:
    """Everything that hangs on `targets`; `objections` says what cannot be carried."""
    objections: list[str] = []
    statistics: dict[str, str] = {}
    found: dict[int, Index] = {}
    constraints: dict[int, Constraint] = {}
    for target in targets:
        for row in await connection.fetch(_DEPENDS, target.table_oid, target.attnum):
            if row["statistics_definition"] is not None:
                statistics[row["statistics_name"]] = row["statistics_definition"]
            elif row["description"] is not None:
                objections.append(f"{target.column.name}: {row['description']} depends on it and cannot be carried")
        for row in await connection.fetch(_INDEXES, target.table_oid, target.attnum):
            found[row["oid"]] = Index(*(row[name] for name in _INDEX_FIELDS))
        for row in await connection.fetch(_CONSTRAINTS, target.table_oid, target.attnum):
            constraint = Constraint(*(row[name] for name in _CONSTRAINT_FIELDS))
            constraints[row["oid"]] = constraint
            objections += _judge_constraint(operation, target, constraint, row, targets)
    indexes = []
    for index in found.values():
        mine = [target for target in targets if target.table == index.table]
        try:
            indexes.append(_carry_index(operation, mine, index, in_place=in_place))
        except CannotCarry as reason:
            objections.append(f"{mine[0].column.name}: index {index.name} {reason}")
    views = await _read_views(connection, targets, objections)
    return Dependents(
        tuple(indexes), tuple(constraints.values()), tuple(views), tuple(statistics.items()), tuple(objections)
    )


def _carry_index(operation: Operation, targets: Sequence[Target], index: Index, *, in_place: bool) -> Index:
    keys = index_keys(index.definition)
    for target in targets:
        if target.column.column not in keys or operation is Operation.UNSEAL:
            continue
        scheme = target.column.scheme
        if scheme is Scheme.RANDOM:
            what = "is unique, but" if index.is_unique else "is useless:"
            raise CannotCarry(
                f"{what} with search: none no two ciphertexts are equal; drop it, or use search: equality"
            )
        if index.method not in (("btree", "hash") if scheme is Scheme.EQUALITY else ("btree", "hash", "brin")):
            raise CannotCarry(f"({index.method}) is of no use on ciphertext; drop it")
    if "NULLS NOT DISTINCT" in index.definition and not in_place:
        raise CannotCarry("treats NULLs as equal, which the unfinished shadow cannot bear; use --in-place")
    columns = {target.column.column: target.column.column if in_place else target.shadow_name for target in targets}
    text = index_for(
        index.definition,
        index.new_name,
        columns,
        concurrently=not in_place,
        keep=operation is Operation.RESEAL,
        tablespace=index.tablespace,
    )
    return replace(index, new_definition=text)


def _judge_constraint(
    operation: Operation, target: Target, constraint: Constraint, row: asyncpg.Record, targets: Sequence[Target]
) -> list[str]:
    name = target.column.name
    if constraint.kind == "x":
        return [f"{name}: exclusion constraint {constraint.name} cannot be carried"]
    if constraint.kind == "c":
        if check_looks_inside(constraint.definition, frozenset({target.column.column})):
            return [f"{name}: check constraint {constraint.name} looks inside it; drop it, or test for NULL only"]
        return []
    objections = []
    if row["partitioned"]:
        objections.append(f"{name}: foreign key {constraint.name} leads to a partitioned table")
    by_place = {(one.table_oid, one.attnum): one for one in targets}
    for near_oid, near, far_oid, far in zip(
        row["near_tables"], row["near"], row["far_tables"], row["far"], strict=True
    ):
        ends = by_place.get((near_oid, near)), by_place.get((far_oid, far))
        if target not in ends:
            continue
        if ends[0] is None or ends[1] is None:
            objections.append(
                f"{name}: foreign key {constraint.name} ties it to {row['other_end']}; name both columns in one command"
            )
        elif operation is not Operation.UNSEAL:
            here, there = ends[0].column, ends[1].column
            if here.scheme is Scheme.RANDOM or (here.scheme, here.domain) != (there.scheme, there.domain):
                objections.append(
                    f"{name}: foreign key {constraint.name} compares it, which needs the same join and search:"
                    " equality or order on both columns"
                )
    return objections


async def _read_views(connection: Connection, targets: Sequence[Target], objections: list[str]) -> list[View]:
    """The views over `targets`, each after those that it reads."""
    found: dict[int, asyncpg.Record] = {}
    waiting = [(target.table_oid, target.attnum) for target in targets]
    while waiting:
        relation, attnum = waiting.pop()
        for row in await connection.fetch(_VIEWS, relation, attnum):
            if row["oid"] not in found:
                waiting.append((row["oid"], 0))
            found[row["oid"]] = row
    columns: dict[int, dict[str, Comparable]] = {}
    for target in targets:
        columns.setdefault(target.table_oid, {})[target.column.column] = (target.column.scheme, target.column.domain)
    views = []
    reads = {oid: [other for other in row["reads"] if other in found] for oid, row in found.items()}
    for oid in TopologicalSorter(reads).static_order():
        row = found[oid]
        if row["relkind"] == "m":
            objections.append(f"materialized view {row['name']} holds a copy; drop it first")
        elif row["special"]:
            objections.append(f"view {row['name']} has rules, triggers or defaults of its own; drop it first")
        else:
            read = _joined(columns.get(other, {}) for other in row["reads"])
            try:
                definition, columns[oid] = follow_view(row["definition"], read)
            except CannotCarry as reason:
                objections.append(f"view {row['name']} {reason}; drop it first")
            else:
                views.append(View(oid, row["name"], await _restore_view(connection, row, definition)))
    return views


def _joined(found: Iterable[Mapping[str, Comparable]]) -> dict[str, Comparable]:
    """All names; one that stands for columns that do not compare is taken for one that compares with nothing."""
    joined: dict[str, Comparable] = {}
    for columns in found:
        for name, comparable in columns.items():
            joined[name] = comparable if joined.get(name, comparable) == comparable else (Scheme.RANDOM, "")
    return joined


async def _restore_view(connection: Connection, row: asyncpg.Record, definition: str) -> tuple[str, ...]:
    name = row["name"]
    options = f" WITH ({', '.join(row['reloptions'])})" if row["reloptions"] else ""
    columns = ", ".join(quote_ident(column) for column in row["columns"])
    statements = [
        f"CREATE VIEW {name} ({columns}){options} AS {definition.rstrip().rstrip(';')}",
        f"ALTER VIEW {name} OWNER TO {row['owner']}",
    ]
    statements += [part["statement"] for part in await connection.fetch(_VIEW_PARTS, row["oid"])]
    return tuple(statements)


_DEPENDS: Final = """
SELECT CASE WHEN d.classid = 'pg_statistic_ext'::regclass THEN pg_get_statisticsobjdef(d.objid) END
           AS statistics_definition,
       CASE WHEN d.classid = 'pg_statistic_ext'::regclass
            THEN (SELECT format('%I.%I', n.nspname, s.stxname) FROM pg_statistic_ext s
                  JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE s.oid = d.objid) END AS statistics_name,
       CASE WHEN d.classid IN ('pg_constraint'::regclass, 'pg_statistic_ext'::regclass) THEN NULL
            WHEN d.classid = 'pg_class'::regclass
                 AND (SELECT relkind FROM pg_class WHERE oid = d.objid) IN ('i', 't') THEN NULL
            WHEN d.classid = 'pg_attrdef'::regclass
                 AND EXISTS (SELECT FROM pg_attrdef a WHERE a.oid = d.objid AND a.adrelid = $1::int8::oid
                                AND a.adnum = $2::int4) THEN NULL
            WHEN d.classid = 'pg_rewrite'::regclass
                 AND (SELECT ev_class FROM pg_rewrite WHERE oid = d.objid) <> $1::int8::oid THEN NULL
            WHEN d.classid = 'pg_trigger'::regclass
                 AND (SELECT tgname FROM pg_trigger WHERE oid = d.objid) LIKE 'zzzz\\_sealwire\\_%' THEN NULL
            ELSE pg_describe_object(d.classid, d.objid, d.objsubid) END AS description
FROM pg_depend d
WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = $1::int8::oid AND d.refobjsubid = $2::int4
ORDER BY 3
"""

_INDEX_FIELDS: Final = (
    "oid", "name", "schema", "table_name", "definition", "method", "indisunique", "constraint_name",
    "constraint_clause", "tablespace", "indisclustered", "index_comment", "constraint_comment",
)  # fmt: skip
_INDEXES: Final = """
SELECT c.oid::int8 AS oid, c.relname::text AS name, quote_ident(n.nspname) AS schema,
       '"' || replace(tn.nspname, '"', '""') || '"."' || replace(tc.relname, '"', '""') || '"' AS table_name,
       pg_get_indexdef(c.oid) AS definition, m.amname::text AS method, i.indisunique,
       k.conname::text AS constraint_name,
       CASE k.contype WHEN 'p' THEN 'PRIMARY KEY|' ELSE 'UNIQUE|' END
         || CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END
         || CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END AS constraint_clause,
       (SELECT spcname::text FROM pg_tablespace s WHERE s.oid = c.reltablespace) AS tablespace, i.indisclustered,
       obj_description(c.oid, 'pg_class') AS index_comment,
       obj_description(k.oid, 'pg_constraint') AS constraint_comment
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class tc ON tc.oid = i.indrelid
JOIN pg_namespace tn ON tn.oid = tc.relnamespace
JOIN pg_am m ON m.oid = c.relam
LEFT JOIN pg_constraint k ON k.conindid = c.oid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u')
WHERE i.indrelid = $1::int8::oid AND c.relname NOT LIKE 'sealwire\\_%'
  AND ($2::int2 = ANY (i.indkey)
       OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                     AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid AND d.refobjsubid = $2::int4))
ORDER BY c.oid
"""

_CONSTRAINT_FIELDS: Final = ("name", "table_name", "contype", "definition", "convalidated", "comment", "other")
_CONSTRAINTS: Final = """
SELECT k.oid::int8 AS oid, k.conname::text AS name, k.contype::text, k.convalidated,
       '"' || replace(n.nspname, '"', '""') || '"."' || replace(c.relname, '"', '""') || '"' AS table_name,
       pg_get_constraintdef(k.oid) AS definition, obj_description(k.oid, 'pg_constraint') AS comment,
       '"' || replace(fn.nspname, '"', '""') || '"."' || replace(f.relname, '"', '""') || '"' AS other,
       'p' IN (c.relkind, COALESCE(f.relkind, 'r')) AS partitioned,
       CASE WHEN k.conrelid = $1::int8::oid THEN fn.nspname || '.' || f.relname
            ELSE n.nspname || '.' || c.relname END AS other_end,
       ARRAY(SELECT k.conrelid::int8 FROM unnest(k.confkey)) AS near_tables, k.conkey::int4[] AS near,
       ARRAY(SELECT k.confrelid::int8 FROM unnest(k.confkey)) AS far_tables, k.confkey::int4[] AS far
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class f ON f.oid = k.confrelid AND k.contype = 'f'
LEFT JOIN pg_namespace fn ON fn.oid = f.relnamespace
WHERE k.contype IN ('c', 'f', 'x') AND k.conname NOT LIKE 'sealwire\\_%' AND k.conparentid = 0
  AND ((k.conrelid = $1::int8::oid AND $2::int2 = ANY (k.conkey))
       OR (k.contype = 'f' AND k.confrelid = $1::int8::oid AND $2::int2 = ANY (k.confkey)))
ORDER BY k.oid
"""

_VIEWS: Final = """
SELECT c.oid::int8 AS oid, c.relkind::text, format('%I.%I', n.nspname, c.relname) AS name,
       pg_get_viewdef(c.oid) AS definition, c.reloptions, c.relowner::regrole::text AS owner,
       ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
              AND NOT a.attisdropped ORDER BY a.attnum) AS columns,
       ARRAY(SELECT DISTINCT d.refobjid::int8 FROM pg_depend d WHERE d.classid = 'pg_rewrite'::regclass
              AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> c.oid) AS reads,
       EXISTS (SELECT FROM pg_rewrite x WHERE x.ev_class = c.oid AND x.rulename <> '_RETURN')
       OR EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid)
       OR EXISTS (SELECT FROM pg_attrdef t WHERE t.adrelid = c.oid)
       OR EXISTS (SELECT FROM pg_seclabel s WHERE s.objoid = c.oid AND s.classoid = 'pg_class'::regclass) AS special
FROM pg_rewrite r
JOIN pg_class c ON c.oid = r.ev_class
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v', 'm') AND c.oid <> $1::int8::oid
  AND EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                 AND d.refclassid = 'pg_class'::regclass AND d.refobjid = $1::int8::oid
                 AND ($2::int4 = 0 OR d.refobjsubid = $2::int4))
ORDER BY c.oid
"""

_VIEW_PARTS: Final = """
SELECT format('COMMENT ON VIEW %s IS %L', $1::int8::oid::regclass, obj_description($1::int8::oid, 'pg_class'))
       AS statement
WHERE obj_description($1::int8::oid, 'pg_class') IS NOT NULL
UNION ALL
SELECT format('COMMENT ON COLUMN %s.%I IS %L', a.attrelid::regclass, a.attname, col_description(a.attrelid, a.attnum))
FROM pg_attribute a
WHERE a.attrelid = $1::int8::oid AND a.attnum > 0 AND col_description(a.attrelid, a.attnum) IS NOT NULL
UNION ALL
SELECT format('GRANT %s ON %s TO %s%s', x.privilege_type, c.oid::regclass,
              CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END,
              CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_class c, aclexplode(c.relacl) x
WHERE c.oid = $1::int8::oid AND x.grantee <> c.relowner
UNION ALL
SELECT format('GRANT %s (%I) ON %s TO %s%s', x.privilege_type, a.attname, a.attrelid::regclass,
              CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END,
              CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_attribute a, aclexplode(a.attacl) x
WHERE a.attrelid = $1::int8::oid AND a.attnum > 0
"""
