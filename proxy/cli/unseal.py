"""`sealwire unseal`: the way back; sealed columns become plaintext while applications go on."""

from __future__ import annotations

from proxy.cli.life import changing
from proxy.ops.life.recipe import Operation

unseal = changing(
    Operation.UNSEAL,
    "Turn sealed columns back into plaintext of the policy's type. Safe to stop; the same command goes on.",
)
