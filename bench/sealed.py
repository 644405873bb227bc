"""Row 2: what sealing costs a transaction: through Sealwire, on plaintext through PgBouncer, and by pgcrypto in SQL.

One table of accounts, three times: `email` is looked up by equality, `balance` and `note` are only stored and returned.

    plain       as an application writes it, reached through PgBouncer
    sealed      the same statements, reached through Sealwire: email equality, balance and note random
    pgcrypto    reached through PgBouncer; the columns hold pgp_sym_encrypt(), and an indexed hmac() finds the row
    pgcrypto raw    the same with encrypt(..., 'aes') under a fixed IV, which is faster, deterministic for every column
                    and not authenticated: what people take when pgp_sym_* is too slow
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import psycopg

from bench.harness import Bench, Contender
from bench.programs import SETTINGS_NOTE, Endpoint, Postgres, pgbench, pgbouncer, postgres, sealwire

ROW = 2
CLIENTS: Final = 8
PLAIN, SEALED, PGP, RAW = "plain", "sealed", "pgcrypto", "pgcrypto raw"
FIRST: Final = 1_000_000_000
"""The first e-mail's number: all have the same length."""
POLICY: Final = """sealed:
  public.accounts:
    email:   {type: text, search: equality}
    balance: {type: integer}
    note:    {type: text}
  public.history:
    note:    {type: text}
"""
_PLAIN_TABLES: Final = """
CREATE TABLE accounts (id integer PRIMARY KEY, email text NOT NULL, balance integer, note text);
CREATE TABLE history (id bigserial, account integer, delta integer, note text, at timestamp);
"""
_PGCRYPTO_TABLES: Final = """
CREATE EXTENSION pgcrypto;
CREATE TABLE accounts (id integer PRIMARY KEY, email bytea NOT NULL, email_hash bytea, balance bytea, note bytea);
CREATE TABLE history (id bigserial, account integer, delta integer, note bytea, at timestamp);
"""
_NUMBER: Final = r"\set email random({first}, {last})" + "\n"
_KEY: Final = "'a-passphrase-of-32-characters-00'"


@dataclass(frozen=True, slots=True)
class Scripts:
    """What one contender runs, as pgbench scripts."""

    look: str
    """pgbench -S with an e-mail instead of a number: the balance."""
    find: str
    """The whole row."""
    page: str
    """A page of 20 accounts."""
    change: str
    """pgbench's TPC-B-like transaction, less: the balance is added up by the application, which alone can read it."""


def _own_columns(email: str, note: str) -> Scripts:
    look = f"SELECT balance FROM accounts WHERE email = {email};\n"
    find = f"SELECT id, email, balance, note FROM accounts WHERE email = {email};\n"
    page = (
        r"\set id :email - 1000000000"
        "\nSELECT id, email, balance, note FROM accounts WHERE id > :id ORDER BY id LIMIT 20;\n"
    )
    change = (
        r"\set delta random(-5000, 5000)" + "\nBEGIN;\n"
        f"SELECT id, balance FROM accounts WHERE email = {email} \\gset\n"
        r"\set balance :balance + :delta" + "\n"
        f"UPDATE accounts SET balance = :balance WHERE email = {email};\n"
        f"INSERT INTO history (account, delta, note, at) VALUES (:id, :delta, {note}, CURRENT_TIMESTAMP);\nEND;\n"
    )
    return Scripts(look, find, page, change)


