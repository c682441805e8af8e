-- bronze.sources: the sources that have a table here. Written by bronze.create_source, read by whatever walks over all of them.
CREATE TABLE IF NOT EXISTS bronze.sources (
    source text NOT NULL,
    created_at timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    CONSTRAINT source_is_listed_once PRIMARY KEY (source),
    -- the name becomes part of table, partition and index names, which end at 63 bytes
    CONSTRAINT source_is_a_short_lower_case_name CHECK (source ~ '^[a-z][a-z0-9_]{0,39}$')
);
DO $$
BEGIN
    -- since 1 December 2026; a source that was created before keeps its name
    IF NOT EXISTS (
        SELECT FROM pg_constraint
        WHERE conrelid = 'bronze.sources'::regclass AND conname = 'source_is_not_named_like_a_view_partition_or_index'
    ) THEN
        ALTER TABLE bronze.sources ADD CONSTRAINT source_is_not_named_like_a_view_partition_or_index CHECK (
            source !~ '_y[0-9]{4}m[0-9]{2}(_|$)|_(current|pkey|id_seq)$'
            AND source !~ '_by_(source_timestamp|validation_status|content|lineage_id|pipeline_run_id|environment|quality_score)$'
        ) NOT VALID;
        BEGIN
            ALTER TABLE bronze.sources VALIDATE CONSTRAINT source_is_not_named_like_a_view_partition_or_index;
        EXCEPTION
            WHEN check_violation THEN NULL;
        END;
    END IF;
END
$$;
COMMENT ON TABLE bronze.sources IS 'One row per source that has a table bronze_<source>.';
COMMENT ON COLUMN bronze.sources.source IS 'Name, such as toggl.';
COMMENT ON COLUMN bronze.sources.created_at IS 'When its table was made (UTC).';
