"""A second implementation of format 1, straight from docs/value-format.md, that shares no code with the product.

It writes the frozen vectors:  python tests/crypto/reference.py
Format 1 never changes, so a changed line in tests/crypto/vectors/ is a bug, in here or there. New cases are appended.
"""

from __future__ import annotations

import hmac
import json
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.cmac import CMAC

VECTORS = Path(__file__).parent / "vectors"
DATA_KEY = bytes(range(32))
KEY_ID = 0x01020304
NONCE = bytes(range(0xA0, 0xAC))
SCHEMES = {"random": 1, "equality": 2, "order": 3}


def fields(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def hkdf(key: bytes, info: bytes, size: int) -> bytes:
    """RFC 5869, section 2, with an empty salt."""
    extracted = hmac.digest(bytes(32), key, "sha256")
    output, block, counter = b"", b"", 1
    while len(output) < size:
        block = hmac.digest(extracted, block + info + bytes([counter]), "sha256")
        output, counter = output + block, counter + 1
    return output[:size]


def aes(key: bytes, block: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)


def cmac(key: bytes, message: bytes) -> bytes:
    mac = CMAC(algorithms.AES(key))
    mac.update(message)
    return mac.finalize()


def xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def double(block: bytes) -> bytes:
    number = int.from_bytes(block, "big") << 1
    return ((number ^ 0x87) % (1 << 128) if number >> 128 else number).to_bytes(16, "big")


def siv(key: bytes, associated: list[bytes], plain: bytes) -> bytes:
    """RFC 5297, sections 2.4 to 2.6: SIV, then ciphertext."""
    mac_key, ctr_key = key[:32], key[32:]
    state = cmac(mac_key, bytes(16))
    for part in associated:
        state = xor(double(state), cmac(mac_key, part))
    if len(plain) >= 16:
        last = plain[:-16] + xor(plain[-16:], state)
    else:
        last = xor(double(state), (plain + b"\x80").ljust(16, b"\x00"))
    tag = cmac(mac_key, last)
    counter = bytearray(tag)
    counter[8] &= 0x7F
    counter[12] &= 0x7F
    return tag + Cipher(algorithms.AES(ctr_key), modes.CTR(bytes(counter))).encryptor().update(plain)


def order_prefix(key: bytes, bits: str) -> bytes:
    """`bits`: the number as a string of 0 and 1, most significant first."""
    prefix = b""
    for i, bit in enumerate(bits):
        state, rest = bytes(16), bits[:i]
        while len(rest) >= 64:
            state = aes(key, xor(state, (2**64 + int(rest[:64], 2)).to_bytes(16, "big")))
            rest = rest[64:]
        mask = aes(key, xor(state, int("1" + rest, 2).to_bytes(16, "big")))[:8]
        prefix += (int.from_bytes(mask, "big") % 65535 + int(bit)).to_bytes(2, "big")
    return prefix


def seal(scheme: str, domain: str, family: str, plain: bytes, bits: str = "") -> dict[str, str]:
    """Every step of sealing, in hex."""
    name = scheme.encode()
    header = bytes([0xE1, SCHEMES[scheme]]) + KEY_ID.to_bytes(4, "big")
    info = fields(b"sealwire/1", b"seal", name, domain.encode())
    associated = fields(b"sealwire/1", name, KEY_ID.to_bytes(4, "big"), domain.encode(), family.encode())
    key = hkdf(DATA_KEY, info, 32 if scheme == "random" else 64)
    steps = {"header": header, "info": info, "key": key, "associated data": associated}
    if scheme == "random":
        body = NONCE + AESGCM(key).encrypt(NONCE, plain, associated)
    elif scheme == "equality":
        body = siv(key, [associated], plain)
    else:
        steps["order info"] = fields(b"sealwire/1", b"order", name, domain.encode())
        steps["order key"] = hkdf(DATA_KEY, steps["order info"], 32)
        steps["prefix"] = order_prefix(steps["order key"], bits)
        body = steps["prefix"] + siv(key, [associated, steps["prefix"]], plain)
    steps["sealed"] = header + body
    return {step: value.hex() for step, value in steps.items()}


def binary(number: int, bits: int) -> str:
    return format(number, f"0{bits}b")


def padded(text: bytes, size: int) -> str:
    return binary(int.from_bytes(text.ljust(size, b"\x00"), "big"), 8 * size)


EMAIL = "public.customers.email"
LONG = "Grüße aus Zürich, und ein Text von mehr als zwei Blöcken".encode()
UUID = bytes.fromhex("8f14e45fceea467f9c1d7c6e0b5a2d33")
# type, family, domain, max_length, plain (binary send form, hex), bits of the number (order only)
CASES: list[tuple[str, str, str, str, int | None, bytes, str]] = [
    ("random", "text", "text", EMAIL, None, b"ada@example.org", ""),
    ("random", "text", "text", EMAIL, None, b"", ""),
    ("random", "text", "text", EMAIL, None, LONG, ""),
    ("random", "jsonb", "jsonb", "public.orders.extra", None, b'\x01{"a": 1}', ""),
    ("random", "integer[]", "integer[]", "t.a", None, bytes.fromhex("000000000000000000000017"), ""),
    ("equality", "text", "text", EMAIL, None, b"ada@example.org", ""),
    ("equality", "varchar(80)", "text", EMAIL, None, b"ada@example.org", ""),
    ("equality", "text", "text", EMAIL, None, b"", ""),
    ("equality", "text", "text", "join:phones", None, LONG, ""),
    ("equality", "char(8)", "char", "t.c", None, b"ab", ""),
    ("equality", "uuid", "uuid", "t.u", None, UUID, ""),
    ("equality", "bytea", "bytea", "t.b", None, bytes(range(256)), ""),
    ("equality", "numeric", "numeric", "t.n", None, bytes.fromhex("000200000000000100011388"), ""),
    ("order", "smallint", "smallint", "t.s", None, (-2).to_bytes(2, "big", signed=True), binary(32766, 16)),
    ("order", "integer", "integer", "t.i", None, (42).to_bytes(4, "big"), binary(2**31 + 42, 32)),
    ("order", "bigint", "bigint", "t.l", None, (2**63 - 1).to_bytes(8, "big"), "1" * 64),
    ("order", "real", "real", "t.r", None, bytes.fromhex("3f800000"), binary(0xBF800000, 32)),
    (
        "order",
        "double precision",
        "double precision",
        "t.d",
        None,
        bytes.fromhex("bff0" + "00" * 6),
        "010000000000" + "1111" + "1" * 48,
    ),
    ("order", "boolean", "boolean", "t.b", None, b"\x01", "1"),
    ("order", "date", "date", "t.d", None, (-1).to_bytes(4, "big", signed=True), binary(2**31 - 1, 32)),
    ("order", "time", "time", "t.t", None, (86_400_000_000).to_bytes(8, "big"), binary(86_400_000_000, 40)),
    ("order", "timestamptz", "timestamptz", "t.z", None, bytes(8), binary(2**63, 64)),
    ("order", "uuid", "uuid", "t.u", None, UUID, binary(int.from_bytes(UUID, "big"), 128)),
    (
        "order",
        "numeric(12,2)",
        "numeric",
        "t.n",
        None,
        bytes.fromhex("000200000000000200011388"),
        binary(10**12 + 150, 41),
    ),
    ("order", "numeric(12,2)", "numeric", "t.n", None, bytes.fromhex("00000000c0000000"), binary(2 * 10**12, 41)),
    ("order", "text", "text", "t.x", 20, b"Ada", padded(b"Ada", 20)),
    ("order", "text", "text", "t.x", 20, b"", padded(b"", 20)),
    ("order", "varchar(5)", "text", "t.v", None, "Zoë".encode(), padded("Zoë".encode(), 20)),
]


def main() -> None:
    cases = []
    for scheme, kind, family, domain, size, plain, bits in CASES:
        steps = seal(scheme, domain, family, plain, bits)
        cases.append(
            {"scheme": scheme, "type": kind, "domain": domain, "max_length": size, "plain": plain.hex(), **steps}
        )
    common = {"data key": DATA_KEY.hex(), "key id": KEY_ID, "nonce": NONCE.hex()}
    (VECTORS / "format1.json").write_text(json.dumps({**common, "cases": cases}, indent=1) + "\n")
    order = []
    for width in (1, 5, 41, 63, 64, 65, 127, 128, 129, 192, 200):
        for number in (0, 2**width - 1, int("a5c3" * 20, 16) % 2**width):
            prefix = order_prefix(DATA_KEY, binary(number, width))
            order.append({"bits": width, "number": f"{number:x}", "prefix": prefix.hex()})
    (VECTORS / "order_prefix.json").write_text(json.dumps({"key": DATA_KEY.hex(), "cases": order}, indent=1) + "\n")


if __name__ == "__main__":
    main()
