"""Golden traces: what PostgreSQL answers, byte for byte, and what it answers through the proxy."""
