"""Statements on columns that somebody is about to seal, unseal or reseal: no plan of yesterday meets the values of
today, and no plaintext is on its way when a column becomes sealed.

A column is *unsettled* while its entry says `pending: true`, or while its domain waits to be resealed under another
key. `sealwire seal`, `unseal` and `reseal` swap such a column under ACCESS EXCLUSIVE, at a moment that nobody tells the
proxy. So before a statement that names its table is sent, in the same transaction:

    Parse     SELECT * FROM ONLY the_table      never executed; the analysis locks the table (ACCESS SHARE) until the
    Describe                                    transaction ends, so no swap from here on; the answer shows its columns
                                                as they are now, whatever the transaction's snapshot is
    Execute   a query on the catalog            the same columns and files as the transaction's snapshot has them, and
                                                from sealwire.jobs under which key and scheme the column lies

- The columns are those of the plan: the statement goes, and is sealed under the key that the column lies under.
- They are others: the catalog is read anew, the statement is analysed anew.
- The transaction's own snapshot has others (REPEATABLE READ, begun before the swap): the rows that it would see are
  those of before, without values in the new column. 40001.

It costs a round trip per transaction and table, no privilege (Parse checks none), and nothing where nothing is
unsettled. It holds no session state on the server, so a PgBouncer in transaction mode may stand in between. PgBouncer
from 1.21 on keeps what was prepared with a name, and answers a Parse of the same text itself: the Parse would lock
nothing, and once the table has other columns, Describe would fail for good ("cached plan must not change result type").
So behind a pooler the statements have no name, and no two texts are the same: see `injection`.
Sources: manual, "Explicit Locking"; parse analysis locks what it names (src/backend/parser/parse_relation.c).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from proxy.config import DatabasePolicy, Scheme, SealedColumn
from proxy.errors import Refused, SealwireError
from proxy.sql.catalog import LEDGER, SEALED_SCHEMA, Catalog, Relation, read_answer, unexpected_answer
from proxy.sql.naming import quote_ident
from proxy.sql.plan import Plan
from proxy.wire import messages
from proxy.wire.messages import Bind, Parse, Target
from proxy.wire.replies import Kind

if TYPE_CHECKING:
    from proxy.session.values import Sealer, Sealers

NAME: Final = b"sealwire.guard"

Keys = Mapping[tuple[str, str], int]
"""(keyset, domain) -> the key that its values lie under, where that is not what the keyring says."""

_STATE: Final = """
SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
  c.oid::pg_catalog.int8, pg_catalog.pg_relation_filenode(c.oid)::pg_catalog.int8, c.relfilenode::pg_catalog.int8,
  (SELECT pg_catalog.json_object_agg(a.attname, a.attnum) FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), $ledger$))::pg_catalog.text
FROM pg_catalog.pg_class c WHERE c.oid IN ($tables$)
"""
_LEDGER: Final = """
  (SELECT pg_catalog.json_object_agg(j.column_name, pg_catalog.json_build_array(j.attnum, j.key_id, j.binding))
     FROM sealwire.jobs j WHERE j.table_oid = c.oid AND j.key_id IS NOT NULL)
"""


def once(text: str) -> bytes:
    """A query of our own as a text that nobody has sent before."""
    return f"{text} /* {secrets.token_hex(8)} */".encode()


class Again(Exception):
    """What is known of the catalog is not true any more: the message is to be dealt with from its beginning."""


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A table, and those of its columns that may change their form at any moment."""

    relation: Relation
    columns: tuple[SealedColumn, ...]


def unsettled_tables(catalog: Catalog, policy: DatabasePolicy, sealers: Sealers) -> dict[int, Unsettled]:
    """OID -> table, for those of the policy that have unsettled columns. The commands take no other tables."""
    found = {}
    for (schema, table), columns in policy.tables.items():
        relation = catalog.by_name.get((schema, table))
        unsettled = tuple(column for column in columns.values() if column.pending or sealers.waits(column))
        if relation is not None and relation.kind == "r" and unsettled:
            found[relation.oid] = Unsettled(relation, unsettled)
    return found


