"""A server whose answers to the proxy's own queries are not what was asked for: one FATAL error, nothing raised."""

from __future__ import annotations

import json

import pytest

from proxy.errors import ProtocolViolation
from proxy.session.guarding import Guard
from proxy.sql.catalog import load_catalog
from tests.session.playbook import (
    BOUND,
    CATALOG,
    CLOSED,
    PARSED,
    SYNC,
    Talk,
    bind,
    error_fields,
    execute,
    facts,
    parse,
    query,
    row,
)

WHOLE = json.loads(CATALOG)
RELATION = WHOLE["relations"][0]


def changed(document: object, at: tuple[object, ...], value: object) -> str:
    """The document as JSON, one of its parts replaced."""
    copy = json.loads(json.dumps(document))
    part = copy
    for key in at[:-1]:
        part = part[key]
    part[at[-1]] = value
    return json.dumps(copy)


CATALOGS = {
    "no JSON": CATALOG[:-20],
    "nested without end": "[" * 100_000,
    "a list": "[]",
    "null": "null",
    "a part missing": json.dumps({"version": 180001}),
    "no number": changed(WHOLE, ("version",), "18"),
    "no names": changed(WHOLE, ("schemas",), [1]),
    "a relation that is no list": changed(WHOLE, ("relations", 0), "customers"),
    "a relation cut short": changed(WHOLE, ("relations", 0), RELATION[:5]),
    "no OID": changed(WHOLE, ("relations", 0, 0), "16385"),
    "no definition": changed(WHOLE, ("relations", 0, 5), 1),
    "no parents": changed(WHOLE, ("relations", 0, 6), ["x"]),
    "no attributes": changed(WHOLE, ("relations", 0, 7), 7),
    "an attribute that is no list": changed(WHOLE, ("relations", 0, 7, 1), 7),
    "an attribute cut short": changed(WHOLE, ("relations", 0, 7, 1), RELATION[7][1][:4]),
    "an attribute's name that is none": changed(WHOLE, ("relations", 0, 7, 1, 0), 7),
}
SESSIONS = {
    "no schemas": changed(json.loads(facts()), ("schemas",), 7),
    "no name": changed(json.loads(facts()), ("temp",), 7),
    "no reports": changed(json.loads(facts()), ("reported",), {"TimeZone": 1}),
    "no pid": changed(json.loads(facts()), ("pid",), None),
}


def told(talk: Talk) -> dict[str, str]:
    (raw,) = talk.at_client()
    assert talk.session.closing
    return error_fields(raw)


@pytest.mark.parametrize("catalog", CATALOGS.values(), ids=CATALOGS)
def test_a_catalog_of_another_form_ends_the_connection(catalog: str) -> None:
    talk = Talk()
    talk.client(query("SELECT 1"))
    talk.serve_reads(catalog=catalog)
    fields = told(talk)
    assert (fields["V"], fields["C"]) == ("FATAL", "08P01")


@pytest.mark.parametrize("session", SESSIONS.values(), ids=SESSIONS)
def test_session_facts_of_another_form_end_the_connection(session: str) -> None:
    talk = Talk()
    talk.client(parse("SELECT 1"), bind(), execute(), SYNC)
    talk.serve_reads(session_facts=session)
    fields = told(talk)
    assert (fields["V"], fields["C"]) == ("FATAL", "08P01")


def test_two_values_where_one_was_asked_for_end_the_connection() -> None:
    talk = Talk()
    talk.client(query("SELECT 1"))
    talk.at_server()
    talk.server(CLOSED, PARSED, BOUND, row(b"{}", b"{}"))
    assert told(talk)["C"] == "08P01"


@pytest.mark.parametrize(
    "answer",
    [
        row(b"[]", b"[]"),
        row(b"7"),
        row(b"[7]"),
        row(b"[[1, 2, 2, {}, null, 9]]"),
        row(b"[[1, 2, 2, 7, null]]"),
        row(b'[[1, 2, 2, {}, {"email": 7}]]'),
    ],
)
def test_what_a_guard_is_answered_in_another_form_is_a_violation(answer: bytes) -> None:
    guard = Guard((), load_catalog(CATALOG, {}))
    with pytest.raises(ProtocolViolation):
        guard.answered(answer, ends=False)
