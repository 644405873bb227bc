"""Sealed columns with TLS on both legs and channel binding demanded by the client: a batch, COPY, large values."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from proxy.config import Keys, load_policy
from proxy.crypto import FileProvider, Keyring, make_provider
from proxy.server.main import Proxy
from proxy.session.shared import Shared
from tests.support.servers import fresh_database
from tests.support.stack import LoopThread, install_schema, write_policy
from tests.tls.conftest import LOGIN, LOOKUP, Door, World

POLICY = "public.people:\n  email: {type: text, search: equality}\n  note: {type: text, search: none}\n"
MANY = 2_000


@pytest.mark.parametrize("binary", [False, True])
def test_the_server_holds_ciphertext_and_the_client_sees_values(
    world: World, thread: LoopThread, tmp_path: Path, binary: bool
) -> None:
    keys = Keys(keyring=tmp_path / "keyring.json", master_key=str(tmp_path / "master.key"))
    FileProvider.create(tmp_path / "master.key")
    keyring = Keyring.create(keys.keyring, make_provider(keys))
    with fresh_database(world.server) as database:
        thread.run(install_schema(database.dsn))
        with database.connect() as owner:
            owner.execute("CREATE TABLE people (id int, email sealwire.sealed, note sealwire.sealed)")
            owner.execute(f"GRANT ALL ON people TO {LOGIN.user}; GRANT USAGE ON SCHEMA sealwire TO {LOGIN.user}")
            policy = load_policy(write_policy(tmp_path, database.dbname, POLICY))
            proxy = Proxy(world.config(LOOKUP), Shared(policy, keyring))
            thread.run(proxy.start())
            try:
                options = Door(world, proxy).options(dbname=database.dbname, channel_binding="require")
                with psycopg.connect(**options) as connection, connection.cursor(binary=binary) as cursor:
                    assert connection.pgconn.ssl_in_use
                    people = [(n, f"{n}@quvex.example", "n" * (n % 300)) for n in range(MANY)]
                    cursor.executemany("INSERT INTO people VALUES (%s, %s, %s)", people)
                    with cursor.copy("COPY people FROM STDIN") as copy:
                        copy.write_row((MANY, "copied@quvex.example", "large " * 100_000))
                    connection.commit()
                    cursor.execute("SELECT id FROM people WHERE email = %s", ("77@quvex.example",))
                    assert cursor.fetchall() == [(77,)]
                    cursor.execute("SELECT * FROM people WHERE id < %s ORDER BY id", (MANY,))
                    assert cursor.fetchall() == people
                    cursor.execute("SELECT note FROM people WHERE email = %s", ("copied@quvex.example",))
                    assert cursor.fetchall() == [("large " * 100_000,)]
            finally:
                thread.run(proxy.shutdown(0))
            stored = owner.execute(
                "SELECT count(*), bool_or(position('quvex'::bytea IN email::bytea) > 0) FROM people"
            ).fetchone()
    assert stored == (MANY + 1, False)
