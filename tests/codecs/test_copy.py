"""COPY data: read as PostgreSQL reads it, written as PostgreSQL writes it, wherever the chunks are cut."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from proxy.errors import InvalidValue, Refused
from proxy.wire.copy import SIGNATURE, CopyFields, CopyOptions, CopyReader, CopyWriter, RawRow
from tests.codecs.oracle import Oracle

CSV = {"delimiter": ",", "null": ""}
FORMATS: dict[str, CopyOptions] = {
    "text": CopyOptions("text", 3),
    "text with bars": CopyOptions("text", 3, delimiter="|", null=""),
    "text with words": CopyOptions("text", 3, delimiter=",", null="nil"),
    "csv": CopyOptions("csv", 3, **CSV),
    "csv, own escape": CopyOptions("csv", 3, delimiter=";", null="NA", quote="'", escape="\\"),
    "csv, bars for quotes": CopyOptions("csv", 3, delimiter="\t", null="", quote="|", escape="|"),
    "csv, forced": CopyOptions(
        "csv", 3, **CSV, force_null=frozenset({0}), force_not_null=frozenset({1}), force_quote=frozenset({2})
    ),
    "binary": CopyOptions("binary", 3),
}
SHORT = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
PIECES = st.sampled_from(["a", "b", "\\", "\n", "\r", "\t", ",", ";", "|", '"', "'", ".", "é", "\b", "\x01", " ", "NA",
                          "nil", "\\.", "\\N", ""])  # fmt: skip
FIELD = st.one_of(st.none(), st.lists(PIECES, max_size=4).map("".join))
ROWS = st.lists(st.tuples(FIELD, FIELD, FIELD), max_size=3)


def read(options: CopyOptions, chunks: Iterable[bytes]) -> list[RawRow]:
    reader = CopyReader(options)
    rows = [row for chunk in chunks for row in reader.feed(chunk)]
    return rows + reader.finish()


def byte_by_byte(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


def clause(options: CopyOptions, *, is_from: bool) -> str:
    def literal(text: str) -> str:
        return "E'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    def columns(numbers: frozenset[int]) -> str:
        return "(" + ", ".join("abc"[number] for number in sorted(numbers)) + ")"

    parts = [f"format {options.format}"]
    if options.format != "binary":
        parts += [f"delimiter {literal(options.delimiter)}", f"null {literal(options.null)}"]
    if options.format == "csv":
        parts += [f"quote {literal(options.quote)}", f"escape {literal(options.escape)}"]
        if is_from and options.force_null:
            parts += [f"force_null {columns(options.force_null)}", f"force_not_null {columns(options.force_not_null)}"]
        if not is_from and options.force_quote:
            parts.append(f"force_quote {columns(options.force_quote)}")
    return f"({', '.join(parts)})"


@pytest.fixture(autouse=True)
def _table(oracle: Oracle) -> None:
    oracle.connection.execute("create temp table if not exists c (a text, b text, c text)")


@pytest.mark.parametrize("name", FORMATS)
@SHORT
@given(rows=ROWS)
@example(rows=[("a\tb", None, "'\""), ("\\", "", "|"), ("\\.", "NA", "x,;")])
def test_rows_are_written_and_read_as_postgresql_writes_them(
    oracle: Oracle, name: str, rows: list[tuple[str | None, ...]]
) -> None:
    options = FORMATS[name]
    fields, writer = CopyFields(options), CopyWriter(options)
    oracle.connection.execute("truncate c")
    for row in rows:
        oracle.connection.execute("insert into c values (%s, %s, %s)", row)
    with oracle.connection.cursor().copy(f"copy c to stdout {clause(options, is_from=False)}") as copy:
        data = b"".join(bytes(chunk) for chunk in copy)

    escaped = [[fields.escape(None if x is None else x.encode(), i) for i, x in enumerate(row)] for row in rows]
    assert writer.start() + b"".join(map(writer.row, escaped)) + writer.end() == data
    for chunks in ([data], byte_by_byte(data)):
        raw = read(options, chunks)
        assert raw == escaped
        assert writer.start() + b"".join(map(writer.row, raw)) + writer.end() == data


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "binary"])
@SHORT
@given(
    pieces=st.lists(st.one_of(PIECES, st.sampled_from(["DELIMITER", "DELIMITER", "\n", '""', "\\101", "\\x4", "\\t"])))
)
@example(pieces=["\\101", "DELIMITER", "\\x4", "\\t", "DELIMITER", "\\", "\n", "\\N"])
@example(pieces=["DELIMITER", "'", "\\'", "a\\", "\n", "'", "DELIMITER", '"', '""', "x", '"', "|", "||", "|", "\n"])
@example(pieces=["DELIMITER", "DELIMITER", "\r\n", "DELIMITER", "DELIMITER", "\r\n"])
@example(pieces=["DELIMITER", "DELIMITER", "\r", "DELIMITER", "DELIMITER", "\r"])
@example(pieces=["DELIMITER", "DELIMITER", "\n", "a\r", "DELIMITER", "DELIMITER"])
@example(pieces=["DELIMITER", "DELIMITER", "\r", "a\n", "DELIMITER", "DELIMITER"])
@example(pieces=["DELIMITER", "DELIMITER", "DELIMITER", "\n"])
@example(pieces=["DELIMITER", "\n"])
@example(pieces=["\\.", "\n"])
@example(pieces=["a\\.", "\n"])
@example(pieces=["a\\."])
@example(pieces=["\\."])
@example(pieces=["'", "|", '"', "\n"])
def test_data_of_clients_is_read_as_postgresql_reads_it(oracle: Oracle, name: str, pieces: list[str]) -> None:
    options = FORMATS[name]
    fields = CopyFields(options)
    data = "".join(options.delimiter if piece == "DELIMITER" else piece for piece in pieces).encode()
    mine: list[tuple[str | None, ...]] | str
    try:
        mine = [
            tuple(None if (value := fields.value(raw, i)) is None else value.decode() for i, raw in enumerate(row))
            for row in read(options, byte_by_byte(data))
        ]
    except Refused as error:
        if error.sqlstate == "0A000":
            return
        mine = error.sqlstate
    oracle.connection.execute("truncate c")
    server: list[tuple[str | None, ...]] | str
    try:
        with oracle.connection.cursor().copy(f"copy c from stdin {clause(options, is_from=True)}") as copy:
            copy.write(data)
        server = oracle.connection.execute("select * from c").fetchall()
    except psycopg.Error as error:
        server = str(error.sqlstate)
    assert mine == server


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=80, deadline=None)
@given(data=st.binary(max_size=60), prefixed=st.booleans())
def test_any_bytes_give_rows_or_a_typed_error(name: str, data: bytes, prefixed: bool) -> None:
    start = SIGNATURE + bytes(8) if prefixed and name == "binary" else b""
    outcomes = []
    for chunks in ([start + data], byte_by_byte(start + data)):
        try:
            outcomes.append(read(FORMATS[name], chunks))
        except Refused as error:
            outcomes.append(error.sqlstate)
    assert outcomes[0] == outcomes[1], "where the chunks are cut makes no difference"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("text", b"a" * 200),
        ("csv", b'"' + b"\n" * 200),
        ("binary", SIGNATURE + bytes(8) + struct.pack(">hi", 3, 2**31 - 1)),
        (
            "binary",
            SIGNATURE + bytes(4) + struct.pack(">i", 100) + bytes(100) + struct.pack(">hi", 3, 190) + b"a" * 180,
        ),
    ],
)
def test_a_row_beyond_the_bound_is_refused_before_it_is_complete(name: str, data: bytes) -> None:
    reader = CopyReader(FORMATS[name], max_row=150)
    with pytest.raises(InvalidValue) as caught:
        [reader.feed(chunk) for chunk in byte_by_byte(data)]
    assert caught.value.sqlstate == "54000"


@pytest.mark.parametrize(
    ("name", "before", "row"),
    [
        ("text", b"", b"a\tb\t%b\n"),
        ("csv", b"", b'a,b,"%b"\n'),
        ("binary", SIGNATURE + bytes(8), struct.pack(">hiii", 3, -1, -1, 140) + b"%b"),
    ],
)
def test_a_row_is_within_the_bound_or_not_however_the_data_is_cut(name: str, before: bytes, row: bytes) -> None:
    """The value has 140 bytes, so that the row, without the end of its line, has some more than that."""
    whole = row % (b"v" * 140)
    bound = len(whole) - whole.endswith(b"\n")
    for chunks in ([before + whole * 2], [before, *byte_by_byte(whole)]):
        reader = CopyReader(FORMATS[name], max_row=bound)
        assert [row[-1] for chunk in chunks for row in reader.feed(chunk)][-1].strip(b'"') == b"v" * 140
        reader = CopyReader(FORMATS[name], max_row=bound - 1)
        with pytest.raises(InvalidValue) as caught:
            [reader.feed(chunk) for chunk in chunks]
        assert caught.value.sqlstate == "54000"


def test_the_header_row_passes_through() -> None:
    options = CopyOptions("csv", 2, **CSV, header=True)
    reader, fields, writer = CopyReader(options), CopyFields(options), CopyWriter(options)
    header, row = reader.feed(b'"a ""x""",b\n1,\n')
    assert writer.row(header) == b'"a ""x""",b\n'
    assert [fields.value(raw, i) for i, raw in enumerate(row)] == [b"1", None]
    assert [fields.header(name) for name in (b'a "x"', b"b")] == header


