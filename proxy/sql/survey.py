"""Which relations a statement mentions, and which of them carry sealed columns: decided before any analysis.

A statement that mentions no sealed relation is forwarded as it is, so this walk looks at every node of the tree,
knows nothing of what a construct means, and takes a doubtful name for a mention. It is a loop, not a recursion:
a deeply nested statement on plain tables must pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from pglast import ast, parse_sql
from pglast.parser import ParseError

from proxy.config import DatabasePolicy
from proxy.sql.catalog import Attribute, Catalog, Relation, SearchPath

Tree: TypeAlias = Any
"""A node of a class that the caller knows: pglast's stubs make all attributes optional, which the grammar does not."""

_CHANGES: Final = (ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt, ast.MergeStmt)
_NO_NAMES: Final[frozenset[str]] = frozenset()
_ANY_TABLE: Final = 0  # InvalidOid


_CHILDREN: Final[dict[type, tuple[str, ...]]] = {}


def children_of(node: ast.Node) -> tuple[str, ...]:
    """Names of the slots that may hold nodes or lists: all but scalars and C strings."""
    kind: Any = type(node)
    names = _CHILDREN.get(kind)
    if names is None:
        names = _CHILDREN[kind] = tuple(
            name
            for name, info in kind.__slots__.items()
            if (info.c_type.endswith("*") and info.c_type != "char*") or hasattr(ast, info.c_type)
        )
    return names


@dataclass(slots=True)
class Mentions:
    """What one statement names. Each list is in no particular order."""

    relations: list[tuple[ast.RangeVar, Relation]] = field(default_factory=list)
    unknown: list[ast.RangeVar] = field(default_factory=list)
    """Names of relations that the catalog does not hold; those of CTEs in scope are not among them."""
    row_types: list[tuple[ast.TypeName, Relation]] = field(default_factory=list)
    """Types that are the row type of a table or view."""
    functions: list[ast.FuncCall] = field(default_factory=list)
    strings: list[str] = field(default_factory=list)
    """Values of all string constants."""
    parameters: int = 0
    """Highest number of a $n."""


def mentions(node: Any, catalog: Catalog, path: SearchPath) -> Mentions:
    """Walks a whole tree. The names of CTEs are scoped as PostgreSQL does; the target of a change is never a CTE."""
    found = Mentions()
    pending: list[tuple[Any, frozenset[str]]] = [(node, _NO_NAMES)]
    while pending:
        item, ctes = pending.pop()
        kind = type(item)
        if kind is tuple or kind is list:
            pending.extend([(child, ctes) for child in item])
        elif kind is ast.A_Const:
            if isinstance(item.val, ast.String):
                found.strings.append(item.val.sval or "")
        elif kind is ast.String or kind is ast.LockingClause or not isinstance(item, ast.Node):
            continue  # FOR UPDATE OF names entries of FROM, by their aliases
        elif isinstance(item, ast.RangeVar) and item.relname is not None:
            if item.catalogname is None and item.schemaname is None and item.relname in ctes:
                continue
            relation = catalog.resolve(item.schemaname, item.relname, path)
            if relation is None:
                if item.schemaname != "pg_toast":  # the snapshot leaves it out; it holds no names of the policy
                    found.unknown.append(item)
            else:
                found.relations.append((item, relation))
        else:
            if isinstance(item, ast.TypeName):
                if (relation := _row_type(item, catalog, path)) is not None:
                    found.row_types.append((item, relation))
            elif isinstance(item, ast.FuncCall):
                found.functions.append(item)
            elif isinstance(item, ast.LockingClause):
                continue  # FOR UPDATE OF names entries of FROM, by alias where they have one
            elif isinstance(item, ast.ParamRef):
                found.parameters = max(found.parameters, item.number or 0)
            inner = ctes
            with_clause = getattr(item, "withClause", None)
            if with_clause is not None:
                inner = _visible(with_clause, ctes, pending)
            for slot in children_of(item):
                child = getattr(item, slot)
                if child is None:
                    continue
                if isinstance(child, (tuple, list)):
                    pending.extend([(element, inner) for element in child])
                elif isinstance(child, ast.Node) and child is not with_clause:
                    is_target = slot == "relation" and isinstance(item, _CHANGES)
                    pending.append((child, _NO_NAMES if is_target else inner))
    return found


def constants(node: Any) -> list[ast.A_Const]:
    """All constants of a tree, in the order of the nodes' fields."""
    found: list[ast.A_Const] = []
    pending: list[Any] = [node]
    while pending:
        item = pending.pop()
        kind = type(item)
        if kind is ast.A_Const:
            found.append(item)
        elif kind is tuple or kind is list:
            pending.extend(item[::-1])
        elif isinstance(item, ast.Node):
            for slot in reversed(children_of(item)):
                child = getattr(item, slot)
                if child is not None:
                    pending.append(child)
    return found


def place_of(node: Any) -> int | None:
    """The first location in a tree (a constant has none of its own); None: there is none."""
    found: int | None = None
    pending: list[Any] = [node]
    while pending:
        item = pending.pop()
        if isinstance(item, (tuple, list)):
            pending.extend(item)
        elif isinstance(item, ast.Node):
            location = getattr(item, "location", None)
            if location is not None and location >= 0 and (found is None or location < found):
                found = location
            pending.extend(getattr(item, slot) for slot in children_of(item))
    return found


