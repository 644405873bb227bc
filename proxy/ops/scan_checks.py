"""What a single value is by its form and its check digits: card, IBAN, national id, e-mail, phone, IP address, secret.

Every function takes text and tells whether it could be one; how many values of a column must be before the column
counts as one is for scan_detect.py to say. `chance` of a national id is how often a random text of its form would pass.
"""

from __future__ import annotations

import datetime
import ipaddress
import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_EMAIL: Final = re.compile(r"[A-Za-z0-9._%+'&/=?^{|}~!#$*-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}")
_EMAIL_INSIDE: Final = re.compile(r"(?<![\w.+-])" + _EMAIL.pattern + r"(?![\w-])")


def is_email(text: str) -> bool:
    return _EMAIL.fullmatch(text) is not None


def contains_email(text: str) -> bool:
    return _EMAIL_INSIDE.search(text) is not None


_PHONE: Final = re.compile(r"\+?[\d\s().\-/]{7,24}(?:\s?(?:x|ext\.?)\s?\d{1,6})?")
_NO_PHONE: Final = re.compile(
    r"\d{4}[-./]\d{1,2}[-./]\d{1,2}.*|\d{1,2}[-./]\d{1,2}[-./]\d{2,4}|\d{3}-\d{2}-\d{4}|\d{3}\.\d{3}\.\d{3}-\d{2}"
    r"|(?:\d{4}[ -]){3}\d{3,4}"
)
"""Dates, and the ways in which the USA and Brazil write their national ids, and everybody payment cards."""


def is_phone(text: str) -> bool:
    """7 to 15 digits (ITU-T E.164), written as a phone number and not as a date, an IP address or a plain number."""
    if not may_be_phone(text) or _NO_PHONE.fullmatch(text) or is_ip(text):
        return False
    gaps = len(re.findall(r"[\s./-]+", text))
    return (
        text.startswith("+") or ("(" in text and ")" in text) or gaps in range(2, 6) or (gaps == 1 and text[0] == "0")
    )


def may_be_phone(text: str) -> bool:
    """As `is_phone`, or digits alone."""
    digits = sum(character.isdigit() for character in text)
    return 7 <= digits <= 15 and _PHONE.fullmatch(text) is not None


def is_ip(text: str) -> bool:
    """An IPv4 or IPv6 host address; a prefix length counts only where it names one host."""
    try:
        interface = ipaddress.ip_interface(text)
    except ValueError:
        return False
    return interface.network.num_addresses == 1


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B."""
    total = 0
    for index, character in enumerate(reversed(digits)):
        digit = int(character)
        if index % 2:
            digit = digit * 2 - 9 if digit > 4 else digit * 2
        total += digit
    return total % 10 == 0


_CARD: Final = re.compile(r"(?:\d{4}[ -]){3}\d{1,7}|\d{4}[ -]\d{6}[ -]\d{5}|\d{13,19}")
_CARD_RANGES: Final = re.compile(
    r"4|5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)|3[47]|6(?:011|4[4-9]|5)|35(?:2[89]|[3-8])|62|3[0689]|50|5[6-8]"
)


def is_card(text: str) -> bool:
    """A payment card number: the length and range of an issuer, and the Luhn digit."""
    if not text.isascii() or _CARD.fullmatch(text) is None:
        return False
    digits = re.sub(r"\D", "", text)
    return _CARD_RANGES.match(digits) is not None and luhn(digits)


_IBAN: Final = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")


def is_iban(text: str) -> bool:
    """ISO 13616: mod 97 of ISO/IEC 7064."""
    compact = text.replace(" ", "").upper()
    if not compact.isascii() or _IBAN.fullmatch(compact) is None:
        return False
    return int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1


@dataclass(frozen=True, slots=True)
class NationalId:
    """One country's number."""

    name: str
    matches: Callable[[str], bool]
    chance: float
    """About how often any text of the same letters and digits would pass."""


def _weighted(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(d) * w for d, w in zip(digits, weights, strict=False))


def _date(year: int, month: int, day: int) -> bool:
    try:
        datetime.date(year, month, day)
    except ValueError:
        return False
    return True