def _pgcrypto(email: str, note: str, seal: Callable[[str], str], open_: Callable[[str], str], where: str) -> Scripts:
    look = f"SELECT {open_('balance')}::integer AS balance FROM accounts WHERE {where};\n"
    find = (
        f"SELECT id, {open_('email')} AS email, {open_('balance')}::integer AS balance, {open_('note')} AS note"
        f" FROM accounts WHERE {where};\n"
    )
    page = (
        r"\set id :email - 1000000000"
        f"\nSELECT id, {open_('email')} AS email, {open_('balance')}::integer AS balance,"
        f" {open_('note')} AS note FROM accounts WHERE id > :id ORDER BY id LIMIT 20;\n"
    )
    change = (
        r"\set delta random(-5000, 5000)" + "\nBEGIN;\n"
        f"SELECT id, {open_('balance')}::integer AS balance FROM accounts WHERE {where} \\gset\n"
        r"\set balance :balance + :delta" + "\n"
        f"UPDATE accounts SET balance = {seal(':balance')} WHERE {where};\n"
        f"INSERT INTO history (account, delta, note, at)"
        f" VALUES (:id, :delta, {seal(note)}, CURRENT_TIMESTAMP);\nEND;\n"
    )
    return Scripts(look, find, page, change)


def _scripts(kind: str, protocol: str) -> Scripts:
    email = "':email'" if protocol == "simple" else ":email"
    note = "'note of :email'" if protocol == "simple" else ":email"
    if kind in (PLAIN, SEALED):
        return _own_columns(email, note)
    if kind == PGP:
        return _pgcrypto(
            email,
            note,
            lambda value: f"pgp_sym_encrypt(({value})::text, {_KEY})",
            lambda column: f"pgp_sym_decrypt({column}, {_KEY})",
            f"email_hash = hmac({email}::text, {_KEY}, 'sha256')",
        )
    return _pgcrypto(
        email,
        note,
        lambda value: f"encrypt(convert_to(({value})::text, 'UTF8'), {_KEY}, 'aes')",
        lambda column: f"convert_from(decrypt({column}, {_KEY}, 'aes'), 'UTF8')",
        f"email = encrypt(convert_to({email}::text, 'UTF8'), {_KEY}, 'aes')",
    )


def measure(bench: Bench) -> None:
    rows = 20_000 if bench.quick else 1_000_000
    with postgres() as server, pgbouncer(server) as pooler, tempfile.TemporaryDirectory() as directory:
        bench.note(f"PostgreSQL {server.version}; {SETTINGS_NOTE}; {rows:,} accounts, {CLIENTS} clients")
        with _filled(bench, server, rows) as proxy:
            through = pooler or server.endpoint
            if pooler is None:
                bench.note("PgBouncer is not installed: the others are reached directly")
            endpoints = {PLAIN: through, SEALED: proxy}
            if server.has_pgcrypto:
                endpoints |= {PGP: through, RAW: through}
            else:
                bench.note("pgcrypto is not available to this server: Debian's postgresql has it")
            runs = _Runs(endpoints, Path(directory), FIRST, FIRST + rows - 1, bench.seconds)
            few = {PLAIN: through, SEALED: proxy}
            for protocol, least in (("prepared", 0.7), ("simple", 0.5)):
                bench.compare(
                    ROW,
                    f"point select by equality, {protocol}, {rows:,} rows",
                    {name: runs.contender(name, protocol, look=1) for name in few},
                    unit="transactions/s",
                    base=PLAIN,
                    targets={SEALED: (PLAIN, least)},
                )
            for protocol in ("prepared", "simple"):
                bench.compare(
                    ROW,
                    f"TPC-B-like: select, update, insert in one transaction, {protocol}",
                    {name: runs.contender(name, protocol, change=1) for name in endpoints},
                    unit="transactions/s",
                    base=PLAIN,
                )
            bench.compare(
                ROW,
                "19 selects of one row to 1 such transaction, prepared",
                {name: runs.contender(name, "prepared", find=19, change=1) for name in endpoints},
                unit="transactions/s",
                base=PLAIN,
            )
            bench.compare(
                ROW,
                "read-heavy mix: 12 selects of one row, 7 of a page of 20 rows, 1 such transaction, prepared",
                {name: runs.contender(name, "prepared", find=12, page=7, change=1) for name in endpoints},
                unit="transactions/s",
                base=PLAIN,
                targets={SEALED: (PGP, 5)},
            )


