"""Forms and check digits: known numbers pass, the same with one digit changed do not, look-alikes do not."""

from __future__ import annotations

import base64
import random
import string
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.ops import scan_checks as checks
from proxy.ops.scan_words import phrases_of, words_of

SPECIMENS = {
    "US social security number": "219-09-9999",
    "UK national insurance number": "AB 12 34 56 C",
    "Spanish DNI or NIE": "12345678Z",
    "French NIR": "255081416802538",
    "Italian codice fiscale": "RSSMRA85T10A562S",
    "German tax id": "86095742719",
    "Polish PESEL": "44051401359",
    "Brazilian CPF": "529.982.247-25",
    "Dutch BSN": "111222333",
    "Belgian national register number": "85.07.30-033.28",
    "Swedish personal identity number": "811218-9876",
    "Finnish personal identity code": "131052-308T",
    "Norwegian national identity number": "15076500565",
    "Swiss AHV number": "756.9217.0769.85",
    "Chinese resident identity number": "11010519491231002X",
    "Indian Aadhaar": "2341 2341 2346",
    "Canadian social insurance number": "046 454 286",
}
"""Published specimens; of no living person."""


@pytest.mark.parametrize("each", checks.NATIONAL_IDS, ids=lambda each: each.name)
def test_the_specimen_of_each_national_id_passes(each: checks.NationalId) -> None:
    assert each.matches(SPECIMENS[each.name])
    assert not each.matches("")
    assert not each.matches("a" * 12)


@pytest.mark.parametrize(
    "each",
    [each for each in checks.NATIONAL_IDS if each.name not in ("US social security number",) and "UK" not in each.name],
    ids=lambda each: each.name,
)
def test_a_changed_last_place_of_a_national_id_does_not_pass(each: checks.NationalId) -> None:
    specimen = SPECIMENS[each.name]
    alphabet = string.digits if specimen[-1].isdigit() else string.ascii_uppercase
    others = [specimen[:-1] + character for character in alphabet if character != specimen[-1]]
    assert sum(map(each.matches, others)) <= 1


@settings(max_examples=40)
@given(st.text(max_size=40))
def test_no_text_breaks_a_check(text: str) -> None:
    for check in (checks.is_email, checks.contains_email, checks.is_phone, checks.may_be_phone, checks.is_ip):
        assert check(text) in (True, False)
    for check in (checks.is_card, checks.is_iban, checks.is_secret, checks.looks_random, checks.is_past_date):
        assert check(text) in (True, False)
    for each in checks.NATIONAL_IDS:
        assert each.matches(text) in (True, False)


@settings(max_examples=40)
@given(st.from_regex(r"[0-9A-Z .+-]{8,18}", fullmatch=True) | st.from_regex(r"\d{9,18}", fullmatch=True))
def test_no_number_breaks_a_national_id(text: str) -> None:
    for each in checks.NATIONAL_IDS:
        assert each.matches(text) in (True, False)


@pytest.mark.parametrize(
    "text", ["4111111111111111", "4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005", "3782 822463 10005"]
)
def test_a_test_card_passes(text: str) -> None:
    assert checks.is_card(text)
    assert not checks.is_card(text[:-1] + str((int(text[-1]) + 1) % 10))


@pytest.mark.parametrize(
    "text", ["0000000000000000", "1234567812345670", "411111111111111", "4111111111111111x", "٤١١١١١١١١١١١١١١١"]
)
def test_a_number_of_no_issuer_is_no_card(text: str) -> None:
    assert not checks.is_card(text)


@pytest.mark.parametrize("text", ["DE89370400440532013000", "GB82 WEST 1234 5698 7654 32", "NO9386011117947"])
def test_an_iban_passes_and_one_with_two_digits_swapped_does_not(text: str) -> None:
    assert checks.is_iban(text)
    assert not checks.is_iban(text[:-2] + text[-1] + text[-2]) or text[-1] == text[-2]


@pytest.mark.parametrize("text", ["ada@example.org", "x_y+tag@sub.example.co.uk", "o'neill@example.ie"])
def test_an_address_is_an_address_alone_and_inside_a_text(text: str) -> None:
    assert checks.is_email(text)
    assert not checks.is_email(f"to {text}")
    assert checks.contains_email(f'{{"to": "{text}"}}')


@pytest.mark.parametrize("text", ["ada@example", "@example.org", "ada@", "https://user@host/path", "a@b@c"])
def test_what_only_has_an_at_sign_is_no_address(text: str) -> None:
    assert not checks.is_email(text)


@pytest.mark.parametrize(
    "text", ["+49 30 1234567", "(030) 123-4567", "+1 (403) 262-3443", "0171 2345678", "555-123-4567"]
)
def test_a_written_phone_number_needs_no_hint(text: str) -> None:
    assert checks.is_phone(text)


@pytest.mark.parametrize(
    "text",
    [
        "12345678",
        "2024-01-31",
        "31.01.2024",
        "192.168.10.200",
        "219-09-9999",
        "2024-000123",
        "1.5",
        "4111 1111 1111 1111",
    ],
)
def test_dates_addresses_and_other_numbers_are_no_phone_numbers(text: str) -> None:
    assert not checks.is_phone(text)


@pytest.mark.parametrize("text", ["10.0.0.1", "2001:db8::1", "10.0.0.1/32"])
def test_a_host_address_is_an_ip(text: str) -> None:
    assert checks.is_ip(text)


@pytest.mark.parametrize("text", ["10.0.0.0/8", "10.0.0", "300.1.1.1", "7", "1.2.3.4.5"])
def test_a_network_or_another_number_is_no_ip(text: str) -> None:
    assert not checks.is_ip(text)


@pytest.mark.parametrize(
    "text",
    [
        "$2b$12$" + "a" * 53,
        "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$aGFzaA",
        "pbkdf2_sha256$260000$salt$" + "a" * 44,
        "ghp_" + "a" * 36,
        "AKIA" + "A" * 16,
        "xoxb-123456789012-abc",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
        "SCRAM-SHA-256$4096:salt$stored:server",
    ],
)
def test_known_forms_are_secrets(text: str) -> None:
    assert checks.is_secret(text)


def test_random_words_are_told_from_names_hashes_and_uuids() -> None:
    source = random.Random(1)
    for _ in range(50):
        assert checks.looks_random(base64.b64encode(source.randbytes(30)).decode())
    for text in (
        str(uuid.UUID(int=source.getrandbits(128))),
        source.randbytes(32).hex(),
        "CustomerServiceRepresentative1",
    ):
        assert not checks.looks_random(text)


def test_names_are_cut_into_words_in_every_style() -> None:
    assert words_of("shippingAddress_line1") == ("shipping", "address", "line", "1")
    assert words_of("HTTPServerIP") == ("http", "server", "ip")
    assert words_of("Straße") == ("strasse",)
    assert words_of("prénom") == ("prenom",)
    assert words_of("imię") == ("imie",)
    assert "dateofbirth" in phrases_of(words_of("DATE_OF_BIRTH"))
