"""`vault`: the master key is a key of the transit secrets engine of HashiCorp Vault or OpenBao, and never leaves it.

https://developer.hashicorp.com/vault/api-docs/secret/transit#encrypt-data. Address, token, namespace and certificate
authority come from where every Vault client takes them: VAULT_ADDR, VAULT_TOKEN or ~/.vault-token (which an agent can
keep fresh), VAULT_NAMESPACE, VAULT_CACERT.
"""

from __future__ import annotations

import base64
import os
from typing import Any, Final

from proxy.crypto.providers.base import READ_TIMEOUT, ask, library


class VaultProvider:
    """`key` is `<mount>/<key name>`, such as `transit/sealwire`, with `https://host:8200/` before it where VAULT_ADDR
    does not hold. The key must be symmetric (aes256-gcm96, chacha20-poly1305). Needs update on encrypt/ and decrypt/.
    """

    __slots__ = ("_address", "_client", "_key", "_mount", "_name")

    name: Final = "vault"

    def __init__(self, key: str) -> None:
        self._key = key
        scheme, mark, rest = key.partition("://")
        host, _, path = rest.partition("/") if mark else ("", "", key)
        self._address = f"{scheme}://{host}" if mark else None
        self._mount, _, self._name = path.strip("/").rpartition("/")
        self._mount = self._mount or "transit"
        self._client: Any = None

    def __repr__(self) -> str:
        return f"VaultProvider({self._key!r})"

    def reference(self) -> str:
        return f"{self._mount}/{self._name}"

    def wrap(self, payload: bytes) -> bytes:
        plaintext = base64.b64encode(payload).decode()

        def call() -> bytes:
            answer = self._transit().encrypt_data(name=self._name, plaintext=plaintext, mount_point=self._mount)
            return str(answer["data"]["ciphertext"]).encode("ascii")

        return ask(f"{self.name}, key {self.reference()}", "wrap", call)

    def unwrap(self, wrapped: bytes, reference: str) -> bytes:
        def call() -> bytes:
            ciphertext = wrapped.decode("ascii")
            answer = self._transit().decrypt_data(name=self._name, ciphertext=ciphertext, mount_point=self._mount)
            return base64.b64decode(answer["data"]["plaintext"], validate=True)

        return ask(f"{self.name}, key {self.reference()}", f"unwrap what was wrapped under {reference}", call)

    def _transit(self) -> Any:  # hvac's API classes are found at run time
        if self._client is None:
            hvac = library("hvac", self.name, "vault")
            self._client = hvac.Client(
                url=self._address, timeout=READ_TIMEOUT, namespace=os.environ.get("VAULT_NAMESPACE")
            )
        return self._client.secrets.transit
