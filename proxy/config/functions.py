"""columns.yaml -> `functions:` of a database: server-side functions that take or return sealed values.

    functions -> schema.function -> {arguments: {name: plain | schema.table.column}, result: ...}

`result` is `plain`, a sealed column, or, for what returns rows, a mapping of its columns in their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from proxy.config.model import DeclaredFunction, Places, SealedColumn
from proxy.config.nodes import Entry, require_known, suggestion

FUNCTIONS: Final = "functions"
FUNCTION_KEYS: Final = ("arguments", "result")
PLAIN: Final = "plain"
_EXPECTED: Final = "a mapping: name -> plain, or a sealed column as schema.table.column"


def load_functions(database: str, entry: Entry, columns: Mapping[str, SealedColumn]) -> list[DeclaredFunction]:
    """The entries below `functions`; `columns` are those in force in the database, by name. Raises ConfigError."""
    return [
        _function(database, name, body, columns)
        for name, body in entry.mapping("a mapping: schema.function -> {arguments: ..., result: ...}").items()
    ]


def _function(database: str, name: str, entry: Entry, columns: Mapping[str, SealedColumn]) -> DeclaredFunction:
    schema, dot, function = name.partition(".")
    if not dot or not schema or not function or "." in function or '"' in name:
        raise entry.error("a function is written schema.function, with one dot and without quotes")
    body = entry.mapping("a mapping: {arguments: ..., result: ...}")
    require_known(body, FUNCTION_KEYS)
    arguments = body["arguments"].mapping(_EXPECTED) if "arguments" in body else {}
    result: str | Places = PLAIN
    if "result" in body:
        result = _result(body["result"], columns)
    return DeclaredFunction(database, schema, function, _places(arguments, columns), result, entry.line)


def _result(entry: Entry, columns: Mapping[str, SealedColumn]) -> str | Places:
    if entry.is_mapping:
        return _places(entry.mapping(_EXPECTED), columns)
    return _place(entry, columns)


def _places(entries: Mapping[str, Entry], columns: Mapping[str, SealedColumn]) -> Places:
    return tuple((name, _place(entry, columns)) for name, entry in entries.items())


def _place(entry: Entry, columns: Mapping[str, SealedColumn]) -> str:
    word = entry.text()
    if word != PLAIN and word not in columns:
        raise entry.error(
            f'"{word}" is neither "plain" nor a sealed column of this database{suggestion(word, columns)}'
        )
    return word
