"""The oracle: every statement gives PostgreSQL's answer, or a refusal that names the way out.

See tests/support/oracle.py.
"""
