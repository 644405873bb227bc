"""SIGHUP with other files, as the program gets it: what new connections see, what becomes of the open ones, and what
the worker serves that replaces one that died."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from proxy.config import load_config
from proxy.ops.rotation import rotate
from tests.server.certificates import Authority
from tests.server.programs import PATIENCE
from tests.support.servers import fresh_database
from tests.support.stack import LoopThread, install_schema
from tests.tls.conftest import LOGIN, World
from tests.tls.serving import NOT_RELOADED, Served, certificate, serving

POLICY = """\
{}:
  public.people:
    email: {{type: text, search: equality}}
    notes: {{type: text}}
"""
WORKERS = pytest.mark.parametrize("workers", [1, 2])


@pytest.fixture
def two(world: World) -> Iterator[Served]:
    with serving(world, 2) as served:
        yield served


@pytest.fixture
def stranger(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


# -- new connections and open ones -------------------------------------------------------------------------------------


@WORKERS
def test_new_connections_see_the_new_certificate_and_open_ones_go_on(
    world: World, stranger: Authority, workers: int
) -> None:
    with serving(world, workers) as served, ExitStack() as stack:
        assert served.shown() == {certificate(world.proxy_pair)}
        old = [stack.enter_context(served.connect()) for _ in range(6)]
        for number, connection in enumerate(old):
            connection.execute("BEGIN")
            connection.execute("CREATE TEMP TABLE mine (a) AS SELECT %s::int", (number,))
        renewed = stranger.issue("127.0.0.1")
        served.install(renewed)
        assert served.shown() == {certificate(world.proxy_pair)}
        served.reload()
        assert served.shown() == {certificate(renewed)}
        with served.connect(sslrootcert=str(stranger.ca)) as new:
            assert new.execute("SELECT current_user").fetchone() == (LOGIN.user,)
        with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
            served.connect()
        for number, connection in enumerate(old):
            assert connection.execute("SELECT a FROM mine").fetchall() == [(number,)]
            connection.execute("COMMIT")


def garbage(served: Served) -> str:
    (served.directory / "listen.crt").write_text("no certificate")
    return "listen.cert: cannot use "


def half_a_file(served: Served) -> str:
    cert = served.directory / "listen.crt"
    cert.write_bytes(cert.read_bytes()[:200])
    return "listen.cert: cannot use "


def only_the_certificate(served: Served) -> str:
    key = (served.directory / "listen.key").read_bytes()
    served.install(served.world.authority.issue("127.0.0.1"))
    (served.directory / "listen.key").write_bytes(key)
    return "listen.key is not the private key of "


def no_key(served: Served) -> str:
    (served.directory / "listen.key").unlink()
    return "listen.key: cannot read "


def a_directory(served: Served) -> str:
    (served.directory / "listen.crt").unlink()
    (served.directory / "listen.crt").mkdir()
    return "listen.cert: cannot read "


def unreadable(served: Served) -> str:
    key = served.directory / "listen.key"
    key.unlink()
    key.symlink_to(key)  # root reads what has no mode for it
    return "listen.key: cannot read "


def no_authority(served: Served) -> str:
    served.install(served.world.authority.issue("127.0.0.1"))
    (served.directory / "ca.crt").write_text("")
    return "upstream.ca: "


def open_to_others(served: Served) -> str:
    (served.directory / "auth.password").chmod(0o644)
    return "auth.password_file: "


DAMAGES = pytest.mark.parametrize(
    "damage",
    [garbage, half_a_file, only_the_certificate, no_key, a_directory, unreadable, no_authority, open_to_others],
)


@WORKERS
@DAMAGES
def test_files_that_cannot_be_used_leave_the_old_ones_in_force_and_the_log_says_why(
    world: World, workers: int, damage: Callable[[Served], str]
) -> None:
    with serving(world, workers) as served, served.connect() as old:
        why = damage(served)
        assert why in served.reload(NOT_RELOADED)["reason"]
        assert served.shown() == {certificate(world.proxy_pair)}
        with served.connect() as new:
            assert new.execute("SELECT 7").fetchone() == old.execute("SELECT 7").fetchone() == (7,)


def test_a_reload_after_one_that_failed_counts(two: Served, stranger: Authority) -> None:
    renewed = stranger.issue("127.0.0.1")
    garbage(two)
    two.reload(NOT_RELOADED)
    two.install(renewed)
    two.reload()
    assert two.shown() == {certificate(renewed)}


@WORKERS
def test_nobody_is_turned_away_while_files_are_reloaded(world: World, workers: int) -> None:
    """Those that are logging in when the old certificates and the lookup's connections go."""
    done = threading.Event()
    seen: list[object] = []

    def keep_connecting(served: Served) -> None:
        while not done.is_set():
            with served.connect() as connection:
                seen.append(connection.execute("SELECT current_user").fetchone())

    with serving(world, workers) as served, ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(keep_connecting, served) for _ in range(4)]
        try:
            while len(seen) < 40 and not any(client.done() for client in clients):
                served.install(world.authority.issue("127.0.0.1"))
                served.reload()
        finally:
            done.set()
        for client in clients:
            client.result(PATIENCE)
        assert set(seen) == {(LOGIN.user,)}


