-- bronze.land_repeated: at the end of a run, the records whose current content did not come after all (see bronze.postpone_repeated): the content that
-- came last is a version again. Its row repeats the one that had it. One month at a time; the loader calls it until it gives no row. Gives
-- for each stream how many it was, which were counted as known when they came.
CREATE OR REPLACE FUNCTION bronze.land_repeated(source_name text) RETURNS TABLE (stream text, record_count bigint)
LANGUAGE plpgsql
AS $$
DECLARE
    chosen_month constant date := (SELECT date_trunc('month', min(n.partition_key))::date FROM bronze_repeated AS n);
BEGIN
    IF chosen_month IS NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('bronze landing ' || source_name, 0));
    -- a record without a time of its own lands in the month of this run
    PERFORM public.create_partition_if_not_exists(source_name, current_setting('bronze.ingested_at')::timestamp::date);

    INSERT INTO bronze_verdict
    SELECT
        row_number() OVER (),
        h.stream_id,
        h.raw_id,
        n.content_hash,
        NULL,
        'changed',
        h.version + 1,
        FALSE,
        nextval(pg_get_serial_sequence(format('public.%I', 'bronze_' || source_name), 'id')),
        h.current_version,
        h.content_hash,
        h.partition_key,
        h.row_id,
        h.version
    FROM bronze_repeated AS n
    INNER JOIN bronze.heads AS h ON h.stream_id = n.stream_id AND h.raw_id = n.raw_id
    WHERE date_trunc('month', n.partition_key)::date = chosen_month AND NOT h.gone AND h.content_hash <> n.content_hash;

    EXECUTE format(
        'INSERT INTO bronze_stage (
            ord, raw_data, source_timestamp, lineage_timestamp, validation_status, error_message, metadata, schema_hash, quality_metrics, quality_score,
            quality_checks, file_path, file_hash, file_size, compression_type, encoding, api_version, api_endpoint, raw_id
        )
        SELECT
            v.ord, r.raw_data, r.source_timestamp, NULL, r.validation_status, r.error_message, r.metadata - ''degraded'',
            r.lineage_metadata ->> ''schema_hash'', r.quality_metrics, r.quality_score,
            r.quality_checks, r.file_path, r.file_hash, r.file_size, r.compression_type, r.encoding, r.api_version, r.api_endpoint,
            CASE WHEN r.lineage_metadata ? ''key'' THEN r.raw_id END
        FROM bronze_verdict AS v
        INNER JOIN bronze_repeated AS n ON n.stream_id = v.stream_id AND n.raw_id = v.raw_id
        INNER JOIN public.%I AS r ON r.id = n.row_id AND r.partition_key = n.partition_key',
        'bronze_' || source_name
    );
    DELETE FROM bronze_repeated AS n WHERE date_trunc('month', n.partition_key)::date = chosen_month;
    DELETE FROM bronze_verdict AS v WHERE NOT EXISTS (SELECT FROM bronze_stage AS s WHERE s.ord = v.ord);
    PERFORM bronze.land();
    RETURN QUERY
    SELECT s.stream, sum(l.record_count)::bigint FROM bronze_landed AS l INNER JOIN bronze.streams AS s ON s.id = l.stream_id GROUP BY s.stream
    UNION ALL
    -- a month in which nothing was left to land is not the end
    SELECT '', 0::bigint;
END
$$;
COMMENT ON FUNCTION bronze.land_repeated(text) IS 'Lands what bronze.postpone_repeated set aside and no later record replaced.';
