"""The rows of COPY by the options of the statement, and by the kernel where it knows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from unittest import mock

import pytest

from proxy.errors import InvalidValue, Refused
from proxy.session import copying
from proxy.session.copying import CopyTransform
from proxy.sql.plan import CopyFormat, CopyPlan
from proxy.wire.codecs import Settings
from proxy.wire.messages import message
from tests.session.playbook import EMAIL, Sealers, seal

SETTINGS = Settings()
TEXT = CopyPlan(True, CopyFormat.TEXT, (None, EMAIL), (None, EMAIL.type))
CSV = replace(TEXT, format=CopyFormat.CSV, delimiter=",", null="")


def transform_of(plan: CopyPlan, *, max_row: int = 1000) -> CopyTransform:
    return CopyTransform(plan, SETTINGS, Sealers(), max_row=max_row)


def copied(plan: CopyPlan, data: bytes) -> bytes:
    transform = transform_of(plan)
    return transform.feed(data) + transform.finish()


def hexed(plain: bytes) -> bytes:
    return seal(plain).hex().encode()


def field(plain: bytes) -> bytes:
    """A sealed value in a row of the text format, where backslashes are doubled."""
    return b"\\\\x" + hexed(plain)


# -- options -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "given", "sent"),
    [
        (replace(TEXT, delimiter="|"), b"7|ann\n", b"7|" + field(b"ann") + b"\n"),
        (replace(TEXT, null="-"), b"-\t-\n", b"-\t-\n"),
        (replace(TEXT, encoding="LATIN1"), b"7\t\xeb\n", b"7\t" + field("ë".encode()) + b"\n"),
        (replace(TEXT, default="?"), b"?\t?\n7\tann\n", b"?\t?\n7\t" + field(b"ann") + b"\n"),
        (CSV, b'7,"a,b"\n', b"7,\\x" + hexed(b"a,b") + b"\n"),
        (replace(CSV, delimiter="e"), b"7eann\n", b'7e"\\x' + hexed(b"ann") + b'"\n'),
        (replace(CSV, quote="1", escape="1"), b"7,1a,b1\n", b"7,1\\x" + hexed(b"a,b").replace(b"1", b"11") + b"1\n"),
        (replace(CSV, escape="\\"), b'7,"a\\"b"\n', b"7,\\x" + hexed(b'a"b') + b"\n"),
        (replace(CSV, force_not_null=frozenset((1,))), b"7,\n", b"7,\\x" + hexed(b"") + b"\n"),
        (replace(CSV, force_null=frozenset((1,))), b'7,""\n', b'7,""\n'),
        (replace(CSV, quote="'"), b"7,'x'\n", b"7,\\x" + hexed(b"x") + b"\n"),
    ],
)
def test_rows_are_sealed_as_the_options_say(plan: CopyPlan, given: bytes, sent: bytes) -> None:
    assert copied(plan, given) == sent


def test_what_follows_the_end_of_the_rows_is_not_for_the_server() -> None:
    transform = transform_of(TEXT)
    assert transform.feed(b"7\tann\n\\.\n8\tbob\n") == b"7\t" + field(b"ann") + b"\n"
    assert transform.feed(b"9\tcyd\n") == b""
    assert transform.finish() == b""


def test_a_row_that_cannot_be_sealed_is_the_first_fault_that_is_told() -> None:
    plan = replace(TEXT, encoding="LATIN1")
    with pytest.raises(InvalidValue) as failed:
        transform_of(plan).feed(b"7\ta\\000b\n8\tx\ty\n")
    assert failed.value.sqlstate == "22021"


def test_rows_that_are_malformed_fail_as_in_postgresql() -> None:
    with pytest.raises(InvalidValue) as failed:
        transform_of(TEXT).feed(b"7\n")
    assert failed.value.sqlstate == "22P04"
    with pytest.raises(Refused, match="1000 bytes") as refused:
        transform_of(TEXT).feed(b"7" * 1001)
    assert refused.value.sqlstate == "54000"


# -- with a kernel that converts rows ----------------------------------------------------------------------------------


class Rows:
    """Stands in for the kernel's: it takes lines without "!", and shows what it took."""

    def convert(self, data: bytearray) -> tuple[bytes, int]:
        taken = bytes(data[: data.rfind(b"\n") + 1])
        if b"!" in taken:
            taken = taken[: taken.rfind(b"\n", 0, taken.index(b"!")) + 1]
        return b"".join(b"<" + line + b">" for line in taken.splitlines()), len(taken)

    def messages(self, data: bytes, at: int) -> tuple[bytes, int]:
        return b"<" + data[at:] + b">", len(data)


def with_kernel(plan: CopyPlan, made: Callable[..., Rows | None]) -> CopyTransform:
    with mock.patch.object(copying, "kernel", SimpleNamespace(copy_rows=made)):
        return transform_of(plan)


def test_rows_are_the_kernels_however_they_are_cut_and_what_it_leaves_is_read_one_by_one() -> None:
    transform = with_kernel(TEXT, lambda *_, **__: Rows())  # once a first row has begun the data
    assert transform.feed(b"1\tann\n2\tb") == b"1\t" + field(b"ann") + b"\n"
    assert transform.feed(b"ob\n3\tcyd\n4\td!\n5\te\n6\t") == (
        b"<2\tbob><3\tcyd>" + b"4\t" + field(b"d!") + b"\n<5\te>"
    )
    assert transform.feed(b"fay\n") == b"<6\tfay>"
    assert transform.finish() == b""


def test_messages_of_the_server_are_the_kernels_where_a_row_begins() -> None:
    transform = with_kernel(replace(TEXT, is_from=False), lambda *_, **__: Rows())
    rows = message(b"d", b"1\t" + field(b"ann") + b"\n")
    assert transform.open_messages(rows, 0) == (b"", 0)  # the data has not begun
    assert transform.feed(rows[5:]) == b"1\tann\n"
    assert transform.open_messages(rows * 2, len(rows)) == (b"<" + rows + b">", 2 * len(rows))
    assert transform.feed(b"2\t") == b""  # half a row
    assert transform.open_messages(rows, 0) == (b"", 0)


@pytest.mark.parametrize(
    ("plan", "options"),
    [
        (TEXT, {"delimiter": 9, "null": b"\\N", "quote": -1, "escape": -1, "seals": True}),
        (CSV, {"delimiter": 44, "null": b"", "quote": 34, "escape": 34, "seals": True}),
        (
            replace(TEXT, format=CopyFormat.BINARY, is_from=False),
            {"delimiter": 9, "null": b"\\N", "quote": -2, "escape": -2, "seals": False},
        ),
        (replace(TEXT, default="?"), None),
        (replace(CSV, is_from=False, force_quote=frozenset((0,))), None),
        (replace(CSV, force_null=frozenset((0,))), None),
        (replace(CSV, force_not_null=frozenset((0,))), None),
        (replace(CSV, delimiter="e"), None),
        (replace(CSV, quote="1"), None),
        (replace(CSV, quote="é"), None),
        (replace(TEXT, columns=(), types=()), None),
    ],
)
def test_the_kernel_is_asked_where_it_would_know_the_rows(plan: CopyPlan, options: dict[str, object] | None) -> None:
    asked: list[dict[str, object]] = []
    with_kernel(plan, lambda _cells, **given: asked.append(given))
    assert asked == ([] if options is None else [options])
