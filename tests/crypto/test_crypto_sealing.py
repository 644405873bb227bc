"""What must not open does not open, and says nothing about why that could help anyone."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from proxy.config import SealedColumn
from proxy.crypto import HEADER_SIZE, Keyring, is_sealed, parse_header, schemes
from proxy.errors import CannotOpen

CANARY = b"ada lovelace, canary"
SEARCHES = ("random", "equality", "order")
Columns = Callable[..., SealedColumn]


@pytest.mark.parametrize("plain", [CANARY, b"", b"x"])
@pytest.mark.parametrize("search", SEARCHES)
def test_no_altered_byte_opens(search: str, plain: bytes, keyring: Keyring, column: Columns) -> None:
    sealer = keyring.sealer(column("text", search, max_length=20))
    sealed = sealer.seal(plain)
    for at in range(len(sealed)):
        for change in (0x01, 0x80, random.Random(at).randrange(1, 256)):
            altered = bytearray(sealed)
            altered[at] ^= change
            with pytest.raises(CannotOpen):
                sealer.open(bytes(altered))


@pytest.mark.parametrize("plain", [CANARY, b""])
@pytest.mark.parametrize("search", SEARCHES)
def test_no_cut_or_extended_value_opens(search: str, plain: bytes, keyring: Keyring, column: Columns) -> None:
    sealer = keyring.sealer(column("text", search, max_length=20))
    sealed = sealer.seal(plain)
    for other in (*(sealed[:end] for end in range(len(sealed))), sealed + b"\x00", b"\x00" + sealed, sealed + sealed):
        with pytest.raises(CannotOpen):
            sealer.open(other)


@given(st.binary(max_size=80), st.sampled_from(SEARCHES), st.booleans())
@settings(max_examples=200, deadline=None)
def test_garbage_never_opens(keyring: Keyring, column: Columns, garbage: bytes, search: str, headed: bool) -> None:
    sealer = keyring.sealer(column("integer", search))
    value = sealer.seal(bytes(4))[:HEADER_SIZE] + garbage if headed else garbage
    with pytest.raises(CannotOpen):
        sealer.open(value)


@pytest.mark.parametrize("search", SEARCHES)
def test_a_value_opens_only_where_it_was_sealed(search: str, keyring: Keyring, column: Columns) -> None:
    plain = bytes(8)
    sealed = keyring.sealer(column("bigint", search, domain="a")).seal(plain)
    assert keyring.sealer(column("bigint", search, domain="a")).open(sealed) == plain
    elsewhere = [column("bigint", search, domain="b"), column("bigint", search, domain="")]
    elsewhere += [column("timestamp", search, domain="a"), column("double precision", search, domain="a")]
    elsewhere += [column("bigint", other, domain="a") for other in SEARCHES if other != search]
    if search == "random":
        elsewhere.append(column("bigint[]", search, domain="a"))
    for place in elsewhere:
        with pytest.raises(CannotOpen):
            keyring.sealer(place).open(sealed)


@pytest.mark.parametrize("search", SEARCHES)
def test_a_relabelled_header_does_not_open(
    search: str, make_keyring: Callable[..., Keyring], make_entry: Callable[..., Any], column: Columns
) -> None:
    """Also when the other label is one that the keyring can open: same data key, two ids."""
    keyring = make_keyring(make_entry(1, "primary", bytes(32)), make_entry(2, "active", bytes(32)))
    sealer = keyring.sealer(column("bigint", search))
    sealed = sealer.seal(bytes(8))
    with pytest.raises(CannotOpen):
        sealer.open(sealed[:2] + (2).to_bytes(4, "big") + sealed[6:])
    for other in (scheme for scheme in (1, 2, 3) if scheme != sealed[1]):
        for opener in SEARCHES:
            with pytest.raises(CannotOpen):
                keyring.sealer(column("bigint", opener)).open(sealed[:1] + bytes([other]) + sealed[2:])


def test_field_boundaries_cannot_be_moved() -> None:
    """`ab` + `c` and `a` + `bc` are different columns."""
    assert schemes.key_info("seal", schemes.Scheme.RANDOM, "x") != schemes.key_info("sealx", schemes.Scheme.RANDOM, "")
    one = schemes.associated_data(schemes.Scheme.ORDER, 1, "ab", "c")
    assert one != schemes.associated_data(schemes.Scheme.ORDER, 1, "a", "bc")


def test_a_modifier_may_change_without_resealing(keyring: Keyring, column: Columns) -> None:
    for search in ("random", "equality"):
        sealed = keyring.sealer(column("varchar(24)", search)).seal(b"ada")
        assert keyring.sealer(column("text", search)).open(sealed) == b"ada"
    sealed = keyring.sealer(column("varchar(24)", "order", max_length=30)).seal(b"ada")
    assert keyring.sealer(column("text", "order", max_length=30)).open(sealed) == b"ada"


@pytest.mark.parametrize("search", SEARCHES)
def test_values_show_no_plaintext_and_carry_the_header(search: str, keyring: Keyring, column: Columns) -> None:
    sealed = keyring.sealer(column("text", search, max_length=20)).seal(CANARY)
    assert CANARY not in sealed
    assert is_sealed(sealed)
    scheme, key_id = parse_header(sealed)
    assert (scheme.name.lower(), key_id) == (search, 0x01020304)


def test_equal_values_look_equal_only_where_that_is_asked_for(keyring: Keyring, column: Columns) -> None:
    assert len({keyring.sealer(column("text", "random")).seal(b"x") for _ in range(50)}) == 50
    for search in ("equality", "order"):
        assert len({keyring.sealer(column("text", search, max_length=4)).seal(b"x") for _ in range(5)}) == 1


@pytest.mark.parametrize(
    "value", [b"", b"\xe1", b"\xe1\x01\x00\x00\x00", b"ada@example.org", "áda@example".encode("latin-1")]
)
def test_plaintext_is_not_taken_for_sealed(value: bytes) -> None:
    assert not is_sealed(value)


@pytest.mark.parametrize("header", ["e00100000001", "e10000000001", "e10400000001", "e10100000000"])
def test_a_header_of_no_known_kind_is_not_one(header: str) -> None:
    assert not is_sealed(bytes.fromhex(header))
    with pytest.raises(CannotOpen, match="not a sealed value"):
        parse_header(bytes.fromhex(header))


@pytest.mark.parametrize("key_id", [0, -1, 2**32])
def test_a_header_names_a_key(key_id: int) -> None:
    with pytest.raises(ValueError, match="key id"):
        schemes.build_header(schemes.Scheme.RANDOM, key_id)


def test_a_key_with_too_many_messages_is_called_out_once(
    make_keyring: Callable[..., Keyring], make_entry: Callable[..., Any], column: Columns
) -> None:
    keyring = make_keyring(make_entry(7, "primary", bytes(32)))
    keyring.gcm_key(7, "d")._messages = schemes.MESSAGES_BEFORE_WARNING - 1
    with capture_logs() as logs:
        keyring.sealer(column("text", "random", domain="d")).seal(b"")
        assert logs == []
        for kind in ("varchar(3)", "text", "text"):  # one count for all sealers of the key
            keyring.sealer(column(kind, "random", domain="d")).seal(b"")
    (entry,) = logs
    assert (entry["log_level"], entry["key_id"], entry["domain"]) == ("warning", 7, "d")


def test_errors_carry_no_bytes_of_the_value(keyring: Keyring, column: Columns) -> None:
    for search in SEARCHES:
        sealer = keyring.sealer(column("text", search, max_length=20))
        sealed = sealer.seal(CANARY)
        texts = set()
        for at in (0, 1, 5, HEADER_SIZE, len(sealed) - 1):
            with pytest.raises(CannotOpen) as caught:
                sealer.open(sealed[:at] + bytes([sealed[at] ^ 0x55]) + sealed[at + 1 :])
            texts.add(str(caught.value))
            assert caught.value.__cause__ is None
        assert not any("ada" in text or sealed[6:10].hex() in text for text in texts)
