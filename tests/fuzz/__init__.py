"""Fuzzing: what comes in from either side gives a typed error or success, nothing else. See CONTRIBUTING.md."""
