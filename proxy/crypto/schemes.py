"""The three schemes: a plain value of one column in, header and body out, and back.

A sealer belongs to a domain and a type. It seals under the one key that the keyring gives for the domain, and opens
under the key that a value's header names, never trying another. Bodies, keys and associated data: docs/value-format.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from proxy.config import Scheme, SealedColumn
from proxy.crypto.canonical import Canonical, canonical_form
from proxy.crypto.format import HEADER_SIZE, associated_data, build_header, family_name, key_info, parse_header
from proxy.crypto.order import DIGIT_SIZE, Numbering, OrderPrefix, numbering
from proxy.errors import CannotOpen, ConfigError, Refused
from proxy.pgtypes import Family, SqlType

NONCE_SIZE: Final = 12
TAG_SIZE: Final = 16
MESSAGES_BEFORE_WARNING: Final = 2**31
"""Half of what SP 800-38D section 8.3 allows under one GCM key with random 96-bit nonces."""

_ABOVE_EVERY_BODY: Final = b"\xff" * (TAG_SIZE + 1)
_DOES_NOT_OPEN: Final = "does not open: altered, or moved from another column"
_log = structlog.get_logger(__name__)

K = TypeVar("K")


class Sealer(Protocol):
    """Seals and opens the values of one column (or of several that share domain, scheme and type)."""

    def seal(self, plain: bytes) -> bytes:
        """Sealed form of `plain`, a value in PostgreSQL's binary send form.

        Raises InvalidValue when the column's type cannot hold the value.
        """

    def open(self, sealed: bytes) -> bytes:
        """The value that was sealed, in canonical binary form. Raises CannotOpen on anything wrong."""

    def between(self, floor: bytes | None) -> bytes:
        """A probe that stands directly above `floor`: for comparisons only, equal to no sealed value.

        Order columns: above every sealed value that is not above `floor`, below all others; None stands below all.
        `floor` is a binary send form of the type but need not fit the column: a text longer than `max_length`, a
        numeric finer or larger than numeric(p,s). Equality columns: equal to nothing, without any order.
        Raises Refused for the random scheme.
        """

    def prefix_bounds(self, prefix: bytes) -> tuple[bytes, bytes]:
        """(low, high) such that low <= s < high exactly for the sealed texts s that start with `prefix` (UTF-8).

        Raises Refused where the column is not a text column with search: order.
        """


class KeySource(Protocol):
    """What a sealer asks of the keyring."""

    def sealing_key(self, domain: str) -> int:
        """Id of the data key under which values of `domain` are sealed."""

    def data_key(self, key_id: int) -> bytes:
        """32 bytes. Raises CannotOpen for a key that the keyring does not hold, or that is retired."""

    def gcm_key(self, key_id: int, domain: str) -> GcmKey:
        """The one GcmKey of this key and domain. Raises as `data_key` does."""


def derive(data_key: bytes, purpose: str, scheme: Scheme, domain: str, size: int) -> bytes:
    """A column key: HKDF-SHA-256 (RFC 5869) without salt over a data key."""
    return HKDF(algorithm=SHA256(), length=size, salt=None, info=key_info(purpose, scheme, domain)).derive(data_key)


class GcmKey:
    """The random scheme's key of one domain, which counts what this process seals under it."""

    __slots__ = ("_key_id", "_messages", "cipher")

    def __init__(self, data_key: bytes, key_id: int, domain: str) -> None:
        self.cipher = AESGCM(derive(data_key, "seal", Scheme.RANDOM, domain, 32))
        self._key_id = key_id
        self._messages = 0

    def count(self, domain: str) -> None:
        """Counts a message; warns once, when the count passes MESSAGES_BEFORE_WARNING."""
        self._messages += 1
        if self._messages == MESSAGES_BEFORE_WARNING + 1:
            _log.warning("rotate the key: many messages", key_id=self._key_id, domain=domain, messages=self._messages)


