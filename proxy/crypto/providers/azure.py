"""`azure-keyvault`: the master key is a key in Azure Key Vault or Managed HSM and never leaves it.

https://learn.microsoft.com/rest/api/keyvault/keys/wrap-key. Credentials are those of DefaultAzureCredential.

A vault's keys are RSA, and whoever has the public half can wrap with it. So that a keyring cannot be given a data key
by one who may only write the file, what is wrapped with RSA-OAEP-256 is also signed (PS256) by the same key version;
it is unwrapped only when the signature verifies. A symmetric key of a Managed HSM wraps by A256KW and needs none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from proxy.crypto.format import PROTOCOL, join_fields
from proxy.crypto.providers.base import CONNECT_TIMEOUT, READ_TIMEOUT, ask, library
from proxy.errors import KeyringError


class AzureKeyVaultProvider:
    """`key` is a key identifier, `https://<vault>.vault.azure.net/keys/<name>`; the newest version wraps, and each
    version unwraps what it wrapped.

    Needs get, wrapKey, unwrapKey, and for RSA keys sign and verify. `credential` replaces DefaultAzureCredential,
    `options` are passed to the clients as they are.
    """

    __slots__ = ("_credential", "_key", "_options", "_version")

    name: Final = "azure-keyvault"

    def __init__(
        self,
        key: str,
        *,
        credential: Any = None,  # the library is optional
        options: Mapping[str, object] | None = None,
    ) -> None:
        self._key = key.rstrip("/")
        self._credential = credential
        self._options = {"connection_timeout": CONNECT_TIMEOUT, "read_timeout": READ_TIMEOUT, **(options or {})}
        self._version: Any = None

    def __repr__(self) -> str:
        return f"AzureKeyVaultProvider({self._key!r})"

    def reference(self) -> str:
        """The identifier of the key's version that wraps."""
        return str(self._newest().id)

    def wrap(self, payload: bytes) -> bytes:
        version = self._newest()

        def call() -> bytes:
            algorithms = self._algorithms()
            client = self._client(version)
            if _is_symmetric(version):
                return bytes(client.wrap_key(algorithms.KeyWrapAlgorithm.aes_256, payload).encrypted_key)
            sealed = bytes(client.wrap_key(algorithms.KeyWrapAlgorithm.rsa_oaep_256, payload).encrypted_key)
            signature = client.sign(algorithms.SignatureAlgorithm.ps256, _digest(version.id, sealed)).signature
            return sealed + bytes(signature)

        return ask(f"{self.name}, key {self._key}", "wrap", call)

    def unwrap(self, wrapped: bytes, reference: str) -> bytes:
        if not reference.startswith(f"{self._key}/"):
            raise KeyringError(f"{self.name}, key {self._key}: the keyring is wrapped under {reference}")

        def call() -> bytes:
            algorithms = self._algorithms()
            version = self._get(reference.removeprefix(f"{self._key}/"))
            client = self._client(version)
            if _is_symmetric(version):
                return bytes(client.unwrap_key(algorithms.KeyWrapAlgorithm.aes_256, wrapped).key)
            sealed, signature = wrapped[: len(wrapped) // 2], wrapped[len(wrapped) // 2 :]
            digest = _digest(version.id, sealed)
            if not client.verify(algorithms.SignatureAlgorithm.ps256, digest, signature).is_valid:
                raise KeyringError("what is wrapped is damaged: its signature does not verify")
            return bytes(client.unwrap_key(algorithms.KeyWrapAlgorithm.rsa_oaep_256, sealed).key)

        return ask(f"{self.name}, key {self._key}", f"unwrap what was wrapped under {reference}", call)

    def _newest(self) -> Any:
        """The key's newest version when first asked, so that `reference` and `wrap` speak of the same one."""
        if self._version is None:
            self._version = ask(f"{self.name}, key {self._key}", "get the key", lambda: self._get(None))
        return self._version

    def _get(self, version: str | None) -> Any:
        vault, mark, name = self._key.partition("/keys/")
        if not mark or not name or "/" in name:
            raise KeyringError(f"{self.name}: {self._key} is not a key identifier, https://<vault>/keys/<name>")
        keys = library("azure.keyvault.keys", self.name, "azure")
        return keys.KeyClient(vault, self._login(), **self._options).get_key(name, version)

    def _client(self, version: Any) -> Any:
        return self._algorithms().CryptographyClient(version, self._login(), **self._options)

    def _login(self) -> Any:
        if self._credential is None:
            self._credential = library("azure.identity", self.name, "azure").DefaultAzureCredential()
        return self._credential

    def _algorithms(self) -> Any:
        return library("azure.keyvault.keys.crypto", self.name, "azure")


def _is_symmetric(version: Any) -> bool:
    return str(version.key_type.value).startswith("oct")


def _digest(version: str, sealed: bytes) -> bytes:
    """What is signed, SHA-256 of it: for this purpose, by this version, over what was wrapped."""
    return hashlib.sha256(join_fields(PROTOCOL, "azure-keyvault", version, sealed)).digest()
