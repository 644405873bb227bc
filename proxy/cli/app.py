"""`sealwire`: the subcommands put together, and the one place where errors become a line and an exit code.

Exit codes: 0 done, 1 `check` has findings, 2 it could not be done, 130 interrupted. Whatever goes wrong on purpose ends
with exactly one line on standard error; a traceback means a bug in Sealwire.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from proxy import __version__
from proxy.cli.check import check
from proxy.cli.demo import demo
from proxy.cli.explain import explain
from proxy.cli.init import init
from proxy.cli.keys import keys_app
from proxy.cli.reseal import reseal
from proxy.cli.scan import scan
from proxy.cli.seal import seal
from proxy.cli.serve import serve
from proxy.cli.unseal import unseal
from proxy.cli.verify import verify
from proxy.errors import SealwireError
from proxy.ops.life.fill import Stopped

COULD_NOT: Final = 2
INTERRUPTED: Final = 130

app = typer.Typer(
    name="sealwire",
    help="Field-level encryption proxy for PostgreSQL.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serve)
app.command()(init)
app.command()(check)
app.command()(explain)
app.command()(seal)
app.command()(unseal)
app.command()(reseal)
app.command()(verify)
app.command()(demo)
app.add_typer(keys_app)
app.command()(scan)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sealwire {__version__}")
        raise typer.Exit


@app.callback()
def root(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Field-level encryption proxy for PostgreSQL."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line (sys.argv without one) and returns its exit code. This process and those that it starts
    write no core files: most commands hold keys or plaintext."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    command = typer.main.get_command(app)
    try:
        code = command.main(args=arguments, prog_name="sealwire", standalone_mode=False)
    except Stopped as stopped:
        _complain(str(stopped))
        return INTERRUPTED
    except SealwireError as error:
        return _complain(str(error))
    except typer.TyperException as error:
        return _complain(f"{error.format_message().rstrip('.')}; see sealwire --help")
    except typer.Abort:
        return _complain("interrupted")
    except OSError as error:
        return _complain(str(error))
    return code if isinstance(code, int) else 0


def _complain(message: str) -> int:
    print(f"sealwire: error: {' '.join(message.split())}", file=sys.stderr)
    return COULD_NOT
