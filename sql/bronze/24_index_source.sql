-- bronze.index_source: the indexes of bronze.record on a source's table and all its partitions, those that are missing. Called at the end of every run;
-- partitions made later get theirs as they are attached. Each step is a transaction of its own: a killed run leaves whole indexes, the next one goes on,
-- and the locks of one step fit into any server's lock table.
CREATE OR REPLACE PROCEDURE bronze.index_source(source_name text)
LANGUAGE plpgsql
AS $$
DECLARE
    table_name constant text := 'bronze_' || source_name;
    pattern record;
    partition regclass;
    pending regclass;
BEGIN
    FOR pattern IN
        SELECT
            table_name || substr(c.relname, length('record') + 1) AS index_name,
            substr(c.relname, length('record') + 1) AS suffix,
            regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING', 'USING') AS definition
        FROM pg_index AS i
        INNER JOIN pg_class AS c ON c.oid = i.indexrelid
        WHERE i.indrelid = 'bronze.record'::regclass AND NOT i.indisprimary
        ORDER BY c.relname
    LOOP
        CONTINUE WHEN to_regclass(format('public.%I', pattern.index_name)) IS NOT NULL;
        FOR partition IN SELECT h.inhrelid FROM pg_inherits AS h WHERE h.inhparent = format('public.%I', table_name)::regclass ORDER BY 1 LOOP
            EXECUTE format(
                'CREATE INDEX IF NOT EXISTS %I ON %s %s',
                (SELECT relname FROM pg_class WHERE oid = partition) || pattern.suffix, partition, pattern.definition
            );
            COMMIT;
        END LOOP;
        -- takes over what the partitions have
        EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON public.%I %s', pattern.index_name, table_name, pattern.definition);
        COMMIT;
    END LOOP;

    -- what a load left in the lists of its GIN indexes is merged now, so that no reader has to search them
    FOR pending IN
        SELECT i.indexrelid
        FROM pg_inherits AS h
        INNER JOIN pg_index AS i ON i.indrelid = h.inhrelid
        INNER JOIN pg_class AS c ON c.oid = i.indexrelid
        INNER JOIN pg_am AS a ON a.oid = c.relam
        WHERE h.inhparent = format('public.%I', table_name)::regclass AND a.amname = 'gin'
        ORDER BY i.indexrelid
    LOOP
        PERFORM gin_clean_pending_list(pending);
        COMMIT;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE bronze.index_source (text) IS 'Builds the indexes that bronze_<source> lacks and merges what waits in its GIN indexes.';
