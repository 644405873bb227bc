"""Every error that the analysis of queries raises, with its text and its way out.

Two kinds: what PostgreSQL itself would raise (its SQLSTATE and message), and what Sealwire refuses (0A000): those name
the column, how it is sealed, the construct, and in the hint what would work.
"""

from __future__ import annotations

from proxy.config import Scheme, SealedColumn, unsupported_search
from proxy.errors import Refused
from proxy.pgtypes import Family, SqlType

_COMPUTE = "select the column itself and compute in the application"


def needs(column: SealedColumn, wanted: Scheme, doing: str, position: int | None) -> Refused:
    """The scheme does not carry the operation, a stronger one would. `doing`: `compared with "="`, `sorted`..."""
    return Refused(
        f'column "{column.name}" is sealed with search: {column.search} and cannot be {doing}',
        hint=search_hint(column, wanted),
        position=position,
    )


def search_hint(column: SealedColumn, wanted: Scheme) -> str:
    """How a column gets a stronger scheme, where its type has one."""
    if (reason := unsupported_search(column.type, wanted)) is not None:
        return f"{reason.partition(';')[0]}: {_COMPUTE}"
    word = "equality" if wanted is Scheme.EQUALITY else "order"
    needs_length = wanted is Scheme.ORDER and column.type.family in (Family.TEXT, Family.CHAR)
    length = ' and "max_length"' if needs_length and column.max_length is None else ""
    return f'set "search: {word}"{length} for it in columns.yaml and run: {column.command("reseal")}'


def cannot(column: SealedColumn, doing: str, position: int | None, hint: str = _COMPUTE) -> Refused:
    """No scheme carries the operation."""
    return Refused(
        f'column "{column.name}" is sealed with search: {column.search} and cannot be {doing}',
        hint=hint,
        position=position,
    )


def unsealed(column: SealedColumn, position: int | None) -> Refused:
    """In the policy, but the table still holds plaintext."""
    return Refused(
        f'column "{column.name}" is in columns.yaml but not sealed yet',
        hint=f'run: {column.command("seal")}, or set "pending: true" for it in columns.yaml until then',
        position=position,
    )


def different_domains(left: SealedColumn, right: SealedColumn, doing: str, position: int | None) -> Refused:
    """Two sealed columns whose ciphertexts mean different things."""
    command = left.command("reseal", right)
    return Refused(
        f'columns "{left.name}" and "{right.name}" are sealed with different keys, schemes or types '
        f"and cannot be {doing}",
        hint='give both the same type, the same search (equality or order) and one "join:" name in columns.yaml, '
        f"and run: {command}",
        position=position,
    )


def meets_plain(column: SealedColumn, doing: str, position: int | None) -> Refused:
    """A plain expression stands where only a literal, a parameter or a sealed value can stand."""
    return Refused(
        f'column "{column.name}" is sealed and cannot be {doing}: what it meets is an expression that the server '
        "computes",
        hint="send the value as a literal or a parameter, or seal the other column in the same domain",
        position=position,
    )


def also_plain(column: SealedColumn, position: int | None) -> Refused:
    """A column of literals is used both with sealed and with plain values."""
    return Refused(
        f'a value that meets sealed column "{column.name}" is also used where a plain value is needed',
        hint="write the value twice: once for the sealed column, once for the other use",
        position=position,
    )


def overloaded(column: SealedColumn, doing: str, position: int | None) -> Refused:
    """An operator of another schema, made for types of PostgreSQL, may be the one that is meant."""
    return Refused(
        f'column "{column.name}" is sealed and cannot be {doing} while a schema on the search_path has an operator of '
        "that name",
        hint="take that schema off the search_path, or drop the operator",
        position=position,
    )


def result_type(column: SealedColumn, kind: SqlType | None, doing: str, position: int | None) -> Refused:
    """PostgreSQL would convert the sealed value to another type."""
    return Refused(
        f'column "{column.name}" is sealed and would be converted to {kind or "another type"} when {doing}',
        hint=f"cast the other value to {column.type.unmodified}",
        position=position,
    )


def cast_of_sealed(column: SealedColumn, target: str, position: int | None) -> Refused:
    return Refused(
        f'column "{column.name}" is sealed and cannot be cast to {target}',
        hint="select the column without the cast and convert in the application",
        position=position,
    )


def too_wide(column: SealedColumn, source: SqlType, position: int | None) -> Refused:
    """A sealed value may not fit the column that it is stored into, and its length cannot be seen."""
    return Refused(
        f'a sealed value of type {source} cannot be stored in column "{column.name}" of type {column.type}: '
        "whether it fits cannot be checked on ciphertext",
        hint="give both columns the same type in columns.yaml",
        position=position,
    )


def no_operator(operator: str, left: SqlType | None, right: SqlType | None, position: int | None) -> Refused:
    names = [str(kind.unmodified) if kind else "unknown" for kind in (left, right)]
    return Refused(
        f"operator does not exist: {names[0]} {operator} {names[1]}",
        hint="No operator matches the given name and argument types. You might need to add explicit type casts.",
        position=position,
        sqlstate="42883",
    )


