-- bronze.begin_run: opens the books of a run. A lock of the session says that the run lives; a run that says 'running' without one was killed,
-- and is marked so here.
CREATE OR REPLACE FUNCTION bronze.begin_run(
    run text, source_name text, environment_name text, version_text text, parameters jsonb, archive text
) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    other text;
BEGIN
    FOR other IN SELECT r.run_id FROM bronze.runs AS r WHERE r.source = source_name AND r.status = 'running' AND r.run_id <> run LOOP
        IF pg_try_advisory_xact_lock(hashtextextended('bronze run ' || other, 0)) THEN
            UPDATE bronze.runs SET status = 'interrupted', error_message = coalesce(error_message, 'the loader ended without closing its books')
            WHERE run_id = other AND status = 'running';
        END IF;
    END LOOP;
    PERFORM pg_advisory_lock(hashtextextended('bronze run ' || run, 0));
    INSERT INTO bronze.runs (run_id, source, environment, pipeline_version, pipeline_parameters, archive_path)
    VALUES (run, source_name, environment_name, version_text, parameters, archive)
    ON CONFLICT (run_id) DO NOTHING;
END
$$;
COMMENT ON FUNCTION bronze.begin_run(text, text, text, text, jsonb, text) IS 'Opens the books of a run and marks dead runs of the source as interrupted.';
