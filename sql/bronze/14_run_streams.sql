-- bronze.run_streams: the books of a run by stream. The empty stream name stands for lines that name none.
CREATE TABLE IF NOT EXISTS bronze.run_streams (
    run_id text NOT NULL,
    stream text NOT NULL,
    read_count bigint NOT NULL DEFAULT 0,
    new_count bigint NOT NULL DEFAULT 0,
    changed_count bigint NOT NULL DEFAULT 0,
    known_count bigint NOT NULL DEFAULT 0,
    rejected_count bigint NOT NULL DEFAULT 0,
    gone_count bigint NOT NULL DEFAULT 0,
    invalid_count bigint NOT NULL DEFAULT 0,
    CONSTRAINT stream_is_counted_once_per_run PRIMARY KEY (run_id, stream),
    CONSTRAINT stream_is_counted_for_a_listed_run FOREIGN KEY (run_id) REFERENCES bronze.runs (run_id)
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
COMMENT ON COLUMN bronze.run_streams.invalid_count IS 'Records that landed as invalid.';
