"""Random statements over a `World`: joins, subqueries, set operations, grouping, windows, CASE, CTEs, data changes.

A statement is a tree of `Part`s; those marked droppable can be left out, which is how a finding is made small. Most
statements are such that PostgreSQL accepts them and the schemes carry them; a few ask for what must be refused. Where a
statement orders, it orders totally (by the keys at last), so that both databases must agree on the order.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.oracle.loading import literal
from tests.oracle.worlds import NUMBERS, Column, Table, World


@dataclass(slots=True, eq=False)
class Part:
    """Text and parts in order; `droppable`: the statement stays a statement without it."""

    pieces: list[str | Part]
    droppable: bool = False

    def render(self, without: frozenset[int] = frozenset()) -> str:
        return "".join(
            piece if isinstance(piece, str) else "" if id(piece) in without else piece.render(without)
            for piece in self.pieces
        )

    def optional(self) -> Iterator[Part]:
        """All droppable parts, the largest first."""
        for piece in self.pieces:
            if isinstance(piece, Part):
                if piece.droppable:
                    yield piece
                yield from piece.optional()


def shrink(statement: Part, still_fails: Callable[[str], bool], budget: int = 150) -> str:
    """The smallest statement found by leaving parts out, such that `still_fails`."""
    without: frozenset[int] = frozenset()
    again = True
    while again and budget > 0:
        again = False
        for part in statement.optional():
            if id(part) in without or budget <= 0:
                continue
            budget -= 1
            attempt = without | {id(part)}
            if still_fails(statement.render(attempt)):
                without, again = attempt, True
    return statement.render(without)


@dataclass(frozen=True, slots=True)
class Seen:
    """A column in scope, as it is written there."""

    text: str
    column: Column


@dataclass(slots=True)
class Scope:
    columns: list[Seen] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    """Columns that together identify a row; empty: none known."""
    keyed: bool = True


Items = tuple[Part, list[Seen]]


class Author:
    """Writes statements about one world."""

    def __init__(self, world: World, draw: random.Random) -> None:
        self.world = world
        self.draw = draw
        self._names = 0

    def statement(self) -> Part:
        roll = self.draw.random()
        if roll < 0.62:
            return self.query()
        if roll < 0.74:
            return self.set_operation()
        return self.draw.choice((self.insert, self.insert_select, self.update, self.update, self.delete, self.merge))()

    # -- names and values ------------------------------------------------------------------------------------------

    def _name(self, prefix: str) -> str:
        self._names += 1
        return f"{prefix}{self._names}"

    def _value(self, column: Column) -> str:
        """A literal of the column, in one of its spellings; sometimes NULL, sometimes one that it does not hold."""
        roll = self.draw.random()
        value = self.draw.choice(column.pool)
        if roll < 0.03:
            return "NULL"
        if column.type in NUMBERS and value.lstrip("-").replace(".", "").isdigit() and roll < 0.7:
            if roll < 0.1:
                return self.draw.choice((f"{value}{'' if '.' in value else '.'}5", "99999999999", "0.005"))
            return value
        if roll < 0.15:
            return (
                f"{literal(value)}::{column.type}"
                if not column.type.startswith("varchar")
                else f"{literal(value)}::text"
            )
        if column.is_text and roll < 0.2:
            return "E'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
        return literal(value)

    def _stored(self, column: Column) -> str:
        if self.draw.random() < 0.1:
            return "NULL"
        value = self.draw.choice(column.pool)
        return value if column.type in NUMBERS and self.draw.random() < 0.5 and "I" not in value else literal(value)

    def _pick(self, scope: Scope, test: Callable[[Column], bool]) -> Seen | None:
        found = [seen for seen in scope.columns if test(seen.column)]
        return self.draw.choice(found) if found else None

    def _searchable(self, scope: Scope) -> Seen:
        """A column that can be compared; sealed ones are preferred."""
        sealed = [s for s in scope.columns if s.column.search in ("equality", "order")]
        plain = [s for s in scope.columns if not s.column.sealed]
        return self.draw.choice(sealed if sealed and (self.draw.random() < 0.8 or not plain) else plain)

    # -- conditions ------------------------------------------------------------------------------------------------

    def condition(self, scope: Scope, depth: int = 0) -> str:
        roll = self.draw.random()
        if depth < 2 and roll < 0.12:
            joined = self.draw.choice((" AND ", " OR "))
            return f"({self.condition(scope, depth + 1)}{joined}{self.condition(scope, depth + 1)})"
        if roll < 0.17:
            return f"NOT ({self.condition(scope, depth + 1)})"
        if roll < 0.3 and depth < 2:
            return self._subquery_condition(scope, depth)
        if roll < 0.33:
            return self._refusable(scope)
        if roll < 0.42:
            seen = self.draw.choice(scope.columns)
            return f"{seen.text} IS {self.draw.choice(('', 'NOT '))}NULL"
        seen = self._searchable(scope)
        column = seen.column
        if roll < 0.5:
            other = self._pick(
                scope, lambda c: c.domain == column.domain and c.search == column.search and c is not column
            )
            if other is not None and (column.sealed or other.column.type == column.type):
                operator = self.draw.choice(("=", "<>", "IS DISTINCT FROM"))
                return f"{seen.text} {operator} {other.text}"
        if column.search == "order" and roll < 0.75:
            return self._range(seen)
        return self._equal(seen)

    def _equal(self, seen: Seen) -> str:
        values = [self._value(seen.column) for _ in range(self.draw.randint(1, 3))]
        match self.draw.randrange(7):
            case 0 | 1:
                return f"{seen.text} {self.draw.choice(('=', '<>', '='))} {values[0]}"
            case 2:
                return f"{values[0]} = {seen.text}"
            case 3:
                return f"{seen.text} {self.draw.choice(('IN', 'NOT IN'))} ({', '.join(values)})"
            case 4:
                return f"{seen.text} IS {self.draw.choice(('', 'NOT '))}DISTINCT FROM {values[0]}"
            case 5:
                return (
                    f"{seen.text} = ANY (ARRAY[{', '.join(map(literal, seen.column.pool[:2]))}]::{seen.column.type}[])"
                )
        return f"({seen.text}, 1) = ({values[0]}, 1)"

    def _range(self, seen: Seen) -> str:
        one, other = self._value(seen.column), self._value(seen.column)
        match self.draw.randrange(5):
            case 0 | 1:
                return f"{seen.text} {self.draw.choice(('<', '<=', '>', '>='))} {one}"
            case 2:
                return f"{seen.text} {self.draw.choice(('', 'NOT '))}BETWEEN {one} AND {other}"
            case 3:
                return f"{one} {self.draw.choice(('<', '>='))} {seen.text}"
        if seen.column.is_text:
            return f"{seen.text} {self.draw.choice(('', 'NOT '))}LIKE 'genmark%'"
        return f"{seen.text} BETWEEN SYMMETRIC {one} AND {other}"

    def _subquery_condition(self, scope: Scope, depth: int) -> str:
        seen = self._searchable(scope)
        table = self.draw.choice(self.world.tables)
        alias = self._name("s")
        inner = self._scope_of(table, alias)
        same = [s for s in inner.columns if s.column.domain == seen.column.domain and s.column.type == seen.column.type]
        where = self.condition(inner, depth + 1)
        if same and self.draw.random() < 0.6:
            chosen = self.draw.choice(same)
            word = self.draw.choice(("IN", "NOT IN", "= ANY", "<> ALL"))
            return f"{seen.text} {word} (SELECT {chosen.text} FROM {table.qualified} {alias} WHERE {where})"
        link = f" AND {self.draw.choice(same).text} = {seen.text}" if same and self.draw.random() < 0.7 else ""
        word = self.draw.choice(("", "NOT "))
        return f"{word}EXISTS (SELECT 1 FROM {table.qualified} {alias} WHERE {where}{link})"

    def _refusable(self, scope: Scope) -> str:
        """What a scheme does not carry; on plain columns it is simply true or false."""
        seen = self.draw.choice(scope.columns)
        given = literal(seen.column.pool[0])
        if not seen.column.is_text:
            return f"{seen.text}::text = {given}"
        return self.draw.choice(
            (f"lower({seen.text}) = {given}", f"{seen.text} LIKE '%mark%'", f"{seen.text} > {given}")
        )

    # -- expressions -----------------------------------------------------------------------------------------------

    def expression(self, scope: Scope) -> tuple[str, Column | None]:
        """Text, and the column whose values it gives (None: something computed in plain)."""
        seen = self.draw.choice(scope.columns)
        column, roll = seen.column, self.draw.random()
        if roll < 0.5:
            return seen.text, column
        if roll < 0.58:
            return f"coalesce({seen.text}, {self._value(column)})", column
        if roll < 0.64:
            other = self._pick(scope, lambda c: c.domain == column.domain and c.type == column.type)
            rest = other.text if other is not None and column.sealed else self._value(column)
            return f"CASE WHEN {self.condition(scope, 1)} THEN {seen.text} ELSE {rest} END", column
        if roll < 0.68 and column.search in ("equality", "order"):
            return f"nullif({seen.text}, {self._value(column)})", column
        if roll < 0.72 and column.search == "order":
            return f"{self.draw.choice(('greatest', 'least'))}({seen.text}, {self._value(column)})", column
        if roll < 0.8:
            return f"({self.condition(scope, 1)})", None
        if roll < 0.86 and scope.keyed and scope.keys:
            keys = ", ".join(scope.keys)
            by = self._pick(scope, lambda c: c.search in ("equality", "order"))
            partition = f"PARTITION BY {by.text} " if by is not None and self.draw.random() < 0.5 else ""
            if self.draw.random() < 0.5:
                return (
                    f"{self.draw.choice(('lag', 'lead'))}({seen.text}) OVER ({partition}ORDER BY {keys})",
                    column,
                )
            return f"row_number() OVER ({partition}ORDER BY {keys})", None
        if roll < 0.92:
            table = self.draw.choice(self.world.tables)
            alias = self._name("s")
            inner = self.draw.choice(self._scope_of(table, alias).columns)
            key = self._pick(scope, lambda c: c.name == "id")
            match = f"{alias}.id = {key.text}" if key is not None else f"{alias}.id = 1"
            return f"(SELECT {inner.text} FROM {table.qualified} {alias} WHERE {match})", inner.column
        if roll < 0.94:
            return f"({seen.text} || 'x')" if column.is_text else f"({seen.text}::text)", None
        return self.draw.choice(("1", "'plain'", "NULL", "2.50")), None

    # -- FROM ------------------------------------------------------------------------------------------------------

    def _scope_of(self, table: Table, alias: str) -> Scope:
        return Scope([Seen(f"{alias}.{c.name}", c) for c in table.columns], [f"{alias}.id"])

    def _source(self, depth: int) -> tuple[Part, Scope]:
        """A table, or a subquery that shows some columns of one under new names."""
        table = self.draw.choice(self.world.tables)
        alias = self._name("a")
        if depth > 1 or self.draw.random() < 0.75:
            return Part([f"{table.qualified} {alias}"]), self._scope_of(table, alias)
        inner = self._scope_of(table, "i")
        shown = [
            (f"x{n}", seen)
            for n, seen in enumerate(inner.columns)
            if self.draw.random() < 0.8 or seen.column.name == "id"
        ]
        where = Part([f" WHERE {self.condition(inner, 1)}"], droppable=True)
        if self.draw.random() < 0.5:
            listed = ", ".join(f"{seen.text} AS {name}" for name, seen in shown)
            body = Part([f"(SELECT {listed} FROM {table.qualified} i", where, f") {alias}"])
        else:
            listed = ", ".join(seen.text for _, seen in shown)
            body = Part(
                [f"(SELECT {listed} FROM {table.qualified} i", where, f") {alias} ({', '.join(n for n, _ in shown)})"]
            )
        columns = [Seen(f"{alias}.{name}", seen.column) for name, seen in shown]
        return body, Scope(columns, [f"{alias}.{name}" for name, seen in shown if seen.column.name == "id"])

    def _from(self, depth: int) -> tuple[Part, Scope]:
        first, scope = self._source(depth)
        pieces: list[str | Part] = [" FROM ", first]
        for _ in range(self.draw.choice((0, 0, 1, 1, 2))):
            source, added = self._source(depth)
            both = Scope(scope.columns + added.columns, scope.keys + added.keys)
            kind = self.draw.choice((" JOIN ", " JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN "))
            pairs = [
                (one, other) for one in scope.columns for other in added.columns
                if one.column.domain == other.column.domain and one.column.search in ("equality", "order", "plain")
                and (one.column.type == other.column.type or _both_sealed_text(one.column, other.column))
            ]  # fmt: skip
            one, other = self.draw.choice(pairs)
            extra = []
            if kind != " FULL JOIN ":
                extra = [Part([f" AND {self.condition(both, 1)}"], droppable=True)] if self.draw.random() < 0.3 else []
            pieces.append(Part([kind, source, f" ON {one.text} = {other.text}", *extra], droppable=True))
            scope = both
        return Part(pieces), scope

    # -- statements ------------------------------------------------------------------------------------------------

    def _items(self, scope: Scope, wanted: int) -> Part:
        pieces: list[str | Part] = []
        for number in range(wanted):
            text, _ = self.expression(scope)
            name = f" AS r{number}" if self.draw.random() < 0.4 else ""
            pieces.append(Part([(", " if number else "") + text + name], droppable=number > 0))
        return Part(pieces)

    def _where(self, scope: Scope) -> Part:
        wanted = self.draw.choice((0, 1, 1, 2))
        conditions = [Part([f" AND {self.condition(scope)}"], droppable=True) for _ in range(wanted)]
        return Part([" WHERE true", *conditions], droppable=True) if conditions else Part([])

    def query(self, depth: int = 0) -> Part:
        with_clause: list[str | Part] = []
        if depth == 0 and self.draw.random() < 0.12:
            return self._with()
        source, scope = self._from(depth)
        where = self._where(scope)
        roll = self.draw.random()
        if roll < 0.25:
            return Part([*with_clause, self._grouped(scope, source, where)])
        if roll < 0.35:
            shown = [s for s in scope.columns if s.column.search != "none" and s.column.type != "json"]
            chosen = self.draw.sample(shown, min(len(shown), self.draw.randint(1, 3)))
            items: list[str | Part] = [
                Part([(", " if number else "") + seen.text], droppable=number > 0) for number, seen in enumerate(chosen)
            ]
            return Part(["SELECT DISTINCT ", *items, source, where])
        items_part = Part(["*"]) if self.draw.random() < 0.1 else self._items(scope, self.draw.randint(1, 4))
        return Part(["SELECT ", items_part, source, where, self._order(scope)])

    def _order(self, scope: Scope) -> Part:
        if not scope.keys or self.draw.random() < 0.4:
            return Part([])
        orderable = [s for s in scope.columns if s.column.search in ("order", "plain")]
        chosen = self.draw.sample(orderable, min(len(orderable), self.draw.randint(0, 2)))
        direction = self.draw.choice(("", " DESC", " NULLS FIRST", " DESC NULLS LAST"))
        parts: list[str | Part] = [Part([f"{seen.text}{direction}, "], droppable=True) for seen in chosen]
        limit = Part([f" LIMIT {self.draw.randint(1, 6)}"], droppable=True) if self.draw.random() < 0.4 else Part([])
        return Part([" ORDER BY ", *parts, ", ".join(scope.keys), limit], droppable=True)

    def _grouped(self, scope: Scope, source: Part, where: Part) -> Part:
        groups = [s for s in scope.columns if s.column.search != "none"]
        chosen = self.draw.sample(groups, min(len(groups), self.draw.randint(0, 2)))
        aggregates = ["count(*)"]
        for _ in range(self.draw.randint(0, 2)):
            seen = self.draw.choice(scope.columns)
            options = [f"count({seen.text})", f"array_agg({seen.text} ORDER BY {', '.join(scope.keys)})"]
            if seen.column.search in ("equality", "order", "plain"):
                options.append(f"count(DISTINCT {seen.text})")
            if seen.column.search == "order" and seen.column.type not in ("boolean", "uuid"):
                options += [f"min({seen.text})", f"max({seen.text})"] * 2
            chosen_aggregate = self.draw.choice(options)
            if self.draw.random() < 0.2:
                chosen_aggregate += f" FILTER (WHERE {self.condition(scope, 1)})"
            aggregates.append(chosen_aggregate)
        listed = ", ".join([seen.text for seen in chosen])
        items = Part(
            [
                listed + (", " if listed else ""),
                aggregates[0],
                *(Part([f", {a}"], droppable=True) for a in aggregates[1:]),
            ]
        )
        having = Part([" HAVING count(*) > 1"], droppable=True) if self.draw.random() < 0.2 else Part([])
        if not listed:
            return Part(["SELECT ", items, source, where, having])
        form = self.draw.choice((listed, listed, f"ROLLUP ({listed})", f"GROUPING SETS (({listed}), ())"))
        return Part(["SELECT ", items, source, where, f" GROUP BY {form}", having])

    def _with(self) -> Part:
        table = self.draw.choice(self.world.tables)
        inner = self._scope_of(table, "i")
        name = self._name("q")
        shown = [seen for seen in inner.columns if self.draw.random() < 0.8 or seen.column.name in ("id", "e")]
        hint = self.draw.choice(("", "MATERIALIZED ", "NOT MATERIALIZED "))
        body = (
            f"SELECT {', '.join(seen.text for seen in shown)} FROM {table.qualified} i WHERE {self.condition(inner, 1)}"
        )
        scope = Scope([Seen(f"{name}.{seen.column.name}", seen.column) for seen in shown], [f"{name}.id"])
        items = self._items(scope, self.draw.randint(1, 3))
        return Part(
            [f"WITH {name} AS {hint}({body}) SELECT ", items, f" FROM {name}", self._where(scope), self._order(scope)]
        )

    def set_operation(self) -> Part:
        """Two or three branches with the same kinds of columns."""
        table = self.draw.choice(self.world.tables)
        pattern = self.draw.sample(table.columns, min(len(table.columns), self.draw.randint(1, 3)))
        distinct = all(column.search != "none" for column in pattern)
        pieces: list[str | Part] = []
        for number in range(self.draw.randint(2, 3)):
            alias = self._name("u")
            candidates = [t for t in self.world.tables if all(self._alike(t, c) for c in pattern)]
            chosen = self.draw.choice(candidates)
            scope = self._scope_of(chosen, alias)
            items = []
            for column in pattern:
                alike = [s for s in scope.columns if s.column.domain == column.domain and s.column.type == column.type]
                # The first branch has columns only: a literal that meets nothing but literals is plain, and no secret.
                is_column = number == 0 or self.draw.random() < 0.93
                items.append(self.draw.choice(alike).text if is_column else self._stored(column))
            word = self.draw.choice(("UNION", "UNION ALL", "INTERSECT", "EXCEPT") if distinct else ("UNION ALL",))
            where = self._where(scope)
            branch = Part([f"SELECT {', '.join(items)} FROM {chosen.qualified} {alias}", where])
            pieces.append(Part([f" {word} ", branch], droppable=True) if number else branch)
        return Part(pieces)

    def _alike(self, table: Table, column: Column) -> bool:
        return any(c.domain == column.domain and c.type == column.type for c in table.columns)

    # -- data changes ----------------------------------------------------------------------------------------------

    def _returning(self, scope: Scope) -> Part:
        if self.draw.random() < 0.3:
            return Part([])
        keyless = Scope(scope.columns)  # no window functions here
        items = Part(["*"]) if self.draw.random() < 0.3 else self._items(keyless, 2)
        return Part([" RETURNING ", items], droppable=True)

    def insert(self) -> Part:
        table = self.draw.choice(self.world.tables)
        columns = [table.columns[0], *(c for c in table.columns[1:] if self.draw.random() < 0.8)]
        rows: list[str | Part] = []
        for number in range(self.draw.randint(1, 3)):
            values = [str(900 + number), *(self._stored(column) for column in columns[1:])]
            rows.append(Part([f"{', ' if number else ''}({', '.join(values)})"], droppable=number > 0))
        conflict = ""
        if self.draw.random() < 0.3:
            target = self.draw.choice(columns[1:]).name if len(columns) > 1 else "k"
            conflict = self.draw.choice((
                " ON CONFLICT DO NOTHING",
                f" ON CONFLICT (id) DO UPDATE SET {target} = excluded.{target}",
                f" ON CONFLICT (id) DO UPDATE SET {target} = t.{target} WHERE t.k = excluded.k",
            ))  # fmt: skip
        scope = Scope([Seen(f"t.{c.name}", c) for c in table.columns], [])
        head = f"INSERT INTO {table.qualified} AS t ({', '.join(c.name for c in columns)}) VALUES "
        return Part([head, *rows, Part([conflict], droppable=True), self._returning(scope)])

    def insert_select(self) -> Part:
        table = self.draw.choice(self.world.tables)
        origin = self.draw.choice([t for t in self.world.tables if any(self._alike(t, c) for c in table.columns)])
        pairs = [
            (c, s) for c in table.columns[1:] for s in origin.columns
            if s.domain == c.domain and (s.type == c.type) and s.name != "id"
        ]  # fmt: skip
        chosen = {c.name: (c, s) for c, s in self.draw.sample(pairs, len(pairs))}
        names = ", ".join(["id", *chosen])
        values = ", ".join(["i.id + 900", *(f"i.{s.name}" for _, s in chosen.values())])
        inner = self._scope_of(origin, "i")
        scope = Scope([Seen(f"t.{c.name}", c) for c in table.columns], [])
        select = f"SELECT {values} FROM {origin.qualified} i"
        return Part(
            [f"INSERT INTO {table.qualified} AS t ({names}) ", select, self._where(inner), self._returning(scope)]
        )

    def _assignments(self, table: Table, other: Table | None) -> Part:
        settable = [c for c in table.columns if c.name != "id" and c.name != table.unique]
        chosen = self.draw.sample(settable, self.draw.randint(1, min(2, len(settable))))
        pieces: list[str | Part] = []
        scope = self._scope_of(table, "t")
        for number, column in enumerate(chosen):
            value = self._stored(column)
            roll = self.draw.random()
            alike = [c for c in (other.columns if other else ()) if c.domain == column.domain and c.type == column.type]
            if alike and roll < 0.5:
                value = f"f.{self.draw.choice(alike).name}"
            elif roll < 0.6:
                value = f"CASE WHEN {self.condition(scope, 1)} THEN {value} ELSE t.{column.name} END"
            elif roll < 0.7:
                value = f"coalesce(t.{column.name}, {value})"
            elif roll < 0.75:
                value = "DEFAULT"
            pieces.append(Part([f"{', ' if number else ''}{column.name} = {value}"], droppable=number > 0))
        return Part(pieces)

    def update(self) -> Part:
        table = self.draw.choice(self.world.tables)
        scope = self._scope_of(table, "t")
        if self.draw.random() < 0.6:
            return Part(
                [
                    f"UPDATE {table.qualified} AS t SET ",
                    self._assignments(table, None),
                    self._where(scope),
                    self._returning(scope),
                ]
            )
        other = self.draw.choice([t for t in self.world.tables if t is not table])
        both = Scope(scope.columns + [Seen(f"f.{c.name}", c) for c in other.columns], [])
        return Part([
            f"UPDATE {table.qualified} AS t SET ", self._assignments(table, other),
            f" FROM {other.qualified} f WHERE f.id = t.id", Part([f" AND {self.condition(both)}"], droppable=True),
            self._returning(both),
        ])  # fmt: skip

    def delete(self) -> Part:
        table = self.draw.choice(self.world.tables)
        scope = self._scope_of(table, "t")
        if self.draw.random() < 0.6:
            return Part([f"DELETE FROM {table.qualified} AS t", self._where(scope), self._returning(scope)])
        other = self.draw.choice([t for t in self.world.tables if t is not table])
        both = Scope(scope.columns + [Seen(f"f.{c.name}", c) for c in other.columns], [])
        link = self.draw.choice(("f.e = t.e AND f.id = t.id", "f.id = t.id"))
        return Part([
            f"DELETE FROM {table.qualified} AS t USING {other.qualified} f WHERE {link}",
            Part([f" AND {self.condition(both)}"], droppable=True), self._returning(both),
        ])  # fmt: skip

    def merge(self) -> Part:
        table = self.draw.choice(self.world.tables)
        other = self.draw.choice([t for t in self.world.tables if t is not table])
        both = Scope([Seen(f"{a}.{c.name}", c) for a, t in (("t", table), ("f", other)) for c in t.columns], [])
        alike = [c.name for c in table.columns[2:] if c.name != table.unique and any(o == c for o in other.columns)]
        column = self.draw.choice(alike) if alike else "k"
        name, value = (column, f"f.{column}") if column != "k" else ("e", "NULL")
        matched = self.draw.choice((f"UPDATE SET {column} = f.{column}", "DELETE", "DO NOTHING"))
        return Part([
            f"MERGE INTO {table.qualified} AS t USING {other.qualified} f ON t.id = f.id",
            Part([f" AND {self.condition(both, 1)}"], droppable=True), " WHEN MATCHED",
            Part([f" AND {self.condition(both, 1)}"], droppable=True), f" THEN {matched}",
            Part([f" WHEN NOT MATCHED THEN INSERT (id, k, {name}) VALUES (f.id + 900, f.k, {value})"], droppable=True),
        ])  # fmt: skip


def _both_sealed_text(one: Column, other: Column) -> bool:
    return one.sealed and one.is_text and other.sealed and other.is_text
