"""An application, the proxy and a PgBouncer in front of the proxy or behind it, for one test."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import psycopg
import pytest

from tests.support.pgbouncer import PROGRAM, PoolMode, pgbouncer
from tests.support.servers import LOGINS, Server, fresh_database
from tests.support.stack import Stack, running

Place = Literal["front", "behind"]
POLICY = """\
public.people:
  email: {type: text, search: equality}
  born:  {type: date, search: order}
"""
Lend = Callable[[], contextlib.AbstractContextManager[None]]
ANN, BOB = "ann.canary@mail.example", "bob.canary@mail.example"


@dataclass(frozen=True, slots=True)
class Pooled:
    """A stack with a PgBouncer, and where applications connect."""

    stack: Stack
    port: int
    mode: PoolMode
    pooler: int
    """PgBouncer's own port; behind the proxy another one than `port`."""

    @property
    def dsn(self) -> str:
        login = LOGINS["scram-sha-256"]
        name = self.stack.database.dbname
        return f"postgresql://{login.user}:{login.password}@127.0.0.1:{self.port}/{name}?sslmode=disable"

    def connect(self, **options: object) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.dsn, **{"autocommit": True, "prepare_threshold": None, **options})  # type: ignore[arg-type]

    def admin(self) -> psycopg.Connection[tuple[object, ...]]:
        """PgBouncer's console, to which `admin_users` are let; it takes simple queries only."""
        login = LOGINS["scram-sha-256"]
        return psycopg.connect(
            f"postgresql://{login.user}:{login.password}@127.0.0.1:{self.pooler}/pgbouncer?sslmode=disable",
            autocommit=True,
            cursor_factory=psycopg.ClientCursor,
        )


@contextlib.contextmanager
def with_pooler(
    server: Server,
    place: Place,
    mode: PoolMode,
    policy: str,
    *,
    pool_size: int = 2,
    more: Mapping[str, object] | None = None,
) -> Iterator[Pooled]:
    """A database of the role that logs in, empty, behind a proxy and a PgBouncer."""
    with contextlib.ExitStack() as layers:
        database = layers.enter_context(fresh_database(server))
        with database.connect() as owner:
            owner.execute(f'ALTER DATABASE "{database.dbname}" OWNER TO {LOGINS["scram-sha-256"].user}')
        upstream = "127.0.0.1", database.port
        if place == "behind":
            port = layers.enter_context(pgbouncer(*upstream, mode, pool_size=pool_size, more=more))
            stack = layers.enter_context(running(database, policy, upstream=("127.0.0.1", port)))
            yield Pooled(stack, stack.port, mode, port)
        else:
            stack = layers.enter_context(running(database, policy, upstream=upstream))
            port = layers.enter_context(pgbouncer("127.0.0.1", stack.port, mode, pool_size=pool_size, more=more))
            yield Pooled(stack, port, mode, port)


@contextlib.contextmanager
def pooled_by(
    server: Server, place: Place, mode: PoolMode, *, pool_size: int = 2, more: Mapping[str, object] | None = None
) -> Iterator[Pooled]:
    """With a table `people` that has a sealed row, and another one, not sealed, in the schema `other`."""
    if PROGRAM is None:
        pytest.skip("pgbouncer is not installed here")
    with with_pooler(server, place, mode, POLICY, pool_size=pool_size, more=more) as pooled:
        for secret in (ANN, BOB):
            pooled.stack.canary(secret)
        with pooled.connect() as connection:
            connection.execute("CREATE TABLE people (id int PRIMARY KEY, email text, born date)")
            connection.execute("INSERT INTO people VALUES (1, %s, '1987-03-14')", (ANN,))
            connection.execute("CREATE SCHEMA other; CREATE TABLE other.people (id int, email text, born date)")
        yield pooled


@contextlib.contextmanager
def processes(behind: Pooled) -> Iterator[tuple[Lend, Lend]]:
    """The two server processes of the pool, each as a context in which it is the only one that can be had."""
    with behind.connect(autocommit=False) as one, behind.connect(autocommit=False) as two:

        def pids() -> list[int]:
            return [connection.execute("SELECT pg_backend_pid()").fetchone()[0] for connection in (one, two)]  # type: ignore[index, misc]

        @contextlib.contextmanager
        def lend(wanted: int) -> Iterator[None]:
            taken = dict(zip(pids(), (one, two), strict=True))
            taken.pop(wanted).rollback()
            yield
            for connection in taken.values():
                connection.rollback()

        first, second = pids()
        one.rollback()
        two.rollback()
        yield partial(lend, first), partial(lend, second)
