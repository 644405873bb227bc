"""Random conversations with PostgreSQL directly and through the proxy, compared message by message."""
