-- bronze.streams: the catalog. One row per stream and account, kept by the loader as records arrive; its counters make every overview cheap.
CREATE TABLE IF NOT EXISTS bronze.streams (
    id integer GENERATED ALWAYS AS IDENTITY,
    source text NOT NULL,
    stream text NOT NULL,
    account text NOT NULL DEFAULT '',
    lineage_prefix text COLLATE "C" NOT NULL,
    key_properties text[] NOT NULL DEFAULT '{}',
    identity_keys text[],
    replication_key text,
    schema_hash text,
    tap text,
    row_count bigint NOT NULL DEFAULT 0,
    record_count bigint NOT NULL DEFAULT 0,
    gone_count bigint NOT NULL DEFAULT 0,
    invalid_count bigint NOT NULL DEFAULT 0,
    warning_count bigint NOT NULL DEFAULT 0,
    first_event timestamp,
    last_event timestamp,
    first_seen_at timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    last_landed_at timestamp,
    last_run_id text,
    CONSTRAINT stream_id_is_unique PRIMARY KEY (id),
    CONSTRAINT stream_is_listed_once_per_account UNIQUE (source, stream, account)
);
-- until 1 December 2026 a stream did not remember by which fields its records were identified first
ALTER TABLE bronze.streams ADD COLUMN IF NOT EXISTS identity_keys text[];
COMMENT ON TABLE bronze.streams IS 'Catalog: one row per source, stream and account, with counters of what has landed.';
COMMENT ON COLUMN bronze.streams.id IS 'Short name of the stream in bronze.heads.';
COMMENT ON COLUMN bronze.streams.source IS 'Source, such as toggl.';
COMMENT ON COLUMN bronze.streams.stream IS 'Stream as the tap names it.';
COMMENT ON COLUMN bronze.streams.account IS 'Account at the source, where the tap tells one; else empty. Part of a record''s identity.';
COMMENT ON COLUMN bronze.streams.lineage_prefix IS 'What the lineage_id of each of its rows begins with.';
COMMENT ON COLUMN bronze.streams.key_properties IS 'Fields that are the key; empty: records are identified by their content.';
COMMENT ON COLUMN bronze.streams.identity_keys IS 'Fields whose bare values identify records; the names of any other key_properties are part of the key.';
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
