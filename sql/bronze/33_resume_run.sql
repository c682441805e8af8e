-- bronze.resume_run: takes a run's books up again on a new connection; gives the number of its last committed transaction.
CREATE OR REPLACE FUNCTION bronze.resume_run(run text) RETURNS integer
LANGUAGE plpgsql
-- the server may take long to see that the former connection is dead
SET lock_timeout = '30s'
AS $$
DECLARE
    committed integer;
BEGIN
    PERFORM pg_advisory_lock(hashtextextended('bronze run ' || run, 0));
    -- another loader may have taken the run for dead in the meantime
    UPDATE bronze.runs SET status = 'running', error_message = NULL WHERE run_id = run RETURNING units INTO committed;
    RETURN committed;
END
$$;
COMMENT ON FUNCTION bronze.resume_run(text) IS 'Takes up a run on a new connection; gives its last committed transaction.';
