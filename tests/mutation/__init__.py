"""The mutation check: every rule of the analysis broken on its own must turn the oracle red."""
