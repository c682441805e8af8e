-- bronze.history: all versions of one record, oldest first.
CREATE OR REPLACE FUNCTION bronze.history(source_name text, stream_name text, record_raw_id text) RETURNS SETOF bronze.record
LANGUAGE plpgsql
STABLE
AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT r.*
        FROM (
            SELECT h.partition_key, h.row_id
            FROM bronze.heads AS h
            INNER JOIN bronze.streams AS s ON s.id = h.stream_id
            WHERE s.source = $1 AND s.stream = $2 AND h.raw_id = $3
            UNION ALL
            SELECT f.partition_key, f.row_id
            FROM bronze.former_versions AS f
            INNER JOIN bronze.streams AS s ON s.id = f.stream_id
            WHERE s.source = $1 AND s.stream = $2 AND f.raw_id = $3
        ) AS v
        INNER JOIN public.%I AS r ON r.id = v.row_id AND r.partition_key = v.partition_key
        ORDER BY r.version, r.id',
        'bronze_' || source_name
    ) USING source_name, stream_name, record_raw_id;
END
$$;
COMMENT ON FUNCTION bronze.history(text, text, text) IS 'All versions of a record, oldest first: source, stream, raw_id.';
