"""The native kernel and its reference: the same bytes and the same errors for whatever they are given."""

from __future__ import annotations

import os
import random
import struct
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.config import Scheme, SealedColumn
from proxy.errors import CannotOpen, Refused
from proxy.kernel import reference
from proxy.pgtypes import Family, parse_type
from proxy.session.copying import CopyTransform
from proxy.session.values import opening_function, sealing_function
from proxy.sql.plan import CopyFormat, CopyPlan, Opening, Sealing, Use
from proxy.wire import codecs
from proxy.wire.codecs import Settings, bytea_hex
from proxy.wire.messages import build_data_row, message
from tests.kernel.twins import outcome, running

TYPES = (
    "text varchar(5) char(4) smallint integer bigint numeric numeric(8,2) real boolean date time timestamp timestamp(2)"
    " timestamptz uuid json jsonb bytea integer[] text[]"
).split(" ")
SETTINGS = (
    Settings(),
    Settings(client_encoding="LATIN1", datestyle="German, DMY", timezone="Europe/Berlin", bytea_output="escape"),
)
SPELLINGS = (  # what each type takes, and what it nearly takes
    b"", b"ada", b"Ada L\xc3\xb6velace", b"ada\x00", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
    b"\xf0\x90\x80\x80", b"12345 ", b"0", b"-0", b"7", b"-32768", b"32767", b"99999", b"2147483647",
    b"-2147483648", b"9223372036854775807", b"1_0", b" 5", b"-999999999999999999", b"+3", b"0.00", b"-12.345",
    b"123456.78", b"1e3", b"NaN", b"Infinity", b"0.0001", b"t", b"f", b"true", b"2000-01-01", b"1999-02-29",
    b"2000-02-29", b"0001-01-01", b"0000-01-01", b"9999-12-31", b"12000-01-01", b"2024-05-06 BC",
    b"1970-01-01 00:00:00", b"2024-12-31 23:59:59.999999", b"2024-12-31T23:59:60", b"1066-10-14 12:00:00.5",
    b"infinity", b"-infinity", b"2024-03-31 02:30:00+02", b"12:30:00", b"3f0a1c22-0d0e-4f00-8000-00000000abCD",
    b"{3f0a1c220d0e4f00800000000000abcd}", b'{"a": [1, 2]}', b"[]", b"\\x00ff5c", b"\\xzz", b"\\001",
    b"{1,2,NULL}", b"{}",
)  # fmt: skip
values_from_clients = st.one_of(
    st.sampled_from(SPELLINGS),
    st.binary(max_size=40),
    st.text(max_size=300).map(str.encode),
    st.integers(-(2**63), 2**63 - 1).map(lambda n: b"%d" % n),
    st.integers(-(2**63), 2**63 - 1).map(lambda n: n.to_bytes(8, "big", signed=True)),
    st.integers(-(2**31), 2**31 - 1).map(lambda n: n.to_bytes(4, "big", signed=True)),
    st.datetimes().map(lambda at: str(at).encode()),
    st.dates().map(lambda day: str(day).encode()),
    st.uuids().map(lambda value: str(value).encode()),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(lambda value: str(value).encode()),
)


def column_of(type_name: str, scheme: Scheme, name: str = "c") -> SealedColumn | None:
    """None: the scheme does not suit the type."""
    kind = parse_type(type_name)
    unordered = kind.is_array or kind.family in (Family.JSON, Family.JSONB)
    if scheme is not Scheme.RANDOM and unordered:
        return None
    if scheme is Scheme.ORDER and (kind.family is Family.BYTEA or type_name == "numeric"):
        return None
    return SealedColumn("*", "public", "t", name, kind, scheme, f"public.t.{name}", 40 if type_name == "text" else None)


def mutated(data: bytes, seed: int) -> bytes:
    """`data` as it is (often), or cut, extended or changed somewhere."""
    chance = random.Random(seed)
    match chance.randrange(6):
        case 0 if data:
            at = chance.randrange(len(data))
            return data[:at] + bytes((data[at] ^ 1 << chance.randrange(8),)) + data[at + 1 :]
        case 1:
            return data[: chance.randrange(len(data) + 1)]
        case 2:
            return data + chance.randbytes(chance.randrange(1, 4))
    return data


