"""Frozen bytes: the primitives as we call them against published vectors, and format 1 against our own.

Our vectors come from reference.py, a second implementation; `python tests/crypto/reference.py` writes them again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import cryptography_vectors
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from proxy.config import Scheme, SealedColumn
from proxy.crypto import FileProvider, Keyring, schemes
from proxy.errors import CannotOpen, KeyringError
from proxy.kernel import OrderPrefix, SearchKey

HERE = Path(__file__).parent
PUBLISHED = Path(cryptography_vectors.__file__).parent
FORMAT1 = json.loads((HERE / "vectors/format1.json").read_text())
ORDER = json.loads((HERE / "vectors/order_prefix.json").read_text())
SPECIFICATION = HERE.parents[1] / "docs/value-format.md"


def records(path: str, separator: str = r"\n\s*\n") -> Iterator[dict[str, str]]:
    """Blocks of `name = value` lines, as NIST, OpenSSL and the RFCs write them."""
    for block in re.split(separator, (PUBLISHED / path).read_text()):
        found = dict(re.findall(r"^(\w+) *= *(\S*)\s*$", block, re.MULTILINE))
        if re.search(r"^FAIL", block, re.MULTILINE):
            found["FAIL"] = "yes"
        if found:
            yield found


@pytest.fixture
def derived(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Puts a vector's key and associated data where a sealer derives its own."""
    seam = SimpleNamespace(key=b"", associated=b"")
    monkeypatch.setattr(schemes, "derive", lambda *_: seam.key)
    monkeypatch.setattr(schemes, "associated_data", lambda *_: seam.associated)
    return seam


class AnySource:
    """Stands in for the keyring where the key comes from a vector."""

    def sealing_key(self, domain: str) -> int:
        return 1

    def data_key(self, key_id: int) -> bytes:
        return b""

    def gcm_key(self, key_id: int, domain: str) -> schemes.GcmKey:
        return schemes.GcmKey(b"", key_id, domain)


def test_random_sealer_is_aes_gcm_of_nist(derived: SimpleNamespace) -> None:
    seen = 0
    for case in records("ciphers/AES/GCM/gcmEncryptExtIV256.rsp"):
        if len(case.get("IV", "")) != 24 or len(case.get("Tag", "")) != 32:
            continue
        derived.key, derived.associated = bytes.fromhex(case["Key"]), bytes.fromhex(case["AAD"])
        sealer = schemes.RandomSealer(AnySource(), "d", "text")
        sealer._nonce = lambda case=case: bytes.fromhex(case["IV"])
        sealed = sealer.seal(bytes.fromhex(case["PT"]))
        assert sealed[6:].hex() == case["IV"] + case["CT"] + case["Tag"]
        assert sealer.open(sealed).hex() == case["PT"]
        seen += 1
    assert seen > 100


def test_random_sealer_refuses_what_nist_says_fails(derived: SimpleNamespace) -> None:
    refused = 0
    for case in records("ciphers/AES/GCM/gcmDecrypt256.rsp"):
        if "FAIL" not in case or len(case["IV"]) != 24 or len(case["Tag"]) != 32:
            continue
        derived.key, derived.associated = bytes.fromhex(case["Key"]), bytes.fromhex(case["AAD"])
        sealer = schemes.RandomSealer(AnySource(), "d", "text")
        with pytest.raises(CannotOpen):
            sealer.open(sealer._keys.header + bytes.fromhex(case["IV"] + case["CT"] + case["Tag"]))
        refused += 1
    assert refused > 50


def test_search_schemes_are_aes_siv_of_rfc_5297() -> None:
    seen = 0
    for case in records("ciphers/AES/SIV/openssl.txt"):
        if "Key" not in case:
            continue
        siv = AESSIV(bytes.fromhex(case["Key"]))
        associated = [bytes.fromhex(case[name]) for name in ("AAD", "AAD2", "AAD3") if name in case]
        body = bytes.fromhex(case["Tag"] + case["Ciphertext"])
        assert siv.encrypt(bytes.fromhex(case["Plaintext"]), associated) == body
        seen += 1
    assert seen >= 4
    key, header = bytes(range(64)), bytes(6)
    for size in (0, 1, 15, 16, 17, 31, 32, 33, 1023, 1024, 1025, 5000):
        plain = bytes(n % 251 for n in range(size))
        for prefix in (b"", b"\x01\x02" * 8, bytes(256)):
            made = SearchKey(key, header, b"associated", len(prefix))
            sealed = made.seal(plain, prefix)
            expected = AESSIV(key).encrypt(plain, [b"associated", prefix] if prefix else [b"associated"])
            assert sealed == header + prefix + expected
            assert made.open(sealed) == plain


