-- The control tables keep their rows as well: nothing is removed from them, and heads and former versions are written by bronze.land alone.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'layout', 'sources', 'schemas', 'streams', 'runs', 'run_streams', 'heads', 'former_versions', 'dead_letters', 'incidents', 'reconciliations',
        'differences', 'archived_months'
    ] LOOP
        PERFORM bronze.protect_table(format('bronze.%I', name)::regclass, 'refuse_delete', 'DELETE');
    END LOOP;
    FOREACH name IN ARRAY ARRAY['heads', 'former_versions'] LOOP
        EXECUTE format(
            'CREATE OR REPLACE TRIGGER refuse_other_writers BEFORE INSERT OR UPDATE ON bronze.%I
             FOR EACH STATEMENT EXECUTE FUNCTION bronze.refuse_other_writers()',
            name
        );
        EXECUTE format('ALTER TABLE bronze.%I ENABLE ALWAYS TRIGGER refuse_other_writers', name);
    END LOOP;
END
$$;
SELECT bronze.grant_layout();
