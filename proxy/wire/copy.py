"""COPY data in its three formats, sans-IO: CopyData in, rows out, and rows back into CopyData.

A row is a list of *raw* fields, as they stand in the data. `CopyFields` turns a raw field into its value and a value
into a raw field, so that a column nobody looks at passes byte for byte. Chunks may be cut anywhere.

    for row in reader.feed(data):
        row[2] = fields.escape(seal(fields.value(row[2], 2)), 2)
        out += writer.row(row)

Source: copyfromparse.c, copyto.c; manual, COPY, "File Formats". Errors are InvalidValue with COPY's own 22P04.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from proxy.errors import InvalidValue, Refused

Format = Literal["text", "csv", "binary"]
RawRow = list[bytes | None]
"""Raw fields; None only in the binary format, where it is null."""

SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0"
MAX_ROW: Final = 1 << 28
"""Bytes of one row that a reader buffers unless told otherwise; PostgreSQL's own bound is 1 GB."""

_BACKSLASHED: Final = re.compile(rb"\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|(.)|$)", re.DOTALL)
_LETTERS: Final = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_CONTROL: Final = {raw: b"\\" + letter for letter, raw in _LETTERS.items()}
_TRAILER: Final = -1
_GLANCE: Final = 64 * 1024
"""Bytes of which all are looked at again when more have come."""


def _bad_format(message: str, hint: str | None = None) -> InvalidValue:
    return InvalidValue(message, hint=hint, sqlstate="22P04")


@dataclass(frozen=True, slots=True)
class CopyOptions:
    """The options of one COPY that shape its data, by their names in the manual; single characters are ASCII."""

    format: Format
    columns: int
    delimiter: str = "\t"
    null: str = "\\N"
    quote: str = '"'
    escape: str = '"'
    header: bool = False
    force_quote: frozenset[int] = frozenset()
    force_not_null: frozenset[int] = frozenset()
    force_null: frozenset[int] = frozenset()
    default: str | None = None


class CopyFields:
    """Raw fields to values and back. Immutable after construction; one per COPY."""

    def __init__(self, options: CopyOptions) -> None:
        self._options = options
        self._null = options.null.encode()
        self._default = None if options.default is None else options.default.encode()
        self._delimiter = options.delimiter.encode()
        self._quote = options.quote.encode()
        self._escape = options.escape.encode()
        special = b"".join(map(re.escape, (self._delimiter, self._quote, b"\n", b"\r")))
        self._needs_quotes = re.compile(b"[" + special + b"]")
        self._to_escape_csv = re.compile(b"[" + re.escape(self._quote) + re.escape(self._escape) + b"]")
        self._to_escape_text = re.compile(rb"[\b\f\n\r\t\v\\" + re.escape(self._delimiter) + b"]")

    def is_default(self, raw: bytes | None) -> bool:
        """The field asks for the column's DEFAULT (COPY option DEFAULT); leave it raw."""
        return self._default is not None and raw == self._default

    def value(self, raw: bytes | None, column: int) -> bytes | None:
        """The field's value in the data's encoding, or None for null; `column` counts from 0."""
        if raw is None or self._options.format == "binary":
            return raw
        if self._options.format == "text":
            if raw == self._null:
                return None
            return _BACKSLASHED.sub(_unescape, raw) if b"\\" in raw else raw
        if self._quote in raw:
            value = self._unquote(raw)
            return None if value == self._null and column in self._options.force_null else value
        return None if raw == self._null and column not in self._options.force_not_null else raw

    def _unquote(self, raw: bytes) -> bytes:
        """Quotes may open and close anywhere in a field; the escape character counts only inside them."""
        out = bytearray()
        quote, escape = self._quote[0], self._escape[0]
        inside = False
        position = 0
        while position < len(raw):
            code = raw[position]
            position += 1
            if inside and code == escape and position < len(raw) and raw[position] in (quote, escape):
                out.append(raw[position])
                position += 1
            elif code == quote:
                inside = not inside
            else:
                out.append(code)
        return bytes(out)

    def escape(self, value: bytes | None, column: int) -> bytes | None:
        """A value as PostgreSQL writes it: the field of a row."""
        if self._options.format == "binary":
            return value
        if value is None:
            return self._null
        if self._options.format == "text":
            return self._to_escape_text.sub(self._escape_text, value)
        return self._csv(value, forced=column in self._options.force_quote)

    def header(self, name: bytes) -> bytes:
        """A column name in the header row: never forced into quotes, never null."""
        if self._options.format == "text":
            return self._to_escape_text.sub(self._escape_text, name)
        return self._csv(name, forced=False)

    def _escape_text(self, match: re.Match[bytes]) -> bytes:
        return _CONTROL.get(match[0], b"\\" + match[0])

    def _csv(self, value: bytes, *, forced: bool) -> bytes:
        alone = self._options.columns == 1 and value == b"\\."
        if not (forced or alone or value in (self._null, self._default) or self._needs_quotes.search(value)):
            return value
        return self._quote + self._to_escape_csv.sub(lambda match: self._escape + match[0], value) + self._quote


