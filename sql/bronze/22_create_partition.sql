-- create_partition_if_not_exists: the month of a source's table in which a day lies. In public, next to the tables, because people call it by that name.
-- A partition is made apart and attached, which leaves readers and writers of the table alone; CREATE ... PARTITION OF would lock them out.
-- With the rights of the layout's owner, so that a loader need not own the tables (see sql/roles.sql).
CREATE OR REPLACE FUNCTION bronze.is_partition(parent_name text, partition_name text) RETURNS boolean
LANGUAGE sql
-- VOLATILE, as it has to see what another session created while this one waited
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (
        SELECT
        FROM pg_class AS c
        INNER JOIN pg_inherits AS h ON h.inhrelid = c.oid
        INNER JOIN pg_class AS p ON p.oid = h.inhparent
        WHERE
            c.relnamespace = 'public'::regnamespace AND c.relname = partition_name
            AND p.relnamespace = 'public'::regnamespace AND p.relname = parent_name
    )
$$;
COMMENT ON FUNCTION bronze.is_partition(text, text) IS 'Whether public.<partition_name> is attached to public.<parent_name>.';

CREATE OR REPLACE FUNCTION public.create_partition_if_not_exists(source_name text, partition_date date) RETURNS text
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    parent_name constant text := 'bronze_' || source_name;
    partition_name constant text := parent_name || to_char(partition_date, '"_y"YYYY"m"MM');
    first_day constant date := date_trunc('month', partition_date)::date;
    next_month constant date := (first_day + interval '1 month')::date;
BEGIN
    IF to_regclass(format('public.%I', parent_name)) IS NULL THEN
        RAISE EXCEPTION 'there is no table %: the source % is not known here', parent_name, source_name
            USING ERRCODE = 'undefined_table', HINT = format('SELECT bronze.create_source(%L); makes it.', source_name);
    END IF;
    IF partition_date IS NULL OR extract(year FROM partition_date) NOT BETWEEN 1 AND 9999 THEN
        RAISE EXCEPTION 'no partition for the date %', partition_date
            USING ERRCODE = 'datetime_field_overflow', HINT = 'A partition key is a day between the years 1 and 9999.';
    END IF;
    IF bronze.is_partition(parent_name, partition_name) THEN
        RETURN partition_name;
    END IF;
    -- two loaders may want the same month at once
    PERFORM pg_advisory_xact_lock(hashtextextended(parent_name, 0));
    IF bronze.is_partition(parent_name, partition_name) THEN
        RETURN partition_name;
    END IF;
    IF EXISTS (SELECT FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace AND c.relname = partition_name) THEN
        RAISE EXCEPTION 'public.% exists, but it is not a partition of %', partition_name, parent_name
            USING ERRCODE = 'ZB004', HINT = 'Attach it again if it was detached by hand (ALTER TABLE ... ATTACH PARTITION), or rename it.';
    END IF;
    EXECUTE format(
        'CREATE TABLE public.%I (LIKE public.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMPRESSION)',
        partition_name, parent_name
    );
    PERFORM bronze.protect_table(format('public.%I', partition_name)::regclass, 'refuse_rewriting_if_detached', 'UPDATE OR DELETE');
    PERFORM bronze.grant_relation(format('public.%I', partition_name)::regclass);
    EXECUTE format(
        'ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
        parent_name, partition_name, first_day, next_month
    );
    RETURN partition_name;
END
$$;
COMMENT ON FUNCTION public.create_partition_if_not_exists(text, date) IS 'Makes the monthly partition of bronze_<source> for a day, if it is missing; gives its name.';
REVOKE EXECUTE ON FUNCTION public.create_partition_if_not_exists(text, date) FROM public;
