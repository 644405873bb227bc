"""Master-key providers: who wraps and unwraps the data keys of a keyring.

A provider is anything with the four members of `MasterKeyProvider`; a key management service fits as well as a file.
The keyring hands it a payload that already names its key id (keyring.py), so a provider needs no associated data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from proxy.config import Keys
from proxy.crypto.providers.aws import AwsKmsProvider
from proxy.crypto.providers.azure import AzureKeyVaultProvider
from proxy.crypto.providers.base import KEY_SIZE, MasterKeyProvider
from proxy.crypto.providers.gcp import GcpKmsProvider
from proxy.crypto.providers.local import EnvProvider, FileProvider
from proxy.crypto.providers.pkcs11 import Pkcs11Provider
from proxy.crypto.providers.vault import VaultProvider
from proxy.errors import KeyringError

__all__ = [
    "KEY_SIZE",
    "AwsKmsProvider",
    "AzureKeyVaultProvider",
    "EnvProvider",
    "FileProvider",
    "GcpKmsProvider",
    "MasterKeyProvider",
    "Pkcs11Provider",
    "VaultProvider",
    "make_provider",
]

_PROVIDERS: Final[Mapping[str, Callable[[str], MasterKeyProvider]]] = {
    FileProvider.name: lambda key: FileProvider(Path(key)),
    EnvProvider.name: EnvProvider,
    AwsKmsProvider.name: AwsKmsProvider,
    GcpKmsProvider.name: GcpKmsProvider,
    AzureKeyVaultProvider.name: AzureKeyVaultProvider,
    VaultProvider.name: VaultProvider,
    Pkcs11Provider.name: Pkcs11Provider,
}


def make_provider(keys: Keys) -> MasterKeyProvider:
    """The provider that `keys:` in sealwire.yaml names; nothing is asked of it yet.

    Raises KeyringError for one that does not exist, and for a `master_key` that cannot name a key of it.
    """
    make = _PROVIDERS.get(keys.provider)
    if make is None:
        raise KeyringError(f"unknown master-key provider {keys.provider!r}; supported: {', '.join(_PROVIDERS)}")
    return make(keys.master_key)
