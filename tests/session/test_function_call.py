"""FunctionCall: a function called by its OID, its arguments unsealed."""

from __future__ import annotations

import struct

import pytest

from proxy.config import DeclaredFunction, Policy
from proxy.session.refusals import POISON
from proxy.wire.messages import message
from tests.session.playbook import EMAIL, POISONED, Talk, error_fields, kinds, query, ready

LO_OPEN, SET_CONFIG, OWN = 952, 2078, 16_500
DECLARED = DeclaredFunction("*", "public", "put", (("email", EMAIL.name),))


def call(oid: int, argument: bytes = b"ann@example.com") -> bytes:
    return message(b"F", struct.pack(">iHHHi", oid, 1, 0, 1, len(argument)), argument, b"\0\0")


def answered(talk: Talk) -> None:
    talk.server(message(b"V", b"\xff\xff\xff\xff"), ready())
    assert kinds(talk.at_client()) == "VZ"


@pytest.mark.parametrize(("oid", "reads"), [(LO_OPEN, False), (SET_CONFIG, True), (OWN, True)])
def test_what_may_change_the_session_is_looked_at_again(oid: int, reads: bool) -> None:
    talk = Talk().warm()
    talk.client(call(oid))
    assert talk.at_server() == [call(oid)]
    answered(talk)
    talk.client(query("SELECT id FROM customers"))
    assert (b"json_build_object" in b"".join(talk.at_server())) is reads


@pytest.mark.parametrize("size", [20, 100_000])
def test_a_call_is_refused_where_functions_are_declared(size: int) -> None:
    talk = Talk(policy=Policy((EMAIL,), functions=(DECLARED,)), max_message=1 << 17).warm()
    talk.client(call(OWN, b"ann@example.com" + b"x" * size))
    assert talk.at_server() == [query(POISON)]
    assert b"ann@example.com" not in talk.sent
    talk.server(POISONED, ready())
    refusal, end = talk.at_client()
    assert error_fields(refusal)["C"] == "0A000"
    assert error_fields(refusal)["H"] == "call it in a SELECT"
    assert end == ready()


def test_large_objects_are_open_where_functions_are_declared() -> None:
    talk = Talk(policy=Policy((EMAIL,), functions=(DECLARED,))).warm()
    talk.client(call(LO_OPEN))
    assert talk.at_server() == [call(LO_OPEN)]
    answered(talk)
