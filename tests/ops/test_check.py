"""`check` on real tables: each thing that it looks for, and a clean table that has none of them."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest

from proxy.config import DatabasePolicy, Keys, load_policy
from proxy.crypto import FileProvider, Keyring
from proxy.ops.check import Report, check
from proxy.ops.database import connect
from proxy.ops.keys import prepare_keys
from proxy.ops.schema import install
from tests.support.servers import Database


class Scene:
    """A database with the schema installed, a keyring, and a policy that a test sets."""

    def __init__(self, connection: asyncpg.Connection, folder: Path) -> None:
        self.connection = connection
        self.folder = folder
        keys = Keys(folder / "keyring.json", "file", str(folder / "master.key"))
        prepare_keys(keys)
        self.keyring = Keyring.load(keys.keyring, FileProvider(Path(keys.master_key)))
        self.policy = DatabasePolicy("any")

    def set_policy(self, text: str) -> None:
        path = self.folder / "columns.yaml"
        path.write_text('"*":\n' + "".join(f"  {line}\n" for line in text.strip().splitlines()))
        self.policy = load_policy(path).for_database("any")

    async def fill(self, table: str, column: str, values: list[bytes | None]) -> None:
        """Appends rows with `values` (each the binary form of the type) sealed."""
        spec = self.policy.column("public", table, column)
        assert spec is not None
        seal = self.keyring.sealer(spec).seal
        rows = [(None if value is None else seal(value),) for value in values]
        await self.connection.executemany(f"INSERT INTO {table} ({column}) VALUES ($1)", rows)

    async def check(self, samples: int = 50) -> Report:
        return await check(self.connection, self.policy, lambda c: self.keyring.sealer(c).open, samples=samples)

    async def messages(self) -> list[str]:
        return [f"{finding.column}: {finding.message}" for finding in (await self.check()).findings]


@pytest.fixture
async def scene(database: Database, tmp_path: Path):
    async with connect(database.dsn) as connection:
        await install(connection)
        yield Scene(connection, tmp_path)


async def test_a_table_that_suits_its_policy_is_clean_and_its_values_open(scene: Scene) -> None:
    scene.set_policy(
        """
public.people:
  email: {type: text, search: equality}
  born:  {type: date, search: order}
  notes: {type: text}
"""
    )
    await scene.connection.execute(
        "CREATE TABLE people (id serial PRIMARY KEY, email sealwire.sealed NOT NULL UNIQUE, born sealwire.sealed,"
        " notes sealwire.sealed CHECK (notes IS NOT NULL OR notes IS NULL), plain text)"
    )
    await scene.connection.execute("ALTER TABLE people ALTER email DROP NOT NULL")
    await scene.connection.execute("CREATE INDEX ON people (born)")
    await scene.connection.execute("CREATE INDEX ON people (id) INCLUDE (notes)")
    await scene.fill("people", "email", [b"%d@example.org" % i for i in range(200)] + [None])
    await scene.fill("people", "born", [i.to_bytes(4, "big") for i in range(200)])
    await scene.fill("people", "notes", [b"a note"] * 3)
    report = await scene.check()
    assert report.findings == ()
    assert [(c.state, c.sampled, c.opened) for c in report.columns] == [
        ("sealed", 50, 50),
        ("sealed", 50, 50),
        ("sealed", 3, 3),
    ]
    await scene.connection.execute("ANALYZE people")
    assert (await scene.check(samples=5)).findings == ()


async def test_what_is_not_there_or_not_sealed_is_named(scene: Scene) -> None:
    scene.set_policy(
        """
public.gone: {a: {type: text}}
public.t:
  gone:    {type: text}
  plain:   {type: text}
  pending: {type: text, pending: true}
  other:   {type: integer, pending: true}
  done:    {type: text, pending: true}
  raw:     {type: text}
