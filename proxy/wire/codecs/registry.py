"""Which functions read and write which type: resolved once per plan, then called once per value."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Final

from proxy.pgtypes import Family, SqlType
from proxy.wire.codecs import (
    arrays,
    bytea,
    dateinput,
    dateoutput,
    encodings,
    floats,
    ints,
    jsons,
    numeric,
    scalars,
    texts,
)
from proxy.wire.codecs.base import Convert, Settings

_INTEGERS: Final = (Family.SMALLINT, Family.INTEGER, Family.BIGINT)

_TEXT_IN: Final[dict[Family, Convert]] = {
    Family.TEXT: bytes,
    Family.CHAR: texts.strip_padding,
    **{family: ints.text_decoder(family) for family in _INTEGERS},
    Family.NUMERIC: numeric.decode_text,
    Family.REAL: floats.real_from_text,
    Family.DOUBLE: floats.double_from_text,
    Family.BOOLEAN: scalars.boolean_from_text,
    Family.TIME: dateinput.decode_time,
    Family.UUID: scalars.uuid_from_text,
    Family.JSON: jsons.check_json,
    Family.JSONB: jsons.jsonb_from_text,
    Family.BYTEA: bytea.parse_bytea_text,
}
_BINARY_IN: Final[dict[Family, Convert]] = {
    **{family: ints.binary_decoder(family) for family in _INTEGERS},
    Family.NUMERIC: numeric.decode_binary,
    Family.REAL: floats.real_from_binary,
    Family.DOUBLE: floats.double_from_binary,
    Family.BOOLEAN: scalars.boolean_from_binary,
    Family.DATE: dateoutput.date_from_binary,
    Family.TIME: dateoutput.time_from_binary,
    Family.TIMESTAMP: dateoutput.timestamp_from_binary,
    Family.TIMESTAMPTZ: dateoutput.timestamp_from_binary,
    Family.UUID: scalars.uuid_from_binary,
    Family.BYTEA: bytes,
}
_TEXT_OUT: Final[dict[Family, Convert]] = {
    **dict.fromkeys(_INTEGERS, ints.encode_text),
    Family.NUMERIC: numeric.encode_text,
    Family.BOOLEAN: scalars.boolean_to_text,
    Family.TIME: dateoutput.encode_time,
    Family.UUID: scalars.uuid_to_text,
}


def _chain(first: Convert, second: Convert) -> Convert:
    if first is bytes or second is bytes:
        return second if first is bytes else first
    return lambda data: second(first(data))


def utf8_input(type_: SqlType, settings: Settings) -> Convert:
    """The input function over UTF-8 that has been checked: what text_decoder() is after client_encoding."""
    if type_.is_array:
        element = utf8_input(type_.element, settings)

        def read(text: bytes) -> bytes:
            dimensions, elements = arrays.parse_text(text)
            return arrays.print_binary(type_.facts.oid, dimensions, arrays.each(element, elements))

        return read
    match type_.family:
        case Family.DATE:
            return dateinput.date_decoder(settings)
        case Family.TIMESTAMP | Family.TIMESTAMPTZ as family:
            return dateinput.timestamp_decoder(settings, with_zone=family is Family.TIMESTAMPTZ)
        case family:
            return _TEXT_IN[family]


def utf8_output(type_: SqlType, settings: Settings) -> Convert:
    """The output function in UTF-8: what text_encoder() is before client_encoding."""
    if type_.is_array:
        element = utf8_output(type_.element, settings)

        def write(data: bytes) -> bytes:
            dimensions, elements = arrays.parse_binary(data, type_.facts.oid)
            return arrays.print_text(dimensions, arrays.each(element, elements))

        return write
    match type_.family:
        case Family.CHAR:
            return functools.partial(texts.pad, length=type_.length)
        case Family.TEXT | Family.JSON:
            return bytes
        case Family.JSONB:
            return jsons.jsonb_to_text
        case Family.REAL:
            return floats.real_encoder(settings.extra_float_digits)
        case Family.DOUBLE:
            return floats.double_encoder(settings.extra_float_digits)
        case Family.DATE:
            return dateoutput.date_encoder(settings)
        case Family.TIMESTAMP | Family.TIMESTAMPTZ as family:
            return dateoutput.timestamp_encoder(settings, with_zone=family is Family.TIMESTAMPTZ)
        case Family.BYTEA:
            return bytea.bytea_escape if settings.bytea_output.lower() == "escape" else bytea.bytea_hex
        case family:
            return _TEXT_OUT[family]


@functools.lru_cache(maxsize=1024)
def text_decoder(type_: SqlType, settings: Settings) -> Convert:
    """Input function: bytes in client_encoding -> canonical, no modifier applied. The callable raises InvalidValue
    with the input function's SQLSTATE, or Refused 0A000 for a spelling that cannot be read for certain."""
    return _chain(encodings.to_utf8(settings.client_encoding), utf8_input(type_, settings))


