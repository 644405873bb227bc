"""The kernel in Python, over the library `cryptography`: what it is meant to do, word for word. See the package.

The order prefix's digits are the construction of Chenette, Lewi, Weis and Wu, "Practical Order-Revealing Encryption
with Limited Leakage" (FSE 2016, section 3), in its plain comparable form with 2-byte digits: two values that share
their first i bits share their first i digits and the mask of the next one, so comparing bytes compares values.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV

from proxy.errors import CannotOpen, Refused

Convert = Callable[[bytes], bytes]

NAME: Final = "python"
FORMS: Final[Mapping[str, int]] = {}
"""No conversion is done here: the cells of this kernel are their references."""

Gcm = AESGCM
"""AES-256-GCM (SP 800-38D) under one key of 32 bytes."""

_HEADER_SIZE: Final = 6
_NONCE_SIZE: Final = 12
_TAG_SIZE: Final = 16
_BODY: Final = _HEADER_SIZE + _NONCE_SIZE
_MODULUS: Final = 0xFFFF
_SEGMENT: Final = 64
_ASCII_BITS: Final = bytes.maketrans(b"01", b"\x00\x01")
_DATA_ROW: Final = struct.Struct("!BIH")
_DATA_ROW_TYPE: Final = ord("D")
_INT32: Final = struct.Struct("!i")
_NOT_SEALED: Final = "not a sealed value"
_DOES_NOT_OPEN: Final = "does not open: altered, or moved from another column"


class RandomKey:
    """Opens and seals under one header: header, nonce 12, ciphertext, tag 16."""

    __slots__ = ("_associated", "_gcm", "_header", "overhead")

    def __init__(self, gcm: AESGCM, header: bytes, associated: bytes) -> None:
        self._gcm, self._header, self._associated = gcm, header, associated
        self.overhead = _BODY + _TAG_SIZE
        """Bytes that a sealed value has more than its plain one."""

    def open(self, sealed: bytes) -> bytes:
        """Plain value. Raises CannotOpen. The caller has found this key by the header."""
        if len(sealed) < self.overhead:
            raise CannotOpen(_NOT_SEALED)
        try:
            return self._gcm.decrypt(sealed[_HEADER_SIZE:_BODY], sealed[_BODY:], self._associated)
        except InvalidTag:
            raise CannotOpen(_DOES_NOT_OPEN) from None

    def seal(self, plain: bytes, nonce: bytes) -> bytes:
        """Sealed value; `nonce` is 12 bytes, never used twice."""
        return self._header + nonce + self._gcm.encrypt(nonce, plain, self._associated)


class SearchKey:
    """Opens and seals under one header: header, order prefix of `prefix_size` bytes (0: equality), SIV 16, ciphertext.

    AES-256-SIV (RFC 5297) under a key of 64 bytes; the prefix is associated data behind `associated`.
    """

    __slots__ = ("_associated", "_body", "_header", "_siv", "overhead")

    def __init__(self, key: bytes, header: bytes, associated: bytes, prefix_size: int) -> None:
        self._siv, self._header, self._associated = AESSIV(key), header, associated
        self._body = _HEADER_SIZE + prefix_size
        self.overhead = self._body + _TAG_SIZE

    def open(self, sealed: bytes) -> bytes:
        """As RandomKey.open."""
        body = self._body
        if len(sealed) < self.overhead:
            raise CannotOpen(_NOT_SEALED)
        try:
            return self._siv.decrypt(sealed[body:], self._with(sealed[_HEADER_SIZE:body]))
        except InvalidTag:
            raise CannotOpen(_DOES_NOT_OPEN) from None

    def seal(self, plain: bytes, prefix: bytes) -> bytes:
        """Sealed value; `prefix` has `prefix_size` bytes."""
        return self._header + prefix + self._siv.encrypt(plain, self._with(prefix))

    def _with(self, prefix: bytes) -> list[bytes]:
        return [self._associated, prefix] if prefix else [self._associated]


class OrderPrefix:
    """Numbers of `bits` bits -> 2 * `bits` bytes that compare as the numbers do, under one order key (32 bytes).

    Digit i (from the most significant bit, 0-based) is (F_i mod 65535) + bit i. F_i is the first 64 bits of a CBC-MAC
    with AES-256 over the i bits before it, cut into segments of 64: a whole segment is the block 2**64 + segment, the
    j < 64 bits of the last one are the block 2**j + bits. No such message is a prefix of another, which is what makes
    CBC-MAC a pseudorandom function (Petrank and Rackoff, "CBC MAC for Real-Time Data Sources", 2000). The chain values
    of all segments are one CBC encryption, the last blocks of all messages one ECB encryption.
    """

    __slots__ = ("_bits", "_digits", "_ecb", "_heads", "_key", "_masks", "_segments", "_shifts", "bits")

    def __init__(self, key: bytes, bits: int) -> None:
        self.bits = bits
        self._key = algorithms.AES256(key)
        self._ecb = Cipher(self._key, modes.ECB())  # noqa: S305  # a PRF on single blocks, not a mode of encryption
        self._segments = -(-bits // _SEGMENT)
        last = bits - _SEGMENT * (self._segments - 1)
        self._shifts = tuple(range(_SEGMENT, 0, -1)), tuple(range(last, 0, -1))
        self._bits = f"0{bits}b"
        self._heads = struct.Struct(">" + "8xQ" * bits)
        self._masks = struct.Struct(">" + "Q8x" * bits)
        self._digits = struct.Struct(f">{bits}H")

    def of(self, number: int) -> bytes:
        """The prefix of `number`, 0 <= number < 2**bits."""
        whole, partial = self._shifts
        if self._segments == 1:
            marked = number | 1 << self.bits
            blocks = self._heads.pack(*[marked >> shift for shift in partial])
        else:
            blocks = self._chained(number, whole, partial)
        masks = self._masks.unpack(self._ecb.encryptor().update(blocks))
        bits = format(number, self._bits).encode().translate(_ASCII_BITS)
        return self._digits.pack(*[mask % _MODULUS + bit for mask, bit in zip(masks, bits, strict=True)])

    def _chained(self, number: int, whole: tuple[int, ...], partial: tuple[int, ...]) -> bytes:
        """The last blocks of all messages, for numbers of more than one segment."""
        last = len(partial)
        segments = (number >> last).to_bytes(8 * (self._segments - 1), "big")
        values = struct.unpack(f">{self._segments - 1}Q", segments)
        complete = struct.pack(">" + "QQ" * len(values), *[half for value in values for half in (1, value)])
        states = Cipher(self._key, modes.CBC(bytes(16))).encryptor().update(complete)
        heads = [head >> shift for head in (value | 1 << _SEGMENT for value in values) for shift in whole]
        marked = number & (1 << last) - 1 | 1 << last
        heads += [marked >> shift for shift in partial]
        chain = [bytes(16 * _SEGMENT)]
        chain += [states[at : at + 16] * _SEGMENT for at in range(0, len(states) - 16, 16)]
        chain.append(states[-16:] * last)
        mixed = int.from_bytes(self._heads.pack(*heads), "big") ^ int.from_bytes(b"".join(chain), "big")
        return mixed.to_bytes(16 * self.bits, "big")


def opener(
    keys: dict[bytes, RandomKey] | dict[bytes, SearchKey], *, is_hex: bool, form: str, reference: Convert
) -> Convert:
    """What opens one value: the reference itself."""
    return reference


def sealing(
    key: RandomKey | SearchKey,
    prefix: OrderPrefix | None,
    *,
    form: str,
    is_text: bool,
    limit: int,
    count: Callable[[int], None],
    reference: Convert,
) -> Convert:
    """What seals one value: the reference itself."""
    return reference


def message_run(data: bytes, at: int, kind: int, least: int, most: int) -> int:
    """Where the run of whole messages of type `kind` ends that begins at `at`; each length word is from `least` to
    `most`. `at` itself where there is none."""
    end = len(data)
    while end - at >= 5 and data[at] == kind:
        (length,) = _INT32.unpack_from(data, at + 1)
        if not least <= length <= most or 1 + length > end - at:
            break
        at += 1 + length
    return at


def open_rows(data: bytes, at: int, cells: Sequence[Convert | None]) -> tuple[bytes, int]:
    """Whole DataRow messages from `at` on -> (those for the client, where the first begins that is not among them):
    one that is malformed, has another number of fields than `cells`, or has a field whose cell raised Refused."""
    width, end = len(cells), len(data)
    unpack = _INT32.unpack_from
    out: list[bytes] = []
    while end - at >= _DATA_ROW.size:
        kind, length, count = _DATA_ROW.unpack_from(data, at)
        next_ = at + 1 + length
        if kind != _DATA_ROW_TYPE or next_ > end or count != width:
            break
        place, done, grown = at + 7, at + 5, 0
        parts: list[bytes] = []
        last = next_ - 4
        try:
            for cell in cells:
                if place > last:
                    return b"".join(out), at
                (size,) = unpack(data, place)
                place += 4
                if size < 0:
                    if size != -1:
                        return b"".join(out), at
                    continue
                if cell is None:
                    place += size
                    continue
                after = place + size
                if after > next_:
                    return b"".join(out), at
                value = cell(data[place:after])
                parts += (data[done : place - 4], _INT32.pack(len(value)), value)
                done = place = after
                grown += len(value) - size
        except Refused:
            break
        if place != next_:
            break
        out += (b"D", _INT32.pack(length + grown), *parts, data[done:next_])
        at = next_
    return b"".join(out), at


class CopyRows(Protocol):
    """The rows of one COPY, whose sealed fields are sealed or opened. Both methods stop in front of the first row that
    is not of the usual shape, or has a field whose cell raised Refused."""

    def convert(self, data: bytearray) -> tuple[bytes, int]:
        """Rows from the beginning of `data`, where one begins -> (those for the other side, bytes that were taken)."""

    def messages(self, data: bytes, at: int) -> tuple[bytes, int]:
        """Whole CopyData messages from `at` on, each of one row -> as `open_rows`."""


def copy_rows(
    cells: list[Convert | None], *, seals: bool, delimiter: int, null: bytes, quote: int, escape: int
) -> CopyRows | None:
    """The quick way for a COPY with these options, and a cell or None for each column: here, there is none.

    `quote` and `escape` are -1 in the text format, -2 in the binary one.
    """
    return None
