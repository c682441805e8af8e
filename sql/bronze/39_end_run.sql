-- bronze.end_run: closes the books of a run and gives its lock free.
CREATE OR REPLACE FUNCTION bronze.end_run(run text, outcome text, reason text) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE bronze.runs SET status = outcome, error_message = reason, ended_at = clock_timestamp() AT TIME ZONE 'UTC' WHERE run_id = run;
    PERFORM pg_advisory_unlock(hashtextextended('bronze run ' || run, 0));
END
$$;
COMMENT ON FUNCTION bronze.end_run(text, text, text) IS 'Closes the books of a run.';
