-- bronze.status: what landed, per source, stream and account, and how the stream's last run went.
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
    s.last_run_id,
    r.status AS last_run_status,
    r.started_at AS last_run_started_at,
    r.ended_at AS last_run_ended_at
FROM bronze.streams AS s
LEFT JOIN bronze.runs AS r ON s.last_run_id = r.run_id;
COMMENT ON VIEW bronze.status IS 'Per source, stream and account: rows, records, events and the last run. Columns as in bronze.streams and bronze.runs.';
