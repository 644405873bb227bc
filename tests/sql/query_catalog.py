"""A small shop as a hand-built catalog and policy, and a way to read what the analysis made of a statement."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType

from pglast import ast, parse_sql
from pglast.stream import RawStream

from proxy.config import DatabasePolicy, Scheme, SealedColumn
from proxy.pgtypes import parse_type
from proxy.sql.catalog import Catalog, Relation, SearchPath
from proxy.sql.context import Context
from proxy.sql.plan import LiteralSlot, Opening, Sealing, ServerParam
from proxy.sql.queries import analyse_change, analyse_query, openings

SEALED_OID = 90_000

# table -> columns; a column is (name, type) or (name, type, search, domain)
TABLES: dict[str, list[tuple[str, ...]]] = {
    "customers": [
        ("id", "integer"),
        ("name", "text"),
        ("email", "text", "equality"),
        ("phone", "varchar(24)", "equality", "join:phones"),
        ("born", "date", "order"),
        ("notes", "text", "none"),
        ("balance", "numeric(12,2)", "order"),
        ("nick", "text", "order"),
        ("active", "boolean", "equality"),
        ("code", "char(4)", "equality"),
        ("points", "bigint", "equality"),
    ],
    "contacts": [
        ("id", "integer"),
        ("customer_id", "integer"),
        ("phone", "varchar(24)", "equality", "join:phones"),
        ("email", "text", "equality"),
        ("label", "varchar(10)"),
        ("mobile", "text", "equality", "join:phones"),
    ],
    "orders": [("id", "integer"), ("customer_id", "integer"), ("total", "numeric(10,2)"), ("placed", "date")],
    "plain_mail": [("id", "integer"), ("email", "text")],
    "raw": [("id", "integer"), ("secret", "text", "unsealed")],
    "later": [("id", "integer"), ("secret", "text", "pending")],
}
VIEWS: dict[str, tuple[str, list[str]]] = {
    "people": (" SELECT id AS nr,\n    email AS mail,\n    born\n   FROM customers;", ["nr", "mail", "born"]),
    "elders": (" SELECT nr,\n    mail\n   FROM people\n  WHERE (nr > 3);", ["nr", "mail"]),
    "filtered": (
        """ SELECT COALESCE((email)::bytea, '\\xe1'::bytea) AS email,
    id
   FROM customers
  WHERE ((email)::bytea = ANY (ARRAY['\\xe1'::bytea, '\\xe2'::bytea]));""",
        ["email", "id"],
    ),
    "totals": (
        " SELECT customer_id,\n    sum(total) AS total\n   FROM orders\n  GROUP BY customer_id;",
        ["customer_id", "total"],
    ),
    "broken": (" SELECT length((email)::bytea) AS size\n   FROM customers;", ["size"]),
}
_SCHEME = {"none": Scheme.RANDOM, "equality": Scheme.EQUALITY, "order": Scheme.ORDER}


def build(version: int = 180001) -> tuple[Catalog, DatabasePolicy]:
    relations: list[list[object]] = []
    policy: dict[tuple[str, str], dict[str, SealedColumn]] = {}
    for oid, (table, columns) in enumerate(TABLES.items(), 1000):
        rows = []
        for number, (name, spelling, *rest) in enumerate(columns, 1):
            kind = parse_type(spelling)
            physical = (kind.oid, kind.typmod)
            if rest:
                scheme = _SCHEME.get(rest[0], Scheme.EQUALITY)
                domain = rest[1] if len(rest) > 1 else f"public.{table}.{name}"
                column = SealedColumn(
                    "shop", "public", table, name, kind, scheme, domain,
                    max_length=32 if spelling == "text" and scheme is Scheme.ORDER else None,
                    pending=rest[0] == "pending",
                )  # fmt: skip
                policy.setdefault(("public", table), {})[name] = column
                if rest[0] in _SCHEME:
                    physical = (SEALED_OID, -1)
            base = (17, -1) if physical[0] == SEALED_OID else physical
            rows.append([name, number, *physical, *base, False, False, "", "", "x"])
        relations.append([oid, "public", table, "r", "p", None, None, rows])
    for oid, (view, (definition, names)) in enumerate(VIEWS.items(), 2000):
        rows = [[name, at, 17, -1, 17, -1, False, False, "", "", "bytea"] for at, name in enumerate(names, 1)]
        relations.append([oid, "public", view, "v", "p", definition, None, rows])
    document = {"version": version, "sealed": SEALED_OID, "schemas": ["public"], "relations": relations}
    tables = {key: MappingProxyType(columns) for key, columns in policy.items()}
    return Catalog(document, {}), DatabasePolicy("shop", MappingProxyType(tables))


CATALOG, POLICY = build()
PATH = SearchPath()


def relation(name: str) -> Relation:
    return CATALOG.by_name["public", name]


@dataclass
class Analysed:
    """`sql`: the printed tree, each sealed literal as {column use source 'text'}; None where nothing was edited."""

    sql: str | None
    literals: list[LiteralSlot]
    params: tuple[ServerParam, ...] | None
    results: tuple[Opening | None, ...] | None
    tree: str
    context: Context


def spell(sealing: Sealing, text: str) -> str:
    kinds = "::".join(str(kind) for kind in (sealing.source, *sealing.casts) if kind is not None)
    array = "[]" if sealing.is_array else ""
    cast = f"::{kinds}" if kinds else ""
    return f"{{{sealing.column.table}.{sealing.column.column}{array} {sealing.use.value} {text}{cast}}}"


def analyse(text: str, param_types: tuple[int, ...] = (), catalog: Catalog = CATALOG) -> Analysed:
    context = Context(text, catalog, PATH, POLICY, param_types)
    statement = parse_sql(text)[0].stmt
    assert statement is not None
    run = analyse_query if isinstance(statement, ast.SelectStmt) else analyse_change
    columns = run(context, statement)
    results = openings(columns)
    params = context.finish()
    tree = RawStream()(statement)
    shown = tree
    for index, slot in enumerate(context.literals):
        marked = f"CAST('{context.marker(index)}' AS pg_catalog.bytea)"
        assert shown.count(marked) == 1, (shown, marked)
        shown = shown.replace(marked, spell(slot.sealing, repr(slot.text)))
    assert not re.search(r"sealwire:[0-9a-f]{32}", shown)
    return Analysed(shown if context.edited else None, context.literals, params, results, tree, context)


def opened(text: str, param_types: tuple[int, ...] = ()) -> list[str | None] | None:
    """`table.column as type` of each result column that is opened."""
    results = analyse(text, param_types).results
    if results is None:
        return None
    return [f"{r.column.table}.{r.column.column} as {r.type}" if r is not None else None for r in results]