def _form(pattern: str, check: Callable[[str], bool]) -> Callable[[str], bool]:
    """Texts of the form, whose letters and digits pass `check`."""
    compiled = re.compile(pattern, re.ASCII)

    def matches(text: str) -> bool:
        text = text.strip().upper()
        return compiled.fullmatch(text) is not None and check(re.sub(r"[ ./+-]", "", text))

    return matches


def _us(d: str) -> bool:
    return d[:3] not in ("000", "666") and d[0] != "9" and d[3:5] != "00" and d[5:] != "0000"


def _es(text: str) -> bool:
    number = int(str("XYZ".find(text[0])) + text[1:-1]) if text[0] in "XYZ" else int(text[:-1])
    return "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23] == text[-1]


def _fr(text: str) -> bool:
    body = text[:13].replace("2A", "19").replace("2B", "18")
    return body.isdigit() and int(text[13:]) == 97 - int(body) % 97


_IT_FIRST: Final = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21]
_IT_LETTERS: Final = [*_IT_FIRST, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23]
_IT_ODD: Final = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", [*_IT_FIRST, *_IT_LETTERS], strict=True))


def _it(text: str) -> bool:
    total = sum(
        _IT_ODD[c] if index % 2 == 0 else (int(c) if c.isdigit() else ord(c) - 65) for index, c in enumerate(text[:15])
    )
    return chr(65 + total % 26) == text[15]


def _de(d: str) -> bool:
    """Steueridentifikationsnummer: ISO/IEC 7064 mod 11,10; one digit stands two or three times in the first ten."""
    product = 10
    for digit in d[:10]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    repeated = sorted(count for count in Counter(d[:10]).values() if count > 1)
    return (11 - product) % 10 == int(d[10]) and repeated in ([2], [3])


