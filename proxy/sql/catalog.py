"""The catalog snapshot: what the analysis knows of a database, read over the client's own connection.

`session` runs `CATALOG_QUERY` (one row, one column) and hands the text to `load_catalog`; `SESSION_QUERY` and
`load_session` do the same for what belongs to one session: search_path, role, output settings. A snapshot is
immutable; one is shared per database and replaced after DDL. `SYSTEM_QUERY` reads pg_catalog and information_schema
in the same form: they change with the server's version only, so their text is kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar

from proxy.config import DatabasePolicy, SealedColumn
from proxy.errors import ProtocolViolation
from proxy.pgtypes import SqlType, type_of_oid
from proxy.sql.conversions import TYPE_NAMES

SEALED_SCHEMA: Final = "sealwire"
SEALED_TYPE: Final = "sealed"
LEDGER: Final = "jobs"
"""Table of the schema `sealwire`, in which the commands record what a column lies under."""
MOVED: Final = "moved"
"""What the comment of that table begins with; OID.NUMBER of each column that stands elsewhere than before follows."""
SHADOW_PREFIX: Final = "sealwire_shadow_"
"""Of the columns in which `sealwire seal`, `unseal` and `reseal` prepare what takes another column's place."""

CARRYING_FUNCTIONS: Final = frozenset(
    "first_value last_value nth_value any_value lag lead num_nulls num_nonnulls count min max array_agg mode "
    "percentile_disc unnest cardinality array_length array_ndims array_lower array_upper".split()
)
"""PostgreSQL's functions that take sealed values or arrays of them."""
BYTEWISE: Final = frozenset({"C", "POSIX", "default", "ucs_basic", "pg_c_utf8"})
"""Collations that sort text as sealed values are sorted."""
COMPARISONS: Final = ("=", "<>", "<", "<=", ">", ">=", "~~", "!~~")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))


# Schemas with operators, functions, collations or types of the names that the analysis takes for those of pg_catalog.
# An operator counts where it takes a type of pg_catalog or sealed values: citext's own `=` is for citext only.
_SHADOWING: Final = f"""
  (SELECT pg_catalog.json_agg(n.nspname) FROM pg_catalog.pg_namespace n
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND (
      EXISTS (SELECT FROM pg_catalog.pg_operator o
        JOIN pg_catalog.pg_type t ON t.oid IN (o.oprleft, o.oprright)
        JOIN pg_catalog.pg_namespace m ON m.oid = t.typnamespace
        WHERE o.oprnamespace = n.oid AND o.oprname IN ({_listed(COMPARISONS)})
          AND m.nspname IN ('pg_catalog', 'sealwire'))
      OR EXISTS (SELECT FROM pg_catalog.pg_proc p
        WHERE p.pronamespace = n.oid AND p.proname IN ({_listed(CARRYING_FUNCTIONS)}))
      OR EXISTS (SELECT FROM pg_catalog.pg_collation c
        WHERE c.collnamespace = n.oid AND c.collname IN ({_listed(BYTEWISE)}))
      OR EXISTS (SELECT FROM pg_catalog.pg_type t
        WHERE t.typnamespace = n.oid AND t.typname IN ({_listed(TYPE_NAMES)}))))"""  # noqa: S608  (constants)
