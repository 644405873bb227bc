"""The `sealwire` command."""
