"""Values beside sealed ones, patterns and records: what is broken here shows, compares or stores another form."""

from __future__ import annotations

from typing import Final

from tests.mutation.mutant import Mutant

_C: Final = "sql/carrying.py"
_M: Final = "sql/minmax.py"
_O: Final = "sql/operators.py"
_S: Final = "sql/select.py"
_V: Final = "session/values.py"
_BESIDE: Final = "order/beside"

CARRYING: Final = (
    Mutant(
        "a value that is shown and compared has one form",
        _C,
        "        if uses is Uses.SHOWN:",
        "        if Uses.SHOWN in uses:",
        _BESIDE,
    ),
    Mutant(
        "a value that is only compared has the form of an equal one",
        _C,
        "            new = replace(old, use=Use.RANK)",
        "            new = replace(old, use=Use.SHOW)",
        _BESIDE,
    ),
    Mutant(
        "a value that is only stored is converted as by assignment",
        _C,
        "            new = replace(old, use=Use.ASSIGN, column=leaf.stored_in)",
        "            new = replace(old, use=Use.SHOW)",
        _BESIDE,
    ),
    Mutant(
        "sorting is noticed by what is carried",
        "sql/meeting.py",
        "        if scheme > Scheme.RANDOM:\n            used(flow, Uses.COMPARED)",
        "        pass",
        _BESIDE,
    ),
    Mutant(
        "GROUP BY finds its expression in the select list",
        _S,
        "    if distinct or statement.groupClause:",
        "    if False:",
        "equality order queries",
    ),
    Mutant(
        "shown values are sealed apart from stored ones",
        _V,
        "    sealer = sealers.sealer(_random(column) if sealing.use is Use.SHOW else column)",
        "    sealer = sealers.sealer(column)",
        _BESIDE,
    ),
    Mutant("greatest shows the first of equal values", _M, 'wins + "=" * columns_first', 'wins + "="', "order/beside"),
    Mutant(
        "greatest passes over NULL",
        _M,
        "    if leaf.kind is not Kind.PARAM:",
        "    if True:",
        _BESIDE,
    ),
    Mutant(
        "LIKE ALL is not LIKE ANY",
        _O,
        "    any_ = node.kind == enums.A_Expr_Kind.AEXPR_OP_ANY",
        "    any_ = True",
        "order",
    ),
    Mutant(
        "the escape character of a pattern is followed",
        _V,
        "        found = split_pattern(pattern, escape)",
        '        found = split_pattern(pattern, "\\\\")',
        "order",
    ),
    Mutant(
        "sorting by a column that WHERE fixes is no sorting; by any other it is",
        _S,
        "        if name and name in pinned:",
        "        if name:",
        "equality",
    ),
    Mutant(
        "a numeric keeps its scale",
        "sql/conversions.py",
        "        return s == same and p <= wider",
        "        return p <= wider",
        "order",
    ),
    Mutant(
        "COLLATE C is the only order of sealed text",
        "sql/terms.py",
        "    if names[-1] in _BYTEWISE and names[:-1]",
        "    if names[:-1]",
        "order",
    ),
)
