"""Clauses and names: SELECT, FROM, WITH, views, what a statement mentions, the catalog and the search_path."""

from __future__ import annotations

from typing import Final

from tests.mutation.mutant import Mutant

_S: Final = "sql/select.py"
_FROM: Final = "sql/sources.py"
_N: Final = "sql/scopes.py"
_V: Final = "sql/survey.py"

SCOPES: Final[tuple[Mutant, ...]] = (
    # SELECT.
    Mutant(
        "WHERE is analysed",
        _S,
        '        condition(ctx, Slot(statement, "whereClause"), scope)\n    if statement.havingClause',
        "        pass\n    if statement.havingClause",
        "equality",
    ),
    Mutant(
        "HAVING is analysed",
        _S,
        '        condition(ctx, Slot(statement, "havingClause"), scope)',
        "        pass",
        "queries/group",
    ),
    Mutant(
        "ORDER BY needs order",
        _S,
        '        require(ctx, flow, Scheme.ORDER, "sorted", position)',
        "        pass",
        "equality",
    ),
    Mutant(
        "ORDER BY 1 means a column",
        _S,
        "    return _numbered(ctx, node, columns, clause) or expression(ctx, slot, scope)",
        "    return expression(ctx, slot, scope)",
        "equality",
    ),
    Mutant(
        "ORDER BY means an output column first",
        _S,
        "            if found:\n                return found[0]\n    return _numbered",
        "    return _numbered",
        "equality order queries",
    ),
    Mutant(
        "GROUP BY needs equality",
        _S,
        '    require(ctx, flow, Scheme.EQUALITY, "used in GROUP BY", position)',
        "    pass",
        "equality",
    ),
    Mutant(
        "GROUP BY means an input column first",
        _S,
        "        flow = scope.column(name, position)\n        if flow is None:\n            found = [output",
        "        flow = None\n        if flow is None:\n            found = [output",
        "edges/mixed",
    ),
    Mutant(
        "DISTINCT needs equality",
        _S,
        '                require(ctx, flow, Scheme.EQUALITY, "used with DISTINCT", position)',
        "                pass",
        "equality",
    ),
    Mutant(
        "DISTINCT ON needs equality",
        _S,
        '                require(ctx, flow, Scheme.EQUALITY, "used in DISTINCT ON", position)',
        "                pass",
        "edges/carry",
    ),
    Mutant(
        "UNION needs equality",
        _S,
        "        if not statement.all:\n",
        "        if False:\n",
        "equality queries/set",
    ),
    Mutant(
        "named windows are analysed",
        _S,
        "        calls.window(ctx, definition, scope)",
        "        pass",
        "edges/carry",
    ),
    Mutant(
        "LIMIT takes plain values only",
        _S,
        '            plain(ctx, Slot(statement, name), scope, "used in LIMIT or OFFSET", where)',
        "            pass",
        "order queries/limit",
    ),
    Mutant(
        "the recursive arm gives the first one's type",
        _S,
        "            _widen(ctx, statement.larg, len(columns), len(left))",
        "            pass",
        "edges/with",
    ),
    # FROM.
    Mutant(
        "the name of a WITH query hides a table",
        _FROM,
        "    if not node.schemaname and (cte := scope.cte(name)) is not None:",
        "    if not node.schemaname and (cte := scope.cte(name)) is not None and ctx.resolve(None, name) is None:",
        "edges/with",
    ),
    Mutant(
        "an alias renames columns by their place",
        _FROM,
        "    under_alias: Columns = [(new, flow) for new, (_, flow) in zip(names, columns, strict=False)]",
        "    under_alias: Columns = [(new, flow) for new, (_, flow) in zip(names, reversed(columns), strict=False)]",
        "queries/aliases",
    ),
    Mutant(
        "columns of USING compare",
        _FROM,
        '    compare(ctx, "=", pair[0], pair[1], None)\n',
        "",
        "queries/using",
    ),
    Mutant(
        "NATURAL joins by all columns in common",
        _FROM,
        "            names = [name for name, _ in left.expand() if name in present]",
        "            names = [name for name, _ in left.expand() if name in present][1:]",
        "queries/using",
    ),
    Mutant(
        "USING in a RIGHT JOIN shows the right side",
        _FROM,
        "        kept = second if node.jointype == enums.JoinType.JOIN_RIGHT else first",
        "        kept = first",
        "edges/mixed",
    ),
    Mutant(
        "USING in a FULL JOIN shows a computed value",
        _FROM,
        "        if node.jointype in _OUTER:",
        "        if False:",
        "queries/using",
    ),
    Mutant(
        "ON is analysed",
        _FROM,
        '        condition(ctx, Slot(node, "quals"), level)',
        "        pass",
        "edges/corner",
    ),
    Mutant(
        "functions in FROM take plain values only",
        _FROM,
        '        plain(ctx, Slot(node, "functions", index, 0), scope, "passed to a function in FROM")\n',
        "",
        "edges/corner edges/functions",
    ),
    Mutant(
        "XMLTABLE and JSON_TABLE take plain values only",
        _FROM,
        '    children(ctx, node, scope, "used in XMLTABLE or JSON_TABLE")\n',
        "",
        "edges/functions",
    ),
    Mutant(
        "merged columns stand once under *",
        _N,
        "            columns.extend((name, flow) for name, flow in side.expand() if name not in merged)",
        "            columns.extend((name, flow) for name, flow in side.expand())",
        "queries/using",
    ),
    Mutant(
        "a child table has its parent's sealed columns",
        _N,
        "    return any((parent := ctx.catalog.by_oid.get(oid)) and is_policied(ctx, parent) for oid in relation.parents)",
        "    return False",
        "naming/inheritance naming/partitioned",
    ),
    Mutant(
        "a lateral subquery sees what stands before it",
        _FROM,
        "    before, scope.is_lateral = scope.is_lateral, bool(node.lateral)",
        "    before, scope.is_lateral = scope.is_lateral, False",
        "queries/lateral",
    ),
    # WITH.
    Mutant(
        "a recursive query has the columns of its first arm",
        "sql/ctes.py",
        "        cte.columns = _finished(ctx, node, columns, None)\n\n",
        "        cte.columns = [(name, PLAIN) for name, _ in columns]\n\n",
        "queries/recursive",
    ),
    Mutant(
        "SEARCH and CYCLE compare no sealed column",
        "sql/ctes.py",
        "                if name == part.sval and isinstance(flow, Sealed):",
        "                if False:",
        "edges/with",
    ),
    Mutant(
        "untyped literals of a closed query are text",
        "sql/flow.py",
        "        resolve_unknown(flow, TEXT)\n        return replace(flow, type=flow.type or TEXT",
        "        return replace(flow, type=flow.type",
        "edges/twice",
    ),
    # Views.
    Mutant(
        "a view shows its tables' sealed columns",
        "sql/views.py",
        "            flow = Sealed(flow.column, flow.type, (view.oid, attribute.number))",
        "            flow = Plain(attribute.type)",
        "naming/views",
    ),
    Mutant(
        "constants of a view are sealed already",
        "sql/views.py",
        "    stored.is_stored = True\n",
        "",
        "schema/view",
    ),
    Mutant(
        "a view's names were resolved when it was made",
        "sql/context.py",
        "        if self.view is None:\n            return self.catalog.resolve(schema, name, self.path)\n",
        "        return self.catalog.resolve(schema, name, self.path)\n",
        "edges_sessions/view_under",
    ),
    # What a statement mentions.
    Mutant(
        "a change's target is never a WITH query",
        _V,
        "                    pending.append((child, _NO_NAMES if is_target else inner))",
        "                    pending.append((child, inner))",
        "edges/with",
    ),
    Mutant(
        "a WITH query is no mention of a table",
        _V,
        "            if item.catalogname is None and item.schemaname is None and item.relname in ctes:\n                continue\n",
        "",
        "queries/ctes",
    ),
    Mutant(
        "a WITH query does not see itself",
        _V,
        "        pending.append((cte.ctequery, everyone if clause.recursive else seen))",
        "        pending.append((cte.ctequery, everyone))",
        "edges/with",
    ),
    Mutant(
        "row types are mentions",
        _V,
        "                    found.row_types.append((item, relation))",
        "                    pass",
        "edges/rows edges_sessions/in_a",
    ),
    Mutant(
        "views over sealed tables carry sealed columns",
        _V,
        "            return any((other := self.catalog.by_oid.get(oid)) and self.carries(other) for oid in relation.depends)",
        "            return False",
        "edges_sessions/view_that_mixes",
    ),
    Mutant(
        "what runs text is not let near sealed tables",
        "sql/task.py",
        '            if not _RUN_TEXT.fullmatch(".".join(name)):\n                continue',
        "            continue",
        "edges/functions",
    ),
    # The catalog and the path.
    Mutant(
        "the search_path decides which table is meant",
        "sql/catalog.py",
        "        for candidate in path.schemas:\n",
        "        for candidate in (*sorted(path.schemas, reverse=True),):\n",
        "sessions/search sessions/temporary",
    ),
    Mutant(
        "pg_temp is the session's own schema",
        "sql/catalog.py",
        '            if schema == "pg_temp":\n                schema = path.temp or schema\n',
        "",
        "sessions/temporary",
    ),
    Mutant(
        "a partition's column is its parent's",
        "sql/catalog.py",
        "            if parent is not None and (column := self.policy_column(parent, name, policy)) is not None:\n"
        "                return column",
        "            pass",
        "naming/partitioned naming/inheritance",
    ),
    Mutant(
        "introspection shows the application's types",
        "sql/introspection.py",
        "        task.context.replace(slot, _replacement(name, relation, shown))",
        "        pass",
        "naming/introspection",
    ),
)
