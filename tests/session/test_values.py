"""Values from their form at the client to sealed bytes and back, by type, use and format."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from proxy.config import Scheme, SealedColumn
from proxy.errors import InvalidValue, Refused
from proxy.pgtypes import parse_type
from proxy.session.values import joining_function, literal_function, opening_function, sealing_function
from proxy.sql.plan import Opening, Sealing, Use
from proxy.wire import codecs
from proxy.wire.codecs import Settings
from tests.kernel.twins import Sealers
from tests.session.playbook import Sealers as Plain
from tests.session.playbook import Xor

UTC = Settings()
ELSEWHERE = Settings("LATIN1", "Europe/Berlin", "German, DMY", bytea_output="escape")
TEXT, BINARY = 0, 1
BYTEA_ARRAY = struct.pack("!iii", 1, 0, 17)


def column_of(kind: str, scheme: Scheme = Scheme.EQUALITY, max_length: int | None = None) -> SealedColumn:
    return SealedColumn("*", "public", "t", "c", parse_type(kind), scheme, "public.t.c", max_length)


def sealed(kind: str, value: bytes, use: Use = Use.ASSIGN, source: str | None = None, casts: str = "") -> bytes:
    """In text, without keys: the bytes that are sealed."""
    sealing = Sealing(
        column_of(kind, Scheme.EQUALITY),
        use,
        None if source is None else parse_type(source),
        tuple(map(parse_type, casts.split())),
    )
    return Xor().open(sealing_function(sealing, TEXT, UTC, Plain())(value))


# -- there and back ----------------------------------------------------------------------------------------------------

ROUND = [
    # type, as given, as PostgreSQL prints it under UTC, and elsewhere
    ("text", b"Ada", b"Ada", b"Ada"),
    ("text", "Zoë".encode(), "Zoë".encode(), b"Zo\xeb"),
    ("varchar(5)", b"12345   ", b"12345", b"12345"),
    ("char(5)", b"ab ", b"ab   ", b"ab   "),
    ("smallint", b" -7", b"-7", b"-7"),
    ("integer", b"2147483647", b"2147483647", b"2147483647"),
    ("bigint", b"-9", b"-9", b"-9"),
    ("numeric", b"1.50", b"1.5", b"1.5"),
    ("numeric(8,2)", b"1.5", b"1.50", b"1.50"),
    ("real", b"0.1", b"0.1", b"0.1"),
    ("double precision", b"1e300", b"1e+300", b"1e+300"),
    ("boolean", b"yes", b"t", b"t"),
    ("date", b"2024-05-06", b"2024-05-06", b"06.05.2024"),
    ("time", b"12:30", b"12:30:00", b"12:30:00"),
    ("timestamp", b"2024-05-06 07:08:09.5", b"2024-05-06 07:08:09.5", b"06.05.2024 07:08:09.5"),
    ("timestamp(0)", b"2024-05-06 07:08:09.6", b"2024-05-06 07:08:10", b"06.05.2024 07:08:10"),
    ("timestamptz", b"2024-05-06 07:08:09+00", b"2024-05-06 07:08:09+00", b"06.05.2024 09:08:09 CEST"),
    (
        "uuid",
        b"{3F0A1C220D0E4F008000000000000ABC}",
        b"3f0a1c22-0d0e-4f00-8000-000000000abc",
        b"3f0a1c22-0d0e-4f00-8000-000000000abc",
    ),
    ("bytea", b"\\x00ff", b"\\x00ff", b"\\000\\377"),
]


@pytest.mark.parametrize(("kind", "given", "printed", "elsewhere"), ROUND, ids=[f"{r[0]} {r[1]!r}" for r in ROUND])
@pytest.mark.parametrize("scheme", [Scheme.RANDOM, Scheme.EQUALITY])
def test_a_value_comes_back_as_postgresql_prints_it(
    kind: str, given: bytes, printed: bytes, elsewhere: bytes, scheme: Scheme
) -> None:
    column = column_of(kind, scheme)
    sealers = Sealers()
    stored = sealing_function(Sealing(column, Use.ASSIGN), TEXT, UTC, sealers)(given)
    assert given.strip() not in stored or len(given.strip()) < 4
    opening = Opening(column, column.type)
    hexed = b"\\x" + stored.hex().encode()
    if scheme is Scheme.RANDOM and kind == "numeric":
        printed = elsewhere = given  # only what is compared is brought to one form
    assert opening_function(opening, TEXT, UTC, sealers)(hexed) == printed
    assert opening_function(opening, TEXT, ELSEWHERE, sealers)(hexed) == elsewhere
    binary = opening_function(opening, BINARY, UTC, sealers)(stored)
    assert codecs.text_encoder(column.type, UTC)(codecs.binary_decoder(column.type, UTC)(binary)) == printed
    again = sealing_function(Sealing(column, Use.ASSIGN), BINARY, UTC, sealers)(binary)
    assert opening_function(opening, TEXT, UTC, sealers)(b"\\x" + again.hex().encode()) == printed
    assert (again == stored) is (scheme is Scheme.EQUALITY)


@pytest.mark.parametrize(
    ("kind", "given"), [("json", b'{"a" : 1}'), ("jsonb", b'{"a": 1}'), ("integer[]", b"{1,NULL,3}")]
)
def test_what_cannot_be_compared_is_kept_as_it_is(kind: str, given: bytes) -> None:
    column, sealers = column_of(kind, Scheme.RANDOM), Sealers()
    stored = sealing_function(Sealing(column, Use.ASSIGN), TEXT, UTC, sealers)(given)
    assert opening_function(Opening(column, column.type), TEXT, UTC, sealers)(b"\\x" + stored.hex().encode()) == given


@pytest.mark.parametrize(
    ("kind", "given", "code"),
    [
        ("varchar(3)", b"abcd", "22001"),
        ("smallint", b"40000", "22003"),
        ("integer", b"seven", "22P02"),
        ("numeric(4,2)", b"123", "22003"),
        ("date", b"2024-02-30", "22008"),
        ("date", b"soon", "22007"),
        ("text", b"\xff", "22021"),
        ("uuid", b"3f", "22P02"),
    ],
)
def test_what_the_type_does_not_take_fails_as_in_postgresql(kind: str, given: bytes, code: str) -> None:
    for sealers in (Sealers(), Plain()):
        with pytest.raises(InvalidValue) as failed:
            sealing_function(Sealing(column_of(kind), Use.ASSIGN), TEXT, UTC, sealers)(given)
        assert failed.value.sqlstate == code


# -- uses --------------------------------------------------------------------------------------------------------------


def test_a_value_is_cast_as_it_is_written_and_then_stored() -> None:
    assert sealed("text", b" 7.6 ", source="numeric", casts="integer text") == b"8"
    assert sealed("date", b"2024-05-06 07:08", source="timestamp") == sealed("date", b"2024-05-06")


def test_what_is_compared_need_not_fit_into_the_column() -> None:
    assert sealed("varchar(3)", b"abc", Use.COMPARE) == b"abc"
    sealing = Sealing(column_of("smallint"), Use.COMPARE, parse_type("integer"))
    probe = sealing_function(sealing, TEXT, UTC, Plain())(b"40000")
    assert probe == Xor().between(None)


@pytest.mark.parametrize(
    ("kind", "source", "given", "stored"),
    [
        ("varchar(3)", "text", b"abc", b"abc"),
        ("numeric(4,2)", "numeric", b"1.50", None),
        ("integer", "integer", b"7", None),
    ],
)
@pytest.mark.parametrize("use", [Use.CARRY, Use.RANK])
def test_what_stands_beside_stored_values_is_one_of_them(
    kind: str, source: str, given: bytes, stored: bytes | None, use: Use
) -> None:
    assert sealed(kind, given, use, source) == (sealed(kind, given) if stored is None else stored)


@pytest.mark.parametrize(
    ("kind", "source", "given"),
    [("varchar(3)", "text", b"abcd"), ("numeric(4,2)", "numeric", b"1.5"), ("numeric(4,2)", "numeric", b"1.234")],
)
def test_what_storing_would_change_cannot_stand_beside_stored_values(kind: str, source: str, given: bytes) -> None:
    with pytest.raises(Refused) as refused:
        sealed(kind, given, Use.CARRY, source)
    assert refused.value.sqlstate == "0A000"
    assert 'sealed column "public.t.c"' in refused.value.message
    assert refused.value.hint == f"cast the value to {parse_type(kind)}"


def test_what_would_equal_every_other_value_in_its_gap_cannot_be_ranked() -> None:
    assert sealed("numeric(4,2)", b"1.5", Use.RANK, "numeric") == sealed("numeric(4,2)", b"1.50")
    with pytest.raises(Refused) as refused:
        sealed("numeric(4,2)", b"1.234", Use.RANK, "numeric")
    assert refused.value.hint == "cast the value to numeric(4,2)"


def test_what_is_only_shown_is_sealed_at_random_and_not_changed() -> None:
    column, sealers = column_of("varchar(3)"), Sealers()
    seal = sealing_function(Sealing(column, Use.SHOW, parse_type("text")), BINARY, UTC, sealers)
    one, two = seal(b"abcdef"), seal(b"abcdef")
    assert one != two
    assert one[1] == Scheme.RANDOM
    stored = sealing_function(Sealing(column, Use.ASSIGN), BINARY, UTC, sealers)(b"abc")
    open_ = opening_function(Opening(column, parse_type("text"), is_mixed=True), BINARY, UTC, sealers)
    assert [open_(value) for value in (one, two, stored)] == [b"abcdef", b"abcdef", b"abc"]


# -- patterns ----------------------------------------------------------------------------------------------------------

ORDERED = column_of("text", Scheme.ORDER, 16)


def pattern(use: Use, given: bytes, escape: str = "\\") -> bytes:
    return sealing_function(Sealing(ORDERED, use, escape=escape), TEXT, UTC, Plain())(given)


def test_a_prefix_becomes_its_two_bounds() -> None:
    low, high = Xor().prefix_bounds(b"ann")
    assert (pattern(Use.PREFIX_LOW, b"ann"), pattern(Use.PREFIX_HIGH, b"ann")) == (low, high)
    assert (pattern(Use.LIKE_LOW, b"ann%"), pattern(Use.LIKE_HIGH, b"ann%%")) == (low, high)


def test_a_pattern_without_wildcards_is_one_value() -> None:
    exact = Xor().seal(b"50%")
    assert pattern(Use.LIKE, rb"50\%") == exact
    assert pattern(Use.LIKE, b"50+%", "+") == exact
    assert (pattern(Use.LIKE_LOW, rb"50\%"), pattern(Use.LIKE_HIGH, rb"50\%")) == (exact, exact + b"\0")
    assert pattern(Use.LIKE, rb"a\b", "") == Xor().seal(rb"a\b")


def test_a_pattern_that_everything_matches_has_bounds_around_every_sealed_value() -> None:
    assert pattern(Use.LIKE_LOW, b"%") < Xor().seal(b"") < pattern(Use.LIKE_HIGH, b"%")


@pytest.mark.parametrize("use", [Use.LIKE, Use.LIKE_LOW, Use.LIKE_HIGH])
@pytest.mark.parametrize(("given", "code"), [(b"%a", "0A000"), (b"a_", "0A000"), (b"a\\", "22025")])
def test_any_other_pattern_is_refused(use: Use, given: bytes, code: str) -> None:
    with pytest.raises(Refused) as refused:
        pattern(use, given)
    assert refused.value.sqlstate == code


def test_a_prefix_cannot_be_an_equality() -> None:
    with pytest.raises(Refused, match="cannot be matched with this LIKE pattern"):
        pattern(Use.LIKE, b"ann%")


# -- several values for one --------------------------------------------------------------------------------------------

JOINED = Sealing(ORDERED, Use.LIKE_LOW, pieces=(None, "%"), escape=None)


@pytest.mark.parametrize(
    ("values", "bound"),
    [
        ([b"5+%", b"+"], Xor().prefix_bounds(b"5%")[0]),
        ([b"a+b", b""], Xor().prefix_bounds(b"a+b")[0]),
        ([None, b"+"], None),
        ([b"a", None], None),
    ],
)
def test_a_pattern_is_joined_with_its_escape_character(values: list[bytes | None], bound: bytes | None) -> None:
    assert joining_function(JOINED, (TEXT, BINARY), UTC, Plain())(values) == bound


def test_an_escape_of_several_characters_fails_as_in_postgresql() -> None:
    with pytest.raises(Refused, match="invalid escape string") as refused:
        joining_function(JOINED, (TEXT, TEXT), UTC, Plain())([b"a", b"++"])
    assert refused.value.sqlstate == "22025"
    assert refused.value.hint == "Escape string must be empty or one character."


def test_the_elements_of_an_array_come_one_by_one_and_are_sealed_together() -> None:
    column, sealers = column_of("integer[]", Scheme.RANDOM), Sealers()
    join = joining_function(Sealing(column, Use.ASSIGN), (TEXT, BINARY, TEXT), UTC, sealers)
    stored = join([b"1", b"\0\0\0\2", None])
    assert stored is not None
    open_ = opening_function(Opening(column, column.type), TEXT, UTC, sealers)
    assert open_(b"\\x" + stored.hex().encode()) == b"{1,2,NULL}"


# -- arrays of sealed values -------------------------------------------------------------------------------------------

ANY = Sealing(column_of("integer"), Use.COMPARE, parse_type("bigint[]"), (parse_type("integer[]"),), is_array=True)


@pytest.mark.parametrize(
    ("data_format", "given"),
    [
        (TEXT, b"{7,NULL}"),
        (BINARY, struct.pack("!iiiiiiqi", 1, 1, 20, 2, 1, 8, 7, -1)),
    ],
)
def test_each_element_of_an_array_is_cast_and_sealed(data_format: int, given: bytes) -> None:
    value = sealing_function(ANY, data_format, UTC, Plain())(given)
    seven = Xor().seal(struct.pack("!i", 7))
    assert value == struct.pack("!iiiiii", 1, 1, 17, 2, 1, len(seven)) + seven + struct.pack("!i", -1)


def test_a_literal_array_becomes_a_literal_array_of_bytea() -> None:
    seven = Xor().seal(struct.pack("!i", 7)).hex()
    assert literal_function(ANY, ELSEWHERE, Plain())("{7,NULL}") == f"""E'{{"\\\\\\\\x{seven}",NULL}}'"""


def test_a_literal_becomes_a_literal_of_bytea() -> None:
    sealing = Sealing(column_of("text"), Use.ASSIGN)
    assert literal_function(sealing, ELSEWHERE, Plain())("Zoë") == f"E'\\\\x{Xor().seal('Zoë'.encode()).hex()}'"


GATHERED = Opening(column_of("text"), parse_type("text[]"))


def test_the_elements_of_an_array_are_opened() -> None:
    first = b"\\x" + Xor().seal(b"a,b").hex().encode()
    assert opening_function(GATHERED, TEXT, UTC, Plain())(b'{"\\' + first + b'",NULL}') == b'{"a,b",NULL}'
    sealed_first = Xor().seal(b"a")
    binary = struct.pack("!iiiiii", 1, 0, 17, 1, 1, len(sealed_first)) + sealed_first
    assert opening_function(GATHERED, BINARY, UTC, Plain())(binary) == struct.pack("!iiiiii", 1, 0, 25, 1, 1, 1) + b"a"


@pytest.mark.parametrize("stored", [b"{x}", b'{"\\\\x00"}', b"no array"])
def test_an_array_that_does_not_open_names_its_column(stored: bytes) -> None:
    with pytest.raises(Refused, match=r'sealed column "public\.t\.c" cannot be opened') as refused:
        opening_function(GATHERED, TEXT, UTC, Plain())(stored)
    assert refused.value.sqlstate == "XX001"


# -- records -----------------------------------------------------------------------------------------------------------

EMAIL = column_of("text")
INNER = Opening(EMAIL, EMAIL.type, fields=(Opening(EMAIL, EMAIL.type), None))
RECORD = Opening(EMAIL, EMAIL.type, fields=(None, Opening(EMAIL, EMAIL.type), Opening(EMAIL, EMAIL.type)))


def in_record(value: bytes) -> bytes:
    return b'"\\\\x' + Xor().seal(value).hex().encode() + b'"'


def test_the_sealed_fields_of_a_record_are_opened() -> None:
    open_ = opening_function(RECORD, TEXT, UTC, Plain())
    assert open_(b"(7," + in_record(b"Ann, B.") + b",)") == b'(7,"Ann, B.",)'
    binary = struct.pack("!iIi", 3, 23, 4) + struct.pack("!i", 7)
    value = Xor().seal(b"ann")
    binary += struct.pack("!Ii", 17, len(value)) + value + struct.pack("!Ii", 17, -1)
    opened = struct.pack("!iIi", 3, 23, 4) + struct.pack("!i", 7) + struct.pack("!Ii", 25, 3) + b"ann"
    assert opening_function(RECORD, BINARY, UTC, Plain())(binary) == opened + struct.pack("!Ii", 25, -1)


def test_a_record_in_a_record_is_opened() -> None:
    outer = replace(RECORD, fields=(INNER,))
    inner = b"(" + in_record(b"ann") + b",7)"
    quoted = b'"' + inner.replace(b"\\", b"\\\\").replace(b'"', b'""') + b'"'
    assert opening_function(outer, TEXT, UTC, Plain())(b"(" + quoted + b")") == b'("(ann,7)")'
    value = Xor().seal(b"ann")
    nested = struct.pack("!iIi", 2, 17, len(value)) + value + struct.pack("!Ii", 23, -1)
    opened = struct.pack("!iIi", 2, 25, 3) + b"ann" + struct.pack("!Ii", 23, -1)
    binary = struct.pack("!iIi", 1, 2249, len(nested)) + nested
    assert opening_function(outer, BINARY, UTC, Plain())(binary) == struct.pack("!iIi", 1, 2249, len(opened)) + opened


@pytest.mark.parametrize(("data_format", "given"), [(TEXT, b"7,x"), (BINARY, b"\0\0\0\x03")])
def test_what_is_no_record_cannot_be_opened(data_format: int, given: bytes) -> None:
    with pytest.raises(Refused) as refused:
        opening_function(RECORD, data_format, UTC, Plain())(given)
    assert refused.value.sqlstate == "XX001"


def test_a_record_of_another_width_than_was_planned_is_refused() -> None:
    with pytest.raises(Refused, match="another record than was planned") as refused:
        opening_function(RECORD, TEXT, UTC, Plain())(b"(7,x)")
    assert refused.value.sqlstate == "XX000"
