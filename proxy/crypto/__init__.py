"""Sealing: value format, schemes, keyring, master-key providers. Knows no SQL and no wire."""

from proxy.crypto.format import HEADER_SIZE, build_header, is_sealed, parse_header
from proxy.crypto.keyfile import KeyEntry
from proxy.crypto.keyring import Keyring, Keyrings
from proxy.crypto.providers import FileProvider, MasterKeyProvider, make_provider
from proxy.crypto.schemes import Sealer

__all__ = [
    "HEADER_SIZE",
    "FileProvider",
    "KeyEntry",
    "Keyring",
    "Keyrings",
    "MasterKeyProvider",
    "Sealer",
    "build_header",
    "is_sealed",
    "make_provider",
    "parse_header",
]
