"""`sealwire serve`: the proxy."""

from __future__ import annotations

from typing import Annotated

import typer

from proxy.cli.options import ConfigFile, read_config


def serve(
    config: ConfigFile,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that share the port; overrides `workers` of the configuration.")
    ] = None,
) -> int:
    """Run the proxy. SIGHUP reloads columns.yaml; SIGTERM lets running statements finish, then ends."""
    loaded = read_config(config)
    from proxy.server.main import serve as run  # here, so that the other commands start without uvloop

    return run(loaded, workers=loaded.workers if workers is None else workers)
