"""Arrays: the text form `{a,"b c",NULL}` with bounds and nesting, and the binary form.

Canonical elements stand in a `Dimensions` frame, so that each can be sealed or opened by itself.
Source: array_in(), array_out(), array_recv(), array_send() in arrayfuncs.c; ReadArrayStr of PostgreSQL 17 and later.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from proxy.errors import InvalidValue

MAX_DIMENSIONS: Final = 6  # MAXDIM
MAX_ELEMENTS: Final = 0x3FFFFFFF // 8  # MaxArraySize
_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1
_HEADER: Final = struct.Struct(">iiI")
_DIMENSION: Final = struct.Struct(">ii")
_BOUND: Final = re.compile(rb"\[(?:([+-]?\d+):)?([+-]?\d+)\]")
_TOKEN: Final = re.compile(
    rb"""[ \t\n\v\f\r]*(?:
        ([{},])
      | "((?:[^"\\]|\\.)*+)"[ \t\n\v\f\r]*(?=[{},])
      | ((?:[^"\\{},]|\\.)++)
    )""",
    re.VERBOSE | re.DOTALL,
)
_NEEDS_QUOTES: Final = re.compile(rb'[\\"{} \t\n\v\f\r,]')
_BACKSLASHED: Final = re.compile(rb"\\(.)", re.DOTALL)
_SPACE: Final = b" \t\n\v\f\r"


@dataclass(frozen=True, slots=True)
class Dimensions:
    """`sizes` of each dimension, outermost first; `lower` the subscript each starts at. Empty for `{}`."""

    sizes: tuple[int, ...] = ()
    lower: tuple[int, ...] = ()
    has_nulls: bool = field(default=False, compare=False)
    """The flag of the binary form; PostgreSQL leaves it set on a slice without NULL of an array with NULL."""


def _malformed(detail: str | None = None) -> InvalidValue:
    return InvalidValue("malformed array literal", detail=detail, sqlstate="22P02")


def _too_large() -> InvalidValue:
    return InvalidValue(f"array size exceeds the maximum allowed ({MAX_ELEMENTS})", sqlstate="54000")


def _check_bounds(sizes: Sequence[int], lower: Sequence[int]) -> None:
    if math.prod(sizes) > MAX_ELEMENTS:
        raise _too_large()
    for size, low in zip(sizes, lower, strict=True):
        if low + size > _INT_MAX:
            raise InvalidValue("array lower bound is too large", sqlstate="54000")


def _read_bounds(text: bytes) -> tuple[bytes, list[int], list[int]]:
    """`[2:4][5]={...}` -> the rest after "=", lower bounds, sizes."""
    lower: list[int] = []
    sizes: list[int] = []
    text = text.lstrip(_SPACE)
    while text[:1] == b"[":
        match = _BOUND.match(text)
        if match is None:
            raise _malformed('"[" must introduce explicitly-specified array dimensions.')
        if len(lower) >= MAX_DIMENSIONS:
            raise InvalidValue(
                f"number of array dimensions exceeds the maximum allowed ({MAX_DIMENSIONS})", sqlstate="54000"
            )
        if len(match[0]) > 60:
            raise InvalidValue("array bound is out of integer range", sqlstate="54000")
        low, high = int(match[1] or b"1"), int(match[2])
        if not (_INT_MIN <= low <= _INT_MAX and _INT_MIN <= high <= _INT_MAX):
            raise InvalidValue("array bound is out of integer range", sqlstate="54000")
        if high < low:
            raise InvalidValue("upper bound cannot be less than lower bound", sqlstate="2202E")
        if high == _INT_MAX:
            raise InvalidValue("array upper bound is too large", sqlstate="54000")
        if high - low >= _INT_MAX:
            raise _too_large()
        lower.append(low)
        sizes.append(high - low + 1)
        text = text[match.end() :].lstrip(_SPACE)
    if lower:
        if text[:1] != b"=":
            raise _malformed('Missing "=" after array dimensions.')
        text = text[1:].lstrip(_SPACE)
    return text, lower, sizes


def parse_text(text: bytes) -> tuple[Dimensions, list[bytes | None]]:
    """array_in, down to the elements' own text. Raises InvalidValue 22P02, 2202E, 54000, 22003."""
    body, lower, wanted = _read_bounds(text)
    if body[:1] != b"{":
        raise _malformed('Array value must start with "{" or dimension information.')
    elements: list[bytes | None] = []
    counts: list[int] = []  # elements or subarrays seen so far in each open level
    sizes: list[int] = []  # of each level, fixed by its first complete occurrence; -1: not yet
    deepest = -1
    position = 0
    expect_item = True
    just_opened = False
    while True:
        match = _TOKEN.match(body, position)
        if match is None:
            raise _malformed("Unexpected end of input.")
        position = match.end()
        mark = match[1]
        if mark == b"{":
            if not expect_item or (deepest >= 0 and len(counts) >= deepest):
                raise _malformed('Unexpected "{" character.')
            if len(counts) >= MAX_DIMENSIONS:
                raise InvalidValue(
                    f"number of array dimensions exceeds the maximum allowed ({MAX_DIMENSIONS})", sqlstate="54000"
                )
            counts.append(0)
            if len(sizes) < len(counts):
                sizes.append(-1)
            just_opened = True
            continue
        if mark == b"}":
            if expect_item and not just_opened:
                raise _malformed('Unexpected "}" character.')
            level = len(counts) - 1
            seen = counts.pop()
            if just_opened and deepest < 0:
                deepest = level + 1
            if sizes[level] == -1:
                sizes[level] = seen
            elif sizes[level] != seen:
                raise _malformed("Multidimensional arrays must have sub-arrays with matching dimensions.")
            expect_item = just_opened = False
            if not counts:
                break
            counts[-1] += 1
            continue
        if mark == b",":
            if expect_item:
                raise _malformed('Unexpected "," character.')
            expect_item = True
            just_opened = False
            continue
        if not expect_item:
            raise _malformed("Incorrectly quoted array element.")
        if deepest < 0:
            deepest = len(counts)
        elif deepest != len(counts):
            raise _malformed("Multidimensional arrays must have sub-arrays with matching dimensions.")
        elements.append(_element(match))
        if len(elements) > MAX_ELEMENTS:
            raise _too_large()
        counts[-1] += 1
        expect_item = just_opened = False
    if body[position:].strip(_SPACE):
        raise _malformed("Junk after closing right brace.")
    return _frame(sizes, lower, wanted, len(elements)), elements


def _frame(sizes: list[int], lower: list[int], wanted: list[int], count: int) -> Dimensions:
    if wanted and wanted != sizes:
        raise _malformed("Specified array dimensions do not match array contents.")
    if count == 0:
        return Dimensions()
    lower = lower or [1] * len(sizes)
    _check_bounds(sizes, lower)
    return Dimensions(tuple(sizes), tuple(lower))


def _element(match: re.Match[bytes]) -> bytes | None:
    """A quoted element, or a bare one: trailing space that is not escaped goes, NULL in any case is null."""
    if match[2] is not None:
        return _BACKSLASHED.sub(rb"\1", match[2])
    raw: bytes = match[3]
    if b"\\" not in raw:
        bare = raw.rstrip(_SPACE)
        return None if bare.upper() == b"NULL" else bare
    pieces = [(m[1], True) if m[1] is not None else (m[0], False) for m in re.finditer(rb"(?s)\\(.)|[^\\]+", raw)]
    text, escaped = pieces[-1]
    if not escaped:
        pieces[-1] = (text.rstrip(_SPACE), False)
    return b"".join(piece for piece, _ in pieces)


def print_text(dimensions: Dimensions, elements: Sequence[bytes | None]) -> bytes:
    """array_out: the elements' own text in, braces, quotes and, where they are not 1, bounds added."""
    if not dimensions.sizes:
        return b"{}"
    prefix = b""
    if any(low != 1 for low in dimensions.lower):
        prefix = (
            b"".join(
                b"[%d:%d]" % (low, low + size - 1) for low, size in zip(dimensions.lower, dimensions.sizes, strict=True)
            )
            + b"="
        )
    parts = [b"NULL" if element is None else _quote(element) for element in elements]
    for size in reversed(dimensions.sizes):
        parts = [b"{" + b",".join(parts[i : i + size]) + b"}" for i in range(0, len(parts), size)]
    return prefix + parts[0]


def _quote(element: bytes) -> bytes:
    if element and element.upper() != b"NULL" and not _NEEDS_QUOTES.search(element):
        return element
    return b'"' + element.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def parse_binary(data: bytes, element_oid: int | None) -> tuple[Dimensions, list[bytes | None]]:
    """array_recv, down to the elements' own binary form; `element_oid` None takes any.

    Raises InvalidValue 22P03, 42804, 08P01, 54000.
    """
    if len(data) < _HEADER.size:
        raise InvalidValue("insufficient data left in message", sqlstate="08P01")
    count, flags, oid = _HEADER.unpack_from(data)
    if count < 0:
        raise InvalidValue("invalid number of dimensions", sqlstate="22P03")
    if count > MAX_DIMENSIONS:
        raise InvalidValue(
            f"number of array dimensions exceeds the maximum allowed ({MAX_DIMENSIONS})", sqlstate="54000"
        )
    if flags not in (0, 1):
        raise InvalidValue("invalid array flags", sqlstate="22P03")
    if element_oid is not None and oid != element_oid:
        raise InvalidValue(
            f"binary data has array element type {oid} instead of expected {element_oid}", sqlstate="42804"
        )
    position = _HEADER.size
    if len(data) < position + 8 * count:
        raise InvalidValue("insufficient data left in message", sqlstate="08P01")
    pairs = [_DIMENSION.unpack_from(data, position + 8 * i) for i in range(count)]
    position += 8 * count
    sizes, lower = tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)
    if any(size < 0 for size in sizes):
        raise _too_large()
    _check_bounds(sizes, lower)
    total = math.prod(sizes) if sizes else 0
    elements: list[bytes | None] = []
    for _ in range(total):
        if len(data) < position + 4:
            raise InvalidValue("insufficient data left in message", sqlstate="08P01")
        size = int.from_bytes(data[position : position + 4], "big", signed=True)
        position += 4
        if size == -1:
            elements.append(None)
            continue
        if size < -1 or size > len(data) - position:
            raise InvalidValue("insufficient data left in message", sqlstate="22P03")
        elements.append(data[position : position + size])
        position += size
    if position != len(data):
        raise InvalidValue("incorrect binary data format", sqlstate="22P03")
    return Dimensions(sizes, lower, bool(flags)) if total else Dimensions(), elements


def print_binary(element_oid: int, dimensions: Dimensions, elements: Sequence[bytes | None]) -> bytes:
    """array_send."""
    pieces = [_HEADER.pack(len(dimensions.sizes), int(dimensions.has_nulls or None in elements), element_oid)]
    pieces += [_DIMENSION.pack(*pair) for pair in zip(dimensions.sizes, dimensions.lower, strict=True)]
    for element in elements:
        pieces.append(b"\xff\xff\xff\xff" if element is None else len(element).to_bytes(4, "big") + element)
    return b"".join(pieces)


def each(convert: Callable[[bytes], bytes], elements: Sequence[bytes | None]) -> list[bytes | None]:
    return [None if element is None else convert(element) for element in elements]
