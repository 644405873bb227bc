"""Sealing: value format, schemes, keyring, master-key providers. Knows no SQL and no wire."""
