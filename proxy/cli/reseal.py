"""`sealwire reseal`: another key, another search, another type modifier."""

from __future__ import annotations

from typing import Annotated

import typer

from proxy.cli.life import changing
from proxy.ops.life.plan import Before
from proxy.ops.life.recipe import Operation
from proxy.pgtypes import parse_type


def _before(
    from_type: Annotated[
        str | None, typer.Option(help="The type under which an ordered column was sealed, where the policy changed it.")
    ] = None,
    from_max_length: Annotated[
        int | None, typer.Option(help="The max_length under which an ordered column was sealed, likewise.")
    ] = None,
) -> Before:
    try:
        return Before(None if from_type is None else parse_type(from_type), from_max_length)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--from-type") from None


reseal = changing(
    Operation.RESEAL,
    "Seal sealed columns anew, under the policy and the keyring as they are now. Safe to stop.",
    _before,
)
