"""What a PgBouncer itself says, and what it passes on beside queries: its limits, a server that is not there, cancel
requests, connections that it kills. In front of the proxy and behind it, in session and in transaction mode."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import psycopg
import pytest

from tests.support.pgbouncer import PROGRAM, PoolMode, pgbouncer
from tests.support.pooled import ANN, POLICY, Place, Pooled, pooled_by
from tests.support.servers import LOGINS, Server, free_port, fresh_database
from tests.support.stack import running

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed here"),
]

PLACES: tuple[Place, ...] = ("front", "behind")
MODES: tuple[PoolMode, ...] = ("session", "transaction")
CLIENTS = 4
SETTINGS = {"admin_users": LOGINS["scram-sha-256"].user, "max_client_conn": CLIENTS, "query_wait_timeout": 1}
SELECT = "SELECT email FROM people WHERE email = %s"


@pytest.fixture(params=[(place, mode) for place in PLACES for mode in MODES], ids="-".join)
def pooled(request: pytest.FixtureRequest, pg18: Server) -> Iterator[Pooled]:
    """With one server process."""
    place, mode = request.param
    with pooled_by(pg18, place, mode, pool_size=1, more=SETTINGS) as pooled:
        yield pooled


def cancel_sleep(pooled: Pooled, connection: psycopg.Connection[tuple[object, ...]]) -> None:
    """Once it sleeps."""
    with pooled.stack.direct() as direct:
        while not direct.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'").fetchall():
            pass
    connection.cancel_safe()


def test_a_cancel_request_reaches_the_statement(pooled: Pooled) -> None:
    with pooled.connect() as connection:
        for _ in range(3):
            assert connection.execute(SELECT, (ANN,)).fetchall() == [(ANN,)]
            cancel = threading.Thread(target=cancel_sleep, args=(pooled, connection))
            cancel.start()
            with pytest.raises(psycopg.errors.QueryCanceled):
                connection.execute("SELECT pg_sleep(60), email FROM people WHERE email = %s", (ANN,))
            cancel.join()
        assert connection.execute(SELECT, (ANN,)).fetchall() == [(ANN,)]


def test_one_that_waits_too_long_for_a_server_process_is_told_so(pooled: Pooled) -> None:
    with pooled.connect(autocommit=False) as busy:
        busy.execute(SELECT, (ANN,))
        with pytest.raises(psycopg.OperationalError, match="query_wait_timeout"), pooled.connect() as waiting:
            waiting.execute(SELECT, (ANN,))
        assert busy.execute(SELECT, (ANN,)).fetchall() == [(ANN,)]
    with pooled.connect() as connection:
        assert connection.execute(SELECT, (ANN,)).fetchall() == [(ANN,)]


def test_one_client_too_many_is_told_so(pooled: Pooled) -> None:
    with contextlib.ExitStack() as open_connections:
        told = "no more connections allowed|query_wait_timeout"  # in session mode each client has a server process
        with pytest.raises(psycopg.OperationalError, match=told):
            for _ in range(CLIENTS + 1):
                open_connections.enter_context(pooled.connect())
    for _ in range(1000):  # it may not have noticed yet that they are gone
        with contextlib.suppress(psycopg.OperationalError), pooled.connect() as connection:
            assert connection.execute(SELECT, (ANN,)).fetchall() == [(ANN,)]
            return
    pytest.fail("nobody is let in any more")


def test_one_whose_connection_is_killed_in_a_transaction_is_told_so(pooled: Pooled) -> None:
    with contextlib.closing(pooled.connect(autocommit=False)) as killed:
        killed.execute("INSERT INTO people (id, email) VALUES (2, %s)", (ANN,))
        with pooled.admin() as admin:
            admin.execute(f"KILL {pooled.stack.database.dbname}")
        with pytest.raises(psycopg.OperationalError, match="database removed"):
            killed.execute(SELECT, (ANN,))
        assert killed.closed
    with pooled.stack.direct() as direct:
        assert direct.execute("SELECT id FROM people").fetchall() == [(1,)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("place", PLACES)
def test_a_server_that_is_not_there_is_told_of(pg18: Server, place: Place, mode: PoolMode) -> None:
    nobody, login = ("127.0.0.1", free_port()), LOGINS["scram-sha-256"]
    with contextlib.ExitStack() as layers:
        database = layers.enter_context(fresh_database(pg18))
        if place == "behind":
            nobody = "127.0.0.1", layers.enter_context(pgbouncer(*nobody, mode, more=SETTINGS))
        stack = layers.enter_context(running(database, POLICY, upstream=nobody))
        port = stack.port
        if place == "front":
            port = layers.enter_context(pgbouncer("127.0.0.1", port, mode, more=SETTINGS))
        dsn = f"postgresql://{login.user}:{login.password}@127.0.0.1:{port}/{database.dbname}?sslmode=disable"
        for _ in range(3):
            with pytest.raises(
                psycopg.OperationalError, match=r"FATAL: .*(query_wait_timeout|server_login_retry|connect)"
            ):
                psycopg.connect(dsn, connect_timeout=20)
