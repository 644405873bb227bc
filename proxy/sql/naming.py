"""The name that PostgreSQL gives to a result column without AS: FigureColname in src/backend/parser/parse_target.c.

Where sealing edits an expression so that this name would change (a constant becomes a cast), the old name is written
as an alias.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pglast import ast, enums

NAMELESS: Final = "?column?"
_SURE: Final = 2  # the name may not be replaced by that of an enclosing cast
_WEAK: Final = 1

_FIXED: Final[dict[type, tuple[str, int]]] = {
    ast.A_ArrayExpr: ("array", _SURE),
    ast.RowExpr: ("row", _SURE),
    ast.CoalesceExpr: ("coalesce", _SURE),
    ast.GroupingFunc: ("grouping", _SURE),
    ast.MergeSupportFunc: ("merge_action", _SURE),
    ast.XmlSerialize: ("xmlserialize", _SURE),
    ast.JsonParseExpr: ("json", _SURE),
    ast.JsonScalarExpr: ("json_scalar", _SURE),
    ast.JsonSerializeExpr: ("json_serialize", _SURE),
    ast.JsonObjectConstructor: ("json_object", _SURE),
    ast.JsonArrayConstructor: ("json_array", _SURE),
    ast.JsonArrayQueryConstructor: ("json_array", _SURE),
    ast.JsonObjectAgg: ("json_objectagg", _SURE),
    ast.JsonArrayAgg: ("json_arrayagg", _SURE),
}
_JSON: Final = {
    enums.JsonExprOp.JSON_EXISTS_OP: "json_exists",
    enums.JsonExprOp.JSON_QUERY_OP: "json_query",
    enums.JsonExprOp.JSON_VALUE_OP: "json_value",
}
_XML: Final = {
    enums.XmlExprOp.IS_XMLCONCAT: "xmlconcat",
    enums.XmlExprOp.IS_XMLELEMENT: "xmlelement",
    enums.XmlExprOp.IS_XMLFOREST: "xmlforest",
    enums.XmlExprOp.IS_XMLPARSE: "xmlparse",
    enums.XmlExprOp.IS_XMLPI: "xmlpi",
    enums.XmlExprOp.IS_XMLROOT: "xmlroot",
    enums.XmlExprOp.IS_XMLSERIALIZE: "xmlserialize",
}


def column_name(node: Any, subqueries: Mapping[int, str]) -> str:
    """`subqueries`: id() of a scalar SubLink -> the name of its column."""
    return _figure(node, subqueries)[0] or NAMELESS


def _figure(node: Any, subqueries: Mapping[int, str]) -> tuple[str | None, int]:
    kind = type(node)
    if kind is ast.ColumnRef:
        names = [part.sval for part in node.fields if isinstance(part, ast.String)]
        return (names[-1], _SURE) if names else (None, 0)
    if kind is ast.FuncCall:
        return node.funcname[-1].sval, _SURE
    if kind is ast.TypeCast:
        name, strength = _figure(node.arg, subqueries)
        return (name, strength) if strength > _WEAK else (node.typeName.names[-1].sval, _WEAK)
    if (fixed := _FIXED.get(kind)) is not None:
        return fixed
    if kind is ast.A_Expr:
        return ("nullif", _SURE) if node.kind == enums.A_Expr_Kind.AEXPR_NULLIF else (None, 0)
    if kind is ast.CollateClause:
        return _figure(node.arg, subqueries)
    if kind is ast.A_Indirection:
        names = [part.sval for part in node.indirection if isinstance(part, ast.String)]
        return (names[-1], _SURE) if names else _figure(node.arg, subqueries)
    if kind is ast.CaseExpr:
        name, strength = _figure(node.defresult, subqueries)
        return (name, strength) if strength > _WEAK else ("case", _WEAK)
    if kind is ast.MinMaxExpr:
        return ("greatest" if node.op == enums.MinMaxOp.IS_GREATEST else "least"), _SURE
    if kind is ast.SubLink:
        return _sublink(node, subqueries)
    if kind is ast.SQLValueFunction:
        name = enums.SQLValueFunctionOp(node.op).name.removeprefix("SVFOP_").lower()
        return name.removesuffix("_n"), _SURE
    if kind is ast.XmlExpr:
        return (_XML[node.op], _SURE) if node.op in _XML else (None, 0)
    if kind is ast.JsonFuncExpr:
        return (_JSON[node.op], _SURE) if node.op in _JSON else (None, 0)
    return None, 0


def _sublink(node: ast.SubLink, subqueries: Mapping[int, str]) -> tuple[str | None, int]:
    if node.subLinkType == enums.SubLinkType.EXISTS_SUBLINK:
        return "exists", _SURE
    if node.subLinkType == enums.SubLinkType.ARRAY_SUBLINK:
        return "array", _SURE
    if node.subLinkType == enums.SubLinkType.EXPR_SUBLINK and (name := subqueries.get(id(node))) is not None:
        return name, _SURE
    return None, 0


def quote_ident(name: str) -> str:
    """A name as SQL text that means it whatever its letters are."""
    return '"' + name.replace('"', '""') + '"'