class _ByKey(Generic[K]):
    """What a sealer has per key id; made when a key is first met."""

    __slots__ = ("_keys", "_make", "_scheme", "header", "sealing")

    def __init__(self, scheme: Scheme, sealing_id: int, make: Callable[[int], K]) -> None:
        self._scheme = scheme
        self._make = make
        self.header = build_header(scheme, sealing_id)
        self.sealing = make(sealing_id)
        self._keys = {self.header: self.sealing}

    def of(self, sealed: bytes) -> K:
        """The key that the header of `sealed` names. Raises CannotOpen."""
        header = sealed[:HEADER_SIZE]
        found = self._keys.get(header)
        if found is None:
            scheme, key_id = parse_header(header)
            if scheme is not self._scheme:
                raise CannotOpen("sealed with another scheme than its column has")
            found = self._keys[header] = self._make(key_id)
        return found


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _RandomKey:
    key: GcmKey
    associated: bytes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _SearchKey:
    siv: AESSIV
    associated: bytes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _OrderKey:
    siv: AESSIV
    associated: bytes
    prefix: OrderPrefix


class RandomSealer:
    """AES-256-GCM (SP 800-38D) with a random nonce: equal values look different."""

    __slots__ = ("_domain", "_keys", "_nonce")

    def __init__(self, source: KeySource, domain: str, family: str) -> None:
        def make(key_id: int) -> _RandomKey:
            data = associated_data(Scheme.RANDOM, key_id, domain, family)
            return _RandomKey(source.gcm_key(key_id, domain), data)

        self._domain = domain
        self._keys = _ByKey(Scheme.RANDOM, source.sealing_key(domain), make)
        self._nonce: Callable[[], bytes] = lambda: os.urandom(NONCE_SIZE)

    def seal(self, plain: bytes) -> bytes:
        keys = self._keys
        used = keys.sealing
        used.key.count(self._domain)
        nonce = self._nonce()
        return keys.header + nonce + used.key.cipher.encrypt(nonce, plain, used.associated)

    def open(self, sealed: bytes) -> bytes:
        if len(sealed) < HEADER_SIZE + NONCE_SIZE + TAG_SIZE:
            raise CannotOpen("not a sealed value")
        used = self._keys.of(sealed)
        body = HEADER_SIZE + NONCE_SIZE
        try:
            return used.key.cipher.decrypt(sealed[HEADER_SIZE:body], sealed[body:], used.associated)
        except InvalidTag:
            raise CannotOpen(_DOES_NOT_OPEN) from None

    def between(self, floor: bytes | None) -> bytes:
        raise Refused("a value sealed with search: none cannot be compared")

    def prefix_bounds(self, prefix: bytes) -> tuple[bytes, bytes]:
        raise Refused("a value sealed with search: none cannot be compared")


class EqualitySealer:
    """AES-256-SIV (RFC 5297), deterministic: equal values are equal bytes."""

    __slots__ = ("_canonical", "_keys")

    def __init__(self, source: KeySource, domain: str, family: str, canonical: Canonical) -> None:
        def make(key_id: int) -> _SearchKey:
            siv = AESSIV(derive(source.data_key(key_id), "seal", Scheme.EQUALITY, domain, 64))
            return _SearchKey(siv, associated_data(Scheme.EQUALITY, key_id, domain, family))

        self._canonical = canonical
        self._keys = _ByKey(Scheme.EQUALITY, source.sealing_key(domain), make)

    def seal(self, plain: bytes) -> bytes:
        used = self._keys.sealing
        return self._keys.header + used.siv.encrypt(self._canonical(plain), [used.associated])

    def open(self, sealed: bytes) -> bytes:
        if len(sealed) < HEADER_SIZE + TAG_SIZE:
            raise CannotOpen("not a sealed value")
        used = self._keys.of(sealed)
        return _open_siv(used.siv, sealed[HEADER_SIZE:], [used.associated])

    def between(self, floor: bytes | None) -> bytes:
        return self._keys.header  # shorter than any sealed value

    def prefix_bounds(self, prefix: bytes) -> tuple[bytes, bytes]:
        raise Refused("a value sealed with search: equality has no order")


