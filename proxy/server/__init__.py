"""The asyncio edge: listeners, TLS, upstream connections, reload, shutdown, workers."""