# -- workers that are replaced -----------------------------------------------------------------------------------------


def test_a_replaced_worker_serves_what_was_reloaded(two: Served, stranger: Authority) -> None:
    renewed = stranger.issue("127.0.0.1")
    two.install(renewed)
    two.reload()
    two.replace_workers()
    assert two.shown() == {certificate(renewed)}
    with two.connect(sslrootcert=str(stranger.ca)) as connection:
        assert connection.execute("SELECT 7").fetchone() == (7,)


@DAMAGES
def test_a_replaced_worker_serves_the_last_good_certificate(
    two: Served, stranger: Authority, damage: Callable[[Served], str]
) -> None:
    """Whatever lies on the disk meanwhile, also where nobody has asked for a reload of it."""
    renewed = stranger.issue("127.0.0.1")
    two.install(renewed)
    two.reload()
    damage(two)
    two.replace_workers()
    assert two.shown() == {certificate(renewed)}
    two.reload(NOT_RELOADED)
    two.replace_workers()
    assert two.shown() == {certificate(renewed)}
    with two.connect(sslrootcert=str(stranger.ca)) as connection:
        assert connection.execute("SELECT 7").fetchone() == (7,)


def test_a_replaced_worker_does_not_run_ahead_of_the_reload(two: Served, stranger: Authority) -> None:
    """All workers show the same certificate until somebody says that the new one is in place."""
    two.install(stranger.issue("127.0.0.1"))
    two.replace_workers()
    assert two.shown() == {certificate(two.world.proxy_pair)}


def broken_columns(served: Served) -> None:
    served.columns.write_text("people: 7\n")


def no_columns(served: Served) -> None:
    served.columns.unlink()


def no_keys(served: Served) -> None:
    (served.directory / "keyring.json").write_text("{}")
    (served.directory / "master.key").unlink()


@pytest.mark.parametrize("damage", [broken_columns, no_columns, no_keys])
def test_a_replaced_worker_has_the_policy_and_the_keys_of_the_last_reload(
    world: World, thread: LoopThread, damage: Callable[[Served], None]
) -> None:
    with fresh_database(world.server) as database, serving(world, 2, dbname=database.dbname) as served:
        thread.run(install_schema(database.dsn))
        with database.connect() as owner:
            owner.execute("GRANT USAGE ON SCHEMA sealwire TO PUBLIC; GRANT CREATE ON SCHEMA public TO PUBLIC")
        served.columns.write_text(POLICY.format(database.dbname))
        config = load_config(served.directory / "sealwire.yaml", {})
        newest = rotate(config.keys, {"public.people.notes": False}, name="second").key
        served.reload()
        served.replace_workers()
        with served.connect() as connection:
            connection.execute("CREATE TABLE people (id integer, email text, notes text)")
        damage(served)
        for reload in (False, True):
            if reload:
                served.reload()
            served.replace_workers()
            for _ in range(12):
                with served.connect() as connection:
                    connection.execute("INSERT INTO people VALUES (1, %s, %s)", ("ann@example.com", "secret"))
        with database.connect() as owner:
            sealed = "SELECT DISTINCT substr(email::bytea, 1, 2), substr(notes::bytea, 1, 6) FROM people"
            header = b"\xe1\1" + newest.id.to_bytes(4, "big")
            assert owner.execute(sealed).fetchall() == [(b"\xe1\2", header)]
        with served.connect() as connection:
            found = connection.execute("SELECT notes FROM people WHERE email = %s", ("ann@example.com",)).fetchall()
        assert found == [("secret",)] * 24
