-- A database as the layout of 25 November 2026 had it, with four versions of two records and a dead letter.
-- Frozen: made once by pg_dump (--inserts), never brought up to date.
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
CREATE SCHEMA bronze;
COMMENT ON SCHEMA bronze IS 'Control tables, functions and views of the bronze layer. The records themselves are in public.bronze_<source>.';
CREATE FUNCTION bronze.begin_run(run text, source_name text, environment_name text, version_text text, parameters jsonb, archive text) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    other text;
BEGIN
    FOR other IN SELECT r.run_id FROM bronze.runs AS r WHERE r.source = source_name AND r.status = 'running' AND r.run_id <> run LOOP
        IF pg_try_advisory_xact_lock(hashtextextended('bronze run ' || other, 0)) THEN
            UPDATE bronze.runs SET status = 'interrupted', error_message = coalesce(error_message, 'the loader ended without closing its books')
            WHERE run_id = other AND status = 'running';
        END IF;
    END LOOP;
    PERFORM pg_advisory_lock(hashtextextended('bronze run ' || run, 0));
    INSERT INTO bronze.runs (run_id, source, environment, pipeline_version, pipeline_parameters, archive_path)
    VALUES (run, source_name, environment_name, version_text, parameters, archive)
    ON CONFLICT (run_id) DO NOTHING;
END
$$;
COMMENT ON FUNCTION bronze.begin_run(run text, source_name text, environment_name text, version_text text, parameters jsonb, archive text) IS 'Opens the books of a run and marks dead runs of the source as interrupted.';
CREATE FUNCTION bronze.create_source(source_name text) RETURNS void
    LANGUAGE plpgsql
    SET client_min_messages TO 'warning'
    AS $$
DECLARE
    table_name constant text := 'bronze_' || source_name;
    missing record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(table_name, 0));
    INSERT INTO bronze.sources (source) VALUES (source_name) ON CONFLICT DO NOTHING;
    EXECUTE format(
        'CREATE TABLE IF NOT EXISTS public.%I (LIKE bronze.record INCLUDING ALL EXCLUDING INDEXES,
         CONSTRAINT %I PRIMARY KEY (id, partition_key)) PARTITION BY RANGE (partition_key)',
        table_name, table_name || '_pkey'
    );
    EXECUTE format(
        'COMMENT ON TABLE public.%I IS %L', table_name,
        format('Everything that came from %s: one row per version of a record, as the source sent it. Rows are appended, never changed.', source_name)
    );
    -- columns that bronze.record has gained since the table was made
    FOR missing IN
        SELECT
            a.attname AS column_name,
            format_type(a.atttypid, a.atttypmod) AS column_type,
            col_description(a.attrelid, a.attnum) AS column_comment
        FROM pg_attribute AS a
        WHERE a.attrelid = 'bronze.record'::regclass AND a.attnum > 0 AND NOT a.attisdropped
            AND NOT EXISTS (
                SELECT FROM pg_attribute AS b
                WHERE b.attrelid = format('public.%I', table_name)::regclass AND b.attname = a.attname AND NOT b.attisdropped
            )
        ORDER BY a.attnum
    LOOP
        EXECUTE format('ALTER TABLE public.%I ADD COLUMN %I %s', table_name, missing.column_name, missing.column_type);
        EXECUTE format('COMMENT ON COLUMN public.%I.%I IS %L', table_name, missing.column_name, missing.column_comment);
    END LOOP;
    IF NOT EXISTS (
        SELECT FROM pg_trigger WHERE tgrelid = format('public.%I', table_name)::regclass AND tgname = 'refuse_update_and_delete'
    ) THEN
        EXECUTE format(
            'CREATE TRIGGER refuse_update_and_delete BEFORE UPDATE OR DELETE ON public.%I FOR EACH ROW EXECUTE FUNCTION bronze.refuse_rewriting()',
            table_name
        );
        EXECUTE format(
            'CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON public.%I FOR EACH STATEMENT EXECUTE FUNCTION bronze.refuse_rewriting()',
            table_name
        );
    END IF;
    EXECUTE format(
        'CREATE OR REPLACE VIEW public.%I AS
         SELECT r.*
         FROM bronze.heads AS h
         INNER JOIN bronze.streams AS s ON s.id = h.stream_id
         INNER JOIN public.%I AS r ON r.id = h.row_id AND r.partition_key = h.partition_key
         WHERE s.source = %L AND NOT h.gone',
        table_name || '_current', table_name, source_name
    );
    EXECUTE format(
        'COMMENT ON VIEW public.%I IS %L', table_name || '_current',
        format('The newest version of each record from %s that is not gone; a degraded answer does not replace a full one.', source_name)
    );
END
$$;
COMMENT ON FUNCTION bronze.create_source(source_name text) IS 'Makes bronze_<source> and bronze_<source>_current, or brings them up to date.';
CREATE FUNCTION bronze.end_run(run text, outcome text, reason text) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE bronze.runs SET status = outcome, error_message = reason, ended_at = clock_timestamp() AT TIME ZONE 'UTC' WHERE run_id = run;
    PERFORM pg_advisory_unlock(hashtextextended('bronze run ' || run, 0));
END
$$;
COMMENT ON FUNCTION bronze.end_run(run text, outcome text, reason text) IS 'Closes the books of a run.';
CREATE TABLE bronze.record (
    id bigint NOT NULL,
    source text NOT NULL,
    raw_data jsonb NOT NULL,
    ingested_at timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    source_timestamp timestamp without time zone,
    raw_id text COLLATE pg_catalog."C",
    validation_status text DEFAULT 'valid'::text NOT NULL,
    error_message text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    environment text NOT NULL,
    pipeline_run_id text,
    pipeline_version text,
    pipeline_parameters jsonb,
    lineage_id text COLLATE pg_catalog."C",
    parent_lineage_ids text[],
    lineage_type text DEFAULT 'source'::text NOT NULL,
    lineage_source text,
    lineage_timestamp timestamp without time zone,
    lineage_metadata jsonb,
    quality_metrics jsonb,
    quality_score double precision,
    quality_checks jsonb,
    file_path text,
    file_hash text,
    file_size bigint,
    compression_type text,
    encoding text,
    api_version text,
    api_endpoint text,
    api_request_id text,
    api_response_code integer,
    api_rate_limit_info jsonb,
    processing_start_time timestamp without time zone,
    processing_end_time timestamp without time zone,
    processing_duration interval,
    processing_steps jsonb,
    processing_errors jsonb,
    partition_key date NOT NULL,
    CONSTRAINT lineage_type_is_source_derived_or_enriched CHECK ((lineage_type = ANY (ARRAY['source'::text, 'derived'::text, 'enriched'::text]))),
    CONSTRAINT partition_key_is_the_day_of_the_event_or_of_the_landing CHECK ((partition_key = (COALESCE(source_timestamp, ingested_at))::date)),
    CONSTRAINT quality_score_is_a_share CHECK (((quality_score >= (0)::double precision) AND (quality_score <= (1)::double precision))),
    CONSTRAINT validation_status_is_valid_warning_or_invalid CHECK ((validation_status = ANY (ARRAY['valid'::text, 'warning'::text, 'invalid'::text]))),
    CONSTRAINT version_counts_from_one CHECK ((version >= 1))
);
COMMENT ON TABLE bronze.record IS 'Pattern of the tables bronze_<source>: one row per version of a record, as the source sent it. Rows are appended, never changed.';
COMMENT ON COLUMN bronze.record.id IS 'Number of the row.';
COMMENT ON COLUMN bronze.record.source IS 'Source, such as toggl.';
COMMENT ON COLUMN bronze.record.raw_data IS 'The payload, untouched.';
COMMENT ON COLUMN bronze.record.ingested_at IS 'When it landed (UTC).';
COMMENT ON COLUMN bronze.record.source_timestamp IS 'When it happened (UTC), from the field that the stream names; empty if there is none or it cannot be read.';
COMMENT ON COLUMN bronze.record.raw_id IS 'The record''s key at the source. Several fields: a JSON array. No key: hash of the content and occurrence.';
COMMENT ON COLUMN bronze.record.validation_status IS 'valid; warning: lands, but something is odd; invalid: breaks its schema.';
COMMENT ON COLUMN bronze.record.error_message IS 'Which rule, which field; never the value.';
COMMENT ON COLUMN bronze.record.metadata IS 'stream, account, change (new, changed, gone, back, degraded), and what has no column. raw_base64 holds the original bytes where raw_data could not.';
COMMENT ON COLUMN bronze.record.version IS '1, 2, 3 ... of this record.';
COMMENT ON COLUMN bronze.record.environment IS 'Meltano environment.';
COMMENT ON COLUMN bronze.record.pipeline_run_id IS 'Run that wrote the row, see bronze.runs.';
COMMENT ON COLUMN bronze.record.pipeline_version IS 'Tap and loader with their versions.';
COMMENT ON COLUMN bronze.record.pipeline_parameters IS 'The tap''s settings without secrets.';
COMMENT ON COLUMN bronze.record.lineage_id IS 'Identity of this version: source/stream[~account]/raw_id@version.';
COMMENT ON COLUMN bronze.record.parent_lineage_ids IS 'The version before it.';
COMMENT ON COLUMN bronze.record.lineage_type IS 'source; derived and enriched are for later layers.';
COMMENT ON COLUMN bronze.record.lineage_source IS 'Tap and stream, such as tap-toggl/time_entries.';
COMMENT ON COLUMN bronze.record.lineage_timestamp IS 'When the tap read it (UTC).';
COMMENT ON COLUMN bronze.record.lineage_metadata IS 'content_hash, schema_hash, position: line number in the run.';
COMMENT ON COLUMN bronze.record.quality_metrics IS 'declared: fields that the schema names; present: how many of them the record has.';
COMMENT ON COLUMN bronze.record.quality_score IS 'present / declared, 0 to 1.';
COMMENT ON COLUMN bronze.record.quality_checks IS 'The checks and their outcome: pass, warning, fail.';
COMMENT ON COLUMN bronze.record.file_path IS 'For a record from a file: its path, member path inside an archive included.';
COMMENT ON COLUMN bronze.record.file_hash IS 'SHA-256 of the file, hexadecimal.';
COMMENT ON COLUMN bronze.record.file_size IS 'Size of the file in bytes.';
COMMENT ON COLUMN bronze.record.compression_type IS 'How the file was compressed.';
COMMENT ON COLUMN bronze.record.encoding IS 'Character encoding of the file.';
COMMENT ON COLUMN bronze.record.api_version IS 'For a record from an API: its version.';
COMMENT ON COLUMN bronze.record.api_endpoint IS 'Method and path of the request.';
COMMENT ON COLUMN bronze.record.api_request_id IS 'Request id that the service gave.';
COMMENT ON COLUMN bronze.record.api_response_code IS 'HTTP status.';
COMMENT ON COLUMN bronze.record.api_rate_limit_info IS 'What the answer said of the service''s limits.';
COMMENT ON COLUMN bronze.record.processing_start_time IS 'When the loader began the batch that landed it (UTC).';
COMMENT ON COLUMN bronze.record.processing_end_time IS 'When the batch was written (UTC).';
COMMENT ON COLUMN bronze.record.processing_duration IS 'Between the two.';
COMMENT ON COLUMN bronze.record.processing_steps IS 'What the batch went through.';
COMMENT ON COLUMN bronze.record.processing_errors IS 'What failed for the record on the way and was mended, as sentences; empty where nothing did.';
COMMENT ON COLUMN bronze.record.partition_key IS 'Day of source_timestamp, else of ingested_at; months are partitions.';
CREATE FUNCTION bronze.history(source_name text, stream_name text, record_raw_id text) RETURNS SETOF bronze.record
    LANGUAGE plpgsql STABLE
    AS $_$
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
$_$;
COMMENT ON FUNCTION bronze.history(source_name text, stream_name text, record_raw_id text) IS 'All versions of a record, oldest first: source, stream, raw_id.';
CREATE FUNCTION bronze.index_source(source_name text) RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
    table_name constant text := 'bronze_' || source_name;
    pattern record;
    made integer := 0;
