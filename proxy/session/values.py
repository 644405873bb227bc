"""Values on their way: client form -> sealed, sealed -> client form. Joins the type codecs and the sealers.

The functions resolve everything that does not depend on the value once, and return what is called per value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, Protocol

from proxy import kernel
from proxy.config import Scheme, SealedColumn
from proxy.crypto.schemes import KernelSealer
from proxy.errors import CannotOpen, InvalidValue, Refused
from proxy.pgtypes import BYTEA_OID, SqlType
from proxy.session import forms
from proxy.sql.patterns import bad_escape, ends_with_escape, split_pattern
from proxy.sql.plan import Opening, Sealing, Use
from proxy.wire import codecs
from proxy.wire.codecs import Probe, Settings, records

Convert = Callable[[bytes], bytes]
Join = Callable[[Sequence[bytes | None]], bytes | None]

TEXT_FORMAT: Final = 0
BINARY_FORMAT: Final = 1
BYTEA_ARRAY_OID: Final = 1001
_RANDOM: Final = bytes([Scheme.RANDOM])


class Sealer(Protocol):
    """What is asked of `proxy.crypto.Sealer`."""

    def seal(self, plain: bytes) -> bytes: ...
    def open(self, sealed: bytes) -> bytes: ...
    def between(self, floor: bytes | None) -> bytes: ...
    def prefix_bounds(self, prefix: bytes) -> tuple[bytes, bytes]: ...


class Sealers(Protocol):
    """What is asked of `proxy.crypto.Keyring`."""

    def sealer(self, column: SealedColumn, *, key_id: int | None = None) -> Sealer: ...
    def key_of(self, column: SealedColumn) -> int: ...
    def waits(self, column: SealedColumn) -> bool: ...


def sealing_function(sealing: Sealing, data_format: int, settings: Settings, sealers: Sealers) -> Convert:
    """One value from the client, in text (0) or binary (1) -> binary bytea, or bytea[] where the Sealing is an array.

    The callable raises Refused (InvalidValue among them) as PostgreSQL would fail.
    """
    source = sealing.client_type
    if not sealing.is_array:
        decode = codecs.binary_decoder if data_format == BINARY_FORMAT else codecs.text_decoder
        read, seal = decode(source, settings), _seal_canonical(sealing, source, settings, sealers)
        return _sealing_cell(sealing, data_format, settings, sealers, lambda data: seal(read(data)))
    seal = _seal_canonical(sealing, source.element, settings, sealers)

    def seal_elements(data: bytes) -> bytes:
        dimensions, elements = codecs.split_array(source, data, data_format, settings)
        return codecs.join_array(BYTEA_OID, dimensions, [None if e is None else seal(e) for e in elements])

    return seal_elements


def _sealing_cell(
    sealing: Sealing, data_format: int, settings: Settings, sealers: Sealers, reference: Convert
) -> Convert:
    """The kernel's way to what `reference` does, where it has one."""
    is_text = data_format == TEXT_FORMAT
    form = forms.input_form(sealing, settings, is_text=is_text)
    if form is None:
        return reference
    column = sealing.column
    sealer = sealers.sealer(column)
    if not isinstance(sealer, KernelSealer):
        return reference
    limit = column.max_length if sealing.use is Use.COMPARE else column.type.length
    return kernel.sealing(
        sealer.sealing,
        sealer.prefix,
        form=form,
        is_text=is_text,
        limit=-1 if limit is None else limit,
        count=sealer.count,
        reference=reference,
    )


def joining_function(sealing: Sealing, formats: Sequence[int], settings: Settings, sealers: Sealers) -> Join:
    """Several values from the client, each in its format, that one sealed value is made of: the elements of an array,
    or a pattern and its escape character.

    The callable raises Refused as PostgreSQL would fail.
    """
    source = sealing.client_type
    kind = source.element
    readers = [
        (codecs.binary_decoder if one == BINARY_FORMAT else codecs.text_decoder)(kind, settings) for one in formats
    ]

    def read(values: Sequence[bytes | None]) -> list[bytes | None]:
        return [None if value is None else reader(value) for reader, value in zip(readers, values, strict=True)]

    if source.is_array:
        seal = _seal_canonical(sealing, source, settings, sealers)
        dimensions = codecs.Dimensions((len(formats),), (1,))
        return lambda values: seal(codecs.join_array(kind.oid, dimensions, read(values)))

    def seal_pattern(values: Sequence[bytes | None]) -> bytes | None:
        texts = [value.decode() for value in read(values) if value is not None]
        if len(texts) < len(values):
            return None  # of NULL
        escape = texts.pop() if sealing.escape is None else sealing.escape
        if len(escape) > 1:
            raise bad_escape()
        given = iter(texts)
        pieces = tuple(next(given) if piece is None else piece for piece in sealing.pieces)
        return _seal_canonical(replace(sealing, pieces=pieces, escape=escape), source, settings, sealers)(b"")

    return seal_pattern


