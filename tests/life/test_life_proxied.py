"""A proxy in use while a column is sealed, unsealed and resealed: it has planned its statements before the swap and is
told nothing. No answer is wrong, and from the swap on nothing plain is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from proxy.config import Config, Keys, Listen, Upstream, load_policy
from proxy.crypto import Keyrings
from proxy.ops import rotation
from proxy.ops.life.fill import Progress, Report, Settings, Stopped
from proxy.ops.life.recipe import Operation
from proxy.ops.life.run import Order, give_up, run
from proxy.server.main import reload
from tests.support.servers import Database
from tests.support.stack import Stack, running, write_policy

COLUMN = "public.people.email"
PENDING = "public.people: {{email: {{type: {type}, search: {search}, pending: true}}}}"
ROWS = 300


class Live:
    """A table, the proxy in front of it, and the commands."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.keyrings = Keyrings({"": stack.keyring})
        stack.shared.sealers = self.keyrings

    @property
    def config(self) -> Config:
        folder = self.stack.directory
        keys = Keys(folder / "keyring.json", master_key=str(folder / "master.key"))
        return Config(folder / "sealwire.yaml", Listen(), Upstream(), keys, folder / "columns.yaml")

    def set_policy(self, text: str) -> None:
        """For the commands; proxies go on with what they have."""
        write_policy(self.stack.directory, self.stack.database.dbname, text)

    def reload(self) -> None:
        assert reload(self.config, self.stack.shared, self.keyrings)

    def rotate(self) -> int:
        domains = rotation.domains_of(load_policy(self.config.columns), "")
        return rotation.rotate(self.config.keys, domains, name="second").key.id

    def do(
        self,
        operation: Operation,
        *columns: str,
        report: Report = lambda _: None,
        in_place: bool = False,
        batch: int = 100,
    ) -> None:
        order = Order(operation, self.stack.database.dbname, columns or (COLUMN,), in_place)
        settings = Settings(self.stack.database.dsn, batch=batch, report=report)
        asyncio.run(asyncio.wait_for(run(self.config, order, settings), 120))

    def sent(self, text: str) -> int:
        return b"".join(self.stack.tap.sent).count(text.encode())


def table(stack: Stack, kind: str = "text") -> None:
    with stack.direct() as direct:
        direct.execute(
            f"CREATE TABLE people (id integer PRIMARY KEY, email {kind}, city text);"
            f"INSERT INTO people SELECT i, ('user' || i)::{kind}, 'Bonn' FROM generate_series(1, {ROWS}) i"
        )


@pytest.fixture
def live(database: Database) -> Iterator[Live]:
    with running(database, PENDING.format(type="text", search="equality")) as stack:
        table(stack)
        yield Live(stack)


FIND = "SELECT id FROM people WHERE email = %s"


def find(connection: psycopg.Connection[Any], number: int, *, prepare: bool | None = None) -> list[Any]:
    return connection.execute(FIND, [f"user{number}"], prepare=prepare).fetchall()


def find_text(connection: psycopg.Connection[Any], number: int) -> list[Any]:
    return connection.execute(f"SELECT id FROM people WHERE email = 'user{number}'").fetchall()


