"""From a plan and the client's message to what the server gets: spliced text, mapped types, sealed parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from proxy.config import DatabasePolicy, Scheme
from proxy.errors import Refused
from proxy.pgtypes import BYTEA_OID, FIRST_NORMAL_OID
from proxy.session.conversation import LiteralKeys, Portal, Prepared
from proxy.session.names import Change
from proxy.session.values import (
    BINARY_FORMAT,
    BYTEA_ARRAY_OID,
    Convert,
    Sealers,
    joining_function,
    literal_function,
    sealing_function,
)
from proxy.sql.plan import TEXT, Effect, Plan, Sealing, ServerParam
from proxy.wire.codecs import Settings
from proxy.wire.frames import HEADER
from proxy.wire.messages import Bind, Parse, build_parse, spread_formats

AnyChange = Change[Prepared] | Change[Portal]
_SET_CONFIG_OID: Final = 2078


def splice(plan: Plan, settings: Settings, sealers: Sealers) -> str | None:
    """The statement's text for the server; None: its own. Raises Refused for a literal that cannot be sealed."""
    if plan.template is None:
        return None
    parts = [plan.template[0]]
    functions: dict[int, Callable[[str], str]] = {}  # a statement's literals share few Sealings
    for slot, text in zip(plan.literals, plan.template[1:], strict=True):
        function = functions.get(id(slot.sealing))
        if function is None:
            function = functions[id(slot.sealing)] = literal_function(slot.sealing, settings, sealers)
        parts += (function(slot.text), text)
    return "".join(parts)


def literal_keys(plan: Plan, sealers: Sealers) -> LiteralKeys:
    """The key of each literal that is sealed into the statement's text, but where any key will do."""
    columns = dict.fromkeys(slot.sealing.column for slot in plan.literals)
    return tuple((column, sealers.key_of(column)) for column in columns if column.scheme is not Scheme.RANDOM)


def are_in_force(keys: LiteralKeys, sealers: Sealers) -> bool:
    """False: a literal in a statement's text is sealed under a key that its column does not lie under any more."""
    return all(sealers.key_of(column) == key for column, key in keys)


def join(pieces: Sequence[str]) -> str:
    """Statements -> one Query string. The line break ends a comment that a statement may end with."""
    return "\n;".join(piece.rstrip().rstrip(";") for piece in pieces)


def is_copy(plan: Plan) -> bool:
    return plan.copy is not None or plan.tag == "COPY"


def effects_of_call(raw: bytes, policy: DatabasePolicy) -> Effect:
    """What a FunctionCall may change. It names the function by OID and its arguments are not sealed, so it must not be
    a declared one. Raises Refused."""
    oid = int.from_bytes(raw[HEADER : HEADER + 4], "big")
    if oid < FIRST_NORMAL_OID and oid != _SET_CONFIG_OID:
        return Effect.NONE
    if policy.functions:
        raise Refused("FunctionCall cannot be used where columns.yaml declares functions", hint="call it in a SELECT")
    return Effect.CATALOG | Effect.SETTINGS


def parsed(
    parse: Parse, text: str, plan: Plan, settings: Settings, sealers: Sealers, encode: Callable[[str], bytes]
) -> tuple[bytes | None, str]:
    """The server's Parse, None where it is the client's own, and the text that the server gets. Raises Refused."""
    piece = splice(plan, settings, sealers)
    types = parse.types if plan.params is None else server_types(plan.params, parse.types)
    if piece is None and types == parse.types:
        return None, text
    query = parse.query if piece is None else encode(piece)
    return build_parse(Parse(parse.statement, query, types)), text if piece is None else piece


def server_type(sealing: Sealing) -> int:
    return BYTEA_ARRAY_OID if sealing.is_array else BYTEA_OID


def server_types(params: Sequence[ServerParam], declared: Sequence[int]) -> tuple[int, ...]:
    """Parameter types for the server's Parse: bytea for what is sealed, else what the client declared."""
    return tuple(
        server_type(param.sealing)
        if param.sealing is not None
        else TEXT.oid
        if param.absorbed
        else (declared[param.client] if param.client < len(declared) else 0)
        for param in params
    )


