-- bronze.unseen_months: months in which a stream has records that this run should have seen and did not (see bronze_seen).
-- bronze.record_gone: such records of one month get a version that says so and repeats their last payload. With a window: those whose source_timestamp
-- lies in [window_start, window_end) and whose payload, or metadata, contains window_match. None that another run landed since
-- bronze.began (UTC): it may have read later than this one. At most row_limit at a time; gives how many it was, so that the loader calls it, a
-- transaction each, until it gives 0. Month by month, as PostgreSQL then opens one partition instead of all.
CREATE OR REPLACE FUNCTION bronze.unseen_months(absent_stream integer, window_start timestamp, window_end timestamp) RETURNS SETOF date
LANGUAGE plpgsql
STABLE
AS $$
BEGIN
    RETURN QUERY
    SELECT DISTINCT date_trunc('month', h.partition_key)::date
    FROM bronze.heads AS h
    WHERE
        h.stream_id = absent_stream AND NOT h.gone
        AND (window_start IS NULL OR h.partition_key >= window_start::date)
        AND (window_end IS NULL OR h.partition_key <= window_end::date)
        AND NOT EXISTS (SELECT FROM bronze_seen AS n WHERE n.stream_id = h.stream_id AND n.raw_id = h.raw_id)
    ORDER BY 1;
END
$$;
COMMENT ON FUNCTION bronze.unseen_months(integer, timestamp, timestamp) IS 'Months in which a stream has records that the run did not see.';

CREATE OR REPLACE FUNCTION bronze.record_gone(
    absent_stream integer, month date, window_start timestamp, window_end timestamp, window_match jsonb, row_limit integer
) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    source_name text;
    gone_count bigint;
    began constant timestamp := current_setting('bronze.began')::timestamp;
BEGIN
    SELECT source INTO STRICT source_name FROM bronze.streams WHERE id = absent_stream;
    PERFORM pg_advisory_xact_lock(hashtextextended('bronze landing ' || source_name, 0));
    -- a record without a time of its own lands in the month of this run
    PERFORM public.create_partition_if_not_exists(source_name, current_setting('bronze.ingested_at')::timestamp::date);

    INSERT INTO bronze_verdict
    SELECT
        row_number() OVER (),
        h.stream_id,
        h.raw_id,
        h.content_hash,
        NULL,
        'gone',
        h.version + 1,
        FALSE,
        nextval(pg_get_serial_sequence(format('public.%I', 'bronze_' || source_name), 'id')),
        h.current_version,
        h.content_hash,
        h.partition_key,
        h.row_id,
        h.version
    FROM bronze.heads AS h
    WHERE
        h.stream_id = absent_stream AND NOT h.gone
        AND h.partition_key >= month AND h.partition_key < (month + interval '1 month')::date
        AND NOT EXISTS (SELECT FROM bronze_seen AS n WHERE n.stream_id = h.stream_id AND n.raw_id = h.raw_id);
    ANALYZE bronze_verdict;

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
        INNER JOIN public.%I AS r ON r.id = v.former_row_id AND r.partition_key = v.former_partition_key
        WHERE r.partition_key >= %L AND r.partition_key < %L
            -- what another run landed since this one began may be newer than what this one has read
            AND (r.ingested_at < $5 OR r.pipeline_run_id = $6)
            AND ($1 IS NULL OR r.source_timestamp >= $1) AND ($2 IS NULL OR r.source_timestamp < $2)
            AND ($3 IS NULL OR r.raw_data @> $3 OR r.metadata @> $3)
        LIMIT $4',
        'bronze_' || source_name, month, (month + interval '1 month')::date
    ) USING window_start, window_end, window_match, row_limit, began, current_setting('bronze.run_id');

    DELETE FROM bronze_verdict AS v WHERE NOT EXISTS (SELECT FROM bronze_stage AS s WHERE s.ord = v.ord);
    PERFORM bronze.land();
    SELECT coalesce(sum(l.record_count), 0) INTO gone_count FROM bronze_landed AS l WHERE l.change = 'gone';
    RETURN gone_count;
END
$$;
COMMENT ON FUNCTION bronze.record_gone(integer, date, timestamp, timestamp, jsonb, integer) IS 'Appends gone versions for records that the run did not see.';