# The same names once more, wherever they are on a search_path: PostgreSQL prefers an exact match of types, so
# unnest(text[]) of another schema is called although pg_catalog's unnest(anyarray) comes first. What has the types of
# one of pg_catalog's is hidden behind it, and what takes a type of its own takes no value that could be sealed.
_OVERLOADS: Final = f"""
  (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(s.nspname, s.name)) FROM (
    SELECT n.nspname, p.proname AS name FROM pg_catalog.pg_proc p
      JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
      WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'sealwire')
        AND p.proname IN ({_listed(CARRYING_FUNCTIONS)})
        AND NOT EXISTS (SELECT FROM pg_catalog.unnest(p.proargtypes) a (oid)
          JOIN pg_catalog.pg_type t ON t.oid = a.oid WHERE t.typnamespace <> 'pg_catalog'::pg_catalog.regnamespace)
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_proc q WHERE q.proname = p.proname
          AND q.proargtypes = p.proargtypes AND q.pronamespace = 'pg_catalog'::pg_catalog.regnamespace)
    UNION
    SELECT n.nspname, o.oprname FROM pg_catalog.pg_operator o
      JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
      WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'sealwire')
        AND o.oprname IN ({_listed(COMPARISONS)})
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.oid IN (o.oprleft, o.oprright)
          AND t.typnamespace <> 'pg_catalog'::pg_catalog.regnamespace)
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_operator q WHERE q.oprname = o.oprname AND q.oprleft = o.oprleft
          AND q.oprright = o.oprright AND q.oprnamespace = 'pg_catalog'::pg_catalog.regnamespace)) s)"""  # noqa: S608  (constants)
# Functions that may do anything when they are called: set the search_path, make a temporary table, whatever volatility
# they declare. The languages c and internal (12 and 13 in pg_language.dat) have no reason to.
_VOLATILE: Final = """
  (SELECT pg_catalog.json_agg(DISTINCT p.proname) FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'sealwire')
      AND p.prokind = 'f' AND p.prolang NOT IN (12, 13))"""
# The ledger's comment: it can be asked for where there is no such table.
_MOVED: Final = f"""
  (SELECT d.description FROM pg_catalog.pg_description d
    JOIN pg_catalog.pg_class c ON d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objoid = c.oid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE d.objsubid = 0 AND n.nspname = '{SEALED_SCHEMA}' AND c.relname = '{LEDGER}')"""  # noqa: S608  (constants)
_KINDS: Final = "('r', 'p', 'v', 'm', 'f', 'S', 'c')"

# One JSON document. Every name is schema-qualified, so that no search_path can bend it. Attributes come as arrays:
# [name, number, type OID, typmod, base type OID, base typmod, not null, has default, identity, generated, type name];
# base type is the type below a domain. View definitions of the system schemas are never needed.
_SNAPSHOT: Final = f"""
SELECT pg_catalog.json_build_object(
  'version', pg_catalog.current_setting('server_version_num')::pg_catalog.int4,
  'sealed', (SELECT t.oid::pg_catalog.int8 FROM pg_catalog.pg_type t
             JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
             WHERE n.nspname = 'sealwire' AND t.typname = 'sealed'),
  'sealed_array', (SELECT t.typarray::pg_catalog.int8 FROM pg_catalog.pg_type t
                   JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
                   WHERE n.nspname = 'sealwire' AND t.typname = 'sealed'),
  'schemas', (SELECT pg_catalog.json_agg(n.nspname) FROM pg_catalog.pg_namespace n),
  'shadowing', CASE WHEN NOT $system$ THEN {_SHADOWING} END,
  'overloads', CASE WHEN NOT $system$ THEN {_OVERLOADS} END,
  'volatile', CASE WHEN NOT $system$ THEN {_VOLATILE} END,
  'moved', CASE WHEN NOT $system$ THEN {_MOVED} END,
  'relations', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
      c.oid::pg_catalog.int8, n.nspname, c.relname, c.relkind, c.relpersistence,
      CASE WHEN c.relkind IN ('v', 'm') AND NOT $system$
           THEN pg_catalog.pg_get_viewdef(c.oid) END,
      (SELECT pg_catalog.json_agg(i.inhparent::pg_catalog.int8 ORDER BY i.inhseqno)
         FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid),
      (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
           a.attname, a.attnum, a.atttypid::pg_catalog.int8, a.atttypmod,
           CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END::pg_catalog.int8,
           CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END,
           a.attnotnull, a.atthasdef, a.attidentity, a.attgenerated, t.typname) ORDER BY a.attnum)
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
      (SELECT pg_catalog.to_json(p.partattrs::pg_catalog.int2[])
         FROM pg_catalog.pg_partitioned_table p WHERE p.partrelid = c.oid),
      (SELECT pg_catalog.to_json(k.indkey::pg_catalog.int2[])
         FROM pg_catalog.pg_index k WHERE k.indrelid = c.oid AND k.indisprimary),
      CASE WHEN c.relkind IN ('v', 'm') AND NOT $system$ THEN
        (SELECT pg_catalog.json_agg(DISTINCT d.refobjid::pg_catalog.int8)
           FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_depend d
             ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = w.oid
            AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
          WHERE w.ev_class = c.oid AND d.refobjid <> c.oid) END,
      c.relfilenode::pg_catalog.int8))
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN {_KINDS} AND n.nspname <> 'pg_toast'
      AND (n.nspname IN ('pg_catalog', 'information_schema')) = $system$
      AND (n.nspname OPERATOR(pg_catalog.!~) '^pg_temp_' OR n.oid = pg_catalog.pg_my_temp_schema())))::pg_catalog.text
"""  # noqa: S608  (constants)

