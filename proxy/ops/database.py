"""A connection for a long job: asyncpg, with its exceptions mapped once, here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg

from proxy.errors import SealwireError

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]


class DatabaseError(SealwireError):
    """The database could not be reached, or failed a statement of ours. `sqlstate` is None where it gave none."""

    def __init__(self, message: str, *, sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.sqlstate = sqlstate


@asynccontextmanager
async def connect(dsn: str) -> AsyncIterator[Connection]:
    """A connection to `dsn` (a postgresql:// URI; what it leaves out comes from the PG* variables), closed at the end.

    Raises DatabaseError for whatever goes wrong with the connection or with a statement inside.
    """
    try:
        # Without a statement cache, so that PgBouncer in transaction mode is no obstacle.
        connection = await asyncpg.connect(dsn, statement_cache_size=0)
    except (asyncpg.InterfaceError, ValueError):
        # Theirs quotes what it could not read, which may be a piece of the password.
        raise DatabaseError(
            "the connection string is not a postgresql:// URI that can be used; percent-encode special characters in it"
        ) from None
    except (asyncpg.PostgresError, OSError) as error:
        raise DatabaseError(f"cannot connect to the database: {error}", sqlstate=sqlstate_of(error)) from error
    try:
        yield connection
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise DatabaseError(f"the database failed: {error}", sqlstate=sqlstate_of(error)) from error
    finally:
        await connection.close()


def sqlstate_of(error: Exception) -> str | None:
    return error.sqlstate if isinstance(error, asyncpg.PostgresError) else None
