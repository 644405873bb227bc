-- The schema `sealwire`, version 1: the domain that every sealed column has, and the aggregates that the proxy needs.
--
-- Any role with CREATE on the database may run this, as often as it likes: `sealwire init --dsn ...` does, in one
-- transaction, and `psql -1 -f schema.sql` does the same. It needs no superuser and no extension.

CREATE SCHEMA IF NOT EXISTS sealwire;
COMMENT ON SCHEMA sealwire IS 'Sealwire: the type of sealed columns, and what the proxy needs to query them';

-- A sealed value, format 1: 0xE1, the scheme, the key id in 4 bytes, then
--   1 random    nonce 12, ciphertext, tag 16
--   2 equality  synthetic IV 16, ciphertext
--   3 order     prefix of 2 bytes a bit, synthetic IV 16, ciphertext
-- The constraint makes the database itself refuse plaintext, also from those who go round the proxy.
DO $$
BEGIN
    IF pg_catalog.to_regtype('sealwire.sealed') IS NULL THEN
        CREATE DOMAIN sealwire.sealed AS pg_catalog.bytea
            CONSTRAINT sealed_header CHECK (
                CASE
                    WHEN VALUE IS NULL THEN true
                    WHEN pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.<) 22 THEN false
                    WHEN pg_catalog.get_byte(VALUE, 0) OPERATOR(pg_catalog.<>) 225 THEN false
                    ELSE
                        CASE pg_catalog.get_byte(VALUE, 1)
                            WHEN 1 THEN pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.>=) 34
                            WHEN 2 THEN true
                            WHEN 3 THEN pg_catalog.octet_length(VALUE) OPERATOR(pg_catalog.>=) 24
                            ELSE false
                        END
                END
            );
    END IF;
END
$$;
COMMENT ON DOMAIN sealwire.sealed IS 'A value sealed by Sealwire; NULL stays NULL';

-- min() and max() of ordered columns. PostgreSQL has them for bytea from version 18 only. They take bytea, because an
-- aggregate's sort operator has to be that of its argument type, and it is the sort operator that lets the planner
-- answer from an index. STRICT functions without an initial value: NULLs are skipped, no row gives NULL.
CREATE OR REPLACE FUNCTION sealwire.smaller(pg_catalog.bytea, pg_catalog.bytea) RETURNS pg_catalog.bytea
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS 'SELECT CASE WHEN $1 OPERATOR(pg_catalog.<=) $2 THEN $1 ELSE $2 END';

CREATE OR REPLACE FUNCTION sealwire.larger(pg_catalog.bytea, pg_catalog.bytea) RETURNS pg_catalog.bytea
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS 'SELECT CASE WHEN $1 OPERATOR(pg_catalog.>=) $2 THEN $1 ELSE $2 END';

CREATE OR REPLACE AGGREGATE sealwire.min(pg_catalog.bytea) (
    SFUNC = sealwire.smaller,
    STYPE = pg_catalog.bytea,
    COMBINEFUNC = sealwire.smaller,
    SORTOP = OPERATOR(pg_catalog.<),
    PARALLEL = SAFE
);

CREATE OR REPLACE AGGREGATE sealwire.max(pg_catalog.bytea) (
    SFUNC = sealwire.larger,
    STYPE = pg_catalog.bytea,
    COMBINEFUNC = sealwire.larger,
    SORTOP = OPERATOR(pg_catalog.>),
    PARALLEL = SAFE
);

-- What `sealwire init` reads to know whether there is anything to do. Last, so that it speaks for all of the above.
CREATE OR REPLACE FUNCTION sealwire.version() RETURNS pg_catalog.int4
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS 'SELECT 1';

GRANT USAGE ON SCHEMA sealwire TO PUBLIC;
GRANT USAGE ON TYPE sealwire.sealed TO PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA sealwire TO PUBLIC;
