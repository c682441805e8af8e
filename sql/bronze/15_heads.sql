-- bronze.heads: where each record stands: its newest version and the row that is current. The loader compares what arrives with this table alone.
-- There is no foreign key to bronze.streams: checking it would cost a third of what writing a head costs.
CREATE TABLE IF NOT EXISTS bronze.heads (
    stream_id integer NOT NULL,
    raw_id text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    current_version integer NOT NULL,
    content_hash bytea NOT NULL,
    degraded_hash bytea,
    ordering numeric,
    gone boolean NOT NULL DEFAULT FALSE,
    partition_key date NOT NULL,
    row_id bigint NOT NULL,
    CONSTRAINT record_has_one_head PRIMARY KEY (stream_id, raw_id),
    CONSTRAINT current_version_is_among_the_versions CHECK (current_version BETWEEN 1 AND version)
) WITH (fillfactor = 90); -- a new version updates its head in place
-- streams are never taken away, and the check cost a look-up for every new record
ALTER TABLE bronze.heads DROP CONSTRAINT IF EXISTS head_belongs_to_a_listed_stream;
COMMENT ON TABLE bronze.heads IS 'One row per record: newest version, hash of its content, and the row that is current.';
COMMENT ON COLUMN bronze.heads.stream_id IS 'Stream and account, see bronze.streams.';
COMMENT ON COLUMN bronze.heads.raw_id IS 'The record''s key, unambiguous: lineage_metadata ->> ''key'' of its row, else raw_id.';
COMMENT ON COLUMN bronze.heads.version IS 'Number of the newest version.';
COMMENT ON COLUMN bronze.heads.current_version IS 'Version that the current view shows: the newest that is not a degraded answer.';
COMMENT ON COLUMN bronze.heads.content_hash IS 'Hash of the current version''s content, 16 bytes.';
COMMENT ON COLUMN bronze.heads.degraded_hash IS 'Hash of the newest degraded answer, where there was one.';
COMMENT ON COLUMN bronze.heads.ordering IS 'Replication key of the newest version as a number (timestamps: microseconds since 1970 UTC).';
COMMENT ON COLUMN bronze.heads.gone IS 'The record is gone at the source.';
COMMENT ON COLUMN bronze.heads.partition_key IS 'Where the current row is: its partition ...';
COMMENT ON COLUMN bronze.heads.row_id IS '... and its id.';
-- bronze_<source>_current leaves these out, row by row
CREATE INDEX IF NOT EXISTS heads_that_are_gone ON bronze.heads (raw_id, stream_id) WHERE gone;