def client_types(prepared: Prepared, params: Sequence[ServerParam], reported: Sequence[int]) -> list[int]:
    """The server's ParameterDescription -> the client's; `params` are the statement's as planned. Raises Refused where
    the two contradict each other."""
    if len(params) != len(reported):
        raise Refused("the server reports another number of parameters than was planned", sqlstate="XX000")
    types = [prepared.types[i] if i < len(prepared.types) else 0 for i in range(prepared.parameter_count)]
    for param, oid in zip(params, reported, strict=True):
        if param.sealing is not None and oid != server_type(param.sealing):
            raise Refused("the server reports another type for a sealed parameter than was planned", sqlstate="XX000")
        if not types[param.client]:
            types[param.client] = param.absorbed or (oid if param.sealing is None else _seen(param, param.sealing))
    return types


def seal_parameters(bind: Bind, prepared: Prepared, settings: Settings, sealers: Sealers) -> Bind:
    """The server's Bind. Raises Refused as PostgreSQL would for a wrong number of parameters or a bad value."""
    functions, formats = parameter_functions(bind, prepared, settings, sealers)
    values: list[bytes | None] = []
    server_formats: list[int] = []
    for param, function in zip(prepared.plan.params or (), functions, strict=True):
        value = bind.values[param.client]
        if param.absorbed:
            server_formats.append(BINARY_FORMAT)
            values.append(None)
        elif param.is_joined:
            server_formats.append(BINARY_FORMAT)
            values.append(_joined(param, bind.values, formats, settings, sealers))
        elif function is None:
            server_formats.append(formats[param.client])
            values.append(value)
        else:
            server_formats.append(BINARY_FORMAT)
            values.append(None if value is None else function(value))
    return bind._replace(formats=tuple(server_formats), values=values)


def parameter_functions(
    bind: Bind, prepared: Prepared, settings: Settings, sealers: Sealers
) -> tuple[list[Convert | None], tuple[int, ...]]:
    """What seals each of the server's parameters, None for what passes, and the format of each of the client's.
    Raises Refused as PostgreSQL would for a wrong number of parameters or formats."""
    count = prepared.parameter_count
    formats = spread_formats(bind.formats, len(bind.values))
    if formats is None:
        raise Refused(
            f"bind message has {len(bind.formats)} parameter formats but {len(bind.values)} parameters",
            sqlstate="08P01",
        )
    if len(bind.values) != count:
        shown = bind.statement.decode(errors="replace")
        raise Refused(
            f'bind message supplies {len(bind.values)} parameters, but prepared statement "{shown}" requires {count}',
            sqlstate="08P01",
        )
    return _functions(prepared, formats, settings, sealers), formats


def _seen(param: ServerParam, sealing: Sealing) -> int:
    """OID of the type that the client sees: of ARRAY[$1, $2], that of an element."""
    kind = sealing.client_type
    return kind.element.oid if param.is_joined else kind.oid


def _joined(
    param: ServerParam, values: Sequence[bytes | None], formats: Sequence[int], settings: Settings, sealers: Sealers
) -> bytes | None:
    assert param.sealing is not None  # noqa: S101  (what is made of several is sealed)
    parts = (param.client, *param.more)
    join = joining_function(param.sealing, [formats[part] for part in parts], settings, sealers)
    return join([values[part] for part in parts])


def _functions(
    prepared: Prepared, formats: tuple[int, ...], settings: Settings, sealers: Sealers
) -> list[Convert | None]:
    """What seals each server parameter, made once per settings and formats."""
    key = (settings, formats, sealers)
    if prepared.functions is not None and prepared.functions[0] == key:
        return prepared.functions[1]
    made: list[Convert | None] = []
    for param in prepared.plan.params or ():
        if param.sealing is None or param.is_joined:
            made.append(None)
            continue
        if formats[param.client] not in (0, 1):
            raise Refused(f"unsupported format code: {formats[param.client]}", sqlstate="22023")
        made.append(sealing_function(param.sealing, formats[param.client], settings, sealers))
    prepared.functions = (key, made)
    return made
