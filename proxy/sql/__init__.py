"""Statement -> Plan. Pure: no IO, no keys, no wire. `analyse` is the entry; `plan` holds what it answers."""

from proxy.sql.analyse import analyse

__all__ = ["analyse"]
