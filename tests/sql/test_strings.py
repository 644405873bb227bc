"""Statements of a session with standard_conforming_strings = off, as they are read."""

from __future__ import annotations

import pytest
from pglast import parse_sql
from pglast.stream import RawStream

from proxy.errors import Refused
from proxy.sql.strings import conforming


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 'a'", "SELECT 'a'"),
        (r"SELECT 'it\'s', 'b'", r"SELECT E'it\'s', 'b'"),
        (r"SELECT 'a''b\\'", r"SELECT E'a''b\\'"),
        ("SELECT 'a'\n  -- more\n  'b\\n'", "SELECT E'a'\n  -- more\n  'b\\n'"),
        (r"SELECT date'2020\55 01'", r"SELECT date E'2020\55 01'"),
        (r"SELECT N'\x41', n'b'", r"SELECT NCHAR E'\x41', n'b'"),
        (r"SELECT E'a\'b', e'\\'", r"SELECT E'a\'b', e'\\'"),
        (r"SELECT B'01', x'ff', '\t'", r"SELECT B'01', x'ff', E'\t'"),
        (r"SELECT $$it\'s$$, $t$ '\' $t$", r"SELECT $$it\'s$$, $t$ '\' $t$"),
        (r'SELECT "a\", "b""\" ', r'SELECT "a\", "b""\" '),
        ("SELECT 1 -- it\\'s\n, '\\''", "SELECT 1 -- it\\'s\n, E'\\''"),
        (r"SELECT /* ' /* \' */ ' */ '\''", r"SELECT /* ' /* \' */ ' */ E'\''"),
        (r"SELECT 'unfinished\'", r"SELECT 'unfinished\'"),
        (r"SELECT col$1'\n'", r"SELECT col$1 E'\n'"),
    ],
)
def test_a_constant_with_a_backslash_gets_its_escapes(text: str, expected: str) -> None:
    assert conforming(text) == expected


def test_the_parser_reads_what_the_session_meant() -> None:
    (statement,) = parse_sql(conforming(r"SELECT 'Chidi O\'Hanlon', 'a\100b', N'\\'"))
    values = [target.val for target in statement.stmt.targetList]
    assert [RawStream()(value) for value in values[:2]] == ["'Chidi O''Hanlon'", "'a@b'"]
    assert values[2].arg.val.sval == "\\"


def test_unicode_escapes_are_as_unsafe_as_postgresql_finds_them() -> None:
    with pytest.raises(Refused, match="unsafe use of string constant with Unicode escapes") as raised:
        conforming("SELECT U&'\\0061'")
    assert raised.value.position == 8
