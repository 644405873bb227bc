"""The oracle: an embedded PostgreSQL 18 that says what a value reads as, and what an expression gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from proxy.errors import Refused
from proxy.pgtypes import parse_type
from proxy.wire.codecs import Settings, decode_text, encode_text

SEND = {
    "smallint": "int2send",
    "integer": "int4send",
    "bigint": "int8send",
    "numeric": "numeric_send",
    "real": "float4send",
    "double precision": "float8send",
    "boolean": "boolsend",
    "date": "date_send",
    "time": "time_send",
    "timestamp": "timestamp_send",
    "timestamptz": "timestamptz_send",
    "uuid": "uuid_send",
    "json": "json_send",
    "jsonb": "jsonb_send",
    "bytea": "byteasend",
    "text": "textsend",
    "text[]": "array_send",
    "integer[]": "array_send",
}

Outcome = tuple[bytes, str] | str
"""(binary form, text form) of a value that was accepted, or the SQLSTATE that it failed with."""


class Oracle:
    """One connection; every question is a batch, answered in order."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self._functions: dict[str, str] = {}
        connection.execute(
            """create function pg_temp.attempt(statement text) returns text language plpgsql as $$
               declare result text; begin execute statement into result; return coalesce(result, '<null>');
               exception when others then return '!' || sqlstate; end $$"""
        )

    def set(self, **settings: str | int) -> None:
        for name, value in settings.items():
            self.connection.execute("select set_config(%s, %s, false)", [name, str(value)])

    def read(self, type_name: str, values: Sequence[str]) -> list[Outcome]:
        """The type's input, send and output functions over each value."""
        function = self._functions.get(type_name)
        if function is None:
            function = self._functions[type_name] = f"pg_temp.read_{len(self._functions)}"
            text = "case when x then 't' else 'f' end" if type_name == "boolean" else "x::text"
            self.connection.execute(
                f"""create function {function}(v text) returns text[] language plpgsql as $$
                    declare x {type_name}; begin x := v; return array[encode({SEND[type_name]}(x), 'hex'), {text}];
                    exception when others then return array[sqlstate]; end $$"""
            )
        rows = self.connection.execute(
            f"select {function}(v) from unnest(%s::text[]) with ordinality u(v, o) order by o", [list(values)]
        ).fetchall()
        return [(bytes.fromhex(row[0][0]), row[0][1]) if len(row[0]) == 2 else row[0][0] for row in rows]

    def attempt(self, statements: Sequence[str]) -> list[str]:
        """The one text value each statement gives, '<null>', or '!' and the SQLSTATE."""
        rows = self.connection.execute(
            "select pg_temp.attempt(v) from unnest(%s::text[]) with ordinality u(v, o) order by o", [list(statements)]
        ).fetchall()
        return [row[0] for row in rows]


def ours(type_name: str, values: Sequence[str], settings: Settings) -> list[Outcome]:
    """What the codecs make of the same values."""
    type_ = parse_type(type_name)
    outcomes: list[Outcome] = []
    for value in values:
        try:
            canonical = decode_text(type_, value.encode(), settings)
            outcomes.append((canonical, encode_text(type_, canonical, settings).decode()))
        except Refused as error:
            outcomes.append(error.sqlstate)
    return outcomes
