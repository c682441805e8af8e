-- bronze.refuse_rewriting: the trigger that keeps rows of bronze_<source> and of the control tables as they were written. Only the owner of the table can
-- declare maintenance: whoever was granted more than bronze.grant_layout grants still changes nothing.
CREATE OR REPLACE FUNCTION bronze.refuse_rewriting() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_setting('bronze.maintenance', TRUE) = 'on'
        AND (SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class AS c WHERE c.oid = TG_RELID) THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    IF TG_TABLE_SCHEMA = 'bronze' THEN
        RAISE EXCEPTION '% of bronze.% refused: only the loader''s functions write there, and nothing is removed', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation',
            HINT = 'To repair it, the table''s owner: SET LOCAL bronze.maintenance = ''on'' inside the transaction. Then run bronze verify.';
    END IF;
    RAISE EXCEPTION '% of % refused: rows of the bronze layer are never changed', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation',
        HINT = 'A correction is a new version that a tap delivers. For maintenance, the table''s owner: SET LOCAL bronze.maintenance = ''on'' inside the transaction.';
END
$$;
COMMENT ON FUNCTION bronze.refuse_rewriting() IS 'Refuses UPDATE, DELETE and TRUNCATE unless the table''s owner has set bronze.maintenance to on.';

-- bronze.refuse_other_writers: keeps what is not bronze.land from writing heads and former versions, as a mistake there hides records. One call per statement.
CREATE OR REPLACE FUNCTION bronze.refuse_other_writers() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_setting('bronze.landing', TRUE) = 'on'
        OR (
            current_setting('bronze.maintenance', TRUE) = 'on'
            AND (SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class AS c WHERE c.oid = TG_RELID)
        ) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% of bronze.% refused: only bronze.land writes there', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation',
        HINT = 'To repair it, the table''s owner: SET LOCAL bronze.maintenance = ''on'' inside the transaction. Then run bronze verify.';
END
$$;
COMMENT ON FUNCTION bronze.refuse_other_writers() IS 'Refuses statements that change heads or former versions outside of bronze.land and of declared maintenance.';

-- bronze.protect_table: the triggers that keep the rows of a table or a partition, whatever session_replication_role says. A partition has its own, as those
-- of the table end with a DETACH.
CREATE OR REPLACE FUNCTION bronze.protect_table(relation regclass, row_trigger text, events text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT t.name, t.definition
        FROM (
            VALUES
            (row_trigger, format('BEFORE %s ON %s FOR EACH ROW', events, relation)),
            ('refuse_truncate', format('BEFORE TRUNCATE ON %s FOR EACH STATEMENT', relation))
        ) AS t (name, definition)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_trigger AS g WHERE g.tgrelid = relation AND g.tgname = wanted.name) THEN
            EXECUTE format('CREATE TRIGGER %I %s EXECUTE FUNCTION bronze.refuse_rewriting()', wanted.name, wanted.definition);
        END IF;
        IF EXISTS (SELECT FROM pg_trigger AS g WHERE g.tgrelid = relation AND g.tgname = wanted.name AND g.tgenabled <> 'A') THEN
            -- ONLY: the partitions have their own, and locking all of them may take more locks than the server has
            EXECUTE format('ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER %I', relation, wanted.name);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION bronze.protect_table(regclass, text, text) IS 'Creates the triggers that keep the rows of a table, or of a partition of its own.';
REVOKE EXECUTE ON FUNCTION bronze.protect_table(regclass, text, text) FROM public;