@dataclass(frozen=True, slots=True)
class _Runs:
    endpoints: Mapping[str, Endpoint]
    directory: Path
    first: int
    last: int
    seconds: float

    def contender(self, kind: str, protocol: str, **weights: int) -> Contender:
        """A pgbench run of the kind's scripts, by weight."""
        options = []
        for name, weight in weights.items():
            path = self.directory / f"{kind.replace(' ', '-')}-{protocol}-{name}.sql"
            text: str = getattr(_scripts(kind, protocol), name)
            path.write_text(_NUMBER.format(first=self.first, last=self.last) + text)
            options += ["-f", f"{path}@{weight}"]
        dbname = kind.replace(" ", "_")
        return partial(
            pgbench, self.endpoints[kind], dbname, "-M", protocol, *options, clients=CLIENTS, seconds=self.seconds
        )


@contextmanager
def _filled(bench: Bench, server: Postgres, rows: int) -> Iterator[Endpoint]:
    """All databases with their rows; Sealwire in front of the sealed one."""
    for dbname in (PLAIN, SEALED):
        server.create(dbname)
    server.execute(
        PLAIN,
        _PLAIN_TABLES + "INSERT INTO accounts SELECT n, (n + 999999999)::text, 0, 'note of ' || n"
        f" FROM generate_series(1, {rows}) n; CREATE UNIQUE INDEX ON accounts (email); ANALYZE",
    )
    if server.has_pgcrypto:
        _fill_pgcrypto(server, rows)
    with sealwire(server, POLICY, init=[SEALED]) as proxy:
        fill_sealed(proxy.dsn(SEALED), rows)
        yield proxy


def fill_sealed(dsn: str, rows: int) -> None:
    """The tables, and as many accounts, through the proxy."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_PLAIN_TABLES)
        with connection.cursor().copy("COPY accounts (id, email, balance, note) FROM STDIN") as copy:
            for start in range(1, rows + 1, 1000):
                numbers = range(start, min(start + 1000, rows + 1))
                copy.write("".join(f"{n}\t{n + FIRST - 1}\t0\tnote of {n}\n" for n in numbers))
        connection.execute("CREATE UNIQUE INDEX ON accounts (email)")
        connection.execute("ANALYZE")


def look(first: int, last: int) -> str:
    """The script of a point select in a prepared statement."""
    return _NUMBER.format(first=first, last=last) + _scripts(SEALED, "prepared").look


def _fill_pgcrypto(server: Postgres, rows: int) -> None:
    """pgp_sym_encrypt takes a second for some thousand values, so a thousand different ones are made and repeated: the
    database cannot tell, and pgp_sym_decrypt takes as long for each."""
    for kind, seal, hashed in (
        (PGP, f"pgp_sym_encrypt({{}}, {_KEY})", f"hmac((n + 999999999)::text, {_KEY}, 'sha256')"),
        (RAW, f"encrypt(convert_to({{}}, 'UTF8'), {_KEY}, 'aes')", "NULL"),
    ):
        dbname = kind.replace(" ", "_")
        server.create(dbname)
        email = seal.format("(n + 999999999)::text") if kind == RAW else "s.email"
        index = "email" if kind == RAW else "email_hash"
        server.execute(
            dbname,
            _PGCRYPTO_TABLES + "CREATE TEMP TABLE sample AS SELECT m, "
            f"{seal.format('(m + 999999999)::text')} AS email, {seal.format(chr(39) + '0' + chr(39))} AS balance, "
            f"{seal.format(chr(39) + 'note of ' + chr(39) + ' || m')} AS note FROM generate_series(0, 999) m;"
            f"INSERT INTO accounts SELECT n, {email}, {hashed}, s.balance, s.note"
            f" FROM generate_series(1, {rows}) n JOIN sample s ON s.m = n % 1000;"
            f"CREATE UNIQUE INDEX ON accounts ({index}); ANALYZE",
        )
