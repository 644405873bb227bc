"""Sealed bytes compare as PostgreSQL compares the values, for every ordered type."""

from __future__ import annotations

import math
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.config import SealedColumn
from proxy.crypto import HEADER_SIZE, Keyring
from proxy.errors import CannotOpen, ConfigError, InvalidValue, Refused

BRIEF = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def numeric_send(value: Decimal, dscale: int | None = None) -> bytes:
    """As numeric_send in PostgreSQL; `dscale` defaults to the digits that `value` shows."""
    if value.is_nan():
        return bytes.fromhex("00000000c0000000")
    if value.is_infinite():
        return bytes.fromhex("00000000f0000020" if value < 0 else "00000000d0000020")
    shown = max(-int(value.as_tuple().exponent), 0) if dscale is None else dscale
    whole, _, fraction = f"{value.copy_abs():f}".partition(".")
    whole, fraction = whole.zfill(-(-len(whole) // 4) * 4), fraction.ljust(-(-len(fraction) // 4) * 4, "0")
    text = whole + fraction
    digits = [int(text[at : at + 4]) for at in range(0, len(text), 4)]
    weight = len(whole) // 4 - 1
    while digits and digits[0] == 0:
        digits, weight = digits[1:], weight - 1
    while digits and digits[-1] == 0:
        digits.pop()
    sign = 0x4000 if value < 0 and digits else 0
    return struct.pack(f">HhHH{len(digits)}H", len(digits), weight if digits else 0, sign, shown, *digits)


@dataclass(frozen=True)
class Ordered:
    """A type: its values in Python, how PostgreSQL sends them and what it sorts them by."""

    type: str
    values: st.SearchStrategy[Any]
    send: Callable[[Any], bytes]
    key: Callable[[Any], Any] = lambda value: value
    max_length: int | None = None


def integers(bits: int, *special: int) -> st.SearchStrategy[int]:
    edge = 1 << (bits - 1)
    named = st.sampled_from((-edge, -edge + 1, -256, -1, 0, 1, 255, 256, edge - 2, edge - 1, *special))
    return named | st.integers(-edge, edge - 1)


def signed(bits: int) -> Callable[[int], bytes]:
    return lambda value: value.to_bytes(bits // 8, "big", signed=True)


def floats(width: int) -> st.SearchStrategy[float]:
    least = 2.0**-149 if width == 32 else 5e-324
    named = st.sampled_from((0.0, -0.0, math.inf, -math.inf, math.nan, -math.nan, least, -least, 1.0, -1.0))
    return named | st.floats(width=32 if width == 32 else 64)


def float_key(value: float) -> tuple[bool, float]:
    return (True, 0.0) if math.isnan(value) else (False, value)


def decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    top = 10**precision - 1
    named = st.sampled_from((-top, -top + 1, -1, 0, 1, top - 1, top))
    return st.just(Decimal("NaN")) | (named | st.integers(-top, top)).map(lambda n: Decimal(f"{n}e{-scale}"))


def decimal_key(value: Decimal) -> tuple[bool, Decimal]:
    return (True, Decimal(0)) if value.is_nan() else (False, value)


def texts(size: int, alphabet: str = "") -> st.SearchStrategy[str]:
    any_char = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
    kinds = st.text(st.sampled_from(alphabet or "ab~é€\U0001f600 "), max_size=size) | st.text(any_char, max_size=size)
    return kinds.filter(lambda text: len(text.encode()) <= size)


BC_4713 = -211813488000000000  # timestamp '4713-01-01 BC', microseconds from 2000-01-01
ORDERED = (
    Ordered("smallint", integers(16), signed(16)),
    Ordered("integer", integers(32), signed(32)),
    Ordered("bigint", integers(64), signed(64)),
    Ordered("real", floats(32), struct.Struct(">f").pack, float_key),
    Ordered("double precision", floats(64), struct.Struct(">d").pack, float_key),
    Ordered("boolean", st.booleans(), lambda value: bytes([value])),
    Ordered("date", integers(32, -2451507, -730485), signed(32)),  # 4713-11-24 BC, 0001-12-31 BC
    Ordered("time", st.sampled_from((0, 86_400_000_000)) | st.integers(0, 86_400_000_000), signed(64)),
    Ordered("timestamp", integers(64, BC_4713), signed(64)),
    Ordered("timestamptz", integers(64, BC_4713), signed(64)),
    Ordered("uuid", st.uuids() | st.just(uuid.UUID(int=0)), lambda value: value.bytes),
    Ordered("numeric(12,2)", decimals(12, 2), lambda value: numeric_send(value, 2), decimal_key),
    Ordered("numeric(3,5)", decimals(3, 5), lambda value: numeric_send(value, 5), decimal_key),
    Ordered("numeric(4,-2)", decimals(4, -2), numeric_send, decimal_key),
    Ordered("numeric(38,10)", decimals(38, 10), lambda value: numeric_send(value, 10), decimal_key),
    Ordered("text", texts(20), str.encode, str.encode, 20),
    Ordered("varchar(5)", texts(5), str.encode, str.encode),
    Ordered("char(4)", texts(4), str.encode, lambda value: value.rstrip(" ").encode()),
)


@pytest.mark.parametrize("kind", ORDERED, ids=lambda kind: kind.type)
def test_sealed_values_and_probes_compare_as_the_values_do(
    kind: Ordered, keyring: Keyring, column: Callable[..., SealedColumn]
) -> None:
    sealer = keyring.sealer(column(kind.type, "order", max_length=kind.max_length))

    @BRIEF
    @given(kind.values, kind.values)
    def check(left: Any, right: Any) -> None:
        low, high = kind.key(left), kind.key(right)
        sealed, other = sealer.seal(kind.send(left)), sealer.seal(kind.send(right))
        assert (sealed < other, sealed == other) == (low < high, low == high)
        assert kind.key(left) != kind.key(right) or sealer.open(sealed) == sealer.open(other)
        probe = sealer.between(kind.send(left))
        assert (other < probe, other == probe) == (high <= low, False)
        assert sealer.between(None) < sealed < probe

    check()


@pytest.mark.parametrize("kind", ORDERED, ids=lambda kind: kind.type)
@pytest.mark.parametrize("search", ["random", "equality", "order"])
def test_what_is_sealed_opens(
    kind: Ordered, search: str, keyring: Keyring, column: Callable[..., SealedColumn]
) -> None:
    sealer = keyring.sealer(column(kind.type, search, max_length=kind.max_length))

    @settings(BRIEF, max_examples=15)
    @given(kind.values)
    def check(value: Any) -> None:
        plain = kind.send(value)
        opened = sealer.open(sealer.seal(plain))
        if search != "random" and kind.type.startswith("char"):
            assert opened == plain.rstrip(b" ")
        elif search != "random" and kind.send in (ORDERED[3].send, ORDERED[4].send):
            layout = ">f" if kind.type == "real" else ">d"
            (number,) = struct.unpack(layout, opened)
            assert float_key(number) == float_key(value)
            assert math.copysign(1, number) == 1 or number < 0
        else:
            assert opened == plain

    check()


@BRIEF
@given(texts(12, "ab~é"), texts(24, "ab~é"))
def test_prefix_bounds_hold_exactly_the_texts_with_the_prefix(
    keyring: Keyring, column: Callable[..., SealedColumn], text: str, prefix: str
) -> None:
    sealer = keyring.sealer(column("text", "order", max_length=12))
    sealed = sealer.seal(text.encode())
    for beginning in (prefix, prefix[:1], prefix[:2], text[:1], text, ""):
        low, high = sealer.prefix_bounds(beginning.encode())
        assert (low <= sealed < high) == text.startswith(beginning)
        assert low <= high


@BRIEF
@given(texts(12, "ab~é"), texts(30, "ab~é"))
def test_a_text_longer_than_the_column_has_its_place(
    keyring: Keyring, column: Callable[..., SealedColumn], stored: str, asked: str
) -> None:
    sealer = keyring.sealer(column("text", "order", max_length=12))
    assert (sealer.seal(stored.encode()) < sealer.between(asked.encode())) == (stored.encode() <= asked.encode())


@BRIEF
@given(decimals(4, 1), st.decimals(allow_nan=True, allow_infinity=True, places=6) | st.decimals(-2000, 2000, places=3))
def test_a_numeric_that_the_column_cannot_hold_has_its_place(
    keyring: Keyring, column: Callable[..., SealedColumn], stored: Decimal, asked: Decimal
) -> None:
    sealer = keyring.sealer(column("numeric(4,1)", "order"))
    below = sealer.seal(numeric_send(stored, 1)) < sealer.between(numeric_send(asked))
    assert below == (decimal_key(stored) <= decimal_key(asked))


@pytest.mark.parametrize(
    ("kind", "plain", "sqlstate"),
    [
        ("integer", "0000", "22P03"),
        ("real", "00", "22P03"),
        ("boolean", "", "22P03"),
        ("uuid", "00" * 15, "22P03"),
        ("time", "ffffffffffffffff", "22008"),
        ("time", "000000141dd76001", "22008"),
        ("text", "61" * 13, "22001"),
        ("text", "6100", "22021"),
        ("numeric(12,2)", "00", "22P03"),
        ("numeric(12,2)", "0001000000000000", "22P03"),
        ("numeric(12,2)", "00010000000000002710", "22P03"),
        ("numeric(12,2)", "00010000123400000001", "22P03"),
        ("numeric(12,2)", "00010000000040000001", "22P03"),
        ("numeric(12,2)", "00018000000000000001", "22P03"),
        ("numeric(12,2)", "0001ffff000000040001", "22003"),
        ("numeric(12,2)", "00010003000000000001", "22003"),
        ("numeric(12,2)", "00017fff000000000001", "22003"),
        ("numeric(12,2)", "00000000d0000020", "22003"),
    ],
)
def test_what_the_type_cannot_hold_is_refused(
    kind: str, plain: str, sqlstate: str, keyring: Keyring, column: Callable[..., SealedColumn]
) -> None:
    sealer = keyring.sealer(column(kind, "order", max_length=12 if kind == "text" else None))
    with pytest.raises(InvalidValue) as caught:
        sealer.seal(bytes.fromhex(plain))
    assert caught.value.sqlstate == sqlstate


@given(st.binary(max_size=24))
@settings(BRIEF, max_examples=150)
def test_garbage_for_a_numeric_is_a_typed_error_or_a_value(
    keyring: Keyring, column: Callable[..., SealedColumn], plain: bytes
) -> None:
    for search, kind in (("order", "numeric(12,2)"), ("equality", "numeric"), ("equality", "numeric(9,3)")):
        sealer = keyring.sealer(column(kind, search))
        try:
            once = sealer.open(sealer.seal(plain))
        except InvalidValue:
            continue
        assert sealer.open(sealer.seal(once)) == once


def test_equal_numerics_are_equal_bytes_however_they_are_written(
    keyring: Keyring, column: Callable[..., SealedColumn]
) -> None:
    sealer = keyring.sealer(column("numeric", "equality"))
    forms = [Decimal("1.5"), Decimal("1.50"), Decimal("1.50000")]
    assert len({sealer.seal(numeric_send(value)) for value in forms}) == 1
    padded = struct.pack(">HhHH4H", 4, 1, 0, 9, 0, 1, 5000, 0)  # zero digits at both ends, which recv accepts
    assert sealer.seal(padded) == sealer.seal(numeric_send(Decimal("1.5")))
    assert sealer.open(sealer.seal(padded)) == numeric_send(Decimal("1.5"))
    assert sealer.seal(struct.pack(">HhHH", 0, 0, 0x4000, 2)) == sealer.seal(numeric_send(Decimal(0)))


@pytest.mark.parametrize("kind", ["json", "jsonb", "bytea", "text", "numeric", "integer[]"])
def test_types_without_an_order_are_refused_with_the_column(
    kind: str, keyring: Keyring, column: Callable[..., SealedColumn]
) -> None:
    with pytest.raises(ConfigError, match=r"public\.t\.c: .* cannot be sealed with search: order"):
        keyring.sealer(column(kind, "order"))


@pytest.mark.parametrize("kind", ["json", "jsonb", "text[]"])
def test_types_without_one_form_per_value_are_refused_for_equality(
    kind: str, keyring: Keyring, column: Callable[..., SealedColumn]
) -> None:
    with pytest.raises(ConfigError, match=r"public\.t\.c: .* cannot be sealed with search: equality"):
        keyring.sealer(column(kind, "equality"))


def test_probes_never_open_and_equal_nothing(keyring: Keyring, column: Callable[..., SealedColumn]) -> None:
    for search in ("equality", "order"):
        sealer = keyring.sealer(column("varchar(5)", search))
        probes = [sealer.between(None), sealer.between(b"ada")]
        if search == "order":
            probes += sealer.prefix_bounds(b"ad")
        for probe in probes:
            assert probe != sealer.seal(b"ada")
            assert len(probe) >= HEADER_SIZE
            with pytest.raises(CannotOpen):
                sealer.open(probe)


def test_comparisons_that_a_scheme_has_not_are_refused(keyring: Keyring, column: Callable[..., SealedColumn]) -> None:
    with pytest.raises(Refused):
        keyring.sealer(column("text", "random")).between(b"a")
    for kind, search in (("text", "random"), ("text", "equality"), ("integer", "order"), ("char(5)", "order")):
        with pytest.raises(Refused):
            keyring.sealer(column(kind, search)).prefix_bounds(b"a")
