"""Every refusal of our own names a way out."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import proxy

PACKAGE = Path(proxy.__file__).parent
SOURCES = sorted(path for area in ("sql", "session") for path in (PACKAGE / area).rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_refusal_has_a_hint_or_is_an_error_of_postgresql(path: Path) -> None:
    calls = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refused"
    ]
    bare = [
        f"line {call.lineno}: {ast.unparse(call)}"
        for call in calls
        if not {"hint", "sqlstate"} & {keyword.arg for keyword in call.keywords}
    ]
    assert bare == []
