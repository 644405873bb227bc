"""What a column holds, judged by its name, its table's name, its type and a sample of its values.

Values weigh more than names: a column is taken for what most of its values are, and a name that says otherwise only
counts where there is nothing to look at, or where values cannot tell (names, addresses, dates of birth).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from proxy.ops import scan_checks as checks
from proxy.ops.scan_words import BARE_NAMES, KINDS, NO_NUMBER_OF_PEOPLE, NOT, PEOPLE, PLACES, phrases_of, words_of

THRESHOLD: Final = 0.5
"""Confidence from which on a column is reported."""
MOST: Final = 0.8
"""Share of the values that must have the form of a kind."""
SOME: Final = 0.2
"""Share of the texts that must contain an e-mail address for the text itself to be personal."""
_CERTAIN: Final = 0.98
_BY_NAME: Final = 0.7
_ENOUGH: Final = 5
"""Values from which on their forms alone decide."""

TEXTUAL: Final = frozenset({"text", "character varying", "character", "citext", "name"})
NUMERIC: Final = frozenset({"smallint", "integer", "bigint", "numeric"})
_DATES: Final = frozenset({"date", "timestamp without time zone", "timestamp with time zone"})
_JSON: Final = frozenset({"json", "jsonb"})
_SECRET_TYPES: Final = TEXTUAL | _JSON | {"bytea", "uuid"}


@dataclass(frozen=True, slots=True)
class Sample:
    """A column and some of its values, NULL left out."""

    table: str
    column: str
    type: str
    """Base type as format_type prints it, without modifier and without []."""
    values: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Detection:
    """What a column seems to hold."""

    kind: str
    confidence: float
    """0 to 1."""
    reasons: tuple[str, ...]
    """For people; they name words and numbers, never values."""


def detect(sample: Sample) -> Detection | None:
    """The likeliest kind of personal or secret content, or None."""
    found = [judgement for judge in _JUDGES if (judgement := judge(sample)) is not None]
    best = max(found, key=lambda judgement: judgement.confidence, default=None)
    return best if best is not None and best.confidence >= THRESHOLD else None


def _named(sample: Sample, kind: str) -> str | None:
    """The word of the column's name that stands for `kind`."""
    words = words_of(sample.column)
    phrases = phrases_of(words)
    hits = phrases & KINDS[kind]
    if not hits or (set(words) & NOT[kind]):
        return None
    return max(sorted(hits), key=len)


def _share(values: Sequence[str], matches: Callable[[str], bool]) -> float:
    return sum(map(matches, values)) / len(values) if values else 0.0


def _by_values(kind: str, plural: str, sample: Sample, matches: Callable[[str], bool]) -> Detection | None:
    """A kind whose values have a form of their own. `plural` is what the reason calls them."""
    word = _named(sample, kind)
    values = [value.strip() for value in sample.values if value.strip()]
    if not values:
        return None if word is None else Detection(kind, _BY_NAME, (f'column name: "{word}"', "no values to look at"))
    share = _share(values, matches)
    reason = f"{share:.0%} of {len(values)} values are {plural}"
    if share >= MOST and (word is not None or len(values) >= _ENOUGH):
        confidence = min(_CERTAIN, 0.75 + 0.2 * share + (0.03 if word else 0.0))
        return Detection(kind, confidence, (reason, f'column name: "{word}"') if word else (reason,))
    if word is not None and share >= 0.5:
        return Detection(kind, 0.7, (reason, f'column name: "{word}"'))
    return None


def _email(sample: Sample) -> Detection | None:
    if sample.type in TEXTUAL and (found := _by_values("email", "e-mail addresses", sample, checks.is_email)):
        return found
    if sample.type in TEXTUAL | _JSON and len(sample.values) >= _ENOUGH:
        share = _share(sample.values, checks.contains_email)
        if share >= SOME:
            return Detection("email", 0.6, (f"{share:.0%} of {len(sample.values)} texts contain an e-mail address",))
    return None


def _phone(sample: Sample) -> Detection | None:
    if _is_other_number(sample):
        return None
    if _named(sample, "phone") is not None and sample.type in TEXTUAL | NUMERIC:
        return _by_values("phone", "phone numbers", sample, checks.may_be_phone)
    return _by_values("phone", "phone numbers", sample, checks.is_phone) if sample.type in TEXTUAL else None


def _card(sample: Sample) -> Detection | None:
    if sample.type not in TEXTUAL | NUMERIC or _is_other_number(sample):
        return None
    return _by_values("card", "payment card numbers (Luhn digit)", sample, checks.is_card)


def _iban(sample: Sample) -> Detection | None:
    return _by_values("iban", "IBANs (mod 97)", sample, checks.is_iban) if sample.type in TEXTUAL else None


