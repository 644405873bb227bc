"""`aws-kms`: the master key is a symmetric key in AWS Key Management Service and never leaves it.

https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html, API_Decrypt.html. Credentials and region come from
where every AWS client takes them (environment, profile, instance role); an ARN names its region itself.
"""

from __future__ import annotations

from typing import Any, Final

from proxy.crypto.providers.base import CONNECT_TIMEOUT, READ_TIMEOUT, ask, library

_CONTEXT: Final = {"sealwire": "keyring 1"}
"""Encryption context: authenticated by KMS and shown in CloudTrail."""


class AwsKmsProvider:
    """`key` is a key ARN, key id, alias name (`alias/...`) or alias ARN. Needs kms:Encrypt and kms:Decrypt on it."""

    __slots__ = ("_client", "_key")

    name: Final = "aws-kms"

    def __init__(self, key: str) -> None:
        self._key = key
        self._client: Any = None

    def __repr__(self) -> str:
        return f"AwsKmsProvider({self._key!r})"

    def reference(self) -> str:
        return self._key

    def wrap(self, payload: bytes) -> bytes:
        def call() -> bytes:
            answer = self._kms().encrypt(KeyId=self._key, Plaintext=payload, EncryptionContext=_CONTEXT)
            return bytes(answer["CiphertextBlob"])

        return ask(f"{self.name}, key {self._key}", "wrap", call)

    def unwrap(self, wrapped: bytes, reference: str) -> bytes:
        def call() -> bytes:
            # KeyId: KMS refuses what another key has encrypted, whatever the keyring says.
            answer = self._kms().decrypt(KeyId=self._key, CiphertextBlob=wrapped, EncryptionContext=_CONTEXT)
            return bytes(answer["Plaintext"])

        return ask(f"{self.name}, key {self._key}", f"unwrap what was wrapped under {reference}", call)

    def _kms(self) -> Any:  # boto3 makes its classes at run time
        if self._client is None:
            boto3 = library("boto3", self.name, "aws")
            config = library("botocore.config", self.name, "aws").Config(
                connect_timeout=CONNECT_TIMEOUT, read_timeout=READ_TIMEOUT, retries={"mode": "standard"}
            )
            parts = self._key.split(":")
            region = parts[3] if len(parts) >= 6 and parts[0] == "arn" else None
            self._client = boto3.session.Session().client("kms", region_name=region, config=config)
        return self._client
