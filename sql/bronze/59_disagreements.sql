-- bronze.disagreements: what in a source's rows, heads, versions, catalog and books contradicts itself; nothing in a sound database. Reads every row.
CREATE OR REPLACE FUNCTION bronze.disagreements(source_name text) RETURNS TABLE (rule text, stream text, raw_id text, detail text)
LANGUAGE plpgsql
STABLE
AS $$
DECLARE
    table_name constant text := 'bronze_' || source_name;
    out_of_database constant boolean := EXISTS (SELECT FROM bronze.archived_months AS m WHERE m.source = source_name AND m.attached_at IS NULL);
BEGIN
    PERFORM bronze.check_source(source_name);
    RETURN QUERY EXECUTE format(
        $query$
        WITH versions AS (
            SELECT h.stream_id, h.raw_id, h.current_version AS version, h.content_hash, h.partition_key, h.row_id, h.gone
            FROM bronze.heads AS h INNER JOIN bronze.streams AS s ON s.id = h.stream_id WHERE s.source = $1
            UNION ALL
            SELECT f.stream_id, f.raw_id, f.version, f.content_hash, f.partition_key, f.row_id, FALSE AS gone
            FROM bronze.former_versions AS f INNER JOIN bronze.streams AS s ON s.id = f.stream_id WHERE s.source = $1
        ),

        paired AS (
            SELECT
                s.stream,
                s.lineage_prefix,
                v.raw_id,
                v.version,
                v.content_hash,
                v.partition_key,
                r.id,
                coalesce(r.lineage_metadata ->> 'key', r.raw_id) COLLATE "C" AS row_raw_id,
                r.version AS row_version,
                r.lineage_id,
                r.parent_lineage_ids,
                r.lineage_metadata ->> 'content_hash' AS row_hash,
                r.metadata ->> 'stream' AS row_stream,
                r.metadata ->> 'change' AS row_change,
                v.gone
            FROM versions AS v
            INNER JOIN bronze.streams AS s ON s.id = v.stream_id
            LEFT JOIN public.%1$I AS r ON r.id = v.row_id AND r.partition_key = v.partition_key
        )

        SELECT 'every version has its row', p.stream, p.raw_id, format('version %%s has none', p.version)
        FROM paired AS p
        WHERE p.id IS NULL AND NOT EXISTS (
            SELECT FROM bronze.archived_months AS m
            WHERE m.source = $1 AND m.attached_at IS NULL AND m.month = date_trunc('month', p.partition_key)::date
        )
        UNION ALL
        SELECT 'a version and its row say the same', p.stream, p.raw_id, format('version %%s differs from row %%s', p.version, p.id)
        FROM paired AS p
        WHERE p.id IS NOT NULL AND (
            p.row_raw_id IS DISTINCT FROM p.raw_id OR p.row_version <> p.version OR p.row_stream IS DISTINCT FROM p.stream
            OR p.row_hash IS DISTINCT FROM encode(p.content_hash, 'hex')
        )
        UNION ALL
        SELECT 'lineage names the version and the one before it', p.stream, p.raw_id, format('row %%s', p.id)
        FROM paired AS p
        WHERE p.id IS NOT NULL AND (
            p.lineage_id IS DISTINCT FROM p.lineage_prefix || p.raw_id || '@' || p.version
            OR p.parent_lineage_ids IS DISTINCT FROM
                CASE WHEN p.version > 1 THEN ARRAY[p.lineage_prefix || p.raw_id || '@' || (p.version - 1)] END
        )
        UNION ALL
        SELECT 'a record is gone where its newest row says so', p.stream, p.raw_id, format('row %%s', p.id)
        FROM paired AS p
        WHERE p.gone AND p.id IS NOT NULL AND p.row_change IS DISTINCT FROM 'gone'
        UNION ALL
        SELECT 'every row is of its source', r.metadata ->> 'stream', r.raw_id, format('row %%s', r.id)
        FROM public.%1$I AS r
        WHERE r.source <> $1
        UNION ALL
        SELECT 'every row is a known version', r.metadata ->> 'stream', r.raw_id, format('row %%s, version %%s', r.id, r.version)
        FROM public.%1$I AS r
        WHERE NOT EXISTS (SELECT FROM versions AS v WHERE v.row_id = r.id AND v.partition_key = r.partition_key)
        UNION ALL
        SELECT 'rows lie in the month of their event', r.metadata ->> 'stream', r.raw_id, format('row %%s', r.id)
        FROM public.%1$I AS r
        WHERE r.partition_key IS DISTINCT FROM coalesce(r.source_timestamp, r.ingested_at)::date
        $query$,
        table_name
    ) USING source_name;

    RETURN QUERY
    SELECT 'versions are counted without a gap', s.stream, h.raw_id, format('newest %s, but %s versions', h.version, count(f.version) + 1)
    FROM bronze.heads AS h
    INNER JOIN bronze.streams AS s ON s.id = h.stream_id
    LEFT JOIN bronze.former_versions AS f ON f.stream_id = h.stream_id AND f.raw_id = h.raw_id
    WHERE s.source = source_name
    GROUP BY s.stream, h.stream_id, h.raw_id, h.version
    HAVING count(f.version) + 1 <> h.version;

    RETURN QUERY
    SELECT
        'the catalog counts what is there', s.stream, NULL::text,
        format('%s records and %s gone in the catalog, %s and %s in the heads', s.record_count, s.gone_count, h.record_count, h.gone_count)
    FROM bronze.streams AS s
    CROSS JOIN LATERAL (
        SELECT count(*) AS record_count, count(*) FILTER (WHERE n.gone) AS gone_count FROM bronze.heads AS n WHERE n.stream_id = s.id
    ) AS h
    WHERE s.source = source_name AND (s.record_count, s.gone_count) IS DISTINCT FROM (h.record_count, h.gone_count);

    RETURN QUERY
    SELECT 'a dead letter has the content of its hash', d.stream, NULL::text, format('dead letter %s', d.id)
    FROM bronze.dead_letters AS d
    WHERE d.source = source_name AND d.original_hash <> sha256(d.original);

    RETURN QUERY
    SELECT 'the books of a run balance', NULL::text, NULL::text, format('run %s: %s read', r.run_id, r.read_count)
    FROM bronze.runs AS r
    WHERE r.source = source_name AND r.read_count <> r.new_count + r.changed_count + r.known_count + r.rejected_count;

    RETURN QUERY
    SELECT 'a run is the sum of its streams', NULL::text, NULL::text, format('run %s', r.run_id)
    FROM bronze.runs AS r
    LEFT JOIN bronze.run_streams AS b ON b.run_id = r.run_id
    WHERE r.source = source_name
    GROUP BY r.run_id
    HAVING (r.read_count, r.new_count, r.changed_count, r.known_count, r.rejected_count, r.gone_count) IS DISTINCT FROM (
        coalesce(sum(b.read_count), 0), coalesce(sum(b.new_count), 0), coalesce(sum(b.changed_count), 0), coalesce(sum(b.known_count), 0),
        coalesce(sum(b.rejected_count), 0), coalesce(sum(b.gone_count), 0)
    );

    IF NOT out_of_database THEN
        RETURN QUERY EXECUTE format(
            'SELECT ''a run has the rows that its books say'', NULL::text, NULL::text,
                format(''run %%s: %%s rows, %%s in its books'', b.run_id, coalesce(n.row_count, 0), b.new_count + b.changed_count + b.gone_count)
            FROM bronze.runs AS b
            LEFT JOIN (SELECT r.pipeline_run_id, count(*) AS row_count FROM public.%I AS r GROUP BY r.pipeline_run_id) AS n
                ON n.pipeline_run_id = b.run_id
            WHERE b.source = $1 AND coalesce(n.row_count, 0) <> b.new_count + b.changed_count + b.gone_count',
            table_name
        ) USING source_name;
    END IF;
END
$$;
COMMENT ON FUNCTION bronze.disagreements(
    text
) IS 'Everything in a source''s rows, versions, heads, catalog and books that contradicts itself, with the rule that it breaks.';
