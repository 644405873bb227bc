"""What happens where two flows meet: compared, unified into one result, stored into a column, or used as plain.

Each function either decides the literals and parameters that take part, or raises Refused. `doing` completes the
sentence "column ... cannot be ...".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pglast import ast

from proxy.config import Scheme, SealedColumn
from proxy.pgtypes import Family, SqlType
from proxy.sql import refusals
from proxy.sql.arrays import array_elements, array_literal
from proxy.sql.carrying import used
from proxy.sql.context import Context, bytea_cast
from proxy.sql.conversions import BYTEA, assignable, common_type, common_typmod, comparable, operand_type
from proxy.sql.flow import PLAIN, Flow, Kind, Leaf, Opaque, Open, Plain, Row, Sealed, Unsealed, Uses, resolve_unknown
from proxy.sql.plan import TEXT, Sealing, Use
from proxy.sql.spreading import is_whole, seal_spread

OPERATORS: Final = {
    "=": Scheme.EQUALITY,
    "<>": Scheme.EQUALITY,
    "<": Scheme.ORDER,
    "<=": Scheme.ORDER,
    ">": Scheme.ORDER,
    ">=": Scheme.ORDER,
}
_UTF8_MAX: Final = 4


def current(flow: Flow, position: int | None) -> Flow:
    """The flow as it stands now: a column of literals that were sealed elsewhere is sealed."""
    if isinstance(flow, Unsealed):
        raise refusals.unsealed(flow.column, position)
    if isinstance(flow, Open):
        for leaf in flow.leaves:
            if leaf.sealing is not None:
                if leaf.sealing.use is not Use.CARRY or leaf.is_cast or flow.wraps:
                    raise refusals.also_plain(leaf.sealing.column, position)
                column = leaf.sealing.column
                kind = flow.type or column.type.unmodified
                kind = kind.array if flow.is_array and not kind.is_array else kind
                return Sealed(column, kind, carried=flow.leaves)
    return flow


def use_as_plain(
    ctx: Context, flow: Flow, doing: str, position: int | None, kind: SqlType | None = None, hint: str | None = None
) -> None:
    """The value goes where only plain values can go. `kind`: the type that an untyped parameter gets there."""
    if isinstance(flow, Plain | Opaque):
        return
    if isinstance(flow, Open) and (sealed := next((leaf.sealing for leaf in flow.leaves if leaf.sealing), None)):
        raise refusals.also_plain(sealed.column, position)
    flow = current(flow, position)
    if isinstance(flow, Sealed):
        raise (
            refusals.cannot(flow.column, doing, position, hint)
            if hint
            else refusals.cannot(flow.column, doing, position)
        )
    if isinstance(flow, Open):
        for leaf in flow.leaves:
            leaf.is_plain = True
            leaf.plain_type = leaf.plain_type or leaf.type or kind
    elif isinstance(flow, Row):
        for _, part in flow.fields:
            use_as_plain(ctx, part, doing, position)


def require(ctx: Context, flow: Flow, scheme: Scheme, doing: str, position: int | None) -> None:
    """The values are grouped (EQUALITY) or sorted (ORDER): sealed ones need a scheme that carries it."""
    if isinstance(flow, Plain | Opaque):
        return
    flow = current(flow, position)
    if isinstance(flow, Sealed):
        if flow.is_array:
            raise refusals.cannot(flow.column, f"{doing} as an array", position)
        if flow.type.family is Family.JSON and scheme > Scheme.RANDOM and not flow.type.is_array:
            raise refusals.no_equality(flow.type, position)
        if flow.column.scheme < scheme:
            raise refusals.needs(flow.column, scheme, doing, position)
        if scheme > Scheme.RANDOM:
            used(flow, Uses.COMPARED)
    elif isinstance(flow, Open):
        for leaf in flow.leaves:
            leaf.needs = max(leaf.needs, scheme)
    elif isinstance(flow, Row):
        refuse_record(ctx, flow, position)
        for _, part in flow.fields:
            require(ctx, part, scheme, doing, position)


def refuse_record(ctx: Context, flow: Row, position: int | None) -> None:
    """A whole-row value is one value of a composite type, whose operators see ciphertext."""
    if flow.is_record:
        for _, part in flow.fields:
            if isinstance(part := current(part, position), Sealed):
                raise refusals.whole_row(part.column, position)


def compare(ctx: Context, operator: str, left: Flow, right: Flow, position: int | None) -> None:
    """`left operator right`; PostgreSQL decides it on ciphertext."""
    if isinstance(left, Row) and isinstance(right, Row):
        if not (left.is_record and right.is_record and len(left.fields) == len(right.fields)):
            refuse_record(ctx, left, position)
            refuse_record(ctx, right, position)
        if len(left.fields) != len(right.fields):
            raise refusals.syntax("unequal number of entries in row expressions", position)
        for (_, a), (_, b) in zip(left.fields, right.fields, strict=True):
            compare(ctx, operator, a, b, position)
        return
    doing = f'compared with "{operator}"'
    left, right = current(left, position), current(right, position)
    if isinstance(left, Sealed):
        _compare_sealed(ctx, operator, left, right, doing, position)
    elif isinstance(right, Sealed):
        _compare_sealed(ctx, operator, right, left, doing, position)
    else:
        use_as_plain(ctx, left, doing, position, operand_type(_kind(right)))
        use_as_plain(ctx, right, doing, position, operand_type(_kind(left)))


def _compare_sealed(ctx: Context, operator: str, sealed: Sealed, other: Flow, doing: str, position: int | None) -> None:
    check_operator(ctx, sealed, operator, doing, position)
    used(sealed, Uses.COMPARED)
    if isinstance(other, Sealed):
        check_same(sealed, other, doing, position)
        used(other, Uses.COMPARED)
    elif isinstance(other, Open) and not other.is_array:
        if other.type is not None and not _meets(sealed, other.type):
            raise refusals.no_operator(operator, sealed.type, other.type, position)
        if sealed.type.family is Family.TEXT and other.type is not None and other.type.family is Family.CHAR:
            _strip_padding(sealed, other, doing, position)
        seal(ctx, other, sealed.column, Use.CARRY if other.is_shared else Use.COMPARE, doing, position)
        for leaf in other.leaves if other.is_shared else ():
            leaf.uses |= Uses.COMPARED
    else:
        raise refusals.meets_plain(sealed.column, doing, position)


def check_operator(ctx: Context, sealed: Sealed, operator: str, doing: str, position: int | None) -> None:
    if ctx.is_overloaded(operator):
        raise refusals.overloaded(sealed.column, doing, position)
    wanted = OPERATORS.get(operator)
    if wanted is not None and sealed.type.family is Family.JSON and not sealed.type.is_array:
        raise refusals.no_operator(operator, sealed.type, None, position)
    if wanted is None or sealed.is_array:
        raise refusals.cannot(sealed.column, doing, position)
    if sealed.column.scheme < wanted:
        raise refusals.needs(sealed.column, wanted, doing, position)


def _meets(sealed: Sealed, kind: SqlType) -> bool:
    """False where PostgreSQL has no operator."""
    return comparable(sealed.type, kind)


def _strip_padding(sealed: Sealed, other: Open, doing: str, position: int | None) -> None:
    """text beside char(n), or N'...': PostgreSQL converts the value to text, which takes its trailing blanks away. A
    varchar would be converted to char(n) instead, whose operators ignore the trailing blanks of what is stored."""
    if sealed.type.oid != TEXT.oid or not other.is_direct:
        raise refusals.cannot(sealed.column, f"{doing} with type character", position, "cast the value to text")
    for leaf in other.leaves:
        leaf.casts = (*leaf.casts, TEXT)


def compare_any(ctx: Context, operator: str, left: Flow, right: Flow, position: int | None) -> None:
    """`left operator ANY/ALL (array)`."""
    doing = f'compared with "{operator}"'
    left, right = current(left, position), current(right, position)
    if isinstance(left, Sealed):
        check_operator(ctx, left, operator, doing, position)
        used(left, Uses.COMPARED)
        if isinstance(right, Sealed) and right.is_array:
            check_same(left, replace(right, type=right.type.element), doing, position)
            used(right, Uses.COMPARED)
        elif isinstance(right, Open):
            _seal_elements(ctx, operator, left, right, doing, position)
        else:
            raise refusals.meets_plain(left.column, doing, position)
    elif isinstance(right, Sealed):
        if not right.is_array:
            raise refusals.cannot(right.column, f"{doing} as an array", position)
        _compare_sealed(ctx, operator, replace(right, type=right.type.element), left, doing, position)
    else:
        use_as_plain(ctx, left, doing, position)
        kind = _kind(left)
        use_as_plain(ctx, right, doing, position, kind.array if kind and not kind.is_array else None)


def _seal_elements(ctx: Context, operator: str, sealed: Sealed, array: Open, doing: str, position: int | None) -> None:
    if array.type is not None and (not array.type.is_array or not _meets(sealed, array.type.element)):
        raise refusals.no_operator(operator, sealed.type, array.type.element, position)
    if sealed.type.family is Family.TEXT and array.type is not None and array.type.element.family is Family.CHAR:
        raise refusals.cannot(sealed.column, f"{doing} with type character", position, "cast the values to text")
    if array.is_array:
        if array.is_shared or array.slot is None:
            raise refusals.meets_plain(sealed.column, doing, position)
        seal(ctx, array, sealed.column, Use.COMPARE, doing, position)
        node = array.slot.get()
        while isinstance(node, ast.TypeCast):
            node = node.arg
        if all(leaf.kind is Kind.NULL for leaf in array.leaves):
            node = bytea_cast(node, is_array=True)
        ctx.replace(array.slot, node)
        return
    leaf = array.leaves[0]
    if array.is_shared or not array.is_direct:
        raise refusals.meets_plain(sealed.column, doing, position)
    if leaf.kind is Kind.NULL:
        ctx.replace(leaf.slot, bytea_cast(ast.A_Const(isnull=True), is_array=True))
        return
    if leaf.kind is Kind.LITERAL:
        _spread(ctx, leaf, sealed.column, position)
        return
    seal(ctx, array, sealed.column, Use.COMPARE, doing, position, is_array=True)


def _spread(ctx: Context, leaf: Leaf, column: SealedColumn, position: int | None) -> None:
    """An array literal becomes ARRAY[...] of sealed elements."""
    elements = array_elements(leaf.text)
    if any(not kind.is_array for kind in leaf.casts):
        raise refusals.unsupported("this array literal", position, "write it as ARRAY[...] or send it as a parameter")
    if elements is None:  # several dimensions, or malformed: whoever reads the value says so
        leaf.sealing = Sealing(column, Use.COMPARE, leaf.source, leaf.casts, is_array=True)
        ctx.replace(leaf.slot, ctx.seal_literal(leaf.text, leaf.sealing, is_array=True))
        return
    source = leaf.source.element if leaf.source else None
    sealing = Sealing(column, Use.COMPARE, source, tuple(kind.element for kind in leaf.casts))
    nodes = tuple(ast.A_Const(isnull=True) if text is None else ctx.seal_literal(text, sealing) for text in elements)
    ctx.replace(leaf.slot, bytea_cast(ast.A_ArrayExpr(elements=nodes), is_array=True))
    leaf.sealing = sealing


def unify(
    ctx: Context,
    flows: Sequence[Flow],
    construct: str,
    doing: str,
    position: int | None,
) -> Flow:
    """One result of several branches: coalesce, CASE, VALUES, set operations, ARRAY[...]; `construct` as PostgreSQL
    names it in errors."""
    flows = [current(flow, position) for flow in flows]
    sealed = [flow for flow in flows if isinstance(flow, Sealed)]
    if not sealed:
        return _unify_plain(ctx, flows, construct, doing, position)
    base = max(sealed, key=lambda flow: width(flow.column))
    kinds: list[SqlType | None] = []
    carried: list[Leaf] = []
    for flow in flows:
        if isinstance(flow, Sealed):
            check_same(base, flow, doing, position)
            kinds.append(flow.type)
            carried.extend(flow.carried)
        elif isinstance(flow, Open) and not flow.is_array and not base.is_array:
            kinds.append(flow.type)
            carried.extend(flow.leaves)
        else:
            raise refusals.meets_plain(base.column, doing, position)
    if base.type.family is Family.CHAR and len({flow.column.type.typmod for flow in sealed}) > 1:
        raise refusals.cannot(base.column, f"{doing} with values of other lengths", position)
    common = common_type(kinds, construct, position)
    if common is None or common.family is not base.type.family:
        raise refusals.result_type(base.column, common, doing, position)
    for flow in flows:
        if isinstance(flow, Open):
            for leaf in flow.leaves:
                if leaf.kind is Kind.PARAM and leaf.source is None and not ctx.declared_type(leaf.number):
                    leaf.source = common
            seal(ctx, flow, base.column, Use.CARRY, doing, position)
    return Sealed(base.column, common_typmod(kinds, common), carried=tuple(carried))


def _unify_plain(ctx: Context, flows: Sequence[Flow], construct: str, doing: str, position: int | None) -> Flow:
    if all(isinstance(flow, Open) and not flow.is_array for flow in flows):
        opens = [branch for branch in flows if isinstance(branch, Open)]
        if any(branch.is_shared or branch.wraps or branch.spread for branch in opens):
            # Others read that column too: were it sealed for them later, the rest of this result would stay plain.
            for branch in opens:
                use_as_plain(ctx, branch, doing, position)
        kinds = [branch.type for branch in opens]
        common = common_type(kinds, construct, position) or TEXT
        for branch in opens:
            resolve_unknown(branch, common)
            for leaf in branch.leaves:
                if leaf.type is not None and leaf.type.oid != common.oid:
                    leaf.casts = (*leaf.casts, common)
        leaves = tuple(leaf for branch in opens for leaf in branch.leaves)
        return Open(leaves, common_typmod(kinds, common), is_shared=any(branch.is_shared for branch in opens))
    known = next((flow.type for flow in flows if isinstance(flow, Plain) and flow.type is not None), None)
    for flow in flows:
        use_as_plain(ctx, flow, doing, position, known)
    kinds = [branch.type for branch in flows if isinstance(branch, Plain)]
    if kinds and all(kind is not None and kinds[0] is not None and kind.oid == kinds[0].oid for kind in kinds):
        return Plain(kinds[0].unmodified if kinds[0] else None)
    return PLAIN


def assign(ctx: Context, flow: Flow, target: Flow, name: str, position: int | None, group: int = 0) -> None:
    """Stores a value into a column, whose own flow is `target`. `group` tells apart the lists of assignments that
    PostgreSQL converts together: one untyped parameter cannot be of two types there."""
    if isinstance(flow, Open) and flow.is_direct and flow.type is None:
        flow.leaves[0].group = group
    if isinstance(target, Unsealed):
        raise refusals.unsealed(target.column, position)
    if not isinstance(target, Sealed):
        hint = f'list "{name}" in columns.yaml too, in the same domain'
        kind = target.type if isinstance(target, Plain) else None
        use_as_plain(ctx, flow, f'stored in plain column "{name}"', position, kind, hint)
        return
    column = target.column
    if (
        isinstance(flow, Open)
        and flow.leaves
        and all(
            leaf.sealing is not None
            and leaf.sealing == Sealing(column, Use.ASSIGN, leaf.source, leaf.casts + flow.casts)
            for leaf in flow.leaves
        )
    ):
        _unwrap(ctx, flow)  # stored into the same column by another branch of MERGE or ON CONFLICT
        return
    flow = current(flow, position)
    if isinstance(flow, Sealed):
        check_same(target, flow, "stored in each other", position)
        used(flow, Uses.STORED, column)
        if not _fits(flow.column.type, column.type):
            raise refusals.too_wide(column, flow.column.type, position)
    elif isinstance(flow, Open) and not flow.is_array:
        if flow.type is not None and not ctx.is_stored and not assignable(flow.type, column.type):
            raise refusals.not_assignable(name, column.type, flow.type, position)
        # others may read the column too: what becomes of it is known at the end
        is_carried = flow.is_shared and not flow.casts and column.type.family is not Family.CHAR
        seal(ctx, flow, column, Use.CARRY if is_carried else Use.ASSIGN, "stored", position)
        if is_carried:
            used(current(flow, position), Uses.STORED, column)
    elif isinstance(flow, Open) and column.type.is_array and not ctx.is_stored:
        _store_array(ctx, flow, column, name, position)
    else:
        raise refusals.meets_plain(column, "stored", position)


def _store_array(ctx: Context, flow: Open, column: SealedColumn, name: str, position: int | None) -> None:
    """ARRAY[...] of literals becomes one array literal, of parameters one parameter that is made of them all."""
    kind = flow.type
    kinds = {leaf.kind for leaf in flow.leaves}
    is_literal = Kind.PARAM not in kinds
    if kind is None or flow.slot is None or not (is_literal or kinds == {Kind.PARAM}) or flow.is_shared:
        raise refusals.meets_plain(column, "stored", position)
    if not assignable(kind, column.type):
        raise refusals.not_assignable(name, column.type, kind, position)
    for leaf in flow.leaves:
        if leaf.casts or leaf.is_plain or leaf.sealing is not None:
            raise refusals.meets_plain(column, "stored", position)
    sealing = Sealing(column, Use.ASSIGN, kind)
    if is_literal:
        for leaf in flow.leaves:
            leaf.sealing = sealing
        texts = [None if leaf.kind is Kind.NULL else leaf.text for leaf in flow.leaves]
        ctx.replace(flow.slot, ctx.seal_literal(array_literal(texts), sealing))
        return
    first = flow.leaves[0]
    first.sealing, first.slot, first.is_joined = sealing, flow.slot, True
    first.parts = flow.leaves[1:]
    for leaf in first.parts:
        leaf.absorbed = True
    ctx.replace(flow.slot, ast.ParamRef(number=first.number, location=first.location))


def width(column: SealedColumn) -> float:
    """What a column can hold, compared with others of its family and domain: longer texts, finer times."""
    return math.inf if column.type.typmod == -1 else column.type.typmod


def _fits(source: SqlType, target: SqlType) -> bool:
    """Whether every value of one type can be stored in the other unchanged."""
    if target.typmod == -1 or source.typmod == target.typmod:
        return True
    if target.length is not None:
        return source.length is not None and source.length <= target.length
    if target.seconds_precision is not None:
        return source.seconds_precision is not None and source.seconds_precision <= target.seconds_precision
    return False


def seal(
    ctx: Context,
    flow: Open,
    column: SealedColumn,
    use: Use,
    doing: str,
    position: int | None,
    *,
    is_array: bool = False,
) -> None:
    """Decides all leaves of an open flow for `column`."""
    for leaf in flow.leaves:
        if leaf.is_plain:
            raise refusals.also_plain(column, position)
        if leaf.sealing is not None:
            if leaf.sealing.column != column:
                raise refusals.different_domains(leaf.sealing.column, column, doing, position)
            continue
        if leaf.needs > column.scheme:
            raise refusals.needs(column, leaf.needs, "grouped or sorted", position)
        if ctx.is_stored:
            if leaf.kind is Kind.LITERAL and leaf.type != BYTEA:
                raise refusals.meets_plain(column, doing, position)
            leaf.sealing = Sealing(column, use)
            continue
        if leaf.kind is Kind.PARAM and leaf.source is None and ctx.declared_type(leaf.number):
            raise refusals.meets_plain(column, f"{doing} by a parameter of its declared type", position)
        chosen = Use.CARRY if use is Use.ASSIGN and leaf.needs > Scheme.RANDOM else use
        if chosen is Use.CARRY and column.type.family is Family.CHAR and leaf.kind is not Kind.NULL:
            # sealed without its padding, so it would be shown with that of the column
            raise refusals.cannot(column, f"{doing} with values of other lengths", position)
        leaf.is_cast = bool(flow.casts)
        if chosen is Use.CARRY and leaf.kind is not Kind.NULL:
            ctx.carried.append(leaf)
        if flow.spread is None:
            ctx.seal(leaf, ctx.sealing(column, chosen, leaf.source, leaf.casts + flow.casts, is_array=is_array))
            continue
        is_array = is_whole(leaf, flow)
        casts = tuple(kind.array for kind in flow.casts) if is_array else flow.casts
        seal_spread(ctx, leaf, flow, ctx.sealing(column, chosen, leaf.source, leaf.casts + casts, is_array=is_array))
    _unwrap(ctx, flow)


def _unwrap(ctx: Context, flow: Open) -> None:
    """Removes the casts around a reference to a column that has become sealed."""
    for slot in reversed(flow.inner + flow.wraps):
        ctx.replace(slot, slot.get().arg)


def check_same(left: Sealed, right: Sealed, doing: str, position: int | None) -> None:
    """Both sides must hold ciphertexts that mean the same."""
    a, b = left.column, right.column
    if left.is_array != right.is_array:
        raise refusals.cannot(a, f"{doing} an array", position)
    if a is b or a == b:
        return
    if (
        a.domain != b.domain
        or a.scheme is not b.scheme
        or a.type.family is not b.type.family
        or a.type.is_array != b.type.is_array
        or (a.type.family is Family.NUMERIC and a.type.typmod != b.type.typmod)
        or (a.scheme is Scheme.ORDER and covered(a) != covered(b))
    ):
        raise refusals.different_domains(a, b, doing, position)


def covered(column: SealedColumn) -> int:
    """Bytes of text that the order prefix covers; 0 for types of fixed size."""
    return column.max_length or (column.type.length or 0) * _UTF8_MAX


def _kind(flow: Flow) -> SqlType | None:
    return flow.type if isinstance(flow, Plain | Open) else None
