"""Operators, patterns, casts, conditions, functions, aggregates and windows."""

from __future__ import annotations

from typing import Final

from tests.mutation.mutant import Mutant

_O: Final = "sql/operators.py"
_T: Final = "sql/terms.py"
_F: Final = "sql/calls.py"

EXPRESSIONS: Final[tuple[Mutant, ...]] = (
    # Operators.
    Mutant(
        "an operator of another schema is not PostgreSQL's own",
        _O,
        '    return names[-1] if len(names) == 1 or names[0] == "pg_catalog" else ".".join(names)',
        "    return names[-1]",
        "edges_sessions/operator",
    ),
    Mutant(
        "nullif returns its first argument",
        _O,
        "    if isinstance(right, Sealed) and not isinstance(left, Sealed):",
        "    if False:",
        "edges/mixed",
    ),
    Mutant(
        "nullif converts its first argument",
        _O,
        "        if kind.family is not left.type.family:",
        "        if False:",
        "edges/mixed",
    ),
    Mutant(
        "a row compares with a subquery's columns",
        _O,
        "        compare(ctx, operator, left, Row(tuple(columns)), position)\n        return Plain(BOOLEAN)\n    right = ",
        "        return Plain(BOOLEAN)\n    right = ",
        "edges/rows",
    ),
    Mutant(
        "untyped parameters of IN take the common type",
        _O,
        "                leaf.source = common\n    compare_each",
        "                pass\n    compare_each",
        "edges/parameters",
    ),
    Mutant(
        "a literal before IN is sealed once",
        _O,
        "    if isinstance(left, Open) and base is not None:",
        "    if False:",
        "edges/corner",
    ),
    # Patterns.
    Mutant(
        "LIKE 'x%' needs order",
        _O,
        "    if column.scheme < Scheme.ORDER:\n        raise refusals.needs(column, Scheme.ORDER, doing, position)\n    low",
        "    low",
        "equality",
    ),
    Mutant(
        "LIKE without wildcards needs equality",
        _O,
        "    if not is_open:\n        if column.scheme < Scheme.EQUALITY:",
        "    if not is_open:\n        if False:",
        "edges/carry",
    ),
    Mutant(
        "ILIKE is not LIKE",
        _O,
        '    is_like = _operator(node) in ("~~", "!~~")\n',
        "    is_like = True\n",
        "order equality",
    ),
    Mutant(
        "NOT LIKE lies outside of the range",
        _O,
        "    joined = enums.BoolExprType.OR_EXPR if negated else enums.BoolExprType.AND_EXPR\n"
        "    ctx.replace(slot, ast.BoolExpr(boolop=joined, args=(low, high)))\n"
        "    return Plain(BOOLEAN)\n\n\ndef _patterns",
        "    joined = enums.BoolExprType.AND_EXPR\n"
        "    ctx.replace(slot, ast.BoolExpr(boolop=joined, args=(low, high)))\n"
        "    return Plain(BOOLEAN)\n\n\ndef _patterns",
        "order/patterns",
    ),
    Mutant(
        "_ is a wildcard",
        "sql/patterns.py",
        '        elif character == "_":\n            return None\n',
        "",
        "order",
    ),
    Mutant(
        "% is a prefix at the end only",
        "sql/patterns.py",
        '            return ("".join(text), True) if not pattern[index:].strip("%") else None',
        '            return ("".join(text), True)',
        "order",
    ),
    Mutant(
        "an escaped wildcard is a character",
        "sql/patterns.py",
        "        if escape and character == escape:",
        "        if False:",
        "order/patterns",
    ),
    Mutant(
        "a pattern that is a parameter is looked at when it comes",
        "session/values.py",
        "        if found is None or (found[1] and sealing.use is Use.LIKE):",
        "        if found is None:",
        "equality",
    ),
    # Casts and conditions.
    Mutant(
        "no cast leads out of the family",
        _T,
        "        or target.family is not flow.type.family\n",
        "",
        "equality order",
    ),
    Mutant(
        "no cast cuts or rounds a sealed value",
        _T,
        "        or not keeps(flow.type, target)\n",
        "",
        "order",
    ),
    Mutant(
        "a sealed boolean is compared with true",
        _T,
        '        ctx.replace(slot, comparison(slot.get(), "=", truth))\n        return',
        "        return",
        "equality/booleans",
    ),
    Mutant(
        "the values of CASE x WHEN meet x",
        _T,
        '            compare(ctx, "=", subject, expression(ctx, Slot(branch, "expr"), scope), position)',
        '            expression(ctx, Slot(branch, "expr"), scope)',
        "equality/case",
    ),
    Mutant(
        "the conditions of CASE are analysed",
        _T,
        '            condition(ctx, Slot(branch, "expr"), scope)',
        "            pass",
        "equality/case",
    ),
    Mutant(
        "greatest and least need order",
        "sql/minmax.py",
        '    require(ctx, flow, Scheme.ORDER, f"compared by {name}", position)\n    return flow',
        "    return flow",
        "equality",
    ),
    Mutant(
        "of equal values GREATEST shows the first",
        "sql/minmax.py",
        'wins + "=" * columns_first',
        'wins + "=" * (not columns_first)',
        "order/greatest applications",
    ),
    Mutant(
        "GREATEST passes over a parameter that is NULL",
        "sql/minmax.py",
        "    if leaf.kind is not Kind.PARAM:\n        return test",
        "    return test",
        "order/greatest edges/parameters",
    ),
    Mutant(
        "LIKE ANY needs one of its patterns",
        _O,
        "    joined = ast.BoolExpr(boolop=enums.BoolExprType.OR_EXPR if any_ else",
        "    joined = ast.BoolExpr(boolop=enums.BoolExprType.AND_EXPR if any_ else",
        "order/patterns",
    ),
    Mutant(
        "no collation sorts a sealed value",
        _T,
        "    if names[-1] in _BYTEWISE and names[:-1] in",
        "    if names[:-1] in",
        "edges_sessions/another_collation",
    ),
    Mutant(
        "a sealed array has no elements",
        _T,
        "        if isinstance(flow, Sealed) and flow.is_array and isinstance(step, ast.A_Indices)",
        "        if isinstance(flow, Sealed) and isinstance(step, ast.A_Indices)",
        "equality",
    ),
    Mutant(
        "subscripts are analysed",
        _T,
        '        if isinstance(step, ast.A_Indices):\n            children(ctx, step, scope, "used as a subscript")\n',
        "        pass\n",
        "edges/corner",
    ),
    Mutant(
        "IN (SELECT ...) compares",
        _T,
        "        _compare_columns(ctx, node, left, columns, position)\n",
        "",
        "equality queries/in,",
    ),
    Mutant(
        "a subquery's value is no column of a table",
        _T,
        "    flow = _computed(current(columns[0][1], position))",
        "    flow = current(columns[0][1], position)",
        "queries/scalar",
    ),
    Mutant(
        "numbers have the type that their size gives them",
        _T,
        "    kind = INTEGER if whole in _INT4 else BIGINT if whole in _INT8 else NUMERIC",
        "    kind = BIGINT",
        "types literals order",
    ),
    Mutant(
        "what is not known takes plain values only",
        "sql/dispatch.py",
        '        use_as_plain(ctx, expression(ctx, slot, scope), doing, ctx.position(getattr(value, "location", None)))',
        "        expression(ctx, slot, scope)",
        "queries/aggregates",
    ),
    # Functions, aggregates, windows.
    Mutant(
        "count(DISTINCT x) needs equality",
        _F,
        "            require(ctx, call.args[0], Scheme.EQUALITY, 'counted with \"DISTINCT\"', call.position)",
        "            pass",
        "equality",
    ),
    Mutant(
        "array_agg(DISTINCT x) sorts",
        _F,
        "            if first.column.scheme < Scheme.ORDER:",
        "            if False:",
        "queries/aggregates",
    ),
    Mutant(
        "min and max need order",
        _F,
        '    require(ctx, first, Scheme.ORDER, f"used with {name}()", call.position)',
        "    pass",
        "equality",
    ),
    Mutant(
        "lag's default stands beside the values",
        _F,
        "    flow = unify(ctx, [first, call.args[2]], call.name.upper(), doing, call.position)",
        "    flow = first",
        "queries/window",
    ),
    Mutant(
        "percentile_disc needs order",
        _F,
        '    wanted = Scheme.EQUALITY if call.name == "mode" else Scheme.ORDER',
        "    wanted = Scheme.EQUALITY",
        "edges/carry",
    ),
    Mutant(
        "mode needs equality",
        _F,
        '    wanted = Scheme.EQUALITY if call.name == "mode" else Scheme.ORDER',
        '    wanted = Scheme.RANDOM if call.name == "mode" else Scheme.ORDER',
        "edges/carry",
    ),
    Mutant(
        "ORDER BY in an aggregate needs order",
        _F,
        "            require(ctx, flow, Scheme.ORDER, doing, position or ctx.position(sort.location))",
        "            pass",
        "queries/aggregates",
    ),
    Mutant(
        "FILTER is analysed",
        _F,
        '    if node.agg_filter is not None:\n        condition(ctx, Slot(node, "agg_filter"), scope)\n',
        "",
        "queries/aggregates",
    ),
    Mutant(
        "OVER is analysed",
        _F,
        "    if node.over is not None:\n        window(ctx, node.over, scope)\n",
        "",
        "queries/window equality",
    ),
    Mutant(
        "PARTITION BY needs equality",
        _F,
        '        require(ctx, flow, Scheme.EQUALITY, "used in PARTITION BY", position)',
        "        pass",
        "edges/carry",
    ),
    Mutant(
        "ORDER BY in a window needs order",
        _F,
        '        require(ctx, flow, Scheme.ORDER, "sorted in a window", position)\n',
        "",
        "queries/window",
    ),
    Mutant(
        "RANGE with an offset computes",
        _F,
        "        if is_range and offsets and isinstance(flow, Sealed):",
        "        if False:",
        "order",
    ),
    Mutant(
        "ORDER BY USING takes comparison operators",
        _F,
        "    if sort.useOp and sort.useOp[-1].sval not in OPERATORS:",
        "    if False:",
        "edges/spellings",
    ),
    Mutant(
        "VARIADIC spreads no sealed array",
        _F,
        "    if is_builtin and not node.func_variadic:",
        "    if is_builtin:",
        "edges/rows",
    ),
)
