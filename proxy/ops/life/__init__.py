"""The life of a column over live data: seal, unseal and reseal, which share one engine.

    target.py      what the catalog says about the columns to be worked on
    dependents.py  what hangs on them: indexes, constraints, views, grants...; what cannot be carried is an objection
    rewrite.py     judgements about the SQL text of those objects
    recipe.py      value in, value out; in this process or in several
    rows.py        COPY's binary format, which rows travel in
    fill.py        batches: read, convert, write
    ledger.py      sealwire.jobs: where each job stands, so that it can be killed at any moment
    swap.py        the statements that install the shadow and that put it into the column's place
    online.py      the job on a table in use;  inplace.py: one rewrite under a lock;  rotate.py: random columns in place

A value is never written to any place but the column itself (and, on the way, a temporary table of ciphertext; of
plaintext only where `unseal` makes the column plain anyway).
"""
