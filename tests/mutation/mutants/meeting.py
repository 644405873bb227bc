"""Where values meet: comparing, unifying, storing; what a literal or parameter is sealed for."""

from __future__ import annotations

from typing import Final

from tests.mutation.mutant import Mutant

_M: Final = "sql/meeting.py"
_C: Final = "sql/context.py"

MEETING: Final[tuple[Mutant, ...]] = (
    # What may be compared.
    Mutant(
        "columns compare in one domain only", _M, "        a.domain != b.domain\n        or ", "        ", "equality"
    ),
    Mutant("an operator needs its scheme", _M, "    if sealed.column.scheme < wanted:", "    if False:", "equality"),
    Mutant(
        "a sealed column compares with no plain one",
        _M,
        "        seal(ctx, other, sealed.column, Use.CARRY if other.is_shared else Use.COMPARE, doing, position)\n"
        "    else:\n"
        "        raise refusals.meets_plain(sealed.column, doing, position)",
        "        seal(ctx, other, sealed.column, Use.CARRY if other.is_shared else Use.COMPARE, doing, position)",
        "equality",
    ),
    Mutant(
        "a literal beside a sealed column is sealed",
        _M,
        "        seal(ctx, other, sealed.column, Use.CARRY if other.is_shared else Use.COMPARE, doing, position)\n",
        "        pass\n",
        "equality",
    ),
    Mutant(
        "types compare as in PostgreSQL",
        _M,
        "        if other.type is not None and not _meets(sealed, other.type):",
        "        if False:",
        "literals",
    ),
    Mutant(
        "text beside char(n) loses its blanks",
        _M,
        "    for leaf in other.leaves:\n        leaf.casts = (*leaf.casts, TEXT)",
        "    return",
        "literals",
    ),
    Mutant(
        "varchar beside char(n) is refused",
        _M,
        "    if sealed.type.oid != TEXT.oid or not other.is_direct:",
        "    if not other.is_direct:",
        "literals",
    ),
    Mutant(
        "rows compare field by field",
        _M,
        "            compare(ctx, operator, a, b, position)\n        return",
        "            compare(ctx, operator, a, b, position)\n            break\n        return",
        "equality/rows",
    ),
    Mutant(
        "rows of unequal width do not compare",
        _M,
        "        if len(left.fields) != len(right.fields):",
        "        if False:",
        "equality/rows",
    ),
    Mutant(
        "a whole-row value is no comparable value",
        _M,
        "            if isinstance(part := current(part, position), Sealed):\n                raise refusals.whole_row",
        "            if False:\n                raise refusals.whole_row",
        "queries/whole queries/aggregates",
    ),
    Mutant(
        "an array of sealed values has its domain",
        _M,
        "            check_same(left, Sealed(right.column, right.type.element), doing, position)",
        "            pass",
        "equality/any",
    ),
    Mutant(
        "an array literal has the type of the column's array",
        _M,
        "    if array.type is not None and (not array.type.is_array or not _meets(sealed, array.type.element)):",
        "    if False:",
        "equality/any literals",
    ),
    Mutant(
        "NULL in an array literal is NULL",
        _M,
        '            elements.append(None if word.lower() == "null" else word)',
        "            elements.append(word)",
        "equality/any",
    ),
    Mutant(
        "quotes of an array literal are no part of it",
        _M,
        '            elements.append("".join(piece))',
        "            elements.append('\"' + \"\".join(piece) + '\"')",
        "equality/any",
    ),
    Mutant(
        "an array literal has braces",
        _M,
        '    if len(body) < 2 or body[0] != "{" or body[-1] != "}":',
        "    if False:",
        "literals/no_value",
    ),
    # What may be mixed.
    Mutant(
        "coalesce, CASE and UNION keep to one domain",
        _M,
        "            check_same(base, flow, doing, position)\n            kinds.append(flow.type)",
        "            kinds.append(flow.type)",
        "equality queries/set",
    ),
    Mutant(
        "coalesce, CASE and UNION take no plain value",
        _M,
        "            kinds.append(flow.type)\n        else:\n            raise refusals.meets_plain(base.column, doing, position)",
        "            kinds.append(flow.type)\n        else:\n            kinds.append(None)",
        "equality queries/set",
    ),
    Mutant(
        "a literal beside a sealed value in UNION is sealed",
        _M,
        "            seal(ctx, flow, base.column, Use.CARRY, doing, position)\n    return Sealed",
        "            pass\n    return Sealed",
        "queries/set equality/case",
    ),
    Mutant(
        "char(n) mixes with its own length only",
        _M,
        "    if base.type.family is Family.CHAR and len({flow.column.type.typmod for flow in sealed}) > 1:",
        "    if False:",
        "types",
    ),
    Mutant(
        "a mixed result stays in the column's family",
        _M,
        "    if common is None or common.family is not base.type.family:",
        "    if common is None:",
        "order equality/case",
    ),
    Mutant(
        "a literal that others read too is plain once it is mixed",
        _M,
        "            for branch in opens:\n                use_as_plain(ctx, branch, doing, position)",
        "            pass",
        "queries/values",
    ),
    # What may be used as plain.
    Mutant(
        "functions and operators take no sealed value",
        _M,
        "    if isinstance(flow, Sealed):\n        raise (\n            refusals.cannot(flow.column, doing, position, hint)",
        "    if False:\n        raise (\n            refusals.cannot(flow.column, doing, position, hint)",
        "equality",
    ),
    Mutant(
        "a literal that was used as plain is not sealed later",
        _M,
        "        if leaf.is_plain:\n            raise refusals.also_plain(column, position)",
        "        pass",
        "queries/values literals/several",
    ),
    Mutant(
        "a literal that was sealed is not used as plain later",
        _M,
        "                if leaf.sealing.use is not Use.CARRY or leaf.is_cast or flow.wraps:\n"
        "                    raise refusals.also_plain(leaf.sealing.column, position)",
        "                pass",
        "queries/values queries changes",
    ),
    Mutant(
        "one literal is sealed for one column",
        _M,
        "            if leaf.sealing.column != column:\n"
        "                raise refusals.different_domains(leaf.sealing.column, column, doing, position)\n"
        "            continue",
        "            continue",
        "queries/values",
    ),
    Mutant(
        "grouping and DISTINCT need equality",
        _M,
        "        if flow.column.scheme < scheme:\n            raise refusals.needs(flow.column, scheme, doing, position)",
        "        pass",
        "equality queries",
    ),
    Mutant(
        "a literal that was grouped or sorted needs that scheme",
        _M,
        "            leaf.needs = max(leaf.needs, scheme)",
        "            pass",
        "queries/values",
    ),
    Mutant(
        "an array of sealed values is not sorted",
        _M,
        '        if flow.is_array:\n            raise refusals.cannot(flow.column, f"{doing} as an array", position)',
        "        pass",
        "queries/aggregates order",
    ),
    # What may be stored.
    Mutant(
        "no sealed value goes into a plain column",
        _M,
        "        use_as_plain(ctx, flow, f'stored in plain column \"{name}\"', position, kind, hint)\n        return",
        "        return",
        "changes/insert",
    ),
    Mutant(
        "a column stores values of its own domain",
        _M,
        '        check_same(target, flow, "stored in each other", position)\n',
        "",
        "changes",
    ),
    Mutant(
        "a wide sealed value goes into no narrow column",
        _M,
        "        if not _fits(flow.column.type, column.type):",
        "        if False:",
        "changes",
    ),
    Mutant(
        "no computed value goes into a sealed column",
        _M,
        '    else:\n        raise refusals.meets_plain(column, "stored", position)',
        "",
        "changes",
    ),
    Mutant(
        "only assignable types are stored",
        _M,
        "        if flow.type is not None and not ctx.is_stored and not assignable(flow.type, column.type):",
        "        if False:",
        "changes/errors",
    ),
    Mutant(
        "a stored literal is sealed",
        _M,
        '        seal(ctx, flow, column, Use.ASSIGN, "stored", position)\n    else:',
        "        pass\n    else:",
        "changes",
    ),
    Mutant(
        "a stored literal keeps the column's modifier",
        _M,
        '        seal(ctx, flow, column, Use.ASSIGN, "stored", position)\n    else:',
        '        seal(ctx, flow, column, Use.COMPARE, "stored", position)\n    else:',
        "changes",
    ),
    Mutant(
        "a compared literal keeps no modifier",
        _M,
        "Use.CARRY if other.is_shared else Use.COMPARE, doing, position)",
        "Use.CARRY if other.is_shared else Use.ASSIGN, doing, position)",
        "order",
    ),
    Mutant(
        "casts around a shared literal leave with it",
        _M,
        "    for slot in reversed(flow.wraps):\n        ctx.replace(slot, slot.get().arg)",
        "    return",
        "queries/values",
    ),
    Mutant(
        "a parameter of a type that is not known meets no sealed column",
        _M,
        "        if leaf.kind is Kind.PARAM and leaf.source is None and ctx.declared_type(leaf.number):",
        "        if False:",
        "literals/declared",
    ),
    # Literals and parameters in the tree.
    Mutant(
        "a sealed literal is replaced",
        _C,
        "            self.replace(leaf.slot, self.seal_literal(leaf.text, sealing))",
        "            self.seal_literal(leaf.text, sealing)",
        "equality",
    ),
    Mutant(
        "a column keeps its name when its literal is sealed",
        _C,
        "            if column_name(holder.val, self.subquery_names) != before:",
        "            if False:",
        "queries/set queries",
    ),
    Mutant(
        "a parameter that meets sealed and plain becomes two",
        _C,
        "            key = (leaf.number, leaf.sealing)\n",
        "            key = (leaf.number, None)\n",
        "literals/several",
    ),
    Mutant(
        "uses of an undeclared parameter agree in their type",
        _C,
        "            if len(leaves) > 1 and not self.declared_type(number):",
        "            if False:",
        "literals/several",
    ),
    Mutant(
        "$1 IS NULL follows the other uses of $1",
        _C,
        "                self.seal(leaf, other.sealing)\n                return",
        "                return",
        "literals/several",
    ),
    Mutant(
        "casts around a sealed parameter leave the statement",
        _C,
        "            while isinstance(node, ast.TypeCast):\n                node = node.arg\n            self.replace(leaf.slot, node)",
        "            pass",
        "literals/casts",
    ),
    Mutant(
        "a typed NULL beside a sealed column is retyped",
        _C,
        "            if leaf.casts or leaf.source is not None:",
        "            if False:",
        "literals",
    ),
)