@dataclass(frozen=True, slots=True)
class _State:
    """What the server says of one table: its file now and by the transaction's own snapshot, attribute numbers by name
    by that snapshot, and the ledger's (attribute number, key, binding) by column."""

    file: int | None
    file_then: int | None
    numbers_then: Mapping[str, int]
    ledger: Mapping[str, tuple[int, int | None, str]]


def _states(rows: Any) -> dict[int, _State]:
    """Raises ValueError or TypeError where they have another form."""
    states: dict[int, _State] = {}
    for oid, file, file_then, numbers_then, told in rows:
        ledger = {name: (number, key, binding) for name, (number, key, binding) in dict(told or {}).items()}
        states[oid] = _State(file, file_then, dict(numbers_then or {}), ledger)
    return states


class Guard:
    """The questions about some tables, in the middle of a batch. The interface is that of `Injection`. `unnamed`: they
    take the unnamed statement, as behind a pooler."""

    own_sync: Final = False

    def __init__(self, tables: Sequence[Unsettled], catalog: Catalog, *, unnamed: bool = False) -> None:
        self.tables = tuple(tables)
        self.unnamed = unnamed
        self.finished = False
        self.has_failed = False
        self._catalog = catalog
        self._described: list[dict[str, tuple[int, int]]] = []
        self._state: dict[int, _State] = {}
        self._open = (2 if unnamed else 4) * len(tables) + (4 if unnamed else 6)

    def messages(self) -> list[tuple[Kind, bytes]]:
        """What to send, in order; Flush is to follow."""
        name = b"" if self.unnamed else NAME
        close = [] if self.unnamed else [(Kind.CLOSE, messages.build_close(Target(b"S", NAME)))]
        sent: list[tuple[Kind, bytes]] = []
        for table in self.tables:
            sent += (
                *close,
                (Kind.PARSE, messages.build_parse(Parse(name, self._lock(table.relation), ()))),
                (Kind.DESCRIBE_STATEMENT, messages.build_describe(Target(b"S", name))),
                *close,
            )
        return [
            *sent,
            *close,
            (Kind.PARSE, messages.build_parse(Parse(name, self._query(), ()))),
            (Kind.BIND, messages.build_bind(Bind(NAME, name, (), [], ()))),
            (Kind.EXECUTE, messages.build_execute(NAME)),
            (Kind.CLOSE, messages.build_close(Target(b"P", NAME))),
            *close,
        ]

    @staticmethod
    def _lock(relation: Relation) -> bytes:
        table = f"{quote_ident(relation.schema)}.{quote_ident(relation.name)}"
        return once(f"SELECT * FROM ONLY {table}")  # noqa: S608

    def _query(self) -> bytes:
        ledger = self._catalog.by_name.get((SEALED_SCHEMA, LEDGER))
        has_ledger = ledger is not None and "binding" in ledger.by_name
        tables = ", ".join(str(table.relation.oid) for table in self.tables)
        return once(_STATE.replace("$ledger$", _LEDGER if has_ledger else "NULL").replace("$tables$", tables))

    def answered(self, raw: bytes, *, ends: bool) -> None:
        """An answer other than an error; `ends`: the last one of its message."""
        if raw[:1] == b"T":
            columns = messages.parse_row_description(raw)
            self._described.append({c.name.decode(errors="replace"): (c.attribute, c.type) for c in columns})
        elif raw[:1] == b"D":
            row = messages.parse_data_row(raw)
            if len(row) != 1:
                raise unexpected_answer()
            self._state = read_answer(row[0] or b"[]", _states)
        if ends:
            self._open -= 1
            self.finished = self._open == 0

    def failed(self, _raw: bytes) -> None:
        """The server's ErrorResponse, which the client gets. The message that waits for this guard is skipped."""
        self.finished = self.has_failed = True

    def dropped(self) -> None:
        """Skipped by the server, because something before it failed."""
        self.finished = True

    def verdict(self, sealers: Sealers) -> dict[tuple[str, str], int] | None:
        """Keys by domain, for the domains whose keys the ledger tells; None: the plan's catalog is not true any more.
        Raises Refused: 40001, or what this proxy's files do not fit."""
        if len(self._described) != len(self.tables):
            raise unexpected_answer()
        keys: dict[tuple[str, str], int] = {}
        is_true = True
        for table, now in zip(self.tables, self._described, strict=True):
            state = self._state.get(table.relation.oid)
            if state is None:
                return None
            for column in table.columns:
                number, kind = now.get(column.column, (None, None))
                if state.file != state.file_then or number != state.numbers_then.get(column.column):
                    raise snapshot_too_old(column)
                known = table.relation.by_name.get(column.column)
                if (None if known is None else known.number, None if known is None else known.base_oid) != (
                    number,
                    kind,
                ):
                    is_true = False
                elif known is not None and self._catalog.is_sealed(known):
                    self._note(column, number, state.ledger, keys, sealers)
            is_same = table.relation.filenode in (None, state.file) and now.keys() == table.relation.by_name.keys()
            is_true = is_true and is_same
        return keys if is_true else None

    @staticmethod
    def _note(
        column: SealedColumn,
        number: int | None,
        ledger: Mapping[str, tuple[int, int | None, str]],
        keys: dict[tuple[str, str], int],
        sealers: Sealers,
    ) -> None:
        attnum, key, binding = ledger.get(column.name, (None, None, None))
        if attnum != number or key is None:
            key = sealers.key_of(column)  # it was not touched since this keyring was loaded
        elif binding != column.binding:
            raise Refused(
                f'column "{column.name}" is sealed with {binding}, but this proxy\'s policy says {column.binding}',
                hint="put the policy that the column was resealed under in place and reload the proxy",
            )
        if column.scheme is Scheme.RANDOM:
            return
        if keys.setdefault((column.keyset, column.domain), key) != key:
            raise Refused(
                f'column "{column.name}" lies under another key than the other columns of its domain',
                hint="reseal all columns of the domain in one command",
            )
        try:
            sealers.sealer(column, key_id=key)
        except SealwireError:
            raise Refused(
                f'column "{column.name}" is sealed under key {key}, which this proxy does not have',
                hint="give it the keyring of now and reload it",
            ) from None