@given(st.data(), st.sampled_from(TYPES), st.sampled_from(list(Scheme)), values_from_clients, st.booleans())
def test_a_value_is_sealed_alike(
    native: ModuleType, data: st.DataObject, type_name: str, scheme: Scheme, value: bytes, binary: bool
) -> None:
    use = Use.ASSIGN if scheme is Scheme.RANDOM else data.draw(st.sampled_from([Use.ASSIGN, Use.COMPARE]))
    column = column_of(type_name, scheme)
    if column is None:
        return
    settings = data.draw(st.sampled_from(SETTINGS))
    found = []
    for kernel in (reference, native):
        with running(kernel) as sealers:
            sealed = outcome(sealing_function(Sealing(column, use), int(binary), settings, sealers), value)
            if isinstance(sealed, bytes):
                with running(reference) as others:
                    plain = outcome(others.sealer(column).open, sealed)  # what falls between values does not open
                sealed = plain if scheme is Scheme.RANDOM else (plain, sealed)
            found.append(sealed)
    assert found[0] == found[1]


@given(st.data(), st.sampled_from(TYPES), st.sampled_from(list(Scheme)), values_from_clients, st.booleans())
def test_a_value_is_opened_alike(
    native: ModuleType, data: st.DataObject, type_name: str, scheme: Scheme, value: bytes, binary: bool
) -> None:
    column = column_of(type_name, scheme)
    if column is None:
        return
    settings = data.draw(st.sampled_from(SETTINGS))
    with running(reference) as sealers:
        sealed = outcome(sealing_function(Sealing(column, Use.ASSIGN), 0, Settings(), sealers), value)
    if not isinstance(sealed, bytes):
        return
    sealed = mutated(sealed, data.draw(st.integers(0, 2**32)))
    sent = sealed if binary else mutated(bytea_hex(sealed), data.draw(st.integers(0, 2**32)))
    found = []
    for kernel in (reference, native):
        with running(kernel) as sealers:
            function = opening_function(Opening(column, column.type), int(binary), settings, sealers)
            found.append((outcome(function, sent), outcome(function, sent)))
    assert found[0] == found[1]


def rows_of(columns: list[SealedColumn], sealers: Any, count: int, seed: int) -> list[list[bytes | None]]:
    chance = random.Random(seed)
    rows: list[list[bytes | None]] = []
    for number in range(count):
        row: list[bytes | None] = [b"%d" % number]
        for column in columns:
            text = b"%d" % chance.randrange(10**6)
            plain = codecs.decode_text(column.type, text, Settings())
            row.append(None if chance.random() < 0.2 else sealers.sealer(column).seal(plain))
        rows.append(row)
    return rows


COLUMNS = [
    SealedColumn("*", "public", "t", "r", parse_type("text"), Scheme.RANDOM, "r"),
    SealedColumn("*", "public", "t", "e", parse_type("integer"), Scheme.EQUALITY, "e"),
    SealedColumn("*", "public", "t", "o", parse_type("bigint"), Scheme.ORDER, "o"),
]


@given(st.integers(0, 2**32), st.integers(0, 6), st.booleans(), st.booleans())
def test_runs_of_rows_are_opened_alike_and_stop_at_the_same_row(
    native: ModuleType, seed: int, count: int, binary: bool, corrupt: bool
) -> None:
    with running(reference) as sealers:
        rows = rows_of(COLUMNS, sealers, count, seed)
    sent = b"".join(
        build_data_row([v if v is None or binary or not at else bytea_hex(v) for at, v in enumerate(row)])
        for row in rows
    )
    sent = mutated(sent, seed) if corrupt else sent
    found = []
    for kernel in (reference, native):
        with running(kernel) as sealers:
            cells: list[Any] = [None]
            cells += [opening_function(Opening(c, c.type), int(binary), Settings(), sealers) for c in COLUMNS]
            found.append(kernel.open_rows(sent, 0, cells))
            for at in (len(sent), len(sent) + 1):
                assert kernel.open_rows(sent, at, cells) == (b"", at)
    assert found[0] == found[1]
    if not corrupt:
        assert found[0][1] == len(sent)


def test_a_row_with_another_number_of_fields_is_left(kernel: ModuleType) -> None:
    row = build_data_row([b"a", b"b"])
    assert kernel.open_rows(row, 0, [None]) == (b"", 0)
    assert kernel.open_rows(row + row, 0, [None, None]) == (row + row, 2 * len(row))


def test_what_a_cell_raises_stops_in_front_of_its_row(kernel: ModuleType) -> None:
    def cell(value: bytes) -> bytes:
        if value == b"no":
            raise Refused("no")
        return value * 2

    good, bad = build_data_row([b"ab", None]), build_data_row([b"no", None])
    assert kernel.open_rows(good + bad + good, 0, [cell, None]) == (build_data_row([b"abab", None]), len(good))