def test_the_end_marker_of_text_ends_the_rows() -> None:
    reader = CopyReader(CopyOptions("text", 1))
    assert reader.feed(b"a\n\\.\nignored\n") == [[b"a"]]
    assert reader.done
    assert reader.feed(b"more\n") == reader.finish() == []


def test_rows_can_be_had_one_at_a_time() -> None:
    reader = CopyReader(CopyOptions("text", 1))
    assert reader.feed(b"a\nb\nc", most=1) == [[b"a"]]
    assert reader.feed(b"", most=1) == [[b"b"]]
    assert reader.feed(b"", most=1) == []
    assert reader.finish() == [[b"c"]]
    assert reader.finish() == []


def test_whole_rows_that_somebody_else_reads_are_left_out() -> None:
    reader = CopyReader(CopyOptions("text", 1), max_row=10)
    reader.push(b"first\nsecond\nth")
    assert reader.between_rows is None, "how lines end is not known yet"
    assert reader.feed(b"", most=1) == [[b"first"]]
    assert reader.between_rows == b"second\nth"
    assert not reader.lacks_end
    reader.skip(len(b"second\n"))
    assert reader.between_rows == b"th"
    assert reader.lacks_end
    reader.push(b"ird\n")
    assert reader.feed(b"", most=1) == [[b"third"]]
    reader.push(b"x" * 11)
    assert reader.between_rows is None, "a row beyond the bound is for feed() to refuse"


