"""The house plan of docs and design, held by reading imports: dependencies point downwards only, files stay small."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "proxy").rglob("*.py"))
MAX_LINES = 520

BOTTOM = {"errors", "pgtypes", "config"}
ALLOWED = {
    "errors": set(),
    "pgtypes": {"errors"},
    "config": {"errors", "pgtypes"},
    "kernel": {"errors"},
    "wire": BOTTOM,
    "sql": BOTTOM,
    "crypto": BOTTOM | {"kernel"},
    "session": BOTTOM | {"kernel", "wire", "sql", "crypto"},
    "server": BOTTOM | {"kernel", "wire", "sql", "crypto", "session"},
    "ops": BOTTOM | {"wire", "sql", "crypto", "session"},
    "cli": BOTTOM | {"wire", "sql", "crypto", "session", "server", "ops"},
}
"""Room -> the rooms that it may import, besides itself and the package's own `__version__`."""

ASYNCIO = {"server", "ops", "cli"}
FORBIDDEN = {
    "kernel": {"pglast", "asyncpg", "socket"},
    "crypto": {"pglast", "asyncpg", "socket"},
    "wire": {"pglast", "asyncpg", "socket", "cryptography"},
    "sql": {"asyncpg", "socket", "cryptography"},
    "session": {"asyncpg", "socket"},
}
"""Room -> top-level modules that would break what it is: sans-IO, or without keys, or without SQL."""


def room_of(path: Path) -> str:
    """`proxy/wire/frames.py` -> wire; `proxy/errors.py` -> errors; `proxy/__init__.py` -> the empty string."""
    parts = path.relative_to(ROOT / "proxy").with_suffix("").parts
    return "" if parts == ("__init__",) else parts[0]


def imports_of(path: Path) -> Iterator[str]:
    """Every module that the file imports anywhere in it, also under `if TYPE_CHECKING` and inside functions."""
    package = ["proxy", *path.relative_to(ROOT / "proxy").parent.parts]
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_a_file_imports_only_its_own_room_and_those_below(path: Path) -> None:
    room = room_of(path)
    reached = {name.split(".")[1] for name in imports_of(path) if name.startswith("proxy.")} - {"__version__"}
    allowed = ALLOWED[room] | {room} if room else set()
    assert reached <= allowed, f"{relative(path)} reaches up or sideways into {sorted(reached - allowed)}"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_a_room_without_io_imports_nothing_that_does_io(path: Path) -> None:
    room = room_of(path)
    modules = {name.split(".")[0] for name in imports_of(path)}
    forbidden = FORBIDDEN.get(room, set()) | (set() if room in ASYNCIO else {"asyncio", "uvloop", "selectors"})
    assert not modules & forbidden


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_a_file_is_about_one_thing_and_says_which(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_LINES
    assert ast.get_docstring(ast.parse(text)), "no header docstring"


def test_every_room_of_the_plan_is_known() -> None:
    assert {room_of(path) for path in FILES} - {""} <= set(ALLOWED)
