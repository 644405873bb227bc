"""Both YAML files as frozen, validated objects: what the rest of the house knows of the configuration.

`sealwire.yaml` describes the process, `columns.yaml` the policy: which columns are sealed, and how.
"""

from __future__ import annotations

import enum
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from proxy.pgtypes import SqlType


class Scheme(enum.IntEnum):
    """How a column is encrypted; the number is byte 1 of every sealed value."""

    RANDOM = 1
    EQUALITY = 2
    ORDER = 3


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """One column of the policy."""

    database: str
    """Name of the database, or "*"."""
    schema: str
    table: str
    column: str
    type: SqlType
    """The type that the application sees."""
    scheme: Scheme
    domain: str
    """Columns of one domain share their key, so their values can be compared: `join:<name>`, or else the column's id.
    Written into the associated data of every value."""
    max_length: int | None = None
    """Bytes of UTF-8 that the order prefix covers; text and varchar(n) with search: order only."""
    pending: bool = False
    """True: while the physical column is not sealed yet, statements see it as plain instead of being refused."""
    line: int = field(default=0, compare=False)
    """Line of the entry in columns.yaml."""
    keyset: str = ""
    """Which of `Config.keysets` has its keys; "" is `Config.keys`."""

    @property
    def name(self) -> str:
        """`schema.table.column`, as errors and commands name it."""
        return f"{self.schema}.{self.table}.{self.column}"

    def command(self, verb: str, *more: SealedColumn) -> str:
        """The shell command that treats this column, and `more` with it: `sealwire reseal shop public.customers.email`.
        DATABASE stands where the policy says "*"."""
        database = "DATABASE" if self.database == "*" else shlex.quote(self.database)
        return " ".join(("sealwire", verb, database, *(shlex.quote(column.name) for column in (self, *more))))

    @property
    def search(self) -> str:
        """The word in columns.yaml: none, equality or order."""
        return {Scheme.RANDOM: "none", Scheme.EQUALITY: "equality", Scheme.ORDER: "order"}[self.scheme]

    @property
    def binding(self) -> str:
        """What the bytes of its sealed values depend on, key and value apart: values sealed under one binding mean
        nothing under another. The commands record it (sealwire.jobs), the proxy compares it."""
        parts = [f"search: {self.search}", f"domain {self.domain}"]
        if self.scheme is Scheme.ORDER:
            parts += [f"type {self.type}", f"max_length {self.max_length}"]
        return ", ".join(parts)


Places = tuple[tuple[str, str], ...]
"""(name, "plain" or schema.table.column) of each argument, or of each column of a result, in order."""


@dataclass(frozen=True, slots=True)
class DeclaredFunction:
    """A function or procedure of the server that takes or returns sealed values."""

    database: str
    """Name of the database, or "*"."""
    schema: str
    name: str
    arguments: Places = ()
    result: str | Places = "plain"
    """One value, or the columns of its rows."""
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class DatabasePolicy:
    """The sealed columns of one database, "*" entries included."""

    database: str
    tables: Mapping[tuple[str, str], Mapping[str, SealedColumn]] = field(default_factory=lambda: MappingProxyType({}))
    """(schema, table) -> column name -> column."""
    functions: Mapping[tuple[str, str], DeclaredFunction] = field(default_factory=lambda: MappingProxyType({}))
    """(schema, function) -> what it takes and returns."""

    def __bool__(self) -> bool:
        return bool(self.tables)

    def table(self, schema: str, table: str) -> Mapping[str, SealedColumn]:
        return self.tables.get((schema, table), MappingProxyType({}))

    def column(self, schema: str, table: str, column: str) -> SealedColumn | None:
        return self.table(schema, table).get(column)

    def named(self, name: str) -> SealedColumn | None:
        """The column of this name, schema.table.column; None for "plain"."""
        schema, _, rest = name.partition(".")
        table, _, column = rest.partition(".")
        return self.column(schema, table, column)


