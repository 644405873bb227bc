"""`scan` over real tables: what it reads, what it proposes, and that no value gets out."""

from __future__ import annotations

import json
from pathlib import Path

import asyncpg
import pytest

from proxy.config import Policy, load_policy
from proxy.ops.database import connect
from proxy.ops.scan import ScanReport, scan
from proxy.ops.scan_detect import Sample, detect
from proxy.ops.scan_policy import as_policy
from proxy.ops.schema import install
from tests.support.servers import Database

PEOPLE = "INSERT INTO people (email) SELECT 'canary' || n || '@example.org' FROM generate_series(1, 40) n"


@pytest.fixture
async def connection(database: Database):
    async with connect(database.dsn) as made:
        yield made


def found(report: ScanReport) -> dict[str, str]:
    return {".".join(each.column.place): each.detection.kind for each in report.proposals}


def policy_of(report: ScanReport, folder: Path) -> Policy:
    (folder / "columns.yaml").write_text(as_policy(report), encoding="utf-8")
    return load_policy(folder / "columns.yaml")


async def test_the_proposal_is_a_policy_for_the_database(
    connection: asyncpg.Connection, database: Database, tmp_path: Path
) -> None:
    await connection.execute(
        "CREATE TABLE people (id int PRIMARY KEY, email varchar(60) UNIQUE, born date, phones text[], iban text,"
        " last_name text, notes jsonb, balance numeric(12,2));"
        "CREATE INDEX ON people (born); CREATE INDEX ON people (last_name);"
        "INSERT INTO people SELECT n, 'a' || n || '@example.org', '1980-01-01', ARRAY['+49 30 12345' || n],"
        " 'DE89370400440532013000', 'Lovelace', '{\"contact\": \"x@example.org\"}', 1 FROM generate_series(1, 40) n"
    )
    policy = policy_of(await scan(connection, sample=100), tmp_path)
    columns = policy.for_database(database.dbname).table("public", "people")
    assert {name: (str(column.type), column.search) for name, column in columns.items()} == {
        "email": ("character varying(60)", "equality"),
        "born": ("date", "order"),
        "phones": ("text[]", "none"),
        "iban": ("text", "none"),
        "last_name": ("text", "equality"),
        "notes": ("jsonb", "none"),
    }
    assert all(column.pending for column in columns.values())


async def test_both_ends_of_a_foreign_key_are_proposed_with_one_join(
    connection: asyncpg.Connection, database: Database, tmp_path: Path
) -> None:
    await connection.execute(
        "CREATE TABLE people (email text PRIMARY KEY);"
        "CREATE TABLE letters (sent_by text REFERENCES people, topic text);"
        "CREATE TABLE copies (of_letter_by varchar(80) REFERENCES people)"
    )
    await connection.execute(PEOPLE)
    columns = policy_of(await scan(connection, sample=100), tmp_path).columns
    assert {column.name for column in columns} == {
        "public.people.email",
        "public.letters.sent_by",
        "public.copies.of_letter_by",
    }
    assert {(column.search, column.domain) for column in columns} == {
        ("equality", "join:public.copies.of_letter_by"),
    }


async def test_several_connections_find_what_one_finds(connection: asyncpg.Connection, database: Database) -> None:
    for n in range(12):
        await connection.execute(
            f"CREATE TABLE t{n} (id int, contact text); INSERT INTO t{n} SELECT i, 'a' || i || '@example.org'"
            " FROM generate_series(1, 50) i"
        )
    async with connect(database.dsn) as second, connect(database.dsn) as third:
        assert await scan(connection, sample=100, others=[second, third]) == await scan(connection, sample=100)
        for one in (second, third):
            assert await one.fetchval("SELECT 1") == 1
        await third.close()
        with pytest.raises(asyncpg.InterfaceError):
            await scan(connection, sample=100, others=[second, third])


async def test_a_type_that_cannot_be_sealed_is_named_and_left_out(
    connection: asyncpg.Connection, tmp_path: Path
) -> None:
    await connection.execute(
        "CREATE DOMAIN mail AS text; CREATE TABLE people (contact mail, last_ip inet, phone text);"
        "INSERT INTO people SELECT 'a' || n || '@example.org', '10.0.0.1', '+49 30 1234567'"
        " FROM generate_series(1, 9) n"
    )
    report = await scan(connection, sample=100)
    assert found(report) == {
        "public.people.contact": "email",
        "public.people.last_ip": "ip",
        "public.people.phone": "phone",
    }
    assert [column.column for column in policy_of(report, tmp_path).columns] == ["phone"]
    assert "public.people.last_ip (ip): inet is not a type that can be sealed" in as_policy(report)


async def test_names_that_need_quotes_are_quoted_and_impossible_ones_left_out(
    connection: asyncpg.Connection, database: Database, tmp_path: Path
) -> None:
    await connection.execute(
        'CREATE SCHEMA "Kunden Daten"; CREATE TABLE "Kunden Daten"."no: yes" ("E-Mail #1" text, "true" text,'
        ' "a""b" text, "zwei\nZeilen" text); CREATE TABLE "dotted.table" (email text);'
    )
    for column in ('"E-Mail #1"', '"true"', '"a""b"', '"zwei\nZeilen"'):
        await connection.execute(
            f'INSERT INTO "Kunden Daten"."no: yes" ({column})'
            " SELECT 'x' || n || '@example.org' FROM generate_series(1, 10) n"
        )
    report = await scan(connection, sample=100)
    columns = policy_of(report, tmp_path).columns
    assert {(column.schema, column.table, column.column) for column in columns} == {
        ("Kunden Daten", "no: yes", "E-Mail #1"),
        ("Kunden Daten", "no: yes", "true"),
        ("Kunden Daten", "no: yes", "zwei\nZeilen"),
    }
    assert len(report.proposals) == 5
    assert {column.database for column in columns} == {database.dbname}


