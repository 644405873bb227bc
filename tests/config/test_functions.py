"""`functions:` in columns.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.config import DeclaredFunction, load_policy
from proxy.errors import ConfigError

COLUMNS = "shop:\n  public.t:\n    email: {type: text}\n"


def load(tmp_path: Path, functions: str) -> tuple[DeclaredFunction, ...]:
    path = tmp_path / "columns.yaml"
    path.write_text(COLUMNS + "  functions:\n" + "".join(f"    {line}\n" for line in functions.splitlines()))
    return load_policy(path).functions


def test_arguments_and_results_keep_their_order(tmp_path: Path) -> None:
    text = "public.f:\n  arguments: {b: plain, a: public.t.email}\n  result: {id: plain, mail: public.t.email}\n"
    assert load(tmp_path, text + "public.g: {result: public.t.email}\npublic.h:") == (
        DeclaredFunction(
            "shop",
            "public",
            "f",
            (("b", "plain"), ("a", "public.t.email")),
            (("id", "plain"), ("mail", "public.t.email")),
        ),
        DeclaredFunction("shop", "public", "g", (), "public.t.email"),
        DeclaredFunction("shop", "public", "h"),
    )


def test_a_database_has_its_own_functions_and_those_of_any(tmp_path: Path) -> None:
    path = tmp_path / "columns.yaml"
    path.write_text(
        '"*":\n  public.t:\n    email: {type: text}\n  functions:\n    public.f: {result: public.t.email}\n'
        "shop:\n  functions:\n    public.g: {result: public.t.email}\n"
    )
    policy = load_policy(path)
    assert set(policy.for_database("shop").functions) == {("public", "f"), ("public", "g")}
    assert set(policy.for_database("other").functions) == {("public", "f")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("f: {}", "schema.function"),
        ("public.f: {argument: {}}", 'unknown key; did you mean "arguments"'),
        ("public.f: {result: public.t.emial}", 'did you mean "public.t.email"'),
        ("public.f: {arguments: {a: sealed}}", "neither"),
        ("public.f: {arguments: [plain]}", "must be a mapping"),
    ],
)
def test_mistakes_are_reported_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        load(tmp_path, text)
    assert error.value.line == 5