def literal_cell(sealing: Sealing, settings: Settings, sealers: Sealers) -> Convert | None:
    """The value of a literal in UTF-8 -> sealed; None: it is an array, whose elements are sealed. The callable raises
    Refused."""
    if sealing.is_array:
        return None
    return sealing_function(sealing, TEXT_FORMAT, replace(settings, client_encoding="UTF8"), sealers)


def literal_function(sealing: Sealing, settings: Settings, sealers: Sealers) -> Callable[[str], str]:
    """A literal of the statement -> the SQL text `E'\\\\x<hex>'`; an array's is a bytea[] literal.

    The callable raises Refused.
    """
    in_utf8 = replace(settings, client_encoding="UTF8")
    seal = literal_cell(sealing, settings, sealers)
    if seal is not None:
        return lambda text: f"E'\\\\x{seal(text.encode()).hex()}'"
    source = sealing.client_type
    seal_element = _seal_canonical(sealing, source.element, in_utf8, sealers)

    def seal_elements(text: str) -> str:
        dimensions, elements = codecs.split_array(source, text.encode(), TEXT_FORMAT, in_utf8)
        sealed = [None if e is None else seal_element(e) for e in elements]
        joined = codecs.join_bytea_array(dimensions, sealed).decode("ascii")
        return "E'" + joined.replace("\\", "\\\\").replace("'", "''") + "'"

    return seal_elements


def _seal_canonical(sealing: Sealing, source: SqlType, settings: Settings, sealers: Sealers) -> Convert:
    """Canonical form of `source` -> sealed: the casts, then the rule of the use."""
    column, casts = sealing.column, sealing.casts
    if sealing.is_array:
        casts = tuple(cast.element for cast in casts)
    made = _SEAL.get(sealing.use) or partial(_like, sealing)
    sealer = sealers.sealer(_random(column) if sealing.use is Use.SHOW else column)
    seal = made(column, casts[-1] if casts else source, settings, sealer)
    if not casts:
        return seal

    def cast_and_seal(value: bytes) -> bytes:
        at = source
        for target in casts:
            value = codecs.cast(value, at, target, settings)
            at = target
        return seal(value)

    return cast_and_seal


def _assign(column: SealedColumn, source: SqlType, settings: Settings, sealer: Sealer) -> Convert:
    searchable = column.scheme is not Scheme.RANDOM
    return lambda value: sealer.seal(codecs.assign(value, source, column.type, settings, searchable=searchable))


def _carry(column: SealedColumn, source: SqlType, settings: Settings, sealer: Sealer) -> Convert:
    searchable = column.scheme is not Scheme.RANDOM
    loose = column.type.unmodified

    def seal(value: bytes) -> bytes:
        as_shown = codecs.assign(value, source, loose, settings, searchable=False)
        try:
            as_stored = codecs.assign(value, source, column.type, settings, searchable=searchable)
        except InvalidValue:
            as_stored = None
        if as_stored is None or as_stored != as_shown:
            raise _not_storable(column)
        return sealer.seal(as_stored)

    return seal


def _show(column: SealedColumn, source: SqlType, settings: Settings, sealer: Sealer) -> Convert:
    loose = column.type.unmodified
    return lambda value: sealer.seal(codecs.assign(value, source, loose, settings, searchable=False))


def _rank(column: SealedColumn, source: SqlType, settings: Settings, sealer: Sealer) -> Convert:
    def seal(value: bytes) -> bytes:
        found = codecs.compare(value, source, column.type, settings, max_length=column.max_length)
        if isinstance(found, Probe):  # it would equal every other value in this gap
            raise _not_storable(column)
        return sealer.seal(found)

    return seal


def _not_storable(column: SealedColumn) -> Refused:
    return Refused(
        f'a value beside sealed column "{column.name}" does not have the form of its type {column.type}',
        hint=f"cast the value to {column.type}",
    )


def _compare(column: SealedColumn, source: SqlType, settings: Settings, sealer: Sealer) -> Convert:
    def seal(value: bytes) -> bytes:
        found = codecs.compare(value, source, column.type, settings, max_length=column.max_length)
        return sealer.between(found.floor) if isinstance(found, Probe) else sealer.seal(found)

    return seal


def _prefix_low(_column: SealedColumn, _source: SqlType, _settings: Settings, sealer: Sealer) -> Convert:
    return lambda value: sealer.prefix_bounds(value)[0]


def _prefix_high(_column: SealedColumn, _source: SqlType, _settings: Settings, sealer: Sealer) -> Convert:
    return lambda value: sealer.prefix_bounds(value)[1]