def _visible(clause: Tree, ctes: frozenset[str], pending: list[tuple[Any, frozenset[str]]]) -> frozenset[str]:
    """Queues the queries of a WITH clause, each with the names it sees; returns what the statement below it sees."""
    everyone = ctes | {cte.ctename for cte in clause.ctes}
    seen = ctes
    for cte in clause.ctes:
        pending.append((cte.ctequery, everyone if clause.recursive else seen))
        pending.append((cte.search_clause, ctes))
        pending.append((cte.cycle_clause, ctes))
        seen = seen | {cte.ctename}
    return everyone


def _row_type(node: Tree, catalog: Catalog, path: SearchPath) -> Relation | None:
    names = [name.sval for name in node.names or ()]
    if node.pct_type:
        names = names[:-1]  # table.column%TYPE
    if not 1 <= len(names) <= 3:
        return None
    schema = names[-2] if len(names) > 1 else None
    relation = catalog.resolve(schema, names[-1], path)
    if relation is None and names[-1].startswith("_"):
        relation = catalog.resolve(schema, names[-1][1:], path)  # the name of its array type
    return None if relation is None or relation.is_system else relation


class Carriers:
    """Which relations of one catalog carry sealed columns under one policy."""

    def __init__(self, catalog: Catalog, policy: DatabasePolicy) -> None:
        self.catalog = catalog
        self.policy = policy
        known = _memory.get(catalog)
        if known is None or known[0] is not policy:
            known = _memory[catalog] = (policy, {})
        self._known = known[1]

    def is_sealed(self, relation: Relation, attribute: Attribute) -> bool:
        """True where statements may not treat the column as plain: it is sealed, or should be."""
        if self.catalog.is_sealed(attribute) and not attribute.is_shadow:
            return True
        column = self.catalog.policy_column(relation, attribute.name, self.policy)
        return column is not None and not column.pending

    def carries(self, relation: Relation) -> bool:
        """True: the relation has sealed columns, or is a view that mentions a relation with sealed columns."""
        if relation.is_system:
            return False
        answer = self._known.get(relation.oid)
        if answer is None:
            self._known[relation.oid] = True  # while it is looked at: a view over itself would count as sealed
            answer = self._known[relation.oid] = self._look(relation)
        return answer

    def _look(self, relation: Relation) -> bool:
        if any(self.is_sealed(relation, attribute) for attribute in relation.attributes):
            return True
        if relation.definition is None:
            return False
        if relation.depends is not None:
            return any((other := self.catalog.by_oid.get(oid)) and self.carries(other) for oid in relation.depends)
        try:
            statements = parse_sql(relation.definition)
        except ParseError:
            return True
        return any(self.carries(other) for name in named(statements) for other in self._all_of(name))

    @property
    def has_shadows(self) -> bool:
        """True where a table of the policy has a column that a command is preparing."""
        answer = self._known.get(_ANY_TABLE)
        if answer is None:
            tables = (self.catalog.by_name.get(name) for name in self.policy.tables)
            answer = any(table is not None and table.has_shadow for table in tables)
            self._known[_ANY_TABLE] = answer
        return answer

    @property
    def has_pending(self) -> bool:
        """True where an entry of the policy says `pending: true`."""
        return any(column.pending for columns in self.policy.tables.values() for column in columns.values())

    def pending_in(self, relation: Relation, seen: frozenset[int] = frozenset()) -> frozenset[int]:
        """OIDs of the tables with pending columns that the relation is, or that its definition leads to."""
        if relation.is_system or relation.oid in seen:
            return frozenset()
        if relation.definition is None:
            columns = self.policy.table(relation.schema, relation.name).values()
            return frozenset((relation.oid,) if any(column.pending for column in columns) else ())
        if relation.depends is not None:
            below = [other for oid in relation.depends if (other := self.catalog.by_oid.get(oid))]
        else:
            below = [other for name in named(parse_sql(relation.definition)) for other in self._all_of(name)]
        inside = seen | {relation.oid}
        return frozenset(oid for other in below for oid in self.pending_in(other, inside))

    def _all_of(self, name: Tree) -> Iterator[Relation]:
        """Definitions print names as short as the search_path of their reader allowed: any schema may be meant."""
        if name.schemaname is not None:
            relation = self.catalog.by_name.get((name.schemaname, name.relname))
            if relation is not None:
                yield relation
            return
        for relation in self.catalog:
            if relation.name == name.relname and not relation.is_system:
                yield relation


# Views are read once per catalog snapshot and policy; a snapshot that is gone takes its entry along.
_memory: WeakKeyDictionary[Catalog, tuple[DatabasePolicy, dict[int, bool]]] = WeakKeyDictionary()


def named(node: Any) -> Iterator[ast.RangeVar]:
    """Every name of a relation in a tree."""
    pending = [node]
    while pending:
        item = pending.pop()
        if isinstance(item, ast.RangeVar):
            yield item
        elif isinstance(item, ast.Node):
            pending.extend(getattr(item, slot) for slot in children_of(item))
        elif isinstance(item, (tuple, list)):
            pending.extend(item)
