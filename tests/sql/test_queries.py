"""What the analysis makes of queries and data changes, read statement by statement.

`{table.column use 'text'::source::casts}` stands for a sealed literal.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pglast import parse_sql

from proxy.config import Scheme
from proxy.errors import Refused
from proxy.pgtypes import BY_NAME, SqlType
from proxy.sql import analyse as analyse_text
from proxy.sql.arrays import array_elements
from proxy.sql.catalog import SearchPath
from proxy.sql.context import Context
from proxy.sql.conversions import BOOLEAN
from proxy.sql.expressions import analyse_expression
from proxy.sql.flow import Plain, Slot
from proxy.sql.patterns import split_pattern
from proxy.sql.plan import Failure, ServerParam, Use
from proxy.sql.scopes import scope_of_relation
from tests.sql.query_catalog import CATALOG, POLICY, analyse, build, opened, relation, spell

OID = {"text": 25, "varchar": 1043, "int4": 23, "int8": 20, "date": 1082, "interval": 1186, "text[]": 1009}

REWRITTEN = [
    # literals take the column, and the type that PostgreSQL gives them
    ("WHERE email = 'a'", "WHERE email = {customers.email compare 'a'}"),
    ("WHERE 'a' <> email", "WHERE {customers.email compare 'a'} <> email"),
    ("WHERE email = e'\\x41'", "WHERE email = {customers.email compare 'A'}"),
    ("WHERE email = U&'\\0061'", "WHERE email = {customers.email compare 'a'}"),
    ("WHERE email = $x$it's$x$", 'WHERE email = {customers.email compare "it\'s"}'),
    ("WHERE email = 'a'::varchar(3)",
     "WHERE email = {customers.email compare 'a'::character varying::character varying(3)}"),
    ("WHERE email = varchar 'a'", "WHERE email = {customers.email compare 'a'::character varying}"),
    ("WHERE points = -5", "WHERE points = {customers.points compare '-5'::integer}"),
    ("WHERE points = 3000000000", "WHERE points = {customers.points compare '3000000000'::bigint}"),
    ("WHERE points = 1_000", "WHERE points = {customers.points compare '1000'::integer}"),
    ("WHERE points = 0x10000000000", "WHERE points = {customers.points compare '1099511627776'::bigint}"),
    ("WHERE points = 5::smallint", "WHERE points = {customers.points compare '5'::integer::smallint}"),
    ("WHERE balance >= 1.50", "WHERE balance >= {customers.balance compare '1.50'::numeric}"),
    ("WHERE active = false", "WHERE active = {customers.active compare 'false'::boolean}"),
    ("WHERE born < timestamp '2000-01-01'",
     "WHERE born < {customers.born compare '2000-01-01'::timestamp without time zone}"),
    ("WHERE email = NULL", None),
    ("WHERE email = NULL::text", "WHERE email = CAST(NULL AS pg_catalog.bytea)"),
    # operators
    ("WHERE email IN ('a', 'b')", "WHERE email IN ({customers.email compare 'a'}, {customers.email compare 'b'})"),
    ("WHERE nick = ANY ('{\"b,c\"}')",
     "WHERE nick = ANY(CAST(ARRAY[{customers.nick compare 'b,c'}] AS pg_catalog.bytea[]))"),
    ("WHERE email <> ALL (ARRAY['a', 'b'])",
     "WHERE email <> ALL(ARRAY[{customers.email compare 'a'::text}, {customers.email compare 'b'::text}])"),
    ("WHERE born NOT BETWEEN '2000-01-01' AND '2001-01-01'",
     "WHERE born NOT BETWEEN {customers.born compare '2000-01-01'} AND {customers.born compare '2001-01-01'}"),
    ("WHERE (email, id) = ('a', 1)", "WHERE (email, id) = ({customers.email compare 'a'}, 1)"),
    ("WHERE email IS NOT DISTINCT FROM 'a'", "WHERE email IS NOT DISTINCT FROM {customers.email compare 'a'}"),
    ("WHERE nick LIKE 'ab%'",
     "WHERE nick >= {customers.nick prefix low 'ab'} AND nick < {customers.nick prefix high 'ab'}"),
    ("WHERE email LIKE 'a\\_b'", "WHERE email = {customers.email compare 'a_b'}"),
    ("WHERE email::text = 'a' AND phone::varchar = 'b'",
     "WHERE email = {customers.email compare 'a'} AND phone = {customers.phone compare 'b'}"),
    ("WHERE NOT active", "WHERE NOT active = {customers.active compare 'true'::boolean}"),
    ("WHERE active IS NOT TRUE", "WHERE active = {customers.active compare 'true'::boolean} IS NOT TRUE"),
    # values that stand beside stored ones
    ("WHERE coalesce(email, 'a') = 'b'",
     "WHERE COALESCE(email, {customers.email rank 'a'}) = {customers.email compare 'b'}"),
    ("ORDER BY greatest(born, '2000-01-01')", "ORDER BY GREATEST(born, {customers.born rank '2000-01-01'})"),
    ("WHERE email = (SELECT 'a')", "WHERE email = (SELECT {customers.email rank 'a'::text} AS \"?column?\")"),
]  # fmt: skip


@pytest.mark.parametrize(("clause", "expected"), REWRITTEN)
def test_a_literal_that_meets_a_sealed_column_is_sealed_for_it(clause: str, expected: str | None) -> None:
    sql = analyse(f"SELECT id FROM customers {clause}").sql
    assert sql == (None if expected is None else f"SELECT id FROM customers {expected}")


REFUSED = [
    ("WHERE email < 'a'", 'cannot be compared with "<"', "search: order"),
    ("WHERE notes = 'a'", 'cannot be compared with "="', 'set "search: equality"'),
    ("WHERE lower(email) = 'a'", 'passed to function "lower"', "column of its own"),
    ("WHERE email || 'x' = 'ax'", 'used with operator "||"', "application"),
    ("WHERE email = name", "an expression that the server computes", "parameter"),
    ("WHERE born = current_date", "an expression that the server computes", "parameter"),
    ("WHERE born > now() - interval '1 day'", "an expression that the server computes", "parameter"),
    ("WHERE email LIKE '%a'", "matched with LIKE", "prefix"),
    ("WHERE email LIKE 'a%'", "matched with LIKE", "search: order"),
    ("WHERE nick ILIKE 'a%'", "matched with ILIKE", "prefix"),
    ("WHERE nick ~ 'a'", 'operator "~"', "application"),
    ("WHERE email", "used as a condition", "application"),
    ("WHERE coalesce(code, 'a') = 'a'", "values of other lengths", "application"),
    ("WHERE email COLLATE \"de_DE\" = 'a'", "given a collation", "COLLATE"),
    ("WHERE born::text = 'a'", "cannot be cast to text", "application"),
    ("WHERE phone::varchar(3) = 'a'", "cannot be cast to character varying(3)", "application"),
    ("WHERE email::bytea = 'a'", "cannot be cast to bytea", "application"),
    ("WHERE email = phone", "different keys", "join:"),
    ("WHERE customers = customers", "cannot be compared", "search: equality"),
    ("ORDER BY email", "cannot be sorted", "search: order"),
    ("ORDER BY 1, notes", "cannot be sorted", "search: order"),
    ("GROUP BY id, notes", "used in GROUP BY", "search: equality"),
    ("GROUP BY id HAVING max(email) = 'a'", "used with max()", "search: order"),
    ("GROUP BY id HAVING sum(balance) > 1", 'function "sum"', "application"),
    ("WHERE coalesce(points, 1.5) = 1", "would be converted to numeric", "cast"),
]


@pytest.mark.parametrize(("clause", "message", "hint"), REFUSED)
def test_what_ciphertext_cannot_do_is_refused_with_a_way_out(clause: str, message: str, hint: str) -> None:
    with pytest.raises(Refused) as refused:
        analyse(f"SELECT id FROM customers {clause}")
    assert refused.value.sqlstate == "0A000"
    assert message in refused.value.message
    assert hint in (refused.value.hint or "")


def test_a_refusal_reads_like_an_error_of_postgresql() -> None:
    with pytest.raises(Refused) as refused:
        analyse("SELECT * FROM customers WHERE notes = 'a'")
    assert refused.value.message == (
        'column "public.customers.notes" is sealed with search: none and cannot be compared with "="'
    )
    assert refused.value.hint == (
        'set "search: equality" for it in columns.yaml and run: sealwire reseal shop public.customers.notes'
    )
    assert refused.value.position == 37


def test_positions_count_characters_not_bytes() -> None:
    with pytest.raises(Refused) as refused:
        analyse("SELECT 'äöü€', nosuch FROM customers")
    assert (refused.value.sqlstate, refused.value.position) == ("42703", 16)


@pytest.mark.parametrize(
    ("statement", "sqlstate"),
    [
        ("SELECT id FROM customers WHERE phone = 5", "42883"),
        ("SELECT coalesce(email, 5) FROM customers", "42804"),
        ("INSERT INTO customers (born) VALUES (5)", "42804"),
        ("INSERT INTO customers (born) SELECT '2000-01-01' UNION ALL SELECT '2000-01-02'", "42804"),
        ("INSERT INTO customers (email, phone) VALUES ($1, $1)", "42P08"),
        ("SELECT id FROM customers WHERE $1 IS NULL OR email = $1", "42P08"),
        ("SELECT id FROM customers WHERE email = 'a'::varchar(0)", "22023"),
    ],
)
def test_what_postgresql_would_not_accept_gets_its_sqlstate(statement: str, sqlstate: str) -> None:
    with pytest.raises(Refused) as refused:
        analyse(statement)
    assert refused.value.sqlstate == sqlstate


# parameters


def numbers(statement: str, param_types: tuple[int, ...] = ()) -> tuple[str, list[tuple[int, str | None]]]:
    analysed = analyse(statement, param_types)
    params = [(p.client + 1, spell(p.sealing, "") if p.sealing else None) for p in analysed.params or ()]
    return analysed.tree.partition(" WHERE ")[2], params


def test_a_parameter_that_meets_one_column_keeps_its_number() -> None:
    assert numbers("SELECT id FROM customers WHERE email = $1 AND id = $2 AND email <> $1") == (
        "email = $1 AND id = $2 AND email <> $1",
        [(1, "{customers.email compare }"), (2, None)],
    )


def test_a_parameter_that_meets_sealed_and_plain_becomes_two() -> None:
    assert numbers("SELECT id FROM customers WHERE name = $1 AND email = $1 AND id = $2 AND name <> $1") == (
        "name = $1 AND email = $3 AND id = $2 AND name <> $1",
        [(1, None), (2, None), (1, "{customers.email compare }")],
    )


def test_a_parameter_that_meets_two_domains_becomes_two() -> None:
    assert numbers("SELECT id FROM customers WHERE email = $1 OR phone = $1") == (
        "email = $1 OR phone = $2",
        [(1, "{customers.email compare }"), (1, "{customers.phone compare }")],
    )


def test_a_parameter_that_is_only_tested_for_null_follows_its_other_use() -> None:
    assert numbers("SELECT id FROM customers WHERE $1::text IS NULL OR email = $1") == (
        "$1 IS NULL OR email = $1",
        [(1, "{customers.email compare }")],
    )


def test_a_cast_around_a_sealed_parameter_becomes_the_type_of_the_client_and_leaves_the_sql() -> None:
    text, params = numbers("SELECT id FROM customers WHERE phone = $1::varchar(5)::text")
    assert text == "phone = $1"
    assert params == [(1, "{customers.phone compare ::character varying::character varying(5)::text}")]


def test_a_declared_type_wins_over_a_cast() -> None:
    assert numbers("SELECT id FROM customers WHERE points = $1::bigint", (OID["int4"],))[1] == [
        (1, "{customers.points compare ::integer::bigint}")
    ]


def test_declared_types_of_unused_parameters_keep_their_places() -> None:
    params = analyse("SELECT id FROM customers WHERE email = $2", (OID["int4"], OID["text"])).params
    assert params is not None
    assert params[0] == ServerParam(0)
    assert params[1].sealing is not None
    assert params[1].sealing.source == SqlType(BY_NAME["text"])


def test_an_array_parameter_is_sealed_element_by_element() -> None:
    params = analyse("SELECT id FROM customers WHERE phone = ANY ($1)").params
    assert params is not None
    assert params[0].sealing is not None
    assert params[0].sealing.is_array
    assert params[0].sealing.client_type.oid == OID["text[]"]


def test_a_parameter_declared_as_a_type_that_is_not_supported_is_refused() -> None:
    with pytest.raises(Refused, match="declared type"):
        analyse("SELECT id FROM customers WHERE born = $1", (OID["interval"],))


def test_one_parameter_of_two_possible_types_is_refused() -> None:
    with pytest.raises(Refused, match="whose type may differ"):
        analyse("SELECT id FROM customers WHERE email = $1 OR born = $1")


def test_no_sealed_parameter_means_that_all_pass() -> None:
    assert analyse("SELECT email FROM customers WHERE id = $1").params is None


# results


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT id, name FROM customers", None),
        ("SELECT email, id, phone FROM customers",
         ["customers.email as text", None, "customers.phone as character varying(24)"]),
        ("SELECT c.* FROM contacts c",
         [None, None, "contacts.phone as character varying(24)", "contacts.email as text", None,
          "contacts.mobile as text"]),
        ("SELECT min(born), count(email) FROM customers", ["customers.born as date", None]),
        ("SELECT max(nick), array_agg(phone) FROM customers",
         ["customers.nick as text", "customers.phone as character varying[]"]),
        ("SELECT x.p FROM (SELECT phone p FROM customers) x", ["customers.phone as character varying(24)"]),
        ("SELECT mail FROM elders", ["customers.email as text"]),
        ("SELECT email FROM filtered", ["customers.email as text"]),
        ("SELECT secret FROM later", None),
        ("DELETE FROM customers RETURNING email", ["customers.email as text"]),
        ("UPDATE customers SET id = 1 RETURNING old.born, new.id", ["customers.born as date", None]),
    ],
)  # fmt: skip
def test_sealed_result_columns_are_opened_as_their_own_type(statement: str, expected: list[str | None] | None) -> None:
    assert opened(statement) == expected


def test_a_plain_reference_names_its_table_and_column() -> None:
    results = analyse("SELECT x.phone, coalesce(x.phone, '') FROM (SELECT phone FROM customers) x").results
    assert results is not None
    assert [opening.origin if opening else None for opening in results] == [(relation("customers").oid, 4), None]


def test_old_and_new_are_no_names_before_postgresql_18() -> None:
    with pytest.raises(Refused) as refused:
        analyse("DELETE FROM customers RETURNING old.email", catalog=build(160004)[0])
    assert refused.value.sqlstate == "42P01"


def test_a_name_that_sealing_would_change_is_kept() -> None:
    assert analyse("SELECT coalesce(email, 'x'), (SELECT phone::text) FROM customers").sql == (
        "SELECT COALESCE(email, {customers.email show 'x'}), (SELECT phone) FROM customers"
    )
    assert analyse("SELECT 'x' FROM customers UNION ALL SELECT email FROM customers").sql == (
        "SELECT {customers.email show 'x'} AS \"?column?\" FROM customers UNION ALL SELECT email FROM customers"
    )


# data changes

CHANGES = [
    ("INSERT INTO customers (id, email) VALUES (1, 'a'), (2, DEFAULT)",
     "INSERT INTO customers (id, email) VALUES (1, {customers.email assign 'a'}), (2, DEFAULT)"),
    ("INSERT INTO customers (email) SELECT 'a'",
     "INSERT INTO customers (email) SELECT {customers.email assign 'a'} AS \"?column?\""),
    ("INSERT INTO contacts (phone) SELECT phone FROM customers", None),
    ("INSERT INTO people (mail) VALUES ('a')", "INSERT INTO people (mail) VALUES ({customers.email assign 'a'})"),
    ("UPDATE customers SET (email, id) = ('a', 1)",
     "UPDATE customers SET ( email, id) = ({customers.email assign 'a'}, 1)"),
    ("UPDATE customers SET email = v.e FROM (VALUES ('a')) v(e)",
     "UPDATE customers SET email = v.e FROM ((VALUES ({customers.email assign 'a'::text}))) AS v (e)"),
    ("UPDATE contacts SET mobile = phone", None),
    ("DELETE FROM customers WHERE email = 'a'", "DELETE FROM customers WHERE email = {customers.email compare 'a'}"),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "expected"), CHANGES)
def test_values_are_sealed_for_the_column_that_stores_them(statement: str, expected: str | None) -> None:
    assert analyse(statement).sql == expected


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("INSERT INTO plain_mail (email) SELECT email FROM customers", "stored in plain column"),
        ("INSERT INTO customers (email) SELECT name FROM customers", "cannot be stored"),
        ("INSERT INTO customers (email) VALUES (upper('a'))", "cannot be stored"),
        ("INSERT INTO customers (email) SELECT email FROM contacts", "different keys"),
        ("UPDATE customers SET phone = (SELECT mobile FROM contacts)", "whether it fits"),
        ("UPDATE customers SET balance = balance + 1", 'operator "+"'),
        ("UPDATE filtered SET email = 'a'", "cannot be written through the view"),
        ("UPDATE customers SET email = v.e, name = v.e FROM (VALUES ('a')) v(e)", "also used"),
        ("INSERT INTO customers (notes) SELECT 'a' UNION SELECT 'a'", "grouped or sorted"),
        ("UPDATE raw SET secret = 'a'", "not sealed yet"),
        ("SELECT * FROM broken", "cannot be followed"),
    ],
)
def test_a_change_that_would_mix_sealed_and_plain_is_refused(statement: str, message: str) -> None:
    with pytest.raises(Refused, match=message.replace("+", r"\+")):
        analyse(statement)


def test_a_column_of_literals_is_sealed_for_what_it_meets_as_a_whole() -> None:
    analysed = analyse("WITH v(e) AS (VALUES ('a'), ('b')) SELECT v.e FROM v JOIN customers c ON c.email = v.e")
    assert [slot.sealing.use for slot in analysed.literals] == [Use.CARRY, Use.CARRY]
    assert analysed.results is not None


def test_a_column_of_literals_that_is_used_both_ways_is_refused() -> None:
    with pytest.raises(Refused, match="also used where a plain value is needed"):
        analyse("SELECT upper(v.e) FROM (VALUES ('a')) v(e) JOIN customers c ON c.id = 1 WHERE c.email = v.e")


def test_tables_with_sealed_columns_are_named_in_the_plan() -> None:
    context = analyse("SELECT 1 FROM orders o JOIN people p ON p.nr = o.id").context
    assert context.tables == {relation("customers").oid, relation("people").oid}


@pytest.mark.parametrize(
    ("shadowing", "path", "refused"),
    [
        ((), ("public", "pg_catalog"), False),
        (("public",), ("public", "pg_catalog"), True),
        (("public",), ("pg_catalog", "public"), False),
        (("pg_temp_3",), ("pg_temp_3", "pg_catalog", "public"), True),
    ],
)
def test_a_schema_before_pg_catalog_must_not_hold_operators_functions_or_types_of_the_same_names(
    shadowing: tuple[str, ...], path: tuple[str, ...], refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CATALOG, "shadowing", frozenset(shadowing))
    text = "SELECT count(email) FROM public.customers"
    (found,) = analyse_text(text, catalog=CATALOG, path=SearchPath(path), policy=POLICY)
    assert isinstance(found, Failure) is refused
    if isinstance(found, Failure):
        assert "is before pg_catalog on the search_path" in str(found.error)


def test_a_lone_expression_is_analysed_over_one_table() -> None:
    text = "SELECT 1 WHERE email <> 'a' AND id > 0"
    statement = parse_sql(text)[0].stmt
    context = Context(text, CATALOG, SearchPath(), POLICY)
    scope = scope_of_relation(context, relation("customers"))
    assert analyse_expression(context, Slot(statement, "whereClause"), scope) == Plain(BOOLEAN)
    assert [slot.text for slot in context.literals] == ["a"]


def test_a_marker_cannot_be_known_in_advance() -> None:
    assert analyse("VALUES (1)").context.marker(0) != analyse("VALUES (1)").context.marker(0)


def test_the_catalog_of_these_tests_has_one_column_of_each_scheme() -> None:
    columns = CATALOG.by_name["public", "customers"].attributes
    assert {"email", "born", "notes"} <= {attribute.name for attribute in columns}
    assert len(Scheme) == 3


# the small parsers

_WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6)


@settings(max_examples=150)
@given(st.lists(st.one_of(st.none(), _WORDS), max_size=5))
def test_an_array_literal_is_read_as_array_out_writes_it(elements: list[str | None]) -> None:
    quoted = ["NULL" if e is None else '"' + e.replace("\\", "\\\\").replace('"', '\\"') + '"' for e in elements]
    assert array_elements("{" + ",".join(quoted) + "}") == elements


@pytest.mark.parametrize("text", ["", "a", "{a", "{{a}}", "{a,}", "{,a}", '{"a}', '{"a"b}', "[0:1]={a,b}", "{a}b}"])
def test_an_array_literal_of_another_form_is_not_read(text: str) -> None:
    assert array_elements(text) is None


@settings(max_examples=150)
@given(_WORDS)
def test_an_escaped_pattern_matches_its_text_only(text: str) -> None:
    escaped = "".join("\\" + c if c in "%_\\" else c for c in text)
    assert split_pattern(escaped, "\\") == (text, False)
    assert split_pattern(escaped + "%%", "\\") == (text, True)


@pytest.mark.parametrize("pattern", ["%a", "a%b", "a_", "a\\"])
def test_other_patterns_are_no_prefix(pattern: str) -> None:
    assert split_pattern(pattern, "\\") is None
