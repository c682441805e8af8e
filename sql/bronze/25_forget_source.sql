-- bronze.forget_source: removes what is known of a source whose table was dropped, so that its records can land again. The raw archive and dead letters stay.
CREATE OR REPLACE FUNCTION bronze.forget_source(source_name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF to_regclass(format('public.%I', 'bronze_' || source_name)) IS NOT NULL THEN
        RAISE EXCEPTION 'public.bronze_% exists: its records are not forgotten', source_name
            USING ERRCODE = 'restrict_violation', HINT = 'This is only for a table that was dropped by hand.';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('bronze landing ' || source_name, 0));
    PERFORM set_config('bronze.maintenance', 'on', TRUE);
    DELETE FROM bronze.heads AS h USING bronze.streams AS s WHERE s.id = h.stream_id AND s.source = source_name;
    DELETE FROM bronze.former_versions AS f USING bronze.streams AS s WHERE s.id = f.stream_id AND s.source = source_name;
    DELETE FROM bronze.run_streams AS b USING bronze.runs AS r WHERE r.run_id = b.run_id AND r.source = source_name;
    DELETE FROM bronze.runs AS r WHERE r.source = source_name;
    DELETE FROM bronze.streams AS s WHERE s.source = source_name;
    DELETE FROM bronze.schemas AS c WHERE c.source = source_name;
    DELETE FROM bronze.sources AS s WHERE s.source = source_name;
    PERFORM set_config('bronze.maintenance', 'off', TRUE);
END
$$;
COMMENT ON FUNCTION bronze.forget_source(text) IS 'Removes what is known of a source whose table was dropped by hand: heads, versions, runs, streams and schemas.';
REVOKE EXECUTE ON FUNCTION bronze.forget_source(text) FROM public;
