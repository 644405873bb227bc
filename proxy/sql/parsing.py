"""Text -> parsed statements with their places in it, by PostgreSQL's own grammar (libpg_query).

Offsets are those of Python characters: pglast converts libpg_query's bytes. libpg_query builds the tree recursively
in C and does not look at the stack's depth, so `1+1+1+...` of a few ten thousand terms would end the process: long
texts are parsed on a thread whose stack grows with them.

pglast checks and converts every value that is set on a node, also what its own parser has just made: five sixths of
the time of parsing. Importing this module takes that check out of pglast's nodes. A tree that Sealwire edits is proven
by parsing its text again, which compares the types of all values too.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

from pglast import ast, parse_sql
from pglast.parser import ParseError

from proxy.errors import Refused

# Measured: a left-deep chain needs at most 210 bytes of C stack for each of its characters (8 MB last for 40,000
# characters of `+1+1`), and right-deep ones end at the grammar's own 10,000 levels ("memory exhausted").
_SHORT: Final = 10_000
_STACK_PER_CHARACTER: Final = 512
_SMALLEST_STACK: Final = 16 << 20


if "__setattr__" in vars(ast.Node):
    # the only node whose value the parser leaves to be converted
    ast.Boolean.__setattr__ = ast.Node.__setattr__  # type: ignore[method-assign]
    del ast.Node.__setattr__


@dataclass(frozen=True, slots=True)
class Parsed:
    """One statement: `text[start:end]` without the semicolon, from its first token on."""

    start: int
    end: int
    node: ast.Node


def parse(text: str) -> list[Parsed]:
    """All statements of a Query string; none for an empty one, for comments only, for lone semicolons.

    Raises Refused with PostgreSQL's message, SQLSTATE and position: 42601 for a syntax error, 22021 for a NUL
    character, 54001 where a statement is nested too deep to be parsed here.
    """
    if "\0" in text:
        raise Refused('invalid byte sequence for encoding "UTF8": 0x00', sqlstate="22021")
    try:
        raw = parse_sql(text) if len(text) <= _SHORT else _parse_long(text)
    except ParseError as error:
        raise _syntax_error(error, text) from None
    statements = []
    for statement in raw:
        node = statement.stmt
        if node is None:
            continue
        start = statement.stmt_location or 0
        end = start + statement.stmt_len if statement.stmt_len else len(text)  # 0: all that is left
        statements.append(Parsed(start, end, node))
    return statements


def _parse_long(text: str) -> tuple[ast.RawStmt, ...]:
    outcome: list[tuple[ast.RawStmt, ...] | Exception] = []

    def work() -> None:
        try:
            outcome.append(parse_sql(text))
        except Exception as error:
            outcome.append(error)

    before = threading.stack_size(max(_SMALLEST_STACK, -(-len(text) * _STACK_PER_CHARACTER >> 20) << 20))
    try:
        thread = threading.Thread(target=work, name="sealwire-parse")
        thread.start()
    except (RuntimeError, MemoryError):
        raise too_deep() from None
    finally:
        threading.stack_size(before)
    thread.join()
    result = outcome[0]
    if isinstance(result, Exception):
        raise result
    return result


def too_deep() -> Refused:
    """What PostgreSQL says when max_stack_depth is reached."""
    return Refused(
        "stack depth limit exceeded",
        hint="Split the statement, or send its values as parameters or by COPY.",
        sqlstate="54001",
    )


def _syntax_error(error: ParseError, text: str) -> Refused:
    message = str(error.args[0])
    index = error.args[1] if len(error.args) > 1 else None
    if not isinstance(index, int) or index < 0:
        index = len(text) if message.endswith("at end of input") else None
    return Refused(message, position=None if index is None else index + 1, sqlstate="42601")
