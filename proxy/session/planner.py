"""What one session knows when it analyses a statement: catalog, search_path, settings, and how fresh each of them is.

The catalog is read over the client's own connection, so that it needs no credentials and shows uncommitted DDL. A
session takes the shared snapshot of its database until it sends DDL itself; from then to the end of the transaction it
has its own, and keeps its own while it holds temporary tables.
"""

from __future__ import annotations

import enum
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from proxy.errors import Refused
from proxy.session.plans import Analysis
from proxy.session.refusals import SYNTAX_ERROR, depends_on_path
from proxy.session.shared import Database, Shared, Snapshot
from proxy.sql.catalog import (
    CATALOG_QUERY,
    OF_SQL,
    SESSION_QUERY,
    STATEMENTS_QUERY,
    SYSTEM_QUERY,
    SearchPath,
    SessionFacts,
    load_catalog,
    load_session,
    load_statements,
    load_system,
)
from proxy.sql.plan import Effect, Failure, Plan, Statement
from proxy.sql.strings import conforming
from proxy.wire.codecs import Settings
from proxy.wire.codecs.encodings import from_utf8, to_utf8


class Wanted(enum.Enum):
    """What is read from the server; the value is the query, which gives one row with one column."""

    SYSTEM = SYSTEM_QUERY
    CATALOG = CATALOG_QUERY
    SESSION = SESSION_QUERY
    STATEMENTS = STATEMENTS_QUERY
    """Takes an array of names. Of a pooler's server process only."""
    NOTHING = "SHOW transaction_isolation"
    """Begins an implicit transaction block, and takes no snapshot in it."""


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """What an analysis rests on; while it is the same, so is the plan."""

    snapshot: Snapshot
    path: SearchPath

    def same_as(self, other: Basis) -> bool:
        return self.snapshot is other.snapshot and self.path == other.path


_POOLERS: Final = ("PGBOUNCER_", "__pgdog_")
"""How the names begin that poolers give to the prepared statements of their clients: PgBouncer (`include/prepare.h`)
and PgDog (`frontend/prepared_statements/global_cache.rs`)."""


def is_of_pooler(name: str) -> bool:
    """Whether a prepared statement is called as a pooler calls those of its clients."""
    return name.startswith(_POOLERS)


_FREE: Final = re.compile(
    r"""\s*(?:|(?:begin|start\s+transaction|commit|end|rollback|abort|savepoint|release|prepare\s+transaction
        |set|reset|show|discard|deallocate|listen|unlisten|notify)\b[^;]*);?\s*""",
    re.IGNORECASE | re.VERBOSE,
)

_NAMELESS: Final = frozenset(
    (
        "VACUUM", "CLUSTER", "REINDEX", "CHECKPOINT", "DROP", "ALTER SYSTEM", "CREATE DATABASE", "ALTER DATABASE",
        "DROP DATABASE", "CREATE TABLESPACE", "ALTER TABLESPACE", "DROP TABLESPACE", "CREATE SUBSCRIPTION",
        "ALTER SUBSCRIPTION", "DROP SUBSCRIPTION",
    )
)  # fmt: skip
"""Tags of statements in which the analysis looks no name up. Most of them run outside of a transaction block only."""
_ALONE: Final = re.compile(
    r"\s*(?:(?P<concurrent>create\s+(?:unique\s+)?index\s+concurrently|alter\s+table\s[^;]*\sconcurrently)|call|do)\b",
    re.IGNORECASE,
)
"""Others that run, or may run, outside of a transaction block only."""
_MOST_SCHEMAS: Final = 64


def is_free(text: str) -> bool:
    """True for statements that may need no catalog."""
    return _FREE.fullmatch(text) is not None


