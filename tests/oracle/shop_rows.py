# ruff: noqa: E501 - rows read better as rows
"""The rows of the shop, the same in every run, and the canaries among them.

Values of sealed columns carry marks that occur nowhere else, neither in plain columns nor in statements about them: a
mark on the tap is a leak. Every column has NULLs where it may, and between them the values hold empty strings,
duplicates, quotes, backslashes, emoji, negative numbers, BC dates and infinity.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.support.tap import Canary

Value = str | None
Row = tuple[Value, ...]

DOMAIN = "@quvex.example"
LAST_NAMES = (
    "Zeltner", "Okonkwo", "Brüggemann", "O'Hanlon", "Kowalczyk", "Lindqvist", "Papadakis", "Quispe-Mamani",
    "Vandenberghe", "Yıldırım",
)  # fmt: skip
FIRST_NAMES = ("Ann", "Bo", "Chidi", "Dörte", "Eve", "Finn", "Gül", "Hannes")
PRODUCTS = ("lamp", "chair", "desk", "rug", "clock")

CANARIES = (
    *(Canary(text) for text in ("@quvex.example", "+49-711-", "wistful", "4929-11", "SPRING-QX", "Wharfedale Rd")),
    *(Canary(name) for name in LAST_NAMES),
    *(Canary(text) for text in ("1987-03-1", "48213.7", "7731.45", "kindmark", "nickmark", "titlemark", "zebra-tag")),
    Canary("b4d6e001-5ea1", (bytes.fromhex("b4d6e0015ea1"),)),
    Canary("cafe1337deadbeef", (bytes.fromhex("cafe1337deadbeef"),)),
)


def tables() -> Iterator[tuple[str, tuple[str, ...], list[Row]]]:
    """(table, columns, rows) in an order that foreign keys allow."""
    draw = random.Random(20260101)
    customers = _customers(draw)
    emails = [row[1] for row in customers if row[1]]
    yield "countries", ("code", "name", "vat", "eu"), COUNTRIES
    yield (
        "customers",
        ("id", "email", "full_name", "phone", "born", "balance", "status", "remark", "country", "points", "level"),
        customers,
    )
    yield "cards", ("id", "number", "owner_email", "customer_id", "expires", "limit_cents", "brand"), [
        (
            str(n), f"4929-11{n:02d}-{draw.randrange(10**4):04d}", _some(draw, emails, 0.1),
            str(draw.randrange(1, 61)), _some(draw, ("1987-03-11", "2027-05-31", "2028-12-31", "infinity"), 0.1),
            _some(draw, ("0", "-5000", "250000", "1000000", "2147483647", "-2147483648"), 0.1),
            _some(draw, ("visa", "mc", ""), 0.1),
        )
        for n in range(1, 51)
    ]  # fmt: skip
    yield "orders", ("id", "customer_id", "placed", "total", "coupon", "ship_to", "state", "currency"), [
        (
            str(n), _some(draw, [str(k) for k in range(1, 55)], 0.05),
            _some(draw, [f"202{y}-0{m}-1{m} 0{y}:1{m}:00{f}" for y in range(4) for m in range(1, 10) for f in ("", ".25")]
                  + ["0044-03-15 12:00:00 BC", "-infinity"], 0.05),
            _some(draw, ("48213.77", "48213.70", "7731.45", "0.00", "-12.50", "19.99", "19.90", "9999999999.99", "100.00"), 0.08),
            _some(draw, ("SPRING-QX1", "SPRING-QX2", "SPRING-QX3", ""), 0.4),
            _some(draw, ("12 Wharfedale Rd", "7 Wharfedale Rd, 'rear' \\ flat", ""), 0.2),
            draw.choice(("open", "paid", "sent")), draw.choice(("EUR", "USD")),
        )
        for n in range(1, 121)
    ]  # fmt: skip
    yield "order_lines", ("order_id", "line_no", "product", "qty", "unit_price"), [
        (
            str(order), str(line), draw.choice(PRODUCTS), _some(draw, ("1", "2", "2", "3", "10", "-1"), 0.05),
            _some(draw, ("7731.45", "19.99", "0.50", "0.00", "99999999.99"), 0.05),
        )
        for order in range(1, 91) for line in range(1, 2 + order % 3)
    ]  # fmt: skip
    yield "employees", (
        "id", "manager_id", "email", "phone", "name", "salary", "hired", "dept", "badge", "active",
    ), [
        (
            str(n), str(n // 3) if n > 1 and n // 3 else None, emails[n] if n % 3 == 0 else f"staff{n}{DOMAIN}",
            _phone(n) if n % 4 else None, f"{draw.choice(FIRST_NAMES)} {draw.choice(LAST_NAMES)}",
            _some(draw, ("48213.70", "52000.00", "61000.50", "7731.45", "-1.00"), 0.1),
            _some(draw, ("1987-03-12", "2019-02-28", "2020-02-29", "2021-12-31"), 0.05),
            draw.choice(("ops", "sales", "lab", "")), f"b4d6e001-5ea1-4000-8000-0000000000{n % 20:02x}",
            _some(draw, ("true", "false"), 0.1),
        )
        for n in range(1, 26)
    ]  # fmt: skip
    yield "notes", ("id", "customer_id", "body", "tags", "meta", "secret", "written"), [
        (
            str(n), str(draw.randrange(1, 40)), _some(draw, (f"wistful note {n}", "", "wistful 'quoted' 😀\nline", "x"), 0.1),
            _some(draw, ('{zebra-tag,"a,b",NULL}', "{}", '{zebra-tag}'), 0.2),
            _some(draw, ('{"k": "wistful", "n": 1}', "[]", '{"a": {"b": null}}'), 0.2),
            _some(draw, ("\\xcafe1337deadbeef", "\\x", "\\xcafe1337deadbeef00", "\\xff"), 0.2),
            _some(draw, ("2021-07-01 12:00:00+00", "2021-07-01 12:00:00.000001+00", "0100-01-01 00:00:00+00 BC", "infinity"), 0.1),
        )
        for n in range(1, 41)
    ]  # fmt: skip
    yield "events", ("id", "day", "kind", "actor", "amount", "payload"), [
        (
            str(n), f"203{draw.randrange(4)}-0{draw.randrange(1, 10)}-15", draw.choice(("login", "buy", "view")),
            _some(draw, emails[:20], 0.1), _some(draw, ("5", "5", "-7", "0", "123456"), 0.1),
            _some(draw, ('{"p": "wistful"}', "{}"), 0.3),
        )
        for n in range(1, 61)
    ]  # fmt: skip
    yield (
        "people",
        ("id", "email", "nick"),
        [
            (str(n), _some(draw, emails[:15], 0.1), _some(draw, ("nickmark1", "nickmark2", ""), 0.1))
            for n in range(1, 21)
        ],
    )
    yield "staff", ("id", "email", "nick", "role"), [
        (str(n), _some(draw, emails[:15], 0.1), _some(draw, ("nickmark1", "nickmark3"), 0.1), draw.choice(("boss", "clerk")))
        for n in range(101, 111)
    ]  # fmt: skip
    yield "vault.documents", ("id", "owner_email", "title", "body", "rank"), [
        (
            str(n), _some(draw, emails[:25], 0.1), _some(draw, (f"titlemark {n:02d}", "titlemark", "Titlemark", ""), 0.1),
            _some(draw, ("\\xcafe1337deadbeef", "\\x"), 0.1), _some(draw, ("-32768", "32767", "0", "3", "3"), 0.1),
        )
        for n in range(1, 26)
    ]  # fmt: skip
    yield (
        "vault.customers",
        ("id", "email", "label"),
        [(str(n), f"plain{n}@open.example", f"label {n % 3}") for n in range(1, 8)],
    )
    yield '"Invoices"', ('"Id"', '"Customer Email"', '"Total"', '"select"', "plain_note"), [
        (
            str(n), _some(draw, emails[:12], 0.1), _some(draw, ("7731.45", "0.00", "-48213.70"), 0.1),
            _some(draw, ("kindmark one", "kindmark two", ""), 0.1), f"n{n % 4}",
        )
        for n in range(1, 16)
    ]  # fmt: skip
    yield "kinds_none", ("id", *KINDS), [_kinds(draw, n, tuple(KINDS)) for n in range(1, 31)]
    equality = tuple(name for name in KINDS if name not in ("j", "ta", "ia"))
    yield "kinds_eq", ("id", "grp", *equality), [_grouped(_kinds(draw, n, equality)) for n in range(1, 41)]
    order = tuple(name for name in equality if name not in ("c", "n", "jb", "by"))
    yield "kinds_ord", ("id", "grp", *order), [_grouped(_kinds(draw, n, order)) for n in range(1, 41)]


COUNTRIES: list[Row] = [
    ("DE", "Germany", "19.0", "true"), ("FR", "France", "20.0", "true"), ("NO", "Norway", "25.0", "false"),
    ("US", "United States", None, "false"), ("TR", "Türkiye", "18.0", "false"),
]  # fmt: skip

KINDS: dict[str, tuple[str, ...]] = {
    "t": ("kindmark", "kindmark ä", "Kindmark", "", "kindmark 'q' \\ 😀", "kindmark%_"),
    "v": ("kindmark v", "kindmark v2", "", "kindmark ß"),
    "c": ("kindmark", "k", "", "k  x"),
    "i2": ("0", "1", "-1", "32767", "-32768", "42"),
    "i4": ("0", "1", "-1", "2147483647", "-2147483648", "42"),
    "i8": ("0", "1", "-1", "9223372036854775807", "-9223372036854775808", "42"),
    "nm": ("0.00", "1.00", "-1.00", "48213.77", "9999999999.99", "-9999999999.99", "0.01"),
    "n": ("0", "1", "-1", "48213.77", "1e30", "-0.00001", "NaN", "Infinity"),
    "r": ("0", "1.5", "-1.5", "3.4e38", "1e-45", "Infinity", "-Infinity", "NaN"),
    "d": ("0", "1.5", "-1.5", "1.7976931348623157e308", "5e-324", "Infinity", "-Infinity", "NaN", "0.1"),
    "b": ("true", "false"),
    "dt": ("1987-03-14", "1987-03-15", "2000-02-29", "0044-03-15 BC", "infinity", "-infinity", "5874897-12-31"),
    "tm": ("00:00:00", "12:34:56", "12:34:56.789", "24:00:00", "23:59:59.999999"),
    "ts": ("1987-03-14 01:02:03", "1987-03-14 01:02:03.000004", "0044-03-15 00:00:00 BC", "infinity", "-infinity"),
    "tz": ("1987-03-14 01:02:03+00", "1987-03-14 03:02:03+02", "2021-07-01 12:00:00-08", "infinity"),
    "u": ("b4d6e001-5ea1-4000-8000-000000000001", "b4d6e001-5ea1-4000-8000-000000000002",
          "ffffffff-ffff-4fff-bfff-ffffffffffff"),
    "j": ('{"kindmark":  1}', "[1, 2]", '"kindmark"', "null"),
    "jb": ('{"kindmark": 1}', "[1, 2]", '"kindmark"', "null", '{"a": 1, "b": [true, null]}'),
    "by": ("\\xcafe1337deadbeef", "\\x", "\\x00", "\\xcafe1337deadbeefff"),
    "ta": ('{kindmark,b}', "{}", '{NULL,"kindmark, x"}', "{{a,b},{c,d}}"),
    "ia": ("{1,2,3}", "{}", "{NULL,-5}", "[0:1]={7,8}"),
}  # fmt: skip


def _customers(draw: random.Random) -> list[Row]:
    rows: list[Row] = []
    for n in range(1, 61):
        first, last = draw.choice(FIRST_NAMES), LAST_NAMES[n % len(LAST_NAMES)]
        plain = "".join(ch for ch in f"{first}.{last}".lower() if ch.isascii() and (ch.isalnum() or ch == "."))
        rows.append((
            str(n), None if n % 11 == 0 else f"{plain}{n}{DOMAIN}", f"{first} {last}",
            _phone(n % 25) if n % 7 else None,
            _some(draw, ("1987-03-14", "1987-03-15", "1987-03-16", "1961-11-02", "2001-02-28", "0044-03-15 BC"), 0.1),
            _some(draw, ("48213.77", "48213.70", "7731.45", "0.00", "-250.00", "-0.01", "100.00", "9999999999.99"), 0.1),
            draw.choice(("new", "vip", "active", "closed")) if n % 13 else None,
            _some(draw, (f"wistful {n}", "", "wistful; 'quoted' \\ and 😀", "wistful\ttab"), 0.3),
            _some(draw, ("DE", "DE", "FR", "NO", "US"), 0.1), str(draw.choice((0, 5, 10, 50))),
            _some(draw, ("gold", "silver", "bronze"), 0.3),
        ))  # fmt: skip
    return rows


def _phone(n: int) -> str:
    return f"+49-711-55{n:03d}"


def _some(draw: random.Random, values: tuple[str, ...] | list[str], nulls: float) -> Value:
    return None if draw.random() < nulls else draw.choice(values)


def _kinds(draw: random.Random, n: int, names: tuple[str, ...]) -> Row:
    """Row 1 is all NULL; the first rows walk through all values, the rest are drawn."""
    if n == 1:
        return (str(n), *(None for _ in names))
    walk = n <= 1 + max(len(KINDS[name]) for name in names)
    return (str(n), *(KINDS[name][n % len(KINDS[name])] if walk else _some(draw, KINDS[name], 0.1) for name in names))


def _grouped(row: Row) -> Row:
    return (row[0], str(int(row[0] or 0) % 4), *row[1:])
