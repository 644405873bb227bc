"""Statement -> Plan. Pure: no IO, no keys, no wire.

`analyse` is the entry, `split` finds the statements of a script, `plan` holds what comes out.
"""

from proxy.sql.analyse import analyse, split

__all__ = ["analyse", "split"]
