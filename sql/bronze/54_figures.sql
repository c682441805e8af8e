-- bronze.figures: how the runs of each source went since a moment. Read by bronze.check_levels and `bronze metrics`.
CREATE OR REPLACE FUNCTION bronze.figures(since timestamp) RETURNS TABLE (
    source text,
    run_count bigint,
    failed_count bigint,
    read_count bigint,
    rejected_count bigint,
    row_count bigint,
    invalid_count bigint,
    last_run_id text,
    last_status text,
    last_seconds double precision,
    last_read bigint,
    usual_read double precision,
    least_read double precision,
    last_error text,
    last_started_at timestamp,
    last_success_at timestamp,
    open_letters bigint
)
LANGUAGE sql
STABLE
AS $$
    SELECT
        s.source,
        w.run_count,
        w.failed_count,
        w.read_count,
        w.rejected_count,
        w.row_count,
        w.invalid_count,
        l.run_id,
        l.status,
        extract(epoch FROM l.ended_at - l.started_at)::double precision,
        l.read_count,
        u.usual_read,
        u.least_read,
        l.error_message,
        l.started_at,
        g.started_at,
        d.open_letters
    FROM bronze.sources AS s
    CROSS JOIN LATERAL (
        SELECT
            count(*) AS run_count,
            count(*) FILTER (WHERE r.status <> 'succeeded') AS failed_count,
            coalesce(sum(r.read_count), 0)::bigint AS read_count,
            coalesce(sum(r.rejected_count), 0)::bigint AS rejected_count,
            coalesce(sum(r.new_count + r.changed_count), 0)::bigint AS row_count,
            coalesce(sum(r.invalid_count), 0)::bigint AS invalid_count
        FROM bronze.runs AS r
        WHERE r.source = s.source AND r.started_at >= since AND r.status <> 'running'
    ) AS w
    LEFT JOIN LATERAL (
        SELECT r.* FROM bronze.runs AS r WHERE r.source = s.source AND r.status <> 'running' ORDER BY r.started_at DESC LIMIT 1
    ) AS l ON TRUE
    LEFT JOIN LATERAL (
        SELECT r.started_at FROM bronze.runs AS r WHERE r.source = s.source AND r.status = 'succeeded' ORDER BY r.started_at DESC LIMIT 1
    ) AS g ON TRUE
    -- fewer than five runs are no history
    LEFT JOIN LATERAL (
        SELECT
            percentile_cont(0.5) WITHIN GROUP (ORDER BY f.read_count) AS usual_read,
            percentile_disc(0.1) WITHIN GROUP (ORDER BY f.read_count) AS least_read
        FROM (
            SELECT r.read_count
            FROM bronze.runs AS r
            WHERE r.source = s.source AND r.status = 'succeeded' AND r.started_at < l.started_at
            ORDER BY r.started_at DESC
            LIMIT 20
        ) AS f
        HAVING count(*) >= 5
    ) AS u ON TRUE
    CROSS JOIN LATERAL (
        SELECT count(*) AS open_letters FROM bronze.dead_letters AS b WHERE b.source = s.source AND b.status = 'open'
    ) AS d
    ORDER BY s.source
$$;
COMMENT ON FUNCTION bronze.figures(
    timestamp
) IS 'Per source: runs since a moment (UTC) with their books, the last finished run, the median of what the 20 before it read and what '
'nine in ten of them read at least, the start of the last one that succeeded, and open dead letters.';
