-- bronze.status: what was loaded, per source, stream and account, and how the source's newest run went. A run that failed before its first record belongs
-- to every stream of its source.
CREATE OR REPLACE VIEW bronze.status AS
SELECT
    s.source,
    s.stream,
    s.account,
    s.row_count,
    s.record_count,
    s.gone_count,
    s.invalid_count,
    s.warning_count,
    s.first_event,
    s.last_event,
    s.last_landed_at,
    r.run_id AS last_run_id,
    r.status AS last_run_status,
    r.started_at AS last_run_started_at,
    r.ended_at AS last_run_ended_at
FROM bronze.streams AS s
LEFT JOIN LATERAL (
    SELECT n.*
    FROM bronze.runs AS n
    WHERE n.source = s.source
    ORDER BY n.started_at DESC
    LIMIT 1
) AS r ON TRUE;
COMMENT ON VIEW bronze.status IS 'Per source, stream and account: rows, records, events and the source''s newest run. Columns as in bronze.streams and bronze.runs.';