BEGIN
    FOR pattern IN
        SELECT
            table_name || substr(c.relname, length('record') + 1) AS index_name,
            regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING', 'USING') AS definition
        FROM pg_index AS i
        INNER JOIN pg_class AS c ON c.oid = i.indexrelid
        WHERE i.indrelid = 'bronze.record'::regclass AND NOT i.indisprimary
        ORDER BY c.relname
    LOOP
        IF to_regclass(format('public.%I', pattern.index_name)) IS NULL THEN
            EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON public.%I %s', pattern.index_name, table_name, pattern.definition);
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END
$$;
COMMENT ON FUNCTION bronze.index_source(source_name text) IS 'Builds the indexes that bronze_<source> lacks; gives how many.';
CREATE FUNCTION bronze.judge(source_name text, watched integer[]) RETURNS integer[]
    LANGUAGE plpgsql
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_seqscan TO 'off'
    AS $$
DECLARE
    sequence_name constant text := pg_get_serial_sequence(format('public.%I', 'bronze_' || source_name), 'id');
    news integer[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('bronze landing ' || source_name, 0));
    INSERT INTO bronze_verdict
    SELECT
        i.ord,
        i.stream_id,
        i.raw_id,
        i.content_hash,
        i.ordering,
        CASE WHEN h.raw_id IS NULL THEN 'new' WHEN h.gone THEN 'back' WHEN i.degraded THEN 'degraded' ELSE 'changed' END,
        coalesce(h.version, 0) + 1,
        i.degraded AND h.raw_id IS NOT NULL,
        nextval(sequence_name),
        h.current_version,
        h.content_hash,
        h.partition_key,
        h.row_id,
        h.version
    FROM bronze_incoming AS i
    LEFT JOIN bronze.heads AS h ON h.stream_id = i.stream_id AND h.raw_id = i.raw_id
    WHERE
        CASE
            WHEN h.raw_id IS NULL THEN TRUE
            -- identified by its content: it cannot have changed
            WHEN i.keyless THEN h.gone
            WHEN i.content_hash = h.content_hash THEN h.gone AND NOT coalesce(i.ordering < h.ordering, FALSE)
            WHEN i.degraded AND i.content_hash = h.degraded_hash THEN h.gone
            -- a tap that repeats its last stretch sends older versions again
            WHEN i.ordering < h.ordering THEN NOT EXISTS (
                SELECT FROM bronze.former_versions AS f
                WHERE f.stream_id = i.stream_id AND f.raw_id = i.raw_id AND f.content_hash = i.content_hash
            )
            ELSE TRUE
        END;
    INSERT INTO bronze_seen (stream_id, raw_id)
    SELECT i.stream_id, i.raw_id FROM bronze_incoming AS i WHERE i.stream_id = ANY(watched)
    ON CONFLICT DO NOTHING;
    SELECT coalesce(array_agg(v.ord), '{}') INTO news FROM bronze_verdict AS v;
    RETURN news;
END
$$;
COMMENT ON FUNCTION bronze.judge(source_name text, watched integer[]) IS 'Compares bronze_incoming with the heads; fills bronze_verdict and gives the ord of the news.';
CREATE FUNCTION bronze.keep_books(run text, unit integer, counted jsonb) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    source_name text;
BEGIN
    UPDATE bronze.runs SET units = unit WHERE run_id = run AND units = unit - 1 RETURNING source INTO source_name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the books of run % do not continue with transaction %', run, unit USING ERRCODE = 'data_corrupted',
        HINT = 'Another loader writes under the same run id. Run again.';
    END IF;
    INSERT INTO bronze.dead_letters AS d (
        source, stream, category, reason, original, original_hash, first_run_id, last_run_id, position, seen_count
    )
    SELECT source_name, r.stream, min(r.category), min(r.reason), r.original, sha256(r.original), run, run, max(r.position), count(*)
    FROM bronze_rejected AS r
    GROUP BY r.stream, r.original
    ON CONFLICT (source, stream, original_hash) DO UPDATE
    SET category = excluded.category,
        reason = excluded.reason,
        last_run_id = run,
        position = excluded.position,
        seen_count = d.seen_count + excluded.seen_count,
        last_seen_at = excluded.last_seen_at,
        -- replayed once and refused anew: it is open again; given up stays so
        status = CASE WHEN d.status = 'replayed' THEN 'open' ELSE d.status END,
        resolved_at = CASE WHEN d.status = 'replayed' THEN NULL ELSE d.resolved_at END,
        resolution = CASE WHEN d.status = 'replayed' THEN NULL ELSE d.resolution END;
    WITH added AS (
        SELECT
            n.stream,
            coalesce(n.read_count, 0) AS read_count,
            0 AS new_count,
            0 AS changed_count,
            coalesce(n.known_count, 0) AS known_count,
            coalesce(n.rejected_count, 0) AS rejected_count,
            0 AS gone_count,
            coalesce(n.invalid_count, 0) AS invalid_count
        FROM jsonb_to_recordset(counted) AS n (
            stream text, read_count bigint, known_count bigint, rejected_count bigint, invalid_count bigint
        )
        UNION ALL
        SELECT
            c.stream,
            0,
            CASE WHEN l.change = 'new' THEN l.record_count ELSE 0 END,
            CASE WHEN l.change IN ('changed', 'back', 'degraded') THEN l.record_count ELSE 0 END,
            0,
            0,
            CASE WHEN l.change = 'gone' THEN l.record_count ELSE 0 END,
            0
        FROM bronze_landed AS l
        INNER JOIN bronze.streams AS c ON c.id = l.stream_id
    ),
    by_stream AS (
        INSERT INTO bronze.run_streams AS b (
            run_id, stream, read_count, new_count, changed_count, known_count, rejected_count, gone_count, invalid_count
        )
        SELECT
            run, a.stream, sum(a.read_count), sum(a.new_count), sum(a.changed_count), sum(a.known_count), sum(a.rejected_count),
            sum(a.gone_count), sum(a.invalid_count)
        FROM added AS a
        GROUP BY a.stream
        ON CONFLICT (run_id, stream) DO UPDATE
        SET read_count = b.read_count + excluded.read_count,
            new_count = b.new_count + excluded.new_count,
            changed_count = b.changed_count + excluded.changed_count,
            known_count = b.known_count + excluded.known_count,
            rejected_count = b.rejected_count + excluded.rejected_count,
            gone_count = b.gone_count + excluded.gone_count,
            invalid_count = b.invalid_count + excluded.invalid_count
    )
    UPDATE bronze.runs AS r
    SET read_count = r.read_count + t.read_count,
        new_count = r.new_count + t.new_count,
        changed_count = r.changed_count + t.changed_count,
        known_count = r.known_count + t.known_count,
        rejected_count = r.rejected_count + t.rejected_count,
        gone_count = r.gone_count + t.gone_count,
        invalid_count = r.invalid_count + t.invalid_count
    FROM (
        SELECT
            coalesce(sum(a.read_count), 0) AS read_count,
            coalesce(sum(a.new_count), 0) AS new_count,
            coalesce(sum(a.changed_count), 0) AS changed_count,
            coalesce(sum(a.known_count), 0) AS known_count,
            coalesce(sum(a.rejected_count), 0) AS rejected_count,
            coalesce(sum(a.gone_count), 0) AS gone_count,
            coalesce(sum(a.invalid_count), 0) AS invalid_count
        FROM added AS a
    ) AS t
    WHERE r.run_id = run;
END
$$;
COMMENT ON FUNCTION bronze.keep_books(run text, unit integer, counted jsonb) IS 'Adds a transaction''s figures and dead letters to the books of its run.';
CREATE FUNCTION bronze.land() RETURNS void
    LANGUAGE plpgsql
    AS $_$
DECLARE
    run bronze.runs%ROWTYPE;
    landing_time constant timestamp := current_setting('bronze.ingested_at')::timestamp;
    start_time constant timestamp := current_setting('bronze.started_at')::timestamp;
    end_time constant timestamp := greatest(clock_timestamp() AT TIME ZONE 'UTC', start_time);
BEGIN
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
        SELECT
            v.row_id, $1, s.raw_data, $2, s.source_timestamp, v.raw_id, s.validation_status, s.error_message,
            CASE
                WHEN s.metadata IS NULL AND c.account = '''' THEN jsonb_build_object(''stream'', c.stream, ''change'', v.change)
                WHEN c.account = '''' THEN s.metadata || jsonb_build_object(''stream'', c.stream, ''change'', v.change)
                ELSE coalesce(s.metadata, ''{}'') || jsonb_build_object(''stream'', c.stream, ''account'', c.account, ''change'', v.change)
            END,
            v.version, $3, $4, $5, $6,
            c.lineage_prefix || v.raw_id || ''@'' || v.version,
            CASE WHEN v.parent_version IS NOT NULL THEN ARRAY[c.lineage_prefix || v.raw_id || ''@'' || v.parent_version] END,
            c.tap || ''/'' || c.stream,
            s.lineage_timestamp,
            jsonb_build_object(
                ''content_hash'', encode(v.content_hash, ''hex''), ''schema_hash'', coalesce(s.schema_hash, c.schema_hash), ''position'', s.position
            ),
            jsonb_build_object(''declared'', s.declared, ''present'', s.present),
            CASE WHEN s.declared > 0 THEN s.present::double precision / s.declared END,
            s.quality_checks, s.file_path, s.file_hash, s.file_size, s.compression_type, s.encoding,
            s.api_version, s.api_endpoint, s.api_request_id, s.api_response_code, s.api_rate_limit_info,
            $7, $8, $8 - $7, $9, coalesce(s.source_timestamp, $2)::date
        FROM bronze_stage AS s
        INNER JOIN bronze_verdict AS v ON v.ord = s.ord
        INNER JOIN bronze.streams AS c ON c.id = v.stream_id
        ORDER BY v.row_id',
        'bronze_' || run.source
    ) USING
        run.source, landing_time, run.environment, run.run_id, run.pipeline_version, run.pipeline_parameters,
        start_time, end_time, current_setting('bronze.steps')::jsonb;
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
    INSERT INTO bronze.heads (stream_id, raw_id, version, current_version, content_hash, ordering, partition_key, row_id)
    SELECT v.stream_id, v.raw_id, 1, 1, v.content_hash, v.ordering, coalesce(s.source_timestamp, landing_time)::date, v.row_id
    FROM bronze_verdict AS v
    INNER JOIN bronze_stage AS s ON s.ord = v.ord
    WHERE v.former_version IS NULL;
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
    INSERT INTO bronze_landed (stream_id, change, record_count, invalid_count)
    SELECT v.stream_id, v.change, count(*), count(*) FILTER (WHERE s.validation_status = 'invalid')
    FROM bronze_verdict AS v
    INNER JOIN bronze_stage AS s ON s.ord = v.ord
    GROUP BY v.stream_id, v.change;
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
            v.stream_id,
            count(*) AS row_count,
            count(*) FILTER (WHERE v.change = 'new') AS new_count,
            count(*) FILTER (WHERE v.change = 'gone') AS gone_count,
            count(*) FILTER (WHERE v.change = 'back') AS back_count,
            count(*) FILTER (WHERE s.validation_status = 'invalid') AS invalid_count,
            count(*) FILTER (WHERE s.validation_status = 'warning') AS warning_count,
            min(s.source_timestamp) AS first_event,
            max(s.source_timestamp) AS last_event
        FROM bronze_verdict AS v
        INNER JOIN bronze_stage AS s ON s.ord = v.ord
        GROUP BY v.stream_id
    ) AS n
    WHERE c.id = n.stream_id;
END
$_$;
COMMENT ON FUNCTION bronze.land() IS 'Appends what bronze.judge found to be news, from bronze_stage and bronze_verdict.';
CREATE FUNCTION bronze.lineage_prefix(source_name text, stream_name text, account_name text) RETURNS text
    LANGUAGE sql IMMUTABLE
    AS $$
    SELECT source_name || '/'
        || replace(replace(replace(stream_name, '%', '%25'), '/', '%2F'), '~', '%7E')
        || CASE WHEN account_name = '' THEN '' ELSE '~' || replace(replace(replace(account_name, '%', '%25'), '/', '%2F'), '~', '%7E') END
        || '/'
