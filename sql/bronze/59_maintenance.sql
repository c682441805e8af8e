-- bronze.maintenance_due: what `bronze maintain` has to do: statements, each with its reason. Autovacuum does most of it; it does not analyze partitioned tables,
-- and it does not rebuild indexes.
CREATE OR REPLACE VIEW bronze.maintenance_due AS
WITH ours AS (
    SELECT
        c.oid,
        c.relkind,
        c.reltuples,
        c.relpages,
        n.nspname,
        c.relname,
        format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_class AS c
    INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
    WHERE n.nspname = 'bronze' OR (n.nspname = 'public' AND starts_with(c.relname, 'bronze_'))
),

-- the width of a btree entry and its share of a page, as far as the planner's statistics tell
btrees AS (
    SELECT
        o.name,
        o.relpages,
        o.reltuples * (16 + sum(s.avg_width)) / 7300 AS expected_pages
    FROM ours AS o
    INNER JOIN pg_index AS i ON o.oid = i.indexrelid
    INNER JOIN pg_class AS t ON i.indrelid = t.oid
    INNER JOIN pg_namespace AS n ON t.relnamespace = n.oid
    INNER JOIN pg_attribute AS a ON i.indrelid = a.attrelid AND a.attnum = any(i.indkey)
    INNER JOIN pg_stats AS s ON n.nspname = s.schemaname AND t.relname = s.tablename AND a.attname = s.attname
    INNER JOIN pg_am AS m ON m.amname = 'btree'
    INNER JOIN pg_class AS x ON o.oid = x.oid AND m.oid = x.relam
    WHERE o.relkind = 'i' AND o.reltuples > 0
    GROUP BY o.name, o.relpages, o.reltuples
)

SELECT
    1 AS step,
    o.name AS relation,
    format('VACUUM (ANALYZE) %s', o.name) AS statement,
    format('%s dead rows, %s changed since the last look', t.n_dead_tup, t.n_mod_since_analyze) AS reason
FROM ours AS o
INNER JOIN pg_stat_user_tables AS t ON o.oid = t.relid
WHERE
    o.relkind = 'r'
    AND (
        t.n_dead_tup > 1000 + 0.1 * t.n_live_tup
        OR t.n_mod_since_analyze > 1000 + 0.1 * t.n_live_tup
        OR t.n_ins_since_vacuum > 10000 + 0.2 * t.n_live_tup
    )
UNION ALL
SELECT
    2 AS step,
    o.name AS relation,
    format('ANALYZE %s', o.name) AS statement,
    'its partitions have changed' AS reason
FROM ours AS o
INNER JOIN pg_stat_user_tables AS t ON o.oid = t.relid
WHERE
    o.relkind = 'p'
    -- its own ANALYZE goes on to the partitions
    AND EXISTS (
        SELECT
        FROM pg_inherits AS h
        INNER JOIN pg_stat_user_tables AS p ON h.inhrelid = p.relid
        WHERE
            h.inhparent = o.oid AND p.n_live_tup > 0
            AND (t.last_analyze IS NULL OR t.last_analyze < greatest(p.last_analyze, p.last_autoanalyze) - interval '1 hour')
    )
UNION ALL
SELECT
    3 AS step,
    o.name AS relation,
    format('REINDEX INDEX CONCURRENTLY %s', o.name) AS statement,
    'the index is not valid: its building was interrupted' AS reason
FROM ours AS o
INNER JOIN pg_index AS i ON o.oid = i.indexrelid
WHERE o.relkind = 'i' AND NOT i.indisvalid
UNION ALL
SELECT
    3 AS step,
    b.name AS relation,
    format('REINDEX INDEX CONCURRENTLY %s', b.name) AS statement,
    format('%s pages where about %s would do', b.relpages, b.expected_pages::bigint) AS reason
FROM btrees AS b
WHERE b.relpages > 2000 AND b.relpages > 2 * b.expected_pages;
COMMENT ON VIEW bronze.maintenance_due IS 'Statements that are due, in the order of step, with their reason.';

-- bronze.describe_source: writes what the schemas say into the comments of a source's table, where psql and other tools show it.
-- With the rights of the layout's owner, so that a loader need not own the tables (see sql/roles.sql).
CREATE OR REPLACE FUNCTION bronze.describe_source(source_name text) RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    table_name constant text := 'bronze_' || source_name;
    streams text;
    fields text;
BEGIN
    SELECT string_agg(DISTINCT s.stream, ', ' ORDER BY s.stream) INTO streams FROM bronze.streams AS s WHERE s.source = source_name;
    SELECT string_agg(format('%s: %s', f.stream, f.said), '; ' ORDER BY f.stream) INTO fields
    FROM (
        SELECT f.stream, string_agg(f.field || coalesce(' (' || rtrim(f.description, '.') || ')', ''), ', ' ORDER BY f.is_key DESC, f.field) AS said
        FROM bronze.fields AS f
        WHERE f.source = source_name
        GROUP BY f.stream
    ) AS f;
    EXECUTE format(
        'COMMENT ON TABLE public.%I IS %L', table_name,
        format(
            'Everything that came from %s: one row per version of a record, as the source sent it. Rows are appended, never changed. Streams: %s.',
            source_name, coalesce(streams, 'none yet')
        )
    );
    EXECUTE format(
        'COMMENT ON COLUMN public.%I.raw_data IS %L', table_name,
        'The payload, untouched.' || coalesce(' Fields by stream: ' || left(fields, 8000) || '.', '')
    );
END
$$;
COMMENT ON FUNCTION bronze.describe_source(text) IS 'Generates the comments of bronze_<source> from the schemas of its streams.';
REVOKE EXECUTE ON FUNCTION bronze.describe_source(text) FROM public;
