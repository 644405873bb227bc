"""What Sealwire would do with one SQL text: the analysis of `proxy.sql` against the live catalog, without keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.config import Policy
from proxy.sql import analyse
from proxy.sql.catalog import CATALOG_QUERY, SESSION_QUERY, SYSTEM_QUERY, load_catalog, load_session, load_system
from proxy.sql.plan import Failure, Statement

if TYPE_CHECKING:
    from proxy.ops.database import Connection


async def explain(connection: Connection, policy: Policy, text: str) -> list[Statement | Failure]:
    """The plan of each statement of `text`, as a session that connects as `connection` does would have it.

    Ends with a Failure at the first statement that is refused. Nothing is executed.
    """
    system = load_system(await connection.fetchval(SYSTEM_QUERY))
    catalog = load_catalog(await connection.fetchval(CATALOG_QUERY), system)
    facts = load_session(await connection.fetchval(SESSION_QUERY))
    return analyse(text, catalog=catalog, path=facts.path, policy=policy.for_database(facts.database))
