"""COPY with sealed columns: the client's rows sealed on their way in, the server's rows opened on their way out.

Only the fields of sealed columns are touched; every other field passes byte for byte. Rows of the usual shape are
converted by the kernel, as many at once as are there; the others by the readers and writers of `proxy.wire.copy`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from proxy import kernel
from proxy.config import SealedColumn
from proxy.errors import InvalidValue
from proxy.pgtypes import SqlType
from proxy.session.refusals import too_large
from proxy.session.values import BINARY_FORMAT, TEXT_FORMAT, Convert, Sealers, opening_function, sealing_function
from proxy.sql.plan import CopyFormat, CopyPlan, Opening, Sealing, Use
from proxy.wire.codecs import Settings, bytea_hex
from proxy.wire.copy import CopyFields, CopyOptions, CopyReader, CopyWriter, RawRow

_TOO_LONG = "54000"  # program_limit_exceeded
_TEXT_ROWS: Final = -1
_BINARY_ROWS: Final = -2
_IN_HEX: Final = frozenset("\\x0123456789abcdef")
"""What bytea's hex text consists of: as a delimiter or quote, it would have to be escaped there."""


class CopyTransform:
    """The data of one COPY in one direction. Raises Refused from every method where a field is wrong."""

    def __init__(self, plan: CopyPlan, settings: Settings, sealers: Sealers, *, max_row: int) -> None:
        if plan.encoding is not None:
            settings = replace(settings, client_encoding=plan.encoding)
        options = CopyOptions(
            format=plan.format.value,
            columns=len(plan.columns),
            delimiter=plan.delimiter,
            null=plan.null,
            quote=plan.quote,
            escape=plan.escape,
            header=plan.header,
            force_quote=plan.force_quote,
            force_not_null=plan.force_not_null,
            force_null=plan.force_null,
            default=plan.default,
        )
        self._fields = CopyFields(options)
        self._reader = CopyReader(options, max_row=max_row)
        self._writer = CopyWriter(options)
        self._header_due = plan.header and plan.format is not CopyFormat.BINARY
        self._max_row = max_row
        self._started = False
        self._ended = False
        make = self._sealing if plan.is_from else self._opening
        cells = [
            None if column is None else make(plan, column, plan.types[at] or column.type, settings, sealers)
            for at, column in enumerate(plan.columns)
        ]
        hexed = plan.is_from and plan.format is not CopyFormat.BINARY
        self._functions: list[tuple[int, Convert]] = [
            (at, _hexed(cell) if hexed else cell) for at, cell in enumerate(cells) if cell is not None
        ]
        self._rows = _copy_rows(plan, cells)

    @staticmethod
    def _sealing(plan: CopyPlan, column: SealedColumn, _type: SqlType, settings: Settings, sealers: Sealers) -> Convert:
        data_format = BINARY_FORMAT if plan.format is CopyFormat.BINARY else TEXT_FORMAT
        return sealing_function(Sealing(column, Use.ASSIGN), data_format, settings, sealers)

    @staticmethod
    def _opening(plan: CopyPlan, column: SealedColumn, type_: SqlType, settings: Settings, sealers: Sealers) -> Convert:
        data_format = BINARY_FORMAT if plan.format is CopyFormat.BINARY else TEXT_FORMAT
        return opening_function(Opening(column, type_), data_format, settings, sealers)

    def feed(self, data: bytes) -> bytes:
        """CopyData in, CopyData out; empty while no row is complete. Row by row, so the first fault is the one told."""
        reader = self._reader
        if reader.done:
            return self._write(reader.feed(data))
        reader.push(data)
        written = []
        while True:
            if self._rows is not None and self._started and (held := reader.between_rows):
                converted, taken = self._rows.convert(held)
                written.append(converted)
                reader.skip(taken)
                if reader.lacks_end:
                    return converted if len(written) == 1 else b"".join(written)
            try:
                rows = reader.feed(b"", most=1)
            except InvalidValue as error:
                if error.sqlstate == _TOO_LONG:
                    raise too_large(f"a row of more than {self._max_row} bytes") from None
                raise
            written.append(self._write(rows))
            if not rows:
                return b"".join(written)

    def open_messages(self, data: bytes, at: int) -> tuple[bytes, int]:
        """CopyData messages of the server, from `at` on -> (those for the client, where the first begins that is not
        among them): that one is to be fed."""
        if self._rows is None or not self._started or (held := self._reader.between_rows) is None or held:
            return b"", at
        return self._rows.messages(data, at)

    def finish(self) -> bytes:
        """CopyDone: what was held back."""
        return self._write(self._reader.finish())

    def _write(self, rows: list[RawRow]) -> bytes:
        written = []
        if not self._started and (rows or self._reader.done):
            self._started = True
            written.append(self._writer.start())
        for row in rows:
            if self._header_due:
                self._header_due = False
            else:
                self._convert(row)
            written.append(self._writer.row(row))
        if self._reader.done and not self._ended:
            self._ended = True
            written.append(self._writer.end())
        return b"".join(written)

    def _convert(self, row: RawRow) -> None:
        fields = self._fields
        for at, function in self._functions:
            if not fields.is_default(row[at]) and (value := fields.value(row[at], at)) is not None:
                row[at] = fields.escape(function(value), at)


def _hexed(seal: Convert) -> Convert:
    return lambda value: bytea_hex(seal(value))


def _copy_rows(plan: CopyPlan, cells: list[Convert | None]) -> kernel.CopyRows | None:
    """The kernel's way for this COPY. None: it has none, or the options are such that it would not know the rows."""
    unusual = plan.default is not None or plan.force_quote or plan.force_not_null or plan.force_null
    signs = (plan.delimiter, plan.quote, plan.escape) if plan.format is CopyFormat.CSV else (plan.delimiter,)
    if unusual or not cells or not all(len(sign) == 1 and sign.isascii() for sign in signs):
        return None
    quote = escape = _BINARY_ROWS if plan.format is CopyFormat.BINARY else _TEXT_ROWS
    if plan.format is CopyFormat.CSV:
        if not _IN_HEX.isdisjoint((plan.delimiter, plan.quote)):
            return None
        quote, escape = ord(plan.quote), ord(plan.escape)
    null = plan.null.encode()
    return kernel.copy_rows(
        cells, seals=plan.is_from, delimiter=ord(plan.delimiter), null=null, quote=quote, escape=escape
    )