$$;
COMMENT ON FUNCTION bronze.lineage_prefix(source_name text, stream_name text, account_name text) IS 'Beginning of the lineage_id of a stream''s rows.';
CREATE FUNCTION bronze.open_session() RETURNS void
    LANGUAGE plpgsql
    SET client_min_messages TO 'warning'
    AS $$
BEGIN
    CREATE TEMPORARY TABLE IF NOT EXISTS bronze_incoming (
        ord integer NOT NULL,
        stream_id integer NOT NULL,
        raw_id text COLLATE "C" NOT NULL,
        content_hash bytea NOT NULL,
        ordering numeric,
        degraded boolean NOT NULL,
        keyless boolean NOT NULL
    ) ON COMMIT DELETE ROWS;
    CREATE TEMPORARY TABLE IF NOT EXISTS bronze_verdict (
        ord integer NOT NULL,
        stream_id integer NOT NULL,
        raw_id text COLLATE "C" NOT NULL,
        content_hash bytea NOT NULL,
        ordering numeric,
        change text NOT NULL,
        version integer NOT NULL,
        stays_former boolean NOT NULL, -- a degraded answer: the version before it stays current
        row_id bigint NOT NULL,
        former_version integer,
        former_hash bytea,
        former_partition_key date,
        former_row_id bigint,
        parent_version integer
    ) ON COMMIT DELETE ROWS;
    CREATE TEMPORARY TABLE IF NOT EXISTS bronze_stage (
        ord integer NOT NULL,
        raw_data jsonb NOT NULL,
        source_timestamp timestamp,
        lineage_timestamp timestamp,
        position bigint,
        validation_status text NOT NULL,
        error_message text,
        metadata jsonb,
        schema_hash text,
        declared integer,
        present integer,
        quality_checks jsonb,
        file_path text,
        file_hash text,
        file_size bigint,
        compression_type text,
        encoding text,
        api_version text,
        api_endpoint text,
        api_request_id text,
        api_response_code integer,
        api_rate_limit_info jsonb
    ) ON COMMIT DELETE ROWS;
    CREATE TEMPORARY TABLE IF NOT EXISTS bronze_rejected (
        stream text NOT NULL,
        category text NOT NULL,
        reason text NOT NULL,
        original bytea NOT NULL,
        position bigint
    ) ON COMMIT DELETE ROWS;
    -- what the part did, for the loader's books and for hooks that run after it
    CREATE TEMPORARY TABLE IF NOT EXISTS bronze_landed (
        stream_id integer NOT NULL,
        change text NOT NULL,
        record_count bigint NOT NULL,
        invalid_count bigint NOT NULL
    ) ON COMMIT DELETE ROWS;
    -- records seen in this run, of streams where not being seen means something
    CREATE TEMPORARY TABLE IF NOT EXISTS bronze_seen (
        stream_id integer NOT NULL,
        raw_id text COLLATE "C" NOT NULL,
        PRIMARY KEY (stream_id, raw_id)
    );
END
$$;
COMMENT ON FUNCTION bronze.open_session() IS 'Makes the temporary tables through which a loader''s connection lands records.';
CREATE FUNCTION bronze.record_gone(absent_stream integer, window_start timestamp without time zone, window_end timestamp without time zone, window_match jsonb, row_limit integer) RETURNS bigint
    LANGUAGE plpgsql
    AS $_$
DECLARE
    source_name text;
    gone_count bigint;
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
        AND (window_start IS NULL OR h.partition_key >= window_start::date)
        AND (window_end IS NULL OR h.partition_key <= window_end::date)
        AND NOT EXISTS (SELECT FROM bronze_seen AS n WHERE n.stream_id = h.stream_id AND n.raw_id = h.raw_id);
    ANALYZE bronze_verdict;
    EXECUTE format(
        'INSERT INTO bronze_stage (
            ord, raw_data, source_timestamp, lineage_timestamp, position, validation_status, error_message, metadata, schema_hash, declared, present,
            quality_checks, file_path, file_hash, file_size, compression_type, encoding, api_version, api_endpoint
        )
        SELECT
            v.ord, r.raw_data, r.source_timestamp, NULL, NULL, r.validation_status, r.error_message, r.metadata - ''degraded'',
            r.lineage_metadata ->> ''schema_hash'', (r.quality_metrics ->> ''declared'')::integer, (r.quality_metrics ->> ''present'')::integer,
            r.quality_checks, r.file_path, r.file_hash, r.file_size, r.compression_type, r.encoding, r.api_version, r.api_endpoint
        FROM bronze_verdict AS v
        INNER JOIN public.%I AS r ON r.id = v.former_row_id AND r.partition_key = v.former_partition_key
        WHERE ($1 IS NULL OR r.source_timestamp >= $1) AND ($2 IS NULL OR r.source_timestamp < $2)
            AND ($3 IS NULL OR r.raw_data @> $3 OR r.metadata @> $3)
        ORDER BY v.former_partition_key
        LIMIT $4',
        'bronze_' || source_name
    ) USING window_start, window_end, window_match, row_limit;
    DELETE FROM bronze_verdict AS v WHERE NOT EXISTS (SELECT FROM bronze_stage AS s WHERE s.ord = v.ord);
    PERFORM bronze.land();
    SELECT coalesce(sum(l.record_count), 0) INTO gone_count FROM bronze_landed AS l WHERE l.change = 'gone';
    RETURN gone_count;
END
$_$;
COMMENT ON FUNCTION bronze.record_gone(absent_stream integer, window_start timestamp without time zone, window_end timestamp without time zone, window_match jsonb, row_limit integer) IS 'Appends gone versions for records that the run did not see.';
CREATE FUNCTION bronze.refuse_rewriting() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF current_setting('bronze.maintenance', TRUE) = 'on' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION '% of % refused: rows of the bronze layer are never changed', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation',
        HINT = 'A correction is a new version that a tap delivers. For maintenance: SET LOCAL bronze.maintenance = ''on'' inside the transaction.';
END
$$;
COMMENT ON FUNCTION bronze.refuse_rewriting() IS 'Refuses UPDATE, DELETE and TRUNCATE unless bronze.maintenance is on.';
CREATE FUNCTION bronze.register_stream(run text, source_name text, stream_name text, account_name text, keys text[], ordered_by text, tap_name text, hash text, declared jsonb) RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
    stream_id integer;
BEGIN
    INSERT INTO bronze.schemas AS known (schema_hash, source, stream, json_schema, key_properties)
    VALUES (hash, source_name, stream_name, declared, keys)
    ON CONFLICT (source, stream, schema_hash) DO UPDATE SET last_seen_at = now() AT TIME ZONE 'UTC';
    INSERT INTO bronze.streams AS known (source, stream, account, lineage_prefix, key_properties, replication_key, schema_hash, tap, last_run_id)
    VALUES (
        source_name, stream_name, account_name, bronze.lineage_prefix(source_name, stream_name, account_name), keys, ordered_by, hash, tap_name,
        run
    )
    ON CONFLICT (source, stream, account) DO UPDATE
    SET key_properties = excluded.key_properties,
        replication_key = excluded.replication_key,
        schema_hash = excluded.schema_hash,
        tap = excluded.tap,
        last_run_id = excluded.last_run_id
    RETURNING id INTO stream_id;
    RETURN stream_id;
END
$$;
COMMENT ON FUNCTION bronze.register_stream(run text, source_name text, stream_name text, account_name text, keys text[], ordered_by text, tap_name text, hash text, declared jsonb) IS 'Enters a stream and its schema into the catalog; gives its id.';
CREATE FUNCTION bronze.resume_run(run text) RETURNS integer
    LANGUAGE plpgsql
    AS $$
DECLARE
    committed integer;
BEGIN
    PERFORM pg_advisory_lock(hashtextextended('bronze run ' || run, 0));
    -- another loader may have taken the run for dead in the meantime
    UPDATE bronze.runs SET status = 'running', error_message = NULL WHERE run_id = run RETURNING units INTO committed;
    RETURN committed;
END
$$;
COMMENT ON FUNCTION bronze.resume_run(run text) IS 'Takes up a run on a new connection; gives its last committed transaction.';
CREATE FUNCTION public.create_partition_if_not_exists(source_name text, partition_date date) RETURNS text
    LANGUAGE plpgsql
    AS $$
DECLARE
    parent_name constant text := 'bronze_' || source_name;
    partition_name constant text := parent_name || to_char(partition_date, '"_y"YYYY"m"MM');
    first_day constant date := date_trunc('month', partition_date)::date;
    next_month constant date := (first_day + interval '1 month')::date;
BEGIN
    IF to_regclass(format('public.%I', parent_name)) IS NULL THEN
        RAISE EXCEPTION 'there is no table %: the source % is not known here', parent_name, source_name
            USING ERRCODE = 'undefined_table', HINT = format('SELECT bronze.create_source(%L); makes it.', source_name);
    END IF;
    IF partition_date IS NULL OR extract(year FROM partition_date) NOT BETWEEN 1 AND 9999 THEN
        RAISE EXCEPTION 'no partition for the date %', partition_date
            USING ERRCODE = 'datetime_field_overflow', HINT = 'A partition key is a day between the years 1 and 9999.';
    END IF;
    IF to_regclass(format('public.%I', partition_name)) IS NOT NULL THEN
        RETURN partition_name;
    END IF;
    -- two loaders may want the same month at once
    PERFORM pg_advisory_xact_lock(hashtextextended(parent_name, 0));
    IF to_regclass(format('public.%I', partition_name)) IS NOT NULL THEN
        RETURN partition_name;
    END IF;
    EXECUTE format(
        'CREATE TABLE public.%I (LIKE public.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS INCLUDING STORAGE INCLUDING COMPRESSION)',
        partition_name, parent_name
    );
    -- triggers FOR EACH STATEMENT are not handed down to partitions
    EXECUTE format(
        'CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON public.%I FOR EACH STATEMENT EXECUTE FUNCTION bronze.refuse_rewriting()',
        partition_name
    );
    EXECUTE format(
        'ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
        parent_name, partition_name, first_day, next_month
    );
    RETURN partition_name;