@dataclass(frozen=True, slots=True)
class Policy:
    """columns.yaml."""

    columns: tuple[SealedColumn, ...] = ()
    path: Path | None = None
    functions: tuple[DeclaredFunction, ...] = ()

    def for_database(self, database: str) -> DatabasePolicy:
        """The policy of one database: its own entries and those of "*"; an entry of its own wins."""
        tables: dict[tuple[str, str], dict[str, SealedColumn]] = {}
        for wanted in ("*", database):
            for column in self.columns:
                if column.database == wanted:
                    tables.setdefault((column.schema, column.table), {})[column.column] = column
        functions = {
            (function.schema, function.name): function
            for wanted in ("*", database)
            for function in self.functions
            if function.database == wanted
        }
        frozen = MappingProxyType({k: MappingProxyType(v) for k, v in tables.items()})
        return DatabasePolicy(database, frozen, MappingProxyType(functions))


TlsMode = Literal["disable", "prefer", "require"]
UpstreamTlsMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]
Negotiation = Literal["postgres", "direct"]
"""How TLS begins: after SSLRequest, or at once (servers from 17 on)."""
AuthMode = Literal["relay", "scram"]


@dataclass(frozen=True, slots=True)
class Listen:
    host: str = "127.0.0.1"
    """Address, or a directory (absolute path) for a Unix socket named as PostgreSQL does, `.s.PGSQL.<port>`."""
    port: int = 6432
    tls: TlsMode = "disable"
    cert: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    """Clients must show a certificate that this authority has signed."""
    keepalive: int = 60
    """Seconds of silence after which TCP asks whether the client is still there; 0 leaves that to the system."""


@dataclass(frozen=True, slots=True)
class Upstream:
    host: str = "127.0.0.1"
    """Host name, address, or a socket directory (absolute path)."""
    port: int = 5432
    tls: UpstreamTlsMode = "prefer"
    ca: Path | None = None
    cert: Path | None = None
    """The proxy's own client certificate, shown to a server that asks for one."""
    key: Path | None = None
    negotiation: Negotiation = "postgres"
    keepalive: int = 60
    """As that of Listen, for the server."""


@dataclass(frozen=True, slots=True)
class Auth:
    """How clients whom the server asks for SCRAM-SHA-256 are authenticated."""

    mode: AuthMode = "relay"
    """relay: the exchange passes through. scram: the proxy takes part in it, with verifiers that it looks up."""
    user: str | None = None
    """Who looks them up; always there with mode scram."""
    password: str | None = field(default=None, repr=False)
    password_file: Path | None = None
    database: str = "postgres"
    query: str = "SELECT rolpassword FROM pg_catalog.pg_authid WHERE rolname = $1"
    """Gives one row with the verifier of the role $1, or none."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one message may weigh."""

    sealed_value: int = 64
    """Megabytes (MiB): the largest message, and so the largest value in it, that is sealed or opened."""


DEFAULT_KEYSET: Final = "default"
"""How columns.yaml writes the keyset "", where another would hold otherwise."""
PROVIDERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "file": "a path",
        "env": "the name of an environment variable",
        "aws-kms": "a key ARN, key id or alias/name",
        "gcp-kms": "projects/P/locations/L/keyRings/R/cryptoKeys/K",
        "azure-keyvault": "https://VAULT.vault.azure.net/keys/NAME",
        "vault": "MOUNT/KEY of a transit secrets engine",
        "pkcs11": "pkcs11:token=LABEL;object=LABEL?module-path=LIBRARY",
    }
)
"""Who can hold a master key -> what `master_key` is then."""


@dataclass(frozen=True, slots=True)
class Keys:
    keyring: Path
    provider: str = "file"
    """One of PROVIDERS."""
    master_key: str = "master.key"
    """A path for the file provider (absolute after loading); for others, see PROVIDERS."""


@dataclass(frozen=True, slots=True)
class Config:
    """sealwire.yaml."""

    path: Path
    listen: Listen
    upstream: Upstream
    keys: Keys
    columns: Path
    workers: int = 1
    keysets: Mapping[str, Keys] = field(default_factory=lambda: MappingProxyType({}))
    """Name -> keys of their own, for the columns whose entries name it."""
    auth: Auth = Auth()
    limits: Limits = Limits()

    @property
    def all_keys(self) -> Mapping[str, Keys]:
        """`keysets`, and `keys` under the name ""."""
        return MappingProxyType({"": self.keys, **self.keysets})
