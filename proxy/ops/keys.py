"""Makes what the `keys` section of sealwire.yaml names, where it is missing; and looks at what is there."""

from __future__ import annotations

import hmac
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proxy.config import Keys
from proxy.crypto import FileProvider, KeyEntry, Keyring, MasterKeyProvider, make_provider
from proxy.crypto.keyfile import read_keyfile, unwrap_key
from proxy.errors import KeyringError
from proxy.sql.naming import quote_ident

if TYPE_CHECKING:
    from proxy.ops.database import Connection


def prepare_keys(keys: Keys) -> list[str]:
    """Makes master key and keyring (mode 0600) unless they exist, opens the keyring, and returns what happened to each.

    Raises KeyringError when a file cannot be made, when the keyring does not open under the master key, and when only
    the master key is missing: a new one could not open the keyring that is there.
    """
    done = []
    if keys.provider == FileProvider.name:
        master = Path(keys.master_key)
        if master.exists():
            done.append(f"master key {master}: already there")
        elif keys.keyring.exists():
            raise KeyringError(
                f"master key is missing, but the keyring {keys.keyring} exists and opens under no other: restore it",
                path=master,
            )
        else:
            FileProvider.create(master)
            done.append(f"master key {master}: made")
    provider = make_provider(keys)
    if keys.keyring.exists():
        Keyring.load(keys.keyring, provider)
        done.append(f"keyring {keys.keyring}: already there")
    else:
        Keyring.create(keys.keyring, provider)
        done.append(f"keyring {keys.keyring}: made")
    return done


@dataclass(frozen=True, slots=True)
class KeyReport:
    """One key of a keyring."""

    entry: KeyEntry
    domains: tuple[str, ...]
    """Domains that seal under it though it is not primary."""
    awaited_by: tuple[str, ...]
    """Domains that are to be resealed under it."""


def list_keys(keys: Keys) -> list[KeyReport]:
    """The keys of the keyring, in the file's order; no master key is needed."""
    file = read_keyfile(keys.keyring)
    return [
        KeyReport(
            entry,
            tuple(sorted(domain for domain, key in file.domains.items() if key == entry.id)),
            tuple(sorted(domain for domain, key in file.next.items() if key == entry.id)),
        )
        for entry in file.keys
    ]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify_keys` found of one key. `problem` None: it unwraps and is what it says it is."""

    entry: KeyEntry
    unwrapped: bool
    problem: str | None


def verify_keys(keys: Keys, second: MasterKeyProvider | None = None) -> tuple[list[Verdict], list[str]]:
    """Unwraps every key that is not retired, and its second wrap where `second` is given; (verdicts, other problems).

    Raises KeyringError when there is no keyring to look at.
    """
    file = read_keyfile(keys.keyring)
    provider = make_provider(keys)
    seen: list[bytes] = []
    verdicts = []
    for entry in file.keys:
        if entry.state == "retired":
            verdicts.append(Verdict(entry, unwrapped=False, problem=None))
            continue
        opened: list[bytes] = []
        problem = _try(entry, provider, opened)
        if second is not None and problem is None:
            problem = "has no second wrap" if entry.next is None else _try(entry, second, opened)
        if problem is None and any(not hmac.compare_digest(opened[0], other) for other in opened[1:]):
            problem = "its two wraps hold different keys"
        if problem is None and any(hmac.compare_digest(opened[0], other) for other in seen):
            problem = "is the same key as another one"
        seen += opened[:1]
        verdicts.append(Verdict(entry, unwrapped=bool(opened), problem=problem))
    return verdicts, _file_problems(keys.keyring)


def _try(entry: KeyEntry, provider: MasterKeyProvider, opened: list[bytes]) -> str | None:
    """Unwraps what `provider` wrapped of `entry` into `opened`; the problem, if it does not."""
    problem = f"needs provider {entry.provider}, not {provider.name}"
    for wrap in entry.wraps:
        if wrap.provider == provider.name:
            try:
                opened.append(unwrap_key(entry.id, wrap, provider))
            except KeyringError as error:
                problem = str(error)
            else:
                return None
    return problem


def _file_problems(path: Path) -> list[str]:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return [f"the keyring has mode {mode:04o}, open to group or others; run: chmod 600 {path}"]
    return []


async def values_under(connection: Connection, key_id: int) -> list[str]:
    """`schema.table.column` of every column of the database that holds a sealed value under key `key_id`.

    Reads every value's header, of tables and materialized views, whether the policy names them or not. Needs SELECT on
    all of them: what cannot be read raises, as asyncpg does.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        columns = await connection.fetch(
            """
            SELECT n.nspname, c.relname, a.attname
            FROM pg_catalog.pg_attribute a
            JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'm')
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_catalog.pg_type t ON t.oid = a.atttypid AND t.typname = 'sealed'
            JOIN pg_catalog.pg_namespace s ON s.oid = t.typnamespace AND s.nspname = 'sealwire'
            WHERE a.attnum > 0 AND NOT a.attisdropped
            ORDER BY 1, 2, 3
            """
        )
        found = []
        for schema, table, column in columns:
            name = quote_ident(column)
            if await connection.fetchval(
                f"SELECT EXISTS (SELECT FROM ONLY {quote_ident(schema)}.{quote_ident(table)}"  # noqa: S608
                f" WHERE pg_catalog.substr({name}::pg_catalog.bytea, 3, 4) = $1)",
                key_id.to_bytes(4, "big"),
            ):
                found.append(f"{schema}.{table}.{column}")
    return found
