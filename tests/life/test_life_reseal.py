"""reseal: another key, another search, another modifier; and verify, which reads what came of it."""

from __future__ import annotations

import base64
import itertools
import json
import time
from dataclasses import replace

import pytest

from proxy.config import Scheme, load_policy
from proxy.crypto import make_provider
from proxy.errors import SealwireError
from proxy.ops.life.plan import Before, CannotWork
from proxy.ops.life.recipe import Operation
from proxy.ops.verify import Verified, verify
from proxy.pgtypes import parse_type
from tests.life.conftest import Scene

NEW_KEY = 7


def rotate(scene: Scene) -> int:
    """Adds a key to the keyring and makes it primary. Returns the id of the old one."""
    path = scene.config.keys.keyring
    file = json.loads(path.read_text())
    provider = make_provider(scene.config.keys)
    (old,) = (entry for entry in file["keys"] if entry["state"] == "primary")
    wrapped = provider.wrap(b"SWK1" + NEW_KEY.to_bytes(4, "big") + bytes(range(32)))
    new = old | {"id": NEW_KEY, "name": "second", "wrapped": base64.b64encode(wrapped).decode()}
    old["state"] = "active"
    path.write_text(json.dumps(file | {"keys": [old, new]}))
    return int(old["id"])


async def inventory(scene: Scene, name: str) -> Verified:
    column = scene.column(name)
    (found,) = await verify(scene.database.dsn, [column], scene.config.keys, scene.keyring)
    return found


def keys_of(found: Verified) -> dict[tuple[str, int], int]:
    return {(key.scheme, key.key_id): key.values for key in found.keys}


async def sealed_table(scene: Scene, policy: str, kind: str, value: str, rows: int = 400) -> None:
    scene.set_policy(f"public.t: {{v: {policy}}}")
    scene.sql.execute(f"CREATE TABLE t (id integer PRIMARY KEY, v {kind})")
    scene.sql.execute(
        f"INSERT INTO t SELECT i, {value} FROM generate_series(1, {rows}) i; INSERT INTO t VALUES (0, NULL)"
    )
    await scene.seal("public.t.v", vacuum_full=True)


async def test_verify_reads_as_much_at_a_time_and_a_second_as_it_may(shop: Scene) -> None:
    await sealed_table(shop, "{type: text}", "text", "'note ' || i", rows=3000)
    column, told = shop.column("public.t.v"), list[int]()
    begun = time.monotonic()
    (found,) = await verify(
        shop.database.dsn,
        [column],
        shop.config.keys,
        shop.keyring,
        batch=100,
        max_rate=6000,
        report=lambda progress: told.append(progress.rows),
    )
    assert time.monotonic() - begun >= 3000 / 6000
    assert (found.rows, found.nulls, found.findings) == (3001, 1, ())
    assert len(told) > 3
    assert told[-1] == 3001
    assert max(now - before for before, now in itertools.pairwise(told)) < 1000


async def test_random_values_move_to_the_new_key_where_they_are(shop: Scene) -> None:
    await sealed_table(shop, "{type: text}", "text", "'note ' || i")
    before = shop.opened("public.t.v")
    old = rotate(shop)
    assert keys_of(await inventory(shop, "public.t.v")) == {("random", old): 400}
    result = await shop.reseal("public.t.v")
    assert result is not None
    assert result.rows == 400
    found = await inventory(shop, "public.t.v")
    assert (keys_of(found), found.findings, found.nulls) == ({("random", NEW_KEY): 400}, (), 1)
    assert shop.opened("public.t.v") == before
    assert shop.value("SELECT attnum FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'v'") > 2
    again = await shop.reseal("public.t.v")
    assert again is not None
    assert again.rows == 0


async def test_equality_is_swapped_with_its_unique_index(shop: Scene) -> None:
    await sealed_table(shop, "{type: text, search: equality}", "text UNIQUE", "'mail ' || i")
    before = shop.opened("public.t.v")
    rotate(shop)
    await shop.reseal("public.t.v")
    assert keys_of(await inventory(shop, "public.t.v")) == {("equality", NEW_KEY): 400}
    assert shop.opened("public.t.v") == before
    assert (
        shop.value("SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass AND indisvalid AND indisunique") == 2
    )
    assert shop.leftovers() == []