public.v: {plain: {type: text}}
"""
    )
    await scene.connection.execute(
        "CREATE TABLE t (plain text, pending text, other bigint, done sealwire.sealed, raw bytea,"
        " extra sealwire.sealed)"
    )
    await scene.connection.execute("CREATE VIEW v AS SELECT plain FROM t")
    assert await scene.messages() == [
        "public.gone.a: the table does not exist",
        "public.t.gone: the column does not exist",
        "public.t.plain: is not sealed yet, so statements that touch it are refused",
        "public.t.other: is bigint, but the policy says integer",
        "public.t.done: is sealed already",
        "public.t.raw: is bytea, not sealwire.sealed: the database would take plaintext",
        "public.v.plain: is a view",
        "public.t.extra: holds sealed values, but the policy does not name it",
    ]
    states = [column.state for column in (await scene.check()).columns]
    assert states == ["missing", "missing", "plain", "pending", "pending", "sealed", "plain", "missing"]


async def test_a_database_without_the_schema_has_nothing_sealed(database: Database, tmp_path: Path) -> None:
    async with connect(database.dsn) as connection:
        bare = Scene(connection, tmp_path)
        bare.set_policy("public.t: {a: {type: text}}")
        await connection.execute("CREATE TABLE t (a text)")
        assert await bare.messages() == ["public.t.a: is not sealed yet, so statements that touch it are refused"]


async def test_what_random_ciphertext_cannot_carry_is_named(scene: Scene) -> None:
    scene.set_policy("public.t: {a: {type: text}, b: {type: text}, c: {type: text}, d: {type: text}}")
    await scene.connection.execute(
        "CREATE TABLE t (a sealwire.sealed PRIMARY KEY, b sealwire.sealed UNIQUE, c sealwire.sealed, d sealwire.sealed"
        " CONSTRAINT long CHECK (octet_length(d) > 40) CHECK (d IS NOT NULL))"
    )
    await scene.connection.execute("CREATE INDEX c_index ON t (c)")
    await scene.connection.execute("CREATE INDEX d_index ON t (octet_length(d))")
    await scene.connection.execute("CREATE INDEX d_partial ON t (octet_length('')) WHERE d > '\\x00' AND c IS NULL")
    assert await scene.messages() == [
        "public.t.a: primary key t_pkey compares it, but with search: none no two ciphertexts are equal",
        "public.t.b: unique constraint t_b_key compares it, but with search: none no two ciphertexts are equal",
        "public.t.c: index c_index is useless: with search: none no query can use it",
        "public.t.d: check constraint long looks at its ciphertext",
        "public.t.d: index d_index has it in an expression, which sees ciphertext",
        "public.t.d: the predicate of index d_partial looks at its ciphertext",
    ]


async def test_a_foreign_key_between_columns_of_different_keys_is_named_from_both_ends(scene: Scene) -> None:
    scene.set_policy(
        """
public.parent:
  a: {type: text, search: equality}
  b: {type: text, search: equality, join: b}
  c: {type: text, search: equality}
public.child:
  a: {type: text, search: equality}
  b: {type: text, search: equality, join: b}
"""
    )
    await scene.connection.execute(
        "CREATE TABLE parent (a sealwire.sealed UNIQUE, b sealwire.sealed UNIQUE, c sealwire.sealed UNIQUE)"
    )
    await scene.connection.execute(
        "CREATE TABLE child (a sealwire.sealed CONSTRAINT fa REFERENCES parent (a),"
        " b sealwire.sealed CONSTRAINT fb REFERENCES parent (b), c bytea CONSTRAINT fc REFERENCES parent (c))"
    )
    assert await scene.messages() == [
        "public.parent.a: foreign key fa ties it to public.child.a, which has another key",
        "public.parent.c: foreign key fc ties it to public.child.c, which is not in the policy",
        "public.child.a: foreign key fa ties it to public.parent.a, which has another key",
    ]


async def test_an_index_that_the_scheme_cannot_use_is_named(scene: Scene) -> None:
    scene.set_policy(
        """
public.t:
  word:  {type: varchar(20), search: equality}
  long:  {type: text, search: equality}
  born:  {type: date, search: order}
