"""`gcp-kms`: the master key is a symmetric key in Google Cloud Key Management Service and never leaves it.

https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys/encrypt. Credentials are the
application default ones. The REST transport is used: gRPC's threads do not survive the fork of the proxy's workers.
"""

from __future__ import annotations

from typing import Any, Final

from proxy.crypto.providers.base import READ_TIMEOUT, ask, library

_ASSOCIATED: Final = b"sealwire keyring 1"


class GcpKmsProvider:
    """`key` is a resource name, projects/P/locations/L/keyRings/R/cryptoKeys/K, of purpose ENCRYPT_DECRYPT.

    Needs cloudkms.cryptoKeyVersions.useToEncrypt and useToDecrypt. `client` replaces the default
    KeyManagementServiceClient.
    """

    __slots__ = ("_client", "_key")

    name: Final = "gcp-kms"

    def __init__(self, key: str, *, client: Any = None) -> None:  # the library is optional
        self._key = key
        self._client = client

    def __repr__(self) -> str:
        return f"GcpKmsProvider({self._key!r})"

    def reference(self) -> str:
        return self._key

    def wrap(self, payload: bytes) -> bytes:
        request = {"name": self._key, "plaintext": payload, "additional_authenticated_data": _ASSOCIATED}

        def call() -> bytes:
            return bytes(self._kms().encrypt(request=request, timeout=READ_TIMEOUT).ciphertext)

        return ask(f"{self.name}, key {self._key}", "wrap", call)

    def unwrap(self, wrapped: bytes, reference: str) -> bytes:
        request = {"name": self._key, "ciphertext": wrapped, "additional_authenticated_data": _ASSOCIATED}

        def call() -> bytes:
            return bytes(self._kms().decrypt(request=request, timeout=READ_TIMEOUT).plaintext)

        return ask(f"{self.name}, key {self._key}", f"unwrap what was wrapped under {reference}", call)

    def _kms(self) -> Any:
        if self._client is None:
            kms = library("google.cloud.kms", self.name, "gcp")
            self._client = kms.KeyManagementServiceClient(transport="rest")
        return self._client
