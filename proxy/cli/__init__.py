"""The `sealwire` command: one module per subcommand, `main` in app.py."""

from proxy.cli.app import main

__all__ = ["main"]
