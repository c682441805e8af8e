-- bronze_reader: a role that reads everything and changes nothing. The user that the loader connects as runs this file once per database, when its layout is
-- there: psql -f sql/roles.sql. What the loader makes later is readable as well. Then: GRANT bronze_reader TO silver;
DO $$
DECLARE
    found regclass;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bronze_reader') THEN
        CREATE ROLE bronze_reader NOLOGIN;
    END IF;
    FOR found IN
        SELECT c.oid
        FROM pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace AND starts_with(c.relname, 'bronze_') AND c.relkind IN ('r', 'p', 'v')
    LOOP
        EXECUTE format('GRANT SELECT ON %s TO bronze_reader', found);
    END LOOP;
END
$$;
COMMENT ON ROLE bronze_reader IS 'Reads the bronze layer, and changes nothing.';
GRANT USAGE ON SCHEMA bronze, public TO bronze_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA bronze TO bronze_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA bronze, public GRANT SELECT ON TABLES TO bronze_reader;