def test_no_statement_of_any_kind_sees_a_column_as_it_was_before_it_was_sealed(live: Live) -> None:
    with live.stack.connect() as simple, live.stack.connect() as extended, live.stack.connect() as prepared:
        simple_client = psycopg.ClientCursor(simple)
        assert find_text(simple, 7) == find(extended, 7) == find(prepared, 7, prepare=True) == [(7,)]
        simple.execute("PREPARE sql (text) AS SELECT id FROM people WHERE email = $1")
        assert simple_client.execute("EXECUTE sql('user9')").fetchall() == [(9,)]
        live.do(Operation.SEAL)
        live.stack.canary("user8")
        assert simple_client.execute(FIND, ["user8"]).fetchall() == [(8,)]
        assert find_text(simple, 8) == [(8,)]
        assert find(extended, 8) == [(8,)]
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="cached plan"):
            find(prepared, 8, prepare=True)
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="cached plan"):
            simple_client.execute("EXECUTE sql('user8')")
        inserted = live.stack.canary("new@example.org")
        simple_client.execute("INSERT INTO people (id, email, city) VALUES (1000, %s, 'Ulm')", [inserted])
        simple_client.execute("BEGIN; UPDATE people SET city = 'Köln' WHERE email = 'user8'; COMMIT")
        with extended.cursor().copy("COPY people (id, email) FROM STDIN") as copy:
            copy.write_row((1001, live.stack.canary("copied@example.org")))
        rows = extended.execute("SELECT id, email, city FROM people WHERE id IN (8, 1000, 1001) ORDER BY id").fetchall()
        assert rows == [(8, "user8", "Köln"), (1000, inserted, "Ulm"), (1001, "copied@example.org", None)]


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("kind", ["text", "bytea"])
def test_there_and_back_with_the_policy_unchanged(database: Database, kind: str, in_place: bool) -> None:
    with running(database, PENDING.format(type=kind, search="equality")) as stack:
        table(stack, kind)
        live = Live(stack)
        with stack.connect() as application:
            query = "SELECT id, city FROM people WHERE email = 'user5'"
            for operation in (Operation.SEAL, Operation.UNSEAL, Operation.SEAL):
                assert application.execute(query).fetchall() == [(5, "Bonn")]
                live.do(operation, in_place=in_place)
            assert application.execute(query).fetchall() == [(5, "Bonn")]


def test_while_values_are_prepared_the_table_is_what_it_was(live: Live) -> None:
    seen = []

    def report(progress: Progress) -> None:
        if progress.phase in ("fill", "swap") and progress.phase not in seen:
            seen.append(progress.phase)
            live.stack.shared.replace_policy(live.stack.shared.policy)
            with live.stack.connect() as application:
                number = 2000 + len(seen)
                application.execute("INSERT INTO people (id, email) VALUES (%s, %s)", [number, f"user{number}"])
                assert find_text(application, number) == [(number,)]
                assert application.execute("SELECT * FROM people WHERE id = 5").fetchall()[0][:3] == (
                    5,
                    "user5",
                    "Bonn",
                )
                assert application.execute("SELECT p FROM people p WHERE id = 5 AND false").fetchall() == []

    live.do(Operation.SEAL, report=report)
    assert seen == ["fill", "swap"]
    with live.stack.connect() as application:
        assert find(application, 2002) == [(2002,)]
    sealed(live)
    live.rotate()
    live.reload()
    seen.clear()

    def again(progress: Progress) -> None:
        if progress.phase in ("fill", "swap") and progress.phase not in seen:
            seen.append(progress.phase)
            with live.stack.connect() as application:
                row = application.execute("SELECT * FROM people WHERE email = 'user5'").fetchone()
                assert row is not None
                assert (row[0], row[2]) == (5, "user5")

    live.do(Operation.RESEAL, report=again)
    assert seen == ["fill", "swap"]


DEPENDENT = (
    "SELECT count(*) FROM people a NATURAL JOIN people b",
    "SELECT count(*) FROM people p WHERE p IS NOT NULL",
    "SELECT count(*) FROM people p WHERE p.* IS NOT NULL",
    "SELECT count(*) FROM people a JOIN people b ON a = b",
    "SELECT count(*) FROM (SELECT DISTINCT * FROM people) d",
    "SELECT * FROM people EXCEPT SELECT * FROM people",
    "SELECT id FROM people p ORDER BY p",
)
"""What would go by the values of the shadow, which are there for some rows only."""


