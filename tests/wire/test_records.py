"""Composite values, taken apart and put together as PostgreSQL writes them."""

from __future__ import annotations

import pytest

from proxy.errors import InvalidValue
from proxy.wire.codecs import records


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (b"()", [None]),
        (b"(,)", [None, None]),
        (b'(1,"",b)', [b"1", b"", b"b"]),
        (b'("a ""b"" \\\\c","(x),y")', [b'a "b" \\c', b"(x),y"]),
        ('("é  ",€)'.encode(), ["é  ".encode(), "€".encode()]),
    ],
)
def test_a_record_in_text_is_read_and_written_alike(text: bytes, fields: list[bytes | None]) -> None:
    assert records.parse_text(text) == fields
    assert records.print_text(fields) == text


@pytest.mark.parametrize("text", [b"", b"1,2", b"(1", b"(1)x", b'("a)', b'(a"b")', b"(a(b)"])
def test_what_is_no_record_is_an_error(text: bytes) -> None:
    with pytest.raises(InvalidValue):
        records.parse_text(text)


def test_a_record_in_binary_is_read_and_written_alike() -> None:
    data = bytes.fromhex("00000003 00000017 00000004 00000001 00000019 ffffffff 00000011 00000000")
    fields = [(23, b"\0\0\0\1"), (25, None), (17, b"")]
    assert records.parse_binary(data) == fields
    assert records.print_binary(fields) == data
    for size in range(len(data)):
        with pytest.raises(InvalidValue):
            records.parse_binary(data[:size])
    with pytest.raises(InvalidValue):
        records.parse_binary(data + b"\0")
    with pytest.raises(InvalidValue):
        records.parse_binary(b"\xff\xff\xff\xff")
