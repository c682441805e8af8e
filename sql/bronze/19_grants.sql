-- What the roles of sql/roles.sql may do. Granted relation by relation, when it is created, and never to what else the owner has; nothing is granted in a database
-- in which sql/roles.sql was not run, which gives the roles USAGE on this schema.
-- bronze.granted_roles: those of the roles that are used in this database.
CREATE OR REPLACE FUNCTION bronze.granted_roles() RETURNS SETOF name
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.rolname FROM pg_roles AS r
    WHERE r.rolname IN ('bronze_reader', 'bronze_loader') AND has_schema_privilege(r.oid, 'bronze', 'USAGE')
    ORDER BY r.rolname
$$;
COMMENT ON FUNCTION bronze.granted_roles() IS 'Which of bronze_reader and bronze_loader are used in this database.';

-- bronze.grant_relation: a table, partition, view or sequence of a source. Rows are inserted through the table alone.
CREATE OR REPLACE FUNCTION bronze.grant_relation(relation regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    role name;
    kind constant "char" := (SELECT c.relkind FROM pg_class AS c WHERE c.oid = relation);
BEGIN
    FOR role IN SELECT g FROM bronze.granted_roles() AS g LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %I', relation, role);
        IF kind <> 'S' THEN
            EXECUTE format('GRANT SELECT ON %s TO %I', relation, role);
        END IF;
        IF role = 'bronze_loader' AND kind = 'S' THEN
            EXECUTE format('GRANT USAGE ON SEQUENCE %s TO %I', relation, role);
        ELSIF role = 'bronze_loader' AND kind = 'p' THEN
            EXECUTE format('GRANT INSERT ON %s TO %I', relation, role);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION bronze.grant_relation(regclass) IS 'Grants a relation of a source to bronze_reader and bronze_loader, if they are used here.';

-- bronze.grant_source: everything of a source but its partitions, which are granted as they are created.
CREATE OR REPLACE FUNCTION bronze.grant_source(source_name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    table_name constant text := format('public.%I', 'bronze_' || source_name);
BEGIN
    PERFORM bronze.grant_relation(table_name::regclass);
    PERFORM bronze.grant_relation(pg_get_serial_sequence(table_name, 'id')::regclass);
    PERFORM bronze.grant_relation(format('public.%I', 'bronze_' || source_name || '_current')::regclass);
END
$$;
COMMENT ON FUNCTION bronze.grant_source(text) IS 'Grants table, sequence and view of a source to bronze_reader and bronze_loader, if they are used here.';

-- bronze.grant_layout: everything. Run by sql/roles.sql, and whenever the layout changes. What the loader updates is granted column by column: names, payloads and
-- the originals of dead letters are not among it.
CREATE OR REPLACE FUNCTION bronze.grant_layout() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $$
DECLARE
    role name;
    found record;
    roles constant name[] := ARRAY(SELECT g FROM bronze.granted_roles() AS g);
BEGIN
    FOREACH role IN ARRAY roles LOOP
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA bronze FROM %I', role);
        EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA bronze TO %I', role);
        -- until 1 December 2026 whatever the owner created later was granted as well
        EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA bronze, public REVOKE ALL ON TABLES FROM %I', role);
        EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA bronze, public REVOKE ALL ON SEQUENCES FROM %I', role);
        EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA bronze, public REVOKE ALL ON ROUTINES FROM %I', role);
    END LOOP;

    -- what runs with the owner's rights is for the loader alone; a restore does not bring that along
    FOR found IN
        SELECT p.oid::regprocedure AS name
        FROM pg_proc AS p
        WHERE p.prosecdef AND (p.pronamespace = 'bronze'::regnamespace OR p.oid = to_regprocedure('public.create_partition_if_not_exists(text, date)'))
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM public', found.name);
        IF 'bronze_loader' = ANY(roles) THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO bronze_loader', found.name);
        END IF;
    END LOOP;

    IF 'bronze_loader' = ANY(roles) THEN
        FOR found IN
            SELECT w.relation, w.updated
            FROM (
                VALUES
                ('schemas', 'last_seen_at'),
                (
                    'streams', 'account, key_properties, identity_keys, replication_key, schema_hash, tap, row_count, record_count, gone_count, invalid_count, warning_count, '
                    'first_event, last_event, last_landed_at, last_run_id'
                ),
                (
                    'runs', 'status, ended_at, units, read_count, new_count, changed_count, known_count, rejected_count, gone_count, invalid_count, '
                    'error_message'
                ),
                ('run_streams', 'read_count, new_count, changed_count, known_count, rejected_count, gone_count, invalid_count'),
                ('heads', 'version, current_version, content_hash, degraded_hash, ordering, gone, partition_key, row_id'),
                ('former_versions', NULL),
                ('dead_letters', 'category, reason, status, last_run_id, position, seen_count, last_seen_at, resolved_at, resolution'),
                ('incidents', 'figure, wanted, closed_at, opening_told_at, closing_told_at'),
                ('reconciliations', 'ended_at, read_count, rejected_count, repair_exit_code'),
                ('differences', NULL)
            ) AS w (relation, updated)
        LOOP
            EXECUTE format('GRANT INSERT ON bronze.%I TO bronze_loader', found.relation);
            IF found.updated IS NOT NULL THEN
                EXECUTE format('GRANT UPDATE (%s) ON bronze.%I TO bronze_loader', found.updated, found.relation);
            END IF;
        END LOOP;
    END IF;

    IF cardinality(roles) > 0 THEN
        FOR found IN SELECT s.source FROM bronze.sources AS s WHERE to_regclass(format('public.%I', 'bronze_' || s.source)) IS NOT NULL LOOP
            PERFORM bronze.grant_source(found.source);
            PERFORM bronze.grant_relation(h.inhrelid)
            FROM pg_inherits AS h
            WHERE h.inhparent = format('public.%I', 'bronze_' || found.source)::regclass;
        END LOOP;
    END IF;
END
$$;
COMMENT ON FUNCTION bronze.grant_layout() IS 'Grants the layout and all sources to bronze_reader and bronze_loader, if they are used in this database.';