def test_no_answer_depends_on_the_column_that_is_being_prepared(live: Live) -> None:
    with live.stack.direct() as direct:
        direct.execute("CREATE TABLE folk AS SELECT id, email, city AS town FROM people")
    policy = (
        "public.people: {email: {type: text, search: equality, join: m, pending: true}}\n"
        "public.folk: {email: {type: text, search: equality, join: m, pending: true}}"
    )
    live.set_policy(policy)
    live.reload()
    seen: list[str] = []

    def report(progress: Progress) -> None:
        if progress.phase in ("fill", "swap") and progress.phase not in seen:
            seen.append(progress.phase)
            with live.stack.connect() as application:
                assert application.execute("SELECT count(*) FROM people NATURAL JOIN folk").fetchone() == (ROWS,)
                assert application.execute("SELECT count(DISTINCT email) FROM people p").fetchone() == (ROWS,)
                for query in DEPENDENT:
                    with pytest.raises(
                        psycopg.errors.FeatureNotSupported, match="cannot run while|cannot be used here"
                    ) as refused:
                        application.execute(query)
                    assert refused.value.diag.message_hint

    live.do(Operation.SEAL, COLUMN, "public.folk.email", report=report)
    assert seen == ["fill", "swap"]
    live.set_policy(policy.replace(", pending: true", ""))
    live.reload()
    live.rotate()
    live.reload()
    seen.clear()
    live.do(Operation.RESEAL, COLUMN, "public.folk.email", report=report)
    assert seen == ["fill", "swap"]


def test_a_transaction_that_has_named_the_table_keeps_the_swap_waiting(live: Live) -> None:
    with live.stack.connect(autocommit=False) as application:
        assert find(application, 7) == [(7,)]
        held = application.execute("SELECT count(*) FROM people WHERE email = 'user7'").fetchone()
        with live.stack.direct() as direct, pytest.raises(psycopg.errors.LockNotAvailable):
            direct.execute("SET lock_timeout = '50ms'; ALTER TABLE people ADD x integer")
        assert held == (1,)


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_a_snapshot_from_before_the_swap_does_not_serve(live: Live, level: str) -> None:
    with live.stack.connect() as old, live.stack.connect() as other:

        def report(progress: Progress) -> None:
            if progress.phase == "swap" and old.info.transaction_status == TransactionStatus.IDLE:
                old.execute(f"BEGIN ISOLATION LEVEL {level}")
                old.execute("SELECT 1 FROM pg_class LIMIT 1")

        live.do(Operation.SEAL, report=report)
        assert find(other, 7) == [(7,)]
        with pytest.raises(psycopg.errors.SerializationFailure, match="was sealed, unsealed or resealed"):
            old.execute("SELECT count(email) FROM people")
        old.execute("ROLLBACK")
        assert find(old, 7) == [(7,)]


def test_a_lock_ends_with_its_savepoint_and_its_transaction(live: Live) -> None:
    with live.stack.connect() as application:
        application.execute("BEGIN; SAVEPOINT s")
        assert find_text(application, 7) == [(7,)]
        application.execute("ROLLBACK TO s")
        live.do(Operation.SEAL)
        live.stack.canary("user8")
        assert find_text(application, 8) == [(8,)]
        application.execute("COMMIT")
    with live.stack.connect() as application:
        live.do(Operation.UNSEAL)
        client = psycopg.ClientCursor(application)
        cursor = client.execute("SELECT id FROM people WHERE email = 'user3'; COMMIT; SELECT 1")
        assert cursor.fetchall() == [(3,)]


def test_a_guard_that_fails_leaves_the_session_well(live: Live) -> None:
    with live.stack.connect() as application, live.stack.direct() as direct:
        assert find_text(application, 7) == [(7,)]
        direct.execute("ALTER TABLE people RENAME TO folk")
        for one in (find_text, find):
            with pytest.raises(psycopg.errors.UndefinedTable):
                one(application, 7)
        direct.execute("ALTER TABLE folk RENAME TO people")
        assert find_text(application, 7) == find(application, 7) == [(7,)]
        with application.pipeline():
            first, second = application.execute(FIND, ["user1"]), application.execute(FIND, ["user2"])
        assert (first.fetchall(), second.fetchall()) == ([(1,)], [(2,)])