CATALOG_QUERY: Final = _SNAPSHOT.replace("$system$", "false")
SYSTEM_QUERY: Final = _SNAPSHOT.replace("$system$", "true")

SESSION_QUERY: Final = f"""
SELECT pg_catalog.json_build_object(
  'database', pg_catalog.current_database(), 'user', current_user, 'schemas', pg_catalog.current_schemas(true),
  'creation', pg_catalog.current_schema(),
  'temp', (SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.oid = pg_catalog.pg_my_temp_schema()),
  'temporary', CASE WHEN pg_catalog.pg_my_temp_schema() <> 0 THEN
    (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(c.oid::pg_catalog.int8, c.relname))
       FROM pg_catalog.pg_class c
      WHERE c.relnamespace = pg_catalog.pg_my_temp_schema() AND c.relkind IN {_KINDS}) END,
  'bytea_output', pg_catalog.current_setting('bytea_output'),
  'extra_float_digits', pg_catalog.current_setting('extra_float_digits')::pg_catalog.int4,
  'pid', pg_catalog.pg_backend_pid(),
  'reported', pg_catalog.json_build_object(
    'TimeZone', pg_catalog.current_setting('TimeZone'), 'DateStyle', pg_catalog.current_setting('DateStyle'),
    'IntervalStyle', pg_catalog.current_setting('IntervalStyle'),
    'standard_conforming_strings', pg_catalog.current_setting('standard_conforming_strings')))::pg_catalog.text
"""  # noqa: S608  (constants)

OF_SQL: Final = "SQL"
# Of those prepared statements that the server has, and that PREPARE has made or $1 names: name -> OF_SQL, or the
# SHA-256 of the text, in UTF-8 and hexadecimal.
STATEMENTS_QUERY: Final = f"""
SELECT coalesce(pg_catalog.json_object_agg(p.name, CASE WHEN p.from_sql THEN '{OF_SQL}' ELSE pg_catalog.encode(
         pg_catalog.sha256(pg_catalog.convert_to(p.statement, 'UTF8')), 'hex') END), '{{}}')::pg_catalog.text
FROM pg_catalog.pg_prepared_statements p
WHERE p.from_sql OR p.name OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[])
"""  # noqa: S608  (constants)


@dataclass(frozen=True, slots=True)
class SearchPath:
    """Schemas in the order in which unqualified names are looked up, as current_schemas(true) gives them (pg_temp_N
    and pg_catalog included); `creation` is where CREATE puts an unqualified name."""

    schemas: tuple[str, ...] = ("pg_catalog", "public")
    creation: str | None = "public"
    temp: str | None = None
    """The session's own pg_temp_N, once it exists; `pg_temp` is an alias of it."""


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What SESSION_QUERY tells."""

    database: str
    user: str
    path: SearchPath
    bytea_output: str
    extra_float_digits: int
    pid: int
    """Of the server process that answered: not the one of BackendKeyData where a pooler stands in between."""
    reported: Mapping[str, str]
    """Settings that ParameterStatus reports, as this server process has them."""
    temporary: frozenset[tuple[int, str]] | None = None
    """(OID, name) of the session's temporary relations: a function may have made or dropped some. None: not told."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One row of pg_attribute; `type_oid` is its own type, `base_oid`/`base_typmod` those below a domain."""

    name: str
    number: int
    type_oid: int
    typmod: int
    base_oid: int
    base_typmod: int
    not_null: bool
    has_default: bool
    identity: str
    generated: str
    type_name: str

    @property
    def is_shadow(self) -> bool:
        """True where a command is preparing it: to statements it is a column of bytes."""
        return self.name.startswith(SHADOW_PREFIX)

    @property
    def type(self) -> SqlType | None:
        """The type as Sealwire knows it; None for enums, composites, intervals and so on."""
        return type_of_oid(self.base_oid, self.base_typmod)


