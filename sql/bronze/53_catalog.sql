-- bronze.catalog: what there is, per source, stream and account. Everything in it was registered by the loader as it came; nothing is kept by hand.
CREATE OR REPLACE VIEW bronze.catalog AS
SELECT
    s.source,
    s.stream,
    s.account,
    s.tap,
    s.key_properties,
    s.replication_key,
    d.annotations,
    d.field_count,
    h.schema_count,
    h.schema_since,
    s.row_count,
    s.record_count,
    s.gone_count,
    l.dead_letter_count,
    s.first_event,
    s.last_event,
    s.first_seen_at,
    s.last_landed_at,
    s.last_run_id,
    o.ended_at AS last_success_at,
    s.invalid_count::double precision / nullif(s.row_count, 0) AS invalid_share,
    s.warning_count::double precision / nullif(s.row_count, 0) AS warning_share,
    (now() AT TIME ZONE 'UTC') - o.ended_at AS age,
    z.table_bytes + z.index_bytes AS source_bytes
FROM bronze.streams AS s
INNER JOIN bronze.sizes AS z ON s.source = z.source
LEFT JOIN LATERAL (
    SELECT
        (
            SELECT jsonb_object_agg(m.key, m.value) FROM jsonb_each(c.json_schema) AS m
            WHERE starts_with(m.key, 'x-')
        ) AS annotations,
        (
            SELECT count(*) FROM bronze.fields AS f
            WHERE f.source = c.source AND f.stream = c.stream
        ) AS field_count
    FROM bronze.schemas AS c
    WHERE c.source = s.source AND c.stream = s.stream AND c.schema_hash = s.schema_hash
) AS d ON TRUE
LEFT JOIN LATERAL (
    SELECT
        count(*) AS schema_count,
        max(c.first_seen_at) AS schema_since
    FROM bronze.schemas AS c
    WHERE c.source = s.source AND c.stream = s.stream
) AS h ON TRUE
LEFT JOIN LATERAL (
    SELECT count(*) AS dead_letter_count
    FROM bronze.dead_letters AS b
    WHERE b.source = s.source AND b.stream = s.stream AND b.status = 'open'
) AS l ON TRUE
LEFT JOIN LATERAL (
    SELECT r.ended_at
    FROM bronze.runs AS r
    WHERE r.source = s.source AND r.status = 'succeeded'
    ORDER BY r.started_at DESC
    LIMIT 1
) AS o ON TRUE;
COMMENT ON VIEW bronze.catalog IS 'Per source, stream and account: key, schema, annotations, rows, events, shares of odd rows, freshness. Columns as in bronze.streams; '
'source_bytes is the size of the whole source, age the time since its last run that succeeded.';