def test_an_index_that_is_built_concurrently_takes_no_literal_of_a_column_that_may_be_sealed_any_moment(
    live: Live,
) -> None:
    with live.stack.connect() as application:
        for predicate in ("email = 'user7'", "people.* = ROW(7, 'user7', 'Bonn')", "(people).email = 'user7'"):
            with pytest.raises(psycopg.errors.FeatureNotSupported, match="CONCURRENTLY") as refused:
                application.execute(f"CREATE INDEX CONCURRENTLY ON people (id) WHERE {predicate}")
            assert "pending: true" in (refused.value.diag.message_hint or "")
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="CONCURRENTLY"):
            application.execute("CREATE INDEX CONCURRENTLY ON people ((email || 'user7'))")
        application.execute("CREATE INDEX CONCURRENTLY city ON people (id) WHERE city = 'Bonn'")
        application.execute("CREATE INDEX CONCURRENTLY filled ON people (lower(email)) WHERE email IS NOT NULL")
        application.execute("CREATE INDEX plainly ON people (id) WHERE email = 'user7'; DROP INDEX filled, plainly")
        live.do(Operation.SEAL)
        live.stack.canary("user8")
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="CONCURRENTLY"):
            application.execute("CREATE INDEX CONCURRENTLY ON people (id) WHERE email = 'user8'")
        application.execute("CREATE INDEX CONCURRENTLY emails ON people (email) WHERE email IS NOT NULL")
        application.execute("CREATE INDEX ON people (id) WHERE email = 'user8'")
        assert find_text(application, 8) == [(8,)]


def test_an_index_with_a_literal_of_a_key_that_waits_for_its_reseal_is_not_built_concurrently(live: Live) -> None:
    sealed(live)
    live.rotate()
    live.reload()
    with live.stack.connect() as application:
        with pytest.raises(psycopg.errors.ActiveSqlTransaction):
            application.execute("CREATE INDEX CONCURRENTLY ON people (id) WHERE email = 'user8'")
        application.execute("CREATE INDEX CONCURRENTLY emails ON people (email)")
        live.do(Operation.RESEAL)
        assert find_text(application, 8) == [(8,)]


def sealed(live: Live) -> None:
    live.do(Operation.SEAL)
    live.set_policy("public.people: {email: {type: text, search: equality}}")
    live.reload()


BY_PLACE = (
    "INSERT INTO people VALUES (%s, %s, 'Bonn')",
    "INSERT INTO people VALUES (%s, %s) ON CONFLICT DO NOTHING",
    "INSERT INTO people SELECT %s, %s, 'Bonn'",
    "WITH new AS (INSERT INTO people VALUES (%s, %s, 'Bonn') RETURNING id) SELECT id FROM new",
    "MERGE INTO people USING (VALUES (%s::int)) s (n) ON id = n WHEN NOT MATCHED THEN INSERT VALUES (n, %s, 'Bonn')",
)


