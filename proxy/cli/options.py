"""Options that several commands take, and what they all do with them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from proxy.config import Config, load_config

ConfigFile = Annotated[Path, typer.Option("--config", help="sealwire.yaml: the process.", metavar="FILE")]
_DSN_HELP = "The database, directly: postgresql://user:password@host:port/database. What it leaves out comes from PG*."
Dsn = Annotated[str, typer.Option("--dsn", help=_DSN_HELP, envvar="SEALWIRE_DSN", metavar="URI", show_envvar=True)]
OptionalDsn = Annotated[
    str | None, typer.Option("--dsn", help=_DSN_HELP, envvar="SEALWIRE_DSN", metavar="URI", show_envvar=True)
]


def read_config(path: Path) -> Config:
    """The configuration in `path` under the overrides of this process's environment. Raises ConfigError."""
    return load_config(path, os.environ)
