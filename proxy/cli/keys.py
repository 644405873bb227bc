"""`sealwire keys`: the data keys of a keyring and the master key that wraps them."""

from __future__ import annotations

import asyncio
import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from proxy.cli.options import ConfigFile, read_config
from proxy.config import DEFAULT_KEYSET, Config, Keys, load_policy
from proxy.crypto import FileProvider, KeyEntry, MasterKeyProvider, make_provider
from proxy.errors import ConfigError, KeyringError
from proxy.ops import rotation
from proxy.ops.database import connect
from proxy.ops.keys import KeyReport, list_keys, values_under, verify_keys

_WIDTH = 160  # of the table where standard output is not a terminal

keys_app = typer.Typer(name="keys", help="The data keys, and the master key that wraps them.", no_args_is_help=True)

Keyset = Annotated[str, typer.Option("--keyset", help="A keyset of sealwire.yaml; without it, its section keys.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str | None, typer.Option("--name", help="For people; without it, the date.")]
KeyId = Annotated[int, typer.Argument(metavar="KEY", help="The id of a key, as `keys list` shows it.")]
_RELOAD = "Now let every proxy reload (SIGHUP)."


@keys_app.command("list")
def list_(config: ConfigFile, keyset: Keyset = "", as_json: Json = False) -> int:
    """Show the data keys. Needs no master key."""
    _, keys = _read(config, keyset)
    reports = list_keys(keys)
    if as_json:
        typer.echo(json.dumps([_data(report) for report in reports], indent=2))
    else:
        _print(reports, keys)
    return 0


@keys_app.command()
def create(config: ConfigFile, name: Name = None, keyset: Keyset = "") -> int:
    """Add a data key that opens but does not seal yet: the first step of a rotation with several proxies."""
    _, keys = _read(config, keyset)
    entry = rotation.create_key(keys, _name(name))
    typer.echo(f"key {entry.id} ({entry.name}): made, active")
    typer.echo(f"{_RELOAD} Then: sealwire keys rotate --key {entry.id}")
    return 0


@keys_app.command()
def rotate(
    config: ConfigFile,
    domain: Annotated[
        list[str] | None, typer.Option("--domain", help="Only this domain, as `keys list --json` names it; repeatable.")
    ] = None,
    key: Annotated[int | None, typer.Option("--key", help="An active key, instead of a new one.")] = None,
    name: Name = None,
    keyset: Keyset = "",
) -> int:
    """Seal under a new data key from now on. Searchable columns follow when they are resealed."""
    loaded, keys = _read(config, keyset)
    domains = _domains(loaded, keyset)
    done = rotation.rotate(keys, domains, name=_name(name), key_id=key, only=domain or ())
    typer.echo(f"key {done.key.id} ({done.key.name}): {done.key.state}")
    for moved, move in done.moves.items():
        typer.echo(f"{moved}: {move.value}")
    typer.echo(_RELOAD)
    if rotation.Move.RESEAL in done.moves.values():
        typer.echo(
            "Equality and order compare ciphertexts, so a column's values must lie under one key: seal them again with"
            " sealwire reseal, column by column; until then nothing changes for them."
        )
    return 0


@keys_app.command()
def settle(
    config: ConfigFile,
    domains: Annotated[list[str], typer.Argument(help="Domains that wait, as keys list shows.", metavar="DOMAIN...")],
    keyset: Keyset = "",
) -> int:
    """End the rotation of domains whose columns are resealed in every database. `reseal` does it where it can tell."""
    _, keys = _read(config, keyset)
    for domain, key in rotation.settle(keys, domains).items():
        typer.echo(f"domain {domain}: key {key} seals")
    typer.echo(_RELOAD)
    return 0


@keys_app.command()
def rewrap(
    config: ConfigFile,
    to: Annotated[
        str | None, typer.Option("--to", help="The new master key, as provider:master_key.", metavar="PROVIDER:KEY")
    ] = None,
    confirm: Annotated[bool, typer.Option("--confirm", help="Drop the old wraps.")] = False,
    abort: Annotated[bool, typer.Option("--abort", help="Drop the new wraps.")] = False,
    keyset: Keyset = "",
) -> int:
    """Wrap the data keys with another master key. Both open the keyring until --confirm; data is not touched."""
    if [to is not None, confirm, abort].count(True) != 1:
        raise KeyringError("give one of --to PROVIDER:KEY, --confirm, --abort")
    _, keys = _read(config, keyset)
    if confirm:
        rotation.confirm_rewrap(keys)
        typer.echo(f"keyring {keys.keyring}: only {keys.provider} {keys.master_key} opens it now")
    elif abort:
        rotation.abort_rewrap(keys)
        typer.echo(f"keyring {keys.keyring}: as it was before the rewrap")
    else:
        _rewrap_to(keys, to or "")
    return 0


def _rewrap_to(keys: Keys, to: str) -> None:
    target = _target(to)
    if target.provider == FileProvider.name and not Path(target.master_key).exists():
        FileProvider.create(Path(target.master_key))
        typer.echo(f"master key {target.master_key}: made")
    for left in rotation.begin_rewrap(keys, make_provider(target)):
        typer.echo(f"key {left} is retired and does not unwrap: it keeps the wrap it has")
    typer.echo(f"keyring {keys.keyring}: opens under the old and the new master key")
    typer.echo(f"Now write provider: {target.provider} and master_key: {target.master_key} into sealwire.yaml, restart")
    typer.echo("every proxy, and then: sealwire keys rewrap --confirm (or, with the old ones there, --abort)")


@keys_app.command()
def retire(
    config: ConfigFile,
    key: KeyId,
    dsn: Annotated[
        list[str] | None,
        typer.Option("--dsn", help="A database to search for values under the key; name all.", metavar="URI"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Whatever values there are: they open no more.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Make a retired key active again.")] = False,
    keyset: Keyset = "",
) -> int:
    """Let a key open nothing more. Refuses while it seals, and while values under it may exist."""
    _, keys = _read(config, keyset)
    if undo:
        entry = rotation.restore(keys, key)
    else:
        holders = asyncio.run(_holders(dsn, key)) if dsn and not force else None
        entry = rotation.retire(keys, key, holders=holders, force=force)
    typer.echo(f"key {entry.id} ({entry.name}): {entry.state}")
    typer.echo(_RELOAD)
    return 0


async def _holders(dsns: list[str], key_id: int) -> list[str]:
    found = []
    for dsn in dsns:
        async with connect(dsn) as connection:
            database = await connection.fetchval("SELECT pg_catalog.current_database()")
            found += [f"{database}: {column}" for column in await values_under(connection, key_id)]
    return found


@keys_app.command()
def verify(
    config: ConfigFile,
    to: Annotated[
        str | None,
        typer.Option("--to", help="During a rewrap, its new master key: check it too.", metavar="PROVIDER:KEY"),
    ] = None,
    keyset: Keyset = "",
    as_json: Json = False,
) -> int:
    """Unwrap every key that is not retired. Exit code 0: all well, 1: problems, 2: could not look."""
    _, keys = _read(config, keyset)
    verdicts, problems = verify_keys(keys, None if to is None else _provider(to))
    problems = [f"key {found.entry.id}: {found.problem}" for found in verdicts if found.problem] + problems
    if as_json:
        data = [
            {"id": found.entry.id, "state": found.entry.state, "unwrapped": found.unwrapped, "problem": found.problem}
            for found in verdicts
        ]
        typer.echo(json.dumps({"keys": data, "problems": problems}, indent=2))
    else:
        for found in verdicts:
            state = (
                "not tried" if found.entry.state == "retired" else "unwraps" if found.unwrapped else "does NOT unwrap"
            )
            typer.echo(f"key {found.entry.id} ({found.entry.name}), {found.entry.state}: {state}")
        for problem in problems:
            typer.echo(f"problem: {problem}")
    return 1 if problems else 0


def _read(path: Path, keyset: str) -> tuple[Config, Keys]:
    """The configuration, and what it says of `keyset`."""
    config = read_config(path)
    found = config.all_keys.get("" if keyset == DEFAULT_KEYSET else keyset)
    if found is None:
        known = ", ".join(config.keysets) or "none"
        raise ConfigError(f"there is no keyset {keyset!r}; keysets: {known}", path=config.path, key="keysets")
    return config, found


def _domains(config: Config, keyset: str) -> Mapping[str, bool]:
    policy = load_policy(config.columns, config.keysets)
    return rotation.domains_of(policy, "" if keyset == DEFAULT_KEYSET else keyset)


def _target(text: str) -> Keys:
    """`provider:master_key` as a section `keys`. A path is relative to the working directory, as paths of commands
    are; a PKCS#11 URI brings its own scheme."""
    provider, mark, master_key = text.partition(":")
    if not mark or not master_key:
        raise KeyringError("the master key is written provider:master_key, such as file:/etc/sealwire/new.key")
    if provider == "pkcs11" and not master_key.startswith("pkcs11:"):
        master_key = text
    if provider == FileProvider.name:
        master_key = str(Path(master_key).absolute())
    return Keys(Path(), provider, master_key)


def _provider(text: str) -> MasterKeyProvider:
    return make_provider(_target(text))


def _name(name: str | None) -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat() if name is None else name


def _print(reports: list[KeyReport], keys: Keys) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH)
    table = Table(title=Text(f"Keyring {keys.keyring}"), title_justify="left")
    for heading in ("Key", "Name", "State", "Created", "Master key", "Seals", "Reseal to it"):
        table.add_column(heading, overflow="fold")
    for report in reports:
        entry = report.entry
        created = entry.created.strftime("%Y-%m-%d %H:%M")
        seals = ("all others",) if entry.state == "primary" else ()
        cells = (str(entry.id), entry.name, entry.state, created, _masters(entry))
        lists = ("\n".join([*report.domains, *seals]), "\n".join(report.awaited_by))
        table.add_row(*(Text(cell) for cell in (*cells, *lists)))
    console.print(table)


def _masters(entry: KeyEntry) -> str:
    return "\nor ".join(f"{wrap.provider} {wrap.provider_key}" for wrap in entry.wraps)


def _data(report: KeyReport) -> dict[str, Any]:
    """One key for machines; the shape is documented in docs/keys.md."""
    entry = report.entry
    return {
        "id": entry.id,
        "name": entry.name,
        "state": entry.state,
        "created": entry.created.isoformat(),
        "master_keys": [{"provider": wrap.provider, "key": wrap.provider_key} for wrap in entry.wraps],
        "domains": list(report.domains),
        "reseal": list(report.awaited_by),
    }
