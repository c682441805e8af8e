-- Takes the functions and procedures of an earlier layout away; the files below make today's. CREATE OR REPLACE alone would leave former
-- signatures beside new ones, and cannot change what a function gives back. What depends on one (a trigger, a view of yours) keeps it.
DO $$
DECLARE
    former regprocedure;
BEGIN
    FOR former IN SELECT p.oid FROM pg_proc AS p WHERE p.pronamespace = 'bronze'::regnamespace AND p.prorettype <> 'trigger'::regtype LOOP
        BEGIN
            EXECUTE format('DROP ROUTINE %s', former);
        EXCEPTION
            WHEN dependent_objects_still_exist THEN NULL;
        END;
    END LOOP;
END
$$;
