"""Long jobs over asyncpg: init, check."""