def test_no_value_goes_into_the_column_that_has_taken_the_place_of_its_own(live: Live) -> None:
    """An INSERT without a column list means what the application thinks of: email is the second column. After the swap
    it would put e-mail addresses, in plain, into the city."""
    with live.stack.connect() as application, live.stack.connect() as prepared, live.stack.direct() as direct:
        client = psycopg.ClientCursor(application)
        for number, statement in enumerate(BY_PLACE, 1000):
            client.execute(statement, (number, f"before{number}@example.org"))
            prepared.execute(statement, (number + 100, f"before{number}@example.org"), prepare=True)
        live.do(Operation.SEAL)
        email = live.stack.canary("after@example.org")
        for step in ("settle", "reseal", "done"):
            for statement in BY_PLACE:
                with pytest.raises(psycopg.errors.FeatureNotSupported, match="without a column list") as refused:
                    client.execute(statement, (2000, email))
                assert refused.value.diag.message_hint == "name the columns, in the order of the values"
                with pytest.raises(psycopg.errors.FeatureNotSupported, match="cached plan|without a column list"):
                    prepared.execute(statement, (2000, email), prepare=True)
            with (
                pytest.raises(psycopg.errors.FeatureNotSupported, match="without a column list"),
                client.copy("COPY people FROM STDIN"),
            ):
                pass
            if step == "settle":
                live.set_policy("public.people: {email: {type: text, search: equality}}")
                live.reload()
            elif step == "reseal":
                live.rotate()
                live.reload()
                live.do(Operation.RESEAL)
        client.execute("INSERT INTO people (id, email, city) VALUES (2000, %s, 'Ulm')", (email,))
        client.execute("INSERT INTO people (city, id) SELECT 'Ulm', 2001")
        with pytest.raises(psycopg.errors.NotNullViolation):
            client.execute("INSERT INTO people DEFAULT VALUES")
        assert client.execute("SELECT email, city FROM people WHERE id = 2000").fetchall() == [(email, "Ulm")]
        direct.execute("COMMENT ON TABLE sealwire.jobs IS 'what somebody has written here instead'")
        direct.execute("CREATE TABLE other (id integer)")
    with live.stack.connect() as application:
        application.execute("INSERT INTO other VALUES (1)")
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="without a column list"):
            application.execute("INSERT INTO people VALUES (2002)")


@pytest.mark.parametrize(
    ("columns", "in_place", "is_moved"),
    [
        (("email",), False, True),
        (("email",), True, False),
        (("city",), False, False),
        (("email", "city"), False, False),
        (("city", "email"), False, True),
    ],
)
def test_a_column_that_has_kept_its_place_may_be_meant_by_it(
    database: Database, columns: tuple[str, ...], in_place: bool, is_moved: bool
) -> None:
    entries = ", ".join(f"{column}: {{type: text, pending: true}}" for column in columns)
    with running(database, f"public.people: {{{entries}}}") as stack:
        table(stack)
        Live(stack).do(Operation.SEAL, *(f"public.people.{column}" for column in columns), in_place=in_place)
        with stack.connect() as application, stack.direct() as direct:
            try:
                application.execute("INSERT INTO people VALUES (1000, 'new@example.org', 'Ulm')")
            except psycopg.errors.FeatureNotSupported as refused:
                assert "without a column list" in str(refused)  # noqa: PT017  (both outcomes are compared below)
            there = application.execute("SELECT email, city FROM people WHERE id = 1000").fetchall()
            assert there == ([] if is_moved else [("new@example.org", "Ulm")])
            row = direct.execute(
                "SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute"
                " WHERE attrelid = 'people'::regclass AND attnum > 0 AND NOT attisdropped"
            ).fetchone()
            assert row is not None
            assert (row[0] != "id email city") is is_moved


def test_a_rotated_key_is_in_force_from_the_swap_on_whether_or_not_proxies_reload(live: Live) -> None:
    sealed(live)
    new = live.rotate()
    live.reload()
    with live.stack.connect() as simple, live.stack.connect() as prepared, live.stack.direct() as direct:
        literal = "SELECT id FROM people WHERE email = 'user4'"
        assert find_text(simple, 4) == [(4,)]
        assert prepared.execute(literal, prepare=True).fetchall() == find(prepared, 4, prepare=True) == [(4,)]
        simple.execute("PREPARE sql AS SELECT id FROM people WHERE email = 'user4'")
        live.do(Operation.RESEAL)
        for _ in range(2):
            assert find_text(simple, 4) == find(prepared, 4, prepare=True) == [(4,)]
            with pytest.raises(psycopg.errors.FeatureNotSupported, match="cached plan"):
                prepared.execute(literal, prepare=True)
            simple.execute("UPDATE people SET email = 'again' WHERE email = 'user6'")
            with pytest.raises(psycopg.errors.FeatureNotSupported, match="cached plan"):
                simple.execute("EXECUTE sql")
            keys = direct.execute(
                "SELECT DISTINCT get_byte(email, 5) + 256 * get_byte(email, 4) FROM people"
            ).fetchall()
            assert keys == [(new % 65536,)]
            live.reload()
        assert live.keyrings.keyring().next_key(COLUMN) is None