def no_equality(kind: SqlType, position: int | None) -> Refused:
    return Refused(
        f"could not identify an equality operator for type {kind.unmodified}", position=position, sqlstate="42883"
    )


def unmatched_types(construct: str, left: SqlType, right: SqlType, position: int | None) -> Refused:
    return Refused(
        f"{construct} types {left.unmodified} and {right.unmodified} cannot be matched",
        position=position,
        sqlstate="42804",
    )


def no_relation(schema: str | None, name: str, position: int | None) -> Refused:
    full = f"{schema}.{name}" if schema else name
    return Refused(f'relation "{full}" does not exist', position=position, sqlstate="42P01")


def no_column(qualifier: str | None, name: str, position: int | None) -> Refused:
    text = f"column {qualifier}.{name} does not exist" if qualifier else f'column "{name}" does not exist'
    return Refused(text, position=position, sqlstate="42703")


def no_target_column(relation: str, name: str, position: int | None) -> Refused:
    return Refused(f'column "{name}" of relation "{relation}" does not exist', position=position, sqlstate="42703")


def no_from_entry(name: str, position: int | None) -> Refused:
    return Refused(f'missing FROM-clause entry for table "{name}"', position=position, sqlstate="42P01")


def invalid_reference(name: str, position: int | None) -> Refused:
    return Refused(f'invalid reference to FROM-clause entry for table "{name}"', position=position, sqlstate="42P01")


def invalid_lateral(name: str, position: int | None) -> Refused:
    return Refused(
        f'invalid reference to FROM-clause entry for table "{name}"',
        detail="The combining JOIN type must be INNER or LEFT for a LATERAL reference.",
        position=position,
        sqlstate="42P10",
    )


def not_assignable(column: str, target: SqlType, source: SqlType, position: int | None) -> Refused:
    return Refused(
        f'column "{column}" is of type {target.unmodified} but expression is of type {source.unmodified}',
        hint="You will need to rewrite or cast the expression.",
        position=position,
        sqlstate="42804",
    )


def ambiguous_column(name: str, position: int | None) -> Refused:
    return Refused(f'column reference "{name}" is ambiguous', position=position, sqlstate="42702")


def ambiguous_table(name: str, position: int | None) -> Refused:
    return Refused(f'table reference "{name}" is ambiguous', position=position, sqlstate="42P09")


def duplicate_table(name: str, position: int | None) -> Refused:
    return Refused(f'table name "{name}" specified more than once', position=position, sqlstate="42712")


def not_using_column(name: str, side: str, position: int | None) -> Refused:
    return Refused(
        f'column "{name}" specified in USING clause does not exist in {side} table',
        position=position,
        sqlstate="42703",
    )


def syntax(message: str, position: int | None) -> Refused:
    """What PostgreSQL's analysis, not its grammar, calls a syntax error."""
    return Refused(message, position=position, sqlstate="42601")


def bad_reference(message: str, position: int | None) -> Refused:
    return Refused(message, position=position, sqlstate="42P10")


def unknown_columns(position: int | None) -> Refused:
    """`*` over a function whose columns are not known, next to sealed columns."""
    return Refused(
        "the columns that * stands for are not known here, and some of them are sealed",
        hint="name the columns, or give the function an alias with a column list",
        position=position,
    )


def shadows(construct: str, relation: str) -> Refused:
    """The answer would depend on the column that a command is preparing."""
    return Refused(
        f'{construct} on "{relation}" cannot run while one of its columns is being sealed, unsealed or resealed',
        hint="name the columns, or wait until the command is done",
    )


def moved_column(statement: str, relation: str, column: str, position: int | None) -> Refused:
    """Values would go into other columns than the application means, and lie there in plain."""
    return Refused(
        f'{statement} "{relation}" without a column list is not possible: '
        f'column "{column}" has stood last in it since it was sealed',
        hint="name the columns, in the order of the values",
        position=position,
    )


def opaque_name(name: str, column: SealedColumn, position: int | None) -> Refused:
    """An unqualified name could be a column of a function, or of an outer table."""
    return Refused(
        f'it is not known whether "{name}" is sealed column "{column.name}" or a column of a function in FROM',
        hint="qualify the name with its table",
        position=position,
    )


def whole_row(column: SealedColumn, position: int | None) -> Refused:
    return Refused(
        f'a whole-row value holds sealed column "{column.name}" and cannot be used here',
        hint="name the columns, or write alias.*",
        position=position,
    )


def view(name: str, cause: Refused) -> Refused:
    """A view's definition does something with sealed columns that is not understood."""
    return Refused(
        f'view "{name}" uses sealed columns in a way that cannot be followed: {cause.message}', hint=cause.hint
    )


def not_updatable(name: str, column: str, position: int | None) -> Refused:
    return Refused(
        f'column "{column}" of view "{name}" holds sealed values and cannot be written through the view',
        hint="write to the table itself",
        position=position,
    )


def unsupported(what: str, position: int | None, hint: str | None = None) -> Refused:
    """A construct next to sealed columns that the analysis does not follow."""
    return Refused(f"{what} is not supported with sealed columns", hint=hint, position=position)
