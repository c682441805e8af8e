-- bronze.record: the pattern of every table bronze_<source>: columns, checks, indexes, comments. It holds no rows itself;
-- bronze.create_source makes a source's table LIKE it, so a change here reaches all of them.
CREATE TABLE IF NOT EXISTS bronze.record (
    id bigint GENERATED ALWAYS AS IDENTITY,
    source text NOT NULL,
    raw_data jsonb NOT NULL,
    ingested_at timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    source_timestamp timestamp,
    raw_id text COLLATE "C",
    validation_status text NOT NULL DEFAULT 'valid',
    error_message text,
    metadata jsonb NOT NULL DEFAULT '{}',
    version integer NOT NULL DEFAULT 1,
    environment text NOT NULL,
    pipeline_run_id text,
    pipeline_version text,
    pipeline_parameters jsonb,
    lineage_id text COLLATE "C",
    parent_lineage_ids text[],
    lineage_type text NOT NULL DEFAULT 'source',
    lineage_source text,
    lineage_timestamp timestamp,
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
    processing_start_time timestamp,
    processing_end_time timestamp,
    processing_duration interval,
    processing_steps jsonb,
    processing_errors jsonb,
    partition_key date NOT NULL,
    -- PostgreSQL wants the partition column in every unique key
    CONSTRAINT record_pkey PRIMARY KEY (id, partition_key),
    CONSTRAINT validation_status_is_valid_warning_or_invalid CHECK (validation_status IN ('valid', 'warning', 'invalid')),
    CONSTRAINT lineage_type_is_source_derived_or_enriched CHECK (lineage_type IN ('source', 'derived', 'enriched')),
    CONSTRAINT version_counts_from_one CHECK (version >= 1),
    CONSTRAINT quality_score_is_a_share CHECK (quality_score BETWEEN 0 AND 1),
    CONSTRAINT partition_key_is_the_day_of_the_event_or_of_the_landing CHECK (
        partition_key = coalesce(source_timestamp, ingested_at)::date
    )
);
CREATE INDEX IF NOT EXISTS record_by_source_timestamp ON bronze.record (source_timestamp);
CREATE INDEX IF NOT EXISTS record_by_validation_status ON bronze.record (validation_status);
DO $$
BEGIN
    -- until 25 November 2026 it was jsonb_path_ops, which answers @>, @? and @@ alone
    IF pg_get_indexdef(to_regclass('bronze.record_by_content')) LIKE '%jsonb_path_ops%' THEN
        DROP INDEX bronze.record_by_content;
    END IF;
END
$$;
-- the default operator class, as it answers every operator of jsonb: @>, ?, ?|, ?&, @?, @@
CREATE INDEX IF NOT EXISTS record_by_content ON bronze.record USING gin (raw_data);
CREATE INDEX IF NOT EXISTS record_by_lineage_id ON bronze.record (lineage_id);
CREATE INDEX IF NOT EXISTS record_by_pipeline_run_id ON bronze.record (pipeline_run_id);
CREATE INDEX IF NOT EXISTS record_by_environment ON bronze.record (environment);
CREATE INDEX IF NOT EXISTS record_by_quality_score ON bronze.record (quality_score);

DO $$
BEGIN
    -- a server may be built without lz4; rows are the same either way
    ALTER TABLE bronze.record ALTER COLUMN raw_data SET COMPRESSION lz4;
EXCEPTION
    WHEN feature_not_supported THEN NULL;
END
$$;

COMMENT ON TABLE bronze.record IS 'Pattern of the tables bronze_<source>: one row per version of a record, as the source sent it. Rows are appended, never changed.';
COMMENT ON COLUMN bronze.record.id IS 'Number of the row.';
COMMENT ON COLUMN bronze.record.source IS 'Source, such as toggl.';
COMMENT ON COLUMN bronze.record.raw_data IS 'The payload, untouched.';
COMMENT ON COLUMN bronze.record.ingested_at IS 'When it landed (UTC).';
COMMENT ON COLUMN bronze.record.source_timestamp IS 'When it happened (UTC), from the field that the stream names; empty if there is none or it cannot be read.';
COMMENT ON COLUMN bronze.record.raw_id IS 'The record''s key at the source. Several fields: a JSON array. No key: hash of the content and occurrence.';
COMMENT ON COLUMN bronze.record.validation_status IS 'valid; warning: lands, but something is odd; invalid: breaks its schema.';
COMMENT ON COLUMN bronze.record.error_message IS 'Which rule, which field; never the value.';
COMMENT ON COLUMN bronze.record.metadata IS 'stream, account, change (new, changed, gone, back, degraded), and what has no column. '
'raw_base64 holds the original bytes where raw_data could not.';
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