def test_column_keys_are_hkdf_of_rfc_5869(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = 0
    for case in records("KDF/rfc-5869-HKDF-SHA256.txt", r"(?=COUNT)"):
        if "OKM" not in case or case.get("salt"):
            continue
        info = bytes.fromhex(case.get("info", ""))
        monkeypatch.setattr(schemes, "key_info", lambda *_, info=info: info)
        made = schemes.derive(bytes.fromhex(case["IKM"]), "seal", Scheme.RANDOM, "d", int(case["L"]))
        assert made.hex() == case["OKM"]
        seen += 1
    assert seen == 1  # the RFC has one case without salt, as we use it


def provider_of(tmp_path: Path, master: str) -> FileProvider:
    path = tmp_path / "master.key"
    path.touch(mode=0o600)
    path.write_text(master + "\n")
    return FileProvider(path)


def test_file_provider_is_aes_key_wrap_of_sp_800_38f(tmp_path: Path) -> None:
    cases = [case for case in records("keywrap/kwtestvectors/KW_AE_256.txt") if "K" in case]
    for case in cases[::10]:
        provider = provider_of(tmp_path, case["K"])
        assert provider.wrap(bytes.fromhex(case["P"])).hex() == case["C"]
        assert provider.unwrap(bytes.fromhex(case["C"]), provider.reference()).hex() == case["P"]
    assert len(cases) > 100


def test_file_provider_refuses_what_nist_says_fails(tmp_path: Path) -> None:
    cases = [case for case in records("keywrap/kwtestvectors/KW_AD_256.txt") if "FAIL" in case]
    for case in cases[::10]:
        provider = provider_of(tmp_path, case["K"])
        with pytest.raises(KeyringError, match="what is wrapped is damaged"):
            provider.unwrap(bytes.fromhex(case["C"]), provider.reference())
    assert len(cases) > 20


@pytest.mark.parametrize("case", FORMAT1["cases"], ids=lambda case: f"{case['scheme']}-{case['type']}")
def test_format_1_is_frozen(case: dict[str, str], keyring: Keyring, column: Callable[..., SealedColumn]) -> None:
    size = case["max_length"]
    sealer = keyring.sealer(column(case["type"], case["scheme"], domain=case["domain"], max_length=size))
    plain, sealed = bytes.fromhex(case["plain"]), bytes.fromhex(case["sealed"])
    assert sealer.open(sealed) == plain
    if isinstance(sealer, schemes.RandomSealer):
        sealer._nonce = lambda: bytes.fromhex(FORMAT1["nonce"])
    assert sealer.seal(plain).hex() == sealed.hex()


@pytest.mark.parametrize("case", ORDER["cases"], ids=lambda case: f"{case['bits']}-{case['number'][:8]}")
def test_order_prefix_is_frozen(case: dict[str, str]) -> None:
    prefix = OrderPrefix(bytes.fromhex(ORDER["key"]), int(case["bits"]))
    assert prefix.of(int(case["number"], 16)).hex() == case["prefix"]


def test_the_specification_works_its_example_with_these_bytes() -> None:
    """Each `name: hex` line of the example in docs/value-format.md is a step of the frozen vectors."""
    text = SPECIFICATION.read_text()
    for marker, scheme, kind in (
        ("example equality", "equality", "text"),
        ("example order", "order", "smallint"),
        ("example random", "random", "text"),
    ):
        match = re.search(rf"```text {marker}\n(.*?)```", text, re.DOTALL)
        assert match, marker
        case = next(case for case in FORMAT1["cases"] if (case["scheme"], case["type"]) == (scheme, kind))
        steps = re.sub(r"\n +", "", match[1])  # long values continue on indented lines
        shown = dict(line.split(": ", 1) for line in steps.splitlines() if line)
        shown = {name.strip(): value.replace(" ", "") for name, value in shown.items()}
        assert shown == {name: case[name] for name in shown}
        assert {"header", "info", "key", "associated data", "sealed"} <= shown.keys()