def _national_id(sample: Sample) -> Detection | None:
    if sample.type not in TEXTUAL | NUMERIC or _is_other_number(sample):
        return None
    values = [value.strip() for value in sample.values if value.strip()]
    word = _named(sample, "national id")
    shares = [(_share(values, each.matches), each) for each in checks.NATIONAL_IDS]
    share, best = max(shares, key=lambda pair: (pair[0], -pair[1].chance))
    reason = f"{share:.0%} of {len(values)} values pass as {best.name}"
    # Without a hint in the name, chance must not explain what is seen, and a serial number must not look like one.
    surprising = best.chance ** (share * len(values)) < 1e-6
    formatted = best.chance > 0.5 and len(values) >= 2 * _ENOUGH
    if values and share >= 0.95 and (surprising or formatted):
        extra = (f'column name: "{word}"',) if word else ()
        return Detection("national id", 0.95 if word else 0.85, (reason, *extra))
    if word is not None:
        extra = (reason,) if share >= 0.5 else ()
        return Detection("national id", 0.85 if extra else _BY_NAME, (f'column name: "{word}"', *extra))
    return None


def _birth_date(sample: Sample) -> Detection | None:
    word = _named(sample, "birth date")
    if word is None:
        return None
    reason = f'column name: "{word}"'
    if sample.type in _DATES:
        return Detection("birth date", 0.95, (reason, f"its type is {sample.type}"))
    if sample.type in TEXTUAL and _share(sample.values, checks.is_past_date) >= MOST:
        return Detection("birth date", 0.9, (reason, "the values are dates"))
    return Detection("birth date", 0.6, (reason,)) if sample.type in TEXTUAL and not sample.values else None


def _ip(sample: Sample) -> Detection | None:
    if sample.type == "inet":
        hosts = _share(sample.values, checks.is_ip)
        return Detection("ip", 0.95, ("its type is inet",)) if not sample.values or hosts >= MOST else None
    if sample.type not in TEXTUAL or _is_other_number(sample):
        return None
    return _by_values("ip", "IP addresses", sample, checks.is_ip)


def _secret(sample: Sample) -> Detection | None:
    if sample.type not in _SECRET_TYPES:
        return None
    word = _named(sample, "secret")
    named = (f'column name: "{word}"',) if word else ()
    values = [value.strip() for value in sample.values if value.strip()]
    count = len(values)
    forms = _share(values, checks.is_secret)
    if forms >= MOST:
        return Detection("secret", 0.97, (f"{forms:.0%} of {count} values begin as known secrets do", *named))
    if word is not None:
        return Detection("secret", 0.8, named) if not _few(values) else None
    random = _share(values, checks.looks_random)
    if random >= 0.95 and count >= 2 * _ENOUGH and not _is_other_number(sample) and len(set(values)) == count:
        return Detection(
            "secret", 0.65, (f"{random:.0%} of {count} values are random (entropy), and no two are equal",)
        )
    return None


def _name(sample: Sample) -> Detection | None:
    if sample.type not in TEXTUAL or _is_label(sample):
        return None
    words = words_of(sample.column)
    if (word := _named(sample, "name")) is not None:
        return Detection("name", 0.9, (f'column name: "{word}"',))
    if not words or words[-1] not in BARE_NAMES:
        return None
    before, table = set(words[:-1]), set(words_of(sample.table))
    if before & PEOPLE or (not before and table & PEOPLE):
        where = before & PEOPLE or table & PEOPLE
        return Detection("name", 0.8, (f'column name: "{words[-1]}" of "{min(where)}"',))
    return None


def _address(sample: Sample) -> Detection | None:
    if sample.type not in TEXTUAL | NUMERIC or _is_label(sample):
        return None
    word = _named(sample, "address")
    if word is None:
        return None
    if sample.type in NUMERIC and word not in ("zip", "zipcode", "plz", "postcode", "postalcode", "housenumber"):
        return None
    table = set(words_of(sample.table))
    if table & PLACES and not table & PEOPLE:
        return None
    return Detection("address", 0.85, (f'column name: "{word}"',))


_JUDGES: Final = (_email, _phone, _card, _iban, _national_id, _birth_date, _ip, _secret, _name, _address)


def _is_other_number(sample: Sample) -> bool:
    """The name says that it numbers things."""
    return bool(phrases_of(words_of(sample.column)) & NO_NUMBER_OF_PEOPLE)


def _few(values: Sequence[str]) -> bool:
    """A handful of words over and over: a status, not a secret of each row."""
    return len(values) >= 4 * _ENOUGH and len(set(values)) <= _ENOUGH


def _is_label(sample: Sample) -> bool:
    """What stands there has the form of something that is neither a name nor an address."""
    return len(sample.values) >= _ENOUGH and _share(sample.values, _is_code) >= MOST


def _is_code(value: str) -> bool:
    return (
        checks.is_email(value)
        or checks.is_ip(value)
        or re.fullmatch(r"https?://\S+|[0-9a-fA-F]{32,}|(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}", value) is not None
    )
