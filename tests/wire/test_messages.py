"""Messages: what is built is read back, and every cut or stretch of it is a violation."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import ProtocolViolation
from proxy.wire import messages
from proxy.wire.messages import Bind, Column, Parse, Target, message

names = st.binary(max_size=20).filter(lambda name: b"\0" not in name)
formats = st.lists(st.integers(0, 1), max_size=4).map(tuple)
fields = st.lists(st.none() | st.binary(max_size=20), max_size=6)


@given(st.builds(Parse, names, names, st.lists(st.integers(0, 2**32 - 1), max_size=5).map(tuple)))
def test_parse(parse: Parse) -> None:
    assert messages.parse_parse(messages.build_parse(parse)) == parse


@given(st.builds(Bind, names, names, formats, fields, formats))
def test_bind(bind: Bind) -> None:
    raw = messages.build_bind(bind)
    assert messages.parse_bind(raw) == bind
    assert messages.bind_names(raw) == (bind.portal, bind.statement)


@given(fields)
def test_data_row(values: list[bytes | None]) -> None:
    assert messages.parse_data_row(messages.build_data_row(values)) == values


@given(
    st.lists(
        st.builds(
            Column,
            names,
            st.integers(0, 2**32 - 1),
            st.integers(-10, 1600),
            st.integers(0, 2**32 - 1),
            st.integers(-2, 16),
            st.integers(-1, 2**31 - 1),
            st.integers(0, 1),
        ),
        max_size=4,
    )
)
def test_row_description(columns: list[Column]) -> None:
    assert messages.parse_row_description(messages.build_row_description(columns)) == columns


@given(st.lists(st.tuples(st.sampled_from([b"S", b"C", b"M", b"D"]), names), max_size=5))
def test_error_fields(found: list[tuple[bytes, bytes]]) -> None:
    assert messages.parse_fields(messages.build_fields(b"E", found)) == found


SAMPLES: list[tuple[Callable[[bytes], object], bytes]] = [
    (messages.parse_query, messages.build_query(b"SELECT 1")),
    (messages.parse_parse, messages.build_parse(Parse(b"s", b"SELECT $1", (23, 0)))),
    (messages.parse_bind, messages.build_bind(Bind(b"p", b"s", (0, 1), [b"abc", None], (1,)))),
    (messages.parse_target, messages.build_describe(Target(b"S", b"s"))),
    (messages.parse_target, messages.build_close(Target(b"P", b"p"))),
    (messages.parse_execute, messages.build_execute(b"p", 5)),
    (messages.parse_data_row, messages.build_data_row([b"abc", None, b""])),
    (messages.parse_row_description, messages.build_row_description([Column(b"a", 1, 2, 3, 4, 5, 0)])),
    (messages.parse_parameter_description, messages.build_parameter_description([23, 17])),
    (messages.parse_fields, messages.build_fields(b"E", [(b"C", b"42P01"), (b"M", b"gone")])),
    (messages.parse_ready, messages.build_ready(b"T")),
    (messages.parse_parameter_status, messages.message(b"S", b"TimeZone\0UTC\0")),
    (messages.parse_sasl_mechanisms, messages.build_sasl_mechanisms([b"SCRAM-SHA-256"])),
    (messages.parse_sasl_initial, messages.build_sasl_initial(b"SCRAM-SHA-256", b"n,,n=,r=x")),
    (messages.parse_negotiation, messages.build_negotiation(196608, [b"_pq_.a", b"_pq_.b"])),
]


@pytest.mark.parametrize(("read", "raw"), SAMPLES)
def test_a_body_must_end_where_its_message_ends(read: Callable[[bytes], object], raw: bytes) -> None:
    read(raw)
    for cut in range(5, len(raw)):
        with pytest.raises(ProtocolViolation):
            read(raw[:cut])
    with pytest.raises(ProtocolViolation):
        read(raw + b"\0")


@pytest.mark.parametrize(("read", "raw"), SAMPLES)
@given(st.data())
def test_any_body_is_read_or_is_a_violation(read: Callable[[bytes], object], raw: bytes, data: st.DataObject) -> None:
    body = data.draw(st.binary(max_size=40))
    with suppress(ProtocolViolation):
        read(raw[:5] + body)


@pytest.mark.parametrize(
    ("given_formats", "count", "spread"),
    [((), 2, (0, 0)), ((1,), 2, (1, 1)), ((0, 1), 2, (0, 1)), ((0, 1), 3, None), ((1,), 0, ()), ((1, 1), 0, None)],
)
def test_formats_are_spread_over_columns(
    given_formats: tuple[int, ...], count: int, spread: tuple[int, ...] | None
) -> None:
    assert messages.spread_formats(given_formats, count) == spread


def test_the_names_of_a_bind_are_read_though_the_rest_is_still_to_come() -> None:
    raw = messages.build_bind(Bind(b"p", b"s", (), [b"x" * 100], ()))
    assert messages.bind_names(raw[:40]) == (b"p", b"s")
    assert messages.parse_bind(raw).values == [b"x" * 100]


def test_a_client_may_begin_sasl_without_data() -> None:
    assert messages.parse_sasl_initial(message(b"p", b"OAUTHBEARER\0\xff\xff\xff\xff")) == (b"OAUTHBEARER", None)


def test_an_authentication_message_is_a_code_and_what_belongs_to_the_method() -> None:
    raw = messages.build_authentication(messages.AUTHENTICATION_SASL_CONTINUE, b"r=x,s=y,i=1")
    assert raw == b"R\0\0\0\x13\0\0\0\x0br=x,s=y,i=1"
    assert messages.parse_authentication(raw) == messages.AUTHENTICATION_SASL_CONTINUE
    assert messages.authentication_data(raw) == b"r=x,s=y,i=1"


def test_copy_fail_carries_its_reason() -> None:
    assert messages.build_copy_fail(b"no more") == b"f\0\0\0\x0cno more\0"


@pytest.mark.parametrize(
    ("fields_", "found"),
    [
        ([(b"S", b"FEHLER"), (b"V", b"ERROR"), (b"V", b"PANIC")], b"ERROR"),
        ([(b"S", b"FATAL")], b"FATAL"),
        ([(b"M", b"gone")], b""),
    ],
)
def test_the_severity_is_the_one_that_is_not_localised(fields_: messages.Fields, found: bytes) -> None:
    assert messages.severity(fields_) == found
    assert messages.field(fields_, b"C") is None


def test_an_unknown_subtype_of_describe_is_a_violation() -> None:
    with pytest.raises(ProtocolViolation, match="invalid DESCRIBE message subtype"):
        messages.parse_target(messages.message(b"D", b"Xa\0"))