END
$$;
COMMENT ON FUNCTION public.create_partition_if_not_exists(source_name text, partition_date date) IS 'Makes the monthly partition of bronze_<source> for a day, if it is missing; gives its name.';
CREATE TABLE bronze.dead_letters (
    id bigint NOT NULL,
    source text NOT NULL,
    stream text DEFAULT ''::text NOT NULL,
    category text NOT NULL,
    reason text NOT NULL,
    original bytea NOT NULL,
    original_hash bytea NOT NULL,
    status text DEFAULT 'open'::text NOT NULL,
    first_run_id text NOT NULL,
    last_run_id text NOT NULL,
    "position" bigint,
    seen_count integer DEFAULT 1 NOT NULL,
    first_seen_at timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    last_seen_at timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    resolved_at timestamp without time zone,
    resolution text,
    CONSTRAINT category_is_api_validation_database_or_system CHECK ((category = ANY (ARRAY['api'::text, 'validation'::text, 'database'::text, 'system'::text]))),
    CONSTRAINT dead_letter_is_open_replayed_or_given_up CHECK ((status = ANY (ARRAY['open'::text, 'replayed'::text, 'given_up'::text])))
);
COMMENT ON TABLE bronze.dead_letters IS 'Messages that could not become rows, with their original bytes.';
COMMENT ON COLUMN bronze.dead_letters.id IS 'Number of the letter.';
COMMENT ON COLUMN bronze.dead_letters.source IS 'Source.';
COMMENT ON COLUMN bronze.dead_letters.stream IS 'Stream; empty where the line names none.';
COMMENT ON COLUMN bronze.dead_letters.category IS 'api: the tap broke off or broke the protocol; validation: the message cannot be read; database: PostgreSQL refused it; system: the loader failed on it.';
COMMENT ON COLUMN bronze.dead_letters.reason IS 'Which rule, in words; never the content.';
COMMENT ON COLUMN bronze.dead_letters.original IS 'The line as it came, without its line end.';
COMMENT ON COLUMN bronze.dead_letters.original_hash IS 'SHA-256 of original.';
COMMENT ON COLUMN bronze.dead_letters.status IS 'open, replayed (it has become a row), given_up.';
COMMENT ON COLUMN bronze.dead_letters.first_run_id IS 'Run that first brought it.';
COMMENT ON COLUMN bronze.dead_letters.last_run_id IS 'Run that last brought it.';
COMMENT ON COLUMN bronze.dead_letters."position" IS 'Line number in the run that last brought it, from 1.';
COMMENT ON COLUMN bronze.dead_letters.seen_count IS 'How often it came.';
COMMENT ON COLUMN bronze.dead_letters.first_seen_at IS 'When it first came (UTC).';
COMMENT ON COLUMN bronze.dead_letters.last_seen_at IS 'When it last came (UTC).';
COMMENT ON COLUMN bronze.dead_letters.resolved_at IS 'When it was replayed or given up (UTC).';
COMMENT ON COLUMN bronze.dead_letters.resolution IS 'Run of the replay, or the reason for giving up.';
ALTER TABLE bronze.dead_letters ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME bronze.dead_letters_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE bronze.former_versions (
    stream_id integer NOT NULL,
    raw_id text NOT NULL COLLATE pg_catalog."C",
    version integer NOT NULL,
    content_hash bytea NOT NULL,
    partition_key date NOT NULL,
    row_id bigint NOT NULL
);
COMMENT ON TABLE bronze.former_versions IS 'Versions of records other than the current one, with the place of their rows.';
COMMENT ON COLUMN bronze.former_versions.stream_id IS 'Stream and account, see bronze.streams.';
COMMENT ON COLUMN bronze.former_versions.raw_id IS 'The record''s key.';
COMMENT ON COLUMN bronze.former_versions.version IS 'Version.';
COMMENT ON COLUMN bronze.former_versions.content_hash IS 'Hash of its content, 16 bytes.';
COMMENT ON COLUMN bronze.former_versions.partition_key IS 'Where its row is: its partition ...';
COMMENT ON COLUMN bronze.former_versions.row_id IS '... and its id.';
CREATE TABLE bronze.heads (
    stream_id integer NOT NULL,
    raw_id text NOT NULL COLLATE pg_catalog."C",
    version integer NOT NULL,
    current_version integer NOT NULL,
    content_hash bytea NOT NULL,
    degraded_hash bytea,
    ordering numeric,
    gone boolean DEFAULT false NOT NULL,
    partition_key date NOT NULL,
    row_id bigint NOT NULL,
    CONSTRAINT current_version_is_among_the_versions CHECK (((current_version >= 1) AND (current_version <= version)))
)
WITH (fillfactor='90');
COMMENT ON TABLE bronze.heads IS 'One row per record: newest version, hash of its content, and the row that is current.';
COMMENT ON COLUMN bronze.heads.stream_id IS 'Stream and account, see bronze.streams.';
COMMENT ON COLUMN bronze.heads.raw_id IS 'The record''s key, as in bronze_<source>.raw_id.';
COMMENT ON COLUMN bronze.heads.version IS 'Number of the newest version.';
COMMENT ON COLUMN bronze.heads.current_version IS 'Version that the current view shows: the newest that is not a degraded answer.';
COMMENT ON COLUMN bronze.heads.content_hash IS 'Hash of the current version''s content, 16 bytes.';
COMMENT ON COLUMN bronze.heads.degraded_hash IS 'Hash of the newest degraded answer, where there was one.';
COMMENT ON COLUMN bronze.heads.ordering IS 'Replication key of the newest version as a number (timestamps: microseconds since 1970 UTC).';
COMMENT ON COLUMN bronze.heads.gone IS 'The record is gone at the source.';
COMMENT ON COLUMN bronze.heads.partition_key IS 'Where the current row is: its partition ...';
COMMENT ON COLUMN bronze.heads.row_id IS '... and its id.';
CREATE TABLE bronze.layout (
    version integer NOT NULL,
    fingerprint text NOT NULL,
    applied_at timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL
);
COMMENT ON TABLE bronze.layout IS 'Which states of sql/bronze were applied to this database, one row each; the newest row is the present one.';
COMMENT ON COLUMN bronze.layout.version IS 'Number in sql/bronze/00_layout.sql.';
COMMENT ON COLUMN bronze.layout.fingerprint IS 'SHA-256 over names and contents of the files, hexadecimal.';
COMMENT ON COLUMN bronze.layout.applied_at IS 'When they were applied (UTC).';
ALTER TABLE bronze.record ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME bronze.record_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE bronze.run_streams (
    run_id text NOT NULL,
    stream text NOT NULL,
    read_count bigint DEFAULT 0 NOT NULL,
    new_count bigint DEFAULT 0 NOT NULL,
    changed_count bigint DEFAULT 0 NOT NULL,
    known_count bigint DEFAULT 0 NOT NULL,
    rejected_count bigint DEFAULT 0 NOT NULL,
    gone_count bigint DEFAULT 0 NOT NULL,
    invalid_count bigint DEFAULT 0 NOT NULL
);
COMMENT ON TABLE bronze.run_streams IS 'The books of each run by stream; columns as in bronze.runs.';
COMMENT ON COLUMN bronze.run_streams.run_id IS 'Run.';
COMMENT ON COLUMN bronze.run_streams.stream IS 'Stream; empty for lines that name none.';
COMMENT ON COLUMN bronze.run_streams.read_count IS 'Records and unreadable lines that came.';
COMMENT ON COLUMN bronze.run_streams.new_count IS 'Records that were not known before.';
COMMENT ON COLUMN bronze.run_streams.changed_count IS 'Records that came with other content.';
COMMENT ON COLUMN bronze.run_streams.known_count IS 'Records that were known as they came.';
COMMENT ON COLUMN bronze.run_streams.rejected_count IS 'Records and lines that became dead letters.';
COMMENT ON COLUMN bronze.run_streams.gone_count IS 'Records found to be gone at the source.';
COMMENT ON COLUMN bronze.run_streams.invalid_count IS 'Records that break their schema.';
CREATE TABLE bronze.runs (
    run_id text NOT NULL,
    source text NOT NULL,
    environment text NOT NULL,
    status text DEFAULT 'running'::text NOT NULL,
    pipeline_version text,
    pipeline_parameters jsonb DEFAULT '{}'::jsonb NOT NULL,
    started_at timestamp without time zone DEFAULT (clock_timestamp() AT TIME ZONE 'UTC'::text) NOT NULL,
    ended_at timestamp without time zone,
    units integer DEFAULT 0 NOT NULL,
    read_count bigint DEFAULT 0 NOT NULL,
    new_count bigint DEFAULT 0 NOT NULL,
    changed_count bigint DEFAULT 0 NOT NULL,
    known_count bigint DEFAULT 0 NOT NULL,
    rejected_count bigint DEFAULT 0 NOT NULL,
    gone_count bigint DEFAULT 0 NOT NULL,
    invalid_count bigint DEFAULT 0 NOT NULL,
    archive_path text,
    error_message text,
    CONSTRAINT run_is_running_succeeded_failed_or_interrupted CHECK ((status = ANY (ARRAY['running'::text, 'succeeded'::text, 'failed'::text, 'interrupted'::text]))),
    CONSTRAINT run_that_succeeded_has_balanced_books CHECK (((status <> 'succeeded'::text) OR (read_count = (((new_count + changed_count) + known_count) + rejected_count))))
);
COMMENT ON TABLE bronze.runs IS 'One row per run of the loader: who, when, outcome, and the books: read = new + changed + known + rejected.';
COMMENT ON COLUMN bronze.runs.run_id IS 'Name of the run, pipeline_run_id of its rows.';
COMMENT ON COLUMN bronze.runs.source IS 'Source.';
COMMENT ON COLUMN bronze.runs.environment IS 'Meltano environment.';
COMMENT ON COLUMN bronze.runs.status IS 'running, succeeded, failed, or interrupted (stopped by a signal or killed).';
COMMENT ON COLUMN bronze.runs.pipeline_version IS 'Tap and loader with their versions.';
COMMENT ON COLUMN bronze.runs.pipeline_parameters IS 'The tap''s settings without secrets.';
COMMENT ON COLUMN bronze.runs.started_at IS 'Start (UTC).';
COMMENT ON COLUMN bronze.runs.ended_at IS 'End (UTC); empty while it runs, or when it was killed.';
COMMENT ON COLUMN bronze.runs.units IS 'Transactions committed; tells a loader whose connection broke during a commit whether it went through.';
COMMENT ON COLUMN bronze.runs.read_count IS 'RECORD messages and unreadable lines that came.';
COMMENT ON COLUMN bronze.runs.new_count IS 'Records that were not known before.';
COMMENT ON COLUMN bronze.runs.changed_count IS 'Records that came with other content (back and degraded included).';
COMMENT ON COLUMN bronze.runs.known_count IS 'Records that were known as they came.';
COMMENT ON COLUMN bronze.runs.rejected_count IS 'Records and lines that became dead letters.';
COMMENT ON COLUMN bronze.runs.gone_count IS 'Records found to be gone at the source.';
COMMENT ON COLUMN bronze.runs.invalid_count IS 'Records that break their schema; they are among new, changed and known.';
COMMENT ON COLUMN bronze.runs.archive_path IS 'The run''s file in the raw archive, relative to the archive folder.';
COMMENT ON COLUMN bronze.runs.error_message IS 'Why it failed.';
CREATE TABLE bronze.schemas (
    schema_hash text NOT NULL,
    source text NOT NULL,
    stream text NOT NULL,
    json_schema jsonb NOT NULL,
    key_properties text[] NOT NULL,
    first_seen_at timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    last_seen_at timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL
);
COMMENT ON TABLE bronze.schemas IS 'History of the JSON Schemas of each stream, as its SCHEMA messages declared them.';
COMMENT ON COLUMN bronze.schemas.schema_hash IS 'Hash over schema and key, hexadecimal; what belongs to a single run (x-tap, x-absence-window) is left out.';
COMMENT ON COLUMN bronze.schemas.source IS 'Source.';
COMMENT ON COLUMN bronze.schemas.stream IS 'Stream.';
COMMENT ON COLUMN bronze.schemas.json_schema IS 'The schema with its x- annotations.';
COMMENT ON COLUMN bronze.schemas.key_properties IS 'Key that came with it; empty for a stream without one.';
COMMENT ON COLUMN bronze.schemas.first_seen_at IS 'When it first came (UTC).';
COMMENT ON COLUMN bronze.schemas.last_seen_at IS 'When it last came (UTC).';
CREATE TABLE bronze.sources (
    source text NOT NULL,
    created_at timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    CONSTRAINT source_is_a_short_lower_case_name CHECK ((source ~ '^[a-z][a-z0-9_]{0,39}$'::text))
);
COMMENT ON TABLE bronze.sources IS 'One row per source that has a table bronze_<source>.';
COMMENT ON COLUMN bronze.sources.source IS 'Name, such as toggl.';
COMMENT ON COLUMN bronze.sources.created_at IS 'When its table was made (UTC).';
CREATE TABLE bronze.streams (
    id integer NOT NULL,
    source text NOT NULL,
    stream text NOT NULL,
    account text DEFAULT ''::text NOT NULL,
    lineage_prefix text NOT NULL COLLATE pg_catalog."C",
    key_properties text[] DEFAULT '{}'::text[] NOT NULL,
    replication_key text,
    schema_hash text,
    tap text,
    row_count bigint DEFAULT 0 NOT NULL,
    record_count bigint DEFAULT 0 NOT NULL,
    gone_count bigint DEFAULT 0 NOT NULL,
    invalid_count bigint DEFAULT 0 NOT NULL,
    warning_count bigint DEFAULT 0 NOT NULL,
    first_event timestamp without time zone,
    last_event timestamp without time zone,
    first_seen_at timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    last_landed_at timestamp without time zone,
    last_run_id text
);
COMMENT ON TABLE bronze.streams IS 'Catalog: one row per source, stream and account, with counters of what has landed.';
COMMENT ON COLUMN bronze.streams.id IS 'Short name of the stream in bronze.heads.';
COMMENT ON COLUMN bronze.streams.source IS 'Source, such as toggl.';
COMMENT ON COLUMN bronze.streams.stream IS 'Stream as the tap names it.';
COMMENT ON COLUMN bronze.streams.account IS 'Account at the source, where the tap tells one; else empty. Part of a record''s identity.';
COMMENT ON COLUMN bronze.streams.lineage_prefix IS 'What the lineage_id of each of its rows begins with.';
COMMENT ON COLUMN bronze.streams.key_properties IS 'Fields that are the key; empty: records are identified by their content.';
COMMENT ON COLUMN bronze.streams.replication_key IS 'Field that orders a record''s versions, where the stream has one.';
COMMENT ON COLUMN bronze.streams.schema_hash IS 'The schema that it last came with, see bronze.schemas.';
COMMENT ON COLUMN bronze.streams.tap IS 'Tap that last delivered it.';
COMMENT ON COLUMN bronze.streams.row_count IS 'Rows (versions) in bronze_<source>.';
COMMENT ON COLUMN bronze.streams.record_count IS 'Records, the gone ones included.';
COMMENT ON COLUMN bronze.streams.gone_count IS 'Records that are gone at the source now.';
COMMENT ON COLUMN bronze.streams.invalid_count IS 'Rows that landed as invalid.';
COMMENT ON COLUMN bronze.streams.warning_count IS 'Rows that landed with a warning.';
COMMENT ON COLUMN bronze.streams.first_event IS 'Earliest source_timestamp (UTC).';
COMMENT ON COLUMN bronze.streams.last_event IS 'Latest source_timestamp (UTC).';
COMMENT ON COLUMN bronze.streams.first_seen_at IS 'When the stream first came (UTC).';
COMMENT ON COLUMN bronze.streams.last_landed_at IS 'When a row last landed (UTC).';
COMMENT ON COLUMN bronze.streams.last_run_id IS 'Run that last delivered it, news or not.';
CREATE VIEW bronze.status AS
 SELECT s.source,
    s.stream,
    s.account,
    s.row_count,
    s.record_count,
    s.gone_count,
    s.invalid_count,
    s.warning_count,
    s.first_event,
    s.last_event,
    s.last_landed_at,
    s.last_run_id,
    r.status AS last_run_status,
    r.started_at AS last_run_started_at,
    r.ended_at AS last_run_ended_at
   FROM (bronze.streams s
     LEFT JOIN bronze.runs r ON ((s.last_run_id = r.run_id)));
