-- Two roles that can do less than the owner of the tables, who makes the layout:
--   bronze_reader reads everything and changes nothing;
--   bronze_loader runs pipelines: it appends rows, keeps the control tables, and makes sources, partitions and indexes through functions of the owner. It cannot
--   change or take away a row of bronze_<source>, declare maintenance, or touch a table's definition.
-- The owner runs this file once per database, when the layout is there, and again after an update or a restore: psql -f sql/roles.sql.
-- What comes later is covered as well. Then: GRANT bronze_loader TO etl; GRANT bronze_reader TO silver;
DO $$
DECLARE
    found record;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bronze_reader') THEN
        CREATE ROLE bronze_reader NOLOGIN;
        COMMENT ON ROLE bronze_reader IS 'Reads the bronze layer, and changes nothing.';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bronze_loader') THEN
        CREATE ROLE bronze_loader NOLOGIN;
        COMMENT ON ROLE bronze_loader IS 'Appends to the bronze layer, and cannot rewrite it.';
    END IF;

    FOR found IN
        SELECT c.oid::regclass AS name, c.relkind AS kind
        FROM pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace AND starts_with(c.relname, 'bronze_') AND c.relkind IN ('r', 'p', 'v', 'S')
    LOOP
        IF found.kind = 'S' THEN
            EXECUTE format('GRANT USAGE ON SEQUENCE %s TO bronze_loader', found.name);
        ELSE
            EXECUTE format('GRANT SELECT ON %s TO bronze_reader, bronze_loader', found.name);
        END IF;
        IF found.kind = 'p' THEN
            EXECUTE format('GRANT INSERT ON %s TO bronze_loader', found.name);
        END IF;
    END LOOP;

    -- what runs with the owner's rights is for the loader alone; a restore does not bring that along
    FOR found IN
        SELECT p.oid::regprocedure AS name
        FROM pg_proc AS p
        WHERE p.prosecdef AND (p.pronamespace = 'bronze'::regnamespace OR p.oid = to_regprocedure('public.create_partition_if_not_exists(text, date)'))
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM public', found.name);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO bronze_loader', found.name);
    END LOOP;

    -- a batch goes through temporary tables
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO bronze_loader', current_database());
END
$$;
GRANT USAGE ON SCHEMA bronze, public TO bronze_reader, bronze_loader;
GRANT SELECT ON ALL TABLES IN SCHEMA bronze TO bronze_reader, bronze_loader;
GRANT INSERT, UPDATE ON
bronze.schemas, bronze.streams, bronze.runs, bronze.run_streams, bronze.heads, bronze.dead_letters, bronze.incidents, bronze.reconciliations
TO bronze_loader;
GRANT INSERT ON bronze.former_versions, bronze.differences TO bronze_loader;
ALTER DEFAULT PRIVILEGES IN SCHEMA bronze, public GRANT SELECT ON TABLES TO bronze_reader, bronze_loader;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT INSERT ON TABLES TO bronze_loader;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO bronze_loader;
ALTER DEFAULT PRIVILEGES IN SCHEMA bronze, public GRANT EXECUTE ON ROUTINES TO bronze_loader;
