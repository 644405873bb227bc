"""columns.yaml: what a policy may say, and how a mistake in it is reported."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.config import Policy, Scheme, SealedColumn, load_policy
from proxy.errors import ConfigError
from proxy.pgtypes import FACTS, Family, parse_type

EXAMPLE = Path(__file__).parents[2] / "config" / "columns.yaml"


@pytest.fixture
def write(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "columns.yaml"
        path.write_text(text)
        return path

    return write


def table(columns: str, database: str = "shop") -> str:
    body = "".join(f"    {line}\n" for line in columns.splitlines())
    return f"{database}:\n  public.t:\n{body}"


def test_the_example_is_a_policy() -> None:
    policy = load_policy(EXAMPLE).for_database("shop")
    assert set(policy.tables) == {("public", "customers"), ("public", "calls")}
    phone = policy.column("public", "customers", "phone")
    assert phone is not None
    assert phone.domain == "join:phones" == policy.tables["public", "calls"]["phone"].domain


def test_a_column_carries_everything_its_entry_says(write) -> None:
    path = write(table("Email: {type: varchar(24), search: order, max_length: 24, id: old.name.here, pending: true}"))
    assert load_policy(path) == Policy(
        (
            SealedColumn(
                "shop", "public", "t", "Email", parse_type("varchar(24)"), Scheme.ORDER, "old.name.here", 24, True
            ),
        ),
        path,
    )
    assert load_policy(path).columns[0].line == 3


def test_the_defaults_are_random_not_pending_and_the_column_as_its_own_domain(write) -> None:
    (column,) = load_policy(write(table("notes: {type: text}"))).columns
    assert (column.scheme, column.search, column.domain) == (Scheme.RANDOM, "none", "public.t.notes")
    assert (column.max_length, column.pending) == (None, False)


@pytest.mark.parametrize("text", ["", "# nothing\n", "shop:\n", "shop:\n  public.t:\n", "{}"])
def test_an_empty_file_or_branch_is_an_empty_policy(write, text: str) -> None:
    assert load_policy(write(text)).columns == ()
    assert not load_policy(write(text)).for_database("shop")


def test_names_are_taken_as_they_are_written_whatever_yaml_makes_of_them(write) -> None:
    policy = load_policy(write("on:\n  no.1:\n    null: {type: text}\n    Öl und Gas: {type: text}\n"))
    assert [(c.database, c.schema, c.table, c.column) for c in policy.columns] == [
        ("on", "no", "1", "null"),
        ("on", "no", "1", "Öl und Gas"),
    ]


def test_an_entry_of_the_database_wins_over_the_same_entry_of_any_database(write) -> None:
    text = table("a: {type: text}\nb: {type: date}", '"*"') + table("a: {type: integer, search: order, id: x}")
    policy = load_policy(write(text))
    own = policy.for_database("shop")
    assert own.table("public", "t")["a"].type == parse_type("integer")
    assert own.table("public", "t")["b"].type == parse_type("date")
    assert policy.for_database("other").table("public", "t")["a"].type == parse_type("text")


SUPPORTED = {
    "none": {facts.family for facts in FACTS},
    "equality": {facts.family for facts in FACTS} - {Family.JSON, Family.JSONB},
    "order": {facts.family for facts in FACTS} - {Family.JSON, Family.JSONB, Family.BYTEA},
}


@pytest.mark.parametrize("search", SUPPORTED)
@pytest.mark.parametrize("facts", FACTS, ids=lambda facts: facts.name)
def test_a_type_takes_the_searches_that_its_ciphertext_can_answer(write, facts, search: str) -> None:
    name = {"numeric": "numeric(38,2)", "character": "char(8)"}.get(facts.name, facts.name)
    bounded = ", max_length: 8" if search == "order" and facts.family in (Family.TEXT, Family.CHAR) else ""
    path = write(table(f'c: {{type: "{name}", search: {search}{bounded}}}'))
    array = write(table(f'c: {{type: "{name}[]", search: {search}}}'))
    if search == "none":
        assert load_policy(array).columns[0].type.is_array
    else:
        with pytest.raises(ConfigError, match=r'\[\] does not support "\w+"; use none$'):
            load_policy(array)
    path = write(table(f'c: {{type: "{name}", search: {search}{bounded}}}'))
    if facts.family in SUPPORTED[search]:
        assert load_policy(path).columns[0].search == search
    else:
        with pytest.raises(ConfigError, match=rf'{facts.name} does not support "{search}"; use none'):
            load_policy(path)


@pytest.mark.parametrize(
    ("columns", "line", "key", "message"),
    [
        ("a: {typ: text}", 3, "a.typ", 'unknown key; did you mean "type"?'),
        ("a: {search: none}", 3, "a", '"type" is missing'),
        ("a:", 3, "a", '"type" is missing'),
        ("a: text", 3, "a", "must be a mapping such as {type: text, search: equality}"),
        ("a: {type: money}", 3, "a.type", "unknown type 'money'; supported: bigint, boolean, "),
        ("a: {type: 5}", 3, "a.type", "must be text"),
        ("a: {type: varchar(0)}", 3, "a.type", "takes one length from 1 to 10485760"),
        ("a: {type: numeric(12,2), search: order}", 3, "a.2)", 'in quotes: type: "numeric(12,2)"'),
        ("a:\n  type: text\n  search: equal", 5, "a.search", 'none, equality, order; did you mean "equality"?'),
        ("a: {type: text, search: no}", 3, "a.search", "must be one of none, equality, order"),
        ("a: {type: numeric, search: order}", 3, "a.search", "numeric(p,s) with a precision up to 38 does"),
        ('a: {type: "numeric(39,0)", search: order}', 3, "a.search", 'numeric(39,0) does not support "order"'),
        ("a: {type: text, search: order}", 3, "a", '"max_length" is missing: text with "search: order" needs'),
        ("a: {type: char(4), search: order}", 3, "a", '"max_length" is missing: character(4) with'),
        ("a: {type: text, search: order, max_length: 65}", 3, "a.max_length", "a whole number from 1 to 64"),
        ("a: {type: text, search: order, max_length: 0}", 3, "a.max_length", "a whole number from 1 to 64"),
        ("a: {type: text, max_length: 8}", 3, "a.max_length", "is for text, varchar(n) and char(n) with"),
        ("a: {type: date, search: order, max_length: 8}", 3, "a.max_length", "is for text, varchar(n) and char(n)"),
        ("a: {type: text, join: x}", 3, "a.join", 'needs "search: equality" or "search: order"'),
        ("a: {type: text, search: equality, join: 7}", 3, "a.join", "must be text"),
        ("a: {type: text, search: equality, join: ' x'}", 3, "a.join", "must be printable"),
        ('a: {type: text, id: "join:x"}', 3, "a.id", 'must not start with "join:"'),
        ("a: {type: text, id: " + "x" * 256 + "}", 3, "a.id", "at most 255 bytes"),
        ("a: {type: text, pending: 1}", 3, "a.pending", "must be true or false"),
        ("a: {type: text}\nb: {type: text, id: public.t.a}", 4, "b.id", "is that of public.t.a in line 3 already"),
        ("a: {type: text}\na: {type: text}", 4, "a", "stands twice; the first is in line 3"),
        ("ctid: {type: text}", 3, "ctid", "is a system column"),
        ("'': {type: text}", 3, "", "the column name is empty"),
        ("'\"A\"': {type: text}", 3, '"A"', "without double quotes"),
        ("' a': {type: text}", 3, " a", "starts or ends with a space"),
        ("ä" * 32 + ": {type: text}", 3, "ä" * 32, "has 64 bytes; PostgreSQL's names end at 63"),
    ],
)
def test_a_mistake_in_a_column_is_named_with_file_line_and_key(write, columns, line, key, message) -> None:
    path = write(table(columns))
    with pytest.raises(ConfigError) as caught:
        load_policy(path)
    error = caught.value
    assert (error.path, error.line, error.key) == (path, line, f"shop.public.t.{key}")
    assert message in error.message


@pytest.mark.parametrize(
    ("text", "line", "key", "message"),
    [
        ("shop:\n  customers:", 2, "shop.customers", 'without its schema; write "public.customers"'),
        ("shop:\n  a.b.c:", 2, "shop.a.b.c", "with one dot"),
        ("shop:\n  .t:", 2, "shop..t", "the schema name is empty"),
        ("shop:\n  pg_catalog.t:", 2, "shop.pg_catalog.t", 'columns of schema "pg_catalog" cannot be sealed'),
        ("shop:\n  sealwire.t:", 2, "shop.sealwire.t", 'columns of schema "sealwire" cannot be sealed'),
        ("shop:\n  public.t: [a]", 2, "shop.public.t", "must be a mapping: column -> {type: ...}"),
        ("shop: text", 1, "shop", "must be a mapping: schema.table -> column"),
        ("- shop", None, None, "must be a mapping: database -> schema.table -> column"),
        ("shop:\nweb:\nshop:", 3, "shop", "stands twice; the first is in line 1"),
        ("shop:\n  a.b:\n  a.b:", 3, "shop.a.b", "stands twice; the first is in line 2"),
        ("shop:\n\ta.b:", 2, None, "not YAML: found character '\\t' that cannot start any token"),
    ],
)
def test_a_mistake_above_the_columns_is_named_with_file_line_and_key(write, text, line, key, message) -> None:
    path = write(text)
    with pytest.raises(ConfigError) as caught:
        load_policy(path)
    error = caught.value
    assert (error.path, error.line, error.key) == (path, line, key)
    assert message in error.message


@pytest.mark.parametrize(
    ("first", "second", "what"),
    [
        ("type: text, search: equality", "type: bigint, search: equality", "type family: bigint here, text for"),
        ("type: text, search: equality", "type: char(9), search: equality", "type family: char here, text for"),
        ("type: integer, search: equality", "type: integer, search: order", "search: order here, equality for"),
        ('type: "numeric(9,2)", search: order', 'type: "numeric(9,3)", search: order', "precision and scale: (9, 3)"),
        ("type: numeric, search: equality", 'type: "numeric(9,3)", search: equality', "precision and scale: (9, 3)"),
        (
            "type: text, search: order, max_length: 8",
            "type: text, search: order, max_length: 9",
            "max_length: 9 here, 8 for",
        ),
    ],
)
def test_columns_of_one_join_must_be_comparable(write, first: str, second: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_policy(write(table(f"a: {{{first}, join: j}}\nb: {{{second}, join: j}}")))
    assert caught.value.line == 4
    assert what in caught.value.message
    assert caught.value.message.endswith("for public.t.a in line 3")


def test_a_join_may_differ_in_length_and_between_databases(write) -> None:
    same = "a: {type: varchar(9), search: equality, join: j}\nb: {type: text, search: equality, join: j}"
    other = table("a: {type: bigint, search: order, join: j}", "web")
    assert len(load_policy(write(table(same) + other)).columns) == 3


def test_a_join_holds_between_a_database_and_any_database(write) -> None:
    wild = '"*":\n  public.u:\n    a: {type: bigint, search: equality, join: j}\n'
    with pytest.raises(ConfigError, match="needs one type family"):
        load_policy(write(table("a: {type: text, search: equality, join: j}") + wild))


def test_a_missing_policy_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"columns\.yaml: no such file$"):
        load_policy(tmp_path / "columns.yaml")


@given(st.text(alphabet=st.sampled_from("ab: {}[]\n-\"'.,*&!|>%@`?#\t(1)"), max_size=60))
def test_any_text_is_a_policy_or_one_config_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text("d:\n s.t:\n  c: " + text)
    with contextlib.suppress(ConfigError):
        load_policy(path)
        return
    with pytest.raises(ConfigError) as caught:
        load_policy(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_the_command_for_columns_is_one_that_a_shell_takes(write) -> None:
    policy = load_policy(write(table("a: {type: text}\nodd col$: {type: text}") + table("a: {type: text}", '"*"')))
    first, second = policy.for_database("shop").tables["public", "t"].values()
    assert first.command("reseal", second) == "sealwire reseal shop public.t.a 'public.t.odd col$'"
    assert (
        policy.for_database("other").tables["public", "t"]["a"].command("seal") == "sealwire seal DATABASE public.t.a"
    )
