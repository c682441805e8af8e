-- bronze.index_source: the indexes of bronze.record on a source's table and all its partitions, those that are missing. Called at the end of every
-- run; partitions made later get theirs as they are attached. PostgreSQL takes over what a partition has already and builds the rest.
CREATE OR REPLACE FUNCTION bronze.index_source(source_name text) RETURNS integer
LANGUAGE plpgsql
AS $$
DECLARE
    table_name constant text := 'bronze_' || source_name;
    pattern record;
    made integer := 0;
BEGIN
    FOR pattern IN
        SELECT
            table_name || substr(c.relname, length('record') + 1) AS index_name,
            regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING', 'USING') AS definition
        FROM pg_index AS i
        INNER JOIN pg_class AS c ON c.oid = i.indexrelid
        WHERE i.indrelid = 'bronze.record'::regclass AND NOT i.indisprimary
        ORDER BY c.relname
    LOOP
        IF to_regclass(format('public.%I', pattern.index_name)) IS NULL THEN
            EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON public.%I %s', pattern.index_name, table_name, pattern.definition);
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END
$$;
COMMENT ON FUNCTION bronze.index_source(text) IS 'Builds the indexes that bronze_<source> lacks; gives how many.';
