"""A made-up company's schema of 40 tables with data, and by hand: which column holds what.

The labels were fixed before the detection was tuned on them. What counts: something that says who a person is, how to
reach them, or lets one act in their name. So city and postal code count as parts of an address, state and country
do not (they point at nobody), nor do companies, places of business, or identifiers of things. A bare number that only
this database knows is not a national id. Addresses of the company's own warehouses, airports and the like do not count.

The traps are on purpose: numbers with a check digit that are no cards, dotted versions, hashes of files, names of
things, dates that are no birthdays, opaque column names.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
import uuid
from collections.abc import Callable

Make = Callable[[random.Random, int], object]
"""(source of chance, row number) -> value."""

FIRST = (
    "Ada Björn Chloé Dmitri Elif Fatima Giulia Hans Ines João Katarzyna Liam Marta Noor Olga Pablo Quentin Rosa".split()
)
LAST = "Lovelace Müller García Rossi Jansen Kowalska O'Neill Silva Nguyễn Dubois Svensson Novák Schmidt Popescu".split()
STREETS = ["Hauptstraße {}", "{} rue de la Paix", "Calle Mayor {}", "Via Roma {}", "{} Elm Street", "Kerkstraat {}"]
CITIES = "Berlin Lyon Sevilla Torino Utrecht Gdańsk Porto Leeds Malmö Graz Cork Boston".split()
WORDS = "blue steel lamp oak table cotton shirt ceramic mug garden chair travel bag paper clip wool scarf".split()


def first(r: random.Random, _: int) -> str:
    return r.choice(FIRST)


def last(r: random.Random, _: int) -> str:
    return r.choice(LAST)


def full(r: random.Random, n: int) -> str:
    return f"{first(r, n)} {last(r, n)}"


def email(r: random.Random, n: int) -> str:
    return (
        f"{r.choice(['ada', 'k.lee', 'o-neill', 'joao', 'x_y'])}{n}@{r.choice(['example.org', 'mail.example.co.uk'])}"
    )


def phone(r: random.Random, _: int) -> str:
    shape = r.choice(["+49 30 ########", "+1 (###) ###-####", "0### ######", "+33 # ## ## ## ##", "(0##) ###-####"])
    return "".join(r.choice("123456789") if c == "#" else c for c in shape)


def digits(r: random.Random, count: int) -> str:
    return "".join(r.choice(string.digits) for _ in range(count))


def luhn_digit(body: str) -> str:
    total = sum(sum(divmod(int(c) * (2 if i % 2 == 0 else 1), 10)) for i, c in enumerate(reversed(body)))
    return str(-total % 10)


def card(r: random.Random, _: int) -> str:
    body = r.choice(["4", "51", "55", "6011"])
    body += digits(r, 15 - len(body))
    return body + luhn_digit(body)


def spaced_card(r: random.Random, n: int) -> str:
    number = card(r, n)
    return " ".join(number[i : i + 4] for i in range(0, 16, 4))


def imei(r: random.Random, _: int) -> str:
    body = "35" + digits(r, 12)
    return body + luhn_digit(body)


def iban(r: random.Random, _: int) -> str:
    country, length = r.choice([("DE", 18), ("ES", 20), ("NO", 11), ("BE", 12)])
    bban = digits(r, length)
    number = int(bban + "".join(str(int(c, 36)) for c in country) + "00")
    return f"{country}{98 - number % 97:02}{bban}"


def ssn(r: random.Random, _: int) -> str:
    return f"{r.randint(100, 665)}-{r.randint(10, 99)}-{r.randint(1000, 9999)}"


def dni(r: random.Random, _: int) -> str:
    number = r.randint(10_000_000, 99_999_999)
    return f"{number}{'TRWAGMYFPDXBNJZSQVHLCKE'[number % 23]}"


def nir(r: random.Random, _: int) -> str:
    body = f"{r.choice('12')}{r.randint(40, 99)}{r.randint(1, 12):02}{r.randint(1, 95):02}{digits(r, 6)}"
    return f"{body}{97 - int(body) % 97:02}"


def pesel(r: random.Random, _: int) -> str:
    body = f"{r.randint(40, 99)}{r.randint(1, 12):02}{r.randint(1, 28):02}{digits(r, 4)}"
    total = sum(int(c) * w for c, w in zip(body, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3), strict=True))
    return f"{body}{-total % 10}"


def cpf(r: random.Random, _: int) -> str:
    body = digits(r, 9)
    for start in (10, 11):
        total = sum(int(c) * (start - i) for i, c in enumerate(body))
        body += str(total * 10 % 11 % 10)
    return f"{body[:3]}.{body[3:6]}.{body[6:9]}-{body[9:]}"


def bsn(r: random.Random, n: int) -> str:
    while True:
        body = "1" + digits(r, 7)
        check = sum(int(c) * (9 - i) for i, c in enumerate(body)) % 11
        if check < 10:
            return f"{body}{check}"


def nino(r: random.Random, _: int) -> str:
    return f"{r.choice('ABCEGHJ')}{r.choice('ABCEGHJ')}{digits(r, 6)}{r.choice('ABCD')}"


def street(r: random.Random, _: int) -> str:
    return r.choice(STREETS).format(r.randint(1, 200))


def city(r: random.Random, _: int) -> str:
    return r.choice(CITIES)


def postcode(r: random.Random, _: int) -> str:
    return r.choice([digits(r, 5), f"{digits(r, 4)} AB", f"LS{r.randint(1, 9)} 2QP"])


def country(r: random.Random, _: int) -> str:
    return r.choice(["DE", "FR", "ES", "IT", "NL", "PL"])


def ipv4(r: random.Random, _: int) -> str:
    return ".".join(str(r.randint(1, 254)) for _ in range(4))


def ip_any(r: random.Random, n: int) -> str:
    return ipv4(r, n) if r.random() < 0.6 else f"2001:db8::{r.randint(1, 65535):x}"


def birthday(r: random.Random, _: int) -> str:
    return f"{r.randint(1935, 2006)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}"


def recent(r: random.Random, _: int) -> str:
    return f"{r.randint(2019, 2025)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}"


def german_date(r: random.Random, n: int) -> str:
    return ".".join(reversed(birthday(r, n).split("-")))


def bcrypt(r: random.Random, _: int) -> str:
    return "$2b$12$" + "".join(r.choice(string.ascii_letters + string.digits + "./") for _ in range(53))


def api_key(r: random.Random, _: int) -> str:
    return "sk_live_" + "".join(r.choice(string.ascii_letters + string.digits) for _ in range(24))


def opaque(r: random.Random, _: int) -> str:
    return "".join(r.choice(string.ascii_letters + string.digits) for _ in range(40))


def jwt(r: random.Random, n: int) -> str:
    parts = [json.dumps({"alg": "HS256", "typ": "JWT"}), json.dumps({"sub": n})]
    encoded = [base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, opaque(r, n)])


def sha256(_: random.Random, n: int) -> str:
    return hashlib.sha256(str(n).encode()).hexdigest()


def sha1(_: random.Random, n: int) -> str:
    return hashlib.sha1(str(n).encode()).hexdigest()


def some_uuid(r: random.Random, _: int) -> str:
    return str(uuid.UUID(int=r.getrandbits(128), version=4))


def thing(r: random.Random, _: int) -> str:
    return f"{r.choice(WORDS).title()} {r.choice(WORDS)}"


def code(r: random.Random, _: int) -> str:
    return f"{''.join(r.choice(string.ascii_uppercase) for _ in range(3))}-{digits(r, 5)}"


def ean(r: random.Random, _: int) -> str:
    body = "40" + digits(r, 10)
    total = sum(int(c) * (1 if i % 2 == 0 else 3) for i, c in enumerate(body))
    return f"{body}{-total % 10}"


def order_number(r: random.Random, n: int) -> str:
    return f"2024{n:06}{digits(r, 6)}"


def version(r: random.Random, _: int) -> str:
    return f"{r.randint(1, 20)}.{r.randint(0, 9)}.{r.randint(0, 30)}.{r.randint(0, 200)}"


def sentence(r: random.Random, n: int) -> str:
    return " ".join(r.choice(WORDS) for _ in range(12)).capitalize() + "."


def note_with_email(r: random.Random, n: int) -> str:
    return f"Please answer to {email(r, n)} before Friday. {sentence(r, n)}"


def payload(r: random.Random, n: int) -> str:
    return json.dumps({"event": "signup", "email": email(r, n), "plan": r.choice(["a", "b"])})


def settings(r: random.Random, n: int) -> str:
    return json.dumps({"theme": r.choice(["dark", "light"]), "page": n})


def url(r: random.Random, n: int) -> str:
    return f"https://shop.example.com/{r.choice(WORDS)}/{n}"


def number(r: random.Random, _: int) -> int:
    return r.randint(1, 100_000)


def row(_: random.Random, n: int) -> int:
    return n


def price(r: random.Random, _: int) -> str:
    return f"{r.randint(1, 900)}.{r.randint(0, 99):02}"


def flag(r: random.Random, _: int) -> bool:
    return r.random() < 0.5


def status(r: random.Random, _: int) -> str:
    return r.choice(["new", "open", "closed"])


def maybe(make: Make) -> Make:
    return lambda r, n: make(r, n) if r.random() < 0.6 else None


ID: tuple[str, str, Make, None] = ("id", "integer", row, None)

TABLES: dict[str, list[tuple[str, str, Make, str | None]]] = {
    "customers": [
        ID,
        ("first_name", "text", first, "name"),
        ("last_name", "text", last, "name"),
        ("email", "varchar(80)", email, "email"),
        ("phone", "varchar(30)", maybe(phone), "phone"),
        ("date_of_birth", "date", birthday, "birth date"),
        ("loyalty_level", "text", status, None),
        ("created_at", "timestamptz", recent, None),
        ("is_active", "boolean", flag, None),
    ],
    "addresses": [
        ID,
        ("customer_id", "integer", number, None),
        ("line1", "text", street, "address"),
        ("line2", "text", maybe(street), "address"),
        ("city", "text", city, "address"),
        ("zip", "text", postcode, "address"),
        ("country", "char(2)", country, None),
    ],
    "orders": [
        ID,
        ("order_number", "varchar(20)", order_number, None),
        ("shipping_address", "text", street, "address"),
        ("billing_city", "text", city, "address"),
        ("ordered_at", "timestamp", recent, None),
        ("total", "numeric(10,2)", price, None),
        ("status", "text", status, None),
        ("client_ip", "text", ipv4, "ip"),
    ],
    "payment_methods": [
        ID,
        ("card_number", "varchar(19)", card, "card"),
        ("cardholder", "text", full, "name"),
        ("expiry_month", "smallint", lambda r, n: r.randint(1, 12), None),
        ("brand", "text", status, None),
    ],
    "legacy_pay": [ID, ("f1", "text", spaced_card, "card"), ("f2", "text", iban, "iban"), ("f3", "text", code, None)],
    "bank_accounts": [
        ID,
        ("iban", "varchar(34)", iban, "iban"),
        ("account_holder", "text", full, "name"),
        ("bic", "varchar(11)", code, None),
        ("currency", "char(3)", lambda r, n: "EUR", None),
    ],
    "employees": [
        ID,
        ("vorname", "text", first, "name"),
        ("nachname", "text", last, "name"),
        ("geburtsdatum", "date", birthday, "birth date"),
        ("telefon", "text", phone, "phone"),
        ("strasse", "text", street, "address"),
        ("plz", "char(5)", lambda r, n: digits(r, 5), "address"),
        ("ort", "text", city, "address"),
        ("eintrittsdatum", "date", recent, None),
        ("abteilung", "text", thing, None),
    ],
    "clients_fr": [
        ID,
        ("nom", "text", last, "name"),
        ("prenom", "text", first, "name"),
        ("courriel", "text", email, "email"),
        ("date_naissance", "date", birthday, "birth date"),
        ("adresse", "text", street, "address"),
        ("code_postal", "text", postcode, "address"),
        ("numero_secu", "char(15)", nir, "national id"),
        ("remise", "numeric(4,2)", lambda r, n: 1.5, None),
    ],
    "clientes": [
        ID,
        ("nombre", "text", first, "name"),
        ("apellidos", "text", last, "name"),
        ("dni", "varchar(9)", dni, "national id"),
        ("correo", "text", email, "email"),
        ("fecha_nacimiento", "date", birthday, "birth date"),
        ("fecha_alta", "date", recent, None),
    ],
    "clienti": [
        ID,
        ("nome", "text", first, "name"),
        ("cognome", "text", last, "name"),
        ("indirizzo", "text", street, "address"),
        ("data_nascita", "date", birthday, "birth date"),
        ("sconto", "integer", number, None),
    ],
    "klanten": [
        ID,
        ("voornaam", "text", first, "name"),
        ("achternaam", "text", last, "name"),
        ("geboortedatum", "date", birthday, "birth date"),
        ("woonplaats", "text", city, "address"),
        ("bsn", "char(9)", bsn, "national id"),
    ],
    "pracownicy": [
        ID,
        ("imie", "text", first, "name"),
        ("nazwisko", "text", last, "name"),
        ("pesel", "char(11)", pesel, "national id"),
        ("stanowisko", "text", thing, None),
    ],
    "contribuintes": [ID, ("doc", "varchar(14)", cpf, "national id"), ("nome_completo", "text", full, "name")],
    "patients": [
        ID,
        ("name", "text", full, "name"),
        ("dob", "date", birthday, "birth date"),
        ("ssn", "varchar(11)", ssn, "national id"),
        ("ward", "text", code, None),
        ("admitted_on", "date", recent, None),
    ],
    "uk_staff": [
        ID,
        ("ref", "char(9)", nino, "national id"),
        ("surname", "text", last, "name"),
        ("grade", "integer", number, None),
    ],
    "users": [
        ID,
        ("username", "text", lambda r, n: f"{first(r, n).lower()}{n}", "name"),
        ("password_hash", "text", bcrypt, "secret"),
        ("password_changed_at", "timestamptz", recent, None),
        ("reset_token", "text", maybe(opaque), "secret"),
        ("reset_token_expires", "timestamptz", maybe(recent), None),
        ("must_change_password", "boolean", flag, None),
        ("last_login_ip", "inet", ipv4, "ip"),
        ("locale", "text", country, None),
    ],
    "sessions": [
        ("id", "uuid", some_uuid, None),
        ("user_id", "integer", number, None),
        ("access_token", "text", jwt, "secret"),
        ("remote_addr", "text", ip_any, "ip"),
        ("user_agent", "text", sentence, None),
    ],
    "integrations": [
        ID,
        ("provider_name", "text", thing, None),
        ("credential", "text", api_key, "secret"),
        ("webhook_url", "text", url, None),
        ("token_count", "integer", number, None),
    ],
    "misc_import": [
        ID,
        ("col_a", "text", email, "email"),
        ("col_b", "text", phone, "phone"),
        ("col_c", "text", api_key, "secret"),
        ("col_d", "text", ipv4, "ip"),
        ("col_e", "text", thing, None),
        ("col_f", "text", sha256, None),
    ],
    "support_tickets": [
        ID,
        ("subject", "text", sentence, None),
        ("body", "text", note_with_email, "email"),
        ("requester_email", "text", email, "email"),
        ("opened", "timestamptz", recent, None),
    ],
    "events": [
        ID,
        ("payload", "jsonb", payload, "email"),
        ("settings", "jsonb", settings, None),
        ("kind", "text", status, None),
    ],
    "contacts": [
        ID,
        ("fullName", "text", full, "name"),
        ("mobilePhone", "text", phone, "phone"),
        ("emailAddress", "text", email, "email"),
        ("companyName", "text", thing, None),
        ("birthDate", "text", german_date, "birth date"),
        ("postalCode", "text", postcode, "address"),
    ],
    "newsletter": [
        ("address", "text", email, "email"),
        ("topic", "text", thing, None),
        ("since", "date", recent, None),
    ],
    "employees_us": [
        ID,
        ("fname", "text", first, "name"),
        ("lname", "text", last, "name"),
        ("home_address", "text", street, "address"),
        ("salary_grade", "text", code, None),
        ("emergency_contact_phone", "text", phone, "phone"),
    ],
    "personer": [
        ID,
        ("fornavn", "text", first, "name"),
        ("etternavn", "text", last, "name"),
        ("telefonnummer", "bigint", lambda r, n: int("9" + digits(r, 7)), "phone"),
    ],
    # From here on, things: nothing about a person, whatever it looks like.
    "products": [
        ID,
        ("name", "text", thing, None),
        ("product_name", "text", thing, None),
        ("ean", "char(13)", ean, None),
        ("sku", "text", code, None),
        ("price", "numeric(10,2)", price, None),
        ("description", "text", sentence, None),
    ],
    "devices": [
        ID,
        ("imei", "char(15)", imei, None),
        ("hostname", "text", lambda r, n: f"host-{n}", None),
        ("mac_address", "text", lambda r, n: ":".join(f"{r.randint(0, 255):02x}" for _ in range(6)), None),
        ("firmware", "text", version, None),
        ("manufactured", "date", recent, None),
    ],
    "files": [
        ID,
        ("file_name", "text", lambda r, n: f"{r.choice(WORDS)}-{n}.pdf", None),
        ("sha256", "char(64)", sha256, None),
        ("etag", "text", opaque, None),
        ("size", "bigint", number, None),
    ],
    "commits": [
        ("commit_hash", "char(40)", sha1, None),
        ("branch_name", "text", thing, None),
        ("build", "text", version, None),
    ],
    "warehouses": [
        ID,
        ("name", "text", thing, None),
        ("city", "text", city, None),
        ("street", "text", street, None),
        ("capacity", "integer", number, None),
    ],
    "airports": [("iata", "char(3)", country, None), ("name", "text", thing, None), ("city", "text", city, None)],
    "countries": [
        ("code", "char(2)", country, None),
        ("name", "text", thing, None),
        ("capital_city", "text", city, None),
    ],
    "categories": [
        ID,
        ("name", "text", thing, None),
        ("slug", "text", code, None),
        ("parent_id", "integer", number, None),
    ],
    "campaigns": [
        ID,
        ("campaign_name", "text", thing, None),
        ("start_date", "date", recent, None),
        ("budget", "numeric(12,2)", price, None),
    ],
    "shipments": [
        ID,
        ("tracking_number", "varchar(24)", lambda r, n: "1Z" + digits(r, 16), None),
        ("carrier_name", "text", thing, None),
        ("recipient_name", "text", full, "name"),
        ("delivery_street", "text", street, "address"),
        ("delivered_on", "date", recent, None),
    ],
    "ledger": [
        ID,
        ("account", "bigint", lambda r, n: 4_000_000_000_000_000 + r.randint(0, 10**14), None),
        ("amount", "numeric(12,2)", price, None),
        ("booked", "date", recent, None),
    ],
    "metrics": [
        ("at", "timestamptz", recent, None),
        ("metric_name", "text", thing, None),
        ("value", "double precision", price, None),
    ],
    "releases": [
        ID,
        ("version", "text", version, None),
        ("codename", "text", thing, None),
        ("released", "date", recent, None),
    ],
    "audit_log": [
        ID,
        ("actor_email", "text", email, "email"),
        ("source_ip", "text", ip_any, "ip"),
        ("action", "text", status, None),
        ("request_id", "uuid", some_uuid, None),
    ],
    "licenses": [
        ID,
        ("license_key", "text", api_key, "secret"),
        ("seats", "integer", number, None),
        ("valid_until", "date", recent, None),
    ],
}
"""Table -> (column, type, values, label); None: holds nothing that scan should find."""

LABELS = {(table, name): label for table, columns in TABLES.items() for name, _, _, label in columns if label}

CHINOOK = {
    ("customer", "first_name"): "name",
    ("customer", "last_name"): "name",
    ("customer", "address"): "address",
    ("customer", "city"): "address",
    ("customer", "postal_code"): "address",
    ("customer", "phone"): "phone",
    ("customer", "fax"): "phone",
    ("customer", "email"): "email",
    ("employee", "last_name"): "name",
    ("employee", "first_name"): "name",
    ("employee", "birth_date"): "birth date",
    ("employee", "address"): "address",
    ("employee", "city"): "address",
    ("employee", "postal_code"): "address",
    ("employee", "phone"): "phone",
    ("employee", "fax"): "phone",
    ("employee", "email"): "email",
    ("invoice", "billing_address"): "address",
    ("invoice", "billing_city"): "address",
    ("invoice", "billing_postal_code"): "address",
}
"""Composers, artists and the like are public authors of the goods that the shop sells, not people it deals with."""
