-- bronze.runs: one row per run of the loader, with its books. Written as the run goes, so that a killed run leaves true figures.
CREATE TABLE IF NOT EXISTS bronze.runs (
    run_id text NOT NULL,
    source text NOT NULL,
    environment text NOT NULL,
    status text NOT NULL DEFAULT 'running',
    pipeline_version text,
    pipeline_parameters jsonb NOT NULL DEFAULT '{}',
    started_at timestamp NOT NULL DEFAULT (clock_timestamp() AT TIME ZONE 'UTC'),
    ended_at timestamp,
    units integer NOT NULL DEFAULT 0,
    read_count bigint NOT NULL DEFAULT 0,
    new_count bigint NOT NULL DEFAULT 0,
    changed_count bigint NOT NULL DEFAULT 0,
    known_count bigint NOT NULL DEFAULT 0,
    rejected_count bigint NOT NULL DEFAULT 0,
    gone_count bigint NOT NULL DEFAULT 0,
    invalid_count bigint NOT NULL DEFAULT 0,
    archive_path text,
    error_message text,
    CONSTRAINT run_is_listed_once PRIMARY KEY (run_id),
    CONSTRAINT run_is_running_succeeded_failed_or_interrupted CHECK (status IN ('running', 'succeeded', 'failed', 'interrupted')),
    CONSTRAINT run_that_succeeded_has_balanced_books CHECK (
        status <> 'succeeded' OR read_count = new_count + changed_count + known_count + rejected_count
    )
);
CREATE INDEX IF NOT EXISTS runs_of_a_source_newest_first ON bronze.runs (source, started_at DESC);
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
COMMENT ON COLUMN bronze.runs.invalid_count IS 'Records that landed as invalid; they are among new and changed.';
COMMENT ON COLUMN bronze.runs.archive_path IS 'The run''s file in the raw archive, relative to the archive folder.';
COMMENT ON COLUMN bronze.runs.error_message IS 'Why it failed.';