COMMENT ON VIEW bronze.status IS 'Per source, stream and account: rows, records, events and the last run. Columns as in bronze.streams and bronze.runs.';
ALTER TABLE bronze.streams ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME bronze.streams_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.bronze_shop (
    id bigint NOT NULL,
    source text NOT NULL,
    raw_data jsonb NOT NULL,
    ingested_at timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    source_timestamp timestamp without time zone,
    raw_id text COLLATE pg_catalog."C",
    validation_status text DEFAULT 'valid'::text NOT NULL,
    error_message text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    environment text NOT NULL,
    pipeline_run_id text,
    pipeline_version text,
    pipeline_parameters jsonb,
    lineage_id text COLLATE pg_catalog."C",
    parent_lineage_ids text[],
    lineage_type text DEFAULT 'source'::text NOT NULL,
    lineage_source text,
    lineage_timestamp timestamp without time zone,
    lineage_metadata jsonb,
    quality_metrics jsonb,
    quality_score double precision,
    quality_checks jsonb,
    file_path text,
    file_hash text,
    file_size bigint,
    compression_type text,
    encoding text,
    api_version text,
    api_endpoint text,
    api_request_id text,
    api_response_code integer,
    api_rate_limit_info jsonb,
    processing_start_time timestamp without time zone,
    processing_end_time timestamp without time zone,
    processing_duration interval,
    processing_steps jsonb,
    processing_errors jsonb,
    partition_key date NOT NULL,
    CONSTRAINT lineage_type_is_source_derived_or_enriched CHECK ((lineage_type = ANY (ARRAY['source'::text, 'derived'::text, 'enriched'::text]))),
    CONSTRAINT partition_key_is_the_day_of_the_event_or_of_the_landing CHECK ((partition_key = (COALESCE(source_timestamp, ingested_at))::date)),
    CONSTRAINT quality_score_is_a_share CHECK (((quality_score >= (0)::double precision) AND (quality_score <= (1)::double precision))),
    CONSTRAINT validation_status_is_valid_warning_or_invalid CHECK ((validation_status = ANY (ARRAY['valid'::text, 'warning'::text, 'invalid'::text]))),
    CONSTRAINT version_counts_from_one CHECK ((version >= 1))
)
PARTITION BY RANGE (partition_key);
COMMENT ON TABLE public.bronze_shop IS 'Everything that came from shop: one row per version of a record, as the source sent it. Rows are appended, never changed.';
COMMENT ON COLUMN public.bronze_shop.id IS 'Number of the row.';
COMMENT ON COLUMN public.bronze_shop.source IS 'Source, such as toggl.';
COMMENT ON COLUMN public.bronze_shop.raw_data IS 'The payload, untouched.';
COMMENT ON COLUMN public.bronze_shop.ingested_at IS 'When it landed (UTC).';
COMMENT ON COLUMN public.bronze_shop.source_timestamp IS 'When it happened (UTC), from the field that the stream names; empty if there is none or it cannot be read.';
COMMENT ON COLUMN public.bronze_shop.raw_id IS 'The record''s key at the source. Several fields: a JSON array. No key: hash of the content and occurrence.';
COMMENT ON COLUMN public.bronze_shop.validation_status IS 'valid; warning: lands, but something is odd; invalid: breaks its schema.';
COMMENT ON COLUMN public.bronze_shop.error_message IS 'Which rule, which field; never the value.';
COMMENT ON COLUMN public.bronze_shop.metadata IS 'stream, account, change (new, changed, gone, back, degraded), and what has no column. raw_base64 holds the original bytes where raw_data could not.';
COMMENT ON COLUMN public.bronze_shop.version IS '1, 2, 3 ... of this record.';
COMMENT ON COLUMN public.bronze_shop.environment IS 'Meltano environment.';
COMMENT ON COLUMN public.bronze_shop.pipeline_run_id IS 'Run that wrote the row, see bronze.runs.';
COMMENT ON COLUMN public.bronze_shop.pipeline_version IS 'Tap and loader with their versions.';
COMMENT ON COLUMN public.bronze_shop.pipeline_parameters IS 'The tap''s settings without secrets.';
COMMENT ON COLUMN public.bronze_shop.lineage_id IS 'Identity of this version: source/stream[~account]/raw_id@version.';
COMMENT ON COLUMN public.bronze_shop.parent_lineage_ids IS 'The version before it.';
COMMENT ON COLUMN public.bronze_shop.lineage_type IS 'source; derived and enriched are for later layers.';
COMMENT ON COLUMN public.bronze_shop.lineage_source IS 'Tap and stream, such as tap-toggl/time_entries.';
COMMENT ON COLUMN public.bronze_shop.lineage_timestamp IS 'When the tap read it (UTC).';
COMMENT ON COLUMN public.bronze_shop.lineage_metadata IS 'content_hash, schema_hash, position: line number in the run.';
COMMENT ON COLUMN public.bronze_shop.quality_metrics IS 'declared: fields that the schema names; present: how many of them the record has.';
COMMENT ON COLUMN public.bronze_shop.quality_score IS 'present / declared, 0 to 1.';
COMMENT ON COLUMN public.bronze_shop.quality_checks IS 'The checks and their outcome: pass, warning, fail.';
COMMENT ON COLUMN public.bronze_shop.file_path IS 'For a record from a file: its path, member path inside an archive included.';
COMMENT ON COLUMN public.bronze_shop.file_hash IS 'SHA-256 of the file, hexadecimal.';
COMMENT ON COLUMN public.bronze_shop.file_size IS 'Size of the file in bytes.';
COMMENT ON COLUMN public.bronze_shop.compression_type IS 'How the file was compressed.';
COMMENT ON COLUMN public.bronze_shop.encoding IS 'Character encoding of the file.';
COMMENT ON COLUMN public.bronze_shop.api_version IS 'For a record from an API: its version.';
COMMENT ON COLUMN public.bronze_shop.api_endpoint IS 'Method and path of the request.';
COMMENT ON COLUMN public.bronze_shop.api_request_id IS 'Request id that the service gave.';
COMMENT ON COLUMN public.bronze_shop.api_response_code IS 'HTTP status.';
COMMENT ON COLUMN public.bronze_shop.api_rate_limit_info IS 'What the answer said of the service''s limits.';
COMMENT ON COLUMN public.bronze_shop.processing_start_time IS 'When the loader began the batch that landed it (UTC).';
COMMENT ON COLUMN public.bronze_shop.processing_end_time IS 'When the batch was written (UTC).';
COMMENT ON COLUMN public.bronze_shop.processing_duration IS 'Between the two.';
COMMENT ON COLUMN public.bronze_shop.processing_steps IS 'What the batch went through.';
COMMENT ON COLUMN public.bronze_shop.processing_errors IS 'What failed for the record on the way and was mended, as sentences; empty where nothing did.';
COMMENT ON COLUMN public.bronze_shop.partition_key IS 'Day of source_timestamp, else of ingested_at; months are partitions.';
CREATE VIEW public.bronze_shop_current AS
 SELECT r.id,
    r.source,
    r.raw_data,
    r.ingested_at,
    r.source_timestamp,
    r.raw_id,
    r.validation_status,
    r.error_message,
    r.metadata,
    r.version,
    r.environment,
    r.pipeline_run_id,
    r.pipeline_version,
    r.pipeline_parameters,
    r.lineage_id,
    r.parent_lineage_ids,
    r.lineage_type,
    r.lineage_source,
    r.lineage_timestamp,
    r.lineage_metadata,
    r.quality_metrics,
    r.quality_score,
    r.quality_checks,
    r.file_path,
    r.file_hash,
    r.file_size,
    r.compression_type,
    r.encoding,
    r.api_version,
    r.api_endpoint,
    r.api_request_id,
    r.api_response_code,
    r.api_rate_limit_info,
    r.processing_start_time,
    r.processing_end_time,
    r.processing_duration,
    r.processing_steps,
    r.processing_errors,
    r.partition_key
   FROM ((bronze.heads h
     JOIN bronze.streams s ON ((s.id = h.stream_id)))
     JOIN public.bronze_shop r ON (((r.id = h.row_id) AND (r.partition_key = h.partition_key))))
  WHERE ((s.source = 'shop'::text) AND (NOT h.gone));
