-- bronze.history: all versions of one record, oldest first.
CREATE OR REPLACE FUNCTION bronze.history(source_name text, stream_name text, record_raw_id text) RETURNS SETOF bronze.record
LANGUAGE plpgsql
STABLE
AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT r.*
        FROM (
            SELECT h.raw_id, h.partition_key, h.row_id
            FROM bronze.heads AS h
            INNER JOIN bronze.streams AS s ON s.id = h.stream_id
            WHERE s.source = $1 AND s.stream = $2 AND h.raw_id IN ($3, to_json($3)::text)
            UNION ALL
            SELECT f.raw_id, f.partition_key, f.row_id
            FROM bronze.former_versions AS f
            INNER JOIN bronze.streams AS s ON s.id = f.stream_id
            WHERE s.source = $1 AND s.stream = $2 AND f.raw_id IN ($3, to_json($3)::text)
        ) AS v
        INNER JOIN public.%I AS r ON r.id = v.row_id AND r.partition_key = v.partition_key
        -- the key of a text that looks like a number has quotes in the heads
        WHERE v.raw_id = $3 OR r.raw_id = $3
        ORDER BY r.version, r.id',
        'bronze_' || source_name
    ) USING source_name, stream_name, record_raw_id;
END
$$;
COMMENT ON FUNCTION bronze.history(text, text, text) IS 'All versions of a record, oldest first: source, stream, raw_id.';
