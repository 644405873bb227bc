"""Binds of one prepared statement, which differ from time to time in their values alone: the rest is made once."""

from __future__ import annotations

from dataclasses import dataclass

from proxy import kernel
from proxy.session import rewriting
from proxy.session.conversation import Prepared
from proxy.session.molds import UINT16
from proxy.session.values import BINARY_FORMAT, Convert, Sealers
from proxy.wire import messages
from proxy.wire.codecs import Settings
from proxy.wire.messages import Bind


@dataclass(frozen=True, slots=True)
class Heads:
    """What is in front of the values of a Bind, from its names to their number."""

    client: bytes
    server: bytes
    params: list[tuple[int, Convert | None]] | None
    """Client's index and sealing function of each of the server's parameters; None: the Bind passes as it is."""


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """The last Bind of a statement but for its values, and what it rests on."""

    settings: Settings
    sealers: Sealers
    functions: object
    form: kernel.BindForm
    portal: bytes
    formats: tuple[int, ...]
    """Of the results."""


def heads_of(bind: Bind, prepared: Prepared, settings: Settings, sealers: Sealers) -> Heads:
    """Raises Refused for a wrong number of parameters or formats. No parameter is joined or absorbed."""
    names = bind.portal + b"\0" + bind.statement + b"\0"
    head = names + messages.pack_formats(bind.formats) + UINT16.pack(len(bind.values))
    if prepared.plan.params is None:
        return Heads(head, head, None)
    functions, formats = rewriting.parameter_functions(bind, prepared, settings, sealers)
    params = [(param.client, seal) for param, seal in zip(prepared.plan.params, functions, strict=True)]
    server_formats = [formats[client] if seal is None else BINARY_FORMAT for client, seal in params]
    return Heads(head, names + messages.pack_formats(server_formats) + UINT16.pack(len(params)), params)


def sealed_bind(
    raw: bytes, prepared: Prepared, settings: Settings, sealers: Sealers
) -> tuple[bytes, bytes, tuple[int, ...]]:
    """A Bind -> the server's Bind, the name of the portal, the formats of the results. Raises Refused as PostgreSQL
    would for a wrong number of parameters or a bad value, ProtocolViolation for a malformed message."""
    known = prepared.bound
    if (
        known is not None
        and known.settings is settings
        and known.sealers is sealers
        and known.functions is prepared.functions
        and (made := known.form.sealed(raw)) is not None
    ):
        return made, known.portal, known.formats
    bind = messages.parse_bind(raw)
    params = prepared.plan.params
    if params is not None:
        raw = messages.build_bind(rewriting.seal_parameters(bind, prepared, settings, sealers))
    if not any(param.is_joined or param.absorbed for param in params or ()):
        heads, tail = heads_of(bind, prepared, settings, sealers), messages.pack_formats(bind.result_formats)
        form = kernel.BindForm(heads.client, len(bind.values), tail, b"", heads.server, heads.params)
        prepared.bound = Bound(settings, sealers, prepared.functions, form, bind.portal, bind.result_formats)
    return raw, bind.portal, bind.result_formats
