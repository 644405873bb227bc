"""verify and the logs: what stands there in plain is found, what cannot be read is named, and no value is shown."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.cli.app import main
from proxy.ops.logs import found_in, spellings
from tests.life.conftest import Scene, _install
from tests.support import servers
from tests.support.servers import fresh_database

POLICY = """
public.t:
  v: {type: text, search: equality}
  n: {type: integer, search: equality}
"""
SECRET = "o'hara.canary@mail.example"


@pytest.fixture(scope="module")
def collecting() -> Iterator[servers.Server]:
    """A server that collects its log, with every statement."""
    directory = Path(tempfile.mkdtemp(prefix="sealwire-"))
    server = servers.start(directory, servers.POSTGRES_VERSIONS[18], 18, {"logging_collector": "on"})
    try:
        yield server
    finally:
        servers.stop(server)
        shutil.rmtree(directory)


@pytest.fixture
def scene(collecting: servers.Server, tmp_path: Path) -> Iterator[Scene]:
    with fresh_database(collecting) as database:
        asyncio.run(_install(database))
        scene = Scene(database, tmp_path)
        scene.set_policy(POLICY)
        scene.sql.execute("CREATE TABLE t (id integer PRIMARY KEY, v text, n integer)")
        scene.sql.execute("INSERT INTO t SELECT i, 'row number ' || i, i FROM generate_series(1, 30) i")
        yield scene
        scene.sql.close()


def verified(scene: Scene, capsys: pytest.CaptureFixture[str], dsn: str = "") -> dict[str, dict[str, object]]:
    """Column -> what verify says of it."""
    main(["verify", "--json", "--jobs", "1", "--config", str(scene.config_path), "--dsn", dsn or scene.database.dsn])
    said = capsys.readouterr()
    assert "canary" not in said.out + said.err
    return {one["column"]: one for one in json.loads(said.out)}


async def test_values_in_the_log_and_in_statistics_are_found(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    await scene.seal("public.t.v", "public.t.n", vacuum_full=True)
    scene.sql.execute("SELECT 1")
    clean = await asyncio.to_thread(verified, scene, capsys)
    assert [one["findings"] for one in clean.values()] == [[], []]
    assert any(source.startswith("server log postgresql-") for source in clean["public.t.v"]["logs"]["searched"])  # type: ignore[index]
    assert clean["public.t.n"]["logs"]["values"] == 0  # type: ignore[index]

    sealed = scene.keyring.sealer(scene.column("public.t.v")).seal(SECRET.encode())
    scene.sql.execute("INSERT INTO t VALUES (99, %s, NULL)", [sealed])
    scene.sql.execute("CREATE VIEW pg_stat_statements AS SELECT 'SELECT 1'::text AS query")
    scene.sql.execute("SELECT 'o''hara.canary@mail.example'")
    found = await asyncio.to_thread(verified, scene, capsys)
    messages = [finding["message"] for finding in found["public.t.v"]["findings"]]  # type: ignore[attr-defined]
    assert sorted(message.partition(" holds ")[0].split(" postgresql-")[0] for message in messages) == [
        "pg_stat_activity",
        "server log",
    ]
    assert all("(1 of 31 that were looked for)" in message for message in messages)


async def test_what_the_role_may_not_read_is_named(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    await scene.seal("public.t.v")
    role = f"keeper_{scene.database.dbname}"
    scene.sql.execute(f"CREATE ROLE {role} LOGIN; ALTER TABLE t OWNER TO {role}")
    try:
        dsn = scene.database.server.dsn(scene.database.dbname, user=role)
        unread = (await asyncio.to_thread(verified, scene, capsys, dsn))["public.t.v"]["logs"]["not_searched"]  # type: ignore[index]
        assert any("server log: the role may not read it" in reason for reason in unread)
        assert any(re.match(r"pg_stat_activity: \d+ texts of other roles", reason) for reason in unread)
        assert any(reason.startswith("pg_stat_statements: is not installed") for reason in unread)
    finally:
        scene.sql.execute(f"ALTER TABLE t OWNER TO CURRENT_USER; DROP OWNED BY {role}; DROP ROLE {role}")


async def test_a_log_that_the_server_does_not_collect_is_named(shop: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    shop.set_policy(POLICY)
    shop.sql.execute("CREATE TABLE t (v text, n integer)")
    await shop.seal("public.t.v")
    unread = (await asyncio.to_thread(verified, shop, capsys))["public.t.v"]["logs"]["not_searched"]  # type: ignore[index]
    assert any("logging_collector is off" in reason for reason in unread)


def test_a_value_is_found_as_it_stands_in_sql_but_not_inside_another_word() -> None:
    wanted = spellings([b"it's me", b"short", b"canary@mail"])
    assert found_in(b"VALUES ('it''s me')", wanted) == {b"it's me"}
    assert found_in(b"Key (v)=(it's me) already exists.", wanted) == {b"it's me"}
    assert found_in(b"'acanary@mail', 'canary@mails', 'short'", wanted) == set()
    assert found_in(b"'acanary@mail' 'canary@mail'", wanted) == {b"canary@mail"}
