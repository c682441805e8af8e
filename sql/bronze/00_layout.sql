-- The schema bronze and the version of the layout that this database has.
-- layout version: 2
-- Raise the number above with every change of a file in this folder; the loader applies the folder when it is newer than the database.
CREATE SCHEMA IF NOT EXISTS bronze;
COMMENT ON SCHEMA bronze IS 'Control tables, functions and views of the bronze layer. The records themselves are in public.bronze_<source>.';

CREATE TABLE IF NOT EXISTS bronze.layout (
    version integer NOT NULL,
    fingerprint text NOT NULL,
    applied_at timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    CONSTRAINT layout_version_is_applied_once PRIMARY KEY (version, fingerprint)
);
COMMENT ON TABLE bronze.layout IS 'Which states of sql/bronze were applied to this database, one row each; the newest row is the present one.';
COMMENT ON COLUMN bronze.layout.version IS 'Number in sql/bronze/00_layout.sql.';
COMMENT ON COLUMN bronze.layout.fingerprint IS 'SHA-256 over names and contents of the files, hexadecimal.';
COMMENT ON COLUMN bronze.layout.applied_at IS 'When they were applied (UTC).';
