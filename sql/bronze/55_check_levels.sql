-- bronze.check_levels: the service levels of levels.yml against the figures. One row per source and level.
-- settings: {"window": interval, "capacity": size or null, "other_bytes": what lies beside the database, "levels": {...}, "sources": {source: {...}},
--            "due": {source: moment (UTC) at which its next run after the last that succeeded was due}}
-- A level that is null or false is not judged; one without a figure yet is 'unknown'.
CREATE OR REPLACE FUNCTION bronze.check_levels(settings jsonb) RETURNS TABLE (source text, level text, outcome text, figure text, wanted text)
LANGUAGE sql
STABLE
AS $$
    WITH figures AS (
        SELECT * FROM bronze.figures((now() AT TIME ZONE 'UTC') - (settings ->> 'window')::interval)
    ),

    limits AS (
        SELECT f.source, (settings -> 'levels') || coalesce(settings -> 'sources' -> f.source, '{}') AS levels
        FROM figures AS f
    ),

    judged AS (
        SELECT
            f.source,
            'completeness' AS level,
            1 - f.rejected_count::numeric / nullif(f.read_count, 0) AS share,
            (l.levels ->> 'completeness')::numeric AS bound,
            '>' AS sign
        FROM figures AS f INNER JOIN limits AS l ON l.source = f.source WHERE jsonb_typeof(l.levels -> 'completeness') = 'number'
        UNION ALL
        SELECT f.source, 'accuracy', 1 - f.invalid_count::numeric / nullif(f.row_count, 0), (l.levels ->> 'accuracy')::numeric, '>'
        FROM figures AS f INNER JOIN limits AS l ON l.source = f.source WHERE jsonb_typeof(l.levels -> 'accuracy') = 'number'
        UNION ALL
        SELECT f.source, 'error_rate', f.failed_count::numeric / nullif(f.run_count, 0), (l.levels ->> 'error_rate')::numeric, '<'
        FROM figures AS f INNER JOIN limits AS l ON l.source = f.source WHERE jsonb_typeof(l.levels -> 'error_rate') = 'number'
        UNION ALL
        SELECT
            '', 'storage',
            (pg_database_size(current_database()) + (settings ->> 'other_bytes')::bigint)::numeric / pg_size_bytes(settings ->> 'capacity'),
            (settings -> 'levels' ->> 'storage')::numeric, '<'
        WHERE jsonb_typeof(settings -> 'levels' -> 'storage') = 'number'
    )

    SELECT
        j.source,
        j.level,
        CASE
            WHEN j.share IS NULL THEN 'unknown'
            WHEN CASE j.sign WHEN '>' THEN j.share > j.bound ELSE j.share < j.bound END THEN 'met'
            ELSE 'missed'
        END,
        round(100 * j.share, 2)::text || ' %',
        format('%s %s %%', j.sign, round(100 * j.bound, 2))
    FROM judged AS j
    UNION ALL
    SELECT
        l.source, 'freshness',
        CASE WHEN d.due IS NULL THEN 'unknown' WHEN d.late < (l.levels ->> 'freshness')::interval THEN 'met' ELSE 'missed' END,
        CASE WHEN d.late < interval '0' THEN 'on time' ELSE date_trunc('second', d.late)::text || ' late' END,
        format('< %s after its schedule', l.levels ->> 'freshness')
    FROM limits AS l
    CROSS JOIN LATERAL (
        SELECT m.due, (now() AT TIME ZONE 'UTC') - m.due AS late FROM (SELECT (settings -> 'due' ->> l.source)::timestamp) AS m (due)
    ) AS d
    WHERE jsonb_typeof(l.levels -> 'freshness') = 'string'
    UNION ALL
    -- a schedule whose source has never landed anything: perhaps nobody uses it
    SELECT n.key, 'freshness', 'unknown', 'never ran', format('< %s after its schedule', settings -> 'levels' ->> 'freshness')
    FROM jsonb_each(settings -> 'due') AS n
    WHERE n.key NOT IN (SELECT f.source FROM figures AS f) AND jsonb_typeof(settings -> 'levels' -> 'freshness') = 'string'
    UNION ALL
    SELECT
        f.source, 'last_run',
        CASE WHEN f.last_status IS NULL THEN 'unknown' WHEN f.last_status = 'succeeded' THEN 'met' ELSE 'missed' END,
        concat_ws(': ', f.last_status, f.last_error), 'succeeded'
    FROM figures AS f INNER JOIN limits AS l ON l.source = f.source WHERE l.levels -> 'last_run' = 'true'
    UNION ALL
    SELECT
        f.source, 'run_time',
        CASE
            WHEN f.last_seconds IS NULL THEN 'unknown'
            WHEN make_interval(secs => f.last_seconds) <= (l.levels ->> 'run_time')::interval THEN 'met'
            ELSE 'missed'
        END,
        round(f.last_seconds::numeric, 1)::text || ' s', format('<= %s', l.levels ->> 'run_time')
    FROM figures AS f INNER JOIN limits AS l ON l.source = f.source WHERE jsonb_typeof(l.levels -> 'run_time') = 'string'
    UNION ALL
    -- An incremental run often reads few records or none, so that a share of a handful means nothing. Where nearly every run reads something, none is a sign.
    SELECT
        f.source, 'yield',
        CASE
            WHEN f.last_read = 0 AND f.least_read > 0 THEN 'missed'
            WHEN f.usual_read IS NULL OR f.usual_read < 10 THEN 'unknown'
            WHEN f.last_read >= (l.levels ->> 'yield')::numeric * f.usual_read THEN 'met'
            ELSE 'missed'
        END,
        format('%s records, usually %s', f.last_read, coalesce(f.usual_read::text, 'not known')),
        format('>= %s %% of the usual', round(100 * (l.levels ->> 'yield')::numeric))
    FROM figures AS f INNER JOIN limits AS l ON l.source = f.source WHERE jsonb_typeof(l.levels -> 'yield') = 'number'
    UNION ALL
    SELECT
        l.source, 'schema_drift', CASE WHEN c.change_count = 0 THEN 'met' ELSE 'missed' END,
        coalesce(c.said, 'no change'), format('no change within %s', l.levels ->> 'schema_drift')
    FROM limits AS l
    CROSS JOIN LATERAL (
        SELECT
            count(*) AS change_count,
            left(string_agg(format('%s.%s %s', h.stream, h.field, h.change), ', ' ORDER BY h.stream, h.field), 200) AS said
        FROM bronze.schema_changes AS h
        WHERE h.source = l.source AND h.changed_at > (now() AT TIME ZONE 'UTC') - (l.levels ->> 'schema_drift')::interval
    ) AS c
    WHERE jsonb_typeof(l.levels -> 'schema_drift') = 'string'
$$;
COMMENT ON FUNCTION bronze.check_levels(jsonb) IS 'Judges the service levels: met, missed or unknown, with the figure and what was wanted.';