@pytest.mark.parametrize("bits", [1, 2, 7, 8, 16, 32, 40, 41, 63, 64, 65, 127, 128, 129, 320, 1024, 1025])
def test_order_prefixes_are_alike(native: ModuleType, bits: int) -> None:
    key, chance = bytes(range(32)), random.Random(bits)
    for number in (0, 1, (1 << bits) - 1, *(chance.getrandbits(bits) for _ in range(10))):
        assert native.OrderPrefix(key, bits).of(number) == reference.OrderPrefix(key, bits).of(number)
    for number in (-1, 1 << bits):
        with pytest.raises((OverflowError, struct.error, ValueError)):
            native.OrderPrefix(key, bits).of(number)


def test_an_altered_value_opens_in_neither(kernel: ModuleType) -> None:
    header = b"\xe1\x01\0\0\0\7"
    made: list[tuple[Any, bytes]] = []
    random_key = kernel.RandomKey(kernel.Gcm(bytes(32)), header, b"associated")
    made.append((random_key, random_key.seal(b"plain", bytes(12))))
    search_key = kernel.SearchKey(bytes(range(64)), header, b"associated", 4)
    made.append((search_key, search_key.seal(b"plain" * 9, b"\1\2\3\4")))
    for key, sealed in made:
        for at in range(6, len(sealed)):
            with pytest.raises(CannotOpen, match="altered"):
                key.open(sealed[:at] + bytes((sealed[at] ^ 0x10,)) + sealed[at + 1 :])
        for size in range(key.overhead):
            with pytest.raises(CannotOpen, match="not a sealed value"):
                key.open(sealed[:size])


def cut(data: bytes, chance: random.Random) -> list[bytes]:
    places = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randrange(4)))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


LINES = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 99), st.text("ab\\.N\"\t\r,é'", max_size=6), st.integers(-5, 10**11)).map(
            lambda row: "\t".join(map(str, row))
        ),
        st.tuples(st.integers(0, 99), st.sampled_from(["ada", "\\N", "a\\tb", ""]), st.integers(0, 999)).map(
            lambda row: "\t".join(map(str, row))
        ),
        st.sampled_from(["\\.", "", "1\t2", "1\tx\t3\t4", "x\\\ty\t1\t2", "1\ta\\\nb\t2"]),
    ),
    max_size=6,
)


def copied(kernel: ModuleType, plan: CopyPlan, pieces: list[bytes]) -> list[Any]:
    with running(kernel) as sealers:
        transform = CopyTransform(plan, Settings(), sealers, max_row=1 << 20)
        found: list[Any] = []
        for piece in pieces:
            found.append(outcome(transform.feed, piece))
            if not isinstance(found[-1], bytes):  # it is not fed any more
                return found
        return [*found, outcome(transform.finish)]


@given(LINES, st.sampled_from(["\n", "\n", "\r\n"]), st.booleans(), st.booleans(), st.integers(0, 2**32))
def test_lines_of_copy_are_sealed_alike(
    native: ModuleType, lines: list[str], eol: str, csv: bool, header: bool, seed: int
) -> None:
    columns = (None, TEXT_EQUAL, COLUMNS[2])
    types = (None, TEXT_EQUAL.type, COLUMNS[2].type)
    plan = (
        CopyPlan(True, CopyFormat.CSV, columns, types, delimiter=",", null="", header=header)
        if csv
        else CopyPlan(True, CopyFormat.TEXT, columns, types, header=header)
    )
    data = "".join(line + eol for line in lines).encode()
    pieces = cut(data.replace(b"\t", b",") if csv else data, random.Random(seed))
    assert copied(reference, plan, pieces) == copied(native, plan, pieces)


TEXT_EQUAL = SealedColumn("*", "public", "t", "te", parse_type("varchar(5)"), Scheme.EQUALITY, "te")