_T = TypeVar("_T")
_RELATION_CELLS: Final = (int, str, str, str)
_ATTRIBUTE_CELLS: Final = (str, int, int, int, int, int, bool, bool, str, str, str)


def _types(row: object, count: int) -> tuple[type, ...]:
    """Of the first cells. Raises TypeError where it is no row."""
    if not isinstance(row, list):
        raise TypeError
    return tuple(map(type, row[:count]))


def _whole(cells: Iterable[Any] | None) -> tuple[int, ...]:
    """Raises TypeError where one is not an integer."""
    found = tuple(cells or ())
    if not all(isinstance(cell, int) for cell in found):
        raise TypeError
    return found


def _names(cells: Iterable[Any] | None) -> tuple[str, ...]:
    """Raises TypeError where one is not a name."""
    found = tuple(cells or ())
    if not all(isinstance(cell, str) for cell in found):
        raise TypeError
    return found


def _places(comment: str | None) -> frozenset[tuple[int, int]] | None:
    """(table OID, attribute number) by the ledger's comment; None: somebody has written something else there."""
    if comment is None:
        return frozenset()
    if not re.fullmatch(rf"{MOVED}( \d+\.\d+)+", comment, re.ASCII):
        return None
    return frozenset((int(oid), int(number)) for oid, _, number in (x.partition(".") for x in comment.split()[1:]))


def read_answer(text: str | bytes, make: Callable[[Any], _T]) -> _T:
    """What a query of our own gave, in JSON. Raises ProtocolViolation where its form is not the one asked for."""
    try:
        return make(json.loads(text))
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise unexpected_answer() from None


def unexpected_answer() -> ProtocolViolation:
    """To a query of our own."""
    return ProtocolViolation("unexpected answer to a catalog query")


class Relation:
    """One row of pg_class with its live attributes, decoded when first asked for. Raises TypeError or LookupError."""

    def __init__(self, row: list[Any]) -> None:
        if _types(row, len(_RELATION_CELLS)) != _RELATION_CELLS or not isinstance(row[5], str | None):
            raise TypeError
        self.oid: int = row[0]
        self.schema: str = row[1]
        self.name: str = row[2]
        self.kind: str = row[3]
        """relkind: r table, p partitioned, v view, m materialized view, f foreign, S sequence, c composite type."""
        self.is_temporary: bool = row[4] == "t"
        self.definition: str | None = row[5]
        """pg_get_viewdef() of a view outside the system schemas."""
        self.parents: tuple[int, ...] = _whole(row[6])
        """OIDs of the tables it inherits from or is a partition of."""
        self._row = row[7] or ()
        self.partition_key: tuple[int, ...] = _whole(row[8]) if len(row) > 8 else ()
        """Attribute numbers by which a partitioned table is divided; 0 stands for an expression."""
        self.primary_key: tuple[int, ...] = _whole(row[9]) if len(row) > 9 else ()
        """Attribute numbers of the primary key."""
        self.depends: tuple[int, ...] | None = None if len(row) <= 10 else _whole(row[10])
        """OIDs of the relations that a view's definition names, those of the system excepted: pg_get_viewdef() leaves
        out the schemas that its reader's search_path finds, so the names alone do not tell. None: not known."""
        self.filenode: int | None = None if len(row) <= 11 else row[11]
        """relfilenode: another one after every rewrite of the table. None: not known."""

    def __repr__(self) -> str:
        return f"<Relation {self.schema}.{self.name} oid={self.oid} kind={self.kind}>"

    @cached_property
    def attributes(self) -> tuple[Attribute, ...]:
        """Raises ProtocolViolation."""
        try:
            if any(_types(cells, len(cells)) != _ATTRIBUTE_CELLS for cells in self._row):
                raise unexpected_answer()
        except TypeError:
            raise unexpected_answer() from None
        return tuple(Attribute(*cells) for cells in self._row)

    @cached_property
    def by_name(self) -> Mapping[str, Attribute]:
        return {attribute.name: attribute for attribute in self.attributes}

    @cached_property
    def has_shadow(self) -> bool:
        """True where a command is preparing one of its columns."""
        return any(attribute.is_shadow for attribute in self.attributes)

    @property
    def is_system(self) -> bool:
        return self.schema in ("pg_catalog", "information_schema")

    @property
    def qualified(self) -> str:
        return f"{self.schema}.{self.name}"