async def test_no_value_is_in_the_report_or_the_proposal(connection: asyncpg.Connection) -> None:
    await connection.execute("CREATE TABLE people (email text, password text, born date, name text)")
    await connection.execute(
        "INSERT INTO people SELECT 'canary' || n || '@example.org', 'canary' || n, '1815-12-10', 'canary'"
        " FROM generate_series(1, 40) n"
    )
    report = await scan(connection, sample=100)
    assert len(report.proposals) == 4
    shown = repr(report) + as_policy(report)
    assert "canary" not in shown
    assert "1815" not in shown


async def test_only_tables_of_users_are_looked_at_and_what_is_sealed_is_left_out(
    connection: asyncpg.Connection,
) -> None:
    await install(connection)
    await connection.execute(
        "CREATE TABLE people (email sealwire.sealed, phone text, region int) PARTITION BY RANGE (region);"
        "CREATE TABLE people_1 PARTITION OF people FOR VALUES FROM (0) TO (9);"
        "CREATE TABLE staff (fax text);"
        "CREATE TABLE managers () INHERITS (staff); CREATE VIEW v AS SELECT phone FROM people;"
        "CREATE TEMP TABLE hidden (email text)"
    )
    report = await scan(connection, sample=10)
    assert found(report) == {"public.people.phone": "phone", "public.staff.fax": "phone"}


async def test_a_sparse_column_is_looked_for_beyond_the_first_rows(connection: asyncpg.Connection) -> None:
    await connection.execute(
        "CREATE TABLE t (id int, x text); INSERT INTO t SELECT n, NULL FROM generate_series(1, 500) n;"
        "INSERT INTO t SELECT n, 'a' || n || '@example.org' FROM generate_series(1, 20) n"
    )
    assert found(await scan(connection, sample=50)) == {"public.t.x": "email"}


async def test_a_large_table_is_sampled_all_over(connection: asyncpg.Connection) -> None:
    await connection.execute(
        "CREATE TABLE t (id int, x text); INSERT INTO t SELECT n, '-' FROM generate_series(1, 2000) n;"
        "INSERT INTO t SELECT n, 'a' || n || '@example.org' FROM generate_series(1, 60000) n; ANALYZE t"
    )
    assert found(await scan(connection, sample=200)) == {"public.t.x": "email"}


async def test_a_table_that_may_not_be_read_is_judged_by_names_and_said_so(connection: asyncpg.Connection) -> None:
    await connection.execute("CREATE TABLE people (email text, x text)")
    await connection.execute(PEOPLE)
    await connection.execute("CREATE ROLE scan_reader")
    try:
        await connection.execute("SET ROLE scan_reader")
        report = await scan(connection, sample=100)
    finally:
        await connection.execute("RESET ROLE")
        await connection.execute("DROP ROLE scan_reader")
    assert found(report) == {"public.people.email": "email"}
    assert report.unread == (("public.people", "insufficient privilege (42501)"),)


async def test_a_database_without_anything_personal_gives_an_empty_policy(
    connection: asyncpg.Connection, tmp_path: Path
) -> None:
    await connection.execute("CREATE TABLE numbers (n int, label text)")
    report = await scan(connection, sample=10)
    assert (report.proposals, report.columns) == ((), 2)
    assert policy_of(report, tmp_path).columns == ()


async def test_few_different_values_are_not_proposed_for_equality(connection: asyncpg.Connection) -> None:
    await connection.execute(
        "CREATE TABLE people (city text); CREATE INDEX ON people (city);"
        "INSERT INTO people SELECT 'Town ' || n % 3 FROM generate_series(1, 300) n"
    )
    (proposal,) = (await scan(connection, sample=300)).proposals
    assert proposal.search_reason.startswith("few different values")


@pytest.mark.parametrize(
    ("table", "column", "kind", "values", "expected"),
    [
        ("users", "password_changed_at", "timestamp with time zone", (), None),
        ("users", "password", "text", (), "secret"),
        ("users", "token_type", "text", ("bearer",) * 30, None),
        ("jobs", "token", "text", ("a", "b") * 20, None),
        ("people", "birth_place", "text", (), None),
        ("people", "email_verified", "boolean", (), None),
        ("people", "email_template", "text", ("Dear customer",) * 9, None),
        ("people", "ip_address", "text", (), "ip"),
        ("devices", "mac_address", "text", ("00:1b:44:11:3a:b7",) * 9, None),
        ("wallets", "wallet_address", "text", (), None),
        ("products", "name", "text", ("Oak table",) * 9, None),
        ("customers", "name", "text", ("Ada Lovelace",) * 9, "name"),
        ("t", "product_name", "text", (), None),
        ("stores", "address", "text", ("1 Elm Street",) * 9, None),
        ("store_customers", "address", "text", ("1 Elm Street",) * 9, "address"),
        ("t", "n", "bigint", tuple(str(10**15 * 4 + n) for n in range(200)), None),
        ("t", "n", "integer", tuple(str(100_000_000 + n) for n in range(200)), None),
        ("t", "card_number", "text", ("4111111111111111",), "card"),
        ("t", "x", "text", ("4111111111111111",), None),
    ],
)
def test_names_and_values_weigh_as_they_should(
    table: str, column: str, kind: str, values: tuple[str, ...], expected: str | None
) -> None:
    detection = detect(Sample(table, column, kind, values))
    assert (detection and detection.kind) == expected
    assert json.dumps(detection.reasons if detection else ()).isascii()
