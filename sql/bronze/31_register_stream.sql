-- bronze.register_stream: a stream's entry in the catalog and the schema it came with; gives the entry.
CREATE OR REPLACE FUNCTION bronze.register_stream(
    run text, source_name text, stream_name text, account_name text, keys text[], ordered_by text, tap_name text, hash text, declared jsonb
) RETURNS bronze.streams
LANGUAGE plpgsql
AS $$
DECLARE
    entry bronze.streams;
BEGIN
    INSERT INTO bronze.schemas AS known (schema_hash, source, stream, json_schema, key_properties)
    VALUES (hash, source_name, stream_name, declared, keys)
    ON CONFLICT (source, stream, schema_hash) DO UPDATE SET last_seen_at = now() AT TIME ZONE 'UTC';

    INSERT INTO bronze.streams AS known (source, stream, account, lineage_prefix, key_properties, replication_key, schema_hash, tap, last_run_id)
    VALUES (
        source_name, stream_name, account_name, bronze.lineage_prefix(source_name, stream_name, account_name), keys, ordered_by, hash, tap_name,
        run
    )
    ON CONFLICT (source, stream, account) DO UPDATE
    SET key_properties = excluded.key_properties,
        replication_key = excluded.replication_key,
        schema_hash = excluded.schema_hash,
        tap = excluded.tap,
        last_run_id = excluded.last_run_id
    RETURNING * INTO entry;
    RETURN entry;
END
$$;
COMMENT ON FUNCTION bronze.register_stream(text, text, text, text, text[], text, text, text, jsonb) IS 'Enters a stream and its schema into the catalog.';
