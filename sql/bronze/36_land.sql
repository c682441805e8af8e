-- bronze.land: appends the versions in bronze_verdict with their rows in bronze_stage, moves the heads and keeps the counters. The one place where a row of
-- bronze_<source> is written (bronze.record_gone hands its rows in the same way).
-- Settings that the loader gives: bronze.run_id, bronze.ingested_at and bronze.started_at (UTC), bronze.steps (JSON).
CREATE OR REPLACE FUNCTION bronze.land() RETURNS void
LANGUAGE plpgsql
SET work_mem = '64MB' -- a batch is joined in memory
AS $$
DECLARE
    rows_written bigint;
    heads_written bigint;
    landed bigint;
    run bronze.runs%ROWTYPE;
    landing_time constant timestamp := current_setting('bronze.ingested_at')::timestamp;
    -- quality_checks of a record in which nothing is odd: the loader sends it empty
    all_passed constant jsonb := '{"schema": "pass", "declared_fields": "pass", "timestamp": "pass", "payload": "pass"}';
    start_time constant timestamp := current_setting('bronze.started_at')::timestamp;
    end_time constant timestamp := greatest(clock_timestamp() AT TIME ZONE 'UTC', start_time);
BEGIN
    PERFORM set_config('bronze.landing', 'on', TRUE); -- see bronze.refuse_other_writers
    SELECT * INTO STRICT run FROM bronze.runs WHERE run_id = current_setting('bronze.run_id');

    EXECUTE format(
        'INSERT INTO public.%I (
            id, source, raw_data, ingested_at, source_timestamp, raw_id, validation_status, error_message, metadata, version, environment,
            pipeline_run_id, pipeline_version, pipeline_parameters, lineage_id, parent_lineage_ids, lineage_source, lineage_timestamp, lineage_metadata,
            quality_metrics, quality_score, quality_checks, file_path, file_hash, file_size, compression_type, encoding,
            api_version, api_endpoint, api_request_id, api_response_code, api_rate_limit_info,
            processing_start_time, processing_end_time, processing_duration, processing_steps, partition_key
        )
        OVERRIDING SYSTEM VALUE
        -- what the rows of a stream have in common is put together once, not for each
        WITH common AS MATERIALIZED (
            SELECT
                t.id, t.lineage_prefix, t.tap || ''/'' || t.stream AS lineage_source, t.schema_hash,
                (
                    SELECT jsonb_object_agg(
                        k.change,
                        jsonb_build_object(''stream'', t.stream, ''change'', k.change)
                        || CASE WHEN t.account = '''' THEN ''{}'' ELSE jsonb_build_object(''account'', t.account) END
                    )
                    FROM unnest(ARRAY[''new'', ''changed'', ''gone'', ''back'', ''degraded'']) AS k (change)
                ) AS metadata
            FROM bronze.streams AS t
            WHERE t.source = $1
        )
        SELECT
            v.row_id, $1, s.raw_data, $2, s.source_timestamp, coalesce(s.raw_id, v.raw_id), s.validation_status, s.error_message,
            CASE WHEN s.metadata IS NULL THEN c.metadata -> v.change ELSE s.metadata || (c.metadata -> v.change) END,
            v.version, $3, $4, $5, $6,
            c.lineage_prefix || v.raw_id || ''@'' || v.version,
            CASE WHEN v.parent_version IS NOT NULL THEN ARRAY[c.lineage_prefix || v.raw_id || ''@'' || v.parent_version] END,
            c.lineage_source,
            s.lineage_timestamp,
            -- one object for nearly all rows; joining two takes a noticeable part of a first load
            CASE
                WHEN s.raw_id IS NULL THEN jsonb_build_object(
                    ''content_hash'', encode(v.content_hash, ''hex''), ''schema_hash'', coalesce(s.schema_hash, c.schema_hash),
                    ''position'', CASE WHEN v.change <> ''gone'' THEN v.ord END
                )
                ELSE jsonb_build_object(
                    ''content_hash'', encode(v.content_hash, ''hex''), ''schema_hash'', coalesce(s.schema_hash, c.schema_hash),
                    ''position'', CASE WHEN v.change <> ''gone'' THEN v.ord END, ''key'', v.raw_id
                )
            END,
            s.quality_metrics, s.quality_score,
            coalesce(s.quality_checks, $10), s.file_path, s.file_hash, s.file_size, s.compression_type, s.encoding,
            s.api_version, s.api_endpoint, s.api_request_id, s.api_response_code, s.api_rate_limit_info,
            $7, $8, $8 - $7, $9, coalesce(s.source_timestamp, $2)::date
        FROM bronze_stage AS s
        INNER JOIN bronze_verdict AS v ON v.ord = s.ord
        INNER JOIN common AS c ON c.id = v.stream_id',
        'bronze_' || run.source
    ) USING
        run.source, landing_time, run.environment, run.run_id, run.pipeline_version, run.pipeline_parameters,
        start_time, end_time, current_setting('bronze.steps')::jsonb, all_passed;
    GET DIAGNOSTICS rows_written = ROW_COUNT;

    INSERT INTO bronze.heads (stream_id, raw_id, version, current_version, content_hash, ordering, partition_key, row_id)
    SELECT v.stream_id, v.raw_id, 1, 1, v.content_hash, v.ordering, coalesce(s.source_timestamp, landing_time)::date, v.row_id
    FROM bronze_verdict AS v
    INNER JOIN bronze_stage AS s ON s.ord = v.ord
    WHERE v.former_version IS NULL;
    GET DIAGNOSTICS heads_written = ROW_COUNT;

    IF EXISTS (SELECT FROM bronze_verdict AS v WHERE v.former_version IS NOT NULL) THEN
        INSERT INTO bronze.former_versions (stream_id, raw_id, version, content_hash, partition_key, row_id)
        SELECT
            v.stream_id,
            v.raw_id,
            CASE WHEN v.stays_former THEN v.version ELSE v.former_version END,
            CASE WHEN v.stays_former THEN v.content_hash ELSE v.former_hash END,
            CASE WHEN v.stays_former THEN coalesce(s.source_timestamp, landing_time)::date ELSE v.former_partition_key END,
            CASE WHEN v.stays_former THEN v.row_id ELSE v.former_row_id END
        FROM bronze_verdict AS v
        INNER JOIN bronze_stage AS s ON s.ord = v.ord
        WHERE v.former_version IS NOT NULL;

        UPDATE bronze.heads AS h
        SET version = v.version,
            ordering = coalesce(v.ordering, h.ordering),
            gone = v.change = 'gone',
            degraded_hash = CASE WHEN v.stays_former THEN v.content_hash ELSE h.degraded_hash END,
            current_version = CASE WHEN v.stays_former THEN h.current_version ELSE v.version END,
            content_hash = CASE WHEN v.stays_former THEN h.content_hash ELSE v.content_hash END,
            partition_key = CASE WHEN v.stays_former THEN h.partition_key ELSE coalesce(s.source_timestamp, landing_time)::date END,
            row_id = CASE WHEN v.stays_former THEN h.row_id ELSE v.row_id END
        FROM bronze_verdict AS v
        INNER JOIN bronze_stage AS s ON s.ord = v.ord
        WHERE v.former_version IS NOT NULL AND h.stream_id = v.stream_id AND h.raw_id = v.raw_id;
        GET DIAGNOSTICS landed = ROW_COUNT;
        heads_written := heads_written + landed;
    END IF;

    INSERT INTO bronze_landed (stream_id, change, record_count, invalid_count, warning_count, first_event, last_event)
    SELECT
        v.stream_id,
        v.change,
        count(*),
        count(*) FILTER (WHERE s.validation_status = 'invalid'),
        count(*) FILTER (WHERE s.validation_status = 'warning'),
        min(s.source_timestamp),
        max(s.source_timestamp)
    FROM bronze_verdict AS v
    INNER JOIN bronze_stage AS s ON s.ord = v.ord
    GROUP BY v.stream_id, v.change;

    -- a trigger that returns NULL, or a rule, leaves rows out without an error
    SELECT coalesce(sum(l.record_count), 0) INTO landed FROM bronze_landed AS l;
    IF rows_written <> landed OR heads_written <> landed THEN
        RAISE EXCEPTION 'PostgreSQL wrote % of % rows into public.bronze_%, and % of their heads: a trigger or a rule left some out',
            rows_written, landed, run.source, heads_written
            USING ERRCODE = 'ZB002', HINT = 'Remove the trigger or the rule from the table, and run again; nothing of this batch was committed.';
    END IF;

    UPDATE bronze.streams AS c
    SET row_count = c.row_count + n.row_count,
        record_count = c.record_count + n.new_count,
        gone_count = c.gone_count + n.gone_count - n.back_count,
        invalid_count = c.invalid_count + n.invalid_count,
        warning_count = c.warning_count + n.warning_count,
        first_event = least(c.first_event, n.first_event),
        last_event = greatest(c.last_event, n.last_event),
        last_landed_at = landing_time
    FROM (
        SELECT
            l.stream_id,
            sum(l.record_count) AS row_count,
            coalesce(sum(l.record_count) FILTER (WHERE l.change = 'new'), 0) AS new_count,
            coalesce(sum(l.record_count) FILTER (WHERE l.change = 'gone'), 0) AS gone_count,
            coalesce(sum(l.record_count) FILTER (WHERE l.change = 'back'), 0) AS back_count,
            sum(l.invalid_count) AS invalid_count,
            sum(l.warning_count) AS warning_count,
            min(l.first_event) AS first_event,
            max(l.last_event) AS last_event
        FROM bronze_landed AS l
        GROUP BY l.stream_id
    ) AS n
    WHERE c.id = n.stream_id;
    PERFORM set_config('bronze.landing', 'off', TRUE);
END
$$;
COMMENT ON FUNCTION bronze.land() IS 'Appends what bronze.judge found to be news, from bronze_stage and bronze_verdict.';
