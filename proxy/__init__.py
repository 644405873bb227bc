"""Sealwire: a field-level encryption proxy for PostgreSQL."""

__version__ = "0.1.0"
