"""Every script against PostgreSQL directly, and through the proxy with an empty policy and with one that seals columns
which the script does not touch: the same bytes. The traces are recorded when the test runs, so they cannot be stale."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.golden.conversation import agree, play
from tests.golden.scripts import SCRIPTS, SETUP
from tests.support import servers
from tests.support.servers import Server
from tests.support.stack import Stack, running

POLICY = """\
public.customers:
  email: {type: text, search: equality}
  born:  {type: date, search: order}
"""


@pytest.fixture(scope="module", params=["", POLICY], ids=["empty policy", "policy"])
def stack(server: Server, request: pytest.FixtureRequest) -> Iterator[Stack]:
    with servers.fresh_database(server) as database, running(database, request.param) as found:
        with found.direct() as connection:
            connection.execute(SETUP.encode())
        if request.param:
            with found.connect() as connection:
                connection.execute("CREATE TABLE customers (id integer PRIMARY KEY, email text, born date)")
        yield found


@pytest.mark.parametrize("name", SCRIPTS)
def test_through_the_proxy_a_client_gets_the_same_bytes(stack: Stack, name: str) -> None:
    database, script = stack.database, SCRIPTS[name]
    golden = play(database.host, database.port, database.server.user, database.dbname, script)
    through = play(stack.host, stack.port, database.server.user, database.dbname, script)
    for number, (expected, got) in enumerate(zip(golden, through, strict=True)):
        same = len(got) == len(expected) and all(map(agree, expected, got))
        assert same or got == expected, f"step {number}"
    assert len(golden) == len(script) + 1
