"""COPY with sealed columns: the client's rows sealed on their way in, the server's rows opened on their way out.

Only the fields of sealed columns are touched; every other field passes byte for byte.
"""

from __future__ import annotations

from dataclasses import replace

from proxy.config import SealedColumn
from proxy.errors import InvalidValue
from proxy.pgtypes import SqlType
from proxy.session.refusals import too_large
from proxy.session.values import BINARY_FORMAT, TEXT_FORMAT, Convert, Sealers, opening_function, sealing_function
from proxy.sql.plan import CopyFormat, CopyPlan, Opening, Sealing, Use
from proxy.wire.codecs import Settings, bytea_hex
from proxy.wire.copy import CopyFields, CopyOptions, CopyReader, CopyWriter, RawRow

_TOO_LONG = "54000"  # program_limit_exceeded


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
        self._functions: list[tuple[int, Convert]] = [
            (at, make(plan, column, plan.types[at] or column.type, settings, sealers))
            for at, column in enumerate(plan.columns)
            if column is not None
        ]

    @staticmethod
    def _sealing(plan: CopyPlan, column: SealedColumn, _type: SqlType, settings: Settings, sealers: Sealers) -> Convert:
        sealing = Sealing(column, Use.ASSIGN)
        if plan.format is CopyFormat.BINARY:
            return sealing_function(sealing, BINARY_FORMAT, settings, sealers)
        seal = sealing_function(sealing, TEXT_FORMAT, settings, sealers)
        return lambda value: bytea_hex(seal(value))

    @staticmethod
    def _opening(plan: CopyPlan, column: SealedColumn, type_: SqlType, settings: Settings, sealers: Sealers) -> Convert:
        data_format = BINARY_FORMAT if plan.format is CopyFormat.BINARY else TEXT_FORMAT
        return opening_function(Opening(column, type_), data_format, settings, sealers)

    def feed(self, data: bytes) -> bytes:
        """CopyData in, CopyData out; empty while no row is complete."""
        try:
            rows = self._reader.feed(data)
        except InvalidValue as error:
            if error.sqlstate == _TOO_LONG:
                raise too_large(f"a row of more than {self._max_row} bytes") from None
            raise
        return self._write(rows)

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
