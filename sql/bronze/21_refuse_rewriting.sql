-- bronze.refuse_rewriting: the trigger that keeps rows of bronze_<source> as they were written.
CREATE OR REPLACE FUNCTION bronze.refuse_rewriting() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF current_setting('bronze.maintenance', TRUE) = 'on' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION '% of % refused: rows of the bronze layer are never changed', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation',
        HINT = 'A correction is a new version that a tap delivers. For maintenance: SET LOCAL bronze.maintenance = ''on'' inside the transaction.';
END
$$;
COMMENT ON FUNCTION bronze.refuse_rewriting() IS 'Refuses UPDATE, DELETE and TRUNCATE unless bronze.maintenance is on.';
