"""Makes what the `keys` section of sealwire.yaml names, where it is missing."""

from __future__ import annotations

from pathlib import Path

from proxy.config import Keys
from proxy.crypto import FileProvider, Keyring, make_provider
from proxy.errors import KeyringError


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