class OrderSealer:
    """An order prefix, then AES-256-SIV whose associated data takes the prefix in: bytes compare as values do."""

    __slots__ = ("_body", "_canonical", "_is_text", "_keys", "_numbering")

    def __init__(self, source: KeySource, domain: str, kind: SqlType, numbers: Numbering) -> None:
        def make(key_id: int) -> _OrderKey:
            data_key = source.data_key(key_id)
            siv = AESSIV(derive(data_key, "seal", Scheme.ORDER, domain, 64))
            prefix = OrderPrefix(derive(data_key, "order", Scheme.ORDER, domain, 32), numbers.bits)
            return _OrderKey(siv, associated_data(Scheme.ORDER, key_id, domain, family_name(kind)), prefix)

        self._canonical = canonical_form(kind)
        self._numbering = numbers
        self._is_text = kind.family is Family.TEXT
        self._body = HEADER_SIZE + DIGIT_SIZE * numbers.bits
        self._keys = _ByKey(Scheme.ORDER, source.sealing_key(domain), make)

    def seal(self, plain: bytes) -> bytes:
        used = self._keys.sealing
        plain = self._canonical(plain)
        prefix = used.prefix.of(self._numbering.exact(plain))
        return self._keys.header + prefix + used.siv.encrypt(plain, [used.associated, prefix])

    def open(self, sealed: bytes) -> bytes:
        if len(sealed) < self._body + TAG_SIZE:
            raise CannotOpen("not a sealed value")
        used = self._keys.of(sealed)
        return _open_siv(used.siv, sealed[self._body :], [used.associated, sealed[HEADER_SIZE : self._body]])

    def between(self, floor: bytes | None) -> bytes:
        number = None if floor is None else self._numbering.floor(floor)
        return self._keys.header if number is None else self._above(number)

    def prefix_bounds(self, prefix: bytes) -> tuple[bytes, bytes]:
        size = self._numbering.text_bytes
        if size is None or not self._is_text:  # LIKE sees the padding of char(n), which is not sealed
            raise Refused("only text sealed with search: order can be searched by prefix")
        if len(prefix) > size:
            nothing = self.between(prefix)
            return nothing, nothing
        low = self._numbering.exact(prefix)
        high = low | (1 << 8 * (size - len(prefix))) - 1  # padded with 0xFF, which no UTF-8 contains
        return self._keys.header + self._keys.sealing.prefix.of(low), self._above(high)

    def _above(self, number: int) -> bytes:
        """Above the sealed value of `number`, unless its SIV is sixteen times 0xFF: a chance of 2**-128."""
        return self._keys.header + self._keys.sealing.prefix.of(number) + _ABOVE_EVERY_BODY


def _open_siv(siv: AESSIV, body: bytes, associated: list[bytes]) -> bytes:
    try:
        return siv.decrypt(body, associated)
    except InvalidTag:
        raise CannotOpen(_DOES_NOT_OPEN) from None


def make_sealer(source: KeySource, column: SealedColumn) -> Sealer:
    """The sealer of `column`. Raises ConfigError when the scheme does not suit the column's type."""
    kind = column.type
    if column.scheme is Scheme.RANDOM:
        return RandomSealer(source, column.domain, family_name(kind))
    if column.scheme is Scheme.EQUALITY:
        if kind.is_array or kind.family in (Family.JSON, Family.JSONB):
            raise ConfigError(f"{kind} cannot be sealed with search: equality", line=column.line, key=column.name)
        return EqualitySealer(source, column.domain, family_name(kind), canonical_form(kind))
    return OrderSealer(source, column.domain, kind, numbering(column))
