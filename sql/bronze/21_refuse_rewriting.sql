-- bronze.refuse_rewriting: the trigger that keeps rows of bronze_<source> as they were written. Only the owner of the table can declare maintenance: whoever
-- was granted more than sql/roles.sql grants still changes nothing.
CREATE OR REPLACE FUNCTION bronze.refuse_rewriting() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_setting('bronze.maintenance', TRUE) = 'on'
        AND (SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class AS c WHERE c.oid = TG_RELID) THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION '% of % refused: rows of the bronze layer are never changed', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation',
        HINT = 'A correction is a new version that a tap delivers. For maintenance, the table''s owner: SET LOCAL bronze.maintenance = ''on'' inside the transaction.';
END
$$;
COMMENT ON FUNCTION bronze.refuse_rewriting() IS 'Refuses UPDATE, DELETE and TRUNCATE unless the table''s owner has set bronze.maintenance to on.';
