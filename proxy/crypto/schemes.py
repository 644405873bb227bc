"""The three schemes: a plain value of one column in, header and body out, and back.

A sealer belongs to a domain and a type. It seals under the one key that the keyring gives for the domain, and opens
under the key that a value's header names, never trying another. Bodies, keys and associated data: docs/value-format.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar

import structlog
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from proxy.config import Scheme, SealedColumn
from proxy.crypto.canonical import Canonical, canonical_form
from proxy.crypto.format import HEADER_SIZE, associated_data, build_header, family_name, key_info, parse_header
from proxy.crypto.order import DIGIT_SIZE, Numbering, numbering
from proxy.errors import CannotOpen, ConfigError, Refused
from proxy.kernel import Gcm, OrderPrefix, RandomKey, SearchKey
from proxy.pgtypes import Family, SqlType

NONCE_SIZE: Final = 12
TAG_SIZE: Final = 16
MESSAGES_BEFORE_WARNING: Final = 2**31
"""Half of what SP 800-38D section 8.3 allows under one GCM key with random 96-bit nonces."""

_ABOVE_EVERY_BODY: Final = b"\xff" * (TAG_SIZE + 1)
_log = structlog.get_logger(__name__)

K = TypeVar("K", bound=RandomKey | SearchKey)


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
        self.cipher = Gcm(derive(data_key, "seal", Scheme.RANDOM, domain, 32))
        self._key_id = key_id
        self._messages = 0

    def count(self, domain: str) -> None:
        """Counts a message; warns once, when the count passes MESSAGES_BEFORE_WARNING."""
        self._messages += 1
        if self._messages == MESSAGES_BEFORE_WARNING + 1:
            _log.warning("rotate the key: many messages", key_id=self._key_id, domain=domain, messages=self._messages)


class _ByKey(Generic[K]):
    """What a sealer has per key id; made when a key is first met."""

    __slots__ = ("_make", "_scheme", "by_header", "header", "sealing")

    def __init__(self, scheme: Scheme, sealing_id: int, make: Callable[[int, bytes], K]) -> None:
        self._scheme = scheme
        self._make = make
        self.header = build_header(scheme, sealing_id)
        self.sealing = make(sealing_id, self.header)
        self.by_header = {self.header: self.sealing}

    def of(self, sealed: bytes) -> K:
        """The key that the header of `sealed` names. Raises CannotOpen."""
        header = sealed[:HEADER_SIZE]
        found = self.by_header.get(header)
        if found is None:
            scheme, key_id = parse_header(header)
            if scheme is not self._scheme:
                raise CannotOpen("sealed with another scheme than its column has")
            found = self.by_header[header] = self._make(key_id, header)
        return found


class KernelSealer:
    """What the three schemes' sealers tell of themselves to those who let the kernel do their work.

    `keys`: header -> key, which grows as keys are met; `sealing`: the key that seals; `prefix`: an order column's.
    """

    __slots__ = ("keys", "prefix", "sealing")

    def __init__(
        self,
        keys: dict[bytes, RandomKey] | dict[bytes, SearchKey],
        sealing: RandomKey | SearchKey,
        prefix: OrderPrefix | None = None,
    ) -> None:
        self.keys, self.sealing, self.prefix = keys, sealing, prefix

    def count(self) -> None:
        """A value is being sealed."""


class RandomSealer(KernelSealer):
    """AES-256-GCM (SP 800-38D) with a random nonce: equal values look different."""

    __slots__ = ("_domain", "_gcm", "_keys", "_nonce")

    def __init__(self, source: KeySource, domain: str, family: str) -> None:
        def make(key_id: int, header: bytes) -> RandomKey:
            data = associated_data(Scheme.RANDOM, key_id, domain, family)
            return RandomKey(source.gcm_key(key_id, domain).cipher, header, data)

        self._domain = domain
        sealing_id = source.sealing_key(domain)
        self._gcm = source.gcm_key(sealing_id, domain)
        self._keys = _ByKey(Scheme.RANDOM, sealing_id, make)
        super().__init__(self._keys.by_header, self._keys.sealing)
        self._nonce: Callable[[], bytes] = lambda: os.urandom(NONCE_SIZE)

    def seal(self, plain: bytes) -> bytes:
        self.count()
        return self._keys.sealing.seal(plain, self._nonce())

    def count(self) -> None:
        """A value is being sealed."""
        self._gcm.count(self._domain)

    def open(self, sealed: bytes) -> bytes:
        return self._keys.of(sealed).open(sealed)

    def between(self, floor: bytes | None) -> bytes:
        raise Refused("a value sealed with search: none cannot be compared")

    def prefix_bounds(self, prefix: bytes) -> tuple[bytes, bytes]:
        raise Refused("a value sealed with search: none cannot be compared")


class EqualitySealer(KernelSealer):
    """AES-256-SIV (RFC 5297), deterministic: equal values are equal bytes."""

    __slots__ = ("_canonical", "_keys")

    def __init__(self, source: KeySource, domain: str, family: str, canonical: Canonical) -> None:
        def make(key_id: int, header: bytes) -> SearchKey:
            key = derive(source.data_key(key_id), "seal", Scheme.EQUALITY, domain, 64)
            return SearchKey(key, header, associated_data(Scheme.EQUALITY, key_id, domain, family), 0)

        self._canonical = canonical
        self._keys = _ByKey(Scheme.EQUALITY, source.sealing_key(domain), make)
        super().__init__(self._keys.by_header, self._keys.sealing)

    def seal(self, plain: bytes) -> bytes:
        return self._keys.sealing.seal(self._canonical(plain), b"")

    def open(self, sealed: bytes) -> bytes:
        return self._keys.of(sealed).open(sealed)

    def between(self, floor: bytes | None) -> bytes:
        return self._keys.header  # shorter than any sealed value

    def prefix_bounds(self, prefix: bytes) -> tuple[bytes, bytes]:
        raise Refused("a value sealed with search: equality has no order")


class OrderSealer(KernelSealer):
    """An order prefix, then AES-256-SIV whose associated data takes the prefix in: bytes compare as values do."""

    __slots__ = ("_canonical", "_is_text", "_keys", "_numbering", "_prefix")

    def __init__(self, source: KeySource, domain: str, kind: SqlType, numbers: Numbering) -> None:
        def make(key_id: int, header: bytes) -> SearchKey:
            key = derive(source.data_key(key_id), "seal", Scheme.ORDER, domain, 64)
            associated = associated_data(Scheme.ORDER, key_id, domain, family_name(kind))
            return SearchKey(key, header, associated, DIGIT_SIZE * numbers.bits)

        self._canonical = canonical_form(kind)
        self._numbering = numbers
        self._is_text = kind.family is Family.TEXT
        sealing_id = source.sealing_key(domain)
        self._prefix = OrderPrefix(derive(source.data_key(sealing_id), "order", Scheme.ORDER, domain, 32), numbers.bits)
        self._keys = _ByKey(Scheme.ORDER, sealing_id, make)
        super().__init__(self._keys.by_header, self._keys.sealing, self._prefix)

    def seal(self, plain: bytes) -> bytes:
        plain = self._canonical(plain)
        return self._keys.sealing.seal(plain, self._prefix.of(self._numbering.exact(plain)))

    def open(self, sealed: bytes) -> bytes:
        return self._keys.of(sealed).open(sealed)

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
        return self._keys.header + self._prefix.of(low), self._above(high)

    def _above(self, number: int) -> bytes:
        """Above the sealed value of `number`, unless its SIV is sixteen times 0xFF: a chance of 2**-128."""
        return self._keys.header + self._prefix.of(number) + _ABOVE_EVERY_BODY


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