COMMENT ON VIEW public.bronze_shop_current IS 'The newest version of each record from shop that is not gone; a degraded answer does not replace a full one.';
ALTER TABLE public.bronze_shop ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.bronze_shop_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.bronze_shop_y2024m01 (
    id bigint NOT NULL,
    source text NOT NULL,
    raw_data jsonb NOT NULL,
    ingested_at timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    source_timestamp timestamp without time zone,
    raw_id text COLLATE pg_catalog."C",
    validation_status text DEFAULT 'valid'::text NOT NULL,
    error_message text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    environment text NOT NULL,
    pipeline_run_id text,
    pipeline_version text,
    pipeline_parameters jsonb,
    lineage_id text COLLATE pg_catalog."C",
    parent_lineage_ids text[],
    lineage_type text DEFAULT 'source'::text NOT NULL,
    lineage_source text,
    lineage_timestamp timestamp without time zone,
    lineage_metadata jsonb,
    quality_metrics jsonb,
    quality_score double precision,
    quality_checks jsonb,
    file_path text,
    file_hash text,
    file_size bigint,
    compression_type text,
    encoding text,
    api_version text,
    api_endpoint text,
    api_request_id text,
    api_response_code integer,
    api_rate_limit_info jsonb,
    processing_start_time timestamp without time zone,
    processing_end_time timestamp without time zone,
    processing_duration interval,
    processing_steps jsonb,
    processing_errors jsonb,
    partition_key date NOT NULL,
    CONSTRAINT lineage_type_is_source_derived_or_enriched CHECK ((lineage_type = ANY (ARRAY['source'::text, 'derived'::text, 'enriched'::text]))),
    CONSTRAINT partition_key_is_the_day_of_the_event_or_of_the_landing CHECK ((partition_key = (COALESCE(source_timestamp, ingested_at))::date)),
    CONSTRAINT quality_score_is_a_share CHECK (((quality_score >= (0)::double precision) AND (quality_score <= (1)::double precision))),
    CONSTRAINT validation_status_is_valid_warning_or_invalid CHECK ((validation_status = ANY (ARRAY['valid'::text, 'warning'::text, 'invalid'::text]))),
    CONSTRAINT version_counts_from_one CHECK ((version >= 1))
);
COMMENT ON COLUMN public.bronze_shop_y2024m01.id IS 'Number of the row.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.source IS 'Source, such as toggl.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.raw_data IS 'The payload, untouched.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.ingested_at IS 'When it landed (UTC).';
COMMENT ON COLUMN public.bronze_shop_y2024m01.source_timestamp IS 'When it happened (UTC), from the field that the stream names; empty if there is none or it cannot be read.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.raw_id IS 'The record''s key at the source. Several fields: a JSON array. No key: hash of the content and occurrence.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.validation_status IS 'valid; warning: lands, but something is odd; invalid: breaks its schema.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.error_message IS 'Which rule, which field; never the value.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.metadata IS 'stream, account, change (new, changed, gone, back, degraded), and what has no column. raw_base64 holds the original bytes where raw_data could not.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.version IS '1, 2, 3 ... of this record.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.environment IS 'Meltano environment.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.pipeline_run_id IS 'Run that wrote the row, see bronze.runs.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.pipeline_version IS 'Tap and loader with their versions.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.pipeline_parameters IS 'The tap''s settings without secrets.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.lineage_id IS 'Identity of this version: source/stream[~account]/raw_id@version.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.parent_lineage_ids IS 'The version before it.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.lineage_type IS 'source; derived and enriched are for later layers.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.lineage_source IS 'Tap and stream, such as tap-toggl/time_entries.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.lineage_timestamp IS 'When the tap read it (UTC).';
COMMENT ON COLUMN public.bronze_shop_y2024m01.lineage_metadata IS 'content_hash, schema_hash, position: line number in the run.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.quality_metrics IS 'declared: fields that the schema names; present: how many of them the record has.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.quality_score IS 'present / declared, 0 to 1.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.quality_checks IS 'The checks and their outcome: pass, warning, fail.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.file_path IS 'For a record from a file: its path, member path inside an archive included.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.file_hash IS 'SHA-256 of the file, hexadecimal.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.file_size IS 'Size of the file in bytes.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.compression_type IS 'How the file was compressed.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.encoding IS 'Character encoding of the file.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.api_version IS 'For a record from an API: its version.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.api_endpoint IS 'Method and path of the request.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.api_request_id IS 'Request id that the service gave.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.api_response_code IS 'HTTP status.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.api_rate_limit_info IS 'What the answer said of the service''s limits.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.processing_start_time IS 'When the loader began the batch that landed it (UTC).';
COMMENT ON COLUMN public.bronze_shop_y2024m01.processing_end_time IS 'When the batch was written (UTC).';
COMMENT ON COLUMN public.bronze_shop_y2024m01.processing_duration IS 'Between the two.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.processing_steps IS 'What the batch went through.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.processing_errors IS 'What failed for the record on the way and was mended, as sentences; empty where nothing did.';
COMMENT ON COLUMN public.bronze_shop_y2024m01.partition_key IS 'Day of source_timestamp, else of ingested_at; months are partitions.';
CREATE TABLE public.bronze_shop_y2024m02 (
    id bigint NOT NULL,
    source text NOT NULL,
    raw_data jsonb NOT NULL,
    ingested_at timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    source_timestamp timestamp without time zone,
    raw_id text COLLATE pg_catalog."C",
    validation_status text DEFAULT 'valid'::text NOT NULL,
    error_message text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    environment text NOT NULL,
    pipeline_run_id text,
    pipeline_version text,
    pipeline_parameters jsonb,
    lineage_id text COLLATE pg_catalog."C",
    parent_lineage_ids text[],
    lineage_type text DEFAULT 'source'::text NOT NULL,
    lineage_source text,
    lineage_timestamp timestamp without time zone,
    lineage_metadata jsonb,
    quality_metrics jsonb,
    quality_score double precision,
    quality_checks jsonb,
    file_path text,
    file_hash text,
    file_size bigint,
    compression_type text,
    encoding text,
    api_version text,
    api_endpoint text,
    api_request_id text,
    api_response_code integer,
    api_rate_limit_info jsonb,
    processing_start_time timestamp without time zone,
    processing_end_time timestamp without time zone,
    processing_duration interval,
    processing_steps jsonb,
    processing_errors jsonb,
    partition_key date NOT NULL,
    CONSTRAINT lineage_type_is_source_derived_or_enriched CHECK ((lineage_type = ANY (ARRAY['source'::text, 'derived'::text, 'enriched'::text]))),
    CONSTRAINT partition_key_is_the_day_of_the_event_or_of_the_landing CHECK ((partition_key = (COALESCE(source_timestamp, ingested_at))::date)),
    CONSTRAINT quality_score_is_a_share CHECK (((quality_score >= (0)::double precision) AND (quality_score <= (1)::double precision))),
    CONSTRAINT validation_status_is_valid_warning_or_invalid CHECK ((validation_status = ANY (ARRAY['valid'::text, 'warning'::text, 'invalid'::text]))),
    CONSTRAINT version_counts_from_one CHECK ((version >= 1))
);
COMMENT ON COLUMN public.bronze_shop_y2024m02.id IS 'Number of the row.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.source IS 'Source, such as toggl.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.raw_data IS 'The payload, untouched.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.ingested_at IS 'When it landed (UTC).';
COMMENT ON COLUMN public.bronze_shop_y2024m02.source_timestamp IS 'When it happened (UTC), from the field that the stream names; empty if there is none or it cannot be read.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.raw_id IS 'The record''s key at the source. Several fields: a JSON array. No key: hash of the content and occurrence.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.validation_status IS 'valid; warning: lands, but something is odd; invalid: breaks its schema.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.error_message IS 'Which rule, which field; never the value.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.metadata IS 'stream, account, change (new, changed, gone, back, degraded), and what has no column. raw_base64 holds the original bytes where raw_data could not.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.version IS '1, 2, 3 ... of this record.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.environment IS 'Meltano environment.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.pipeline_run_id IS 'Run that wrote the row, see bronze.runs.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.pipeline_version IS 'Tap and loader with their versions.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.pipeline_parameters IS 'The tap''s settings without secrets.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.lineage_id IS 'Identity of this version: source/stream[~account]/raw_id@version.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.parent_lineage_ids IS 'The version before it.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.lineage_type IS 'source; derived and enriched are for later layers.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.lineage_source IS 'Tap and stream, such as tap-toggl/time_entries.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.lineage_timestamp IS 'When the tap read it (UTC).';
COMMENT ON COLUMN public.bronze_shop_y2024m02.lineage_metadata IS 'content_hash, schema_hash, position: line number in the run.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.quality_metrics IS 'declared: fields that the schema names; present: how many of them the record has.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.quality_score IS 'present / declared, 0 to 1.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.quality_checks IS 'The checks and their outcome: pass, warning, fail.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.file_path IS 'For a record from a file: its path, member path inside an archive included.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.file_hash IS 'SHA-256 of the file, hexadecimal.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.file_size IS 'Size of the file in bytes.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.compression_type IS 'How the file was compressed.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.encoding IS 'Character encoding of the file.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.api_version IS 'For a record from an API: its version.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.api_endpoint IS 'Method and path of the request.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.api_request_id IS 'Request id that the service gave.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.api_response_code IS 'HTTP status.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.api_rate_limit_info IS 'What the answer said of the service''s limits.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.processing_start_time IS 'When the loader began the batch that landed it (UTC).';
COMMENT ON COLUMN public.bronze_shop_y2024m02.processing_end_time IS 'When the batch was written (UTC).';
COMMENT ON COLUMN public.bronze_shop_y2024m02.processing_duration IS 'Between the two.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.processing_steps IS 'What the batch went through.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.processing_errors IS 'What failed for the record on the way and was mended, as sentences; empty where nothing did.';
COMMENT ON COLUMN public.bronze_shop_y2024m02.partition_key IS 'Day of source_timestamp, else of ingested_at; months are partitions.';
CREATE TABLE public.bronze_shop_y2026m11 (
    id bigint NOT NULL,
    source text NOT NULL,
    raw_data jsonb NOT NULL,
    ingested_at timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    source_timestamp timestamp without time zone,
    raw_id text COLLATE pg_catalog."C",
    validation_status text DEFAULT 'valid'::text NOT NULL,
    error_message text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    environment text NOT NULL,
    pipeline_run_id text,
    pipeline_version text,
    pipeline_parameters jsonb,
    lineage_id text COLLATE pg_catalog."C",
    parent_lineage_ids text[],
    lineage_type text DEFAULT 'source'::text NOT NULL,
    lineage_source text,
    lineage_timestamp timestamp without time zone,
    lineage_metadata jsonb,
    quality_metrics jsonb,
    quality_score double precision,
    quality_checks jsonb,
    file_path text,
    file_hash text,
    file_size bigint,
    compression_type text,
    encoding text,
    api_version text,
    api_endpoint text,
    api_request_id text,
    api_response_code integer,
    api_rate_limit_info jsonb,
    processing_start_time timestamp without time zone,
    processing_end_time timestamp without time zone,
    processing_duration interval,
    processing_steps jsonb,
    processing_errors jsonb,
    partition_key date NOT NULL,
    CONSTRAINT lineage_type_is_source_derived_or_enriched CHECK ((lineage_type = ANY (ARRAY['source'::text, 'derived'::text, 'enriched'::text]))),
    CONSTRAINT partition_key_is_the_day_of_the_event_or_of_the_landing CHECK ((partition_key = (COALESCE(source_timestamp, ingested_at))::date)),
    CONSTRAINT quality_score_is_a_share CHECK (((quality_score >= (0)::double precision) AND (quality_score <= (1)::double precision))),
    CONSTRAINT validation_status_is_valid_warning_or_invalid CHECK ((validation_status = ANY (ARRAY['valid'::text, 'warning'::text, 'invalid'::text]))),
    CONSTRAINT version_counts_from_one CHECK ((version >= 1))
);
COMMENT ON COLUMN public.bronze_shop_y2026m11.id IS 'Number of the row.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.source IS 'Source, such as toggl.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.raw_data IS 'The payload, untouched.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.ingested_at IS 'When it landed (UTC).';
COMMENT ON COLUMN public.bronze_shop_y2026m11.source_timestamp IS 'When it happened (UTC), from the field that the stream names; empty if there is none or it cannot be read.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.raw_id IS 'The record''s key at the source. Several fields: a JSON array. No key: hash of the content and occurrence.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.validation_status IS 'valid; warning: lands, but something is odd; invalid: breaks its schema.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.error_message IS 'Which rule, which field; never the value.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.metadata IS 'stream, account, change (new, changed, gone, back, degraded), and what has no column. raw_base64 holds the original bytes where raw_data could not.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.version IS '1, 2, 3 ... of this record.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.environment IS 'Meltano environment.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.pipeline_run_id IS 'Run that wrote the row, see bronze.runs.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.pipeline_version IS 'Tap and loader with their versions.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.pipeline_parameters IS 'The tap''s settings without secrets.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.lineage_id IS 'Identity of this version: source/stream[~account]/raw_id@version.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.parent_lineage_ids IS 'The version before it.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.lineage_type IS 'source; derived and enriched are for later layers.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.lineage_source IS 'Tap and stream, such as tap-toggl/time_entries.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.lineage_timestamp IS 'When the tap read it (UTC).';
COMMENT ON COLUMN public.bronze_shop_y2026m11.lineage_metadata IS 'content_hash, schema_hash, position: line number in the run.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.quality_metrics IS 'declared: fields that the schema names; present: how many of them the record has.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.quality_score IS 'present / declared, 0 to 1.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.quality_checks IS 'The checks and their outcome: pass, warning, fail.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.file_path IS 'For a record from a file: its path, member path inside an archive included.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.file_hash IS 'SHA-256 of the file, hexadecimal.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.file_size IS 'Size of the file in bytes.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.compression_type IS 'How the file was compressed.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.encoding IS 'Character encoding of the file.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.api_version IS 'For a record from an API: its version.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.api_endpoint IS 'Method and path of the request.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.api_request_id IS 'Request id that the service gave.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.api_response_code IS 'HTTP status.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.api_rate_limit_info IS 'What the answer said of the service''s limits.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.processing_start_time IS 'When the loader began the batch that landed it (UTC).';
COMMENT ON COLUMN public.bronze_shop_y2026m11.processing_end_time IS 'When the batch was written (UTC).';
COMMENT ON COLUMN public.bronze_shop_y2026m11.processing_duration IS 'Between the two.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.processing_steps IS 'What the batch went through.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.processing_errors IS 'What failed for the record on the way and was mended, as sentences; empty where nothing did.';
COMMENT ON COLUMN public.bronze_shop_y2026m11.partition_key IS 'Day of source_timestamp, else of ingested_at; months are partitions.';
ALTER TABLE ONLY public.bronze_shop ATTACH PARTITION public.bronze_shop_y2024m01 FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
ALTER TABLE ONLY public.bronze_shop ATTACH PARTITION public.bronze_shop_y2024m02 FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
ALTER TABLE ONLY public.bronze_shop ATTACH PARTITION public.bronze_shop_y2026m11 FOR VALUES FROM ('2026-11-01') TO ('2026-12-01');
INSERT INTO bronze.dead_letters OVERRIDING SYSTEM VALUE VALUES (1, 'shop', '', 'api', 'the line is no JSON object', '\x6e6f206a736f6e', '\x5ad3040044b6d872316bf4312926c3b9eac7faf4eca2966e8ac41dfdf9c803f5', 'open', 'shop-20261125T155300Z-ae1e22', 'shop-20261125T155300Z-ae1e22', 4, 1, '2026-11-25 15:53:01.112508', '2026-11-25 15:53:01.112508', NULL, NULL);
INSERT INTO bronze.former_versions VALUES (1, '1', 1, '\x591a664b767c7009729e903186b7c3f4', '2024-01-05', 1);
INSERT INTO bronze.former_versions VALUES (1, '2', 1, '\xbd50756eed219a5c57958f8bc4d98b05', '2024-02-05', 2);
INSERT INTO bronze.former_versions VALUES (1, '2', 2, '\xbd50756eed219a5c57958f8bc4d98b05', '2024-02-05', 4);
INSERT INTO bronze.heads VALUES (1, '1', 2, 2, '\x9e06ff44d9e14330cb7bb8d9b43623be', NULL, NULL, false, '2024-01-05', 3);
INSERT INTO bronze.heads VALUES (1, '2', 3, 3, '\xbd50756eed219a5c57958f8bc4d98b05', NULL, NULL, false, '2024-02-05', 5);
INSERT INTO bronze.layout VALUES (1, 'c004aa7daf8b89cf670ffae89a42f239b1a79ec4a5fd6573ca76a12de55618d0', '2026-11-25 15:53:00.837432');
INSERT INTO bronze.run_streams VALUES ('shop-20261125T155300Z-ae1e22', '', 1, 0, 0, 0, 1, 0, 0);
INSERT INTO bronze.run_streams VALUES ('shop-20261125T155300Z-ae1e22', 'orders', 2, 2, 0, 0, 0, 0, 0);
INSERT INTO bronze.run_streams VALUES ('shop-20261125T155301Z-8ea6aa', 'orders', 1, 0, 1, 0, 0, 1, 0);
INSERT INTO bronze.run_streams VALUES ('shop-20261125T155301Z-a23aeb', 'orders', 2, 0, 1, 1, 0, 0, 0);
INSERT INTO bronze.runs VALUES ('shop-20261125T155300Z-ae1e22', 'shop', 'development', 'succeeded', 'tap-shop, target-postgres-bronze 0.1.0', '{}', '2026-11-25 15:53:01.054675', '2026-11-25 15:53:01.424746', 3, 3, 2, 0, 0, 1, 0, 0, NULL, NULL);
INSERT INTO bronze.runs VALUES ('shop-20261125T155301Z-8ea6aa', 'shop', 'development', 'succeeded', 'tap-shop, target-postgres-bronze 0.1.0', '{}', '2026-11-25 15:53:01.47324', '2026-11-25 15:53:01.598694', 4, 1, 0, 1, 0, 0, 1, 0, NULL, NULL);
INSERT INTO bronze.runs VALUES ('shop-20261125T155301Z-a23aeb', 'shop', 'development', 'succeeded', 'tap-shop, target-postgres-bronze 0.1.0', '{}', '2026-11-25 15:53:01.645651', '2026-11-25 15:53:01.756293', 3, 2, 0, 1, 1, 0, 0, 0, NULL, NULL);
INSERT INTO bronze.schemas VALUES ('d9527eeb23c2a0b7d5687e31d7c70665', 'shop', 'orders', '{"type": "object", "properties": {"at": {"type": "string"}, "id": {"type": "integer"}, "state": {}}, "x-source-timestamp": "at"}', '{id}', '2026-11-25 15:53:01.061383', '2026-11-25 15:53:01.652916');
INSERT INTO bronze.sources VALUES ('shop', '2026-11-25 15:53:01.032966');
INSERT INTO bronze.streams OVERRIDING SYSTEM VALUE VALUES (1, 'shop', 'orders', '', 'shop/orders/', '{id}', NULL, 'd9527eeb23c2a0b7d5687e31d7c70665', 'tap-shop', 5, 2, 0, 0, 0, '2024-01-05 10:00:00', '2024-02-05 10:00:00', '2026-11-25 15:53:01.061383', '2026-11-25 15:53:01.657527', 'shop-20261125T155301Z-a23aeb');
INSERT INTO public.bronze_shop_y2024m01 OVERRIDING SYSTEM VALUE VALUES (1, 'shop', '{"at": "2024-01-05T10:00:00Z", "id": 1, "state": "open"}', '2026-11-25 15:53:01.069268', '2024-01-05 10:00:00', '1', 'valid', NULL, '{"change": "new", "stream": "orders"}', 1, 'development', 'shop-20261125T155300Z-ae1e22', 'tap-shop, target-postgres-bronze 0.1.0', '{}', 'shop/orders/1@1', NULL, 'source', 'tap-shop/orders', NULL, '{"position": 2, "schema_hash": "d9527eeb23c2a0b7d5687e31d7c70665", "content_hash": "591a664b767c7009729e903186b7c3f4"}', '{"present": 3, "declared": 3}', 1, '{"schema": "pass", "payload": "pass", "timestamp": "pass", "declared_fields": "pass"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-25 15:53:01.069268', '2026-11-25 15:53:01.125061', '00:00:00.055793', '["read", "check", "judge", "land"]', NULL, '2024-01-05');
INSERT INTO public.bronze_shop_y2024m01 OVERRIDING SYSTEM VALUE VALUES (3, 'shop', '{"at": "2024-01-05T10:00:00Z", "id": 1, "state": "paid"}', '2026-11-25 15:53:01.479925', '2024-01-05 10:00:00', '1', 'valid', NULL, '{"change": "changed", "stream": "orders"}', 2, 'development', 'shop-20261125T155301Z-8ea6aa', 'tap-shop, target-postgres-bronze 0.1.0', '{}', 'shop/orders/1@2', '{shop/orders/1@1}', 'source', 'tap-shop/orders', NULL, '{"position": 2, "schema_hash": "d9527eeb23c2a0b7d5687e31d7c70665", "content_hash": "9e06ff44d9e14330cb7bb8d9b43623be"}', '{"present": 3, "declared": 3}', 1, '{"schema": "pass", "payload": "pass", "timestamp": "pass", "declared_fields": "pass"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-25 15:53:01.479925', '2026-11-25 15:53:01.48767', '00:00:00.007745', '["read", "check", "judge", "land"]', NULL, '2024-01-05');
INSERT INTO public.bronze_shop_y2024m02 OVERRIDING SYSTEM VALUE VALUES (2, 'shop', '{"at": "2024-02-05T10:00:00Z", "id": 2, "state": "open"}', '2026-11-25 15:53:01.069268', '2024-02-05 10:00:00', '2', 'valid', NULL, '{"change": "new", "stream": "orders"}', 1, 'development', 'shop-20261125T155300Z-ae1e22', 'tap-shop, target-postgres-bronze 0.1.0', '{}', 'shop/orders/2@1', NULL, 'source', 'tap-shop/orders', NULL, '{"position": 3, "schema_hash": "d9527eeb23c2a0b7d5687e31d7c70665", "content_hash": "bd50756eed219a5c57958f8bc4d98b05"}', '{"present": 3, "declared": 3}', 1, '{"schema": "pass", "payload": "pass", "timestamp": "pass", "declared_fields": "pass"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-25 15:53:01.069268', '2026-11-25 15:53:01.125061', '00:00:00.055793', '["read", "check", "judge", "land"]', NULL, '2024-02-05');
INSERT INTO public.bronze_shop_y2024m02 OVERRIDING SYSTEM VALUE VALUES (4, 'shop', '{"at": "2024-02-05T10:00:00Z", "id": 2, "state": "open"}', '2026-11-25 15:53:01.539644', '2024-02-05 10:00:00', '2', 'valid', NULL, '{"change": "gone", "stream": "orders"}', 2, 'development', 'shop-20261125T155301Z-8ea6aa', 'tap-shop, target-postgres-bronze 0.1.0', '{}', 'shop/orders/2@2', '{shop/orders/2@1}', 'source', 'tap-shop/orders', NULL, '{"position": null, "schema_hash": "d9527eeb23c2a0b7d5687e31d7c70665", "content_hash": "bd50756eed219a5c57958f8bc4d98b05"}', '{"present": 3, "declared": 3}', 1, '{"schema": "pass", "payload": "pass", "timestamp": "pass", "declared_fields": "pass"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-25 15:53:01.539644', '2026-11-25 15:53:01.542777', '00:00:00.003133', '["read", "check", "judge", "land"]', NULL, '2024-02-05');
INSERT INTO public.bronze_shop_y2024m02 OVERRIDING SYSTEM VALUE VALUES (5, 'shop', '{"at": "2024-02-05T10:00:00Z", "id": 2, "state": "open"}', '2026-11-25 15:53:01.657527', '2024-02-05 10:00:00', '2', 'valid', NULL, '{"change": "back", "stream": "orders"}', 3, 'development', 'shop-20261125T155301Z-a23aeb', 'tap-shop, target-postgres-bronze 0.1.0', '{}', 'shop/orders/2@3', '{shop/orders/2@2}', 'source', 'tap-shop/orders', NULL, '{"position": 3, "schema_hash": "d9527eeb23c2a0b7d5687e31d7c70665", "content_hash": "bd50756eed219a5c57958f8bc4d98b05"}', '{"present": 3, "declared": 3}', 1, '{"schema": "pass", "payload": "pass", "timestamp": "pass", "declared_fields": "pass"}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-25 15:53:01.657527', '2026-11-25 15:53:01.67041', '00:00:00.012883', '["read", "check", "judge", "land"]', NULL, '2024-02-05');
SELECT pg_catalog.setval('bronze.dead_letters_id_seq', 1, true);
SELECT pg_catalog.setval('bronze.record_id_seq', 1, false);
SELECT pg_catalog.setval('bronze.streams_id_seq', 3, true);
SELECT pg_catalog.setval('public.bronze_shop_id_seq', 5, true);
ALTER TABLE ONLY bronze.dead_letters
    ADD CONSTRAINT dead_letter_id_is_unique PRIMARY KEY (id);