class Planner:
    """One session's part. `settings` shapes text values and follows the server's reports. `backend_pid` is what
    BackendKeyData gave.

    Where the server process is another one than that, a pooler stands in between and may lend out another process
    for every transaction: `pooled`. What belongs to a process (search_path, temporary tables, prepared statements) is
    then known for one transaction only.
    """

    def __init__(self, shared: Shared, name: str, *, backend_pid: int | None = None) -> None:
        self.settings = Settings()
        self._shared = shared
        self._name = name
        self._version = ""
        self._database: Database | None = None
        self._facts: SessionFacts | None = None
        self._facts_stale = True
        self._facts_epoch = 0
        self._own: Snapshot | None = None
        self._catalog_stale = False
        self._catalog_changed = False  # by this transaction
        self._settings_changed = False
        self._standing: Basis | None = None
        self._backend_pid = backend_pid
        self.pooled = False
        self.turn = 0
        """Counts the moments at which the server process may have become another."""
        self._there: Mapping[str, str] = {}
        """Prepared statements of that process: OF_SQL or the digests of their texts."""

    @property
    def database(self) -> Database:
        """The database under the policy of now. Not before authentication: its name is only a claim until then."""
        current = self._shared.database(self._name)
        if current is not self._database:
            self._database, self._own = current, None
            self._facts_stale = True
        return current

    @property
    def _snapshot(self) -> Snapshot | None:
        database = self.database
        if self._catalog_stale:
            return None
        if self._own is not None and self._own.epoch == database.epoch:
            return self._own
        return database.snapshot

    @property
    def basis(self) -> Basis:
        """What an analysis would rest on now, stale or not."""
        path = SearchPath() if self._facts is None else self._facts.path
        return Basis(self._snapshot or self._own or self.database.snapshot or self.database.blank, path)

    def standing(self) -> Basis | None:
        """The basis, where nothing has to be read before the next analysis and nothing that this transaction has sent
        may change it. It is one object for as long as it stays the same."""
        database, facts = self._shared.databases.get(self._name), self._facts
        if database is None or database is not self._database:
            return None  # not asked for yet, or the policy has changed
        snapshot = database.snapshot if self._own is None or self._own.epoch != database.epoch else self._own
        if (
            self.pooled
            or facts is None
            or self._facts_epoch != database.epoch
            or self._catalog_stale
            or self._facts_stale
            or self._catalog_changed
            or self._settings_changed
            or snapshot is None
        ):
            return None
        known = self._standing
        if known is None or known.snapshot is not snapshot or known.path is not facts.path:
            known = self._standing = Basis(snapshot, facts.path)
        return known

    # -- freshness -----------------------------------------------------------------------------------------------------

    def wanted(self) -> tuple[Wanted, ...]:
        """What has to be read before the next analysis."""
        wanted = []
        if self._snapshot is None:
            if self._version not in self._shared.systems:
                wanted.append(Wanted.SYSTEM)
            wanted.append(Wanted.CATALOG)
        if self._facts_stale or self._facts_epoch != self.database.epoch:
            wanted.append(Wanted.SESSION)  # schemas that came or went change what the search_path comes to
        return tuple(wanted)

    def take(self, wanted: tuple[Wanted, ...], values: list[bytes], epoch: int) -> None:
        """The answers. `epoch` is the database's when they were asked for. Raises Refused where they cannot be read."""
        to_text = to_utf8(self.settings.client_encoding)
        for want, value in zip(wanted, values, strict=True):
            text = to_text(value).decode()
            match want:
                case Wanted.SYSTEM:
                    self._shared.systems[self._version] = load_system(text)
                case Wanted.CATALOG:
                    catalog = load_catalog(text, self._shared.systems[self._version])
                    private = self._catalog_changed or catalog.has_temporary
                    self._own = self.database.take(catalog, epoch=epoch, publish=not private)
                    self._catalog_stale = False
                case Wanted.SESSION:
                    self._facts = facts = load_session(text)
                    self._facts_stale = False
                    self._facts_epoch = epoch
                    known = self._snapshot
                    if known is not None and facts.temporary not in (None, known.catalog.temporary):
                        self._catalog_stale = True  # a function has made or dropped some
                    self.settings = replace(
                        self.settings, bytea_output=facts.bytea_output, extra_float_digits=facts.extra_float_digits
                    )
                    self._meet(facts)
                case Wanted.STATEMENTS:  # pragma: no branch - there is no other
                    self._there = load_statements(text)

    def _meet(self, facts: SessionFacts) -> None:
        self.pooled = self.pooled or facts.pid != self._backend_pid
        # ParameterStatus tells of a SET no sooner than ReadyForQuery.
        for name, value in facts.reported.items():
            self.reported(name, value)
        if not self.pooled:
            return
        # Temporary tables of this process, whoever has made them, come before those that the catalog shows.
        self._catalog_stale = self._catalog_stale or facts.path.temp is not None

    def distrust(self) -> None:
        """The server process may be another one from here on."""
        self.turn += 1
        self._there = {}
        self._facts_stale = True
        if self._own is not None and self._own.catalog.temporary:
            self._own = None

    def is_foreign(self, name: bytes, sent: str) -> bool:
        """The server process has another statement of this name than the one whose text was `sent`."""
        there = self._there.get(to_utf8(self.settings.client_encoding)(name).decode())
        return there is not None and there != hashlib.sha256(sent.encode()).hexdigest()

    @property
    def swapped(self) -> str | None:
        """Of a statement of the pooler's that the server process has not from the pooler, but from SQL, the name."""
        return next((name for name, made in self._there.items() if made == OF_SQL and is_of_pooler(name)), None)

    def sent(self, effects: Effect) -> None:
        """A statement with these effects goes to the server."""
        if Effect.CATALOG in effects:
            self._catalog_stale = self._catalog_changed = True
            self._facts_stale = True  # pg_temp_N may have come to be, and schemas of the path with it
        if Effect.SETTINGS in effects:
            self._facts_stale = self._settings_changed = True
        if Effect.TRANSACTION in effects and self.is_changed:
            # It may take that back, and ReadyForQuery comes too late for what is sent behind it.
            self._facts_stale = True
            self._catalog_stale = self._catalog_stale or self._catalog_changed

    @property
    def is_changed(self) -> bool:
        """The transaction has changed settings or the catalog, or what is under way may do so."""
        return self._catalog_changed or self._settings_changed

    def transaction_ended(self, *, quiet: bool) -> None:
        """ReadyForQuery outside of a transaction. `quiet`: nothing is under way behind it, so that whatever was noted
        as changed has been changed by now."""
        if self._catalog_changed:
            self._catalog_stale = self._facts_stale = True
            self._own = None
            self.database.invalidate()
        if self._settings_changed:
            self._facts_stale = True
        if quiet:
            self._catalog_changed = self._settings_changed = False
        if self.pooled:
            self.distrust()

    def doubt(self) -> None:
        """The catalog does not know a name, or contradicts the server: read it anew."""
        self.database.invalidate()
        self._own = None

    def reported(self, name: str, value: str) -> None:
        """ParameterStatus."""
        match name:
            case "client_encoding":
                self.settings = replace(self.settings, client_encoding=value)
            case "TimeZone":
                self.settings = replace(self.settings, timezone=value)
            case "DateStyle":
                self.settings = replace(self.settings, datestyle=value)
            case "IntervalStyle":
                self.settings = replace(self.settings, intervalstyle=value)
            case "standard_conforming_strings":
                self.settings = replace(self.settings, standard_conforming_strings=value == "on")
            case "search_path":
                self._facts_stale = True
            case "server_version":
                self._version = value

    # -- analysis ------------------------------------------------------------------------------------------------------

    def decode(self, text: bytes) -> str:
        """SQL from the client, as with standard_conforming_strings = on. Raises Refused: not in client_encoding."""
        decoded = to_utf8(self.settings.client_encoding)(text).decode()
        return decoded if self.settings.standard_conforming_strings else conforming(decoded)

    def encode(self, text: str) -> bytes:
        return from_utf8(self.settings.client_encoding)(text.encode())

    def analyse(self, text: str, types: tuple[int, ...]) -> Analysis:
        basis = self.basis
        return basis.snapshot.plans.plan(text, types, basis.path)

    def known(self, text: str, basis: Basis, types: tuple[int, ...] = ()) -> Analysis | None:
        """What `analyse_free` or `analyse` would give for a text that has been analysed before; None: find it there."""
        if not _FREE.fullmatch(text):
            return basis.snapshot.plans.known(text, types, basis.path)
        found = self.database.blank.plans.known(text, types, SearchPath())
        is_free = found and all(isinstance(one, Statement) and not one.plan.touches_sealed for one in found)
        return found if is_free else None

    def analyse_free(self, text: str, types: tuple[int, ...]) -> Analysis | None:
        """The analysis of a statement that needs no catalog, such as BEGIN or SET, or that is no statement at all;
        None: it may need one.

        SET TRANSACTION must come before any query, so nothing may be read on its account.
        """
        if not is_free(text) and not self.wanted():
            return None
        found = self.database.blank.plans.plan(text, types, SearchPath())
        if any(isinstance(one, Failure) and _is_syntax_error(one) for one in found):
            return found
        plans = [one.plan for one in found if isinstance(one, Statement)]
        if len(plans) < len(found) or any(plan.touches_sealed for plan in plans):
            return None
        if any(is_of_pooler(plan.deallocates or "") for plan in plans):
            return None  # whether there is a pooler is to be known first
        return found if is_free(text) or (plans and all(plan.tag in _NAMELESS for plan in plans)) else None

    @staticmethod
    def may_be_alone(text: str) -> bool:
        """True for a statement that may fail in a transaction that something else has begun."""
        return _ALONE.match(text) is not None

    def analyse_anywhere(self, text: str, types: tuple[int, ...]) -> Analysis | None:
        """The analysis of a statement that comes to the same in every server process, whatever search_path and
        temporary tables that has: sent as it is it may name any table, and else it names them by their schemas.
        None: not this one; it runs in a transaction too, or is wrong anyway."""
        known, form = self.basis, _ALONE.match(text)
        is_concurrent = form is not None and form["concurrent"] is not None
        schemas = [
            name for name in known.snapshot.catalog.schemas if not name.startswith(("pg_", "information_schema"))
        ]
        if len(schemas) > _MOST_SCHEMAS:
            if not is_concurrent:
                return None  # a procedure of the policy may be found in any of them
            schemas = []
        rest = tuple(name for name in known.path.schemas if name not in (known.path.temp, "pg_catalog"))
        paths = [SearchPath(("pg_catalog", name, *rest), name) for name in schemas]
        nowhere = SearchPath(("pg_catalog",), None)
        *found, bare = (known.snapshot.plans.plan(text, types, path) for path in (*paths, nowhere))
        first = found[0] if found else bare
        plans = [one.plan for one in first if isinstance(one, Statement)]
        if len(plans) < len(first):
            return None
        is_sent_as_it_is = all(plan == Plan(effects=plan.effects, tag=plan.tag) for plan in plans)
        if all(one == first for one in found) and (is_sent_as_it_is or bare == first):
            return first
        return tuple(Failure(one.start, one.end, depends_on_path()) for one in first) if is_concurrent else None

    def analyse_blind(self, text: str, types: tuple[int, ...]) -> Analysis:
        """In a failed transaction nothing can be read, and nothing runs but its end: only that is let through. It takes
        back settings, so that what follows it in the same string is analysed when it has run."""
        kept: list[Statement | Failure] = []
        for one in self.analyse(text, types):
            if isinstance(one, Failure) or Effect.TRANSACTION not in one.plan.effects:
                error = Refused(
                    "current transaction is aborted, commands ignored until end of transaction block", sqlstate="25P02"
                )
                kept.append(Failure(one.start, one.end, error))
            else:
                kept.append(replace(one, plan=replace(one.plan, effects=one.plan.effects | Effect.SETTINGS)))
        return tuple(kept)


def _is_syntax_error(failure: Failure) -> bool:
    return isinstance(failure.error, Refused) and failure.error.sqlstate == SYNTAX_ERROR
