-- bronze.sources: the sources that have a table here. Written by bronze.create_source, read by whatever walks over all of them.
CREATE TABLE IF NOT EXISTS bronze.sources (
    source text NOT NULL,
    created_at timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    CONSTRAINT source_is_listed_once PRIMARY KEY (source),
    -- the name becomes part of table, partition and index names, which end at 63 bytes
    CONSTRAINT source_is_a_short_lower_case_name CHECK (source ~ '^[a-z][a-z0-9_]{0,39}$')
);
COMMENT ON TABLE bronze.sources IS 'One row per source that has a table bronze_<source>.';
COMMENT ON COLUMN bronze.sources.source IS 'Name, such as toggl.';
COMMENT ON COLUMN bronze.sources.created_at IS 'When its table was made (UTC).';
