-- bronze.former_versions: the versions that are not current any more. Written when a record changes; makes a record's history and the
-- recognition of repeated old versions a look-up instead of a search through the partitions.
CREATE TABLE IF NOT EXISTS bronze.former_versions (
    stream_id integer NOT NULL,
    raw_id text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    content_hash bytea NOT NULL,
    partition_key date NOT NULL,
    row_id bigint NOT NULL,
    CONSTRAINT version_is_listed_once PRIMARY KEY (stream_id, raw_id, version)
);
COMMENT ON TABLE bronze.former_versions IS 'Versions of records other than the current one, with the place of their rows.';
COMMENT ON COLUMN bronze.former_versions.stream_id IS 'Stream and account, see bronze.streams.';
COMMENT ON COLUMN bronze.former_versions.raw_id IS 'The record''s key.';
COMMENT ON COLUMN bronze.former_versions.version IS 'Version.';
COMMENT ON COLUMN bronze.former_versions.content_hash IS 'Hash of its content, 16 bytes.';
COMMENT ON COLUMN bronze.former_versions.partition_key IS 'Where its row is: its partition ...';
COMMENT ON COLUMN bronze.former_versions.row_id IS '... and its id.';
-- bronze_<source>_current leaves these out, row by row
CREATE INDEX IF NOT EXISTS former_versions_by_row ON bronze.former_versions (row_id);
