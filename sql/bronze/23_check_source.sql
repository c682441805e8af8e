-- bronze.check_source: refuses a source whose table cannot be created, or is missing. Called by every run at its start.
CREATE OR REPLACE FUNCTION bronze.check_source(source_name text) RETURNS void
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    table_name constant text := 'bronze_' || source_name;
    other text;
BEGIN
    IF to_regclass(format('public.%I', table_name)) IS NULL AND EXISTS (SELECT FROM bronze.streams AS s WHERE s.source = source_name) THEN
        RAISE EXCEPTION 'the table public.% is missing, although records of % have landed: it was dropped by hand', table_name, source_name
            USING ERRCODE = 'ZB003',
            HINT = format(
                'Forget its records (./bronze psql -c "SELECT bronze.forget_source(%L)"), then land them again from the raw archive '
                '(./bronze rebuild %s --database %s); or restore a backup.', source_name, source_name, current_database()
            );
    END IF;
    SELECT c.relname INTO other
    FROM pg_class AS c
    WHERE
        c.relnamespace = 'public'::regnamespace
        AND ((c.relname = table_name AND c.relkind <> 'p') OR (c.relname = table_name || '_current' AND c.relkind <> 'v'))
    LIMIT 1;
    IF other IS NOT NULL THEN
        RAISE EXCEPTION 'the source cannot be named %: public.% exists and is something else', source_name, other
            USING ERRCODE = 'ZB004', HINT = 'Set the loader''s setting source to another name, or rename what has that name.';
    END IF;
END
$$;
COMMENT ON FUNCTION bronze.check_source(text) IS 'Refuses a source whose table cannot be created, or was dropped by hand.';
