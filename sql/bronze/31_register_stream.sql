-- bronze.register_stream: a stream's entry in the catalog and the schema it came with; gives the entry.
CREATE OR REPLACE FUNCTION bronze.register_stream(
    run text, source_name text, stream_name text, account_name text, keys text[], ordered_by text, tap_name text, hash text, declared jsonb
) RETURNS bronze.streams
LANGUAGE plpgsql
AS $$
DECLARE
    entry bronze.streams;
    prefix text := bronze.lineage_prefix(source_name, stream_name, account_name);
BEGIN
    INSERT INTO bronze.schemas AS known (schema_hash, source, stream, json_schema, key_properties)
    VALUES (hash, source_name, stream_name, declared, keys)
    ON CONFLICT (source, stream, schema_hash) DO UPDATE SET last_seen_at = now() AT TIME ZONE 'UTC';

    -- A tap that begins to name its account: what came before is of the first account that it names. Its rows, and the lineage that they begin,
    -- stay as they are. Not if this run itself brought records without an account: the tap has both kinds.
    UPDATE bronze.streams AS nameless
    SET account = account_name
    WHERE
        nameless.source = source_name AND nameless.stream = stream_name AND nameless.account = '' AND account_name <> ''
        AND nameless.last_run_id IS DISTINCT FROM run
        AND NOT EXISTS (
            SELECT FROM bronze.streams AS named
            WHERE named.source = source_name AND named.stream = stream_name AND named.account <> ''
        );

    -- records without an account that come after that begin a lineage of their own
    IF EXISTS (
        SELECT FROM bronze.streams AS other
        WHERE other.source = source_name AND other.lineage_prefix = prefix AND other.account <> account_name
    ) THEN
        prefix := left(prefix, -1) || '~/';
    END IF;

    INSERT INTO bronze.streams AS known (
        source, stream, account, lineage_prefix, key_properties, identity_keys, replication_key, schema_hash, tap, last_run_id
    )
    VALUES (source_name, stream_name, account_name, prefix, keys, keys, ordered_by, hash, tap_name, run)
    ON CONFLICT (source, stream, account) DO UPDATE
    SET key_properties = excluded.key_properties,
        -- a stream without records has no identities yet, unless this run is about to land some
        identity_keys = CASE
            WHEN known.record_count = 0 AND known.last_run_id IS DISTINCT FROM run THEN excluded.identity_keys
            ELSE coalesce(known.identity_keys, known.key_properties)
        END,
        replication_key = excluded.replication_key,
        schema_hash = excluded.schema_hash,
        tap = excluded.tap,
        last_run_id = excluded.last_run_id
    RETURNING * INTO entry;
    RETURN entry;
END
$$;
COMMENT ON FUNCTION bronze.register_stream(text, text, text, text, text[], text, text, text, jsonb) IS 'Enters a stream and its schema into the catalog.';
