-- bronze.table_fingerprint: how many rows a table has, and a digest over all columns of all rows that does not depend on their order. Two tables with the same
-- have the same rows. Reads every row. The settings are those by which a row is written as text, whatever a server has.
CREATE OR REPLACE FUNCTION bronze.table_fingerprint(relation regclass) RETURNS TABLE (row_count bigint, digest text)
LANGUAGE plpgsql
STABLE
SET datestyle = 'ISO'
SET intervalstyle = 'postgres'
SET extra_float_digits = 1
SET bytea_output = 'hex'
AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT count(*), to_hex(coalesce(bit_xor(hashtextextended(r::text, 0)), 0)) FROM %s AS r', relation);
END
$$;
COMMENT ON FUNCTION bronze.table_fingerprint(regclass) IS 'Number of rows of a table, and a digest over all of their columns; reads every row.';

-- bronze.fingerprint: the same for a source.
CREATE OR REPLACE FUNCTION bronze.fingerprint(source_name text) RETURNS TABLE (row_count bigint, digest text)
LANGUAGE sql
STABLE
AS $$
    SELECT f.row_count, f.digest FROM bronze.table_fingerprint(to_regclass(format('public.%I', 'bronze_' || source_name))) AS f
$$;
COMMENT ON FUNCTION bronze.fingerprint(text) IS 'Number of rows of a source, and a digest over them; reads every row.';

-- bronze.fingerprints: all sources, and the control tables.
CREATE OR REPLACE VIEW bronze.fingerprints AS
SELECT
    'bronze_' || s.source AS name,
    f.row_count,
    f.digest
FROM bronze.sources AS s
CROSS JOIN LATERAL bronze.fingerprint(s.source) AS f
UNION ALL
SELECT
    -- names in pg_class are ordered by bytes, and the column of a view keeps its order; "default" is a collation
    'bronze.' || (c.relname::text COLLATE "default") AS name, -- noqa: RF02
    f.row_count,
    f.digest
FROM pg_class AS c
CROSS JOIN LATERAL bronze.table_fingerprint(c.oid) AS f
WHERE c.relnamespace = 'bronze'::regnamespace AND c.relkind = 'r';
COMMENT ON VIEW bronze.fingerprints IS 'Rows and digest of every source and of every control table; reads every row.';