@functools.lru_cache(maxsize=1024)
def text_encoder(type_: SqlType, settings: Settings) -> Convert:
    """Output function: canonical -> bytes in client_encoding. The callable raises InvalidValue 22P05."""
    return _chain(utf8_output(type_, settings), encodings.from_utf8(settings.client_encoding))


@functools.lru_cache(maxsize=1024)
def binary_decoder(type_: SqlType, settings: Settings) -> Convert:
    """Receive function: validates and makes canonical. The callable raises InvalidValue."""
    if type_.is_array:
        element = binary_decoder(type_.element, settings)

        def read(data: bytes) -> bytes:
            dimensions, elements = arrays.parse_binary(data, type_.facts.oid)
            canonical = replace(dimensions, has_nulls=False)
            return arrays.print_binary(type_.facts.oid, canonical, arrays.each(element, elements))

        return read
    to_utf8 = encodings.to_utf8(settings.client_encoding)
    match type_.family:
        case Family.TEXT:
            return to_utf8
        case Family.CHAR:
            return _chain(to_utf8, texts.strip_padding)
        case Family.JSON:
            return _chain(to_utf8, jsons.check_json)
        case Family.JSONB:
            return _chain(jsons.split_jsonb_version, _chain(to_utf8, jsons.jsonb_from_text))
        case family:
            return _BINARY_IN[family]


@functools.lru_cache(maxsize=1024)
def binary_encoder(type_: SqlType, settings: Settings) -> Convert:
    """Send function. For all but text in another client_encoding and char(n), the canonical form itself."""
    if type_.is_array:
        element = binary_encoder(type_.element, settings)
        if element is bytes:
            return bytes

        def write(data: bytes) -> bytes:
            dimensions, elements = arrays.parse_binary(data, type_.facts.oid)
            return arrays.print_binary(type_.facts.oid, dimensions, arrays.each(element, elements))

        return write
    from_utf8 = encodings.from_utf8(settings.client_encoding)
    match type_.family:
        case Family.TEXT | Family.JSON:
            return from_utf8
        case Family.CHAR:
            return _chain(utf8_output(type_, settings), from_utf8)
        case Family.JSONB if from_utf8 is not bytes:
            return lambda data: data[:1] + from_utf8(data[1:])
        case _:
            return bytes


def decode_text(type_: SqlType, data: bytes, settings: Settings) -> bytes:
    return text_decoder(type_, settings)(data)


def decode_binary(type_: SqlType, data: bytes, settings: Settings) -> bytes:
    return binary_decoder(type_, settings)(data)


def encode_text(type_: SqlType, canonical: bytes, settings: Settings) -> bytes:
    return text_encoder(type_, settings)(canonical)


def encode_binary(type_: SqlType, canonical: bytes, settings: Settings) -> bytes:
    return binary_encoder(type_, settings)(canonical)


def split_array(
    type_: SqlType,
    data: bytes,
    format: int,  # noqa: A002  # the protocol's word
    settings: Settings,
) -> tuple[arrays.Dimensions, list[bytes | None]]:
    """An array from the client, in text (0) or binary (1) -> its dimensions and canonical elements, in order.

    `type_` is the array type. Raises InvalidValue with array_in's, array_recv's or the element's SQLSTATE.
    """
    element = type_.element
    if format == 0:
        dimensions, elements = arrays.parse_text(encodings.to_utf8(settings.client_encoding)(data))
        return dimensions, arrays.each(utf8_input(element, settings), elements)
    dimensions, elements = arrays.parse_binary(data, type_.facts.oid)
    return dimensions, arrays.each(binary_decoder(element, settings), elements)


def join_array(element_oid: int, dimensions: arrays.Dimensions, elements: list[bytes | None]) -> bytes:
    """Elements in their binary form -> a binary array."""
    return arrays.print_binary(element_oid, dimensions, elements)


def join_bytea_array(dimensions: arrays.Dimensions, elements: list[bytes | None]) -> bytes:
    """Sealed elements -> bytea[] as text, `{"\\\\xe1..",NULL}`."""
    return arrays.print_text(dimensions, arrays.each(bytea.bytea_hex, elements))


def split_bytea_array(data: bytes, format: int) -> tuple[arrays.Dimensions, list[bytes | None]]:  # noqa: A002
    """A bytea[] from the server, or an array of a domain over bytea, in text (0, either bytea_output) or binary (1)."""
    if format == 0:
        dimensions, elements = arrays.parse_text(data)
        return dimensions, arrays.each(bytea.parse_bytea_text, elements)
    return arrays.parse_binary(data, None)