class Catalog:
    """All relations of one database that one session can name, temporary ones of that session included."""

    def __init__(self, document: Mapping[str, Any], system: Mapping[int, Relation]) -> None:
        (self.version,) = _whole((document["version"],))
        """server_version_num, such as 180001."""
        self.sealed_oid: int | None = document["sealed"]
        """OID of the domain sealwire.sealed; None: `sealwire init` has not run in this database."""
        self.sealed_array_oid: int | None = document.get("sealed_array")
        """OID of sealwire.sealed[], which array_agg() of a sealed column returns."""
        self.schemas: frozenset[str] = frozenset(_names(document["schemas"]))
        self.shadowing: frozenset[str] = frozenset(_names(document.get("shadowing")))
        """Schemas with operators, functions or types of names that pg_catalog has: before it on a search_path, they
        change what a statement means."""
        self.overloads: frozenset[tuple[str, str]] = frozenset(
            (schema, name) for schema, name in document.get("overloads") or ()
        )
        """(schema, name) of functions and operators that PostgreSQL may prefer to pg_catalog's of that name."""
        self.volatile: frozenset[str] = frozenset(_names(document.get("volatile")))
        """Names of functions that may change settings and temporary tables."""
        self._moved = _places(document.get("moved"))
        self.by_oid: Mapping[int, Relation] = {**system, **_relations(document)}
        self.by_name: Mapping[tuple[str, str], Relation] = {(r.schema, r.name): r for r in self.by_oid.values()}

    def __iter__(self) -> Iterator[Relation]:
        return iter(self.by_oid.values())

    @cached_property
    def temporary(self) -> frozenset[tuple[int, str]]:
        """(OID, name) of the temporary relations."""
        return frozenset((relation.oid, relation.name) for relation in self if relation.is_temporary)

    @property
    def has_temporary(self) -> bool:
        """True: the snapshot holds temporary relations, so it belongs to one session and must not be shared."""
        return bool(self.temporary)

    def resolve(self, schema: str | None, name: str, path: SearchPath) -> Relation | None:
        """The relation that PostgreSQL finds under this name; None: it does not exist."""
        if schema is not None:
            if schema == "pg_temp":
                schema = path.temp or schema
            return self.by_name.get((schema, name))
        for candidate in path.schemas:
            if (relation := self.by_name.get((candidate, name))) is not None:
                return relation
        return None

    def resolve_in_view(
        self, view: Relation, qualified: Set[tuple[str, str]], schema: str | None, name: str, path: SearchPath
    ) -> Relation | None:
        """The relation that a name in a view's definition means, whatever the search_path is now. `qualified`: the
        names that the definition shows with their schemas.

        Of several relations of one name, the definition shows at most one without its schema: the one that the
        reader's search_path found. None: it does not exist, or cannot be told.
        """
        if schema is not None or view.depends is None:
            return self.resolve(schema, name, path)
        named = [other for oid in view.depends if (other := self.by_oid.get(oid)) is not None and other.name == name]
        if len(named) > 1:
            named = [other for other in named if (other.schema, name) not in qualified]
        if named:
            return named[0] if len(named) == 1 else None
        if any(oid not in self.by_oid for oid in view.depends):
            return None
        # PostgreSQL does not note what depends on its own relations
        return self.by_name.get(("pg_catalog", name)) or self.by_name.get(("information_schema", name))

    def moved(self, relation: Relation) -> Attribute | None:
        """A column of the table that stands elsewhere than before it was sealed, unsealed or resealed: a statement that
        goes by the places of columns may mean others. Where it cannot be told, the first sealed one."""
        if self._moved is None:
            return next(filter(self.is_sealed, relation.attributes), None)
        return next((one for one in relation.attributes if (relation.oid, one.number) in self._moved), None)

    def is_sealed(self, attribute: Attribute) -> bool:
        """True where the physical type is sealwire.sealed: what a policy column must be."""
        return self.sealed_oid is not None and attribute.type_oid == self.sealed_oid

    def policy_column(self, relation: Relation, name: str, policy: DatabasePolicy) -> SealedColumn | None:
        """The policy's entry for a table's column: under its own name, or that of a table it inherits from or is a
        partition of. Views have none: their columns are followed down to tables."""
        if relation.kind not in ("r", "p", "f"):
            return None
        if (column := policy.column(relation.schema, relation.name, name)) is not None:
            return column
        for oid in relation.parents:
            parent = self.by_oid.get(oid)
            if parent is not None and (column := self.policy_column(parent, name, policy)) is not None:
                return column
        return None

    def sealed_attributes(self, policy: DatabasePolicy) -> Mapping[tuple[int, int], SealedColumn]:
        """(table OID, attribute number) -> policy column, for every sealed column that exists: what RowDescription
        is held against."""
        if self.sealed_oid is None:
            return {}
        return {
            (relation.oid, attribute.number): column
            for relation in self
            if relation.kind in ("r", "p", "f") and not relation.is_system
            for attribute in relation.attributes
            if self.is_sealed(attribute) and (column := self.policy_column(relation, attribute.name, policy))
        }