@pytest.mark.parametrize(
    ("first", "then", "before"),
    [
        ("{type: text}", "{type: text, search: equality}", None),
        ("{type: text, search: equality}", "{type: text, search: order, max_length: 12}", None),
        ("{type: text, search: equality}", "{type: text}", None),
        (
            "{type: text, search: order, max_length: 12}",
            "{type: varchar(20), search: order, max_length: 20}",
            Before(parse_type("text"), 12),
        ),
    ],
)
async def test_another_search_or_modifier(shop: Scene, first: str, then: str, before: Before | None) -> None:
    await sealed_table(shop, first, "text", "'value ' || i")
    plain = shop.opened("public.t.v")
    shop.set_policy(f"public.t: {{v: {then}}}")
    await shop.reseal("public.t.v", before=before)
    assert shop.opened("public.t.v") == plain
    assert (await inventory(shop, "public.t.v")).failed == 0
    if shop.column("public.t.v").scheme is Scheme.ORDER:
        in_order = shop.rows("SELECT id FROM t WHERE v IS NOT NULL ORDER BY v")
        assert [row[0] for row in in_order] == sorted((i for i in plain if i), key=lambda i: plain[i] or b"")


async def test_a_modifier_that_would_change_a_value_stops_the_job_naming_the_row(shop: Scene) -> None:
    await sealed_table(shop, '{type: "numeric(8,3)", search: equality}', "numeric(8,3)", "i + 0.125", rows=50)
    before = shop.opened("public.t.v")
    shop.set_policy('public.t: {v: {type: "numeric(8,2)", search: equality}}')
    with pytest.raises(
        SealwireError, match=r"50 of 50 values cannot be converted; the first, in row .*: value does not fit"
    ):
        await shop.reseal("public.t.v")
    assert await shop.abort(Operation.RESEAL, "public.t.v")
    shop.set_policy('public.t: {v: {type: "numeric(8,3)", search: equality}}')
    assert shop.opened("public.t.v") == before


async def test_what_is_not_sealed_cannot_be_resealed(shop: Scene) -> None:
    shop.set_policy("public.t: {v: {type: text}}")
    shop.sql.execute("CREATE TABLE t (v text)")
    with pytest.raises(CannotWork, match="is text, not sealed; run: sealwire seal"):
        await shop.reseal("public.t.v")


async def test_verify_names_what_does_not_open_and_what_is_left_over(shop: Scene) -> None:
    shop.set_policy("public.t: {v: {type: text, search: equality}}")
    shop.sql.execute("CREATE TABLE t (id integer PRIMARY KEY, v text)")
    shop.sql.execute("INSERT INTO t SELECT i, 'value ' || i FROM generate_series(1, 100) i")
    (plain,) = (await inventory(shop, "public.t.v")).findings
    assert plain.message == "is text: every value is plain"
    await shop.seal("public.t.v")
    (residue,) = (await inventory(shop, "public.t.v")).findings
    assert "still hold the values from before sealing" in residue.message
    assert await shop.seal("public.t.v", vacuum_full=True) is None
    assert (await inventory(shop, "public.t.v")).findings == ()

    shop.sql.execute("UPDATE t SET v = set_byte(v, 20, (get_byte(v, 20) + 1) % 256) WHERE id = 5")
    other = replace(shop.column("public.t.v"), scheme=Scheme.RANDOM)
    shop.sql.execute("UPDATE t SET v = %s WHERE id = 6", [shop.keyring.sealer(other).seal(b"x")])
    found = await inventory(shop, "public.t.v")
    assert (found.rows, found.opened, found.failed) == (100, 99, 1)
    assert [finding.message.partition(",")[0] for finding in found.findings] == [
        "1 values do not open",
        "1 values are sealed with another search than the policy's",
    ]
    assert load_policy(shop.config.columns).columns[0].name == "public.t.v"


async def test_nothing_plain_is_in_the_files_after_sealing_and_vacuum_full(shop: Scene) -> None:
    server = shop.database.server
    assert server.data_dir is not None
    shop.set_policy("public.t: {v: {type: text, search: equality}}")
    shop.sql.execute("CREATE TABLE t (id integer PRIMARY KEY, v text, w text); CREATE INDEX ON t (v)")
    shop.sql.execute("INSERT INTO t SELECT i, 'canary ' || i || repeat('x', 1800), 'w' FROM generate_series(1, 200) i")
    shop.sql.execute("ANALYZE t")
    folder = (
        server.data_dir / "base" / str(shop.value("SELECT oid FROM pg_database WHERE datname = current_database()"))
    )
    shop.sql.execute("CHECKPOINT")
    assert any(b"canary 77x" in file.read_bytes() for file in folder.iterdir() if file.is_file())
    await shop.seal("public.t.v", vacuum_full=True)
    shop.sql.execute("VACUUM FULL pg_statistic")
    shop.sql.execute("CHECKPOINT")
    assert not any(b"canary 77x" in file.read_bytes() for file in folder.iterdir() if file.is_file())
