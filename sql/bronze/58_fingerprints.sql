-- bronze.fingerprint: how many rows a source has, and a digest over all of them that does not depend on their order. Two databases with the same have
-- the same rows. Reads every row.
CREATE OR REPLACE FUNCTION bronze.fingerprint(source_name text) RETURNS TABLE (row_count bigint, digest text)
LANGUAGE plpgsql
STABLE
AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT count(*), to_hex(coalesce(bit_xor(hashtextextended(
            concat_ws(''|'', r.id, r.lineage_id, r.version, r.ingested_at, r.source_timestamp, r.validation_status, r.metadata, r.raw_data), 0
        )), 0)) FROM public.%I AS r',
        'bronze_' || source_name
    );
END
$$;
COMMENT ON FUNCTION bronze.fingerprint(text) IS 'Number of rows of a source, and a digest over them; reads every row.';

-- bronze.fingerprints: the same for all sources, and the numbers of entries in the control tables.
CREATE OR REPLACE VIEW bronze.fingerprints AS
SELECT
    'bronze_' || s.source AS name,
    f.row_count,
    f.digest
FROM bronze.sources AS s
CROSS JOIN LATERAL bronze.fingerprint(s.source) AS f
UNION ALL
SELECT
    'bronze.heads' AS name,
    count(*) AS row_count,
    to_hex(coalesce(bit_xor(hashtextextended(concat_ws('|', h.stream_id, h.raw_id, h.version, h.content_hash, h.row_id), 0)), 0)) AS digest
FROM bronze.heads AS h
UNION ALL
SELECT
    'bronze.dead_letters' AS name,
    count(*) AS row_count,
    to_hex(coalesce(bit_xor(hashtextextended(concat_ws('|', d.id, d.original_hash, d.status), 0)), 0)) AS digest
FROM bronze.dead_letters AS d;
COMMENT ON VIEW bronze.fingerprints IS 'Rows and digest of every source, of the heads and of the dead letters; reads every row.';
