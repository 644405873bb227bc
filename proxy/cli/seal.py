"""`sealwire seal`: plaintext becomes a sealed column while applications go on."""

from __future__ import annotations

from proxy.cli.life import changing
from proxy.ops.life.recipe import Operation

seal = changing(Operation.SEAL, "Turn existing plaintext into sealed columns. Safe to stop; the same command goes on.")