def _pl(d: str) -> bool:
    century, month = {0: 1900, 1: 2000, 2: 2100, 3: 2200, 4: 1800}[int(d[2]) // 2], int(d[2:4]) % 20
    return _date(century + int(d[:2]), month, int(d[4:6])) and (
        -_weighted(d, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10 == int(d[10])
    )


def _br(d: str) -> bool:
    first = _weighted(d[:9], tuple(range(10, 1, -1))) * 10 % 11 % 10
    second = _weighted(d[:10], tuple(range(11, 1, -1))) * 10 % 11 % 10
    return len(set(d)) > 1 and d[9:] == f"{first}{second}"


def _nl(d: str) -> bool:
    return int(d) > 0 and (_weighted(d[:8], tuple(range(9, 1, -1))) - int(d[8])) % 11 == 0


def _be(d: str) -> bool:
    check = int(d[9:])
    return int(d[2:4]) <= 12 and (97 - int(d[:9]) % 97 == check or 97 - int("2" + d[:9]) % 97 == check)


def _se(d: str) -> bool:
    return _date(2000 + int(d[-10:-8]), int(d[-8:-6]), (int(d[-6:-4]) - 1) % 60 + 1) and luhn(d[-10:])


def _fi(text: str) -> bool:
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(text[:6] + text[-4:-1]) % 31] == text[-1]


def _no(d: str) -> bool:
    first = -_weighted(d, (3, 7, 6, 1, 8, 9, 4, 5, 2)) % 11
    second = -_weighted(d, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return d[9:] == f"{first}{second}"


def _ch(d: str) -> bool:
    return -_weighted(d, (1, 3) * 6) % 10 == int(d[12])


def _cn(text: str) -> bool:
    total = _weighted(text, (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2))
    return _date(int(text[6:10]), int(text[10:12]), int(text[12:14])) and "10X98765432"[total % 11] == text[17]


_D5: Final = (
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
)
_P8: Final = (
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
)


def _in(d: str) -> bool:
    """Aadhaar: Verhoeff's check digit."""
    check = 0
    for index, digit in enumerate(reversed(d)):
        check = int(_D5[check][int(_P8[index % 8][int(digit)])])
    return check == 0


NATIONAL_IDS: Final = (
    NationalId("US social security number", _form(r"\d{3}-\d{2}-\d{4}", _us), 0.9),
    NationalId(
        "UK national insurance number",
        _form(r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]", lambda _: True),
        0.01,
    ),
    NationalId("Spanish DNI or NIE", _form(r"(?:\d{8}|[XYZ]\d{7})-?[A-Z]", _es), 1 / 23),
    NationalId("French NIR", _form(r"[12]\d{4}(?:\d{2}|2[AB])\d{6} ?\d{2}", _fr), 1 / 97),
    NationalId("Italian codice fiscale", _form(r"[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]", _it), 1 / 26),
    NationalId("German tax id", _form(r"[1-9]\d \d{3} \d{3} \d{3}|[1-9]\d{10}", _de), 0.03),
    NationalId("Polish PESEL", _form(r"\d{11}", _pl), 0.01),
    NationalId("Brazilian CPF", _form(r"\d{3}\.\d{3}\.\d{3}-\d{2}|\d{11}", _br), 0.01),
    NationalId("Dutch BSN", _form(r"\d{9}", _nl), 1 / 11),
    NationalId("Belgian national register number", _form(r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}|\d{11}", _be), 0.02),
    NationalId("Swedish personal identity number", _form(r"(?:\d{2})?\d{6}[-+]?\d{4}", _se), 0.01),
    NationalId("Finnish personal identity code", _form(r"\d{6}[-+ABCDEFUVWXY]\d{3}[0-9A-FHJ-NPR-Y]", _fi), 1 / 31),
    NationalId("Norwegian national identity number", _form(r"\d{6} ?\d{5}", _no), 0.01),
    NationalId("Swiss AHV number", _form(r"756\.?\d{4}\.?\d{4}\.?\d{2}", _ch), 0.001),
    NationalId("Chinese resident identity number", _form(r"\d{17}[\dX]", _cn), 0.001),
    NationalId("Indian Aadhaar", _form(r"[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}", _in), 0.1),
    NationalId("Canadian social insurance number", _form(r"\d{3}[ -]?\d{3}[ -]?\d{3}", luhn), 0.1),
)

_SECRET_FORMS: Final = re.compile(
    r"""\$(?:2[abxy]|argon2(?:id|i|d)|5|6|1|scrypt|pbkdf2[\w-]*)\$\S{10,} | \{S?SHA\d*\}\S{10,} | SCRAM-SHA-256\$\S+
      | (?:pbkdf2|argon2|bcrypt|scrypt)(?:_\w+)?(?:\$|:)\S{16,}
      | (?:sk|pk|rk)_(?:live|test)_\w{10,} | whsec_\w{10,} | gh[pousr]_\w{20,} | github_pat_\w{20,} | glpat-[\w-]{16,}
      | (?:AKIA|ASIA)[A-Z0-9]{16} | AIza[\w-]{30,} | ya29\.[\w-]{20,} | xox[abeoprs]-[\w-]{10,}
      | SG\.[\w-]{16,}\.[\w-]{16,} | npm_\w{30,} | pypi-\w{16,} | hvs\.[\w-]{20,} | dop_v1_\w{40,} | sk-[\w-]{20,}
      | EAA\w{30,} | eyJ[\w-]{8,}\.eyJ[\w-]{4,}\.[\w-]* | -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----(?:.|\n)*
      | AGE-SECRET-KEY-\w+""",
    re.VERBOSE,
)
_OPAQUE: Final = re.compile(r"[A-Za-z0-9+/_=.-]{20,}")
_HEX: Final = re.compile(r"(?:0x)?[0-9a-fA-F-]+")


def is_secret(text: str) -> bool:
    """It begins as password hashes, tokens, keys and credentials of well-known makers do."""
    return _SECRET_FORMS.fullmatch(text) is not None


def looks_random(text: str) -> bool:
    """One word of 20 or more letters of both cases and digits, drawn as if by chance; no hexadecimal, no UUID."""
    if _OPAQUE.fullmatch(text) is None or _HEX.fullmatch(text):
        return False
    kinds = (str.islower, str.isupper, str.isdigit)
    return all(any(kind(c) for c in text) for kind in kinds) and entropy(text) >= 0.8 * math.log2(min(len(text), 64))


def entropy(text: str) -> float:
    """Shannon's, in bits a character, of the characters as they occur."""
    size = len(text)
    return -sum(count / size * math.log2(count / size) for count in Counter(text).values())


_DATE_FORMS: Final = (r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})", r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})")


def is_past_date(text: str) -> bool:
    """A written day between 1900 and today."""
    for form in _DATE_FORMS:
        if (match := re.fullmatch(form, text[:10].strip())) is not None:
            return any(1900 <= int(part) <= 2100 for part in match.groups())
    return False
