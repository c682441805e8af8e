-- bronze.create_source: a source's table, triggers and current view, made or brought up to date with bronze.record. Running it again changes nothing.
-- A new table has its primary key alone: bronze.index_source adds the other indexes when its first rows are there, as an index is built many
-- times faster from rows than row by row. With the rights of the layout's owner, so that a loader need not own the tables (see sql/roles.sql).
CREATE OR REPLACE FUNCTION bronze.create_source(source_name text) RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
DECLARE
    table_name constant text := 'bronze_' || source_name;
    missing record;
    rule text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(table_name, 0));
    PERFORM bronze.check_source(source_name);
    BEGIN
        INSERT INTO bronze.sources (source) SELECT source_name WHERE NOT EXISTS (SELECT FROM bronze.sources AS s WHERE s.source = source_name);
    EXCEPTION
        WHEN check_violation THEN
            GET STACKED DIAGNOSTICS rule = CONSTRAINT_NAME;
            RAISE EXCEPTION 'a source cannot be named %: %', source_name, replace(rule, '_', ' ')
                USING ERRCODE = 'ZB004', CONSTRAINT = rule, HINT = 'Set the loader''s setting source to another name.';
    END;
    EXECUTE format(
        'CREATE TABLE IF NOT EXISTS public.%I (LIKE bronze.record INCLUDING ALL EXCLUDING INDEXES,
         CONSTRAINT %I PRIMARY KEY (id, partition_key)) PARTITION BY RANGE (partition_key)',
        table_name, table_name || '_pkey'
    );
    EXECUTE format(
        'COMMENT ON TABLE public.%I IS %L', table_name,
        format('Everything that came from %s: one row per version of a record, as the source sent it. Rows are appended, never changed.', source_name)
    );

    -- columns that bronze.record has gained since the table was made
    FOR missing IN
        SELECT
            a.attname AS column_name,
            format_type(a.atttypid, a.atttypmod) AS column_type
        FROM pg_attribute AS a
        WHERE a.attrelid = 'bronze.record'::regclass AND a.attnum > 0 AND NOT a.attisdropped
            AND NOT EXISTS (
                SELECT FROM pg_attribute AS b
                WHERE b.attrelid = format('public.%I', table_name)::regclass AND b.attname = a.attname AND NOT b.attisdropped
            )
        ORDER BY a.attnum
    LOOP
        EXECUTE format('ALTER TABLE public.%I ADD COLUMN %I %s', table_name, missing.column_name, missing.column_type);
    END LOOP;

    FOR missing IN
        SELECT a.attname AS column_name, col_description(a.attrelid, a.attnum) AS column_comment
        FROM pg_attribute AS a
        INNER JOIN pg_attribute AS b ON b.attrelid = format('public.%I', table_name)::regclass AND b.attname = a.attname
        WHERE a.attrelid = 'bronze.record'::regclass AND a.attnum > 0 AND NOT a.attisdropped
            AND col_description(a.attrelid, a.attnum) IS DISTINCT FROM col_description(b.attrelid, b.attnum)
    LOOP
        EXECUTE format('COMMENT ON COLUMN public.%I.%I IS %L', table_name, missing.column_name, missing.column_comment);
    END LOOP;

    -- an index that bronze.record has in another form by now: bronze.index_source builds it anew at the end of the next run
    FOR missing IN
        SELECT own.relname AS index_name
        FROM pg_index AS i
        INNER JOIN pg_class AS pattern ON pattern.oid = i.indexrelid
        INNER JOIN pg_class AS own
            ON own.relnamespace = 'public'::regnamespace AND own.relname = table_name || substr(pattern.relname, length('record') + 1)
        WHERE i.indrelid = 'bronze.record'::regclass AND NOT i.indisprimary
            AND regexp_replace(pg_get_indexdef(own.oid), '^.* USING', '') <> regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING', '')
    LOOP
        EXECUTE format('DROP INDEX public.%I', missing.index_name);
    END LOOP;

    -- since 1 December 2026; NOT VALID first, so that a row of another source, which bronze.disagreements names, stops no update
    IF NOT EXISTS (
        SELECT FROM pg_constraint WHERE conrelid = format('public.%I', table_name)::regclass AND conname = 'source_is_that_of_the_table'
    ) THEN
        EXECUTE format('ALTER TABLE public.%I ADD CONSTRAINT source_is_that_of_the_table CHECK (source = %L) NOT VALID', table_name, source_name);
        BEGIN
            EXECUTE format('ALTER TABLE public.%I VALIDATE CONSTRAINT source_is_that_of_the_table', table_name);
        EXCEPTION
            WHEN check_violation THEN NULL;
        END;
    END IF;

    PERFORM bronze.protect_table(format('public.%I', table_name)::regclass, 'refuse_update_and_delete', 'UPDATE OR DELETE');
    -- partitions have triggers of their own since 1 December 2026
    FOR missing IN SELECT h.inhrelid AS partition FROM pg_inherits AS h WHERE h.inhparent = format('public.%I', table_name)::regclass LOOP
        PERFORM bronze.protect_table(missing.partition, 'refuse_rewriting_if_detached', 'UPDATE OR DELETE');
    END LOOP;

    -- said by what is left out, so that a question with a time or an order goes through the table's partitions and indexes;
    -- lineage_id names stream, account, key and version, so that an entry of another record hides nothing
    EXECUTE format(
        'CREATE OR REPLACE VIEW public.%I AS
         SELECT r.*
         FROM public.%I AS r
         WHERE NOT EXISTS (
             SELECT FROM bronze.former_versions AS f INNER JOIN bronze.streams AS s ON s.id = f.stream_id
             WHERE f.row_id = r.id AND f.partition_key = r.partition_key AND s.source = %L
                 AND r.lineage_id = s.lineage_prefix || f.raw_id || ''@'' || f.version
         ) AND NOT EXISTS (
             SELECT FROM bronze.heads AS h INNER JOIN bronze.streams AS s ON s.id = h.stream_id
             WHERE h.gone AND h.raw_id = coalesce(r.lineage_metadata ->> ''key'', r.raw_id) COLLATE "C" AND h.row_id = r.id
                 AND h.partition_key = r.partition_key AND s.source = %L
                 AND r.lineage_id = s.lineage_prefix || h.raw_id || ''@'' || h.current_version
         )',
        table_name || '_current', table_name, source_name, source_name
    );
    EXECUTE format(
        'COMMENT ON VIEW public.%I IS %L', table_name || '_current',
        format('The newest version of each record from %s that is not gone; a degraded answer does not replace a full one.', source_name)
    );
    PERFORM bronze.grant_source(source_name);
END
$$;
COMMENT ON FUNCTION bronze.create_source(text) IS 'Makes bronze_<source> and bronze_<source>_current, or brings them up to date.';
REVOKE EXECUTE ON FUNCTION bronze.create_source(text) FROM public;
