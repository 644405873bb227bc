"""Statement -> Plan. Pure: no IO, no keys, no wire."""