def test_binary_rows_may_end_without_a_trailer(oracle: Oracle) -> None:
    options = FORMATS["binary"]
    fields, row = CopyFields(options), [b"a", None, b""]
    data = CopyWriter(options).start() + CopyWriter(options).row(row)
    assert [[fields.value(raw, i) for i, raw in enumerate(found)] for found in read(options, [data])] == [row]
    oracle.connection.execute("truncate c")
    with oracle.connection.cursor().copy("copy c from stdin (format binary)") as copy:
        copy.write(data)
    assert oracle.connection.execute("select * from c").fetchall() == [("a", None, "")]


def test_the_default_marker_is_seen_raw() -> None:
    fields = CopyFields(CopyOptions("csv", 1, **CSV, default="\\D"))
    assert fields.is_default(b"\\D")
    assert not fields.is_default(b'"\\D"')
    assert fields.escape(b"\\D", 0) == b'"\\D"'


def test_a_binary_header_with_an_extension_is_skipped() -> None:
    options = CopyOptions("binary", 1)
    data = SIGNATURE + bytes(4) + struct.pack(">i", 3) + b"ext" + CopyWriter(options).row([b"x"]) + b"\xff\xff"
    assert read(options, byte_by_byte(data)) == [[b"x"]]


@pytest.mark.parametrize(
    "data",
    [
        b"PGCOPX\n\xff\r\n\0" + bytes(8),
        SIGNATURE + b"\0\1\0\0" + bytes(4),
        SIGNATURE + b"\0\2\0\0" + bytes(4),
        SIGNATURE + bytes(4) + b"\xff\xff\xff\xff",
        SIGNATURE + bytes(4) + b"\x7f\xff\xff\xff",
        SIGNATURE + bytes(8) + b"\0\2",
        SIGNATURE + bytes(8) + b"\0\1\xff\xff\xff\xfe",
        SIGNATURE + bytes(8) + b"\xff\xffx",
        SIGNATURE + bytes(8) + b"\0",
        b"",
    ],
)
def test_broken_binary_data_is_22p04(data: bytes) -> None:
    with pytest.raises(InvalidValue) as caught:
        read(CopyOptions("binary", 1), [data])
    assert caught.value.sqlstate == "22P04"
