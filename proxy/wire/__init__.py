"""The PostgreSQL protocol, sans-IO: bytes in, messages out. Knows no asyncio, no crypto, no SQL."""