ALTER TABLE ONLY bronze.dead_letters
    ADD CONSTRAINT dead_letter_is_kept_once UNIQUE (source, stream, original_hash);
ALTER TABLE ONLY bronze.layout
    ADD CONSTRAINT layout_version_is_applied_once PRIMARY KEY (version, fingerprint);
ALTER TABLE ONLY bronze.heads
    ADD CONSTRAINT record_has_one_head PRIMARY KEY (stream_id, raw_id);
ALTER TABLE ONLY bronze.record
    ADD CONSTRAINT record_pkey PRIMARY KEY (id, partition_key);
ALTER TABLE ONLY bronze.runs
    ADD CONSTRAINT run_is_listed_once PRIMARY KEY (run_id);
ALTER TABLE ONLY bronze.schemas
    ADD CONSTRAINT schema_is_kept_once_per_stream PRIMARY KEY (source, stream, schema_hash);
ALTER TABLE ONLY bronze.sources
    ADD CONSTRAINT source_is_listed_once PRIMARY KEY (source);
ALTER TABLE ONLY bronze.streams
    ADD CONSTRAINT stream_id_is_unique PRIMARY KEY (id);
ALTER TABLE ONLY bronze.run_streams
    ADD CONSTRAINT stream_is_counted_once_per_run PRIMARY KEY (run_id, stream);