def _like(sealing: Sealing, column: SealedColumn, source: SqlType, settings: Settings, sealer: Sealer) -> Convert:
    """A pattern as a bound: of the values that have its prefix, or of the one value that it matches."""
    exact = _compare(column, source, settings, sealer)
    escape = sealing.escape or ""

    def seal(value: bytes) -> bytes:
        pattern = "".join(value.decode() if piece is None else piece for piece in sealing.pieces)
        found = split_pattern(pattern, escape)
        if found is None or (found[1] and sealing.use is Use.LIKE):
            raise _no_pattern(column, pattern, escape)
        text, is_open = found[0].encode(), found[1]
        if not is_open:
            sealed = exact(text)
            return sealed + b"\0" if sealing.use is Use.LIKE_HIGH else sealed
        if not text:  # every value: sealed ones begin with 0xE1
            return b"\xff" if sealing.use is Use.LIKE_HIGH else b""
        return sealer.prefix_bounds(text)[sealing.use is Use.LIKE_HIGH]

    return seal


def _no_pattern(column: SealedColumn, pattern: str, escape: str) -> Refused:
    if ends_with_escape(pattern, escape):
        return Refused("LIKE pattern must not end with escape character", sqlstate="22025")
    return Refused(
        f'column "{column.name}" is sealed with search: {column.search} and cannot be matched with this LIKE pattern',
        hint="send a pattern without wildcards, or with search: order one whose only wildcard is % at its end",
    )


_SEAL: Final[dict[Use, Callable[[SealedColumn, SqlType, Settings, Sealer], Convert]]] = {
    Use.ASSIGN: _assign,
    Use.CARRY: _carry,
    Use.SHOW: _show,
    Use.RANK: _rank,
    Use.COMPARE: _compare,
    Use.PREFIX_LOW: _prefix_low,
    Use.PREFIX_HIGH: _prefix_high,
}


def opening_function(opening: Opening, data_format: int, settings: Settings, sealers: Sealers) -> Convert:
    """One field from the server, in text (0) or binary (1) -> the application's type in the same format.

    The callable raises Refused: XX001 for a value that does not open, 22P05 for what client_encoding cannot express.
    """
    if opening.fields is not None:
        return _record_function(opening, opening.fields, data_format, settings, sealers)
    sealer, binary, type_ = sealers.sealer(opening.column), data_format == BINARY_FORMAT, opening.type
    encode = (codecs.binary_encoder if binary else codecs.text_encoder)(type_, settings)
    open_, name = _opener(opening, sealer, sealers), opening.column.name

    def open_plain(data: bytes) -> bytes:
        try:
            value = open_(data if binary else codecs.parse_bytea_text(data))
        except (CannotOpen, InvalidValue):
            raise corrupted(name) from None
        return encode(value)

    def open_elements(data: bytes) -> bytes:
        try:
            dimensions, elements = codecs.split_bytea_array(data, data_format)
            opened = [None if e is None else open_(e) for e in elements]
        except (CannotOpen, InvalidValue):
            raise corrupted(name) from None
        return encode(codecs.join_array(type_.facts.oid, dimensions, opened))

    if opens_elements(opening):
        return open_elements
    form = forms.output_form(type_, settings, is_text=not binary)
    if form is None or not isinstance(sealer, KernelSealer):
        return open_plain
    return kernel.opener(sealer.keys, is_hex=not binary, form=form, reference=open_plain)


def _record_function(
    opening: Opening, fields: tuple[Opening | None, ...], data_format: int, settings: Settings, sealers: Sealers
) -> Convert:
    """A record, whose sealed fields are opened."""
    name, binary = opening.column.name, data_format == BINARY_FORMAT
    made = [None if part is None else opening_function(part, data_format, settings, sealers) for part in fields]

    def open_record(data: bytes) -> bytes:
        try:
            given = records.parse_binary(data) if binary else [(0, value) for value in records.parse_text(data)]
        except InvalidValue:
            raise corrupted(name) from None
        if len(given) != len(made):
            raise Refused("the server returns another record than was planned", sqlstate="XX000")
        opened = [
            (
                oid if part is None or part.fields is not None else part.type.oid,
                value if value is None or open_ is None else open_(value),
            )
            for (oid, value), part, open_ in zip(given, fields, made, strict=True)
        ]
        return records.print_binary(opened) if binary else records.print_text([value for _, value in opened])

    return open_record


def _random(column: SealedColumn) -> SealedColumn:
    """The column as if its search were none: how values that are only shown are sealed."""
    return replace(column, scheme=Scheme.RANDOM)


def _opener(opening: Opening, sealer: Sealer, sealers: Sealers) -> Convert:
    if not opening.is_mixed:
        return sealer.open
    shown = sealers.sealer(_random(opening.column))
    return lambda sealed: (shown if sealed[1:2] == _RANDOM else sealer).open(sealed)


def opens_elements(opening: Opening) -> bool:
    """True where the server returns bytea[] of sealed elements; a column that is itself an array is sealed whole."""
    return opening.type.is_array and not opening.column.type.is_array


def corrupted(column: str) -> Refused:
    return Refused(
        f'a value of sealed column "{column}" cannot be opened',
        detail="It was changed, cut short or moved, or the keyring lacks its key.",
        sqlstate="XX001",
    )
