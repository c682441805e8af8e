-- bronze.schemas: every JSON Schema that a stream ever came with; rows name theirs by hash in lineage_metadata.
CREATE TABLE IF NOT EXISTS bronze.schemas (
    schema_hash text NOT NULL,
    source text NOT NULL,
    stream text NOT NULL,
    json_schema jsonb NOT NULL,
    key_properties text[] NOT NULL,
    first_seen_at timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    last_seen_at timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    CONSTRAINT schema_is_kept_once_per_stream PRIMARY KEY (source, stream, schema_hash)
);
COMMENT ON TABLE bronze.schemas IS 'History of the JSON Schemas of each stream, as its SCHEMA messages declared them.';
COMMENT ON COLUMN bronze.schemas.schema_hash IS 'Hash over schema and key, hexadecimal; what belongs to a single run (x-tap, x-absence-window) is left out.';
COMMENT ON COLUMN bronze.schemas.source IS 'Source.';
COMMENT ON COLUMN bronze.schemas.stream IS 'Stream.';
COMMENT ON COLUMN bronze.schemas.json_schema IS 'The schema with its x- annotations.';
COMMENT ON COLUMN bronze.schemas.key_properties IS 'Key that came with it; empty for a stream without one.';
COMMENT ON COLUMN bronze.schemas.first_seen_at IS 'When it first came (UTC).';
COMMENT ON COLUMN bronze.schemas.last_seen_at IS 'When it last came (UTC).';