ALTER TABLE ONLY bronze.streams
    ADD CONSTRAINT stream_is_listed_once_per_account UNIQUE (source, stream, account);
ALTER TABLE ONLY bronze.former_versions
    ADD CONSTRAINT version_is_listed_once PRIMARY KEY (stream_id, raw_id, version);
ALTER TABLE ONLY public.bronze_shop
    ADD CONSTRAINT bronze_shop_pkey PRIMARY KEY (id, partition_key);
ALTER TABLE ONLY public.bronze_shop_y2024m01
    ADD CONSTRAINT bronze_shop_y2024m01_pkey PRIMARY KEY (id, partition_key);
ALTER TABLE ONLY public.bronze_shop_y2024m02
    ADD CONSTRAINT bronze_shop_y2024m02_pkey PRIMARY KEY (id, partition_key);
ALTER TABLE ONLY public.bronze_shop_y2026m11
    ADD CONSTRAINT bronze_shop_y2026m11_pkey PRIMARY KEY (id, partition_key);
CREATE INDEX record_by_content ON bronze.record USING gin (raw_data jsonb_path_ops);
CREATE INDEX record_by_environment ON bronze.record USING btree (environment);
CREATE INDEX record_by_lineage_id ON bronze.record USING btree (lineage_id);
CREATE INDEX record_by_pipeline_run_id ON bronze.record USING btree (pipeline_run_id);
CREATE INDEX record_by_quality_score ON bronze.record USING btree (quality_score);
CREATE INDEX record_by_source_timestamp ON bronze.record USING btree (source_timestamp);
CREATE INDEX record_by_validation_status ON bronze.record USING btree (validation_status);
CREATE INDEX runs_of_a_source_newest_first ON bronze.runs USING btree (source, started_at DESC);
CREATE INDEX bronze_shop_by_content ON ONLY public.bronze_shop USING gin (raw_data jsonb_path_ops);
CREATE INDEX bronze_shop_by_environment ON ONLY public.bronze_shop USING btree (environment);
CREATE INDEX bronze_shop_by_lineage_id ON ONLY public.bronze_shop USING btree (lineage_id);
CREATE INDEX bronze_shop_by_pipeline_run_id ON ONLY public.bronze_shop USING btree (pipeline_run_id);
CREATE INDEX bronze_shop_by_quality_score ON ONLY public.bronze_shop USING btree (quality_score);
CREATE INDEX bronze_shop_by_source_timestamp ON ONLY public.bronze_shop USING btree (source_timestamp);
CREATE INDEX bronze_shop_by_validation_status ON ONLY public.bronze_shop USING btree (validation_status);
CREATE INDEX bronze_shop_y2024m01_environment_idx ON public.bronze_shop_y2024m01 USING btree (environment);
CREATE INDEX bronze_shop_y2024m01_lineage_id_idx ON public.bronze_shop_y2024m01 USING btree (lineage_id);
CREATE INDEX bronze_shop_y2024m01_pipeline_run_id_idx ON public.bronze_shop_y2024m01 USING btree (pipeline_run_id);
CREATE INDEX bronze_shop_y2024m01_quality_score_idx ON public.bronze_shop_y2024m01 USING btree (quality_score);
CREATE INDEX bronze_shop_y2024m01_raw_data_idx ON public.bronze_shop_y2024m01 USING gin (raw_data jsonb_path_ops);
CREATE INDEX bronze_shop_y2024m01_source_timestamp_idx ON public.bronze_shop_y2024m01 USING btree (source_timestamp);
CREATE INDEX bronze_shop_y2024m01_validation_status_idx ON public.bronze_shop_y2024m01 USING btree (validation_status);
CREATE INDEX bronze_shop_y2024m02_environment_idx ON public.bronze_shop_y2024m02 USING btree (environment);
CREATE INDEX bronze_shop_y2024m02_lineage_id_idx ON public.bronze_shop_y2024m02 USING btree (lineage_id);
CREATE INDEX bronze_shop_y2024m02_pipeline_run_id_idx ON public.bronze_shop_y2024m02 USING btree (pipeline_run_id);
CREATE INDEX bronze_shop_y2024m02_quality_score_idx ON public.bronze_shop_y2024m02 USING btree (quality_score);
CREATE INDEX bronze_shop_y2024m02_raw_data_idx ON public.bronze_shop_y2024m02 USING gin (raw_data jsonb_path_ops);
CREATE INDEX bronze_shop_y2024m02_source_timestamp_idx ON public.bronze_shop_y2024m02 USING btree (source_timestamp);
CREATE INDEX bronze_shop_y2024m02_validation_status_idx ON public.bronze_shop_y2024m02 USING btree (validation_status);
CREATE INDEX bronze_shop_y2026m11_environment_idx ON public.bronze_shop_y2026m11 USING btree (environment);
CREATE INDEX bronze_shop_y2026m11_lineage_id_idx ON public.bronze_shop_y2026m11 USING btree (lineage_id);
CREATE INDEX bronze_shop_y2026m11_pipeline_run_id_idx ON public.bronze_shop_y2026m11 USING btree (pipeline_run_id);
CREATE INDEX bronze_shop_y2026m11_quality_score_idx ON public.bronze_shop_y2026m11 USING btree (quality_score);
CREATE INDEX bronze_shop_y2026m11_raw_data_idx ON public.bronze_shop_y2026m11 USING gin (raw_data jsonb_path_ops);
CREATE INDEX bronze_shop_y2026m11_source_timestamp_idx ON public.bronze_shop_y2026m11 USING btree (source_timestamp);
CREATE INDEX bronze_shop_y2026m11_validation_status_idx ON public.bronze_shop_y2026m11 USING btree (validation_status);
ALTER INDEX public.bronze_shop_by_environment ATTACH PARTITION public.bronze_shop_y2024m01_environment_idx;
ALTER INDEX public.bronze_shop_by_lineage_id ATTACH PARTITION public.bronze_shop_y2024m01_lineage_id_idx;
ALTER INDEX public.bronze_shop_by_pipeline_run_id ATTACH PARTITION public.bronze_shop_y2024m01_pipeline_run_id_idx;
ALTER INDEX public.bronze_shop_pkey ATTACH PARTITION public.bronze_shop_y2024m01_pkey;
ALTER INDEX public.bronze_shop_by_quality_score ATTACH PARTITION public.bronze_shop_y2024m01_quality_score_idx;
ALTER INDEX public.bronze_shop_by_content ATTACH PARTITION public.bronze_shop_y2024m01_raw_data_idx;
ALTER INDEX public.bronze_shop_by_source_timestamp ATTACH PARTITION public.bronze_shop_y2024m01_source_timestamp_idx;
ALTER INDEX public.bronze_shop_by_validation_status ATTACH PARTITION public.bronze_shop_y2024m01_validation_status_idx;
ALTER INDEX public.bronze_shop_by_environment ATTACH PARTITION public.bronze_shop_y2024m02_environment_idx;
ALTER INDEX public.bronze_shop_by_lineage_id ATTACH PARTITION public.bronze_shop_y2024m02_lineage_id_idx;
ALTER INDEX public.bronze_shop_by_pipeline_run_id ATTACH PARTITION public.bronze_shop_y2024m02_pipeline_run_id_idx;
ALTER INDEX public.bronze_shop_pkey ATTACH PARTITION public.bronze_shop_y2024m02_pkey;
ALTER INDEX public.bronze_shop_by_quality_score ATTACH PARTITION public.bronze_shop_y2024m02_quality_score_idx;
ALTER INDEX public.bronze_shop_by_content ATTACH PARTITION public.bronze_shop_y2024m02_raw_data_idx;
ALTER INDEX public.bronze_shop_by_source_timestamp ATTACH PARTITION public.bronze_shop_y2024m02_source_timestamp_idx;
ALTER INDEX public.bronze_shop_by_validation_status ATTACH PARTITION public.bronze_shop_y2024m02_validation_status_idx;
ALTER INDEX public.bronze_shop_by_environment ATTACH PARTITION public.bronze_shop_y2026m11_environment_idx;
ALTER INDEX public.bronze_shop_by_lineage_id ATTACH PARTITION public.bronze_shop_y2026m11_lineage_id_idx;
ALTER INDEX public.bronze_shop_by_pipeline_run_id ATTACH PARTITION public.bronze_shop_y2026m11_pipeline_run_id_idx;
ALTER INDEX public.bronze_shop_pkey ATTACH PARTITION public.bronze_shop_y2026m11_pkey;
ALTER INDEX public.bronze_shop_by_quality_score ATTACH PARTITION public.bronze_shop_y2026m11_quality_score_idx;
ALTER INDEX public.bronze_shop_by_content ATTACH PARTITION public.bronze_shop_y2026m11_raw_data_idx;
ALTER INDEX public.bronze_shop_by_source_timestamp ATTACH PARTITION public.bronze_shop_y2026m11_source_timestamp_idx;
ALTER INDEX public.bronze_shop_by_validation_status ATTACH PARTITION public.bronze_shop_y2026m11_validation_status_idx;
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON public.bronze_shop FOR EACH STATEMENT EXECUTE FUNCTION bronze.refuse_rewriting();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON public.bronze_shop_y2024m01 FOR EACH STATEMENT EXECUTE FUNCTION bronze.refuse_rewriting();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON public.bronze_shop_y2024m02 FOR EACH STATEMENT EXECUTE FUNCTION bronze.refuse_rewriting();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON public.bronze_shop_y2026m11 FOR EACH STATEMENT EXECUTE FUNCTION bronze.refuse_rewriting();
CREATE TRIGGER refuse_update_and_delete BEFORE DELETE OR UPDATE ON public.bronze_shop FOR EACH ROW EXECUTE FUNCTION bronze.refuse_rewriting();
ALTER TABLE ONLY bronze.heads
    ADD CONSTRAINT head_belongs_to_a_listed_stream FOREIGN KEY (stream_id) REFERENCES bronze.streams(id);
ALTER TABLE ONLY bronze.run_streams
    ADD CONSTRAINT stream_is_counted_for_a_listed_run FOREIGN KEY (run_id) REFERENCES bronze.runs(run_id);
