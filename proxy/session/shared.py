"""What the sessions of one process share: the policy, the keyring, and per database the catalog with its plan cache.

A snapshot holds one catalog under one policy, and the plans made with them, so nothing in it ever gets stale: when the
catalog or the policy changes, a new snapshot takes its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from proxy.config import DatabasePolicy, Policy, SealedColumn
from proxy.errors import Refused
from proxy.session.guarding import Unsettled, unsettled_tables
from proxy.session.plans import Analysis, Plans
from proxy.session.values import Sealers
from proxy.sql import analyse
from proxy.sql.catalog import Catalog, Relation, SearchPath
from proxy.sql.plan import Failure, Statement


class Analyse(Protocol):
    """`proxy.sql.analyse`: the statements of one Query string, or of one Parse, in order."""

    def __call__(
        self,
        text: str,
        *,
        catalog: Catalog,
        path: SearchPath,
        policy: DatabasePolicy,
        param_types: tuple[int, ...] = (),
    ) -> list[Statement | Failure]: ...


class Snapshot:
    """One catalog under one policy, with the plans made so far."""

    def __init__(
        self, catalog: Catalog, policy: DatabasePolicy, analyse: Analyse, epoch: int, sealers: Sealers
    ) -> None:
        self.catalog = catalog
        self.policy = policy
        self.unsettled: Mapping[int, Unsettled] = unsettled_tables(catalog, policy, sealers)
        """Tables whose statements need a `Guard`."""
        self.epoch = epoch
        self.sealed: Mapping[tuple[int, int], SealedColumn] = catalog.sealed_attributes(policy)
        """(table OID, attribute number) -> column, to hold RowDescription against."""
        self._analyse = analyse
        self.plans: Final = Plans(self._run)

    def _run(self, text: str, types: tuple[int, ...], path: SearchPath) -> Analysis:
        try:
            return tuple(self._analyse(text, catalog=self.catalog, path=path, policy=self.policy, param_types=types))
        except Refused as error:
            return (Failure(0, len(text), error),)
        except RecursionError:
            return (Failure(0, len(text), Refused("statement is nested too deeply", sqlstate="54001")),)
        except Exception as error:  # a fault of the analysis refuses the statement; the connection is not at fault
            return (Failure(0, len(text), error),)


class Database:
    """The shared knowledge of one database under one policy."""

    def __init__(self, policy: DatabasePolicy, analyse: Analyse, sealers: Sealers) -> None:
        self.policy = policy
        self.snapshot: Snapshot | None = None
        self.epoch = 0
        """Counts the invalidations; a catalog read under an older one is not published."""
        self._analyse = analyse
        self._sealers = sealers
        catalog = Catalog({"version": 0, "sealed": None, "schemas": (), "relations": ()}, {})
        self.blank: Final = Snapshot(catalog, policy, analyse, 0, sealers)
        """Knows no relation: for statements whose plan depends on none."""

    def take(self, catalog: Catalog, *, epoch: int, publish: bool) -> Snapshot:
        """A catalog was read by a session that began doing so at `epoch`."""
        snapshot = Snapshot(catalog, self.policy, self._analyse, epoch, self._sealers)
        if publish and epoch == self.epoch:
            self.snapshot = snapshot
        return snapshot

    def invalidate(self) -> None:
        """The catalog has changed, or does not agree with what the server says."""
        self.snapshot = None
        self.epoch += 1


class Shared:
    """One per process. `analyse` may be replaced by tests."""

    def __init__(self, policy: Policy, keyring: Sealers, *, analyse: Analyse = analyse) -> None:
        self.policy = policy
        self.sealers = keyring
        self.systems: dict[str, Mapping[int, Relation]] = {}
        """Server version as ParameterStatus gives it -> the relations of its system schemas."""
        self._analyse = analyse
        self.databases: dict[str, Database] = {}
        """Those that `database` was asked for since the policy came; to be read only."""

    def replace_policy(self, policy: Policy) -> None:
        """columns.yaml was read again. Sessions take the new policy with their next statement; what they prepared
        keeps working where its plan stays the same, and else fails with 0A000, as after DDL."""
        self.policy = policy
        self.databases = {}

    def database(self, name: str) -> Database:
        """The current state for a database; another object after `replace_policy`."""
        if (found := self.databases.get(name)) is None:
            found = self.databases[name] = Database(self.policy.for_database(name), self._analyse, self.sealers)
        return found
