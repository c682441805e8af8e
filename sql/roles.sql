-- Two roles that can do less than the owner of the tables, who makes the layout:
--   bronze_reader reads everything and changes nothing;
--   bronze_loader runs pipelines: it appends rows, updates the columns of the control tables that a run changes, and makes sources, partitions and indexes through
--   functions of the owner. It cannot change or remove a row of bronze_<source>, declare maintenance, or touch a table's definition.
-- The owner runs this file once per database, when the layout is there, and again after a restore: psql -f sql/roles.sql.
-- Sources that come later are granted as they are created, and nothing else is. Then: GRANT bronze_loader TO etl; GRANT bronze_reader TO silver;
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bronze_reader') THEN
        CREATE ROLE bronze_reader NOLOGIN;
        COMMENT ON ROLE bronze_reader IS 'Reads the bronze layer, and changes nothing.';
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bronze_loader') THEN
        CREATE ROLE bronze_loader NOLOGIN;
        COMMENT ON ROLE bronze_loader IS 'Appends to the bronze layer, and cannot rewrite it.';
    END IF;

    -- a batch goes through temporary tables
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO bronze_loader', current_database());
END
$$;
GRANT USAGE ON SCHEMA bronze, public TO bronze_reader, bronze_loader;
SELECT bronze.grant_layout();