def test_a_domain_that_goes_on_waiting_is_known_by_the_key_that_it_lies_under(live: Live) -> None:
    entry = "{email: {type: text, search: equality, join: m}}"
    live.set_policy(f"public.people: {entry}\npublic.elsewhere: {entry}")
    live.do(Operation.SEAL)
    live.reload()
    seen: list[str] = []

    def report(progress: Progress) -> None:
        with live.stack.connect() as application:
            for one in (find_text, find):
                assert one(application, 4) == [(4,)], progress.phase
        seen.append(progress.phase)

    for _ in range(3):
        live.rotate()
        live.reload()
        live.do(Operation.RESEAL, report=report)
        assert live.keyrings.keyring().next_key("join:m") is not None
    assert {"fill", "swap", "finish"} <= set(seen)

    def stop(progress: Progress) -> None:
        if progress.phase == "fill":
            raise Stopped("stopped")

    with pytest.raises(Stopped):
        live.do(Operation.RESEAL, report=stop)
    report(Progress("stopped", COLUMN, 0, 0, 0))
    order = Order(Operation.RESEAL, live.stack.database.dbname, (COLUMN,))
    assert asyncio.run(give_up(live.config, order, Settings(live.stack.database.dsn)))
    report(Progress("given up", COLUMN, 0, 0, 0))


def test_columns_that_share_a_key_go_together(live: Live) -> None:
    joined = "public.people: {email: {type: text, search: equality, join: m, pending: true}}\n"
    joined += "public.orders: {email: {type: text, search: equality, join: m, pending: true}}"
    with live.stack.direct() as direct:
        direct.execute("CREATE TABLE orders AS SELECT id AS number, email FROM people WHERE id % 2 = 0")
    live.set_policy(joined)
    live.reload()
    query = "SELECT count(*) FROM people p JOIN orders o ON o.email = p.email WHERE p.email <> 'user2'"
    with live.stack.connect() as application:
        assert application.execute(query).fetchone() == (ROWS // 2 - 1,)
        live.do(Operation.SEAL, COLUMN, "public.orders.email")
        assert application.execute(query).fetchone() == (ROWS // 2 - 1,)
        live.rotate()
        live.reload()
        assert application.execute(query).fetchone() == (ROWS // 2 - 1,)
        with pytest.raises(Exception, match=r"shares its key with public\.orders\.email"):
            live.do(Operation.RESEAL)
        live.do(Operation.RESEAL, COLUMN, "public.orders.email")
        assert application.execute(query).fetchone() == (ROWS // 2 - 1,)


def test_another_search_is_refused_until_the_proxy_knows_of_it(live: Live) -> None:
    live.do(Operation.SEAL)
    with live.stack.connect() as application:
        assert find(application, 4) == [(4,)]
        changed = "public.people: {email: {type: text, search: order, max_length: 16, pending: true}}"
        live.set_policy(changed)
        live.do(Operation.RESEAL)
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="this proxy's policy says search: equality"):
            find(application, 4)
        live.reload()
        assert find(application, 4) == [(4,)]


def test_what_is_settled_costs_no_question(live: Live) -> None:
    with live.stack.connect() as application:
        assert find(application, 4) == [(4,)]
        assert live.sent("sealwire.guard") > 0
    sealed(live)
    with live.stack.connect() as application:
        before = live.sent("sealwire.guard")
        assert find(application, 4) == [(4,)]
        assert live.sent("sealwire.guard") == before
