-- bronze.record_failures: marks runs whose pipeline failed although the loader had no error, because the extractor failed. Meltano knows that, and the
-- operator command passes it on.
-- failures: [{"run_id": ..., "source": ..., "started_at": ..., "ended_at": ..., "reason": ...}], timestamps in UTC by the server's clock; run_id names a run
-- that the loader did not record itself. Returns how many runs were marked or added.
CREATE OR REPLACE FUNCTION bronze.record_failures(failures jsonb) RETURNS bigint
LANGUAGE sql
AS $$
    WITH failed AS (
        SELECT f.run_id, f.source, f.started_at, f.ended_at, f.reason
        FROM jsonb_to_recordset(failures) AS f (run_id text, source text, started_at timestamp, ended_at timestamp, reason text)
        INNER JOIN bronze.sources AS s ON s.source = f.source
    ),

    matching AS (
        SELECT f.run_id AS new_run_id, f.source, f.started_at, f.ended_at, f.reason, r.run_id, r.status
        FROM failed AS f
        LEFT JOIN bronze.runs AS r ON r.source = f.source AND r.started_at BETWEEN f.started_at AND f.ended_at
    ),

    marked AS (
        UPDATE bronze.runs AS r
        SET status = 'failed', error_message = m.reason
        FROM matching AS m
        WHERE r.run_id = m.run_id AND m.status = 'succeeded'
        RETURNING r.run_id
    ),

    -- the loader did not get as far as its first transaction
    added AS (
        INSERT INTO bronze.runs (run_id, source, environment, status, started_at, ended_at, error_message)
        SELECT m.new_run_id, m.source, '', 'failed', m.started_at, m.ended_at, m.reason
        FROM matching AS m
        WHERE m.run_id IS NULL
        ON CONFLICT (run_id) DO NOTHING
        RETURNING run_id
    )

    SELECT (SELECT count(*) FROM marked) + (SELECT count(*) FROM added)
$$;
COMMENT ON FUNCTION bronze.record_failures(jsonb) IS 'Marks runs as failed whose extractor failed, as Meltano recorded it.';