def _unescape(match: re.Match[bytes]) -> bytes:
    if match[1] is not None:
        return bytes((int(match[1], 16),))
    if match[2] is not None:
        return bytes((int(match[2], 8) & 0xFF,))
    letter: bytes = match[3] or b""  # a backslash that ends the line stands for nothing
    return _LETTERS.get(letter, letter)


class CopyReader:
    """Splits COPY data into rows, in any direction. With `header`, the first row of text and csv is the header.

    `done` turns true at the end-of-data marker (text: a line of backslash and period; binary: the trailer); text after
    it is ignored as PostgreSQL ignores it.
    """

    def __init__(self, options: CopyOptions, *, max_row: int = MAX_ROW) -> None:
        self.done = False
        self._options = options
        self._max_row = max_row
        self._buffer = bytearray()
        self._scanned = 0  # of the buffer: looked at, and no end of row found
        self._eol: bytes | None = None  # of the first line: \n, \r or \r\n; PostgreSQL holds all others to it
        self._in_quote = False
        self._after_escape = False
        self._started = False
        self._delimiter = options.delimiter.encode()
        quote, escape = re.escape(options.quote.encode()), re.escape(options.escape.encode())
        delimiter = re.escape(self._delimiter)
        self._quote = options.quote.encode()
        # Quote doubles as escape: a toggle is all there is. Otherwise an escape hides the quote or escape after it.
        inner = b"[^" + quote + escape + b"]++"
        if quote != escape:
            inner += b"|" + escape + b"[" + quote + escape + b"]?+"
        self._csv_field = re.compile(
            b"(?:[^" + delimiter + quote + b"]++|" + quote + b"(?:" + inner + b")*+" + quote + b")*+", re.DOTALL
        )
        self._text_field = re.compile(rb"(?:[^\\" + delimiter + rb"]++|\\.|\\$)*+", re.DOTALL)
        self._csv_marks = re.compile(b"[\r\n" + quote + escape + b"]")

    @property
    def between_rows(self) -> bytearray | None:
        """What is held, where a row begins that looks like those before it and of which nothing has been looked at;
        else None. Lines end with a line feed then."""
        known = self._started and not self.done and not self._scanned and not self._in_quote
        known = known and len(self._buffer) <= self._max_row
        return self._buffer if known and (self._options.format == "binary" or self._eol == b"\n") else None

    @property
    def lacks_end(self) -> bool:
        """Where `between_rows` is something: a look shows that no row is complete, and nothing is wrong with it yet."""
        held = self._buffer
        is_short = len(held) <= min(_GLANCE, self._max_row) and self._options.format != "binary"
        return is_short and b"\n" not in held and b"\r" not in held

    def push(self, data: bytes) -> None:
        """Hold `data` without looking at it: for `between_rows`, `skip` and `feed`."""
        self._buffer += data

    def skip(self, size: int) -> None:
        """The first `size` bytes of what is held were whole rows."""
        del self._buffer[:size]

    def feed(self, data: bytes, *, most: int | None = None) -> list[RawRow]:
        """The rows that `data` completes, or the first `most` of them.

        Raises InvalidValue 22P04, and 54000 for a row beyond `max_row`.
        """
        if self.done:
            if self._options.format == "binary" and data:
                raise _bad_format("received copy data after EOF marker")
            return []
        self._buffer += data
        rows = self._binary_rows(most) if self._options.format == "binary" else self._lines(final=False, most=most)
        if most is None or not rows:
            self._check(len(self._buffer))
        return rows

    def _check(self, size: int) -> None:
        """A row of `size` bytes or more: whether it is complete does not matter, lest the way the data is cut would."""
        if size > self._max_row:
            raise InvalidValue(f"COPY row is longer than {self._max_row} bytes", sqlstate="54000")

    def finish(self) -> list[RawRow]:
        """CopyDone: the last row may lack its newline. Raises InvalidValue 22P04 for data that stops inside a row."""
        if self.done:
            return []
        self.done = True
        if self._options.format == "binary":
            if self._buffer or not self._started:
                raise _bad_format("unexpected EOF in COPY data")
            return []
        rows = self._lines(final=True)
        if self._buffer:
            if self._options.format == "csv" and self._in_quote:
                raise _bad_format("unterminated CSV quoted field")
            row = self._row(bytes(self._buffer))
            if row is None:
                raise _bad_format("end-of-copy marker is not alone on its line")
            self._buffer.clear()
            rows.append(row)
        return rows

    def _lines(self, *, final: bool, most: int | None = None) -> list[RawRow]:
        rows: list[RawRow] = []
        start = 0
        find = self._find_text_end if self._options.format == "text" else self._find_csv_end
        while most is None or len(rows) < most:
            end = find(start, final)
            if end is None:
                break
            self._check(end - start)
            row = self._row(bytes(self._buffer[start:end]))
            start = end + len(self._eol or b"")
            self._scanned = start
            if row is None:
                self.done = True
                self._buffer.clear()
                self._scanned = 0
                return rows
            rows.append(row)
        del self._buffer[:start]
        self._scanned -= start
        return rows

    def _find_text_end(self, start: int, final: bool) -> int | None:
        """Where the line that begins at `start` ends; a line end behind a backslash is data."""
        position = max(start, self._scanned)
        while True:
            newline = self._buffer.find(b"\n", position)
            feed = self._buffer.find(b"\r", position, newline if newline >= 0 else len(self._buffer))
            mark = feed if feed >= 0 else newline
            if mark < 0:
                self._scanned = len(self._buffer)
                return None
            slashes = mark
            while slashes > start and self._buffer[slashes - 1] == 0x5C:
                slashes -= 1
            if (mark - slashes) % 2:
                position = mark + 1
                continue
            return self._checked_end(mark, final)

    def _find_csv_end(self, start: int, final: bool) -> int | None:
        """As above; a line end inside quotes is data."""
        quote, escape = self._quote, self._options.escape.encode()
        position = max(start, self._scanned)
        previous = position
        for match in self._csv_marks.finditer(self._buffer, position):
            mark, at = match[0], match.start()
            if at > previous:
                self._after_escape = False
            previous = at + 1
            if quote != escape and self._in_quote and mark == escape:
                self._after_escape = not self._after_escape
                continue
            if mark == quote and not self._after_escape:
                self._in_quote = not self._in_quote
            self._after_escape = False
            if mark in (b"\r", b"\n") and not self._in_quote:
                return self._checked_end(at, final)
        if previous < len(self._buffer):
            self._after_escape = False
        self._scanned = len(self._buffer)
        return None

    def _checked_end(self, mark: int, final: bool) -> int | None:
        """The line end at `mark`, held to the style of the first one. None: a \\r whose successor is still to come."""
        found = bytes(self._buffer[mark : mark + 2])
        if found == b"\r" and not final and self._eol != b"\r":
            self._scanned = mark
            return None
        seen = b"\r\n" if found == b"\r\n" and self._eol in (None, b"\r\n") else found[:1]
        if self._eol is None:
            self._eol = seen
        if seen != self._eol:
            literal = "literal" if self._options.format == "text" else "unquoted"
            what, letter = ("newline", "n") if seen == b"\n" else ("carriage return", "r")
            use = f'"\\{letter}"' if literal == "literal" else "quoted CSV field"
            hint = f"Use {use} to represent {what}."
            raise _bad_format(f"{literal} {what} found in data", hint)
        return mark

    def _row(self, line: bytes) -> RawRow | None:
        """The fields of a line; None for the end-of-data marker."""
        if self._options.format == "text":
            if b"\\." in line and re.search(rb"(?<!\\)(?:\\\\)*\\\.", line):
                if line == b"\\.":
                    return None
                raise _bad_format("end-of-copy marker is not alone on its line")
            pattern = self._text_field if b"\\" in line else None
        else:
            if line == b"\\.":
                raise Refused(
                    "a CSV line of backslash and period is data or the end, depending on the server's version",
                    hint="quote it if it is data, leave it out if it is the end",
                )
            pattern = self._csv_field if self._quote in line else None
        fields = line.split(self._delimiter) if pattern is None else self._split(line, pattern)
        if not self._started:
            self._started = True
            if self._options.header:
                return list(fields)
        if len(fields) > self._options.columns:
            raise _bad_format("extra data after last expected column")
        if len(fields) < self._options.columns:
            raise _bad_format("missing data for a column")
        return list(fields)

    def _split(self, line: bytes, pattern: re.Pattern[bytes]) -> list[bytes]:
        fields: list[bytes] = []
        position = 0
        while True:
            match = pattern.match(line, position)
            end = len(line) if match is None else match.end()
            fields.append(line[position:end])
            if end == len(line):
                return fields
            if line[end : end + 1] != self._delimiter:
                raise AssertionError("the ends of lines and of fields are found by the same rules of quotes")
            position = end + 1

    def _binary_rows(self, most: int | None) -> list[RawRow]:
        position = 0
        if not self._started:
            position = self._binary_header()
            if position == 0:
                return []
        rows: list[RawRow] = []
        while (most is None or len(rows) < most) and (parsed := self._tuple(position)) is not None:
            row, position = parsed
            if row is None:
                if position != len(self._buffer):
                    raise _bad_format("received copy data after EOF marker")
                self.done = True
                break
            rows.append(row)
        del self._buffer[:position]
        return rows

    def _binary_header(self) -> int:
        """Length of the complete header, extension area included; 0: more is needed."""
        buffer = self._buffer
        if not SIGNATURE.startswith(bytes(buffer[: len(SIGNATURE)])):
            raise _bad_format("COPY file signature not recognized")
        if len(buffer) < 19:
            return 0
        flags, extension = struct.unpack_from(">Ii", buffer, 11)
        if flags & 1 << 16:
            raise _bad_format("invalid COPY file header (WITH OIDS)")
        if flags >> 16:
            raise _bad_format("unrecognized critical flags in COPY file header")
        if extension < 0:
            raise _bad_format("invalid COPY file header (missing length)")
        if extension > self._max_row:
            raise _bad_format("invalid COPY file header (wrong length)")
        if len(buffer) < 19 + extension:
            return 0
        self._started = True
        return 19 + int(extension)

    def _tuple(self, position: int) -> tuple[RawRow | None, int] | None:
        """One tuple (None: the trailer) and the position after it; None when it is not complete."""
        buffer = self._buffer
        if len(buffer) < position + 2:
            return None
        (count,) = struct.unpack_from(">h", buffer, position)
        start, position = position, position + 2
        if count == _TRAILER:
            return None, position
        if count != self._options.columns:
            raise _bad_format(f"row field count is {count}, expected {self._options.columns}")
        row: RawRow = []
        for _ in range(count):
            if len(buffer) < position + 4:
                return None
            (size,) = struct.unpack_from(">i", buffer, position)
            position += 4
            if size == -1:
                row.append(None)
                continue
            if size < 0:
                raise _bad_format("invalid field size")
            self._check(position + size - start)
            if len(buffer) < position + size:
                return None
            row.append(bytes(buffer[position : position + size]))
            position += size
        return row, position


class CopyWriter:
    """Rows of raw fields to COPY data, as PostgreSQL writes them."""

    def __init__(self, options: CopyOptions) -> None:
        self._binary = options.format == "binary"
        self._delimiter = options.delimiter.encode()

    def start(self) -> bytes:
        """The header of the binary format, without flags or extension; nothing for the others."""
        return SIGNATURE + bytes(8) if self._binary else b""

    def row(self, fields: Sequence[bytes | None]) -> bytes:
        """Raw fields, as CopyReader gives them and CopyFields.escape() makes them."""
        if not self._binary:
            return self._delimiter.join(field or b"" for field in fields) + b"\n"
        sized = (b"\xff\xff\xff\xff" if field is None else len(field).to_bytes(4, "big") + field for field in fields)
        return b"".join((len(fields).to_bytes(2, "big"), *sized))

    def end(self) -> bytes:
        """The trailer of the binary format; nothing for the others, which CopyDone ends."""
        return b"\xff\xff" if self._binary else b""
