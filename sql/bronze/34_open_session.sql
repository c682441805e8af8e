-- bronze.check_session: refuses a connection that PostgreSQL serves with another session than the one that was prepared: a pooler in transaction or
-- statement mode. The marker is what the client alone knows of its connection; the loader asks at the beginning of each transaction.
CREATE OR REPLACE FUNCTION bronze.check_session(marker text) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF current_setting('bronze.session', TRUE) IS DISTINCT FROM marker THEN
        RAISE EXCEPTION 'a connection pooler changes the server session under the loader''s connection' USING ERRCODE = 'ZB001',
            HINT = 'Connect to PostgreSQL itself, or through a pool in session mode (pgbouncer: pool_mode = session).';
    END IF;
END
$$;
COMMENT ON FUNCTION bronze.check_session(text) IS 'Refuses a connection whose session on the server is not the one that the client prepared.';

-- bronze.open_session: the temporary tables of a loader's connection. What a part of a batch goes through: bronze_incoming (keys and hashes)
-- -> bronze.judge -> bronze_verdict; bronze_stage (the rest of those that are news) -> bronze.land -> bronze_<source>.
CREATE OR REPLACE FUNCTION bronze.open_session() RETURNS void
LANGUAGE plpgsql
SET client_min_messages = warning
AS $$
BEGIN
    IF to_regclass('pg_temp.bronze_seen') IS NOT NULL THEN
        RAISE EXCEPTION 'a connection pooler handed out a server session that another client has used' USING ERRCODE = 'ZB001',
            HINT = 'Connect to PostgreSQL itself, or let the pool clean sessions (pgbouncer: pool_mode = session, server_reset_query = DISCARD ALL).';
    END IF;
    CREATE TEMPORARY TABLE IF NOT EXISTS bronze_incoming (
        ord bigint NOT NULL, -- number of the record's line in the run
        stream_id integer NOT NULL,
        raw_id text COLLATE "C" NOT NULL,
        content_hash bytea NOT NULL,
        ordering numeric,
        degraded boolean NOT NULL,
        keyless boolean NOT NULL,
        superseded boolean NOT NULL -- another content of the same key follows in the batch
    ) ON COMMIT DELETE ROWS;

    -- the key tells the planner, which has no statistics here, that a record has one verdict
    CREATE TEMPORARY TABLE IF NOT EXISTS bronze_verdict (
        ord bigint PRIMARY KEY,
        stream_id integer NOT NULL,
        raw_id text COLLATE "C" NOT NULL,
        content_hash bytea NOT NULL,
        ordering numeric,
        change text NOT NULL,
        version integer NOT NULL,
        stays_former boolean NOT NULL, -- a degraded answer: the version before it stays current
        row_id bigint NOT NULL,
        former_version integer,
        former_hash bytea,
        former_partition_key date,
        former_row_id bigint,
        parent_version integer
    ) ON COMMIT DELETE ROWS;

    CREATE TEMPORARY TABLE IF NOT EXISTS bronze_stage (
        ord bigint NOT NULL,
        raw_data jsonb NOT NULL,
        source_timestamp timestamp,
        lineage_timestamp timestamp,
        validation_status text NOT NULL,
        error_message text,
        metadata jsonb,
        schema_hash text,
        quality_metrics jsonb,
        quality_score double precision,
        quality_checks jsonb,
        file_path text,
        file_hash text,
        file_size bigint,
        compression_type text,
        encoding text,
        api_version text,
        api_endpoint text,
        api_request_id text,
        api_response_code integer,
        api_rate_limit_info jsonb,
        raw_id text COLLATE "C" -- as the source writes it, if the verdict's is not that
    ) ON COMMIT DELETE ROWS;
    -- a value that is compressed here stays as it is on its way into bronze_<source>
    IF EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = 'bronze.record'::regclass AND attname = 'raw_data' AND attcompression = 'l'
    ) THEN
        ALTER TABLE bronze_stage ALTER COLUMN raw_data SET COMPRESSION lz4;
    END IF;

    CREATE TEMPORARY TABLE IF NOT EXISTS bronze_rejected (
        stream text NOT NULL,
        category text NOT NULL,
        reason text NOT NULL,
        original bytea NOT NULL,
        position bigint
    ) ON COMMIT DELETE ROWS;

    -- what the part did, for the loader's books and for hooks that run after it
    CREATE TEMPORARY TABLE IF NOT EXISTS bronze_landed (
        stream_id integer NOT NULL,
        change text NOT NULL,
        record_count bigint NOT NULL,
        invalid_count bigint NOT NULL,
        warning_count bigint NOT NULL,
        first_event timestamp,
        last_event timestamp
    ) ON COMMIT DELETE ROWS;

    -- records that came with a content that they had before, earlier in the run that brought the current one: bronze.judge waits for that one
    CREATE TEMPORARY TABLE IF NOT EXISTS bronze_repeated (
        stream_id integer NOT NULL,
        raw_id text COLLATE "C" NOT NULL,
        content_hash bytea NOT NULL,
        partition_key date NOT NULL, -- where the row with that content is
        row_id bigint NOT NULL,
        PRIMARY KEY (stream_id, raw_id)
    );

    -- records seen in this run, of streams where not being seen means something
    CREATE TEMPORARY TABLE IF NOT EXISTS bronze_seen (
        stream_id integer NOT NULL,
        raw_id text COLLATE "C" NOT NULL,
        PRIMARY KEY (stream_id, raw_id)
    );
END
$$;
COMMENT ON FUNCTION bronze.open_session() IS 'Makes the temporary tables through which a loader''s connection lands records.';
