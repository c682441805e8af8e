-- bronze.missing_indexes: the indexes of bronze.record that a source's table does not have as a whole.
-- bronze.build_index, bronze.merge_pending: one step, with the rights of the layout's owner, so that a loader need not own the tables (see sql/roles.sql).
-- bronze.index_partitions: builds them on the partitions, of all months or of some. Several sessions may do so at once: each takes what no other has in hand.
-- bronze.index_source: the same, then the indexes of the table as a whole, which take over what the partitions have; at last it merges what a load left in
-- the pending lists of GIN indexes, so that no reader has to search them. Called at the end of every run; partitions made later get theirs as they are attached.
-- Each step is a transaction of its own: a killed run leaves whole indexes, the next one goes on, and the locks of a step fit into any server's lock table.
CREATE OR REPLACE FUNCTION bronze.missing_indexes(source_name text) RETURNS TABLE (suffix text, definition text)
LANGUAGE sql
STABLE
AS $$
    SELECT substr(c.relname, length('record') + 1), regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING', 'USING')
    FROM pg_index AS i
    INNER JOIN pg_class AS c ON c.oid = i.indexrelid
    WHERE i.indrelid = 'bronze.record'::regclass AND NOT i.indisprimary
        AND to_regclass(format('public.%I', 'bronze_' || source_name || substr(c.relname, length('record') + 1))) IS NULL
    ORDER BY c.relname
$$;
COMMENT ON FUNCTION bronze.missing_indexes(text) IS 'Indexes that bronze_<source> does not have as a whole: end of their name, and definition.';

CREATE OR REPLACE FUNCTION bronze.build_index(source_name text, relation regclass, missing_suffix text) RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    parent constant regclass := format('public.%I', 'bronze_' || source_name)::regclass;
    found record;
BEGIN
    -- the caller names the index; what is built, and on which tables, is said here alone
    FOR found IN
        SELECT c.relname || missing_suffix AS index_name, regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING', 'USING') AS definition
        FROM pg_index AS i
        INNER JOIN pg_class AS c ON c.oid = relation
        WHERE
            i.indrelid = 'bronze.record'::regclass
            AND i.indexrelid = to_regclass(format('bronze.%I', 'record' || missing_suffix)) AND NOT i.indisprimary
            AND (relation = parent OR EXISTS (SELECT FROM pg_inherits AS h WHERE h.inhrelid = relation AND h.inhparent = parent))
    LOOP
        IF found.definition LIKE 'USING gin%' AND relation <> parent AND pg_relation_size(relation) < pg_size_bytes('100MB') THEN
            -- entries are sorted in lots that fit into a processor's cache: a tenth faster, and smaller, as long as the index is in memory
            PERFORM set_config('maintenance_work_mem', '1MB', TRUE);
        END IF;
        EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON %s %s', found.index_name, relation, found.definition);
    END LOOP;
END
$$;
COMMENT ON FUNCTION bronze.build_index(text, regclass, text) IS 'Builds one index that bronze_<source> lacks, on the table or on a partition of it.';
REVOKE EXECUTE ON FUNCTION bronze.build_index(text, regclass, text) FROM public;

CREATE OR REPLACE FUNCTION bronze.merge_pending(gin_index regclass) RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM gin_clean_pending_list(gin_index);
END
$$;
COMMENT ON FUNCTION bronze.merge_pending(regclass) IS 'Merges what waits in the pending list of a GIN index.';
REVOKE EXECUTE ON FUNCTION bronze.merge_pending(regclass) FROM public;

CREATE OR REPLACE PROCEDURE bronze.index_partitions(source_name text, months date[] = NULL)
LANGUAGE plpgsql
AS $$
DECLARE
    missing record;
    turn constant bigint := hashtextextended('bronze indexes ' || source_name, 0);
    durability constant text := current_setting('synchronous_commit');
BEGIN
    -- shared among those who build on partitions; who builds on the whole table waits for them
    PERFORM pg_advisory_lock_shared(turn);
    -- an index that a crash takes away is built by the next run
    PERFORM set_config('synchronous_commit', 'off', FALSE);
    FOR missing IN
        SELECT c.oid::regclass AS partition, m.suffix, format('public.%I', c.relname || m.suffix) AS index_name
        FROM pg_inherits AS h
        INNER JOIN pg_class AS c ON c.oid = h.inhrelid
        CROSS JOIN bronze.missing_indexes(source_name) AS m
        WHERE h.inhparent = format('public.%I', 'bronze_' || source_name)::regclass
            AND (months IS NULL OR substr(c.relname, length('bronze_' || source_name) + 1) = ANY (
                SELECT to_char(m.day, '"_y"YYYY"m"MM') FROM unnest(months) AS m (day)
            ))
        -- one partition after the other, as its rows are in memory then; the largest first, so that those who share the work end together,
        -- and of those that differ little the one made last, whose rows are the likeliest to be in memory already
        ORDER BY pg_relation_size(h.inhrelid) / pg_size_bytes('16MB') DESC, h.inhrelid DESC, m.definition LIKE 'USING gin%' DESC, m.suffix
    LOOP
        CONTINUE WHEN to_regclass(missing.index_name) IS NOT NULL;
        CONTINUE WHEN NOT pg_try_advisory_lock(missing.partition::oid::integer, hashtext(missing.suffix));
        PERFORM bronze.build_index(source_name, missing.partition, missing.suffix);
        COMMIT;
        PERFORM pg_advisory_unlock(missing.partition::oid::integer, hashtext(missing.suffix));
    END LOOP;
    PERFORM set_config('synchronous_commit', durability, FALSE);
    PERFORM pg_advisory_unlock_shared(turn);
END
$$;
COMMENT ON PROCEDURE bronze.index_partitions (text, date []) IS 'Builds the indexes that partitions of bronze_<source> lack; several sessions share the work.';

CREATE OR REPLACE PROCEDURE bronze.index_source(source_name text)
LANGUAGE plpgsql
AS $$
DECLARE
    table_name constant text := 'bronze_' || source_name;
    missing record;
    pending regclass;
    turn constant bigint := hashtextextended('bronze indexes ' || source_name, 0);
BEGIN
    PERFORM bronze.check_source(source_name);
    CALL bronze.index_partitions(source_name);
    PERFORM pg_advisory_lock(turn);
    FOR missing IN SELECT m.suffix FROM bronze.missing_indexes(source_name) AS m LOOP
        PERFORM bronze.build_index(source_name, format('public.%I', table_name)::regclass, missing.suffix);
        COMMIT;
    END LOOP;
    PERFORM pg_advisory_unlock(turn);
    FOR pending IN
        SELECT i.indexrelid
        FROM pg_inherits AS h
        INNER JOIN pg_index AS i ON i.indrelid = h.inhrelid
        INNER JOIN pg_class AS c ON c.oid = i.indexrelid
        INNER JOIN pg_am AS a ON a.oid = c.relam
        WHERE h.inhparent = format('public.%I', table_name)::regclass AND a.amname = 'gin'
        ORDER BY i.indexrelid
    LOOP
        PERFORM bronze.merge_pending(pending);
        COMMIT;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE bronze.index_source (text) IS 'Builds the indexes that bronze_<source> lacks and merges what waits in its GIN indexes.';
