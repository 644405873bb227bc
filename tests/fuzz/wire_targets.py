"""Targets of the wire: framing, messages, type codecs, COPY. Each takes any bytes and raises where a promise breaks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from proxy import kernel
from proxy.errors import ProtocolViolation, Refused
from proxy.pgtypes import FACTS, Family, SqlType
from proxy.wire import messages
from proxy.wire.codecs import (
    Probe,
    Settings,
    assign,
    binary_decoder,
    cast,
    compare,
    encode_binary,
    encode_text,
    parse_bytea_text,
    split_array,
    split_bytea_array,
    text_decoder,
)
from proxy.wire.codecs import canonical as searched
from proxy.wire.codecs.records import parse_binary, parse_text, print_binary, print_text
from proxy.wire.copy import SIGNATURE, CopyFields, CopyOptions, CopyReader, CopyWriter, RawRow
from proxy.wire.frames import CLIENT_LENGTHS, SERVER_LENGTHS, Frame, Head, Oversized, Run, Splitter, lengths_of
from tests.fuzz.source import Source, pieces

# -- framing -----------------------------------------------------------------------------------------------------------

PASSING = ("", "D", "Dd", "PBDECHd", "123nsIcTtDCAdHV")


def _framed(
    to_server: bool, passing: str, bound: int, pass_heads: bool, streamed: int | None, chunks: list[bytes]
) -> tuple[bytes, str]:
    """What comes out, whatever it is cut into, and the violation that ends it."""
    lengths = CLIENT_LENGTHS if to_server else SERVER_LENGTHS
    splitter = Splitter(lengths, side="peer", heads="QFB", max_message=bound)
    splitter.set_passing(passing, passing=True)
    splitter.stream(streamed)
    out = bytearray()
    try:
        for chunk in chunks:
            splitter.feed(chunk)
            while (item := splitter.next()) is not None:
                if isinstance(item, (Run, Frame)):
                    out += item if isinstance(item, Run) else item.raw
                elif isinstance(item, Oversized):
                    out += b"(%d bytes of %d)" % (item.size, item.type)
                elif isinstance(item, Head) and pass_heads:
                    splitter.pass_frame()
    except ProtocolViolation as violation:
        return bytes(out), violation.message
    return bytes(out), ""


def framing(data: bytes) -> None:
    """Cut anywhere, the same bytes come out and the same violation ends them."""
    source = Source(data)
    to_server, passing, bound = source.pick((True, False)), source.pick(PASSING), source.pick((1 << 20, 100, 16))
    pass_heads, sizes = source.pick((True, False)), [source.byte(), source.byte()]
    streamed = None if "d" in passing else source.pick((None, ord("d")))
    stream = source.rest()
    whole = _framed(to_server, passing, bound, pass_heads, streamed, [stream])
    cut = _framed(to_server, passing, bound, pass_heads, streamed, pieces(stream, sizes))
    assert whole == cut
    splitter = Splitter(SERVER_LENGTHS, side="peer")
    headers = kernel.Headers(lengths_of(SERVER_LENGTHS, "2TnDCZ"), 1 << 20)
    if (kinds := headers.kinds(stream)) is not None:
        assert kinds == headers.kinds(stream)
        splitter.feed(stream)
        seen = bytearray()
        while (item := splitter.next()) is not None:
            assert isinstance(item, Frame)
            seen.append(item.type)
        assert kinds == bytes(seen)


# -- messages ----------------------------------------------------------------------------------------------------------

ROUND_TRIPS: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
    (b"Q", lambda raw: messages.build_query(messages.parse_query(raw))),
    (b"P", lambda raw: messages.build_parse(messages.parse_parse(raw))),
    (b"B", lambda raw: messages.build_bind(messages.parse_bind(raw))),
    (b"D", lambda raw: messages.build_describe(messages.parse_target(raw))),
    (b"C", lambda raw: messages.build_close(messages.parse_target(raw))),
    (b"E", lambda raw: messages.build_execute(*messages.parse_execute(raw))),
    (b"T", lambda raw: messages.build_row_description(messages.parse_row_description(raw))),
    (b"t", lambda raw: messages.build_parameter_description(messages.parse_parameter_description(raw))),
    (b"D", lambda raw: messages.build_data_row(messages.parse_data_row(raw))),
    (b"Z", lambda raw: messages.build_ready(messages.parse_ready(raw))),
    (b"v", lambda raw: messages.build_negotiation(*messages.parse_negotiation(raw))),
)
PARSERS: tuple[tuple[bytes, Callable[[bytes], object]], ...] = (
    (b"E", messages.parse_fields),
    (b"N", messages.parse_fields),
    (b"S", messages.parse_parameter_status),
    (b"R", messages.parse_authentication),
    (b"R", messages.parse_sasl_mechanisms),
    (b"p", messages.parse_sasl_initial),
    (b"B", messages.bind_names),
)


def message_bodies(data: bytes) -> None:
    """Any body is read, or a violation; what was read is built as the same bytes."""
    source = Source(data)
    choice = source.byte() % (len(ROUND_TRIPS) + len(PARSERS))
    body = source.rest()
    with contextlib.suppress(ProtocolViolation):
        if choice < len(ROUND_TRIPS):
            kind, again = ROUND_TRIPS[choice]
            raw = messages.message(kind, body)
            assert again(raw) == raw
        else:
            kind, parse = PARSERS[choice - len(ROUND_TRIPS)]
            parse(messages.message(kind, body))


# -- type codecs -------------------------------------------------------------------------------------------------------

TYPES = [SqlType(facts, is_array=is_array) for facts in FACTS for is_array in (False, True)]
SETTINGS = (
    Settings(),
    Settings(timezone="Europe/Berlin", datestyle="SQL, DMY", bytea_output="escape", extra_float_digits=0),
    Settings(client_encoding="LATIN1", timezone="<+03>-03", datestyle="Postgres, MDY", extra_float_digits=-15),
    Settings(client_encoding="EUC_JP", timezone="America/New_York", datestyle="German, YMD", extra_float_digits=3),
)


_FLOATS = (Family.REAL, Family.DOUBLE)
"""Written with fewer digits than they have under some settings; and there are many NaN."""


def codecs(data: bytes) -> None:
    """A value is read or refused; what was read is written, and read again as the same value."""
    source = Source(data)
    type_, settings, choice, target = source.pick(TYPES), source.pick(SETTINGS), source.byte() % 8, source.pick(TYPES)
    value = source.rest()
    if choice >= 6:
        _containers(type_, settings, value, binary=choice == 7)
        return
    try:
        canonical = (text_decoder if choice < 4 else binary_decoder)(type_, settings)(value)
    except Refused:
        return
    with contextlib.suppress(Refused):  # what client_encoding cannot express
        assert binary_decoder(type_, settings)(encode_binary(type_, canonical, settings)) == canonical
    with contextlib.suppress(Refused):
        written = encode_text(type_, canonical, settings)
        is_lossy = settings.extra_float_digits < 1 or (type_.is_array and type_.family in _FLOATS)
        if not is_lossy:
            read = text_decoder(type_, settings)(written)
            assert searched(type_, read, True) == searched(type_, canonical, True)
    with contextlib.suppress(Refused):
        encode_text(target, cast(canonical, type_, target, settings), settings)
    with contextlib.suppress(Refused):
        assigned = assign(canonical, type_, target, settings, searchable=True)
        assert assign(assigned, target, target, settings, searchable=True) == assigned
    with contextlib.suppress(Refused):
        met = compare(canonical, type_, target, settings)
        assert isinstance(met, (bytes, Probe))


def _containers(type_: SqlType, settings: Settings, value: bytes, *, binary: bool) -> None:
    for attempt in (
        lambda: split_array(type_.array, value, int(binary), settings),
        lambda: split_bytea_array(value, int(binary)),
        lambda: parse_bytea_text(value),
    ):
        with contextlib.suppress(Refused):
            attempt()
    with contextlib.suppress(Refused):
        if binary:
            assert print_binary(parse_binary(value)) == value
        else:
            fields = parse_text(value)
            assert fields == [None] or parse_text(print_text(fields)) == fields


# -- COPY --------------------------------------------------------------------------------------------------------------

COPIES = (
    CopyOptions("text", 2),
    CopyOptions("text", 2, delimiter="|", null="", default="\\D"),
    CopyOptions("csv", 2, delimiter=",", null=""),
    CopyOptions("csv", 2, delimiter=";", null="NA", quote="'", escape="\\", header=True),
    CopyOptions("csv", 2, delimiter=",", null="", force_null=frozenset({0}), force_not_null=frozenset({1})),
    CopyOptions("binary", 2),
    CopyOptions("binary", 2),
)


def _copied(options: CopyOptions, chunks: list[bytes]) -> tuple[list[RawRow], str]:
    reader, rows = CopyReader(options), list[RawRow]()
    try:
        for chunk in chunks:
            rows += reader.feed(chunk)
        rows += reader.finish()
    except Refused as error:
        return [], error.sqlstate
    return rows, ""


def copy_data(data: bytes) -> None:
    """Cut anywhere, the same rows or the same error; what is written again is read as the same values."""
    source = Source(data)
    number = source.byte() % len(COPIES)
    options, sizes = COPIES[number], [source.byte(), source.byte()]
    stream = source.rest()
    if number == len(COPIES) - 1:
        stream = SIGNATURE + bytes(8) + stream
    whole = _copied(options, [stream])
    assert _copied(options, pieces(stream, sizes)) == whole
    rows, failure = whole
    if failure:
        return
    fields, writer = CopyFields(options), CopyWriter(options)
    body = rows[1:] if options.header else rows
    values = [[None if fields.is_default(raw) else fields.value(raw, at) for at, raw in enumerate(row)] for row in body]
    again = [[fields.escape(value, at) for at, value in enumerate(row)] for row in values]
    written = writer.start() + b"".join(map(writer.row, [*rows[: len(rows) - len(body)], *again])) + writer.end()
    read, failure = _copied(options, [written])
    assert not failure
    read = read[1:] if options.header else read
    seen = [[None if fields.is_default(raw) else fields.value(raw, at) for at, raw in enumerate(row)] for row in read]
    if options.format == "text" and not options.null:  # PostgreSQL too writes the empty string as this null
        seen, values = ([[value or b"" for value in row] for row in rows] for rows in (seen, values))
    assert seen == values or options.force_null or options.force_not_null