def snapshot_too_old(column: SealedColumn) -> Refused:
    """What a transaction gets whose snapshot is older than the form that a column has by now."""
    return Refused(
        f'could not serialize access: column "{column.name}" was sealed, unsealed or resealed meanwhile',
        hint="the transaction might succeed if retried",
        sqlstate="40001",
    )


class Held:
    """The tables that the transaction of now has locked by a Guard, and the keys that hold for it."""

    def __init__(self) -> None:
        self.tables: set[int] = set()
        self.keys: dict[tuple[str, str], int] = {}
        self.batch = -1
        """The batch that was last seen to belong to the transaction."""

    def release(self) -> None:
        """The transaction ends, or a part of it may be rolled back."""
        if self.tables:
            self.tables, self.keys = set(), {}

    def add(self, tables: Iterable[Unsettled], keys: Keys) -> None:
        """Raises Refused where two columns of one domain lie under different keys."""
        for domain, key in keys.items():
            if self.keys.get(domain, key) != key:
                raise Refused("columns of one domain lie under different keys", hint="reseal all of them")
        self.tables.update(table.relation.oid for table in tables)
        self.keys = {**self.keys, **keys}


class SealersNow:
    """The sealers, but that the keys of some domains are given: what they lie under in the transaction of now."""

    def __init__(self, sealers: Sealers, keys: Keys) -> None:
        self._sealers = sealers
        self.keys = keys

    def sealer(self, column: SealedColumn, *, key_id: int | None = None) -> Sealer:
        wanted = self.keys.get((column.keyset, column.domain)) if key_id is None else key_id
        return self._sealers.sealer(column, key_id=wanted)

    def key_of(self, column: SealedColumn) -> int:
        known = self.keys.get((column.keyset, column.domain))
        return self._sealers.key_of(column) if known is None else known

    def waits(self, column: SealedColumn) -> bool:
        return self._sealers.waits(column)


def named_tables(plan: Plan) -> frozenset[int]:
    """OIDs of the tables with columns of the policy that a statement names."""
    return plan.tables | plan.pending