def load_system(text: str) -> Mapping[int, Relation]:
    """SYSTEM_QUERY's only value -> relations by OID, to be kept as long as the server's version stays. Raises
    ProtocolViolation, as all of these do, where the value has another form."""
    return read_answer(text, _relations)


def load_catalog(text: str, system: Mapping[int, Relation]) -> Catalog:
    """CATALOG_QUERY's only value -> Catalog."""
    return read_answer(text, lambda document: Catalog(document, system))


def _relations(document: Mapping[str, Any]) -> dict[int, Relation]:
    return {relation.oid: relation for relation in map(Relation, document["relations"] or ())}


def load_statements(text: str) -> Mapping[str, str]:
    """STATEMENTS_QUERY's only value -> name -> OF_SQL, or the SHA-256 of the statement."""
    return read_answer(text, dict)


def load_session(text: str) -> SessionFacts:
    """SESSION_QUERY's only value -> SessionFacts."""
    return read_answer(text, _session)


def _session(facts: Mapping[str, Any]) -> SessionFacts:
    schemas, creation, temp = _names(facts["schemas"]), _optional_name(facts["creation"]), _optional_name(facts["temp"])
    temporary = frozenset((oid, name) for oid, name in facts["temporary"] or ()) if "temporary" in facts else None
    reported = dict(facts["reported"])
    database, user, bytea_output, *_ = _names(
        (facts["database"], facts["user"], facts["bytea_output"], *reported, *reported.values())
    )
    digits, pid = _whole((facts["extra_float_digits"], facts["pid"]))
    path = SearchPath(schemas, creation, temp)
    return SessionFacts(database, user, path, bytea_output, digits, pid, reported, temporary)


def _optional_name(cell: Any) -> str | None:
    return None if cell is None else _names((cell,))[0]
