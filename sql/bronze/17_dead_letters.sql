-- bronze.dead_letters: what came and could not become a row, byte for byte, until it is replayed or given up.
CREATE TABLE IF NOT EXISTS bronze.dead_letters (
    id bigint GENERATED ALWAYS AS IDENTITY,
    source text NOT NULL,
    stream text NOT NULL DEFAULT '',
    category text NOT NULL,
    reason text NOT NULL,
    original bytea NOT NULL,
    original_hash bytea NOT NULL,
    status text NOT NULL DEFAULT 'open',
    first_run_id text NOT NULL,
    last_run_id text NOT NULL,
    position bigint,
    seen_count integer NOT NULL DEFAULT 1,
    first_seen_at timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    last_seen_at timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    resolved_at timestamp,
    resolution text,
    CONSTRAINT dead_letter_id_is_unique PRIMARY KEY (id),
    -- the same bad line in every run is one letter that was seen often
    CONSTRAINT dead_letter_is_kept_once UNIQUE (source, stream, original_hash),
    CONSTRAINT category_is_api_validation_database_system_or_source CHECK (
        category IN ('api', 'validation', 'database', 'system', 'source')
    ),
    CONSTRAINT dead_letter_is_open_replayed_or_given_up CHECK (status IN ('open', 'replayed', 'given_up'))
);
DO $$
BEGIN
    -- until 25 November 2026 a tap had no dead letters of its own
    IF EXISTS (
        SELECT FROM pg_constraint
        WHERE conrelid = 'bronze.dead_letters'::regclass AND conname = 'category_is_api_validation_database_or_system'
    ) THEN
        ALTER TABLE bronze.dead_letters
        DROP CONSTRAINT category_is_api_validation_database_or_system,
        ADD CONSTRAINT category_is_api_validation_database_system_or_source CHECK (
            category IN ('api', 'validation', 'database', 'system', 'source')
        );
    END IF;
END
$$;
COMMENT ON TABLE bronze.dead_letters IS 'Messages that could not become rows, with their original bytes.';
COMMENT ON COLUMN bronze.dead_letters.id IS 'Number of the letter.';
COMMENT ON COLUMN bronze.dead_letters.source IS 'Source.';
COMMENT ON COLUMN bronze.dead_letters.stream IS 'Stream; empty where the line names none.';
COMMENT ON COLUMN bronze.dead_letters.category IS 'api: the tap broke off or broke the protocol; validation: the message cannot be read; '
'database: PostgreSQL refused it; system: the loader failed on it; source: the tap could not read it.';
COMMENT ON COLUMN bronze.dead_letters.reason IS 'Which rule, in words; never the content.';
COMMENT ON COLUMN bronze.dead_letters.original IS 'The line as it came, without its line end.';
COMMENT ON COLUMN bronze.dead_letters.original_hash IS 'SHA-256 of original.';
COMMENT ON COLUMN bronze.dead_letters.status IS 'open, replayed (it has become a row), given_up.';
COMMENT ON COLUMN bronze.dead_letters.first_run_id IS 'Run that first brought it.';
COMMENT ON COLUMN bronze.dead_letters.last_run_id IS 'Run that last brought it.';
COMMENT ON COLUMN bronze.dead_letters.position IS 'Line number in the run that last brought it, from 1.';
COMMENT ON COLUMN bronze.dead_letters.seen_count IS 'How often it came.';
COMMENT ON COLUMN bronze.dead_letters.first_seen_at IS 'When it first came (UTC).';
COMMENT ON COLUMN bronze.dead_letters.last_seen_at IS 'When it last came (UTC).';
COMMENT ON COLUMN bronze.dead_letters.resolved_at IS 'When it was replayed or given up (UTC).';
COMMENT ON COLUMN bronze.dead_letters.resolution IS 'Run of the replay, or the reason for giving up.';
