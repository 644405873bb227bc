"""A column is sealed, and its key rotated, while statements run through the proxy and a PgBouncer behind it, in
transaction mode: every transaction may meet another server process, and the proxy asks each what the column is."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from proxy.ops.life.fill import Progress
from proxy.ops.life.recipe import Operation
from tests.life.ledger_writers import Ledger, ProxiedWriter, differing
from tests.life.test_life_proxied import Live
from tests.support.pgbouncer import FOLLOWS_STATEMENTS, PROGRAM, pgbouncer
from tests.support.servers import LOGINS, Server, fresh_database
from tests.support.stack import running

pytestmark = pytest.mark.clients

COLUMN = "public.t.v"
SETTLED = "public.t: {v: {type: text, search: equality}}"
ROWS = 2_000
ADMIN = {"admin_users": LOGINS["scram-sha-256"].user}
CURSORS = (psycopg.Cursor, psycopg.ClientCursor, psycopg.Cursor)


@pytest.fixture
def pooled(pg18: Server) -> Iterator[Live]:
    if PROGRAM is None:
        pytest.skip("pgbouncer is not installed here")
    with (
        fresh_database(pg18) as database,
        pgbouncer("127.0.0.1", database.port, "transaction", more=ADMIN) as port,
        running(database, SETTLED.replace("}}", ", pending: true}}"), upstream=("127.0.0.1", port)) as stack,
    ):
        with stack.direct() as direct:
            direct.execute(
                "CREATE TABLE t (id integer PRIMARY KEY, v text, n integer NOT NULL DEFAULT 0);"
                f"INSERT INTO t SELECT i, 'row ' || i FROM generate_series(1, {ROWS}) i;"
                f"GRANT ALL ON t TO {LOGINS['scram-sha-256'].user}"
            )
        yield Live(stack)


def dsn(live: Live) -> str:
    login = LOGINS["scram-sha-256"]
    name = live.stack.database.dbname
    return f"postgresql://{login.user}:{login.password}@127.0.0.1:{live.stack.port}/{name}?sslmode=disable"


def connected(live: Live) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(dsn(live), autocommit=True, prepare_threshold=None)


def start(live: Live) -> list[ProxiedWriter]:
    writers = []
    for number, cursor in enumerate(CURSORS):
        ledger = Ledger(number, len(CURSORS), ROWS, lambda row: f"row {row}")
        writer = ProxiedWriter(dsn(live), number, ledger)
        writer.cursor = cursor
        writer.start()
        writers.append(writer)
    return writers


def more(writers: list[ProxiedWriter], count: int = 5) -> None:
    """Waits until each has done so many statements more."""
    for writer in writers:
        wanted = writer.reads + writer.writes + count
        while writer.is_alive() and writer.reads + writer.writes < wanted:
            writer.join(0.002)
        assert writer.is_alive(), writer.error


def stored(live: Live) -> dict[int, str | None]:
    with connected(live) as application:
        return dict(application.execute("SELECT id, v FROM t").fetchall())


def test_every_answer_is_right_while_a_column_is_sealed_and_resealed(pooled: Live) -> None:
    writers = start(pooled)

    def report(_: Progress) -> None:
        more(writers)

    pooled.do(Operation.SEAL, COLUMN, report=report, batch=500)
    secret = pooled.stack.canary("secret of the settled column")
    more(writers)
    pooled.set_policy(SETTLED)
    pooled.reload()
    pooled.rotate()
    pooled.reload()
    more(writers)
    pooled.do(Operation.RESEAL, COLUMN, report=report, batch=500)
    more(writers)
    with connected(pooled) as application:
        application.execute("INSERT INTO t (id, v) VALUES (-1, %s)", [secret])
        assert application.execute("SELECT id FROM t WHERE v = %s", [secret]).fetchall() == [(-1,)]
        application.execute("DELETE FROM t WHERE id = -1")
    for writer in writers:
        writer.stop()
    assert differing([writer.ledger for writer in writers], stored(pooled).items()) == 0
    with pooled.stack.direct() as direct:
        forms = direct.execute("SELECT count(DISTINCT substr(v, 1, 6)) FROM t WHERE v IS NOT NULL").fetchone()
    assert forms == (1,)


@pytest.mark.skipif(not FOLLOWS_STATEMENTS, reason="PgBouncer before 1.21 does not follow prepared statements")
def test_prepared_statements_on_a_column_that_is_sealed_go_on_behind_reconnect(pooled: Live) -> None:
    """Their columns have another type at the server, and PgBouncer keeps what it has prepared."""
    select, insert = "SELECT v FROM t WHERE id = %s", "INSERT INTO t (id, v) VALUES (%s, %s)"
    with psycopg.connect(dsn(pooled), autocommit=True, prepare_threshold=0) as application:
        for row in (1, 2, 3):
            assert application.execute(select, [row]).fetchall() == [(f"row {row}",)]
            application.execute(insert, [-row, f"row {-row}"])
        pooled.do(Operation.SEAL, COLUMN)
        secret = pooled.stack.canary("secret of the sealed column")
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="cached plan must not change result type"):
            for _ in range(2):
                application.execute(select, [1])
        login = LOGINS["scram-sha-256"]
        console = f"postgresql://{login.user}:{login.password}@127.0.0.1:{pooled.stack.tap.upstream[1]}/pgbouncer"
        with psycopg.connect(console, autocommit=True, cursor_factory=psycopg.ClientCursor) as admin:
            admin.execute("RECONNECT")
        for row in (1, 2, 3, -1, -2, -3):
            with psycopg.connect(dsn(pooled), autocommit=True, prepare_threshold=0) as other:
                assert other.execute(select, [row]).fetchall() == [(f"row {row}",)]
        with psycopg.connect(dsn(pooled), autocommit=True, prepare_threshold=0) as other:
            other.execute(insert, [-4, secret])
            assert other.execute(select, [-4]).fetchall() == [(secret,)]