@given(st.integers(0, 2**32), st.integers(0, 6), st.sampled_from(list(CopyFormat)), st.booleans())
def test_rows_of_copy_are_opened_alike(
    native: ModuleType, seed: int, count: int, copy_format: CopyFormat, corrupt: bool
) -> None:
    chance = random.Random(seed)
    columns, types = (None, *COLUMNS), (None, *(column.type for column in COLUMNS))
    csv = copy_format is CopyFormat.CSV
    plan = CopyPlan(False, copy_format, columns, types, **({"delimiter": ",", "null": ""} if csv else {}))
    odd = [b"a,b", b'"', b"tab\t", b"line\n", b"back\\slash", b"", b"\\.", b"\xc3\xb6", b"\r"]
    with running(reference) as sealers:
        rows = rows_of(COLUMNS, sealers, count, seed)
        for row in rows:
            if chance.random() < 0.5:
                row[1] = sealers.sealer(COLUMNS[0]).seal(chance.choice(odd))
    sent: list[bytes] = []
    for row in rows:
        if copy_format is CopyFormat.BINARY:
            sent.append(build_data_row(row)[5:])
        else:
            mark, null, slashes = (b",", b"", b"\\") if csv else (b"\t", b"\\N", b"\\\\")
            shown = [null if v is None else v if at == 0 else slashes + bytea_hex(v)[1:] for at, v in enumerate(row)]
            sent.append(mark.join(shown) + b"\n")
    if copy_format is CopyFormat.BINARY:
        head = b"PGCOPY\n\xff\r\n\0" + bytes(8)
        sent = [head + sent[0], *sent[1:], b"\xff\xff"] if sent else [head + b"\xff\xff"]
    if corrupt and sent:
        at = chance.randrange(len(sent))
        sent[at] = mutated(sent[at], seed)
    found = []
    for kernel in (reference, native):
        with running(kernel) as sealers:
            transform = CopyTransform(plan, Settings(), sealers, max_row=1 << 20)
            data, at, answers = b"".join(message(b"d", one) for one in sent), 0, []
            while at < len(data):
                done, at = transform.open_messages(data, at)
                answers.append(done)
                if at < len(data):
                    size = 1 + int.from_bytes(data[at + 1 : at + 5], "big")
                    one = outcome(transform.feed, data[at + 5 : at + size])
                    at += size
                    if not isinstance(one, bytes):
                        answers.append(one)
                        break
                    answers.append(message(b"d", one) if one else b"")
            else:
                answers.append(outcome(transform.finish))
            errors = [one for one in answers if not isinstance(one, bytes)]
            found.append((b"".join(one for one in answers if isinstance(one, bytes)), errors))
    assert found[0] == found[1]


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 511, 512, 513, 1024, 5000, 100_000])
def test_values_of_any_length_are_sealed_alike(native: ModuleType, size: int) -> None:
    plain, header = random.Random(size).randbytes(size), b"\xe1\x01\0\0\0\7"
    for associated in (b"", b"a", bytes(16), b"associated data of more than one block"):
        nonce = random.Random(len(associated)).randbytes(12)
        ours, theirs = (one.RandomKey(one.Gcm(bytes(range(32))), header, associated) for one in (native, reference))
        sealed = ours.seal(plain, nonce)
        assert sealed == theirs.seal(plain, nonce)
        assert ours.open(sealed) == plain == theirs.open(sealed)
        with pytest.raises(CannotOpen, match="altered"):
            ours.open(sealed[:-1] + bytes((sealed[-1] ^ 1,)))
        assert ours.open(sealed) == plain, "a failure leaves nothing behind"


@given(st.lists(st.sampled_from([b"", b"x", b"y" * 300]), max_size=5), st.integers(0, 9), st.integers(0, 2**32))
def test_runs_of_messages_end_alike(native: ModuleType, bodies: list[bytes], at: int, seed: int) -> None:
    data = mutated(b"".join(message(b"D", body) for body in bodies), seed)
    for least, most in ((4, 1000), (6, 2**31 - 1), (4, 4)):
        ended = native.message_run(data, at, 68, least, most)
        assert ended == reference.message_run(data, at, 68, least, most)
        assert ended == at or ended <= len(data)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_forked_process_has_nonces_of_its_own(native: ModuleType) -> None:
    key = native.RandomKey(native.Gcm(bytes(32)), b"\xe1\x01\0\0\0\7", b"")
    cell = native.sealing(
        key, None, form="text", is_text=True, limit=-1, count=lambda _: None, reference=lambda value: value
    )
    assert cell(b"") != cell(b"")
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.write(write, b"".join(cell(b"")[6:18] for _ in range(300)))
        os._exit(0)
    ours = {cell(b"")[6:18] for _ in range(300)}
    os.waitpid(child, 0)
    told = os.read(read, 1 << 16)
    os.close(read)
    os.close(write)
    theirs = {told[at : at + 12] for at in range(0, len(told), 12)}
    assert len(ours) == len(theirs) == 300
    assert ours.isdisjoint(theirs)
