"""Do the logs that the role may read hold plain values of sealed columns? Statements from before a column was sealed,
or by somebody who writes around the proxy, stay in them.

Looked at are the server's collected log files, the statements that sessions ran last (pg_stat_activity), and the texts
that pg_stat_statements keeps. Values are looked for as they stand in SQL text; none is ever part of a result.
Source: manual, "Error Reporting and Logging", "System Administration Functions", "The Cumulative Statistics System".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import asyncpg

from proxy.pgtypes import Family, SqlType

if TYPE_CHECKING:
    from proxy.ops.database import Connection

SAMPLES: Final = 100
"""Values of one column that are looked for."""
LOG_BYTES: Final = 32 * 1024 * 1024
"""How much of the server's log is read, the newest first."""
_CHUNK: Final = 4 * 1024 * 1024
_SHORTEST, _LONGEST = 6, 200
_TELLING: Final = frozenset({Family.TEXT, Family.CHAR, Family.UUID, Family.JSON, Family.BYTEA})
_HIDDEN: Final = "<insufficient privilege>"


@dataclass(slots=True)
class LogSearch:
    """What was looked at. `hits`: column -> source -> how many of its values were found there."""

    searched: list[str] = field(default_factory=list)
    not_searched: list[str] = field(default_factory=list)
    """`source: reason`."""
    looked_for: dict[str, int] = field(default_factory=dict)
    """Column -> values."""
    hits: dict[str, dict[str, int]] = field(default_factory=dict)


def is_telling(kind: SqlType) -> bool:
    """Whether a value of the type can be told from other text of a log; numbers and dates cannot."""
    return kind.family in _TELLING and not kind.is_array


def spellings(values: Collection[bytes]) -> dict[bytes, bytes]:
    """How values stand in SQL text and in messages -> the value. Those too short to tell anything are left out."""
    found = {}
    for value in values:
        if _SHORTEST <= len(value) <= _LONGEST:
            found[value] = found[value.replace(b"'", b"''")] = value
    return found


def found_in(text: bytes, wanted: Mapping[bytes, bytes]) -> set[bytes]:
    """The values whose spellings stand in `text` on their own, not inside a longer word."""
    return {value for spelling, value in wanted.items() if _stands_in(text, spelling)}


def _stands_in(text: bytes, spelling: bytes) -> bool:
    at = text.find(spelling)
    while at >= 0:
        around = text[at - 1 : at] + text[at + len(spelling) : at + len(spelling) + 1]
        if not any(chr(byte).isalnum() for byte in around):
            return True
        at = text.find(spelling, at + 1)
    return False


async def search_logs(connection: Connection, wanted: Mapping[str, Collection[bytes]]) -> LogSearch:
    """`wanted`: column -> values as text in UTF-8. Raises nothing for a source that cannot be read: it is named."""
    search = LogSearch()
    patterns = {column: spellings(values) for column, values in wanted.items()}
    search.looked_for = {column: len(set(its.values())) for column, its in patterns.items()}
    for source, look in (
        ("server log", _server_log),
        ("pg_stat_activity", _activity),
        ("pg_stat_statements", _statements),
    ):
        try:
            await look(connection, search, patterns)
        except asyncpg.InsufficientPrivilegeError:
            search.not_searched.append(f"{source}: {_NEEDS[source]}")
        except asyncpg.PostgresError as error:
            search.not_searched.append(f"{source}: SQLSTATE {error.sqlstate}")
    return search


_NEEDS: Final = {
    "server log": "the role may not read it; that takes a superuser, or pg_monitor, pg_read_server_files and EXECUTE on"
    " pg_read_binary_file(text, bigint, bigint)",
    "pg_stat_activity": "the role may not read it",
    "pg_stat_statements": "the role may not read it",
}


def _note(search: LogSearch, source: str, text: bytes, patterns: Mapping[str, Mapping[bytes, bytes]]) -> None:
    for column, wanted in patterns.items():
        if count := len(found_in(text, wanted)):
            its = search.hits.setdefault(column, {})
            its[source] = max(its.get(source, 0), count)


async def _server_log(connection: Connection, search: LogSearch, patterns: Mapping[str, Mapping[bytes, bytes]]) -> None:
    if await connection.fetchval("SELECT current_setting('logging_collector')") != "on":
        search.not_searched.append(
            "server log: the server does not collect it (logging_collector is off); look where its standard error goes"
        )
        return
    directory = await connection.fetchval("SELECT current_setting('log_directory')")
    files = await connection.fetch("SELECT name, size FROM pg_ls_logdir() ORDER BY modification DESC, name DESC")
    left = LOG_BYTES
    for row in files:
        if left <= 0:
            search.not_searched.append(f"server log: files older than the {LOG_BYTES >> 20} MB that were read")
            return
        name, size = row["name"], row["size"]
        for start, length in _chunks(size, left):
            text = await connection.fetchval(
                "SELECT pg_read_binary_file($1, $2, $3)", f"{directory}/{name}", start, length
            )
            _note(search, f"server log {name}", bytes(text), patterns)
        if size > left:
            search.not_searched.append(f"server log {name}: all but its last {left >> 20} MB")
        left -= size
        search.searched.append(f"server log {name}")


def _chunks(size: int, left: int) -> Iterator[tuple[int, int]]:
    """(start, bytes) of the last `left` bytes of a file; each piece begins a little before the end of the last one."""
    start = max(0, size - left)
    while start < size:
        yield start, _CHUNK + 2 * _LONGEST
        start += _CHUNK


async def _activity(connection: Connection, search: LogSearch, patterns: Mapping[str, Mapping[bytes, bytes]]) -> None:
    rows = await connection.fetch("SELECT query FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    _texts(search, "pg_stat_activity", [row["query"] or "" for row in rows], patterns)


async def _statements(connection: Connection, search: LogSearch, patterns: Mapping[str, Mapping[bytes, bytes]]) -> None:
    view = await connection.fetchval(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'query'"
        " WHERE c.relname = 'pg_stat_statements' AND c.relkind = 'v' LIMIT 1"
    )
    if view is None:
        search.not_searched.append("pg_stat_statements: is not installed in this database")
        return
    rows = await connection.fetch(f"SELECT query FROM {view}")  # noqa: S608  # format('%I') has quoted it
    _texts(search, "pg_stat_statements", [row["query"] or "" for row in rows], patterns)


def _texts(
    search: LogSearch, source: str, texts: Collection[str], patterns: Mapping[str, Mapping[bytes, bytes]]
) -> None:
    hidden = sum(text == _HIDDEN for text in texts)
    if hidden:
        search.not_searched.append(f"{source}: {hidden} texts of other roles, which takes pg_read_all_stats")
    _note(search, source, "\n".join(texts).encode(), patterns)
    search.searched.append(source)
