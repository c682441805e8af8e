-- bronze.lineage_prefix: what the lineage_id of a stream's rows begins with: source/stream/ or source/stream~account/, each part escaped so that no two collide.
CREATE OR REPLACE FUNCTION bronze.lineage_prefix(source_name text, stream_name text, account_name text) RETURNS text
LANGUAGE sql
IMMUTABLE
AS $$
    SELECT source_name || '/'
        || replace(replace(replace(stream_name, '%', '%25'), '/', '%2F'), '~', '%7E')
        || CASE WHEN account_name = '' THEN '' ELSE '~' || replace(replace(replace(account_name, '%', '%25'), '/', '%2F'), '~', '%7E') END
        || '/'
$$;
COMMENT ON FUNCTION bronze.lineage_prefix(text, text, text) IS 'Beginning of the lineage_id of a stream''s rows.';