"""
    )
    await scene.connection.execute("CREATE TABLE t (word sealwire.sealed, long sealwire.sealed, born sealwire.sealed)")
    for definition in (
        "word_btree ON t (word)",
        "word_brin ON t USING brin (word)",
        "long_btree ON t (long)",
        "long_hash ON t USING hash (long)",
        "born_brin ON t USING brin (born)",
        "born_partial ON t (word) WHERE born IS NOT NULL",
        "word_partial ON t (born) WHERE word = '\\xe102'",
    ):
        await scene.connection.execute(f"CREATE INDEX {definition}")
    await scene.fill("t", "long", [b"x" * 2_100])
    assert await scene.messages() == [
        "public.t.word: brin index word_brin is useless: the ciphertexts carry equality, not order",
        "public.t.long: btree index long_btree meets sealed values of 2,122 bytes; above 2,704 it refuses",
    ]


@pytest.mark.parametrize("analyzed", [False, True])
async def test_few_values_in_many_rows_are_called_out(scene: Scene, analyzed: bool) -> None:
    scene.set_policy(
        """
public.t:
  status: {type: text, search: equality}
  flag:   {type: boolean, search: equality}
  level:  {type: integer, search: order}
  secret: {type: text}
"""
    )
    await scene.connection.execute(
        "CREATE TABLE t (status sealwire.sealed, flag sealwire.sealed, level sealwire.sealed, secret sealwire.sealed)"
    )
    await scene.fill("t", "status", [b"open", b"closed", b"lost"] * 20)
    await scene.fill("t", "level", [i.to_bytes(4, "big") for i in range(8)])
    await scene.fill("t", "secret", [b"same"] * 50)
    if analyzed:
        await scene.connection.execute("ANALYZE t")
    assert await scene.messages() == [
        "public.t.status: has about 3 different values in 60 rows: the database sees how often each occurs",
        "public.t.flag: has two values at most: the database sees which rows share one, and how often each occurs",
    ]


async def test_values_that_do_not_open_are_counted_and_located(scene: Scene) -> None:
    scene.set_policy("public.t: {a: {type: text}}")
    await scene.connection.execute("CREATE TABLE t (a sealwire.sealed)")
    await scene.fill("t", "a", [b"whole"] * 3)
    await scene.connection.execute("UPDATE t SET a = set_byte(a, 20, (get_byte(a, 20) + 1) % 256) WHERE ctid = '(0,2)'")
    report = await scene.check()
    (column,) = report.columns
    assert (column.sampled, column.opened) == (3, 2)
    (finding,) = report.findings
    assert finding.message.startswith("1 of 3 sampled values do not open; the first, at t (0,4): ")
    assert (await scene.check(samples=0)).findings == ()


async def test_names_that_need_quotes_are_quoted(scene: Scene) -> None:
    scene.set_policy("public.Öl und Gas: {Select: {type: text, search: equality}}")
    await scene.connection.execute('CREATE TABLE "Öl und Gas" ("Select" sealwire.sealed)')
    (column,) = (await scene.check()).columns
    assert (column.state, column.findings) == ("sealed", ())


async def test_partitions_are_reached_through_their_parent(scene: Scene) -> None:
    scene.set_policy("public.t: {a: {type: bigint, search: equality}}")
    await scene.connection.execute("CREATE TABLE t (a sealwire.sealed, k integer) PARTITION BY RANGE (k)")
    await scene.connection.execute("CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (MINVALUE) TO (MAXVALUE)")
    spec = scene.policy.tables["public", "t"]["a"]
    sealed = [scene.keyring.sealer(spec).seal(i.to_bytes(8, "big")) for i in range(300)]
    await scene.connection.executemany("INSERT INTO t VALUES ($1, 1)", [(value,) for value in sealed])
    await scene.connection.execute("ANALYZE t")
    (column,) = (await scene.check(samples=10)).columns
    assert (column.state, column.sampled, column.opened, column.findings) == ("sealed", 10, 10, ())


async def test_check_only_reads(scene: Scene) -> None:
    scene.set_policy("public.t: {a: {type: text}}")
    await scene.connection.execute("CREATE TABLE t (a sealwire.sealed)")
    await scene.connection.execute("SET default_transaction_read_only = on")
    assert (await scene.check()).findings == ()
